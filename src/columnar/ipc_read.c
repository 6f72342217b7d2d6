#include <inttypes.h>

#include "base/vec.h"
#include "columnar/arrow_column.h"
#include "columnar/block.h"
#include "columnar/ipc_priv.h"

enum { MAX_COLUMNS = 4096 };
#define DECODED_BYTES (INT64_C(1) << 30)

/* The values received for one dictionary id. */
typedef struct dictionary {
    const arka_arrow_field *field; /* one that uses it: says the type of its values */
    ARKA_VEC(arka_slice) texts;
    arka_arena inflated; /* what `texts` point into when the batch was compressed */
    int64_t spent;       /* of the reader's dictionary_budget */
} dictionary;

struct arka_ipc_reader {
    arka_slice stream;
    arka_ipc_limits limits; /* defaults filled in */
    size_t offset;          /* of the next message */
    bool ended;
    arka_ipc_message message;
    arka_arena arena; /* the schema's */
    arka_ipc_schema schema;
    ARKA_VEC(dictionary) dictionaries;
    int64_t dictionary_budget;
    arka_ipc_inflater inflater;
    arka_buf inflated; /* the batch being read, decompressed; kept for the next one */
};

/* A record batch being taken apart: nodes and buffers are used up field by field. */
typedef struct cursor {
    arka_slice body;
    const uint8_t *nodes, *ranges;
    uint32_t n_nodes, n_ranges, node, range;
    int64_t n_rows;
    arka_ipc_codec codec;
    arka_ipc_inflater *inflater;
} cursor;

static arka_status broken(const arka_flatbuf *fb, arka_error *err)
{
    return arka_fail(err, ARKA_INPUT, "the metadata is damaged: what stands at byte %zu of it %s",
                     fb->bad_at, fb->bad);
}

/* --- record batches -----------------------------------------------------------------------------
 */

static arka_status read_compression(arka_flatbuf *fb, const arka_flatbuf_table *batch, cursor *c,
                                    arka_error *err)
{
    arka_flatbuf_table t = arka_flatbuf__child(fb, batch, BATCH_COMPRESSION);
    if (t.at == 0)
        return ARKA_OK;
    int64_t codec = arka_flatbuf__int(fb, &t, COMPRESSION_CODEC, 1, 0);
    int64_t method = arka_flatbuf__int(fb, &t, COMPRESSION_METHOD, 1, 0);
    if (fb->bad != NULL)
        return broken(fb, err);
    if (codec < 0 || codec > 1 || method != 0)
        return arka_fail(err, ARKA_INPUT,
                         "the body is compressed by codec %" PRId64 ", method %" PRId64
                         ", expected lz4 (0) or zstd (1), by buffer (0)",
                         codec, method);
    c->codec = codec == 1 ? ARKA_IPC_ZSTD : ARKA_IPC_LZ4_FRAME;
    return ARKA_OK;
}

static arka_status open_batch(arka_flatbuf *fb, const arka_flatbuf_table *batch, cursor *c,
                              arka_error *err)
{
    arka_flatbuf_vector nodes = arka_flatbuf__items(fb, batch, BATCH_NODES, sizeof(arka_ipc_node));
    arka_flatbuf_vector ranges =
        arka_flatbuf__items(fb, batch, BATCH_BUFFERS, sizeof(arka_ipc_range));
    c->n_rows = arka_flatbuf__int(fb, batch, BATCH_ROWS, 8, 0);
    ARKA_TRY(read_compression(fb, batch, c, err));
    if (fb->bad != NULL)
        return broken(fb, err);
    c->nodes = fb->data + nodes.at;
    c->n_nodes = nodes.n;
    c->ranges = fb->data + ranges.at;
    c->n_ranges = ranges.n;
    if (c->n_rows < 0)
        return arka_fail(err, ARKA_INPUT, "a batch of %" PRId64 " rows", c->n_rows);
    return ARKA_OK;
}

static arka_status buffer_at(const cursor *c, uint32_t i, arka_slice *out, arka_error *err)
{
    arka_ipc_range range;
    arka_slice body = c->body;
    memcpy(&range, c->ranges + sizeof range * i, sizeof range);
    if (range.offset < 0 || range.length < 0 || (uint64_t)range.offset > body.len ||
        (uint64_t)range.length > body.len - (uint64_t)range.offset)
        return arka_fail(err, ARKA_INPUT,
                         "a buffer of %" PRId64 " bytes at byte %" PRId64 " of a body of %zu",
                         range.length, range.offset, body.len);
    *out = (arka_slice){body.data + range.offset, (size_t)range.length};
    return ARKA_OK;
}

