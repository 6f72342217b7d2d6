#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Length of the sequence at `p`, 0 if it is not one. RFC 3629, section 4. */
static size_t sequence(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

size_t arka_utf8_check(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t at = 0;
    while (at < n) {
        /* ASCII in strides: what telemetry mostly is */
        while (n - at >= 32) {
            uint64_t words[4];
            memcpy(words, p + at, 32);
            if ((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080))
                break;
            at += 32;
        }
        while (n - at >= 8) {
            uint64_t word;
            memcpy(&word, p + at, 8);
            word &= UINT64_C(0x8080808080808080);
            if (word != 0) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                at += (size_t)__builtin_ctzll(word) / 8;
#endif
                break;
            }
            at += 8;
        }
        /* A character above ASCII, which seldom comes alone, or the last few bytes. */
        do {
            if (at == n)
                return n;
            size_t len = sequence(p + at, n - at);
            if (len == 0)
                return at;
            at += len;
        } while (at < n && p[at] >= 0x80);
    }
    return n;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t arka_utf8_cut(const char *text, size_t n, size_t max)
{
    if (n <= max)
        return n;
    size_t at = max;
    while (at > 0 && max - at < 3 && is_continuation(text[at]))
        at--;
    return is_continuation(text[at]) ? max : at; /* damaged text has no better place */
}

size_t arka_utf8_put(char to[4], uint32_t code_point)
{
    uint32_t c = code_point;
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

void arka_utf8_repair(arka_buf *out, arka_slice text)
{
    for (size_t at = 0;;) {
        size_t good = arka_utf8_check(text.data + at, text.len - at);
        arka_buf_append(out, text.data + at, good);
        at += good;
        if (at == text.len)
            return;
        arka_buf_literal(out, "\xef\xbf\xbd");
        do
            at++;
        while (at < text.len && is_continuation(text.data[at]));
    }
}
