/* How much memory DuckDB has, by itself. */
#include "sql/sql_priv.h"

static arka_status read_sums(duckdb_result *result, arka_sql_usage *out, arka_error *err)
{
    duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
    if (chunk == NULL || duckdb_data_chunk_get_size(chunk) != 1) {
        duckdb_destroy_data_chunk(&chunk);
        return arka_fail(err, ARKA_INTERNAL, "DuckDB does not say how much memory it uses");
    }
    int64_t *const sums[] = {&out->used, &out->spilled, &out->working};
    for (idx_t i = 0; i < 3; i++)
        *sums[i] = *(const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, i));
    duckdb_destroy_data_chunk(&chunk);
    return ARKA_OK;
}

static arka_status run(duckdb_connection connection, const char *text, duckdb_result *result,
                       arka_error *err)
{
    if (duckdb_query(connection, text, result) == DuckDBSuccess)
        return ARKA_OK;
    const char *message = duckdb_result_error(result);
    return arka_fail(err, ARKA_INTERNAL, "DuckDB does not say how much memory it uses: %s",
                     message ? message : "no reason given");
}

static arka_status ask(duckdb_connection connection, arka_sql_usage *out, arka_error *err)
{
    static const char TEXT[] = "SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT, "
                               "coalesce(sum(temporary_storage_bytes), 0)::BIGINT, "
                               "coalesce(sum(memory_usage_bytes) FILTER (WHERE tag NOT IN "
                               "('EXTERNAL_FILE_CACHE', 'OBJECT_CACHE', 'METADATA')), 0)::BIGINT "
                               "FROM duckdb_memory()";
    duckdb_result result;
    /* its own catalog is gone, and nothing binds without one */
    arka_status status = run(connection, "USE \"" ARKA_SQL_CATALOG "\"", &result, err);
    duckdb_destroy_result(&result);
    if (status != ARKA_OK)
        return status;
    status = run(connection, TEXT, &result, err);
    if (status == ARKA_OK)
        status = read_sums(&result, out, err);
    duckdb_destroy_result(&result);
    return status;
}

arka_status arka_sql_get_usage(arka_sql *sql, arka_sql_usage *out, arka_error *err)
{
    duckdb_connection connection;
    *out = (arka_sql_usage){0};
    out->statements = arka_inspections_bytes(sql->cache, &out->max_statements);
    /* A connection of its own, which keeps the database while another takes its place: the
     * sessions may all be busy, and it is then that this is asked. */
    arka_mutex_lock(&sql->lock);
    duckdb_state state = duckdb_connect(sql->instance->database, &connection);
    arka_mutex_unlock(&sql->lock);
    if (state != DuckDBSuccess)
        return arka_fail(err, ARKA_INTERNAL, "DuckDB gives no connection");
    arka_status status = ask(connection, out, err);
    duckdb_disconnect(&connection);
    return status;
}
