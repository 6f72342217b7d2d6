#include <float.h>
#include <inttypes.h>

#include "base/number.h"
#include "kit/kit.h"

static void expect_f64(double v, const char *text)
{
    char out[ARKA_NUMBER_TEXT + 1];
    out[arka_format_f64(out, v)] = 0;
    assert_string_equal(out, text);
}

TEST(doubles_have_their_shortest_text)
{
    expect_f64(0, "0");
    expect_f64(-0.0, "-0");
    expect_f64(1, "1");
    expect_f64(-1.5, "-1.5");
    expect_f64(0.1, "0.1");
    expect_f64(98.2, "98.2");
    expect_f64(100, "100");
    expect_f64(1e15, "1e+15");
    expect_f64(123456789.125, "123456789.125");
    expect_f64(1e-7, "1e-07");
    expect_f64(0.1 + 0.2, "0.30000000000000004");
    expect_f64(DBL_MAX, "1.7976931348623157e+308");
    expect_f64(5e-324, "5e-324");
}

TEST(formatted_doubles_read_back_to_the_same_bits)
{
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = kit_random();
        double v, back;
        if (i % 3 == 0)
            v = (double)(int64_t)(bits % 2000000000) / 1000.0 - 1e6;
        else if (i % 3 == 1)
            v = (double)bits / 18446744073709551616.0;
        else
            memcpy(&v, &bits, 8);
        if (!isfinite(v))
            continue;
        char out[ARKA_NUMBER_TEXT + 1];
        size_t n = arka_format_f64(out, v);
        out[n] = 0;
        assert_true(arka_parse_f64(out, n, &back));
        assert_memory_equal(&v, &back, 8);
        double strict = strtod(out, NULL);
        assert_memory_equal(&v, &strict, 8);
    }
}

TEST(doubles_read_as_strtod_reads_them)
{
    static const char *const TEXTS[] = {"1",
                                        "1.",
                                        ".5",
                                        "-.5",
                                        "+1.5",
                                        "1e5",
                                        "1E-5",
                                        "123456789012345678",
                                        "0.000001",
                                        "9007199254740993",
                                        "1.7976931348623157e308",
                                        "4.9e-324",
                                        "00012.500"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        double v, expected = strtod(TEXTS[i], NULL);
        if (!arka_parse_f64(TEXTS[i], strlen(TEXTS[i]), &v))
            fail_msg("%s was refused", TEXTS[i]);
        assert_memory_equal(&v, &expected, 8);
    }
}

TEST(what_is_no_decimal_number_is_refused)
{
    static const char *const TEXTS[] = {"",     "-",     "+",   ".",   "e5",  "1e",
                                        "1x",   " 1",    "1 ",  "inf", "nan", "-inf",
                                        "0x10", "1e999", "--1", "+-1", "1..2"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        double v;
        if (arka_parse_f64(TEXTS[i], strlen(TEXTS[i]), &v))
            fail_msg("'%s' was read as %g", TEXTS[i], v);
    }
}

TEST(integers_go_both_ways_and_overflow_is_refused)
{
    static const int64_t VALUES[] = {0, 1, -1, 99, 100, 12345, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        char out[ARKA_NUMBER_TEXT + 1], expected[32];
        int64_t back;
        size_t n = arka_format_i64(out, VALUES[i]);
        out[n] = 0;
        snprintf(expected, sizeof expected, "%" PRId64, VALUES[i]);
        assert_string_equal(out, expected);
        assert_true(arka_parse_i64(out, n, &back));
        assert_int_equal(back, VALUES[i]);
    }
    int64_t v;
    uint64_t u;
    assert_false(arka_parse_i64("9223372036854775808", 19, &v));
    assert_false(arka_parse_i64("-9223372036854775809", 20, &v));
    assert_false(arka_parse_i64("", 0, &v));
    assert_false(arka_parse_i64("-", 1, &v));
    assert_false(arka_parse_i64("1a", 2, &v));
    assert_true(arka_parse_u64("18446744073709551615", 20, &u));
    assert_true(u == UINT64_MAX);
    assert_false(arka_parse_u64("18446744073709551616", 20, &u));
}
