/*
 * The process dies, or the power fails, at every call: the data directory is copied as it would be
 * left before the call. Without a log an engine that is opened on the copy has every row that was
 * flushed before, the rows of the flush that ran all or none, and no stray file; with a log it has
 * every row that was acknowledged, once.
 */
#include "engine/engine_priv.h"
#include "kit/power.h"
#include "kit/witness.h"
#include "os/failpoint.h"

static char image[300], from[300];

static void take_image(void)
{
    kit_copy_tree(from, image);
}

/* What the manifest wrote counts as synced: so no file may be named before it is durable. */
static void take_power_image(void)
{
    power_copy(from, image);
}

static void set_paths(const char *name)
{
    snprintf(from, sizeof from, "%s/%s", kit_tmpdir(), name);
    snprintf(image, sizeof image, "%s/%s-image", kit_tmpdir(), name);
}

/* Whatever has the name of a data file is a whole one. */
static int check_whole(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)ftw;
    size_t n = strlen(path);
    if (kind != FTW_F || n < 8 || strcmp(path + n - 8, ".parquet") != 0)
        return 0;
    arka_error err = {0};
    char *bytes;
    ASSERT_OK(arka_file_read(path, 1 << 20, &bytes, &n, &err));
    assert_true(n > 8);
    assert_memory_equal(bytes, "PAR1", 4);
    assert_memory_equal(bytes + n - 4, "PAR1", 4);
    arka_free(bytes);
    return 0;
}

static void check_image(void)
{
    arka_error err = {0};
    nftw(image, check_whole, 16, FTW_PHYS);
    char base[320], manifest[320], wal[320];
    snprintf(base, sizeof base, "%s/data", image);
    snprintf(manifest, sizeof manifest, "%s/arc.db", image);
    snprintf(wal, sizeof wal, "%s/wal", image);
    arka_engine_options o = witness.options;
    o.base_path = base;
    o.manifest_path = manifest;
    o.wal_dir = o.wal_dir != NULL ? wal : NULL;
    o.os = &kit_os;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    witness_check(e, o.wal_dir != NULL ? WITNESS_EXACT : WITNESS_IMAGE);
    witness_check_files(e, base);
    ASSERT_OK(arka_engine_close(e, &err));
}

/*
 * Some rows are flushed, then more: the crash comes at the n-th call of that, and `take` makes the
 * image. False: there are fewer calls.
 */
static bool crash_in_flush(const char *kind, long n, int n_batches, int vfs_calls,
                           void (*take)(void))
{
    arka_error err = {0};
    char name[64];
    snprintf(name, sizeof name, "%s-%d-%ld", kind, n_batches, n);
    power_begin();
    witness_begin(name);
    witness.options.os = &power_os;
    ASSERT_OK(arka_engine_close(witness.engine, &err));
    ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
    set_paths(name);
    witness_write_some(2);
    ASSERT_OK(witness_flush_all(&err));
    witness_note_flushed();
    witness_write_some(n_batches);
    if (vfs_calls != 0)
        kit_vfs_look_at(n, vfs_calls, take);
    else
        kit_os_fail((kit_os_fault){.n = n, .at = take});
    ASSERT_OK(witness_flush_all(&err));
    bool crashed = vfs_calls != 0 ? kit_vfs_failed() : kit_os_failed();
    kit_vfs_fail(0, 0, false);
    kit_os_fail((kit_os_fault){0});
    if (crashed)
        check_image();
    witness_end();
    return crashed;
}

TEST(a_crash_while_files_are_written_leaves_old_or_new)
{
    for (long n = 1; crash_in_flush("files", n, 1, 0, take_image); n++) {
    }
    for (long n = 1; crash_in_flush("files", n, 8, 0, take_image); n += 3) {
    }
}

TEST(a_crash_while_the_manifest_is_written_leaves_old_or_new)
{
    for (long n = 1; crash_in_flush("commit", n, 3, KIT_VFS_WRITE | KIT_VFS_SYNC, take_image);
         n++) {
    }
}

TEST(a_power_failure_in_a_flush_leaves_old_or_new)
{
    for (int n_batches = 1; n_batches < 9; n_batches += 7) { /* synced one by one, and together */
        for (long n = 1; crash_in_flush("power", n, n_batches, 0, take_power_image); n += 2) {
        }
        for (long n = 1; crash_in_flush("power-commit", n, n_batches, KIT_VFS_WRITE | KIT_VFS_SYNC,
                                        take_power_image);
             n++) {
        }
    }
}

static void flush_the_other_table(void)
{
    arka_error err = {0};
    int64_t n;
    ASSERT_OK(arka_engine_flush(witness.engine, ARKA_SLICE("default"), ARKA_SLICE("m"), &n, &err));
    witness_note_flushed();
    take_power_image();
}

/* One table's flush syncs all at once, at its end; what another builds on meanwhile must hold. */
TEST(a_power_failure_in_one_flush_leaves_what_another_committed)
{
    arka_error err = {0};
    power_begin();
    witness_begin("beside");
    witness.options.os = &power_os;
    ASSERT_OK(arka_engine_close(witness.engine, &err));
    ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
    set_paths("beside");
    witness_write_some(1);
    ASSERT_OK(kit_write(witness.engine, "default", "bulk",
                        kit_rows(LEDGER_T0, ARKA_US_PER_HOUR, 10), &err));
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_SYNCFS, .at = flush_the_other_table});
    int64_t n;
    ASSERT_OK(
        arka_engine_flush(witness.engine, ARKA_SLICE("default"), ARKA_SLICE("bulk"), &n, &err));
    assert_true(kit_os_failed());
    kit_os_fail((kit_os_fault){0});
    check_image();
    witness_end();
}

