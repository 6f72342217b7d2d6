#include "base/number.h"

#include <math.h>
#include <string.h>

/* number_std.cc */
size_t arka_std_format_f64(char *out, size_t cap, double v);
bool arka_std_parse_f64(const char *text, size_t n, double *out);

static const char PAIRS[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

size_t arka_format_u64(char *out, uint64_t v)
{
    char text[20];
    char *at = text + sizeof text;
    while (v >= 100) {
        at -= 2;
        memcpy(at, PAIRS + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        at -= 2;
        memcpy(at, PAIRS + v * 2, 2);
    } else {
        *--at = (char)('0' + v);
    }
    size_t n = (size_t)(text + sizeof text - at);
    memcpy(out, at, n);
    return n;
}

size_t arka_format_i64(char *out, int64_t v)
{
    if (v >= 0)
        return arka_format_u64(out, (uint64_t)v);
    out[0] = '-';
    return 1 + arka_format_u64(out + 1, 0 - (uint64_t)v);
}

/*
 * Measurements are mostly short decimals, and for those there is no need of a search for the
 * shortest text: when v * 10^k is an integer m below 10^15 that divides back to v, the text of
 * m / 10^k reads back to v (both m and 10^k are exact doubles, and IEEE division rounds
 * correctly); decimals of at most 15 digits map one to one to doubles, so no shorter text can
 * read back to v too once m's trailing zeros are gone.
 */
static size_t format_short_decimal(char *out, double v)
{
    enum { PLACES = 6 };
    double scaled = v * 1e6;
    if (!(fabs(scaled) < 1e15))
        return 0;
    int64_t m = llrint(scaled);
    if ((double)m / 1e6 != v || (m == 0 && signbit(v)))
        return 0;
    size_t at = 0;
    if (m < 0) {
        out[at++] = '-';
        m = -m;
    }
    at += arka_format_u64(out + at, (uint64_t)m / 1000000);
    uint32_t rest = (uint32_t)((uint64_t)m % 1000000);
    if (rest != 0) {
        out[at] = '.';
        for (int i = PLACES; i > 0; i--, rest /= 10)
            out[at + (size_t)i] = (char)('0' + rest % 10);
        at += PLACES + 1;
        while (out[at - 1] == '0')
            at--;
    }
    return at;
}

size_t arka_format_f64(char *out, double v)
{
    size_t n = format_short_decimal(out, v);
    return n != 0 ? n : arka_std_format_f64(out, ARKA_NUMBER_TEXT, v);
}

bool arka_parse_u64(const char *text, size_t n, uint64_t *out)
{
    if (n == 0 || n > 20)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned char)text[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}

bool arka_parse_i64(const char *text, size_t n, int64_t *out)
{
    bool negative = n > 0 && text[0] == '-';
    size_t skip = n > 0 && (text[0] == '-' || text[0] == '+');
    uint64_t v;
    if (!arka_parse_u64(text + skip, n - skip, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? 0 - v : v);
    return true;
}

/*
 * Up to 15 digits and a power of ten up to 22 are both exact doubles, and one IEEE operation on
 * them rounds correctly (Clinger 1990); everything else goes to from_chars.
 */
bool arka_parse_f64(const char *text, size_t n, double *out)
{
    static const double POWERS[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *at = text, *end = text + n;
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    const char *first = at;
    uint64_t m = 0;
    while (at < end && (unsigned char)(*at - '0') <= 9 && at - first < 16)
        m = m * 10 + (uint64_t)(*at++ - '0');
    long digits = at - first;
    long places = 0;
    if (at < end && *at == '.') {
        const char *point = ++at;
        while (at < end && (unsigned char)(*at - '0') <= 9 && at - point < 17)
            m = m * 10 + (uint64_t)(*at++ - '0');
        places = at - point;
        digits += places;
    }
    if (at == end && digits > 0 && digits <= 15) {
        double v = (double)m;
        v = places ? v / POWERS[places] : v;
        *out = negative ? -v : v;
        return true;
    }
    if (first == end)
        return false;
    /* from_chars takes no '+', and would take "inf", "nan": the first character decides. */
    if ((unsigned char)(*first - '0') > 9 && *first != '.')
        return false;
    double v;
    if (!arka_std_parse_f64(first, (size_t)(end - first), &v))
        return false;
    *out = negative ? -v : v;
    return true;
}
