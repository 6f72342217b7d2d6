#include "base/base64.h"

#include <stdint.h>

void arka_base64_encode(arka_buf *out, arka_slice bytes)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t groups = bytes.len / 3, rest = bytes.len % 3;
    char *to = arka_buf_reserve(out, (groups + 1) * 4);
    if (to == NULL)
        return;
    const unsigned char *p = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < groups; i++, p += 3, to += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        for (int k = 0; k < 4; k++)
            to[k] = DIGITS[v >> (18 - 6 * k) & 63];
    }
    if (rest > 0) {
        uint32_t v = (uint32_t)p[0] << 16 | (rest > 1 ? (uint32_t)p[1] << 8 : 0);
        to[0] = DIGITS[v >> 18];
        to[1] = DIGITS[v >> 12 & 63];
        to[2] = rest > 1 ? DIGITS[v >> 6 & 63] : '=';
        to[3] = '=';
    }
    out->len += (groups + (rest > 0)) * 4;
}
