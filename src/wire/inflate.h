/** Decompression of request bodies, by their magic bytes, with limits. Pure; any thread. */
#ifndef ARKA_WIRE_INFLATE_H
#define ARKA_WIRE_INFLATE_H

#include "base/buf.h"

typedef struct arka_inflate_limits {
    size_t max_bytes; /* of the result */
    size_t max_ratio; /* result : input, judged once the result passes 1 MiB; 0 = none */
} arka_inflate_limits;

typedef enum arka_coding {
    ARKA_CODING_NONE,
    ARKA_CODING_GZIP,
    ARKA_CODING_ZSTD,
} arka_coding;

/** What the first bytes say: gzip 1f 8b, zstd 28 b5 2f fd. */
arka_coding arka_coding_detect(const void *body, size_t len);

/**
 * Inflate into `out` (appended). Several gzip members or zstd frames in a row are one body.
 * ARKA_INPUT: damaged or truncated. ARKA_LIMIT: too large or a bomb; memory used never passes
 * max_bytes and a window. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_inflate(const void *body, size_t len, arka_coding coding,
                                       const arka_inflate_limits *limits, arka_buf *out,
                                       arka_error *err);

#endif
