/* Every whole group, oldest first. */
#include <inttypes.h>
#include <stdlib.h>

#include "wal/wal_priv.h"

enum { MOST_TROUBLES = 100000 };

/* The bases of the segments in the list. */
static arka_status list_bases(arka_wal *wal, uint64_t **out, size_t *n, int64_t *bytes,
                              arka_error *err)
{
    *n = wal->segments.n;
    *bytes = 0;
    *out = arka_malloc((*n + 1) * sizeof **out);
    if (*out == NULL)
        return arka_fail_nomem(err, "a list of segments", *n * sizeof **out);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = wal->segments.items[i].base;
        *bytes += wal->segments.items[i].bytes;
    }
    return ARKA_OK;
}

static arka_status scan(arka_wal *wal, arka_wal__meter *meter, arka_wal__scanned *out,
                        arka_error *err)
{
    uint64_t *bases;
    size_t n;
    int64_t bytes;
    ARKA_TRY(list_bases(wal, &bases, &n, &bytes, err));
    meter->total = 2 * bytes; /* they are read once to be verified, once to be given away */
    arka_status status = arka_wal__scan(wal->os, wal->dir, bases, n, meter, out, err);
    arka_free(bases);
    return status;
}

/* ---- the tail ---- */

static arka_status cut(arka_wal *wal, arka_wal__found *f, arka_wal_recovered *out, arka_error *err)
{
    int64_t torn = f->size - f->safe_at;
    if (f->garbage) /* perhaps it is somebody's: nothing is lost by keeping it */
        ARKA_TRY(arka_wal__move_away(wal->os, wal->dir, f->name, err));
    else if (f->safe_at == 0)
        ARKA_TRY(arka_wal__unlink(wal->os, wal->dir, f->name, err));
    else
        ARKA_TRY(arka_wal__cut(wal->os, wal->dir, f->name, f->safe_at, f->open_run, err));
    arka_wal__event(wal, ARKA_WAL__WARN, "wal_torn_tail",
                    "%s: %" PRId64 " bytes from byte %" PRId64 " on were never synced, %s (%s)",
                    f->name, torn, f->safe_at,
                    f->garbage ? "moved to " ARKA_WAL__QUARANTINE : "cut", f->bad);
    out->torn_bytes += torn;
    f->size = f->safe_at == 0 ? 0 : f->safe_at + (f->open_run ? 8 : 0);
    f->damaged = false;
    return ARKA_OK;
}

static arka_status cut_tail(arka_wal *wal, arka_wal__scanned *s, arka_wal_recovered *out,
                            arka_error *err)
{
    if (s->torn < 0)
        return ARKA_OK;
    /* from the end: what stays in between is a log whose end is torn */
    for (int i = (int)s->segments.n - 1; i >= s->torn; i--)
        ARKA_TRY(cut(wal, &s->segments.items[i], out, err));
    return arka_wal__sync_dir(wal->os, wal->dir, err);
}

/* ---- giving the records away ---- */

static arka_status give(arka_wal__cursor *c, const arka_wal_reader *reader, arka_error *err)
{
    arka_wal_record record;
    arka_batch *control = NULL;
    struct arka_wal_source source = {c};
    arka_status status = arka_wal__cursor_record(c, &record, &control, err);
    record.source = &source;
    if (status == ARKA_OK)
        status = reader->record(reader->context, &record, err);
    arka_batch_unref(control);
    return status;
}

static arka_status give_segment(arka_wal *wal, const arka_wal__found *f,
                                const arka_wal_reader *reader, arka_wal__meter *meter,
                                arka_error *err)
{
    arka_wal__cursor c;
    arka_status status = arka_wal__cursor_open(wal->os, wal->dir, f->base, &c, err);
    while (status == ARKA_OK && c.at < f->safe_at) {
        arka_wal__step step;
        int64_t before = c.at;
        status = arka_wal__cursor_next(&c, &step, err);
        if (status == ARKA_OK && (step == ARKA_WAL__BAD || step == ARKA_WAL__END))
            status = arka_fail(err, ARKA_IO, "%s changed while it was read, at byte %" PRId64,
                               f->name, c.at);
        if (status == ARKA_OK && step == ARKA_WAL__BATCH)
            status = give(&c, reader, err);
        if (status == ARKA_OK)
            status = arka_wal__meter_add(meter, c.at - before, err);
    }
    arka_wal__cursor_close(&c);
    return status;
}

