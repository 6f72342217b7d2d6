/* Writes that wait for memory while it is red, with the log and without (MEM-2, MEM-5, F13). */
#include <sched.h>
#include <unistd.h>

#include "kit/engine.h"
#include "os/thread.h"

enum { WRITERS = 24, ROWS = 10, FILL = 2000, LIMIT = 400000, FOR_LONG_MS = 3600000 };

static const int64_t T0 = INT64_C(1767607200000000);

typedef struct crowd {
    arka_engine *engine;
    arka_engine_options options;
    char obstacle[300]; /* a file where the table's directory should be: nothing is flushed */
    char wal[300];
    int64_t rows; /* stored before the crowd came */
    atomic_long stored, refused;
    arka_thread threads[WRITERS];
} crowd;

static void put_obstacle(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static arka_engine_stats stats_of(arka_engine *engine)
{
    arka_engine_stats s;
    arka_engine_get_stats(engine, &s);
    return s;
}

/* An engine that is red, and stays so. */
static void begin_red(crowd *c, const char *name, bool log, int64_t timeout_ms)
{
    arka_error err = {0};
    *c = (crowd){.options = kit_engine_options(name)};
    c->options.hot_limit_bytes = LIMIT;
    c->options.block_timeout_ms = timeout_ms;
    snprintf(c->wal, sizeof c->wal, "%s/%s/wal", kit_tmpdir(), name);
    c->options.wal_dir = log ? c->wal : NULL;
    ASSERT_OK(arka_engine_open(&c->options, &c->engine, &err));
    ASSERT_OK(arka_engine_create_database(c->engine, ARKA_SLICE("d"), &err));
    snprintf(c->obstacle, sizeof c->obstacle, "%s/d", c->options.base_path);
    rmdir(c->obstacle);
    put_obstacle(c->obstacle);
    for (; stats_of(c->engine).zone != ARKA_ZONE_RED; c->rows += FILL)
        ASSERT_OK(kit_write(c->engine, "d", "m", kit_rows(T0 + c->rows, 1, FILL), &err));
}

static void write_one(void *context)
{
    crowd *c = context;
    arka_error err = {0};
    arka_status status = kit_write(c->engine, "d", "m", kit_rows(T0, 1, ROWS), &err);
    if (status == ARKA_OK) {
        atomic_fetch_add(&c->stored, ROWS);
        return;
    }
    assert_int_equal(status, ARKA_BUSY);
    assert_non_null(strstr(err.msg, "memory for unflushed rows is full"));
    atomic_fetch_add(&c->refused, 1);
}

static void start_crowd(crowd *c)
{
    arka_error err = {0};
    for (int i = 0; i < WRITERS; i++)
        ASSERT_OK(arka_thread_start(&c->threads[i], "writer", write_one, c, &err));
}

static void wait_until_all_wait(crowd *c)
{
    while (stats_of(c->engine).n_blocked < WRITERS)
        sched_yield();
    assert_int_equal(atomic_load(&c->stored) + atomic_load(&c->refused), 0);
}

static void join_crowd(crowd *c)
{
    for (int i = 0; i < WRITERS; i++)
        arka_thread_join(&c->threads[i]);
}

static void check_rows(arka_engine *engine, int64_t rows)
{
    arka_snapshot *s = kit_snapshot(engine, "d", "m");
    assert_int_equal(kit_snapshot_rows(s), rows);
    arka_snapshot_unref(s);
}

static void let_in(const char *name, bool log)
{
    static crowd c;
    arka_error err = {0};
    int64_t n;
    begin_red(&c, name, log, FOR_LONG_MS);
    start_crowd(&c);
    wait_until_all_wait(&c);
    assert_true(stats_of(c.engine).hot_bytes <= LIMIT); /* what waits has none of it */
    assert_int_equal(unlink(c.obstacle), 0);
    ASSERT_OK(arka_engine_flush(c.engine, ARKA_SLICE("d"), ARKA_SLICE("m"), &n, &err));
    join_crowd(&c);
    assert_int_equal(atomic_load(&c.stored), WRITERS * ROWS);
    check_rows(c.engine, c.rows + WRITERS * ROWS);
    arka_engine_stats s = stats_of(c.engine);
    assert_int_equal(s.n_blocked, 0);
    assert_int_equal(s.requests_blocked, WRITERS);
    assert_int_equal(s.writes_refused, 0);
    ASSERT_OK(arka_engine_flush(c.engine, ARKA_SLICE("d"), ARKA_SLICE("m"), &n, &err));
    assert_int_equal(stats_of(c.engine).hot_bytes, 0); /* and what they took has come back */
    ASSERT_OK(arka_engine_close(c.engine, &err));
}

TEST(MEM_5_all_that_wait_are_let_in_when_a_flush_frees_memory)
{
    let_in("freed", false);
    let_in("freed-log", true);
}

static void run_out(const char *name, bool log)
{
    static crowd c;
    arka_error err = {0};
    begin_red(&c, name, log, 50);
    start_crowd(&c);
    join_crowd(&c);
    assert_int_equal(atomic_load(&c.refused), WRITERS);
    check_rows(c.engine, c.rows);
    arka_engine_stats s = stats_of(c.engine);
    assert_int_equal(s.writes_refused, WRITERS);
    assert_int_equal(s.n_blocked, 0);
    assert_int_equal(unlink(c.obstacle), 0);
    ASSERT_OK(arka_engine_close(c.engine, &err));
}

TEST(MEM_2_who_waited_too_long_is_refused_and_leaves_nothing)
{
    run_out("late", false);
    run_out("late-log", true);
}

/* Between the zones writers come and go, flushes fail and succeed: every write ends. */
TEST(F13_writers_and_flushes_in_turn_and_every_write_ends)
{
    static crowd c;
    arka_error err = {0};
    int64_t n;
    long stored = 0;
    begin_red(&c, "turns", true, FOR_LONG_MS);
    for (int turn = 0; turn < 4; turn++) {
        start_crowd(&c);
        unlink(c.obstacle);
        ASSERT_OK(arka_engine_flush(c.engine, ARKA_SLICE("d"), ARKA_SLICE("m"), &n, &err));
        join_crowd(&c);
        stored += WRITERS * ROWS;
        assert_int_equal(atomic_load(&c.stored), stored);
        for (; stats_of(c.engine).zone != ARKA_ZONE_RED; c.rows += FILL)
            ASSERT_OK(kit_write(c.engine, "d", "m", kit_rows(T0 + c.rows, 1, FILL), &err));
    }
    check_rows(c.engine, c.rows + stored);
    ASSERT_OK(arka_engine_close(c.engine, &err));
}

TEST(a_close_does_not_wait_for_those_who_wait_for_memory)
{
    static crowd c;
    arka_error err = {0};
    begin_red(&c, "close", true, FOR_LONG_MS);
    start_crowd(&c);
    wait_until_all_wait(&c);
    assert_int_equal(unlink(c.obstacle), 0);
    ASSERT_OK(arka_engine_finish(c.engine, &err));
    join_crowd(&c);
    check_rows(c.engine, c.rows + atomic_load(&c.stored));
    assert_int_equal(atomic_load(&c.stored) / ROWS + atomic_load(&c.refused), WRITERS);
    ASSERT_OK(arka_engine_close(c.engine, &err));
}
