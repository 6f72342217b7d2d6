/** Shared by the encoders only: one struct of functions per format. */
#ifndef ARKA_SQL_ENCODE_PRIV_H
#define ARKA_SQL_ENCODE_PRIV_H

#include "sql/encode.h"
#include "sql/encode_type.h"

/**
 * `bytes` of a struct that begins with arka_encoder, cleared; arka_encoder_new fills that
 * beginning, then calls init. fini also gets what init left half done. `rows` sees the chunk
 * through encoder->vecs, begins with row encoder->n_rows of the result, and n > 0. Running out of
 * memory in `out` need not be reported: arka_encoder_* look at out->failed.
 */
typedef struct arka_encoder_ops {
    const char *name; /* of the format, for people */
    size_t bytes;
    arka_status (*init)(arka_encoder *e, const arka_encode_options *options, arka_error *err);
    void (*fini)(arka_encoder *e);
    arka_status (*begin)(arka_encoder *e, arka_buf *out, arka_error *err);
    arka_status (*rows)(arka_encoder *e, idx_t n, arka_buf *out, arka_error *err);
    arka_status (*end)(arka_encoder *e, const arka_result_end *end, arka_buf *out, arka_error *err);
} arka_encoder_ops;

struct arka_encoder {
    const arka_encoder_ops *ops;
    arka_arena arena;
    int n_columns;
    arka_sql_type *columns;
    arka_sql_vec *vecs;
    int64_t n_rows; /* of earlier chunks */
};

extern const arka_encoder_ops arka_encode__json, arka_encode__arrow, arka_encode__msgpack,
    arka_encode__csv;

/** "execution_time_ms" to the microsecond. */
double arka_encode__ms(const arka_result_end *end);

#endif
