/* Writes on their way through the log while things fail, stop and crash: each once or not at all.
 */
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "engine/engine_priv.h"
#include "kit/faulty_os.h"
#include "kit/logged.h"
#include "os/thread.h"

static const int64_t T0 = INT64_C(1700000000000000);

/* ---- a request that is waited for ---- */

typedef struct waiter {
    arka_mutex lock; /* LEAF */
    arka_cond changed;
    bool done;
} waiter;

static void note_done(void *context)
{
    waiter *w = context;
    arka_mutex_lock(&w->lock);
    w->done = true;
    arka_cond_signal(&w->changed);
    arka_mutex_unlock(&w->lock);
}

typedef struct put {
    const char *key; /* NULL: none */
    const char *tables[2];
    int n_tables, n_rows; /* in each */
    arka_durability durability;
    bool through_committer; /* as if it had to wait for a while */
    long fail_allocation;   /* the how-manieth of the engine's fails; 0: none */
    /* out */
    arka_status status;
    bool repeated;
    uint64_t lsn;
    char why[512];
} put;

static void commit_and_wait(arka_engine *e, arka_put_request *r, bool through_committer)
{
    waiter w = {.done = false};
    arka_mutex_init(&w.lock, ARKA_LOCK_LEAF);
    arka_cond_init(&w.changed);
    r->done = note_done;
    r->context = &w;
    if (through_committer)
        r->not_before.ns = 1;
    arka_request_commit(e, r);
    arka_mutex_lock(&w.lock);
    while (!w.done)
        arka_cond_wait(&w.changed, &w.lock, arka_mono_after_ms(1000));
    arka_mutex_unlock(&w.lock);
    arka_cond_fini(&w.changed);
    arka_mutex_fini(&w.lock);
}

static void put_it(arka_engine *e, put *p)
{
    arka_error err = {0};
    arka_put_batch batches[2] = {0};
    for (int i = 0; i < p->n_tables; i++) {
        batches[i].measurement = arka_slice_of(p->tables[i]);
        batches[i].batch = kit_rows(T0, 1000, p->n_rows);
    }
    arka_put_request r = {.database = ARKA_SLICE("default"),
                          .batches = batches,
                          .n_batches = (size_t)p->n_tables,
                          .durability = p->durability,
                          .key = arka_slice_of(p->key),
                          .answer = arka_slice_of(p->key)};
    if (p->fail_allocation > 0)
        kit_fail_allocation(p->fail_allocation, false);
    p->status = arka_request_prepare(e, &r, &err);
    p->repeated = p->status == ARKA_OK && r.repeated;
    if (p->status == ARKA_OK && !r.repeated) {
        assert_int_equal(r.n_fitting, p->n_tables);
        commit_and_wait(e, &r, p->through_committer);
        p->status = r.status;
        err = r.error;
    }
    if (p->fail_allocation > 0)
        kit_fail_allocation(0, false);
    if (p->repeated)
        assert_string_equal(r.first_answer, p->key);
    p->lsn = r.lsn;
    snprintf(p->why, sizeof p->why, "%s", err.msg);
    arka_request_fini(&r);
    for (int i = 0; i < p->n_tables; i++)
        arka_batch_unref(batches[i].batch);
}

/* Again and again until it is stored, or found to be. */
static void put_until_stored(arka_engine *e, put *p)
{
    for (arka_mono start = arka_mono_now();;) {
        put_it(e, p);
        if (p->status == ARKA_OK)
            return;
        if (arka_mono_since_ms(start) > 30000)
            fail_msg("refused for ever: %s", p->why);
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
    }
}

static arka_engine *open_engine(const arka_engine_options *o)
{
    arka_error err = {0};
    arka_engine *e;
    ASSERT_OK(arka_engine_open(o, &e, &err));
    return e;
}

static void close_engine(arka_engine *e)
{
    arka_error err = {0};
    ASSERT_OK(arka_engine_close(e, &err));
}

static void flush_all(arka_engine *e)
{
    arka_error err = {0};
    int64_t n;
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
}

