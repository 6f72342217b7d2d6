/*
 * The envelope of docs/formats/results.md as one MessagePack map:
 *
 *     {success, columns: [name…], types: [word…], data: [[value…] per column], row_count,
 *      execution_time_ms, timestamp, error}
 *
 * An array begins with its length, so a column's values wait for the last row: the encoder holds
 * the whole result, encoded, until its end. A number takes 1 to 9 bytes, a text its bytes and 1
 * to 5.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/civil.h"
#include "base/utf8.h"
#include "sql/encode_priv.h"
#include "sql/encode_text.h"

typedef struct msgpack_encoder {
    arka_encoder base;
    arka_buf *values; /* by column */
    arka_buf text;    /* of one value */
} msgpack_encoder;

static arka_status msgpack_init(arka_encoder *base, const arka_encode_options *options,
                                arka_error *err)
{
    msgpack_encoder *e = (msgpack_encoder *)base;
    size_t n = (size_t)base->n_columns * sizeof *e->values;
    e->values = arka_arena_zalloc(&base->arena, n);
    return e->values != NULL ? ARKA_OK : arka_fail_nomem(err, "a MessagePack encoder", n);
}

static void msgpack_fini(arka_encoder *base)
{
    msgpack_encoder *e = (msgpack_encoder *)base;
    for (int i = 0; e->values != NULL && i < base->n_columns; i++)
        arka_buf_fini(&e->values[i]);
    arka_buf_fini(&e->text);
}

static arka_status msgpack_begin(arka_encoder *base, arka_buf *out, arka_error *err)
{
    return ARKA_OK;
}

/* --- the format (its specification's byte table) --- */

/* A byte and an integer of n bytes, most significant first. */
static void put(arka_buf *out, unsigned mark, uint64_t v, int n)
{
    char *to = arka_buf_reserve(out, 9);
    if (to == NULL)
        return;
    uint64_t big = __builtin_bswap64(v << (64 - 8 * n));
    *to = (char)mark;
    memcpy(to + 1, &big, 8);
    out->len += 1 + (size_t)n;
}

static void put_u64(arka_buf *out, uint64_t v)
{
    if (v < 128)
        arka_buf_byte(out, (char)v);
    else if (v <= UINT8_MAX)
        put(out, 0xcc, v, 1);
    else if (v <= UINT16_MAX)
        put(out, 0xcd, v, 2);
    else if (v <= UINT32_MAX)
        put(out, 0xce, v, 4);
    else
        put(out, 0xcf, v, 8);
}

static void put_i64(arka_buf *out, int64_t v)
{
    if (v >= 0)
        put_u64(out, (uint64_t)v);
    else if (v >= -32)
        arka_buf_byte(out, (char)v);
    else if (v >= INT8_MIN)
        put(out, 0xd0, (uint64_t)v, 1);
    else if (v >= INT16_MIN)
        put(out, 0xd1, (uint64_t)v, 2);
    else if (v >= INT32_MIN)
        put(out, 0xd2, (uint64_t)v, 4);
    else
        put(out, 0xd3, (uint64_t)v, 8);
}

static void put_f64(arka_buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put(out, 0xcb, bits, 8);
}

static void put_f32(arka_buf *out, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put(out, 0xca, bits, 4);
}

static void put_nil(arka_buf *out)
{
    arka_buf_byte(out, '\xc0');
}

static void put_bool(arka_buf *out, bool v)
{
    arka_buf_byte(out, v ? '\xc3' : '\xc2');
}

/* Beginnings of what has a length: the short form, then that with 8 bits if there is one, 16
 * and 32. */
static void put_length(arka_buf *out, uint64_t n, unsigned fix, unsigned fix_max, unsigned mark8,
                       unsigned mark16)
{
    if (n <= fix_max && fix != 0)
        arka_buf_byte(out, (char)(fix | n));
    else if (n <= UINT8_MAX && mark8 != 0)
        put(out, mark8, n, 1);
    else if (n <= UINT16_MAX)
        put(out, mark16, n, 2);
    else
        put(out, mark16 + 1, n, 4);
}

