/* Writes that wait for memory: order, deadlines, bounds, and that each wait ends (MEM-5). */
#include "engine/parked.h"

#include <sched.h>

#include "kit/kit.h"
#include "os/thread.h"

enum { LIMIT = 1000, MS = 1000000 };

static arka_mono at_ms(int64_t ms)
{
    return (arka_mono){ms * MS};
}

static bool push(arka_parked *parked, arka_put_request *request, int64_t n_bytes,
                 arka_mono deadline)
{
    *request = (arka_put_request){.n_bytes = n_bytes, .deadline = deadline};
    return arka_parked_push(parked, request);
}

TEST(the_first_to_come_goes_first_and_a_large_one_is_not_passed)
{
    arka_gate gate;
    arka_parked parked;
    arka_put_request writes[3];
    arka_gate_init(&gate, LIMIT);
    arka_gate_adjust(&gate, 900);
    arka_parked_init(&parked, LIMIT);
    assert_true(push(&parked, &writes[0], 10, at_ms(50)));
    assert_true(push(&parked, &writes[1], 400, at_ms(50)));
    assert_true(push(&parked, &writes[2], 10, at_ms(50)));
    assert_null(arka_parked_pop_fitting(&parked, &gate));
    arka_gate_adjust(&gate, -200); /* 70 %: the first fits, the second does not, the third would */
    assert_ptr_equal(arka_parked_pop_fitting(&parked, &gate), &writes[0]);
    assert_true(writes[0].holds_memory && !writes[1].holds_memory);
    assert_int_equal(arka_gate_used(&gate), 710);
    assert_null(arka_parked_pop_fitting(&parked, &gate));
    assert_int_equal(parked.n, 2);
    arka_gate_adjust(&gate, -710);
    assert_ptr_equal(arka_parked_pop_fitting(&parked, &gate), &writes[1]);
    assert_ptr_equal(arka_parked_pop_fitting(&parked, &gate), &writes[2]);
    assert_null(arka_parked_pop_fitting(&parked, &gate));
    assert_int_equal(parked.n_bytes, 0);
    assert_int_equal(arka_gate_used(&gate), 410);
}

TEST(who_waited_too_long_is_refused_at_its_deadline_and_not_before)
{
    arka_parked parked;
    arka_put_request writes[3];
    arka_parked_init(&parked, LIMIT);
    assert_int_equal(arka_parked_next_look(&parked, at_ms(0)).ns, INT64_MAX);
    assert_null(arka_parked_pop_late(&parked, at_ms(1000000)));
    assert_true(push(&parked, &writes[0], 1, at_ms(500)));
    assert_true(push(&parked, &writes[1], 1, at_ms(400))); /* moved to 500 */
    assert_true(push(&parked, &writes[2], 1, at_ms(700)));
    /* at least every 100 ms (MEM-5), at the deadline when that is nearer */
    assert_int_equal(arka_parked_next_look(&parked, at_ms(10)).ns, at_ms(110).ns);
    assert_int_equal(arka_parked_next_look(&parked, at_ms(450)).ns, at_ms(500).ns);
    assert_null(arka_parked_pop_late(&parked, (arka_mono){500 * (int64_t)MS - 1}));
    assert_ptr_equal(arka_parked_pop_late(&parked, at_ms(500)), &writes[0]);
    assert_ptr_equal(arka_parked_pop_late(&parked, at_ms(500)), &writes[1]);
    assert_null(arka_parked_pop_late(&parked, at_ms(500)));
    assert_int_equal(parked.n, 1);
    assert_ptr_equal(arka_parked_pop(&parked), &writes[2]);
    assert_null(arka_parked_pop(&parked));
    assert_true(push(&parked, &writes[0], 1, at_ms(1))); /* empty again: as new */
    assert_int_equal(parked.first->deadline.ns, at_ms(1).ns);
}

TEST(what_waits_is_bounded_but_one_may_always_wait)
{
    arka_parked parked;
    arka_put_request writes[3];
    arka_parked_init(&parked, 100);
    assert_true(push(&parked, &writes[0], 5000, at_ms(1)));
    assert_false(push(&parked, &writes[1], 1, at_ms(1)));
    assert_ptr_equal(arka_parked_pop(&parked), &writes[0]);
    assert_true(push(&parked, &writes[0], 60, at_ms(1)));
    assert_false(push(&parked, &writes[1], 41, at_ms(1)));
    assert_true(push(&parked, &writes[1], 40, at_ms(1)));
    assert_int_equal(parked.n_bytes, 100);
}

/* ---- as the committer drives it ---- */

typedef struct yard {
    arka_gate gate;
    arka_mutex lock;
    arka_cond wake; /* of the committer */
    arka_parked parked;
    bool stop;
    uint64_t arrivals, last_popped;
    int64_t blocked, refused;
    int n_threads, n_rounds; /* of all writers */
} yard;

