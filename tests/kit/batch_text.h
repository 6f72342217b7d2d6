/** Batches for tests: every promise of columnar/batch.h checked, and all cells as one line of text.
 */
#ifndef TESTS_KIT_BATCH_TEXT_H
#define TESTS_KIT_BATCH_TEXT_H

#include <math.h>

#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"
#include "columnar/batch.h"

/* What is wrong with the column, or NULL. */
static inline const char *column_fault(const arka_batch *b, const arka_column *c)
{
    const uint8_t *values = (const uint8_t *)c->values;
    int64_t n_nulls = 0;
    for (int64_t i = 0; i < b->n_rows; i++)
        n_nulls += arka_column_is_null(c, i);
    if (n_nulls != c->n_nulls || (c->validity == NULL) != (n_nulls == 0))
        return "nulls are miscounted";
    if (values < b->body || values > b->body + b->body_bytes || (values - b->body) % 8 != 0)
        return "values stand outside of the body or unaligned";
    if (c->validity != NULL && (c->validity < b->body || (c->validity - b->body) % 8 != 0))
        return "validity stands outside of the body or unaligned";
    if (c->name.data[c->name.len] != 0 || arka_column_name_check(c->name, NULL) != ARKA_OK)
        return "the name is not one";
    if (c->type != ARKA_VARCHAR)
        return NULL;
    const int32_t *offsets = (const int32_t *)c->values;
    if (offsets[0] != 0)
        return "offsets do not begin with 0";
    if ((const uint8_t *)c->bytes + offsets[b->n_rows] > b->body + b->body_bytes)
        return "text stands outside of the body";
    for (int64_t i = 0; i < b->n_rows; i++) {
        if (offsets[i + 1] < offsets[i])
            return "offsets fall";
        if (arka_column_is_null(c, i) && offsets[i + 1] != offsets[i])
            return "a null has text";
        arka_slice text = arka_column_text(c, i);
        if (!arka_utf8_valid(text.data, text.len))
            return "text is not UTF-8";
    }
    return NULL;
}

/** What is wrong with the batch, or NULL. */
static inline const char *batch_fault(const arka_batch *b)
{
    if (b->n_rows < 1 || b->n_columns < 1 || b->time < 0 || b->time >= b->n_columns)
        return "no rows, or no time";
    if (b->body_bytes % 8 != 0 || b->memory_bytes < b->body_bytes)
        return "the body's size is wrong";
    for (int i = 0; i < b->n_columns; i++) {
        const char *fault = column_fault(b, &b->columns[i]);
        if (fault != NULL)
            return fault;
        if (arka_batch_find(b, b->columns[i].name) != i)
            return "two columns have one name";
    }
    const arka_column *time = &b->columns[b->time];
    if (time->type != ARKA_TIMESTAMPTZ || time->n_nulls != 0)
        return "time is no time";
    const int64_t *t = arka_column_i64(time);
    int64_t min = t[0], max = t[0];
    bool sorted = true;
    for (int64_t i = 1; i < b->n_rows; i++) {
        sorted &= t[i - 1] <= t[i];
        min = t[i] < min ? t[i] : min;
        max = t[i] > max ? t[i] : max;
    }
    return min != b->time_min || max != b->time_max || sorted != b->time_sorted
               ? "what is said of time is wrong"
               : NULL;
}

static inline void cell_text_into(const arka_column *c, int64_t row, arka_buf *out)
{
    double v = c->type == ARKA_DOUBLE ? arka_column_f64(c)[row] : 0;
    if (arka_column_is_null(c, row))
        arka_buf_literal(out, "null");
    else if (c->type == ARKA_BOOLEAN)
        arka_buf_text(out, arka_bit((const uint8_t *)c->values, row) ? "true" : "false");
    else if (c->type == ARKA_VARCHAR)
        arka_json_string(out, arka_column_text(c, row));
    else if (c->type != ARKA_DOUBLE)
        arka_json_i64(out, arka_column_i64(c)[row]);
    else if (isfinite(v))
        arka_json_f64(out, v);
    else
        arka_buf_text(out, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
}

/** "time TIMESTAMPTZ 1 2; host* VARCHAR "a" null": the star marks tags. */
static inline void batch_text(const arka_batch *b, arka_buf *out)
{
    static const char *const TYPES[] = {"?",      "BOOLEAN", "BIGINT",
                                        "DOUBLE", "VARCHAR", "TIMESTAMPTZ"};
    for (int i = 0; i < b->n_columns; i++) {
        const arka_column *c = &b->columns[i];
        if (i > 0)
            arka_buf_literal(out, "; ");
        arka_buf_slice(out, c->name);
        arka_buf_printf(out, "%s %s", c->tag ? "*" : "", TYPES[c->type]);
        for (int64_t row = 0; row < b->n_rows; row++) {
            arka_buf_byte(out, ' ');
            cell_text_into(c, row, out);
        }
    }
}

#endif
