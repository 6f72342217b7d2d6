/** The options of the verbs of `arc bench`: one table for parsing and for the help. */
#ifndef ARKA_CLI_BENCH_BENCH_OPTIONS_H
#define ARKA_CLI_BENCH_BENCH_OPTIONS_H

#include <stdio.h>

#include "base/status.h"
#include "cli/args.h"

/* Bits, so that an option can belong to several. */
typedef enum arka_bench_mode {
    ARKA_BENCH_WRITE = 1 << 0,
    ARKA_BENCH_QUERY = 1 << 1,
    ARKA_BENCH_DISK = 1 << 2,
    ARKA_BENCH_OVERLOAD = 1 << 3,
    ARKA_BENCH_VISIBLE = 1 << 4,
    ARKA_BENCH_RECOVERY = 1 << 5,
    ARKA_BENCH_TABLES = 1 << 6,
    ARKA_BENCH_ALL = (1 << 7) - 1,
} arka_bench_mode;

/* Indexes of --sync-mode and --durability. */
typedef enum arka_bench_sync_mode {
    ARKA_BENCH_FDATASYNC,
    ARKA_BENCH_FSYNC,
    ARKA_BENCH_ASYNC
} arka_bench_sync_mode;
extern const char *const arka_bench_sync_modes[];
extern const char *const arka_bench_durabilities[]; /* as arka_durability */

/* Numbers are int64_t and words their index, so that the table can point at them. */
typedef struct arka_bench_options {
    const char *url, *token, *database;
    const char *serve; /* start a server of our own, its data in a new directory below this one */
    int64_t n_connections, n_threads, server_pid;
    int64_t n_rows; /* of a request; query: of the table that is loaded */
    int64_t hours;  /* query: over which its rows lie */
    double seconds; /* in all; query: of each query */
    double warmup_s;
    double rate;        /* requests a second, whatever comes back; 0: as answers come */
    int64_t n_requests; /* 0: by seconds */
    int64_t n_pool;     /* 0: as suits the format */
    int64_t workload, format, coding,
        values;        /* arka_workload_kind, arka_payload_format, …_coding */
    int64_t sync_mode; /* arka_bench_sync_mode */
    int64_t durability;
    const char *table; /* query: an existing one, or what to call the loaded one */
    const char *only;  /* query: those whose name contains it */
    const char *dir;   /* disk: where */
    int64_t n_pairs;   /* compare: runs without and with the log */
    int64_t file_mb, n_files, n_appends;             /* disk */
    int64_t n_peak_connections, percent, ceiling_mb; /* overload; ceiling 0: as the server says */
    int64_t n_checks;                                /* visible */
    int64_t log_mb;                                  /* recovery */
    int64_t n_tables;                                /* tables */
    bool load, no_flush, no_verify, same_text, json, no_wal, compare, cold;
} arka_bench_options;

/**
 * argv: the options only. Texts are borrowed from argv or the environment (ARC_URL, ARC_TOKEN).
 * ARKA_INPUT names the option.
 */
ARKA_MUST_USE arka_status arka_bench_options_parse(arka_bench_options *o, arka_bench_mode mode,
                                                   int argc, char **argv, arka_error *err);
/** The same options as other verbs have them, `max` at most; how many. Of several modes each once.
 */
int arka_bench_options_list(arka_bench_mode mode, arka_option *out, int max);
/** One line an option. */
void arka_bench_options_help(arka_bench_mode mode, FILE *out);

#endif
