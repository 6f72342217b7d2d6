/**
 * Serving until a signal, and telling the service manager all the while: how the log is replayed,
 * that the server is ready, that it gets on, that it reloads and that it stops (os/notify.h).
 */
#ifndef ARKA_CLI_SERVICE_H
#define ARKA_CLI_SERVICE_H

#include <signal.h>

#include "observe/log.h"
#include "os/notify.h"
#include "server/server.h"

typedef struct arka_service {
    arka_server *server;
    const arka_log *log;
    const arka_notify *notify;
    const char *url;
    int signal_fd; /* of the signals that are waited for */
    void (*ready)(void *context);
    void (*reload)(void *context); /* SIGHUP, once it is ready */
    void *context;                 /* of the two */
} arka_service;

/** Its signals, which have to be blocked in every thread: SIGTERM, SIGINT, SIGHUP. */
void arka_service_signals(sigset_t *out);
/**
 * Until SIGTERM or SIGINT, which it returns; 0: the data could not be opened, *err says why. On the
 * thread that started the server.
 */
int arka_service_run(arka_service *service, arka_error *err);

#endif
