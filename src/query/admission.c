#include "query/admission.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/thread.h"

enum {
    STRIDE = 8,         /* divided by a class's weight: how far one turn moves it */
    FULL_PERCENT = 80,  /* of DuckDB's memory: from here on only ALWAYS run at once */
    ALWAYS = 2,         /* a short query shall not wait for a long one to end */
    LOOK_EVERY_MS = 50, /* at memory, while jobs run that have run so long already */
    IDLE_MS = 60000,
    FIRST_HOLD_MS = 500, /* nothing begins for so long while one waits to be alone, … */
    LAST_HOLD_MS = 8000, /* … each time twice as long, up to this */
    SOLE_MS = 2000,      /* one that is alone stays so */
    YOUNG_MS = 50,
};
/* critical, high, normal, low */
static const int WEIGHT[ARKA_N_PRIORITIES] = {
    [ARKA_PRIORITY_CRITICAL] = 8,
    [ARKA_PRIORITY_HIGH] = 4,
    [ARKA_PRIORITY_NORMAL] = 2,
    [ARKA_PRIORITY_LOW] = 1,
};

/* Jobs of one kind, the oldest first. */
typedef struct queue {
    arka_job *first, *last;
    int n;
    uint64_t pass; /* the class with the lowest one has the next turn */
} queue;

typedef struct pool_thread {
    arka_admission *admission;
    arka_thread native;
    arka_job *job; /* that it runs */
    arka_admission_thread told;
} pool_thread;

struct arka_admission {
    arka_admission_options options;
    arka_mutex lock; /* ADMISSION: all below */
    arka_cond work;  /* a job may run, or is to be dropped, or it is time to stop */
    arka_cond look;  /* the keeper has something to look at */
    queue waiting[ARKA_N_PRIORITIES];
    queue again;   /* to be run alone */
    queue dropped; /* cancelled or late, to be told */
    int n_waiting, n_running;
    uint64_t pass;      /* of the last turn */
    arka_job *sole;     /* that runs and should have all memory */
    int64_t sole_until; /* others may run beside it from then on, if it is not solitary; ns */
    int64_t hold_ns;    /* how long the next hold is */
    int64_t hold_from, hold_until; /* ns; the last hold */
    bool others_turn;              /* after one that was alone */
    bool held;                     /* the last look for a job found memory short */
    bool watches;                  /* memory may be asked */
    bool keeper_sleeps;            /* until it is woken: nothing runs */
    bool stop;
    int64_t used; /* of memory, at the last look */
    arka_mono keeper_wakes;
    arka_admission_stats stats;
    arka_thread keeper;
    bool keeper_runs;
    int n_threads;
    pool_thread threads[];
};

/* ---- queues ---- */

static void push(queue *q, arka_job *job)
{
    job->next = NULL;
    job->previous = q->last;
    *(q->last ? &q->last->next : &q->first) = job;
    q->last = job;
    q->n++;
}

static void unlink_job(queue *q, arka_job *job)
{
    *(job->previous ? &job->previous->next : &q->first) = job->next;
    *(job->next ? &job->next->previous : &q->last) = job->previous;
    job->next = job->previous = NULL;
    q->n--;
}

/* A class that comes back from being empty has saved no turns up. */
static void enqueue_locked(arka_admission *a, arka_job *job) ARKA_REQUIRES(a->lock);
static void enqueue_locked(arka_admission *a, arka_job *job)
{
    queue *q = &a->waiting[job->priority];
    if (q->n == 0 && q->pass < a->pass)
        q->pass = a->pass;
    job->is_queued = true;
    push(q, job);
    a->n_waiting++;
}

static void dequeue_locked(arka_admission *a, arka_job *job) ARKA_REQUIRES(a->lock);
static void dequeue_locked(arka_admission *a, arka_job *job)
{
    unlink_job(job->alone ? &a->again : &a->waiting[job->priority], job);
    job->is_queued = false;
    a->n_waiting--;
    if (job->alone && a->n_waiting > 0) /* they need not wait for it any more, if it leaves */
        arka_cond_broadcast(&a->work);
}

static queue *next_class_locked(arka_admission *a) ARKA_REQUIRES(a->lock);
static queue *next_class_locked(arka_admission *a)
{
    queue *best = NULL;
    for (int p = ARKA_N_PRIORITIES - 1; p >= 0; p--) { /* of equals the higher one */
        queue *q = &a->waiting[p];
        if (q->n > 0 && (best == NULL || q->pass < best->pass))
            best = q;
    }
    return best;
}

