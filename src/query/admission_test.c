#include "query/admission.h"

#include <stdatomic.h>
#include <unistd.h>

#include "kit/kit.h"
#include "os/thread.h"

/* Jobs that end when they are told to, and write down in which order they began. */
typedef struct act {
    arka_job job; /* first */
    bool waits;   /* for `go` */
    bool again;   /* the first time it wants to be alone */
    bool twice;   /* and a second time, after company came */
    atomic_bool began, go, over;
    atomic_int ended; /* 1: run, 2: cancelled, 3: late, 4: stopped */
    atomic_bool freed;
    bool was_alone;
    int place;
} act;

static arka_admission *pool;
static atomic_int n_begun, n_now, most_now;
static atomic_int_least64_t memory;
static int most_young; /* of the next pool */

static void until(atomic_bool *flag)
{
    while (!atomic_load(flag))
        usleep(1000);
}

static arka_job_result run(arka_job *job)
{
    act *a = (act *)job;
    int now = atomic_fetch_add(&n_now, 1) + 1, most = atomic_load(&most_now);
    while (now > most && !atomic_compare_exchange_weak(&most_now, &most, now)) {
    }
    a->place = atomic_fetch_add(&n_begun, 1);
    a->was_alone = job->alone;
    arka_admission_aim(pool, job, a);
    atomic_store(&a->began, true);
    while (a->waits && !atomic_load(&a->go) && !atomic_load(&a->over))
        usleep(1000);
    arka_admission_aim(pool, job, NULL);
    if (job->alone)
        assert_true(atomic_load(&n_now) <= (job->solitary ? 1 : 2));
    atomic_fetch_sub(&n_now, 1);
    if (a->again && !(a->twice ? job->solitary : job->alone))
        return ARKA_JOB_ALONE;
    atomic_store(&a->ended, 1);
    return atomic_load(&a->over) ? ARKA_JOB_FAILED : ARKA_JOB_ENDED;
}

static void drop(arka_job *job, arka_job_drop why)
{
    act *a = (act *)job;
    atomic_store(&a->ended, why == ARKA_DROP_CANCELLED ? 2 : why == ARKA_DROP_LATE ? 3 : 4);
}

static void forget(arka_job *job)
{
    atomic_store(&((act *)job)->freed, true);
}

static void over(void *target)
{
    atomic_store(&((act *)target)->over, true);
}

static bool used(void *context, int64_t *n_bytes)
{
    *n_bytes = atomic_load(&memory);
    return true;
}

static void open_pool(int n_threads, int max_waiting, int64_t limit, int64_t one)
{
    arka_admission_options o = {
        n_threads, most_young, max_waiting, limit, one, used, NULL,
    };
    atomic_store(&n_begun, 0);
    atomic_store(&n_now, 0);
    atomic_store(&most_now, 0);
    atomic_store(&memory, 0);
    assert_int_equal(arka_admission_new(&o, &pool, NULL), ARKA_OK);
    arka_admission_watch_memory(pool);
}

static arka_status submit(act *a, arka_priority priority)
{
    a->job = (arka_job){.run = run,
                        .drop = drop,
                        .free = forget,
                        .over = over,
                        .priority = priority,
                        .deadline = a->job.deadline,
                        .label = "it"};
    return arka_admission_submit(pool, &a->job, NULL);
}

static void let_go(act *a)
{
    atomic_store(&a->go, true);
    until(&a->freed);
}

static arka_admission_stats stats(void)
{
    arka_admission_stats s;
    arka_admission_get_stats(pool, &s);
    return s;
}

