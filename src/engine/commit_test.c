/* The committer and recovery together: numbers, order, durability, what a crash leaves. */
#include <stdio.h>

#include "engine/engine_priv.h"
#include "kit/faulty_os.h"
#include "kit/logged.h"
#include "os/thread.h"

static const int64_t T0 = INT64_C(1700000000000000);

static void write_rows(arka_engine *e, const char *table, int64_t n)
{
    arka_error err = {0};
    ASSERT_OK(kit_write(e, "default", table, kit_rows(T0, 1000, n), &err));
}

/* ---- a request by its two steps ---- */

typedef struct step {
    arka_mutex lock; /* LEAF */
    arka_cond changed;
    int n_done;
} step;

static void count_done(void *context)
{
    step *s = context;
    arka_mutex_lock(&s->lock);
    s->n_done++;
    arka_cond_broadcast(&s->changed);
    arka_mutex_unlock(&s->lock);
}

static void wait_done(step *s, int n)
{
    arka_mutex_lock(&s->lock);
    while (s->n_done < n)
        arka_cond_wait(&s->changed, &s->lock, arka_mono_after_ms(1000));
    arka_mutex_unlock(&s->lock);
}

static void step_init(step *s)
{
    *s = (step){.n_done = 0};
    arka_mutex_init(&s->lock, ARKA_LOCK_LEAF);
    arka_cond_init(&s->changed);
}

static void step_fini(step *s)
{
    arka_cond_fini(&s->changed);
    arka_mutex_fini(&s->lock);
}

typedef struct one {
    arka_put_request r;
    arka_put_batch batch;
} one;

static arka_status prepare_one(arka_engine *e, one *o, const char *table, int64_t n,
                               arka_durability durability, step *s, arka_error *err)
{
    o->batch =
        (arka_put_batch){.measurement = arka_slice_of(table), .batch = kit_rows(T0, 1000, n)};
    o->r = (arka_put_request){.database = ARKA_SLICE("default"),
                              .batches = &o->batch,
                              .n_batches = 1,
                              .durability = durability,
                              .done = count_done,
                              .context = s};
    return arka_request_prepare(e, &o->r, err);
}

static void end_one(one *o)
{
    arka_batch_unref(o->batch.batch);
    arka_request_fini(&o->r);
}

/* ---- numbers ---- */

enum { WRITERS = 16, WRITES = 60 };

typedef struct writer {
    arka_engine *engine;
    int id;
    arka_thread thread;
} writer;

static void run_writer(void *context)
{
    writer *w = context;
    for (int i = 0; i < WRITES; i++) {
        char table[16];
        snprintf(table, sizeof table, "t%d", (w->id + i) % 3);
        write_rows(w->engine, table, 1 + (i * 7 + w->id) % 5);
    }
}

/* LSN-1, LSN-2, LSN-3, WAL-9: whatever the threads do, the log has every number once, in order. */
TEST(numbers_have_no_gaps_and_start_at_one)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("numbers");
    arka_engine *e;
    writer writers[WRITERS];
    int64_t rows = 0;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.engine = e, .id = i};
        ASSERT_OK(arka_thread_start(&writers[i].thread, "writer", run_writer, &writers[i], &err));
    }
    for (int i = 0; i < WRITERS; i++) {
        arka_thread_join(&writers[i].thread);
        for (int k = 0; k < WRITES; k++)
            rows += 1 + (k * 7 + i) % 5;
    }
    assert_int_equal(logged_rows(e, "t0") + logged_rows(e, "t1") + logged_rows(e, "t2"), rows);
    uint64_t visible = arka_engine_visible_lsn(e);
    arka_engine_options copy = logged_crash("numbers", "numbers-copy");
    ASSERT_OK(arka_engine_close(e, &err));
    logged_sum sum = logged_read(copy.wal_dir);
    assert_int_equal(sum.first, 1);
    assert_int_equal(sum.gaps, 0);
    assert_int_equal(sum.rows, rows);
    assert_int_equal(sum.controls, 3);
    assert_int_equal(sum.last, visible);
    assert_int_equal(sum.last, rows + 3);
}

