#include "table/schema.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/utf8.h"

/* No column has a longer name (arka_column_name_check). */
enum { MAX_NAME = 255 };

static uint32_t first_slot(const arka_schema *schema, arka_slice name)
{
    char folded[MAX_NAME];
    arka_name_fold(name, folded);
    return (uint32_t)arka_hash(folded, name.len, 0) & (schema->n_slots - 1);
}

static void fill_slots(const arka_schema *schema, uint16_t *slots)
{
    memset(slots, 0, schema->n_slots * sizeof *slots);
    for (int i = 0; i < schema->n_fields; i++) {
        uint32_t at = first_slot(schema, schema->fields[i].name);
        while (slots[at] != 0)
            at = (at + 1) & (schema->n_slots - 1);
        slots[at] = (uint16_t)(i + 1);
    }
}

arka_status arka_schema_new(int32_t version, const arka_field *fields, int n_fields,
                            arka_schema **out, arka_error *err)
{
    size_t n_text = 0, n_slots = 4;
    for (int i = 0; i < n_fields; i++)
        n_text += fields[i].name.len + 1;
    while (n_slots < (size_t)n_fields * 2)
        n_slots *= 2;
    size_t whole = sizeof(arka_schema) + (size_t)n_fields * sizeof(arka_field) +
                   n_slots * sizeof(uint16_t) + n_text;
    arka_schema *schema = arka_malloc(whole);
    if (schema == NULL)
        return arka_fail_nomem(err, "a schema", whole);
    arka_field *copy = (arka_field *)(schema + 1);
    uint16_t *slots = (uint16_t *)(copy + n_fields);
    char *text = (char *)(slots + n_slots);
    for (int i = 0; i < n_fields; i++) {
        copy[i] = fields[i];
        copy[i].id = i + 1;
        copy[i].name.data = text;
        memcpy(text, fields[i].name.data, fields[i].name.len);
        text[fields[i].name.len] = 0;
        text += fields[i].name.len + 1;
    }
    *schema = (arka_schema){.version = version,
                            .n_fields = n_fields,
                            .fields = copy,
                            .slots = slots,
                            .n_slots = (uint32_t)n_slots};
    fill_slots(schema, slots);
    arka_ref_init(&schema->ref);
    *out = schema;
    return ARKA_OK;
}

void arka_schema_unref(arka_schema *schema)
{
    if (schema != NULL && arka_ref_drop(&schema->ref))
        arka_free(schema);
}

int arka_schema_find(const arka_schema *schema, arka_slice name)
{
    if (name.len > MAX_NAME)
        return -1;
    for (uint32_t at = first_slot(schema, name); schema->slots[at] != 0;
         at = (at + 1) & (schema->n_slots - 1)) {
        int i = schema->slots[at] - 1;
        if (arka_name_eq(schema->fields[i].name, name))
            return i;
    }
    return -1;
}

/* The first value of a column as a reader would write it, for the sentence of a refusal. */
static void show_first_value(const arka_column *c, int64_t n_rows, char out[48])
{
    int64_t row = 0;
    while (row < n_rows && arka_column_is_null(c, row))
        row++;
    out[0] = 0;
    if (row == n_rows || c->type != ARKA_VARCHAR)
        return;
    arka_slice text = arka_column_text(c, row);
    snprintf(out, 48, " ('%.*s')", (int)arka_utf8_cut(text.data, text.len, 32), text.data);
}

static int64_t first_row(const arka_column *c, int64_t n_rows)
{
    int64_t row = 0;
    while (row + 1 < n_rows && arka_column_is_null(c, row))
        row++;
    return row;
}

/*
 * What happens when a column of type `has` gets values of type `comes`: *field is the type the
 * column has from then on, *cast what the values become (NONE: they stay).
 */
