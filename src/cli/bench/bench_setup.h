/** What the verbs of `arc bench` work with: options, the server, its process, tables of their own.
 */
#ifndef ARKA_CLI_BENCH_BENCH_SETUP_H
#define ARKA_CLI_BENCH_BENCH_SETUP_H

#include "cli/bench/bench_child.h"
#include "cli/bench/bench_options.h"
#include "cli/bench/bench_report.h"

enum { ARKA_BENCH_TABLE_MAX = 112 };

typedef struct arka_bench {
    arka_bench_options options;
    arka_bench_server server;
    arka_bench_process process;
    arka_bench_child child; /* with --serve */
    char table[ARKA_BENCH_TABLE_MAX];
    atomic_bool *stop; /* set by a signal, looked at by every loop */
} arka_bench;

/**
 * A server to work with: one of our own with --serve, started as the options and `child` (NULL:
 * nothing more) say, else the one at the URL. Close what was opened before.
 */
ARKA_MUST_USE arka_status arka_bench_open(arka_bench *b, const arka_bench_child_options *child,
                                          arka_error *err);
/** Connect again, to our own server that was started again. */
ARKA_MUST_USE arka_status arka_bench_reconnect(arka_bench *b, arka_error *err);
/** Stops a server of our own (ARKA_IO when it does not end well) and removes its data. */
ARKA_MUST_USE arka_status arka_bench_close(arka_bench *b, arka_error *err);
/** The same without a look at how it ends. All zero is fine. */
void arka_bench_fini(arka_bench *b);

/** A new name in b->table: "iot_1a2b3c4d" */
void arka_bench_name_table(arka_bench *b, const char *prefix);
/** A write run as the options have it, into b->table. */
arka_bench_write_options arka_bench_write_as_asked(arka_bench *b);
/**
 * Run it, verify it (unless told not to), report it. *ok: nothing was lost or doubled. result: NULL
 * or where to put it, to be freed by the caller.
 */
ARKA_MUST_USE arka_status arka_bench_run_writes(arka_bench *b, const arka_bench_write_options *w,
                                                arka_bench_write_result *result, bool *ok,
                                                arka_error *err);

bool arka_bench_is_stopped(const arka_bench *b);

#endif