/* LSN-5, REC-3: after a crash every row is there once, numbers go on far above; REC-9: again. */
TEST(a_crash_loses_nothing_and_numbers_are_not_used_again)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("crash");
    arka_engine *e;
    int64_t n_tables;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "a", 10);
    write_rows(e, "b", 3);
    ASSERT_OK(arka_engine_flush(e, ARKA_SLICE("default"), ARKA_SLICE("a"), &n_tables, &err));
    write_rows(e, "a", 4);
    uint64_t before = arka_engine_visible_lsn(e);
    arka_engine_options copy = logged_crash("crash", "crash-copy");
    ASSERT_OK(arka_engine_close(e, &err));
    for (int i = 0; i < 3; i++) {
        char name[32], next[32];
        snprintf(name, sizeof name, i ? "crash-copy%d" : "crash-copy", i);
        snprintf(next, sizeof next, "crash-copy%d", i + 1);
        ASSERT_OK(arka_engine_open(&copy, &e, &err));
        assert_int_equal(logged_rows(e, "a"), 14 + i);
        assert_int_equal(logged_rows(e, "b"), 3);
        arka_replay_info replay;
        arka_engine_get_replay(e, &replay);
        assert_int_equal(replay.replayed_rows, 7 + i);
        write_rows(e, "a", 1);
        uint64_t now = arka_engine_visible_lsn(e);
        assert_true(now >> 32 > before >> 32);
        before = now;
        copy = logged_crash(name, next);
        ASSERT_OK(arka_engine_close(e, &err));
    }
}

/* LSN-5: a clean stop needs no jump. LSN-6: nor does a log that is gone. */
TEST(a_clean_stop_leaves_the_numbers_where_they_were)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("clean");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "a", 10);
    uint64_t before = arka_engine_visible_lsn(e);
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_int_equal(arka_engine_visible_lsn(e), before);
    assert_int_equal(logged_rows(e, "a"), 10);
    write_rows(e, "a", 1);
    assert_int_equal(arka_engine_visible_lsn(e), before + 1);
    ASSERT_OK(arka_engine_close(e, &err));
    char gone[300];
    snprintf(gone, sizeof gone, "%s-gone", o.wal_dir);
    assert_int_equal(rename(o.wal_dir, gone), 0);
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_int_equal(arka_engine_visible_lsn(e), before + 1);
    assert_int_equal(logged_rows(e, "a"), 11);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- durability ---- */

/* ACK-1, ACK-2: what is answered is visible, whatever it waited for; and all of it is logged. */
TEST(every_durability_is_visible_when_it_is_answered)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("durability");
    arka_engine *e;
    step s;
    one ones[9];
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    step_init(&s);
    for (int i = 0; i < 9; i++)
        ASSERT_OK(prepare_one(e, &ones[i], "a", 2, (arka_durability)(2 - i % 3), &s, &err));
    assert_int_equal(logged_rows(e, "a"), 0);
    for (int i = 0; i < 9; i++)
        arka_request_commit(e, &ones[i].r);
    wait_done(&s, 9);
    assert_int_equal(logged_rows(e, "a"), 18);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(ones[i].r.status, ARKA_OK);
        assert_true(ones[i].r.lsn > 0 && ones[i].r.lsn <= arka_engine_visible_lsn(e));
        end_one(&ones[i]);
    }
    ASSERT_OK(arka_engine_close(e, &err));
    logged_sum sum = logged_read(o.wal_dir);
    assert_int_equal(sum.rows, 18);
    assert_int_equal(sum.gaps, 0);
    step_fini(&s);
}

