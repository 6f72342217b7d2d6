/* arc_databases() and arc_tables(database): what SHOW DATABASES and SHOW TABLES select from, so
 * that their answers take the way of every other query. */
#include <math.h>

#include "base/mem.h"
#include "sql/handover.h"
#include "sql/system_priv.h"

typedef struct row {
    char *database, *table, *path; /* table, path: NULL in a list of databases */
    int64_t n_files;               /* -1: not said, as the next */
    double megabytes;
} row;

typedef struct list {
    const arka_session *session;
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
    if (info->name[0] == '_' ||
        !arka_sees_database(&l->session->visibility, arka_slice_of(info->name)))
        return ARKA_OK;
    return add_row(l, (row){.database = arka_arena_printf(&l->arena, "%s", info->name)}, err);
}

static arka_status add_table(void *context, const arka_table_info *info, arka_error *err)
{
    list *l = context;
    const arka_visibility *v = &l->session->visibility;
    arka_slice database = arka_slice_of(info->database), name = arka_slice_of(info->name);
    const arka_system_table *system = arka_system_find(l->session->sql, database, name);
    bool seen = arka_sees_database(v, database) && arka_sees_table(v, database, name);
    if (system != NULL ? system->put_rows != NULL : !seen)
        return ARKA_OK;
    double megabytes = round((double)info->file_bytes / 1048576 * 1e6) / 1e6;
    row r = {arka_arena_printf(&l->arena, "%s", info->database),
             arka_arena_printf(&l->arena, "%s", info->name),
             arka_arena_printf(&l->arena, "%s/%s", info->database, info->name),
             seen ? info->n_files : -1, megabytes};
    return add_row(l, r, err);
}

static arka_status add_system_tables(list *l, arka_error *err)
{
    const arka_sql_options *o = &l->session->sql->options;
    for (size_t i = 0; i < o->n_system_tables; i++) {
        const char *name = o->system_tables[i].name;
        if (o->system_tables[i].put_rows == NULL)
            continue;
        row r = {arka_arena_printf(&l->arena, "%s", ARKA_SYSTEM_DATABASE),
                 arka_arena_printf(&l->arena, "%s", name),
                 arka_arena_printf(&l->arena, "%s/%s", ARKA_SYSTEM_DATABASE, name), -1, 0};
        ARKA_TRY(add_row(l, r, err));
    }
    return ARKA_OK;
}

static arka_status add_tables(list *l, arka_slice database, arka_error *err)
{
    if (arka_name_eq(database, ARKA_SLICE(ARKA_SYSTEM_DATABASE)))
        ARKA_TRY(add_system_tables(l, err));
    return arka_engine_each_table(l->session->sql->engine, database, add_table, l, err);
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
        free_list(l);
        return;
    }
    duckdb_bind_set_bind_data(info, l, free_list);
    duckdb_bind_set_cardinality(info, l->rows.n, true);
}

static list *new_list(duckdb_bind_info info)
{
    duckdb_client_context context;
    duckdb_table_function_get_client_context(info, &context);
    arka_session *s = arka_session_find(duckdb_bind_get_extra_info(info), context);
    duckdb_destroy_client_context(&context);
    list *l = s ? arka_calloc(1, sizeof *l) : NULL;
    if (l != NULL)
        l->session = s;
    else
        duckdb_bind_set_error(info, s ? ARKA_SQL_NOMEM : "a list of tables: no session");
    return l;
}

static void bind_databases(duckdb_bind_info info)
{
    ARKA_HANDOVER_SCOPE();
    arka_error err = {0};
    list *l = new_list(info);
    if (l == NULL)
        return;
    arka_status status = arka_engine_each_database(l->session->sql->engine, add_database, l, &err);
    add_column(info, "database", DUCKDB_TYPE_VARCHAR);
    bind_list(info, l, status, &err);
}

static void bind_tables(duckdb_bind_info info)
{
    ARKA_HANDOVER_SCOPE();
    arka_error err = {0};
    list *l = new_list(info);
    if (l == NULL)
        return;
    duckdb_value value = duckdb_bind_get_parameter(info, 0);
    char *database = duckdb_get_varchar(value);
    arka_status status = add_tables(l, arka_slice_of(database), &err);
    add_column(info, "database", DUCKDB_TYPE_VARCHAR);
    add_column(info, "table_name", DUCKDB_TYPE_VARCHAR);
    add_column(info, "storage_path", DUCKDB_TYPE_VARCHAR);
    add_column(info, "file_count", DUCKDB_TYPE_BIGINT);
    add_column(info, "total_size_mb", DUCKDB_TYPE_DOUBLE);
    bind_list(info, l, status, &err);
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

static void put_null(duckdb_vector out, idx_t at)
{
    duckdb_vector_ensure_validity_writable(out);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(out), at);
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
        duckdb_vector files = duckdb_data_chunk_get_vector(chunk, 3);
        duckdb_vector megabytes = duckdb_data_chunk_get_vector(chunk, 4);
        ((int64_t *)duckdb_vector_get_data(files))[n] = r->n_files;
        ((double *)duckdb_vector_get_data(megabytes))[n] = r->megabytes;
        if (r->n_files < 0) {
            put_null(files, n);
            put_null(megabytes, n);
        }
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
