#include "table/schema.h"

#include <stdio.h>

arka_status arka_schema_new(int32_t version, const arka_field *fields, int n_fields,
                            arka_schema **out, arka_error *err)
{
    size_t n_text = 0;
    for (int i = 0; i < n_fields; i++)
        n_text += fields[i].name.len + 1;
    size_t whole = sizeof(arka_schema) + (size_t)n_fields * sizeof(arka_field) + n_text;
    arka_schema *schema = arka_malloc(whole);
    if (schema == NULL)
        return arka_fail_nomem(err, "a schema", whole);
    arka_field *copy = (arka_field *)(schema + 1);
    char *text = (char *)(copy + n_fields);
    for (int i = 0; i < n_fields; i++) {
        copy[i] = fields[i];
        copy[i].id = i + 1;
        copy[i].name.data = text;
        memcpy(text, fields[i].name.data, fields[i].name.len);
        text[fields[i].name.len] = 0;
        text += fields[i].name.len + 1;
    }
    *schema = (arka_schema){.version = version, .n_fields = n_fields, .fields = copy};
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
    for (int i = 0; i < schema->n_fields; i++)
        if (arka_name_eq(schema->fields[i].name, name))
            return i;
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
    size_t n = text.len > 32 ? 32 : text.len;
    while (n > 0 && n < text.len && ((unsigned char)text.data[n] & 0xc0) == 0x80)
        n--;
    snprintf(out, 48, " ('%.*s')", (int)n, text.data);
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

static arka_status fit_column(const arka_batch *batch, int i, arka_field *fields, int *n_fields,
                              arka_type *cast, bool *changed, arka_error *err)
{
    const arka_column *c = &batch->columns[i];
    *cast = ARKA_TYPE_NONE;
    int f = 0;
    while (f < *n_fields && !arka_name_eq(fields[f].name, c->name))
        f++;
    if (f == *n_fields) {
        fields[(*n_fields)++] = (arka_field){.type = c->type, .tag = c->tag, .name = c->name};
        *changed = true;
        return ARKA_OK;
    }
    arka_type becomes;
    if (!unify(fields[f].type, c->type, &becomes, cast)) {
        char value[48];
        show_first_value(c, batch->n_rows, value);
        return arka_fail(err, ARKA_INPUT,
                         "column '%.*s' is %s, the new values are %s%s, first in row %lld",
                         ARKA_FMT(c->name), arka_type_name(fields[f].type), arka_type_name(c->type),
                         value, (long long)first_row(c, batch->n_rows));
    }
    if (becomes != fields[f].type || (c->tag && !fields[f].tag)) {
        fields[f].type = becomes;
        fields[f].tag |= c->tag;
        *changed = true;
    }
    return ARKA_OK;
}

arka_status arka_schema_fit(const arka_schema *schema, const arka_batch *batch,
                            arka_schema **out_schema, arka_type *casts, int *n_casts,
                            arka_error *err)
{
    int n_fields = schema ? schema->n_fields : 1;
    size_t room = (size_t)(n_fields + batch->n_columns);
    arka_field *fields = arka_malloc(room * sizeof *fields);
    if (fields == NULL)
        return arka_fail_nomem(err, "a schema", room * sizeof *fields);
    if (schema != NULL)
        memcpy(fields, schema->fields, (size_t)n_fields * sizeof *fields);
    else
        fields[0] = (arka_field){.type = ARKA_TIMESTAMPTZ, .name = ARKA_SLICE(ARKA_TIME_COLUMN)};
    bool changed = schema == NULL;
    arka_status status = ARKA_OK;
    int n = 0;
    for (int i = 0; status == ARKA_OK && i < batch->n_columns; i++) {
        status = fit_column(batch, i, fields, &n_fields, &casts[i], &changed, err);
        n += status == ARKA_OK && casts[i] != ARKA_TYPE_NONE;
    }
    if (status == ARKA_OK && n_fields > ARKA_MAX_FIELDS)
        status =
            arka_fail(err, ARKA_LIMIT, "the table would have %d columns, at most %d are allowed",
                      n_fields, ARKA_MAX_FIELDS);
    arka_schema *next = NULL;
    if (status == ARKA_OK && changed)
        status = arka_schema_new(schema ? schema->version + 1 : 1, fields, n_fields, &next, err);
    arka_free(fields);
    if (status == ARKA_OK) {
        *out_schema = next;
        *n_casts = n;
    }
    return status;
}
