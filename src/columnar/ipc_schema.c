#include <inttypes.h>

#include "base/utf8.h"
#include "columnar/ipc_priv.h"

/* Arrow's Schema.fbs: the slots of its tables, and the numbers of the type union. */
enum { SCHEMA_ENDIANNESS, SCHEMA_FIELDS, SCHEMA_PAIRS };
enum {
    FIELD_NAME,
    FIELD_NULLABLE,
    FIELD_TYPE_KIND,
    FIELD_TYPE,
    FIELD_DICTIONARY,
    FIELD_CHILDREN,
    FIELD_PAIRS,
};
enum { DICT_ID, DICT_INDEX, DICT_ORDERED };
enum { INT_BITS, INT_SIGNED };
enum { FIRST, SECOND, THIRD }; /* of the small type tables, by place */
enum {
    KIND_NULL = 1,
    KIND_INT,
    KIND_FLOATING_POINT,
    KIND_BINARY,
    KIND_UTF8,
    KIND_BOOL,
    KIND_DECIMAL,
    KIND_DATE,
    KIND_TIME,
    KIND_TIMESTAMP,
    KIND_INTERVAL,
    KIND_LIST,
    KIND_STRUCT,
    KIND_UNION,
    KIND_FIXED_SIZE_BINARY,
    KIND_FIXED_SIZE_LIST,
    KIND_MAP,
    KIND_DURATION,
    KIND_LARGE_BINARY,
    KIND_LARGE_UTF8,
    KIND_LARGE_LIST,
    KIND_RUN_END_ENCODED,
    KIND_BINARY_VIEW,
    KIND_UTF8_VIEW,
    KIND_LIST_VIEW,
    KIND_LARGE_LIST_VIEW,
    N_KINDS,
};
enum { PRECISION_SINGLE = 1, PRECISION_DOUBLE = 2 };
enum { DATE_DAY = 0, DATE_MILLI = 1 };
enum { INTERVAL_MONTH_DAY_NANO = 2 };

static const char *const kind_names[N_KINDS] = {
    [KIND_NULL] = "Null",
    [KIND_INT] = "Int",
    [KIND_FLOATING_POINT] = "FloatingPoint",
    [KIND_BINARY] = "Binary",
    [KIND_UTF8] = "Utf8",
    [KIND_BOOL] = "Bool",
    [KIND_DECIMAL] = "Decimal",
    [KIND_DATE] = "Date",
    [KIND_TIME] = "Time",
    [KIND_TIMESTAMP] = "Timestamp",
    [KIND_INTERVAL] = "Interval",
    [KIND_LIST] = "List",
    [KIND_STRUCT] = "Struct",
    [KIND_UNION] = "Union",
    [KIND_FIXED_SIZE_BINARY] = "FixedSizeBinary",
    [KIND_FIXED_SIZE_LIST] = "FixedSizeList",
    [KIND_MAP] = "Map",
    [KIND_DURATION] = "Duration",
    [KIND_LARGE_BINARY] = "LargeBinary",
    [KIND_LARGE_UTF8] = "LargeUtf8",
    [KIND_LARGE_LIST] = "LargeList",
    [KIND_RUN_END_ENCODED] = "RunEndEncoded",
    [KIND_BINARY_VIEW] = "BinaryView",
    [KIND_UTF8_VIEW] = "Utf8View",
    [KIND_LIST_VIEW] = "ListView",
    [KIND_LARGE_LIST_VIEW] = "LargeListView",
};

/* --- writing ------------------------------------------------------------------------------------
 */

size_t arka_ipc__pairs_encode(arka_flatbuf_writer *w, arka_arrow_pairs pairs, size_t *last)
{
    size_t vector = arka_flatbuf__vector(w, pairs.n, 4, 4);
    for (size_t i = 0; i < pairs.n; i++) {
        arka_flatbuf_shape pair = {0};
        arka_flatbuf__ref(&pair, PAIR_KEY);
        arka_flatbuf__ref(&pair, PAIR_VALUE);
        arka_flatbuf__point(w, vector + 4 + 4 * i, arka_flatbuf__table(w, &pair));
        arka_flatbuf__point(w, pair.at[PAIR_KEY], arka_flatbuf__string(w, pairs.items[i].key));
        size_t value = arka_flatbuf__string(w, pairs.items[i].value);
        arka_flatbuf__point(w, pair.at[PAIR_VALUE], value);
        *last = value + 4;
    }
    return vector;
}

