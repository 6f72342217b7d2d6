#include "base/buf.h"
#include "columnar/block.h"
#include "columnar/parquet.h"
#include "kit/parquet_reader.h"

enum { PLAIN = 0, DELTA = 5, DICTIONARY = 8 };

/* How the values of a column come about. */
typedef enum fill {
    RANDOM,   /* all bits */
    FEW,      /* some 20 different ones */
    THOUSAND, /* 1,000 different ones */
    RISING,   /* by small steps */
    ODD,      /* what breaks things: ends of ranges, zeros of both signs, empty and long texts */
} fill;

typedef struct spec {
    const char *name;
    arka_type type;
    fill fill;
    int nulls;    /* percent of the rows */
    int missing;  /* percent of the batches that do not have the column */
    int integers; /* DOUBLE: percent of the batches that have it as BIGINT */
    bool tag;
} spec;

static bool chance(int percent)
{
    return kit_random() % 100 < (uint64_t)percent;
}

static uint64_t word_of(const spec *s, arka_type type, int64_t seq)
{
    static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, 1e-310, -2.5};
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, 0, -1, 1, 7};
    uint64_t v = kit_random(), bits;
    double d = (double)(int64_t)v / 3;
    if (s->fill == FEW || s->fill == THOUSAND)
        d = (double)(v %= s->fill == FEW ? 20 : 1000) / 4;
    if (s->fill == RISING)
        d = (double)(v = (uint64_t)seq * 10 + v % 10);
    if (s->fill == ODD) {
        d = odd[v % 6];
        v = (uint64_t)ends[v % 6];
    }
    memcpy(&bits, &d, 8);
    return type == ARKA_DOUBLE ? bits : v;
}

enum { TEXT = 6000 };

static size_t text_of(const spec *s, int64_t seq, char to[TEXT])
{
    uint64_t v = kit_random();
    switch (s->fill) {
    case FEW:
        return (size_t)snprintf(to, TEXT, "host_%02d", (int)(v % 20));
    case THOUSAND:
        return (size_t)snprintf(to, TEXT, "a longer name of a thing, %d", (int)(v % 1000));
    case RISING:
        return (size_t)snprintf(to, TEXT, "%012lld", (long long)seq);
    case ODD:
        memset(to, "\xc3\xa9"[v % 2], v % 50 == 0 ? 5000 : 0);
        return v % 50 == 0  ? 5000
               : v % 3 == 0 ? 0
                            : (size_t)snprintf(to, TEXT, "%c", (int)(v % 256));
    case RANDOM:
        break;
    }
    return (size_t)snprintf(to, TEXT, "%llx", (unsigned long long)v);
}

static void fill_column(arka_block *block, const spec *s, arka_type type, int64_t seq)
{
    arka_error err = {0};
    char text[TEXT];
    int c;
    ASSERT_OK(arka_block_add(block, arka_slice_of(s->name), type, s->tag, &c, &err));
    for (int64_t i = 0; i < arka_block_n_rows(block); i++) {
        bool null = chance(s->nulls);
        if (type == ARKA_VARCHAR) {
            size_t n = null ? 0 : text_of(s, seq + i, text);
            memcpy(arka_block_text_reserve(block, c, n), text, n);
            arka_block_text_advance(block, c, n);
            ((int32_t *)arka_block_values(block, c))[i + 1] =
                (int32_t)arka_block_text_len(block, c);
        } else if (type == ARKA_BOOLEAN) {
            bool v = !null && (s->fill == FEW ? (seq + i) / 700 % 2 == 1 : kit_random() % 2 == 1);
            ((uint8_t *)arka_block_values(block, c))[i / 8] |= (uint8_t)(v << i % 8);
        } else {
            ((uint64_t *)arka_block_values(block, c))[i] = null ? 0 : word_of(s, type, seq + i);
        }
        if (null)
            ASSERT_OK(arka_block_set_null(block, c, i, &err));
    }
}

typedef enum times { IN_TURN, INTERLEAVED, SHUFFLED } times;

/* Batches, and the file that came of them. */
typedef struct table {
    const spec *specs;
    int n_specs;
    arka_batch **batches;
    size_t n_batches;
    arka_parquet_field fields[16];
    int n_fields;
    int16_t *columns;
    arka_spans spans;
    arka_buf file;
    arka_parquet_stats stats;
    long writes_left; /* the sink fails when none is left; -1: never */
} table;

