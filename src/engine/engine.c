#include "engine/engine_priv.h"
#include "engine/reaper.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "engine/commit.h"

void arka_engine_options_default(arka_engine_options *options)
{
    *options = (arka_engine_options){
        .default_database = "default",
        .codec = ARKA_CODEC_SNAPPY,
        .flush_bytes = INT64_C(128) << 20,
        .disk_reserve_bytes = -1,
        .ballast_bytes = INT64_C(64) << 20,
        .hot_limit_bytes = (size_t)2 << 30,
        .wal_sync_mode = ARKA_WAL_FDATASYNC,
        .wal_codec = ARKA_IPC_PLAIN,
        .wal_segment_bytes = INT64_C(128) << 20,
        .wal_segment_age_ms = 3600000,
        .wal_max_bytes = INT64_C(20) << 30,
        .request_window_ms = 3600000,
    };
    arka_engine_options_flush(options);
}

void arka_engine__event(arka_engine *engine, int level, const char *name, const char *format, ...)
{
    if (engine->options.on_event == NULL)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    arka_event event = {.name = name, .text = text};
    event.level = level;
    engine->options.on_event(engine->options.context, &event);
}

void arka_engine__catalog_changed(arka_engine *engine)
{
    /* release: who sees the new version sees the registry as it is now (acquire in catalog_version)
     */
    atomic_fetch_add_explicit(&engine->catalog_version, 1, memory_order_release);
}

uint64_t arka_engine_catalog_version(arka_engine *engine)
{
    return atomic_load_explicit(&engine->catalog_version, memory_order_acquire);
}

static arka_status take_lock(arka_engine *engine, arka_error *err)
{
    arka_buf path = ARKA_BUF_INIT;
    arka_buf_printf(&path, "%s/.lock", engine->base_path);
    arka_status status = arka_buf_cstr(&path) == NULL
                             ? arka_fail_nomem(err, "a path", path.len)
                             : arka_file_lock(path.data, &engine->lock_fd, err);
    arka_buf_fini(&path);
    return status;
}

static arka_status open_parts(arka_engine *engine, const arka_engine_options *options,
                              arka_error *err)
{
    engine->base_path = arka_strdup(options->base_path);
    engine->manifest_path = arka_strdup(options->manifest_path);
    engine->default_database = arka_strdup(options->default_database);
    if (engine->base_path == NULL || engine->manifest_path == NULL ||
        engine->default_database == NULL)
        return arka_fail_nomem(err, "the engine", sizeof *engine);
    size_t n = strlen(engine->base_path);
    while (n > 1 && engine->base_path[n - 1] == '/')
        engine->base_path[--n] = 0;
    const arka_os *os = engine->options.os;
    ARKA_TRY(arka_dir_make(os, engine->base_path, err));
    ARKA_TRY(take_lock(engine, err));
    ARKA_TRY(arka_dir_make_parent(os, engine->manifest_path, err));
    ARKA_TRY(arka_registry_new(&engine->registry, err));
    engine->gate.kept = arka_registry_kept(engine->registry);
    ARKA_TRY(arka_manifest_open(engine->manifest_path, &engine->manifest, err));
    ARKA_TRY(arka_reaper_new(engine, &engine->reaper, err));
    arka_reaper_catch_up(engine);
    ARKA_TRY(arka_engine__open_log(engine, options->wal_dir, err));
    ARKA_TRY(arka_engine__remake_missing(engine, err));
    ARKA_TRY(arka_engine__load(engine, err));
    ARKA_TRY(arka_engine__set_orphans_aside(engine, err));
    ARKA_TRY(arka_engine__guard_disks(engine, options->wal_dir, err));
    arka_database *first;
    ARKA_TRY(arka_engine__database(engine, arka_slice_of(options->default_database), &first, err));
    /* The flusher makes room while the log is replayed. */
    ARKA_TRY(arka_engine__start_flusher(engine, err));
    ARKA_TRY(arka_engine__recover(engine, err));
    ARKA_TRY(arka_engine__start_committer(engine, err));
    if (engine->wal != NULL)
        arka_engine__log_runs(engine);
    engine->opened = true;
    return ARKA_OK;
}

