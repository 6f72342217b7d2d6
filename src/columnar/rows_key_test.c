#include "columnar/rows.h"

#include "kit/kit.h"

/* Room for a key of up to 4 cells. */
typedef union key4 {
    arka_row_key key;
    char room[sizeof(arka_row_key) + 4 * sizeof(((arka_row_key *)NULL)->cells[0])];
} key4;

static void add_cell(key4 *k, int column, const char *text)
{
    k->key.cells[k->key.n].column = column;
    k->key.cells[k->key.n++].text = arka_slice_of(text);
}

static void expect_text(const arka_batch *b, const char *column, int64_t row, const char *text)
{
    int i = arka_batch_find(b, arka_slice_of(column));
    assert_true(i >= 0);
    assert_int_equal(arka_column_is_null(&b->columns[i], row), text == NULL);
    arka_slice got = arka_column_text(&b->columns[i], row);
    assert_true(arka_slice_eq(got, arka_slice_of(text ? text : "")));
}

static int column_of(arka_rows *rows, const char *name, bool tag)
{
    arka_error err = {0};
    int c = arka_rows_column(rows, arka_slice_of(name), tag, ARKA_TYPE_NONE, -1, &err);
    assert_true(c >= 0);
    return c;
}

TEST(rows_take_the_texts_of_their_keys)
{
    static const char LONG[] = "a longer text than most";
    arka_error err = {0};
    arka_rows *rows = NULL;
    arka_batch *batch = NULL;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int a = column_of(rows, "a", false), v = column_of(rows, "v", false),
        b = column_of(rows, "b", false);
    static key4 one, two, none;
    add_cell(&one, a, "x");
    add_cell(&one, b, LONG);
    add_cell(&two, b, "y");
    /* row 0 has no key at all, row 1 to 4 have one, row 5 again has none */
    assert_int_equal(arka_rows_put_i64(rows, v, 0), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 0));
    const key4 *keys[] = {&one, &two, &none, &one};
    assert_int_equal(arka_rows_add_key(rows, &one.key), ARKA_PUT_OK);
    assert_int_equal(arka_rows_add_key(rows, &two.key), ARKA_PUT_OK);
    assert_int_equal(arka_rows_add_key(rows, &none.key), ARKA_PUT_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(arka_rows_put_i64(rows, v, i + 1), ARKA_PUT_OK);
        assert_int_equal(arka_rows_put_key(rows, &keys[i]->key), ARKA_PUT_OK);
        assert_true(arka_rows_end(rows, i + 1));
    }
    assert_int_equal(arka_rows_put_i64(rows, v, 5), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 5));
    assert_null(arka_rows_key(rows, 0));
    assert_ptr_equal(arka_rows_key(rows, 2), &two.key);
    assert_null(arka_rows_key(rows, 5));
    assert_int_equal(arka_rows_time(rows, 3), 3);
    ASSERT_OK(arka_rows_seal(rows, &batch, &err));
    static const char *const A[] = {NULL, "x", NULL, NULL, "x", NULL};
    static const char *const B[] = {NULL, LONG, "y", NULL, LONG, NULL};
    for (int i = 0; i < 6; i++) {
        expect_text(batch, "a", i, A[i]);
        expect_text(batch, "b", i, B[i]);
    }
    assert_true(batch->columns[arka_batch_find(batch, ARKA_SLICE("a"))].tag);
    assert_false(batch->columns[arka_batch_find(batch, ARKA_SLICE("v"))].tag);
    arka_batch_unref(batch);
}

TEST(a_column_may_have_cells_and_keys)
{
    arka_error err = {0};
    arka_rows *rows = NULL;
    arka_batch *batch = NULL;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int a = column_of(rows, "a", false);
    static key4 key;
    add_cell(&key, a, "key");
    assert_int_equal(arka_rows_put_text(rows, a, ARKA_SLICE("cell")), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 0));
    assert_int_equal(arka_rows_add_key(rows, &key.key), ARKA_PUT_OK);
    assert_int_equal(arka_rows_put_key(rows, &key.key), ARKA_PUT_OK);
    assert_int_equal(arka_rows_put_text(rows, a, ARKA_SLICE("hidden")), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 1));
    assert_int_equal(arka_rows_put_i64(rows, a, 7), ARKA_PUT_OK); /* as text */
    assert_true(arka_rows_end(rows, 2));
    assert_int_equal(arka_rows_put_text(rows, a, ARKA_SLICE("")), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 3));
    ASSERT_OK(arka_rows_seal(rows, &batch, &err));
    expect_text(batch, "a", 0, "cell");
    expect_text(batch, "a", 1, "key");
    expect_text(batch, "a", 2, "7");
    expect_text(batch, "a", 3, "");
    assert_int_equal(batch->columns[arka_batch_find(batch, ARKA_SLICE("a"))].n_nulls, 0);
    arka_batch_unref(batch);
}

