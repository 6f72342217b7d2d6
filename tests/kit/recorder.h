/**
 * A recorder of all that is done to the files of one directory, through arka_os and through SQLite,
 * in the order in which it was done, with what each sync made durable. From it kit/states.h makes
 * the disks that a power failure may leave. Stands before kit_os and kit_vfs, so that calls can
 * fail as well: what then became of the file is looked up. Syncs cost nothing; while one is under
 * way others go on, and what they do is not covered by it.
 *
 * Names and bytes are durable apart from each other: a sync of a file does not cover its name, one
 * of a directory only the names in it. What a failed sync should have covered is never covered.
 *
 *     rec_begin(dir);              what is there is on the disk
 *     … with rec_os and a manifest opened after kit_vfs_install …
 *     long now = rec_mark(id);     any instant of one's own
 *     rec_end();                   recording stops; rec_tape stays until rec_free
 */
#ifndef TESTS_KIT_RECORDER_H
#define TESTS_KIT_RECORDER_H

#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>

#include "kit/faulty_os.h"
#include "kit/faulty_vfs.h"
#include "kit/kit.h"

typedef enum rec_kind {
    REC_CREATE, /* a name for a new file */
    REC_RENAME,
    REC_UNLINK,
    REC_MKDIR,
    REC_RMDIR,
    REC_WRITE,
    REC_TRUNCATE,
    REC_SYNC,     /* a file's bytes */
    REC_SYNC_DIR, /* the names in a directory */
    REC_SYNC_ALL,
    REC_MARK,
} rec_kind;

enum { REC_FDS = 4096, REC_PATH = 512 };

typedef struct rec_op {
    rec_kind kind;
    int node;        /* of CREATE, WRITE, TRUNCATE, SYNC */
    char *path, *to; /* below the root; SYNC_DIR: the directory */
    int64_t at;      /* WRITE: where; TRUNCATE: the length */
    size_t n;        /* WRITE: how much */
    uint8_t *bytes;
    long durable; /* the index of the sync that covered it; LONG_MAX: none has */
    bool lost;    /* a sync that should have covered it failed */
    long id;      /* MARK */
} rec_op;

typedef struct rec_node {
    uint8_t *bytes; /* as they were when recording began */
    int64_t n;
} rec_node;

typedef struct rec_name {
    char *path;
    int node; /* -1: a directory */
} rec_name;

typedef struct rec_tape {
    char root[REC_PATH];
    rec_op *ops;
    long n_ops, cap_ops;
    rec_node *nodes;
    int n_nodes, cap_nodes;
    rec_name *first; /* the names when recording began */
    int n_first;
    rec_name *names; /* now */
    int n_names, cap_names;
} rec_tape;

static rec_tape *rec_on; /* NULL: nothing is recorded */
static pthread_mutex_t rec_lock = PTHREAD_MUTEX_INITIALIZER;
/* What is open: a file, whatever it is called by now (-1: none), or a directory below the root. */
static int rec_files[REC_FDS];
static char rec_dirs[REC_FDS][REC_PATH];
static bool rec_lies;         /* syncs of files' bytes do nothing: to see that a test notices */
static atomic_uint rec_hurry; /* counts syncs, so that some are slow */

/* ---- the tape ---- */

static inline void *rec_need(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

/* Below the root, or NULL. */
static inline const char *rec_below(const char *path)
{
    size_t n = rec_on != NULL ? strlen(rec_on->root) : 0;
    if (rec_on == NULL || strncmp(path, rec_on->root, n) != 0)
        return NULL;
    return path[n] == 0 ? "" : path[n] == '/' ? path + n + 1 : NULL;
}

static inline long rec_add(rec_tape *t, rec_op op)
{
    if (t->n_ops == t->cap_ops) {
        t->cap_ops = t->cap_ops * 2 + 256;
        t->ops = rec_need(realloc(t->ops, (size_t)t->cap_ops * sizeof *t->ops));
    }
    op.durable = LONG_MAX;
    t->ops[t->n_ops] = op;
    return t->n_ops++;
}

static inline int rec_add_node(rec_tape *t, const uint8_t *bytes, int64_t n)
{
    if (t->n_nodes == t->cap_nodes) {
        t->cap_nodes = t->cap_nodes * 2 + 64;
        t->nodes = rec_need(realloc(t->nodes, (size_t)t->cap_nodes * sizeof *t->nodes));
    }
    rec_node node = {rec_need(malloc((size_t)n + 1)), n};
    if (n > 0)
        memcpy(node.bytes, bytes, (size_t)n);
    t->nodes[t->n_nodes] = node;
    return t->n_nodes++;
}

static inline rec_name *rec_find(rec_tape *t, const char *path)
{
    for (int i = 0; i < t->n_names; i++)
        if (strcmp(t->names[i].path, path) == 0)
            return &t->names[i];
    return NULL;
}

static inline void rec_forget(rec_tape *t, const char *path)
{
    rec_name *name = rec_find(t, path);
    if (name != NULL) {
        free(name->path);
        *name = t->names[--t->n_names];
    }
}

static inline void rec_set(rec_tape *t, const char *path, int node)
{
    rec_forget(t, path);
    if (t->n_names == t->cap_names) {
        t->cap_names = t->cap_names * 2 + 64;
        t->names = rec_need(realloc(t->names, (size_t)t->cap_names * sizeof *t->names));
    }
    t->names[t->n_names++] = (rec_name){rec_need(strdup(path)), node};
}

/* The directory that a path lies in, "" for the root. */
static inline size_t rec_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path);
}

