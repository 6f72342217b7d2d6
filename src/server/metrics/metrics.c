/* Where each of the server's numbers comes from. */
#include "server/metrics/metrics.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>

#include "observe/machine_usage.h"
#include "os/machine.h"
#include "server/metrics/health.h"
#include "server/http/http.h"
#include "server/metrics/monitor.h"
#include "server/metrics/route_stats.h"
#include "server/server_priv.h"

/* Fields of counters.def that metrics.def has under another name. */
static const char *const TOLD_ELSEWHERE[] = {
    "requests",      "requests_failed", "msgpack_requests", "msgpack_errors",
    "line_requests", "line_errors",     "rows_written",     "bytes_received",
    "queries",       "query_errors",    "msgpack_rows",     "line_rows",
};

#define X(name, text) {"arc_" #name, ARKA_METRIC_COUNTER, "", text},
static const arka_family COUNTERS[] = {
#include "server/metrics/counters.def"
};
#undef X

static bool is_told_elsewhere(const char *name)
{
    for (size_t i = 0; i < sizeof TOLD_ELSEWHERE / sizeof *TOLD_ELSEWHERE; i++)
        if (strcmp(name, TOLD_ELSEWHERE[i]) == 0)
            return true;
    return false;
}

static void put_counters(arka_server *server, arka_gathering *g)
{
    arka_counters *c = &server->counters;
    const arka_family *family = COUNTERS;
#define X(name, text)                                                                              \
    if (!is_told_elsewhere(#name))                                                                 \
        arka_gathering_put(g, family, arka_counted(&c->name));                                     \
    family++;
#include "server/metrics/counters.def"
#undef X
}

/* ---- HTTP ---- */

static int64_t sum(const arka_route_view *v, int from, int to)
{
    int64_t n = 0;
    for (int class = from; class <= to; class ++)
        n += v->by_class[class - 1];
    return n;
}

static void put_route(arka_gathering *g, const arka_route_view *v, const char *method,
                      const char *path)
{
    static const char *const CLASSES[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    if (v->latency.count == 0)
        return; /* those that nobody asks for would be most of all lines */
    for (int i = 0; i < ARKA_STATUS_CLASSES; i++)
        if (v->by_class[i] > 0)
            arka_gathering_put(g, ARKA_FAMILY(arc_http_route_requests), v->by_class[i], method,
                               path, CLASSES[i]);
    if (v->unanswered > 0)
        arka_gathering_put(g, ARKA_FAMILY(arc_http_route_requests), v->unanswered, method, path,
                           "none");
    arka_gathering_histogram(g, ARKA_FAMILY(arc_http_route_latency_seconds), &v->latency, method,
                             path);
}

static void put_http(arka_server *server, arka_gathering *g)
{
    arka_route_view all, one, queries = {0};
    arka_route_stats_total(server->route_stats, &all);
    arka_gathering_put(g, ARKA_FAMILY(arc_http_requests), sum(&all, 1, 5));
    arka_gathering_put(g, ARKA_FAMILY(arc_http_requests_success), sum(&all, 1, 3));
    arka_gathering_put(g, ARKA_FAMILY(arc_http_requests_error), sum(&all, 4, 5));
    arka_gathering_put(g, ARKA_FAMILY(arc_http_requests_in_flight),
                       arka_http_in_flight(server->http));
    arka_gathering_put(g, ARKA_FAMILY(arc_http_connections), arka_http_n_connections(server->http));
    arka_gathering_put(g, ARKA_FAMILY(arc_http_connections_limit),
                       arka_http_max_connections(server->http));
    arka_gathering_put(g, ARKA_FAMILY(arc_http_body_bytes), arka_http_body_bytes(server->http));
    arka_gathering_histogram(g, ARKA_FAMILY(arc_http_latency_seconds), &all.latency);
    for (size_t i = 0; i < arka_n_routes; i++) {
        const arka_route *route = &arka_routes[i];
        char method[64];
        arka_methods_text(route->methods, method);
        method[strcspn(method, ",")] = 0;
        arka_route_stats_read(server->route_stats, route, &one);
        put_route(g, &one, method, route->path);
        if (route->run == ARKA_RUN_QUERY)
            arka_latency_add(&queries.latency, &one.latency);
    }
    arka_route_stats_read(server->route_stats, NULL, &one);
    put_route(g, &one, "any", "unknown");
    arka_gathering_histogram(g, ARKA_FAMILY(arc_query_latency_seconds), &queries.latency);
}

/* ---- writes ---- */

static void put_ingest(arka_server *server, const arka_engine_stats *s, arka_gathering *g)
{
    arka_counters *c = &server->counters;
    int64_t msgpack_errors = arka_counted(&c->msgpack_errors);
    int64_t line_errors = arka_counted(&c->line_errors);
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_records), arka_counted(&c->rows_written));
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_bytes), arka_counted(&c->bytes_received));
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_errors), msgpack_errors + line_errors);
    arka_gathering_put(g, ARKA_FAMILY(arc_msgpack_requests), arka_counted(&c->msgpack_requests));
    arka_gathering_put(g, ARKA_FAMILY(arc_msgpack_errors), msgpack_errors);
    arka_gathering_put(g, ARKA_FAMILY(arc_msgpack_records), arka_counted(&c->msgpack_rows));
    arka_gathering_put(g, ARKA_FAMILY(arc_lineprotocol_requests), arka_counted(&c->line_requests));
    arka_gathering_put(g, ARKA_FAMILY(arc_lineprotocol_errors), line_errors);
    arka_gathering_put(g, ARKA_FAMILY(arc_lineprotocol_records), arka_counted(&c->line_rows));
    if (s == NULL)
        return;
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_batches), s->batches_written);
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_refused), s->writes_refused);
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_delayed), s->requests_delayed);
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_blocked), s->requests_blocked);
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_delayed_now), s->n_delayed);
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_blocked_now), s->n_blocked);
    arka_gathering_put(g, ARKA_FAMILY(arc_ingest_repeated), s->requests_repeated);
}