static void put_array(arka_buf *out, uint64_t n)
{
    put_length(out, n, 0x90, 15, 0, 0xdc);
}

static void put_map(arka_buf *out, uint64_t n)
{
    put_length(out, n, 0x80, 15, 0, 0xde);
}

static void put_str(arka_buf *out, arka_slice text)
{
    put_length(out, text.len, 0xa0, 31, 0xd9, 0xda);
    arka_buf_slice(out, text);
}

static void put_bin(arka_buf *out, arka_slice bytes)
{
    put_length(out, bytes.len, 0, 0, 0xc4, 0xc5);
    arka_buf_slice(out, bytes);
}

/* --- values --- */

static arka_status fail_time(const arka_sql_vec *v, int64_t t, arka_error *err)
{
    return arka_fail(err, ARKA_INPUT,
                     "column \"%.*s\" holds the time %" PRId64 " in units of %" PRId64
                     " ns, which microseconds cannot",
                     ARKA_FMT(v->type->name), t, v->type->unit_ns);
}

static arka_status put_timestamp(arka_buf *out, const arka_sql_vec *v, idx_t row, arka_error *err)
{
    int64_t t = ((const int64_t *)v->data)[row], us;
    if (!arka_sql_timestamp_is_finite(t)) {
        put_nil(out);
        return ARKA_OK;
    }
    if (!arka_sql_to_us(t, v->type->unit_ns, &us))
        return fail_time(v, t, err);
    put_i64(out, us);
    return ARKA_OK;
}

/* What has no form of its own, as text; lists and their like as JSON. */
static void put_text(msgpack_encoder *e, arka_buf *out, const arka_sql_vec *v, idx_t row)
{
    arka_buf_clear(&e->text);
    if (v->type->kind < ARKA_SQL_LIST)
        arka_sql_append_text(&e->text, v, row);
    else
        arka_sql_append_json(&e->text, v, row);
    out->failed |= e->text.failed;
    put_str(out, (arka_slice){e->text.data, e->text.len});
}

static arka_status put_value(msgpack_encoder *e, arka_buf *out, const arka_sql_vec *v, idx_t row,
                             arka_error *err);

/* Keys are texts, as in JSON: readers commonly refuse others. */
static arka_status put_entries(msgpack_encoder *e, arka_buf *out, const arka_sql_vec *v, idx_t row,
                               arka_error *err)
{
    arka_sql_range range = arka_sql_list_range(v, row);
    put_map(out, range.n);
    for (idx_t i = range.from; i < range.from + range.n; i++) {
        put_text(e, out, &v->children[0], i);
        ARKA_TRY(put_value(e, out, &v->children[1], i, err));
    }
    return ARKA_OK;
}

static arka_status put_list(msgpack_encoder *e, arka_buf *out, const arka_sql_vec *v, idx_t row,
                            arka_error *err)
{
    arka_sql_range range = arka_sql_list_range(v, row);
    put_array(out, range.n);
    for (idx_t i = range.from; i < range.from + range.n; i++)
        ARKA_TRY(put_value(e, out, &v->children[0], i, err));
    return ARKA_OK;
}

static arka_status put_struct(msgpack_encoder *e, arka_buf *out, const arka_sql_vec *v, idx_t row,
                              arka_error *err)
{
    put_map(out, (uint64_t)v->type->n_children);
    for (int c = 0; c < v->type->n_children; c++) {
        put_str(out, v->type->children[c].name);
        ARKA_TRY(put_value(e, out, &v->children[c], row, err));
    }
    return ARKA_OK;
}

