/* What the log may forget, and the checkpoint: WAL-12, WAL-13, F28, REC-2, REC-10. */
#include <dirent.h>
#include <semaphore.h>
#include <unistd.h>

#include "engine/checkpoint.h"
#include "engine/engine_priv.h"
#include "kit/faulty_os.h"
#include "kit/faulty_vfs.h"
#include "kit/ledger.h"

#define T0 LEDGER_T0

static int n_told;
static char told[1024];

static void on_event(void *context, const arka_event *event)
{
    (void)context;
    if (strcmp(event->name, "checkpoint") != 0)
        return;
    n_told++;
    snprintf(told, sizeof told, "%s", event->text);
}

/* With a log in small segments. */
static arka_engine_options logged(const char *name)
{
    static char wal[8][300];
    static int next;
    char *dir = wal[next++ % 8];
    arka_engine_options o = kit_engine_options(name);
    snprintf(dir, sizeof wal[0], "%s/%s/wal", kit_tmpdir(), name);
    o.wal_dir = dir;
    o.wal_segment_bytes = 4096;
    o.on_event = on_event;
    n_told = 0;
    return o;
}

static void put(arka_engine *e, const char *table, int n_batches)
{
    arka_error err = {0};
    for (int i = 0; i < n_batches; i++)
        ASSERT_OK(kit_write(e, "default", table, kit_rows(T0 + i, 1, 20), &err));
}

static void flush(arka_engine *e, const char *table)
{
    arka_error err = {0};
    int64_t n;
    ASSERT_OK(arka_engine_flush(e, ARKA_SLICE("default"), arka_slice_of(table), &n, &err));
}

static arka_table_gauges gauges_of(arka_engine *e, const char *table)
{
    arka_table_gauges g;
    arka_database *db = arka_registry_database(e->registry, ARKA_SLICE("default"));
    arka_table_get_gauges(arka_registry_table(e->registry, db, arka_slice_of(table)), &g);
    return g;
}

static int64_t n_segments(const arka_engine_options *o)
{
    int64_t n = 0;
    DIR *dir = opendir(o->wal_dir);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir)) != NULL;)
        n += strncmp(d->d_name, "segment_", 8) == 0;
    closedir(dir);
    return n;
}

static int64_t trim(arka_engine *e)
{
    arka_error err = {0};
    int64_t removed;
    ASSERT_OK(arka_engine_trim(e, &removed, &err));
    return removed;
}

static int64_t rows_of(arka_engine *e, const char *table)
{
    arka_snapshot *s = kit_snapshot(e, "default", table);
    int64_t n = kit_snapshot_rows(s);
    arka_snapshot_unref(s);
    return n;
}

static void post(void *context)
{
    sem_post(context);
}

/* ---- segments ---- */

