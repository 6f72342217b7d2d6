#include "influxql/lexer.h"

#include <strings.h>

static const char *const TEXTS[T_N_KINDS] = {
    [T_EOF] = "EOF",         [T_ILLEGAL] = "ILLEGAL",     [T_IDENT] = "IDENT",
    [T_STRING] = "STRING",   [T_BADSTRING] = "BADSTRING", [T_BADESCAPE] = "BADESCAPE",
    [T_INTEGER] = "INTEGER", [T_NUMBER] = "NUMBER",       [T_DURATION_VALUE] = "DURATIONVAL",
    [T_REGEX] = "REGEX",     [T_BADREGEX] = "BADREGEX",   [T_BOUND] = "BOUNDPARAM",
#define X(name, text) [T_##name] = text,
    ARKA_INFLUXQL_SIGNS(X)
#include "influxql/tokens.def"
#undef X
};

const char *token_kind_text(token_kind kind)
{
    return TEXTS[kind];
}

token_kind token_lookup(arka_slice word)
{
    for (int kind = T_DOT + 1; kind < T_N_KINDS; kind++)
        if (strlen(TEXTS[kind]) == word.len && strncasecmp(TEXTS[kind], word.data, word.len) == 0)
            return (token_kind)kind;
    return T_IDENT;
}

void lexer_init(lexer *l, arka_slice text, const arka_influxql_params *params, arka_arena *arena)
{
    if (text.data == NULL)
        text = (arka_slice){"", 0};
    *l = (lexer){.begin = text.data,
                 .at = text.data,
                 .end = text.data + text.len,
                 .place = {1, 1},
                 .previous = {1, 1},
                 .params = params,
                 .arena = arena};
}

/* ---- characters ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_letter(c) || is_digit(c) || c == '_';
}

/* What stands `n` bytes on; 0 behind the end. */
static char peek(const lexer *l, size_t n)
{
    return n < (size_t)(l->end - l->at) ? l->at[n] : 0;
}

/* Past one byte; a line ends with \n, \r or both, a character with its last byte. */
static void step(lexer *l)
{
    char c = *l->at++;
    if (c == '\r' && peek(l, 0) == '\n')
        l->at++;
    if ((unsigned char)peek(l, 0) >= 0x80 && (unsigned char)peek(l, 0) < 0xc0 &&
        (unsigned char)c >= 0x80)
        return; /* in the middle of a character */
    l->previous = l->place;
    l->place.column++;
    if (c == '\n' || c == '\r')
        l->place = (arka_influxql_place){l->place.line + 1, 1};
}

static void step_n(lexer *l, size_t n)
{
    for (; n > 0; n--)
        step(l);
}

/* Blanks and comments; false: a comment has no end. */
static bool skip_space(lexer *l, bool before_regex)
{
    for (;;) {
        char c = peek(l, 0);
        if (l->at == l->end) {
            return true;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            step(l);
            l->end_seen = l->at == l->end;
        } else if (c == '-' && peek(l, 1) == '-') {
            while (l->at < l->end && *l->at != '\n' && *l->at != '\r')
                step(l);
            l->end_seen = l->at == l->end;
        } else if (c == '/' && peek(l, 1) == '*' && !before_regex) {
            const char *close = l->end - l->at < 4
                                    ? NULL
                                    : memmem(l->at + 2, (size_t)(l->end - l->at - 2), "*/", 2);
            if (close == NULL)
                return false;
            while (l->at < close + 2)
                step(l);
        } else {
            return true;
        }
    }
}

/* ---- names and literals ---- */

/* What escapes stand for, in a copy. */
static arka_slice unescape(lexer *l, const char *from, size_t n)
{
    char *text = arka_arena_alloc(l->arena, n);
    size_t len = 0;
    for (size_t i = 0; text != NULL && i < n; i++) {
        bool escape = from[i] == '\\';
        i += escape;
        text[len++] = escape && from[i] == 'n' ? '\n' : from[i];
    }
    return (arka_slice){text, len};
}

/* Between quotes, from the opening one on; escapes are decoded. */
static void lex_quoted(lexer *l, token *t)
{
    char quote = *l->at;
    bool is_name = quote == '"', escaped = false;
    t->at = is_name ? l->place : l->previous;
    step(l);
    const char *from = l->at;
    while (l->at < l->end && *l->at != quote && *l->at != '\n' && *l->at != '\r') {
        if (*l->at == '\\') {
            char c = peek(l, 1);
            step(l);
            if (c != 'n' && c != '\\' && c != '"' && c != '\'') {
                t->kind = T_BADESCAPE;
                t->at = l->place;
                t->text = (arka_slice){l->at - 1, l->at < l->end ? 2 : 1};
                return;
            }
            escaped = true;
        }
        step(l);
    }
    t->text = (arka_slice){from, (size_t)(l->at - from)};
    if (escaped)
        t->text = unescape(l, from, t->text.len);
    if (l->at == l->end || *l->at != quote) {
        t->kind = T_BADSTRING;
        t->at = t->before;
        return;
    }
    step(l);
    t->kind = is_name ? T_IDENT : T_STRING;
}

static void lex_word(lexer *l, token *t)
{
    const char *from = l->at;
    while (is_name_char(peek(l, 0)))
        step(l);
    l->end_seen = l->at == l->end;
    t->text = (arka_slice){from, (size_t)(l->at - from)};
    t->kind = token_lookup(t->text);
    if (t->kind != T_IDENT)
        t->text.len = 0;
}