static void table_make(table *t, const spec *specs, int n_specs, size_t n_batches, int64_t rows,
                       times order)
{
    arka_error err = {0};
    *t = (table){.specs = specs, .n_specs = n_specs, .n_batches = n_batches, .writes_left = -1};
    t->batches = calloc(n_batches, sizeof(arka_batch *));
    for (size_t b = 0; b < n_batches; b++) {
        arka_block *block;
        int c;
        int64_t seq = (int64_t)b * rows;
        ASSERT_OK(arka_block_new(rows, 0, &block, &err));
        ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &c, &err));
        int64_t *time = arka_block_values(block, c);
        for (int64_t i = 0; i < rows; i++)
            time[i] = -1000 + (order == IN_TURN       ? seq + i
                               : order == INTERLEAVED ? i * 5 + (int64_t)(b % 7)
                                                      : (int64_t)(kit_random() % 1000000));
        for (int s = 0; s < n_specs; s++) {
            bool widen = specs[s].type == ARKA_DOUBLE && chance(specs[s].integers);
            if (!chance(specs[s].missing))
                fill_column(block, &specs[s], widen ? ARKA_BIGINT : specs[s].type, seq);
        }
        ASSERT_OK(arka_block_seal(block, 0, &t->batches[b], &err));
    }
    t->n_fields = n_specs + 1;
    for (int f = 0; f < n_specs; f++)
        t->fields[f] = (arka_parquet_field){arka_slice_of(specs[f].name), specs[f].type, 100 + f,
                                            specs[f].tag};
    t->fields[n_specs] = (arka_parquet_field){ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, 1, false};
    t->columns = malloc(n_batches * (size_t)t->n_fields * sizeof(int16_t) + 1);
    for (size_t b = 0; b < n_batches; b++)
        for (int f = 0; f < t->n_fields; f++)
            t->columns[b * (size_t)t->n_fields + (size_t)f] =
                (int16_t)arka_batch_find(t->batches[b], t->fields[f].name);
    ASSERT_OK(arka_sort_by_time(t->batches, n_batches, &t->spans, &err));
}

static void table_drop(table *t)
{
    for (size_t b = 0; b < t->n_batches; b++)
        arka_batch_unref(t->batches[b]);
    free(t->batches);
    free(t->columns);
    arka_spans_fini(&t->spans);
    arka_buf_fini(&t->file);
}

static arka_status into_file(void *context, const void *bytes, size_t n, arka_error *err)
{
    table *t = context;
    if (t->writes_left == 0)
        return arka_fail(err, ARKA_IO, "no space left");
    t->writes_left -= t->writes_left > 0;
    arka_buf_append(&t->file, bytes, n);
    return t->file.failed ? arka_fail_nomem(err, "a file", n) : ARKA_OK;
}

static arka_status table_write(table *t, const arka_parquet_options *options, arka_error *err)
{
    arka_buf_clear(&t->file);
    return arka_parquet_write(t->fields, t->n_fields, t->batches, t->n_batches, t->columns,
                              &t->spans, options, (arka_parquet_sink){into_file, t}, &t->stats,
                              err);
}

static pqr_file *table_open(table *t, arka_codec codec, int64_t row_group_rows)
{
    arka_error err = {0};
    arka_parquet_options options = {.codec = codec, .row_group_rows = row_group_rows};
    ASSERT_OK(table_write(t, &options, &err));
    assert_int_equal(t->stats.n_bytes, t->file.len);
    return pqr_open(t->file.data, t->file.len);
}

/* One cell of the file against the batches. */
static void check_cell(const table *t, int f, const pqr_column *got, int64_t at, uint32_t b,
                       uint32_t row)
{
    int column = t->columns[b * (uint32_t)t->n_fields + (uint32_t)f];
    const arka_column *c = column < 0 ? NULL : &t->batches[b]->columns[column];
    bool present = c != NULL && !arka_column_is_null(c, row);
    assert_int_equal(got->present[at], present);
    if (!present)
        return;
    uint64_t word = 0;
    if (t->fields[f].type == ARKA_VARCHAR) {
        assert_true(arka_slice_eq(got->texts[at], arka_column_text(c, row)));
        return;
    }
    if (t->fields[f].type == ARKA_BOOLEAN) {
        word = arka_bit(c->values, row);
    } else if (t->fields[f].type != c->type) {
        double wide = (double)arka_column_i64(c)[row];
        memcpy(&word, &wide, 8);
    } else {
        memcpy(&word, &arka_column_i64(c)[row], 8);
    }
    assert_int_equal(got->words[at], word);
}

