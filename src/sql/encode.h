/**
 * Result encoders: DuckDB chunks in, the bytes of an answer out, a piece at a time.
 * Private to sql/ and its tests. One encoder serves one result; not thread-safe.
 */
#ifndef ARKA_SQL_ENCODE_H
#define ARKA_SQL_ENCODE_H

#include <duckdb.h>

#include "base/buf.h"
#include "sql/sql.h"

/** What a result looks like: names and logical types, borrowed for the encoder's life. */
typedef struct arka_result_shape {
    int n_columns;
    const char *const *names;
    const duckdb_logical_type *types;
} arka_result_shape;

/** Known when the last chunk has been encoded. */
typedef struct arka_result_end {
    int64_t n_rows;
    double execution_ms;
    int64_t now_us; /* for "timestamp" */
} arka_result_end;

typedef struct arka_encoder arka_encoder;

/** `format` and options as in sql.h. ARKA_NOMEM, or ARKA_INPUT for a type the format cannot hold.
 */
ARKA_MUST_USE arka_status arka_encoder_new(arka_format format, const arka_encode_options *options,
                                           const arka_result_shape *shape, arka_encoder **out,
                                           arka_error *err);
/** NULL is fine. */
void arka_encoder_free(arka_encoder *encoder);
ARKA_CLEANUP(arka_encoder, arka_encoder_free)

/** Each appends to `out`: begin once, chunk any number of times, end once. */
ARKA_MUST_USE arka_status arka_encoder_begin(arka_encoder *encoder, arka_buf *out, arka_error *err);
ARKA_MUST_USE arka_status arka_encoder_chunk(arka_encoder *encoder, duckdb_data_chunk chunk,
                                             arka_buf *out, arka_error *err);
ARKA_MUST_USE arka_status arka_encoder_end(arka_encoder *encoder, const arka_result_end *end,
                                           arka_buf *out, arka_error *err);

#endif
