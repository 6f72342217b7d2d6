#include "columnar/batch.h"

#include <math.h>
#include <strings.h>

#include "base/civil.h"
#include "base/number.h"
#include "columnar/block.h"

void arka_batch_unref(arka_batch *batch)
{
    /* body is the start of the one allocation (block.c) */
    if (batch != NULL && arka_ref_drop(&batch->ref))
        arka_free((void *)(uintptr_t)batch->body);
}

bool arka_name_eq(arka_slice a, arka_slice b)
{
    return a.len == b.len &&
           (memcmp(a.data, b.data, a.len) == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

void arka_name_fold(arka_slice name, char *out)
{
    for (size_t i = 0; i < name.len; i++)
        out[i] = (char)(name.data[i] | ((unsigned char)(name.data[i] - 'A') < 26) << 5);
}

int arka_batch_find(const arka_batch *batch, arka_slice name)
{
    for (int i = 0; i < batch->n_columns; i++)
        if (arka_name_eq(batch->columns[i].name, name))
            return i;
    return -1;
}

/* Text of one value that is not null; 0: no text for it (NaN, infinity) */
static size_t cell_text(const arka_column *c, int64_t row, char out[ARKA_TIME_TEXT])
{
    switch (c->type) {
    case ARKA_BOOLEAN:
        memcpy(out, arka_bit(c->values, row) ? "true " : "false", 5);
        return arka_bit(c->values, row) ? 4 : 5;
    case ARKA_BIGINT:
        return arka_format_i64(out, arka_column_i64(c)[row]);
    case ARKA_DOUBLE:
        return isfinite(arka_column_f64(c)[row]) ? arka_format_f64(out, arka_column_f64(c)[row])
                                                 : 0;
    case ARKA_TIMESTAMPTZ:
        return arka_format_time(out, arka_column_i64(c)[row]);
    case ARKA_VARCHAR:
    case ARKA_TYPE_NONE:
        break;
    }
    return 0;
}

static arka_status add_as_text(arka_block *block, const arka_column *c, int64_t n_rows, int col,
                               arka_error *err)
{
    for (int64_t row = 0; row < n_rows; row++) {
        char text[ARKA_TIME_TEXT];
        size_t n = arka_column_is_null(c, row) ? 0 : cell_text(c, row, text);
        if (n == 0)
            ARKA_TRY(arka_block_set_null(block, col, row, err));
        if (n > INT32_MAX - arka_block_text_len(block, col))
            return arka_fail(err, ARKA_LIMIT, "column '%.*s' as text is larger than 2 GiB",
                             ARKA_FMT(c->name));
        char *to = arka_block_text_reserve(block, col, n);
        if (to == NULL)
            return arka_fail_nomem(err, "a text column", arka_block_text_len(block, col) + n);
        memcpy(to, text, n);
        arka_block_text_advance(block, col, n);
        int32_t *offsets = arka_block_values(block, col);
        offsets[row + 1] = (int32_t)arka_block_text_len(block, col);
    }
    return ARKA_OK;
}

static arka_status add_nulls(arka_block *block, const arka_column *c, int64_t n_rows, int col,
                             arka_error *err)
{
    for (int64_t row = 0; c->n_nulls > 0 && row < n_rows; row++)
        if (arka_column_is_null(c, row))
            ARKA_TRY(arka_block_set_null(block, col, row, err));
    return ARKA_OK;
}

static arka_status add_copy(arka_block *block, const arka_column *c, int64_t n_rows, int col,
                            arka_error *err)
{
    size_t n = (size_t)n_rows;
    if (c->type == ARKA_VARCHAR) {
        const int32_t *offsets = c->values;
        size_t n_text = (size_t)(offsets[n] - offsets[0]);
        char *to = arka_block_text_reserve(block, col, n_text);
        if (to == NULL)
            return arka_fail_nomem(err, "a text column", n_text);
        memcpy(to, c->bytes + offsets[0], n_text);
        arka_block_text_advance(block, col, n_text);
        int32_t *copy = arka_block_values(block, col);
        for (size_t i = 0; i <= n; i++)
            copy[i] = offsets[i] - offsets[0];
    } else {
        memcpy(arka_block_values(block, col), c->values,
               c->type == ARKA_BOOLEAN ? (n + 7) / 8 : n * 8);
    }
    return add_nulls(block, c, n_rows, col, err);
}

arka_status arka_batch_cast(const arka_batch *batch, const arka_type *to, arka_batch **out,
                            arka_error *err)
{
    ARKA_AUTO(arka_block) block = NULL;
    ARKA_TRY(arka_block_new(batch->n_rows, batch->body_bytes * 2, &block, err));
    for (int i = 0; i < batch->n_columns; i++) {
        const arka_column *c = &batch->columns[i];
        arka_type type = to[i] == ARKA_TYPE_NONE ? c->type : to[i];
        bool widen = c->type == ARKA_BIGINT && type == ARKA_DOUBLE;
        int col;
        if (type != c->type && !widen && type != ARKA_VARCHAR)
            return arka_fail(err, ARKA_INPUT, "column '%.*s' is %s and cannot be stored as %s",
                             ARKA_FMT(c->name), arka_type_name(c->type), arka_type_name(type));
        ARKA_TRY(arka_block_add(block, c->name, widen ? ARKA_BIGINT : type, c->tag, &col, err));
        if (type == c->type || widen)
            ARKA_TRY(add_copy(block, c, batch->n_rows, col, err));
        else
            ARKA_TRY(add_as_text(block, c, batch->n_rows, col, err));
        if (widen)
            arka_block_widen(block, col, batch->n_rows);
    }
    return arka_block_seal(arka_take(block), 0, out, err);
}
