/**
 * Rows under construction, for rows.c (which fills them) and rows_seal.c (which makes the batch).
 * Not for other folders.
 */
#ifndef ARKA_COLUMNAR_ROWS_PRIV_H
#define ARKA_COLUMNAR_ROWS_PRIV_H

#include "base/map.h"
#include "base/vec.h"
#include "columnar/rows.h"

/* Each cell is 8 bytes whatever its type: int64_t, double, 0 or 1, or a reference into `text`. */
typedef struct row_text_ref {
    uint32_t at, len;
} row_text_ref;

typedef union row_cell {
    int64_t i64;
    double f64;
    row_text_ref text;
} row_cell;

typedef struct row_column {
    arka_slice name; /* our own copy */
    arka_type type, given;
    bool tag;
    bool keyed;      /* a row's key may have a text for it */
    int64_t n;       /* cells filled so far; rows behind it are null */
    int64_t n_nulls; /* among those n */
    int64_t cap;
    row_cell *cells;
    uint8_t *present; /* one byte a cell; NULL: all n have a value */
    ARKA_VEC(char) text;
    /* The column before the open row changed its type; dropped when the row closes. */
    row_cell *before;
    int64_t before_n;
    arka_type before_type;
} row_column;

struct arka_rows {
    bool text_on_conflict;
    int64_t row;   /* the open row */
    bool reopened; /* `row` is an earlier, closed one */
    bool retyped;  /* some column has a `before` */
    ARKA_VEC(int64_t) times;
    ARKA_VEC(const arka_row_key *) keys; /* of the first rows; those behind them have none */
    ARKA_VEC(row_column) columns;
    arka_map by_name; /* lower-case name → index + 1 */
};

static inline bool arka_rows__has_cell(const row_column *c, int64_t row)
{
    return c->present == NULL || c->present[row];
}

static inline const arka_row_key *arka_rows__key(const arka_rows *rows, int64_t row)
{
    return (size_t)row < rows->keys.n ? rows->keys.items[row] : NULL;
}

#endif
