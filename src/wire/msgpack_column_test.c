/* Columnar maps: types, mixes, nulls, and what is refused. */
#include "kit/msgpack_outcome.h"

/* One column `v` beside the server's time. */
static void assert_column(const char *elements, int n, const char *type_and_cells)
{
    char notation[1024], expected[1024];
    snprintf(notation, sizeof notation, "{m:x,columns:{v:[%s]}}", elements);
    int at = snprintf(expected, sizeof expected, "x@0{v %s; time TIMESTAMPTZ", type_and_cells);
    for (int i = 0; i < n; i++)
        at += snprintf(expected + at, sizeof expected - (size_t)at, " 7000000");
    snprintf(expected + at, sizeof expected - (size_t)at, "}");
    ASSERT_OUTCOME(notation, expected);
}

static void assert_refused(const char *elements, const char *why)
{
    char notation[1024], expected[1024];
    snprintf(notation, sizeof notation, "{m:x,columns:{v:[%s]}}", elements);
    snprintf(expected, sizeof expected, "INPUT: column 'v', %s", why);
    ASSERT_OUTCOME(notation, expected);
}

TEST(a_batch_has_the_columns_in_their_order)
{
    ASSERT_OUTCOME("{m:cpu,columns:{time:[1767607200000,1767607210000],host:[a,b],"
                   "usage:[1.5,nil],cores:[8,-8],up:[true,false]}}",
                   "cpu@0{time TIMESTAMPTZ 1767607200000000 1767607210000000; "
                   "host VARCHAR \"a\" \"b\"; usage DOUBLE 1.5 null; cores BIGINT 8 -8; "
                   "up BOOLEAN true false}");
}

TEST(integers_of_every_width_are_bigint)
{
    assert_column("0,127,-1,-32", 4, "BIGINT 0 127 -1 -32");
    assert_column("<cc 255>,<cc 0>", 2, "BIGINT 255 0");
    assert_column("<cd 65535>,<cd 256>", 2, "BIGINT 65535 256");
    assert_column("<ce 4294967295>,<ce 1>", 2, "BIGINT 4294967295 1");
    assert_column("<cf 9223372036854775807>,<cf 1>", 2, "BIGINT 9223372036854775807 1");
    assert_column("<d0 -128>,<d0 127>", 2, "BIGINT -128 127");
    assert_column("<d1 -32768>,<d1 32767>", 2, "BIGINT -32768 32767");
    assert_column("<d2 -2147483648>,<d2 2147483647>", 2, "BIGINT -2147483648 2147483647");
    assert_column("<d3 -9223372036854775808>,<d3 9223372036854775807>", 2,
                  "BIGINT -9223372036854775808 9223372036854775807");
    assert_column("1,<cc 2>,<cd 3>,<ce 4>,<cf 5>,<d0 -6>,<d1 -7>,<d2 -8>,<d3 -9>,-10", 10,
                  "BIGINT 1 2 3 4 5 -6 -7 -8 -9 -10");
}

TEST(an_integer_of_2_to_the_63_is_refused_wherever_it_stands)
{
    static const char WHY[] = "integer 9223372036854775808 does not fit BIGINT (at most "
                              "9223372036854775807)";
    static const struct {
        const char *elements;
        int row;
    } CASES[] = {{"<cf 9223372036854775808>", 0},
                 {"1,2,<cf 9223372036854775808>", 2},
                 {"1.5,<cf 9223372036854775808>", 1},
                 {"'a',<cf 9223372036854775808>", 1},
                 {"nil,nil,<cf 9223372036854775808>", 2}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char why[200];
        snprintf(why, sizeof why, "row %d: %s", CASES[i].row, WHY);
        assert_refused(CASES[i].elements, why);
    }
}

TEST(floats_of_both_widths_are_double)
{
    assert_column("1.5,-0.25,1e300", 3, "DOUBLE 1.5 -0.25 1e+300");
    assert_column("<ca 1.5>,<ca 0.1>", 2, "DOUBLE 1.5 0.10000000149011612");
    assert_column("<ca 1.5>,2.5,<ca 3.5>,4.5", 4, "DOUBLE 1.5 2.5 3.5 4.5");
    assert_column("nan,inf,-inf,1.0", 4, "DOUBLE nan inf -inf 1");
}

TEST(integers_and_floats_make_double)
{
    assert_column("1,2.5,3", 3, "DOUBLE 1 2.5 3");
    assert_column("1.5,2,<cf 3>", 3, "DOUBLE 1.5 2 3");
    assert_column("1,nil,<ca 0.5>", 3, "DOUBLE 1 null 0.5");
    assert_column("nil,9007199254740993,0.5", 3, "DOUBLE null 9007199254740992 0.5");
}

