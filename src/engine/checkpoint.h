/**
 * The checkpoint: one small JSON file that says how far log and files had come when it was written.
 * A hint for the next start and for people; every number in it has another source, which counts
 * (the log, the manifest), so that losing the file costs nothing but the knowledge of a clean stop.
 * Format: docs/formats/checkpoint.md. Private to engine/.
 */
#ifndef ARKA_ENGINE_CHECKPOINT_H
#define ARKA_ENGINE_CHECKPOINT_H

#include "base/arena.h"
#include "base/vec.h"
#include "os/file.h"

typedef struct arka_checkpoint_table {
    arka_slice uuid;
    uint64_t flushed_lsn;
} arka_checkpoint_table;

typedef struct arka_checkpoint {
    uint64_t wal_lsn;    /* the highest LSN that was durable in the log */
    uint64_t pinned_lsn; /* every row below it was in a file */
    uint64_t epoch;      /* of the engine that wrote it */
    int64_t written_us;  /* wall clock */
    /*
     * The engine had stopped and its log was closed: no number above wal_lsn was ever given out. It
     * holds only while `epoch` is the last one there was.
     */
    bool clean;
    ARKA_VEC(arka_checkpoint_table) tables; /* those with rows in files */
    arka_arena arena;                       /* of one that was read */
} arka_checkpoint;

void arka_checkpoint_fini(arka_checkpoint *checkpoint);

/** In place of the one at `path`, whole or not at all, and durable when it returns. */
ARKA_MUST_USE arka_status arka_checkpoint_write(const arka_os *os, const char *path,
                                                const arka_checkpoint *checkpoint, arka_error *err);
/**
 * Into `out`, to be fini'd in any case. ARKA_NOTFOUND: there is none. ARKA_CORRUPT: its checksum or
 * its form is wrong. ARKA_INPUT: its format is newer than this program. None of them is a reason
 * not to start.
 */
ARKA_MUST_USE arka_status arka_checkpoint_read(const char *path, arka_checkpoint *out,
                                               arka_error *err);
/**
 * Does it claim more than its sources have: a row of the log that is not there, an epoch that never
 * was? Then they are older than it (a backup that was put back), or damaged; `out` says which.
 */
bool arka_checkpoint_is_ahead(const arka_checkpoint *checkpoint, uint64_t last_lsn, uint64_t epoch,
                              char *out, size_t cap);

#endif