/* ---- who may run ---- */

static bool memory_is_short_locked(const arka_admission *a) ARKA_REQUIRES(a->lock);
static bool memory_is_short_locked(const arka_admission *a)
{
    return a->options.memory > 0 && a->used > a->options.memory / 100 * FULL_PERCENT;
}

static int64_t ns_of(int64_t ms)
{
    return ms * INT64_C(1000000);
}

/* One waits until nearly nothing runs: may nothing begin meanwhile? A hold is followed by as long a
 * rest.
 */
static bool holds_locked(arka_admission *a, int64_t now) ARKA_REQUIRES(a->lock);
static bool holds_locked(arka_admission *a, int64_t now)
{
    if (now >= a->hold_until + (a->hold_until - a->hold_from)) {
        a->hold_from = now;
        a->hold_until = now + a->hold_ns;
        if (a->hold_ns < ns_of(LAST_HOLD_MS))
            a->hold_ns *= 2;
        arka_cond_signal(&a->look); /* the keeper says when it is over */
    }
    return now < a->hold_until;
}

static void end_holds_locked(arka_admission *a) ARKA_REQUIRES(a->lock);
static void end_holds_locked(arka_admission *a)
{
    a->hold_from = a->hold_until = 0;
    a->hold_ns = ns_of(FIRST_HOLD_MS);
}

static arka_job *take_alone_locked(arka_admission *a, int64_t now) ARKA_REQUIRES(a->lock);
static arka_job *take_alone_locked(arka_admission *a, int64_t now)
{
    arka_job *job = a->again.first;
    dequeue_locked(a, job);
    end_holds_locked(a);
    a->sole = job;
    a->sole_until = now + ns_of(SOLE_MS);
    arka_cond_signal(&a->look); /* the keeper says when others may begin */
    return job;
}

/* One that is to be alone runs: may another one begin? */
static bool sole_allows_locked(const arka_admission *a, int64_t now) ARKA_REQUIRES(a->lock);
static bool sole_allows_locked(const arka_admission *a, int64_t now)
{
    return !a->sole->solitary && now >= a->sole_until && a->n_running < ALWAYS;
}

/* When may another one begin, as far as the young ones go? 0: now. */
static int64_t next_beginning_locked(const arka_admission *a) ARKA_REQUIRES(a->lock);
static int64_t next_beginning_locked(const arka_admission *a)
{
    int64_t now = arka_mono_now().ns, first = INT64_MAX;
    int n_young = 0;
    for (int i = 0; i < a->n_threads; i++) {
        const arka_job *job = a->threads[i].job;
        int64_t until = job != NULL && !job->streaming ? job->started.ns + ns_of(YOUNG_MS) : 0;
        if (until > now) {
            n_young++;
            first = until < first ? until : first;
        }
    }
    return n_young >= a->options.n_young ? first : 0;
}

/* Too many young ones: the keeper lets the next one in. */
static bool are_young_locked(arka_admission *a) ARKA_REQUIRES(a->lock);
static bool are_young_locked(arka_admission *a)
{
    if (a->options.n_young <= 0 || a->n_running < a->options.n_young)
        return false;
    int64_t at = next_beginning_locked(a);
    if (at != 0 && at < a->keeper_wakes.ns)
        arka_cond_signal(&a->look);
    return at != 0;
}

static arka_job *take_locked(arka_admission *a) ARKA_REQUIRES(a->lock);
static arka_job *take_locked(arka_admission *a)
{
    queue *class = next_class_locked(a);
    int64_t now = a->again.n > 0 || a->sole != NULL ? arka_mono_now().ns : 0;
    a->held = false;
    if (a->sole != NULL && !sole_allows_locked(a, now))
        return NULL;
    if (a->sole == NULL && a->again.n > 0 && (!a->others_turn || class == NULL)) {
        if (a->n_running < (a->again.first->solitary ? 1 : ALWAYS))
            return take_alone_locked(a, now);
        if (holds_locked(a, now))
            return NULL;
    }
    if (class == NULL)
        return NULL;
    if (a->n_running >= ALWAYS && memory_is_short_locked(a)) {
        a->held = true;
        a->stats.n_held++;
        return NULL;
    }
    if (are_young_locked(a))
        return NULL;
    arka_job *job = class->first;
    a->pass = class->pass;
    class->pass += (uint64_t)STRIDE / (uint64_t)WEIGHT[job->priority];
    dequeue_locked(a, job);
    a->others_turn = false;
    return job;
}

