#include "kit/encode.h"

#include "columnar/ipc.h"

static const arka_encode_options PLAIN = {0};

/* The messages of a stream, and its schema. */
typedef struct stream {
    arka_buf bytes;
    arka_ipc_reader *reader; /* for the schema */
    const arka_arrow_field *fields;
    int n_fields, n_messages, n_batches, n_dictionaries;
    arka_ipc_message messages[64];
} stream;

static stream stream_read(arka_buf take_bytes)
{
    arka_error err = {0};
    stream s = {.bytes = take_bytes};
    arka_slice all = {s.bytes.data, s.bytes.len};
    const arka_ipc_limits limits = {.require_eos = true};
    ASSERT_OK(arka_ipc_reader_new(all, 0, &limits, &s.reader, &err));
    s.fields = arka_ipc_reader_fields(s.reader, &s.n_fields);
    size_t at = 0;
    do {
        assert_true(s.n_messages < 64);
        arka_ipc_message *m = &s.messages[s.n_messages++];
        ASSERT_OK(arka_ipc_message_read(all, at, &limits, m, &err));
        at += m->frame_bytes;
        s.n_batches += m->kind == ARKA_IPC_BATCH;
        s.n_dictionaries += m->kind == ARKA_IPC_DICTIONARY;
    } while (s.messages[s.n_messages - 1].kind != ARKA_IPC_EOS);
    assert_int_equal(at, s.bytes.len);
    assert_int_equal(s.messages[0].kind, ARKA_IPC_SCHEMA);
    return s;
}

static void stream_fini(stream *s)
{
    arka_ipc_reader_free(s->reader);
    arka_buf_fini(&s->bytes);
}

static stream stream_of(const fixture *f, const arka_encode_options *options, const char *sql)
{
    return stream_read(encoded(f, ARKA_FORMAT_ARROW, options, sql));
}

/* --- exact bodies ---
 * Hexadecimal, '|' pads to a multiple of 8 bytes: it ends a buffer. Integers are little-endian. */

static void assert_body(const char *sql, const stream *s, const char *expected)
{
    arka_buf want = ARKA_BUF_INIT;
    for (const char *at = expected; *at != '\0';) {
        unsigned byte;
        if (*at == ' ') {
            at++;
        } else if (*at == '|') {
            arka_buf_pad(&want, 8);
            at++;
        } else {
            assert_int_equal(sscanf(at, "%2x", &byte), 1);
            arka_buf_byte(&want, (char)byte);
            at += 2;
        }
    }
    arka_slice body = s->messages[1].body;
    if (body.len != want.len || (body.len > 0 && memcmp(body.data, want.data, body.len) != 0)) {
        arka_buf got = ARKA_BUF_INIT;
        for (size_t i = 0; i < body.len; i++)
            arka_buf_printf(&got, "%02x%s", (unsigned char)body.data[i], i % 8 == 7 ? "|" : "");
        fail_msg("%s: body is %s, expected %s", sql, arka_buf_cstr(&got), expected);
    }
    arka_buf_fini(&want);
}

