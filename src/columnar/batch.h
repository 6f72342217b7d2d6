/**
 * A batch: some rows of one measurement, column by column, in Arrow's memory layout.
 *
 * One allocation holds everything. The value buffers stand in one run, `body`, each at an offset
 * that is a multiple of 8: the body is, byte for byte, the body of an Arrow IPC RecordBatch message
 * (Arrow columnar format 1.3, "Physical memory layout" and "RecordBatch message"), so a log can
 * write it as it is. A batch is born sealed (see block.h and rows.h), never changes, is counted,
 * and may be read by any number of threads.
 */
#ifndef ARKA_COLUMNAR_BATCH_H
#define ARKA_COLUMNAR_BATCH_H

#include "base/mem.h"
#include "columnar/types.h"

typedef struct arka_column {
    arka_slice name; /* in the batch's own memory, NUL-terminated */
    arka_type type;
    bool tag; /* came as a line-protocol tag */
    int64_t n_nulls;
    /* Bitmap, least significant bit first, 1 = has a value; NULL when n_nulls == 0. */
    const uint8_t *validity;
    /*
     * BOOLEAN: bitmap. BIGINT, TIMESTAMPTZ: int64_t[n]. DOUBLE: double[n]. VARCHAR: int32_t[n + 1],
     * ascending from 0: where in `bytes` each text begins and the last one ends.
     */
    const void *values;
    const char *bytes; /* VARCHAR: the text; else NULL. Null rows have length 0 */
} arka_column;

typedef struct arka_batch {
    arka_ref ref;
    int n_columns;
    int64_t n_rows;             /* at least 1 */
    const arka_column *columns; /* names are distinct (arka_name_eq) */
    int time;                   /* index of the column "time": TIMESTAMPTZ without nulls */
    bool time_sorted;           /* ascending */
    int64_t time_min, time_max;
    uint64_t layout; /* hash of names, types and tag marks in order: equal layout, equal columns */
    const uint8_t *body; /* all buffers */
    size_t body_bytes;   /* a multiple of 8 */
    size_t memory_bytes; /* the whole allocation */
} arka_batch;

static inline arka_batch *arka_batch_ref(arka_batch *batch)
{
    arka_ref_add(&batch->ref);
    return batch;
}
/** NULL is fine. */
void arka_batch_unref(arka_batch *batch);
ARKA_CLEANUP(arka_batch, arka_batch_unref)

/** Index of a column by name, or -1. */
int arka_batch_find(const arka_batch *batch, arka_slice name);

static inline bool arka_bit(const uint8_t *bitmap, int64_t i)
{
    return bitmap[i >> 3] >> (i & 7) & 1;
}
static inline bool arka_column_is_null(const arka_column *c, int64_t row)
{
    return c->validity != NULL && !arka_bit(c->validity, row);
}
static inline const int64_t *arka_column_i64(const arka_column *c)
{
    return c->values;
}
static inline const double *arka_column_f64(const arka_column *c)
{
    return c->values;
}
static inline arka_slice arka_column_text(const arka_column *c, int64_t row)
{
    const int32_t *offsets = c->values;
    return (arka_slice){c->bytes + offsets[row], (size_t)(offsets[row + 1] - offsets[row])};
}

/**
 * The batch with some columns as another type: a new batch that shares nothing with the old.
 *
 * to       n_columns types; ARKA_TYPE_NONE leaves the column as it is.
 * Casts    BIGINT → DOUBLE, and anything → VARCHAR (numbers as their shortest text, times as
 *          RFC 3339, booleans as true/false; NaN becomes null). Others: ARKA_INPUT.
 * Errors   ARKA_NOMEM; ARKA_LIMIT when a column's text would pass 2^31 - 1 bytes.
 */
ARKA_MUST_USE arka_status arka_batch_cast(const arka_batch *batch, const arka_type *to,
                                          arka_batch **out, arka_error *err);

/** Are two names the same column to SQL? ASCII letters compare without case, as DuckDB does. */
bool arka_name_eq(arka_slice a, arka_slice b);
/**
 * Into out[0..name.len), which may be the name's own place: names that are the same to SQL become
 * the same bytes.
 */
void arka_name_fold(arka_slice name, char *out);
/**
 * May a column be called that? 1 to 255 bytes of UTF-8 without NUL, CR or LF; else ARKA_INPUT.
 */
ARKA_MUST_USE arka_status arka_column_name_check(arka_slice name, arka_error *err);

#endif
