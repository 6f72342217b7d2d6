#include "os/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"

enum { LONGEST = 1024 };

static arka_status set_address(arka_notify *n, const char *text, arka_error *err)
{
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof n->address.sun_path)
        return arka_fail(err, ARKA_INPUT,
                         "NOTIFY_SOCKET is '%s', expected the path of a socket, or @ and its name",
                         text);
    n->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(n->address.sun_path, text, len);
    /* an abstract name begins with a zero byte and has none at its end */
    if (text[0] == '@')
        n->address.sun_path[0] = 0;
    n->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
    return ARKA_OK;
}

/* WATCHDOG_PID: of whom it is expected, when that is not us. */
static int64_t watchdog_ms(char *(*get)(const char *name))
{
    const char *us = get("WATCHDOG_USEC"), *pid = get("WATCHDOG_PID");
    int64_t n, of;
    if (us == NULL || !arka_parse_i64(us, strlen(us), &n) || n < 1000)
        return 0;
    if (pid != NULL && (!arka_parse_i64(pid, strlen(pid), &of) || of != getpid()))
        return 0;
    return n / 1000;
}

static bool reach(const arka_notify *n)
{
    return connect(n->fd, (const struct sockaddr *)&n->address, n->address_len) == 0;
}

arka_status arka_notify_open(arka_notify *n, char *(*get)(const char *name), arka_error *err)
{
    *n = (arka_notify){.fd = -1};
    const char *text = get("NOTIFY_SOCKET");
    if (text == NULL || *text == 0)
        return ARKA_OK;
    ARKA_TRY(set_address(n, text, err));
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "cannot open a socket to tell %s of us", text);
    if (!reach(n)) {
        int why = errno;
        arka_notify_close(n);
        return arka_fail_sys(err, ARKA_IO, why, "cannot reach NOTIFY_SOCKET %s", text);
    }
    n->watchdog_ms = watchdog_ms(get);
    return ARKA_OK;
}

void arka_notify_close(arka_notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
    n->watchdog_ms = 0;
}

void arka_notify_send(const arka_notify *n, const char *format, ...)
{
    char text[LONGEST];
    va_list args;
    if (n->fd < 0)
        return;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len <= 0)
        return;
    size_t size = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    ssize_t sent = send(n->fd, text, size, MSG_NOSIGNAL);
    /* a manager that was started anew has another socket behind the same address */
    if (sent < 0 && (errno == ECONNREFUSED || errno == ENOTCONN || errno == EPIPE) && reach(n))
        sent = send(n->fd, text, size, MSG_NOSIGNAL);
    ARKA_IGNORE(sent < 0);
}
