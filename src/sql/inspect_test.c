#include <duckdb.h>

#include "base/buf.h"
#include "kit/kit.h"
#include "sql/inspect.h"

static duckdb_database database;
static duckdb_connection connection;
static arka_parser parser;

static void connect_once(void)
{
    duckdb_result result;
    if (connection != NULL)
        return;
    assert_int_equal(duckdb_open(NULL, &database), DuckDBSuccess);
    assert_int_equal(duckdb_connect(database, &connection), DuckDBSuccess);
    assert_int_equal(
        duckdb_query(connection, "SET TimeZone = 'UTC'; SET errors_as_json = true", &result),
        DuckDBSuccess);
    duckdb_destroy_result(&result);
    arka_error err = {0};
    ASSERT_OK(arka_parser_init(&parser, connection, &err));
}

__attribute__((destructor)) static void disconnect(void)
{
    arka_parser_fini(&parser);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
}

static arka_inspection *inspect(const char *text)
{
    arka_error err = {0};
    arka_inspection *i = NULL;
    connect_once();
    arka_status status = arka_inspect(&parser, arka_slice_of(text), &i, &err);
    if (status != ARKA_OK)
        fail_msg("%s: refused: %s", text, err.msg);
    return i;
}

/* "cpu prod.mem …": the tables in the order in which they are named. */
static void check_tables(const char *text, const char *expected)
{
    arka_inspection *i = inspect(text);
    arka_buf got = ARKA_BUF_INIT;
    for (size_t k = 0; k < i->n_uses; k++) {
        const arka_table_use *use = &i->uses[k];
        arka_buf_printf(&got, "%s%.*s%s%.*s", k ? " " : "", ARKA_FMT(use->database),
                        use->database.len ? "." : "", ARKA_FMT(use->table));
    }
    if (strcmp(arka_buf_cstr(&got), expected) != 0)
        fail_msg("%s: names \"%s\", expected \"%s\"", text, got.data, expected);
    arka_buf_fini(&got);
    arka_inspection_unref(i);
}

static void check_refused(const char *text, arka_status status, const char *says)
{
    arka_error err = {0};
    arka_inspection *i = NULL;
    connect_once();
    arka_status got = arka_inspect(&parser, arka_slice_of(text), &i, &err);
    if (got == ARKA_OK)
        fail_msg("%s: allowed", text);
    if (got != status || strstr(err.msg, says) == NULL)
        fail_msg("%s: status %d, \"%s\"; expected %d, \"%s\"", text, got, err.msg, status, says);
}

