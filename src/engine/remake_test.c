/* Data files that are gone or cut, while the log still has their rows: DSK-6, F20. */
#include <unistd.h>

#include "engine/engine_priv.h"
#include "kit/copy_tree.h"
#include "kit/faulty_os.h"
#include "kit/faulty_vfs.h"
#include "kit/ledger.h"

static int n_remade, n_missing;

static void on_event(void *context, const arka_event *event)
{
    (void)context;
    n_remade += strcmp(event->name, "remade") == 0;
    n_missing += strcmp(event->name, "missing_file") == 0;
}

static arka_engine_options logged(const char *name, char wal[300])
{
    arka_engine_options o = kit_engine_options(name);
    snprintf(wal, 300, "%s/%s/wal", kit_tmpdir(), name);
    o.wal_dir = wal;
    o.on_event = on_event;
    n_remade = n_missing = 0;
    return o;
}

/* Batches [first, end) of the ledger, alternately to tables a and b. */
static void put(arka_engine *e, int64_t first, int64_t end)
{
    arka_error err = {0};
    for (int64_t k = first; k < end; k++)
        ASSERT_OK(kit_write(e, "default", k % 2 ? "b" : "a",
                            ledger_batch(k * LEDGER_ROWS, LEDGER_ROWS), &err));
}

static void flush(arka_engine *e, const char *table)
{
    arka_error err = {0};
    int64_t n;
    ASSERT_OK(arka_engine_flush(e, ARKA_SLICE("default"), arka_slice_of(table), &n, &err));
}

/* Every row of n batches is there once. */
static void check(arka_engine *e, int64_t n_batches)
{
    ledger l;
    ledger_begin(&l, n_batches * LEDGER_ROWS);
    ledger_read(&l, e, "a");
    ledger_read(&l, e, "b");
    for (int64_t id = 0; id < n_batches * LEDGER_ROWS; id++)
        if (l.seen[id] != 1)
            fail_msg("row %lld is there %d times", (long long)id, l.seen[id]);
    ledger_end(&l);
}

/* The i-th file of the table, in order of its flushes. */
static const char *file_of(arka_engine *e, const char *table, int64_t i)
{
    static char path[600];
    arka_snapshot *s = kit_snapshot(e, "default", table);
    assert_in_range(i, 0, s->n_files - 1);
    snprintf(path, sizeof path, "%s", s->files[i]->path);
    arka_snapshot_unref(s);
    return path;
}

/* Three flushes of a (six hours each), one of b, and rows that are in no file. */
static arka_engine *with_flushes(const arka_engine_options *o)
{
    arka_error err = {0};
    arka_engine *e;
    ASSERT_OK(arka_engine_open(o, &e, &err));
    for (int turn = 0; turn < 3; turn++) {
        put(e, turn * 10, turn * 10 + 10);
        flush(e, "a");
    }
    flush(e, "b");
    put(e, 30, 40);
    return e;
}

/* As a crash leaves it now, without the file, or with the first half of it. */
static void crash_without(const char *name, const char *file, bool half, arka_engine_options *o,
                          char dir[4][400])
{
    snprintf(dir[0], 400, "%s/%s", kit_tmpdir(), name);
    snprintf(dir[1], 400, "%s/%s-image/data", kit_tmpdir(), name);
    snprintf(dir[2], 400, "%s/%s-image/arc.db", kit_tmpdir(), name);
    snprintf(dir[3], 400, "%s/%s-image/wal", kit_tmpdir(), name);
    char image[400], lost[1000];
    snprintf(image, sizeof image, "%s/%s-image", kit_tmpdir(), name);
    kit_copy_tree(dir[0], image);
    o->base_path = dir[1];
    o->manifest_path = dir[2];
    o->wal_dir = dir[3];
    snprintf(lost, sizeof lost, "%s%s", image, file + strlen(dir[0]));
    struct stat st;
    assert_int_equal(stat(lost, &st), 0);
    assert_int_equal(half ? truncate(lost, st.st_size / 2) : unlink(lost), 0);
}

TEST(rows_of_a_lost_file_come_from_the_log_with_those_of_the_flushes_after_it)
{
    static const struct {
        const char *name, *table;
        int64_t file;
        bool half;
    } CASES[] = {{"first", "a", 0, false},
                 {"last", "a", -1, false},
                 {"half", "a", 0, true},
                 {"other", "b", 3, true}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char wal[300], dir[4][400];
        arka_error err = {0};
        arka_engine_options o = logged(CASES[i].name, wal);
        arka_engine *e = with_flushes(&o), *again;
        arka_snapshot *s = kit_snapshot(e, "default", CASES[i].table);
        int64_t n = s->n_files;
        arka_snapshot_unref(s);
        crash_without(CASES[i].name,
                      file_of(e, CASES[i].table, CASES[i].file < 0 ? n - 1 : CASES[i].file),
                      CASES[i].half, &o, dir);
        for (int turn = 0; turn < 2; turn++) {
            ASSERT_OK(arka_engine_open(&o, &again, &err));
            assert_int_equal(n_remade, 1); /* and after a clean stop there is nothing to do */
            assert_int_equal(n_missing, 0);
            check(again, 40);
            ASSERT_OK(arka_engine_close(again, &err));
        }
        ASSERT_OK(arka_engine_close(e, &err));
    }
}

