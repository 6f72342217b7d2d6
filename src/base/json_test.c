#include "kit/kit.h"

#include "base/json.h"

#define ASSERT_JSON(call, text)                                                                    \
    do {                                                                                           \
        arka_buf b = ARKA_BUF_INIT;                                                                \
        arka_buf *out = &b;                                                                        \
        call;                                                                                      \
        assert_string_equal(arka_buf_cstr(out), text);                                             \
        arka_buf_fini(out);                                                                        \
    } while (0)

TEST(strings_are_quoted_and_escaped)
{
    ASSERT_JSON(arka_json_string(out, ARKA_SLICE("")), "\"\"");
    ASSERT_JSON(arka_json_string(out, ARKA_SLICE("caf\xc3\xa9 /~\x7f")), "\"caf\xc3\xa9 /~\x7f\"");
    ASSERT_JSON(arka_json_string(out, ARKA_SLICE("a\"b\\c")), "\"a\\\"b\\\\c\"");
    ASSERT_JSON(arka_json_string(out, ARKA_SLICE("\b\t\n\f\r")), "\"\\b\\t\\n\\f\\r\"");
    ASSERT_JSON(arka_json_string(out, ((arka_slice){"\0\x01\x1f ", 4})),
                "\"\\u0000\\u0001\\u001f \"");
}

TEST(bytes_that_are_no_text_are_repaired)
{
    ASSERT_JSON(arka_json_string_repaired(out, ARKA_SLICE("")), "\"\"");
    ASSERT_JSON(arka_json_string_repaired(out, ARKA_SLICE("caf\xc3\xa9\n")), "\"caf\xc3\xa9\\n\"");
    ASSERT_JSON(arka_json_string_repaired(out, ARKA_SLICE("\"\xff\xc3\"")),
                "\"\\\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"");
}

TEST(numbers_that_json_has_not_are_null)
{
    ASSERT_JSON(arka_json_f64(out, 1.5), "1.5");
    ASSERT_JSON(arka_json_f64(out, -1e300), "-1e+300");
    ASSERT_JSON(arka_json_f64(out, NAN), "null");
    ASSERT_JSON(arka_json_f64(out, INFINITY), "null");
    ASSERT_JSON(arka_json_f64(out, -INFINITY), "null");
    ASSERT_JSON(arka_json_i64(out, INT64_MIN), "-9223372036854775808");
}

static arka_slice unescaped(const char *inside, char *to)
{
    size_t n = 0, len = strlen(inside);
    memcpy(to, inside, len); /* in place */
    assert_int_equal(arka_json_unescape((arka_slice){to, len}, to, &n), len);
    return (arka_slice){to, n};
}

#define ASSERT_TEXT(inside, text)                                                                  \
    do {                                                                                           \
        char to[64];                                                                               \
        arka_slice found = unescaped(inside, to);                                                  \
        assert_int_equal(found.len, sizeof text - 1);                                              \
        assert_memory_equal(found.data, text, found.len);                                          \
    } while (0)

TEST(strings_are_read_as_they_were_meant)
{
    ASSERT_TEXT("", "");
    ASSERT_TEXT("plain \xc3\xa4", "plain \xc3\xa4");
    ASSERT_TEXT("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t");
    ASSERT_TEXT("a\\u00e4\\u20AC\\u0041z", "a\xc3\xa4\xe2\x82\xac"
                                           "Az");
    ASSERT_TEXT("\\u0000", "\0");
    ASSERT_TEXT("\\ud83d\\ude00!", "\xf0\x9f\x98\x80!");
}

TEST(half_of_a_pair_is_a_replacement_character)
{
    ASSERT_TEXT("\\ud83d", "\xef\xbf\xbd");
    ASSERT_TEXT("\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd");
    ASSERT_TEXT("\\ud83d\\u0041", "\xef\xbf\xbd"
                                  "A");
    ASSERT_TEXT("\\ud83dx", "\xef\xbf\xbdx");
}

TEST(an_escape_that_json_has_not_is_found)
{
    static const struct {
        const char *inside;
        size_t at;
    } BAD[] = {{"\\", 0},        {"ab\\", 2},       {"\\q", 0},     {"\\n\\u12", 2},
               {"\\u12g4", 0},   {"\\u+123", 0},    {"\\U0041", 0}, {"\\ud83d\\u12", 6},
               {"\\ud83d\\", 6}, {"\\u 123 123", 0}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char to[32];
        size_t n;
        assert_int_equal(arka_json_unescape(arka_slice_of(BAD[i].inside), to, &n), BAD[i].at);
    }
}

TEST(a_string_ends_at_a_quote_that_is_not_escaped)
{
    static const struct {
        const char *behind;
        size_t end;
    } SAID[] = {{"\"", 0},  {"ab\"c\"", 2}, {"a\\\"b\"", 4}, {"a\\\\\"", 3},
                {"abc", 3}, {"", 0},        {"a\\", 2}};
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; i++) {
        const char *from = SAID[i].behind;
        assert_int_equal(arka_json_string_end(from, from + strlen(from)) - from, SAID[i].end);
    }
}
