/** Dropping databases and measurements, for all that can ask for it. Private to server/. */
#ifndef ARKA_SERVER_QUERY_DROP_H
#define ARKA_SERVER_QUERY_DROP_H

#include "base/slice.h"
#include "server/http/request.h"

/**
 * ARKA_FORBIDDEN while delete.enabled is off; ARKA_NOTFOUND; ARKA_IO, ARKA_BUSY: nothing was
 * dropped. The log says who did it. May wait for a flush; not on an HTTP thread.
 */
ARKA_MUST_USE arka_status arka_drop_database(arka_server *server, arka_slice database,
                                             const char *request_id, arka_error *err);
ARKA_MUST_USE arka_status arka_drop_table(arka_server *server, arka_slice database,
                                          arka_slice table, const char *request_id,
                                          arka_error *err);

#endif
