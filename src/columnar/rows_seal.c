#include "columnar/block.h"
#include "columnar/rows_priv.h"

/* The text of a row's key in that column, or NULL. *hint: where the last key had it. */
static inline const arka_slice *key_text(const arka_rows *rows, int column, int64_t row,
                                         size_t *hint)
{
    const arka_row_key *key = arka_rows__key(rows, row);
    if (key == NULL)
        return NULL;
    if (ARKA_LIKELY(*hint < key->n && key->cells[*hint].column == column))
        return &key->cells[*hint].text;
    size_t low = 0, high = key->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (key->cells[middle].column < column)
            low = middle + 1;
        else
            high = middle;
    }
    *hint = low;
    return low < key->n && key->cells[low].column == column ? &key->cells[low].text : NULL;
}

/* The text of a row, from its key or its own cell; data is NULL where it has none. */
static inline arka_slice row_text(const arka_rows *rows, int column, int64_t row, size_t *hint)
{
    const row_column *c = &rows->columns.items[column];
    const arka_slice *shared = c->keyed ? key_text(rows, column, row, hint) : NULL;
    if (shared != NULL)
        return *shared;
    if (row >= c->n || !arka_rows__has_cell(c, row))
        return (arka_slice){NULL, 0};
    row_text_ref ref = c->cells[row].text;
    return (arka_slice){ref.len > 0 ? c->text.items + ref.at : "", ref.len};
}

static arka_status seal_keyed(arka_block *block, int col, const arka_rows *rows, int column,
                              arka_error *err)
{
    int64_t n_rows = arka_rows_n(rows);
    int32_t *offsets = arka_block_values(block, col);
    size_t hint = 0, total = 0;
    int64_t n_nulls = 0;
    for (int64_t row = 0; row < n_rows; row++) {
        arka_slice text = row_text(rows, column, row, &hint);
        n_nulls += text.data == NULL;
        total += text.len;
        if (total > INT32_MAX)
            return arka_fail(err, ARKA_LIMIT, "the texts of column '%.*s' are larger than 2 GiB",
                             ARKA_FMT(rows->columns.items[column].name));
        offsets[row + 1] = (int32_t)total;
    }
    char *to = arka_block_text_reserve(block, col, total);
    if (to == NULL)
        return arka_fail_nomem(err, "a text column", total);
    for (int64_t row = 0; row < n_rows; row++) {
        arka_slice text = row_text(rows, column, row, &hint);
        if (text.len > 0)
            memcpy(to, text.data, text.len);
        to += text.len;
    }
    arka_block_text_advance(block, col, total);
    if (n_nulls == n_rows) {
        arka_block_drop_last(block); /* only a row that was dropped had that key */
        return ARKA_OK;
    }
    for (int64_t row = 0; n_nulls > 0 && row < n_rows; row++)
        if (row_text(rows, column, row, &hint).data == NULL) {
            ARKA_TRY(arka_block_set_null(block, col, row, err));
            n_nulls--;
        }
    return ARKA_OK;
}

static arka_status seal_text(arka_block *block, int col, const row_column *c, int64_t n_rows,
                             arka_error *err)
{
    size_t total = 0;
    bool in_order = true;
    for (int64_t i = 0; i < c->n; i++) {
        row_text_ref ref = c->cells[i].text; /* of length 0 where there is none */
        in_order &= ref.len == 0 || ref.at == total;
        total += ref.len;
    }
    char *to = arka_block_text_reserve(block, col, total);
    if (to == NULL)
        return arka_fail_nomem(err, "a text column", total);
    int32_t *offsets = arka_block_values(block, col);
    if (in_order && total > 0)
        memcpy(to, c->text.items, total);
    int32_t at = 0;
    for (int64_t i = 0; i < c->n; i++) {
        row_text_ref ref = c->cells[i].text;
        if (!in_order && ref.len > 0)
            memcpy(to + at, c->text.items + ref.at, ref.len);
        at += (int32_t)ref.len;
        offsets[i + 1] = at;
    }
    for (int64_t i = c->n; i < n_rows; i++)
        offsets[i + 1] = at;
    arka_block_text_advance(block, col, total);
    return ARKA_OK;
}

static arka_status seal_column(arka_block *block, const arka_rows *rows, int column,
                               arka_error *err)
{
    const row_column *c = &rows->columns.items[column];
    int64_t n_rows = arka_rows_n(rows);
    int col;
    ARKA_TRY(arka_block_add(block, c->name, c->type, c->tag, &col, err));
    if (c->keyed)
        return seal_keyed(block, col, rows, column, err);
    if (c->type == ARKA_VARCHAR) {
        ARKA_TRY(seal_text(block, col, c, n_rows, err));
    } else if (c->type == ARKA_BOOLEAN) {
        uint8_t *bits = arka_block_values(block, col);
        for (int64_t i = 0; i < c->n; i++)
            bits[i >> 3] |= (uint8_t)((arka_rows__has_cell(c, i) && c->cells[i].i64) << (i & 7));
    } else {
        row_cell *to = arka_block_values(block, col);
        memcpy(to, c->cells, (size_t)c->n * sizeof *to);
        memset(to + c->n, 0, (size_t)(n_rows - c->n) * sizeof *to);
    }
    for (int64_t i = 0; c->n_nulls > 0 && i < c->n; i++)
        if (!c->present[i])
            ARKA_TRY(arka_block_set_null(block, col, i, err));
    for (int64_t i = c->n; i < n_rows; i++)
        ARKA_TRY(arka_block_set_null(block, col, i, err));
    return ARKA_OK;
}

/* About the bytes of the column's buffers; texts of keys by their first rows. */
static size_t guess_bytes(const arka_rows *rows, int column)
{
    enum { SAMPLE = 64 };
    const row_column *c = &rows->columns.items[column];
    size_t n_rows = (size_t)arka_rows_n(rows), hint = 0, sampled = 0, n = 0;
    for (; c->keyed && n < SAMPLE && n < n_rows; n++)
        sampled += row_text(rows, column, (int64_t)n, &hint).len;
    return n_rows * (c->type == ARKA_VARCHAR ? 4 : 8) + n_rows / 8 + c->text.n +
           (n > 0 ? sampled * n_rows / n * 9 / 8 : 0) + 64;
}

arka_status arka_rows_seal(arka_rows *take_rows, arka_batch **out, arka_error *err)
{
    ARKA_AUTO(arka_rows) rows = take_rows;
    int64_t n_rows = arka_rows_n(rows);
    ARKA_CHECK(n_rows > 0 && !rows->reopened);
    size_t hint = (size_t)n_rows * 8;
    for (size_t i = 0; i < rows->columns.n; i++)
        hint += guess_bytes(rows, (int)i);
    ARKA_AUTO(arka_block) block = NULL;
    ARKA_TRY(arka_block_new(n_rows, hint, &block, err));
    int col;
    ARKA_TRY(
        arka_block_add(block, ARKA_SLICE(ARKA_TIME_COLUMN), ARKA_TIMESTAMPTZ, false, &col, err));
    memcpy(arka_block_values(block, col), rows->times.items, (size_t)n_rows * 8);
    for (size_t i = 0; i < rows->columns.n; i++) {
        const row_column *c = &rows->columns.items[i];
        if (c->keyed || c->n > c->n_nulls)
            ARKA_TRY(seal_column(block, rows, (int)i, err));
    }
    return arka_block_seal(arka_take(block), 0, out, err);
}
