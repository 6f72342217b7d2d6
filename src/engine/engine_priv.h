/** Shared by engine/'s files only. */
#ifndef ARKA_ENGINE_PRIV_H
#define ARKA_ENGINE_PRIV_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "meta/manifest.h"
#include "os/thread.h"
#include "table/registry.h"

typedef struct arka_flush arka_flush;

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
    atomic_int writers; /* inside arka_engine_write; close waits for them on flush_done */

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
        atomic_int_fast64_t hot_rows, hot_bytes;
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