/* What all compressed buffers together become. */
static arka_status inflated_bytes(const cursor *c, int64_t limit, int64_t *out, arka_error *err)
{
    int64_t sum = 0;
    for (uint32_t i = 0; c->codec != ARKA_IPC_PLAIN && i < c->n_ranges; i++) {
        arka_slice buffer;
        int64_t n;
        ARKA_TRY(buffer_at(c, i, &buffer, err));
        ARKA_TRY(arka_ipc__inflated_bytes(buffer, &n, err));
        if (n > limit - sum)
            return arka_fail(err, ARKA_LIMIT,
                             "a compressed buffer holds %" PRId64 " bytes, %" PRId64
                             " are left of the limit on decoded bytes",
                             n, limit - sum);
        sum += n;
    }
    *out = sum;
    return ARKA_OK;
}

static arka_status next_buffer(cursor *c, arka_arrow_buffer *out, arka_error *err)
{
    arka_slice buffer;
    if (c->range == c->n_ranges)
        return arka_fail(err, ARKA_INPUT, "%" PRIu32 " buffers are fewer than the schema needs",
                         c->n_ranges);
    ARKA_TRY(buffer_at(c, c->range++, &buffer, err));
    if (c->codec != ARKA_IPC_PLAIN)
        ARKA_TRY(arka_ipc__inflate(c->inflater, c->codec, buffer, &buffer, err));
    *out = (arka_arrow_buffer){(const uint8_t *)buffer.data, buffer.len};
    return ARKA_OK;
}

/* The array of a field without children. */
static arka_status next_array(cursor *c, const arka_arrow_field *field, arka_arrow_array *out,
                              arka_error *err)
{
    arka_ipc_node node;
    arka_arrow_array array = {.n_rows = c->n_rows};
    arka_arrow_buffer *buffers[3] = {&array.validity, &array.values, &array.bytes};
    if (c->node == c->n_nodes)
        return arka_fail(err, ARKA_INPUT, "%" PRIu32 " arrays are fewer than the schema has",
                         c->n_nodes);
    memcpy(&node, c->nodes + sizeof node * c->node++, sizeof node);
    if (node.length != c->n_rows)
        return arka_fail(err, ARKA_INPUT, "an array of %" PRId64 " rows in a batch of %" PRId64,
                         node.length, c->n_rows);
    for (int i = 0; i < arka_arrow_n_buffers(field); i++)
        ARKA_TRY(next_buffer(c, buffers[i], err));
    /* validity is left out when there are no nulls */
    if (node.null_count == 0 || array.validity.n == 0) {
        if (node.null_count != 0 && field->type != ARKA_ARROW_NULL)
            return arka_fail(err, ARKA_INPUT, "%" PRId64 " nulls without a validity buffer",
                             node.null_count);
        array.validity.data = NULL;
    }
    *out = array;
    return ARKA_OK;
}

/* --- dictionaries -------------------------------------------------------------------------------
 */

static dictionary *find_dictionary(arka_ipc_reader *r, int64_t id)
{
    for (size_t i = 0; i < r->dictionaries.n; i++)
        if (r->dictionaries.items[i].field->dictionary->id == id)
            return &r->dictionaries.items[i];
    return NULL;
}

/* One entry for each dictionary that a column names. */
static arka_status list_dictionaries(arka_ipc_reader *r, arka_error *err)
{
    for (int i = 0; i < r->schema.n_fields; i++) {
        const arka_arrow_field *field = &r->schema.fields[i];
        if (field->dictionary == NULL || find_dictionary(r, field->dictionary->id) != NULL)
            continue;
        if (!arka_vec_push(&r->dictionaries, (dictionary){.field = field}))
            return arka_fail_nomem(err, "a dictionary", sizeof(dictionary));
    }
    return ARKA_OK;
}

static void clear_dictionary(arka_ipc_reader *r, dictionary *d)
{
    r->dictionary_budget += d->spent;
    d->spent = 0;
    d->texts.n = 0;
    arka_arena_fini(&d->inflated);
}

static arka_status take_texts(arka_ipc_reader *r, dictionary *d, cursor *c, arka_error *err)
{
    arka_arrow_field values = *d->field; /* as the values are: plain */
    arka_arrow_array array;
    values.dictionary = NULL;
    if (arka_arrow_column_type(&values) != ARKA_VARCHAR)
        return arka_fail(err, ARKA_INPUT,
                         "column '%.*s': a dictionary of %s values, only texts are read",
                         ARKA_FMT(values.name), arka_arrow_type_name(values.type));
    ARKA_TRY(next_array(c, &values, &array, err));
    /* offsets for every row are in the body, so this many slices are in proportion to it */
    if (c->n_rows > r->dictionary_budget / (int64_t)sizeof(arka_slice))
        return arka_fail(err, ARKA_LIMIT,
                         "a dictionary of %" PRId64 " values passes the limit on decoded bytes",
                         c->n_rows);
    size_t n = (size_t)c->n_rows;
    if (!arka_vec_reserve(&d->texts, n))
        return arka_fail_nomem(err, "a dictionary", n * sizeof(arka_slice));
    ARKA_TRY(arka_arrow__texts(&values, &array, d->texts.items + d->texts.n, err));
    d->texts.n += n;
    r->dictionary_budget -= (int64_t)(n * sizeof(arka_slice));
    return ARKA_OK;
}