arka_status arka_engine_open(const arka_engine_options *options, arka_engine **out, arka_error *err)
{
    arka_engine *engine = arka_calloc(1, sizeof *engine);
    if (engine == NULL)
        return arka_fail_nomem(err, "the engine", sizeof *engine);
    engine->options = *options;
    engine->options.base_path = engine->options.manifest_path = NULL; /* we keep our own */
    engine->options.default_database = engine->options.wal_dir = NULL;
    if (engine->options.os == NULL)
        engine->options.os = &arka_os_real;
    engine->lock_fd = -1;
    arka_mutex_init(&engine->ddl, ARKA_LOCK_DDL);
    arka_mutex_init(&engine->flush_lock, ARKA_LOCK_FLUSH);
    arka_mutex_init(&engine->publish, ARKA_LOCK_PUBLISH);
    arka_gate_init(&engine->gate, (int64_t)options->hot_limit_bytes);
    arka_cond_init(&engine->flush_wake);
    arka_cond_init(&engine->flush_done);
    arka_status status = arka_latency_init(&engine->flush_latency, 2, err);
    if (status == ARKA_OK)
        status = open_parts(engine, options, err);
    if (status == ARKA_OK)
        *out = engine;
    else
        ARKA_IGNORE(arka_engine_close(engine, NULL)); /* nothing is hot yet */
    return status;
}

/* The next start may be without the log that has them, or there is none. */
static void keep_requests(arka_engine *engine)
{
    arka_error err = {0};
    if (arka_requests_keep(engine->requests, engine->manifest, UINT64_MAX, arka_wall_us(), &err) !=
        ARKA_OK)
        arka_engine__event(engine, ARKA_EVENT_WARN, "keys_not_kept",
                           "a request that is repeated after the next start may be stored again, "
                           "if the log is gone by then: %s",
                           err.msg);
}

arka_status arka_engine_finish(arka_engine *engine, arka_error *err)
{
    int64_t n_tables;
    atomic_store(&engine->closing, true);
    arka_engine__wait_for_writers(engine);
    arka_engine__stop_flusher(engine); /* first: it tells the committer of memory and of syncs */
    arka_engine__stop_committer(engine);
    if (!engine->opened)
        return ARKA_OK;
    arka_status status =
        arka_engine_flush(engine, (arka_slice){0}, (arka_slice){0}, &n_tables, err);
    keep_requests(engine);
    return status;
}

arka_status arka_engine_close(arka_engine *take_engine, arka_error *err)
{
    arka_engine *engine = take_engine;
    if (engine == NULL)
        return ARKA_OK;
    arka_status status = arka_engine_finish(engine, err);
    arka_engine__wait_for_writers(engine); /* those that came to be refused */
    arka_engine__forget_unsure(engine);
    arka_engine__free_committer(engine);
    arka_status ended = arka_engine__end_log(engine, err);
    status = status != ARKA_OK ? status : ended;
    arka_reaper_free(engine->reaper);
    arka_registry_free(engine->registry);
    arka_requests_free(engine->requests);
    arka_manifest_close(engine->manifest);
    arka_disk_fini(&engine->disk);
    arka_vec_fini(&engine->flushing);
    arka_cond_fini(&engine->flush_wake);
    arka_cond_fini(&engine->flush_done);
    arka_latency_fini(&engine->flush_latency);
    arka_mutex_fini(&engine->flush_lock);
    arka_mutex_fini(&engine->ddl);
    arka_mutex_fini(&engine->publish);
    if (engine->lock_fd >= 0)
        close(engine->lock_fd); /* lets the lock go */
    arka_free(engine->base_path);
    arka_free(engine->manifest_path);
    arka_free(engine->default_database);
    arka_free(engine);
    return status;
}

bool arka_engine_has_database(arka_engine *engine, arka_slice name)
{
    return arka_registry_database(engine->registry, name) != NULL;
}

/* ---- looking ---- */

