/*
 * Flushes: hot batches of some tables to Parquet files, the files into the manifest, the switch.
 *
 * A commit that fails is undone as far as this process can see, but its bytes may be on the disk,
 * and after a crash before the next commit SQLite may take them for committed. So once a commit was
 * tried the files stay, the batches stay claimed, and it is the same flush that is committed later:
 * whatever the disk shows after a crash, each row is in files of the manifest once or not at all.
 */
#include "engine/flush.h"

#include <stdio.h>
#include <time.h>

#include "engine/due.h"
#include "os/failpoint.h"

/* For so long a flush waits until the log has its rows; then something is wrong with the log. */
enum { WAIT_FOR_LOG_MS = 3000, LOOK_AT_LOG_MS = 1 };

void arka_engine__free_flush(arka_flush *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->files.n; i++)
        arka_data_file_unref(f->files.items[i]);
    arka_file_list_unref(f->list);
    arka_vec_fini(&f->paths);
    arka_vec_fini(&f->files);
    arka_vec_fini(&f->entries);
    arka_spans_fini(&f->spans);
    arka_free(f->batches);
    arka_free(f->columns);
    arka_free(f->fields);
    arka_snapshot_unref(f->snapshot);
    arka_arena_fini(&f->arena);
    arka_free(f);
}
ARKA_CLEANUP(arka_flush, arka_engine__free_flush)

/* ---- flushes whose commit failed ---- */

arka_flush *arka_engine__take_unsure(arka_engine *engine, const arka_table *table)
{
    arka_mutex_lock(&engine->flush_lock);
    arka_flush **at = &engine->unsure;
    while (*at != NULL && (*at)->table != table)
        at = &(*at)->next;
    arka_flush *found = *at;
    if (found != NULL)
        *at = found->next;
    arka_mutex_unlock(&engine->flush_lock);
    return found;
}

void arka_engine__keep_unsure(arka_flush *f)
{
    arka_mutex_lock(&f->engine->flush_lock);
    f->next = f->engine->unsure;
    f->engine->unsure = f;
    arka_mutex_unlock(&f->engine->flush_lock);
}

void arka_engine__forget_unsure(arka_engine *engine)
{
    while (engine->unsure != NULL) {
        arka_flush *f = engine->unsure;
        engine->unsure = f->next;
        arka_engine__free_flush(f);
    }
}

/* ---- the steps ---- */

static arka_status claim_rows(arka_flush *f, arka_error *err)
{
    arka_table_gauges g;
    arka_table_get_gauges(f->table, &g);
    int64_t max_bytes = arka_due_hot_bytes(&g, f->engine->options.flush_bytes);
    ARKA_TRY(arka_table_begin_flush(f->table, max_bytes, &f->snapshot, err));
    arka_table_get_gauges(f->table, &g); /* the oldest rows are ours now */
    f->lsn_first = g.hot_lsn;
    return ARKA_OK;
}

/* *out is NULL when there is nothing to flush. */
static arka_status begin(arka_engine *engine, arka_table *table, arka_flush **out, arka_error *err)
{
    ARKA_AUTO(arka_flush) f = arka_engine__take_unsure(engine, table);
    *out = NULL;
    if (f != NULL) {
        f->status = ARKA_OK;
        f->why = (arka_error){0};
        *out = arka_take(f);
        return ARKA_OK;
    }
    f = arka_calloc(1, sizeof *f);
    if (f == NULL)
        return arka_fail_nomem(err, "a flush", sizeof *f);
    f->engine = engine;
    f->table = table;
    f->now_us = arka_wall_us();
    ARKA_TRY(claim_rows(f, err));
    if (f->snapshot != NULL)
        *out = arka_take(f);
    return ARKA_OK;
}

/*
 * A row must not be durable before all that came before it are: the others of its request may be
 * in other tables. Only rows that did not wait for a sync are visible before the log has them.
 */
