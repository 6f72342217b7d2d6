#include "columnar/arrow_column.h"

#include <inttypes.h>

#include "base/civil.h"
#include "base/utf8.h"
#include "columnar/bits.h"

/* What is being converted, for the functions below and their sentences. */
typedef struct source {
    const arka_arrow_field *field;
    const arka_arrow_array *array;
    int64_t n_nulls;
    arka_error *err;
} source;

static bool is_null(const source *s, int64_t row)
{
    return s->n_nulls > 0 && !arka_bit(s->array->validity.data, s->array->offset + row);
}

static arka_status bad(const source *s, const char *what)
{
    return arka_fail(s->err, ARKA_INPUT, "column '%.*s': %s", ARKA_FMT(s->field->name), what);
}

static arka_status bad_row(const source *s, int64_t row, const char *what)
{
    return arka_fail(s->err, ARKA_INPUT, "column '%.*s', row %" PRId64 ": %s",
                     ARKA_FMT(s->field->name), row, what);
}

static arka_status need(const source *s, const char *buffer, const arka_arrow_buffer *b, size_t n)
{
    if (b->n >= n)
        return ARKA_OK;
    return arka_fail(s->err, ARKA_INPUT,
                     "column '%.*s': the %s buffer has %zu bytes, %" PRId64 " rows of %s need %zu",
                     ARKA_FMT(s->field->name), buffer, b->n, s->array->n_rows,
                     arka_arrow_type_name(s->field->type), n);
}

static bool is_text(arka_arrow_type type)
{
    return type == ARKA_ARROW_UTF8 || type == ARKA_ARROW_LARGE_UTF8 || type == ARKA_ARROW_BINARY;
}

/* Are the fixed parts of the buffers as long as rows and type ask for? Counts the nulls. */
static arka_status check_buffers(source *s)
{
    const arka_arrow_array *a = s->array;
    if (a->n_rows < 0 || a->offset < 0 || a->n_rows > INT64_MAX / 64 || a->offset > INT64_MAX / 64)
        return bad(s, "length or offset is out of range");
    size_t end = (size_t)(a->offset + a->n_rows);
    if (a->validity.data != NULL) {
        ARKA_TRY(need(s, "validity", &a->validity, (end + 7) / 8));
        s->n_nulls = a->n_rows - arka_bits_count(a->validity.data, a->offset, a->n_rows);
    }
    if (s->field->dictionary == NULL && is_text(s->field->type)) {
        size_t width = s->field->type == ARKA_ARROW_LARGE_UTF8 ? 8 : 4;
        /* Arrow lets a column without rows leave its offsets out */
        return a->n_rows == 0 ? ARKA_OK : need(s, "offsets", &a->values, (end + 1) * width);
    }
    size_t width = arka_arrow_width(s->field);
    return need(s, "values", &a->values, width == 0 ? (end + 7) / 8 : end * width);
}

/* --- numbers and times --------------------------------------------------------------------------
 */

static const uint8_t *values_of(const source *s)
{
    return s->array->values.data + (size_t)s->array->offset * arka_arrow_width(s->field);
}

/* Values as they stand in memory of no known alignment, widened. */
#define WIDEN(T, out, in, n)                                                                       \
    for (int64_t i = 0; i < (n); i++) {                                                            \
        T v;                                                                                       \
        memcpy(&v, (in) + (size_t)i * sizeof v, sizeof v);                                         \
        (out)[i] = v;                                                                              \
    }

static arka_status check_u64(const source *s, const int64_t *values)
{
    for (int64_t row = 0; row < s->array->n_rows; row++)
        if (values[row] < 0 && !is_null(s, row))
            return bad_row(s, row,
                           "an unsigned number over 9223372036854775807 does not fit BIGINT");
    return ARKA_OK;
}

static arka_status scale_times(const source *s, int64_t *values, int64_t factor)
{
    for (int64_t row = 0; row < s->array->n_rows; row++)
        if (__builtin_mul_overflow(values[row], factor, &values[row]) && !is_null(s, row))
            return bad_row(s, row, "the time is outside of what microseconds in 64 bits can say");
    return ARKA_OK;
}

static arka_status convert_times(const source *s, int64_t *values)
{
    if (s->field->type == ARKA_ARROW_DATE32)
        return scale_times(s, values, ARKA_US_PER_DAY);
    switch (s->field->unit) {
    case ARKA_ARROW_SECOND:
        return scale_times(s, values, ARKA_US_PER_SECOND);
    case ARKA_ARROW_MILLI:
        return scale_times(s, values, 1000);
    case ARKA_ARROW_MICRO:
        break;
    case ARKA_ARROW_NANO:
        for (int64_t row = 0; row < s->array->n_rows; row++)
            values[row] = arka_floor_div(values[row], 1000);
        break;
    }
    return ARKA_OK;
}

