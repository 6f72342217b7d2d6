/*
 * What does the log cost? CRC-32C beside memcpy; append and sync of one row, of 64 requests of one
 * row, of a batch of 45 KB; the same append alone; recovery of a log of large and of small records.
 *
 *     wal_bench [DIR] [MiB]     the directory to write in, and how large the logs for recovery are
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "columnar/block.h"
#include "kit.h"
#include "os/clock.h"
#include "wal/wal.h"

enum { N_COLUMNS = 8, ROUNDS = 15, ROUND_NS = 10000000, CRC_BYTES = 45 << 10, SYNCS = 400 };
static const int16_t COLUMNS[N_COLUMNS] = {0, 1, 2, 3, 4, 5, 6, 7};

/* time, six DOUBLE, and host: VARCHAR of 8 bytes. */
static arka_batch *sample(int64_t n)
{
    arka_error err = {0};
    arka_block *block;
    arka_batch *batch;
    int c;
    bench_must(arka_block_new(n, 0, &block, &err), &err);
    for (int k = 0; k < N_COLUMNS; k++) {
        char name[8];
        int len = snprintf(name, sizeof name, k == 0 ? "time" : "c%d", k);
        arka_type type = k == 0               ? ARKA_TIMESTAMPTZ
                         : k == N_COLUMNS - 1 ? ARKA_VARCHAR
                                              : ARKA_DOUBLE;
        bench_must(arka_block_add(block, (arka_slice){name, (size_t)len}, type, false, &c, &err),
                   &err);
        for (int64_t i = 0; i < n; i++) {
            if (type == ARKA_VARCHAR) {
                memcpy(arka_block_text_reserve(block, c, 8), "host0007", 8);
                arka_block_text_advance(block, c, 8);
                ((int32_t *)arka_block_values(block, c))[i + 1] = (int32_t)(i + 1) * 8;
            } else if (type == ARKA_DOUBLE) {
                ((double *)arka_block_values(block, c))[i] = (double)(i * 7919 % 10007) / 100;
            } else {
                ((int64_t *)arka_block_values(block, c))[i] = 1700000000000000 + i * 1000;
            }
        }
    }
    bench_must(arka_block_seal(block, 0, &batch, &err), &err);
    return batch;
}

/* ---- checksums ---- */

static char crc_bytes[CRC_BYTES], crc_copy[CRC_BYTES];
static volatile uint32_t sink;

static void run_crc(void *context)
{
    sink = arka_crc32c(crc_bytes, CRC_BYTES);
}

static void run_portable(void *context)
{
    sink = arka_crc32c_portable(0, crc_bytes, CRC_BYTES);
}

static void run_copy(void *context)
{
    memcpy(crc_copy, crc_bytes, CRC_BYTES);
    __asm__ volatile("" : : "r"(crc_copy) : "memory");
}

static void show_crc(const char *name, void (*run)(void *context))
{
    bench_rounds r = bench_measure(arka_cpu_thread_ns, ROUNDS, ROUND_NS, run, NULL);
    printf("  %-28s %7.2f GB/s\n", name, CRC_BYTES / r.least);
}

/* ---- writing ---- */

typedef struct writer {
    arka_wal *wal;
    uint64_t lsn;
    arka_batch *batch;
    int n; /* records of a group */
    bool sync;
} writer;

static void empty_dir(const char *dir)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if ((system)(command) != 0)
        fprintf(stderr, "%s is not empty\n", dir);
}

static arka_status no_record(void *context, const arka_wal_record *record, arka_error *err)
{
    return ARKA_OK;
}

static arka_wal *begin(const char *dir)
{
    arka_error err = {0};
    arka_wal_options options;
    arka_wal *wal;
    arka_wal_recovered recovered;
    arka_wal_reader reader = {.record = no_record};
    empty_dir(dir);
    arka_wal_options_default(&options);
    options.dir = dir;
    bench_must(arka_wal_open(&options, &wal, &err), &err);
    bench_must(arka_wal_recover(wal, &reader, &recovered, &err), &err);
    bench_must(arka_wal_begin(wal, 1, 1, &err), &err);
    return wal;
}

