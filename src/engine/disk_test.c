/* Every call of the disk fails once, or from then on: nothing lost, doubled or left behind. */
#include "kit/witness.h"

typedef struct sweep {
    const char *name;
    kit_os_fault fault; /* n is set by the sweep */
    int n_batches;      /* 1: one file, synced by itself; 8: many, synced together */
} sweep;

static void flush_with_faults(const sweep *s)
{
    witness_begin(s->name);
    witness_write_some(1);
    for (long n = 1;; n++) {
        arka_error err = {0};
        witness_write_some(s->n_batches);
        kit_os_fault fault = s->fault;
        fault.n = n;
        kit_os_fail(fault);
        arka_status status = witness_flush_all(&err);
        kit_os_fail((kit_os_fault){0});
        bool failed = kit_os_failed();
        assert_true(status == ARKA_OK || status == ARKA_IO || status == ARKA_EXISTS);
        assert_int_equal(err.code, status);
        if (!fault.for_good) /* else it could not even be tidied up */
            witness_check_disk();
        if (!failed)
            break;
        if (n % 8 == 1)
            witness_check(witness.engine, WITNESS_EXACT);
        err = (arka_error){0};
        ASSERT_OK(witness_flush_all(&err)); /* the disk is well again */
        if (fault.for_good && n % 4 == 1)
            witness_reopen(WITNESS_EXACT);
    }
    witness_end();
}

TEST(a_flush_survives_every_failing_call)
{
    static const sweep SWEEPS[] = {
        {"io-1", {.error = EIO}, 1},
        {"io-2", {.error = EIO}, 8},
        {"io-done-2", {.error = EIO, .done = true}, 8},
        {"io-for-good-1", {.error = EIO, .for_good = true}, 1},
        {"io-for-good-2", {.error = EIO, .for_good = true}, 8},
        {"full", {.error = ENOSPC, .done = true, .calls = KIT_PWRITEV | KIT_MKDIR | KIT_OPEN}, 8},
        {"interrupted-2", {.error = EINTR}, 8},
        {"short", {.error = 0, .calls = KIT_PWRITEV}, 8},
    };
    for (size_t i = 0; i < sizeof SWEEPS / sizeof *SWEEPS; i++)
        flush_with_faults(&SWEEPS[i]);
}

TEST(interruptions_and_short_writes_do_not_fail_a_flush)
{
    arka_error err = {0};
    witness_begin("patience");
    static const int CALLS[] = {KIT_OPEN,      KIT_CLOSE, KIT_PWRITEV,
                                KIT_FDATASYNC, KIT_FSYNC, KIT_SYNCFS};
    for (size_t c = 0; c < sizeof CALLS / sizeof *CALLS; c++)
        for (long n = 1; n < 4; n++) {
            witness_write_some(c < 5 ? 1 : 8);
            kit_os_fail((kit_os_fault){.n = n, .calls = CALLS[c], .error = EINTR});
            ASSERT_OK(witness_flush_all(&err));
            witness_write_some(1);
            kit_os_fail((kit_os_fault){.n = n, .calls = KIT_PWRITEV});
            ASSERT_OK(witness_flush_all(&err));
        }
    kit_os_fail((kit_os_fault){0});
    witness_end();
}

/* A flush that fails with all that follows it leaves files; a start sets them aside. */
static void leave_files(void)
{
    arka_error err = {0};
    witness_write_some(1);
    kit_os_fail(
        (kit_os_fault){.n = 2, .calls = KIT_RENAME | KIT_UNLINK, .error = EIO, .for_good = true});
    assert_int_equal(witness_flush_all(&err), ARKA_IO);
    kit_os_fail((kit_os_fault){0});
}

TEST(a_start_survives_every_failing_call)
{
    arka_error err = {0};
    witness_begin("start");
    for (long n = 1;; n++) {
        witness_write_some(8);
        leave_files();
        err = (arka_error){0};
        ASSERT_OK(arka_engine_close(witness.engine, &err));
        kit_os_fail((kit_os_fault){.n = n, .error = EIO});
        arka_status status = arka_engine_open(&witness.options, &witness.engine, &err);
        kit_os_fail((kit_os_fault){0});
        bool failed = kit_os_failed();
        assert_true(status == ARKA_OK || status == ARKA_IO);
        if (status != ARKA_OK) {
            err = (arka_error){0};
            ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
        }
        witness_check(witness.engine, WITNESS_EXACT);
        witness_check_disk();
        if (!failed)
            break;
    }
    witness_end();
}

TEST(a_close_that_fails_loses_no_more_than_it_had_to_flush)
{
    arka_error err = {0};
    witness_begin("close");
    for (long n = 1;; n += 2) {
        witness_note_flushed();
        witness_write_some(n % 4 == 1 ? 1 : 8);
        kit_os_fail((kit_os_fault){.n = n, .error = EIO, .for_good = true});
        arka_status status = arka_engine_close(witness.engine, &err);
        kit_os_fail((kit_os_fault){0});
        bool failed = kit_os_failed();
        assert_true(status == ARKA_OK || status == ARKA_IO);
        err = (arka_error){0};
        ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
        witness_check(witness.engine, status == ARKA_OK ? WITNESS_EXACT : WITNESS_LOSSY);
        witness_check_disk();
        if (!failed)
            break;
    }
    witness_end();
}

