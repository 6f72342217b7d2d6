/**
 * A bounded run of bytes from a worker that makes an answer to the connection that sends it.
 *
 *     worker                               HTTP thread
 *     push(piece) … end(true or false)     read(into) … until 0 bytes and ended
 *
 * The worker waits while MAX_WAITING bytes are not taken, the connection is suspended while there
 * are none. Two references: the worker's and the answer's. When the connection goes first, pushes
 * answer false and the query is cancelled.
 */
#ifndef ARKA_SERVER_HTTP_STREAM_H
#define ARKA_SERVER_HTTP_STREAM_H

#include <sys/types.h>

#include "server/http/request.h"
#include "server/http/running.h"

typedef struct arka_stream arka_stream;

ARKA_MUST_USE arka_status arka_stream_new(arka_server *server, arka_stream **out, arka_error *err);
void arka_stream_unref(arka_stream *stream);

/** Its ticket among the running queries, for the worker to enter and leave. */
arka_ticket *arka_stream_ticket(arka_stream *stream);

/**
 * Give the request back to its HTTP thread with this stream as its answer, `first` (taken) being
 * the first bytes. The request is not the worker's any more.
 */
void arka_stream_begin(arka_stream *stream, arka_request *r, arka_buf *first);
/** Takes the bytes of `piece` and leaves an empty buffer in it. false: nobody wants them any more.
 */
bool arka_stream_push(arka_stream *stream, arka_buf *piece);
/** No more bytes. Not `complete`: the connection is broken off, so that the client sees it. */
void arka_stream_end(arka_stream *stream, bool complete);
/** Sent as a trailer behind the last byte. Before end(). */
void arka_stream_set_ms(arka_stream *stream, double execution_ms);

struct MHD_Response;
/** The chunked response that reads from it and takes the answer's reference. NULL: out of memory.
 */
struct MHD_Response *arka_stream_response(arka_stream *stream);
/** The answer is gone: gives its reference back and cancels the query if it still runs. */
void arka_stream_abandon(void *stream);

#endif
