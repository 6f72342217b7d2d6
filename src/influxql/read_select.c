#include <strings.h>

#include "base/number.h"
#include "influxql/parser.h"

typedef ARKA_VEC(arka_influxql_field) field_list;
typedef ARKA_VEC(arka_influxql_source) source_list;
typedef ARKA_VEC(const arka_influxql_expr *) expr_list;

/* ---- fields ---- */

/* The first operator that gives a truth, which no field may be. */
static const arka_influxql_expr *find_truth(const arka_influxql_expr *e)
{
    if (e->kind == ARKA_INFLUXQL_BINARY && e->op <= ARKA_INFLUXQL_GE)
        return e;
    const arka_influxql_expr *found = e->left ? find_truth(e->left) : NULL;
    if (found == NULL && e->right != NULL)
        found = find_truth(e->right);
    for (size_t i = 0; found == NULL && i < e->n_args; i++)
        found = find_truth(e->args[i]);
    return found;
}

static arka_status read_field(parser *p, arka_influxql_field *out, arka_error *err)
{
    static const token_kind SIGNS[] = {T_OR,        T_AND, T_EQ, T_NE, T_MATCH,
                                       T_NOT_MATCH, T_LT,  T_LE, T_GT, T_GE};
    *out = (arka_influxql_field){0};
    ARKA_TRY(parser_regex(p, &out->expr, err));
    if (out->expr == NULL) {
        arka_influxql_place at = p->token.at;
        ARKA_TRY(parser_expr(p, &out->expr, err));
        const arka_influxql_expr *truth = find_truth(out->expr);
        if (truth != NULL)
            return parser_refused(err,
                                  "invalid operator %s in SELECT clause at line %d, char %d; "
                                  "operator is intended for WHERE clause",
                                  token_kind_text(SIGNS[truth->op]), at.line, at.column);
    }
    return parser_take(p, T_AS) ? parser_name(p, &out->alias, err) : ARKA_OK;
}

static arka_status list_fields(parser *p, field_list *fields, arka_error *err)
{
    do {
        arka_influxql_field field;
        ARKA_TRY(read_field(p, &field, err));
        if (!arka_vec_push(fields, field))
            return arka_fail_nomem(err, "a query", sizeof field);
    } while (parser_take(p, T_COMMA));
    return ARKA_OK;
}

static arka_status read_fields(parser *p, arka_influxql_select *out, arka_error *err)
{
    field_list fields = {0};
    arka_status status = list_fields(p, &fields, err);
    if (status != ARKA_OK) {
        arka_vec_fini(&fields);
        return status;
    }
    out->n_fields = fields.n;
    return parser_keep(p, fields.items, fields.n, sizeof *fields.items, &out->fields, err);
}

/* ---- sources ---- */

static arka_status too_many(const segments *s, arka_slice fourth, arka_error *err)
{
    arka_influxql_place start = {1, 1};
    return parser_wrong(start, err, "too many segments in \"%.*s\".\"%.*s\".\"%.*s\".%.*s",
                        ARKA_FMT(s->names[0]), ARKA_FMT(s->names[1]), ARKA_FMT(s->names[2]),
                        ARKA_FMT(fourth));
}

arka_status parser_segments(parser *p, segments *out, arka_error *err)
{
    arka_slice name;
    *out = (segments){0};
    ARKA_TRY(parser_name(p, &out->names[out->n++], err));
    while (p->token.kind == T_DOT && !p->token.spaced) {
        parser_next(p);
        out->more = !p->token.spaced && (p->token.kind == T_DIV || p->token.kind == T_COLON);
        if (out->more)
            return ARKA_OK;
        name = (arka_slice){"", 0};
        if (p->token.kind != T_DOT || p->token.spaced)
            ARKA_TRY(parser_name(p, &name, err));
        if (out->n == 3)
            return too_many(out, name, err);
        out->names[out->n++] = name;
    }
    return ARKA_OK;
}

/* From the right: name, policy, database. */
static void assign(arka_influxql_source *to, const segments *s, bool has_name)
{
    int at = s->n;
    if (!has_name)
        to->name = s->names[--at];
    if (at > 0)
        to->policy = s->names[--at];
    if (at > 0)
        to->database = s->names[--at];
}

