/* Damage is set aside: its bytes are kept, what is valid behind it is written to new segments. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/number.h"
#include "wal/wal_priv.h"

enum { COPY_PIECE = 1 << 20 };

bool arka_wal__is_unfinished(const char *name)
{
    size_t n = strlen(name), s = strlen(ARKA_WAL__UNFINISHED);
    return n > s && strcmp(name + n - s, ARKA_WAL__UNFINISHED) == 0;
}

arka_status arka_wal__remove_unfinished(const arka_os *os, const char *path, arka_error *err)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return arka_fail_sys(err, ARKA_IO, errno, "reading directory %s", path);
    arka_status status = ARKA_OK;
    const struct dirent *e;
    while (status == ARKA_OK && (e = readdir(dir)) != NULL)
        if (arka_wal__is_unfinished(e->d_name))
            status = arka_wal__unlink(os, path, e->d_name, err);
    closedir(dir);
    return status;
}

/* A segment that is being written under a name of its own. */
typedef struct salvage {
    const arka_os *os;
    const char *dir;
    int fd; /* -1: none */
    char name[ARKA_WAL__UNFINISHED_NAME];
    arka_wal__heading heading;
    arka_wal__run run;
    arka_wal__group group;
    int64_t bytes;
    uint64_t last; /* LSN of what is saved so far, the damaged segment's beginning included */
    ARKA_VEC(uint64_t) made;
    int64_t n_records, n_rows;
} salvage;

static void salvage_fini(salvage *s)
{
    if (s->fd >= 0)
        ARKA_IGNORE(s->os->close(s->fd)); /* an error is being reported already */
    arka_wal__group_fini(&s->group);
    arka_vec_fini(&s->made);
}

static arka_status write_out(salvage *s, arka_error *err)
{
    arka_wal__group *g = &s->group;
    struct iovec parts[2] = {{g->heads.data, g->heads.len}};
    size_t n = 1;
    if (g->failed || g->heads.failed)
        return arka_fail_nomem(err, "a record", g->heads.cap);
    if (g->pieces.n > 0)
        parts[n++] = (struct iovec){(void *)(uintptr_t)g->pieces.items[0].body,
                                    g->pieces.items[0].body_bytes};
    ARKA_TRY(arka_wal__write(s->os, s->fd, s->name, parts, n, s->bytes, err));
    s->bytes += (int64_t)(g->heads.len + g->outside);
    arka_buf_clear(&g->heads);
    g->pieces.n = g->outside = 0;
    return ARKA_OK;
}

static arka_status begin_piece(salvage *s, uint64_t base, uint64_t epoch, uint64_t lost_to,
                               arka_error *err)
{
    char *path;
    if (!arka_vec_push(&s->made, base))
        return arka_fail_nomem(err, "a list of segments", sizeof base);
    arka_wal__unfinished_name(base, s->name);
    ARKA_TRY(arka_wal__path(s->dir, s->name, &path, err));
    s->fd = s->os->open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    arka_status status =
        s->fd < 0 ? arka_fail_sys(err, ARKA_IO, errno, "creating %s", path) : ARKA_OK;
    arka_free(path);
    s->heading =
        (arka_wal__heading){.base = base, .prev_lsn = s->last, .epoch = epoch, .lost_to = lost_to};
    s->run = (arka_wal__run){.open = false};
    s->bytes = 0;
    return status;
}

static arka_status end_piece(salvage *s, arka_error *err)
{
    if (s->fd < 0)
        return ARKA_OK;
    arka_ipc_write_eos(&s->group.heads);
    ARKA_TRY(write_out(s, err));
    ARKA_TRY(arka_wal__sync_fd(s->os, ARKA_WAL_FSYNC, s->fd, s->name, err));
    ARKA_IGNORE(s->os->close(s->fd)); /* it is synced */
    s->fd = -1;
    return ARKA_OK;
}

