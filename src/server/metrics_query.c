/* Numbers of the query service. */
#include "server/metrics.h"
#include "server/server_priv.h"

void arka_metrics_queries(arka_server *server, arka_query_numbers *out)
{
    arka_counters *c = &server->counters;
    *out = (arka_query_numbers){
        .begun = arka_counted(&c->queries),
        .failed = arka_counted(&c->query_errors),
    };
}

void arka_metrics_gather_queries(arka_server *server, arka_gathering *g)
{
    const arka_settings *s = arka_server_settings(server);
    arka_query_numbers n;
    arka_metrics_queries(server, &n);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_requests), n.begun);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_errors), n.failed);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_slots), s->query_slots);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_queue_limit), s->query_queue);
}
