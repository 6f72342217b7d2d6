/* The memory that this process may use, from sample files as systems of several kinds have them. */
#include "os/machine.h"

#include <unistd.h>

#include "kit/kit.h"
#include "os/file.h"

static void put_file(const char *path, const char *text)
{
    arka_error err = {0};
    char full[600];
    snprintf(full, sizeof full, "%s%s", kit_tmpdir(), path);
    ASSERT_OK(arka_dir_make_parent(&arka_os_real, full, &err));
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void begin_tree(const char *cgroup, const char *mountinfo)
{
    put_file("/proc/self/cgroup", cgroup);
    put_file("/proc/self/mountinfo", mountinfo);
}

static arka_memory_limit look(void)
{
    arka_memory_limit limit;
    arka_memory_limit_get_at(kit_tmpdir(), INT64_C(8) << 30, &limit);
    return limit;
}

#define V2_MOUNT "31 23 0:28 / /a2 rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT                                                                                   \
    "30 23 0:27 / /b/cpu rw - cgroup cgroup rw,cpu\n"                                              \
    "35 31 0:32 / /b/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"

TEST(version_2_takes_the_tightest_of_the_group_and_those_above)
{
    begin_tree("0::/user.slice/arc.service\n", "22 1 8:1 / / rw - ext4 /dev/sda rw\n" V2_MOUNT);
    put_file("/a2/user.slice/memory.max", "536870912\n");
    put_file("/a2/user.slice/memory.current", "1234567\n");
    put_file("/a2/user.slice/arc.service/memory.max", "max\n");
    arka_memory_limit limit = look();
    assert_true(limit.in_cgroup);
    assert_int_equal(limit.bytes, 536870912);
    assert_int_equal(limit.physical, INT64_C(8) << 30);
    assert_non_null(strstr(limit.where, "/a2/user.slice/memory.max"));
    assert_int_equal(arka_memory_limit_used(&limit), 1234567);

    put_file("/a2/user.slice/arc.service/memory.max", "268435456\n");
    limit = look();
    assert_int_equal(limit.bytes, 268435456);
    assert_non_null(strstr(limit.where, "/arc.service/memory.max"));
    assert_int_equal(arka_memory_limit_used(&limit), -1); /* no memory.current beside it */
}

TEST(version_1_is_found_among_other_controllers_and_no_limit_is_none)
{
    begin_tree("9:name=systemd:/\n5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n", V1_MOUNT);
    put_file("/b/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put_file("/b/memory/docker/memory.limit_in_bytes", "9223372036854771712\n");
    put_file("/b/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n");
    arka_memory_limit limit = look();
    assert_false(limit.in_cgroup);
    assert_int_equal(limit.bytes, INT64_C(8) << 30);
    assert_string_equal(limit.where, "machine");
    assert_int_equal(arka_memory_limit_used(&limit), -1);

    put_file("/b/memory/docker/abc/memory.limit_in_bytes", "1073741824\n");
    put_file("/b/memory/docker/abc/memory.usage_in_bytes", "77\n");
    limit = look();
    assert_int_equal(limit.bytes, 1073741824);
    assert_int_equal(arka_memory_limit_used(&limit), 77);
}

TEST(in_a_container_the_mounted_directory_is_the_group)
{
    /* /proc/self/cgroup tells the path on the host, the mount shows that directory alone */
    begin_tree("4:memory:/kube/pod7/c1\n",
               "35 31 0:32 /kube/pod7/c1 /c/memory ro - cgroup cgroup rw,memory\n");
    put_file("/c/memory/memory.limit_in_bytes", "300000000\n");
    assert_int_equal(look().bytes, 300000000);
    /* a namespace of another's: the path leads out of what is mounted */
    begin_tree("0::/../../elsewhere\n", "31 23 0:28 / /d2 rw - cgroup2 cgroup2 rw\n");
    put_file("/d2/memory.max", "200000000\n");
    assert_int_equal(look().bytes, 200000000);
    begin_tree("0::/kube/pod70\n", "31 23 0:28 /kube/pod7 /e2 rw - cgroup2 cgroup2 rw\n");
    put_file("/e2/memory.max", "100000000\n");
    assert_int_equal(look().bytes, 100000000);
}

TEST(what_cannot_be_read_does_not_limit)
{
    static const char *const TEXTS[] = {
        "",          "\n",  ":\n::\n",         "0:\n",     "0::", "0::x\n", "memory\n",
        "4:memory:", " - ", "1 2 3 4 5 6 -\n", "- cgroup2"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        for (size_t k = 0; k < sizeof TEXTS / sizeof *TEXTS; k++) {
            begin_tree(TEXTS[i], TEXTS[k]);
            assert_int_equal(look().bytes, INT64_C(8) << 30);
        }
    begin_tree("0::/g\n", "31 23 0:28 / /f2 rw - cgroup2 cgroup2 rw\n");
    put_file("/f2/g/memory.max", "much\n");
    assert_int_equal(look().bytes, INT64_C(8) << 30);
    arka_memory_limit limit;
    arka_memory_limit_get_at("/nowhere/at/all", 77, &limit);
    assert_int_equal(limit.bytes, 77);
}

TEST(a_limit_in_text)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } CASES[] = {
        {"max\n", INT64_MAX},
        {"0\n", 0},
        {"268435456\n", 268435456},
        {"18446744073709547520\n", INT64_MAX},
        {"-1\n", -1},
        {"", -1},
        {"12x\n", -1},
        {"99999999999999999999999\n", -1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(arka_cgroup_parse_bytes(arka_slice_of(CASES[i].text)), CASES[i].bytes);
}

TEST(the_process_from_the_text_of_its_status)
{
    arka_process_usage u = {.n_fds = 5};
    arka_process_parse_status(
        ARKA_SLICE("Name:	arc: x\nVmPeak:	    9000 kB\nVmSize:	    3060 kB\nVmHWM:	   "
                   " 1700 kB\n"
                   "VmRSS:	    1636 kB\nRssAnon:	     600 kB\nRssFile:	    1000 kB\n"
                   "RssShmem:	      36 kB\nVmData:	     360 kB\nThreads:	12\n"),
        &u);
    assert_int_equal(u.rss, 1636 << 10);
    assert_int_equal(u.peak_rss, 1700 << 10);
    assert_int_equal(u.virtual_bytes, 3060 << 10);
    assert_int_equal(u.anonymous, 600 << 10);
    assert_int_equal(u.shared, 1036 << 10);
    assert_int_equal(u.data, 360 << 10);
    assert_int_equal(u.n_threads, 12);
    assert_int_equal(u.n_fds, 5);
    arka_process_parse_status(
        ARKA_SLICE("VmRSS:\nVmHWM: x kB\nThreads:	-3\nVmSize: 99999999999999999 kB"), &u);
    assert_int_equal(u.rss, -1);
    assert_int_equal(u.peak_rss, -1);
    assert_int_equal(u.virtual_bytes, -1);
    assert_int_equal(u.shared, -1);
    assert_int_equal(u.n_threads, -1);
}

TEST(this_machine_and_this_process)
{
    arka_memory_limit limit;
    arka_process_usage u;
    arka_memory_limit_get(&limit);
    assert_true(limit.physical > 1 << 20 && limit.bytes > 1 << 20 && limit.bytes <= limit.physical);
    arka_process_usage_get(&u);
    assert_true(u.rss > 1 << 16 && u.rss <= u.peak_rss && u.anonymous <= u.rss);
    int64_t more = 32 << 20, anonymous = arka_process_anonymous();
    char *memory = arka_malloc((size_t)more);
    memset(memory, 1, (size_t)more);
    assert_true(arka_process_anonymous() >= anonymous + more - (1 << 20));
    arka_free(memory);
    assert_int_equal(u.n_threads, 1);
    int fds[2];
    int64_t before = u.n_fds;
    assert_int_equal(pipe(fds), 0);
    arka_process_usage_get(&u);
    assert_int_equal(u.n_fds, before + 2);
    close(fds[0]);
    close(fds[1]);
    assert_true(arka_disk_free(kit_tmpdir()) > 0);
    assert_int_equal(arka_disk_free("/nowhere/at/all"), -1);
}
