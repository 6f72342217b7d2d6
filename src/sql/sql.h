/**
 * The query service: SQL text in, encoded bytes out. The only folder that knows libduckdb; this
 * header is its face.
 *
 * One DuckDB instance in memory, a pool of sessions (connections). Each database of the engine is
 * a DuckDB schema, each measurement a view over its Parquet files and its hot batches, both from
 * one pinned snapshot per table and query. Users' SQL runs as they wrote it, after DuckDB's own
 * parser has shown that it is one statement that only reads tables of ours.
 */
#ifndef ARKA_SQL_SQL_H
#define ARKA_SQL_SQL_H

#include "base/buf.h"
#include "engine/engine.h"
#include "os/clock.h"

typedef struct arka_sql arka_sql;
typedef struct arka_query arka_query;

typedef struct arka_sql_options {
    arka_engine *engine;
    const char *data_dir;      /* the engine's base path: all that DuckDB may read */
    size_t memory_limit_bytes; /* DuckDB's; 0 = a quarter of the machine's */
    int64_t max_temp_bytes;    /* of its spill; 0 = a tenth of what is free in data_dir */
    int threads;               /* DuckDB's workers; 0 = processors */
    const char *temp_dir;      /* spill; made when needed */
    int max_sessions;          /* queries at once; 0 = 16 */
    int64_t max_age_ms;        /* a query that keeps snapshots for longer is stopped; 0 = never */
    int64_t max_pin_ms; /* … that keeps hot rows for longer, while memory is short; 0 = never */
    int64_t one_memory_bytes; /* that one query may have: for the sentence of arka_query_over */
    const struct arka_system_table *system_tables; /* of database _arc; as long as the service */
    size_t n_system_tables;
    void *system_context; /* theirs */
} arka_sql_options;

ARKA_MUST_USE arka_status arka_sql_open(const arka_sql_options *options, arka_sql **out,
                                        arka_error *err);
/** Every query must be gone. NULL is fine. */
void arka_sql_close(arka_sql *sql);
ARKA_CLEANUP(arka_sql, arka_sql_close)

/** Memory of the service, bytes. */
typedef struct arka_sql_usage {
    int64_t used;                       /* by DuckDB, of its limit */
    int64_t working;                    /* of it: what queries work with, not what is cached */
    int64_t spilled;                    /* in its temporary directory */
    int64_t statements, max_statements; /* inspected statements that are remembered */
} arka_sql_usage;
/** ARKA_INTERNAL: DuckDB does not say. Takes part of a millisecond and no session. Any thread. */
ARKA_MUST_USE arka_status arka_sql_get_usage(arka_sql *sql, arka_sql_usage *out, arka_error *err);

typedef enum arka_format {
    ARKA_FORMAT_JSON,    /* the envelope of docs/api.md */
    ARKA_FORMAT_ARROW,   /* IPC stream */
    ARKA_FORMAT_MSGPACK, /* the envelope, data by column */
    ARKA_FORMAT_CSV,
} arka_format;

typedef struct arka_encode_options {
    bool arrow_dictionary; /* text columns dictionary-encoded */
    enum { ARKA_ARROW_PLAIN, ARKA_ARROW_ZSTD, ARKA_ARROW_LZ4 } arrow_compression;
} arka_encode_options;

/**
 * Which tables a query may see. What it may not see does not exist for it: not in SHOW, not in
 * information_schema, not in an error's suggestion. NULL functions: it sees everything. Equal
 * `key`s see the same ("" is everything). All of it lives as long as the query.
 */
typedef struct arka_visibility {
    bool (*database)(const void *context, arka_slice database);
    bool (*table)(const void *context, arka_slice database, arka_slice table);
    const void *context;
    const char *key;
    bool no_admin;    /* what is about the server and about others' queries is not there either */
    int64_t token_id; /* whose query it is; 0: nobody's in particular */
} arka_visibility;

/** May it see this database, this table? Any thread. */
static inline bool arka_sees_database(const arka_visibility *v, arka_slice database)
{
    return v->database == NULL || v->database(v->context, database);
}
static inline bool arka_sees_table(const arka_visibility *v, arka_slice database, arka_slice table)
{
    return v->table == NULL || v->table(v->context, database, table);
}

typedef struct arka_query_options {
    arka_slice text;     /* one statement, a trailing ';' is fine */
    arka_slice database; /* for unqualified names; empty = "default" */
    bool scoped;         /* the client named `database`: other qualifiers are refused */
    arka_visibility visibility;
    arka_format format;
    arka_encode_options encode;
    arka_mono deadline; /* ns = 0: none */
    /**
     * Called, before anything runs, with the query that other threads may cancel from then
     * on; and with NULL before start or estimate frees it. NULL: nobody wants to know.
     */
    void (*on_start)(void *context, arka_query *query);
    void *on_start_context;
} arka_query_options;

