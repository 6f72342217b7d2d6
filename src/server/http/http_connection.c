#include "server/http/http_priv.h"

#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "server/access/access.h"
#include "server/metrics/route_stats.h"
#include "server/server_priv.h"
#include "server/http/stream.h"

enum {
    KEPT_BODY = 256 << 10, /* of a connection's body buffer, between requests */
    EVICT_MS = 1000,       /* who has been idle for less keeps its connection */
    EVICT_LOOKS = 8,       /* at who could go instead of one that has just sent something */
};

void arka_connection_enter(arka_connection *c, arka_phase to)
{
    static const arka_slow_stage STAGES[] = {
        [ARKA_PHASE_IDLE] = ARKA_SLOW_IDLE,        [ARKA_PHASE_PROOF] = ARKA_SLOW_WORK,
        [ARKA_PHASE_BODY] = ARKA_SLOW_BODY,        [ARKA_PHASE_DRAINING] = ARKA_SLOW_DRAIN,
        [ARKA_PHASE_WITH_WORKER] = ARKA_SLOW_WORK, [ARKA_PHASE_SENT] = ARKA_SLOW_WRITE,
    };
    c->phase = to;
    arka_slow_enter(&c->slow, STAGES[to], arka_loop_now(c->loop));
    if (to == ARKA_PHASE_IDLE)
        arka_slow_move(&c->crowd->idle, &c->slow);
    else if (to == ARKA_PHASE_BODY)
        arka_slow_move(&c->crowd->busy, &c->slow);
}

/* ---- the life of a request ---- */

void arka_connection_drop_body(arka_connection *c)
{
    arka_buf_fini(&c->body);
    atomic_fetch_sub_explicit(&c->http->body_bytes, c->charged, memory_order_relaxed);
    c->charged = 0;
}

static void keep_small_buffers(arka_connection *c)
{
    if (c->body.cap > KEPT_BODY || c->body.failed)
        arka_connection_drop_body(c);
    arka_buf_clear(&c->body);
}

static void count_out(arka_http *http)
{
    /* pairs with the load in arka_http_wait_idle: whoever waits sees the last one leave */
    if (atomic_fetch_sub_explicit(&http->in_flight, 1, memory_order_acq_rel) == 1 &&
        arka_server_stopping(http->server)) {
        arka_mutex_lock(&http->lock);
        arka_cond_broadcast(&http->idle);
        arka_mutex_unlock(&http->lock);
    }
}

static void finish_request(arka_connection *c)
{
    arka_request *r = &c->request;
    const arka_log *log = r->server->log;
    if (r->answer.status >= 500)
        arka_count(&r->server->counters.requests_failed, 1);
    arka_route_stats_note(r->server->route_stats, r->route, r->answer.status,
                          arka_mono_since_ns(r->arrived));
    arka_log_level level = arka_server_settings(r->server)->log_access ? ARKA_INFO : ARKA_DEBUG;
    if (arka_log_wants(log, level))
        arka_log_write_about(
            log, level, "request", (arka_log_about){.request_id = r->id, .every = true},
            "%s %.*s %d, %.3f ms, %lld bytes in", r->method_name ? r->method_name : "?",
            ARKA_FMT(r->path), r->answer.status, arka_mono_since_ms(r->arrived),
            (long long)c->received);
    if (r->answer.stream != NULL)
        arka_stream_abandon(r->answer.stream);
    arka_access_drop(r);
    arka_answer_reset(&r->answer);
    arka_arena_fini(&r->arena);
    keep_small_buffers(c);
    arka_connection_enter(c, ARKA_PHASE_IDLE);
    count_out(c->http);
}

void *arka_connection_on_target(void *context, const char *uri, struct MHD_Connection *connection_)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection_, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    arka_connection *c = info ? info->socket_context : NULL;
    if (c == NULL)
        return NULL;
    arka_buf_clear(&c->target);
    arka_buf_text(&c->target, uri);
    /*
     * Parameters are read by us. The library would list them too, in the connection's own memory,
     * and 0.9.75 hangs when they do not fit: so it gets to see none of them.
     */
    char *mark = strchr(uri, '?');
    if (mark != NULL && mark[1] != 0)
        mark[1] = 0;
    return c;
}

