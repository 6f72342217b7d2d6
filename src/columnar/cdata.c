#include "columnar/cdata.h"

#include <inttypes.h>

#include "base/utf8.h"
#include "columnar/arrow_column.h"
#include "columnar/block.h"

/* --- export: arrays -----------------------------------------------------------------------------
 */

/* Behind one exported array: what keeps its buffers alive, and the lists that it points to. */
typedef struct held_array {
    arka_batch *batch;
    const void *buffers[3];
    struct ArrowArray *arrays; /* the parent's children, one allocation */
    struct ArrowArray *children[];
} held_array;

static void release_array(struct ArrowArray *array)
{
    held_array *held = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++)
        if (array->children[i]->release != NULL) /* else it was moved out */
            array->children[i]->release(array->children[i]);
    arka_batch_unref(held->batch);
    arka_free(held->arrays);
    arka_free(held);
    array->release = NULL;
}

static bool hold_array(arka_batch *batch, size_t n_children, struct ArrowArray *out)
{
    held_array *held = arka_calloc(1, sizeof *held + n_children * sizeof held->children[0]);
    if (held == NULL)
        return false;
    held->batch = arka_batch_ref(batch);
    *out = (struct ArrowArray){.length = batch->n_rows,
                               .buffers = held->buffers,
                               .children = held->children,
                               .release = release_array,
                               .private_data = held};
    return true;
}

static bool export_column(arka_batch *batch, const arka_column *c, struct ArrowArray *out)
{
    if (!hold_array(batch, 0, out))
        return false;
    held_array *held = out->private_data;
    out->null_count = c->n_nulls;
    out->n_buffers = c->type == ARKA_VARCHAR ? 3 : 2;
    out->children = NULL;
    held->buffers[0] = c->validity;
    held->buffers[1] = c->values;
    held->buffers[2] = c->bytes;
    return true;
}

arka_status arka_cdata_export_batch(arka_batch *batch, struct ArrowArray *out, arka_error *err)
{
    size_t n = (size_t)batch->n_columns;
    struct ArrowArray whole;
    if (!hold_array(batch, n, &whole))
        return arka_fail_nomem(err, "an exported batch", n * sizeof whole);
    held_array *held = whole.private_data;
    whole.n_buffers = 1; /* validity: none */
    held->arrays = arka_calloc(n, sizeof *held->arrays);
    for (size_t i = 0; held->arrays != NULL && i < n; i++) {
        if (!export_column(batch, &batch->columns[i], &held->arrays[i]))
            break;
        held->children[i] = &held->arrays[i];
        whole.n_children++;
    }
    if (whole.n_children < batch->n_columns) {
        release_array(&whole);
        return arka_fail_nomem(err, "an exported batch", n * sizeof whole);
    }
    *out = whole;
    return ARKA_OK;
}

/* --- export: types ------------------------------------------------------------------------------
 */

typedef struct held_schema {
    arka_batch *batch; /* the names stand in it */
    struct ArrowSchema *schemas;
    struct ArrowSchema *children[];
} held_schema;

static void release_schema(struct ArrowSchema *schema)
{
    held_schema *held = schema->private_data;
    for (int64_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->release != NULL)
            schema->children[i]->release(schema->children[i]);
    arka_batch_unref(held->batch);
    arka_free(held->schemas);
    arka_free(held);
    schema->release = NULL;
}

static bool hold_schema(arka_batch *batch, size_t n_children, struct ArrowSchema *out)
{
    held_schema *held = arka_calloc(1, sizeof *held + n_children * sizeof held->children[0]);
    if (held == NULL)
        return false;
    held->batch = arka_batch_ref(batch);
    *out = (struct ArrowSchema){.children = n_children > 0 ? held->children : NULL,
                                .release = release_schema,
                                .private_data = held};
    return true;
}

static const char *format_of(arka_type type)
{
    switch (type) {
    case ARKA_BOOLEAN:
        return "b";
    case ARKA_BIGINT:
        return "l";
    case ARKA_DOUBLE:
        return "g";
    case ARKA_VARCHAR:
        return "u";
    case ARKA_TIMESTAMPTZ:
        return "tsu:UTC";
    case ARKA_TYPE_NONE:
        break;
    }
    return "n";
}

static bool export_field(arka_batch *batch, const arka_column *c, struct ArrowSchema *out)
{
    /* int32 pairs, then int32 length and bytes of key and value, in this machine's order */
    static const struct {
        int32_t n, n_key;
        char key[sizeof ARKA_ARROW_TAG_KEY - 1];
        int32_t n_value;
        char value[1];
    } __attribute__((packed)) tag = {1, sizeof ARKA_ARROW_TAG_KEY - 1, ARKA_ARROW_TAG_KEY, 1, "1"};

    if (!hold_schema(batch, 0, out))
        return false;
    out->format = format_of(c->type);
    out->name = c->name.data;
    out->metadata = c->tag ? (const char *)&tag : NULL;
    out->flags = ARROW_FLAG_NULLABLE;
    return true;
}

