#include "server/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/number.h"
#include "server/access.h"
#include "server/compress.h"
#include "server/loop.h"
#include "server/reply.h"
#include "server/route_stats.h"
#include "server/server_priv.h"
#include "server/slow.h"
#include "server/stream.h"
#include "server/target.h"
#include "server/tls.h"
#include "server/write.h"

enum {
    /*
     * Half reads, all writes. The library clears all of it after each request, so a connection that
     * was used keeps it; over 32 KiB it is mapped, and goes back to the system with the connection.
     */
    CONNECTION_MEMORY = 36 << 10,
    USED_CONNECTION = 40 << 10, /* what one takes in all, measured */
    MEMORY_SHARE = 8,           /* of memory.limit, that all may take if nothing else is said */
    MOST_CONNECTIONS = 16384,
    FEWEST_CONNECTIONS = 256,
    INLINE_BODY = 256 << 10,      /* a larger write would hold up the thread's other connections */
    KEPT_BODY = 256 << 10,        /* of a connection's body buffer, between requests */
    FIRST_BODY = 64 << 10,
    DRAIN = 64 << 20, /* read and dropped after a refusal, so that the client comes to read it */
    DRAIN_S = 5,      /* without a byte, then */
    DRAIN_MS = 30000, /* and in all */
    EVICT_MS = 1000,  /* who has been idle for less keeps its connection */
};

/* The connections of one loop; its thread's. */
typedef struct crowd {
    arka_http *http;
    arka_loop *loop;
    arka_slow_list idle, busy;
} crowd;

struct arka_http {
    arka_server *server;
    crowd *crowds;
    int n_crowds;
    atomic_uint next_loop; /* connections go to them in turn */
    atomic_int n_connections;
    atomic_int in_flight;
    atomic_int_least64_t body_bytes; /* capacity of all body buffers */
    int64_t max_body, max_body_bytes, max_connections;
    arka_mutex lock; /* for `idle` alone */
    arka_cond idle;
};

typedef enum phase {
    IDLE,        /* between requests */
    BODY,        /* begun, its body is coming */
    DRAINING,    /* refused on the wire already; the connection ends soon */
    WITH_WORKER, /* suspended until the worker gives it back */
    SENT,        /* the answer is the library's */
} phase;

typedef struct connection {
    arka_request request;
    arka_http *http;
    crowd *crowd;
    arka_loop *loop; /* of the crowd */
    int fd;
    arka_tls_credentials *credentials; /* NULL: no TLS */
    gnutls_session_t session;
    arka_resuming resuming;
    arka_slow slow;
    phase phase; /* by set_phase */
    arka_buf target; /* as sent */
    arka_buf body;
    int64_t body_len;   /* as declared, -1: chunked */
    int64_t received;   /* of it */
    int64_t charged;    /* body.cap, as counted in http->body_bytes */
    bool discard;       /* the answer stands: what comes of the body is dropped */
    bool handled;       /* the handler has run */
} connection;

static void set_phase(connection *c, phase to)
{
    static const arka_slow_stage STAGES[] = {
        [IDLE] = ARKA_SLOW_IDLE,        [BODY] = ARKA_SLOW_BODY,  [DRAINING] = ARKA_SLOW_DRAIN,
        [WITH_WORKER] = ARKA_SLOW_WORK, [SENT] = ARKA_SLOW_WRITE,
    };
    c->phase = to;
    arka_slow_enter(&c->slow, STAGES[to], arka_loop_now(c->loop));
    if (to == IDLE)
        arka_slow_move(&c->crowd->idle, &c->slow);
    else if (to == BODY)
        arka_slow_move(&c->crowd->busy, &c->slow);
}

/* ---- the life of a request ---- */

static void drop_body(connection *c)
{
    arka_buf_fini(&c->body);
    atomic_fetch_sub_explicit(&c->http->body_bytes, c->charged, memory_order_relaxed);
    c->charged = 0;
}

