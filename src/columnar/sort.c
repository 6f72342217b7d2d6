#include "columnar/sort.h"

#include <stdlib.h>

#include "columnar/sort_priv.h"

/*
 * Batches are runs of ascending time. Runs whose times do not interleave become one span each.
 * Interleaved ones form a cluster; it is cut into windows of time of about WINDOW rows, by
 * splitters taken from a sample. Within a window the same question is asked again of the pieces of
 * the runs, and only pieces that do interleave are sorted row by row, in cache, by radix.
 *
 * The order is that of (time, batch, row), so equal times never make the result ambiguous.
 */
enum { WINDOW = 8192, SAMPLE_EVERY = 256, ROWS_PER_RUN = 32 };

typedef ARKA_VEC(sort_run) run_list;

typedef struct sorter {
    arka_spans *out;
    sort_scratch scratch;
    run_list runs;   /* all batches */
    run_list active; /* of the cluster at hand: runs that reach into the window or beyond */
    run_list pieces; /* their parts inside the window */
    ARKA_VEC(int64_t) splitters;
    ARKA_VEC(void *) sorted; /* times and rows of batches that came unsorted */
} sorter;

static void sorter_fini(sorter *s)
{
    sort_scratch_fini(&s->scratch);
    arka_vec_fini(&s->runs);
    arka_vec_fini(&s->active);
    arka_vec_fini(&s->pieces);
    arka_vec_fini(&s->splitters);
    for (size_t i = 0; i < s->sorted.n; i++)
        arka_free(s->sorted.items[i]);
    arka_vec_fini(&s->sorted);
}

static int64_t run_first(const sort_run *run)
{
    return run->times[run->at];
}

static int64_t run_last(const sort_run *run)
{
    return run->times[run->end - 1];
}

static int by_first(const void *a, const void *b)
{
    const sort_run *x = a, *y = b;
    if (run_first(x) != run_first(y))
        return run_first(x) < run_first(y) ? -1 : 1;
    return x->batch < y->batch ? -1 : x->batch > y->batch;
}

