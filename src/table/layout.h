/**
 * A layout: how the columns of batches that look alike map to a table's fields. Private to table/.
 * Counted and immutable; many batches share one.
 */
#ifndef ARKA_TABLE_LAYOUT_H
#define ARKA_TABLE_LAYOUT_H

#include "table/schema.h"

typedef struct arka_layout {
    arka_ref ref;
    uint64_t hash;   /* arka_batch.layout */
    int32_t version; /* of the schema it was made for */
    int n_fields;    /* of that schema */
    int n_columns;
    const int16_t *column_of_field; /* n_fields entries, -1: no column */
    const arka_column *columns;     /* names, types and tag marks only */
} arka_layout;

/** Every column of `batch` must be a field of `schema`. */
ARKA_MUST_USE arka_status arka_layout_new(const arka_schema *schema, const arka_batch *batch,
                                          arka_layout **out, arka_error *err);
static inline arka_layout *arka_layout_ref(arka_layout *layout)
{
    arka_ref_add(&layout->ref);
    return layout;
}
void arka_layout_unref(arka_layout *layout);
ARKA_CLEANUP(arka_layout, arka_layout_unref)
/** Is this the batch's layout, really? A hash alone may collide. */
bool arka_layout_matches(const arka_layout *layout, const arka_batch *batch);

#endif
