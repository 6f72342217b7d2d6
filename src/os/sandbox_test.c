#include "os/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/kit.h"
#include "os/memfile.h"
#include "os/thread.h"

/* A sandbox is for life: each look from inside is taken by a child, which exits with the number of
 * the first thing that is not so; 0: all is. */
enum { NO_LANDLOCK = 200, NOT_APPLIED = 201 };

static char own[300], other[300], canary[300], conf[300];
static int port_allowed, port_other, listening = -1;

static void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A port that was free a moment ago; *fd stays open on it when it is not NULL. */
static int a_port(int *fd)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &len), 0);
    if (fd != NULL) {
        assert_int_equal(listen(s, 1), 0);
        *fd = s;
    } else {
        close(s);
    }
    return ntohs(a.sin_port);
}

static void make_world(void)
{
    const char *dir = kit_tmpdir();
    snprintf(own, sizeof own, "%s/own", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    snprintf(canary, sizeof canary, "%s/canary", dir);
    snprintf(conf, sizeof conf, "%s/conf", dir);
    mkdir(own, 0755);
    mkdir(other, 0755);
    mkdir(conf, 0755);
    char path[400];
    snprintf(path, sizeof path, "%s/arc.conf", conf);
    put_file(path, "ours");
    put_file(canary, "secret");
    snprintf(path, sizeof path, "%s/link", own);
    unlink(path);
    assert_int_equal(symlink(canary, path), 0);
    if (listening < 0)
        port_other = a_port(&listening);
    port_allowed = a_port(NULL);
}

static arka_status apply(bool required, int port, arka_sandbox_report *report, arka_error *err)
{
    const char *dirs[] = {own, other}, *reads[] = {conf, "/nowhere/at/all"};
    arka_sandbox_options o = {.own_dirs = dirs,
                              .n_own_dirs = 2,
                              .read_paths = reads,
                              .n_read_paths = 2,
                              .tcp_port = port,
                              .required = required};
    return arka_sandbox_apply(&o, report, err);
}

static arka_sandbox_report report;

/* port   -1: port_allowed */
static int inside_at(int port, int (*look)(void))
{
    make_world();
    if (port < 0)
        port = port_allowed;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        arka_error err = {0};
        if (apply(false, port, &report, &err) != ARKA_OK)
            _exit(NOT_APPLIED);
        _exit(look());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int inside(int (*look)(void))
{
    return inside_at(-1, look);
}

#define IS(n, cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return (n);                                                                            \
    } while (0)
#define REFUSED(n, call, why) IS(n, (errno = 0, (call) < 0 && errno == (why)))

static int opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
    return fd;
}

static const char *in(const char *dir, const char *name)
{
    static char text[4][400];
    static int at;
    at = (at + 1) % 4;
    snprintf(text[at], sizeof text[at], "%s/%s", dir, name);
    return text[at];
}

/* ---- files ---- */

static int look_outside(void)
{
    IS(NO_LANDLOCK, report.landlock);
    REFUSED(1, opens(canary, O_RDONLY), EACCES);
    REFUSED(2, opens(canary, O_WRONLY), EACCES);
    REFUSED(3, opens("/etc/passwd", O_RDONLY), EACCES);
    REFUSED(4, opens("/etc/shadow", O_RDONLY), EACCES);
    REFUSED(5, opens(in(own, "link"), O_RDONLY), EACCES);
    REFUSED(6, opens(in(own, "../canary"), O_RDONLY), EACCES);
    REFUSED(7,
            opens("/proc/self/root"
                  "/etc/passwd",
                  O_RDONLY),
            EACCES);
    REFUSED(8, opens("/proc/1/environ", O_RDONLY), EACCES);
    REFUSED(9, opens("/", O_RDONLY | O_DIRECTORY), EACCES);
    REFUSED(10, opens(in(kit_tmpdir(), "new"), O_WRONLY | O_CREAT), EACCES);
    REFUSED(11, mkdir(in(kit_tmpdir(), "newdir"), 0755), EACCES);
    REFUSED(12, unlink(canary), EACCES);
    IS(13, link(canary, in(own, "hard")) < 0 && (errno == EXDEV || errno == EACCES));
    IS(14, rename(canary, in(own, "moved")) < 0 && (errno == EXDEV || errno == EACCES));
    REFUSED(15, opens("/dev/kmsg", O_RDONLY), EACCES);
    return 0;
}

