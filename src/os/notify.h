/**
 * Telling the service manager how we are: sd_notify's protocol, by ourselves. Each message is a
 * datagram of NAME=value lines to the Unix socket that NOTIFY_SOCKET names (a path, or @name for an
 * abstract one). Without that variable nothing is sent.
 *
 * The socket is connected when it is opened, so that a sandbox that comes afterwards does not part
 * them. Any thread may send; opening and closing are the owner's.
 *
 * Source: systemd's sd_notify(3) and sd_watchdog_enabled(3).
 */
#ifndef ARKA_OS_NOTIFY_H
#define ARKA_OS_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/status.h"

typedef struct arka_notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_len;
    int64_t watchdog_ms; /* how long we may be silent; 0: no watchdog */
} arka_notify;

/**
 * By the environment: `get` is getenv, or a test's. ARKA_INPUT: an address of another kind;
 * ARKA_IO: it cannot be reached. `n` is in good order in any case, as if nobody listened.
 */
ARKA_MUST_USE arka_status arka_notify_open(arka_notify *n, char *(*get)(const char *name),
                                           arka_error *err);
void arka_notify_close(arka_notify *n);

/**
 * Lines, such as "READY=1\nSTATUS=serving". Lost when nobody takes them: the manager decides by
 * what it hears.
 */
void arka_notify_send(const arka_notify *n, const char *format, ...) ARKA_PRINTF(2, 3);

#endif
