/** Shared by the log's files only. */
#ifndef ARKA_WAL_WAL_PRIV_H
#define ARKA_WAL_WAL_PRIV_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/vec.h"
#include "os/thread.h"
#include "wal/wal.h"

enum {
    ARKA_WAL__NAME = 48, /* bytes of a segment's name with its NUL */
    ARKA_WAL__UNFINISHED_NAME = 64,
    ARKA_WAL__VERSION = 1,   /* of the format: arka:wal */
    ARKA_WAL__CRC_TEXT = 16, /* hex digits of arka:crc: of the body, then of prefix and metadata */
    ARKA_WAL__TABLE_ID = 64, /* a longer table id never continues a run */
    ARKA_WAL__METADATA = 64 << 20, /* bytes of a message's metadata at most */
};
#define ARKA_WAL__RUN_BYTES (INT64_C(64) << 20)

/* Levels of on_event, as arka_event has them. */
enum { ARKA_WAL__INFO = 1, ARKA_WAL__WARN = 2, ARKA_WAL__ERROR = 3 };

/* ---- segment.c: names and files ---- */

/** segment_<base, 20 digits>.arrow */
void arka_wal__name(uint64_t base, char out[ARKA_WAL__NAME]);
/** The name that a segment has while it is not whole: its own with ARKA_WAL__UNFINISHED behind. */
void arka_wal__unfinished_name(uint64_t base, char out[ARKA_WAL__UNFINISHED_NAME]);
/** False: no segment's name. */
bool arka_wal__name_parse(const char *name, uint64_t *out_base);
/** "dir/name"; the caller frees it. */
ARKA_MUST_USE arka_status arka_wal__path(const char *dir, const char *name, char **out,
                                         arka_error *err);
/** A name in the directory was made or removed, and that is on the disk. */
ARKA_MUST_USE arka_status arka_wal__sync_dir(const arka_os *os, const char *dir, arka_error *err);
/** fdatasync or fsync; EINTR is retried, nothing else. */
ARKA_MUST_USE arka_status arka_wal__sync_fd(const arka_os *os, arka_wal_sync_mode mode, int fd,
                                            const char *name, arka_error *err);
/** All parts at `at`, however many; short writes are continued. `parts` is used up. */
ARKA_MUST_USE arka_status arka_wal__write(const arka_os *os, int fd, const char *name,
                                          struct iovec *parts, size_t n_parts, int64_t at,
                                          arka_error *err);
/** Cut a closed segment to its first `bytes` with `end_mark` behind them if asked, synced. */
ARKA_MUST_USE arka_status arka_wal__cut(const arka_os *os, const char *dir, const char *name,
                                        int64_t bytes, bool end_mark, arka_error *err);
/** unlink; a name that is gone already is fine. */
ARKA_MUST_USE arka_status arka_wal__unlink(const arka_os *os, const char *dir, const char *name,
                                           arka_error *err);

/* ---- frame.c: messages as they are written ---- */

/** What the heads of a segment's runs say about it. */
typedef struct arka_wal__heading {
    uint64_t base, prev_lsn, epoch;
    uint64_t lost_to; /* 0: nothing is lost */
} arka_wal__heading;

/** The run that is being written. */
typedef struct arka_wal__run {
    bool open;
    arka_wal_kind kind;
    int32_t schema_id;
    uint64_t layout;
    int64_t at; /* where its schema message stands in the file */
    size_t table_id_len;
    char table_id[ARKA_WAL__TABLE_ID];
} arka_wal__run;

/** A run's piece of a group: bytes of `heads` up to `heads_end`, then `body` from elsewhere. */
typedef struct arka_wal__piece {
    size_t heads_end;
    const void *body;
    size_t body_bytes;
} arka_wal__piece;

/** A group being put together. */
typedef struct arka_wal__group {
    arka_buf heads;
    ARKA_VEC(arka_wal__piece) pieces;
    size_t outside; /* bytes of all bodies in `pieces` */
    bool failed;    /* out of memory (or heads.failed) */
} arka_wal__group;
void arka_wal__group_fini(arka_wal__group *group);

/** Does the entry belong to the run? */
bool arka_wal__same_run(const arka_wal__run *run, const arka_wal_entry *entry);
/** End the open run, begin the entry's at `file_at` + what the group has. */
void arka_wal__put_run(arka_wal__group *group, arka_wal__run *run, const arka_wal__heading *heading,
                       const arka_wal_entry *entry, int64_t file_at);
