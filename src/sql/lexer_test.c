#include "kit/kit.h"
#include "sql/lexer.h"

/* The kinds of all tokens as letters, and where each begins and ends. */
static void check(const char *text, const char *expected)
{
    static const char KINDS[] = ".wqsn#!";
    char got[256];
    size_t n = 0;
    arka_lexer lexer = {arka_slice_of(text), 0};
    for (;;) {
        arka_token t = arka_lexer_next(&lexer);
        if (t.kind == ARKA_TOKEN_END)
            break;
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%c%zu-%zu", n ? " " : "", KINDS[t.kind],
                              t.at, t.at + t.text.len);
        assert_ptr_equal(t.text.data, text + t.at);
    }
    got[n] = 0;
    assert_string_equal(got, expected);
    assert_int_equal(arka_lexer_next(&lexer).kind, ARKA_TOKEN_END);
}

TEST(words_numbers_and_signs)
{
    check("", "");
    check("  \n\t ", "");
    check("SELECT a_1,b$c FROM größe;", "w0-6 w7-10 #10-11 w11-14 w15-19 w20-27 #27-28");
    check("1 1.5 .5 1e10 0x1f", "n0-1 n2-5 n6-8 n9-13 n14-18");
    check("a.b", "w0-1 #1-2 w2-3");
}

TEST(comments_are_no_tokens)
{
    check("-- x\nSHOW", "w5-9");
    check("--x", "");
    check("/* a /* b */ c */ d", "w18-19");
    check("a-b", "w0-1 #1-2 w2-3");
    check("a/b", "w0-1 #1-2 w2-3");
    check("/**/a", "w4-5");
}

TEST(quotes_hide_what_is_inside)
{
    check("'a''b' x", "s0-6 w7-8");
    check("\"a\"\"b;\" x", "q0-7 w8-9");
    check("e'a\\'b' x", "s0-7 w8-9");
    check("'a\\' x", "s0-4 w5-6"); /* a plain string has no escapes */
    check("$$;'--$$ x", "s0-8 w9-10");
    check("$a$ $b$ $a$ x", "s0-11 w12-13");
    check("$1 + $2", "#0-1 n1-2 #3-4 #5-6 n6-7");
    check("x'ab'", "s0-5");
}

TEST(what_never_ends_is_broken)
{
    check("a 'b", "w0-1 !2-4");
    check("a \"b", "w0-1 !2-4");
    check("a /* b", "w0-1 !2-6");
    check("$x$ a", "!0-5");
}

TEST(words_compare_without_case)
{
    arka_lexer lexer = {ARKA_SLICE("SeLeCt selects ;"), 0};
    arka_token t = arka_lexer_next(&lexer);
    assert_true(arka_token_is_word(t, "select"));
    assert_false(arka_token_is_word(t, "selec"));
    assert_false(arka_token_is_word(arka_lexer_next(&lexer), "select"));
    assert_true(arka_token_is_sign(arka_lexer_next(&lexer), ';'));
}