TEST(the_log_keeps_what_is_in_no_file_and_lets_the_rest_go)
{
    arka_error err = {0};
    arka_engine_options o = logged("keeps");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_engine__stop_flusher(e); /* it would trim by itself */
    put(e, "quiet", 1);           /* a table without pending rows, after its flush */
    put(e, "slow", 1);
    put(e, "fast", 100);
    int64_t n = n_segments(&o);
    assert_true(n > 10);
    assert_int_equal(trim(e), 0);
    flush(e, "quiet");
    flush(e, "fast");
    uint64_t slow = gauges_of(e, "slow").hot_lsn;
    assert_int_equal(arka_engine__pinned_lsn(e), slow);
    trim(e);
    assert_true(n_segments(&o) >= n - 1); /* one row of a slow table holds them */
    flush(e, "slow");
    assert_int_equal(arka_engine__pinned_lsn(e), arka_engine_visible_lsn(e) + 1);
    assert_int_equal(trim(e), n - 1);
    assert_int_equal(n_segments(&o), 1); /* the one that is written to */
    put(e, "fast", 100);
    n = n_segments(&o);
    put(e, "quiet", 1); /* new rows hold new segments only */
    flush(e, "fast");
    assert_true(trim(e) >= n - 2);
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_int_equal(rows_of(e, "fast"), 4000);
    assert_int_equal(rows_of(e, "quiet"), 40);
    assert_int_equal(rows_of(e, "slow"), 20);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* Rows whose files may or may not be in the manifest stay in the log. */
TEST(a_commit_that_failed_keeps_its_rows_in_the_log)
{
    arka_error err = {0};
    arka_engine_options o = logged("unsure");
    arka_engine *e;
    int64_t n;
    kit_vfs_install();
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_engine__stop_flusher(e);
    put(e, "m", 50);
    uint64_t first = gauges_of(e, "m").hot_lsn;
    kit_vfs_fail(1, KIT_VFS_WRITE, true);
    ASSERT_FAILS(arka_engine_flush(e, ARKA_SLICE("default"), ARKA_SLICE("m"), &n, &err), ARKA_IO,
                 "manifest");
    assert_int_equal(arka_engine__pinned_lsn(e), first);
    kit_vfs_fail(0, 0, false);
    assert_int_equal(trim(e), 0);
    flush(e, "m");
    assert_true(trim(e) > 0);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* Many looks, none of them late: until the flusher has done it, or the test is stopped. */
static void wait_until_below(const arka_engine_options *o, int64_t n)
{
    while (n_segments(o) >= n)
        usleep(1000);
}

TEST(the_flusher_flushes_what_keeps_a_log_that_is_nearly_full_and_trims_it)
{
    arka_error err = {0};
    arka_engine_options o = logged("nearly-full");
    o.wal_max_bytes = 400000;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    put(e, "slow", 1);
    int64_t n = 0;
    arka_wal_stats s = {0};
    while (s.n_bytes < o.wal_max_bytes * 81 / 100) {
        arka_status status = kit_write(e, "default", "fast", kit_rows(T0, 1, 20), &err);
        if (status == ARKA_OK)
            n += 20;
        else
            break; /* full before the flusher came to it: just as well */
        arka_wal_get_stats(e->wal, &s);
    }
    wait_until_below(&o, s.n_segments * 9 / 10);
    assert_int_equal(gauges_of(e, "slow").n_files,
                     1); /* for the log's sake: it is young and small */
    assert_int_equal(rows_of(e, "fast"), n);
    err = (arka_error){0};
    ASSERT_OK(arka_engine_close(e, &err));
}

/* One request with a key; true: it was known already. */
static bool put_keyed(arka_engine *e, const char *answer)
{
    arka_error err = {0};
    arka_put_batch batch = {.measurement = ARKA_SLICE("m"), .batch = kit_rows(T0, 1, 20)};
    arka_put_request r = {.database = ARKA_SLICE("default"),
                          .batches = &batch,
                          .n_batches = 1,
                          .key = ARKA_SLICE("once"),
                          .answer = arka_slice_of(answer)};
    sem_t done;
    sem_init(&done, 0, 0);
    r.done = post;
    r.context = &done;
    ASSERT_OK(arka_request_prepare(e, &r, &err));
    bool repeated = r.repeated;
    if (repeated) {
        assert_string_equal(r.first_answer, "first");
    } else {
        arka_request_commit(e, &r);
        while (sem_wait(&done) != 0) {
        }
        assert_int_equal(r.status, ARKA_OK);
    }
    arka_request_fini(&r);
    arka_batch_unref(batch.batch);
    sem_destroy(&done);
    return repeated;
}

/* F28, WAL-13 */
TEST(a_row_now_and_then_beside_a_busy_table_keeps_the_log_only_until_it_is_old)
{
    arka_error err = {0};
    arka_engine_options o = logged("now-and-then");
    o.flush_bytes = 20000;
    o.flush_age_ms = 50;
    o.flush_interval_ms = 0;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    put(e, "slow", 1);
    uint64_t lsn = gauges_of(e, "slow").hot_lsn, oldest = lsn;
    for (int64_t n = 0; oldest <= lsn; n++) { /* until the segment that had it is gone */
        arka_wal_stats s;
        put(e, "busy", 5);
        arka_wal_get_stats(e->wal, &s);
        oldest = s.oldest_lsn;
    }
    assert_int_equal(gauges_of(e, "slow").hot_rows, 0);
    assert_int_equal(rows_of(e, "slow"), 20);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_log_with_a_small_limit_fills_up_and_makes_room_again_whatever_a_segment_may_have)
{
    arka_error err = {0};
    arka_engine_options o = logged("small-limit");
    o.wal_segment_bytes = INT64_C(128) << 20;
    o.wal_max_bytes = 100000;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    int64_t n = 0, n_refused = 0;
    while (n < 20000) {
        arka_status status = kit_write(e, "default", "m", kit_rows(T0, 1, 20), NULL);
        assert_true(status == ARKA_OK || status == ARKA_BUSY);
        n += status == ARKA_OK ? 20 : 0;
        n_refused += status != ARKA_OK;
        if (status != ARKA_OK)
            usleep(1000);
    }
    assert_true(n_refused > 0);
    assert_int_equal(rows_of(e, "m"), n);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(keys_of_requests_outlive_the_segments_that_had_them)
{
    arka_error err = {0};
    arka_engine_options o = logged("keys");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_engine__stop_flusher(e);
    assert_false(put_keyed(e, "first"));
    put(e, "m", 50);
    flush(e, "m");
    assert_true(trim(e) > 10);
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_true(put_keyed(e, "second"));
    assert_int_equal(rows_of(e, "m"), 51 * 20);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- the checkpoint ---- */

static arka_checkpoint checkpoint_of(const arka_engine_options *o)
{
    arka_error err = {0};
    char path[400];
    arka_checkpoint c;
    snprintf(path, sizeof path, "%s/.checkpoint.json", o->base_path);
    ASSERT_OK(arka_checkpoint_read(path, &c, &err));
    return c;
}

TEST(a_checkpoint_says_how_far_things_are_and_a_clean_stop_says_so)
{
    arka_error err = {0};
    arka_engine_options o = logged("said");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    put(e, "a", 3);
    put(e, "b", 2);
    flush(e, "a");
    arka_engine__write_checkpoint(e, false);
    arka_checkpoint c = checkpoint_of(&o);
    assert_int_equal(c.wal_lsn, arka_wal_durable_lsn(e->wal));
    assert_int_equal(c.pinned_lsn, gauges_of(e, "b").hot_lsn);
    assert_int_equal(c.epoch, e->epoch);
    assert_false(c.clean);
    assert_int_equal(c.tables.n, 1); /* b has no file yet */
    assert_int_equal(c.tables.items[0].flushed_lsn, gauges_of(e, "a").flushed_lsn);
    arka_checkpoint_fini(&c);
    uint64_t last = arka_engine_visible_lsn(e);
    ASSERT_OK(arka_engine_close(e, &err));
    c = checkpoint_of(&o);
    assert_true(c.clean);
    assert_int_equal(c.wal_lsn, last);
    assert_int_equal(c.pinned_lsn, last + 1);
    assert_int_equal(c.tables.n, 2);
    arka_checkpoint_fini(&c);
    assert_int_equal(n_told, 0);
}

/* F19, REC-2: whatever stands there, a start goes on with what log and manifest say. */
TEST(a_checkpoint_that_is_missing_damaged_or_of_another_time_changes_nothing)
{
    static const struct {
        const char *name, *says;
    } CASES[] = {{"missing", NULL},      {"damaged", "checksum"}, {"newer", "version 9"},
                 {"future", "row 9999"}, {"epoch", "start 77"},   {"directory", "reading"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_error err = {0};
        char path[400];
        arka_engine_options o = logged(CASES[i].name);
        arka_engine *e;
        ASSERT_OK(arka_engine_open(&o, &e, &err));
        put(e, "m", 3);
        ASSERT_OK(arka_engine_close(e, &err));
        snprintf(path, sizeof path, "%s/.checkpoint.json", o.base_path);
        arka_checkpoint c = checkpoint_of(&o);
        c.wal_lsn = i == 3 ? 9999 : c.wal_lsn;
        c.epoch = i == 4 ? 77 : c.epoch;
        assert_int_equal(unlink(path), 0);
        if (i == 3 || i == 4) {
            ASSERT_OK(arka_checkpoint_write(&arka_os_real, path, &c, &err));
        } else if (i == 5) {
            assert_int_equal(mkdir(path, 0755), 0);
        } else if (i > 0) {
            FILE *f = fopen(path, "w");
            fputs(i == 1 ? "{\"checkpoint\":{\"version\":1,\"wal_lsn\":1,\"crc\":\"00000000\"}}\n"
                         : "{\"checkpoint\":{\"version\":9,\"crc\":\"0dff52bc\"}}\n",
                  f);
            fclose(f);
        }
        arka_checkpoint_fini(&c);
        ASSERT_OK(arka_engine_open(&o, &e, &err));
        assert_int_equal(n_told, CASES[i].says != NULL);
        if (CASES[i].says != NULL && strstr(told, CASES[i].says) == NULL)
            fail_msg("case %s says: %s", CASES[i].name, told);
        assert_int_equal(rows_of(e, "m"), 60);
        put(e, "m", 1);
        assert_int_equal(rows_of(e, "m"), 80);
        ASSERT_OK(arka_engine_close(e, &err));
    }
}
