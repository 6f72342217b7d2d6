#include "server/http/loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/thread.h"

enum { LOOK_EVERY_MS = 1000, N_ENDS = 64 };

/* A connection on its way in. */
typedef struct arrival {
    struct arrival *next;
    int fd;
    socklen_t peer_len;
    struct sockaddr_storage peer;
} arrival;

struct arka_loop {
    arka_loop_calls calls;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* the library's */
    int event_fd; /* ours: something is in one of the lists, or the end has come; -1: none */
    int ends_fd;  /* an epoll of ours: connections on which no more will come; -1: none */
    arka_mono now, looked;
    bool runs;
    arka_thread thread;
    arka_mutex lock; /* LEAF: below */
    arrival *arrivals;
    arka_resuming *resuming;
    bool signalled;  /* the thread will look at the lists */
    arka_mono asked; /* since when it has to give a sign of life; ns 0: it has */
    bool stop;
};

static void signal_locked(arka_loop *l)
{
    if (!l->signalled)
        ARKA_IGNORE(eventfd_write(l->event_fd, 1) != 0); /* it can only fail when it is set */
    l->signalled = true;
}

bool arka_loop_add(arka_loop *loop, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    arrival *a = arka_malloc(sizeof *a);
    if (a == NULL || peer_len > sizeof a->peer) {
        arka_free(a);
        return false;
    }
    a->fd = fd;
    a->peer_len = peer_len;
    memcpy(&a->peer, peer, peer_len);
    arka_mutex_lock(&loop->lock);
    a->next = loop->arrivals;
    loop->arrivals = a;
    signal_locked(loop);
    arka_mutex_unlock(&loop->lock);
    return true;
}

void arka_loop_resume(arka_loop *loop, arka_resuming *resuming, struct MHD_Connection *connection)
{
    resuming->connection = connection;
    arka_mutex_lock(&loop->lock);
    resuming->next = loop->resuming;
    loop->resuming = resuming;
    signal_locked(loop);
    arka_mutex_unlock(&loop->lock);
}

int64_t arka_loop_ask(arka_loop *loop)
{
    int64_t silent_ms = 0;
    arka_mutex_lock(&loop->lock);
    if (loop->asked.ns != 0)
        silent_ms = (int64_t)arka_mono_since_ms(loop->asked);
    else
        loop->asked = arka_mono_now();
    signal_locked(loop);
    arka_mutex_unlock(&loop->lock);
    return silent_ms;
}

/* ---- the thread ---- */

/* False: the end has come. */
static bool take_lists(arka_loop *l, arrival **arrivals, arka_resuming **resuming)
{
    arka_mutex_lock(&l->lock);
    if (l->signalled) {
        eventfd_t n;
        ARKA_IGNORE(eventfd_read(l->event_fd, &n) != 0);
        l->signalled = false;
    }
    *arrivals = arka_take(l->arrivals);
    *resuming = arka_take(l->resuming);
    bool stop = l->stop;
    l->asked.ns = 0;
    arka_mutex_unlock(&l->lock);
    return !stop;
}

static bool work_off_lists(arka_loop *l)
{
    arrival *arrivals, *a;
    arka_resuming *resuming, *r;
    bool go_on = take_lists(l, &arrivals, &resuming);
    while ((a = arrivals) != NULL) {
        arrivals = a->next;
        /* refusing, it closes the socket itself */
        if (MHD_add_connection(l->daemon, a->fd, (const struct sockaddr *)&a->peer, a->peer_len) ==
            MHD_NO)
            l->calls.lost(l->calls.context);
        arka_free(a);
    }
    while ((r = resuming) != NULL) {
        resuming = r->next;
        MHD_resume_connection(r->connection);
    }
    return go_on;
}

