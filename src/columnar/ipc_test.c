#include "columnar/ipc.h"

#include "kit/batches.h"

static arka_slice slice_of(const arka_buf *buf)
{
    return (arka_slice){buf->data, buf->len};
}

static const arka_arrow_pairs no_pairs = {NULL, 0};

/* Schema, the batch `times` times, end mark. */
static void write_stream(arka_buf *out, const arka_batch *batch, int times, arka_ipc_codec codec)
{
    arka_ipc_options options = {.codec = codec};
    arka_ipc_write_arka_schema(batch, no_pairs, no_pairs, out);
    for (int i = 0; i < times; i++)
        arka_ipc_write_arka_batch(batch, &options, out);
    arka_ipc_write_eos(out);
    assert_false(out->failed);
    assert_int_equal(out->len % 8, 0);
}

static void check_round_trip(int64_t n, int64_t null_each, arka_ipc_codec codec)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(n, null_each);
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    write_stream(&out, batch, 3, codec);
    ASSERT_OK(arka_ipc_reader_new(slice_of(&out), 0, NULL, &reader, &err));
    for (int i = 0; i < 4; i++) {
        ARKA_AUTO(arka_batch) back = NULL;
        ASSERT_OK(arka_ipc_reader_next(reader, 0, &back, &err));
        assert_int_equal(back != NULL, i < 3);
        if (back != NULL) {
            kit_check_batch(back);
            kit_assert_batches_equal(batch, back);
        }
    }
    assert_int_equal(arka_ipc_reader_offset(reader), out.len);
}

TEST(batches_come_back_as_they_were)
{
    const int64_t sizes[] = {1, 7, 8, 9, 63, 64, 65, 1000, 4097};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int64_t null_each = 0; null_each < 4; null_each++)
            check_round_trip(sizes[i], null_each, ARKA_IPC_PLAIN);
}

TEST(compressed_batches_come_back_as_they_were)
{
    const int64_t sizes[] = {1, 64, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int64_t null_each = 0; null_each < 4; null_each += 3) {
            check_round_trip(sizes[i], null_each, ARKA_IPC_ZSTD);
            check_round_trip(sizes[i], null_each, ARKA_IPC_LZ4_FRAME);
        }
}

TEST(compression_makes_it_smaller)
{
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(5000, 0);
    size_t len[3];
    for (int codec = 0; codec < 3; codec++) {
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        write_stream(&out, batch, 1, (arka_ipc_codec)codec);
        len[codec] = out.len;
    }
    assert_true(len[ARKA_IPC_LZ4_FRAME] < len[ARKA_IPC_PLAIN]);
    assert_true(len[ARKA_IPC_ZSTD] < len[ARKA_IPC_PLAIN] * 2 / 3);
}

TEST(body_is_the_batch_s_own_bytes)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(100, 3);
    ARKA_AUTO_VALUE(arka_buf) header = ARKA_BUF_INIT;
    ARKA_AUTO_VALUE(arka_buf) whole = ARKA_BUF_INIT;
    arka_ipc_message m;
    arka_ipc_arka_batch_header(batch, no_pairs, &header);
    arka_ipc_write_arka_batch(batch, NULL, &whole);
    assert_int_equal(header.len % 8, 0);
    assert_int_equal(whole.len, header.len + batch->body_bytes);
    assert_memory_equal(whole.data, header.data, header.len);
    assert_memory_equal(whole.data + header.len, batch->body, batch->body_bytes);
    ASSERT_OK(arka_ipc_message_read(slice_of(&whole), 0, NULL, &m, &err));
    assert_int_equal(m.kind, ARKA_IPC_BATCH);
    assert_int_equal(m.frame_bytes, whole.len);
    assert_int_equal(m.body.len, batch->body_bytes);
    assert_true(m.body.data == whole.data + header.len);
}

