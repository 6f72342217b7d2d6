#include <errno.h>
#include <unistd.h>

#include "kit/sql.h"
#include "os/thread.h"

static arka_query_options csv(const char *database, const char *text)
{
    return (arka_query_options){.text = arka_slice_of(text),
                                .database = arka_slice_of(database),
                                .format = ARKA_FORMAT_CSV};
}

static arka_status read_all(arka_query *q, arka_buf *out, arka_error *err)
{
    for (bool done = false; !done;)
        ARKA_TRY(arka_query_next(q, out, &done, err));
    return ARKA_OK;
}

static arka_status ask(const arka_query_options *options, arka_buf *out, arka_error *err)
{
    arka_query *q = NULL;
    arka_buf_clear(out);
    arka_status status = arka_query_start(sql, options, &q, err);
    if (status == ARKA_OK)
        status = read_all(q, out, err);
    arka_query_free(q);
    arka_buf_cstr(out);
    return status;
}

static void check_csv(const char *text, const char *expected)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_query_options options = csv("default", text);
    if (ask(&options, &out, &err) != ARKA_OK)
        fail_msg("%s: %s", text, err.msg);
    assert_string_equal(out.data, expected);
    arka_buf_fini(&out);
}

static void check_ask_fails(const char *text, arka_status status, const char *says)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_query_options options = csv("default", text);
    ASSERT_FAILS(ask(&options, &out, &err), status, says);
    arka_buf_fini(&out);
}

TEST(answers_are_encoded)
{
    open_service("answers");
    put("default", "cpu", "time:t host:s v:f", "1000000 a 1.5", "2000000 - 2");
    check_csv("SELECT 1 AS one", "one\r\n1\r\n");
    check_csv("SELECT * FROM default.cpu ORDER BY time;",
              "time,host,v\r\n1970-01-01T00:00:01Z,a,1.5\r\n1970-01-01T00:00:02Z,,2\r\n");
    check_csv("SELECT v FROM cpu LIMIT 0", "v\r\n");
    check_csv("DESCRIBE cpu", "column_name,column_type,null,key,default,extra\r\n"
                              "time,TIMESTAMP WITH TIME ZONE,YES,,,\r\nhost,VARCHAR,YES,,,\r\n"
                              "v,DOUBLE,YES,,,\r\n");
    check_csv("DESCRIBE SELECT v AS x FROM cpu",
              "column_name,column_type,null,key,default,extra\r\nx,DOUBLE,YES,,,\r\n");
    check_csv("SUMMARIZE SELECT v FROM cpu LIMIT 0",
              "column_name,column_type,min,max,approx_unique,avg,std,q25,q50,q75,count,"
              "null_percentage\r\nv,DOUBLE,,,0,,,,,,0,\r\n");
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_query_options options = csv("default", "SELECT v FROM cpu");
    arka_query *q;
    ASSERT_OK(arka_query_start(sql, &options, &q, &err));
    ASSERT_OK(read_all(q, &out, &err));
    bool done = false;
    ASSERT_OK(arka_query_next(q, &out, &done, &err)); /* behind the end is the end */
    assert_true(done);
    assert_int_equal(arka_query_n_rows(q), 2);
    assert_true(arka_query_ms(q) > 0);
    arka_query_free(q);
    arka_query_free(NULL);
    arka_buf_fini(&out);
    close_service();
}

TEST(show_lists_databases_and_tables)
{
    open_service("show");
    check_csv("SHOW DATABASES", "database\r\ndefault\r\n");
    check_csv("SHOW TABLES", "database,table_name,storage_path,file_count,total_size_mb\r\n");
    put("default", "cpu", "time:t v:i", "1 1");
    put("prod", "b.c", "time:t v:i", "1 1");
    put("prod", "a", "time:t v:i", "1 1");
    check_csv("SHOW DATABASES;", "database\r\ndefault\r\nprod\r\n");
    check_csv("SHOW TABLES FROM prod",
              "database,table_name,storage_path,file_count,total_size_mb\r\n"
              "prod,a,prod/a,0,0\r\nprod,b.c,prod/b.c,0,0\r\n");
    check_csv("show measurements", "database,table_name,storage_path,file_count,total_size_mb\r\n"
                                   "default,cpu,default/cpu,0,0\r\n");
    check_csv("SHOW TABLES FROM nope",
              "database,table_name,storage_path,file_count,total_size_mb\r\n");
    flush("default", "cpu");
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_query_options options = csv("default", "SHOW TABLES");
    ASSERT_OK(ask(&options, &out, &err));
    assert_non_null(strstr(out.data, "default,cpu,default/cpu,1,0.00"));

    options = csv("prod", "SHOW TABLES FROM default");
    options.scoped = true;
    ASSERT_FAILS(ask(&options, &out, &err), ARKA_FORBIDDEN, "limited to database 'prod'");
    options.text = ARKA_SLICE("SHOW TABLES FROM Prod");
    ASSERT_OK(ask(&options, &out, &err));
    options.text = ARKA_SLICE("SHOW DATABASES");
    ASSERT_OK(ask(&options, &out, &err));
    arka_buf_fini(&out);
    close_service();
}

