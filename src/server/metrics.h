/** The server's numbers, gathered from all that it has. Private to server/. */
#ifndef ARKA_SERVER_METRICS_H
#define ARKA_SERVER_METRICS_H

#include "observe/metrics.h"

typedef struct arka_server arka_server;

/**
 * Put everything that there is to tell into `g` (initialised). Short: no call of it waits for a
 * disk, a query or another request. What is not open yet is left out. Any thread.
 */
void arka_metrics_gather(arka_server *server, arka_gather *g);

#endif