static int rename_outside_of_a(const char *from, const char *to)
{
    return strstr(to, "/default/a/") != NULL ? (errno = EIO, -1) : rename(from, to);
}

TEST(a_table_that_cannot_be_flushed_does_not_keep_the_others_from_it)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options("one-of-three");
    arka_os os = arka_os_real;
    os.rename = rename_outside_of_a;
    o.os = &os;
    int64_t n;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    static const char *const NAMES[] = {"a", "b", "c"};
    for (int t = 0; t < 3; t++)
        ASSERT_OK(kit_write(e, "default", NAMES[t], kit_rows(LEDGER_T0, 1, 5), &err));
    ASSERT_FAILS(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err), ARKA_IO,
                 "renaming to");
    for (int t = 0; t < 3; t++) {
        arka_snapshot *s = kit_snapshot(e, "default", NAMES[t]);
        assert_int_equal(s->n_files, t > 0);
        assert_int_equal(s->n_hot_rows, t > 0 ? 0 : 5);
        arka_snapshot_unref(s);
        ASSERT_OK(kit_write(e, "default", NAMES[t], kit_rows(LEDGER_T0, 1, 5), &err));
    }
    ASSERT_FAILS(arka_engine_close(e, &err), ARKA_IO, "renaming to"); /* and neither at the end */
    o.os = NULL;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (int t = 0; t < 3; t++) {
        arka_snapshot *s = kit_snapshot(e, "default", NAMES[t]);
        assert_int_equal(kit_snapshot_rows(s), t > 0 ? 10 : 0);
        arka_snapshot_unref(s);
    }
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- the manifest's disk ---- */

TEST(a_manifest_that_cannot_be_written_loses_and_doubles_nothing)
{
    static const int CALLS[] = {KIT_VFS_WRITE, KIT_VFS_SYNC, KIT_VFS_WRITE | KIT_VFS_SYNC};
    for (size_t c = 0; c < sizeof CALLS / sizeof *CALLS; c++)
        for (int for_good = 0; for_good < 2; for_good++) {
            char name[32];
            snprintf(name, sizeof name, "manifest-%zu-%d", c, for_good);
            witness_begin(name);
            for (long n = 1;; n++) {
                arka_error err = {0};
                witness_write_some(3);
                kit_vfs_fail(n, CALLS[c], for_good);
                arka_status status = witness_flush_all(&err);
                /* a full disk passes, what else is wrong with one may not (F6) */
                assert_true(status == ARKA_OK || status == ARKA_IO || status == ARKA_BUSY);
                for (int i = 0; i < 2; i++)           /* goes on, and comes after */
                    ARKA_IGNORE(witness_write(NULL)); /* but for new columns, while it fails */
                if (status != ARKA_OK && for_good)    /* again, and it still fails */
                    assert_int_equal(witness_flush_all(NULL), ARKA_IO);
                kit_vfs_fail(0, 0, false);
                bool failed = kit_vfs_failed();
                witness_check(witness.engine, WITNESS_EXACT);
                err = (arka_error){0};
                ASSERT_OK(witness_flush_all(&err));
                witness_check(witness.engine, WITNESS_EXACT);
                witness_check_disk();
                if (!failed)
                    break;
            }
            witness_end();
        }
}

TEST(a_close_with_a_commit_that_fails_leaves_old_or_new)
{
    for (long n = 1; n < 6; n++) {
        arka_error err = {0};
        char name[32];
        snprintf(name, sizeof name, "manifest-close-%ld", n);
        witness_begin(name);
        witness_write_some(5);
        ASSERT_OK(witness_flush_all(&err));
        witness_note_flushed();
        witness_write_some(5);
        kit_vfs_fail(n, KIT_VFS_WRITE | KIT_VFS_SYNC, true);
        arka_status status = arka_engine_close(witness.engine, &err);
        kit_vfs_fail(0, 0, false);
        assert_true(status == ARKA_OK || status == ARKA_IO);
        err = (arka_error){0};
        ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
        witness_check(witness.engine, WITNESS_LOSSY);
        witness_check_disk();
        witness_end();
    }
}

TEST(tables_are_made_or_not_when_the_manifest_cannot_be_written)
{
    witness_begin("manifest-ddl");
    for (int for_good = 0; for_good < 2; for_good++)
        for (long n = 1;; n++) {
            char table[32];
            arka_error err = {0};
            snprintf(table, sizeof table, "t%d_%ld", for_good, n);
            kit_vfs_fail(n, KIT_VFS_WRITE | KIT_VFS_SYNC, for_good);
            arka_status status =
                kit_write(witness.engine, "default", table, kit_rows(LEDGER_T0, 1, 3), &err);
            kit_vfs_fail(0, 0, false);
            bool failed = kit_vfs_failed();
            /* a full disk passes, what else is wrong with one may not (F6) */
            assert_true(status == ARKA_OK || status == ARKA_IO || status == ARKA_BUSY);
            err = (arka_error){0};
            ASSERT_OK(kit_write(witness.engine, "default", table, kit_rows(LEDGER_T0, 1, 3), &err));
            arka_snapshot *s = kit_snapshot(witness.engine, "default", table);
            assert_int_equal(kit_snapshot_rows(s), status == ARKA_OK ? 6 : 3);
            arka_snapshot_unref(s);
            if (!failed)
                break;
        }
    witness_end();
}
