/** The server's inside, for the files of this folder only. */
#ifndef ARKA_SERVER_PRIV_H
#define ARKA_SERVER_PRIV_H

#include <stdatomic.h>

#include "auth/auth.h"
#include "engine/engine.h"
#include "os/thread.h"
#include "query/admission.h"
#include "query/registry.h"
#include "query/result_cache.h"
#include "server/access/creations.h"
#include "server/http/listen.h"
#include "observe/log.h"
#include "server/metrics/memory_keeper.h"
#include "server/opening.h"
#include "server/write/rejects.h"
#include "server/reload.h"
#include "server/http/running.h"
#include "server/server.h"
#include "server/http/tls.h"
#include "server/http/workers.h"
#include "sql/sql.h"

typedef struct arka_counters {
#define X(name, text) atomic_int_least64_t name;
#include "server/metrics/counters.def"
#undef X
} arka_counters;

struct arka_server {
    /* Of a running server: arka_server_settings. Plain reads of it are in order too. */
    const arka_settings *_Atomic settings;
    arka_settings_version *versions; /* what reloads made, the newest first */
    int n_versions;
    const arka_log *log;
    arka_mono started;
    arka_opening opening;
    arka_auth *auth;     /* before HTTP when tokens are asked for, else with the data */
    arka_engine *engine; /* these two only once it is open */
    arka_sql *sql;
    arka_workers *workers; /* large writes, flushes, lists */
    arka_workers
        *provers; /* tokens that need a slow hash: those wait for each other, and nobody else */
    arka_admission *admission;           /* the pool of queries */
    arka_query_registry *query_registry; /* their account */
    arka_result_cache *result_cache;     /* NULL: answers are not remembered */
    atomic_int awaiting_rows;            /* the pool's threads that wait for a min-lsn */
    arka_running *running;
    arka_route_table *routes;
    arka_tls *tls; /* NULL: plain HTTP */
    arka_http *http;
    arka_listener *listener;
    arka_rejects rejects;
    arka_creations creations;
    arka_counters counters;
    struct arka_route_stats *route_stats;
    struct arka_monitor *monitor;
    arka_memory_keeper memory_keeper;
    atomic_int_least64_t asked_at_ns, asked_cpu_ns; /* the use of processors, the last time */
    atomic_bool stopping;
};

/* Counters only add up; nothing else is ordered by them. */
static inline void arka_count(atomic_int_least64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}
static inline int64_t arka_counted(atomic_int_least64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}
static inline bool arka_server_stopping(arka_server *server)
{
    return atomic_load_explicit(&server->stopping, memory_order_relaxed);
}

/** Is the engine there? Routes that run anywhere but HERE are only reached when it is. */
static inline bool arka_server_is_open(arka_server *server)
{
    return atomic_load_explicit(&server->opening.open, memory_order_acquire);
}

#endif
