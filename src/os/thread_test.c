#include "os/thread.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/kit.h"

/* Does `run` end with a broken promise? In a child, so that this process lives on. */
static bool stops(void (*run)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fclose(stderr);
        signal(SIGABRT, SIG_DFL); /* cmocka has its own handler */
        run();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void in_order(void)
{
    arka_mutex a, b;
    arka_mutex_init(&a, ARKA_LOCK_DDL);
    arka_mutex_init(&b, ARKA_LOCK_TABLE);
    arka_mutex_lock(&a);
    arka_mutex_lock(&b);
    arka_mutex_unlock(&a); /* the order of giving back is free */
    arka_mutex_unlock(&b);
}

/* What clang would refuse to compile is what is to be seen at run time. */
#ifndef NDEBUG
ARKA_NO_ANALYSIS static void against_the_order(void)
{
    arka_mutex a, b;
    arka_mutex_init(&a, ARKA_LOCK_DDL);
    arka_mutex_init(&b, ARKA_LOCK_TABLE);
    arka_mutex_lock(&b);
    arka_mutex_lock(&a);
}

ARKA_NO_ANALYSIS static void of_one_class(void)
{
    arka_mutex a;
    arka_mutex_init(&a, ARKA_LOCK_TABLE);
    arka_mutex_lock(&a);
    arka_mutex_lock(&a); /* would wait for ever */
}

ARKA_NO_ANALYSIS static void not_held(void)
{
    arka_mutex a;
    arka_mutex_init(&a, ARKA_LOCK_TABLE);
    arka_mutex_unlock(&a);
}

ARKA_NO_ANALYSIS static void wait_with_two(void)
{
    arka_mutex a, b;
    arka_cond c;
    arka_mutex_init(&a, ARKA_LOCK_DDL);
    arka_mutex_init(&b, ARKA_LOCK_TABLE);
    arka_cond_init(&c);
    arka_mutex_lock(&a);
    arka_mutex_lock(&b);
    arka_cond_wait(&c, &b, arka_mono_after_ms(0));
}

#endif

ARKA_NO_ANALYSIS static void freed_while_held(void)
{
    arka_mutex a;
    arka_mutex_init(&a, ARKA_LOCK_TABLE);
    arka_mutex_lock(&a);
    arka_mutex_fini(&a);
}

TEST(locks_against_the_order_stop_debug_builds)
{
    assert_false(stops(in_order));
#ifndef NDEBUG
    assert_true(stops(against_the_order));
    assert_true(stops(of_one_class));
    assert_true(stops(not_held));
    assert_true(stops(wait_with_two));
#endif
    assert_true(stops(freed_while_held));
}

typedef struct turn {
    arka_mutex lock;
    arka_cond changed;
    bool done;
} turn;

static void set_done(void *context)
{
    turn *t = context;
    arka_mutex_lock(&t->lock);
    t->done = true;
    arka_cond_broadcast(&t->changed);
    arka_mutex_unlock(&t->lock);
}

TEST(a_wait_ends_with_the_signal_or_the_deadline)
{
    arka_error err = {0};
    turn t = {.done = false};
    arka_mutex_init(&t.lock, ARKA_LOCK_QUEUE);
    arka_cond_init(&t.changed);
    arka_mutex_lock(&t.lock);
    arka_mono start = arka_mono_now();
    while (arka_cond_wait(&t.changed, &t.lock, (arka_mono){start.ns + 2000000})) {
    }
    assert_true(arka_mono_since_ns(start) >= 2000000);
    arka_thread thread;
    ASSERT_OK(arka_thread_start(&thread, "setter", set_done, &t, &err));
    while (!t.done)
        assert_true(arka_cond_wait(&t.changed, &t.lock, arka_mono_after_ms(10000)));
    arka_mutex_unlock(&t.lock);
    arka_thread_join(&thread);
    arka_cond_fini(&t.changed);
    arka_mutex_fini(&t.lock);
}
