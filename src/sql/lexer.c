#include "sql/lexer.h"

#include <stdint.h>
#include <strings.h>

#define NEVER SIZE_MAX /* where something ends that does not */

static bool starts_word(unsigned char c)
{
    return (unsigned)(c | 32) - 'a' < 26 || c == '_' || c >= 0x80;
}
static bool is_digit(unsigned char c)
{
    return (unsigned)c - '0' < 10;
}
static bool goes_on_word(unsigned char c)
{
    return starts_word(c) || is_digit(c) || c == '$';
}

static unsigned char byte_at(const arka_lexer *l, size_t at)
{
    return at < l->text.len ? (unsigned char)l->text.data[at] : 0;
}

/* Past blanks and comments; false when a comment never ends. */
static bool skip_blanks(arka_lexer *l)
{
    for (;;) {
        unsigned char c = byte_at(l, l->at);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            l->at++;
        } else if (c == '-' && byte_at(l, l->at + 1) == '-') {
            while (l->at < l->text.len && byte_at(l, l->at) != '\n' && byte_at(l, l->at) != '\r')
                l->at++;
        } else if (c == '/' && byte_at(l, l->at + 1) == '*') {
            size_t from = l->at;
            int depth = 0;
            do {
                bool open = byte_at(l, l->at) == '/' && byte_at(l, l->at + 1) == '*';
                bool close = byte_at(l, l->at) == '*' && byte_at(l, l->at + 1) == '/';
                depth += open - close;
                l->at += open || close ? 2 : 1;
            } while (depth > 0 && l->at < l->text.len);
            if (depth > 0) {
                l->at = from;
                return false;
            }
        } else {
            return true;
        }
    }
}

/* Behind the closing quote of what opens at `at`. */
static size_t quoted_end(const arka_lexer *l, size_t at, bool backslashes)
{
    char quote = l->text.data[at];
    for (size_t i = at + 1; i < l->text.len; i++) {
        if (backslashes && l->text.data[i] == '\\')
            i++;
        else if (l->text.data[i] == quote) {
            if (byte_at(l, i + 1) != (unsigned char)quote)
                return i + 1;
            i++;
        }
    }
    return NEVER;
}

/* "$tag$": the length of the delimiter at `at`, or 0 if it is none. */
static size_t dollar_length(const arka_lexer *l, size_t at)
{
    size_t i = at + 1;
    if (starts_word(byte_at(l, i)))
        while (goes_on_word(byte_at(l, i)) && byte_at(l, i) != '$')
            i++;
    return byte_at(l, i) == '$' ? i + 1 - at : 0;
}

static size_t dollar_end(const arka_lexer *l, size_t at, size_t length)
{
    const char *body = l->text.data + at + length;
    const char *close = memmem(body, l->text.len - at - length, l->text.data + at, length);
    return close ? (size_t)(close - l->text.data) + length : NEVER;
}

static arka_token token(arka_lexer *l, arka_token_kind kind, size_t from, size_t end)
{
    if (end == NEVER) {
        kind = ARKA_TOKEN_BROKEN;
        end = l->text.len;
    }
    l->at = end;
    return (arka_token){kind, from, {l->text.data + from, end - from}};
}

arka_token arka_lexer_next(arka_lexer *l)
{
    if (!skip_blanks(l))
        return token(l, ARKA_TOKEN_BROKEN, l->at, NEVER);
    size_t at = l->at, end = at;
    if (at >= l->text.len)
        return token(l, ARKA_TOKEN_END, l->text.len, l->text.len);

    unsigned char c = byte_at(l, at), after = byte_at(l, at + 1);
    if (c == '"')
        return token(l, ARKA_TOKEN_QUOTED, at, quoted_end(l, at, false));
    if (c == '\'')
        return token(l, ARKA_TOKEN_STRING, at, quoted_end(l, at, false));
    if (after == '\'' && strchr("eExXbBnN", c) != NULL)
        return token(l, ARKA_TOKEN_STRING, at, quoted_end(l, at + 1, (c | 32) == 'e'));
    size_t dollar = c == '$' ? dollar_length(l, at) : 0;
    if (dollar > 0)
        return token(l, ARKA_TOKEN_STRING, at, dollar_end(l, at, dollar));
    if (starts_word(c)) {
        while (goes_on_word(byte_at(l, end)))
            end++;
        return token(l, ARKA_TOKEN_WORD, at, end);
    }
    if (is_digit(c) || (c == '.' && is_digit(after))) {
        while (goes_on_word(byte_at(l, end)) || byte_at(l, end) == '.')
            end++;
        return token(l, ARKA_TOKEN_NUMBER, at, end);
    }
    return token(l, ARKA_TOKEN_SIGN, at, at + 1);
}

bool arka_token_is_word(arka_token t, const char *word)
{
    return t.kind == ARKA_TOKEN_WORD && t.text.len == strlen(word) &&
           strncasecmp(t.text.data, word, t.text.len) == 0;
}

bool arka_token_is_sign(arka_token t, char sign)
{
    return t.kind == ARKA_TOKEN_SIGN && t.text.data[0] == sign;
}
