/** One query on its way, from its submission to its end. Private to query*.c. */
#ifndef ARKA_SERVER_QUERY_QUERY_JOB_H
#define ARKA_SERVER_QUERY_QUERY_JOB_H

#include "server/query/query.h"
#include "server/server_priv.h"

typedef struct arka_query_job {
    arka_job job; /* first: the pool's */
    arka_server *server;
    arka_request *request; /* NULL once it was given back */
    arka_query_ask ask;    /* its texts are the two below, and the request's */
    char *text, *database;
    arka_buf made; /* the SQL of a select */
    char id[ARKA_QUERY_ID];
    arka_query_entry *entry;
    arka_stream *stream; /* holds the ticket */
    arka_query *query;   /* while it runs */
    arka_buf piece;
    int64_t n_rows, n_bytes;
    uint64_t lsn;
    arka_mono arrived;
    int64_t limit_ms;   /* it may run so long, after it has waited so long at most */
    arka_mono deadline; /* of waiting, then of running */
    bool from_arrival;  /* limit_ms is for both together: the client has said so */
    bool began;         /* running, once at least */
    bool unseen;        /* it did not run, for want of the rows that it must see */
    bool profile;       /* wanted */
    bool remember;      /* the answer shall be */
    bool has_digest;
    uint64_t digest[2];
    arka_buf kept;     /* of a streamed answer: what was sent, to be remembered */
    int64_t kept_room; /* taken for it of the cache's bytes */
} arka_query_job;

/** The pool's calls, and what a refused one shares with them. query_run.c */
arka_job_result arka_query_job_run(arka_job *job);
void arka_query_job_drop(arka_job *job, arka_job_drop why);
void arka_query_job_free(arka_job *job);
/** Somebody cancels it: for its entry, `context` being the job. */
void arka_query_job_cancelled(void *context);
/** Its ticket was cancelled: if it still waits it waits no more. `context` as above. */
void arka_query_job_leave_queue(void *context);
/** Answer what failed, if the request is still ours, and end the entry. */
void arka_query_job_fail(arka_query_job *q, const arka_error *err);

/**
 * query_cached.c: has the cache the answer? Then it stands in the request, or will, when *how is
 * ARKA_DETACHED.
 */
bool arka_query_answer_cached(arka_request *r, const arka_query_ask *ask, arka_priority priority,
                              arka_handled *how);
/** A piece of a streamed answer, before it is sent: to be remembered when all of them were. */
void arka_query_note_piece(arka_query_job *q, arka_slice piece, bool done);
/** What was kept of it, and its room. */
void arka_query_let_go_kept(arka_query_job *q);
/** Remember a whole answer. */
void arka_query_remember(arka_query_job *q, arka_slice whole, size_t end_at, int n_columns);
/** What is known of it in the account of queries when it comes. */
arka_query_begin arka_query_begin_of(const arka_request *r, const arka_query_ask *ask,
                                     arka_priority priority);
/** More members for a JSON envelope: in front of its last brace. */
void arka_query_add_members(arka_buf *envelope, const char *format, ...) ARKA_PRINTF(2, 3);

#endif
