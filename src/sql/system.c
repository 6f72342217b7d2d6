/*
 * arc_system(schema, table): a system table's rows, made when the query begins to run: binding and
 * EXPLAIN make none. arc_sees(database, table): may the session's query see it? Both find the
 * session of the query, and with it what the query may see, each time that they run: what is bound
 * may be kept for another query.
 */
#include "sql/system.h"

#include "base/vec.h"
#include "sql/handover.h"
#include "sql/signature.h"
#include "sql/system_priv.h"

/* ---- which tables ---- */

const arka_system_table *arka_system_find(const arka_sql *sql, arka_slice database,
                                          arka_slice table)
{
    const arka_system_table *list = arka_information_tables;
    size_t n = arka_n_information_tables;
    if (arka_name_eq(database, ARKA_SLICE(ARKA_SYSTEM_DATABASE))) {
        list = sql->options.system_tables;
        n = sql->options.n_system_tables;
    } else if (!arka_name_eq(database, ARKA_SLICE(ARKA_INFORMATION_SCHEMA))) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (arka_name_eq(arka_slice_of(list[i].name), table))
            return &list[i];
    return NULL;
}

/* ---- rows ---- */

typedef struct cell {
    union {
        int64_t i64;
        double f64;
        const char *text;
    };
    uint32_t len;
    bool null;
} cell;

struct arka_system_rows {
    arka_session *session;
    const arka_system_table *table;
    bool failed;
    int at;      /* the column of the next cell */
    int *places; /* of each column in a row of cells; -1: nobody wants it */
    int n_places;
    arka_type *types; /* by place */
    ARKA_VEC(cell) cells;
    size_t n_rows, next; /* next: to be handed to DuckDB */
    arka_arena arena;    /* texts */
};

arka_sql *arka_system_rows_sql(const arka_system_rows *rows)
{
    return rows->session->sql;
}

static void free_rows(void *memory)
{
    ARKA_HANDOVER_SCOPE();
    arka_system_rows *r = memory;
    arka_vec_fini(&r->cells);
    arka_arena_fini(&r->arena);
    arka_free(r->places);
    arka_free(r->types);
    arka_free(r);
}

/* The cell to fill; NULL: nobody wants it. */
static cell *next_cell(arka_system_rows *r, arka_type type)
{
    ARKA_CHECK(r->at < r->table->n_columns, "%s: too many cells", r->table->name);
    int column = r->at++;
    ARKA_CHECK(type == ARKA_TYPE_NONE || type == r->table->columns[column].type,
               "%s.%s: a cell of another type", r->table->name, r->table->columns[column].name);
    if (r->places[column] < 0 || r->failed)
        return NULL;
    return &r->cells.items[r->n_rows * (size_t)r->n_places + (size_t)r->places[column]];
}

/* In front of the first cell of a row. */
static void begin_row(arka_system_rows *r)
{
    if (r->at > 0)
        return;
    r->failed = r->failed || !arka_vec_reserve(&r->cells, r->n_places);
    if (!r->failed)
        r->cells.n += (size_t)r->n_places;
}

static void put_cell(arka_system_rows *r, arka_type type, cell value)
{
    begin_row(r);
    cell *c = next_cell(r, type);
    if (c != NULL)
        *c = value;
}

void arka_system_put_null(arka_system_rows *r)
{
    put_cell(r, ARKA_TYPE_NONE, (cell){.null = true});
}

void arka_system_put_slice(arka_system_rows *r, arka_slice text)
{
    begin_row(r);
    cell *c = next_cell(r, ARKA_VARCHAR);
    if (c == NULL)
        return;
    *c = (cell){.text = arka_arena_text(&r->arena, text), .len = (uint32_t)text.len};
    r->failed |= c->text == NULL;
}

void arka_system_put_text(arka_system_rows *r, const char *text)
{
    if (text == NULL)
        arka_system_put_null(r);
    else
        arka_system_put_slice(r, arka_slice_of(text));
}

void arka_system_put_i64(arka_system_rows *r, int64_t value)
{
    put_cell(r, ARKA_BIGINT, (cell){.i64 = value});
}

void arka_system_put_f64(arka_system_rows *r, double value)
{
    put_cell(r, ARKA_DOUBLE, (cell){.f64 = value});
}

void arka_system_put_bool(arka_system_rows *r, bool value)
{
    put_cell(r, ARKA_BOOLEAN, (cell){.i64 = value});
}

void arka_system_put_time(arka_system_rows *r, int64_t us)
{
    put_cell(r, ARKA_TIMESTAMPTZ, (cell){.i64 = us});
}

arka_status arka_system_end_row(arka_system_rows *r, arka_error *err)
{
    enum { ROWS_PER_LOOK = 1024 };
    ARKA_CHECK(r->at == r->table->n_columns, "%s: a row of %d cells", r->table->name, r->at);
    r->at = 0;
    if (r->failed)
        return arka_fail_nomem(err, "a system table", r->cells.n * sizeof(cell));
    r->n_rows++;
    return r->n_rows % ROWS_PER_LOOK == 0 ? arka_session_check(r->session, err) : ARKA_OK;
}

