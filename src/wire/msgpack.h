/**
 * The typed MessagePack decoder: a write body straight into column buffers.
 * Shapes, units and types: docs/formats/msgpack.md. Pure; any thread.
 */
#ifndef ARKA_WIRE_MSGPACK_H
#define ARKA_WIRE_MSGPACK_H

#include "wire/writes.h"

typedef struct arka_msgpack_options {
    int64_t now_us;   /* time of rows that carry none */
    bool atomic;      /* a bad member fails the whole body (x-arc-atomic) */
    int max_depth;    /* nesting of a cell's value; 0 = 32 */
    int64_t max_rows; /* rows in one body; 0 = 100 million */
} arka_msgpack_options;

/**
 * Decode `body` (already inflated). Good members come out as writes, bad ones, each by itself, as
 * rejects. Fails, and leaves `out` empty, with ARKA_INPUT when the document is unreadable
 * (truncated, trailing garbage, wrong top-level type, nothing in it), when it is one single bad
 * map, when every member is bad, or when `atomic` and one is; ARKA_NOMEM; ARKA_LIMIT.
 */
ARKA_MUST_USE arka_status arka_msgpack_decode(const void *body, size_t len,
                                              const arka_msgpack_options *options, arka_writes *out,
                                              arka_error *err);

#endif