static arka_status fill_numbers(const source *s, void *out)
{
    const uint8_t *in = values_of(s);
    int64_t n = s->array->n_rows, *ints = out;
    double *doubles = out;
    switch (s->field->type) {
    case ARKA_ARROW_INT8:
        WIDEN(int8_t, ints, in, n);
        break;
    case ARKA_ARROW_INT16:
        WIDEN(int16_t, ints, in, n);
        break;
    case ARKA_ARROW_INT32:
        WIDEN(int32_t, ints, in, n);
        break;
    case ARKA_ARROW_UINT8:
        WIDEN(uint8_t, ints, in, n);
        break;
    case ARKA_ARROW_UINT16:
        WIDEN(uint16_t, ints, in, n);
        break;
    case ARKA_ARROW_UINT32:
        WIDEN(uint32_t, ints, in, n);
        break;
    case ARKA_ARROW_FLOAT32:
        WIDEN(float, doubles, in, n);
        break;
    case ARKA_ARROW_INT64:
    case ARKA_ARROW_FLOAT64:
        memcpy(out, in, (size_t)n * 8);
        break;
    case ARKA_ARROW_UINT64:
        memcpy(out, in, (size_t)n * 8);
        return check_u64(s, ints);
    case ARKA_ARROW_DATE32:
        WIDEN(int32_t, ints, in, n);
        return convert_times(s, ints);
    case ARKA_ARROW_TIMESTAMP:
        memcpy(out, in, (size_t)n * 8);
        return convert_times(s, ints);
    case ARKA_ARROW_BOOL:
        arka_bits_copy(out, s->array->values.data, s->array->offset, n);
        break;
    case ARKA_ARROW_NULL:
    case ARKA_ARROW_UTF8:
    case ARKA_ARROW_LARGE_UTF8:
    case ARKA_ARROW_BINARY:
    case ARKA_ARROW_TIME64:
    case ARKA_ARROW_INTERVAL:
    case ARKA_ARROW_DECIMAL128:
    case ARKA_ARROW_FIXED_SIZE_BINARY:
    case ARKA_ARROW_LIST:
    case ARKA_ARROW_STRUCT:
    case ARKA_ARROW_MAP:
    case ARKA_ARROW_N_TYPES:
        return arka_fail(s->err, ARKA_INTERNAL, "%s is no number",
                         arka_arrow_type_name(s->field->type));
    }
    return ARKA_OK;
}

/* What stands under a null is anyone's: it becomes 0. */
static void clear_nulls(const source *s, void *values)
{
    for (int64_t row = 0; s->n_nulls > 0 && row < s->array->n_rows; row++) {
        if (!is_null(s, row))
            continue;
        if (s->field->type == ARKA_ARROW_BOOL)
            ((uint8_t *)values)[row / 8] &= (uint8_t) ~(1 << (row & 7));
        else
            memset((uint8_t *)values + row * 8, 0, 8);
    }
}

static arka_status mark_nulls(const source *s, arka_block *block, int column)
{
    for (int64_t row = 0; s->n_nulls > 0 && row < s->array->n_rows; row++)
        if (is_null(s, row))
            ARKA_TRY(arka_block_set_null(block, column, row, s->err));
    return ARKA_OK;
}

/* --- text ---------------------------------------------------------------------------------------
 */

static int64_t offset_at(const source *s, int64_t i)
{
    const uint8_t *at = s->array->values.data;
    i += s->array->offset;
    if (s->field->type == ARKA_ARROW_LARGE_UTF8) {
        int64_t v;
        memcpy(&v, at + i * 8, sizeof v);
        return v;
    }
    int32_t v;
    memcpy(&v, at + i * 4, sizeof v);
    return v;
}

/* Ascending, inside the bytes. */
static arka_status check_offsets(const source *s)
{
    int64_t n = s->array->n_rows, before = offset_at(s, 0);
    if (before < 0)
        return bad_row(s, 0, "the text begins before the buffer");
    for (int64_t row = 0; row < n; row++) {
        int64_t next = offset_at(s, row + 1);
        if (next < before)
            return bad_row(s, row, "the text ends before it begins");
        before = next;
    }
    if ((uint64_t)before > s->array->bytes.n)
        return arka_fail(s->err, ARKA_INPUT,
                         "column '%.*s': texts end at byte %" PRId64 ", the buffer has %zu bytes",
                         ARKA_FMT(s->field->name), before, s->array->bytes.n);
    return ARKA_OK;
}

