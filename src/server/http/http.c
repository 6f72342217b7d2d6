#include "server/http/http_priv.h"

#include <sys/resource.h>
#include <unistd.h>

#include "server/server_priv.h"

enum {
    /*
     * Half reads, all writes. The library clears all of it after each request, so a connection that
     * was used keeps it; over 32 KiB it is mapped, and goes back to the system with the connection.
     */
    CONNECTION_MEMORY = 36 << 10,
    USED_CONNECTION = 40 << 10, /* what one takes in all, measured */
    MEMORY_SHARE = 8,           /* of memory.limit, that all may take if nothing else is said */
    MOST_CONNECTIONS = 16384,
    FEWEST_CONNECTIONS = 256,
    /* of the file descriptors, what connections leave to the rest of the server */
    KEPT_SHARE = 4, /* one in so many, and at least */
    KEPT_DESCRIPTORS = 64,
    FEWEST_DESCRIPTORS = 8, /* of connections, all the same */
};

static int64_t descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return INT64_MAX;
    return (int64_t)limit.rlim_cur;
}

/* Data files, the log and DuckDB want descriptors too: they must not starve for clients. */
static int64_t by_descriptors(void)
{
    int64_t all = descriptors(), kept = all / KEPT_SHARE;
    int64_t n = all - (kept > KEPT_DESCRIPTORS ? kept : KEPT_DESCRIPTORS);
    return n > FEWEST_DESCRIPTORS ? n : FEWEST_DESCRIPTORS;
}

static int64_t by_memory(const arka_settings *s)
{
    int64_t n = s->memory_limit / MEMORY_SHARE / USED_CONNECTION;
    if (n < FEWEST_CONNECTIONS)
        return FEWEST_CONNECTIONS;
    return n > MOST_CONNECTIONS ? MOST_CONNECTIONS : n;
}

static int64_t max_connections(const arka_server *server)
{
    const arka_settings *s = server->settings;
    int64_t n = s->max_connections > 0 ? s->max_connections : by_memory(s), most = by_descriptors();
    if (n <= most)
        return n;
    if (s->max_connections > 0 || most < FEWEST_CONNECTIONS)
        arka_log_write(
            server->log, ARKA_WARN, "few_descriptors", NULL,
            "%lld connections are served instead of %lld: so many file descriptors are left "
            "for them (raise the limit of open files)",
            (long long)most, (long long)n);
    return most;
}

/* For a moment, until those that are too many have gone: of the descriptors that are kept, few. */
static int64_t most_at_all(int64_t n)
{
    int64_t more = (descriptors() - n) / KEPT_SHARE;
    return n + (more < 1 ? 1 : more < n ? more : n);
}

/* Targets are decoded by us, with their length known: the library's decoder would end at a NUL. */
static size_t leave_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

static void on_lost(void *context)
{
    arka_crowd *of = context;
    atomic_fetch_sub_explicit(&of->http->n_connections, 1, memory_order_relaxed);
}

static arka_status start_crowd(arka_http *http, arka_crowd *of, arka_error *err)
{
    const arka_settings *s = http->server->settings;
    const arka_tls *tls = http->server->tls;
    const arka_loop_calls calls = {of, arka_connection_on_request, on_lost, arka_connection_on_look,
                                   arka_connection_on_ended};
    enum { N_TLS = 2 };
    struct MHD_OptionItem options[] = {
        /* none of them may come to it, see take_connection */
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)http->most_at_all + 1, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)s->idle_timeout, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)arka_connection_on_target, of},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)arka_connection_on_completed, of},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)arka_connection_on_life, of},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escapes, NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, tls ? arka_tls_priorities(tls) : NULL},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, arka_tls_no_certificate()},
        {MHD_OPTION_END, 0, NULL},
    };
    if (tls == NULL)
        options[sizeof options / sizeof *options - 1 - N_TLS].option = MHD_OPTION_END;
    of->http = http;
    arka_slow_list_init(&of->idle);
    arka_slow_list_init(&of->busy);
    return arka_loop_new(&calls, options, tls != NULL, &of->loop, err);
}