/* ---- the threads ---- */

static void note_company_locked(arka_admission *a) ARKA_REQUIRES(a->lock);
static void note_company_locked(arka_admission *a)
{
    for (int i = 0; i < a->n_threads; i++)
        if (a->threads[i].job != NULL)
            a->threads[i].job->beside_others |= a->n_running > 1;
}

static void begin_locked(arka_admission *a, pool_thread *t, arka_job *job) ARKA_REQUIRES(a->lock);
static void begin_locked(arka_admission *a, pool_thread *t, arka_job *job)
{
    job->started = arka_mono_now();
    job->wait_ns += job->started.ns - job->queued.ns;
    job->beside_others = false;
    a->stats.wait_ns += job->started.ns - job->queued.ns;
    a->n_running++;
    t->job = job;
    snprintf(t->told.current, sizeof t->told.current, "%s", job->label ? job->label : "");
    note_company_locked(a);
    if (a->keeper_sleeps && a->options.memory > 0) {
        a->keeper_sleeps = false;
        arka_cond_signal(&a->look);
    }
}

static void end_locked(arka_admission *a, pool_thread *t, arka_mono started, bool was_alone,
                       arka_job_result result) ARKA_REQUIRES(a->lock);
static void end_locked(arka_admission *a, pool_thread *t, arka_mono started, bool was_alone,
                       arka_job_result result)
{
    int64_t ns = arka_mono_now().ns - started.ns;
    a->n_running--;
    t->told.current[0] = 0;
    t->told.run_ns += ns;
    a->stats.run_ns += ns;
    if (was_alone) {
        a->sole = NULL;
        a->others_turn = true;
    }
    if (result != ARKA_JOB_ALONE) {
        t->told.n_run++;
        t->told.n_failed += result == ARKA_JOB_FAILED;
        t->told.last_us = arka_wall_us();
        a->stats.n_run++;
        a->stats.n_failed += result == ARKA_JOB_FAILED;
    }
    /* what was held back, or waits to be alone, may be another thread's now; one is this one's */
    if (a->n_waiting > 1 || a->stop)
        arka_cond_broadcast(&a->work);
}

static void run_again_locked(arka_admission *a, arka_job *job) ARKA_REQUIRES(a->lock);
static void run_again_locked(arka_admission *a, arka_job *job)
{
    ARKA_CHECK(!job->solitary, "a job that was alone wants to be alone");
    job->solitary = job->alone;
    job->alone = true;
    job->queued = arka_mono_now();
    job->is_queued = true;
    job->target = NULL;
    push(&a->again, job);
    a->n_waiting++;
    a->stats.n_alone++;
}

static void run_job(arka_admission *a, pool_thread *t, arka_job *job)
{
    arka_mono started = job->started;
    bool was_alone = job->alone;
    arka_job_result result = job->run(job);
    arka_mutex_lock(&a->lock);
    t->job = NULL;
    if (result == ARKA_JOB_ALONE)
        run_again_locked(a, job);
    end_locked(a, t, started, was_alone, result);
    arka_mutex_unlock(&a->lock);
    if (result != ARKA_JOB_ALONE)
        job->free(job);
}

static arka_job_drop why_dropped(const arka_admission *a, const arka_job *job)
{
    if (job->deadline.ns != 0 && arka_mono_now().ns >= job->deadline.ns)
        return ARKA_DROP_LATE;
    return a->stop ? ARKA_DROP_STOP : ARKA_DROP_CANCELLED;
}

/* Something to do for the thread; false: there is nothing. */
static bool step_locked(arka_admission *a, pool_thread *t) ARKA_REQUIRES(a->lock) ARKA_NO_ANALYSIS;
static bool step_locked(arka_admission *a, pool_thread *t)
{
    arka_job *job = a->stop ? NULL : take_locked(a);
    if (job == NULL)
        return false;
    if (job->deadline.ns != 0 && arka_mono_now().ns >= job->deadline.ns) {
        if (a->sole == job)
            a->sole = NULL;
        push(&a->dropped, job);
        arka_cond_signal(&a->look);
        return true;
    }
    begin_locked(a, t, job);
    arka_mutex_unlock(&a->lock);
    run_job(a, t, job);
    arka_mutex_lock(&a->lock);
    return true;
}

