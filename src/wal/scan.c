/* A segment's messages, verified one after the other. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/number.h"
#include "wal/wal_priv.h"

enum { PREFIX = 8, TEXT = 16 };

arka_status arka_wal__cursor_open(const arka_os *os, const char *dir, uint64_t base,
                                  arka_wal__cursor *out, arka_error *err)
{
    char name[ARKA_WAL__NAME];
    arka_wal__name(base, name);
    *out = (arka_wal__cursor){.base = base, .expect = base};
    return arka_wal__input_open(os, dir, name, &out->in, err);
}

void arka_wal__cursor_close(arka_wal__cursor *cursor)
{
    arka_ipc_reader_free(cursor->reader);
    cursor->reader = NULL;
    arka_buf_fini(&cursor->schema);
    arka_wal__input_close(&cursor->in);
}

static arka_wal__step bad(arka_wal__cursor *c, const char *format, ...) ARKA_PRINTF(2, 3);
static arka_wal__step bad(arka_wal__cursor *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->bad, sizeof c->bad, format, args);
    va_end(args);
    return ARKA_WAL__BAD;
}

/* ---- a message and its checksums ---- */

static bool hex8(const char *text, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < 8; i++) {
        int digit = arka_hex_digit(text[i]);
        if (digit < 0 ||
            (text[i] >= 'A' && text[i] <= 'F')) /* one way to write it: all is checked */
            return false;
        v = v << 4 | (uint32_t)digit;
    }
    *out = v;
    return true;
}

/* Looked for from the end, where we write it. */
static arka_slice find_crc(const arka_ipc_message *m)
{
    for (uint32_t i = m->n_pairs; i > 0; i--) {
        arka_arrow_pair pair = arka_ipc_message_pair(m, i - 1);
        if (arka_slice_eq(pair.key, ARKA_SLICE("arka:crc")))
            return pair.value;
    }
    return (arka_slice){NULL, 0};
}

/* Files that people make begin with text ("PAR1", "#!/bin/sh"), what a disk leaves does not. */
static bool is_text(const char *p, size_t n)
{
    bool text = n > 0;
    for (size_t i = 0; i < n && i < 4; i++)
        text &= p[i] >= ' ' && p[i] <= '~';
    for (size_t i = 4; i < n; i++)
        text &= (p[i] >= ' ' && p[i] <= '~') || p[i] == '\n' || p[i] == '\r' || p[i] == '\t';
    return text;
}

/*
 * The message at `at`, whose metadata is whole and right; *body_crc: what its body must have. *ok
 * is false when there is none, then c->bad says why.
 */
static arka_status read_head(arka_wal__cursor *c, int64_t at, arka_ipc_message *m,
                             int64_t *body_bytes, uint32_t *body_crc, bool *ok, arka_error *err)
{
    const char *p;
    uint32_t words[2], crc;
    arka_error why = {0};
    int64_t left = c->in.size - at;
    *ok = false;
    if (left < PREFIX) {
        bad(c, "%" PRId64 " bytes are no whole message", left);
        return ARKA_OK;
    }
    size_t n_text = left < TEXT ? (size_t)left : TEXT;
    ARKA_TRY(arka_wal__input_get(&c->in, at, at == 0 ? n_text : PREFIX, &p, err));
    memcpy(words, p, sizeof words);
    if (at == 0) {
        c->garbage = words[0] != 0 && words[0] != UINT32_MAX;
        c->foreign = is_text(p, c->garbage ? n_text : 0);
    }
    if (words[0] != UINT32_MAX || words[1] % 8 != 0 || words[1] > ARKA_WAL__METADATA ||
        words[1] > left - PREFIX) {
        bad(c, "%08" PRIx32 " %08" PRIx32 " begins no message", words[0], words[1]);
        return ARKA_OK;
    }
    size_t n = PREFIX + words[1];
    ARKA_TRY(arka_wal__input_get(&c->in, at, n, &p, err));
    arka_status status = arka_ipc_message_read_head((arka_slice){p, n}, NULL, m, body_bytes, &why);
    if (status == ARKA_NOMEM)
        return arka_wal__hand_on(&why, err);
    if (status != ARKA_OK) {
        bad(c, "its metadata is damaged (%s)", why.msg);
        return ARKA_OK;
    }
    *ok = true;
    if (m->kind == ARKA_IPC_EOS)
        return ARKA_OK;
    arka_slice text = find_crc(m);
    *ok = text.len == ARKA_WAL__CRC_TEXT && hex8(text.data, body_crc) &&
          hex8(text.data + 8, &crc) && crc == arka_wal__head_crc(p, n, (size_t)(text.data - p));
    if (!*ok)
        bad(c, text.len == 0 ? "its metadata has no checksum" : "its metadata fails its checksum");
    if (at == 0)
        c->foreign = text.len == 0;
    return ARKA_OK;
}

