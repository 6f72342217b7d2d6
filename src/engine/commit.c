/*
 * The committer. What waits is taken all at once: while one group is written and synced the next
 * one gathers, so that a slow disk makes large groups and no request waits longer than two syncs.
 */
#include "engine/commit.h"

#include "engine/backlog.h"
#include "engine/group.h"
#include "os/failpoint.h"

enum {
    GROUP_BYTES = 16 << 20, /* of rows in memory, after which a group is closed */
    GROUP_REQUESTS = 16384, /* likewise */
    SYNC_AFTER_MS = 1000,   /* what nobody waits for */
    MEND_EVERY_MS = 1000,   /* a log that is broken */
    PARKED_SHARE = 8,       /* of the gate's memory: what may wait for it in addition */
};

struct arka_committer {
    arka_engine *engine;
    arka_thread thread;
    arka_mutex lock; /* COMMIT: what waits */
    arka_cond wake;
    arka_backlog backlog;
    ARKA_VEC(arka_control) controls;
    bool idle, stop;
    arka_mono turn;                /* when the thread last came to look what waits */
    bool sync_wanted;              /* by arka_engine__sync_soon */
    atomic_int_fast64_t n_blocked; /* of the backlog; for who comes to wait behind them */

    arka_mutex seen_lock; /* LEAF: for `seen` alone */
    arka_cond seen;       /* `visible` has moved */
    atomic_int n_watching;

    atomic_bool refusing; /* `why` says what for */
    arka_mutex why_lock;  /* LEAF */
    arka_error why;

    /* the thread's own */
    arka_group group;
    arka_mono unsynced_since; /* ns 0: all is synced */
    arka_mono mend_at;
};

/* ---- what waits ---- */

static void show_blocked_locked(arka_committer *c)
{
    atomic_store_explicit(&c->n_blocked, c->backlog.parked.n, memory_order_relaxed);
}

bool arka_engine__has_blocked(const arka_engine *engine)
{
    return atomic_load_explicit(&engine->committer->n_blocked, memory_order_relaxed) > 0;
}

void arka_engine__queue(arka_engine *engine, arka_put_request *request)
{
    arka_committer *c = engine->committer;
    arka_mutex_lock(&c->lock);
    bool wake = c->idle;
    arka_backlog_add(engine, &c->backlog, request);
    show_blocked_locked(c);
    if (wake)
        arka_cond_signal(&c->wake);
    arka_mutex_unlock(&c->lock);
}

void arka_engine__count_waiting(arka_engine *engine, int64_t *delayed, int64_t *blocked)
{
    arka_committer *c = engine->committer;
    if (c == NULL)
        return;
    arka_mutex_lock(&c->lock);
    *delayed = (int64_t)c->backlog.delayed.n;
    *blocked = c->backlog.parked.n;
    arka_mutex_unlock(&c->lock);
}

void arka_engine__log_control(arka_engine *engine, const char *event, arka_buf *take_payload)
{
    arka_committer *c = engine->committer;
    arka_control control = {event, *take_payload};
    *take_payload = (arka_buf)ARKA_BUF_INIT;
    bool kept = false;
    if (c != NULL && engine->wal != NULL && !control.payload.failed) {
        arka_mutex_lock(&c->lock);
        kept = arka_vec_push(&c->controls, control);
        arka_mutex_unlock(&c->lock);
    }
    if (!kept)
        arka_buf_fini(&control.payload);
}

static void take_group_locked(arka_committer *c)
{
    c->group.requests = arka_backlog_take(&c->backlog, GROUP_BYTES, GROUP_REQUESTS);
    for (size_t i = 0; i < c->controls.n; i++)
        if (!arka_vec_push(&c->group.controls, c->controls.items[i]))
            arka_buf_fini(&c->controls.items[i].payload);
    c->controls.n = 0;
}

/* ---- the state of the log ---- */

static void refuse(arka_committer *c, const arka_error *why)
{
    arka_mutex_lock(&c->why_lock);
    c->why = *why;
    arka_mutex_unlock(&c->why_lock);
    atomic_store(&c->refusing, true);
}

