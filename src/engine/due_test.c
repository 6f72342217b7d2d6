#include "engine/due.h"

#include "kit/kit.h"

static const arka_mono NOW = {INT64_C(1000000000000)};
static const arka_due_state CALM = {.now = {INT64_C(1000000000000)}};

/* A target of 100,000 bytes of Parquet; the tables below make half a byte of each hot one. */
static arka_engine_options options(void)
{
    arka_engine_options o = {.flush_rows = 1000,
                             .flush_age_ms = 5000,
                             .flush_bytes = 100000,
                             .flush_interval_ms = 1000,
                             .flush_lag_records = 100};
    return o;
}

/* `age_ms` of the oldest row, `idle_ms` since the last flush (-1: never); tables are told by it. */
static arka_due table_with(int64_t rows, int64_t bytes, int64_t age_ms, int64_t idle_ms)
{
    arka_due d = {.gauges = {.hot_rows = rows, .hot_bytes = bytes, .parquet_ratio = 0.5}};
    d.gauges.hot_lsn = rows ? 1000 : 0;
    d.gauges.hot_since.ns = rows ? NOW.ns - age_ms * 1000000 : 0;
    d.gauges.last_flush.ns = idle_ms < 0 ? 0 : NOW.ns - idle_ms * 1000000;
    return d;
}

static void expect_bytes(const arka_due *items, size_t n, const int64_t *bytes, size_t n_bytes)
{
    assert_int_equal(n, n_bytes);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(items[i].gauges.hot_bytes, bytes[i]);
}

TEST(rows_and_age_make_a_table_due_and_the_oldest_goes_first)
{
    arka_engine_options o = options();
    arka_due items[] = {
        table_with(10, 1, 4999, -1),    /* young */
        table_with(10, 2, 5000, -1),    /* old enough */
        table_with(1000, 3, 10, -1),    /* enough rows */
        table_with(10, 4, 9000, -1),    /* older */
        table_with(0, 0, 0, -1),        /* nothing there */
        table_with(5000, 5, 9999, 999), /* flushed a moment ago */
        table_with(5000, 6, 9999, 1000),
    };
    size_t n = arka_due_pick(items, sizeof items / sizeof *items, &o, &CALM);
    expect_bytes(items, n, (int64_t[]){6, 4, 2, 3}, 4);
}

TEST(a_large_table_does_not_wait_behind_thousands_of_small_ones)
{
    enum { SMALL = 5000 };
    static arka_due items[SMALL + 1];
    arka_engine_options o = options();
    for (int i = 0; i < SMALL; i++)
        items[i] = table_with(3, 100, 60000 - i, -1);
    items[SMALL] = table_with(100, 200000, 10, 500); /* bytes do not wait for the interval */
    size_t n = arka_due_pick(items, SMALL + 1, &o, &CALM);
    assert_int_equal(n, SMALL + 1);
    assert_int_equal(items[0].gauges.hot_bytes, 200000);
    assert_int_equal(items[0].class, ARKA_DUE_LARGE);
    for (size_t i = 2; i < n; i++) /* and of those each has its turn */
        assert_true(items[i - 1].gauges.hot_since.ns <= items[i].gauges.hot_since.ns);
    assert_int_equal(arka_due_together(items, n, &o), 1);
    size_t together = arka_due_together(items + 1, n - 1, &o);
    assert_in_range(together, 100, 1000); /* many, but not all at once */
}

TEST(however_late_it_is_the_others_have_a_turn_between_the_large_ones)
{
    arka_due items[6] = {{.class = ARKA_DUE_LARGE},  {.class = ARKA_DUE_LARGE},
                         {.class = ARKA_DUE_FORCED}, {.class = ARKA_DUE_OTHER},
                         {.class = ARKA_DUE_OTHER},  {.class = ARKA_DUE_OTHER}};
    for (size_t at = 0; at < 6; at++)
        assert_int_equal(arka_due_next(items, 6, at, false), at);
    assert_int_equal(arka_due_next(items, 6, 1, true), 3);
    assert_int_equal(arka_due_next(items, 6, 3, true), 3);
    assert_int_equal(arka_due_next(items, 6, 4, true), 6);
    assert_int_equal(arka_due_next(items, 3, 1, true), 3); /* there are none */
    assert_int_equal(arka_due_next(items + 3, 3, 1, true), 3);
}

/* D8: what counts is the file that it would make. */
TEST(a_table_is_large_by_the_file_that_its_rows_would_make)
{
    arka_engine_options o = options();
    arka_due items[] = {table_with(1, 199999, 1, -1), table_with(1, 200000, 1, -1),
                        table_with(1, 300000, 1, -1)};
    items[2].gauges.parquet_ratio = 0.3;
    size_t n = arka_due_pick(items, 3, &o, &CALM);
    expect_bytes(items, n, (int64_t[]){200000}, 1);
    assert_int_equal(arka_due_hot_bytes(&items[0].gauges, 100000), 200000);
    items[0].gauges.parquet_ratio = 0.001;
    assert_int_equal(arka_due_hot_bytes(&items[0].gauges, INT64_MAX), INT64_MAX);
}

