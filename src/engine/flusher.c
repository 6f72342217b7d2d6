/* When a table is flushed, and by whom: one thread of the engine's, or the caller of flush. */
#include "engine/due.h"
#include "engine/engine_priv.h"

/* How often tables are looked at: the grain of the age trigger. */
enum { LOOK_EVERY_MS = 100 };
/* For how long the flusher works on what one look found: then there may be something more urgent.
 */
enum { LOOK_AGAIN_AFTER_MS = 500 };

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

static bool claim_if_free(arka_engine *e, arka_table *table)
{
    arka_mutex_lock(&e->flush_lock);
    bool ok = !is_flushing_locked(e, table) && arka_vec_push(&e->flushing, table);
    arka_mutex_unlock(&e->flush_lock);
    return ok;
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

/* What is hot now; what comes meanwhile need not wait for this. *flushed: how many rows went. */
static arka_status flush_all(arka_engine *e, arka_table *table, int64_t *flushed, arka_error *err)
{
    arka_table_gauges g;
    *flushed = 0;
    ARKA_TRY(claim(e, table, err));
    arka_table_get_gauges(table, &g);
    arka_status status = ARKA_OK;
    int64_t n = 1;
    while (status == ARKA_OK && n > 0 && *flushed < g.hot_rows) {
        status = arka_engine__flush_table(e, table, &n, err);
        *flushed += n;
    }
    release(e, table);
    return status;
}

arka_status arka_engine_flush(arka_engine *engine, arka_slice database, arka_slice table,
                              int64_t *out_tables, arka_error *err)
{
    arka_database *only = NULL;
    if (database.len > 0 && (only = arka_registry_database(engine->registry, database)) == NULL)
        return arka_fail(err, ARKA_NOTFOUND, "unknown database: %.*s", ARKA_FMT(database));
    arka_table_list tables = {0};
    arka_status first = arka_registry_tables(engine->registry, only, &tables, err);
    bool found = table.len == 0 || first != ARKA_OK;
    int64_t n = 0;
    for (size_t i = 0; i < tables.n; i++) {
        int64_t flushed = 0;
        if (table.len > 0 && !arka_name_eq(arka_slice_of(arka_table_name(tables.items[i])), table))
            continue;
        found = true;
        arka_status status = flush_all(engine, tables.items[i], &flushed, err);
        first = first != ARKA_OK ? first : status;
        n += flushed > 0;
    }
    arka_vec_fini(&tables);
    if (!found)
        return arka_fail(err, ARKA_NOTFOUND, "unknown measurement: %.*s", ARKA_FMT(table));
    if (first == ARKA_OK)
        *out_tables = n;
    return first;
}

/* ---- writers, and the end ---- */

void arka_engine__writer_enters(arka_engine *engine)
{
    /* seq_cst here and in close: either close sees this writer, or the writer sees `closing`. */
    atomic_fetch_add(&engine->writers, 1);
}

void arka_engine__writer_leaves(arka_engine *engine)
{
    if (!atomic_load(&engine->closing)) {
        atomic_fetch_sub(&engine->writers, 1); /* the last thing that is touched: see close */
        return;
    }
    arka_mutex_lock(&engine->flush_lock);
    atomic_fetch_sub(&engine->writers, 1);
    arka_cond_broadcast(&engine->flush_done);
    arka_mutex_unlock(&engine->flush_lock);
}

void arka_engine__wait_for_writers(arka_engine *engine)
{
    arka_mutex_lock(&engine->flush_lock);
    /* Not every writer that leaves wakes us: one may have looked at `closing` just before. */
    while (atomic_load(&engine->writers) > 0)
        arka_cond_wait(&engine->flush_done, &engine->flush_lock, arka_mono_after_ms(10));
    arka_mutex_unlock(&engine->flush_lock);
}

/* ---- the thread ---- */

static bool has_to_stop(arka_engine *e)
{
    arka_mutex_lock(&e->flush_lock);
    bool stop = e->stop;
    arka_mutex_unlock(&e->flush_lock);
    return stop;
}

typedef struct rounds {
    arka_table_list tables;
    ARKA_VEC(arka_due) due;
} rounds;

/* What is due now, in r->due; whether memory is short. Out of memory: nothing is. */
static bool look(arka_engine *e, rounds *r)
{
    r->due.n = 0;
    bool memory_is_short = arka_due_is_memory_short(&e->options, ARKA_GAUGE(e, hot_bytes));
    if (arka_registry_all_tables(e->registry, &r->tables, NULL) != ARKA_OK ||
        !arka_vec_reserve(&r->due, r->tables.n))
        return false;
    for (size_t i = 0; i < r->tables.n; i++) {
        r->due.items[i].table = r->tables.items[i];
        arka_table_get_gauges(r->tables.items[i], &r->due.items[i].gauges);
    }
    r->due.n =
        arka_due_pick(r->due.items, r->tables.n, &e->options, memory_is_short, arka_mono_now());
    return memory_is_short;
}

/* True when there may be more to do at once. */
static bool work(arka_engine *e, rounds *r)
{
    bool was_short = look(e, r);
    arka_mono start = arka_mono_now();
    for (size_t i = 0; i < r->due.n && !has_to_stop(e); i++) {
        int64_t n;
        if (!claim_if_free(e, r->due.items[i].table))
            continue;
        /* It has been reported as an event and counted; the rows stay and are tried again. */
        ARKA_IGNORE(arka_engine__flush_table(e, r->due.items[i].table, &n, NULL));
        release(e, r->due.items[i].table);
        bool is_short = arka_due_is_memory_short(&e->options, ARKA_GAUGE(e, hot_bytes));
        if (is_short != was_short || arka_mono_since_ms(start) > LOOK_AGAIN_AFTER_MS)
            return true;
    }
    return false;
}

static void run_flusher(void *context)
{
    arka_engine *e = context;
    rounds r = {0};
    bool more = false;
    arka_mutex_lock(&e->flush_lock);
    while (!e->stop) {
        if (!e->wanted && !more)
            arka_cond_wait(&e->flush_wake, &e->flush_lock, arka_mono_after_ms(LOOK_EVERY_MS));
        e->wanted = false;
        if (e->stop)
            break;
        arka_mutex_unlock(&e->flush_lock);
        more = work(e, &r);
        arka_mutex_lock(&e->flush_lock);
    }
    arka_mutex_unlock(&e->flush_lock);
    arka_vec_fini(&r.tables);
    arka_vec_fini(&r.due);
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