static inline bool rec_is_name(rec_kind kind)
{
    return kind <= REC_RMDIR;
}

/* Does that sync cover this operation? */
static inline bool rec_covers(const rec_op *sync, const rec_op *op)
{
    if (sync->kind == REC_SYNC_ALL)
        return op->kind <= REC_TRUNCATE;
    if (sync->kind == REC_SYNC)
        return (op->kind == REC_WRITE || op->kind == REC_TRUNCATE) && op->node == sync->node;
    const char *path = op->kind == REC_RENAME ? op->to : op->path;
    return rec_is_name(op->kind) && rec_parent(path) == strlen(sync->path) &&
           memcmp(path, sync->path, strlen(sync->path)) == 0;
}

/* A sync that began when there were `begun` operations is over. */
static inline void rec_sync(rec_tape *t, rec_op sync, bool failed, long begun)
{
    long at = failed ? t->n_ops : rec_add(t, sync);
    for (long i = 0; i < begun && i < t->n_ops; i++) {
        rec_op *op = &t->ops[i];
        if (op->durable != LONG_MAX || op->lost || !rec_covers(&sync, op))
            continue;
        if (rec_lies && !rec_is_name(op->kind))
            continue;
        if (failed) /* names stay in the journal; syncfs does not say whose bytes: their own sync
                       does */
            op->lost = sync.kind == REC_SYNC;
        else
            op->durable = at;
    }
    if (failed)
        free(sync.path);
}

/* The file of that name; -1: none. */
static inline int rec_node_of(rec_tape *t, const char *path)
{
    rec_name *name = path != NULL ? rec_find(t, path) : NULL;
    return name != NULL ? name->node : -1;
}

static inline void rec_wrote(rec_tape *t, int node, const void *bytes, size_t n, int64_t at)
{
    if (node < 0 || n == 0)
        return;
    uint8_t *copy = rec_need(malloc(n));
    memcpy(copy, bytes, n);
    rec_add(t, (rec_op){.kind = REC_WRITE, .node = node, .at = at, .n = n, .bytes = copy});
}

static inline void rec_truncated(rec_tape *t, int node, int64_t n)
{
    if (node >= 0)
        rec_add(t, (rec_op){.kind = REC_TRUNCATE, .node = node, .at = n});
}

static inline void rec_created(rec_tape *t, const char *path)
{
    int node = rec_add_node(t, NULL, 0);
    rec_set(t, path, node);
    rec_add(t, (rec_op){.kind = REC_CREATE, .node = node, .path = rec_need(strdup(path))});
}

static inline void rec_removed(rec_tape *t, rec_kind kind, const char *path)
{
    rec_forget(t, path);
    rec_add(t, (rec_op){.kind = kind, .path = rec_need(strdup(path))});
}

/* ---- arka_os ---- */

static int rec_open(const char *path, int flags, mode_t mode)
{
    pthread_mutex_lock(&rec_lock);
    const char *name = rec_below(path);
    bool was = access(path, F_OK) == 0;
    int fd = kit_os_open(path, flags, mode);
    int e = errno;
    if (name != NULL && !was && access(path, F_OK) == 0)
        rec_created(rec_on, name);
    else if (name != NULL && fd >= 0 && (flags & O_TRUNC))
        rec_truncated(rec_on, rec_node_of(rec_on, name), 0);
    if (fd >= REC_FDS)
        abort();
    if (fd >= 0) {
        rec_files[fd] = rec_on != NULL ? rec_node_of(rec_on, name) : -1;
        snprintf(rec_dirs[fd], REC_PATH, "%s", name != NULL && rec_files[fd] < 0 ? name : "\1");
    }
    pthread_mutex_unlock(&rec_lock);
    errno = e;
    return fd;
}

