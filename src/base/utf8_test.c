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

TEST(a_code_point_becomes_its_bytes)
{
    static const struct {
        uint32_t code_point;
        const char *bytes;
    } SAID[] = {{0x41, "A"},
                {0x7f, "\x7f"},
                {0x80, "\xc2\x80"},
                {0x7ff, "\xdf\xbf"},
                {0x800, "\xe0\xa0\x80"},
                {0x20ac, "\xe2\x82\xac"},
                {0xd7ff, "\xed\x9f\xbf"},
                {0xd800, "\xef\xbf\xbd"},
                {0xdfff, "\xef\xbf\xbd"},
                {0xe000, "\xee\x80\x80"},
                {0xffff, "\xef\xbf\xbf"},
                {0x10000, "\xf0\x90\x80\x80"},
                {0x10ffff, "\xf4\x8f\xbf\xbf"},
                {0x110000, "\xef\xbf\xbd"},
                {UINT32_MAX, "\xef\xbf\xbd"}};
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; i++) {
        char bytes[4];
        size_t n = arka_utf8_put(bytes, SAID[i].code_point);
        assert_int_equal(n, strlen(SAID[i].bytes));
        assert_memory_equal(bytes, SAID[i].bytes, n);
    }
}

/* One character after the other, by the table of RFC 3629, section 4. */
static size_t plain_check(const unsigned char *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        uint32_t c = p[at];
        size_t len = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;
        if (len == 0 || at + len > n)
            return at;
        c = len == 1 ? c : c & (0x7fu >> len);
        for (size_t i = 1; i < len; i++) {
            if ((p[at + i] & 0xc0) != 0x80)
                return at;
            c = c << 6 | (p[at + i] & 0x3f);
        }
        static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
        if (c < LEAST[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            return at;
        at += len;
    }
    return n;
}

TEST(strides_find_what_a_plain_walk_finds)
{
    static const char *const PIECES[] = {"a",
                                         "bcdefghi",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "jklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"};
    for (int i = 0; i < 100000; i++) {
        unsigned char text[160];
        size_t n = 0;
        for (int k = (int)(kit_random() % 6); k >= 0 && n < sizeof text - 44; k--) {
            const char *piece = PIECES[kit_random() % 6];
            memcpy(text + n, piece, strlen(piece));
            n += strlen(piece);
        }
        if (i % 2)
            text[kit_random() % n] = (unsigned char)kit_random();
        n -= kit_random() % 2;
        assert_int_equal(arka_utf8_check((const char *)text, n), plain_check(text, n));
    }
}
