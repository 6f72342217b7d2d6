/**
 * What was asked of each route, and how long it took. Counted at the end of every request, on the
 * HTTP threads; read by whoever wants to know. Any thread. Private to server/.
 */
#ifndef ARKA_SERVER_METRICS_ROUTE_STATS_H
#define ARKA_SERVER_METRICS_ROUTE_STATS_H

#include "base/latency.h"
#include "server/http/route.h"

typedef struct arka_route_stats arka_route_stats;

/** For the routes of routes.def; `n_threads`: how many count at once. */
ARKA_MUST_USE arka_status arka_route_stats_new(int n_threads, arka_route_stats **out,
                                               arka_error *err);
void arka_route_stats_free(arka_route_stats *stats); /* NULL is fine */

/** A request ended with this status (0: it ended before it was answered). NULL route: there was
 * none. */
void arka_route_stats_note(arka_route_stats *stats, const arka_route *route, int status,
                           int64_t ns);

enum { ARKA_STATUS_CLASSES = 5 }; /* 1xx to 5xx */

typedef struct arka_route_view {
    int64_t by_class[ARKA_STATUS_CLASSES], unanswered;
    arka_latency_view latency;
} arka_route_view;
/** `from` as well. */
void arka_route_view_add(arka_route_view *to, const arka_route_view *from);
/** Of one route, or with NULL of all requests that had none. */
void arka_route_stats_read(const arka_route_stats *stats, const arka_route *route,
                           arka_route_view *out);
/** All requests together. */
void arka_route_stats_total(const arka_route_stats *stats, arka_route_view *out);

#endif
