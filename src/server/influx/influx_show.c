/* What the catalog alone answers: databases, measurements, fields and how many there are. */
#include "server/influx/influx_run.h"

/* One row of one text. */
static arka_status put_name(arka_influx *q, arka_slice name, arka_error *err)
{
    arka_influx_text(&q->out, name);
    return arka_influx_row_end(&q->out, err);
}

/* The part of n rows that LIMIT and OFFSET leave. */
static void cut(const arka_influxql_statement *s, size_t n, size_t *from, size_t *to)
{
    int64_t offset = s->query.offset, limit = s->query.limit;
    *from = offset < (int64_t)n ? (size_t)offset : n;
    *to = limit > 0 && limit < (int64_t)(n - *from) ? *from + (size_t)limit : n;
}

/* ---- databases ---- */

static arka_status put_database(void *context, const arka_database_info *info, arka_error *err)
{
    arka_influx *q = context;
    arka_slice name = arka_slice_of(info->name);
    if (name.data[0] == '_' ||
        (q->visibility.database != NULL && !q->visibility.database(q->visibility.context, name)))
        return ARKA_OK;
    return put_name(q, name, err);
}

arka_status arka_influx_show_databases(arka_influx *q, const arka_influxql_statement *s,
                                       arka_error *err)
{
    arka_influx_series series = {ARKA_SLICE("databases"), {"name"}, 1, .empty_too = true};
    arka_influx_series_begin(&q->out, &series);
    ARKA_TRY(arka_engine_each_database(q->server->engine, put_database, q, err));
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

static arka_status put_empty_database(void *context, const arka_database_info *info,
                                      arka_error *err)
{
    arka_influx *q = context;
    arka_slice name = arka_slice_of(info->name);
    if (name.data[0] == '_' ||
        (q->visibility.database != NULL && !q->visibility.database(q->visibility.context, name)))
        return ARKA_OK;
    arka_influx_series series = {name, {"name", "query"}, 2, .empty_too = true};
    arka_influx_series_begin(&q->out, &series);
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

/* InfluxDB lists every database, with its queries: there are none of InfluxDB's. */
arka_status arka_influx_show_continuous_queries(arka_influx *q, const arka_influxql_statement *s,
                                                arka_error *err)
{
    return arka_engine_each_database(q->server->engine, put_empty_database, q, err);
}

arka_status arka_influx_show_policies(arka_influx *q, const arka_influxql_statement *s,
                                      arka_error *err)
{
    arka_influx_tables tables;
    arka_influx_series series = {{"", 0},
                                 {"name", "duration", "shardGroupDuration", "replicaN", "default"},
                                 5,
                                 .empty_too = false};
    ARKA_TRY(arka_influx_find_tables(q, s, true, &tables, err));
    arka_influx_series_begin(&q->out, &series);
    arka_influx_text(&q->out, ARKA_SLICE("autogen"));
    arka_influx_text(&q->out, ARKA_SLICE("0s"));
    arka_influx_text(&q->out, ARKA_SLICE("168h0m0s"));
    arka_influx_int(&q->out, 1);
    arka_influx_bool(&q->out, true);
    ARKA_TRY(arka_influx_row_end(&q->out, err));
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

/* There are tokens, no users. */
arka_status arka_influx_show_users(arka_influx *q, const arka_influxql_statement *s,
                                   arka_error *err)
{
    arka_influx_series series = {{"", 0}, {"user", "admin"}, 2, .empty_too = true};
    arka_influx_series_begin(&q->out, &series);
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

arka_status arka_influx_show_grants(arka_influx *q, const arka_influxql_statement *s,
                                    arka_error *err)
{
    return arka_fail(err, ARKA_NOTFOUND, "user not found");
}

arka_status arka_influx_show_nothing(arka_influx *q, const arka_influxql_statement *s,
                                     arka_error *err)
{
    return ARKA_OK;
}

/* ---- measurements ---- */

static arka_status note_answer(void *context, const arka_slice *cells, size_t n, arka_error *err)
{
    bool *yes = context;
    *yes = n == 1 && arka_slice_eq(cells[0], ARKA_SLICE("true"));
    return ARKA_OK;
}

static arka_status ask_table(arka_influx *q, const arka_influxql_expr *condition,
                             const arka_influx_tables *tables, size_t i, bool *yes, arka_error *err)
{
    ARKA_AUTO(arka_schema) schema = NULL;
    arka_buf sql = ARKA_BUF_INIT;
    *yes = false;
    ARKA_TRY(arka_influx_schema(q, tables->database, tables->names[i], &schema, err));
    if (schema == NULL)
        return ARKA_OK;
    arka_buf_literal(&sql, "SELECT (");
    arka_status status = arka_influx_put_having(condition, tables->names[i], schema, &sql, err);
    if (status == ARKA_OK) {
        arka_buf_literal(&sql, ") AS yes");
        arka_influx_put_from(&sql, tables->database, tables->names[i]);
        arka_buf_literal(&sql, " HAVING true"); /* one row, of names alone as well */
        status = arka_influx_sql(q, &sql, note_answer, yes, err);
    }
    arka_buf_fini(&sql);
    return status;
}

/* The measurements of which the condition holds, in place. */
static arka_status find_measurements(arka_influx *q, const arka_influxql_statement *s,
                                     arka_influx_tables *out, arka_error *err)
{
    arka_influx_where where;
    ARKA_TRY(arka_influx_find_tables(q, s, false, out, err));
    if (s->query.condition == NULL)
        return ARKA_OK;
    arka_error ignored = {0};
    arka_status status = arka_influx_where_of(q, s, &where, &ignored);
    if (status == ARKA_OK && (where.range.min != INT64_MIN || where.range.max != INT64_MAX))
        return arka_fail(err, ARKA_INPUT, "%s doesn't support time in WHERE clause",
                         arka_influxql_kind_words(s->kind));
    arka_slice *kept = arka_arena_alloc(&q->arena, out->n * sizeof *kept + 1);
    size_t n = 0;
    if (kept == NULL)
        return arka_fail_nomem(err, "a list of names", out->n);
    for (size_t i = 0; i < out->n; i++) {
        bool yes;
        ARKA_TRY(ask_table(q, s->query.condition, out, i, &yes, err));
        if (yes)
            kept[n++] = out->names[i];
    }
    out->names = kept;
    out->n = n;
    return ARKA_OK;
}

arka_status arka_influx_show_measurements(arka_influx *q, const arka_influxql_statement *s,
                                          arka_error *err)
{
    arka_influx_tables tables;
    size_t from, to;
    arka_influx_series series = {ARKA_SLICE("measurements"), {"name"}, 1, .empty_too = false};
    ARKA_TRY(find_measurements(q, s, &tables, err));
    arka_influx_series_begin(&q->out, &series);
    cut(s, tables.n, &from, &to);
    for (size_t i = from; i < to; i++)
        ARKA_TRY(put_name(q, tables.names[i], err));
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

arka_status arka_influx_count_measurements(arka_influx *q, const arka_influxql_statement *s,
                                           arka_error *err)
{
    arka_influx_tables tables;
    bool plain = s->kind == ARKA_INFLUXQL_SHOW_MEASUREMENT_CARDINALITY && s->query.n_sources == 0 &&
                 s->query.condition == NULL;
    arka_influx_series series = {
        {"", 0}, {plain ? "cardinality estimation" : "count"}, 1, .empty_too = false};
    ARKA_TRY(find_measurements(q, s, &tables, err));
    if (s->query.offset > 0 || (!plain && tables.n == 0))
        return ARKA_OK;
    arka_influx_series_begin(&q->out, &series);
    arka_influx_int(&q->out, (int64_t)tables.n);
    ARKA_TRY(arka_influx_row_end(&q->out, err));
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

/* ---- fields ---- */

static arka_slice type_text(arka_type type)
{
    switch ((int)type) {
    case ARKA_BOOLEAN:
        return ARKA_SLICE("boolean");
    case ARKA_BIGINT:
        return ARKA_SLICE("integer");
    case ARKA_DOUBLE:
        return ARKA_SLICE("float");
    default:
        return ARKA_SLICE("string"); /* a second time is text to InfluxDB's clients */
    }
}

static arka_status put_fields(arka_influx *q, const arka_influxql_statement *s, arka_slice table,
                              const arka_schema *schema, arka_error *err)
{
    arka_influx_columns fields;
    size_t from, to;
    arka_influx_series series = {table, {"fieldKey", "fieldType"}, 2, .empty_too = false};
    ARKA_TRY(arka_influx_columns_of(q, schema, false, &fields, err));
    arka_influx_series_begin(&q->out, &series);
    cut(s, fields.n, &from, &to);
    for (size_t i = from; i < to; i++) {
        arka_influx_text(&q->out, fields.items[i]->name);
        arka_influx_text(&q->out, type_text(fields.items[i]->type));
        ARKA_TRY(arka_influx_row_end(&q->out, err));
    }
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

static arka_status put_field_count(arka_influx *q, const arka_influxql_statement *s,
                                   arka_slice table, const arka_schema *schema, arka_error *err)
{
    arka_influx_columns fields;
    arka_influx_series series = {table, {"count"}, 1, .empty_too = false};
    ARKA_TRY(arka_influx_columns_of(q, schema, false, &fields, err));
    if (fields.n == 0 || s->query.offset > 0)
        return ARKA_OK;
    arka_influx_series_begin(&q->out, &series);
    arka_influx_int(&q->out, (int64_t)fields.n);
    ARKA_TRY(arka_influx_row_end(&q->out, err));
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

static arka_status each_schema(arka_influx *q, const arka_influxql_statement *s,
                               arka_status (*put)(arka_influx *q, const arka_influxql_statement *s,
                                                  arka_slice table, const arka_schema *schema,
                                                  arka_error *err),
                               arka_error *err)
{
    arka_influx_tables tables;
    ARKA_TRY(arka_influx_find_tables(q, s, true, &tables, err));
    for (size_t i = 0; i < tables.n; i++) {
        ARKA_AUTO(arka_schema) schema = NULL;
        ARKA_TRY(arka_influx_schema(q, tables.database, tables.names[i], &schema, err));
        if (schema != NULL)
            ARKA_TRY(put(q, s, tables.names[i], schema, err));
    }
    return ARKA_OK;
}

arka_status arka_influx_show_field_keys(arka_influx *q, const arka_influxql_statement *s,
                                        arka_error *err)
{
    return each_schema(q, s, put_fields, err);
}

arka_status arka_influx_count_field_keys(arka_influx *q, const arka_influxql_statement *s,
                                         arka_error *err)
{
    return each_schema(q, s, put_field_count, err);
}
