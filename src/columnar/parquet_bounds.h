/** Least and greatest value of a column chunk, as Parquet's statistics want them. */
#ifndef ARKA_COLUMNAR_PARQUET_BOUNDS_H
#define ARKA_COLUMNAR_PARQUET_BOUNDS_H

#include "base/slice.h"
#include "columnar/types.h"

typedef struct arka_bound {
    bool known;
    uint64_t word;   /* BIGINT, TIMESTAMPTZ, DOUBLE: its bits; BOOLEAN: 0 or 1 */
    arka_slice text; /* VARCHAR, borrowed */
} arka_bound;

typedef struct arka_bounds {
    arka_bound min, max;
} arka_bounds;

/* All of them take n >= 0 values that are not null; none: nothing is known. */

arka_bounds arka_bounds__bits(const uint8_t *bits, int64_t n);
arka_bounds arka_bounds__i64(const int64_t *values, int64_t n);
/**
 * A chunk with a NaN has no bounds: the format leaves NaN out of them, but to SQL NaN is greater
 * than all numbers, so a reader that prunes by the maximum of the others would lose those rows.
 * -0.0 is less than +0.0 here, as parquet.thrift (ColumnOrder) has it for the safe side; a zero
 * that is there with one sign only keeps it, for readers answer min() and max() with bounds.
 */
arka_bounds arka_bounds__f64(const double *values, int64_t n);
/** In order of bytes. A text over 256 bytes is no bound: it would be all of the footer. */
arka_bounds arka_bounds__text(const arka_slice *values, int64_t n);

#endif
