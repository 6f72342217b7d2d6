#include "wire/form.h"

#include "kit/kit.h"

/* "name=value|name=value" of what the text holds */
static const char *flat(const char *text, arka_arena *arena)
{
    arka_error err = {0};
    arka_form form;
    ASSERT_OK(arka_form_parse(arka_slice_of(text), arena, &form, &err));
    const char *out = "";
    for (size_t i = 0; i < form.n; i++)
        out = arka_arena_printf(arena, "%s%s%.*s=%.*s", out, i ? "|" : "",
                                ARKA_FMT(form.fields[i].name), ARKA_FMT(form.fields[i].value));
    return out;
}

TEST(fields_are_split_and_decoded)
{
    arka_arena arena = ARKA_ARENA_INIT;
    static const struct {
        const char *text, *fields;
    } CASES[] = {
        {"", ""},
        {"&&&", ""},
        {"db=x", "db=x"},
        {"db=x&rp=&precision=ns", "db=x|rp=|precision=ns"},
        {"&db=x&&a=b&", "db=x|a=b"},
        {"flag&db=x", "flag=|db=x"},
        {"a=b=c", "a=b=c"},
        {"=v", "=v"},
        {"q=SELECT+1%2B1", "q=SELECT 1+1"},
        {"q=CREATE%20DATABASE%20%22d%22", "q=CREATE DATABASE \"d\""},
        {"a%3Db=c%26d", "a=b=c&d"},
        {"precision=%C2%B5s", "precision=\xc2\xb5s"},
        {"a+b=c", "a b=c"},
        {"a=%2f%2F", "a=//"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_string_equal(flat(CASES[i].text, &arena), CASES[i].fields);
    arka_arena_fini(&arena);
}

TEST(bad_escapes_stand_for_themselves)
{
    arka_arena arena = ARKA_ARENA_INIT;
    static const struct {
        const char *text, *fields;
    } CASES[] = {
        {"a=%", "a=%"},     {"a=%4", "a=%4"},       {"a=%zz", "a=%zz"},
        {"a=%4g", "a=%4g"}, {"a=%g4", "a=%g4"},     {"a=100%&b=1", "a=100%|b=1"},
        {"a=%%41", "a=%A"}, {"a=%4%41", "a=%4A"},   {"a=% 1", "a=% 1"},
        {"a=%-1", "a=%-1"}, {"a=%0x41", "a=%0x41"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_string_equal(flat(CASES[i].text, &arena), CASES[i].fields);
    arka_arena_fini(&arena);
}

TEST(first_of_repeated_names_wins_and_absent_is_empty)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_form form;
    arka_slice got = {NULL, 9};
    ASSERT_OK(arka_form_parse(ARKA_SLICE("db=a&db=b&DB=c&rp=&rp=x"), &arena, &form, &err));
    ASSERT_OK(arka_form_get(&form, "db", &got, &err));
    assert_true(arka_slice_eq(got, ARKA_SLICE("a")));
    ASSERT_OK(arka_form_get(&form, "DB", &got, &err));
    assert_true(arka_slice_eq(got, ARKA_SLICE("c")));
    ASSERT_OK(arka_form_get(&form, "rp", &got, &err));
    assert_int_equal(got.len, 0);
    assert_non_null(got.data);
    got.len = 9;
    ASSERT_OK(arka_form_get(&form, "d", &got, &err));
    assert_int_equal(got.len, 0);
    arka_arena_fini(&arena);
}

TEST(nul_is_refused_coded_or_not)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_form form;
    ASSERT_FAILS(arka_form_parse(ARKA_SLICE("x=1&a=b%00c"), &arena, &form, &err), ARKA_INPUT,
                 "value of parameter 2 holds a NUL");
    ASSERT_FAILS(arka_form_parse(ARKA_SLICE("a%00=1"), &arena, &form, &err), ARKA_INPUT,
                 "name of parameter 1 holds a NUL");
    ASSERT_FAILS(arka_form_parse(ARKA_SLICE("a=b\0c"), &arena, &form, &err), ARKA_INPUT, "NUL");
    arka_slice out;
    ASSERT_FAILS(arka_percent_decode(ARKA_SLICE("a%00b"), &arena, &out, &err), ARKA_INPUT, "NUL");
    arka_arena_fini(&arena);
}

TEST(only_the_value_that_is_asked_for_must_be_text)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_form form;
    arka_slice got;
    ASSERT_OK(arka_form_parse(ARKA_SLICE("u=%e9t%e9&db=x"), &arena, &form, &err));
    ASSERT_OK(arka_form_get(&form, "db", &got, &err));
    ASSERT_FAILS(arka_form_get(&form, "u", &got, &err), ARKA_INPUT,
                 "the value of parameter 'u' is not UTF-8");
    arka_arena_fini(&arena);
}

TEST(too_many_fields_are_refused)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_form form;
    char text[2 * (ARKA_FORM_MAX_FIELDS + 1)];
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "a&", 2);
    ASSERT_OK(arka_form_parse((arka_slice){text, sizeof text - 2}, &arena, &form, &err));
    assert_int_equal(form.n, ARKA_FORM_MAX_FIELDS);
    ASSERT_FAILS(arka_form_parse((arka_slice){text, sizeof text}, &arena, &form, &err), ARKA_INPUT,
                 "1001 parameters");
    arka_arena_fini(&arena);
}

TEST(path_segments_keep_their_plus)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_slice out;
    ASSERT_OK(arka_percent_decode(ARKA_SLICE("my+cpu%2Fload%20x%"), &arena, &out, &err));
    assert_true(arka_slice_eq(out, ARKA_SLICE("my+cpu/load x%")));
    ASSERT_OK(arka_percent_decode(ARKA_SLICE(""), &arena, &out, &err));
    assert_int_equal(out.len, 0);
    ASSERT_FAILS(arka_percent_decode(ARKA_SLICE("%ff"), &arena, &out, &err), ARKA_INPUT,
                 "not UTF-8");
    arka_arena_fini(&arena);
}
