/* Streams cut and changed at every byte: an error that says where, or batches that hold together.
 */
#include "columnar/flatbuf.h"
#include "columnar/ipc.h"
#include "columnar/ipc_priv.h"
#include "kit/batches.h"

static const arka_arrow_pairs no_pairs = {NULL, 0};

/* Reads to the end or the first error; every batch must hold together. *n_rows: of good batches. */
static arka_status read_all(const char *bytes, size_t n, bool require_eos, int64_t *n_rows,
                            arka_error *err)
{
    const arka_ipc_limits limits = {.decoded_bytes = 1 << 20, .require_eos = require_eos};
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    *n_rows = 0;
    ARKA_TRY(arka_ipc_reader_new((arka_slice){bytes, n}, 0, &limits, &reader, err));
    for (;;) {
        ARKA_AUTO(arka_batch) batch = NULL;
        ARKA_TRY(arka_ipc_reader_next(reader, 0, &batch, err));
        const arka_ipc_message *m = arka_ipc_reader_message(reader);
        for (uint32_t i = 0; i < m->n_pairs; i++)
            assert_non_null(arka_ipc_message_pair(m, i).key.data);
        if (batch == NULL)
            return ARKA_OK;
        kit_check_batch(batch);
        *n_rows += batch->n_rows;
    }
}

/* From memory of exactly n bytes at an odd address: the sanitizer sees a read past them. */
static arka_status read_copy(const char *bytes, size_t n, size_t flip_at, uint8_t flip,
                             bool require_eos, int64_t *n_rows, arka_error *err)
{
    char *copy = malloc(n + 1);
    memcpy(copy + 1, bytes, n);
    if (flip != 0)
        copy[1 + flip_at] ^= (char)flip;
    arka_status status = read_all(copy + 1, n, require_eos, n_rows, err);
    if (status != ARKA_OK && status != ARKA_INPUT && status != ARKA_LIMIT)
        fail_msg("byte %zu: status %d, %s", flip_at, status, err->msg);
    assert_true(status == ARKA_OK || err->msg[0] != 0);
    free(copy);
    return status;
}

/* Frames: of which the last is the end mark. A cut exactly between two reads as a shorter stream.
 */
static void check_cuts(const char *bytes, size_t n, int n_frames)
{
    int between = 0;
    int64_t n_rows;
    for (size_t cut = 0; cut < n; cut++) {
        arka_error err = {0};
        assert_true(read_copy(bytes, cut, 0, 0, true, &n_rows, &err) != ARKA_OK);
        err = (arka_error){0};
        between += read_copy(bytes, cut, 0, 0, false, &n_rows, &err) == ARKA_OK;
    }
    assert_int_equal(between, n_frames - 1);
}

static void write_sample(arka_buf *out, int64_t n_rows, arka_ipc_codec codec)
{
    const arka_arrow_pair pair = {ARKA_SLICE("arka:lsn_first"), ARKA_SLICE("12")};
    const arka_ipc_options options = {codec, {&pair, 1}};
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(n_rows, 3);
    arka_ipc_write_arka_schema(batch, options.metadata, options.metadata, out);
    arka_ipc_write_arka_batch(batch, &options, out);
    arka_ipc_write_arka_batch(batch, &options, out);
    arka_ipc_write_eos(out);
}

TEST(cut_at_every_byte)
{
    for (int codec = 0; codec < 3; codec++) {
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        write_sample(&out, 20, (arka_ipc_codec)codec);
        check_cuts(out.data, out.len, 4);
    }
}

TEST(changed_at_every_bit)
{
    for (int codec = 0; codec < 3; codec++) {
        int64_t n_rows;
        int n_read = 0;
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        write_sample(&out, 10, (arka_ipc_codec)codec);
        for (size_t at = 0; at < out.len; at++)
            for (int bit = 0; bit < 8; bit++) {
                arka_error err = {0};
                n_read += read_copy(out.data, out.len, at, (uint8_t)(1 << bit), false, &n_rows,
                                    &err) == ARKA_OK;
            }
        /* values, names and padding may change without harm to the form; nearly all else not */
        assert_in_range(n_read, 1, out.len * 8 - 1000);
    }
}

static void check_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/golden/ipc/%s", ARKA_TESTS_DIR, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *bytes = malloc(1 << 20);
    size_t n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    int64_t n_rows;
    for (size_t at = 0; at < n; at++) {
        arka_error err = {0};
        uint8_t flip = (uint8_t)(1 + kit_random() % 255);
        ARKA_IGNORE(read_copy(bytes, n, at, flip, false, &n_rows, &err)); /* either is right */
        err = (arka_error){0};
        if (at % 7 == 0)
            assert_true(read_copy(bytes, at, 0, 0, true, &n_rows, &err) != ARKA_OK);
    }
    free(bytes);
}

TEST(streams_of_others_damaged_at_every_byte)
{
    check_file("plain.arrows");
    check_file("zstd.arrows");
    check_file("delta.arrows");
    check_file("nested.arrows");
    check_file("log.arrows");
}

