/**
 * The engine: databases of tables, written by batches, kept hot in memory and flushed to Parquet.
 * What a server, or another program, needs of libarka. All functions: any thread.
 */
#ifndef ARKA_ENGINE_ENGINE_H
#define ARKA_ENGINE_ENGINE_H

#include "columnar/parquet.h"
#include "os/file.h"
#include "os/clock.h"
#include "table/table.h"
#include "wal/wal.h"

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
    /* … or its hot rows are likely to make as many bytes of Parquet, which does not wait for the
     * interval below; and what one flush takes */
    int64_t flush_bytes;
    int64_t flush_lag_records;  /* … or its oldest lies so many records of the log back */
    int64_t flush_interval_ms;  /* rows, age and lag flush one table at most this often */
    int64_t disk_reserve_bytes; /* with less free, writes are ARKA_BUSY; -1: the smaller of 5 % of
                                 * the file system and 1 GiB; 0: none */
    int64_t ballast_bytes; /* of a file that is given up so that a full disk takes one more flush */
    size_t hot_limit_bytes;   /* of all tables; writes beyond it are ARKA_BUSY … */
    int64_t block_timeout_ms; /* … after they have waited so long for memory */
    /* the log; NULL dir: there is none, and what is hot is lost when the process dies */
    const char *wal_dir;
    arka_wal_sync_mode wal_sync_mode;
    bool wal_async; /* what would wait for a sync waits for the write alone; a sync every second */
    arka_ipc_codec wal_codec;
    int64_t wal_segment_bytes, wal_segment_age_ms;
    int64_t wal_max_bytes;     /* of all segments; writes beyond it are ARKA_BUSY */
    bool wal_quarantine;       /* set damaged ranges aside instead of refusing to open */
    int64_t request_window_ms; /* for how long idempotency keys are remembered */
    void (*on_event)(void *context, const arka_event *event); /* from any thread; NULL: none */
    /* While the log is replayed, now and then. False: stop, open returns ARKA_CANCELLED. */
    bool (*on_replay)(void *context, int64_t done_bytes, int64_t total_bytes);
    void *context;
} arka_engine_options;

/** Fills every number with its default; paths stay NULL. */
void arka_engine_options_default(arka_engine_options *options);
/**
 * The numbers flush_…, but for flush_bytes, as they should be with the log (wal_dir is set) or
 * without it: with it rows are safe and wait for a large file, without it they must not wait.
 */
void arka_engine_options_flush(arka_engine_options *options);

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

/**
 * For how many milliseconds the committer has been at one group of writes; 0: it waits for work.
 * Some for a slow disk, many for one that answers no more. Any thread.
 */
int64_t arka_engine_busy_ms(arka_engine *engine);

/* ---- databases and tables ---- */

/** ARKA_EXISTS when it is there, ARKA_INPUT for a bad name. Written to the manifest before it
 * returns. */
ARKA_MUST_USE arka_status arka_engine_create_database(arka_engine *engine, arka_slice name,
                                                      arka_error *err);
/**
 * Drop a table, or a database with all its tables: rows, files, columns. Queries that have begun
 * read on; the files go from the disk with the last of them. All or nothing, also after a crash,
 * and no replay of the log brings rows back; a write that is under way counts as before it. The
 * default database stays, empty. A write makes what it needs again. ARKA_NOTFOUND; ARKA_BUSY:
 * closing; ARKA_IO: the manifest could not be written, nothing is dropped. Waits for a flush of the
 * tables.
 */
ARKA_MUST_USE arka_status arka_engine_drop_table(arka_engine *engine, arka_slice database,
                                                 arka_slice table, arka_error *err);