static arka_status take_dictionary(arka_ipc_reader *r, const arka_ipc_message *m, arka_error *err)
{
    arka_flatbuf fb = arka_flatbuf__open(m->metadata.data, m->metadata.len);
    arka_flatbuf_table t = arka_flatbuf__table_at(&fb, m->header);
    int64_t id = arka_flatbuf__int(&fb, &t, DICTIONARY_ID, 8, 0);
    bool delta = arka_flatbuf__int(&fb, &t, DICTIONARY_DELTA, 1, 0) != 0;
    arka_flatbuf_table batch = arka_flatbuf__child(&fb, &t, DICTIONARY_DATA);
    cursor c = {.body = m->body, .inflater = &r->inflater};
    int64_t inflated;
    ARKA_TRY(open_batch(&fb, &batch, &c, err));
    dictionary *d = find_dictionary(r, id);
    if (d == NULL)
        return arka_fail(err, ARKA_INPUT, "no column uses dictionary %" PRId64, id);
    if (!delta)
        clear_dictionary(r, d);
    int64_t before = r->dictionary_budget;
    ARKA_TRY(inflated_bytes(&c, r->dictionary_budget, &inflated, err));
    r->inflater.room = arka_arena_alloc(&d->inflated, (size_t)inflated);
    if (r->inflater.room == NULL)
        return arka_fail_nomem(err, "a dictionary", inflated);
    r->dictionary_budget -= inflated;
    arka_status status = take_texts(r, d, &c, err);
    d->spent += before - r->dictionary_budget;
    return status;
}

/* --- the reader ---------------------------------------------------------------------------------
 */

static arka_status take_schema(arka_ipc_reader *r, arka_error *err)
{
    const arka_ipc_message *m = &r->message;
    if (m->kind != ARKA_IPC_SCHEMA)
        return arka_fail(err, ARKA_INPUT, "the Arrow stream at byte %zu begins without a schema",
                         m->at);
    arka_flatbuf fb = arka_flatbuf__open(m->metadata.data, m->metadata.len);
    arka_flatbuf_table t = arka_flatbuf__table_at(&fb, m->header);
    ARKA_TRY(arka_ipc__schema_decode(&fb, &t, r->limits.columns, &r->arena, &r->schema, err));
    return list_dictionaries(r, err);
}

arka_status arka_ipc_reader_new(arka_slice stream, size_t at, const arka_ipc_limits *limits,
                                arka_ipc_reader **out, arka_error *err)
{
    ARKA_AUTO(arka_ipc_reader) r = arka_calloc(1, sizeof *r);
    if (r == NULL)
        return arka_fail_nomem(err, "an Arrow reader", sizeof *r);
    if (limits != NULL)
        r->limits = *limits;
    if (r->limits.decoded_bytes <= 0)
        r->limits.decoded_bytes = DECODED_BYTES;
    if (r->limits.columns <= 0)
        r->limits.columns = MAX_COLUMNS;
    r->stream = stream;
    r->dictionary_budget = r->limits.decoded_bytes;
    ARKA_TRY(arka_ipc_message_read(stream, at, &r->limits, &r->message, err));
    ARKA_TRY(take_schema(r, err));
    r->offset = at + r->message.frame_bytes;
    *out = arka_take(r);
    return ARKA_OK;
}

void arka_ipc_reader_free(arka_ipc_reader *reader)
{
    if (reader == NULL)
        return;
    for (size_t i = 0; i < reader->dictionaries.n; i++) {
        arka_vec_fini(&reader->dictionaries.items[i].texts);
        arka_arena_fini(&reader->dictionaries.items[i].inflated);
    }
    arka_vec_fini(&reader->dictionaries);
    arka_ipc_inflater_fini(&reader->inflater);
    arka_buf_fini(&reader->inflated);
    arka_arena_fini(&reader->arena);
    arka_free(reader);
}

const arka_arrow_field *arka_ipc_reader_fields(const arka_ipc_reader *reader, int *n_fields)
{
    *n_fields = reader->schema.n_fields;
    return reader->schema.fields;
}

