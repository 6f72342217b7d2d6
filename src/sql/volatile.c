#include "sql/volatile.h"

#include <string.h>
#include <strings.h>

bool arka_name_is_volatile(arka_slice name)
{
    static const char *const NAMES[] = {
#define X(name) #name,
#include "sql/volatile.def"
#undef X
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strlen(NAMES[i]) == name.len && strncasecmp(NAMES[i], name.data, name.len) == 0)
            return true;
    return false;
}

/* One member, without what is below it. */
static bool is_volatile(const arka_tree *t)
{
    if (arka_slice_eq(t->key, ARKA_SLICE("sample")))
        return t->kind != ARKA_TREE_NULL;
    if (arka_slice_eq(t->key, ARKA_SLICE("function_name")))
        return t->kind == ARKA_TREE_STRING && arka_name_is_volatile(t->text);
    if (!arka_slice_eq(t->key, ARKA_SLICE("column_names")))
        return false;
    for (const arka_tree *c = t->child; c != NULL; c = c->next)
        if (c->kind == ARKA_TREE_STRING && arka_name_is_volatile(c->text))
            return true;
    return false;
}

/* As deep as the tree, which is as deep as DuckDB lets expressions be. */
bool arka_tree_is_volatile(const arka_tree *node)
{
    for (const arka_tree *t = node; t != NULL; t = t->next)
        if (is_volatile(t) || arka_tree_is_volatile(t->child))
            return true;
    return false;
}