/* ACK-3, MEM-1: what was prepared and is not wanted any more leaves no trace. */
TEST(an_abandoned_request_gives_its_memory_back)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("abandon");
    arka_engine *e;
    step s;
    one x;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    step_init(&s);
    write_rows(e, "a", 1);
    int64_t used = arka_gate_used(&e->gate);
    ASSERT_OK(prepare_one(e, &x, "a", 100, ARKA_DURABILITY_SYNCED, &s, &err));
    assert_true(arka_gate_used(&e->gate) > used);
    arka_request_abandon(e, &x.r);
    assert_int_equal(arka_gate_used(&e->gate), used);
    assert_int_equal(logged_rows(e, "a"), 1);
    end_one(&x);
    ASSERT_OK(arka_engine_close(e, &err));
    step_fini(&s);
}

/* WAL-6: a write that fails takes the whole group with it; the log mends itself and goes on. */
TEST(a_log_that_cannot_be_written_refuses_and_heals)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("broken");
    arka_engine *e;
    o.os = &kit_os;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "a", 5);
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_PWRITEV, .error = ENOSPC, .for_good = true});
    ASSERT_FAILS(kit_write(e, "default", "a", kit_rows(T0, 1000, 7), &err), ARKA_BUSY,
                 "nothing was stored");
    assert_int_equal(logged_rows(e, "a"), 5);
    char why[300];
    assert_true(arka_engine_is_refusing(e, why, sizeof why));
    ASSERT_FAILS(kit_write(e, "default", "a", kit_rows(T0, 1000, 7), &err), ARKA_BUSY, "log");
    kit_os_fail((kit_os_fault){.n = 0});
    while (arka_engine_is_refusing(e, why, sizeof why))
        usleep(1000);
    write_rows(e, "a", 2);
    assert_int_equal(logged_rows(e, "a"), 7);
    arka_engine_options copy = logged_crash("broken", "broken-copy");
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&copy, &e, &err));
    assert_int_equal(logged_rows(e, "a"), 7);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* WAL-7: a sync that fails is carried over to a fresh segment, and the writer never hears of it. */
TEST(a_failed_sync_moves_to_a_fresh_segment)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("sync");
    arka_engine *e;
    arka_wal_stats stats;
    o.os = &kit_os;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "a", 5);
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_FDATASYNC, .error = EIO});
    write_rows(e, "a", 7);
    kit_os_fail((kit_os_fault){.n = 0});
    arka_wal_get_stats(arka_engine_wal(e), &stats);
    assert_int_equal(stats.sync_failures, 1);
    assert_int_equal(stats.n_segments, 2);
    arka_engine_options copy = logged_crash("sync", "sync-copy");
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&copy, &e, &err));
    assert_int_equal(logged_rows(e, "a"), 12);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- several tables at one instant ---- */

typedef struct pairs {
    arka_engine *engine;
    atomic_bool stop;
    arka_thread thread;
} pairs;

static void run_pairs(void *context)
{
    pairs *p = context;
    arka_error err = {0};
    while (!atomic_load(&p->stop)) {
        arka_put_batch both[2] = {{.measurement = ARKA_SLICE("x"), .batch = kit_rows(T0, 1, 3)},
                                  {.measurement = ARKA_SLICE("y"), .batch = kit_rows(T0, 1, 3)}};
        ASSERT_OK(arka_engine_write(p->engine, ARKA_SLICE("default"), both, 2, true, &err));
        arka_batch_unref(both[0].batch);
        arka_batch_unref(both[1].batch);
    }
}

