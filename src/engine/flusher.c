/* When a table is flushed, and by whom: one thread of the engine's, or the caller of flush. */
#include "engine/engine_priv.h"

/* How often tables are looked at: the grain of the age trigger. */
enum { LOOK_EVERY_MS = 100 };
/* Memory in use, as percent of the hot limit, from which the largest tables are flushed early. */
enum { EARLY_PERCENT = 50 };
/* A table whose flush failed is left alone for so long. */
enum { RETRY_AFTER_MS = 1000 };

/* ---- one flush at a time a table ---- */

static bool is_flushing_locked(const arka_engine *e, const arka_table *table)
{
    for (size_t i = 0; i < e->flushing.n; i++)
        if (e->flushing.items[i] == table)
            return true;
    return false;
}

static arka_status claim(arka_engine *e, arka_table *table, arka_error *err)
{
    arka_mutex_lock(&e->flush_lock);
    while (is_flushing_locked(e, table))
        arka_cond_wait(&e->flush_done, &e->flush_lock, arka_mono_after_ms(1000));
    bool ok = arka_vec_push(&e->flushing, table);
    arka_mutex_unlock(&e->flush_lock);
    return ok ? ARKA_OK : arka_fail_nomem(err, "a flush", sizeof table);
}

static void release(arka_engine *e, const arka_table *table)
{
    arka_mutex_lock(&e->flush_lock);
    for (size_t i = 0; i < e->flushing.n; i++)
        if (e->flushing.items[i] == table) {
            e->flushing.items[i] = arka_vec_last(&e->flushing);
            e->flushing.n--;
            break;
        }
    arka_cond_broadcast(&e->flush_done);
    arka_mutex_unlock(&e->flush_lock);
}

/* At least the n_rows oldest; 0 is what one flush takes. *flushed: how many went. */
static arka_status flush_one(arka_engine *e, arka_table *table, int64_t n_rows, int64_t *flushed,
                             arka_error *err)
{
    ARKA_TRY(claim(e, table, err));
    arka_status status;
    int64_t n;
    *flushed = 0;
    do {
        status = arka_engine__flush_table(e, table, &n, err);
        *flushed += status == ARKA_OK ? n : 0;
    } while (status == ARKA_OK && n > 0 && *flushed < n_rows);
    release(e, table);
    return status;
}

/* What is hot now; what comes meanwhile need not wait for this. */
static arka_status flush_all(arka_engine *e, arka_table *table, int64_t *flushed, arka_error *err)
{
    arka_table_gauges g;
    arka_table_get_gauges(table, &g);
    return flush_one(e, table, g.hot_rows, flushed, err);
}

arka_status arka_engine_flush(arka_engine *engine, arka_slice database, arka_slice table,
                              int64_t *out_tables, arka_error *err)
{
    arka_database *only = NULL;
    if (database.len > 0 && (only = arka_registry_database(engine->registry, database)) == NULL)
        return arka_fail(err, ARKA_NOTFOUND, "unknown database: %.*s", ARKA_FMT(database));
    arka_table_list tables = {0};
    arka_status status = arka_registry_tables(engine->registry, only, &tables, err);
    bool found = table.len == 0;
    int64_t n = 0;
    for (size_t i = 0; status == ARKA_OK && i < tables.n; i++) {
        int64_t flushed = 0;
        if (table.len > 0 && !arka_name_eq(arka_slice_of(arka_table_name(tables.items[i])), table))
            continue;
        found = true;
        status = flush_all(engine, tables.items[i], &flushed, err);
        n += flushed > 0;
    }
    arka_vec_fini(&tables);
    if (status == ARKA_OK && !found)
        return arka_fail(err, ARKA_NOTFOUND, "unknown measurement: %.*s", ARKA_FMT(table));
    if (status == ARKA_OK)
        *out_tables = n;
    return status;
}

/* ---- the end ---- */