static arka_status give_all(arka_wal *wal, const arka_wal__scanned *s,
                            const arka_wal_reader *reader, arka_wal__meter *meter, arka_error *err)
{
    for (size_t i = 0; i < s->segments.n; i++)
        if (s->segments.items[i].n_records > 0)
            ARKA_TRY(give_segment(wal, &s->segments.items[i], reader, meter, err));
    return ARKA_OK;
}

/* ---- the whole ---- */

static void sum_up(const arka_wal__scanned *s, arka_wal_recovered *out)
{
    out->last_lsn = s->last_lsn;
    for (size_t i = 0; i < s->segments.n; i++) {
        const arka_wal__found *f = &s->segments.items[i];
        out->n_segments += f->size > 0;
        out->n_records += f->n_records;
        out->n_rows += f->n_rows;
        out->n_bytes += f->safe_at;
        if (f->max_lsn > out->max_lsn)
            out->max_lsn = f->max_lsn;
        if (f->max_epoch > out->max_epoch)
            out->max_epoch = f->max_epoch;
        if (f->last_ts_us > out->last_ts_us)
            out->last_ts_us = f->last_ts_us;
    }
    if (out->last_lsn > out->max_lsn)
        out->max_lsn = out->last_lsn;
}

/* The list of segments as it is now. */
static void note_segments(arka_wal *wal, const arka_wal__scanned *s)
{
    size_t n = 0;
    arka_mutex_lock(&wal->lock);
    for (size_t i = 0; i < s->segments.n; i++) {
        const arka_wal__found *f = &s->segments.items[i];
        if (f->size > 0)
            wal->segments.items[n++] = (arka_wal__segment){
                .base = f->base,
                .last_lsn = f->n_records > 0 || f->lost_to > 0 ? f->last_lsn : f->base - 1,
                .bytes = f->size,
            };
    }
    wal->segments.n = n;
    arka_mutex_unlock(&wal->lock);
}

static arka_status refuse(const arka_wal *wal, const arka_wal__scanned *s, arka_error *err)
{
    return arka_fail(err, ARKA_CORRUPT,
                     "the log in %s: %s. These bytes were on the disk when they were acknowledged; "
                     "'arc repair' shows what can be saved",
                     wal->dir, s->text);
}

/* One trouble less, and the directory is looked at again. */
static arka_status set_aside(arka_wal *wal, arka_wal__scanned *s, arka_wal_recovered *out,
                             arka_error *err)
{
    char text[512];
    ARKA_TRY(arka_wal__set_aside(wal->os, wal->dir, s, text, err));
    arka_wal__event(wal, ARKA_WAL__ERROR, "wal_quarantined", "%s", text);
    out->n_quarantined++;
    arka_wal__scanned_fini(s);
    return arka_wal__list(wal, err);
}

static arka_status recover(arka_wal *wal, const arka_wal_reader *reader, arka_wal__scanned *s,
                           arka_wal_recovered *out, arka_error *err)
{
    arka_wal__meter meter = {.reader = reader};
    ARKA_TRY(scan(wal, &meter, s, err));
    while (s->corrupt >= 0) {
        /* each removes a trouble for good; more than that is a mistake of ours */
        if (!wal->options.quarantine || out->n_quarantined > MOST_TROUBLES)
            return refuse(wal, s, err);
        ARKA_TRY(set_aside(wal, s, out, err));
        meter = (arka_wal__meter){.reader = reader};
        ARKA_TRY(scan(wal, &meter, s, err));
    }
    ARKA_TRY(cut_tail(wal, s, out, err));
    ARKA_TRY(give_all(wal, s, reader, &meter, err));
    sum_up(s, out);
    note_segments(wal, s);
    return ARKA_OK;
}

arka_status arka_wal_recover(arka_wal *wal, const arka_wal_reader *reader, arka_wal_recovered *out,
                             arka_error *err)
{
    arka_wal__scanned scanned = {.torn = -1, .corrupt = -1};
    *out = (arka_wal_recovered){0};
    ARKA_TRY(arka_wal__list(wal, err));
    arka_status status = recover(wal, reader, &scanned, out, err);
    arka_wal__scanned_fini(&scanned);
    if (status != ARKA_OK)
        return status;
    wal->recovered = true;
    wal->last_ts_us = out->last_ts_us;
    wal->max_seen = out->max_lsn;
    atomic_store(&wal->durable, out->last_lsn);
    atomic_store(&wal->appended, out->last_lsn);
    return ARKA_OK;
}
