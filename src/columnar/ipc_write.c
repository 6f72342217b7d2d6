#include "columnar/ipc.h"

#include <assert.h>

#include "columnar/ipc_priv.h"

static_assert(sizeof(arka_ipc_node) == 16 && sizeof(arka_ipc_range) == 16,
              "both are copied into the metadata as the structs FieldNode and Buffer");

enum { PREFIX = 8 }; /* continuation mark and metadata size */

static const char mark[8] = {'\xff', '\xff', '\xff', '\xff', 0, 0, 0, 0};

/* A message whose metadata is being written; places are in its flatbuffer. */
typedef struct frame {
    arka_flatbuf_writer w;
    size_t start;          /* of the frame, in w.out */
    size_t body_bytes;     /* place of Message.bodyLength */
    size_t nodes, buffers; /* places of the first elements */
    size_t value;          /* place of the last pair's value */
} frame;

/* The Message table and its pairs; the header comes next and is pointed to from the place returned.
 */
static size_t begin(frame *f, int kind, arka_arrow_pairs pairs, arka_buf *out)
{
    arka_flatbuf_shape message = {0};
    *f = (frame){.start = out->len};
    arka_buf_append(out, mark, PREFIX);
    f->w = arka_flatbuf__begin(out);
    arka_flatbuf__slot(&message, MESSAGE_VERSION, 2, ARKA_FBS_V5);
    arka_flatbuf__slot(&message, MESSAGE_KIND, 1, kind);
    arka_flatbuf__ref(&message, MESSAGE_HEADER);
    arka_flatbuf__slot(&message, MESSAGE_BODY_BYTES, 8, 0);
    if (pairs.n > 0)
        arka_flatbuf__ref(&message, MESSAGE_PAIRS);
    arka_flatbuf__point(&f->w, 0, arka_flatbuf__table(&f->w, &message));
    f->body_bytes = message.at[MESSAGE_BODY_BYTES];
    if (pairs.n > 0)
        arka_flatbuf__point(&f->w, message.at[MESSAGE_PAIRS],
                            arka_ipc__pairs_encode(&f->w, pairs, &f->value));
    return message.at[MESSAGE_HEADER];
}

/* Pads the metadata and fills its size in; the body comes next. */
static size_t end(frame *f)
{
    arka_buf *out = f->w.out;
    size_t n = out->len - f->start;
    arka_buf_append(out, "\0\0\0\0\0\0\0", -n & 7);
    size_t metadata = out->len - f->start - PREFIX;
    if (metadata > INT32_MAX)
        out->failed = true;
    if (out->failed)
        return 0;
    int32_t size = (int32_t)metadata;
    memcpy(out->data + f->start + 4, &size, sizeof size);
    return f->value == 0 ? 0 : f->w.base + f->value;
}

size_t arka_ipc_write_schema(const arka_arrow_field *fields, int n_fields,
                             arka_arrow_pairs metadata, arka_arrow_pairs of_message, arka_buf *out)
{
    frame f;
    size_t header = begin(&f, ARKA_FBS_SCHEMA, of_message, out);
    arka_flatbuf__point(&f.w, header, arka_ipc__schema_encode(&f.w, fields, n_fields, metadata));
    return end(&f);
}

void arka_ipc_write_eos(arka_buf *out)
{
    arka_buf_append(out, mark, sizeof mark);
}

static size_t record_batch(frame *f, int64_t n_rows, size_t n_nodes, size_t n_buffers,
                           arka_ipc_codec codec)
{
    arka_flatbuf_writer *w = &f->w;
    arka_flatbuf_shape batch = {0};
    arka_flatbuf__slot(&batch, BATCH_ROWS, 8, n_rows);
    arka_flatbuf__ref(&batch, BATCH_NODES);
    arka_flatbuf__ref(&batch, BATCH_BUFFERS);
    if (codec != ARKA_IPC_PLAIN)
        arka_flatbuf__ref(&batch, BATCH_COMPRESSION);
    size_t at = arka_flatbuf__table(w, &batch);
    size_t nodes = arka_flatbuf__vector(w, n_nodes, sizeof(arka_ipc_node), 8);
    arka_flatbuf__point(w, batch.at[BATCH_NODES], nodes);
    size_t buffers = arka_flatbuf__vector(w, n_buffers, sizeof(arka_ipc_range), 8);
    arka_flatbuf__point(w, batch.at[BATCH_BUFFERS], buffers);
    if (codec != ARKA_IPC_PLAIN) {
        arka_flatbuf_shape compression = {0};
        arka_flatbuf__slot(&compression, COMPRESSION_CODEC, 1, codec == ARKA_IPC_ZSTD);
        arka_flatbuf__slot(&compression, COMPRESSION_METHOD, 1, 0);
        arka_flatbuf__point(w, batch.at[BATCH_COMPRESSION], arka_flatbuf__table(w, &compression));
    }
    f->nodes = nodes + 4;
    f->buffers = buffers + 4;
    return at;
}