static void keep_small_buffers(connection *c)
{
    if (c->body.cap > KEPT_BODY || c->body.failed)
        drop_body(c);
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

static void finish_request(connection *c)
{
    arka_request *r = &c->request;
    const arka_log *log = r->server->log;
    if (r->answer.status >= 500)
        arka_count(&r->server->counters.requests_failed, 1);
    arka_route_stats_note(r->server->route_stats, r->route, r->answer.status,
                          arka_mono_since_ns(r->arrived));
    arka_log_level level = arka_server_settings(r->server)->log_access ? ARKA_INFO : ARKA_DEBUG;
    if (arka_log_wants(log, level))
        arka_log_write_about(log, level, "request",
                             (arka_log_about){.request_id = r->id, .every = true},
                             "%s %.*s %d, %.3f ms, %lld bytes in",
                             r->method_name ? r->method_name : "?", ARKA_FMT(r->path),
                             r->answer.status, arka_mono_since_ms(r->arrived),
                             (long long)c->received);
    if (r->answer.stream != NULL)
        arka_stream_abandon(r->answer.stream);
    arka_access_drop(r);
    arka_answer_reset(&r->answer);
    arka_arena_fini(&r->arena);
    keep_small_buffers(c);
    set_phase(c, IDLE);
    count_out(c->http);
}

static void *on_target(void *context, const char *uri, struct MHD_Connection *connection_)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection_, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    connection *c = info ? info->socket_context : NULL;
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

static void on_completed(void *context, struct MHD_Connection *connection_, void **request,
                         enum MHD_RequestTerminationCode how)
{
    connection *c = *request;
    if (c != NULL && c->phase != IDLE)
        finish_request(c);
}

/* ---- connections that come, go, and last too long ---- */

/* The library sees it as it sees any end; what was sent but not taken yet is dropped. */
static void break_off(connection *c)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(c->fd, SHUT_RDWR);
}

/* Out of the idle ones, so that it is told once. */
static void end_idle(connection *c)
{
    arka_slow_enter(&c->slow, ARKA_SLOW_WORK, arka_loop_now(c->loop));
    arka_slow_move(&c->crowd->busy, &c->slow);
    shutdown(c->fd, SHUT_RDWR);
}

/* The connection's account is a part of it. */
static connection *connection_of_slow(arka_slow *slow)
{
    return (connection *)((char *)slow - offsetof(connection, slow));
}

/* One too many: the one that was idle longest goes, or, when all are in use, the newest. */
static void make_room(crowd *of, connection *newest)
{
    arka_counters *counters = &of->http->server->counters;
    arka_slow *first = arka_slow_first(&of->idle);
    bool idle = first != NULL && arka_loop_now(newest->loop).ns - first->since.ns >=
                                     EVICT_MS * INT64_C(1000000);
    arka_count(idle ? &counters->connections_evicted : &counters->connections_refused, 1);
    end_idle(idle ? connection_of_slow(first) : newest);
}

static connection *new_connection(crowd *of, struct MHD_Connection *mhd)
{
    arka_http *http = of->http;
    connection *c = arka_calloc(1, sizeof *c);
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

static void free_connection(connection *c)
{
    arka_loop_forget(c->loop, c->fd);
    arka_slow_remove(&c->slow);
    arka_tls_leave(c->credentials);
    atomic_fetch_sub_explicit(&c->http->body_bytes, c->charged, memory_order_relaxed);
    arka_buf_fini(&c->target);
    arka_buf_fini(&c->body);
    arka_free(c);
}

static void on_connection(void *context, struct MHD_Connection *connection_, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    crowd *of = context;
    connection *c = *slot;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = new_connection(of, connection_);
        return;
    }
    atomic_fetch_sub_explicit(&of->http->n_connections, 1, memory_order_relaxed);
    if (c != NULL)
        free_connection(c);
    *slot = NULL;
}

/* Nothing more will come: the library does not see it when it came together with the last bytes. */
static void on_ended(void *connection_)
{
    connection *c = connection_;
    shutdown(c->fd, SHUT_RD); /* what was sent can still be read; epoll tells anew */
}

/* ---- beginning ---- */

/* What Content-Length and Transfer-Encoding say, of which a request may have any number. */
typedef struct framing {
    arka_slice length;
    bool lengths_differ, chunked;
    int n_codings;
} framing;

static bool same_word(arka_slice a, const char *word)
{
    return a.len == strlen(word) && strncasecmp(a.data, word, a.len) == 0;
}

static enum MHD_Result read_framing(void *context, enum MHD_ValueKind kind, const char *name,
                                    size_t name_len, const char *value, size_t value_len)
{
    framing *f = context;
    arka_slice header = {name, name_len}, text = {value, value_len};
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    if (same_word(header, "Content-Length")) {
        f->lengths_differ |= f->length.len > 0 && !arka_slice_eq(f->length, text);
        f->length = text;
    } else if (same_word(header, "Transfer-Encoding")) {
        f->n_codings++;
        f->chunked = same_word(text, "chunked");
    }
    return MHD_YES;
}

