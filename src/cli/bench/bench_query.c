#include "cli/bench/bench_query.h"

#include <stdio.h>

#include "base/civil.h"
#include "base/number.h"
#include "os/clock.h"

enum { MIN_RUNS = 3, SQL_MAX = 600, MARK_DIGITS = 9, MAX_ANSWER = 1 << 30, SLOW_MS = 600000 };

enum { JSON = 1 << ARKA_ANSWER_JSON, ALL = (1 << ARKA_N_ANSWER_FORMATS) - 1 };

/* $t is the table, $a and $b an hour's begin and end in its middle. */
typedef struct query {
    const char *name;
    int formats;    /* bits */
    int64_t n_rows; /* that it must have; 0: at least one; limited by the table's rows if more */
    const char *sql;
    bool same_text;    /* every run has the same one: the server may remember its answer */
    int n_connections; /* 0: as the options say */
} query;

#define HOSTS "SELECT host, count(*) AS n, avg(value) AS mean FROM $t GROUP BY host ORDER BY host"

static const query QUERIES[] = {
    {.name = "trivial", .formats = JSON, .n_rows = 1, .sql = "SELECT 1 AS one"},
    {.name = "cached",
     .formats = JSON,
     .sql = "SELECT host, count(*) AS n FROM $t GROUP BY host ORDER BY host",
     .same_text = true},
    {.name = "concurrent-1", .formats = JSON, .sql = HOSTS, .n_connections = 1},
    {.name = "concurrent-10", .formats = JSON, .sql = HOSTS, .n_connections = 10},
    {.name = "count", .formats = JSON, .n_rows = 1, .sql = "SELECT count(*) AS n FROM $t"},
    {.name = "buckets",
     .formats = JSON,
     .sql = "SELECT time_bucket(INTERVAL '1 hour', time) AS bucket, avg(value) AS mean, "
            "max(cpu_user) AS top FROM $t GROUP BY bucket ORDER BY bucket"},
    {.name = "hosts", .formats = JSON, .sql = HOSTS},
    {.name = "last",
     .formats = JSON,
     .sql = "SELECT host, max(time) AS at, arg_max(value, time) AS value FROM $t GROUP BY host "
            "ORDER BY host"},
    {.name = "hour",
     .formats = JSON,
     .sql = "SELECT host, avg(cpu_idle) AS idle FROM $t WHERE time >= '$a' AND time < '$b' "
            "GROUP BY host ORDER BY host"},
    {.name = "rows-10k", .formats = ALL, .n_rows = 10000, .sql = "SELECT * FROM $t LIMIT 10000"},
    {.name = "rows-100k", .formats = ALL, .n_rows = 100000, .sql = "SELECT * FROM $t LIMIT 100000"},
    {.name = "rows-1m", .formats = ALL, .n_rows = 1000000, .sql = "SELECT * FROM $t LIMIT 1000000"},
};

static const char *const PATHS[ARKA_N_ANSWER_FORMATS] = {
    "/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/msgpack", "/api/v1/query/stream"};

/* The table as it is. */
typedef struct table {
    int64_t n_rows, n_files; /* n_files -1: unknown */
    char from[ARKA_TIME_TEXT], to[ARKA_TIME_TEXT];
} table;

/* One query's runs. */
typedef struct runs {
    const arka_bench_query_options *options;
    arka_buf *requests; /* one a connection, its run number replaced in place */
    size_t mark_at;     /* of the run number; 0: none */
    int64_t n_begun;
    arka_mono begun, now;
    arka_bench_query_result *result;
} runs;

/* The column file_count of the table's line in SHOW TABLES; -1 when it is not there. */
static int64_t count_files(const arka_bench_query_options *o)
{
    arka_buf csv = ARKA_BUF_INIT;
    char start[2 * SQL_MAX];
    int64_t n = -1;
    int n_start = snprintf(start, sizeof start, "\n%s,%s,", o->server->database, o->table);
    /* a server that does not tell is no error of the bench */
    bool told = arka_bench_server_sql(o->server, "SHOW TABLES", &csv, NULL) == ARKA_OK &&
                csv.len > 0 && n_start > 0 && (size_t)n_start < sizeof start;
    const char *line = told ? memmem(csv.data, csv.len, start, (size_t)n_start) : NULL;
    const char *path = line != NULL ? line + n_start : NULL;
    const char *end = csv.data + csv.len;
    const char *count = path != NULL ? memchr(path, ',', (size_t)(end - path)) : NULL;
    const char *stop = count != NULL ? memchr(count + 1, ',', (size_t)(end - count - 1)) : NULL;
    if (stop == NULL || !arka_parse_i64(count + 1, (size_t)(stop - count - 1), &n))
        n = -1;
    arka_buf_fini(&csv);
    return n;
}

