#include <math.h>
#include <strings.h>

#include "base/number.h"
#include "influxql/parser.h"

typedef ARKA_VEC(const arka_influxql_expr *) expr_list;

static arka_status new_expr(parser *p, arka_influxql_expr expr, const arka_influxql_expr **out,
                            arka_error *err)
{
    arka_influxql_expr *kept = arka_arena_alloc(p->arena, sizeof expr);
    int depth = 0;
    if (kept == NULL)
        return arka_fail_nomem(err, "a query", sizeof expr);
    if (expr.left != NULL)
        depth = expr.left->depth;
    if (expr.right != NULL && expr.right->depth > depth)
        depth = expr.right->depth;
    for (size_t i = 0; i < expr.n_args; i++)
        if (expr.args[i]->depth > depth)
            depth = expr.args[i]->depth;
    expr.depth = depth + 1;
    *kept = expr;
    *out = kept;
    if (expr.depth > ARKA_INFLUXQL_DEPTH)
        return parser_refused(err, "an expression has more than %d operators in a chain",
                              ARKA_INFLUXQL_DEPTH);
    return ARKA_OK;
}

/* ---- durations ---- */

/* ns of a unit, and its bytes in *size; 0: there is none. */
static int64_t unit_of(const char *at, size_t n, size_t *size)
{
    static const struct {
        const char *text;
        int64_t ns;
    } UNITS[] = {
        /* the longer before what they begin with */
        {"ns", 1},
        {"ms", 1000000},
        {"u", 1000},
        {"\xc2\xb5", 1000},
        {"s", 1000000000},
        {"m", INT64_C(60000000000)},
        {"h", INT64_C(3600000000000)},
        {"d", INT64_C(86400000000000)},
        {"w", INT64_C(604800000000000)},
    };
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        *size = strlen(UNITS[i].text);
        if (*size <= n && memcmp(at, UNITS[i].text, *size) == 0)
            return UNITS[i].ns;
    }
    return 0;
}

bool parser_duration(arka_slice text, int64_t *out)
{
    int64_t total = 0;
    for (size_t at = 0; at < text.len;) {
        size_t digits = 0, size = 0;
        int64_t n, part;
        while (at + digits < text.len && text.data[at + digits] >= '0' &&
               text.data[at + digits] <= '9')
            digits++;
        int64_t unit = unit_of(text.data + at + digits, text.len - at - digits, &size);
        if (digits == 0 || unit == 0 || !arka_parse_i64(text.data + at, digits, &n) ||
            __builtin_mul_overflow(n, unit, &part) || __builtin_add_overflow(total, part, &total))
            return false;
        at += digits + size;
    }
    *out = total;
    return text.len > 0;
}

/* ---- leaves ---- */

arka_status parser_regex(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    token t = p->token;
    *out = NULL;
    if (t.kind == T_EOF && !p->lexer.end_seen) { /* to look for one is to look behind the end */
        p->lexer.end_seen = true;
        p->token.at.column++;
    }
    if (t.kind == T_DIV)
        t = lexer_regex(&p->lexer, &p->token);
    if (t.kind == T_BADREGEX)
        return parser_wrong(t.at, err, "bad regex: ");
    if (t.kind != T_REGEX)
        return ARKA_OK;
    parser_next(p);
    return new_expr(
        p, (arka_influxql_expr){.kind = ARKA_INFLUXQL_REGEX, .text = t.text, .at = t.at}, out, err);
}

