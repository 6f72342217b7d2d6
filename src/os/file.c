#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/buf.h"

static int real_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags | O_CLOEXEC, mode);
}

const arka_os arka_os_real = {
    .open = real_open,
    .close = close,
    .pwritev = pwritev,
    .pread = pread,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .ftruncate = ftruncate,
    .rename = rename,
    .unlink = unlink,
    .mkdir = mkdir,
    .rmdir = rmdir,
    .syncfs = syncfs,
    .statvfs = statvfs,
};

struct arka_file {
    const arka_os *os;
    int fd;
    int64_t len;
    char path[];
};

static arka_status fail_io(arka_error *err, const char *what, const char *path)
{
    int e = errno;
    arka_status code = e == ENOENT ? ARKA_NOTFOUND : e == EEXIST ? ARKA_EXISTS : ARKA_IO;
    return arka_fail_sys(err, code, e, "%s %s", what, path);
}

static int open_again(const arka_os *os, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = os->open(path, flags, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static bool sync_again(int (*sync)(int fd), int fd)
{
    int failed;
    do
        failed = sync(fd);
    while (failed && errno == EINTR);
    return !failed;
}

arka_status arka_file_create(const arka_os *os, const char *path, arka_file **out, arka_error *err)
{
    size_t n = strlen(path);
    arka_file *file = arka_malloc(sizeof *file + n + 1);
    if (file == NULL)
        return arka_fail_nomem(err, "a file", sizeof *file + n);
    *file = (arka_file){.os = os, .fd = open_again(os, path, O_WRONLY | O_CREAT | O_EXCL, 0644)};
    memcpy(file->path, path, n + 1);
    if (file->fd < 0) {
        arka_status status = fail_io(err, "creating", path);
        arka_free(file);
        return status;
    }
    *out = file;
    return ARKA_OK;
}

arka_status arka_file_append(arka_file *file, const void *bytes, size_t n, arka_error *err)
{
    const char *at = bytes;
    while (n > 0) {
        struct iovec part = {(void *)(uintptr_t)at, n};
        ssize_t wrote = file->os->pwritev(file->fd, &part, 1, file->len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote == 0)
            errno = EIO; /* it took nothing and does not say why */
        if (wrote <= 0)
            return fail_io(err, "writing", file->path);
        at += wrote;
        n -= (size_t)wrote;
        file->len += wrote;
    }
    return ARKA_OK;
}

int64_t arka_file_len(const arka_file *file)
{
    return file->len;
}

arka_status arka_file_sync(arka_file *file, arka_error *err)
{
    return sync_again(file->os->fdatasync, file->fd) ? ARKA_OK
                                                     : fail_io(err, "syncing", file->path);
}

arka_status arka_file_close(arka_file *take_file, arka_error *err)
{
    arka_status status = ARKA_OK;
    /* Linux lets the descriptor go whatever it says; EINTR says nothing about the bytes. */
    if (take_file->os->close(take_file->fd) != 0 && errno != EINTR)
        status = fail_io(err, "closing", take_file->path);
    arka_free(take_file);
    return status;
}

void arka_file_discard(arka_file *take_file)
{
    if (take_file == NULL)
        return;
    ARKA_IGNORE(take_file->os->close(take_file->fd)); /* an error is being reported already */
    ARKA_IGNORE(
        take_file->os->unlink(take_file->path)); /* what stays is set aside at the next start */
    arka_free(take_file);
}

static arka_status sync_dir_of(const arka_os *os, const char *path, arka_error *err)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    char *dir = arka_strndup(slash == NULL ? "." : path, n);
    if (dir == NULL)
        return arka_fail_nomem(err, "a path", n);
    arka_status status = ARKA_OK;
    int fd = open_again(os, dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 || !sync_again(os->fsync, fd))
        status = fail_io(err, "syncing directory", dir);
    if (fd >= 0)
        ARKA_IGNORE(os->close(fd)); /* read-only */
    arka_free(dir);
    return status;
}

arka_status arka_file_publish(const arka_os *os, const char *from, const char *to, arka_error *err)
{
    ARKA_TRY(arka_file_rename(os, from, to, err));
    return sync_dir_of(os, to, err);
}

arka_status arka_file_remove(const arka_os *os, const char *path, arka_error *err)
{
    return os->unlink(path) == 0 ? ARKA_OK : fail_io(err, "removing", path);
}

/* A directory that was just made. A later call finds it and takes it for synced, so it must be. */
static arka_status sync_new_dir(const arka_os *os, const char *path, arka_error *err)
{
    arka_status status = sync_dir_of(os, path, err);
    if (status != ARKA_OK)
        ARKA_IGNORE(os->rmdir(path)); /* an error is being reported already */
    return status;
}

static arka_status check_dir(const char *path, arka_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return ARKA_OK;
    errno = ENOTDIR;
    return fail_io(err, "making directory", path);
}

/* One level, whose parent is there (else errno is ENOENT and the status ARKA_NOTFOUND). */
static arka_status make_one(const arka_os *os, const char *path, bool sync, arka_error *err)
{
    if (os->mkdir(path, 0755) == 0)
        return sync ? sync_new_dir(os, path, err) : ARKA_OK;
    return errno == EEXIST ? check_dir(path, err) : fail_io(err, "making directory", path);
}

static arka_status make_dir(const arka_os *os, const char *path, bool sync, arka_error *err);

/* The directory that `path` lies in; nothing where its text names none. */
static arka_status make_parent(const arka_os *os, const char *path, bool sync, arka_error *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return ARKA_OK;
    char *parent = arka_strndup(path, (size_t)(slash - path));
    if (parent == NULL)
        return arka_fail_nomem(err, "a path", strlen(path));
    arka_status status = make_dir(os, parent, sync, err);
    arka_free(parent);
    return status;
}

static arka_status make_dir(const arka_os *os, const char *path, bool sync, arka_error *err)
{
    arka_error first = {0};
    arka_status status = make_one(os, path, sync, &first);
    if (status == ARKA_NOTFOUND) {
        ARKA_TRY(make_parent(os, path, sync, err));
        return make_one(os, path, sync, err);
    }
    if (status != ARKA_OK && err != NULL && err->code == ARKA_OK)
        *err = first;
    return status;
}

arka_status arka_dir_make(const arka_os *os, const char *path, arka_error *err)
{
    return make_dir(os, path, true, err);
}

arka_status arka_dir_make_parent(const arka_os *os, const char *path, arka_error *err)
{
    return make_parent(os, path, true, err);
}

arka_status arka_dir_make_unsynced(const arka_os *os, const char *path, arka_error *err)
{
    return make_dir(os, path, false, err);
}

arka_status arka_file_rename(const arka_os *os, const char *from, const char *to, arka_error *err)
{
    return os->rename(from, to) == 0 ? ARKA_OK : fail_io(err, "renaming to", to);
}

arka_status arka_fs_open(const arka_os *os, const char *path, int *out_fd, arka_error *err)
{
    int fd = open_again(os, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fail_io(err, "opening", path);
    *out_fd = fd;
    return ARKA_OK;
}

arka_status arka_fs_sync(const arka_os *os, int fd, arka_error *err)
{
    return sync_again(os->syncfs, fd) ? ARKA_OK : fail_io(err, "syncing", "the file system");
}

void arka_fs_close(const arka_os *os, int fd)
{
    if (fd >= 0)
        ARKA_IGNORE(os->close(fd)); /* nothing was written through it */
}

typedef struct walk {
    arka_status (*each)(void *context, const char *relative, int64_t n_bytes, arka_error *err);
    void *context;
    size_t base_len;
} walk;

static arka_status walk_dir(const walk *w, arka_buf *path, arka_error *err);

static arka_status walk_entry(const walk *w, arka_buf *path, const char *name, arka_error *err)
{
    size_t before = path->len;
    arka_buf_printf(path, "/%s", name);
    const char *whole = arka_buf_cstr(path);
    if (whole == NULL)
        return arka_fail_nomem(err, "a path", before);
    struct stat st;
    arka_status status = ARKA_OK;
    if (lstat(whole, &st) != 0)
        status = errno == ENOENT ? ARKA_OK : fail_io(err, "looking at", whole);
    else if (S_ISDIR(st.st_mode))
        status = walk_dir(w, path, err);
    else if (S_ISREG(st.st_mode))
        status = w->each(w->context, whole + w->base_len + 1, st.st_size, err);
    path->len = before;
    return status;
}

static arka_status walk_dir(const walk *w, arka_buf *path, arka_error *err)
{
    DIR *dir = opendir(path->data);
    if (dir == NULL)
        return errno == ENOENT ? ARKA_OK : fail_io(err, "reading directory", path->data);
    arka_status status = ARKA_OK;
    struct dirent *e;
    while (status == ARKA_OK && (errno = 0, e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            status = walk_entry(w, path, e->d_name, err);
    if (status == ARKA_OK && errno != 0)
        status = fail_io(err, "reading directory", path->data);
    closedir(dir);
    return status;
}

arka_status arka_dir_walk(const char *path,
                          arka_status (*each)(void *context, const char *relative, int64_t n_bytes,
                                              arka_error *err),
                          void *context, arka_error *err)
{
    arka_buf whole = ARKA_BUF_INIT;
    arka_buf_text(&whole, path);
    walk w = {each, context, whole.len};
    arka_status status = arka_buf_cstr(&whole) == NULL ? arka_fail_nomem(err, "a path", whole.len)
                                                       : walk_dir(&w, &whole, err);
    arka_buf_fini(&whole);
    return status;
}

static arka_status read_all(int fd, const char *path, size_t max_bytes, arka_buf *into,
                            arka_error *err)
{
    for (;;) {
        char *to = arka_buf_reserve(into, 4096);
        if (to == NULL)
            return arka_fail_nomem(err, path, into->len);
        ssize_t n = read(fd, to, 4095);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_io(err, "reading", path);
        if (n == 0)
            return ARKA_OK;
        into->len += (size_t)n;
        if (into->len > max_bytes)
            return arka_fail(err, ARKA_LIMIT, "%s is larger than %zu bytes", path, max_bytes);
    }
}

arka_status arka_file_read(const char *path, size_t max_bytes, char **out, size_t *out_len,
                           arka_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_io(err, "opening", path);
    arka_buf all = ARKA_BUF_INIT;
    arka_status status = read_all(fd, path, max_bytes, &all, err);
    close(fd);
    if (status == ARKA_OK && arka_buf_cstr(&all) == NULL)
        status = arka_fail_nomem(err, path, all.len);
    if (status != ARKA_OK) {
        arka_buf_fini(&all);
        return status;
    }
    *out = all.data;
    *out_len = all.len;
    return ARKA_OK;
}

arka_status arka_file_lock(const char *path, int *out_fd, arka_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return fail_io(err, "opening lock", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char owner[24] = "";
        ssize_t n = pread(fd, owner, sizeof owner - 1, 0);
        owner[n > 0 ? (size_t)n : 0] = 0;
        owner[strcspn(owner, "\n")] = 0;
        close(fd);
        return arka_fail(err, ARKA_CONFLICT, "another process%s%s uses this data (lock %s)",
                         owner[0] ? ", pid " : "", owner, path);
    }
    char own[24];
    int n = snprintf(own, sizeof own, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, own, (size_t)n, 0) != n) {
        arka_status status = fail_io(err, "writing lock", path);
        close(fd);
        return status;
    }
    *out_fd = fd;
    return ARKA_OK;
}

void arka_random_bytes(void *into, size_t n)
{
    char *at = into;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        } else {
            ARKA_CHECK(errno == EINTR, "getrandom fails: errno %d", errno);
        }
    }
}
