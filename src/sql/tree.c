#include "sql/tree.h"

#include "base/json.h"
#include "base/number.h"

enum {
    MAX_DEPTH = 5000
}; /* DuckDB's max_expression_depth is 1,000; one expression is two levels here */

typedef struct parser {
    arka_arena *arena;
    const char *start, *at, *end;
    int depth;
    arka_error *err;
} parser;

static arka_status bad(parser *p, const char *expected)
{
    return arka_fail(p->err, ARKA_INTERNAL, "DuckDB's JSON: expected %s at byte %zu", expected,
                     (size_t)(p->at - p->start));
}

static void skip_blanks(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

static arka_status parse_string(parser *p, arka_slice *out)
{
    if (p->at == p->end || *p->at != '"')
        return bad(p, "a string");
    const char *from = ++p->at;
    p->at = arka_json_string_end(from, p->end);
    if (p->at == p->end)
        return bad(p, "the end of a string");
    arka_slice inside = {from, (size_t)(p->at - from)};
    char *text = arka_arena_alloc(p->arena, inside.len + 1);
    if (text == NULL)
        return arka_fail_nomem(p->err, "a parse tree", inside.len);
    size_t n, good = arka_json_unescape(inside, text, &n);
    if (good < inside.len) {
        p->at = from + good;
        return bad(p, "an escape");
    }
    text[n] = 0;
    p->at++;
    *out = (arka_slice){text, n};
    return ARKA_OK;
}

static arka_status parse_value(parser *p, arka_tree **out);

static arka_status parse_members(parser *p, arka_tree *parent, char close)
{
    arka_tree **link = &parent->child;
    p->at++;
    skip_blanks(p);
    if (p->at < p->end && *p->at == close) {
        p->at++;
        return ARKA_OK;
    }
    for (;;) {
        arka_slice key = {NULL, 0};
        skip_blanks(p);
        if (close == '}') {
            ARKA_TRY(parse_string(p, &key));
            skip_blanks(p);
            if (p->at == p->end || *p->at++ != ':')
                return bad(p, "':'");
        }
        ARKA_TRY(parse_value(p, link));
        (*link)->key = key;
        link = &(*link)->next;
        skip_blanks(p);
        if (p->at == p->end || (*p->at != ',' && *p->at != close))
            return bad(p, "',' or the end of a list");
        if (*p->at++ == close)
            return ARKA_OK;
    }
}

static arka_status parse_value(parser *p, arka_tree **out)
{
    arka_tree *t = arka_arena_zalloc(p->arena, sizeof *t);
    if (t == NULL)
        return arka_fail_nomem(p->err, "a parse tree", sizeof *t);
    *out = t;
    if (++p->depth > MAX_DEPTH)
        return arka_fail(p->err, ARKA_INPUT, "the statement is nested too deeply");
    skip_blanks(p);
    char c = p->at < p->end ? *p->at : 0;
    if (c == '{' || c == '[') {
        t->kind = c == '{' ? ARKA_TREE_OBJECT : ARKA_TREE_LIST;
        ARKA_TRY(parse_members(p, t, c == '{' ? '}' : ']'));
    } else if (c == '"') {
        t->kind = ARKA_TREE_STRING;
        ARKA_TRY(parse_string(p, &t->text));
    } else {
        const char *from = p->at;
        while (p->at < p->end && strchr(",]} \n\r\t", *p->at) == NULL)
            p->at++;
        t->text = (arka_slice){from, (size_t)(p->at - from)};
        if (t->text.len == 0)
            return bad(p, "a value");
        t->kind = c == 'n'               ? ARKA_TREE_NULL
                  : c == 't' || c == 'f' ? ARKA_TREE_BOOL
                                         : ARKA_TREE_NUMBER;
    }
    p->depth--;
    return ARKA_OK;
}

arka_status arka_tree_parse(arka_arena *arena, arka_slice json, arka_tree **out, arka_error *err)
{
    parser p = {arena, json.data, json.data, json.data + json.len, 0, err};
    ARKA_TRY(parse_value(&p, out));
    skip_blanks(&p);
    return p.at == p.end ? ARKA_OK : bad(&p, "nothing more");
}

const arka_tree *arka_tree_get(const arka_tree *tree, const char *key)
{
    if (tree == NULL || tree->kind != ARKA_TREE_OBJECT)
        return NULL;
    for (const arka_tree *t = tree->child; t != NULL; t = t->next)
        if (t->key.len == strlen(key) && memcmp(t->key.data, key, t->key.len) == 0)
            return t;
    return NULL;
}

arka_slice arka_tree_text(const arka_tree *tree, const char *key)
{
    const arka_tree *t = arka_tree_get(tree, key);
    return t != NULL && t->kind == ARKA_TREE_STRING ? t->text : (arka_slice){"", 0};
}

bool arka_tree_true(const arka_tree *tree, const char *key)
{
    const arka_tree *t = arka_tree_get(tree, key);
    return t != NULL && t->kind == ARKA_TREE_BOOL && t->text.data[0] == 't';
}

bool arka_tree_is(const arka_tree *tree, const char *key, const char *text)
{
    return arka_slice_eq(arka_tree_text(tree, key), arka_slice_of(text));
}

int64_t arka_tree_i64(const arka_tree *tree, const char *key, int64_t otherwise)
{
    const arka_tree *t = arka_tree_get(tree, key);
    int64_t v;
    /* positions of errors come as strings */
    bool number = t != NULL && (t->kind == ARKA_TREE_NUMBER || t->kind == ARKA_TREE_STRING) &&
                  arka_parse_i64(t->text.data, t->text.len, &v);
    return number ? v : otherwise;
}

bool arka_tree_has_only(const arka_tree *tree, const char *const *keys)
{
    for (const arka_tree *m = tree->child; m != NULL; m = m->next) {
        bool known = false;
        for (const char *const *key = keys; *key != NULL; key++)
            known |= arka_slice_eq(m->key, arka_slice_of(*key));
        if (!known)
            return false;
    }
    return true;
}

const arka_tree *arka_tree_first(const arka_tree *tree, const char *key)
{
    const arka_tree *t = arka_tree_get(tree, key);
    return t != NULL ? t->child : NULL;
}
