#include "base/json.h"

#include <math.h>

#include "base/number.h"
#include "base/utf8.h"

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void escape(arka_buf *out, unsigned char c)
{
    static const char SHORT[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                 ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    static const char HEX[] = "0123456789abcdef";
    char text[6] = {'\\', c < sizeof SHORT ? SHORT[c] : 0};
    if (text[1] != 0) {
        arka_buf_append(out, text, 2);
        return;
    }
    memcpy(text + 1, "u00", 3);
    text[4] = HEX[c >> 4];
    text[5] = HEX[c & 15];
    arka_buf_append(out, text, 6);
}

void arka_json_string(arka_buf *out, arka_slice text)
{
    arka_buf_byte(out, '"');
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        while (i < text.len && is_plain((unsigned char)text.data[i]))
            i++;
        if (i > from)
            arka_buf_append(out, text.data + from, i - from);
        if (i < text.len)
            escape(out, (unsigned char)text.data[i++]);
    }
    arka_buf_byte(out, '"');
}

void arka_json_string_repaired(arka_buf *out, arka_slice bytes)
{
    if (arka_utf8_valid(bytes.data, bytes.len)) {
        arka_json_string(out, bytes);
        return;
    }
    arka_buf good = ARKA_BUF_INIT;
    arka_utf8_repair(&good, bytes);
    out->failed |= good.failed;
    arka_json_string(out, (arka_slice){good.data, good.len});
    arka_buf_fini(&good);
}

void arka_json_f64(arka_buf *out, double v)
{
    if (!isfinite(v)) {
        arka_buf_literal(out, "null");
        return;
    }
    char *to = arka_buf_reserve(out, ARKA_NUMBER_TEXT);
    if (to != NULL)
        out->len += arka_format_f64(to, v);
}

void arka_json_i64(arka_buf *out, int64_t v)
{
    char *to = arka_buf_reserve(out, ARKA_NUMBER_TEXT);
    if (to != NULL)
        out->len += arka_format_i64(to, v);
}

const char *arka_json_string_end(const char *at, const char *end)
{
    while (at < end && *at != '"')
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    return at;
}

/* The four digits behind "\u"; -1 when they are not there. */
static int32_t hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = arka_hex_digit(at[i]);
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* The character of an escape at *at (behind its 'u'), moved behind it; -1: it is none. */
static int32_t take_code_point(const char **at, const char *end)
{
    int32_t c = hex4(*at, end);
    if (c < 0)
        return -1;
    *at += 4;
    if (c < 0xd800 || c > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return c;
    int32_t low = hex4(*at + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return c;
    *at += 6;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

size_t arka_json_unescape(arka_slice inside, char *to, size_t *n)
{
    static const char FROM[] = "\"\\/bfnrt", INTO[] = "\"\\/\b\f\n\r\t";
    const char *at = inside.data, *end = at + inside.len;
    char *start = to;
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash ? backslash : end) - at);
        memmove(to, at, plain);
        to += plain;
        if (backslash == NULL)
            break;
        at = backslash + 1;
        char c = at < end ? *at++ : 0;
        const char *simple = c ? strchr(FROM, c) : NULL;
        int32_t code = c == 'u' ? take_code_point(&at, end) : simple ? INTO[simple - FROM] : -1;
        if (code < 0)
            return (size_t)(backslash - inside.data);
        to += arka_utf8_put(to, (uint32_t)code);
    }
    *n = (size_t)(to - start);
    return inside.len;
}