static void run_thread(void *context)
{
    pool_thread *t = context;
    arka_admission *a = t->admission;
    arka_mutex_lock(&a->lock);
    while (!a->stop)
        if (!step_locked(a, t))
            arka_cond_wait(&a->work, &a->lock, arka_mono_after_ms(IDLE_MS));
    arka_mutex_unlock(&a->lock);
}

/* ---- the keeper: what is late or dropped, and memory ---- */

static void drop_late_locked(arka_admission *a, queue *q, int64_t now, int64_t *next)
    ARKA_REQUIRES(a->lock);
static void drop_late_locked(arka_admission *a, queue *q, int64_t now, int64_t *next)
{
    for (arka_job *job = q->first, *after; job != NULL; job = after) {
        after = job->next;
        if (job->deadline.ns == 0)
            continue;
        if (job->deadline.ns <= now) {
            dequeue_locked(a, job);
            push(&a->dropped, job);
        } else if (job->deadline.ns < *next) {
            *next = job->deadline.ns;
        }
    }
}

static void drop_everything_locked(arka_admission *a) ARKA_REQUIRES(a->lock);
static void drop_everything_locked(arka_admission *a)
{
    for (int p = 0; p <= ARKA_N_PRIORITIES; p++) {
        queue *q = p < ARKA_N_PRIORITIES ? &a->waiting[p] : &a->again;
        for (arka_job *job; (job = q->first) != NULL;) {
            dequeue_locked(a, job);
            push(&a->dropped, job);
        }
    }
}

/* Those that had to wait while one was, or waited to be, alone, or for young ones: may they begin?
 */
static void let_in_locked(arka_admission *a, int64_t now, int64_t *next) ARKA_REQUIRES(a->lock);
static void let_in_locked(arka_admission *a, int64_t now, int64_t *next)
{
    bool sole = a->sole != NULL && !a->sole->solitary;
    int64_t at = sole ? a->sole_until : a->sole == NULL && a->again.n > 0 ? a->hold_until : 0;
    if (at > now && at < *next)
        *next = at;
    if (at != 0 && at <= now && a->n_waiting > a->again.n && (!sole || a->n_running < ALWAYS))
        arka_cond_broadcast(&a->work);
    if (a->options.n_young <= 0 || a->n_waiting == a->again.n || a->n_running == a->n_threads)
        return;
    at = next_beginning_locked(a);
    if (at == 0)
        arka_cond_signal(&a->work); /* and one more when that one is not young any more */
    at = at == 0 ? now + ns_of(YOUNG_MS) : at;
    *next = at < *next ? at : *next;
}

/* Tells those that were dropped, without the lock. */
static void tell_dropped_locked(arka_admission *a) ARKA_REQUIRES(a->lock) ARKA_NO_ANALYSIS;
static void tell_dropped_locked(arka_admission *a)
{
    for (arka_job *job; (job = a->dropped.first) != NULL;) {
        unlink_job(&a->dropped, job);
        arka_job_drop why = why_dropped(a, job);
        a->stats.n_dropped++;
        a->stats.n_late += why == ARKA_DROP_LATE;
        arka_mutex_unlock(&a->lock);
        job->drop(job, why);
        job->free(job);
        arka_mutex_lock(&a->lock);
    }
}

static bool anything_is_long_locked(const arka_admission *a, int64_t now) ARKA_REQUIRES(a->lock);
static bool anything_is_long_locked(const arka_admission *a, int64_t now)
{
    for (int i = 0; i < a->n_threads; i++) {
        const arka_job *job = a->threads[i].job;
        if (job != NULL && now - job->started.ns > ns_of(LOOK_EVERY_MS))
            return true;
    }
    return false;
}

/* Of those that could be run again, the one that began first; of a single one it is known whose
 * memory it is. */
static arka_job *largest_locked(const arka_admission *a) ARKA_REQUIRES(a->lock);
static arka_job *largest_locked(const arka_admission *a)
{
    arka_job *found = NULL;
    for (int i = 0; i < a->n_threads; i++) {
        arka_job *job = a->threads[i].job;
        if (job != NULL && job->target != NULL && job->over != NULL &&
            (!job->streaming || a->n_running == 1) &&
            (found == NULL || job->started.ns < found->started.ns))
            found = job;
    }
    return found;
}

