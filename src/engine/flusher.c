/* The thread that looks after tables, log and disks: what is due, and when. */
#include "engine/due.h"
#include "engine/engine_priv.h"
#include "engine/reaper.h"

enum {
    /* How often tables are looked at: the grain of the age trigger. */
    LOOK_EVERY_MS = 100,
    /* For how long it works on what one look found: then there may be something more urgent. */
    LOOK_AGAIN_AFTER_MS = 500,
    TRIM_EVERY_MS = 500,
    TRIM_AGAIN_AFTER_MS = 10000, /* it failed */
    CHECKPOINT_EVERY_MS = 10000,
    DISKS_EVERY_MS = 30000,
    LOW_DISKS_EVERY_MS = 1000,
};

struct arka_flusher {
    arka_engine *engine;
    arka_table_list tables;
    ARKA_VEC(arka_due) due;
    arka_due_state state; /* at the last look */
    arka_lag lag;
    arka_flush_item items[ARKA_TOGETHER_TABLES];
    arka_mono started, trim_at, checkpoint_at, disks_at;
    bool trim_failed;
    uint64_t noted_lsn; /* what there was at the last checkpoint */
    int64_t noted_flushes;
};

static bool has_to_stop(arka_engine *e)
{
    arka_mutex_lock(&e->flush_lock);
    bool stop = e->stop;
    arka_mutex_unlock(&e->flush_lock);
    return stop;
}

/* ---- tables ---- */

static void look_at_log(arka_flusher *f)
{
    arka_engine *e = f->engine;
    arka_wal_stats stats;
    int64_t span = e->options.flush_lag_records;
    if (!atomic_load_explicit(&e->log_runs, memory_order_acquire))
        return;
    arka_wal_get_stats(e->wal, &stats);
    arka_lag_note(&f->lag, stats.records, stats.appended_lsn, span);
    f->state.lag_lsn = arka_lag_lsn(&f->lag, stats.records, span);
    f->state.force_lsn = arka_engine__lsn_to_free(e);
}

/* What is due now, in f->due. Out of memory: nothing is. */
static void look(arka_flusher *f)
{
    arka_engine *e = f->engine;
    f->due.n = 0;
    f->state = (arka_due_state){.now = arka_mono_now(), .zone = arka_gate_zone(&e->gate)};
    look_at_log(f);
    if (arka_registry_all_tables(e->registry, &f->tables, NULL) != ARKA_OK ||
        !arka_vec_reserve(&f->due, f->tables.n))
        return;
    for (size_t i = 0; i < f->tables.n; i++) {
        f->due.items[i].table = f->tables.items[i];
        arka_table_get_gauges(f->tables.items[i], &f->due.items[i].gauges);
    }
    f->due.n = arka_due_pick(f->due.items, f->tables.n, &e->options, &f->state);
}

/* Some of the due ones from `at` on, together; how many. Tables that another thread flushes are
 * passed over. */
static size_t flush_some(arka_flusher *f, size_t at)
{
    arka_engine *e = f->engine;
    const arka_due *due = f->due.items + at;
    size_t n = arka_due_together(due, f->due.n - at, &e->options), n_items = 0;
    for (size_t i = 0; i < n; i++)
        if (arka_engine__claim(e, due[i].table) == ARKA_OK)
            f->items[n_items++] = (arka_flush_item){.table = due[i].table};
    /* It has been reported as an event and counted; the rows stay and are tried again. */
    if (n_items > 0)
        ARKA_IGNORE(arka_engine__flush_tables(e, f->items, n_items, NULL));
    for (size_t i = 0; i < n_items; i++)
        arka_engine__release(e, f->items[i].table);
    return n;
}

/* True when there may be more to do at once. */
static bool work(arka_flusher *f)
{
    look(f);
    arka_mono start = arka_mono_now();
    bool more = false;
    for (size_t at = 0; at < f->due.n && !has_to_stop(f->engine);) {
        bool late = arka_mono_since_ms(start) > LOOK_AGAIN_AFTER_MS;
        size_t next = arka_due_next(f->due.items, f->due.n, at, late);
        more |= next != at;
        if (next == f->due.n)
            break;
        at = next + flush_some(f, next);
        if (arka_gate_zone(&f->engine->gate) != f->state.zone)
            return true;
    }
    return more;
}

/* ---- log and disks ---- */

static bool is_time(arka_mono *at, int64_t every_ms)
{
    arka_mono now = arka_mono_now();
    if (now.ns < at->ns)
        return false;
    at->ns = now.ns + every_ms * 1000000;
    return true;
}

