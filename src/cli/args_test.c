#include "cli/args.h"

#include "kit/kit.h"

static arka_error err;

typedef struct parsed {
    const char *url, *format, *positional[2];
    bool loud;
    int n;
} parsed;

static arka_status parse(parsed *p, int argc, const char **argv)
{
    *p = (parsed){.format = "table"};
    const arka_option options[] = {
        {"--url", "URL", "where", &p->url, NULL},
        {"--format", "FORMAT", "how", &p->format, NULL},
        {"--loud", NULL, "a flag", NULL, &p->loud},
    };
    return arka_args_parse(options, 3, argc, (char **)argv, p->positional, 2, &p->n, &err);
}

#define PARSE(...)                                                                                 \
    parse(&p, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

TEST(options_stand_anywhere_and_take_values_both_ways)
{
    parsed p;
    err = (arka_error){0};
    ASSERT_OK(PARSE("a", "--url", "u", "--format=csv", "--loud", "b"));
    assert_string_equal(p.url, "u");
    assert_string_equal(p.format, "csv");
    assert_true(p.loud);
    assert_int_equal(p.n, 2);
    assert_string_equal(p.positional[0], "a");
    assert_string_equal(p.positional[1], "b");
    ASSERT_OK(PARSE("-", "--", "--url"));
    assert_int_equal(p.n, 2);
    assert_string_equal(p.positional[1], "--url");
    assert_string_equal(p.format, "table");
    ASSERT_OK(PARSE("--url="));
    assert_string_equal(p.url, "");
}

TEST(what_is_wrong_is_named_with_what_may_be_meant)
{
    parsed p;
    ASSERT_FAILS(PARSE("--ulr", "x"), ARKA_INPUT, "unknown option '--ulr' (did you mean --url?)");
    ASSERT_FAILS(PARSE("--something-else"), ARKA_INPUT, "unknown option '--something-else'");
    ASSERT_FAILS(PARSE("--url"), ARKA_INPUT, "option --url needs a value: URL");
    ASSERT_FAILS(PARSE("--loud=1"), ARKA_INPUT, "option --loud takes no value");
    ASSERT_FAILS(PARSE("a", "b", "c"), ARKA_INPUT, "one argument too many: 'c'");
}

TEST(the_nearest_word_is_at_most_two_slips_away)
{
    static const char *const WORDS[] = {"serve", "query", "write"};
    assert_string_equal(arka_args_nearest("serv", WORDS, 3), "serve");
    assert_string_equal(arka_args_nearest("qurey", WORDS, 3), "query");
    assert_null(arka_args_nearest("delete", WORDS, 3));
    assert_null(arka_args_nearest("a-word-that-is-longer-than-any-of-ours", WORDS, 3));
}
