#include "server/http/http_priv.h"

#include "server/http/compress.h"
#include "server/http/reply.h"
#include "server/server_priv.h"

/* The request is the connection's first member. */
static arka_connection *connection_of(arka_request *r)
{
    return (arka_connection *)r;
}

void arka_http_detach(arka_request *r)
{
    arka_connection *c = connection_of(r);
    if (c->phase == ARKA_PHASE_WITH_WORKER)
        return; /* suspended already */
    arka_connection_enter(c, ARKA_PHASE_WITH_WORKER);
    /* before anybody else has it: a resume that comes first would be lost */
    MHD_suspend_connection(r->connection);
}

void arka_connection_run_here(arka_connection *c)
{
    c->handled = true;
    arka_handled how = c->request.route->handle(&c->request);
    ARKA_CHECK(how == ARKA_ANSWERED || c->phase == ARKA_PHASE_WITH_WORKER,
               "%s detached without being suspended", c->request.route->path);
    /* an answer that was remembered; a long one would hold up the thread's other connections */
    if (how == ARKA_ANSWERED && c->request.answer.body.len <= ARKA_INLINE_BODY)
        arka_compress_answer(&c->request);
}

static void run_on_worker(void *context)
{
    arka_request *r = context;
    if (r->route->handle(r) == ARKA_ANSWERED)
        arka_http_give_back(r);
}

arka_loop *arka_http_loop(arka_request *r)
{
    return connection_of(r)->loop;
}

void arka_http_wake(arka_request *r)
{
    arka_connection *c = connection_of(r);
    arka_loop_resume(c->loop, &c->resuming, r->connection);
}

void arka_http_give_back(arka_request *r)
{
    if (r->answer.stream == NULL)
        arka_compress_answer(r);
    arka_http_wake(r);
}

static enum MHD_Result send_answer(arka_connection *c)
{
    arka_connection_enter(c, ARKA_PHASE_SENT);
    return arka_reply_send(&c->request);
}

static enum MHD_Result hand_over(arka_connection *c)
{
    arka_request *r = &c->request;
    arka_server *server = r->server;
    arka_error err = {0};
    c->handled = true;
    arka_connection_enter(c, ARKA_PHASE_WITH_WORKER);
    /* before the worker has it: a resume that comes first would be lost */
    MHD_suspend_connection(r->connection);
    if (arka_workers_submit(server->workers, run_on_worker, r, &err) != ARKA_OK) {
        arka_answer_fail(r, &err);
        arka_http_give_back(r);
    }
    return MHD_YES;
}

static enum MHD_Result end_of_body(arka_connection *c)
{
    arka_request *r = &c->request;
    if (c->phase == ARKA_PHASE_DRAINING)
        return MHD_NO;
    if (c->discard || c->handled)
        return send_answer(c);
    r->body = (arka_slice){c->body.data, c->body.len};
    bool either = r->route->run == ARKA_RUN_WRITES || r->route->run == ARKA_RUN_QUERY;
    bool here = r->route->run == ARKA_RUN_HERE || (either && r->body.len <= ARKA_INLINE_BODY);
    if (!here)
        return hand_over(c);
    arka_connection_run_here(c);
    return c->phase == ARKA_PHASE_WITH_WORKER ? MHD_YES : send_answer(c);
}

enum MHD_Result arka_connection_on_request(void *context, struct MHD_Connection *mhd,
                                           const char *url, const char *method, const char *version,
                                           const char *upload, size_t *n_upload, void **request)
{
    arka_connection *c = *request;
    if (c == NULL)
        return MHD_NO; /* out of memory when it was accepted */
    switch (c->phase) {
    case ARKA_PHASE_IDLE:
        return arka_connection_begin(c, mhd, method, version);
    case ARKA_PHASE_PROOF:
        *n_upload = 0;
        return arka_connection_go_on(c);
    case ARKA_PHASE_BODY:
    case ARKA_PHASE_DRAINING:
        return *n_upload > 0 ? arka_connection_take_body(c, upload, n_upload) : end_of_body(c);
    case ARKA_PHASE_WITH_WORKER:
        *n_upload = 0;
        if (c->request.resume != NULL)
            c->request.resume(&c->request);
        return send_answer(c);
    case ARKA_PHASE_SENT:
    default:
        *n_upload = 0;
        return MHD_YES;
    }
}