TEST(shares_of_the_turns_are_8_4_2_and_1)
{
    enum { EACH = 20 };
    static act blocker, acts[ARKA_N_PRIORITIES][EACH];
    int count[ARKA_N_PRIORITIES] = {0}, last_low = -1;
    blocker = (act){.waits = true};
    memset(acts, 0, sizeof acts);
    open_pool(1, 1000, 0, 0);
    assert_int_equal(submit(&blocker, ARKA_PRIORITY_CRITICAL), ARKA_OK);
    until(&blocker.began);
    for (int i = 0; i < EACH; i++)
        for (int p = 0; p < ARKA_N_PRIORITIES; p++)
            assert_int_equal(submit(&acts[p][i], (arka_priority)p), ARKA_OK);
    assert_int_equal(stats().waiting[ARKA_PRIORITY_LOW], EACH);
    let_go(&blocker);
    for (int p = 0; p < ARKA_N_PRIORITIES; p++)
        for (int i = 0; i < EACH; i++)
            until(&acts[p][i].freed);
    for (int p = 0; p < ARKA_N_PRIORITIES; p++)
        for (int i = 0; i < EACH; i++) {
            count[p] += acts[p][i].place < 15; /* the blocker had the first turn */
            assert_true(i == 0 || acts[p][i].place > acts[p][i - 1].place);
        }
    for (int i = 0; i < EACH; i++) { /* while others wait it has 1 of 15, never none */
        if (acts[ARKA_PRIORITY_LOW][i].place < 30)
            last_low = i;
    }
    assert_int_equal(count[ARKA_PRIORITY_LOW], 1);
    assert_int_equal(count[ARKA_PRIORITY_NORMAL], 2);
    assert_int_equal(count[ARKA_PRIORITY_HIGH], 4);
    assert_int_equal(count[ARKA_PRIORITY_CRITICAL], 7); /* and the blocker */
    assert_true(last_low >= 1);
    assert_int_equal(stats().n_run, 81);
    arka_admission_free(pool);
}

TEST(what_waits_is_cancelled_late_or_refused)
{
    act blocker = {.waits = true}, cancelled = {0}, late = {0}, refused = {0};
    open_pool(1, 2, 0, 0);
    assert_int_equal(submit(&blocker, ARKA_PRIORITY_NORMAL), ARKA_OK);
    until(&blocker.began);
    assert_int_equal(submit(&cancelled, ARKA_PRIORITY_NORMAL), ARKA_OK);
    late.job.deadline = arka_mono_after_ms(30);
    assert_int_equal(submit(&late, ARKA_PRIORITY_NORMAL), ARKA_OK);
    assert_int_equal(submit(&refused, ARKA_PRIORITY_CRITICAL), ARKA_BUSY);
    arka_admission_cancel(pool, &cancelled.job);
    until(&cancelled.freed);
    until(&late.freed);
    assert_int_equal(cancelled.ended, 2);
    assert_int_equal(late.ended, 3);
    assert_false(cancelled.began || late.began || refused.began);
    arka_admission_cancel(pool, &blocker.job); /* runs: left alone */
    let_go(&blocker);
    assert_int_equal(blocker.ended, 1);
    arka_admission_stats s = stats();
    assert_int_equal(s.n_refused, 1);
    assert_int_equal(s.n_dropped, 2);
    assert_int_equal(s.n_late, 1);
    assert_int_equal(s.n_waiting, 0);
    arka_admission_free(pool);
}

TEST(a_stop_drops_what_waits_and_lets_end_what_runs)
{
    act blocker = {.waits = true}, waiting = {0}, late = {0};
    open_pool(1, 5, 0, 0);
    assert_int_equal(submit(&blocker, ARKA_PRIORITY_NORMAL), ARKA_OK);
    until(&blocker.began);
    assert_int_equal(submit(&waiting, ARKA_PRIORITY_NORMAL), ARKA_OK);
    atomic_store(&blocker.go, true);
    arka_admission_stop(pool);
    assert_true(blocker.freed && waiting.freed);
    assert_int_equal(blocker.ended, 1);
    assert_true(waiting.ended == 4 || waiting.ended == 1);
    assert_int_equal(submit(&late, ARKA_PRIORITY_NORMAL), ARKA_BUSY);
    arka_admission_free(pool);
}

