#include "engine/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/json.h"

enum { FORMAT_VERSION = 1, MAX_BYTES = 1 << 28 };

/* What stands before the checksum, which covers all above it. */
#define CRC_KEY ",\"crc\":\""
/* Numbers above it are strings: readers of JSON may take numbers for doubles. */
static const uint64_t MAX_NUMBER = UINT64_C(1) << 53;

void arka_checkpoint_fini(arka_checkpoint *checkpoint)
{
    arka_vec_fini(&checkpoint->tables);
    arka_arena_fini(&checkpoint->arena);
}

/* ---- writing ---- */

static void put_lsn(arka_buf *out, uint64_t lsn)
{
    arka_buf_printf(out, lsn > MAX_NUMBER ? "\"%" PRIu64 "\"" : "%" PRIu64, lsn);
}

static void put_text(arka_buf *out, const arka_checkpoint *c)
{
    arka_buf_printf(out, "{\"checkpoint\":{\"version\":%d,\"wal_lsn\":", FORMAT_VERSION);
    put_lsn(out, c->wal_lsn);
    arka_buf_literal(out, ",\"pinned_lsn\":");
    put_lsn(out, c->pinned_lsn);
    arka_buf_literal(out, ",\"epoch\":");
    put_lsn(out, c->epoch);
    arka_buf_printf(out, ",\"timestamp\":%lld,\"clean\":%s,\"tables\":{", (long long)c->written_us,
                    c->clean ? "true" : "false");
    for (size_t i = 0; i < c->tables.n; i++) {
        arka_buf_text(out, i ? ",\n" : "\n");
        arka_json_string(out, c->tables.items[i].uuid);
        arka_buf_byte(out, ':');
        put_lsn(out, c->tables.items[i].flushed_lsn);
    }
    arka_buf_literal(out, "}");
    uint32_t crc = arka_crc32c(out->data, out->len);
    arka_buf_printf(out, CRC_KEY "%08" PRIx32 "\"}}\n", crc);
}

static arka_status write_file(const arka_os *os, const char *path, const arka_buf *text,
                              arka_error *err)
{
    ARKA_AUTO(arka_file) file = NULL;
    ARKA_IGNORE(arka_file_remove(os, path, NULL)); /* of a process that died over it */
    ARKA_TRY(arka_file_create(os, path, &file, err));
    ARKA_TRY(arka_file_append(file, text->data, text->len, err));
    ARKA_TRY(arka_file_sync(file, err));
    return arka_file_close(arka_take(file), err);
}

arka_status arka_checkpoint_write(const arka_os *os, const char *path,
                                  const arka_checkpoint *checkpoint, arka_error *err)
{
    arka_buf text = ARKA_BUF_INIT, fresh = ARKA_BUF_INIT;
    put_text(&text, checkpoint);
    arka_buf_printf(&fresh, "%s.new", path);
    arka_status status = ARKA_OK;
    if (arka_buf_cstr(&text) == NULL || arka_buf_cstr(&fresh) == NULL)
        status = arka_fail_nomem(err, "a checkpoint", text.len);
    if (status == ARKA_OK)
        status = write_file(os, fresh.data, &text, err);
    if (status == ARKA_OK)
        status = arka_file_publish(os, fresh.data, path, err);
    arka_buf_fini(&text);
    arka_buf_fini(&fresh);
    return status;
}

/* ---- reading: only what was written above, whose checksum was found right ---- */

typedef struct scan {
    const char *path;
    const char *start, *at, *end;
} scan;

static arka_status fail_form(const scan *s, const char *expected, arka_error *err)
{
    return arka_fail(err, ARKA_CORRUPT, "checkpoint %s: at byte %lld, expected %s", s->path,
                     (long long)(s->at - s->start), expected);
}

static bool skip(scan *s, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n) != 0)
        return false;
    s->at += n;
    return true;
}

static arka_status expect(scan *s, const char *text, arka_error *err)
{
    return skip(s, text) ? ARKA_OK : fail_form(s, text, err);
}

static arka_status read_digits(scan *s, uint64_t *out, arka_error *err)
{
    const char *first = s->at;
    *out = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        uint64_t digit = (uint64_t)(*s->at - '0');
        if (*out > (UINT64_MAX - digit) / 10)
            return fail_form(s, "a number below 2^64", err);
        *out = *out * 10 + digit;
    }
    return s->at > first ? ARKA_OK : fail_form(s, "a number", err);
}

static arka_status read_lsn(scan *s, const char *key, uint64_t *out, arka_error *err)
{
    ARKA_TRY(expect(s, key, err));
    bool quoted = skip(s, "\"");
    ARKA_TRY(read_digits(s, out, err));
    return quoted ? expect(s, "\"", err) : ARKA_OK;
}