TEST(a_lost_file_whose_rows_the_log_has_let_go_is_told_and_stays)
{
    char wal[300], dir[4][400];
    arka_error err = {0};
    arka_engine_options o = logged("gone", wal);
    o.wal_segment_bytes = 4096;
    int64_t removed;
    arka_engine *e = with_flushes(&o), *again;
    put(e, 40, 60);
    flush(e, "a");
    flush(e, "b");
    ASSERT_OK(arka_engine_trim(e, &removed, &err));
    crash_without("gone", file_of(e, "a", 0), false, &o, dir);
    ASSERT_OK(arka_engine_open(&o, &again, &err));
    assert_int_equal(n_remade, 0);
    assert_int_equal(n_missing, 1);
    arka_snapshot *s = kit_snapshot(again, "default", "a"); /* a query that needs it must fail */
    assert_int_equal(kit_snapshot_rows(s), 30 * LEDGER_ROWS);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(again, &err));
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_lost_file_is_not_made_again_of_a_log_that_lost_rows_too)
{
    char wal[300], dir[4][400], segment[600];
    arka_error err = {0};
    arka_engine_options o = logged("both", wal);
    arka_engine *e = with_flushes(&o), *again;
    crash_without("both", file_of(e, "a", 0), false, &o, dir);
    snprintf(segment, sizeof segment, "%s/segment_%020d.arrow", o.wal_dir, 1);
    int fd = open(segment, O_RDWR);
    assert_true(fd >= 0);
    char x;
    assert_int_equal(pread(fd, &x, 1, 3000), 1); /* in the middle of synced rows */
    x ^= 1;
    assert_int_equal(pwrite(fd, &x, 1, 3000), 1);
    close(fd);
    ASSERT_FAILS(arka_engine_open(&o, &again, &err), ARKA_CORRUPT, "segment_");
    o.wal_quarantine = true;
    ASSERT_OK(arka_engine_open(&o, &again, &err));
    assert_int_equal(n_remade, 0);
    assert_int_equal(n_missing, 1);
    ASSERT_OK(arka_engine_close(again, &err));
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_crash_while_rows_are_made_again_leaves_them_to_the_next_start)
{
    char wal[300], dir[4][400];
    arka_error err = {0};
    arka_engine_options o = logged("twice", wal);
    kit_vfs_install();
    o.os = &kit_os;
    arka_engine *e = with_flushes(&o), *again;
    for (long n = 1;; n++) {
        arka_engine_options image = o;
        crash_without("twice", file_of(e, "a", 0), n % 2, &image, dir);
        kit_vfs_fail(n, KIT_VFS_WRITE | KIT_VFS_SYNC, true);
        arka_status status = arka_engine_open(&image, &again, &err);
        bool failed = kit_vfs_failed();
        kit_vfs_fail(0, 0, false);
        assert_true(status == ARKA_OK || status == ARKA_IO);
        if (status != ARKA_OK) {
            err = (arka_error){0};
            ASSERT_OK(arka_engine_open(&image, &again, &err));
        }
        check(again, 40);
        assert_int_equal(n_missing, 0);
        ASSERT_OK(arka_engine_close(again, &err));
        if (!failed)
            break;
    }
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(rows_are_made_again_or_the_start_fails_when_memory_fails)
{
    char wal[300], dir[4][400];
    arka_error err = {0};
    arka_engine_options o = logged("memory", wal);
    arka_engine *e = with_flushes(&o), *again;
    for (long n = 1;; n += n < 400 ? 7 : 101) {
        arka_engine_options image = o;
        crash_without("memory", file_of(e, "a", 0), false, &image, dir);
        err = (arka_error){0};
        kit_fail_allocation(n, false);
        arka_status status = arka_engine_open(&image, &again, &err);
        kit_fail_allocation(0, false);
        if (status != ARKA_OK) {
            assert_int_equal(status, ARKA_NOMEM);
            err = (arka_error){0};
            ASSERT_OK(arka_engine_open(&image, &again, &err));
        }
        check(again, 40);
        ASSERT_OK(arka_engine_close(again, &err));
        if (!kit_allocation_failed())
            break;
    }
    ASSERT_OK(arka_engine_close(e, &err));
}
