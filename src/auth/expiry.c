#include "auth/expiry.h"

#include <strings.h>

#include "base/civil.h"
#include "base/number.h"

static const struct {
    const char *name;
    double us;
} UNITS[] = {
    {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}, {"d", 86400e6}, {"w", 7 * 86400e6},
};

static double unit_of(arka_slice name)
{
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (arka_slice_eq(name, arka_slice_of(UNITS[i].name)))
            return UNITS[i].us;
    return 0;
}

static size_t run_of(arka_slice text, bool digits)
{
    size_t n = 0;
    while (n < text.len &&
           ((text.data[n] >= '0' && text.data[n] <= '9') || text.data[n] == '.') == digits)
        n++;
    return n;
}

static bool parse_duration(arka_slice text, double *us)
{
    *us = 0;
    while (text.len > 0) {
        double v;
        size_t n = run_of(text, true);
        if (n == 0 || !arka_parse_f64(text.data, n, &v))
            return false;
        text = (arka_slice){text.data + n, text.len - n};
        n = run_of(text, false);
        double unit = unit_of((arka_slice){text.data, n});
        if (unit == 0)
            return false;
        *us += v * unit;
        text = (arka_slice){text.data + n, text.len - n};
    }
    return true;
}

static arka_status parse_in(arka_slice in, int64_t now_us, int64_t *out, arka_error *err)
{
    double us;
    int shown = in.len > 40 ? 40 : (int)in.len;
    if (!parse_duration(in, &us) || us < 1)
        return arka_fail(err, ARKA_INPUT,
                         "expires_in '%.*s' is no time from now on, such as 24h, 7d or 1h30m",
                         shown, in.data);
    if (us > (double)(ARKA_TIME_MAX_US - now_us))
        return arka_fail(err, ARKA_INPUT, "expires_in '%.*s' is beyond the year 9999", shown,
                         in.data);
    *out = now_us + (int64_t)us;
    return ARKA_OK;
}

static arka_status parse_at(arka_slice at, int64_t now_us, int64_t *out, arka_error *err)
{
    int shown = at.len > 60 ? 60 : (int)at.len;
    if (at.len == 5 && strncasecmp(at.data, "never", 5) == 0) {
        *out = 0;
        return ARKA_OK;
    }
    if (!arka_parse_time(at.data, at.len, out))
        return arka_fail(err, ARKA_INPUT,
                         "expires_at '%.*s' is no time such as 2026-01-05T10:00:00Z", shown,
                         at.data);
    if (*out <= now_us)
        return arka_fail(err, ARKA_INPUT, "expires_at '%.*s' is past", shown, at.data);
    return ARKA_OK;
}

arka_status arka_expiry_parse(arka_slice at, arka_slice in, int64_t now_us, int64_t *out,
                              arka_error *err)
{
    if (at.len > 0 && in.len > 0)
        return arka_fail(err, ARKA_INPUT, "expires_at and expires_in cannot be given both");
    if (at.len > 0)
        return parse_at(at, now_us, out, err);
    return in.len > 0 ? parse_in(in, now_us, out, err) : ARKA_OK;
}
