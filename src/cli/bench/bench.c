#include "cli/bench/bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "cli/bench/bench_disk.h"
#include "cli/bench/bench_query.h"
#include "cli/bench/bench_verbs.h"
#include "cli/verbs.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { LOAD_CONNECTIONS = 8, LOAD_ROWS = 1000, LOAD_POOL = 64 };

static atomic_bool stop; /* set by a signal, looked at by every loop */

static void on_signal(int signal_number)
{
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    signal(signal_number, SIG_DFL); /* the second one ends the process */
}

static arka_status bench_write(arka_bench *b, bool *ok, arka_error *err)
{
    if (b->options.compare)
        return arka_bench_compare(b, ok, err);
    ARKA_TRY(arka_bench_open(b, NULL, err));
    arka_bench_write_options w = arka_bench_write_as_asked(b);
    return arka_bench_run_writes(b, &w, NULL, ok, err);
}

static arka_status bench_disk(arka_bench *b, bool *ok, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    arka_bench_disk_options disk = {.dir = o->dir,
                                    .file_bytes = o->file_mb << 20,
                                    .n_files = o->n_files,
                                    .seconds = o->seconds,
                                    .n_appends = o->n_appends,
                                    .stop = b->stop};
    arka_bench_disk_result result;
    ARKA_TRY(arka_bench_disk_run(&disk, &result, err));
    arka_bench_disk_report(stdout, o->json, &disk, &result);
    *ok = true;
    return ARKA_OK;
}

/* The hours that were asked for, from a full one on; one of them is one file. */
static arka_status load_table(arka_bench *b, bool *ok, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    int64_t hour = arka_floor_div(arka_wall_us(), ARKA_US_PER_HOUR);
    int64_t span_us = o->hours * ARKA_US_PER_HOUR, step_us = span_us / o->n_rows;
    arka_bench_write_options w = {
        .server = &b->server,
        .payload = {.realistic = o->values == 1, .n_rows = LOAD_ROWS, .table = b->table},
        .n_connections = LOAD_CONNECTIONS,
        .n_threads = 1,
        .n_requests = (o->n_rows + LOAD_ROWS - 1) / LOAD_ROWS,
        .n_pool = LOAD_POOL,
        .base_us = hour * ARKA_US_PER_HOUR - span_us,
        .step_us = step_us > 0 ? step_us : 1,
        .process = &b->process,
        .stop = b->stop,
    };
    return arka_bench_run_writes(b, &w, NULL, ok, err);
}

static arka_status bench_query(arka_bench *b, bool *ok, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    int n_failed = 0;
    ARKA_TRY(arka_bench_open(b, NULL, err));
    if (o->table == NULL)
        arka_bench_name_table(b, arka_workloads[ARKA_WORKLOAD_IOT].name);
    else
        snprintf(b->table, sizeof b->table, "%s", o->table);
    arka_bench_query_options q = {.server = &b->server,
                                  .table = b->table,
                                  .only = o->only,
                                  .n_connections = (int)o->n_connections,
                                  .seconds = o->seconds,
                                  .same_text = o->same_text,
                                  .json = o->json,
                                  .process = &b->process,
                                  .stop = b->stop};
    if (!o->load) {
        ARKA_TRY(arka_bench_query_set(&q, "as is", &n_failed, err));
    } else {
        ARKA_TRY(load_table(b, ok, err));
        if (!*ok)
            return arka_fail(err, ARKA_IO, "table %s could not be loaded whole", b->table);
        ARKA_TRY(arka_bench_query_set(&q, "hot", &n_failed, err));
        ARKA_TRY(arka_bench_server_flush(&b->server, b->table, err));
        ARKA_TRY(arka_bench_query_set(&q, "parquet", &n_failed, err));
    }
    *ok = n_failed == 0;
    if (n_failed > 0)
        fprintf(stderr, "arc bench: %d of the queries did not answer as they must\n", n_failed);
    return ARKA_OK;
}

const arka_subverb arka_bench_subverbs[] = {
    {"write", "write load, measured; every acknowledged row is then counted"},
    {"query", "a set of queries over one table, timed, hot and flushed"},
    {"disk", "[DIR]: what the disk takes, in whole files and in synced appends"},
    {"overload", "the peak, then more than it over many connections, whatever comes back"},
    {"visible", "after each acknowledgement a query must see the row"},
    {"recovery", "a log is written, the server killed and started again"},
    {"tables", "many measurements with a row a second each"},
    {NULL, NULL},
};

static const struct {
    arka_bench_mode mode;
    arka_status (*run)(arka_bench *b, bool *ok, arka_error *err);
} VERBS[] = {
    /* in the order of arka_bench_subverbs */
    {ARKA_BENCH_WRITE, bench_write},
    {ARKA_BENCH_QUERY, bench_query},
    {ARKA_BENCH_DISK, bench_disk},
    {ARKA_BENCH_OVERLOAD, arka_bench_overload},
    {ARKA_BENCH_VISIBLE, arka_bench_visible},
    {ARKA_BENCH_RECOVERY, arka_bench_recovery},
    {ARKA_BENCH_TABLES, arka_bench_tables},
};
enum { N_VERBS = sizeof VERBS / sizeof *VERBS };

int arka_bench_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    return arka_bench_options_list(sub < 0 ? ARKA_BENCH_ALL : VERBS[sub].mode, out,
                                   ARKA_VERB_OPTIONS);
}

void arka_bench_help(FILE *out)
{
    fputs("arc bench: measure a server under load, and verify what it acknowledged.\n\n"
          "Usage: arc bench VERB [options]\n\n",
          out);
    for (int i = 0; i < N_VERBS; i++)
        fprintf(out, "  %-9s %s\n", arka_bench_subverbs[i].name, arka_bench_subverbs[i].text);
    for (int i = 0; i < N_VERBS; i++) {
        fprintf(out, "\narc bench %s:\n", arka_bench_subverbs[i].name);
        arka_bench_options_help(VERBS[i].mode, out);
    }
    fputs(
        "\nEach run makes tables of its own; a server that it did not start keeps them. Exit: 0, 1 "
        "when\nsomething failed or was not verified, 2 usage.\n",
        out);
}

static int usage(const char *message)
{
    fprintf(stderr, "arc bench: %s; see arc help bench\n", message);
    return EXIT_USAGE;
}

static int run(arka_bench *b, int verb)
{
    arka_error err = {0};
    bool ok = false;
    arka_status status = VERBS[verb].run(b, &ok, &err);
    if (status == ARKA_OK)
        status = arka_bench_close(b, &err);
    arka_bench_fini(b);
    if (status != ARKA_OK)
        fprintf(stderr, "arc bench: %s\n", err.msg);
    if (status == ARKA_INPUT)
        return EXIT_USAGE;
    return status == ARKA_OK && ok ? EXIT_DONE : EXIT_FAILED;
}

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "help") == 0;
}

int arka_bench_main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    int verb = 0;
    while (verb < N_VERBS && strcmp(word, arka_bench_subverbs[verb].name) != 0)
        verb++;
    for (int i = 1; i < argc && (i == 1 || verb < N_VERBS); i++) {
        if (asks_help(argv[i])) {
            arka_bench_help(stdout);
            return EXIT_DONE;
        }
    }
    if (verb == N_VERBS)
        return usage("expected write, query, disk, overload, visible, recovery or tables");
    static arka_bench b;
    arka_error err = {0};
    b.stop = &stop;
    if (arka_bench_options_parse(&b.options, VERBS[verb].mode, argc - 2, argv + 2, &err) != ARKA_OK)
        return usage(err.msg);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return run(&b, verb);
}
