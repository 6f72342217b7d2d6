#include "columnar/concat.h"

#include "columnar/bits.h"
#include "kit/batch_text.h"
#include "kit/batches.h"

/* Rows as (batch, row) of the parts against those of the whole, cell by cell. */
static void assert_is_whole(arka_batch *const *parts, size_t n, const arka_batch *whole)
{
    assert_null(batch_fault(whole));
    assert_true(whole->layout == parts[0]->layout);
    int64_t at = 0;
    arka_buf a = ARKA_BUF_INIT, b = ARKA_BUF_INIT;
    for (size_t p = 0; p < n; p++)
        for (int64_t row = 0; row < parts[p]->n_rows; row++, at++)
            for (int c = 0; c < whole->n_columns; c++) {
                a.len = b.len = 0;
                cell_text_into(&parts[p]->columns[c], row, &a);
                cell_text_into(&whole->columns[c], at, &b);
                assert_string_equal(arka_buf_cstr(&a), arka_buf_cstr(&b));
            }
    assert_int_equal(at, whole->n_rows);
    arka_buf_fini(&a);
    arka_buf_fini(&b);
}

TEST(the_whole_has_every_cell_of_its_parts)
{
    arka_error err = {0};
    for (int turn = 0; turn < 50; turn++) {
        arka_batch *parts[40], *whole;
        size_t n = 1 + kit_random() % 40;
        for (size_t i = 0; i < n; i++)
            parts[i] = kit_sample_batch((int64_t)(1 + kit_random() % 130),
                                        (int64_t)(kit_random() % 3 * (1 + kit_random() % 9)));
        ASSERT_OK(arka_batch_concat(parts, n, &whole, &err));
        assert_is_whole(parts, n, whole);
        /* No more memory than the parts had, and little that is not used. */
        assert_true(whole->memory_bytes < whole->body_bytes + whole->body_bytes / 8 + 2048);
        arka_batch_unref(whole);
        for (size_t i = 0; i < n; i++)
            arka_batch_unref(parts[i]);
    }
}

TEST(single_rows_shrink_when_they_are_put_together)
{
    enum { N = 256 };
    arka_error err = {0};
    arka_batch *parts[N], *whole;
    size_t n_bytes = 0;
    for (int i = 0; i < N; i++) {
        parts[i] = kit_sample_batch(1, 0);
        n_bytes += parts[i]->memory_bytes;
    }
    ASSERT_OK(arka_batch_concat(parts, N, &whole, &err));
    assert_is_whole(parts, N, whole);
    assert_true(whole->memory_bytes * 8 < n_bytes);
    arka_batch_unref(whole);
    for (int i = 0; i < N; i++)
        arka_batch_unref(parts[i]);
}

TEST(failed_allocations_leave_nothing_behind)
{
    arka_error err = {0};
    arka_batch *parts[] = {kit_sample_batch(100, 3), kit_sample_batch(7, 0)}, *whole = NULL;
    arka_status status = ARKA_NOMEM;
    for (long n = 1; status != ARKA_OK; n++) {
        err = (arka_error){0};
        kit_fail_allocation(n, true);
        status = arka_batch_concat(parts, 2, &whole, &err);
        kit_fail_allocation(0, false);
        if (status != ARKA_OK)
            assert_int_equal(status, ARKA_NOMEM);
    }
    assert_is_whole(parts, 2, whole);
    arka_batch_unref(whole);
    arka_batch_unref(parts[0]);
    arka_batch_unref(parts[1]);
}

TEST(bits_are_appended_at_any_place)
{
    for (int turn = 0; turn < 2000; turn++) {
        uint8_t from[64], to[64] = {0}, want[64] = {0};
        for (size_t i = 0; i < sizeof from; i++)
            from[i] = (uint8_t)kit_random();
        int64_t at = (int64_t)(kit_random() % 200), n = (int64_t)(kit_random() % 300);
        for (int64_t i = 0; i < at; i++)
            if (kit_random() & 1)
                to[i / 8] |= (uint8_t)(1 << (i & 7));
        memcpy(want, to, sizeof want);
        for (int64_t i = 0; i < n; i++)
            if (arka_bit(from, i))
                want[(at + i) / 8] |= (uint8_t)(1 << ((at + i) & 7));
        arka_bits_append(to, at, from, n);
        assert_memory_equal(to, want, sizeof want);
    }
}
