/* One query on a thread of the pool: run, sent whole or as a stream, and what is told of it after.
 */
#include <errno.h>

#include "base/json.h"
#include "server/access/access.h"
#include "server/http/http.h"
#include "server/query/query_job.h"

enum {
    HELD_BACK = 256 << 10, /* answers up to here are sent whole, with their length */
    LOGGED_TEXT = 1000,
};

/* ---- stopping ---- */

void arka_query_job_cancelled(void *context)
{
    arka_query_job *q = context;
    arka_running_cancel(q->server->running, arka_stream_ticket(q->stream));
}

void arka_query_job_leave_queue(void *context)
{
    arka_query_job *q = context;
    arka_admission_cancel(q->server->admission, &q->job);
}

static void note_start(void *context, arka_query *query)
{
    arka_query_job *q = context;
    arka_running_set_query(q->server->running, arka_stream_ticket(q->stream), query);
    arka_admission_aim(q->server->admission, &q->job, query);
}

/* ---- telling ---- */

static double ms_since_arrival(const arka_query_job *q)
{
    return arka_mono_since_ms(q->arrived);
}

static arka_slice text_of(const arka_query_job *q)
{
    return q->ask.options.text;
}

static void tell_slow(const arka_query_job *q, const char *what)
{
    const arka_settings *s = arka_server_settings(q->server);
    double ms = ms_since_arrival(q);
    arka_slice text = text_of(q);
    if (s->slow_query <= 0 || ms < (double)s->slow_query)
        return;
    arka_count(&q->server->counters.slow_queries, 1);
    arka_log_write_about(q->server->log, ARKA_WARN, "slow_query",
                         (arka_log_about){.query_id = q->id},
                         "%.1f ms (%.1f of them waiting), %lld rows, %lld bytes, %s: %.*s%s", ms,
                         (double)q->job.wait_ns / 1e6, (long long)q->n_rows, (long long)q->n_bytes,
                         what, text.len > LOGGED_TEXT ? LOGGED_TEXT : (int)text.len, text.data,
                         text.len > LOGGED_TEXT ? "…" : "");
}

/* It is in the history, and nobody looks for its client any more. */
static void leave(arka_query_job *q, arka_query_outcome outcome, const char *error)
{
    int64_t peak = arka_admission_peak_bytes(q->server->admission, &q->job);
    if (peak >= 0)
        arka_query_entry_note_memory(q->server->query_registry, q->entry, peak);
    arka_running_leave(q->server->running, arka_stream_ticket(q->stream));
    arka_query_end end = {outcome, false, q->n_rows, q->n_bytes, q->lsn, error};
    tell_slow(q, arka_query_outcome_text(outcome));
    arka_query_registry_end(q->server->query_registry, q->entry, &end);
    q->entry = NULL;
}

static arka_query_outcome outcome_of(const arka_query_job *q, const arka_error *err)
{
    if (err->code == ARKA_CANCELLED)
        return err->sys == 0 ? ARKA_QUERY_CANCELLED : ARKA_QUERY_TIMED_OUT;
    bool never_ran = q->unseen || q->job.wait_ns == 0;
    return err->code == ARKA_BUSY && never_ran ? ARKA_QUERY_REFUSED : ARKA_QUERY_FAILED;
}

/* What cannot be counted is an answer; what may not be asked, or not now, is an error. */
static bool is_answer(const arka_query_job *q, const arka_error *err)
{
    return q->ask.what == ARKA_ASK_COUNT &&
           (err->code == ARKA_NOTFOUND || err->code == ARKA_LIMIT ||
            (err->code == ARKA_CANCELLED && err->sys != 0));
}

static void put_uncounted(arka_query_job *q, const arka_error *err)
{
    arka_buf *b = arka_answer_json(q->request, 200);
    arka_buf_literal(b, "{\"success\":false,\"estimated_rows\":null,\"warning_level\":\"error\","
                        "\"warning_message\":\"the count failed\",\"error\":");
    arka_json_string_repaired(b, arka_slice_of(err->msg));
    arka_buf_printf(b, ",\"execution_time_ms\":%.3f}", ms_since_arrival(q));
}

