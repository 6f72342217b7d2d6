/**
 * InfluxQL, the language of InfluxDB 1: text in, tree out, and back. All of its statements are
 * read, whether or not the server runs them. Pure; a tree is immutable and may be read by any
 * thread.
 *
 *     ARKA_TRY(arka_influxql_parse(text, NULL, &arena, &statements, err));
 *     for (size_t i = 0; i < statements.n; i++) ... statements.items[i] ...
 */
#ifndef ARKA_INFLUXQL_INFLUXQL_H
#define ARKA_INFLUXQL_INFLUXQL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

/** Levels of a tree: what nests deeper, or chains more operators, is refused. */
enum { ARKA_INFLUXQL_DEPTH = 2000 };

/* ---- expressions ---- */

typedef enum arka_influxql_expr_kind {
    ARKA_INFLUXQL_STRING,   /* text */
    ARKA_INFLUXQL_INTEGER,  /* integer */
    ARKA_INFLUXQL_UNSIGNED, /* integer, as the bits of one that is above INT64_MAX */
    ARKA_INFLUXQL_NUMBER,   /* number, finite */
    ARKA_INFLUXQL_BOOLEAN,  /* integer: 0 or 1 */
    ARKA_INFLUXQL_DURATION, /* integer: nanoseconds */
    ARKA_INFLUXQL_REGEX,    /* text, not compiled; at */
    ARKA_INFLUXQL_VARIABLE, /* text; type */
    ARKA_INFLUXQL_WILDCARD, /* type: ANY, TAG or FIELD */
    ARKA_INFLUXQL_DISTINCT, /* text: of which variable */
    ARKA_INFLUXQL_CALL,     /* text: name in lower case; args */
    ARKA_INFLUXQL_NEGATED,  /* left */
    ARKA_INFLUXQL_PARENS,   /* left */
    ARKA_INFLUXQL_BINARY,   /* left op right */
} arka_influxql_expr_kind;

/** What stands behind "::" of a variable. */
typedef enum arka_influxql_type {
    ARKA_INFLUXQL_ANY,
    ARKA_INFLUXQL_FLOAT_FIELD,
    ARKA_INFLUXQL_INTEGER_FIELD,
    ARKA_INFLUXQL_UNSIGNED_FIELD,
    ARKA_INFLUXQL_STRING_FIELD,
    ARKA_INFLUXQL_BOOLEAN_FIELD,
    ARKA_INFLUXQL_FIELD,
    ARKA_INFLUXQL_TAG,
} arka_influxql_type;

typedef enum arka_influxql_op {
    ARKA_INFLUXQL_OR,
    ARKA_INFLUXQL_AND,
    ARKA_INFLUXQL_EQ,
    ARKA_INFLUXQL_NE,
    ARKA_INFLUXQL_MATCH,     /* =~ */
    ARKA_INFLUXQL_NOT_MATCH, /* !~ */
    ARKA_INFLUXQL_LT,
    ARKA_INFLUXQL_LE,
    ARKA_INFLUXQL_GT,
    ARKA_INFLUXQL_GE,
    ARKA_INFLUXQL_ADD,
    ARKA_INFLUXQL_SUB,
    ARKA_INFLUXQL_BIT_OR,
    ARKA_INFLUXQL_BIT_XOR,
    ARKA_INFLUXQL_MUL,
    ARKA_INFLUXQL_DIV,
    ARKA_INFLUXQL_MOD,
    ARKA_INFLUXQL_BIT_AND,
} arka_influxql_op;

/** Where something begins in the text; both from 1, characters, not bytes. */
typedef struct arka_influxql_place {
    int line, column;
} arka_influxql_place;

typedef struct arka_influxql_expr {
    arka_influxql_expr_kind kind;
    arka_influxql_op op;
    arka_influxql_type type;
    arka_influxql_place at; /* where it begins; kept of regular expressions */
    int depth;              /* 1: a leaf */
    arka_slice text;
    int64_t integer;
    double number;
    const struct arka_influxql_expr *left, *right;
    const struct arka_influxql_expr *const *args;
    size_t n_args;
} arka_influxql_expr;

