#include <inttypes.h>

#include "wire/msgpack_priv.h"
#include "wire/msgpack_run.h"
#include "wire/msgpack_time.h"

/*
 * A column takes the type of its first value. Each fill_… goes on from `row` and stops before the
 * first element that its type has no place for; integers are then widened to floats in place,
 * and anything else starts the column again as text.
 */
typedef struct filling {
    arka_msgpack_decoder *dec;
    arka_block *block;
    int column;
    int64_t n, row;
} filling;

static arka_status fail_row(const filling *f, arka_status status, arka_error *err)
{
    arka_error_prefix(err, "row %" PRId64 ": ", f->row);
    return status;
}

/* One row of nothing, in a column of 8-byte values or of bits (which are 0 already). */
static arka_status fill_null(filling *f, arka_error *err)
{
    ARKA_TRY(arka_block_set_null(f->block, f->column, f->row, err));
    arka_type type = arka_block_type(f->block, f->column);
    if (type == ARKA_VARCHAR) {
        int32_t *offsets = arka_block_values(f->block, f->column);
        offsets[f->row + 1] = offsets[f->row];
    } else if (type != ARKA_BOOLEAN) {
        int64_t *values = arka_block_values(f->block, f->column);
        values[f->row] = 0;
    }
    f->row++;
    return ARKA_OK;
}

static arka_status fill_boolean(filling *f, arka_error *err)
{
    while (f->row < f->n) {
        arka_msgpack_reader before = f->dec->in;
        arka_msgpack_token t;
        ARKA_TRY(arka_msgpack_take(&f->dec->in, &t, err));
        if (t.kind == ARKA_MSGPACK_NIL) {
            ARKA_TRY(fill_null(f, err));
            continue;
        }
        if (t.kind != ARKA_MSGPACK_BOOL) {
            f->dec->in = before;
            break;
        }
        uint8_t *bits = arka_block_values(f->block, f->column);
        bits[f->row >> 3] |= (uint8_t)(t.boolean << (f->row & 7));
        f->row++;
    }
    return ARKA_OK;
}

static arka_status fill_bigint(filling *f, arka_error *err)
{
    for (;;) {
        int64_t *values = arka_block_values(f->block, f->column);
        f->row += arka_msgpack_run_i64(&f->dec->in, values + f->row, f->n - f->row);
        if (f->row == f->n)
            return ARKA_OK;
        arka_msgpack_reader before = f->dec->in;
        arka_msgpack_token t;
        ARKA_TRY(arka_msgpack_take(&f->dec->in, &t, err));
        if (t.kind == ARKA_MSGPACK_INT) {
            values[f->row++] = t.i64;
        } else if (t.kind == ARKA_MSGPACK_NIL) {
            ARKA_TRY(fill_null(f, err));
        } else if (t.kind == ARKA_MSGPACK_UINT) {
            return fail_row(f, arka_msgpack__too_large(t.u64, err), err);
        } else {
            f->dec->in = before;
            return ARKA_OK;
        }
    }
}

static arka_status fill_double(filling *f, arka_error *err)
{
    for (;;) {
        double *values = arka_block_values(f->block, f->column);
        f->row += arka_msgpack_run_f64(&f->dec->in, values + f->row, f->n - f->row);
        if (f->row == f->n)
            return ARKA_OK;
        arka_msgpack_reader before = f->dec->in;
        arka_msgpack_token t;
        ARKA_TRY(arka_msgpack_take(&f->dec->in, &t, err));
        if (t.kind == ARKA_MSGPACK_FLOAT) {
            values[f->row++] = t.f64;
        } else if (t.kind == ARKA_MSGPACK_INT) {
            values[f->row++] = (double)t.i64;
        } else if (t.kind == ARKA_MSGPACK_NIL) {
            ARKA_TRY(fill_null(f, err));
        } else if (t.kind == ARKA_MSGPACK_UINT) {
            return fail_row(f, arka_msgpack__too_large(t.u64, err), err);
        } else {
            f->dec->in = before;
            return ARKA_OK;
        }
    }
}

static arka_status append_text(filling *f, const char *text, size_t n, arka_error *err)
{
    char *to = arka_block_text_reserve(f->block, f->column, n);
    if (to == NULL)
        return arka_msgpack_no_text(f->block, f->column, n, err);
    if (n > 0)
        memcpy(to, text, n);
    arka_block_text_advance(f->block, f->column, n);
    int32_t *offsets = arka_block_values(f->block, f->column);
    offsets[++f->row] = (int32_t)arka_block_text_len(f->block, f->column);
    return ARKA_OK;
}