static void put_failure(arka_query_job *q, const arka_error *err)
{
    arka_request *r = q->request;
    if (is_answer(q, err))
        put_uncounted(q, err);
    else if (q->unseen && err->code == ARKA_BUSY)
        arka_answer_error(r, 503, "not_visible", "%s", err->msg);
    else if (err->code == ARKA_CANCELLED && err->sys == 0 && arka_server_stopping(q->server))
        arka_answer_error(r, 503, "unavailable", "the server is stopping: %s", err->msg);
    else if (err->code == ARKA_CANCELLED && err->sys == 0)
        arka_answer_error(r, 499, "cancelled", "%s", err->msg);
    else
        arka_answer_fail(r, err);
    arka_query_put_id(r, q->id);
}

void arka_query_job_fail(arka_query_job *q, const arka_error *err)
{
    arka_query_outcome outcome = outcome_of(q, err);
    arka_count(&q->server->counters.query_errors, 1);
    if (outcome == ARKA_QUERY_TIMED_OUT)
        arka_count(&q->server->counters.query_timeouts, 1);
    if (outcome == ARKA_QUERY_CANCELLED)
        arka_count(&q->server->counters.queries_cancelled, 1);
    if (q->request != NULL)
        put_failure(q, err);
    else if (outcome != ARKA_QUERY_CANCELLED) /* else nobody wanted it any more */
        arka_log_write_about(q->server->log, ARKA_WARN, "query_broken_off",
                             (arka_log_about){.query_id = q->id}, "%s", err->msg);
    leave(q, outcome, err->msg);
}

/* Past its deadline, not given up by its client: in words that name the limit. */
static void name_the_deadline(const arka_query_job *q, arka_error *err)
{
    if (err->code != ARKA_CANCELLED || err->sys != ETIMEDOUT)
        return;
    *err = (arka_error){0};
    arka_fail(err, ARKA_CANCELLED, "the query ran longer than %.6g s and was stopped",
              (double)q->limit_ms / 1000);
    err->sys = ETIMEDOUT;
}

/* ---- the answer ---- */

static arka_status fill(arka_query_job *q, size_t enough, bool *done, arka_error *err)
{
    size_t from = q->piece.len;
    while (!*done && q->piece.len < enough)
        ARKA_TRY(arka_query_next(q->query, &q->piece, done, err));
    q->n_bytes += (int64_t)(q->piece.len - from);
    q->n_rows = arka_query_n_rows(q->query);
    return q->piece.failed ? arka_fail_nomem(err, "an answer", q->piece.cap) : ARKA_OK;
}

static void add_profile(arka_query_job *q)
{
    arka_query_profile p;
    arka_query_get_profile(q->query, &p);
    arka_query_add_members(
        &q->piece,
        "\"profile\":{\"total_ms\":%.3f,\"wait_ms\":%.3f,\"planner_ms\":%.3f,"
        "\"execution_ms\":%.3f,\"rows\":%lld,\"bytes\":%lld,\"tables\":%lld,\"files\":%lld,"
        "\"files_read\":%lld,\"hot_rows\":%lld,\"ran_alone\":%s}",
        ms_since_arrival(q), (double)q->job.wait_ns / 1e6, p.inspect_ms + p.plan_ms, p.execute_ms,
        (long long)q->n_rows, (long long)q->n_bytes, (long long)p.n_tables, (long long)p.n_files,
        (long long)p.n_files_read, (long long)p.n_hot_rows, q->job.alone ? "true" : "false");
}

/* What answers of reading without SQL have beside those of SQL. */
static void add_wait(arka_query_job *q)
{
    arka_query_add_members(&q->piece, "\"wait_time_ms\":%.3f", (double)q->job.wait_ns / 1e6);
}

static bool tells_wait(const arka_query_job *q)
{
    return q->ask.select != NULL && q->ask.options.format == ARKA_FORMAT_JSON;
}

static void put_type(arka_query_job *q)
{
    arka_request *r = q->request;
    r->answer.status = 200;
    r->answer.content_type = arka_format_content_type(q->ask.options.format);
    arka_query_put_id(r, q->id);
    arka_answer_header(r, "X-Wait-Time-Ms", "%.3f", ms_since_arrival(q) - arka_query_ms(q->query));
    arka_answer_header(r, "X-Arc-Snapshot-LSN", "%llu", (unsigned long long)q->lsn);
    if (q->ask.file_name != NULL)
        arka_answer_header(r, "Content-Disposition", "attachment; filename=%s", q->ask.file_name);
}

