/**
 * InfluxQL's statements, run. influx.c reads the request (influx_params.c what it binds) and
 * makes an arka_influx of it, influx_run.c runs its statements one by one, influx_show.c those that
 * list, influx_series.c those that look at rows; influx_where.c makes SQL of conditions and
 * influx_sql.c runs it. One thread at a time. Private to influx*.c.
 */
#ifndef ARKA_SERVER_INFLUX_INFLUX_RUN_H
#define ARKA_SERVER_INFLUX_INFLUX_RUN_H

#include "base/vec.h"
#include "influxql/influxql.h"
#include "server/influx/influx_out.h"
#include "server/server_priv.h"
#include "server/http/stream.h"

typedef struct arka_influx {
    arka_server *server;
    arka_request *request; /* NULL once it was given back */
    arka_arena arena;      /* of the tree and of all that is made from it */
    arka_influxql_statements statements;
    arka_slice database; /* of the request */
    arka_visibility visibility;
    bool reads_only; /* it came by GET: what changes something is told so */
    int64_t now;     /* ns since 1970, the same for all statements */
    arka_mono deadline;
    arka_job *job;       /* of the pool */
    arka_stream *stream; /* holds the ticket */
    arka_influx_out out;
} arka_influx;

/* ---- influx_params.c ---- */

typedef ARKA_VEC(arka_influxql_param) arka_influx_params;
/**
 * Parameters bound by `text`, a JSON object; "" binds none. Their texts are the arena's, the list
 * is the caller's, also after a failure (arka_vec_fini). ARKA_INPUT: none that can be bound.
 */
ARKA_MUST_USE arka_status arka_influx_read_params(arka_slice text, arka_arena *arena,
                                                  arka_influx_params *out, arka_error *err);

/* ---- influx_run.c ---- */

/** What a kind of statement asks of a token, and how it is run. */
typedef arka_status (*arka_influx_handler)(arka_influx *q, const arka_influxql_statement *s,
                                           arka_error *err);
typedef struct arka_influx_verb {
    arka_rights rights;
    bool changes;
    arka_influx_handler run; /* NULL: not supported */
} arka_influx_verb;
arka_influx_verb arka_influx_verb_of(arka_influxql_kind kind);
/** NULL, or why this statement, whose kind is supported, is not. In the arena. */
const char *arka_influx_unsupported(arka_influx *q, const arka_influxql_statement *s);

/** Every statement into q->out. ARKA_INPUT: a regular expression is none; nothing has run then. */
ARKA_MUST_USE arka_status arka_influx_check(arka_influx *q, arka_error *err);
ARKA_MUST_USE arka_status arka_influx_run(arka_influx *q, arka_error *err);

/* ---- tables ---- */

/** What a statement is about. */
typedef struct arka_influx_tables {
    arka_slice database;
    const arka_slice *names; /* sorted */
    size_t n;
} arka_influx_tables;

bool arka_influx_sees_database(const arka_influx *q, arka_slice database);
/**
 * The tables of FROM, or all, that may be seen. ARKA_NOTFOUND, in InfluxDB's words, when the
 * database is unknown and `must_exist`.
 */
ARKA_MUST_USE arka_status arka_influx_find_tables(arka_influx *q, const arka_influxql_statement *s,
                                                  bool must_exist, arka_influx_tables *out,
                                                  arka_error *err);
/** Columns of a table: its tags, or its fields, sorted by name. NULL schema: it is gone. */
typedef struct arka_influx_columns {
    const arka_field **items;
    size_t n;
} arka_influx_columns;
ARKA_MUST_USE arka_status arka_influx_columns_of(arka_influx *q, const arka_schema *schema,
                                                 bool tags, arka_influx_columns *out,
                                                 arka_error *err);
/** The schema, one reference; *out is NULL when the table is gone. */
ARKA_MUST_USE arka_status arka_influx_schema(arka_influx *q, arka_slice database, arka_slice table,
                                             arka_schema **out, arka_error *err);

/* ---- influx_where.c ---- */

/** A condition, parted: what it says of time, and of anything else. */
typedef struct arka_influx_where {
    arka_influxql_time_range range;
    const arka_influxql_expr *rest;
    bool any; /* there is something of either */
} arka_influx_where;
ARKA_MUST_USE arka_status arka_influx_where_of(arka_influx *q, const arka_influxql_statement *s,
                                               arka_influx_where *out, arka_error *err);
/** " WHERE …" for the rows of one table; nothing when there is nothing to say. */
ARKA_MUST_USE arka_status arka_influx_put_where(const arka_influx_where *where, arka_slice table,
                                                const arka_schema *schema, bool swapped_too,
                                                arka_buf *sql, arka_error *err);
/** What SHOW MEASUREMENTS asks: one aggregate, true or false. */
ARKA_MUST_USE arka_status arka_influx_put_having(const arka_influxql_expr *condition,
                                                 arka_slice table, const arka_schema *schema,
                                                 arka_buf *sql, arka_error *err);
/** FROM "database"."table" */
void arka_influx_put_from(arka_buf *sql, arka_slice database, arka_slice table);

/* ---- influx_sql.c ---- */

/** One row: its cells as text, null and "" alike. They live for the call. */
typedef arka_status (*arka_influx_row)(void *context, const arka_slice *cells, size_t n,
                                       arka_error *err);
/** Run SQL of ours and call `each` for every row. A table that is gone meanwhile has no rows. */
ARKA_MUST_USE arka_status arka_influx_sql(arka_influx *q, arka_buf *sql, arka_influx_row each,
                                          void *context, arka_error *err);
/** Which of the names a regular expression matches. `out`: n of them. */
ARKA_MUST_USE arka_status arka_influx_match(arka_influx *q, const arka_slice *names, size_t n,
                                            arka_slice regex, bool *out, arka_error *err);
/** ARKA_INPUT: it is none, in InfluxDB's words. */
ARKA_MUST_USE arka_status arka_influx_check_regex(arka_influx *q, const arka_influxql_expr *regex,
                                                  arka_error *err);

/* ---- the verbs ---- */

#define ARKA_INFLUX_VERB(name)                                                                     \
    ARKA_MUST_USE arka_status arka_influx_##name(arka_influx *q, const arka_influxql_statement *s, \
                                                 arka_error *err)
ARKA_INFLUX_VERB(show_databases);
ARKA_INFLUX_VERB(show_measurements);
ARKA_INFLUX_VERB(show_policies);
ARKA_INFLUX_VERB(show_field_keys);
ARKA_INFLUX_VERB(show_users);
ARKA_INFLUX_VERB(show_grants);
ARKA_INFLUX_VERB(show_continuous_queries);
ARKA_INFLUX_VERB(show_nothing);
ARKA_INFLUX_VERB(show_tag_keys);
ARKA_INFLUX_VERB(show_tag_values);
ARKA_INFLUX_VERB(show_series);
ARKA_INFLUX_VERB(count_measurements);
ARKA_INFLUX_VERB(count_field_keys);
ARKA_INFLUX_VERB(count_tag_keys);
ARKA_INFLUX_VERB(count_tag_values);
ARKA_INFLUX_VERB(count_series);
ARKA_INFLUX_VERB(create_database);
ARKA_INFLUX_VERB(drop_database);
ARKA_INFLUX_VERB(drop_measurement);
ARKA_INFLUX_VERB(accept);

#endif
