/**
 * HTTP by libmicrohttpd: connections in, requests to their handlers, answers out. Private to
 * server/. A loop a thread (loop.h); each connection belongs to one of them for life.
 *
 * A request's body is collected first: borrowed from the connection's own buffer when it came in
 * one piece and its handler runs on the HTTP thread, else copied. Handlers that may wait run on
 * workers while the connection is suspended.
 */
#ifndef ARKA_SERVER_HTTP_HTTP_H
#define ARKA_SERVER_HTTP_HTTP_H

#include <sys/socket.h>

#include "server/http/request.h"

typedef struct arka_http arka_http;

ARKA_MUST_USE arka_status arka_http_new(arka_server *server, arka_http **out, arka_error *err);
/** Closes what is open. No request may be with a worker. NULL is fine. */
void arka_http_free(arka_http *http);

/** A connection that was accepted; taken, closed when there are too many. Any thread. */
void arka_http_take_connection(arka_http *http, int fd, const struct sockaddr *peer,
                               socklen_t peer_len);

/**
 * The handler of `r` will return ARKA_DETACHED, having handed it to something that gives it back:
 * to be called before that, on the thread that the handler runs on. r->resume is called on the HTTP
 * thread, once it was given back, to complete the answer.
 */
void arka_http_detach(arka_request *r);
/** The loop that the request's connection belongs to; see loop.h. */
struct arka_loop *arka_http_loop(arka_request *r);
/** A worker is done with `r`, or has put a stream into its answer: it is not to be touched
 * after.
 */
void arka_http_give_back(arka_request *r);

/** How many connections may be open, by setting or by memory. */
int64_t arka_http_max_connections(const arka_http *http);

/**
 * Bytes of request bodies, as sent and inflated. charge: take n (or give back, n < 0) without
 * asking; room: how many more there may be, at least 0.
 */
int64_t arka_http_body_bytes(const arka_http *http);
int64_t arka_http_body_room(const arka_http *http);
void arka_http_charge_body(arka_http *http, int64_t n_bytes);

/** Connections that are open, and requests that were begun and not answered. */
int arka_http_n_connections(const arka_http *http);
int arka_http_in_flight(const arka_http *http);

/** Ask all HTTP threads for a sign of life; the longest that one owes it. See arka_loop_ask. */
int64_t arka_http_silent_ms(arka_http *http);

/** Wait until no request is in flight; false when the deadline came first. */
bool arka_http_wait_idle(arka_http *http, arka_mono deadline);

#endif