/* Did some end? */
static bool wait_for_events(arka_loop *l)
{
    MHD_UNSIGNED_LONG_LONG ms;
    int timeout = LOOK_EVERY_MS;
    if (MHD_get_timeout(l->daemon, &ms) == MHD_YES && ms < LOOK_EVERY_MS)
        timeout = (int)ms;
    struct pollfd fds[] = {{.fd = l->epoll_fd, .events = POLLIN},
                           {.fd = l->event_fd, .events = POLLIN},
                           {.fd = l->ends_fd, .events = POLLIN}};
    ARKA_IGNORE(poll(fds, sizeof fds / sizeof *fds, timeout) <
                0); /* then it is looked all the same */
    return fds[2].revents != 0;
}

static void tell_ends(arka_loop *l)
{
    struct epoll_event events[N_ENDS];
    int n = epoll_wait(l->ends_fd, events, N_ENDS, 0);
    for (int i = 0; i < n; i++)
        l->calls.ended(events[i].data.ptr);
}

static void look_each_second(arka_loop *l)
{
    if (l->now.ns - l->looked.ns < LOOK_EVERY_MS * INT64_C(1000000))
        return;
    l->looked = l->now;
    l->calls.look(l->calls.context, l);
}

void arka_loop_watch(arka_loop *loop, int fd, void *connection)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = connection};
    ARKA_IGNORE(epoll_ctl(loop->ends_fd, EPOLL_CTL_ADD, fd, &event) != 0); /* no memory: unseen */
}

void arka_loop_forget(arka_loop *loop, int fd)
{
    struct epoll_event event = {0};
    ARKA_IGNORE(epoll_ctl(loop->ends_fd, EPOLL_CTL_DEL, fd, &event) != 0);
}

arka_mono arka_loop_now(const arka_loop *loop)
{
    return loop->now;
}

static _Thread_local arka_loop *current;

arka_loop *arka_loop_current(void)
{
    return current;
}

static void run(void *context)
{
    arka_loop *l = context;
    bool ends = false;
    current = l;
    l->now = l->looked = arka_mono_now();
    while (work_off_lists(l)) {
        MHD_run(l->daemon);
        if (ends)
            tell_ends(l);
        look_each_second(l);
        ends = wait_for_events(l);
        l->now = arka_mono_now();
    }
    MHD_run(l->daemon); /* what was resumed last */
}

/* ---- life ---- */

static arka_status start(arka_loop *l, struct MHD_OptionItem *options, bool tls, arka_error *err)
{
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET;
    l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->event_fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "making an HTTP thread's event");
    l->ends_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->ends_fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "making an HTTP thread's list of ends");
    l->daemon = MHD_start_daemon(tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, l->calls.handle,
                                 l->calls.context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        l->daemon ? MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (info == NULL || info->epoll_fd < 0)
        return arka_fail(err, ARKA_IO, "libmicrohttpd cannot start");
    l->epoll_fd = info->epoll_fd;
    ARKA_TRY(arka_thread_start(&l->thread, "http", run, l, err));
    l->runs = true;
    return ARKA_OK;
}

arka_status arka_loop_new(const arka_loop_calls *calls, struct MHD_OptionItem *options, bool tls,
                          arka_loop **out, arka_error *err)
{
    arka_loop *l = arka_calloc(1, sizeof *l);
    if (l == NULL)
        return arka_fail_nomem(err, "an HTTP thread", sizeof *l);
    l->calls = *calls;
    l->event_fd = l->ends_fd = -1;
    arka_mutex_init(&l->lock, ARKA_LOCK_LEAF);
    arka_status status = start(l, options, tls, err);
    if (status == ARKA_OK)
        *out = l;
    else
        arka_loop_free(l);
    return status;
}

void arka_loop_free(arka_loop *l)
{
    if (l == NULL)
        return;
    if (l->runs) {
        arka_mutex_lock(&l->lock);
        l->stop = true;
        signal_locked(l);
        arka_mutex_unlock(&l->lock);
        arka_thread_join(&l->thread);
    }
    if (l->daemon != NULL)
        MHD_stop_daemon(l->daemon);
    if (l->event_fd >= 0)
        close(l->event_fd);
    if (l->ends_fd >= 0)
        close(l->ends_fd);
    arka_mutex_fini(&l->lock);
    arka_free(l);
}