static int64_t int_bits(arka_arrow_type type, bool *is_signed)
{
    *is_signed = type >= ARKA_ARROW_INT8 && type <= ARKA_ARROW_INT64;
    return INT64_C(8) << (type - (*is_signed ? ARKA_ARROW_INT8 : ARKA_ARROW_UINT8));
}

static void int_shape(arka_flatbuf_shape *shape, arka_arrow_type type)
{
    bool is_signed;
    arka_flatbuf__slot(shape, INT_BITS, 4, int_bits(type, &is_signed));
    arka_flatbuf__slot(shape, INT_SIGNED, 1, is_signed);
}

/* The type's own table, and its number in the union. */
static int type_shape(const arka_arrow_field *field, arka_flatbuf_shape *shape)
{
    switch (field->type) {
    case ARKA_ARROW_BOOL:
        return KIND_BOOL;
    case ARKA_ARROW_INT8:
    case ARKA_ARROW_INT16:
    case ARKA_ARROW_INT32:
    case ARKA_ARROW_INT64:
    case ARKA_ARROW_UINT8:
    case ARKA_ARROW_UINT16:
    case ARKA_ARROW_UINT32:
    case ARKA_ARROW_UINT64:
        int_shape(shape, field->type);
        return KIND_INT;
    case ARKA_ARROW_FLOAT32:
        arka_flatbuf__slot(shape, FIRST, 2, PRECISION_SINGLE);
        return KIND_FLOATING_POINT;
    case ARKA_ARROW_FLOAT64:
        arka_flatbuf__slot(shape, FIRST, 2, PRECISION_DOUBLE);
        return KIND_FLOATING_POINT;
    case ARKA_ARROW_UTF8:
        return KIND_UTF8;
    case ARKA_ARROW_LARGE_UTF8:
        return KIND_LARGE_UTF8;
    case ARKA_ARROW_BINARY:
        return KIND_BINARY;
    case ARKA_ARROW_DATE32:
        arka_flatbuf__slot(shape, FIRST, 2, DATE_DAY);
        return KIND_DATE;
    case ARKA_ARROW_TIME64:
        arka_flatbuf__slot(shape, FIRST, 2, field->unit);
        arka_flatbuf__slot(shape, SECOND, 4, 64);
        return KIND_TIME;
    case ARKA_ARROW_TIMESTAMP:
        arka_flatbuf__slot(shape, FIRST, 2, field->unit);
        if (field->timezone.len > 0)
            arka_flatbuf__ref(shape, SECOND);
        return KIND_TIMESTAMP;
    case ARKA_ARROW_INTERVAL:
        arka_flatbuf__slot(shape, FIRST, 2, INTERVAL_MONTH_DAY_NANO);
        return KIND_INTERVAL;
    case ARKA_ARROW_DECIMAL128:
        arka_flatbuf__slot(shape, FIRST, 4, field->precision);
        arka_flatbuf__slot(shape, SECOND, 4, field->scale);
        return KIND_DECIMAL;
    case ARKA_ARROW_FIXED_SIZE_BINARY:
        arka_flatbuf__slot(shape, FIRST, 4, field->byte_width);
        return KIND_FIXED_SIZE_BINARY;
    case ARKA_ARROW_LIST:
        return KIND_LIST;
    case ARKA_ARROW_STRUCT:
        return KIND_STRUCT;
    case ARKA_ARROW_MAP:
        arka_flatbuf__slot(shape, FIRST, 1, field->keys_sorted);
        return KIND_MAP;
    case ARKA_ARROW_NULL:
    case ARKA_ARROW_N_TYPES:
        break;
    }
    return KIND_NULL;
}