void arka_connection_on_completed(void *context, struct MHD_Connection *connection_, void **request,
                                  enum MHD_RequestTerminationCode how)
{
    arka_connection *c = *request;
    if (c == NULL || c->phase == ARKA_PHASE_IDLE)
        return;
    /* given back, but the client was gone: the library asks for no answer, its handler ends all the
     * same */
    if (c->phase == ARKA_PHASE_WITH_WORKER && c->request.resume != NULL)
        c->request.resume(&c->request);
    finish_request(c);
}

/* ---- connections that come, go, and last too long ---- */

void arka_connection_break_off(arka_connection *c)
{
    struct linger at_once = {.l_onoff = 1};
    c->slow.stage = ARKA_SLOW_WORK; /* it is told once */
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(c->fd, SHUT_RDWR);
}

void arka_connection_end_idle(arka_connection *c)
{
    c->over = true;
    arka_slow_enter(&c->slow, ARKA_SLOW_WORK, arka_loop_now(c->loop));
    arka_slow_move(&c->crowd->busy, &c->slow);
    shutdown(c->fd, SHUT_RDWR);
}

/* The connection's account is a part of it. */
arka_connection *arka_connection_of_slow(arka_slow *slow)
{
    return (arka_connection *)((char *)slow - offsetof(arka_connection, slow));
}

/*
 * Who was idle longest, and for long enough; NULL: nobody. Not one whose next request is here
 * already, if that can be helped.
 */
static arka_connection *idlest(arka_crowd *of, arka_mono now)
{
    arka_slow *at = arka_slow_first(&of->idle), *first = at;
    for (int i = 0; i < EVICT_LOOKS && at != NULL; i++, at = arka_slow_next(&of->idle, at)) {
        int unread = 0;
        if (now.ns - at->since.ns < EVICT_MS * INT64_C(1000000))
            break;
        if (ioctl(arka_connection_of_slow(at)->fd, FIONREAD, &unread) == 0 && unread == 0)
            return arka_connection_of_slow(at);
    }
    if (first == NULL || now.ns - first->since.ns < EVICT_MS * INT64_C(1000000))
        return NULL;
    return arka_connection_of_slow(first);
}

/* One too many: the one that was idle longest goes, or, when all are in use, the newest. */
static void make_room(arka_crowd *of, arka_connection *newest)
{
    arka_counters *counters = &of->http->server->counters;
    arka_connection *idle = idlest(of, arka_loop_now(newest->loop));
    arka_count(idle ? &counters->connections_evicted : &counters->connections_refused, 1);
    arka_connection_end_idle(idle ? idle : newest);
}

static arka_connection *new_connection(arka_crowd *of, struct MHD_Connection *mhd)
{
    arka_http *http = of->http;
    arka_connection *c = arka_calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->http = http;
    c->crowd = of;
    c->loop = arka_loop_current();
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    if (http->server->tls != NULL) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        c->session = (gnutls_session_t)info->tls_session;
        c->credentials = arka_tls_enter(http->server->tls, c->session);
    }
    arka_slow_enter(&c->slow, ARKA_SLOW_IDLE, arka_loop_now(c->loop));
    int n = atomic_load_explicit(&http->n_connections, memory_order_relaxed);
    if (n > http->max_connections)
        make_room(of, c);
    if (c->slow.stage == ARKA_SLOW_IDLE)
        arka_slow_move(&of->idle, &c->slow);
    arka_loop_watch(c->loop, c->fd, c);
    return c;
}

static void free_connection(arka_connection *c)
{
    arka_loop_forget(c->loop, c->fd);
    arka_slow_remove(&c->slow);
    arka_tls_leave(c->credentials);
    atomic_fetch_sub_explicit(&c->http->body_bytes, c->charged, memory_order_relaxed);
    arka_buf_fini(&c->target);
    arka_buf_fini(&c->body);
    arka_free(c);
}

void arka_connection_on_life(void *context, struct MHD_Connection *connection_, void **slot,
                             enum MHD_ConnectionNotificationCode what)
{
    arka_crowd *of = context;
    arka_connection *c = *slot;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = new_connection(of, connection_);
        return;
    }
    atomic_fetch_sub_explicit(&of->http->n_connections, 1, memory_order_relaxed);
    if (c != NULL)
        free_connection(c);
    *slot = NULL;
}

void arka_connection_on_ended(void *connection_)
{
    arka_connection *c = connection_;
    shutdown(c->fd, SHUT_RD); /* what was sent can still be read; epoll tells anew */
}
