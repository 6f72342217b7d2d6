/** What queries need beside SQL: the pool, the account, the remembered answers. Private to server/.
 */
#ifndef ARKA_SERVER_QUERY_QUERY_SERVICE_H
#define ARKA_SERVER_QUERY_QUERY_SERVICE_H

#include "server/server.h"

/** Makes them; nothing of the data is needed yet. */
ARKA_MUST_USE arka_status arka_query_service_start(arka_server *server, arka_error *err);
/** SQL is open: from now on the pool looks at its memory. */
void arka_query_service_opened(arka_server *server);
/** Settings have changed: the limits of the remembered answers follow them. */
void arka_query_service_reload(arka_server *server);
/** Lets end what runs. Before the HTTP threads end, and SQL. */
void arka_query_service_stop(arka_server *server);
/** After the HTTP threads have ended; what was never made is passed over. */
void arka_query_service_free(arka_server *server);

#endif