static void send_whole(arka_query_job *q)
{
    arka_request *r = q->request;
    arka_answer_header(r, "X-Row-Count", "%lld", (long long)q->n_rows);
    arka_answer_header(r, "X-Execution-Time-Ms", "%.3f", arka_query_ms(q->query));
    if (q->remember)
        arka_query_remember(q, (arka_slice){q->piece.data, q->piece.len},
                            arka_query_end_at(q->query), arka_query_n_columns(q->query));
    if (tells_wait(q))
        add_wait(q);
    if (q->profile)
        add_profile(q);
    r->answer.body = q->piece;
    q->piece = (arka_buf)ARKA_BUF_INIT;
}

/* The first bytes are on their way: from here on a failure can only break the connection off. */
static arka_status send_rest(arka_query_job *q, arka_error *err)
{
    arka_query_note_piece(q, (arka_slice){q->piece.data, q->piece.len}, false);
    arka_admission_streams(q->server->admission, &q->job);
    arka_query_entry_stream(q->server->query_registry, q->entry);
    arka_stream_begin(q->stream, q->request, &q->piece);
    q->request = NULL;
    for (bool done = false; !done;) {
        arka_buf_clear(&q->piece);
        ARKA_TRY(fill(q, 1, &done, err));
        arka_query_note_piece(q, (arka_slice){q->piece.data, q->piece.len}, done);
        arka_query_entry_progress(q->server->query_registry, q->entry, q->n_rows, q->n_bytes,
                                  q->lsn);
        if (done && tells_wait(q))
            add_wait(q);
        if (done && q->profile)
            add_profile(q);
        if (!arka_stream_push(q->stream, &q->piece)) {
            ARKA_TRY(arka_query_check(q->query, err));
            return arka_fail(err, ARKA_CANCELLED, "the client left");
        }
    }
    arka_stream_set_ms(q->stream, arka_query_ms(q->query));
    return ARKA_OK;
}

static arka_status send_rows(arka_query_job *q, arka_error *err)
{
    bool done = false;
    ARKA_TRY(arka_query_start(q->server->sql, &q->ask.options, &q->query, err));
    q->lsn = arka_query_snapshot_lsn(q->query);
    q->has_digest = arka_query_digest(q->query, q->digest);
    arka_query_entry_progress(q->server->query_registry, q->entry, 0, 0, q->lsn);
    ARKA_TRY(fill(q, HELD_BACK, &done, err));
    put_type(q);
    if (!done)
        return send_rest(q, err);
    send_whole(q);
    return ARKA_OK;
}

static arka_status send_count(arka_query_job *q, arka_error *err)
{
    int64_t n = 0;
    arka_mono began = arka_mono_now();
    ARKA_TRY(arka_query_estimate(q->server->sql, &q->ask.options, &n, err));
    const char *level = n > 1000000 ? "high" : n > 100000 ? "medium" : n > 10000 ? "low" : "none";
    arka_query_put_id(q->request, q->id);
    arka_buf *b = arka_answer_json(q->request, 200);
    arka_buf_printf(b, "{\"success\":true,\"estimated_rows\":%lld,\"warning_level\":\"%s\",",
                    (long long)n, level);
    if (n > 10000)
        arka_buf_printf(b, "\"warning_message\":\"%lld rows: consider a LIMIT or a time range\",",
                        (long long)n);
    else
        arka_buf_literal(b, "\"warning_message\":null,");
    arka_buf_printf(b, "\"execution_time_ms\":%.3f,\"error\":null}", arka_mono_since_ms(began));
    return ARKA_OK;
}

/* ---- running ---- */

static arka_status make_text(arka_query_job *q, arka_error *err)
{
    if (q->ask.select == NULL || q->made.len > 0)
        return ARKA_OK;
    ARKA_TRY(arka_select_to_sql(q->server->sql, q->ask.select, &q->made, err));
    if (q->made.failed)
        return arka_fail_nomem(err, "a query", q->made.cap);
    q->ask.options.text = (arka_slice){q->made.data, q->made.len};
    arka_query_entry_set_text(q->server->query_registry, q->entry, q->ask.options.text);
    return ARKA_OK;
}