static void put_buffer(arka_server *server, const arka_engine_stats *s, arka_gathering *g)
{
    static const char *const ZONES[] = {"green", "yellow", "red"};
    arka_latency_view flushes;
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_records_buffered), s->hot_rows);
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_bytes), s->hot_bytes);
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_limit_bytes), s->hot_limit_bytes);
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_kept_bytes), s->kept_bytes);
    for (int i = 0; i < 3; i++)
        arka_gathering_put(g, ARKA_FAMILY(arc_buffer_zone), (int)s->zone == i, ZONES[i]);
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_queue_depth), s->n_delayed + s->n_blocked);
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_delay_seconds), (double)s->delay_ns / 1e9);
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_records_written), s->flush_rows);
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_flushes), s->flushes);
    arka_gathering_put(g, ARKA_FAMILY(arc_buffer_flush_failures), s->flush_failures);
    arka_engine_get_flush_latency(server->engine, &flushes);
    arka_gathering_histogram(g, ARKA_FAMILY(arc_buffer_flush_seconds), &flushes);
}

static void put_storage(arka_server *server, const arka_engine_stats *s, arka_gathering *g)
{
    char why[256];
    arka_machine_usage u;
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_writes), s->flush_files);
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_write_bytes), s->flush_bytes);
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_small_files), s->flush_small_files);
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_errors), s->flush_failures);
    arka_machine_usage_get(&u);
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_reads), u.reads > 0 ? u.reads : 0);
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_read_bytes), u.read_bytes > 0 ? u.read_bytes : 0);
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_files), s->files);
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_bytes), s->file_bytes);
    arka_gathering_put(g, ARKA_FAMILY(arc_storage_orphans), s->orphans);
    arka_gathering_put(g, ARKA_FAMILY(arc_writes_refusing),
                       arka_engine_is_refusing(server->engine, why, sizeof why));
}

/* ---- the log ---- */

static void put_recovery(arka_server *server, arka_gathering *g)
{
    arka_replay_info r;
    arka_engine_get_replay(server->engine, &r);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_recovery), r.n_records > 0);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_recovery_records), r.n_records);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_recovery_rows), r.replayed_rows);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_recovery_seconds), (double)r.ms / 1e3);
}

static void put_log(arka_server *server, const arka_engine_stats *e, arka_gathering *g)
{
    arka_wal *wal = arka_engine_wal(server->engine);
    arka_wal_stats s;
    arka_latency_view syncs;
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_enabled), wal != NULL);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_lsn), e->assigned_lsn, "assigned");
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_lsn), e->visible_lsn, "visible");
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_lsn), e->pinned_lsn, "pinned");
    if (wal == NULL)
        return;
    arka_wal_get_stats(wal, &s);
    arka_wal_get_sync_latency(wal, &syncs);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_lsn), s.durable_lsn, "durable");
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_segments), s.n_segments);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_size_bytes), s.n_bytes);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_limit_bytes),
                       arka_server_settings(server)->wal_total_mb << 20);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_written_bytes), s.bytes);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_groups), s.groups);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_records), s.records);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_rows), s.rows);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_requests), e->commit_requests);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_syncs), s.syncs);
    arka_gathering_histogram(g, ARKA_FAMILY(arc_wal_sync_seconds), &syncs);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_rotations), s.rotations);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_removed_segments), s.removed);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_failed_writes), s.append_failures + s.sync_failures);
    arka_gathering_put(g, ARKA_FAMILY(arc_wal_broken), arka_wal_is_broken(wal));
    put_recovery(server, g);
}

/* ---- what the monitor saw the last time ---- */

