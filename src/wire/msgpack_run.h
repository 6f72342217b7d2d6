/**
 * Runs: the fast way through an array's elements, as many as are of one kind. A run may end early
 * (another token, too few bytes left to read wide); arka_msgpack_next takes the next element then.
 */
#ifndef ARKA_WIRE_MSGPACK_RUN_H
#define ARKA_WIRE_MSGPACK_RUN_H

#include "columnar/block.h"
#include "wire/msgpack_read.h"

/** Integers of any width that fit int64_t. Returns how many, at most `max`; the reader stands
 * behind. */
int64_t arka_msgpack_run_i64(arka_msgpack_reader *r, int64_t *out, int64_t max);

/** 64 and 32-bit floats. */
int64_t arka_msgpack_run_f64(arka_msgpack_reader *r, double *out, int64_t max);

/**
 * Strings of up to 31 bytes into a VARCHAR column whose rows before `row` are written, up to row
 * `n`. *out_row: the row after the run. ARKA_INPUT when one is not UTF-8 (names the row);
 * ARKA_NOMEM, ARKA_LIMIT.
 */
ARKA_MUST_USE arka_status arka_msgpack_run_text(arka_msgpack_reader *r, arka_block *block,
                                                int column, int64_t row, int64_t n,
                                                int64_t *out_row, arka_error *err);

/** Why arka_block_text_reserve gave nothing. */
arka_status arka_msgpack_no_text(const arka_block *block, int column, size_t n, arka_error *err);

#endif
