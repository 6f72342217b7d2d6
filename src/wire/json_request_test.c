#include "wire/json_request.h"

#include "kit/kit.h"

#define DECODE(text) arka_query_request_decode(ARKA_SLICE(text), &arena, &r, &err)

TEST(fields_are_decoded_and_owned)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_query_request r;
    char body[] = "{\"sql\":\"SELECT \\\"a\\\" FROM t\",\"limit\":10000,\"format\":\"json\","
                  "\"database\":\"prod\",\"extra\":{\"x\":[1]}}";
    ASSERT_OK(arka_query_request_decode((arka_slice){body, sizeof body - 1}, &arena, &r, &err));
    memset(body, 'x', sizeof body);
    assert_string_equal(r.sql.data, "SELECT \"a\" FROM t");
    assert_int_equal(r.sql.len, 17);
    assert_string_equal(r.database.data, "prod");
    assert_string_equal(r.format.data, "json");
    arka_arena_fini(&arena);
}

TEST(optional_fields_may_be_absent_or_null)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_query_request r;
    ASSERT_OK(DECODE("{\"sql\":\"S\"}"));
    assert_true(r.database.len == 0 && r.format.len == 0);
    assert_string_equal(r.database.data, "");
    ASSERT_OK(DECODE("{\"sql\":\"S\",\"limit\":null,\"database\":null,\"format\":null}"));
    assert_true(r.database.len == 0 && r.format.len == 0);
    ASSERT_OK(DECODE("{\"sql\":\"S\",\"limit\":0}"));
    ASSERT_OK(DECODE("{\"sql\":\"S\",\"limit\":\"10\"}"));
    ASSERT_OK(DECODE("{\"sql\":\"S\",\"limit\":1.5,\"timeout\":[]}"));
    ASSERT_OK(DECODE("{\"sql\":\"first\",\"sql\":\"last\"}"));
    assert_string_equal(r.sql.data, "last");
    arka_arena_fini(&arena);
}

TEST(bad_requests_are_named)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_query_request r;
    static const struct {
        const char *body, *says;
    } CASES[] = {
        {"", "the body is empty"},
        {"{}", "field \"sql\" is missing"},
        {"{\"sql\":null}", "field \"sql\" is missing"},
        {"{\"SQL\":\"S\"}", "field \"sql\" is missing"},
        {"{\"sql\":\"\"}", "the SQL text is empty"},
        {"{\"sql\":1}", "field \"sql\": expected a string, found an integer"},
        {"{\"sql\":[\"S\"]}", "field \"sql\": expected a string, found an array"},
        {"{\"sql\":\"S\\u0000\"}", "field \"sql\" holds a NUL"},
        {"{\"sql\":\"S\",\"database\":5}", "field \"database\": expected a string"},
        {"{\"sql\":\"S\",\"format\":true}", "field \"format\": expected a string"},
        {"[\"S\"]", "expected a JSON object with field \"sql\", found an array"},
        {"\"S\"", "found a string"},
        {"SELECT 1", "not valid JSON at line 1, column"},
        {"{\"sql\":\"S\"", "not valid JSON at line 1"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ASSERT_FAILS(arka_query_request_decode(arka_slice_of(CASES[i].body), &arena, &r, &err),
                     ARKA_INPUT, CASES[i].says);
    arka_arena_fini(&arena);
}

/* {"sql":"ééé…"} with n characters of two bytes each */
static char *body_of(int n)
{
    char *body = malloc((size_t)n * 2 + 16), *at = body;
    memcpy(at, "{\"sql\":\"", 8);
    at += 8;
    for (int i = 0; i < n; i++, at += 2)
        memcpy(at, "\xc3\xa9", 2);
    memcpy(at, "\"}", 3);
    return body;
}

TEST(length_of_sql_is_counted_in_characters)
{
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_query_request r;
    char *fits = body_of(ARKA_SQL_MAX_CHARACTERS), *over = body_of(ARKA_SQL_MAX_CHARACTERS + 1);
    ASSERT_OK(arka_query_request_decode(arka_slice_of(fits), &arena, &r, &err));
    assert_int_equal(r.sql.len, 2 * ARKA_SQL_MAX_CHARACTERS);
    ASSERT_FAILS(arka_query_request_decode(arka_slice_of(over), &arena, &r, &err), ARKA_INPUT,
                 "10001 characters, over the limit of 10000");
    free(fits), free(over);
    arka_arena_fini(&arena);
}

TEST(sql_from_elsewhere_is_checked_alike)
{
    arka_error err = {0};
    ASSERT_OK(arka_sql_check(ARKA_SLICE("SELECT 'é'"), &err));
    ASSERT_FAILS(arka_sql_check(ARKA_SLICE(""), &err), ARKA_INPUT, "empty");
    ASSERT_FAILS(arka_sql_check(ARKA_SLICE("SELECT\0 1"), &err), ARKA_INPUT, "NUL");
    ASSERT_FAILS(arka_sql_check(ARKA_SLICE("SELECT '\xff'"), &err), ARKA_INPUT, "UTF-8");
}
