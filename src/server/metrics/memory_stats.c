/* GET /api/v1/metrics/memory: the process, the budget and its parts, how short memory is. */
#include <malloc.h>
#include <unistd.h>

#include "base/json.h"
#include "server/http/handlers.h"
#include "server/http/http.h"
#include "config/memory.h"
#include "server/server_priv.h"
#include "observe/text.h"

#define MIB (INT64_C(1) << 20)

/* All that the answer is made of, taken at about one instant. */
typedef struct view {
    const arka_settings *settings;
    arka_memory_limit machine;
    arka_process_usage process;
    arka_engine_stats engine;
    arka_sql_usage sql;
    bool sql_known;
    int64_t bodies;
} view;

static void look(arka_server *server, view *v)
{
    v->settings = server->settings;
    arka_memory_limit_get(&v->machine);
    arka_process_usage_get(&v->process);
    arka_engine_get_stats(server->engine, &v->engine);
    v->sql_known = arka_sql_get_usage(server->sql, &v->sql, NULL) == ARKA_OK;
    v->bodies = arka_http_body_bytes(server->http);
}

/* ---- numbers ---- */

static void put_mib(arka_buf *b, const char *name, int64_t bytes)
{
    arka_buf_printf(b, "\"%s\":", name);
    if (bytes >= 0)
        arka_json_f64(b, (double)(bytes >> 10) / 1024);
    else
        arka_buf_literal(b, "null");
}

static void put_count(arka_buf *b, const char *name, int64_t n)
{
    arka_buf_printf(b, n >= 0 ? ",\"%s\":%lld" : ",\"%s\":null", name, (long long)n);
}

static void put_percent(arka_buf *b, const char *name, double part, double whole)
{
    arka_buf_printf(b, ",\"%s\":", name);
    arka_json_f64(b, whole > 0 ? (double)(int64_t)(part * 1000 / whole) / 10 : 0);
}

/* Of one processor, since it was asked the last time, or since the start. */
static void put_cpu(arka_server *server, arka_buf *b)
{
    int64_t now = arka_mono_now().ns, cpu = arka_cpu_process_ns();
    /* relaxed: who asks at the same time gets a shorter or a longer time, no more */
    int64_t then = atomic_exchange_explicit(&server->asked_at_ns, now, memory_order_relaxed);
    int64_t used = atomic_exchange_explicit(&server->asked_cpu_ns, cpu, memory_order_relaxed);
    then = then ? then : server->started.ns;
    put_percent(b, "cpu_percent", (double)(cpu > used ? cpu - used : 0), (double)(now - then));
}

/* ---- groups ---- */

static void put_process(arka_server *server, const view *v, arka_buf *b)
{
    const arka_process_usage *p = &v->process;
    arka_buf_printf(b, "\"process\":{\"pid\":%ld", (long)getpid());
    put_percent(b, "memory_percent", (double)p->rss, (double)v->machine.bytes);
    arka_buf_byte(b, ',');
    put_mib(b, "rss_mb", p->rss);
    arka_buf_byte(b, ',');
    put_mib(b, "peak_rss_mb", p->peak_rss);
    arka_buf_byte(b, ',');
    put_mib(b, "anonymous_mb", p->anonymous);
    arka_buf_byte(b, ',');
    put_mib(b, "vms_mb", p->virtual_bytes);
    arka_buf_byte(b, ',');
    put_mib(b, "shared_mb", p->shared);
    put_count(b, "num_threads", p->n_threads);
    put_count(b, "num_fds", p->n_fds);
    put_cpu(server, b);
    arka_buf_byte(b, '}');
}

/* Of our own memory; DuckDB has an allocator of its own. */
static void put_allocator(arka_buf *b)
{
    struct mallinfo2 m = mallinfo2();
    arka_buf_literal(b, ",\"allocator\":{\"name\":\"glibc\",");
    put_mib(b, "held_mb", (int64_t)(m.arena + m.hblkhd));
    arka_buf_byte(b, ',');
    put_mib(b, "in_use_mb", (int64_t)(m.uordblks + m.hblkhd));
    arka_buf_byte(b, ',');
    put_mib(b, "free_mb", (int64_t)m.fordblks);
    arka_buf_byte(b, '}');
}

