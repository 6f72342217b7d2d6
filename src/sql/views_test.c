#include "kit/sql.h"

TEST(hot_rows_of_all_types_and_nulls)
{
    open_service("types");
    put("default", "t", "time:t s:s f:f i:i b:b", "1 a 1.5 7 t", "2 - - - -",
        "3 longer-than-twelve-bytes -0.25 -9 f");
    check_rows("SELECT * FROM t ORDER BY time",
               "1970-01-01T00:00:00.000001Z a 1.5 7 t|1970-01-01T00:00:00.000002Z - - - -|"
               "1970-01-01T00:00:00.000003Z longer-than-twelve-bytes -0.25 -9 f");
    check_rows("SELECT count(*), count(s), count(f), count(i), count(b) FROM t", "3 2 2 2 2");
    check_rows("SELECT b, s FROM t WHERE i = 7", "t a");
    check_rows("SELECT typeof(time), typeof(s), typeof(f), typeof(i), typeof(b) FROM t LIMIT 1",
               "TIMESTAMP WITH TIME ZONE VARCHAR DOUBLE BIGINT BOOLEAN");
    flush("default", "t");
    check_rows("SELECT * FROM t ORDER BY time",
               "1970-01-01T00:00:00.000001Z a 1.5 7 t|1970-01-01T00:00:00.000002Z - - - -|"
               "1970-01-01T00:00:00.000003Z longer-than-twelve-bytes -0.25 -9 f");
    put("default", "t", "time:t s:s f:f i:i b:b", "4 b 2.5 8 t");
    check_rows("SELECT s, f, i, b FROM t ORDER BY time",
               "a 1.5 7 t|- - - -|longer-than-twelve-bytes -0.25 -9 f|b 2.5 8 t");
    check_rows("SELECT count(*) FROM t", "4");
    close_service();
}

TEST(columns_that_come_later_are_null_before)
{
    open_service("later");
    put("default", "t", "time:t a:i", "1 1", "2 2");
    check_rows("SELECT a FROM t ORDER BY 1", "1|2");
    put("default", "t", "time:t b:s", "3 x");
    check_rows("SELECT a, b FROM t ORDER BY time", "1 -|2 -|- x");
    flush("default", "t");
    check_rows("SELECT a, b FROM t ORDER BY time", "1 -|2 -|- x");
    put("default", "t", "time:t c:b s:s f:f", "4 t y 1.5");
    check_rows("SELECT a, b, c, s, f FROM t ORDER BY time",
               "1 - - - -|2 - - - -|- x - - -|- - t y 1.5");
    flush("default", "t");
    put("default", "t", "s:s time:t", "z 5");
    check_rows("SELECT a, b, c, s, f FROM t ORDER BY time",
               "1 - - - -|2 - - - -|- x - - -|- - t y 1.5|- - - z -");
    check_rows("SELECT column_name FROM (DESCRIBE t)", "time|a|b|c|s|f");
    close_service();
}

TEST(integers_become_doubles_hot_and_in_files)
{
    open_service("widen");
    put("default", "t", "time:t v:i", "1 1", "2 -");
    flush("default", "t");
    put("default", "t", "time:t v:i", "3 3");
    check_rows("SELECT v, typeof(v) FROM t ORDER BY time", "1 BIGINT|- BIGINT|3 BIGINT");
    put("default", "t", "time:t v:f", "4 4.5");
    check_rows("SELECT v, typeof(v) FROM t ORDER BY time", "1 DOUBLE|- DOUBLE|3 DOUBLE|4.5 DOUBLE");
    flush("default", "t");
    check_rows("SELECT v FROM t ORDER BY time", "1|-|3|4.5");
    close_service();
}

TEST(names_may_hold_almost_anything)
{
    open_service("names");
    put("my-db", "a.b-c", "time:t select:i x'y\"z:i größe:i A_B:i", "1 1 2 3 4");
    put("1st", "größe", "time:t v:i", "1 5");
    put("memory", "arc", "time:t v:i", "1 6");
    put("default", "duckdb_settings", "time:t v:i", "1 7");
    put("default", "tables", "time:t v:i", "1 8");
    put("default", "default", "time:t default:i", "1 9");
    for (int i = 0; i < 2; i++) {
        check_rows("SELECT \"select\", \"x'y\"\"z\", größe, a_b FROM \"my-db\".\"a.b-c\"",
                   "1 2 3 4");
        check_rows_in("my-db", "SELECT count(*) FROM \"A.B-C\"", "1");
        check_rows("SELECT v FROM \"1st\".größe", "5");
        check_rows_in("1st", "SELECT v FROM größe", "5");
        check_rows("SELECT v FROM memory.arc", "6");
        check_rows("SELECT v FROM MEMORY.ARC", "6");
        check_rows("SELECT v FROM duckdb_settings", "7");
        check_rows("SELECT v FROM default.tables", "8");
        check_rows("SELECT t.default FROM default.default t", "9");
        check_rows("SELECT default.\"default\".default FROM default.default", "9");
        flush("", "");
    }
    close_service();
}

