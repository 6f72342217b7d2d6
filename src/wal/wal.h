/**
 * The log: every row that was accepted, in the order of its LSN, on disk before it is acknowledged.
 * This header is the folder's face. Format in bytes and rules of recovery: docs/formats/wal.md.
 *
 * A log is a directory of segments, segment_<base LSN, 20 digits>.arrow, each a concatenation of
 * standard Arrow IPC streams ("runs", one table and layout each). A record is one record batch of a
 * run; records that are appended together are a group, which a crash leaves whole or not at all.
 *
 *     arka_wal_open      the directory; nothing is read or changed yet
 *     arka_wal_recover   every whole group, oldest first; a torn tail is cut
 *     arka_wal_begin     from here on it can be appended to
 *     arka_wal_append, arka_wal_sync …
 *     arka_wal_close
 *
 * One thread at a time recovers, begins, appends, syncs, mends and closes (the engine's committer);
 * what is marked "any thread" may be called by others meanwhile.
 */
#ifndef ARKA_WAL_WAL_H
#define ARKA_WAL_WAL_H

#include "base/latency.h"
#include "columnar/batch.h"
#include "columnar/ipc.h"
#include "os/file.h"

typedef struct arka_wal arka_wal;

typedef enum arka_wal_sync_mode { ARKA_WAL_FDATASYNC, ARKA_WAL_FSYNC } arka_wal_sync_mode;

typedef struct arka_wal_options {
    const char *dir;   /* made if missing */
    const arka_os *os; /* NULL: the real one */
    arka_wal_sync_mode sync_mode;
    arka_ipc_codec codec;   /* of bodies; ARKA_IPC_PLAIN: they are written as they are in memory */
    int64_t segment_bytes;  /* a segment with as many is closed; 128 MiB */
    int64_t segment_age_ms; /* or one that was begun so long ago, at the next append; 1 h */
    bool quarantine;        /* damage to synced bytes: set the range aside instead of refusing */
    /* Something to log that happened by itself: a tail cut, a range set aside, a failed sync, …
     * Any thread; NULL: none. `name` is a literal, `text` lives for the call. */
    void (*on_event)(void *context, int level, const char *name, const char *text); /* arka_event */
    void *context;
} arka_wal_options;

/** Fills every number with its default; dir stays NULL. */
void arka_wal_options_default(arka_wal_options *options);

/**
 * Takes the directory for this process and lists it. ARKA_CONFLICT: another process has it.
 * ARKA_INPUT: a file among the segments that is none (named). ARKA_IO: cannot be made or written.
 */
ARKA_MUST_USE arka_status arka_wal_open(const arka_wal_options *options, arka_wal **out,
                                        arka_error *err);

/* ---- recovery ---- */

typedef enum arka_wal_kind { ARKA_WAL_ROWS, ARKA_WAL_CONTROL } arka_wal_kind;

/** One record as it was found; slices live for the call it is given to. */
typedef struct arka_wal_record {
    arka_wal_kind kind;
    arka_slice database, table; /* empty for control records */
    arka_slice table_id;        /* UUID text of the table's incarnation */
    int32_t schema_id;
    uint64_t lsn_first, lsn_last;
    int64_t n_rows; /* lsn_last - lsn_first + 1 */
    int64_t ts_us;
    uint64_t epoch;
    arka_slice requests;       /* of arka_wal_entry, verbatim */
    arka_slice event, payload; /* control records */
    const char *segment;       /* its file's name, and where in it the record begins */
    int64_t offset;
    struct arka_wal_source *source; /* private */
} arka_wal_record;

/** Its rows as a batch of ours, one reference for the caller; tag marks are kept. */
ARKA_MUST_USE arka_status arka_wal_record_batch(const arka_wal_record *record, arka_batch **out,
                                                arka_error *err);

typedef struct arka_wal_reader {
    void *context;
    /** In ascending order of LSN, whole groups only, each record once. */
    arka_status (*record)(void *context, const arka_wal_record *record, arka_error *err);
    /** Now and then. False: stop, with ARKA_CANCELLED. NULL: nobody wants to know. */
    bool (*progress)(void *context, int64_t done_bytes, int64_t total_bytes);
} arka_wal_reader;

/** What recovery found. */
typedef struct arka_wal_recovered {
    uint64_t last_lsn;  /* of the last record that counts, or known to be lost; 0: none */
    uint64_t max_lsn;   /* the highest number seen anywhere, superseded and torn records included */
    uint64_t max_epoch; /* 0: none */
    int64_t last_ts_us;
    int64_t n_segments, n_records, n_rows, n_bytes;
    int64_t torn_bytes;    /* cut from the tail: never synced */
    int64_t n_quarantined; /* ranges set aside */
} arka_wal_recovered;

/**
 * Scan all segments and give every record that counts to `reader`. A tail that was never synced is
 * cut (event). Damage to synced bytes, a missing or doubled segment: ARKA_CORRUPT naming file and
 * offset, and nothing is changed; with options.quarantine the range goes to {dir}/quarantine/ and
 * the rest is read. A segment of a newer format version: ARKA_INPUT, nothing is changed. May be
 * called again after any failure, also by another process after a crash in the middle: same result.
 */
ARKA_MUST_USE arka_status arka_wal_recover(arka_wal *wal, const arka_wal_reader *reader,
                                           arka_wal_recovered *out, arka_error *err);