ARKA_MUST_USE arka_status arka_engine_drop_database(arka_engine *engine, arka_slice database,
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
    int64_t hot_age_ms;   /* of the oldest hot row; 0 when there is none */
    uint64_t flushed_lsn; /* every row up to it is in a file */
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

/** Every slice of hot batches of one table, the oldest first; ARKA_NOTFOUND. Stops at a failure. */
ARKA_MUST_USE arka_status arka_engine_each_slice(
    arka_engine *engine, arka_slice database, arka_slice table,
    arka_status (*each)(void *context, const arka_slice_info *info, arka_error *err), void *context,
    arka_error *err);

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

/** What a query that begins now would read of a table. Equal ones: it reads the same. */
typedef struct arka_table_state {
    uint64_t table;   /* of this incarnation of the name, not of one that was dropped */
    uint64_t changes; /* of its rows and its schema; never the same again */
} arka_table_state;
/** Every row that was acknowledged before is part of it. Takes no lock for long. ARKA_NOTFOUND. */
ARKA_MUST_USE arka_status arka_engine_table_state(arka_engine *engine, arka_slice database,
                                                  arka_slice table, arka_table_state *out,
                                                  arka_error *err);

/* ---- several tables at one instant ---- */

typedef struct arka_table_ref {
    arka_slice database, table;
} arka_table_ref;
/**
 * All of them as they were at one LSN (*out_lsn): every row up to it and none above, each once.
 * out: n snapshots, a reference each; none when it fails. ARKA_NOTFOUND names what is missing.
 */
ARKA_MUST_USE arka_status arka_engine_snapshots(arka_engine *engine, const arka_table_ref *tables,
                                                size_t n, arka_snapshot **out, uint64_t *out_lsn,
                                                arka_error *err);
/** The highest LSN that a query which begins now sees, with all below it. */
uint64_t arka_engine_visible_lsn(const arka_engine *engine);
/** Wait until it is `lsn` or more; false: the deadline came first, or the engine is closing. */
bool arka_engine_wait_visible(arka_engine *engine, uint64_t lsn, arka_mono deadline);

/* ---- writes ---- */

/** One batch for one table, and what became of it. */
typedef struct arka_put_batch {
    arka_slice measurement;
    arka_batch *batch;  /* borrowed; the engine takes its own reference */
    arka_status status; /* out: ARKA_OK, it was stored; anything else, it was not */
    arka_error error;   /* out, when status is not OK */
} arka_put_batch;

/** What a write waits for before it is acknowledged. It is visible then in any case. */
typedef enum arka_durability {
    ARKA_DURABILITY_SYNCED,  /* it survives power loss */
    ARKA_DURABILITY_WRITTEN, /* it survives the end of this process; synced within a second */
    ARKA_DURABILITY_MEMORY,  /* nothing: it is written to the log soon after */
} arka_durability;

enum { ARKA_MAX_KEY = 255 }; /* bytes of an idempotency key */

/**
 * A write of batches into one database, in two steps. The memory is the caller's and must stay
 * until the write has ended.
 *
 *     arka_request_prepare   takes memory, makes database, tables and columns, checks every batch;
 *                            each batch has its final `status` after it, unless the commit fails
 *     arka_request_commit    numbers the rows, logs them, makes them visible, then calls `done`
 *
 * A request that was prepared with ARKA_OK must be committed, or arka_request_abandon must be
 * called.
 */
typedef struct arka_put_request {
    arka_slice database;
    arka_put_batch *batches;
    size_t n_batches;
    bool atomic; /* the first batch that does not fit fails all */
    arka_durability durability;
    arka_slice key; /* idempotency: 1 to ARKA_MAX_KEY bytes, see arka_key_check; empty: none */
    arka_slice
        answer; /* set before commit: remembered with the key, given back to who repeats it */
    void (*done)(void *context); /* once, from a thread of the engine or within commit; short */
    void *context;

    /* out, of prepare */
    int64_t n_fitting;  /* batches that will be stored; 0: nothing to commit */
    bool repeated;      /* the key was known: nothing is stored, `lsn` and first_answer are set */
    char *first_answer; /* NUL-terminated; freed by arka_request_fini */
    /* out, of commit */
    arka_status status;
    arka_error error;
    uint64_t lsn; /* of its last row; 0: no rows */

    /* private to engine/ */
    struct arka_put_request *next;
    struct arka_pending_batch *pending;
    int64_t n_bytes; /* of memory: what the gate gives it */
    arka_mono not_before;
    arka_mono deadline; /* ns not 0: it waits for memory until then */
    bool holds_memory, holds_key, is_inside;
} arka_put_request;

/**
 * ARKA_BUSY: over the memory limit, closing, the log or the disk takes nothing at the moment, the
 * manifest is locked, or a request with the same key is on its way; ARKA_INPUT or ARKA_LIMIT: with
 * `atomic`, the first batch's failure, or a bad key; ARKA_IO: the manifest could not be written;
 * ARKA_NOMEM. After an error nothing is held and nothing stored (columns that one of the batches
 * brought may stay).
 */
ARKA_MUST_USE arka_status arka_request_prepare(arka_engine *engine, arka_put_request *request,
                                               arka_error *err);
/** Will commit call `done` before it returns? */
bool arka_request_is_immediate(arka_engine *engine, const arka_put_request *request);
/**
 * Never fails by itself: `status` says what came of it when `done` is called. ARKA_BUSY: the log
 * could not be written, nothing was stored. The request may be gone before this returns.
 */
void arka_request_commit(arka_engine *engine, arka_put_request *request);
/** Instead of commit: gives back what prepare took. */
void arka_request_abandon(arka_engine *engine, arka_put_request *request);
/** Frees what is its own, after it has ended. */
void arka_request_fini(arka_put_request *request);
/** ARKA_INPUT: not 1 to ARKA_MAX_KEY printable ASCII characters. */
ARKA_MUST_USE arka_status arka_key_check(arka_slice key, arka_error *err);

/**
 * Prepare, commit with ARKA_DURABILITY_SYNCED and wait. Each batch whole or not at all; one that
 * does not fit its table gets ARKA_INPUT or ARKA_LIMIT in its `status` and the others are stored,
 * unless `atomic`. Errors as above; after them `status` says which batches were stored all the
 * same.
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

/** What recovery did at the last open; all 0 when there was nothing to replay. */
typedef struct arka_replay_info {
    int64_t n_segments, n_bytes, n_records, n_rows; /* found */
    int64_t replayed_rows;                          /* not in files yet: hot again */
    int64_t torn_bytes, n_quarantined, ms;
    int64_t finished_us; /* wall clock */
    uint64_t last_lsn;
} arka_replay_info;
void arka_engine_get_replay(const arka_engine *engine, arka_replay_info *out);

/**
 * Remove the segments of the log that are not needed any more; the flusher does it by itself.
 * *out_removed: how many went.
 */
ARKA_MUST_USE arka_status arka_engine_trim(arka_engine *engine, int64_t *out_removed,
                                           arka_error *err);

/** The log, for looking at it (any-thread functions only); NULL: there is none. */
arka_wal *arka_engine_wal(arka_engine *engine);

/** Why writes are refused at this moment, as a sentence in `out`; false: they are not. */
bool arka_engine_is_refusing(arka_engine *engine, char *out, size_t cap);
/**
 * Would a write that came now be refused whatever it brings? Then *err says why, as ARKA_BUSY, and
 * it is counted as refused. Cheap: to be asked before a body is read or decoded.
 */
bool arka_engine_refuse_write(arka_engine *engine, arka_error *err);

/** How short memory for rows is; see gate.h for where they begin. */
typedef enum arka_zone { ARKA_ZONE_GREEN, ARKA_ZONE_YELLOW, ARKA_ZONE_RED } arka_zone;

/** As a write that comes now would find it. */
arka_zone arka_engine_zone(const arka_engine *engine);

/** Counters since the start, and gauges. */
typedef struct arka_engine_stats {
    int64_t rows_written, batches_written, bytes_written; /* into the hot tier */
    int64_t writes_refused;                               /* for want of memory */
    int64_t flushes, flush_failures, flush_rows, flush_files, flush_bytes, flush_ns;
    int64_t flush_groups;      /* commits that they came in */
    int64_t flush_small_files; /* under 1 MiB */
    int64_t hot_rows, hot_bytes, hot_limit_bytes;
    int64_t kept_bytes; /* of rows that are hot no more and that readers still hold; beside hot */
    int64_t files, file_bytes, orphans;
    uint64_t epoch, assigned_lsn, visible_lsn; /* durable: arka_wal_durable_lsn */
    uint64_t pinned_lsn; /* the oldest row that is not in a file yet; assigned_lsn + 1: none */
    int64_t commits, commit_requests, requests_repeated, requests_delayed;
    int64_t requests_blocked;     /* that had to wait for memory; refused ones are among them */
    int64_t n_delayed, n_blocked; /* at this moment: by the yellow zone, by the red one */
    arka_zone zone;
    int64_t delay_ns; /* of a write that came now */
} arka_engine_stats;
void arka_engine_get_stats(arka_engine *engine, arka_engine_stats *out);
/** How long flushes took: of one table or of several at once, their commit included. */
void arka_engine_get_flush_latency(const arka_engine *engine, arka_latency_view *out);

#endif
