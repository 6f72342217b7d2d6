/** One Arrow array into one column of a block: every conversion that we do (docs/formats/arrow.md).
 */
#ifndef ARKA_COLUMNAR_ARROW_COLUMN_H
#define ARKA_COLUMNAR_ARROW_COLUMN_H

#include "columnar/arrow.h"
#include "columnar/block.h"

/**
 * A buffer and how much of it is there. A C data producer does not say: SIZE_MAX, its word is
 * taken. `data` is not NULL, even with n == 0.
 */
typedef struct arka_arrow_buffer {
    const uint8_t *data;
    size_t n;
} arka_arrow_buffer;

typedef struct arka_arrow_array {
    int64_t n_rows;
    int64_t offset;             /* rows to pass over in every buffer */
    arka_arrow_buffer validity; /* data NULL after all: no nulls */
    arka_arrow_buffer values;   /* fixed width values, bits, or offsets */
    arka_arrow_buffer bytes;    /* what the offsets point into */
} arka_arrow_array;

/** Text values by index; {NULL, 0} is null. */
typedef struct arka_arrow_texts {
    const arka_slice *items;
    int64_t n;
} arka_arrow_texts;

/**
 * Check the array against its type and append it as a column. `dictionary` only for fields that
 * have one. *budget: bytes that columns may still take; the column's are taken off.
 * ARKA_INPUT names the column, and the row counted from 0; ARKA_LIMIT, ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_arrow__column(arka_block *block, const arka_arrow_field *field,
                                             const arka_arrow_array *array,
                                             const arka_arrow_texts *dictionary, int64_t *budget,
                                             arka_error *err);

/**
 * The values of a text array (UTF8, LARGE_UTF8, BINARY) as slices into its bytes, appended to
 * texts[0 .. n_rows): for dictionaries. Checked as above.
 */
ARKA_MUST_USE arka_status arka_arrow__texts(const arka_arrow_field *field,
                                            const arka_arrow_array *array, arka_slice *texts,
                                            arka_error *err);

#endif
