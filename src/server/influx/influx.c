/* InfluxDB 1's /query: what is asked, and its way through the pool of queries. */
#include "server/influx/influx.h"

#include <errno.h>
#include <strings.h>

#include "base/number.h"
#include "server/access/access.h"
#include "server/http/http.h"
#include "server/influx/influx_run.h"
#include "server/query/query.h"

enum { CHUNK_SIZE = 10000 };

/* ---- parameters ---- */

static bool is_form(const arka_request *r)
{
    static const char FORM[] = "application/x-www-form-urlencoded";
    arka_slice type = arka_request_header(r, "Content-Type");
    return type.len >= sizeof FORM - 1 && strncasecmp(type.data, FORM, sizeof FORM - 1) == 0;
}

/* A parameter of the form in the body; empty when absent or there is no form. */
static arka_status form_param(arka_request *r, const char *name, arka_slice *out, arka_error *err)
{
    arka_form form;
    *out = (arka_slice){"", 0};
    if (!is_form(r) || r->body.len == 0)
        return ARKA_OK;
    ARKA_TRY(arka_form_parse(r->body, &r->arena, &form, err));
    return arka_form_get(&form, name, out, err);
}

/* Of the query string, else of the form. */
static arka_status either_param(arka_request *r, const char *name, arka_slice *out, arka_error *err)
{
    ARKA_TRY(arka_request_param(r, name, out, err));
    return out->len > 0 ? ARKA_OK : form_param(r, name, out, err);
}

bool arka_influxql_asked(arka_request *r)
{
    arka_slice q;
    if (arka_request_param(r, "q", &q, NULL) == ARKA_OK && q.len > 0)
        return true;
    /* curl labels any body as a form: JSON is JSON all the same */
    size_t at = 0;
    while (at < r->body.len && strchr(" \t\r\n", r->body.data[at]) && r->body.data[at] != 0)
        at++;
    if (at < r->body.len && r->body.data[at] == '{')
        return false;
    return form_param(r, "q", &q, NULL) == ARKA_OK && q.len > 0;
}

static arka_status read_flag(arka_request *r, const char *name, bool *out, arka_error *err)
{
    arka_slice text;
    ARKA_TRY(either_param(r, name, &text, err));
    *out = text.len == 4 && strncasecmp(text.data, "true", 4) == 0;
    return ARKA_OK;
}

/* ---- what is asked ---- */

static arka_status read_shape(arka_request *r, arka_influx_out *out, arka_error *err)
{
    arka_slice size, accept = arka_request_header(r, "Accept");
    ARKA_TRY(read_flag(r, "pretty", &out->pretty, err));
    ARKA_TRY(read_flag(r, "chunked", &out->chunked, err));
    ARKA_TRY(either_param(r, "chunk_size", &size, err));
    out->chunk_size = CHUNK_SIZE;
    if (size.len > 0 &&
        (!arka_parse_i64(size.data, size.len, &out->chunk_size) || out->chunk_size <= 0))
        out->chunk_size = CHUNK_SIZE; /* as InfluxDB takes what is no number */
    out->csv = arka_slice_eq(accept, ARKA_SLICE("application/csv")) ||
               arka_slice_eq(accept, ARKA_SLICE("text/csv"));
    return ARKA_OK;
}

/* A copy: it outlives the request. */
static arka_status keep(arka_influx *q, arka_slice text, arka_slice *out, arka_error *err)
{
    out->data = arka_arena_text(&q->arena, text);
    out->len = text.len;
    return out->data ? ARKA_OK : arka_fail_nomem(err, "a query", text.len);
}

static arka_status read_database(arka_request *r, arka_influx *q, arka_error *err)
{
    arka_slice database;
    ARKA_TRY(either_param(r, "db", &database, err));
    if (database.len == 0)
        database = arka_request_header(r, "x-arc-database");
    if (database.len == 0)
        database = arka_slice_of(arka_server_settings(r->server)->database);
    return keep(q, database, &q->database, err);
}

static arka_status read_statements(arka_request *r, arka_influx *q, arka_error *err)
{
    arka_slice text, params;
    arka_influx_params bound = {0};
    ARKA_TRY(read_database(r, q, err));
    ARKA_TRY(read_shape(r, &q->out, err));
    ARKA_TRY(either_param(r, "q", &text, err));
    ARKA_TRY(either_param(r, "params", &params, err));
    if (text.len == 0)
        return arka_fail(err, ARKA_INPUT, "missing required parameter \"q\"");
    ARKA_TRY(keep(q, text, &text, err));
    arka_status status = arka_influx_read_params(params, &q->arena, &bound, err);
    if (status == ARKA_OK) {
        arka_influxql_params all = {bound.items, bound.n};
        status = arka_influxql_parse(text, &all, &q->arena, &q->statements, err);
    }
    arka_vec_fini(&bound);
    return status;
}

/* ---- what may be done ---- */

