#include "base/civil.h"
#include "columnar/block.h"
#include "columnar/sort.h"
#include "kit/kit.h"

typedef struct batches {
    arka_batch **items;
    size_t n;
} batches;

static void add(batches *b, const int64_t *times, int64_t n)
{
    arka_error err = {0};
    arka_block *block;
    int c;
    ASSERT_OK(arka_block_new(n, 0, &block, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &c, &err));
    memcpy(arka_block_values(block, c), times, (size_t)n * 8);
    b->items = realloc(b->items, (b->n + 1) * sizeof *b->items);
    ASSERT_OK(arka_block_seal(block, 0, &b->items[b->n], &err));
    b->n++;
}

static void drop(batches *b)
{
    for (size_t i = 0; i < b->n; i++)
        arka_batch_unref(b->items[i]);
    free(b->items);
}

typedef struct row {
    int64_t time;
    uint32_t batch, row;
} row;

static int by_time_and_place(const void *a, const void *b)
{
    const row *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->batch != y->batch)
        return x->batch < y->batch ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Sorts and compares with qsort on (time, batch, row), row by row. Spans must be as long as can be.
 */
static size_t check(const batches *b)
{
    arka_error err = {0};
    ARKA_AUTO_VALUE(arka_spans) spans = {0};
    ASSERT_OK(arka_sort_by_time(b->items, b->n, &spans, &err));
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += (size_t)b->items[i]->n_rows;
    assert_int_equal(spans.n_rows, n);
    row *want = malloc((n + 1) * sizeof *want);
    size_t at = 0;
    for (size_t i = 0; i < b->n; i++)
        for (uint32_t r = 0; r < b->items[i]->n_rows; r++)
            want[at++] = (row){arka_column_i64(b->items[i]->columns)[r], (uint32_t)i, r};
    qsort(want, n, sizeof *want, by_time_and_place);
    at = 0;
    for (size_t s = 0; s < spans.list.n; s++) {
        arka_span span = spans.list.items[s];
        assert_true(span.n > 0);
        if (s > 0) {
            arka_span before = spans.list.items[s - 1];
            assert_false(before.batch == span.batch && before.row + before.n == span.row);
        }
        for (uint32_t i = 0; i < span.n; i++, at++) {
            assert_true(at < n);
            if (want[at].batch != span.batch || want[at].row != span.row + i)
                fail_msg("row %zu: batch %u row %u, expected batch %u row %u", at, span.batch,
                         span.row + i, want[at].batch, want[at].row);
        }
    }
    assert_int_equal(at, n);
    free(want);
    return spans.list.n;
}

TEST(no_batches_no_spans)
{
    batches b = {0};
    assert_int_equal(check(&b), 0);
}

TEST(batches_that_follow_each_other_cost_one_span_each)
{
    batches b = {0};
    for (int64_t i = 0; i < 5; i++)
        add(&b, (int64_t[]){i * 10, i * 10, i * 10 + 10}, 3);
    assert_int_equal(check(&b), 5);
    drop(&b);
}

TEST(batches_out_of_turn_cost_one_span_each)
{
    batches b = {0};
    add(&b, (int64_t[]){20, 30}, 2);
    add(&b, (int64_t[]){-5, 0}, 2);
    add(&b, (int64_t[]){10, 19}, 2);
    assert_int_equal(check(&b), 3);
    drop(&b);
}

TEST(equal_times_keep_the_order_of_batches)
{
    batches b = {0};
    add(&b, (int64_t[]){5, 7, 7}, 3);
    add(&b, (int64_t[]){7, 7}, 2);
    add(&b, (int64_t[]){1, 5}, 2);
    add(&b, (int64_t[]){7, 9}, 2);
    check(&b);
    drop(&b);
}

TEST(equal_times_at_the_end_of_a_cluster_keep_the_order_of_batches)
{
    batches b = {0};
    add(&b, (int64_t[]){0, 10}, 2);
    add(&b, (int64_t[]){10, 20}, 2);
    add(&b, (int64_t[]){5, 10}, 2);
    check(&b);
    drop(&b);
}

TEST(one_time_in_all_rows_costs_one_span_a_batch)
{
    batches b = {0};
    int64_t *times = calloc(20000, 8);
    for (int i = 0; i < 5; i++)
        add(&b, times, 20000);
    times[0] = -1; /* starts before the others: nothing is in order any more */
    add(&b, times, 20000);
    assert_int_equal(check(&b), 7);
    free(times);
    drop(&b);
}

TEST(the_whole_range_of_int64_sorts)
{
    batches b = {0};
    add(&b, (int64_t[]){INT64_MIN, 0, INT64_MAX}, 3);
    add(&b, (int64_t[]){INT64_MIN, -1, INT64_MAX}, 3);
    add(&b, (int64_t[]){INT64_MAX, INT64_MIN, 1}, 3);
    check(&b);
    int64_t *times = malloc(3000 * 8);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 3000; j++)
            times[j] = (int64_t)kit_random();
        add(&b, times, 3000);
    }
    check(&b);
    free(times);
    drop(&b);
}

TEST(an_unsorted_batch_is_sorted)
{
    batches b = {0};
    add(&b, (int64_t[]){3, 1, 2, 1, 3, 0}, 6);
    check(&b);
    add(&b, (int64_t[]){2, 2, 1}, 3);
    add(&b, (int64_t[]){100, 101}, 2);
    check(&b);
    drop(&b);
}

/* Stretches that do not interleave are copied whole although their batches do. */
TEST(stretches_are_copied_whole)
{
    batches b = {0};
    int64_t *times = malloc(10000 * 8);
    for (int64_t k = 0; k < 2; k++) {
        for (int64_t i = 0; i < 10000; i++)
            times[i] = (i / 100 * 2 + k) * 100 + i % 100;
        add(&b, times, 10000);
    }
    assert_int_equal(check(&b), 200);
    free(times);
    drop(&b);
}

