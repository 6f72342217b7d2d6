/**
 * A server of the bench's own: this program's `serve` in a child process, its data in a new
 * directory that goes when the bench is done. It dies with the bench. Not thread-safe; started and
 * ended by the main thread.
 */
#ifndef ARKA_CLI_BENCH_BENCH_CHILD_H
#define ARKA_CLI_BENCH_BENCH_CHILD_H

#include "base/status.h"

typedef struct arka_bench_child_options {
    const char *under;       /* the directory is made below this one */
    const char *sync_mode;   /* of the log; NULL: the server's default */
    bool no_wal;             /* without the log */
    const char *environment; /* more settings, "NAME=value" parted by blanks; may be NULL */
    const char *config;      /* more settings as a TOML file's text; may be NULL */
} arka_bench_child_options;

enum { ARKA_BENCH_CHILD_PATH = 4000 };

typedef struct arka_bench_child {
    arka_bench_child_options options;
    char dir[ARKA_BENCH_CHILD_PATH];
    int pid; /* 0: not running */
    char url[64];
} arka_bench_child;

/** Make the directory; nothing runs yet. ARKA_IO. */
ARKA_MUST_USE arka_status arka_bench_child_init(arka_bench_child *child,
                                                const arka_bench_child_options *options,
                                                arka_error *err);
/**
 * Start it over what its directory has, and return when it is ready for work (`url` is set).
 * *ready_s (may be NULL): how long that took. ARKA_IO: it ended instead, with the end of its log.
 */
ARKA_MUST_USE arka_status arka_bench_child_start(arka_bench_child *child, double *ready_s,
                                                 arka_error *err);
/** SIGKILL: it does nothing more, its directory stays. */
void arka_bench_child_kill(arka_bench_child *child);
/** SIGTERM; ARKA_IO when it does not end with 0. */
ARKA_MUST_USE arka_status arka_bench_child_stop(arka_bench_child *child, arka_error *err);
/** Kill what runs, remove the directory. All zero is fine. */
void arka_bench_child_fini(arka_bench_child *child);

/** {dir}/data/wal, where its log is. */
void arka_bench_child_log_dir(const arka_bench_child *child, char *out, size_t cap);

/** Between two looks at something outside of this process. */
void arka_bench_sleep_ms(int ms);

#endif
