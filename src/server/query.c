#include "server/query.h"

#include <errno.h>
#include <strings.h>

#include "base/json.h"
#include "server/handlers.h"
#include "server/influx.h"
#include "server/server_priv.h"
#include "server/stream.h"
#include "wire/json_request.h"

enum {
    HELD_BACK = 256 << 10, /* answers up to here are sent whole, with their length */
    ESTIMATE_MS = 30000,
};

/* ---- running ---- */

/* One query from start to end, on its worker. */
typedef struct run {
    arka_request *request; /* NULL once it was given back */
    arka_server *server;
    arka_stream *stream;
    arka_query *query;
    bool unseen; /* it did not run, for want of the rows that it must see */
    arka_buf piece;
} run;

static arka_status fill(run *q, size_t enough, bool *done, arka_error *err)
{
    while (!*done && q->piece.len < enough)
        ARKA_TRY(arka_query_next(q->query, &q->piece, done, err));
    return q->piece.failed ? arka_fail_nomem(err, "an answer", q->piece.cap) : ARKA_OK;
}

static void put_type(run *q, arka_format format, const char *file_name)
{
    arka_request *r = q->request;
    r->answer.status = 200;
    r->answer.content_type = arka_format_content_type(format);
    arka_answer_header(r, "X-Wait-Time-Ms", "%.3f",
                       arka_mono_since_ms(r->arrived) - arka_query_ms(q->query));
    arka_answer_header(r, "X-Arc-Snapshot-LSN", "%llu",
                       (unsigned long long)arka_query_snapshot_lsn(q->query));
    if (file_name != NULL)
        arka_answer_header(r, "Content-Disposition", "attachment; filename=%s", file_name);
}

static void send_whole(run *q)
{
    arka_request *r = q->request;
    arka_answer_header(r, "X-Row-Count", "%lld", (long long)arka_query_n_rows(q->query));
    arka_answer_header(r, "X-Execution-Time-Ms", "%.3f", arka_query_ms(q->query));
    r->answer.body = q->piece;
    q->piece = (arka_buf)ARKA_BUF_INIT;
}

/* The first bytes are on their way: from here on a failure can only break the connection off. */
static arka_status send_rest(run *q, arka_error *err)
{
    arka_stream_begin(q->stream, q->request, &q->piece);
    q->request = NULL;
    for (bool done = false; !done;) {
        arka_buf_clear(&q->piece);
        ARKA_TRY(fill(q, 1, &done, err));
        if (!arka_stream_push(q->stream, &q->piece)) {
            ARKA_TRY(arka_query_check(q->query, err));
            return arka_fail(err, ARKA_CANCELLED, "the client left");
        }
    }
    arka_stream_set_ms(q->stream, arka_query_ms(q->query));
    return ARKA_OK;
}

static arka_status run_query(run *q, const arka_query_options *options, const char *file_name,
                             arka_error *err)
{
    bool done = false;
    q->unseen = true;
    ARKA_TRY(
        arka_query_await_rows(q->request, arka_stream_ticket(q->stream), options->deadline, err));
    q->unseen = false;
    ARKA_TRY(arka_query_start(q->server->sql, options, &q->query, err));
    ARKA_TRY(fill(q, HELD_BACK, &done, err));
    put_type(q, options->format, file_name);
    if (!done)
        return send_rest(q, err);
    send_whole(q);
    return ARKA_OK;
}

/* Past its deadline, not given up by its client: in words that name the limit. */
static void name_the_deadline(arka_error *err, int64_t limit_ms)
{
    if (err->code != ARKA_CANCELLED || err->sys != ETIMEDOUT)
        return;
    *err = (arka_error){0};
    arka_fail(err, ARKA_CANCELLED, "the query ran longer than %lld s and was stopped",
              (long long)(limit_ms / 1000));
    err->sys = ETIMEDOUT;
}

static void note_start(void *context, arka_query *query)
{
    const run *q = context;
    arka_running_set_query(q->server->running, arka_stream_ticket(q->stream), query);
}

