#include "server/opening.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/metrics/recoveries.h"
#include "server/query/query_service.h"
#include "server/server_priv.h"
#include "server/access/tokens.h"
#include "server/query/system_tables.h"

enum { TELL_EVERY_MS = 1000 };

static void log_event(void *context, const arka_event *event)
{
    static const arka_log_level LEVELS[] = {
        [ARKA_EVENT_DEBUG] = ARKA_DEBUG,
        [ARKA_EVENT_INFO] = ARKA_INFO,
        [ARKA_EVENT_WARN] = ARKA_WARN,
        [ARKA_EVENT_ERROR] = ARKA_ERROR,
    };
    const arka_server *server = context;
    arka_log_write(server->log, LEVELS[event->level], event->name, NULL, "%s", event->text);
}

static bool on_replay(void *context, int64_t done_bytes, int64_t total_bytes)
{
    arka_server *server = context;
    arka_opening *o = &server->opening;
    char text[ARKA_OPENING_TEXT];
    double progress;
    atomic_store_explicit(&o->total_bytes, total_bytes, memory_order_relaxed);
    atomic_store_explicit(&o->done_bytes, done_bytes, memory_order_relaxed);
    if (arka_mono_since_ms(o->told) >= TELL_EVERY_MS) {
        o->told = arka_mono_now();
        arka_opening_text(server, text, &progress);
        arka_log_write(server->log, ARKA_INFO, "replay", NULL, "%s", text);
    }
    return !arka_server_stopping(server);
}

void arka_opening_text(arka_server *server, char out[ARKA_OPENING_TEXT], double *progress)
{
    const arka_opening *o = &server->opening;
    int64_t total = atomic_load_explicit(&o->total_bytes, memory_order_relaxed);
    int64_t done = atomic_load_explicit(&o->done_bytes, memory_order_relaxed);
    *progress = total <= 0 ? 0 : done >= total ? 1 : (double)done / (double)total;
    if (total <= 0)
        snprintf(out, ARKA_OPENING_TEXT, "opening the data");
    else
        snprintf(out, ARKA_OPENING_TEXT, "replaying the log: %d %% (%lld of %lld MiB)",
                 (int)(*progress * 100), (long long)(done >> 20), (long long)(total >> 20));
}

/* ---- the engine ---- */

static arka_ipc_codec log_codec(const char *word)
{
    return strcmp(word, "lz4") == 0    ? ARKA_IPC_LZ4_FRAME
           : strcmp(word, "zstd") == 0 ? ARKA_IPC_ZSTD
                                       : ARKA_IPC_PLAIN;
}

static void set_log(const arka_settings *s, arka_engine_options *o)
{
    o->wal_dir = s->wal_dir;
    o->wal_sync_mode = strcmp(s->wal_sync_mode, "fsync") == 0 ? ARKA_WAL_FSYNC : ARKA_WAL_FDATASYNC;
    o->wal_async = strcmp(s->wal_sync_mode, "async") == 0;
    o->wal_codec = log_codec(s->wal_compression);
    o->wal_segment_bytes = s->wal_segment_mb << 20;
    o->wal_segment_age_ms = s->wal_segment_age * 1000;
    o->wal_max_bytes = s->wal_total_mb << 20;
    o->wal_quarantine = strcmp(s->wal_on_corruption, "quarantine") == 0;
}

/* What is 0, or for the interval -1, is the engine's own, which depends on whether there is a log.
 */
static void set_buffer(const arka_settings *s, arka_engine_options *o)
{
    arka_engine_options_flush(o);
    if (s->buffer_rows > 0)
        o->flush_rows = s->buffer_rows;
    if (s->buffer_age > 0)
        o->flush_age_ms = s->buffer_age * 1000;
    if (s->buffer_mb > 0)
        o->flush_bytes = s->buffer_mb << 20;
    if (s->flush_interval >= 0)
        o->flush_interval_ms = s->flush_interval * 1000;
    o->hot_limit_bytes = (size_t)s->hot_limit_mb << 20;
    o->block_timeout_ms = s->block_timeout;
}

static void set_options(arka_server *server, arka_engine_options *o)
{
    const arka_settings *s = server->settings;
    arka_engine_options_default(o);
    o->base_path = s->base_path;
    o->manifest_path = s->db_path;
    o->default_database = s->database;
    ARKA_CHECK(arka_codec_parse(arka_slice_of(s->compression), &o->codec), "settings not finished");
    o->codec_level = (int)s->compression_level;
    o->disk_reserve_bytes = s->disk_reserve_mb < 0 ? -1 : s->disk_reserve_mb << 20;
    o->ballast_bytes = s->ballast_mb << 20;
    if (s->wal_enabled)
        set_log(s, o);
    set_buffer(s, o);
    o->request_window_ms = s->idempotency_window * 1000;
    o->on_event = log_event;
    o->on_replay = on_replay;
    o->context = server;
}

