#include "base/base64.h"

#include <stdint.h>

static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(arka_buf *out, arka_slice bytes, const char *digits, bool padded)
{
    size_t groups = bytes.len / 3, rest = bytes.len % 3;
    char *to = arka_buf_reserve(out, (groups + 1) * 4);
    if (to == NULL)
        return;
    const unsigned char *p = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < groups; i++, p += 3, to += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        for (int k = 0; k < 4; k++)
            to[k] = digits[v >> (18 - 6 * k) & 63];
    }
    if (rest > 0) {
        uint32_t v = (uint32_t)p[0] << 16 | (rest > 1 ? (uint32_t)p[1] << 8 : 0);
        to[0] = digits[v >> 18];
        to[1] = digits[v >> 12 & 63];
        to[2] = rest > 1 ? digits[v >> 6 & 63] : '=';
        to[3] = '=';
    }
    out->len += groups * 4 + (rest == 0 ? 0 : padded ? 4 : rest + 1);
}

void arka_base64_encode(arka_buf *out, arka_slice bytes)
{
    encode(out, bytes, PLAIN, true);
}

void arka_base64_encode_url(arka_buf *out, arka_slice bytes)
{
    encode(out, bytes, URL, false);
}

static int value_of(char c)
{
    const char *at = c != 0 ? strchr(PLAIN, c) : NULL;
    return at != NULL ? (int)(at - PLAIN) : -1;
}

bool arka_base64_decode(arka_buf *out, arka_slice text)
{
    if (text.len % 4 == 0)
        for (int i = 0; i < 2 && text.len > 0 && text.data[text.len - 1] == '='; i++)
            text.len--;
    uint32_t bits = 0;
    int n_bits = 0;
    char *from = arka_buf_reserve(out, text.len / 4 * 3 + 3), *to = from;
    if (from == NULL || text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int v = value_of(text.data[i]);
        if (v < 0)
            return false;
        bits = (bits << 6 | (uint32_t)v) & 0xfff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            *to++ = (char)(bits >> n_bits);
        }
    }
    if ((bits & ((1u << n_bits) - 1)) != 0)
        return false;
    out->len += (size_t)(to - from);
    return true;
}
