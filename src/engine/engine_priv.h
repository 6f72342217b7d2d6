/** Shared by engine/'s files only. */
#ifndef ARKA_ENGINE_PRIV_H
#define ARKA_ENGINE_PRIV_H

#include <stdatomic.h>

#include "engine/disk.h"
#include "engine/engine.h"
#include "engine/gate.h"
#include "engine/requests.h"
#include "meta/manifest.h"
#include "os/thread.h"
#include "table/registry.h"

typedef struct arka_flush arka_flush;
typedef struct arka_flusher arka_flusher;
typedef struct arka_committer arka_committer;
typedef struct arka_reaper arka_reaper;

struct arka_engine {
    arka_engine_options options; /* without its strings */
    char *base_path, *manifest_path, *default_database;
    int lock_fd; /* -1: not held */
    arka_manifest *manifest;
    arka_registry *registry;
    arka_mutex
        ddl; /* DDL: creation of databases and tables, changes of schemas; held over the manifest */
    atomic_uint_fast64_t catalog_version;
    atomic_bool closing;
    bool opened; /* to the end; else close leaves everything as it is on the disk */
    /* Flushes that may have left unsynced directories, and how many of them a later sync covered.
     */
    atomic_uint unsynced, covered;
    atomic_int writers; /* requests between prepare and done; close waits for them on flush_done */
    arka_gate gate;     /* memory of hot rows and of requests on their way */
    arka_requests *requests;

    arka_wal *wal; /* NULL: there is no log */
    uint64_t epoch;
    arka_replay_info replay;
    arka_committer *committer;
    /*
     * PUBLISH: held while the rows of a group are made visible and `visible` moves, and while
     * snapshots of several tables are taken: so those see whole groups.
     */
    arka_mutex publish;
    atomic_uint_fast64_t visible; /* the highest visible LSN; written under `publish` */
    uint64_t assigned;            /* the highest LSN given out; under `publish` */
    /* The highest LSN of a group that was answered: until then its keys are nowhere but in the log.
     */
    atomic_uint_fast64_t answered;

    arka_mutex flush_lock; /* FLUSH: below */
    arka_cond flush_wake;  /* the flusher has work, or must stop */
    arka_cond flush_done;  /* a table is no longer in `flushing` */
    ARKA_VEC(arka_table *) flushing;
    arka_flush *unsure;   /* whose commit failed: the next flush of its table tries it again */
    arka_disk disk;       /* how full the file systems are */
    atomic_bool log_runs; /* `wal` was recovered and takes rows; see arka_engine__log_runs */
    uint64_t log_begins;  /* it takes rows above it */
    bool stop, wanted;
    bool dropping; /* a table or database is being dropped: the next one waits on flush_done */
    arka_reaper *reaper;
    arka_flusher *flusher; /* NULL: it does not run */
    arka_thread flusher_thread;

    struct {
        atomic_int_fast64_t rows_written, batches_written, bytes_written, writes_refused;
        atomic_int_fast64_t flushes, flush_failures, flush_rows, flush_files, flush_bytes, flush_ns,
            flush_groups, flush_small_files, orphans;
        atomic_int_fast64_t hot_rows; /* hot bytes are the gate's */
        atomic_int_fast64_t commits, commit_requests, requests_repeated, requests_delayed,
            requests_blocked;
    } stats;
    arka_latency flush_latency;
};

#define ARKA_COUNT(engine, counter, n)                                                             \
    atomic_fetch_add_explicit(&(engine)->stats.counter, (n), memory_order_relaxed)
#define ARKA_GAUGE(engine, counter)                                                                \
    atomic_load_explicit(&(engine)->stats.counter, memory_order_relaxed)

void arka_engine__event(arka_engine *engine, int level, const char *name, const char *format, ...)
    ARKA_PRINTF(4, 5);
void arka_engine__catalog_changed(arka_engine *engine);

/* catalog.c */
ARKA_MUST_USE arka_status arka_engine__load(arka_engine *engine, arka_error *err);
/** The database, made if missing; the name is checked. */
ARKA_MUST_USE arka_status arka_engine__database(arka_engine *engine, arka_slice name,
                                                arka_database **out, arka_error *err);
/**
 * The table, made or changed so that `batch` fits it, and the batch as it must be stored (one
 * reference): itself, or a cast copy. A new table gets that UUID, or a fresh one if it is empty.
 */
ARKA_MUST_USE arka_status arka_engine__make_fit(arka_engine *engine, arka_database *database,
                                                arka_slice name, arka_batch *batch, arka_slice uuid,
                                                arka_table **out_table, arka_batch **out_batch,
                                                arka_error *err);

/* commit.c: numbers rows, logs them, makes them visible, in groups, on a thread of its own. */
/** The log is recovered and `assigned` is set. */
ARKA_MUST_USE arka_status arka_engine__start_committer(arka_engine *engine, arka_error *err);
/** Carries out what waits, syncs the log, then ends; once. Who asks it later finds it idle. */
void arka_engine__stop_committer(arka_engine *engine);
/** No other thread is left. */
void arka_engine__free_committer(arka_engine *engine);
/** An event for the log, in order with the rows; lost when there is no memory or no log. */
void arka_engine__log_control(arka_engine *engine, const char *event, arka_buf *take_payload);
/** Memory was given back: writes that wait for it may go on. */
void arka_engine__memory_freed(arka_engine *engine);
/** Let the log be synced without waiting for a second: rows of it are about to be in files. */
void arka_engine__sync_soon(arka_engine *engine);

