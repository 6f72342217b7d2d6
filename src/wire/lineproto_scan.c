#include "wire/lineproto_scan.h"

#include "base/number.h"

const uint64_t LP_POW10[20] = {UINT64_C(1),
                               UINT64_C(10),
                               UINT64_C(100),
                               UINT64_C(1000),
                               UINT64_C(10000),
                               UINT64_C(100000),
                               UINT64_C(1000000),
                               UINT64_C(10000000),
                               UINT64_C(100000000),
                               UINT64_C(1000000000),
                               UINT64_C(10000000000),
                               UINT64_C(100000000000),
                               UINT64_C(1000000000000),
                               UINT64_C(10000000000000),
                               UINT64_C(100000000000000),
                               UINT64_C(1000000000000000),
                               UINT64_C(10000000000000000),
                               UINT64_C(100000000000000000),
                               UINT64_C(1000000000000000000),
                               UINT64_C(10000000000000000000)};

/* n / d and what remains; n's upper half is smaller than d, so the quotient fits */
static uint64_t divide_wide(unsigned __int128 n, uint64_t d, uint64_t *rest)
{
#if defined(__x86_64__)
    uint64_t quotient;
    __asm__("divq %4"
            : "=a"(quotient), "=d"(*rest)
            : "0"((uint64_t)n), "1"((uint64_t)(n >> 64)), "r"(d)
            : "cc");
    return quotient;
#else
    *rest = (uint64_t)(n % d);
    return (uint64_t)(n / d);
#endif
}

/*
 * Long division in integers: with m and d = 10^places shifted to bit 63, the quotient
 * m * 2^63 / d has 63 or 64 bits. A remainder is kept as its lowest bit, far below the 53 that a
 * double has, so that the one rounding happens in the conversion, as if from the exact quotient.
 * The scaling by a power of two is exact: the result is between 1e-4 and 1e19.
 */
double lp_long_decimal(uint64_t m, unsigned places)
{
    uint64_t d = LP_POW10[places];
    int m_shift = __builtin_clzll(m), d_shift = __builtin_clzll(d);
    uint64_t rest;
    uint64_t quotient = divide_wide((unsigned __int128)(m << m_shift) << 63, d << d_shift, &rest);
    quotient |= rest != 0;
    int scale = d_shift - m_shift - 63;
    union {
        uint64_t bits;
        double f64;
    } power = {.bits = (uint64_t)(1023 + scale) << 52};
    return (double)quotient * power.f64;
}

static bool equals(arka_slice text, const char *word)
{
    return arka_slice_eq(text, arka_slice_of(word));
}

static bool parse_boolean(arka_slice text, lp_value *out)
{
    static const char *const TRUE_WORDS[] = {"t", "T", "true", "True", "TRUE"};
    static const char *const FALSE_WORDS[] = {"f", "F", "false", "False", "FALSE"};
    for (size_t i = 0; i < 5; i++) {
        if (equals(text, TRUE_WORDS[i]) || equals(text, FALSE_WORDS[i])) {
            out->kind = LP_BOOL;
            out->i64 = equals(text, TRUE_WORDS[i]);
            return true;
        }
    }
    return false;
}

/* `digits`: without the suffix */
static bool parse_integer(arka_slice digits, bool is_unsigned, lp_value *out, const char **why)
{
    bool sign = digits.len > 0 && (digits.data[0] == '-' || digits.data[0] == '+');
    bool negative = sign && digits.data[0] == '-';
    size_t at = sign;
    for (size_t i = at; i < digits.len; i++)
        if (!lp_is_digit(digits.data[i]))
            at = digits.len;
    *why = "invalid number";
    if (at == digits.len || (negative && is_unsigned))
        return false;
    while (digits.len - at > 1 && digits.data[at] == '0')
        at++;
    uint64_t v;
    *why = is_unsigned ? "unsigned integer out of range: a BIGINT holds at most 9223372036854775807"
                       : "integer out of range: a BIGINT holds -9223372036854775808 to "
                         "9223372036854775807";
    if (!arka_parse_u64(digits.data + at, digits.len - at, &v) ||
        v > (uint64_t)INT64_MAX + negative)
        return false;
    out->kind = LP_I64;
    out->i64 = (int64_t)(negative ? 0 - v : v);
    return true;
}

static bool parse_float(arka_slice text, lp_value *out, const char **why)
{
    *why = "invalid number";
    bool any_digit = false;
    for (size_t i = 0; i < text.len; i++) {
        any_digit |= lp_is_digit(text.data[i]);
        if (!lp_is_digit(text.data[i]) && strchr("+-.eE", text.data[i]) == NULL)
            return false;
    }
    if (!any_digit || !arka_parse_f64(text.data, text.len, &out->f64))
        return false;
    out->kind = LP_F64;
    return true;
}

const char *lp_scan_slow(const char *s, const char *end, lp_value *out, const char **why)
{
    const char *stop = lp_value_end(s, end);
    arka_slice text = {s, (size_t)(stop - s)};
    char first = *s, last = stop[-1];
    if (strchr("tTfF", first) != NULL && first != 0) {
        *why = "invalid boolean";
        return parse_boolean(text, out) ? stop : NULL;
    }
    arka_slice but_last = {s, text.len - 1};
    bool ok = last == 'i' || last == 'u' ? parse_integer(but_last, last == 'u', out, why)
                                         : parse_float(text, out, why);
    return ok ? stop : NULL;
}
