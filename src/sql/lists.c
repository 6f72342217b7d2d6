/* arc_databases() and arc_tables(database): what SHOW DATABASES and SHOW TABLES select from, so
 * that their answers take the way of every other query. */
#include <math.h>

#include "base/mem.h"
#include "sql/handover.h"
#include "sql/sql_priv.h"

typedef struct row {
    char *database, *table, *path; /* table, path: NULL in a list of databases */
    int64_t n_files;
    double megabytes;
} row;

typedef struct list {
    arka_arena arena;
    ARKA_VEC(row) rows;
    size_t next;
} list;

static void free_list(void *memory)
{
    list *l = memory;
    arka_vec_fini(&l->rows);
    arka_arena_fini(&l->arena);
    arka_free(l);
}

static arka_status add_row(list *l, row r, arka_error *err)
{
    return !l->arena.failed && arka_vec_push(&l->rows, r)
               ? ARKA_OK
               : arka_fail_nomem(err, "a list of tables", sizeof r);
}

/* Databases that begin with '_' are the service's own: queried by those who know them, not shown.
 */
static arka_status add_database(void *context, const arka_database_info *info, arka_error *err)
{
    list *l = context;
    if (info->name[0] == '_')
        return ARKA_OK;
    return add_row(l, (row){.database = arka_arena_printf(&l->arena, "%s", info->name)}, err);
}

static arka_status add_table(void *context, const arka_table_info *info, arka_error *err)
{
    list *l = context;
    double megabytes = round((double)info->file_bytes / 1048576 * 1e6) / 1e6;
    row r = {arka_arena_printf(&l->arena, "%s", info->database),
             arka_arena_printf(&l->arena, "%s", info->name),
             arka_arena_printf(&l->arena, "%s/%s", info->database, info->name), info->n_files,
             megabytes};
    return add_row(l, r, err);
}

/* ---- DuckDB's side ---- */

static void add_column(duckdb_bind_info info, const char *name, duckdb_type type)
{
    duckdb_logical_type t = duckdb_create_logical_type(type);
    duckdb_bind_add_result_column(info, name, t);
    duckdb_destroy_logical_type(&t);
}

/* The list is made while binding: it is what the query sees, and its length is known. */
static void bind_list(duckdb_bind_info info, list *l, arka_status status, const arka_error *err)
{
    if (status != ARKA_OK) {
        duckdb_bind_set_error(info, status == ARKA_NOMEM ? ARKA_SQL_NOMEM : err->msg);
        return;
    }
    duckdb_bind_set_bind_data(info, l, free_list);
    duckdb_bind_set_cardinality(info, l->rows.n, true);
}

static void bind_databases(duckdb_bind_info info)
{
    arka_instance *instance = duckdb_bind_get_extra_info(info);
    arka_error err = {0};
    list *l = arka_calloc(1, sizeof *l);
    arka_status status = l ? arka_engine_each_database(instance->sql->engine, add_database, l, &err)
                           : arka_fail_nomem(&err, "a list of databases", sizeof *l);
    add_column(info, "database", DUCKDB_TYPE_VARCHAR);
    bind_list(info, l, status, &err);
    if (status != ARKA_OK && l != NULL)
        free_list(l);
}

static void bind_tables(duckdb_bind_info info)
{
    arka_instance *instance = duckdb_bind_get_extra_info(info);
    arka_error err = {0};
    duckdb_value value = duckdb_bind_get_parameter(info, 0);
    char *database = duckdb_get_varchar(value);
    list *l = arka_calloc(1, sizeof *l);
    arka_status status = ARKA_OK;
    if (l == NULL)
        status = arka_fail_nomem(&err, "a list of tables", sizeof *l);
    else
        status = arka_engine_each_table(instance->sql->engine, arka_slice_of(database), add_table,
                                        l, &err);
    add_column(info, "database", DUCKDB_TYPE_VARCHAR);
    add_column(info, "table_name", DUCKDB_TYPE_VARCHAR);
    add_column(info, "storage_path", DUCKDB_TYPE_VARCHAR);
    add_column(info, "file_count", DUCKDB_TYPE_BIGINT);
    add_column(info, "total_size_mb", DUCKDB_TYPE_DOUBLE);
    bind_list(info, l, status, &err);
    if (status != ARKA_OK && l != NULL)
        free_list(l);
    duckdb_free(database);
    duckdb_destroy_value(&value);
}

static void start_over(duckdb_init_info info)
{
    ARKA_HANDOVER_SCOPE();
    list *l = duckdb_init_get_bind_data(info);
    l->next = 0;
    duckdb_init_set_max_threads(info, 1);
}

static void scan_list(duckdb_function_info info, duckdb_data_chunk chunk)
{
    ARKA_HANDOVER_SCOPE();
    list *l = duckdb_function_get_bind_data(info);
    bool tables = duckdb_data_chunk_get_column_count(chunk) > 1;
    idx_t n = 0;
    for (; n < duckdb_vector_size() && l->next < l->rows.n; n++, l->next++) {
        const row *r = &l->rows.items[l->next];
        duckdb_vector_assign_string_element(duckdb_data_chunk_get_vector(chunk, 0), n, r->database);
        if (!tables)
            continue;
        duckdb_vector_assign_string_element(duckdb_data_chunk_get_vector(chunk, 1), n, r->table);
        duckdb_vector_assign_string_element(duckdb_data_chunk_get_vector(chunk, 2), n, r->path);
        ((int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 3)))[n] = r->n_files;
        ((double *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 4)))[n] =
            r->megabytes;
    }
    duckdb_data_chunk_set_size(chunk, n);
}

static arka_status register_one(arka_instance *instance, const char *name, int n_parameters,
                                duckdb_table_function_bind_t bind, arka_error *err)
{
    duckdb_table_function f = duckdb_create_table_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_table_function_set_name(f, name);
    for (int i = 0; i < n_parameters; i++)
        duckdb_table_function_add_parameter(f, text);
    duckdb_table_function_set_extra_info(f, instance, NULL);
    duckdb_table_function_set_bind(f, bind);
    duckdb_table_function_set_init(f, start_over);
    duckdb_table_function_set_function(f, scan_list);
    bool ok = duckdb_register_table_function(instance->sessions[0].connection, f) == DuckDBSuccess;
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_table_function(&f);
    return ok ? ARKA_OK : arka_fail(err, ARKA_INTERNAL, "DuckDB does not take function %s", name);
}

arka_status arka_lists_register(arka_instance *instance, arka_error *err)
{
    ARKA_TRY(register_one(instance, "arc_databases", 0, bind_databases, err));
    return register_one(instance, "arc_tables", 1, bind_tables, err);
}
