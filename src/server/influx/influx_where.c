/* InfluxQL's conditions as SQL. A tag that a row has not is the empty text, as in InfluxDB. */
#include <strings.h>

#include "base/civil.h"
#include "server/influx/influx_run.h"

void arka_influx_put_from(arka_buf *sql, arka_slice database, arka_slice table)
{
    arka_buf_literal(sql, " FROM ");
    arka_sql_quote(sql, '"', database);
    arka_buf_byte(sql, '.');
    arka_sql_quote(sql, '"', table);
}

/* ---- one comparison ---- */

typedef struct scope {
    arka_slice table;
    const arka_schema *schema;
    bool swapped_too; /* 'a' = host is fine as well */
    bool of_table;    /* the question is one about the table, not about a row */
    arka_buf *sql;
} scope;

static arka_status compile(const scope *c, const arka_influxql_expr *e, arka_error *err);

static bool is_test(arka_influxql_op op)
{
    return op >= ARKA_INFLUXQL_EQ && op <= ARKA_INFLUXQL_NOT_MATCH;
}

static const char *sign_of(arka_influxql_op op)
{
    static const char *const SIGNS[] = {"=", "!=", "=~", "!~"};
    return SIGNS[op - ARKA_INFLUXQL_EQ];
}

/* The tag's column, or "" where the table has no such tag. */
static const arka_field *tag_of(const scope *c, const arka_influxql_expr *variable)
{
    int i = arka_schema_find(c->schema, variable->text);
    return i > 0 && c->schema->fields[i].tag ? &c->schema->fields[i] : NULL;
}

static bool is_field(const scope *c, const arka_influxql_expr *variable)
{
    int i = arka_schema_find(c->schema, variable->text);
    if (variable->type == ARKA_INFLUXQL_TAG)
        return false;
    return variable->type != ARKA_INFLUXQL_ANY || (i > 0 && !c->schema->fields[i].tag);
}

static void put_tag(const scope *c, const arka_influxql_expr *variable)
{
    const arka_field *tag = tag_of(c, variable);
    if (tag == NULL) {
        arka_buf_literal(c->sql, "''");
        return;
    }
    arka_buf_literal(c->sql, "coalesce(");
    arka_sql_quote(c->sql, '"', tag->name);
    arka_buf_literal(c->sql, ", '')");
}

static void put_test(arka_buf *sql, arka_influxql_op op, const arka_influxql_expr *value)
{
    if (op == ARKA_INFLUXQL_EQ || op == ARKA_INFLUXQL_NE)
        arka_buf_text(sql, op == ARKA_INFLUXQL_EQ ? " = " : " <> ");
    else
        arka_buf_literal(sql, ", ");
    arka_sql_quote(sql, '\'', value->text);
    if (op == ARKA_INFLUXQL_MATCH || op == ARKA_INFLUXQL_NOT_MATCH)
        arka_buf_byte(sql, ')');
}

static void put_test_head(arka_buf *sql, arka_influxql_op op)
{
    if (op == ARKA_INFLUXQL_MATCH)
        arka_buf_literal(sql, "regexp_matches(");
    if (op == ARKA_INFLUXQL_NOT_MATCH)
        arka_buf_literal(sql, "NOT regexp_matches(");
}

static bool is_text(const arka_influxql_expr *e)
{
    return e->kind == ARKA_INFLUXQL_STRING || e->kind == ARKA_INFLUXQL_REGEX;
}

/* Of the measurement's own name. */
static void put_name_test(const scope *c, arka_influxql_op op, const arka_influxql_expr *value)
{
    put_test_head(c->sql, op);
    arka_sql_quote(c->sql, '\'', c->table);
    put_test(c->sql, op, value);
}

/* Does the table have a series whose tag is so? A table without that tag answers no to everything.
 */
static void put_table_test(const scope *c, arka_influxql_op op, const arka_influxql_expr *variable,
                           const arka_influxql_expr *value)
{
    bool negative = op == ARKA_INFLUXQL_NE || op == ARKA_INFLUXQL_NOT_MATCH;
    arka_influxql_op positive = op == ARKA_INFLUXQL_NE          ? ARKA_INFLUXQL_EQ
                                : op == ARKA_INFLUXQL_NOT_MATCH ? ARKA_INFLUXQL_MATCH
                                                                : op;
    if (tag_of(c, variable) == NULL) {
        arka_buf_literal(c->sql, "false");
        return;
    }
    arka_buf_text(c->sql, negative ? "NOT coalesce(bool_or(" : "coalesce(bool_or(");
    put_test_head(c->sql, positive);
    put_tag(c, variable);
    put_test(c->sql, positive, value);
    arka_buf_literal(c->sql, " AND ");
    put_tag(c, variable);
    arka_buf_literal(c->sql, " <> ''), false)");
}

