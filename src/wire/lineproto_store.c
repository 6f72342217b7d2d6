/* The second half of a line's way: a point into the measurement's rows, or into one that it
 * repeats. */
#include "wire/lineproto_priv.h"

static size_t point_hash(const arka_row_key *tags, int64_t time_us)
{
    uint64_t x = (uint64_t)time_us * UINT64_C(0x9e3779b97f4a7c15) + (uintptr_t)tags;
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(x ^ x >> 32);
}

static void insert_point(lp_measurement *m, uint32_t row)
{
    size_t mask = m->points_cap - 1;
    size_t i = point_hash(arka_rows_key(m->rows, row), arka_rows_time(m->rows, row)) & mask;
    while (m->points[i] != 0)
        i = (i + 1) & mask;
    m->points[i] = row + 1;
}

/* All rows anew, and room for one more. */
static bool grow_points(lp_measurement *m)
{
    size_t n = (size_t)arka_rows_n(m->rows), cap = m->points_cap ? m->points_cap * 2 : 1024;
    while (cap / 2 <= n)
        cap *= 2;
    uint32_t *points = arka_calloc(cap, sizeof *points);
    if (points == NULL)
        return false;
    arka_free(m->points);
    m->points = points;
    m->points_cap = cap;
    for (size_t row = 0; row < n; row++)
        insert_point(m, (uint32_t)row);
    return true;
}

/* The newest row. */
static bool add_point(lp_measurement *m, uint32_t row)
{
    if (row >= m->points_cap / 2)
        return grow_points(m);
    insert_point(m, row);
    return true;
}

/* The row of those tags and that time, or -1. */
static int64_t find_point(const lp_measurement *m, const arka_row_key *tags, int64_t time_us)
{
    size_t mask = m->points_cap - 1;
    for (size_t i = point_hash(tags, time_us) & mask; m->points[i] != 0; i = (i + 1) & mask) {
        uint32_t row = m->points[i] - 1;
        if (arka_rows_key(m->rows, row) == tags && arka_rows_time(m->rows, row) == time_us)
            return row;
    }
    return -1;
}

static bool unescape_string(arka_buf *to, arka_slice text)
{
    to->len = 0;
    char *at = arka_buf_reserve(to, text.len);
    if (at == NULL)
        return false;
    for (const char *s = text.data, *end = s + text.len; s < end;) {
        const char *slash = memchr(s, '\\', (size_t)(end - s));
        size_t n = (size_t)((slash ? slash : end) - s);
        memcpy(at, s, n);
        at += n;
        s += n;
        if (slash != NULL) {
            /* a backslash is itself unless a quote or another one follows */
            s += end - s > 1 && (s[1] == '"' || s[1] == '\\');
            *at++ = *s++;
        }
    }
    to->len = (size_t)(at - to->data);
    return true;
}

/* What the column's type becomes with a value of that kind in it. */
static void settle_type(lp_column *c, lp_kind kind)
{
    static const arka_type TYPES[] = {[LP_F64] = ARKA_DOUBLE,
                                      [LP_I64] = ARKA_BIGINT,
                                      [LP_BOOL] = ARKA_BOOLEAN,
                                      [LP_TEXT] = ARKA_VARCHAR};
    if (c->type == ARKA_TYPE_NONE || (c->type == ARKA_BIGINT && kind == LP_F64)) {
        c->type = TYPES[kind];
        c->fits = arka_lp__fits(c->type);
    }
}