static bool is_allowed(const arka_request *r, const arka_influxql_statement *s, arka_rights rights)
{
    if (!arka_access_may(r, rights))
        return false;
    if (s->kind == ARKA_INFLUXQL_CREATE_DATABASE || s->kind == ARKA_INFLUXQL_DROP_DATABASE)
        return arka_access_all_of(r, s->name);
    return true;
}

static bool is_switched_off(const arka_request *r, const arka_influxql_statement *s)
{
    return (s->kind == ARKA_INFLUXQL_DROP_DATABASE || s->kind == ARKA_INFLUXQL_DROP_MEASUREMENT) &&
           !arka_server_settings(r->server)->delete_enabled;
}

/* Answers what cannot be run at all, before anything is. */
static bool refuse(arka_request *r, arka_influx *q)
{
    for (size_t i = 0; i < q->statements.n; i++) {
        const arka_influxql_statement *s = &q->statements.items[i];
        arka_influx_verb verb = arka_influx_verb_of(s->kind);
        if (!is_allowed(r, s, verb.rights)) {
            arka_access_refuse(r, verb.rights);
            return true;
        }
        if (r->method == ARKA_HEAD && verb.changes) {
            arka_answer_error(r, 405, "method_not_allowed", "HEAD changes nothing: use POST");
            arka_answer_header(r, "Allow", "GET, POST, OPTIONS");
            return true;
        }
        if (is_switched_off(r, s)) {
            arka_answer_error(r, 403, "forbidden",
                              "deleting is switched off on this server: delete.enabled is false");
            return true;
        }
        const char *why = arka_influx_unsupported(q, s);
        if (verb.run == NULL)
            why = arka_arena_printf(&q->arena,
                                    "this InfluxQL statement is not supported: %s; data is read "
                                    "with SQL, by POST /api/v1/query",
                                    arka_influxql_kind_words(s->kind));
        if (why != NULL) {
            arka_answer_error(r, 501, "not_implemented", "%s", why);
            return true;
        }
    }
    return false;
}

/* ---- the job ---- */

typedef struct influx_job {
    arka_job job; /* first: the pool's */
    arka_influx q;
    char id[ARKA_QUERY_ID];
    arka_query_entry *entry;
    int64_t limit_ms;
} influx_job;

static void stop(void *context)
{
    influx_job *j = context;
    arka_running_cancel(j->q.server->running, arka_stream_ticket(j->q.stream));
}

static void leave_queue(void *context)
{
    influx_job *j = context;
    arka_admission_cancel(j->q.server->admission, &j->job);
}

static void stop_over(void *query)
{
    arka_query_over(query);
}

static void put_head(influx_job *j)
{
    arka_request *r = j->q.request;
    r->answer.status = 200;
    r->answer.content_type = arka_influx_content_type(&j->q.out);
    arka_answer_header(r, "X-Arc-Query-ID", "%s", j->id);
}

/* The first bytes begin the stream. */
static bool push(void *context, arka_buf *piece)
{
    influx_job *j = context;
    if (j->q.request == NULL)
        return arka_stream_push(j->q.stream, piece);
    put_head(j);
    arka_admission_streams(j->q.server->admission, &j->job);
    arka_query_entry_stream(j->q.server->query_registry, j->entry);
    arka_stream_begin(j->q.stream, j->q.request, piece);
    j->q.request = NULL;
    return true;
}

static void leave(influx_job *j, const arka_error *err)
{
    arka_server *server = j->q.server;
    arka_query_end end = {.outcome = ARKA_QUERY_COMPLETED, .error = err->msg};
    if (err->code == ARKA_CANCELLED)
        end.outcome = err->sys == 0 ? ARKA_QUERY_CANCELLED : ARKA_QUERY_TIMED_OUT;
    else if (err->code != ARKA_OK)
        end.outcome = ARKA_QUERY_FAILED;
    if (err->code != ARKA_OK)
        arka_count(&server->counters.query_errors, 1);
    arka_running_leave(server->running, arka_stream_ticket(j->q.stream));
    arka_query_registry_end(server->query_registry, j->entry, &end);
    j->entry = NULL;
}

static void end_well(influx_job *j)
{
    arka_error none = {0};
    arka_request *r = j->q.request;
    arka_buf *rest = arka_influx_end(&j->q.out);
    if (r == NULL) {
        bool wanted = rest->len == 0 || arka_stream_push(j->q.stream, rest);
        leave(j, &none);
        arka_stream_end(j->q.stream, wanted);
        return;
    }
    put_head(j);
    r->answer.body = *rest;
    *rest = (arka_buf)ARKA_BUF_INIT;
    leave(j, &none);
    arka_http_give_back(arka_take(j->q.request));
}

static void end_badly(influx_job *j, arka_error *err)
{
    arka_request *r = arka_take(j->q.request);
    if (err->code == ARKA_CANCELLED && err->sys == ETIMEDOUT) {
        *err = (arka_error){0};
        arka_fail(err, ARKA_CANCELLED, "the query ran longer than %.6g s and was stopped",
                  (double)j->limit_ms / 1000);
        err->sys = ETIMEDOUT;
    }
    leave(j, err);
    if (r == NULL) {
        arka_stream_end(j->q.stream, false);
        return;
    }
    if (err->code == ARKA_CANCELLED && err->sys == 0)
        arka_answer_error(r, arka_server_stopping(j->q.server) ? 503 : 499, "cancelled", "%s",
                          err->msg);
    else
        arka_answer_fail(r, err);
    arka_http_give_back(r);
}

