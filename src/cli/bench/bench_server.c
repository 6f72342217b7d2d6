#include "cli/bench/bench_server.h"

#include "base/json.h"
#include "base/number.h"

enum { SLOW_MS = 600000 }; /* a count over a hundred million rows, a flush of gigabytes */

static bool fits_header(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return text[0] != 0;
}

arka_status arka_bench_server_init(arka_bench_server *s, const char *url, const char *token,
                                   const char *database, arka_error *err)
{
    *s = (arka_bench_server){.database = database, .headers = ARKA_BUF_INIT};
    if (!fits_header(database))
        return arka_fail(err, ARKA_INPUT,
                         "database '%.100s': expected printable ASCII without "
                         "blanks",
                         database);
    if (token != NULL && !fits_header(token))
        return arka_fail(err, ARKA_INPUT, "token: expected printable ASCII without blanks");
    ARKA_TRY(arka_http_target_resolve(url, &s->target, err));
    if (s->target.tls.on)
        return arka_fail(err, ARKA_INPUT, "URL '%.200s': the benchmarks speak http:// alone", url);
    arka_buf_printf(&s->headers, "x-arc-database: %s\r\n", database);
    if (token != NULL)
        arka_buf_printf(&s->headers, "Authorization: Bearer %s\r\n", token);
    if (arka_buf_cstr(&s->headers) == NULL)
        return arka_fail_nomem(err, "request headers", s->headers.len);
    return ARKA_OK;
}

void arka_bench_server_fini(arka_bench_server *s)
{
    arka_buf_fini(&s->headers);
}

void arka_bench_server_head(const arka_bench_server *s, const char *path, arka_buf *out)
{
    arka_buf_printf(out, "%s HTTP/1.1\r\nHost: %s\r\n%s", path, s->target.authority,
                    s->headers.data);
}

void arka_bench_server_body(const char *sql, bool csv, arka_buf *out)
{
    arka_buf_literal(out, "{\"sql\":");
    arka_json_string(out, arka_slice_of(sql));
    if (csv)
        arka_buf_literal(out, ",\"format\":\"csv\"");
    arka_buf_byte(out, '}');
}

/* Expects 200 or 204. */
static arka_status call(const arka_bench_server *s, const char *method, const char *path,
                        arka_slice body, arka_buf *answer, arka_error *err)
{
    arka_http_response r;
    arka_http_response_init(&r);
    r.sink = arka_http_sink_buf;
    r.sink_context = answer;
    arka_http_request request = {.method = method,
                                 .path = path,
                                 .headers = s->headers.data,
                                 .body = body,
                                 .timeout_ms = SLOW_MS};
    arka_status status = arka_http_call(&s->target, &request, &r, err);
    if (status == ARKA_OK && r.status != 200 && r.status != 204) {
        int n = answer->len < 300 ? (int)answer->len : 300;
        status = arka_fail(err, ARKA_IO, "%s %.60s answered %d: %.*s", method, path, r.status, n,
                           n ? answer->data : "");
    }
    arka_http_response_fini(&r);
    return status;
}

static arka_status post(const arka_bench_server *s, const char *path, arka_slice body,
                        arka_buf *answer, arka_error *err)
{
    return call(s, "POST", path, body, answer, err);
}

arka_status arka_bench_server_get(const arka_bench_server *s, const char *path, arka_buf *answer,
                                  arka_error *err)
{
    return call(s, "GET", path, (arka_slice){NULL, 0}, answer, err);
}

arka_status arka_bench_server_sql(const arka_bench_server *s, const char *sql, arka_buf *csv,
                                  arka_error *err)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_bench_server_body(sql, true, &body);
    arka_status status =
        body.failed ? arka_fail_nomem(err, "a query", body.len)
                    : post(s, "/api/v1/query", (arka_slice){body.data, body.len}, csv, err);
    arka_buf_fini(&body);
    if (status != ARKA_OK)
        arka_error_prefix(err, "query '%.120s': ", sql);
    return status;
}

bool arka_bench_server_read_integers(arka_slice csv, int64_t *out, int n)
{
    const char *end = csv.data + csv.len;
    const char *line = csv.len ? memchr(csv.data, '\n', csv.len) : NULL;
    const char *stop = line ? memchr(line + 1, '\n', (size_t)(end - line - 1)) : NULL;
    if (stop == NULL || stop + 1 != end)
        return false;
    if (stop[-1] == '\r')
        stop--;
    line++;
    for (int i = 0; i < n; i++) {
        const char *comma = memchr(line, ',', (size_t)(stop - line));
        const char *to = comma ? comma : stop;
        if ((i == n - 1) != (comma == NULL) || !arka_parse_i64(line, (size_t)(to - line), &out[i]))
            return false;
        line = to + 1;
    }
    return true;
}

arka_status arka_bench_server_integers(const arka_bench_server *s, const char *sql, int64_t *out,
                                       int n, arka_error *err)
{
    arka_buf csv = ARKA_BUF_INIT;
    arka_status status = arka_bench_server_sql(s, sql, &csv, err);
    if (status == ARKA_OK &&
        !arka_bench_server_read_integers((arka_slice){csv.data, csv.len}, out, n))
        status = arka_fail(err, ARKA_CORRUPT,
                           "query '%.120s': expected CSV of one row with %d integers, found '%.*s'",
                           sql, n, csv.len < 200 ? (int)csv.len : 200, csv.len ? csv.data : "");
    arka_buf_fini(&csv);
    return status;
}

arka_status arka_bench_server_flush(const arka_bench_server *s, const char *table, arka_error *err)
{
    arka_buf path = ARKA_BUF_INIT, answer = ARKA_BUF_INIT;
    arka_buf_printf(&path, "/api/v1/write/flush?database=%s&measurement=%s", s->database, table);
    const char *text = arka_buf_cstr(&path);
    arka_status status = text ? post(s, text, (arka_slice){NULL, 0}, &answer, err)
                              : arka_fail_nomem(err, "a path", path.len);
    arka_buf_fini(&path);
    arka_buf_fini(&answer);
    return status;
}