TEST(booleans_are_bits)
{
    assert_column("true,false,true,true,false,false,false,true,true,nil,true", 11,
                  "BOOLEAN true false true true false false false true true null true");
}

TEST(strings_and_bin_are_text)
{
    assert_column("'','a','caf\xc3\xa9',<bin 6263>", 4,
                  "VARCHAR \"\" \"a\" \"caf\xc3\xa9\" \"bc\"");
    assert_column("<str 31>,<str 32>,'end'", 3,
                  "VARCHAR \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" "
                  "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" \"end\"");
    assert_column("nil,'a',nil,nil,'b',nil", 6, "VARCHAR null \"a\" null null \"b\" null");
}

TEST(long_text_columns_are_exact)
{
    /* More rows than a chunk of the fast path, lengths of all sizes, a hole now and then. */
    arka_buf body = ARKA_BUF_INIT, expected = ARKA_BUF_INIT;
    arka_msgpack_options options = {.now_us = OUTCOME_NOW_US};
    enum { ROWS = 3000 };
    pack_notation(&body, "<raw 82>,m,x,columns,<raw 81>,v");
    pack_array(&body, ROWS);
    arka_buf_literal(&expected, "x@0{v VARCHAR");
    for (int i = 0; i < ROWS; i++) {
        char text[400];
        size_t n = (size_t)(i * 7 % (i % 50 == 0 ? 300 : 40));
        memset(text, 'a' + i % 26, n);
        if (n > 2 && i % 3 == 0)
            memcpy(text + n - 2, "\xc3\xa9", 2);
        if (i % 97 == 5) {
            pack_nil(&body);
            arka_buf_literal(&expected, " null");
        } else {
            pack_text(&body, text, n);
            arka_buf_printf(&expected, " \"%.*s\"", (int)n, text);
        }
    }
    arka_buf_literal(&expected, "; time TIMESTAMPTZ");
    for (int i = 0; i < ROWS; i++)
        arka_buf_literal(&expected, " 7000000");
    arka_buf_literal(&expected, "}");
    assert_string_equal(outcome_of(body.data, body.len, &options), arka_buf_cstr(&expected));
    arka_buf_fini(&body);
    arka_buf_fini(&expected);
}

TEST(text_that_is_not_utf8_is_refused_by_row)
{
    assert_refused("'a','\xff'", "row 1: string is not UTF-8");
    assert_refused("'a',<bin ff00>,'b'", "row 1: string is not UTF-8");
    /* Two halves of a character are not a character. */
    assert_refused("'a','\xc3','\xa9','b','ccccccccccccccccccccccccccccccc','ddddddddddddddd'",
                   "row 1: string is not UTF-8");
    assert_refused("'ok','\xe2\x82\xac','a\xe2\x82','ccccccccccccccccccccccccccccccc','ddddddddd'",
                   "row 2: string is not UTF-8");
    assert_refused("1,'\xff'", "row 1: string is not UTF-8");
}

TEST(numbers_and_text_make_text)
{
    assert_column("1,'a',-5", 3, "VARCHAR \"1\" \"a\" \"-5\"");
    assert_column("'a',1.5,<ca 0.5>", 3, "VARCHAR \"a\" \"1.5\" \"0.5\"");
    assert_column("0.005,0.1,'+Inf'", 3, "VARCHAR \"0.005\" \"0.1\" \"+Inf\"");
    assert_column("1,2.5,'x',nil", 4, "VARCHAR \"1\" \"2.5\" \"x\" null");
}

TEST(nan_and_infinity_in_text_are_null)
{
    assert_column("nan,'a',inf,-inf,'b'", 5, "VARCHAR null \"a\" null null \"b\"");
    assert_column("'a',nan", 2, "VARCHAR \"a\" null");
}

TEST(booleans_mixed_with_anything_make_text)
{
    assert_column("true,1,1.5", 3, "VARCHAR \"true\" \"1\" \"1.5\"");
    assert_column("1,false", 2, "VARCHAR \"1\" \"false\"");
    assert_column("true,'a',nil,false", 4, "VARCHAR \"true\" \"a\" null \"false\"");
}

