/**
 * Queries whose client may go away unseen, from when they are handed to the pool. A thread looks at
 * their sockets 40 times a second while there are any, because the HTTP library does not look at
 * suspended connections. Any thread.
 *
 * A query whose client is gone is cancelled; a client that closes only its sending side counts as
 * gone. The queries are also cancelled one by one, and all when a stop has waited long enough.
 */
#ifndef ARKA_SERVER_HTTP_RUNNING_H
#define ARKA_SERVER_HTTP_RUNNING_H

#include "sql/sql.h"

typedef struct arka_running arka_running;

/** One such request; caller's memory, alive from enter to leave. */
typedef struct arka_ticket {
    /* private to running.c */
    struct arka_ticket *next, *previous;
    arka_query *query;
    void (*on_cancel)(void *context);
    void *context;
    int fd; /* to look at, or -1 */
    bool cancelled;
} arka_ticket;

ARKA_MUST_USE arka_status arka_running_new(arka_running **out, arka_error *err);
/** Nothing may be running. NULL is fine. */
void arka_running_free(arka_running *running);

/**
 * A query; `fd`: the client's socket, watched from now on. `on_cancel` (NULL: nothing) is called
 * when it is cancelled, under a lock of rank RUNNING.
 */
void arka_running_enter(arka_running *running, arka_ticket *ticket, int fd,
                        void (*on_cancel)(void *context), void *context);
void arka_running_leave(arka_running *running, arka_ticket *ticket);
/** The query there is to cancel (NULL: not any more); cancelled at once if its ticket was. */
void arka_running_set_query(arka_running *running, arka_ticket *ticket, arka_query *query);
/** Watch `fd`, or with -1 nothing. Must be -1 before the connection may go on. */
void arka_running_watch(arka_running *running, arka_ticket *ticket, int fd);
void arka_running_cancel(arka_running *running, arka_ticket *ticket);
/** All that are there, and every one that is entered from now on. */
void arka_running_cancel_all(arka_running *running);
/** … or must its query end for another reason? */
bool arka_running_is_cancelled(arka_running *running, const arka_ticket *ticket);
int arka_running_n(arka_running *running);
/** Queries whose client went away, since the start. */
int64_t arka_running_n_left(arka_running *running);

#endif
