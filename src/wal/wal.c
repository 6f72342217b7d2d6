/* The directory: taken, listed, given back. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "wal/wal_priv.h"

#define LOCK "wal.lock"

void arka_wal_options_default(arka_wal_options *options)
{
    *options = (arka_wal_options){
        .sync_mode = ARKA_WAL_FDATASYNC,
        .codec = ARKA_IPC_PLAIN,
        .segment_bytes = INT64_C(128) << 20,
        .segment_age_ms = 3600 * 1000,
    };
}

void arka_wal__event(arka_wal *wal, int level, const char *name, const char *format, ...)
{
    char text[512];
    va_list args;
    if (wal->options.on_event == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wal->options.on_event(wal->options.context, level, name, text);
}

/* ---- the list of segments ---- */

/* Files of ours, and those that file systems make. */
static bool is_known(const char *name)
{
    static const char *const names[] = {".", "..", LOCK, ARKA_WAL__QUARANTINE, "lost+found"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return arka_wal__is_unfinished(name);
}

static arka_status list_one(const char *in, const char *name, arka_wal__segments *out,
                            arka_error *err)
{
    uint64_t base;
    char *path;
    struct stat st;
    if (is_known(name))
        return ARKA_OK;
    if (!arka_wal__name_parse(name, &base) || base == 0)
        return arka_fail(err, ARKA_INPUT,
                         "%s/%s is no segment of a log, and nothing else may be in its directory",
                         in, name);
    ARKA_TRY(arka_wal__path(in, name, &path, err));
    arka_status status = ARKA_OK;
    if (lstat(path, &st) != 0)
        status = arka_fail_sys(err, ARKA_IO, errno, "looking at %s", path);
    else if (!S_ISREG(st.st_mode))
        status = arka_fail(err, ARKA_INPUT, "%s is no regular file", path);
    else if (!arka_vec_push(
                 out, (arka_wal__segment){.base = base, .last_lsn = base - 1, .bytes = st.st_size}))
        status = arka_fail_nomem(err, "a list of segments", sizeof(arka_wal__segment));
    arka_free(path);
    return status;
}

static int by_base(const void *a, const void *b)
{
    const arka_wal__segment *x = a, *y = b;
    return x->base < y->base ? -1 : x->base > y->base;
}

arka_status arka_wal__list_dir(const char *in, arka_wal__segments *out, arka_error *err)
{
    DIR *dir = opendir(in);
    if (dir == NULL)
        return arka_fail_sys(err, ARKA_IO, errno, "reading directory %s", in);
    arka_status status = ARKA_OK;
    struct dirent *e;
    while (status == ARKA_OK && (errno = 0, e = readdir(dir)) != NULL)
        status = list_one(in, e->d_name, out, err);
    if (status == ARKA_OK && errno != 0)
        status = arka_fail_sys(err, ARKA_IO, errno, "reading directory %s", in);
    closedir(dir);
    if (out->n > 0)
        qsort(out->items, out->n, sizeof *out->items, by_base);
    return status;
}

arka_status arka_wal__list(arka_wal *wal, arka_error *err)
{
    arka_wal__segments list = {0};
    arka_status status = arka_wal__list_dir(wal->dir, &list, err);
    arka_mutex_lock(&wal->lock);
    wal->segments.n = 0;
    if (status == ARKA_OK && !arka_vec_reserve(&wal->segments, list.n))
        status = arka_fail_nomem(err, "a list of segments", list.n * sizeof *list.items);
    for (size_t i = 0; status == ARKA_OK && i < list.n; i++)
        wal->segments.items[wal->segments.n++] = list.items[i];
    arka_mutex_unlock(&wal->lock);
    arka_vec_fini(&list);
    return status;
}

/* ---- open and close ---- */

static void wal_free(arka_wal *wal)
{
    if (wal == NULL)
        return;
    arka_wal__forget_pending(wal, 0, wal->pending.n);
    arka_vec_fini(&wal->pending);
    arka_vec_fini(&wal->pending_more);
    arka_wal__group_fini(&wal->group);
    arka_vec_fini(&wal->parts);
    arka_vec_fini(&wal->segments);
    arka_mutex_fini(&wal->lock);
    arka_latency_fini(&wal->sync_latency);
    if (wal->lock_fd >= 0)
        close(wal->lock_fd);
    arka_free(wal->dir);
    arka_free(wal);
}

static arka_status take_dir(arka_wal *wal, arka_error *err)
{
    char *path;
    arka_status status = arka_dir_make(wal->os, wal->dir, err);
    if (status != ARKA_OK)
        return status;
    ARKA_TRY(arka_wal__path(wal->dir, LOCK, &path, err));
    status = arka_file_lock(path, &wal->lock_fd, err);
    arka_free(path);
    if (status != ARKA_OK)
        return status;
    ARKA_TRY(arka_wal__remove_unfinished(wal->os, wal->dir, err));
    return arka_wal__list(wal, err);
}

arka_status arka_wal_open(const arka_wal_options *options, arka_wal **out, arka_error *err)
{
    arka_wal *wal = arka_calloc(1, sizeof *wal);
    if (wal == NULL)
        return arka_fail_nomem(err, "a log", sizeof *wal);
    wal->options = *options;
    wal->os = options->os == NULL ? &arka_os_real : options->os;
    wal->fd = wal->lock_fd = -1;
    arka_mutex_init(&wal->lock, ARKA_LOCK_WAL);
    wal->dir = arka_strdup(options->dir);
    arka_status status = wal->dir == NULL ? arka_fail_nomem(err, "a path", strlen(options->dir))
                                          : take_dir(wal, err);
    if (status == ARKA_OK)
        status = arka_latency_init(&wal->sync_latency, 1, err);
    if (status != ARKA_OK) {
        wal_free(wal);
        return status;
    }
    wal->options.dir = wal->dir;
    *out = wal;
    return ARKA_OK;
}

arka_status arka_wal_begin(arka_wal *wal, uint64_t next_lsn, uint64_t epoch, arka_error *err)
{
    if (!wal->recovered || wal->began || next_lsn <= wal->max_seen)
        return arka_fail(err, ARKA_INTERNAL,
                         "the log is to begin with LSN %" PRIu64 ", expected one above %" PRIu64
                         " after recovery",
                         next_lsn, wal->max_seen);
    wal->next_lsn = next_lsn;
    wal->heading.epoch = epoch;
    wal->began = true;
    return ARKA_OK;
}

/* The segment that is appended to ends; one without a byte goes. */
static arka_status end_active(arka_wal *wal, arka_error *err)
{
    bool broken = arka_wal_is_broken(wal);
    if (wal->fd >= 0 && !broken && wal->file_bytes > 0)
        return arka_wal__end_segment(wal, err);
    arka_wal__abandon(wal);
    return broken && wal->pending.n > 0 ? arka_wal__fail_broken(wal, err) : ARKA_OK;
}

arka_status arka_wal_close(arka_wal *take_wal, arka_error *err)
{
    if (take_wal == NULL)
        return ARKA_OK;
    arka_status status = end_active(take_wal, err);
    if (take_wal->fd >= 0)
        arka_wal__close_file(take_wal);
    wal_free(take_wal);
    return status;
}
