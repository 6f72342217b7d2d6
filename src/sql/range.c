#include "sql/range.h"

#include <strings.h>

#include "base/buf.h"
#include "base/civil.h"
#include "columnar/types.h"
#include "sql/tree.h"
#include "sql/sql.h"

/* DuckDB's now() is the start of its transaction, a little after our clock was read; and clocks
 * step. */
#define NOW_SLACK (60 * ARKA_US_PER_SECOND)
#define FAR       (INT64_MAX / 4) /* terms beyond this are not followed: sums cannot overflow */

/* A value that is known to lie in [lo, hi]: µs since 1970, or relative to now. */
typedef struct span {
    bool known, relative, date, named;
    bool exact; /* lo is the very value that DuckDB compares with */
    int64_t lo, hi;
} span;

static const span UNKNOWN = {0};

static bool one_of(arka_slice name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (name.len == strlen(*names) && strncasecmp(name.data, *names, name.len) == 0)
            return true;
    return false;
}

static bool is_class(const arka_tree *t, const char *class)
{
    return arka_tree_is(t, "class", class);
}

/* ---- constants: back to SQL, and through DuckDB ---- */

static bool put_constant(arka_buf *sql, const arka_tree *t);

static bool put_value(arka_buf *sql, const arka_tree *constant)
{
    static const char *const NUMBERS[] = {"INTEGER", "BIGINT", "DOUBLE", NULL};
    const arka_tree *value = arka_tree_get(constant, "value");
    arka_slice type = arka_tree_text(arka_tree_get(value, "type"), "id");
    const arka_tree *v = arka_tree_get(value, "value");
    if (v == NULL || arka_tree_true(value, "is_null"))
        return false;
    if (v->kind == ARKA_TREE_STRING && arka_slice_eq(type, ARKA_SLICE("VARCHAR")))
        arka_sql_quote(sql, '\'', v->text);
    else if (v->kind == ARKA_TREE_NUMBER && one_of(type, NUMBERS))
        arka_buf_slice(sql, v->text);
    else
        return false;
    return true;
}

static bool put_function(arka_buf *sql, const arka_tree *t)
{
    static const char *const PURE[] = {"+",
                                       "-",
                                       "*",
                                       "/",
                                       "//",
                                       "trunc",
                                       "to_years",
                                       "to_months",
                                       "to_weeks",
                                       "to_days",
                                       "to_hours",
                                       "to_minutes",
                                       "to_seconds",
                                       "to_quarters",
                                       "to_milliseconds",
                                       "to_microseconds",
                                       "to_timestamp",
                                       "make_timestamp",
                                       "make_timestamptz",
                                       "make_date",
                                       "epoch_ms",
                                       "date_trunc",
                                       "time_bucket",
                                       "strptime",
                                       NULL};
    arka_slice name = arka_tree_text(t, "function_name");
    arka_slice schema = arka_tree_text(t, "schema");
    if (!one_of(name, PURE) || arka_tree_get(t, "filter") != NULL ||
        arka_tree_true(t, "distinct") ||
        (schema.len > 0 && !arka_slice_eq(schema, ARKA_SLICE("main"))))
        return false;
    arka_buf_printf(sql, "\"%.*s\"(", ARKA_FMT(name));
    for (const arka_tree *c = arka_tree_first(t, "children"); c != NULL; c = c->next) {
        if (!put_constant(sql, c))
            return false;
        if (c->next != NULL)
            arka_buf_byte(sql, ',');
    }
    arka_buf_byte(sql, ')');
    return true;
}

/* SQL for an expression that has only constants and pure functions of them; false for any other. */
static bool put_constant(arka_buf *sql, const arka_tree *t)
{
    static const char *const TYPES[] = {"TIMESTAMP",    "TIMESTAMP WITH TIME ZONE",
                                        "TIMESTAMP_NS", "TIMESTAMP_MS",
                                        "TIMESTAMP_S",  "DATE",
                                        "INTERVAL",     "VARCHAR",
                                        "INTEGER",      "BIGINT",
                                        "DOUBLE",       NULL};
    if (is_class(t, "CONSTANT"))
        return put_value(sql, t);
    if (is_class(t, "FUNCTION"))
        return put_function(sql, t);
    arka_slice type = arka_tree_text(arka_tree_get(t, "cast_type"), "id");
    if (!is_class(t, "CAST") || !one_of(type, TYPES))
        return false;
    arka_buf_text(sql, "CAST(");
    if (!put_constant(sql, arka_tree_get(t, "child")))
        return false;
    arka_buf_printf(sql, " AS %.*s)", ARKA_FMT(type));
    return true;
}