typedef struct arka_wal__record_facts {
    int64_t ts_us;
    uint64_t durable;
    int64_t run_at;
    bool group_end;
    arka_ipc_codec codec;
} arka_wal__record_facts;
void arka_wal__put_record(arka_wal__group *group, const arka_wal_entry *entry,
                          const arka_wal__record_facts *facts);
/** Would the CRC of these bytes of prefix and metadata be what `text` (inside them) says? */
uint32_t arka_wal__head_crc(const char *frame, size_t n, size_t crc_text_at);

/* ---- read.c: a segment read piece by piece ---- */

typedef struct arka_wal__input {
    const arka_os *os;
    int fd;
    int64_t size; /* of the file when it was opened */
    arka_buf window;
    int64_t window_at; /* where in the file the window begins */
    char name[ARKA_WAL__NAME];
} arka_wal__input;
#define ARKA_WAL__INPUT_CLOSED                                                                     \
    {                                                                                              \
        .fd = -1                                                                                   \
    }
ARKA_MUST_USE arka_status arka_wal__input_open(const arka_os *os, const char *dir, const char *name,
                                               arka_wal__input *out, arka_error *err);
void arka_wal__input_close(arka_wal__input *in);
/** *out: bytes [at, at + n) of the file, which has them, until the next call. */
ARKA_MUST_USE arka_status arka_wal__input_get(arka_wal__input *in, int64_t at, size_t n,
                                              const char **out, arka_error *err);

/* ---- scan.c: its messages, verified ---- */

typedef enum arka_wal__step {
    ARKA_WAL__SCHEMA,
    ARKA_WAL__BATCH,
    ARKA_WAL__EOS,
    ARKA_WAL__END, /* of the file, right behind a message */
    ARKA_WAL__BAD, /* what stands here is no valid message: cursor->bad */
} arka_wal__step;

/** A message whose checksums are right. Slices live until the next step. */
typedef struct arka_wal__frame {
    int64_t at, bytes;
    arka_ipc_message message;
    uint64_t lsn_first, lsn_last, durable;
    int64_t ts_us, run_at, n_rows;
    bool group_end;
    arka_slice table, requests;
} arka_wal__frame;

/** The head of the run that is being read. Slices live as long as the run. */
typedef struct arka_wal__run_facts {
    arka_wal_kind kind;
    arka_slice full_name, database, table, table_id;
    int32_t schema_id;
    uint64_t epoch, base, prev_lsn;
    uint64_t lost_to; /* 0, or: the numbers up to this one were lost to damage */
    int64_t at;
} arka_wal__run_facts;

/** Walks a segment. Zero it, then arka_wal__cursor_open. */
typedef struct arka_wal__cursor {
    arka_wal__input in;
    uint64_t base;
    int64_t at;      /* of the next message */
    uint64_t expect; /* the next record's first LSN */
    bool in_run, in_group;
    bool headed; /* a schema message was met */
    arka_wal__run_facts run;
    arka_buf schema;         /* the run's schema message */
    arka_ipc_reader *reader; /* of `schema` */
    arka_wal__frame frame;
    char bad[320];
    bool foreign;   /* BAD at the very beginning: it never was a segment's */
    bool garbage;   /* it does not even begin like one */
    bool misplaced; /* BAD, but a message of a log: no torn write leaves that */
} arka_wal__cursor;
ARKA_MUST_USE arka_status arka_wal__cursor_open(const arka_os *os, const char *dir, uint64_t base,
                                                arka_wal__cursor *out, arka_error *err);
void arka_wal__cursor_close(arka_wal__cursor *cursor);
/**
 * One message on; BAD and END stay where they are. ARKA_INPUT: a newer format, or another Arrow
 * stream. ARKA_IO, ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_wal__cursor_next(arka_wal__cursor *cursor, arka_wal__step *out,
                                                arka_error *err);
/**
 * The next valid message at or behind cursor->at, whatever stands before it and whatever run it
 * belongs to: SCHEMA, BATCH (cursor->frame) or END. cursor->at ends behind it.
 */
ARKA_MUST_USE arka_status arka_wal__cursor_search(arka_wal__cursor *cursor, arka_wal__step *out,
                                                  arka_error *err);