TEST(bodies_of_each_type)
{
    /* the rows 1, 2, 3, of which the second is null; x is 1 to 3 */
    static const struct {
        const char *value;
        arka_arrow_type type;
        const char *body;
    } cases[] = {
        {"x::TINYINT", ARKA_ARROW_INT8, "05| 010003|"},
        {"x::SMALLINT", ARKA_ARROW_INT16, "05| 010000000300|"},
        {"x::INTEGER", ARKA_ARROW_INT32, "05| 01000000 00000000 03000000|"},
        {"x::BIGINT", ARKA_ARROW_INT64, "05| 01|00000000 00000000 03|"},
        {"x::UTINYINT", ARKA_ARROW_UINT8, "05| 010003|"},
        {"x::USMALLINT", ARKA_ARROW_UINT16, "05| 010000000300|"},
        {"x::UINTEGER", ARKA_ARROW_UINT32, "05| 01000000 00000000 03000000|"},
        {"x::UBIGINT", ARKA_ARROW_UINT64, "05| 01|00000000 00000000 03|"},
        {"x::HUGEINT", ARKA_ARROW_FLOAT64,
         "05| 000000000000f03f 0000000000000000 0000000000000840"},
        {"(-x)::HUGEINT", ARKA_ARROW_FLOAT64,
         "05| 000000000000f0bf 0000000000000000 00000000000008c0"},
        {"x::UHUGEINT", ARKA_ARROW_FLOAT64,
         "05| 000000000000f03f 0000000000000000 0000000000000840"},
        {"(x / 2)::DECIMAL(4, 1)", ARKA_ARROW_FLOAT64,
         "05| 000000000000e03f 0000000000000000 000000000000f83f"},
        {"(x / 2)::DECIMAL(38, 1)", ARKA_ARROW_FLOAT64,
         "05| 000000000000e03f 0000000000000000 000000000000f83f"},
        {"x::FLOAT", ARKA_ARROW_FLOAT32, "05| 0000803f 00000000 00004040|"},
        {"x::DOUBLE", ARKA_ARROW_FLOAT64, "05| 000000000000f03f 0000000000000000 0000000000000840"},
        {"x > 1", ARKA_ARROW_BOOL, "05| 04|"},
        {"x = 1", ARKA_ARROW_BOOL, "05| 01|"},
        {"DATE '1970-01-01' + x::INTEGER", ARKA_ARROW_DATE32, "05| 01000000 00000000 03000000|"},
        {"make_timestamptz(x)", ARKA_ARROW_TIMESTAMP, "05| 01|00000000 00000000 03|"},
        {"make_timestamp(x)", ARKA_ARROW_TIMESTAMP, "05| 01|00000000 00000000 03|"},
        {"make_timestamp_ns(x * 1000 + 999)", ARKA_ARROW_TIMESTAMP, "05| 01|00000000 00000000 03|"},
        {"make_timestamp_ns(x - 2)", ARKA_ARROW_TIMESTAMP,
         "05| ffffffffffffffff 00000000 00000000 00000000 00000000"},
        {"make_timestamp(x * 1000)::TIMESTAMP_MS", ARKA_ARROW_TIMESTAMP,
         "05| e803|00000000 00000000 b80b|"},
        {"make_timestamp(x * 1000000)::TIMESTAMP_S", ARKA_ARROW_TIMESTAMP,
         "05| 40420f|00000000 00000000 c0c62d|"},
        {"repeat('ab', x)", ARKA_ARROW_UTF8,
         "05| 00000000 02000000 02000000 08000000 6162 616261626162|"},
        {"repeat('long-', x * 3)", ARKA_ARROW_UTF8,
         "05| 00000000 0f000000 0f000000 3c000000 6c6f6e672d6c6f6e672d6c6f6e672d"
         "6c6f6e672d6c6f6e672d6c6f6e672d6c6f6e672d6c6f6e672d6c6f6e672d6c6f6e672d6c6f6e672d6c6f6e672"
         "d|"},
        {"('\\xF' || x)::BLOB", ARKA_ARROW_BINARY, "05| 00000000 01000000 01000000 02000000 f1f3|"},
        {"CASE x WHEN 1 THEN 'a' ELSE 'bc' END::ENUM('a', 'bc')", ARKA_ARROW_UTF8,
         "05| 00000000 01000000 01000000 03000000 616263|"},
        {"TIME '00:00:00' + to_seconds(x)", ARKA_ARROW_UTF8,
         "05| 00000000 08000000 08000000 10000000 30303a30303a3031 30303a30303a3033"},
        {"to_days(x::INTEGER)", ARKA_ARROW_UTF8,
         "05| 00000000 05000000 05000000 0b000000 3120646179 332064617973|"},
        {"('0' || x % 2)::BIT", ARKA_ARROW_UTF8,
         "05| 00000000 02000000 02000000 04000000 3031 3031|"},
        {"union_value(n := x)", ARKA_ARROW_UTF8,
         "05| 00000000 07000000 07000000 0e000000 7b226e223a317d 7b226e223a337d|"},
        {"[x::TINYINT, NULL]", ARKA_ARROW_LIST,
         "05| 00000000 02000000 02000000 04000000 05| 01000300|"},
        {"[repeat('a', x)]", ARKA_ARROW_LIST,
         "05| 00000000 01000000 01000000 02000000 00000000 01000000 04000000| 61616161|"},
        {"{'a': x::TINYINT, 'b': repeat('a', x)}", ARKA_ARROW_STRUCT,
         "05| 05| 010003| 05| 00000000 01000000 01000000 04000000 61616161|"},
        {"MAP {repeat('a', x): x::TINYINT}", ARKA_ARROW_MAP,
         "05| 00000000 01000000 01000000 02000000 00000000 01000000 04000000| 61616161| 0103|"},
    };
    fixture f = fixture_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "SELECT CASE WHEN x <> 2 THEN %s END AS v FROM range(1, 4) r(x) ORDER BY x",
                 cases[i].value);
        stream s = stream_of(&f, &PLAIN, sql);
        assert_int_equal(s.n_fields, 1);
        assert_string_equal(arka_arrow_type_name(s.fields[0].type),
                            arka_arrow_type_name(cases[i].type));
        assert_true(s.fields[0].nullable);
        assert_true(arka_slice_eq(s.fields[0].name, ARKA_SLICE("v")));
        if (cases[i].type == ARKA_ARROW_TIMESTAMP) {
            assert_int_equal(s.fields[0].unit, ARKA_ARROW_MICRO);
            assert_true(arka_slice_eq(s.fields[0].timezone, ARKA_SLICE("UTC")));
        }
        assert_int_equal(s.n_batches, 1);
        assert_body(cases[i].value, &s, cases[i].body);
        stream_fini(&s);
    }
    fixture_close(&f);
}