TEST(random_bytes_are_no_stream)
{
    for (int i = 0; i < 20000; i++) {
        char bytes[256];
        int64_t n_rows;
        arka_error err = {0};
        size_t n = kit_random() % sizeof bytes;
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)kit_random();
        if (n >= 8 && i % 2 == 0) { /* past the first gate */
            const uint32_t prefix[2] = {UINT32_MAX, (uint32_t)(n - 8) & ~7u};
            memcpy(bytes, prefix, sizeof prefix);
        }
        assert_true(read_copy(bytes, n, 0, 0, true, &n_rows, &err) != ARKA_OK);
    }
}

TEST(what_is_wrong_is_named)
{
    arka_error err = {0};
    int64_t n_rows;
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(3, 0);
    ASSERT_FAILS(read_all("", 0, false, &n_rows, &err), ARKA_INPUT, "begins without a schema");
    ASSERT_FAILS(read_all("ARROW1\0\0", 8, false, &n_rows, &err), ARKA_INPUT,
                 "no Arrow message at byte 0: found 4f525241, expected ffffffff");
    ASSERT_FAILS(read_all("\xff\xff\xff\xff\x07\0\0\0", 8, false, &n_rows, &err), ARKA_INPUT,
                 "7 bytes of metadata, expected a multiple of 8");
    ASSERT_FAILS(read_all("\xff\xff\xff\xff\xf8\xff\xff\x7f", 8, false, &n_rows, &err), ARKA_LIMIT,
                 "2147483640 bytes of metadata");

    arka_ipc_write_arka_batch(batch, NULL, &out);
    ASSERT_FAILS(read_all(out.data, out.len, false, &n_rows, &err), ARKA_INPUT,
                 "begins without a schema");
    arka_buf_clear(&out);
    arka_ipc_write_arka_schema(batch, no_pairs, no_pairs, &out);
    size_t second = out.len;
    arka_ipc_write_arka_schema(batch, no_pairs, no_pairs, &out);
    char expected[100];
    snprintf(expected, sizeof expected, "Arrow message at byte %zu: a second schema", second);
    ASSERT_FAILS(read_all(out.data, out.len, false, &n_rows, &err), ARKA_INPUT, expected);
}

TEST(two_columns_of_one_name_are_refused)
{
    arka_error err = {0};
    int64_t n_rows;
    const int64_t values[1] = {1};
    const arka_arrow_field fields[] = {{.name = ARKA_SLICE("x"), .type = ARKA_ARROW_INT64},
                                       {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_INT64}};
    const arka_ipc_node nodes[] = {{1, 0}, {1, 0}};
    const arka_ipc_buffer buffers[] = {{NULL, 0}, {values, 8}, {NULL, 0}, {values, 8}};
    const arka_ipc_columns columns = {1, nodes, 2, buffers, 4};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    arka_ipc_write_schema(fields, 2, no_pairs, no_pairs, &out);
    arka_ipc_write_batch(&columns, NULL, &out);
    ASSERT_FAILS(read_all(out.data, out.len, false, &n_rows, &err), ARKA_INPUT, "'x'");
}

