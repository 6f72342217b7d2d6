/* Who is at work: one flush at a time a table, and the writes that the end has to wait for. */
#include "engine/due.h"
#include "engine/engine_priv.h"

static bool is_flushing_locked(const arka_engine *e, const arka_table *table)
{
    for (size_t i = 0; i < e->flushing.n; i++)
        if (e->flushing.items[i] == table)
            return true;
    return false;
}

arka_status arka_engine__claim(arka_engine *engine, arka_table *table)
{
    arka_status status = ARKA_OK;
    arka_mutex_lock(&engine->flush_lock);
    if (is_flushing_locked(engine, table))
        status = ARKA_BUSY;
    else if (!arka_vec_push(&engine->flushing, table))
        status = ARKA_NOMEM;
    arka_mutex_unlock(&engine->flush_lock);
    return status;
}

void arka_engine__release(arka_engine *engine, const arka_table *table)
{
    arka_mutex_lock(&engine->flush_lock);
    for (size_t i = 0; i < engine->flushing.n; i++)
        if (engine->flushing.items[i] == table) {
            engine->flushing.items[i] = arka_vec_last(&engine->flushing);
            engine->flushing.n--;
            break;
        }
    arka_cond_broadcast(&engine->flush_done);
    arka_mutex_unlock(&engine->flush_lock);
}

/* ---- the call ---- */

/* A table that is asked for: it has its turn until what was hot at the beginning is in files. */
typedef struct wanted {
    arka_table *table;
    int64_t to_go; /* rows; -1: not counted yet */
    bool flushed, done;
} wanted;

typedef struct call {
    arka_engine *engine;
    ARKA_VEC(wanted) tables;
    arka_flush_item items[ARKA_TOGETHER_TABLES];
    size_t of_item[ARKA_TOGETHER_TABLES]; /* its table */
    bool busy;                            /* another thread flushes some of them */
    arka_status status;                   /* the first failure */
} call;

/* Waits until one that was busy may be free. */
static void wait_for_any(arka_engine *e)
{
    arka_mutex_lock(&e->flush_lock);
    if (e->flushing.n > 0)
        arka_cond_wait(&e->flush_done, &e->flush_lock, arka_mono_after_ms(100));
    arka_mutex_unlock(&e->flush_lock);
}

static void note_failure(call *c, arka_status status)
{
    c->status = c->status != ARKA_OK ? c->status : status;
}

static bool claim_one(call *c, wanted *w, arka_error *err)
{
    arka_status status = w->done ? ARKA_BUSY : arka_engine__claim(c->engine, w->table);
    if (status == ARKA_NOMEM) {
        note_failure(c, arka_fail_nomem(err, "a flush", sizeof w->table));
        w->done = true;
    }
    c->busy |= status == ARKA_BUSY && !w->done;
    return status == ARKA_OK;
}

/*
 * Some of those that nobody else flushes now. None of ours is held while the others are waited for,
 * so that nobody can wait for us meanwhile.
 */
static size_t claim_some(call *c, size_t *at, arka_error *err)
{
    size_t n = 0;
    int64_t bytes = 0;
    for (; *at < c->tables.n && n < ARKA_TOGETHER_TABLES && bytes < ARKA_TOGETHER_BYTES; ++*at) {
        wanted *w = &c->tables.items[*at];
        arka_table_gauges g;
        if (!claim_one(c, w, err))
            continue;
        arka_table_get_gauges(w->table, &g);
        w->to_go = w->to_go < 0 ? g.hot_rows : w->to_go;
        bytes += g.hot_bytes;
        c->items[n] = (arka_flush_item){.table = w->table};
        c->of_item[n++] = *at;
    }
    return n;
}

/* True when some of them need another turn. */
static bool note_turn(call *c, size_t n)
{
    bool more = false;
    for (size_t i = 0; i < n; i++) {
        wanted *w = &c->tables.items[c->of_item[i]];
        arka_engine__release(c->engine, w->table);
        w->flushed |= c->items[i].n_rows > 0;
        w->to_go -= c->items[i].n_rows;
        w->done = c->items[i].status != ARKA_OK || c->items[i].n_rows == 0 || w->to_go <= 0;
        more |= !w->done;
    }
    return more;
}

static void flush_wanted(call *c, arka_error *err)
{
    bool more;
    do {
        c->busy = more = false;
        for (size_t at = 0; at < c->tables.n;) {
            size_t n = claim_some(c, &at, err);
            if (n == 0)
                continue;
            note_failure(c, arka_engine__flush_tables(c->engine, c->items, n, err));
            more |= note_turn(c, n);
        }
        if (c->busy && !more)
            wait_for_any(c->engine);
    } while (more || c->busy);
}

static arka_status list_wanted(call *c, const arka_database *only, arka_slice name, arka_error *err)
{
    arka_table_list tables = {0};
    arka_status status = arka_registry_tables(c->engine->registry, only, &tables, err);
    if (status == ARKA_OK && !arka_vec_reserve(&c->tables, tables.n))
        status = arka_fail_nomem(err, "a flush", tables.n * sizeof *c->tables.items);
    for (size_t i = 0; status == ARKA_OK && i < tables.n; i++)
        if (name.len == 0 || arka_name_eq(arka_slice_of(arka_table_name(tables.items[i])), name))
            c->tables.items[c->tables.n++] = (wanted){.table = tables.items[i], .to_go = -1};
    arka_vec_fini(&tables);
    if (status == ARKA_OK && c->tables.n == 0 && name.len > 0)
        return arka_fail(err, ARKA_NOTFOUND, "unknown measurement: %.*s", ARKA_FMT(name));
    return status;
}

arka_status arka_engine_flush(arka_engine *engine, arka_slice database, arka_slice table,
                              int64_t *out_tables, arka_error *err)
{
    call c = {.engine = engine};
    arka_database *only = NULL;
    if (database.len > 0 && (only = arka_registry_database(engine->registry, database)) == NULL)
        return arka_fail(err, ARKA_NOTFOUND, "unknown database: %.*s", ARKA_FMT(database));
    c.status = list_wanted(&c, only, table, err);
    if (c.status == ARKA_OK)
        flush_wanted(&c, err);
    int64_t n = 0;
    for (size_t i = 0; i < c.tables.n; i++)
        n += c.tables.items[i].flushed;
    if (c.status == ARKA_OK)
        *out_tables = n;
    arka_vec_fini(&c.tables);
    return c.status;
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
