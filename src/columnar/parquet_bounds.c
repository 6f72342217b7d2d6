#include "columnar/parquet_bounds.h"

#include "columnar/bits.h"

enum { MAX_TEXT = 256 };
static const int64_t INFINITY_BITS = 0x7ff0000000000000;

static arka_bounds of_words(uint64_t min, uint64_t max)
{
    return (arka_bounds){.min = {.known = true, .word = min}, .max = {.known = true, .word = max}};
}

arka_bounds arka_bounds__bits(const uint8_t *bits, int64_t n)
{
    if (n == 0)
        return (arka_bounds){0};
    int64_t ones = arka_bits_count(bits, 0, n);
    return of_words(ones == n, ones > 0);
}

/*
 * Numbers that order as IEEE 754's totalOrder has the doubles with these bits: -NaN, -inf, …, -0.0,
 * +0.0, …, inf, NaN. The same step leads back.
 */
static inline int64_t order_of(int64_t bits)
{
    return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

static inline void take(int64_t *min, int64_t *max, int64_t bits, bool doubles)
{
    int64_t v = doubles ? order_of(bits) : bits;
    *min = v < *min ? v : *min;
    *max = v > *max ? v : *max;
}

/* Four lanes, for each comparison waits for the one before it in its lane. n is at least 1. */
static inline void range_of(const int64_t *values, int64_t n, bool doubles, int64_t *out_min,
                            int64_t *out_max)
{
    enum { LANES = 4 };
    int64_t min[LANES] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    int64_t max[LANES] = {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        take(&min[0], &max[0], values[i], doubles);
        take(&min[1], &max[1], values[i + 1], doubles);
        take(&min[2], &max[2], values[i + 2], doubles);
        take(&min[3], &max[3], values[i + 3], doubles);
    }
    for (; i < n; i++)
        take(&min[0], &max[0], values[i], doubles);
    for (int k = 1; k < LANES; k++) {
        min[0] = min[k] < min[0] ? min[k] : min[0];
        max[0] = max[k] > max[0] ? max[k] : max[0];
    }
    *out_min = min[0];
    *out_max = max[0];
}

arka_bounds arka_bounds__i64(const int64_t *values, int64_t n)
{
    int64_t min, max;
    if (n == 0)
        return (arka_bounds){0};
    range_of(values, n, false, &min, &max);
    return of_words((uint64_t)min, (uint64_t)max);
}

arka_bounds arka_bounds__f64(const double *values, int64_t n)
{
    int64_t min, max;
    if (n == 0)
        return (arka_bounds){0};
    range_of((const int64_t *)values, n, true, &min, &max);
    if (max > order_of(INFINITY_BITS) || min < order_of(INFINITY_BITS | INT64_MIN))
        return (arka_bounds){0};
    return of_words((uint64_t)order_of(min), (uint64_t)order_of(max));
}

static int compare(arka_slice a, arka_slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.data, b.data, n) : 0;
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* The first eight bytes as a number that orders as they do; zero bytes behind a short text. */
static uint64_t prefix_of(arka_slice s)
{
    uint64_t v = 0;
    if (s.len > 0)
        memcpy(&v, s.data, s.len < 8 ? s.len : 8);
    return __builtin_bswap64(v);
}

arka_bounds arka_bounds__text(const arka_slice *values, int64_t n)
{
    if (n == 0)
        return (arka_bounds){0};
    arka_slice min = values[0], max = values[0];
    uint64_t low = prefix_of(min), high = low;
    for (int64_t i = 1; i < n; i++) {
        uint64_t prefix = prefix_of(values[i]);
        if (prefix <= low && compare(values[i], min) < 0) {
            min = values[i];
            low = prefix;
        }
        if (prefix >= high && compare(values[i], max) > 0) {
            max = values[i];
            high = prefix;
        }
    }
    return (arka_bounds){.min = {.known = min.len <= MAX_TEXT, .text = min},
                         .max = {.known = max.len <= MAX_TEXT, .text = max}};
}