static void begin_batch(frame *f, int64_t n_rows, size_t n_nodes, size_t n_buffers,
                        const arka_ipc_options *options, arka_buf *out)
{
    const arka_ipc_options none = {0};
    if (options == NULL)
        options = &none;
    size_t header = begin(f, ARKA_FBS_RECORD_BATCH, options->metadata, out);
    arka_flatbuf__point(&f->w, header, record_batch(f, n_rows, n_nodes, n_buffers, options->codec));
}

static void put_nodes(frame *f, const arka_ipc_node *nodes, size_t n)
{
    if (n > 0)
        arka_flatbuf__patch(&f->w, f->nodes, nodes, n * sizeof *nodes);
}

static void put_range(frame *f, size_t i, int64_t offset, int64_t length)
{
    arka_ipc_range range = {offset, length};
    arka_flatbuf__patch(&f->w, f->buffers + i * sizeof range, &range, sizeof range);
}

static void put_body_bytes(frame *f, int64_t n)
{
    arka_flatbuf__patch(&f->w, f->body_bytes, &n, sizeof n);
}

size_t arka_ipc_batch_header(const arka_ipc_layout *layout, const arka_ipc_options *options,
                             arka_buf *out)
{
    frame f;
    begin_batch(&f, layout->n_rows, layout->n_nodes, layout->n_buffers, options, out);
    put_nodes(&f, layout->nodes, layout->n_nodes);
    if (layout->n_buffers > 0)
        arka_flatbuf__patch(&f.w, f.buffers, layout->buffers,
                            layout->n_buffers * sizeof *layout->buffers);
    put_body_bytes(&f, layout->body_bytes);
    return end(&f);
}

/* A body being written behind its finished header, whose ranges are filled in buffer by buffer. */
typedef struct body {
    frame *f;
    arka_ipc_deflater deflater;
    size_t start, n_buffers;
} body;

static void put_buffer(body *b, const arka_ipc_buffer *buffer)
{
    arka_buf *out = b->f->w.out;
    size_t at = out->len;
    if (b->deflater.codec == ARKA_IPC_PLAIN)
        arka_buf_append(out, buffer->data, (size_t)buffer->length);
    else
        arka_ipc__deflate(&b->deflater, buffer, out);
    put_range(b->f, b->n_buffers++, (int64_t)(at - b->start), (int64_t)(out->len - at));
    arka_buf_append(out, "\0\0\0\0\0\0\0", -(out->len - b->start) & 7);
}

static void end_body(body *b)
{
    put_body_bytes(b->f, (int64_t)(b->f->w.out->len - b->start));
    arka_ipc_deflater_fini(&b->deflater);
}

static void write_body(frame *f, const arka_ipc_columns *columns, arka_ipc_codec codec)
{
    body b = {.f = f, .deflater = {.codec = codec}, .start = f->w.out->len};
    size_t whole = 0;
    for (size_t i = 0; i < columns->n_buffers; i++)
        whole += ((size_t)columns->buffers[i].length + 7) & ~(size_t)7;
    arka_buf_reserve(f->w.out, whole);
    for (size_t i = 0; i < columns->n_buffers; i++)
        put_buffer(&b, &columns->buffers[i]);
    end_body(&b);
}

static arka_ipc_codec codec_of(const arka_ipc_options *options)
{
    return options == NULL ? ARKA_IPC_PLAIN : options->codec;
}

size_t arka_ipc_write_batch(const arka_ipc_columns *columns, const arka_ipc_options *options,
                            arka_buf *out)
{
    frame f;
    begin_batch(&f, columns->n_rows, columns->n_nodes, columns->n_buffers, options, out);
    put_nodes(&f, columns->nodes, columns->n_nodes);
    size_t value = end(&f);
    write_body(&f, columns, codec_of(options));
    return value;
}

