#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/civil.h"
#include "kit/engine.h"
#include "os/thread.h"

#define HOUR ARKA_US_PER_HOUR
static const int64_t T0 = INT64_C(1767607200000000); /* 2026-01-05T10:00:00Z */

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

TEST(rows_are_visible_at_once_and_survive_a_flush_and_a_restart)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("visible");
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "cpu", kit_rows(T0, 1000, 100), &err));
    arka_snapshot *before = kit_snapshot(e, "default", "CPU");
    assert_int_equal(before->n_hot_rows, 100);
    assert_int_equal(before->n_files, 0);
    int64_t n;
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    assert_int_equal(n, 1);
    arka_snapshot *after = kit_snapshot(e, "default", "cpu");
    assert_int_equal(after->n_hot_rows, 0);
    assert_int_equal(after->n_files, 1);
    assert_int_equal(after->files[0]->n_rows, 100);
    assert_true(after->files[0]->time_min == T0 && after->files[0]->time_max == T0 + 99000);
    assert_true(exists(after->files[0]->path));
    assert_non_null(strstr(after->files[0]->path, "/default/cpu/2026/01/05/10/cpu_20"));
    assert_int_equal(before->n_hot_rows, 100); /* an old snapshot does not change */
    arka_snapshot_unref(before);
    arka_snapshot_unref(after);
    ASSERT_OK(kit_write(e, "default", "cpu", kit_rows(T0 + HOUR, 1000, 10), &err));
    ASSERT_OK(arka_engine_close(e, &err)); /* flushes */

    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_snapshot *again = kit_snapshot(e, "default", "cpu");
    assert_int_equal(kit_snapshot_rows(again), 110);
    assert_int_equal(again->n_files, 2);
    assert_int_equal(again->schema->n_fields, 3);
    arka_snapshot_unref(again);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_flush_splits_by_hour)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("hours");
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0 - 2, 1, 4), &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(-1, 1, 2), &err)); /* round 1970 */
    int64_t n;
    ASSERT_OK(arka_engine_flush(e, ARKA_SLICE("default"), ARKA_SLICE("m"), &n, &err));
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->n_files, 4);
    int64_t rows = 0;
    for (int64_t i = 0; i < s->n_files; i++) {
        const arka_data_file *f = s->files[i];
        rows += f->n_rows;
        assert_true(arka_floor_div(f->time_min, HOUR) == arka_floor_div(f->time_max, HOUR));
    }
    assert_int_equal(rows, 6);
    assert_non_null(strstr(s->files[0]->path, "/1969/12/31/23/"));
    arka_snapshot_unref(s);
    ASSERT_FAILS(arka_engine_flush(e, ARKA_SLICE("nope"), (arka_slice){0}, &n, &err), ARKA_NOTFOUND,
                 "unknown database: nope");
    ASSERT_FAILS(arka_engine_flush(e, ARKA_SLICE("default"), ARKA_SLICE("x"), &n, &err),
                 ARKA_NOTFOUND, "unknown measurement: x");
    ASSERT_OK(arka_engine_close(e, &err));
}

static arka_batch *one_column(const char *name, double v, int64_t i, bool integer)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int c = arka_rows_column(rows, arka_slice_of(name), false, ARKA_TYPE_NONE, -1, &err);
    assert_int_equal(integer ? arka_rows_put_i64(rows, c, i) : arka_rows_put_f64(rows, c, v),
                     ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, T0 + i));
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    return b;
}