/* Connections in parallel, each a stream of batches: what ingest looks like. */
static void streams(batches *b, int n_streams, int n_batches, int64_t rows, uint64_t step)
{
    int64_t *now = calloc((size_t)n_streams, 8), *times = malloc((size_t)rows * 8);
    for (int i = 0; i < n_batches; i++) {
        int s = (int)(kit_random() % (uint64_t)n_streams);
        for (int64_t r = 0; r < rows; r++)
            times[r] = now[s] += (int64_t)(kit_random() % step);
        add(b, times, rows);
    }
    free(now);
    free(times);
}

TEST(interleaved_streams_merge)
{
    struct {
        int streams, batches;
        int64_t rows;
        uint64_t step;
    } const cases[] = {
        {12, 100, 1000, 20}, {12, 100, 1000, 2}, {2, 30, 1000, 1000000},
        {300, 600, 100, 50}, {1000, 1000, 7, 3}, {3, 9, 20000, INT64_C(1) << 40},
        {50, 5000, 1, 10},   {5, 40, 2000, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        batches b = {0};
        streams(&b, cases[i].streams, cases[i].batches, cases[i].rows, cases[i].step);
        check(&b);
        drop(&b);
    }
}

TEST(any_mixture_equals_a_plain_sort)
{
    for (int round = 0; round < 60; round++) {
        batches b = {0};
        int n = 1 + (int)(kit_random() % 40);
        for (int i = 0; i < n; i++) {
            int64_t rows = 1 + (int64_t)(kit_random() % (round % 3 == 0 ? 3000 : 60));
            int64_t *times = malloc((size_t)rows * 8);
            uint64_t range = 1 + (kit_random() % 5000 << kit_random() % 40);
            int64_t from = (int64_t)(kit_random() % 1000) * 7;
            bool sorted = kit_random() % 3 != 0;
            for (int64_t r = 0; r < rows; r++) {
                int64_t t = from + (int64_t)(kit_random() % range);
                times[r] = sorted && r > 0 && t < times[r - 1] ? times[r - 1] : t;
            }
            add(&b, times, rows);
            free(times);
        }
        check(&b);
        drop(&b);
    }
}

typedef struct parts {
    arka_batch *const *batches;
    int64_t starts[16], rows[16], first[16], last[16];
    int n, fail_at;
} parts;

static arka_status note_part(void *context, int64_t start, const arka_spans *part, arka_error *err)
{
    parts *p = context;
    if (p->n == p->fail_at)
        return arka_fail(err, ARKA_IO, "the disk said no");
    int64_t n = 0;
    for (size_t i = 0; i < part->list.n; i++)
        n += part->list.items[i].n;
    assert_int_equal(n, part->n_rows);
    arka_span a = part->list.items[0], z = part->list.items[part->list.n - 1];
    p->first[p->n] = arka_column_i64(p->batches[a.batch]->columns)[a.row];
    p->last[p->n] = arka_column_i64(p->batches[z.batch]->columns)[z.row + z.n - 1];
    p->starts[p->n] = start;
    p->rows[p->n++] = n;
    return ARKA_OK;
}

TEST(partitions_are_cut_at_hours_before_and_after_1970)
{
    arka_error err = {0};
    int64_t h = ARKA_US_PER_HOUR;
    batches b = {0};
    add(&b, (int64_t[]){-h - 1, -h, -1, 0, 1}, 5);
    add(&b, (int64_t[]){h - 1, h, h + 5, 3 * h - 1}, 4);
    add(&b, (int64_t[]){5 * h, 5 * h}, 2);
    ARKA_AUTO_VALUE(arka_spans) spans = {0};
    ASSERT_OK(arka_sort_by_time(b.items, b.n, &spans, &err));
    parts p = {.batches = b.items, .fail_at = -1};
    ASSERT_OK(arka_spans_partition(b.items, &spans, h, note_part, &p, &err));
    int64_t starts[] = {-2 * h, -h, 0, h, 2 * h, 5 * h}, rows[] = {1, 2, 3, 2, 1, 2};
    assert_int_equal(p.n, 6);
    for (int i = 0; i < p.n; i++) {
        assert_int_equal(p.starts[i], starts[i]);
        assert_int_equal(p.rows[i], rows[i]);
        assert_true(p.first[i] >= starts[i] && p.last[i] < starts[i] + h);
    }

    parts bad = {.batches = b.items, .fail_at = 2};
    ASSERT_FAILS(arka_spans_partition(b.items, &spans, h, note_part, &bad, &err), ARKA_IO,
                 "said no");
    assert_int_equal(bad.n, 2);
    drop(&b);
}

TEST(partitions_at_the_ends_of_int64_are_cut_short)
{
    arka_error err = {0};
    batches b = {0};
    add(&b, (int64_t[]){INT64_MIN, INT64_MIN + 1, 0, INT64_MAX - 1, INT64_MAX, INT64_MAX}, 6);
    ARKA_AUTO_VALUE(arka_spans) spans = {0};
    ASSERT_OK(arka_sort_by_time(b.items, b.n, &spans, &err));
    parts p = {.batches = b.items, .fail_at = -1};
    ASSERT_OK(arka_spans_partition(b.items, &spans, ARKA_US_PER_HOUR, note_part, &p, &err));
    assert_int_equal(p.n, 3);
    assert_int_equal(p.starts[0], INT64_MIN);
    assert_int_equal(p.rows[0], 2);
    assert_int_equal(p.starts[1], 0);
    assert_int_equal(p.rows[2], 3);
    drop(&b);
}
