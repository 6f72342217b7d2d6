#include <sched.h>
#include <stdatomic.h>

#include "kit/ledger.h"
#include "os/thread.h"

#define T0 LEDGER_T0

static arka_engine *open_new(const char *name, arka_engine_options *o)
{
    arka_error err = {0};
    arka_engine *e;
    *o = kit_engine_options(name);
    ASSERT_OK(arka_engine_open(o, &e, &err));
    return e;
}

static int64_t rows_of(arka_engine *e, const char *table)
{
    arka_snapshot *s;
    if (arka_engine_snapshot(e, ARKA_SLICE("default"), arka_slice_of(table), &s, NULL) != ARKA_OK)
        return -1;
    int64_t n = kit_snapshot_rows(s);
    arka_snapshot_unref(s);
    return n;
}

/* One row with one column of text. */
static arka_batch *text_row(const char *column, const char *text)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int c = arka_rows_column(rows, arka_slice_of(column), false, ARKA_TYPE_NONE, -1, &err);
    assert_int_equal(arka_rows_put_text(rows, c, arka_slice_of(text)), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, T0));
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    return b;
}

TEST(a_status_says_what_became_of_its_batch)
{
    arka_error err = {0};
    arka_engine_options o;
    arka_engine *e = open_new("status", &o);
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 1), &err));
    arka_put_batch puts[] = {
        {.measurement = ARKA_SLICE("m"), .batch = kit_rows(T0, 1, 2), .status = ARKA_CORRUPT},
        {.measurement = ARKA_SLICE("m"), .batch = text_row("v", "warm")},
        {.measurement = ARKA_SLICE("../m"), .batch = kit_rows(T0, 1, 4)},
        {.measurement = ARKA_SLICE("n"), .batch = kit_rows(T0, 1, 8)},
    };
    /* A misfit stays alone. */
    ASSERT_OK(arka_engine_write(e, ARKA_SLICE("default"), puts, 4, false, &err));
    assert_int_equal(puts[0].status, ARKA_OK);
    assert_int_equal(puts[1].status, ARKA_INPUT);
    assert_non_null(strstr(puts[1].error.msg, "column 'v' is DOUBLE"));
    assert_int_equal(puts[2].status, ARKA_INPUT);
    assert_non_null(strstr(puts[2].error.msg, "measurement name '../m' is not usable"));
    assert_int_equal(puts[3].status, ARKA_OK);
    assert_int_equal(rows_of(e, "m"), 3);
    assert_int_equal(rows_of(e, "n"), 8);
    /* With `atomic` it takes the others with it, whether it is found before or while storing. */
    for (int bad = 1; bad < 3; bad++) {
        arka_put_batch two[] = {puts[3], puts[bad]};
        assert_int_equal(arka_engine_write(e, ARKA_SLICE("default"), two, 2, true, &err),
                         ARKA_INPUT);
        assert_int_equal(two[0].status, ARKA_INPUT);
        assert_string_equal(two[0].error.msg, two[1].error.msg);
        assert_int_equal(rows_of(e, "n"), 8);
        err = (arka_error){0};
    }
    /* Two batches that fit the table as it is, but not one another. */
    arka_put_batch clash[] = {{.measurement = ARKA_SLICE("x"), .batch = text_row("c", "a")},
                              {.measurement = ARKA_SLICE("x"), .batch = kit_rows(T0, 1, 1)},
                              {.measurement = ARKA_SLICE("x"), .batch = text_row("v", "b")}};
    assert_int_equal(arka_engine_write(e, ARKA_SLICE("default"), clash, 3, true, &err), ARKA_INPUT);
    assert_true(rows_of(e, "x") <= 0);
    err = (arka_error){0};
    for (int i = 0; i < 4; i++)
        arka_batch_unref(puts[i].batch);
    for (int i = 0; i < 3; i++)
        arka_batch_unref(clash[i].batch);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_refused_request_says_so_of_each_batch)
{
    arka_error err = {0};
    arka_engine_options o = kit_engine_options("refused");
    arka_engine *e;
    o.hot_limit_bytes = 10000;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 100), &err));
    arka_put_batch puts[] = {{.measurement = ARKA_SLICE("m"), .batch = kit_rows(T0, 1, 300)},
                             {.measurement = ARKA_SLICE("m"), .batch = kit_rows(T0, 1, 300)}};
    ASSERT_FAILS(arka_engine_write(e, ARKA_SLICE("default"), puts, 2, false, &err), ARKA_BUSY,
                 "memory for unflushed rows is full");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(puts[i].status, ARKA_BUSY);
        assert_int_equal(puts[i].error.code, ARKA_BUSY);
        arka_batch_unref(puts[i].batch);
    }
    assert_int_equal(rows_of(e, "m"), 100);
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    assert_int_equal(stats.writes_refused, 1);
    assert_int_equal(stats.hot_rows, 100);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- the limit ---- */

