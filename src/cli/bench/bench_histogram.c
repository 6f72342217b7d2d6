#include "cli/bench/bench_histogram.h"

#include <math.h>

enum { BITS = ARKA_HISTOGRAM_BITS, LAST = ARKA_HISTOGRAM_BUCKETS - 1 };

/* value >> shift keeps BITS + 1 bits, the top one set; the first two groups are exact */
static int bucket_of(uint64_t value)
{
    if (value < 2u << BITS)
        return (int)value;
    int shift = 63 - __builtin_clzll(value) - BITS;
    uint64_t bucket = ((uint64_t)shift << BITS) + (value >> shift);
    return bucket > LAST ? LAST : (int)bucket;
}

static int64_t upper_edge(int bucket)
{
    if (bucket < 2 << BITS)
        return bucket;
    int shift = (bucket >> BITS) - 1;
    int64_t top = bucket - ((int64_t)shift << BITS);
    return ((top + 1) << shift) - 1;
}

void arka_histogram_record(arka_histogram *h, int64_t value)
{
    if (value < 0)
        value = 0;
    if (h->n == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->n++;
    h->sum += value;
    h->counts[bucket_of((uint64_t)value)]++;
}

void arka_histogram_merge(arka_histogram *h, const arka_histogram *from)
{
    if (from->n == 0)
        return;
    if (h->n == 0 || from->min < h->min)
        h->min = from->min;
    if (from->max > h->max)
        h->max = from->max;
    h->n += from->n;
    h->sum += from->sum;
    for (int i = 0; i < ARKA_HISTOGRAM_BUCKETS; i++)
        h->counts[i] += from->counts[i];
}

int64_t arka_histogram_quantile(const arka_histogram *h, double q)
{
    /* less a hair: 0.07 * 100 is 7.000000000000001 */
    int64_t rank = (int64_t)ceil(q * (double)h->n - 1e-6), seen = 0;
    if (rank < 1)
        rank = 1;
    for (int i = 0; i < LAST && h->n > 0; i++) {
        seen += h->counts[i];
        if (seen >= rank) {
            int64_t edge = upper_edge(i);
            return edge < h->max ? edge : h->max;
        }
    }
    return h->max;
}

double arka_histogram_mean(const arka_histogram *h)
{
    return h->n ? (double)h->sum / (double)h->n : 0;
}
