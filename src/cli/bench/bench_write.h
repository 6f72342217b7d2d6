/** One timed run of writes, in one or more threads, and what came of it. */
#ifndef ARKA_CLI_BENCH_BENCH_WRITE_H
#define ARKA_CLI_BENCH_BENCH_WRITE_H

#include "cli/bench/bench_figures.h"
#include "cli/bench/bench_histogram.h"
#include "cli/bench/bench_http.h"
#include "cli/bench/bench_ledger.h"
#include "cli/bench/bench_payload.h"
#include "cli/bench/bench_process.h"
#include "cli/bench/bench_server.h"

typedef struct arka_bench_write_options {
    const arka_bench_server *server;
    arka_payload_options payload;
    int n_connections;
    int n_threads;               /* at most n_connections */
    double seconds;              /* of measuring; 0: until n_requests */
    double warmup_s;             /* before measuring; its rows are verified too, but not counted */
    int64_t n_requests;          /* in all, shared out evenly; 0: until `seconds` */
    double rate;                 /* requests a second, answered or not; 0: as answers come */
    const char *durability;      /* asked for in each request; NULL: not said */
    int n_pool;                  /* different bodies per thread beside those under way */
    int64_t base_us;             /* time of row 0 */
    int64_t step_us;             /* from a row to the next */
    bool flush;                  /* flush at the end, timed by itself */
    arka_bench_process *process; /* the server's, possibly absent */
    atomic_bool *stop;           /* set from a signal handler to end early */
    void (*tick)(void *context); /* called about every 100 ms by one of the threads; may be NULL */
    void *context;
} arka_bench_write_options;

enum { ARKA_BENCH_STATUSES = 600 };

typedef struct arka_bench_write_result {
    double seconds; /* from the end of the warm-up to the last answer */
    double flush_s;
    /* acknowledged while measuring */
    int64_t n_requests, n_rows, wire_bytes, raw_bytes;
    arka_histogram latency; /* ns, acknowledged requests */
    arka_histogram refused; /* ns, those answered with 503 */
    arka_histogram late;    /* ns, with `rate`: sent after it was due */
    /* of the whole run */
    int64_t n_missed; /* with `rate`: due while every connection waited for an answer, not sent */
    int64_t n_status[ARKA_BENCH_STATUSES]; /* [0]: no answer */
    bool gave_up;                          /* ended by an answer that repeating would not change */
    char first_error[300];
    int64_t n_distinct_bodies; /* compressed: times repeat after so many requests; else 0 */
    /* while measuring; the server's are 0 when unknown */
    int64_t generator_cpu_ns, server_cpu_ns, server_flush_cpu_ns;
    arka_bench_figures before, after; /* what the server counts; after the flush */
    arka_ledger *ledgers;             /* of every thread */
    int n_ledgers;
} arka_bench_write_result;

/** ARKA_IO when the server cannot be reached; refused and failed requests are part of the result.
 */
ARKA_MUST_USE arka_status arka_bench_write_run(const arka_bench_write_options *options,
                                               arka_bench_write_result *result, arka_error *err);
void arka_bench_write_result_fini(arka_bench_write_result *result);

#endif