TEST(what_lies_outside_cannot_be_opened_by_any_path)
{
    assert_int_equal(inside(look_outside), 0);
    assert_int_equal(access(canary, F_OK), 0);
}

static int look_inside(void)
{
    char text[4] = "";
    struct stat st;
    IS(1, mkdir(in(own, "a"), 0755) == 0 && mkdir(in(own, "a/b"), 0755) == 0);
    int fd = open(in(own, "a/b/file"), O_RDWR | O_CREAT | O_EXCL, 0644);
    IS(2, fd >= 0 && write(fd, "1234", 4) == 4 && fsync(fd) == 0 && ftruncate(fd, 2) == 0);
    close(fd);
    IS(3, rename(in(own, "a/b/file"), in(own, "a/file")) == 0);
    IS(4, rename(in(own, "a/file"), in(other, "file")) == 0); /* from one of ours to another */
    IS(5, truncate(in(other, "file"), 1) == 0 && stat(in(other, "file"), &st) == 0);
    IS(6, st.st_size == 1);
    IS(7, link(in(other, "file"), in(own, "hard")) == 0 && unlink(in(own, "hard")) == 0);
    IS(8, unlink(in(other, "file")) == 0 && rmdir(in(own, "a/b")) == 0);
    IS(9, rmdir(in(own, "a")) == 0 && opens(own, O_RDONLY | O_DIRECTORY) >= 0);
    REFUSED(10, symlink("x", in(own, "sym")), EACCES);
    REFUSED(11, mkfifo(in(own, "fifo"), 0600), EPERM);
    IS(12, statfs(own, &(struct statfs){0}) == 0);
    fd = open(in(conf, "arc.conf"), O_RDONLY);
    IS(13, fd >= 0 && read(fd, text, 4) == 4 && memcmp(text, "ours", 4) == 0);
    REFUSED(14, opens(in(conf, "arc.conf"), O_WRONLY), EACCES);
    REFUSED(15, opens(in(conf, "new"), O_WRONLY | O_CREAT), EACCES);
    return 0;
}

TEST(own_directories_work_and_what_is_to_be_read_can_only_be_read)
{
    assert_int_equal(inside(look_inside), 0);
}

static int look_at_the_machine(void)
{
    char path[ARKA_MEMFILE_PATH];
    int fd;
    IS(1, opens("/proc/self/statm", O_RDONLY) >= 0 && opens("/proc/self/fd", O_RDONLY) >= 0);
    IS(2, opens("/dev/urandom", O_RDONLY) >= 0 && opens("/dev/null", O_RDWR) >= 0);
    IS(3, arka_memfile_new("x", &fd, path, NULL) == ARKA_OK && opens(path, O_RDONLY) >= 0);
    IS(4, opens("/etc/hosts", O_RDONLY) >= 0 || errno == ENOENT);
    REFUSED(5, opens("/proc/self/mem", O_RDWR), EACCES);
    IS(6, opens("/proc/self/exe", O_RDONLY) >= 0); /* for stacks with names */
    return 0;
}

TEST(what_every_process_reads_can_be_read)
{
    assert_int_equal(inside(look_at_the_machine), 0);
}

static void open_outside(void *result)
{
    *(int *)result = opens(canary, O_RDONLY) < 0 && errno == EACCES;
}

