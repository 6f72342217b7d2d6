/*
 * The files of flushes: rows in order of time, cut by hour, written, synced and given their names.
 */
#include <stdio.h>

#include "base/civil.h"
#include "base/crc32c.h"
#include "engine/flush.h"
#include "os/failpoint.h"

enum {
    /*
     * Up to so many files are synced one by one, with their directories; above it, twice the whole
     * file system. A backfill of 10,000 hours by single syncs takes a minute, by two of the others
     * a second.
     */
    SYNC_ONE_BY_ONE = 4,
    /* So that the log, which must be synced for every answer, never waits behind a whole file. */
    SYNC_EVERY = 8 << 20,
    SMALL_FILE = 1 << 20,
};

void arka_flush__fail(arka_flush *f, arka_status status, const arka_error *why)
{
    if (status == ARKA_OK || f->status != ARKA_OK)
        return;
    f->status = status;
    f->why = *why;
}

/* The tables that the Parquet writer wants. */
static arka_status lay_out(arka_flush *f, arka_error *err)
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

static char *make_path(arka_flush *f, int64_t hour_us, int64_t n_rows)
{
    arka_civil hour = arka_civil_from_us(hour_us), now = arka_civil_from_us(f->now_us);
    uint32_t unique;
    arka_random_bytes(&unique, sizeof unique);
    const char *name = arka_table_name(f->table);
    return arka_arena_printf(&f->arena,
                             "%s/%s/%s/%04lld/%02d/%02d/%02d/"
                             "%s_%04lld%02d%02d_%02d%02d%02d_%lld_%08x.parquet",
                             f->engine->base_path, arka_table_database(f->table), name,
                             (long long)hour.year, hour.month, hour.day, hour.hour, name,
                             (long long)now.year, now.month, now.day, now.hour, now.minute,
                             now.second, (long long)n_rows, unique);
}

typedef struct sink {
    arka_file *file;
    bool paced; /* synced as it grows */
    int64_t n_synced;
    uint32_t crc;
} sink;

static arka_status write_to_file(void *context, const void *bytes, size_t n, arka_error *err)
{
    sink *s = context;
    ARKA_TRY(arka_file_append(s->file, bytes, n, err));
    s->crc = arka_crc32c_more(s->crc, bytes, n);
    int64_t len = arka_file_len(s->file);
    if (!s->paced || len - s->n_synced < SYNC_EVERY)
        return ARKA_OK;
    s->n_synced = len;
    return arka_file_sync(s->file, err);
}

static arka_status write_file(arka_flush *f, const arka_flush_path *p, const arka_spans *part,
                              arka_parquet_stats *stats, uint32_t *crc, arka_error *err)
{
    const arka_engine_options *o = &f->engine->options;
    char *dir = arka_arena_strndup(&f->arena, p->path, (size_t)(strrchr(p->path, '/') - p->path));
    if (dir == NULL)
        return arka_fail_nomem(err, "a path", strlen(p->path));
    ARKA_TRY(f->one_by_one ? arka_dir_make(o->os, dir, err)
                           : arka_dir_make_unsynced(o->os, dir, err));
    ARKA_AUTO(arka_file) file = NULL;
    ARKA_TRY(arka_file_create(o->os, p->tmp, &file, err));
    arka_parquet_options options = {
        .codec = o->codec, .level = o->codec_level, .created_by = "arc version " ARC_VERSION};
    sink to = {.file = file, .paced = f->one_by_one};
    ARKA_TRY(arka_parquet_write(f->fields, f->snapshot->schema->n_fields, f->batches,
                                (size_t)f->snapshot->n_hot_batches, f->columns, part, &options,
                                (arka_parquet_sink){write_to_file, &to}, stats, err));
    *crc = to.crc;
    if (f->one_by_one)
        ARKA_TRY(arka_file_sync(file, err));
    return arka_file_close(arka_take(file), err);
}

static arka_status flush_hour(void *context, int64_t hour_us, const arka_spans *part,
                              arka_error *err)
{
    arka_flush *f = context;
    arka_flush_path p = {.path = make_path(f, hour_us, part->n_rows)};
    if (p.path != NULL)
        p.tmp = arka_arena_printf(&f->arena, "%s.tmp", p.path);
    if (p.tmp == NULL || !arka_vec_reserve(&f->files, 1) || !arka_vec_reserve(&f->entries, 1) ||
        !arka_vec_push(&f->paths, p))
        return arka_fail_nomem(err, "a file entry", sizeof(arka_manifest_file));
    arka_parquet_stats stats;
    uint32_t crc;
    ARKA_TRY(write_file(f, &p, part, &stats, &crc, err));
    arka_data_file like = {.n_rows = stats.n_rows,
                           .n_bytes = stats.n_bytes,
                           .time_min = stats.time_min,
                           .time_max = stats.time_max,
                           .created_us = f->now_us,
                           .lsn_first = f->lsn_first,
                           .lsn_last = f->snapshot->lsn,
                           .schema_version = f->snapshot->schema->version,
                           .path = p.path,
                           .has_crc = true,
                           .crc = crc,
                           .checked = true};
    ARKA_TRY(arka_data_file_new(&like, &f->files.items[f->files.n], err));
    f->files.n++;
    ARKA_COUNT(f->engine, flush_small_files, stats.n_bytes < SMALL_FILE);
    f->entries.items[f->entries.n++] =
        (arka_manifest_file){.path = arka_slice_of(p.path + strlen(f->engine->base_path) + 1),
                             .n_rows = like.n_rows,
                             .n_bytes = like.n_bytes,
                             .time_min = like.time_min,
                             .time_max = like.time_max,
                             .created_us = f->now_us,
                             .schema_version = like.schema_version,
                             .has_crc = true,
                             .crc = crc};
    return ARKA_OK;
}

