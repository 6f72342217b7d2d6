/** What answers say of the log. Private to server/. Any thread, once the data is open. */
#ifndef ARKA_SERVER_METRICS_WAL_H
#define ARKA_SERVER_METRICS_WAL_H

#include "base/buf.h"
#include "server/server.h"

/** "name":LSN, a number; above 2^53, where readers of JSON lose digits, a string. */
void arka_wal_put_lsn(arka_buf *out, const char *name, uint64_t lsn);
/** {"assigned":…,"visible":…,"durable":…,"pinned":…}; durable is null without a log. */
void arka_wal_put_lsns(arka_server *server, arka_buf *out);
/** The counters of the log as an object. There must be a log. */
void arka_wal_put_stats(arka_server *server, arka_buf *out);
/** How many files with damaged parts of the log lie in its directory's quarantine. */
ARKA_MUST_USE arka_status arka_wal_count_aside(const arka_settings *settings, size_t *out,
                                               arka_error *err);

#endif