static void check_rows(table *t, pqr_file *file)
{
    assert_int_equal(pqr_get(file->footer, 3)->i, t->spans.n_rows);
    assert_int_equal(t->stats.n_rows, t->spans.n_rows);
    for (int f = 0; f < t->n_fields; f++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", ARKA_FMT(t->fields[f].name));
        pqr_column got = pqr_read(file, name);
        int64_t at = 0;
        for (size_t s = 0; s < t->spans.list.n; s++) {
            arka_span span = t->spans.list.items[s];
            for (uint32_t i = 0; i < span.n; i++)
                check_cell(t, f, &got, at++, span.batch, span.row + i);
        }
        if (t->fields[f].type == ARKA_TIMESTAMPTZ && f == t->n_fields - 1) {
            for (int64_t i = 1; i < at; i++)
                assert_true((int64_t)got.words[i - 1] <= (int64_t)got.words[i]);
            assert_int_equal(t->stats.time_min, got.words[0]);
            assert_int_equal(t->stats.time_max, got.words[at - 1]);
        }
    }
}

static const arka_codec codecs[] = {ARKA_CODEC_NONE, ARKA_CODEC_SNAPPY, ARKA_CODEC_GZIP,
                                    ARKA_CODEC_LZ4, ARKA_CODEC_ZSTD};

static const spec mixed[] = {
    {"host", ARKA_VARCHAR, FEW, 0, 0, 0, true},
    {"name", ARKA_VARCHAR, THOUSAND, 10, 10, 0, true},
    {"id", ARKA_VARCHAR, RANDOM, 30, 0, 0, false},
    {"odd text", ARKA_VARCHAR, ODD, 5, 20, 0, false},
    {"value", ARKA_DOUBLE, RANDOM, 0, 0, 0, false},
    {"level", ARKA_DOUBLE, THOUSAND, 50, 0, 40, false},
    {"odd", ARKA_DOUBLE, ODD, 1, 50, 50, false},
    {"count", ARKA_BIGINT, RISING, 0, 0, 0, false},
    {"ends", ARKA_BIGINT, ODD, 20, 0, 0, false},
    {"hash", ARKA_BIGINT, RANDOM, 90, 30, 0, false},
    {"up", ARKA_BOOLEAN, RANDOM, 0, 0, 0, false},
    {"ok", ARKA_BOOLEAN, FEW, 30, 30, 0, false},
    {"since", ARKA_TIMESTAMPTZ, RISING, 10, 0, 0, false},
    {"nothing", ARKA_DOUBLE, RANDOM, 100, 50, 0, false},
};
enum { N_MIXED = sizeof mixed / sizeof *mixed };

TEST(every_row_reads_back_with_every_codec)
{
    struct {
        size_t batches;
        int64_t rows, group;
        times order;
    } const shapes[] = {
        {1, 1, 0, IN_TURN},         {1, 8, 0, IN_TURN},          {3, 2000, 0, IN_TURN},
        {12, 500, 1000, IN_TURN},   {40, 150, 999, INTERLEAVED}, {20, 300, 2048, SHUFFLED},
        {2, 2600, 64, INTERLEAVED}, {1, 777, 777, SHUFFLED},     {1, 2600, 700, IN_TURN},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        table t;
        table_make(&t, mixed, N_MIXED, shapes[i].batches, shapes[i].rows, shapes[i].order);
        for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++) {
            pqr_file *file = table_open(&t, codecs[c], shapes[i].group);
            check_rows(&t, file);
            int64_t group = shapes[i].group > 0 ? shapes[i].group : 122880;
            assert_int_equal(pqr_get(file->footer, 4)->n, (t.spans.n_rows + group - 1) / group);
            pqr_close(file);
        }
        table_drop(&t);
    }
}