static inline arka_put put_cell(lp_parser *p, lp_measurement *m, const lp_cell *cell)
{
    const lp_value *v = &cell->value;
    settle_type(&m->columns.items[cell->column], v->kind);
    switch (v->kind) {
    case LP_F64:
        return arka_rows_put_f64(m->rows, cell->column, v->f64);
    case LP_I64:
        return arka_rows_put_i64(m->rows, cell->column, v->i64);
    case LP_BOOL:
        return arka_rows_put_bool(m->rows, cell->column, v->i64 != 0);
    case LP_TEXT:
        break;
    }
    if (!v->escaped)
        return arka_rows_put_text(m->rows, cell->column, v->text);
    if (!unescape_string(&p->scratch, v->text))
        return ARKA_PUT_NOMEM;
    return arka_rows_put_text(m->rows, cell->column, (arka_slice){p->scratch.data, p->scratch.len});
}

static arka_status put_failed(lp_parser *p, const lp_measurement *m, int column, arka_put put)
{
    if (put == ARKA_PUT_NOMEM)
        return arka_fail(p->err, ARKA_NOMEM, "out of memory for column \"%.*s\"",
                         ARKA_FMT(arka_rows_name(m->rows, column)));
    return arka_fail(p->err, ARKA_INTERNAL, "column \"%.*s\" changed its type unnoticed",
                     ARKA_FMT(arka_rows_name(m->rows, column)));
}

static arka_status put_cells(lp_parser *p, lp_measurement *m)
{
    for (size_t i = 0; i < p->cells.n; i++) {
        arka_put put = put_cell(p, m, &p->cells.items[i]);
        if (ARKA_UNLIKELY(put != ARKA_PUT_OK))
            return put_failed(p, m, p->cells.items[i].column, put);
    }
    return ARKA_OK;
}

static arka_status names_are_for_good(lp_parser *p, const lp_head *head)
{
    lp_series *series = head->series;
    lp_measurement *m = series->measurement;
    if (m->stored.data == NULL)
        m->stored = (arka_slice){head->raw, m->name.len}; /* names have no escapes */
    if (arka_rows_add_key(m->rows, &series->tags) != ARKA_PUT_OK)
        return put_failed(p, m, series->tags.cells[0].column, ARKA_PUT_CONFLICT);
    for (size_t i = 0; i < series->tags.n; i++)
        settle_type(&m->columns.items[series->tags.cells[i].column], LP_TEXT);
    series->stored = true;
    p->marked.n = 0;
    return ARKA_OK;
}

static arka_status add_row(lp_parser *p, const lp_head *head, int64_t time_us)
{
    lp_series *series = head->series;
    lp_measurement *m = series->measurement;
    uint32_t row = (uint32_t)arka_rows_n(m->rows);
    if (ARKA_UNLIKELY(!series->stored))
        ARKA_TRY(names_are_for_good(p, head));
    ARKA_TRY(arka_lp__spend(p, m->columns.n * LP_CELL_BYTES));
    ARKA_TRY(put_cells(p, m));
    if (arka_rows_put_key(m->rows, &series->tags) != ARKA_PUT_OK ||
        !arka_rows_end(m->rows, time_us))
        return arka_fail_nomem(p->err, "rows", row * sizeof row);
    if (ARKA_UNLIKELY(m->points != NULL) && !add_point(m, row))
        return arka_fail_nomem(p->err, "points", m->points_cap * sizeof *m->points);
    if (time_us > series->last_time) {
        series->last_time = time_us;
        series->last_row = row;
    }
    return ARKA_OK;
}

arka_status arka_lp__store(lp_parser *p, const lp_head *head, int64_t time_us)
{
    lp_series *series = head->series;
    if (ARKA_LIKELY(time_us > series->last_time))
        return add_row(p, head, time_us);
    lp_measurement *m = series->measurement;
    int64_t row = series->last_row;
    if (time_us < series->last_time) {
        if (m->points == NULL && !grow_points(m))
            return arka_fail_nomem(p->err, "points", m->points_cap * sizeof *m->points);
        row = find_point(m, &series->tags, time_us);
    }
    if (row < 0)
        return add_row(p, head, time_us);
    arka_rows_reopen(m->rows, row);
    arka_status status = put_cells(p, m);
    arka_rows_close_again(m->rows);
    return status;
}