static void judge_memory_locked(arka_admission *a) ARKA_REQUIRES(a->lock);
static void judge_memory_locked(arka_admission *a)
{
    int64_t each = a->options.one_memory;
    for (int i = 0; a->n_running == 1 && i < a->n_threads; i++) {
        arka_job *job = a->threads[i].job;
        if (job != NULL && a->used > job->peak_bytes)
            job->peak_bytes = a->used;
    }
    if (each <= 0 || each >= a->options.memory || a->n_running == 0 ||
        a->used <= each * a->n_running)
        return;
    arka_job *job = largest_locked(a);
    if (job == NULL)
        return;
    job->over(job->target);
    job->target = NULL; /* once is enough */
    a->stats.n_over++;
}

static void look_at_memory_locked(arka_admission *a) ARKA_REQUIRES(a->lock) ARKA_NO_ANALYSIS;
static void look_at_memory_locked(arka_admission *a)
{
    int64_t used = 0;
    if (a->n_running == 0 || !a->watches) {
        a->used = 0;
        return;
    }
    if (!anything_is_long_locked(a, arka_mono_now().ns) && !a->held)
        return;
    arka_mutex_unlock(&a->lock);
    bool known = a->options.used(a->options.context, &used);
    arka_mutex_lock(&a->lock);
    bool was_short = memory_is_short_locked(a);
    a->used = known ? used : 0;
    if (was_short && !memory_is_short_locked(a) && a->n_waiting > 0)
        arka_cond_broadcast(&a->work);
    judge_memory_locked(a);
}

static void keep(void *context)
{
    arka_admission *a = context;
    arka_mutex_lock(&a->lock);
    while (!a->stop || a->n_running > 0 || a->n_waiting > 0 || a->dropped.n > 0) {
        int64_t now = arka_mono_now().ns, next = now + ns_of(IDLE_MS);
        for (int p = 0; p < ARKA_N_PRIORITIES; p++)
            drop_late_locked(a, &a->waiting[p], now, &next);
        drop_late_locked(a, &a->again, now, &next);
        if (a->stop)
            drop_everything_locked(a);
        tell_dropped_locked(a);
        let_in_locked(a, now, &next);
        look_at_memory_locked(a);
        bool looks = a->n_running > 0 && a->options.memory > 0;
        if ((looks || a->stop) && next > now + ns_of(LOOK_EVERY_MS))
            next = now + ns_of(LOOK_EVERY_MS);
        a->keeper_sleeps = !looks;
        a->keeper_wakes = (arka_mono){next};
        if (a->dropped.n == 0)
            arka_cond_wait(&a->look, &a->lock, a->keeper_wakes);
    }
    arka_mutex_unlock(&a->lock);
}

/* ---- outside ---- */

arka_status arka_admission_new(const arka_admission_options *options, arka_admission **out,
                               arka_error *err)
{
    size_t n_bytes = sizeof(arka_admission) + (size_t)options->n_threads * sizeof(pool_thread);
    arka_admission *a = arka_calloc(1, n_bytes);
    if (a == NULL)
        return arka_fail_nomem(err, "the pool of queries", n_bytes);
    a->options = *options;
    a->hold_ns = ns_of(FIRST_HOLD_MS);
    arka_mutex_init(&a->lock, ARKA_LOCK_ADMISSION);
    arka_cond_init(&a->work);
    arka_cond_init(&a->look);
    arka_status status = arka_thread_start(&a->keeper, "query-keeper", keep, a, err);
    a->keeper_runs = status == ARKA_OK;
    for (; status == ARKA_OK && a->n_threads < options->n_threads;) {
        pool_thread *t = &a->threads[a->n_threads];
        t->admission = a;
        status = arka_thread_start(&t->native, "queries", run_thread, t, err);
        a->n_threads += status == ARKA_OK;
    }
    if (status != ARKA_OK)
        arka_admission_free(a);
    else
        *out = a;
    return status;
}

void arka_admission_watch_memory(arka_admission *a)
{
    arka_mutex_lock(&a->lock);
    a->watches = a->options.used != NULL;
    arka_mutex_unlock(&a->lock);
}

void arka_admission_stop(arka_admission *a)
{
    arka_mutex_lock(&a->lock);
    a->stop = true;
    arka_cond_broadcast(&a->work);
    arka_cond_signal(&a->look);
    arka_mutex_unlock(&a->lock);
    for (int i = 0; i < a->n_threads; i++)
        arka_thread_join(&a->threads[i].native);
    a->n_threads = 0;
    if (a->keeper_runs)
        arka_thread_join(&a->keeper);
    a->keeper_runs = false;
}