static arka_status run_query(arka_query_job *q, arka_error *err)
{
    const arka_ticket *ticket = arka_stream_ticket(q->stream);
    if (arka_running_is_cancelled(q->server->running, ticket))
        return arka_fail(err, ARKA_CANCELLED, "the query was cancelled");
    q->unseen = true;
    ARKA_TRY(arka_query_await_rows(q->request, ticket, q->deadline, err));
    q->unseen = false;
    ARKA_TRY(make_text(q, err));
    q->ask.options.deadline = q->deadline;
    q->ask.options.on_start = note_start;
    q->ask.options.on_start_context = q;
    return q->ask.what == ARKA_ASK_COUNT ? send_count(q, err) : send_rows(q, err);
}

/* Nobody can stop it any more, because it goes. */
static void end_query(arka_query_job *q)
{
    if (q->query == NULL)
        return;
    note_start(q, NULL);
    arka_query_free(arka_take(q->query));
}

/* Others had what it lacked: it may have it all. Not when part of the answer is out. */
static bool may_run_alone(arka_query_job *q, arka_status status)
{
    return status == ARKA_LIMIT && q->request != NULL && !q->job.solitary &&
           arka_admission_had_company(q->server->admission, &q->job);
}

static void begin_again(arka_query_job *q)
{
    arka_buf_clear(&q->piece);
    arka_buf_clear(&q->kept);
    q->n_rows = q->n_bytes = 0;
    arka_count(&q->server->counters.queries_run_again, 1);
}

static void end_well(arka_query_job *q)
{
    arka_request *r = arka_take(q->request);
    arka_count(&q->server->counters.query_rows, q->n_rows);
    leave(q, ARKA_QUERY_COMPLETED, "");
    if (r == NULL) {
        arka_stream_end(q->stream, true);
    } else {
        note_start(q, NULL);
        arka_http_give_back(r); /* what the query had is freed while the answer is sent */
    }
    end_query(q);
}

static void end_badly(arka_query_job *q, const arka_error *err)
{
    end_query(q);
    arka_query_job_fail(q, err);
    if (q->request != NULL)
        arka_http_give_back(arka_take(q->request));
    else
        arka_stream_end(q->stream, false);
}

arka_job_result arka_query_job_run(arka_job *job)
{
    arka_query_job *q = (arka_query_job *)job;
    arka_error err = {0};
    arka_query_entry_start(q->server->query_registry, q->entry);
    if (!q->began && !q->from_arrival)
        q->deadline = arka_mono_after_ms(q->limit_ms);
    q->began = true;
    arka_status status = run_query(q, &err);
    if (status == ARKA_OK) {
        end_well(q);
        return ARKA_JOB_ENDED;
    }
    if (may_run_alone(q, status)) {
        end_query(q);
        begin_again(q);
        return ARKA_JOB_ALONE;
    }
    name_the_deadline(q, &err);
    end_badly(q, &err);
    return ARKA_JOB_FAILED;
}

void arka_query_job_drop(arka_job *job, arka_job_drop why)
{
    arka_query_job *q = (arka_query_job *)job;
    arka_error err = {0};
    if (why == ARKA_DROP_LATE) {
        arka_fail(&err, ARKA_CANCELLED,
                  "the query waited for its turn longer than the %.6g s that it may take",
                  (double)q->limit_ms / 1000);
        err.sys = ETIMEDOUT;
    } else {
        arka_fail(&err, ARKA_CANCELLED, "the query was cancelled before it ran");
    }
    arka_query_job_fail(q, &err);
    arka_http_give_back(arka_take(q->request));
}

void arka_query_job_free(arka_job *job)
{
    arka_query_job *q = (arka_query_job *)job;
    arka_access_visibility_release(&q->ask.options.visibility);
    arka_stream_unref(q->stream);
    arka_buf_fini(&q->made);
    arka_buf_fini(&q->piece);
    arka_query_let_go_kept(q);
    arka_free(q->text);
    arka_free(q->database);
    arka_free(q);
}
