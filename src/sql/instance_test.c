/* Another DuckDB in place of one that has given up. */
#include "kit/sql.h"

static arka_query *start(const char *text)
{
    arka_error err = {0};
    arka_query *q;
    arka_query_options options = {.text = arka_slice_of(text), .format = ARKA_FORMAT_CSV};
    ASSERT_OK(arka_query_start(sql, &options, &q, &err));
    return q;
}

static void break_it(void)
{
    arka_mutex_lock(&sql->lock);
    sql->instance->broken = true;
    arka_mutex_unlock(&sql->lock);
}

TEST(queries_go_on_after_an_instance_broke)
{
    open_service_with("broken", (arka_sql_options){.threads = 2, .max_sessions = 3});
    put("default", "t", "time:t v:i", "1 1");
    flush("default", "t");
    put("default", "t", "time:t v:i", "2 2");
    check_rows("SELECT v FROM t ORDER BY v", "1|2");
    arka_instance *first = sql->instance;
    break_it();
    check_rows("SELECT v FROM t ORDER BY v", "1|2");
    assert_ptr_not_equal(sql->instance, first);
    assert_null(sql->retired); /* nobody was in it */
    put("default", "t", "time:t w:s", "3 x");
    check_rows("SELECT v, w FROM t WHERE time < '1970-01-02' ORDER BY time", "1 -|2 -|- x");
    close_service();
}

TEST(queries_in_a_broken_instance_end_there)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    bool done = false;
    open_service_with("retired", (arka_sql_options){.threads = 2, .max_sessions = 3});
    arka_query *a = start("SELECT * FROM range(3000000)");
    arka_query *b = start("SELECT * FROM range(3000000)");
    break_it();
    arka_query *c = start("SELECT 1 AS x");
    assert_non_null(sql->retired);
    arka_query_free(a);
    assert_non_null(sql->retired);
    while (!done)
        ASSERT_OK(arka_query_next(b, &out, &done, &err));
    assert_int_equal(arka_query_n_rows(b), 3000000);
    arka_query_free(b);
    assert_null(sql->retired); /* the last one has left */
    arka_query_free(c);
    arka_buf_fini(&out);
    close_service();
}

TEST(a_late_query_of_a_broken_instance_is_stopped)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_query *q;
    open_service("late");
    arka_query_options options = {.text = ARKA_SLICE("SELECT * FROM range(100000000000)"),
                                  .format = ARKA_FORMAT_CSV,
                                  .deadline = arka_mono_after_ms(150)};
    ASSERT_OK(arka_query_start(sql, &options, &q, &err));
    break_it();
    check_rows("SELECT 1", "1");
    arka_status status = ARKA_OK;
    for (bool done = false; status == ARKA_OK && !done; out.len = 0)
        status = arka_query_next(q, &out, &done, &err);
    assert_int_equal(status, ARKA_CANCELLED);
    arka_query_free(q);
    assert_null(sql->retired);
    arka_buf_fini(&out);
    close_service();
}

/* As after an internal error: here by an aborted transaction, which refuses everything too. */
TEST(a_session_that_no_longer_answers_breaks_its_instance)
{
    arka_error err = {0};
    open_service_with("silent", (arka_sql_options){.threads = 1, .max_sessions = 1});
    put("default", "t", "time:t v:i", "1 1");
    const arka_instance *first = sql->instance;
    const arka_session *s = &first->sessions[0];
    duckdb_result result;
    assert_int_equal(duckdb_query(s->connection, "BEGIN TRANSACTION", &result), DuckDBSuccess);
    duckdb_destroy_result(&result);
    assert_int_equal(duckdb_query(s->connection, "SELECT error('x')", &result), DuckDBError);
    duckdb_destroy_result(&result); /* "current transaction is aborted" from now on */
    arka_query_options options = {.text = ARKA_SLICE("SELECT v FROM t"), .format = ARKA_FORMAT_CSV};
    arka_query *q;
    arka_status status = arka_query_start(sql, &options, &q, &err);
    assert_int_equal(status, ARKA_INTERNAL);
    check_rows("SELECT v FROM t", "1");
    assert_ptr_not_equal(sql->instance, first);
    close_service();
}

TEST(a_doubt_alone_breaks_nothing)
{
    arka_error err = {0};
    arka_session *s;
    open_service("doubt");
    arka_instance *first = sql->instance;
    ASSERT_OK(arka_session_take(sql, (arka_mono){0}, &s, &err));
    arka_session_doubt(s);
    arka_session_give(s);
    check_rows("SELECT 1", "1");
    assert_ptr_equal(sql->instance, first);
    close_service();
}

TEST(usage_is_DuckDBs_own_and_needs_no_session)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    bool done = false;
    arka_sql_usage idle, busy;
    open_service_with("usage", (arka_sql_options){.threads = 2,
                                                  .max_sessions = 1,
                                                  .memory_limit_bytes = (size_t)256 << 20,
                                                  .max_temp_bytes = 64 << 20});
    ASSERT_OK(arka_sql_get_usage(sql, &idle, &err));
    assert_true(idle.used >= 0 && idle.spilled == 0 && idle.statements == 0);
    arka_query *q = start("SELECT max(i) OVER (ORDER BY i) AS m FROM range(2000000) t(i)");
    ASSERT_OK(arka_query_next(q, &out, &done, &err));
    assert_false(done);
    ASSERT_OK(arka_sql_get_usage(sql, &busy, &err));
    assert_true(busy.used > idle.used + (1 << 20) && busy.used <= 256 << 20);
    assert_true(busy.statements > 0 && busy.statements <= busy.max_statements);
    arka_query_free(q);
    arka_buf_fini(&out);
    break_it();
    ASSERT_OK(arka_sql_get_usage(sql, &busy, &err));
    close_service();
}
