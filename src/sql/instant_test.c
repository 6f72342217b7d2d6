/* Every query sees its tables at one instant, says at which, and does not keep it for ever. */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "kit/faulty_os.h"
#include "kit/sql.h"
#include "os/thread.h"

#ifdef ARKA_SANITIZED
enum { N_REQUESTS = 300 };
#else
enum { N_REQUESTS = 1500 };
#endif
enum { ROWS = 3, EVERY_FLUSH = 50, N_READERS = 3, LIMIT_MIB = 4 };

/* ---- queries ---- */

/* NULL: it failed. */
static arka_query *try_query(const char *text, arka_error *err)
{
    arka_query *query = NULL;
    arka_query_options options = {.text = arka_slice_of(text), .format = ARKA_FORMAT_CSV};
    return arka_query_start(sql, &options, &query, err) == ARKA_OK ? query : NULL;
}

static arka_query *start_query(const char *text)
{
    arka_error err = {0};
    arka_query *query = try_query(text, &err);
    if (query == NULL)
        fail_msg("%s: %s", text, err.msg);
    return query;
}

/* The number that the query gives, and as of when. */
static int64_t ask(const char *text, uint64_t *lsn)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_query *query = start_query(text);
    for (bool done = false; !done;)
        ASSERT_OK(arka_query_next(query, &out, &done, &err));
    *lsn = arka_query_snapshot_lsn(query);
    arka_query_free(query);
    int64_t n = strtoll(strchr(arka_buf_cstr(&out), '\n') + 1, NULL, 10);
    arka_buf_fini(&out);
    return n;
}

/* One request: as many rows for each of two tables. */
static void put_both(void)
{
    static const char *const rows[] = {"1 1", "2 1", "3 1"};
    arka_error err = {0};
    arka_batch *a = make_batch("time:t v:i", rows, ROWS), *b = make_batch("time:t v:i", rows, ROWS);
    arka_put_batch puts[] = {{.measurement = ARKA_SLICE("a"), .batch = a},
                             {.measurement = ARKA_SLICE("b"), .batch = b}};
    ASSERT_OK(arka_engine_write(engine, ARKA_SLICE("default"), puts, 2, true, &err));
    arka_batch_unref(a);
    arka_batch_unref(b);
}

TEST(a_query_says_as_of_when_it_answers)
{
    uint64_t lsn = 1;
    open_service("says");
    assert_int_equal(ask("SELECT 7", &lsn), 7);
    assert_int_equal(lsn, 0);
    put_both();
    assert_int_equal(ask("SELECT 7", &lsn), 7);
    assert_int_equal(lsn, 2 * ROWS);
    assert_int_equal(ask("SELECT count(*) FROM a", &lsn), ROWS);
    assert_int_equal(lsn, 2 * ROWS);
    close_service();
}

TEST(ACK_2_a_repeated_text_sees_what_was_written_since)
{
    open_service("again");
    for (int i = 1; i <= 20; i++) {
        uint64_t lsn;
        put_both();
        if (i % 7 == 0)
            flush("default", "a");
        assert_int_equal(ask("SELECT count(*) FROM a", &lsn), i * ROWS);
        assert_int_equal(lsn, i * 2 * ROWS);
        assert_int_equal(ask("SELECT count(*) FROM a JOIN b USING (time, v) WHERE time = "
                             "'1970-01-01T00:00:00.000001Z'",
                             &lsn),
                         i * i);
    }
    close_service();
}

TEST(a_query_in_progress_does_not_see_what_comes)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    open_service("progress");
    put_both();
    arka_query *query = start_query("SELECT count(*), (SELECT count(*) FROM b) FROM a");
    put_both();
    flush("default", "a");
    put_both();
    flush("default", "");
    for (bool done = false; !done;)
        ASSERT_OK(arka_query_next(query, &out, &done, &err));
    assert_non_null(strstr(arka_buf_cstr(&out), "3,3"));
    assert_int_equal(arka_query_snapshot_lsn(query), 2 * ROWS);
    arka_query_free(query);
    arka_buf_fini(&out);
    close_service();
}

