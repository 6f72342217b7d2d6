/*
 * The JSON envelope of docs/formats/results.md:
 *
 *     {"success":true,"columns":[…],"data":[[…],…],"row_count":n,"execution_time_ms":x,
 *      "timestamp":"…Z","error":null}
 *
 * Results of up to 16 rows, and 64 KiB, carry their data once more, as "rows", behind "error".
 */
#include <math.h>

#include "base/civil.h"
#include "base/json.h"
#include "base/number.h"
#include "sql/encode_priv.h"
#include "sql/encode_text.h"

enum { REPEATED_ROWS = 16, REPEATED_BYTES = 64 * 1024 };

typedef struct json_encoder {
    arka_encoder base;
    arka_sql_clock *clocks; /* by column */
    arka_buf first;         /* all rows, while they are few */
    bool many;
} json_encoder;

static arka_status json_init(arka_encoder *base, const arka_encode_options *options,
                             arka_error *err)
{
    json_encoder *e = (json_encoder *)base;
    size_t n = (size_t)base->n_columns * sizeof *e->clocks;
    e->clocks = arka_arena_zalloc(&base->arena, n);
    return e->clocks != NULL ? ARKA_OK : arka_fail_nomem(err, "a JSON encoder", n);
}

static void json_fini(arka_encoder *base)
{
    arka_buf_fini(&((json_encoder *)base)->first);
}

static arka_status json_begin(arka_encoder *base, arka_buf *out, arka_error *err)
{
    arka_buf_literal(out, "{\"success\":true,\"columns\":[");
    for (int i = 0; i < base->n_columns; i++) {
        if (i > 0)
            arka_buf_byte(out, ',');
        arka_sql_append_json_string(out, base->columns[i].name);
    }
    arka_buf_literal(out, "],\"data\":[");
    return ARKA_OK;
}

/* The types of measurements, written where they are looked at; the rest goes through encode_text.h.
 */
static inline void append_cell(arka_buf *out, const arka_sql_vec *v, idx_t row,
                               arka_sql_clock *clock)
{
    char *to;
    switch ((int)v->type->kind) {
    case ARKA_SQL_F64: {
        double value = ((const double *)v->data)[row];
        if (ARKA_UNLIKELY(!isfinite(value)))
            break;
        if ((to = arka_buf_reserve(out, ARKA_NUMBER_TEXT)) != NULL)
            out->len += arka_format_f64(to, value);
        return;
    }
    case ARKA_SQL_I64:
        if ((to = arka_buf_reserve(out, ARKA_NUMBER_TEXT)) != NULL)
            out->len += arka_format_i64(to, ((const int64_t *)v->data)[row]);
        return;
    case ARKA_SQL_TEXT:
        arka_sql_append_json_string(out, arka_sql_bytes(v, row));
        return;
    case ARKA_SQL_TIMESTAMP:
        if ((to = arka_buf_reserve(out, ARKA_SQL_TEXT_MAX)) == NULL)
            return;
        *to = '"';
        size_t n = arka_sql_format_timestamp(to + 1, ((const int64_t *)v->data)[row],
                                             v->type->unit_ns, clock);
        to[n + 1] = '"';
        out->len += n + 2;
        return;
    default:
        break;
    }
    arka_sql_append_json(out, v, row);
}

static arka_status json_rows(arka_encoder *base, idx_t n, arka_buf *out, arka_error *err)
{
    json_encoder *e = (json_encoder *)base;
    size_t start = out->len;
    for (idx_t row = 0; row < n; row++) {
        if (row > 0 || base->n_rows > 0)
            arka_buf_byte(out, ',');
        arka_buf_byte(out, '[');
        for (int i = 0; i < base->n_columns; i++) {
            const arka_sql_vec *v = &base->vecs[i];
            if (i > 0)
                arka_buf_byte(out, ',');
            if (ARKA_UNLIKELY(arka_sql_is_null(v, row)))
                arka_buf_literal(out, "null");
            else
                append_cell(out, v, row, &e->clocks[i]);
        }
        arka_buf_byte(out, ']');
    }
    if (base->n_rows + (int64_t)n > REPEATED_ROWS || out->failed ||
        e->first.len + (out->len - start) > REPEATED_BYTES)
        e->many = true;
    if (!e->many)
        arka_buf_append(&e->first, out->data + start, out->len - start);
    out->failed |= e->first.failed;
    return ARKA_OK;
}

static arka_status json_end(arka_encoder *base, const arka_result_end *end, arka_buf *out,
                            arka_error *err)
{
    json_encoder *e = (json_encoder *)base;
    char time[ARKA_TIME_TEXT];
    arka_buf_literal(out, "],\"row_count\":");
    arka_json_i64(out, end->n_rows);
    arka_buf_literal(out, ",\"execution_time_ms\":");
    arka_json_f64(out, arka_encode__ms(end));
    arka_buf_literal(out, ",\"timestamp\":\"");
    arka_buf_append(out, time, arka_format_time(time, end->now_us));
    arka_buf_literal(out, "\",\"error\":null");
    if (!e->many) {
        arka_buf_literal(out, ",\"rows\":[");
        arka_buf_append(out, e->first.data, e->first.len);
        arka_buf_byte(out, ']');
    }
    arka_buf_byte(out, '}');
    return ARKA_OK;
}

const arka_encoder_ops arka_encode__json = {
    "JSON", sizeof(json_encoder), json_init, json_fini, json_begin, json_rows, json_end,
};