TEST(fewer_arrays_or_buffers_than_columns_are_refused)
{
    arka_error err = {0};
    int64_t n_rows;
    const int64_t values[1] = {1};
    const arka_arrow_field fields[] = {{.name = ARKA_SLICE("x"), .type = ARKA_ARROW_INT64},
                                       {.name = ARKA_SLICE("y"), .type = ARKA_ARROW_INT64}};
    const arka_ipc_node nodes[] = {{1, 0}, {2, 0}};
    const arka_ipc_buffer buffers[] = {{NULL, 0}, {values, 8}, {NULL, 0}, {values, 8}};
    static const struct {
        size_t n_nodes, n_buffers;
        const char *says;
    } cases[] = {
        {1, 4, "column 'y': 1 arrays are fewer than the schema has"},
        {2, 4, "column 'y': an array of 2 rows in a batch of 1"},
        {2, 1, "column 'x': 1 buffers are fewer than the schema needs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const arka_ipc_columns columns = {1, nodes, cases[i].n_nodes, buffers, cases[i].n_buffers};
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        arka_ipc_write_schema(fields, 2, no_pairs, no_pairs, &out);
        arka_ipc_write_batch(&columns, NULL, &out);
        ASSERT_FAILS(read_all(out.data, out.len, false, &n_rows, &err), ARKA_INPUT, cases[i].says);
    }
}

TEST(buffers_outside_of_the_body_are_refused)
{
    arka_error err = {0};
    int64_t n_rows;
    const arka_arrow_field field = {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_INT64};
    const arka_ipc_node node = {1, 0};
    const arka_ipc_range wrong[] = {{8, 8},        {-8, 8}, {0, 16}, {0, -8}, {INT64_MAX - 7, 8},
                                    {8, INT64_MAX}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const arka_ipc_range ranges[] = {{0, 0}, wrong[i]};
        const arka_ipc_layout layout = {1, &node, 1, ranges, 2, 8};
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
        arka_ipc_batch_header(&layout, NULL, &out);
        arka_buf_append(&out, "12345678", 8);
        ASSERT_FAILS(read_all(out.data, out.len, false, &n_rows, &err), ARKA_INPUT,
                     "of a body of 8");
    }
}

/* n rows without a byte of body: columns of type Null, or none at all. */
TEST(rows_out_of_nothing_are_limited)
{
    const arka_arrow_field field = {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_NULL};
    for (int n_fields = 0; n_fields < 2; n_fields++) {
        for (int64_t n = 100; n < INT64_MAX / 1000; n *= 1000) {
            arka_error err = {0};
            int64_t n_rows;
            const arka_ipc_node node = {n, n};
            const arka_ipc_layout layout = {n, &node, (size_t)n_fields, NULL, 0, 0};
            ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
            arka_ipc_write_schema(&field, n_fields, no_pairs, no_pairs, &out);
            arka_ipc_batch_header(&layout, NULL, &out);
            if (n <= (1 << 20) / 8)
                ASSERT_OK(read_all(out.data, out.len, false, &n_rows, &err));
            else
                ASSERT_FAILS(read_all(out.data, out.len, false, &n_rows, &err), ARKA_LIMIT,
                             "pass the limit of 1048576 decoded bytes");
        }
    }
}

/* A schema message by hand: `depth` structs in each other, or `width` references to the next one.
 */
static void write_chain(arka_buf *out, int depth, size_t width)
{
    arka_flatbuf_shape message = {0}, schema = {0};
    arka_buf_append(out, "\xff\xff\xff\xff\0\0\0\0", 8);
    arka_flatbuf_writer w = arka_flatbuf__begin(out);
    arka_flatbuf__slot(&message, MESSAGE_VERSION, 2, ARKA_FBS_V5);
    arka_flatbuf__slot(&message, MESSAGE_KIND, 1, ARKA_FBS_SCHEMA);
    arka_flatbuf__ref(&message, MESSAGE_HEADER);
    arka_flatbuf__point(&w, 0, arka_flatbuf__table(&w, &message));
    arka_flatbuf__ref(&schema, 1);
    arka_flatbuf__point(&w, message.at[MESSAGE_HEADER], arka_flatbuf__table(&w, &schema));
    size_t from = schema.at[1];
    for (int i = 0; i < depth; i++) {
        arka_flatbuf_shape field = {0}, type = {0};
        size_t items = arka_flatbuf__vector(&w, width, 4, 4);
        arka_flatbuf__point(&w, from, items);
        arka_flatbuf__slot(&field, 2, 1, 13); /* Struct_ */
        arka_flatbuf__ref(&field, 3);
        if (i + 1 < depth)
            arka_flatbuf__ref(&field, 5);
        size_t at = arka_flatbuf__table(&w, &field);
        for (size_t k = 0; k < width; k++)
            arka_flatbuf__point(&w, items + 4 + 4 * k, at);
        arka_flatbuf__point(&w, field.at[3], arka_flatbuf__table(&w, &type));
        from = field.at[5];
    }
    arka_buf_pad(out, 8);
    const int32_t n = (int32_t)out->len - 8;
    memcpy(out->data + 4, &n, 4);
}

TEST(schemas_that_nest_or_multiply_are_refused)
{
    static const struct {
        int depth;
        size_t width;
        arka_status status;
        const char *says;
    } cases[] = {
        {64, 1, ARKA_OK, ""},
        {65, 1, ARKA_INPUT, "nests deeper than 64"},
        {5000, 1, ARKA_INPUT, "nests deeper than 64"},
        {60, 2, ARKA_LIMIT, "more than 4096 columns"},
        {1, 20000, ARKA_LIMIT, "more than 4096 columns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arka_error err = {0};
        int64_t n_rows;
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        write_chain(&out, cases[i].depth, cases[i].width);
        ASSERT_FAILS(read_all(out.data, out.len, false, &n_rows, &err), cases[i].status,
                     cases[i].says);
    }
}

TEST(a_bomb_is_stopped_before_it_goes_off)
{
    const int64_t claims[] = {INT64_MAX, 1 << 21, -2, 25};
    const char *const says[] = {"limit on decoded bytes", "limit on decoded bytes",
                                "says it holds -2 bytes", "column 'x': zstd: "};
    const arka_arrow_field field = {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_INT64};
    const arka_ipc_node node = {3, 0};
    const arka_ipc_options options = {.codec = ARKA_IPC_ZSTD};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        arka_error err = {0};
        int64_t n_rows;
        const arka_ipc_range ranges[] = {{0, 0}, {0, 16}};
        const arka_ipc_layout layout = {3, &node, 1, ranges, 2, 16};
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
        arka_ipc_batch_header(&layout, &options, &out);
        arka_buf_append(&out, &claims[i], 8);
        arka_buf_append(&out, "\x28\xb5\x2f\xfd\0\0\0\0", 8);
        ASSERT_FAILS(read_all(out.data, out.len, false, &n_rows, &err),
                     i < 2 ? ARKA_LIMIT : ARKA_INPUT, says[i]);
    }
}