static arka_status fill_other_as_text(filling *f, const arka_msgpack_token *t, arka_error *err)
{
    arka_buf *text = &f->dec->text;
    bool null;
    arka_buf_clear(text);
    arka_status status =
        arka_msgpack__text(&f->dec->in, t, f->dec->options.max_depth, text, &null, err);
    if (status != ARKA_OK)
        return fail_row(f, status, err);
    return null ? fill_null(f, err) : append_text(f, text->data, text->len, err);
}

static arka_status fill_varchar(filling *f, arka_error *err)
{
    for (;;) {
        ARKA_TRY(
            arka_msgpack_run_text(&f->dec->in, f->block, f->column, f->row, f->n, &f->row, err));
        if (f->row == f->n)
            return ARKA_OK;
        arka_msgpack_token t;
        ARKA_TRY(arka_msgpack_take(&f->dec->in, &t, err));
        if (t.kind != ARKA_MSGPACK_TEXT)
            ARKA_TRY(fill_other_as_text(f, &t, err));
        else if (arka_utf8_valid(t.bytes.data, t.bytes.len))
            ARKA_TRY(append_text(f, t.bytes.data, t.bytes.len, err));
        else
            return fail_row(f, arka_fail(err, ARKA_INPUT, "string is not UTF-8"), err);
    }
}

static arka_status fill_time(filling *f, arka_error *err)
{
    f->row = f->n;
    return arka_msgpack_times(&f->dec->in, f->n, arka_block_values(f->block, f->column), err);
}

static arka_type type_of(arka_msgpack_kind kind)
{
    switch (kind) {
    case ARKA_MSGPACK_BOOL:
        return ARKA_BOOLEAN;
    case ARKA_MSGPACK_INT:
    case ARKA_MSGPACK_UINT:
        return ARKA_BIGINT;
    case ARKA_MSGPACK_FLOAT:
        return ARKA_DOUBLE;
    case ARKA_MSGPACK_TEXT:
    case ARKA_MSGPACK_ARRAY:
    case ARKA_MSGPACK_MAP:
    case ARKA_MSGPACK_EXT:
        return ARKA_VARCHAR;
    case ARKA_MSGPACK_NIL:
        break;
    }
    return ARKA_TYPE_NONE;
}

/* The type of the first element that is not nil; NONE when there is none. */
static arka_status first_type(const arka_msgpack_reader *in, int64_t n, arka_type *out,
                              arka_error *err)
{
    arka_msgpack_reader r = *in;
    arka_msgpack_token t = {.kind = ARKA_MSGPACK_NIL};
    for (int64_t i = 0; i < n && t.kind == ARKA_MSGPACK_NIL; i++)
        ARKA_TRY(arka_msgpack_take(&r, &t, err));
    *out = type_of(t.kind);
    return ARKA_OK;
}

static arka_status fill(filling *f, arka_type type, arka_error *err)
{
    switch (type) {
    case ARKA_BOOLEAN:
        return fill_boolean(f, err);
    case ARKA_BIGINT:
        ARKA_TRY(fill_bigint(f, err));
        /* A float stopped it: 0xca and 0xcb. */
        if (f->row == f->n || (*f->dec->in.at & 0xfe) != 0xca)
            return ARKA_OK;
        arka_block_widen(f->block, f->column, f->row);
        return fill_double(f, err);
    case ARKA_DOUBLE:
        return fill_double(f, err);
    case ARKA_VARCHAR:
        return fill_varchar(f, err);
    case ARKA_TIMESTAMPTZ:
        return fill_time(f, err);
    case ARKA_TYPE_NONE:
        break;
    }
    return arka_fail(err, ARKA_INTERNAL, "a column without a type");
}

static arka_status fill_new(filling *f, arka_slice name, arka_type type, arka_error *err)
{
    ARKA_TRY(arka_block_add(f->block, name, type, false, &f->column, err));
    f->row = 0;
    arka_status status = fill(f, type, err);
    if (status == ARKA_INPUT) {
        arka_slice shown = arka_msgpack__shown(name);
        arka_error_prefix(err, "column '%.*s', ", ARKA_FMT(shown));
    }
    return status;
}

arka_status arka_msgpack__column(arka_msgpack_decoder *dec, arka_block *block, arka_slice name,
                                 int64_t n, arka_error *err)
{
    arka_msgpack_reader start = dec->in;
    filling f = {.dec = dec, .block = block, .n = n};
    arka_type type = ARKA_TIMESTAMPTZ;
    if (!arka_name_eq(name, ARKA_SLICE(ARKA_TIME_COLUMN)))
        ARKA_TRY(first_type(&start, n, &type, err));
    if (type == ARKA_TYPE_NONE) {
        dec->in.at += n; /* a nil is one byte */
        return ARKA_OK;
    }
    ARKA_TRY(fill_new(&f, name, type, err));
    if (f.row == n)
        return ARKA_OK;
    arka_block_drop_last(block);
    dec->in = start;
    return fill_new(&f, name, ARKA_VARCHAR, err);
}
