#include "kit/sql.h"

/* Plans that the one session keeps. */
static int n_kept(void)
{
    int n = 0;
    for (int i = 0; i < ARKA_SESSION_PLANS; i++)
        n += sql->instance->sessions[0].plans[i].inspection != NULL;
    return n;
}

static void open_single(const char *name)
{
    open_service_with(name, (arka_sql_options){.threads = 2, .max_sessions = 1});
}

TEST(a_kept_plan_sees_what_is_there_now)
{
    open_single("now");
    put("default", "t", "time:t v:i", "1 1");
    check_rows("SELECT v FROM t ORDER BY v", "1");
    assert_int_equal(n_kept(), 1);
    check_rows("SELECT v FROM t ORDER BY v", "1");
    assert_int_equal(n_kept(), 1);
    put("default", "t", "time:t v:i", "2 2");
    check_rows("SELECT v FROM t ORDER BY v", "1|2");
    flush("default", "t"); /* hot rows only → files only */
    check_rows("SELECT v FROM t ORDER BY v", "1|2");
    put("default", "t", "time:t v:i", "3 3");
    check_rows("SELECT v FROM t ORDER BY v", "1|2|3");
    flush("default", "t"); /* another file */
    check_rows("SELECT v FROM t ORDER BY v", "1|2|3");
    check_rows("SELECT v FROM t ORDER BY v", "1|2|3");
    put("default", "t", "time:t v:f", "4 4.5"); /* another type */
    check_rows("SELECT v FROM t ORDER BY v", "1|2|3|4.5");
    put("default", "t", "time:t w:s", "5 x"); /* another column, through the same text */
    check_rows("SELECT v FROM t ORDER BY v", "1|2|3|4.5|-");
    check_rows("SELECT * FROM t WHERE w = 'x'", "1970-01-01T00:00:00.000005Z - x");
    assert_int_equal(n_kept(), 2);
    close_service();
}

TEST(new_columns_are_in_a_kept_star)
{
    open_single("star");
    put("default", "t", "time:t a:i", "1 1");
    for (int i = 0; i < 3; i++)
        check_rows("SELECT * EXCLUDE (time) FROM t ORDER BY time", "1");
    put("default", "t", "time:t b:s", "2 x");
    for (int i = 0; i < 3; i++)
        check_rows("SELECT * EXCLUDE (time) FROM t ORDER BY time", "1 -|- x");
    close_service();
}

TEST(the_same_text_in_another_database_is_another_plan)
{
    open_single("other");
    put("default", "t", "time:t v:i", "1 1");
    put("prod", "t", "time:t v:i", "1 2");
    for (int i = 0; i < 3; i++) {
        check_rows_in("default", "SELECT v FROM t", "1");
        check_rows_in("prod", "SELECT v FROM t", "2");
    }
    assert_int_equal(n_kept(), 2);
    close_service();
}

TEST(time_and_chance_go_on)
{
    arka_error err = {0};
    arka_buf a = ARKA_BUF_INIT, b = ARKA_BUF_INIT;
    open_single("chance");
    put("default", "t", "time:t v:i", "1 1");
    static const char *const TEXTS[] = {"SELECT now()", "SELECT random()", "SELECT epoch_us(now())",
                                        "SELECT now(), v FROM t", "SELECT random() FROM t"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        ASSERT_OK(query_rows("default", false, TEXTS[i], &a, &err));
        for (int k = 0; k < 3; k++) {
            int64_t us = arka_wall_us();
            while (arka_wall_us() <= us + 1)
                ;
            ASSERT_OK(query_rows("default", false, TEXTS[i], &b, &err));
            assert_string_not_equal(a.data, b.data);
        }
    }
    arka_buf_fini(&a);
    arka_buf_fini(&b);
    close_service();
}

TEST(the_time_range_is_that_of_each_run)
{
    open_single("range");
    char row[64];
    put("default", "t", "time:t v:i", "1 1");
    check_rows("SELECT v FROM t WHERE time > now() - INTERVAL '1 hour'", "");
    snprintf(row, sizeof row, "%lld 2", (long long)arka_wall_us());
    put("default", "t", "time:t v:i", row);
    check_rows("SELECT v FROM t WHERE time > now() - INTERVAL '1 hour'", "2");
    flush("default", "t");
    check_rows("SELECT v FROM t WHERE time > now() - INTERVAL '1 hour'", "2");
    close_service();
}

TEST(what_failed_is_not_kept)
{
    open_single("failed");
    put("default", "t", "time:t v:s", "1 x");
    check_fails("SELECT v::INTEGER FROM t", ARKA_INPUT, "Conversion Error");
    check_fails("SELECT nope FROM t", ARKA_INPUT, "Binder Error");
    assert_int_equal(n_kept(), 0);
    check_fails("SELECT v::INTEGER FROM t", ARKA_INPUT, "Conversion Error");
    close_service();
}

TEST(the_oldest_makes_room)
{
    open_single("room");
    for (int i = 0; i < 3 * ARKA_SESSION_PLANS; i++) {
        char text[64], expected[16];
        snprintf(text, sizeof text, "SELECT %d", i);
        snprintf(expected, sizeof expected, "%d", i);
        check_rows(text, expected);
    }
    assert_int_equal(n_kept(), ARKA_SESSION_PLANS);
    check_rows("SELECT 0", "0");
    close_service();
}

TEST(a_kept_plan_holds_no_rows)
{
    open_single("rows");
    put("default", "t", "time:t v:i", "1 1");
    check_rows("SELECT v FROM t", "1");
    arka_error err = {0};
    arka_snapshot *snapshot;
    ASSERT_OK(
        arka_engine_snapshot(engine, ARKA_SLICE("default"), ARKA_SLICE("t"), &snapshot, &err));
    arka_batch *batch = snapshot->hot[0].batch;
    arka_batch_ref(batch);
    arka_snapshot_unref(snapshot);
    flush("default", "t");
    check_rows("SELECT 1", "1");
    assert_int_equal(n_kept(), 2);
    assert_int_equal(atomic_load(&batch->ref.count), 1); /* only ours */
    arka_batch_unref(batch);
    close_service();
}
