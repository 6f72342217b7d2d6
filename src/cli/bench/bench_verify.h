/** Is every acknowledged row there, once? Asked over SQL after a run. */
#ifndef ARKA_CLI_BENCH_BENCH_VERIFY_H
#define ARKA_CLI_BENCH_BENCH_VERIFY_H

#include "cli/bench/bench_write.h"

typedef struct arka_bench_verdict {
    bool ok;
    int64_t n_acknowledged, n_found;  /* rows */
    int64_t n_unsure, n_unsure_found; /* requests without a clear answer; those that were stored */
    bool distinct;                    /* distinct times were counted too */
    char text[400];                   /* the verdict as a sentence */
} arka_bench_verdict;

/**
 * Compare the table with the run's ledgers: the number of rows, the sum and a sum of squares of
 * their numbers, and up to 20 million rows the number of distinct times. Requests without a clear
 * answer are looked for one by one and must be there whole or not at all. A difference is a verdict
 * that is not ok; an error is a query that could not be run.
 */
ARKA_MUST_USE arka_status arka_bench_verify(const arka_bench_write_options *options,
                                            const arka_bench_write_result *result,
                                            arka_bench_verdict *out, arka_error *err);

#endif