void arka_engine_get_replay(const arka_engine *engine, arka_replay_info *out)
{
    *out = engine->replay;
}

arka_wal *arka_engine_wal(arka_engine *engine)
{
    return engine->wal;
}

bool arka_engine_is_refusing(arka_engine *engine, char *out, size_t cap)
{
    arka_error why = {0};
    if (!arka_engine__refuses(engine, &why))
        return false;
    snprintf(out, cap, "%s", why.msg);
    return true;
}

arka_status arka_engine__find_table(arka_engine *engine, arka_slice database, arka_slice table,
                                    arka_table **out, arka_error *err)
{
    arka_database *db = arka_registry_database(engine->registry, database);
    if (db == NULL)
        return arka_fail(err, ARKA_NOTFOUND, "unknown database: %.*s", ARKA_FMT(database));
    *out = arka_registry_table(engine->registry, db, table);
    if (*out == NULL)
        return arka_fail(err, ARKA_NOTFOUND, "unknown table: %.*s.%.*s", ARKA_FMT(database),
                         ARKA_FMT(table));
    return ARKA_OK;
}

arka_status arka_engine_table_state(arka_engine *engine, arka_slice database, arka_slice table,
                                    arka_table_state *out, arka_error *err)
{
    arka_table *t;
    ARKA_TRY(arka_engine__find_table(engine, database, table, &t, err));
    const char *uuid = arka_table_uuid(t);
    *out = (arka_table_state){arka_hash(uuid, strlen(uuid), 0), arka_table_changes(t)};
    return ARKA_OK;
}

arka_type arka_engine_column_type(arka_engine *engine, arka_slice database, arka_slice table,
                                  arka_slice column, bool *tag)
{
    arka_table *t;
    if (arka_engine__find_table(engine, database, table, &t, NULL) != ARKA_OK)
        return ARKA_TYPE_NONE;
    ARKA_AUTO(arka_schema) schema = arka_table_schema(t);
    int f = arka_schema_find(schema, column);
    if (f < 0)
        return ARKA_TYPE_NONE;
    if (tag != NULL && schema->fields[f].tag)
        *tag = true;
    return schema->fields[f].type;
}

arka_status arka_engine_each_database(arka_engine *engine,
                                      arka_status (*each)(void *context,
                                                          const arka_database_info *info,
                                                          arka_error *err),
                                      void *context, arka_error *err)
{
    arka_database_list databases = {0};
    arka_status status = arka_registry_databases(engine->registry, &databases, err);
    for (size_t i = 0; status == ARKA_OK && i < databases.n; i++) {
        const arka_database *d = databases.items[i];
        arka_database_info info = {arka_database_name(d), arka_database_created_us(d),
                                   arka_registry_n_tables(engine->registry, d)};
        status = each(context, &info, err);
    }
    arka_vec_fini(&databases);
    return status;
}

arka_status arka_engine_each_table(arka_engine *engine, arka_slice database,
                                   arka_status (*each)(void *context, const arka_table_info *info,
                                                       arka_error *err),
                                   void *context, arka_error *err)
{
    arka_database *only = NULL;
    if (database.len > 0 && (only = arka_registry_database(engine->registry, database)) == NULL)
        return ARKA_OK;
    arka_table_list tables = {0};
    arka_status status = arka_registry_tables(engine->registry, only, &tables, err);
    for (size_t i = 0; status == ARKA_OK && i < tables.n; i++) {
        arka_table_gauges g;
        arka_table_get_gauges(tables.items[i], &g);
        arka_table_info info = {
            .database = arka_table_database(tables.items[i]),
            .name = arka_table_name(tables.items[i]),
            .n_files = g.n_files,
            .file_bytes = g.file_bytes,
            .file_rows = g.file_rows,
            .hot_rows = g.hot_rows,
            .hot_bytes = g.hot_bytes,
            .hot_age_ms = g.hot_since.ns ? arka_mono_since_ns(g.hot_since) / 1000000 : 0,
            .flushed_lsn = g.flushed_lsn,
        };
        status = each(context, &info, err);
    }
    arka_vec_fini(&tables);
    return status;
}

