#include "kit/encode.h"

static const arka_encode_options PLAIN = {0};

#define END_OF_JSON                                                                                \
    ",\"execution_time_ms\":1.5,\"timestamp\":\"2026-01-05T10:00:00Z\",\"error\":null"

/* --- a value of each type: its SELECT, and what it is in each format --- */

static const struct {
    const char *sql, *json, *csv, *word, *msgpack; /* msgpack: hexadecimal */
} VALUES[] = {
    {"NULL::BIGINT", "null", "\"\"", "int64", "c0"},
    {"true", "true", "true", "bool", "c3"},
    {"false", "false", "false", "bool", "c2"},
    {"(-128)::TINYINT", "-128", "-128", "int8", "d080"},
    {"(-32)::TINYINT", "-32", "-32", "int8", "e0"},
    {"127::TINYINT", "127", "127", "int8", "7f"},
    {"(-129)::SMALLINT", "-129", "-129", "int16", "d1ff7f"},
    {"128::SMALLINT", "128", "128", "int16", "cc80"},
    {"(-40000)::INTEGER", "-40000", "-40000", "int32", "d2ffff63c0"},
    {"40000::INTEGER", "40000", "40000", "int32", "cd9c40"},
    {"9223372036854775807", "9223372036854775807", "9223372036854775807", "int64",
     "cf7fffffffffffffff"},
    {"(-9223372036854775808)::BIGINT", "-9223372036854775808", "-9223372036854775808", "int64",
     "d38000000000000000"},
    {"255::UTINYINT", "255", "255", "uint8", "ccff"},
    {"65535::USMALLINT", "65535", "65535", "uint16", "cdffff"},
    {"4294967295::UINTEGER", "4294967295", "4294967295", "uint32", "ceffffffff"},
    {"18446744073709551615::UBIGINT", "18446744073709551615", "18446744073709551615", "uint64",
     "cfffffffffffffffff"},
    {"170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727",
     "170141183460469231731687303715884105727", "float64", "cb47e0000000000000"},
    {"-1::HUGEINT", "-1", "-1", "float64", "cbbff0000000000000"},
    {"340282366920938463463374607431768211455::UHUGEINT", "340282366920938463463374607431768211455",
     "340282366920938463463374607431768211455", "float64", "cb47f0000000000000"},
    {"1.5::FLOAT", "1.5", "1.5", "float32", "ca3fc00000"},
    {"0.1::FLOAT", "0.1", "0.1", "float32", "ca3dcccccd"},
    {"0.1::DOUBLE", "0.1", "0.1", "float64", "cb3fb999999999999a"},
    {"100::DOUBLE", "100", "100", "float64", "cb4059000000000000"},
    {"1e300::DOUBLE", "1e+300", "1e+300", "float64", "cb7e37e43c8800759c"},
    {"0.30000000000000004::DOUBLE", "0.30000000000000004", "0.30000000000000004", "float64",
     "cb3fd3333333333334"},
    {"'NaN'::DOUBLE", "null", "NaN", "float64", "cb7ff8000000000000"},
    {"'Infinity'::DOUBLE", "null", "Infinity", "float64", "cb7ff0000000000000"},
    {"'-Infinity'::FLOAT", "null", "-Infinity", "float32", "caff800000"},
    {"12.50::DECIMAL(4,2)", "12.50", "12.50", "decimal(4,2)", "a531322e3530"},
    {"-0.05::DECIMAL(4,2)", "-0.05", "-0.05", "decimal(4,2)", "a52d302e3035"},
    {"0.5::DECIMAL(3,3)", "0.500", "0.500", "decimal(3,3)", "a5302e353030"},
    {"7::DECIMAL(9,0)", "7", "7", "decimal(9,0)", "a137"},
    {"'text'", "\"text\"", "text", "utf8", "a474657874"},
    {"''", "\"\"", "\"\"", "utf8", "a0"},
    {"'a,b'", "\"a,b\"", "\"a,b\"", "utf8", "a3612c62"},
    {"'say \"hi\"'", "\"say \\\"hi\\\"\"", "\"say \"\"hi\"\"\"", "utf8", "a87361792022686922"},
    {"'two' || chr(10) || 'lines'", "\"two\\nlines\"", "\"two\nlines\"", "utf8",
     "a974776f0a6c696e6573"},
    {"'one' || chr(13)", "\"one\\r\"", "\"one\r\"", "utf8", "a46f6e650d"},
    {"'h\xc3\xa9'", "\"h\xc3\xa9\"", "h\xc3\xa9", "utf8", "a368c3a9"},
    {"chr(1)", "\"\\u0001\"", "\x01", "utf8", "a101"},
    {"'a text of more than 31 characters'", "\"a text of more than 31 characters\"",
     "a text of more than 31 characters", "utf8",
     "d92161207465787420"
     "6f66206d6f7265207468616e2033312063686172616374657273"},
    {"'\\x00\\xFF'::BLOB", "\"AP8=\"", "AP8=", "binary", "c40200ff"},
    {"'0110'::BIT", "\"0110\"", "0110", "utf8", "a430313130"},
    {"'01101001101'::BIT", "\"01101001101\"", "01101001101", "utf8", "ab3031313031303031313031"},
    {"UUID '0123e456-e89b-12d3-a456-426614174000'", "\"0123e456-e89b-12d3-a456-426614174000\"",
     "0123e456-e89b-12d3-a456-426614174000", "utf8",
     "d9243031323365343536"
     "2d653839622d313264332d613435362d343236363134313734303030"},
    {"'b'::ENUM('a', 'b')", "\"b\"", "b", "utf8", "a162"},
    {"'say \"'::ENUM('a', 'say \"')", "\"say \\\"\"", "\"say \"\"\"", "utf8",
     "a573617920"
     "22"},
    {"DATE '2026-01-05'", "\"2026-01-05\"", "2026-01-05", "date32", "cd4fea"},
    {"DATE '1969-12-31'", "\"1969-12-31\"", "1969-12-31", "date32", "ff"},
    {"DATE 'infinity'", "\"infinity\"", "infinity", "date32", "c0"},
    {"DATE '-infinity'", "\"-infinity\"", "-infinity", "date32", "c0"},
    {"TIME '01:02:03'", "\"01:02:03\"", "01:02:03", "utf8", "a830313a30323a3033"},
    {"TIME '01:02:03.5'", "\"01:02:03.5\"", "01:02:03.5", "utf8", "aa30313a30323a30332e35"},
    {"'01:02:03+02'::TIMETZ", "\"01:02:03+02\"", "01:02:03+02", "utf8", "ab30313a30323a30332b3032"},
    {"'01:02:03.000000001'::TIME_NS", "\"01:02:03.000000001\"", "01:02:03.000000001", "utf8",
     "b230313a30323a30332e303030303030303031"},
    {"TIMESTAMPTZ '2026-01-05 12:00:00+02'", "\"2026-01-05T10:00:00Z\"", "2026-01-05T10:00:00Z",
     "timestamp[us]", "cf000647a11f422800"},
    {"TIMESTAMP '2026-01-05 10:00:00.25'", "\"2026-01-05T10:00:00.250000Z\"",
     "2026-01-05T10:00:00.250000Z", "timestamp[us]", "cf000647a11f45f890"},
    {"TIMESTAMP_S '2026-01-05 10:00:00'", "\"2026-01-05T10:00:00Z\"", "2026-01-05T10:00:00Z",
     "timestamp[us]", "cf000647a11f422800"},
    {"TIMESTAMP_MS '2026-01-05 10:00:00.25'", "\"2026-01-05T10:00:00.250000Z\"",
     "2026-01-05T10:00:00.250000Z", "timestamp[us]", "cf000647a11f45f890"},
    {"TIMESTAMP_NS '1970-01-01 00:00:00.000001999'", "\"1970-01-01T00:00:00.000001999Z\"",
     "1970-01-01T00:00:00.000001999Z", "timestamp[us]", "01"},
    {"TIMESTAMP_NS '1969-12-31 23:59:59.999999999'", "\"1969-12-31T23:59:59.999999999Z\"",
     "1969-12-31T23:59:59.999999999Z", "timestamp[us]", "ff"},
    {"TIMESTAMPTZ 'infinity'", "\"infinity\"", "infinity", "timestamp[us]", "c0"},
    {"TIMESTAMP_NS '-infinity'", "\"-infinity\"", "-infinity", "timestamp[us]", "c0"},
    {"INTERVAL '1 year 2 days 00:00:01.5'", "\"1 year 2 days 00:00:01.5\"",
     "1 year 2 days 00:00:01.5", "utf8", "b8312079656172203220646179732030303a30303a30312e35"},
    {"INTERVAL 0 DAYS", "\"00:00:00\"", "00:00:00", "utf8", "a830303a30303a3030"},
    {"[1, NULL, 3]", "[1,null,3]", "\"[1,null,3]\"", "list", "9301c003"},
    {"[]::INTEGER[]", "[]", "[]", "list", "90"},
    {"[['a'], NULL, []]", "[[\"a\"],null,[]]", "\"[[\"\"a\"\"],null,[]]\"", "list", "9391a161c090"},
    {"array_value(1.5::DOUBLE, NULL)", "[1.5,null]", "\"[1.5,null]\"", "list",
     "92cb3ff8000000000000c0"},
    {"[0.5::DECIMAL(2,1)]", "[0.5]", "[0.5]", "list", "91cb3fe0000000000000"},
    {"['NaN'::DOUBLE]", "[null]", "[null]", "list", "91cb7ff8000000000000"},
    {"{'a': 1, 'b': DATE '1970-01-02'}", "{\"a\":1,\"b\":\"1970-01-02\"}",
     "\"{\"\"a\"\":1,\"\"b\"\":\"\"1970-01-02\"\"}\"", "struct", "82a16101a16201"},
    {"row(1, 'x')", "{\"1\":1,\"2\":\"x\"}", "\"{\"\"1\"\":1,\"\"2\"\":\"\"x\"\"}\"", "struct",
     "82a13101a132a178"},
    {"MAP {'k': 1, 'l': NULL}", "{\"k\":1,\"l\":null}", "\"{\"\"k\"\":1,\"\"l\"\":null}\"", "map",
     "82a16b01a16cc0"},
    {"MAP {1: 'x'}", "{\"1\":\"x\"}", "\"{\"\"1\"\":\"\"x\"\"}\"", "map", "81a131a178"},
    {"MAP {[1]: 2}", "{\"[1]\":2}", "\"{\"\"[1]\"\":2}\"", "map", "81a35b315d02"},
    {"union_value(num := 2)", "{\"num\":2}", "\"{\"\"num\"\":2}\"", "utf8", "a97b226e756d223a327d"},
    {"union_value(num := NULL::INTEGER)", "{\"num\":null}", "\"{\"\"num\"\":null}\"", "utf8",
     "ac7b226e756d223a6e756c6c7d"},
};

