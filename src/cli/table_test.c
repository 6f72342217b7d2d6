#include "cli/table.h"

#include <locale.h>

#include "kit/kit.h"

static arka_error err;

static const char *print(const char *json)
{
    static char shown[2000];
    arka_json_rows rows = {0};
    arka_buf out = ARKA_BUF_INIT;
    err = (arka_error){0};
    setlocale(LC_CTYPE, "C.UTF-8");
    ASSERT_OK(arka_json_rows_read(arka_slice_of(json), &rows, &err));
    arka_table_print(&rows, &out);
    snprintf(shown, sizeof shown, "%s", arka_buf_cstr(&out));
    arka_buf_fini(&out);
    arka_json_rows_fini(&rows);
    return shown;
}

static arka_status fails(const char *json)
{
    arka_json_rows rows = {0};
    arka_status status = arka_json_rows_read(arka_slice_of(json), &rows, &err);
    arka_json_rows_fini(&rows);
    return status;
}

TEST(numbers_stand_right_and_keep_their_digits)
{
    assert_string_equal(
        print("{\"success\":true,\"columns\":[\"host\",\"n\",\"ok\"],\"data\":[[\"a\",1,true],"
              "[\"longer\",170141183460469231731687303715884105727,null],[null,-0.10,false]],"
              "\"row_count\":3,\"execution_time_ms\":12.34,\"error\":null}"),
        "host                                          n  ok\n"
        "------  ---------------------------------------  -----\n"
        "a                                             1  true\n"
        "longer  170141183460469231731687303715884105727  NULL\n"
        "NULL                                      -0.10  false\n"
        "(3 rows, 12.3 ms)\n");
}

TEST(wide_and_combining_letters_keep_the_columns_straight)
{
    assert_string_equal(print("{\"columns\":[\"a\",\"b\"],\"data\":[[\"\\u65e5\xe6\x9c\xac\",1],"
                              "[\"e\\u0301\\ud83d\\ude00\",22]]}"),
                        "a      b\n"
                        "----  --\n"
                        "\xe6\x97\xa5\xe6\x9c\xac   1\n"
                        "e\xcc\x81\xf0\x9f\x98\x80   22\n"
                        "(2 rows)\n");
}

TEST(control_characters_are_shown_as_escapes)
{
    assert_string_equal(print("{\"columns\":[\"a\"],\"data\":[[\"x\\ny\\t\\u0001\\u001b[31m\"]]}"),
                        "a\n"
                        "------------------\n"
                        "x\\ny\\t\\x01\\x1b[31m\n"
                        "(1 row)\n");
}

TEST(no_rows_still_show_the_columns_and_nested_values_stay_as_written)
{
    assert_string_equal(print("{\"columns\":[\"a\",\"b\"],\"data\":[]}"), "a  b\n-  -\n(0 rows)\n");
    assert_string_equal(print("{\"columns\":[\"l\"],\"data\":[[[1,{\"x\":\"]\\\"\"}]]]}"),
                        "l\n"
                        "---------------\n"
                        "[1,{\"x\":\"]\\\"\"}]\n"
                        "(1 row)\n");
}

TEST(what_is_no_result_is_refused)
{
    static const char *const CASES[] = {
        "",
        "[]",
        "{",
        "{\"columns\":[\"a\"],\"data\":[[1]]",
        "{\"columns\":[\"a\"],\"data\":[[1,2]]}",
        "{\"columns\":[1],\"data\":[]}",
        "{\"columns\":[\"a\\q\"],\"data\":[]}",
        "{\"columns\":[\"a],\"data\":[]}",
        "{\"columns\":[\"\\u12\"],\"data\":[]}",
        "{\"columns\":[],\"data\":[]} x",
        "{\"execution_time_ms\":\"x\"}",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ASSERT_FAILS(fails(CASES[i]), ARKA_CORRUPT, "not the JSON of a query result");
}