/* MEM-2 */
TEST(when_memory_is_short_the_largest_go_first_due_or_not)
{
    arka_engine_options o = options();
    for (int zone = ARKA_ZONE_YELLOW; zone <= ARKA_ZONE_RED; zone++) {
        arka_due_state s = {.now = NOW, .zone = (arka_zone)zone};
        arka_due items[] = {table_with(1, 10, 9000, -1), table_with(1, 30, 1, 1000),
                            table_with(1, 20, 2, -1), table_with(1, 400000, 1, -1),
                            table_with(0, 0, 0, -1)};
        size_t n = arka_due_pick(items, 5, &o, &s);
        expect_bytes(items, n, (int64_t[]){400000, 30, 20, 10}, 4);
    }
}

TEST(in_yellow_small_tables_are_flushed_once_an_interval_in_red_at_once)
{
    arka_engine_options o = options();
    o.flush_bytes = 64 << 20;
    arka_due_state s = {.now = NOW, .zone = ARKA_ZONE_YELLOW};
    arka_due items[] = {table_with(1, 2 << 20, 1, 1), table_with(1, (2 << 20) - 2, 1, 999),
                        table_with(1, 7, 1, 1000)};
    size_t n = arka_due_pick(items, 3, &o, &s);
    expect_bytes(items, n, (int64_t[]){2 << 20, 7}, 2);
    s.zone = ARKA_ZONE_RED;
    items[0] = table_with(1, 5, 1, 1);
    assert_int_equal(arka_due_pick(items, 1, &o, &s), 1);
}

TEST(a_table_whose_flush_has_just_failed_waits)
{
    arka_engine_options o = options();
    arka_due_state s = {.now = NOW, .zone = ARKA_ZONE_RED};
    arka_due items[] = {table_with(1, 200000, 9000, 999), table_with(1, 200000, 9000, 1000)};
    items[0].gauges.flush_failed = items[1].gauges.flush_failed = true;
    size_t n = arka_due_pick(items, 2, &o, &s);
    assert_int_equal(n, 1);
    assert_int_equal(items[0].gauges.last_flush.ns, NOW.ns - INT64_C(1000) * 1000000);
    /* One that succeeded does not, even when rows have waited since before it. */
    items[0] = table_with(1, 200000, 9000, 10);
    assert_int_equal(arka_due_pick(items, 1, &o, &CALM), 1);
}

/* WAL-12: the tables that keep the oldest segments, whatever their size, before those that are old.
 */
TEST(tables_that_keep_the_oldest_segments_are_flushed_when_the_log_is_nearly_full)
{
    arka_engine_options o = options();
    arka_due_state s = {.now = NOW, .force_lsn = 500};
    arka_due items[] = {table_with(1, 1, 9000, -1), table_with(1, 2, 1, 1), table_with(1, 3, 1, 1),
                        table_with(0, 0, 0, -1)};
    items[1].gauges.hot_lsn = 500;
    items[2].gauges.hot_lsn = 501;
    size_t n = arka_due_pick(items, 4, &o, &s);
    expect_bytes(items, n, (int64_t[]){2, 1}, 2);
    assert_int_equal(arka_due_together(items, n, &o), 1); /* one class at a time */
}

/* D9, HOT-5 */
TEST(a_table_that_lags_behind_the_log_is_flushed_when_that_makes_a_file_worth_having)
{
    arka_engine_options o = options();
    o.flush_bytes = 64 << 20;
    arka_due_state s = {.now = NOW, .lag_lsn = 1000};
    arka_due items[] = {table_with(1, 2 << 20, 9, 1000), table_with(1, (2 << 20) - 2, 9, 1000),
                        table_with(1, 2 << 20, 9, 999), table_with(1, 2 << 20, 9, 1000)};
    items[3].gauges.hot_lsn = 1001;
    size_t n = arka_due_pick(items, 4, &o, &s);
    assert_int_equal(n, 1);
    assert_int_equal(items[0].gauges.last_flush.ns, NOW.ns - INT64_C(1000) * 1000000);
    assert_int_equal(items[0].gauges.hot_lsn, 1000);
}

TEST(the_lag_is_at_least_so_many_records_and_not_many_more)
{
    arka_lag lag = {0};
    assert_int_equal(arka_lag_lsn(&lag, 0, 100000), 0);
    int64_t records = 0;
    for (int i = 0; i < 200000; i++) {
        records += (int64_t)(kit_random() % 200);
        arka_lag_note(&lag, records, (uint64_t)records * 10, 100000); /* ten rows a record */
        uint64_t lsn = arka_lag_lsn(&lag, records, 100000);
        int64_t back = records - (int64_t)(lsn / 10);
        if (records < 100000)
            assert_int_equal(lsn, 0);
        else if (lsn != 0)
            assert_in_range(back, 100000, 104000);
        else
            assert_true(records < 104000);
    }
    /* A stop, then very much at once: nothing older is known than what was seen. */
    arka_lag_note(&lag, records + 10000000, (uint64_t)records * 10 + 7, 100000);
    assert_int_equal(arka_lag_lsn(&lag, records + 10000000, 100000) <= (uint64_t)records * 10,
                     true);
}

TEST(what_a_flush_waits_for_depends_on_whether_there_is_a_log)
{
    arka_engine_options o = {.flush_bytes = 7};
    arka_engine_options_flush(&o);
    assert_int_equal(o.flush_rows, 50000);
    assert_int_equal(o.flush_age_ms, 5000);
    o.wal_dir = "log";
    arka_engine_options_flush(&o);
    assert_int_equal(o.flush_rows, INT64_MAX);
    assert_int_equal(o.flush_age_ms, 300000);
    assert_int_equal(o.flush_lag_records, 100000);
    assert_int_equal(o.flush_bytes, 7);
}