static int look_from_a_thread(void)
{
    int refused = 0;
    arka_thread t;
    IS(NO_LANDLOCK, report.landlock);
    IS(1, arka_thread_start(&t, "inside", open_outside, &refused, NULL) == ARKA_OK);
    arka_thread_join(&t);
    IS(2, refused);
    return 0;
}

TEST(threads_are_inside_too)
{
    assert_int_equal(inside(look_from_a_thread), 0);
}

/* ---- network and signals ---- */

static int binds(int port)
{
    struct sockaddr_in a = loopback(port);
    int on = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int failed = bind(s, (struct sockaddr *)&a, sizeof a);
    int why = errno;
    close(s);
    errno = why;
    return failed;
}

static int connects(int port)
{
    struct sockaddr_in a = loopback(port);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    int failed = connect(s, (struct sockaddr *)&a, sizeof a);
    int why = errno;
    close(s);
    errno = why;
    return failed;
}

static int look_at_the_network(void)
{
    if (report.landlock_abi < 4)
        return NO_LANDLOCK;
    IS(1, binds(port_allowed) == 0);
    REFUSED(2, binds(0), EACCES);
    REFUSED(3, connects(port_other), EACCES);
    return 0;
}

static int look_at_any_port(void)
{
    IS(1, binds(0) == 0);
    return 0;
}

TEST(one_port_is_bound_and_none_connected)
{
    int found = inside(look_at_the_network);
    if (found == NO_LANDLOCK)
        skip();
    assert_int_equal(found, 0);
    assert_int_equal(connects(port_other), 0);
    assert_int_equal(inside_at(0, look_at_any_port), 0);
}

static int look_at_signals(void)
{
    if (report.landlock_abi < 6)
        return NO_LANDLOCK;
    REFUSED(1, kill(getppid(), 0), EPERM);
    IS(2, kill(getpid(), 0) == 0);
    return 0;
}

TEST(signals_do_not_leave)
{
    int found = inside(look_at_signals);
    if (found == NO_LANDLOCK)
        skip();
    assert_int_equal(found, 0);
}

/* ---- calls ---- */