TEST(two_databases_side_by_side)
{
    open_service("two");
    put("default", "cpu", "time:t v:i", "1 1");
    put("prod", "cpu", "time:t v:i", "1 2");
    check_rows("SELECT v FROM cpu", "1");
    check_rows_in("prod", "SELECT v FROM cpu", "2");
    check_rows("SELECT a.v, b.v FROM cpu a JOIN prod.cpu b ON a.time = b.time", "1 2");
    check_rows("SELECT v FROM cpu UNION ALL SELECT v FROM prod.cpu ORDER BY 1", "1|2");
    check_rows_in("prod", "WITH cpu AS (SELECT 3 AS v) SELECT v FROM cpu", "3");
    close_service();
}

TEST(unknown_tables_are_not_found)
{
    open_service("unknown");
    put("default", "cpu", "time:t v:i", "1 1");
    check_fails("SELECT * FROM nope", ARKA_NOTFOUND, "unknown table: default.nope\n\nLINE 1: ");
    check_fails("SELECT * FROM nope.cpu", ARKA_NOTFOUND, "unknown table: nope.cpu");
    check_fails_in("nope", false, "SELECT * FROM cpu", ARKA_NOTFOUND, "unknown table: nope.cpu");
    check_fails("SELECT 1 FROM cpu WHERE EXISTS (FROM nope)", ARKA_NOTFOUND, "default.nope");
    check_fails("DESCRIBE nope", ARKA_NOTFOUND, "unknown table: default.nope");
    check_rows_in("nope", "SELECT 1", "1");
    static const char *const SYSTEM[] = {"duckdb_settings",
                                         "main.duckdb_tables",
                                         "sqlite_master",
                                         "pg_catalog.pg_class",
                                         "information_schema.views",
                                         "pragma_database_list",
                                         "system.duckdb_views",
                                         "temp.x"};
    for (size_t i = 0; i < sizeof SYSTEM / sizeof *SYSTEM; i++) {
        char text[100];
        snprintf(text, sizeof text, "SELECT * FROM %s", SYSTEM[i]);
        check_fails(text, ARKA_NOTFOUND, "unknown table");
    }
    close_service();
}

TEST(a_scoped_request_stays_in_its_database)
{
    open_service("scoped");
    put("default", "cpu", "time:t v:i", "1 1");
    put("prod", "cpu", "time:t v:i", "1 2");
    arka_error err = {0};
    arka_buf got = ARKA_BUF_INIT;
    ASSERT_OK(query_rows("prod", true, "SELECT v FROM cpu", &got, &err));
    assert_string_equal(got.data, "2");
    ASSERT_OK(query_rows("prod", true, "SELECT v FROM PROD.cpu", &got, &err));
    assert_string_equal(got.data, "2");
    ASSERT_OK(query_rows("prod", true, "SELECT cpu.v FROM cpu", &got, &err));
    arka_buf_fini(&got);
    static const char *const OUTSIDE[] = {
        "SELECT * FROM default.cpu",
        "SELECT * FROM cpu WHERE v IN (SELECT v FROM default.cpu)",
        "DESCRIBE default.cpu",
        "SELECT * FROM information_schema.tables",
        "EXPLAIN SELECT * FROM default.cpu",
        "WITH x AS (FROM default.cpu) SELECT 1"};
    for (size_t i = 0; i < sizeof OUTSIDE / sizeof *OUTSIDE; i++)
        check_fails_in("prod", true, OUTSIDE[i], ARKA_FORBIDDEN, "limited");
    close_service();
}

