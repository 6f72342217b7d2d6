/* GET /api/v1/metrics/endpoints: by route, and by part of the server. */
#include <math.h>

#include "base/json.h"
#include "observe/machine_usage.h"
#include "observe/text.h"
#include "server/http/handlers.h"
#include "server/metrics/metrics.h"
#include "server/metrics/route_stats.h"
#include "server/server_priv.h"

static void put_ms(arka_buf *b, const char *name, double ns)
{
    arka_buf_printf(b, "\"%s\":", name);
    arka_json_f64(b, round(ns / 1e3) / 1e3);
}

static double average(const arka_latency_view *v)
{
    return v->count > 0 ? (double)v->sum_ns / (double)v->count : 0;
}

static int64_t good(const arka_route_view *v)
{
    return v->by_class[0] + v->by_class[1] + v->by_class[2];
}

static int64_t bad(const arka_route_view *v)
{
    return v->by_class[3] + v->by_class[4];
}

static void put_route(arka_buf *b, const arka_route_view *v, const char *method, const char *path,
                      bool *any)
{
    if (v->latency.count == 0)
        return;
    arka_buf_printf(b, "%s\"%s %s\":{\"count\":%lld,\"errors\":%lld,", *any ? "," : "", method,
                    path, (long long)v->latency.count, (long long)bad(v));
    put_ms(b, "avg_ms", average(&v->latency));
    arka_buf_byte(b, ',');
    put_ms(b, "p50_ms", (double)arka_latency_quantile_ns(&v->latency, 0.5));
    arka_buf_byte(b, ',');
    put_ms(b, "p99_ms", (double)arka_latency_quantile_ns(&v->latency, 0.99));
    arka_buf_byte(b, ',');
    put_ms(b, "max_ms", (double)v->latency.max_ns);
    arka_buf_byte(b, '}');
    *any = true;
}

static void put_routes(arka_server *server, arka_buf *b, arka_route_view *queries)
{
    arka_route_view v;
    bool any = false;
    arka_buf_literal(b, "\"endpoint_stats\":{");
    for (size_t i = 0; i < arka_n_routes; i++) {
        char method[64];
        arka_methods_text(arka_routes[i].methods, method);
        method[strcspn(method, ",")] = 0;
        arka_route_stats_read(server->route_stats, &arka_routes[i], &v);
        put_route(b, &v, method, arka_routes[i].path, &any);
        if (arka_routes[i].run == ARKA_RUN_QUERY)
            arka_route_view_add(queries, &v);
    }
    arka_route_stats_read(server->route_stats, NULL, &v);
    put_route(b, &v, "any", "unknown", &any);
    arka_buf_byte(b, '}');
}

static void put_http(arka_server *server, arka_buf *b)
{
    arka_route_view all;
    arka_route_stats_total(server->route_stats, &all);
    arka_buf_printf(b,
                    ",\"http\":{\"requests_total\":%lld,\"requests_success\":%lld,"
                    "\"requests_error\":%lld,",
                    (long long)(good(&all) + bad(&all)), (long long)good(&all),
                    (long long)bad(&all));
    put_ms(b, "latency_avg_ms", average(&all.latency));
    arka_buf_byte(b, '}');
}

static void put_query(arka_server *server, arka_buf *b, const arka_route_view *queries)
{
    arka_query_numbers n;
    arka_metrics_queries(server, &n);
    arka_buf_printf(b,
                    ",\"query\":{\"requests_total\":%lld,\"success_total\":%lld,"
                    "\"errors_total\":%lld,\"rows_total\":%lld,",
                    (long long)n.begun, (long long)n.completed, (long long)n.failed,
                    (long long)n.rows);
    put_ms(b, "latency_avg_ms", average(&queries->latency));
    arka_buf_byte(b, '}');
}

static void put_ingestion(arka_server *server, arka_buf *b, const arka_engine_stats *s)
{
    arka_counters *c = &server->counters;
    arka_buf_printf(b,
                    ",\"ingestion\":{\"records_total\":%lld,\"bytes_total\":%lld,"
                    "\"batches_total\":%lld,\"errors_total\":%lld,\"msgpack_requests_total\":%lld,"
                    "\"lineprotocol_requests_total\":%lld}",
                    (long long)arka_counted(&c->rows_written),
                    (long long)arka_counted(&c->bytes_received), (long long)s->batches_written,
                    (long long)(arka_counted(&c->msgpack_errors) + arka_counted(&c->line_errors)),
                    (long long)arka_counted(&c->msgpack_requests),
                    (long long)arka_counted(&c->line_requests));
}

static void put_storage(arka_buf *b, const arka_engine_stats *s)
{
    arka_machine_usage u;
    arka_machine_usage_get(&u);
    arka_buf_printf(b,
                    ",\"buffer\":{\"records_buffered\":%lld,\"records_written_total\":%lld,"
                    "\"flushes_total\":%lld,\"errors_total\":%lld,\"flush_failures_total\":%lld,"
                    "\"bytes\":%lld,\"queue_depth\":%lld}",
                    (long long)s->hot_rows, (long long)s->flush_rows, (long long)s->flushes,
                    (long long)s->flush_failures, (long long)s->flush_failures,
                    (long long)s->hot_bytes, (long long)(s->n_delayed + s->n_blocked));
    arka_buf_printf(b,
                    ",\"storage\":{\"writes_total\":%lld,\"write_bytes_total\":%lld,"
                    "\"reads_total\":%lld,\"read_bytes_total\":%lld,\"errors_total\":%lld}",
                    (long long)s->flush_files, (long long)s->flush_bytes,
                    (long long)(u.reads > 0 ? u.reads : 0),
                    (long long)(u.read_bytes > 0 ? u.read_bytes : 0), (long long)s->flush_failures);
}

arka_handled arka_handle_metrics_endpoints(arka_request *r)
{
    arka_engine_stats s = {0};
    arka_route_view queries = {0};
    if (arka_server_is_open(r->server))
        arka_engine_get_stats(r->server->engine, &s);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"timestamp\":");
    arka_text_json_time(b, r->arrived_us);
    arka_buf_byte(b, ',');
    put_routes(r->server, b, &queries);
    put_http(r->server, b);
    put_query(r->server, b, &queries);
    put_ingestion(r->server, b, &s);
    put_storage(b, &s);
    /* this server does not compact yet: none were begun */
    arka_buf_literal(b, ",\"compaction\":{\"jobs_total\":0,\"jobs_success_total\":0,"
                        "\"jobs_success\":0,\"jobs_failed_total\":0,\"jobs_failed\":0}}");
    return ARKA_ANSWERED;
}