static arka_job_result run_job(arka_job *job)
{
    influx_job *j = (influx_job *)job;
    arka_error err = {0};
    arka_query_entry_start(j->q.server->query_registry, j->entry);
    arka_status status =
        arka_query_await_rows(j->q.request, arka_stream_ticket(j->q.stream), j->q.deadline, &err);
    if (status == ARKA_OK)
        status = arka_influx_check(&j->q, &err);
    if (status == ARKA_OK)
        status = arka_influx_run(&j->q, &err);
    if (status == ARKA_OK)
        end_well(j);
    else
        end_badly(j, &err);
    return status == ARKA_OK ? ARKA_JOB_ENDED : ARKA_JOB_FAILED;
}

static void drop_job(arka_job *job, arka_job_drop why)
{
    arka_error err = {0};
    arka_fail(&err, ARKA_CANCELLED, "the query was cancelled before it ran");
    err.sys = why == ARKA_DROP_LATE ? ETIMEDOUT : 0;
    end_badly((influx_job *)job, &err);
}

static void free_job(arka_job *job)
{
    influx_job *j = (influx_job *)job;
    arka_access_visibility_release(&j->q.visibility);
    arka_stream_unref(j->q.stream);
    arka_influx_out_fini(&j->q.out);
    arka_arena_fini(&j->q.arena);
    arka_free(j);
}

/* ---- into the pool ---- */

static arka_status enter(influx_job *j, arka_error *err)
{
    arka_request *r = j->q.request;
    arka_server *server = r->server;
    arka_slice text;
    arka_query_begin begin = {
        .database = j->q.database,
        .token_name = arka_slice_of(r->identity ? r->identity->name : ""),
        .token_id = r->identity ? r->identity->token_id : 0,
        .priority = j->job.priority,
        .cancel = stop,
        .cancel_context = j,
    };
    ARKA_TRY(either_param(r, "q", &text, err));
    begin.text = text;
    ARKA_TRY(arka_stream_new(server, &j->q.stream, err));
    arka_running_enter(server->running, arka_stream_ticket(j->q.stream), r->fd, leave_queue, j);
    arka_status status = arka_query_registry_begin(server->query_registry, &begin, &j->entry, err);
    if (status != ARKA_OK)
        arka_running_leave(server->running, arka_stream_ticket(j->q.stream));
    else
        memcpy(j->id, arka_query_entry_id(j->entry), sizeof j->id);
    return status;
}

static void prepare(influx_job *j, arka_request *r)
{
    j->q.server = r->server;
    j->q.request = r;
    j->q.job = &j->job;
    j->q.reads_only = r->method == ARKA_GET || r->method == ARKA_HEAD;
    j->q.now = r->arrived_us * 1000;
    j->q.visibility = arka_access_visibility(r);
    j->q.out.push = push;
    j->q.out.context = j;
    j->limit_ms = arka_server_settings(r->server)->query_timeout * 1000;
    j->q.deadline = (arka_mono){r->arrived.ns + j->limit_ms * 1000000};
    j->job.run = run_job;
    j->job.drop = drop_job;
    j->job.free = free_job;
    j->job.over = stop_over;
    j->job.deadline = j->q.deadline;
    j->job.label = j->id;
}

/* ARKA_OK: it is the pool's, or already answered by giving the request back. */
static arka_status submit(influx_job *j, arka_error *err)
{
    arka_request *r = j->q.request;
    arka_error why = {0};
    ARKA_TRY(arka_access_priority(r, &j->job.priority, err));
    ARKA_TRY(enter(j, err));
    arka_count(&r->server->counters.queries, 1);
    arka_http_detach(r);
    if (arka_admission_submit(r->server->admission, &j->job, &why) != ARKA_OK) {
        end_badly(j, &why);
        free_job(&j->job);
    }
    return ARKA_OK;
}

arka_handled arka_handle_influxql(arka_request *r)
{
    arka_error err = {0};
    influx_job *j = arka_calloc(1, sizeof *j);
    if (j == NULL) {
        arka_fail_nomem(&err, "a query", sizeof *j);
        return arka_answer_fail(r, &err);
    }
    prepare(j, r);
    arka_handled how = ARKA_ANSWERED;
    if (read_statements(r, &j->q, &err) != ARKA_OK)
        arka_answer_fail(r, &err);
    else if (j->q.statements.n == 0)
        arka_buf_literal(arka_answer_json(r, 200), "{}\n");
    else if (!refuse(r, &j->q) && submit(j, &err) == ARKA_OK)
        how = ARKA_DETACHED;
    else if (err.code != ARKA_OK)
        arka_answer_fail(r, &err);
    if (how == ARKA_ANSWERED)
        free_job(&j->job);
    return how;
}
