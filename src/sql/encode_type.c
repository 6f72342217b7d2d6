#include "sql/encode_type.h"

#include <stdio.h>

typedef struct kind_row {
    arka_sql_kind kind;
    int bytes;
    int64_t unit_ns;
} kind_row;

/* By DuckDB's number of the type; what is not here, or NONE, has no encoding. */
static const kind_row KINDS[] = {
    [DUCKDB_TYPE_BOOLEAN] = {ARKA_SQL_BOOL, 1, 0},
    [DUCKDB_TYPE_TINYINT] = {ARKA_SQL_I8, 1, 0},
    [DUCKDB_TYPE_SMALLINT] = {ARKA_SQL_I16, 2, 0},
    [DUCKDB_TYPE_INTEGER] = {ARKA_SQL_I32, 4, 0},
    [DUCKDB_TYPE_BIGINT] = {ARKA_SQL_I64, 8, 0},
    [DUCKDB_TYPE_HUGEINT] = {ARKA_SQL_I128, 16, 0},
    [DUCKDB_TYPE_UTINYINT] = {ARKA_SQL_U8, 1, 0},
    [DUCKDB_TYPE_USMALLINT] = {ARKA_SQL_U16, 2, 0},
    [DUCKDB_TYPE_UINTEGER] = {ARKA_SQL_U32, 4, 0},
    [DUCKDB_TYPE_UBIGINT] = {ARKA_SQL_U64, 8, 0},
    [DUCKDB_TYPE_UHUGEINT] = {ARKA_SQL_U128, 16, 0},
    [DUCKDB_TYPE_FLOAT] = {ARKA_SQL_F32, 4, 0},
    [DUCKDB_TYPE_DOUBLE] = {ARKA_SQL_F64, 8, 0},
    [DUCKDB_TYPE_DECIMAL] = {ARKA_SQL_DECIMAL, 0, 0},
    [DUCKDB_TYPE_VARCHAR] = {ARKA_SQL_TEXT, 16, 0},
    [DUCKDB_TYPE_BLOB] = {ARKA_SQL_BLOB, 16, 0},
    [DUCKDB_TYPE_BIT] = {ARKA_SQL_BIT, 16, 0},
    [DUCKDB_TYPE_UUID] = {ARKA_SQL_UUID, 16, 0},
    [DUCKDB_TYPE_ENUM] = {ARKA_SQL_ENUM, 0, 0},
    [DUCKDB_TYPE_DATE] = {ARKA_SQL_DATE, 4, 0},
    [DUCKDB_TYPE_TIME] = {ARKA_SQL_TIME, 8, 0},
    [DUCKDB_TYPE_TIME_NS] = {ARKA_SQL_TIME_NS, 8, 0},
    [DUCKDB_TYPE_TIME_TZ] = {ARKA_SQL_TIME_TZ, 8, 0},
    [DUCKDB_TYPE_TIMESTAMP_S] = {ARKA_SQL_TIMESTAMP, 8, 1000000000},
    [DUCKDB_TYPE_TIMESTAMP_MS] = {ARKA_SQL_TIMESTAMP, 8, 1000000},
    [DUCKDB_TYPE_TIMESTAMP] = {ARKA_SQL_TIMESTAMP, 8, 1000},
    [DUCKDB_TYPE_TIMESTAMP_TZ] = {ARKA_SQL_TIMESTAMP, 8, 1000},
    [DUCKDB_TYPE_TIMESTAMP_NS] = {ARKA_SQL_TIMESTAMP, 8, 1},
    [DUCKDB_TYPE_INTERVAL] = {ARKA_SQL_INTERVAL, 16, 0},
    [DUCKDB_TYPE_LIST] = {ARKA_SQL_LIST, 0, 0},
    [DUCKDB_TYPE_ARRAY] = {ARKA_SQL_ARRAY, 0, 0},
    [DUCKDB_TYPE_STRUCT] = {ARKA_SQL_STRUCT, 0, 0},
    [DUCKDB_TYPE_MAP] = {ARKA_SQL_MAP, 0, 0},
    [DUCKDB_TYPE_UNION] = {ARKA_SQL_UNION, 0, 0},
    [DUCKDB_TYPE_SQLNULL] = {ARKA_SQL_NULL, 0, 0},
};

static int integer_bytes(duckdb_type id)
{
    return (size_t)id < sizeof KINDS / sizeof *KINDS ? KINDS[id].bytes : 0;
}

static arka_status fail_type(const char *column, const char *format, duckdb_type id,
                             arka_error *err)
{
    /* the header that we compile against may not know the newest of these by name */
    static const char *const names[] = {
        [DUCKDB_TYPE_BIGNUM] = "BIGNUM", [40] = "GEOMETRY", [41] = "VARIANT"};
    const char *name = (size_t)id < sizeof names / sizeof *names ? names[id] : NULL;
    char number[32];
    snprintf(number, sizeof number, "number %d of DuckDB", (int)id);
    return arka_fail(err, ARKA_INPUT,
                     "column \"%s\" has the type %s, for which %s has no form: cast it, say to "
                     "VARCHAR",
                     column, name != NULL ? name : number, format);
}

