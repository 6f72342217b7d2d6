#include "server/query/query_service.h"

#include "server/server_priv.h"

enum { CACHE_PART = 40, CACHE_MOST_MB = 200, LEAST_YOUNG = 2 };

static bool used_memory(void *context, int64_t *n_bytes)
{
    arka_server *server = context;
    arka_sql_usage usage;
    if (arka_sql_get_usage(server->sql, &usage, NULL) != ARKA_OK)
        return false;
    *n_bytes = usage.working;
    return true;
}

static arka_result_cache_options cache_limits(const arka_settings *s)
{
    int64_t most = (int64_t)CACHE_MOST_MB << 20, share = s->memory_limit / CACHE_PART;
    return (arka_result_cache_options){
        .max_entries = s->cache_entries,
        .max_result_bytes = s->cache_result_mb << 20,
        .max_bytes = s->cache_total_mb > 0 ? s->cache_total_mb << 20
                     : share < most        ? share
                                           : most,
    };
}

static arka_status start_cache(arka_server *server, const arka_settings *s, arka_error *err)
{
    if (!s->cache_enabled)
        return ARKA_OK;
    arka_result_cache_options options = cache_limits(s);
    return arka_result_cache_new(&options, &server->result_cache, err);
}

void arka_query_service_reload(arka_server *server)
{
    arka_result_cache_options options = cache_limits(arka_server_settings(server));
    if (server->result_cache != NULL)
        arka_result_cache_limit(server->result_cache, &options);
}

arka_status arka_query_service_start(arka_server *server, arka_error *err)
{
    const arka_settings *s = server->settings;
    arka_admission_options options = {
        .n_threads = (int)s->query_slots,
        .n_young = (int)(s->duckdb_threads > LEAST_YOUNG ? s->duckdb_threads : LEAST_YOUNG),
        .max_waiting = (int)s->query_queue,
        .memory = s->duckdb_memory,
        .one_memory = s->query_one_memory,
        .used = used_memory,
        .context = server,
    };
    ARKA_TRY(arka_query_registry_new((int)s->query_history, &server->query_registry, err));
    ARKA_TRY(start_cache(server, s, err));
    return arka_admission_new(&options, &server->admission, err);
}

void arka_query_service_opened(arka_server *server)
{
    arka_admission_watch_memory(server->admission);
}

void arka_query_service_stop(arka_server *server)
{
    if (server->admission != NULL)
        arka_admission_stop(server->admission);
}

void arka_query_service_free(arka_server *server)
{
    arka_admission_free(server->admission);
    arka_result_cache_free(server->result_cache);
    arka_query_registry_free(server->query_registry);
}