void arka_engine__wait_for_writers(arka_engine *engine)
{
    arka_mutex_lock(&engine->flush_lock);
    while (atomic_load(&engine->writers) > 0)
        arka_cond_wait(&engine->flush_done, &engine->flush_lock, arka_mono_after_ms(100));
    arka_mutex_unlock(&engine->flush_lock);
}

void arka_engine__last_writer_left(arka_engine *engine)
{
    arka_mutex_lock(&engine->flush_lock);
    arka_cond_broadcast(&engine->flush_done);
    arka_mutex_unlock(&engine->flush_lock);
}

/* ---- the thread ---- */

static bool is_due(const arka_engine *e, const arka_table_gauges *g)
{
    const arka_engine_options *o = &e->options;
    if (g->hot_rows == 0)
        return false;
    int64_t since_flush_ms =
        g->last_flush.ns == 0 ? INT64_MAX : arka_mono_since_ns(g->last_flush) / 1000000;
    if (g->hot_bytes >= o->flush_bytes)
        return true;
    bool wanted = g->hot_rows >= o->flush_rows ||
                  arka_mono_since_ns(g->hot_since) / 1000000 >= o->flush_age_ms;
    return wanted && since_flush_ms >= o->flush_interval_ms;
}

static void flush_and_go_on(arka_engine *e, arka_table *table)
{
    int64_t flushed;
    arka_error err = {0};
    /* It has been reported as an event and counted; the rows stay and the next look tries again. */
    ARKA_IGNORE(flush_one(e, table, 0, &flushed, &err));
}

static void flush_due(arka_engine *e, const arka_table_list *tables)
{
    int64_t hot = ARKA_GAUGE(e, hot_bytes);
    bool short_of_memory = hot > (int64_t)(e->options.hot_limit_bytes / 100 * EARLY_PERCENT);
    arka_table *largest = NULL;
    int64_t largest_bytes = 0;
    for (size_t i = 0; i < tables->n; i++) {
        arka_table_gauges g;
        arka_table_get_gauges(tables->items[i], &g);
        bool just_failed = g.hot_rows > 0 && g.last_flush.ns > g.hot_since.ns &&
                           arka_mono_since_ns(g.last_flush) < RETRY_AFTER_MS * INT64_C(1000000);
        if (just_failed)
            continue;
        if (is_due(e, &g)) {
            flush_and_go_on(e, tables->items[i]);
        } else if (g.hot_bytes > largest_bytes) {
            largest = tables->items[i];
            largest_bytes = g.hot_bytes;
        }
    }
    if (short_of_memory && largest != NULL && ARKA_GAUGE(e, hot_bytes) >= hot)
        flush_and_go_on(e, largest);
}

static void run_flusher(void *context)
{
    arka_engine *e = context;
    arka_mutex_lock(&e->flush_lock);
    while (!e->stop) {
        if (!e->wanted)
            arka_cond_wait(&e->flush_wake, &e->flush_lock, arka_mono_after_ms(LOOK_EVERY_MS));
        e->wanted = false;
        if (e->stop)
            break;
        arka_mutex_unlock(&e->flush_lock);
        arka_table_list tables = {0};
        arka_error err = {0};
        if (arka_registry_tables(e->registry, NULL, &tables, &err) == ARKA_OK)
            flush_due(e, &tables);
        arka_vec_fini(&tables);
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
    ARKA_TRY(arka_thread_start(&engine->flusher, "flusher", run_flusher, engine, err));
    engine->flusher_runs = true;
    return ARKA_OK;
}

void arka_engine__stop_flusher(arka_engine *engine)
{
    if (!engine->flusher_runs)
        return;
    arka_mutex_lock(&engine->flush_lock);
    engine->stop = true;
    arka_cond_signal(&engine->flush_wake);
    arka_mutex_unlock(&engine->flush_lock);
    arka_thread_join(&engine->flusher);
    engine->flusher_runs = false;
}
