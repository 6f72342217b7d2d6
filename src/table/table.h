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
ARKA_MUST_USE arka_status arka_table_new(int64_t id, arka_slice database, arka_slice name,
                                         arka_schema *schema, arka_table **out, arka_error *err);
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
    arka_batch *batch;          /* one reference */
    struct arka_layout *layout; /* one reference */
} arka_admitted;
void arka_admitted_fini(arka_admitted *admitted);

/**
 * Does the batch fit the schema as it is now? *out_fits false: no; see arka_schema_fit, and set
 * the new schema or cast first. References its own. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_table_admit(arka_table *table, arka_batch *batch, arka_admitted *out,
                                           bool *out_fits, arka_error *err);
/** Make it visible; takes what `admitted` holds, also on failure (ARKA_NOMEM). */
ARKA_MUST_USE arka_status arka_table_append(arka_table *table, arka_admitted *take_admitted,
                                            arka_error *err);

ARKA_MUST_USE arka_status arka_table_snapshot(arka_table *table, arka_snapshot **out,
                                              arka_error *err);

typedef struct arka_table_gauges {
    int64_t hot_rows, hot_bytes;
    arka_mono hot_since;  /* when the oldest hot row came; ns 0: there is none */
    arka_mono last_flush; /* when the last flush began; ns 0: never */
    int64_t n_files, file_bytes, file_rows;
} arka_table_gauges;
void arka_table_get_gauges(arka_table *table, arka_table_gauges *out);

/* ---- flush: one at a time a table (the engine sees to it) ---- */

/**
 * What to flush next: the oldest hot batches, slice by slice, until they have max_bytes or there
 * are no more, as a snapshot without files. NULL when there are none. They stay visible until
 * arka_table_end_flush.
 */
ARKA_MUST_USE arka_status arka_table_begin_flush(arka_table *table, int64_t max_bytes,
                                                 arka_snapshot **out, arka_error *err);
/** Make room for n_files more, so that end_flush cannot fail. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_table_reserve_files(arka_table *table, size_t n_files,
                                                   arka_error *err);
/**
 * In one step for every snapshot: the batches of `flushed` go, the files (their references are
 * taken) come. *out_first: the table had no file before.
 */
void arka_table_end_flush(arka_table *table, const arka_snapshot *flushed,
                          arka_data_file *const *take_files, size_t n_files, bool *out_first);
/** A file that the manifest knows; at start only. Takes the reference. */
ARKA_MUST_USE arka_status arka_table_load_file(arka_table *table, arka_data_file *take_file,
                                               arka_error *err);

/** Path copied. */
ARKA_MUST_USE arka_status arka_data_file_new(const char *path, int64_t n_rows, int64_t n_bytes,
                                             int64_t time_min, int64_t time_max,
                                             int32_t schema_version, arka_data_file **out,
                                             arka_error *err);
void arka_data_file_unref(arka_data_file *file);
ARKA_CLEANUP(arka_data_file, arka_data_file_unref)

#endif