/* ---- arc_system ---- */

typedef struct bound {
    arka_session *session;
    const arka_system_table *table;
} bound;

static arka_slice take_parameter(duckdb_bind_info info, idx_t i, char **text)
{
    duckdb_value v = duckdb_bind_get_parameter(info, i);
    *text = duckdb_get_varchar(v);
    duckdb_destroy_value(&v);
    return arka_slice_of(*text);
}

static void bind_system(duckdb_bind_info info)
{
    ARKA_HANDOVER_SCOPE();
    duckdb_client_context context;
    char *schema, *name;
    duckdb_table_function_get_client_context(info, &context);
    arka_session *s = arka_session_find(duckdb_bind_get_extra_info(info), context);
    duckdb_destroy_client_context(&context);
    arka_slice in = take_parameter(info, 0, &schema), called = take_parameter(info, 1, &name);
    const arka_system_table *t = s ? arka_system_find(s->sql, in, called) : NULL;
    duckdb_free(schema);
    duckdb_free(name);
    if (t == NULL || t->put_rows == NULL) {
        duckdb_bind_set_error(info, "arc_system: no such table");
        return;
    }
    for (int i = 0; i < t->n_columns; i++) {
        duckdb_logical_type type = arka_type_to_duckdb(t->columns[i].type);
        duckdb_bind_add_result_column(info, t->columns[i].name, type);
        duckdb_destroy_logical_type(&type);
    }
    bound *b = arka_malloc(sizeof *b);
    if (b == NULL) {
        duckdb_bind_set_error(info, ARKA_SQL_NOMEM);
        return;
    }
    *b = (bound){s, t};
    duckdb_bind_set_bind_data(info, b, arka_free);
}

static arka_system_rows *make_rows(duckdb_init_info info, const bound *b)
{
    idx_t n = duckdb_init_get_column_count(info);
    arka_system_rows *r = arka_calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->session = b->session;
    r->table = b->table;
    r->n_places = (int)n;
    r->places = arka_calloc((size_t)b->table->n_columns + 1, sizeof *r->places);
    r->types = arka_calloc((size_t)n + 1, sizeof *r->types);
    if (r->places == NULL || r->types == NULL) {
        free_rows(r);
        return NULL;
    }
    for (int i = 0; i < b->table->n_columns; i++)
        r->places[i] = -1;
    for (idx_t i = 0; i < n; i++) {
        idx_t column = duckdb_init_get_column_index(info, i);
        if (column >= (idx_t)b->table->n_columns)
            continue; /* the one without values, for count(*) */
        r->places[column] = (int)i;
        r->types[i] = b->table->columns[column].type;
    }
    return r;
}

static void init_system(duckdb_init_info info)
{
    ARKA_HANDOVER_SCOPE();
    const bound *b = duckdb_init_get_bind_data(info);
    arka_error err = {0};
    arka_system_rows *r = make_rows(info, b);
    if (r == NULL) {
        duckdb_init_set_error(info, ARKA_SQL_NOMEM);
        return;
    }
    duckdb_init_set_init_data(info, r, free_rows);
    duckdb_init_set_max_threads(info, 1);
    arka_status status = b->table->put_rows(b->session->sql->options.system_context,
                                            &b->session->visibility, r, &err);
    if (status != ARKA_OK)
        duckdb_init_set_error(info, status == ARKA_NOMEM ? ARKA_SQL_NOMEM : err.msg);
}

static void put_value(duckdb_vector out, idx_t row, arka_type type, const cell *c)
{
    void *data = duckdb_vector_get_data(out);
    if (c->null) {
        duckdb_vector_ensure_validity_writable(out);
        duckdb_validity_set_row_invalid(duckdb_vector_get_validity(out), row);
        return;
    }
    switch (type) {
    case ARKA_VARCHAR:
        duckdb_vector_assign_string_element_len(out, row, c->text, c->len);
        break;
    case ARKA_BOOLEAN:
        ((bool *)data)[row] = c->i64 != 0;
        break;
    case ARKA_DOUBLE:
        ((double *)data)[row] = c->f64;
        break;
    case ARKA_BIGINT:
    case ARKA_TIMESTAMPTZ:
        ((int64_t *)data)[row] = c->i64;
        break;
    case ARKA_TYPE_NONE:
        break;
    }
}

static void scan_system(duckdb_function_info info, duckdb_data_chunk chunk)
{
    ARKA_HANDOVER_SCOPE();
    arka_system_rows *r = duckdb_function_get_init_data(info);
    idx_t n = 0;
    for (; n < duckdb_vector_size() && r->next < r->n_rows; n++, r->next++)
        for (int c = 0; c < r->n_places; c++)
            put_value(duckdb_data_chunk_get_vector(chunk, (idx_t)c), n, r->types[c],
                      &r->cells.items[r->next * (size_t)r->n_places + (size_t)c]);
    duckdb_data_chunk_set_size(chunk, n);
}

/* ---- arc_sees ---- */

static void *same_session(void *session)
{
    return session;
}