arka_status arka_engine_each_slice(arka_engine *engine, arka_slice database, arka_slice table,
                                   arka_status (*each)(void *context, const arka_slice_info *info,
                                                       arka_error *err),
                                   void *context, arka_error *err)
{
    arka_slice_infos slices = {0};
    arka_database *d = arka_registry_database(engine->registry, database);
    arka_table *t = d ? arka_registry_table(engine->registry, d, table) : NULL;
    if (t == NULL)
        return arka_fail(err, ARKA_NOTFOUND, "table %.*s.%.*s does not exist", ARKA_FMT(database),
                         ARKA_FMT(table));
    arka_status status = arka_table_list_slices(t, &slices, err);
    for (size_t i = 0; status == ARKA_OK && i < slices.n; i++)
        status = each(context, &slices.items[i], err);
    arka_vec_fini(&slices);
    return status;
}

static void count_files(arka_engine *engine, arka_engine_stats *out)
{
    arka_table_list tables = {0};
    /* Out of memory leaves the gauges at 0. */
    ARKA_IGNORE(arka_registry_all_tables(engine->registry, &tables, NULL));
    for (size_t i = 0; i < tables.n; i++) {
        arka_table_gauges g;
        arka_table_get_gauges(tables.items[i], &g);
        out->files += g.n_files;
        out->file_bytes += g.file_bytes;
    }
    arka_vec_fini(&tables);
}

arka_zone arka_engine_zone(const arka_engine *engine)
{
    return arka_gate_zone(&engine->gate);
}

void arka_engine_get_flush_latency(const arka_engine *engine, arka_latency_view *out)
{
    arka_latency_read(&engine->flush_latency, out);
}

void arka_engine_get_stats(arka_engine *engine, arka_engine_stats *out)
{
    *out = (arka_engine_stats){
        .rows_written = ARKA_GAUGE(engine, rows_written),
        .batches_written = ARKA_GAUGE(engine, batches_written),
        .bytes_written = ARKA_GAUGE(engine, bytes_written),
        .writes_refused = ARKA_GAUGE(engine, writes_refused),
        .flushes = ARKA_GAUGE(engine, flushes),
        .flush_failures = ARKA_GAUGE(engine, flush_failures),
        .flush_rows = ARKA_GAUGE(engine, flush_rows),
        .flush_files = ARKA_GAUGE(engine, flush_files),
        .flush_bytes = ARKA_GAUGE(engine, flush_bytes),
        .flush_ns = ARKA_GAUGE(engine, flush_ns),
        .flush_groups = ARKA_GAUGE(engine, flush_groups),
        .flush_small_files = ARKA_GAUGE(engine, flush_small_files),
        .hot_rows = ARKA_GAUGE(engine, hot_rows),
        .hot_bytes = arka_gate_used(&engine->gate),
        .hot_limit_bytes = engine->gate.limit,
        .kept_bytes = arka_kept_bytes(engine->gate.kept),
        .orphans = ARKA_GAUGE(engine, orphans),
        .epoch = engine->epoch,
        .visible_lsn = arka_engine_visible_lsn(engine),
        .commits = ARKA_GAUGE(engine, commits),
        .commit_requests = ARKA_GAUGE(engine, commit_requests),
        .requests_repeated = ARKA_GAUGE(engine, requests_repeated),
        .requests_delayed = ARKA_GAUGE(engine, requests_delayed),
        .requests_blocked = ARKA_GAUGE(engine, requests_blocked),
        .zone = arka_gate_zone(&engine->gate),
        .delay_ns = arka_gate_delay_ns(&engine->gate),
    };
    arka_mutex_lock(&engine->publish);
    out->assigned_lsn = engine->assigned;
    arka_mutex_unlock(&engine->publish);
    out->pinned_lsn = arka_engine__pinned_lsn(engine);
    out->zone = arka_gate_zone(&engine->gate);
    out->delay_ns = arka_gate_delay_ns(&engine->gate);
    arka_engine__count_waiting(engine, &out->n_delayed, &out->n_blocked);
    count_files(engine, out);
}
