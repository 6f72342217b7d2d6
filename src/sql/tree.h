/**
 * What DuckDB says in JSON (json_serialize_sql, errors_as_json), as a tree in an arena. Numbers
 * stay text: DuckDB writes 2^64 - 1 for "no place", and 128-bit constants. Private to sql/.
 */
#ifndef ARKA_SQL_TREE_H
#define ARKA_SQL_TREE_H

#include "base/arena.h"

typedef enum arka_tree_kind {
    ARKA_TREE_NULL,
    ARKA_TREE_BOOL,
    ARKA_TREE_NUMBER,
    ARKA_TREE_STRING,
    ARKA_TREE_LIST,
    ARKA_TREE_OBJECT,
} arka_tree_kind;

typedef struct arka_tree {
    arka_tree_kind kind;
    arka_slice key;  /* of a member of an object; else empty */
    arka_slice text; /* a string's content, NUL-terminated; the others as they were written */
    struct arka_tree *child, *next;
} arka_tree;

/**
 * ARKA_INTERNAL for what is no JSON (it comes from DuckDB), ARKA_INPUT for nesting that is deeper
 * than DuckDB allows expressions to be. The tree may point into `json`.
 */
ARKA_MUST_USE arka_status arka_tree_parse(arka_arena *arena, arka_slice json, arka_tree **out,
                                          arka_error *err);

/** A member of an object by key; NULL if there is none, or `tree` is NULL or no object. */
const arka_tree *arka_tree_get(const arka_tree *tree, const char *key);
/** The text of a member that is a string; empty when there is none. */
arka_slice arka_tree_text(const arka_tree *tree, const char *key);
/** Is the member there and true? */
bool arka_tree_true(const arka_tree *tree, const char *key);
/** Is the member a string that equals `text`? */
bool arka_tree_is(const arka_tree *tree, const char *key, const char *text);
/** The member's number when it is one that fits; else `otherwise`. */
int64_t arka_tree_i64(const arka_tree *tree, const char *key, int64_t otherwise);
/** Are all members of the object among these keys (NULL behind the last)? */
bool arka_tree_has_only(const arka_tree *tree, const char *const *keys);
/** First child of a member that is a list or an object; NULL when there is none. */
const arka_tree *arka_tree_first(const arka_tree *tree, const char *key);

#endif