TEST(tables_are_collected_from_everywhere)
{
    static const char *const CASES[][2] = {
        {"SELECT 1", ""},
        {"SELECT * FROM cpu", "cpu"},
        {"select * from PROD.Cpu;", "PROD.Cpu"},
        {"SELECT * FROM \"a-b\".\"x y\"", "a-b.x y"},
        {"FROM cpu", "cpu"},
        {"TABLE cpu", "cpu"},
        {"(SELECT * FROM cpu) UNION ALL (SELECT * FROM mem) ORDER BY 1", "cpu mem"},
        {"SELECT * FROM a JOIN b USING (x), c LEFT JOIN d ON d.x = (SELECT max(x) FROM e)",
         "a b c d e"},
        {"SELECT (SELECT max(x) FROM a), EXISTS (FROM b) FROM c WHERE x IN (SELECT y FROM d) "
         "GROUP BY (SELECT 1 FROM e) HAVING count(*) > (SELECT 1 FROM f) "
         "QUALIFY row_number() OVER (ORDER BY (SELECT 1 FROM g)) = 1 "
         "ORDER BY (SELECT 1 FROM h) LIMIT (SELECT 1 FROM i) OFFSET (SELECT 1 FROM j)",
         "h i j a b c d e f g"},
        {"SELECT * FROM (SELECT * FROM (SELECT * FROM a))", "a"},
        {"SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.x = a.x)", "a b"},
        {"SELECT list_transform([1], x -> x + (SELECT max(y) FROM a))", "a"},
        {"SELECT CASE WHEN 1 IN (SELECT x FROM a) THEN (SELECT 1 FROM b) ELSE (SELECT 2 FROM c) "
         "END",
         "a b c"},
        {"SELECT sum(x) FILTER (WHERE x > (SELECT 1 FROM a)) OVER (PARTITION BY (SELECT 1 FROM b)) "
         "FROM c",
         "b a c"},
        {"SELECT * FROM (PIVOT a ON h IN ('x', 'y') USING sum(v))", "a"},
        {"SELECT * FROM (UNPIVOT a ON x, y INTO NAME n VALUE v)", "a"},
        {"SELECT * FROM generate_series(1, (SELECT max(x) FROM a)) g(i), range(3), unnest([1, 2])",
         "a"},
        {"VALUES (1, (SELECT x FROM a))", "a"},
        {"SELECT * EXCLUDE (x) REPLACE ((SELECT 1 FROM a) AS y) FROM b", "a b"},
        {"SELECT COLUMNS('x.*') FROM a", "a"},
        {"DESCRIBE cpu", "cpu"},
        {"DESC prod.cpu", "prod.cpu"},
        {"DESCRIBE SELECT * FROM a JOIN b ON true", "a b"},
        {"SUMMARIZE cpu", "cpu"},
        {"SELECT column_name FROM (DESCRIBE cpu)", "cpu"},
        {"EXPLAIN SELECT * FROM cpu", "cpu"},
        {"explain analyze SELECT * FROM cpu;", "cpu"},
        {"EXPLAIN WITH x AS (FROM cpu) FROM x", "cpu"},
        {"SELECT 'SELECT * FROM x; DROP TABLE y' FROM cpu -- DELETE FROM z", "cpu"},
        {"SELECT \"drop\", \"delete\" FROM cpu WHERE action = 'DELETE'", "cpu"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        check_tables(CASES[i][0], CASES[i][1]);
}

TEST(names_of_ctes_are_no_tables_where_they_are_seen)
{
    static const char *const CASES[][2] = {
        {"WITH x AS (SELECT * FROM cpu) SELECT * FROM x", "cpu"},
        {"WITH X AS (SELECT 1) SELECT * FROM x", ""},
        {"WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b, c", "c"},
        {"WITH cpu AS (SELECT * FROM prod.cpu) SELECT * FROM cpu", "prod.cpu"},
        {"WITH cpu AS (SELECT 1) SELECT * FROM prod.cpu", "prod.cpu"},
        {"WITH cpu AS (SELECT * FROM cpu) SELECT * FROM cpu", "cpu"}, /* itself is not seen */
        {"WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", "b"}, /* nor later ones */
        {"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, t WHERE n < 5) FROM r",
         "t"},
        /* a recursive one on its right side alone: DuckDB takes the name on the left for a table */
        {"WITH RECURSIVE r AS (FROM r UNION ALL FROM r) FROM r", "r"},
        {"WITH RECURSIVE r AS ((SELECT 1 UNION ALL FROM (FROM r)) UNION FROM r) FROM r", "r"},
        {"WITH RECURSIVE r AS (SELECT (SELECT 1 FROM r) UNION ALL FROM r) FROM r", "r"},
        {"WITH RECURSIVE r AS (WITH q AS (FROM r) SELECT 1 FROM q UNION ALL FROM r) FROM r", "r"},
        {"WITH r AS (SELECT 1 n) SELECT * FROM (WITH RECURSIVE r AS (FROM r UNION ALL FROM r) FROM "
         "r)",
         ""},
        {"SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a), a", "a"},
        {"WITH a AS (SELECT 1) SELECT (SELECT x FROM a), (SELECT y FROM b)", "b"},
        {"WITH a AS MATERIALIZED (FROM b) SELECT * FROM a UNION ALL SELECT * FROM a", "b"},
        {"WITH a AS (WITH c AS (SELECT 1) FROM c) SELECT * FROM a, c", "c"},
        {"WITH cpu AS (SELECT 1) SELECT * FROM (DESCRIBE cpu)", "cpu"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        check_tables(CASES[i][0], CASES[i][1]);
}

TEST(only_one_statement_that_reads)
{
    static const char *const STATEMENTS[] = {
        "CREATE TABLE x (a INT)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE MACRO m() AS 1",
        "CREATE SCHEMA s",
        "CREATE SECRET s (TYPE s3)",
        "DROP TABLE x",
        "DROP VIEW default.cpu",
        "ALTER TABLE x ADD COLUMN y INT",
        "INSERT INTO x VALUES (1)",
        "UPDATE x SET a = 1",
        "DELETE FROM x",
        "TRUNCATE x",
        "MERGE INTO t USING u ON (t.a = u.a) WHEN MATCHED THEN DELETE",
        "COPY cpu TO 'x.csv'",
        "COPY (SELECT 1) TO 'x'",
        "EXPORT DATABASE 'x'",
        "IMPORT DATABASE 'x'",
        "ATTACH 'x.db'",
        "DETACH x",
        "USE x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "FORCE INSTALL x",
        "SET threads = 1",
        "SET SESSION schema = 'x'",
        "RESET threads",
        "SET VARIABLE a = 1",
        "PRAGMA table_info('x')",
        "PRAGMA json_execute_serialized_sql('{}')",
        "CALL pragma_version()",
        "CHECKPOINT",
        "FORCE CHECKPOINT",
        "VACUUM",
        "ANALYZE",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "COMMENT ON TABLE x IS 'y'",
        "UPDATE EXTENSIONS",
        "PIVOT cpu ON host USING sum(v)",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE x",
        "EXPLAIN DELETE FROM x",
        "EXPLAIN ANALYZE INSERT INTO x VALUES (1)",
        "EXPLAIN COPY (SELECT 1) TO 'x'",
        "EXPLAIN SELECT 1; SELECT 2",
        "EXPLAIN EXPLAIN SELECT 1",
        "WITH x AS (SELECT 1) INSERT INTO y SELECT * FROM x",
        "WITH x AS (SELECT 1) DELETE FROM y",
        "/* c */ DROP /* d */ TABLE x",
        "SELECT 1;;DROP TABLE x",
    };
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof *STATEMENTS; i++)
        check_refused(STATEMENTS[i], ARKA_FORBIDDEN, "is allowed");
}

TEST(what_is_no_statement_is_bad_input)
{
    check_refused("", ARKA_INPUT, "empty");
    check_refused(" ; -- x", ARKA_INPUT, "empty");
    check_refused("selec 1", ARKA_INPUT, "Parser Error: syntax error at or near \"selec\"");
    check_refused("SELECT 'abc", ARKA_INPUT, "unterminated quoted string");
    check_refused("SELECT ?", ARKA_INPUT, "parameters");
    check_refused("SELECT $1", ARKA_INPUT, "parameters");
    check_refused("SELECT $name", ARKA_INPUT, "parameters");
    check_refused("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", ARKA_INPUT,
                  "A CTE needs a SELECT");
    check_refused("WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x", ARKA_INPUT,
                  "A CTE needs a SELECT");
    check_refused("SELECT * INTO x FROM t", ARKA_INPUT, "SELECT INTO not supported");
    check_refused("EXPLAIN", ARKA_INPUT, "empty");
    check_refused("EXPLAIN (FORMAT json) SELECT 1", ARKA_INPUT, "syntax error");
    check_refused("SELECT '\xff'", ARKA_INPUT, "not UTF-8 text: byte 8");

    arka_error err = {0};
    arka_inspection *i;
    connect_once();
    ASSERT_FAILS(arka_inspect(&parser, (arka_slice){"SELECT\0 1", 9}, &i, &err), ARKA_INPUT,
                 "not UTF-8 text: byte 6");
    static char longer[(1 << 20) + 1];
    memset(longer, ' ', sizeof longer);
    ASSERT_FAILS(arka_inspect(&parser, (arka_slice){longer, sizeof longer}, &i, &err), ARKA_INPUT,
                 "more than 1048576");
}

TEST(tables_that_are_none_are_refused)
{
    static const char *const CASES[] = {
        "SELECT * FROM 'x.csv'",
        "SELECT * FROM 'cpu'",
        "FROM 'https://x/y.parquet'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM \"data/*.parquet\"",
        "SELECT * FROM \"s3://bucket/x\"",
        "SELECT * FROM a JOIN 'b.json' ON true",
        "SELECT (SELECT 1 FROM 'x.csv')",
        "DESCRIBE 'x.csv'",
        "SUMMARIZE 'x.parquet'",
        "WITH a AS (FROM 'x.csv') SELECT 1",
        "WITH RECURSIVE \"a/x.csv\" AS (FROM \"a/x.csv\" UNION ALL FROM \"a/x.csv\") SELECT 1",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        check_refused(CASES[i], ARKA_FORBIDDEN, "a file cannot be queried");
    check_refused("SELECT * FROM a.b.c", ARKA_FORBIDDEN, "at most two parts");
    check_refused("SELECT * FROM system.main.duckdb_settings", ARKA_FORBIDDEN, "at most two parts");
    check_refused("SELECT * FROM cpu AT (VERSION => 1)", ARKA_FORBIDDEN, "AT is not allowed");
    check_refused("SELECT * FROM (SHOW TABLES)", ARKA_FORBIDDEN, "SHOW is not allowed");
    check_refused("SELECT * FROM (SHOW ALL TABLES)", ARKA_FORBIDDEN, "SHOW is not allowed");
    check_refused("SELECT * FROM (SHOW DATABASES)", ARKA_FORBIDDEN, "SHOW is not allowed");
    check_refused("SELECT * FROM (DESCRIBE)", ARKA_FORBIDDEN, "SHOW is not allowed");
    check_refused("DESCRIBE TABLES", ARKA_FORBIDDEN, "SHOW is not allowed");
}

/* `pattern` with `what` in place of its '@'. */
static void put_in(char *text, size_t size, const char *pattern, const char *what)
{
    int before = (int)strcspn(pattern, "@");
    snprintf(text, size, "%.*s%s%s", before, pattern, what, pattern + before + 1);
}

TEST(table_functions_are_refused)
{
    static const char *const NAMES[] = {
        "read_parquet('x')",
        "parquet_scan('x')",
        "parquet_metadata('x')",
        "parquet_schema('x')",
        "parquet_file_metadata('x')",
        "parquet_kv_metadata('x')",
        "parquet_bloom_probe('x','y',1)",
        "read_csv('x')",
        "read_csv_auto('x')",
        "sniff_csv('x')",
        "read_json('x')",
        "read_json_auto('x')",
        "read_ndjson('x')",
        "read_json_objects('x')",
        "read_text('x')",
        "read_blob('x')",
        "read_duckdb('x')",
        "glob('*')",
        "query('SELECT 1')",
        "query_table('x')",
        "duckdb_settings()",
        "duckdb_secrets()",
        "duckdb_functions()",
        "duckdb_tables()",
        "duckdb_views()",
        "duckdb_logs()",
        "duckdb_external_file_cache()",
        "pragma_table_info('x')",
        "pragma_show('x')",
        "pragma_version()",
        "sql_auto_complete('x')",
        "json_execute_serialized_sql('{}')",
        "which_secret('x','y')",
        "arrow_scan(1,2,3)",
        "seq_scan('x')",
        "checkpoint()",
        "enable_logging()",
        "enable_profiling()",
        "summary(cpu)",
        "repeat('x', 10)",
        "repeat_row(1, num_rows = 10)",
        "test_all_types()",
        "arc_hot('d','t','x')",
        "arc_tables('x')",
        "arc_databases()",
        "icu_calendar_names()",
        "histogram('t', 'x')",
        "delta_scan('x')",
        "iceberg_scan('x')",
        "st_read('x')",
        "system.main.read_csv('x')",
        "READ_CSV('x')",
        "\"read_text\"('x')",
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        static const char *const AROUND[] = {
            "SELECT * FROM @",
            "FROM @",
            "SELECT * FROM cpu, @ x",
            "SELECT (SELECT 1 FROM @ LIMIT 1)",
            "WITH a AS (FROM @) SELECT 1",
            "EXPLAIN SELECT * FROM @",
            "DESCRIBE SELECT * FROM @",
            "SELECT * FROM (PIVOT (FROM @) ON a IN (1) USING sum(b))",
            "SELECT 1 UNION ALL FROM @",
            "SELECT * FROM cpu WHERE EXISTS (FROM @)",
            "SELECT * FROM cpu, LATERAL (FROM @) x",
            "SELECT * FROM cpu ORDER BY (SELECT 1 FROM @)",
        };
        for (size_t k = 0; k < sizeof AROUND / sizeof *AROUND; k++) {
            char text[300];
            put_in(text, sizeof text, AROUND[k], NAMES[i]);
            check_refused(text, ARKA_FORBIDDEN, "table function");
        }
    }
}

TEST(functions_with_effects_are_refused_wherever_they_stand)
{
    static const char *const CALLS[] = {
        "getenv('HOME')",
        "current_setting('x')",
        "nextval('s')",
        "currval('s')",
        "getvariable('x')",
        "setseed(0.5)",
        "write_log('x')",
        "sleep_ms(5)",
        "pg_sleep(5)",
        "json_serialize_plan('SELECT 1')",
        "json_serialize_sql('SELECT 1')",
        "txid_current()",
        "create_sort_key(1, 'ASC')",
        "finalize(x)",
        "arc_files('d', 't')",
        "arc_schema('x')",
        "pg_get_viewdef(1)",
        "GETENV('HOME')",
        "\"getenv\"('HOME')",
        "main.getenv('x')",
    };
    static const char *const AROUND[] = {
        "SELECT @",
        "SELECT 1 + @",
        "SELECT * FROM t WHERE @ = 1",
        "SELECT 1 ORDER BY @",
        "SELECT 1 FROM t GROUP BY @",
        "SELECT 1 FROM t HAVING @ > 1",
        "SELECT 1 LIMIT @",
        "SELECT sum(x) FILTER (WHERE @) FROM t",
        "SELECT sum(x) OVER (ORDER BY @) FROM t",
        "SELECT list_transform([1], y -> @)",
        "SELECT CASE WHEN true THEN @ END",
        "SELECT x BETWEEN 1 AND @ FROM t",
        "SELECT CAST(@ AS VARCHAR)",
        "SELECT [@]",
        "SELECT {'a': @}",
        "SELECT * FROM t JOIN u ON @",
        "VALUES (@)",
        "SELECT (SELECT @)",
        "SELECT * FROM range(@)",
        "WITH a AS (SELECT @) SELECT 1",
        "SELECT DISTINCT ON (@) 1",
        "SELECT * REPLACE (@ AS a) FROM t",
        "SELECT string_agg(a, ',' ORDER BY @) FROM t",
        "EXPLAIN SELECT @",
        "DESCRIBE SELECT @",
        "SELECT @ COLLATE NOCASE",
        "SELECT try(@)",
        "SELECT COLUMNS(c -> @) FROM t",
        "SELECT a[@] FROM t",
        "SELECT coalesce(NULL, @)",
        "SELECT 1 QUALIFY @",
        "SELECT 1 WHERE EXISTS (SELECT @)",
    };
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
        for (size_t k = 0; k < sizeof AROUND / sizeof *AROUND; k++) {
            char text[300];
            put_in(text, sizeof text, AROUND[k], CALLS[i]);
            check_refused(text, ARKA_FORBIDDEN, "is not allowed");
        }
    check_refused("SELECT sum(x) EXPORT_STATE FROM t", ARKA_FORBIDDEN, "EXPORT_STATE");
    check_refused("SELECT lag(x, -9223372036854775808) OVER () FROM t", ARKA_FORBIDDEN,
                  "an offset");
    check_refused("SELECT lead(x, -9223372036854775807 - 1) OVER () FROM t", ARKA_FORBIDDEN,
                  "an offset");
    check_refused("SELECT lag(1, (SELECT -9223372036854775808)) OVER ()", ARKA_FORBIDDEN,
                  "an offset");
    check_refused(
        "SELECT lag(x, CASE WHEN true THEN -9223372036854775808 ELSE x END) OVER () FROM t",
        ARKA_FORBIDDEN, "an offset");
    check_refused("SELECT -9223372036854775808 AS o, lag(x, o) OVER () FROM t", ARKA_FORBIDDEN,
                  "an offset");
    check_refused("SELECT ntile(2 ORDER BY y) OVER (ORDER BY y) FROM t", ARKA_FORBIDDEN,
                  "ORDER BY inside of ntile");
    arka_inspection_unref(inspect("SELECT string_agg(h, ',' ORDER BY v) OVER (ORDER BY v) FROM t"));
    check_refused("SELECT reservoir_quantile(x, 0.5, 2147483647) FROM t", ARKA_FORBIDDEN,
                  "function reservoir_quantile");
    check_refused("SELECT json_structure(x) FROM t", ARKA_FORBIDDEN, "function json_structure");
    check_refused("SELECT x GLOB '*a*b' FROM t", ARKA_FORBIDDEN, "function ~~~");
    check_refused("SELECT x::JSON::VARIANT FROM t", ARKA_FORBIDDEN, "type VARIANT");
    check_refused("SELECT TRY_CAST(x AS MAP(INT, STRUCT(a VARIANT[])[])) FROM t", ARKA_FORBIDDEN,
                  "type VARIANT");
    check_refused("SELECT x::main.\"variant\" FROM t", ARKA_FORBIDDEN, "type VARIANT");
    arka_inspection_unref(inspect("SELECT 'VARIANT', {'id': 'VARIANT'}, \"VARIANT\" FROM t"));
    check_refused("SELECT no_such_function(1)", ARKA_INPUT, "does not exist, or may not be called");
    check_refused("SELECT query('SELECT 1')", ARKA_INPUT, "does not exist, or may not be called");
    check_refused("SELECT read_text('x')", ARKA_INPUT, "does not exist, or may not be called");
}

TEST(what_clients_send_is_allowed)
{
    static const char *const TEXTS[] = {
        "SELECT to_timestamp((epoch_ns(time) // 1000000000 // 60) * 60) t, avg(v) FROM c GROUP BY "
        "1",
        "SELECT time_bucket(INTERVAL '10 seconds', time), time_bucket('1 hour', time) FROM c",
        "SELECT date_trunc('hour', time), extract(hour FROM time), epoch(time), epoch_ms(time) "
        "FROM c",
        "SELECT lag(v, 3) OVER (), lead(v, -2, 0.5) OVER () FROM c",
        "SELECT LAG(v) OVER (ORDER BY time), GREATEST(1, 2), AVG(v) OVER (ORDER BY time ROWS "
        "BETWEEN "
        "5 PRECEDING AND CURRENT ROW) FROM c",
        "SELECT NOW() - INTERVAL '15 minutes', CURRENT_DATE, INTERVAL 5 MINUTE, current_timestamp",
        "SELECT * FROM c WHERE host ILIKE '%a%' AND UPPER(h) IN ('A') AND h NOT LIKE 'x' AND "
        "regexp_matches(h, 'a') AND h SIMILAR TO 'a'",
        "SELECT round(avg(value)::numeric, 2), \"host.name\" FROM c GROUP BY ALL",
        "SELECT quantile_cont(v, 0.5), percentile_cont(0.9) WITHIN GROUP (ORDER BY v), median(v), "
        "mode(h), first(v ORDER BY time), arg_max(v, time), approx_count_distinct(h), stddev(v), "
        "string_agg(h, ','), count(*) FILTER (WHERE v > 1), count(DISTINCT h) FROM c",
        "SELECT a % 2, a || 'x', a ^ 2, ~a, a & 1, a << 1, -a, NOT true, a IS NULL, a // 2 FROM c",
        "SELECT strftime(time, '%Y'), split_part(h, '.', 1), coalesce(a, b), nullif(a, b), "
        "ifnull(a, b), try_cast(a AS INT), a::DOUBLE FROM c",
        "SELECT list_value(1), [1, 2], {'a': 1}, MAP {'a': 1}, x['a'], unnest([1]), array_agg(v), "
        "[y * 2 FOR y IN [1, 2] IF y > 1] FROM c",
        "SELECT json_extract(j, '$.a'), j->'a', j->>'a', json_object('a', 1), to_json(c) FROM c",
        "SELECT random(), uuid(), version(), typeof(1), md5('x'), hash(1), current_database()",
        "SELECT DISTINCT ON (h) * FROM c ORDER BY h, time DESC NULLS LAST",
        "SELECT * FROM c ASOF JOIN d ON c.time >= d.time",
        "SELECT * FROM c TABLESAMPLE 10% (bernoulli)",
        "SELECT * FROM c POSITIONAL JOIN d",
        "SELECT h, sum(v) FROM c GROUP BY ROLLUP (h), CUBE (h), GROUPING SETS ((h), ())",
        "SELECT 1 AS \"AVG(usage)\" ORDER BY \"AVG(usage)\"",
        "SELECT ('x').upper(), h.upper() FROM c",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        arka_inspection_unref(inspect(TEXTS[i]));
}

TEST(show_is_recognised)
{
    static const struct {
        const char *text;
        arka_statement statement;
        const char *database;
    } CASES[] = {
        {"SHOW DATABASES", ARKA_STATEMENT_SHOW_DATABASES, ""},
        {" /* x */ show databases ; ", ARKA_STATEMENT_SHOW_DATABASES, ""},
        {"SHOW TABLES", ARKA_STATEMENT_SHOW_TABLES, ""},
        {"-- c\nShow Tables From prod;", ARKA_STATEMENT_SHOW_TABLES, "prod"},
        {"SHOW TABLES FROM default", ARKA_STATEMENT_SHOW_TABLES, "default"},
        {"SHOW TABLES FROM \"a-b\"", ARKA_STATEMENT_SHOW_TABLES, "a-b"},
        {"SHOW TABLES FROM \"a\"\"b\"", ARKA_STATEMENT_SHOW_TABLES, "a\"b"},
        {"SHOW MEASUREMENTS", ARKA_STATEMENT_SHOW_TABLES, ""},
        {"SHOW MEASUREMENTS IN x", ARKA_STATEMENT_SHOW_TABLES, "x"},
        {"SELECT 1", ARKA_STATEMENT_SELECT, ""},
        {"DESCRIBE x", ARKA_STATEMENT_DESCRIBE, ""},
        {"SUMMARIZE x", ARKA_STATEMENT_DESCRIBE, ""},
        {"EXPLAIN SELECT 1", ARKA_STATEMENT_EXPLAIN, ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_inspection *inspection = inspect(CASES[i].text);
        assert_int_equal(inspection->statement, CASES[i].statement);
        assert_true(arka_slice_eq(inspection->show_database, arka_slice_of(CASES[i].database)));
        arka_inspection_unref(inspection);
    }
    static const char *const BAD[] = {"SHOW",
                                      "SHOW cpu",
                                      "SHOW ALL TABLES",
                                      "SHOW SCHEMAS",
                                      "SHOW TABLES; DROP TABLE x",
                                      "SHOW DATABASES FROM x",
                                      "SHOW VARIABLES",
                                      "SHOW TABLES FROM a.b",
                                      "SHOW TABLES LIKE 'x'"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        check_refused(BAD[i], ARKA_FORBIDDEN, "SHOW can only be");
    check_refused("SHOW TABLES FROM 'x'", ARKA_INPUT, "the name of a database");
    check_refused("SHOW TABLES FROM", ARKA_INPUT, "the name of a database");
}

TEST(default_is_a_schema_without_quotes)
{
    static const struct {
        const char *text, *sql, *tables;
    } CASES[] = {
        {"SELECT * FROM default.cpu", "SELECT * FROM \"default\".cpu", "default.cpu"},
        {"SELECT * FROM DEFAULT . cpu", "SELECT * FROM \"DEFAULT\" . cpu", "DEFAULT.cpu"},
        {"SELECT default.cpu.host FROM default.cpu",
         "SELECT \"default\".cpu.host FROM \"default\".cpu", "default.cpu"},
        {"SELECT 'default.x', \"default.y\" /* default.z */ FROM default.cpu -- default.w",
         "SELECT 'default.x', \"default.y\" /* default.z */ FROM \"default\".cpu -- default.w",
         "default.cpu"},
        {"SELECT $$default.x$$, e'\\'default.y' FROM \"default\".cpu",
         "SELECT $$default.x$$, e'\\'default.y' FROM \"default\".cpu", "default.cpu"},
        {"SELECT cpu.default FROM cpu", "SELECT cpu.default FROM cpu", "cpu"},
        {"DESCRIBE default.cpu", "DESCRIBE \"default\".cpu", "default.cpu"},
        {"EXPLAIN FROM default.cpu", "EXPLAIN FROM \"default\".cpu", "default.cpu"},
        {"FROM default/**/./**/cpu", "FROM \"default\"/**/./**/cpu", "default.cpu"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_inspection *inspection = inspect(CASES[i].text);
        assert_string_equal(inspection->text.sql.data, CASES[i].sql);
        arka_inspection_unref(inspection);
        check_tables(CASES[i].text, CASES[i].tables);
    }
}

TEST(complaints_point_into_the_users_text)
{
    check_refused("SELECT getenv('x')", ARKA_FORBIDDEN,
                  "function getenv is not allowed\n\nLINE 1: SELECT getenv('x')\n               ^");
    check_refused("SELECT *\nFROM default.cpu,\n  read_text('x')", ARKA_FORBIDDEN,
                  "\n\nLINE 3:   read_text('x')\n          ^");
    check_refused("SELECT 1 FROM default.a, default.b WHERE getenv(1)", ARKA_FORBIDDEN,
                  "LINE 1: SELECT 1 FROM default.a, default.b WHERE getenv(1)\n"
                  "                                                 ^");
    check_refused("EXPLAIN SELECT * FROM default.a, 'x'", ARKA_FORBIDDEN,
                  "LINE 1: EXPLAIN SELECT * FROM default.a, 'x'\n"
                  "                                         ^");
    check_refused("SELECT 'größer', getenv(1)", ARKA_FORBIDDEN,
                  "LINE 1: SELECT 'größer', getenv(1)\n                         ^");
    check_refused("SELECT 1 FRO default.cpu x y", ARKA_INPUT,
                  "LINE 1: SELECT 1 FRO default.cpu x y");
    check_refused("SELECT 1111111111, 2222222222, 3333333333, 4444444444, 5555555555, getenv(6), "
                  "7777777777, 8888888888, 9999999999",
                  ARKA_FORBIDDEN,
                  "LINE 1: ...3333333333, 4444444444, 5555555555, getenv(6), 7777777777, "
                  "8888888888, 9...\n                                               ^");
}

TEST(information_schema_is_known_by_three_views)
{
    arka_inspection *i = inspect("SELECT * FROM INFORMATION_SCHEMA.TABLES t, cpu");
    assert_true(i->information_schema);
    assert_int_equal(i->n_uses, 1);
    arka_inspection_unref(i);
    i = inspect("SELECT * FROM Information_Schema.columns");
    assert_true(i->information_schema);
    arka_inspection_unref(i);
    check_tables("SELECT * FROM information_schema.views", "information_schema.views");
    check_tables("SELECT * FROM pg_catalog.pg_class", "pg_catalog.pg_class");
    check_tables("SELECT * FROM main.duckdb_settings", "main.duckdb_settings");
    check_tables("SELECT * FROM duckdb_settings", "duckdb_settings");
    check_tables("SELECT * FROM sqlite_master", "sqlite_master");
}
