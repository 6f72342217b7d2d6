/**
 * A table's columns: an immutable, counted list. Fields are only ever added at the end, and a
 * field's id is its place + 1 for life, so index i means the same field in every version of a
 * schema.
 */
#ifndef ARKA_TABLE_SCHEMA_H
#define ARKA_TABLE_SCHEMA_H

#include "columnar/batch.h"

enum { ARKA_MAX_FIELDS = 10000 };

typedef struct arka_field {
    int32_t id; /* index + 1: Parquet's field_id */
    arka_type type;
    bool tag;        /* has come as a line-protocol tag */
    arka_slice name; /* NUL-terminated, in the schema's memory */
} arka_field;

typedef struct arka_schema {
    arka_ref ref;
    int32_t version; /* from 1; grows with every change */
    int n_fields;    /* field 0 is "time" */
    const arka_field *fields;
    const uint16_t *slots; /* private: fields by the hash of their folded names, index + 1 */
    uint32_t n_slots;      /* a power of two */
} arka_schema;

/** Copies names, which are distinct. Version and fields as given; ids are set here. */
ARKA_MUST_USE arka_status arka_schema_new(int32_t version, const arka_field *fields, int n_fields,
                                          arka_schema **out, arka_error *err);
static inline arka_schema *arka_schema_ref(arka_schema *schema)
{
    arka_ref_add(&schema->ref);
    return schema;
}
/** NULL is fine. */
void arka_schema_unref(arka_schema *schema);
ARKA_CLEANUP(arka_schema, arka_schema_unref)
/** Index of a field by name (arka_name_eq), or -1. Costs the same in a wide table as in a narrow.
 */
int arka_schema_find(const arka_schema *schema, arka_slice name);

/**
 * What a schema must become so that `batch` fits, and how the batch must be cast.
 *
 * out_schema  the next version (one reference), or NULL when the batch fits as it is: new columns
 *             are added, BIGINT becomes DOUBLE where the batch has doubles, a column first seen as
 * a tag is marked so. casts       batch->n_columns entries, written: the type to cast each column
 * to, or NONE. *n_casts    how many are not NONE. `schema` may be NULL (the table is new). Errors:
 * ARKA_INPUT naming column, both types and the first row; ARKA_LIMIT above ARKA_MAX_FIELDS columns.
 */
ARKA_MUST_USE arka_status arka_schema_fit(const arka_schema *schema, const arka_batch *batch,
                                          arka_schema **out_schema, arka_type *casts, int *n_casts,
                                          arka_error *err);

#endif
