#include "columnar/sort_priv.h"

#include <assert.h>

/*
 * Least significant digit first. Digits are as wide as the number of rows bears: a window of rows
 * spread evenly over as many microseconds is done in one pass (bench/parquet_bench.c).
 */
enum { DIGIT_BITS = 13, MAX_PASSES = 5, FEW = 48 };
static_assert(DIGIT_BITS * MAX_PASSES >= 64, "any two times can be told apart");

struct sort_counts {
    uint32_t of[MAX_PASSES][1 << DIGIT_BITS];
};

void sort_scratch_fini(sort_scratch *scratch)
{
    arka_free(scratch->rows);
    arka_free(scratch->counts);
    *scratch = (sort_scratch){0};
}

static bool scratch_reserve(sort_scratch *scratch, size_t n)
{
    if (scratch->counts == NULL)
        scratch->counts = arka_malloc(sizeof *scratch->counts);
    if (scratch->counts == NULL || scratch->cap >= n)
        return scratch->counts != NULL;
    if (n > SIZE_MAX / (2 * sizeof(sort_row)) - n / 4)
        return false;
    size_t cap = n + n / 4;
    arka_free(scratch->rows);
    scratch->cap = 0;
    scratch->rows = arka_malloc(2 * cap * sizeof(sort_row));
    if (scratch->rows == NULL)
        return false;
    scratch->cap = cap;
    return true;
}

static size_t collect(sort_row *to, const sort_run *runs, size_t n_runs, int64_t min)
{
    size_t n = 0;
    for (size_t r = 0; r < n_runs; r++) {
        const sort_run *run = &runs[r];
        for (uint32_t i = run->at; i < run->end; i++)
            to[n++] = (sort_row){.key = (uint64_t)run->times[i] - (uint64_t)min,
                                 .batch = run->batch,
                                 .row = run->rows == NULL ? i : run->rows[i]};
    }
    return n;
}

static void insertion_sort(sort_row *rows, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        sort_row row = rows[i];
        size_t to = i;
        for (; to > 0 && rows[to - 1].key > row.key; to--)
            rows[to] = rows[to - 1];
        rows[to] = row;
    }
}

static void one_pass(const sort_row *from, sort_row *to, size_t n, uint32_t *count, int shift,
                     uint32_t mask)
{
    uint32_t sum = 0;
    for (uint32_t d = 0; d <= mask; d++) {
        uint32_t c = count[d];
        count[d] = sum;
        sum += c;
    }
    for (size_t i = 0; i < n; i++)
        to[count[from[i].key >> shift & mask]++] = from[i];
}

bool arka_sort__radix(sort_scratch *scratch, const sort_run *runs, size_t n_runs, int64_t min,
                      int64_t max, const sort_row **out)
{
    size_t n = 0;
    for (size_t r = 0; r < n_runs; r++)
        n += runs[r].end - runs[r].at;
    if (!scratch_reserve(scratch, n))
        return false;
    sort_row *from = scratch->rows, *to = from + scratch->cap;
    collect(from, runs, n_runs, min);
    *out = from;
    uint64_t range = (uint64_t)max - (uint64_t)min;
    if (range == 0)
        return true;
    if (n <= FEW) {
        insertion_sort(from, n);
        return true;
    }

    /* Short inputs take narrower digits: clearing and summing the counts costs as much as rows. */
    int bits = 64 - __builtin_clzll(range);
    int widest = 63 - __builtin_clzll((uint64_t)n);
    widest = widest > DIGIT_BITS ? DIGIT_BITS : widest;
    int passes = (bits + widest - 1) / widest;
    if (passes > MAX_PASSES)
        passes = MAX_PASSES;
    int width = (bits + passes - 1) / passes;
    uint32_t mask = (UINT32_C(1) << width) - 1;
    uint32_t(*counts)[1 << DIGIT_BITS] = scratch->counts->of;
    for (int p = 0; p < passes; p++) {
        memset(counts[p], 0, sizeof(uint32_t) << width);
        for (size_t i = 0; i < n; i++)
            counts[p][from[i].key >> (p * width) & mask]++;
    }
    for (int p = 0; p < passes; p++) {
        one_pass(from, to, n, counts[p], p * width, mask);
        sort_row *swap = from;
        from = to;
        to = swap;
    }
    *out = from;
    return true;
}