bool arka_engine__log_refuses(arka_engine *engine, arka_error *err)
{
    arka_committer *c = engine->committer;
    if (c == NULL || !atomic_load_explicit(&c->refusing, memory_order_relaxed))
        return false;
    arka_mutex_lock(&c->why_lock);
    arka_fail(err, ARKA_BUSY, "the log takes no writes: %s", c->why.msg);
    arka_mutex_unlock(&c->why_lock);
    return true;
}

static void report_broken(arka_committer *c, const arka_error *why)
{
    if (!atomic_load(&c->refusing))
        arka_engine__event(c->engine, ARKA_EVENT_ERROR, "log_broken",
                           "writes are refused until the log can be written again: %s", why->msg);
    refuse(c, why);
    arka_engine__io_failed(c->engine, why);
    c->mend_at = arka_mono_after_ms(MEND_EVERY_MS);
}

/* True when the log can be written, if need be by a new segment. */
static bool mend(arka_committer *c)
{
    arka_engine *e = c->engine;
    arka_error err = {0};
    if (e->wal == NULL)
        return true;
    if (arka_wal_is_broken(e->wal)) {
        if (arka_mono_now().ns < c->mend_at.ns)
            return false;
        arka_mutex_lock(&e->publish);
        uint64_t next = e->assigned + 1;
        arka_mutex_unlock(&e->publish);
        if (arka_wal_mend(e->wal, next, &err) != ARKA_OK) {
            report_broken(c, &err);
            return false;
        }
        arka_engine__event(e, ARKA_EVENT_WARN, "log_mended",
                           "a fresh segment has taken over; writes are accepted again");
        atomic_store(&c->refusing, false);
    }
    return true;
}

/* More on the disk than is allowed: until the flusher has let segments go. */
static void check_size(arka_committer *c)
{
    arka_engine *e = c->engine;
    arka_wal_stats stats;
    arka_wal_get_stats(e->wal, &stats);
    bool full = e->options.wal_max_bytes > 0 && stats.n_bytes >= e->options.wal_max_bytes;
    if (full && !atomic_load(&c->refusing)) {
        arka_error why = {0};
        arka_fail(&why, ARKA_BUSY, "it has %lld MiB of the %lld that it may have",
                  (long long)stats.n_bytes >> 20, (long long)e->options.wal_max_bytes >> 20);
        arka_engine__event(e, ARKA_EVENT_ERROR, "log_full", "writes are refused: %s", why.msg);
        refuse(c, &why);
        arka_engine__want_flush(e);
    } else if (!full && atomic_load(&c->refusing) && !arka_wal_is_broken(e->wal)) {
        arka_engine__event(e, ARKA_EVENT_WARN, "log_mended", "there is room in the log again");
        atomic_store(&c->refusing, false);
    }
}

/* ---- one group ---- */

static void wake_watching(arka_committer *c)
{
    /* Written, not only read: a watcher that comes behind it sees the new `visible`, one that came
     * before is seen. */
    if (atomic_fetch_add(&c->n_watching, 0) == 0)
        return;
    arka_mutex_lock(&c->seen_lock);
    arka_cond_broadcast(&c->seen);
    arka_mutex_unlock(&c->seen_lock);
}

/* Those of one durability, or all that are left; `why`: they failed. */
static void answer(arka_committer *c, int durability, const arka_error *why)
{
    arka_put_request **at = &c->group.requests;
    while (*at != NULL) {
        arka_put_request *r = *at;
        if (durability >= 0 && (int)r->durability != durability) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        arka_engine__answer(c->engine, r, why);
    }
}

static void publish(arka_committer *c, arka_durability durability)
{
    arka_group_publish(&c->group, durability);
    wake_watching(c);
    ARKA_FAILPOINT("commit_published");
    answer(c, (int)durability, NULL);
    ARKA_FAILPOINT("commit_answered");
}

static arka_status sync_log(arka_committer *c, arka_error *err)
{
    arka_status status = arka_wal_sync(c->engine->wal, err);
    if (status == ARKA_OK)
        c->unsynced_since.ns = 0;
    return status;
}

