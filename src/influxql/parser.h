/**
 * The parser's parts: parse.c reads statements by the list, clauses.c what follows their words,
 * read_select.c what SELECT has, read_expr.c expressions. One thread, one text. Private to
 * influxql/.
 */
#ifndef ARKA_INFLUXQL_PARSER_H
#define ARKA_INFLUXQL_PARSER_H

#include "base/vec.h"
#include "influxql/lexer.h"

typedef struct parser {
    lexer lexer;
    token token; /* the one at hand */
    arka_arena *arena;
    int depth; /* of parentheses and queries around it */
} parser;

typedef enum clause {
    CLAUSE_END,
#define X(name) CLAUSE_##name,
#include "influxql/clauses.def"
#undef X
} clause;

enum { STATEMENT_WORDS = 6, STATEMENT_CLAUSES = 12 };
typedef struct statement_row {
    const char *words;
    clause clauses[STATEMENT_CLAUSES]; /* up to CLAUSE_END */
} statement_row;
extern const statement_row statement_rows[ARKA_INFLUXQL_N_KINDS];

/* ---- parse.c ---- */

void parser_next(parser *p);
/** Past it, if it is at hand. */
bool parser_take(parser *p, token_kind kind);
/** "found X, expected Y at line L, char C", of the token at hand. */
ARKA_MUST_USE arka_status parser_expected(parser *p, const char *expected, arka_error *err);
/** Another complaint, with the place. */
ARKA_MUST_USE arka_status parser_wrong(arka_influxql_place at, arka_error *err, const char *format,
                                       ...) ARKA_PRINTF(3, 4);
/** … without one. */
#define parser_refused(err, ...) arka_fail((err), ARKA_INPUT, "error parsing query: " __VA_ARGS__)
ARKA_MUST_USE arka_status parser_need(parser *p, token_kind kind, arka_error *err);
ARKA_MUST_USE arka_status parser_name(parser *p, arka_slice *out, arka_error *err);
ARKA_MUST_USE arka_status parser_string(parser *p, arka_slice *out, arka_error *err);
/** *out: a copy in the arena of `n` items of `bytes` each; the list that held them is freed. */
ARKA_MUST_USE arka_status parser_keep(parser *p, void *items, size_t n, size_t bytes, void *out,
                                      arka_error *err);
/** One level deeper; ARKA_INPUT when that is too deep. Taken back with p->depth--. */
ARKA_MUST_USE arka_status parser_enter(parser *p, arka_error *err);

/* ---- the others ---- */

ARKA_MUST_USE arka_status parser_clause(parser *p, clause which, arka_influxql_statement *s,
                                        arka_error *err);

ARKA_MUST_USE arka_status parser_expr(parser *p, const arka_influxql_expr **out, arka_error *err);
/** A regular expression if one is at hand; else *out is NULL. */
ARKA_MUST_USE arka_status parser_regex(parser *p, const arka_influxql_expr **out, arka_error *err);
/** A duration's text as ns; false: it is none. */
bool parser_duration(arka_slice text, int64_t *out);

/** What stands behind the word SELECT. */
ARKA_MUST_USE arka_status parser_select(parser *p, bool need_target, arka_influxql_select *out,
                                        arka_error *err);
ARKA_MUST_USE arka_status parser_source(parser *p, bool queries, arka_influxql_source *out,
                                        arka_error *err);
ARKA_MUST_USE arka_status parser_sources(parser *p, bool queries, arka_influxql_select *out,
                                         arka_error *err);
/* These read nothing when their first word is not at hand. */
ARKA_MUST_USE arka_status parser_where(parser *p, arka_influxql_select *out, arka_error *err);
ARKA_MUST_USE arka_status parser_group(parser *p, arka_influxql_select *out, arka_error *err);
ARKA_MUST_USE arka_status parser_order(parser *p, arka_influxql_select *out, arka_error *err);
ARKA_MUST_USE arka_status parser_limit(parser *p, token_kind word, int64_t *out, arka_error *err);
/** Names parted by dots, at most three; *more: a dot came last, and what follows it is no name. */
typedef struct segments {
    arka_slice names[3];
    int n;
    bool more;
} segments;
ARKA_MUST_USE arka_status parser_segments(parser *p, segments *out, arka_error *err);

#endif
