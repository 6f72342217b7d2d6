/**
 * A connection to a server for one request at a time, with or without TLS, that waits for what it
 * does. One thread; what goes wrong names the server.
 */
#ifndef ARKA_CLI_HTTP_LINK_H
#define ARKA_CLI_HTTP_LINK_H

#include "base/slice.h"
#include "cli/http_target.h"

typedef struct arka_http_link arka_http_link;

/**
 * Connect, and with https make sure who it is: by the system's authorities, or target->tls.ca.
 * timeout_ms: for each wait without progress. `target` outlives it. ARKA_IO: nobody there, or not
 * the one it says it is; ARKA_INPUT: a file of target->tls cannot be used; ARKA_CANCELLED: timeout.
 */
ARKA_MUST_USE arka_status arka_http_link_open(const arka_http_target *target, int timeout_ms,
                                              arka_http_link **out, arka_error *err);
/** NULL is fine. */
void arka_http_link_close(arka_http_link *link);

/**
 * All of it. ARKA_OK too when the server has closed: one that refuses a long body answers first,
 * and the answer tells why. ARKA_UNSURE: broken off on the way.
 */
ARKA_MUST_USE arka_status arka_http_link_send(arka_http_link *link, arka_slice bytes,
                                              arka_error *err);
/** What has come, at least a byte, or *n = 0 at the end. ARKA_UNSURE: broken off. */
ARKA_MUST_USE arka_status arka_http_link_receive(arka_http_link *link, char *into, size_t max,
                                                 size_t *n, arka_error *err);

#endif
