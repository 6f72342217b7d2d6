#include "engine/due.h"

#include "kit/kit.h"

static const arka_mono NOW = {INT64_C(1000000000000)};

static arka_engine_options options(void)
{
    arka_engine_options o;
    arka_engine_options_default(&o);
    o.flush_rows = 1000;
    o.flush_age_ms = 5000;
    o.flush_bytes = 100000;
    o.flush_interval_ms = 1000;
    o.hot_limit_bytes = 1000000;
    return o;
}

/* `age_ms` of the oldest row, `idle_ms` since the last flush (-1: never); tables are told by it. */
static arka_due table_with(int64_t rows, int64_t bytes, int64_t age_ms, int64_t idle_ms)
{
    arka_due d = {.gauges = {.hot_rows = rows, .hot_bytes = bytes}};
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
    size_t n = arka_due_pick(items, sizeof items / sizeof *items, &o, false, NOW);
    expect_bytes(items, n, (int64_t[]){6, 4, 2, 3}, 4);
}

TEST(a_large_table_does_not_wait_behind_thousands_of_small_ones)
{
    enum { SMALL = 5000 };
    static arka_due items[SMALL + 1];
    arka_engine_options o = options();
    for (int i = 0; i < SMALL; i++)
        items[i] = table_with(3, 100, 60000 - i, -1);
    items[SMALL] = table_with(100, 100000, 10, 500); /* bytes do not wait for the interval */
    size_t n = arka_due_pick(items, SMALL + 1, &o, false, NOW);
    assert_int_equal(n, SMALL + 1);
    assert_int_equal(items[0].gauges.hot_bytes, 100000);
    for (size_t i = 2; i < n; i++) /* and of those each has its turn */
        assert_true(items[i - 1].gauges.hot_since.ns <= items[i].gauges.hot_since.ns);
}

TEST(when_memory_is_short_the_largest_go_first_due_or_not)
{
    arka_engine_options o = options();
    assert_false(arka_due_is_memory_short(&o, 500000));
    assert_true(arka_due_is_memory_short(&o, 500001));
    arka_due items[] = {table_with(1, 10, 9000, -1), table_with(1, 30, 1, 1),
                        table_with(1, 20, 2, -1), table_with(1, 200000, 1, -1)};
    size_t n = arka_due_pick(items, 4, &o, true, NOW);
    expect_bytes(items, n, (int64_t[]){200000, 30, 20, 10}, 4);
}

TEST(a_table_whose_flush_has_just_failed_waits)
{
    arka_engine_options o = options();
    arka_due items[] = {table_with(1, 200000, 9000, 999), table_with(1, 200000, 9000, 1000)};
    items[0].gauges.flush_failed = items[1].gauges.flush_failed = true;
    size_t n = arka_due_pick(items, 2, &o, true, NOW);
    assert_int_equal(n, 1);
    assert_int_equal(items[0].gauges.last_flush.ns, NOW.ns - INT64_C(1000) * 1000000);
    /* One that succeeded does not, even when rows have waited since before it. */
    items[0] = table_with(1, 200000, 9000, 10);
    assert_int_equal(arka_due_pick(items, 1, &o, false, NOW), 1);
}
