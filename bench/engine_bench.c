/*
 * The engine under loads that are hard on it: single-row writes, many tables with few rows, a
 * backfill over many hours. `engine_bench [small|tables|hours] [n]`, data in a directory that it
 * removes. On request only: `engine_bench steady [tables] [seconds] [age of a flush in seconds]`,
 * tables that get a row a second each, with the log.
 */
#include <dirent.h>
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

/* ---- a row a second to each of many tables ---- */

enum { SENDERS = 4, PER_REQUEST = 100 };

typedef struct senders {
    arka_engine *engine;
    int n_tables, seconds;
    char (*names)[24];
    atomic_int next;
    atomic_int_fast64_t worst_ns, late_ns; /* of a request; of a round, against its second */
} senders;

static void raise_to(atomic_int_fast64_t *most, int64_t ns)
{
    int_fast64_t seen = atomic_load(most);
    while (ns > seen && !atomic_compare_exchange_weak(most, &seen, ns)) {
    }
}

static void send_rows(senders *s, int first, int n, int64_t time)
{
    arka_error err = {0};
    arka_put_batch batches[PER_REQUEST];
    for (int i = 0; i < n; i++)
        batches[i] = (arka_put_batch){.measurement = arka_slice_of(s->names[first + i]),
                                      .batch = make_rows(time, 0, 1)};
    arka_mono start = arka_mono_now();
    bench_must(arka_engine_write(s->engine, ARKA_SLICE("default"), batches, (size_t)n, false, &err),
               &err);
    raise_to(&s->worst_ns, arka_mono_since_ns(start));
    for (int i = 0; i < n; i++)
        arka_batch_unref(batches[i].batch);
}

static void send_steadily(void *context)
{
    senders *s = context;
    int me = atomic_fetch_add(&s->next, 1), share = s->n_tables / SENDERS;
    arka_mono begin = arka_mono_now();
    for (int second = 0; second < s->seconds; second++) {
        for (int t = 0; t < share; t += PER_REQUEST)
            send_rows(s, me * share + t, share - t < PER_REQUEST ? share - t : PER_REQUEST,
                      T0 + second * INT64_C(1000000));
        int64_t left = begin.ns + (second + 1) * INT64_C(1000000000) - arka_mono_now().ns;
        if (left > 0)
            usleep((useconds_t)(left / 1000));
        else
            raise_to(&s->late_ns, -left);
    }
}

/* CPU seconds of the threads of that name, from /proc. */
static double cpu_of_threads(const char *name)
{
    double ticks = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *d; tasks != NULL && (d = readdir(tasks)) != NULL;) {
        char path[320], comm[64] = "";
        unsigned long user = 0, system = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", d->d_name);
        FILE *f = fopen(path, "r");
        if (f == NULL)
            continue;
        int n = fscanf(f, "%*d (%63[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", comm,
                       &user, &system);
        fclose(f);
        if (n == 3 && strcmp(comm, name) == 0)
            ticks += (double)(user + system);
    }
    if (tasks != NULL)
        closedir(tasks);
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

static arka_status find_oldest(void *context, const arka_table_info *info, arka_error *err)
{
    int64_t *oldest = context;
    (void)err;
    *oldest = info->hot_age_ms > *oldest ? info->hot_age_ms : *oldest;
    return ARKA_OK;
}

