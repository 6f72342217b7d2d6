#include "sql/growth.h"

#include <strings.h>

#include "base/vec.h"
#include "sql/lexer.h"

enum {
    MAX_EXTENT = 8192,  /* columns, leaves, parts: each costs DuckDB 0.1 ms and up */
    MAX_SIZE = 1000000, /* nodes of one select list's expressions */
    MAX_SETS = 512,     /* grouping sets, each a hash table of its own */
    MACRO_COPIES = 4,   /* an argument that is written twice is also bound twice */
    LAMBDA_COPIES = 2,
};

/*
 * What becomes of a part of a statement. Doubles, because the numbers grow beyond any integer.
 * Columns: of a table, a measurement's counting as one; of an expression 1, or what its star stands
 * for. Leaves: of its largest type, where a struct has those of all its members. Size: nodes of an
 * expression. Parts: tables and SELECTs in the plan.
 */
typedef struct extent {
    double columns, leaves, size, parts;
} extent;

static const extent NONE = {0, 1, 0, 0};

/* A CTE, a table of FROM or a column's alias, innermost first. */
typedef struct name {
    const struct name *outer;
    arka_slice text;
    extent extent;
} name;

typedef struct scope {
    const name *ctes, *aliases;
    const name **tables; /* of the SELECT around; measuring its FROM clause adds to it */
    extent from;         /* what a star stands for */
} scope;

typedef struct growth {
    arka_arena arena;
    arka_error *err;
} growth;

static arka_status measure(growth *g, const arka_tree *t, const scope *s, extent *out);

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void add(extent *to, extent e)
{
    to->columns = larger(to->columns, e.columns);
    to->leaves = larger(to->leaves, e.leaves);
    to->size += e.size;
    to->parts += e.parts;
}

static arka_status check(growth *g, extent e)
{
    if (e.size > MAX_SIZE)
        return arka_fail(g->err, ARKA_INPUT,
                         "the statement is too large: its macros, lambdas and aliases stand for "
                         "more than %d expressions",
                         MAX_SIZE);
    const char *what = e.columns > MAX_EXTENT  ? "columns"
                       : e.leaves > MAX_EXTENT ? "struct members"
                       : e.parts > MAX_EXTENT  ? "queries"
                                               : NULL;
    if (what == NULL)
        return ARKA_OK;
    return arka_fail(g->err, ARKA_INPUT,
                     "the statement is too large: it stands for more than %d %s", MAX_EXTENT, what);
}

static const name *find(const name *names, arka_slice text)
{
    while (names != NULL &&
           (names->text.len != text.len || strncasecmp(names->text.data, text.data, text.len) != 0))
        names = names->outer;
    return names;
}

static const name *find_table(const scope *s, arka_slice text)
{
    return text.len > 0 && s->tables != NULL ? find(*s->tables, text) : NULL;
}

static arka_status push(growth *g, const name **names, arka_slice text, extent e)
{
    name *n = arka_arena_alloc(&g->arena, sizeof *n);
    if (n == NULL)
        return arka_fail_nomem(g->err, "a list of names", sizeof *n);
    *n = (name){*names, text, e};
    *names = n;
    return ARKA_OK;
}

static bool is_branch(const arka_tree *t)
{
    return t->kind == ARKA_TREE_OBJECT || t->kind == ARKA_TREE_LIST;
}

static arka_status measure_children(growth *g, const arka_tree *t, const scope *s, extent *out)
{
    *out = NONE;
    for (const arka_tree *c = t->child; c != NULL; c = c->next) {
        extent e;
        if (!is_branch(c))
            continue;
        ARKA_TRY(measure(g, c, s, &e));
        add(out, e);
    }
    return ARKA_OK;
}

/* ---- expressions ---- */

static bool is_one_of(const arka_tree *t, const char *const *names)
{
    arka_slice function = arka_tree_text(t, "function_name");
    for (; *names != NULL; names++)
        if (function.len == strlen(*names) && strncasecmp(function.data, *names, function.len) == 0)
            return true;
    return false;
}

/* Macros of DuckDB's that name an argument more than once. */
static bool repeats_arguments(const arka_tree *t)
{
    static const char *const MACROS[] = {"array_pop_back",
                                         "array_to_string",
                                         "array_to_string_comma_default",
                                         "fmod",
                                         "json_group_array",
                                         "json_group_object",
                                         "map_contains_entry",
                                         "nullif",
                                         "round_even",
                                         "roundbankers",
                                         "split_part",
                                         "wavg",
                                         "weighted_avg",
                                         NULL};
    return is_one_of(t, MACROS);
}