static arka_status run_watched(run *q, arka_query_options *options, const char *file_name,
                               arka_error *err)
{
    arka_server *server = q->server;
    arka_ticket *ticket = arka_stream_ticket(q->stream);
    int64_t limit_ms = server->settings->query_timeout * 1000;
    options->deadline = arka_mono_after_ms(limit_ms);
    options->on_start = note_start;
    options->on_start_context = q;
    arka_running_enter(server->running, ticket, q->request->fd);
    arka_status status = run_query(q, options, file_name, err);
    arka_running_set_query(server->running, ticket, NULL);
    arka_running_leave(server->running, ticket);
    arka_query_free(q->query);
    name_the_deadline(err, limit_ms);
    return status;
}

static arka_handled answer_failure(arka_request *r, bool unseen, const arka_error *err)
{
    if (unseen && err->code == ARKA_BUSY)
        return arka_answer_error(r, 503, "not_visible", "%s", err->msg);
    return arka_answer_fail(r, err);
}

static void count_failure(run *q, const arka_error *err)
{
    arka_count(&q->server->counters.query_errors, 1);
    if (q->request != NULL)
        answer_failure(q->request, q->unseen, err);
    else if (err->code != ARKA_CANCELLED || err->sys != 0) /* nobody wanted it any more */
        arka_log_write(q->server->log, ARKA_WARN, "query_broken_off", NULL, "%s", err->msg);
}

arka_handled arka_query_answer(arka_request *r, arka_query_options *options, const char *file_name)
{
    arka_error err = {0};
    run q = {.request = r, .server = r->server, .piece = ARKA_BUF_INIT};
    arka_query_options own = *options; /* the query may outlive the request: it has its own texts */
    char *text = arka_strndup(options->text.data, options->text.len);
    char *database = arka_strndup(options->database.data, options->database.len);
    own.text.data = text;
    own.database.data = database;
    arka_count(&r->server->counters.queries, 1);
    arka_status status = text != NULL && database != NULL
                             ? arka_stream_new(r->server, &q.stream, &err)
                             : arka_fail_nomem(&err, "a query", options->text.len);
    if (status == ARKA_OK)
        status = run_watched(&q, &own, file_name, &err);
    if (status != ARKA_OK)
        count_failure(&q, &err);
    if (q.request == NULL)
        arka_stream_end(q.stream, status == ARKA_OK);
    arka_stream_unref(q.stream);
    arka_buf_fini(&q.piece);
    arka_free(text);
    arka_free(database);
    return q.request ? ARKA_ANSWERED : ARKA_DETACHED;
}

/* ---- what is asked ---- */

static arka_status read_encoding(const arka_request *r, arka_encode_options *out, arka_error *err)
{
    arka_slice dictionary = arka_request_header(r, "x-arc-arrow-dictionary");
    arka_slice compression = arka_request_header(r, "x-arc-arrow-compression");
    out->arrow_dictionary = dictionary.len == 4 && strncasecmp(dictionary.data, "true", 4) == 0;
    if (compression.len == 0 || arka_slice_eq(compression, ARKA_SLICE("none")))
        out->arrow_compression = ARKA_ARROW_PLAIN;
    else if (compression.len == 4 && strncasecmp(compression.data, "zstd", 4) == 0)
        out->arrow_compression = ARKA_ARROW_ZSTD;
    else if (compression.len == 3 && strncasecmp(compression.data, "lz4", 3) == 0)
        out->arrow_compression = ARKA_ARROW_LZ4;
    else
        return arka_fail(err, ARKA_INPUT, "x-arc-arrow-compression '%.*s' is not zstd, lz4 or none",
                         compression.len > 20 ? 20 : (int)compression.len, compression.data);
    return ARKA_OK;
}

static arka_status read_query(arka_request *r, arka_query_request *request,
                              arka_query_options *options, arka_error *err)
{
    ARKA_TRY(arka_query_request_decode(r->body, &r->arena, request, err));
    ARKA_TRY(
        arka_request_database(r, request->database, &options->database, &options->scoped, err));
    options->scoped |= request->database.len > 0;
    options->text = request->sql;
    return read_encoding(r, &options->encode, err);
}