TEST(row_groups_end_where_they_should)
{
    static const spec specs[] = {{"v", ARKA_BIGINT, RISING, 0, 0, 0, false},
                                 {"s", ARKA_VARCHAR, FEW, 1, 0, 0, false}};
    for (int64_t rows = 122879; rows <= 122881; rows++) {
        table t;
        table_make(&t, specs, 2, 1, rows, IN_TURN);
        pqr_file *file = table_open(&t, ARKA_CODEC_SNAPPY, 0);
        check_rows(&t, file);
        assert_int_equal(pqr_get(file->footer, 4)->n, rows > 122880 ? 2 : 1);
        assert_int_equal(pqr_read(file, "v").n_pages, rows > 122880 ? 2 : 1);
        pqr_close(file);
        table_drop(&t);
    }
}

TEST(large_row_groups_have_several_pages)
{
    static const spec specs[] = {{"v", ARKA_DOUBLE, RANDOM, 1, 0, 0, false},
                                 {"d", ARKA_DOUBLE, FEW, 1, 0, 0, false},
                                 {"b", ARKA_BOOLEAN, RANDOM, 0, 0, 0, false}};
    table t;
    table_make(&t, specs, 3, 3, 100000, IN_TURN);
    pqr_file *file = table_open(&t, ARKA_CODEC_LZ4, 1000000);
    check_rows(&t, file);
    for (int i = 0; i < 3; i++) {
        pqr_column c = pqr_read(file, specs[i].name);
        assert_int_equal(c.n_pages, 3);
        assert_true(c.largest_page <= (1 << 20) + 122880 / 8 + 8192);
    }
    pqr_close(file);
    table_drop(&t);
}

TEST(text_pages_stay_near_a_megabyte)
{
    static const spec specs[] = {{"s", ARKA_VARCHAR, RANDOM, 10, 0, 0, false}};
    table t;
    table_make(&t, specs, 1, 1, 122880, IN_TURN);
    pqr_file *file = table_open(&t, ARKA_CODEC_NONE, 0);
    check_rows(&t, file);
    pqr_column c = pqr_read(file, "s");
    assert_true(c.n_pages >= 2);
    assert_true(c.largest_page <= (1 << 20) + 122880 / 8 + 8192);
    pqr_close(file);
    table_drop(&t);
}

static const pqr_node *chunk_of(const pqr_file *file, const char *name)
{
    return pqr_chunk(file, 0, pqr_column_of(file, name));
}

static int encoding_of(const pqr_file *file, const char *name)
{
    return (int)pqr_item(pqr_get(chunk_of(file, name), 2), 0)->i;
}

TEST(encodings_are_chosen_by_the_values)
{
    static const spec specs[] = {
        {"few text", ARKA_VARCHAR, FEW, 0, 0, 0, false},
        {"any text", ARKA_VARCHAR, RANDOM, 0, 0, 0, false},
        {"few doubles", ARKA_DOUBLE, THOUSAND, 10, 0, 0, false},
        {"any doubles", ARKA_DOUBLE, RANDOM, 10, 0, 0, false},
        {"few integers", ARKA_BIGINT, ODD, 0, 0, 0, false},
        {"counter", ARKA_BIGINT, RISING, 0, 0, 0, false},
        {"any integers", ARKA_BIGINT, RANDOM, 0, 0, 0, false},
        {"flag", ARKA_BOOLEAN, FEW, 0, 0, 0, false},
    };
    static const int expected[] = {DICTIONARY, PLAIN, DICTIONARY, PLAIN,
                                   DICTIONARY, DELTA, PLAIN,      PLAIN};
    table t;
    table_make(&t, specs, 8, 10, 3000, IN_TURN);
    pqr_file *file = table_open(&t, ARKA_CODEC_ZSTD, 15000);
    for (int i = 0; i < 8; i++) {
        if (encoding_of(file, specs[i].name) != expected[i])
            fail_msg("%s has encoding %d", specs[i].name, encoding_of(file, specs[i].name));
        /* in each of the two row groups */
        assert_int_equal(pqr_read(file, specs[i].name).n_dictionaries,
                         expected[i] == DICTIONARY ? 2 : 0);
    }
    assert_int_equal(encoding_of(file, "time"), DELTA);
    /* What does not shrink is left as it is: readers need not inflate it. */
    assert_int_equal(pqr_get(chunk_of(file, "any integers"), 4)->i, 0);
    assert_int_equal(pqr_get(chunk_of(file, "any text"), 4)->i, 6);
    pqr_close(file);
    table_drop(&t);
}