static void bind_sees(duckdb_bind_info info)
{
    duckdb_client_context context;
    duckdb_scalar_function_get_client_context(info, &context);
    arka_session *s = arka_session_find(duckdb_scalar_function_bind_get_extra_info(info), context);
    duckdb_destroy_client_context(&context);
    if (s == NULL) {
        duckdb_scalar_function_bind_set_error(info, "arc_sees: no session");
        return;
    }
    duckdb_scalar_function_set_bind_data(info, s, NULL);
    duckdb_scalar_function_set_bind_data_copy(info, same_session);
}

static arka_slice text_at(duckdb_vector vector, idx_t row)
{
    uint64_t *validity = duckdb_vector_get_validity(vector);
    if (validity != NULL && !duckdb_validity_row_is_valid(validity, row))
        return (arka_slice){"", 0};
    duckdb_string_t *s = (duckdb_string_t *)duckdb_vector_get_data(vector) + row;
    return (arka_slice){duckdb_string_t_data(s), duckdb_string_t_length(*s)};
}

/* A row that is about no table is about the whole database: for those who see everything. */
static void call_sees(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    ARKA_HANDOVER_SCOPE();
    arka_session *s = duckdb_scalar_function_get_bind_data(info);
    const arka_visibility *v = &s->visibility;
    duckdb_vector databases = duckdb_data_chunk_get_vector(input, 0);
    duckdb_vector tables = duckdb_data_chunk_get_vector(input, 1);
    bool *sees = duckdb_vector_get_data(output);
    idx_t n = duckdb_data_chunk_get_size(input);
    for (idx_t i = 0; i < n; i++) {
        arka_slice database = text_at(databases, i), table = text_at(tables, i);
        sees[i] = v->table == NULL ||
                  (database.len > 0 && table.len > 0 && arka_sees_database(v, database) &&
                   arka_sees_table(v, database, table));
    }
}

/* ---- registration ---- */

static bool register_system(arka_instance *instance, duckdb_connection connection)
{
    duckdb_table_function f = duckdb_create_table_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_table_function_set_name(f, "arc_system");
    for (int i = 0; i < 2; i++)
        duckdb_table_function_add_parameter(f, text);
    duckdb_table_function_set_extra_info(f, instance, NULL);
    duckdb_table_function_set_bind(f, bind_system);
    duckdb_table_function_set_init(f, init_system);
    duckdb_table_function_set_function(f, scan_system);
    duckdb_table_function_supports_projection_pushdown(f, true);
    bool ok = duckdb_register_table_function(connection, f) == DuckDBSuccess;
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_table_function(&f);
    return ok;
}

static bool register_sees(arka_instance *instance, duckdb_connection connection)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_logical_type result = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
    duckdb_scalar_function_set_name(f, "arc_sees");
    for (int i = 0; i < 2; i++)
        duckdb_scalar_function_add_parameter(f, text);
    duckdb_scalar_function_set_return_type(f, result);
    duckdb_scalar_function_set_extra_info(f, instance, NULL);
    duckdb_scalar_function_set_bind(f, bind_sees);
    duckdb_scalar_function_set_function(f, call_sees);
    duckdb_scalar_function_set_special_handling(f); /* of nulls: they are looked at */
    duckdb_scalar_function_set_volatile(f); /* so that nothing of the query's runs below it */
    bool ok = duckdb_register_scalar_function(connection, f) == DuckDBSuccess;
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_logical_type(&result);
    duckdb_destroy_scalar_function(&f);
    return ok;
}

arka_status arka_system_register(arka_instance *instance, arka_error *err)
{
    duckdb_connection connection = instance->sessions[instance->n_sessions - 1].connection;
    if (!register_system(instance, connection) || !register_sees(instance, connection))
        return arka_fail(err, ARKA_INTERNAL, "DuckDB does not take functions arc_system, arc_sees");
    return ARKA_OK;
}

static arka_status make_views(arka_session *own, const char *schema, const arka_system_table *list,
                              size_t n, arka_error *err)
{
    arka_buf sql = ARKA_BUF_INIT;
    arka_buf_printf(&sql, "CREATE SCHEMA \"" ARKA_SQL_CATALOG "\".\"%s\";", schema);
    for (size_t i = 0; i < n; i++)
        if (list[i].put_rows != NULL)
            arka_buf_printf(&sql,
                            "CREATE VIEW \"" ARKA_SQL_CATALOG "\".\"%s\".\"%s\" AS "
                            "FROM arc_system('%s', '%s');",
                            schema, list[i].name, schema, list[i].name);
    const char *text = arka_buf_cstr(&sql);
    arka_status status = text ? arka_session_run(own, text, err)
                              : arka_fail_nomem(err, "views of system tables", sql.len);
    arka_buf_fini(&sql);
    return status;
}

arka_status arka_system_make_views(arka_instance *instance, arka_error *err)
{
    arka_session *own = &instance->sessions[instance->n_sessions - 1];
    const arka_sql_options *o = &instance->sql->options;
    ARKA_TRY(make_views(own, ARKA_SYSTEM_DATABASE, o->system_tables, o->n_system_tables, err));
    return make_views(own, ARKA_INFORMATION_SCHEMA, arka_information_tables,
                      arka_n_information_tables, err);
}