static arka_handled answer_sql(arka_request *r, arka_format format, const char *file_name)
{
    arka_error err = {0};
    arka_query_request request;
    arka_query_options options = {.format = format};
    if (read_query(r, &request, &options, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    return arka_query_answer(r, &options, file_name);
}

arka_handled arka_handle_query(arka_request *r)
{
    arka_error err = {0};
    arka_query_request request;
    arka_query_options options = {.format = ARKA_FORMAT_JSON};
    /* a client of InfluxDB whose base address ends in /api/v1 */
    if (arka_influxql_asked(r))
        return arka_handle_influxql(r);
    if (read_query(r, &request, &options, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    if (request.format.len == 0 || arka_slice_eq(request.format, ARKA_SLICE("json")))
        return arka_query_answer(r, &options, NULL);
    if (!arka_slice_eq(request.format, ARKA_SLICE("csv")))
        return arka_answer_error(r, 400, "invalid", "format '%.*s' is not json or csv",
                                 request.format.len > 20 ? 20 : (int)request.format.len,
                                 request.format.data);
    options.format = ARKA_FORMAT_CSV;
    return arka_query_answer(r, &options, "query_result.csv");
}

arka_handled arka_handle_query_arrow(arka_request *r)
{
    return answer_sql(r, ARKA_FORMAT_ARROW, NULL);
}

arka_handled arka_handle_query_msgpack(arka_request *r)
{
    return answer_sql(r, ARKA_FORMAT_MSGPACK, NULL);
}

arka_handled arka_handle_query_csv(arka_request *r)
{
    return answer_sql(r, ARKA_FORMAT_CSV, "query_result.csv");
}

/* ---- estimate ---- */

static void put_estimate(arka_request *r, int64_t n, double ms)
{
    const char *level = n > 1000000 ? "high" : n > 100000 ? "medium" : n > 10000 ? "low" : "none";
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_printf(b, "{\"success\":true,\"estimated_rows\":%lld,\"warning_level\":\"%s\",",
                    (long long)n, level);
    if (n > 10000)
        arka_buf_printf(b, "\"warning_message\":\"%lld rows: consider a LIMIT or a time range\",",
                        (long long)n);
    else
        arka_buf_literal(b, "\"warning_message\":null,");
    arka_buf_printf(b, "\"execution_time_ms\":%.3f,\"error\":null}", ms);
}

/* Counting runs as long as the query itself would: it is watched in the same way. */
typedef struct count {
    arka_running *running;
    arka_ticket ticket;
    bool unseen; /* as of a run */
} count;

static void note_count(void *context, arka_query *query)
{
    count *c = context;
    arka_running_set_query(c->running, &c->ticket, query);
}

static arka_status count_watched(arka_request *r, count *c, arka_query_options *options, int64_t *n,
                                 arka_error *err)
{
    options->deadline = arka_mono_after_ms(ESTIMATE_MS);
    options->on_start = note_count;
    options->on_start_context = c;
    arka_running_enter(c->running, &c->ticket, r->fd);
    arka_status status = arka_query_await_rows(r, &c->ticket, options->deadline, err);
    c->unseen = status != ARKA_OK;
    if (status == ARKA_OK)
        status = arka_query_estimate(r->server->sql, options, n, err);
    arka_running_leave(c->running, &c->ticket);
    return status;
}

arka_handled arka_handle_query_estimate(arka_request *r)
{
    arka_error err = {0};
    arka_query_request request;
    arka_query_options options = {.format = ARKA_FORMAT_JSON};
    arka_mono began = arka_mono_now();
    count c = {.running = r->server->running};
    int64_t n = 0;
    if (read_query(r, &request, &options, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_status status = count_watched(r, &c, &options, &n, &err);
    double ms = arka_mono_since_ms(began);
    if (status == ARKA_OK) {
        put_estimate(r, n, ms);
        return ARKA_ANSWERED;
    }
    /* what cannot be counted is an answer; what may not be asked, or not now, is an error */
    if (status != ARKA_NOTFOUND && status != ARKA_CANCELLED && status != ARKA_LIMIT)
        return answer_failure(r, c.unseen, &err);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"success\":false,\"estimated_rows\":null,\"warning_level\":\"error\","
                        "\"warning_message\":\"the count failed\",\"error\":");
    arka_json_string_repaired(b, arka_slice_of(err.msg));
    arka_buf_printf(b, ",\"execution_time_ms\":%.3f}", ms);
    return ARKA_ANSWERED;
}
