#include "sql/encode_priv.h"

#include <math.h>

static const struct {
    const arka_encoder_ops *ops;
    const char *content_type;
} formats[] = {
    [ARKA_FORMAT_JSON] = {&arka_encode__json, "application/json"},
    [ARKA_FORMAT_ARROW] = {&arka_encode__arrow, "application/vnd.apache.arrow.stream"},
    [ARKA_FORMAT_MSGPACK] = {&arka_encode__msgpack, "application/msgpack"},
    [ARKA_FORMAT_CSV] = {&arka_encode__csv, "text/csv; charset=utf-8"},
};

const char *arka_format_content_type(arka_format format)
{
    return formats[format].content_type;
}

static arka_status read_shape(arka_encoder *e, const arka_result_shape *shape, arka_error *err)
{
    size_t n = (size_t)shape->n_columns;
    e->n_columns = shape->n_columns;
    e->columns = arka_arena_zalloc(&e->arena, n * sizeof *e->columns);
    e->vecs = arka_arena_zalloc(&e->arena, n * sizeof *e->vecs);
    if (e->arena.failed)
        return arka_fail_nomem(err, "a result's columns", n * sizeof *e->columns);
    for (size_t i = 0; i < n; i++) {
        ARKA_TRY(arka_sql_type_read(shape->types[i], shape->names[i], e->ops->name, &e->arena,
                                    &e->columns[i], err));
        if (!arka_sql_vec_init(&e->vecs[i], &e->columns[i], &e->arena))
            return arka_fail_nomem(err, "a result's columns", e->arena.total_bytes);
    }
    return ARKA_OK;
}

arka_status arka_encoder_new(arka_format format, const arka_encode_options *options,
                             const arka_result_shape *shape, arka_encoder **out, arka_error *err)
{
    const arka_encoder_ops *ops = formats[format].ops;
    ARKA_AUTO(arka_encoder) e = arka_calloc(1, ops->bytes);
    if (e == NULL)
        return arka_fail_nomem(err, "an encoder", ops->bytes);
    e->ops = ops;
    ARKA_TRY(read_shape(e, shape, err));
    ARKA_TRY(ops->init(e, options, err));
    *out = arka_take(e);
    return ARKA_OK;
}

void arka_encoder_free(arka_encoder *encoder)
{
    if (encoder == NULL)
        return;
    encoder->ops->fini(encoder);
    arka_arena_fini(&encoder->arena);
    arka_free(encoder);
}

static arka_status check(const arka_encoder *e, arka_status status, const arka_buf *out,
                         arka_error *err)
{
    if (status == ARKA_OK && out->failed)
        return arka_fail(err, ARKA_NOMEM, "out of memory for a result's %s after %zu bytes",
                         e->ops->name, out->len);
    return status;
}

arka_status arka_encoder_begin(arka_encoder *encoder, arka_buf *out, arka_error *err)
{
    return check(encoder, encoder->ops->begin(encoder, out, err), out, err);
}

arka_status arka_encoder_chunk(arka_encoder *encoder, duckdb_data_chunk chunk, arka_buf *out,
                               arka_error *err)
{
    idx_t n = duckdb_data_chunk_get_size(chunk);
    if (n == 0)
        return ARKA_OK;
    for (int i = 0; i < encoder->n_columns; i++)
        arka_sql_vec_open(&encoder->vecs[i], duckdb_data_chunk_get_vector(chunk, (idx_t)i));
    arka_status status = encoder->ops->rows(encoder, n, out, err);
    encoder->n_rows += (int64_t)n;
    return check(encoder, status, out, err);
}

arka_status arka_encoder_end(arka_encoder *encoder, const arka_result_end *end, arka_buf *out,
                             arka_error *err)
{
    return check(encoder, encoder->ops->end(encoder, end, out, err), out, err);
}

double arka_encode__ms(const arka_result_end *end)
{
    return isfinite(end->execution_ms) ? round(end->execution_ms * 1000) / 1000 : 0;
}
