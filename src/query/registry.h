/**
 * The account of queries: those that are there now, and the last ones that ended, each under an id
 * that the server chose. What is told is a copy. All functions: any thread.
 *
 *     begin → queued → running → streaming → end
 *
 * An entry is one query from its arrival until its answer was made. Whoever began it ends it, once;
 * from then on it belongs to the history, a ring of which the oldest goes.
 */
#ifndef ARKA_QUERY_REGISTRY_H
#define ARKA_QUERY_REGISTRY_H

#include "auth/auth.h"
#include "base/arena.h"

typedef struct arka_query_registry arka_query_registry;
typedef struct arka_query_entry arka_query_entry;

enum {
    ARKA_QUERY_ID = 37,     /* a UUID and its NUL */
    ARKA_QUERY_TEXT = 2000, /* bytes of a statement that are kept */
    ARKA_QUERY_ERROR = 500, /* … of a failure's sentence */
    ARKA_QUERY_DATABASE = 72,
    ARKA_QUERY_TOKEN = 104, /* … of these names */
};

typedef enum arka_query_state {
    ARKA_QUERY_QUEUED,    /* waits for a thread or for memory */
    ARKA_QUERY_RUNNING,   /* nothing of its answer was sent */
    ARKA_QUERY_STREAMING, /* the first bytes are on their way */
    ARKA_QUERY_ENDED,     /* in the history */
} arka_query_state;

typedef enum arka_query_outcome {
    ARKA_QUERY_OPEN, /* it has not ended */
    ARKA_QUERY_COMPLETED,
    ARKA_QUERY_FAILED,
    ARKA_QUERY_CANCELLED, /* by DELETE, a client that left, or a stop */
    ARKA_QUERY_TIMED_OUT,
    ARKA_QUERY_REFUSED, /* it never ran: the queue was full, or rows were not visible in time */
} arka_query_outcome;

/** "queued", "completed", … */
const char *arka_query_state_text(arka_query_state state);
const char *arka_query_outcome_text(arka_query_outcome outcome);

/** One query as it is at the moment. Texts belong to the arena that was given. */
typedef struct arka_query_info {
    char id[ARKA_QUERY_ID];
    const char *text; /* what of it is kept, whole characters */
    bool text_cut;    /* there was more */
    const char *database;
    int64_t token_id;       /* 0: nobody was asked */
    const char *token_name; /* "" then */
    arka_priority priority;
    arka_query_state state;
    arka_query_outcome outcome;
    bool cached;           /* the answer came from the cache of results */
    int64_t began_us;      /* wall clock: when it came */
    int64_t started_us;    /* … when it began to run; 0: not yet, or never */
    int64_t ended_us;      /* … when it ended; 0: not yet */
    double wait_ms;        /* in the queue, so far */
    double run_ms;         /* since it began to run, so far */
    int64_t n_rows;        /* of the answer, so far */
    int64_t n_bytes;       /* of the answer, so far */
    uint64_t snapshot_lsn; /* it sees rows up to it; 0: it has not begun to look */
    int64_t peak_bytes;    /* of DuckDB's memory while nothing else ran; -1: not known */
    const char *error;     /* "" unless it failed */
} arka_query_info;

/** `n_history`: queries that ended and are remembered, at least 1. */
ARKA_MUST_USE arka_status arka_query_registry_new(int n_history, arka_query_registry **out,
                                                  arka_error *err);
/** Every query must have ended. NULL is fine. */
void arka_query_registry_free(arka_query_registry *registry);

/** What is known of a query when it comes. Copied, cut where it is long. */
typedef struct arka_query_begin {
    arka_slice text, database, token_name;
    int64_t token_id;
    arka_priority priority;
    /**
     * Makes it stop: called while it has not ended, with a lock of rank QUERIES held; twice is
     * fine. NULL: it cannot be cancelled.
     */
    void (*cancel)(void *context);
    void *cancel_context;
} arka_query_begin;
/** A new query with a new id, queued. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_query_registry_begin(arka_query_registry *registry,
                                                    const arka_query_begin *begin,
                                                    arka_query_entry **out, arka_error *err);
/** As long as the entry is not ended. */
const char *arka_query_entry_id(const arka_query_entry *entry);

/** The statement, where it was not known when it came. */
void arka_query_entry_set_text(arka_query_registry *registry, arka_query_entry *entry,
                               arka_slice text);
/** It waited until now and runs; a second call, for one that runs again, leaves the first's times.
 */
void arka_query_entry_start(arka_query_registry *registry, arka_query_entry *entry);
void arka_query_entry_stream(arka_query_registry *registry, arka_query_entry *entry);
/** How far it is. */
void arka_query_entry_progress(arka_query_registry *registry, arka_query_entry *entry,
                               int64_t n_rows, int64_t n_bytes, uint64_t snapshot_lsn);
/** The most memory that DuckDB had while nothing else ran; what is less than before is nothing new.
 */
void arka_query_entry_note_memory(arka_query_registry *registry, arka_query_entry *entry,
                                  int64_t n_bytes);

/** What became of it. `error`: "" or a sentence. */
typedef struct arka_query_end {
    arka_query_outcome outcome;
    bool cached;
    int64_t n_rows, n_bytes;
    uint64_t snapshot_lsn;
    const char *error;
} arka_query_end;
/** Ends it: the entry is the registry's, and its cancel is not called any more. */
void arka_query_registry_end(arka_query_registry *registry, arka_query_entry *take_entry,
                             const arka_query_end *end);

/** Who asks; what another's query says is not for everybody. */
typedef struct arka_query_reader {
    bool all;         /* an administrator, or nobody is asked for tokens */
    int64_t token_id; /* else: only the queries of this one */
} arka_query_reader;

typedef enum arka_query_which { ARKA_QUERIES_ACTIVE, ARKA_QUERIES_HISTORY } arka_query_which;
/**
 * At most `max` of those that the reader may see, the newest first. *out lives in `arena`.
 * ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_query_registry_list(arka_query_registry *registry,
                                                   arka_query_which which,
                                                   const arka_query_reader *reader, size_t max,
                                                   arka_arena *arena, arka_query_info **out,
                                                   size_t *out_n, arka_error *err);
/** Active or ended. ARKA_NOTFOUND: there is none, or the reader may not see it. */
ARKA_MUST_USE arka_status arka_query_registry_get(arka_query_registry *registry, arka_slice id,
                                                  const arka_query_reader *reader,
                                                  arka_arena *arena, arka_query_info *out,
                                                  arka_error *err);
/** Ask it to stop. ARKA_NOTFOUND as above; ARKA_CONFLICT: it has ended, or cannot be stopped. */
ARKA_MUST_USE arka_status arka_query_registry_cancel(arka_query_registry *registry, arka_slice id,
                                                     const arka_query_reader *reader,
                                                     arka_error *err);

/** Since the start; the times add up. */
typedef struct arka_query_totals {
    int64_t n_queued, n_running; /* at this moment; running: streaming as well */
    int64_t completed, failed, cancelled, timed_out, refused, cached;
    int64_t rows, bytes;
    double wait_ms, run_ms; /* of those that ran and ended */
    int64_t n_ran;
} arka_query_totals;
void arka_query_registry_get_totals(arka_query_registry *registry, arka_query_totals *out);
/** Of active ones and of the history. */
int64_t arka_query_registry_bytes(arka_query_registry *registry);

#endif
