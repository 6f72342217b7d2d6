#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

struct arka_arena_block {
    arka_arena_block *older;
    size_t cap;
    _Alignas(16) char bytes[];
};

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

void arka_arena_fini(arka_arena *arena)
{
    for (arka_arena_block *b = arena->block; b != NULL;) {
        arka_arena_block *older = b->older;
        arka_free(b);
        b = older;
    }
    *arena = (arka_arena)ARKA_ARENA_INIT;
}

void *arka_arena_alloc(arka_arena *arena, size_t n)
{
    if (n > SIZE_MAX / 2) {
        arena->failed = true;
        return NULL;
    }
    n = (n + 15) & ~(size_t)15;
    if (arena->block == NULL || arena->block->cap - arena->used < n) {
        size_t cap = arena->block ? arena->block->cap * 2 : FIRST_BLOCK;
        if (cap > LARGEST_BLOCK)
            cap = LARGEST_BLOCK;
        if (cap < n)
            cap = n;
        arka_arena_block *block = arka_malloc(sizeof *block + cap);
        if (block == NULL) {
            arena->failed = true;
            return NULL;
        }
        block->older = arena->block;
        block->cap = cap;
        arena->block = block;
        arena->used = 0;
        arena->total_bytes += cap;
    }
    void *at = arena->block->bytes + arena->used;
    arena->used += n;
    return at;
}

void *arka_arena_zalloc(arka_arena *arena, size_t n)
{
    void *at = arka_arena_alloc(arena, n);
    if (at != NULL)
        memset(at, 0, n);
    return at;
}

char *arka_arena_strndup(arka_arena *arena, const char *text, size_t n)
{
    char *copy = arka_arena_alloc(arena, n + 1);
    if (copy != NULL) {
        if (n > 0)
            memcpy(copy, text, n);
        copy[n] = 0;
    }
    return copy;
}

char *arka_arena_printf(arka_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : arka_arena_alloc(arena, (size_t)n + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}
