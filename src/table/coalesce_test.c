#include "table/coalesce.h"

#include "columnar/rows.h"
#include "kit/batch_text.h"
#include "kit/kit.h"
#include "table/table.h"

/* n rows: v = first, first + 1 …, and `column` when it is not empty. */
static arka_batch *make(int64_t first, int64_t n, const char *column, bool as_double)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int v = arka_rows_column(rows, ARKA_SLICE("v"), false, ARKA_TYPE_NONE, -1, &err);
    for (int64_t i = first; i < first + n; i++) {
        assert_int_equal(as_double ? arka_rows_put_f64(rows, v, (double)i)
                                   : arka_rows_put_i64(rows, v, i),
                         ARKA_PUT_OK);
        if (column[0] != 0) {
            int c = arka_rows_column(rows, arka_slice_of(column), true, ARKA_TYPE_NONE, -1, &err);
            assert_int_equal(arka_rows_put_text(rows, c, arka_slice_of(column)), ARKA_PUT_OK);
        }
        assert_true(arka_rows_end(rows, 1000 - i));
    }
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    return b;
}

static arka_layout *layout_of(const arka_batch *b)
{
    arka_error err = {0};
    arka_schema *schema;
    arka_layout *layout;
    arka_type casts[8];
    int n;
    ASSERT_OK(arka_schema_fit(NULL, b, &schema, casts, &n, &err));
    ASSERT_OK(arka_layout_new(schema, b, &layout, &err));
    arka_schema_unref(schema);
    return layout;
}

static void add(arka_hot_slice *slice, arka_batch *take_batch)
{
    arka_hot_slice_add(slice, take_batch, layout_of(take_batch));
}

static arka_hot_slice *new_slice(int cap)
{
    arka_error err = {0};
    arka_hot_slice *slice;
    ASSERT_OK(arka_hot_slice_new(cap, &slice, &err));
    return slice;
}

static double value(const arka_hot_batch *hot, int64_t row)
{
    const arka_column *v = &hot->batch->columns[arka_batch_find(hot->batch, ARKA_SLICE("v"))];
    return v->type == ARKA_DOUBLE ? arka_column_f64(v)[row] : (double)arka_column_i64(v)[row];
}

TEST(small_batches_of_one_layout_become_one_and_large_ones_stay)
{
    arka_hot_slice *a = new_slice(8), *b = new_slice(8), *both[] = {a, b};
    arka_batch *large = make(100, 2000, "", false);
    assert_false(arka_batch_is_small(large));
    add(a, make(0, 1, "", false));
    add(a, make(10, 2, "host", false));
    add(a, make(1, 1, "", false));
    add(a, large);
    add(b, make(2, 1, "", true)); /* another type: another layout */
    add(b, make(2, 3, "", false));
    add(b, make(12, 1, "host", false));
    add(b, make(3, 1, "HOST", false)); /* the same column to SQL, but not the same bytes */
    arka_hot_slice *made = arka_slices_coalesce(both, 2);
    assert_non_null(made);
    assert_int_equal(made->n, 5);
    assert_int_equal(made->cap, 5);
    assert_int_equal(made->n_rows, a->n_rows + b->n_rows);
    assert_int_equal(made->since.ns, a->since.ns);
    static const struct {
        int64_t n_rows;
        double first;
    } WANT[] = {{5, 0}, {3, 10}, {2000, 100}, {1, 2}, {1, 3}};
    int64_t bytes = 0;
    for (int i = 0; i < made->n; i++) {
        const arka_hot_batch *hot = &made->items[i];
        assert_null(batch_fault(hot->batch));
        assert_int_equal(hot->batch->n_rows, WANT[i].n_rows);
        for (int64_t row = 0; row < hot->batch->n_rows; row++)
            assert_true(value(hot, row) == WANT[i].first + (double)row); /* in order of arrival */
        bytes += (int64_t)hot->batch->memory_bytes;
        assert_true(arka_layout_matches(hot->layout, hot->batch));
    }
    assert_ptr_equal(made->items[2].batch, large);
    assert_int_equal(made->n_bytes, bytes);
    assert_true(made->n_bytes < a->n_bytes + b->n_bytes);
    assert_int_equal(made->n_small, 4);
    /* Once more there is nothing to gain. */
    assert_null(arka_slices_coalesce(&made, 1));
    arka_hot_slice_unref(made);
    arka_hot_slice_unref(a);
    arka_hot_slice_unref(b);
}

TEST(coalescing_stops_where_a_batch_is_large_enough)
{
    enum { N = 100 };
    arka_hot_slice *a = new_slice(N);
    for (int i = 0; i < N; i++)
        add(a, make(i * 100, 100, "", false)); /* 1,600 bytes each */
    arka_hot_slice *made = arka_slices_coalesce(&a, 1);
    assert_non_null(made);
    assert_in_range(made->n, 10, 30);
    int64_t at = 0;
    for (int i = 0; i < made->n; i++) {
        assert_true(i + 1 == made->n || !arka_batch_is_small(made->items[i].batch));
        assert_true(made->items[i].batch->body_bytes < 32768);
        for (int64_t row = 0; row < made->items[i].batch->n_rows; row++, at++)
            assert_true(value(&made->items[i], row) == (double)at);
    }
    assert_int_equal(at, N * 100);
    arka_hot_slice_unref(made);
    arka_hot_slice_unref(a);
}