enum { WRITERS = 8, EACH = 60 };

typedef struct crowd {
    arka_engine *engine;
    atomic_int writing;
    atomic_long stored;
} crowd;

static void write_large(void *context)
{
    crowd *c = context;
    for (int i = 0; i < EACH; i++) {
        arka_error err = {0};
        arka_status status = kit_write(c->engine, "default", "m", kit_rows(T0 + i, 1, 500), &err);
        assert_true(status == ARKA_OK || status == ARKA_BUSY);
        if (status == ARKA_OK)
            atomic_fetch_add(&c->stored, 500);
    }
    atomic_fetch_sub(&c->writing, 1);
}

TEST(many_writers_stay_below_the_limit_together)
{
    arka_error err = {0};
    arka_engine_options o = kit_engine_options("together");
    crowd c = {.stored = 0};
    arka_thread threads[WRITERS];
    o.hot_limit_bytes = 400000; /* some twenty of their batches */
    ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
    atomic_store(&c.writing, WRITERS);
    for (int i = 0; i < WRITERS; i++)
        ASSERT_OK(arka_thread_start(&threads[i], "writer", write_large, &c, &err));
    while (atomic_load(&c.writing) > 0) {
        arka_engine_stats stats;
        arka_engine_get_stats(c.engine, &stats);
        assert_true(stats.hot_bytes >= 0 && stats.hot_bytes <= (int64_t)o.hot_limit_bytes);
        sched_yield();
    }
    for (int i = 0; i < WRITERS; i++)
        arka_thread_join(&threads[i]);
    assert_int_equal(rows_of(c.engine, "m"), atomic_load(&c.stored));
    assert_true(atomic_load(&c.stored) > 0);
    ASSERT_OK(arka_engine_close(c.engine, &err));
}

TEST(a_request_larger_than_the_limit_finds_a_way_when_nothing_is_hot)
{
    arka_error err = {0};
    arka_engine_options o = kit_engine_options("larger");
    arka_engine *e;
    int64_t n;
    o.hot_limit_bytes = 1000;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 1000), &err));
    assert_int_equal(kit_write(e, "default", "m", kit_rows(T0, 1, 1), &err), ARKA_BUSY);
    err = (arka_error){0};
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 1), &err));
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- names ---- */

TEST(names_become_directories_or_are_refused_by_name)
{
    static const char *const GOOD[] = {"m", "CPU", "_x", "a.b", "a-b", "9", "z\xc3\xa4hler", "a."};
    static const char *const BAD[] = {"",    ".",   "..",  ".a",   "-a",       "a/b",
                                      "a\\", "a b", "a\n", "a..b", "\xc3\x28", "a\xff"};
    arka_error err = {0};
    arka_engine_options o;
    arka_engine *e = open_new("names", &o);
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        ASSERT_OK(kit_write(e, "default", GOOD[i], kit_rows(T0, 1, 1), &err));
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        ASSERT_FAILS(kit_write(e, "default", BAD[i], kit_rows(T0, 1, 1), &err), ARKA_INPUT,
                     "measurement name");
        ASSERT_FAILS(arka_engine_create_database(e, arka_slice_of(BAD[i]), &err), ARKA_INPUT,
                     "database name");
    }
    char longest[130];
    memset(longest, 'x', sizeof longest);
    arka_slice fits = {longest, 128}, too_long = {longest, 129}, with_nul = {"a\0b", 3};
    ASSERT_OK(arka_engine_create_database(e, fits, &err));
    ASSERT_FAILS(arka_engine_create_database(e, too_long, &err), ARKA_INPUT, "1 to 128 bytes");
    ASSERT_FAILS(arka_engine_create_database(e, with_nul, &err), ARKA_INPUT, "database name");
    /* The same to SQL is the same, in whatever letters it first came. */
    ASSERT_OK(kit_write(e, "DEFAULT", "cpu", kit_rows(T0, 1, 1), &err));
    assert_int_equal(rows_of(e, "Cpu"), 2);
    ASSERT_FAILS(arka_engine_create_database(e, ARKA_SLICE("Default"), &err), ARKA_EXISTS,
                 "exists already");
    /* All of it is found again. */
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        assert_int_equal(rows_of(e, GOOD[i]), i == 1 ? 2 : 1);
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    assert_int_equal(stats.orphans, 0);
    ASSERT_OK(arka_engine_close(e, &err));
}
