#include "table/snapshot_priv.h"

arka_status arka_snapshot__new(arka_snapshot **out, arka_error *err)
{
    arka_snapshot *s = arka_calloc(1, sizeof *s);
    if (s == NULL || (s->slices = arka_calloc(1, sizeof *s->slices)) == NULL) {
        arka_free(s);
        return arka_fail_nomem(err, "a snapshot", sizeof *s);
    }
    arka_ref_init(&s->ref);
    *out = s;
    return ARKA_OK;
}

arka_status arka_snapshot_flatten(arka_snapshot *s, arka_error *err)
{
    const arka_slice_list *list = s->slices;
    if (list->n_batches == 0)
        return ARKA_OK;
    arka_hot_batch *hot = arka_malloc((size_t)list->n_batches * sizeof *hot);
    if (hot == NULL)
        return arka_fail_nomem(err, "a snapshot", (size_t)list->n_batches * sizeof *hot);
    size_t at = 0;
    for (size_t i = 0; i < list->slices.n; i++) {
        size_t n = (size_t)list->counts.items[i];
        memcpy(hot + at, list->slices.items[i]->items, n * sizeof *hot);
        at += n;
    }
    s->hot = hot;
    s->n_hot_batches = list->n_batches;
    s->n_hot_rows = list->n_rows;
    s->n_hot_bytes = list->n_bytes;
    return ARKA_OK;
}

void arka_snapshot_unref(arka_snapshot *s)
{
    if (s == NULL || !arka_ref_drop(&s->ref))
        return;
    arka_file_list_unref(s->file_list);
    arka_free((void *)(uintptr_t)s->hot);
    arka_slice_list_fini(s->slices);
    arka_free(s->slices);
    arka_schema_unref(s->schema);
    arka_free(s);
}
