/* Everything at once: writers whose batches change schemas, flushes, snapshots, a close. */
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "kit/ledger.h"
#include "os/thread.h"

enum { WRITERS = 4, FLUSHERS = 2, READERS = 2, TABLES = 3 };
#ifdef ARKA_SANITIZED
enum { PER_WRITER = 1200 };
#else
enum { PER_WRITER = 4000 };
#endif
enum { BATCHES = WRITERS * PER_WRITER, IDS = BATCHES * LEDGER_ROWS };

static const char *const NAMES[TABLES] = {"a", "b", "c"};

typedef struct crowd {
    arka_engine *engine;
    atomic_int next_writer;
    atomic_bool stop;
    atomic_long refused;
    _Atomic uint8_t stored[BATCHES]; /* rows of the batch that were acknowledged; 0: refused */
} crowd;

static const char *table_of(int64_t batch)
{
    return NAMES[batch % TABLES];
}

static void write_batches(void *context)
{
    crowd *c = context;
    int me = atomic_fetch_add(&c->next_writer, 1);
    for (int i = 0; i < PER_WRITER; i++) {
        int64_t k = (int64_t)i * WRITERS + me;
        int64_t n = ledger_flavour(k * LEDGER_ROWS) % 4 ? 1 : 1 + k % LEDGER_ROWS;
        arka_error err = {0};
        arka_status status =
            kit_write(c->engine, "default", table_of(k), ledger_batch(k * LEDGER_ROWS, n), &err);
        assert_true(status == ARKA_OK || status == ARKA_BUSY);
        atomic_store(&c->stored[k], status == ARKA_OK ? (uint8_t)n : 0);
        if (status != ARKA_OK)
            atomic_fetch_add(&c->refused, 1);
    }
}

static void flush_tables(void *context)
{
    crowd *c = context;
    int64_t n;
    for (int i = 0; !atomic_load(&c->stop); i++) {
        arka_error err = {0};
        arka_slice table = i % 3 ? arka_slice_of(NAMES[(i / 3) % TABLES]) : (arka_slice){0};
        arka_status status = arka_engine_flush(c->engine, ARKA_SLICE("default"), table, &n, &err);
        assert_true(status == ARKA_OK || status == ARKA_NOTFOUND);
    }
}

/* Batches acknowledged before a snapshot are in it once; none is in it twice. */
static void take_snapshots(void *context)
{
    crowd *c = context;
    static _Thread_local uint8_t before[BATCHES];
    while (!atomic_load(&c->stop)) {
        for (int t = 0; t < TABLES; t++) {
            for (int k = 0; k < BATCHES; k++)
                before[k] = atomic_load(&c->stored[k]);
            arka_snapshot *s;
            if (arka_engine_snapshot(c->engine, ARKA_SLICE("default"), arka_slice_of(NAMES[t]), &s,
                                     NULL) != ARKA_OK)
                continue;
            int64_t acknowledged = 0, started = 0;
            for (int k = t; k < BATCHES; k += TABLES)
                acknowledged += before[k];
            for (int k = t; k < BATCHES; k += TABLES)
                started += LEDGER_ROWS;
            ledger l;
            ledger_begin(&l, IDS);
            for (int64_t i = 0; i < s->n_hot_batches; i++)
                ledger_check_hot(&l, s->schema, &s->hot[i]);
            for (int id = 0; id < IDS; id++)
                assert_in_range(l.seen[id], 0, 1);
            assert_int_equal(l.n_rows, s->n_hot_rows);
            assert_in_range(kit_snapshot_rows(s), acknowledged, started);
            ledger_end(&l);
            arka_snapshot_unref(s);
        }
    }
}

static void check_all(crowd *c, arka_engine *engine)
{
    ledger l;
    ledger_begin(&l, IDS);
    for (int t = 0; t < TABLES; t++)
        ledger_read(&l, engine, NAMES[t]);
    int64_t n = 0;
    for (int64_t k = 0; k < BATCHES; k++)
        for (int64_t i = 0; i < LEDGER_ROWS; i++) {
            int want = i < c->stored[k];
            if (l.seen[k * LEDGER_ROWS + i] != want)
                fail_msg("row %lld of batch %lld is there %d times, not %d", (long long)i,
                         (long long)k, l.seen[k * LEDGER_ROWS + i], want);
            n += want;
        }
    assert_int_equal(l.n_rows, n);
    ledger_end(&l);
}

static void start_all(crowd *c, arka_thread *threads, int n, void (*run)(void *context))
{
    arka_error err = {0};
    for (int i = 0; i < n; i++)
        ASSERT_OK(arka_thread_start(&threads[i], "crowd", run, c, &err));
}

