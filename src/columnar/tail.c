#include "columnar/tail.h"

#include "columnar/block.h"

static void copy_bits(arka_block *block, int col, const uint8_t *from, int64_t first, int64_t n)
{
    uint8_t *to = arka_block_values(block, col);
    for (int64_t row = 0; row < n; row++)
        if (arka_bit(from, first + row))
            to[row >> 3] = (uint8_t)(to[row >> 3] | 1u << (row & 7));
}

static arka_status copy_text(arka_block *block, int col, const arka_column *c, int64_t first,
                             int64_t n, arka_error *err)
{
    const int32_t *from = (const int32_t *)c->values + first;
    size_t n_bytes = (size_t)(from[n] - from[0]);
    char *to = arka_block_text_reserve(block, col, n_bytes);
    if (to == NULL)
        return arka_fail_nomem(err, "a text column", n_bytes);
    if (n_bytes > 0)
        memcpy(to, c->bytes + from[0], n_bytes);
    arka_block_text_advance(block, col, n_bytes);
    int32_t *offsets = arka_block_values(block, col);
    for (int64_t row = 0; row <= n; row++)
        offsets[row] = from[row] - from[0];
    return ARKA_OK;
}

static arka_status copy_column(arka_block *block, const arka_column *c, int64_t first, int64_t n,
                               arka_error *err)
{
    int col;
    ARKA_TRY(arka_block_add(block, c->name, c->type, c->tag, &col, err));
    if (c->type == ARKA_VARCHAR)
        ARKA_TRY(copy_text(block, col, c, first, n, err));
    else if (c->type == ARKA_BOOLEAN)
        copy_bits(block, col, c->values, first, n);
    else
        memcpy(arka_block_values(block, col), (const int64_t *)c->values + first, (size_t)n * 8);
    for (int64_t row = 0; c->n_nulls > 0 && row < n; row++)
        if (arka_column_is_null(c, first + row))
            ARKA_TRY(arka_block_set_null(block, col, row, err));
    return ARKA_OK;
}

arka_status arka_batch_tail(const arka_batch *batch, int64_t first, arka_batch **out,
                            arka_error *err)
{
    ARKA_AUTO(arka_block) block = NULL;
    int64_t n = batch->n_rows - first;
    ARKA_TRY(arka_block_new(n, batch->body_bytes, &block, err));
    for (int i = 0; i < batch->n_columns; i++)
        ARKA_TRY(copy_column(block, &batch->columns[i], first, n, err));
    return arka_block_seal(arka_take(block), 0, out, err);
}
