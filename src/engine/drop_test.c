/*
 * Tables and databases that are dropped: what others see, what stays on the disk, and what a crash
 * at any step leaves: all of it or nothing.
 */
#include <unistd.h>

#include "engine/engine_priv.h"
#include "kit/copy_tree.h"
#include "kit/faulty_os.h"
#include "kit/faulty_vfs.h"
#include "kit/logged.h"
#include "os/failpoint.h"

static const int64_t T0 = 1700000000000000;
static const int64_t HOUR = 3600000000;

static void write_rows(arka_engine *e, const char *database, const char *table, int64_t n)
{
    arka_error err = {0};
    ASSERT_OK(kit_write(e, database, table, kit_rows(T0, HOUR, n), &err));
}

static void flush_all(arka_engine *e)
{
    arka_error err = {0};
    int64_t n;
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
}

static void drop_table(arka_engine *e, const char *database, const char *table)
{
    arka_error err = {0};
    ASSERT_OK(arka_engine_drop_table(e, arka_slice_of(database), arka_slice_of(table), &err));
}

static arka_engine_stats stats_of(arka_engine *e)
{
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    return stats;
}

static int n_found;

static int count_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    size_t n = strlen(path);
    (void)st, (void)ftw;
    n_found += kind == FTW_F && n > 8 && strcmp(path + n - 8, ".parquet") == 0;
    return 0;
}

static int files_below(const char *base)
{
    n_found = 0;
    nftw(base, count_file, 16, FTW_PHYS);
    return n_found;
}

/* The flusher removes files on its own thread. */
static void wait_files(const char *base, int n)
{
    for (int i = 0; files_below(base) != n; i++) {
        assert_in_range(i, 0, 10000);
        usleep(1000);
    }
}

static bool there_is(const char *base, const char *directory)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", base, directory);
    return access(path, F_OK) == 0;
}

TEST(a_dropped_table_is_gone_and_its_files_go_with_the_last_reader)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("drop-table");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "default", "cpu", 3);
    write_rows(e, "default", "mem", 2);
    flush_all(e);
    write_rows(e, "default", "cpu", 4);
    assert_int_equal(files_below(o.base_path), 5);
    uint64_t version = arka_engine_catalog_version(e);
    arka_snapshot *before = kit_snapshot(e, "default", "cpu");

    drop_table(e, "default", "CPU");
    assert_true(arka_engine_catalog_version(e) > version);
    assert_int_equal(logged_rows(e, "cpu"), 0);
    arka_snapshot *none;
    assert_int_equal(arka_engine_snapshot(e, ARKA_SLICE("default"), ARKA_SLICE("cpu"), &none, &err),
                     ARKA_NOTFOUND);
    assert_int_equal(arka_engine_drop_table(e, ARKA_SLICE("default"), ARKA_SLICE("cpu"), NULL),
                     ARKA_NOTFOUND);
    assert_int_equal(stats_of(e).hot_rows, 0);
    assert_int_equal(stats_of(e).hot_bytes, 0);
    assert_true(stats_of(e).kept_bytes > 0);
    assert_int_equal(stats_of(e).files, 2);
    assert_int_equal(kit_snapshot_rows(before), 7); /* who reads it reads on */
    for (int64_t i = 0; i < before->n_files; i++)
        assert_int_equal(access(before->files[i]->path, F_OK), 0);

    arka_snapshot_unref(before);
    wait_files(o.base_path, 2);
    assert_int_equal(stats_of(e).hot_bytes, 0);
    while (there_is(o.base_path, "default/cpu"))
        usleep(1000);
    assert_int_equal(logged_rows(e, "mem"), 2);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_table_made_again_is_another)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("drop-again");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "default", "cpu", 3);
    arka_snapshot *old = kit_snapshot(e, "default", "cpu");
    drop_table(e, "default", "cpu");
    write_rows(e, "default", "cpu", 1);
    arka_snapshot *new = kit_snapshot(e, "default", "cpu");
    assert_true(new->incarnation > old->incarnation);
    assert_int_equal(kit_snapshot_rows(new), 1);
    assert_int_equal(kit_snapshot_rows(old), 3);
    arka_snapshot_unref(old);
    arka_snapshot_unref(new);

    o = logged_crash("drop-again", "drop-again-crash");
    arka_engine *after;
    ASSERT_OK(arka_engine_open(&o, &after, &err));
    assert_int_equal(logged_rows(after, "cpu"), 1);
    ASSERT_OK(arka_engine_close(after, &err));
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_replay_does_not_bring_rows_back_and_the_manifest_forgets_what_the_log_has_forgotten)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("drop-replay");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "other", "cpu", 3);
    write_rows(e, "default", "mem", 2);
    ASSERT_OK(arka_engine_drop_database(e, ARKA_SLICE("other"), &err));
    assert_false(arka_engine_has_database(e, ARKA_SLICE("other")));
    uint64_t visible = arka_engine_visible_lsn(e);

    o = logged_crash("drop-replay", "drop-replay-1");
    arka_engine *after;
    ASSERT_OK(arka_engine_open(&o, &after, &err));
    assert_false(arka_engine_has_database(after, ARKA_SLICE("other")));
    assert_int_equal(logged_rows(after, "mem"), 2);
    assert_true(arka_engine_visible_lsn(after) > visible); /* no number is given twice */
    flush_all(after);
    ASSERT_OK(arka_engine_close(after, &err));
    ASSERT_OK(arka_engine_close(e, &err));

    arka_engine_options third = o;
    ASSERT_OK(arka_engine_open(&third, &after, &err)); /* of a log that was closed and trimmed */
    assert_int_equal(logged_rows(after, "mem"), 2);
    ASSERT_OK(arka_engine_close(after, &err));
}