/* Nothing is held that nobody has. */
static void assert_nothing_hot(arka_engine *e)
{
    arka_engine_stats stats;
    do { /* the committer may still be on its way from the last answer */
        sched_yield();
        arka_engine_get_stats(e, &stats);
        assert_int_equal(stats.hot_rows, 0);
        assert_int_equal(stats.hot_bytes, 0);
    } while (stats.pinned_lsn <= stats.visible_lsn);
}

/* ---- exactly once ---- */

enum { MAX_KEYS = 256 };

typedef struct ledger {
    put puts[MAX_KEYS];
    char keys[MAX_KEYS][16];
    bool acked[MAX_KEYS];
    int n;
} ledger;

static put *next_put(ledger *l, int kinds)
{
    static const char *const TABLES[] = {"a", "b", "c"};
    int i = l->n++;
    snprintf(l->keys[i], sizeof l->keys[i], "key-%d", i);
    l->puts[i] = (put){.key = l->keys[i],
                       .tables = {TABLES[kit_random() % 3], TABLES[kit_random() % 3]},
                       .n_tables = 1 + (int)(kit_random() % 2),
                       .n_rows = 1 + (int)(kit_random() % 3),
                       .durability = (arka_durability)(kit_random() % (unsigned)kinds)};
    return &l->puts[i];
}

enum { ALL = ARKA_DURABILITY_MEMORY };

/* What was acknowledged for a durability up to `least` must be known. */
static void assert_each_once(arka_engine *e, ledger *l, int least)
{
    int64_t expected = 0;
    for (int i = 0; i < l->n; i++) {
        put again = l->puts[i];
        put_until_stored(e, &again);
        if (l->acked[i] && !again.repeated && (int)again.durability <= least)
            fail_msg("%s, acknowledged with durability %d, is not known", again.key,
                     again.durability);
        expected += again.n_rows * again.n_tables;
    }
    assert_int_equal(logged_rows(e, "a") + logged_rows(e, "b") + logged_rows(e, "c"), expected);
}

/* Whatever the disk does: after a crash the retries make of each key one, and none acknowledged is
 * lost (F5, F6, F7, WAL-6, WAL-7). */
static void survive_faults(const char *name, bool async, bool flushes)
{
    arka_engine_options o = logged_options(name);
    static ledger l;
    char copy[64];
    l.n = 0;
    o.os = &kit_os;
    o.wal_async = async;
    o.wal_segment_bytes = 20000;
    arka_engine *e = open_engine(&o);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++) { /* on a good disk */
            put *p = next_put(&l, 2);
            put_until_stored(e, p);
            l.acked[l.n - 1] = true;
        }
        kit_os_fail((kit_os_fault){.n = 1 + (long)(kit_random() % 8),
                                   .calls = KIT_PWRITEV | KIT_FDATASYNC | KIT_FTRUNCATE | KIT_OPEN |
                                            KIT_RENAME,
                                   .error = kit_random() % 2 ? EIO : ENOSPC,
                                   .done = kit_random() % 2,
                                   .for_good = kit_random() % 2});
        for (int i = 0; i < 8; i++) {
            put *p = next_put(&l, 2);
            put_it(e, p);
            assert_true(p->status == ARKA_OK || p->status == ARKA_BUSY);
            l.acked[l.n - 1] = p->status == ARKA_OK;
        }
        snprintf(copy, sizeof copy, "%s-copy", name);
        kit_os_fail((kit_os_fault){.n = 1, .error = EIO, .for_good = true}); /* the copy is of one
                                                                                instant */
        arka_engine_options crashed = logged_crash(name, copy);
        kit_os_fail((kit_os_fault){0});
        arka_engine *again = open_engine(&crashed);
        assert_each_once(again, &l, ARKA_DURABILITY_WRITTEN);
        close_engine(again);
        assert_each_once(e, &l, ALL);
        for (int i = 0; i < l.n; i++)
            l.acked[i] = true;
        if (flushes) {
            int64_t n_removed;
            arka_error err = {0};
            flush_all(e);
            assert_nothing_hot(e);
            ASSERT_OK(arka_engine_trim(e, &n_removed, &err));
        }
    }
    close_engine(e);
    e = open_engine(&o);
    assert_each_once(e, &l, ALL);
    close_engine(e);
}