arka_status arka_cdata_export_schema(arka_batch *batch, struct ArrowSchema *out, arka_error *err)
{
    size_t n = (size_t)batch->n_columns;
    struct ArrowSchema whole;
    if (!hold_schema(batch, n, &whole))
        return arka_fail_nomem(err, "an exported schema", n * sizeof whole);
    held_schema *held = whole.private_data;
    whole.format = "+s";
    whole.name = "";
    held->schemas = arka_calloc(n, sizeof *held->schemas);
    for (size_t i = 0; held->schemas != NULL && i < n; i++) {
        if (!export_field(batch, &batch->columns[i], &held->schemas[i]))
            break;
        held->children[i] = &held->schemas[i];
        whole.n_children++;
    }
    if (whole.n_children < batch->n_columns) {
        release_schema(&whole);
        return arka_fail_nomem(err, "an exported schema", n * sizeof whole);
    }
    *out = whole;
    return ARKA_OK;
}

/* --- import -------------------------------------------------------------------------------------
 */

/* What a column can be made of, by format string ("Data type description"). */
static const struct {
    const char *format; /* the whole of it, or all up to a time zone */
    arka_arrow_type type;
    arka_arrow_unit unit;
} formats[] = {
    {"n", ARKA_ARROW_NULL, 0},
    {"b", ARKA_ARROW_BOOL, 0},
    {"c", ARKA_ARROW_INT8, 0},
    {"C", ARKA_ARROW_UINT8, 0},
    {"s", ARKA_ARROW_INT16, 0},
    {"S", ARKA_ARROW_UINT16, 0},
    {"i", ARKA_ARROW_INT32, 0},
    {"I", ARKA_ARROW_UINT32, 0},
    {"l", ARKA_ARROW_INT64, 0},
    {"L", ARKA_ARROW_UINT64, 0},
    {"f", ARKA_ARROW_FLOAT32, 0},
    {"g", ARKA_ARROW_FLOAT64, 0},
    {"z", ARKA_ARROW_BINARY, 0},
    {"u", ARKA_ARROW_UTF8, 0},
    {"U", ARKA_ARROW_LARGE_UTF8, 0},
    {"tdD", ARKA_ARROW_DATE32, 0},
    {"tss:", ARKA_ARROW_TIMESTAMP, ARKA_ARROW_SECOND},
    {"tsm:", ARKA_ARROW_TIMESTAMP, ARKA_ARROW_MILLI},
    {"tsu:", ARKA_ARROW_TIMESTAMP, ARKA_ARROW_MICRO},
    {"tsn:", ARKA_ARROW_TIMESTAMP, ARKA_ARROW_NANO},
};

static bool parse_format(const char *format, arka_arrow_field *field)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        bool zoned = formats[i].type == ARKA_ARROW_TIMESTAMP;
        if (zoned ? strncmp(format, formats[i].format, 4) != 0
                  : strcmp(format, formats[i].format) != 0)
            continue;
        field->type = formats[i].type;
        field->unit = formats[i].unit;
        if (zoned)
            field->timezone = arka_slice_of(format + 4);
        return true;
    }
    return false;
}

static arka_status refuse(const char *format, arka_slice name, arka_error *err)
{
    return arka_fail(err, ARKA_INPUT,
                     "column '%.*s' has the Arrow format '%s', which no column of Arc can hold",
                     ARKA_FMT(name), format);
}

#define MAX_ROWS (INT64_C(1) << 40)

/* Is it marked as a tag? The metadata is length-prefixed, so it can be walked without its size. */
static bool is_tag(const char *metadata)
{
    int32_t n = 0, len;
    if (metadata != NULL)
        memcpy(&n, metadata, sizeof n);
    const char *at = metadata + (metadata != NULL ? sizeof n : 0);
    for (int32_t i = 0; i < n; i++) {
        arka_slice part[2];
        for (int k = 0; k < 2; k++) {
            memcpy(&len, at, sizeof len);
            part[k] = (arka_slice){at + sizeof len, (size_t)len};
            at += sizeof len + (size_t)len;
        }
        if (arka_slice_eq(part[0], ARKA_SLICE(ARKA_ARROW_TAG_KEY)) &&
            arka_slice_eq(part[1], ARKA_SLICE("1")))
            return true;
    }
    return false;
}

/* The type of a column; a dictionary's index type goes to *dictionary. */
static arka_status import_field(const struct ArrowSchema *schema, arka_arrow_field *field,
                                arka_arrow_dictionary *dictionary, arka_error *err)
{
    arka_slice name = arka_slice_of(schema->name);
    if (name.data == NULL || !arka_utf8_valid(name.data, name.len))
        return arka_fail(err, ARKA_INPUT, "a column name is missing or not UTF-8");
    arka_arrow_field as = arka_arrow_field_of(name, ARKA_TYPE_NONE, is_tag(schema->metadata));
    if (!parse_format(schema->format, &as))
        return refuse(schema->format, name, err);
    if (schema->dictionary != NULL) {
        dictionary->index = as.type;
        if (as.type < ARKA_ARROW_INT8 || as.type > ARKA_ARROW_UINT64)
            return refuse(schema->format, name, err);
        if (!parse_format(schema->dictionary->format, &as))
            return refuse(schema->dictionary->format, name, err);
        as.dictionary = dictionary;
    }
    *field = as;
    return ARKA_OK;
}

