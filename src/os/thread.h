/**
 * Threads, locks and conditions on pthreads. A mutex knows its class (os/locks.def); debug builds
 * stop when one is taken against the order of ranks, given back by a thread that has it not, or
 * waited with while another is held. All builds stop when one is freed while held.
 */
#ifndef ARKA_OS_THREAD_H
#define ARKA_OS_THREAD_H

#include <pthread.h>

#include "base/status.h"
#include "os/clock.h"

#if defined(__clang__)
#define ARKA_CAPABILITY(name) __attribute__((capability(name)))
#define ARKA_ACQUIRES(...)    __attribute__((acquire_capability(__VA_ARGS__)))
#define ARKA_RELEASES(...)    __attribute__((release_capability(__VA_ARGS__)))
#define ARKA_REQUIRES(...)    __attribute__((requires_capability(__VA_ARGS__)))
#define ARKA_NO_ANALYSIS      __attribute__((no_thread_safety_analysis))
#else
#define ARKA_CAPABILITY(name)
#define ARKA_ACQUIRES(...)
#define ARKA_RELEASES(...)
#define ARKA_REQUIRES(...)
#define ARKA_NO_ANALYSIS
#endif

typedef enum arka_lock_class {
#define X(name, rank, text) ARKA_LOCK_##name,
#include "os/locks.def"
#undef X
} arka_lock_class;

typedef struct ARKA_CAPABILITY("mutex") arka_mutex {
    pthread_mutex_t native;
    arka_lock_class class;
    bool taken; /* under itself */
} arka_mutex;

typedef struct arka_cond {
    pthread_cond_t native;
} arka_cond;

void arka_mutex_init(arka_mutex *m, arka_lock_class class);
void arka_mutex_fini(arka_mutex *m);
void arka_mutex_lock(arka_mutex *m) ARKA_ACQUIRES(*m);
void arka_mutex_unlock(arka_mutex *m) ARKA_RELEASES(*m);

void arka_cond_init(arka_cond *c);
void arka_cond_fini(arka_cond *c);
/**
 * Waits until signalled or `deadline`; false when the deadline passed. May wake for nothing. `m` is
 * the only lock that the thread holds.
 */
bool arka_cond_wait(arka_cond *c, arka_mutex *m, arka_mono deadline) ARKA_REQUIRES(*m);
void arka_cond_signal(arka_cond *c);
void arka_cond_broadcast(arka_cond *c);

typedef struct arka_thread {
    pthread_t native;
} arka_thread;

/** `name`: up to 15 characters, shown by top and gdb; a literal. Signals are blocked in it. */
ARKA_MUST_USE arka_status arka_thread_start(arka_thread *t, const char *name,
                                            void (*run)(void *context), void *context,
                                            arka_error *err);
void arka_thread_join(arka_thread *t);

/** Processors that this process may use, at least 1. */
int arka_n_processors(void);

#endif
