/**
 * A typed growable array: struct { T *items; size_t n, cap; }. Zero-initialised is empty.
 *
 *     ARKA_VEC(arka_batch *) batches = {0};
 *     if (!arka_vec_push(&batches, b)) return arka_fail_nomem(...);
 *     arka_vec_fini(&batches);
 */
#ifndef ARKA_BASE_VEC_H
#define ARKA_BASE_VEC_H

#include "base/mem.h"

#define ARKA_VEC(T)                                                                                \
    struct {                                                                                       \
        T *items;                                                                                  \
        size_t n, cap;                                                                             \
    }

bool arka_vec_grow(void **items, size_t *cap, size_t need, size_t item_bytes);

/** Room for `more` items behind the last; false when out of memory (the content stays). */
#define arka_vec_reserve(v, more)                                                                  \
    ((v)->cap - (v)->n >= (size_t)(more) ||                                                        \
     arka_vec_grow((void **)&(v)->items, &(v)->cap, (v)->n + (size_t)(more), sizeof *(v)->items))
#define arka_vec_push(v, ...)                                                                      \
    (arka_vec_reserve((v), 1) && ((v)->items[(v)->n++] = (__VA_ARGS__), true))
#define arka_vec_last(v) ((v)->items[(v)->n - 1])
#define arka_vec_fini(v)                                                                           \
    do {                                                                                           \
        arka_free((v)->items);                                                                     \
        (v)->items = NULL;                                                                         \
        (v)->n = (v)->cap = 0;                                                                     \
    } while (0)

#endif