TEST(an_unknown_table_is_named_among_those_that_are_there)
{
    open_service("unknown");
    put_both();
    check_fails("SELECT * FROM a, nowhere, b", ARKA_NOTFOUND, "unknown table: default.nowhere");
    check_fails("SELECT * FROM a, \"other-db\".b", ARKA_NOTFOUND, "unknown table: other-db.b");
    check_rows("SELECT count(*) FROM a", "3"); /* what the failures had pinned is not in the way */
    close_service();
}

/* ---- which rows are read ---- */

TEST(QRY_3_files_that_cannot_have_the_rows_are_not_touched)
{
    arka_error err = {0};
    arka_snapshot *files;
    open_service("untouched");
    put("default", "t", "time:t v:i", "1000000 1");
    flush("default", "t");
    put("default", "t", "time:t v:i", "90000000000 2"); /* a day later */
    flush("default", "t");
    put("default", "t", "time:t v:i", "180000000000 4");
    check_rows("SELECT sum(v) FROM t", "7");
    ASSERT_OK(arka_engine_snapshot(engine, ARKA_SLICE("default"), ARKA_SLICE("t"), &files, &err));
    assert_int_equal(files->n_files, 2);
    assert_int_equal(truncate(files->files[0]->path, 10), 0);
    check_rows("SELECT sum(v) FROM t WHERE time >= '1970-01-02'", "6");
    assert_int_equal(truncate(files->files[1]->path, 10), 0);
    check_rows("SELECT sum(v) FROM t WHERE time >= '1970-01-03'", "4");
    check_rows("SELECT v FROM t WHERE time > '1970-01-02T12:00:00Z' AND time < '2000-01-01'", "4");
    arka_buf out = ARKA_BUF_INIT;
    assert_int_not_equal(
        query_rows("default", false, "SELECT sum(v) FROM t WHERE time >= '1970-01-02'", &out, &err),
        ARKA_OK);
    arka_buf_fini(&out);
    arka_snapshot_unref(files);
    close_service();
}

TEST(QRY_8_batches_of_any_size_are_read_whole_in_chunks)
{
    static const int SIZES[] = {1, 2047, 2048, 2049, 4096, 5000, 1, 122879, 122881};
    int64_t n = 0;
    open_service("sizes");
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        arka_error err = {0};
        arka_block *block;
        arka_batch *batch;
        int time, v;
        uint64_t lsn;
        ASSERT_OK(arka_block_new(SIZES[i], 0, &block, &err));
        ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &time, &err));
        ASSERT_OK(arka_block_add(block, ARKA_SLICE("v"), ARKA_BIGINT, false, &v, &err));
        for (int k = 0; k < SIZES[i]; k++)
            ((int64_t *)arka_block_values(block, time))[k] =
                ((int64_t *)arka_block_values(block, v))[k] = ++n;
        ASSERT_OK(arka_block_seal(block, 0, &batch, &err));
        put_batch("default", "t", batch);
        assert_int_equal(ask("SELECT count(*) FROM t", &lsn), n);
        assert_int_equal(lsn, n);
        assert_int_equal(ask("SELECT sum(v)::BIGINT FROM t", &lsn), n * (n + 1) / 2);
        assert_int_equal(ask("SELECT count(DISTINCT v) FROM t WHERE v BETWEEN 1 AND 1000000", &lsn),
                         n);
    }
    close_service();
}

/* ---- under load ---- */

static atomic_int n_written;
static atomic_bool finished;

static void write_all(void *context)
{
    (void)context;
    for (int i = 0; i < N_REQUESTS; i++) {
        put_both();
        atomic_store(&n_written, i + 1);
    }
    atomic_store(&finished, true);
}