static arka_status start_crowds(arka_http *http, arka_error *err)
{
    const arka_settings *s = http->server->settings;
    int n = s->workers > 0 ? (int)s->workers : arka_n_processors();
    http->crowds = arka_calloc((size_t)n, sizeof *http->crowds);
    if (http->crowds == NULL)
        return arka_fail_nomem(err, "the HTTP threads", (size_t)n * sizeof *http->crowds);
    for (; http->n_crowds < n; http->n_crowds++)
        ARKA_TRY(start_crowd(http, &http->crowds[http->n_crowds], err));
    return ARKA_OK;
}

arka_status arka_http_new(arka_server *server, arka_http **out, arka_error *err)
{
    const arka_settings *s = server->settings;
    arka_http *http = arka_calloc(1, sizeof *http);
    if (http == NULL)
        return arka_fail_nomem(err, "the HTTP server", sizeof *http);
    http->server = server;
    http->max_body = s->max_request_mb << 20;
    http->max_connections = max_connections(server);
    http->most_at_all = most_at_all(http->max_connections);
    http->max_body_bytes = s->max_body_memory_mb << 20;
    arka_mutex_init(&http->lock, ARKA_LOCK_LEAF);
    arka_cond_init(&http->idle);
    arka_status status = start_crowds(http, err);
    if (status == ARKA_OK)
        *out = http;
    else
        arka_http_free(http);
    return status;
}

void arka_http_free(arka_http *http)
{
    if (http == NULL)
        return;
    for (int i = 0; i < http->n_crowds; i++)
        arka_loop_free(http->crowds[i].loop);
    arka_free(http->crowds);
    arka_cond_fini(&http->idle);
    arka_mutex_fini(&http->lock);
    arka_free(http);
}

void arka_http_take_connection(arka_http *http, int fd, const struct sockaddr *peer,
                               socklen_t peer_len)
{
    /*
     * Not by the library's own limit: a thread of 0.9.75 that meets it keeps one of its locks and
     * serves nobody any more. A few more than ours come in, so that an idle one can go for them.
     */
    int n = atomic_fetch_add_explicit(&http->n_connections, 1, memory_order_relaxed);
    unsigned turn = atomic_fetch_add_explicit(&http->next_loop, 1, memory_order_relaxed);
    if (n < http->most_at_all &&
        arka_loop_add(http->crowds[turn % (unsigned)http->n_crowds].loop, fd, peer, peer_len))
        return;
    close(fd);
    atomic_fetch_sub_explicit(&http->n_connections, 1, memory_order_relaxed);
}

int64_t arka_http_max_connections(const arka_http *http)
{
    return http->max_connections;
}

int64_t arka_http_body_bytes(const arka_http *http)
{
    return atomic_load_explicit(&http->body_bytes, memory_order_relaxed);
}

int64_t arka_http_body_room(const arka_http *http)
{
    int64_t room = http->max_body_bytes - arka_http_body_bytes(http);
    return room > 0 ? room : 0;
}

void arka_http_charge_body(arka_http *http, int64_t n_bytes)
{
    atomic_fetch_add_explicit(&http->body_bytes, n_bytes, memory_order_relaxed);
}

int arka_http_n_connections(const arka_http *http)
{
    return atomic_load_explicit(&http->n_connections, memory_order_relaxed);
}

int arka_http_in_flight(const arka_http *http)
{
    return atomic_load_explicit(&http->in_flight, memory_order_relaxed);
}

int64_t arka_http_silent_ms(arka_http *http)
{
    int64_t longest = 0;
    for (int i = 0; i < http->n_crowds; i++) {
        int64_t ms = arka_loop_ask(http->crowds[i].loop);
        longest = ms > longest ? ms : longest;
    }
    return longest;
}

bool arka_http_wait_idle(arka_http *http, arka_mono deadline)
{
    bool waited = true;
    arka_mutex_lock(&http->lock);
    /* pairs with the decrement in count_out */
    while (waited && atomic_load_explicit(&http->in_flight, memory_order_acquire) > 0)
        waited = arka_cond_wait(&http->idle, &http->lock, deadline);
    arka_mutex_unlock(&http->lock);
    return atomic_load_explicit(&http->in_flight, memory_order_acquire) == 0;
}