static void note_done(void *context)
{
    atomic_store((atomic_bool *)context, true);
}

TEST(a_write_that_was_prepared_before_goes_with_the_table)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("drop-late");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "gone", "cpu", 3);
    arka_batch *batch = kit_rows(T0, HOUR, 5);
    arka_put_batch put = {.measurement = ARKA_SLICE("cpu"), .batch = batch};
    atomic_bool told = false;
    arka_put_request r = {.database = ARKA_SLICE("gone"), .batches = &put, .n_batches = 1};
    ASSERT_OK(arka_request_prepare(e, &r, &err));
    ASSERT_OK(arka_engine_drop_database(e, ARKA_SLICE("gone"), &err));
    r.done = note_done;
    r.context = &told;
    arka_request_commit(e, &r);
    while (!atomic_load(&told))
        usleep(1000);
    assert_int_equal(r.status, ARKA_OK);
    arka_request_fini(&r);
    arka_batch_unref(batch);
    assert_false(arka_engine_has_database(e, ARKA_SLICE("gone")));
    while (stats_of(e).hot_rows != 0 || stats_of(e).hot_bytes != 0)
        usleep(1000);
    flush_all(e);
    assert_int_equal(files_below(o.base_path), 0);

    o = logged_crash("drop-late", "drop-late-crash");
    arka_engine *after;
    ASSERT_OK(arka_engine_open(&o, &after, &err));
    assert_false(arka_engine_has_database(after, ARKA_SLICE("gone")));
    assert_int_equal(stats_of(after).hot_rows, 0);
    ASSERT_OK(arka_engine_close(after, &err));
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_database_is_dropped_whole_and_the_default_one_stays_empty)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("drop-database");
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        write_rows(e, "many", name, 2);
        write_rows(e, "default", name, 1);
    }
    flush_all(e);
    assert_int_equal(arka_engine_drop_database(e, ARKA_SLICE("none"), &err), ARKA_NOTFOUND);
    ASSERT_OK(arka_engine_drop_database(e, ARKA_SLICE("Many"), NULL));
    assert_false(arka_engine_has_database(e, ARKA_SLICE("many")));
    ASSERT_OK(arka_engine_drop_database(e, ARKA_SLICE("default"), NULL));
    assert_true(arka_engine_has_database(e, ARKA_SLICE("default")));
    assert_int_equal(logged_rows(e, "t3"), 0);
    wait_files(o.base_path, 0);
    ASSERT_OK(arka_engine_create_database(e, ARKA_SLICE("many"), NULL));
    write_rows(e, "many", "t1", 1);
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_snapshot *s = kit_snapshot(e, "many", "t1");
    assert_int_equal(kit_snapshot_rows(s), 1);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- crashes ---- */

