#include "auth/rights.h"

#include "kit/kit.h"

static arka_scope *scope(const char *text)
{
    arka_error err = {0};
    arka_scope *s = NULL;
    ASSERT_OK(arka_scope_parse(arka_slice_of(text), &s, &err));
    return s;
}

static void assert_table(const char *text, const char *database, const char *table, bool expected)
{
    arka_scope *s = scope(text);
    assert_int_equal(arka_scope_has_table(s, arka_slice_of(database), arka_slice_of(table)),
                     expected);
    arka_scope_unref(s);
}

TEST(no_scope_is_everything)
{
    assert_null(scope(""));
    assert_null(scope("  "));
    assert_string_equal(arka_scope_text(NULL), "");
    assert_true(arka_scope_has_table(NULL, ARKA_SLICE("_arc"), ARKA_SLICE("settings")));
    assert_true(arka_scope_has_database(NULL, ARKA_SLICE("a")));
    assert_true(arka_scope_has_all_of(NULL, ARKA_SLICE("a")));
}

TEST(tables_that_a_pattern_matches)
{
    static const struct {
        const char *scope, *database, *table;
        bool expected;
    } CASES[] = {
        {"prod", "prod", "cpu", true},
        {"prod", "PROD", "CPU", true},
        {"prod", "prod2", "cpu", false},
        {"prod", "pro", "cpu", false},
        {"prod.cpu", "prod", "cpu", true},
        {"prod.cpu", "prod", "Cpu", true},
        {"prod.cpu", "prod", "cpu2", false},
        {"prod.cpu", "test", "cpu", false},
        {"prod.cpu*", "prod", "cpu", true},
        {"prod.cpu*", "prod", "cpu_load", true},
        {"prod.*cpu", "prod", "my_cpu", true},
        {"prod.*a*b*", "prod", "xaxbx", true},
        {"prod.*a*b*", "prod", "xbxax", false},
        {"prod.*ab", "prod", "aab", true},
        {"prod.*aab*aac", "prod", "aaabaaac", true},
        {"prod.a.b", "prod", "a.b", true}, /* a measurement's name may have dots */
        {"prod.a.*", "prod", "a.b", true},
        {"prod.a.*", "prod", "a", false},
        {"*", "anything", "cpu", true},
        {"*", "_arc", "rejected_writes", false}, /* ours: only when it is named */
        {"*.*", "_arc", "settings", false},
        {"_arc.rejected*", "_arc", "rejected_writes", true},
        {"_*", "_arc", "settings", true},
        {"a,b.cpu , c*", "b", "cpu", true},
        {"a,b.cpu , c*", "b", "mem", false},
        {"a,b.cpu , c*", "cd", "mem", true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_table(CASES[i].scope, CASES[i].database, CASES[i].table, CASES[i].expected);
    assert_table("prod.\xc3\xa4*", "prod", "\xc3\xa4\xc3\xb6", true);
}

TEST(databases_and_the_whole_of_them)
{
    arka_scope *s = scope("a,b.cpu,c.*,d*.**");
    static const struct {
        const char *database;
        bool any, all;
    } CASES[] = {{"a", true, true},  {"b", true, false},  {"c", true, true},
                 {"dd", true, true}, {"e", false, false}, {"", false, false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_int_equal(arka_scope_has_database(s, arka_slice_of(CASES[i].database)),
                         CASES[i].any);
        assert_int_equal(arka_scope_has_all_of(s, arka_slice_of(CASES[i].database)), CASES[i].all);
    }
    arka_scope *again = arka_scope_ref(s);
    arka_scope_unref(s);
    assert_string_equal(arka_scope_text(again), "a,b.cpu,c.*,d*.**");
    arka_scope_unref(again);
}

TEST(text_without_blanks)
{
    arka_scope *s = scope(" a ,\tb.c ");
    assert_string_equal(arka_scope_text(s), "a,b.c");
    arka_scope_unref(s);
}

static void assert_refused(const char *text, const char *why)
{
    arka_error err = {0};
    arka_scope *s = NULL;
    ASSERT_FAILS(arka_scope_parse(arka_slice_of(text), &s, &err), ARKA_INPUT, why);
    assert_null(s);
}

TEST(what_is_no_pattern)
{
    assert_refused("a,,b", "has an empty database pattern");
    assert_refused("a,", "has an empty database pattern");
    assert_refused(".cpu", "has an empty database pattern");
    assert_refused("a.", "has an empty measurement pattern");
    assert_refused("a b", "scope 'a b' has a character that no database's name has, at byte 2");
    assert_refused("a.b/c", "at byte 4");
    assert_refused("\xc3\xa4", "no database's name has");
    assert_refused("a.'", "no measurement's name has");
    char name[200];
    memset(name, 'a', 65);
    name[65] = 0;
    assert_refused(name, "its database pattern has 65 bytes, names have at most 64");
    memset(name, 'a', 140);
    memcpy(name, "d.", 2);
    name[131] = 0;
    assert_refused(name, "its measurement pattern has 129 bytes, names have at most 128");
    char many[2 * 257 + 1];
    for (int i = 0; i < 257; i++)
        memcpy(many + 2 * i, "a,", 2);
    many[2 * 257 - 1] = 0;
    assert_refused(many, "a scope has at most 256 patterns");
    many[2 * 256 - 1] = 0;
    arka_scope_unref(scope(many));
}
