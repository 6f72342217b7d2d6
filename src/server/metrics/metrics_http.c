/* GET /metrics and /api/v1/metrics: the same numbers, each with its own first choice of format. */
#include <math.h>

#include "base/json.h"
#include "observe/exposition.h"
#include "observe/text.h"
#include "server/http/handlers.h"
#include "server/metrics/metrics.h"
#include "server/metrics/monitor.h"
#include "server/server_priv.h"

static arka_handled answer_text(arka_request *r, arka_gathering *g, arka_exposition format)
{
    arka_error err = {0};
    r->answer.status = 200;
    r->answer.content_type = arka_exposition_content_type(format);
    if (arka_exposition_write(g, format, &r->answer.body, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    return ARKA_ANSWERED;
}

/* ---- JSON ---- */

/* The family's name without what all have in common, and without `tail`. */
static void put_name(arka_buf *b, const arka_family *family, const char *tail, const char *suffix)
{
    static const char PREFIX[] = "arc_";
    const char *name = family->name;
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) == 0)
        name += sizeof PREFIX - 1;
    size_t n = strlen(name), n_tail = strlen(tail);
    if (n > n_tail && strcmp(name + n - n_tail, tail) == 0)
        n -= n_tail;
    arka_buf_printf(b, ",\"%.*s%s\":", (int)n, name, suffix);
}

/* Two counters that readers of the flat object know by a name that does not end in _total. */
static bool is_also_without_total(const arka_family *family)
{
    return strcmp(family->name, "arc_http_requests_success") == 0 ||
           strcmp(family->name, "arc_http_requests_error") == 0;
}

/* Every number without labels, flat; of a histogram its sum in microseconds and its count. */
static arka_status put_flat(void *context, const arka_sample *s, arka_error *err)
{
    arka_buf *b = context;
    if (s->n_labels > 0)
        return ARKA_OK;
    const char *suffix = s->name + strlen(s->family->name);
    if (is_also_without_total(s->family)) {
        put_name(b, s->family, "", "");
        arka_json_f64(b, s->value);
    }
    if (s->family->kind != ARKA_METRIC_HISTOGRAM) {
        put_name(b, s->family, "", suffix);
        arka_json_f64(b, s->value);
    } else if (strcmp(suffix, "_sum") == 0) {
        put_name(b, s->family, "_seconds", "_sum_us");
        arka_json_f64(b, round(s->value * 1e6));
    } else {
        put_name(b, s->family, "_seconds", suffix);
        arka_json_f64(b, s->value);
    }
    return ARKA_OK;
}

static void put_group(arka_buf *b, const char *name, bool known, const arka_point *p,
                      arka_monitor_group group, const char *more)
{
    arka_buf_printf(b, ",\"%s\":", name);
    if (!known) {
        arka_buf_literal(b, "null");
        return;
    }
    arka_buf_literal(b, "{\"timestamp\":");
    arka_text_json_time(b, p->us);
    arka_buf_byte(b, ',');
    arka_monitor_put_fields(p, group, b);
    if (group == ARKA_MONITOR_SYSTEM) {
        arka_buf_literal(b, ",\"load_average\":[");
        for (int i = 0; i < 3; i++) {
            arka_buf_text(b, i > 0 ? "," : "");
            arka_json_f64(b, p->numbers[ARKA_POINT_load_average_1m + i]);
        }
        arka_buf_byte(b, ']');
    }
    arka_buf_printf(b, "%s}", more);
}

static arka_handled answer_json(arka_request *r, arka_gathering *g)
{
    arka_server *server = r->server;
    arka_error err = {0};
    arka_point p;
    int64_t n, minutes;
    bool known = arka_monitor_last(server->monitor, &p), open = arka_server_is_open(server);
    arka_monitor_count(server->monitor, &n, &minutes);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"timestamp\":");
    arka_text_json_time(b, r->arrived_us);
    put_group(b, "system", known, &p, ARKA_MONITOR_SYSTEM, "");
    put_group(b, "application", known, &p, ARKA_MONITOR_APPLICATION,
              open ? ",\"query_engine_status\":\"running\",\"scheduler_status\":\"running\""
                   : ",\"query_engine_status\":\"starting\",\"scheduler_status\":\"starting\"");
    put_group(b, "api", known, &p, ARKA_MONITOR_API, "");
    arka_buf_printf(b,
                    ",\"collection_status\":{\"running\":true,\"samples_collected\":%lld,"
                    "\"retention_minutes\":%lld},\"goroutines\":",
                    (long long)n, (long long)minutes);
    /* under the names of the Go server whose console reads them: threads; nothing is collected */
    arka_json_f64(b, known ? p.numbers[ARKA_POINT_goroutines] : 0);
    arka_buf_printf(b, ",\"num_cpu\":%d,\"gc_cycles\":0", arka_n_processors());
    if (arka_gathering_each(g, put_flat, b, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_byte(b, '}');
    return ARKA_ANSWERED;
}

/* ---- both ---- */

static arka_handled answer(arka_request *r, arka_exposition standard)
{
    arka_gathering g;
    arka_exposition format = arka_exposition_choose(arka_request_header(r, "Accept"), standard);
    arka_gathering_init(&g);
    arka_metrics_gather(r->server, &g);
    arka_handled how =
        format == ARKA_EXPOSITION_JSON ? answer_json(r, &g) : answer_text(r, &g, format);
    arka_gathering_fini(&g);
    arka_answer_header(r, "Cache-Control", "no-store");
    return how;
}

arka_handled arka_handle_metrics(arka_request *r)
{
    return answer(r, ARKA_EXPOSITION_TEXT);
}

arka_handled arka_handle_metrics_json(arka_request *r)
{
    return answer(r, ARKA_EXPOSITION_JSON);
}

/* ---- history ---- */

typedef struct points {
    arka_buf *out;
    arka_monitor_group group;
    int64_t n;
} points;

static void put_point(void *context, const arka_point *p)
{
    points *all = context;
    arka_buf_text(all->out, all->n++ > 0 ? "," : "");
    arka_buf_literal(all->out, "{\"timestamp\":");
    arka_text_json_time(all->out, p->us);
    arka_buf_byte(all->out, ',');
    arka_monitor_put_fields(p, all->group, all->out);
    arka_buf_literal(all->out, ",\"values\":{");
    arka_monitor_put_fields(p, all->group, all->out);
    arka_buf_literal(all->out, "}}");
}

arka_handled arka_handle_metrics_timeseries(arka_request *r)
{
    static const int64_t MINUTE_US = 60000000;
    arka_error err = {0};
    int64_t minutes = 30;
    arka_monitor_group group = arka_monitor_group_of(r->args[0]);
    if (group == ARKA_MONITOR_GROUPS)
        return arka_answer_error(r, 400, "invalid",
                                 "'%.*s' is no type of metrics: system, application or api",
                                 r->args[0].len > 40 ? 40 : (int)r->args[0].len, r->args[0].data);
    if (arka_request_param_int(r, "duration_minutes", 1, 1440, &minutes, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf *b = arka_answer_json(r, 200);
    points all = {.out = b, .group = group};
    arka_buf_printf(b, "{\"metric_type\":\"%.*s\",\"type\":\"%.*s\",\"duration_minutes\":%lld,",
                    ARKA_FMT(r->args[0]), ARKA_FMT(r->args[0]), (long long)minutes);
    arka_buf_literal(b, "\"data\":[");
    arka_monitor_each(r->server->monitor, r->arrived_us - minutes * MINUTE_US, put_point, &all);
    arka_buf_printf(b, "],\"points_count\":%lld}", (long long)all.n);
    return ARKA_ANSWERED;
}