TEST(each_key_is_once_whatever_the_disk_does)
{
    survive_faults("once", false, false);
}

TEST(each_key_is_once_whatever_the_disk_does_between_flushes)
{
    survive_faults("once-flush", false, true);
}

TEST(each_key_is_once_whatever_the_disk_does_to_an_async_log)
{
    survive_faults("once-async", true, false);
}

/* What was answered after the write alone survives the process, also when a later sync fails. */
TEST(what_an_async_log_acknowledged_outlives_a_failed_sync)
{
    arka_engine_options o = logged_options("async");
    o.os = &kit_os;
    o.wal_async = true;
    arka_engine *e = open_engine(&o);
    put p = {.tables = {"t"}, .n_tables = 1, .n_rows = 7};
    put_it(e, &p);
    assert_int_equal(p.status, ARKA_OK);
    kit_os_fail(
        (kit_os_fault){.n = 1, .calls = KIT_FDATASYNC | KIT_OPEN, .error = EIO, .for_good = true});
    while (!arka_wal_is_broken(arka_engine_wal(e)))
        sched_yield();
    kit_os_fail((kit_os_fault){0});
    put_until_stored(e, &p); /* a fresh segment has taken over */
    arka_engine_options crashed = logged_crash("async", "async-copy");
    arka_engine *again = open_engine(&crashed);
    assert_int_equal(logged_rows(again, "t"), 14);
    close_engine(again);
    close_engine(e);
}

/* ---- memory ---- */

/* Each allocation of the engine fails once: refused whole, or stored whole with its key. */
static void sweep_allocations(arka_engine *e, ledger *l, arka_durability durability)
{
    for (long n = 1;; n++) {
        assert_true(l->n < MAX_KEYS);
        put *p = next_put(l, 1);
        p->durability = durability;
        p->fail_allocation = n;
        put_it(e, p);
        bool failed = kit_allocation_failed();
        p->fail_allocation = 0;
        assert_true(p->status == ARKA_OK || p->status == ARKA_NOMEM || p->status == ARKA_BUSY);
        put again = *p;
        put_until_stored(e, &again);
        assert_int_equal(again.repeated, p->status == ARKA_OK);
        if (!failed)
            break;
    }
}

TEST(every_allocation_of_a_logged_write_may_fail)
{
    arka_engine_options o = logged_options("nomem");
    arka_engine *e = open_engine(&o);
    static ledger l;
    l.n = 0;
    memset(l.acked, 1, sizeof l.acked); /* in the end */
    for (int i = 0; i < 3; i++)         /* the tables are there */
        put_until_stored(e, next_put(&l, 1));
    sweep_allocations(e, &l, ARKA_DURABILITY_SYNCED);
    sweep_allocations(e, &l, ARKA_DURABILITY_WRITTEN);
    assert_each_once(e, &l, ALL);
    flush_all(e);
    assert_nothing_hot(e);
    close_engine(e);
    e = open_engine(&o);
    assert_each_once(e, &l, ALL); /* the keys were in the log as well */
    sweep_allocations(e, &l, ARKA_DURABILITY_MEMORY);
    assert_each_once(e, &l, ALL);
    flush_all(e);
    assert_nothing_hot(e);
    close_engine(e);
}

/* ---- recovery ---- */

/* LSN-6 and the like: the log alone is enough, whatever became of the manifest. */
TEST(a_manifest_that_is_gone_costs_no_row_of_the_log)
{
    arka_engine_options o = logged_options("gone");
    arka_engine *e = open_engine(&o);
    uint64_t last = 0;
    for (int i = 0; i < 10; i++) {
        put p = {.tables = {"t", "u"}, .n_tables = 2, .n_rows = 3};
        put_it(e, &p);
        assert_int_equal(p.status, ARKA_OK);
        last = p.lsn;
    }
    arka_engine_options crashed = logged_crash("gone", "gone-copy");
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s%s", crashed.manifest_path, ENDS[i]);
        remove(path);
    }
    arka_engine *again = open_engine(&crashed);
    assert_int_equal(logged_rows(again, "t"), 30);
    assert_int_equal(logged_rows(again, "u"), 30);
    put p = {.tables = {"t"}, .n_tables = 1, .n_rows = 1};
    put_it(again, &p);
    assert_true(p.lsn > last);
    close_engine(again);
    close_engine(e);
}

