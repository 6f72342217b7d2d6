#include "sql/walk.h"

#include <stdint.h>
#include <strings.h>

#include "base/vec.h"
#include "sql/functions.h"
#include "sql/system_priv.h"

/* A name of a CTE that is in scope, innermost first. */
typedef struct scope {
    const struct scope *outer;
    arka_slice name;
} scope;

/* The SELECT whose FROM clause is walked; NULL where its WHERE says nothing about a table. */
typedef struct from_clause {
    const arka_tree *select; /* SELECT_NODE */
    bool single;             /* one table and nothing else */
} from_clause;

typedef struct walk {
    arka_inspection *inspection;
    duckdb_connection connection;
    size_t offset;
    arka_error *err;
} walk;

static arka_status walk_any(walk *w, const arka_tree *t, const scope *names);
static arka_status walk_from(walk *w, const arka_tree *t, const scope *names,
                             const from_clause *from);

static bool listed(arka_slice name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (arka_slice_eq(name, arka_slice_of(*names)))
            return true;
    return false;
}

static bool name_eq(arka_slice a, arka_slice b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

static bool named(arka_slice name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (name_eq(name, arka_slice_of(*names)))
            return true;
    return false;
}

static size_t place(walk *w, const arka_tree *t)
{
    int64_t at = arka_tree_i64(t, "query_location", -1);
    return at < 0 ? ARKA_TEXT_NOWHERE
                  : arka_text_user_at(&w->inspection->text, w->offset + (size_t)at);
}

static arka_status refuse(walk *w, const arka_tree *t, const char *what, arka_slice name)
{
    return arka_complain(w->err, ARKA_FORBIDDEN, &w->inspection->text, place(w, t),
                         "%s%.*s is not allowed", what, ARKA_FMT(name));
}

/* ---- tables ---- */

static bool is_cte(const scope *names, const arka_tree *table)
{
    if (arka_tree_get(table, "schema_name") != NULL || arka_tree_get(table, "catalog_name") != NULL)
        return false;
    for (; names != NULL; names = names->outer)
        if (name_eq(names->name, arka_tree_text(table, "table_name")))
            return true;
    return false;
}

static arka_status add_use(walk *w, const arka_tree *t, const from_clause *from)
{
    arka_inspection *i = w->inspection;
    arka_table_use use = {.at = place(w, t), .range = ARKA_RANGE_ALL};
    arka_slice database = arka_tree_text(t, "schema_name"), table = arka_tree_text(t, "table_name");
    arka_slice alias = arka_tree_text(t, "alias");
    if (from != NULL && arka_tree_get(t, "sample") == NULL &&
        arka_tree_get(t, "column_name_alias") == NULL) {
        arka_range_table names = {alias.len > 0 ? alias : table, from->single};
        use.tail = arka_tail_of(from->select, &names);
        use.range =
            arka_range_of(w->connection, arka_tree_get(from->select, "where_clause"), &names);
    } else {
        use.range.whole = false;
    }
    use.database = (arka_slice){arka_arena_text(&i->arena, database), database.len};
    use.table = (arka_slice){arka_arena_text(&i->arena, table), table.len};
    if (use.database.data == NULL || use.table.data == NULL ||
        (i->n_uses == i->cap_uses &&
         !arka_vec_grow((void **)&i->uses, &i->cap_uses, i->n_uses + 1, sizeof *i->uses)))
        return arka_fail_nomem(w->err, "a list of tables", sizeof use);
    i->uses[i->n_uses++] = use;
    return ARKA_OK;
}

static bool is_information_table(arka_slice table)
{
    for (size_t i = 0; i < arka_n_information_tables; i++)
        if (name_eq(table, arka_slice_of(arka_information_tables[i].name)))
            return true;
    return false;
}

static arka_status walk_table(walk *w, const arka_tree *t, const scope *names,
                              const from_clause *from)
{
    arka_inspection *i = w->inspection;
    arka_slice database = arka_tree_text(t, "schema_name"), table = arka_tree_text(t, "table_name");
    size_t at = place(w, t);
    if (is_cte(names, t))
        return ARKA_OK;
    if (arka_tree_get(t, "catalog_name") != NULL)
        return arka_complain(w->err, ARKA_FORBIDDEN, &i->text, at,
                             "the name of a table has at most two parts: database.table");
    if (arka_tree_get(t, "at_clause") != NULL)
        return arka_complain(w->err, ARKA_FORBIDDEN, &i->text, at, "AT is not allowed");
    if ((at < i->text.user.len && i->text.user.data[at] == '\'') ||
        memchr(table.data, '/', table.len) != NULL || memchr(table.data, '*', table.len) != NULL ||
        memchr(table.data, ':', table.len) != NULL)
        return arka_complain(w->err, ARKA_FORBIDDEN, &i->text, at,
                             "a file cannot be queried: '%.80s'", table.data);
    if (name_eq(database, ARKA_SLICE(ARKA_INFORMATION_SCHEMA)) && is_information_table(table)) {
        i->information_schema = true;
        i->information_at = at;
        return ARKA_OK;
    }
    return add_use(w, t, from);
}

static arka_status walk_join(walk *w, const arka_tree *t, const scope *names,
                             const from_clause *from)
{
    /* of an ASOF or POSITIONAL join a row's partner depends on rows that WHERE leaves out */
    static const char *const PLAIN[] = {"REGULAR", "CROSS", "NATURAL", NULL};
    from_clause each = from ? *from : (from_clause){0};
    const from_clause *inner = from && listed(arka_tree_text(t, "ref_type"), PLAIN) ? &each : NULL;
    each.single = false;
    for (const arka_tree *c = t->child; c != NULL; c = c->next) {
        bool side =
            arka_slice_eq(c->key, ARKA_SLICE("left")) || arka_slice_eq(c->key, ARKA_SLICE("right"));
        ARKA_TRY(side ? walk_from(w, c, names, inner) : walk_any(w, c, names));
    }
    return ARKA_OK;
}

static arka_status walk_from(walk *w, const arka_tree *t, const scope *names,
                             const from_clause *from)
{
    if (arka_tree_is(t, "type", "BASE_TABLE"))
        return walk_table(w, t, names, from);
    if (arka_tree_is(t, "type", "JOIN"))
        return walk_join(w, t, names, from);
    return walk_any(w, t, names);
}

static arka_status walk_children(walk *w, const arka_tree *t, const scope *names)
{
    for (const arka_tree *c = t->child; c != NULL; c = c->next)
        ARKA_TRY(walk_any(w, c, names));
    return ARKA_OK;
}

static arka_status check_table_function(walk *w, const arka_tree *t)
{
    const arka_tree *function = arka_tree_get(t, "function");
    arka_slice name = arka_tree_text(function, "function_name");
    if (!arka_tree_is(function, "class", "FUNCTION") || !arka_table_function_allowed(name))
        return refuse(w, t, "table function ", name);
    return ARKA_OK;
}

/* DESCRIBE and SUMMARIZE as a table. Its query sees no CTE, whatever DuckDB would make of one. */
static arka_status walk_show(walk *w, const arka_tree *t)
{
    const arka_tree *query = arka_tree_get(t, "query");
    if (query == NULL ||
        (!arka_tree_is(t, "show_type", "DESCRIBE") && !arka_tree_is(t, "show_type", "SUMMARY")))
        return refuse(w, t, "SHOW", (arka_slice){"", 0});
    return walk_any(w, query, NULL);
}

/* ---- query nodes ---- */

/* The node's own parts, its CTEs being in `names`. */
static arka_status walk_parts(walk *w, const arka_tree *t, const scope *names)
{
    /* a recursive CTE sees itself on its right side; on the left its name is a table's */
    const arka_tree *recursive =
        arka_tree_is(t, "type", "RECURSIVE_CTE_NODE") ? arka_tree_get(t, "right") : NULL;
    scope self = {names, arka_tree_text(t, "cte_name")};
    bool select = arka_tree_is(t, "type", "SELECT_NODE");
    bool sampled = arka_tree_get(t, "sample") != NULL;
    const arka_tree *table = arka_tree_get(t, "from_table");
    from_clause from = {t, arka_tree_is(table, "type", "BASE_TABLE")};
    for (const arka_tree *c = t->child; c != NULL; c = c->next) {
        if (arka_slice_eq(c->key, ARKA_SLICE("cte_map")))
            continue;
        ARKA_TRY(c == table ? walk_from(w, c, names, select && !sampled ? &from : NULL)
                            : walk_any(w, c, c == recursive ? &self : names));
    }
    return ARKA_OK;
}

/* Each CTE sees those before it; the node sees all. */
static arka_status walk_ctes(walk *w, const arka_tree *t, const arka_tree *cte, const scope *names)
{
    if (cte == NULL)
        return walk_parts(w, t, names);
    scope with = {names, arka_tree_text(cte, "key")};
    ARKA_TRY(walk_any(w, arka_tree_get(cte, "value"), names));
    return walk_ctes(w, t, cte->next, &with);
}

static arka_status walk_node(walk *w, const arka_tree *t, const scope *names)
{
    return walk_ctes(w, t, arka_tree_first(arka_tree_get(t, "cte_map"), "map"), names);
}

/* ---- expressions ---- */

static bool is_small_constant(const arka_tree *t)
{
    const arka_tree *argument = arka_tree_first(t, "children");
    if (arka_tree_is(t, "function_name", "-") && argument != NULL && argument->next == NULL)
        return is_small_constant(argument);
    int64_t v = arka_tree_i64(arka_tree_get(t, "value"), "value", INT64_MIN);
    return arka_tree_is(t, "class", "CONSTANT") && v >= INT32_MIN && v <= INT32_MAX;
}

/*
 * Two ways to end the process in DuckDB 1.5.6: lag(x, -9223372036854775808) OVER () negates a
 * constant offset, and a name may stand for one (SELECT … AS o, lag(x, o) OVER ()); ntile(2 ORDER
 * BY y) divides by the size of an empty frame.
 */
static arka_status check_window(walk *w, const arka_tree *t)
{
    const arka_tree *offset = arka_tree_get(t, "offset_expr");
    if (offset != NULL && !is_small_constant(offset))
        return refuse(w, offset, "an offset that is not a small integer", (arka_slice){"", 0});
    if (arka_tree_get(t, "arg_orders") != NULL && !arka_tree_is(t, "type", "WINDOW_AGGREGATE"))
        return refuse(w, t, "ORDER BY inside of ", arka_tree_text(t, "function_name"));
    return ARKA_OK;
}

/*
 * list_aggregate(list, 'name', …) calls the function of that name: it must be a literal that says
 * one that may be called.
 */
static arka_status check_named_function(walk *w, const arka_tree *t)
{
    static const char *const CALLERS[] = {"aggregate", "array_aggr",     "array_aggregate",
                                          "list_aggr", "list_aggregate", NULL};
    if (!named(arka_tree_text(t, "function_name"), CALLERS))
        return ARKA_OK;
    const arka_tree *list = arka_tree_first(t, "children");
    const arka_tree *name = list ? list->next : NULL;
    if (!arka_tree_is(name, "class", "CONSTANT"))
        return refuse(w, t, "the name of an aggregate that is not a literal", (arka_slice){"", 0});
    arka_slice called = arka_tree_text(arka_tree_get(name, "value"), "value");
    return arka_function_allowed(called) ? ARKA_OK : refuse(w, name, "function ", called);
}

/* current_schema(), or the word alone, which may also be a column's. */
static bool is_current_schema(const arka_tree *t)
{
    const arka_tree *column = arka_tree_first(t, "column_names");
    arka_slice function = arka_tree_text(t, "function_name");
    return name_eq(function, ARKA_SLICE("current_schema")) ||
           (column != NULL && column->next == NULL &&
            name_eq(column->text, ARKA_SLICE("current_schema")));
}

static arka_status check_expression(walk *w, const arka_tree *t, arka_slice class)
{
    static const char *const CLASSES[] = {
        "BETWEEN",     "CASE",     "CAST",     "COLLATE", "COLUMN_REF", "COMPARISON",
        "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA",  "OPERATOR",   "POSITIONAL_REFERENCE",
        "STAR",        "SUBQUERY", "WINDOW",   NULL};
    if (!listed(class, CLASSES))
        return refuse(w, t, "expression ", class);
    if (is_current_schema(t)) {
        w->inspection->current_schema = true;
        w->inspection->current_schema_at = place(w, t);
    }
    bool window = arka_slice_eq(class, ARKA_SLICE("WINDOW"));
    if (!window && !arka_slice_eq(class, ARKA_SLICE("FUNCTION")))
        return ARKA_OK;
    arka_slice name = arka_tree_text(t, "function_name");
    if (window)
        ARKA_TRY(check_window(w, t));
    if (arka_tree_true(t, "export_state"))
        return refuse(w, t, "EXPORT_STATE", (arka_slice){"", 0});
    if (arka_function_allowed(name))
        return check_named_function(w, t);
    if (arka_function_denied(name) || arka_table_function_allowed(name))
        return refuse(w, t, "function ", name);
    return arka_complain(w->err, ARKA_INPUT, &w->inspection->text, place(w, t),
                         "Catalog Error: function %.*s does not exist, or may not be called",
                         name.len > 80 ? 80 : (int)name.len, name.data);
}

static arka_status walk_object(walk *w, const arka_tree *t, const scope *names)
{
    static const char *const NODES[] = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE",
                                        "CTE_NODE", NULL};
    static const char *const PARTS[] = {"SUBQUERY",
                                        "EXPRESSION_LIST",
                                        "EMPTY",
                                        "PIVOT",
                                        "ORDER_MODIFIER",
                                        "LIMIT_MODIFIER",
                                        "LIMIT_PERCENT_MODIFIER",
                                        "DISTINCT_MODIFIER",
                                        "ORDER_DEFAULT",
                                        "ASCENDING",
                                        "DESCENDING",
                                        NULL};
    const arka_tree *type = arka_tree_get(t, "type");
    const arka_tree *class = arka_tree_get(t, "class");
    if (class != NULL) {
        ARKA_TRY(check_expression(w, t, class->text));
        return walk_children(w, t, names);
    }
    /* a cast from JSON takes a frame of the stack for each level of the text */
    if (arka_tree_is(t, "id", "VARIANT"))
        return refuse(w, t, "type ", ARKA_SLICE("VARIANT"));
    if (type == NULL || type->kind != ARKA_TREE_STRING)
        return walk_children(w, t, names);
    if (listed(type->text, NODES))
        return walk_node(w, t, names);
    if (arka_slice_eq(type->text, ARKA_SLICE("BASE_TABLE")) ||
        arka_slice_eq(type->text, ARKA_SLICE("JOIN")))
        return walk_from(w, t, names, NULL);
    if (arka_slice_eq(type->text, ARKA_SLICE("SHOW_REF")))
        return walk_show(w, t);
    if (arka_slice_eq(type->text, ARKA_SLICE("TABLE_FUNCTION"))) {
        ARKA_TRY(check_table_function(w, t));
        return walk_children(w, t, names);
    }
    const char suffix[] = "_TYPE_INFO"; /* of a type's name: DECIMAL_TYPE_INFO and so on */
    size_t n = sizeof suffix - 1;
    bool type_info =
        type->text.len > n && memcmp(type->text.data + type->text.len - n, suffix, n) == 0;
    if (!type_info && !listed(type->text, PARTS))
        return refuse(w, t, "", type->text);
    return walk_children(w, t, names);
}

static arka_status walk_any(walk *w, const arka_tree *t, const scope *names)
{
    if (t->kind == ARKA_TREE_OBJECT)
        return walk_object(w, t, names);
    return t->kind == ARKA_TREE_LIST ? walk_children(w, t, names) : ARKA_OK;
}

arka_status arka_walk(arka_inspection *inspection, duckdb_connection connection, size_t offset,
                      const arka_tree *node, arka_error *err)
{
    walk w = {inspection, connection, offset, err};
    return walk_any(&w, node, NULL);
}
