#include "config/units.h"

#include "kit/kit.h"

TEST(sizes_and_durations_are_counted_in_the_unit_that_is_wanted)
{
    enum { KIB = 1 << 10, MIB = 1 << 20, SECOND = 1000 };
    static const struct {
        const char *text;
        arka_dimension dimension;
        int64_t bare, unit, expected;
    } CASES[] = {
        {"0", ARKA_BYTES, 1, 1, 0},
        {"1024", ARKA_BYTES, 1, KIB, 1},
        {"5", ARKA_BYTES, MIB, MIB, 5},
        {"+5", ARKA_BYTES, MIB, MIB, 5},
        {"-1", ARKA_BYTES, MIB, MIB, -1},
        {"1GB", ARKA_BYTES, MIB, MIB, 1024},
        {"2 gib", ARKA_BYTES, MIB, MIB, 2048},
        {"1T", ARKA_BYTES, 1, 1, INT64_C(1) << 40},
        {"2048KB", ARKA_BYTES, 1, MIB, 2},
        {"7b", ARKA_BYTES, MIB, 1, 7},
        {"30", ARKA_MILLISECONDS, SECOND, SECOND, 30},
        {"30s", ARKA_MILLISECONDS, SECOND, SECOND, 30},
        {"5m", ARKA_MILLISECONDS, SECOND, SECOND, 300},
        {"1h30m", ARKA_MILLISECONDS, SECOND, SECOND, 5400},
        {"1d 2h 3m 4s", ARKA_MILLISECONDS, SECOND, SECOND, 93784},
        {"1s500ms", ARKA_MILLISECONDS, 1, 1, 1500},
        {"5000", ARKA_MILLISECONDS, 1, SECOND, 5},
        {"9223372036854775807", ARKA_MILLISECONDS, 1, 1, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t v = -77;
        arka_unit_fault fault = arka_units_parse(arka_slice_of(CASES[i].text), CASES[i].dimension,
                                                 CASES[i].bare, CASES[i].unit, &v);
        if (fault != ARKA_UNIT_OK || v != CASES[i].expected)
            fail_msg("'%s': fault %d, %lld", CASES[i].text, fault, (long long)v);
    }
}

TEST(what_is_no_such_number_is_told_apart)
{
    static const struct {
        const char *text;
        arka_dimension dimension;
        int64_t unit;
        arka_unit_fault expected;
    } CASES[] = {
        {"", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {" ", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"-", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"GB", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"8XB", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"8GBs", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"1G1M", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"-1K", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"1.5G", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"5s", ARKA_BYTES, 1, ARKA_UNIT_NOT_A_NUMBER},
        {"1K", ARKA_BYTES, 1 << 20, ARKA_UNIT_UNEVEN},
        {"9223372036854775807K", ARKA_BYTES, 1, ARKA_UNIT_TOO_LARGE},
        {"99999999999999999999", ARKA_BYTES, 1, ARKA_UNIT_TOO_LARGE},
        {"5M", ARKA_MILLISECONDS, 1000, ARKA_UNIT_NOT_A_NUMBER},
        {"5min", ARKA_MILLISECONDS, 1000, ARKA_UNIT_NOT_A_NUMBER},
        {"1h30", ARKA_MILLISECONDS, 1000, ARKA_UNIT_NOT_A_NUMBER},
        {"h", ARKA_MILLISECONDS, 1000, ARKA_UNIT_NOT_A_NUMBER},
        {"1500ms", ARKA_MILLISECONDS, 1000, ARKA_UNIT_UNEVEN},
        {"9223372036854775807d", ARKA_MILLISECONDS, 1000, ARKA_UNIT_TOO_LARGE},
        {"9223372036854775807ms1ms", ARKA_MILLISECONDS, 1, ARKA_UNIT_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t v = -77;
        arka_unit_fault fault = arka_units_parse(arka_slice_of(CASES[i].text), CASES[i].dimension,
                                                 CASES[i].unit, CASES[i].unit, &v);
        if (fault != CASES[i].expected || v != -77)
            fail_msg("'%s': fault %d, %lld", CASES[i].text, fault, (long long)v);
    }
}
