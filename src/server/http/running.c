#include "server/http/running.h"

#include <poll.h>

#include "os/thread.h"

enum {
    LOOK_EVERY_MS = 25,
    IDLE_LOOKS = 40, /* without a query, then it sleeps until one comes */
    SLEEP_MS = 60000,
    LOOK_AT_ONCE = 512,
};

struct arka_running {
    arka_mutex lock;    /* ranks below the locks that arka_query_cancel takes */
    arka_cond wake;     /* it is time to stop */
    arka_ticket *first; /* lock */
    int n;              /* lock */
    int64_t n_left;     /* lock; clients, since the start */
    bool all_cancelled; /* lock; those to come as well */
    bool stop;          /* lock */
    bool sleeps;        /* lock; enter wakes the watcher */
    arka_thread watcher;
};

static void cancel_locked(arka_ticket *ticket)
{
    ticket->cancelled = true;
    ticket->fd = -1;
    if (ticket->query != NULL)
        arka_query_cancel(ticket->query);
    if (ticket->on_cancel != NULL)
        ticket->on_cancel(ticket->context);
}

/* A batch of them, from `t` on; where the next one begins. */
static arka_ticket *look_at_some_locked(arka_running *r, arka_ticket *t)
{
    struct pollfd fds[LOOK_AT_ONCE];
    arka_ticket *tickets[LOOK_AT_ONCE];
    nfds_t n = 0;
    for (; t != NULL && n < LOOK_AT_ONCE; t = t->next) {
        if (t->fd < 0)
            continue;
        fds[n] = (struct pollfd){.fd = t->fd, .events = POLLRDHUP};
        tickets[n++] = t;
    }
    if (n == 0 || poll(fds, n, 0) <= 0)
        return t;
    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) {
            cancel_locked(tickets[i]);
            r->n_left++;
        }
    }
    return t;
}

static void watch_clients(void *context)
{
    arka_running *r = context;
    int idle = 0;
    arka_mutex_lock(&r->lock);
    while (!r->stop) {
        /* woken by enter only from its long sleep: else every query would cost a system call */
        idle = r->first == NULL ? idle + 1 : 0;
        r->sleeps = idle > IDLE_LOOKS;
        arka_cond_wait(&r->wake, &r->lock,
                       arka_mono_after_ms(r->sleeps ? SLEEP_MS : LOOK_EVERY_MS));
        r->sleeps = false;
        for (arka_ticket *t = r->first; t != NULL;)
            t = look_at_some_locked(r, t);
    }
    arka_mutex_unlock(&r->lock);
}

arka_status arka_running_new(arka_running **out, arka_error *err)
{
    arka_running *r = arka_calloc(1, sizeof *r);
    if (r == NULL)
        return arka_fail_nomem(err, "the list of queries", sizeof *r);
    arka_mutex_init(&r->lock, ARKA_LOCK_RUNNING);
    arka_cond_init(&r->wake);
    arka_status status = arka_thread_start(&r->watcher, "watcher", watch_clients, r, err);
    if (status != ARKA_OK) {
        arka_cond_fini(&r->wake);
        arka_mutex_fini(&r->lock);
        arka_free(r);
        return status;
    }
    *out = r;
    return ARKA_OK;
}

void arka_running_free(arka_running *running)
{
    if (running == NULL)
        return;
    arka_mutex_lock(&running->lock);
    running->stop = true;
    arka_cond_signal(&running->wake);
    arka_mutex_unlock(&running->lock);
    arka_thread_join(&running->watcher);
    arka_cond_fini(&running->wake);
    arka_mutex_fini(&running->lock);
    arka_free(running);
}

void arka_running_enter(arka_running *running, arka_ticket *ticket, int fd,
                        void (*on_cancel)(void *context), void *context)
{
    *ticket = (arka_ticket){.fd = fd, .on_cancel = on_cancel, .context = context};
    arka_mutex_lock(&running->lock);
    ticket->cancelled = running->all_cancelled;
    ticket->next = running->first;
    if (running->first != NULL)
        running->first->previous = ticket;
    running->first = ticket;
    running->n++;
    if (running->sleeps)
        arka_cond_signal(&running->wake);
    arka_mutex_unlock(&running->lock);
}

void arka_running_leave(arka_running *running, arka_ticket *ticket)
{
    arka_mutex_lock(&running->lock);
    ticket->on_cancel = NULL; /* a cancel that comes too late finds nobody */
    if (ticket->previous != NULL)
        ticket->previous->next = ticket->next;
    else
        running->first = ticket->next;
    if (ticket->next != NULL)
        ticket->next->previous = ticket->previous;
    running->n--;
    arka_mutex_unlock(&running->lock);
}

void arka_running_set_query(arka_running *running, arka_ticket *ticket, arka_query *query)
{
    arka_mutex_lock(&running->lock);
    ticket->query = query;
    if (ticket->cancelled && query != NULL)
        arka_query_cancel(query);
    arka_mutex_unlock(&running->lock);
}

void arka_running_watch(arka_running *running, arka_ticket *ticket, int fd)
{
    arka_mutex_lock(&running->lock);
    ticket->fd = fd;
    arka_mutex_unlock(&running->lock);
}

void arka_running_cancel(arka_running *running, arka_ticket *ticket)
{
    arka_mutex_lock(&running->lock);
    cancel_locked(ticket);
    arka_mutex_unlock(&running->lock);
}

void arka_running_cancel_all(arka_running *running)
{
    arka_mutex_lock(&running->lock);
    running->all_cancelled = true;
    for (arka_ticket *t = running->first; t != NULL; t = t->next)
        cancel_locked(t);
    arka_mutex_unlock(&running->lock);
}

bool arka_running_is_cancelled(arka_running *running, const arka_ticket *ticket)
{
    arka_mutex_lock(&running->lock);
    bool cancelled = ticket->cancelled ||
                     (ticket->query != NULL && arka_query_check(ticket->query, NULL) != ARKA_OK);
    arka_mutex_unlock(&running->lock);
    return cancelled;
}

int arka_running_n(arka_running *running)
{
    arka_mutex_lock(&running->lock);
    int n = running->n;
    arka_mutex_unlock(&running->lock);
    return n;
}

int64_t arka_running_n_left(arka_running *running)
{
    arka_mutex_lock(&running->lock);
    int64_t n = running->n_left;
    arka_mutex_unlock(&running->lock);
    return n;
}
