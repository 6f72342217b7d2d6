#include "server/metrics/route_stats.h"

#include "base/mem.h"

typedef struct one_route {
    atomic_int_least64_t by_class[ARKA_STATUS_CLASSES + 1]; /* [0]: unanswered */
    arka_latency latency;
} one_route;

struct arka_route_stats {
    size_t n;
    one_route routes[]; /* as arka_routes; the last is for none */
};

arka_status arka_route_stats_new(int n_threads, arka_route_stats **out, arka_error *err)
{
    size_t n = arka_n_routes + 1, n_bytes = sizeof(arka_route_stats) + n * sizeof(one_route);
    arka_route_stats *stats = arka_calloc(1, n_bytes);
    if (stats == NULL)
        return arka_fail_nomem(err, "the account of routes", n_bytes);
    for (; stats->n < n; stats->n++) {
        arka_status status = arka_latency_init(&stats->routes[stats->n].latency, n_threads, err);
        if (status != ARKA_OK) {
            arka_route_stats_free(stats);
            return status;
        }
    }
    *out = stats;
    return ARKA_OK;
}

void arka_route_stats_free(arka_route_stats *stats)
{
    if (stats == NULL)
        return;
    for (size_t i = 0; i < stats->n; i++)
        arka_latency_fini(&stats->routes[i].latency);
    arka_free(stats);
}

static size_t place_of(const arka_route_stats *stats, const arka_route *route)
{
    return route != NULL ? (size_t)(route - arka_routes) : stats->n - 1;
}

void arka_route_stats_note(arka_route_stats *stats, const arka_route *route, int status, int64_t ns)
{
    one_route *one = &stats->routes[place_of(stats, route)];
    int class = status >= 100 && status < 600 ? status / 100 : 0;
    atomic_fetch_add_explicit(&one->by_class[class], 1, memory_order_relaxed);
    arka_latency_observe(&one->latency, ns);
}

void arka_route_view_add(arka_route_view *to, const arka_route_view *from)
{
    for (int i = 0; i < ARKA_STATUS_CLASSES; i++)
        to->by_class[i] += from->by_class[i];
    to->unanswered += from->unanswered;
    arka_latency_add(&to->latency, &from->latency);
}

static void add(const one_route *one, arka_route_view *out)
{
    arka_latency_view view;
    out->unanswered += atomic_load_explicit(&one->by_class[0], memory_order_relaxed);
    for (int i = 0; i < ARKA_STATUS_CLASSES; i++)
        out->by_class[i] += atomic_load_explicit(&one->by_class[i + 1], memory_order_relaxed);
    arka_latency_read(&one->latency, &view);
    arka_latency_add(&out->latency, &view);
}

void arka_route_stats_read(const arka_route_stats *stats, const arka_route *route,
                           arka_route_view *out)
{
    *out = (arka_route_view){0};
    add(&stats->routes[place_of(stats, route)], out);
}

void arka_route_stats_total(const arka_route_stats *stats, arka_route_view *out)
{
    *out = (arka_route_view){0};
    for (size_t i = 0; i < stats->n; i++)
        add(&stats->routes[i], out);
}