/* The three ways to say the same batch give the same bytes. */
TEST(header_of_a_layout_and_list_of_buffers_agree)
{
    static const int64_t values[3] = {7, 8, 9};
    static const char text[8] = "abc";
    static const int32_t offsets[4] = {0, 1, 1, 3};
    const uint8_t validity = 5;
    const arka_ipc_node nodes[] = {{3, 0}, {3, 1}};
    const arka_ipc_buffer buffers[] = {
        {NULL, 0}, {values, 24}, {&validity, 1}, {offsets, 16}, {text, 3}};
    const arka_ipc_range ranges[] = {{0, 0}, {0, 24}, {24, 1}, {32, 16}, {48, 3}};
    const arka_arrow_pair pairs[] = {{ARKA_SLICE("k"), ARKA_SLICE("v")},
                                     {ARKA_SLICE("crc"), ARKA_SLICE("0000")}};
    arka_ipc_options options = {.metadata = {pairs, 2}};
    arka_ipc_columns columns = {3, nodes, 2, buffers, 5};
    arka_ipc_layout layout = {3, nodes, 2, ranges, 5, 56};
    ARKA_AUTO_VALUE(arka_buf) whole = ARKA_BUF_INIT;
    ARKA_AUTO_VALUE(arka_buf) header = ARKA_BUF_INIT;
    size_t crc = arka_ipc_write_batch(&columns, &options, &whole);
    assert_int_equal(arka_ipc_batch_header(&layout, &options, &header), crc);
    assert_int_equal(whole.len, header.len + 56);
    assert_memory_equal(whole.data, header.data, header.len);
    assert_memory_equal(whole.data + header.len + 48, "abc\0\0\0\0\0", 8);
    assert_memory_equal(whole.data + crc, "0000", 5);
}

TEST(message_metadata_is_found_and_can_be_patched)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(2, 0);
    const arka_arrow_pair pairs[] = {{ARKA_SLICE("arka:lsn_first"), ARKA_SLICE("7")},
                                     {ARKA_SLICE("empty"), ARKA_SLICE("")},
                                     {ARKA_SLICE("arka:crc"), ARKA_SLICE("0000000000000000")}};
    const arka_arrow_pairs all = {pairs, 3};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    arka_ipc_message m;
    arka_buf_text(&out, "prefix.."); /* offsets are in out->data, wherever the message begins */
    size_t in_schema = arka_ipc_write_arka_schema(batch, no_pairs, all, &out);
    size_t at = out.len;
    size_t in_batch = arka_ipc_arka_batch_header(batch, all, &out);
    arka_buf_append(&out, batch->body, batch->body_bytes);
    memcpy(out.data + in_schema, "schema", 6);
    memcpy(out.data + in_batch, "batch!", 6);

    ASSERT_OK(arka_ipc_message_read(slice_of(&out), 8, NULL, &m, &err));
    assert_int_equal(m.kind, ARKA_IPC_SCHEMA);
    assert_true(arka_slice_eq(arka_ipc_message_find(&m, ARKA_SLICE("arka:crc")),
                              ARKA_SLICE("schema0000000000")));
    ASSERT_OK(arka_ipc_message_read(slice_of(&out), at, NULL, &m, &err));
    assert_int_equal(m.n_pairs, 3);
    assert_true(arka_slice_eq(arka_ipc_message_pair(&m, 0).key, ARKA_SLICE("arka:lsn_first")));
    assert_true(
        arka_slice_eq(arka_ipc_message_find(&m, ARKA_SLICE("arka:lsn_first")), ARKA_SLICE("7")));
    assert_non_null(arka_ipc_message_find(&m, ARKA_SLICE("empty")).data);
    assert_null(arka_ipc_message_find(&m, ARKA_SLICE("absent")).data);
    arka_slice crc = arka_ipc_message_find(&m, ARKA_SLICE("arka:crc"));
    assert_true(arka_slice_eq(crc, ARKA_SLICE("batch!0000000000")));
    assert_true(crc.data == out.data + in_batch);
}