/* ---- SELECT ---- */

typedef struct arka_influxql_select arka_influxql_select;

/** [database.][policy.]name, or a regular expression in the place of the name, or a query. */
typedef struct arka_influxql_source {
    arka_slice database, policy, name; /* empty: not given */
    const arka_influxql_expr *regex;
    const arka_influxql_select *query;
} arka_influxql_source;

typedef struct arka_influxql_field {
    const arka_influxql_expr *expr;
    arka_slice alias; /* empty: none */
} arka_influxql_field;

typedef enum arka_influxql_fill {
    ARKA_INFLUXQL_FILL_UNSAID, /* as null */
    ARKA_INFLUXQL_FILL_NULL,
    ARKA_INFLUXQL_FILL_NONE,
    ARKA_INFLUXQL_FILL_PREVIOUS,
    ARKA_INFLUXQL_FILL_LINEAR,
    ARKA_INFLUXQL_FILL_NUMBER, /* fill_value */
} arka_influxql_fill;

typedef enum arka_influxql_order {
    ARKA_INFLUXQL_ORDER_UNSAID, /* ascending */
    ARKA_INFLUXQL_ASCENDING,
    ARKA_INFLUXQL_DESCENDING,
} arka_influxql_order;

/** What SELECT has, and of it what the other statements have. 0 is "none" of a limit and an offset.
 */
struct arka_influxql_select {
    const arka_influxql_field *fields;
    size_t n_fields;
    bool has_target;
    bool target_backreference; /* INTO db.policy.:MEASUREMENT */
    arka_influxql_source target;
    const arka_influxql_source *sources;
    size_t n_sources;
    const arka_influxql_expr *condition; /* NULL: none */
    const arka_influxql_expr *const *dimensions;
    size_t n_dimensions;
    arka_influxql_fill fill;
    const arka_influxql_expr *fill_value; /* INTEGER or NUMBER */
    arka_influxql_order order;
    int64_t limit, offset, slimit, soffset;
    arka_slice time_zone; /* empty: none; not looked up */
};

/* ---- statements ---- */

typedef enum arka_influxql_kind {
#define X(kind, words, ...) ARKA_INFLUXQL_##kind,
#include "influxql/statements.def"
#undef X
    ARKA_INFLUXQL_N_KINDS
} arka_influxql_kind;

/** Of CREATE DATABASE … WITH, CREATE and ALTER RETENTION POLICY. Durations in ns, 0 is INF. */
typedef struct arka_influxql_policy {
    bool given; /* any of it */
    bool has_duration, has_replication, has_shard_duration, is_default;
    int64_t duration, replication, shard_duration;
    arka_slice name; /* of CREATE DATABASE … WITH NAME */
} arka_influxql_policy;

/** Which of these a kind has, says statements.def; the rest is zero. */
typedef struct arka_influxql_statement {
    arka_influxql_kind kind;
    arka_slice text;      /* as written, without the ';' */
    arka_slice name;      /* of what is shown, made or dropped; the user of GRANT and REVOKE */
    arka_slice database;  /* ON …; empty: not said */
    arka_slice in_policy; /* ON database.policy */
    arka_slice host;      /* of KILL QUERY … ON */
    arka_slice module;    /* of SHOW STATS FOR */
    arka_slice password;
    uint64_t number;            /* of a shard, of a query */
    arka_influxql_select query; /* FROM, WHERE and so on; SELECT itself */
    arka_influxql_source *with; /* SHOW MEASUREMENTS WITH MEASUREMENT; NULL: none */
    bool with_regex_op;         /* … by =~ */
    enum {
        ARKA_INFLUXQL_KEY_ALL, /* no WITH KEY */
        ARKA_INFLUXQL_KEY_EQ,
        ARKA_INFLUXQL_KEY_NE,
        ARKA_INFLUXQL_KEY_MATCH,
        ARKA_INFLUXQL_KEY_NOT_MATCH,
        ARKA_INFLUXQL_KEY_IN,
    } key_op;
    const arka_slice *keys; /* of EQ and NE one */
    size_t n_keys;
    const arka_influxql_expr *key_regex;
    arka_influxql_policy policy;
    enum { ARKA_INFLUXQL_MAY_READ, ARKA_INFLUXQL_MAY_WRITE, ARKA_INFLUXQL_MAY_ALL } privilege;
    bool all_destinations; /* ALL, not ANY */
    const arka_slice *destinations;
    size_t n_destinations;
    bool admin;                           /* WITH ALL PRIVILEGES */
    bool analyze;                         /* EXPLAIN ANALYZE */
    int64_t resample_every, resample_for; /* ns; 0: not said */
} arka_influxql_statement;