arka_arrow_pairs arka_ipc_reader_metadata(const arka_ipc_reader *reader)
{
    return reader->schema.metadata;
}

const arka_ipc_message *arka_ipc_reader_message(const arka_ipc_reader *reader)
{
    return &reader->message;
}

size_t arka_ipc_reader_offset(const arka_ipc_reader *reader)
{
    return reader->offset;
}

static arka_status fill_block(arka_ipc_reader *r, cursor *c, arka_block *block, int64_t budget,
                              arka_error *err)
{
    for (int i = 0; i < r->schema.n_fields; i++) {
        const arka_arrow_field *field = &r->schema.fields[i];
        arka_arrow_array array = {0};
        arka_arrow_texts texts = {NULL, 0};
        arka_status status = next_array(c, field, &array, err);
        if (status != ARKA_OK) {
            arka_error_prefix(err, "column '%.*s': ", ARKA_FMT(field->name));
            return status;
        }
        if (field->type == ARKA_ARROW_NULL && field->dictionary == NULL)
            continue;
        if (field->dictionary != NULL) {
            const dictionary *d = find_dictionary(r, field->dictionary->id);
            texts = (arka_arrow_texts){d->texts.items, (int64_t)d->texts.n};
        }
        ARKA_TRY(arka_arrow__column(block, field, &array, &texts, &budget, err));
    }
    return ARKA_OK;
}

/* *out stays NULL when the batch has no rows. */
static arka_status take_batch(arka_ipc_reader *r, const arka_ipc_message *m, int64_t now_us,
                              arka_batch **out, arka_error *err)
{
    ARKA_AUTO(arka_block) block = NULL;
    int64_t budget = r->limits.decoded_bytes, inflated;
    arka_flatbuf fb = arka_flatbuf__open(m->metadata.data, m->metadata.len);
    arka_flatbuf_table t = arka_flatbuf__table_at(&fb, m->header);
    cursor c = {.body = m->body, .inflater = &r->inflater};
    ARKA_TRY(open_batch(&fb, &t, &c, err));
    if (c.n_rows == 0)
        return ARKA_OK;
    /* a time column may have to be added, which no buffer in the body pays for */
    if (c.n_rows > budget / 8)
        return arka_fail(err, ARKA_LIMIT,
                         "%" PRId64 " rows pass the limit of %" PRId64 " decoded bytes", c.n_rows,
                         budget);
    ARKA_TRY(inflated_bytes(&c, budget, &inflated, err));
    arka_buf_clear(&r->inflated);
    r->inflater.room = arka_buf_reserve(&r->inflated, (size_t)inflated);
    if (r->inflater.room == NULL)
        return arka_fail_nomem(err, "a decompressed batch", inflated);
    size_t hint = m->body.len + m->body.len / 8 + (size_t)inflated;
    ARKA_TRY(arka_block_new(c.n_rows, hint, &block, err));
    ARKA_TRY(fill_block(r, &c, block, budget, err));
    return arka_block_seal(arka_take(block), now_us, out, err);
}

arka_status arka_ipc_reader_next(arka_ipc_reader *r, int64_t now_us, arka_batch **out,
                                 arka_error *err)
{
    arka_batch *batch = NULL;
    while (batch == NULL && !r->ended) {
        arka_ipc_message m;
        arka_status status = ARKA_OK;
        ARKA_TRY(arka_ipc_message_read(r->stream, r->offset, &r->limits, &m, err));
        r->message = m;
        switch (m.kind) {
        case ARKA_IPC_EOS:
            if (m.frame_bytes == 0 && r->limits.require_eos)
                return arka_fail(err, ARKA_INPUT,
                                 "the Arrow stream stops at byte %zu without its end mark", m.at);
            r->ended = true;
            break;
        case ARKA_IPC_SCHEMA:
            status = arka_fail(err, ARKA_INPUT, "a second schema before the end mark");
            break;
        case ARKA_IPC_DICTIONARY:
            status = take_dictionary(r, &r->message, err);
            break;
        case ARKA_IPC_BATCH:
            status = take_batch(r, &r->message, now_us, &batch, err);
            break;
        }
        if (status != ARKA_OK) {
            arka_error_prefix(err, "Arrow message at byte %zu: ", m.at);
            return status;
        }
        r->offset += m.frame_bytes;
    }
    *out = batch;
    return ARKA_OK;
}

arka_status arka_ipc_reader_decode(arka_ipc_reader *reader, const arka_ipc_message *message,
                                   int64_t now_us, arka_batch **out, arka_error *err)
{
    *out = NULL;
    return take_batch(reader, message, now_us, out, err);
}
