#include "server/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/thread.h"

enum {
    MAX_SOCKETS = 8,
    BACKLOG = 4096, /* or as many as the kernel's somaxconn allows */
    PAUSE_MS = 50,
    /* a client that is gone without a word is noticed after two minutes of silence */
    PROBE_AFTER_S = 60,
    PROBE_EVERY_S = 20,
    PROBES = 3,
};

struct arka_listener {
    arka_http *http;
    int port;
    bool loopback;
    int n;
    int sockets[MAX_SOCKETS];
    int stop_fd; /* readable when it is time to stop */
    bool started;
    arka_thread thread;
};

static bool is_loopback(const struct sockaddr *a)
{
    /* through memcpy: a sockaddr says nothing of its alignment */
    if (a->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, a, sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

static int port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        return 0;
    struct sockaddr_in v4; /* the port stands at the same place in both families */
    memcpy(&v4, &a, sizeof v4);
    return ntohs(v4.sin_port);
}

/* Connections have these from the socket that accepts them. */
static void set_options(int fd)
{
    static const struct {
        int level, name, value;
    } OPTIONS[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, PROBE_AFTER_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_S},
        {IPPROTO_TCP, TCP_KEEPCNT, PROBES},
    };
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
        setsockopt(fd, OPTIONS[i].level, OPTIONS[i].name, &OPTIONS[i].value,
                   sizeof OPTIONS[i].value);
}

static arka_status bind_one(arka_listener *l, const struct addrinfo *where, const char *host,
                            arka_error *err)
{
    int only = strcmp(host, "::") != 0; /* that one alone means all addresses of both kinds */
    struct sockaddr_storage address;
    memcpy(&address, where->ai_addr, where->ai_addrlen);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    v4->sin_port = htons((uint16_t)l->port); /* of the first, when that one was free to choose */
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "cannot open a socket to listen on");
    set_options(fd);
    if (where->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    if (bind(fd, (struct sockaddr *)&address, where->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;
        close(fd);
        return arka_fail_sys(err, ARKA_IO, why, "cannot listen on %s port %d", host, l->port);
    }
    l->sockets[l->n++] = fd;
    l->port = port_of(fd);
    l->loopback &= is_loopback(where->ai_addr);
    return ARKA_OK;
}

static arka_status bind_all(arka_listener *l, const char *host, arka_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    char port[16];
    snprintf(port, sizeof port, "%d", l->port);
    int failed = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (failed != 0)
        return arka_fail(err, ARKA_INPUT, "cannot listen on '%s': %s", host, gai_strerror(failed));
    arka_status status = ARKA_OK;
    arka_error first = {0};
    for (struct addrinfo *a = found; a != NULL && l->n < MAX_SOCKETS; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
            continue;
        status = bind_one(l, a, *host ? host : "all addresses", &first);
        /* a machine without IPv6 still resolves names to it */
        if (status != ARKA_OK && first.sys != EADDRNOTAVAIL && first.sys != EAFNOSUPPORT)
            break;
        if (status == ARKA_OK)
            first = (arka_error){0};
    }
    freeaddrinfo(found);
    if (l->n > 0 && (status == ARKA_OK || first.sys == EADDRNOTAVAIL || first.sys == EAFNOSUPPORT))
        return ARKA_OK;
    if (first.code == ARKA_OK)
        return arka_fail(err, ARKA_INPUT, "cannot listen on '%s': it has no usable address", host);
    if (err != NULL)
        *err = first;
    return first.code;
}

static void accept_from(arka_listener *l, int socket)
{
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(socket, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                poll(NULL, 0, PAUSE_MS); /* the connection waits in the backlog until one closes */
            return;
        }
        arka_http_take_connection(l->http, fd, (struct sockaddr *)&peer, len);
    }
}

static void accept_all(void *context)
{
    arka_listener *l = context;
    struct pollfd fds[MAX_SOCKETS + 1];
    for (int i = 0; i < l->n; i++)
        fds[i] = (struct pollfd){.fd = l->sockets[i], .events = POLLIN};
    fds[l->n] = (struct pollfd){.fd = l->stop_fd, .events = POLLIN};
    for (;;) {
        if (poll(fds, (nfds_t)l->n + 1, -1) < 0)
            continue;
        if (fds[l->n].revents != 0)
            return;
        for (int i = 0; i < l->n; i++)
            if (fds[i].revents != 0)
                accept_from(l, l->sockets[i]);
    }
}

arka_status arka_listener_new(const char *host, int port, arka_listener **out, arka_error *err)
{
    arka_listener *l = arka_calloc(1, sizeof *l);
    if (l == NULL)
        return arka_fail_nomem(err, "a listener", sizeof *l);
    l->port = port;
    l->loopback = true;
    l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    arka_status status = ARKA_OK;
    if (l->stop_fd < 0)
        status = arka_fail_sys(err, ARKA_IO, errno, "cannot make an event descriptor");
    if (status == ARKA_OK)
        status = bind_all(l, host, err);
    if (status == ARKA_OK)
        *out = l;
    else
        arka_listener_free(l);
    return status;
}

arka_status arka_listener_start(arka_listener *listener, arka_http *http, arka_error *err)
{
    listener->http = http;
    ARKA_TRY(arka_thread_start(&listener->thread, "listener", accept_all, listener, err));
    listener->started = true;
    return ARKA_OK;
}

int arka_listener_port(const arka_listener *listener)
{
    return listener->port;
}

bool arka_listener_is_loopback(const arka_listener *listener)
{
    return listener->loopback;
}

void arka_listener_free(arka_listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->started) {
        eventfd_write(listener->stop_fd, 1);
        arka_thread_join(&listener->thread);
    }
    for (int i = 0; i < listener->n; i++)
        close(listener->sockets[i]);
    if (listener->stop_fd >= 0)
        close(listener->stop_fd);
    arka_free(listener);
}
