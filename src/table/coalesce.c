#include "table/coalesce.h"

#include "columnar/concat.h"

/*
 * Bodies of SMALL_BYTES are worth no copy any more: what a batch costs beside its body is a few per
 * cent of that. A wide table's batch costs more, so its body must outweigh that as well.
 */
enum { SMALL_BYTES = 8192, OUTWEIGHS = 8 };

static size_t small_below(const arka_batch *batch)
{
    size_t fixed = (batch->memory_bytes - batch->body_bytes) * OUTWEIGHS;
    return fixed > SMALL_BYTES ? fixed : SMALL_BYTES;
}

bool arka_batch_is_small(const arka_batch *batch)
{
    return batch->body_bytes < small_below(batch);
}

typedef struct coalescing {
    ARKA_VEC(arka_hot_batch) left; /* entries in order of arrival; borrowed */
    ARKA_VEC(arka_batch *) group;  /* the ones that are put together next; borrowed */
    arka_hot_slice *out;
} coalescing;

static bool list_entries(coalescing *c, arka_hot_slice *const *slices, size_t n_slices)
{
    for (size_t s = 0; s < n_slices; s++) {
        size_t n = (size_t)slices[s]->n;
        if (!arka_vec_reserve(&c->left, n))
            return false;
        memcpy(c->left.items + c->left.n, slices[s]->items, n * sizeof *c->left.items);
        c->left.n += n;
    }
    return arka_vec_reserve(&c->group, c->left.n);
}

/* Entry i and the small ones behind it that look the same, until they are large together. */
static void gather(coalescing *c, size_t i)
{
    const arka_hot_batch *first = &c->left.items[i];
    size_t enough = small_below(first->batch), n_bytes = 0;
    c->group.n = 0;
    for (size_t k = i; k < c->left.n && n_bytes < enough; k++) {
        arka_hot_batch *entry = &c->left.items[k];
        if (entry->batch == NULL || !arka_batch_is_small(entry->batch) ||
            (entry->layout != first->layout && !arka_layout_matches(first->layout, entry->batch)))
            continue;
        n_bytes += entry->batch->body_bytes;
        c->group.items[c->group.n++] = entry->batch;
        if (k > i)
            entry->batch = NULL; /* it has found its place */
    }
}

static bool emit(coalescing *c, size_t i)
{
    const arka_hot_batch *first = &c->left.items[i];
    arka_batch *batch = first->batch;
    c->group.n = 1;
    if (arka_batch_is_small(batch))
        gather(c, i);
    if (c->group.n == 1)
        arka_batch_ref(batch);
    else if (arka_batch_concat(c->group.items, c->group.n, &batch, NULL) != ARKA_OK)
        return false;
    arka_hot_slice_add(c->out, batch, arka_layout_ref(first->layout));
    return true;
}

static bool coalesce(coalescing *c, arka_hot_slice *const *slices, size_t n_slices)
{
    if (!list_entries(c, slices, n_slices) ||
        arka_hot_slice_new((int)c->left.n, &c->out, NULL) != ARKA_OK)
        return false;
    for (size_t i = 0; i < c->left.n; i++)
        if (c->left.items[i].batch != NULL && !emit(c, i))
            return false;
    return (size_t)c->out->n < c->left.n;
}

/* A slice lives long: no room that it does not use. */
static arka_hot_slice *trim(arka_hot_slice *take_slice)
{
    size_t n_bytes = sizeof *take_slice + (size_t)take_slice->n * sizeof *take_slice->items;
    arka_hot_slice *less = arka_realloc(take_slice, n_bytes);
    if (less == NULL)
        return take_slice;
    less->cap = less->n;
    return less;
}

arka_hot_slice *arka_slices_coalesce(arka_hot_slice *const *slices, size_t n_slices)
{
    coalescing c = {.out = NULL};
    bool gained = coalesce(&c, slices, n_slices);
    arka_vec_fini(&c.left);
    arka_vec_fini(&c.group);
    if (!gained) {
        arka_hot_slice_unref(c.out);
        return NULL;
    }
    c.out->since = slices[0]->since;
    c.out->lsn_first = slices[0]->lsn_first;
    c.out->lsn_last = slices[n_slices - 1]->lsn_last;
    c.out->coalesced = true;
    return trim(c.out);
}
