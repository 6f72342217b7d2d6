/*
 * information_schema.tables, .columns and .schemata: of what the query may see, from the engine's
 * own lists, however many tables have a view by now. DuckDB's own ones list the views that other
 * queries made.
 */
#include "sql/system_priv.h"

#define ARKA_COUNT_OF(a) ((int)(sizeof(a) / sizeof *(a)))

static const arka_system_column TABLES[] = {
    {"table_catalog", ARKA_VARCHAR},
    {"table_schema", ARKA_VARCHAR},
    {"table_name", ARKA_VARCHAR},
    {"table_type", ARKA_VARCHAR},
    {"self_referencing_column_name", ARKA_VARCHAR},
    {"reference_generation", ARKA_VARCHAR},
    {"user_defined_type_catalog", ARKA_VARCHAR},
    {"user_defined_type_schema", ARKA_VARCHAR},
    {"user_defined_type_name", ARKA_VARCHAR},
    {"is_insertable_into", ARKA_VARCHAR},
    {"is_typed", ARKA_VARCHAR},
    {"commit_action", ARKA_VARCHAR},
};
static const arka_system_column COLUMNS[] = {
    {"table_catalog", ARKA_VARCHAR},
    {"table_schema", ARKA_VARCHAR},
    {"table_name", ARKA_VARCHAR},
    {"column_name", ARKA_VARCHAR},
    {"ordinal_position", ARKA_BIGINT},
    {"column_default", ARKA_VARCHAR},
    {"is_nullable", ARKA_VARCHAR},
    {"data_type", ARKA_VARCHAR},
    {"character_maximum_length", ARKA_BIGINT},
    {"character_octet_length", ARKA_BIGINT},
    {"numeric_precision", ARKA_BIGINT},
    {"numeric_precision_radix", ARKA_BIGINT},
    {"numeric_scale", ARKA_BIGINT},
    {"datetime_precision", ARKA_BIGINT},
};
static const arka_system_column SCHEMATA[] = {
    {"catalog_name", ARKA_VARCHAR},
    {"schema_name", ARKA_VARCHAR},
    {"schema_owner", ARKA_VARCHAR},
    {"default_character_set_catalog", ARKA_VARCHAR},
    {"default_character_set_schema", ARKA_VARCHAR},
    {"default_character_set_name", ARKA_VARCHAR},
    {"sql_path", ARKA_VARCHAR},
};

typedef struct listing {
    arka_sql *sql;
    const arka_visibility *visibility;
    arka_system_rows *rows;
} listing;

static void put_nulls(arka_system_rows *rows, int n)
{
    for (int i = 0; i < n; i++)
        arka_system_put_null(rows);
}

/* The three names that a table, and a column, begins with. */
static void put_names(arka_system_rows *rows, const char *database, const char *table)
{
    arka_system_put_text(rows, ARKA_SQL_CATALOG);
    arka_system_put_text(rows, database);
    arka_system_put_text(rows, table);
}

/* ---- tables ---- */

static arka_status put_table(arka_system_rows *rows, const char *database, const char *table,
                             const char *type, arka_error *err)
{
    put_names(rows, database, table);
    arka_system_put_text(rows, type);
    put_nulls(rows, 5);
    arka_system_put_text(rows, "NO");
    arka_system_put_text(rows, "NO");
    put_nulls(rows, 1);
    return arka_system_end_row(rows, err);
}

/* May it see this one? A table of ours with rows about others is seen by all, row by row. */
static bool sees(const listing *l, const arka_table_info *info)
{
    arka_slice database = arka_slice_of(info->database), name = arka_slice_of(info->name);
    const arka_system_table *t = arka_system_find(l->sql, database, name);
    if (t != NULL)
        return t->put_rows == NULL; /* else the real table is not reached by that name */
    return arka_sees_database(l->visibility, database) &&
           arka_sees_table(l->visibility, database, name);
}

static arka_status list_table(void *context, const arka_table_info *info, arka_error *err)
{
    listing *l = context;
    return sees(l, info) ? put_table(l->rows, info->database, info->name, "BASE TABLE", err)
                         : ARKA_OK;
}

static arka_status put_tables(void *context, const arka_visibility *visibility,
                              arka_system_rows *rows, arka_error *err)
{
    listing l = {arka_system_rows_sql(rows), visibility, rows};
    const arka_sql_options *o = &l.sql->options;
    for (size_t i = 0; i < o->n_system_tables; i++)
        if (o->system_tables[i].put_rows != NULL)
            ARKA_TRY(put_table(rows, ARKA_SYSTEM_DATABASE, o->system_tables[i].name, "SYSTEM VIEW",
                               err));
    return arka_engine_each_table(l.sql->engine, (arka_slice){"", 0}, list_table, &l, err);
}