/* Each durability is visible and answered as soon as it has what it waits for. */
static arka_status log_group(arka_committer *c, arka_error *err)
{
    arka_engine *e = c->engine;
    arka_group *g = &c->group;
    ARKA_FAILPOINT("commit_assigned");
    publish(c, ARKA_DURABILITY_MEMORY);
    ARKA_TRY(arka_wal_append(e->wal, g->entries.items, g->entries.n, err));
    if (c->unsynced_since.ns == 0)
        c->unsynced_since = arka_mono_now();
    publish(c, ARKA_DURABILITY_WRITTEN);
    if (g->any_synced && !e->options.wal_async)
        ARKA_TRY(sync_log(c, err));
    publish(c, ARKA_DURABILITY_SYNCED);
    return ARKA_OK;
}

/* Unnumbered: what the requests hold is still theirs. */
static void fail_all(arka_committer *c, const arka_error *why)
{
    answer(c, -1, why);
    arka_group_end(&c->group);
}

static void fail_rest(arka_committer *c, const arka_error *why)
{
    arka_error told = {0};
    if (arka_wal_is_broken(c->engine->wal))
        report_broken(c, why);
    arka_fail(&told, ARKA_BUSY, "the log could not be written, nothing was stored: %s", why->msg);
    answer(c, -1, &told);
}

/* Without a log: what had to wait for its time or for memory, one by one as it would have been. */
static void carry_out_unlogged(arka_committer *c)
{
    arka_put_request *r;
    while ((r = c->group.requests) != NULL) {
        c->group.requests = r->next;
        arka_engine__publish_now(c->engine, r);
        arka_engine__answer(c->engine, r, NULL);
    }
    wake_watching(c);
}

static void carry_out(arka_committer *c)
{
    arka_engine *e = c->engine;
    arka_error err = {0};
    if (!mend(c)) {
        arka_engine__log_refuses(e, &err);
        fail_all(c, &err);
        return;
    }
    if (arka_group_build(&c->group, &err) != ARKA_OK) {
        fail_all(c, &err);
        return;
    }
    ARKA_COUNT(e, commits, 1);
    if (log_group(c, &err) == ARKA_OK) {
        arka_group_all_visible(&c->group);
        check_size(c);
    } else {
        fail_rest(c, &err);
    }
    /* release: who sees it finds the keys of the group stored */
    atomic_store_explicit(&e->answered, c->group.last_lsn, memory_order_release);
    arka_group_end(&c->group);
}

/* ---- the thread ---- */

/* What is due without a request. */
static void look_after_log(arka_committer *c, bool sync_now)
{
    arka_engine *e = c->engine;
    arka_error err = {0};
    if (e->wal == NULL || !mend(c))
        return;
    if (c->unsynced_since.ns != 0 &&
        (sync_now || arka_mono_since_ms(c->unsynced_since) >= SYNC_AFTER_MS) &&
        sync_log(c, &err) != ARKA_OK)
        report_broken(c, &err);
    if (atomic_load(&c->refusing))
        check_size(c);
}

/* Those that waited for memory in vain. */
static void refuse_late(arka_committer *c, arka_put_request *late)
{
    arka_error why = {0};
    arka_fail(&why, ARKA_BUSY, "memory for unflushed rows is full and was not freed in time");
    for (arka_put_request *r = late, *next; r != NULL; r = next) {
        next = r->next;
        ARKA_COUNT(c->engine, writes_refused, 1);
        arka_engine__answer(c->engine, r, &why);
    }
}

static void run_committer(void *context)
{
    arka_committer *c = context;
    arka_mutex_lock(&c->lock);
    for (;;) {
        c->turn = arka_mono_now();
        bool closing = atomic_load(&c->engine->closing);
        arka_mono deadline = arka_backlog_wake(c->engine, &c->backlog, closing);
        arka_put_request *late = arka_backlog_take_late(&c->backlog);
        show_blocked_locked(c);
        if (late == NULL && c->backlog.first == NULL && c->controls.n == 0 && !c->sync_wanted) {
            if (c->stop && !arka_backlog_waits(&c->backlog))
                break;
            c->idle = true;
            arka_cond_wait(&c->wake, &c->lock, deadline);
            c->idle = false;
            c->turn = arka_mono_now();
        }
        take_group_locked(c);
        bool sync_now = c->sync_wanted;
        c->sync_wanted = false;
        arka_mutex_unlock(&c->lock);
        refuse_late(c, late);
        if (c->engine->wal == NULL)
            carry_out_unlogged(c);
        else if (c->group.requests != NULL || c->group.controls.n > 0)
            carry_out(c);
        look_after_log(c, sync_now);
        arka_mutex_lock(&c->lock);
    }
    arka_mutex_unlock(&c->lock);
    look_after_log(c, true); /* what is flushed last must not be durable before the log is */
}