TEST(schemas_evolve_with_stable_ids)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("evolve");
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    uint64_t version = arka_engine_catalog_version(e);
    ASSERT_OK(kit_write(e, "default", "m", one_column("a", 0, 1, true), &err));
    assert_true(arka_engine_catalog_version(e) > version);
    ASSERT_OK(kit_write(e, "default", "m", one_column("b", 1.5, 2, false), &err));
    ASSERT_OK(kit_write(e, "default", "m", one_column("a", 2.5, 3, false), &err)); /* widens */
    ASSERT_OK(kit_write(e, "default", "m", one_column("b", 0, 4, true), &err));    /* is cast */
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->schema->version, 3);
    assert_int_equal(s->schema->n_fields, 3);
    assert_int_equal(s->schema->fields[1].type, ARKA_DOUBLE);
    assert_int_equal(s->schema->fields[2].type, ARKA_DOUBLE);
    assert_int_equal(s->n_hot_batches, 4);
    assert_int_equal(s->hot[0].batch->columns[1].type, ARKA_BIGINT); /* read with a cast */
    assert_int_equal(s->hot[0].n_fields, 2);                         /* knew nothing of b */
    assert_int_equal(s->hot[3].column_of_field[2], 1);
    assert_int_equal(s->hot[3].batch->columns[1].type, ARKA_DOUBLE);
    assert_int_equal(
        arka_engine_column_type(e, ARKA_SLICE("default"), ARKA_SLICE("m"), ARKA_SLICE("A"), NULL),
        ARKA_DOUBLE);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->schema->version, 3);
    assert_true(arka_slice_eq(s->schema->fields[1].name, ARKA_SLICE("a")));
    assert_int_equal(s->schema->fields[2].id, 3);
    assert_int_equal(kit_snapshot_rows(s), 4);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_misfit_is_refused_alone_or_refuses_all)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("misfit");
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 1), &err));
    arka_rows *rows;
    arka_batch *bad, *good = kit_rows(T0, 1, 5);
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int c = arka_rows_column(rows, ARKA_SLICE("v"), false, ARKA_TYPE_NONE, -1, &err);
    assert_int_equal(arka_rows_put_text(rows, c, ARKA_SLICE("x")), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, T0));
    ASSERT_OK(arka_rows_seal(rows, &bad, &err));
    arka_put_batch puts[] = {{.measurement = ARKA_SLICE("fresh"), .batch = good},
                             {.measurement = ARKA_SLICE("m"), .batch = bad}};
    ASSERT_FAILS(arka_engine_write(e, ARKA_SLICE("default"), puts, 2, true, &err), ARKA_INPUT,
                 "column 'v' is DOUBLE");
    arka_snapshot *s;
    ASSERT_FAILS(arka_engine_snapshot(e, ARKA_SLICE("default"), ARKA_SLICE("fresh"), &s, &err),
                 ARKA_NOTFOUND, "unknown table: default.fresh");
    ASSERT_OK(arka_engine_write(e, ARKA_SLICE("default"), puts, 2, false, &err));
    assert_int_equal(puts[0].status, ARKA_OK);
    assert_int_equal(puts[1].status, ARKA_INPUT);
    s = kit_snapshot(e, "default", "fresh");
    assert_int_equal(s->n_hot_rows, 5);
    arka_snapshot_unref(s);
    s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->n_hot_rows, 1);
    arka_snapshot_unref(s);
    arka_batch_unref(good);
    arka_batch_unref(bad);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(files_that_nobody_knows_are_set_aside)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("orphans");
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 1), &err));
    ASSERT_OK(arka_engine_close(e, &err));
    char stray[300], moved[300], mine[300];
    snprintf(stray, sizeof stray, "%s/default/m/2026/01/05/10/stray.parquet", o.base_path);
    snprintf(moved, sizeof moved, "%s/.orphans/default/m/2026/01/05/10/stray.parquet", o.base_path);
    snprintf(mine, sizeof mine, "%s/notes.txt", o.base_path);
    fclose(fopen(stray, "w"));
    fclose(fopen(mine, "w"));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_false(exists(stray));
    assert_true(exists(moved));
    assert_true(exists(mine));
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    assert_int_equal(stats.orphans, 1);
    assert_int_equal(stats.files, 1);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_data_directory_has_one_owner)
{
    arka_error err = {0};
    arka_engine *e, *second;
    arka_engine_options o = kit_engine_options("owner");
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_FAILS(arka_engine_open(&o, &second, &err), ARKA_CONFLICT, "another process, pid");
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(memory_has_a_limit_and_a_flush_makes_room)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("limit");
    o.hot_limit_bytes = 100000;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_status status = ARKA_OK;
    int64_t stored = 0;
    for (int i = 0; i < 200 && status == ARKA_OK; i++) {
        status = kit_write(e, "default", "m", kit_rows(T0 + i * 1000, 1, 100), &err);
        stored += status == ARKA_OK ? 100 : 0;
    }
    /* Either the limit was met, or the early flush kept pace with it. */
    if (status != ARKA_OK)
        assert_int_equal(status, ARKA_BUSY);
    int64_t n;
    err = (arka_error){0};
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 100), &err));
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(kit_snapshot_rows(s), stored + 100);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(after_finish_everything_is_on_disk_and_only_reads_go_on)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("finish");
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 100), &err));
    ASSERT_OK(arka_engine_finish(e, &err));
    ASSERT_FAILS(kit_write(e, "default", "m", kit_rows(T0, 1, 100), &err), ARKA_BUSY, "");
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(kit_snapshot_rows(s), 100);
    assert_int_equal(s->n_files, 1);
    arka_snapshot_unref(s);
    err = (arka_error){0};
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    s = kit_snapshot(e, "default", "m");
    assert_int_equal(kit_snapshot_rows(s), 100);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- a flush fails: nothing is lost, and it is tried again ---- */