/* Patience that ends some time after the disk has failed. */
static bool ask_for_a_while(void *context, int64_t done_bytes, int64_t total_bytes)
{
    assert_true(done_bytes <= total_bytes);
    return !kit_os_failed() || ++*(int *)context < 5;
}

/* A log that is longer than memory, and files that cannot be written: a wait that can be broken
 * off, and nothing is lost by it. */
TEST(a_recovery_that_finds_no_room_can_be_stopped)
{
    arka_engine_options o = logged_options("noroom");
    arka_engine *e = open_engine(&o), *again;
    for (int i = 0; i < 20; i++) {
        put p = {.tables = {"t"}, .n_tables = 1, .n_rows = 1000};
        put_it(e, &p);
    }
    arka_engine_options crashed = logged_crash("noroom", "noroom-copy");
    arka_error err = {0};
    int asked = 0;
    crashed.os = &kit_os;
    crashed.hot_limit_bytes = 100000;
    crashed.on_replay = ask_for_a_while;
    crashed.context = &asked;
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_RENAME, .error = EIO, .for_good = true});
    ASSERT_FAILS(arka_engine_open(&crashed, &again, &err), ARKA_CANCELLED, "replay");
    assert_true(kit_os_failed());
    kit_os_fail((kit_os_fault){0});
    asked = 0;
    crashed.on_replay = NULL;
    again = open_engine(&crashed); /* with a disk that works it fits */
    assert_int_equal(logged_rows(again, "t"), 20000);
    close_engine(again);
    close_engine(e);
}

/* ---- numbers ---- */

typedef struct racer {
    arka_engine *engine;
    bool through_committer;
    atomic_bool *stop;
    arka_thread thread;
} racer;

enum { RACES = 1500 };

static void race(void *context)
{
    racer *r = context;
    uint64_t before = 0;
    for (int i = 0; i < RACES; i++) {
        put p = {
            .tables = {"t"}, .n_tables = 1, .n_rows = 1, .through_committer = r->through_committer};
        put_it(r->engine, &p);
        assert_int_equal(p.status, ARKA_OK);
        assert_true(p.lsn > before); /* what begins after another has ended has a higher number */
        assert_true(arka_engine_visible_lsn(r->engine) >= p.lsn);
        before = p.lsn;
    }
}

static void watch(void *context)
{
    racer *r = context;
    uint64_t visible = 0;
    while (!atomic_load(r->stop)) {
        uint64_t now = arka_engine_visible_lsn(r->engine);
        assert_true(now >= visible); /* I2 */
        visible = now;
        arka_error err = {0};
        arka_snapshot *s;
        if (arka_engine_snapshot(r->engine, ARKA_SLICE("default"), ARKA_SLICE("t"), &s, &err) !=
            ARKA_OK)
            continue;
        assert_int_equal(kit_snapshot_rows(s), (int64_t)s->lsn); /* I3: each row has one number */
        arka_snapshot_unref(s);
    }
}

/* Without a log some writes are carried out by their own thread, some by the committer. */
TEST(what_is_visible_never_goes_back_without_a_log)
{
    arka_error err = {0};
    arka_engine_options o = kit_engine_options("nolog");
    arka_engine *e = open_engine(&o);
    atomic_bool stop = false;
    racer racers[5];
    for (int i = 0; i < 5; i++) {
        racers[i] = (racer){.engine = e, .through_committer = i % 2 == 0, .stop = &stop};
        ASSERT_OK(arka_thread_start(&racers[i].thread, i == 4 ? "watcher" : "racer",
                                    i == 4 ? watch : race, &racers[i], &err));
    }
    for (int i = 0; i < 4; i++)
        arka_thread_join(&racers[i].thread);
    atomic_store(&stop, true);
    arka_thread_join(&racers[4].thread);
    assert_int_equal(logged_rows(e, "t"), 4 * RACES);
    assert_true(arka_engine_visible_lsn(e) == 4 * RACES);
    flush_all(e);
    assert_nothing_hot(e);
    close_engine(e);
}