int64_t arka_engine_busy_ms(arka_engine *engine)
{
    arka_committer *c = engine->committer;
    if (c == NULL)
        return 0;
    arka_mutex_lock(&c->lock);
    int64_t ms = c->idle || c->turn.ns == 0 ? 0 : (int64_t)arka_mono_since_ms(c->turn);
    arka_mutex_unlock(&c->lock);
    return ms;
}

void arka_engine__sync_soon(arka_engine *engine)
{
    arka_committer *c = engine->committer;
    if (c == NULL)
        return;
    arka_mutex_lock(&c->lock);
    c->sync_wanted = true;
    if (c->idle)
        arka_cond_signal(&c->wake);
    arka_mutex_unlock(&c->lock);
}

void arka_engine__memory_freed(arka_engine *engine)
{
    arka_committer *c = engine->committer;
    if (c == NULL)
        return;
    arka_mutex_lock(&c->lock);
    if (arka_backlog_waits(&c->backlog))
        arka_cond_signal(&c->wake);
    arka_mutex_unlock(&c->lock);
}

bool arka_engine_wait_visible(arka_engine *engine, uint64_t lsn, arka_mono deadline)
{
    arka_committer *c = engine->committer;
    bool waited = true;
    atomic_fetch_add(&c->n_watching, 1);
    arka_mutex_lock(&c->seen_lock);
    while (waited && arka_engine_visible_lsn(engine) < lsn && !atomic_load(&engine->closing))
        waited = arka_cond_wait(&c->seen, &c->seen_lock, deadline);
    arka_mutex_unlock(&c->seen_lock);
    atomic_fetch_sub(&c->n_watching, 1);
    return arka_engine_visible_lsn(engine) >= lsn;
}

static void free_committer(arka_committer *c)
{
    for (size_t i = 0; i < c->controls.n; i++)
        arka_buf_fini(&c->controls.items[i].payload);
    arka_vec_fini(&c->controls);
    arka_backlog_fini(&c->backlog);
    arka_group_fini(&c->group);
    arka_cond_fini(&c->wake);
    arka_cond_fini(&c->seen);
    arka_mutex_fini(&c->lock);
    arka_mutex_fini(&c->seen_lock);
    arka_mutex_fini(&c->why_lock);
    arka_free(c);
}

arka_status arka_engine__start_committer(arka_engine *engine, arka_error *err)
{
    arka_committer *c = arka_calloc(1, sizeof *c);
    if (c == NULL)
        return arka_fail_nomem(err, "the committer", sizeof *c);
    c->engine = c->group.engine = engine;
    arka_backlog_init(&c->backlog, engine->gate.limit / PARKED_SHARE);
    arka_mutex_init(&c->lock, ARKA_LOCK_COMMIT);
    arka_mutex_init(&c->seen_lock, ARKA_LOCK_LEAF);
    arka_mutex_init(&c->why_lock, ARKA_LOCK_LEAF);
    arka_cond_init(&c->wake);
    arka_cond_init(&c->seen);
    engine->committer = c;
    arka_status status = arka_thread_start(&c->thread, "committer", run_committer, c, err);
    if (status != ARKA_OK) {
        engine->committer = NULL;
        free_committer(c);
    }
    return status;
}

void arka_engine__stop_committer(arka_engine *engine)
{
    arka_committer *c = engine->committer;
    if (c == NULL)
        return;
    arka_mutex_lock(&c->lock);
    bool runs = !c->stop;
    c->stop = true;
    arka_cond_signal(&c->wake);
    arka_mutex_unlock(&c->lock);
    if (runs)
        arka_thread_join(&c->thread);
    arka_mutex_lock(&c->seen_lock);
    arka_cond_broadcast(&c->seen); /* `closing` is set */
    arka_mutex_unlock(&c->seen_lock);
}

void arka_engine__free_committer(arka_engine *engine)
{
    if (engine->committer != NULL)
        free_committer(arka_take(engine->committer));
}