TEST(nested_values_are_json_text)
{
    assert_column("[1,2.5,'a\"b',nil,true],{a:{b:[]},c:{}},[]", 3,
                  "VARCHAR \"[1,2.5,\\\"a\\\\\\\"b\\\",null,true]\" "
                  "\"{\\\"a\\\":{\\\"b\\\":[]},\\\"c\\\":{}}\" \"[]\"");
    assert_column("1,[nan]", 2, "VARCHAR \"1\" \"[null]\"");
}

TEST(timestamps_outside_of_time_are_rfc_3339_text)
{
    assert_column("<ext -1 695b8d60>,nil", 2, "VARCHAR \"2026-01-05T10:07:28Z\" null");
    assert_column("5,<ext -1 695b8d60>", 2, "VARCHAR \"5\" \"2026-01-05T10:07:28Z\"");
    assert_refused("1,<ext 5 00>",
                   "row 1: found extension type 5, only timestamps (-1) are understood");
    assert_refused("<ext -1 0000>", "row 0: found a timestamp of 2 bytes, expected 4, 8 or 12");
}

TEST(nils_alone_have_no_type_and_are_left_out)
{
    ASSERT_OUTCOME("{m:x,columns:{time:[1,2],a:[nil,nil],b:[nil,1]}}",
                   "x@0{time TIMESTAMPTZ 1000000 2000000; b BIGINT null 1}");
    ASSERT_OUTCOME("{m:x,columns:{time:[1,2],a:[nil,nil]}}",
                   "x@0{time TIMESTAMPTZ 1000000 2000000}");
    ASSERT_OUTCOME("{m:x,columns:{a:[nil]}}", "x@0{time TIMESTAMPTZ 7000000}");
}

TEST(time_alone_is_a_batch)
{
    ASSERT_OUTCOME("{m:x,columns:{time:[3,1,2]}}", "x@0{time TIMESTAMPTZ 3000000 1000000 2000000}");
}

TEST(columns_that_do_not_fit_together_are_refused)
{
    ASSERT_OUTCOME(
        "{m:x,columns:{a:[1,2],b:[1]}}",
        "INPUT: column 'a' has 2 values, column 'b' has 1: all columns must be equally long");
    ASSERT_OUTCOME("{m:x,columns:{a:[1],b:[]}}", "INPUT: column 'b' is empty");
    ASSERT_OUTCOME("{m:x,columns:{a:[]}}", "INPUT: column 'a' is empty");
    ASSERT_OUTCOME("{m:x,columns:{}}", "INPUT: 'columns' is empty");
    ASSERT_OUTCOME("{m:x,columns:[1]}", "INPUT: 'columns' is an array, expected a map of arrays");
    ASSERT_OUTCOME("{m:x,columns:{a:5}}", "INPUT: column 'a' is an integer, expected an array");
    ASSERT_OUTCOME("{m:x,columns:{7:[1]}}",
                   "INPUT: a column's name is an integer, expected a string");
    ASSERT_OUTCOME("{m:x,columns:{a:[1],a:[2]}}", "INPUT: column 'a' is there twice");
    ASSERT_OUTCOME("{m:x,columns:{Ab:[1],aB:['x']}}", "INPUT: column 'aB' is there twice");
    ASSERT_OUTCOME("{m:x,columns:{time:[1],TIME:[2]}}", "INPUT: column 'time' is there twice");
}

TEST(column_names_are_checked)
{
    ASSERT_OUTCOME("{m:x,columns:{'':[1]}}", "INPUT: a column has an empty name");
    ASSERT_OUTCOME("{m:x,columns:{<str 256>:[1]}}",
                   "INPUT: a column name has 256 bytes, at most 255 are allowed");
    ASSERT_OUTCOME("{m:x,columns:{'\xff':[1]}}", "INPUT: a column name is not UTF-8");
    ASSERT_OUTCOME("{m:x,columns:{<bin 6100>:[1]}}",
                   "INPUT: column name 'a' holds a NUL or a newline");
    ASSERT_OUTCOME("{m:x,columns:{_u:[1],<bin 62>:[2],'c.d e':[3]}}",
                   "x@0{_u BIGINT 1; b BIGINT 2; c.d e BIGINT 3; time TIMESTAMPTZ 7000000}");
}

TEST(more_columns_than_a_table_may_have_are_refused)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_msgpack_options options = {0};
    pack_notation(&body, "<raw 82>,m,x,columns");
    pack_map(&body, 4097);
    for (int i = 0; i < 4097; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        pack_str(&body, name);
        pack_notation(&body, "[1]");
    }
    assert_string_equal(outcome_of(body.data, body.len, &options),
                        "INPUT: 'columns' holds 4097 columns, at most 4096 are allowed");
    arka_buf_fini(&body);
}
