/** The last rows of a batch. */
#ifndef ARKA_COLUMNAR_TAIL_H
#define ARKA_COLUMNAR_TAIL_H

#include "columnar/batch.h"

/**
 * The rows from `first` on (0 <= first < n_rows) as a new batch that shares nothing with the old.
 * ARKA_NOMEM. Pure; any thread.
 */
ARKA_MUST_USE arka_status arka_batch_tail(const arka_batch *batch, int64_t first, arka_batch **out,
                                          arka_error *err);

#endif
