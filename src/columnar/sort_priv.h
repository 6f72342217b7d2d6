/** Private to the sort: rows with their times, and the sort that works in cache. */
#ifndef ARKA_COLUMNAR_SORT_PRIV_H
#define ARKA_COLUMNAR_SORT_PRIV_H

#include "columnar/sort.h"

/** One row on its way to its place. */
typedef struct sort_row {
    uint64_t key; /* time - the least time of the rows sorted together */
    uint32_t batch;
    uint32_t row;
} sort_row;

/** Rows of one batch: times[at .. end), of rows[i], or of row i itself when `rows` is NULL. */
typedef struct sort_run {
    const int64_t *times;
    const uint32_t *rows;
    uint32_t batch;
    uint32_t at, end;
} sort_run;

typedef struct sort_scratch {
    sort_row *rows; /* twice cap: where they are and where they go */
    size_t cap;
    struct sort_counts *counts;
} sort_scratch;

void sort_scratch_fini(sort_scratch *scratch);

/**
 * The rows of `runs` in ascending time: *out, until the next call. Rows of equal
 * time keep the order in which they stand in the runs and the runs in the array. [min, max] must
 * hold all times. False when out of memory.
 */
bool arka_sort__radix(sort_scratch *scratch, const sort_run *runs, size_t n_runs, int64_t min,
                      int64_t max, const sort_row **out);

/** The first of ascending times[low .. high) that is over `limit`, or high. Fast when it is near.
 */
static inline uint32_t arka_sort__upper(const int64_t *times, uint32_t low, uint32_t high,
                                        int64_t limit)
{
    uint32_t step = 64;
    while (high - low > step && times[low + step] <= limit) {
        low += step;
        step = step < UINT32_MAX / 2 ? step * 2 : step;
    }
    if (high - low > step)
        high = low + step;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (times[middle] <= limit)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
