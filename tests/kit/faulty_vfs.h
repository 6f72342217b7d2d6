/**
 * A disk that fails under SQLite: the default VFS, where the n-th write or sync goes wrong. For
 * tests that open manifests after kit_vfs_install. Any thread may run into it.
 */
#ifndef TESTS_KIT_FAULTY_VFS_H
#define TESTS_KIT_FAULTY_VFS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum kit_vfs_call { KIT_VFS_WRITE = 1, KIT_VFS_SYNC = 2, KIT_VFS_READ = 4 } kit_vfs_call;

static atomic_long kit_vfs_left; /* 0: nothing fails */
static atomic_int kit_vfs_calls;
static atomic_bool kit_vfs_for_good, kit_vfs_hit;
typedef void (*kit_vfs_looker)(void);
static _Atomic(kit_vfs_looker) kit_vfs_look; /* NULL: the call fails instead */

/** The n-th of these calls (kit_vfs_call, added up) from now on fails, and all after it if
 * for_good.
 */
static inline void kit_vfs_fail(long n, int calls, bool for_good)
{
    atomic_store(&kit_vfs_left, 0);
    atomic_store(&kit_vfs_look, NULL);
    atomic_store(&kit_vfs_calls, calls);
    atomic_store(&kit_vfs_for_good, for_good);
    if (n > 0)
        atomic_store(&kit_vfs_hit, false);
    atomic_store(&kit_vfs_left, n);
}

/** Has the last script with an n come to its failure? */
static inline bool kit_vfs_failed(void)
{
    return atomic_load(&kit_vfs_hit);
}

/** `look` is called before the n-th of these calls, which then goes well. */
static inline void kit_vfs_look_at(long n, int calls, kit_vfs_looker look)
{
    kit_vfs_fail(0, calls, false);
    atomic_store(&kit_vfs_look, look);
    atomic_store(&kit_vfs_hit, false);
    atomic_store(&kit_vfs_left, n);
}

static inline bool kit_vfs_strikes(kit_vfs_call call)
{
    long left = atomic_load(&kit_vfs_left);
    do
        if (left == 0 || (atomic_load(&kit_vfs_calls) & (int)call) == 0)
            return false;
    while (!atomic_compare_exchange_weak(
        &kit_vfs_left, &left, left == 1 && atomic_load(&kit_vfs_for_good) ? 1 : left - 1));
    if (left != 1)
        return false;
    atomic_store(&kit_vfs_hit, true);
    kit_vfs_looker look = atomic_exchange(&kit_vfs_look, NULL);
    if (look != NULL)
        look();
    return look == NULL;
}

/** Who wants to know what is done to files (kit/recorder.h); called after it was done. */
typedef struct kit_vfs_listener {
    void (*opened)(const char *path, bool made_now);
    void (*wrote)(const char *path, const void *bytes, int n, sqlite3_int64 at);
    void (*truncated)(const char *path, sqlite3_int64 n);
    /* `begin` before it, its result to `end` after it; `names`: the directory was synced too */
    long (*sync_begins)(void);
    void (*sync_ends)(const char *path, bool names, bool failed, long begun);
    void (*removed)(const char *path, bool synced);
} kit_vfs_listener;

static const kit_vfs_listener *kit_vfs_listens; /* NULL: nobody */

/* The real file stands behind ours in the memory that SQLite gives. */
typedef struct kit_vfs_file {
    sqlite3_file base;
    const char *path; /* NULL: a temporary file */
    bool sync_names;  /* SQLite syncs the directory with the first sync of a new journal */
} kit_vfs_file;

static const char *kit_vfs_path(sqlite3_file *file)
{
    return kit_vfs_listens != NULL ? ((kit_vfs_file *)file)->path : NULL;
}

static sqlite3_file *kit_vfs_real(sqlite3_file *file)
{
    return (sqlite3_file *)((kit_vfs_file *)file + 1);
}

static int kit_vfs_close(sqlite3_file *f)
{
    return kit_vfs_real(f)->pMethods->xClose(kit_vfs_real(f));
}

static int kit_vfs_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    if (kit_vfs_strikes(KIT_VFS_READ))
        return SQLITE_IOERR_READ;
    return kit_vfs_real(f)->pMethods->xRead(kit_vfs_real(f), to, n, at);
}

static int kit_vfs_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (kit_vfs_strikes(KIT_VFS_WRITE))
        return SQLITE_FULL;
    int rc = kit_vfs_real(f)->pMethods->xWrite(kit_vfs_real(f), from, n, at);
    if (rc == SQLITE_OK && kit_vfs_path(f) != NULL)
        kit_vfs_listens->wrote(kit_vfs_path(f), from, n, at);
    return rc;
}

static int kit_vfs_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    int rc = kit_vfs_real(f)->pMethods->xTruncate(kit_vfs_real(f), n);
    if (rc == SQLITE_OK && kit_vfs_path(f) != NULL)
        kit_vfs_listens->truncated(kit_vfs_path(f), n);
    return rc;
}