static arka_status count_part(void *context, int64_t hour_us, const arka_spans *part,
                              arka_error *err)
{
    ((arka_flush *)context)->n_parts++;
    return ARKA_OK;
}

/* ---- syncs and names ---- */

/*
 * A table's own directories may wait for the sync of all: only this flush knows them. Those above
 * are not ours alone.
 */
static arka_status make_database_dir(arka_flush *f, arka_error *err)
{
    char *dir =
        arka_arena_printf(&f->arena, "%s/%s", f->engine->base_path, arka_table_database(f->table));
    return dir ? arka_dir_make(f->engine->options.os, dir, err)
               : arka_fail_nomem(err, "a path", strlen(f->engine->base_path));
}

static arka_status write_parts(arka_flush *f, arka_error *err)
{
    if (!f->one_by_one)
        ARKA_TRY(make_database_dir(f, err));
    ARKA_TRY(arka_spans_partition(f->batches, &f->spans, ARKA_US_PER_HOUR, flush_hour, f, err));
    ARKA_FAILPOINT("flush_files_written");
    return ARKA_OK;
}

/* Every file durable before it has its name, and the name before the manifest has it. */
static arka_status publish_one_by_one(arka_flush *f, arka_error *err)
{
    for (size_t i = 0; i < f->paths.n; i++)
        ARKA_TRY(arka_file_publish(f->engine->options.os, f->paths.items[i].tmp,
                                   f->paths.items[i].path, err));
    return ARKA_OK;
}

static arka_status rename_all(arka_flush *f, arka_error *err)
{
    for (size_t i = 0; i < f->paths.n; i++)
        ARKA_TRY(arka_file_rename(f->engine->options.os, f->paths.items[i].tmp,
                                  f->paths.items[i].path, err));
    return ARKA_OK;
}

/* Nobody knows them; what cannot be removed the next start sets aside. */
static void remove_files(arka_flush *f)
{
    const arka_os *os = f->engine->options.os;
    for (size_t i = 0; i < f->paths.n; i++) {
        ARKA_IGNORE(arka_file_remove(os, f->paths.items[i].tmp, NULL));
        ARKA_IGNORE(arka_file_remove(os, f->paths.items[i].path, NULL));
    }
    f->paths.n = 0;
}

static arka_status prepare(arka_flush *f, arka_error *err)
{
    ARKA_TRY(lay_out(f, err));
    ARKA_TRY(arka_sort_by_time(f->batches, (size_t)f->snapshot->n_hot_batches, &f->spans, err));
    return arka_spans_partition(f->batches, &f->spans, ARKA_US_PER_HOUR, count_part, f, err);
}

static arka_status plan(arka_flush *f, arka_error *err)
{
    ARKA_FAILPOINT("flush_renamed");
    return arka_table_plan_files(f->table, f->files.items, f->files.n, &f->list, err);
}

/* One step of all that have not failed. */
static void each(arka_flush *const *flushes, size_t n,
                 arka_status (*step)(arka_flush *f, arka_error *err))
{
    for (size_t i = 0; i < n; i++) {
        arka_error why = {0};
        if (flushes[i]->status != ARKA_OK)
            continue;
        arka_flush__fail(flushes[i], step(flushes[i], &why), &why);
        if (flushes[i]->status != ARKA_OK)
            remove_files(flushes[i]);
    }
}

static void fail_all(arka_flush *const *flushes, size_t n, arka_status status,
                     const arka_error *why)
{
    for (size_t i = 0; i < n; i++)
        if (flushes[i]->status == ARKA_OK) {
            arka_flush__fail(flushes[i], status, why);
            remove_files(flushes[i]);
        }
}

static arka_status write_synced_together(arka_engine *e, arka_flush *const *flushes, size_t n,
                                         int fs, arka_error *err)
{
    each(flushes, n, write_parts);
    ARKA_TRY(arka_fs_sync(e->options.os, fs, err));
    each(flushes, n, rename_all);
    return arka_fs_sync(e->options.os, fs, err);
}

static void write_together(arka_engine *e, arka_flush *const *flushes, size_t n)
{
    int fs = -1;
    arka_error why = {0};
    unsigned unsynced = atomic_load(&e->unsynced);
    arka_status status = arka_fs_open(e->options.os, e->base_path, &fs, &why);
    if (status == ARKA_OK)
        status = write_synced_together(e, flushes, n, fs, &why);
    arka_fs_close(e->options.os, fs);
    /* Directories made without a sync look like synced ones to the flush that finds them. */
    if (status == ARKA_OK) {
        atomic_store(&e->covered, unsynced);
    } else {
        atomic_fetch_add(&e->unsynced, 1);
        fail_all(flushes, n, status, &why);
    }
}

void arka_flush__write_files(arka_engine *engine, arka_flush *const *flushes, size_t n)
{
    int64_t n_parts = 0;
    each(flushes, n, prepare);
    for (size_t i = 0; i < n; i++)
        n_parts += flushes[i]->n_parts;
    bool one_by_one = n_parts <= SYNC_ONE_BY_ONE &&
                      atomic_load(&engine->unsynced) == atomic_load(&engine->covered);
    for (size_t i = 0; i < n; i++)
        flushes[i]->one_by_one = one_by_one;
    if (one_by_one) {
        each(flushes, n, write_parts);
        each(flushes, n, publish_one_by_one);
    } else {
        write_together(engine, flushes, n);
    }
    each(flushes, n, plan);
}