enum { N_VALUES = sizeof VALUES / sizeof *VALUES };

static const char *select_of(int i)
{
    static char sql[256];
    snprintf(sql, sizeof sql, "SELECT %s AS v", VALUES[i].sql);
    return sql;
}

static void assert_text(const char *what, arka_buf *got, arka_buf *expected)
{
    if (got->len != expected->len || memcmp(got->data, expected->data, got->len) != 0)
        fail_msg("%s\n gave %s\n not  %s", what, arka_buf_cstr(got), arka_buf_cstr(expected));
    arka_buf_fini(got);
    arka_buf_fini(expected);
}

TEST(json_of_each_type)
{
    fixture f = fixture_open();
    for (int i = 0; i < N_VALUES; i++) {
        arka_buf got = encoded(&f, ARKA_FORMAT_JSON, &PLAIN, select_of(i));
        arka_buf expected = ARKA_BUF_INIT;
        arka_buf_printf(
            &expected,
            "{\"success\":true,\"columns\":[\"v\"],\"data\":[[%s]],\"row_count\":1" END_OF_JSON
            ",\"rows\":[[%s]]}",
            VALUES[i].json, VALUES[i].json);
        assert_text(VALUES[i].sql, &got, &expected);
    }
    fixture_close(&f);
}

TEST(csv_of_each_type)
{
    fixture f = fixture_open();
    for (int i = 0; i < N_VALUES; i++) {
        arka_buf got = encoded(&f, ARKA_FORMAT_CSV, &PLAIN, select_of(i));
        arka_buf expected = ARKA_BUF_INIT;
        arka_buf_printf(&expected, "v\r\n%s\r\n", VALUES[i].csv);
        assert_text(VALUES[i].sql, &got, &expected);
    }
    fixture_close(&f);
}

