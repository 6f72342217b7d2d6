/**
 * The hot batches of a table: a list of slices in order of arrival, of which only the last is open.
 * Everything here happens under the table's lock unless it says otherwise. Private to table/.
 */
#ifndef ARKA_TABLE_HOT_H
#define ARKA_TABLE_HOT_H

#include "table/slices.h"

enum { ARKA_COALESCE_SLICES = 16 }; /* most that are put together at once */

typedef struct arka_hot {
    arka_hot_slice *first, *last;
    size_t n_slices, n_claimed; /* the first n_claimed are being flushed */
    bool open;                  /* the last one is appended to */
    bool coalescing;            /* a thread puts slices together */
    int next_cap;               /* of the slice to come; 0: the smallest */
    int64_t n_rows, n_bytes;
} arka_hot;

/** Without the lock: no other thread knows the table any more. */
void arka_hot_fini(arka_hot *hot);

/** Has the open slice room for a batch? */
bool arka_hot_has_room(const arka_hot *hot);
/** Room for how many the next slice should have: few in a quiet table, many in a busy one. */
int arka_hot_next_cap(const arka_hot *hot);
/** The slice becomes the open one; takes the reference. */
void arka_hot_open(arka_hot *hot, arka_hot_slice *take_slice);
/**
 * There is room. Takes both references. The rows have the LSNs from lsn_first on, above all that
 * were added before. True when the slice is full now.
 */
bool arka_hot_add(arka_hot *hot, arka_batch *take_batch, arka_layout *take_layout,
                  uint64_t lsn_first);

/**
 * Claim the oldest slices, about max_bytes of them and at least one, for a flush, and list them
 * (room for all was reserved). arka_hot_release gives them back, arka_hot_drop takes them out: the
 * chain by `next`, a reference each, is the caller's to let go without the lock.
 */
void arka_hot_claim(arka_hot *hot, int64_t max_bytes, arka_slice_list *out);
void arka_hot_release(arka_hot *hot);
arka_hot_slice *arka_hot_drop(arka_hot *hot);
/** All of them, claimed or not, likewise. */
arka_hot_slice *arka_hot_drop_all(arka_hot *hot);

/**
 * Which slices should be put together: the newest closed one with those before it that are not much
 * larger, so that a row is copied about as often as the rows double. How many, a reference each; 0:
 * none. Until they are replaced no other thread may pick.
 */
size_t arka_hot_pick(arka_hot *hot, arka_hot_slice *slices[ARKA_COALESCE_SLICES]);
/**
 * `made` comes in place of the picked slices, whose references of the list go (the caller has
 * others, so nothing is freed here); *freed: the bytes saved. False: a flush has claimed one of
 * them, and `made` stays the caller's.
 */
bool arka_hot_replace(arka_hot *hot, arka_hot_slice *const *slices, size_t n, arka_hot_slice *made,
                      int64_t *freed);

#endif
