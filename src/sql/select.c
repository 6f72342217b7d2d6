/*
 * A SELECT from the parameters of a request. `where` and `order_by` are SQL of the user's and go in
 * as they are, after DuckDB has parsed each by itself, behind "SELECT " and "SELECT 1 ORDER BY ",
 * and the tree shows nothing but one expression, or one list of columns. A newline follows each, so
 * that a comment ends inside it.
 */
#include <strings.h>

#include "base/civil.h"
#include "sql/lexer.h"
#include "sql/sql_priv.h"

/* ---- proofs ---- */

/* SELECT_NODE with one item, no FROM, and no clause but those in `keys`. */
static const arka_tree *sole_item(const arka_tree *node, const char *const *keys)
{
    const arka_tree *item = arka_tree_first(node, "select_list");
    bool plain = arka_tree_is(node, "type", "SELECT_NODE") && arka_tree_has_only(node, keys) &&
                 arka_tree_is(arka_tree_get(node, "from_table"), "type", "EMPTY") &&
                 arka_tree_is(node, "aggregate_handling", "STANDARD_HANDLING");
    return plain && item != NULL && item->next == NULL ? item : NULL;
}

static bool is_expression(const arka_tree *node)
{
    static const char *const KEYS[] = {"type", "select_list", "from_table", "aggregate_handling",
                                       NULL};
    const arka_tree *item = sole_item(node, KEYS);
    return item != NULL && arka_tree_text(item, "alias").len == 0 &&
           !arka_tree_is(item, "class", "STAR");
}

static bool is_column_list(const arka_tree *node)
{
    static const char *const KEYS[] = {
        "type", "select_list", "from_table", "aggregate_handling", "modifiers", NULL};
    const arka_tree *modifier = arka_tree_first(node, "modifiers");
    if (sole_item(node, KEYS) == NULL || modifier == NULL || modifier->next != NULL ||
        !arka_tree_is(modifier, "type", "ORDER_MODIFIER"))
        return false;
    for (const arka_tree *o = arka_tree_first(modifier, "orders"); o != NULL; o = o->next)
        if (!arka_tree_is(arka_tree_get(o, "expression"), "class", "COLUMN_REF"))
            return false;
    return true;
}

static bool has_semicolon(arka_slice text)
{
    arka_lexer lexer = {text, 0};
    for (;;) {
        arka_token t = arka_lexer_next(&lexer);
        if (t.kind == ARKA_TOKEN_END || arka_token_is_sign(t, ';'))
            return t.kind != ARKA_TOKEN_END;
    }
}

/* `before` and the user's text, through DuckDB's parser, and what must be true of its tree. */
static arka_status prove(const arka_parser *parser, const char *parameter, const char *before,
                         arka_slice user, bool (*holds)(const arka_tree *node),
                         const char *expected, arka_error *err)
{
    arka_arena arena = ARKA_ARENA_INIT;
    arka_buf sql = ARKA_BUF_INIT;
    const arka_tree *node;
    arka_error own = {0};
    arka_buf_text(&sql, before);
    arka_buf_slice(&sql, user);
    arka_buf_byte(&sql, '\n');
    arka_text text = {
        .user = user, .sql = {arka_buf_cstr(&sql), sql.len}, .prefix = strlen(before)};
    arka_status status;
    if (text.sql.data == NULL)
        status = arka_fail_nomem(err, "a statement", sql.len);
    else if (memchr(user.data, 0, user.len) != NULL || has_semicolon(user))
        status = arka_fail(err, ARKA_INPUT, "%s must be %s", parameter, expected);
    else if ((status = arka_parse_sql(parser, &text, 0, &arena, &node, &own)) != ARKA_OK)
        status = arka_fail(err, status == ARKA_FORBIDDEN ? ARKA_INPUT : status, "%s: %s", parameter,
                           own.msg);
    else if (!holds(node))
        status = arka_fail(err, ARKA_INPUT, "%s must be %s", parameter, expected);
    arka_buf_fini(&sql);
    arka_arena_fini(&arena);
    return status;
}

/* ---- parts ---- */

