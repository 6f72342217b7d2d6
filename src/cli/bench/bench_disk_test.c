#include "cli/bench/bench_disk.h"

#include <dirent.h>

#include "kit/faulty_os.h"
#include "kit/kit.h"

static int n_entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

static arka_status run(arka_bench_disk_result *r, arka_error *err)
{
    arka_bench_disk_options o = {.dir = kit_tmpdir(),
                                 .os = &kit_os,
                                 .file_bytes = (2 << 20) + 1,
                                 .n_files = 2,
                                 .n_appends = 2};
    return arka_bench_disk_run(&o, r, err);
}

TEST(all_of_it_is_written_and_nothing_stays)
{
    arka_error err = {0};
    const char *dir = kit_tmpdir();
    arka_bench_disk_options o = {
        .dir = dir, .file_bytes = (1 << 20) + 4097, .n_files = 3, .n_appends = 5};
    arka_bench_disk_result r;
    ASSERT_OK(arka_bench_disk_run(&o, &r, &err));
    assert_int_equal(r.n_bytes, 3 * ((1 << 20) + 4097));
    assert_true(r.seconds > 0 && arka_bench_disk_bandwidth(&r) > 0);
    for (int i = 0; i < ARKA_BENCH_DISK_SIZES; i++)
        assert_int_equal(r.appends[i].n, 5);
    assert_int_equal(n_entries(dir), 0);
}

TEST(it_ends_when_its_time_is_over)
{
    arka_error err = {0};
    arka_bench_disk_options o = {
        .dir = kit_tmpdir(), .file_bytes = 10000, .n_files = INT64_MAX, .seconds = 0.02};
    arka_bench_disk_result r;
    ASSERT_OK(arka_bench_disk_run(&o, &r, &err));
    assert_true(r.seconds >= 0.02 && r.n_bytes >= 10000);
    assert_int_equal(n_entries(kit_tmpdir()), 0);
}

/* Whatever fails is told, and the directory is left as it was found. */
TEST(a_failing_disk_is_told)
{
    arka_error err = {0};
    arka_bench_disk_result r;
    long n = 0;
    for (;;) {
        kit_os_fail((kit_os_fault){
            .n = ++n, .calls = KIT_OPEN | KIT_PWRITEV | KIT_FDATASYNC, .error = EIO});
        arka_status status = run(&r, &err);
        kit_os_fail((kit_os_fault){0});
        assert_int_equal(n_entries(kit_tmpdir()), 0);
        if (!kit_os_failed())
            break;
        assert_int_equal(status, ARKA_IO);
        assert_non_null(strstr(err.msg, "arc-disk."));
        err = (arka_error){0};
    }
    assert_int_equal(n, 2 * 5 + 2 * 5 + 1); /* open, 3 pieces, sync; open, 2 times piece and sync */
}

TEST(a_missing_directory_is_named)
{
    arka_error err = {0};
    arka_bench_disk_result r;
    arka_bench_disk_options o = {.dir = "/nowhere/at/all", .n_files = 1, .file_bytes = 1};
    ASSERT_FAILS(arka_bench_disk_run(&o, &r, &err), ARKA_IO, "/nowhere/at/all");
}
