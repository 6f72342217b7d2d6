/* One flush of one table: hot batches to Parquet files, and the switch. */
#include <stdio.h>

#include "base/arena.h"
#include "base/civil.h"
#include "engine/engine_priv.h"

/*
 * Up to so many files are synced one by one, with their directories; above it, twice the whole file
 * system. A backfill of 10,000 hours by single syncs takes a minute, by two of the others a second.
 */
enum { SYNC_ONE_BY_ONE = 4 };

typedef struct flush {
    arka_engine *engine;
    arka_table *table;
    const arka_snapshot *snapshot; /* what is flushed */
    arka_batch **batches;
    int16_t *columns; /* n_batches × n_fields: see arka_parquet_write */
    arka_parquet_field *fields;
    ARKA_VEC(arka_data_file *) files;     /* published, one reference each */
    ARKA_VEC(arka_manifest_file) entries; /* the same; paths in the arena */
    int64_t n_parts;                      /* files that there will be */
    bool one_by_one;
    unsigned unsynced; /* the engine's count at the start */
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

static char *temporary(flush *f, const char *path)
{
    return arka_arena_printf(&f->arena, "%s.tmp", path);
}

/* To a temporary name beside the final one. */
static arka_status write_file(flush *f, const char *path, const arka_spans *part,
                              arka_parquet_stats *stats, arka_error *err)
{
    const arka_engine_options *o = &f->engine->options;
    char *tmp = temporary(f, path);
    char *dir = arka_arena_strndup(&f->arena, path, (size_t)(strrchr(path, '/') - path));
    if (tmp == NULL || dir == NULL)
        return arka_fail_nomem(err, "a path", strlen(path));
    ARKA_TRY(f->one_by_one ? arka_dir_make(o->os, dir, err)
                           : arka_dir_make_unsynced(o->os, dir, err));
    ARKA_AUTO(arka_file) file = NULL;
    ARKA_TRY(arka_file_create(o->os, tmp, &file, err));
    arka_parquet_options options = {
        .codec = o->codec, .level = o->codec_level, .created_by = "arc version " ARC_VERSION};
    arka_parquet_sink sink = {write_to_file, file};
    ARKA_TRY(arka_parquet_write(f->fields, f->snapshot->schema->n_fields, f->batches,
                                (size_t)f->snapshot->n_hot_batches, f->columns, part, &options,
                                sink, stats, err));
    if (f->one_by_one)
        ARKA_TRY(arka_file_sync(file, err));
    return arka_file_close(arka_take(file), err);
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
    arka_status status = arka_data_file_new(path, stats.n_rows, stats.n_bytes, stats.time_min,
                                            stats.time_max, version, &file, err);
    if (status != ARKA_OK) {
        ARKA_IGNORE(arka_file_remove(f->engine->options.os, temporary(f, path), NULL));
        return status;
    }
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

/* The bytes of every file are durable before any has its name, the names before the manifest has them. */
static arka_status publish_files(flush *f, arka_error *err)
{
    const arka_os *os = f->engine->options.os;
    if (!f->one_by_one)
        ARKA_TRY(arka_fs_sync(os, f->engine->base_path, err));
    for (size_t i = 0; i < f->files.n; i++) {
        const char *path = f->files.items[i]->path, *tmp = temporary(f, path);
        if (tmp == NULL)
            return arka_fail_nomem(err, "a path", strlen(path));
        ARKA_TRY(f->one_by_one ? arka_file_publish(os, tmp, path, err)
                               : arka_file_rename(os, tmp, path, err));
    }
    if (!f->one_by_one)
        ARKA_TRY(arka_fs_sync(os, f->engine->base_path, err));
    return ARKA_OK;
}

/* Files that were written but not committed: nobody knows them, so they go, under either name. */
static void remove_files(flush *f)
{
    for (size_t i = 0; i < f->files.n; i++) {
        const char *path = f->files.items[i]->path, *tmp = temporary(f, path);
        /* what cannot be removed the next start sets aside */
        if (arka_file_remove(f->engine->options.os, path, NULL) != ARKA_OK && tmp != NULL)
            ARKA_IGNORE(arka_file_remove(f->engine->options.os, tmp, NULL));
    }
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

static arka_status count_part(void *context, int64_t hour_us, const arka_spans *part,
                              arka_error *err)
{
    ((flush *)context)->n_parts++;
    return ARKA_OK;
}

static arka_status write_files(flush *f, arka_error *err)
{
    ARKA_AUTO_VALUE(arka_spans) spans = {0};
    ARKA_TRY(arka_sort_by_time(f->batches, (size_t)f->snapshot->n_hot_batches, &spans, err));
    ARKA_TRY(arka_spans_partition(f->batches, &spans, ARKA_US_PER_HOUR, count_part, f, err));
    f->one_by_one = f->n_parts <= SYNC_ONE_BY_ONE &&
                    f->unsynced == atomic_load(&f->engine->covered);
    ARKA_TRY(arka_spans_partition(f->batches, &spans, ARKA_US_PER_HOUR, flush_hour, f, err));
    return publish_files(f, err);
}

static arka_status flush_snapshot(flush *f, arka_error *err)
{
    ARKA_TRY(lay_out(f, err));
    arka_status status = write_files(f, err);
    /* Directories made without a sync look like synced ones to whoever finds them. */
    if (!f->one_by_one && status != ARKA_OK)
        atomic_fetch_add(&f->engine->unsynced, 1);
    else if (!f->one_by_one)
        atomic_store(&f->engine->covered, f->unsynced);
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

arka_status arka_engine__flush_table(arka_engine *engine, arka_table *table, int64_t *out_rows,
                                     arka_error *err)
{
    arka_error own = {0};
    ARKA_AUTO(arka_snapshot) snapshot = NULL;
    ARKA_TRY(arka_table_begin_flush(table, engine->options.flush_bytes, &snapshot, err));
    *out_rows = snapshot != NULL ? snapshot->n_hot_rows : 0;
    if (snapshot == NULL)
        return ARKA_OK;
    arka_mono start = arka_mono_now();
    flush f = {.engine = engine, .table = table, .snapshot = snapshot, .unsynced = atomic_load(&engine->unsynced),
               .now_us = arka_wall_us()};
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