static void append_hex(arka_buf *out, const char *hex)
{
    for (; hex[0] != '\0'; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        arka_buf_byte(out, (char)byte);
    }
}

/* MessagePack's short string. */
static void append_str(arka_buf *out, const char *text)
{
    arka_buf_byte(out, (char)(0xa0 | strlen(text)));
    arka_buf_text(out, text);
}

static void msgpack_envelope(arka_buf *out, const char *word, int n_rows, const char *values)
{
    append_hex(out, "88");
    append_str(out, "success");
    append_hex(out, "c3");
    append_str(out, "columns");
    append_hex(out, "91");
    append_str(out, "v");
    append_str(out, "types");
    append_hex(out, "91");
    append_str(out, word);
    append_str(out, "data");
    append_hex(out, "91");
    arka_buf_byte(out, (char)(0x90 | n_rows));
    append_hex(out, values);
    append_str(out, "row_count");
    arka_buf_byte(out, (char)n_rows);
    append_str(out, "execution_time_ms");
    append_hex(out, "cb3ff8000000000000");
    append_str(out, "timestamp");
    append_str(out, "2026-01-05T10:00:00Z");
    append_str(out, "error");
    append_hex(out, "c0");
}

static void assert_bytes(const char *what, arka_buf *got, arka_buf *expected)
{
    size_t at = 0;
    while (at < got->len && at < expected->len && got->data[at] == expected->data[at])
        at++;
    if (at < got->len || at < expected->len)
        fail_msg("%s: %zu bytes for %zu, different from byte %zu on (%02x for %02x)", what,
                 got->len, expected->len, at, at < got->len ? (unsigned char)got->data[at] : 0,
                 at < expected->len ? (unsigned char)expected->data[at] : 0);
    arka_buf_fini(got);
    arka_buf_fini(expected);
}

