#include "sql/tail.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "columnar/types.h"

enum { MAX_ROWS = 1000000 }; /* of a LIMIT that is worth the look */

/* ---- the form ---- */

static bool called_time(arka_slice name)
{
    return name.len == strlen(ARKA_TIME_COLUMN) &&
           strncasecmp(name.data, ARKA_TIME_COLUMN, name.len) == 0;
}

static bool is_one_of(arka_slice text, const char *const *list)
{
    for (; *list != NULL; list++)
        if (text.len == strlen(*list) && strncasecmp(text.data, *list, text.len) == 0)
            return true;
    return false;
}

/* Of each row by itself, one value. */
static bool is_row_function(const arka_tree *t)
{
    static const char *const NAMES[] = {
        "+",         "-",          "*",           "/",           "//",         "%",
        "**",        "^",          "||",          "~~",          "!~~",        "~~*",
        "!~~*",      "abs",        "ceil",        "ceiling",     "concat",     "contains",
        "cos",       "date_diff",  "date_part",   "date_trunc",  "datediff",   "datepart",
        "datetrunc", "day",        "dayofweek",   "degrees",     "ends_with",  "epoch",
        "epoch_ms",  "epoch_ns",   "epoch_us",    "exp",         "floor",      "format",
        "greatest",  "hour",       "ifnull",      "isfinite",    "isinf",      "isnan",
        "least",     "left",       "length",      "ln",          "log",        "log10",
        "log2",      "lower",      "ltrim",       "millisecond", "minute",     "mod",
        "month",     "nullif",     "pow",         "power",       "printf",     "radians",
        "replace",   "right",      "round",       "rtrim",       "second",     "sign",
        "sin",       "split_part", "sqrt",        "starts_with", "strftime",   "substr",
        "substring", "tan",        "time_bucket", "to_hours",    "to_minutes", "to_seconds",
        "to_days",   "trim",       "trunc",       "upper",       "year",       NULL};
    arka_slice schema = arka_tree_text(t, "schema");
    return is_one_of(arka_tree_text(t, "function_name"), NAMES) &&
           (schema.len == 0 || arka_slice_eq(schema, ARKA_SLICE("main"))) &&
           arka_tree_get(t, "filter") == NULL && !arka_tree_true(t, "distinct");
}

/* Does it look at one row only, whatever other rows there are? No aggregate, window, subquery or
 * unnest is anywhere in it. */
static bool is_row_by_row(const arka_tree *t)
{
    static const char *const CLASSES[] = {"COLUMN_REF",  "CONSTANT", "CAST", "COMPARISON",
                                          "CONJUNCTION", "BETWEEN",  "CASE", "OPERATOR",
                                          "FUNCTION",    NULL};
    arka_slice class = arka_tree_text(t, "class");
    if (class.len > 0 && !is_one_of(class, CLASSES))
        return false;
    if (arka_slice_eq(class, ARKA_SLICE("FUNCTION")) && !is_row_function(t))
        return false;
    for (const arka_tree *c = t->child; c != NULL; c = c->next)
        if (!is_row_by_row(c))
            return false;
    return true;
}

/* Columns and what is made of each row alone, none under the name "time" but that one: no
 * aggregate, no other time to sort by. */
static bool plain_items(const arka_tree *select, const arka_range_table *table)
{
    static const char *const STAR[] = {
        "class",        "type",    "query_location",         "relation_name",
        "exclude_list", "columns", "qualified_exclude_list", NULL};
    for (const arka_tree *i = arka_tree_first(select, "select_list"); i != NULL; i = i->next) {
        bool star = arka_tree_is(i, "class", "STAR");
        bool named = !arka_range_is_time(i, table) && called_time(arka_tree_text(i, "alias"));
        if (star ? !arka_tree_has_only(i, STAR) || arka_tree_true(i, "columns")
                 : named || !is_row_by_row(i))
            return false;
    }
    return true;
}

/* Rows of the same time are told apart by themselves. */
static bool plain_orders(const arka_tree *order)
{
    for (const arka_tree *o = arka_tree_first(order, "orders"); o != NULL; o = o->next)
        if (!is_row_by_row(o))
            return false;
    return true;
}

