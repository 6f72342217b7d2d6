#include "influxql/influxql.h"

#include <strings.h>

#include "base/number.h"

/* ---- tokens ---- */

typedef enum token_kind { END, WORD, QUOTED, STRING, NUMBER, SIGN, REGEX } token_kind;

typedef struct token {
    token_kind kind;
    arka_slice text; /* as written; of QUOTED and STRING what stands between the quotes, decoded */
} token;

typedef struct lexer {
    const char *begin, *at, *end;
    arka_arena *arena;
    token token;      /* the one at hand */
    const char *from; /* where it begins */
} lexer;

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static void skip_space(lexer *l)
{
    while (l->at < l->end) {
        if (*l->at == ' ' || *l->at == '\t' || *l->at == '\n' || *l->at == '\r') {
            l->at++;
        } else if (l->end - l->at >= 2 && memcmp(l->at, "--", 2) == 0) {
            while (l->at < l->end && *l->at != '\n')
                l->at++;
        } else if (l->end - l->at >= 2 && memcmp(l->at, "/*", 2) == 0) {
            const char *close = memmem(l->at + 2, (size_t)(l->end - l->at - 2), "*/", 2);
            l->at = close ? close + 2 : l->end;
        } else {
            return;
        }
    }
}

static arka_status lex_quoted(lexer *l, token_kind kind, arka_error *err)
{
    char quote = *l->at++;
    char *text = arka_arena_alloc(l->arena, (size_t)(l->end - l->at) + 1);
    size_t n = 0;
    if (text == NULL)
        return arka_fail_nomem(err, "a query", (size_t)(l->end - l->at));
    while (l->at < l->end && *l->at != quote) {
        char c = *l->at++;
        if (c == '\\' && l->at < l->end) {
            c = *l->at++;
            c = c == 'n' ? '\n' : c;
        }
        text[n++] = c;
    }
    if (l->at == l->end)
        return arka_fail(err, ARKA_INPUT, "error parsing query: the %c at char %d is not closed",
                         quote, (int)(l->from - l->begin) + 1);
    l->at++;
    l->token = (token){kind, {text, n}};
    return ARKA_OK;
}

/* A regular expression stands where a value may: after "=~" and "!~". */
static bool lex_regex(lexer *l)
{
    const char *p = l->at + 1;
    while (p < l->end && *p != '/' && *p != '\n')
        p += *p == '\\' && p + 1 < l->end ? 2 : 1;
    if (p >= l->end || *p != '/')
        return false;
    l->token = (token){REGEX, {l->at, (size_t)(p + 1 - l->at)}};
    l->at = p + 1;
    return true;
}

static arka_status next(lexer *l, arka_error *err)
{
    static const char SIGNS[] = ",.;()=<>!~+-*/%&|^:";
    bool after_match = l->token.kind == SIGN && l->token.text.data[0] == '~';
    skip_space(l);
    l->from = l->at;
    l->token = (token){END, {l->at, 0}};
    if (l->at == l->end)
        return ARKA_OK;
    char c = *l->at;
    if (c == '"' || c == '\'')
        return lex_quoted(l, c == '"' ? QUOTED : STRING, err);
    if (c == '/' && after_match && lex_regex(l))
        return ARKA_OK;
    if (is_word_char(c)) {
        while (l->at < l->end && is_word_char(*l->at))
            l->at++;
        bool digit = c >= '0' && c <= '9';
        l->token = (token){digit ? NUMBER : WORD, {l->from, (size_t)(l->at - l->from)}};
        return ARKA_OK;
    }
    if (c == 0 || strchr(SIGNS, c) == NULL)
        return arka_fail(err, ARKA_INPUT, "error parsing query: unexpected character at char %d",
                         (int)(l->from - l->begin) + 1);
    l->token = (token){SIGN, {l->at++, 1}};
    return ARKA_OK;
}

static bool is_word(const lexer *l, const char *word)
{
    return l->token.kind == WORD && l->token.text.len == strlen(word) &&
           strncasecmp(l->token.text.data, word, l->token.text.len) == 0;
}

static bool at_end(const lexer *l)
{
    return l->token.kind == END || (l->token.kind == SIGN && l->token.text.data[0] == ';');
}

/* ---- statements ---- */

/* Past `word` if it is next. */
static arka_status skip_word(lexer *l, const char *word, bool *found, arka_error *err)
{
    *found = is_word(l, word);
    return *found ? next(l, err) : ARKA_OK;
}