TEST(the_footer_tells_names_types_ids_and_tags)
{
    static const spec specs[] = {{"b", ARKA_BOOLEAN, FEW, 0, 0, 0, false},
                                 {"host", ARKA_VARCHAR, FEW, 0, 0, 0, true},
                                 {"rack,row\\seat", ARKA_VARCHAR, FEW, 0, 0, 0, true},
                                 {"d", ARKA_DOUBLE, FEW, 0, 0, 0, false},
                                 {"i", ARKA_BIGINT, FEW, 0, 0, 0, false}};
    table t;
    table_make(&t, specs, 5, 1, 10, IN_TURN);
    pqr_file *file = table_open(&t, ARKA_CODEC_NONE, 0);
    static const int64_t types[] = {0, 6, 6, 5, 2, 2}, converted[] = {-1, 0, 0, -1, -1, 10};
    for (int i = 0; i < 6; i++) {
        pqr_node *field = pqr_field(file, i), *logical = pqr_find(field, 10);
        assert_true(arka_slice_eq(pqr_get(field, 4)->bytes, t.fields[i].name));
        assert_int_equal(pqr_get(field, 1)->i, types[i]);
        assert_int_equal(pqr_get(field, 3)->i, 1); /* OPTIONAL */
        assert_int_equal(pqr_get(field, 9)->i, t.fields[i].field_id);
        assert_int_equal(pqr_find(field, 6) ? pqr_find(field, 6)->i : -1, converted[i]);
        if (types[i] == 6)
            pqr_get(logical, 1); /* STRING */
        if (i == 5) {
            assert_int_equal(pqr_get(pqr_get(logical, 8), 1)->i, 1); /* TIMESTAMP, UTC */
            pqr_get(pqr_get(pqr_get(logical, 8), 2), 2);             /* MICROS */
        }
        pqr_get(pqr_item(pqr_get(file->footer, 7), i), 1); /* TYPE_ORDER */
    }
    pqr_node *pair = pqr_item(pqr_get(file->footer, 5), 0);
    assert_true(arka_slice_eq(pqr_get(pair, 1)->bytes, ARKA_SLICE("arc:tags")));
    assert_true(arka_slice_eq(pqr_get(pair, 2)->bytes, ARKA_SLICE("host,rack\\,row\\\\seat")));
    assert_memory_equal(pqr_get(file->footer, 6)->bytes.data, "arc version ", 12);
    pqr_node *sorted = pqr_item(pqr_get(pqr_item(pqr_get(file->footer, 4), 0), 4), 0);
    assert_int_equal(pqr_get(sorted, 1)->i, 5);
    assert_int_equal(pqr_get(sorted, 2)->i, 0);
    pqr_close(file);

    arka_error err = {0};
    for (int i = 0; i < t.n_fields; i++)
        t.fields[i].tag = false;
    ASSERT_OK(table_write(&t, &(arka_parquet_options){.created_by = "someone else"}, &err));
    file = pqr_open(t.file.data, t.file.len);
    assert_null(pqr_find(file->footer, 5));
    assert_true(arka_slice_eq(pqr_get(file->footer, 6)->bytes, ARKA_SLICE("someone else")));
    pqr_close(file);
    table_drop(&t);
}

/* A file of one column "v" with these doubles, NULL where `null` says so. */
static pqr_file *doubles(table *t, const double *values, int n)
{
    arka_error err = {0};
    arka_block *block;
    int c;
    static const spec v = {"v", ARKA_DOUBLE, FEW, 0, 0, 0, false};
    table_make(t, &v, 1, 1, n, IN_TURN);
    arka_batch_unref(t->batches[0]);
    ASSERT_OK(arka_block_new(n, 0, &block, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &c, &err));
    memset(arka_block_values(block, c), 0, (size_t)n * 8);
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("v"), ARKA_DOUBLE, false, &c, &err));
    memcpy(arka_block_values(block, c), values, (size_t)n * 8);
    ASSERT_OK(arka_block_seal(block, 0, &t->batches[0], &err));
    return table_open(t, ARKA_CODEC_NONE, 0);
}

