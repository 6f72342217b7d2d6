#include "wire/json.h"

#include "kit/kit.h"

static arka_json *parsed(const char *text)
{
    arka_error err = {0};
    arka_json *root = NULL;
    ASSERT_OK(arka_json_parse(arka_slice_of(text), 0, &root, &err));
    return root;
}

TEST(getters_give_what_the_text_says)
{
    arka_error err = {0};
    ARKA_AUTO(arka_json)
    root = parsed("{\"name\":\"a\\u00e9\\n\",\"n\":-9223372036854775808,"
                  "\"on\":true,\"off\":false,\"list\":[1,\"x\",null,2.5],"
                  "\"sub\":{\"k\":7}}");
    arka_slice text = {NULL, 0};
    int64_t n = 0;
    bool on = false, off = true;
    const arka_json *list = NULL, *sub = NULL;
    ASSERT_OK(arka_json_get_string(root, "name", &text, &err));
    assert_true(arka_slice_eq(text, ARKA_SLICE("a\xc3\xa9\n")));
    assert_int_equal(text.data[text.len], 0);
    ASSERT_OK(arka_json_get_int(root, "n", &n, &err));
    assert_true(n == INT64_MIN);
    ASSERT_OK(arka_json_get_bool(root, "on", &on, &err));
    ASSERT_OK(arka_json_get_bool(root, "off", &off, &err));
    assert_true(on && !off);
    ASSERT_OK(arka_json_get_array(root, "list", &list, &err));
    assert_int_equal(arka_json_len(list), 4);
    assert_int_equal(arka_json_kind_of(arka_json_at(list, 0)), ARKA_JSON_INT);
    assert_true(arka_slice_eq(arka_json_text(arka_json_at(list, 1)), ARKA_SLICE("x")));
    assert_int_equal(arka_json_kind_of(arka_json_at(list, 2)), ARKA_JSON_NULL);
    assert_int_equal(arka_json_kind_of(arka_json_at(list, 3)), ARKA_JSON_REAL);
    ASSERT_OK(arka_json_get_object(root, "sub", &sub, &err));
    ASSERT_OK(arka_json_get_int(sub, "k", &n, &err));
    assert_int_equal(n, 7);
}

TEST(absent_and_null_leave_the_default_and_need_refuses_them)
{
    arka_error err = {0};
    ARKA_AUTO(arka_json) root = parsed("{\"nothing\":null}");
    static const char *const NAMES[] = {"nothing", "absent"};
    for (int i = 0; i < 2; i++) {
        arka_slice text = ARKA_SLICE("default");
        int64_t n = 42;
        bool b = true;
        const arka_json *node = root;
        ASSERT_OK(arka_json_get_string(root, NAMES[i], &text, &err));
        ASSERT_OK(arka_json_get_int(root, NAMES[i], &n, &err));
        ASSERT_OK(arka_json_get_bool(root, NAMES[i], &b, &err));
        ASSERT_OK(arka_json_get_array(root, NAMES[i], &node, &err));
        ASSERT_OK(arka_json_get_object(root, NAMES[i], &node, &err));
        assert_string_equal(text.data, "default");
        assert_true(n == 42 && b && node == root);
        assert_null(arka_json_get(root, NAMES[i]));
        ASSERT_FAILS(arka_json_need_string(root, NAMES[i], &text, &err), ARKA_INPUT,
                     "is missing, expected a string");
        assert_string_equal(text.data, "default");
    }
}