static arka_status read_subquery(parser *p, arka_influxql_source *out, arka_error *err)
{
    arka_influxql_select *query = arka_arena_zalloc(p->arena, sizeof *query);
    if (query == NULL)
        return arka_fail_nomem(err, "a query", sizeof *query);
    out->query = query;
    ARKA_TRY(parser_enter(p, err));
    ARKA_TRY(parser_need(p, T_SELECT, err));
    ARKA_TRY(parser_select(p, false, query, err));
    p->depth--;
    return parser_need(p, T_CLOSE, err);
}

arka_status parser_source(parser *p, bool queries, arka_influxql_source *out, arka_error *err)
{
    segments s;
    *out = (arka_influxql_source){0};
    ARKA_TRY(parser_regex(p, &out->regex, err));
    if (out->regex != NULL)
        return ARKA_OK;
    if (queries && parser_take(p, T_OPEN))
        return read_subquery(p, out, err);
    ARKA_TRY(parser_segments(p, &s, err));
    if (s.more)
        ARKA_TRY(parser_regex(p, &out->regex, err));
    if (s.more && out->regex == NULL)
        return parser_expected(p, "identifier", err);
    if (s.n == 3 && s.more)
        return too_many(&s, ARKA_SLICE("//"), err);
    assign(out, &s, s.more);
    return ARKA_OK;
}

static arka_status list_sources(parser *p, bool queries, source_list *sources, arka_error *err)
{
    do {
        arka_influxql_source source;
        ARKA_TRY(parser_source(p, queries, &source, err));
        if (!arka_vec_push(sources, source))
            return arka_fail_nomem(err, "a query", sizeof source);
    } while (parser_take(p, T_COMMA));
    return ARKA_OK;
}

arka_status parser_sources(parser *p, bool queries, arka_influxql_select *out, arka_error *err)
{
    source_list sources = {0};
    arka_status status = list_sources(p, queries, &sources, err);
    if (status != ARKA_OK) {
        arka_vec_fini(&sources);
        return status;
    }
    out->n_sources = sources.n;
    return parser_keep(p, sources.items, sources.n, sizeof *sources.items, &out->sources, err);
}

static arka_status read_target(parser *p, bool need, arka_influxql_select *out, arka_error *err)
{
    segments s;
    if (!parser_take(p, T_INTO))
        return need ? parser_expected(p, "INTO", err) : ARKA_OK;
    ARKA_TRY(parser_segments(p, &s, err));
    out->has_target = true;
    out->target_backreference = s.more;
    if (s.more) {
        ARKA_TRY(parser_need(p, T_COLON, err));
        ARKA_TRY(parser_need(p, T_MEASUREMENT, err));
    }
    if (s.n == 3 && s.more)
        return too_many(&s, ARKA_SLICE(":MEASUREMENT"), err);
    assign(&out->target, &s, s.more);
    return ARKA_OK;
}

/* ---- clauses ---- */

arka_status parser_where(parser *p, arka_influxql_select *out, arka_error *err)
{
    return parser_take(p, T_WHERE) ? parser_expr(p, &out->condition, err) : ARKA_OK;
}

static arka_status list_dimensions(parser *p, expr_list *list, arka_error *err)
{
    do {
        const arka_influxql_expr *one;
        ARKA_TRY(parser_regex(p, &one, err));
        if (one == NULL)
            ARKA_TRY(parser_expr(p, &one, err));
        if (!arka_vec_push(list, one))
            return arka_fail_nomem(err, "a query", sizeof one);
    } while (parser_take(p, T_COMMA));
    return ARKA_OK;
}

arka_status parser_group(parser *p, arka_influxql_select *out, arka_error *err)
{
    expr_list list = {0};
    if (!parser_take(p, T_GROUP))
        return ARKA_OK;
    ARKA_TRY(parser_need(p, T_BY, err));
    arka_status status = list_dimensions(p, &list, err);
    if (status != ARKA_OK) {
        arka_vec_fini(&list);
        return status;
    }
    out->n_dimensions = list.n;
    return parser_keep(p, list.items, list.n, sizeof *list.items, &out->dimensions, err);
}

