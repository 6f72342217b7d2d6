/* What was appended gets onto the disk, or into a segment that does. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "os/failpoint.h"
#include "wal/wal_priv.h"

/* ---- records that are not synced ---- */

/* A copy of a text in `at`, which moves behind it. */
static arka_slice copy(arka_slice text, char **at)
{
    char *to = *at;
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    *at += text.len;
    return (arka_slice){to, text.len};
}

arka_status arka_wal__remember(arka_wal *wal, const arka_wal_entry *entry, bool group_end,
                               arka_error *err)
{
    const arka_wal_table *t = &entry->table;
    size_t fields = (size_t)entry->n_fields * sizeof *entry->column_of_field;
    size_t bytes = fields + t->database.len + t->table.len + t->table_id.len + entry->requests.len +
                   entry->event.len + entry->payload.len;
    char *texts = arka_malloc(bytes + 1), *at = texts;
    if (texts == NULL || !arka_vec_reserve(&wal->pending, 1) ||
        !arka_vec_reserve(&wal->pending_more, 1)) {
        arka_free(texts);
        return arka_fail_nomem(err, "a record of the log", bytes);
    }
    arka_wal_entry e = *entry;
    arka_slice ids = copy((arka_slice){(const char *)entry->column_of_field, fields}, &at);
    e.column_of_field = (const int16_t *)(const void *)ids.data;
    e.table.database = copy(t->database, &at);
    e.table.table = copy(t->table, &at);
    e.table.table_id = copy(t->table_id, &at);
    e.requests = copy(entry->requests, &at);
    e.event = copy(entry->event, &at);
    e.payload = copy(entry->payload, &at);
    if (e.kind == ARKA_WAL_ROWS)
        arka_batch_ref(e.batch);
    wal->pending.items[wal->pending.n++] = e;
    wal->pending_more.items[wal->pending_more.n++] = (arka_wal__pending){texts, group_end};
    return ARKA_OK;
}

static void forget(arka_wal *wal, size_t i)
{
    if (wal->pending.items[i].kind == ARKA_WAL_ROWS)
        arka_batch_unref(wal->pending.items[i].batch);
    arka_free(wal->pending_more.items[i].texts);
}

void arka_wal__forget_pending(arka_wal *wal, size_t from, size_t n)
{
    size_t rest = wal->pending.n - from - n;
    for (size_t i = from; i < from + n; i++)
        forget(wal, i);
    if (rest > 0) {
        memmove(wal->pending.items + from, wal->pending.items + from + n,
                rest * sizeof *wal->pending.items);
        memmove(wal->pending_more.items + from, wal->pending_more.items + from + n,
                rest * sizeof *wal->pending_more.items);
    }
    wal->pending.n -= n;
    wal->pending_more.n -= n;
}

static void keep_only(arka_wal *wal)
{
    size_t n = 0;
    for (size_t i = 0; i < wal->pending.n; i++) {
        if (!wal->pending.items[i].keep) {
            forget(wal, i);
            continue;
        }
        wal->pending.items[n] = wal->pending.items[i];
        wal->pending_more.items[n++] = wal->pending_more.items[i];
    }
    wal->pending.n = wal->pending_more.n = n;
}

/* ---- failing ---- */

arka_status arka_wal__hand_on(const arka_error *why, arka_error *err)
{
    if (err != NULL && err->code == ARKA_OK)
        *err = *why;
    return why->code;
}

void arka_wal__break(arka_wal *wal, const arka_error *why)
{
    keep_only(wal);
    atomic_store(&wal->appended, atomic_load(&wal->durable));
    if (atomic_load(&wal->broken))
        return;
    arka_mutex_lock(&wal->lock);
    snprintf(wal->why, sizeof wal->why, "%s", why->msg);
    arka_mutex_unlock(&wal->lock);
    atomic_store(&wal->broken, true);
    arka_wal__event(wal, ARKA_WAL__ERROR, "wal_broken", "%s", why->msg);
}

arka_status arka_wal__fail_broken(arka_wal *wal, arka_error *err)
{
    char why[sizeof wal->why];
    arka_mutex_lock(&wal->lock);
    memcpy(why, wal->why, sizeof why);
    arka_mutex_unlock(&wal->lock);
    return arka_fail(err, ARKA_IO, "the log has failed and is not mended yet: %s", why);
}

