/**
 * Counts of durations by size, for many writers at once: an observation is two atomic additions
 * (three when it is the longest so far) on memory that few other threads touch.
 *
 * Up to 1 µs is one bucket; above, every power of two of microseconds is parted into four, up to
 * 2^32 µs. A bucket's upper bound belongs to it, so that "at most 2^k µs" is counted exactly.
 */
#ifndef ARKA_BASE_LATENCY_H
#define ARKA_BASE_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/status.h"

enum {
    ARKA_LATENCY_PARTS = 4,      /* of a power of two */
    ARKA_LATENCY_MAX_POWER = 32, /* of microseconds; what is longer counts into the last bucket */
    ARKA_LATENCY_BUCKETS = ARKA_LATENCY_PARTS * (ARKA_LATENCY_MAX_POWER - 1),
};

typedef struct arka_latency {
    struct arka_latency_shard *shards;
    void *memory;      /* of the shards, which begin on a cache line */
    unsigned n_shards; /* a power of two; 0: zeroed */
} arka_latency;

/** `n_threads`: how many are likely to observe at once; 1 when a lock or one thread does. */
ARKA_MUST_USE arka_status arka_latency_init(arka_latency *h, int n_threads, arka_error *err);
/** Zeroed or initialised. */
void arka_latency_fini(arka_latency *h);

/** One duration; below 0 is 0. Nothing when `h` is zeroed. Any thread. */
void arka_latency_observe(arka_latency *h, int64_t ns);

/** What was counted, as of about one instant. */
typedef struct arka_latency_view {
    int64_t buckets[ARKA_LATENCY_BUCKETS];
    int64_t count, sum_ns, max_ns;
} arka_latency_view;

/** Any thread. All zero when `h` is zeroed. */
void arka_latency_read(const arka_latency *h, arka_latency_view *out);
/** `from` as well. */
void arka_latency_add(arka_latency_view *to, const arka_latency_view *from);
/** How many were at most 2^power µs; all of them from ARKA_LATENCY_MAX_POWER on. */
int64_t arka_latency_at_most(const arka_latency_view *view, int power);
/** A duration that a share `q` (0 to 1) of all did not exceed: the bound of a bucket, at most the
 * longest; 0 when there is none. At most a quarter too long. */
int64_t arka_latency_quantile_ns(const arka_latency_view *view, double q);

#endif
