#include "os/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "base/mem.h"

/* Ranks that this thread holds, as bits of their classes: small, and only looked at in debug. */
static _Thread_local uint32_t held;

#ifndef NDEBUG
static const int RANKS[] = {
#define X(name, rank, text) rank,
#include "os/locks.def"
#undef X
};
#endif

/* Before the lock is taken: a deadlock would keep a later look from ever happening. */
static void check_order(arka_lock_class class)
{
#ifndef NDEBUG
    for (unsigned c = 0; c < sizeof RANKS / sizeof *RANKS; c++)
        ARKA_CHECK(!(held >> c & 1) || RANKS[c] < RANKS[class],
                   "lock of rank %d taken while one of rank %d is held", RANKS[class], RANKS[c]);
#else
    (void)class;
#endif
}

void arka_mutex_init(arka_mutex *m, arka_lock_class class)
{
    pthread_mutex_init(&m->native, NULL); /* default attributes: cannot fail on Linux */
    m->class = class;
    m->taken = false;
}

void arka_mutex_fini(arka_mutex *m)
{
    /* Not found by pthread_mutex_trylock: ThreadSanitizer counts what that takes as held for ever.
     */
    ARKA_CHECK(!m->taken, "a lock of class %d was freed while held", (int)m->class);
    pthread_mutex_destroy(&m->native);
}

ARKA_NO_ANALYSIS void arka_mutex_lock(arka_mutex *m)
{
    check_order(m->class);
    pthread_mutex_lock(&m->native);
    m->taken = true;
    held |= 1u << m->class;
}

ARKA_NO_ANALYSIS void arka_mutex_unlock(arka_mutex *m)
{
    ARKA_DCHECK(held >> m->class & 1);
    held &= ~(1u << m->class);
    m->taken = false;
    pthread_mutex_unlock(&m->native);
}

void arka_cond_init(arka_cond *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->native, &attr);
    pthread_condattr_destroy(&attr);
}

void arka_cond_fini(arka_cond *c)
{
    pthread_cond_destroy(&c->native);
}

bool arka_cond_wait(arka_cond *c, arka_mutex *m, arka_mono deadline)
{
    ARKA_DCHECK(held == 1u << m->class); /* else the others would be held over the wait */
    struct timespec t = {.tv_sec = deadline.ns / 1000000000, .tv_nsec = deadline.ns % 1000000000};
    m->taken = false;
    int result = pthread_cond_timedwait(&c->native, &m->native, &t);
    m->taken = true;
    return result != ETIMEDOUT;
}

void arka_cond_signal(arka_cond *c)
{
    pthread_cond_signal(&c->native);
}

void arka_cond_broadcast(arka_cond *c)
{
    pthread_cond_broadcast(&c->native);
}

typedef struct start {
    const char *name;
    void (*run)(void *context);
    void *context;
} start;

static void *begin(void *memory)
{
    start s = *(start *)memory;
    arka_free(memory);
    /* by itself: from another thread it is a write below /proc, which a sandbox refuses */
    pthread_setname_np(pthread_self(), s.name);
    s.run(s.context);
    return NULL;
}

arka_status arka_thread_start(arka_thread *t, const char *name, void (*run)(void *context),
                              void *context, arka_error *err)
{
    start *s = arka_malloc(sizeof *s);
    if (s == NULL)
        return arka_fail_nomem(err, "a thread", sizeof *s);
    *s = (start){name, run, context};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&t->native, NULL, begin, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        arka_free(s);
        return arka_fail_sys(err, ARKA_BUSY, failed, "starting thread '%s'", name);
    }
    return ARKA_OK;
}

void arka_thread_join(arka_thread *t)
{
    pthread_join(t->native, NULL);
}

int arka_n_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? n : 1;
}