static void flush_often(void *context)
{
    (void)context;
    for (int done = 0; !atomic_load(&finished);)
        if (atomic_load(&n_written) >= done + EVERY_FLUSH) {
            done = atomic_load(&n_written);
            flush("default", done % (2 * EVERY_FLUSH) ? "a" : "");
        } else {
            sched_yield();
        }
}

static void check_always(void *context)
{
    static const struct {
        const char *text;
        int64_t rows; /* for each LSN … */
        int64_t per;  /* … so many LSNs */
    } QUERIES[] = {
        {"SELECT count(*) FROM a", 1, 2},
        {"SELECT sum(v)::BIGINT FROM b", 1, 2},
        {"SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)", 1, 1},
        {"SELECT count(*) FROM (FROM a UNION ALL FROM b UNION ALL FROM a)", 3, 2},
        /* of a group none is seen without the others: the difference is always 0 */
        {"SELECT (SELECT count(*) FROM a) - (SELECT count(*) FROM b)", 0, 1},
    };
    int which = *(const int *)context;
    uint64_t last = 0;
    do {
        int before = atomic_load(&n_written);
        uint64_t lsn;
        int64_t n = ask(QUERIES[which].text, &lsn);
        if (lsn % (2 * ROWS) != 0 || lsn < last || lsn < (uint64_t)before * 2 * ROWS ||
            n != (int64_t)lsn * QUERIES[which].rows / QUERIES[which].per)
            fail_msg("%s: %lld as of %llu after %llu", QUERIES[which].text, (long long)n,
                     (unsigned long long)lsn, (unsigned long long)last);
        last = lsn;
        which = (which + 1) % (int)(sizeof QUERIES / sizeof *QUERIES);
    } while (!atomic_load(&finished));
}

TEST(QRY_2_HOT_2_two_tables_of_one_request_are_never_seen_half)
{
    arka_error err = {0};
    arka_thread writer, flusher, readers[N_READERS];
    int first[N_READERS];
    open_service("half");
    put_both();
    uint64_t lsn;
    ask("SELECT count(*) FROM a", &lsn);
    assert_int_equal(lsn, 2 * ROWS);
    atomic_store(&n_written, 1);
    ASSERT_OK(arka_thread_start(&writer, "writer", write_all, NULL, &err));
    ASSERT_OK(arka_thread_start(&flusher, "flusher", flush_often, NULL, &err));
    for (int i = 0; i < N_READERS; i++) {
        first[i] = i * 2;
        ASSERT_OK(arka_thread_start(&readers[i], "reader", check_always, &first[i], &err));
    }
    arka_thread_join(&writer);
    arka_thread_join(&flusher);
    for (int i = 0; i < N_READERS; i++)
        arka_thread_join(&readers[i]);
    assert_int_equal(ask("SELECT count(*) FROM a", &lsn), (N_REQUESTS + 1) * ROWS);
    close_service();
}

/* ---- queries that stay ---- */

/* Waits for it; the watcher looks often enough. */
static arka_status why_stopped(arka_query *query, arka_error *err)
{
    while (arka_query_check(query, err) == ARKA_OK)
        sched_yield();
    return err->code;
}

TEST(QRY_6_a_query_does_not_keep_its_snapshot_for_ever)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    bool done;
    open_service_with("old", (arka_sql_options){.threads = 2, .max_age_ms = 30});
    put_both();
    /* on a slow machine it may be stopped before it has begun */
    arka_query *query = try_query("SELECT * FROM a, range(10000000)", &err);
    if (query != NULL)
        assert_int_equal(why_stopped(query, &err), ARKA_CANCELLED);
    assert_int_equal(err.sys, ETIME);
    assert_string_equal(
        err.msg, "the query kept the state of its tables for longer than 0.03 s and was stopped");
    err = (arka_error){0};
    if (query != NULL)
        ASSERT_FAILS(arka_query_next(query, &out, &done, &err), ARKA_CANCELLED,
                     "longer than 0.03 s");
    arka_query_free(query);
    arka_buf_fini(&out);
    close_service();
}

