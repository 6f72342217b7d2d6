/* Zones, delays and the limit (MEM-1, MEM-2, I10), alone and under many threads. */
#include "engine/gate.h"

#include <pthread.h>

#include "kit/kit.h"

enum { MS = 1000000 };

static arka_error err;

static void gate_at(arka_gate *gate, int64_t limit, int64_t used)
{
    arka_gate_init(gate, limit);
    arka_gate_adjust(gate, used);
}

TEST(MEM_2_the_delay_is_5_ms_for_each_percent_above_60)
{
    static const struct {
        int64_t per_mille;
        double ms;
        arka_zone zone;
    } CASES[] = {
        {0, 0, ARKA_ZONE_GREEN},      {599, 0, ARKA_ZONE_GREEN},     {600, 0, ARKA_ZONE_YELLOW},
        {601, 0.5, ARKA_ZONE_YELLOW}, {610, 5, ARKA_ZONE_YELLOW},    {655, 27.5, ARKA_ZONE_YELLOW},
        {700, 50, ARKA_ZONE_YELLOW},  {799, 99.5, ARKA_ZONE_YELLOW},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_gate gate;
        int64_t delay = -1;
        gate_at(&gate, 1000000, CASES[i].per_mille * 1000);
        assert_int_equal(arka_gate_zone(&gate), CASES[i].zone);
        assert_int_equal(arka_gate_delay_ns(&gate), (int64_t)(CASES[i].ms * MS));
        ASSERT_OK(arka_gate_take(&gate, 1, &delay, &err));
        assert_int_equal(delay, (int64_t)(CASES[i].ms * MS));
    }
}

TEST(MEM_2_red_begins_at_80_percent_and_ends_below_75)
{
    arka_gate gate;
    int64_t delay;
    gate_at(&gate, 1000, 799);
    ASSERT_OK(arka_gate_take(&gate, 1, &delay, &err)); /* 80.0 % now */
    assert_int_equal(arka_gate_zone(&gate), ARKA_ZONE_RED);
    assert_int_equal(arka_gate_delay_ns(&gate), 0);
    ASSERT_FAILS(arka_gate_take(&gate, 1, &delay, &err), ARKA_BUSY, "full");
    assert_int_equal(arka_gate_used(&gate), 800);
    for (int64_t used = 799; used >= 750; used--) { /* where it was yellow on the way up */
        arka_gate_adjust(&gate, -1);
        assert_int_equal(arka_gate_used(&gate), used);
        assert_int_equal(arka_gate_zone(&gate), ARKA_ZONE_RED);
        ASSERT_FAILS(arka_gate_take(&gate, 1, &delay, &err), ARKA_BUSY, "full");
    }
    arka_gate_adjust(&gate, -1); /* 74.9 % */
    assert_int_equal(arka_gate_zone(&gate), ARKA_ZONE_YELLOW);
    ASSERT_OK(arka_gate_take(&gate, 10, &delay, &err));
    assert_int_equal(delay, (int64_t)(74.5 * MS)); /* (74.9 - 60) * 5 */
    assert_int_equal(arka_gate_zone(&gate), ARKA_ZONE_YELLOW);
    ASSERT_OK(arka_gate_take(&gate, 1, &delay, &err)); /* at 75.9 %, which is not red any more */
}

TEST(what_does_not_fit_is_refused_and_nothing_is_taken)
{
    arka_gate gate;
    int64_t delay;
    gate_at(&gate, 1000, 500);
    ASSERT_FAILS(arka_gate_take(&gate, 501, &delay, &err), ARKA_BUSY, "try again");
    assert_int_equal(arka_gate_used(&gate), 500);
    ASSERT_OK(arka_gate_take(&gate, 500, &delay, &err)); /* to the last byte */
    assert_int_equal(arka_gate_used(&gate), 1000);
}