TEST(an_array_is_a_list)
{
    fixture f = fixture_open();
    const char *sql = "SELECT (CASE WHEN x <> 2 THEN [x, 9] END)::TINYINT[2] AS v "
                      "FROM range(1, 4) r(x) ORDER BY x";
    stream s = stream_of(&f, &PLAIN, sql);
    assert_int_equal(s.fields[0].type, ARKA_ARROW_LIST);
    assert_body(sql, &s, "05| 00000000 02000000 02000000 04000000 01090309|");
    stream_fini(&s);
    fixture_close(&f);
}

TEST(a_map_is_a_list_of_entries)
{
    fixture f = fixture_open();
    stream s = stream_of(&f, &PLAIN, "SELECT MAP {1: [2.5]} AS v");
    assert_int_equal(s.fields[0].n_children, 1);
    const arka_arrow_field *entries = &s.fields[0].children[0];
    assert_int_equal(entries->type, ARKA_ARROW_STRUCT);
    assert_false(entries->nullable);
    assert_int_equal(entries->n_children, 2);
    assert_false(entries->children[0].nullable);
    assert_int_equal(entries->children[0].type, ARKA_ARROW_INT32);
    assert_int_equal(entries->children[1].type, ARKA_ARROW_LIST);
    assert_true(entries->children[1].nullable);
    assert_int_equal(entries->children[1].children[0].type, ARKA_ARROW_FLOAT64);
    stream_fini(&s);
    fixture_close(&f);
}