/**
 * Appending may begin: the first record will have an LSN > next_lsn - 1. next_lsn is above
 * every number that was ever seen. No file is made before the first append.
 */
ARKA_MUST_USE arka_status arka_wal_begin(arka_wal *wal, uint64_t next_lsn, uint64_t epoch,
                                         arka_error *err);

/* ---- appending ---- */

/** The table of a record. Everything is borrowed for the call. */
typedef struct arka_wal_table {
    arka_slice database, table, table_id;
    int32_t schema_id;
} arka_wal_table;

typedef struct arka_wal_entry {
    arka_wal_kind kind;
    uint64_t lsn_first, lsn_last;
    int64_t ts_us;
    /* rows */
    arka_wal_table table;
    arka_batch *batch;              /* borrowed; a reference is kept until it is synced */
    const int16_t *column_of_field; /* n_fields: field i (id i + 1) is that column, -1: none */
    int n_fields;
    uint32_t body_crc; /* arka_crc32c of batch->body; 0 for an empty body. Whoever queues it reckons
                          it, so that the one who appends need not */
    arka_slice requests; /* text to be kept with the record (arka:req); empty: none */
    /* control */
    arka_slice event, payload; /* UTF-8; one LSN */
    /* If the log fails before this record is synced, it is written again into the segment that
     * takes over: its rows are visible already. Else it is forgotten. */
    bool keep;
} arka_wal_entry;

/**
 * Write one group behind what is there; entries in ascending order, each beginning where the one
 * before it ended. A first LSN that does not continue the last one begins a new segment. Not
 * synced. ARKA_IO (full disk and all other failures): nothing of the group counts (the file was cut
 * back, as far as the disk let it be) and the log is broken, see arka_wal_mend. ARKA_NOMEM: nothing
 * was written, the log is as before.
 */
ARKA_MUST_USE arka_status arka_wal_append(arka_wal *wal, const arka_wal_entry *entries, size_t n,
                                          arka_error *err);
/**
 * Everything appended is on the disk when it returns ARKA_OK. A sync that fails is never tried
 * again on the same file: all records since the last one that succeeded are written to a new
 * segment and that is synced; ARKA_IO when this fails too: then the log is broken, and of the
 * records since the last successful sync only those with `keep` are remembered.
 */
ARKA_MUST_USE arka_status arka_wal_sync(arka_wal *wal, arka_error *err);
/** Is it broken? Appends fail until arka_wal_mend has succeeded. Any thread. */
bool arka_wal_is_broken(const arka_wal *wal);
/**
 * Begin a fresh segment, synced with its directory, and write what has to be kept into it. ARKA_IO:
 * still broken. The numbers of forgotten records are never used again (`next_lsn` is above them).
 */
ARKA_MUST_USE arka_status arka_wal_mend(arka_wal *wal, uint64_t next_lsn, arka_error *err);
/** Sync, end the last run, close. NULL is fine. */
arka_status arka_wal_close(arka_wal *take_wal, arka_error *err);
static inline void arka_wal_drop(arka_wal *take_wal)
{
    ARKA_IGNORE(arka_wal_close(take_wal, NULL)); /* on the way out after another error */
}
ARKA_CLEANUP(arka_wal, arka_wal_drop)

/* ---- looking after it: any thread ---- */

/** The highest LSN that is on the disk / that was appended. */
uint64_t arka_wal_durable_lsn(const arka_wal *wal);
uint64_t arka_wal_appended_lsn(const arka_wal *wal);

/**
 * Remove the segments, oldest first, whose records are all below `pin_lsn`; never the one that is
 * appended to. The directory is synced. *out_removed: how many went.
 */
ARKA_MUST_USE arka_status arka_wal_trim(arka_wal *wal, uint64_t pin_lsn, int64_t *out_removed,
                                        arka_error *err);

typedef struct arka_wal_stats {
    int64_t n_segments, n_bytes; /* on disk now, the active one included */
    uint64_t oldest_lsn;         /* base of the oldest segment; 0: there is none */
    uint64_t oldest_last_lsn;    /* its last one */
    uint64_t durable_lsn, appended_lsn;
    int64_t groups, records, rows, bytes; /* appended since begin */
    int64_t syncs, sync_ns, sync_max_ns, sync_last_ns;
    int64_t append_failures, sync_failures, rotations, removed;
    int64_t active_bytes, active_age_ms;
    char active[64]; /* name of the segment that is appended to; empty: none yet */
} arka_wal_stats;
void arka_wal_get_stats(arka_wal *wal, arka_wal_stats *out);
/** How long its syncs took. */
void arka_wal_get_sync_latency(const arka_wal *wal, arka_latency_view *out);

typedef struct arka_wal_segment_info {
    const char *name;
    int64_t n_bytes, modified_us;
    uint64_t base_lsn, last_lsn;
    bool active;
} arka_wal_segment_info;
/** Every segment, oldest first; strings live for the call, no lock is held during it. */
ARKA_MUST_USE arka_status arka_wal_each_segment(arka_wal *wal,
                                                arka_status (*each)(void *context,
                                                                    const arka_wal_segment_info *s,
                                                                    arka_error *err),
                                                void *context, arka_error *err);

#endif