static char crash_from[256], crash_to[256];

static void take_image(void *context)
{
    (void)context;
    kit_copy_tree(crash_from, crash_to);
}

static void crash_at(const char *point, int64_t expected_rows, int expected_files)
{
    arka_error err = {0};
    char name[64], image[80];
    snprintf(name, sizeof name, "drop-at-%s", point);
    snprintf(image, sizeof image, "%s-image", name);
    snprintf(crash_from, sizeof crash_from, "%s/%s", kit_tmpdir(), name);
    snprintf(crash_to, sizeof crash_to, "%s/%s", kit_tmpdir(), image);
    arka_engine_options o = logged_options(name);
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "default", "cpu", 3);
    flush_all(e);
    write_rows(e, "default", "cpu", 4);
    write_rows(e, "default", "mem", 1);
    arka_failpoint_reset();
    arka_failpoint_set(point, 1, take_image, NULL);
    drop_table(e, "default", "cpu");
    while (arka_failpoint_passed(point) == 0)
        usleep(1000);
    wait_files(o.base_path, 0);
    ASSERT_OK(arka_engine_close(e, &err));
    arka_failpoint_reset();

    o = logged_options(image);
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_int_equal(logged_rows(e, "cpu"), expected_rows);
    assert_int_equal(logged_rows(e, "mem"), 1);
    assert_int_equal(files_below(o.base_path), expected_files);
    assert_int_equal(stats_of(e).orphans, 0);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_crash_leaves_all_of_a_table_or_nothing)
{
    crash_at("drop_before", 7, 3);
    crash_at("drop_committed", 0, 0);
    crash_at("reap_removed", 0, 0);
}

/* ---- failures ---- */

TEST(a_manifest_that_cannot_be_written_drops_nothing)
{
    arka_error err = {0};
    kit_vfs_install();
    bool failed = true;
    for (int n = 1; failed; n++) {
        char name[64];
        snprintf(name, sizeof name, "drop-vfs-%d", n);
        arka_engine_options o = logged_options(name);
        arka_engine *e;
        ASSERT_OK(arka_engine_open(&o, &e, &err));
        write_rows(e, "default", "cpu", 3);
        write_rows(e, "default", "mem", 2);
        flush_all(e);
        kit_vfs_fail(n, KIT_VFS_WRITE | KIT_VFS_SYNC, false);
        arka_error why = {0};
        arka_status status =
            arka_engine_drop_table(e, ARKA_SLICE("default"), ARKA_SLICE("cpu"), &why);
        failed = kit_vfs_failed();
        kit_vfs_fail(0, 0, false);
        assert_int_equal(logged_rows(e, "cpu"), status == ARKA_OK ? 0 : 3);
        assert_int_equal(logged_rows(e, "mem"), 2);
        write_rows(e, "default", "cpu", 1);
        ASSERT_OK(arka_engine_close(e, &err));
        ASSERT_OK(arka_engine_open(&o, &e, &err));
        assert_int_equal(logged_rows(e, "cpu"), status == ARKA_OK ? 1 : 4);
        ASSERT_OK(arka_engine_close(e, &err));
    }
}

static atomic_int n_files_stay;

static void note_event(void *context, const arka_event *event)
{
    (void)context;
    if (strcmp(event->name, "files_stay") == 0)
        atomic_fetch_add(&n_files_stay, 1);
}

