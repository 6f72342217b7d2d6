#include "auth/expiry.h"

#include "base/civil.h"
#include "kit/kit.h"

static const int64_t NOW = INT64_C(1767607200000000); /* 2026-01-05T10:00:00Z */

static int64_t in(const char *text)
{
    arka_error err = {0};
    int64_t out = -1;
    ASSERT_OK(arka_expiry_parse((arka_slice){"", 0}, arka_slice_of(text), NOW, &out, &err));
    return out == -1 ? -1 : out - NOW;
}

static int64_t at(const char *text)
{
    arka_error err = {0};
    int64_t out = -1;
    ASSERT_OK(arka_expiry_parse(arka_slice_of(text), (arka_slice){"", 0}, NOW, &out, &err));
    return out;
}

TEST(times_from_now_on)
{
    assert_int_equal(in(""), -1);
    assert_int_equal(in("24h"), ARKA_US_PER_DAY);
    assert_int_equal(in("7d"), 7 * ARKA_US_PER_DAY);
    assert_int_equal(in("90m"), INT64_C(5400000000));
    assert_int_equal(in("1h30m"), INT64_C(5400000000));
    assert_int_equal(in("1.5h"), INT64_C(5400000000));
    assert_int_equal(in("2w"), 14 * ARKA_US_PER_DAY);
    assert_int_equal(in("1500ms"), 1500000);
    assert_int_equal(in("1s"), 1000000);
}

TEST(times_of_the_calendar)
{
    assert_int_equal(at(""), -1);
    assert_int_equal(at("never"), 0);
    assert_int_equal(at("2026-01-05T10:00:01Z"), NOW + 1000000);
    assert_int_equal(at("2026-01-05T12:00:01+02:00"), NOW + 1000000);
    assert_int_equal(at("2026-01-05T10:00:01.5"), NOW + 1500000);
    assert_int_equal(at("2026-01-06"), NOW + 14 * ARKA_US_PER_HOUR);
}

static void assert_refused(const char *at_text, const char *in_text, const char *why)
{
    arka_error err = {0};
    int64_t out;
    ASSERT_FAILS(arka_expiry_parse(arka_slice_of(at_text), arka_slice_of(in_text), NOW, &out, &err),
                 ARKA_INPUT, why);
}

TEST(what_is_no_expiry)
{
    static const char *const BAD[] = {"7",  "d",   "7 d", "-7d", "0d",   "7x",  "7d7", "1e9d",
                                      ".h", "..h", "h1",  "+1h", "0.0s", "nan", "7D"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_refused("", BAD[i], "is no time from now on");
    assert_refused("", "99999999999d", "beyond the year 9999");
    assert_refused("2026-01-05T10:00:00Z", "", "is past");
    assert_refused("tomorrow", "", "expires_at 'tomorrow' is no time");
    assert_refused("never", "7d", "cannot be given both");
}
