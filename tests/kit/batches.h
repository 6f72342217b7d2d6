/** Batches for unit tests above columnar/block.h: a sample of every type, and what makes two equal.
 */
#ifndef TESTS_KIT_BATCHES_H
#define TESTS_KIT_BATCHES_H

#include "base/utf8.h"
#include "columnar/block.h"
#include "kit/kit.h"

/** Row i of column "s". */
static inline size_t kit_sample_text(char out[32], int64_t i)
{
    return i % 5 == 2 ? 0 : (size_t)snprintf(out, 32, "zeile \xc3\xa9 %lld", (long long)i);
}

/**
 * time, f (DOUBLE), i (BIGINT), b (BOOLEAN), s (VARCHAR, a tag), t2 (TIMESTAMPTZ); all but time are
 * null in each row i with i % null_each == 1 (0: no nulls).
 */
static inline arka_batch *kit_sample_batch(int64_t n, int64_t null_each)
{
    static const struct {
        const char *name;
        arka_type type;
    } columns[] = {{"time", ARKA_TIMESTAMPTZ}, {"f", ARKA_DOUBLE},  {"i", ARKA_BIGINT},
                   {"b", ARKA_BOOLEAN},        {"s", ARKA_VARCHAR}, {"t2", ARKA_TIMESTAMPTZ}};
    arka_error err = {0};
    arka_block *block;
    arka_batch *batch;
    ASSERT_OK(arka_block_new(n, 0, &block, &err));
    for (int k = 0; k < 6; k++) {
        int c;
        arka_type type = columns[k].type;
        ASSERT_OK(arka_block_add(block, arka_slice_of(columns[k].name), type, type == ARKA_VARCHAR,
                                 &c, &err));
        for (int64_t i = 0; i < n; i++) {
            bool null = k > 0 && null_each > 0 && i % null_each == 1;
            if (null)
                ASSERT_OK(arka_block_set_null(block, c, i, &err));
            if (type == ARKA_VARCHAR) {
                char text[32];
                size_t len = null ? 0 : kit_sample_text(text, i);
                char *to = arka_block_text_reserve(block, c, len);
                memcpy(to, text, len);
                arka_block_text_advance(block, c, len);
                ((int32_t *)arka_block_values(block, c))[i + 1] =
                    (int32_t)arka_block_text_len(block, c);
            } else if (type == ARKA_BOOLEAN) {
                if (!null && i % 3 == 0)
                    ((uint8_t *)arka_block_values(block, c))[i / 8] |= (uint8_t)(1 << (i & 7));
            } else if (type == ARKA_DOUBLE) {
                ((double *)arka_block_values(block, c))[i] = null ? 0 : (double)i / 3;
            } else {
                ((int64_t *)arka_block_values(block, c))[i] = null ? 0 : k * 1000000 - i * 7;
            }
        }
    }
    ASSERT_OK(arka_block_seal(block, 0, &batch, &err));
    return batch;
}

/** Everything that a reader of batches relies on; for batches made of bytes from outside. */
static inline void kit_check_batch(const arka_batch *b)
{
    assert_true(b->n_rows >= 1);
    assert_int_equal(b->body_bytes % 8, 0);
    assert_true(b->time >= 0 && b->time < b->n_columns);
    assert_int_equal(b->columns[b->time].type, ARKA_TIMESTAMPTZ);
    assert_int_equal(b->columns[b->time].n_nulls, 0);
    for (int i = 0; i < b->n_columns; i++) {
        const arka_column *c = &b->columns[i];
        int64_t n_nulls = 0;
        for (int64_t row = 0; row < b->n_rows; row++)
            n_nulls += arka_column_is_null(c, row);
        assert_int_equal(n_nulls, c->n_nulls);
        for (int64_t row = 0; c->type == ARKA_VARCHAR && row < b->n_rows; row++) {
            const int32_t *offsets = c->values;
            assert_true(offsets[0] == 0 && offsets[row + 1] >= offsets[row]);
            arka_slice text = arka_column_text(c, row);
            assert_true(arka_utf8_valid(text.data, text.len));
            assert_true(!arka_column_is_null(c, row) || text.len == 0);
            assert_true((const uint8_t *)text.data + text.len <= b->body + b->body_bytes);
        }
    }
}

/** Same columns, same rows. */
static inline void kit_assert_batches_equal(const arka_batch *a, const arka_batch *b)
{
    assert_int_equal(a->n_rows, b->n_rows);
    assert_int_equal(a->n_columns, b->n_columns);
    assert_true(a->layout == b->layout);
    assert_true(a->time_min == b->time_min && a->time_max == b->time_max);
    for (int i = 0; i < a->n_columns; i++) {
        const arka_column *x = &a->columns[i], *y = &b->columns[i];
        assert_string_equal(x->name.data, y->name.data);
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->tag, y->tag);
        assert_int_equal(x->n_nulls, y->n_nulls);
        for (int64_t row = 0; row < a->n_rows; row++) {
            assert_int_equal(arka_column_is_null(x, row), arka_column_is_null(y, row));
            if (x->type == ARKA_VARCHAR)
                assert_true(arka_slice_eq(arka_column_text(x, row), arka_column_text(y, row)));
            else if (x->type == ARKA_BOOLEAN)
                assert_int_equal(arka_bit(x->values, row), arka_bit(y->values, row));
            else
                assert_memory_equal((const char *)x->values + row * 8,
                                    (const char *)y->values + row * 8, 8);
        }
    }
}

#endif