/**
 * Check, bind and start a query. ARKA_INPUT: syntax, unknown column, types (DuckDB's own message
 * on the user's own text); ARKA_FORBIDDEN: a statement, function or name that is not allowed;
 * ARKA_NOTFOUND: unknown table or database; ARKA_BUSY: all sessions taken; ARKA_CANCELLED: past
 * its deadline (err->sys is ETIMEDOUT then). `sql` outlives the query. Any thread.
 *
 * All its tables are seen as they were at one instant after this was called.
 */
ARKA_MUST_USE arka_status arka_query_start(arka_sql *sql, const arka_query_options *options,
                                           arka_query **out, arka_error *err);
/** Stops it if it runs, gives its session back. NULL is fine. Not while another thread is in next.
 */
void arka_query_free(arka_query *query);
ARKA_CLEANUP(arka_query, arka_query_free)

/**
 * Append the next piece of the answer to `out`, about 64 KiB to 1 MiB at a time; blocks while
 * DuckDB works. *done: that was the last piece. After an error the answer is unusable:
 * ARKA_CANCELLED (asked; past the deadline, err->sys is
 * ETIMEDOUT; older than max_age_ms, ETIME), ARKA_INPUT (a cast that
 * failed on a row, …), ARKA_LIMIT (memory), ARKA_BUSY (max_pin_ms). One thread at a time.
 */
ARKA_MUST_USE arka_status arka_query_next(arka_query *query, arka_buf *out, bool *done,
                                          arka_error *err);
/** Make a running query fail with ARKA_CANCELLED soon. Any thread; harmless afterwards. */
void arka_query_cancel(arka_query *query);
/** Make it fail with ARKA_LIMIT soon: it has more than one_memory_bytes. Otherwise as cancel. */
void arka_query_over(arka_query *query);
/** ARKA_OK, or why it must end, as next would say. Any thread while it is alive. */
ARKA_MUST_USE arka_status arka_query_check(arka_query *query, arka_error *err);
/**
 * Its tables as of when: it sees every row up to this LSN and none above, in all tables. Without
 * tables: what it would have seen.
 */
uint64_t arka_query_snapshot_lsn(const arka_query *query);
/**
 * What the answer was made from, in a number: the statement's tables, as they were before the query
 * pinned them, and the catalog. The same statement with the same digest has the same answer. False:
 * there is none, because the answer may be another one each time (now(), random(), SHOW, system
 * tables).
 */
bool arka_query_digest(const arka_query *query, uint64_t out[2]);
/**
 * The same before it is started, as of now: every row that was acknowledged before the call is in
 * it. False also when the statement has not been seen lately: it is not parsed for this. Waits for
 * nothing.
 */
bool arka_sql_answer_digest(arka_sql *sql, const arka_query_options *options, uint64_t out[2]);
int arka_query_n_columns(const arka_query *query);
/** Where in the answer's bytes, when it is whole, what stands behind the last row begins. */
size_t arka_query_end_at(const arka_query *query);

/** What a query spent its time on, so far. */
typedef struct arka_query_profile {
    double inspect_ms; /* parsing, what it may do, finding and pinning tables */
    double plan_ms;    /* DuckDB's planning, until the first chunk was asked for */
    double execute_ms; /* all that followed */
    int64_t n_tables, n_files, n_hot_rows; /* pinned: what could be read … */
    int64_t n_files_read;                  /* … of it files within the time that is asked for */
} arka_query_profile;
void arka_query_get_profile(const arka_query *query, arka_query_profile *out);

/** Rows encoded so far, and milliseconds since start. */
int64_t arka_query_n_rows(const arka_query *query);
double arka_query_ms(const arka_query *query);
const char *arka_format_content_type(arka_format format);

/**
 * How many rows would it give? count(*) over the statement, by the same rules. SHOW, DESCRIBE and
 * EXPLAIN: ARKA_INPUT.
 */
ARKA_MUST_USE arka_status arka_query_estimate(arka_sql *sql, const arka_query_options *options,
                                              int64_t *out_rows, arka_error *err);

/** Parameters of a read without SQL (GET /api/v1/query/{measurement}); empty slices are absent. */
typedef struct arka_select {
    arka_slice measurement, columns, where, order_by, start_time, end_time;
    int64_t limit, offset; /* limit < 0: none */
} arka_select;
/**
 * The SELECT for it, every name quoted, `where` and `order_by` proven by DuckDB's parser to be one
 * expression and one list of columns. ARKA_INPUT otherwise. Appends to `out`.
 */
ARKA_MUST_USE arka_status arka_select_to_sql(arka_sql *sql, const arka_select *select,
                                             arka_buf *out, arka_error *err);

/** `text` between quotes of that kind, doubled inside: a name for '"', a literal for '\''. */
void arka_sql_quote(arka_buf *out, char quote, arka_slice text);

#endif
