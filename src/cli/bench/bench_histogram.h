/**
 * How long things took: counts in log-linear buckets. Values below 256 have a bucket each; above,
 * every power of two is cut into 128 equal buckets, so a bucket is at most 1/128 (0.79 %) of its
 * lower edge wide. Recording is one increment. Not thread-safe: one per thread, merged afterwards.
 */
#ifndef ARKA_CLI_BENCH_BENCH_HISTOGRAM_H
#define ARKA_CLI_BENCH_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    ARKA_HISTOGRAM_BITS = 7,
    /* up to 2^42 ns, 73 minutes; longer values count in the last bucket, max stays exact */
    ARKA_HISTOGRAM_BUCKETS = (42 - ARKA_HISTOGRAM_BITS + 1) << ARKA_HISTOGRAM_BITS,
};

/** All zero is empty. Nanoseconds, or any other unit. */
typedef struct arka_histogram {
    int64_t n;
    int64_t sum;
    int64_t min, max; /* exact; 0 while empty */
    int64_t counts[ARKA_HISTOGRAM_BUCKETS];
} arka_histogram;

/** Negative values count as 0. */
void arka_histogram_record(arka_histogram *h, int64_t value);
/** Add what `from` has. */
void arka_histogram_merge(arka_histogram *h, const arka_histogram *from);
/**
 * The value that a share q (0..1) of all values does not exceed: the upper edge of the bucket with
 * the ceil(q * n)-th smallest value, never over max. At most 1/128 above the exact one, never
 * below it. 0 while empty.
 */
int64_t arka_histogram_quantile(const arka_histogram *h, double q);
double arka_histogram_mean(const arka_histogram *h);

#endif
