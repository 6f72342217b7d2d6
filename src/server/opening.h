/**
 * Opening the engine and SQL, on a thread of its own, while the server answers already: the log may
 * take a while to replay. Private to server/.
 */
#ifndef ARKA_SERVER_OPENING_H
#define ARKA_SERVER_OPENING_H

#include <stdatomic.h>

#include "os/thread.h"

typedef struct arka_server arka_server;

/** How far it is. Part of the server. */
typedef struct arka_opening {
    atomic_bool
        open; /* release after server->engine and server->sql were set, acquire to use them */
    atomic_int_least64_t done_bytes, total_bytes; /* of the log; 0: not being replayed */
    int ended_fd; /* readable when it has ended, in success or failure */
    bool runs;
    arka_thread thread;
    arka_mono told;     /* when progress was logged last; the thread's own */
    arka_status status; /* how it ended, and why; to be read after arka_opening_join */
    arka_error error;
} arka_opening;

/** Sets server->opening up; before anything else uses it. */
ARKA_MUST_USE arka_status arka_opening_init(arka_server *server, arka_error *err);
ARKA_MUST_USE arka_status arka_opening_start(arka_server *server, arka_error *err);
/** Wait for its end; soon, when the server is stopping. Fine if it was not started. */
void arka_opening_join(arka_server *server);
void arka_opening_fini(arka_server *server);

enum { ARKA_OPENING_TEXT = 128 };
/** What is being done, as a sentence; *progress from 0 to 1. Any thread. */
void arka_opening_text(arka_server *server, char out[ARKA_OPENING_TEXT], double *progress);

#endif