static void wait_for_log(arka_engine *e, uint64_t lsn)
{
    if (!atomic_load(&e->log_runs) || arka_wal_durable_lsn(e->wal) >= lsn)
        return;
    arka_mono deadline = arka_mono_after_ms(WAIT_FOR_LOG_MS);
    arka_engine__sync_soon(e);
    while (arka_wal_durable_lsn(e->wal) < lsn && !arka_wal_is_broken(e->wal) &&
           arka_mono_now().ns < deadline.ns) {
        struct timespec pause = {0, LOOK_AT_LOG_MS * 1000000};
        nanosleep(&pause, NULL);
    }
}

static bool is_committed(arka_flush *f)
{
    bool there = false;
    arka_status status =
        arka_manifest_has_file(f->engine->manifest, f->entries.items[0].path, &there, NULL);
    return status == ARKA_OK && there;
}

static arka_manifest_flush to_commit(const arka_flush *f)
{
    return (arka_manifest_flush){.table_id = arka_table_id(f->table),
                                 .lsn_first = f->lsn_first,
                                 .flushed_lsn = f->snapshot->lsn,
                                 .files = f->entries.items,
                                 .n_files = f->entries.n};
}

/* `room`: for n of them. */
static void commit(arka_engine *e, arka_flush *const *flushes, size_t n, arka_manifest_flush *room)
{
    arka_error why = {0};
    uint64_t lsn = 0;
    size_t n_new = 0;
    for (size_t i = 0; i < n; i++) {
        arka_flush *f = flushes[i];
        if (f->status != ARKA_OK || (f->tried && is_committed(f)))
            continue;
        f->tried = true;
        lsn = f->snapshot->lsn > lsn ? f->snapshot->lsn : lsn;
        room[n_new++] = to_commit(f);
    }
    if (n_new == 0)
        return;
    wait_for_log(e, lsn);
    arka_status status = arka_manifest_commit_flushes(e->manifest, room, n_new, &why);
    ARKA_COUNT(e, flush_groups, status == ARKA_OK);
    /* Rows that the log does not have, because it is broken: it has not their keys either. */
    if (status == ARKA_OK && atomic_load(&e->log_runs) && arka_wal_durable_lsn(e->wal) < lsn)
        ARKA_IGNORE(arka_requests_keep(e->requests, e->manifest, lsn + 1, arka_wall_us(),
                                       NULL)); /* a repeated request is stored twice then */
    for (size_t i = 0; status != ARKA_OK && i < n; i++)
        if (flushes[i]->status == ARKA_OK && !is_committed(flushes[i]))
            arka_flush__fail(flushes[i], status, &why);
    ARKA_FAILPOINT("flush_committed");
}

static void end(arka_flush *f)
{
    bool first;
    arka_table_end_flush(f->table, arka_take(f->list), &first);
    ARKA_COUNT(f->engine, hot_rows, -f->snapshot->n_hot_rows);
    arka_gate_adjust(&f->engine->gate, -f->snapshot->n_hot_bytes);
    if (first)
        arka_engine__catalog_changed(f->engine);
    ARKA_FAILPOINT("flush_switched");
}

/* ---- what is said of it ---- */

static int64_t n_file_bytes(const arka_flush *f)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < f->entries.n; i++)
        bytes += f->entries.items[i].n_bytes;
    return bytes;
}

static void report_success(const arka_flush *f)
{
    arka_engine *e = f->engine;
    int64_t bytes = n_file_bytes(f);
    ARKA_COUNT(e, flushes, 1);
    ARKA_COUNT(e, flush_rows, f->snapshot->n_hot_rows);
    ARKA_COUNT(e, flush_files, (int64_t)f->files.n);
    ARKA_COUNT(e, flush_bytes, bytes);
    arka_engine__event(e, ARKA_EVENT_DEBUG, "flush", "%s.%s: %lld rows in %zu files, %lld bytes",
                       arka_table_database(f->table), arka_table_name(f->table),
                       (long long)f->snapshot->n_hot_rows, f->files.n, (long long)bytes);
}