static void trim(arka_flusher *f)
{
    int64_t n;
    arka_error why = {0};
    bool hurry = f->state.force_lsn > 0 && !f->trim_failed;
    if (!is_time(&f->trim_at, TRIM_EVERY_MS) && !hurry)
        return;
    f->trim_failed = arka_engine_trim(f->engine, &n, &why) != ARKA_OK;
    if (!f->trim_failed)
        return;
    f->trim_at = arka_mono_after_ms(TRIM_AGAIN_AFTER_MS);
    arka_engine__event(f->engine, ARKA_EVENT_WARN, "trim_failed",
                       "segments of the log that are not needed stay for now: %s", why.msg);
}

static void write_checkpoint(arka_flusher *f)
{
    arka_engine *e = f->engine;
    if (!atomic_load_explicit(&e->log_runs, memory_order_acquire) ||
        !is_time(&f->checkpoint_at, CHECKPOINT_EVERY_MS))
        return;
    uint64_t lsn = arka_wal_durable_lsn(e->wal);
    int64_t flushes = ARKA_GAUGE(e, flushes);
    if (lsn == f->noted_lsn && flushes == f->noted_flushes)
        return;
    f->noted_lsn = lsn;
    f->noted_flushes = flushes;
    arka_engine__write_checkpoint(e, false);
}

static void look_at_disks(arka_flusher *f)
{
    arka_engine *e = f->engine;
    bool low = arka_engine__disk_refuses(e, NULL);
    arka_mono soon = arka_mono_after_ms(LOW_DISKS_EVERY_MS);
    if (low && f->disks_at.ns > soon.ns) /* somebody else has found it */
        f->disks_at = soon;
    if (!is_time(&f->disks_at, low ? LOW_DISKS_EVERY_MS : DISKS_EVERY_MS))
        return;
    /* Not in the first moments: a process that ends soon need not write so much. */
    bool settled = arka_mono_since_ms(f->started) >= DISKS_EVERY_MS;
    arka_engine__look_at_disks(e, settled);
}

/* ---- the thread ---- */

static bool turn(arka_flusher *f)
{
    bool more = work(f);
    look_at_disks(f);
    trim(f);
    write_checkpoint(f);
    arka_reaper_run(f->engine->reaper);
    return more;
}

static void run_flusher(void *context)
{
    arka_engine *e = ((arka_flusher *)context)->engine;
    bool more = false;
    arka_mutex_lock(&e->flush_lock);
    while (!e->stop) {
        if (!e->wanted && !more)
            arka_cond_wait(&e->flush_wake, &e->flush_lock, arka_mono_after_ms(LOOK_EVERY_MS));
        e->wanted = false;
        if (e->stop)
            break;
        arka_mutex_unlock(&e->flush_lock);
        more = turn(context);
        arka_mutex_lock(&e->flush_lock);
    }
    arka_mutex_unlock(&e->flush_lock);
}

void arka_engine__want_flush(arka_engine *engine)
{
    arka_mutex_lock(&engine->flush_lock);
    engine->wanted = true;
    arka_cond_signal(&engine->flush_wake);
    arka_mutex_unlock(&engine->flush_lock);
}

arka_status arka_engine__start_flusher(arka_engine *engine, arka_error *err)
{
    arka_flusher *f = arka_calloc(1, sizeof *f);
    if (f == NULL)
        return arka_fail_nomem(err, "the flusher", sizeof *f);
    f->engine = engine;
    f->started = arka_mono_now();
    f->disks_at = arka_mono_after_ms(DISKS_EVERY_MS);
    f->checkpoint_at = arka_mono_after_ms(CHECKPOINT_EVERY_MS);
    arka_status status = arka_thread_start(&engine->flusher_thread, "flusher", run_flusher, f, err);
    if (status == ARKA_OK)
        engine->flusher = f;
    else
        arka_free(f);
    return status;
}

void arka_engine__stop_flusher(arka_engine *engine)
{
    arka_flusher *f = engine->flusher;
    if (f == NULL)
        return;
    arka_mutex_lock(&engine->flush_lock);
    engine->stop = true;
    arka_cond_signal(&engine->flush_wake);
    arka_mutex_unlock(&engine->flush_lock);
    arka_thread_join(&engine->flusher_thread);
    engine->flusher = NULL;
    arka_vec_fini(&f->tables);
    arka_vec_fini(&f->due);
    arka_free(f);
}
