#include "server/http/answer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "server/server_priv.h"

/* What each failure means to a client: HTTP status, our slug, InfluxDB 2's word. */
static const struct {
    int http;
    const char *code, *influx2;
} MEANINGS[ARKA_N_STATUS] = {
    [ARKA_NOMEM] = {503, "unavailable", "unavailable"},
    [ARKA_IO] = {500, "internal", "internal error"},
    [ARKA_BUSY] = {503, "unavailable", "unavailable"},
    [ARKA_CONFLICT] = {409, "conflict", "conflict"},
    [ARKA_UNSURE] = {500, "internal", "internal error"},
    [ARKA_NOTFOUND] = {404, "not_found", "not found"},
    [ARKA_EXISTS] = {409, "conflict", "conflict"},
    [ARKA_INPUT] = {400, "invalid", "invalid"},
    [ARKA_FORBIDDEN] = {403, "forbidden", "forbidden"},
    [ARKA_LIMIT] = {413, "too_large", "request too large"},
    [ARKA_CANCELLED] = {504, "timeout", "unavailable"},
    [ARKA_CORRUPT] = {500, "internal", "internal error"},
    [ARKA_INTERNAL] = {500, "internal", "internal error"},
};

int arka_answer_status(arka_status code, arka_shape shape)
{
    if (code == ARKA_FORBIDDEN && shape == ARKA_SHAPE_QUERY)
        return 400; /* a statement that is not allowed is a bad request: no token would help */
    int http = (unsigned)code < ARKA_N_STATUS ? MEANINGS[code].http : 0;
    return http ? http : 500;
}

static const char *code_of(arka_status code, arka_shape shape)
{
    if (shape == ARKA_SHAPE_QUERY && code == ARKA_NOTFOUND)
        return "table_not_found";
    if (shape == ARKA_SHAPE_QUERY && code == ARKA_FORBIDDEN)
        return "forbidden_sql";
    if ((unsigned)code >= ARKA_N_STATUS || MEANINGS[code].http == 0)
        return "internal";
    return shape == ARKA_SHAPE_INFLUX2 ? MEANINGS[code].influx2 : MEANINGS[code].code;
}

/* InfluxDB 2's word for one of our slugs. */
static const char *influx2_of(const char *code)
{
    for (int i = 1; i < ARKA_N_STATUS; i++)
        if (strcmp(MEANINGS[i].code, code) == 0)
            return MEANINGS[i].influx2;
    return code;
}

void arka_answer_reset(arka_answer *answer)
{
    arka_buf_fini(&answer->body);
    *answer = (arka_answer){.body = ARKA_BUF_INIT};
}

void arka_answer_header(arka_request *r, const char *name, const char *format, ...)
{
    char value[600];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    arka_answer *a = &r->answer;
    if (n < 0 || a->n_headers == ARKA_ANSWER_HEADERS)
        return;
    for (char *at = value; *at != 0; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' '; /* a header ends at a line's end */
    const char *kept = arka_arena_strndup(&r->arena, value, strlen(value));
    if (kept == NULL)
        return;
    a->headers[a->n_headers].name = name;
    a->headers[a->n_headers++].value = kept;
}

arka_handled arka_answer_empty(arka_request *r)
{
    r->answer.status = 204;
    return ARKA_ANSWERED;
}

arka_buf *arka_answer_json(arka_request *r, int status)
{
    r->answer.status = status;
    r->answer.content_type = "application/json";
    return &r->answer.body;
}

static void put_error(arka_request *r, int status, const char *code, arka_slice text)
{
    bool query = r->route != NULL && r->route->shape == ARKA_SHAPE_QUERY;
    bool influx = r->route != NULL && r->route->shape >= ARKA_SHAPE_INFLUX;
    arka_answer_reset(&r->answer);
    arka_buf *b = arka_answer_json(r, status);
    arka_buf_literal(b, "{\"success\":false,\"error\":");
    size_t from = b->len;
    arka_json_string_repaired(b, text);
    size_t n = b->len - from; /* the quoted text stands three times */
    for (int i = 0; i < 2; i++) {
        arka_buf_text(b, i == 0 ? ",\"message\":" : ",\"detail\":");
        if (arka_buf_reserve(b, n) != NULL)
            arka_buf_append(b, b->data + from, n);
    }
    arka_buf_printf(b, ",\"code\":\"%s\"", code);
    if (query)
        arka_buf_literal(b, ",\"columns\":[],\"data\":[],\"row_count\":0");
    arka_buf_literal(b, "}");
    if (influx)
        arka_answer_header(r, "X-Influxdb-Error", "%.*s", ARKA_FMT(text));
    if (status == 503)
        arka_answer_header(r, "Retry-After", "1");
}

arka_handled arka_answer_error(arka_request *r, int status, const char *code, const char *format,
                               ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->route != NULL && r->route->shape == ARKA_SHAPE_INFLUX2)
        code = influx2_of(code);
    put_error(r, status, code, (arka_slice){text, n < 0 ? 0 : strnlen(text, sizeof text)});
    return ARKA_ANSWERED;
}

arka_handled arka_answer_fail(arka_request *r, const arka_error *err)
{
    arka_shape shape = r->route ? r->route->shape : ARKA_SHAPE_PLAIN;
    int status = arka_answer_status(err->code, shape);
    /* what is not the client's doing, and no passing overload, is for the operator to see */
    if (status == 500)
        arka_log_write(r->server->log, ARKA_ERROR, "request_failed", r->id, "%s %.*s: %s",
                       r->method_name, ARKA_FMT(r->path), err->msg);
    put_error(r, status, code_of(err->code, shape), arka_slice_of(err->msg));
    return ARKA_ANSWERED;
}