TEST(a_failed_allocation_leaves_the_slices_as_they_are)
{
    arka_hot_slice *a = new_slice(8), *made = NULL;
    for (int i = 0; i < 8; i++)
        add(a, make(i, 1, i % 2 ? "host" : "", false));
    for (long n = 1; made == NULL; n++) {
        kit_fail_allocation(n, true);
        made = arka_slices_coalesce(&a, 1);
        kit_fail_allocation(0, false);
        assert_true(made != NULL || kit_allocation_failed());
        assert_int_equal(a->n, 8);
    }
    assert_int_equal(made->n, 2);
    arka_hot_slice_unref(made);
    arka_hot_slice_unref(a);
}

/* ---- in a table ---- */

static void append(arka_table *table, arka_batch *take_batch)
{
    arka_error err = {0};
    arka_admitted admitted = {0};
    static uint64_t lsn = 1;
    bool fits;
    ASSERT_OK(arka_table_admit(table, take_batch, &admitted, &fits, &err));
    if (!fits) {
        ARKA_AUTO(arka_schema) now = arka_table_schema(table);
        ARKA_AUTO(arka_schema) next = NULL;
        arka_type casts[8];
        int n;
        ASSERT_OK(arka_schema_fit(now, take_batch, &next, casts, &n, &err));
        arka_table_set_schema(table, next);
        ASSERT_OK(arka_table_admit(table, take_batch, &admitted, &fits, &err));
    }
    int64_t n_rows = take_batch->n_rows;
    arka_batch_unref(take_batch);
    if (arka_table_append(table, &admitted, lsn))
        assert_true(arka_table_coalesce(table) >= 0);
    lsn += (uint64_t)n_rows;
}

static arka_table *new_table(void)
{
    arka_error err = {0};
    arka_schema *schema;
    arka_table *table;
    arka_field time = {.type = ARKA_TIMESTAMPTZ, .name = ARKA_SLICE("time")};
    ASSERT_OK(arka_schema_new(1, &time, 1, &schema, &err));
    ASSERT_OK(arka_table_new(ARKA_SLICE("db"), ARKA_SLICE("t"), schema, &table, &err));
    arka_schema_unref(schema);
    return table;
}

TEST(single_rows_of_several_clients_take_little_memory)
{
    enum { N = 20000 };
    static const char *const CLIENTS[] = {"", "a", "b"};
    arka_error err = {0};
    arka_table *table = new_table();
    for (int i = 0; i < N; i++)
        append(table, make(i, 1, CLIENTS[i % 3], false));
    arka_table_gauges g;
    arka_table_get_gauges(table, &g);
    assert_int_equal(g.hot_rows, N);
    assert_in_range(g.hot_bytes, N * 16, N * 40); /* a row has 16 to 22 bytes of values */
    arka_snapshot *s;
    ASSERT_OK(arka_table_snapshot(table, &s, &err));
    assert_in_range(s->n_hot_batches, 1, N / 200); /* more than a slice has of one client */
    assert_int_equal(s->n_hot_bytes, g.hot_bytes);
    int64_t rows = 0, sum = 0;
    for (int64_t b = 0; b < s->n_hot_batches; b++)
        for (int64_t row = 0; row < s->hot[b].batch->n_rows; row++, rows++)
            sum += (int64_t)value(&s->hot[b], row);
    assert_int_equal(rows, N);
    assert_int_equal(sum, (int64_t)N * (N - 1) / 2);
    arka_snapshot_unref(s);
    arka_table_free(table);
}

TEST(a_snapshot_keeps_what_it_saw_while_batches_are_put_together)
{
    arka_error err = {0};
    arka_table *table = new_table();
    arka_snapshot *seen[100];
    for (int i = 0; i < 100; i++) {
        append(table, make(i, 1, "", false));
        ASSERT_OK(arka_table_snapshot(table, &seen[i], &err));
    }
    for (int i = 0; i < 100; i++) {
        int64_t at = 0;
        assert_int_equal(seen[i]->n_hot_rows, i + 1);
        for (int64_t b = 0; b < seen[i]->n_hot_batches; b++)
            for (int64_t row = 0; row < seen[i]->hot[b].batch->n_rows; row++, at++)
                assert_true(value(&seen[i]->hot[b], row) == (double)at);
        assert_int_equal(at, i + 1);
        arka_snapshot_unref(seen[i]);
    }
    arka_table_free(table);
}

