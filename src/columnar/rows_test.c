#include "columnar/rows.h"
#include "kit/kit.h"

static int column(arka_rows *rows, const char *name)
{
    arka_error err = {0};
    int c = arka_rows_column(rows, arka_slice_of(name), false, ARKA_TYPE_NONE, -1, &err);
    if (c < 0)
        fail_msg("%s", err.msg);
    return c;
}

static const arka_column *get(const arka_batch *b, const char *name)
{
    int i = arka_batch_find(b, arka_slice_of(name));
    return i < 0 ? NULL : &b->columns[i];
}

static void expect_text(const arka_column *c, int64_t row, const char *text)
{
    assert_true(arka_slice_eq(arka_column_text(c, row), arka_slice_of(text)));
}

TEST(columns_appear_when_met_and_missing_cells_are_null)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int a = column(rows, "a");
    assert_int_equal(arka_rows_put_i64(rows, a, 7), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 100));
    int s = column(rows, "s");
    assert_int_equal(arka_rows_put_text(rows, s, ARKA_SLICE("x")), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 90));
    int t = column(rows, "flag");
    assert_int_equal(arka_rows_put_bool(rows, t, true), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 95));
    ASSERT_OK(arka_rows_seal(rows, &b, &err));

    assert_int_equal(b->n_rows, 3);
    assert_int_equal(b->n_columns, 4);
    assert_int_equal(b->time_min, 90);
    assert_int_equal(b->time_max, 100);
    assert_false(b->time_sorted);
    const arka_column *ca = get(b, "a"), *cs = get(b, "S"), *cf = get(b, "flag");
    assert_int_equal(ca->n_nulls, 2);
    assert_int_equal(arka_column_i64(ca)[0], 7);
    assert_true(arka_column_is_null(ca, 1) && arka_column_is_null(ca, 2));
    assert_int_equal(cs->n_nulls, 2);
    expect_text(cs, 1, "x");
    assert_int_equal(arka_column_text(cs, 0).len, 0);
    assert_true(arka_bit(cf->values, 2) && arka_column_is_null(cf, 0));
    arka_batch_unref(b);
}

TEST(integers_widen_and_text_conflicts)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int v = column(rows, "v");
    assert_int_equal(arka_rows_put_i64(rows, v, 3), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 1));
    assert_int_equal(arka_rows_put_f64(rows, v, 1.5), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 2));
    assert_int_equal(arka_rows_put_text(rows, v, ARKA_SLICE("no")), ARKA_PUT_CONFLICT);
    assert_int_equal(arka_rows_put_bool(rows, v, true), ARKA_PUT_CONFLICT);
    arka_rows_cancel(rows);
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    assert_int_equal(get(b, "v")->type, ARKA_DOUBLE);
    assert_true(arka_column_f64(get(b, "v"))[0] == 3.0);
    assert_true(arka_column_f64(get(b, "v"))[1] == 1.5);
    assert_true(b->time_sorted);
    arka_batch_unref(b);
}

TEST(a_cancelled_row_leaves_no_trace)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(true, &rows, &err));
    int v = column(rows, "v");
    int64_t big = INT64_C(9007199254740993); /* not a double */
    assert_int_equal(arka_rows_put_i64(rows, v, big), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 1));
    /* widened, made text, and a column of its own: all of it must go */
    assert_int_equal(arka_rows_put_f64(rows, v, 0.5), ARKA_PUT_OK);
    assert_int_equal(arka_rows_put_text(rows, v, ARKA_SLICE("t")), ARKA_PUT_OK);
    int w = column(rows, "w");
    assert_int_equal(arka_rows_put_bool(rows, w, true), ARKA_PUT_OK);
    arka_rows_cancel(rows);
    assert_int_equal(arka_rows_type(rows, v), ARKA_BIGINT);
    assert_int_equal(arka_rows_put_i64(rows, v, 4), ARKA_PUT_OK);
    assert_int_equal(arka_rows_put_text(rows, w, ARKA_SLICE("now text")), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 2));
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    assert_int_equal(get(b, "v")->type, ARKA_BIGINT);
    assert_true(arka_column_i64(get(b, "v"))[0] == big);
    assert_int_equal(arka_column_i64(get(b, "v"))[1], 4);
    assert_int_equal(get(b, "w")->type, ARKA_VARCHAR);
    expect_text(get(b, "w"), 1, "now text");
    arka_batch_unref(b);
}

