/** Where a server is: an http:// or https:// URL, resolved once, and connections to it. */
#ifndef ARKA_CLI_HTTP_TARGET_H
#define ARKA_CLI_HTTP_TARGET_H

#include <sys/socket.h>

#include "base/status.h"

/** How TLS is done; the files are PEM, NULL when not given, and outlive the target. */
typedef struct arka_http_tls {
    bool on;
    bool insecure;          /* whoever answers is believed */
    const char *ca;         /* who is trusted; else the system's authorities */
    const char *cert, *key; /* to show when asked for; the key may be in the certificate's file */
} arka_http_tls;

typedef struct arka_http_target {
    char authority[280]; /* host[:port] as the URL has it: what the Host header says */
    char host[256];      /* of it, without brackets */
    int port;
    arka_http_tls tls;
    struct sockaddr_storage address;
    socklen_t address_len;
} arka_http_target;

/**
 * Read "http[s]://host[:port][/]" and resolve the host (blocks for the resolver); "[::1]" for IPv6.
 * The port is 80 or 443 when absent. ARKA_INPUT for another scheme, a path, user names or a bad
 * port; ARKA_NOTFOUND when the name does not resolve.
 */
ARKA_MUST_USE arka_status arka_http_target_resolve(const char *url, arka_http_target *out,
                                                   arka_error *err);
/** True when the address is this machine's own loopback. */
bool arka_http_target_is_loopback(const arka_http_target *target);

/**
 * Start a connection: a non-blocking socket that is connected or becomes so (wait for it to be
 * writable, then ask arka_http_connected). TCP_NODELAY is on. ARKA_IO names the address.
 */
ARKA_MUST_USE arka_status arka_http_connect(const arka_http_target *target, int *out_fd,
                                            arka_error *err);
/** How the connecting of `fd` ended, once it is writable. */
ARKA_MUST_USE arka_status arka_http_connected(const arka_http_target *target, int fd,
                                              arka_error *err);

#endif