TEST(no_metadata_gives_no_place)
{
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(2, 0);
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    assert_int_equal(arka_ipc_write_arka_schema(batch, no_pairs, no_pairs, &out), 0);
    assert_int_equal(arka_ipc_arka_batch_header(batch, no_pairs, &out), 0);
}

TEST(streams_follow_each_other)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) one = kit_sample_batch(3, 0);
    ARKA_AUTO(arka_batch) two = kit_sample_batch(5, 2);
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    write_stream(&out, one, 1, ARKA_IPC_PLAIN);
    write_stream(&out, two, 1, ARKA_IPC_PLAIN);
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        ARKA_AUTO(arka_ipc_reader) reader = NULL;
        ARKA_AUTO(arka_batch) back = NULL;
        ARKA_AUTO(arka_batch) none = NULL;
        ASSERT_OK(arka_ipc_reader_new(slice_of(&out), at, NULL, &reader, &err));
        ASSERT_OK(arka_ipc_reader_next(reader, 0, &back, &err));
        kit_assert_batches_equal(i == 0 ? one : two, back);
        ASSERT_OK(arka_ipc_reader_next(reader, 0, &none, &err));
        assert_null(none);
        at = arka_ipc_reader_offset(reader);
    }
    assert_int_equal(at, out.len);
}

/* A stream of one column "x" of `type`, in whose body `values` stand. */
static void write_column(arka_buf *out, const arka_arrow_field *field, int64_t n,
                         const uint8_t *validity, int64_t n_nulls, const void *values,
                         size_t n_values, const char *bytes)
{
    arka_ipc_node node = {n, n_nulls};
    arka_ipc_buffer buffers[] = {{validity, validity == NULL ? 0 : (n + 7) / 8},
                                 {values, (int64_t)n_values},
                                 {bytes, bytes == NULL ? 0 : (int64_t)strlen(bytes)}};
    arka_ipc_columns columns = {n, &node, 1, buffers, (size_t)arka_arrow_n_buffers(field)};
    arka_ipc_write_schema(field, 1, no_pairs, no_pairs, out);
    arka_ipc_write_batch(&columns, NULL, out);
    arka_ipc_write_eos(out);
}

static arka_status read_one(const arka_buf *stream, const arka_ipc_limits *limits, arka_batch **out,
                            arka_error *err)
{
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    ARKA_TRY(arka_ipc_reader_new(slice_of(stream), 0, limits, &reader, err));
    return arka_ipc_reader_next(reader, 42, out, err);
}

TEST(unsigned_numbers_over_the_top_are_refused_by_row)
{
    arka_error err = {0};
    const uint64_t values[] = {1, UINT64_MAX, (uint64_t)INT64_MAX + 1};
    const arka_arrow_field field = {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_UINT64};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = NULL;
    write_column(&out, &field, 3, NULL, 0, values, sizeof values, NULL);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT,
                 "column 'x', row 1: an unsigned number over 9223372036854775807");

    const uint8_t only_first = 1; /* under a null anything may stand */
    arka_buf_clear(&out);
    write_column(&out, &field, 3, &only_first, 2, values, sizeof values, NULL);
    ASSERT_OK(read_one(&out, NULL, &batch, &err));
    assert_int_equal(batch->columns[0].n_nulls, 2);
    assert_int_equal(arka_column_i64(&batch->columns[0])[0], 1);
    assert_int_equal(arka_column_i64(&batch->columns[0])[1], 0);
    assert_int_equal(batch->time_min, 42);
}

