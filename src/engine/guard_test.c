/* Disks that fill up and empty again: DSK-5, F6. */
#include <unistd.h>

#include "engine/engine_priv.h"
#include "kit/engine.h"
#include "kit/faulty_os.h"
#include "kit/faulty_vfs.h"

/* ---- a disk of which the test says how full it is ---- */

enum { BLOCK = 4096 };
static int64_t total_mib, free_mib;
static uint64_t files_total, files_free;
static bool cannot_look;

static int fake_statvfs(const char *path, struct statvfs *out)
{
    (void)path;
    *out = (struct statvfs){.f_frsize = BLOCK,
                            .f_bsize = BLOCK,
                            .f_blocks = (fsblkcnt_t)(total_mib << 20) / BLOCK,
                            .f_bavail = (fsblkcnt_t)(free_mib << 20) / BLOCK,
                            .f_files = files_total,
                            .f_favail = files_free};
    return cannot_look ? (errno = EIO, -1) : 0;
}

static arka_os fake_os(void)
{
    arka_os os = kit_os;
    os.statvfs = fake_statvfs;
    files_total = files_free = 0;
    cannot_look = false;
    return os;
}

static const char *in_tmp(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    return path;
}

static int64_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static bool low_at(arka_disk *disk, int64_t mib)
{
    char why[300];
    free_mib = mib;
    arka_disk_check(disk);
    return arka_disk_is_low(disk, why, sizeof why, NULL);
}

TEST(the_reserve_is_five_percent_or_a_gibibyte_with_a_quarter_more_to_come_back)
{
    arka_error err = {0};
    arka_os os = fake_os();
    arka_disk disk;
    ASSERT_OK(arka_disk_init(&disk, &os, -1, "", 0, &err));
    ASSERT_OK(arka_disk_watch(&disk, kit_tmpdir(), "tests", &err));
    total_mib = 10000; /* 5 %: 500 MiB */
    assert_false(low_at(&disk, 500));
    assert_true(low_at(&disk, 499));
    assert_true(low_at(&disk, 624));
    assert_false(low_at(&disk, 625));
    assert_false(low_at(&disk, 500));
    total_mib = INT64_C(8) << 20; /* of 8 TiB a GiB will do */
    assert_false(low_at(&disk, 1024));
    assert_true(low_at(&disk, 1023));
    assert_false(low_at(&disk, 1280));
    arka_disk_fini(&disk);
}

TEST(a_reserve_that_was_set_holds_and_none_is_none)
{
    arka_error err = {0};
    arka_os os = fake_os();
    arka_disk disk;
    total_mib = 1000;
    ASSERT_OK(arka_disk_init(&disk, &os, 700 << 20, "", 0, &err));
    ASSERT_OK(arka_disk_watch(&disk, kit_tmpdir(), "tests", &err));
    assert_true(low_at(&disk, 699));
    assert_false(low_at(&disk, 875));
    arka_disk_fini(&disk);
    ASSERT_OK(arka_disk_init(&disk, &os, 0, "", 0, &err));
    ASSERT_OK(arka_disk_watch(&disk, kit_tmpdir(), "tests", &err));
    assert_false(low_at(&disk, 0));
    arka_disk_fini(&disk);
}

TEST(a_file_system_that_can_make_no_more_files_is_full_too)
{
    char why[300];
    arka_error err = {0};
    arka_os os = fake_os();
    arka_disk disk;
    total_mib = 10000;
    files_total = 1000000;
    files_free = 1023;
    ASSERT_OK(arka_disk_init(&disk, &os, -1, "", 0, &err));
    ASSERT_OK(arka_disk_watch(&disk, kit_tmpdir(), "tests", &err));
    assert_true(low_at(&disk, 9000));
    const char *where;
    assert_true(arka_disk_is_low(&disk, why, sizeof why, &where));
    assert_string_equal(where, kit_tmpdir());
    assert_non_null(strstr(why, "the disk of the tests can hardly take another file"));
    files_free = 1024;
    assert_false(low_at(&disk, 9000));
    arka_disk_fini(&disk);
}

