#include "cli/http_target.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/slice.h"

/* "host", "host:port", "[v6]", "[v6]:port" */
static arka_status split_authority(arka_slice all, arka_slice *host, arka_slice *port,
                                   arka_error *err)
{
    *host = all;
    *port = (arka_slice){NULL, 0};
    const char *end = all.data + all.len, *colon;
    if (all.len > 0 && all.data[0] == '[') {
        const char *close = memchr(all.data, ']', all.len);
        if (close == NULL)
            return arka_fail(err, ARKA_INPUT, "URL: '%.*s' opens '[' and does not close it",
                             ARKA_FMT(all));
        *host = (arka_slice){all.data + 1, (size_t)(close - all.data - 1)};
        colon = close + 1 < end ? close + 1 : NULL;
        if (colon != NULL && *colon != ':')
            return arka_fail(err, ARKA_INPUT, "URL: '%.*s' has '%c' behind ']', expected ':'",
                             ARKA_FMT(all), *colon);
    } else {
        colon = memchr(all.data, ':', all.len);
        if (colon != NULL)
            host->len = (size_t)(colon - all.data);
    }
    if (host->len == 0)
        return arka_fail(err, ARKA_INPUT, "URL: no host in '%.*s'", ARKA_FMT(all));
    if (colon != NULL)
        *port = (arka_slice){colon + 1, (size_t)(end - colon - 1)};
    return ARKA_OK;
}

static arka_status resolve(const char *host, int port, arka_http_target *out, arka_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    char service[8];
    snprintf(service, sizeof service, "%d", port);
    int why = getaddrinfo(host, service, &hints, &found);
    if (why != 0)
        return arka_fail(err, ARKA_NOTFOUND, "host '%s' does not resolve: %s", host,
                         gai_strerror(why));
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return ARKA_OK;
}

arka_status arka_http_target_resolve(const char *url, arka_http_target *out, arka_error *err)
{
    static const char plain[] = "http://", secure[] = "https://";
    bool tls = strncmp(url, secure, sizeof secure - 1) == 0;
    if (!tls && strncmp(url, plain, sizeof plain - 1) != 0)
        return arka_fail(err, ARKA_INPUT,
                         "URL '%.200s': expected it to begin with http:// or https://", url);
    const char *start = url + (tls ? sizeof secure : sizeof plain) - 1;
    size_t len = strcspn(start, "/?#");
    if (start[len] != 0 && strcmp(start + len, "/") != 0)
        return arka_fail(err, ARKA_INPUT,
                         "URL '%.200s': expected nothing behind host and port, "
                         "found '%.100s'",
                         url, start + len);
    arka_slice authority = {start, len}, host, port;
    char name[256];
    if (memchr(start, '@', len) != NULL)
        return arka_fail(err, ARKA_INPUT, "URL: user names are not supported, pass a token");
    if (len >= sizeof name)
        return arka_fail(err, ARKA_INPUT, "URL: host of %zu bytes, at most %zu are supported", len,
                         sizeof name - 1);
    ARKA_TRY(split_authority(authority, &host, &port, err));
    uint64_t number = tls ? 443 : 80;
    if (port.data != NULL &&
        (!arka_parse_u64(port.data, port.len, &number) || number == 0 || number > 65535))
        return arka_fail(err, ARKA_INPUT, "URL: port '%.*s', expected 1 to 65535", ARKA_FMT(port));

    memcpy(name, host.data, host.len);
    name[host.len] = 0;
    arka_http_target target = {.port = (int)number, .tls = {.on = tls}};
    memcpy(target.authority, start, len);
    memcpy(target.host, name, host.len);
    ARKA_TRY(resolve(name, target.port, &target, err));
    *out = target;
    return ARKA_OK;
}

bool arka_http_target_is_loopback(const arka_http_target *target)
{
    if (target->address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&target->address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&target->address;
    return target->address.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

arka_status arka_http_connect(const arka_http_target *target, int *out_fd, arka_error *err)
{
    int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "opening a socket");
    int on = 1;
    /* a request of ours is one send: waiting for more of it would only add latency */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&target->address, target->address_len) != 0 &&
        errno != EINPROGRESS) {
        int why = errno;
        close(fd);
        return arka_fail_sys(err, ARKA_IO, why, "connecting to %s", target->authority);
    }
    *out_fd = fd;
    return ARKA_OK;
}

arka_status arka_http_connected(const arka_http_target *target, int fd, arka_error *err)
{
    int why = 0;
    socklen_t len = sizeof why;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0)
        why = errno;
    if (why != 0)
        return arka_fail_sys(err, ARKA_IO, why, "connecting to %s", target->authority);
    return ARKA_OK;
}
