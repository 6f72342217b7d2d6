/*
 * The engine under three loads that are hard on it: single-row writes, many tables with few rows,
 * a backfill over many hours. `engine_bench [small|tables|hours]`, data in a directory that it
 * removes.
 */
#include <ftw.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/civil.h"
#include "columnar/rows.h"
#include "engine/engine.h"
#include "kit.h"
#include "os/thread.h"

static const int64_t T0 = INT64_C(1767607200000000); /* 2026-01-05T10:00:00Z */
static char dir[] = "/tmp/arka-bench-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void clean_up(void)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static arka_engine *open_engine(int64_t flush_age_ms)
{
    static int n;
    static char base[64], manifest[64];
    snprintf(base, sizeof base, "%s/%d/data", dir, ++n);
    snprintf(manifest, sizeof manifest, "%s/%d/arc.db", dir, n);
    arka_engine_options o;
    arka_engine_options_default(&o);
    o.base_path = base;
    o.manifest_path = manifest;
    o.flush_rows = INT64_MAX;
    o.flush_age_ms = flush_age_ms;
    o.hot_limit_bytes = (size_t)8 << 30;
    arka_error err = {0};
    arka_engine *e;
    bench_must(arka_engine_open(&o, &e, &err), &err);
    return e;
}

/* n rows as a line-protocol client sends them: two tags, three doubles. */
static arka_batch *make_rows(int64_t time, int64_t step, int64_t n)
{
    static const char *const FIELDS[] = {"usage_user", "usage_system", "usage_idle"};
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *batch;
    bench_must(arka_rows_new(false, &rows, &err), &err);
    int host = arka_rows_column(rows, ARKA_SLICE("host"), true, ARKA_TYPE_NONE, -1, &err);
    int region = arka_rows_column(rows, ARKA_SLICE("region"), true, ARKA_TYPE_NONE, -1, &err);
    int fields[3];
    for (int f = 0; f < 3; f++)
        fields[f] =
            arka_rows_column(rows, arka_slice_of(FIELDS[f]), false, ARKA_TYPE_NONE, -1, &err);
    for (int64_t i = 0; i < n; i++) {
        bool ok = arka_rows_put_text(rows, host, ARKA_SLICE("server-017")) == ARKA_PUT_OK &&
                  arka_rows_put_text(rows, region, ARKA_SLICE("eu-west")) == ARKA_PUT_OK;
        for (int f = 0; f < 3; f++)
            ok = ok && arka_rows_put_f64(rows, fields[f], (double)(i + f) / 3) == ARKA_PUT_OK;
        if (!ok || !arka_rows_end(rows, time + i * step))
            exit(1);
    }
    bench_must(arka_rows_seal(rows, &batch, &err), &err);
    return batch;
}

static void put(arka_engine *e, const char *table, arka_batch *take_batch)
{
    arka_error err = {0};
    arka_put_batch one = {.measurement = arka_slice_of(table), .batch = take_batch};
    bench_must(arka_engine_write(e, ARKA_SLICE("default"), &one, 1, false, &err), &err);
    bench_must(one.status, &one.error);
    arka_batch_unref(take_batch);
}

static double flush_ms(arka_engine *e)
{
    arka_error err = {0};
    int64_t n;
    arka_mono start = arka_mono_now();
    bench_must(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err), &err);
    return arka_mono_since_ms(start);
}

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* ---- single rows ---- */

enum { WRITERS = 2, SINGLE_ROWS = 200000 };

typedef struct writers {
    arka_engine *engine;
    arka_batch **batches;
    atomic_int next;
} writers;

static void write_singles(void *context)
{
    writers *w = context;
    int me = atomic_fetch_add(&w->next, 1);
    for (int i = me; i < SINGLE_ROWS; i += WRITERS) {
        put(w->engine, "cpu", w->batches[i]);
        w->batches[i] = NULL;
    }
}

