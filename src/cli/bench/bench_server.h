/** The server under test as the benches see it: where it is, who we are, SQL to check it with. */
#ifndef ARKA_CLI_BENCH_BENCH_SERVER_H
#define ARKA_CLI_BENCH_BENCH_SERVER_H

#include "cli/http_call.h"

typedef struct arka_bench_server {
    arka_http_target target;
    const char *database; /* borrowed */
    arka_buf headers;     /* database and token, as header lines */
} arka_bench_server;

/** token: NULL for none. Both must be printable (they go into headers). ARKA_INPUT otherwise. */
ARKA_MUST_USE arka_status arka_bench_server_init(arka_bench_server *s, const char *url,
                                                 const char *token, const char *database,
                                                 arka_error *err);
void arka_bench_server_fini(arka_bench_server *s);

/** Append "/path HTTP/1.1", Host and the common headers: what stands behind "POST ". */
void arka_bench_server_head(const arka_bench_server *s, const char *path, arka_buf *out);
/** Append {"sql": …} with ,"format":"csv" when asked for. */
void arka_bench_server_body(const char *sql, bool csv, arka_buf *out);

/**
 * Run a query over POST /api/v1/query; its CSV goes to `csv`, header line first. Another status
 * than 200 is ARKA_IO with the begin of the answer.
 */
ARKA_MUST_USE arka_status arka_bench_server_sql(const arka_bench_server *s, const char *sql,
                                                arka_buf *csv, arka_error *err);
/** CSV of a header line and one row of exactly n integers; false: it is anything else. */
bool arka_bench_server_read_integers(arka_slice csv, int64_t *out, int n);
/** A query of one row of n integers; ARKA_CORRUPT when the answer is anything else. */
ARKA_MUST_USE arka_status arka_bench_server_integers(const arka_bench_server *s, const char *sql,
                                                     int64_t *out, int n, arka_error *err);
/** GET; the body of a 200 goes to `answer`, another status is ARKA_IO with the begin of it. */
ARKA_MUST_USE arka_status arka_bench_server_get(const arka_bench_server *s, const char *path,
                                                arka_buf *answer, arka_error *err);
/** POST /api/v1/write/flush for one measurement: returns once it is in Parquet. */
ARKA_MUST_USE arka_status arka_bench_server_flush(const arka_bench_server *s, const char *table,
                                                  arka_error *err);

#endif
