/**
 * Tokens of line protocol: blanks, escapes, strings and numbers. Inline, for lineproto*.c alone.
 *
 * Nothing reads at or behind `end`; what looks at eight bytes at a time asks first whether they are
 * there and otherwise leaves the work to a slow twin.
 */
#ifndef ARKA_WIRE_LINEPROTO_SCAN_H
#define ARKA_WIRE_LINEPROTO_SCAN_H

#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

typedef enum lp_kind {
    LP_F64,
    LP_I64,
    LP_BOOL,
    LP_TEXT,
} lp_kind;

typedef struct lp_value {
    lp_kind kind;
    bool escaped; /* LP_TEXT: holds escapes still */
    union {
        double f64;
        int64_t i64; /* LP_BOOL: 0 or 1 */
        arka_slice text;
    };
} lp_value;

/** Bytes behind a number's first that the fast readers may look at. */
enum { LP_NUMBER_ROOM = 40 };

static inline uint64_t lp_load8(const char *s)
{
    uint64_t w;
    memcpy(&w, s, 8);
    return w;
}

/** Are the n bytes at `a` and `b` the same? Reads no byte outside of them. */
static inline bool lp_same(const char *a, const char *b, size_t n)
{
    if (n >= 8) {
        size_t last = n - 8;
        uint64_t differ = lp_load8(a + last) ^ lp_load8(b + last);
        for (size_t i = 0; i < last; i += 8)
            differ |= lp_load8(a + i) ^ lp_load8(b + i);
        return differ == 0;
    }
    if (n >= 4) {
        uint32_t a0, a1, b0, b1;
        memcpy(&a0, a, 4), memcpy(&b0, b, 4);
        memcpy(&a1, a + n - 4, 4), memcpy(&b1, b + n - 4, 4);
        return ((a0 ^ b0) | (a1 ^ b1)) == 0;
    }
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static inline bool lp_is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/** A blank that may stand around and between the parts of a line. */
static inline const char *lp_skip_blanks(const char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    return s;
}

/** Nothing of the line is left at `s`: its LF, a CR before that, or the end of the body. */
static inline bool lp_at_eol(const char *s, const char *end)
{
    if (s == end || *s == '\n')
        return true;
    return *s == '\r' && (s + 1 == end || s[1] == '\n');
}

/** A backslash at `s` that escapes what follows it outside of strings. */
static inline bool lp_at_escape(const char *s, const char *end)
{
    return *s == '\\' && end - s > 1 && (s[1] == ',' || s[1] == '=' || s[1] == ' ');
}

/** The first of the bytes that end a value without quotes, or `end`. */
static inline const char *lp_value_end(const char *s, const char *end)
{
    while (s < end && *s != ',' && *s != ' ' && !lp_at_eol(s, end))
        s++;
    return s;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LP_SWAR 1

/* High bit of each byte of w that equals c (and perhaps of bytes behind the first such one). */
static inline uint64_t lp_match(uint64_t w, char c)
{
    uint64_t x = w ^ UINT64_C(0x0101010101010101) * (unsigned char)c;
    return (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080);
}

/*
 * How many decimal digits w begins with, and their value. "SIMD within a register": bytes become
 * pairs, pairs become fours, by multiplications that cannot carry into their neighbours.
 */
static inline unsigned lp_count_digits(uint64_t w)
{
    uint64_t x = w ^ UINT64_C(0x3030303030303030);
    uint64_t other = ((x + UINT64_C(0x7676767676767676)) | x) & UINT64_C(0x8080808080808080);
    return other == 0 ? 8 : (unsigned)__builtin_ctzll(other) / 8;
}

/* n is 1 to 8 */
static inline uint64_t lp_digits_value(uint64_t w, unsigned n)
{
    w = (w ^ UINT64_C(0x3030303030303030)) << (64 - 8 * n);
    w = (w * 10 + (w >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    w = (w * 100 + (w >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (w * 10000 + (w >> 32)) & UINT64_C(0xffffffff);
}
#else
#define LP_SWAR 0
#endif

/** The first of two bytes that no backslash escapes (neither is a backslash), or `end`. */
static inline const char *lp_token_end(const char *s, const char *end, char stop, char other)
{
    for (;;) {
#if LP_SWAR
        while (end - s >= 8) {
            uint64_t w = lp_load8(s);
            uint64_t found = lp_match(w, stop) | lp_match(w, other) | lp_match(w, '\\');
            if (found != 0) {
                s += __builtin_ctzll(found) / 8;
                break;
            }
            s += 8;
        }
#endif
        while (s < end && *s != stop && *s != other && *s != '\\')
            s++;
        if (s == end || *s != '\\')
            return s;
        s += 1 + lp_at_escape(s, end);
    }
}

/** The closing quote of a string whose text begins at `s`, or NULL; *escaped: a backslash was met.
 */
static inline const char *lp_string_end(const char *s, const char *end, bool *escaped)
{
    *escaped = false;
    for (;;) {
#if LP_SWAR
        while (end - s >= 8) {
            uint64_t w = lp_load8(s);
            uint64_t found = lp_match(w, '"') | lp_match(w, '\\');
            if (found != 0) {
                s += __builtin_ctzll(found) / 8;
                break;
            }
            s += 8;
        }
#endif
        while (s < end && *s != '"' && *s != '\\')
            s++;
        if (s == end)
            return NULL;
        if (*s == '"')
            return s;
        *escaped = true;
        s += end - s > 1 && (s[1] == '"' || s[1] == '\\') ? 2 : 1;
    }
}

/**
 * A number or boolean without quotes at `s`: where it ends, or NULL with the reason in *why.
 * `s` is not at the end of the value.
 */
const char *lp_scan_slow(const char *s, const char *end, lp_value *out, const char **why);

/** m * 10^-places, correctly rounded; 2^53 < m < 10^19, 1 <= places <= 19. */
double lp_long_decimal(uint64_t m, unsigned places);

/** The same for any m < 10^19. */
static inline double lp_decimal(uint64_t m, unsigned places)
{
    static const double POW10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                   1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    /* Both operands are exact doubles, and one IEEE division rounds correctly (Clinger 1990). */
    if (ARKA_LIKELY(m <= UINT64_C(1) << 53))
        return (double)m / POW10[places];
    return lp_long_decimal(m, places);
}

#if LP_SWAR
extern const uint64_t LP_POW10[20];

/*
 * Digits at *s onto *m, of which *n are counted: at most 19 of them in all (10^19 fits 64 bits).
 * False: more.
 */
static inline bool lp_take_digits(const char **s, uint64_t *m, unsigned *n)
{
    for (;;) {
        uint64_t w = lp_load8(*s);
        unsigned k = lp_count_digits(w);
        if (k == 0)
            return true;
        *n += k;
        if (ARKA_UNLIKELY(*n > 19))
            return false;
        *m = *m * LP_POW10[k] + lp_digits_value(w, k);
        *s += k;
        if (k < 8)
            return true;
    }
}

/** The common numbers: sign, up to 19 digits with a point among them, suffix. NULL: not one of
 * them. */
static inline const char *lp_scan_number(const char *s, lp_value *out)
{
    bool negative = *s == '-';
    uint64_t m = 0;
    unsigned n = 0, whole;
    s += negative;
    if (!lp_take_digits(&s, &m, &n) || n == 0)
        return NULL;
    whole = n;
    if (*s == '.') {
        s++;
        if (!lp_take_digits(&s, &m, &n) || n == whole)
            return NULL;
    } else if (*s == 'i') {
        if (n == 19)
            return NULL;
        out->kind = LP_I64;
        out->i64 = negative ? -(int64_t)m : (int64_t)m;
        return s + 1;
    }
    double v;
    if (n == whole)
        v = (double)m;
    else
        v = lp_decimal(m, n - whole);
    out->kind = LP_F64;
    out->f64 = negative ? -v : v;
    return s;
}
#endif

#endif
