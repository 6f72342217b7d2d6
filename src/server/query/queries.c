/* GET /api/v1/queries/…, DELETE of one, and the pool: who runs what. */
#include "base/json.h"
#include "observe/text.h"
#include "server/access/access.h"
#include "server/http/handlers.h"
#include "server/query/query.h"
#include "server/server_priv.h"

enum { STANDARD_LIMIT = 100, LARGEST_LIMIT = 100000 };

static const char *priority_text(arka_priority priority)
{
    static const char *const TEXT[ARKA_N_PRIORITIES] = {"low", "normal", "high", "critical"};
    return TEXT[priority];
}

/* ---- one query ---- */

static void put_time(arka_buf *b, const char *name, int64_t us)
{
    arka_buf_printf(b, ",\"%s\":", name);
    if (us > 0)
        arka_text_json_time(b, us);
    else
        arka_buf_literal(b, "null");
}

static void put_owner(arka_buf *b, const arka_query_info *i)
{
    arka_buf_literal(b, ",\"token\":");
    if (i->token_id == 0) {
        arka_buf_literal(b, "null");
        return;
    }
    arka_buf_printf(b, "{\"id\":%lld,\"name\":", (long long)i->token_id);
    arka_json_string_repaired(b, arka_slice_of(i->token_name));
    arka_buf_byte(b, '}');
}

static void put_query(arka_buf *b, const arka_query_info *i)
{
    arka_buf_printf(b, "{\"id\":\"%s\",\"state\":\"%s\",\"outcome\":", i->id,
                    arka_query_state_text(i->state));
    if (i->outcome == ARKA_QUERY_OPEN)
        arka_buf_literal(b, "null");
    else
        arka_buf_printf(b, "\"%s\"", arka_query_outcome_text(i->outcome));
    arka_buf_literal(b, ",\"sql\":");
    arka_json_string_repaired(b, arka_slice_of(i->text));
    arka_buf_printf(b, ",\"sql_cut\":%s,\"database\":", i->text_cut ? "true" : "false");
    arka_json_string_repaired(b, arka_slice_of(i->database));
    put_owner(b, i);
    arka_buf_printf(b, ",\"priority\":\"%s\"", priority_text(i->priority));
    put_time(b, "submitted_at", i->began_us);
    put_time(b, "started_at", i->started_us);
    put_time(b, "ended_at", i->ended_us);
    arka_buf_printf(b, ",\"wait_ms\":%.3f,\"run_ms\":%.3f,\"rows\":%lld,\"bytes\":%lld", i->wait_ms,
                    i->run_ms, (long long)i->n_rows, (long long)i->n_bytes);
    arka_buf_printf(b, ",\"cached\":%s,\"snapshot_lsn\":%llu,\"peak_memory_bytes\":",
                    i->cached ? "true" : "false", (unsigned long long)i->snapshot_lsn);
    if (i->peak_bytes >= 0)
        arka_json_i64(b, i->peak_bytes);
    else
        arka_buf_literal(b, "null");
    arka_buf_literal(b, ",\"error\":");
    if (i->error[0] != 0)
        arka_json_string_repaired(b, arka_slice_of(i->error));
    else
        arka_buf_literal(b, "null");
    arka_buf_byte(b, '}');
}

/* ---- lists ---- */

static arka_handled answer_list(arka_request *r, arka_query_which which)
{
    arka_error err = {0};
    arka_query_reader reader = arka_query_reader_of(r);
    arka_query_info *infos = NULL;
    int64_t limit = which == ARKA_QUERIES_ACTIVE ? LARGEST_LIMIT : STANDARD_LIMIT;
    size_t n = 0;
    arka_status status = arka_request_param_int(r, "limit", 1, LARGEST_LIMIT, &limit, &err);
    if (status == ARKA_OK)
        status = arka_query_registry_list(r->server->query_registry, which, &reader, (size_t)limit,
                                          &r->arena, &infos, &n, &err);
    if (status != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"success\":true,\"queries\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            arka_buf_byte(b, ',');
        put_query(b, &infos[i]);
    }
    arka_buf_printf(b, "],\"count\":%zu,\"timestamp\":", n);
    arka_text_json_time(b, arka_wall_us());
    arka_buf_byte(b, '}');
    return ARKA_ANSWERED;
}

arka_handled arka_handle_queries_active(arka_request *r)
{
    return answer_list(r, ARKA_QUERIES_ACTIVE);
}

arka_handled arka_handle_queries_history(arka_request *r)
{
    return answer_list(r, ARKA_QUERIES_HISTORY);
}

