/** Logs for tests: records of sample batches, and everything that recovery gives as one text. */
#ifndef TESTS_KIT_WAL_H
#define TESTS_KIT_WAL_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "kit/batch_text.h"
#include "kit/batches.h"
#include "kit/kit.h"
#include "wal/wal.h"

enum { KIT_WAL_FIELDS = 8 };
static const int16_t kit_wal_columns[KIT_WAL_FIELDS] = {0, 1, 2, 3, 4, 5, -1, -1};

/** A record of `batch` (borrowed) in table `db.name`, from LSN `lsn` on. */
static inline arka_wal_entry kit_wal_rows(uint64_t lsn, const char *name, int32_t schema_id,
                                          arka_batch *batch)
{
    return (arka_wal_entry){
        .kind = ARKA_WAL_ROWS,
        .lsn_first = lsn,
        .lsn_last = lsn + (uint64_t)batch->n_rows - 1,
        .ts_us = 1700000000000000 + (int64_t)lsn,
        .table = {.database = ARKA_SLICE("d.b"),
                  .table = arka_slice_of(name),
                  .table_id = arka_slice_of(name),
                  .schema_id = schema_id},
        .batch = batch,
        .column_of_field = kit_wal_columns,
        .n_fields = KIT_WAL_FIELDS,
        .body_crc = arka_crc32c(batch->body, batch->body_bytes),
    };
}

static inline arka_wal_entry kit_wal_control(uint64_t lsn, const char *event, const char *payload)
{
    return (arka_wal_entry){
        .kind = ARKA_WAL_CONTROL,
        .lsn_first = lsn,
        .lsn_last = lsn,
        .ts_us = 1700000000000000 + (int64_t)lsn,
        .event = arka_slice_of(event),
        .payload = arka_slice_of(payload),
    };
}

/** Removed with all in it, or not there. */
static inline const char *kit_wal_dir(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8], command[600];
    snprintf(path, sizeof paths[0], "%s/%s", kit_tmpdir(), name);
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal((system)(command), 0);
    return path;
}

/** What a log's events said last, and how many there were of each level. */
typedef struct kit_wal_events {
    int n[4];
    char last[256];
} kit_wal_events;

static inline void kit_wal_event(void *context, int level, const char *name, const char *text)
{
    kit_wal_events *events = context;
    events->n[level]++;
    snprintf(events->last, sizeof events->last, "%s: %s", name, text);
}

static inline arka_wal *kit_wal_open_os(const char *dir, const arka_os *os)
{
    arka_error err = {0};
    arka_wal_options options;
    arka_wal *wal;
    arka_wal_options_default(&options);
    options.dir = dir;
    options.os = os;
    ASSERT_OK(arka_wal_open(&options, &wal, &err));
    return wal;
}

/* ---- what recovery gives ---- */

typedef struct kit_wal_found {
    arka_buf text;     /* a line for each record */
    bool cells;        /* with all its cells */
    uint64_t last_lsn; /* records must come in order, each once */
    int64_t n_records, n_rows;
    arka_wal_recovered recovered;
    long stop_after; /* records; 0: never */
} kit_wal_found;

static inline void kit_wal_found_fini(kit_wal_found *found)
{
    arka_buf_fini(&found->text);
}

static inline void kit_wal_cells(const arka_wal_record *record, arka_buf *out)
{
    arka_error err = {0};
    arka_batch *batch;
    ASSERT_OK(arka_wal_record_batch(record, &batch, &err));
    assert_non_null(batch);
    assert_null(batch_fault(batch));
    assert_int_equal(batch->n_rows, record->n_rows);
    batch_text(batch, out);
    arka_batch_unref(batch);
}