TEST(times_are_floored_and_their_range_is_checked)
{
    arka_error err = {0};
    const int64_t nanos[] = {-1, -1000, 999, 1999};
    const int64_t floored[] = {-1, -1, 0, 1};
    const int64_t seconds[] = {0, INT64_MAX / 1000000, INT64_MAX / 1000000 + 1, 0};
    const int32_t days[] = {INT32_MAX};
    arka_arrow_field field = {
        .name = ARKA_SLICE("time"), .type = ARKA_ARROW_TIMESTAMP, .unit = ARKA_ARROW_NANO};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = NULL;
    write_column(&out, &field, 4, NULL, 0, nanos, sizeof nanos, NULL);
    ASSERT_OK(read_one(&out, NULL, &batch, &err));
    assert_memory_equal(batch->columns[0].values, floored, sizeof floored);

    arka_buf_clear(&out);
    field.unit = ARKA_ARROW_SECOND;
    write_column(&out, &field, 4, NULL, 0, seconds, sizeof seconds, NULL);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT, "column 'time', row 2: the time");

    arka_buf_clear(&out);
    field.type = ARKA_ARROW_DATE32;
    write_column(&out, &field, 1, NULL, 0, days, sizeof days, NULL);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT, "column 'time', row 0: the time");
}

TEST(text_is_checked_as_utf8_row_by_row)
{
    arka_error err = {0};
    /* é cut between two rows: the bytes are UTF-8 as a whole, the rows are not */
    const int32_t offsets[] = {0, 1, 3};
    const int32_t good[] = {0, 2, 3};
    const arka_arrow_field field = {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_BINARY};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = NULL;
    write_column(&out, &field, 2, NULL, 0, offsets, sizeof offsets, "\xc3\xa9z");
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT, "row 0: the text is not UTF-8");
    arka_buf_clear(&out);
    write_column(&out, &field, 2, NULL, 0, good, sizeof good, "\xc3\xa9z");
    ASSERT_OK(read_one(&out, NULL, &batch, &err));
    assert_true(arka_slice_eq(arka_column_text(&batch->columns[0], 0), ARKA_SLICE("\xc3\xa9")));
}

TEST(bytes_under_a_null_text_are_left_out)
{
    arka_error err = {0};
    const int32_t offsets[] = {1, 2, 4, 6};
    const uint8_t validity = 5;
    const arka_arrow_field field = {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_UTF8};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = NULL;
    write_column(&out, &field, 3, &validity, 1, offsets, sizeof offsets,
                 "?a\xff\xff"
                 "bc");
    ASSERT_OK(read_one(&out, NULL, &batch, &err));
    kit_check_batch(batch);
    assert_true(arka_slice_eq(arka_column_text(&batch->columns[0], 0), ARKA_SLICE("a")));
    assert_true(arka_slice_eq(arka_column_text(&batch->columns[0], 2), ARKA_SLICE("bc")));
}

TEST(offsets_must_ascend_inside_the_bytes)
{
    static const struct {
        int32_t offsets[3];
        const char *says;
    } cases[] = {
        {{0, 3, 2}, "row 1: the text ends before it begins"},
        {{-1, 0, 2}, "row 0: the text begins before the buffer"},
        {{0, 1, 4}, "texts end at byte 4, the buffer has 3 bytes"},
    };
    const arka_arrow_field field = {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_UTF8};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arka_error err = {0};
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        ARKA_AUTO(arka_batch) batch = NULL;
        write_column(&out, &field, 2, NULL, 0, cases[i].offsets, 12, "abc");
        ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT, cases[i].says);
    }
}

TEST(short_buffers_and_missing_validity_are_named)
{
    arka_error err = {0};
    const int64_t values[2] = {1, 2};
    const arka_arrow_field field = {.name = ARKA_SLICE("x"), .type = ARKA_ARROW_INT64};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = NULL;
    write_column(&out, &field, 3, NULL, 0, values, sizeof values, NULL);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT,
                 "column 'x': the values buffer has 16 bytes, 3 rows of Int64 need 24");
    arka_buf_clear(&out);
    write_column(&out, &field, 2, NULL, 1, values, sizeof values, NULL);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT,
                 "column 'x': 1 nulls without a validity buffer");
}

TEST(types_without_a_column_are_refused_by_name)
{
    arka_error err = {0};
    const uint8_t values[32] = {0};
    const arka_arrow_field field = {
        .name = ARKA_SLICE("x"), .type = ARKA_ARROW_DECIMAL128, .precision = 10, .scale = 2};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = NULL;
    write_column(&out, &field, 2, NULL, 0, values, sizeof values, NULL);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT,
                 "column 'x' has the Arrow type Decimal128, which no column of Arc can hold");
}