static bool unify(arka_type has, arka_type comes, arka_type *field, arka_type *cast)
{
    *field = has;
    *cast = ARKA_TYPE_NONE;
    if (has == comes)
        return true;
    if (has == ARKA_BIGINT && comes == ARKA_DOUBLE) {
        *field = ARKA_DOUBLE;
        return true;
    }
    if ((has == ARKA_DOUBLE && comes == ARKA_BIGINT) || has == ARKA_VARCHAR) {
        *cast = has;
        return true;
    }
    return false;
}

/* What a schema becomes, field by field. */
typedef struct fitting {
    const arka_schema *schema; /* as it is, or NULL */
    arka_field *fields;
    int n_fields;
    bool changed;
} fitting;

/* The field that a column goes to, or -1. A batch has no two columns of one name. */
static int find_field(const fitting *f, arka_slice name)
{
    if (f->schema != NULL)
        return arka_schema_find(f->schema, name);
    return arka_name_eq(name, f->fields[0].name) ? 0 : -1;
}

static arka_status fit_column(fitting *to, const arka_batch *batch, int i, arka_type *cast,
                              arka_error *err)
{
    const arka_column *c = &batch->columns[i];
    *cast = ARKA_TYPE_NONE;
    int f = find_field(to, c->name);
    if (f < 0) {
        to->fields[to->n_fields++] = (arka_field){.type = c->type, .tag = c->tag, .name = c->name};
        to->changed = true;
        return ARKA_OK;
    }
    arka_field *field = &to->fields[f];
    arka_type becomes;
    if (!unify(field->type, c->type, &becomes, cast)) {
        char value[48];
        show_first_value(c, batch->n_rows, value);
        return arka_fail(err, ARKA_INPUT,
                         "column '%.*s' is %s, the new values are %s%s, first in row %lld",
                         ARKA_FMT(c->name), arka_type_name(field->type), arka_type_name(c->type),
                         value, (long long)first_row(c, batch->n_rows));
    }
    if (becomes != field->type || (c->tag && !field->tag)) {
        field->type = becomes;
        field->tag |= c->tag;
        to->changed = true;
    }
    return ARKA_OK;
}

static arka_status fit_columns(fitting *to, const arka_batch *batch, arka_type *casts, int *n_casts,
                               arka_error *err)
{
    *n_casts = 0;
    for (int i = 0; i < batch->n_columns; i++) {
        ARKA_TRY(fit_column(to, batch, i, &casts[i], err));
        *n_casts += casts[i] != ARKA_TYPE_NONE;
    }
    if (to->n_fields > ARKA_MAX_FIELDS)
        return arka_fail(err, ARKA_LIMIT, "the table would have %d columns, at most %d are allowed",
                         to->n_fields, ARKA_MAX_FIELDS);
    return ARKA_OK;
}

arka_status arka_schema_fit(const arka_schema *schema, const arka_batch *batch,
                            arka_schema **out_schema, arka_type *casts, int *n_casts,
                            arka_error *err)
{
    int n_fields = schema ? schema->n_fields : 1, n;
    size_t room = (size_t)(n_fields + batch->n_columns);
    fitting f = {.schema = schema, .n_fields = n_fields, .changed = schema == NULL};
    f.fields = arka_malloc(room * sizeof *f.fields);
    if (f.fields == NULL)
        return arka_fail_nomem(err, "a schema", room * sizeof *f.fields);
    if (schema != NULL)
        memcpy(f.fields, schema->fields, (size_t)n_fields * sizeof *f.fields);
    else
        f.fields[0] = (arka_field){.type = ARKA_TIMESTAMPTZ, .name = ARKA_SLICE(ARKA_TIME_COLUMN)};
    arka_status status = fit_columns(&f, batch, casts, &n, err);
    arka_schema *next = NULL;
    if (status == ARKA_OK && f.changed)
        status =
            arka_schema_new(schema ? schema->version + 1 : 1, f.fields, f.n_fields, &next, err);
    arka_free(f.fields);
    if (status == ARKA_OK) {
        *out_schema = next;
        *n_casts = n;
    }
    return status;
}