/*
 * Where the body ends must be beyond doubt: a proxy in front that took the other header for it
 * would see another request (RFC 9112, 6.1 and 6.3). What is no number the library has refused.
 */
static arka_status declared_length(const arka_request *r, int64_t *out, arka_error *err)
{
    framing f = {0};
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, read_framing, &f);
    *out = f.n_codings > 0 ? -1 : 0;
    if (f.lengths_differ)
        return arka_fail(err, ARKA_INPUT, "the request has two different Content-Length headers");
    if (f.n_codings > 0 && f.length.len > 0)
        return arka_fail(err, ARKA_INPUT,
                         "the request has both Content-Length and Transfer-Encoding");
    if (f.n_codings > 1 || (f.n_codings == 1 && !f.chunked))
        return arka_fail(err, ARKA_INPUT, "the request's Transfer-Encoding is not just 'chunked'");
    if (f.length.len > 0 && !arka_parse_i64(f.length.data, f.length.len, out))
        return arka_fail(err, ARKA_INPUT, "the request's Content-Length is no number of bytes");
    return ARKA_OK;
}

/* Who shows a certificate is told once, by name. */
static void tell_peer(connection *c)
{
    const arka_log *log = c->http->server->log;
    char name[256];
    if (c->session == NULL || c->slow.served || !arka_log_wants(log, ARKA_DEBUG) ||
        !arka_tls_peer(c->session, name))
        return;
    arka_log_write(log, ARKA_DEBUG, "client_certificate", NULL, "%s", name);
}

static void start_request(connection *c, struct MHD_Connection *mhd, const char *method)
{
    arka_request *r = &c->request;
    arka_server *server = c->http->server;
    *r = (arka_request){
        .server = server,
        .connection = mhd,
        .tls = c->session,
        .fd = c->fd,
        .arrived = arka_mono_now(),
        .arrived_us = arka_wall_us(),
        .method = arka_method_parse(method),
        .method_name = method,
        .answer = {.body = ARKA_BUF_INIT},
        .arena = ARKA_ARENA_INIT,
    };
    tell_peer(c);
    set_phase(c, BODY);
    c->received = 0;
    c->discard = c->handled = false;
    c->body_len = 0;
    atomic_fetch_add_explicit(&c->http->in_flight, 1, memory_order_relaxed);
    arka_count(&server->counters.requests, 1);
    arka_request_set_id(r, arka_request_header(r, "X-Request-ID"));
    if (c->target.failed)
        arka_answer_error(r, 503, "unavailable", "out of memory for the request");
    else
        arka_target_route(r, (arka_slice){c->target.data, c->target.len});
    c->discard = r->answer.status != 0; /* answered by the target alone */
}

/* ---- bodies ---- */

/*
 * The library cannot answer in the middle of a body, and a connection closed on a client that
 * still sends would take the answer with it. So the answer goes out beside the library, and what
 * comes then is read and dropped for a while; what the library has to say of it is sent no more.
 */
static enum MHD_Result drain_body(connection *c)
{
    arka_request *r = &c->request;
    r->answer.close = true;
    arka_reply_send_now(r);
    shutdown(r->fd, SHUT_WR);
    set_phase(c, DRAINING);
    ARKA_IGNORE(MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                          (unsigned)DRAIN_S) == MHD_NO);
    return MHD_YES;
}

static enum MHD_Result refuse_body(connection *c)
{
    arka_request *r = &c->request;
    if (!arka_request_header_has(r, "Expect", "100-continue") || c->received > 0)
        return drain_body(c);
    r->answer.close = true;
    set_phase(c, SENT); /* the client waits for a word before it sends */
    return arka_reply_send(r);
}

static enum MHD_Result refuse_size(connection *c)
{
    arka_answer_error(&c->request, 413, "too_large",
                      "the request body is over the limit of %lld bytes",
                      (long long)c->http->max_body);
    return refuse_body(c);
}

static enum MHD_Result begin(connection *c, struct MHD_Connection *mhd, const char *method)
{
    arka_error err = {0};
    start_request(c, mhd, method);
    arka_status status = declared_length(&c->request, &c->body_len, &err);
    if (status != ARKA_OK) {
        arka_answer_fail(&c->request, &err);
        return refuse_body(c);
    }
    if (c->body_len > c->http->max_body)
        return refuse_size(c);
    const arka_route *route = c->request.route;
    if (!c->discard && c->body_len != 0 && route->run == ARKA_RUN_WRITES)
        c->discard = arka_write_refused(&c->request);
    return MHD_YES;
}

