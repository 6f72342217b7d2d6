/** What both write formats share: the body as it was before compression, and storing it. */
#ifndef ARKA_SERVER_WRITE_H
#define ARKA_SERVER_WRITE_H

#include "server/request.h"
#include "wire/writes.h"

/**
 * The body inflated, by its magic bytes, else as it came; into `buf` when it was compressed.
 * ARKA_INPUT: damaged; ARKA_LIMIT: too large or a bomb.
 */
ARKA_MUST_USE arka_status arka_write_inflate(const arka_request *r, arka_buf *buf, arka_slice *out,
                                             arka_error *err);
/** Answers 415 and returns false when Content-Encoding names a coding that nobody here knows. */
bool arka_write_coding_known(arka_request *r);

typedef struct arka_stored {
    int64_t n_batches, n_rows; /* what can be queried now */
    arka_error first; /* of the batches that did not fit their tables; code OK when all did */
} arka_stored;

/**
 * Store the batches. One that does not fit its table becomes a reject of `writes`, or with `atomic`
 * fails the whole. ARKA_BUSY, ARKA_NOMEM and what the engine says of its disk: nothing, or not all,
 * was stored.
 */
ARKA_MUST_USE arka_status arka_write_store(arka_request *r, arka_slice database,
                                           arka_writes *writes, bool atomic, arka_stored *out,
                                           arka_error *err);

#endif