TEST(information_schema_lists_all_tables)
{
    open_service("information");
    put("default", "cpu", "time:t v:i s:s", "1 1 x");
    put("prod", "mem", "time:t v:f", "1 2");
    arka_error err = {0};
    ASSERT_OK(arka_engine_create_database(engine, ARKA_SLICE("empty"), &err));
    check_rows("SELECT v FROM PROD.MEM", "2"); /* spelled otherwise at first */
    check_rows("SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL",
               "default cpu|prod mem");
    check_rows("SELECT table_name, column_name, data_type FROM information_schema.columns "
               "ORDER BY table_name, ordinal_position",
               "cpu time TIMESTAMP WITH TIME ZONE|cpu v BIGINT|cpu s VARCHAR|"
               "mem time TIMESTAMP WITH TIME ZONE|mem v DOUBLE");
    check_rows("SELECT schema_name FROM information_schema.schemata WHERE schema_name IN "
               "('default', 'prod', 'empty') ORDER BY 1",
               "default|empty|prod");
    put("prod", "disk", "time:t v:f", "1 2");
    put("prod", "mem", "time:t w:b", "1 t");
    check_rows("SELECT table_name, count(*) FROM information_schema.columns GROUP BY 1 ORDER BY 1",
               "cpu 3|disk 2|mem 3");
    close_service();
}

/* How many files DuckDB opened for it, by its own account. */
static void check_files_read(const char *select, int expected)
{
    arka_error err = {0};
    arka_buf got = ARKA_BUF_INIT;
    char text[300], says[40];
    snprintf(text, sizeof text, "EXPLAIN ANALYZE %s", select);
    snprintf(says, sizeof says, "Total Files Read: %d ", expected);
    ASSERT_OK(query_rows("default", false, text, &got, &err));
    if (strstr(got.data, says) == NULL)
        fail_msg("%s: not \"%s\"\n%s", select, says, got.data);
    arka_buf_fini(&got);
}

TEST(files_opened_are_files_needed)
{
    open_service("opened");
    enum { HOURS = 60 };
    char rows[HOURS][64];
    const char *all[HOURS];
    for (int h = 0; h < HOURS; h++) { /* a row at the very start of each hour */
        snprintf(rows[h], sizeof rows[h], "%lld %d", 3600000000LL * h, h);
        all[h] = rows[h];
    }
    put_batch("default", "t", make_batch("time:t v:i", all, HOURS));
    flush("default", "t");
    check_files_read("SELECT v FROM t WHERE time >= '1970-01-02T00:00:00Z' AND time < "
                     "'1970-01-02T01:00:00Z'",
                     1);
    check_files_read("SELECT v FROM t WHERE time > TIMESTAMP '1970-01-02 00:00:00' AND time <= "
                     "'1970-01-02T02:00:00Z'",
                     2);
    check_files_read("SELECT v FROM t WHERE time = '1970-01-02T05:00:00Z'", 1);
    check_files_read("SELECT v FROM t WHERE time BETWEEN '1970-01-02' AND '1970-01-02 03:00:00'",
                     4);
    check_files_read("SELECT v FROM t ORDER BY time DESC LIMIT 3", 3);
    check_rows("SELECT v FROM t WHERE time > TIMESTAMP '1970-01-02 00:00:00' AND time <= "
               "'1970-01-02T02:00:00Z' ORDER BY v",
               "25|26");
    close_service();
}

TEST(a_table_made_again_has_a_view_of_its_own)
{
    arka_error err = {0};
    open_service_with("again", (arka_sql_options){.threads = 1, .max_sessions = 1});
    for (int flushed = 0; flushed < 2; flushed++) {
        put("default", "t", "time:t v:i w:i", "1 1 10", "2 2 20");
        if (flushed)
            flush("default", "t");
        for (int i = 0; i < 2; i++) { /* the second time with the kept plan */
            check_rows("SELECT v FROM t ORDER BY v", "1|2");
            check_rows("SELECT * EXCLUDE (time) FROM t ORDER BY v", "1 10|2 20");
        }
        ASSERT_OK(arka_engine_drop_table(engine, ARKA_SLICE("default"), ARKA_SLICE("t"), &err));
        check_fails("SELECT v FROM t ORDER BY v", ARKA_NOTFOUND, "unknown table: default.t");
        put("default", "t", "time:t w:i v:s x:b", "5 50 a t");
        for (int i = 0; i < 2; i++) {
            check_rows("SELECT v FROM t ORDER BY v", "a");
            check_rows("SELECT * EXCLUDE (time) FROM t ORDER BY v", "50 a t");
            flush("default", "t");
        }
        ASSERT_OK(arka_engine_drop_table(engine, ARKA_SLICE("default"), ARKA_SLICE("t"), &err));
    }
    close_service();
}