/* Does nothing, but can fail: what was written stands in the file all the same. */
static int kit_vfs_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    const char *path = kit_vfs_path(f);
    long begun = path != NULL ? kit_vfs_listens->sync_begins() : 0;
    bool failed = kit_vfs_strikes(KIT_VFS_SYNC);
    if (path != NULL)
        kit_vfs_listens->sync_ends(path, ((kit_vfs_file *)f)->sync_names, failed, begun);
    ((kit_vfs_file *)f)->sync_names &= failed;
    return failed ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int kit_vfs_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return kit_vfs_real(f)->pMethods->xFileSize(kit_vfs_real(f), n);
}

static int kit_vfs_lock(sqlite3_file *f, int kind)
{
    return kit_vfs_real(f)->pMethods->xLock(kit_vfs_real(f), kind);
}

static int kit_vfs_unlock(sqlite3_file *f, int kind)
{
    return kit_vfs_real(f)->pMethods->xUnlock(kit_vfs_real(f), kind);
}

static int kit_vfs_check_lock(sqlite3_file *f, int *out)
{
    return kit_vfs_real(f)->pMethods->xCheckReservedLock(kit_vfs_real(f), out);
}

static int kit_vfs_control(sqlite3_file *f, int op, void *argument)
{
    return kit_vfs_real(f)->pMethods->xFileControl(kit_vfs_real(f), op, argument);
}

static int kit_vfs_sector(sqlite3_file *f)
{
    return kit_vfs_real(f)->pMethods->xSectorSize(kit_vfs_real(f));
}

static int kit_vfs_traits(sqlite3_file *f)
{
    return kit_vfs_real(f)->pMethods->xDeviceCharacteristics(kit_vfs_real(f));
}

static int kit_vfs_shm_map(sqlite3_file *f, int page, int n, int extend, void volatile **out)
{
    return kit_vfs_real(f)->pMethods->xShmMap(kit_vfs_real(f), page, n, extend, out);
}

static int kit_vfs_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return kit_vfs_real(f)->pMethods->xShmLock(kit_vfs_real(f), at, n, flags);
}

static void kit_vfs_shm_barrier(sqlite3_file *f)
{
    kit_vfs_real(f)->pMethods->xShmBarrier(kit_vfs_real(f));
}

static int kit_vfs_shm_unmap(sqlite3_file *f, int remove)
{
    return kit_vfs_real(f)->pMethods->xShmUnmap(kit_vfs_real(f), remove);
}

static const sqlite3_io_methods kit_vfs_methods = {
    .iVersion = 2,
    .xClose = kit_vfs_close,
    .xRead = kit_vfs_read,
    .xWrite = kit_vfs_write,
    .xTruncate = kit_vfs_truncate,
    .xSync = kit_vfs_sync,
    .xFileSize = kit_vfs_size,
    .xLock = kit_vfs_lock,
    .xUnlock = kit_vfs_unlock,
    .xCheckReservedLock = kit_vfs_check_lock,
    .xFileControl = kit_vfs_control,
    .xSectorSize = kit_vfs_sector,
    .xDeviceCharacteristics = kit_vfs_traits,
    .xShmMap = kit_vfs_shm_map,
    .xShmLock = kit_vfs_shm_lock,
    .xShmBarrier = kit_vfs_shm_barrier,
    .xShmUnmap = kit_vfs_shm_unmap,
};

static sqlite3_vfs *kit_vfs_default;

static int kit_vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    enum { JOURNALS = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL };
    bool is_new = name != NULL && access(name, F_OK) != 0;
    int rc = kit_vfs_default->xOpen(kit_vfs_default, name, kit_vfs_real(f), flags, out);
    f->pMethods = rc == SQLITE_OK ? &kit_vfs_methods : NULL;
    ((kit_vfs_file *)f)->path = name;
    ((kit_vfs_file *)f)->sync_names = is_new && (flags & JOURNALS) != 0;
    if (rc == SQLITE_OK && kit_vfs_path(f) != NULL)
        kit_vfs_listens->opened(name, is_new);
    return rc;
}

static int kit_vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    int rc = kit_vfs_default->xDelete(kit_vfs_default, name, sync);
    if (rc == SQLITE_OK && kit_vfs_listens != NULL)
        kit_vfs_listens->removed(name, sync != 0);
    return rc;
}

/** Every manifest that is opened from now on has the faulty disk. */
static inline void kit_vfs_install(void)
{
    static sqlite3_vfs vfs;
    if (kit_vfs_default != NULL)
        return;
    kit_vfs_default = sqlite3_vfs_find(NULL);
    vfs = *kit_vfs_default;
    vfs.zName = "faulty";
    vfs.szOsFile = (int)sizeof(kit_vfs_file) + kit_vfs_default->szOsFile;
    vfs.xOpen = kit_vfs_open;
    vfs.xDelete = kit_vfs_delete;
    vfs.pNext = NULL;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
}

#endif
