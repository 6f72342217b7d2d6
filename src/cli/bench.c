#include "cli/bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "cli/bench_options.h"
#include "cli/bench_query.h"
#include "cli/bench_report.h"
#include "os/file.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { TABLE_MAX = 112, LOAD_CONNECTIONS = 8, LOAD_ROWS = 1000, POOL_BYTES = 256 << 20 };

/* What both verbs work with. */
typedef struct bench {
    arka_bench_options options;
    arka_bench_server server;
    arka_bench_process process;
    char table[TABLE_MAX];
} bench;

static atomic_bool stop; /* set by a signal, looked at by every loop */

static void on_signal(int signal_number)
{
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    signal(signal_number, SIG_DFL); /* the second one ends the process */
}

/* A table of its own for each run: "iot_1a2b3c4d" */
static void name_table(bench *b, arka_workload_kind workload)
{
    uint32_t id;
    arka_random_bytes(&id, sizeof id);
    snprintf(b->table, sizeof b->table, "%s_%08" PRIx32, arka_workloads[workload].name, id);
}

/* 64 bodies beside those under way, fewer of big ones; many of those that cannot be stamped. */
static int pool_size(const arka_bench_options *o)
{
    if (o->n_pool > 0)
        return (int)o->n_pool;
    int64_t fit = POOL_BYTES / (o->n_rows * 100);
    int64_t wanted = o->coding == ARKA_PAYLOAD_PLAIN ? 64 : 1024;
    return (int)(wanted < fit ? wanted : fit < 1 ? 1 : fit);
}

static arka_status report_and_verify(bench *b, const arka_bench_write_options *w,
                                     arka_bench_write_result *result, bool *ok, arka_error *err)
{
    arka_bench_verdict verdict = {0};
    bool verify = !b->options.no_verify;
    arka_status status = verify ? arka_bench_verify(w, result, &verdict, err) : ARKA_OK;
    bool known = verify && status == ARKA_OK;
    arka_bench_report_write(stdout, b->options.json, w, result, known ? &verdict : NULL);
    *ok = !result->gave_up && (!verify || (known && verdict.ok)) && result->n_requests > 0;
    if (result->gave_up)
        fprintf(stderr, "arc bench: ended by an answer that repeating would not change: %s\n",
                result->first_error);
    return status;
}

static arka_status run_writes(bench *b, const arka_bench_write_options *w, bool *ok,
                              arka_error *err)
{
    arka_bench_write_result result;
    ARKA_TRY(arka_bench_write_run(w, &result, err));
    arka_status status = report_and_verify(b, w, &result, ok, err);
    arka_bench_write_result_fini(&result);
    return status;
}

static arka_status bench_write(bench *b, bool *ok, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    name_table(b, (arka_workload_kind)o->workload);
    arka_bench_write_options w = {
        .server = &b->server,
        .payload = {.workload = (arka_workload_kind)o->workload,
                    .format = (arka_payload_format)o->format,
                    .coding = (arka_payload_coding)o->coding,
                    .realistic = o->values == 1,
                    .n_rows = (int)o->n_rows,
                    .table = b->table},
        .n_connections = (int)o->n_connections,
        .n_threads = (int)o->n_threads,
        .seconds = o->seconds,
        .warmup_s = o->warmup_s,
        .n_requests = o->n_requests,
        .n_pool = pool_size(o),
        .base_us = arka_wall_us(),
        .step_us = 1,
        .flush = !o->no_flush,
        .process = &b->process,
        .stop = &stop,
    };
    return run_writes(b, &w, ok, err);
}

/* One day of rows, from a full hour on. */
static arka_status load_table(bench *b, bool *ok, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    int64_t hour = arka_floor_div(arka_wall_us(), ARKA_US_PER_HOUR);
    int64_t step_us = ARKA_US_PER_DAY / o->n_rows;
    arka_bench_write_options w = {
        .server = &b->server,
        .payload = {.realistic = o->values == 1, .n_rows = LOAD_ROWS, .table = b->table},
        .n_connections = LOAD_CONNECTIONS,
        .n_threads = 1,
        .n_requests = (o->n_rows + LOAD_ROWS - 1) / LOAD_ROWS,
        .n_pool = 64,
        .base_us = hour * ARKA_US_PER_HOUR - ARKA_US_PER_DAY,
        .step_us = step_us > 0 ? step_us : 1,
        .process = &b->process,
        .stop = &stop,
    };
    return run_writes(b, &w, ok, err);
}

static arka_status bench_query(bench *b, bool *ok, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    int n_failed = 0;
    if (o->table == NULL)
        name_table(b, ARKA_WORKLOAD_IOT);
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
                                  .stop = &stop};
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

void arka_bench_help(void)
{
    printf(
        "arc bench write [options]   write load, measured; every acknowledged row is then counted\n"
        "arc bench query [options]   a set of queries over one table, timed, hot and flushed\n"
        "\nwrite:\n");
    arka_bench_options_help(ARKA_BENCH_WRITE, stdout);
    printf("\nquery:\n");
    arka_bench_options_help(ARKA_BENCH_QUERY, stdout);
    printf(
        "\nEach write run makes a table of its own and leaves it there. Exit: 0, 1 when something\n"
        "failed or was not verified, 2 usage.\n");
}

static int usage(const char *message)
{
    fprintf(stderr, "arc bench: %s; see arc help bench\n", message);
    return EXIT_USAGE;
}

static int run(bench *b, arka_bench_mode mode)
{
    arka_error err = {0};
    bool ok = false;
    arka_status status = arka_bench_server_init(&b->server, b->options.url, b->options.token,
                                                b->options.database, &err);
    if (status == ARKA_OK) {
        arka_bench_process_find(&b->process, &b->server.target, (int)b->options.server_pid);
        status = mode == ARKA_BENCH_WRITE ? bench_write(b, &ok, &err) : bench_query(b, &ok, &err);
    }
    arka_bench_server_fini(&b->server);
    if (status != ARKA_OK)
        fprintf(stderr, "arc bench: %s\n", err.msg);
    if (status == ARKA_INPUT)
        return EXIT_USAGE;
    return status == ARKA_OK && ok ? EXIT_DONE : EXIT_FAILED;
}

int arka_bench_main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0) {
        arka_bench_help();
        return EXIT_DONE;
    }
    bool write = strcmp(word, "write") == 0;
    if (!write && strcmp(word, "query") != 0)
        return usage("expected 'write' or 'query'");
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            arka_bench_help();
            return EXIT_DONE;
        }
    }
    static bench b;
    arka_error err = {0};
    arka_bench_mode mode = write ? ARKA_BENCH_WRITE : ARKA_BENCH_QUERY;
    if (arka_bench_options_parse(&b.options, mode, argc - 2, argv + 2, &err) != ARKA_OK)
        return usage(err.msg);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return run(&b, mode);
}
