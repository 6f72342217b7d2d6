// The two things of libstdc++ that C's library lacks: shortest formatting and fast exact reading of doubles.
#include <charconv>
#include <cmath>
#include <cstddef>

#include "base/number.h"

extern "C" size_t arka_std_format_f64(char *out, size_t cap, double v);
extern "C" bool arka_std_parse_f64(const char *text, size_t n, double *out);

size_t arka_std_format_f64(char *out, size_t cap, double v)
{
    return static_cast<size_t>(std::to_chars(out, out + cap, v).ptr - out);
}

size_t arka_format_f32(char *out, float v)
{
    return static_cast<size_t>(std::to_chars(out, out + ARKA_NUMBER_TEXT, v).ptr - out);
}

// Is a decimal that left a double's range below it? Its first digit that counts stands far behind the point.
static bool too_small(const char *text, const char *end)
{
    long place = 0, exponent = 0;
    bool point = false, counts = false;
    for (; text < end && *text != 'e' && *text != 'E'; text++) {
        counts |= *text != '0' && *text != '.';
        place += counts && !point;
        place -= !counts && point;
        point |= *text == '.';
    }
    bool negative = end - text > 1 && text[1] == '-';
    for (; text < end && exponent < (1L << 40); text++)
        if (*text >= '0' && *text <= '9')
            exponent = exponent * 10 + (*text - '0');
    return place + (negative ? -exponent : exponent) < 0;
}

bool arka_std_parse_f64(const char *text, size_t n, double *out)
{
    auto r = std::from_chars(text, text + n, *out);
    if (r.ec == std::errc::result_out_of_range && r.ptr == text + n && too_small(text, r.ptr)) {
        *out = 0;
        return true;
    }
    return r.ec == std::errc() && r.ptr == text + n && std::isfinite(*out);
}
