#include "columnar/rows_priv.h"

#include <math.h>

#include "base/civil.h"
#include "base/number.h"

arka_status arka_rows_new(bool text_on_conflict, arka_rows **out, arka_error *err)
{
    arka_rows *rows = arka_calloc(1, sizeof *rows);
    if (rows == NULL)
        return arka_fail_nomem(err, "rows", sizeof *rows);
    rows->text_on_conflict = text_on_conflict;
    *out = rows;
    return ARKA_OK;
}

static void free_column(row_column *c)
{
    arka_free((void *)(uintptr_t)c->name.data);
    arka_free(c->cells);
    arka_free(c->present);
    arka_free(c->before);
    arka_vec_fini(&c->text);
}

void arka_rows_free(arka_rows *rows)
{
    if (rows == NULL)
        return;
    for (size_t i = 0; i < rows->columns.n; i++)
        free_column(&rows->columns.items[i]);
    arka_vec_fini(&rows->columns);
    arka_vec_fini(&rows->times);
    arka_vec_fini(&rows->keys);
    arka_map_fini(&rows->by_name);
    arka_free(rows);
}

/* Rows to have room for next: in few steps, as what is not touched costs nothing. */
static size_t more_rows(size_t n)
{
    return n < 64 ? 64 : n < 1 << 16 ? n * 4 : n * 2;
}

int arka_rows_find(const arka_rows *rows, arka_slice name, int guess)
{
    if (guess >= 0 && (size_t)guess < rows->columns.n &&
        arka_slice_eq(rows->columns.items[guess].name, name))
        return guess;
    char key[256];
    if (name.len > sizeof key)
        return -1;
    arka_name_fold(name, key);
    return (int)(intptr_t)arka_map_get(&rows->by_name, (arka_slice){key, name.len}) - 1;
}

int arka_rows_column(arka_rows *rows, arka_slice name, bool tag, arka_type given, int guess,
                     arka_error *err)
{
    int found = arka_rows_find(rows, name, guess);
    if (found >= 0)
        return found;
    if (arka_name_eq(name, ARKA_SLICE(ARKA_TIME_COLUMN))) {
        arka_fail(err, ARKA_INPUT, "'time' may not be the name of a tag or a field");
        return -1;
    }
    if (arka_column_name_check(name, err) != ARKA_OK)
        return -1;
    char key[256];
    arka_name_fold(name, key);
    char *copy = arka_strndup(name.data, name.len);
    if (copy == NULL || !arka_vec_reserve(&rows->columns, 1) ||
        !arka_map_put(&rows->by_name, (arka_slice){key, name.len},
                      (void *)(intptr_t)(rows->columns.n + 1))) {
        arka_free(copy);
        arka_fail_nomem(err, "a column", name.len);
        return -1;
    }
    rows->columns.items[rows->columns.n] =
        (row_column){.name = {copy, name.len}, .type = given, .given = given, .tag = tag};
    return (int)rows->columns.n++;
}

arka_type arka_rows_type(const arka_rows *rows, int column)
{
    return rows->columns.items[column].type;
}

bool arka_rows_is_tag(const arka_rows *rows, int column)
{
    return rows->columns.items[column].tag;
}

arka_slice arka_rows_name(const arka_rows *rows, int column)
{
    return rows->columns.items[column].name;
}

int arka_rows_n_columns(const arka_rows *rows)
{
    return (int)rows->columns.n;
}

int64_t arka_rows_n(const arka_rows *rows)
{
    return (int64_t)rows->times.n;
}

int64_t arka_rows_time(const arka_rows *rows, int64_t row)
{
    return rows->times.items[row];
}

bool arka_rows_has(const arka_rows *rows, int column)
{
    const row_column *c = &rows->columns.items[column];
    return rows->row < c->n && arka_rows__has_cell(c, rows->row);
}

arka_put arka_rows_add_key(arka_rows *rows, const arka_row_key *key)
{
    for (size_t i = 0; i < key->n; i++) {
        arka_type type = rows->columns.items[key->cells[i].column].type;
        if (type != ARKA_TYPE_NONE && type != ARKA_VARCHAR)
            return ARKA_PUT_CONFLICT;
    }
    for (size_t i = 0; i < key->n; i++) {
        row_column *c = &rows->columns.items[key->cells[i].column];
        c->type = ARKA_VARCHAR;
        c->tag = c->keyed = true;
    }
    return ARKA_PUT_OK;
}

arka_put arka_rows_put_key(arka_rows *rows, const arka_row_key *key)
{
    size_t row = (size_t)rows->row;
    if (ARKA_UNLIKELY(rows->keys.n < row)) {
        size_t gap = row - rows->keys.n;
        if (!arka_vec_reserve(&rows->keys, gap))
            return ARKA_PUT_NOMEM;
        memset(rows->keys.items + rows->keys.n, 0, gap * sizeof *rows->keys.items);
    }
    rows->keys.n = row;
    if (row == rows->keys.cap && !arka_vec_reserve(&rows->keys, more_rows(row) - row))
        return ARKA_PUT_NOMEM;
    rows->keys.items[rows->keys.n++] = key;
    return ARKA_PUT_OK;
}

