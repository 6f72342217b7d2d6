/** Shared by engine/'s files only. */
#ifndef ARKA_ENGINE_PRIV_H
#define ARKA_ENGINE_PRIV_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/gate.h"
#include "engine/requests.h"
#include "meta/manifest.h"
#include "os/thread.h"
#include "table/registry.h"

typedef struct arka_flush arka_flush;
typedef struct arka_committer arka_committer;

struct arka_engine {
    arka_engine_options options; /* without its strings */
    char *base_path, *manifest_path;
    int lock_fd; /* -1: not held */
    arka_manifest *manifest;
    arka_registry *registry;
    arka_mutex
        ddl; /* DDL: creation of databases and tables, changes of schemas; held over the manifest */
    atomic_uint_fast64_t catalog_version;
    atomic_bool closing;
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

    arka_mutex flush_lock; /* FLUSH: below */
    arka_cond flush_wake;  /* the flusher has work, or must stop */
    arka_cond flush_done;  /* a table is no longer in `flushing` */
    ARKA_VEC(arka_table *) flushing;
    arka_flush *unsure; /* whose commit failed: the next flush of its table tries it again */
    bool stop, wanted;
    bool flusher_runs;
    arka_thread flusher;

    struct {
        atomic_int_fast64_t rows_written, batches_written, bytes_written, writes_refused;
        atomic_int_fast64_t flushes, flush_failures, flush_rows, flush_files, flush_bytes, flush_ns,
            orphans;
        atomic_int_fast64_t hot_rows; /* hot bytes are the gate's */
        atomic_int_fast64_t commits, commit_requests, requests_repeated, requests_delayed;
    } stats;
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
 * reference): itself, or a cast copy.
 */
ARKA_MUST_USE arka_status arka_engine__make_fit(arka_engine *engine, arka_database *database,
                                                arka_slice name, arka_batch *batch,
                                                arka_table **out_table, arka_batch **out_batch,
                                                arka_error *err);

/* commit.c: numbers rows, logs them, makes them visible, in groups, on a thread of its own. */
/** The log is recovered and `assigned` is set. */
ARKA_MUST_USE arka_status arka_engine__start_committer(arka_engine *engine, arka_error *err);
/** Carries out what waits, then ends. */
void arka_engine__stop_committer(arka_engine *engine);
/** An event for the log, in order with the rows; lost when there is no memory or no log. */
void arka_engine__log_control(arka_engine *engine, const char *event, arka_buf *take_payload);
/**
 * Every row up to this LSN, less one, is in files or belongs to no table: the log may forget it.
 */
uint64_t arka_engine__pinned_lsn(arka_engine *engine);
/** Memory was given back: writes that wait for it may go on. */
void arka_engine__memory_freed(arka_engine *engine);

/* recover.c */
/** Open the log, replay what is in no file yet. */
ARKA_MUST_USE arka_status arka_engine__recover(arka_engine *engine, arka_error *err);

/* publish.c */
/** The next rows, as many, get their numbers: the first one. */
uint64_t arka_engine__assign(arka_engine *engine, int64_t n_rows) ARKA_REQUIRES(engine->publish);

/* orphans.c */
/** Files in the tables' directories that no table has go to {base}/.orphans; missing ones are told.
 */
ARKA_MUST_USE arka_status arka_engine__set_orphans_aside(arka_engine *engine, arka_error *err);

/* flush.c: one table's hot rows to files. */
/** The oldest flush_bytes of them, or all; *out_rows: how many went, 0 when there were none. */
ARKA_MUST_USE arka_status arka_engine__flush_table(arka_engine *engine, arka_table *table,
                                                   int64_t *out_rows, arka_error *err);
/** Flushes whose commit failed are let go; their files stay for the next start to judge. */
void arka_engine__forget_unsure(arka_engine *engine);

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