static double bound(const pqr_node *chunk, int id)
{
    double v;
    arka_slice bytes = pqr_get(pqr_get(chunk, 12), id)->bytes;
    assert_int_equal(bytes.len, 8);
    memcpy(&v, bytes.data, 8);
    return v;
}

TEST(bounds_of_doubles_know_nan_zeros_and_infinity)
{
    enum { MAX = 5, MIN = 6, MAX_EXACT = 7, MIN_EXACT = 8 };
    table t;
    struct {
        double values[5];
        double min, max;
    } const cases[] = {
        {{1, -2, 3, 0, 2}, -2, 3},
        {{0.0, 1, 2, 3, 4}, 0.0, 4},
        {{0.0, -0.0, 2, 3, 4}, -0.0, 4},
        {{-1, -0.0, -0.0, -2, -3}, -3, -0.0},
        {{-1, -0.0, 0.0, -2, -3}, -3, 0.0},
        {{INFINITY, 1, 2, -INFINITY, 0}, -INFINITY, INFINITY},
        {{INFINITY, INFINITY, INFINITY, INFINITY, INFINITY}, INFINITY, INFINITY},
        {{5e-324, 1e308, 1, 1, 1}, 5e-324, 1e308},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pqr_file *file = doubles(&t, cases[i].values, 5);
        const pqr_node *chunk = chunk_of(file, "v");
        double min = bound(chunk, MIN), max = bound(chunk, MAX);
        assert_memory_equal(&min, &cases[i].min, 8);
        assert_memory_equal(&max, &cases[i].max, 8);
        assert_int_equal(pqr_get(pqr_get(chunk, 12), MIN_EXACT)->i, 1);
        assert_int_equal(pqr_get(pqr_get(chunk, 12), MAX_EXACT)->i, 1);
        assert_int_equal(pqr_get(pqr_get(chunk, 12), 3)->i, 0);
        pqr_close(file);
        table_drop(&t);
    }
    const double nans[][5] = {{1, 2, NAN, 3, 4}, {1, 2, -NAN, 3, 4}, {NAN, NAN, NAN, NAN, NAN}};
    for (int i = 0; i < 3; i++) {
        pqr_file *file = doubles(&t, nans[i], 5);
        const pqr_node *statistics = pqr_get(chunk_of(file, "v"), 12);
        assert_null(pqr_find(statistics, MIN));
        assert_null(pqr_find(statistics, MAX));
        check_rows(&t, file);
        pqr_close(file);
        table_drop(&t);
    }
}

/* Bounds of each row group by the rows that the other test has shown to be right. */
TEST(bounds_and_null_counts_are_those_of_the_rows)
{
    enum { GROUP = 700 };
    table t;
    table_make(&t, mixed, N_MIXED, 10, 500, INTERLEAVED);
    pqr_file *file = table_open(&t, ARKA_CODEC_SNAPPY, GROUP);
    for (int f = 0; f < t.n_fields; f++) {
        arka_type type = t.fields[f].type;
        char name[64];
        snprintf(name, sizeof name, "%.*s", ARKA_FMT(t.fields[f].name));
        pqr_column c = pqr_read(file, name);
        for (int64_t from = 0; from < c.n_rows; from += GROUP) {
            const pqr_node *statistics = pqr_get(pqr_chunk(file, (int)(from / GROUP), f), 12);
            pqr_node *low = pqr_find(statistics, 6), *high = pqr_find(statistics, 5);
            int64_t n_nulls = 0, n = 0;
            int as_low = 0, as_high = 0;
            for (int64_t i = from; i < c.n_rows && i < from + GROUP; i++) {
                if (!c.present[i]) {
                    n_nulls++;
                    continue;
                }
                n++;
                if (type == ARKA_VARCHAR) {
                    arka_slice v = c.texts[i];
                    for (int k = 0; k < 2; k++) {
                        pqr_node *b = k == 0 ? low : high;
                        if (b == NULL)
                            continue;
                        size_t least = v.len < b->bytes.len ? v.len : b->bytes.len;
                        int order = memcmp(v.data, b->bytes.data, least);
                        order = order != 0 ? order : (int)v.len - (int)b->bytes.len;
                        assert_true(k == 0 ? order >= 0 : order <= 0);
                        *(k == 0 ? &as_low : &as_high) |= order == 0;
                    }
                } else if (low != NULL) {
                    uint64_t a = 0, z = 0;
                    memcpy(&a, low->bytes.data, low->bytes.len);
                    memcpy(&z, high->bytes.data, high->bytes.len);
                    double v, x, y;
                    memcpy(&v, &c.words[i], 8);
                    memcpy(&x, &a, 8);
                    memcpy(&y, &z, 8);
                    if (type == ARKA_DOUBLE)
                        assert_true(x <= v && v <= y);
                    else
                        assert_true((int64_t)a <= (int64_t)c.words[i] &&
                                    (int64_t)c.words[i] <= (int64_t)z);
                    as_low |= a == c.words[i];
                    as_high |= z == c.words[i];
                }
            }
            assert_int_equal(pqr_get(statistics, 3)->i, n_nulls);
            assert_int_equal(low != NULL, as_low);
            assert_int_equal(high != NULL, as_high);
            if (type != ARKA_VARCHAR)
                assert_int_equal(low != NULL, n > 0);
        }
    }
    pqr_close(file);
    table_drop(&t);
}

