/* Groups are written behind what is there; segments are begun and ended. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "os/failpoint.h"
#include "wal/wal_priv.h"

enum { KEPT_HEADS = 4 << 20 }; /* a larger buffer is given back after its group */

/* A segment that is appended to is the last of the list; under the lock. */
static void note_segment_bytes(arka_wal *wal, uint64_t last_lsn)
{
    arka_mutex_lock(&wal->lock);
    arka_wal__segment *segment = &arka_vec_last(&wal->segments);
    segment->bytes = wal->file_bytes;
    if (last_lsn > 0)
        segment->last_lsn = last_lsn;
    arka_mutex_unlock(&wal->lock);
}

/*
 * A segment without content that may be there although it was given up. It goes before there is
 * another one: so recovery finds an empty file at the end of the log only, and the next segment is
 * not kept from its name for ever.
 */
static arka_status remove_leftover(arka_wal *wal, arka_error *err)
{
    char name[ARKA_WAL__NAME];
    if (wal->leftover == 0)
        return ARKA_OK;
    arka_wal__name(wal->leftover, name);
    ARKA_TRY(arka_wal__unlink(wal->os, wal->dir, name, err));
    ARKA_TRY(arka_wal__sync_dir(wal->os, wal->dir, err));
    wal->leftover = 0;
    return ARKA_OK;
}

/* Of a take-over: nobody sees it before it is whole. */
static arka_status create_unfinished(arka_wal *wal, const char *path, arka_error *err)
{
    do
        wal->fd = wal->os->open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    while (wal->fd < 0 && errno == EINTR);
    return wal->fd < 0 ? arka_fail_sys(err, ARKA_IO, errno, "creating %s", path) : ARKA_OK;
}

static arka_status create(arka_wal *wal, uint64_t base, const char *path, arka_error *err)
{
    ARKA_TRY(remove_leftover(wal, err));
    do
        wal->fd = wal->os->open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    while (wal->fd < 0 && errno == EINTR);
    if (wal->fd < 0) {
        int sys = errno;
        if (sys != EEXIST) /* it may have been made all the same */
            wal->leftover = base;
        return arka_fail_sys(err, ARKA_IO, sys, "creating %s", path);
    }
    ARKA_FAILPOINT("wal_rotate_created");
    arka_status status = arka_wal__sync_dir(wal->os, wal->dir, err);
    if (status != ARKA_OK) {
        ARKA_IGNORE(wal->os->close(wal->fd)); /* nothing was written */
        if (wal->os->unlink(path) != 0)
            wal->leftover = base;
        wal->fd = -1;
        return status;
    }
    ARKA_FAILPOINT("wal_rotate_synced");
    return status;
}

void arka_wal__close_file(arka_wal *wal)
{
    ARKA_IGNORE(wal->os->close(wal->fd)); /* it is synced, or nothing in it counts */
    wal->fd = -1;
    arka_mutex_lock(&wal->lock);
    wal->active = false;
    arka_mutex_unlock(&wal->lock);
}

arka_status arka_wal__begin_segment(arka_wal *wal, uint64_t base, bool unfinished, arka_error *err)
{
    char *path, name[ARKA_WAL__UNFINISHED_NAME];
    arka_wal__name(base, wal->name);
    arka_wal__unfinished_name(base, name);
    arka_mutex_lock(&wal->lock);
    bool room = arka_vec_reserve(&wal->segments, 1);
    arka_mutex_unlock(&wal->lock);
    if (!room)
        return arka_fail_nomem(err, "a segment", sizeof(arka_wal__segment));
    ARKA_TRY(arka_wal__path(wal->dir, unfinished ? name : wal->name, &path, err));
    arka_status status =
        unfinished ? create_unfinished(wal, path, err) : create(wal, base, path, err);
    arka_free(path);
    if (status != ARKA_OK)
        return status;
    wal->unfinished = unfinished;
    wal->heading.base = base;
    wal->heading.prev_lsn = atomic_load(&wal->durable);
    wal->file_bytes = wal->durable_bytes = 0;
    wal->dirty = false;
    wal->run = (arka_wal__run){.open = false};
    arka_mutex_lock(&wal->lock);
    wal->begun = arka_mono_now();
    wal->active = true;
    wal->segments.items[wal->segments.n++] =
        (arka_wal__segment){.base = base, .last_lsn = base - 1};
    arka_mutex_unlock(&wal->lock);
    return ARKA_OK;
}

