#include "cli/http_call.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

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

static arka_status wait_for(const arka_http_target *target, int fd, short events, int timeout_ms,
                            arka_error *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "waiting for %s", target->authority);
    if (n == 0)
        return arka_fail(err, ARKA_CANCELLED, "%s did nothing for %d ms", target->authority,
                         timeout_ms);
    return ARKA_OK;
}

static arka_status send_all(const arka_http_target *target, int fd, arka_slice bytes,
                            int timeout_ms, arka_error *err)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            ARKA_TRY(wait_for(target, fd, POLLOUT, timeout_ms, err));
        } else if (n < 0 && errno != EINTR) {
            /* a server that refuses a long body answers first and closes: the answer tells why */
            return errno == EPIPE || errno == ECONNRESET
                       ? ARKA_OK
                       : arka_fail_sys(err, ARKA_UNSURE, errno, "sending to %s", target->authority);
        } else if (n > 0) {
            bytes.data += n;
            bytes.len -= (size_t)n;
        }
    }
    return ARKA_OK;
}

static arka_status read_answer(const arka_http_target *target, int fd, int timeout_ms, char *piece,
                               arka_http_response *r, arka_error *err)
{
    while (!r->complete) {
        size_t used;
        ssize_t n = recv(fd, piece, PIECE, 0);
        if (n > 0)
            ARKA_TRY(arka_http_response_feed(r, piece, (size_t)n, &used, err));
        else if (n == 0)
            ARKA_TRY(arka_http_response_end(r, err));
        else if (errno == EAGAIN)
            ARKA_TRY(wait_for(target, fd, POLLIN, timeout_ms, err));
        else if (errno != EINTR)
            return arka_fail_sys(err, ARKA_UNSURE, errno, "reading from %s", target->authority);
    }
    return ARKA_OK;
}

static arka_status converse(const arka_http_target *target, const arka_http_request *request,
                            int fd, arka_slice head, char *piece, arka_http_response *r,
                            arka_error *err)
{
    int timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : DEFAULT_TIMEOUT_MS;
    ARKA_TRY(wait_for(target, fd, POLLOUT, timeout_ms, err));
    ARKA_TRY(arka_http_connected(target, fd, err));
    ARKA_TRY(send_all(target, fd, head, timeout_ms, err));
    ARKA_TRY(send_all(target, fd, request->body, timeout_ms, err));
    return read_answer(target, fd, timeout_ms, piece, r, err);
}

arka_status arka_http_call(const arka_http_target *target, const arka_http_request *request,
                           arka_http_response *r, arka_error *err)
{
    arka_buf head = ARKA_BUF_INIT;
    char *piece = arka_malloc(PIECE);
    int fd = -1;
    arka_http_request_head(target, request, &head);
    arka_http_response_reset(r);
    arka_status status;
    if (piece == NULL || head.failed)
        status = arka_fail_nomem(err, "a request", PIECE);
    else
        status = arka_http_connect(target, &fd, err);
    if (status == ARKA_OK)
        status = converse(target, request, fd, (arka_slice){head.data, head.len}, piece, r, err);
    if (fd >= 0)
        close(fd);
    arka_buf_fini(&head);
    arka_free(piece);
    return status;
}