TEST(limits_hold)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(1000, 0);
    ARKA_AUTO(arka_batch) back = NULL;
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    write_stream(&out, batch, 1, ARKA_IPC_ZSTD);
    arka_ipc_limits limits = {.columns = 5};
    ASSERT_FAILS(read_one(&out, &limits, &back, &err), ARKA_LIMIT, "more than 5 columns");
    limits = (arka_ipc_limits){.metadata_bytes = 64};
    ASSERT_FAILS(read_one(&out, &limits, &back, &err), ARKA_LIMIT, "at most 64 are allowed");
    limits = (arka_ipc_limits){.decoded_bytes = 7999};
    ASSERT_FAILS(read_one(&out, &limits, &back, &err), ARKA_LIMIT, "1000 rows pass the limit");
    limits = (arka_ipc_limits){.decoded_bytes = 20000};
    ASSERT_FAILS(read_one(&out, &limits, &back, &err), ARKA_LIMIT, "limit on decoded bytes");
    limits = (arka_ipc_limits){.decoded_bytes = 200000};
    ASSERT_OK(read_one(&out, &limits, &back, &err));
}

TEST(a_stream_without_its_end_mark_is_refused_on_request)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(3, 0);
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    write_stream(&out, batch, 1, ARKA_IPC_PLAIN);
    out.len -= 8;
    for (int strict = 0; strict < 2; strict++) {
        arka_ipc_limits limits = {.require_eos = strict};
        ARKA_AUTO(arka_ipc_reader) reader = NULL;
        ARKA_AUTO(arka_batch) first = NULL;
        ARKA_AUTO(arka_batch) second = NULL;
        ASSERT_OK(arka_ipc_reader_new(slice_of(&out), 0, &limits, &reader, &err));
        ASSERT_OK(arka_ipc_reader_next(reader, 0, &first, &err));
        if (strict)
            ASSERT_FAILS(arka_ipc_reader_next(reader, 0, &second, &err), ARKA_INPUT,
                         "without its end mark");
        else
            ASSERT_OK(arka_ipc_reader_next(reader, 0, &second, &err));
        assert_null(second);
    }
}

/* --- dictionaries -------------------------------------------------------------------------------
 */

static void put_dictionary(arka_buf *out, bool delta, int64_t n, const int32_t *offsets,
                           const char *bytes, arka_ipc_codec codec)
{
    arka_ipc_node node = {n, 0};
    arka_ipc_buffer buffers[] = {
        {NULL, 0}, {offsets, (n + 1) * 4}, {bytes, (int64_t)strlen(bytes)}};
    arka_ipc_columns columns = {n, &node, 1, buffers, 3};
    arka_ipc_options options = {.codec = codec};
    arka_ipc_write_dictionary(9, delta, &columns, &options, out);
}

static void put_indices(arka_buf *out, const int8_t *indices, int64_t n)
{
    arka_ipc_node node = {n, 0};
    arka_ipc_buffer buffers[] = {{NULL, 0}, {indices, n}};
    arka_ipc_columns columns = {n, &node, 1, buffers, 2};
    arka_ipc_write_batch(&columns, NULL, out);
}

static void expect_texts(arka_ipc_reader *reader, const char *const *texts, int64_t n)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = NULL;
    ASSERT_OK(arka_ipc_reader_next(reader, 0, &batch, &err));
    assert_int_equal(batch->n_rows, n);
    for (int64_t i = 0; i < n; i++)
        assert_true(
            arka_slice_eq(arka_column_text(&batch->columns[0], i), arka_slice_of(texts[i])));
}

