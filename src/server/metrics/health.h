/** Whether the server can take work. Any thread; waits for nothing. Private to server/. */
#ifndef ARKA_SERVER_METRICS_HEALTH_H
#define ARKA_SERVER_METRICS_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

typedef struct arka_server arka_server;

/** What /ready says. `why`: a sentence that may be shown to anybody, "ready" when it is. */
bool arka_server_is_ready(arka_server *server, char *why, size_t cap);

#endif