static arka_status read_time(scan *s, int64_t *out, arka_error *err)
{
    uint64_t us;
    ARKA_TRY(expect(s, ",\"timestamp\":", err));
    bool before_1970 = skip(s, "-");
    ARKA_TRY(read_digits(s, &us, err));
    if (us > INT64_MAX)
        return fail_form(s, "a time", err);
    *out = before_1970 ? -(int64_t)us : (int64_t)us;
    return ARKA_OK;
}

static arka_status read_table(scan *s, arka_checkpoint *out, arka_error *err)
{
    arka_checkpoint_table t;
    ARKA_TRY(expect(s, "\n\"", err));
    t.uuid.data = s->at;
    while (s->at < s->end && *s->at != '"' && *s->at != '\\')
        s->at++;
    t.uuid.len = (size_t)(s->at - t.uuid.data);
    ARKA_TRY(read_lsn(s, "\":", &t.flushed_lsn, err));
    t.uuid.data = arka_arena_strndup(&out->arena, t.uuid.data, t.uuid.len);
    if (t.uuid.data == NULL || !arka_vec_push(&out->tables, t))
        return arka_fail_nomem(err, "a checkpoint", sizeof t);
    return ARKA_OK;
}

static arka_status read_body(scan *s, arka_checkpoint *out, arka_error *err)
{
    ARKA_TRY(read_lsn(s, ",\"wal_lsn\":", &out->wal_lsn, err));
    ARKA_TRY(read_lsn(s, ",\"pinned_lsn\":", &out->pinned_lsn, err));
    ARKA_TRY(read_lsn(s, ",\"epoch\":", &out->epoch, err));
    ARKA_TRY(read_time(s, &out->written_us, err));
    ARKA_TRY(expect(s, ",\"clean\":", err));
    out->clean = skip(s, "true");
    if (!out->clean)
        ARKA_TRY(expect(s, "false", err));
    ARKA_TRY(expect(s, ",\"tables\":{", err));
    if (s->at < s->end && *s->at == '\n')
        do
            ARKA_TRY(read_table(s, out, err));
        while (skip(s, ","));
    ARKA_TRY(expect(s, "}", err));
    return s->at == s->end ? ARKA_OK : fail_form(s, "its checksum", err);
}

/* Where the checksum's key begins, if it is right. */
static arka_status check_sum(scan *s, arka_error *err)
{
    enum { TAIL = sizeof CRC_KEY - 1 + 8 + sizeof "\"}}\n" - 1 };
    char want[TAIL + 1];
    size_t n = (size_t)(s->end - s->start);
    if (n < TAIL)
        return arka_fail(err, ARKA_CORRUPT, "checkpoint %s has only %zu bytes", s->path, n);
    s->end -= TAIL;
    uint32_t crc = arka_crc32c(s->start, n - TAIL);
    snprintf(want, sizeof want, CRC_KEY "%08" PRIx32 "\"}}\n", crc);
    if (memcmp(s->end, want, TAIL) != 0)
        return arka_fail(err, ARKA_CORRUPT,
                         "checkpoint %s: its bytes have the checksum %08" PRIx32
                         ", which does not stand at its end",
                         s->path, crc);
    return ARKA_OK;
}

static arka_status read_all(scan *s, arka_checkpoint *out, arka_error *err)
{
    uint64_t version;
    ARKA_TRY(check_sum(s, err));
    ARKA_TRY(read_lsn(s, "{\"checkpoint\":{\"version\":", &version, err));
    if (version > FORMAT_VERSION)
        return arka_fail(err, ARKA_INPUT,
                         "checkpoint %s has version %" PRIu64
                         ", this program knows versions up to %d: it was written by a newer one",
                         s->path, version, FORMAT_VERSION);
    return read_body(s, out, err);
}

arka_status arka_checkpoint_read(const char *path, arka_checkpoint *out, arka_error *err)
{
    char *text;
    size_t n;
    *out = (arka_checkpoint){0};
    ARKA_TRY(arka_file_read(path, MAX_BYTES, &text, &n, err));
    scan s = {.path = path, .start = text, .at = text, .end = text + n};
    arka_status status = read_all(&s, out, err);
    arka_free(text);
    return status;
}

bool arka_checkpoint_is_ahead(const arka_checkpoint *checkpoint, uint64_t last_lsn, uint64_t epoch,
                              char *out, size_t cap)
{
    if (checkpoint->epoch > epoch)
        snprintf(out, cap,
                 "the checkpoint is of start %" PRIu64 ", the manifest knows of %" PRIu64
                 " starts: it is older than the checkpoint",
                 checkpoint->epoch, epoch);
    else if (checkpoint->wal_lsn > last_lsn)
        snprintf(out, cap,
                 "the checkpoint says that row %" PRIu64
                 " was in the log; log and files end at row %" PRIu64,
                 checkpoint->wal_lsn, last_lsn);
    else
        return false;
    return true;
}
