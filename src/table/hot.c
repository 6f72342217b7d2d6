#include "table/hot.h"

enum {
    FIRST_CAP = 8,
    COALESCE_ENTRIES = 1024, /* most that are looked at at once */
    SLICE_BYTES = 16 << 20,  /* a slice is closed: it is the least that a flush can take */
};

void arka_hot_fini(arka_hot *hot)
{
    for (arka_hot_slice *s = hot->first; s != NULL;) {
        arka_hot_slice *next = s->next;
        arka_hot_slice_unref(s);
        s = next;
    }
    *hot = (arka_hot){0};
}

/* ---- appending ---- */

bool arka_hot_has_room(const arka_hot *hot)
{
    return hot->open && hot->last->n < hot->last->cap;
}

int arka_hot_next_cap(const arka_hot *hot)
{
    return hot->next_cap ? hot->next_cap : FIRST_CAP;
}

void arka_hot_open(arka_hot *hot, arka_hot_slice *take_slice)
{
    take_slice->prev = hot->last;
    if (hot->last != NULL)
        hot->last->next = take_slice;
    else
        hot->first = take_slice;
    hot->last = take_slice;
    hot->n_slices++;
    hot->open = true;
}

bool arka_hot_add(arka_hot *hot, arka_batch *take_batch, arka_layout *take_layout,
                  uint64_t lsn_first)
{
    arka_hot_slice *slice = hot->last;
    ARKA_DCHECK(slice->n == 0 || lsn_first > slice->lsn_last);
    if (slice->n == 0)
        slice->lsn_first = lsn_first;
    slice->lsn_last = lsn_first + (uint64_t)take_batch->n_rows - 1;
    hot->n_rows += take_batch->n_rows;
    hot->n_bytes += (int64_t)take_batch->memory_bytes;
    arka_hot_slice_add(slice, take_batch, take_layout);
    bool full = slice->n == slice->cap;
    if (full) {
        hot->next_cap = slice->cap * 2;
        if (hot->next_cap > ARKA_SLICE_BATCHES)
            hot->next_cap = ARKA_SLICE_BATCHES;
    }
    if (full || slice->n_bytes >= SLICE_BYTES)
        hot->open = false;
    return full;
}

/* ---- flushing ---- */

void arka_hot_claim(arka_hot *hot, int64_t max_bytes, arka_slice_list *out)
{
    ARKA_CHECK(hot->n_claimed == 0, "one flush at a time");
    for (arka_hot_slice *s = hot->first; s != NULL; s = s->next) {
        /* Half a slice too much or too little is the nearest that whole slices come to it. */
        if (out->slices.n > 0 && out->n_bytes > max_bytes - s->n_bytes / 2)
            break;
        arka_slice_list_add(out, s);
        s->claimed = true;
        hot->n_claimed++;
    }
    if (hot->n_claimed == hot->n_slices)
        hot->open = false;
}

void arka_hot_release(arka_hot *hot)
{
    arka_hot_slice *s = hot->first;
    for (; hot->n_claimed > 0; hot->n_claimed--, s = s->next)
        s->claimed = false;
}

arka_hot_slice *arka_hot_drop(arka_hot *hot)
{
    arka_hot_slice *chain = hot->first, *last = NULL, *s = hot->first;
    for (; hot->n_claimed > 0; hot->n_claimed--, s = s->next) {
        hot->n_slices--;
        hot->n_rows -= s->n_rows;
        hot->n_bytes -= s->n_bytes;
        last = s;
    }
    if (last == NULL)
        return NULL;
    last->next = NULL;
    hot->first = s;
    if (s != NULL) {
        s->prev = NULL;
    } else {
        hot->last = NULL;
        hot->next_cap = 0;
    }
    return chain;
}

arka_hot_slice *arka_hot_drop_all(arka_hot *hot)
{
    for (arka_hot_slice *s = hot->first; s != NULL; s = s->next)
        s->claimed = true; /* whoever puts some of them together finds that they are gone */
    hot->n_claimed = hot->n_slices;
    hot->open = false;
    return arka_hot_drop(hot);
}

/* ---- coalescing ---- */

size_t arka_hot_pick(arka_hot *hot, arka_hot_slice *slices[ARKA_COALESCE_SLICES])
{
    arka_hot_slice *newest = hot->open ? hot->last->prev : hot->last;
    if (newest == NULL || newest->claimed)
        return 0;
    arka_hot_slice *oldest = newest;
    int64_t n_small = newest->n_small, small_bytes = newest->small_bytes, entries = newest->n;
    size_t n = 1;
    for (arka_hot_slice *s = newest->prev;
         s != NULL && !s->claimed && s->n_small > 0 && s->small_bytes < 2 * small_bytes &&
         n < ARKA_COALESCE_SLICES && entries + s->n <= COALESCE_ENTRIES;
         s = s->prev) {
        n_small += s->n_small;
        small_bytes += s->small_bytes;
        entries += s->n;
        oldest = s;
        n++;
    }
    if (n_small < 2 || (n == 1 && newest->coalesced))
        return 0;
    for (size_t i = 0; i < n; i++, oldest = oldest->next) {
        arka_ref_add(&oldest->ref);
        slices[i] = oldest;
    }
    return n;
}

bool arka_hot_replace(arka_hot *hot, arka_hot_slice *const *slices, size_t n, arka_hot_slice *made,
                      int64_t *freed)
{
    for (size_t i = 0; i < n; i++)
        if (slices[i]->claimed)
            return false;
    made->prev = slices[0]->prev;
    made->next = slices[n - 1]->next;
    *(made->prev != NULL ? &made->prev->next : &hot->first) = made;
    *(made->next != NULL ? &made->next->prev : &hot->last) = made;
    *freed = -made->n_bytes;
    for (size_t i = 0; i < n; i++) {
        *freed += slices[i]->n_bytes;
        arka_hot_slice_unref(slices[i]);
    }
    hot->n_slices -= n - 1;
    hot->n_bytes -= *freed;
    return true;
}