static arka_status put_value(msgpack_encoder *e, arka_buf *out, const arka_sql_vec *v, idx_t row,
                             arka_error *err)
{
    if (arka_sql_is_null(v, row)) {
        put_nil(out);
        return ARKA_OK;
    }
    switch (v->type->kind) {
    case ARKA_SQL_NONE:
    case ARKA_SQL_NULL:
        put_nil(out);
        break;
    case ARKA_SQL_BOOL:
        put_bool(out, ((const bool *)v->data)[row]);
        break;
    case ARKA_SQL_I8:
    case ARKA_SQL_I16:
    case ARKA_SQL_I32:
    case ARKA_SQL_I64:
    case ARKA_SQL_U8:
    case ARKA_SQL_U16:
    case ARKA_SQL_U32:
        put_i64(out, arka_sql_i64(v, row));
        break;
    case ARKA_SQL_U64:
        put_u64(out, ((const uint64_t *)v->data)[row]);
        break;
    case ARKA_SQL_I128:
        put_f64(out, (double)arka_sql_i128(v, row));
        break;
    case ARKA_SQL_U128:
        put_f64(out, (double)arka_sql_u128(v, row));
        break;
    case ARKA_SQL_F32:
        put_f32(out, ((const float *)v->data)[row]);
        break;
    case ARKA_SQL_F64:
        put_f64(out, ((const double *)v->data)[row]);
        break;
    case ARKA_SQL_DATE:
        if (arka_sql_date_is_finite(((const int32_t *)v->data)[row]))
            put_i64(out, ((const int32_t *)v->data)[row]);
        else
            put_nil(out);
        break;
    case ARKA_SQL_TIMESTAMP:
        return put_timestamp(out, v, row, err);
    case ARKA_SQL_BLOB:
        put_bin(out, arka_sql_bytes(v, row));
        break;
    case ARKA_SQL_TEXT: {
        arka_slice text = arka_sql_bytes(v, row);
        if (arka_utf8_valid(text.data, text.len))
            put_str(out, text);
        else
            put_text(e, out, v, row);
        break;
    }
    case ARKA_SQL_DECIMAL: /* in a list or the like; whole columns: see put_column */
        put_f64(out, arka_sql_decimal_f64(arka_sql_i128(v, row), v->type->scale));
        break;
    case ARKA_SQL_BIT:
    case ARKA_SQL_UUID:
    case ARKA_SQL_ENUM:
    case ARKA_SQL_TIME:
    case ARKA_SQL_TIME_NS:
    case ARKA_SQL_TIME_TZ:
    case ARKA_SQL_INTERVAL:
    case ARKA_SQL_UNION:
        put_text(e, out, v, row);
        break;
    case ARKA_SQL_LIST:
    case ARKA_SQL_ARRAY:
        return put_list(e, out, v, row, err);
    case ARKA_SQL_MAP:
        return put_entries(e, out, v, row, err);
    case ARKA_SQL_STRUCT:
        return put_struct(e, out, v, row, err);
    }
    return ARKA_OK;
}

/* A column of decimals, which its type word tells, keeps all digits: as text. */
static arka_status put_column(msgpack_encoder *e, arka_buf *out, const arka_sql_vec *v, idx_t n,
                              arka_error *err)
{
    for (idx_t row = 0; row < n; row++) {
        if (v->type->kind == ARKA_SQL_DECIMAL && !arka_sql_is_null(v, row))
            put_text(e, out, v, row);
        else
            ARKA_TRY(put_value(e, out, v, row, err));
    }
    return ARKA_OK;
}

static arka_status msgpack_rows(arka_encoder *base, idx_t n, arka_buf *out, arka_error *err)
{
    msgpack_encoder *e = (msgpack_encoder *)base;
    for (int i = 0; i < base->n_columns; i++) {
        ARKA_TRY(put_column(e, &e->values[i], &base->vecs[i], n, err));
        out->failed |= e->values[i].failed;
    }
    return ARKA_OK;
}

/* --- the envelope --- */