TEST(another_type_names_field_expected_and_found)
{
    arka_error err = {0};
    ARKA_AUTO(arka_json)
    root = parsed("{\"i\":1,\"r\":1.0,\"s\":\"1\",\"b\":true,\"a\":[],\"o\":{}}");
    arka_slice text;
    int64_t n;
    bool b;
    const arka_json *node;
    ASSERT_FAILS(arka_json_get_string(root, "i", &text, &err), ARKA_INPUT,
                 "field \"i\": expected a string, found an integer");
    ASSERT_FAILS(arka_json_need_string(root, "o", &text, &err), ARKA_INPUT,
                 "field \"o\": expected a string, found an object");
    ASSERT_FAILS(arka_json_get_int(root, "s", &n, &err), ARKA_INPUT,
                 "field \"s\": expected an integer, found a string");
    ASSERT_FAILS(arka_json_get_int(root, "r", &n, &err), ARKA_INPUT,
                 "expected an integer, found a number with a fraction");
    ASSERT_FAILS(arka_json_get_bool(root, "i", &b, &err), ARKA_INPUT,
                 "expected a boolean, found an integer");
    ASSERT_FAILS(arka_json_get_array(root, "b", &node, &err), ARKA_INPUT,
                 "expected an array, found a boolean");
    ASSERT_FAILS(arka_json_get_object(root, "a", &node, &err), ARKA_INPUT,
                 "expected an object, found an array");
    ARKA_AUTO(arka_json) list = parsed("[1]");
    ASSERT_FAILS(arka_json_get_string(list, "sql", &text, &err), ARKA_INPUT,
                 "expected a JSON object with field \"sql\", found an array");
    ARKA_AUTO(arka_json) null = parsed("null");
    ASSERT_FAILS(arka_json_need_string(null, "sql", &text, &err), ARKA_INPUT, "found null");
}