TEST(dictionaries_grow_and_are_replaced)
{
    const arka_arrow_dictionary encoding = {.id = 9, .index = ARKA_ARROW_INT8};
    const arka_arrow_field field = {
        .name = ARKA_SLICE("d"), .type = ARKA_ARROW_UTF8, .dictionary = &encoding};
    const int32_t ab[] = {0, 1, 2}, ccc[] = {0, 3}, xyzz[] = {0, 2, 4};
    const int8_t first[] = {1, 0, 1}, second[] = {2, 0}, third[] = {1, 0}, wrong[] = {0, 2};
    for (int codec = 0; codec < 3; codec++) {
        arka_error err = {0};
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        ARKA_AUTO(arka_ipc_reader) reader = NULL;
        ARKA_AUTO(arka_batch) none = NULL;
        arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
        put_dictionary(&out, false, 2, ab, "ab", (arka_ipc_codec)codec);
        put_indices(&out, first, 3);
        put_dictionary(&out, true, 1, ccc, "ccc", (arka_ipc_codec)codec);
        put_indices(&out, second, 2);
        put_dictionary(&out, false, 2, xyzz, "xyzz", (arka_ipc_codec)codec);
        put_indices(&out, third, 2);
        put_indices(&out, wrong, 2);
        ASSERT_OK(arka_ipc_reader_new(slice_of(&out), 0, NULL, &reader, &err));
        expect_texts(reader, (const char *[]){"b", "a", "b"}, 3);
        expect_texts(reader, (const char *[]){"ccc", "a"}, 2);
        expect_texts(reader, (const char *[]){"zz", "xy"}, 2);
        ASSERT_FAILS(arka_ipc_reader_next(reader, 0, &none, &err), ARKA_INPUT,
                     "column 'd', row 1: index 2 into a dictionary of 2 values");
    }
}

TEST(null_values_of_a_dictionary_are_null_rows)
{
    const arka_arrow_dictionary encoding = {.id = 9, .index = ARKA_ARROW_INT8};
    const arka_arrow_field field = {
        .name = ARKA_SLICE("d"), .type = ARKA_ARROW_UTF8, .dictionary = &encoding};
    const int32_t offsets[] = {0, 1, 1, 1};
    const uint8_t validity = 5;
    const int8_t indices[] = {2, 1, 0};
    const arka_ipc_node node = {3, 1};
    const arka_ipc_buffer buffers[] = {{&validity, 1}, {offsets, sizeof offsets}, {"a", 1}};
    const arka_ipc_columns values = {3, &node, 1, buffers, 3};
    arka_error err = {0};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = NULL;
    arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
    arka_ipc_write_dictionary(9, false, &values, NULL, &out);
    put_indices(&out, indices, 3);
    ASSERT_OK(read_one(&out, NULL, &batch, &err));
    kit_check_batch(batch);
    assert_int_equal(batch->columns[0].n_nulls, 1);
    assert_false(arka_column_is_null(&batch->columns[0], 0)); /* empty is not null */
    assert_true(arka_column_is_null(&batch->columns[0], 1));
    assert_true(arka_slice_eq(arka_column_text(&batch->columns[0], 2), ARKA_SLICE("a")));
}

TEST(dictionaries_that_cannot_be_read_are_refused)
{
    const arka_arrow_dictionary encoding = {.id = 9, .index = ARKA_ARROW_INT8};
    const arka_arrow_dictionary other = {.id = 10, .index = ARKA_ARROW_INT8};
    arka_arrow_field field = {
        .name = ARKA_SLICE("d"), .type = ARKA_ARROW_INT64, .dictionary = &encoding};
    const int32_t ab[] = {0, 1, 2};
    const int8_t indices[] = {0};
    arka_error err = {0};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_batch) batch = NULL;
    arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
    put_dictionary(&out, false, 2, ab, "ab", ARKA_IPC_PLAIN);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT,
                 "column 'd': a dictionary of Int64 values, only texts are read");
    field.type = ARKA_ARROW_UTF8;
    field.dictionary = &other;
    arka_buf_clear(&out);
    arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
    put_dictionary(&out, false, 2, ab, "ab", ARKA_IPC_PLAIN);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT, "no column uses dictionary 9");
    arka_buf_clear(&out);
    arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
    put_indices(&out, indices, 1);
    ASSERT_FAILS(read_one(&out, NULL, &batch, &err), ARKA_INPUT,
                 "column 'd', row 0: index 0 into a dictionary of 0 values");
}