static void put_limit(const view *v, arka_buf *b)
{
    bool set = v->settings->source[ARKA_SETTING_memory_limit] != ARKA_FROM_DEFAULT;
    arka_buf_printf(b, ",\"limit\":{\"bytes\":%lld,\"from\":\"%s\",\"available_bytes\":%lld",
                    (long long)v->settings->memory_limit, set ? "memory.limit" : "available",
                    (long long)v->machine.bytes);
    arka_buf_literal(b, ",\"available_by\":");
    arka_json_string_repaired(b, arka_slice_of(v->machine.where));
    put_count(b, "available_used_bytes", arka_memory_limit_used(&v->machine));
    put_count(b, "machine_bytes", v->machine.physical);
    arka_buf_byte(b, '}');
}

static void put_part(arka_buf *b, const char *name, int64_t limit, int64_t used)
{
    arka_buf_printf(b, "\"%s\":{\"limit_bytes\":%lld", name, (long long)limit);
    put_count(b, "used_bytes", used);
    if (used >= 0)
        put_percent(b, "percent", (double)used, (double)limit);
    arka_buf_byte(b, '}');
}

static void put_parts(const view *v, arka_buf *b)
{
    const arka_settings *s = v->settings;
    int64_t bodies = s->max_body_memory_mb * MIB, queries = s->duckdb_memory;
    int64_t rows = v->engine.hot_bytes + v->engine.kept_bytes; /* unflushed; kept by readers */
    int64_t used = rows + v->bodies + v->sql.used;
    int64_t rest = v->process.anonymous - used;
    arka_buf_literal(b, ",\"parts\":{");
    put_part(b, "rows", v->engine.hot_limit_bytes, rows);
    arka_buf_byte(b, ',');
    put_part(b, "queries", queries, v->sql_known ? v->sql.used : -1);
    arka_buf_byte(b, ',');
    put_part(b, "request_bodies", bodies, v->bodies);
    arka_buf_byte(b, ',');
    put_part(b, "rest", s->memory_limit - v->engine.hot_limit_bytes - queries - bodies,
             v->process.anonymous < 0 || !v->sql_known ? -1
             : rest > 0                                ? rest
                                                       : 0);
    arka_buf_byte(b, ',');
    put_part(b, "statements", v->sql.max_statements, v->sql.statements);
    arka_buf_byte(b, '}');
    put_count(b, "spilled_bytes", v->sql_known ? v->sql.spilled : -1);
}

static void put_pressure(const view *v, arka_buf *b)
{
    static const char *const ZONES[] = {"green", "yellow", "red"};
    const arka_engine_stats *e = &v->engine;
    arka_buf_printf(b, ",\"zone\":\"%s\",\"delay_ms\":", ZONES[e->zone]);
    arka_json_f64(b, (double)e->delay_ns / 1e6);
    arka_buf_printf(b,
                    ",\"writes\":{\"delayed_now\":%lld,\"blocked_now\":%lld,\"delayed\":%lld,"
                    "\"blocked\":%lld,\"refused\":%lld}",
                    (long long)e->n_delayed, (long long)e->n_blocked,
                    (long long)e->requests_delayed, (long long)e->requests_blocked,
                    (long long)e->writes_refused);
}

/* ---- what to do ---- */

static void advise(arka_buf *b, bool *any, const char *text)
{
    arka_buf_printf(b, "%s\"%s\"", *any ? "," : "", text); /* nothing in it that JSON escapes */
    *any = true;
}

static void put_advice(const view *v, arka_buf *b)
{
    bool any = false;
    arka_buf_literal(b, ",\"recommendations\":[");
    if (v->engine.zone != ARKA_ZONE_GREEN)
        advise(b, &any,
               "memory for rows is short: write less, give it more (ingestion.hot_limit_mb, "
               "memory.limit), or see whether flushes fail");
    if (v->engine.writes_refused > 0)
        advise(b, &any, "writes were refused for want of memory since the start");
    if (v->sql.spilled > 0)
        advise(b, &any, "queries spill to the disk: duckdb.memory_limit would make them faster");
    if (v->process.anonymous > v->settings->memory_limit)
        advise(b, &any, "the process has more memory than memory.limit");
    if (v->machine.bytes < v->settings->memory_limit)
        advise(b, &any, "memory.limit is more than there is now: lower it and start again");
    arka_buf_byte(b, ']');
}

arka_handled arka_handle_metrics_memory(arka_request *r)
{
    view v;
    arka_buf *b = arka_answer_json(r, 200);
    look(r->server, &v);
    arka_buf_literal(b, "{\"timestamp\":");
    arka_text_json_time(b, r->arrived_us);
    arka_buf_byte(b, ',');
    put_process(r->server, &v, b);
    put_allocator(b);
    put_limit(&v, b);
    put_parts(&v, b);
    put_pressure(&v, b);
    put_advice(&v, b);
    arka_buf_byte(b, '}');
    return ARKA_ANSWERED;
}