/* The message at `at` with its body, all of it right. */
static arka_status read_message(arka_wal__cursor *c, int64_t at, arka_ipc_message *m, bool *ok,
                                arka_error *err)
{
    const char *p;
    int64_t body;
    uint32_t crc = 0;
    ARKA_TRY(read_head(c, at, m, &body, &crc, ok, err));
    if (!*ok || body == 0) {
        if (*ok && crc != 0) {
            bad(c, "it has no body, but a checksum of one");
            *ok = false;
        }
        return ARKA_OK;
    }
    size_t head = m->frame_bytes;
    if (body > c->in.size - at - (int64_t)head) {
        bad(c, "its body of %" PRId64 " bytes is cut off", body);
        *ok = false;
        return ARKA_OK;
    }
    ARKA_TRY(arka_wal__input_get(&c->in, at, head + (size_t)body, &p, err));
    m->metadata.data = p + PREFIX; /* the window may have moved */
    m->body = (arka_slice){p + head, (size_t)body};
    m->frame_bytes += (size_t)body;
    *ok = arka_crc32c(m->body.data, m->body.len) == crc;
    if (!*ok)
        bad(c, "its body fails its checksum");
    return ARKA_OK;
}

/* ---- the head of a run ---- */

static bool u64_of(arka_arrow_pairs pairs, arka_slice key, uint64_t *out)
{
    arka_slice text = arka_arrow_pairs_find(pairs, key);
    return text.len > 0 && arka_parse_u64(text.data, text.len, out);
}

static arka_status check_version(const arka_wal__cursor *c, arka_arrow_pairs pairs, arka_error *err)
{
    uint64_t version = 0;
    arka_slice text = arka_arrow_pairs_find(pairs, ARKA_SLICE("arka:wal"));
    if (text.data == NULL)
        return arka_fail(err, ARKA_INPUT, "%s is an Arrow stream, but no segment of a log",
                         c->in.name);
    if (!arka_parse_u64(text.data, text.len, &version) || version != ARKA_WAL__VERSION)
        return arka_fail(err, ARKA_INPUT,
                         "%s is of version %.*s of the log's format, this program reads %d: "
                         "it was written by a newer one",
                         c->in.name, ARKA_FMT(text), ARKA_WAL__VERSION);
    return ARKA_OK;
}

static bool read_facts(arka_arrow_pairs pairs, arka_wal__run_facts *out)
{
    int64_t schema_id = 0;
    arka_slice id = arka_arrow_pairs_find(pairs, ARKA_SLICE("arka:schema_id"));
    arka_slice type = arka_arrow_pairs_find(pairs, ARKA_SLICE("arka:table_type"));
    out->full_name = arka_arrow_pairs_find(pairs, ARKA_SLICE("arka:table"));
    out->database = arka_arrow_pairs_find(pairs, ARKA_SLICE("arka:database"));
    out->table_id = arka_arrow_pairs_find(pairs, ARKA_SLICE("arka:table_id"));
    out->kind = ARKA_WAL_CONTROL;
    u64_of(pairs, ARKA_SLICE("arka:lost_to"), &out->lost_to);
    if (!u64_of(pairs, ARKA_SLICE("arka:epoch"), &out->epoch) ||
        !u64_of(pairs, ARKA_SLICE("arka:segment"), &out->base) ||
        !u64_of(pairs, ARKA_SLICE("arka:prev_lsn"), &out->prev_lsn) || id.len == 0 ||
        !arka_parse_i64(id.data, id.len, &schema_id) || schema_id < 0 || schema_id > INT32_MAX)
        return false;
    out->schema_id = (int32_t)schema_id;
    if (arka_slice_eq(type, ARKA_SLICE("control")))
        return true;
    size_t skip = out->database.len + 1;
    if (out->database.len == 0 || out->full_name.len <= skip ||
        memcmp(out->full_name.data, out->database.data, out->database.len) != 0 ||
        out->full_name.data[skip - 1] != '.')
        return false;
    out->kind = ARKA_WAL_ROWS;
    out->table = (arka_slice){out->full_name.data + skip, out->full_name.len - skip};
    return arka_slice_eq(type, ARKA_SLICE("append"));
}