TEST(infinite_times_are_null)
{
    fixture f = fixture_open();
    const char *sql = "SELECT unnest([TIMESTAMPTZ 'epoch', 'infinity', '-infinity', NULL]) AS v";
    stream s = stream_of(&f, &PLAIN, sql);
    assert_body(sql, &s, "01| 0000000000000000 0000000000000000 0000000000000000 0000000000000000");
    stream_fini(&s);
    sql = "SELECT unnest([DATE 'infinity', '1970-01-02', '-infinity']) AS v";
    s = stream_of(&f, &PLAIN, sql);
    assert_body(sql, &s, "02| 00000000 01000000 00000000|");
    stream_fini(&s);
    fixture_close(&f);
}

TEST(nested_nulls_and_empty_lists)
{
    fixture f = fixture_open();
    const char *sql = "SELECT unnest([[[1], NULL], NULL, [], [[], [2, NULL]]]) AS v";
    stream s = stream_of(&f, &PLAIN, sql);
    assert_body(
        sql, &s,
        "0d| 00000000 02000000 02000000 02000000 04000000|"
        "0d| 00000000 01000000 01000000 01000000 03000000| 03| 01000000 02000000 00000000|");
    stream_fini(&s);
    fixture_close(&f);
}

TEST(a_result_without_rows_has_one_empty_batch)
{
    fixture f = fixture_open();
    stream s = stream_of(&f, &PLAIN,
                         "SELECT 1 AS a, 'x' AS b, [1] AS c, MAP {1: 2} AS d, {'a': 1} AS e, "
                         "true AS f WHERE false");
    assert_int_equal(s.n_messages, 3);
    assert_int_equal(s.n_batches, 1);
    /* text, list and map have the one offset 0 */
    assert_body("no rows", &s, "00| 00| 00|");
    stream_fini(&s);
    fixture_close(&f);
}

/* Sum and count of a BIGINT column and bytes of a VARCHAR column, read back through our reader. */
static void read_back(stream *s, int64_t *n_rows, int64_t *sum, int64_t *text_bytes)
{
    arka_error err = {0};
    *n_rows = *sum = *text_bytes = 0;
    for (;;) {
        arka_batch *b = NULL;
        ASSERT_OK(arka_ipc_reader_next(s->reader, 0, &b, &err));
        if (b == NULL)
            return;
        *n_rows += b->n_rows;
        for (int c = 0; c < b->n_columns; c++)
            for (int64_t i = 0; i < b->n_rows; i++)
                if (b->columns[c].type == ARKA_BIGINT && !arka_column_is_null(&b->columns[c], i))
                    *sum += arka_column_i64(&b->columns[c])[i];
                else if (b->columns[c].type == ARKA_VARCHAR)
                    *text_bytes += (int64_t)arka_column_text(&b->columns[c], i).len;
        arka_batch_unref(b);
    }
}

TEST(chunks_are_gathered_into_large_batches)
{
    fixture f = fixture_open();
    stream s = stream_of(&f, &PLAIN,
                         "SELECT i, CASE WHEN i % 3 > 0 THEN i END AS n, 'host_' || (i % 10) AS h "
                         "FROM range(200000) r(i)");
    int64_t n_rows, sum, text_bytes;
    /* 16 B and 10 B of text a row: 5.2 MB */
    assert_in_range(s.n_batches, 8, 11);
    read_back(&s, &n_rows, &sum, &text_bytes);
    assert_int_equal(n_rows, 200000);
    assert_int_equal(sum, INT64_C(19999900000) + INT64_C(13333266667));
    assert_int_equal(text_bytes, 200000 * 6);
    stream_fini(&s);
    fixture_close(&f);
}

