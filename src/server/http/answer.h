/**
 * The answer of one request, built by its handler and sent by reply.c. Belongs to the request; one
 * thread at a time.
 *
 *     return arka_answer_fail(r, &err);                       an error body, status by err.code
 *     arka_buf *b = arka_answer_json(r, 200); arka_buf_…      a JSON body
 *     return ARKA_ANSWERED;
 */
#ifndef ARKA_SERVER_HTTP_ANSWER_H
#define ARKA_SERVER_HTTP_ANSWER_H

#include "base/buf.h"
#include "server/http/route.h"

typedef struct arka_stream arka_stream;

enum { ARKA_ANSWER_HEADERS = 12 };

typedef struct arka_answer {
    int status;               /* HTTP; 0: there is none yet */
    const char *content_type; /* a literal, or in the request's arena; NULL: no body */
    arka_buf body;
    arka_stream *stream; /* instead of body; one reference */
    bool close;          /* the connection, afterwards */
    int n_headers;
    struct {
        const char *name, *value;
    } headers[ARKA_ANSWER_HEADERS]; /* literals, or in the request's arena */
} arka_answer;

/** Drop what the answer holds and begin again, before anything of it was sent. */
void arka_answer_reset(arka_answer *answer);

/** One more header; over ARKA_ANSWER_HEADERS or out of memory it is left out. */
void arka_answer_header(arka_request *r, const char *name, const char *format, ...)
    ARKA_PRINTF(3, 4);

/** 204. */
arka_handled arka_answer_empty(arka_request *r);
/** Where the JSON text goes; the type is set. */
arka_buf *arka_answer_json(arka_request *r, int status);

/**
 * The error body of every endpoint: {"success":false,"error":M,"message":M,"detail":M,"code":C},
 * and what the route's shape adds to it. `code` is one of the slugs of docs/api.md.
 */
arka_handled arka_answer_error(arka_request *r, int status, const char *code, const char *format,
                               ...) ARKA_PRINTF(4, 5);
/** The same from an error of ours: status and code by the table in answer.c. */
arka_handled arka_answer_fail(arka_request *r, const arka_error *err);
/** HTTP status of a failure, for a route of that shape. */
int arka_answer_status(arka_status code, arka_shape shape);

#endif
