/**
 * The few InfluxQL statements that clients of InfluxDB 1 send before they write: their words, not
 * the language. Pure.
 */
#ifndef ARKA_INFLUXQL_INFLUXQL_H
#define ARKA_INFLUXQL_INFLUXQL_H

#include "base/arena.h"
#include "base/vec.h"

typedef enum arka_influxql_kind {
    ARKA_INFLUXQL_CREATE_DATABASE, /* name; what follows WITH is ignored */
    ARKA_INFLUXQL_SHOW_DATABASES,
    ARKA_INFLUXQL_SHOW_MEASUREMENTS,       /* ON name (may be empty), LIMIT, OFFSET */
    ARKA_INFLUXQL_SHOW_RETENTION_POLICIES, /* ON name (may be empty) */
    ARKA_INFLUXQL_OTHER, /* tokens fine, but nothing that we answer; text shows it */
} arka_influxql_kind;

typedef struct arka_influxql_statement {
    arka_influxql_kind kind;
    arka_slice name;       /* of a database, unquoted */
    int64_t limit, offset; /* limit < 0: none */
    arka_slice text;       /* as written */
} arka_influxql_statement;

typedef ARKA_VEC(arka_influxql_statement) arka_influxql_statements;

/**
 * Split `text` at semicolons outside quotes and comments, and recognise each statement; keywords in
 * any case. Names live as long as the arena or `text`; `out` (empty before) is freed by the caller.
 * ARKA_INPUT: no statement at all, a quote that is not closed, a character that InfluxQL has not.
 */
ARKA_MUST_USE arka_status arka_influxql_parse(arka_slice text, arka_arena *arena,
                                              arka_influxql_statements *out, arka_error *err);

#endif