bool arka_wal_is_broken(const arka_wal *wal)
{
    return atomic_load(&wal->broken);
}

/* Should the name stay: recovery sees that nothing in it counts. */
static void remove_empty(arka_wal *wal)
{
    char name[ARKA_WAL__UNFINISHED_NAME];
    if (wal->unfinished) {
        arka_wal__unfinished_name(wal->heading.base, name);
        ARKA_IGNORE(arka_wal__unlink(wal->os, wal->dir, name, NULL));
    } else if (wal->pending.n > 0) {
        wal->outdated = wal->heading.base; /* once what is needed of it stands elsewhere */
    } else if (arka_wal__unlink(wal->os, wal->dir, wal->name, NULL) != ARKA_OK) {
        wal->leftover = wal->heading.base;
    }
}

void arka_wal__abandon(arka_wal *wal)
{
    uint64_t durable = atomic_load(&wal->durable);
    if (wal->fd < 0)
        return;
    /*
     * What was not synced will be written again elsewhere, or was refused. As long as some of it is
     * needed it stays: this process may be killed before there is another place. The head of the
     * next segment says that it does not count any more.
     */
    if (wal->pending.n == 0)
        ARKA_IGNORE(wal->os->ftruncate(wal->fd, wal->durable_bytes));
    ARKA_IGNORE(wal->os->close(wal->fd)); /* nothing more of it is needed */
    wal->fd = -1;
    wal->run.open = false;
    bool empty = wal->heading.base > durable;
    if (empty)
        remove_empty(wal);
    wal->unfinished = false;
    arka_mutex_lock(&wal->lock);
    arka_wal__segment *segment = &arka_vec_last(&wal->segments);
    segment->last_lsn = durable;
    segment->bytes = wal->durable_bytes;
    wal->segments.n -= empty;
    wal->active = false;
    arka_mutex_unlock(&wal->lock);
}

/* ---- syncing ---- */

static void note_sync(arka_wal *wal, int64_t ns, bool ok)
{
    arka_latency_observe(&wal->sync_latency, ns);
    arka_mutex_lock(&wal->lock);
    wal->stats.syncs++;
    wal->stats.sync_failures += !ok;
    wal->stats.sync_ns += ns;
    wal->stats.sync_last_ns = ns;
    if (ns > wal->stats.sync_max_ns)
        wal->stats.sync_max_ns = ns;
    arka_mutex_unlock(&wal->lock);
}

static arka_status sync_file(arka_wal *wal, arka_error *err)
{
    arka_mono began = arka_mono_now();
    arka_status status =
        arka_wal__sync_fd(wal->os, wal->options.sync_mode, wal->fd, wal->name, err);
    note_sync(wal, arka_mono_since_ns(began), status == ARKA_OK);
    if (status != ARKA_OK)
        return status;
    wal->dirty = false;
    wal->durable_bytes = wal->file_bytes;
    return ARKA_OK;
}

/* The first pending records whose numbers follow each other, at the end of a group. */
static size_t consecutive(const arka_wal *wal)
{
    const arka_wal_entry *e = wal->pending.items;
    size_t n = 1;
    while (n < wal->pending.n && e[n].lsn_first == e[n - 1].lsn_last + 1)
        n++;
    return n;
}

/* The first n pending records, group by group, into the segment that is there. */
static arka_status write_pending(arka_wal *wal, size_t n, arka_error *err)
{
    for (size_t from = 0, to = 0; from < n; from = to) {
        do
            to++;
        while (to < n && !wal->pending_more.items[to - 1].group_end);
        ARKA_TRY(arka_wal__write_group(wal, wal->pending.items + from, to - from, err));
    }
    return ARKA_OK;
}

/* A segment that is whole and synced gets its name, in place of an outdated one if need be. */
static arka_status finish_name(arka_wal *wal, arka_error *err)
{
    char name[ARKA_WAL__UNFINISHED_NAME], *from, *to;
    arka_wal__unfinished_name(wal->heading.base, name);
    ARKA_TRY(arka_wal__path(wal->dir, name, &from, err));
    arka_status status = arka_wal__path(wal->dir, wal->name, &to, err);
    if (status == ARKA_OK) {
        if (wal->os->rename(from, to) != 0)
            status = arka_fail_sys(err, ARKA_IO, errno, "renaming %s", from);
        else
            wal->unfinished = false;
        arka_free(to);
    }
    arka_free(from);
    return status == ARKA_OK ? arka_wal__sync_dir(wal->os, wal->dir, err) : status;
}