static int look_at_calls(void)
{
    char *const none[] = {NULL};
    IS(1, report.seccomp);
    REFUSED(2, execve("/bin/true", none, none), EPERM);
    REFUSED(3, execveat(AT_FDCWD, "/bin/true", none, none, 0), EPERM);
    REFUSED(4, unshare(CLONE_NEWUSER), EPERM);
    REFUSED(5, mount("none", own, "tmpfs", 0, NULL), EPERM);
    REFUSED(6, chroot(own), EPERM);
    REFUSED(7, syscall(__NR_keyctl, KEYCTL_GET_KEYRING_ID, -3, 0), EPERM);
    REFUSED(8, syscall(__NR_bpf, 0, NULL, 0), EPERM);
    REFUSED(9, syscall(__NR_perf_event_open, NULL, 0, 0, 0, 0), EPERM);
    REFUSED(10, syscall(__NR_io_uring_setup, 1, NULL), EPERM);
    REFUSED(11, syscall(__NR_setns, -1, 0), EPERM);
    REFUSED(12, syscall(__NR_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0), EPERM);
    REFUSED(13, syscall(__NR_kexec_load, 0, 0, NULL, 0), EPERM);
    REFUSED(14, syscall(__NR_clone3, NULL, 0), ENOSYS);
    REFUSED(15, syscall(__NR_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM);
    REFUSED(16, socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT);
    REFUSED(17, socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT);
    REFUSED(18, ioctl(0, TIOCSTI, "x"), EPERM);
    REFUSED(19, setuid(0), EPERM);
    REFUSED(20, syscall(__NR_open_by_handle_at, -1, NULL, 0), EPERM);
    int pair[2], families[] = {AF_UNIX, AF_INET};
    for (int i = 0; i < 2; i++)
        IS(21, socket(families[i], SOCK_DGRAM, 0) >= 0);
    IS(22, socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
#if !defined(ARKA_SANITIZED)
    REFUSED(23, fork(), EPERM);
    REFUSED(24, ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM);
#endif
    return 0;
}

TEST(calls_that_a_server_never_makes_are_refused)
{
    assert_int_equal(inside(look_at_calls), 0);
}

static int look_at_memory(void)
{
    if (strstr(report.on, "becomes code") == NULL)
        return NO_LANDLOCK;
    IS(1, mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
               0) == MAP_FAILED);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    IS(2, p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0);
    return 0;
}

TEST(memory_that_was_written_is_never_run)
{
    int found = inside(look_at_memory);
    if (found == NO_LANDLOCK)
        skip();
    assert_int_equal(found, 0);
}

static unsigned permitted(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    ARKA_CHECK(syscall(__NR_capget, &head, sets) == 0, "capget");
    return sets[0].permitted | sets[0].effective | sets[1].permitted | sets[1].effective;
}

static int look_at_capabilities(void)
{
    IS(1, report.capabilities && permitted() == 0);
    IS(2, report.no_new_privileges);
    return 0;
}

static int look_at_a_low_port(void)
{
    if (!report.was_root)
        return NO_LANDLOCK;
    IS(1, report.capabilities && permitted() == 1u << CAP_NET_BIND_SERVICE);
    return 0;
}

TEST(no_capability_is_kept_but_for_a_low_port)
{
    assert_int_equal(inside(look_at_capabilities), 0);
    int found = inside_at(81, look_at_a_low_port);
    assert_true(found == 0 || found == NO_LANDLOCK);
}

/* ---- the report and its failures ---- */

static int look_at_the_report(void)
{
    char text[64];
    snprintf(text, sizeof text, "landlock ABI %d (files", report.landlock_abi);
    IS(1, strncmp(report.on, text, strlen(text)) == 0);
    IS(2, strstr(report.on, ", seccomp (") != NULL && strstr(report.on, "new privileges") != NULL);
    IS(3, (report.landlock_abi < 6) == (strstr(report.off, "signals: ") != NULL));
    return 0;
}

TEST(the_report_says_what_is_on)
{
    assert_int_equal(inside(look_at_the_report), 0);
}

TEST(a_directory_that_cannot_be_had_restricts_nothing)
{
    arka_error err = {0};
    arka_sandbox_report r;
    const char *missing[] = {"/nowhere/at/all"}, *root[] = {"/usr/.."};
    arka_sandbox_options o = {.own_dirs = missing, .n_own_dirs = 1};
    ASSERT_FAILS(arka_sandbox_apply(&o, &r, &err), ARKA_IO, "/nowhere/at/all");
    o.own_dirs = root;
    ASSERT_FAILS(arka_sandbox_apply(&o, &r, &err), ARKA_INPUT, "'/usr/..'");
    assert_true(opens("/etc/passwd", O_RDONLY) >= 0);
}

TEST(a_directory_is_opened_only_if_it_is_the_programs_own)
{
    char out[400], path[400], expected[400];
    make_world();
    snprintf(path, sizeof path, "%s/arc.conf", conf);
    assert_non_null(realpath(conf, expected));
    assert_true(arka_sandbox_dir_of(path, out, sizeof out));
    assert_string_equal(out, expected);
    assert_false(arka_sandbox_dir_of("/etc/passwd", out, sizeof out));
    assert_false(arka_sandbox_dir_of("/", out, sizeof out));
    assert_false(arka_sandbox_dir_of(in(conf, "missing"), out, sizeof out));
    assert_int_equal(chmod(conf, 01777), 0);
    assert_false(arka_sandbox_dir_of(path, out, sizeof out));
    assert_int_equal(chmod(conf, 0755), 0);
    const char *home = getenv("HOME");
    snprintf(expected, sizeof expected, "%s", home ? home : "");
    setenv("HOME", conf, 1);
    assert_false(arka_sandbox_dir_of(path, out, sizeof out));
    setenv("HOME", expected, 1);
}