TEST(one_that_lacked_memory_runs_again_beside_one_at_most)
{
    act wants = {.again = true, .waits = true}, beside[6];
    memset(beside, 0, sizeof beside);
    open_pool(4, 100, 0, 0);
    assert_int_equal(submit(&wants, ARKA_PRIORITY_LOW), ARKA_OK);
    until(&wants.began);
    for (int i = 0; i < 3; i++) {
        beside[i].waits = true;
        assert_int_equal(submit(&beside[i], ARKA_PRIORITY_NORMAL), ARKA_OK);
        until(&beside[i].began);
    }
    assert_true(arka_admission_had_company(pool, &wants.job));
    atomic_store(&wants.began, false);
    atomic_store(&wants.go, true);
    while (stats().n_alone == 0)
        usleep(1000);
    for (int i = 3; i < 6; i++) /* come later */
        assert_int_equal(submit(&beside[i], ARKA_PRIORITY_CRITICAL), ARKA_OK);
    assert_false(wants.began);
    for (int i = 0; i < 3; i++)
        let_go(&beside[i]);
    until(&wants.freed);
    assert_true(wants.was_alone);
    for (int i = 3; i < 6; i++)
        until(&beside[i].freed);
    arka_admission_free(pool);
}

/* Two run long, `wants` waits for them, `small` for it. */
static void let_one_wait_for_all_memory(act *wants, act lengthy[2], act *small)
{
    open_pool(4, 100, 0, 0);
    assert_int_equal(submit(wants, ARKA_PRIORITY_NORMAL), ARKA_OK);
    until(&wants->began);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(submit(&lengthy[i], ARKA_PRIORITY_NORMAL), ARKA_OK);
        until(&lengthy[i].began);
    }
    atomic_store(&wants->began, false);
    atomic_store(&wants->go, true);
    while (stats().n_alone == 0)
        usleep(1000);
    assert_int_equal(submit(small, ARKA_PRIORITY_LOW), ARKA_OK);
}

TEST(one_that_waits_to_be_alone_does_not_hold_the_others_when_it_leaves)
{
    act wants = {.again = true, .waits = true}, lengthy[2] = {{.waits = true}, {.waits = true}},
        small = {0};
    let_one_wait_for_all_memory(&wants, lengthy, &small);
    arka_admission_cancel(pool, &wants.job);
    until(&wants.freed);
    until(&small.freed); /* while the others still run */
    assert_int_equal(wants.ended, 2);
    assert_false(lengthy[0].ended || lengthy[1].ended);
    let_go(&lengthy[0]);
    let_go(&lengthy[1]);
    arka_admission_free(pool);
}

TEST(one_that_waits_to_be_alone_holds_the_others_for_a_while_only)
{
    act wants = {.again = true, .waits = true}, lengthy[2] = {{.waits = true}, {.waits = true}},
        small = {0};
    let_one_wait_for_all_memory(&wants, lengthy, &small);
    until(&small.freed);
    assert_false(wants.began);
    let_go(&lengthy[0]);
    until(&wants.freed); /* beside the other one */
    assert_true(wants.was_alone && !wants.job.solitary);
    assert_int_equal(wants.ended, 1);
    let_go(&lengthy[1]);
    arka_admission_free(pool);
}

TEST(one_that_is_alone_for_long_gets_company)
{
    act wants = {.again = true, .twice = true, .waits = true},
        lengthy[2] = {{.waits = true}, {.waits = true}}, small[3];
    memset(small, 0, sizeof small);
    let_one_wait_for_all_memory(&wants, lengthy, &small[0]);
    atomic_store(&wants.go, false);
    let_go(&lengthy[0]);
    let_go(&lengthy[1]);
    until(&wants.began);
    for (int i = 0; i < 3; i++) {
        if (i > 0)
            assert_int_equal(submit(&small[i], ARKA_PRIORITY_LOW), ARKA_OK);
        until(&small[i].freed); /* one by one */
    }
    assert_true(arka_admission_had_company(pool, &wants.job));
    /* that was too much: once more, and now with nothing beside it to its end */
    atomic_store(&wants.began, false);
    small[0] = (act){0};
    atomic_store(&wants.go, true);
    until(&wants.freed);
    assert_true(wants.was_alone && wants.job.solitary);
    assert_int_equal(wants.ended, 1);
    assert_int_equal(stats().n_alone, 2);
    arka_admission_free(pool);
}

