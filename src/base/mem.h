/**
 * Memory: the one door to malloc (tests make it fail), and reference counts.
 * NULL means out of memory; callers answer ARKA_NOMEM through arka_fail_nomem.
 */
#ifndef ARKA_BASE_MEM_H
#define ARKA_BASE_MEM_H

#include <stdatomic.h>

#include "base/status.h"

void *arka_malloc(size_t n_bytes) __attribute__((malloc));
void *arka_calloc(size_t n, size_t n_bytes) __attribute__((malloc));
/** On failure NULL, and the old memory stays as it was. */
void *arka_realloc(void *old, size_t n_bytes);
void arka_free(void *memory);
/** A copy of n bytes with a NUL behind it. */
char *arka_strndup(const char *text, size_t n);
char *arka_strdup(const char *text);

#define arka_fail_nomem(err, what, n_bytes)                                                        \
    arka_fail((err), ARKA_NOMEM, "out of memory: %zu bytes for %s", (size_t)(n_bytes), (what))

/** A reference count, first member of what it counts. Starts at 1. */
typedef struct arka_ref {
    atomic_int count;
} arka_ref;

static inline void arka_ref_init(arka_ref *ref)
{
    atomic_init(&ref->count, 1);
}
static inline void arka_ref_add(arka_ref *ref)
{
    atomic_fetch_add_explicit(&ref->count, 1, memory_order_relaxed);
}
/** Does nobody but the caller, who holds one, hold one? Then nobody can come to. */
static inline bool arka_ref_is_last(arka_ref *ref)
{
    /* acquire: what those who let go did before is seen */
    return atomic_load_explicit(&ref->count, memory_order_acquire) == 1;
}
/** True when the caller dropped the last one and must free the object. */
static inline bool arka_ref_drop(arka_ref *ref)
{
    /* acq_rel: whoever frees sees every write of those who let go before */
    return atomic_fetch_sub_explicit(&ref->count, 1, memory_order_acq_rel) == 1;
}

#endif