TEST(a_disk_that_cannot_be_looked_at_stays_as_it_was)
{
    arka_error err = {0};
    arka_os os = fake_os();
    arka_disk disk;
    total_mib = 10000;
    ASSERT_OK(arka_disk_init(&disk, &os, -1, "", 0, &err));
    ASSERT_OK(arka_disk_watch(&disk, kit_tmpdir(), "tests", &err));
    ASSERT_OK(arka_disk_watch(&disk, kit_tmpdir(), "tests", &err));
    assert_int_equal(disk.n_places, 1);
    assert_true(low_at(&disk, 1));
    cannot_look = true;
    assert_true(low_at(&disk, 9000));
    cannot_look = false;
    assert_false(low_at(&disk, 9000));
    arka_disk_fini(&disk);
}

/* ---- ballast ---- */

TEST(ballast_is_made_where_there_is_room_given_up_once_and_made_again)
{
    arka_error err = {0};
    arka_os os = fake_os();
    arka_disk disk;
    const char *path = in_tmp("ballast");
    total_mib = 10000;
    ASSERT_OK(arka_disk_init(&disk, &os, -1, path, 3 << 20, &err));
    ASSERT_OK(arka_disk_watch(&disk, kit_tmpdir(), "tests", &err));
    low_at(&disk, 627); /* with three MiB less it would not have its reserve and a quarter */
    ASSERT_OK(arka_disk_make_ballast(&disk, &err));
    assert_int_equal(size_of(path), -1);
    low_at(&disk, 628);
    ASSERT_OK(arka_disk_make_ballast(&disk, &err));
    assert_int_equal(size_of(path), 3 << 20);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_blocks * 512 >= 3 << 20); /* it really takes the room */
    assert_true(arka_disk_drop_ballast(&disk));
    assert_int_equal(size_of(path), -1);
    assert_false(arka_disk_drop_ballast(&disk));
    ASSERT_OK(arka_disk_make_ballast(&disk, &err));
    assert_int_equal(size_of(path), 3 << 20);
    arka_disk_fini(&disk);
    /* The next start takes it over; half of one it removes. */
    ASSERT_OK(arka_disk_init(&disk, &os, -1, path, 3 << 20, &err));
    assert_true(atomic_load(&disk.has_ballast));
    arka_disk_fini(&disk);
    assert_int_equal(truncate(path, 1 << 20), 0);
    ASSERT_OK(arka_disk_init(&disk, &os, -1, path, 3 << 20, &err));
    assert_false(atomic_load(&disk.has_ballast));
    assert_int_equal(size_of(path), -1);
    arka_disk_fini(&disk);
}

TEST(ballast_that_cannot_be_made_leaves_nothing)
{
    arka_os os = fake_os();
    const char *path = in_tmp("no-ballast");
    total_mib = 10000;
    for (long n = 1;; n++) {
        arka_error err = {0};
        arka_disk disk;
        ASSERT_OK(arka_disk_init(&disk, &os, -1, path, 3 << 20, &err));
        ASSERT_OK(arka_disk_watch(&disk, kit_tmpdir(), "tests", &err));
        low_at(&disk, 5000);
        kit_os_fail((kit_os_fault){.n = n, .error = ENOSPC, .done = true});
        arka_status status = arka_disk_make_ballast(&disk, &err);
        kit_os_fail((kit_os_fault){0});
        assert_int_equal(arka_disk_is_full(&err), status != ARKA_OK);
        assert_int_equal(atomic_load(&disk.has_ballast), status == ARKA_OK);
        assert_int_equal(size_of(path), status == ARKA_OK ? 3 << 20 : -1);
        arka_disk_drop_ballast(&disk);
        arka_disk_fini(&disk);
        if (!kit_os_failed())
            break;
    }
}

/* ---- the engine ---- */

typedef struct told {
    int low, ok, ballast, failed;
} told;

static void on_event(void *context, const arka_event *event)
{
    told *t = context;
    t->low += strcmp(event->name, "disk_low") == 0;
    t->ok += strcmp(event->name, "disk_ok") == 0;
    t->ballast += strcmp(event->name, "ballast") == 0;
    t->failed += strcmp(event->name, "flush_failed") == 0;
}

