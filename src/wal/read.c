/* A segment read piece by piece through a window, so that none has to fit into memory. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "wal/wal_priv.h"

enum { AHEAD = 256 << 10 };

static int open_again(const arka_os *os, const char *path)
{
    int fd;
    do
        fd = os->open(path, O_RDONLY, 0);
    while (fd < 0 && errno == EINTR);
    return fd;
}

arka_status arka_wal__input_open(const arka_os *os, const char *dir, const char *name,
                                 arka_wal__input *out, arka_error *err)
{
    char *path;
    struct stat st;
    *out = (arka_wal__input){.os = os, .fd = -1};
    ARKA_TRY(arka_wal__path(dir, name, &path, err));
    snprintf(out->name, sizeof out->name, "%s", name);
    arka_status status = ARKA_OK;
    out->fd = open_again(os, path);
    if (out->fd < 0 || fstat(out->fd, &st) != 0)
        status = arka_fail_sys(err, ARKA_IO, errno, "opening %s", path);
    else
        out->size = st.st_size;
    arka_free(path);
    if (status != ARKA_OK)
        arka_wal__input_close(out);
    return status;
}

void arka_wal__input_close(arka_wal__input *in)
{
    if (in->fd >= 0)
        ARKA_IGNORE(in->os->close(in->fd)); /* read-only */
    in->fd = -1;
    arka_buf_fini(&in->window);
}

/* Appends at least `need` bytes to the window. */
static arka_status fill(arka_wal__input *in, size_t need, size_t most, arka_error *err)
{
    while (need > 0) {
        int64_t at = in->window_at + (int64_t)in->window.len;
        ssize_t n = in->os->pread(in->fd, in->window.data + in->window.len, most, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            return arka_fail(err, ARKA_IO, "%s ends at byte %" PRId64 " while it is read", in->name,
                             at);
        if (n < 0)
            return arka_fail_sys(err, ARKA_IO, errno, "reading %s at byte %" PRId64, in->name, at);
        in->window.len += (size_t)n;
        most -= (size_t)n;
        need = (size_t)n < need ? need - (size_t)n : 0;
    }
    return ARKA_OK;
}

arka_status arka_wal__input_get(arka_wal__input *in, int64_t at, size_t n, const char **out,
                                arka_error *err)
{
    int64_t window_end = in->window_at + (int64_t)in->window.len;
    if (at < in->window_at || at > window_end) {
        in->window_at = at;
        in->window.len = 0;
        window_end = at;
    }
    if (window_end - at < (int64_t)n) {
        size_t kept = (size_t)(window_end - at);
        if (kept > 0)
            memmove(in->window.data, in->window.data + (at - in->window_at), kept);
        in->window_at = at;
        in->window.len = kept;
        size_t left = (size_t)(in->size - window_end), most = n - kept + AHEAD;
        most = most < left ? most : left;
        if (arka_buf_reserve(&in->window, most) == NULL) {
            in->window.len = 0;
            return arka_fail_nomem(err, "a piece of the log", most);
        }
        ARKA_TRY(fill(in, n - kept, most, err));
    }
    *out = in->window.data + (at - in->window_at);
    return ARKA_OK;
}