TEST(a_damaged_file_is_no_fault_of_the_statement_and_its_place_is_not_told)
{
    arka_error err = {0};
    arka_snapshot *snapshot;
    open_service("damaged");
    put("default", "cpu", "time:t v:f", "1000000 1.5");
    flush("default", "cpu");
    ASSERT_OK(
        arka_engine_snapshot(engine, ARKA_SLICE("default"), ARKA_SLICE("cpu"), &snapshot, &err));
    assert_int_equal(snapshot->n_files, 1);
    assert_int_equal(truncate(snapshot->files[0]->path, 100), 0);
    for (int i = 0; i < 2; i++) {
        arka_query_options options = csv("default", "SELECT v FROM cpu WHERE v > 1");
        arka_buf out = ARKA_BUF_INIT;
        ASSERT_FAILS(ask(&options, &out, &err), ARKA_IO, "default/cpu/1970/01/01/00/cpu_");
        if (strstr(err.msg, kit_tmpdir()) != NULL)
            fail_msg("%s", err.msg);
        arka_buf_fini(&out);
        err = (arka_error){0};
        assert_int_equal(remove(snapshot->files[0]->path), i == 0 ? 0 : -1);
    }
    check_csv("SELECT 1 AS one", "one\r\n1\r\n");
    arka_snapshot_unref(snapshot);
    close_service();
}

TEST(the_schema_is_the_querys_own)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    open_service("schema");
    put("default", "cpu", "time:t v:f", "1000000 1.5");
    put("other", "cpu", "time:t v:f", "1000000 2.5");
    static const char *const DATABASES[] = {"other", "default", "other"};
    for (int i = 0; i < 3; i++) {
        char expected[64];
        arka_query_options options =
            csv(DATABASES[i], "SELECT current_schema() AS a, current_schema AS b");
        snprintf(expected, sizeof expected, "a,b\r\n%s,%s\r\n", DATABASES[i], DATABASES[i]);
        ASSERT_OK(ask(&options, &out, &err));
        assert_string_equal(out.data, expected);
        options = csv(DATABASES[(i + 1) % 3], "SELECT v FROM cpu");
        ASSERT_OK(ask(&options, &out, &err));
    }
    arka_query_options options = csv("nowhere", "SELECT 1, current_schema()");
    ASSERT_FAILS(ask(&options, &out, &err), ARKA_NOTFOUND, "unknown database: nowhere");
    arka_buf_fini(&out);
    close_service();
}

TEST(errors_come_with_duckdbs_words_on_the_users_text)
{
    open_service("errors");
    put("default", "cpu", "time:t host:s v:f", "1 a 1.5");
    check_ask_fails("SELECT foo FROM default.cpu", ARKA_INPUT,
                    "Binder Error: Referenced column \"foo\" not found in FROM clause!\nCandidate "
                    "bindings: \"host\"\n\nLINE 1: SELECT foo FROM default.cpu\n               ^");
    check_ask_fails("SELECT 1\nFROM default.cpu\nWHERE default.cpu.foo > 1", ARKA_INPUT,
                    "\n\nLINE 3: WHERE default.cpu.foo > 1\n              ^");
    check_ask_fails("SELECT v + host FROM cpu", ARKA_INPUT, "'+(DOUBLE, VARCHAR)'");
    check_ask_fails("SELECT abs('x', 1) FROM cpu", ARKA_INPUT, "No function matches");
    check_ask_fails("SELECT CAST(host AS INTEGER) FROM cpu", ARKA_INPUT,
                    "Conversion Error: Could not convert string 'a' to INT32");
    check_ask_fails("SELECT error('my words')", ARKA_INPUT, "my words");
    check_ask_fails("SELECT * FROM cpu WHERE time > 5", ARKA_INPUT, "Binder Error");
    check_ask_fails("SELECT host FROM cpu GROUP BY v", ARKA_INPUT, "must appear in the GROUP BY");
    check_ask_fails("", ARKA_INPUT, "empty");
    check_ask_fails("DROP TABLE cpu", ARKA_FORBIDDEN, "only one SELECT");
    check_csv("SELECT count(*) AS n FROM cpu", "n\r\n1\r\n"); /* the session is as good as new */
    close_service();
}