TEST(msgpack_of_each_type)
{
    fixture f = fixture_open();
    for (int i = 0; i < N_VALUES; i++) {
        arka_buf got = encoded(&f, ARKA_FORMAT_MSGPACK, &PLAIN, select_of(i));
        arka_buf expected = ARKA_BUF_INIT;
        msgpack_envelope(&expected, VALUES[i].word, 1, VALUES[i].msgpack);
        assert_bytes(VALUES[i].sql, &got, &expected);
    }
    fixture_close(&f);
}

/* --- the envelopes --- */

static void gives(const fixture *f, arka_format format, const char *sql, const char *text)
{
    arka_buf got = encoded(f, format, &PLAIN, sql), expected = ARKA_BUF_INIT;
    arka_buf_text(&expected, text);
    assert_text(sql, &got, &expected);
}

TEST(json_has_columns_and_rows_in_order)
{
    fixture f = fixture_open();
    gives(&f, ARKA_FORMAT_JSON, "SELECT 1 AS \"say \"\"a\"\"\", 2 AS a, 3 AS a WHERE false",
          "{\"success\":true,\"columns\":[\"say \\\"a\\\"\",\"a\",\"a\"],\"data\":[],"
          "\"row_count\":0" END_OF_JSON ",\"rows\":[]}");
    gives(&f, ARKA_FORMAT_JSON,
          "SELECT 'host_' || i AS host, i / 2 AS half FROM range(3) r(i) ORDER BY i DESC",
          "{\"success\":true,\"columns\":[\"host\",\"half\"],\"data\":[[\"host_2\",1],[\"host_1\","
          "0.5],"
          "[\"host_0\",0]],\"row_count\":3" END_OF_JSON
          ",\"rows\":[[\"host_2\",1],[\"host_1\",0.5],[\"host_0\",0]]}");
    fixture_close(&f);
}