static void write_group(void *context)
{
    writer *w = context;
    arka_error err = {0};
    arka_wal_entry entries[64];
    for (int i = 0; i < w->n; i++) {
        entries[i] = (arka_wal_entry){
            .kind = ARKA_WAL_ROWS,
            .lsn_first = w->lsn,
            .lsn_last = w->lsn + (uint64_t)w->batch->n_rows - 1,
            .ts_us = 1700000000000000,
            .table = {ARKA_SLICE("telemetry"), ARKA_SLICE("sensors"),
                      ARKA_SLICE("6c1f9b0a-3f07-4f5e-8f1c-2f6f0f1f9b11"), 1},
            .batch = w->batch,
            .column_of_field = COLUMNS,
            .n_fields = N_COLUMNS,
            .body_crc = arka_crc32c(w->batch->body, w->batch->body_bytes),
        };
        w->lsn = entries[i].lsn_last + 1;
    }
    bench_must(arka_wal_append(w->wal, entries, (size_t)w->n, &err), &err);
    if (w->sync)
        bench_must(arka_wal_sync(w->wal, &err), &err);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void show_write(const char *dir, const char *name, int64_t rows, int n)
{
    writer w = {.wal = begin(dir), .lsn = 1, .batch = sample(rows), .n = n, .sync = true};
    static int64_t took[SYNCS];
    arka_wal_stats stats;
    for (int i = 0; i < SYNCS; i++) {
        int64_t before = bench_wall_ns();
        write_group(&w);
        took[i] = bench_wall_ns() - before;
    }
    qsort(took, SYNCS, sizeof *took, by_size);
    arka_wal_get_stats(w.wal, &stats);
    w.sync = false;
    bench_rounds cpu = bench_measure(arka_cpu_thread_ns, 5, ROUND_NS, write_group, &w);
    arka_wal_stats after;
    arka_wal_get_stats(w.wal, &after);
    printf("  %-28s p50 %7.0f us, p99 %7.0f us, of it the sync %7.0f us; "
           "append alone %7.2f us of CPU, %5.0f bytes a record, body %zu\n",
           name, (double)took[SYNCS / 2] / 1e3, (double)took[SYNCS * 99 / 100] / 1e3,
           (double)stats.sync_ns / (double)stats.syncs / 1e3, cpu.least / 1e3,
           (double)after.bytes / (double)after.records, w.batch->body_bytes);
    arka_wal_drop(w.wal);
    arka_batch_unref(w.batch);
}

/* ---- recovery ---- */

static arka_status decode(void *context, const arka_wal_record *record, arka_error *err)
{
    arka_batch *batch;
    arka_status status = arka_wal_record_batch(record, &batch, err);
    if (status == ARKA_OK)
        arka_batch_unref(batch);
    return status;
}

static void show_recovery(const char *dir, const char *name, int64_t rows, int n, int64_t bytes)
{
    arka_error err = {0};
    arka_wal_options options;
    arka_wal_stats stats = {0};
    arka_wal *wal;
    arka_wal_recovered found;
    writer w = {.wal = begin(dir), .lsn = 1, .batch = sample(rows), .n = n};
    while (stats.bytes < bytes) {
        for (int i = 0; i < 64; i++)
            write_group(&w);
        bench_must(arka_wal_sync(w.wal, &err), &err);
        arka_wal_get_stats(w.wal, &stats);
    }
    arka_wal_drop(w.wal);
    arka_wal_options_default(&options);
    options.dir = dir;
    int64_t before = bench_wall_ns(), cpu = arka_cpu_thread_ns();
    bench_must(arka_wal_open(&options, &wal, &err), &err);
    bench_must(arka_wal_recover(wal, &(arka_wal_reader){.record = decode}, &found, &err), &err);
    double s = (double)(bench_wall_ns() - before) / 1e9;
    double cpu_s = (double)(arka_cpu_thread_ns() - cpu) / 1e9;
    arka_wal_drop(wal);
    printf("  %-28s %7.0f MB/s: %.0f MB, %lld records, %lld rows in %.2f s, of it %.2f s of CPU\n",
           name, (double)found.n_bytes / s / 1e6, (double)found.n_bytes / 1e6,
           (long long)found.n_records, (long long)found.n_rows, s, cpu_s);
    arka_batch_unref(w.batch);
    empty_dir(dir);
}

int main(int argc, char **argv)
{
    char dir[512];
    int64_t bytes = (argc > 2 ? strtoll(argv[2], NULL, 10) : 256) << 20;
    snprintf(dir, sizeof dir, "%s/wal_bench.%d", argc > 1 ? argv[1] : "/tmp", (int)getpid());
    for (size_t i = 0; i < CRC_BYTES; i++)
        crc_bytes[i] = (char)bench_random();
    puts("CRC-32C of 45 KiB in the cache");
    show_crc("with instructions", run_crc);
    show_crc("without", run_portable);
    show_crc("memcpy", run_copy);
    puts("append and sync");
    show_write(dir, "1 record of 1 row", 1, 1);
    show_write(dir, "64 records of 1 row", 1, 64);
    show_write(dir, "1 record of 45 KB", 700, 1);
    puts("recovery with decoding");
    show_recovery(dir, "records of 45 KB", 700, 1, bytes);
    show_recovery(dir, "records of 1 row", 1, 64, bytes);
    return 0;
}
