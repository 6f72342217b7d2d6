/** Results as people read them, or one JSON object each for scripts. */
#ifndef ARKA_CLI_BENCH_BENCH_REPORT_H
#define ARKA_CLI_BENCH_BENCH_REPORT_H

#include <stdio.h>

#include "cli/bench/bench_rows.h"
#include "cli/bench/bench_verify.h"

/** verdict: NULL when the rows were not verified. */
void arka_bench_report_write(FILE *out, bool json, const arka_bench_write_options *options,
                             const arka_bench_write_result *result,
                             const arka_bench_verdict *verdict);

/** One query in one format, run again and again. */
typedef struct arka_bench_query_result {
    const char *phase, *name;
    int64_t n_files; /* of the table, -1: unknown */
    arka_answer_format format;
    int n_connections;
    int64_t n_runs, n_failed;
    double seconds;  /* of all runs together */
    int64_t n_rows;  /* of one answer */
    int64_t n_bytes; /* of one answer's body */
    arka_histogram latency;
    int64_t server_cpu_ns; /* of all runs; 0: unknown */
    char first_error[600];
} arka_bench_query_result;

/**
 * The heading of the table of queries; nothing in JSON. n_files: Parquet files that the table has
 * by now, -1 when unknown.
 */
void arka_bench_report_query_head(FILE *out, bool json, const char *table, int64_t n_rows,
                                  int64_t n_files);
void arka_bench_report_query(FILE *out, bool json, const arka_bench_query_result *result);

#endif
