#include "server/http/reply.h"

#include <stdio.h>
#include <sys/socket.h>

#include "observe/text.h"
#include "server/server_priv.h"
#include "server/http/stream.h"
#include "server/http/tls.h"

/* Where a header goes: the library's response, or the text of an answer that is sent beside it. */
typedef struct target {
    struct MHD_Response *response;
    arka_buf *text;
} target;

static void put(const target *to, const char *name, const char *value)
{
    if (to->text != NULL)
        arka_buf_printf(to->text, "%s: %s\r\n", name, value);
    else
        ARKA_IGNORE(MHD_add_response_header(to->response, name, value) == MHD_NO);
}

/* Is `origin` in the comma list of those that may call? */
static bool origin_allowed(const char *list, arka_slice origin)
{
    while (*list != 0) {
        while (*list == ' ' || *list == ',')
            list++;
        size_t n = strcspn(list, ","), word = n;
        while (word > 0 && list[word - 1] == ' ')
            word--;
        if (arka_slice_eq((arka_slice){list, word}, origin) || (word == 1 && *list == '*'))
            return true;
        list += n;
    }
    return false;
}

static void put_cors(arka_request *r, const target *to)
{
    const char *allowed = r->server->settings->cors_origins;
    arka_slice origin = arka_request_header(r, "Origin");
    bool all = strcmp(allowed, "*") == 0;
    if (!all && *allowed != 0)
        put(to, "Vary", "Origin"); /* even without one: a cache may give this to others */
    if (origin.len == 0 || !origin_allowed(allowed, origin))
        return;
    const char *named = all ? "*" : arka_arena_text(&r->arena, origin);
    if (named == NULL)
        return;
    put(to, "Access-Control-Allow-Origin", named);
    put(to, "Access-Control-Expose-Headers",
        "X-Request-ID, X-Row-Count, X-Execution-Time-Ms, X-Arc-Rejected, X-Arc-LSN, "
        "X-Arc-Durability, X-Arc-Repeated, X-Arc-Snapshot-LSN, X-Arc-Query-ID, "
        "X-Wait-Time-Ms, Retry-After");
    if (r->method != ARKA_OPTIONS)
        return;
    arka_slice headers = arka_request_header(r, "Access-Control-Request-Headers");
    const char *wanted = headers.len ? arka_arena_text(&r->arena, headers) : "*";
    put(to, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    put(to, "Access-Control-Allow-Headers", wanted ? wanted : "*");
    put(to, "Access-Control-Max-Age", "600");
}

/* Has the handler said it itself? */
static bool is_said(const arka_answer *a, const char *name)
{
    for (int i = 0; i < a->n_headers; i++)
        if (strcmp(a->headers[i].name, name) == 0)
            return true;
    return false;
}

/* What a browser must not do with an answer of ours; nothing to say about one without a body. */
static void put_browser_rules(const arka_answer *a, const target *to)
{
    put(to, "X-Content-Type-Options", "nosniff");
    put(to, "X-Frame-Options", "DENY");
    put(to, "Referrer-Policy", "no-referrer");
    put(to, "Permissions-Policy", "geolocation=(), camera=(), microphone=()");
    if (!is_said(a, "Content-Security-Policy"))
        put(to, "Content-Security-Policy", "default-src 'none'");
}

static void put_headers(arka_request *r, const target *to)
{
    const arka_answer *a = &r->answer;
    put(to, "X-Request-ID", r->id);
    if (a->content_type != NULL) {
        put(to, "Content-Type", a->content_type);
        put_browser_rules(a, to);
    }
    if (r->tls != NULL)
        put(to, "Strict-Transport-Security", "max-age=31536000");
    if (r->route != NULL && r->route->shape >= ARKA_SHAPE_INFLUX) {
        put(to, "X-Influxdb-Version", "1.8.10");
        put(to, "X-Influxdb-Build", "OSS");
    }
    for (int i = 0; i < a->n_headers; i++)
        put(to, a->headers[i].name, a->headers[i].value);
    put_cors(r, to);
    if (a->close || arka_server_stopping(r->server))
        put(to, "Connection", "close");
}

static struct MHD_Response *make_response(arka_request *r)
{
    static char nothing[1];
    arka_answer *a = &r->answer;
    if (a->stream != NULL) {
        struct MHD_Response *response = arka_stream_response(a->stream);
        if (response != NULL)
            a->stream = NULL; /* the response has its reference now */
        return response;
    }
    if (a->body.len == 0)
        return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    arka_buf body = a->body;
    a->body = (arka_buf)ARKA_BUF_INIT;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        body.len, body.data, arka_free, body.data);
    if (response == NULL)
        arka_buf_fini(&body);
    return response;
}

enum MHD_Result arka_reply_send(arka_request *r)
{
    if (r->answer.body.failed)
        arka_answer_error(r, 503, "unavailable", "out of memory for the answer");
    if (r->answer.body.failed)
        return MHD_NO;
    target to = {.response = make_response(r)};
    if (to.response == NULL)
        return MHD_NO;
    put_headers(r, &to);
    enum MHD_Result result =
        MHD_queue_response(r->connection, (unsigned)r->answer.status, to.response);
    MHD_destroy_response(to.response);
    return result;
}

void arka_reply_send_now(arka_request *r)
{
    arka_buf text = ARKA_BUF_INIT;
    target to = {.text = &text};
    arka_buf_printf(&text, "HTTP/1.1 %d %s\r\n", r->answer.status,
                    MHD_get_reason_phrase_for((unsigned)r->answer.status));
    put_headers(r, &to);
    arka_buf_printf(&text, "Content-Length: %zu\r\n\r\n", r->answer.body.len);
    arka_buf_append(&text, r->answer.body.data, r->answer.body.len);
    /* nothing was sent on this connection since the request began: a few hundred bytes fit */
    if (!text.failed && r->tls != NULL)
        arka_tls_send_last(r->tls, (arka_slice){text.data, text.len});
    else if (!text.failed)
        ARKA_IGNORE(send(r->fd, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0);
    arka_buf_fini(&text);
}

void arka_reply_send_late(int fd, int64_t limit_s)
{
    char id[ARKA_UUID_SIZE], text[800], body[400], why[120];
    snprintf(why, sizeof why, "the head of the request did not come within %lld s",
             (long long)limit_s);
    int n = snprintf(body, sizeof body,
                     "{\"success\":false,\"error\":\"%s\",\"message\":\"%s\","
                     "\"detail\":\"%s\",\"code\":\"timeout\"}",
                     why, why, why);
    arka_text_uuid(id);
    n = snprintf(text, sizeof text,
                 "HTTP/1.1 408 Request Timeout\r\nX-Request-ID: %s\r\n"
                 "Content-Type: application/json\r\nConnection: close\r\n"
                 "Content-Length: %d\r\n\r\n%s",
                 id, n, body);
    ARKA_IGNORE(send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0);
}
