/* Numbers of the query service: queue, pool, account, kept results. */
#include "server/metrics/metrics.h"
#include "server/server_priv.h"

void arka_metrics_queries(arka_server *server, arka_query_numbers *out)
{
    arka_query_totals t;
    arka_query_registry_get_totals(server->query_registry, &t);
    *out = (arka_query_numbers){
        .begun = arka_counted(&server->counters.queries),
        .completed = t.completed,
        .failed = arka_counted(&server->counters.query_errors),
        .rows = t.rows,
        .running = t.n_running,
    };
}

static void put_pool(arka_server *server, arka_gathering *g)
{
    static const char *const NAMES[ARKA_N_PRIORITIES] = {
        [ARKA_PRIORITY_LOW] = "low",
        [ARKA_PRIORITY_NORMAL] = "normal",
        [ARKA_PRIORITY_HIGH] = "high",
        [ARKA_PRIORITY_CRITICAL] = "critical",
    };
    arka_admission_stats s;
    arka_admission_get_stats(server->admission, &s);
    for (int i = 0; i < ARKA_N_PRIORITIES; i++)
        arka_gathering_put(g, ARKA_FAMILY(arc_query_waiting), s.waiting[i], NAMES[i]);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_running), s.n_running);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_slots), s.n_threads);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_queue_limit), s.max_waiting);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_held_back), s.held_back);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_waited), s.n_waited);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_wait_seconds), (double)s.wait_ns / 1e9);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_run_seconds), (double)s.run_ns / 1e9);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_refused), s.n_refused);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_over_memory), s.n_over);
    arka_gathering_put(g, ARKA_FAMILY(arc_db_queries), s.n_run);
    arka_gathering_put(g, ARKA_FAMILY(arc_db_connections_open), s.n_threads);
    arka_gathering_put(g, ARKA_FAMILY(arc_db_connections_in_use), s.n_running);
}

static void put_results(arka_server *server, arka_gathering *g)
{
    arka_result_cache_stats s;
    if (server->result_cache == NULL)
        return;
    arka_result_cache_get_stats(server->result_cache, &s);
    arka_gathering_put(g, ARKA_FAMILY(arc_result_cache_hits), s.hits);
    arka_gathering_put(g, ARKA_FAMILY(arc_result_cache_misses), s.misses);
    arka_gathering_put(g, ARKA_FAMILY(arc_result_cache_evictions), s.evictions);
    arka_gathering_put(g, ARKA_FAMILY(arc_result_cache_outdated), s.outdated);
    arka_gathering_put(g, ARKA_FAMILY(arc_result_cache_expired), s.expirations);
    arka_gathering_put(g, ARKA_FAMILY(arc_result_cache_entries), s.n_entries);
    arka_gathering_put(g, ARKA_FAMILY(arc_result_cache_bytes), s.n_bytes);
    arka_gathering_put(g, ARKA_FAMILY(arc_result_cache_limit_bytes), s.max_bytes);
}

void arka_metrics_gather_queries(arka_server *server, arka_gathering *g)
{
    arka_query_numbers n;
    arka_metrics_queries(server, &n);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_requests), n.begun);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_success), n.completed);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_errors), n.failed);
    arka_gathering_put(g, ARKA_FAMILY(arc_query_client_disconnects),
                       arka_running_n_left(server->running));
    put_pool(server, g);
    put_results(server, g);
}
