#include "base/utf8.h"

#include "kit/kit.h"

static size_t check(const char *text)
{
    return arka_utf8_check(text, strlen(text));
}

TEST(good_text_is_good_to_its_end)
{
    static const char *const good[] = {
        "",
        "a",
        "exactly8",
        "exactly eight and more",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x92\xa1",
        "\xf4\x8f\xbf\xbf",
        "\xee\x80\x80",
        "ascii first \xc3\xa9 then more ascii",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(check(good[i]), strlen(good[i]));
    assert_true(arka_utf8_valid("a\0b", 3));
}

TEST(bad_text_is_good_up_to_the_bad_byte)
{
    static const struct {
        const char *text;
        size_t good;
    } bad[] = {
        {"\x80", 0},
        {"a\xff", 1},
        {"ab\xc0\x80", 2},
        {"\xe0\x80\x80", 0},
        {"\xed\xa0\x80", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"abc\xe2\x82", 3},
        {"12345678\xc3", 8},
        {"\xc3(", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(check(bad[i].text), bad[i].good);
}

TEST(a_cut_never_splits_a_character)
{
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa1";
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < sizeof kept / sizeof *kept; max++)
        assert_int_equal(arka_utf8_cut(text, strlen(text), max), kept[max]);
    assert_int_equal(arka_utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
}

static void repairs(const char *text, const char *expected)
{
    arka_buf out = ARKA_BUF_INIT;
    arka_utf8_repair(&out, arka_slice_of(text));
    assert_string_equal(arka_buf_cstr(&out), expected);
    assert_true(arka_utf8_valid(out.data, out.len));
    arka_buf_fini(&out);
}

TEST(each_damaged_run_becomes_one_replacement_character)
{
    repairs("", "");
    repairs("fine \xe2\x82\xac", "fine \xe2\x82\xac");
    repairs("a\xff"
            "b",
            "a\xef\xbf\xbd"
            "b");
    repairs("a\xe2\x82"
            "b",
            "a\xef\xbf\xbd"
            "b");
    repairs("\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd");
    repairs("\x80\x80\x80", "\xef\xbf\xbd");
    repairs("end\xf0\x9f", "end\xef\xbf\xbd");
}
