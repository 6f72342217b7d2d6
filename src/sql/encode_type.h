/**
 * What comes out of DuckDB, opened for reading: the types of a result as a tree, and the vectors of
 * a chunk. Shared by the encoders. Chunks must be flat, as duckdb_fetch_chunk gives them.
 */
#ifndef ARKA_SQL_ENCODE_TYPE_H
#define ARKA_SQL_ENCODE_TYPE_H

#include <duckdb.h>

#include "base/arena.h"
#include "base/civil.h"

/** How a value is read and written. */
typedef enum arka_sql_kind {
    ARKA_SQL_NONE, /* a type that we cannot encode */
    ARKA_SQL_NULL, /* only nulls */
    ARKA_SQL_BOOL,
    ARKA_SQL_I8,
    ARKA_SQL_I16,
    ARKA_SQL_I32,
    ARKA_SQL_I64,
    ARKA_SQL_I128,
    ARKA_SQL_U8,
    ARKA_SQL_U16,
    ARKA_SQL_U32,
    ARKA_SQL_U64,
    ARKA_SQL_U128,
    ARKA_SQL_F32,
    ARKA_SQL_F64,
    ARKA_SQL_DECIMAL, /* an integer of 2, 4, 8 or 16 bytes */
    ARKA_SQL_TEXT,
    ARKA_SQL_BLOB,
    ARKA_SQL_BIT,
    ARKA_SQL_UUID,
    ARKA_SQL_ENUM, /* an unsigned integer of 1, 2 or 4 bytes */
    ARKA_SQL_DATE, /* int32_t days */
    ARKA_SQL_TIME, /* int64_t microseconds */
    ARKA_SQL_TIME_NS,
    ARKA_SQL_TIME_TZ,
    ARKA_SQL_TIMESTAMP, /* int64_t, see unit_ns */
    ARKA_SQL_INTERVAL,
    ARKA_SQL_LIST,
    ARKA_SQL_ARRAY,  /* lists of one length */
    ARKA_SQL_STRUCT, /* children have names */
    ARKA_SQL_MAP,    /* two children, key and value; read as a list of them */
    ARKA_SQL_UNION,  /* children have names; read through a tag */
} arka_sql_kind;

typedef struct arka_sql_type {
    arka_sql_kind kind;
    arka_slice name;          /* of the column or the member */
    int bytes;                /* of one value in its vector; 0 for lists, structs and their like */
    int width, scale;         /* DECIMAL */
    int64_t unit_ns;          /* TIMESTAMP: nanoseconds of 1 */
    int64_t array_size;       /* ARRAY */
    const arka_slice *labels; /* ENUM */
    uint32_t n_labels;
    const struct arka_sql_type *children;
    int n_children;
} arka_sql_type;

enum { ARKA_SQL_MAX_DEPTH = 48 }; /* of nested types */

/**
 * Read a logical type into `out`; everything it needs goes to `arena`. `column` and `format` are
 * for the sentence: ARKA_INPUT for a type without an encoding or nested too deep. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_sql_type_read(duckdb_logical_type type, const char *column,
                                             const char *format, arka_arena *arena,
                                             arka_sql_type *out, arka_error *err);

/** The vector of one column, or of its children, in the chunk at hand. */
typedef struct arka_sql_vec {
    const arka_sql_type *type;
    const void *data;
    const uint64_t *validity;      /* NULL: no nulls */
    struct arka_sql_vec *children; /* MAP: key, value. UNION: the members; the tags are `data` */
} arka_sql_vec;

/** An empty vec for a type, with its children; false when out of memory (then arena->failed). */
bool arka_sql_vec_init(arka_sql_vec *v, const arka_sql_type *type, arka_arena *arena);
/** Point it into a chunk's vector. */
void arka_sql_vec_open(arka_sql_vec *v, duckdb_vector vector);

static inline bool arka_sql_is_null(const arka_sql_vec *v, idx_t row)
{
    return v->validity != NULL && !(v->validity[row >> 6] >> (row & 63) & 1);
}
static inline arka_slice arka_sql_bytes(const arka_sql_vec *v, idx_t row)
{
    const duckdb_string_t *s = (const duckdb_string_t *)v->data + row;
    bool inlined = s->value.inlined.length <= sizeof s->value.inlined.inlined;
    return (arka_slice){inlined ? s->value.inlined.inlined : s->value.pointer.ptr,
                        s->value.inlined.length};
}
/** BOOL to U64 except F32, F64 and U64 above INT64_MAX; DATE, TIME, TIMESTAMP, ENUM. */
int64_t arka_sql_i64(const arka_sql_vec *v, idx_t row);
/** Any integer but U128; DECIMAL (without its point). */
__int128 arka_sql_i128(const arka_sql_vec *v, idx_t row);
unsigned __int128 arka_sql_u128(const arka_sql_vec *v, idx_t row);

/** Rows of the child that belong to a row of a LIST, ARRAY or MAP. */
typedef struct arka_sql_range {
    idx_t from, n;
} arka_sql_range;
arka_sql_range arka_sql_list_range(const arka_sql_vec *v, idx_t row);

/** DuckDB's 'infinity' and '-infinity': of dates ±(2^31 - 1), of timestamps ±(2^63 - 1). */
static inline bool arka_sql_date_is_finite(int32_t days)
{
    return days != INT32_MAX && days != -INT32_MAX;
}
static inline bool arka_sql_timestamp_is_finite(int64_t t)
{
    return t != INT64_MAX && t != -INT64_MAX;
}
/** A finite TIMESTAMP in microseconds, rounded down; false when it is beyond them. */
static inline bool arka_sql_to_us(int64_t t, int64_t unit_ns, int64_t *us)
{
    if (unit_ns >= 1000)
        return !__builtin_mul_overflow(t, unit_ns / 1000, us);
    *us = arka_floor_div(t, 1000 / unit_ns);
    return true;
}

#endif