/**
 * The next valid record whose run is known, whatever stands before it: BATCH, or END. Runs that
 * begin on the way become known.
 */
ARKA_MUST_USE arka_status arka_wal__cursor_rescue(arka_wal__cursor *cursor, arka_wal__step *out,
                                                  arka_error *err);

/* ---- record.c ---- */

/** The rows of the record that the cursor stands on. */
ARKA_MUST_USE arka_status arka_wal__cursor_batch(const arka_wal__cursor *cursor, arka_batch **out,
                                                 arka_error *err);
/** Its record; `out->event` and `payload` of a control record are borrowed from *out_control. */
ARKA_MUST_USE arka_status arka_wal__cursor_record(arka_wal__cursor *cursor, arka_wal_record *out,
                                                  arka_batch **out_control, arka_error *err);
struct arka_wal_source {
    const arka_wal__cursor *cursor;
};

/* ---- verify.c: what a segment holds, and what of it counts ---- */

typedef struct arka_wal__found {
    uint64_t base;
    char name[ARKA_WAL__NAME];
    int64_t size;
    bool headed;
    uint64_t prev_lsn; /* what its head says came before */
    uint64_t lost_to;  /* numbers up to here are known to be lost */
    uint64_t last_lsn; /* of the whole groups that count; prev_lsn when there are none */
    int64_t safe_at;   /* end of them */
    bool open_run;     /* the run at safe_at has no end mark */
    bool superseded;   /* something behind safe_at was written again elsewhere */
    int64_t n_records, n_rows, last_ts_us;
    uint64_t max_lsn, max_epoch;
    bool garbage;   /* it does not begin with anything that is ever written */
    bool misplaced; /* a valid message where none can have been written */
    bool damaged;   /* the bytes from safe_at on do not end in a whole group */
    int64_t bad_at;
    uint64_t later_durable; /* the highest arka:durable of a valid record behind the damage */
    char bad[320];
} arka_wal__found;

typedef enum arka_wal__trouble {
    ARKA_WAL__DAMAGE,   /* bytes that are no message, or a message that does not belong there */
    ARKA_WAL__GAP,      /* LSNs between a segment and the one before it are missing */
    ARKA_WAL__CONFLICT, /* a segment that contradicts those before it */
} arka_wal__trouble;

typedef struct arka_wal__scanned {
    ARKA_VEC(arka_wal__found) segments;
    uint64_t last_lsn; /* of the last record that counts, before what stops the reading */
    int torn;          /* index of the segment whose tail was never synced, and all after; -1 */
    int corrupt;       /* index of the segment that stops the reading; -1 */
    arka_wal__trouble trouble;
    int64_t corrupt_at;
    char text[512]; /* what is wrong with it */
} arka_wal__scanned;
void arka_wal__scanned_fini(arka_wal__scanned *scanned);

/** Tells how far a long reading is; false: stop. */
typedef struct arka_wal__meter {
    const arka_wal_reader *reader; /* NULL: nobody is told */
    int64_t done, told, total;
} arka_wal__meter;
ARKA_MUST_USE arka_status arka_wal__meter_add(arka_wal__meter *meter, int64_t bytes,
                                              arka_error *err);

/** All of one segment, or its records up to `limit`. */
ARKA_MUST_USE arka_status arka_wal__verify(const arka_os *os, const char *dir, uint64_t base,
                                           uint64_t limit, arka_wal__meter *meter,
                                           arka_wal__found *out, arka_error *err);
/** All segments and the chain between them; changes nothing. */
ARKA_MUST_USE arka_status arka_wal__scan(const arka_os *os, const char *dir, const uint64_t *bases,
                                         size_t n, arka_wal__meter *meter, arka_wal__scanned *out,
                                         arka_error *err);

/* ---- repair.c ---- */

#define ARKA_WAL__QUARANTINE "quarantine"
#define ARKA_WAL__UNFINISHED ".part"
/** Is this the name of a file that a repair was writing? */
bool arka_wal__is_unfinished(const char *name);
ARKA_MUST_USE arka_status arka_wal__remove_unfinished(const arka_os *os, const char *dir,
                                                      arka_error *err);

/** A file that should not be there goes to the quarantine as it is. */
ARKA_MUST_USE arka_status arka_wal__move_away(const arka_os *os, const char *dir, const char *name,
                                              arka_error *err);