static void join_all(arka_thread *threads, int n)
{
    for (int i = 0; i < n; i++)
        arka_thread_join(&threads[i]);
}

static void run_crowd(const char *name, bool logged)
{
    static crowd c;
    char wal[300];
    arka_error err = {0};
    arka_thread writers[WRITERS], flushers[FLUSHERS], readers[READERS];
    arka_engine_options o = kit_engine_options(name);
    memset(&c, 0, sizeof c);
    if (logged) {
        snprintf(wal, sizeof wal, "%s/%s/wal", kit_tmpdir(), name);
        o.wal_dir = wal;
        o.wal_segment_bytes = 100000;
        o.wal_max_bytes = 4000000;
    }
    o.flush_rows = 500;
    o.flush_interval_ms = 0;
    o.flush_bytes = 20000;
    ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
    start_all(&c, writers, WRITERS, write_batches);
    start_all(&c, flushers, FLUSHERS, flush_tables);
    start_all(&c, readers, READERS, take_snapshots);
    join_all(writers, WRITERS);
    atomic_store(&c.stop, true);
    join_all(flushers, FLUSHERS);
    join_all(readers, READERS);
    if (!logged) /* the log has a limit, which flushes may be too slow for */
        assert_int_equal(atomic_load(&c.refused), 0);
    check_all(&c, c.engine);
    int64_t n;
    ASSERT_OK(arka_engine_flush(c.engine, (arka_slice){0}, (arka_slice){0}, &n, &err));
    arka_engine_stats stats;
    arka_engine_get_stats(c.engine, &stats);
    assert_int_equal(stats.hot_rows, 0); /* all that was counted in was counted out */
    assert_int_equal(stats.hot_bytes, 0);
    ASSERT_OK(arka_engine_close(c.engine, &err));
    ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
    check_all(&c, c.engine);
    arka_engine_get_stats(c.engine, &stats);
    assert_int_equal(stats.orphans, 0);
    ASSERT_OK(arka_engine_close(c.engine, &err));
}

TEST(no_row_is_lost_doubled_or_mixed_up_while_everything_happens_at_once)
{
    run_crowd("everything", false);
}

TEST(no_row_is_lost_doubled_or_mixed_up_while_everything_happens_with_a_log)
{
    run_crowd("everything-logged", true);
}

/* ---- a close in the middle ---- */

static atomic_int writers_inside;

/* The close has rows to flush, and may not come to its end before the writers have come to theirs.
 */
static void wait_for_writers(void)
{
    while (atomic_load(&writers_inside) > 0)
        sched_yield();
}

static int slow_fdatasync(int fd)
{
    wait_for_writers();
    return fdatasync(fd);
}

static int slow_syncfs(int fd)
{
    wait_for_writers();
    return syncfs(fd);
}

static void write_until_refused(void *context)
{
    crowd *c = context;
    int me = atomic_fetch_add(&c->next_writer, 1);
    arka_error err = {0};
    for (int i = 0; i < PER_WRITER && err.code == ARKA_OK; i++) {
        int64_t k = (int64_t)i * WRITERS + me;
        if (kit_write(c->engine, "default", table_of(k), ledger_batch(k * LEDGER_ROWS, 1), &err) ==
            ARKA_OK)
            atomic_store(&c->stored[k], 1);
    }
    if (err.code != ARKA_OK) {
        assert_int_equal(err.code, ARKA_BUSY);
        assert_string_equal(err.msg, "the server is stopping");
        atomic_fetch_add(&c->refused, 1);
    }
    atomic_fetch_sub(&writers_inside, 1);
}

TEST(a_close_waits_for_writes_that_are_inside_and_refuses_those_that_come)
{
    for (int turn = 0; turn < 5; turn++) {
        static crowd c;
        arka_error err = {0};
        arka_thread writers[WRITERS];
        char name[16];
        snprintf(name, sizeof name, "close%d", turn);
        arka_engine_options o = kit_engine_options(name);
        arka_os os = arka_os_real;
        os.fdatasync = slow_fdatasync;
        os.syncfs = slow_syncfs;
        o.os = &os;
        memset(&c, 0, sizeof c);
        atomic_store(&writers_inside, WRITERS);
        ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
        start_all(&c, writers, WRITERS, write_until_refused);
        while (atomic_load(&c.stored[turn * WRITERS]) == 0)
            sched_yield();
        ASSERT_OK(arka_engine_close(c.engine, &err));
        join_all(writers, WRITERS);
        o.os = NULL;
        ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
        check_all(&c, c.engine);
        ASSERT_OK(arka_engine_close(c.engine, &err));
    }
}