TEST(only_small_json_repeats_its_rows)
{
    fixture f = fixture_open();
    arka_buf got = encoded(&f, ARKA_FORMAT_JSON, &PLAIN, "SELECT i FROM range(16) r(i)");
    assert_non_null(strstr(arka_buf_cstr(&got), ",\"rows\":[[0],[1],"));
    arka_buf_fini(&got);
    got = encoded(&f, ARKA_FORMAT_JSON, &PLAIN, "SELECT i FROM range(17) r(i)");
    assert_null(strstr(arka_buf_cstr(&got), "\"rows\""));
    arka_buf_fini(&got);
    got = encoded(&f, ARKA_FORMAT_JSON, &PLAIN, "SELECT i FROM range(5000) r(i)");
    assert_null(strstr(arka_buf_cstr(&got), "\"rows\""));
    assert_non_null(strstr(arka_buf_cstr(&got), "[2047],[2048],")); /* across two chunks */
    assert_non_null(strstr(arka_buf_cstr(&got), "[4999]],\"row_count\":5000,"));
    arka_buf_fini(&got);
    got = encoded(&f, ARKA_FORMAT_JSON, &PLAIN, "SELECT repeat('x', 70000) AS v");
    assert_null(strstr(arka_buf_cstr(&got), "\"rows\""));
    arka_buf_fini(&got);
    fixture_close(&f);
}

TEST(csv_has_a_header_and_a_line_per_row)
{
    fixture f = fixture_open();
    gives(&f, ARKA_FORMAT_CSV, "SELECT 1 AS \"a,b\", 2 AS \"say \"\"a\"\"\" WHERE false",
          "\"a,b\",\"say \"\"a\"\"\"\r\n");
    gives(&f, ARKA_FORMAT_CSV,
          "SELECT CASE WHEN i > 0 THEN i END AS a, CASE WHEN i > 1 THEN 'x' END AS b "
          "FROM range(3) r(i) ORDER BY i",
          "a,b\r\n,\r\n1,\r\n2,x\r\n");
    fixture_close(&f);
}

TEST(msgpack_arrays_of_many_values_have_their_length)
{
    fixture f = fixture_open();
    arka_buf got = encoded(&f, ARKA_FORMAT_MSGPACK, &PLAIN, "SELECT 1 AS v FROM range(3)");
    arka_buf expected = ARKA_BUF_INIT;
    msgpack_envelope(&expected, "int32", 3, "010101");
    assert_bytes("3 rows", &got, &expected);
    got = encoded(&f, ARKA_FORMAT_MSGPACK, &PLAIN, "SELECT 1 AS v WHERE false");
    msgpack_envelope(&expected, "int32", 0, "");
    assert_bytes("no rows", &got, &expected);
    got = encoded(&f, ARKA_FORMAT_MSGPACK, &PLAIN, "SELECT 1::UTINYINT AS v FROM range(70000)");
    const char head[] = "\xa4"
                        "data\x91\xdd\x00\x01\x11\x70\x01\x01";
    assert_non_null(memmem(got.data, got.len, head, sizeof head - 1));
    arka_buf_fini(&got);
    fixture_close(&f);
}

/* --- what should not be there --- */

