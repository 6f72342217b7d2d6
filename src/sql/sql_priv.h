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

enum { ARKA_SCHEMA_BYTES = 72 }; /* a database's name and a NUL, with room to spare */

/** One table of a query, pinned before it is bound: arc_files and arc_hot both read this. */
typedef struct arka_pin {
    arka_slice database, table; /* as the engine compares names */
    arka_snapshot *snapshot;
    int64_t time_min, time_max; /* rows outside are not wanted; both inclusive */
    bool newest_first;          /* read in this order if it is all the same */
    bool narrowed;              /* the three are set */
    uint64_t view; /* which view it is bound through; every new one has a higher number */
} arka_pin;

/** A statement that DuckDB has prepared and will bind again, or need not, when it runs again. */
typedef struct arka_plan {
    arka_inspection *inspection; /* NULL: free */
    duckdb_prepared_statement prepared;
    char schema[ARKA_SCHEMA_BYTES]; /* the session's, when it was bound */
    uint64_t view;                  /* the newest of the views it was bound through */
    bool lists_files;               /* arc_files was called while it was bound */
} arka_plan;

enum { ARKA_SESSION_PLANS = 8 };

/** Why a query must end. */
typedef enum arka_stop {
    ARKA_STOP_NONE,
    ARKA_STOP_CANCELLED,
    ARKA_STOP_LATE,   /* past its deadline */
    ARKA_STOP_OLD,    /* it has kept its snapshots for max_age_ms */
    ARKA_STOP_MEMORY, /* … of hot rows for max_pin_ms, and memory for rows is short */
    ARKA_STOP_OVER,   /* it has more memory than one query may */
} arka_stop;

typedef struct arka_instance arka_instance;

/** A connection. One query at a time owns it, from arka_session_take to arka_session_give. */
typedef struct arka_session {
    arka_sql *sql;
    arka_instance *instance;
    duckdb_connection connection;
    arka_parser parser;
    idx_t id;                       /* DuckDB's, by which its callbacks find the session */
    char schema[ARKA_SCHEMA_BYTES]; /* what SET schema was last told; "" at the start */
    arka_visibility visibility;     /* of the query that has it; else sees everything */
    ARKA_VEC(arka_pin) pins;
    uint64_t lsn;                        /* what the pins show: every row up to it */
    int64_t n_lists;                     /* calls of arc_files so far */
    arka_mono executed;                  /* when DuckDB began to execute; ns 0: not yet */
    arka_plan plans[ARKA_SESSION_PLANS]; /* the newest first */

    arka_mutex lock;      /* SESSION: the rest */
    bool busy;            /* a query owns it */
    arka_stop stop;       /* the first reason that came */
    arka_mono taken;      /* by that query */
    arka_mono deadline;   /* ns = 0: none */
    int64_t pinned_bytes; /* of hot rows */
} arka_session;

typedef struct arka_views arka_views;
typedef struct arka_inspections arka_inspections;

/** One DuckDB, with its sessions. */
struct arka_instance {
    arka_sql *sql;
    duckdb_database database;
    arka_views *views;
    int n_sessions; /* of them the last is for views.c alone */
    arka_session *sessions;

    /* under the service's lock */
    int *idle; /* indexes of sessions that nobody has */
    int n_idle;
    bool broken;         /* refuses everything since an internal error */
    arka_instance *next; /* in the list of retired ones */
};

struct arka_sql {
    arka_engine *engine;
    arka_sql_options options; /* its strings are the two below */
    char *data_dir, *temp_dir;
    arka_inspections *cache;
    int empty_fd; /* a Parquet file without rows, in memory; -1: not yet made */
    char empty_path[32];

    arka_mutex lock; /* SESSION_POOL: the rest */
    arka_cond wake;  /* the watcher has something to look at */
    arka_instance *instance;
    arka_instance *retired; /* broken, with queries still in them */
    bool stop, watcher_runs;
    arka_thread watcher;
};