TEST(a_write_larger_than_the_limit_gets_in_when_nothing_else_is)
{
    arka_gate gate;
    int64_t delay;
    gate_at(&gate, 1000, 1);
    ASSERT_FAILS(arka_gate_take(&gate, 5000, &delay, &err), ARKA_BUSY, "full");
    arka_gate_adjust(&gate, -1);
    ASSERT_OK(arka_gate_take(&gate, 5000, &delay, &err));
    assert_int_equal(delay, 0);
    assert_int_equal(arka_gate_zone(&gate), ARKA_ZONE_RED);
    ASSERT_FAILS(arka_gate_take(&gate, 1, &delay, &err), ARKA_BUSY, "full");
    arka_gate_adjust(&gate, -5000);
    assert_int_equal(arka_gate_zone(&gate), ARKA_ZONE_GREEN);
    ASSERT_OK(arka_gate_take(&gate, INT64_MAX, &delay, &err)); /* no sum overflows */
    ASSERT_FAILS(arka_gate_take(&gate, INT64_MAX, &delay, &err), ARKA_BUSY, "full");
    assert_int_equal(arka_gate_used(&gate), INT64_MAX);
}

/* ---- many threads ---- */

enum { LIMIT = 1 << 20, N_THREADS = 4, ROUNDS = 100000 };

typedef struct crowd {
    arka_gate gate;
    atomic_int_fast64_t taken, refused, n_threads;
    atomic_bool passed; /* used was seen above the limit */
} crowd;

static void *take_and_give(void *context)
{
    crowd *c = context;
    uint32_t x = (uint32_t)atomic_fetch_add(&c->n_threads, 1);
    for (int i = 0; i < ROUNDS; i++) {
        x = x * 1664525 + 1013904223;
        int64_t n = (x >> 8) % (LIMIT / 3) + 1, delay;
        if (arka_gate_take(&c->gate, n, &delay, NULL) != ARKA_OK) {
            atomic_fetch_add(&c->refused, 1);
            continue;
        }
        if (arka_gate_used(&c->gate) > LIMIT)
            atomic_store(&c->passed, true);
        atomic_fetch_add(&c->taken, 1);
        arka_gate_adjust(&c->gate, -n);
    }
    return NULL;
}

TEST(I10_many_writers_never_pass_the_limit_and_all_comes_back)
{
    static crowd c;
    pthread_t threads[N_THREADS];
    arka_gate_init(&c.gate, LIMIT);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &c), 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&c.passed));
    assert_int_equal(arka_gate_used(&c.gate), 0);
    assert_int_equal(arka_gate_zone(&c.gate), ARKA_ZONE_GREEN);
    assert_int_equal(atomic_load(&c.taken) + atomic_load(&c.refused), N_THREADS * ROUNDS);
    assert_true(atomic_load(&c.taken) > 0);
}

/* Nobody gives back: what was let in is below the limit, whatever the order. */
static void *only_take(void *context)
{
    crowd *c = context;
    int64_t delay;
    for (int i = 0; i < ROUNDS; i++)
        if (arka_gate_take(&c->gate, 997, &delay, NULL) == ARKA_OK)
            atomic_fetch_add(&c->taken, 997);
    return NULL;
}

TEST(I10_writers_that_keep_what_they_take_stop_in_the_red_zone)
{
    static crowd c;
    pthread_t threads[N_THREADS];
    arka_gate_init(&c.gate, LIMIT);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, only_take, &c), 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(arka_gate_used(&c.gate), atomic_load(&c.taken));
    assert_in_range((uintmax_t)arka_gate_used(&c.gate), LIMIT / 10 * 8, LIMIT / 10 * 8 + 2 * 997);
}

/* MEM-2: what is asked before a body is read says the same as the gate itself. */
TEST(a_red_gate_says_so_before_anything_is_taken)
{
    arka_error asked = {0};
    arka_gate gate;
    err = (arka_error){0};
    int64_t delay_ns;
    arka_gate_init(&gate, 1000 << 20);
    arka_gate_adjust(&gate, 790 << 20);
    assert_false(arka_gate_refuses(&gate, &asked));
    arka_gate_adjust(&gate, 20 << 20);
    assert_true(arka_gate_refuses(&gate, &asked));
    assert_int_equal(asked.code, ARKA_BUSY);
    assert_int_equal(arka_gate_take(&gate, 1, &delay_ns, &err), ARKA_BUSY);
    assert_string_equal(asked.msg, err.msg);
}
