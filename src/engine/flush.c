/* One flush of one table: hot batches to Parquet files, and the switch. */
#include <stdio.h>

#include "base/arena.h"
#include "base/civil.h"
#include "engine/engine_priv.h"

typedef struct flush {
    arka_engine *engine;
    arka_table *table;
    const arka_snapshot *snapshot; /* what is flushed */
    arka_batch **batches;
    int16_t *columns; /* n_batches × n_fields: see arka_parquet_write */
    arka_parquet_field *fields;
    ARKA_VEC(arka_data_file *) files;     /* published, one reference each */
    ARKA_VEC(arka_manifest_file) entries; /* the same; paths in the arena */
    int64_t now_us;
    arka_arena arena;
} flush;

static void flush_fini(flush *f)
{
    for (size_t i = 0; i < f->files.n; i++)
        arka_data_file_unref(f->files.items[i]);
    arka_vec_fini(&f->files);
    arka_vec_fini(&f->entries);
    arka_free(f->batches);
    arka_free(f->columns);
    arka_free(f->fields);
    arka_arena_fini(&f->arena);
}

/* The tables that the Parquet writer wants. */
static arka_status lay_out(flush *f, arka_error *err)
{
    size_t n = (size_t)f->snapshot->n_hot_batches;
    size_t n_fields = (size_t)f->snapshot->schema->n_fields;
    f->batches = arka_malloc(n * sizeof *f->batches);
    f->columns = arka_malloc(n * n_fields * sizeof *f->columns);
    f->fields = arka_malloc(n_fields * sizeof *f->fields);
    if (f->batches == NULL || f->columns == NULL || f->fields == NULL)
        return arka_fail_nomem(err, "a flush", n * n_fields * sizeof *f->columns);
    for (size_t i = 0; i < n_fields; i++) {
        const arka_field *field = &f->snapshot->schema->fields[i];
        f->fields[i] = (arka_parquet_field){field->name, field->type, field->id, field->tag};
    }
    for (size_t b = 0; b < n; b++) {
        const arka_hot_batch *hot = &f->snapshot->hot[b];
        f->batches[b] = hot->batch;
        for (size_t i = 0; i < n_fields; i++)
            f->columns[b * n_fields + i] =
                i < (size_t)hot->n_fields ? hot->column_of_field[i] : (int16_t)-1;
    }
    return ARKA_OK;
}

static char *make_path(flush *f, int64_t hour_us, int64_t n_rows)
{
    arka_civil hour = arka_civil_from_us(hour_us), now = arka_civil_from_us(f->now_us);
    uint32_t unique;
    arka_random_bytes(&unique, sizeof unique);
    const char *name = arka_table_name(f->table);
    return arka_arena_printf(&f->arena,
                             "%s/%s/%04lld/%02d/%02d/%02d/"
                             "%s_%04lld%02d%02d_%02d%02d%02d_%lld_%08x.parquet",
                             arka_table_database(f->table), name, (long long)hour.year, hour.month,
                             hour.day, hour.hour, name, (long long)now.year, now.month, now.day,
                             now.hour, now.minute, now.second, (long long)n_rows, unique);
}

static arka_status write_to_file(void *context, const void *bytes, size_t n, arka_error *err)
{
    return arka_file_append(context, bytes, n, err);
}

/* Write to a temporary name beside the final one, sync, rename: a reader sees all of it or nothing.
 */
static arka_status write_file(flush *f, const char *path, const arka_spans *part,
                              arka_parquet_stats *stats, arka_error *err)
{
    const arka_engine_options *o = &f->engine->options;
    char *tmp = arka_arena_printf(&f->arena, "%s.tmp", path);
    char *dir = arka_arena_strndup(&f->arena, path, (size_t)(strrchr(path, '/') - path));
    if (tmp == NULL || dir == NULL)
        return arka_fail_nomem(err, "a path", strlen(path));
    ARKA_TRY(arka_dir_make(o->os, dir, err));
    ARKA_AUTO(arka_file) file = NULL;
    ARKA_TRY(arka_file_create(o->os, tmp, &file, err));
    arka_parquet_options options = {
        .codec = o->codec, .level = o->codec_level, .created_by = "arc version " ARC_VERSION};
    arka_parquet_sink sink = {write_to_file, file};
    ARKA_TRY(arka_parquet_write(f->fields, f->snapshot->schema->n_fields, f->batches,
                                (size_t)f->snapshot->n_hot_batches, f->columns, part, &options,
                                sink, stats, err));
    ARKA_TRY(arka_file_sync(file, err));
    ARKA_TRY(arka_file_close(arka_take(file), err));
    return arka_file_publish(o->os, tmp, path, err);
}