TEST(those_that_are_short_take_turns_and_those_that_are_not_let_others_in)
{
    enum { N = 40 };
    static act acts[N], lengthy[3];
    memset(acts, 0, sizeof acts);
    memset(lengthy, 0, sizeof lengthy);
    most_young = 1;
    open_pool(4, N, 0, 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(submit(&acts[i], ARKA_PRIORITY_NORMAL), ARKA_OK);
    for (int i = 0; i < N; i++)
        until(&acts[i].freed);
    assert_int_equal(stats().n_run, N);
    for (int i = 0; i < 3; i++) {
        lengthy[i].waits = true;
        assert_int_equal(submit(&lengthy[i], ARKA_PRIORITY_NORMAL), ARKA_OK);
    }
    for (int i = 0; i < 3; i++)
        until(&lengthy[i].began);
    acts[0] = (act){0};
    assert_int_equal(submit(&acts[0], ARKA_PRIORITY_NORMAL), ARKA_OK);
    until(&acts[0].freed);
    for (int i = 1; i < 3; i++) /* none began before the one ahead of it had run for 50 ms */
        assert_true(lengthy[i].job.started.ns - lengthy[i - 1].job.started.ns >= 50000000);
    for (int i = 0; i < 3; i++)
        let_go(&lengthy[i]);
    most_young = 0;
    arka_admission_free(pool);
}

TEST(while_memory_is_short_two_run)
{
    enum { N = 6 };
    act acts[N];
    memset(acts, 0, sizeof acts);
    open_pool(N, 100, 1000, 0);
    atomic_store(&memory, 900);
    for (int i = 0; i < 2; i++) {
        acts[i].waits = true;
        assert_int_equal(submit(&acts[i], ARKA_PRIORITY_NORMAL), ARKA_OK);
        until(&acts[i].began);
    }
    while (stats().memory_used != 900)
        usleep(1000);
    for (int i = 2; i < N; i++)
        assert_int_equal(submit(&acts[i], ARKA_PRIORITY_NORMAL), ARKA_OK);
    while (!stats().held_back)
        usleep(1000);
    assert_int_equal(stats().n_waiting, N - 2);
    let_go(&acts[0]); /* its place is another's */
    let_go(&acts[1]);
    for (int i = 2; i < N; i++)
        until(&acts[i].freed);
    assert_int_equal(atomic_load(&most_now), 2);
    arka_admission_free(pool);
}

TEST(memory_that_comes_back_lets_the_others_in)
{
    act acts[4];
    memset(acts, 0, sizeof acts);
    open_pool(4, 100, 1000, 0);
    atomic_store(&memory, 900);
    for (int i = 0; i < 4; i++) {
        acts[i].waits = true;
        if (i == 2)
            while (stats().memory_used != 900)
                usleep(1000);
        assert_int_equal(submit(&acts[i], ARKA_PRIORITY_NORMAL), ARKA_OK);
        if (i < 2)
            until(&acts[i].began);
    }
    while (!stats().held_back)
        usleep(1000);
    assert_false(acts[2].began || acts[3].began);
    atomic_store(&memory, 100);
    until(&acts[2].began);
    until(&acts[3].began);
    for (int i = 0; i < 4; i++)
        let_go(&acts[i]);
    arka_admission_free(pool);
}

TEST(one_over_its_memory_is_told)
{
    act large = {.waits = true};
    open_pool(2, 10, 1000, 300);
    assert_int_equal(submit(&large, ARKA_PRIORITY_NORMAL), ARKA_OK);
    until(&large.began);
    atomic_store(&memory, 301);
    until(&large.freed);
    assert_true(large.over);
    assert_int_equal(stats().n_over, 1);
    assert_int_equal(stats().n_failed, 1);
    arka_admission_thread t[2];
    for (int i = 0; i < 2; i++)
        arka_admission_get_thread(pool, i, &t[i]);
    assert_int_equal(t[0].n_failed + t[1].n_failed, 1);
    assert_string_equal(t[0].current, "");
    arka_admission_free(pool);
}