static bool joins_types(const arka_tree *t)
{
    static const char *const FUNCTIONS[] = {
        "array_zip",     "list_zip",      "map",         "map_concat",    "row",
        "struct_concat", "struct_insert", "struct_pack", "struct_update", NULL};
    return is_one_of(t, FUNCTIONS);
}

static arka_status measure_function(growth *g, const arka_tree *t, const scope *s, extent *out)
{
    const arka_tree *arguments = arka_tree_get(t, "children");
    bool joins = joins_types(t);
    double leaves = 0;
    *out = NONE;
    for (const arka_tree *c = arka_tree_first(t, "children"); c != NULL; c = c->next) {
        extent e;
        ARKA_TRY(measure(g, c, s, &e));
        add(out, e);
        leaves += e.leaves;
    }
    if (joins)
        out->leaves = larger(out->leaves, leaves);
    for (const arka_tree *c = t->child; c != NULL; c = c->next) { /* FILTER, ORDER BY */
        extent e;
        if (c == arguments || !is_branch(c))
            continue;
        ARKA_TRY(measure(g, c, s, &e));
        add(out, e);
    }
    out->columns = larger(out->columns, 1);
    out->size = 1 + out->size * (repeats_arguments(t) ? MACRO_COPIES : 1);
    return ARKA_OK;
}

static arka_status measure_expression(growth *g, const arka_tree *t, arka_slice class,
                                      const scope *s, extent *out)
{
    const arka_tree *column = arka_tree_first(t, "column_names");
    if (arka_slice_eq(class, ARKA_SLICE("FUNCTION")))
        return measure_function(g, t, s, out);
    ARKA_TRY(measure_children(g, t, s, out));
    out->columns = larger(out->columns, 1);
    out->size = 1 + out->size * (arka_slice_eq(class, ARKA_SLICE("LAMBDA")) ? LAMBDA_COPIES : 1);
    if (arka_slice_eq(class, ARKA_SLICE("STAR"))) {
        const name *table = find_table(s, arka_tree_text(t, "relation_name"));
        const extent *of = table ? &table->extent : &s->from;
        out->columns = table ? of->columns : of->columns + of->leaves; /* or a struct's members */
        out->leaves = larger(out->leaves, of->leaves);
    } else if (column != NULL) {
        const name *alias = column->next == NULL ? find(s->aliases, column->text) : NULL;
        out->leaves = larger(s->from.leaves, alias ? alias->extent.leaves : 1);
        out->size = alias ? alias->extent.size : 1;
    }
    return ARKA_OK;
}

/* ---- query nodes ---- */

/* One member of the select list; its alias is known to those behind it. */
static arka_status measure_item(growth *g, const arka_tree *t, scope *s, extent *out)
{
    extent e;
    arka_slice alias = arka_tree_text(t, "alias");
    ARKA_TRY(measure(g, t, s, &e));
    out->columns += larger(e.columns, 1);
    out->leaves = larger(out->leaves, e.leaves);
    out->size += e.size;
    out->parts += e.parts;
    ARKA_TRY(check(g, *out));
    return alias.len > 0 ? push(g, &s->aliases, alias, e) : ARKA_OK;
}

static arka_status measure_select(growth *g, const arka_tree *t, scope s, extent *out)
{
    const arka_tree *from = arka_tree_get(t, "from_table"), *sets = arka_tree_get(t, "group_sets");
    const name *tables = s.tables ? *s.tables : NULL;
    int n_sets = 0;
    s.from = NONE;
    s.tables = &tables;
    if (from != NULL)
        ARKA_TRY(measure(g, from, &s, &s.from));
    *out = NONE;
    out->parts = 1 + s.from.parts;
    for (const arka_tree *c = arka_tree_first(t, "select_list"); c != NULL; c = c->next)
        ARKA_TRY(measure_item(g, c, &s, out));
    for (const arka_tree *c = sets ? sets->child : NULL; c != NULL; c = c->next)
        n_sets++;
    if (n_sets > MAX_SETS)
        return arka_fail(g->err, ARKA_INPUT, "%d grouping sets are too many: more than %d", n_sets,
                         MAX_SETS);
    for (const arka_tree *c = t->child; c != NULL; c = c->next) {
        extent e;
        bool known = c == from || c == sets || arka_slice_eq(c->key, ARKA_SLICE("select_list")) ||
                     arka_slice_eq(c->key, ARKA_SLICE("cte_map"));
        if (known || !is_branch(c))
            continue;
        ARKA_TRY(measure(g, c, &s, &e));
        out->size += e.size;
        out->parts += e.parts;
        ARKA_TRY(check(g, *out));
    }
    out->size = 0; /* whoever reads from it names columns, not expressions */
    return ARKA_OK;
}