const arka_row_key *arka_rows_key(const arka_rows *rows, int64_t row)
{
    return arka_rows__key(rows, row);
}

static bool mark_presence(row_column *c)
{
    if (c->present == NULL) {
        c->present = arka_malloc((size_t)c->cap);
        if (c->present != NULL)
            memset(c->present, 1, (size_t)c->n);
    }
    return c->present != NULL;
}

static bool make_room(row_column *c, int64_t row)
{
    int64_t cap = (int64_t)more_rows((size_t)row);
    row_cell *cells = arka_realloc(c->cells, (size_t)cap * sizeof *cells);
    if (cells == NULL)
        return false;
    c->cells = cells;
    if (c->present != NULL) {
        uint8_t *present = arka_realloc(c->present, (size_t)cap);
        if (present == NULL)
            return false;
        c->present = present;
    }
    c->cap = cap;
    return true;
}

static bool put_slow(row_column *c, int64_t row, row_cell v)
{
    if (row >= c->cap && !make_room(c, row))
        return false;
    if (row > c->n) {
        if (!mark_presence(c))
            return false;
        size_t gap = (size_t)(row - c->n);
        memset(&c->cells[c->n], 0, gap * sizeof *c->cells);
        memset(&c->present[c->n], 0, gap);
        c->n_nulls += row - c->n;
        c->n = row;
    }
    if (row == c->n)
        c->n++;
    else
        c->n_nulls -= !arka_rows__has_cell(c, row);
    c->cells[row] = v;
    if (c->present != NULL)
        c->present[row] = 1;
    return true;
}

static inline bool put_cell(arka_rows *rows, row_column *c, row_cell v)
{
    int64_t row = rows->row;
    if (ARKA_UNLIKELY(row != c->n || row >= c->cap || c->present != NULL))
        return put_slow(c, row, v);
    c->cells[row] = v;
    c->n = row + 1;
    return true;
}

static bool append_text(row_column *c, arka_slice v, row_cell *out)
{
    if (v.len > INT32_MAX - c->text.n || !arka_vec_reserve(&c->text, v.len))
        return false;
    *out = (row_cell){.text = {(uint32_t)c->text.n, (uint32_t)v.len}};
    if (v.len > 0)
        memcpy(c->text.items + c->text.n, v.data, v.len);
    c->text.n += v.len;
    return true;
}

/* Keep the cells as they are now, so that dropping the open row can bring them back. */
static bool remember(arka_rows *rows, row_column *c)
{
    if (c->before != NULL)
        return true;
    rows->retyped = true;
    c->before = arka_malloc((size_t)c->n * sizeof *c->before);
    if (c->before == NULL)
        return false;
    if (c->n > 0)
        memcpy(c->before, c->cells, (size_t)c->n * sizeof *c->before);
    c->before_n = c->n;
    c->before_type = c->type;
    return true;
}

static bool widen_to_double(arka_rows *rows, row_column *c)
{
    if (!remember(rows, c))
        return false;
    for (int64_t i = 0; i < c->n; i++)
        c->cells[i].f64 = (double)c->cells[i].i64;
    c->type = ARKA_DOUBLE;
    return true;
}

static size_t cell_text(arka_type type, row_cell v, char out[ARKA_TIME_TEXT])
{
    if (type == ARKA_BOOLEAN) {
        memcpy(out, v.i64 ? "true " : "false", 5);
        return v.i64 ? 4 : 5;
    }
    if (type == ARKA_DOUBLE)
        return isfinite(v.f64) ? arka_format_f64(out, v.f64) : 0;
    return arka_format_i64(out, v.i64);
}

static bool turn_into_text(arka_rows *rows, row_column *c)
{
    if (!remember(rows, c))
        return false;
    for (int64_t i = 0; i < c->n; i++) {
        char text[ARKA_TIME_TEXT];
        size_t n = arka_rows__has_cell(c, i) ? cell_text(c->type, c->cells[i], text) : 0;
        if (arka_rows__has_cell(c, i) && n == 0) {
            if (!mark_presence(c))
                return false;
            c->present[i] = 0;
            c->n_nulls++;
        }
        if (!append_text(c, (arka_slice){text, n}, &c->cells[i]))
            return false;
    }
    c->type = ARKA_VARCHAR;
    return true;
}

static arka_put put_as_text(arka_rows *rows, row_column *c, arka_type type, row_cell v)
{
    char text[ARKA_TIME_TEXT];
    size_t n = cell_text(type, v, text);
    row_cell ref;
    if (n == 0)
        return ARKA_PUT_OK; /* NaN in a text column is null */
    return append_text(c, (arka_slice){text, n}, &ref) && put_cell(rows, c, ref) ? ARKA_PUT_OK
                                                                                 : ARKA_PUT_NOMEM;
}