static arka_status compare(const scope *c, const arka_influxql_expr *e, arka_error *err)
{
    const arka_influxql_expr *variable = e->left, *value = e->right;
    if (!is_test(e->op))
        return arka_fail(err, ARKA_INPUT, "invalid tag comparison operator");
    if (variable->kind != ARKA_INFLUXQL_VARIABLE && c->swapped_too &&
        value->kind == ARKA_INFLUXQL_VARIABLE && variable->kind == ARKA_INFLUXQL_STRING) {
        variable = e->right;
        value = e->left;
    }
    if (variable->kind != ARKA_INFLUXQL_VARIABLE)
        return arka_fail(err, ARKA_INPUT, "left side of '%s' must be a tag key", sign_of(e->op));
    if (c->of_table && !is_text(value))
        return arka_fail(err, ARKA_INPUT, "right side of '%s' must be a tag value string",
                         sign_of(e->op));
    if (arka_slice_eq(variable->text, ARKA_SLICE("_name")) && is_text(value)) {
        put_name_test(c, e->op, value);
    } else if (c->of_table) {
        put_table_test(c, e->op, variable, value);
    } else if (variable->text.len > 0 && variable->text.data[0] == '_' &&
               tag_of(c, variable) == NULL) {
        arka_buf_literal(c->sql, "true"); /* _tagKey and its like say nothing of a series */
    } else if (is_field(c, variable) ||
               (!is_text(value) && value->kind != ARKA_INFLUXQL_VARIABLE)) {
        arka_buf_literal(c->sql, "true"); /* series are found by their tags alone */
    } else if (value->kind == ARKA_INFLUXQL_VARIABLE) {
        put_tag(c, variable);
        arka_buf_text(c->sql, e->op == ARKA_INFLUXQL_NE ? " <> " : " = ");
        put_tag(c, value);
    } else {
        put_test_head(c->sql, e->op);
        put_tag(c, variable);
        put_test(c->sql, e->op, value);
    }
    return ARKA_OK;
}

/* ---- conditions ---- */

static arka_status compile(const scope *c, const arka_influxql_expr *e, arka_error *err)
{
    bool both = e->kind == ARKA_INFLUXQL_BINARY && e->op <= ARKA_INFLUXQL_AND;
    if (e->kind == ARKA_INFLUXQL_BOOLEAN && !c->of_table) {
        arka_buf_text(c->sql, e->integer ? "true" : "false");
        return ARKA_OK;
    }
    if (e->kind == ARKA_INFLUXQL_PARENS) {
        arka_buf_byte(c->sql, '(');
        ARKA_TRY(compile(c, e->left, err));
        arka_buf_byte(c->sql, ')');
        return ARKA_OK;
    }
    if (e->kind != ARKA_INFLUXQL_BINARY)
        return arka_influxql_not_a_condition(e, err);
    if (!both)
        return compare(c, e, err);
    ARKA_TRY(
        compile(c, e->left, err)); /* both languages bind AND tighter, both group to the left */
    arka_buf_text(c->sql, e->op == ARKA_INFLUXQL_OR ? " OR " : " AND ");
    return compile(c, e->right, err);
}

arka_status arka_influx_where_of(arka_influx *q, const arka_influxql_statement *s,
                                 arka_influx_where *out, arka_error *err)
{
    ARKA_TRY(arka_influxql_split_time(s->query.condition, q->now, &q->arena, &out->range,
                                      &out->rest, err));
    out->any = out->rest != NULL || out->range.min != INT64_MIN || out->range.max != INT64_MAX;
    return ARKA_OK;
}

static void put_bound(arka_buf *sql, const char *sign, int64_t us)
{
    char text[ARKA_TIME_TEXT];
    if (us < ARKA_TIME_MIN_US)
        us = ARKA_TIME_MIN_US;
    if (us > ARKA_TIME_MAX_US)
        us = ARKA_TIME_MAX_US;
    size_t n = arka_format_time(text, us);
    arka_buf_printf(sql, "\"time\" %s TIMESTAMPTZ '%.*s'", sign, (int)n, text);
}

arka_status arka_influx_put_where(const arka_influx_where *where, arka_slice table,
                                  const arka_schema *schema, bool swapped_too, arka_buf *sql,
                                  arka_error *err)
{
    scope c = {.table = table, .schema = schema, .swapped_too = swapped_too, .sql = sql};
    const char *before = " WHERE ";
    if (where->range.min != INT64_MIN) { /* our times are whole microseconds */
        arka_buf_text(sql, before);
        put_bound(sql, ">=", -arka_floor_div(-where->range.min, 1000));
        before = " AND ";
    }
    if (where->range.max != INT64_MAX) {
        arka_buf_text(sql, before);
        put_bound(sql, "<=", arka_floor_div(where->range.max, 1000));
        before = " AND ";
    }
    if (where->rest == NULL)
        return ARKA_OK;
    arka_buf_text(sql, before);
    arka_buf_byte(sql, '(');
    ARKA_TRY(compile(&c, where->rest, err));
    arka_buf_byte(sql, ')');
    return ARKA_OK;
}

arka_status arka_influx_put_having(const arka_influxql_expr *condition, arka_slice table,
                                   const arka_schema *schema, arka_buf *sql, arka_error *err)
{
    scope c = {.table = table, .schema = schema, .of_table = true, .sql = sql};
    return compile(&c, condition, err);
}