static size_t dictionary_encode(arka_flatbuf_writer *w, const arka_arrow_dictionary *dictionary)
{
    arka_flatbuf_shape encoding = {0}, index = {0};
    arka_flatbuf__slot(&encoding, DICT_ID, 8, dictionary->id);
    arka_flatbuf__ref(&encoding, DICT_INDEX);
    arka_flatbuf__slot(&encoding, DICT_ORDERED, 1, dictionary->ordered);
    size_t at = arka_flatbuf__table(w, &encoding);
    int_shape(&index, dictionary->index);
    arka_flatbuf__point(w, encoding.at[DICT_INDEX], arka_flatbuf__table(w, &index));
    return at;
}

static size_t field_encode(arka_flatbuf_writer *w, const arka_arrow_field *field, int depth);

static size_t fields_encode(arka_flatbuf_writer *w, const arka_arrow_field *fields, int n,
                            int depth)
{
    ARKA_CHECK(n == 0 || depth <= ARKA_ARROW_MAX_DEPTH);
    size_t vector = arka_flatbuf__vector(w, (size_t)n, 4, 4);
    for (int i = 0; i < n; i++)
        arka_flatbuf__point(w, vector + 4 + 4 * (size_t)i, field_encode(w, &fields[i], depth));
    return vector;
}

static size_t field_encode(arka_flatbuf_writer *w, const arka_arrow_field *field, int depth)
{
    arka_flatbuf_shape shape = {0}, type = {0};
    size_t last;
    int kind = type_shape(field, &type);
    arka_flatbuf__ref(&shape, FIELD_NAME);
    arka_flatbuf__slot(&shape, FIELD_NULLABLE, 1, field->nullable);
    arka_flatbuf__slot(&shape, FIELD_TYPE_KIND, 1, kind);
    arka_flatbuf__ref(&shape, FIELD_TYPE);
    if (field->dictionary != NULL)
        arka_flatbuf__ref(&shape, FIELD_DICTIONARY);
    arka_flatbuf__ref(&shape, FIELD_CHILDREN);
    if (field->metadata.n > 0)
        arka_flatbuf__ref(&shape, FIELD_PAIRS);

    size_t at = arka_flatbuf__table(w, &shape);
    arka_flatbuf__point(w, shape.at[FIELD_NAME], arka_flatbuf__string(w, field->name));
    arka_flatbuf__point(w, shape.at[FIELD_TYPE], arka_flatbuf__table(w, &type));
    if (field->type == ARKA_ARROW_TIMESTAMP && field->timezone.len > 0)
        arka_flatbuf__point(w, type.at[SECOND], arka_flatbuf__string(w, field->timezone));
    if (field->dictionary != NULL)
        arka_flatbuf__point(w, shape.at[FIELD_DICTIONARY], dictionary_encode(w, field->dictionary));
    /* some readers want the vector even when it is empty */
    arka_flatbuf__point(w, shape.at[FIELD_CHILDREN],
                        fields_encode(w, field->children, field->n_children, depth + 1));
    if (field->metadata.n > 0)
        arka_flatbuf__point(w, shape.at[FIELD_PAIRS],
                            arka_ipc__pairs_encode(w, field->metadata, &last));
    return at;
}

size_t arka_ipc__schema_encode(arka_flatbuf_writer *w, const arka_arrow_field *fields, int n_fields,
                               arka_arrow_pairs metadata)
{
    arka_flatbuf_shape schema = {0};
    size_t last;
    arka_flatbuf__slot(&schema, SCHEMA_ENDIANNESS, 2, 0);
    arka_flatbuf__ref(&schema, SCHEMA_FIELDS);
    if (metadata.n > 0)
        arka_flatbuf__ref(&schema, SCHEMA_PAIRS);
    size_t at = arka_flatbuf__table(w, &schema);
    arka_flatbuf__point(w, schema.at[SCHEMA_FIELDS], fields_encode(w, fields, n_fields, 1));
    if (metadata.n > 0)
        arka_flatbuf__point(w, schema.at[SCHEMA_PAIRS], arka_ipc__pairs_encode(w, metadata, &last));
    return at;
}

/* --- reading ------------------------------------------------------------------------------------
 */

typedef struct decoder {
    arka_flatbuf *fb;
    arka_arena *arena;
    int columns_left;
    int max_columns;
    arka_error *err;
} decoder;