/* Runs SELECT TRY_CAST(t AS type) and copies its one value, of `n_bytes`; false when it has none.
 */
static bool fold(duckdb_connection connection, const arka_tree *t, const char *type, void *value,
                 size_t n_bytes)
{
    bool found = false;
    arka_buf sql = ARKA_BUF_INIT;
    duckdb_result result;
    arka_buf_text(&sql, "SELECT TRY_CAST(");
    bool constant = put_constant(&sql, t);
    arka_buf_printf(&sql, " AS %s)", type);
    const char *text = arka_buf_cstr(&sql);
    if (constant && text != NULL) {
        if (duckdb_query(connection, text, &result) == DuckDBSuccess) {
            duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
            if (chunk != NULL && duckdb_data_chunk_get_size(chunk) == 1) {
                duckdb_vector column = duckdb_data_chunk_get_vector(chunk, 0);
                uint64_t *validity = duckdb_vector_get_validity(column);
                found = validity == NULL || (validity[0] & 1) != 0;
                if (found)
                    memcpy(value, duckdb_vector_get_data(column), n_bytes);
            }
            duckdb_destroy_data_chunk(&chunk);
        }
        duckdb_destroy_result(&result);
    }
    arka_buf_fini(&sql);
    return found;
}

static bool fold_time(duckdb_connection connection, const arka_tree *t, int64_t *out)
{
    const arka_tree *literal = t;
    if (is_class(t, "CAST") &&
        arka_tree_is(arka_tree_get(t, "cast_type"), "id", "TIMESTAMP WITH TIME ZONE"))
        literal = arka_tree_get(t, "child");
    arka_slice text = arka_tree_text(arka_tree_get(literal, "value"), "value");
    if (is_class(literal, "CONSTANT") && text.len > 0 && arka_parse_time(text.data, text.len, out))
        return true; /* the common case, without a query */
    return fold(connection, t, "TIMESTAMP WITH TIME ZONE", out, sizeof *out);
}

/* ---- terms of now ---- */

/* An interval's length in µs as [lo, hi]: a month is 28 to 31 days. */
static bool interval_span(duckdb_connection connection, const arka_tree *t, int64_t *lo,
                          int64_t *hi)
{
    duckdb_interval v;
    if (!fold(connection, t, "INTERVAL", &v, sizeof v))
        return false;
    if (v.months > 12000 || v.months < -12000 || v.days > 1000000 || v.days < -1000000 ||
        v.micros > FAR / 8 || v.micros < -FAR / 8)
        return false;
    int64_t rest = v.days * ARKA_US_PER_DAY + v.micros;
    int64_t shortest = v.months * 28 * ARKA_US_PER_DAY, longest = v.months * 31 * ARKA_US_PER_DAY;
    *lo = rest + (shortest < longest ? shortest : longest);
    *hi = rest + (shortest < longest ? longest : shortest);
    return true;
}

static span now_span(duckdb_connection connection, const arka_tree *t);

static span now_plus(duckdb_connection connection, const arka_tree *t, int sign)
{
    const arka_tree *a = arka_tree_first(t, "children"), *b = a ? a->next : NULL;
    if (a == NULL || b == NULL || b->next != NULL)
        return UNKNOWN;
    span s = now_span(connection, a);
    if (!s.known && sign > 0) { /* interval + now() */
        const arka_tree *swapped = a;
        a = b;
        b = swapped;
        s = now_span(connection, a);
    }
    int64_t lo, hi;
    duckdb_interval days = {0};
    if (!s.known)
        return UNKNOWN;
    if (s.date && is_class(b, "CONSTANT") && fold(connection, b, "INTEGER", &days.days, 4) &&
        days.days < 1000000 && days.days > -1000000)
        lo = hi = days.days * ARKA_US_PER_DAY;
    else if (!interval_span(connection, b, &lo, &hi))
        return UNKNOWN;
    s.lo += sign > 0 ? lo : -hi;
    s.hi += sign > 0 ? hi : -lo;
    s.known = s.lo > -FAR && s.hi < FAR;
    return s;
}

/* date_trunc(unit, t): not after t, and not before it by more than the unit. */
static span now_truncated(duckdb_connection connection, const arka_tree *t)
{
    static const struct {
        const char *unit;
        int64_t longest;
    } UNITS[] = {
        {"second", ARKA_US_PER_SECOND},    {"minute", 60 * ARKA_US_PER_SECOND},
        {"hour", ARKA_US_PER_HOUR},        {"day", ARKA_US_PER_DAY},
        {"week", 7 * ARKA_US_PER_DAY},     {"month", 31 * ARKA_US_PER_DAY},
        {"quarter", 92 * ARKA_US_PER_DAY}, {"year", 366 * ARKA_US_PER_DAY},
    };
    const arka_tree *unit = arka_tree_first(t, "children");
    arka_slice name = arka_tree_text(arka_tree_get(unit, "value"), "value");
    span s = unit && unit->next && !unit->next->next ? now_span(connection, unit->next) : UNKNOWN;
    for (size_t i = 0; s.known && i < sizeof UNITS / sizeof *UNITS; i++)
        if (name.len == strlen(UNITS[i].unit) &&
            strncasecmp(name.data, UNITS[i].unit, name.len) == 0) {
            s.lo -= UNITS[i].longest;
            return s;
        }
    return UNKNOWN;
}

