#include "sql/encode_text.h"

#include "kit/kit.h"

static duckdb_connection con;
static duckdb_database db;

static void open_db(void)
{
    assert_int_equal(duckdb_open(NULL, &db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(db, &con), DuckDBSuccess);
}

static void close_db(void)
{
    duckdb_disconnect(&con);
    duckdb_close(&db);
}

/* Each value's text must be what DuckDB casts it to. `value` is an expression over i and random().
 */
static void agrees_with_duckdb(const char *value)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_buf sql = ARKA_BUF_INIT, text = ARKA_BUF_INIT;
    arka_sql_type type;
    arka_sql_vec v;
    duckdb_result r;
    duckdb_data_chunk chunk;
    int64_t n = 0;
    arka_buf_printf(&sql,
                    "SELECT v, v::VARCHAR FROM (SELECT CASE WHEN i %% 50 > 0 THEN %s END AS v "
                    "FROM range(2500) r(i))",
                    value);
    if (duckdb_query(con, arka_buf_cstr(&sql), &r) != DuckDBSuccess)
        fail_msg("%s", duckdb_result_error(&r));
    duckdb_logical_type logical = duckdb_column_logical_type(&r, 0);
    ASSERT_OK(arka_sql_type_read(logical, "v", "test", &arena, &type, &err));
    duckdb_destroy_logical_type(&logical);
    assert_true(arka_sql_vec_init(&v, &type, &arena));
    while ((chunk = duckdb_fetch_chunk(r)) != NULL) {
        duckdb_vector expected = duckdb_data_chunk_get_vector(chunk, 1);
        duckdb_string_t *texts = duckdb_vector_get_data(expected);
        arka_sql_vec_open(&v, duckdb_data_chunk_get_vector(chunk, 0));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++, n++) {
            if (arka_sql_is_null(&v, i))
                continue;
            arka_buf_clear(&text);
            arka_sql_append_text(&text, &v, i);
            arka_slice want = {duckdb_string_t_data(&texts[i]), duckdb_string_t_length(texts[i])};
            if (!arka_slice_eq((arka_slice){text.data, text.len}, want))
                fail_msg("%s: \"%s\", DuckDB has \"%.*s\"", value, arka_buf_cstr(&text),
                         ARKA_FMT(want));
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    assert_int_equal(n, 2500);
    duckdb_destroy_result(&r);
    arka_buf_fini(&sql);
    arka_buf_fini(&text);
    arka_arena_fini(&arena);
}

TEST(texts_are_duckdbs_over_random_values)
{
    static const char *const values[] = {
        "(i % 2 = 0)",
        "(random() * 255 - 128)::TINYINT",
        "(random() * 65535 - 32768)::SMALLINT",
        "(random() * 4e9 - 2e9)::INTEGER",
        "(random() * 1.8e19 - 9e18)::BIGINT",
        "(random() * 255)::UTINYINT",
        "(random() * 65535)::USMALLINT",
        "(random() * 4294967295)::UINTEGER",
        "hash(i)",
        "hash(i)::HUGEINT * (hash(i + 1) >> 2)::HUGEINT * (CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END)",
        "hash(i)::UHUGEINT * hash(i + 1)::UHUGEINT",
        "('1' || repeat('0', (i % 38)::INTEGER))::HUGEINT - i",
        "(random() * 10 - 5)::DECIMAL(4, 3)",
        "(random() * 1e6 - 5e5)::DECIMAL(9, 2)",
        "(random() * 1e15 - 5e14)::DECIMAL(18, 3)",
        "(random() * 1e15 - 5e14)::DECIMAL(18, 0)",
        "(random() * 1e15 - 5e14)::DECIMAL(38, 20)",
        "(random() / 1e30 - 5e-31)::DECIMAL(38, 37)",
        "TIME '00:00:00' + to_microseconds((random() * 86399999999)::BIGINT)",
        "TIME '00:00:00' + to_seconds(i * 30)",
        "TIME '24:00:00'",
        "(TIME '00:00:00' + to_milliseconds((random() * 86399999)::BIGINT))::TIME_NS",
        "('01:02:03.' || (random() * 899999999 + 100000000)::BIGINT)::TIME_NS",
        "((TIME '00:00:00' + to_milliseconds(i * 17))::VARCHAR || '+05:30')::TIMETZ",
        "((TIME '00:00:00' + to_milliseconds(i * 17))::VARCHAR || '-11')::TIMETZ",
        "((TIME '00:00:00' + to_milliseconds(i * 17))::VARCHAR || '-00:01:09')::TIMETZ",
        "to_months((random() * 2e4 - 1e4)::INT) + to_milliseconds((random() * 1e9)::BIGINT)",
        "to_days((random() * 2e4 - 1e4)::INT) + to_microseconds((random() * 1e12)::BIGINT)",
        "to_months((random() * 50 - 25)::INTEGER)",
        "to_microseconds((random() * 1e9 - 5e8)::BIGINT)",
        "to_milliseconds(0)",
        "to_months(-1) + to_milliseconds(10)",
        "gen_random_uuid()",
        "hash(i)::BIT",
        "('1' || repeat('01', (i % 30)::INTEGER))::BIT",
        "DATE '1000-01-01' + (random() * 3e6)::INTEGER",
        "'text ' || i",
        "CASE WHEN i % 3 = 0 THEN 'low' ELSE 'hé' END::ENUM('low', 'hé')",
        "to_base64(i::VARCHAR::BLOB)",
    };
    open_db();
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        agrees_with_duckdb(values[i]);
    close_db();
}

static void stamp(int64_t t, int64_t unit_ns, const char *expected)
{
    static arka_sql_clock clock; /* kept: a text must not depend on the one before */
    static int64_t unit;
    char text[ARKA_SQL_TEXT_MAX + 1];
    if (unit != unit_ns)
        clock = (arka_sql_clock){0};
    unit = unit_ns;
    text[arka_sql_format_timestamp(text, t, unit_ns, &clock)] = '\0';
    assert_string_equal(text, expected);
}

TEST(timestamps_are_rfc_3339)
{
    enum { NS = 1, US = 1000, MS = 1000000, S = 1000000000 };
    stamp(0, US, "1970-01-01T00:00:00Z");
    stamp(1767607200000000, US, "2026-01-05T10:00:00Z");
    stamp(1767607200250000, US, "2026-01-05T10:00:00.250000Z");
    stamp(1767610799999999, US, "2026-01-05T10:59:59.999999Z");
    stamp(1767610800000000, US, "2026-01-05T11:00:00Z");
    stamp(1767610799999999, US, "2026-01-05T10:59:59.999999Z");
    stamp(-1, US, "1969-12-31T23:59:59.999999Z");
    stamp(-3600000000, US, "1969-12-31T23:00:00Z");
    stamp(-3600000001, US, "1969-12-31T22:59:59.999999Z");
    stamp(INT64_MAX, US, "infinity");
    stamp(-INT64_MAX, US, "-infinity");
    stamp(INT64_MAX - 1, US, "+294247-01-10T04:00:54.775806Z");
    stamp(1767607200123456789, NS, "2026-01-05T10:00:00.123456789Z");
    stamp(1767607200000000001, NS, "2026-01-05T10:00:00.000000001Z");
    stamp(1767607200000000000, NS, "2026-01-05T10:00:00Z");
    stamp(-1, NS, "1969-12-31T23:59:59.999999999Z");
    stamp(1767607200123, MS, "2026-01-05T10:00:00.123000Z");
    stamp(INT64_MAX - 7, MS, "+292278994-08-17T07:12:55.800000Z");
    stamp(1767607200, S, "2026-01-05T10:00:00Z");
    stamp(-INT64_MAX + 1, S, "-292277022657-01-27T08:29:54Z");
}

static void decimal(__int128 v, int scale, double expected)
{
    assert_true(arka_sql_decimal_f64(v, scale) == expected);
}

TEST(decimals_become_the_nearest_double)
{
    decimal(12345, 2, 123.45);
    decimal(-1, 3, -0.001);
    decimal(0, 5, 0);
    decimal((INT64_C(1) << 53) + 1, 0, 9007199254740992.0);
    decimal((__int128)1234567890123456789 * 10000000000 + 1234567890, 10,
            1234567890123456789.123456789);
    decimal(-((__int128)1234567890123456789 * 1000000000000000000), 37, -0.1234567890123456789);
}

static void json(const char *text, size_t n, const char *expected)
{
    arka_buf out = ARKA_BUF_INIT;
    arka_sql_append_json_string(&out, (arka_slice){text, n});
    assert_string_equal(arka_buf_cstr(&out), expected);
    arka_buf_fini(&out);
}

TEST(json_strings_are_escaped_and_repaired)
{
    json("", 0, "\"\"");
    json("plain", 5, "\"plain\"");
    json("eight ch", 8, "\"eight ch\"");
    json("a longer plain text, of words", 29, "\"a longer plain text, of words\"");
    json("say \"hi\"", 8, "\"say \\\"hi\\\"\"");
    json("\"", 1, "\"\\\"\"");
    json("back\\slash", 10, "\"back\\\\slash\"");
    json("\b\t\n\f\r\x01\x1f", 7, "\"\\b\\t\\n\\f\\r\\u0001\\u001f\"");
    json("1234567\n", 8, "\"1234567\\n\"");
    json("nul\0in it", 9, "\"nul\\u0000in it\"");
    json("del\x7f"
         "ete",
         7,
         "\"del\x7f"
         "ete\"");
    json("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xa1", 14,
         "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xa1\"");
    json("bad \xff\xc3 \xe2\x82", 9, "\"bad \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\"");
    json("12345678\x80", 9, "\"12345678\xef\xbf\xbd\"");
}

TEST(types_without_a_form_are_refused_by_name)
{
    static const struct {
        const char *sql, *sentence;
    } cases[] = {
        {"SELECT 1::VARIANT", "column \"c\" has the type VARIANT, for which JSON has no form"},
        {"SELECT 1::BIGNUM", "column \"c\" has the type BIGNUM"},
        {"SELECT [{'a': 1::BIGNUM}]", "column \"c\" has the type BIGNUM"},
    };
    arka_error err = {0};
    open_db();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arka_arena arena = ARKA_ARENA_INIT;
        arka_sql_type type;
        duckdb_result r;
        if (duckdb_query(con, cases[i].sql, &r) != DuckDBSuccess)
            fail_msg("%s", duckdb_result_error(&r));
        duckdb_logical_type logical = duckdb_column_logical_type(&r, 0);
        ASSERT_FAILS(arka_sql_type_read(logical, "c", "JSON", &arena, &type, &err), ARKA_INPUT,
                     cases[i].sentence);
        duckdb_destroy_logical_type(&logical);
        duckdb_destroy_result(&r);
        arka_arena_fini(&arena);
    }
    duckdb_logical_type nested = duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
    for (int depth = 0; depth < ARKA_SQL_MAX_DEPTH + 2; depth++) {
        arka_arena arena = ARKA_ARENA_INIT;
        arka_sql_type type;
        if (depth <= ARKA_SQL_MAX_DEPTH)
            ASSERT_OK(arka_sql_type_read(nested, "c", "JSON", &arena, &type, &err));
        else
            ASSERT_FAILS(arka_sql_type_read(nested, "c", "JSON", &arena, &type, &err), ARKA_INPUT,
                         "nested more than 48 deep");
        duckdb_logical_type list = duckdb_create_list_type(nested);
        duckdb_destroy_logical_type(&nested);
        nested = list;
        arka_arena_fini(&arena);
    }
    duckdb_destroy_logical_type(&nested);
    close_db();
}
