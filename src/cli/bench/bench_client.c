#include "cli/bench/bench_client.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { TIMEOUT_MS = 60000 };

void arka_bench_client_init(arka_bench_client *c, const arka_bench_server *server)
{
    *c = (arka_bench_client){.server = server, .fd = -1};
    arka_http_response_init(&c->response);
}

static void hang_up(arka_bench_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void arka_bench_client_fini(arka_bench_client *c)
{
    hang_up(c);
    arka_http_response_fini(&c->response);
    arka_buf_fini(&c->request);
    arka_buf_fini(&c->body);
}

static arka_status wait_for(const arka_bench_client *c, short events, arka_error *err)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    int n;
    do
        n = poll(&p, 1, TIMEOUT_MS);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return ARKA_OK;
    return arka_fail(err, ARKA_CANCELLED, "%s did nothing for %d ms", c->server->target.authority,
                     TIMEOUT_MS);
}

static arka_status connect_to(arka_bench_client *c, arka_error *err)
{
    if (c->fd >= 0)
        return ARKA_OK;
    ARKA_TRY(arka_http_connect(&c->server->target, &c->fd, err));
    ARKA_TRY(wait_for(c, POLLOUT, err));
    return arka_http_connected(&c->server->target, c->fd, err);
}

static arka_status send_request(arka_bench_client *c, arka_error *err)
{
    for (size_t at = 0; at < c->request.len;) {
        ssize_t n = send(c->fd, c->request.data + at, c->request.len - at, MSG_NOSIGNAL);
        if (n >= 0)
            at += (size_t)n;
        else if (errno == EAGAIN)
            ARKA_TRY(wait_for(c, POLLOUT, err));
        else if (errno != EINTR)
            return arka_fail_sys(err, ARKA_UNSURE, errno, "sending to %s",
                                 c->server->target.authority);
    }
    return ARKA_OK;
}

static arka_status read_answer(arka_bench_client *c, arka_error *err)
{
    arka_http_response_reset(&c->response);
    c->response.sink = arka_http_sink_buf;
    c->response.sink_context = &c->body;
    while (!c->response.complete) {
        size_t used;
        ssize_t n = recv(c->fd, c->piece, sizeof c->piece, 0);
        if (n > 0)
            ARKA_TRY(arka_http_response_feed(&c->response, c->piece, (size_t)n, &used, err));
        else if (n == 0)
            ARKA_TRY(arka_http_response_end(&c->response, err));
        else if (errno == EAGAIN)
            ARKA_TRY(wait_for(c, POLLIN, err));
        else if (errno != EINTR)
            return arka_fail_sys(err, ARKA_UNSURE, errno, "reading from %s",
                                 c->server->target.authority);
    }
    c->status = c->response.status;
    return ARKA_OK;
}

static arka_status exchange(arka_bench_client *c, arka_error *err)
{
    if (c->request.failed)
        return arka_fail_nomem(err, "a request", c->request.cap);
    arka_buf_clear(&c->body);
    ARKA_TRY(connect_to(c, err));
    ARKA_TRY(send_request(c, err));
    return read_answer(c, err);
}

arka_status arka_bench_client_post(arka_bench_client *c, const char *path, arka_slice body,
                                   arka_error *err)
{
    arka_buf_clear(&c->request);
    arka_buf_literal(&c->request, "POST ");
    arka_bench_server_head(c->server, path, &c->request);
    arka_buf_printf(&c->request, "Content-Length: %zu\r\n\r\n", body.len);
    arka_buf_slice(&c->request, body);
    c->status = 0;
    arka_status status = exchange(c, err);
    if (status != ARKA_OK || !c->response.keep_alive)
        hang_up(c);
    return status;
}

arka_status arka_bench_client_query(arka_bench_client *c, const char *sql, arka_error *err)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_bench_server_body(sql, true, &body);
    arka_status status =
        body.failed
            ? arka_fail_nomem(err, "a query", body.cap)
            : arka_bench_client_post(c, "/api/v1/query", (arka_slice){body.data, body.len}, err);
    arka_buf_fini(&body);
    return status;
}