/* ---- columns ---- */

static void put_precision(arka_system_rows *rows, arka_type type)
{
    bool bigint = type == ARKA_BIGINT, number = bigint || type == ARKA_DOUBLE;
    put_nulls(rows, 2);
    if (number) {
        arka_system_put_i64(rows, bigint ? 64 : 53);
        arka_system_put_i64(rows, 2);
    } else {
        put_nulls(rows, 2);
    }
    if (bigint)
        arka_system_put_i64(rows, 0);
    else
        arka_system_put_null(rows);
    if (type == ARKA_TIMESTAMPTZ)
        arka_system_put_i64(rows, 6);
    else
        arka_system_put_null(rows);
}

static arka_status put_column(arka_system_rows *rows, const char *database, const char *table,
                              int place, const char *name, arka_type type, arka_error *err)
{
    put_names(rows, database, table);
    arka_system_put_text(rows, name);
    arka_system_put_i64(rows, place + 1);
    arka_system_put_null(rows);
    arka_system_put_text(rows, "YES");
    arka_system_put_text(rows, arka_type_name(type));
    put_precision(rows, type);
    return arka_system_end_row(rows, err);
}

static arka_status list_columns(void *context, const arka_table_info *info, arka_error *err)
{
    listing *l = context;
    ARKA_AUTO(arka_snapshot) snapshot = NULL;
    arka_error gone = {0};
    if (!sees(l, info))
        return ARKA_OK;
    arka_status status = arka_engine_snapshot(l->sql->engine, arka_slice_of(info->database),
                                              arka_slice_of(info->name), &snapshot, &gone);
    if (status == ARKA_NOTFOUND)
        return ARKA_OK; /* since it was listed */
    if (status != ARKA_OK)
        return arka_fail(err, status, "%s", gone.msg);
    const arka_schema *schema = snapshot->schema;
    for (int i = 0; i < schema->n_fields; i++)
        ARKA_TRY(put_column(l->rows, info->database, info->name, i, schema->fields[i].name.data,
                            schema->fields[i].type, err));
    return ARKA_OK;
}

static arka_status put_columns(void *context, const arka_visibility *visibility,
                               arka_system_rows *rows, arka_error *err)
{
    listing l = {arka_system_rows_sql(rows), visibility, rows};
    const arka_sql_options *o = &l.sql->options;
    for (size_t i = 0; i < o->n_system_tables; i++) {
        const arka_system_table *t = &o->system_tables[i];
        for (int c = 0; t->put_rows != NULL && c < t->n_columns; c++)
            ARKA_TRY(put_column(rows, ARKA_SYSTEM_DATABASE, t->name, c, t->columns[c].name,
                                t->columns[c].type, err));
    }
    return arka_engine_each_table(l.sql->engine, (arka_slice){"", 0}, list_columns, &l, err);
}

/* ---- schemata ---- */

static arka_status put_schema(arka_system_rows *rows, const char *name, arka_error *err)
{
    arka_system_put_text(rows, ARKA_SQL_CATALOG);
    arka_system_put_text(rows, name);
    arka_system_put_text(rows, "arc");
    put_nulls(rows, 4);
    return arka_system_end_row(rows, err);
}

static arka_status list_schema(void *context, const arka_database_info *info, arka_error *err)
{
    listing *l = context;
    arka_slice name = arka_slice_of(info->name);
    if (arka_name_eq(name, ARKA_SLICE(ARKA_SYSTEM_DATABASE)) ||
        !arka_sees_database(l->visibility, name))
        return ARKA_OK;
    return put_schema(l->rows, info->name, err);
}

static arka_status put_schemata(void *context, const arka_visibility *visibility,
                                arka_system_rows *rows, arka_error *err)
{
    listing l = {arka_system_rows_sql(rows), visibility, rows};
    ARKA_TRY(put_schema(rows, ARKA_SYSTEM_DATABASE, err));
    return arka_engine_each_database(l.sql->engine, list_schema, &l, err);
}

const arka_system_table arka_information_tables[] = {
    {.name = "tables",
     .columns = TABLES,
     .n_columns = ARKA_COUNT_OF(TABLES),
     .put_rows = put_tables},
    {.name = "columns",
     .columns = COLUMNS,
     .n_columns = ARKA_COUNT_OF(COLUMNS),
     .put_rows = put_columns},
    {.name = "schemata",
     .columns = SCHEMATA,
     .n_columns = ARKA_COUNT_OF(SCHEMATA),
     .put_rows = put_schemata},
};
const size_t arka_n_information_tables = ARKA_COUNT_OF(arka_information_tables);
