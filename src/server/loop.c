#include "server/loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/thread.h"

/* A connection on its way in. */
typedef struct arrival {
    struct arrival *next;
    int fd;
    socklen_t peer_len;
    struct sockaddr_storage peer;
} arrival;

struct arka_loop {
    void (*lost)(void *context);
    void *context;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* the library's */
    int event_fd; /* ours: something is in one of the lists, or the end has come; -1: none */
    bool runs;
    arka_thread thread;
    arka_mutex lock; /* LEAF: below */
    arrival *arrivals;
    arka_resuming *resuming;
    bool signalled; /* the thread will look at the lists */
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
            l->lost(l->context);
        arka_free(a);
    }
    while ((r = resuming) != NULL) {
        resuming = r->next;
        MHD_resume_connection(r->connection);
    }
    return go_on;
}

static void wait_for_events(const arka_loop *l)
{
    MHD_UNSIGNED_LONG_LONG ms;
    int timeout = -1;
    if (MHD_get_timeout(l->daemon, &ms) == MHD_YES)
        timeout = ms > 60000 ? 60000 : (int)ms;
    struct pollfd fds[] = {{.fd = l->epoll_fd, .events = POLLIN},
                           {.fd = l->event_fd, .events = POLLIN}};
    ARKA_IGNORE(poll(fds, sizeof fds / sizeof *fds, timeout) <
                0); /* then it is looked all the same */
}

static _Thread_local arka_loop *current;

arka_loop *arka_loop_current(void)
{
    return current;
}

static void run(void *context)
{
    arka_loop *l = context;
    current = l;
    while (work_off_lists(l)) {
        MHD_run(l->daemon);
        wait_for_events(l);
    }
    MHD_run(l->daemon); /* what was resumed last */
}

/* ---- life ---- */

static arka_status start(arka_loop *l, MHD_AccessHandlerCallback handle,
                         struct MHD_OptionItem *options, arka_error *err)
{
    l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->event_fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "making an HTTP thread's event");
    l->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET, 0, NULL,
        NULL, handle, l->context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        l->daemon ? MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (info == NULL || info->epoll_fd < 0)
        return arka_fail(err, ARKA_IO, "libmicrohttpd cannot start");
    l->epoll_fd = info->epoll_fd;
    ARKA_TRY(arka_thread_start(&l->thread, "http", run, l, err));
    l->runs = true;
    return ARKA_OK;
}

arka_status arka_loop_new(MHD_AccessHandlerCallback handle, void (*lost)(void *context),
                          void *context, struct MHD_OptionItem *options, arka_loop **out,
                          arka_error *err)
{
    arka_loop *l = arka_calloc(1, sizeof *l);
    if (l == NULL)
        return arka_fail_nomem(err, "an HTTP thread", sizeof *l);
    l->lost = lost;
    l->context = context;
    l->event_fd = -1;
    arka_mutex_init(&l->lock, ARKA_LOCK_LEAF);
    arka_status status = start(l, handle, options, err);
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
    arka_mutex_fini(&l->lock);
    arka_free(l);
}