int64_t arka_http_max_connections(const arka_http *http)
{
    return http->max_connections;
}

int64_t arka_http_body_bytes(const arka_http *http)
{
    return atomic_load_explicit(&http->body_bytes, memory_order_relaxed);
}

int64_t arka_http_body_room(const arka_http *http)
{
    int64_t room = http->max_body_bytes - arka_http_body_bytes(http);
    return room > 0 ? room : 0;
}

void arka_http_charge_body(arka_http *http, int64_t n_bytes)
{
    atomic_fetch_add_explicit(&http->body_bytes, n_bytes, memory_order_relaxed);
}

static void charge_body(connection *c)
{
    int64_t more = (int64_t)c->body.cap - c->charged;
    c->charged += more;
    arka_http_charge_body(c->http, more);
}

/* Room for n more bytes within the budget of all bodies together. */
static arka_status grow_body(connection *c, size_t n, arka_error *err)
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

/* The request is the connection's first member. */
static connection *connection_of(arka_request *r)
{
    return (connection *)r;
}

void arka_http_detach(arka_request *r)
{
    connection *c = connection_of(r);
    if (c->phase == WITH_WORKER)
        return; /* suspended already */
    set_phase(c, WITH_WORKER);
    /* before anybody else has it: a resume that comes first would be lost */
    MHD_suspend_connection(r->connection);
}

static void run_here(connection *c)
{
    c->handled = true;
    arka_handled how = c->request.route->handle(&c->request);
    ARKA_CHECK(how == ARKA_ANSWERED || c->phase == WITH_WORKER,
               "%s detached without being suspended", c->request.route->path);
    /* an answer that was remembered; a long one would hold up the thread's other connections */
    if (how == ARKA_ANSWERED && c->request.answer.body.len <= INLINE_BODY)
        arka_compress_answer(&c->request);
}

static enum MHD_Result take_body(connection *c, const char *bytes, size_t *n)
{
    arka_request *r = &c->request;
    size_t len = *n;
    *n = 0;
    c->received += (int64_t)len;
    if (c->phase == DRAINING)
        return c->received < c->http->max_body + DRAIN ? MHD_YES : MHD_NO;
    if (c->received > c->http->max_body)
        return refuse_size(c);
    if (c->discard)
        return MHD_YES;
    bool runs_here = r->route->run == ARKA_RUN_HERE || r->route->run == ARKA_RUN_WRITES;
    if (runs_here && (int64_t)len == c->body_len && len <= INLINE_BODY) {
        r->body = (arka_slice){bytes, len};
        run_here(c);
        r->body = (arka_slice){NULL, 0};
        return MHD_YES;
    }
    arka_error err = {0};
    if (grow_body(c, len, &err) != ARKA_OK) {
        arka_answer_fail(r, &err);
        c->discard = true;
        drop_body(c); /* it may be what another one lacks, and the rest is yet to come */
        return MHD_YES;
    }
    arka_buf_append(&c->body, bytes, len);
    return MHD_YES;
}

/* ---- running ---- */

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

void arka_http_give_back(arka_request *r)
{
    connection *c = connection_of(r);
    if (r->answer.stream == NULL)
        arka_compress_answer(r);
    arka_loop_resume(c->loop, &c->resuming, r->connection);
}

static enum MHD_Result send_answer(connection *c)
{
    set_phase(c, SENT);
    return arka_reply_send(&c->request);
}

static enum MHD_Result hand_over(connection *c)
{
    arka_request *r = &c->request;
    arka_server *server = r->server;
    arka_error err = {0};
    c->handled = true;
    set_phase(c, WITH_WORKER);
    /* before the worker has it: a resume that comes first would be lost */
    MHD_suspend_connection(r->connection);
    if (arka_workers_submit(server->workers, run_on_worker, r, &err) != ARKA_OK) {
        arka_answer_fail(r, &err);
        arka_http_give_back(r);
    }
    return MHD_YES;
}