/* What the pieces of the group are in memory; false: out of it. */
static bool list_parts(arka_wal *wal)
{
    arka_wal__group *group = &wal->group;
    size_t from = 0;
    wal->parts.n = 0;
    if (!arka_vec_reserve(&wal->parts, group->pieces.n * 2 + 1))
        return false;
    for (size_t i = 0; i < group->pieces.n; i++) {
        const arka_wal__piece *p = &group->pieces.items[i];
        wal->parts.items[wal->parts.n++] =
            (struct iovec){group->heads.data + from, p->heads_end - from};
        wal->parts.items[wal->parts.n++] =
            (struct iovec){(void *)(uintptr_t)p->body, p->body_bytes};
        from = p->heads_end;
    }
    if (group->heads.len > from)
        wal->parts.items[wal->parts.n++] =
            (struct iovec){group->heads.data + from, group->heads.len - from};
    return true;
}

static void clear_group(arka_wal__group *group)
{
    arka_buf_clear(&group->heads);
    group->pieces.n = 0;
    group->outside = 0;
    group->failed = false;
}

/* What was put together goes behind what is there, or nothing of it does. */
static arka_status write_out(arka_wal *wal, const arka_wal__run *run, arka_error *err)
{
    arka_wal__group *group = &wal->group;
    if (group->failed || group->heads.failed || !list_parts(wal))
        return arka_fail_nomem(err, "a group of records", group->heads.cap);
    arka_status status = arka_wal__write(wal->os, wal->fd, wal->name, wal->parts.items,
                                         wal->parts.n, wal->file_bytes, err);
    if (status != ARKA_OK) {
        ARKA_IGNORE(wal->os->ftruncate(wal->fd, wal->file_bytes)); /* if it stays: see recovery */
        return status;
    }
    wal->file_bytes += (int64_t)(group->heads.len + group->outside);
    wal->run = *run;
    wal->dirty = true;
    if (group->heads.cap > KEPT_HEADS)
        arka_buf_fini(&group->heads);
    return ARKA_OK;
}

arka_status arka_wal__write_group(arka_wal *wal, const arka_wal_entry *entries, size_t n,
                                  arka_error *err)
{
    arka_wal__group *group = &wal->group;
    arka_wal__run run = wal->run;
    int64_t ts = wal->last_ts_us;
    clear_group(group);
    for (size_t i = 0; i < n; i++) {
        const arka_wal_entry *e = &entries[i];
        int64_t at = wal->file_bytes + (int64_t)(group->heads.len + group->outside);
        if (!arka_wal__same_run(&run, e) || at - run.at >= ARKA_WAL__RUN_BYTES)
            arka_wal__put_run(group, &run, &wal->heading, e, wal->file_bytes);
        ts = e->ts_us > ts ? e->ts_us : ts;
        arka_wal__put_record(group, e,
                             &(arka_wal__record_facts){
                                 .ts_us = ts,
                                 .durable = atomic_load(&wal->durable),
                                 .run_at = run.at,
                                 .group_end = i + 1 == n,
                                 .codec = wal->options.codec,
                             });
    }
    ARKA_TRY(write_out(wal, &run, err));
    wal->last_ts_us = ts;
    note_segment_bytes(wal, entries[n - 1].lsn_last);
    atomic_store(&wal->appended, entries[n - 1].lsn_last);
    return ARKA_OK;
}

arka_status arka_wal__write_head(arka_wal *wal, arka_error *err)
{
    arka_wal__run run = wal->run;
    clear_group(&wal->group);
    arka_wal__put_run(&wal->group, &run, &wal->heading, &(arka_wal_entry){.kind = ARKA_WAL_CONTROL},
                      0);
    ARKA_TRY(write_out(wal, &run, err));
    note_segment_bytes(wal, 0);
    return ARKA_OK;
}

static arka_status end_run(arka_wal *wal, arka_error *err)
{
    arka_wal__run run = {.open = false};
    if (!wal->run.open)
        return ARKA_OK;
    clear_group(&wal->group);
    arka_ipc_write_eos(&wal->group.heads);
    ARKA_TRY(write_out(wal, &run, err));
    note_segment_bytes(wal, 0);
    return ARKA_OK;
}

arka_status arka_wal__end_segment(arka_wal *wal, arka_error *err)
{
    ARKA_TRY(end_run(wal, err));
    ARKA_TRY(arka_wal_sync(wal, err));
    if (wal->fd < 0)
        return ARKA_OK;
    /* A sync that failed moved everything to a segment of its own, whose last run is open. A record
     * in it is on the disk; its end mark may be lost without harm. */
    if (wal->run.open)
        ARKA_TRY(end_run(wal, err));
    arka_wal__close_file(wal);
    return ARKA_OK;
}