TEST(files_that_cannot_be_removed_are_told_once_and_removed_by_the_next_start)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("drop-stay");
    o.os = &kit_os;
    o.on_event = note_event;
    arka_engine *e;
    atomic_store(&n_files_stay, 0);
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "default", "cpu", 3);
    flush_all(e);
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_UNLINK, .error = EACCES, .for_good = true});
    drop_table(e, "default", "cpu");
    while (atomic_load(&n_files_stay) == 0)
        usleep(1000);
    kit_os_fail((kit_os_fault){0});
    ASSERT_OK(arka_engine_close(e, &err));
    assert_int_equal(atomic_load(&n_files_stay), 1);
    assert_int_equal(files_below(o.base_path), 3);
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_int_equal(files_below(o.base_path), 0);
    assert_int_equal(stats_of(e).orphans, 0);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_flush_whose_commit_failed_goes_with_the_table)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("drop-unsure");
    arka_engine *e;
    int64_t n;
    kit_vfs_install();
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    write_rows(e, "default", "cpu", 3);
    kit_vfs_fail(1, KIT_VFS_WRITE | KIT_VFS_SYNC, true);
    assert_int_not_equal(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, NULL), ARKA_OK);
    kit_vfs_fail(0, 0, false);
    assert_int_equal(files_below(o.base_path), 3);
    drop_table(e, "default", "cpu");
    wait_files(o.base_path, 0);
    assert_int_equal(stats_of(e).hot_rows, 0);
    assert_int_equal(stats_of(e).hot_bytes, 0);
    ASSERT_OK(arka_engine_close(e, &err));
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_int_equal(logged_rows(e, "cpu"), 0);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- all at once ---- */

enum { WRITERS = 3, ROUNDS = 150 };

typedef struct crowd {
    arka_engine *engine;
    atomic_bool stop;
} crowd;

static void keep_writing(void *context)
{
    crowd *c = context;
    for (int i = 0; !atomic_load(&c->stop); i++) {
        arka_error err = {0};
        char name[16];
        snprintf(name, sizeof name, "t%d", i % 4);
        ASSERT_OK(
            kit_write(c->engine, i % 2 ? "busy" : "default", name, kit_rows(T0, HOUR, 2), &err));
    }
}

static void keep_looking(void *context)
{
    crowd *c = context;
    while (!atomic_load(&c->stop)) {
        arka_snapshot *s;
        int64_t n;
        if (arka_engine_snapshot(c->engine, ARKA_SLICE("busy"), ARKA_SLICE("t1"), &s, NULL) ==
            ARKA_OK) {
            for (int64_t i = 0; i < s->n_files; i++)
                assert_int_equal(access(s->files[i]->path, F_OK), 0);
            arka_snapshot_unref(s);
        }
        ARKA_IGNORE(arka_engine_flush(c->engine, ARKA_SLICE("busy"), (arka_slice){0}, &n, NULL));
    }
}

TEST(drops_among_writers_flushes_and_readers_lose_no_memory_and_no_file)
{
    arka_error err = {0};
    arka_engine_options o = logged_options("drop-crowd");
    arka_thread threads[WRITERS + 1];
    crowd c = {0};
    ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
    for (int i = 0; i < WRITERS; i++)
        ASSERT_OK(arka_thread_start(&threads[i], "writer", keep_writing, &c, &err));
    ASSERT_OK(arka_thread_start(&threads[WRITERS], "looker", keep_looking, &c, &err));
    for (int i = 0; i < ROUNDS; i++) {
        arka_error why = {0};
        arka_status status =
            i % 3 == 0
                ? arka_engine_drop_database(c.engine, ARKA_SLICE("busy"), &why)
                : arka_engine_drop_table(c.engine, ARKA_SLICE("default"), ARKA_SLICE("t2"), &why);
        if (status != ARKA_NOTFOUND)
            ASSERT_OK(status);
    }
    atomic_store(&c.stop, true);
    for (int i = 0; i <= WRITERS; i++)
        arka_thread_join(&threads[i]);
    ARKA_IGNORE(arka_engine_drop_database(c.engine, ARKA_SLICE("busy"), NULL));
    ASSERT_OK(arka_engine_drop_database(c.engine, ARKA_SLICE("default"), &err));
    wait_files(o.base_path, 0);
    while (stats_of(c.engine).hot_rows != 0 || stats_of(c.engine).hot_bytes != 0)
        usleep(1000);
    ASSERT_OK(arka_engine_close(c.engine, &err));
    ASSERT_OK(arka_engine_open(&o, &c.engine, &err));
    assert_int_equal(stats_of(c.engine).hot_rows, 0);
    assert_int_equal(stats_of(c.engine).files, 0);
    assert_int_equal(stats_of(c.engine).orphans, 0);
    ASSERT_OK(arka_engine_close(c.engine, &err));
}
