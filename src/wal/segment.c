/* Segments as files: names, whole writes, syncs, cuts. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/number.h"
#include "wal/wal_priv.h"

#define PREFIX "segment_"
#define SUFFIX ".arrow"
enum { DIGITS = 20 };

void arka_wal__name(uint64_t base, char out[ARKA_WAL__NAME])
{
    snprintf(out, ARKA_WAL__NAME, PREFIX "%0*" PRIu64 SUFFIX, DIGITS, base);
}

void arka_wal__unfinished_name(uint64_t base, char out[ARKA_WAL__UNFINISHED_NAME])
{
    snprintf(out, ARKA_WAL__UNFINISHED_NAME, PREFIX "%0*" PRIu64 SUFFIX ARKA_WAL__UNFINISHED,
             DIGITS, base);
}

bool arka_wal__name_parse(const char *name, uint64_t *out_base)
{
    size_t digits = strlen(PREFIX);
    return strlen(name) == digits + DIGITS + strlen(SUFFIX) && memcmp(name, PREFIX, digits) == 0 &&
           strcmp(name + digits + DIGITS, SUFFIX) == 0 &&
           strspn(name + digits, "0123456789") == DIGITS &&
           arka_parse_u64(name + digits, DIGITS, out_base);
}

arka_status arka_wal__path(const char *dir, const char *name, char **out, arka_error *err)
{
    arka_buf path = ARKA_BUF_INIT;
    arka_buf_printf(&path, "%s/%s", dir, name);
    if (arka_buf_cstr(&path) == NULL) {
        arka_buf_fini(&path);
        return arka_fail_nomem(err, "a path", strlen(dir) + ARKA_WAL__NAME);
    }
    *out = path.data;
    return ARKA_OK;
}

static int open_again(const arka_os *os, const char *path, int flags)
{
    int fd;
    do
        fd = os->open(path, flags, 0644);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int sync_again(int (*sync)(int fd), int fd)
{
    int failed;
    do
        failed = sync(fd);
    while (failed && errno == EINTR);
    return failed;
}

arka_status arka_wal__sync_dir(const arka_os *os, const char *dir, arka_error *err)
{
    arka_status status = ARKA_OK;
    int fd = open_again(os, dir, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || sync_again(os->fsync, fd) != 0)
        status = arka_fail_sys(err, ARKA_IO, errno, "syncing directory %s", dir);
    if (fd >= 0)
        ARKA_IGNORE(os->close(fd)); /* nothing was written through it */
    return status;
}

arka_status arka_wal__sync_fd(const arka_os *os, arka_wal_sync_mode mode, int fd, const char *name,
                              arka_error *err)
{
    if (sync_again(mode == ARKA_WAL_FSYNC ? os->fsync : os->fdatasync, fd) == 0)
        return ARKA_OK;
    return arka_fail_sys(err, ARKA_IO, errno, "syncing %s", name);
}

/* Moves past n bytes that were written; the parts that are left. */
static struct iovec *advance(struct iovec *part, size_t n)
{
    for (; n > 0 && n >= part->iov_len; part++)
        n -= part->iov_len;
    if (n > 0) {
        part->iov_base = (char *)part->iov_base + n;
        part->iov_len -= n;
    }
    return part;
}

arka_status arka_wal__write(const arka_os *os, int fd, const char *name, struct iovec *parts,
                            size_t n_parts, int64_t at, arka_error *err)
{
    struct iovec *end = parts + n_parts;
    while (parts < end) {
        size_t n = (size_t)(end - parts);
        ssize_t wrote = os->pwritev(fd, parts, n > IOV_MAX ? IOV_MAX : (int)n, at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote == 0)
            errno = EIO; /* it took nothing and does not say why */
        if (wrote <= 0)
            return arka_fail_sys(err, ARKA_IO, errno, "writing %s at byte %" PRId64, name, at);
        at += wrote;
        parts = advance(parts, (size_t)wrote);
    }
    return ARKA_OK;
}

static arka_status cut_fd(const arka_os *os, int fd, const char *name, int64_t bytes, bool end_mark,
                          arka_error *err)
{
    static const char mark[8] = {'\xff', '\xff', '\xff', '\xff'};
    struct iovec part = {(void *)(uintptr_t)mark, sizeof mark};
    if (os->ftruncate(fd, bytes) != 0)
        return arka_fail_sys(err, ARKA_IO, errno, "cutting %s to %" PRId64 " bytes", name, bytes);
    if (end_mark)
        ARKA_TRY(arka_wal__write(os, fd, name, &part, 1, bytes, err));
    return arka_wal__sync_fd(os, ARKA_WAL_FSYNC, fd, name, err);
}

arka_status arka_wal__cut(const arka_os *os, const char *dir, const char *name, int64_t bytes,
                          bool end_mark, arka_error *err)
{
    char *path;
    ARKA_TRY(arka_wal__path(dir, name, &path, err));
    int fd = open_again(os, path, O_WRONLY);
    arka_status status = fd < 0 ? arka_fail_sys(err, ARKA_IO, errno, "opening %s", path)
                                : cut_fd(os, fd, name, bytes, end_mark, err);
    if (fd >= 0)
        ARKA_IGNORE(os->close(fd)); /* it is synced, or an error is being reported */
    arka_free(path);
    return status;
}

arka_status arka_wal__unlink(const arka_os *os, const char *dir, const char *name, arka_error *err)
{
    char *path;
    ARKA_TRY(arka_wal__path(dir, name, &path, err));
    arka_status status = ARKA_OK;
    if (os->unlink(path) != 0 && errno != ENOENT)
        status = arka_fail_sys(err, ARKA_IO, errno, "removing %s", path);
    arka_free(path);
    return status;
}
