/**
 * The engine: databases of tables, written by batches, kept hot in memory and flushed to Parquet.
 * What a server, or another program, needs of libarka. All functions: any thread.
 */
#ifndef ARKA_ENGINE_ENGINE_H
#define ARKA_ENGINE_ENGINE_H

#include "columnar/parquet.h"
#include "os/file.h"
#include "table/snapshot.h"

typedef struct arka_engine arka_engine;

/** Something that happened by itself and that a program may want to log. `text` lives for the call.
 */
typedef struct arka_event {
    enum { ARKA_EVENT_DEBUG, ARKA_EVENT_INFO, ARKA_EVENT_WARN, ARKA_EVENT_ERROR } level;
    const char *name; /* "flush", "orphan", "flush_failed" … */
    const char *text;
} arka_event;

typedef struct arka_engine_options {
    const char *base_path;     /* {base}/{database}/{measurement}/…; made if missing */
    const char *manifest_path; /* SQLite; made if missing */
    const char *default_database;
    const arka_os *os; /* NULL: the real one */
    arka_codec codec;
    int codec_level;      /* 0: the codec's default */
    int64_t flush_rows;   /* a table is flushed when it has as many hot rows … */
    int64_t flush_age_ms; /* … or its oldest is that old … */
    /* … or as many hot bytes, which do not wait for the interval below; and what one flush takes */
    int64_t flush_bytes;
    int64_t flush_interval_ms; /* rows and age flush one table at most this often */
    size_t hot_limit_bytes;    /* of all tables; writes beyond it are ARKA_BUSY */
    void (*on_event)(void *context, const arka_event *event); /* from any thread; NULL: none */
    void *context;
} arka_engine_options;

/** Fills every number with its default; paths stay NULL. */
void arka_engine_options_default(arka_engine_options *options);

/**
 * Open: takes the data directory for this process (ARKA_CONFLICT if another has it), reads the
 * manifest, sets files of its tables that it does not know aside in {base}/.orphans, tells of those
 * that are missing (events), starts the flusher.
 */
ARKA_MUST_USE arka_status arka_engine_open(const arka_engine_options *options, arka_engine **out,
                                           arka_error *err);
/**
 * Refuse writes from now on with ARKA_BUSY, let those inside end, flush everything. Reads go on.
 * For a process that ends without coming to close; close does the same. Returns a failure to flush.
 */
arka_status arka_engine_finish(arka_engine *engine, arka_error *err);
/**
 * Flush everything and stop. Writes that are inside end first, those that begin meanwhile are
 * refused with ARKA_BUSY; all other calls must have ended before. When it returns the engine is
 * gone, and nobody may call any more. A failure to flush is returned, after every table was tried;
 * memory is freed and threads are gone in any case. Snapshots may outlive it.
 */
arka_status arka_engine_close(arka_engine *take_engine, arka_error *err);
static inline void arka_engine_drop(arka_engine *take_engine)
{
    ARKA_IGNORE(arka_engine_close(take_engine, NULL)); /* on the way out after another error */
}
ARKA_CLEANUP(arka_engine, arka_engine_drop)

/* ---- databases and tables ---- */

/** ARKA_EXISTS when it is there, ARKA_INPUT for a bad name. Written to the manifest before it
 * returns. */
ARKA_MUST_USE arka_status arka_engine_create_database(arka_engine *engine, arka_slice name,
                                                      arka_error *err);
bool arka_engine_has_database(arka_engine *engine, arka_slice name);

typedef struct arka_database_info {
    const char *name;
    int64_t created_us;
    int64_t n_tables;
} arka_database_info;
typedef struct arka_table_info {
    const char *database, *name;
    int64_t n_files, file_bytes, file_rows, hot_rows, hot_bytes;
    int64_t hot_age_ms; /* of the oldest hot row; 0 when there is none */
} arka_table_info;

/** Call `each` for every database, sorted by name; strings live for the call. Stops at a failure.
 */
ARKA_MUST_USE arka_status arka_engine_each_database(
    arka_engine *engine,
    arka_status (*each)(void *context, const arka_database_info *info, arka_error *err),
    void *context, arka_error *err);
/** Likewise every table; of one database when `database` is not empty (unknown: none). */
ARKA_MUST_USE arka_status arka_engine_each_table(arka_engine *engine, arka_slice database,
                                                 arka_status (*each)(void *context,
                                                                     const arka_table_info *info,
                                                                     arka_error *err),
                                                 void *context, arka_error *err);

/** Grows whenever a database, a table or a schema comes or changes, or a table gets its first file.
 */
uint64_t arka_engine_catalog_version(arka_engine *engine);

/** One table as a query sees it now. ARKA_NOTFOUND names what is missing. Names as arka_name_eq. */
ARKA_MUST_USE arka_status arka_engine_snapshot(arka_engine *engine, arka_slice database,
                                               arka_slice table, arka_snapshot **out,
                                               arka_error *err);
/**
 * The type of a column of a table, or ARKA_TYPE_NONE: for the line-protocol parser. *tag (may be
 * NULL) is set when it is a tag, else left as it is.
 */
arka_type arka_engine_column_type(arka_engine *engine, arka_slice database, arka_slice table,
                                  arka_slice column, bool *tag);

/* ---- writes ---- */

/** One batch for one table, and what became of it. */
typedef struct arka_put_batch {
    arka_slice measurement;
    arka_batch *batch;  /* borrowed; the engine takes its own reference */
    arka_status status; /* out: ARKA_OK, it was stored; anything else, it was not */
    arka_error error;   /* out, when status is not OK */
} arka_put_batch;

/**
 * Store batches into `database` (made if missing), each visible to every query that starts after
 * the return. Each batch whole or not at all; one that does not fit its table gets ARKA_INPUT or
 * ARKA_LIMIT in its `status` and the others are stored, unless `atomic`: then the first failure is
 * returned and no row is stored (columns that one of the batches brought may stay). ARKA_BUSY: over
 * the memory limit, closing, or the manifest is locked; ARKA_IO: the manifest could not be written;
 * ARKA_NOMEM. After those `status` says which batches were stored all the same.
 */
ARKA_MUST_USE arka_status arka_engine_write(arka_engine *engine, arka_slice database,
                                            arka_put_batch *batches, size_t n_batches, bool atomic,
                                            arka_error *err);

/**
 * Write the rows that are hot now to Parquet and return when they are in the manifest. Empty names
 * mean all. *out_tables: tables that had something to flush. A table that fails does not keep the
 * others from it; the first failure is returned.
 */
ARKA_MUST_USE arka_status arka_engine_flush(arka_engine *engine, arka_slice database,
                                            arka_slice table, int64_t *out_tables, arka_error *err);

/** Counters since the start, and gauges. */
typedef struct arka_engine_stats {
    int64_t rows_written, batches_written, bytes_written; /* into the hot tier */
    int64_t writes_refused;                               /* for want of memory */
    int64_t flushes, flush_failures, flush_rows, flush_files, flush_bytes, flush_ns;
    int64_t hot_rows, hot_bytes, hot_limit_bytes;
    int64_t files, file_bytes, orphans;
} arka_engine_stats;
void arka_engine_get_stats(arka_engine *engine, arka_engine_stats *out);

#endif
