/*
 * Dropping tables and databases. The manifest first, in one transaction: from then on a start does
 * not know them, and a replay of the log passes their rows over by their UUIDs. Then what others
 * see. Rows of writes that were admitted before go with the table (reaper.c).
 *
 * Nobody flushes a table while it is dropped: it is claimed as for a flush. Drops come one after
 * the other, because each holds several claims and waits for more.
 */
#include "base/buf.h"
#include "base/json.h"
#include "engine/flush.h"
#include "engine/reaper.h"
#include "os/failpoint.h"

typedef struct drop {
    arka_engine *engine;
    arka_database *database;
    bool whole;             /* the database too */
    arka_table_list tables; /* claimed */
    ARKA_VEC(int64_t) ids;
    ARKA_VEC(arka_slice) paths; /* in `unsure` */
    ARKA_VEC(arka_flush *) unsure;
    ARKA_VEC(arka_data_file *) strays; /* files of `unsure`, which no list of a table has */
} drop;

/* ---- one at a time ---- */

static void begin_drop(arka_engine *e)
{
    arka_mutex_lock(&e->flush_lock);
    while (e->dropping)
        arka_cond_wait(&e->flush_done, &e->flush_lock, arka_mono_after_ms(100));
    e->dropping = true;
    arka_mutex_unlock(&e->flush_lock);
}

static void end_drop(arka_engine *e)
{
    arka_mutex_lock(&e->flush_lock);
    e->dropping = false;
    arka_cond_broadcast(&e->flush_done);
    arka_mutex_unlock(&e->flush_lock);
}

/* Flushes whose commit failed: their files go with the table. */
static arka_status take_unsure(drop *d, arka_table *table, arka_error *err)
{
    if (!arka_vec_reserve(&d->unsure, 1))
        return arka_fail_nomem(err, "dropping tables", sizeof(void *));
    arka_flush *f = arka_engine__take_unsure(d->engine, table);
    if (f == NULL)
        return ARKA_OK;
    d->unsure.items[d->unsure.n++] = f;
    if (!arka_vec_reserve(&d->paths, f->entries.n) || !arka_vec_reserve(&d->strays, f->files.n))
        return arka_fail_nomem(err, "dropping tables", f->entries.n * sizeof(arka_slice));
    for (size_t i = 0; i < f->entries.n; i++)
        d->paths.items[d->paths.n++] = f->entries.items[i].path;
    for (size_t i = 0; i < f->files.n; i++) {
        arka_ref_add(&f->files.items[i]->ref);
        d->strays.items[d->strays.n++] = f->files.items[i];
    }
    return ARKA_OK;
}

static arka_status claim(drop *d, arka_table *table, arka_error *err)
{
    arka_engine *e = d->engine;
    arka_status status;
    if (!arka_vec_reserve(&d->tables, 1))
        return arka_fail_nomem(err, "dropping tables", sizeof table);
    while ((status = arka_engine__claim(e, table)) == ARKA_BUSY) {
        arka_mutex_lock(&e->flush_lock);
        arka_cond_wait(&e->flush_done, &e->flush_lock, arka_mono_after_ms(100));
        arka_mutex_unlock(&e->flush_lock);
    }
    if (status != ARKA_OK)
        return arka_fail_nomem(err, "dropping tables", sizeof table);
    d->tables.items[d->tables.n++] = table;
    return take_unsure(d, table, err);
}

static bool is_claimed(const drop *d, const arka_table *table)
{
    for (size_t i = 0; i < d->tables.n; i++)
        if (d->tables.items[i] == table)
            return true;
    return false;
}

/* Tables that came to be since the last look. */
static arka_status claim_all(drop *d, bool *out_new, arka_error *err)
{
    arka_table_list now = {0};
    arka_status status = arka_registry_tables(d->engine->registry, d->database, &now, err);
    *out_new = false;
    for (size_t i = 0; status == ARKA_OK && i < now.n; i++)
        if (!is_claimed(d, now.items[i])) {
            *out_new = true;
            status = claim(d, now.items[i], err);
        }
    arka_vec_fini(&now);
    return status;
}

static void drop_fini(drop *d)
{
    for (size_t i = 0; i < d->unsure.n; i++)
        arka_engine__keep_unsure(d->unsure.items[i]);
    for (size_t i = 0; i < d->tables.n; i++)
        arka_engine__release(d->engine, d->tables.items[i]);
    for (size_t i = 0; i < d->strays.n; i++)
        arka_data_file_unref(d->strays.items[i]);
    arka_vec_fini(&d->tables);
    arka_vec_fini(&d->ids);
    arka_vec_fini(&d->paths);
    arka_vec_fini(&d->unsure);
    arka_vec_fini(&d->strays);
}

/* ---- the steps ---- */

/* All that can fail: from the commit on there is no way back. */
static arka_status gather(drop *d, arka_error *err)
{
    arka_engine *e = d->engine;
    int64_t n_files = 0;
    if (!arka_vec_reserve(&d->ids, d->tables.n))
        return arka_fail_nomem(err, "dropping tables", d->tables.n * sizeof(int64_t));
    for (size_t i = 0; i < d->tables.n; i++) {
        arka_table_gauges g;
        d->ids.items[d->ids.n++] = arka_table_id(d->tables.items[i]);
        arka_table_get_gauges(d->tables.items[i], &g);
        n_files += g.n_files;
    }
    ARKA_TRY(arka_registry_reserve_removal(e->registry, d->tables.n, err));
    return arka_reaper_reserve(e->reaper, (size_t)n_files + d->strays.n, err);
}