/* Which column has the field with id i + 1; *n: how many fields. */
static arka_status read_field_ids(const arka_wal__cursor *c, int16_t **out, int *n, arka_error *err)
{
    int n_fields;
    const arka_arrow_field *fields = arka_ipc_reader_fields(c->reader, &n_fields);
    int16_t *columns = arka_malloc(sizeof *columns * INT16_MAX);
    if (columns == NULL)
        return arka_fail_nomem(err, "field ids", sizeof *columns * INT16_MAX);
    *n = 0;
    for (int i = 0; i < n_fields; i++) {
        uint64_t id = 0;
        arka_slice text = arka_arrow_pairs_find(fields[i].metadata, ARKA_SLICE("PARQUET:field_id"));
        if (text.len == 0 || !arka_parse_u64(text.data, text.len, &id) || id == 0 || id > INT16_MAX)
            continue;
        while (*n < (int)id)
            columns[(*n)++] = -1;
        columns[id - 1] = (int16_t)i;
    }
    *out = columns;
    return ARKA_OK;
}

static arka_status put(salvage *s, const arka_wal__cursor *c, const arka_wal_entry *entry,
                       arka_error *err)
{
    if (!arka_wal__same_run(&s->run, entry))
        arka_wal__put_run(&s->group, &s->run, &s->heading, entry, s->bytes);
    arka_wal__put_record(&s->group, entry,
                         &(arka_wal__record_facts){
                             .ts_us = c->frame.ts_us,
                             .durable = c->frame.durable,
                             .run_at = s->run.at,
                             .group_end = true,
                         });
    return write_out(s, err);
}

/* The record that the cursor stands on, in a piece that it continues. */
static arka_status save(salvage *s, arka_wal__cursor *c, arka_error *err)
{
    arka_wal_record r;
    arka_batch *batch = NULL;
    int16_t *columns = NULL;
    ARKA_TRY(arka_wal__cursor_record(c, &r, &batch, err));
    arka_wal_entry entry = {
        .kind = r.kind,
        .lsn_first = r.lsn_first,
        .lsn_last = r.lsn_last,
        .table = {r.database, r.table, r.table_id, r.schema_id},
        .requests = r.requests,
        .event = r.event,
        .payload = r.payload,
    };
    arka_status status = ARKA_OK;
    if (s->fd < 0 || r.lsn_first != s->last + 1) {
        status = end_piece(s, err);
        if (status == ARKA_OK)
            status = begin_piece(s, r.lsn_first, r.epoch, 0, err);
    }
    if (status == ARKA_OK && r.kind == ARKA_WAL_ROWS) {
        status = arka_wal__cursor_batch(c, &batch, err);
        if (status == ARKA_OK)
            status = read_field_ids(c, &columns, &entry.n_fields, err);
        entry.batch = batch;
        entry.column_of_field = columns;
        if (status == ARKA_OK)
            entry.body_crc = arka_crc32c(batch->body, batch->body_bytes);
    }
    if (status == ARKA_OK)
        status = put(s, c, &entry, err);
    arka_batch_unref(batch);
    arka_free(columns);
    s->last = r.lsn_last;
    s->n_records++;
    s->n_rows += r.n_rows;
    return status;
}

static arka_status save_all(salvage *s, arka_wal__cursor *c, const arka_wal__found *f,
                            arka_error *err)
{
    arka_wal__step step = ARKA_WAL__SCHEMA;
    while (c->at < f->safe_at)
        ARKA_TRY(arka_wal__cursor_next(c, &step, err));
    for (;;) {
        ARKA_TRY(arka_wal__cursor_rescue(c, &step, err));
        if (step == ARKA_WAL__END)
            return end_piece(s, err);
        if (c->frame.lsn_first > s->last)
            ARKA_TRY(save(s, c, err));
    }
}

/* ---- what is set aside ---- */

/* {dir}/quarantine/{name}, or with .2, .3, … behind it when that is taken. */
static arka_status quarantine_path(const arka_os *os, const char *dir, const char *name, char **out,
                                   arka_error *err)
{
    arka_buf path = ARKA_BUF_INIT;
    arka_buf_printf(&path, "%s/" ARKA_WAL__QUARANTINE, dir);
    if (arka_buf_cstr(&path) == NULL)
        return arka_fail_nomem(err, "a path", path.len);
    arka_status status = arka_dir_make(os, path.data, err);
    arka_buf_printf(&path, "/%s", name);
    size_t n = path.len;
    for (int i = 2; status == ARKA_OK && arka_buf_cstr(&path) != NULL; i++) {
        if (access(path.data, F_OK) != 0)
            break;
        path.len = n;
        arka_buf_printf(&path, ".%d", i);
    }
    if (status == ARKA_OK && path.failed)
        status = arka_fail_nomem(err, "a path", n);
    if (status != ARKA_OK) {
        arka_buf_fini(&path);
        return status;
    }
    *out = path.data;
    return ARKA_OK;
}