TEST(compressed_and_dictionary_encoded_on_request)
{
    static const arka_encode_options options[] = {
        {.arrow_compression = ARKA_ARROW_ZSTD},
        {.arrow_compression = ARKA_ARROW_LZ4},
        {.arrow_dictionary = true},
        {.arrow_dictionary = true, .arrow_compression = ARKA_ARROW_ZSTD},
    };
    const char *sql = "SELECT i, CASE WHEN i % 4 > 0 THEN 'host_' || (i % 10) END AS h, "
                      "'even'::ENUM('odd', 'even') AS e FROM range(100000) r(i)";
    fixture f = fixture_open();
    arka_buf plain = encoded(&f, ARKA_FORMAT_ARROW, &PLAIN, sql);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        stream s = stream_of(&f, &options[i], sql);
        int64_t n_rows, sum, text_bytes;
        read_back(&s, &n_rows, &sum, &text_bytes);
        assert_int_equal(n_rows, 100000);
        assert_int_equal(sum, INT64_C(4999950000));
        assert_int_equal(text_bytes, 75000 * 6 + 100000 * 4);
        assert_true(s.bytes.len < plain.len * 3 / 4);
        if (options[i].arrow_dictionary) {
            assert_int_equal(s.n_dictionaries, 2); /* sent once: nothing new came later */
            assert_true(s.n_batches > 1);
            assert_non_null(s.fields[1].dictionary);
            assert_int_equal(s.fields[1].dictionary->index, ARKA_ARROW_INT32);
            assert_int_equal(s.fields[1].type, ARKA_ARROW_UTF8);
            assert_null(s.fields[0].dictionary);
        }
        stream_fini(&s);
    }
    arka_buf_fini(&plain);
    fixture_close(&f);
}

TEST(a_dictionary_that_grows_is_sent_again_and_one_grown_large_starts_afresh)
{
    static const arka_encode_options dictionary = {.arrow_dictionary = true};
    fixture f = fixture_open();
    stream s = stream_of(&f, &dictionary,
                         "SELECT CASE WHEN i < 200000 THEN 'text number ' || i END AS t "
                         "FROM range(400000) r(i)");
    int64_t n_rows, sum, text_bytes, expected = 0;
    assert_true(s.n_dictionaries > 1 && s.n_dictionaries <= s.n_batches);
    read_back(&s, &n_rows, &sum, &text_bytes);
    assert_int_equal(n_rows, 400000);
    for (int i = 0; i < 200000; i++)
        expected += snprintf(NULL, 0, "text number %d", i);
    assert_int_equal(text_bytes, expected);
    /* no dictionary holds all of them */
    for (int i = 0; i < s.n_messages; i++)
        if (s.messages[i].kind == ARKA_IPC_DICTIONARY)
            assert_true(s.messages[i].body.len < (size_t)expected / 2);
    stream_fini(&s);
    s = stream_of(&f, &dictionary, "SELECT NULL::VARCHAR AS t");
    assert_int_equal(s.n_dictionaries, 1);
    stream_fini(&s);
    fixture_close(&f);
}

TEST(broken_text_is_repaired)
{
    static const char *const texts[] = {"good", "bad \xff", "\xc3", "\xa9 split"};
    arka_error err = {0};
    duckdb_data_chunk chunk = broken_texts(texts, 4);
    arka_buf out = ARKA_BUF_INIT;
    ASSERT_OK(encode_chunk(chunk, ARKA_FORMAT_ARROW, &out, &err));
    stream s = stream_read(out);
    assert_body("broken", &s,
                "00000000 04000000 0b000000 0e000000 17000000|"
                "676f6f64 62616420efbfbd efbfbd efbfbd2073706c6974|");
    stream_fini(&s);
    duckdb_destroy_data_chunk(&chunk);
}