static enum MHD_Result end_of_body(connection *c)
{
    arka_request *r = &c->request;
    if (c->phase == DRAINING)
        return MHD_NO;
    if (c->discard || c->handled)
        return send_answer(c);
    r->body = (arka_slice){c->body.data, c->body.len};
    bool either = r->route->run == ARKA_RUN_WRITES || r->route->run == ARKA_RUN_QUERY;
    bool here = r->route->run == ARKA_RUN_HERE || (either && r->body.len <= INLINE_BODY);
    if (!here)
        return hand_over(c);
    run_here(c);
    return c->phase == WITH_WORKER ? MHD_YES : send_answer(c);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *n_upload, void **request)
{
    connection *c = *request;
    if (c == NULL)
        return MHD_NO; /* out of memory when it was accepted */
    switch (c->phase) {
    case IDLE:
        return begin(c, mhd, method);
    case BODY:
    case DRAINING:
        return *n_upload > 0 ? take_body(c, upload, n_upload) : end_of_body(c);
    case WITH_WORKER:
        *n_upload = 0;
        if (c->request.resume != NULL)
            c->request.resume(&c->request);
        return send_answer(c);
    case SENT:
    default:
        *n_upload = 0;
        return MHD_YES;
    }
}

/* ---- clients that are slow ---- */

/* Their answer if they have none, and then whatever comes is dropped. */
static void give_up_body(connection *c)
{
    const arka_settings *s = c->http->server->settings;
    drop_body(c);
    if (!c->discard)
        arka_answer_error(&c->request, 408, "timeout",
                          "the request body came too slowly: after %lld s, %lld bytes a second are "
                          "expected",
                          (long long)s->body_timeout, (long long)s->min_rate);
    c->discard = true;
    ARKA_IGNORE(drain_body(c) == MHD_NO);
}

static void give_up_head(connection *c)
{
    if (c->session == NULL) /* else it may not have come as far as to be spoken to */
        arka_reply_send_late(c->fd, c->http->server->settings->header_timeout);
    end_idle(c);
}

static void look_at_one(connection *c, const arka_slow_limits *limits, arka_mono now)
{
    arka_slow_facts facts = {0};
    arka_slow_stage stage = c->slow.stage;
    if (stage == ARKA_SLOW_WORK || !arka_slow_is_due(&c->slow, now))
        return;
    if (stage != ARKA_SLOW_DRAIN && !arka_slow_read(c->fd, &facts))
        return;
    arka_slow_verdict verdict = arka_slow_look(&c->slow, &facts, limits, now);
    if (verdict == ARKA_SLOW_FINE)
        return;
    if (verdict != ARKA_SLOW_TOO_IDLE)
        arka_count(&c->http->server->counters.connections_slow, 1);
    if (verdict == ARKA_SLOW_TOO_IDLE)
        end_idle(c);
    else if (verdict == ARKA_SLOW_HEAD)
        give_up_head(c);
    else if (stage == ARKA_SLOW_BODY)
        give_up_body(c);
    else
        break_off(c);
}

static void look_at_all(arka_slow_list *list, const arka_slow_limits *limits, arka_mono now)
{
    for (arka_slow *at = arka_slow_first(list), *next; at != NULL; at = next) {
        next = arka_slow_next(list, at); /* it may leave the list */
        look_at_one(connection_of_slow(at), limits, now);
    }
}

static void on_look(void *context, arka_loop *loop)
{
    crowd *of = context;
    const arka_settings *s = of->http->server->settings;
    const arka_slow_limits limits = {
        .idle_ms = s->idle_timeout * 1000,
        .head_ms = s->header_timeout * 1000,
        .body_ms = s->body_timeout * 1000,
        .write_ms = s->write_timeout * 1000,
        .drain_ms = DRAIN_MS,
        .min_rate = s->min_rate,
    };
    look_at_all(&of->busy, &limits, arka_loop_now(loop));
    look_at_all(&of->idle, &limits, arka_loop_now(loop));
}

/* ---- the daemon ---- */

/* For a moment, until those that are too many have gone. */
static int64_t most_at_all(const arka_http *http)
{
    return 2 * http->max_connections;
}

static int64_t max_connections(const arka_settings *s)
{
    if (s->max_connections > 0)
        return s->max_connections;
    int64_t n = s->memory_limit / MEMORY_SHARE / USED_CONNECTION;
    return n < FEWEST_CONNECTIONS ? FEWEST_CONNECTIONS : n > MOST_CONNECTIONS ? MOST_CONNECTIONS : n;
}

/* Targets are decoded by us, with their length known: the library's decoder would end at a NUL. */
static size_t leave_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

static void on_lost(void *context)
{
    crowd *of = context;
    atomic_fetch_sub_explicit(&of->http->n_connections, 1, memory_order_relaxed);
}