static arka_status look_at_table(const arka_bench_query_options *o, table *t, arka_error *err)
{
    char sql[SQL_MAX];
    int64_t found[3];
    snprintf(sql, sizeof sql,
             "SELECT count(*), coalesce(epoch_us(min(time)), 0), coalesce(epoch_us(max(time)), 0) "
             "FROM %s",
             o->table);
    ARKA_TRY(arka_bench_server_integers(o->server, sql, found, 3, err));
    if (found[0] == 0)
        return arka_fail(err, ARKA_NOTFOUND, "table %s has no rows", o->table);
    int64_t middle = arka_floor_div(found[1] + (found[2] - found[1]) / 2, ARKA_US_PER_HOUR);
    t->n_rows = found[0];
    t->n_files = count_files(o);
    t->from[arka_format_time(t->from, middle * ARKA_US_PER_HOUR)] = 0;
    t->to[arka_format_time(t->to, (middle + 1) * ARKA_US_PER_HOUR)] = 0;
    return ARKA_OK;
}

static void fill_in(arka_buf *out, const char *sql, const char *name, const table *t)
{
    for (; *sql != 0; sql++) {
        if (*sql != '$') {
            arka_buf_byte(out, *sql);
            continue;
        }
        sql++;
        arka_buf_text(out, *sql == 't' ? name : *sql == 'a' ? t->from : t->to);
    }
}

/* The whole request, "/" "* 000000000 *" "/" behind the SQL for the number of the run. */
static arka_status build_request(const arka_bench_query_options *o, const query *q,
                                 arka_answer_format format, const table *t, arka_buf *out,
                                 size_t *mark_at, arka_error *err)
{
    static const char mark[] = " /* 000000000 */";
    arka_buf sql = ARKA_BUF_INIT, body = ARKA_BUF_INIT;
    fill_in(&sql, q->sql, o->table, t);
    if (!o->same_text && !q->same_text)
        arka_buf_text(&sql, mark);
    const char *text = arka_buf_cstr(&sql);
    if (text != NULL)
        arka_bench_server_body(text, false, &body);
    arka_buf_literal(out, "POST ");
    arka_bench_server_head(o->server, PATHS[format], out);
    arka_buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.len);
    arka_buf_append(out, body.data, body.len);
    bool failed = text == NULL || body.failed || out->failed;
    arka_buf_fini(&sql);
    arka_buf_fini(&body);
    if (failed)
        return arka_fail_nomem(err, "a query", out->len);
    const char *at = memmem(out->data, out->len, mark, sizeof mark - 1);
    *mark_at = at != NULL ? (size_t)(at - out->data) + 4 : 0;
    return ARKA_OK;
}

static bool next_run(void *context, int connection, arka_bench_request *out)
{
    runs *r = context;
    bool late = (double)(r->now.ns - r->begun.ns) >= r->options->seconds * 1e9;
    if ((late && r->n_begun >= MIN_RUNS) || r->result->n_failed > 0)
        return false;
    r->n_begun++;
    arka_buf *request = &r->requests[connection];
    if (r->mark_at != 0) {
        char digits[24];
        snprintf(digits, sizeof digits, "%0*lld", MARK_DIGITS,
                 (long long)(r->n_begun % 1000000000));
        memcpy(request->data + r->mark_at, digits, MARK_DIGITS);
    }
    *out = (arka_bench_request){.bytes = request->data, .n_bytes = request->len};
    return true;
}

static int run_done(void *context, int connection, const arka_bench_request *request,
                    const arka_bench_reply *reply)
{
    runs *r = context;
    arka_bench_query_result *result = r->result;
    r->now = reply->at;
    if (reply->status == 200) {
        result->n_runs++;
        arka_histogram_record(&result->latency, reply->latency_ns);
        return 0;
    }
    result->n_failed++;
    snprintf(result->first_error, sizeof result->first_error, "%d: %.*s", reply->status,
             reply->text.len > 500 ? 500 : (int)reply->text.len, reply->text.data);
    return 0;
}

static void look_at_server(void *context)
{
    runs *r = context;
    arka_bench_process_sample(r->options->process);
}

static arka_status time_runs(runs *r, arka_error *err)
{
    const arka_bench_query_options *o = r->options;
    arka_bench_loop_options loop = {.target = &o->server->target,
                                    .n_connections = o->n_connections,
                                    .reply_timeout_ms = SLOW_MS,
                                    .stop = o->stop};
    arka_bench_source source = {
        .context = r, .next = next_run, .done = run_done, .tick = look_at_server};
    int64_t cpu_ns = arka_bench_process_cpu_ns(o->process);
    r->begun = r->now = arka_mono_now();
    ARKA_TRY(arka_bench_loop_run(&loop, &source, err));
    r->result->seconds = (double)(r->now.ns - r->begun.ns) / 1e9;
    r->result->server_cpu_ns = arka_bench_process_cpu_ns(o->process) - cpu_ns;
    return ARKA_OK;
}