TEST(MEM_1_what_readers_keep_of_batches_put_together_is_counted)
{
    arka_error err = {0};
    arka_table *table = new_table();
    arka_kept *kept;
    arka_snapshot *first, *second;
    ASSERT_OK(arka_kept_new(&kept, &err));
    arka_table_count_kept(table, kept);
    for (int i = 0; i < 100; i++)
        append(table, make(i, 1, "", false));
    assert_int_equal(arka_kept_bytes(kept), 0); /* nobody reads: they were freed at once */
    for (int i = 0; i < 7; i++)
        append(table, make(i, 1, "", false));
    ASSERT_OK(arka_table_snapshot(table, &first, &err));
    ASSERT_OK(arka_table_snapshot(table, &second, &err));
    for (int i = 0; i < 1000; i++)
        append(table, make(i, 1, "", false));
    int64_t n_bytes = arka_kept_bytes(kept);
    /* with what came into the slice that was open then */
    assert_in_range(n_bytes, 1, first->n_hot_bytes + ARKA_SLICE_BATCHES * 400);
    arka_snapshot_unref(first);
    assert_int_equal(arka_kept_bytes(kept), n_bytes);
    arka_snapshot_unref(second);
    assert_int_equal(arka_kept_bytes(kept), 0);
    ASSERT_OK(arka_table_snapshot(table, &first, &err));
    for (int i = 0; i < 1000; i++)
        append(table, make(i, 1, "", false));
    arka_table_free(table);
    arka_kept_unref(kept);
    arka_snapshot_unref(first); /* it outlives table and counter */
}

TEST(batches_of_a_flush_are_left_alone_until_it_ends)
{
    arka_error err = {0};
    arka_table *table = new_table();
    arka_snapshot *flush, *s;
    for (int i = 0; i < 7; i++) /* the slice of 8 is not full */
        append(table, make(i, 1, "", false));
    ASSERT_OK(arka_table_begin_flush(table, INT64_MAX, &flush, &err));
    assert_int_equal(flush->n_hot_batches, 7);
    for (int i = 7; i < 500; i++)
        append(table, make(i, 1, "", false));
    ASSERT_OK(arka_table_snapshot(table, &s, &err));
    for (int i = 0; i < 7; i++)
        assert_ptr_equal(s->hot[i].batch, flush->hot[i].batch);
    assert_int_equal(s->n_hot_rows, 500);
    arka_snapshot_unref(s);
    /* It failed: now they may be put together with others, and are flushed with them. */
    arka_table_fail_flush(table, false);
    arka_snapshot_unref(flush);
    for (int i = 500; i < 2000; i++)
        append(table, make(i, 1, "", false));
    ASSERT_OK(arka_table_begin_flush(table, INT64_MAX, &flush, &err));
    assert_int_equal(flush->n_hot_rows, 2000);
    arka_data_file like = {.n_rows = 2000,
                           .n_bytes = 1,
                           .time_max = 1,
                           .schema_version = 1,
                           .path = "f"},
                   *file;
    arka_file_list *list;
    bool first;
    ASSERT_OK(arka_data_file_new(&like, &file, &err));
    ASSERT_OK(arka_table_plan_files(table, &file, 1, &list, &err));
    append(table, make(2000, 1, "", false));
    arka_table_end_flush(table, list, &first);
    assert_true(first);
    arka_data_file_unref(file);
    arka_snapshot_unref(flush);
    arka_table_gauges g;
    arka_table_get_gauges(table, &g);
    assert_int_equal(g.hot_rows, 1);
    assert_int_equal(g.file_rows, 2000);
    assert_false(g.flush_failed);
    arka_table_free(table);
}

TEST(what_a_flush_did_not_get_to_stays_hot)
{
    arka_error err = {0};
    arka_table *table = new_table();
    arka_snapshot *flush;
    for (int i = 0; i < 40; i++)
        append(table, make(i * 1000, 1000, "", false)); /* slices of 8 and 16, one open */
    ASSERT_OK(arka_table_begin_flush(table, 1, &flush, &err));
    assert_int_equal(flush->n_hot_rows, 8000);
    arka_data_file like = {.n_rows = 8000,
                           .n_bytes = 1,
                           .time_max = 1,
                           .schema_version = 1,
                           .path = "f"},
                   *file;
    arka_file_list *list;
    bool first;
    ASSERT_OK(arka_data_file_new(&like, &file, &err));
    ASSERT_OK(arka_table_plan_files(table, &file, 1, &list, &err));
    arka_table_end_flush(table, list, &first);
    arka_data_file_unref(file);
    arka_snapshot_unref(flush);
    append(table, make(40000, 1000, "", false)); /* into the slice that was open all the while */
    ASSERT_OK(arka_table_begin_flush(table, INT64_MAX, &flush, &err));
    assert_int_equal(flush->n_hot_rows, 33000);
    assert_true(value(&flush->hot[0], 0) == 8000);
    arka_table_fail_flush(table, true); /* kept: nobody else may have them */
    for (int i = 0; i < 300; i++)
        append(table, make(i, 1, "", false));
    arka_snapshot *s;
    ASSERT_OK(arka_table_snapshot(table, &s, &err));
    for (int64_t i = 0; i < flush->n_hot_batches; i++)
        assert_ptr_equal(s->hot[i].batch, flush->hot[i].batch);
    arka_snapshot_unref(s);
    arka_snapshot_unref(flush);
    arka_table_free(table);
}