static size_t letter_size(const lexer *l)
{
    if (is_letter(peek(l, 0)))
        return 1;
    return peek(l, 0) == '\xc2' && peek(l, 1) == '\xb5' ? 2 : 0; /* µ */
}

static void lex_number(lexer *l, token *t)
{
    const char *from = l->at;
    while (is_digit(peek(l, 0)))
        step(l);
    t->kind = T_INTEGER;
    t->text = (arka_slice){from, (size_t)(l->at - from)};
    if (peek(l, 0) == '.') {
        t->kind = T_NUMBER;
        step(l);
        while (is_digit(peek(l, 0)))
            step(l);
        t->text.len = (size_t)(l->at - from) - (l->at[-1] == '.' ? 1 : 0);
        return;
    }
    if (letter_size(l) == 0)
        return;
    t->kind = T_DURATION_VALUE;
    while (letter_size(l) > 0 || is_digit(peek(l, 0)))
        step_n(l, letter_size(l) ? letter_size(l) : 1);
    t->text.len = (size_t)(l->at - from);
}

/* $name: its value, if it has one. */
static void lex_bound(lexer *l, token *t)
{
    static const token_kind KINDS[] = {T_STRING, T_IDENT,          T_REGEX, T_INTEGER,
                                       T_NUMBER, T_DURATION_VALUE, T_TRUE,  T_BOUND};
    const char *from = l->at;
    arka_slice name;
    step(l);
    if (peek(l, 0) == '"') {
        token quoted = *t;
        lex_quoted(l, &quoted);
        name = quoted.text;
    } else {
        const char *begin = l->at;
        while (is_name_char(peek(l, 0)))
            step(l);
        l->end_seen = l->at == l->end;
        name = (arka_slice){begin, (size_t)(l->at - begin)};
    }
    t->kind = T_BOUND;
    t->text = (arka_slice){from, (size_t)(l->at - from)};
    for (size_t i = 0; l->params != NULL && i < l->params->n; i++) {
        const arka_influxql_param *param = &l->params->items[i];
        if (!arka_slice_eq(param->name, name))
            continue;
        t->kind = KINDS[param->kind];
        t->text = param->text;
        if (t->kind == T_TRUE) {
            t->kind = arka_slice_eq(param->text, ARKA_SLICE("true")) ? T_TRUE : T_FALSE;
            t->text.len = 0;
        }
        return;
    }
}

static void lex_sign(lexer *l, token *t)
{
    size_t best = 0;
    for (int kind = T_ADD; kind <= T_DOT; kind++) {
        size_t n = strlen(TEXTS[kind]);
        if (n > best && n <= (size_t)(l->end - l->at) && memcmp(l->at, TEXTS[kind], n) == 0) {
            best = n;
            t->kind = (token_kind)kind;
        }
    }
    if (peek(l, 0) == '<' && peek(l, 1) == '>') {
        best = 2;
        t->kind = T_NE;
    }
    if (best > 0) {
        step_n(l, best);
        return;
    }
    const char *from = l->at;
    t->kind = T_ILLEGAL;
    step(l);
    while ((unsigned char)peek(l, 0) >= 0x80 && (unsigned char)peek(l, 0) < 0xc0 &&
           (unsigned char)*from >= 0x80)
        step(l);
    t->text = (arka_slice){from, (size_t)(l->at - from)};
}

token lexer_next(lexer *l)
{
    const char *from = l->at;
    bool closed = skip_space(l, l->after_match);
    token t = {.spaced = l->at > from, .from = l->at, .at = l->place, .before = l->previous};
    char c = peek(l, 0);
    if (!closed) {
        t.kind = T_ILLEGAL;
        l->at = l->end;
    } else if (l->at == l->end) {
        t.kind = T_EOF;
        t.at.column += l->end_seen;
    } else {
        l->end_seen = false;
        if (is_letter(c) || c == '_')
            lex_word(l, &t);
        else if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
            lex_number(l, &t);
        else if (c == '"' || c == '\'')
            lex_quoted(l, &t);
        else if (c == '$')
            lex_bound(l, &t);
        else
            lex_sign(l, &t);
    }
    t.to = l->at;
    l->after_match = t.kind == T_MATCH || t.kind == T_NOT_MATCH;
    return t;
}

/* "\/" is "/", all other escapes are the expression's own. */
static arka_slice unescape_slashes(lexer *l, const char *from, size_t n)
{
    char *text = arka_arena_alloc(l->arena, n);
    size_t len = 0;
    for (size_t i = 0; text != NULL && i < n; i++) {
        if (from[i] == '\\' && i + 1 < n && from[i + 1] == '/')
            i++;
        text[len++] = from[i];
    }
    return (arka_slice){text, len};
}

token lexer_regex(lexer *l, const token *slash)
{
    token t = *slash;
    bool escaped = false;
    l->at = slash->from;
    l->place = slash->at;
    l->end_seen = false;
    t.at = slash->before;
    t.kind = T_BADREGEX;
    step(l);
    const char *from = l->at;
    while (l->at < l->end && *l->at != '/' && *l->at != '\n' && *l->at != '\r') {
        if (*l->at == '\\' && peek(l, 1) == '/') {
            step(l);
            escaped = true;
        }
        step(l);
    }
    size_t n = (size_t)(l->at - from);
    if (l->at < l->end && *l->at == '/') {
        step(l);
        t.kind = T_REGEX;
        t.text = escaped ? unescape_slashes(l, from, n) : (arka_slice){from, n};
    }
    t.to = l->at;
    return t;
}