static span now_cast(duckdb_connection connection, const arka_tree *t)
{
    static const char *const TIMES[] = {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE", NULL};
    arka_slice type = arka_tree_text(arka_tree_get(t, "cast_type"), "id");
    span s = now_span(connection, arka_tree_get(t, "child"));
    if (s.known && arka_slice_eq(type, ARKA_SLICE("DATE"))) {
        s.lo -= ARKA_US_PER_DAY;
        s.date = true;
        return s;
    }
    s.date = false;
    return one_of(type, TIMES) ? s : UNKNOWN;
}

static span now_span(duckdb_connection connection, const arka_tree *t)
{
    static const char *const NOW[] = {"now", "get_current_timestamp", "transaction_timestamp",
                                      NULL};
    static const char *const NOW_WORDS[] = {"current_timestamp", "localtimestamp", NULL};
    static const char *const DATES[] = {"today", "current_date", NULL};
    const span now = {.known = true, .relative = true, .lo = -NOW_SLACK, .hi = NOW_SLACK};
    const span today = {.known = true,
                        .relative = true,
                        .date = true,
                        .lo = -NOW_SLACK - ARKA_US_PER_DAY,
                        .hi = NOW_SLACK};

    if (is_class(t, "COLUMN_REF")) {
        const arka_tree *name = arka_tree_first(t, "column_names");
        span s = name == NULL || name->next != NULL ? UNKNOWN
                 : one_of(name->text, NOW_WORDS)    ? now
                 : one_of(name->text, DATES)        ? today
                                                    : UNKNOWN;
        s.named = s.known;
        return s;
    }
    if (is_class(t, "CAST"))
        return now_cast(connection, t);
    if (!is_class(t, "FUNCTION"))
        return UNKNOWN;
    arka_slice name = arka_tree_text(t, "function_name");
    bool arguments = arka_tree_first(t, "children") != NULL;
    if (!arguments)
        return one_of(name, NOW) ? now : one_of(name, DATES) ? today : UNKNOWN;
    if (arka_slice_eq(name, ARKA_SLICE("+")))
        return now_plus(connection, t, 1);
    if (arka_slice_eq(name, ARKA_SLICE("-")))
        return now_plus(connection, t, -1);
    return arka_slice_eq(name, ARKA_SLICE("date_trunc")) ? now_truncated(connection, t) : UNKNOWN;
}

/* ---- the clause ---- */

/*
 * Plain text, or the same as TIMESTAMP or TIMESTAMPTZ, of whole microseconds: no digit is lost on
 * the way, whatever it is cast to.
 */
static bool is_exact(const arka_tree *t)
{
    static const char *const TYPES[] = {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE", NULL};
    if (is_class(t, "CAST") && one_of(arka_tree_text(arka_tree_get(t, "cast_type"), "id"), TYPES))
        t = arka_tree_get(t, "child");
    const arka_tree *value = arka_tree_get(t, "value");
    arka_slice text = arka_tree_text(value, "value");
    if (!is_class(t, "CONSTANT") || !arka_tree_is(arka_tree_get(value, "type"), "id", "VARCHAR"))
        return false;
    const char *point = memchr(text.data, '.', text.len);
    size_t digits = 0;
    while (point != NULL && point + 1 + digits < text.data + text.len && point[1 + digits] >= '0' &&
           point[1 + digits] <= '9')
        digits++;
    return digits <= 6;
}

static span value_span(duckdb_connection connection, const arka_tree *t)
{
    span s = now_span(connection, t);
    if (!s.known && fold_time(connection, t, &s.lo)) {
        s = (span){.known = true, .lo = s.lo, .hi = s.lo, .exact = is_exact(t)};
        s.known = s.lo > -FAR && s.hi < FAR; /* not an infinity */
    }
    return s;
}

static void raise(int64_t *min, int64_t to)
{
    *min = to > *min ? to : *min;
}

static void lower(int64_t *max, int64_t to)
{
    *max = to < *max ? to : *max;
}

/*
 * strict: ">", not ">=". What is not exact goes one µs to either side, for constants with
 * nanoseconds. Was it understood?
 */
static bool raise_min(arka_range *r, span s, bool strict)
{
    r->named_now |= s.known && s.named;
    if (s.known && s.exact) {
        raise(&r->wide.min, s.lo + strict);
        raise(&r->sure.min, s.lo + strict);
    } else if (s.known) {
        raise(s.relative ? &r->wide.now_min : &r->wide.min, s.lo - 1);
        raise(s.relative ? &r->sure.now_min : &r->sure.min, s.hi + 2);
    }
    return s.known;
}

static bool lower_max(arka_range *r, span s, bool strict)
{
    r->named_now |= s.known && s.named;
    if (s.known && s.exact) {
        lower(&r->wide.max, s.lo - strict);
        lower(&r->sure.max, s.lo - strict);
    } else if (s.known) {
        lower(s.relative ? &r->wide.now_max : &r->wide.max, s.hi + 1);
        lower(s.relative ? &r->sure.now_max : &r->sure.max, s.lo - 2);
    }
    return s.known;
}

static bool name_eq(arka_slice a, arka_slice b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

bool arka_range_is_time(const arka_tree *t, const arka_range_table *table)
{
    const arka_tree *name = arka_tree_first(t, "column_names");
    if (!is_class(t, "COLUMN_REF") || name == NULL)
        return false;
    if (name->next == NULL)
        return table->unqualified && name_eq(name->text, ARKA_SLICE(ARKA_TIME_COLUMN));
    return name->next->next == NULL && name_eq(name->text, table->name) &&
           name_eq(name->next->text, ARKA_SLICE(ARKA_TIME_COLUMN));
}

static bool narrow_comparison(arka_range *r, duckdb_connection connection, const arka_tree *t,
                              const arka_range_table *table)
{
    arka_slice type = arka_tree_text(t, "type");
    const arka_tree *left = arka_tree_get(t, "left"), *right = arka_tree_get(t, "right");
    bool flipped = arka_range_is_time(right, table);
    if (!flipped && !arka_range_is_time(left, table))
        return false;
    bool strict = arka_slice_eq(type, ARKA_SLICE("COMPARE_GREATERTHAN")) ||
                  arka_slice_eq(type, ARKA_SLICE("COMPARE_LESSTHAN"));
    bool greater = arka_slice_eq(type, ARKA_SLICE("COMPARE_GREATERTHAN")) ||
                   arka_slice_eq(type, ARKA_SLICE("COMPARE_GREATERTHANOREQUALTO"));
    bool less = arka_slice_eq(type, ARKA_SLICE("COMPARE_LESSTHAN")) ||
                arka_slice_eq(type, ARKA_SLICE("COMPARE_LESSTHANOREQUALTO"));
    span s = value_span(connection, flipped ? left : right);
    if (arka_slice_eq(type, ARKA_SLICE("COMPARE_EQUAL"))) {
        raise_min(r, s, false);
        lower_max(r, s, false);
        return false; /* the window is one instant: no row is surely in it */
    }
    if (!greater && !less)
        return false;
    return greater != flipped ? raise_min(r, s, strict) : lower_max(r, s, strict);
}

/* Was all of it understood? */
static bool narrow(arka_range *r, duckdb_connection connection, const arka_tree *t,
                   const arka_range_table *table)
{
    if (arka_tree_is(t, "type", "CONJUNCTION_AND")) {
        bool whole = true;
        for (const arka_tree *c = arka_tree_first(t, "children"); c != NULL; c = c->next)
            whole &= narrow(r, connection, c, table);
        return whole;
    }
    if (is_class(t, "BETWEEN") && arka_range_is_time(arka_tree_get(t, "input"), table)) {
        bool min = raise_min(r, value_span(connection, arka_tree_get(t, "lower")), false);
        bool max = lower_max(r, value_span(connection, arka_tree_get(t, "upper")), false);
        return min && max;
    }
    return is_class(t, "COMPARISON") && narrow_comparison(r, connection, t, table);
}

arka_range arka_range_of(duckdb_connection connection, const arka_tree *where,
                         const arka_range_table *table)
{
    arka_range r = ARKA_RANGE_ALL;
    if (where != NULL)
        r.whole = narrow(&r, connection, where, table);
    return r;
}

void arka_window_at(const arka_window *w, int64_t now_us, int64_t *min, int64_t *max)
{
    *min = w->min;
    *max = w->max;
    if (w->now_min != INT64_MIN && now_us + w->now_min > *min)
        *min = now_us + w->now_min;
    if (w->now_max != INT64_MAX && now_us + w->now_max < *max)
        *max = now_us + w->now_max;
}
