/** Tokens of InfluxQL, and where they stand. Private to influxql/. */
#ifndef ARKA_INFLUXQL_LEXER_H
#define ARKA_INFLUXQL_LEXER_H

#include "influxql/influxql.h"

/* The signs: X(name, text) */
#define ARKA_INFLUXQL_SIGNS(X)                                                                     \
    X(ADD, "+")                                                                                    \
    X(SUB, "-")                                                                                    \
    X(MUL, "*")                                                                                    \
    X(DIV, "/")                                                                                    \
    X(MOD, "%")                                                                                    \
    X(BIT_AND, "&")                                                                                \
    X(BIT_OR, "|")                                                                                 \
    X(BIT_XOR, "^")                                                                                \
    X(EQ, "=")                                                                                     \
    X(NE, "!=")                                                                                    \
    X(MATCH, "=~")                                                                                 \
    X(NOT_MATCH, "!~")                                                                             \
    X(LT, "<")                                                                                     \
    X(LE, "<=")                                                                                    \
    X(GT, ">")                                                                                     \
    X(GE, ">=")                                                                                    \
    X(OPEN, "(")                                                                                   \
    X(CLOSE, ")")                                                                                  \
    X(COMMA, ",")                                                                                  \
    X(COLON, ":")                                                                                  \
    X(DOUBLE_COLON, "::")                                                                          \
    X(SEMICOLON, ";")                                                                              \
    X(DOT, ".")

typedef enum token_kind {
    T_EOF,
    T_ILLEGAL, /* the character, or nothing of a comment without end */
    T_IDENT,
    T_STRING,
    T_BADSTRING,
    T_BADESCAPE,
    T_INTEGER,
    T_NUMBER,
    T_DURATION_VALUE,
    T_REGEX,
    T_BADREGEX,
    T_BOUND, /* $name that has no value */
#define X(name, text) T_##name,
    ARKA_INFLUXQL_SIGNS(X)
#include "influxql/tokens.def"
#undef X
        T_N_KINDS
} token_kind;

typedef struct token {
    token_kind kind;
    bool spaced;     /* blanks or a comment before it */
    arka_slice text; /* of names and literals, decoded; empty of words and signs */
    const char *from, *to;
    arka_influxql_place at;     /* where messages say it is */
    arka_influxql_place before; /* the character before it */
} token;

typedef struct lexer {
    const char *begin, *at, *end;
    arka_influxql_place place, previous; /* of `at`, and of the character before */
    bool after_match;                    /* what follows is a regular expression, not a comment */
    bool end_seen; /* what came last looked behind the end: messages count that as a character */
    const arka_influxql_params *params; /* may be NULL */
    arka_arena *arena;                  /* for decoded texts; its `failed` is the caller's to ask */
} lexer;

void lexer_init(lexer *l, arka_slice text, const arka_influxql_params *params, arka_arena *arena);
/** The next token; T_EOF for ever at the end. */
token lexer_next(lexer *l);
/** Read again from a token that is T_DIV: as a regular expression, T_REGEX or T_BADREGEX. */
token lexer_regex(lexer *l, const token *slash);

/** "EOF", "SELECT", "=~": what a kind is called in messages. */
const char *token_kind_text(token_kind kind);
/** The keyword, or T_IDENT. */
token_kind token_lookup(arka_slice word);

#endif
