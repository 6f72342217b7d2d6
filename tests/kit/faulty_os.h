/**
 * A disk that fails: arka_os with one call, or all from it on, going wrong. One script at a time;
 * any thread may run into it. Syncs can fail, but do nothing: no test here takes the power away.
 *
 *     kit_os_fail((kit_os_fault){.n = 3, .error = EIO});     the third call from now on
 *     run(&kit_os);
 *     if (!kit_os_failed()) …                                 there were fewer
 */
#ifndef TESTS_KIT_FAULTY_OS_H
#define TESTS_KIT_FAULTY_OS_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "os/file.h"

typedef enum kit_os_call {
    KIT_OPEN = 1,
    KIT_CLOSE = 2,
    KIT_PWRITEV = 4,
    KIT_FDATASYNC = 8,
    KIT_FSYNC = 16,
    KIT_RENAME = 32,
    KIT_UNLINK = 64,
    KIT_MKDIR = 128,
    KIT_RMDIR = 256,
    KIT_SYNCFS = 512,
    KIT_FTRUNCATE = 1024,
    KIT_PREAD = 2048, /* not among "all": most readers only look on */
} kit_os_call;

typedef struct kit_os_fault {
    long n;        /* the n-th call that counts fails; 0: none does */
    int calls;     /* kit_os_call: which count; 0: all */
    int error;     /* errno; 0: reads and writes are cut short, the others work */
    bool for_good; /* and all after it */
    bool done;     /* the call does its work, and says that it failed */
    void (*at)(
        void); /* is called before the n-th, which then goes well: a place to look at things */
} kit_os_fault;

/* Of the last fault; a thread may still be in a call while the next is set. */
static struct {
    atomic_int calls, error;
    atomic_bool for_good, done;
    void (*_Atomic at)(void);
} kit_os_script;
static atomic_long kit_os_left;
static atomic_bool kit_os_hit;

static inline void kit_os_fail(kit_os_fault fault)
{
    atomic_store(&kit_os_left, 0);
    kit_os_script.calls = fault.calls;
    kit_os_script.error = fault.error;
    kit_os_script.for_good = fault.for_good;
    kit_os_script.done = fault.done;
    kit_os_script.at = fault.at;
    if (fault.n > 0)
        atomic_store(&kit_os_hit, false);
    atomic_store(&kit_os_left, fault.n);
}

/** From now on all goes well; also while other threads are inside. */
static inline void kit_os_heal(void)
{
    atomic_store(&kit_os_left, 0);
}

/** Has the last script with an n come to its failure? */
static inline bool kit_os_failed(void)
{
    return atomic_load(&kit_os_hit);
}

static inline bool kit_os_strikes(kit_os_call call)
{
    long left = atomic_load(&kit_os_left);
    do
        if (left == 0 ||
            ((kit_os_script.calls != 0 ? kit_os_script.calls : ~(int)KIT_PREAD) & (int)call) == 0)
            return false;
    while (!atomic_compare_exchange_weak(&kit_os_left, &left,
                                         left == 1 && kit_os_script.for_good ? 1 : left - 1));
    if (left != 1)
        return false;
    atomic_store(&kit_os_hit, true);
    void (*at)(void) = kit_os_script.at;
    if (at != NULL)
        at();
    return at == NULL;
}

/* What the call answers when it is struck; `work` is done first if the script says so. */
#define KIT_OS_RESULT(call, work)                                                                  \
    do {                                                                                           \
        if (!kit_os_strikes(call) || kit_os_script.error == 0)                                     \
            return (work);                                                                         \
        if (kit_os_script.done)                                                                    \
            (void)!(work);                                                                         \
        errno = kit_os_script.error;                                                               \
        return -1;                                                                                 \
    } while (0)

static int kit_os_open(const char *path, int flags, mode_t mode)
{
    if (kit_os_strikes(KIT_OPEN) && kit_os_script.error != 0) {
        if (kit_os_script.done && (flags & O_CREAT)) {
            int fd = open(path, flags | O_CLOEXEC, mode);
            if (fd >= 0)
                close(fd);
        }
        errno = kit_os_script.error;
        return -1;
    }
    return open(path, flags | O_CLOEXEC, mode);
}

static int kit_os_close(int fd)
{
    int result = close(fd); /* Linux closes it whatever it says */
    if (kit_os_strikes(KIT_CLOSE) && kit_os_script.error != 0) {
        errno = kit_os_script.error;
        return -1;
    }
    return result;
}

static ssize_t kit_os_pwritev(int fd, const struct iovec *parts, int n_parts, off_t at)
{
    if (!kit_os_strikes(KIT_PWRITEV))
        return pwritev(fd, parts, n_parts, at);
    if (kit_os_script.error == 0 || kit_os_script.done) {
        size_t some = (parts[0].iov_len + 1) / 2;
        ssize_t wrote = pwrite(fd, parts[0].iov_base, some, at);
        if (kit_os_script.error == 0)
            return wrote;
    }
    errno = kit_os_script.error;
    return -1;
}

static int kit_os_no_sync(int fd)
{
    return fd >= 0 ? 0 : -1;
}

static int kit_os_fdatasync(int fd)
{
    KIT_OS_RESULT(KIT_FDATASYNC, kit_os_no_sync(fd));
}

static int kit_os_fsync(int fd)
{
    KIT_OS_RESULT(KIT_FSYNC, kit_os_no_sync(fd));
}

static int kit_os_rename(const char *from, const char *to)
{
    KIT_OS_RESULT(KIT_RENAME, rename(from, to));
}

static int kit_os_unlink(const char *path)
{
    KIT_OS_RESULT(KIT_UNLINK, unlink(path));
}

static int kit_os_mkdir(const char *path, mode_t mode)
{
    KIT_OS_RESULT(KIT_MKDIR, mkdir(path, mode));
}

static int kit_os_rmdir(const char *path)
{
    KIT_OS_RESULT(KIT_RMDIR, rmdir(path));
}

static int kit_os_syncfs(int fd)
{
    KIT_OS_RESULT(KIT_SYNCFS, kit_os_no_sync(fd));
}

static int kit_os_ftruncate(int fd, off_t len)
{
    KIT_OS_RESULT(KIT_FTRUNCATE, ftruncate(fd, len));
}

static ssize_t kit_os_pread(int fd, void *into, size_t n, off_t at)
{
    bool struck = kit_os_strikes(KIT_PREAD);
    if (struck && kit_os_script.error != 0) {
        errno = kit_os_script.error;
        return -1;
    }
    return pread(fd, into, struck ? (n + 1) / 2 : n, at);
}

static const arka_os kit_os = {
    .open = kit_os_open,
    .close = kit_os_close,
    .pwritev = kit_os_pwritev,
    .pread = kit_os_pread,
    .fdatasync = kit_os_fdatasync,
    .fsync = kit_os_fsync,
    .ftruncate = kit_os_ftruncate,
    .rename = kit_os_rename,
    .unlink = kit_os_unlink,
    .mkdir = kit_os_mkdir,
    .rmdir = kit_os_rmdir,
    .syncfs = kit_os_syncfs,
};

#endif
