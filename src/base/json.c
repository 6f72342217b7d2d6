#include "base/json.h"

#include <math.h>

#include "base/number.h"

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
