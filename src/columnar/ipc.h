/**
 * Arrow's IPC stream format (Arrow columnar format 1.3, "Serialization and Interprocess
 * Communication"; metadata version V5), writer and reader, over memory.
 *
 *     stream    schema message, then dictionary and record batches, then the end mark
 *     message   FF FF FF FF | int32 bytes of metadata | metadata (a flatbuffer, padded) | body
 *     end mark  FF FF FF FF 00 00 00 00
 *
 * Each message is a multiple of 8 bytes. What we write and read: docs/formats/arrow.md.
 */
#ifndef ARKA_COLUMNAR_IPC_H
#define ARKA_COLUMNAR_IPC_H

#include "base/buf.h"
#include "columnar/arrow.h"

/* --- writing ------------------------------------------------------------------------------------
 *
 * Everything appends to `out` and never fails by itself: ask out->failed once at the end (out of
 * memory, or metadata of 2 GiB). Functions that take message metadata return where in out->data the
 * value of its last pair stands (0 without pairs): a checksum over the rest is put there later.
 * Thread-safe for different `out`.
 */

/** How the buffers of a body are compressed (BodyCompression, method BUFFER). */
typedef enum arka_ipc_codec {
    ARKA_IPC_PLAIN,
    ARKA_IPC_LZ4_FRAME,
    ARKA_IPC_ZSTD,
} arka_ipc_codec;

typedef struct arka_ipc_options {
    arka_ipc_codec codec;
    arka_arrow_pairs metadata; /* custom_metadata of the message */
} arka_ipc_options;

/** One array: depth first over the fields, parents before children. Laid out as Arrow stores it. */
typedef struct arka_ipc_node {
    int64_t length, null_count;
} arka_ipc_node;

/** Where in a body a buffer lies. Laid out as Arrow stores it. */
typedef struct arka_ipc_range {
    int64_t offset, length;
} arka_ipc_range;

typedef struct arka_ipc_buffer {
    const void *data; /* NULL if length is 0 */
    int64_t length;
} arka_ipc_buffer;

/** The rows of one batch. Buffers: arka_arrow_n_buffers of each node in turn, in Arrow's order. */
typedef struct arka_ipc_columns {
    int64_t n_rows;
    const arka_ipc_node *nodes;
    size_t n_nodes;
    const arka_ipc_buffer *buffers;
    size_t n_buffers;
} arka_ipc_columns;

/** A body that exists already. */
typedef struct arka_ipc_layout {
    int64_t n_rows;
    const arka_ipc_node *nodes;
    size_t n_nodes;
    const arka_ipc_range *buffers; /* offsets are multiples of 8 */
    size_t n_buffers;
    int64_t body_bytes; /* a multiple of 8 */
} arka_ipc_layout;

/** Schema message. `metadata` is the schema's own (readers show it), `of_message` the message's. */
size_t arka_ipc_write_schema(const arka_arrow_field *fields, int n_fields,
                             arka_arrow_pairs metadata, arka_arrow_pairs of_message, arka_buf *out);
/** Record batch message; `options` may be NULL. Compresses each buffer if its codec says so. */
size_t arka_ipc_write_batch(const arka_ipc_columns *columns, const arka_ipc_options *options,
                            arka_buf *out);
/** Values of dictionary `id`: one column. `delta`: they are added to those sent before. */
size_t arka_ipc_write_dictionary(int64_t id, bool delta, const arka_ipc_columns *values,
                                 const arka_ipc_options *options, arka_buf *out);
void arka_ipc_write_eos(arka_buf *out);

/**
 * Everything of a record batch message but its body, which the caller writes right behind it.
 * options->codec says how that body is compressed already.
 */
size_t arka_ipc_batch_header(const arka_ipc_layout *layout, const arka_ipc_options *options,
                             arka_buf *out);
/** The same for batch->body (not compressed). */
size_t arka_ipc_arka_batch_header(const arka_batch *batch, arka_arrow_pairs of_message,
                                  arka_buf *out);
/** A batch of ours as a record batch message; without a codec its body is copied as it is. */
size_t arka_ipc_write_arka_batch(const arka_batch *batch, const arka_ipc_options *options,
                                 arka_buf *out);
/** The schema message of such batches. */
size_t arka_ipc_write_arka_schema(const arka_batch *batch, arka_arrow_pairs metadata,
                                  arka_arrow_pairs of_message, arka_buf *out);