static arka_status take_name(lexer *l, arka_slice *out, bool *found, arka_error *err)
{
    *found = l->token.kind == WORD || l->token.kind == QUOTED || l->token.kind == NUMBER;
    if (!*found)
        return ARKA_OK;
    *out = l->token.text;
    return next(l, err);
}

static arka_status read_create(lexer *l, arka_influxql_statement *s, arka_error *err)
{
    bool found;
    ARKA_TRY(skip_word(l, "DATABASE", &found, err));
    if (found)
        ARKA_TRY(take_name(l, &s->name, &found, err));
    if (found && (at_end(l) || is_word(l, "WITH")))
        s->kind = ARKA_INFLUXQL_CREATE_DATABASE;
    return ARKA_OK;
}

/* LIMIT n and OFFSET n, each at most once; *fine stays true while nothing else is met. */
static arka_status read_limits(lexer *l, arka_influxql_statement *s, bool *fine, arka_error *err)
{
    while (*fine && !at_end(l)) {
        bool limit = is_word(l, "LIMIT");
        *fine = limit || is_word(l, "OFFSET");
        if (*fine)
            ARKA_TRY(next(l, err));
        *fine =
            *fine && l->token.kind == NUMBER &&
            arka_parse_i64(l->token.text.data, l->token.text.len, limit ? &s->limit : &s->offset);
        if (*fine)
            ARKA_TRY(next(l, err));
    }
    return ARKA_OK;
}

static arka_status read_show(lexer *l, arka_influxql_statement *s, arka_error *err)
{
    bool found, measurements, policies = false;
    ARKA_TRY(skip_word(l, "DATABASES", &found, err));
    if (found) {
        if (at_end(l))
            s->kind = ARKA_INFLUXQL_SHOW_DATABASES;
        return ARKA_OK;
    }
    ARKA_TRY(skip_word(l, "MEASUREMENTS", &measurements, err));
    if (!measurements) {
        ARKA_TRY(skip_word(l, "RETENTION", &policies, err));
        if (policies)
            ARKA_TRY(skip_word(l, "POLICIES", &policies, err));
    }
    if (!measurements && !policies)
        return ARKA_OK;
    ARKA_TRY(skip_word(l, "ON", &found, err));
    if (found)
        ARKA_TRY(take_name(l, &s->name, &found, err));
    else
        found = true;
    if (measurements)
        ARKA_TRY(read_limits(l, s, &found, err));
    if (found && at_end(l))
        s->kind =
            measurements ? ARKA_INFLUXQL_SHOW_MEASUREMENTS : ARKA_INFLUXQL_SHOW_RETENTION_POLICIES;
    return ARKA_OK;
}

static arka_status read_statement(lexer *l, arka_influxql_statement *s, arka_error *err)
{
    bool found;
    const char *from = l->from;
    *s = (arka_influxql_statement){.kind = ARKA_INFLUXQL_OTHER, .limit = -1};
    ARKA_TRY(skip_word(l, "CREATE", &found, err));
    if (found) {
        ARKA_TRY(read_create(l, s, err));
    } else {
        ARKA_TRY(skip_word(l, "SHOW", &found, err));
        if (found)
            ARKA_TRY(read_show(l, s, err));
    }
    while (!at_end(l))
        ARKA_TRY(next(l, err));
    s->text = (arka_slice){from, (size_t)(l->from - from)};
    if (s->kind == ARKA_INFLUXQL_OTHER)
        s->name = (arka_slice){NULL, 0};
    return ARKA_OK;
}

arka_status arka_influxql_parse(arka_slice text, arka_arena *arena, arka_influxql_statements *out,
                                arka_error *err)
{
    lexer l = {.begin = text.data, .at = text.data, .end = text.data + text.len, .arena = arena};
    ARKA_TRY(next(&l, err));
    while (l.token.kind != END) {
        arka_influxql_statement one;
        if (!at_end(&l)) {
            ARKA_TRY(read_statement(&l, &one, err));
            if (!arka_vec_push(out, one))
                return arka_fail_nomem(err, "a query", text.len);
        }
        if (l.token.kind != END)
            ARKA_TRY(next(&l, err));
    }
    if (out->n == 0)
        return arka_fail(err, ARKA_INPUT, "error parsing query: there is no statement");
    return ARKA_OK;
}
