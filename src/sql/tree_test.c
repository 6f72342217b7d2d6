#include "kit/kit.h"
#include "sql/tree.h"

static arka_tree *parse(arka_arena *arena, const char *json)
{
    arka_error err = {0};
    arka_tree *tree = NULL;
    ASSERT_OK(arka_tree_parse(arena, arka_slice_of(json), &tree, &err));
    return tree;
}

TEST(members_are_found_by_key)
{
    arka_arena arena = ARKA_ARENA_INIT;
    const arka_tree *t = parse(
        &arena,
        "{\"a\": {\"b\": [1, 2.5, true, null, \"x\"]}, \"n\":18446744073709551615, \"t\":true}");
    const arka_tree *item = arka_tree_first(arka_tree_get(t, "a"), "b");
    assert_string_equal(item->next->next->next->next->text.data, "x");
    assert_null(item->next->next->next->next->next);
    assert_int_equal(item->next->next->next->kind, ARKA_TREE_NULL);
    assert_int_equal(arka_tree_get(t, "n")->text.len, 20);
    assert_int_equal(arka_tree_i64(t, "n", -7), -7); /* does not fit */
    assert_true(arka_tree_true(t, "t"));
    assert_false(arka_tree_true(t, "n"));
    assert_null(arka_tree_get(t, "c"));
    assert_null(arka_tree_get(NULL, "c"));
    assert_int_equal(arka_tree_text(t, "n").len, 0);
    arka_arena_fini(&arena);
}

TEST(strings_are_decoded)
{
    arka_arena arena = ARKA_ARENA_INIT;
    const arka_tree *t =
        parse(&arena, "{\"k\\\"\":\"a\\n\\\\\\u00e4\\ud83d\\ude00 \\u20ac\\/\", \"p\":\"12\"}");
    assert_string_equal(arka_tree_text(t, "k\"").data, "a\n\\ä😀 €/");
    assert_int_equal(arka_tree_i64(t, "p", -1), 12);
    arka_arena_fini(&arena);
}

TEST(damage_is_an_error)
{
    static const char *const BAD[] = {"",         "{",     "[1",      "{\"a\"}", "{\"a\":}",
                                      "[1,]x",    "\"abc", "\"\\q\"", "{} x",    "\"\\u12\"",
                                      "{\"a\":1", "[\"\\", "{1:2}",   "[1 2]"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        arka_arena arena = ARKA_ARENA_INIT;
        arka_error err = {0};
        arka_tree *tree;
        ASSERT_FAILS(arka_tree_parse(&arena, arka_slice_of(BAD[i]), &tree, &err), ARKA_INTERNAL,
                     "DuckDB's JSON");
        arka_arena_fini(&arena);
    }
}

TEST(depth_is_limited)
{
    arka_arena arena = ARKA_ARENA_INIT;
    arka_error err = {0};
    arka_tree *tree;
    static char deep[200000];
    memset(deep, '[', sizeof deep);
    ASSERT_FAILS(arka_tree_parse(&arena, (arka_slice){deep, sizeof deep}, &tree, &err), ARKA_INPUT,
                 "nested too deeply");
    arka_arena_fini(&arena);
}
