/**
 * From spans over many batches to one column's values in a row: the first step of writing a column.
 * One object serves a whole file: rows are loaded a row group at a time, then columns one by one.
 */
#ifndef ARKA_COLUMNAR_PARQUET_GATHER_H
#define ARKA_COLUMNAR_PARQUET_GATHER_H

#include "columnar/sort.h"

/** Bytes before the values that belong to whoever reads them: room to put something in front. */
enum { ARKA_GATHER_HEADROOM = 24 * 1024 };

/** A column of one batch. `values` NULL: the batch does not have it. */
typedef struct gather_source {
    const void *values;
    const uint8_t *validity;
    const char *bytes;
    bool widen; /* int64_t there, double wanted */
} gather_source;

/** One column over one row group; until the next call of arka_gather__column. */
typedef struct arka_gathered {
    int64_t n_rows;
    int64_t n;         /* rows that are not null */
    uint8_t *validity; /* n_rows bits; NULL when n == n_rows */
    /* The n values: int64_t, double or arka_slice each; BOOLEAN: bits. Headroom in front. */
    void *values;
} arka_gathered;

typedef struct arka_gather {
    arka_batch *const *batches;
    const int16_t *columns; /* as arka_parquet_write has them */
    int n_fields;
    int64_t n_rows;                  /* in the row group at hand */
    ARKA_VEC(arka_span) spans;       /* .batch is an index of `slots` */
    ARKA_VEC(uint32_t) slots;        /* the batches that have rows here */
    uint32_t *slot_of;               /* for each batch; true if slots[slot_of[b]] == b */
    bool by_row;                     /* all spans have one row: simpler, faster loops */
    ARKA_VEC(gather_source) sources; /* for each slot, of the column at hand */
    bool any_missing, any_nulls, any_widen;
    ARKA_VEC(uint8_t) values, validity;
} arka_gather;

/** Where the next row group begins: span and row within it. */
typedef struct arka_gather_cursor {
    size_t span;
    uint32_t row;
} arka_gather_cursor;

ARKA_MUST_USE arka_status arka_gather__init(arka_gather *gather, arka_batch *const *batches,
                                            size_t n_batches, const int16_t *columns, int n_fields,
                                            arka_error *err);
void arka_gather_fini(arka_gather *gather);

/** Load up to `limit` rows of `spans` from the cursor on, and move it. */
ARKA_MUST_USE arka_status arka_gather__rows(arka_gather *gather, const arka_spans *spans,
                                            arka_gather_cursor *cursor, int64_t limit,
                                            arka_error *err);
/** The values of field `field`, whose type is `type`, in the loaded rows. */
ARKA_MUST_USE arka_status arka_gather__column(arka_gather *gather, int field, arka_type type,
                                              arka_gathered *out, arka_error *err);

#endif
