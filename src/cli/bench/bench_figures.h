/**
 * What the server counts about itself (GET /api/v1/write/stats and /api/v1/metrics/memory), so that
 * a run can tell what its rows cost in the log and in Parquet.
 */
#ifndef ARKA_CLI_BENCH_BENCH_FIGURES_H
#define ARKA_CLI_BENCH_BENCH_FIGURES_H

#include "cli/bench/bench_server.h"

typedef struct arka_bench_figures {
    bool known;                                    /* false: it did not say; all else is 0 */
    bool has_log;                                  /* the log is on */
    int64_t rows_in, rows_flushed;                 /* taken since its start; written to Parquet */
    int64_t files_written, file_bytes;             /* Parquet, since its start */
    int64_t hot_bytes, hot_limit_bytes, n_refused; /* unflushed rows; writes refused for memory */
    int64_t log_bytes, log_syncs;                  /* since its start */
    int64_t memory_limit_bytes; /* that the process may have in all; 0: it does not say */
    double oldest_s;            /* age of the oldest unflushed row */
} arka_bench_figures;

/** Never fails: a server that does not tell is no error of a bench. */
void arka_bench_figures_read(const arka_bench_server *server, arka_bench_figures *out);
/** From the answer's text. */
void arka_bench_figures_parse(arka_slice json, arka_bench_figures *out);

/** Bytes of the log by rows taken, of Parquet by rows flushed, between two looks; 0: none. */
double arka_bench_figures_log_bytes_per_row(const arka_bench_figures *before,
                                            const arka_bench_figures *after);
double arka_bench_figures_file_bytes_per_row(const arka_bench_figures *before,
                                             const arka_bench_figures *after);

#endif
