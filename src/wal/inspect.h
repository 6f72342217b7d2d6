/**
 * A look into a log from outside: every record and every damage, changing nothing. The log may be
 * in use meanwhile. And its repair, when it is not.
 */
#ifndef ARKA_WAL_INSPECT_H
#define ARKA_WAL_INSPECT_H

#include "wal/wal.h"

typedef struct arka_wal_inspected {
    const char *name;
    int64_t n_bytes;
    int64_t sound_bytes;                   /* from its beginning, whole groups that count */
    uint64_t base_lsn, last_lsn, prev_lsn; /* last_lsn < base_lsn: no record counts */
    int64_t n_records, n_rows;             /* that count */
    bool damaged;                          /* what stands behind them is no whole group */
    int64_t damaged_at;
    const char *damage; /* what is wrong there */
    bool superseded;    /* what stands behind them was written again in a later segment */
} arka_wal_inspected;

typedef enum arka_wal_state {
    ARKA_WAL_SOUND,
    ARKA_WAL_TORN,    /* it ends in bytes that were never synced, or that are being written */
    ARKA_WAL_CORRUPT, /* a start would be refused */
} arka_wal_state;

typedef struct arka_wal_verdict {
    arka_wal_state state;
    char text[512]; /* one sentence; empty when it is sound */
    uint64_t last_lsn;
    int64_t n_segments, n_records, n_rows, n_bytes;
} arka_wal_verdict;

/** Called in the order of the files; strings and slices live for the call. Each may be NULL. */
typedef struct arka_wal_visitor {
    void *context;
    arka_status (*segment)(void *context, const arka_wal_inspected *segment, arka_error *err);
    /** `counts`: recovery would give it; else it stands behind damage, or was written again. */
    arka_status (*record)(void *context, const arka_wal_record *record, bool counts,
                          arka_error *err);
} arka_wal_visitor;

/**
 * A whole log. ARKA_INPUT: a foreign file or a newer version. What a visitor returns stops it.
 * `only`: the records of that segment, a name; NULL: of all.
 */
ARKA_MUST_USE arka_status arka_wal_inspect(const char *dir, const char *only,
                                           const arka_wal_visitor *visitor,
                                           arka_wal_verdict *verdict, arka_error *err);

/**
 * Set all damage to synced bytes aside (docs/formats/wal.md, "Repair"); `done` is called with a
 * sentence for each. A torn tail is left to the next start. ARKA_CONFLICT: the log is in use.
 */
ARKA_MUST_USE arka_status arka_wal_repair(const char *dir,
                                          void (*done)(void *context, const char *text),
                                          void *context, arka_error *err);

#endif