TEST(last_of_duplicate_keys_wins)
{
    arka_error err = {0};
    ARKA_AUTO(arka_json) root = parsed("{\"k\":\"first\",\"k\":2}");
    int64_t n = 0;
    ASSERT_OK(arka_json_get_int(root, "k", &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(arka_json_len(root), 1);
}

TEST(members_come_in_the_order_of_the_text)
{
    ARKA_AUTO(arka_json) root = parsed("{\"z\":1,\"a\":null,\"\":3,\"m\\u00fc\":[]}");
    static const char *const NAMES[] = {"z", "a", "", "m\xc3\xbc"};
    void *cursor = NULL;
    arka_slice name;
    const arka_json *value;
    int n = 0;
    while (arka_json_next(root, &cursor, &name, &value)) {
        assert_true(n < 4);
        assert_string_equal(name.data, NAMES[n]);
        assert_int_equal(name.len, strlen(NAMES[n]));
        n++;
    }
    assert_int_equal(n, 4);
    ARKA_AUTO(arka_json) empty = parsed("{}");
    cursor = NULL;
    assert_false(arka_json_next(empty, &cursor, &name, &value));
    ARKA_AUTO(arka_json) list = parsed("[]");
    assert_false(arka_json_next(list, &cursor, &name, &value));
}

TEST(nul_in_a_string_is_refused_where_it_is_asked_for)
{
    arka_error err = {0};
    ARKA_AUTO(arka_json) root = parsed("{\"bad\":\"a\\u0000b\",\"good\":\"x\"}");
    arka_slice text;
    ASSERT_OK(arka_json_get_string(root, "good", &text, &err));
    ASSERT_FAILS(arka_json_get_string(root, "bad", &text, &err), ARKA_INPUT,
                 "field \"bad\" holds a NUL");
    assert_int_equal(arka_json_text(arka_json_get(root, "bad")).len, 3);
}

TEST(broken_text_is_refused_with_line_and_column)
{
    arka_error err = {0};
    arka_json *root = NULL;
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"", "the body is empty"},
        {"\xef\xbb\xbf", "the body is empty"},
        {" \n", "line 2, column"},
        {"{", "line 1, column 1"},
        {"{\"a\":1,\n\"b\":}", "line 2, column 5"},
        {"{\"a\":1} x", "line 1, column 9"},
        {"{'a':1}", "line 1"},
        {"{\"a\":1,}", "line 1"},
        {"[1,2", "line 1"},
        {"{\"a\":NaN}", "line 1"},
        {"{\"a\":01}", "line 1"},
        {"{\"a\":99999999999999999999}", "too big integer"},
        {"{\"a\":1e999}", "real number overflow"},
        {"{\"a\":\"\xff\"}", "line 1"},
        {"{\"a\":\"\xed\xa0\x80\"}", "line 1"},
        {"{\"a\":\"\\ud800\"}", "line 1"},
        {"{\"a\":\"x\ny\"}", "line 1"},
        {"{\"a\\u0000\":1}", "NUL"},
        {"sql=SELECT 1", "line 1"},
        {"\"a\\\xc3\xa9\"", "line 1, column 4: invalid escape near '\"a\\\xef\xbf\xbd'"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ASSERT_FAILS(arka_json_parse(arka_slice_of(CASES[i].text), 0, &root, &err), ARKA_INPUT,
                     CASES[i].says);
    ASSERT_FAILS(arka_json_parse(ARKA_SLICE("{}\0"), 0, &root, &err), ARKA_INPUT, "line 1");
    assert_null(root);
}

TEST(truncation_at_any_byte_is_refused)
{
    arka_error err = {0};
    arka_json *root = NULL;
    static const char TEXT[] = "{\"sql\":\"SELECT '\\u00e9'\",\"n\":[1,2.5,{\"x\":true}]}";
    for (size_t n = 0; n < sizeof TEXT - 1; n++) {
        char *cut = malloc(n ? n : 1);
        memcpy(cut, TEXT, n);
        ASSERT_FAILS(arka_json_parse((arka_slice){cut, n}, 0, &root, &err), ARKA_INPUT, "");
        free(cut);
    }
}

TEST(depth_is_limited_before_the_parser_recurses)
{
    arka_error err = {0};
    arka_json *root = NULL;
    enum { N = 1 << 20 };
    char *text = malloc(2 * N);
    memset(text, '[', N);
    memset(text + N, ']', N);
    ASSERT_FAILS(arka_json_parse((arka_slice){text, 2 * N}, 0, &root, &err), ARKA_INPUT,
                 "nests deeper than 32 levels");
    ASSERT_FAILS(arka_json_parse((arka_slice){text, N}, 0, &root, &err), ARKA_INPUT, "deeper");
    ASSERT_FAILS(arka_json_parse((arka_slice){text + N - 33, 66}, 0, &root, &err), ARKA_INPUT,
                 "deeper");
    ASSERT_OK(arka_json_parse((arka_slice){text + N - 32, 64}, 0, &root, &err));
    arka_json_free(root);
    ASSERT_OK(arka_json_parse((arka_slice){text + N - 33, 66}, 33, &root, &err));
    arka_json_free(root);
    free(text);
    /* brackets in strings, and side by side, are no depth */
    arka_json_free(parsed("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\",\"b\":[[],[],"
                          "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                          "[],[],[],[],[],[],[],[],[],[]]}"));
}

TEST(numbers_are_read_as_they_are)
{
    arka_error err = {0};
    ARKA_AUTO(arka_json) list = NULL;
    ASSERT_OK(arka_json_parse(ARKA_SLICE("[-7, 1.5, true, false, \"3\"]"), 0, &list, &err));
    assert_int_equal(arka_json_int(arka_json_at(list, 0)), -7);
    assert_true(arka_json_real(arka_json_at(list, 0)) == -7.0);
    assert_int_equal(arka_json_int(arka_json_at(list, 1)), 0);
    assert_true(arka_json_real(arka_json_at(list, 1)) == 1.5);
    assert_int_equal(arka_json_int(arka_json_at(list, 2)), 1);
    assert_int_equal(arka_json_int(arka_json_at(list, 3)), 0);
    assert_int_equal(arka_json_int(arka_json_at(list, 4)), 0);
    assert_true(arka_json_real(arka_json_at(list, 4)) == 0.0);
}