arka_arrow_pairs arka_ipc__pairs_decode(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot,
                                        arka_arena *arena)
{
    arka_flatbuf_vector v = arka_flatbuf__tables(fb, t, slot);
    arka_arrow_pair *pairs = v.n > 0 ? arka_arena_alloc(arena, v.n * sizeof *pairs) : NULL;
    if (pairs == NULL)
        return (arka_arrow_pairs){NULL, 0};
    for (uint32_t i = 0; i < v.n; i++) {
        arka_flatbuf_table pair = arka_flatbuf__item(fb, &v, i);
        pairs[i].key = arka_flatbuf__text_or_empty(fb, &pair, PAIR_KEY);
        pairs[i].value = arka_flatbuf__text_or_empty(fb, &pair, PAIR_VALUE);
    }
    return (arka_arrow_pairs){pairs, v.n};
}

static arka_status unknown(decoder *d, const arka_arrow_field *field, const char *what,
                           int64_t found)
{
    return arka_fail(d->err, ARKA_INPUT,
                     "column '%.*s' has %s %" PRId64 ", which Arrow does not define",
                     ARKA_FMT(field->name), what, found);
}

static arka_status unsupported(decoder *d, const arka_arrow_field *field, const char *type)
{
    return arka_fail(d->err, ARKA_INPUT,
                     "column '%.*s' has the Arrow type %s, which Arc does not read",
                     ARKA_FMT(field->name), type);
}

static arka_status int_decode(decoder *d, const arka_arrow_field *field,
                              const arka_flatbuf_table *t, arka_arrow_type *out)
{
    int64_t bits = arka_flatbuf__int(d->fb, t, INT_BITS, 4, 0);
    bool is_signed = arka_flatbuf__int(d->fb, t, INT_SIGNED, 1, 0) != 0;
    for (int i = 0; i < 4; i++) {
        if (bits == INT64_C(8) << i) {
            *out = (arka_arrow_type)((is_signed ? ARKA_ARROW_INT8 : ARKA_ARROW_UINT8) + i);
            return ARKA_OK;
        }
    }
    return unknown(d, field, "integers with a bit width of", bits);
}

static arka_status unit_decode(decoder *d, arka_arrow_field *field, int64_t unit)
{
    if (unit < ARKA_ARROW_SECOND || unit > ARKA_ARROW_NANO)
        return unknown(d, field, "the time unit", unit);
    field->unit = (arka_arrow_unit)unit;
    return ARKA_OK;
}

static arka_status decimal_decode(decoder *d, arka_arrow_field *field, const arka_flatbuf_table *t)
{
    if (arka_flatbuf__int(d->fb, t, THIRD, 4, 128) != 128)
        return unsupported(d, field, "Decimal of other than 128 bits");
    field->type = ARKA_ARROW_DECIMAL128;
    field->precision = (int32_t)arka_flatbuf__int(d->fb, t, FIRST, 4, 0);
    field->scale = (int32_t)arka_flatbuf__int(d->fb, t, SECOND, 4, 0);
    if (field->precision < 1 || field->precision > 38)
        return unknown(d, field, "the decimal precision", field->precision);
    return ARKA_OK;
}

static arka_status float_decode(decoder *d, arka_arrow_field *field, int64_t precision)
{
    if (precision == 0)
        return unsupported(d, field, "Float16");
    if (precision != PRECISION_SINGLE && precision != PRECISION_DOUBLE)
        return unknown(d, field, "the floating point precision", precision);
    field->type = precision == PRECISION_SINGLE ? ARKA_ARROW_FLOAT32 : ARKA_ARROW_FLOAT64;
    return ARKA_OK;
}

static arka_status need_children(decoder *d, const arka_arrow_field *field, bool enough)
{
    if (enough)
        return ARKA_OK;
    return arka_fail(d->err, ARKA_INPUT, "column '%.*s' of type %s has %d children",
                     ARKA_FMT(field->name), arka_arrow_type_name(field->type), field->n_children);
}