TEST(broken_text_is_repaired_in_every_format)
{
    static const char *const texts[] = {"good", "bad \xff", "\xc3", "\xa9 split"};
    arka_error err = {0};
    duckdb_data_chunk chunk = broken_texts(texts, 4);
    arka_buf out = ARKA_BUF_INIT;
    ASSERT_OK(encode_chunk(chunk, ARKA_FORMAT_JSON, &out, &err));
    assert_non_null(strstr(arka_buf_cstr(&out), "[[\"good\"],[\"bad \xef\xbf\xbd\"],"
                                                "[\"\xef\xbf\xbd\"],[\"\xef\xbf\xbd split\"]]"));
    arka_buf_clear(&out);
    ASSERT_OK(encode_chunk(chunk, ARKA_FORMAT_CSV, &out, &err));
    assert_string_equal(arka_buf_cstr(&out), "v\r\ngood\r\nbad \xef\xbf\xbd\r\n\xef\xbf\xbd\r\n"
                                             "\xef\xbf\xbd split\r\n");
    arka_buf_clear(&out);
    ASSERT_OK(encode_chunk(chunk, ARKA_FORMAT_MSGPACK, &out, &err));
    const char values[] = "\x94\xa4good\xa7"
                          "bad \xef\xbf\xbd\xa3\xef\xbf\xbd\xa9\xef\xbf\xbd split";
    assert_non_null(memmem(out.data, out.len, values, sizeof values - 1));
    arka_buf_fini(&out);
    duckdb_destroy_data_chunk(&chunk);
}

TEST(a_type_without_a_form_is_refused)
{
    arka_error err = {0};
    fixture f = fixture_open();
    answer *a = malloc(sizeof *a);
    answer_init(a, &f, "SELECT 1 AS fine, 1::VARIANT AS odd");
    for (arka_format format = ARKA_FORMAT_JSON; format <= ARKA_FORMAT_CSV; format++) {
        arka_buf out = ARKA_BUF_INIT;
        ASSERT_FAILS(answer_encode(a, format, &PLAIN, &out, &err), ARKA_INPUT,
                     "column \"odd\" has the type VARIANT");
        arka_buf_fini(&out);
    }
    answer_fini(a);
    free(a);
    fixture_close(&f);
}

TEST(msgpack_refuses_times_beyond_microseconds)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP_S);
    duckdb_data_chunk chunk = duckdb_create_data_chunk(&type, 1);
    *(int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0)) = INT64_MAX / 10;
    duckdb_data_chunk_set_size(chunk, 1);
    ASSERT_FAILS(encode_chunk(chunk, ARKA_FORMAT_MSGPACK, &out, &err), ARKA_INPUT,
                 "column \"v\" holds the time 922337203685477580 in units of 1000000000 ns");
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_logical_type(&type);
    arka_buf_fini(&out);
}

TEST(running_out_of_memory_is_an_error_and_leaves_nothing)
{
    fixture f = fixture_open();
    const char *sql =
        "SELECT i, 'text ' || i AS t, [i, i] AS l, {'a': i, 'b': 'x'} AS s, "
        "MAP {'k': i} AS m, 'a'::ENUM('a', 'b') AS e, i / 3 AS d FROM range(300) r(i)";
    sweep_allocations(&f, ARKA_FORMAT_JSON, &PLAIN, sql);
    sweep_allocations(&f, ARKA_FORMAT_CSV, &PLAIN, sql);
    sweep_allocations(&f, ARKA_FORMAT_MSGPACK, &PLAIN, sql);
    sweep_allocations(&f, ARKA_FORMAT_JSON, &PLAIN, "SELECT 'caf\xc3\xa9' AS v");
    fixture_close(&f);
}

TEST(content_types)
{
    assert_string_equal(arka_format_content_type(ARKA_FORMAT_JSON), "application/json");
    assert_string_equal(arka_format_content_type(ARKA_FORMAT_ARROW),
                        "application/vnd.apache.arrow.stream");
    assert_string_equal(arka_format_content_type(ARKA_FORMAT_MSGPACK), "application/msgpack");
    assert_string_equal(arka_format_content_type(ARKA_FORMAT_CSV), "text/csv; charset=utf-8");
}
