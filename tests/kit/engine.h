/** An engine in a directory of the test's own, and short ways to write to it. */
#ifndef TESTS_KIT_ENGINE_H
#define TESTS_KIT_ENGINE_H

#include "columnar/rows.h"
#include "engine/engine.h"
#include "kit/kit.h"

/** Options for {tmp}/{name}; no flush by itself unless the test sets one. Strings live for ever. */
static inline arka_engine_options kit_engine_options(const char *name)
{
    static char base[8][256], manifest[8][256];
    static int next;
    int i = next++ % 8;
    snprintf(base[i], sizeof base[i], "%s/%s/data", kit_tmpdir(), name);
    snprintf(manifest[i], sizeof manifest[i], "%s/%s/arc.db", kit_tmpdir(), name);
    arka_engine_options o;
    arka_engine_options_default(&o);
    o.base_path = base[i];
    o.manifest_path = manifest[i];
    o.flush_age_ms = INT64_MAX / 1000000;
    o.flush_rows = INT64_MAX;
    o.disk_reserve_bytes = o.ballast_bytes = 0; /* whatever disk the tests run on */
    return o;
}

/** n rows: time start_us + i × step_us, v = i (DOUBLE), host "h<i % 3>". */
static inline arka_batch *kit_rows(int64_t start_us, int64_t step_us, int64_t n)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *batch;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int host = arka_rows_column(rows, ARKA_SLICE("host"), true, ARKA_TYPE_NONE, -1, &err);
    int v = arka_rows_column(rows, ARKA_SLICE("v"), false, ARKA_TYPE_NONE, -1, &err);
    for (int64_t i = 0; i < n; i++) {
        char name[] = {'h', (char)('0' + i % 3)};
        assert_int_equal(arka_rows_put_text(rows, host, (arka_slice){name, 2}), ARKA_PUT_OK);
        assert_int_equal(arka_rows_put_f64(rows, v, (double)i), ARKA_PUT_OK);
        assert_true(arka_rows_end(rows, start_us + i * step_us));
    }
    ASSERT_OK(arka_rows_seal(rows, &batch, &err));
    return batch;
}

/** Write one batch and let it go; the status of the batch. */
static inline arka_status kit_write(arka_engine *engine, const char *database, const char *table,
                                    arka_batch *take_batch, arka_error *err)
{
    arka_put_batch put = {.measurement = arka_slice_of(table), .batch = take_batch};
    arka_status status = arka_engine_write(engine, arka_slice_of(database), &put, 1, false, err);
    arka_batch_unref(take_batch);
    if (status == ARKA_OK && put.status != ARKA_OK) {
        if (err != NULL)
            *err = put.error;
        return put.status;
    }
    return status;
}

static inline arka_snapshot *kit_snapshot(arka_engine *engine, const char *database,
                                          const char *table)
{
    arka_error err = {0};
    arka_snapshot *snapshot;
    ASSERT_OK(arka_engine_snapshot(engine, arka_slice_of(database), arka_slice_of(table), &snapshot,
                                   &err));
    return snapshot;
}

/** Rows that a snapshot shows, hot and in files. */
static inline int64_t kit_snapshot_rows(const arka_snapshot *s)
{
    int64_t n = s->n_hot_rows;
    for (int64_t i = 0; i < s->n_files; i++)
        n += s->files[i]->n_rows;
    return n;
}

#endif
