/* What is asked, from the request; and the way of it into the pool. */
#include "server/query/query.h"

#include <strings.h>

#include "base/number.h"
#include "server/access/access.h"
#include "server/http/handlers.h"
#include "server/http/http.h"
#include "server/influx/influx.h"
#include "server/query/query_job.h"
#include "wire/json_request.h"

enum { ESTIMATE_MS = 30000, LONGEST_TIMEOUT_MS = 86400000 };

/* ---- into the pool ---- */

void arka_query_put_id(arka_request *r, const char *id)
{
    arka_answer_header(r, "X-Arc-Query-ID", "%s", id);
}

arka_query_reader arka_query_reader_of(const arka_request *r)
{
    return (arka_query_reader){
        .all = r->identity == NULL || arka_access_may(r, ARKA_MAY_ADMIN),
        .token_id = r->identity ? r->identity->token_id : 0,
    };
}

arka_query_begin arka_query_begin_of(const arka_request *r, const arka_query_ask *ask,
                                     arka_priority priority)
{
    return (arka_query_begin){
        .text = ask->select ? ask->select->measurement : ask->options.text,
        .database = ask->options.database,
        .token_name = arka_slice_of(r->identity ? r->identity->name : ""),
        .token_id = r->identity ? r->identity->token_id : 0,
        .priority = priority,
    };
}

/* How long it may run if its client does not say. */
static int64_t longest_of(const arka_request *r, const arka_query_ask *ask)
{
    int64_t ms = arka_server_settings(r->server)->query_timeout * 1000;
    return ask->what == ARKA_ASK_COUNT && ms > ESTIMATE_MS ? ESTIMATE_MS : ms;
}

/* How long it may take: as the server has it, or less if the client says so. */
static arka_status read_limit(const arka_request *r, const arka_query_ask *ask, int64_t *out_ms,
                              arka_error *err)
{
    uint64_t ms;
    arka_slice text = arka_request_header(r, "x-arc-timeout-ms");
    *out_ms = longest_of(r, ask);
    if (!arka_request_has_header(r, "x-arc-timeout-ms"))
        return ARKA_OK;
    if (text.len == 0 || !arka_parse_u64(text.data, text.len, &ms) || ms == 0 ||
        ms > LONGEST_TIMEOUT_MS)
        return arka_fail(err, ARKA_INPUT,
                         "x-arc-timeout-ms is not a whole number of milliseconds from 1 to %d",
                         LONGEST_TIMEOUT_MS);
    if ((int64_t)ms < *out_ms)
        *out_ms = (int64_t)ms;
    return ARKA_OK;
}

static bool asks_for(const arka_request *r, const char *header)
{
    arka_slice text = arka_request_header(r, header);
    return text.len == 4 && strncasecmp(text.data, "true", 4) == 0;
}

static char *copy_of(arka_slice text)
{
    return arka_strndup(text.len > 0 ? text.data : "", text.len);
}

static void stop_over(void *query)
{
    arka_query_over(query);
}

/* The texts become the job's own: it may outlive the request. */
static arka_status make_job(arka_request *r, const arka_query_ask *ask, arka_priority priority,
                            int64_t limit_ms, arka_query_job **out, arka_error *err)
{
    arka_query_job *q = arka_calloc(1, sizeof *q);
    if (q == NULL)
        return arka_fail_nomem(err, "a query", sizeof *q);
    q->server = r->server;
    q->request = r;
    q->ask = *ask;
    q->made = q->piece = q->kept = (arka_buf)ARKA_BUF_INIT;
    q->text = copy_of(ask->options.text);
    q->database = copy_of(ask->options.database);
    q->ask.options.text.data = q->text;
    q->ask.options.database.data = q->database;
    q->ask.options.visibility = arka_access_visibility(r);
    q->profile = asks_for(r, "x-arc-profile") && ask->options.format == ARKA_FORMAT_JSON &&
                 ask->what == ARKA_ASK_ROWS;
    q->limit_ms = limit_ms;
    q->arrived = r->arrived;
    q->deadline = (arka_mono){r->arrived.ns + limit_ms * 1000000};
    q->from_arrival = limit_ms < longest_of(r, ask);
    q->job = (arka_job){
        .run = arka_query_job_run,
        .drop = arka_query_job_drop,
        .free = arka_query_job_free,
        .over = stop_over,
        .priority = priority,
        .deadline = q->deadline,
        .label = q->id,
    };
    arka_status status = q->text != NULL && q->database != NULL
                             ? arka_stream_new(r->server, &q->stream, err)
                             : arka_fail_nomem(err, "a query", ask->options.text.len);
    if (status != ARKA_OK)
        arka_query_job_free(&q->job);
    else
        *out = q;
    return status;
}