static arka_slice text_at(const source *s, int64_t row)
{
    int64_t from = offset_at(s, row);
    return (arka_slice){(const char *)s->array->bytes.data + from,
                        (size_t)(offset_at(s, row + 1) - from)};
}

/*
 * All rows at once: the bytes are UTF-8 as a whole, and no row begins inside of a sequence (its
 * first byte would be a continuation byte).
 */
static bool utf8_at_once(const source *s, int64_t from, int64_t to)
{
    const char *bytes = (const char *)s->array->bytes.data;
    if (!arka_utf8_valid(bytes + from, (size_t)(to - from)))
        return false;
    for (int64_t row = 1; row < s->array->n_rows; row++) {
        int64_t at = offset_at(s, row);
        if (at < to && (bytes[at] & 0xc0) == 0x80)
            return false;
    }
    return true;
}

static arka_status check_utf8(const source *s)
{
    int64_t n = s->array->n_rows, from = offset_at(s, 0), to = offset_at(s, n);
    if (from == to || utf8_at_once(s, from, to))
        return ARKA_OK;
    for (int64_t row = 0; row < n; row++) {
        arka_slice text = text_at(s, row);
        if (!is_null(s, row) && text.len > 0 && !arka_utf8_valid(text.data, text.len))
            return bad_row(s, row, "the text is not UTF-8");
    }
    return ARKA_OK;
}

static arka_status check_text(const source *s)
{
    if (s->array->n_rows == 0)
        return ARKA_OK;
    ARKA_TRY(check_offsets(s));
    return check_utf8(s);
}

static bool nulls_are_empty(const source *s)
{
    for (int64_t row = 0; s->n_nulls > 0 && row < s->array->n_rows; row++)
        if (is_null(s, row) && offset_at(s, row) != offset_at(s, row + 1))
            return false;
    return true;
}

static arka_status spend(const source *s, int64_t *budget, size_t n)
{
    if (n > (uint64_t)*budget)
        return arka_fail(s->err, ARKA_LIMIT,
                         "column '%.*s' takes %zu bytes, %" PRId64
                         " are left of the limit on decoded bytes",
                         ARKA_FMT(s->field->name), n, *budget);
    *budget -= (int64_t)n;
    return ARKA_OK;
}

/* Room for n bytes of text, where to put them. */
static arka_status text_room(const source *s, arka_block *block, int column, size_t n, char **out)
{
    if (n > INT32_MAX)
        return arka_fail(
            s->err, ARKA_LIMIT,
            "column '%.*s' holds %zu bytes of text in one batch, at most %d are allowed",
            ARKA_FMT(s->field->name), n, INT32_MAX);
    *out = arka_block_text_reserve(block, column, n);
    if (*out == NULL)
        return arka_fail_nomem(s->err, "a text column", n);
    return ARKA_OK;
}

static arka_status fill_text_whole(const source *s, arka_block *block, int column)
{
    int64_t n = s->array->n_rows, from = offset_at(s, 0);
    size_t n_text = (size_t)(offset_at(s, n) - from);
    char *to;
    ARKA_TRY(text_room(s, block, column, n_text, &to));
    if (n_text > 0)
        memcpy(to, s->array->bytes.data + from, n_text);
    arka_block_text_advance(block, column, n_text);
    int32_t *offsets = arka_block_values(block, column);
    for (int64_t i = 0; i <= n; i++)
        offsets[i] = (int32_t)(offset_at(s, i) - from);
    return ARKA_OK;
}

/* Text by row, however the row is found: `get` answers {NULL, 0} for null. */
static arka_status fill_text_by_row(const source *s, arka_block *block, int column, size_t n_text,
                                    arka_slice (*get)(const source *s, const void *with,
                                                      int64_t row),
                                    const void *with)
{
    char *to;
    ARKA_TRY(text_room(s, block, column, n_text, &to));
    int32_t *offsets = arka_block_values(block, column);
    int32_t at = 0;
    for (int64_t row = 0; row < s->array->n_rows; row++) {
        arka_slice text = get(s, with, row);
        if (text.len > 0)
            memcpy(to + at, text.data, text.len);
        at += (int32_t)text.len;
        offsets[row + 1] = at;
    }
    arka_block_text_advance(block, column, n_text);
    return ARKA_OK;
}

static arka_slice plain_text(const source *s, const void *with, int64_t row)
{
    (void)with;
    return is_null(s, row) ? (arka_slice){NULL, 0} : text_at(s, row);
}