/** Facts of the manifest (docs/formats/manifest.md): rows of dropped tables had numbers up to it.
 */
#define ARKA_DROPPED_LSN "dropped_lsn"

/* recover.c */
/** Nothing is read yet. NULL: there is no log. */
ARKA_MUST_USE arka_status arka_engine__open_log(arka_engine *engine, const char *wal_dir,
                                                arka_error *err);
/** Replay what is in no file yet, number on behind it. */
ARKA_MUST_USE arka_status arka_engine__recover(arka_engine *engine, arka_error *err);
/** Close the log and note where the numbers ended: the next start goes on there. */
arka_status arka_engine__end_log(arka_engine *engine, arka_error *err);

/* publish.c */
/** The next rows, as many, get their numbers: the first one. */
uint64_t arka_engine__assign(arka_engine *engine, int64_t n_rows) ARKA_REQUIRES(engine->publish);

/* write.c */
/** The table, made (see make_fit) or changed if need be, and the batch ready to be appended to it.
 */
ARKA_MUST_USE arka_status arka_engine__admit(arka_engine *engine, arka_database *database,
                                             arka_slice measurement, arka_batch *batch,
                                             arka_slice uuid, arka_table **out_table,
                                             arka_admitted *out, arka_error *err);

/* engine.c */
/** ARKA_NOTFOUND names what is missing. */
ARKA_MUST_USE arka_status arka_engine__find_table(arka_engine *engine, arka_slice database,
                                                  arka_slice table, arka_table **out,
                                                  arka_error *err);

/* remake.c */
/**
 * Before the manifest is loaded: flushes whose files are missing, while the log has their rows, are
 * taken back. The log is open and was not recovered.
 */
ARKA_MUST_USE arka_status arka_engine__remake_missing(arka_engine *engine, arka_error *err);

/* orphans.c */
/** Files in the tables' directories that no table has go to {base}/.orphans; missing ones are told.
 */
ARKA_MUST_USE arka_status arka_engine__set_orphans_aside(arka_engine *engine, arka_error *err);

/* pin.c: what the log may forget. */
/**
 * Every row below this LSN is in files or belongs to no table: the log may forget it. 0 when there
 * was no memory to find out. Any thread.
 */
uint64_t arka_engine__pinned_lsn(arka_engine *engine);
/** From now on the log may be trimmed, and checkpoints are written: it was recovered. */
void arka_engine__log_runs(arka_engine *engine);
/** Rows up to it keep segments that have to go, for want of space; 0: none has to. */
uint64_t arka_engine__lsn_to_free(arka_engine *engine);
/**
 * Write the checkpoint, {base_path}/.checkpoint.json, see engine/checkpoint.h; nothing without a
 * log. `clean`: the log was synced and closed, the engine ends. A failure is told as an event: it
 * is a hint only.
 */
void arka_engine__write_checkpoint(arka_engine *engine, bool clean);
/**
 * Tell (event) of a checkpoint that is damaged, or that claims more than the log, whose last row is
 * `last_lsn`, and the manifest have. The engine's epoch is that of this start.
 */
void arka_engine__compare_checkpoint(arka_engine *engine, uint64_t last_lsn);

/* guard.c: the disks. */
/** Before the log is recovered; paths are copied. */
ARKA_MUST_USE arka_status arka_engine__guard_disks(arka_engine *engine, const char *wal_dir,
                                                   arka_error *err);
/** ARKA_BUSY in `err` when a disk is too full for more rows; false: it is not. */
bool arka_engine__disk_refuses(arka_engine *engine, arka_error *err);
/** A write failed: when for want of space, the ballast goes and the disks are looked at. */
void arka_engine__io_failed(arka_engine *engine, const arka_error *why);
/** How full are they now? Tells what changed. One thread at a time may `make_ballast`. */
void arka_engine__look_at_disks(arka_engine *engine, bool make_ballast);

/* flush.c: hot rows of tables to files, and the files into the manifest in one commit. */
typedef struct arka_flush_item {
    arka_table *table; /* nobody else flushes it */
    int64_t n_rows;    /* out: how many went, 0 when there were none */
    arka_status status;
} arka_flush_item;
/**
 * Of each of n tables about as many of the oldest rows as make flush_bytes of Parquet. One that
 * fails does not keep the others from it; the first failure is returned.
 */
ARKA_MUST_USE arka_status arka_engine__flush_tables(arka_engine *engine, arka_flush_item *items,
                                                    size_t n, arka_error *err);
/** Flushes whose commit failed are let go; their files stay for the next start to judge. */
void arka_engine__forget_unsure(arka_engine *engine);

/* claim.c: one flush at a time a table. */
/** ARKA_BUSY: another thread has it. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_engine__claim(arka_engine *engine, arka_table *table);
void arka_engine__release(arka_engine *engine, const arka_table *table);

/* flusher.c: when, and by which thread. */
ARKA_MUST_USE arka_status arka_engine__start_flusher(arka_engine *engine, arka_error *err);
void arka_engine__stop_flusher(arka_engine *engine);
void arka_engine__writer_enters(arka_engine *engine);
/** The engine may be gone after it, when `closing` is set. */
void arka_engine__writer_leaves(arka_engine *engine);
/** Waits until no write is inside; `closing` is set. */
void arka_engine__wait_for_writers(arka_engine *engine);
/** Tell the flusher that memory is short. */
void arka_engine__want_flush(arka_engine *engine);

#endif