static int rec_close(int fd)
{
    pthread_mutex_lock(&rec_lock);
    if (fd >= 0 && fd < REC_FDS) {
        rec_files[fd] = -1;
        strcpy(rec_dirs[fd], "\1");
    }
    int result = kit_os_close(fd), e = errno;
    pthread_mutex_unlock(&rec_lock);
    errno = e;
    return result;
}

/* What stands in the file where a write that failed may have written. */
static inline void rec_look(int fd, const struct iovec *parts, int n_parts, off_t at)
{
    size_t n = 0;
    for (int i = 0; i < n_parts; i++)
        n += parts[i].iov_len;
    uint8_t *bytes = rec_need(malloc(n + 1));
    char link[64]; /* fd may be for writing only */
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int again = open(link, O_RDONLY | O_CLOEXEC);
    ssize_t got = again >= 0 ? pread(again, bytes, n, at) : -1;
    if (again >= 0)
        close(again);
    if (got > 0)
        rec_wrote(rec_on, rec_files[fd], bytes, (size_t)got, at);
    free(bytes);
}

static ssize_t rec_pwritev(int fd, const struct iovec *parts, int n_parts, off_t at)
{
    pthread_mutex_lock(&rec_lock);
    ssize_t wrote = kit_os_pwritev(fd, parts, n_parts, at);
    int e = errno;
    if (rec_on != NULL && wrote < 0)
        rec_look(fd, parts, n_parts, at);
    size_t left = wrote > 0 ? (size_t)wrote : 0;
    uint8_t *all = rec_need(malloc(left + 1));
    size_t n = 0;
    for (int i = 0; i < n_parts && n < left; i++) {
        size_t part = parts[i].iov_len < left - n ? parts[i].iov_len : left - n;
        memcpy(all + n, parts[i].iov_base, part);
        n += part;
    }
    if (rec_on != NULL)
        rec_wrote(rec_on, rec_files[fd], all, n, at);
    free(all);
    pthread_mutex_unlock(&rec_lock);
    errno = e;
    return wrote;
}

static int rec_ftruncate(int fd, off_t n)
{
    pthread_mutex_lock(&rec_lock);
    int result = kit_os_ftruncate(fd, n), e = errno;
    struct stat st;
    if (rec_on != NULL && fstat(fd, &st) == 0 && st.st_size == n)
        rec_truncated(rec_on, rec_files[fd], n);
    pthread_mutex_unlock(&rec_lock);
    errno = e;
    return result;
}

static inline long rec_sync_begins(void)
{
    pthread_mutex_lock(&rec_lock);
    long begun = rec_on != NULL ? rec_on->n_ops : 0;
    pthread_mutex_unlock(&rec_lock);
    if (atomic_fetch_add(&rec_hurry, 1) % 3 == 0) /* others may get in between */
        for (int i = 0; i < 8; i++)
            sched_yield();
    return begun;
}

static inline int rec_sync_fd(int fd, int (*sync)(int fd), bool all)
{
    long begun = rec_sync_begins();
    int result = sync(fd), e = errno;
    pthread_mutex_lock(&rec_lock);
    if (rec_on != NULL && (all || rec_files[fd] >= 0 || rec_dirs[fd][0] != 1)) {
        rec_op op = {.kind = REC_SYNC_ALL};
        if (!all && rec_files[fd] >= 0)
            op = (rec_op){.kind = REC_SYNC, .node = rec_files[fd]};
        else if (!all)
            op = (rec_op){.kind = REC_SYNC_DIR, .path = rec_need(strdup(rec_dirs[fd]))};
        if (result == 0 || e != EINTR) /* which says nothing */
            rec_sync(rec_on, op, result != 0, begun);
        else
            free(op.path);
    }
    pthread_mutex_unlock(&rec_lock);
    errno = e;
    return result;
}

static int rec_fdatasync(int fd)
{
    return rec_sync_fd(fd, kit_os_fdatasync, false);
}

static int rec_fsync(int fd)
{
    return rec_sync_fd(fd, kit_os_fsync, false);
}

static int rec_syncfs(int fd)
{
    return rec_sync_fd(fd, kit_os_syncfs, true);
}