static int by_batch(const void *a, const void *b)
{
    const sort_run *x = a, *y = b;
    return x->batch < y->batch ? -1 : x->batch > y->batch;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool emit_whole(sorter *s, uint32_t batch, uint32_t row, uint32_t n)
{
    arka_span *last = s->out->list.n > 0 ? &arka_vec_last(&s->out->list) : NULL;
    if (last != NULL && last->batch == batch && last->row + last->n == row) {
        last->n += n;
        return true;
    }
    return arka_vec_push(&s->out->list, (arka_span){batch, row, n});
}

/* Single rows in order; neighbours in a batch are joined without a branch to mispredict. */
static bool emit_rows(sorter *s, const sort_row *rows, size_t n)
{
    if (!emit_whole(s, rows[0].batch, rows[0].row, 1) || !arka_vec_reserve(&s->out->list, n))
        return false;
    arka_span *to = &arka_vec_last(&s->out->list);
    arka_span open = *to;
    for (size_t i = 1; i < n; i++) {
        bool joins = rows[i].batch == open.batch && rows[i].row == open.row + open.n;
        to += !joins;
        open.batch = rows[i].batch;
        open.row = joins ? open.row : rows[i].row;
        open.n = joins ? open.n + 1 : 1;
        *to = open;
    }
    s->out->list.n = (size_t)(to - s->out->list.items) + 1;
    return true;
}

static bool emit_run(sorter *s, const sort_run *run)
{
    if (run->rows == NULL)
        return emit_whole(s, run->batch, run->at, run->end - run->at);
    for (uint32_t i = run->at; i < run->end; i++)
        if (!emit_whole(s, run->batch, run->rows[i], 1))
            return false;
    return true;
}

/*
 * How many of the runs, ordered by_first, interleave with the first one, directly or through each
 * other. A run that begins at the time where the others end interleaves only if the last row there
 * comes from a later batch.
 */
static size_t cluster_of(const sort_run *runs, size_t n, int64_t *out_max)
{
    int64_t max = run_last(&runs[0]);
    uint32_t batch = runs[0].batch;
    size_t k = 1;
    for (; k < n; k++) {
        int64_t first = run_first(&runs[k]), last = run_last(&runs[k]);
        if (first > max || (first == max && runs[k].batch > batch))
            break;
        if (last > max || (last == max && runs[k].batch > batch)) {
            max = last;
            batch = runs[k].batch;
        }
    }
    *out_max = max;
    return k;
}

static bool merge_in_cache(sorter *s, sort_run *runs, size_t n, int64_t max)
{
    int64_t min = run_first(&runs[0]);
    size_t n_rows = 0;
    for (size_t i = 0; i < n; i++)
        n_rows += runs[i].end - runs[i].at;
    qsort(runs, n, sizeof *runs, by_batch);
    const sort_row *rows;
    return arka_sort__radix(&s->scratch, runs, n, min, max, &rows) && emit_rows(s, rows, n_rows);
}

static bool merge_pieces(sorter *s)
{
    sort_run *pieces = s->pieces.items;
    size_t n = s->pieces.n;
    qsort(pieces, n, sizeof *pieces, by_first);
    for (size_t at = 0; at < n;) {
        int64_t max;
        size_t k = cluster_of(pieces + at, n - at, &max);
        bool ok = k == 1 ? emit_run(s, &pieces[at]) : merge_in_cache(s, pieces + at, k, max);
        if (!ok)
            return false;
        at += k;
    }
    return true;
}

/* Times that cut the cluster into windows of about `window` rows, ascending and distinct. */
static bool find_splitters(sorter *s, const sort_run *runs, size_t n, size_t window)
{
    s->splitters.n = 0;
    size_t skip = SAMPLE_EVERY / 2;
    for (size_t r = 0; r < n; r++) {
        size_t at = runs[r].at + skip;
        for (; at < runs[r].end; at += SAMPLE_EVERY)
            if (!arka_vec_push(&s->splitters, runs[r].times[at]))
                return false;
        skip = at - runs[r].end;
    }
    qsort(s->splitters.items, s->splitters.n, sizeof(int64_t), by_value);
    size_t every = window / SAMPLE_EVERY, kept = 0;
    int64_t *items = s->splitters.items;
    for (size_t i = every; i < s->splitters.n; i += every)
        if (kept == 0 || items[i] > items[kept - 1])
            items[kept++] = items[i];
    s->splitters.n = kept;
    return true;
}

/* The part of each active run up to `limit` becomes a piece; runs that end there are dropped. */
static bool cut_window(sorter *s, int64_t limit)
{
    s->pieces.n = 0;
    if (!arka_vec_reserve(&s->pieces, s->active.n))
        return false;
    size_t kept = 0;
    for (size_t i = 0; i < s->active.n; i++) {
        sort_run run = s->active.items[i];
        uint32_t end = arka_sort__upper(run.times, run.at, run.end, limit);
        if (end > run.at) {
            s->pieces.items[s->pieces.n] = run;
            s->pieces.items[s->pieces.n++].end = end;
        }
        run.at = end;
        if (run.at < run.end)
            s->active.items[kept++] = run;
    }
    s->active.n = kept;
    return true;
}

/*
 * Rows of a window. It grows with the number of runs that go on at the same time: else ordering
 * their pieces would cost more than ordering the rows.
 */
static size_t window_for(const sort_run *runs, size_t n, int64_t max)
{
    double together = 0;
    for (size_t i = 0; i < n; i++)
        together += (double)run_last(&runs[i]) - (double)run_first(&runs[i]);
    double range = (double)max - (double)run_first(&runs[0]);
    together = range > 0 ? together / range : 0;
    size_t window = (size_t)together * ROWS_PER_RUN;
    return window > WINDOW ? window : WINDOW;
}

static bool merge_cluster(sorter *s, sort_run *runs, size_t n, int64_t max)
{
    size_t n_rows = 0;
    for (size_t i = 0; i < n; i++)
        n_rows += runs[i].end - runs[i].at;
    if (n_rows <= WINDOW)
        return merge_in_cache(s, runs, n, max);
    if (!find_splitters(s, runs, n, window_for(runs, n, max)))
        return false;
    s->active.n = 0;
    size_t next = 0;
    for (size_t w = 0; w <= s->splitters.n; w++) {
        int64_t limit = w < s->splitters.n ? s->splitters.items[w] : INT64_MAX;
        for (; next < n && run_first(&runs[next]) <= limit; next++)
            if (!arka_vec_push(&s->active, runs[next]))
                return false;
        if (!cut_window(s, limit) || !merge_pieces(s))
            return false;
    }
    return true;
}

/* An unsorted batch becomes a sorted run: a copy of its times in order, and where they came from.
 */
static bool sort_batch(sorter *s, const arka_batch *batch, sort_run *run)
{
    const sort_row *rows;
    size_t n = run->end;
    if (!arka_sort__radix(&s->scratch, run, 1, batch->time_min, batch->time_max, &rows))
        return false;
    void *copy = arka_malloc(n * (sizeof(int64_t) + sizeof(uint32_t)));
    if (copy == NULL || !arka_vec_push(&s->sorted, copy)) {
        arka_free(copy);
        return false;
    }
    int64_t *times = copy;
    uint32_t *places = (uint32_t *)(times + n);
    for (size_t i = 0; i < n; i++) {
        times[i] = (int64_t)(rows[i].key + (uint64_t)batch->time_min);
        places[i] = rows[i].row;
    }
    run->times = times;
    run->rows = places;
    return true;
}

static bool make_runs(sorter *s, arka_batch *const *batches, size_t n_batches)
{
    if (!arka_vec_reserve(&s->runs, n_batches))
        return false;
    for (size_t b = 0; b < n_batches; b++) {
        const arka_batch *batch = batches[b];
        sort_run run = {.times = arka_column_i64(&batch->columns[batch->time]),
                        .batch = (uint32_t)b,
                        .end = (uint32_t)batch->n_rows};
        if (!batch->time_sorted && !sort_batch(s, batch, &run))
            return false;
        s->runs.items[s->runs.n++] = run;
    }
    return true;
}

static bool sort_all(sorter *s, arka_batch *const *batches, size_t n_batches)
{
    if (!make_runs(s, batches, n_batches))
        return false;
    qsort(s->runs.items, s->runs.n, sizeof(sort_run), by_first);
    for (size_t at = 0; at < s->runs.n;) {
        int64_t max;
        size_t k = cluster_of(s->runs.items + at, s->runs.n - at, &max);
        bool ok =
            k == 1 ? emit_run(s, &s->runs.items[at]) : merge_cluster(s, s->runs.items + at, k, max);
        if (!ok)
            return false;
        at += k;
    }
    return true;
}

static bool in_order(arka_batch *const *batches, size_t n_batches)
{
    for (size_t b = 0; b < n_batches; b++)
        if (!batches[b]->time_sorted || (b > 0 && batches[b]->time_min < batches[b - 1]->time_max))
            return false;
    return true;
}

arka_status arka_sort_by_time(arka_batch *const *batches, size_t n_batches, arka_spans *out,
                              arka_error *err)
{
    arka_spans spans = {0};
    ARKA_AUTO_VALUE(sorter) s = {.out = &spans};
    bool ok = true;
    if (in_order(batches, n_batches)) {
        for (size_t b = 0; ok && b < n_batches; b++)
            ok = arka_vec_push(&spans.list,
                               (arka_span){(uint32_t)b, 0, (uint32_t)batches[b]->n_rows});
    } else {
        ok = sort_all(&s, batches, n_batches);
    }
    for (size_t b = 0; b < n_batches; b++)
        spans.n_rows += batches[b]->n_rows;
    if (!ok) {
        arka_spans_fini(&spans);
        return arka_fail_nomem(err, "putting rows in order of time",
                               (size_t)spans.n_rows * sizeof(arka_span));
    }
    *out = spans;
    return ARKA_OK;
}