arka_status parser_order(parser *p, arka_influxql_select *out, arka_error *err)
{
    if (!parser_take(p, T_ORDER))
        return ARKA_OK;
    ARKA_TRY(parser_need(p, T_BY, err));
    if (p->token.kind != T_IDENT && p->token.kind != T_ASC && p->token.kind != T_DESC)
        return parser_expected(p, "identifier, ASC, DESC", err);
    bool is_time = p->token.kind != T_IDENT || arka_slice_eq(p->token.text, ARKA_SLICE("time"));
    if (p->token.kind == T_IDENT)
        parser_next(p);
    out->order = p->token.kind == T_DESC ? ARKA_INFLUXQL_DESCENDING : ARKA_INFLUXQL_ASCENDING;
    if (p->token.kind == T_ASC || p->token.kind == T_DESC)
        parser_next(p);
    if (!is_time || p->token.kind == T_COMMA)
        return parser_refused(err, "only ORDER BY time supported at this time");
    return ARKA_OK;
}

arka_status parser_limit(parser *p, token_kind word, int64_t *out, arka_error *err)
{
    if (!parser_take(p, word))
        return ARKA_OK;
    if (p->token.kind != T_INTEGER)
        return parser_expected(p, "integer", err);
    if (!arka_parse_i64(p->token.text.data, p->token.text.len, out))
        *out = INT64_MAX;
    parser_next(p);
    return ARKA_OK;
}

static bool at_call_of(const parser *p, const char *name)
{
    return p->token.kind == T_IDENT && p->token.text.len == strlen(name) &&
           strncasecmp(p->token.text.data, name, p->token.text.len) == 0;
}

static arka_status read_fill(parser *p, arka_influxql_select *out, arka_error *err)
{
    static const char *const WORDS[] = {"null", "none", "previous", "linear"};
    const arka_influxql_expr *call;
    if (!at_call_of(p, "fill"))
        return ARKA_OK;
    ARKA_TRY(parser_expr(p, &call, err));
    if (call->kind != ARKA_INFLUXQL_CALL)
        return parser_refused(err, "fill must be a function call");
    if (call->n_args != 1)
        return parser_refused(err,
                              "fill requires an argument, e.g.: 0, null, none, previous, linear");
    const arka_influxql_expr *arg = call->args[0];
    for (int i = 0; arg->kind == ARKA_INFLUXQL_VARIABLE && i < 4; i++)
        if (arka_slice_eq(arg->text, arka_slice_of(WORDS[i])))
            out->fill = (arka_influxql_fill)(ARKA_INFLUXQL_FILL_NULL + i);
    if (arg->kind == ARKA_INFLUXQL_INTEGER || arg->kind == ARKA_INFLUXQL_NUMBER) {
        out->fill = ARKA_INFLUXQL_FILL_NUMBER;
        out->fill_value = arg;
    }
    if (out->fill == ARKA_INFLUXQL_FILL_UNSAID)
        return parser_refused(err, "expected number argument in fill()");
    return ARKA_OK;
}

static arka_status read_time_zone(parser *p, arka_influxql_select *out, arka_error *err)
{
    const arka_influxql_expr *call;
    if (!at_call_of(p, "tz"))
        return ARKA_OK;
    ARKA_TRY(parser_expr(p, &call, err));
    if (call->kind != ARKA_INFLUXQL_CALL)
        return parser_refused(err, "tz must be a function call");
    if (call->n_args != 1)
        return parser_refused(err, "tz requires exactly one argument");
    if (call->args[0]->kind != ARKA_INFLUXQL_STRING)
        return parser_refused(err, "expected string argument in tz()");
    out->time_zone = call->args[0]->text;
    return ARKA_OK;
}

arka_status parser_select(parser *p, bool need_target, arka_influxql_select *out, arka_error *err)
{
    *out = (arka_influxql_select){0};
    ARKA_TRY(read_fields(p, out, err));
    ARKA_TRY(read_target(p, need_target, out, err));
    ARKA_TRY(parser_need(p, T_FROM, err));
    ARKA_TRY(parser_sources(p, true, out, err));
    ARKA_TRY(parser_where(p, out, err));
    ARKA_TRY(parser_group(p, out, err));
    ARKA_TRY(read_fill(p, out, err));
    ARKA_TRY(parser_order(p, out, err));
    ARKA_TRY(parser_limit(p, T_LIMIT, &out->limit, err));
    ARKA_TRY(parser_limit(p, T_OFFSET, &out->offset, err));
    ARKA_TRY(parser_limit(p, T_SLIMIT, &out->slimit, err));
    ARKA_TRY(parser_limit(p, T_SOFFSET, &out->soffset, err));
    return read_time_zone(p, out, err);
}
