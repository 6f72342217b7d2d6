/** UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef ARKA_BASE_UTF8_H
#define ARKA_BASE_UTF8_H

#include "base/buf.h"

/** Offset of the first byte that is not part of valid UTF-8; n when all of it is. */
size_t arka_utf8_check(const char *text, size_t n);
static inline bool arka_utf8_valid(const char *text, size_t n)
{
    return arka_utf8_check(text, n) == n;
}
/** How much of text[0..n) to keep so that it is at most `max` bytes and no character is cut in two.
 */
size_t arka_utf8_cut(const char *text, size_t n, size_t max);
/** The bytes of one character, 1 to 4; of what is none (a surrogate, above U+10FFFF) those of
 * U+FFFD.
 */
size_t arka_utf8_put(char to[4], uint32_t code_point);
/** Append the text, each run of bytes that is not UTF-8 as one U+FFFD. */
void arka_utf8_repair(arka_buf *out, arka_slice text);

#endif