typedef struct reader {
    const char *column, *format;
    arka_arena *arena;
    arka_error *err;
} reader;

static arka_status read_type(const reader *r, duckdb_logical_type type, int depth,
                             arka_sql_type *out);

/* Takes the logical type. */
static arka_status read_child(const reader *r, duckdb_logical_type take_type, int depth,
                              arka_sql_type *out)
{
    arka_status status = read_type(r, take_type, depth, out);
    duckdb_destroy_logical_type(&take_type);
    return status;
}

/* A member's name; those without one are called by their position from 1. Takes `name`. */
static arka_slice member_name(const reader *r, char *take_name, idx_t i)
{
    char *copy = take_name != NULL && take_name[0] != '\0'
                     ? arka_arena_strndup(r->arena, take_name, strlen(take_name))
                     : arka_arena_printf(r->arena, "%d", (int)i + 1);
    duckdb_free(take_name);
    return arka_slice_of(copy);
}

static arka_status read_enum(const reader *r, duckdb_logical_type type, arka_sql_type *out)
{
    out->bytes = integer_bytes(duckdb_enum_internal_type(type));
    out->n_labels = duckdb_enum_dictionary_size(type);
    arka_slice *labels = arka_arena_alloc(r->arena, (out->n_labels + 1) * sizeof *labels);
    if (labels == NULL)
        return ARKA_OK; /* the arena remembers */
    for (uint32_t i = 0; i < out->n_labels; i++) {
        char *label = duckdb_enum_dictionary_value(type, i);
        labels[i] = arka_slice_of(arka_arena_text(r->arena, arka_slice_of(label)));
        duckdb_free(label);
    }
    out->labels = labels;
    return ARKA_OK;
}

static arka_status read_children(const reader *r, duckdb_logical_type type, int depth,
                                 arka_sql_type *out)
{
    idx_t n = out->kind == ARKA_SQL_STRUCT  ? duckdb_struct_type_child_count(type)
              : out->kind == ARKA_SQL_UNION ? duckdb_union_type_member_count(type)
              : out->kind == ARKA_SQL_MAP   ? 2
                                            : 1;
    arka_sql_type *children = arka_arena_zalloc(r->arena, n * sizeof *children);
    if (children == NULL)
        return ARKA_OK; /* the arena remembers */
    for (idx_t i = 0; i < n; i++) {
        duckdb_logical_type child = NULL;
        arka_slice name = {0};
        if (out->kind == ARKA_SQL_STRUCT) {
            child = duckdb_struct_type_child_type(type, i);
            name = member_name(r, duckdb_struct_type_child_name(type, i), i);
        } else if (out->kind == ARKA_SQL_UNION) {
            child = duckdb_union_type_member_type(type, i);
            name = member_name(r, duckdb_union_type_member_name(type, i), i);
        } else if (out->kind == ARKA_SQL_MAP) {
            child = i == 0 ? duckdb_map_type_key_type(type) : duckdb_map_type_value_type(type);
            name = i == 0 ? ARKA_SLICE("key") : ARKA_SLICE("value");
        } else {
            child = out->kind == ARKA_SQL_LIST ? duckdb_list_type_child_type(type)
                                               : duckdb_array_type_child_type(type);
            name = ARKA_SLICE("item");
        }
        ARKA_TRY(read_child(r, child, depth + 1, &children[i]));
        children[i].name = name;
    }
    if (out->kind == ARKA_SQL_ARRAY)
        out->array_size = (int64_t)duckdb_array_type_array_size(type);
    out->children = children;
    out->n_children = (int)n;
    return ARKA_OK;
}

static arka_status read_type(const reader *r, duckdb_logical_type type, int depth,
                             arka_sql_type *out)
{
    duckdb_type id = duckdb_get_type_id(type);
    const kind_row *row = (size_t)id < sizeof KINDS / sizeof *KINDS ? &KINDS[id] : NULL;
    if (row == NULL || row->kind == ARKA_SQL_NONE)
        return fail_type(r->column, r->format, id, r->err);
    if (depth > ARKA_SQL_MAX_DEPTH)
        return arka_fail(r->err, ARKA_INPUT, "column \"%s\" is nested more than %d deep", r->column,
                         ARKA_SQL_MAX_DEPTH);
    *out = (arka_sql_type){.kind = row->kind, .bytes = row->bytes, .unit_ns = row->unit_ns};
    if (out->kind >= ARKA_SQL_LIST)
        return read_children(r, type, depth, out);
    if (out->kind == ARKA_SQL_ENUM)
        return read_enum(r, type, out);
    if (out->kind == ARKA_SQL_DECIMAL) {
        out->width = duckdb_decimal_width(type);
        out->scale = duckdb_decimal_scale(type);
        out->bytes = integer_bytes(duckdb_decimal_internal_type(type));
    }
    return ARKA_OK;
}

