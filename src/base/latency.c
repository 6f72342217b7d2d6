#include "base/latency.h"

#include "base/mem.h"

enum { LINE = 64, MAX_SHARDS = 64 };

typedef struct arka_latency_shard {
    _Alignas(LINE) atomic_int_least64_t buckets[ARKA_LATENCY_BUCKETS];
    atomic_int_least64_t sum_ns, max_ns;
} arka_latency_shard;

arka_status arka_latency_init(arka_latency *h, int n_threads, arka_error *err)
{
    *h = (arka_latency){.n_shards = 1};
    while ((int)h->n_shards < n_threads && h->n_shards < MAX_SHARDS)
        h->n_shards *= 2;
    size_t n_bytes = h->n_shards * sizeof *h->shards;
    h->memory = arka_calloc(1, n_bytes + LINE);
    if (h->memory == NULL)
        return arka_fail_nomem(err, "counts of durations", n_bytes);
    size_t past = (uintptr_t)h->memory % LINE;
    h->shards = (arka_latency_shard *)((char *)h->memory + (past ? LINE - past : 0));
    return ARKA_OK;
}

void arka_latency_fini(arka_latency *h)
{
    arka_free(h->memory);
    *h = (arka_latency){0};
}

/* Threads get numbers in turn, so that as many as there are shards do not meet. */
static unsigned thread_number(void)
{
    static atomic_uint next;
    static _Thread_local unsigned number;
    if (ARKA_UNLIKELY(number == 0))
        number = 1 + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
    return number - 1;
}

/* u whole microseconds were passed: bucket 0 is at most 1 µs, 1 is at most 2, … */
static unsigned bucket_of(uint64_t u)
{
    if (u < ARKA_LATENCY_PARTS)
        return (unsigned)u;
    unsigned power = 63 - (unsigned)__builtin_clzll(u);
    if (power >= ARKA_LATENCY_MAX_POWER)
        return ARKA_LATENCY_BUCKETS - 1;
    return ARKA_LATENCY_PARTS * (power - 1) + (unsigned)((u >> (power - 2)) & 3);
}

/* The longest that the bucket has, in µs. */
static int64_t bound_of(unsigned bucket)
{
    if (bucket < ARKA_LATENCY_PARTS)
        return bucket + 1;
    unsigned power = bucket / ARKA_LATENCY_PARTS + 1, part = bucket % ARKA_LATENCY_PARTS;
    return (int64_t)(ARKA_LATENCY_PARTS + part + 1) << (power - 2);
}

void arka_latency_observe(arka_latency *h, int64_t ns)
{
    if (h->n_shards == 0)
        return;
    arka_latency_shard *s = &h->shards[thread_number() & (h->n_shards - 1)];
    uint64_t length = ns > 0 ? (uint64_t)ns : 0;
    unsigned bucket = bucket_of(length > 0 ? (length - 1) / 1000 : 0);
    /* only sums are read of it: nothing is ordered by them */
    atomic_fetch_add_explicit(&s->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->sum_ns, (int64_t)length, memory_order_relaxed);
    int64_t max = atomic_load_explicit(&s->max_ns, memory_order_relaxed);
    while (max < (int64_t)length &&
           !atomic_compare_exchange_weak_explicit(&s->max_ns, &max, (int64_t)length,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void arka_latency_read(const arka_latency *h, arka_latency_view *out)
{
    *out = (arka_latency_view){0};
    for (unsigned i = 0; i < h->n_shards; i++) {
        arka_latency_shard *s = &h->shards[i];
        for (int b = 0; b < ARKA_LATENCY_BUCKETS; b++)
            out->buckets[b] += atomic_load_explicit(&s->buckets[b], memory_order_relaxed);
        out->sum_ns += atomic_load_explicit(&s->sum_ns, memory_order_relaxed);
        int64_t max = atomic_load_explicit(&s->max_ns, memory_order_relaxed);
        out->max_ns = max > out->max_ns ? max : out->max_ns;
    }
    for (int b = 0; b < ARKA_LATENCY_BUCKETS; b++)
        out->count += out->buckets[b];
}

void arka_latency_add(arka_latency_view *to, const arka_latency_view *from)
{
    for (int b = 0; b < ARKA_LATENCY_BUCKETS; b++)
        to->buckets[b] += from->buckets[b];
    to->count += from->count;
    to->sum_ns += from->sum_ns;
    to->max_ns = from->max_ns > to->max_ns ? from->max_ns : to->max_ns;
}

int64_t arka_latency_at_most(const arka_latency_view *view, int power)
{
    int64_t n = 0;
    if (power >= ARKA_LATENCY_MAX_POWER)
        return view->count;
    for (unsigned b = 0; b < ARKA_LATENCY_BUCKETS && bound_of(b) <= INT64_C(1) << power; b++)
        n += view->buckets[b];
    return n;
}

int64_t arka_latency_quantile_ns(const arka_latency_view *view, double q)
{
    double wanted = q * (double)view->count;
    int64_t n = 0;
    for (unsigned b = 0; b < ARKA_LATENCY_BUCKETS - 1; b++) {
        n += view->buckets[b];
        if (n > 0 && (double)n >= wanted)
            return bound_of(b) * 1000 < view->max_ns ? bound_of(b) * 1000 : view->max_ns;
    }
    return view->max_ns;
}