static bool is_word(arka_slice text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

/* Behind "::". */
static arka_status read_type(parser *p, bool wildcard, arka_influxql_type *out, arka_error *err)
{
    static const char *const WORDS[] = {"float", "integer", "unsigned", "string", "boolean"};
    *out = ARKA_INFLUXQL_ANY;
    if (p->token.kind != T_DOUBLE_COLON || p->token.spaced)
        return ARKA_OK;
    parser_next(p);
    token t = p->token;
    if (!t.spaced && (t.kind == T_FIELD || t.kind == T_TAG))
        *out = t.kind == T_FIELD ? ARKA_INFLUXQL_FIELD : ARKA_INFLUXQL_TAG;
    for (int i = 0; !wildcard && !t.spaced && t.kind == T_IDENT && i < 5; i++)
        if (is_word(t.text, WORDS[i]))
            *out = (arka_influxql_type)(ARKA_INFLUXQL_FLOAT_FIELD + i);
    if (*out == ARKA_INFLUXQL_ANY)
        return parser_expected(
            p, wildcard ? "field, tag" : "float, integer, string, boolean, field, tag", err);
    parser_next(p);
    return ARKA_OK;
}

static arka_status join(parser *p, const segments *s, arka_slice *out, arka_error *err)
{
    *out = s->names[0];
    if (s->n == 1 && !s->more)
        return ARKA_OK;
    const char *text =
        s->n == 1 ? arka_arena_printf(p->arena, "%.*s", ARKA_FMT(s->names[0]))
        : s->n == 2
            ? arka_arena_printf(p->arena, "%.*s.%.*s", ARKA_FMT(s->names[0]), ARKA_FMT(s->names[1]))
            : arka_arena_printf(p->arena, "%.*s.%.*s.%.*s", ARKA_FMT(s->names[0]),
                                ARKA_FMT(s->names[1]), ARKA_FMT(s->names[2]));
    if (text == NULL)
        return arka_fail_nomem(err, "a query", s->names[0].len);
    *out = arka_slice_of(text);
    return ARKA_OK;
}

static arka_status read_variable(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    arka_influxql_expr e = {.kind = ARKA_INFLUXQL_VARIABLE, .at = p->token.at};
    segments s;
    ARKA_TRY(parser_segments(p, &s, err));
    ARKA_TRY(join(p, &s, &e.text, err));
    ARKA_TRY(read_type(p, false, &e.type, err));
    return new_expr(p, e, out, err);
}

static arka_status read_number(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    token t = p->token;
    arka_influxql_expr e = {.kind = ARKA_INFLUXQL_INTEGER};
    uint64_t big;
    parser_next(p);
    if (t.kind == T_NUMBER) {
        e.kind = ARKA_INFLUXQL_NUMBER;
        if (!arka_parse_f64(t.text.data, t.text.len, &e.number))
            return parser_wrong(t.at, err, "unable to parse number");
    } else if (!arka_parse_i64(t.text.data, t.text.len, &e.integer)) {
        e.kind = ARKA_INFLUXQL_UNSIGNED;
        if (!arka_parse_u64(t.text.data, t.text.len, &big))
            return parser_wrong(t.at, err, "unable to parse integer");
        e.integer = (int64_t)big;
    }
    return new_expr(p, e, out, err);
}

static arka_status read_duration(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    arka_influxql_expr e = {.kind = ARKA_INFLUXQL_DURATION};
    if (!parser_duration(p->token.text, &e.integer))
        return parser_refused(err, "invalid duration");
    parser_next(p);
    return new_expr(p, e, out, err);
}

/* ---- calls ---- */

static arka_status read_args(parser *p, expr_list *args, arka_error *err)
{
    do {
        const arka_influxql_expr *arg;
        ARKA_TRY(parser_regex(p, &arg, err));
        if (arg == NULL && args->n == 0 && p->token.kind == T_CLOSE)
            return ARKA_OK;
        if (arg == NULL)
            ARKA_TRY(parser_expr(p, &arg, err));
        if (!arka_vec_push(args, arg))
            return arka_fail_nomem(err, "a query", sizeof arg);
    } while (parser_take(p, T_COMMA));
    return ARKA_OK;
}

/* `name` and the parenthesis are read. */
static arka_status read_call(parser *p, arka_slice name, const arka_influxql_expr **out,
                             arka_error *err)
{
    arka_influxql_expr e = {.kind = ARKA_INFLUXQL_CALL};
    expr_list args = {0};
    char *lower = arka_arena_strndup(p->arena, name.data, name.len);
    if (lower == NULL)
        return arka_fail_nomem(err, "a query", name.len);
    for (size_t i = 0; i < name.len; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] | 0x20);
    e.text = (arka_slice){lower, name.len};
    ARKA_TRY(parser_enter(p, err));
    arka_status status = read_args(p, &args, err);
    p->depth--;
    if (status != ARKA_OK) {
        arka_vec_fini(&args);
        return status;
    }
    e.n_args = args.n;
    ARKA_TRY(parser_keep(p, args.items, args.n, sizeof *args.items, &e.args, err));
    ARKA_TRY(parser_need(p, T_CLOSE, err));
    return new_expr(p, e, out, err);
}