/* One event, however many tables the same trouble has struck. */
static void report_failures(arka_engine *e, const arka_flush_item *items, size_t n,
                            const arka_error *why)
{
    const arka_flush_item *one = NULL;
    int64_t n_failed = 0, rows = 0;
    for (size_t i = 0; i < n; i++)
        if (items[i].status != ARKA_OK) {
            arka_table_gauges g;
            arka_table_get_gauges(items[i].table, &g);
            rows += g.hot_rows;
            n_failed++;
            one = one ? one : &items[i];
        }
    if (one == NULL)
        return;
    char others[48] = "";
    if (n_failed > 1)
        snprintf(others, sizeof others, " and %lld more tables", (long long)n_failed - 1);
    ARKA_COUNT(e, flush_failures, n_failed);
    arka_engine__event(e, ARKA_EVENT_ERROR, "flush_failed",
                       "%s.%s%s: %lld rows stay in memory and will be tried again: %s",
                       arka_table_database(one->table), arka_table_name(one->table), others,
                       (long long)rows, why->msg);
}

/* ---- all of it ---- */

/* Ends the flush and says what became of it. */
static void settle(arka_flush *f, arka_flush_item *item)
{
    item->status = f->status;
    if (f->status == ARKA_OK) {
        end(f);
        item->n_rows = f->snapshot->n_hot_rows;
        report_success(f);
    } else {
        arka_table_fail_flush(f->table, f->tried);
    }
    if (f->status != ARKA_OK && f->tried)
        arka_engine__keep_unsure(f);
    else
        arka_engine__free_flush(f);
}

typedef struct group {
    arka_flush **flushes;      /* NULL: nothing to do for the item */
    arka_flush **running;      /* those that there are … */
    arka_flush **fresh;        /* … and of them those without files */
    arka_manifest_flush *room; /* for the commit */
    size_t n_running, n_fresh;
} group;

static void group_fini(group *g)
{
    arka_free(g->flushes);
    arka_free(g->running);
    arka_free(g->fresh);
    arka_free(g->room);
}

static arka_status group_init(group *g, size_t n, arka_error *err)
{
    g->flushes = arka_calloc(n, sizeof *g->flushes);
    g->running = arka_calloc(n, sizeof *g->running);
    g->fresh = arka_calloc(n, sizeof *g->fresh);
    g->room = arka_calloc(n, sizeof *g->room);
    if (g->flushes == NULL || g->running == NULL || g->fresh == NULL || g->room == NULL)
        return arka_fail_nomem(err, "flushes", n * sizeof *g->room);
    return ARKA_OK;
}

static void begin_all(arka_engine *e, group *g, arka_flush_item *items, size_t n, arka_error *err)
{
    for (size_t i = 0; i < n; i++) {
        items[i].status = begin(e, items[i].table, &g->flushes[i], err);
        arka_flush *f = g->flushes[i];
        if (f == NULL)
            continue;
        g->running[g->n_running++] = f;
        if (!f->tried)
            g->fresh[g->n_fresh++] = f;
    }
}

static void run(arka_engine *e, group *g, arka_flush_item *items, size_t n, arka_error *err)
{
    begin_all(e, g, items, n, err);
    arka_flush__write_files(e, g->fresh, g->n_fresh);
    commit(e, g->running, g->n_running, g->room);
    for (size_t i = 0; i < n; i++) {
        arka_flush *f = g->flushes[i];
        if (f == NULL)
            continue;
        if (f->status != ARKA_OK && err->code == ARKA_OK)
            *err = f->why;
        settle(f, &items[i]);
    }
    arka_engine__memory_freed(e);
}

arka_status arka_engine__flush_tables(arka_engine *engine, arka_flush_item *items, size_t n,
                                      arka_error *err)
{
    group g = {0};
    arka_error why = {0};
    arka_mono start = arka_mono_now();
    arka_status status = group_init(&g, n, &why);
    for (size_t i = 0; i < n; i++) {
        items[i].n_rows = 0;
        items[i].status = status;
    }
    if (status == ARKA_OK)
        run(engine, &g, items, n, &why);
    group_fini(&g);
    int64_t took = arka_mono_since_ns(start);
    ARKA_COUNT(engine, flush_ns, took);
    arka_latency_observe(&engine->flush_latency, took);
    if (why.code == ARKA_OK)
        return ARKA_OK;
    report_failures(engine, items, n, &why);
    arka_engine__io_failed(engine, &why);
    if (err != NULL && err->code == ARKA_OK)
        *err = why;
    return why.code;
}
