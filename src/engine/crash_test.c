/*
 * The process dies, or the power fails, at every call: the data directory is copied as it would be
 * left before the call, and an engine that is opened on the copy has every row that was flushed
 * before, the rows of the flush that ran all or none, and no stray file.
 */
#include "kit/power.h"
#include "kit/witness.h"

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

static void check_image(void)
{
    arka_error err = {0};
    char base[320], manifest[320];
    snprintf(base, sizeof base, "%s/data", image);
    snprintf(manifest, sizeof manifest, "%s/arc.db", image);
    arka_engine_options o = witness.options;
    o.base_path = base;
    o.manifest_path = manifest;
    o.os = &kit_os;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    witness_check(e, WITNESS_IMAGE);
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