/* A service the rows of which cannot be flushed, and so many of them that memory is short. */
static void open_full_service(const char *name, arka_sql_options options)
{
    enum { N = (LIMIT_MIB << 20) / 8 * 9 / 10 };
    arka_error err = {0};
    arka_block *block;
    arka_batch *batch;
    int column;
    engine_os = &kit_os;
    kit_os_heal();
    open_service_limited(name, LIMIT_MIB << 20, options);
    put("default", "small", "time:t", "1");
    flush("default", "small");
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_RENAME, .error = EIO, .for_good = true});
    ASSERT_OK(arka_block_new(N, 0, &block, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &column, &err));
    memset(arka_block_values(block, column), 0, N * sizeof(int64_t));
    ASSERT_OK(arka_block_seal(block, 0, &batch, &err));
    put_batch("default", "large", batch);
    assert_int_equal(arka_engine_zone(engine), ARKA_ZONE_RED);
}

static void flush_full_service(void)
{
    kit_os_heal();
    flush("default", "large");
    assert_int_equal(arka_engine_zone(engine), ARKA_ZONE_RED);
}

static int64_t kept_bytes(void)
{
    arka_engine_stats stats;
    arka_engine_get_stats(engine, &stats);
    return stats.kept_bytes;
}

TEST(F12_MEM_1_rows_that_a_reader_keeps_over_a_flush_are_counted)
{
    arka_error err = {0};
    open_full_service("kept", (arka_sql_options){.threads = 2});
    arka_query *query = start_query("SELECT * FROM large, range(100000)");
    flush_full_service();
    assert_true(kept_bytes() > (LIMIT_MIB << 20) * 3 / 4);
    const char *const row[] = {"1 1"};
    arka_batch *batch = make_batch("time:t v:i", row, 1);
    arka_put_batch one = {.measurement = ARKA_SLICE("a"), .batch = batch};
    ASSERT_FAILS(arka_engine_write(engine, ARKA_SLICE("default"), &one, 1, true, &err), ARKA_BUSY,
                 "full");
    arka_query_free(query);
    assert_int_equal(kept_bytes(), 0);
    assert_int_equal(arka_engine_zone(engine), ARKA_ZONE_GREEN);
    err = (arka_error){0};
    ASSERT_OK(arka_engine_write(engine, ARKA_SLICE("default"), &one, 1, true, &err));
    arka_batch_unref(batch);
    close_service();
}

TEST(MEM_4_while_memory_is_short_the_oldest_query_that_keeps_rows_goes_first)
{
    arka_error err = {0};
    open_full_service("oldest", (arka_sql_options){.threads = 2, .max_pin_ms = 20});
    arka_query *without = start_query("SELECT * FROM small, range(1000000)");
    arka_query *first;
    /* on a slow machine it may be stopped before it has begun; the second one is not, beside it */
    while ((first = try_query("SELECT * FROM large, range(100000)", &err)) == NULL) {
        assert_int_equal(err.code, ARKA_BUSY);
        err = (arka_error){0};
    }
    arka_query *second = start_query("SELECT * FROM large, range(100000)");
    flush_full_service();
    assert_int_equal(why_stopped(first, &err), ARKA_BUSY);
    assert_non_null(strstr(err.msg, "memory for new rows is short"));
    ASSERT_OK(arka_query_check(second, &err)); /* not while the first is on its way out */
    arka_query_free(first);
    err = (arka_error){0};
    assert_int_equal(why_stopped(second, &err), ARKA_BUSY);
    arka_query_free(second);
    err = (arka_error){0};
    ASSERT_OK(arka_query_check(without, &err)); /* it keeps no memory of rows */
    arka_query_free(without);
    assert_int_equal(kept_bytes(), 0);
    close_service();
}