static arka_status copy_range(arka_wal__input *in, int64_t from, arka_file *to, arka_error *err)
{
    while (from < in->size) {
        const char *bytes;
        size_t n = in->size - from < COPY_PIECE ? (size_t)(in->size - from) : COPY_PIECE;
        ARKA_TRY(arka_wal__input_get(in, from, n, &bytes, err));
        ARKA_TRY(arka_file_append(to, bytes, n, err));
        from += (int64_t)n;
    }
    return arka_file_sync(to, err);
}

/* The bytes of a segment from `from` on, as a file in the quarantine. */
static arka_status keep_bytes(const arka_os *os, const char *dir, arka_wal__input *in, int64_t from,
                              arka_error *err)
{
    char name[ARKA_WAL__NAME + 32], *path;
    arka_file *file = NULL;
    snprintf(name, sizeof name, "%s.at_%" PRId64, in->name, from);
    ARKA_TRY(quarantine_path(os, dir, name, &path, err));
    arka_status status = arka_file_create(os, path, &file, err);
    if (status == ARKA_OK)
        status = copy_range(in, from, file, err);
    if (status == ARKA_OK)
        status = arka_file_close(arka_take(file), err);
    arka_file_discard(file);
    if (status == ARKA_OK) {
        *strrchr(path, '/') = 0;
        status = arka_wal__sync_dir(os, path, err);
    }
    arka_free(path);
    return status;
}

arka_status arka_wal__move_away(const arka_os *os, const char *dir, const char *name,
                                arka_error *err)
{
    char *to, *from;
    ARKA_TRY(quarantine_path(os, dir, name, &to, err));
    arka_status status = arka_wal__path(dir, name, &from, err);
    if (status == ARKA_OK) {
        status = arka_file_publish(os, from, to, err);
        arka_free(from);
    }
    arka_free(to);
    return status == ARKA_OK ? arka_wal__sync_dir(os, dir, err) : status;
}

/* ---- putting it in place ---- */

static arka_status publish_one(const salvage *s, uint64_t base, arka_error *err)
{
    char from_name[sizeof s->name], to_name[ARKA_WAL__NAME], *from, *to;
    arka_wal__unfinished_name(base, from_name);
    arka_wal__name(base, to_name);
    ARKA_TRY(arka_wal__path(s->dir, from_name, &from, err));
    arka_status status = arka_wal__path(s->dir, to_name, &to, err);
    if (status == ARKA_OK) {
        status = arka_file_publish(s->os, from, to, err);
        arka_free(to);
    }
    arka_free(from);
    return status;
}

static const arka_wal__found *find(const arka_wal__scanned *scanned, uint64_t base)
{
    for (size_t i = 0; i < scanned->segments.n; i++)
        if (scanned->segments.items[i].base == base)
            return &scanned->segments.items[i];
    return NULL;
}

/*
 * From the last one to the first: until the first one, which says where the damaged segment ends,
 * is in place, the next scan finds the same damage, and all this is done again.
 */
static arka_status publish(const salvage *s, const arka_wal__scanned *scanned, arka_error *err)
{
    const arka_wal__found *f = &scanned->segments.items[scanned->corrupt];
    bool replaced = false;
    for (size_t i = s->made.n; i > 0; i--) {
        uint64_t base = s->made.items[i - 1];
        replaced |= base == f->base;
        if (base != f->base && find(scanned, base) != NULL)
            ARKA_TRY(arka_wal__move_away(s->os, s->dir, find(scanned, base)->name, err));
        ARKA_TRY(publish_one(s, base, err));
    }
    if (replaced)
        return ARKA_OK;
    if (f->safe_at > 0)
        return arka_wal__cut(s->os, s->dir, f->name, f->safe_at, f->open_run, err);
    ARKA_TRY(arka_wal__unlink(s->os, s->dir, f->name, err));
    return arka_wal__sync_dir(s->os, s->dir, err);
}