static int rec_rename(const char *from, const char *to)
{
    pthread_mutex_lock(&rec_lock);
    const char *from_name = rec_below(from), *to_name = rec_below(to);
    int result = kit_os_rename(from, to), e = errno;
    rec_name *name = from_name != NULL ? rec_find(rec_on, from_name) : NULL;
    if (name != NULL && to_name != NULL && access(from, F_OK) != 0) {
        if (name->node < 0)
            abort(); /* nobody here renames directories */
        rec_set(rec_on, to_name, name->node);
        rec_forget(rec_on, from_name);
        rec_add(rec_on, (rec_op){.kind = REC_RENAME,
                                 .path = rec_need(strdup(from_name)),
                                 .to = rec_need(strdup(to_name))});
    }
    pthread_mutex_unlock(&rec_lock);
    errno = e;
    return result;
}

static inline int rec_remove(const char *path, int (*remove_it)(const char *path), rec_kind kind)
{
    pthread_mutex_lock(&rec_lock);
    const char *name = rec_below(path);
    int result = remove_it(path), e = errno;
    if (name != NULL && rec_find(rec_on, name) != NULL && access(path, F_OK) != 0)
        rec_removed(rec_on, kind, name);
    pthread_mutex_unlock(&rec_lock);
    errno = e;
    return result;
}

static int rec_unlink(const char *path)
{
    return rec_remove(path, kit_os_unlink, REC_UNLINK);
}

static int rec_rmdir(const char *path)
{
    return rec_remove(path, kit_os_rmdir, REC_RMDIR);
}

static int rec_mkdir(const char *path, mode_t mode)
{
    pthread_mutex_lock(&rec_lock);
    const char *name = rec_below(path);
    int result = kit_os_mkdir(path, mode), e = errno;
    if (name != NULL && *name && rec_find(rec_on, name) == NULL && access(path, F_OK) == 0) {
        rec_set(rec_on, name, -1);
        rec_add(rec_on, (rec_op){.kind = REC_MKDIR, .path = rec_need(strdup(name))});
    }
    pthread_mutex_unlock(&rec_lock);
    errno = e;
    return result;
}

static const arka_os rec_os = {
    .open = rec_open,
    .close = rec_close,
    .pwritev = rec_pwritev,
    .pread = kit_os_pread,
    .fdatasync = rec_fdatasync,
    .fsync = rec_fsync,
    .ftruncate = rec_ftruncate,
    .rename = rec_rename,
    .unlink = rec_unlink,
    .mkdir = rec_mkdir,
    .rmdir = rec_rmdir,
    .syncfs = rec_syncfs,
};

/* ---- SQLite. Its -shm file is memory, which power loss takes with it. ---- */

static inline const char *rec_below_vfs(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, "-shm") == 0 ? NULL : rec_below(path);
}

static void rec_vfs_opened(const char *path, bool made_now)
{
    pthread_mutex_lock(&rec_lock);
    const char *name = rec_below_vfs(path);
    if (name != NULL && (made_now || rec_find(rec_on, name) == NULL))
        rec_created(rec_on, name);
    pthread_mutex_unlock(&rec_lock);
}

static void rec_vfs_wrote(const char *path, const void *bytes, int n, sqlite3_int64 at)
{
    pthread_mutex_lock(&rec_lock);
    const char *name = rec_below_vfs(path);
    if (name != NULL)
        rec_wrote(rec_on, rec_node_of(rec_on, name), bytes, (size_t)n, at);
    pthread_mutex_unlock(&rec_lock);
}

static void rec_vfs_truncated(const char *path, sqlite3_int64 n)
{
    pthread_mutex_lock(&rec_lock);
    const char *name = rec_below_vfs(path);
    if (name != NULL)
        rec_truncated(rec_on, rec_node_of(rec_on, name), n);
    pthread_mutex_unlock(&rec_lock);
}

static inline void rec_vfs_sync_parent(const char *name, long begun)
{
    rec_sync(rec_on,
             (rec_op){.kind = REC_SYNC_DIR, .path = rec_need(strndup(name, rec_parent(name)))},
             false, begun);
}

static void rec_vfs_sync_ends(const char *path, bool names, bool failed, long begun)
{
    pthread_mutex_lock(&rec_lock);
    const char *name = rec_below_vfs(path);
    rec_name *found = name != NULL ? rec_find(rec_on, name) : NULL;
    if (found != NULL)
        rec_sync(rec_on, (rec_op){.kind = REC_SYNC, .node = found->node}, failed, begun);
    if (found != NULL && names && !failed)
        rec_vfs_sync_parent(name, begun);
    pthread_mutex_unlock(&rec_lock);
}

