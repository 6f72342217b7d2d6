/**
 * What the disk below a directory can take, measured as the server uses it: whole files written in
 * large pieces and synced at their end, and appends that are synced one by one.
 */
#ifndef ARKA_CLI_BENCH_BENCH_DISK_H
#define ARKA_CLI_BENCH_BENCH_DISK_H

#include <stdatomic.h>
#include <stdio.h>

#include "cli/bench/bench_histogram.h"
#include "os/file.h"

typedef struct arka_bench_disk_options {
    const char *dir;
    const arka_os *os;       /* NULL: the real one */
    int64_t file_bytes;      /* of each of n_files */
    int64_t n_files;         /* at most; 0: leave this out */
    double seconds;          /* no file is begun after that; 0: all n_files */
    int64_t n_appends;       /* of each size; 0: leave this out */
    const atomic_bool *stop; /* ends it early; may be NULL */
} arka_bench_disk_options;

enum { ARKA_BENCH_DISK_SIZES = 2 };
extern const int arka_bench_disk_sizes[ARKA_BENCH_DISK_SIZES]; /* 4 KiB, 1 MiB */

typedef struct arka_bench_disk_result {
    int64_t n_bytes; /* of the files in all, each with its sync */
    double seconds;
    arka_histogram appends[ARKA_BENCH_DISK_SIZES]; /* ns of one append and its fdatasync */
} arka_bench_disk_result;

/** Its files go in a new directory below `dir` and are removed. ARKA_IO, ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_bench_disk_run(const arka_bench_disk_options *options,
                                              arka_bench_disk_result *out, arka_error *err);
/** Bytes a second of the files. */
double arka_bench_disk_bandwidth(const arka_bench_disk_result *result);
/** A table, or one JSON object. */
void arka_bench_disk_report(FILE *out, bool json, const arka_bench_disk_options *options,
                            const arka_bench_disk_result *result);

#endif