arka_status arka_sql_type_read(duckdb_logical_type type, const char *column, const char *format,
                               arka_arena *arena, arka_sql_type *out, arka_error *err)
{
    reader r = {column, format, arena, err};
    ARKA_TRY(read_type(&r, type, 0, out));
    out->name = arka_slice_of(arka_arena_strndup(arena, column, strlen(column)));
    if (arena->failed)
        return arka_fail_nomem(err, "a result's types", arena->total_bytes);
    return ARKA_OK;
}

bool arka_sql_vec_init(arka_sql_vec *v, const arka_sql_type *type, arka_arena *arena)
{
    *v = (arka_sql_vec){.type = type};
    if (type->n_children == 0)
        return true;
    v->children = arka_arena_zalloc(arena, (size_t)type->n_children * sizeof *v->children);
    if (v->children == NULL)
        return false;
    for (int i = 0; i < type->n_children; i++)
        if (!arka_sql_vec_init(&v->children[i], &type->children[i], arena))
            return false;
    return true;
}

void arka_sql_vec_open(arka_sql_vec *v, duckdb_vector vector)
{
    const arka_sql_type *type = v->type;
    v->data = duckdb_vector_get_data(vector);
    v->validity = duckdb_vector_get_validity(vector);
    if (type->kind == ARKA_SQL_LIST) {
        arka_sql_vec_open(&v->children[0], duckdb_list_vector_get_child(vector));
    } else if (type->kind == ARKA_SQL_ARRAY) {
        arka_sql_vec_open(&v->children[0], duckdb_array_vector_get_child(vector));
    } else if (type->kind == ARKA_SQL_MAP) {
        duckdb_vector pairs = duckdb_list_vector_get_child(vector);
        for (int i = 0; i < 2; i++)
            arka_sql_vec_open(&v->children[i], duckdb_struct_vector_get_child(pairs, (idx_t)i));
    } else if (type->kind == ARKA_SQL_STRUCT) {
        for (int i = 0; i < type->n_children; i++)
            arka_sql_vec_open(&v->children[i], duckdb_struct_vector_get_child(vector, (idx_t)i));
    } else if (type->kind == ARKA_SQL_UNION) {
        /* its tag is a struct's first member */
        v->data = duckdb_vector_get_data(duckdb_struct_vector_get_child(vector, 0));
        for (int i = 0; i < type->n_children; i++)
            arka_sql_vec_open(&v->children[i],
                              duckdb_struct_vector_get_child(vector, (idx_t)i + 1));
    }
}

static bool is_unsigned(arka_sql_kind kind)
{
    return (kind >= ARKA_SQL_U8 && kind <= ARKA_SQL_U64) || kind == ARKA_SQL_ENUM ||
           kind == ARKA_SQL_BOOL;
}

int64_t arka_sql_i64(const arka_sql_vec *v, idx_t row)
{
    switch (v->type->bytes) {
    case 1:
        return is_unsigned(v->type->kind) ? ((const uint8_t *)v->data)[row]
                                          : ((const int8_t *)v->data)[row];
    case 2:
        return is_unsigned(v->type->kind) ? ((const uint16_t *)v->data)[row]
                                          : ((const int16_t *)v->data)[row];
    case 4:
        return is_unsigned(v->type->kind) ? (int64_t)((const uint32_t *)v->data)[row]
                                          : ((const int32_t *)v->data)[row];
    default:
        return ((const int64_t *)v->data)[row];
    }
}

__int128 arka_sql_i128(const arka_sql_vec *v, idx_t row)
{
    if (v->type->bytes == 16) {
        duckdb_hugeint h = ((const duckdb_hugeint *)v->data)[row];
        return (__int128)(((unsigned __int128)(uint64_t)h.upper << 64) | h.lower);
    }
    if (v->type->kind == ARKA_SQL_U64)
        return ((const uint64_t *)v->data)[row];
    return arka_sql_i64(v, row);
}

unsigned __int128 arka_sql_u128(const arka_sql_vec *v, idx_t row)
{
    duckdb_uhugeint h = ((const duckdb_uhugeint *)v->data)[row];
    return ((unsigned __int128)h.upper << 64) | h.lower;
}

arka_sql_range arka_sql_list_range(const arka_sql_vec *v, idx_t row)
{
    if (v->type->kind == ARKA_SQL_ARRAY)
        return (arka_sql_range){row * (idx_t)v->type->array_size, (idx_t)v->type->array_size};
    duckdb_list_entry entry = ((const duckdb_list_entry *)v->data)[row];
    return (arka_sql_range){entry.offset, entry.length};
}
