#include "columnar/concat.h"

#include "columnar/bits.h"
#include "columnar/block.h"

typedef struct parts {
    arka_batch *const *batches;
    size_t n;
    int64_t n_rows;
} parts;

static void add_words(arka_block *block, int col, const parts *p)
{
    char *to = arka_block_values(block, col);
    for (size_t b = 0; b < p->n; b++) {
        size_t n_bytes = (size_t)p->batches[b]->n_rows * 8;
        memcpy(to, p->batches[b]->columns[col].values, n_bytes);
        to += n_bytes;
    }
}

static void add_bits(arka_block *block, int col, const parts *p)
{
    uint8_t *to = arka_block_values(block, col);
    int64_t at = 0;
    for (size_t b = 0; b < p->n; b++) {
        arka_bits_append(to, at, p->batches[b]->columns[col].values, p->batches[b]->n_rows);
        at += p->batches[b]->n_rows;
    }
}

static size_t text_bytes(const arka_batch *batch, int col)
{
    const int32_t *offsets = batch->columns[col].values;
    return (size_t)offsets[batch->n_rows];
}

static arka_status add_text(arka_block *block, int col, const parts *p, arka_error *err)
{
    size_t total = 0;
    for (size_t b = 0; b < p->n; b++)
        total += text_bytes(p->batches[b], col);
    if (total > INT32_MAX)
        return arka_fail(err, ARKA_LIMIT, "the texts of column '%.*s' are larger than 2 GiB",
                         ARKA_FMT(p->batches[0]->columns[col].name));
    char *to = arka_block_text_reserve(block, col, total);
    if (to == NULL)
        return arka_fail_nomem(err, "a text column", total);
    int32_t *offsets = arka_block_values(block, col);
    int32_t before = 0;
    for (size_t b = 0; b < p->n; b++) {
        const arka_column *c = &p->batches[b]->columns[col];
        const int32_t *from = c->values;
        int64_t n_rows = p->batches[b]->n_rows;
        memcpy(to + before, c->bytes, text_bytes(p->batches[b], col));
        for (int64_t row = 1; row <= n_rows; row++)
            offsets[row] = before + from[row];
        offsets += n_rows;
        before = offsets[0];
    }
    arka_block_text_advance(block, col, total);
    return ARKA_OK;
}

static arka_status add_nulls(arka_block *block, int col, const parts *p, arka_error *err)
{
    int64_t before = 0;
    for (size_t b = 0; b < p->n; b++) {
        const arka_column *c = &p->batches[b]->columns[col];
        int64_t n_rows = p->batches[b]->n_rows;
        for (int64_t row = 0; c->n_nulls > 0 && row < n_rows; row++)
            if (arka_column_is_null(c, row))
                ARKA_TRY(arka_block_set_null(block, col, before + row, err));
        before += n_rows;
    }
    return ARKA_OK;
}

arka_status arka_batch_concat(arka_batch *const *batches, size_t n, arka_batch **out,
                              arka_error *err)
{
    parts p = {batches, n, 0};
    size_t n_bytes = 0;
    for (size_t b = 0; b < n; b++) {
        ARKA_DCHECK(batches[b]->layout == batches[0]->layout);
        p.n_rows += batches[b]->n_rows;
        n_bytes += batches[b]->body_bytes;
    }
    ARKA_AUTO(arka_block) block = NULL;
    ARKA_TRY(arka_block_new(p.n_rows, n_bytes, &block, err));
    for (int i = 0; i < batches[0]->n_columns; i++) {
        const arka_column *c = &batches[0]->columns[i];
        int col;
        ARKA_TRY(arka_block_add(block, c->name, c->type, c->tag, &col, err));
        ARKA_DCHECK(col == i);
        if (c->type == ARKA_VARCHAR)
            ARKA_TRY(add_text(block, col, &p, err));
        else if (c->type == ARKA_BOOLEAN)
            add_bits(block, col, &p);
        else
            add_words(block, col, &p);
        ARKA_TRY(add_nulls(block, col, &p, err));
    }
    return arka_block_seal(arka_take(block), 0, out, err);
}
