/**
 * The guard of the disks: a reserve of free space on every file system that is written to, so that
 * writes are refused while what was accepted still finds room, and a ballast file, which is given
 * up when a write of ours has met a full disk all the same. Private to engine/.
 *
 *     arka_disk_init, arka_disk_watch for each directory, arka_disk_check now and then
 */
#ifndef ARKA_ENGINE_DISK_H
#define ARKA_ENGINE_DISK_H

#include <stdatomic.h>

#include "os/file.h"

enum { ARKA_DISK_PLACES = 3 };

typedef struct arka_disk_place {
    char *path;
    const char *what; /* "data files", "log" …: for those who need no paths */
    atomic_bool low;  /* below the reserve, and not above it by a quarter yet */
    atomic_int_fast64_t n_free, n_reserve; /* bytes, when it was looked at */
} arka_disk_place;

typedef struct arka_disk {
    const arka_os *os;
    int64_t reserve_bytes; /* see arka_engine_options.disk_reserve_bytes */
    int64_t ballast_bytes;
    char *ballast_path; /* NULL: there is none */
    arka_disk_place places[ARKA_DISK_PLACES];
    int n_places;
    atomic_bool has_ballast;
} arka_disk;

/** `ballast_path`: copied; what stands there from before is taken over. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_disk_init(arka_disk *disk, const arka_os *os, int64_t reserve_bytes,
                                         const char *ballast_path, int64_t ballast_bytes,
                                         arka_error *err);
/** One that was never made (all zero) is fine. The ballast stays. */
void arka_disk_fini(arka_disk *disk);
/**
 * A directory on a file system that matters; copied. One that is given twice is watched once.
 * `what` lies there: a literal.
 */
ARKA_MUST_USE arka_status arka_disk_watch(arka_disk *disk, const char *dir, const char *what,
                                          arka_error *err);

/**
 * Look how much is free. True when that changed whether it is enough. A directory that cannot be
 * looked at stays as it was. Any thread.
 */
bool arka_disk_check(arka_disk *disk);
/**
 * Is one of them low? Then `out` has a sentence why; *where, which may be NULL, its path. Any
 * thread.
 */
bool arka_disk_is_low(const arka_disk *disk, char *out, size_t cap, const char **where);
/** Is it an error for want of space? */
bool arka_disk_is_full(const arka_error *why);
/** Give the ballast up; true when there was one. Any thread. */
bool arka_disk_drop_ballast(arka_disk *disk);
/**
 * Make it, unless it is there or no file system could spare it. ARKA_IO: the disk did not take it.
 * One thread at a time.
 */
ARKA_MUST_USE arka_status arka_disk_make_ballast(arka_disk *disk, arka_error *err);

#endif
