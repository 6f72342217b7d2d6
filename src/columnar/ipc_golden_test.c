/* Streams that pyarrow wrote, and the one that it must be able to read: tests/golden/make_ipc.py.
 */
#include "columnar/ipc.h"
#include "kit/batches.h"

static const arka_arrow_pairs no_pairs = {NULL, 0};

static char *read_file(const char *name, size_t *n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/golden/ipc/%s", ARKA_TESTS_DIR, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("cannot open %s", path);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*n + 1);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

static bool null_at(const char *column, int64_t i)
{
    return strcmp(column, "time") != 0 && i % 7 == 3;
}

static int64_t int_at(const char *column, int64_t i)
{
    static const struct {
        const char *name;
        int64_t add, times;
    } linear[] = {
        {"time", 1700000000000000, 1000000},
        {"i8", -10, 1},
        {"i16", 0, -500},
        {"i32", 0, -100000},
        {"i64", 0, -1000000000000},
        {"u8", 255, -1},
        {"u16", 65535, -1},
        {"u32", 4294967295, -1},
        {"u64", INT64_MAX, -1},
        {"ts_s", -5000000, 1000000},
        {"ts_ms", -5000, 1000},
        {"d32", -864000000000, 86400000000},
    };
    for (size_t k = 0; k < sizeof linear / sizeof *linear; k++)
        if (strcmp(linear[k].name, column) == 0)
            return linear[k].add + i * linear[k].times;
    assert_string_equal(column, "ts_ns");
    return (int64_t)floor((double)(i * 700 - 5000) / 1000.0);
}

static void text_at(const char *column, int64_t i, char out[32])
{
    long long n = i;
    if (strcmp(column, "s") == 0)
        snprintf(out, i % 5 == 2 ? 1 : 32, "zeile \xc3\xa9 %lld", n);
    else if (strcmp(column, "dict") == 0)
        snprintf(out, 32, "host %lld", n % 4 + n / 20 * 4);
    else
        snprintf(out, 32, strcmp(column, "ls") == 0 ? "large %lld" : "bytes %lld", n);
}

static void check_cell(const arka_column *c, int64_t row, int64_t i)
{
    const char *name = c->name.data;
    char text[32];
    assert_int_equal(arka_column_is_null(c, row), null_at(name, i));
    if (null_at(name, i))
        return;
    switch (c->type) {
    case ARKA_BOOLEAN:
        assert_int_equal(arka_bit(c->values, row), i % 3 == 0);
        break;
    case ARKA_DOUBLE:
        assert_true(arka_column_f64(c)[row] == (double)i / (strcmp(name, "f32") == 0 ? 4 : 3));
        break;
    case ARKA_BIGINT:
    case ARKA_TIMESTAMPTZ:
        if (arka_column_i64(c)[row] != int_at(name, i))
            fail_msg("%s, row %lld: found %lld, expected %lld", name, (long long)i,
                     (long long)arka_column_i64(c)[row], (long long)int_at(name, i));
        break;
    case ARKA_VARCHAR:
        text_at(name, i, text);
        assert_true(arka_slice_eq(arka_column_text(c, row), arka_slice_of(text)));
        break;
    case ARKA_TYPE_NONE:
        fail();
    }
}

/* Batches of rows 0 to 19, none, 20 to 39; 21 columns, of which "nothing" is of type Null. */
static void check_file(const char *file)
{
    arka_error err = {0};
    size_t n;
    int n_fields;
    char *bytes = read_file(file, &n);
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    ASSERT_OK(arka_ipc_reader_new((arka_slice){bytes, n}, 0,
                                  &(arka_ipc_limits){.require_eos = true}, &reader, &err));
    arka_arrow_pairs metadata = arka_ipc_reader_metadata(reader);
    assert_true(arka_slice_eq(arka_arrow_pairs_find(metadata, ARKA_SLICE("arka:table")),
                              ARKA_SLICE("db.golden")));
    assert_non_null(arka_arrow_pairs_find(metadata, ARKA_SLICE("empty")).data);
    arka_ipc_reader_fields(reader, &n_fields);
    assert_int_equal(n_fields, 21);
    for (int64_t from = 0; from < 40; from += 20) {
        ARKA_AUTO(arka_batch) batch = NULL;
        ASSERT_OK(arka_ipc_reader_next(reader, 0, &batch, &err));
        kit_check_batch(batch);
        assert_int_equal(batch->n_rows, 20);
        assert_int_equal(batch->n_columns, 20);
        assert_true(batch->columns[arka_batch_find(batch, ARKA_SLICE("s"))].tag);
        assert_false(batch->columns[arka_batch_find(batch, ARKA_SLICE("ls"))].tag);
        for (int k = 0; k < batch->n_columns; k++)
            for (int64_t row = 0; row < 20; row++)
                check_cell(&batch->columns[k], row, from + row);
        /* the batch without rows, number 1, is passed over */
        assert_true(arka_slice_eq(
            arka_ipc_message_find(arka_ipc_reader_message(reader), ARKA_SLICE("number")),
            from == 0 ? ARKA_SLICE("0") : ARKA_SLICE("2")));
    }
    ARKA_AUTO(arka_batch) none = NULL;
    ASSERT_OK(arka_ipc_reader_next(reader, 0, &none, &err));
    assert_null(none);
    assert_int_equal(arka_ipc_reader_offset(reader), n);
    free(bytes);
}

TEST(plain_stream_of_pyarrow_is_read)
{
    check_file("plain.arrows");
}

TEST(zstd_stream_of_pyarrow_is_read)
{
    check_file("zstd.arrows");
}

TEST(lz4_stream_of_pyarrow_is_read)
{
    check_file("lz4.arrows");
}

TEST(dictionary_deltas_of_pyarrow_are_read)
{
    static const char *const rows[2][3] = {{"a", "b", NULL}, {"c", "d", "a"}};
    arka_error err = {0};
    size_t n;
    char *bytes = read_file("delta.arrows", &n);
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    ASSERT_OK(arka_ipc_reader_new((arka_slice){bytes, n}, 0, NULL, &reader, &err));
    for (int k = 0; k < 2; k++) {
        ARKA_AUTO(arka_batch) batch = NULL;
        ASSERT_OK(arka_ipc_reader_next(reader, 5, &batch, &err));
        kit_check_batch(batch);
        for (int64_t row = 0; row < 3; row++) {
            assert_int_equal(arka_column_is_null(&batch->columns[0], row), rows[k][row] == NULL);
            assert_true(arka_slice_eq(arka_column_text(&batch->columns[0], row),
                                      arka_slice_of(rows[k][row])));
        }
    }
    free(bytes);
}

TEST(nested_schema_of_pyarrow_is_read)
{
    arka_error err = {0};
    size_t n;
    int n_fields;
    char *bytes = read_file("nested.arrows", &n);
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    ARKA_AUTO(arka_batch) none = NULL;
    ASSERT_OK(arka_ipc_reader_new((arka_slice){bytes, n}, 0, NULL, &reader, &err));
    const arka_arrow_field *f = arka_ipc_reader_fields(reader, &n_fields);
    assert_int_equal(n_fields, 7);
    assert_int_equal(f[0].type, ARKA_ARROW_DECIMAL128);
    assert_int_equal(f[0].precision, 20);
    assert_int_equal(f[0].scale, 3);
    assert_false(f[0].nullable);
    assert_int_equal(f[1].type, ARKA_ARROW_TIME64);
    assert_int_equal(f[1].unit, ARKA_ARROW_MICRO);
    assert_int_equal(f[2].type, ARKA_ARROW_FIXED_SIZE_BINARY);
    assert_int_equal(f[2].byte_width, 16);
    assert_int_equal(f[3].type, ARKA_ARROW_INTERVAL);
    assert_int_equal(f[4].type, ARKA_ARROW_LIST);
    assert_int_equal(f[4].children[0].type, ARKA_ARROW_INT32);
    assert_int_equal(f[5].type, ARKA_ARROW_STRUCT);
    assert_int_equal(f[5].n_children, 2);
    assert_string_equal(f[5].children[1].name.data, "y");
    assert_int_equal(f[5].children[1].children[0].type, ARKA_ARROW_UTF8);
    assert_int_equal(f[6].type, ARKA_ARROW_MAP);
    assert_true(f[6].keys_sorted);
    assert_int_equal(f[6].children[0].children[1].type, ARKA_ARROW_INT64);
    ASSERT_OK(arka_ipc_reader_next(reader, 0, &none, &err));
    assert_null(none);
    free(bytes);
}

/* A stream with metadata on everything, laid out by another writer than pyarrow's. */
TEST(metadata_of_schema_field_and_messages_is_read)
{
    arka_error err = {0};
    size_t n;
    int n_fields;
    char *bytes = read_file("log.arrows", &n);
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    ARKA_AUTO(arka_batch) batch = NULL;
    ARKA_AUTO(arka_batch) none = NULL;
    ASSERT_OK(arka_ipc_reader_new((arka_slice){bytes, n}, 0, NULL, &reader, &err));
    const arka_ipc_message *m = arka_ipc_reader_message(reader);
    assert_int_equal(m->n_pairs, 1);
    assert_true(arka_slice_eq(arka_ipc_message_find(m, ARKA_SLICE("arka:crc")),
                              ARKA_SLICE("0000000009159cc5")));
    arka_arrow_pairs pairs = arka_ipc_reader_metadata(reader);
    assert_int_equal(pairs.n, 2);
    assert_true(
        arka_slice_eq(arka_arrow_pairs_find(pairs, ARKA_SLICE("arka:schema_id")), ARKA_SLICE("3")));
    const arka_arrow_field *field = arka_ipc_reader_fields(reader, &n_fields);
    assert_int_equal(n_fields, 1);
    assert_true(arka_slice_eq(
        arka_arrow_pairs_find(field->metadata, ARKA_SLICE("PARQUET:field_id")), ARKA_SLICE("1")));
    ASSERT_OK(arka_ipc_reader_next(reader, 9, &batch, &err));
    m = arka_ipc_reader_message(reader);
    assert_int_equal(m->n_pairs, 4);
    assert_true(
        arka_slice_eq(arka_ipc_message_find(m, ARKA_SLICE("arka:lsn_last")), ARKA_SLICE("8")));
    assert_int_equal(batch->n_rows, 2);
    assert_string_equal(batch->columns[0].name.data, "k");
    assert_int_equal(arka_column_i64(&batch->columns[0])[0], 7);
    assert_int_equal(arka_column_i64(&batch->columns[0])[1], 8);
    ASSERT_OK(arka_ipc_reader_next(reader, 9, &none, &err));
    assert_null(none);
    assert_int_equal(arka_ipc_reader_offset(reader), n);
    free(bytes);
}

/* --- what we write ------------------------------------------------------------------------------
 */

enum { MAX_PARTS = 128 };

/* Nodes and buffers of a batch of three rows being listed; the middle row is null throughout. */
typedef struct parts {
    arka_ipc_node nodes[MAX_PARTS];
    arka_ipc_buffer buffers[MAX_PARTS];
    size_t n_nodes, n_buffers;
    bool empty; /* the same without rows */
} parts;

static const uint8_t middle_null = 5;

static void node(parts *p, int64_t length, int64_t nulls)
{
    p->nodes[p->n_nodes++] = p->empty ? (arka_ipc_node){0, 0} : (arka_ipc_node){length, nulls};
}

static void buffer(parts *p, const void *data, int64_t n)
{
    p->buffers[p->n_buffers++] = p->empty ? (arka_ipc_buffer){NULL, 0} : (arka_ipc_buffer){data, n};
}

static void fixed(parts *p, const void *values, int64_t n)
{
    node(p, 3, 1);
    buffer(p, &middle_null, 1);
    buffer(p, values, n);
}

static void texts(parts *p, const void *offsets, int64_t n_offsets, const char *bytes)
{
    fixed(p, offsets, n_offsets);
    buffer(p, bytes, (int64_t)strlen(bytes));
}

static void list_values(parts *p)
{
    static const uint8_t bits = 1;
    static const int8_t i8[] = {-1, 0, 3};
    static const int16_t i16[] = {-1, 0, 3};
    static const int32_t i32[] = {-1, 0, 3};
    static const int64_t i64[] = {-1, 0, 3};
    static const float f32[] = {0.5f, 0, -2};
    static const double f64[] = {0.5, 0, -2};
    static const int32_t offsets[] = {0, 2, 2, 5};
    static const int64_t large[] = {0, 2, 2, 5};
    static const int64_t micros[] = {1000002, 0, 3};
    static const struct {
        int32_t months, days;
        int64_t nanos;
    } intervals[] = {{1, 2, 3}, {0, 0, 0}, {-1, 0, 5}};
    static const int64_t decimals[] = {-1, -1, 0, 0, 123, 0};
    static const int32_t two_none_one[] = {0, 2, 2, 3};
    static const int32_t ints[] = {1, 2, 3};
    static const int64_t ones[] = {1, 0, 0};
    static const uint8_t first = 1, first_two = 3;
    static const int32_t letters[] = {0, 1, 1, 2}, klm[] = {0, 1, 2, 3};
    static const int64_t values[] = {1, 2, 0};
    static const int8_t indices[] = {0, 0, 1};

    node(p, 3, 3); /* null */
    fixed(p, &bits, 1);
    for (int sign = 0; sign < 2; sign++) {
        fixed(p, i8, sizeof i8);
        fixed(p, i16, sizeof i16);
        fixed(p, i32, sizeof i32);
        fixed(p, i64, sizeof i64);
    }
    fixed(p, f32, sizeof f32);
    fixed(p, f64, sizeof f64);
    texts(p, offsets, sizeof offsets, "\xc3\xa9xyz");
    texts(p, large, sizeof large, "\xc3\xa9xyz");
    texts(p, offsets, sizeof offsets, "\xc3\xa9xyz");
    fixed(p, i32, sizeof i32); /* date */
    fixed(p, micros, sizeof micros);
    fixed(p, micros, sizeof micros);
    fixed(p, micros, sizeof micros);
    fixed(p, intervals, sizeof intervals);
    fixed(p, decimals, sizeof decimals);
    fixed(p, "abcdefghi", 9);
    fixed(p, two_none_one, sizeof two_none_one); /* list, its items */
    node(p, 3, 0);
    buffer(p, NULL, 0);
    buffer(p, ints, sizeof ints);
    node(p, 3, 1); /* struct, x, y */
    buffer(p, &middle_null, 1);
    node(p, 3, 2);
    buffer(p, &first, 1);
    buffer(p, ones, sizeof ones);
    texts(p, letters, sizeof letters, "ac");
    fixed(p, two_none_one, sizeof two_none_one); /* map, its entries, keys, values */
    node(p, 3, 0);
    buffer(p, NULL, 0);
    node(p, 3, 0);
    buffer(p, NULL, 0);
    buffer(p, klm, sizeof klm);
    buffer(p, "klm", 3);
    node(p, 3, 1);
    buffer(p, &first_two, 1);
    buffer(p, values, sizeof values);
    fixed(p, indices, sizeof indices); /* dict */
}

static void write_written(arka_buf *out)
{
    static const arka_arrow_field item = {
        .name = ARKA_SLICE("item"), .type = ARKA_ARROW_INT32, .nullable = true};
    static const arka_arrow_field members[] = {
        {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_INT64, .nullable = true},
        {.name = ARKA_SLICE("y"), .type = ARKA_ARROW_UTF8, .nullable = true}};
    static const arka_arrow_field entry[] = {
        {.name = ARKA_SLICE("key"), .type = ARKA_ARROW_UTF8},
        {.name = ARKA_SLICE("value"), .type = ARKA_ARROW_INT64, .nullable = true}};
    static const arka_arrow_field entries = {.name = ARKA_SLICE("entries"),
                                             .type = ARKA_ARROW_STRUCT,
                                             .children = entry,
                                             .n_children = 2};
    static const arka_arrow_dictionary encoding = {.id = 4, .index = ARKA_ARROW_INT8};
    static const arka_arrow_pair tag = {ARKA_SLICE(ARKA_ARROW_TAG_KEY), ARKA_SLICE("1")};
    static const arka_arrow_pair table = {ARKA_SLICE("arka:table"), ARKA_SLICE("db.written")};
    static const char *const names[] = {"null",   "bool", "i8",     "i16", "i32",   "i64",  "u8",
                                        "u16",    "u32",  "u64",    "f32", "f64",   "utf8", "large",
                                        "binary", "date", "time",   "ts",  "ts_ns", "iv",   "dec",
                                        "fsb",    "list", "struct", "map", "dict"};
    static const arka_arrow_type types[] = {ARKA_ARROW_NULL,       ARKA_ARROW_BOOL,
                                            ARKA_ARROW_INT8,       ARKA_ARROW_INT16,
                                            ARKA_ARROW_INT32,      ARKA_ARROW_INT64,
                                            ARKA_ARROW_UINT8,      ARKA_ARROW_UINT16,
                                            ARKA_ARROW_UINT32,     ARKA_ARROW_UINT64,
                                            ARKA_ARROW_FLOAT32,    ARKA_ARROW_FLOAT64,
                                            ARKA_ARROW_UTF8,       ARKA_ARROW_LARGE_UTF8,
                                            ARKA_ARROW_BINARY,     ARKA_ARROW_DATE32,
                                            ARKA_ARROW_TIME64,     ARKA_ARROW_TIMESTAMP,
                                            ARKA_ARROW_TIMESTAMP,  ARKA_ARROW_INTERVAL,
                                            ARKA_ARROW_DECIMAL128, ARKA_ARROW_FIXED_SIZE_BINARY,
                                            ARKA_ARROW_LIST,       ARKA_ARROW_STRUCT,
                                            ARKA_ARROW_MAP,        ARKA_ARROW_UTF8};
    enum { N = sizeof types / sizeof *types };
    arka_arrow_field fields[N];
    for (int i = 0; i < N; i++)
        fields[i] = (arka_arrow_field){.name = arka_slice_of(names[i]),
                                       .type = types[i],
                                       .unit = ARKA_ARROW_MICRO,
                                       .precision = 10,
                                       .scale = 2,
                                       .byte_width = 3,
                                       .nullable = true};
    fields[0].nullable = false;
    fields[12].metadata = (arka_arrow_pairs){&tag, 1};
    fields[17].timezone = ARKA_SLICE("UTC");
    fields[18].unit = ARKA_ARROW_NANO;
    fields[22].children = &item;
    fields[23].children = members;
    fields[24].children = &entries;
    fields[22].n_children = fields[24].n_children = 1;
    fields[23].n_children = 2;
    fields[25].dictionary = &encoding;
    arka_ipc_write_schema(fields, N, (arka_arrow_pairs){&table, 1}, no_pairs, out);

    const int32_t offsets[] = {0, 1, 2};
    const arka_ipc_node of_dictionary = {2, 0};
    const arka_ipc_buffer values[] = {{NULL, 0}, {offsets, sizeof offsets}, {"ab", 2}};
    const arka_ipc_columns dictionary = {2, &of_dictionary, 1, values, 3};
    arka_ipc_write_dictionary(4, false, &dictionary, NULL, out);
    for (int i = 0; i < 2; i++) {
        parts p = {.empty = i == 1};
        list_values(&p);
        const arka_arrow_pair number = {ARKA_SLICE("number"),
                                        i == 0 ? ARKA_SLICE("0") : ARKA_SLICE("1")};
        const arka_ipc_options options = {.metadata = {&number, 1}};
        const arka_ipc_columns columns = {p.empty ? 0 : 3, p.nodes, p.n_nodes, p.buffers,
                                          p.n_buffers};
        arka_ipc_write_batch(&columns, &options, out);
    }
    arka_ipc_write_eos(out);
}

/* ARKA_GOLDEN_WRITE=1 writes the file; make_ipc.py --check then proves that it says what is meant.
 */
TEST(every_type_is_written_as_frozen)
{
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    write_written(&out);
    assert_false(out.failed);
    if (getenv("ARKA_GOLDEN_WRITE") != NULL) {
        FILE *f = fopen(ARKA_TESTS_DIR "/golden/ipc/written.arrows", "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(out.data, 1, out.len, f), out.len);
        assert_int_equal(fclose(f), 0);
    }
    size_t n;
    char *bytes = read_file("written.arrows", &n);
    assert_int_equal(n, out.len);
    assert_memory_equal(bytes, out.data, n);
    free(bytes);
}
