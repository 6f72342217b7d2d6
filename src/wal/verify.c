/* What a segment holds, and what of all segments counts. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "wal/wal_priv.h"

#define TELL_EVERY (INT64_C(16) << 20)

void arka_wal__scanned_fini(arka_wal__scanned *scanned)
{
    arka_vec_fini(&scanned->segments);
}

arka_status arka_wal__meter_add(arka_wal__meter *meter, int64_t bytes, arka_error *err)
{
    if (meter == NULL)
        return ARKA_OK;
    meter->done += bytes;
    if (meter->reader == NULL || meter->reader->progress == NULL ||
        meter->done - meter->told < TELL_EVERY)
        return ARKA_OK;
    meter->told = meter->done;
    if (meter->reader->progress(meter->reader->context, meter->done, meter->total))
        return ARKA_OK;
    return arka_fail(err, ARKA_CANCELLED, "reading the log was stopped");
}

/* ---- one segment ---- */

/* The records of a group whose end was not met yet. */
typedef struct open_group {
    int64_t n_records, n_rows, last_ts_us;
} open_group;

static void note_record(arka_wal__found *f, open_group *group, const arka_wal__cursor *c)
{
    group->n_records++;
    group->n_rows += c->frame.n_rows;
    group->last_ts_us = c->frame.ts_us;
    if (c->frame.lsn_last > f->max_lsn)
        f->max_lsn = c->frame.lsn_last;
    if (c->in_group)
        return;
    f->n_records += group->n_records;
    f->n_rows += group->n_rows;
    f->last_ts_us = group->last_ts_us;
    f->last_lsn = c->frame.lsn_last;
    *group = (open_group){0};
}

static void note_head(arka_wal__found *f, const arka_wal__cursor *c)
{
    if (!f->headed) {
        f->headed = true;
        f->prev_lsn = c->run.prev_lsn;
        f->lost_to = c->run.lost_to;
        f->last_lsn = f->lost_to > f->prev_lsn ? f->lost_to : f->prev_lsn;
    }
    if (c->run.epoch > f->max_epoch)
        f->max_epoch = c->run.epoch;
}

/* Up to the end, what is bad, or the first record above the limit. */
static arka_status walk(arka_wal__cursor *c, uint64_t limit, arka_wal__meter *meter,
                        arka_wal__found *f, arka_error *err)
{
    open_group group = {0};
    for (;;) {
        arka_wal__step step;
        int64_t before = c->at;
        ARKA_TRY(arka_wal__cursor_next(c, &step, err));
        ARKA_TRY(arka_wal__meter_add(meter, c->at - before, err));
        if (step == ARKA_WAL__END || step == ARKA_WAL__BAD) {
            f->damaged = step == ARKA_WAL__BAD || f->safe_at < c->at;
            f->bad_at = step == ARKA_WAL__BAD ? c->at : f->safe_at;
            snprintf(f->bad, sizeof f->bad, "%s",
                     step == ARKA_WAL__BAD ? c->bad : "the group that begins here has no end");
            return ARKA_OK;
        }
        if (step == ARKA_WAL__BATCH && c->frame.lsn_last > limit) {
            f->superseded = true;
            return ARKA_OK;
        }
        if (step == ARKA_WAL__SCHEMA)
            note_head(f, c);
        if (step == ARKA_WAL__BATCH)
            note_record(f, &group, c);
        if (!c->in_group) {
            f->safe_at = c->at;
            f->open_run = step != ARKA_WAL__EOS;
        }
    }
}

/* Are there messages behind the damage, and what do they say was on the disk already? */
static arka_status look_behind(arka_wal__cursor *c, arka_wal__meter *meter, arka_wal__found *f,
                               bool *any, arka_error *err)
{
    *any = false;
    for (;;) {
        arka_wal__step step;
        int64_t before = c->at;
        ARKA_TRY(arka_wal__cursor_search(c, &step, err));
        ARKA_TRY(arka_wal__meter_add(meter, c->at - before, err));
        if (step == ARKA_WAL__END)
            return ARKA_OK;
        *any = true;
        if (step != ARKA_WAL__BATCH)
            continue;
        if (c->frame.durable > f->later_durable)
            f->later_durable = c->frame.durable;
        if (c->frame.lsn_last > f->max_lsn)
            f->max_lsn = c->frame.lsn_last;
    }
}

static arka_status verify(arka_wal__cursor *c, uint64_t limit, arka_wal__meter *meter,
                          arka_wal__found *f, arka_error *err)
{
    bool any;
    ARKA_TRY(walk(c, limit, meter, f, err));
    if (!f->damaged)
        return ARKA_OK;
    bool foreign = c->foreign && f->bad_at == 0;
    f->misplaced = c->misplaced;
    f->garbage = c->garbage && f->bad_at == 0;
    c->at = f->bad_at;
    ARKA_TRY(look_behind(c, meter, f, &any, err));
    if (foreign && !any)
        return arka_fail(err, ARKA_INPUT, "%s is no segment of a log (%s)", f->name, f->bad);
    return ARKA_OK;
}

arka_status arka_wal__verify(const arka_os *os, const char *dir, uint64_t base, uint64_t limit,
                             arka_wal__meter *meter, arka_wal__found *out, arka_error *err)
{
    arka_wal__cursor cursor;
    *out = (arka_wal__found){.base = base, .max_lsn = base};
    arka_wal__name(base, out->name);
    arka_status status = arka_wal__cursor_open(os, dir, base, &cursor, err);
    out->size = cursor.in.size;
    if (status == ARKA_OK)
        status = verify(&cursor, limit, meter, out, err);
    arka_wal__cursor_close(&cursor);
    return status;
}

/* ---- the chain ---- */