/* Known to those who look for queries, and to those who look for clients that left. */
static arka_status enter(arka_request *r, arka_query_job *q, arka_error *err)
{
    arka_query_begin begin = arka_query_begin_of(r, &q->ask, q->job.priority);
    begin.cancel = arka_query_job_cancelled;
    begin.cancel_context = q;
    arka_running_enter(q->server->running, arka_stream_ticket(q->stream), r->fd,
                       arka_query_job_leave_queue, q);
    arka_status status =
        arka_query_registry_begin(q->server->query_registry, &begin, &q->entry, err);
    if (status != ARKA_OK) {
        arka_running_leave(q->server->running, arka_stream_ticket(q->stream));
        return status;
    }
    memcpy(q->id, arka_query_entry_id(q->entry), sizeof q->id);
    return ARKA_OK;
}

static arka_status submit(arka_request *r, const arka_query_ask *ask, arka_priority priority,
                          int64_t limit_ms, arka_error *err)
{
    arka_query_job *q;
    ARKA_TRY(make_job(r, ask, priority, limit_ms, &q, err));
    arka_status status = enter(r, q, err);
    if (status != ARKA_OK) {
        arka_query_job_free(&q->job);
        return status;
    }
    q->remember = ask->may_cache && q->server->result_cache != NULL && !q->profile;
    arka_http_detach(r);
    arka_error why = {0};
    if (arka_admission_submit(q->server->admission, &q->job, &why) != ARKA_OK) {
        arka_query_job_fail(q, &why);
        arka_query_job_free(&q->job);
        arka_http_give_back(r);
    }
    return ARKA_OK;
}

arka_handled arka_query_submit(arka_request *r, const arka_query_ask *ask)
{
    arka_error err = {0};
    arka_priority priority;
    arka_handled how;
    int64_t limit_ms;
    arka_count(&r->server->counters.queries, 1);
    arka_status status = arka_access_priority(r, &priority, &err);
    if (status == ARKA_OK)
        status = read_limit(r, ask, &limit_ms, &err);
    if (status == ARKA_OK && ask->may_cache && r->server->result_cache != NULL &&
        !asks_for(r, "x-arc-profile") && arka_query_answer_cached(r, ask, priority, &how))
        return how;
    if (status == ARKA_OK)
        status = submit(r, ask, priority, limit_ms, &err);
    if (status == ARKA_OK)
        return ARKA_DETACHED;
    arka_count(&r->server->counters.query_errors, 1);
    return arka_answer_fail(r, &err);
}

/* ---- what is asked ---- */

static arka_status read_encoding(const arka_request *r, arka_encode_options *out, arka_error *err)
{
    arka_slice compression = arka_request_header(r, "x-arc-arrow-compression");
    out->arrow_dictionary = asks_for(r, "x-arc-arrow-dictionary");
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

static arka_handled answer_sql(arka_request *r, arka_query_ask *ask)
{
    arka_error err = {0};
    arka_query_request request;
    if (read_query(r, &request, &ask->options, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    return arka_query_submit(r, ask);
}

arka_handled arka_handle_query(arka_request *r)
{
    arka_error err = {0};
    arka_query_request request;
    arka_query_ask ask = {.may_cache = true, .options.format = ARKA_FORMAT_JSON};
    /* a client of InfluxDB whose base address ends in /api/v1 */
    if (arka_influxql_asked(r))
        return arka_handle_influxql(r);
    if (read_query(r, &request, &ask.options, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    if (request.format.len == 0 || arka_slice_eq(request.format, ARKA_SLICE("json")))
        return arka_query_submit(r, &ask);
    if (!arka_slice_eq(request.format, ARKA_SLICE("csv")))
        return arka_answer_error(r, 400, "invalid", "format '%.*s' is not json or csv",
                                 request.format.len > 20 ? 20 : (int)request.format.len,
                                 request.format.data);
    ask.options.format = ARKA_FORMAT_CSV;
    ask.file_name = "query_result.csv";
    return arka_query_submit(r, &ask);
}

arka_handled arka_handle_query_arrow(arka_request *r)
{
    return answer_sql(r, &(arka_query_ask){.options.format = ARKA_FORMAT_ARROW});
}

arka_handled arka_handle_query_msgpack(arka_request *r)
{
    return answer_sql(r, &(arka_query_ask){.options.format = ARKA_FORMAT_MSGPACK});
}

arka_handled arka_handle_query_csv(arka_request *r)
{
    return answer_sql(
        r, &(arka_query_ask){.options.format = ARKA_FORMAT_CSV, .file_name = "query_result.csv"});
}

arka_handled arka_handle_query_estimate(arka_request *r)
{
    return answer_sql(r, &(arka_query_ask){.what = ARKA_ASK_COUNT});
}