/* A batch like the only one of `t`, with these texts in its column "s". */
static void put_texts(table *t, const arka_slice *values, int n)
{
    arka_error err = {0};
    arka_block *block;
    int c;
    arka_batch_unref(t->batches[0]);
    ASSERT_OK(arka_block_new(n, 0, &block, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &c, &err));
    memset(arka_block_values(block, c), 0, (size_t)n * 8);
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("s"), ARKA_VARCHAR, false, &c, &err));
    for (int i = 0; i < n; i++) {
        memcpy(arka_block_text_reserve(block, c, values[i].len), values[i].data, values[i].len);
        arka_block_text_advance(block, c, values[i].len);
        ((int32_t *)arka_block_values(block, c))[i + 1] = (int32_t)arka_block_text_len(block, c);
    }
    ASSERT_OK(arka_block_seal(block, 0, &t->batches[0], &err));
}

TEST(a_text_over_256_bytes_is_no_bound)
{
    static const spec s = {"s", ARKA_VARCHAR, FEW, 0, 0, 0, false};
    char low[300], high[300];
    memset(low, 'a', sizeof low);
    memset(high, '\xff', sizeof high);
    for (size_t len = 255; len <= 258; len++) {
        table t;
        table_make(&t, &s, 1, 1, 3, IN_TURN);
        put_texts(&t, (arka_slice[]){{low, len}, ARKA_SLICE("m"), {high, len}}, 3);
        pqr_file *file = table_open(&t, ARKA_CODEC_NONE, 0);
        const pqr_node *statistics = pqr_get(chunk_of(file, "s"), 12);
        pqr_node *min = pqr_find(statistics, 6), *max = pqr_find(statistics, 5);
        assert_int_equal(min != NULL, len <= 256);
        assert_int_equal(max != NULL, len <= 256);
        assert_int_equal(pqr_find(statistics, 7) != NULL, len <= 256);
        assert_int_equal(pqr_find(statistics, 8) != NULL, len <= 256);
        if (len <= 256) {
            assert_true(arka_slice_eq(min->bytes, (arka_slice){low, len}));
            assert_true(arka_slice_eq(max->bytes, (arka_slice){high, len}));
        }
        check_rows(&t, file);
        pqr_close(file);
        table_drop(&t);
    }
}

TEST(a_text_larger_than_a_page_is_a_page_of_its_own)
{
    enum { LARGE = 3000000 };
    static const spec s = {"s", ARKA_VARCHAR, FEW, 0, 0, 0, false};
    char *large = malloc(LARGE);
    memset(large, 'x', LARGE);
    arka_slice texts[] = {{large, LARGE}, ARKA_SLICE("small"), {large, LARGE}, {large, LARGE - 1}};
    table t;
    table_make(&t, &s, 1, 1, 4, IN_TURN);
    put_texts(&t, texts, 4);
    for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++) {
        pqr_file *file = table_open(&t, codecs[c], 0);
        check_rows(&t, file);
        assert_int_equal(pqr_read(file, "s").n_pages, 4);
        pqr_close(file);
    }
    table_drop(&t);
    free(large);
}

