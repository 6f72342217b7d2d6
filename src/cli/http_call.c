#include "cli/http_call.h"

#include "cli/http_link.h"

enum { PIECE = 256 << 10, MAX_KEPT = 64 << 20, DEFAULT_TIMEOUT_MS = 60000 };

arka_status arka_http_sink_buf(void *context, const char *bytes, size_t n, arka_error *err)
{
    arka_buf *buf = context;
    if (buf->len + n > MAX_KEPT)
        return arka_fail(err, ARKA_LIMIT, "answer over %d bytes", MAX_KEPT);
    arka_buf_append(buf, bytes, n);
    return buf->failed ? arka_fail_nomem(err, "an answer", buf->len + n) : ARKA_OK;
}

void arka_http_request_head(const arka_http_target *target, const arka_http_request *request,
                            arka_buf *out)
{
    arka_buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", request->method, request->path,
                    target->authority);
    if (request->headers != NULL)
        arka_buf_text(out, request->headers);
    if (request->body.len > 0 || request->method[0] == 'P')
        arka_buf_printf(out, "Content-Length: %zu\r\n", request->body.len);
    arka_buf_literal(out, "\r\n");
}

static arka_status read_answer(const arka_http_target *target, arka_http_link *link, char *piece,
                               arka_http_response *r, arka_error *err)
{
    while (!r->complete) {
        size_t used, n;
        ARKA_TRY(arka_http_link_receive(link, piece, PIECE, &n, err));
        if (n > 0)
            ARKA_TRY(arka_http_response_feed(r, piece, n, &used, err));
        else if (r->status == 0 && r->head.len == 0)
            return arka_fail(err, ARKA_CORRUPT, "%s closes the connection without an answer%s",
                             target->authority, target->tls.on ? "" : ": does it want https?");
        else
            ARKA_TRY(arka_http_response_end(r, err));
    }
    return ARKA_OK;
}

static arka_status converse(const arka_http_target *target, arka_http_link *link,
                            const arka_http_request *request, arka_slice head, char *piece,
                            arka_http_response *r, arka_error *err)
{
    ARKA_TRY(arka_http_link_send(link, head, err));
    ARKA_TRY(arka_http_link_send(link, request->body, err));
    return read_answer(target, link, piece, r, err);
}

arka_status arka_http_call(const arka_http_target *target, const arka_http_request *request,
                           arka_http_response *r, arka_error *err)
{
    arka_buf head = ARKA_BUF_INIT;
    char *piece = arka_malloc(PIECE);
    int timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : DEFAULT_TIMEOUT_MS;
    arka_http_link *link = NULL;
    arka_http_request_head(target, request, &head);
    arka_http_response_reset(r);
    arka_status status;
    if (piece == NULL || head.failed)
        status = arka_fail_nomem(err, "a request", PIECE);
    else
        status = arka_http_link_open(target, timeout_ms, &link, err);
    if (status == ARKA_OK)
        status = converse(target, link, request, (arka_slice){head.data, head.len}, piece, r, err);
    arka_http_link_close(link);
    arka_buf_fini(&head);
    arka_free(piece);
    return status;
}
