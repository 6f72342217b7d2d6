/**
 * The load generator's loop: N keep-alive connections to one server over epoll in the calling
 * thread, each with one request at a time. What is sent and what becomes of it is the source's
 * business. Several loops may run in several threads.
 */
#ifndef ARKA_CLI_BENCH_BENCH_HTTP_H
#define ARKA_CLI_BENCH_BENCH_HTTP_H

#include <stdatomic.h>

#include "cli/http_response.h"
#include "cli/http_target.h"
#include "os/clock.h"

typedef struct arka_bench_request {
    const char *bytes; /* head and body; must stay as they are until `done` */
    size_t n_bytes;
    int64_t tag;         /* the source's own */
    arka_http_sink sink; /* gets the body of a 2xx answer; may be NULL */
    void *sink_context;
} arka_bench_request;

typedef struct arka_bench_reply {
    int status; /* 0: none came; the request may have been carried out or not */
    arka_mono at;
    int64_t latency_ns; /* from the first byte sent to the last received */
    int64_t n_body_bytes;
    int retry_after_s; /* -1: not said */
    arka_slice text;   /* the begin of the body when status >= 300, or why there is no answer */
} arka_bench_reply;

typedef struct arka_bench_source {
    void *context;
    /* The next request of connection 0 .. n_connections - 1; false: it has none any more. */
    bool (*next)(void *context, int connection, arka_bench_request *out);
    /*
     * Every request that was sent ends here, once. Answers how many ms to wait before the
     * connection's next request, or -1 to end the whole run (answers under way are awaited).
     */
    int (*done)(void *context, int connection, const arka_bench_request *request,
                const arka_bench_reply *reply);
    /* Called about every 100 ms; may be NULL. */
    void (*tick)(void *context);
    /*
     * NULL: a connection's next request begins when its last one has ended. Else requests begin at
     * times of their own, on the connection that has rested longest: when the next one is to
     * (nanoseconds of arka_mono, about 1 ms exact; INT64_MAX: there are no more), asked again after
     * `next` and `missed`.
     */
    int64_t (*due)(void *context);
    void (*missed)(void *context); /* it was due and no connection was at rest; with `due` only */
} arka_bench_source;

typedef struct arka_bench_loop_options {
    const arka_http_target *target;
    int n_connections;
    int reply_timeout_ms; /* 0 = 60,000 */
    atomic_bool *stop;    /* set by another thread, or by a loop that ends its run; may be NULL */
} arka_bench_loop_options;

/**
 * Run until no connection has a request any more. A connection that breaks is made anew, for the
 * source's next request. ARKA_IO: the server cannot be reached (at once at the start, after 5 s of
 * trying later); the request that waited for the connection was not sent. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_bench_loop_run(const arka_bench_loop_options *options,
                                              const arka_bench_source *source, arka_error *err);

#endif