/* One name between quotes, and not "a" FROM b --", which begins and ends like one. */
static bool is_quoted(arka_slice name)
{
    arka_lexer lexer = {name, 0};
    arka_token t = arka_lexer_next(&lexer);
    return t.kind == ARKA_TOKEN_QUOTED && t.text.len == name.len;
}

static arka_status put_columns(arka_buf *out, arka_slice columns, arka_error *err)
{
    arka_slice rest = arka_slice_trim(columns);
    if (rest.len == 0 || arka_slice_eq(rest, ARKA_SLICE("*"))) {
        arka_buf_byte(out, '*');
        return ARKA_OK;
    }
    for (bool more = true; more;) {
        const char *comma = memchr(rest.data, ',', rest.len);
        size_t n = comma ? (size_t)(comma - rest.data) : rest.len;
        arka_slice name = arka_slice_trim((arka_slice){rest.data, n});
        if (name.len == 0)
            return arka_fail(err, ARKA_INPUT, "columns: a name is missing in '%.*s'",
                             columns.len > 80 ? 80 : (int)columns.len, columns.data);
        if (is_quoted(name))
            arka_buf_slice(out, name);
        else
            arka_sql_quote(out, '"', name);
        more = comma != NULL;
        rest = (arka_slice){rest.data + n + more, rest.len - n - more};
        if (more)
            arka_buf_text(out, ", ");
    }
    return ARKA_OK;
}

static arka_status put_time(arka_buf *out, const char *parameter, const char *comparison,
                            arka_slice text, bool *first, arka_error *err)
{
    int64_t us;
    char formatted[ARKA_TIME_TEXT];
    if (text.len == 0)
        return ARKA_OK;
    if (!arka_parse_time(text.data, text.len, &us))
        return arka_fail(err, ARKA_INPUT, "%s is no time in ISO 8601: '%.*s'", parameter,
                         text.len > 80 ? 80 : (int)text.len, text.data);
    arka_buf_printf(out, "%s\"" ARKA_TIME_COLUMN "\" %s TIMESTAMPTZ '",
                    *first ? " WHERE " : " AND ", comparison);
    arka_buf_append(out, formatted, arka_format_time(formatted, us));
    arka_buf_byte(out, '\'');
    *first = false;
    return ARKA_OK;
}

static arka_status put_select(const arka_parser *parser, const arka_select *s, arka_buf *out,
                              arka_error *err)
{
    bool first = true;
    arka_buf_text(out, "SELECT ");
    ARKA_TRY(put_columns(out, s->columns, err));
    arka_buf_text(out, " FROM ");
    arka_sql_quote(out, '"', s->measurement);
    ARKA_TRY(put_time(out, "start_time", ">=", s->start_time, &first, err));
    ARKA_TRY(put_time(out, "end_time", "<", s->end_time, &first, err));
    if (s->where.len > 0) {
        ARKA_TRY(
            prove(parser, "where", "SELECT ", s->where, is_expression, "one SQL expression", err));
        arka_buf_text(out, first ? " WHERE (" : " AND (");
        arka_buf_slice(out, s->where);
        arka_buf_text(out, "\n)");
    }
    if (s->order_by.len > 0) {
        ARKA_TRY(prove(parser, "order_by", "SELECT 1 ORDER BY ", s->order_by, is_column_list,
                       "a list of columns, each with ASC or DESC behind it or nothing", err));
        arka_buf_text(out, " ORDER BY ");
        arka_buf_slice(out, s->order_by);
        arka_buf_byte(out, '\n');
    }
    if (s->limit >= 0)
        arka_buf_printf(out, " LIMIT %lld", (long long)s->limit);
    if (s->offset > 0)
        arka_buf_printf(out, " OFFSET %lld", (long long)s->offset);
    return arka_buf_cstr(out) ? ARKA_OK : arka_fail_nomem(err, "a statement", out->len);
}

arka_status arka_select_to_sql(arka_sql *sql, const arka_select *select, arka_buf *out,
                               arka_error *err)
{
    arka_session *session;
    if (select->measurement.len == 0)
        return arka_fail(err, ARKA_INPUT, "the name of a measurement is missing");
    ARKA_TRY(arka_session_take(sql, (arka_mono){0}, &session, err));
    arka_status status = put_select(&session->parser, select, out, err);
    arka_session_give(session);
    return status;
}
