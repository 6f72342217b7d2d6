#include "cli/bench/bench_child.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/http_call.h"
#include "os/clock.h"
#include "os/file.h"

enum { LOOK_MS = 2, READY_TIMEOUT_MS = 600000, MAX_LOG = 64 << 20, PATH_EXTRA = 64 };

static void path_in(const arka_bench_child *child, const char *name, char *out, size_t cap)
{
    snprintf(out, cap, "%s/%s", child->dir, name);
}

void arka_bench_child_log_dir(const arka_bench_child *child, char *out, size_t cap)
{
    path_in(child, "data/wal", out, cap);
}

static arka_status write_config(const arka_bench_child *child, arka_error *err)
{
    char path[ARKA_BENCH_CHILD_PATH + PATH_EXTRA];
    path_in(child, "arc.toml", path, sizeof path);
    FILE *f = fopen(path, "we");
    if (f == NULL)
        return arka_fail_sys(err, ARKA_IO, errno, "%s", path);
    if (child->options.config != NULL)
        fputs(child->options.config, f);
    if (fclose(f) != 0)
        return arka_fail_sys(err, ARKA_IO, errno, "%s", path);
    return ARKA_OK;
}

arka_status arka_bench_child_init(arka_bench_child *child, const arka_bench_child_options *options,
                                  arka_error *err)
{
    *child = (arka_bench_child){.options = *options};
    char dir[ARKA_BENCH_CHILD_PATH];
    int n = snprintf(dir, sizeof dir, "%s/arc-bench.XXXXXX", options->under);
    if (n < 0 || (size_t)n >= sizeof dir)
        return arka_fail(err, ARKA_INPUT, "the path '%.100s…' is too long", options->under);
    if (mkdtemp(dir) == NULL)
        return arka_fail_sys(err, ARKA_IO, errno, "a new directory below %s", options->under);
    memcpy(child->dir, dir, sizeof child->dir);
    return write_config(child, err);
}

static void put_settings(const arka_bench_child_options *o)
{
    char *copy = strdup(o->environment ? o->environment : ""), *rest = copy, *word;
    while (copy != NULL && (word = strsep(&rest, " ")) != NULL) {
        char *value = strchr(word, '=');
        if (value == NULL)
            continue;
        *value = 0;
        setenv(word, value + 1, 1);
    }
    setenv("AUTH_ENABLED", "false", 1); /* it listens on 127.0.0.1 and lasts for the bench */
    setenv("WAL_ENABLED", o->no_wal ? "false" : "true", 1);
    if (o->sync_mode != NULL && !o->no_wal)
        setenv("WAL_SYNC_MODE", o->sync_mode, 1);
}

/* In the child: becomes the server or ends with 127. */
_Noreturn static void become_server(const arka_bench_child *child, int log_fd, pid_t parent)
{
    char data[ARKA_BENCH_CHILD_PATH + PATH_EXTRA], config[ARKA_BENCH_CHILD_PATH + PATH_EXTRA];
    path_in(child, "data", data, sizeof data);
    path_in(child, "arc.toml", config, sizeof config);
    setsid(); /* Ctrl-C is for the bench */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the bench ended before it could be noticed */
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    put_settings(&child->options);
    execl("/proc/self/exe", "arc", "serve", "--host", "127.0.0.1", "--port", "0", "--data", data,
          "--config", config, (char *)NULL);
    _exit(127);
}

/* The port in the log's line "listening … http://127.0.0.1:PORT"; 0: it is not there yet. */
static int port_in_log(const char *path)
{
    char *text = NULL;
    size_t n;
    if (arka_file_read(path, MAX_LOG, &text, &n, NULL) != ARKA_OK)
        return 0;
    const char *line = strstr(text, "listening");
    const char *url = line != NULL ? strstr(line, "http://127.0.0.1:") : NULL;
    int port = url != NULL ? (int)strtol(url + 17, NULL, 10) : 0;
    arka_free(text);
    return port;
}

static bool is_ready(const char *url)
{
    arka_http_target target;
    arka_http_response r;
    arka_http_request request = {.method = "GET", .path = "/ready", .timeout_ms = 5000};
    arka_http_response_init(&r);
    bool ready = arka_http_target_resolve(url, &target, NULL) == ARKA_OK &&
                 arka_http_call(&target, &request, &r, NULL) == ARKA_OK && r.status == 200;
    arka_http_response_fini(&r);
    return ready;
}

/* Its end, as far as a message has room. */
static arka_status fail_with_log(arka_bench_child *child, const char *log, const char *what,
                                 arka_error *err)
{
    enum { SHOWN = 350 };
    char *text = NULL;
    size_t n = 0;
    bool read = arka_file_read(log, MAX_LOG, &text, &n, NULL) == ARKA_OK;
    arka_fail(err, ARKA_IO, "%s; the end of its log: %s", what,
              read ? text + (n > SHOWN ? n - SHOWN : 0) : "(cannot be read)");
    arka_free(text);
    arka_bench_child_kill(child);
    return ARKA_IO;
}

void arka_bench_sleep_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static arka_status wait_until_ready(arka_bench_child *child, const char *log, arka_error *err)
{
    arka_mono deadline = arka_mono_after_ms(READY_TIMEOUT_MS);
    int port = 0;
    for (;;) {
        int status;
        if (waitpid(child->pid, &status, WNOHANG) == child->pid) {
            child->pid = 0;
            return fail_with_log(child, log, "the server did not start", err);
        }
        if (port == 0 && (port = port_in_log(log)) != 0)
            snprintf(child->url, sizeof child->url, "http://127.0.0.1:%d", port);
        if (port != 0 && is_ready(child->url))
            return ARKA_OK;
        if (arka_mono_now().ns > deadline.ns)
            return fail_with_log(child, log, "the server was not ready in time", err);
        arka_bench_sleep_ms(LOOK_MS);
    }
}

arka_status arka_bench_child_start(arka_bench_child *child, double *ready_s, arka_error *err)
{
    char log[ARKA_BENCH_CHILD_PATH + PATH_EXTRA];
    path_in(child, "server.log", log, sizeof log);
    int log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (log_fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "%s", log);
    arka_mono begun = arka_mono_now();
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become_server(child, log_fd, parent);
    int sys = errno;
    close(log_fd);
    if (pid < 0)
        return arka_fail_sys(err, ARKA_IO, sys, "starting a server");
    child->pid = pid;
    ARKA_TRY(wait_until_ready(child, log, err));
    if (ready_s != NULL)
        *ready_s = (double)arka_mono_since_ns(begun) / 1e9;
    return ARKA_OK;
}

void arka_bench_child_kill(arka_bench_child *child)
{
    if (child->pid == 0)
        return;
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    child->pid = 0;
}

arka_status arka_bench_child_stop(arka_bench_child *child, arka_error *err)
{
    int status;
    if (child->pid == 0)
        return ARKA_OK;
    kill(child->pid, SIGTERM);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    child->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return ARKA_OK;
    char log[ARKA_BENCH_CHILD_PATH + PATH_EXTRA];
    path_in(child, "server.log", log, sizeof log);
    return fail_with_log(child, log, "the server did not end well", err);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

void arka_bench_child_fini(arka_bench_child *child)
{
    enum { OPEN_AT_ONCE = 16 };
    arka_bench_child_kill(child);
    if (child->dir[0] != 0)
        nftw(child->dir, remove_entry, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS);
    child->dir[0] = 0;
}
