/**
 * One HTTP/1.1 answer, read a piece at a time (RFC 9112). Pure: no socket. Not thread-safe.
 *
 *     arka_http_response r;
 *     arka_http_response_init(&r);
 *     while (!r.complete) { n = recv(…); ARKA_TRY(arka_http_response_feed(&r, bytes, n, &used,
 * err)); }
 *
 * Bodies by Content-Length, chunked, or until the connection ends; interim (1xx) answers are
 * skipped; 204 and 304 have no body. `reset` makes it ready for the connection's next answer and
 * keeps its memory.
 */
#ifndef ARKA_CLI_HTTP_RESPONSE_H
#define ARKA_CLI_HTTP_RESPONSE_H

#include "base/buf.h"

/** Takes the body's bytes as they come; its failure ends the reading with the same status. */
typedef arka_status (*arka_http_sink)(void *context, const char *bytes, size_t n, arka_error *err);

typedef struct arka_http_response {
    int status; /* 0 until the head is complete */
    bool complete;
    bool keep_alive;        /* the connection may carry another request; known with the head */
    int64_t n_body_bytes;   /* so far, without chunk framing */
    int64_t content_length; /* -1: none given */
    arka_http_sink sink;    /* NULL: the body is counted only */
    void *sink_context;

    /* private */
    arka_buf head;
    int state;
    int64_t left;     /* bytes of the body or of the chunk */
    size_t n_line;    /* of the chunk-size or trailer line */
    size_t n_framing; /* of trailers in all */
    bool saw_digit;
} arka_http_response;

void arka_http_response_init(arka_http_response *r);
void arka_http_response_fini(arka_http_response *r);
void arka_http_response_reset(arka_http_response *r);

/**
 * Give it the next n bytes. *used: how many belong to this answer; fewer than n only once it is
 * complete. ARKA_CORRUPT for what is no HTTP, ARKA_LIMIT for a head over 64 KiB.
 */
ARKA_MUST_USE arka_status arka_http_response_feed(arka_http_response *r, const char *bytes,
                                                  size_t n, size_t *used, arka_error *err);
/** The connection has ended: completes a body that lasts until then, else ARKA_CORRUPT (cut off).
 */
ARKA_MUST_USE arka_status arka_http_response_end(arka_http_response *r, arka_error *err);

/** The value of the first header of that name (any case), blanks trimmed; data NULL when absent. */
arka_slice arka_http_response_header(const arka_http_response *r, const char *name);

#endif
