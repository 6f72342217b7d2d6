/** The options of `arc bench write` and `arc bench query`: one table for parsing and for the help.
 */
#ifndef ARKA_CLI_BENCH_OPTIONS_H
#define ARKA_CLI_BENCH_OPTIONS_H

#include <stdio.h>

#include "base/status.h"

typedef enum arka_bench_mode {
    ARKA_BENCH_WRITE = 1,
    ARKA_BENCH_QUERY = 2,
} arka_bench_mode;

/* Numbers are int64_t and words their index, so that the table can point at them. */
typedef struct arka_bench_options {
    const char *url, *token, *database;
    int64_t n_connections, n_threads, server_pid;
    int64_t n_rows; /* write: of a request; query: of the table that is loaded */
    double seconds; /* write: in all; query: of each query */
    double warmup_s;
    int64_t n_requests; /* 0: by seconds */
    int64_t n_pool;     /* 0: as suits the format */
    int64_t workload, format, coding,
        values;        /* arka_workload_kind, arka_payload_format, …_coding */
    const char *table; /* query: an existing one, or what to call the loaded one */
    const char *only;  /* query: those whose name contains it */
    bool load, no_flush, no_verify, same_text, json;
} arka_bench_options;

/**
 * argv: the options only. Texts are borrowed from argv or the environment (ARC_URL, ARC_TOKEN).
 * ARKA_INPUT names the option.
 */
ARKA_MUST_USE arka_status arka_bench_options_parse(arka_bench_options *o, arka_bench_mode mode,
                                                   int argc, char **argv, arka_error *err);
/** One line an option. */
void arka_bench_options_help(arka_bench_mode mode, FILE *out);

#endif
