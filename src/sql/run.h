/** One statement at work in a session: prepared, started, read chunk by chunk. Private to sql/. */
#ifndef ARKA_SQL_RUN_H
#define ARKA_SQL_RUN_H

#include "sql/sql_priv.h"

typedef struct arka_run {
    arka_session *session; /* borrowed */
    const arka_text *text; /* borrowed; complaints point into it */
    arka_plan plan;        /* kept by the session afterwards if it has an inspection */
    duckdb_result result;
    bool has_result, ended, failed, doubtful;
    duckdb_data_chunk first; /* fetched by start; NULL when it was handed out, or there is none */
} arka_run;

/**
 * Pin the tables that the inspection names, make their views, and choose the schema for unqualified
 * names. `database` not empty. ARKA_NOTFOUND, ARKA_FORBIDDEN (`scoped`: only `database`'s own).
 */
ARKA_MUST_USE arka_status arka_resolve(arka_session *session, const arka_inspection *inspection,
                                       arka_slice database, bool scoped, arka_error *err);

/**
 * Bind text->sql and run it until its first chunk is there. `inspection`: of the very same text, to
 * keep the plan for the next time; NULL: not to. On failure `run` is as it was; else free it with
 * fini, before the session is given back. Errors as arka_query_start and arka_query_next.
 */
ARKA_MUST_USE arka_status arka_run_start(arka_run *run, arka_session *session,
                                         const arka_text *text, arka_inspection *inspection,
                                         arka_error *err);
/** The next chunk, which the caller destroys; NULL behind the last. */
ARKA_MUST_USE arka_status arka_run_fetch(arka_run *run, duckdb_data_chunk *out, arka_error *err);
/** Zero-initialised is fine. Stops what still runs. */
void arka_run_fini(arka_run *run);

#endif