static atomic_int failing;

static int failing_rename(const char *from, const char *to)
{
    return atomic_load(&failing) ? (errno = EIO, -1) : rename(from, to);
}

TEST(a_failed_flush_keeps_the_rows)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("failing");
    arka_os os = arka_os_real;
    os.rename = failing_rename;
    o.os = &os;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, HOUR, 3), &err));
    atomic_store(&failing, 1);
    int64_t n;
    ASSERT_FAILS(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err), ARKA_IO,
                 "renaming to");
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->n_hot_rows, 3);
    assert_int_equal(s->n_files, 0);
    arka_snapshot_unref(s);
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, HOUR, 2), &err));
    atomic_store(&failing, 0);
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->n_hot_rows, 0);
    assert_int_equal(kit_snapshot_rows(s), 5);
    arka_snapshot_unref(s);
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    assert_int_equal(stats.flush_failures, 1);
    assert_int_equal(stats.hot_rows, 0);
    assert_int_equal(stats.hot_bytes, 0);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- writers, flushes and readers at once ---- */

enum { WRITERS = 4, BATCHES = 200, ROWS = 50 };

typedef struct crowd {
    arka_engine *engine;
    atomic_int next, writing;
    atomic_long acknowledged;
} crowd;

static void write_batches(void *context)
{
    crowd *c = context;
    int me = atomic_fetch_add(&c->next, 1);
    for (int i = 0; i < BATCHES; i++) {
        arka_error err = {0};
        ASSERT_OK(kit_write(c->engine, "default", i % 2 ? "a" : "b",
                            kit_rows(T0 + me * HOUR / 3 + i * 1000, 1, ROWS), &err));
        atomic_fetch_add(&c->acknowledged, ROWS);
    }
    atomic_fetch_sub(&c->writing, 1);
}

static int64_t rows_now(arka_engine *engine)
{
    int64_t n = 0;
    for (int t = 0; t < 2; t++) {
        arka_snapshot *s;
        if (arka_engine_snapshot(engine, ARKA_SLICE("default"),
                                 t ? ARKA_SLICE("a") : ARKA_SLICE("b"), &s, NULL) != ARKA_OK)
            continue;
        n += kit_snapshot_rows(s);
        arka_snapshot_unref(s);
    }
    return n;
}

TEST(no_row_is_hidden_or_doubled_while_flushes_run)
{
    arka_error err = {0};
    crowd c = {0};
    arka_engine_options o = kit_engine_options("crowd");
    o.flush_rows = 500;
    o.flush_interval_ms = 0;
    ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
    atomic_store(&c.writing, WRITERS);
    arka_thread threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        ASSERT_OK(arka_thread_start(&threads[i], "writer", write_batches, &c, &err));
    int64_t last = 0;
    while (atomic_load(&c.writing) > 0) {
        int64_t at_least = atomic_load(&c.acknowledged);
        int64_t n, seen = rows_now(c.engine);
        assert_true(seen >= at_least); /* acknowledged is visible */
        assert_true(seen >= last);
        assert_true(seen <= WRITERS * BATCHES * ROWS);
        last = seen;
        ASSERT_OK(arka_engine_flush(c.engine, (arka_slice){0}, (arka_slice){0}, &n, &err));
    }
    for (int i = 0; i < WRITERS; i++)
        arka_thread_join(&threads[i]);
    assert_int_equal(rows_now(c.engine), WRITERS * BATCHES * ROWS);
    ASSERT_OK(arka_engine_close(c.engine, &err));
    ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
    assert_int_equal(rows_now(c.engine), WRITERS * BATCHES * ROWS);
    ASSERT_OK(arka_engine_close(c.engine, &err));
}