static void tell_log(drop *d, const arka_table *table)
{
    arka_buf text = ARKA_BUF_INIT;
    arka_buf_literal(&text, "{\"database\":");
    arka_json_string_repaired(&text, arka_slice_of(arka_table_database(table)));
    arka_buf_literal(&text, ",\"table\":");
    arka_json_string_repaired(&text, arka_slice_of(arka_table_name(table)));
    arka_buf_printf(&text, ",\"table_id\":\"%s\"}", arka_table_uuid(table));
    arka_engine__log_control(d->engine, "drop_table", &text);
}

/* For everybody: it is gone. */
static void let_go(drop *d, arka_table *table)
{
    arka_engine *e = d->engine;
    arka_table_remains remains;
    arka_registry_remove_table(e->registry, d->database, table);
    arka_table_clear(table, &remains);
    ARKA_COUNT(e, hot_rows, -remains.hot_rows);
    arka_gate_adjust(&e->gate, -remains.hot_bytes);
    for (int64_t i = 0; remains.files != NULL && i < remains.files->n; i++)
        arka_reaper_add(e->reaper, remains.files->items[i]);
    arka_engine__event(e, ARKA_EVENT_INFO, "table_dropped",
                       "%s.%s: %lld files and %lld rows in memory", arka_table_database(table),
                       arka_table_name(table), (long long)(remains.files ? remains.files->n : 0),
                       (long long)remains.hot_rows);
    arka_file_list_unref(remains.files);
    tell_log(d, table);
}

static arka_status carry_out_locked(drop *d, arka_error *err)
{
    arka_engine *e = d->engine;
    ARKA_TRY(gather(d, err));
    /* the tables said how far numbers had gone; where the log is gone too nothing else does */
    ARKA_TRY(
        arka_manifest_set_number(e->manifest, ARKA_DROPPED_LSN, arka_engine_visible_lsn(e), err));
    arka_manifest_drop what = {.table_ids = d->ids.items,
                               .n_tables = d->ids.n,
                               .database_id = d->whole ? arka_database_id(d->database) : 0,
                               .paths = d->paths.items,
                               .n_paths = d->paths.n,
                               .now_us = arka_wall_us()};
    ARKA_FAILPOINT("drop_before");
    arka_status status = arka_manifest_drop_tables(e->manifest, &what, err);
    ARKA_FAILPOINT("drop_committed");
    if (status != ARKA_OK)
        return status;
    for (size_t i = 0; i < d->strays.n; i++)
        arka_reaper_add(e->reaper, d->strays.items[i]);
    for (size_t i = 0; i < d->unsure.n; i++)
        arka_engine__free_flush(d->unsure.items[i]);
    d->unsure.n = 0;
    for (size_t i = 0; i < d->tables.n; i++)
        let_go(d, d->tables.items[i]);
    if (d->whole) {
        arka_engine__event(e, ARKA_EVENT_INFO, "database_dropped", "%s: %zu measurements",
                           arka_database_name(d->database), d->tables.n);
        arka_registry_remove_database(e->registry, d->database);
    }
    arka_engine__catalog_changed(e);
    return ARKA_OK;
}

static void wake_others(arka_engine *e)
{
    arka_engine__memory_freed(e);
    arka_engine__want_flush(e); /* the flusher removes the files */
}

/* ---- the calls ---- */

static arka_status run_table_drop(drop *d, arka_slice name, arka_error *err)
{
    arka_engine *e = d->engine;
    arka_table *table = arka_registry_table(e->registry, d->database, name);
    if (table == NULL)
        return arka_fail(err, ARKA_NOTFOUND, "unknown table: %s.%.*s",
                         arka_database_name(d->database), ARKA_FMT(name));
    ARKA_TRY(claim(d, table, err)); /* nobody else drops: it is still there afterwards */
    arka_mutex_lock(&e->ddl);
    arka_status status = carry_out_locked(d, err);
    arka_mutex_unlock(&e->ddl);
    return status;
}

static arka_status run_database_drop(drop *d, arka_error *err)
{
    arka_engine *e = d->engine;
    for (;;) {
        bool any;
        ARKA_TRY(claim_all(d, &any, err));
        arka_mutex_lock(&e->ddl);
        bool all = arka_registry_n_tables(e->registry, d->database) == (int64_t)d->tables.n;
        arka_status status = all ? carry_out_locked(d, err) : ARKA_OK;
        arka_mutex_unlock(&e->ddl);
        if (all)
            return status;
    }
}

static arka_status run(arka_engine *engine, arka_slice database, const arka_slice *table,
                       arka_error *err)
{
    drop d = {.engine = engine};
    if (atomic_load(&engine->closing))
        return arka_fail(err, ARKA_BUSY, "the server is stopping");
    begin_drop(engine);
    d.database = arka_registry_database(engine->registry, database);
    arka_status status;
    if (d.database == NULL) {
        status = arka_fail(err, ARKA_NOTFOUND, "unknown database: %.*s", ARKA_FMT(database));
    } else if (table != NULL) {
        status = run_table_drop(&d, *table, err);
    } else {
        /* where nothing is said else, rows and queries go: it has to be there */
        d.whole = !arka_name_eq(database, arka_slice_of(engine->default_database));
        status = run_database_drop(&d, err);
    }
    drop_fini(&d);
    end_drop(engine);
    wake_others(engine);
    return status;
}

arka_status arka_engine_drop_table(arka_engine *engine, arka_slice database, arka_slice table,
                                   arka_error *err)
{
    arka_engine__writer_enters(engine);
    arka_status status = run(engine, database, &table, err);
    arka_engine__writer_leaves(engine);
    return status;
}

arka_status arka_engine_drop_database(arka_engine *engine, arka_slice database, arka_error *err)
{
    arka_engine__writer_enters(engine);
    arka_status status = run(engine, database, NULL, err);
    arka_engine__writer_leaves(engine);
    return status;
}