typedef struct arka_influxql_statements {
    const arka_influxql_statement *items;
    size_t n;
} arka_influxql_statements;

/** A value for $name in the text. */
typedef struct arka_influxql_param {
    arka_slice name;
    enum {
        ARKA_INFLUXQL_PARAM_STRING,
        ARKA_INFLUXQL_PARAM_IDENTIFIER,
        ARKA_INFLUXQL_PARAM_REGEX,
        ARKA_INFLUXQL_PARAM_INTEGER, /* text as InfluxQL writes it, as below */
        ARKA_INFLUXQL_PARAM_NUMBER,
        ARKA_INFLUXQL_PARAM_DURATION,
        ARKA_INFLUXQL_PARAM_BOOLEAN, /* "true" or "false" */
        ARKA_INFLUXQL_PARAM_BAD,     /* no value at all: text says why */
    } kind;
    arka_slice text;
} arka_influxql_param;

typedef struct arka_influxql_params {
    const arka_influxql_param *items;
    size_t n;
} arka_influxql_params;

/**
 * Read all statements of `text`, which lives as long as the tree; the tree is in the arena. No
 * statement at all is fine (n = 0). `params` may be NULL. ARKA_INPUT: "error parsing query: found
 * X, expected Y at line L, char C", in InfluxDB's words. Regular expressions and time zones are not
 * looked into.
 */
ARKA_MUST_USE arka_status arka_influxql_parse(arka_slice text, const arka_influxql_params *params,
                                              arka_arena *arena, arka_influxql_statements *out,
                                              arka_error *err);

/** Append a statement as text that reads back to the same tree, passwords aside: they are hidden.
 */
void arka_influxql_print(const arka_influxql_statement *statement, arka_buf *out);
/** The same of one expression. */
void arka_influxql_print_expr(const arka_influxql_expr *expr, arka_buf *out);

/** A name as the language wants it: in quotes, if it needs them. */
void arka_influxql_print_name(arka_slice name, arka_buf *out);

/** "SHOW TAG KEYS": the words of a kind, for messages. */
const char *arka_influxql_kind_words(arka_influxql_kind kind);

/** ARKA_INPUT in InfluxDB's words: this expression is not true or false. */
ARKA_MUST_USE arka_status arka_influxql_not_a_condition(const arka_influxql_expr *expr,
                                                        arka_error *err);

/* ---- time ---- */

/** A closed range, ns since 1970 UTC. */
typedef struct arka_influxql_time_range {
    int64_t min, max; /* INT64_MIN, INT64_MAX: not bounded */
} arka_influxql_time_range;

/**
 * Part a condition: what it says of `time`, and the rest without that (*rest NULL: nothing is left;
 * new nodes are in the arena). `now`: ns since 1970. min > max: no row can be meant. ARKA_INPUT in
 * InfluxDB's words: an operator or a value that time has not, time beside an OR.
 */
ARKA_MUST_USE arka_status arka_influxql_split_time(const arka_influxql_expr *condition, int64_t now,
                                                   arka_arena *arena,
                                                   arka_influxql_time_range *range,
                                                   const arka_influxql_expr **rest,
                                                   arka_error *err);

#endif