static void put_type(arka_buf *out, const arka_sql_type *type)
{
    static const char *const words[] = {
        [ARKA_SQL_NONE] = "null",
        [ARKA_SQL_NULL] = "null",
        [ARKA_SQL_BOOL] = "bool",
        [ARKA_SQL_I8] = "int8",
        [ARKA_SQL_I16] = "int16",
        [ARKA_SQL_I32] = "int32",
        [ARKA_SQL_I64] = "int64",
        [ARKA_SQL_I128] = "float64",
        [ARKA_SQL_U8] = "uint8",
        [ARKA_SQL_U16] = "uint16",
        [ARKA_SQL_U32] = "uint32",
        [ARKA_SQL_U64] = "uint64",
        [ARKA_SQL_U128] = "float64",
        [ARKA_SQL_F32] = "float32",
        [ARKA_SQL_F64] = "float64",
        [ARKA_SQL_TEXT] = "utf8",
        [ARKA_SQL_BLOB] = "binary",
        [ARKA_SQL_BIT] = "utf8",
        [ARKA_SQL_UUID] = "utf8",
        [ARKA_SQL_ENUM] = "utf8",
        [ARKA_SQL_DATE] = "date32",
        [ARKA_SQL_TIME] = "utf8",
        [ARKA_SQL_TIME_NS] = "utf8",
        [ARKA_SQL_TIME_TZ] = "utf8",
        [ARKA_SQL_TIMESTAMP] = "timestamp[us]",
        [ARKA_SQL_INTERVAL] = "utf8",
        [ARKA_SQL_LIST] = "list",
        [ARKA_SQL_ARRAY] = "list",
        [ARKA_SQL_STRUCT] = "struct",
        [ARKA_SQL_MAP] = "map",
        [ARKA_SQL_UNION] = "utf8",
    };
    char text[40];
    if (type->kind == ARKA_SQL_DECIMAL) {
        snprintf(text, sizeof text, "decimal(%d,%d)", type->width, type->scale);
        put_str(out, arka_slice_of(text));
    } else {
        put_str(out, arka_slice_of(words[type->kind]));
    }
}

static arka_status msgpack_end(arka_encoder *base, const arka_result_end *end, arka_buf *out,
                               arka_error *err)
{
    msgpack_encoder *e = (msgpack_encoder *)base;
    char time[ARKA_TIME_TEXT];
    uint64_t n_columns = (uint64_t)base->n_columns;
    if (base->n_rows > UINT32_MAX)
        return arka_fail(err, ARKA_LIMIT,
                         "the result has %" PRId64 " rows; a MessagePack array holds %" PRIu32,
                         base->n_rows, UINT32_MAX);
    put_map(out, 8);
    put_str(out, ARKA_SLICE("success"));
    put_bool(out, true);
    put_str(out, ARKA_SLICE("columns"));
    put_array(out, n_columns);
    for (int i = 0; i < base->n_columns; i++)
        put_str(out, base->columns[i].name);
    put_str(out, ARKA_SLICE("types"));
    put_array(out, n_columns);
    for (int i = 0; i < base->n_columns; i++)
        put_type(out, &base->columns[i]);
    put_str(out, ARKA_SLICE("data"));
    put_array(out, n_columns);
    for (int i = 0; i < base->n_columns; i++) {
        put_array(out, (uint64_t)base->n_rows);
        arka_buf_append(out, e->values[i].data, e->values[i].len);
        arka_buf_fini(&e->values[i]); /* or the result is there twice */
    }
    put_str(out, ARKA_SLICE("row_count"));
    put_i64(out, end->n_rows);
    put_str(out, ARKA_SLICE("execution_time_ms"));
    put_f64(out, arka_encode__ms(end));
    put_str(out, ARKA_SLICE("timestamp"));
    put_str(out, (arka_slice){time, arka_format_time(time, end->now_us)});
    put_str(out, ARKA_SLICE("error"));
    put_nil(out);
    return ARKA_OK;
}

const arka_encoder_ops arka_encode__msgpack = {
    "MessagePack", sizeof(msgpack_encoder), msgpack_init, msgpack_fini, msgpack_begin, msgpack_rows,
    msgpack_end,
};
