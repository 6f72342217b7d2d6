#include "wal/inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "wal/wal_priv.h"

enum { TRIES = 20, MOST_TROUBLES = 100000 };

/* All segments as they are now. */
static arka_status scan_once(const char *dir, arka_wal__scanned *out, arka_error *err)
{
    arka_wal__segments list = {0};
    *out = (arka_wal__scanned){.torn = -1, .corrupt = -1};
    arka_status status = arka_wal__list_dir(dir, &list, err);
    uint64_t *bases = arka_malloc((list.n + 1) * sizeof *bases);
    if (status == ARKA_OK && bases == NULL)
        status = arka_fail_nomem(err, "a list of segments", list.n * sizeof *bases);
    for (size_t i = 0; status == ARKA_OK && i < list.n; i++)
        bases[i] = list.items[i].base;
    if (status == ARKA_OK)
        status = arka_wal__scan(&arka_os_real, dir, bases, list.n, NULL, out, err);
    arka_free(bases);
    arka_vec_fini(&list);
    return status;
}

/* A log in use may remove segments while they are looked at: then it is looked at again. */
static arka_status scan(const char *dir, arka_wal__scanned *out, arka_error *err)
{
    for (int i = 1;; i++) {
        arka_error why = {0};
        arka_status status = scan_once(dir, out, &why);
        if (status == ARKA_OK || i == TRIES || why.sys != ENOENT)
            return status == ARKA_OK ? ARKA_OK : arka_wal__hand_on(&why, err);
        arka_wal__scanned_fini(out);
    }
}

/* ---- records ---- */

static arka_status show(const arka_wal_visitor *visitor, arka_wal__cursor *c, bool counts,
                        arka_error *err)
{
    arka_wal_record record;
    arka_batch *control = NULL;
    struct arka_wal_source source = {c};
    arka_status status = arka_wal__cursor_record(c, &record, &control, err);
    record.source = &source;
    if (status == ARKA_OK)
        status = visitor->record(visitor->context, &record, counts, err);
    arka_batch_unref(control);
    return status;
}

/* Those behind what counts, as far as the head of their run is known. */
static arka_status show_rest(const arka_wal_visitor *visitor, arka_wal__cursor *c, arka_error *err)
{
    for (;;) {
        arka_wal__step step;
        ARKA_TRY(arka_wal__cursor_rescue(c, &step, err));
        if (step == ARKA_WAL__END)
            return ARKA_OK;
        ARKA_TRY(show(visitor, c, false, err));
    }
}

static arka_status show_records(const char *dir, const arka_wal__found *f,
                                const arka_wal_visitor *visitor, arka_error *err)
{
    arka_wal__cursor c;
    arka_wal__step step = ARKA_WAL__SCHEMA;
    arka_status status = arka_wal__cursor_open(&arka_os_real, dir, f->base, &c, err);
    while (status == ARKA_OK && c.at < f->safe_at) {
        status = arka_wal__cursor_next(&c, &step, err);
        if (status == ARKA_OK && (step == ARKA_WAL__BAD || step == ARKA_WAL__END))
            break; /* it changed meanwhile */
        if (status == ARKA_OK && step == ARKA_WAL__BATCH)
            status = show(visitor, &c, true, err);
    }
    if (status == ARKA_OK && (f->damaged || f->superseded))
        status = show_rest(visitor, &c, err);
    arka_wal__cursor_close(&c);
    return status;
}

/* ---- the whole ---- */

static arka_status show_segment(const char *dir, const char *only, const arka_wal__found *f,
                                const arka_wal_visitor *visitor, arka_error *err)
{
    arka_wal_inspected segment = {
        .name = f->name,
        .n_bytes = f->size,
        .sound_bytes = f->safe_at,
        .base_lsn = f->base,
        .last_lsn = f->n_records > 0 ? f->last_lsn : f->base - 1,
        .prev_lsn = f->prev_lsn,
        .n_records = f->n_records,
        .n_rows = f->n_rows,
        .damaged = f->damaged,
        .damaged_at = f->bad_at,
        .damage = f->bad,
        .superseded = f->superseded,
    };
    if (only != NULL && strcmp(only, f->name) != 0)
        return ARKA_OK;
    if (visitor->segment != NULL)
        ARKA_TRY(visitor->segment(visitor->context, &segment, err));
    return visitor->record == NULL ? ARKA_OK : show_records(dir, f, visitor, err);
}

static void judge(const arka_wal__scanned *s, arka_wal_verdict *out)
{
    *out = (arka_wal_verdict){.last_lsn = s->last_lsn, .n_segments = (int64_t)s->segments.n};
    for (size_t i = 0; i < s->segments.n; i++) {
        out->n_records += s->segments.items[i].n_records;
        out->n_rows += s->segments.items[i].n_rows;
        out->n_bytes += s->segments.items[i].size;
    }
    if (s->corrupt >= 0) {
        out->state = ARKA_WAL_CORRUPT;
        snprintf(out->text, sizeof out->text, "%s", s->text);
    } else if (s->torn >= 0) {
        const arka_wal__found *f = &s->segments.items[s->torn];
        out->state = ARKA_WAL_TORN;
        snprintf(out->text, sizeof out->text,
                 "%s: %" PRId64 " bytes from byte %" PRId64 " on were never synced (%s)", f->name,
                 f->size - f->safe_at, f->safe_at, f->bad);
    }
}

arka_status arka_wal_inspect(const char *dir, const char *only, const arka_wal_visitor *visitor,
                             arka_wal_verdict *verdict, arka_error *err)
{
    arka_wal__scanned s;
    arka_status status = scan(dir, &s, err);
    if (status == ARKA_OK)
        judge(&s, verdict);
    for (size_t i = 0; status == ARKA_OK && i < s.segments.n; i++)
        status = show_segment(dir, only, &s.segments.items[i], visitor, err);
    arka_wal__scanned_fini(&s);
    return status;
}

/* ---- repair ---- */

static arka_status repair(const char *dir, void (*done)(void *context, const char *text),
                          void *context, arka_error *err)
{
    for (int i = 0; i < MOST_TROUBLES; i++) {
        arka_wal__scanned s;
        char text[512];
        arka_status status = scan_once(dir, &s, err);
        bool sound = status == ARKA_OK && s.corrupt < 0;
        if (status == ARKA_OK && !sound)
            status = arka_wal__set_aside(&arka_os_real, dir, &s, text, err);
        arka_wal__scanned_fini(&s);
        if (status != ARKA_OK || sound)
            return status;
        done(context, text);
    }
    return arka_fail(err, ARKA_INTERNAL, "the log in %s is still damaged after %d repairs", dir,
                     MOST_TROUBLES);
}

arka_status arka_wal_repair(const char *dir, void (*done)(void *context, const char *text),
                            void *context, arka_error *err)
{
    arka_wal_options options;
    arka_wal *wal;
    arka_wal_options_default(&options);
    options.dir = dir;
    ARKA_TRY(arka_wal_open(&options, &wal, err)); /* nobody else has it */
    arka_status status = repair(dir, done, context, err);
    arka_wal_drop(wal);
    return status;
}
