/*
 * One flush of one table: hot batches to Parquet files, the files into the manifest, the switch.
 *
 * A commit that fails is undone as far as this process can see, but its bytes may be on the disk,
 * and after a crash before the next commit SQLite may take them for committed. So once a commit was
 * tried the files stay, the batches stay claimed, and it is the same commit that is tried again:
 * whatever the disk shows after a crash, each row is in files of the manifest once or not at all.
 */
#include "engine/flush.h"

static void flush_free(arka_flush *f)
{
    for (size_t i = 0; i < f->files.n; i++)
        arka_data_file_unref(f->files.items[i]);
    arka_file_list_unref(f->list);
    arka_vec_fini(&f->paths);
    arka_vec_fini(&f->files);
    arka_vec_fini(&f->entries);
    arka_free(f->batches);
    arka_free(f->columns);
    arka_free(f->fields);
    arka_snapshot_unref(f->snapshot);
    arka_arena_fini(&f->arena);
    arka_free(f);
}

/* ---- flushes whose commit failed ---- */

static arka_flush *take_unsure(arka_engine *engine, const arka_table *table)
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

static void keep_unsure(arka_flush *f)
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
        flush_free(f);
    }
}

/* ---- the steps ---- */

/* *out is NULL when there is nothing to flush. */
static arka_status begin(arka_engine *engine, arka_table *table, arka_flush **out, arka_error *err)
{
    *out = NULL;
    arka_flush *f = arka_calloc(1, sizeof *f);
    if (f == NULL)
        return arka_fail_nomem(err, "a flush", sizeof *f);
    f->engine = engine;
    f->table = table;
    f->now_us = arka_wall_us();
    arka_status status =
        arka_table_begin_flush(table, engine->options.flush_bytes, &f->snapshot, err);
    if (f->snapshot == NULL)
        flush_free(f);
    else
        *out = f;
    return status;
}

static bool is_committed(arka_flush *f)
{
    bool there = false;
    arka_status status =
        arka_manifest_has_file(f->engine->manifest, f->entries.items[0].path, &there, NULL);
    return status == ARKA_OK && there;
}

static arka_status commit(arka_flush *f, arka_error *err)
{
    if (f->tried && is_committed(f))
        return ARKA_OK;
    f->tried = true;
    arka_error why = {0};
    arka_status status = arka_manifest_add_files(f->engine->manifest, arka_table_id(f->table),
                                                 f->entries.items, f->entries.n, &why);
    if (status == ARKA_OK || is_committed(f))
        return ARKA_OK;
    if (err != NULL)
        *err = why;
    return status;
}

static void end(arka_flush *f)
{
    bool first;
    arka_table_end_flush(f->table, arka_take(f->list), &first);
    ARKA_COUNT(f->engine, hot_rows, -f->snapshot->n_hot_rows);
    ARKA_COUNT(f->engine, hot_bytes, -f->snapshot->n_hot_bytes);
    if (first)
        arka_engine__catalog_changed(f->engine);
}

/* ---- what is said of it ---- */

static void report_success(const arka_flush *f, int64_t ns)
{
    arka_engine *e = f->engine;
    int64_t bytes = 0;
    for (size_t i = 0; i < f->entries.n; i++)
        bytes += f->entries.items[i].n_bytes;
    ARKA_COUNT(e, flushes, 1);
    ARKA_COUNT(e, flush_rows, f->snapshot->n_hot_rows);
    ARKA_COUNT(e, flush_files, (int64_t)f->files.n);
    ARKA_COUNT(e, flush_bytes, bytes);
    ARKA_COUNT(e, flush_ns, ns);
    arka_engine__event(
        e, ARKA_EVENT_DEBUG, "flush", "%s.%s: %lld rows in %zu files, %lld bytes, %.1f ms",
        arka_table_database(f->table), arka_table_name(f->table),
        (long long)f->snapshot->n_hot_rows, f->files.n, (long long)bytes, (double)ns / 1e6);
}

static void report_failure(arka_engine *e, arka_table *table, const arka_error *why)
{
    arka_table_gauges g;
    arka_table_get_gauges(table, &g);
    ARKA_COUNT(e, flush_failures, 1);
    arka_engine__event(e, ARKA_EVENT_ERROR, "flush_failed",
                       "%s.%s: %lld rows stay in memory and will be tried again: %s",
                       arka_table_database(table), arka_table_name(table), (long long)g.hot_rows,
                       why->msg);
}

/* ---- all of it ---- */

static arka_status run(arka_engine *engine, arka_table *table, int64_t *out_rows, arka_error *err)
{
    arka_mono start = arka_mono_now();
    arka_flush *f = take_unsure(engine, table);
    arka_status status = ARKA_OK;
    if (f == NULL) {
        ARKA_TRY(begin(engine, table, &f, err));
        if (f == NULL)
            return ARKA_OK;
        status = arka_flush__write_files(f, err);
    }
    if (status == ARKA_OK)
        status = commit(f, err);
    if (status == ARKA_OK) {
        end(f);
        *out_rows = f->snapshot->n_hot_rows;
        report_success(f, arka_mono_since_ns(start));
    } else {
        arka_table_fail_flush(table, f->tried);
    }
    if (status != ARKA_OK && f->tried)
        keep_unsure(f);
    else
        flush_free(f);
    return status;
}

arka_status arka_engine__flush_table(arka_engine *engine, arka_table *table, int64_t *out_rows,
                                     arka_error *err)
{
    arka_error why = {0};
    *out_rows = 0;
    arka_status status = run(engine, table, out_rows, &why);
    if (status == ARKA_OK)
        return ARKA_OK;
    report_failure(engine, table, &why);
    if (err != NULL && err->code == ARKA_OK)
        *err = why;
    return status;
}