/* ---- times at the ends ---- */

TEST(every_time_that_a_column_can_hold_is_flushed_and_found_again)
{
    static const struct {
        int64_t time;
        const char *hour;
    } CASES[] = {
        {INT64_MIN, "/-290308/12/21/19/"},
        {INT64_MIN + 1, "/-290308/12/21/19/"},
        {ARKA_TIME_MIN_US - 1, "/0000/12/31/23/"},
        {ARKA_TIME_MIN_US, "/0001/01/01/00/"},
        {INT64_C(-62167219200000001), "/-001/12/31/23/"},
        {-1, "/1969/12/31/23/"},
        {0, "/1970/01/01/00/"},
        {ARKA_TIME_MAX_US, "/9999/12/31/23/"},
        {ARKA_TIME_MAX_US + 1, "/10000/01/01/00/"},
        {INT64_MAX, "/294247/01/10/04/"},
    };
    enum { N = sizeof CASES / sizeof *CASES };
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("times");
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (size_t i = N; i-- > 0;) /* not in order */
        ASSERT_OK(kit_write(e, "default", "m", kit_rows(CASES[i].time, 0, 1), &err));
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(kit_snapshot_rows(s), N);
    assert_int_equal(s->n_files, N - 1); /* two share the first hour */
    for (size_t i = 0; i < N; i++) {
        int found = 0;
        for (int64_t f = 0; f < s->n_files; f++) {
            const arka_data_file *file = s->files[f];
            if (file->time_min <= CASES[i].time && CASES[i].time <= file->time_max) {
                found++;
                assert_non_null(strstr(file->path, CASES[i].hour));
            }
        }
        assert_int_equal(found, 1);
    }
    arka_snapshot_unref(s);
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    assert_int_equal(stats.orphans, 0);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- a backfill: many hours in one flush ---- */

static atomic_int n_file_syncs, n_fs_syncs, fail_fs_sync;

static int counting_fdatasync(int fd)
{
    atomic_fetch_add(&n_file_syncs, 1);
    return fdatasync(fd);
}

static int counting_syncfs(int fd)
{
    atomic_fetch_add(&n_fs_syncs, 1);
    return atomic_load(&fail_fs_sync) ? (errno = EIO, -1) : syncfs(fd);
}

TEST(a_flush_of_many_hours_syncs_the_file_system_not_each_file)
{
    enum { HOURS = 3000 };
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("backfill");
    arka_os os = arka_os_real;
    os.fdatasync = counting_fdatasync;
    os.syncfs = counting_syncfs;
    o.os = &os;
    int64_t n;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, HOUR, HOURS), &err));
    atomic_store(&fail_fs_sync, 1);
    ASSERT_FAILS(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err), ARKA_IO,
                 "syncing the file system");
    atomic_store(&fail_fs_sync, 0);
    atomic_store(&n_fs_syncs, 0);
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    assert_int_equal(atomic_load(&n_fs_syncs), 2);
    assert_int_equal(atomic_load(&n_file_syncs), 0);
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->n_files, HOURS);
    assert_int_equal(kit_snapshot_rows(s), HOURS);
    arka_snapshot_unref(s);
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, 1, 10), &err));
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    assert_int_equal(atomic_load(&n_file_syncs), 1); /* and few by themselves again */
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    assert_int_equal(stats.files, HOURS + 1);
    assert_int_equal(stats.orphans, 0); /* the failed flush left nothing */
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(one_flush_takes_no_more_than_its_share)
{
    enum { MANY = 60, EACH = 1000 }; /* more than three slices, too large to be put together */
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("share");
    o.flush_bytes = 1; /* one slice at a time */
    int64_t n;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (int i = 0; i < MANY; i++)
        ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0 + i, 1, EACH), &err));
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->n_hot_rows, 0);
    assert_int_equal(kit_snapshot_rows(s), MANY * EACH);
    assert_in_range(s->n_files, 3, MANY);
    for (int64_t i = 0; i < s->n_files; i++)
        assert_in_range(s->files[i]->n_rows, 1, 32 * EACH); /* slices of 8, 16 and 32 */
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}
