#include "influxql/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const statement_row statement_rows[ARKA_INFLUXQL_N_KINDS] = {
#define C1(a)                                   CLAUSE_##a
#define C2(a, ...)                              CLAUSE_##a, C1(__VA_ARGS__)
#define C3(a, ...)                              CLAUSE_##a, C2(__VA_ARGS__)
#define C4(a, ...)                              CLAUSE_##a, C3(__VA_ARGS__)
#define C5(a, ...)                              CLAUSE_##a, C4(__VA_ARGS__)
#define C6(a, ...)                              CLAUSE_##a, C5(__VA_ARGS__)
#define C7(a, ...)                              CLAUSE_##a, C6(__VA_ARGS__)
#define C8(a, ...)                              CLAUSE_##a, C7(__VA_ARGS__)
#define C9(a, ...)                              CLAUSE_##a, C8(__VA_ARGS__)
#define PICK(a, b, c, d, e, f, g, h, i, n, ...) n
#define CLAUSES(...)                            PICK(__VA_ARGS__, C9, C8, C7, C6, C5, C4, C3, C2, C1, )(__VA_ARGS__)
#define X(kind, text, ...)                      [ARKA_INFLUXQL_##kind] = {text, {CLAUSES(__VA_ARGS__)}},
#include "influxql/statements.def"
#undef X
};

const char *arka_influxql_kind_words(arka_influxql_kind kind)
{
    return statement_rows[kind].words;
}

/* ---- tokens ---- */

void parser_next(parser *p)
{
    p->token = lexer_next(&p->lexer);
}

bool parser_take(parser *p, token_kind kind)
{
    if (p->token.kind != kind)
        return false;
    parser_next(p);
    return true;
}

arka_status parser_wrong(arka_influxql_place at, arka_error *err, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arka_fail(err, ARKA_INPUT, "error parsing query: %s at line %d, char %d", text, at.line,
                     at.column);
}

arka_status parser_expected(parser *p, const char *expected, arka_error *err)
{
    arka_slice found = p->token.text;
    if (p->arena->failed)
        return arka_fail_nomem(err, "a query", (size_t)(p->lexer.end - p->lexer.begin));
    if (found.len == 0)
        found = arka_slice_of(token_kind_text(p->token.kind));
    return parser_wrong(p->token.at, err, "found %.*s, expected %s",
                        found.len > 100 ? 100 : (int)found.len, found.data, expected);
}

arka_status parser_need(parser *p, token_kind kind, arka_error *err)
{
    return parser_take(p, kind) ? ARKA_OK : parser_expected(p, token_kind_text(kind), err);
}

arka_status parser_name(parser *p, arka_slice *out, arka_error *err)
{
    if (p->token.kind != T_IDENT)
        return parser_expected(p, "identifier", err);
    *out = p->token.text;
    parser_next(p);
    return ARKA_OK;
}

arka_status parser_string(parser *p, arka_slice *out, arka_error *err)
{
    if (p->token.kind != T_STRING)
        return parser_expected(p, "string", err);
    *out = p->token.text;
    parser_next(p);
    return ARKA_OK;
}

arka_status parser_keep(parser *p, void *items, size_t n, size_t bytes, void *out, arka_error *err)
{
    void *kept = arka_arena_alloc(p->arena, n * bytes + 1);
    if (kept != NULL && n > 0)
        memcpy(kept, items, n * bytes);
    memcpy(out, &kept, sizeof kept);
    arka_free(items);
    return kept != NULL ? ARKA_OK : arka_fail_nomem(err, "a query", n * bytes);
}

arka_status parser_enter(parser *p, arka_error *err)
{
    enum { NESTED = 100 };
    if (p->depth++ >= NESTED)
        return parser_refused(err, "more than %d parentheses and queries inside each other",
                              NESTED);
    return ARKA_OK;
}

/* ---- statements ---- */

/* Does the row begin with the `n` words? `rest`: what follows them. */
static bool begins(const statement_row *row, const char *words, size_t n, const char **rest)
{
    *rest = row->words;
    if (n == 0)
        return true;
    if (strncmp(row->words, words, n) != 0 || (row->words[n] != 0 && row->words[n] != ' '))
        return false;
    *rest = row->words + n + (row->words[n] == ' ');
    return true;
}

