/**
 * Arrow's types as we speak them: the fields of a schema, for the IPC stream (ipc.h) and for the C
 * data interface (cdata.h). Type table and conversions: docs/formats/arrow.md.
 */
#ifndef ARKA_COLUMNAR_ARROW_H
#define ARKA_COLUMNAR_ARROW_H

#include "base/arena.h"
#include "columnar/batch.h"

typedef enum arka_arrow_type {
    ARKA_ARROW_NULL,
    ARKA_ARROW_BOOL,
    ARKA_ARROW_INT8,
    ARKA_ARROW_INT16,
    ARKA_ARROW_INT32,
    ARKA_ARROW_INT64,
    ARKA_ARROW_UINT8,
    ARKA_ARROW_UINT16,
    ARKA_ARROW_UINT32,
    ARKA_ARROW_UINT64,
    ARKA_ARROW_FLOAT32,
    ARKA_ARROW_FLOAT64,
    ARKA_ARROW_UTF8,
    ARKA_ARROW_LARGE_UTF8,
    ARKA_ARROW_BINARY,
    ARKA_ARROW_DATE32,            /* days */
    ARKA_ARROW_TIME64,            /* unit: µs or ns */
    ARKA_ARROW_TIMESTAMP,         /* unit, timezone */
    ARKA_ARROW_INTERVAL,          /* months int32_t, days int32_t, nanoseconds int64_t */
    ARKA_ARROW_DECIMAL128,        /* precision, scale */
    ARKA_ARROW_FIXED_SIZE_BINARY, /* byte_width */
    ARKA_ARROW_LIST,              /* one child */
    ARKA_ARROW_STRUCT,            /* any number of children */
    ARKA_ARROW_MAP, /* one child: a struct, not nullable, of key (not nullable) and value */
    ARKA_ARROW_N_TYPES
} arka_arrow_type;

/* The numbers are Arrow's (Schema.fbs, TimeUnit). */
typedef enum arka_arrow_unit {
    ARKA_ARROW_SECOND = 0,
    ARKA_ARROW_MILLI = 1,
    ARKA_ARROW_MICRO = 2,
    ARKA_ARROW_NANO = 3,
} arka_arrow_unit;

/** Key and value of the metadata that Arrow lets one hang on schemas, fields and messages. */
typedef struct arka_arrow_pair {
    arka_slice key, value;
} arka_arrow_pair;

typedef struct arka_arrow_pairs {
    const arka_arrow_pair *items;
    size_t n;
} arka_arrow_pairs;

/** Dictionary encoding of a field: the column holds indices into the values of dictionary `id`. */
typedef struct arka_arrow_dictionary {
    int64_t id;
    arka_arrow_type index; /* INT8 to UINT64 */
    bool ordered;
} arka_arrow_dictionary;

typedef struct arka_arrow_field {
    arka_slice name;
    arka_arrow_type type; /* with a dictionary: of its values */
    bool nullable;
    bool keys_sorted;                        /* MAP */
    arka_arrow_unit unit;                    /* TIME64, TIMESTAMP */
    arka_slice timezone;                     /* TIMESTAMP; empty: none */
    int32_t precision, scale;                /* DECIMAL128 */
    int32_t byte_width;                      /* FIXED_SIZE_BINARY */
    const struct arka_arrow_field *children; /* LIST, STRUCT, MAP */
    int n_children;
    const arka_arrow_dictionary *dictionary; /* NULL: plain */
    arka_arrow_pairs metadata;
} arka_arrow_field;

enum { ARKA_ARROW_MAX_DEPTH = 64 }; /* of nested fields */

/** The field mark of a column that came as a line-protocol tag: metadata `arka:tag` = `1`. */
#define ARKA_ARROW_TAG_KEY "arka:tag"

/** "Int64", "Timestamp", …, as Arrow's own documents write it. */
const char *arka_arrow_type_name(arka_arrow_type type);
/** Buffers of one array of this field, without its children's (0 to 3); a dictionary's indices: 2.
 */
int arka_arrow_n_buffers(const arka_arrow_field *field);
/** Bytes of one value of a fixed width; 0 for BOOL (a bit), NULL and everything of varying length.
 */
size_t arka_arrow_width(const arka_arrow_field *field);
/** The column type that holds it after conversion, or ARKA_TYPE_NONE when none does. */
arka_type arka_arrow_column_type(const arka_arrow_field *field);
/** The value of `key`, or {NULL, 0}. */
arka_slice arka_arrow_pairs_find(arka_arrow_pairs pairs, arka_slice key);

/** The field of one of our columns: nullable, times as Timestamp(µs, "UTC"). `name` is borrowed. */
arka_arrow_field arka_arrow_field_of(arka_slice name, arka_type type, bool tag);
/** The fields of a batch, n_columns of them; names borrowed from it. NULL: out of memory. */
arka_arrow_field *arka_arrow_fields_of(const arka_batch *batch, arka_arena *arena);

#endif
