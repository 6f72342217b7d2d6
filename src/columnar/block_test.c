#include "columnar/block.h"
#include "kit/kit.h"

static void put_text(arka_block *b, int col, int64_t row, const char *text)
{
    size_t n = strlen(text);
    char *to = arka_block_text_reserve(b, col, n);
    assert_non_null(to);
    memcpy(to, text, n);
    arka_block_text_advance(b, col, n);
    ((int32_t *)arka_block_values(b, col))[row + 1] = (int32_t)arka_block_text_len(b, col);
}

static arka_batch *sample(void)
{
    arka_error err = {0};
    arka_block *block;
    arka_batch *batch;
    int col;
    ASSERT_OK(arka_block_new(3, 0, &block, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("s"), ARKA_VARCHAR, true, &col, &err));
    put_text(block, col, 0, "one");
    ASSERT_OK(arka_block_set_null(block, col, 1, &err)); /* in the middle of the text */
    put_text(block, col, 1, "");
    put_text(block, col, 2, "drei");
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("i"), ARKA_BIGINT, false, &col, &err));
    memcpy(arka_block_values(block, col), (int64_t[]){1, -2, 3}, 24);
    ASSERT_OK(arka_block_set_null(block, col, 2, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("b"), ARKA_BOOLEAN, false, &col, &err));
    *(uint8_t *)arka_block_values(block, col) = 5;
    ASSERT_OK(arka_block_seal(block, 42, &batch, &err));
    return batch;
}

TEST(a_block_becomes_a_batch_in_one_allocation)
{
    arka_batch *b = sample();
    assert_int_equal(b->n_columns, 4);
    assert_int_equal(b->time, 3);
    assert_int_equal(b->time_min, 42);
    assert_true(b->time_sorted);
    const arka_column *s = &b->columns[0], *i = &b->columns[1];
    assert_int_equal(s->n_nulls, 1);
    assert_true(s->tag);
    assert_memory_equal(s->bytes, "onedrei", 7);
    assert_int_equal(arka_column_text(s, 2).len, 4);
    assert_true(arka_column_is_null(s, 1));
    assert_int_equal(arka_column_i64(i)[1], -2);
    assert_true(arka_column_is_null(i, 2));
    for (int c = 0; c < b->n_columns; c++) {
        const uint8_t *at = b->columns[c].values;
        assert_true(at >= b->body && at < b->body + b->body_bytes && (at - b->body) % 8 == 0);
    }
    assert_int_equal(b->body_bytes % 8, 0);
    assert_true((const uint8_t *)b > b->body && (const uint8_t *)b < b->body + b->memory_bytes);
    arka_batch_unref(b);
}

TEST(equal_columns_have_equal_layouts)
{
    arka_batch *a = sample(), *b = sample();
    assert_true(a->layout == b->layout);
    arka_batch_unref(a);
    arka_batch_unref(b);
}

TEST(a_block_refuses_bad_columns)
{
    arka_error err = {0};
    ARKA_AUTO(arka_block) block = NULL;
    int col;
    ASSERT_OK(arka_block_new(2, 0, &block, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("a"), ARKA_DOUBLE, false, &col, &err));
    ASSERT_FAILS(arka_block_add(block, ARKA_SLICE("A"), ARKA_DOUBLE, false, &col, &err), ARKA_INPUT,
                 "'A' is there twice");
    ASSERT_FAILS(arka_block_add(block, ARKA_SLICE(""), ARKA_DOUBLE, false, &col, &err), ARKA_INPUT,
                 "empty name");
    ASSERT_FAILS(arka_block_add(block, ARKA_SLICE("x\0y"), ARKA_DOUBLE, false, &col, &err),
                 ARKA_INPUT, "NUL");
    arka_block_drop_last(block);
    assert_int_equal(arka_block_n_columns(block), 0);
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("Time"), ARKA_DOUBLE, false, &col, &err));
    arka_batch *batch;
    ASSERT_FAILS(arka_block_seal(arka_take(block), 0, &batch, &err), ARKA_INPUT,
                 "column 'time' holds DOUBLE");
}

TEST(a_null_time_is_refused)
{
    arka_error err = {0};
    arka_block *block;
    arka_batch *batch;
    int col;
    ASSERT_OK(arka_block_new(3, 0, &block, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &col, &err));
    memset(arka_block_values(block, col), 0, 24);
    ASSERT_OK(arka_block_set_null(block, col, 2, &err));
    ASSERT_FAILS(arka_block_seal(block, 0, &batch, &err), ARKA_INPUT, "null in row 2");
}

TEST(casts_keep_values_and_nulls)
{
    arka_error err = {0};
    arka_batch *b = sample(), *cast;
    arka_type to[] = {ARKA_TYPE_NONE, ARKA_DOUBLE, ARKA_VARCHAR, ARKA_TYPE_NONE};
    ASSERT_OK(arka_batch_cast(b, to, &cast, &err));
    assert_int_equal(cast->columns[1].type, ARKA_DOUBLE);
    assert_true(arka_column_f64(&cast->columns[1])[1] == -2.0);
    assert_true(arka_column_is_null(&cast->columns[1], 2));
    assert_true(arka_slice_eq(arka_column_text(&cast->columns[2], 0), ARKA_SLICE("true")));
    assert_true(arka_slice_eq(arka_column_text(&cast->columns[2], 1), ARKA_SLICE("false")));
    assert_true(arka_slice_eq(arka_column_text(&cast->columns[0], 2), ARKA_SLICE("drei")));
    assert_true(arka_column_is_null(&cast->columns[0], 1));
    assert_int_equal(cast->time_min, 42);
    arka_type bad[] = {ARKA_BIGINT, 0, 0, 0};
    arka_batch *none;
    ASSERT_FAILS(arka_batch_cast(b, bad, &none, &err), ARKA_INPUT, "'s' is VARCHAR");
    arka_batch_unref(cast);
    arka_batch_unref(b);
}

TEST(casts_survive_every_failed_allocation)
{
    arka_error err = {0};
    arka_block *block;
    arka_batch *b, *cast = NULL;
    int col;
    ASSERT_OK(arka_block_new(3000, 0, &block, &err));
    for (int i = 0; i < 4; i++)
        ASSERT_OK(
            arka_block_add(block, (arka_slice){&"abcd"[i], 1}, ARKA_BOOLEAN, false, &col, &err));
    ASSERT_OK(arka_block_seal(block, 42, &b, &err));
    arka_type to[5]; /* texts need far more than bits */
    for (int i = 0; i < 5; i++)
        to[i] = i == b->time ? ARKA_TYPE_NONE : ARKA_VARCHAR;
    arka_status status = ARKA_NOMEM;
    for (long n = 1; status != ARKA_OK; n++) {
        err = (arka_error){0};
        kit_fail_allocation(n, true);
        status = arka_batch_cast(b, to, &cast, &err);
        kit_fail_allocation(0, false);
        if (status != ARKA_OK)
            assert_int_equal(status, ARKA_NOMEM);
    }
    assert_true(arka_slice_eq(arka_column_text(&cast->columns[0], 2999), ARKA_SLICE("false")));
    arka_batch_unref(cast);
    arka_batch_unref(b);
}

TEST(a_single_row_costs_little_more_than_its_columns_descriptions)
{
    arka_batch *b = sample();
    size_t whole = b->body_bytes + sizeof *b + (size_t)b->n_columns * (sizeof(arka_column) + 16);
    assert_true(b->memory_bytes < whole + whole / 8 + 16);
    arka_batch_unref(b);
}
