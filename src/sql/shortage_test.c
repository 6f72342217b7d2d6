/* Each allocation of ours fails in turn: the error says so, nothing leaks, and the next query
 * works. */
#include "kit/sql.h"

static arka_status ask(const char *text, arka_error *err)
{
    arka_buf out = ARKA_BUF_INIT;
    arka_query_options options = {.text = arka_slice_of(text), .format = ARKA_FORMAT_JSON};
    arka_query *q = NULL;
    bool done = false;
    arka_status status = arka_query_start(sql, &options, &q, err);
    while (status == ARKA_OK && !done)
        status = arka_query_next(q, &out, &done, err);
    arka_query_free(q);
    arka_buf_fini(&out);
    return status;
}

static arka_status estimate(const char *text, arka_error *err)
{
    int64_t n;
    arka_query_options options = {.text = arka_slice_of(text)};
    return arka_query_estimate(sql, &options, &n, err);
}

static arka_status select_to_sql(const char *text, arka_error *err)
{
    arka_buf out = ARKA_BUF_INIT;
    arka_select select = {.measurement = ARKA_SLICE("t"),
                          .columns = ARKA_SLICE("time,v"),
                          .where = arka_slice_of(text),
                          .order_by = ARKA_SLICE("time DESC"),
                          .limit = 5};
    arka_status status = arka_select_to_sql(sql, &select, &out, err);
    arka_buf_fini(&out);
    return status;
}

/* `pattern` holds a "#" that is another number each time, so that no text comes twice. */
static void sweep(arka_status (*run)(const char *text, arka_error *err), const char *pattern)
{
    int n_failed = 0;
    for (int n = 1;; n++) {
        char text[300];
        arka_error err = {0};
        int before = (int)strcspn(pattern, "#");
        snprintf(text, sizeof text, "%.*s%d%s", before, pattern, n, pattern + before + 1);
        kit_fail_allocation(n, n % 2 == 0);
        arka_status status = run(text, &err);
        kit_fail_allocation(0, false);
        if (status == ARKA_OK && n > 100 && n_failed > 0)
            break;
        if (status != ARKA_OK) {
            n_failed++;
            if (status != ARKA_NOMEM)
                fail_msg("allocation %d, %s: %s: %s", n, text, arka_status_name(status), err.msg);
        }
        assert_true(n < 100000);
    }
    print_message("%d allocations failed: %s\n", n_failed, pattern);
    assert_true(n_failed > 3);
}

TEST(queries)
{
    open_service("queries");
    put("default", "t", "time:t v:i", "1 1", "2 2");
    flush("default", "t");
    put("default", "t", "time:t v:i w:s", "3 3 x");
    sweep(ask,
          "SELECT *, # FROM default.t WHERE time < now() AND time > '1960-01-01' ORDER BY time");
    sweep(ask, "SELECT # FROM t a JOIN t b USING (v) WHERE a.v > 0");
    sweep(ask, "SHOW TABLES -- #");
    sweep(ask, "SHOW DATABASES -- #");
    sweep(ask, "SELECT count(*), # FROM information_schema.columns");
    sweep(estimate, "SELECT #, v FROM t");
    sweep(select_to_sql, "v > #");
    check_rows("SELECT v, w FROM t ORDER BY v", "1 -|2 -|3 x");
    close_service();
}

TEST(views_of_new_tables)
{
    open_service("views");
    for (int n = 1, ok = 0; ok < 10; n++) {
        char name[32], text[100];
        arka_error err = {0};
        snprintf(name, sizeof name, "t%d", n);
        snprintf(text, sizeof text, "SELECT * FROM t%d", n);
        put("default", name, "time:t v:i", "1 1");
        kit_fail_allocation(n, false);
        arka_status status = ask(text, &err);
        kit_fail_allocation(0, false);
        ok = status == ARKA_OK ? ok + 1 : 0;
        if (status != ARKA_OK && status != ARKA_NOMEM)
            fail_msg("allocation %d: %s: %s", n, arka_status_name(status), err.msg);
        ASSERT_OK(ask(text, &err));
    }
    close_service();
}

TEST(opening)
{
    arka_error err = {0};
    char base[128];
    open_engine("opening");
    snprintf(base, sizeof base, "%s/opening", kit_tmpdir());
    arka_sql_options options = {
        .engine = engine, .data_dir = base, .threads = 1, .max_sessions = 2};
    arka_status status = ARKA_NOMEM;
    for (int n = 1; status != ARKA_OK; n++) {
        memset(&err, 0, sizeof err);
        kit_fail_allocation(n, n % 2 == 0);
        status = arka_sql_open(&options, &sql, &err);
        kit_fail_allocation(0, false);
        if (status != ARKA_OK && status != ARKA_NOMEM)
            fail_msg("allocation %d: %s", n, err.msg);
        assert_true(n < 1000);
    }
    close_service();
}