/* The LSN up to which there was something between the damage and what follows it. */
static uint64_t lost_to(const arka_wal__scanned *scanned, int i)
{
    uint64_t most = 0;
    for (; i < (int)scanned->segments.n; i++) {
        const arka_wal__found *f = &scanned->segments.items[i];
        if (i > scanned->corrupt && f->headed)
            return f->prev_lsn;
        most = f->max_lsn > most ? f->max_lsn : most;
    }
    return most;
}

/* A segment that only says that the numbers up to `to` are lost. */
static arka_status mark_lost(salvage *s, uint64_t to, arka_error *err)
{
    if (to <= s->last)
        return ARKA_OK;
    ARKA_TRY(begin_piece(s, s->last + 1, 0, to, err));
    arka_wal__put_run(&s->group, &s->run, &s->heading, &(arka_wal_entry){.kind = ARKA_WAL_CONTROL},
                      0);
    return end_piece(s, err);
}

/* The last LSN that counts before segment i's own records. */
static uint64_t last_before(const arka_wal__scanned *scanned, int i)
{
    const arka_wal__found *f = &scanned->segments.items[i];
    if (f->headed)
        return f->last_lsn;
    for (int k = 0; k < i; k++)
        if (scanned->segments.items[k].headed)
            return scanned->last_lsn;
    return f->base - 1;
}

static arka_status set_damage_aside(salvage *s, const arka_wal__scanned *scanned,
                                    arka_wal__cursor *c, char text[512], arka_error *err)
{
    int i = scanned->corrupt;
    const arka_wal__found *f = &scanned->segments.items[i];
    uint64_t before = s->last = last_before(scanned, i);
    ARKA_TRY(save_all(s, c, f, err));
    uint64_t lost = lost_to(scanned, i);
    ARKA_TRY(mark_lost(s, lost, err));
    ARKA_TRY(keep_bytes(s->os, s->dir, &c->in, f->safe_at, err));
    ARKA_TRY(publish(s, scanned, err));
    snprintf(text, 512,
             "%s is damaged at byte %" PRId64 " (%s): its bytes from %" PRId64 " to %" PRId64
             " are in " ARKA_WAL__QUARANTINE ", %" PRId64
             " rows behind the damage were saved, %" PRIu64 " LSNs are lost",
             f->name, f->bad_at, f->bad, f->safe_at, f->size, s->n_rows,
             (lost > s->last ? lost : s->last) - before - (uint64_t)s->n_rows);
    return ARKA_OK;
}

static arka_status set_gap_aside(salvage *s, const arka_wal__scanned *scanned, char text[512],
                                 arka_error *err)
{
    const arka_wal__found *f = &scanned->segments.items[scanned->corrupt];
    s->last = scanned->last_lsn;
    ARKA_TRY(mark_lost(s, f->prev_lsn, err));
    ARKA_TRY(publish_one(s, s->last + 1, err));
    snprintf(text, 512, "the LSNs from %" PRIu64 " to %" PRIu64 ", before %s, are missing",
             s->last + 1, f->prev_lsn, f->name);
    return ARKA_OK;
}

arka_status arka_wal__set_aside(const arka_os *os, const char *dir,
                                const arka_wal__scanned *scanned, char text[512], arka_error *err)
{
    const arka_wal__found *f = &scanned->segments.items[scanned->corrupt];
    salvage s = {.os = os, .dir = dir, .fd = -1};
    arka_status status;
    if (scanned->trouble == ARKA_WAL__CONFLICT || (f->misplaced && f->bad_at == 0)) {
        snprintf(text, 512, "%.400s: it was moved to " ARKA_WAL__QUARANTINE, scanned->text);
        return arka_wal__move_away(os, dir, f->name, err);
    }
    if (scanned->trouble == ARKA_WAL__GAP) {
        status = set_gap_aside(&s, scanned, text, err);
    } else {
        arka_wal__cursor c;
        status = arka_wal__cursor_open(os, dir, f->base, &c, err);
        if (status == ARKA_OK)
            status = set_damage_aside(&s, scanned, &c, text, err);
        arka_wal__cursor_close(&c);
    }
    salvage_fini(&s);
    return status;
}