/* The defaults of absent slots are those of Schema.fbs. */
static arka_status type_decode(decoder *d, arka_arrow_field *field, int64_t kind,
                               const arka_flatbuf_table *t)
{
    arka_flatbuf *fb = d->fb;
    switch (kind) {
    case KIND_NULL:
        field->type = ARKA_ARROW_NULL;
        return ARKA_OK;
    case KIND_INT:
        return int_decode(d, field, t, &field->type);
    case KIND_FLOATING_POINT:
        return float_decode(d, field, arka_flatbuf__int(fb, t, FIRST, 2, 0));
    case KIND_BINARY:
        field->type = ARKA_ARROW_BINARY;
        return ARKA_OK;
    case KIND_UTF8:
        field->type = ARKA_ARROW_UTF8;
        return ARKA_OK;
    case KIND_LARGE_UTF8:
        field->type = ARKA_ARROW_LARGE_UTF8;
        return ARKA_OK;
    case KIND_BOOL:
        field->type = ARKA_ARROW_BOOL;
        return ARKA_OK;
    case KIND_DECIMAL:
        return decimal_decode(d, field, t);
    case KIND_DATE:
        if (arka_flatbuf__int(fb, t, FIRST, 2, DATE_MILLI) != DATE_DAY)
            return unsupported(d, field, "Date64");
        field->type = ARKA_ARROW_DATE32;
        return ARKA_OK;
    case KIND_TIME:
        if (arka_flatbuf__int(fb, t, SECOND, 4, 32) != 64)
            return unsupported(d, field, "Time32");
        field->type = ARKA_ARROW_TIME64;
        return unit_decode(d, field, arka_flatbuf__int(fb, t, FIRST, 2, ARKA_ARROW_MILLI));
    case KIND_TIMESTAMP:
        field->type = ARKA_ARROW_TIMESTAMP;
        field->timezone = arka_flatbuf__text(fb, t, SECOND);
        return unit_decode(d, field, arka_flatbuf__int(fb, t, FIRST, 2, ARKA_ARROW_SECOND));
    case KIND_INTERVAL:
        if (arka_flatbuf__int(fb, t, FIRST, 2, 0) != INTERVAL_MONTH_DAY_NANO)
            return unsupported(d, field, "Interval of another unit than month-day-nano");
        field->type = ARKA_ARROW_INTERVAL;
        return ARKA_OK;
    case KIND_FIXED_SIZE_BINARY:
        field->type = ARKA_ARROW_FIXED_SIZE_BINARY;
        field->byte_width = (int32_t)arka_flatbuf__int(fb, t, FIRST, 4, 0);
        if (field->byte_width < 0)
            return unknown(d, field, "the byte width", field->byte_width);
        return ARKA_OK;
    case KIND_LIST:
        field->type = ARKA_ARROW_LIST;
        return need_children(d, field, field->n_children == 1);
    case KIND_STRUCT:
        field->type = ARKA_ARROW_STRUCT;
        return ARKA_OK;
    case KIND_MAP:
        field->type = ARKA_ARROW_MAP;
        field->keys_sorted = arka_flatbuf__int(fb, t, FIRST, 1, 0) != 0;
        return need_children(d, field,
                             field->n_children == 1 && field->children[0].n_children == 2);
    default:
        if (kind > 0 && kind < N_KINDS)
            return unsupported(d, field, kind_names[kind]);
        return unknown(d, field, "the type number", kind);
    }
}

static arka_status broken(decoder *d)
{
    if (d->arena->failed)
        return arka_fail_nomem(d->err, "an Arrow schema", d->fb->n);
    return arka_fail(d->err, ARKA_INPUT, "the schema is damaged: what stands at byte %zu of it %s",
                     d->fb->bad_at, d->fb->bad);
}

static arka_status dictionary_decode(decoder *d, arka_arrow_field *field,
                                     const arka_flatbuf_table *t)
{
    arka_flatbuf_table encoding = arka_flatbuf__child(d->fb, t, FIELD_DICTIONARY);
    if (encoding.at == 0)
        return ARKA_OK;
    arka_arrow_dictionary *dictionary = arka_arena_zalloc(d->arena, sizeof *dictionary);
    if (dictionary == NULL)
        return broken(d);
    dictionary->id = arka_flatbuf__int(d->fb, &encoding, DICT_ID, 8, 0);
    dictionary->ordered = arka_flatbuf__int(d->fb, &encoding, DICT_ORDERED, 1, 0) != 0;
    dictionary->index = ARKA_ARROW_INT32; /* what Schema.fbs says of an absent index type */
    arka_flatbuf_table index = arka_flatbuf__child(d->fb, &encoding, DICT_INDEX);
    if (index.at != 0)
        ARKA_TRY(int_decode(d, field, &index, &dictionary->index));
    field->dictionary = dictionary;
    return ARKA_OK;
}