static arka_status start_crowd(arka_http *http, crowd *of, arka_error *err)
{
    const arka_settings *s = http->server->settings;
    const arka_tls *tls = http->server->tls;
    const arka_loop_calls calls = {of, on_request, on_lost, on_look, on_ended};
    enum { N_TLS = 2 };
    struct MHD_OptionItem options[] = {
        /* none of them may come to it, see take_connection */
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)most_at_all(http) + 1, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)s->idle_timeout, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, of},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, of},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, of},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escapes, NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, tls ? arka_tls_priorities(tls) : NULL},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, arka_tls_no_certificate()},
        {MHD_OPTION_END, 0, NULL},
    };
    if (tls == NULL)
        options[sizeof options / sizeof *options - 1 - N_TLS].option = MHD_OPTION_END;
    of->http = http;
    arka_slow_list_init(&of->idle);
    arka_slow_list_init(&of->busy);
    return arka_loop_new(&calls, options, tls != NULL, &of->loop, err);
}

static arka_status start_crowds(arka_http *http, arka_error *err)
{
    const arka_settings *s = http->server->settings;
    int n = s->workers > 0 ? (int)s->workers : arka_n_processors();
    http->crowds = arka_calloc((size_t)n, sizeof *http->crowds);
    if (http->crowds == NULL)
        return arka_fail_nomem(err, "the HTTP threads", (size_t)n * sizeof *http->crowds);
    for (; http->n_crowds < n; http->n_crowds++)
        ARKA_TRY(start_crowd(http, &http->crowds[http->n_crowds], err));
    return ARKA_OK;
}

arka_status arka_http_new(arka_server *server, arka_http **out, arka_error *err)
{
    const arka_settings *s = server->settings;
    arka_http *http = arka_calloc(1, sizeof *http);
    if (http == NULL)
        return arka_fail_nomem(err, "the HTTP server", sizeof *http);
    http->server = server;
    http->max_body = s->max_request_mb << 20;
    http->max_connections = max_connections(s);
    http->max_body_bytes = s->max_body_memory_mb << 20;
    arka_mutex_init(&http->lock, ARKA_LOCK_LEAF);
    arka_cond_init(&http->idle);
    arka_status status = start_crowds(http, err);
    if (status == ARKA_OK)
        *out = http;
    else
        arka_http_free(http);
    return status;
}

void arka_http_free(arka_http *http)
{
    if (http == NULL)
        return;
    for (int i = 0; i < http->n_crowds; i++)
        arka_loop_free(http->crowds[i].loop);
    arka_free(http->crowds);
    arka_cond_fini(&http->idle);
    arka_mutex_fini(&http->lock);
    arka_free(http);
}

void arka_http_take_connection(arka_http *http, int fd, const struct sockaddr *peer,
                               socklen_t peer_len)
{
    /*
     * Not by the library's own limit: a thread of 0.9.75 that meets it keeps one of its locks and
     * serves nobody any more. Up to twice ours they come in, so that an idle one can go for them.
     */
    int n = atomic_fetch_add_explicit(&http->n_connections, 1, memory_order_relaxed);
    unsigned turn = atomic_fetch_add_explicit(&http->next_loop, 1, memory_order_relaxed);
    if (n < most_at_all(http) &&
        arka_loop_add(http->crowds[turn % (unsigned)http->n_crowds].loop, fd, peer, peer_len))
        return;
    close(fd);
    atomic_fetch_sub_explicit(&http->n_connections, 1, memory_order_relaxed);
}

int arka_http_n_connections(const arka_http *http)
{
    return atomic_load_explicit(&http->n_connections, memory_order_relaxed);
}

int arka_http_in_flight(const arka_http *http)
{
    return atomic_load_explicit(&http->in_flight, memory_order_relaxed);
}

int64_t arka_http_silent_ms(arka_http *http)
{
    int64_t longest = 0;
    for (int i = 0; i < http->n_crowds; i++) {
        int64_t ms = arka_loop_ask(http->crowds[i].loop);
        longest = ms > longest ? ms : longest;
    }
    return longest;
}

bool arka_http_wait_idle(arka_http *http, arka_mono deadline)
{
    bool waited = true;
    arka_mutex_lock(&http->lock);
    /* pairs with the decrement in count_out */
    while (waited && atomic_load_explicit(&http->in_flight, memory_order_acquire) > 0)
        waited = arka_cond_wait(&http->idle, &http->lock, deadline);
    arka_mutex_unlock(&http->lock);
    return atomic_load_explicit(&http->in_flight, memory_order_acquire) == 0;
}