/* `message` begins a run; it is copied, since it must outlive the window. */
static arka_status take_schema(arka_wal__cursor *c, const arka_ipc_message *m, arka_wal__step *out,
                               arka_error *err)
{
    arka_error why = {0};
    arka_ipc_reader_free(c->reader);
    c->reader = NULL;
    c->in_run = false;
    arka_buf_clear(&c->schema);
    arka_buf_append(&c->schema, m->metadata.data - PREFIX, m->frame_bytes);
    if (c->schema.failed)
        return arka_fail_nomem(err, "the head of a run", m->frame_bytes);
    arka_slice stream = {c->schema.data, c->schema.len};
    arka_status status = arka_ipc_reader_new(stream, 0, NULL, &c->reader, &why);
    if (status == ARKA_NOMEM)
        return arka_wal__hand_on(&why, err);
    if (status != ARKA_OK) {
        *out = bad(c, "its schema cannot be read (%s)", why.msg);
        return ARKA_OK;
    }
    arka_arrow_pairs pairs = arka_ipc_reader_metadata(c->reader);
    arka_wal__run_facts run = {.at = c->at};
    ARKA_TRY(check_version(c, pairs, err));
    if (!read_facts(pairs, &run)) {
        *out = bad(c, "its metadata does not say which table it is of");
        return ARKA_OK;
    }
    if (run.base != c->base) {
        c->misplaced = c->at == 0;
        *out = bad(c, "it belongs to the segment that begins with LSN %" PRIu64, run.base);
        return ARKA_OK;
    }
    c->run = run;
    c->in_run = c->headed = true;
    *out = ARKA_WAL__SCHEMA;
    return ARKA_OK;
}

/* ---- a record ---- */

static bool take_number(arka_wal__frame *f, arka_slice key, arka_slice value, unsigned *have)
{
    uint64_t *out = arka_slice_eq(key, ARKA_SLICE("lsn_first"))  ? &f->lsn_first
                    : arka_slice_eq(key, ARKA_SLICE("lsn_last")) ? &f->lsn_last
                    : arka_slice_eq(key, ARKA_SLICE("durable"))  ? &f->durable
                                                                 : NULL;
    if (out != NULL) {
        *have += 1;
        return arka_parse_u64(value.data, value.len, out);
    }
    int64_t *signed_out = arka_slice_eq(key, ARKA_SLICE("ts"))    ? &f->ts_us
                          : arka_slice_eq(key, ARKA_SLICE("run")) ? &f->run_at
                                                                  : NULL;
    return signed_out == NULL || arka_parse_i64(value.data, value.len, signed_out);
}

/* What the pairs of a record say; false: something is missing or no number. */
static bool read_record(const arka_ipc_message *m, arka_wal__frame *f)
{
    unsigned have = 0;
    f->run_at = -1;
    for (uint32_t i = 0; i < m->n_pairs; i++) {
        arka_arrow_pair pair = arka_ipc_message_pair(m, i);
        if (pair.key.len < 5 || memcmp(pair.key.data, "arka:", 5) != 0)
            continue;
        arka_slice key = {pair.key.data + 5, pair.key.len - 5};
        if (arka_slice_eq(key, ARKA_SLICE("table")))
            f->table = pair.value;
        else if (arka_slice_eq(key, ARKA_SLICE("req")))
            f->requests = pair.value;
        else if (arka_slice_eq(key, ARKA_SLICE("group_end")))
            f->group_end = arka_slice_eq(pair.value, ARKA_SLICE("1"));
        else if (!take_number(f, key, pair.value, &have))
            return false;
    }
    f->n_rows = arka_ipc_message_rows(m);
    return have == 3 && f->lsn_first > 0 && f->lsn_last >= f->lsn_first && f->n_rows > 0 &&
           f->lsn_last - f->lsn_first + 1 == (uint64_t)f->n_rows;
}

static arka_wal__step take_batch(arka_wal__cursor *c, const arka_ipc_message *m)
{
    arka_wal__frame f = {.at = c->at, .bytes = (int64_t)m->frame_bytes, .message = *m};
    if (!c->in_run)
        return bad(c, "a record without the head of its run");
    if (!read_record(m, &f))
        return bad(c, "its LSNs do not fit its rows");
    if (!arka_slice_eq(f.table, c->run.full_name) || (f.run_at >= 0 && f.run_at != c->run.at))
        return bad(c, "a record of another run (%.*s)", ARKA_FMT(f.table));
    c->misplaced = f.lsn_first != c->expect && f.lsn_first >= c->base;
    if (f.lsn_first != c->expect)
        return bad(c, "its first LSN is %" PRIu64 ", expected %" PRIu64, f.lsn_first, c->expect);
    c->frame = f;
    c->in_group = !f.group_end;
    c->expect = f.lsn_last + 1;
    return ARKA_WAL__BATCH;
}