typedef struct waiter {
    arka_put_request write; /* first */
    arka_cond cond;
    uint64_t number;
    bool decided, admitted;
} waiter;

static void decide(yard *y, arka_put_request *write, bool admitted)
{
    waiter *w = (waiter *)write;
    assert_true(w->number > y->last_popped); /* in the order of arrival */
    y->last_popped = w->number;
    assert_false(w->decided);
    w->decided = true;
    w->admitted = admitted;
    arka_cond_signal(&w->cond);
}

/* A wake-up that is lost shows as a wait of a minute: the 100 ms of next_look are not used here. */
static void run_committer(void *context)
{
    yard *y = context;
    arka_mutex_lock(&y->lock);
    while (!y->stop) {
        arka_put_request *w;
        while ((w = arka_parked_pop_fitting(&y->parked, &y->gate)) != NULL)
            decide(y, w, true);
        while ((w = arka_parked_pop_late(&y->parked, arka_mono_now())) != NULL)
            decide(y, w, false);
        assert_true(arka_cond_wait(&y->wake, &y->lock, arka_mono_after_ms(60000)));
    }
    while (arka_parked_pop(&y->parked) != NULL)
        y->refused++;
    arka_mutex_unlock(&y->lock);
}

static bool take_or_wait(yard *y, waiter *w, int64_t n_bytes)
{
    int64_t delay;
    arka_mutex_lock(&y->lock);
    w->admitted = y->parked.n == 0 && arka_gate_take(&y->gate, n_bytes, &delay, NULL) == ARKA_OK;
    if (!w->admitted) {
        w->number = ++y->arrivals;
        w->decided = false;
        y->blocked++;
        assert_true(push(&y->parked, &w->write, n_bytes, arka_mono_after_ms(3600000)));
        arka_cond_signal(&y->wake);
        while (!w->decided)
            assert_true(arka_cond_wait(&w->cond, &y->lock, arka_mono_after_ms(60000)));
    }
    bool admitted = w->admitted;
    arka_mutex_unlock(&y->lock);
    return admitted;
}

static void give_back(yard *y, int64_t n_bytes)
{
    arka_gate_adjust(&y->gate, -n_bytes);
    arka_mutex_lock(&y->lock);
    arka_cond_signal(&y->wake);
    arka_mutex_unlock(&y->lock);
}

enum { N_WRITERS = 8, ROUNDS = 100000 };

static void run_writer(void *context)
{
    yard *y = context;
    waiter w = {.decided = false};
    arka_cond_init(&w.cond);
    arka_mutex_lock(&y->lock);
    uint32_t x = (uint32_t)++y->n_threads;
    arka_mutex_unlock(&y->lock);
    for (int i = 0; i < y->n_rounds / N_WRITERS; i++) {
        x = x * 1664525 + 1013904223;
        int64_t n = LIMIT / 3 + (x >> 8) % (LIMIT / 7); /* one at a time has room */
        assert_true(take_or_wait(y, &w, n));
        if (x >> 30) /* three times of four others come to want it now */
            sched_yield();
        give_back(y, n);
    }
    arka_cond_fini(&w.cond);
}

/* The full run has a million: ARKA_ROUNDS says how many. */
TEST(F26_many_waits_and_none_is_forgotten)
{
    const char *rounds = getenv("ARKA_ROUNDS");
    static yard y;
    arka_error err = {0};
    arka_thread committer, writers[N_WRITERS];
    y.n_rounds = rounds ? (int)strtol(rounds, NULL, 10) : ROUNDS;
    arka_gate_init(&y.gate, LIMIT);
    arka_mutex_init(&y.lock, ARKA_LOCK_COMMIT);
    arka_cond_init(&y.wake);
    arka_parked_init(&y.parked, INT64_MAX);
    arka_gate_adjust(&y.gate, LIMIT / 2); /* others have it: little room, so most have to wait */
    ASSERT_OK(arka_thread_start(&committer, "committer", run_committer, &y, &err));
    for (int i = 0; i < N_WRITERS; i++)
        ASSERT_OK(arka_thread_start(&writers[i], "writer", run_writer, &y, &err));
    for (int i = 0; i < N_WRITERS; i++)
        arka_thread_join(&writers[i]);
    arka_mutex_lock(&y.lock);
    y.stop = true;
    arka_cond_signal(&y.wake);
    arka_mutex_unlock(&y.lock);
    arka_thread_join(&committer);
    assert_int_equal(y.refused, 0);
    assert_int_equal(y.parked.n, 0);
    assert_int_equal(y.parked.n_bytes, 0);
    assert_int_equal(arka_gate_used(&y.gate), LIMIT / 2);
    print_message("%lld of %d waited\n", (long long)y.blocked, y.n_rounds);
    assert_true(y.blocked > y.n_rounds / 10);
    arka_cond_fini(&y.wake);
    arka_mutex_fini(&y.lock);
}
