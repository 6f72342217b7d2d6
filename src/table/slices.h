/**
 * Slices: the hot batches of a table in runs of fixed size. A slice is appended to under the
 * table's lock and read without it: entries below a count taken under the lock never change.
 * Private to table/.
 */
#ifndef ARKA_TABLE_SLICES_H
#define ARKA_TABLE_SLICES_H

#include "base/vec.h"
#include "os/clock.h"
#include "table/layout.h"
#include "table/snapshot.h"

enum { ARKA_SLICE_BATCHES = 256 };

typedef struct arka_hot_slice {
    arka_ref ref;
    int n;           /* under the table's lock */
    arka_mono since; /* when its first batch came */
    int64_t n_rows, n_bytes;
    arka_hot_batch items[ARKA_SLICE_BATCHES];
} arka_hot_slice;

ARKA_MUST_USE arka_status arka_hot_slice_new(arka_hot_slice **out, arka_error *err);
void arka_hot_slice_unref(arka_hot_slice *slice);

/** Counted slices with how many entries of each belong. */
typedef struct arka_slice_list {
    ARKA_VEC(arka_hot_slice *) slices;
    ARKA_VEC(int) counts;
    int64_t n_batches, n_rows, n_bytes;
} arka_slice_list;

/** Adds a reference to the slice and its present count; false when out of memory. Under the lock.
 */
bool arka_slice_list_add(arka_slice_list *list, arka_hot_slice *slice);
void arka_slice_list_fini(arka_slice_list *list);

#endif
