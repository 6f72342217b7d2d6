#include "columnar/arrow.h"

const char *arka_arrow_type_name(arka_arrow_type type)
{
    static const char *const names[ARKA_ARROW_N_TYPES] = {
        [ARKA_ARROW_NULL] = "Null",
        [ARKA_ARROW_BOOL] = "Bool",
        [ARKA_ARROW_INT8] = "Int8",
        [ARKA_ARROW_INT16] = "Int16",
        [ARKA_ARROW_INT32] = "Int32",
        [ARKA_ARROW_INT64] = "Int64",
        [ARKA_ARROW_UINT8] = "UInt8",
        [ARKA_ARROW_UINT16] = "UInt16",
        [ARKA_ARROW_UINT32] = "UInt32",
        [ARKA_ARROW_UINT64] = "UInt64",
        [ARKA_ARROW_FLOAT32] = "Float32",
        [ARKA_ARROW_FLOAT64] = "Float64",
        [ARKA_ARROW_UTF8] = "Utf8",
        [ARKA_ARROW_LARGE_UTF8] = "LargeUtf8",
        [ARKA_ARROW_BINARY] = "Binary",
        [ARKA_ARROW_DATE32] = "Date32",
        [ARKA_ARROW_TIME64] = "Time64",
        [ARKA_ARROW_TIMESTAMP] = "Timestamp",
        [ARKA_ARROW_INTERVAL] = "Interval",
        [ARKA_ARROW_DECIMAL128] = "Decimal128",
        [ARKA_ARROW_FIXED_SIZE_BINARY] = "FixedSizeBinary",
        [ARKA_ARROW_LIST] = "List",
        [ARKA_ARROW_STRUCT] = "Struct",
        [ARKA_ARROW_MAP] = "Map",
    };
    return (unsigned)type < ARKA_ARROW_N_TYPES ? names[type] : "unknown";
}

/* Arrow columnar format 1.3, "Buffer Listing for Each Layout". */
int arka_arrow_n_buffers(const arka_arrow_field *field)
{
    if (field->dictionary != NULL)
        return 2;
    switch (field->type) {
    case ARKA_ARROW_NULL:
    case ARKA_ARROW_N_TYPES:
        return 0;
    case ARKA_ARROW_STRUCT:
        return 1;
    case ARKA_ARROW_UTF8:
    case ARKA_ARROW_LARGE_UTF8:
    case ARKA_ARROW_BINARY:
        return 3;
    case ARKA_ARROW_BOOL:
    case ARKA_ARROW_INT8:
    case ARKA_ARROW_INT16:
    case ARKA_ARROW_INT32:
    case ARKA_ARROW_INT64:
    case ARKA_ARROW_UINT8:
    case ARKA_ARROW_UINT16:
    case ARKA_ARROW_UINT32:
    case ARKA_ARROW_UINT64:
    case ARKA_ARROW_FLOAT32:
    case ARKA_ARROW_FLOAT64:
    case ARKA_ARROW_DATE32:
    case ARKA_ARROW_TIME64:
    case ARKA_ARROW_TIMESTAMP:
    case ARKA_ARROW_INTERVAL:
    case ARKA_ARROW_DECIMAL128:
    case ARKA_ARROW_FIXED_SIZE_BINARY:
    case ARKA_ARROW_LIST:
    case ARKA_ARROW_MAP:
        return 2;
    }
    return 0;
}

size_t arka_arrow_width(const arka_arrow_field *field)
{
    switch (field->dictionary != NULL ? field->dictionary->index : field->type) {
    case ARKA_ARROW_INT8:
    case ARKA_ARROW_UINT8:
        return 1;
    case ARKA_ARROW_INT16:
    case ARKA_ARROW_UINT16:
        return 2;
    case ARKA_ARROW_INT32:
    case ARKA_ARROW_UINT32:
    case ARKA_ARROW_FLOAT32:
    case ARKA_ARROW_DATE32:
        return 4;
    case ARKA_ARROW_INT64:
    case ARKA_ARROW_UINT64:
    case ARKA_ARROW_FLOAT64:
    case ARKA_ARROW_TIME64:
    case ARKA_ARROW_TIMESTAMP:
        return 8;
    case ARKA_ARROW_INTERVAL:
    case ARKA_ARROW_DECIMAL128:
        return 16;
    case ARKA_ARROW_FIXED_SIZE_BINARY:
        return (size_t)field->byte_width;
    case ARKA_ARROW_NULL:
    case ARKA_ARROW_BOOL:
    case ARKA_ARROW_UTF8:
    case ARKA_ARROW_LARGE_UTF8:
    case ARKA_ARROW_BINARY:
    case ARKA_ARROW_LIST:
    case ARKA_ARROW_STRUCT:
    case ARKA_ARROW_MAP:
    case ARKA_ARROW_N_TYPES:
        break;
    }
    return 0;
}

