#include "cli/bench/bench_figures.h"

#include "kit/kit.h"

/* As GET /api/v1/write/stats answers. */
static const char WITH_LOG[] =
    "{\"status\":\"success\",\"buffer_stats\":{\"total_records_buffered\":3000,"
    "\"total_records_written\":2000,\"total_flushes\":2,\"total_errors\":0,\"writes_refused\":4,"
    "\"files_written\":5,\"bytes_written\":50000,\"hot_rows\":1000,\"hot_bytes\":44000,"
    "\"hot_limit_bytes\":2147483648,\"current_buffer_sizes\":{\"b.total_bytes\":1000},"
    "\"retry_counts\":{},\"oldest_buffer_age_seconds\":1.250,\"writer_type\":\"parquet\","
    "\"wal_enabled\":true,\"wal\":{\"total_entries\":3,\"total_bytes\":132000,\"total_syncs\":7}},"
    "\"requests\":3}";
static const char WITHOUT_LOG[] =
    "{\"status\":\"success\",\"buffer_stats\":{\"total_records_buffered\":1000,"
    "\"total_records_written\":0,\"files_written\":0,\"bytes_written\":0,"
    "\"wal_enabled\":false},\"total_bytes\":99}";

TEST(what_the_server_counts_is_read)
{
    arka_bench_figures f;
    arka_bench_figures_parse(arka_slice_of(WITH_LOG), &f);
    assert_true(f.known && f.has_log);
    assert_int_equal(f.rows_in, 3000);
    assert_int_equal(f.rows_flushed, 2000);
    assert_int_equal(f.files_written, 5);
    assert_int_equal(f.file_bytes, 50000);
    assert_int_equal(f.hot_bytes, 44000);
    assert_int_equal(f.hot_limit_bytes, 2147483648);
    assert_int_equal(f.n_refused, 4);
    assert_int_equal(f.log_bytes, 132000);
    assert_int_equal(f.log_syncs, 7);
    assert_true(f.oldest_s == 1.25);
}

TEST(without_a_log_there_are_no_bytes_of_it)
{
    arka_bench_figures f;
    arka_bench_figures_parse(arka_slice_of(WITHOUT_LOG), &f);
    assert_true(f.known && !f.has_log);
    assert_int_equal(f.log_bytes, 0);
    assert_int_equal(f.rows_in, 1000);
}

TEST(another_answer_is_not_known)
{
    static const char *const TEXTS[] = {"", "{}", "<html>", "{\"buffer_stats\":3}"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        arka_bench_figures f;
        arka_bench_figures_parse(arka_slice_of(TEXTS[i]), &f);
        assert_false(f.known || f.has_log);
        assert_int_equal(f.rows_in, 0);
    }
}

TEST(bytes_a_row_are_of_what_came_between)
{
    arka_bench_figures before, after;
    arka_bench_figures_parse(arka_slice_of(WITHOUT_LOG), &before);
    arka_bench_figures_parse(arka_slice_of(WITH_LOG), &after);
    assert_true(arka_bench_figures_log_bytes_per_row(&before, &after) == 66);
    assert_true(arka_bench_figures_file_bytes_per_row(&before, &after) == 25);
    assert_true(arka_bench_figures_log_bytes_per_row(&after, &after) == 0);
}