static void rec_vfs_removed(const char *path, bool synced)
{
    pthread_mutex_lock(&rec_lock);
    const char *name = rec_below_vfs(path);
    if (name != NULL && rec_find(rec_on, name) != NULL) {
        rec_removed(rec_on, REC_UNLINK, name);
        if (synced)
            rec_vfs_sync_parent(name, rec_on->n_ops);
    }
    pthread_mutex_unlock(&rec_lock);
}

static const kit_vfs_listener rec_vfs = {
    .opened = rec_vfs_opened,
    .wrote = rec_vfs_wrote,
    .truncated = rec_vfs_truncated,
    .sync_begins = rec_sync_begins,
    .sync_ends = rec_vfs_sync_ends,
    .removed = rec_vfs_removed,
};

/* ---- the whole ---- */

static int rec_load_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)ftw;
    const char *name = rec_below_vfs(path);
    if (name == NULL || *name == 0)
        return 0;
    if (kind == FTW_D) {
        rec_set(rec_on, name, -1);
        return 0;
    }
    uint8_t *bytes = rec_need(malloc((size_t)st->st_size + 1));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, bytes, (size_t)st->st_size) != st->st_size)
        abort();
    close(fd);
    rec_set(rec_on, name, rec_add_node(rec_on, bytes, st->st_size));
    free(bytes);
    return 0;
}

/** Everything in `root`, which exists, is on the disk; from now on it is recorded. */
static inline rec_tape *rec_begin(const char *root)
{
    rec_tape *t = rec_need(calloc(1, sizeof *t));
    snprintf(t->root, sizeof t->root, "%s", root);
    kit_vfs_install();
    rec_on = t;
    nftw(root, rec_load_one, 16, FTW_PHYS);
    t->first = rec_need(calloc((size_t)t->n_names + 1, sizeof *t->first));
    for (int i = 0; i < t->n_names; i++)
        t->first[i] = (rec_name){rec_need(strdup(t->names[i].path)), t->names[i].node};
    t->n_first = t->n_names;
    kit_vfs_listens = &rec_vfs;
    return t;
}

/** An instant of the test's own; its index on the tape. Any thread. */
static inline long rec_mark(long id)
{
    pthread_mutex_lock(&rec_lock);
    long at = rec_on != NULL ? rec_add(rec_on, (rec_op){.kind = REC_MARK, .id = id}) : 0;
    pthread_mutex_unlock(&rec_lock);
    return at;
}

/** No more is recorded; the files that are still open may be used on. */
static inline void rec_end(void)
{
    pthread_mutex_lock(&rec_lock);
    rec_on = NULL; /* SQLite may be in the middle of a call: who listens stays */
    pthread_mutex_unlock(&rec_lock);
}

/** What happened to files whose names begin with `prefix`, below an instant, and when it was safe.
 */
static inline void rec_print(const rec_tape *t, const char *prefix, long instant)
{
    static const char *const KINDS[] = {"create", "rename", "unlink",  "mkdir",   "rmdir", "write",
                                        "cut",    "sync",   "syncdir", "syncall", "mark"};
    const char *names[4096] = {0};
    for (int i = 0; i < t->n_first; i++)
        if (t->first[i].node >= 0 && t->first[i].node < 4096)
            names[t->first[i].node] = t->first[i].path;
    for (long i = 0; i < t->n_ops && i < instant; i++) {
        const rec_op *op = &t->ops[i];
        if (op->kind == REC_CREATE && op->node < 4096)
            names[op->node] = op->path;
        const char *name = op->path != NULL           ? op->path
                           : op->kind == REC_MARK     ? NULL
                           : op->kind == REC_SYNC_ALL ? prefix
                                                      : names[op->node];
        if (name != NULL && strncmp(name, prefix, strlen(prefix)) == 0)
            print_message("%ld %s %s %lld+%zu%s%s safe at %ld\n", i, KINDS[op->kind], name,
                          (long long)op->at, op->n, op->to ? " to " : "", op->to ? op->to : "",
                          op->durable == LONG_MAX ? -1 : op->durable);
    }
}

static inline void rec_free(rec_tape *t)
{
    for (long i = 0; i < t->n_ops; i++) {
        free(t->ops[i].path);
        free(t->ops[i].to);
        free(t->ops[i].bytes);
    }
    for (int i = 0; i < t->n_nodes; i++)
        free(t->nodes[i].bytes);
    for (int i = 0; i < t->n_first; i++)
        free(t->first[i].path);
    for (int i = 0; i < t->n_names; i++)
        free(t->names[i].path);
    free(t->ops);
    free(t->nodes);
    free(t->first);
    free(t->names);
    free(t);
}

#endif