void arka_admission_free(arka_admission *a)
{
    if (a == NULL)
        return;
    arka_admission_stop(a);
    arka_cond_fini(&a->look);
    arka_cond_fini(&a->work);
    arka_mutex_fini(&a->lock);
    arka_free(a);
}

static void wake_keeper_for_locked(arka_admission *a, const arka_job *job) ARKA_REQUIRES(a->lock);
static void wake_keeper_for_locked(arka_admission *a, const arka_job *job)
{
    if (job->deadline.ns != 0 && job->deadline.ns < a->keeper_wakes.ns)
        arka_cond_signal(&a->look);
}

arka_status arka_admission_submit(arka_admission *a, arka_job *job, arka_error *err)
{
    arka_mutex_lock(&a->lock);
    job->alone = job->solitary = job->is_queued = job->streaming = job->beside_others = false;
    job->wait_ns = 0;
    job->peak_bytes = -1;
    job->target = NULL;
    job->queued = arka_mono_now();
    int n_running = a->n_running, n_waiting = a->n_waiting, n_free = a->n_threads - n_running;
    bool stop = a->stop, full = n_waiting >= a->options.max_waiting + (n_free > 0 ? n_free : 0);
    if (!stop && !full) {
        enqueue_locked(a, job);
        a->stats.n_waited += n_free <= 0;
        wake_keeper_for_locked(a, job);
    } else {
        a->stats.n_refused++;
    }
    arka_mutex_unlock(&a->lock);
    if (!stop && !full)
        arka_cond_signal(&a->work); /* who wakes finds the lock free */
    if (stop)
        return arka_fail(err, ARKA_BUSY, "the server is stopping");
    if (full)
        return arka_fail(err, ARKA_BUSY, "the server is busy: %d queries running and %d waiting",
                         n_running, n_waiting);
    return ARKA_OK;
}

void arka_admission_cancel(arka_admission *a, arka_job *job)
{
    arka_mutex_lock(&a->lock);
    if (job->is_queued) {
        dequeue_locked(a, job);
        push(&a->dropped, job);
        arka_cond_signal(&a->look);
    }
    arka_mutex_unlock(&a->lock);
}

void arka_admission_aim(arka_admission *a, arka_job *job, void *target)
{
    arka_mutex_lock(&a->lock);
    job->target = target;
    arka_mutex_unlock(&a->lock);
}

void arka_admission_streams(arka_admission *a, arka_job *job)
{
    arka_mutex_lock(&a->lock);
    job->streaming = true;
    arka_mutex_unlock(&a->lock);
}

bool arka_admission_had_company(arka_admission *a, arka_job *job)
{
    arka_mutex_lock(&a->lock);
    bool had = job->beside_others;
    arka_mutex_unlock(&a->lock);
    return had;
}

int64_t arka_admission_peak_bytes(arka_admission *a, arka_job *job)
{
    arka_mutex_lock(&a->lock);
    int64_t n_bytes = job->peak_bytes;
    arka_mutex_unlock(&a->lock);
    return n_bytes;
}

void arka_admission_get_stats(arka_admission *a, arka_admission_stats *out)
{
    arka_mutex_lock(&a->lock);
    *out = a->stats;
    out->n_threads = a->options.n_threads;
    out->max_waiting = a->options.max_waiting;
    out->n_running = a->n_running;
    out->n_waiting = a->n_waiting;
    for (int p = 0; p < ARKA_N_PRIORITIES; p++)
        out->waiting[p] = a->waiting[p].n;
    out->held_back = a->held && a->n_waiting > 0;
    out->memory_used = a->used;
    out->memory_limit = a->options.memory;
    out->one_memory = a->options.one_memory > 0 ? a->options.one_memory : a->options.memory;
    arka_mutex_unlock(&a->lock);
}

int arka_admission_n_running(arka_admission *a)
{
    arka_mutex_lock(&a->lock);
    int n = a->n_running;
    arka_mutex_unlock(&a->lock);
    return n;
}

void arka_admission_get_thread(arka_admission *a, int i, arka_admission_thread *out)
{
    arka_mutex_lock(&a->lock);
    *out = a->threads[i].told;
    arka_mutex_unlock(&a->lock);
}