static arka_status measure_node(growth *g, const arka_tree *t, const scope *outer, extent *out)
{
    scope s = *outer;
    const arka_tree *cte = arka_tree_first(arka_tree_get(t, "cte_map"), "map");
    for (; cte != NULL; cte = cte->next) {
        extent e;
        ARKA_TRY(measure(g, arka_tree_get(cte, "value"), &s, &e));
        ARKA_TRY(push(g, &s.ctes, arka_tree_text(cte, "key"), e));
    }
    if (arka_tree_is(t, "type", "SELECT_NODE"))
        return measure_select(g, t, s, out);
    *out = NONE;
    for (const arka_tree *c = t->child; c != NULL; c = c->next) {
        extent e;
        if (arka_slice_eq(c->key, ARKA_SLICE("cte_map")) || !is_branch(c))
            continue;
        ARKA_TRY(measure(g, c, &s, &e));
        add(out, e);
    }
    return ARKA_OK;
}

static arka_status measure_join(growth *g, const arka_tree *t, const scope *s, extent *out)
{
    *out = NONE;
    for (const arka_tree *c = t->child; c != NULL; c = c->next) {
        extent e;
        if (!is_branch(c))
            continue;
        ARKA_TRY(measure(g, c, s, &e));
        double columns = out->columns + e.columns;
        add(out, e);
        out->columns = columns;
    }
    return ARKA_OK;
}

/* What is left: tables of FROM, and what has no name. */
static arka_status measure_table(growth *g, const arka_tree *t, arka_slice type, const scope *s,
                                 extent *out)
{
    arka_slice table = arka_tree_text(t, "table_name"), alias = arka_tree_text(t, "alias");
    const name *cte = NULL;
    if (arka_slice_eq(type, ARKA_SLICE("BASE_TABLE"))) {
        if (arka_tree_get(t, "schema_name") == NULL)
            cte = find(s->ctes, table);
        *out = cte ? cte->extent : (extent){.columns = 1, .leaves = 1, .parts = 1};
    } else {
        ARKA_TRY(measure_children(g, t, s, out));
    }
    arka_slice called = alias.len > 0 ? alias : table;
    return called.len > 0 && s->tables != NULL ? push(g, s->tables, called, *out) : ARKA_OK;
}

static arka_status measure(growth *g, const arka_tree *t, const scope *s, extent *out)
{
    arka_slice class = arka_tree_text(t, "class"), type = arka_tree_text(t, "type");
    arka_status status;
    if (class.len > 0)
        status = measure_expression(g, t, class, s, out);
    else if (type.len > 5 && memcmp(type.data + type.len - 5, "_NODE", 5) == 0)
        status = measure_node(g, t, s, out);
    else if (arka_slice_eq(type, ARKA_SLICE("JOIN")))
        status = measure_join(g, t, s, out);
    else
        status = measure_table(g, t, type, s, out);
    return status == ARKA_OK ? check(g, *out) : status;
}

/* ---- before there is a tree ---- */

/* Is this word CASE with an operand? Behind AS and a dot it is a label. */
static bool has_operand(arka_token before, arka_token after)
{
    return !arka_token_is_word(before, "as") && !arka_token_is_sign(before, '.') &&
           !arka_token_is_word(after, "when");
}

arka_status arka_growth_check_text(const arka_text *text, arka_error *err)
{
    ARKA_VEC(bool) open = {0}; /* the CASEs around: is this their operand? */
    arka_lexer lexer = {text->user, 0};
    arka_token before = {ARKA_TOKEN_END, 0, {"", 0}}, t = arka_lexer_next(&lexer);
    int n_operands = 0;
    bool room = true;
    while (t.kind != ARKA_TOKEN_END && n_operands < 2 && room) {
        arka_token after = arka_lexer_next(&lexer);
        if (arka_token_is_word(t, "case")) {
            bool operand = has_operand(before, after);
            room = arka_vec_push(&open, operand);
            n_operands += operand;
        } else if (open.n > 0 && arka_token_is_word(t, "when")) {
            n_operands -= arka_vec_last(&open);
            arka_vec_last(&open) = false;
        } else if (open.n > 0 && arka_token_is_word(t, "end")) {
            n_operands -= open.items[--open.n];
        }
        before = t;
        t = after;
    }
    arka_vec_fini(&open);
    if (!room)
        return arka_fail_nomem(err, "a statement", text->user.len);
    if (n_operands < 2)
        return ARKA_OK;
    return arka_complain(err, ARKA_INPUT, text, before.at,
                         "CASE with an operand is not allowed inside the operand of another one");
}

arka_status arka_growth_check(const arka_tree *node, arka_error *err)
{
    growth g = {ARKA_ARENA_INIT, err};
    scope s = {NULL, NULL, NULL, NONE};
    extent e;
    arka_status status = measure(&g, node, &s, &e);
    arka_arena_fini(&g.arena);
    return status;
}
