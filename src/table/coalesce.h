/**
 * Coalescing: small hot batches of one layout become one batch. A row that was written alone takes
 * some 400 bytes, most of them the description of its columns; together with others it takes its
 * values. Pure: slices in, a slice out; it is hot.h that puts it in their place. Private to table/.
 */
#ifndef ARKA_TABLE_COALESCE_H
#define ARKA_TABLE_COALESCE_H

#include "table/slices.h"

/** Is so much of it description that copying its rows pays? */
bool arka_batch_is_small(const arka_batch *batch);

/**
 * The rows of the slices (nobody appends to them any more) in fewer batches; large batches are kept
 * as they are, small ones of one layout are put together until they are not small. Rows keep their
 * order within a layout. NULL: there is nothing to gain, or no memory for it.
 */
arka_hot_slice *arka_slices_coalesce(arka_hot_slice *const *slices, size_t n_slices);

#endif