/**
 * Set what stops the reading aside, so that the next scan gets past it; *text: what was done. After
 * a failure it can be done again.
 */
ARKA_MUST_USE arka_status arka_wal__set_aside(const arka_os *os, const char *dir,
                                              const arka_wal__scanned *scanned, char text[512],
                                              arka_error *err);

/* ---- the log ---- */

typedef struct arka_wal__segment {
    uint64_t base, last_lsn; /* last_lsn < base: it has no record */
    int64_t bytes;
} arka_wal__segment;

/** A record that is not synced: all it needs to be written once more. */
typedef struct arka_wal__pending {
    char *texts; /* what the entry's slices point into */
    bool group_end;
} arka_wal__pending;

struct arka_wal {
    arka_wal_options options;
    const arka_os *os;
    char *dir;
    int lock_fd;

    /* the committer's */
    int fd; /* of the segment that is appended to; -1: none */
    arka_wal__heading heading;
    char name[ARKA_WAL__NAME];
    int64_t file_bytes;
    int64_t durable_bytes; /* of them, synced */
    bool dirty;            /* written since the last sync */
    arka_wal__run run;
    arka_wal__group group;
    ARKA_VEC(struct iovec) parts;
    uint64_t next_lsn; /* no record may be below */
    int64_t last_ts_us;
    bool unfinished; /* the file has a name that does not count yet */
    uint64_t
        outdated; /* base of a segment of which nothing counts once a take-over is done; or 0 */
    uint64_t leftover; /* base of a segment without content that could not be removed; 0: none */
    bool recovered, began;
    uint64_t max_seen;
    ARKA_VEC(arka_wal_entry) pending; /* and as many of: */
    ARKA_VEC(arka_wal__pending) pending_more;

    atomic_uint_fast64_t durable, appended;
    atomic_bool broken;

    arka_mutex lock; /* WAL: below */
    ARKA_VEC(arka_wal__segment) segments;
    bool active;     /* the last of them is appended to */
    arka_mono begun; /* and was begun then */
    bool trimming;
    arka_wal_stats stats;
    char why[512]; /* it is broken */
    arka_latency sync_latency;
};

void arka_wal__event(arka_wal *wal, int level, const char *name, const char *format, ...)
    ARKA_PRINTF(4, 5);

/** Why it failed goes to `err`, which may be NULL; the status. */
arka_status arka_wal__hand_on(const arka_error *why, arka_error *err);

/* wal.c */
typedef ARKA_VEC(arka_wal__segment) arka_wal__segments;
/** The segments in a directory, sorted, with their sizes. ARKA_INPUT: a foreign file. */
ARKA_MUST_USE arka_status arka_wal__list_dir(const char *dir, arka_wal__segments *out,
                                             arka_error *err);
/** Look at the directory again: wal->segments. */
ARKA_MUST_USE arka_status arka_wal__list(arka_wal *wal, arka_error *err);

/* append.c */
/** A new segment that begins with `base`; `unfinished`: under a name that does not count yet. */
ARKA_MUST_USE arka_status arka_wal__begin_segment(arka_wal *wal, uint64_t base, bool unfinished,
                                                  arka_error *err);
void arka_wal__close_file(arka_wal *wal);
/** Entries as one group behind what is there. ARKA_IO: the file was cut back. */
ARKA_MUST_USE arka_status arka_wal__write_group(arka_wal *wal, const arka_wal_entry *entries,
                                                size_t n, arka_error *err);
/** A run of control records without any, so that the segment says what came before it. */
ARKA_MUST_USE arka_status arka_wal__write_head(arka_wal *wal, arka_error *err);
/** End the run, sync, close. */
ARKA_MUST_USE arka_status arka_wal__end_segment(arka_wal *wal, arka_error *err);

/* sync.c */
/** Nothing can be appended until it is mended; what need not be kept is forgotten. */
void arka_wal__break(arka_wal *wal, const arka_error *why);
ARKA_MUST_USE arka_status arka_wal__fail_broken(arka_wal *wal, arka_error *err);
/** Let the segment go as it is; it is removed if nothing in it is on the disk. */
void arka_wal__abandon(arka_wal *wal);
void arka_wal__forget_pending(arka_wal *wal, size_t from, size_t n);
ARKA_MUST_USE arka_status arka_wal__remember(arka_wal *wal, const arka_wal_entry *entry,
                                             bool group_end, arka_error *err);

#endif
