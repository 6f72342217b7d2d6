/**
 * Which query runs when. A pool of threads, and before it a queue for each priority, of which none
 * starves: each gets its share of the turns (8, 4, 2 and 1 of 15) as long as it has anything
 * waiting. One that nobody waits for any more, or whose deadline passes, leaves the queue without
 * having run.
 *
 * Memory: while DuckDB's is nearly used, no more than two run at once. A job that found too little
 * beside others is run once more, beside one at most; if it finds too little then, once more with
 * nothing beside it. So that this stops nobody for long:
 *
 *     until so few run           others are held back for half a second, then let in for as long;
 *                                then for a second, two, four and eight
 *     while it runs              after two seconds another may begin, one at a time; but nothing
 *                                begins beside it the last time
 *
 * All functions: any thread.
 */
#ifndef ARKA_QUERY_ADMISSION_H
#define ARKA_QUERY_ADMISSION_H

#include "auth/auth.h"
#include "os/clock.h"

typedef struct arka_admission arka_admission;

typedef enum arka_job_result {
    ARKA_JOB_ENDED,
    ARKA_JOB_FAILED, /* as well, but counted */
    /** Too little memory: run it again, alone. Only if it had company and is not solitary. */
    ARKA_JOB_ALONE,
} arka_job_result;

typedef enum arka_job_drop {
    ARKA_DROP_CANCELLED,
    ARKA_DROP_LATE, /* its deadline passed while it waited */
    ARKA_DROP_STOP, /* the pool ends */
} arka_job_drop;

/** One query that wants to run; caller's memory, from submit until `free`. */
typedef struct arka_job {
    /** On a thread of the pool. */
    arka_job_result (*run)(struct arka_job *job);
    /** Instead of run: it will not. On the keeper's thread. */
    void (*drop)(struct arka_job *job, arka_job_drop why);
    /** The last call, when run has ended or it was dropped: nobody knows it any more. */
    void (*free)(struct arka_job *job);
    /**
     * It has more memory than one may have, and shall fail with ARKA_LIMIT. Called with `target`
     * (see arka_admission_aim), under a lock of rank ADMISSION.
     */
    void (*over)(void *target);
    arka_priority priority;
    arka_mono deadline; /* ns = 0: none */
    const char *label;  /* its id, at most 36 characters; as long as the job */

    /* read-only for run */
    bool alone;      /* run again, beside one at most … */
    bool solitary;   /* … or nothing */
    int64_t wait_ns; /* in the queue */

    /* private to admission.c */
    struct arka_job *next, *previous;
    arka_mono queued, started;
    void *target;
    int64_t peak_bytes;
    bool is_queued, streaming, beside_others;
} arka_job;

typedef struct arka_admission_options {
    int n_threads; /* that run at once */
    /**
     * Of those that began within the last 50 ms; the next one waits so long. Short queries take
     * turns then, where many at once would only preempt each other, some of them with locks held;
     * long ones do not keep others waiting. 0: as n_threads.
     */
    int n_young;
    int max_waiting;    /* beyond those; the next is refused */
    int64_t memory;     /* all that DuckDB may have; 0: not looked at */
    int64_t one_memory; /* that one query may have; 0: as much as all */
    /** What DuckDB has at the moment and cannot simply let go; false: not known. */
    bool (*used)(void *context, int64_t *n_bytes);
    void *context;
} arka_admission_options;

ARKA_MUST_USE arka_status arka_admission_new(const arka_admission_options *options,
                                             arka_admission **out, arka_error *err);
/** From now on `used` may be asked: what it looks at is open. */
void arka_admission_watch_memory(arka_admission *admission);
/** Drops what waits, lets end what runs; what is submitted from now on is ARKA_BUSY. */
void arka_admission_stop(arka_admission *admission);
/** Stopped or not; nobody may submit any more. NULL is fine. */
void arka_admission_free(arka_admission *admission);

/** ARKA_BUSY: the queue is full, or the pool ends; neither run nor drop is called then. */
ARKA_MUST_USE arka_status arka_admission_submit(arka_admission *admission, arka_job *job,
                                                arka_error *err);
/** If it still waits it is dropped, soon; what runs is left alone. Before `free` was called. */
void arka_admission_cancel(arka_admission *admission, arka_job *job);
/** What `over` gets; NULL: nothing, it is not called. From within run. */
void arka_admission_aim(arka_admission *admission, arka_job *job, void *target);
/** It cannot be run again any more: the first bytes are out. From within run. */
void arka_admission_streams(arka_admission *admission, arka_job *job);

/** Did anything run beside it since it began? From within run. */
bool arka_admission_had_company(arka_admission *admission, arka_job *job);
/** Of DuckDB's memory, at a moment when nothing else ran; -1: not known. From within run. */
int64_t arka_admission_peak_bytes(arka_admission *admission, arka_job *job);

typedef struct arka_admission_stats {
    int n_threads, max_waiting, n_running, n_waiting;
    int waiting[ARKA_N_PRIORITIES];
    bool held_back; /* jobs wait for memory, not for a thread */
    int64_t memory_used, memory_limit, one_memory;
    int64_t n_run, n_failed, n_refused, n_dropped, n_late;
    int64_t n_waited; /* that did not find a free thread */
    int64_t n_held;   /* times that a thread was free and memory was not */
    int64_t n_alone;  /* run again, alone */
    int64_t n_over;   /* stopped for more memory than one may have */
    int64_t wait_ns, run_ns;
} arka_admission_stats;
void arka_admission_get_stats(arka_admission *admission, arka_admission_stats *out);
int arka_admission_n_running(arka_admission *admission);

typedef struct arka_admission_thread {
    int64_t n_run, n_failed, run_ns;
    int64_t last_us;  /* wall clock, when its last job ended; 0: none yet */
    char current[40]; /* label of what runs; "" */
} arka_admission_thread;
/** Of thread `i` below n_threads. */
void arka_admission_get_thread(arka_admission *admission, int i, arka_admission_thread *out);

#endif
