/* arc_files(database, table): the files of the pinned snapshot that can hold wanted rows, for
 * read_parquet. arc_schema(signature): read_parquet's `schema`, MAP {field id: {name, type,
 * default_value}}. DuckDB calls both while it binds a view, in the session of the query. */
#include <stdlib.h>

#include "sql/handover.h"
#include "sql/signature.h"
#include "sql/sql_priv.h"

static arka_slice text_at(duckdb_vector vector, idx_t row)
{
    duckdb_string_t *s = (duckdb_string_t *)duckdb_vector_get_data(vector) + row;
    return (arka_slice){duckdb_string_t_data(s), duckdb_string_t_length(*s)};
}

/* ---- arc_files ---- */

static void *same_session(void *session)
{
    return session;
}

static void bind_files(duckdb_bind_info info)
{
    duckdb_client_context context;
    duckdb_scalar_function_get_client_context(info, &context);
    arka_session *s = arka_session_find(duckdb_scalar_function_bind_get_extra_info(info), context);
    duckdb_destroy_client_context(&context);
    if (s == NULL) {
        duckdb_scalar_function_bind_set_error(info, "arc_files: no session");
        return;
    }
    duckdb_scalar_function_set_bind_data(info, s, NULL);
    duckdb_scalar_function_set_bind_data_copy(info, same_session);
}

static int by_time(const void *a, const void *b)
{
    const arka_data_file *x = *(arka_data_file *const *)a, *y = *(arka_data_file *const *)b;
    return (x->time_min > y->time_min) - (x->time_min < y->time_min);
}

/* The wanted files in the wanted order, n of them, in `files`, which has room for all. */
static int64_t choose_files(const arka_pin *pin, arka_data_file **files)
{
    const arka_snapshot *snapshot = pin->snapshot;
    int64_t n = 0;
    for (int64_t i = 0; i < snapshot->n_files; i++) {
        arka_data_file *f = snapshot->files[i];
        if (f->time_max >= pin->time_min && f->time_min <= pin->time_max)
            files[n++] = f;
    }
    qsort(files, (size_t)n, sizeof(arka_data_file *), by_time);
    for (int64_t i = 0; pin->newest_first && i < n / 2; i++) {
        arka_data_file *f = files[i];
        files[i] = files[n - 1 - i];
        files[n - 1 - i] = f;
    }
    return n;
}

/* Appends the paths to `list`, which has `size` so far; the new size, or 0 when there is no room.
 */
static idx_t put_paths(duckdb_vector list, idx_t size, const arka_session *s, const arka_pin *pin)
{
    arka_data_file **files =
        arka_malloc(((size_t)pin->snapshot->n_files + 1) * sizeof(arka_data_file *));
    if (files == NULL)
        return 0;
    int64_t n = choose_files(pin, files);
    bool room = duckdb_list_vector_reserve(list, size + (idx_t)n + 1) == DuckDBSuccess;
    duckdb_vector child = duckdb_list_vector_get_child(list);
    for (int64_t i = 0; i < n && room; i++)
        duckdb_vector_assign_string_element(child, size++, files[i]->path);
    if (n == 0 && room)
        duckdb_vector_assign_string_element(child, size++, s->sql->empty_path);
    arka_free(files);
    return room && duckdb_list_vector_set_size(list, size) == DuckDBSuccess ? size : 0;
}

static void call_files(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    ARKA_HANDOVER_SCOPE();
    arka_session *s = duckdb_scalar_function_get_bind_data(info);
    duckdb_vector databases = duckdb_data_chunk_get_vector(input, 0);
    duckdb_vector tables = duckdb_data_chunk_get_vector(input, 1);
    duckdb_list_entry *entries = duckdb_vector_get_data(output);
    idx_t n = duckdb_data_chunk_get_size(input), size = 0;
    s->n_lists++;
    for (idx_t i = 0; i < n; i++) {
        arka_pin *pin = arka_session_pin(s, text_at(databases, i), text_at(tables, i));
        entries[i].offset = size;
        if (pin == NULL) {
            duckdb_scalar_function_set_error(info, "arc_files: the table is not pinned");
            return;
        }
        size = put_paths(output, size, s, pin);
        if (size == 0) {
            duckdb_scalar_function_set_error(info, ARKA_SQL_NOMEM);
            return;
        }
        entries[i].length = size - entries[i].offset;
    }
}