/*
 * The commit failed, but all that it wrote is in the log of the manifest: after a crash now SQLite
 * takes it for committed. The files must be there, then as well as when it is tried again.
 */
TEST(a_crash_after_a_commit_that_failed_leaves_old_or_new)
{
    int n_unsure = 0;
    for (long n = 1;; n++) {
        arka_error err = {0};
        char name[64];
        snprintf(name, sizeof name, "unsure-%ld", n);
        witness_begin(name);
        set_paths(name);
        witness_write_some(2);
        ASSERT_OK(witness_flush_all(&err));
        witness_note_flushed();
        witness_write_some(3);
        kit_vfs_fail(n, KIT_VFS_WRITE | KIT_VFS_SYNC, false);
        arka_status status = witness_flush_all(&err);
        bool failed = kit_vfs_failed();
        kit_vfs_fail(0, 0, false);
        assert_true(status == ARKA_OK || status == ARKA_IO);
        n_unsure += status != ARKA_OK;
        take_image();
        witness_check(witness.engine, WITNESS_EXACT);
        check_image();
        err = (arka_error){0};
        ASSERT_OK(witness_flush_all(&err));
        witness_end();
        if (!failed)
            break;
    }
    assert_true(n_unsure > 0);
}

TEST(a_crash_while_a_table_changes_leaves_old_or_new)
{
    for (long n = 1;; n++) {
        arka_error err = {0};
        char name[64];
        snprintf(name, sizeof name, "schema-%ld", n);
        witness_begin(name);
        set_paths(name);
        witness_write_some(1);
        ASSERT_OK(witness_flush_all(&err));
        witness_note_flushed();
        kit_vfs_look_at(n, KIT_VFS_WRITE | KIT_VFS_SYNC, take_image);
        witness_write_some(4); /* new columns, each a commit */
        bool crashed = kit_vfs_failed();
        kit_vfs_fail(0, 0, false);
        if (crashed)
            check_image();
        witness_end();
        if (!crashed)
            break;
    }
}

/* ---- with a log: DSK-2, F1 (H1 to H10), I5 ---- */

/* The witness again, with a log in small segments and no flusher to come between. */
static void begin_logged(const char *name, const arka_os *os)
{
    static char wal[300];
    arka_error err = {0};
    power_begin();
    witness_begin(name);
    snprintf(wal, sizeof wal, "%s/%s/wal", kit_tmpdir(), name);
    witness.options.os = os;
    witness.options.wal_dir = wal;
    witness.options.wal_segment_bytes = 4096;
    ASSERT_OK(arka_engine_close(witness.engine, &err));
    ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
    arka_engine__stop_flusher(witness.engine);
    set_paths(name);
}

static int n_images;

static void take_and_check(void *context)
{
    (void)context;
    take_power_image();
    n_images++;
}

static void flush_and_trim(void)
{
    arka_error err = {0};
    int64_t removed;
    ASSERT_OK(witness_flush_all(&err));
    ASSERT_OK(arka_engine_trim(witness.engine, &removed, &err));
}

TEST(a_power_failure_at_each_named_point_of_a_flush_loses_and_doubles_nothing)
{
    static const char *const POINTS[] = {
        "flush_files_written", "flush_renamed",      "flush_committed", "flush_switched",
        "trim_before",         "checkpoint_written", "trim_after",      "wal_trim_unlinked",
    };
    for (size_t p = 0; p < sizeof POINTS / sizeof *POINTS; p++) {
        int n_checked = 0;
        for (int n_batches = 1; n_batches < 41; n_batches += 13) {
            char name[64];
            snprintf(name, sizeof name, "point-%s-%d", POINTS[p], n_batches);
            begin_logged(name, &power_os);
            witness_write_some(30);
            if (n_batches > 1)
                flush_and_trim();
            witness_write_some(n_batches);
            n_images = 0;
            arka_failpoint_set(POINTS[p], 1, take_and_check, NULL);
            flush_and_trim();
            arka_failpoint_set(POINTS[p], 0, NULL, NULL);
            if (n_images > 0)
                check_image();
            n_checked += n_images > 0; /* not each time there is something to trim */
            witness_end();
        }
        assert_int_equal(n_checked == 4 || (p >= 4 && n_checked > 0), true);
    }
    arka_failpoint_reset();
}

TEST(a_power_failure_at_every_call_of_a_flush_with_a_log_loses_and_doubles_nothing)
{
    for (long n = 1;; n += 2) {
        char name[64];
        snprintf(name, sizeof name, "logged-%ld", n);
        begin_logged(name, &power_os);
        witness_write_some(8);
        flush_and_trim();
        witness_write_some(8);
        kit_os_fail((kit_os_fault){.n = n, .at = take_power_image});
        flush_and_trim();
        bool crashed = kit_os_failed();
        kit_os_fail((kit_os_fault){0});
        if (crashed)
            check_image();
        witness_end();
        if (!crashed)
            break;
    }
}
