#include "table/slices.h"

#include "table/coalesce.h"

arka_status arka_kept_new(arka_kept **out, arka_error *err)
{
    arka_kept *kept = arka_malloc(sizeof *kept);
    if (kept == NULL)
        return arka_fail_nomem(err, "a counter", sizeof *kept);
    arka_ref_init(&kept->ref);
    atomic_init(&kept->n_bytes, 0);
    *out = kept;
    return ARKA_OK;
}

void arka_kept_unref(arka_kept *kept)
{
    if (kept != NULL && arka_ref_drop(&kept->ref))
        arka_free(kept);
}

arka_status arka_hot_slice_new(int cap, arka_hot_slice **out, arka_error *err)
{
    size_t n_bytes = sizeof(arka_hot_slice) + (size_t)cap * sizeof(arka_hot_batch);
    arka_hot_slice *slice = arka_malloc(n_bytes);
    if (slice == NULL)
        return arka_fail_nomem(err, "a slice", n_bytes);
    *slice = (arka_hot_slice){.cap = cap, .since = arka_mono_now()};
    arka_ref_init(&slice->ref);
    *out = slice;
    return ARKA_OK;
}

void arka_hot_slice_unref(arka_hot_slice *slice)
{
    if (slice == NULL || !arka_ref_drop(&slice->ref))
        return;
    for (int i = 0; i < slice->n; i++) {
        arka_batch_unref(slice->items[i].batch);
        arka_layout_unref(slice->items[i].layout);
    }
    if (slice->kept != NULL)
        atomic_fetch_sub_explicit(&slice->kept->n_bytes, slice->kept_bytes, memory_order_relaxed);
    arka_kept_unref(slice->kept);
    arka_free(slice);
}

void arka_hot_slice_let_go(arka_hot_slice *slice, arka_kept *kept, int64_t n_bytes)
{
    if (kept != NULL) {
        /* read by who drops the last reference, which comes after ours */
        slice->kept = kept;
        slice->kept_bytes = n_bytes;
        arka_ref_add(&kept->ref);
        atomic_fetch_add_explicit(&kept->n_bytes, n_bytes, memory_order_relaxed);
    }
    arka_hot_slice_unref(slice);
}

void arka_hot_slice_add(arka_hot_slice *slice, arka_batch *take_batch, arka_layout *take_layout)
{
    ARKA_DCHECK(slice->n < slice->cap);
    slice->items[slice->n++] = (arka_hot_batch){.batch = take_batch,
                                                .layout = take_layout,
                                                .column_of_field = take_layout->column_of_field,
                                                .n_fields = take_layout->n_fields};
    slice->n_rows += take_batch->n_rows;
    slice->n_bytes += (int64_t)take_batch->memory_bytes;
    if (arka_batch_is_small(take_batch)) {
        slice->n_small++;
        slice->small_bytes += (int64_t)take_batch->memory_bytes;
    }
}

bool arka_slice_list_has_room(const arka_slice_list *list, size_t n)
{
    return list->slices.cap >= n && list->counts.cap >= n;
}

bool arka_slice_list_reserve(arka_slice_list *list, size_t n)
{
    return arka_slice_list_has_room(list, n) ||
           (arka_vec_reserve(&list->slices, n) && arka_vec_reserve(&list->counts, n));
}

void arka_slice_list_add(arka_slice_list *list, arka_hot_slice *slice)
{
    arka_ref_add(&slice->ref);
    list->slices.items[list->slices.n++] = slice;
    list->counts.items[list->counts.n++] = slice->n;
    list->n_batches += slice->n;
    list->n_rows += slice->n_rows;
    list->n_bytes += slice->n_bytes;
}

void arka_slice_list_fini(arka_slice_list *list)
{
    for (size_t i = 0; i < list->slices.n; i++)
        arka_hot_slice_unref(list->slices.items[i]);
    arka_vec_fini(&list->slices);
    arka_vec_fini(&list->counts);
}