TEST(an_engine_on_a_disk_that_fills_up_refuses_writes_says_why_and_heals)
{
    char why[512];
    told t = {0};
    arka_error err = {0};
    arka_os os = fake_os();
    arka_engine_options o = kit_engine_options("fills");
    o.os = &os;
    o.disk_reserve_bytes = -1;
    o.on_event = on_event;
    o.context = &t;
    total_mib = 10000;
    free_mib = 600;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(0, 1, 5), &err));
    assert_false(arka_engine_is_refusing(e, why, sizeof why));
    free_mib = 400;
    arka_engine__look_at_disks(e, false);
    arka_engine__look_at_disks(e, false);
    assert_int_equal(t.low, 1); /* told once */
    assert_true(arka_engine_is_refusing(e, why, sizeof why));
    assert_non_null(strstr(why, "the disk of the data files is nearly full"));
    assert_non_null(strstr(why, "400 MiB are free, writes need 625 MiB"));
    ASSERT_FAILS(kit_write(e, "default", "m", kit_rows(0, 1, 5), &err), ARKA_BUSY,
                 "is nearly full");
    int64_t n;
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err)); /* that goes on */
    assert_int_equal(n, 1);
    free_mib = 5000;
    arka_engine__look_at_disks(e, false);
    assert_int_equal(t.ok, 1);
    assert_false(arka_engine_is_refusing(e, why, sizeof why));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(0, 1, 5), &err));
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(kit_snapshot_rows(s), 10);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(an_engine_that_is_opened_on_a_full_disk_opens_and_refuses_writes)
{
    arka_error err = {0};
    arka_os os = fake_os();
    arka_engine_options o = kit_engine_options("opened-full");
    o.os = &os;
    o.disk_reserve_bytes = -1;
    total_mib = 10000;
    free_mib = 10;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_FAILS(kit_write(e, "default", "m", kit_rows(0, 1, 5), &err), ARKA_BUSY,
                 "is nearly full");
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_flush_that_meets_a_full_disk_gives_the_ballast_up_and_is_done_the_next_time)
{
    told t = {0};
    arka_error err = {0};
    arka_os os = fake_os();
    arka_engine_options o = kit_engine_options("ballast-engine");
    o.os = &os;
    o.disk_reserve_bytes = 0;
    o.ballast_bytes = 1 << 20;
    o.on_event = on_event;
    o.context = &t;
    total_mib = free_mib = 10000;
    kit_vfs_install();
    arka_engine *e;
    int64_t n;
    char ballast[400];
    snprintf(ballast, sizeof ballast, "%s/.ballast", o.base_path);
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_engine__look_at_disks(e, true);
    assert_int_equal(size_of(ballast), 1 << 20);
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(0, 1, 5), &err));
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_PWRITEV, .error = ENOSPC});
    ASSERT_FAILS(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err), ARKA_IO,
                 "No space left");
    kit_os_fail((kit_os_fault){0});
    assert_int_equal(size_of(ballast), -1);
    assert_int_equal(t.ballast, 1);
    assert_int_equal(t.failed, 1);
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    arka_engine__look_at_disks(e, true);
    assert_int_equal(size_of(ballast), 1 << 20);
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(0, 1, 5), &err));
    kit_vfs_fail(1, KIT_VFS_WRITE, false); /* the manifest's disk is full */
    ASSERT_FAILS(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err), ARKA_IO, "full");
    assert_int_equal(size_of(ballast), -1);
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_log_that_meets_a_full_disk_gets_the_ballast_and_takes_writes_again)
{
    told t = {0};
    arka_error err = {0};
    arka_os os = fake_os();
    arka_engine_options o = kit_engine_options("ballast-log");
    char wal[400], ballast[400];
    snprintf(wal, sizeof wal, "%s/ballast-log/wal", kit_tmpdir());
    snprintf(ballast, sizeof ballast, "%s/.ballast", o.base_path);
    o.os = &os;
    o.wal_dir = wal;
    o.ballast_bytes = 1 << 20;
    o.on_event = on_event;
    o.context = &t;
    total_mib = free_mib = 10000;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_engine__look_at_disks(e, true);
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(0, 1, 5), &err));
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_PWRITEV, .error = ENOSPC});
    ASSERT_FAILS(kit_write(e, "default", "m", kit_rows(0, 1, 5), &err), ARKA_BUSY, "");
    kit_os_fail((kit_os_fault){0});
    while (kit_write(e, "default", "m", kit_rows(0, 1, 5), NULL) != ARKA_OK)
        usleep(1000); /* until a fresh segment has taken over */
    assert_int_equal(size_of(ballast), -1);
    assert_int_equal(t.ballast, 1);
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(kit_snapshot_rows(s), 10);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}
