/*
 * An Arrow IPC stream (docs/formats/arrow.md, "Query results"): the schema, record batches of
 * about half a megabyte, at least one of them, and the end mark.
 */
#include "sql/encode_arrow_column.h"
#include "sql/encode_priv.h"

enum { BATCH_BYTES = 512 * 1024 }; /* a batch is sent when it has as many */

typedef struct arrow_encoder {
    arka_encoder base;
    arka_arrow_column *columns;
    arka_arrow_words **words; /* by column; NULL: plain */
    arka_arrow_field *fields;
    int64_t n_pending;         /* rows in the columns */
    bool sent;                 /* a batch */
    size_t n_nodes, n_buffers; /* room below */
    arka_ipc_node *nodes;
    arka_ipc_buffer *buffers;
    arka_ipc_options options;
} arrow_encoder;

static size_t count_columns(const arka_sql_type *type)
{
    size_t n = 1;
    for (int i = 0; i < type->n_children; i++)
        n += count_columns(&type->children[i]);
    return n;
}

static bool init_column(arrow_encoder *e, int i, bool dictionary)
{
    const arka_sql_type *type = &e->base.columns[i];
    arka_arena *arena = &e->base.arena;
    arka_arrow_field *field = &e->fields[i];
    if (arka_arrow_column_field(type, arena, field) == NULL)
        return false;
    if (dictionary && (type->kind == ARKA_SQL_TEXT || type->kind == ARKA_SQL_ENUM)) {
        arka_arrow_dictionary *d = arka_arena_zalloc(arena, sizeof *d);
        e->words[i] = arka_arrow_words_new();
        if (d == NULL || e->words[i] == NULL)
            return false;
        *d = (arka_arrow_dictionary){.id = i, .index = ARKA_ARROW_INT32};
        field->dictionary = d;
    }
    return arka_arrow_column_init(&e->columns[i], type, e->words[i], arena);
}

static arka_status arrow_init(arka_encoder *base, const arka_encode_options *options,
                              arka_error *err)
{
    static const arka_ipc_codec codecs[] = {
        [ARKA_ARROW_PLAIN] = ARKA_IPC_PLAIN,
        [ARKA_ARROW_ZSTD] = ARKA_IPC_ZSTD,
        [ARKA_ARROW_LZ4] = ARKA_IPC_LZ4_FRAME,
    };
    arrow_encoder *e = (arrow_encoder *)base;
    size_t n = (size_t)base->n_columns, n_all = 0;
    for (size_t i = 0; i < n; i++)
        n_all += count_columns(&base->columns[i]);
    e->options.codec = codecs[options->arrow_compression];
    e->columns = arka_arena_zalloc(&base->arena, n * sizeof *e->columns);
    e->words = arka_arena_zalloc(&base->arena, n * sizeof(arka_arrow_words *));
    e->fields = arka_arena_zalloc(&base->arena, n * sizeof *e->fields);
    e->nodes =
        arka_arena_alloc(&base->arena, n_all * ARKA_ARROW_NODES_PER_COLUMN * sizeof *e->nodes);
    e->buffers =
        arka_arena_alloc(&base->arena, n_all * ARKA_ARROW_BUFFERS_PER_COLUMN * sizeof *e->buffers);
    bool ok = !base->arena.failed;
    for (int i = 0; ok && i < base->n_columns; i++)
        ok = init_column(e, i, options->arrow_dictionary);
    return ok ? ARKA_OK : arka_fail_nomem(err, "an Arrow encoder", base->arena.total_bytes);
}

static void arrow_fini(arka_encoder *base)
{
    arrow_encoder *e = (arrow_encoder *)base;
    for (int i = 0; i < base->n_columns; i++) {
        if (e->columns != NULL && e->columns[i].type != NULL)
            arka_arrow_column_fini(&e->columns[i]);
        if (e->words != NULL)
            arka_arrow_words_free(e->words[i]);
    }
}

