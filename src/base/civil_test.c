#include "base/civil.h"
#include "kit/kit.h"

static void expect(int64_t us, const char *text)
{
    char out[ARKA_TIME_TEXT + 1];
    out[arka_format_time(out, us)] = 0;
    assert_string_equal(out, text);
    int64_t back;
    assert_true(arka_parse_time(text, strlen(text), &back));
    assert_true(back == us);
}

TEST(times_have_their_calendar_text)
{
    expect(0, "1970-01-01T00:00:00Z");
    expect(-1, "1969-12-31T23:59:59.999999Z");
    expect(INT64_C(1767607200250000), "2026-01-05T10:00:00.250000Z");
    expect(INT64_C(951782400000000), "2000-02-29T00:00:00Z");
    expect(INT64_C(253402300799000000), "9999-12-31T23:59:59Z");
}

TEST(every_day_of_eight_centuries_goes_both_ways)
{
    for (int64_t day = arka_days_from_civil(1600, 1, 1); day < arka_days_from_civil(2400, 1, 1);
         day++) {
        arka_civil c = arka_civil_from_us(day * ARKA_US_PER_DAY);
        assert_true(arka_days_from_civil(c.year, c.month, c.day) == day);
        assert_true(c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= 31);
    }
}

TEST(iso_8601_forms_are_read)
{
    static const struct {
        const char *text;
        int64_t us;
    } GOOD[] = {
        {"2026-01-05", INT64_C(1767571200000000)},
        {"2026-01-05 10:00", INT64_C(1767607200000000)},
        {"2026-01-05T10:00:00+02:00", INT64_C(1767600000000000)},
        {"2026-01-05T10:00:00-0130", INT64_C(1767612600000000)},
        {"2026-01-05T10:00:00.1234567Z", INT64_C(1767607200123456)},
        {"2026-01-05T10:00:00+02", INT64_C(1767600000000000)},
    };
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        int64_t us;
        if (!arka_parse_time(GOOD[i].text, strlen(GOOD[i].text), &us))
            fail_msg("%s was refused", GOOD[i].text);
        assert_true(us == GOOD[i].us);
    }
    static const char *const BAD[] = {"",
                                      "2026",
                                      "2026-13-01",
                                      "2026-02-29",
                                      "2026-01-05T",
                                      "2026-01-05T24:00",
                                      "2026-01-05T10:60",
                                      "2026-01-05T10:00:00X",
                                      "2026-01-05T10:00:00.",
                                      "2026-01-05T10:00:00+",
                                      "26-01-05",
                                      "2026-01-05T10:00:00Z "};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        int64_t us;
        if (arka_parse_time(BAD[i], strlen(BAD[i]), &us))
            fail_msg("'%s' was read", BAD[i]);
    }
}

TEST(any_instant_can_be_shown)
{
    char out[ARKA_TIME_TEXT];
    assert_in_range(arka_format_time(out, INT64_MAX), 20, ARKA_TIME_TEXT);
    assert_in_range(arka_format_time(out, INT64_MIN), 20, ARKA_TIME_TEXT);
}