static arka_status field_decode(decoder *d, const arka_flatbuf_table *t, int depth,
                                arka_arrow_field *field);

static arka_status fields_decode(decoder *d, const arka_flatbuf_table *t, int slot, int depth,
                                 const arka_arrow_field **out, int *out_n)
{
    arka_flatbuf_vector v = arka_flatbuf__tables(d->fb, t, slot);
    *out = NULL;
    *out_n = 0;
    if (v.n == 0)
        return d->fb->bad != NULL ? broken(d) : ARKA_OK;
    if (v.n > (uint32_t)d->columns_left)
        return arka_fail(d->err, ARKA_LIMIT, "the schema has more than %d columns", d->max_columns);
    if (depth > ARKA_ARROW_MAX_DEPTH)
        return arka_fail(d->err, ARKA_INPUT, "the schema nests deeper than %d fields",
                         ARKA_ARROW_MAX_DEPTH);
    d->columns_left -= (int)v.n;
    arka_arrow_field *fields = arka_arena_zalloc(d->arena, v.n * sizeof *fields);
    if (fields == NULL)
        return broken(d);
    for (uint32_t i = 0; i < v.n; i++) {
        arka_flatbuf_table item = arka_flatbuf__item(d->fb, &v, i);
        ARKA_TRY(field_decode(d, &item, depth, &fields[i]));
    }
    *out = fields;
    *out_n = (int)v.n;
    return ARKA_OK;
}

static arka_status field_decode(decoder *d, const arka_flatbuf_table *t, int depth,
                                arka_arrow_field *field)
{
    field->name = arka_flatbuf__text_or_empty(d->fb, t, FIELD_NAME);
    if (!arka_utf8_valid(field->name.data, field->name.len))
        return arka_fail(d->err, ARKA_INPUT, "a column name in the schema is not UTF-8");
    field->nullable = arka_flatbuf__int(d->fb, t, FIELD_NULLABLE, 1, 0) != 0;
    ARKA_TRY(fields_decode(d, t, FIELD_CHILDREN, depth + 1, &field->children, &field->n_children));
    field->metadata = arka_ipc__pairs_decode(d->fb, t, FIELD_PAIRS, d->arena);
    int64_t kind = arka_flatbuf__int(d->fb, t, FIELD_TYPE_KIND, 1, 0);
    arka_flatbuf_table type = arka_flatbuf__child(d->fb, t, FIELD_TYPE);
    if (d->fb->bad != NULL || d->arena->failed)
        return broken(d);
    ARKA_TRY(type_decode(d, field, kind, &type));
    return dictionary_decode(d, field, t);
}

arka_status arka_ipc__schema_decode(arka_flatbuf *fb, const arka_flatbuf_table *t, int max_columns,
                                    arka_arena *arena, arka_ipc_schema *out, arka_error *err)
{
    decoder d = {fb, arena, max_columns, max_columns, err};
    arka_ipc_schema schema = {0};
    int64_t endianness = arka_flatbuf__int(fb, t, SCHEMA_ENDIANNESS, 2, 0);
    if (endianness != 0)
        return arka_fail(err, ARKA_INPUT,
                         "the schema says endianness %" PRId64 ", expected 0 (little-endian)",
                         endianness);
    ARKA_TRY(fields_decode(&d, t, SCHEMA_FIELDS, 1, &schema.fields, &schema.n_fields));
    schema.metadata = arka_ipc__pairs_decode(fb, t, SCHEMA_PAIRS, arena);
    if (fb->bad != NULL || arena->failed)
        return broken(&d);
    *out = schema;
    return ARKA_OK;
}
