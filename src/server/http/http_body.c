#include "server/http/http_priv.h"

#include <sys/socket.h>

#include "server/http/reply.h"
#include "server/server_priv.h"

enum {
    FIRST_BODY = 64 << 10,
    DRAIN = 64 << 20, /* read and dropped after a refusal, so that the client comes to read it */
    DRAIN_S = 5,      /* without a byte, then */
};

/*
 * The library cannot answer in the middle of a body, and a connection closed on a client that
 * still sends would take the answer with it. So the answer goes out beside the library, and what
 * comes then is read and dropped for a while; what the library has to say of it is sent no more.
 */
enum MHD_Result arka_connection_drain(arka_connection *c)
{
    arka_request *r = &c->request;
    r->answer.close = true;
    arka_reply_send_now(r);
    shutdown(r->fd, SHUT_WR);
    arka_connection_enter(c, ARKA_PHASE_DRAINING);
    ARKA_IGNORE(MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                          (unsigned)DRAIN_S) == MHD_NO);
    return MHD_YES;
}

enum MHD_Result arka_connection_refuse(arka_connection *c)
{
    arka_request *r = &c->request;
    if (!arka_request_header_has(r, "Expect", "100-continue") || c->received > 0)
        return arka_connection_drain(c);
    r->answer.close = true;
    arka_connection_enter(c, ARKA_PHASE_SENT); /* the client waits for a word before it sends */
    return arka_reply_send(r);
}

enum MHD_Result arka_connection_refuse_size(arka_connection *c)
{
    arka_answer_error(&c->request, 413, "too_large",
                      "the request body is over the limit of %lld bytes",
                      (long long)c->http->max_body);
    return arka_connection_refuse(c);
}

static void charge_body(arka_connection *c)
{
    int64_t more = (int64_t)c->body.cap - c->charged;
    c->charged += more;
    arka_http_charge_body(c->http, more);
}

/* Room for n more bytes within the budget of all bodies together. */
static arka_status grow_body(arka_connection *c, size_t n, arka_error *err)
{
    size_t need = c->body.len + n, cap = c->body.cap * 2;
    if (need <= c->body.cap)
        return ARKA_OK;
    if (cap < FIRST_BODY)
        cap = FIRST_BODY;
    if (c->body_len >= 0 && cap > (size_t)c->body_len) /* never more than was declared … */
        cap = (size_t)c->body_len;
    if (cap < need) /* … as long as that was true */
        cap = need;
    if ((int64_t)(cap - c->body.cap) > arka_http_body_room(c->http))
        return arka_fail(err, ARKA_BUSY,
                         "request bodies fill the %lld bytes that they may have together",
                         (long long)c->http->max_body_bytes);
    if (!arka_buf_grow_to(&c->body, cap))
        return arka_fail_nomem(err, "a request body", cap);
    charge_body(c);
    return ARKA_OK;
}

enum MHD_Result arka_connection_take_body(arka_connection *c, const char *bytes, size_t *n)
{
    arka_request *r = &c->request;
    size_t len = *n;
    *n = 0;
    c->received += (int64_t)len;
    if (c->phase == ARKA_PHASE_DRAINING)
        return c->received < c->http->max_body + DRAIN ? MHD_YES : MHD_NO;
    if (c->received > c->http->max_body)
        return arka_connection_refuse_size(c);
    if (c->discard)
        return MHD_YES;
    bool runs_here = r->route->run == ARKA_RUN_HERE || r->route->run == ARKA_RUN_WRITES;
    if (runs_here && (int64_t)len == c->body_len && len <= ARKA_INLINE_BODY) {
        r->body = (arka_slice){bytes, len};
        arka_connection_run_here(c);
        r->body = (arka_slice){NULL, 0};
        return MHD_YES;
    }
    arka_error err = {0};
    if (grow_body(c, len, &err) != ARKA_OK) {
        arka_answer_fail(r, &err);
        c->discard = true;
        arka_connection_drop_body(
            c); /* it may be what another one lacks, and the rest is yet to come */
        return MHD_YES;
    }
    arka_buf_append(&c->body, bytes, len);
    return MHD_YES;
}