static bool at_call(const parser *p)
{
    return p->token.kind == T_OPEN && !p->token.spaced;
}

/* A name: of a function when "(" follows at once. */
static arka_status read_named(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    lexer before = p->lexer;
    token name = p->token;
    parser_next(p);
    if (at_call(p)) {
        parser_next(p);
        return read_call(p, name.text, out, err);
    }
    p->lexer = before;
    p->token = name;
    return read_variable(p, out, err);
}

static arka_status read_distinct(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    arka_influxql_expr e = {.kind = ARKA_INFLUXQL_DISTINCT};
    parser_next(p);
    if (at_call(p)) {
        parser_next(p);
        return read_call(p, ARKA_SLICE("distinct"), out, err);
    }
    if (!p->token.spaced)
        return parser_expected(p, "(, identifier", err);
    ARKA_TRY(parser_name(p, &e.text, err));
    return new_expr(p, e, out, err);
}

/* ---- operands ---- */

static arka_status read_operand(parser *p, const arka_influxql_expr **out, arka_error *err);

static arka_status negate(parser *p, const arka_influxql_expr *of, const arka_influxql_expr **out,
                          arka_error *err)
{
    arka_influxql_expr e = *of;
    switch ((int)of->kind) {
    case ARKA_INFLUXQL_UNSIGNED: /* the least integer has no positive twin */
        if (of->integer != INT64_MIN)
            return parser_refused(err, "constant -%llu underflows int64",
                                  (unsigned long long)of->integer);
        e.kind = ARKA_INFLUXQL_INTEGER;
        break;
    case ARKA_INFLUXQL_INTEGER:
    case ARKA_INFLUXQL_DURATION:
        e.integer = -of->integer;
        break;
    case ARKA_INFLUXQL_NUMBER:
        e.number = -of->number;
        break;
    default:
        e = (arka_influxql_expr){.kind = ARKA_INFLUXQL_NEGATED, .left = of};
        break;
    }
    return new_expr(p, e, out, err);
}

static arka_status read_signed(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    bool minus = p->token.kind == T_SUB;
    parser_next(p);
    token_kind kind = p->token.kind;
    if (kind != T_NUMBER && kind != T_INTEGER && kind != T_DURATION_VALUE && kind != T_OPEN &&
        kind != T_IDENT)
        return parser_expected(p, "identifier, number, duration, (", err);
    ARKA_TRY(read_operand(p, out, err));
    return minus ? negate(p, *out, out, err) : ARKA_OK;
}

static arka_status read_parens(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    arka_influxql_expr e = {.kind = ARKA_INFLUXQL_PARENS};
    parser_next(p);
    ARKA_TRY(parser_enter(p, err));
    ARKA_TRY(parser_expr(p, &e.left, err));
    p->depth--;
    ARKA_TRY(parser_need(p, T_CLOSE, err));
    return new_expr(p, e, out, err);
}

static arka_status read_bound(parser *p, arka_error *err)
{
    arka_slice text = p->token.text;
    if (text.len == 0 || text.data[0] != '$') /* a value that is none: the text says why */
        return parser_refused(err, "%.*s", text.len > 200 ? 200 : (int)text.len, text.data);
    if (text.len == 1)
        return parser_refused(err, "empty bound parameter");
    return parser_refused(err, "missing parameter: %.*s", text.len > 200 ? 200 : (int)text.len - 1,
                          text.data + 1);
}

