/* The ledger against plain lists of rows. */
#include "cli/bench/bench_ledger.h"

#include "kit/kit.h"

enum { SPACE = 200000 };

typedef struct twin { /* how often row x was acknowledged, or is unsure */
    int64_t stored[SPACE], unsure[SPACE];
} twin;

static void note(twin *t, arka_row_range range, arka_outcome outcome)
{
    for (int64_t i = 0; i < range.n; i++) {
        int64_t x = range.first + i * range.stride;
        assert_in_range(x, 0, SPACE - 1);
        t->stored[x] += outcome == ARKA_OUTCOME_STORED;
        t->unsure[x] += outcome == ARKA_OUTCOME_UNSURE;
    }
}

static void check_sums(const twin *t, const arka_row_sums *sums)
{
    arka_row_sums expected = ARKA_ROW_SUMS_NONE;
    for (int64_t x = 0; x < SPACE; x++) {
        if (t->stored[x] == 0)
            continue;
        int64_t rest = x % 46337;
        expected.n += t->stored[x];
        expected.n_distinct++;
        expected.sum += x * t->stored[x];
        expected.squares += rest * rest * t->stored[x];
        expected.max = x;
    }
    assert_int_equal(sums->n, expected.n);
    assert_int_equal(sums->n_distinct, expected.n_distinct);
    assert_int_equal(sums->sum, expected.sum);
    assert_int_equal(sums->squares, expected.squares);
    assert_int_equal(sums->max, expected.max);
}

static void check_unsure(twin *t, const arka_ledger *l)
{
    arka_row_range range;
    int64_t stored, unsure;
    for (size_t i = 0; arka_ledger_unsure(l, i, &range, &stored, &unsure); i++) {
        for (int64_t r = 0; r < range.n; r++) {
            int64_t x = range.first + r * range.stride;
            assert_int_equal(t->unsure[x], unsure);
            assert_int_equal(t->stored[x], stored);
            t->unsure[x] = 0;
        }
    }
}

/* Random requests of two ledgers that share a run, some of them left under way at the end. */
static void run(bool fixed, int n_rows, int n_slots, int n_requests)
{
    arka_error err = {0};
    arka_ledger ledgers[2];
    int half = n_slots / 2;
    ASSERT_OK(arka_ledger_init(&ledgers[0], fixed, n_rows, n_slots, 0, half, &err));
    ASSERT_OK(arka_ledger_init(&ledgers[1], fixed, n_rows, n_slots, half, n_slots - half, &err));
    twin *t = calloc(1, sizeof *t);
    for (int i = 0; i < n_requests; i++) {
        arka_ledger *l = &ledgers[kit_random() % 2];
        int slot = (int)(kit_random() % (uint64_t)l->n_own);
        uint64_t dice = kit_random() % 10;
        arka_outcome outcome = dice == 0   ? ARKA_OUTCOME_REFUSED
                               : dice == 1 ? ARKA_OUTCOME_UNSURE
                                           : ARKA_OUTCOME_STORED;
        note(t, arka_ledger_begin(l, slot), outcome);
        arka_ledger_end(l, slot, outcome);
    }
    note(t, arka_ledger_begin(&ledgers[0], 0), ARKA_OUTCOME_UNSURE);
    arka_row_sums sums = ARKA_ROW_SUMS_NONE;
    for (int i = 0; i < 2; i++) {
        arka_ledger_close(&ledgers[i]);
        arka_ledger_sum(&ledgers[i], &sums);
    }
    check_sums(t, &sums);
    for (int i = 0; i < 2; i++) {
        check_unsure(t, &ledgers[i]);
        assert_false(ledgers[i].failed);
        arka_ledger_fini(&ledgers[i]);
    }
    for (int x = 0; x < SPACE; x++)
        assert_int_equal(t->unsure[x], 0);
    free(t);
}

TEST(stamped_requests_are_all_accounted_for)
{
    for (int round = 0; round < 20; round++)
        run(false, 1 + (int)(kit_random() % 100), 2 + (int)(kit_random() % 9), 200);
}

TEST(pooled_requests_are_all_accounted_for)
{
    for (int round = 0; round < 20; round++)
        run(true, 1 + (int)(kit_random() % 100), 2 + (int)(kit_random() % 30), 300);
}

TEST(rows_of_all_connections_are_disjoint_and_ascend)
{
    arka_error err = {0};
    arka_ledger l;
    enum { SLOTS = 7, ROWS = 13, REQUESTS = 9 };
    ASSERT_OK(arka_ledger_init(&l, false, ROWS, SLOTS, 0, SLOTS, &err));
    bool seen[SLOTS * ROWS * REQUESTS] = {0};
    for (int slot = 0; slot < SLOTS; slot++) {
        int64_t last = -1;
        for (int k = 0; k < REQUESTS; k++) {
            arka_row_range r = arka_ledger_begin(&l, slot);
            arka_ledger_end(&l, slot, ARKA_OUTCOME_STORED);
            for (int64_t i = 0; i < r.n; i++) {
                int64_t x = r.first + i * r.stride;
                assert_in_range(x, 0, SLOTS * ROWS * REQUESTS - 1);
                assert_true(x > last && !seen[x]);
                seen[x] = true;
                last = x;
            }
        }
    }
    arka_ledger_fini(&l);
}