static arka_status flush_hour(void *context, int64_t hour_us, const arka_spans *part,
                              arka_error *err)
{
    flush *f = context;
    char *relative = make_path(f, hour_us, part->n_rows);
    char *path =
        relative ? arka_arena_printf(&f->arena, "%s/%s", f->engine->base_path, relative) : NULL;
    if (path == NULL || !arka_vec_reserve(&f->files, 1) || !arka_vec_reserve(&f->entries, 1))
        return arka_fail_nomem(err, "a file entry", sizeof(arka_manifest_file));
    arka_parquet_stats stats;
    ARKA_TRY(write_file(f, path, part, &stats, err));
    int32_t version = f->snapshot->schema->version;
    arka_data_file *file;
    ARKA_TRY(arka_data_file_new(path, stats.n_rows, stats.n_bytes, stats.time_min, stats.time_max,
                                version, &file, err));
    f->files.items[f->files.n++] = file;
    f->entries.items[f->entries.n++] = (arka_manifest_file){.path = arka_slice_of(relative),
                                                            .n_rows = stats.n_rows,
                                                            .n_bytes = stats.n_bytes,
                                                            .time_min = stats.time_min,
                                                            .time_max = stats.time_max,
                                                            .created_us = f->now_us,
                                                            .schema_version = version};
    return ARKA_OK;
}

/* Files that were written but not committed: nobody knows them, so they go. */
static void remove_files(flush *f)
{
    for (size_t i = 0; i < f->files.n; i++)
        ARKA_IGNORE(arka_file_remove(f->engine->options.os, f->files.items[i]->path,
                                     NULL)); /* else the next start sets it aside */
}

/* The manifest, then the table. When the commit's outcome is unknown the manifest itself is asked.
 */
static arka_status commit(flush *f, arka_error *err)
{
    ARKA_TRY(arka_table_reserve_files(f->table, f->files.n, err));
    arka_status status = arka_manifest_add_files(f->engine->manifest, arka_table_id(f->table),
                                                 f->entries.items, f->entries.n, err);
    if (status != ARKA_OK) {
        bool there = false;
        if (arka_manifest_has_file(f->engine->manifest, f->entries.items[0].path, &there, NULL) !=
                ARKA_OK ||
            !there)
            return status;
        if (err != NULL)
            *err = (arka_error){0};
    }
    bool first;
    for (size_t i = 0; i < f->files.n; i++)
        arka_ref_add(&f->files.items[i]->ref); /* the table's; ours goes with flush_fini */
    arka_table_end_flush(f->table, f->snapshot, f->files.items, f->files.n, &first);
    if (first)
        arka_engine__catalog_changed(f->engine);
    return ARKA_OK;
}

static arka_status flush_snapshot(flush *f, arka_error *err)
{
    arka_spans spans = {0};
    arka_status status = lay_out(f, err);
    if (status == ARKA_OK)
        status = arka_sort_by_time(f->batches, (size_t)f->snapshot->n_hot_batches, &spans, err);
    if (status == ARKA_OK)
        status = arka_spans_partition(f->batches, &spans, ARKA_US_PER_HOUR, flush_hour, f, err);
    arka_spans_fini(&spans);
    if (status == ARKA_OK)
        status = commit(f, err);
    if (status != ARKA_OK)
        remove_files(f);
    return status;
}

static void report(flush *f, arka_status status, int64_t ns, const arka_error *err)
{
    arka_engine *e = f->engine;
    int64_t bytes = 0;
    for (size_t i = 0; i < f->entries.n; i++)
        bytes += f->entries.items[i].n_bytes;
    if (status != ARKA_OK) {
        ARKA_COUNT(e, flush_failures, 1);
        arka_engine__event(e, ARKA_EVENT_ERROR, "flush_failed",
                           "%s.%s: %lld rows stay in memory and will be tried again: %s",
                           arka_table_database(f->table), arka_table_name(f->table),
                           (long long)f->snapshot->n_hot_rows, err->msg);
        return;
    }
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

arka_status arka_engine__flush_table(arka_engine *engine, arka_table *table, bool *out_had_rows,
                                     arka_error *err)
{
    arka_error own = {0};
    ARKA_AUTO(arka_snapshot) snapshot = NULL;
    ARKA_TRY(arka_table_begin_flush(table, &snapshot, err));
    *out_had_rows = snapshot != NULL;
    if (snapshot == NULL)
        return ARKA_OK;
    arka_mono start = arka_mono_now();
    flush f = {.engine = engine, .table = table, .snapshot = snapshot, .now_us = arka_wall_us()};
    arka_status status = flush_snapshot(&f, &own);
    if (status == ARKA_OK) {
        ARKA_COUNT(engine, hot_rows, -snapshot->n_hot_rows);
        ARKA_COUNT(engine, hot_bytes, -snapshot->n_hot_bytes);
    }
    report(&f, status, arka_mono_since_ns(start), &own);
    flush_fini(&f);
    if (status != ARKA_OK && err != NULL && err->code == ARKA_OK)
        *err = own;
    return status;
}