/* ---- the end ---- */

typedef struct patient {
    arka_engine *engine;
    arka_thread thread;
    atomic_bool waits;
    bool seen;
} patient;

static void wait_for_rows(void *context)
{
    patient *p = context;
    atomic_store(&p->waits, true);
    p->seen = arka_engine_wait_visible(p->engine, 1000000, arka_mono_after_ms(3600000));
}

TEST(who_waits_for_rows_is_told_when_the_engine_stops)
{
    arka_error err = {0};
    for (int round = 0; round < 20; round++) {
        arka_engine_options o = logged_options("patient");
        arka_engine *e = open_engine(&o);
        put p = {.tables = {"t"}, .n_tables = 1, .n_rows = 1};
        put_it(e, &p);
        patient patients[3];
        for (int i = 0; i < 3; i++) {
            patients[i] = (patient){.engine = e};
            ASSERT_OK(arka_thread_start(&patients[i].thread, "patient", wait_for_rows, &patients[i],
                                        &err));
        }
        for (int i = 0; i < 3; i++)
            while (!atomic_load(&patients[i].waits))
                sched_yield();
        ASSERT_OK(arka_engine_finish(e, &err));
        for (int i = 0; i < 3; i++) {
            arka_thread_join(&patients[i].thread);
            assert_false(patients[i].seen);
        }
        /* reads go on */
        assert_true(arka_engine_wait_visible(e, p.lsn, arka_mono_after_ms(3600000)));
        assert_false(arka_engine_wait_visible(e, p.lsn + 1, arka_mono_after_ms(3600000)));
        arka_engine_stats stats;
        arka_engine_get_stats(e, &stats);
        put refused = {.tables = {"t"}, .n_tables = 1, .n_rows = 1};
        put_it(e, &refused);
        assert_int_equal(refused.status, ARKA_BUSY);
        close_engine(e);
    }
}

enum { N_HAMMERS = 4 };

typedef struct hammer {
    arka_engine *engine;
    arka_thread thread;
    int64_t acked;
} hammer;

static void hammer_on(void *context)
{
    hammer *h = context;
    for (unsigned i = 0;; i++) {
        put p = {.tables = {"t", "u"},
                 .n_tables = 2,
                 .n_rows = 50,
                 .durability = (arka_durability)(i % 2)};
        put_it(h->engine, &p);
        if (p.status == ARKA_OK)
            h->acked += 100;
        else
            assert_int_equal(p.status, ARKA_BUSY);
        if (p.status != ARKA_OK && atomic_load(&h->engine->closing))
            return;
    }
}

/* F13, F26: a stop under load, with memory so short that writes wait and flushes run. */
TEST(a_stop_under_load_loses_nothing_and_ends)
{
    arka_error err = {0};
    int64_t acked = 0;
    for (int round = 0; round < 12; round++) {
        arka_engine_options o = logged_options("stop");
        o.hot_limit_bytes = 60000;
        o.wal_segment_bytes = 30000;
        arka_engine *e = open_engine(&o);
        assert_int_equal(logged_rows(e, "t") + logged_rows(e, "u"), acked);
        hammer hammers[N_HAMMERS];
        for (int i = 0; i < N_HAMMERS; i++) {
            hammers[i] = (hammer){.engine = e};
            ASSERT_OK(
                arka_thread_start(&hammers[i].thread, "hammer", hammer_on, &hammers[i], &err));
        }
        while (ARKA_GAUGE(e, commit_requests) < 40)
            sched_yield();
        ASSERT_OK(arka_engine_finish(e, &err));
        for (int i = 0; i < N_HAMMERS; i++) {
            arka_thread_join(&hammers[i].thread);
            acked += hammers[i].acked;
        }
        assert_nothing_hot(e);
        close_engine(e);
    }
}