static void bench_small(void)
{
    writers w = {.engine = open_engine(INT64_MAX / 1000000)};
    size_t before = in_use();
    w.batches = arka_calloc(SINGLE_ROWS, sizeof *w.batches);
    arka_mono start = arka_mono_now();
    for (int i = 0; i < SINGLE_ROWS; i++)
        w.batches[i] = make_rows(T0 + i * INT64_C(25), 0, 1);
    printf("small: made %.0f ns a batch\n", arka_mono_since_ms(start) * 1e6 / SINGLE_ROWS);
    arka_thread threads[WRITERS];
    arka_error err = {0};
    start = arka_mono_now();
    for (int i = 0; i < WRITERS; i++)
        bench_must(arka_thread_start(&threads[i], "writer", write_singles, &w, &err), &err);
    for (int i = 0; i < WRITERS; i++)
        arka_thread_join(&threads[i]);
    double ms = arka_mono_since_ms(start);
    arka_free(w.batches);
    arka_engine_stats stats;
    arka_engine_get_stats(w.engine, &stats);
    printf("small: %d writers, %d single-row batches: %.0f ns a write; %.0f bytes a row in use, "
           "%.0f accounted\n",
           WRITERS, SINGLE_ROWS, ms * 1e6 * WRITERS / SINGLE_ROWS,
           (double)(in_use() - before) / SINGLE_ROWS, (double)stats.hot_bytes / SINGLE_ROWS);
    arka_snapshot *s;
    start = arka_mono_now();
    bench_must(arka_engine_snapshot(w.engine, ARKA_SLICE("default"), ARKA_SLICE("cpu"), &s, &err),
               &err);
    printf("small: snapshot %.3f ms, %lld hot batches\n", arka_mono_since_ms(start),
           (long long)s->n_hot_batches);
    arka_snapshot_unref(s);
    printf("small: flush %.1f ms\n", flush_ms(w.engine));
    bench_must(arka_engine_close(w.engine, &err), &err);
}

/* ---- many tables ---- */

static void bench_tables(int n_tables)
{
    arka_error err = {0};
    arka_engine *e = open_engine(INT64_MAX / 1000000);
    char name[32];
    arka_mono start = arka_mono_now();
    for (int round = 0; round < 3; round++)
        for (int t = 0; t < n_tables; t++) {
            snprintf(name, sizeof name, "table_%05d", t);
            put(e, name, make_rows(T0 + round, 0, 1));
        }
    printf("tables: %d made, 3 rows each: %.1f s; %.0f bytes a table in use\n", n_tables,
           arka_mono_since_ms(start) / 1e3, (double)in_use() / n_tables);
    int64_t cpu = arka_cpu_process_ns();
    start = arka_mono_now();
    usleep(2000000);
    printf("tables: the flusher's looks cost %.2f %% of a core\n",
           (double)(arka_cpu_process_ns() - cpu) / (double)arka_mono_since_ns(start) * 100);
    printf("tables: flush of all %.1f s\n", flush_ms(e) / 1e3);
    start = arka_mono_now();
    bench_must(arka_engine_close(e, &err), &err);
    printf("tables: close %.1f ms\n", arka_mono_since_ms(start));
}

/* ---- many hours ---- */

enum { PER_BATCH = 1000 };

static void bench_hours(int n_hours)
{
    arka_error err = {0};
    arka_engine *e = open_engine(INT64_MAX / 1000000);
    for (int b = 0; b < n_hours * 10 / PER_BATCH; b++)
        put(e, "backfill",
            make_rows(T0 - (int64_t)n_hours * ARKA_US_PER_HOUR +
                          b * (PER_BATCH * ARKA_US_PER_HOUR / 10),
                      ARKA_US_PER_HOUR / 10, PER_BATCH));
    int64_t cpu = arka_cpu_process_ns();
    double ms = flush_ms(e);
    printf("hours: %d hours of 10 rows each: flush %.1f s, %.1f s of CPU\n", n_hours, ms / 1e3,
           (double)(arka_cpu_process_ns() - cpu) / 1e9);
    bench_must(arka_engine_close(e, &err), &err);
}

int main(int argc, char **argv)
{
    if (mkdtemp(dir) == NULL)
        return 1;
    atexit(clean_up);
    const char *only = argc > 1 ? argv[1] : "";
    int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (only[0] == 0 || strcmp(only, "small") == 0)
        bench_small();
    if (only[0] == 0 || strcmp(only, "tables") == 0)
        bench_tables(n > 0 ? n : 1000);
    if (only[0] == 0 || strcmp(only, "hours") == 0)
        bench_hours(n > 0 ? n : 10000);
    return 0;
}
