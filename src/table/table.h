/**
 * A table: one measurement's schema, its hot batches and its files, under one lock. The face of
 * table/ for the engine. All functions: any thread unless noted.
 */
#ifndef ARKA_TABLE_TABLE_H
#define ARKA_TABLE_TABLE_H

#include "os/clock.h"
#include "table/snapshot.h"

typedef struct arka_table arka_table;

/** `schema`: takes a reference of its own. Names are copied. */
ARKA_MUST_USE arka_status arka_table_new(arka_slice database, arka_slice name, arka_schema *schema,
                                         arka_table **out, arka_error *err);
/** Its id in the manifest, given before any other thread knows the table. */
void arka_table_set_id(arka_table *table, int64_t id);
/** No other thread may know it. NULL is fine. */
void arka_table_free(arka_table *table);
ARKA_CLEANUP(arka_table, arka_table_free)

int64_t arka_table_id(const arka_table *table);
const char *arka_table_database(const arka_table *table);
const char *arka_table_name(const arka_table *table);
/** One reference for the caller. */
arka_schema *arka_table_schema(arka_table *table);
/** The next version. Batches that were admitted for an older one stay valid. */
void arka_table_set_schema(arka_table *table, arka_schema *schema);

/** A batch that fits the table, ready to become visible. */
typedef struct arka_admitted {
    arka_batch *batch;            /* one reference */
    struct arka_layout *layout;   /* one reference */
    struct arka_hot_slice *spare; /* room of its own, or NULL */
} arka_admitted;
void arka_admitted_fini(arka_admitted *admitted);
/** So that arka_table_append of it cannot fail. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_admitted_reserve(arka_admitted *admitted, arka_error *err);

/**
 * Does the batch fit the schema as it is now? *out_fits false: no; see arka_schema_fit, and set
 * the new schema or cast first. References its own. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_table_admit(arka_table *table, arka_batch *batch, arka_admitted *out,
                                           bool *out_fits, arka_error *err);
/**
 * Make it visible; takes what `admitted` holds, also on failure (ARKA_NOMEM). Now and then this
 * puts small batches together, its own among them; *out_freed: hot bytes that this saved.
 */
ARKA_MUST_USE arka_status arka_table_append(arka_table *table, arka_admitted *take_admitted,
                                            int64_t *out_freed, arka_error *err);

ARKA_MUST_USE arka_status arka_table_snapshot(arka_table *table, arka_snapshot **out,
                                              arka_error *err);

typedef struct arka_table_gauges {
    int64_t hot_rows, hot_bytes;
    arka_mono hot_since;  /* when the oldest hot row came; ns 0: there is none */
    arka_mono last_flush; /* when the last flush began, or failed; ns 0: never */
    bool flush_failed;    /* the last one */
    int64_t n_files, file_bytes, file_rows;
} arka_table_gauges;
void arka_table_get_gauges(arka_table *table, arka_table_gauges *out);

/* ---- flush: one at a time a table (the engine sees to it) ---- */

/**
 * What to flush next: the oldest hot batches, slice by slice, until they have max_bytes or there
 * are no more, as a snapshot without files. NULL when there are none. They stay visible until
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
/** The files that the manifest knows (a reference, taken); at start only, once. */
void arka_table_load_files(arka_table *table, arka_file_list *take_files);

#endif
