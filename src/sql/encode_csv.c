/*
 * CSV as docs/formats/results.md has it (RFC 4180): a line of names, CRLF, quotes only where they
 * are needed, nulls empty, times and nested values as in JSON.
 */
#include "base/utf8.h"
#include "sql/encode_priv.h"
#include "sql/encode_text.h"

typedef struct csv_encoder {
    arka_encoder base;
    arka_sql_clock *clocks; /* by column */
    arka_buf field;         /* one that may need quotes */
} csv_encoder;

static arka_status csv_init(arka_encoder *base, const arka_encode_options *options, arka_error *err)
{
    csv_encoder *e = (csv_encoder *)base;
    size_t n = (size_t)base->n_columns * sizeof *e->clocks;
    e->clocks = arka_arena_zalloc(&base->arena, n);
    return e->clocks != NULL ? ARKA_OK : arka_fail_nomem(err, "a CSV encoder", n);
}

static void csv_fini(arka_encoder *base)
{
    arka_buf_fini(&((csv_encoder *)base)->field);
}

static bool needs_quotes(arka_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == ',' || c == '"' || c == '\r' || c == '\n')
            return true;
    }
    return false;
}

static void append_field(arka_buf *out, arka_slice text)
{
    if (!needs_quotes(text)) {
        arka_buf_slice(out, text);
        return;
    }
    char *to = arka_buf_reserve(out, text.len * 2 + 2);
    if (to == NULL)
        return;
    char *at = to;
    *at++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            *at++ = '"';
        *at++ = text.data[i];
    }
    *at++ = '"';
    out->len += (size_t)(at - to);
}

static arka_status csv_begin(arka_encoder *base, arka_buf *out, arka_error *err)
{
    for (int i = 0; i < base->n_columns; i++) {
        if (i > 0)
            arka_buf_byte(out, ',');
        append_field(out, base->columns[i].name);
    }
    arka_buf_literal(out, "\r\n");
    return ARKA_OK;
}

static void append_cell(csv_encoder *e, arka_buf *out, int column, idx_t row)
{
    const arka_sql_vec *v = &e->base.vecs[column];
    if (arka_sql_is_null(v, row) || v->type->kind == ARKA_SQL_NULL)
        return;
    if (v->type->kind == ARKA_SQL_TIMESTAMP) {
        char *to = arka_buf_reserve(out, ARKA_SQL_TEXT_MAX);
        if (to != NULL)
            out->len += arka_sql_format_timestamp(to, ((const int64_t *)v->data)[row],
                                                  v->type->unit_ns, &e->clocks[column]);
        return;
    }
    if (v->type->kind != ARKA_SQL_TEXT && v->type->kind != ARKA_SQL_ENUM &&
        v->type->kind < ARKA_SQL_LIST) {
        arka_sql_append_text(out, v, row); /* none of these texts has a comma, quote or line end */
        return;
    }
    if (v->type->kind == ARKA_SQL_TEXT) {
        arka_slice text = arka_sql_bytes(v, row);
        if (arka_utf8_valid(text.data, text.len)) {
            append_field(out, text);
            return;
        }
    }
    arka_buf_clear(&e->field);
    if (v->type->kind < ARKA_SQL_LIST)
        arka_sql_append_text(&e->field, v, row);
    else
        arka_sql_append_json(&e->field, v, row);
    out->failed |= e->field.failed;
    append_field(out, (arka_slice){e->field.data, e->field.len});
}

static arka_status csv_rows(arka_encoder *base, idx_t n, arka_buf *out, arka_error *err)
{
    csv_encoder *e = (csv_encoder *)base;
    for (idx_t row = 0; row < n; row++) {
        size_t start = out->len;
        for (int i = 0; i < base->n_columns; i++) {
            if (i > 0)
                arka_buf_byte(out, ',');
            append_cell(e, out, i, row);
        }
        if (out->len == start)
            arka_buf_literal(out, "\"\""); /* readers pass over empty lines */
        arka_buf_literal(out, "\r\n");
    }
    return ARKA_OK;
}

static arka_status csv_end(arka_encoder *base, const arka_result_end *end, arka_buf *out,
                           arka_error *err)
{
    return ARKA_OK;
}

const arka_encoder_ops arka_encode__csv = {
    "CSV", sizeof(csv_encoder), csv_init, csv_fini, csv_begin, csv_rows, csv_end,
};