TEST(an_error_in_a_late_row_breaks_the_answer)
{
    open_service("late");
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_query *q;
    arka_query_options options = csv(
        "default", "SELECT CAST(if(i = 3000000, 'x', '1') AS INTEGER) FROM range(4000000) t(i)");
    ASSERT_OK(arka_query_start(sql, &options, &q, &err));
    ASSERT_FAILS(read_all(q, &out, &err), ARKA_INPUT, "Could not convert string 'x'");
    assert_true(out.len > 1000000);
    arka_query_free(q);
    arka_buf_fini(&out);
    check_csv("SELECT 1 AS a", "a\r\n1\r\n");
    close_service();
}

TEST(sessions_run_out_and_come_back)
{
    arka_error err = {0};
    arka_query *q[3];
    open_service_with("busy", (arka_sql_options){.threads = 1, .max_sessions = 2});
    arka_query_options options = csv("default", "SELECT * FROM range(10000000)");
    ASSERT_OK(arka_query_start(sql, &options, &q[0], &err));
    ASSERT_OK(arka_query_start(sql, &options, &q[1], &err));
    ASSERT_FAILS(arka_query_start(sql, &options, &q[2], &err), ARKA_BUSY, "all 2 SQL sessions");
    arka_query_free(q[0]); /* in the middle */
    ASSERT_OK(arka_query_start(sql, &options, &q[0], &err));
    arka_query_free(q[0]);
    arka_query_free(q[1]);
    close_service();
}

/* ---- stopping ---- */

static const char ENDLESS[] =
    "SELECT sum(a.i * b.i) FROM range(1000000) a(i), range(1000000) b(i) WHERE a.i % 7 < b.i % 11";

typedef struct asked {
    arka_query_options options;
    arka_status status;
    arka_error err;
    double ms;
} asked;

static void ask_it(void *context)
{
    asked *a = context;
    arka_buf out = ARKA_BUF_INIT;
    arka_mono begin = arka_mono_now();
    a->status = ask(&a->options, &out, &a->err);
    a->ms = arka_mono_since_ms(begin);
    arka_buf_fini(&out);
}

TEST(a_deadline_stops_a_query_before_its_first_row)
{
    open_service("deadline");
    asked a = {.options = csv("default", ENDLESS)};
    a.options.deadline = arka_mono_after_ms(200);
    ask_it(&a);
    assert_int_equal(a.status, ARKA_CANCELLED);
    assert_int_equal(a.err.sys, ETIMEDOUT);
    assert_non_null(strstr(a.err.msg, "took longer"));
    assert_true(a.ms >= 199);
    print_message("stopped %.1f ms after its deadline\n", a.ms - 200);
    assert_true(a.ms < 1200);
    a = (asked){.options = csv("default", "SELECT 1")};
    a.options.deadline = arka_mono_after_ms(-1);
    ask_it(&a);
    assert_int_equal(a.status, ARKA_CANCELLED);
    check_csv("SELECT 1 AS a", "a\r\n1\r\n");
    close_service();
}

TEST(a_deadline_stops_a_query_between_its_rows)
{
    open_service("between");
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_query *q;
    arka_query_options options = csv("default", "SELECT * FROM range(100000000000)");
    options.deadline = arka_mono_after_ms(200);
    ASSERT_OK(arka_query_start(sql, &options, &q, &err));
    arka_status status = ARKA_OK;
    for (bool done = false; status == ARKA_OK && !done; out.len = 0)
        status = arka_query_next(q, &out, &done, &err);
    assert_int_equal(status, ARKA_CANCELLED);
    arka_query_free(q);
    arka_buf_fini(&out);
    close_service();
}

typedef struct canceller {
    arka_query *query;
    arka_mono at;
} canceller;

static void cancel_soon(void *context)
{
    canceller *c = context;
    usleep(100000);
    c->at = arka_mono_now();
    arka_query_cancel(c->query);
}

