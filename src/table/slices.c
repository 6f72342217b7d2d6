#include "table/slices.h"

arka_status arka_hot_slice_new(arka_hot_slice **out, arka_error *err)
{
    arka_hot_slice *slice = arka_malloc(sizeof *slice);
    if (slice == NULL)
        return arka_fail_nomem(err, "a slice", sizeof *slice);
    slice->n = 0;
    slice->since = arka_mono_now();
    slice->n_rows = slice->n_bytes = 0;
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
    arka_free(slice);
}

bool arka_slice_list_add(arka_slice_list *list, arka_hot_slice *slice)
{
    if (!arka_vec_reserve(&list->slices, 1) || !arka_vec_reserve(&list->counts, 1))
        return false;
    arka_ref_add(&slice->ref);
    list->slices.items[list->slices.n++] = slice;
    list->counts.items[list->counts.n++] = slice->n;
    list->n_batches += slice->n;
    list->n_rows += slice->n_rows;
    list->n_bytes += slice->n_bytes;
    return true;
}

void arka_slice_list_fini(arka_slice_list *list)
{
    for (size_t i = 0; i < list->slices.n; i++)
        arka_hot_slice_unref(list->slices.items[i]);
    arka_vec_fini(&list->slices);
    arka_vec_fini(&list->counts);
}
