#include "cli/bench/bench_histogram.h"

#include "kit/kit.h"

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* never below the exact quantile, and above it by at most 1/128 */
static void check_quantiles(const arka_histogram *h, int64_t *values, int64_t n)
{
    static const int64_t QS[] = {0, 1, 10, 1000, 2500, 5000, 7500, 9000, 9900, 9990, 9999, 10000};
    qsort(values, (size_t)n, sizeof *values, ascending);
    for (size_t i = 0; i < sizeof QS / sizeof *QS; i++) {
        int64_t rank = (n * QS[i] + 9999) / 10000;
        int64_t exact = values[rank < 1 ? 0 : rank - 1];
        int64_t got = arka_histogram_quantile(h, (double)QS[i] / 10000);
        if (got < exact || got - exact > exact / 128)
            fail_msg("quantile %lld/10000 of %lld values: %lld, exact %lld", (long long)QS[i],
                     (long long)n, (long long)got, (long long)exact);
    }
    assert_int_equal(h->min, values[0]);
    assert_int_equal(h->max, values[n - 1]);
    assert_int_equal(h->n, n);
}

TEST(quantiles_stay_within_the_bucket_width)
{
    enum { N = 20000 };
    int64_t *values = malloc(N * sizeof *values);
    for (int width = 1; width <= 42; width++) {
        static arka_histogram h;
        memset(&h, 0, sizeof h);
        int64_t sum = 0;
        for (int i = 0; i < N; i++) {
            /* from small to 2^width, each magnitude as likely as the next */
            values[i] = (int64_t)(kit_random() & ((1ull << width) - 1)) >> (kit_random() % 12);
            sum += values[i];
            arka_histogram_record(&h, values[i]);
        }
        assert_int_equal(h.sum, sum);
        check_quantiles(&h, values, N);
    }
    free(values);
}

TEST(small_values_are_exact)
{
    static arka_histogram h;
    memset(&h, 0, sizeof h);
    for (int64_t v = 1; v <= 200; v++)
        arka_histogram_record(&h, v);
    for (int p = 1; p <= 200; p++)
        assert_int_equal(arka_histogram_quantile(&h, p / 200.0), p);
    assert_true(arka_histogram_mean(&h) == 100.5);
}

TEST(every_edge_of_a_bucket_counts_in_it)
{
    /* at each power of two and round it: one value alone must come back within its bucket */
    for (int bit = 0; bit < 42; bit++) {
        for (int64_t near = -2; near <= 2; near++) {
            int64_t v = (1ll << bit) + near;
            if (v < 0)
                continue;
            static arka_histogram h;
            memset(&h, 0, sizeof h);
            arka_histogram_record(&h, v);
            h.max = INT64_MAX; /* so that the edge itself shows */
            int64_t got = arka_histogram_quantile(&h, 0.5);
            assert_true(got >= v && got - v <= v / 128);
        }
    }
}

TEST(merging_is_recording_both)
{
    enum { N = 5000 };
    int64_t *values = malloc(N * sizeof *values);
    static arka_histogram a, b, both;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    memset(&both, 0, sizeof both);
    for (int i = 0; i < N; i++) {
        values[i] = (int64_t)(kit_random() % 100000000);
        arka_histogram_record(i % 3 ? &a : &b, values[i]);
        arka_histogram_record(&both, values[i]);
    }
    arka_histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof a);
    check_quantiles(&a, values, N);

    static arka_histogram none;
    arka_histogram_merge(&none, &both);
    assert_memory_equal(&none, &both, sizeof none);
    memset(&none, 0, sizeof none);
    arka_histogram_merge(&both, &none);
    assert_memory_equal(&a, &both, sizeof a);
    free(values);
}

TEST(too_long_counts_and_negative_is_zero)
{
    static arka_histogram h;
    memset(&h, 0, sizeof h);
    assert_int_equal(arka_histogram_quantile(&h, 0.99), 0);
    arka_histogram_record(&h, -5);
    assert_int_equal(arka_histogram_quantile(&h, 1), 0);
    arka_histogram_record(&h, INT64_MAX / 2);
    assert_int_equal(arka_histogram_quantile(&h, 1), INT64_MAX / 2);
    assert_int_equal(arka_histogram_quantile(&h, 0.5), 0);
}