TEST(mixed_columns_become_text_when_that_is_wanted)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(true, &rows, &err));
    int v = column(rows, "le");
    assert_int_equal(arka_rows_put_f64(rows, v, 0.5), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 1));
    assert_int_equal(arka_rows_put_f64(rows, v, NAN), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 2));
    assert_int_equal(arka_rows_put_text(rows, v, ARKA_SLICE("+Inf")), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 3));
    assert_int_equal(arka_rows_put_i64(rows, v, -2), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 4));
    assert_int_equal(arka_rows_put_bool(rows, v, true), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 5));
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    const arka_column *c = get(b, "le");
    assert_int_equal(c->type, ARKA_VARCHAR);
    expect_text(c, 0, "0.5");
    assert_true(arka_column_is_null(c, 1));
    expect_text(c, 2, "+Inf");
    expect_text(c, 3, "-2");
    expect_text(c, 4, "true");
    arka_batch_unref(b);
}

TEST(a_given_type_rules)
{
    arka_error err = {0};
    arka_rows *rows;
    ASSERT_OK(arka_rows_new(true, &rows, &err));
    int d = arka_rows_column(rows, ARKA_SLICE("d"), false, ARKA_DOUBLE, -1, &err);
    int s = arka_rows_column(rows, ARKA_SLICE("s"), true, ARKA_VARCHAR, -1, &err);
    assert_int_equal(arka_rows_put_i64(rows, d, 2), ARKA_PUT_OK);
    assert_int_equal(arka_rows_put_text(rows, d, ARKA_SLICE("x")), ARKA_PUT_CONFLICT);
    assert_int_equal(arka_rows_put_i64(rows, s, 5), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 1));
    arka_batch *b;
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    assert_true(arka_column_f64(get(b, "d"))[0] == 2.0);
    expect_text(get(b, "s"), 0, "5");
    assert_true(get(b, "s")->tag);
    arka_batch_unref(b);
}

TEST(a_closed_row_can_be_opened_again)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int a = column(rows, "a"), s = column(rows, "s");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(arka_rows_put_i64(rows, a, i), ARKA_PUT_OK);
        assert_int_equal(arka_rows_put_text(rows, s, ARKA_SLICE("old")), ARKA_PUT_OK);
        assert_true(arka_rows_end(rows, i));
    }
    arka_rows_reopen(rows, 1);
    assert_true(arka_rows_has(rows, a));
    assert_int_equal(arka_rows_put_i64(rows, a, 10), ARKA_PUT_OK);
    assert_int_equal(arka_rows_put_text(rows, s, ARKA_SLICE("newer")), ARKA_PUT_OK);
    int n = column(rows, "n");
    assert_int_equal(arka_rows_put_f64(rows, n, 2.5), ARKA_PUT_OK);
    arka_rows_close_again(rows);
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    assert_int_equal(b->n_rows, 3);
    assert_int_equal(arka_column_i64(get(b, "a"))[1], 10);
    expect_text(get(b, "s"), 0, "old");
    expect_text(get(b, "s"), 1, "newer");
    expect_text(get(b, "s"), 2, "old");
    assert_int_equal(get(b, "n")->n_nulls, 2);
    assert_true(arka_column_f64(get(b, "n"))[1] == 2.5);
    arka_batch_unref(b);
}

TEST(names_are_checked_and_compare_without_case)
{
    arka_error err = {0};
    arka_rows *rows;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    assert_int_equal(column(rows, "Value"), 0);
    assert_int_equal(column(rows, "value"), 0);
    assert_int_equal(arka_rows_column(rows, ARKA_SLICE("TIME"), false, 0, -1, &err), -1);
    err = (arka_error){0};
    assert_int_equal(arka_rows_column(rows, ARKA_SLICE(""), false, 0, -1, &err), -1);
    err = (arka_error){0};
    assert_int_equal(arka_rows_column(rows, ARKA_SLICE("a\nb"), false, 0, -1, &err), -1);
    err = (arka_error){0};
    assert_int_equal(arka_rows_column(rows, ARKA_SLICE("\xff"), false, 0, -1, &err), -1);
    arka_rows_free(rows);
}
