/**
 * Files: the seam to the operating system. Everything that touches a disk goes through a table of
 * functions, arka_os, so that tests can make any call fail; the functions below are built on it.
 * Paths are bytes as the system has them. Errors are ARKA_IO (or NOTFOUND, EXISTS) and name the
 * path.
 */
#ifndef ARKA_OS_FILE_H
#define ARKA_OS_FILE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "base/slice.h"

typedef struct arka_os {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int n_parts, off_t at);
    ssize_t (*pread)(int fd, void *into, size_t n, off_t at);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t len);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*rmdir)(const char *path);
    int (*syncfs)(int fd);
    int (*statvfs)(const char *path, struct statvfs *out); /* NULL: the system's */
} arka_os;

/** The calls as they are. */
extern const arka_os arka_os_real;

/** A file being written from its start to its end. */
typedef struct arka_file arka_file;

/** Create (must not exist) for appending. */
ARKA_MUST_USE arka_status arka_file_create(const arka_os *os, const char *path, arka_file **out,
                                           arka_error *err);
/** All of it or an error; short writes are continued, EINTR retried. */
ARKA_MUST_USE arka_status arka_file_append(arka_file *file, const void *bytes, size_t n,
                                           arka_error *err);
int64_t arka_file_len(const arka_file *file);
ARKA_MUST_USE arka_status arka_file_sync(arka_file *file, arka_error *err);
/** Takes `file` whatever happens; closing can fail. */
ARKA_MUST_USE arka_status arka_file_close(arka_file *take_file, arka_error *err);
/** Close without a look at the result and remove: for the way out after an error. NULL is fine. */
void arka_file_discard(arka_file *take_file);
ARKA_CLEANUP(arka_file, arka_file_discard)

/**
 * rename(from, to), then sync of the directory of `to`: after this it survives power loss. After an
 * error the file may stand under either name.
 */
ARKA_MUST_USE arka_status arka_file_publish(const arka_os *os, const char *from, const char *to,
                                            arka_error *err);
ARKA_MUST_USE arka_status arka_file_remove(const arka_os *os, const char *path, arka_error *err);

/**
 * The directory and its parents, each synced into its parent when it was made here. Existing is
 * fine.
 */
ARKA_MUST_USE arka_status arka_dir_make(const arka_os *os, const char *path, arka_error *err);
/** The directory that `path` lies in, likewise. */
ARKA_MUST_USE arka_status arka_dir_make_parent(const arka_os *os, const char *path,
                                               arka_error *err);
/** The same without any sync: for many at once, before arka_fs_sync. */
ARKA_MUST_USE arka_status arka_dir_make_unsynced(const arka_os *os, const char *path,
                                                 arka_error *err);
/** rename alone: durable only after arka_fs_sync. */
ARKA_MUST_USE arka_status arka_file_rename(const arka_os *os, const char *from, const char *to,
                                           arka_error *err);
/**
 * For arka_fs_sync: the file system of directory `path`. Opened before the writing, so that it
 * hears of every failure since. *out_fd is closed by arka_fs_close.
 */
ARKA_MUST_USE arka_status arka_fs_open(const arka_os *os, const char *path, int *out_fd,
                                       arka_error *err);
/** Everything that was written to that file system, names included, is on its disk. */
ARKA_MUST_USE arka_status arka_fs_sync(const arka_os *os, int fd, arka_error *err);
/** -1 is fine. */
void arka_fs_close(const arka_os *os, int fd);
/**
 * Every regular file below `path`, depth first, by its path relative to `path`. Stops when `each`
 * fails. A missing directory has no files. Symbolic links are not followed.
 */
ARKA_MUST_USE arka_status arka_dir_walk(const char *path,
                                        arka_status (*each)(void *context, const char *relative,
                                                            int64_t n_bytes, arka_error *err),
                                        void *context, arka_error *err);
/** The whole of a (small) file; NUL behind it; free with arka_free. Over max_bytes: ARKA_LIMIT. */
ARKA_MUST_USE arka_status arka_file_read(const char *path, size_t max_bytes, char **out,
                                         size_t *out_len, arka_error *err);
/**
 * Take the lock file `path` for this process (flock); *out_fd stays open while it is held.
 * ARKA_CONFLICT, naming the owner's process id when the file has it, when another process has it.
 */
ARKA_MUST_USE arka_status arka_file_lock(const char *path, int *out_fd, arka_error *err);

/** n bytes nobody can guess (getrandom). */
void arka_random_bytes(void *into, size_t n);

#endif
