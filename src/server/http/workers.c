#include "server/http/workers.h"

#include "base/mem.h"
#include "os/thread.h"

typedef struct job {
    void (*run)(void *context);
    void *context;
} job;

struct arka_workers {
    const char *name;
    arka_mutex lock;
    arka_cond wake; /* there is a job, or it is time to stop */
    job *queue;     /* a ring; lock */
    size_t cap;
    size_t first, n; /* lock */
    int n_running;   /* lock */
    bool stop;       /* lock */
    int n_threads;
    arka_thread threads[];
};

static bool take_job(arka_workers *w, job *out)
{
    arka_mutex_lock(&w->lock);
    while (w->n == 0 && !w->stop)
        arka_cond_wait(&w->wake, &w->lock, arka_mono_after_ms(60000));
    bool got = w->n > 0;
    if (got) {
        *out = w->queue[w->first];
        w->first = (w->first + 1) % w->cap;
        w->n--;
        w->n_running++;
    }
    arka_mutex_unlock(&w->lock);
    return got;
}

static void run_jobs(void *context)
{
    arka_workers *w = context;
    job one;
    while (take_job(w, &one)) {
        one.run(one.context);
        arka_mutex_lock(&w->lock);
        w->n_running--;
        arka_mutex_unlock(&w->lock);
    }
}

arka_status arka_workers_new(const char *name, int n_threads, int max_waiting, arka_workers **out,
                             arka_error *err)
{
    size_t cap = (size_t)n_threads + (size_t)max_waiting;
    arka_workers *w = arka_calloc(1, sizeof *w + (size_t)n_threads * sizeof *w->threads);
    job *queue = arka_calloc(cap, sizeof *queue);
    if (w == NULL || queue == NULL) {
        arka_free(w);
        arka_free(queue);
        return arka_fail_nomem(err, "a work queue", cap * sizeof *queue);
    }
    w->name = name;
    w->queue = queue;
    w->cap = cap;
    arka_mutex_init(&w->lock, ARKA_LOCK_QUEUE);
    arka_cond_init(&w->wake);
    for (; w->n_threads < n_threads; w->n_threads++) {
        arka_status status = arka_thread_start(&w->threads[w->n_threads], name, run_jobs, w, err);
        if (status != ARKA_OK) {
            arka_workers_free(w);
            return status;
        }
    }
    *out = w;
    return ARKA_OK;
}

int arka_workers_n_running(arka_workers *workers)
{
    arka_mutex_lock(&workers->lock);
    int n = workers->n_running;
    arka_mutex_unlock(&workers->lock);
    return n;
}

void arka_workers_stop(arka_workers *workers)
{
    arka_mutex_lock(&workers->lock);
    workers->stop = true;
    arka_cond_broadcast(&workers->wake);
    arka_mutex_unlock(&workers->lock);
    for (int i = 0; i < workers->n_threads; i++)
        arka_thread_join(&workers->threads[i]);
    workers->n_threads = 0;
}

void arka_workers_free(arka_workers *workers)
{
    if (workers == NULL)
        return;
    arka_workers_stop(workers);
    arka_cond_fini(&workers->wake);
    arka_mutex_fini(&workers->lock);
    arka_free(workers->queue);
    arka_free(workers);
}

arka_status arka_workers_submit(arka_workers *workers, void (*run)(void *context), void *context,
                                arka_error *err)
{
    arka_mutex_lock(&workers->lock);
    size_t n_waiting = workers->n, n_running = (size_t)workers->n_running;
    bool full = n_waiting + n_running >= workers->cap || workers->stop;
    if (!full) {
        size_t at = (workers->first + workers->n++) % workers->cap;
        workers->queue[at] = (job){run, context};
        arka_cond_signal(&workers->wake);
    }
    arka_mutex_unlock(&workers->lock);
    if (full)
        return arka_fail(err, ARKA_BUSY, "the server is busy: %zu %s running and %zu waiting",
                         n_running, workers->name, n_waiting);
    return ARKA_OK;
}
