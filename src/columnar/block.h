/**
 * A block: a batch under construction whose row count is known in advance, one growable allocation.
 * For decoders of columnar input: each column is added and filled before the next one.
 *
 *     arka_block_new(n_rows, hint, &block, err)
 *     arka_block_add(block, name, ARKA_DOUBLE, false, &col, err)
 *     double *v = arka_block_values(block, col);     valid until the next call that may grow
 *     arka_block_seal(arka_take(block), now_us, &batch, err)
 *
 * Not thread-safe.
 */
#ifndef ARKA_COLUMNAR_BLOCK_H
#define ARKA_COLUMNAR_BLOCK_H

#include "columnar/batch.h"

typedef struct arka_block arka_block;

/** n_rows >= 1. `hint_bytes`: a guess of the body's size, to grow seldom. */
ARKA_MUST_USE arka_status arka_block_new(int64_t n_rows, size_t hint_bytes, arka_block **out,
                                         arka_error *err);
/** NULL is fine. */
void arka_block_free(arka_block *block);
ARKA_CLEANUP(arka_block, arka_block_free)

/**
 * Begin a column. Values start uninitialised for the fixed types, zero for BOOLEAN (bits); a
 * VARCHAR column starts with offsets[0] = 0 and no bytes. `name` is copied. A name that is there
 * already, empty, over 255 bytes, not UTF-8, or with NUL or newline: ARKA_INPUT, nothing changed.
 */
ARKA_MUST_USE arka_status arka_block_add(arka_block *block, arka_slice name, arka_type type,
                                         bool tag, int *out_column, arka_error *err);
/** Drop the column added last (to decode it again as another type). */
void arka_block_drop_last(arka_block *block);

int64_t arka_block_n_rows(const arka_block *block);
int arka_block_n_columns(const arka_block *block);
arka_type arka_block_type(const arka_block *block, int column);
/** Index by name, or -1. */
int arka_block_find(const arka_block *block, arka_slice name);

/** The fixed part: int64_t[n], double[n], bitmap or int32_t[n + 1]; valid until the block grows. */
void *arka_block_values(arka_block *block, int column);
/**
 * Room for `n` more text bytes of the VARCHAR column added last: where to write them, or NULL
 * (out of memory, or the column would pass 2^31 - 1 bytes). The fixed part may move.
 */
char *arka_block_text_reserve(arka_block *block, int column, size_t n);
/** `n` of the reserved bytes were written; the caller keeps the offsets. */
void arka_block_text_advance(arka_block *block, int column, size_t n);
/** Bytes of text so far. */
size_t arka_block_text_len(const arka_block *block, int column);

/**
 * Mark a row null. The bitmap of the column comes into being with its first null, so this may grow
 * the block: ARKA_NOMEM. Write 0 (or repeat the offset) as the value yourself.
 */
ARKA_MUST_USE arka_status arka_block_set_null(arka_block *block, int column, int64_t row,
                                              arka_error *err);
/** BIGINT column → DOUBLE, in place (rows [0, n_done) hold integers). */
void arka_block_widen(arka_block *block, int column, int64_t n_done);
/** BIGINT → TIMESTAMPTZ and back: the same 8 bytes. */
void arka_block_retype(arka_block *block, int column, arka_type type);

/**
 * Ends the mutable life. Without a column "time" one is added with now_us in each row. Takes
 * `block` whatever happens. ARKA_INPUT when "time" is no TIMESTAMPTZ or holds a null (with
 * its row).
 */
ARKA_MUST_USE arka_status arka_block_seal(arka_block *take_block, int64_t now_us, arka_batch **out,
                                          arka_error *err);

#endif
