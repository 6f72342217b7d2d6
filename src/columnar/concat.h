/** Several batches as one. */
#ifndef ARKA_COLUMNAR_CONCAT_H
#define ARKA_COLUMNAR_CONCAT_H

#include "columnar/batch.h"

/**
 * The rows of all batches, in order, as a new batch that shares nothing with them.
 *
 * batches  n >= 1, of equal layout: the same columns (name, type, tag mark) in the same order.
 * Errors   ARKA_NOMEM; ARKA_LIMIT when a column's text would pass 2^31 - 1 bytes.
 * Pure; any thread.
 */
ARKA_MUST_USE arka_status arka_batch_concat(arka_batch *const *batches, size_t n, arka_batch **out,
                                            arka_error *err);

#endif