static arka_status arrow_begin(arka_encoder *base, arka_buf *out, arka_error *err)
{
    arrow_encoder *e = (arrow_encoder *)base;
    const arka_arrow_pairs none = {NULL, 0};
    arka_ipc_write_schema(e->fields, base->n_columns, none, none, out);
    return ARKA_OK;
}

static void send_batch(arrow_encoder *e, arka_buf *out)
{
    arka_ipc_columns batch = {.n_rows = e->n_pending, .nodes = e->nodes, .buffers = e->buffers};
    for (int i = 0; i < e->base.n_columns; i++) {
        arka_arrow_column_layout(&e->columns[i], &batch, e->nodes, e->buffers);
        if (e->words[i] != NULL)
            arka_arrow_words_send(e->words[i], i, &e->options, out);
    }
    arka_ipc_write_batch(&batch, &e->options, out);
    for (int i = 0; i < e->base.n_columns; i++) {
        arka_arrow_column_truncate(&e->columns[i], 0);
        if (e->words[i] != NULL)
            arka_arrow_words_after_batch(e->words[i]);
    }
    e->n_pending = 0;
    e->sent = true;
}

/* Rows from … from + n - 1 of the chunk. ARKA_LIMIT: nothing was added. *column: which was full. */
static arka_status add_rows(arrow_encoder *e, idx_t from, idx_t n, int *column, arka_error *err)
{
    for (int i = 0; i < e->base.n_columns; i++) {
        arka_status status = arka_arrow_column_append(&e->columns[i], &e->base.vecs[i],
                                                      (arka_arrow_rows){NULL, from, n}, err);
        if (arka_arrow_column_failed(&e->columns[i]))
            return arka_fail_nomem(err, "a batch of a result",
                                   arka_arrow_column_bytes(&e->columns[i]));
        if (status == ARKA_OK)
            continue;
        for (int k = 0; k <= i && status == ARKA_LIMIT; k++)
            arka_arrow_column_truncate(&e->columns[k], e->n_pending);
        *column = i;
        return status;
    }
    e->n_pending += (int64_t)n;
    return ARKA_OK;
}

/* What does not fit into the batch at hand goes into the next one, or into several. */
static arka_status put_rows(arrow_encoder *e, idx_t from, idx_t n, arka_buf *out, arka_error *err)
{
    int column;
    arka_status status = add_rows(e, from, n, &column, err);
    if (status != ARKA_LIMIT)
        return status;
    if (e->n_pending > 0) {
        send_batch(e, out);
        return put_rows(e, from, n, out, err);
    }
    if (n == 1)
        return arka_fail(err, ARKA_LIMIT,
                         "row %lld of the result: column \"%.*s\" has more than the 2147483647 "
                         "bytes or items that Arrow's 32-bit offsets can address",
                         (long long)e->base.n_rows + (long long)from + 1,
                         ARKA_FMT(e->base.columns[column].name));
    ARKA_TRY(put_rows(e, from, n / 2, out, err));
    return put_rows(e, from + n / 2, n - n / 2, out, err);
}

static arka_status arrow_rows(arka_encoder *base, idx_t n, arka_buf *out, arka_error *err)
{
    arrow_encoder *e = (arrow_encoder *)base;
    ARKA_TRY(put_rows(e, 0, n, out, err));
    size_t bytes = 0;
    for (int i = 0; i < base->n_columns; i++)
        bytes += arka_arrow_column_bytes(&e->columns[i]);
    if (bytes >= BATCH_BYTES)
        send_batch(e, out);
    return ARKA_OK;
}

static arka_status arrow_end(arka_encoder *base, const arka_result_end *end, arka_buf *out,
                             arka_error *err)
{
    arrow_encoder *e = (arrow_encoder *)base;
    if (e->n_pending > 0 || !e->sent)
        send_batch(e, out);
    arka_ipc_write_eos(out);
    return ARKA_OK;
}

const arka_encoder_ops arka_encode__arrow = {
    "Arrow", sizeof(arrow_encoder), arrow_init, arrow_fini, arrow_begin, arrow_rows, arrow_end,
};
