/* Many threads at once: writers, flushes, changes of schemas, and queries that must see one state.
 */
#include <sched.h>
#include <stdatomic.h>

#include "kit/sql.h"
#include "os/thread.h"

#ifdef ARKA_SANITIZED
enum { BATCHES = 150, READERS = 4 };
#else
enum { BATCHES = 600, READERS = 4 };
#endif
enum { BATCH_ROWS = 500, EVERY_FLUSH = 20, EVERY_COLUMN = 40 };

static atomic_int n_written, n_read;
static atomic_bool finished;

static arka_batch *numbered(int k)
{
    arka_error err = {0};
    arka_block *block;
    arka_batch *batch;
    int column;
    char name[32];
    ASSERT_OK(arka_block_new(BATCH_ROWS, 0, &block, &err));
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &column, &err));
    for (int i = 0; i < BATCH_ROWS; i++)
        ((int64_t *)arka_block_values(block, column))[i] = (int64_t)(k * BATCH_ROWS + i) * 10000000;
    ASSERT_OK(arka_block_add(block, ARKA_SLICE("n"), ARKA_BIGINT, false, &column, &err));
    for (int i = 0; i < BATCH_ROWS; i++)
        ((int64_t *)arka_block_values(block, column))[i] = k * BATCH_ROWS + i;
    snprintf(name, sizeof name, "extra%d", k / EVERY_COLUMN);
    ASSERT_OK(arka_block_add(block, arka_slice_of(name), ARKA_DOUBLE, false, &column, &err));
    for (int i = 0; i < BATCH_ROWS; i++)
        ((double *)arka_block_values(block, column))[i] = i;
    ASSERT_OK(arka_block_seal(block, 0, &batch, &err));
    return batch;
}

static void write_all(void *context)
{
    (void)context;
    for (int k = 0; k < BATCHES; k++) {
        put_batch("default", "t", numbered(k));
        atomic_store(&n_written, k + 1);
        /* a query every other batch, but do not wait for ever if readers have failed */
        for (int i = 0; i < 1000000 && atomic_load(&n_read) < k / 2; i++)
            sched_yield();
    }
    atomic_store(&finished, true);
}

static void flush_often(void *context)
{
    (void)context;
    for (int done = 0; !atomic_load(&finished);)
        if (atomic_load(&n_written) >= done + EVERY_FLUSH) {
            done = atomic_load(&n_written);
            flush("default", "t");
        }
}

/* Every row up to the last once: count, sum and maximum agree; both halves of a join see the same.
 */
static void read_often(void *context)
{
    int *n_queries = context;
    arka_error err = {0};
    arka_buf got = ARKA_BUF_INIT;
    while (!atomic_load(&finished)) {
        long long before = (long long)atomic_load(&n_written) * BATCH_ROWS, count, sum, max, twice;
        ASSERT_OK(query_rows("default", false,
                             "SELECT count(*), sum(n), max(n), (SELECT count(*) FROM default.t) "
                             "FROM t",
                             &got, &err));
        assert_int_equal(sscanf(got.data, "%lld %lld %lld %lld", &count, &sum, &max, &twice), 4);
        if (count < before || count % BATCH_ROWS != 0 || sum != count * (count - 1) / 2 ||
            max != count - 1 || twice != count)
            fail_msg("%lld rows were written; the query saw %s", before, got.data);
        ++*n_queries;
        atomic_fetch_add(&n_read, 1);
    }
    arka_buf_fini(&got);
}

TEST(queries_see_each_row_once_while_it_is_flushed)
{
    arka_error err = {0};
    arka_thread writer, flusher, readers[READERS];
    int n_queries[READERS] = {0}, n = 0;
    open_service("together");
    ASSERT_OK(arka_thread_start(&writer, "writer", write_all, NULL, &err));
    while (atomic_load(&n_written) == 0)
        ;
    ASSERT_OK(arka_thread_start(&flusher, "flusher", flush_often, NULL, &err));
    for (int i = 0; i < READERS; i++)
        ASSERT_OK(arka_thread_start(&readers[i], "reader", read_often, &n_queries[i], &err));
    arka_thread_join(&writer);
    arka_thread_join(&flusher);
    for (int i = 0; i < READERS; i++) {
        arka_thread_join(&readers[i]);
        n += n_queries[i];
    }
    print_message("%d queries while %d batches were written\n", n, BATCHES);
    assert_true(n > 0);
    char expected[64];
    snprintf(expected, sizeof expected, "%d", BATCHES * BATCH_ROWS);
    check_rows("SELECT count(*) FROM t", expected);
    flush("default", "t");
    check_rows("SELECT count(DISTINCT n) FROM t", expected);
    check_rows("SELECT count(extra0), count(extra1) FROM t", "20000 20000");
    close_service();
}

/* ---- the pool ---- */

enum { CROWD = 64, EACH = 20 };

static atomic_int n_answered, n_busy;

static void ask_again_and_again(void *context)
{
    int k = *(int *)context;
    arka_buf out = ARKA_BUF_INIT;
    for (int i = 0; i < EACH; i++) {
        char text[100];
        arka_error err = {0};
        arka_query *q = NULL;
        bool done = false;
        snprintf(text, sizeof text, "SELECT count(*) + %d FROM t WHERE n >= 0", (k + i) % 10);
        arka_query_options options = {.text = arka_slice_of(text),
                                      .format = ARKA_FORMAT_CSV,
                                      .deadline = arka_mono_after_ms(60000)};
        arka_status status = arka_query_start(sql, &options, &q, &err);
        arka_buf_clear(&out);
        while (status == ARKA_OK && !done)
            status = arka_query_next(q, &out, &done, &err);
        arka_query_free(q);
        if (status == ARKA_BUSY) {
            atomic_fetch_add(&n_busy, 1);
            continue;
        }
        if (status != ARKA_OK)
            fail_msg("%s: %s", text, err.msg);
        const char *line = strchr(arka_buf_cstr(&out), '\n');
        assert_int_equal(strtol(line + 1, NULL, 10), 10 * BATCH_ROWS + (k + i) % 10);
        atomic_fetch_add(&n_answered, 1);
    }
    arka_buf_fini(&out);
}

TEST(a_crowd_shares_the_sessions)
{
    arka_error err = {0};
    arka_thread threads[CROWD];
    int numbers[CROWD];
    open_service_with("crowd", (arka_sql_options){.threads = 2, .max_sessions = 16});
    for (int k = 0; k < 10; k++) {
        put_batch("default", "t", numbered(k));
        if (k == 4)
            flush("default", "t");
    }
    for (int i = 0; i < CROWD; i++) {
        numbers[i] = i;
        ASSERT_OK(arka_thread_start(&threads[i], "crowd", ask_again_and_again, &numbers[i], &err));
    }
    for (int i = 0; i < CROWD; i++)
        arka_thread_join(&threads[i]);
    print_message("%d answers, %d times busy\n", atomic_load(&n_answered), atomic_load(&n_busy));
    assert_int_equal(atomic_load(&n_answered) + atomic_load(&n_busy), CROWD * EACH);
    assert_true(atomic_load(&n_answered) >= 16);
    close_service();
}