/* The words that may follow `words`, each once, as a list. */
static void put_choices(const char *words, size_t n, char *out, size_t room)
{
    size_t len = 0;
    const char *rest;
    out[0] = 0;
    for (int i = 0; i < ARKA_INFLUXQL_N_KINDS; i++) {
        if (!begins(&statement_rows[i], words, n, &rest) || *rest == 0)
            continue;
        int size = (int)strcspn(rest, " ");
        bool known = false;
        for (int j = 0; j < i && !known; j++) {
            const char *earlier;
            known = begins(&statement_rows[j], words, n, &earlier) &&
                    (int)strcspn(earlier, " ") == size && strncmp(earlier, rest, (size_t)size) == 0;
        }
        if (!known && len < room)
            len += (size_t)snprintf(out + len, room - len, "%s%.*s", len ? ", " : "", size, rest);
    }
}

/* All the words of one row: *kind is which. */
static arka_status read_words(parser *p, arka_influxql_kind *kind, arka_error *err)
{
    char words[64] = "", choices[300];
    size_t n = 0;
    const char *rest;
    for (;;) {
        const char *word = token_kind_text(p->token.kind);
        size_t size = strlen(word);
        bool further = false, whole = false;
        for (int i = 0; i < ARKA_INFLUXQL_N_KINDS; i++) {
            if (!begins(&statement_rows[i], words, n, &rest))
                continue;
            if (*rest == 0) {
                whole = true;
                *kind = (arka_influxql_kind)i;
            } else if (strcspn(rest, " ") == size && memcmp(rest, word, size) == 0) {
                further = p->token.kind > T_DOT;
            }
        }
        if (!further && whole)
            return ARKA_OK;
        if (!further) {
            put_choices(words, n, choices, sizeof choices);
            return parser_expected(p, choices, err);
        }
        n += (size_t)snprintf(words + n, sizeof words - n, "%s%s", n ? " " : "", word);
        parser_next(p);
    }
}

static arka_status read_statement(parser *p, arka_influxql_statement *s, arka_error *err)
{
    const char *from = p->token.from, *to = from;
    *s = (arka_influxql_statement){.kind = ARKA_INFLUXQL_SELECT};
    ARKA_TRY(read_words(p, &s->kind, err));
    const statement_row *row = &statement_rows[s->kind];
    for (int i = 0; row->clauses[i] != CLAUSE_END; i++)
        ARKA_TRY(parser_clause(p, row->clauses[i], s, err));
    to = p->token.from;
    while (to > from && strchr(" \t\r\n", to[-1]) != NULL)
        to--;
    s->text = (arka_slice){from, (size_t)(to - from)};
    return ARKA_OK;
}

typedef ARKA_VEC(arka_influxql_statement) statement_list;

static arka_status read_all(parser *p, statement_list *list, arka_error *err)
{
    for (bool parted = true; p->token.kind != T_EOF;) {
        if (parser_take(p, T_SEMICOLON)) {
            parted = true;
            continue;
        }
        if (!parted)
            return parser_expected(p, ";", err);
        arka_influxql_statement one;
        ARKA_TRY(read_statement(p, &one, err));
        if (!arka_vec_push(list, one))
            return arka_fail_nomem(err, "a query", sizeof one);
        parted = false;
    }
    return ARKA_OK;
}

arka_status arka_influxql_parse(arka_slice text, const arka_influxql_params *params,
                                arka_arena *arena, arka_influxql_statements *out, arka_error *err)
{
    parser p = {.arena = arena};
    statement_list list = {0};
    *out = (arka_influxql_statements){0};
    lexer_init(&p.lexer, text, params, arena);
    parser_next(&p);
    arka_status status = read_all(&p, &list, err);
    if (status == ARKA_OK && arena->failed)
        status = arka_fail_nomem(err, "a query", text.len);
    if (status != ARKA_OK) {
        arka_vec_fini(&list);
        return status;
    }
    out->n = list.n;
    return parser_keep(&p, list.items, list.n, sizeof *list.items, &out->items, err);
}