static inline arka_status kit_wal_take(void *context, const arka_wal_record *record,
                                       arka_error *err)
{
    kit_wal_found *found = context;
    if (found->stop_after > 0 && found->n_records == found->stop_after)
        return arka_fail(err, ARKA_NOMEM, "the reader had enough");
    assert_true(record->lsn_first > found->last_lsn);
    assert_true(record->lsn_last - record->lsn_first + 1 == (uint64_t)record->n_rows);
    found->last_lsn = record->lsn_last;
    found->n_records++;
    found->n_rows += record->n_rows;
    arka_buf_printf(&found->text, "%llu-%llu ", (unsigned long long)record->lsn_first,
                    (unsigned long long)record->lsn_last);
    if (record->kind == ARKA_WAL_CONTROL)
        arka_buf_printf(&found->text, "%.*s(%.*s)", ARKA_FMT(record->event),
                        ARKA_FMT(record->payload));
    else
        arka_buf_printf(&found->text, "%.*s/%.*s#%.*s:%d", ARKA_FMT(record->database),
                        ARKA_FMT(record->table), ARKA_FMT(record->table_id), record->schema_id);
    if (record->requests.len > 0)
        arka_buf_printf(&found->text, " req=%.*s", ARKA_FMT(record->requests));
    if (found->cells && record->kind == ARKA_WAL_ROWS) {
        arka_buf_text(&found->text, " ");
        kit_wal_cells(record, &found->text);
    }
    arka_buf_text(&found->text, "\n");
    return ARKA_OK;
}

/** Recovery of an open log. */
static inline arka_status kit_wal_recover(arka_wal *wal, kit_wal_found *out, arka_error *err)
{
    arka_wal_reader reader = {.context = out, .record = kit_wal_take};
    arka_buf_clear(&out->text);
    out->last_lsn = 0;
    out->n_records = out->n_rows = 0;
    arka_status status = arka_wal_recover(wal, &reader, &out->recovered, err);
    if (status == ARKA_OK) {
        assert_int_equal(out->recovered.n_records, out->n_records);
        assert_int_equal(out->recovered.n_rows, out->n_rows);
        assert_true(out->n_records == 0 || out->recovered.last_lsn == out->last_lsn);
        assert_true(out->recovered.max_lsn >= out->recovered.last_lsn);
    }
    return status;
}

/** Opens, recovers, closes. */
static inline arka_status kit_wal_read(const char *dir, kit_wal_found *out, arka_error *err)
{
    arka_wal_options options;
    arka_wal *wal;
    arka_wal_options_default(&options);
    options.dir = dir;
    arka_status status = arka_wal_open(&options, &wal, err);
    if (status != ARKA_OK)
        return status;
    status = kit_wal_recover(wal, out, err);
    arka_wal_drop(wal);
    return status;
}

/** Its text; the caller frees it. NULL and a failed test when it cannot be read. */
static inline char *kit_wal_text(const char *dir, bool cells)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = cells};
    ASSERT_OK(kit_wal_read(dir, &found, &err));
    char *text = strdup(found.text.len == 0 ? "" : arka_buf_cstr(&found.text));
    kit_wal_found_fini(&found);
    return text;
}

/** A log in `dir` that can be appended to from `next_lsn` on. */
static inline arka_wal *kit_wal_begin_os(const char *dir, const arka_os *os, uint64_t next_lsn)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = false};
    arka_wal *wal = kit_wal_open_os(dir, os);
    ASSERT_OK(kit_wal_recover(wal, &found, &err));
    ASSERT_OK(arka_wal_begin(wal, next_lsn, 1, &err));
    kit_wal_found_fini(&found);
    return wal;
}

static inline arka_wal *kit_wal_begin(const char *dir, uint64_t next_lsn)
{
    return kit_wal_begin_os(dir, NULL, next_lsn);
}

/* ---- segments as bytes ---- */

static inline char *kit_wal_segment(const char *dir, uint64_t base)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/segment_%020llu.arrow", dir, (unsigned long long)base);
    return path;
}

static inline char *kit_wal_load(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *n = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*n + 1);
    assert_int_equal(fread(bytes, 1, *n, file), *n);
    fclose(file);
    return bytes;
}

static inline void kit_wal_store(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

#endif
