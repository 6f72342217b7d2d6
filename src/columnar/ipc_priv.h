/** Shared by the IPC files only: schema metadata, body compression, and arrays into columns. */
#ifndef ARKA_COLUMNAR_IPC_PRIV_H
#define ARKA_COLUMNAR_IPC_PRIV_H

#include "columnar/flatbuf.h"
#include "columnar/ipc.h"

/* Union and enum numbers of Arrow's Message.fbs and Schema.fbs. */
enum {
    ARKA_FBS_V5 = 4,
    ARKA_FBS_SCHEMA = 1,
    ARKA_FBS_DICTIONARY_BATCH = 2,
    ARKA_FBS_RECORD_BATCH = 3,
};

/** Slots of the tables in Arrow's Message.fbs. */
enum { MESSAGE_VERSION, MESSAGE_KIND, MESSAGE_HEADER, MESSAGE_BODY_BYTES, MESSAGE_PAIRS };
enum { BATCH_ROWS, BATCH_NODES, BATCH_BUFFERS, BATCH_COMPRESSION };
enum { DICTIONARY_ID, DICTIONARY_DATA, DICTIONARY_DELTA };
enum { COMPRESSION_CODEC, COMPRESSION_METHOD };
enum { PAIR_KEY, PAIR_VALUE };

/** Write a vector of KeyValue; its place. *last: the place of the last value's first byte. */
size_t arka_ipc__pairs_encode(arka_flatbuf_writer *w, arka_arrow_pairs pairs, size_t *last);
/** Read one; the pairs go to `arena`. Failures are in fb->bad and arena->failed. */
arka_arrow_pairs arka_ipc__pairs_decode(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot,
                                        arka_arena *arena);

/** Write the Schema table; its place. */
size_t arka_ipc__schema_encode(arka_flatbuf_writer *w, const arka_arrow_field *fields, int n_fields,
                               arka_arrow_pairs metadata);

typedef struct arka_ipc_schema {
    const arka_arrow_field *fields;
    int n_fields;
    arka_arrow_pairs metadata;
} arka_ipc_schema;

/** Read one. ARKA_INPUT names the field; texts point into the flatbuffer, the rest is the arena's.
 */
ARKA_MUST_USE arka_status arka_ipc__schema_decode(arka_flatbuf *fb, const arka_flatbuf_table *t,
                                                  int max_columns, arka_arena *arena,
                                                  arka_ipc_schema *out, arka_error *err);

/**
 * Append `buffer` compressed (8 bytes of its length, then the frame; stored as it is when that is
 * no shorter). Contexts are made on first use. Out of memory: out->failed.
 */
typedef struct arka_ipc_deflater {
    arka_ipc_codec codec;
    void *context;
} arka_ipc_deflater;
void arka_ipc__deflate(arka_ipc_deflater *d, const arka_ipc_buffer *buffer, arka_buf *out);
void arka_ipc_deflater_fini(arka_ipc_deflater *d);

/**
 * How many bytes come out of a compressed buffer; 0 when it is empty or stored as it is.
 * ARKA_INPUT when that cannot be.
 */
ARKA_MUST_USE arka_status arka_ipc__inflated_bytes(arka_slice buffer, int64_t *out,
                                                   arka_error *err);

/** Opens compressed buffers. Contexts are made on first use and kept. */
typedef struct arka_ipc_inflater {
    char *room; /* where the next content goes: the caller made it large enough for all of them */
    void *zstd, *lz4;
} arka_ipc_inflater;
/** The content of a buffer: in the room, or in place when it is stored as it is. */
ARKA_MUST_USE arka_status arka_ipc__inflate(arka_ipc_inflater *in, arka_ipc_codec codec,
                                            arka_slice buffer, arka_slice *out, arka_error *err);
void arka_ipc_inflater_fini(arka_ipc_inflater *in);

#endif
