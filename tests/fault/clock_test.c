/*
 * The wall clock is stepped back and forth, hours pass at once: nothing is lost or doubled, numbers
 * go on, keys are remembered for their window and not dropped by a jump back, flushes are neither
 * missed nor repeated. (CLK-1, CLK-2, CLK-3, F9.)
 */
#include "fault/clock.h"
#include "fault/runs.h"
#include "kit/crash.h"

static crash_run run;

static const int64_t DAY_MS = INT64_C(86400000);

static void begin(const char *name)
{
    char root[200];
    snprintf(root, sizeof root, "%s/%s", kit_tmpdir(), name);
    assert_int_equal(mkdir(root, 0755), 0);
    crash_open(&run, root, kit_random(), &kit_os);
    run.options.wal_async = false;
    run.options.flush_rows = INT64_MAX;
    crash_reopen(&run);
}

static void end(void)
{
    arka_error err = {0};
    crash_reopen(&run);
    crash_check_live(&run);
    ASSERT_OK(arka_engine_close(run.engine, &err));
}

TEST(CLK_2_a_stepped_wall_clock_changes_nothing_but_times)
{
    static const int64_t DAYS[] = {-1, 2, -3650, 7300, -1, 0};
    uint64_t highest = 0;
    begin("steps");
    for (size_t i = 0; i < sizeof DAYS / sizeof *DAYS; i++) {
        clock_step_wall_ms(DAYS[i] * DAY_MS);
        crash_work(&run, 12);
        crash_check_live(&run);
        uint64_t now = crash_highest_lsn(&run, LONG_MAX);
        assert_true(now >= highest);
        highest = now;
        crash_reopen(&run);
        crash_check_live(&run);
    }
    end();
}

typedef struct seen_records {
    int64_t last_ts_us, n;
} seen_records;

static arka_status see_record(void *context, const arka_wal_record *record, arka_error *err)
{
    seen_records *s = context;
    (void)err;
    if (record->ts_us < s->last_ts_us)
        fail_msg("a record of %lld comes after one of %lld", (long long)record->ts_us,
                 (long long)s->last_ts_us);
    s->last_ts_us = record->ts_us;
    s->n++;
    return ARKA_OK;
}

TEST(CLK_2_times_in_the_log_never_go_back)
{
    arka_error err = {0};
    char copy[220];
    begin("log");
    for (int i = 0; i < 40; i++) {
        crash_request *q = crash_make(&run, &run.rng);
        crash_send(&run, q);
        clock_step_wall_ms(i % 2 ? -DAY_MS : DAY_MS / 2);
    }
    crash_request *last = crash_make(&run, &run.rng);
    last->durability = ARKA_DURABILITY_SYNCED;
    crash_send(&run, last);
    snprintf(copy, sizeof copy, "%s/log-copy", kit_tmpdir());
    kit_copy_tree(run.paths.root, copy);
    crash_paths paths;
    crash_set_paths(&paths, copy);
    arka_wal_options o;
    arka_wal_options_default(&o);
    o.dir = paths.wal;
    arka_wal *wal;
    arka_wal_recovered found;
    seen_records s = {0};
    arka_wal_reader reader = {.context = &s, .record = see_record};
    ASSERT_OK(arka_wal_open(&o, &wal, &err));
    ASSERT_OK(arka_wal_recover(wal, &reader, &found, &err));
    ASSERT_OK(arka_wal_close(wal, &err));
    assert_true(s.n >= 41);
    end();
}

static crash_request *send_with_key(const char *key)
{
    crash_request *q = crash_make(&run, &run.rng);
    q->durability = ARKA_DURABILITY_SYNCED;
    snprintf(q->key, sizeof q->key, "%s", key);
    crash_send(&run, q);
    return q;
}

TEST(keys_survive_a_clock_that_goes_back)
{
    begin("keys");
    const crash_request *q = send_with_key("first");
    clock_step_wall_ms(-2 * DAY_MS);
    crash_repeat(run.engine, q, true);
    crash_reopen(&run);
    crash_repeat(run.engine, q, true);
    clock_step_wall_ms(DAY_MS / 48); /* less than the window, which is an hour */
    crash_repeat(run.engine, q, true);
    end();
}

/* CLK-1: ages are by the clock that never goes back. */
TEST(CLK_1_a_flush_by_age_comes_once_whatever_the_wall_clock_says)
{
    arka_error err = {0};
    begin("age");
    ASSERT_OK(crash_close(&run, &err));
    run.options.flush_age_ms = 60000;
    run.options.flush_interval_ms = 1000;
    ASSERT_OK(arka_engine_open(&run.options, &run.engine, &err));
    arka_engine_stats before, after;
    for (int i = 0; i < 4; i++) {
        crash_request *q = crash_make(&run, &run.rng);
        q->n_parts = 1;
        crash_send(&run, q);
        arka_engine_get_stats(run.engine, &before);
        clock_step_wall_ms(i % 2 ? 400 * DAY_MS : -400 * DAY_MS);
        usleep(30000); /* long enough for a flusher that took the wall clock for an age */
        arka_engine_get_stats(run.engine, &after);
        assert_int_equal(after.flushes, before.flushes);
        clock_step_mono_ms(61000);
        for (int wait = 0; after.flushes == before.flushes && wait < 2000; wait++) {
            usleep(5000);
            arka_engine_get_stats(run.engine, &after);
        }
        assert_int_equal(after.flushes, before.flushes + 1);
        assert_int_equal(after.hot_rows, 0);
    }
    end();
}

TEST(CLK_3_times_at_the_end_of_their_range_do_not_overflow)
{
    begin("range");
    clock_step_wall_ms(INT64_C(9000000000000)); /* beyond the year 2250 */
    crash_work(&run, 10);
    crash_check_live(&run);
    crash_reopen(&run);
    crash_check_live(&run);
    end();
}
