/**
 * The verbs of `arc bench` that need a file of their own. Each reports on stdout; *ok: everything
 * that must hold did (rows are where they were acknowledged to be; figures are not judged). Errors:
 * it could not be measured.
 */
#ifndef ARKA_CLI_BENCH_BENCH_VERBS_H
#define ARKA_CLI_BENCH_BENCH_VERBS_H

#include "cli/bench/bench_setup.h"

/** The same load without and with the log, in turn, each time on a new server of our own. */
ARKA_MUST_USE arka_status arka_bench_compare(arka_bench *b, bool *ok, arka_error *err);
/** The peak with few connections, then more than that over many, whatever comes back. */
ARKA_MUST_USE arka_status arka_bench_overload(arka_bench *b, bool *ok, arka_error *err);
/** After each 204 a query on another connection must see the row, under a load beside. */
ARKA_MUST_USE arka_status arka_bench_visible(arka_bench *b, bool *ok, arka_error *err);
/** Write a log, kill the server, start it again: how long until it is ready? */
ARKA_MUST_USE arka_status arka_bench_recovery(arka_bench *b, bool *ok, arka_error *err);
/** Many measurements with a row a second each. */
ARKA_MUST_USE arka_status arka_bench_tables(arka_bench *b, bool *ok, arka_error *err);

#endif