static arka_status take_message(arka_wal__cursor *c, const arka_ipc_message *m, arka_wal__step *out,
                                arka_error *err)
{
    switch (m->kind) {
    case ARKA_IPC_SCHEMA:
        if (!c->in_run)
            return take_schema(c, m, out, err);
        *out = bad(c, "a run begins before the end mark of the one before it");
        return ARKA_OK;
    case ARKA_IPC_BATCH:
        *out = take_batch(c, m);
        return ARKA_OK;
    case ARKA_IPC_EOS:
        *out = c->in_run ? ARKA_WAL__EOS : bad(c, "an end mark without a run");
        c->in_run = false;
        return ARKA_OK;
    case ARKA_IPC_DICTIONARY:
        break;
    }
    *out = bad(c, "a dictionary, which no log has");
    return ARKA_OK;
}

arka_status arka_wal__cursor_next(arka_wal__cursor *c, arka_wal__step *out, arka_error *err)
{
    arka_ipc_message m = {.kind = ARKA_IPC_EOS};
    bool ok;
    if (c->at == c->in.size) {
        *out = ARKA_WAL__END;
        return ARKA_OK;
    }
    ARKA_TRY(read_message(c, c->at, &m, &ok, err));
    if (!ok) {
        *out = ARKA_WAL__BAD;
        return ARKA_OK;
    }
    ARKA_TRY(take_message(c, &m, out, err));
    if (*out != ARKA_WAL__BAD)
        c->at += (int64_t)m.frame_bytes;
    return ARKA_OK;
}

/* Could a message begin here? Reads no more than its prefix. */
static arka_status may_begin(arka_wal__cursor *c, int64_t at, bool *out, arka_error *err)
{
    const char *p;
    uint32_t words[2];
    ARKA_TRY(arka_wal__input_get(&c->in, at, PREFIX, &p, err));
    memcpy(words, p, sizeof words);
    *out = words[0] == UINT32_MAX && words[1] != 0 && words[1] % 8 == 0 &&
           words[1] <= ARKA_WAL__METADATA && words[1] <= c->in.size - at - PREFIX;
    return ARKA_OK;
}

arka_status arka_wal__cursor_search(arka_wal__cursor *c, arka_wal__step *out, arka_error *err)
{
    for (int64_t at = (c->at + 7) & ~INT64_C(7); at <= c->in.size - PREFIX; at += 8) {
        arka_ipc_message m;
        arka_wal__frame f = {.at = at};
        bool ok;
        ARKA_TRY(may_begin(c, at, &ok, err));
        if (!ok)
            continue;
        ARKA_TRY(read_message(c, at, &m, &ok, err));
        if (!ok || (m.kind != ARKA_IPC_SCHEMA && m.kind != ARKA_IPC_BATCH))
            continue;
        if (m.kind == ARKA_IPC_BATCH && !read_record(&m, &f))
            continue;
        f.bytes = (int64_t)m.frame_bytes;
        f.message = m;
        c->frame = f;
        c->at = at + f.bytes;
        *out = m.kind == ARKA_IPC_SCHEMA ? ARKA_WAL__SCHEMA : ARKA_WAL__BATCH;
        return ARKA_OK;
    }
    c->at = c->in.size;
    *out = ARKA_WAL__END;
    return ARKA_OK;
}

arka_status arka_wal__cursor_rescue(arka_wal__cursor *c, arka_wal__step *out, arka_error *err)
{
    for (;;) {
        arka_wal__step step;
        ARKA_TRY(arka_wal__cursor_search(c, out, err));
        const int64_t at = c->frame.at, end = c->at;
        if (*out == ARKA_WAL__END ||
            (*out == ARKA_WAL__BATCH && c->in_run && c->frame.run_at == c->run.at &&
             arka_slice_eq(c->frame.table, c->run.full_name)))
            return ARKA_OK;
        if (*out != ARKA_WAL__SCHEMA)
            continue;
        c->at = at;
        c->in_run = false;
        ARKA_TRY(arka_wal__cursor_next(c, &step, err));
        c->at = end;
    }
}