TEST(rows_outside_the_time_range_are_neither_lost_nor_added)
{
    open_service("range");
    for (int h = 0; h < 6; h++) {
        char a[64], b[64];
        snprintf(a, sizeof a, "%lld %d", 3600000000LL * h, 2 * h);
        snprintf(b, sizeof b, "%lld %d", 3600000000LL * h + 1, 2 * h + 1);
        put("default", "t", "time:t v:i", a, b);
        if (h < 3)
            flush("default", "t");
    }
    check_rows("SELECT v FROM t WHERE time >= '1970-01-01T01:00:00Z' AND time < "
               "'1970-01-01T04:00:00.000001Z' ORDER BY v",
               "2|3|4|5|6|7|8");
    check_rows("SELECT count(*) FROM t WHERE time > '1970-01-01T05:00:00Z'", "1");
    check_rows("SELECT count(*) FROM t WHERE time > '1971-01-01'", "0");
    check_rows("SELECT count(*) FROM t WHERE time > now() - INTERVAL '1 hour'", "0");
    check_rows("SELECT count(*), count(v) FROM t WHERE time < now()", "12 12");
    check_rows("SELECT * FROM (SELECT v FROM t WHERE time < '1970-01-01T01:00:00Z') UNION ALL "
               "SELECT v FROM t WHERE time >= '1970-01-01T05:00:00Z' ORDER BY 1",
               "0|1|10|11");
    check_rows("SELECT v FROM t ORDER BY time DESC LIMIT 3", "11|10|9");
    check_rows("SELECT v FROM t ORDER BY time LIMIT 3", "0|1|2");
    check_rows("SELECT a.v FROM t a ASOF JOIN t b ON a.time >= b.time WHERE b.time < "
               "'1970-01-01T01:00:00Z' ORDER BY 1",
               "0|1");
    close_service();
}

TEST(a_column_called_current_date_shadows_the_function)
{
    open_service("shadow");
    put("default", "t", "time:t current_date:t v:i", "5 1 1", "5 9 2");
    check_rows("SELECT v FROM t WHERE time > current_date", "1");
    close_service();
}

TEST(batches_of_any_size_fill_chunks)
{
    arka_error err = {0};
    open_service("sizes");
    static const int SIZES[] = {1, 1, 1, 2047, 1, 2048, 2049, 5, 4096, 100000, 1, 130000, 3};
    int64_t n = 0, nulls = 0;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        arka_block *block;
        arka_batch *batch;
        int time, v, s;
        ASSERT_OK(arka_block_new(SIZES[i], 0, &block, &err));
        ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &time, &err));
        for (int r = 0; r < SIZES[i]; r++)
            ((int64_t *)arka_block_values(block, time))[r] = n + r;
        ASSERT_OK(arka_block_add(block, ARKA_SLICE("v"), ARKA_BIGINT, false, &v, &err));
        for (int r = 0; r < SIZES[i]; r++)
            ((int64_t *)arka_block_values(block, v))[r] = n + r;
        for (int r = 0; r < SIZES[i]; r++)
            if ((n + r) % 7 == 3) {
                ASSERT_OK(arka_block_set_null(block, v, r, &err));
                nulls++;
            }
        ASSERT_OK(arka_block_add(block, ARKA_SLICE("s"), ARKA_VARCHAR, false, &s, &err));
        for (int r = 0; r < SIZES[i]; r++) {
            char text[40];
            int len = snprintf(text, sizeof text, "%s%lld", (n + r) % 3 ? "" : "quite-a-long-text-",
                               (long long)(n + r));
            memcpy(arka_block_text_reserve(block, s, (size_t)len), text, (size_t)len);
            arka_block_text_advance(block, s, (size_t)len);
            ((int32_t *)arka_block_values(block, s))[r + 1] =
                (int32_t)arka_block_text_len(block, s);
        }
        ASSERT_OK(arka_block_seal(block, 0, &batch, &err));
        put_batch("default", "t", batch);
        n += SIZES[i];
    }
    char expected[100];
    snprintf(expected, sizeof expected, "%lld %lld", (long long)n, (long long)(n - nulls));
    check_rows("SELECT count(*), count(v) FROM t", expected);
    snprintf(expected, sizeof expected, "%lld", (long long)n);
    check_rows("SELECT count(*) FROM t", expected);
    check_rows("SELECT count(DISTINCT s) FROM t", expected);
    check_rows("SELECT count(*) FROM t WHERE v IS NULL AND epoch_us(time) % 7 <> 3", "0");
    check_rows("SELECT count(*) FROM t WHERE v IS NOT NULL AND v <> epoch_us(time)", "0");
    check_rows("SELECT count(*) FROM t WHERE s <> if(epoch_us(time) % 3 = 0, 'quite-a-long-text-', "
               "'') || epoch_us(time)",
               "0");
    check_rows("SELECT count(*) FROM (SELECT s FROM t LIMIT 5000)", "5000");
    close_service();
}
