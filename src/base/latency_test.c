#include "base/latency.h"

#include <pthread.h>

#include "kit/kit.h"

TEST(bounds_belong_to_their_bucket)
{
    arka_error err = {0};
    arka_latency h;
    arka_latency_view v;
    ASSERT_OK(arka_latency_init(&h, 1, &err));
    for (int power = 0; power < ARKA_LATENCY_MAX_POWER; power++) {
        int64_t bound = (INT64_C(1) << power) * 1000;
        arka_latency_observe(&h, bound);
        arka_latency_observe(&h, bound + 1);
        arka_latency_read(&h, &v);
        assert_int_equal(v.count, 2 * power + 2);
        assert_int_equal(arka_latency_at_most(&v, power), 2 * power + 1);
        assert_int_equal(v.max_ns, bound + 1);
    }
    assert_int_equal(arka_latency_at_most(&v, ARKA_LATENCY_MAX_POWER), v.count);
    arka_latency_fini(&h);
}

TEST(nothing_is_too_short_or_too_long)
{
    arka_error err = {0};
    arka_latency h = {0};
    arka_latency_view v;
    arka_latency_observe(&h, 5); /* zeroed: nothing */
    arka_latency_read(&h, &v);
    assert_int_equal(v.count, 0);
    assert_int_equal(arka_latency_quantile_ns(&v, 0.5), 0);
    ASSERT_OK(arka_latency_init(&h, 3, &err));
    arka_latency_observe(&h, -5);
    arka_latency_observe(&h, 0);
    arka_latency_observe(&h, INT64_MAX);
    arka_latency_read(&h, &v);
    assert_int_equal(v.count, 3);
    assert_int_equal(arka_latency_at_most(&v, 0), 2);
    assert_true(v.max_ns == INT64_MAX);
    assert_true(arka_latency_quantile_ns(&v, 1) == INT64_MAX);
    arka_latency_fini(&h);
}

/* Against the values themselves. */
TEST(quantiles_are_at_most_a_quarter_too_long)
{
    enum { N = 1000 };
    arka_error err = {0};
    arka_latency h;
    arka_latency_view v;
    ASSERT_OK(arka_latency_init(&h, 1, &err));
    for (int64_t i = 1; i <= N; i++)
        arka_latency_observe(&h, i * 7000);
    arka_latency_read(&h, &v);
    assert_int_equal(v.sum_ns, (int64_t)N * (N + 1) / 2 * 7000);
    for (int p = 1; p <= 100; p++) {
        int64_t exact = (int64_t)N * p / 100 * 7000;
        int64_t told = arka_latency_quantile_ns(&v, p / 100.0);
        assert_true(told >= exact && told <= exact + exact / 4 + 1000);
    }
    assert_int_equal(arka_latency_quantile_ns(&v, 1), (int64_t)N * 7000);
    arka_latency_fini(&h);
}

enum { THREADS = 8, EACH = 20000 };

static void *observe_many(void *context)
{
    for (int i = 0; i < EACH; i++)
        arka_latency_observe(context, 1500);
    return NULL;
}

TEST(no_observation_of_many_threads_is_lost)
{
    arka_error err = {0};
    arka_latency h;
    arka_latency_view v;
    pthread_t threads[THREADS];
    ASSERT_OK(arka_latency_init(&h, 4, &err));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, observe_many, &h), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    arka_latency_read(&h, &v);
    assert_int_equal(v.count, THREADS * EACH);
    assert_int_equal(v.sum_ns, (int64_t)THREADS * EACH * 1500);
    assert_int_equal(arka_latency_at_most(&v, 0), 0);
    assert_int_equal(arka_latency_at_most(&v, 1), THREADS * EACH);
    arka_latency_fini(&h);
}