static void check_pairs(const char *name, arka_engine_options o)
{
    arka_error err = {0};
    arka_table_ref refs[2] = {{ARKA_SLICE("default"), ARKA_SLICE("x")},
                              {ARKA_SLICE("default"), ARKA_SLICE("y")}};
    pairs p = {.stop = false};
    (void)name;
    ASSERT_OK(arka_engine_open(&o, &p.engine, &err));
    write_rows(p.engine, "x", 3);
    write_rows(p.engine, "y", 3);
    ASSERT_OK(arka_thread_start(&p.thread, "pairs", run_pairs, &p, &err));
    uint64_t last = 0;
    for (int i = 0; i < 300; i++) {
        arka_snapshot *seen[2];
        uint64_t lsn;
        int64_t n_tables;
        ASSERT_OK(arka_engine_snapshots(p.engine, refs, 2, seen, &lsn, &err));
        assert_int_equal(kit_snapshot_rows(seen[0]), kit_snapshot_rows(seen[1]));
        assert_true(lsn >= last);
        last = lsn;
        arka_snapshot_unref(seen[0]);
        arka_snapshot_unref(seen[1]);
        if (i % 50 == 0)
            ASSERT_OK(arka_engine_flush(p.engine, refs[i / 50 % 2].database, refs[i / 50 % 2].table,
                                        &n_tables, &err));
    }
    atomic_store(&p.stop, true);
    arka_thread_join(&p.thread);
    ASSERT_OK(arka_engine_close(p.engine, &err));
}

/* QRY-2, ACK-5: a request for two tables is seen whole or not at all. */
TEST(tables_are_seen_at_one_instant)
{
    check_pairs("with", logged_options("pairs"));
}

TEST(tables_are_seen_at_one_instant_without_a_log)
{
    check_pairs("without", kit_engine_options("pairs-unlogged"));
}

/* ACK-2: whoever knows a number can wait for it. */
TEST(waiting_for_a_number_ends_when_it_is_visible_or_in_time)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("waiting");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "a", 3);
    uint64_t lsn = arka_engine_visible_lsn(e);
    assert_true(arka_engine_wait_visible(e, lsn, arka_mono_after_ms(0)));
    assert_false(arka_engine_wait_visible(e, lsn + 1, arka_mono_after_ms(5)));
    pairs p = {.engine = e, .stop = false};
    ASSERT_OK(arka_thread_start(&p.thread, "pairs", run_pairs, &p, &err));
    assert_true(arka_engine_wait_visible(e, lsn + 20, arka_mono_after_ms(60000)));
    assert_true(arka_engine_visible_lsn(e) >= lsn + 20);
    atomic_store(&p.stop, true);
    arka_thread_join(&p.thread);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* REC-2: a manifest that is gone costs its files, which are set aside, but no row of the log. */
TEST(a_log_without_its_manifest_gives_all_its_rows_again_and_again)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("manifest"), copy;
    arka_engine *e;
    char gone[300];
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (int i = 0; i < 5; i++)
        write_rows(e, "a", 10);
    copy = logged_crash("manifest", "manifest-copy");
    ASSERT_OK(arka_engine_close(e, &err));
    for (const char *const *end = (const char *const[]){"", "-wal", "-shm", NULL}; *end; end++) {
        snprintf(gone, sizeof gone, "%s%s", copy.manifest_path, *end);
        unlink(gone);
    }
    ASSERT_OK(arka_engine_open(&copy, &e, &err));
    assert_int_equal(logged_rows(e, "a"), 50);
    write_rows(e, "a", 1);
    copy = logged_crash("manifest-copy", "manifest-copy2");
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&copy, &e, &err));
    assert_int_equal(logged_rows(e, "a"), 51);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* WAL-6 with the log synced once a second: what was answered is not forgotten with the sync. */
TEST(what_was_answered_before_its_sync_survives_a_log_that_breaks)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("async"), copy;
    arka_engine *e;
    char why[300];
    o.os = &kit_os;
    o.wal_async = true;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "a", 5);
    kit_os_fail((kit_os_fault){
        .n = 1, .calls = KIT_FDATASYNC | KIT_FSYNC | KIT_OPEN, .error = EIO, .for_good = true});
    while (!arka_engine_is_refusing(e, why, sizeof why))
        usleep(1000);
    kit_os_fail((kit_os_fault){.n = 0});
    while (arka_engine_is_refusing(e, why, sizeof why))
        usleep(1000);
    write_rows(e, "a", 2);
    copy = logged_crash("async", "async-copy");
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&copy, &e, &err));
    assert_int_equal(logged_rows(e, "a"), 7);
    ASSERT_OK(arka_engine_close(e, &err));
}
