#include "server/http/workers.h"

#include "kit/kit.h"
#include "os/thread.h"

static arka_error err;

/* Jobs that wait until they are let go, and count. */
typedef struct gate {
    arka_mutex lock;
    arka_cond changed;
    bool open;
    int n_begun, n_done;
} gate;

static void pass(void *context)
{
    gate *g = context;
    arka_mutex_lock(&g->lock);
    g->n_begun++;
    arka_cond_broadcast(&g->changed);
    while (!g->open)
        arka_cond_wait(&g->changed, &g->lock, arka_mono_after_ms(10000));
    g->n_done++;
    arka_mutex_unlock(&g->lock);
}

static void begin(gate *g)
{
    *g = (gate){0};
    arka_mutex_init(&g->lock, ARKA_LOCK_LEAF);
    arka_cond_init(&g->changed);
    err = (arka_error){0};
}

static void wait_begun(gate *g, int n)
{
    arka_mutex_lock(&g->lock);
    while (g->n_begun < n)
        assert_true(arka_cond_wait(&g->changed, &g->lock, arka_mono_after_ms(10000)));
    arka_mutex_unlock(&g->lock);
}

static void open_gate(gate *g)
{
    arka_mutex_lock(&g->lock);
    g->open = true;
    arka_cond_broadcast(&g->changed);
    arka_mutex_unlock(&g->lock);
}

TEST(a_full_queue_is_busy_and_says_how_full)
{
    arka_workers *w;
    gate g;
    begin(&g);
    ASSERT_OK(arka_workers_new("queries", 2, 1, &w, &err));
    ASSERT_OK(arka_workers_submit(w, pass, &g, &err));
    ASSERT_OK(arka_workers_submit(w, pass, &g, &err));
    wait_begun(&g, 2);
    ASSERT_OK(arka_workers_submit(w, pass, &g, &err));
    ASSERT_FAILS(arka_workers_submit(w, pass, &g, &err), ARKA_BUSY,
                 "2 queries running and 1 waiting");
    open_gate(&g);
    wait_begun(&g, 3);
    arka_workers_free(w);
    assert_int_equal(g.n_done, 3);
    arka_cond_fini(&g.changed);
    arka_mutex_fini(&g.lock);
}

TEST(stopping_runs_what_was_submitted_and_refuses_the_rest)
{
    arka_workers *w;
    gate g;
    begin(&g);
    g.open = true;
    ASSERT_OK(arka_workers_new("requests", 1, 100, &w, &err));
    for (int i = 0; i < 50; i++)
        ASSERT_OK(arka_workers_submit(w, pass, &g, &err));
    arka_workers_stop(w);
    assert_int_equal(g.n_done, 50);
    ASSERT_FAILS(arka_workers_submit(w, pass, &g, &err), ARKA_BUSY, "busy");
    arka_workers_free(w);
    arka_workers_free(NULL);
    arka_cond_fini(&g.changed);
    arka_mutex_fini(&g.lock);
}
