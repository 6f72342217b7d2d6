/** The query bench: a set of queries over one table, each in its formats, again and again. */
#ifndef ARKA_CLI_BENCH_BENCH_QUERY_H
#define ARKA_CLI_BENCH_BENCH_QUERY_H

#include "cli/bench/bench_options.h"
#include "cli/bench/bench_report.h"

typedef struct arka_bench_query_options {
    const arka_bench_server *server;
    const char *table;
    const char *only; /* NULL: all */
    int n_connections;
    double seconds; /* for each; at least 3 runs */
    bool same_text; /* otherwise every run has a comment of its own */
    bool json;
    arka_bench_process *process;
    atomic_bool *stop;
} arka_bench_query_options;

/**
 * Run the set once and report each on stdout; *n_failed counts queries that did not answer as they
 * must. Before a query is timed its answer is read and its rows are counted. Errors: the table
 * cannot be read at all.
 */
ARKA_MUST_USE arka_status arka_bench_query_set(const arka_bench_query_options *options,
                                               const char *phase, int *n_failed, arka_error *err);

#endif
