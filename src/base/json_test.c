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

TEST(numbers_that_json_has_not_are_null)
{
    ASSERT_JSON(arka_json_f64(out, 1.5), "1.5");
    ASSERT_JSON(arka_json_f64(out, -1e300), "-1e+300");
    ASSERT_JSON(arka_json_f64(out, NAN), "null");
    ASSERT_JSON(arka_json_f64(out, INFINITY), "null");
    ASSERT_JSON(arka_json_f64(out, -INFINITY), "null");
    ASSERT_JSON(arka_json_i64(out, INT64_MIN), "-9223372036854775808");
}