TEST(levels_out_of_range_are_brought_into_it)
{
    arka_error err = {0};
    table t;
    table_make(&t, mixed, N_MIXED, 1, 500, IN_TURN);
    for (int level = -100; level <= 100; level += 50) {
        ASSERT_OK(table_write(&t, &(arka_parquet_options){ARKA_CODEC_GZIP, level, 0, NULL}, &err));
        ASSERT_OK(table_write(&t, &(arka_parquet_options){ARKA_CODEC_ZSTD, level, 0, NULL}, &err));
        pqr_file *file = pqr_open(t.file.data, t.file.len);
        check_rows(&t, file);
        pqr_close(file);
    }
    table_drop(&t);
}

TEST(no_rows_make_a_file_without_row_groups)
{
    arka_error err = {0};
    table t = {.n_fields = 1, .writes_left = -1};
    t.fields[0] = (arka_parquet_field){ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, 1, false};
    ASSERT_OK(table_write(&t, &(arka_parquet_options){.codec = ARKA_CODEC_ZSTD}, &err));
    pqr_file *file = pqr_open(t.file.data, t.file.len);
    assert_int_equal(pqr_get(file->footer, 3)->i, 0);
    assert_int_equal(pqr_get(file->footer, 4)->n, 0);
    assert_int_equal(t.stats.n_rows, 0);
    pqr_close(file);
    table_drop(&t);
}

TEST(the_sinks_refusal_is_passed_on)
{
    arka_error err = {0};
    table t;
    table_make(&t, mixed, N_MIXED, 4, 300, INTERLEAVED);
    arka_parquet_options options = {.codec = ARKA_CODEC_SNAPPY, .row_group_rows = 500};
    long n = 0;
    for (t.writes_left = 0; table_write(&t, &options, &err) != ARKA_OK; t.writes_left = ++n) {
        assert_int_equal(err.code, ARKA_IO);
        assert_string_equal(err.msg, "no space left");
        memset(&err, 0, sizeof err);
    }
    assert_true(n > 3 * t.n_fields); /* pages of three row groups, and both ends */
    table_drop(&t);
}

TEST(running_out_of_memory_is_an_error_at_every_allocation)
{
    arka_error err = {0};
    for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++) {
        table t;
        table_make(&t, mixed, N_MIXED, 4, 300, INTERLEAVED);
        arka_spans_fini(&t.spans);
        bool done = false;
        for (long n = 1; !done; n++) {
            arka_parquet_options options = {.codec = codecs[c], .row_group_rows = 500};
            kit_fail_allocation(n, n % 2 == 0);
            arka_status status = arka_sort_by_time(t.batches, t.n_batches, &t.spans, &err);
            if (status == ARKA_OK)
                status = table_write(&t, &options, &err);
            kit_fail_allocation(0, false);
            done = status == ARKA_OK;
            assert_true(done || status == ARKA_NOMEM);
            assert_true(n < 100000);
            if (!done) {
                arka_buf_fini(&t.file);
                arka_spans_fini(&t.spans);
            }
            memset(&err, 0, sizeof err);
        }
        pqr_file *file = pqr_open(t.file.data, t.file.len);
        check_rows(&t, file);
        pqr_close(file);
        table_drop(&t);
    }
}

TEST(codec_names_parse_in_any_case)
{
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        arka_codec got = ARKA_CODEC_NONE;
        assert_true(arka_codec_parse(arka_slice_of(arka_codec_name(codecs[i])), &got));
        assert_int_equal(got, codecs[i]);
    }
    arka_codec got = ARKA_CODEC_GZIP;
    assert_true(arka_codec_parse(ARKA_SLICE("SnapPy"), &got));
    assert_int_equal(got, ARKA_CODEC_SNAPPY);
    assert_false(arka_codec_parse(ARKA_SLICE("brotli"), &got));
    assert_false(arka_codec_parse(ARKA_SLICE("zst"), &got));
    assert_false(arka_codec_parse(ARKA_SLICE(""), &got));
}