typedef struct chain {
    const arka_os *os;
    const char *dir;
    arka_wal__scanned *out;
    bool begun;
    uint64_t last; /* LSN of the last record that counts so far */
    int newest;    /* segment with a head, whose records count so far; -1 */
} chain;

static void stop_at(arka_wal__scanned *s, arka_wal__trouble trouble, int i, int64_t at,
                    const char *format, ...) ARKA_PRINTF(5, 6);
static void stop_at(arka_wal__scanned *s, arka_wal__trouble trouble, int i, int64_t at,
                    const char *format, ...)
{
    va_list args;
    if (s->corrupt >= 0)
        return;
    s->corrupt = i;
    s->trouble = trouble;
    s->corrupt_at = at;
    va_start(args, format);
    vsnprintf(s->text, sizeof s->text, format, args);
    va_end(args);
}

static void stop_at_damage(arka_wal__scanned *s, int i)
{
    const arka_wal__found *f = &s->segments.items[i];
    stop_at(s, ARKA_WAL__DAMAGE, i, f->bad_at, "%s is damaged at byte %" PRId64 ": %s", f->name,
            f->bad_at, f->bad);
}

/* Segment i goes on from an LSN that the ones before it do not reach: something is missing. */
static void stop_at_gap(chain *k, int i)
{
    const arka_wal__found *f = &k->out->segments.items[i];
    for (int before = k->newest < 0 ? 0 : k->newest; before < i; before++)
        if (k->out->segments.items[before].damaged) {
            stop_at_damage(k->out, before);
            return;
        }
    stop_at(k->out, ARKA_WAL__GAP, i, 0,
            "%s goes on from LSN %" PRIu64 ", but the segment before it ends with LSN %" PRIu64
            ": a segment is missing",
            f->name, f->prev_lsn, k->last);
}

/* What the segments before i hold above `limit` was written again, in i. */
static arka_status supersede(chain *k, int i, uint64_t limit, arka_error *err)
{
    const arka_wal__found *items = k->out->segments.items;
    for (; k->newest >= 0 && k->last > limit; k->newest--) {
        arka_wal__found *f = &k->out->segments.items[k->newest], again;
        if (!f->headed)
            continue;
        if (f->base <= limit) {
            ARKA_TRY(arka_wal__verify(k->os, k->dir, f->base, limit, NULL, &again, err));
            again.max_lsn = f->max_lsn;
            *f = again;
            k->last = f->last_lsn;
            break;
        }
        k->last = f->prev_lsn;
        f->superseded = true;
        f->safe_at = f->n_records = f->n_rows = 0;
        f->last_lsn = f->prev_lsn;
    }
    if (k->last != limit)
        stop_at(k->out, ARKA_WAL__CONFLICT, i, 0,
                "%s goes on from LSN %" PRIu64 ", which is the end of no group of the segments "
                "before it",
                items[i].name, limit);
    return ARKA_OK;
}

static arka_status link_segment(chain *k, int i, arka_error *err)
{
    const arka_wal__found *f = &k->out->segments.items[i];
    if (f->misplaced && f->bad_at == 0)
        stop_at_damage(k->out, i);
    if (!f->headed)
        return ARKA_OK;
    if (f->prev_lsn >= f->base) {
        stop_at(k->out, ARKA_WAL__CONFLICT, i, 0,
                "%s goes on from LSN %" PRIu64 ", which is not below its own", f->name,
                f->prev_lsn);
        return ARKA_OK;
    }
    if (!k->begun) {
        k->begun = true;
        k->last = f->prev_lsn;
        if (i > 0 && k->out->segments.items[0].base <= f->prev_lsn)
            stop_at_gap(k, i);
    } else if (f->prev_lsn > k->last) {
        stop_at_gap(k, i);
    } else if (f->prev_lsn < k->last) {
        ARKA_TRY(supersede(k, i, f->prev_lsn, err));
    }
    if (k->out->corrupt < 0) {
        k->newest = i;
        k->last = f->last_lsn;
    }
    return ARKA_OK;
}

/* The end of the log: bytes that were never synced, or bytes that were. */
static void judge_tail(chain *k)
{
    arka_wal__scanned *s = k->out;
    int n = (int)s->segments.n, from = k->newest;
    uint64_t durable = 0, last = k->last;
    bool misplaced = false;
    if (!k->begun && n > 0) /* what came before the first may have been trimmed */
        last = s->segments.items[0].base - 1;
    if (from < 0 || !s->segments.items[from].damaged)
        from++;
    for (int i = from; i < n; i++) {
        misplaced |= s->segments.items[i].misplaced;
        if (s->segments.items[i].later_durable > durable)
            durable = s->segments.items[i].later_durable;
    }
    if (from < n && (misplaced || durable > last))
        stop_at_damage(s, from);
    else if (from < n)
        s->torn = from;
}

arka_status arka_wal__scan(const arka_os *os, const char *dir, const uint64_t *bases, size_t n,
                           arka_wal__meter *meter, arka_wal__scanned *out, arka_error *err)
{
    *out = (arka_wal__scanned){.torn = -1, .corrupt = -1};
    chain k = {.os = os, .dir = dir, .out = out, .newest = -1};
    if (!arka_vec_reserve(&out->segments, n))
        return arka_fail_nomem(err, "a list of segments", n * sizeof(arka_wal__found));
    for (size_t i = 0; i < n; i++)
        ARKA_TRY(arka_wal__verify(os, dir, bases[i], UINT64_MAX, meter,
                                  &out->segments.items[out->segments.n++], err));
    for (int i = 0; i < (int)n && out->corrupt < 0; i++)
        ARKA_TRY(link_segment(&k, i, err));
    if (out->corrupt < 0)
        judge_tail(&k);
    out->last_lsn = k.last;
    return ARKA_OK;
}
