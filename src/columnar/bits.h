/** Runs of bits in Arrow's order: bit i is bit i % 8, from the least significant, of byte i / 8. */
#ifndef ARKA_COLUMNAR_BITS_H
#define ARKA_COLUMNAR_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Up to 64 bits from bit `from` on, in the low end; bytes past bit from + n are not touched. */
static inline uint64_t arka_bits_load(const uint8_t *bits, int64_t from, int n)
{
    const uint8_t *at = bits + (from >> 3);
    int shift = (int)(from & 7);
    int n_bytes = (shift + n + 7) / 8;
    uint64_t low = 0;
    memcpy(&low, at, (size_t)(n_bytes > 8 ? 8 : n_bytes));
    low >>= shift;
    if (n_bytes > 8)
        low |= (uint64_t)at[8] << (64 - shift);
    return n == 64 ? low : low & ((UINT64_C(1) << n) - 1);
}

/** How many of n bits from bit `from` on are 1. */
static inline int64_t arka_bits_count(const uint8_t *bits, int64_t from, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 64)
        count +=
            __builtin_popcountll(arka_bits_load(bits, from + i, n - i < 64 ? (int)(n - i) : 64));
    return count;
}

/** n bits from bit `from` of `bits` to bit 0 of `to`; the rest of the last byte becomes 0. */
static inline void arka_bits_copy(uint8_t *to, const uint8_t *bits, int64_t from, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64) {
        int m = n - i < 64 ? (int)(n - i) : 64;
        uint64_t word = arka_bits_load(bits, from + i, m);
        memcpy(to + i / 8, &word, (size_t)(m + 7) / 8);
    }
}

/** n bits from bit 0 of `bits` to bit `at` of `to`, where all bits from `at` on are 0. */
static inline void arka_bits_append(uint8_t *to, int64_t at, const uint8_t *bits, int64_t n)
{
    for (int64_t i = 0; i < n; i += 56) {
        int m = n - i < 56 ? (int)(n - i) : 56;
        int shift = (int)((at + i) & 7);
        uint64_t word = arka_bits_load(bits, i, m) << shift, had = 0;
        size_t n_bytes = (size_t)(shift + m + 7) / 8;
        memcpy(&had, to + (at + i) / 8, n_bytes);
        word |= had;
        memcpy(to + (at + i) / 8, &word, n_bytes);
    }
}

#endif
