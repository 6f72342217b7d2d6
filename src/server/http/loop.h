/**
 * A loop: one HTTP thread with a libmicrohttpd daemon of its own, whose events it waits for by
 * itself. Private to server/.
 *
 * Why not the library's own threads: 0.9.75 and before ask epoll for up to 128 events and, when
 * exactly so many come, wait once more for as long as the timeout says before they handle any; 128
 * clients that wait for their answers then wait for ever. Run from outside it never blocks. And a
 * group of connections that are resumed together costs one wake-up of the thread, not one each.
 *
 * MHD_resume_connection is called here alone: from another thread it may come just after the
 * library has looked for it and before it reads its wake-up away, and then nobody wakes.
 */
#ifndef ARKA_SERVER_HTTP_LOOP_H
#define ARKA_SERVER_HTTP_LOOP_H

#include <microhttpd.h>
#include <sys/socket.h>

#include "base/status.h"
#include "os/clock.h"

typedef struct arka_loop arka_loop;

/** Part of what waits to be resumed; whoever suspends keeps it in place. */
typedef struct arka_resuming {
    struct arka_resuming *next;
    struct MHD_Connection *connection;
} arka_resuming;

/** What a loop calls, on its thread. */
typedef struct arka_loop_calls {
    void *context; /* of handle, lost and look */
    MHD_AccessHandlerCallback handle;
    /** A connection that was added could not be served, and is closed. */
    void (*lost)(void *context);
    /** About once a second, and no call of the library's is on the way. */
    void (*look)(void *context, arka_loop *loop);
    /** The client of a connection that is watched sends no more. Once, after the library has seen
     * it, or could have. */
    void (*ended)(void *connection);
} arka_loop_calls;

/** `options`: of MHD_start_daemon, ending with MHD_OPTION_END; `tls`: they are those of HTTPS. */
ARKA_MUST_USE arka_status arka_loop_new(const arka_loop_calls *calls,
                                        struct MHD_OptionItem *options, bool tls, arka_loop **out,
                                        arka_error *err);
/** Whose thread this is; NULL: no loop's. */
arka_loop *arka_loop_current(void);
/** Resume what waits for it, end the thread, close what is open. NULL is fine. */
void arka_loop_free(arka_loop *loop);

/** Tell `connection` (see ended) when no more will come on `fd`. On the loop's thread, as forget.
 */
void arka_loop_watch(arka_loop *loop, int fd, void *connection);
void arka_loop_forget(arka_loop *loop, int fd);
/** When this round of the loop began, a look at the clock saved. On the loop's thread. */
arka_mono arka_loop_now(const arka_loop *loop);

/** A connection that was accepted. False: it was not taken, the caller closes it. Any thread. */
bool arka_loop_add(arka_loop *loop, int fd, const struct sockaddr *peer, socklen_t peer_len);
/** Resume a suspended connection, soon, on the loop's thread. Any thread. */
void arka_loop_resume(arka_loop *loop, arka_resuming *resuming, struct MHD_Connection *connection);

/**
 * Ask its thread for a sign of life, which it gives when it next looks for work. Returns for how
 * many milliseconds an earlier question has had none; 0: the last one was answered. Any thread.
 */
int64_t arka_loop_ask(arka_loop *loop);

#endif
