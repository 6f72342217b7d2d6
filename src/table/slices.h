/**
 * Slices: the hot batches of a table in runs. A slice is appended to under the table's lock and
 * read without it: entries below a count taken under the lock never change. Private to table/.
 */
#ifndef ARKA_TABLE_SLICES_H
#define ARKA_TABLE_SLICES_H

#include "base/vec.h"
#include "os/clock.h"
#include "table/kept.h"
#include "table/layout.h"
#include "table/snapshot.h"

enum { ARKA_SLICE_BATCHES = 256 }; /* most that are appended to one */

typedef struct arka_hot_slice {
    arka_ref ref;
    struct arka_hot_slice *next, *prev; /* in the table's list; its lock */
    int n, cap;                         /* entries, and room for them; the table's lock */
    bool coalesced;                     /* was made of others, or there was nothing to gain */
    bool claimed;                       /* a flush has it: it is not replaced any more */
    arka_mono since;                    /* when its first batch came */
    int64_t n_rows, n_bytes;
    uint64_t lsn_first, lsn_last; /* of its rows; what lies between may be other tables' */
    int64_t n_small, small_bytes; /* of them, those worth putting together (coalesce.h) */
    arka_kept *kept;              /* the table has let it go: counted there, with a reference … */
    int64_t kept_bytes;           /* … as so many */
    arka_hot_batch items[];
} arka_hot_slice;

ARKA_MUST_USE arka_status arka_hot_slice_new(int cap, arka_hot_slice **out, arka_error *err);
void arka_hot_slice_unref(arka_hot_slice *slice);
ARKA_CLEANUP(arka_hot_slice, arka_hot_slice_unref)
/**
 * The table's last reference: whoever else has one keeps n_bytes from being freed, and they are in
 * `kept` (NULL: not counted) until the last has gone.
 */
void arka_hot_slice_let_go(arka_hot_slice *slice, arka_kept *kept, int64_t n_bytes);
/** There is room (n < cap). Takes both references. The caller sees to lsn_first and lsn_last. */
void arka_hot_slice_add(arka_hot_slice *slice, arka_batch *take_batch, arka_layout *take_layout);

/** Counted slices with how many entries of each belong. */
typedef struct arka_slice_list {
    ARKA_VEC(arka_hot_slice *) slices;
    ARKA_VEC(int) counts;
    int64_t n_batches, n_rows, n_bytes;
} arka_slice_list;

/** Room for n slices in all, so that as many can be added; false when out of memory. */
bool arka_slice_list_reserve(arka_slice_list *list, size_t n);
bool arka_slice_list_has_room(const arka_slice_list *list, size_t n);
/** Adds a reference to the slice and its present count. Room was reserved. Under the lock. */
void arka_slice_list_add(arka_slice_list *list, arka_hot_slice *slice);
void arka_slice_list_fini(arka_slice_list *list);

#endif
