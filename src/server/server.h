/**
 * The server: the engine and the query service behind HTTP. This header is the folder's face.
 *
 * Order of start: workers, HTTP, listening; then, on a thread of its own, engine and sql. Until
 * those are open what needs them is answered with 503. Stop is the reverse, and says so in log.
 */
#ifndef ARKA_SERVER_SERVER_H
#define ARKA_SERVER_SERVER_H

#include "config/layers.h"
#include "observe/log.h"

typedef struct arka_server arka_server;

/**
 * Listen, and begin to open the data. `settings` (finished) and `log` outlive the server.
 * ARKA_INPUT, ARKA_IO: the address cannot be used.
 */
ARKA_MUST_USE arka_status arka_server_start(const arka_settings *settings, const arka_log *log,
                                            arka_server **out, arka_error *err);
/** A descriptor that is readable once the data is open or could not be opened; for poll(2). */
int arka_server_opened_fd(const arka_server *server);
/**
 * How that ended; waits for it. ARKA_CONFLICT: another process has the data directory;
 * ARKA_CORRUPT: the log is damaged; ARKA_CANCELLED: the server is stopping; others: whatever the
 * engine says. After a failure all that is left to do is arka_server_stop. Same thread as
 * arka_server_stop.
 */
ARKA_MUST_USE arka_status arka_server_opened(arka_server *server, arka_error *err);
/** What is being done until the data is open, as a sentence; `progress` from 0 to 1. Any thread. */
void arka_server_opening(arka_server *server, char *text, size_t n, double *progress);
/**
 * Does it get on with its work? False when, for `patience_ms` and more, an HTTP thread has not come
 * to look at its connections or the committer sits at one group of writes; `text` says which. Each
 * call asks the HTTP threads, and the next one sees their answers; so call it now and then.
 */
bool arka_server_is_alive(arka_server *server, int64_t patience_ms, char *text, size_t n);
/**
 * The settings in force: a version that never changes and stays until the server is gone. A reload
 * makes a new one; who wants to see it asks again. Any thread.
 */
const arka_settings *arka_server_settings(const arka_server *server);
/**
 * Read the layers again and take over what is live (settings.def); tells in the log of each change,
 * and of what needs a restart. After a failure, which the log has, everything is as it was. The
 * thread that started the server; others may read settings meanwhile.
 */
ARKA_MUST_USE arka_status arka_server_reload(arka_server *server, const arka_setting_layers *layers,
                                             arka_error *err);
/** The port that it listens on. */
int arka_server_port(const arka_server *server);
/**
 * Accept no more, wait for the requests in flight (at most server.graceful_timeout, then running
 * queries are cancelled), flush, close. Returns the engine's failure to flush; the server is gone
 * in any case. NULL is fine. While the data is being opened that is broken off.
 *
 * A query cannot be cancelled inside of one call of a function (levenshtein of two megabytes). If
 * one is still there after some seconds, everything is flushed all the same, but the server cannot
 * be taken apart around it: *stuck is true, its threads run on, and the process has to _exit.
 */
arka_status arka_server_stop(arka_server *take_server, bool *stuck, arka_error *err);

#endif
