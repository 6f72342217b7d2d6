/**
 * Numbers as text, both ways, exact. The doubles are libstdc++'s to_chars and from_chars (shortest
 * text that reads back to the same bits; correctly rounded reading), with fast paths of our own.
 */
#ifndef ARKA_BASE_NUMBER_H
#define ARKA_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ARKA_NUMBER_TEXT = 32 }; /* bytes that `out` of a formatter must have room for */

/** Decimal text of v; returns its length. No NUL. */
size_t arka_format_i64(char *out, int64_t v);
size_t arka_format_u64(char *out, uint64_t v);
/**
 * Shortest text that reads back to the same double, JSON-valid: "1.5", "100.0" as "100", "1e+30".
 * v must be finite.
 */
size_t arka_format_f64(char *out, double v);
size_t arka_format_f32(char *out, float v);

/** The whole of text[0..n) as a signed decimal integer; false on anything else or overflow. */
bool arka_parse_i64(const char *text, size_t n, int64_t *out);
bool arka_parse_u64(const char *text, size_t n, uint64_t *out);
/**
 * The whole of text[0..n) as decimal or scientific ("+" allowed in front); no inf, nan or hex.
 * What is too small for a double is 0, what is too large is refused.
 */
bool arka_parse_f64(const char *text, size_t n, double *out);

/** What a hexadecimal digit of either case stands for; -1: it is none. */
static inline int arka_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#ifdef __cplusplus
}
#endif

#endif
