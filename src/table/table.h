/**
 * A table: one measurement's schema, its hot batches and its files, under one lock. The face of
 * table/ for the engine. All functions: any thread unless noted.
 */
#ifndef ARKA_TABLE_TABLE_H
#define ARKA_TABLE_TABLE_H

#include "base/vec.h"
#include "meta/manifest.h"
#include "os/clock.h"
#include "table/snapshot.h"

typedef struct arka_table arka_table;

/** `schema`: takes a reference of its own. Names are copied. */
ARKA_MUST_USE arka_status arka_table_new(arka_slice database, arka_slice name, arka_schema *schema,
                                         arka_table **out, arka_error *err);
/**
 * Its id and the UUID of its incarnation in the manifest (text, copied), and how far its files go;
 * given before any other thread knows the table.
 */
void arka_table_set_id(arka_table *table, int64_t id, const char uuid[ARKA_UUID_TEXT + 1],
                       uint64_t flushed_lsn);
struct arka_kept;
/** Where memory is counted that only readers still hold; borrowed. Before others know the table. */
void arka_table_count_kept(arka_table *table, struct arka_kept *kept);
/** No other thread may know it. NULL is fine. */
void arka_table_free(arka_table *table);
ARKA_CLEANUP(arka_table, arka_table_free)

int64_t arka_table_id(const arka_table *table);
const char *arka_table_uuid(const arka_table *table);
const char *arka_table_database(const arka_table *table);
const char *arka_table_name(const arka_table *table);
/** One reference for the caller. */
arka_schema *arka_table_schema(arka_table *table);
/** The next version. Batches that were admitted for an older one stay valid. */
void arka_table_set_schema(arka_table *table, arka_schema *schema);

/**
 * Grows whenever rows or columns come, go or change as a query sees them, before that is
 * acknowledged. A flush, which only moves rows, and what puts batches together leave it as it is.
 */
uint64_t arka_table_changes(const arka_table *table);

/** A batch that fits the table, ready to become visible. */
typedef struct arka_admitted {
    arka_batch *batch;            /* one reference */
    struct arka_layout *layout;   /* one reference */
    struct arka_hot_slice *spare; /* room of its own, so that the append cannot fail */
} arka_admitted;
void arka_admitted_fini(arka_admitted *admitted);
/** The same again without room of its own: it keeps batch and layout alive. */
arka_admitted arka_admitted_hold(const arka_admitted *admitted);
/** Out of `admitted`, which is empty then. */
arka_admitted arka_admitted_take(arka_admitted *admitted);
/** Which column holds which field, n_fields of them; -1: none. As long as the admission. */
const int16_t *arka_admitted_columns(const arka_admitted *admitted, int *n_fields);
/** The version of the schema that it was admitted for. */
int32_t arka_admitted_version(const arka_admitted *admitted);
/** Is so much of the batch description that putting it together with others pays? */
bool arka_admitted_is_small(const arka_admitted *admitted);
/** Do the two have the same columns for the same fields, so that their rows may become one batch?
 */
bool arka_admitted_alike(const arka_admitted *a, const arka_admitted *b);

/**
 * The rows of n > 1 that are alike, in order, as one; theirs are let go. *grown: by how much more
 * memory it takes than they did (negative: less). ARKA_NOMEM, ARKA_LIMIT: they are as before.
 */
ARKA_MUST_USE arka_status arka_admitted_merge(arka_admitted *const *admitted, size_t n,
                                              arka_admitted *out, int64_t *grown, arka_error *err);

/**
 * Does the batch fit the schema as it is now? *out_fits false: no; see arka_schema_fit, and set
 * the new schema or cast first. References its own. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_table_admit(arka_table *table, arka_batch *batch, arka_admitted *out,
                                           bool *out_fits, arka_error *err);
/**
 * Make it visible, with LSNs from lsn_first on, above those of all rows before; takes what
 * `admitted` holds. Never fails. True: it would pay to call arka_table_coalesce.
 */
bool arka_table_append(arka_table *table, arka_admitted *take_admitted, uint64_t lsn_first);
/** Put small batches together; the hot bytes that this saved. One thread at a time does it. */
int64_t arka_table_coalesce(arka_table *table);

/**
 * The table as it is now, fixed; usable after arka_snapshot_flatten, which takes no lock.
 * ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_table_see(arka_table *table, arka_snapshot **out, arka_error *err);
/** Both. */
ARKA_MUST_USE arka_status arka_table_snapshot(arka_table *table, arka_snapshot **out,
                                              arka_error *err);

typedef struct arka_table_gauges {
    int64_t hot_rows, hot_bytes;
    uint64_t hot_lsn;     /* of the oldest hot row; 0: there is none */
    uint64_t flushed_lsn; /* every row up to it is in a file */
    arka_mono hot_since;  /* when the oldest hot row came; ns 0: there is none */
    arka_mono last_flush; /* when the last flush began, or failed; ns 0: never */
    bool flush_failed;    /* the last one */
    double parquet_ratio; /* bytes in a file ÷ hot bytes, as its flushes tell; at first a guess */
    int64_t n_files, file_bytes, file_rows;
} arka_table_gauges;
void arka_table_get_gauges(arka_table *table, arka_table_gauges *out);

/** A slice of hot batches (architecture.md) as it is at the moment. */
typedef struct arka_slice_info {
    int64_t n_batches, n_rows, n_bytes;
    uint64_t lsn_first, lsn_last; /* of its rows */
    arka_mono since;              /* when its first row came */
    bool open;                    /* rows still come */
    bool coalesced;               /* small batches were put together, or there are none */
    bool claimed;                 /* a flush is writing it to a file */
} arka_slice_info;
typedef ARKA_VEC(arka_slice_info) arka_slice_infos;
/** In place of what `out` has: every slice, the oldest first. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_table_list_slices(arka_table *table, arka_slice_infos *out,
                                                 arka_error *err);

/* ---- flush: one at a time a table (the engine sees to it) ---- */

/**
 * What to flush next: the oldest hot batches, slice by slice, as near to max_bytes as whole slices
 * come (at least one), as a snapshot without files; its `lsn` is that of the last row, and every
 * row of the table up to it is then in a file. NULL when there are none. They stay visible until
 * arka_table_end_flush; an error, or arka_table_fail_flush, leaves them to a later flush.
 */
ARKA_MUST_USE arka_status arka_table_begin_flush(arka_table *table, int64_t max_bytes,
                                                 arka_snapshot **out, arka_error *err);
/** The flush failed. Its batches are as before, or, with `keep`, its own until it ends after all.
 */
void arka_table_fail_flush(arka_table *table, bool keep);
/** What the table's files will be with n more, for arka_table_end_flush. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_table_plan_files(arka_table *table, arka_data_file *const *files,
                                                size_t n, arka_file_list **out, arka_error *err);
/**
 * In one step for every snapshot: the batches of the flush go, the files (a reference, taken) come.
 * *out_first: the table had no file before.
 */
void arka_table_end_flush(arka_table *table, arka_file_list *take_files, bool *out_first);
/** What was in a table. */
typedef struct arka_table_remains {
    int64_t hot_rows, hot_bytes;
    arka_file_list *files; /* one reference; NULL: none */
} arka_table_remains;
/**
 * The table is dropped: its rows and files go out of every snapshot from now on, and none of its
 * rows will be flushed. Rows of writes that were admitted before may come after it: so it can be
 * called again. Never fails.
 */
void arka_table_clear(arka_table *table, arka_table_remains *out);
/** The files that the manifest knows (a reference, taken); at start only, once. */
void arka_table_load_files(arka_table *table, arka_file_list *take_files);

#endif
