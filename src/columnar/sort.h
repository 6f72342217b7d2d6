/**
 * Order by time over many batches, as spans to copy: free for sorted input, a merge of runs else.
 */
#ifndef ARKA_COLUMNAR_SORT_H
#define ARKA_COLUMNAR_SORT_H

#include "base/vec.h"
#include "columnar/batch.h"

/** Rows [row, row + n) of batches[batch], in this order. */
typedef struct arka_span {
    uint32_t batch;
    uint32_t row;
    uint32_t n; /* at least 1 */
} arka_span;

typedef struct arka_spans {
    ARKA_VEC(arka_span) list;
    int64_t n_rows;
} arka_spans;

void arka_spans_fini(arka_spans *spans);

/**
 * The rows of all batches in ascending time; rows of equal time keep the order of their batches
 * and of their place in them (stable). Batches that follow each other cost one span each; sorted
 * batches that overlap are merged run by run, stretches that do not interleave copied whole; an
 * unsorted batch is sorted by itself first. Each batch has at most 2^32 - 1 rows. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_sort_by_time(arka_batch *const *batches, size_t n_batches,
                                            arka_spans *out, arka_error *err);

/**
 * Cut time-ordered spans at multiples of unit_us since the epoch (hours: ARKA_US_PER_HOUR). Calls
 * `each` once a partition, ascending, with its start and its spans; stops at the first failure.
 */
ARKA_MUST_USE arka_status arka_spans_partition(
    arka_batch *const *batches, const arka_spans *spans, int64_t unit_us,
    arka_status (*each)(void *context, int64_t start_us, const arka_spans *part, arka_error *err),
    void *context, arka_error *err);

#endif