/* A constant row count of a LIMIT or OFFSET; absent: `otherwise`; anything else: -1. */
static int64_t row_count(const arka_tree *modifier, const char *key, int64_t otherwise)
{
    const arka_tree *t = arka_tree_get(modifier, key);
    if (t == NULL)
        return otherwise;
    const arka_tree *value = arka_tree_get(t, "value");
    return arka_tree_is(t, "class", "CONSTANT") &&
                   arka_tree_is(arka_tree_get(value, "type"), "id", "INTEGER")
               ? arka_tree_i64(value, "value", -1)
               : -1;
}

arka_tail arka_tail_of(const arka_tree *select, const arka_range_table *table)
{
    static const char *const PARTS[] = {
        "type",         "modifiers", "select_list",        "from_table",
        "where_clause", "cte_map",   "aggregate_handling", NULL};
    arka_tail tail = {0};
    const arka_tree *order = NULL, *limit = NULL;
    bool others = false;
    for (const arka_tree *m = arka_tree_first(select, "modifiers"); m != NULL; m = m->next) {
        if (arka_tree_is(m, "type", "ORDER_MODIFIER"))
            order = m;
        else if (arka_tree_is(m, "type", "LIMIT_MODIFIER"))
            limit = m;
        else
            others = true;
    }
    const arka_tree *first = arka_tree_first(order, "orders");
    if (!arka_range_is_time(arka_tree_get(first, "expression"), table))
        return tail;
    tail.last = tail.newest_first = arka_tree_is(first, "type", "DESCENDING");
    int64_t n = row_count(limit, "limit", -1), skipped = row_count(limit, "offset", 0);
    if (n > 0 && n <= MAX_ROWS && skipped >= 0 && skipped <= MAX_ROWS && !others &&
        table->unqualified && arka_tree_has_only(select, PARTS) &&
        arka_tree_is(select, "aggregate_handling", "STANDARD_HANDLING") &&
        plain_items(select, table) && plain_orders(order))
        tail.n_rows = n + skipped;
    return tail;
}

/* ---- how far it reaches ---- */

typedef struct run {
    int64_t edge; /* the end that is met last: the oldest time, or, negated, the newest */
    int64_t n_rows;
} run;

static int descending(const void *a, const void *b)
{
    const run *x = a, *y = b;
    return (x->edge < y->edge) - (x->edge > y->edge);
}

static void add_run(run *runs, size_t *n, bool last, int64_t min, int64_t max, int64_t n_rows)
{
    /* -INT64_MIN does not exist; no time is that old */
    runs[(*n)++] = (run){last ? min : -(max == INT64_MIN ? max + 1 : max), n_rows};
}

void arka_tail_narrow(const arka_tail *tail, const arka_snapshot *s, int64_t sure_min,
                      int64_t sure_max, int64_t *min, int64_t *max)
{
    size_t n = 0, room = (size_t)(s->n_files + s->n_hot_batches);
    run *runs = arka_malloc(room * sizeof *runs + 1);
    if (runs == NULL)
        return;
    for (int64_t i = 0; i < s->n_files; i++) {
        const arka_data_file *f = s->files[i];
        if (f->time_min >= sure_min && f->time_max <= sure_max)
            add_run(runs, &n, tail->last, f->time_min, f->time_max, f->n_rows);
    }
    for (int64_t i = 0; i < s->n_hot_batches; i++) {
        const arka_batch *b = s->hot[i].batch;
        if (b->time_min >= sure_min && b->time_max <= sure_max)
            add_run(runs, &n, tail->last, b->time_min, b->time_max, b->n_rows);
    }
    qsort(runs, n, sizeof *runs, descending);

    int64_t found = 0;
    for (size_t i = 0; i < n && found < tail->n_rows; i++) {
        found += runs[i].n_rows;
        if (found < tail->n_rows)
            continue;
        if (tail->last && runs[i].edge > *min)
            *min = runs[i].edge;
        if (!tail->last && -runs[i].edge < *max)
            *max = -runs[i].edge;
    }
    arka_free(runs);
}
