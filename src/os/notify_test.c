#include "os/notify.h"

#include <errno.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/kit.h"
#include "os/sandbox.h"

static struct {
    const char *socket, *watchdog, *pid;
} env;

static char *get(const char *name)
{
    const char *text = strcmp(name, "NOTIFY_SOCKET") == 0   ? env.socket
                       : strcmp(name, "WATCHDOG_USEC") == 0 ? env.watchdog
                       : strcmp(name, "WATCHDOG_PID") == 0  ? env.pid
                                                            : NULL;
    return (char *)(uintptr_t)text;
}

/* A manager's socket under `name`, as NOTIFY_SOCKET has it. */
static int manager_at(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 20};
    memcpy(a.sun_path, name, strlen(name));
    if (*name == '@')
        a.sun_path[0] = 0;
    else
        unlink(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

static void assert_hears(int manager, const char *text)
{
    char got[2048];
    ssize_t n = recv(manager, got, sizeof got - 1, 0);
    assert_true(n >= 0);
    got[n] = 0;
    assert_string_equal(got, text);
}

static const char *a_path(void)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/notify", kit_tmpdir());
    return path;
}

static const char *an_abstract_name(void)
{
    static char name[100];
    snprintf(name, sizeof name, "@arc-notify-test-%d", (int)getpid());
    return name;
}

TEST(messages_reach_a_path_and_an_abstract_name)
{
    arka_error err = {0};
    const char *names[] = {a_path(), an_abstract_name()};
    for (int i = 0; i < 2; i++) {
        arka_notify n;
        int manager = manager_at(names[i]);
        env.socket = names[i];
        ASSERT_OK(arka_notify_open(&n, get, &err));
        arka_notify_send(&n, "READY=1\nSTATUS=%s", "serving");
        arka_notify_send(&n, "STOPPING=1");
        assert_hears(manager, "READY=1\nSTATUS=serving");
        assert_hears(manager, "STOPPING=1");
        arka_notify_close(&n);
        arka_notify_send(&n, "lost");
        assert_int_equal(recv(manager, &(char){0}, 1, MSG_DONTWAIT), -1);
        close(manager);
    }
}

TEST(without_the_variable_nothing_is_sent)
{
    arka_error err = {0};
    arka_notify n;
    for (int i = 0; i < 2; i++) {
        env.socket = i ? "" : NULL;
        env.watchdog = "1000000";
        ASSERT_OK(arka_notify_open(&n, get, &err));
        assert_int_equal(n.fd, -1);
        assert_int_equal(n.watchdog_ms, 0);
        arka_notify_send(&n, "READY=1");
        arka_notify_close(&n);
    }
}

TEST(an_address_that_cannot_be_had_is_told)
{
    arka_error err = {0};
    arka_notify n;
    char long_one[200];
    memset(long_one, 'x', sizeof long_one);
    long_one[0] = '/';
    long_one[sizeof long_one - 1] = 0;
    const char *wrong[] = {"vsock:2:1", "relative", "/", "@", long_one};
    for (int i = 0; i < 5; i++) {
        env.socket = wrong[i];
        ASSERT_FAILS(arka_notify_open(&n, get, &err), ARKA_INPUT, "NOTIFY_SOCKET is '");
        assert_int_equal(n.fd, -1);
    }
    env.socket = "/nowhere/at/all";
    ASSERT_FAILS(arka_notify_open(&n, get, &err), ARKA_IO, "/nowhere/at/all");
    arka_notify_send(&n, "READY=1");
}

TEST(the_watchdog_is_ours_or_another_process_s)
{
    char own[20];
    snprintf(own, sizeof own, "%d", (int)getpid());
    const struct {
        const char *us, *pid;
        int64_t ms;
    } cases[] = {{"30000000", NULL, 30000}, {"30000000", own, 30000}, {"30000000", "1", 0},
                 {"30000000", "", 0},       {"0", NULL, 0},           {"-5", NULL, 0},
                 {"soon", NULL, 0},         {NULL, own, 0},           {"1000", own, 1}};
    int manager = manager_at(a_path());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arka_error err = {0};
        arka_notify n;
        env.socket = a_path();
        env.watchdog = cases[i].us;
        env.pid = cases[i].pid;
        ASSERT_OK(arka_notify_open(&n, get, &err));
        assert_int_equal(n.watchdog_ms, cases[i].ms);
        arka_notify_close(&n);
    }
    env.watchdog = env.pid = NULL;
    close(manager);
}

TEST(a_manager_that_begins_anew_is_found_again)
{
    arka_error err = {0};
    arka_notify n;
    int manager = manager_at(a_path());
    env.socket = a_path();
    ASSERT_OK(arka_notify_open(&n, get, &err));
    close(manager);
    arka_notify_send(&n, "lost");
    manager = manager_at(a_path());
    arka_notify_send(&n, "WATCHDOG=1");
    assert_hears(manager, "WATCHDOG=1");
    arka_notify_close(&n);
    close(manager);
}

TEST(a_sandbox_does_not_part_them)
{
    const char *names[] = {a_path(), an_abstract_name()};
    for (int i = 0; i < 2; i++) {
        int manager = manager_at(names[i]), status;
        env.socket = names[i];
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            arka_notify n;
            arka_sandbox_report report;
            arka_sandbox_options none = {.tcp_port = 0};
            if (arka_notify_open(&n, get, NULL) != ARKA_OK ||
                arka_sandbox_apply(&none, &report, NULL) != ARKA_OK)
                _exit(1);
            arka_notify_send(&n, "READY=1");
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_hears(manager, "READY=1");
        close(manager);
    }
}
