/**
 * A disk that forgets: an arka_os that keeps account of what was synced, so that a copy of a
 * directory can be made as a power failure would leave it: names whose directory was not synced are
 * gone with all below them, files whose bytes were not synced are cut. Stands before kit_os.
 */
#ifndef TESTS_KIT_POWER_H
#define TESTS_KIT_POWER_H

#include "kit/copy_tree.h"
#include "kit/faulty_os.h"

enum { POWER_ENTRIES = 4096, POWER_FDS = 1024, POWER_PATH = 512 };

/* What was made since power_begin; everything older is on the disk. */
typedef struct power_entry {
    char path[POWER_PATH];
    bool named, whole; /* durable name, durable bytes */
} power_entry;

static power_entry power_entries[POWER_ENTRIES];
static int power_n;
static char power_fds[POWER_FDS][POWER_PATH];

static inline void power_begin(void)
{
    power_n = 0;
    memset(power_fds, 0, sizeof power_fds);
}

static inline power_entry *power_find(const char *path)
{
    for (int i = 0; i < power_n; i++)
        if (strcmp(power_entries[i].path, path) == 0)
            return &power_entries[i];
    return NULL;
}

static inline void power_add(const char *path, bool whole)
{
    power_entry *e = power_find(path);
    if (e == NULL) {
        assert_true(power_n < POWER_ENTRIES);
        e = &power_entries[power_n++];
    }
    snprintf(e->path, sizeof e->path, "%s", path);
    e->named = false;
    e->whole = whole;
}

static inline void power_forget(const char *path)
{
    power_entry *e = power_find(path);
    if (e != NULL)
        *e = power_entries[--power_n];
}

static int power_open(const char *path, int flags, mode_t mode)
{
    int fd = kit_os_open(path, flags, mode);
    if (fd >= 0) {
        assert_true(fd < POWER_FDS);
        snprintf(power_fds[fd], POWER_PATH, "%s", path);
        if (flags & O_CREAT)
            power_add(path, false);
    }
    return fd;
}

static int power_close(int fd)
{
    power_fds[fd][0] = 0;
    return kit_os_close(fd);
}

static ssize_t power_pwritev(int fd, const struct iovec *parts, int n_parts, off_t at)
{
    power_entry *e = power_find(power_fds[fd]);
    if (e != NULL)
        e->whole = false;
    return kit_os_pwritev(fd, parts, n_parts, at);
}

static int power_fdatasync(int fd)
{
    int result = kit_os_fdatasync(fd);
    power_entry *e = power_find(power_fds[fd]);
    if (result == 0 && e != NULL)
        e->whole = true;
    return result;
}

static int power_fsync(int fd)
{
    int result = kit_os_fsync(fd);
    size_t n = strlen(power_fds[fd]);
    for (int i = 0; result == 0 && i < power_n; i++) {
        const char *path = power_entries[i].path, *slash = strrchr(path, '/');
        if ((size_t)(slash - path) == n && memcmp(path, power_fds[fd], n) == 0)
            power_entries[i].named = true;
    }
    return result;
}

static int power_syncfs(int fd)
{
    int result = kit_os_syncfs(fd);
    for (int i = 0; result == 0 && i < power_n; i++)
        power_entries[i].named = power_entries[i].whole = true;
    return result;
}

static int power_rename(const char *from, const char *to)
{
    int result = kit_os_rename(from, to);
    power_entry *e = power_find(from);
    if (result == 0 && e != NULL) {
        snprintf(e->path, sizeof e->path, "%s", to);
        e->named = false;
    }
    return result;
}

static int power_unlink(const char *path)
{
    int result = kit_os_unlink(path);
    if (result == 0)
        power_forget(path);
    return result;
}

static int power_mkdir(const char *path, mode_t mode)
{
    int result = kit_os_mkdir(path, mode);
    if (result == 0)
        power_add(path, true);
    return result;
}

static int power_rmdir(const char *path)
{
    int result = kit_os_rmdir(path);
    if (result == 0)
        power_forget(path);
    return result;
}

static const arka_os power_os = {
    .open = power_open,
    .close = power_close,
    .pwritev = power_pwritev,
    .pread = pread,
    .fdatasync = power_fdatasync,
    .fsync = power_fsync,
    .ftruncate = ftruncate,
    .rename = power_rename,
    .unlink = power_unlink,
    .mkdir = power_mkdir,
    .rmdir = power_rmdir,
    .syncfs = power_syncfs,
};

/** `from` as a power failure now would leave it. */
static inline void power_copy(const char *from, const char *to)
{
    kit_copy_tree(from, to);
    size_t n = strlen(from);
    for (int i = 0; i < power_n; i++) {
        const power_entry *e = &power_entries[i];
        char path[POWER_PATH * 2];
        struct stat st;
        assert_memory_equal(e->path, from, n);
        snprintf(path, sizeof path, "%s%s", to, e->path + n);
        if (!e->named)
            nftw(path, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
        else if (!e->whole && stat(path, &st) == 0)
            assert_int_equal(truncate(path, st.st_size / 2), 0);
    }
}

#endif