size_t arka_ipc_write_dictionary(int64_t id, bool delta, const arka_ipc_columns *values,
                                 const arka_ipc_options *options, arka_buf *out)
{
    frame f;
    arka_flatbuf_shape dictionary = {0};
    arka_arrow_pairs pairs = options == NULL ? (arka_arrow_pairs){NULL, 0} : options->metadata;
    size_t header = begin(&f, ARKA_FBS_DICTIONARY_BATCH, pairs, out);
    arka_flatbuf__slot(&dictionary, DICTIONARY_ID, 8, id);
    arka_flatbuf__ref(&dictionary, DICTIONARY_DATA);
    arka_flatbuf__slot(&dictionary, DICTIONARY_DELTA, 1, delta);
    arka_flatbuf__point(&f.w, header, arka_flatbuf__table(&f.w, &dictionary));
    arka_flatbuf__point(
        &f.w, dictionary.at[DICTIONARY_DATA],
        record_batch(&f, values->n_rows, values->n_nodes, values->n_buffers, codec_of(options)));
    put_nodes(&f, values->nodes, values->n_nodes);
    size_t value = end(&f);
    write_body(&f, values, codec_of(options));
    return value;
}

/* --- batches of ours ----------------------------------------------------------------------------
 */

/* The buffers of a column as they lie in the body, 2 or 3 of them. */
static size_t column_buffers(const arka_column *c, int64_t n_rows, arka_ipc_buffer out[3])
{
    int64_t bitmap = (n_rows + 7) / 8;
    out[0] = (arka_ipc_buffer){c->validity, c->validity == NULL ? 0 : bitmap};
    out[1] = (arka_ipc_buffer){c->values, c->type == ARKA_BOOLEAN ? bitmap : n_rows * 8};
    if (c->type != ARKA_VARCHAR)
        return 2;
    out[1].length = (n_rows + 1) * 4;
    out[2] = (arka_ipc_buffer){c->bytes, ((const int32_t *)c->values)[n_rows]};
    return 3;
}

static void begin_arka_batch(frame *f, const arka_batch *batch, const arka_ipc_options *options,
                             arka_buf *out)
{
    size_t n_columns = (size_t)batch->n_columns, n_buffers = 0;
    for (size_t i = 0; i < n_columns; i++)
        n_buffers += batch->columns[i].type == ARKA_VARCHAR ? 3 : 2;
    begin_batch(f, batch->n_rows, n_columns, n_buffers, options, out);
    for (size_t i = 0; i < n_columns; i++) {
        arka_ipc_node node = {batch->n_rows, batch->columns[i].n_nulls};
        arka_flatbuf__patch(&f->w, f->nodes + i * sizeof node, &node, sizeof node);
    }
}

size_t arka_ipc_arka_batch_header(const arka_batch *batch, arka_arrow_pairs of_message,
                                  arka_buf *out)
{
    frame f;
    arka_ipc_options options = {.metadata = of_message};
    begin_arka_batch(&f, batch, &options, out);
    for (size_t i = 0, at = 0; i < (size_t)batch->n_columns; i++) {
        arka_ipc_buffer buffers[3];
        size_t n = column_buffers(&batch->columns[i], batch->n_rows, buffers);
        for (size_t k = 0; k < n; k++, at++)
            put_range(&f, at,
                      buffers[k].length == 0 ? 0 : (const uint8_t *)buffers[k].data - batch->body,
                      buffers[k].length);
    }
    put_body_bytes(&f, (int64_t)batch->body_bytes);
    return end(&f);
}

size_t arka_ipc_write_arka_batch(const arka_batch *batch, const arka_ipc_options *options,
                                 arka_buf *out)
{
    if (codec_of(options) == ARKA_IPC_PLAIN) {
        arka_arrow_pairs pairs = options == NULL ? (arka_arrow_pairs){NULL, 0} : options->metadata;
        size_t value = arka_ipc_arka_batch_header(batch, pairs, out);
        arka_buf_append(out, batch->body, batch->body_bytes);
        return value;
    }
    frame f;
    begin_arka_batch(&f, batch, options, out);
    size_t value = end(&f);
    body b = {.f = &f, .deflater = {.codec = options->codec}, .start = out->len};
    for (int i = 0; i < batch->n_columns; i++) {
        arka_ipc_buffer buffers[3];
        size_t n = column_buffers(&batch->columns[i], batch->n_rows, buffers);
        for (size_t k = 0; k < n; k++)
            put_buffer(&b, &buffers[k]);
    }
    end_body(&b);
    return value;
}

size_t arka_ipc_write_arka_schema(const arka_batch *batch, arka_arrow_pairs metadata,
                                  arka_arrow_pairs of_message, arka_buf *out)
{
    ARKA_AUTO_VALUE(arka_arena) arena = ARKA_ARENA_INIT;
    arka_arrow_field *fields = arka_arrow_fields_of(batch, &arena);
    if (fields == NULL) {
        out->failed = true;
        return 0;
    }
    return arka_ipc_write_schema(fields, batch->n_columns, metadata, of_message, out);
}
