#include "server/server.h"

#include "server/query/query_service.h"
#include "server/metrics/monitor.h"
#include "server/metrics/route_stats.h"
#include "server/server_priv.h"
#include "server/access/tokens.h"

static arka_status start(arka_server *server, arka_error *err)
{
    enum { WAITING_WRITES = 1024, WAITING_PROOFS = 256 };
    const arka_settings *s = server->settings;
    int n = arka_n_processors();
    ARKA_TRY(arka_route_stats_new(s->workers > 0 ? (int)s->workers : n, &server->route_stats, err));
    ARKA_TRY(arka_route_table_new(arka_routes, arka_n_routes, &server->routes, err));
    ARKA_TRY(arka_opening_init(server, err));
    ARKA_TRY(arka_memory_keeper_start(&server->memory_keeper, s->memory_limit, err));
    ARKA_TRY(arka_running_new(&server->running, err));
    ARKA_TRY(arka_workers_new("requests", n < 2 ? 2 : n, WAITING_WRITES, &server->workers, err));
    ARKA_TRY(arka_workers_new("provers", 1, WAITING_PROOFS, &server->provers, err));
    ARKA_TRY(arka_query_service_start(server, err));
    if (s->tls_enabled)
        ARKA_TRY(arka_tls_new(s, server->log, &server->tls, err));
    /* before the first token is printed: a start that finds its port taken must not use that up */
    ARKA_TRY(arka_listener_new(s->host, (int)s->port, &server->listener, err));
    if (s->auth_enabled) /* before the data is there, requests are told apart as they are later */
        ARKA_TRY(arka_server_open_tokens(server, err));
    ARKA_TRY(arka_http_new(server, &server->http, err));
    ARKA_TRY(arka_monitor_start(server, &server->monitor, err));
    ARKA_TRY(arka_listener_start(server->listener, server->http, err));
    return arka_opening_start(server, err);
}

/* The reverse of start; what is missing was never opened. */
static arka_status stop(arka_server *server, arka_error *err)
{
    arka_status status = ARKA_OK;
    arka_listener_free(server->listener);
    arka_opening_join(server);
    /* before the HTTP threads end: those answer what the workers give back */
    arka_query_service_stop(server);
    if (server->workers != NULL)
        arka_workers_stop(server->workers);
    if (server->provers != NULL)
        arka_workers_stop(server->provers);
    /* … and before that what the engine gives back: writes that wait for the log */
    if (server->engine != NULL)
        status = arka_engine_finish(server->engine, err);
    arka_monitor_stop(server->monitor); /* looks at all of these */
    arka_http_free(server->http);
    arka_monitor_free(server->monitor);
    arka_tls_free(server->tls);
    arka_query_service_free(server);
    arka_workers_free(server->workers);
    arka_workers_free(server->provers);
    arka_running_free(server->running);
    arka_sql_close(server->sql);
    if (server->engine != NULL) {
        arka_status closed = arka_engine_close(server->engine, err);
        status = status != ARKA_OK ? status : closed;
    }
    arka_auth_close(server->auth);
    arka_memory_keeper_stop(&server->memory_keeper);
    arka_route_table_free(server->routes);
    arka_route_stats_free(server->route_stats);
    arka_rejects_fini(&server->rejects);
    arka_creations_fini(&server->creations);
    arka_opening_fini(server);
    arka_settings_versions_free(server->versions);
    arka_free(server);
    return status;
}

arka_status arka_server_start(const arka_settings *settings, const arka_log *log, arka_server **out,
                              arka_error *err)
{
    arka_server *server = arka_calloc(1, sizeof *server);
    if (server == NULL)
        return arka_fail_nomem(err, "the server", sizeof *server);
    atomic_init(&server->settings, settings);
    server->log = log;
    server->started = arka_mono_now();
    server->opening.ended_fd = -1;
    arka_rejects_init(&server->rejects);
    arka_creations_init(&server->creations);
    arka_status status = start(server, err);
    if (status != ARKA_OK) {
        atomic_store_explicit(&server->stopping, true, memory_order_relaxed);
        ARKA_IGNORE(stop(server, NULL)); /* the first failure is the one to tell */
        return status;
    }
    if (!settings->auth_enabled && !arka_listener_is_loopback(server->listener))
        arka_log_write(log, ARKA_WARN, "no_authentication", NULL,
                       "listening on %s with auth.enabled = false: everyone who reaches this "
                       "address can read, write and remove everything",
                       *settings->host ? settings->host : "all addresses");
    *out = server;
    return ARKA_OK;
}

int arka_server_port(const arka_server *server)
{
    return arka_listener_port(server->listener);
}

int arka_server_opened_fd(const arka_server *server)
{
    return server->opening.ended_fd;
}

arka_status arka_server_opened(arka_server *server, arka_error *err)
{
    arka_opening_join(server);
    if (err != NULL && server->opening.status != ARKA_OK)
        *err = server->opening.error;
    return server->opening.status;
}

/*
 * Let the requests in flight end; queries that take too long are cancelled. How many of them do not
 * end for all that.
 */
static int drain(arka_server *server)
{
    enum { AFTER_CANCEL_MS = 10000 };
    const arka_log *log = server->log;
    int64_t grace_ms = server->settings->graceful_timeout * 1000;
    if (arka_http_wait_idle(server->http, arka_mono_after_ms(grace_ms)))
        return 0;
    arka_log_write(log, ARKA_WARN, "stop", NULL, "requests still in flight after %lld s: cancelled",
                   (long long)server->settings->graceful_timeout);
    arka_running_cancel_all(server->running);
    if (arka_http_wait_idle(server->http, arka_mono_after_ms(AFTER_CANCEL_MS)))
        return 0;
    arka_log_write(log, ARKA_WARN, "stop", NULL, "connections that do not end are closed");
    return arka_admission_n_running(server->admission);
}

arka_status arka_server_stop(arka_server *take_server, bool *stuck, arka_error *err)
{
    *stuck = false;
    if (take_server == NULL)
        return ARKA_OK;
    atomic_store_explicit(&take_server->stopping, true, memory_order_relaxed);
    arka_listener_free(take_server->listener);
    take_server->listener = NULL;
    arka_opening_join(take_server);
    int n_left = drain(take_server);
    if (n_left == 0)
        return stop(take_server, err);
    *stuck = true;
    arka_log_write(take_server->log, ARKA_WARN, "stop", NULL,
                   "%d queries cannot be cancelled and are left behind", n_left);
    return arka_engine_finish(take_server->engine, err);
}
