/**
 * An arena: many small allocations that die together (a request, a flush, a query).
 * Memory only, never descriptors or locks. Remembers that it ran out (`failed`). Not thread-safe.
 */
#ifndef ARKA_BASE_ARENA_H
#define ARKA_BASE_ARENA_H

#include "base/mem.h"
#include "base/slice.h"

typedef struct arka_arena_block arka_arena_block;
typedef struct arka_arena {
    arka_arena_block *block;
    size_t used;        /* in the newest block */
    size_t total_bytes; /* of all blocks */
    bool failed;
} arka_arena;

#define ARKA_ARENA_INIT                                                                            \
    {                                                                                              \
        NULL, 0, 0, false                                                                          \
    }

void arka_arena_fini(arka_arena *arena);
/** n bytes aligned to 16, not cleared; NULL when out of memory. Lives until fini. */
void *arka_arena_alloc(arka_arena *arena, size_t n);
void *arka_arena_zalloc(arka_arena *arena, size_t n);
/** A NUL-terminated copy. */
char *arka_arena_strndup(arka_arena *arena, const char *text, size_t n);
char *arka_arena_printf(arka_arena *arena, const char *format, ...) ARKA_PRINTF(2, 3);
static inline char *arka_arena_text(arka_arena *arena, arka_slice s)
{
    return arka_arena_strndup(arena, s.data, s.len);
}

#endif
