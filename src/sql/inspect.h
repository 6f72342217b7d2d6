/**
 * What a statement is and touches, by DuckDB's own parser, before DuckDB binds it. Everything that
 * is not known to be harmless is refused: kinds of statements, tables and expressions by list,
 * functions by list (functions.h). Names of tables are collected, not looked up: the result depends
 * on the text alone and is shared by all queries of it. Private to sql/.
 */
#ifndef ARKA_SQL_INSPECT_H
#define ARKA_SQL_INSPECT_H

#include <duckdb.h>

#include "base/mem.h"
#include "sql/complaint.h"
#include "sql/tail.h"

typedef enum arka_statement {
    ARKA_STATEMENT_SELECT,   /* SELECT, WITH, FROM, VALUES, TABLE, in parentheses or not */
    ARKA_STATEMENT_DESCRIBE, /* DESCRIBE, DESC, SUMMARIZE */
    ARKA_STATEMENT_EXPLAIN,
    ARKA_STATEMENT_SHOW_DATABASES,
    ARKA_STATEMENT_SHOW_TABLES,
} arka_statement;

/** One place where a table is named. */
typedef struct arka_table_use {
    arka_slice database; /* empty: not qualified */
    arka_slice table;
    size_t at; /* in the user's text, or ARKA_TEXT_NOWHERE */
    arka_range range;
    arka_tail tail;
} arka_table_use;

typedef struct arka_inspection {
    arka_ref ref;
    arka_arena arena; /* owns everything below */
    arka_statement statement;
    arka_text text;
    arka_slice show_database; /* of SHOW TABLES FROM; empty: none */
    size_t show_at;
    arka_table_use *uses;
    size_t n_uses, cap_uses;
    bool information_schema; /* names one of information_schema's views */
    size_t information_at;
    bool is_volatile;    /* the same rows may give another answer at another time: volatile.h */
    bool current_schema; /* asks for it */
    size_t current_schema_at;
} arka_inspection;

/** DuckDB's parser, as one connection reaches it. */
typedef struct arka_parser {
    duckdb_connection connection; /* borrowed */
    duckdb_prepared_statement serialize;
} arka_parser;

ARKA_MUST_USE arka_status arka_parser_init(arka_parser *parser, duckdb_connection connection,
                                           arka_error *err);
/** Before the connection goes. Zero-initialised is fine. */
void arka_parser_fini(arka_parser *parser);

/**
 * Inspect one statement. The parser's connection also folds constants; it must be idle.
 * ARKA_INPUT: no SQL, no statement or too long; ARKA_FORBIDDEN: not allowed. Free with unref.
 */
ARKA_MUST_USE arka_status arka_inspect(const arka_parser *parser, arka_slice text,
                                       arka_inspection **out, arka_error *err);
static inline arka_inspection *arka_inspection_ref(arka_inspection *inspection)
{
    arka_ref_add(&inspection->ref);
    return inspection;
}
/** NULL is fine. */
void arka_inspection_unref(arka_inspection *inspection);
ARKA_CLEANUP(arka_inspection, arka_inspection_unref)

/** DuckDB's parse tree of the one statement in `sql` (NUL-terminated), by json_serialize_sql. */
ARKA_MUST_USE arka_status arka_parse_sql(const arka_parser *parser, const arka_text *text,
                                         size_t offset, arka_arena *arena,
                                         const arka_tree **out_node, arka_error *err);

#endif
