/** The server's numbers, gathered from all that it has. Any thread. Private to server/. */
#ifndef ARKA_SERVER_METRICS_METRICS_H
#define ARKA_SERVER_METRICS_METRICS_H

#include "observe/metrics.h"

typedef struct arka_server arka_server;

/**
 * Put everything that there is to tell into `g` (initialised). Short: no call of it waits for a
 * disk, a query or another request. What is not open yet is left out.
 */
void arka_metrics_gather(arka_server *server, arka_gathering *g);

/** Of queries, since the start. */
typedef struct arka_query_numbers {
    int64_t begun, completed, failed, rows;
    int64_t running; /* at this moment */
} arka_query_numbers;
void arka_metrics_queries(arka_server *server, arka_query_numbers *out);
/** The part of the gather that is theirs. */
void arka_metrics_gather_queries(arka_server *server, arka_gathering *g);

#endif