/* ---- arc_schema ---- */

static void call_schema(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    ARKA_HANDOVER_SCOPE();
    duckdb_vector signatures = duckdb_data_chunk_get_vector(input, 0);
    duckdb_list_entry *entries = duckdb_vector_get_data(output);
    idx_t n = duckdb_data_chunk_get_size(input), size = 0;
    for (idx_t i = 0; i < n; i++) {
        arka_slice rest = text_at(signatures, i), name;
        arka_type type;
        entries[i].offset = size;
        for (int32_t id = 1; arka_signature_next(&rest, &type, &name); id++) {
            if (duckdb_list_vector_reserve(output, size + 1) != DuckDBSuccess) {
                duckdb_scalar_function_set_error(info, ARKA_SQL_NOMEM);
                return;
            }
            duckdb_vector pair = duckdb_list_vector_get_child(output);
            duckdb_vector value = duckdb_struct_vector_get_child(pair, 1);
            duckdb_vector unset = duckdb_struct_vector_get_child(value, 2);
            ((int32_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(pair, 0)))[size] = id;
            duckdb_vector_assign_string_element_len(duckdb_struct_vector_get_child(value, 0), size,
                                                    name.data, name.len);
            duckdb_vector_assign_string_element(duckdb_struct_vector_get_child(value, 1), size,
                                                arka_type_sql(type));
            duckdb_vector_ensure_validity_writable(unset);
            duckdb_validity_set_row_invalid(duckdb_vector_get_validity(unset), size);
            size++;
        }
        entries[i].length = size - entries[i].offset;
    }
    if (duckdb_list_vector_set_size(output, size) != DuckDBSuccess)
        duckdb_scalar_function_set_error(info, ARKA_SQL_NOMEM);
}

/* ---- registration ---- */

static duckdb_logical_type schema_type(void)
{
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_logical_type id = duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
    duckdb_logical_type unset = duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
    duckdb_logical_type types[] = {text, text, unset};
    const char *names[] = {"name", "type", "default_value"};
    duckdb_logical_type value = duckdb_create_struct_type(types, names, 3);
    duckdb_logical_type map = duckdb_create_map_type(id, value);
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_logical_type(&id);
    duckdb_destroy_logical_type(&unset);
    duckdb_destroy_logical_type(&value);
    return map;
}

static arka_status register_one(duckdb_connection connection, duckdb_scalar_function f,
                                const char *name, int n_parameters, duckdb_logical_type result,
                                duckdb_scalar_function_t call, arka_error *err)
{
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_scalar_function_set_name(f, name);
    for (int i = 0; i < n_parameters; i++)
        duckdb_scalar_function_add_parameter(f, text);
    duckdb_scalar_function_set_return_type(f, result);
    duckdb_scalar_function_set_function(f, call);
    bool ok = duckdb_register_scalar_function(connection, f) == DuckDBSuccess;
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_logical_type(&result);
    duckdb_destroy_scalar_function(&f);
    return ok ? ARKA_OK : arka_fail(err, ARKA_INTERNAL, "DuckDB does not take function %s", name);
}

arka_status arka_files_register(arka_instance *instance, arka_error *err)
{
    duckdb_connection connection = instance->sessions[instance->n_sessions - 1].connection;
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_logical_type paths = duckdb_create_list_type(text);
    duckdb_destroy_logical_type(&text);
    duckdb_scalar_function files = duckdb_create_scalar_function();
    duckdb_scalar_function_set_extra_info(files, instance, NULL);
    duckdb_scalar_function_set_bind(files, bind_files);
    ARKA_TRY(register_one(connection, files, "arc_files", 2, paths, call_files, err));
    return register_one(connection, duckdb_create_scalar_function(), "arc_schema", 1, schema_type(),
                        call_schema, err);
}