static bool is_due(const arka_wal *wal, uint64_t lsn)
{
    if (wal->heading.base > atomic_load(&wal->appended))
        return wal->heading.base != lsn; /* it has no record yet */
    return wal->file_bytes >= wal->options.segment_bytes ||
           lsn != atomic_load(&wal->appended) + 1 ||
           arka_mono_since_ns(wal->begun) / 1000000 >= wal->options.segment_age_ms;
}

/* The segment that is there is ended if it is due; then there is one for `lsn`. */
static arka_status make_segment(arka_wal *wal, uint64_t lsn, arka_error *err)
{
    if (wal->fd >= 0 && is_due(wal, lsn)) {
        if (wal->file_bytes == 0)
            arka_wal__abandon(wal);
        else
            ARKA_TRY(arka_wal__end_segment(wal, err));
        arka_mutex_lock(&wal->lock);
        wal->stats.rotations++;
        arka_mutex_unlock(&wal->lock);
    }
    return wal->fd >= 0 ? ARKA_OK : arka_wal__begin_segment(wal, lsn, false, err);
}

/* A promise of the caller's. */
static arka_status check(const arka_wal *wal, const arka_wal_entry *entries, size_t n,
                         arka_error *err)
{
    uint64_t next = entries[0].lsn_first;
    if (!wal->began || next < wal->next_lsn || next <= atomic_load(&wal->appended))
        return arka_fail(err, ARKA_INTERNAL,
                         "the log is given LSN %" PRIu64 ", expected one from %" PRIu64, next,
                         wal->next_lsn);
    for (size_t i = 0; i < n; i++) {
        const arka_wal_entry *e = &entries[i];
        int64_t rows = e->kind == ARKA_WAL_ROWS ? e->batch->n_rows : 1;
        if (e->lsn_first != next || e->lsn_last - e->lsn_first + 1 != (uint64_t)rows)
            return arka_fail(err, ARKA_INTERNAL,
                             "a record of %" PRId64 " rows has the LSNs %" PRIu64 " to %" PRIu64
                             ", expected to begin with %" PRIu64,
                             rows, e->lsn_first, e->lsn_last, next);
        next = e->lsn_last + 1;
    }
    return ARKA_OK;
}

static arka_status append(arka_wal *wal, const arka_wal_entry *entries, size_t n, arka_error *err)
{
    for (size_t i = 0; i < n; i++)
        ARKA_TRY(arka_wal__remember(wal, &entries[i], i + 1 == n, err));
    ARKA_FAILPOINT("wal_append_before");
    ARKA_TRY(arka_wal__write_group(wal, entries, n, err));
    ARKA_FAILPOINT("wal_append_after");
    return ARKA_OK;
}

static void count(arka_wal *wal, const arka_wal_entry *entries, size_t n, int64_t bytes)
{
    arka_mutex_lock(&wal->lock);
    wal->stats.groups++;
    wal->stats.records += (int64_t)n;
    wal->stats.rows += (int64_t)(entries[n - 1].lsn_last - entries[0].lsn_first + 1);
    wal->stats.bytes += bytes;
    arka_mutex_unlock(&wal->lock);
}

arka_status arka_wal_append(arka_wal *wal, const arka_wal_entry *entries, size_t n, arka_error *err)
{
    arka_error why = {0};
    if (n == 0)
        return ARKA_OK;
    ARKA_TRY(check(wal, entries, n, err));
    if (arka_wal_is_broken(wal))
        return arka_wal__fail_broken(wal, err);
    arka_status status = make_segment(wal, entries[0].lsn_first, &why);
    int64_t before = wal->file_bytes;
    size_t remembered = wal->pending.n;
    if (status == ARKA_OK) {
        status = append(wal, entries, n, &why);
        if (status != ARKA_OK)
            arka_wal__forget_pending(wal, remembered, wal->pending.n - remembered);
    }
    if (status == ARKA_OK) {
        count(wal, entries, n, wal->file_bytes - before);
        return ARKA_OK;
    }
    if (status == ARKA_IO) {
        arka_mutex_lock(&wal->lock);
        wal->stats.append_failures++;
        arka_mutex_unlock(&wal->lock);
        arka_wal__break(wal, &why);
    }
    return arka_wal__hand_on(&why, err);
}
