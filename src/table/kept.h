/**
 * How many bytes of hot rows are held by readers alone: the table is done with them, because they
 * are in files or were put together with others, and snapshots still have them. Counted, since
 * snapshots may outlive the table. Any thread.
 */
#ifndef ARKA_TABLE_KEPT_H
#define ARKA_TABLE_KEPT_H

#include <stdatomic.h>

#include "base/mem.h"

typedef struct arka_kept {
    arka_ref ref;
    atomic_int_fast64_t n_bytes; /* a count: relaxed */
} arka_kept;

ARKA_MUST_USE arka_status arka_kept_new(arka_kept **out, arka_error *err);
/** NULL is fine. */
void arka_kept_unref(arka_kept *kept);

static inline int64_t arka_kept_bytes(const arka_kept *kept)
{
    return atomic_load_explicit(&kept->n_bytes, memory_order_relaxed);
}

#endif
