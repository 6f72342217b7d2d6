#include <math.h>
#include <strings.h>

#include "base/civil.h"
#include "influxql/influxql.h"

/* ---- values ---- */

typedef struct value {
    enum { NO_TIME, TIME, SPAN, WHOLE } kind; /* WHOLE: an integer, a time when it stands alone */
    int64_t n;                                /* ns */
} value;

typedef struct splitter {
    int64_t now;
    arka_arena *arena;
    arka_influxql_time_range *range;
} splitter;

static value text_value(arka_slice text)
{
    int64_t us, ns;
    if (!arka_parse_time(text.data, text.len, &us) || __builtin_mul_overflow(us, 1000, &ns))
        return (value){NO_TIME, 0};
    return (value){TIME, ns};
}

static value evaluate(const splitter *s, const arka_influxql_expr *e);

static value add(value a, value b, bool minus)
{
    value out = {SPAN, 0};
    bool overflow =
        minus ? __builtin_sub_overflow(a.n, b.n, &out.n) : __builtin_add_overflow(a.n, b.n, &out.n);
    if (a.kind == NO_TIME || b.kind == NO_TIME || overflow)
        return (value){NO_TIME, 0};
    if (a.kind == WHOLE && b.kind == WHOLE)
        out.kind = WHOLE;
    else if (b.kind == TIME)
        out.kind = minus ? (a.kind == TIME ? SPAN : NO_TIME) : (a.kind == SPAN ? TIME : NO_TIME);
    else if (a.kind != SPAN)
        out.kind = b.kind == SPAN ? TIME : NO_TIME;
    else if (b.kind != SPAN)
        out.kind = NO_TIME;
    return out;
}

static value multiply(value a, value b)
{
    value out = {a.kind == WHOLE ? b.kind : a.kind, 0};
    if ((a.kind != WHOLE && b.kind != WHOLE) || a.kind == TIME || b.kind == TIME ||
        a.kind == NO_TIME || b.kind == NO_TIME || __builtin_mul_overflow(a.n, b.n, &out.n))
        return (value){NO_TIME, 0};
    return out;
}

static value evaluate_binary(const splitter *s, const arka_influxql_expr *e)
{
    value a = evaluate(s, e->left), b = evaluate(s, e->right);
    /* text is a time beside something that moves it */
    switch ((int)e->op) {
    case ARKA_INFLUXQL_ADD:
    case ARKA_INFLUXQL_SUB:
        return add(a, b, e->op == ARKA_INFLUXQL_SUB);
    case ARKA_INFLUXQL_MUL:
        return multiply(a, b);
    default:
        return (value){NO_TIME, 0};
    }
}

static value evaluate(const splitter *s, const arka_influxql_expr *e)
{
    value inner;
    switch ((int)e->kind) {
    case ARKA_INFLUXQL_STRING:
        return text_value(e->text);
    case ARKA_INFLUXQL_INTEGER:
        return (value){WHOLE, e->integer};
    case ARKA_INFLUXQL_NUMBER:
        return fabs(e->number) < 9.2e18 ? (value){WHOLE, (int64_t)e->number} : (value){NO_TIME, 0};
    case ARKA_INFLUXQL_DURATION:
        return (value){SPAN, e->integer};
    case ARKA_INFLUXQL_CALL:
        if (arka_slice_eq(e->text, ARKA_SLICE("now")) && e->n_args == 0)
            return (value){TIME, s->now};
        return (value){NO_TIME, 0};
    case ARKA_INFLUXQL_PARENS:
        return evaluate(s, e->left);
    case ARKA_INFLUXQL_NEGATED:
        inner = evaluate(s, e->left);
        return multiply((value){WHOLE, -1}, inner);
    case ARKA_INFLUXQL_BINARY:
        return evaluate_binary(s, e);
    default:
        return (value){NO_TIME, 0};
    }
}

/* ---- conditions ---- */

static bool is_time(const arka_influxql_expr *e)
{
    return e->kind == ARKA_INFLUXQL_VARIABLE && e->text.len == 4 &&
           strncasecmp(e->text.data, "time", 4) == 0;
}

static arka_influxql_op flipped(arka_influxql_op op)
{
    switch ((int)op) {
    case ARKA_INFLUXQL_LT:
        return ARKA_INFLUXQL_GT;
    case ARKA_INFLUXQL_LE:
        return ARKA_INFLUXQL_GE;
    case ARKA_INFLUXQL_GT:
        return ARKA_INFLUXQL_LT;
    case ARKA_INFLUXQL_GE:
        return ARKA_INFLUXQL_LE;
    default:
        return op;
    }
}

static void raise(arka_influxql_time_range *range, int64_t min)
{
    range->min = min > range->min ? min : range->min;
}

static void lower(arka_influxql_time_range *range, int64_t max)
{
    range->max = max < range->max ? max : range->max;
}