static void put_monitor(arka_server *server, arka_gathering *g)
{
    arka_monitor_seen seen;
    arka_monitor_seen_last(server->monitor, &seen);
    if (seen.data_size >= 0) {
        arka_gathering_put(g, ARKA_FAMILY(arc_disk_free_bytes), seen.data_free, "data");
        arka_gathering_put(g, ARKA_FAMILY(arc_disk_size_bytes), seen.data_size, "data");
    }
    if (seen.log_size >= 0) {
        arka_gathering_put(g, ARKA_FAMILY(arc_disk_free_bytes), seen.log_free, "log");
        arka_gathering_put(g, ARKA_FAMILY(arc_disk_size_bytes), seen.log_size, "log");
    }
    if (!seen.sql_known)
        return;
    arka_gathering_put(g, ARKA_FAMILY(arc_query_memory_bytes), seen.sql.used);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_memory_limit_bytes),
                       arka_server_settings(server)->duckdb_memory);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_spilled_bytes), seen.sql.spilled);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_statements_bytes), seen.sql.statements);
}

static void put_log_lines(arka_server *server, arka_gathering *g)
{
    arka_log_stats s;
    arka_log_get_stats(server->log, &s);
    for (int i = 0; i < ARKA_LOG_LEVELS; i++)
        arka_gathering_put(g, ARKA_FAMILY(arc_log_lines), s.lines[i],
                           arka_log_level_name((arka_log_level)i));
    arka_gathering_put(g, ARKA_FAMILY(arc_log_lines_suppressed), s.suppressed);
    arka_gathering_put(g, ARKA_FAMILY(arc_log_lines_lost), s.lost);
}

static void put_auth(arka_server *server, arka_gathering *g)
{
    bool enabled = arka_server_settings(server)->auth_enabled;
    arka_auth_stats s;
    arka_gathering_put(g, ARKA_FAMILY(arc_auth_enabled), enabled);
    if (!enabled) /* else it was there before HTTP */
        return;
    arka_auth_get_stats(server->auth, &s);
    arka_gathering_put(g, ARKA_FAMILY(arc_auth_requests), s.checks);
    arka_gathering_put(g, ARKA_FAMILY(arc_auth_cache_hits), s.hits);
    arka_gathering_put(g, ARKA_FAMILY(arc_auth_cache_misses), s.misses);
    arka_gathering_put(g, ARKA_FAMILY(arc_auth_refused), s.refusals);
}

/* ---- the process ---- */

static void put_memory(arka_server *server, arka_gathering *g)
{
    struct mallinfo2 m = mallinfo2();
    arka_gathering_put(g, ARKA_FAMILY(arc_memory_limit_bytes),
                       arka_server_settings(server)->memory_limit);
    arka_gathering_put(g, ARKA_FAMILY(arc_memory_alloc_bytes), m.uordblks + m.hblkhd);
    arka_gathering_put(g, ARKA_FAMILY(arc_memory_heap_alloc_bytes), m.uordblks + m.hblkhd);
    arka_gathering_put(g, ARKA_FAMILY(arc_memory_sys_bytes), m.arena + m.hblkhd);
}

static void put_process(arka_server *server, arka_gathering *g)
{
    arka_process_usage p;
    struct rlimit fds;
    arka_process_usage_get(&p);
    arka_gathering_put(g, ARKA_FAMILY(process_cpu_seconds), (double)arka_cpu_process_ns() / 1e9);
    arka_gathering_put(g, ARKA_FAMILY(process_resident_memory_bytes), p.rss);
    arka_gathering_put(g, ARKA_FAMILY(process_virtual_memory_bytes), p.virtual_bytes);
    arka_gathering_put(g, ARKA_FAMILY(process_open_fds), p.n_fds);
    arka_gathering_put(g, ARKA_FAMILY(process_threads), p.n_threads);
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
        arka_gathering_put(g, ARKA_FAMILY(process_max_fds), fds.rlim_cur);
    double up = (double)arka_mono_since_ns(server->started) / 1e9;
    arka_gathering_put(g, ARKA_FAMILY(process_start_time_seconds),
                       (double)arka_wall_us() / 1e6 - up);
}

static void put_build(arka_server *server, arka_gathering *g)
{
#ifdef __clang__
    static const char COMPILER[] = "clang " __clang_version__;
#else
    static const char COMPILER[] = "gcc " __VERSION__;
#endif
    char text[256];
    arka_gathering_put(g, ARKA_FAMILY(arc_build_info), 1, ARC_VERSION, COMPILER);
    arka_gathering_put(g, ARKA_FAMILY(arc_uptime_seconds),
                       (double)arka_mono_since_ns(server->started) / 1e9);
    arka_gathering_put(g, ARKA_FAMILY(arc_ready), arka_server_is_ready(server, text, sizeof text));
}

void arka_metrics_gather(arka_server *server, arka_gathering *g)
{
    arka_engine_stats stats, *s = NULL;
    if (arka_server_is_open(server)) {
        s = &stats;
        arka_engine_get_stats(server->engine, s);
    }
    put_build(server, g);
    put_http(server, g);
    put_ingest(server, s, g);
    if (s != NULL) {
        put_buffer(server, s, g);
        put_storage(server, s, g);
        put_log(server, s, g);
    }
    arka_metrics_gather_queries(server, g);
    put_monitor(server, g);
    put_log_lines(server, g);
    put_auth(server, g);
    put_memory(server, g);
    put_process(server, g);
    put_counters(server, g);
}
