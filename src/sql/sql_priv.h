/** Shared by the files of the query service: the service, its sessions, what a query has pinned. */
#ifndef ARKA_SQL_SQL_PRIV_H
#define ARKA_SQL_SQL_PRIV_H

#include <duckdb.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/vec.h"
#include "os/thread.h"
#include "sql/inspect.h"
#include "sql/sql.h"

/**
 * What DuckDB calls its database in memory, the schemas of which are our databases. None of them
 * can be called that, so that "a.b" is always a schema's table: DuckDB calls it ambiguous when `a`
 * is both.
 */
#define ARKA_SQL_CATALOG "arc:"

/** The first column of arc_hot and of the inside of a view: no column of a table can be called
 * that. */
#define ARKA_NO_COLUMN "\n"

/** One table of a query, pinned before it is bound: arc_files and arc_hot both read this. */
typedef struct arka_pin {
    arka_slice database, table; /* as the engine compares names */
    arka_snapshot *snapshot;
    int64_t time_min, time_max; /* rows outside are not wanted; both inclusive */
    bool newest_first;          /* read in this order if it is all the same */
} arka_pin;

/** A connection. One query at a time owns it, from arka_session_take to arka_session_give. */
typedef struct arka_session {
    arka_sql *sql;
    duckdb_connection connection;
    idx_t id;        /* DuckDB's, by which its callbacks find the session */
    char schema[72]; /* what SET schema was last told; "" at the start */
    ARKA_VEC(arka_pin) pins;

    arka_mutex lock;      /* SESSION: the rest */
    bool busy;            /* a query owns it */
    bool cancelled, late; /* asked to stop; past the deadline */
    arka_mono deadline;   /* ns = 0: none */
} arka_session;

typedef struct arka_views arka_views;
typedef struct arka_cache arka_cache;

struct arka_sql {
    arka_engine *engine;
    duckdb_database database;
    arka_views *views;
    arka_cache *cache;
    int empty_fd; /* a Parquet file without rows, in memory */
    char empty_path[32];
    int n_sessions; /* of them the last is for views.c alone */
    arka_session *sessions;

    arka_mutex lock; /* SESSION_POOL */
    arka_cond wake;  /* the watcher has something to look at */
    int *idle;       /* indexes of sessions that nobody has */
    int n_idle;
    bool stop, watcher_runs;
    arka_thread watcher;
};

/* session.c */
/** An idle session; ARKA_BUSY when there is none. */
ARKA_MUST_USE arka_status arka_session_take(arka_sql *sql, arka_mono deadline, arka_session **out,
                                            arka_error *err);
/** Unpins everything and gives it back. No result of it may be alive. */
void arka_session_give(arka_session *session);
/** The session of a callback; NULL when the connection is none of ours. */
arka_session *arka_session_find(arka_sql *sql, duckdb_client_context context);
arka_pin *arka_session_pin(arka_session *session, arka_slice database, arka_slice table);
void arka_session_unpin(arka_session *session);
/** Run what has no result worth looking at. ARKA_INTERNAL when DuckDB refuses. */
ARKA_MUST_USE arka_status arka_session_run(arka_session *session, const char *statement,
                                           arka_error *err);
/** ARKA_CANCELLED, with the reason, when the session was cancelled or is late. */
ARKA_MUST_USE arka_status arka_session_check(arka_session *session, arka_error *err);
/** Stop what runs; `late`: because of the deadline. */
void arka_session_interrupt(arka_session *session, bool late);

/* views.c */
ARKA_MUST_USE arka_status arka_views_new(arka_sql *sql, arka_views **out, arka_error *err);
void arka_views_free(arka_views *views);
/** DuckDB has, for the next statement on any session, a view for this snapshot of the table. */
ARKA_MUST_USE arka_status arka_views_ensure(arka_views *views, const arka_pin *pin,
                                            arka_error *err);
/** A schema for every database, and a view for every table. */
ARKA_MUST_USE arka_status arka_views_ensure_all(arka_views *views, arka_error *err);

/* files.c, hot.c, lists.c: functions of ours, once per database */
ARKA_MUST_USE arka_status arka_files_register(arka_sql *sql, duckdb_connection connection,
                                              arka_error *err);
ARKA_MUST_USE arka_status arka_hot_register(arka_sql *sql, duckdb_connection connection,
                                            arka_error *err);
ARKA_MUST_USE arka_status arka_lists_register(arka_sql *sql, duckdb_connection connection,
                                              arka_error *err);

/* cache.c: inspections by text */
ARKA_MUST_USE arka_status arka_cache_new(arka_cache **out, arka_error *err);
void arka_cache_free(arka_cache *cache);
/** As arka_inspect, from the cache when it is there; *out is a reference. */
ARKA_MUST_USE arka_status arka_cache_inspect(arka_cache *cache, duckdb_connection connection,
                                             arka_slice text, arka_inspection **out,
                                             arka_error *err);

/** `text` between quotes of that kind, doubled inside: a name for '"', a literal for '\''. */
void arka_sql_quote(arka_buf *out, char quote, arka_slice text);

#endif