static arka_status read_operand(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    arka_influxql_expr e = {.kind = ARKA_INFLUXQL_STRING};
    switch ((int)p->token.kind) {
    case T_OPEN:
        return read_parens(p, out, err);
    case T_IDENT:
        return read_named(p, out, err);
    case T_DISTINCT:
        return read_distinct(p, out, err);
    case T_NUMBER:
    case T_INTEGER:
        return read_number(p, out, err);
    case T_DURATION_VALUE:
        return read_duration(p, out, err);
    case T_ADD:
    case T_SUB:
        return read_signed(p, out, err);
    case T_BOUND:
        return read_bound(p, err);
    case T_REGEX: /* of a parameter */
        return parser_regex(p, out, err);
    case T_STRING:
        e.text = p->token.text;
        break;
    case T_TRUE:
    case T_FALSE:
        e.kind = ARKA_INFLUXQL_BOOLEAN;
        e.integer = p->token.kind == T_TRUE;
        break;
    case T_MUL:
        e.kind = ARKA_INFLUXQL_WILDCARD;
        parser_next(p);
        ARKA_TRY(read_type(p, true, &e.type, err));
        return new_expr(p, e, out, err);
    default:
        return parser_expected(p, "identifier, string, number, bool", err);
    }
    parser_next(p);
    return new_expr(p, e, out, err);
}

/* ---- operators ---- */

/* How tight it binds, from 1; 0: it is no operator. */
static int binding(token_kind kind, arka_influxql_op *op)
{
    static const struct {
        token_kind kind;
        arka_influxql_op op;
        int binding;
    } OPERATORS[] = {
        {T_OR, ARKA_INFLUXQL_OR, 1},         {T_AND, ARKA_INFLUXQL_AND, 2},
        {T_EQ, ARKA_INFLUXQL_EQ, 3},         {T_NE, ARKA_INFLUXQL_NE, 3},
        {T_MATCH, ARKA_INFLUXQL_MATCH, 3},   {T_NOT_MATCH, ARKA_INFLUXQL_NOT_MATCH, 3},
        {T_LT, ARKA_INFLUXQL_LT, 3},         {T_LE, ARKA_INFLUXQL_LE, 3},
        {T_GT, ARKA_INFLUXQL_GT, 3},         {T_GE, ARKA_INFLUXQL_GE, 3},
        {T_ADD, ARKA_INFLUXQL_ADD, 4},       {T_SUB, ARKA_INFLUXQL_SUB, 4},
        {T_BIT_OR, ARKA_INFLUXQL_BIT_OR, 4}, {T_BIT_XOR, ARKA_INFLUXQL_BIT_XOR, 4},
        {T_MUL, ARKA_INFLUXQL_MUL, 5},       {T_DIV, ARKA_INFLUXQL_DIV, 5},
        {T_MOD, ARKA_INFLUXQL_MOD, 5},       {T_BIT_AND, ARKA_INFLUXQL_BIT_AND, 5},
    };
    for (size_t i = 0; i < sizeof OPERATORS / sizeof *OPERATORS; i++) {
        if (OPERATORS[i].kind == kind) {
            *op = OPERATORS[i].op;
            return OPERATORS[i].binding;
        }
    }
    return 0;
}

/* Operators that bind at least as tight as `least`; all of them group to the left. */
static arka_status read_binary(parser *p, int least, const arka_influxql_expr **out,
                               arka_error *err)
{
    arka_influxql_expr e = {.kind = ARKA_INFLUXQL_BINARY};
    int tight;
    ARKA_TRY(read_operand(p, out, err));
    while ((tight = binding(p->token.kind, &e.op)) >= least && tight > 0) {
        parser_next(p);
        e.left = *out;
        if (e.op == ARKA_INFLUXQL_MATCH || e.op == ARKA_INFLUXQL_NOT_MATCH) {
            ARKA_TRY(parser_regex(p, &e.right, err));
            if (e.right == NULL)
                return parser_expected(p, "regex", err);
        } else {
            ARKA_TRY(read_binary(p, tight + 1, &e.right, err));
        }
        ARKA_TRY(new_expr(p, e, out, err));
    }
    return ARKA_OK;
}

arka_status parser_expr(parser *p, const arka_influxql_expr **out, arka_error *err)
{
    return read_binary(p, 1, out, err);
}
