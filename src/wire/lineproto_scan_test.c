#include "wire/lineproto_scan.h"

#include "kit/kit.h"

/* The number through both readers, in memory of its own size and with room behind it. */
static void check_f64(const char *text)
{
    char *stop;
    double expected = strtod(text, &stop);
    assert_int_equal(*stop, 0);
    size_t n = strlen(text);
    lp_value v = {0};
    const char *why;
    char *alone = malloc(n);
    memcpy(alone, text, n);
    assert_ptr_equal(lp_scan_slow(alone, alone + n, &v, &why), alone + n);
    assert_int_equal(v.kind, LP_F64);
    if (memcmp(&v.f64, &expected, 8) != 0)
        fail_msg("slow: %s read as %.17g, expected %.17g", text, v.f64, expected);
    free(alone);
#if LP_SWAR
    char roomy[128];
    assert_true(n + LP_NUMBER_ROOM < sizeof roomy);
    memset(roomy, ',', sizeof roomy);
    memcpy(roomy, text, n);
    const char *end = lp_scan_number(roomy, &v);
    if (end == roomy + n && memcmp(&v.f64, &expected, 8) != 0)
        fail_msg("fast: %s read as %.17g, expected %.17g", text, v.f64, expected);
#endif
}

static uint64_t random_digits(unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v * 10 + kit_random() % 10;
    return v;
}

TEST(decimals_are_read_as_strtod_reads_them)
{
    char text[64];
    for (int i = 0; i < 400000; i++) {
        unsigned places = (unsigned)(kit_random() % 20), whole = (unsigned)(kit_random() % 20);
        const char *sign = kit_random() % 4 == 0 ? "-" : "";
        if (places == 0)
            snprintf(text, sizeof text, "%s%llu", sign, (unsigned long long)random_digits(whole));
        else
            snprintf(text, sizeof text, "%s%llu.%0*llu", sign,
                     (unsigned long long)random_digits(whole), (int)places,
                     (unsigned long long)random_digits(places));
        check_f64(text);
    }
}

TEST(shortest_and_full_texts_of_random_doubles)
{
    char text[64];
    for (int i = 0; i < 200000; i++) {
        double v = (double)(kit_random() >> 11) * 0x1p-53;
        v *= i % 3 == 0 ? 1 : i % 3 == 1 ? 100 : 1e9;
        snprintf(text, sizeof text, "%.*g", (int)(15 + kit_random() % 3), v);
        check_f64(text);
        snprintf(text, sizeof text, "%.*f", (int)(kit_random() % 18), v);
        check_f64(text);
    }
}

/* Decimals next to the middle between two doubles, where rounding is decided by the last digits. */
TEST(ties_and_their_neighbours)
{
    char text[64];
    for (int i = 0; i < 200000; i++) {
        uint64_t m = (kit_random() >> 11 | UINT64_C(1) << 52) * 2 + 1; /* 54 bits: a tie */
        unsigned shift = (unsigned)(kit_random() % 8);
        /* m / 2^shift has at most shift decimal places */
        uint64_t whole = m >> shift, rest = m & ((UINT64_C(1) << shift) - 1);
        char places[16];
        int n = 0;
        for (; rest != 0; n++) {
            rest *= 10;
            places[n] = (char)('0' + (rest >> shift));
            rest &= (UINT64_C(1) << shift) - 1;
        }
        snprintf(text, sizeof text, "%llu%s%.*s", (unsigned long long)whole, n ? "." : "", n,
                 places);
        check_f64(text);
        size_t len = strlen(text);
        text[len - 1] ^= 1; /* the digit beside it */
        check_f64(text);
    }
    static const char *const KNOWN[] = {
        "9007199254740993",      "9007199254740992.5",    "9007199254740993.1",
        "0.500000000000000166",  "4503599627370497.5",    "4503599627370496.5",
        "9007199254740991.5",    "8.5070591730234615",    "1844674407370955161.6",
        "9999999999999999999",   "0.9999999999999999999", "1.8446744073709551615",
        "0.0000000000000000001", "1000000000000000000",   "123456789.0123456789",
        "72057594037927945",
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        check_f64(KNOWN[i]);
}

TEST(scientific_and_odd_forms)
{
    static const char *const TEXTS[] = {"1e5",      "1E5",    "1e+5", "1e-5", "1.5e300", "4.9e-324",
                                        "2e-324",   "1.",     ".5",   "-.5",  "-1.e2",   "0",
                                        "-0",       "-0.0",   "0e99", "00",   "01.5",    "1e-9999",
                                        "0.000e-5", "5e-324", "1e308"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        check_f64(TEXTS[i]);
}

TEST(integers_agree_in_both_readers)
{
    char text[128];
    for (int i = 0; i < 200000; i++) {
        int64_t expected = (int64_t)(kit_random() >> kit_random() % 64);
        if (i % 2)
            expected = expected == INT64_MIN ? expected : -expected;
        memset(text, ',', sizeof text);
        int n = snprintf(text, 64, "%lldi", (long long)expected);
        text[n] = ',';
        lp_value v = {0};
        const char *why;
        assert_ptr_equal(lp_scan_slow(text, text + n, &v, &why), text + n);
        assert_true(v.kind == LP_I64 && v.i64 == expected);
#if LP_SWAR
        v = (lp_value){0};
        const char *end = lp_scan_number(text, &v);
        assert_true(end == NULL || (end == text + n && v.kind == LP_I64 && v.i64 == expected));
        /* only the longest are left to the slow reader */
        assert_true(end != NULL || n > 19);
#endif
    }
}

TEST(strings_end_at_the_first_quote_that_is_not_escaped)
{
    static const struct {
        const char *text;
        int end; /* -1: not there */
        bool escaped;
    } CASES[] = {
        {"\"", 0, false},
        {"abc\"", 3, false},
        {"abcdefghijklmnopqrstuvwxyz\"", 26, false},
        {"abcdefg\"hijklmnop\"", 7, false},
        {"a\\\"b\"", 4, true},
        {"abcdef\\\"gh\"", 10, true},
        {"abcdefg\\\\\"", 9, true},
        {"a\\b\"", 3, true},
        {"\\\\\\\\\"", 4, true},
        {"", -1, false},
        {"abc", -1, false},
        {"abcdefghijkl", -1, false},
        {"abc\\\"", -1, true},
        {"abc\\", -1, true},
        {"\xa2\xa3\xdc\xdd\"", 4, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t n = strlen(CASES[i].text);
        char *alone = malloc(n ? n : 1);
        memcpy(alone, CASES[i].text, n);
        bool escaped;
        const char *end = lp_string_end(alone, alone + n, &escaped);
        assert_int_equal(end == NULL ? -1 : end - alone, CASES[i].end);
        assert_int_equal(escaped, CASES[i].escaped);
        free(alone);
    }
}

TEST(sameness_of_every_length)
{
    char a[64], b[64];
    for (size_t n = 0; n < sizeof a; n++) {
        for (size_t i = 0; i < sizeof a; i++)
            a[i] = (char)kit_random();
        memcpy(b, a, sizeof a);
        assert_true(lp_same(a, b, n));
        for (size_t i = 0; i < sizeof a; i++) {
            b[i] ^= 0x20;
            assert_int_equal(lp_same(a, b, n), i >= n);
            b[i] ^= 0x20;
        }
    }
}