TEST(many_small_dictionaries_do_not_use_the_limit_up)
{
    const arka_arrow_dictionary encoding = {.id = 9, .index = ARKA_ARROW_INT8};
    const arka_arrow_field field = {
        .name = ARKA_SLICE("d"), .type = ARKA_ARROW_UTF8, .dictionary = &encoding};
    const int32_t ab[] = {0, 1, 2};
    const int8_t indices[] = {1};
    arka_error err = {0};
    arka_ipc_limits limits = {.decoded_bytes = 100};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    ARKA_AUTO(arka_batch) none = NULL;
    arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
    for (int i = 0; i < 100; i++) {
        put_dictionary(&out, false, 2, ab, "ab", ARKA_IPC_ZSTD);
        put_indices(&out, indices, 1);
    }
    for (int i = 0; i < 10; i++)
        put_dictionary(&out, true, 2, ab, "ab", ARKA_IPC_ZSTD);
    ASSERT_OK(arka_ipc_reader_new(slice_of(&out), 0, &limits, &reader, &err));
    for (int i = 0; i < 100; i++)
        expect_texts(reader, (const char *[]){"b"}, 1);
    ASSERT_FAILS(arka_ipc_reader_next(reader, 0, &none, &err), ARKA_LIMIT, "decoded bytes");
}

/* --- schemas ------------------------------------------------------------------------------------
 */

TEST(schema_metadata_comes_back)
{
    arka_error err = {0};
    const arka_arrow_pair of_field[] = {{ARKA_SLICE("PARQUET:field_id"), ARKA_SLICE("3")}};
    const arka_arrow_pair of_schema[] = {{ARKA_SLICE("arka:table"), ARKA_SLICE("db.t")},
                                         {ARKA_SLICE(""), ARKA_SLICE("")}};
    const arka_arrow_field fields[] = {
        {.name = ARKA_SLICE("a"), .type = ARKA_ARROW_INT16, .metadata = {of_field, 1}},
        {.name = ARKA_SLICE(""),
         .type = ARKA_ARROW_TIME64,
         .unit = ARKA_ARROW_NANO,
         .nullable = true}};
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    int n;
    arka_ipc_write_schema(fields, 2, (arka_arrow_pairs){of_schema, 2}, no_pairs, &out);
    ASSERT_OK(arka_ipc_reader_new(slice_of(&out), 0, NULL, &reader, &err));
    arka_arrow_pairs pairs = arka_ipc_reader_metadata(reader);
    assert_int_equal(pairs.n, 2);
    assert_true(
        arka_slice_eq(arka_arrow_pairs_find(pairs, ARKA_SLICE("arka:table")), ARKA_SLICE("db.t")));
    const arka_arrow_field *back = arka_ipc_reader_fields(reader, &n);
    assert_int_equal(n, 2);
    assert_int_equal(back[0].type, ARKA_ARROW_INT16);
    assert_false(back[0].nullable);
    assert_true(arka_slice_eq(back[0].metadata.items[0].value, ARKA_SLICE("3")));
    assert_int_equal(back[1].type, ARKA_ARROW_TIME64);
    assert_int_equal(back[1].unit, ARKA_ARROW_NANO);
    assert_int_equal(back[1].name.len, 0);
    assert_true(back[1].nullable);
}

