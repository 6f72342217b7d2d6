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
#ifndef ARKA_SERVER_LOOP_H
#define ARKA_SERVER_LOOP_H

#include <microhttpd.h>
#include <sys/socket.h>

#include "base/status.h"

typedef struct arka_loop arka_loop;

/** Part of what waits to be resumed; whoever suspends keeps it in place. */
typedef struct arka_resuming {
    struct arka_resuming *next;
    struct MHD_Connection *connection;
} arka_resuming;

/**
 * `options`: of MHD_start_daemon, ending with MHD_OPTION_END. `lost`, with the same context: a
 * connection that was added could not be served, and is closed.
 */
ARKA_MUST_USE arka_status arka_loop_new(MHD_AccessHandlerCallback handle,
                                        void (*lost)(void *context), void *context,
                                        struct MHD_OptionItem *options, arka_loop **out,
                                        arka_error *err);
/** Whose thread this is; NULL: no loop's. */
arka_loop *arka_loop_current(void);
/** Resume what waits for it, end the thread, close what is open. NULL is fine. */
void arka_loop_free(arka_loop *loop);

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