arka_handled arka_handle_queries_one(arka_request *r)
{
    arka_error err = {0};
    arka_query_reader reader = arka_query_reader_of(r);
    arka_query_info info;
    if (arka_query_registry_get(r->server->query_registry, r->args[0], &reader, &r->arena, &info,
                                &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"success\":true,\"query\":");
    put_query(b, &info);
    arka_buf_byte(b, '}');
    return ARKA_ANSWERED;
}

arka_handled arka_handle_queries_cancel(arka_request *r)
{
    arka_error err = {0};
    arka_query_reader reader = arka_query_reader_of(r);
    if (arka_query_registry_cancel(r->server->query_registry, r->args[0], &reader, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_printf(b,
                    "{\"success\":true,\"id\":\"%.*s\",\"message\":\"the query is being "
                    "cancelled\"}",
                    ARKA_FMT(r->args[0]));
    return ARKA_ANSWERED;
}

/* ---- the pool ---- */

static double average(double sum, int64_t n)
{
    return n > 0 ? sum / (double)n : 0;
}

static void put_pool(arka_buf *b, const arka_admission_stats *a, const arka_query_totals *t)
{
    arka_buf_printf(b,
                    "{\"pool_size\":%d,\"active_connections\":%d,\"idle_connections\":%d,"
                    "\"queue_depth\":%d,\"max_queue_size\":%d,\"total_queries_executed\":%lld,"
                    "\"total_queries_queued\":%lld,\"total_queries_failed\":%lld,"
                    "\"total_queries_timeout\":%lld,\"total_queries_refused\":%lld,"
                    "\"total_queries_cancelled\":%lld,\"total_queries_run_alone\":%lld,"
                    "\"total_queries_over_memory\":%lld,\"total_queries_cached\":%lld",
                    a->n_threads, a->n_running, a->n_threads - a->n_running, a->n_waiting,
                    a->max_waiting, (long long)a->n_run, (long long)a->n_waited,
                    (long long)a->n_failed, (long long)t->timed_out, (long long)a->n_refused,
                    (long long)t->cancelled, (long long)a->n_alone, (long long)a->n_over,
                    (long long)t->cached);
    arka_buf_printf(b,
                    ",\"avg_wait_time_ms\":%.3f,\"avg_execution_time_ms\":%.3f,\"waiting\":{"
                    "\"critical\":%d,\"high\":%d,\"normal\":%d,\"low\":%d}",
                    average((double)a->wait_ns / 1e6, a->n_run),
                    average((double)a->run_ns / 1e6, a->n_run), a->waiting[ARKA_PRIORITY_CRITICAL],
                    a->waiting[ARKA_PRIORITY_HIGH], a->waiting[ARKA_PRIORITY_NORMAL],
                    a->waiting[ARKA_PRIORITY_LOW]);
    arka_buf_printf(b,
                    ",\"memory\":{\"used_bytes\":%lld,\"limit_bytes\":%lld,"
                    "\"query_limit_bytes\":%lld,\"held_back\":%s},\"timestamp\":",
                    (long long)a->memory_used, (long long)a->memory_limit, (long long)a->one_memory,
                    a->held_back ? "true" : "false");
    arka_text_json_time(b, arka_wall_us());
    arka_buf_byte(b, '}');
}

/* What a thread runs, if the reader may see it. */
static void put_current(arka_request *r, arka_buf *b, const char *id)
{
    arka_query_reader reader = arka_query_reader_of(r);
    arka_query_info info;
    bool known = id[0] != 0 && arka_query_registry_get(r->server->query_registry, arka_slice_of(id),
                                                       &reader, &r->arena, &info, NULL) == ARKA_OK;
    arka_buf_literal(b, ",\"current_query\":");
    if (known)
        arka_json_string_repaired(b, arka_slice_of(info.text));
    else
        arka_buf_literal(b, "null");
    arka_buf_literal(b, ",\"current_query_id\":");
    if (known)
        arka_buf_printf(b, "\"%s\"", id);
    else
        arka_buf_literal(b, "null");
}

static void put_connection(arka_request *r, arka_buf *b, int i)
{
    arka_admission_thread t;
    arka_admission_get_thread(r->server->admission, i, &t);
    arka_buf_printf(b,
                    "{\"connection_id\":%d,\"is_healthy\":true,\"total_queries\":%lld,"
                    "\"failed_queries\":%lld,\"avg_execution_time_ms\":%.3f",
                    i, (long long)t.n_run, (long long)t.n_failed,
                    average((double)t.run_ns / 1e6, t.n_run));
    put_time(b, "last_used", t.last_us);
    put_current(r, b, t.current);
    arka_buf_byte(b, '}');
}

arka_handled arka_handle_metrics_query_pool(arka_request *r)
{
    arka_admission_stats pool;
    arka_query_totals totals;
    arka_admission_get_stats(r->server->admission, &pool);
    arka_query_registry_get_totals(r->server->query_registry, &totals);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"timestamp\":");
    arka_text_json_time(b, arka_wall_us());
    arka_buf_literal(b, ",\"pool\":");
    put_pool(b, &pool, &totals);
    arka_buf_literal(b, ",\"connections\":[");
    for (int i = 0; i < pool.n_threads; i++) {
        if (i > 0)
            arka_buf_byte(b, ',');
        put_connection(r, b, i);
    }
    arka_buf_literal(b, "]}");
    return ARKA_ANSWERED;
}