/* --- reading ------------------------------------------------------------------------------------
 *
 * Nothing in the bytes is trusted. ARKA_INPUT names the message's offset and what is wrong with it,
 * ARKA_LIMIT the limit. The bytes are borrowed; they need no alignment. Not thread-safe per reader.
 */

/** Zero means the default. */
typedef struct arka_ipc_limits {
    int64_t metadata_bytes; /* of one message; 64 MiB */
    int64_t decoded_bytes;  /* of one batch, inflated or as columns; of all dictionaries; 1 GiB */
    int columns;            /* of a schema, nested ones included; 4,096 */
    bool require_eos;       /* a stream that just stops between two messages is an error */
} arka_ipc_limits;

typedef enum arka_ipc_kind {
    ARKA_IPC_EOS, /* the end mark, or the end of the bytes (then frame_bytes is 0) */
    ARKA_IPC_SCHEMA,
    ARKA_IPC_DICTIONARY,
    ARKA_IPC_BATCH,
} arka_ipc_kind;

/** One message; everything points into the stream. */
typedef struct arka_ipc_message {
    arka_ipc_kind kind;
    size_t at;           /* its offset in the stream */
    size_t frame_bytes;  /* the whole of it; the next one begins at at + frame_bytes */
    arka_slice metadata; /* the flatbuffer with its padding */
    arka_slice body;
    size_t header; /* place of the header's table in `metadata` */
    size_t pairs;  /* place of the custom metadata's first reference, and how many */
    uint32_t n_pairs;
} arka_ipc_message;

/** The message at offset `at` of `stream`. `limits` may be NULL. */
ARKA_MUST_USE arka_status arka_ipc_message_read(arka_slice stream, size_t at,
                                                const arka_ipc_limits *limits,
                                                arka_ipc_message *out, arka_error *err);
/**
 * The same of a message whose body is not there (a file that is read piece by piece): `bytes` needs
 * to hold its prefix and metadata. out->body stays empty and out->frame_bytes ends with the
 * metadata; *body_bytes: what follows.
 */
ARKA_MUST_USE arka_status arka_ipc_message_read_head(arka_slice bytes,
                                                     const arka_ipc_limits *limits,
                                                     arka_ipc_message *out, int64_t *body_bytes,
                                                     arka_error *err);
/** The rows that a record batch message says it has. */
int64_t arka_ipc_message_rows(const arka_ipc_message *message);
/** Pair i of its custom metadata, i < n_pairs. */
arka_arrow_pair arka_ipc_message_pair(const arka_ipc_message *message, uint32_t i);
/** The value of a key, or {NULL, 0}. */
arka_slice arka_ipc_message_find(const arka_ipc_message *message, arka_slice key);

/** Walks one stream: its schema, then its rows as batches of ours. */
typedef struct arka_ipc_reader arka_ipc_reader;

/** Reads the schema message at offset `at`. */
ARKA_MUST_USE arka_status arka_ipc_reader_new(arka_slice stream, size_t at,
                                              const arka_ipc_limits *limits, arka_ipc_reader **out,
                                              arka_error *err);
/** NULL is fine. */
void arka_ipc_reader_free(arka_ipc_reader *reader);
ARKA_CLEANUP(arka_ipc_reader, arka_ipc_reader_free)

/** The schema; lives as long as the reader and the stream. */
const arka_arrow_field *arka_ipc_reader_fields(const arka_ipc_reader *reader, int *n_fields);
arka_arrow_pairs arka_ipc_reader_metadata(const arka_ipc_reader *reader);
/**
 * The next record batch, converted as docs/formats/arrow.md says; NULL at the end of the stream.
 * Batches without rows are passed over, columns of type Null left out. Without a column "time" one
 * is added with now_us in each row. A column that no type of ours can hold: ARKA_INPUT naming it.
 */
ARKA_MUST_USE arka_status arka_ipc_reader_next(arka_ipc_reader *reader, int64_t now_us,
                                               arka_batch **out, arka_error *err);
/**
 * The rows of a record batch message that was read elsewhere and belongs to this stream; NULL when
 * it has none.
 */
ARKA_MUST_USE arka_status arka_ipc_reader_decode(arka_ipc_reader *reader,
                                                 const arka_ipc_message *message, int64_t now_us,
                                                 arka_batch **out, arka_error *err);
/** The message that `next` (or `new`) took last. */
const arka_ipc_message *arka_ipc_reader_message(const arka_ipc_reader *reader);
/** Where the next message begins; after the end, where another stream may follow. */
size_t arka_ipc_reader_offset(const arka_ipc_reader *reader);

#endif
