#include <errno.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "kit/kit.h"

TEST(the_first_failure_stays)
{
    arka_error err = {0};
    assert_int_equal(arka_fail(&err, ARKA_INPUT, "first %d", 1), ARKA_INPUT);
    assert_int_equal(arka_fail(&err, ARKA_IO, "second"), ARKA_IO);
    assert_int_equal(err.code, ARKA_INPUT);
    assert_string_equal(err.msg, "first 1");
    arka_error_prefix(&err, "loading %s: ", "x");
    assert_string_equal(err.msg, "loading x: first 1");
    assert_string_equal(arka_status_name(ARKA_CORRUPT), "CORRUPT");
}

TEST(errno_becomes_words)
{
    arka_error err = {0};
    arka_fail_sys(&err, ARKA_IO, ENOSPC, "writing %s", "f");
    assert_string_equal(err.msg, "writing f: No space left on device");
    assert_int_equal(err.sys, ENOSPC);
}

TEST(a_long_sentence_ends_with_a_whole_character)
{
    char text[1024];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = "\xe2\x82\xac"[i % 3];
    text[sizeof text - 1] = 0;
    for (int lead = 0; lead < 4; lead++) {
        arka_error err = {0};
        arka_fail(&err, ARKA_INPUT, "%.*s%s", lead, "abcd", text);
        assert_true(strlen(err.msg) > sizeof err.msg - 4);
        assert_true(arka_utf8_valid(err.msg, strlen(err.msg)));
        arka_error_prefix(&err, "%.*s: ", lead, "wxyz");
        assert_true(strlen(err.msg) > sizeof err.msg - 4);
        assert_true(arka_utf8_valid(err.msg, strlen(err.msg)));
    }
    arka_error err = {0};
    arka_fail(&err, ARKA_INPUT, "%.*s", 510, text); /* fits: nothing is taken away */
    assert_int_equal(strlen(err.msg), 510);
}

TEST(buffers_grow_pad_and_print)
{
    arka_buf b = ARKA_BUF_INIT;
    for (int i = 0; i < 1000; i++)
        arka_buf_printf(&b, "%d,", i);
    assert_int_equal(b.len, 3890);
    arka_buf_pad(&b, 64);
    assert_int_equal(b.len % 64, 0);
    assert_false(b.failed);
    assert_null(arka_buf_reserve(&b, SIZE_MAX - 10));
    assert_true(b.failed);
    arka_buf_fini(&b);
}

TEST(utf8_is_checked_as_rfc_3629_says)
{
    static const struct {
        const char *text;
        size_t good;
    } CASES[] = {
        {"plain ascii of more than eight", 30},
        {"\xc3\xa9", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x98\x80", 4},
        {"ok\x80", 2},
        {"\xc0\xaf", 0},
        {"\xed\xa0\x80", 0},
        {"\xf4\x90\x80\x80", 0},
        {"abc\xe2\x82", 3},
        {"\xe0\x80\x80", 0},
        {"12345678\xff", 8},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(arka_utf8_check(CASES[i].text, strlen(CASES[i].text)), CASES[i].good);
}