TEST(fields_nest_to_the_limit_and_all_are_counted)
{
    arka_error err = {0};
    arka_arrow_field fields[ARKA_ARROW_MAX_DEPTH];
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    for (int i = 0; i < ARKA_ARROW_MAX_DEPTH; i++)
        fields[i] = (arka_arrow_field){.name = ARKA_SLICE("l"), .type = ARKA_ARROW_STRUCT};
    for (int i = 0; i + 1 < ARKA_ARROW_MAX_DEPTH; i++) {
        fields[i].children = &fields[i + 1];
        fields[i].n_children = 1;
    }
    arka_ipc_write_schema(fields, 1, no_pairs, no_pairs, &out);
    ASSERT_OK(arka_ipc_reader_new(slice_of(&out), 0, NULL, &reader, &err));
    const arka_ipc_limits narrow = {.columns = ARKA_ARROW_MAX_DEPTH - 1};
    ARKA_AUTO(arka_ipc_reader) none = NULL;
    ASSERT_FAILS(arka_ipc_reader_new(slice_of(&out), 0, &narrow, &none, &err), ARKA_LIMIT,
                 "more than 63 columns");
}

/* --- out of memory ------------------------------------------------------------------------------
 */

static arka_status read_through(const arka_buf *stream, int *n_batches, arka_error *err)
{
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    *n_batches = 0;
    ARKA_TRY(arka_ipc_reader_new(slice_of(stream), 0, NULL, &reader, err));
    for (;;) {
        ARKA_AUTO(arka_batch) batch = NULL;
        ARKA_TRY(arka_ipc_reader_next(reader, 0, &batch, err));
        if (batch == NULL)
            return ARKA_OK;
        ++*n_batches;
    }
}

/* Fails the n-th allocation of reading, n = 1, 2, 3 …, until the reading succeeds. */
static void sweep_reading(const arka_buf *stream, int expected)
{
    for (int for_good = 0; for_good < 2; for_good++) {
        for (long n = 1;; n++) {
            arka_error err = {0};
            int n_batches;
            kit_fail_allocation(n, for_good);
            arka_status status = read_through(stream, &n_batches, &err);
            kit_fail_allocation(0, false);
            if (status == ARKA_OK) {
                assert_int_equal(n_batches, expected);
                assert_true(n > 5);
                break;
            }
            assert_int_equal(status, ARKA_NOMEM);
            assert_non_null(strstr(err.msg, "out of memory"));
        }
    }
}

TEST(reading_survives_every_failed_allocation)
{
    const arka_arrow_dictionary encoding = {.id = 9, .index = ARKA_ARROW_INT8};
    const arka_arrow_field field = {
        .name = ARKA_SLICE("d"), .type = ARKA_ARROW_UTF8, .dictionary = &encoding};
    const int32_t ab[] = {0, 1, 2};
    const int8_t indices[] = {1};
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(1000, 3);
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    write_stream(&out, batch, 2, ARKA_IPC_ZSTD);
    sweep_reading(&out, 2);
    arka_buf_clear(&out);
    write_stream(&out, batch, 2, ARKA_IPC_LZ4_FRAME);
    sweep_reading(&out, 2);
    arka_buf_clear(&out);
    arka_ipc_write_schema(&field, 1, no_pairs, no_pairs, &out);
    put_dictionary(&out, false, 2, ab, "ab", ARKA_IPC_ZSTD);
    put_indices(&out, indices, 1);
    sweep_reading(&out, 1);
}

TEST(writing_remembers_every_failed_allocation)
{
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(100, 3);
    for (int codec = 0; codec < 3; codec++) {
        ARKA_AUTO_VALUE(arka_buf) good = ARKA_BUF_INIT;
        write_stream(&good, batch, 3, (arka_ipc_codec)codec);
        for (long n = 1;; n++) {
            const arka_ipc_options options = {.codec = (arka_ipc_codec)codec};
            ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
            kit_fail_allocation(n, false);
            arka_ipc_write_arka_schema(batch, no_pairs, no_pairs, &out);
            for (int i = 0; i < 3; i++)
                arka_ipc_write_arka_batch(batch, &options, &out);
            arka_ipc_write_eos(&out);
            kit_fail_allocation(0, false);
            if (!out.failed) {
                assert_int_equal(out.len, good.len);
                assert_memory_equal(out.data, good.data, good.len);
                assert_true(n > 3);
                break;
            }
        }
    }
}