/* The segment that was taken over from held nothing else. */
static void remove_outdated(arka_wal *wal, uint64_t first)
{
    char name[ARKA_WAL__NAME];
    uint64_t base = wal->outdated;
    wal->outdated = 0;
    if (base == 0 || base == first)
        return; /* replaced */
    arka_wal__name(base, name);
    if (arka_wal__unlink(wal->os, wal->dir, name, NULL) != ARKA_OK)
        wal->leftover = base;
}

/* All pending records into fresh segments, synced. */
static arka_status write_again(arka_wal *wal, arka_error *err)
{
    uint64_t first = wal->pending.n > 0 ? wal->pending.items[0].lsn_first : 0;
    while (wal->pending.n > 0) {
        size_t n = consecutive(wal);
        uint64_t last = wal->pending.items[n - 1].lsn_last;
        ARKA_TRY(arka_wal__begin_segment(wal, wal->pending.items[0].lsn_first, true, err));
        ARKA_TRY(write_pending(wal, n, err));
        ARKA_TRY(sync_file(wal, err));
        ARKA_TRY(finish_name(wal, err));
        atomic_store(&wal->durable, last);
        arka_wal__forget_pending(wal, 0, n);
        if (wal->pending.n > 0)
            arka_wal__close_file(wal);
    }
    remove_outdated(wal, first);
    return ARKA_OK;
}

/* Nothing can be said of the segment's unsynced part: it all goes to a fresh one. */
static arka_status take_over(arka_wal *wal, const arka_error *why, arka_error *err)
{
    arka_error again = {0};
    arka_wal__abandon(wal);
    arka_status status = write_again(wal, &again);
    if (status != ARKA_OK) {
        arka_wal__abandon(wal);
        arka_wal__break(wal, &again);
        return arka_fail(err, ARKA_IO, "%s; then in a new segment: %s", why->msg, again.msg);
    }
    arka_wal__event(wal, ARKA_WAL__WARN, "wal_sync_failed",
                    "%s; what was not synced is in a new segment", why->msg);
    return ARKA_OK;
}

arka_status arka_wal_sync(arka_wal *wal, arka_error *err)
{
    arka_error why = {0};
    if (arka_wal_is_broken(wal))
        return arka_wal__fail_broken(wal, err);
    if (wal->fd < 0 || !wal->dirty)
        return ARKA_OK;
    ARKA_FAILPOINT("wal_sync_before");
    if (sync_file(wal, &why) != ARKA_OK)
        return take_over(wal, &why, err);
    ARKA_FAILPOINT("wal_sync_after");
    atomic_store(&wal->durable, atomic_load(&wal->appended));
    arka_wal__forget_pending(wal, 0, wal->pending.n);
    return ARKA_OK;
}

/* Without records to keep the fresh segment has a head alone: so what it takes over from ends where
 * the head says. */
static arka_status begin_again(arka_wal *wal, arka_error *err)
{
    if (wal->pending.n > 0)
        return write_again(wal, err);
    ARKA_TRY(arka_wal__begin_segment(wal, wal->next_lsn, false, err));
    ARKA_TRY(arka_wal__write_head(wal, err));
    ARKA_TRY(sync_file(wal, err));
    remove_outdated(wal, 0);
    return ARKA_OK;
}

arka_status arka_wal_mend(arka_wal *wal, uint64_t next_lsn, arka_error *err)
{
    if (!arka_wal_is_broken(wal))
        return ARKA_OK;
    if (next_lsn > wal->next_lsn)
        wal->next_lsn = next_lsn;
    arka_wal__abandon(wal);
    arka_status status = begin_again(wal, err);
    if (status != ARKA_OK) {
        arka_wal__abandon(wal);
        return status;
    }
    atomic_store(&wal->appended, atomic_load(&wal->durable));
    atomic_store(&wal->broken, false);
    arka_wal__event(wal, ARKA_WAL__INFO, "wal_mended", "%s takes over", wal->name);
    return ARKA_OK;
}