static arka_status look_for_segment(void *context, const char *relative, int64_t n_bytes,
                                    arka_error *err)
{
    bool *found = context;
    *found |= n_bytes > 0 && strncmp(relative, "segment_", 8) == 0;
    return ARKA_OK;
}

/*
 * The log is switched off, but a run that had it left segments, whose rows may be nowhere else:
 * without them they would be lost, and lost for good once new rows have gone on from there. An
 * engine with the log replays and flushes them.
 */
static arka_status settle_old_log(arka_server *server, const arka_engine_options *options,
                                  arka_error *err)
{
    const arka_settings *s = server->settings;
    bool found = false;
    ARKA_TRY(arka_dir_walk(s->wal_dir, look_for_segment, &found, err));
    if (!found)
        return ARKA_OK;
    arka_log_write(server->log, ARKA_WARN, "old_log", NULL,
                   "wal.enabled is false, but %s has segments: their rows are written to Parquet",
                   s->wal_dir);
    arka_engine_options with_log = *options;
    arka_engine *engine;
    set_log(s, &with_log);
    ARKA_TRY(arka_engine_open(&with_log, &engine, err));
    return arka_engine_close(engine, err);
}

/* The engine has said what it replayed; this is for the history. */
static void keep_recovery(arka_server *server)
{
    arka_replay_info i;
    arka_error err = {0};
    arka_engine_get_replay(server->engine, &i);
    bool noteworthy = i.replayed_rows > 0 || i.torn_bytes > 0 || i.n_quarantined > 0;
    if (noteworthy && arka_recoveries_add(server->settings->db_path, &i, &err) != ARKA_OK)
        arka_log_write(server->log, ARKA_WARN, "recovery_not_recorded", NULL, "%s", err.msg);
}

static arka_status open_engine(arka_server *server, arka_error *err)
{
    const arka_settings *s = server->settings;
    arka_engine_options o;
    set_options(server, &o);
    ARKA_TRY(arka_dir_make_parent(&arka_os_real, s->db_path, err));
    if (!s->wal_enabled)
        ARKA_TRY(settle_old_log(server, &o, err));
    ARKA_TRY(arka_engine_open(&o, &server->engine, err));
    keep_recovery(server);
    return ARKA_OK;
}

static arka_status open_sql(arka_server *server, arka_error *err)
{
    const arka_settings *s = server->settings;
    arka_sql_options o = {
        .engine = server->engine,
        .data_dir = s->base_path,
        .memory_limit_bytes = (size_t)s->duckdb_memory,
        .threads = (int)s->duckdb_threads,
        .max_temp_bytes = s->duckdb_temp_size,
        .temp_dir = s->temp_dir,
        .max_sessions = (int)s->query_slots,
        .max_age_ms = s->query_max_age * 1000,
        .max_pin_ms = s->query_max_pin * 1000,
        .one_memory_bytes = s->query_one_memory > 0 ? s->query_one_memory : s->duckdb_memory,
        .system_tables = arka_system_tables,
        .n_system_tables = arka_n_system_tables,
        .system_context = server,
    };
    return arka_sql_open(&o, &server->sql, err);
}

/* ---- the thread ---- */

static void open_both(void *context)
{
    arka_server *server = context;
    arka_opening *o = &server->opening;
    o->status = open_engine(server, &o->error);
    if (o->status == ARKA_OK &&
        server->auth == NULL) /* nobody is asked for one, but they are kept */
        o->status = arka_server_open_tokens(server, &o->error);
    if (o->status == ARKA_OK)
        o->status = open_sql(server, &o->error);
    if (o->status == ARKA_OK)
        arka_query_service_opened(server);
    if (o->status == ARKA_OK)
        atomic_store_explicit(&o->open, true, memory_order_release);
    eventfd_write(o->ended_fd, 1);
}

arka_status arka_opening_init(arka_server *server, arka_error *err)
{
    arka_opening *o = &server->opening;
    o->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (o->ended_fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "cannot make an event descriptor");
    return ARKA_OK;
}

arka_status arka_opening_start(arka_server *server, arka_error *err)
{
    arka_opening *o = &server->opening;
    o->told = arka_mono_now();
    ARKA_TRY(arka_thread_start(&o->thread, "opening", open_both, server, err));
    o->runs = true;
    return ARKA_OK;
}

void arka_opening_join(arka_server *server)
{
    if (server->opening.runs)
        arka_thread_join(&server->opening.thread);
    server->opening.runs = false;
}

void arka_opening_fini(arka_server *server)
{
    if (server->opening.ended_fd >= 0)
        close(server->opening.ended_fd);
}