/* After the first rows none come: the query is at work in `next` when it is told to stop. */
TEST(cancelling_stops_the_work_soon)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_thread thread;
    canceller c = {0};
    open_service("cancel");
    arka_query_options options =
        csv("default", "SELECT i FROM range(100000000000) t(i) WHERE i < 1000000 OR i = -1");
    ASSERT_OK(arka_query_start(sql, &options, &c.query, &err));
    ASSERT_OK(arka_thread_start(&thread, "canceller", cancel_soon, &c, &err));
    arka_status status = read_all(c.query, &out, &err);
    double ms = arka_mono_since_ms(c.at);
    assert_int_equal(status, ARKA_CANCELLED);
    assert_string_equal(err.msg, "the query was cancelled");
    arka_thread_join(&thread);
    arka_query_cancel(c.query); /* harmless */
    arka_query_free(c.query);
    print_message("stopped %.1f ms after it was told to\n", ms);
    assert_true(ms < 1000);
    check_csv("SELECT 1 AS a", "a\r\n1\r\n");
    arka_buf_fini(&out);
    close_service();
}

/* ---- limits ---- */

TEST(memory_has_a_limit)
{
    open_service_with("memory", (arka_sql_options){.threads = 1, .memory_limit_bytes = 64 << 20});
    check_ask_fails("SELECT list(i) FROM range(100000000) t(i)", ARKA_LIMIT, "Out of Memory Error");
    check_csv("SELECT count(*) AS n FROM (SELECT DISTINCT i FROM range(10000) t(i))",
              "n\r\n10000\r\n");
    close_service();
}

TEST(sorting_spills_to_the_temporary_directory)
{
    char spill[128];
    snprintf(spill, sizeof spill, "%s/spill/deep", kit_tmpdir());
    open_service_with(
        "spill",
        (arka_sql_options){.threads = 1, .memory_limit_bytes = 96 << 20, .temp_dir = spill});
    check_csv("SELECT count(*) AS n, max(x) AS x FROM (SELECT hash(i)::VARCHAR || "
              "'--------------------------------' AS x, row_number() OVER (ORDER BY x) AS r FROM "
              "range(3000000) t(i)) WHERE r > 0 AND length(x) < 0",
              "n,x\r\n0,\r\n");
    close_service();
}

TEST(duckdb_itself_is_locked_down)
{
    open_service("locked");
    put("default", "cpu", "time:t v:i", "1 1");
    static const char *const STATEMENTS[] = {
        "COPY (SELECT 1) TO '/tmp/arka-outside.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "ATTACH '/tmp/arka-outside.db'",
        "INSTALL httpfs",
        "LOAD '/tmp/arka-outside.duckdb_extension'",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET lock_configuration = false",
        "SET GLOBAL allowed_directories = ['/']",
    };
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof *STATEMENTS; i++) {
        duckdb_result result;
        if (duckdb_query(sql->instance->sessions[0].connection, STATEMENTS[i], &result) ==
            DuckDBSuccess)
            fail_msg("DuckDB did it: %s", STATEMENTS[i]);
        duckdb_destroy_result(&result);
    }
    close_service();
}

/* ---- counting ---- */

TEST(estimates_count_the_rows)
{
    arka_error err = {0};
    int64_t n = -1;
    open_service("estimate");
    put("default", "cpu", "time:t v:i", "1 1", "2 2", "3 3");
    static const struct {
        const char *text;
        int64_t rows;
    } CASES[] = {
        {"SELECT * FROM default.cpu", 3},
        {"SELECT v, v FROM cpu WHERE v > 1 ORDER BY v -- the end", 2},
        {"SELECT 'a;b' FROM cpu LIMIT 1; -- done", 1},
        {"WITH x AS (FROM cpu) FROM x UNION ALL FROM x", 6},
        {"FROM cpu", 3},
        {"VALUES (1), (2)", 2},
        {"SELECT v FROM cpu WHERE time >= '2000-01-01'", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_query_options options = csv("default", CASES[i].text);
        ASSERT_OK(arka_query_estimate(sql, &options, &n, &err));
        assert_int_equal(n, CASES[i].rows);
    }
    arka_query_options options = csv("default", "SELECT foo FROM default.cpu");
    ASSERT_FAILS(arka_query_estimate(sql, &options, &n, &err), ARKA_INPUT,
                 "LINE 1: SELECT foo FROM default.cpu\n               ^");
    static const char *const NOT[] = {"SHOW TABLES", "DESCRIBE cpu", "EXPLAIN SELECT 1"};
    for (size_t i = 0; i < sizeof NOT / sizeof *NOT; i++) {
        options = csv("default", NOT[i]);
        ASSERT_FAILS(arka_query_estimate(sql, &options, &n, &err), ARKA_INPUT, "only a SELECT");
    }
    options = csv("default", "SELECT * FROM nope");
    ASSERT_FAILS(arka_query_estimate(sql, &options, &n, &err), ARKA_NOTFOUND, "default.nope");
    close_service();
}
