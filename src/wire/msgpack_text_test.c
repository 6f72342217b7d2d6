/* Cells as text: scalars plain, nested values as JSON. */
#include "kit/kit.h"
#include "kit/pack_text.h"
#include "wire/msgpack_priv.h"

static const char *text_of(const char *notation, int max_depth)
{
    static arka_buf out;
    arka_buf body = ARKA_BUF_INIT;
    arka_error err = {0};
    arka_msgpack_token t;
    bool null = false;
    arka_buf_clear(&out);
    pack_notation(&body, notation);
    const uint8_t *bytes = (const uint8_t *)body.data;
    arka_msgpack_reader r = {bytes, bytes + body.len, bytes};
    ASSERT_OK(arka_msgpack_take(&r, &t, &err));
    arka_status status = arka_msgpack__text(&r, &t, max_depth, &out, &null, &err);
    if (status == ARKA_OK)
        assert_ptr_equal(r.at, r.end);
    arka_buf_fini(&body);
    if (status != ARKA_OK) {
        arka_buf_clear(&out);
        arka_buf_printf(&out, "! %s", err.msg);
    }
    return null ? NULL : arka_buf_cstr(&out);
}

#define ASSERT_TEXT(notation, text) assert_string_equal(text_of(notation, 32), text)

TEST(scalars_are_plain)
{
    ASSERT_TEXT("-5", "-5");
    ASSERT_TEXT("<cf 9223372036854775807>", "9223372036854775807");
    ASSERT_TEXT("1.0", "1");
    ASSERT_TEXT("0.1", "0.1");
    ASSERT_TEXT("true", "true");
    ASSERT_TEXT("'a b'", "a b");
    ASSERT_TEXT("<ext -1 00000000>", "1970-01-01T00:00:00Z");
    ASSERT_TEXT("<ext -1 000003e8ffffffffffffffff>", "1969-12-31T23:59:59.000001Z");
    assert_null(text_of("nil", 32));
    assert_null(text_of("nan", 32));
    assert_null(text_of("-inf", 32));
}

TEST(nested_values_are_json)
{
    ASSERT_TEXT("[]", "[]");
    ASSERT_TEXT("{}", "{}");
    ASSERT_TEXT("[[],{},[[1]]]", "[[],{},[[1]]]");
    ASSERT_TEXT("[1,-2,1.5,nil,true,false,'x',<bin 79>]", "[1,-2,1.5,null,true,false,\"x\",\"y\"]");
    ASSERT_TEXT("{a:1,b:[2,{c:nil}],d:{e:{}}}",
                "{\"a\":1,\"b\":[2,{\"c\":null}],\"d\":{\"e\":{}}}");
    ASSERT_TEXT("[nan,inf,<cf 18446744073709551615>,<ext -1 00000000>]",
                "[null,null,18446744073709551615,\"1970-01-01T00:00:00Z\"]");
    ASSERT_TEXT("['q\"\\\n\x01']", "[\"q\\\"\\\\\\n\\u0001\"]");
}

TEST(keys_that_are_no_strings_are_quoted)
{
    ASSERT_TEXT("{1:a,-2:b,1.5:c,true:d,nil:e,<bin 6b>:f,<ext -1 00000000>:g}",
                "{\"1\":\"a\",\"-2\":\"b\",\"1.5\":\"c\",\"true\":\"d\",\"null\":\"e\",\"k\":\"f\","
                "\"1970-01-01T00:00:00Z\":\"g\"}");
    ASSERT_TEXT("{[1]:2}", "! a key of a nested map is an array, expected a string");
    ASSERT_TEXT("[{{}:2}]", "! a key of a nested map is a map, expected a string");
}

TEST(depth_is_limited)
{
    assert_string_equal(text_of("[[1]]", 2), "[[1]]");
    assert_string_equal(text_of("[[],[[]]]", 2), "! value is nested deeper than 2 levels");
    assert_string_equal(text_of("{a:{b:{}}}", 2), "! value is nested deeper than 2 levels");
    /* Depth is not breadth. */
    assert_string_equal(text_of("[[],[],[],{},{}]", 2), "[[],[],[],{},{}]");
}

TEST(what_cannot_be_text_is_refused)
{
    ASSERT_TEXT("['\xff']", "! string in a nested value is not UTF-8");
    ASSERT_TEXT("{'\xff':1}", "! string in a nested value is not UTF-8");
    ASSERT_TEXT("[<ext 9 00>]", "! found extension type 9, only timestamps (-1) are understood");
    ASSERT_TEXT("<cf 9223372036854775808>",
                "! integer 9223372036854775808 does not fit BIGINT (at most 9223372036854775807)");
}