TEST(a_key_does_not_fit_a_column_of_numbers)
{
    arka_error err = {0};
    ARKA_AUTO(arka_rows) rows = NULL;
    ASSERT_OK(arka_rows_new(true, &rows, &err));
    int a = column_of(rows, "a", false), b = column_of(rows, "b", false);
    static key4 key;
    add_cell(&key, a, "x");
    add_cell(&key, b, "y");
    assert_int_equal(arka_rows_put_f64(rows, b, 1), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 0));
    assert_int_equal(arka_rows_add_key(rows, &key.key), ARKA_PUT_CONFLICT);
    assert_int_equal(arka_rows_type(rows, a), ARKA_TYPE_NONE);
    assert_false(arka_rows_is_tag(rows, a));
}

TEST(the_key_of_a_dropped_row_leaves_no_column)
{
    arka_error err = {0};
    arka_rows *rows = NULL;
    arka_batch *batch = NULL;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int a = column_of(rows, "a", false), v = column_of(rows, "v", false);
    static key4 key;
    add_cell(&key, a, "x");
    assert_int_equal(arka_rows_add_key(rows, &key.key), ARKA_PUT_OK);
    assert_int_equal(arka_rows_put_key(rows, &key.key), ARKA_PUT_OK);
    arka_rows_cancel(rows);
    assert_int_equal(arka_rows_put_bool(rows, v, true), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 0));
    assert_null(arka_rows_key(rows, 0));
    ASSERT_OK(arka_rows_seal(rows, &batch, &err));
    assert_int_equal(batch->n_columns, 2);
    assert_int_equal(arka_batch_find(batch, ARKA_SLICE("a")), -1);
    arka_batch_unref(batch);
}

TEST(dense_columns_turn_sparse_and_back_without_losing_cells)
{
    arka_error err = {0};
    arka_rows *rows = NULL;
    arka_batch *batch = NULL;
    enum { N = 1000 };
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int v = column_of(rows, "v", false), w = column_of(rows, "w", false);
    for (int i = 0; i < N; i++) {
        if (i < 300 || i >= 700)
            assert_int_equal(arka_rows_put_i64(rows, v, i), ARKA_PUT_OK);
        if (i % 100 == 50) {
            assert_int_equal(arka_rows_put_f64(rows, v, 0.5), ARKA_PUT_OK);
            arka_rows_cancel(rows);
            assert_int_equal(arka_rows_type(rows, v), ARKA_BIGINT);
            if (i < 300 || i >= 700)
                assert_int_equal(arka_rows_put_i64(rows, v, i), ARKA_PUT_OK);
        }
        assert_int_equal(arka_rows_put_bool(rows, w, i % 3 == 0), ARKA_PUT_OK);
        assert_true(arka_rows_end(rows, i));
    }
    arka_rows_reopen(rows, 500);
    assert_false(arka_rows_has(rows, v));
    assert_int_equal(arka_rows_put_i64(rows, v, 500), ARKA_PUT_OK);
    assert_true(arka_rows_has(rows, v));
    arka_rows_close_again(rows);
    ASSERT_OK(arka_rows_seal(rows, &batch, &err));
    const arka_column *c = &batch->columns[arka_batch_find(batch, ARKA_SLICE("v"))];
    assert_int_equal(c->n_nulls, 399);
    for (int i = 0; i < N; i++) {
        bool there = i < 300 || i >= 700 || i == 500;
        assert_int_equal(arka_column_is_null(c, i), !there);
        assert_int_equal(arka_column_i64(c)[i], there ? i : 0);
    }
    arka_batch_unref(batch);
}

TEST(the_key_of_a_dropped_row_leaves_nothing)
{
    arka_error err = {0};
    size_t body_bytes[2];
    static key4 key;
    for (int with = 0; with < 2; with++) {
        arka_rows *rows = NULL;
        arka_batch *batch = NULL;
        ASSERT_OK(arka_rows_new(false, &rows, &err));
        int v = column_of(rows, "v", false), tag = column_of(rows, "t", true);
        if (with) {
            add_cell(&key, tag, "x");
            assert_int_equal(arka_rows_add_key(rows, &key.key), ARKA_PUT_OK);
            assert_int_equal(arka_rows_put_key(rows, &key.key), ARKA_PUT_OK);
            arka_rows_cancel(rows);
        }
        assert_int_equal(arka_rows_put_i64(rows, v, 1), ARKA_PUT_OK);
        assert_true(arka_rows_end(rows, 1));
        ASSERT_OK(arka_rows_seal(rows, &batch, &err));
        assert_int_equal(batch->n_columns, 2);
        body_bytes[with] = batch->body_bytes;
        arka_batch_unref(batch);
    }
    assert_int_equal(body_bytes[1], body_bytes[0]);
}