TEST(what_offsets_cannot_address_is_refused)
{
    arka_error err = {0};
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_data_chunk chunk = duckdb_create_data_chunk(&type, 1);
    duckdb_string_t *texts = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    arka_buf out = ARKA_BUF_INIT;
    texts[0] = texts[1] = texts[2] = (duckdb_string_t){0};
    texts[1].value.pointer.length = UINT32_C(1) << 31; /* refused before it is looked at */
    duckdb_data_chunk_set_size(chunk, 3);
    ASSERT_FAILS(encode_chunk(chunk, ARKA_FORMAT_ARROW, &out, &err), ARKA_LIMIT,
                 "row 2 of the result: column \"v\" has more than the 2147483647 bytes");
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_logical_type(&type);
    arka_buf_clear(&out);

    type = duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP_MS);
    chunk = duckdb_create_data_chunk(&type, 1);
    *(int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0)) = INT64_MIN + 2;
    duckdb_data_chunk_set_size(chunk, 1);
    ASSERT_FAILS(encode_chunk(chunk, ARKA_FORMAT_ARROW, &out, &err), ARKA_INPUT,
                 "column \"v\" holds the time -9223372036854775806 in units of 1000000 ns");
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_logical_type(&type);
    arka_buf_fini(&out);
}

TEST(rows_of_chunks_of_any_size_keep_their_nulls)
{
    fixture f = fixture_open();
    /* filters leave chunks of odd sizes, so that bits do not begin at bytes */
    answer *a = malloc(sizeof *a);
    answer_init(
        a, &f,
        "SELECT CASE WHEN i % 5 > 0 THEN i END AS n, CASE WHEN i % 7 > 0 THEN i % 2 = 0 END AS b "
        "FROM range(20000) r(i) WHERE i % 3 <> 1 ORDER BY i");
    for (int i = 0; i < a->n_chunks; i++)
        duckdb_data_chunk_set_size(a->chunks[i],
                                   2048 - 13 * (idx_t)(i + 1) % 64 > 6 ? 7 + 61 * (idx_t)i : 1);
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    ASSERT_OK(answer_encode(a, ARKA_FORMAT_ARROW, &PLAIN, &out, &err));
    stream s = stream_read(out);
    arka_batch *b = NULL;
    ASSERT_OK(arka_ipc_reader_next(s.reader, 0, &b, &err));
    int64_t row = 0;
    for (int k = 0; k < a->n_chunks; k++) {
        duckdb_vector n = duckdb_data_chunk_get_vector(a->chunks[k], 0);
        duckdb_vector t = duckdb_data_chunk_get_vector(a->chunks[k], 1);
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(a->chunks[k]); i++, row++) {
            bool valid = duckdb_validity_row_is_valid(duckdb_vector_get_validity(n), i);
            assert_int_equal(arka_column_is_null(&b->columns[0], row), !valid);
            if (valid)
                assert_int_equal(arka_column_i64(&b->columns[0])[row],
                                 ((int64_t *)duckdb_vector_get_data(n))[i]);
            valid = duckdb_validity_row_is_valid(duckdb_vector_get_validity(t), i);
            assert_int_equal(arka_column_is_null(&b->columns[1], row), !valid);
            if (valid)
                assert_int_equal(arka_bit(b->columns[1].values, row),
                                 ((bool *)duckdb_vector_get_data(t))[i]);
        }
    }
    assert_int_equal(b->n_rows, row);
    arka_batch_unref(b);
    stream_fini(&s);
    answer_fini(a);
    free(a);
    fixture_close(&f);
}

TEST(running_out_of_memory_is_an_error_and_leaves_nothing)
{
    fixture f = fixture_open();
    const char *sql = "SELECT i, 'text ' || i AS t, [i, i] AS l, {'a': i, 'b': 'x'} AS s, "
                      "MAP {'k': i} AS m, 'a'::ENUM('a', 'b') AS e, i % 2 = 0 AS b, "
                      "CASE WHEN i > 3 THEN DATE 'epoch' END AS d FROM range(300) r(i)";
    sweep_allocations(&f, ARKA_FORMAT_ARROW, &PLAIN, sql);
    sweep_allocations(&f, ARKA_FORMAT_ARROW, &(arka_encode_options){.arrow_dictionary = true}, sql);
    sweep_allocations(&f, ARKA_FORMAT_ARROW,
                      &(arka_encode_options){.arrow_compression = ARKA_ARROW_ZSTD}, sql);
    fixture_close(&f);
}
