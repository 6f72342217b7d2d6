/* Segments that nobody needs any more, and what there is of them. */
#include <sys/stat.h>

#include "os/failpoint.h"
#include "wal/wal_priv.h"

/* The oldest segment if all of it is below the pin and it is not appended to. */
static bool oldest_below(arka_wal *wal, uint64_t pin_lsn, uint64_t *base)
{
    bool found = false;
    arka_mutex_lock(&wal->lock);
    size_t last = wal->segments.n;
    if (last > 0 && wal->active)
        last--;
    if (last > 0 && wal->segments.items[0].last_lsn < pin_lsn) {
        *base = wal->segments.items[0].base;
        found = true;
    }
    arka_mutex_unlock(&wal->lock);
    return found;
}

/* The directory is synced each time: names may be lost in any order, and the log has no holes. */
static arka_status remove_oldest(arka_wal *wal, uint64_t base, arka_error *err)
{
    char name[ARKA_WAL__NAME];
    arka_wal__name(base, name);
    ARKA_TRY(arka_wal__unlink(wal->os, wal->dir, name, err));
    ARKA_FAILPOINT("wal_trim_unlinked");
    arka_mutex_lock(&wal->lock);
    wal->segments.n--;
    memmove(wal->segments.items, wal->segments.items + 1,
            wal->segments.n * sizeof *wal->segments.items);
    wal->stats.removed++;
    arka_mutex_unlock(&wal->lock);
    return arka_wal__sync_dir(wal->os, wal->dir, err);
}

static bool begin_trim(arka_wal *wal, bool begin)
{
    arka_mutex_lock(&wal->lock);
    bool was = wal->trimming;
    wal->trimming = begin;
    arka_mutex_unlock(&wal->lock);
    return !was;
}

arka_status arka_wal_trim(arka_wal *wal, uint64_t pin_lsn, int64_t *out_removed, arka_error *err)
{
    uint64_t base;
    arka_status status = ARKA_OK;
    *out_removed = 0;
    if (!begin_trim(wal, true))
        return ARKA_OK; /* another thread is at it */
    while (status == ARKA_OK && oldest_below(wal, pin_lsn, &base)) {
        status = remove_oldest(wal, base, err);
        *out_removed += status == ARKA_OK;
    }
    begin_trim(wal, false);
    return status;
}

uint64_t arka_wal_durable_lsn(const arka_wal *wal)
{
    return atomic_load(&wal->durable);
}

uint64_t arka_wal_appended_lsn(const arka_wal *wal)
{
    return atomic_load(&wal->appended);
}

void arka_wal_get_sync_latency(const arka_wal *wal, arka_latency_view *out)
{
    arka_latency_read(&wal->sync_latency, out);
}

void arka_wal_get_stats(arka_wal *wal, arka_wal_stats *out)
{
    arka_mutex_lock(&wal->lock);
    *out = wal->stats;
    out->n_segments = (int64_t)wal->segments.n;
    out->n_bytes = 0;
    for (size_t i = 0; i < wal->segments.n; i++)
        out->n_bytes += wal->segments.items[i].bytes;
    if (wal->segments.n > 0) {
        out->oldest_lsn = wal->segments.items[0].base;
        out->oldest_last_lsn = wal->segments.items[0].last_lsn;
    }
    if (wal->active) {
        const arka_wal__segment *active = &arka_vec_last(&wal->segments);
        out->active_bytes = active->bytes;
        out->active_age_ms = arka_mono_since_ns(wal->begun) / 1000000;
        arka_wal__name(active->base, out->active);
    }
    arka_mutex_unlock(&wal->lock);
    out->durable_lsn = arka_wal_durable_lsn(wal);
    out->appended_lsn = arka_wal_appended_lsn(wal);
}

static int64_t modified_us(const arka_wal *wal, const char *name)
{
    char *path;
    struct stat st;
    int64_t us = 0;
    if (arka_wal__path(wal->dir, name, &path, NULL) != ARKA_OK)
        return 0;
    if (stat(path, &st) == 0)
        us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
    arka_free(path);
    return us;
}

arka_status arka_wal_each_segment(arka_wal *wal,
                                  arka_status (*each)(void *context, const arka_wal_segment_info *s,
                                                      arka_error *err),
                                  void *context, arka_error *err)
{
    ARKA_VEC(arka_wal__segment) copy = {0};
    arka_mutex_lock(&wal->lock);
    bool active = wal->active, room = arka_vec_reserve(&copy, wal->segments.n);
    for (size_t i = 0; room && i < wal->segments.n; i++)
        copy.items[copy.n++] = wal->segments.items[i];
    arka_mutex_unlock(&wal->lock);
    arka_status status = room ? ARKA_OK : arka_fail_nomem(err, "a list of segments", 0);
    for (size_t i = 0; status == ARKA_OK && i < copy.n; i++) {
        char name[ARKA_WAL__NAME];
        arka_wal__name(copy.items[i].base, name);
        arka_wal_segment_info info = {
            .name = name,
            .n_bytes = copy.items[i].bytes,
            .modified_us = modified_us(wal, name),
            .base_lsn = copy.items[i].base,
            .last_lsn = copy.items[i].last_lsn,
            .active = active && i + 1 == copy.n,
        };
        status = each(context, &info, err);
    }
    arka_vec_fini(&copy);
    return status;
}
