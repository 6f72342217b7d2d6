/** One request and its answer, waiting for it: what the verbs and the benches' checks use. */
#ifndef ARKA_CLI_HTTP_CALL_H
#define ARKA_CLI_HTTP_CALL_H

#include "cli/http_response.h"
#include "cli/http_target.h"

typedef struct arka_http_request {
    const char *method;
    const char *path;    /* with its query string, percent-encoded */
    const char *headers; /* more header lines, each ended by CRLF; may be NULL */
    arka_slice body;     /* Content-Length is sent for POST and PUT, and with any body */
    int timeout_ms;      /* for each wait without progress; 0 = 60,000 */
} arka_http_request;

/** Append request line and headers ("Host", "Content-Length" and `headers`), without the body. */
void arka_http_request_head(const arka_http_target *target, const arka_http_request *request,
                            arka_buf *out);

/**
 * Connect, send, read the whole answer into `r` (initialised by the caller, sink set if the body
 * is wanted), close. Any status is ARKA_OK: look at r->status. ARKA_IO: no connection; ARKA_UNSURE
 * and ARKA_CORRUPT: broken or cut off after the request left; ARKA_CANCELLED: timeout. Any thread.
 */
ARKA_MUST_USE arka_status arka_http_call(const arka_http_target *target,
                                         const arka_http_request *request, arka_http_response *r,
                                         arka_error *err);

/** A sink that appends to the arka_buf `context`; ARKA_LIMIT over 64 MiB. */
arka_status arka_http_sink_buf(void *context, const char *bytes, size_t n, arka_error *err);

#endif
