#include "engine/disk.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    /* Files that a file system must be able to make, where it counts them. */
    MIN_FILES = 1024,
    CHUNK = 1 << 20, /* of the ballast */
};
static const int64_t MOST_RESERVE = INT64_C(1) << 30;

arka_status arka_disk_init(arka_disk *disk, const arka_os *os, int64_t reserve_bytes,
                           const char *ballast_path, int64_t ballast_bytes, arka_error *err)
{
    struct stat st;
    *disk = (arka_disk){.os = os, .reserve_bytes = reserve_bytes, .ballast_bytes = ballast_bytes};
    if (ballast_bytes <= 0)
        return ARKA_OK;
    disk->ballast_path = arka_strdup(ballast_path);
    if (disk->ballast_path == NULL)
        return arka_fail_nomem(err, "a path", strlen(ballast_path));
    if (stat(ballast_path, &st) != 0)
        return ARKA_OK;
    if (st.st_size == ballast_bytes)
        atomic_store(&disk->has_ballast, true);
    else /* of another size, or the process died while it was made */
        ARKA_IGNORE(arka_file_remove(os, ballast_path, NULL));
    return ARKA_OK;
}

void arka_disk_fini(arka_disk *disk)
{
    for (int i = 0; i < disk->n_places; i++)
        arka_free(disk->places[i].path);
    arka_free(disk->ballast_path);
    disk->n_places = 0;
    disk->ballast_path = NULL;
}

arka_status arka_disk_watch(arka_disk *disk, const char *dir, const char *what, arka_error *err)
{
    for (int i = 0; i < disk->n_places; i++)
        if (strcmp(disk->places[i].path, dir) == 0)
            return ARKA_OK;
    ARKA_CHECK(disk->n_places < ARKA_DISK_PLACES);
    char *path = arka_strdup(dir);
    if (path == NULL)
        return arka_fail_nomem(err, "a path", strlen(dir));
    disk->places[disk->n_places].what = what;
    disk->places[disk->n_places++].path = path;
    return ARKA_OK;
}

/* ---- how much is free ---- */

static int64_t bytes_of(uint64_t blocks, uint64_t block_bytes)
{
    return block_bytes > 0 && blocks > (uint64_t)INT64_MAX / block_bytes
               ? INT64_MAX
               : (int64_t)(blocks * block_bytes);
}

static bool look(const arka_disk *disk, arka_disk_place *place)
{
    int (*ask)(const char *, struct statvfs *) = disk->os->statvfs ? disk->os->statvfs : statvfs;
    struct statvfs st;
    if (ask(place->path, &st) != 0)
        return false;
    bool was_low = atomic_load(&place->low);
    int64_t total = bytes_of(st.f_blocks, st.f_frsize);
    int64_t n_free = bytes_of(st.f_bavail, st.f_frsize);
    int64_t reserve = disk->reserve_bytes;
    if (reserve < 0)
        reserve = total / 20 < MOST_RESERVE ? total / 20 : MOST_RESERVE;
    bool low = n_free < (was_low ? reserve + reserve / 4 : reserve);
    if (disk->reserve_bytes != 0 && st.f_files > 0 && st.f_favail < MIN_FILES)
        low = true;
    atomic_store(&place->n_free, n_free);
    atomic_store(&place->n_reserve, reserve);
    return atomic_exchange(&place->low, low) != low;
}

bool arka_disk_check(arka_disk *disk)
{
    bool changed = false;
    for (int i = 0; i < disk->n_places; i++)
        changed |= look(disk, &disk->places[i]);
    return changed;
}

bool arka_disk_is_low(const arka_disk *disk, char *out, size_t cap, const char **where)
{
    for (int i = 0; i < disk->n_places; i++) {
        const arka_disk_place *p = &disk->places[i];
        if (!atomic_load(&p->low))
            continue;
        int64_t n_free = atomic_load(&p->n_free), reserve = atomic_load(&p->n_reserve);
        if (n_free < reserve + reserve / 4)
            snprintf(out, cap,
                     "the disk of the %s is nearly full: %lld MiB are free, writes need %lld MiB",
                     p->what, (long long)n_free >> 20, (long long)(reserve + reserve / 4) >> 20);
        else
            snprintf(out, cap, "the disk of the %s can hardly take another file", p->what);
        if (where != NULL)
            *where = p->path;
        return true;
    }
    return false;
}

bool arka_disk_is_full(const arka_error *why)
{
    return why->sys == ENOSPC || why->sys == EDQUOT;
}

/* ---- ballast ---- */

bool arka_disk_drop_ballast(arka_disk *disk)
{
    if (!atomic_exchange(&disk->has_ballast, false))
        return false;
    ARKA_IGNORE(arka_file_remove(disk->os, disk->ballast_path, NULL)); /* then it is as it was */
    return true;
}

/* Would every file system still have its reserve, and a quarter more? */
static bool can_spare(const arka_disk *disk)
{
    for (int i = 0; i < disk->n_places; i++) {
        const arka_disk_place *p = &disk->places[i];
        int64_t reserve = atomic_load(&p->n_reserve);
        if (atomic_load(&p->low) ||
            atomic_load(&p->n_free) - disk->ballast_bytes < reserve + reserve / 4)
            return false;
    }
    return true;
}

/* Bytes that no file system makes smaller. */
static void fill(char *chunk, uint64_t seed)
{
    uint64_t x = seed | 1;
    for (size_t i = 0; i + sizeof x <= CHUNK; i += sizeof x) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(chunk + i, &x, sizeof x);
    }
}

static arka_status write_ballast(const arka_disk *disk, char *chunk, arka_error *err)
{
    ARKA_AUTO(arka_file) file = NULL;
    ARKA_TRY(arka_file_create(disk->os, disk->ballast_path, &file, err));
    for (int64_t at = 0; at < disk->ballast_bytes; at += CHUNK) {
        int64_t n = disk->ballast_bytes - at < CHUNK ? disk->ballast_bytes - at : CHUNK;
        fill(chunk, (uint64_t)at + 0x9e3779b97f4a7c15u);
        ARKA_TRY(arka_file_append(file, chunk, (size_t)n, err));
    }
    ARKA_TRY(arka_file_sync(file, err));
    return arka_file_close(arka_take(file), err);
}

arka_status arka_disk_make_ballast(arka_disk *disk, arka_error *err)
{
    if (disk->ballast_path == NULL || atomic_load(&disk->has_ballast) || !can_spare(disk))
        return ARKA_OK;
    char *chunk = arka_malloc(CHUNK);
    if (chunk == NULL)
        return arka_fail_nomem(err, "the ballast", CHUNK);
    arka_status status = write_ballast(disk, chunk, err);
    arka_free(chunk);
    if (status == ARKA_OK)
        atomic_store(&disk->has_ballast, true);
    else /* the first failure is reported */
        ARKA_IGNORE(arka_file_remove(disk->os, disk->ballast_path, NULL));
    return status;
}