static arka_status fill_text(const source *s, arka_block *block, int column, int64_t *budget)
{
    ARKA_TRY(check_text(s));
    int64_t n = s->array->n_rows;
    ARKA_TRY(spend(s, budget, (size_t)(offset_at(s, n) - offset_at(s, 0))));
    ARKA_TRY(mark_nulls(s, block, column));
    if (nulls_are_empty(s))
        return fill_text_whole(s, block, column);
    size_t n_text = 0;
    for (int64_t row = 0; row < n; row++)
        n_text += plain_text(s, NULL, row).len;
    return fill_text_by_row(s, block, column, n_text, plain_text, NULL);
}

arka_status arka_arrow__texts(const arka_arrow_field *field, const arka_arrow_array *array,
                              arka_slice *texts, arka_error *err)
{
    source s = {field, array, 0, err};
    if (!is_text(field->type))
        return arka_fail(err, ARKA_INPUT,
                         "column '%.*s': a dictionary of %s values, only texts are read",
                         ARKA_FMT(field->name), arka_arrow_type_name(field->type));
    ARKA_TRY(check_buffers(&s));
    ARKA_TRY(check_text(&s));
    for (int64_t row = 0; row < array->n_rows; row++)
        texts[row] = plain_text(&s, NULL, row);
    return ARKA_OK;
}

/* --- dictionaries -------------------------------------------------------------------------------
 */

static int64_t index_at(const source *s, int64_t row)
{
    const uint8_t *in = values_of(s);
    size_t width = arka_arrow_width(s->field);
    uint64_t v = 0;
    memcpy(&v, in + (size_t)row * width, width);
    if (s->field->dictionary->index >= ARKA_ARROW_UINT8)
        return (int64_t)v; /* over 2^63 - 1 it is negative, and refused as such */
    int unused = 64 - 8 * (int)width;
    return (int64_t)(v << unused) >> unused;
}

static arka_slice dictionary_text(const source *s, const void *with, int64_t row)
{
    const arka_arrow_texts *texts = with;
    return is_null(s, row) ? (arka_slice){NULL, 0} : texts->items[index_at(s, row)];
}

static arka_status fill_dictionary(const source *s, arka_block *block, int column,
                                   const arka_arrow_texts *texts, int64_t *budget)
{
    size_t n_text = 0;
    for (int64_t row = 0; row < s->array->n_rows; row++) {
        int64_t index = is_null(s, row) ? -1 : index_at(s, row);
        if (index < 0 || index >= texts->n) {
            if (!is_null(s, row))
                return arka_fail(s->err, ARKA_INPUT,
                                 "column '%.*s', row %" PRId64 ": index %" PRId64
                                 " into a dictionary of %" PRId64 " values",
                                 ARKA_FMT(s->field->name), row, index, texts->n);
            ARKA_TRY(arka_block_set_null(block, column, row, s->err));
            continue;
        }
        n_text += texts->items[index].len;
        if (texts->items[index].data == NULL)
            ARKA_TRY(arka_block_set_null(block, column, row, s->err));
    }
    ARKA_TRY(spend(s, budget, n_text));
    return fill_text_by_row(s, block, column, n_text, dictionary_text, texts);
}

/* --- door ---------------------------------------------------------------------------------------
 */

arka_status arka_arrow__column(arka_block *block, const arka_arrow_field *field,
                               const arka_arrow_array *array, const arka_arrow_texts *dictionary,
                               int64_t *budget, arka_error *err)
{
    source s = {field, array, 0, err};
    arka_type type = arka_arrow_column_type(field);
    if (type == ARKA_TYPE_NONE)
        return arka_fail(err, ARKA_INPUT,
                         "column '%.*s' has the Arrow type %s%s, which no column of Arc can hold",
                         ARKA_FMT(field->name), arka_arrow_type_name(field->type),
                         field->dictionary == NULL ? "" : " in a dictionary");
    ARKA_TRY(check_buffers(&s));
    size_t n = (size_t)array->n_rows;
    ARKA_TRY(spend(&s, budget,
                   type == ARKA_BOOLEAN   ? n / 8
                   : type == ARKA_VARCHAR ? n * 4
                                          : n * 8));
    int column;
    bool tag = arka_slice_eq(arka_arrow_pairs_find(field->metadata, ARKA_SLICE(ARKA_ARROW_TAG_KEY)),
                             ARKA_SLICE("1"));
    ARKA_TRY(arka_block_add(block, field->name, type, tag, &column, err));
    if (field->dictionary != NULL)
        return fill_dictionary(&s, block, column, dictionary, budget);
    if (type == ARKA_VARCHAR)
        return fill_text(&s, block, column, budget);
    ARKA_TRY(mark_nulls(&s, block, column));
    void *values = arka_block_values(block, column);
    ARKA_TRY(fill_numbers(&s, values));
    clear_nulls(&s, values);
    return ARKA_OK;
}