static arka_status keep_answer(void *context, const char *bytes, size_t n, arka_error *err)
{
    arka_buf *answer = context;
    if (answer->len + n > MAX_ANSWER)
        return arka_fail(err, ARKA_LIMIT, "answer over %d bytes", MAX_ANSWER);
    arka_buf_append(answer, bytes, n);
    return answer->failed ? arka_fail_nomem(err, "an answer", answer->len + n) : ARKA_OK;
}

/* The answer whole, before the clock starts: it warms up, and its rows are counted. */
static arka_status try_once(const arka_bench_query_options *o, const query *q, const table *t,
                            arka_slice request, arka_bench_query_result *result, arka_error *err)
{
    const char *body = memmem(request.data, request.len, "\r\n\r\n", 4);
    arka_buf answer = ARKA_BUF_INIT;
    arka_http_response r;
    arka_http_response_init(&r);
    r.sink = keep_answer;
    r.sink_context = &answer;
    arka_http_request call = {.method = "POST",
                              .path = PATHS[result->format],
                              .headers = o->server->headers.data,
                              .body = {body + 4, request.len - (size_t)(body + 4 - request.data)},
                              .timeout_ms = SLOW_MS};
    arka_status status = arka_http_call(&o->server->target, &call, &r, err);
    if (status == ARKA_OK && r.status != 200)
        status = arka_fail(err, ARKA_CORRUPT, "%d: %.*s", r.status,
                           answer.len < 300 ? (int)answer.len : 300, answer.len ? answer.data : "");
    if (status == ARKA_OK)
        status = arka_answer_count_rows(result->format, (arka_slice){answer.data, answer.len},
                                        &result->n_rows, err);
    result->n_bytes = (int64_t)answer.len;
    int64_t expected = q->n_rows < t->n_rows ? q->n_rows : t->n_rows;
    if (status == ARKA_OK && (expected ? result->n_rows != expected : result->n_rows == 0))
        status =
            arka_fail(err, ARKA_CORRUPT, "%lld rows, expected %lld%s", (long long)result->n_rows,
                      (long long)(expected ? expected : 1), expected ? "" : " or more");
    arka_http_response_fini(&r);
    arka_buf_fini(&answer);
    return status;
}

static arka_status build_requests(runs *r, const query *q, const table *t, arka_error *err)
{
    size_t n = (size_t)r->options->n_connections;
    r->requests = arka_calloc(n, sizeof *r->requests);
    if (r->requests == NULL)
        return arka_fail_nomem(err, "queries", n * sizeof *r->requests);
    for (size_t i = 0; i < n; i++)
        ARKA_TRY(
            build_request(r->options, q, r->result->format, t, &r->requests[i], &r->mark_at, err));
    return ARKA_OK;
}

/* A query that answers wrongly is a result; only the want of memory or of a server ends the set. */
static arka_status run_query(const arka_bench_query_options *o, const query *q, const table *t,
                             arka_bench_query_result *result, arka_error *err)
{
    runs r = {.options = o, .result = result};
    arka_error wrong = {0};
    arka_status status = build_requests(&r, q, t, err);
    if (status == ARKA_OK) {
        arka_slice request = {r.requests[0].data, r.requests[0].len};
        arka_status once = try_once(o, q, t, request, result, &wrong);
        if (once == ARKA_IO || once == ARKA_NOMEM) {
            status = arka_fail(err, once, "%s", wrong.msg);
        } else if (once != ARKA_OK) {
            result->n_failed++;
            snprintf(result->first_error, sizeof result->first_error, "%s", wrong.msg);
        } else {
            status = time_runs(&r, err);
        }
    }
    for (int i = 0; r.requests != NULL && i < o->n_connections; i++)
        arka_buf_fini(&r.requests[i]);
    arka_free(r.requests);
    return status;
}

arka_status arka_bench_query_set(const arka_bench_query_options *options, const char *phase,
                                 int *n_failed, arka_error *err)
{
    table t;
    ARKA_TRY(look_at_table(options, &t, err));
    arka_bench_report_query_head(stdout, options->json, options->table, t.n_rows, t.n_files);
    for (size_t i = 0; i < sizeof QUERIES / sizeof *QUERIES; i++) {
        const query *q = &QUERIES[i];
        arka_bench_query_options own = *options;
        if (options->only != NULL && strstr(q->name, options->only) == NULL)
            continue;
        if (q->n_connections > 0)
            own.n_connections = q->n_connections;
        for (int format = 0; format < ARKA_N_ANSWER_FORMATS; format++) {
            if (!(q->formats >> format & 1) ||
                atomic_load_explicit(options->stop, memory_order_relaxed))
                continue;
            arka_bench_query_result result = {.phase = phase,
                                              .name = q->name,
                                              .n_files = t.n_files,
                                              .format = (arka_answer_format)format,
                                              .n_connections = own.n_connections};
            ARKA_TRY(run_query(&own, q, &t, &result, err));
            arka_bench_report_query(stdout, options->json, &result);
            *n_failed += result.n_failed > 0;
        }
    }
    return ARKA_OK;
}
