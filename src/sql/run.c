#include "sql/run.h"

/* Stopped on purpose, or what DuckDB says. */
static arka_status failed(arka_run *run, const char *message, arka_error *err)
{
    ARKA_TRY(arka_session_check(run->session, err));
    return arka_complain_duckdb(err, run->text, 0, message);
}

static arka_status prepare(arka_run *run, arka_error *err)
{
    if (duckdb_prepare(run->session->connection, run->text->sql.data, &run->prepared) !=
        DuckDBSuccess)
        return failed(run, duckdb_prepare_error(run->prepared), err);
    duckdb_statement_type type = duckdb_prepared_statement_type(run->prepared);
    if (type != DUCKDB_STATEMENT_TYPE_SELECT && type != DUCKDB_STATEMENT_TYPE_EXPLAIN)
        return arka_fail(err, ARKA_FORBIDDEN, "a statement of kind %d is not allowed", (int) type);
    return ARKA_OK;
}

static arka_status execute(arka_run *run, arka_error *err)
{
    duckdb_pending_result pending = NULL;
    arka_status status = ARKA_OK;
    if (duckdb_pending_prepared_streaming(run->prepared, &pending) != DuckDBSuccess) {
        status = failed(run, duckdb_pending_error(pending), err);
    } else {
        /* blocks, working along, until there are rows, the end or an interrupt */
        run->has_result = true;
        if (duckdb_execute_pending(pending, &run->result) != DuckDBSuccess)
            status = failed(run, duckdb_result_error(&run->result), err);
    }
    duckdb_destroy_pending(&pending);
    return status;
}

arka_status arka_run_start(arka_run *run, arka_session *session, const arka_text *text,
                           arka_error *err)
{
    ARKA_TRY(arka_session_check(session, err));
    *run = (arka_run){.session = session, .text = text};
    arka_status status = prepare(run, err);
    if (status == ARKA_OK)
        status = execute(run, err);
    if (status != ARKA_OK)
        arka_run_fini(run);
    return status;
}

arka_status arka_run_fetch(arka_run *run, duckdb_data_chunk *out, arka_error *err)
{
    *out = duckdb_fetch_chunk(run->result);
    if (*out != NULL)
        return ARKA_OK;
    const char *message = duckdb_result_error(&run->result);
    return message != NULL && message[0] != 0 ? failed(run, message, err) : ARKA_OK;
}

void arka_run_fini(arka_run *run)
{
    if (run->has_result)
        duckdb_destroy_result(&run->result);
    duckdb_destroy_prepare(&run->prepared);
    *run = (arka_run){0};
}