arka_type arka_arrow_column_type(const arka_arrow_field *field)
{
    switch (field->type) {
    case ARKA_ARROW_UTF8:
    case ARKA_ARROW_LARGE_UTF8:
    case ARKA_ARROW_BINARY:
        return ARKA_VARCHAR;
    case ARKA_ARROW_BOOL:
        return field->dictionary == NULL ? ARKA_BOOLEAN : ARKA_TYPE_NONE;
    case ARKA_ARROW_INT8:
    case ARKA_ARROW_INT16:
    case ARKA_ARROW_INT32:
    case ARKA_ARROW_INT64:
    case ARKA_ARROW_UINT8:
    case ARKA_ARROW_UINT16:
    case ARKA_ARROW_UINT32:
    case ARKA_ARROW_UINT64:
        return field->dictionary == NULL ? ARKA_BIGINT : ARKA_TYPE_NONE;
    case ARKA_ARROW_FLOAT32:
    case ARKA_ARROW_FLOAT64:
        return field->dictionary == NULL ? ARKA_DOUBLE : ARKA_TYPE_NONE;
    case ARKA_ARROW_DATE32:
    case ARKA_ARROW_TIMESTAMP:
        return field->dictionary == NULL ? ARKA_TIMESTAMPTZ : ARKA_TYPE_NONE;
    case ARKA_ARROW_NULL:
    case ARKA_ARROW_TIME64:
    case ARKA_ARROW_INTERVAL:
    case ARKA_ARROW_DECIMAL128:
    case ARKA_ARROW_FIXED_SIZE_BINARY:
    case ARKA_ARROW_LIST:
    case ARKA_ARROW_STRUCT:
    case ARKA_ARROW_MAP:
    case ARKA_ARROW_N_TYPES:
        break;
    }
    return ARKA_TYPE_NONE;
}

arka_slice arka_arrow_pairs_find(arka_arrow_pairs pairs, arka_slice key)
{
    for (size_t i = 0; i < pairs.n; i++)
        if (arka_slice_eq(pairs.items[i].key, key))
            return pairs.items[i].value;
    return (arka_slice){NULL, 0};
}

arka_arrow_field arka_arrow_field_of(arka_slice name, arka_type type, bool tag)
{
    static const arka_arrow_pair tag_mark = {{ARKA_ARROW_TAG_KEY, sizeof ARKA_ARROW_TAG_KEY - 1},
                                             {"1", 1}};
    arka_arrow_field field = {.name = name, .nullable = true};
    if (tag)
        field.metadata = (arka_arrow_pairs){&tag_mark, 1};
    switch (type) {
    case ARKA_BOOLEAN:
        field.type = ARKA_ARROW_BOOL;
        break;
    case ARKA_BIGINT:
        field.type = ARKA_ARROW_INT64;
        break;
    case ARKA_DOUBLE:
        field.type = ARKA_ARROW_FLOAT64;
        break;
    case ARKA_VARCHAR:
        field.type = ARKA_ARROW_UTF8;
        break;
    case ARKA_TIMESTAMPTZ:
        field.type = ARKA_ARROW_TIMESTAMP;
        field.unit = ARKA_ARROW_MICRO;
        field.timezone = ARKA_SLICE("UTC");
        break;
    case ARKA_TYPE_NONE:
        field.type = ARKA_ARROW_NULL;
        break;
    }
    return field;
}

arka_arrow_field *arka_arrow_fields_of(const arka_batch *batch, arka_arena *arena)
{
    arka_arrow_field *fields = arka_arena_alloc(arena, (size_t)batch->n_columns * sizeof *fields);
    for (int i = 0; fields != NULL && i < batch->n_columns; i++) {
        const arka_column *c = &batch->columns[i];
        fields[i] = arka_arrow_field_of(c->name, c->type, c->tag);
    }
    return fields;
}
