#include "sql/run.h"
#include "sql/handover.h"

enum { ATTEMPTS = 3 };

/*
 * DuckDB tells its threads to stop before it notes the error that one of them met, so that another
 * may report "Interrupted!" instead. It is the user's interrupt only when the session says so.
 */
static bool lost_its_error(const char *message)
{
    return strstr(message, "\"INTERRUPT\"") != NULL;
}

/* Stopped on purpose, or what DuckDB says. *lost: it does not say. */
static arka_status failed(arka_run *run, const char *message, bool *lost, arka_error *err)
{
    ARKA_TRY(arka_session_check(run->session, err));
    if (message != NULL && strstr(message, ARKA_SQL_NOMEM) != NULL)
        return arka_fail(err, ARKA_NOMEM, "%s", ARKA_SQL_NOMEM);
    *lost = message != NULL && lost_its_error(message);
    if (*lost)
        return ARKA_INPUT;
    arka_status status = arka_complain_duckdb(err, run->text, 0, message);
    run->doubtful = status == ARKA_INTERNAL;
    return status;
}

static arka_status prepare(arka_run *run, arka_inspection *inspection, bool *lost, arka_error *err)
{
    arka_session *s = run->session;
    int64_t n_lists = s->n_lists;
    if (duckdb_prepare(s->connection, run->text->sql.data, &run->plan.prepared) != DuckDBSuccess)
        return failed(run, duckdb_prepare_error(run->plan.prepared), lost, err);
    duckdb_statement_type type = duckdb_prepared_statement_type(run->plan.prepared);
    if (type != DUCKDB_STATEMENT_TYPE_SELECT && type != DUCKDB_STATEMENT_TYPE_EXPLAIN)
        return arka_fail(err, ARKA_FORBIDDEN, "a statement of kind %d is not allowed", (int)type);
    run->plan.inspection = inspection ? arka_inspection_ref(inspection) : NULL;
    run->plan.lists_files = s->n_lists > n_lists;
    memcpy(run->plan.schema, s->schema, sizeof s->schema);
    return ARKA_OK;
}

static arka_status execute(arka_run *run, bool *lost, arka_error *err)
{
    duckdb_pending_result pending = NULL;
    arka_status status = ARKA_OK;
    run->session->executed = arka_mono_now();
    if (duckdb_pending_prepared_streaming(run->plan.prepared, &pending) != DuckDBSuccess) {
        status = failed(run, duckdb_pending_error(pending), lost, err);
    } else {
        /* blocks, working along, until there are rows, the end or an interrupt */
        run->has_result = true;
        if (duckdb_execute_pending(pending, &run->result) != DuckDBSuccess)
            status = failed(run, duckdb_result_error(&run->result), lost, err);
    }
    duckdb_destroy_pending(&pending);
    return status;
}

static arka_status fetch(arka_run *run, duckdb_data_chunk *out, bool *lost, arka_error *err)
{
    *out = duckdb_fetch_chunk(run->result);
    arka_handover();
    if (*out != NULL)
        return ARKA_OK;
    const char *message = duckdb_result_error(&run->result);
    return message != NULL && message[0] != 0 ? failed(run, message, lost, err) : ARKA_OK;
}

/* A kept plan, if it saw the files of this time: DuckDB binds again what lists files, and is
 * watched. */
static arka_status execute_kept(arka_run *run, const arka_inspection *inspection, bool *done,
                                bool *lost, arka_error *err)
{
    int64_t n_lists = run->session->n_lists;
    *done = false;
    if (inspection == NULL || !arka_plan_take(run->session, inspection, &run->plan))
        return ARKA_OK;
    arka_status status = execute(run, lost, err);
    *done = status != ARKA_OK || !run->plan.lists_files || run->session->n_lists > n_lists;
    if (!*done) {
        duckdb_destroy_result(&run->result);
        run->has_result = false;
        arka_plan_fini(&run->plan);
    }
    return status;
}

static arka_status attempt(arka_run *run, arka_session *session, const arka_text *text,
                           arka_inspection *inspection, bool *lost, arka_error *err)
{
    bool done = false;
    *run = (arka_run){.session = session, .text = text, .failed = true};
    arka_status status = execute_kept(run, inspection, &done, lost, err);
    if (status == ARKA_OK && !done) {
        status = prepare(run, inspection, lost, err);
        if (status == ARKA_OK)
            status = execute(run, lost, err);
    }
    if (status == ARKA_OK)
        status = fetch(run, &run->first, lost, err);
    run->ended = run->first == NULL;
    run->failed = status != ARKA_OK;
    if (run->failed)
        arka_run_fini(run);
    return status;
}

static arka_status fail_lost(arka_error *err)
{
    return arka_fail(err, ARKA_INPUT, "the query failed, and DuckDB did not say why");
}

arka_status arka_run_start(arka_run *run, arka_session *session, const arka_text *text,
                           arka_inspection *inspection, arka_error *err)
{
    ARKA_TRY(arka_session_check(session, err));
    bool lost = true;
    arka_status status = ARKA_OK;
    for (int i = 0; i < ATTEMPTS && lost; i++) {
        lost = false;
        status = attempt(run, session, text, inspection, &lost, err);
    }
    return lost ? fail_lost(err) : status;
}

arka_status arka_run_fetch(arka_run *run, duckdb_data_chunk *out, arka_error *err)
{
    bool lost = false;
    if (run->first != NULL) {
        *out = run->first;
        run->first = NULL;
        return ARKA_OK;
    }
    if (run->ended) {
        *out = NULL;
        return ARKA_OK;
    }
    arka_status status = fetch(run, out, &lost, err);
    run->failed = status != ARKA_OK;
    run->ended = *out == NULL;
    return lost ? fail_lost(err) : status;
}

/*
 * DuckDB keeps what a query that did not come to its end has, our snapshots among it, until the
 * connection's next statement: that may be long after the query has gone.
 */
static void sweep(arka_session *s)
{
    duckdb_result nothing;
    ARKA_IGNORE(duckdb_query(s->connection, "SELECT 1", &nothing) == DuckDBError);
    duckdb_destroy_result(&nothing);
}

void arka_run_fini(arka_run *run)
{
    if (run->first != NULL)
        duckdb_destroy_data_chunk(&run->first);
    if (run->has_result) {
        duckdb_destroy_result(&run->result);
        if (!run->ended || run->failed)
            sweep(run->session);
    }
    if (run->plan.inspection != NULL && run->ended && !run->failed)
        arka_plan_keep(run->session, &run->plan);
    arka_plan_fini(&run->plan);
    if (run->doubtful)
        arka_session_doubt(run->session);
    *run = (arka_run){0};
}
