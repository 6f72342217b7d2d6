/* Times: the unit told by size, in columns and in rows, and the timestamp extension. */
#include "kit/msgpack_outcome.h"

static void assert_times(const char *elements, const char *us)
{
    char notation[512], expected[512];
    snprintf(notation, sizeof notation, "{m:x,columns:{time:[%s]}}", elements);
    snprintf(expected, sizeof expected, "x@0{time TIMESTAMPTZ %s}", us);
    ASSERT_OUTCOME(notation, expected);
}

static void assert_refused(const char *elements, const char *why)
{
    char notation[512], expected[512];
    snprintf(notation, sizeof notation, "{m:x,columns:{time:[%s]}}", elements);
    snprintf(expected, sizeof expected, "INPUT: column 'time', %s", why);
    ASSERT_OUTCOME(notation, expected);
}

TEST(the_size_of_a_number_tells_its_unit)
{
    assert_times("0", "0");
    assert_times("9999999999", "9999999999000000");
    assert_times("10000000000", "10000000000000");
    assert_times("9999999999999", "9999999999999000");
    assert_times("10000000000000", "10000000000000");
    assert_times("9999999999999999", "9999999999999999");
    assert_times("10000000000000000", "10000000000000");
    assert_times("1767607200123456789", "1767607200123456");
    assert_times("<d3 9223372036854775807>", "9223372036854775");
    assert_times("<cf 18446744073709551615>", "18446744073709551");
}

TEST(times_before_1970_go_by_their_magnitude)
{
    assert_times("-1", "-1000000");
    assert_times("-10000000000", "-10000000000000");
    assert_times("-10000000000000", "-10000000000000");
    assert_times("-10000000000000001", "-10000000000001"); /* floor */
    assert_times("<d3 -9223372036854775808>", "-9223372036854776");
    assert_times("-1.5", "-1500000");
    assert_times("-0.0000001", "-1");
}

TEST(floats_are_scaled_and_then_floored)
{
    assert_times("1.5", "1500000");
    assert_times("1.0000019", "1000001");
    assert_times("<ca 0.5>", "500000");
    assert_times("1767607200123.75", "1767607200123750");
    assert_times("1767607200123456.5", "1767607200123456");
    assert_times("1.7676072001234568e18", "1767607200123456");
}

TEST(the_first_number_of_a_column_decides_for_all)
{
    assert_times("1767607200000,1,20000000000000", "1767607200000000 1000 20000000000000000");
    assert_times("1,1767607200", "1000000 1767607200000000");
    assert_times("1767607200000000,1,-1", "1767607200000000 1 -1");
    assert_times("1767607200000000000,1999,-1", "1767607200000000 1 -1");
    assert_times("1767607200000000000,<cf 18446744073709551615>",
                 "1767607200000000 18446744073709551");
    assert_times("1.5,2,<ce 3>", "1500000 2000000 3000000");
    assert_times("<ext -1 00000005>,1767607200000,1", "5000000 1767607200000000 1000");
}

TEST(runs_of_all_widths_are_scaled)
{
    assert_times("<ce 1767607200>,<ce 1767607201>,<cf 1767607202>,1,<d0 -2>,<cd 300>",
                 "1767607200000000 1767607201000000 1767607202000000 1000000 -2000000 300000000");
}

TEST(rows_tell_the_unit_one_by_one)
{
    ASSERT_OUTCOME("[{m:x,t:1767607200,fields:{v:1}},{m:x,t:1767607200001,fields:{v:2}},"
                   "{m:x,t:1767607200000002,fields:{v:3}},{m:x,t:1767607200000003999,fields:{v:4}},"
                   "{m:x,t:0.25,fields:{v:5}},{m:x,fields:{v:6}}]",
                   "x@0{time TIMESTAMPTZ 1767607200000000 1767607200001000 1767607200000002 "
                   "1767607200000003 250000 7000000; v BIGINT 1 2 3 4 5 6}");
}

TEST(timestamps_are_exact_and_floored)
{
    assert_times("<ext -1 ffffffff>", "4294967295000000");
    /* 999,999,999 ns and 1 s; then the largest seconds of the 8-byte form. */
    assert_times("<ext -1 ee6b27fc00000001>", "1999999");
    assert_times("<ext -1 00000003ffffffff>", "17179869183000000");
    assert_times("<ext -1 000003e8ffffffffffffffff>", "-999999");
    assert_times("<ext -1 000003e7ffffffffffffffff>", "-1000000");
    assert_times("<ext -1 000000000000000000000000>", "0");
    /* ext 8 with a length, where fixext would do */
    assert_times("<raw c704ff00000002>", "2000000");
    assert_times("<raw c708ff0000000000000003>", "3000000");
}

TEST(timestamps_that_are_none_are_refused)
{
    assert_refused("1,<ext -1 00>", "row 1: found a timestamp of 1 bytes, expected 4, 8 or 12");
    assert_refused("<ext 1 00000000>",
                   "row 0: found extension type 1, only timestamps (-1) are understood");
    assert_refused("<ext -1 ee6b280000000001>",
                   "row 0: found a timestamp with 1000000000 nanoseconds, expected less than 1e9");
    assert_refused("<ext -1 000000007fffffffffffffff>",
                   "row 0: timestamp of 9223372036854775807 seconds does not fit 64 bits of "
                   "microseconds");
}

TEST(what_is_no_time_is_refused_by_row)
{
    assert_refused("1,nil,3", "row 1: found nil, expected a number");
    assert_refused("nil", "row 0: found nil, expected a number");
    assert_refused("1,2,'2026-01-05'", "row 2: found a string, expected a number");
    assert_refused("1,true", "row 1: found a boolean, expected a number");
    assert_refused("1.5,nan", "row 1: found NaN, expected a number");
    assert_refused("nan", "row 0: found NaN, expected a number");
    assert_refused("1,-inf", "row 1: found infinity, expected a number");
    assert_refused("[1]", "row 0: found an array, expected a number");
    assert_refused("1,{}", "row 1: found a map, expected a number");
}

TEST(times_that_overflow_are_refused_by_row)
{
    static const char WHY[] = "does not fit 64 bits of microseconds";
    static const struct {
        const char *elements, *why;
    } CASES[] = {
        {"1,2,9223372036855", "row 2: time"},
        {"1,-9223372036855,3", "row 1: time"},
        {"1,<cf 18446744073709551615>", "row 1: time 18446744073709551615"},
        {"1767607200000,<d3 9223372036854775807>", "row 1: time"},
        {"1.5,9223372036855", "row 1: time"},
        {"1.5,1e200", "row 1: time 1e+200"},
        {"1,-1e13", "row 1: time -1e+13"},
        {"1e300", "row 0: time 1e+300"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char why[200];
        snprintf(why, sizeof why, "%s %s", CASES[i].why, WHY);
        assert_refused(CASES[i].elements, why);
    }
    assert_times("1,9223372036854", "1000000 9223372036854000000");
}

TEST(a_time_column_may_be_spelt_in_capitals)
{
    ASSERT_OUTCOME("{m:x,columns:{v:[1],Time:[5]}}", "x@0{v BIGINT 1; time TIMESTAMPTZ 5000000}");
}

TEST(bad_times_of_rows_are_refused)
{
    ASSERT_OUTCOME("{m:x,t:nil,fields:{v:1}}", "INPUT: 't': found nil, expected a number");
    ASSERT_OUTCOME("{m:x,t:'now',fields:{v:1}}", "INPUT: 't': found a string, expected a number");
    ASSERT_OUTCOME("{m:x,t:nan,fields:{v:1}}", "INPUT: 't': found NaN, expected a number");
}