static arka_status narrow(splitter *s, arka_influxql_op op, const arka_influxql_expr *to,
                          arka_error *err)
{
    static const char *const OTHERS[] = {"OR", "AND", "=", "!=", "=~", "!~", "<", "<=", ">",
                                         ">=", "+",   "-", "|",  "^",  "*",  "/", "%",  "&"};
    /* as InfluxDB names them to its users */
    static const char *const KINDS[] = {"StringLiteral", "IntegerLiteral", "UnsignedLiteral",
                                        "NumberLiteral", "BooleanLiteral", "DurationLiteral",
                                        "RegexLiteral",  "VarRef",         "Wildcard",
                                        "Distinct",      "Call",           "BinaryExpr",
                                        "ParenExpr",     "BinaryExpr"};
    value v = evaluate(s, to);
    if (op == ARKA_INFLUXQL_NE || op < ARKA_INFLUXQL_EQ || (op > ARKA_INFLUXQL_GE))
        return arka_fail(err, ARKA_INPUT, "invalid time comparison operator: %s", OTHERS[op]);
    if (v.kind == NO_TIME)
        return arka_fail(err, ARKA_INPUT,
                         "invalid operation: time and *influxql.%s are not compatible",
                         KINDS[to->kind]);
    if (op == ARKA_INFLUXQL_GT)
        raise(s->range, v.n == INT64_MAX ? v.n : v.n + 1);
    if (op == ARKA_INFLUXQL_LT)
        lower(s->range, v.n == INT64_MIN ? v.n : v.n - 1);
    if (op == ARKA_INFLUXQL_GE || op == ARKA_INFLUXQL_EQ)
        raise(s->range, v.n);
    if (op == ARKA_INFLUXQL_LE || op == ARKA_INFLUXQL_EQ)
        lower(s->range, v.n);
    return ARKA_OK;
}

arka_status arka_influxql_not_a_condition(const arka_influxql_expr *e, arka_error *err)
{
    arka_buf text = ARKA_BUF_INIT;
    arka_influxql_print_expr(e, &text);
    arka_status status = arka_fail(err, ARKA_INPUT, "invalid condition expression: %.*s",
                                   text.len > 200 ? 200 : (int)text.len, text.data);
    arka_buf_fini(&text);
    return status;
}

static arka_status split(splitter *s, const arka_influxql_expr *e, const arka_influxql_expr **rest,
                         arka_error *err);

/* The same node with new children; of one side alone, that side. */
static arka_status rejoin(splitter *s, const arka_influxql_expr *e, const arka_influxql_expr *left,
                          const arka_influxql_expr *right, const arka_influxql_expr **rest,
                          arka_error *err)
{
    if (left == e->left && right == e->right) {
        *rest = e;
        return ARKA_OK;
    }
    if (left == NULL || (right == NULL && e->kind == ARKA_INFLUXQL_BINARY)) {
        *rest = left != NULL ? left : right;
        return ARKA_OK;
    }
    arka_influxql_expr *copy = arka_arena_alloc(s->arena, sizeof *copy);
    if (copy == NULL)
        return arka_fail_nomem(err, "a query", sizeof *copy);
    *copy = *e;
    copy->left = left;
    copy->right = right;
    *rest = copy;
    return ARKA_OK;
}

static arka_status split(splitter *s, const arka_influxql_expr *e, const arka_influxql_expr **rest,
                         arka_error *err)
{
    const arka_influxql_expr *left = NULL, *right = NULL;
    *rest = e;
    if (e->kind == ARKA_INFLUXQL_PARENS) {
        ARKA_TRY(split(s, e->left, &left, err));
        return rejoin(s, e, left, NULL, rest, err);
    }
    if (e->kind == ARKA_INFLUXQL_BOOLEAN)
        return ARKA_OK;
    if (e->kind != ARKA_INFLUXQL_BINARY)
        return arka_influxql_not_a_condition(e, err);
    if (e->op == ARKA_INFLUXQL_AND || e->op == ARKA_INFLUXQL_OR) {
        /* InfluxDB knows no OR of times either: all that is said of time holds at once */
        ARKA_TRY(split(s, e->left, &left, err));
        ARKA_TRY(split(s, e->right, &right, err));
        return rejoin(s, e, left, right, rest, err);
    }
    if (!is_time(e->left) && !is_time(e->right))
        return ARKA_OK;
    *rest = NULL;
    return is_time(e->left) ? narrow(s, e->op, e->right, err)
                            : narrow(s, flipped(e->op), e->left, err);
}

arka_status arka_influxql_split_time(const arka_influxql_expr *condition, int64_t now,
                                     arka_arena *arena, arka_influxql_time_range *range,
                                     const arka_influxql_expr **rest, arka_error *err)
{
    splitter s = {now, arena, range};
    *range = (arka_influxql_time_range){INT64_MIN, INT64_MAX};
    *rest = NULL;
    return condition == NULL ? ARKA_OK : split(&s, condition, rest, err);
}