static void report_steady(const senders *s, const arka_engine_stats *before,
                          const arka_engine_stats *after, double seconds, double flusher_s)
{
    arka_wal_stats log;
    arka_error err = {0};
    int64_t oldest_ms = 0;
    double minutes = seconds / 60, files = (double)(after->flush_files - before->flush_files);
    arka_wal_get_stats(arka_engine_wal(s->engine), &log);
    bench_must(arka_engine_each_table(s->engine, (arka_slice){0}, find_oldest, &oldest_ms, &err),
               &err);
    printf("steady: %lld rows into %d tables in %.0f s: %.0f files and %.0f commits a minute, "
           "oldest row %.1f s\n",
           (long long)(after->rows_written - before->rows_written), s->n_tables, seconds,
           files / minutes, (double)(after->flush_groups - before->flush_groups) / minutes,
           (double)oldest_ms / 1e3);
    printf("steady: flusher %.1f %% of a core, %.2f ms a file; requests of %d rows at most "
           "%.0f ms, rounds at most %.0f ms late; log %lld MiB in %lld segments\n",
           flusher_s / seconds * 100, files > 0 ? flusher_s * 1e3 / files : 0, PER_REQUEST,
           (double)atomic_load(&s->worst_ns) / 1e6, (double)atomic_load(&s->late_ns) / 1e6,
           (long long)log.n_bytes >> 20, (long long)log.n_segments);
}

static void bench_steady(int n_tables, int seconds, int age_s)
{
    arka_error err = {0};
    char base[64], manifest[64], wal[64];
    snprintf(base, sizeof base, "%s/steady/data", dir);
    snprintf(manifest, sizeof manifest, "%s/steady/arc.db", dir);
    snprintf(wal, sizeof wal, "%s/steady/wal", dir);
    arka_engine_options o;
    arka_engine_options_default(&o);
    o.base_path = base;
    o.manifest_path = manifest;
    o.wal_dir = wal;
    arka_engine_options_flush(&o);
    o.flush_age_ms = age_s > 0 ? age_s * INT64_C(1000) : o.flush_age_ms;
    senders s = {.n_tables = n_tables / SENDERS * SENDERS, .seconds = seconds};
    s.names = arka_calloc((size_t)n_tables, sizeof *s.names);
    bench_must(arka_engine_open(&o, &s.engine, &err), &err);
    arka_mono start = arka_mono_now();
    for (int t = 0; t < n_tables; t++) {
        snprintf(s.names[t], sizeof s.names[t], "table_%05d", t);
        put(s.engine, s.names[t], make_rows(T0 - 1, 0, 1));
    }
    printf("steady: %d tables made in %.1f s\n", n_tables, arka_mono_since_ms(start) / 1e3);
    arka_engine_stats before, after;
    arka_thread threads[SENDERS];
    double flusher_s = cpu_of_threads("flusher");
    arka_engine_get_stats(s.engine, &before);
    start = arka_mono_now();
    for (int i = 0; i < SENDERS; i++)
        bench_must(arka_thread_start(&threads[i], "sender", send_steadily, &s, &err), &err);
    for (int i = 0; i < SENDERS; i++)
        arka_thread_join(&threads[i]);
    double took_s = arka_mono_since_ms(start) / 1e3;
    arka_engine_get_stats(s.engine, &after);
    report_steady(&s, &before, &after, took_s, cpu_of_threads("flusher") - flusher_s);
    start = arka_mono_now();
    bench_must(arka_engine_close(s.engine, &err), &err);
    printf("steady: close %.1f s\n", arka_mono_since_ms(start) / 1e3);
    arka_free(s.names);
}

static int number(int argc, char **argv, int at, int otherwise)
{
    int n = argc > at ? (int)strtol(argv[at], NULL, 10) : 0;
    return n > 0 ? n : otherwise;
}

int main(int argc, char **argv)
{
    if (mkdtemp(dir) == NULL)
        return 1;
    atexit(clean_up);
    const char *only = argc > 1 ? argv[1] : "";
    if (only[0] == 0 || strcmp(only, "small") == 0)
        bench_small();
    if (only[0] == 0 || strcmp(only, "tables") == 0)
        bench_tables(number(argc, argv, 2, 1000));
    if (only[0] == 0 || strcmp(only, "hours") == 0)
        bench_hours(number(argc, argv, 2, 10000));
    if (strcmp(only, "steady") == 0)
        bench_steady(number(argc, argv, 2, 10000), number(argc, argv, 3, 60),
                     number(argc, argv, 4, 0));
    return 0;
}
