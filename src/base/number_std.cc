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

bool arka_std_parse_f64(const char *text, size_t n, double *out)
{
    auto r = std::from_chars(text, text + n, *out);
    return r.ec == std::errc() && r.ptr == text + n && std::isfinite(*out);
}
