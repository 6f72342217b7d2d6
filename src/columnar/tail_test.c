#include "columnar/tail.h"

#include "columnar/rows.h"
#include "kit/kit.h"

enum { N = 37 };

static bool is_null(int64_t i)
{
    return i % 5 == 2;
}

static arka_batch *make(void)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *batch;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int t = arka_rows_column(rows, ARKA_SLICE("t"), true, ARKA_TYPE_NONE, -1, &err);
    int d = arka_rows_column(rows, ARKA_SLICE("d"), false, ARKA_TYPE_NONE, -1, &err);
    int b = arka_rows_column(rows, ARKA_SLICE("b"), false, ARKA_TYPE_NONE, -1, &err);
    for (int64_t i = 0; i < N; i++) {
        char text[32];
        size_t n = (size_t)snprintf(text, sizeof text, "x%lld", (long long)(i * i));
        if (!is_null(i))
            assert_int_equal(arka_rows_put_text(rows, t, (arka_slice){text, n}), ARKA_PUT_OK);
        assert_int_equal(arka_rows_put_f64(rows, d, (double)i / 2), ARKA_PUT_OK);
        assert_int_equal(arka_rows_put_bool(rows, b, i % 3 == 0), ARKA_PUT_OK);
        assert_true(arka_rows_end(rows, 1000 + i));
    }
    ASSERT_OK(arka_rows_seal(rows, &batch, &err));
    return batch;
}

TEST(every_tail_has_the_rows_of_the_batch_behind_it)
{
    arka_error err = {0};
    arka_batch *all = make();
    for (int64_t first = 0; first < N; first++) {
        arka_batch *tail;
        ASSERT_OK(arka_batch_tail(all, first, &tail, &err));
        assert_int_equal(tail->n_rows, N - first);
        assert_int_equal(tail->layout, all->layout);
        assert_int_equal(tail->time_min, 1000 + first);
        assert_int_equal(tail->time_max, 1000 + N - 1);
        const arka_column *t = &tail->columns[arka_batch_find(tail, ARKA_SLICE("t"))];
        const arka_column *d = &tail->columns[arka_batch_find(tail, ARKA_SLICE("d"))];
        const arka_column *b = &tail->columns[arka_batch_find(tail, ARKA_SLICE("b"))];
        for (int64_t i = 0; i < tail->n_rows; i++) {
            char want[32];
            snprintf(want, sizeof want, "x%lld", (long long)((first + i) * (first + i)));
            assert_int_equal(arka_column_is_null(t, i), is_null(first + i));
            if (!is_null(first + i))
                assert_true(arka_slice_eq(arka_column_text(t, i), arka_slice_of(want)));
            assert_true(arka_column_f64(d)[i] == (double)(first + i) / 2);
            assert_int_equal(arka_bit(b->values, i), (first + i) % 3 == 0);
        }
        arka_batch_unref(tail);
    }
    arka_batch_unref(all);
}

TEST(out_of_memory_is_said)
{
    arka_batch *all = make(), *tail = NULL;
    for (long n = 1; tail == NULL; n++) {
        arka_error err = {0};
        kit_fail_allocation(n, true);
        arka_status status = arka_batch_tail(all, 3, &tail, &err);
        kit_fail_allocation(0, false);
        assert_int_equal(status, tail ? ARKA_OK : ARKA_NOMEM);
    }
    arka_batch_unref(tail);
    arka_batch_unref(all);
}
