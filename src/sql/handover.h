/**
 * What is handed between the threads that work on queries (ours and DuckDB's: pins, batches, the
 * memory of chunks and its next use) goes through DuckDB's queues, locks and allocator, which order
 * it. A race detector that cannot look into libduckdb does not see that. So every function that
 * DuckDB calls, and whoever takes a chunk from it, says so here, in sanitizer builds only.
 */
#ifndef ARKA_SQL_HANDOVER_H
#define ARKA_SQL_HANDOVER_H

#ifdef ARKA_SANITIZED

#include <stdatomic.h>

extern atomic_uint arka_handovers; /* session.c */

static inline void arka_handover(void)
{
    atomic_fetch_add_explicit(&arka_handovers, 1, memory_order_acq_rel);
}

static inline void arka_handover_end(const int *scope)
{
    (void)scope;
    arka_handover();
}

/** Taken here, given back at the end of the enclosing block. First in a function that DuckDB calls.
 */
#define ARKA_HANDOVER_SCOPE()                                                                      \
    __attribute__((cleanup(arka_handover_end), unused)) const int arka_handover_scope = 0;         \
    arka_handover()

#else

static inline void arka_handover(void)
{
}
#define ARKA_HANDOVER_SCOPE() ((void)0)

#endif

#endif
