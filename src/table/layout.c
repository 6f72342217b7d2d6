#include "table/layout.h"

arka_status arka_layout_new(const arka_schema *schema, const arka_batch *batch, arka_layout **out,
                            arka_error *err)
{
    size_t n_text = 0;
    for (int i = 0; i < batch->n_columns; i++)
        n_text += batch->columns[i].name.len;
    size_t n_columns = (size_t)batch->n_columns, n_fields = (size_t)schema->n_fields;
    size_t whole =
        sizeof(arka_layout) + n_columns * sizeof(arka_column) + n_fields * sizeof(int16_t) + n_text;
    arka_layout *layout = arka_malloc(whole);
    if (layout == NULL)
        return arka_fail_nomem(err, "a layout", whole);
    arka_column *columns = (arka_column *)(layout + 1);
    int16_t *map = (int16_t *)(columns + n_columns);
    char *text = (char *)(map + n_fields);
    for (size_t f = 0; f < n_fields; f++)
        map[f] = -1;
    for (int i = 0; i < batch->n_columns; i++) {
        const arka_column *c = &batch->columns[i];
        int f = arka_schema_find(schema, c->name);
        ARKA_CHECK(f >= 0, "the schema was made to fit");
        map[f] = (int16_t)i;
        columns[i] = (arka_column){.name = {text, c->name.len}, .type = c->type, .tag = c->tag};
        memcpy(text, c->name.data, c->name.len);
        text += c->name.len;
    }
    *layout = (arka_layout){.hash = batch->layout,
                            .version = schema->version,
                            .n_fields = schema->n_fields,
                            .n_columns = batch->n_columns,
                            .column_of_field = map,
                            .columns = columns};
    arka_ref_init(&layout->ref);
    *out = layout;
    return ARKA_OK;
}

void arka_layout_unref(arka_layout *layout)
{
    if (layout != NULL && arka_ref_drop(&layout->ref))
        arka_free(layout);
}

bool arka_layout_matches(const arka_layout *layout, const arka_batch *batch)
{
    if (layout->hash != batch->layout || layout->n_columns != batch->n_columns)
        return false;
    for (int i = 0; i < batch->n_columns; i++) {
        const arka_column *a = &layout->columns[i], *b = &batch->columns[i];
        if (a->type != b->type || a->tag != b->tag || !arka_slice_eq(a->name, b->name))
            return false;
    }
    return true;
}