/* The value's type is not the column's. */
static arka_put put_other(arka_rows *rows, row_column *c, arka_type type, row_cell v)
{
    if (c->type == ARKA_TYPE_NONE) {
        c->type = type;
        return put_cell(rows, c, v) ? ARKA_PUT_OK : ARKA_PUT_NOMEM;
    }
    if (type == ARKA_BIGINT && c->type == ARKA_DOUBLE)
        return put_cell(rows, c, (row_cell){.f64 = (double)v.i64}) ? ARKA_PUT_OK : ARKA_PUT_NOMEM;
    if (type == ARKA_DOUBLE && c->type == ARKA_BIGINT)
        return widen_to_double(rows, c) && put_cell(rows, c, v) ? ARKA_PUT_OK : ARKA_PUT_NOMEM;
    if (c->type == ARKA_VARCHAR)
        return put_as_text(rows, c, type, v);
    if (!rows->text_on_conflict || c->given != ARKA_TYPE_NONE)
        return ARKA_PUT_CONFLICT;
    return turn_into_text(rows, c) ? put_as_text(rows, c, type, v) : ARKA_PUT_NOMEM;
}

static inline arka_put put_value(arka_rows *rows, int column, arka_type type, row_cell v)
{
    row_column *c = &rows->columns.items[column];
    if (c->type != type)
        return put_other(rows, c, type, v);
    return put_cell(rows, c, v) ? ARKA_PUT_OK : ARKA_PUT_NOMEM;
}

arka_put arka_rows_put_bool(arka_rows *rows, int column, bool v)
{
    return put_value(rows, column, ARKA_BOOLEAN, (row_cell){.i64 = v});
}

arka_put arka_rows_put_i64(arka_rows *rows, int column, int64_t v)
{
    return put_value(rows, column, ARKA_BIGINT, (row_cell){.i64 = v});
}

arka_put arka_rows_put_f64(arka_rows *rows, int column, double v)
{
    return put_value(rows, column, ARKA_DOUBLE, (row_cell){.f64 = v});
}

arka_put arka_rows_put_text(arka_rows *rows, int column, arka_slice v)
{
    row_column *c = &rows->columns.items[column];
    if (c->type != ARKA_VARCHAR) {
        if (c->type == ARKA_TYPE_NONE)
            c->type = ARKA_VARCHAR;
        else if (!rows->text_on_conflict || c->given != ARKA_TYPE_NONE)
            return ARKA_PUT_CONFLICT;
        else if (!turn_into_text(rows, c))
            return ARKA_PUT_NOMEM;
    }
    row_cell put;
    return append_text(c, v, &put) && put_cell(rows, c, put) ? ARKA_PUT_OK : ARKA_PUT_NOMEM;
}

static void forget_before(arka_rows *rows)
{
    for (size_t i = 0; rows->retyped && i < rows->columns.n; i++) {
        arka_free(rows->columns.items[i].before);
        rows->columns.items[i].before = NULL;
    }
    rows->retyped = false;
}

bool arka_rows_end(arka_rows *rows, int64_t time_us)
{
    size_t n = rows->times.n;
    if (n == rows->times.cap && !arka_vec_reserve(&rows->times, more_rows(n) - n)) {
        arka_rows_cancel(rows);
        return false;
    }
    rows->times.items[rows->times.n++] = time_us;
    forget_before(rows);
    rows->row++;
    return true;
}

static void restore_before(row_column *c)
{
    if (c->n > c->before_n) {
        c->n_nulls -= c->n - c->before_n;
        c->n = c->before_n;
    }
    if (c->n > 0)
        memcpy(c->cells, c->before, (size_t)c->n * sizeof *c->cells);
    /* Presence is as before but for NaN cells that text dropped: those were numbers. */
    if (c->before_type == ARKA_DOUBLE && c->type == ARKA_VARCHAR)
        for (int64_t r = 0; r < c->n; r++)
            if (!arka_rows__has_cell(c, r) && isnan(c->cells[r].f64)) {
                c->present[r] = 1;
                c->n_nulls--;
            }
    c->type = c->before_type;
}

void arka_rows_cancel(arka_rows *rows)
{
    for (size_t i = 0; i < rows->columns.n; i++) {
        row_column *c = &rows->columns.items[i];
        if (c->n > rows->row) {
            c->n_nulls -= !arka_rows__has_cell(c, rows->row);
            c->n = rows->row;
        }
        if (c->before != NULL)
            restore_before(c);
        if (c->n == c->n_nulls && !c->keyed)
            c->type = c->given;
    }
    if (rows->keys.n > (size_t)rows->row)
        rows->keys.n = (size_t)rows->row;
    forget_before(rows);
}

void arka_rows_reopen(arka_rows *rows, int64_t row)
{
    ARKA_DCHECK(row < arka_rows_n(rows));
    rows->row = row;
    rows->reopened = true;
}

void arka_rows_close_again(arka_rows *rows)
{
    forget_before(rows);
    rows->row = (int64_t)rows->times.n;
    rows->reopened = false;
}
