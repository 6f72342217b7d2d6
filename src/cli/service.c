#include "cli/service.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
    TELL_EVERY_MS = 500,     /* how far the start is */
    MORE_TIME_US = 60000000, /* that the start is given each time it has got on */
    LONGEST_BEAT_MS = 15000,
};

void arka_service_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGINT);
    sigaddset(out, SIGHUP);
}

/* A signal, or 0: `other_fd` is readable (-1: none), or so much time has passed (-1: any). */
static int next_signal(const arka_service *s, int other_fd, int timeout_ms, bool *other)
{
    struct signalfd_siginfo info;
    struct pollfd fds[2] = {{.fd = s->signal_fd, .events = POLLIN},
                            {.fd = other_fd, .events = POLLIN}};
    int n;
    do
        n = poll(fds, 2, timeout_ms);
    while (n < 0 && errno == EINTR);
    *other = fds[1].revents != 0;
    if ((fds[0].revents & POLLIN) != 0 &&
        read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        return (int)info.ssi_signo;
    return 0;
}

/* ---- until it is open ---- */

/* More time is asked for as often as there is progress: a start that hangs is not kept alive. */
static void tell_opening(const arka_service *s, double *told)
{
    char text[200];
    double progress;
    arka_server_opening(s->server, text, sizeof text, &progress);
    if (progress <= *told)
        return;
    *told = progress;
    arka_notify_send(s->notify, "STATUS=%s\nEXTEND_TIMEOUT_USEC=%d", text, (int)MORE_TIME_US);
}

/* The signal that ends it; 0: it is open, or failed. *reload: SIGHUP came meanwhile. */
static int wait_open(const arka_service *s, bool *reload)
{
    bool ended = false;
    double told = -1;
    while (!ended) {
        tell_opening(s, &told);
        int got = next_signal(s, arka_server_opened_fd(s->server),
                              s->notify->fd >= 0 ? TELL_EVERY_MS : -1, &ended);
        if (got == SIGHUP)
            *reload = true;
        else if (got != 0)
            return got;
    }
    return 0;
}

/* ---- from then on ---- */

static void tell_ready(const arka_service *s)
{
    arka_notify_send(s->notify, "READY=1\nSTATUS=serving %s", s->url);
}

static void reload(const arka_service *s)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    arka_notify_send(s->notify, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading settings",
                     (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    s->reload(s->context);
    tell_ready(s);
}

/* A sign of life goes out only if the server gave one: otherwise the manager starts it anew. */
static void beat(const arka_service *s, bool *was_alive)
{
    char why[200];
    int64_t patience_ms = s->notify->watchdog_ms / 2 + 1;
    bool alive = arka_server_is_alive(s->server, patience_ms, why, sizeof why);
    if (alive)
        arka_notify_send(s->notify, "WATCHDOG=1");
    else if (*was_alive)
        arka_log_write(s->log, ARKA_ERROR, "stuck", NULL, "%s: the watchdog is not told of us",
                       why);
    *was_alive = alive;
}

/* Four times within what the manager waits; -1: never. */
static int every_ms(int64_t watchdog_ms)
{
    if (watchdog_ms <= 0)
        return -1;
    int64_t ms = watchdog_ms / 4;
    return ms < 1 ? 1 : ms < LONGEST_BEAT_MS ? (int)ms : LONGEST_BEAT_MS;
}

int arka_service_run(arka_service *service, arka_error *err)
{
    bool reload_wanted = false, other, alive = true;
    int got = wait_open(service, &reload_wanted);
    if (got != 0)
        return got;
    if (arka_server_opened(service->server, err) != ARKA_OK)
        return 0;
    service->ready(service->context);
    tell_ready(service);
    int beat_ms = every_ms(service->notify->watchdog_ms);
    for (;;) {
        if (reload_wanted)
            reload(service);
        reload_wanted = false;
        if (service->notify->watchdog_ms > 0)
            beat(service, &alive);
        got = next_signal(service, -1, beat_ms, &other);
        if (got == SIGHUP)
            reload_wanted = true;
        else if (got != 0)
            return got;
    }
}