/* instance.c */
ARKA_MUST_USE arka_status arka_instance_open(arka_sql *sql, arka_instance **out, arka_error *err);
/** No query may be in it. NULL and half-built are fine. */
void arka_instance_close(arka_instance *instance);

/* session.c */
/** An idle session; ARKA_BUSY when there is none. */
ARKA_MUST_USE arka_status arka_session_take(arka_sql *sql, arka_mono deadline, arka_session **out,
                                            arka_error *err);
/** Unpins everything and gives it back. No result of it may be alive. */
void arka_session_give(arka_session *session);
/** The session of a callback; NULL when the connection is none of ours. */
arka_session *arka_session_find(arka_instance *instance, duckdb_client_context context);
arka_pin *arka_session_pin(arka_session *session, arka_slice database, arka_slice table);
void arka_session_unpin(arka_session *session);
/** Run what has no result worth looking at. ARKA_INTERNAL when DuckDB refuses. */
ARKA_MUST_USE arka_status arka_session_run(arka_session *session, const char *statement,
                                           arka_error *err);
/** ARKA_CANCELLED or ARKA_BUSY, with the reason, when its query must end. */
ARKA_MUST_USE arka_status arka_session_check(arka_session *session, arka_error *err);
/** After an error that should not be: does DuckDB still answer? If not, queries to come get
 * another. */
void arka_session_doubt(arka_session *session);
/** Note what the pins hold; until the session is given back. */
void arka_session_note_pins(arka_session *session);
/** Stop what runs. */
void arka_session_interrupt(arka_session *session, arka_stop why);

/* plans.c */
/** The plan for this text and the views of the session's pins, if there is one; not the session's
 * then. */
bool arka_plan_take(arka_session *session, const arka_inspection *inspection, arka_plan *out);
/** Keep a plan for what is pinned now, and empty `plan`; the oldest makes room. Too big a plan
 * stays. */
void arka_plan_keep(arka_session *session, arka_plan *plan);
/** Zero-initialised is fine. */
void arka_plan_fini(arka_plan *plan);

/* views.c */
ARKA_MUST_USE arka_status arka_views_new(arka_instance *instance, arka_views **out,
                                         arka_error *err);
void arka_views_free(arka_views *views);
/** DuckDB has, for the next statement on any session, a view for this snapshot; sets pin->view. */
ARKA_MUST_USE arka_status arka_views_ensure(arka_views *views, arka_pin *pin, arka_error *err);
/** DuckDB has a schema for this database. */
ARKA_MUST_USE arka_status arka_views_ensure_schema(arka_views *views, arka_slice database,
                                                   arka_error *err);

/** What our functions tell DuckDB, and it then us, when an allocation of ours failed. */
#define ARKA_SQL_NOMEM "out of memory in a function of Arc's"

/* files.c, hot.c, lists.c: functions of ours, once per database */
ARKA_MUST_USE arka_status arka_files_register(arka_instance *instance, arka_error *err);
ARKA_MUST_USE arka_status arka_hot_register(arka_instance *instance, arka_error *err);
ARKA_MUST_USE arka_status arka_lists_register(arka_instance *instance, arka_error *err);

/* cache.c: inspections by text */
ARKA_MUST_USE arka_status arka_inspections_new(arka_inspections **out, arka_error *err);
void arka_inspections_free(arka_inspections *cache);
int64_t arka_inspections_bytes(arka_inspections *cache, int64_t *max_bytes);
/** As arka_inspect, from the cache when it is there; *out is a reference. */
ARKA_MUST_USE arka_status arka_inspections_inspect(arka_inspections *cache,
                                                   const arka_parser *parser, arka_slice text,
                                                   arka_inspection **out, arka_error *err);

/** The one that is there already; NULL: there is none. A reference. */
arka_inspection *arka_inspections_find(arka_inspections *cache, arka_slice text);

#endif