static arka_arrow_buffer buffer_of(const struct ArrowArray *array, int i)
{
    const void *data = array->buffers[i];
    return data != NULL ? (arka_arrow_buffer){data, SIZE_MAX}
                        : (arka_arrow_buffer){(const uint8_t *)"", 0};
}

/* `offset`: what the parent's own offset adds. */
static arka_status import_array(const arka_arrow_field *field, const struct ArrowArray *array,
                                int64_t offset, int64_t n_rows, arka_arrow_array *out,
                                arka_error *err)
{
    int n_buffers = arka_arrow_n_buffers(field);
    if (array->n_buffers != n_buffers)
        return arka_fail(err, ARKA_INPUT, "column '%.*s' has %" PRId64 " buffers, %s has %d",
                         ARKA_FMT(field->name), array->n_buffers, arka_arrow_type_name(field->type),
                         n_buffers);
    if (array->offset < 0 || array->length < 0 || array->length - offset < n_rows)
        return arka_fail(err, ARKA_INPUT,
                         "column '%.*s' has %" PRId64 " rows from row %" PRId64
                         " on, expected %" PRId64 " from %" PRId64 " on",
                         ARKA_FMT(field->name), array->length, array->offset, n_rows, offset);
    *out = (arka_arrow_array){.n_rows = n_rows, .offset = array->offset + offset};
    if (n_buffers >= 2) {
        if (array->buffers[0] != NULL && array->null_count != 0)
            out->validity = buffer_of(array, 0);
        out->values = buffer_of(array, 1);
    }
    if (n_buffers == 3)
        out->bytes = buffer_of(array, 2);
    return ARKA_OK;
}

static arka_status import_dictionary(const arka_arrow_field *field, const struct ArrowArray *array,
                                     arka_arena *arena, arka_arrow_texts *out, arka_error *err)
{
    arka_arrow_field values = *field;
    arka_arrow_array texts;
    values.dictionary = NULL;
    if (array == NULL)
        return arka_fail(err, ARKA_INPUT, "column '%.*s' comes without its dictionary",
                         ARKA_FMT(field->name));
    ARKA_TRY(import_array(&values, array, 0, array->length, &texts, err));
    arka_slice *items = arka_arena_alloc(arena, (size_t)array->length * sizeof *items);
    if (items == NULL)
        return arka_fail_nomem(err, "a dictionary", (size_t)array->length * sizeof *items);
    ARKA_TRY(arka_arrow__texts(&values, &texts, items, err));
    *out = (arka_arrow_texts){items, array->length};
    return ARKA_OK;
}

static arka_status import_column(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                 const struct ArrowArray *parent, arka_block *block,
                                 arka_error *err)
{
    ARKA_AUTO_VALUE(arka_arena) arena = ARKA_ARENA_INIT;
    arka_arrow_dictionary encoding = {0};
    arka_arrow_field field;
    arka_arrow_array values;
    arka_arrow_texts texts = {NULL, 0};
    int64_t budget = INT64_MAX;
    ARKA_TRY(import_field(schema, &field, &encoding, err));
    if (field.type == ARKA_ARROW_NULL && field.dictionary == NULL)
        return ARKA_OK;
    ARKA_TRY(import_array(&field, array, parent->offset, parent->length, &values, err));
    if (field.dictionary != NULL)
        ARKA_TRY(import_dictionary(&field, array->dictionary, &arena, &texts, err));
    return arka_arrow__column(block, &field, &values, &texts, &budget, err);
}

arka_status arka_cdata_import(const struct ArrowArray *array, const struct ArrowSchema *schema,
                              int64_t now_us, arka_batch **out, arka_error *err)
{
    ARKA_AUTO(arka_block) block = NULL;
    if (strcmp(schema->format, "+s") != 0)
        return arka_fail(err, ARKA_INPUT, "Arrow format '%s', expected a struct ('+s')",
                         schema->format);
    if (array->n_children != schema->n_children)
        return arka_fail(err, ARKA_INPUT,
                         "a struct array of %" PRId64 " columns with a schema of %" PRId64,
                         array->n_children, schema->n_children);
    if (array->length < 1 || array->length > MAX_ROWS || array->offset < 0)
        return arka_fail(err, ARKA_INPUT,
                         "a struct array of %" PRId64 " rows from row %" PRId64 " on",
                         array->length, array->offset);
    if (array->null_count != 0 && array->n_buffers > 0 && array->buffers[0] != NULL)
        return arka_fail(err, ARKA_INPUT,
                         "a struct array with nulls of its own, which no batch of Arc can hold");
    ARKA_TRY(arka_block_new(array->length, (size_t)(array->length * array->n_children * 8), &block,
                            err));
    for (int64_t i = 0; i < array->n_children; i++)
        ARKA_TRY(import_column(schema->children[i], array->children[i], array, block, err));
    return arka_block_seal(arka_take(block), now_us, out, err);
}
