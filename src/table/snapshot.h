/**
 * What one query sees of one table: its files and its hot batches, taken at one instant under the
 * table's lock, so that a flush in between neither hides nor doubles a row. Immutable, counted;
 * any number of threads.
 */
#ifndef ARKA_TABLE_SNAPSHOT_H
#define ARKA_TABLE_SNAPSHOT_H

#include "table/files.h"
#include "table/schema.h"

struct arka_layout;
struct arka_slice_list;

/** A hot batch and how its columns map to fields. */
typedef struct arka_hot_batch {
    arka_batch *batch;
    struct arka_layout *layout;     /* keeps the next alive */
    const int16_t *column_of_field; /* n_fields entries; -1: no such column, null */
    int n_fields;                   /* fields at or behind this index: null */
} arka_hot_batch;

/**
 * A column of a hot batch may be BIGINT where the schema says DOUBLE (the field was widened since);
 * all other types agree.
 */
typedef struct arka_snapshot {
    arka_ref ref;
    arka_schema *schema;
    uint64_t incarnation; /* of its table: one that is dropped and made again has a higher one */
    int64_t n_files, n_hot_batches;
    int64_t n_hot_rows, n_hot_bytes;
    uint64_t lsn; /* of arka_table_begin_flush: its last row's. Else the engine's business */
    arka_data_file *const *files;
    const arka_hot_batch *hot;
    arka_file_list *file_list;      /* what keeps `files` alive; NULL: none */
    struct arka_slice_list *slices; /* what keeps `hot` alive; private to table/ */
} arka_snapshot;

static inline arka_snapshot *arka_snapshot_ref(arka_snapshot *snapshot)
{
    arka_ref_add(&snapshot->ref);
    return snapshot;
}
/** The flat array of what its slices hold, once, after arka_table_see. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_snapshot_flatten(arka_snapshot *snapshot, arka_error *err);
/** NULL is fine. */
void arka_snapshot_unref(arka_snapshot *snapshot);
ARKA_CLEANUP(arka_snapshot, arka_snapshot_unref)

#endif
