/**
 * The inside of HTTP (http.h), for http*.c only: what a connection is, and what the files that care
 * for it do. All on the thread of its loop, but for what says otherwise.
 *
 *   http.c             the daemons of libmicrohttpd, their options, the counts of all connections
 *   http_connection.c  connections come and go, requests end
 *   http_begin.c       a request's head: where its body ends, who it is for, may it be
 *   http_body.c        its body comes, or is refused
 *   http_run.c         its handler runs, here or on a worker, and it is answered
 *   http_slow.c        whoever takes too long
 */
#ifndef ARKA_SERVER_HTTP_HTTP_PRIV_H
#define ARKA_SERVER_HTTP_HTTP_PRIV_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "os/thread.h"
#include "server/http/http.h"
#include "server/http/loop.h"
#include "server/http/slow.h"
#include "server/http/tls.h"

enum { ARKA_INLINE_BODY = 256 << 10 }; /* a larger one would hold up the thread's others */

/** The connections of one loop; its thread's. */
typedef struct arka_crowd {
    arka_http *http;
    arka_loop *loop;
    arka_slow_list idle, busy;
} arka_crowd;

struct arka_http {
    arka_server *server;
    arka_crowd *crowds;
    int n_crowds;
    atomic_uint next_loop; /* connections go to them in turn */
    atomic_int n_connections;
    atomic_int in_flight;
    atomic_int_least64_t body_bytes; /* capacity of all body buffers */
    int64_t max_body, max_body_bytes, max_connections, most_at_all;
    arka_mutex lock; /* for `idle` alone */
    arka_cond idle;
};

typedef enum arka_phase {
    ARKA_PHASE_IDLE,        /* between requests */
    ARKA_PHASE_PROOF,       /* begun, and suspended until it is known who asks */
    ARKA_PHASE_BODY,        /* its body is coming */
    ARKA_PHASE_DRAINING,    /* refused on the wire already; the connection ends soon */
    ARKA_PHASE_WITH_WORKER, /* suspended until the worker gives it back */
    ARKA_PHASE_SENT,        /* the answer is the library's */
} arka_phase;

typedef struct arka_connection {
    arka_request request; /* first: a request's address is its connection's */
    arka_http *http;
    arka_crowd *crowd;
    arka_loop *loop; /* of the crowd */
    int fd;
    arka_tls_credentials *credentials; /* NULL: no TLS */
    gnutls_session_t session;
    arka_resuming resuming;
    arka_slow slow;
    arka_phase phase; /* by arka_connection_enter */
    arka_buf target;  /* as sent */
    arka_buf body;
    int64_t body_len; /* as declared, -1: chunked */
    int64_t received; /* of it */
    int64_t charged;  /* body.cap, as counted in http->body_bytes */
    bool discard;     /* the answer stands: what comes of the body is dropped */
    bool handled;     /* the handler has run */
    bool over;        /* its client was told that it ends: no request of it is begun any more */
} arka_connection;

/* ---- http_connection.c ---- */

void arka_connection_enter(arka_connection *c, arka_phase to);
/** Give up what it has of a body, and its share of the budget. */
void arka_connection_drop_body(arka_connection *c);
/** The library sees it as it sees any end; what was sent but not taken yet is dropped. */
void arka_connection_break_off(arka_connection *c);
/** An idle one; out of the idle ones, so that it is told once. */
void arka_connection_end_idle(arka_connection *c);
arka_connection *arka_connection_of_slow(arka_slow *slow);

/* Called by the library and the loop; `context` is the crowd. */
void *arka_connection_on_target(void *context, const char *uri, struct MHD_Connection *mhd);
void arka_connection_on_completed(void *context, struct MHD_Connection *mhd, void **request,
                                  enum MHD_RequestTerminationCode how);
void arka_connection_on_life(void *context, struct MHD_Connection *mhd, void **slot,
                             enum MHD_ConnectionNotificationCode what);
/** Nothing more will come: the library does not see it when it came with the last bytes. */
void arka_connection_on_ended(void *connection);

/* ---- http_begin.c ---- */

enum MHD_Result arka_connection_begin(arka_connection *c, struct MHD_Connection *mhd,
                                      const char *method, const char *version);
/** Who asks is known now. */
enum MHD_Result arka_connection_go_on(arka_connection *c);

/* ---- http_body.c ---- */

/** Some bytes of it; *n becomes 0, all are taken. */
enum MHD_Result arka_connection_take_body(arka_connection *c, const char *bytes, size_t *n);
/** The answer stands: send it instead of reading on, by whatever way the client can see it. */
enum MHD_Result arka_connection_refuse(arka_connection *c);
/** … beside the library, in the middle of a body, and read and drop what comes for a while. */
enum MHD_Result arka_connection_drain(arka_connection *c);
/** The body is over the limit. */
enum MHD_Result arka_connection_refuse_size(arka_connection *c);

/* ---- http_run.c ---- */

enum MHD_Result arka_connection_on_request(void *context, struct MHD_Connection *mhd,
                                           const char *url, const char *method, const char *version,
                                           const char *upload, size_t *n_upload, void **request);
/** Its connection is looked at again, soon, on its own thread. Any thread; nothing of it after. */
void arka_http_wake(arka_request *r);
/** The handler runs now, on this thread. */
void arka_connection_run_here(arka_connection *c);

/* ---- http_slow.c ---- */

void arka_connection_on_look(void *context, arka_loop *loop);

#endif
