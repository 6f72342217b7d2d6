/* TOML 1.0.0, section String: the four forms. */
#include "base/number.h"
#include "base/utf8.h"
#include "config/toml_priv.h"

static arka_status read_code_point(arka_toml_place *p, int n_digits, arka_buf *out, arka_error *err)
{
    uint32_t c = 0;
    arka_toml_place from = *p;
    for (int i = 0; i < n_digits; i++, p->at++) {
        int v = arka_hex_digit(arka_toml__peek(p, 0));
        if (v < 0)
            return arka_toml__unexpected(p, err,
                                         n_digits == 4 ? "four hexadecimal digits after \\u"
                                                       : "eight hexadecimal digits after \\U");
        c = c << 4 | (uint32_t)v;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return arka_toml__refuse(&from, err, "found U+%04X, expected a character of Unicode",
                                 (unsigned)c);
    char utf8[4];
    arka_buf_append(out, utf8, arka_utf8_put(utf8, c));
    return ARKA_OK;
}

/* Behind the backslash that ends a line: all blanks and line ends up to the next character. */
static void skip_blank_lines(arka_toml_place *p)
{
    for (;;) {
        char c = arka_toml__peek(p, 0);
        if (c == ' ' || c == '\t')
            p->at++;
        else if (p->at < p->end && arka_toml__at_line_end(p))
            arka_toml__next_line(p);
        else
            return;
    }
}

static bool ends_its_line(arka_toml_place p)
{
    while (arka_toml__peek(&p, 0) == ' ' || arka_toml__peek(&p, 0) == '\t')
        p.at++;
    return p.at < p.end && arka_toml__at_line_end(&p);
}

/* Behind a backslash. */
static arka_status read_escape(arka_toml_place *p, bool lines, arka_buf *out, arka_error *err)
{
    static const char FROM[] = "btnfr\"\\", TO[] = "\b\t\n\f\r\"\\";
    char c = arka_toml__peek(p, 0);
    const char *found = c ? strchr(FROM, c) : NULL;
    if (found != NULL) {
        p->at++;
        arka_buf_byte(out, TO[found - FROM]);
        return ARKA_OK;
    }
    if (c == 'u' || c == 'U') {
        p->at++;
        return read_code_point(p, c == 'u' ? 4 : 8, out, err);
    }
    if (lines && ends_its_line(*p)) {
        skip_blank_lines(p);
        return ARKA_OK;
    }
    return arka_toml__unexpected(p, err, "one of b t n f r u U \" \\ after a backslash");
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static arka_status read_line_into(arka_toml_place *p, char quote, arka_buf *out, arka_error *err)
{
    for (;;) {
        if (arka_toml__at_line_end(p) || is_control(*p->at))
            return arka_toml__unexpected(
                p, err, quote == '"' ? "the string's closing \"" : "the string's closing '");
        char c = *p->at++;
        if (c == quote)
            return ARKA_OK;
        if (c == '\\' && quote == '"')
            ARKA_TRY(read_escape(p, false, out, err));
        else
            arka_buf_byte(out, c);
    }
}

/* Quotes at p->at, up to five. */
static size_t count_quotes(const arka_toml_place *p, char quote)
{
    size_t n = 0;
    while (n < 5 && arka_toml__peek(p, n) == quote)
        n++;
    return n;
}

static arka_status read_lines_into(arka_toml_place *p, char quote, arka_buf *out, arka_error *err)
{
    if (p->at < p->end && arka_toml__at_line_end(p))
        arka_toml__next_line(p);
    for (;;) {
        if (p->at < p->end && arka_toml__at_line_end(p)) {
            arka_buf_byte(out, '\n');
            arka_toml__next_line(p);
            continue;
        }
        if (p->at == p->end || is_control(*p->at))
            return arka_toml__unexpected(
                p, err, quote == '"' ? "the string's closing \"\"\"" : "the string's closing '''");
        size_t n = count_quotes(p, quote);
        if (n >= 3) { /* one or two before the closing three belong to the text */
            for (size_t i = 3; i < n; i++)
                arka_buf_byte(out, quote);
            p->at += n;
            return ARKA_OK;
        }
        char c = *p->at++;
        if (c == '\\' && quote == '"')
            ARKA_TRY(read_escape(p, true, out, err));
        else
            arka_buf_byte(out, c);
    }
}

arka_status arka_toml__string(arka_toml_place *p, bool lines, arka_slice *out, arka_error *err)
{
    char quote = *p->at;
    bool three = arka_toml__peek(p, 1) == quote && arka_toml__peek(p, 2) == quote;
    if (three && !lines)
        return arka_toml__refuse(p, err,
                                 "found a string of several lines, expected a key on one line");
    p->at += three ? 3 : 1;
    arka_buf text = ARKA_BUF_INIT;
    arka_status status =
        three ? read_lines_into(p, quote, &text, err) : read_line_into(p, quote, &text, err);
    if (status == ARKA_OK) {
        char *kept =
            text.failed ? NULL : arka_arena_strndup(p->arena, text.len ? text.data : "", text.len);
        *out = (arka_slice){kept, text.len};
        status = kept ? ARKA_OK : arka_fail_nomem(err, "a text", text.len);
    }
    arka_buf_fini(&text);
    return status;
}
