#include <inttypes.h>

#include "cli/bench/bench_client.h"
#include "cli/bench/bench_json.h"
#include "cli/bench/bench_verbs.h"
#include "os/clock.h"
#include "os/thread.h"

enum { TEXT_MAX = 300, BUSY_PAUSE_MS = 20, N_FLUSHES = 20, FOREVER_S = 1000000 };

typedef struct run run;

/* A thread that writes a row, waits for the answer and looks for the row. */
typedef struct checker {
    run *run;
    arka_bench_client writer, reader; /* two connections */
    int64_t n_checks, n_missing;
    int64_t n_busy; /* answers of 503, to either */
    arka_histogram writes, reads;
    arka_thread thread;
    arka_status status;
    arka_error error;
} checker;

struct run {
    arka_bench *bench;
    char table[ARKA_BENCH_TABLE_MAX]; /* of the checks */
    int64_t base_us;
    atomic_int_fast64_t next; /* number of the next check */
    atomic_int_fast64_t first_missing;
    atomic_bool ended; /* the checks are done, or something failed */
    /* what runs beside them */
    arka_bench_write_options load;
    arka_bench_write_result loaded;
    arka_thread load_thread, flush_thread;
    arka_status load_status, flush_status;
    arka_error load_error, flush_error;
    int64_t n_flushes;
};

static bool goes_on(const run *r)
{
    return !atomic_load_explicit(&r->ended, memory_order_relaxed) &&
           !arka_bench_is_stopped(r->bench);
}

static void end(run *r)
{
    atomic_store_explicit(&r->ended, true, memory_order_relaxed);
}

static arka_status fail_answer(const arka_bench_client *c, const char *what, arka_error *err)
{
    int n = c->body.len < 200 ? (int)c->body.len : 200;
    return arka_fail(err, ARKA_IO, "%s was answered %d: %.*s", what, c->status, n,
                     n ? c->body.data : "");
}

/* Until it is acknowledged; 503 means that it was not stored. */
static arka_status write_row(checker *c, int64_t number, arka_error *err)
{
    const run *r = c->run;
    char line[TEXT_MAX];
    int n = snprintf(line, sizeof line, "%s id=%" PRId64 "i %" PRId64 "000\n", r->table, number,
                     r->base_us + number);
    do {
        arka_mono begun = arka_mono_now();
        ARKA_TRY(arka_bench_client_post(&c->writer, "/api/v1/write/line-protocol",
                                        (arka_slice){line, (size_t)n}, err));
        if (c->writer.status == 204) {
            arka_histogram_record(&c->writes, arka_mono_since_ns(begun));
            return ARKA_OK;
        }
        if (c->writer.status != 503)
            return fail_answer(&c->writer, "a row", err);
        c->n_busy++;
        arka_bench_sleep_ms(BUSY_PAUSE_MS);
    } while (goes_on(r));
    return arka_fail(err, ARKA_CANCELLED, "stopped");
}

static arka_status look_for_row(checker *c, int64_t number, bool *seen, arka_error *err)
{
    const run *r = c->run;
    char sql[TEXT_MAX];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE id = %" PRId64, r->table, number);
    do {
        arka_mono begun = arka_mono_now();
        ARKA_TRY(arka_bench_client_query(&c->reader, sql, err));
        if (c->reader.status == 200) {
            arka_histogram_record(&c->reads, arka_mono_since_ns(begun));
            const arka_buf *csv = &c->reader.body;
            int64_t n = 0;
            if (!arka_bench_server_read_integers((arka_slice){csv->data, csv->len}, &n, 1))
                return fail_answer(&c->reader, "a count", err);
            *seen = n == 1;
            return ARKA_OK;
        }
        if (c->reader.status == 404) { /* not even the table */
            *seen = false;
            return ARKA_OK;
        }
        if (c->reader.status != 503)
            return fail_answer(&c->reader, "a query", err);
        c->n_busy++;
        arka_bench_sleep_ms(BUSY_PAUSE_MS);
    } while (goes_on(r));
    return arka_fail(err, ARKA_CANCELLED, "stopped");
}

static arka_status check_rows(checker *c, arka_error *err)
{
    run *r = c->run;
    while (goes_on(r)) {
        int64_t number = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
        bool seen;
        if (number >= r->bench->options.n_checks)
            break;
        ARKA_TRY(write_row(c, number, err));
        ARKA_TRY(look_for_row(c, number, &seen, err));
        c->n_checks++;
        if (seen)
            continue;
        c->n_missing++;
        atomic_store_explicit(&r->first_missing, number, memory_order_relaxed);
    }
    return ARKA_OK;
}

static void check(void *context)
{
    checker *c = context;
    c->status = check_rows(c, &c->error);
    if (c->status != ARKA_OK)
        end(c->run);
}

static void load(void *context)
{
    run *r = context;
    r->load_status = arka_bench_write_run(&r->load, &r->loaded, &r->load_error);
    if (r->load_status != ARKA_OK || r->loaded.gave_up)
        end(r);
}

/*
 * So that rows are looked for while they go from memory to files: some times, evenly over the
 * checks, since each flush makes a file that every later query reads.
 */
static void flush(void *context)
{
    run *r = context;
    int64_t n_checks = r->bench->options.n_checks;
    while (goes_on(r) && r->flush_status == ARKA_OK) {
        int64_t begun = atomic_load_explicit(&r->next, memory_order_relaxed);
        if (begun < (r->n_flushes + 1) * n_checks / (N_FLUSHES + 1)) {
            arka_bench_sleep_ms(1);
            continue;
        }
        r->flush_status = arka_bench_server_flush(&r->bench->server, r->table, &r->flush_error);
        r->n_flushes++;
    }
    if (r->flush_status != ARKA_OK)
        end(r);
}

/* The caller's thread waits for the checkers; then the load and the flushes end. */
static arka_status run_threads(run *r, checker *checkers, int n, arka_error *err)
{
    int n_started = 0;
    arka_status status = arka_thread_start(&r->flush_thread, "flushes", flush, r, err);
    bool flushes = status == ARKA_OK;
    if (status == ARKA_OK)
        status = arka_thread_start(&r->load_thread, "load", load, r, err);
    bool loads = status == ARKA_OK;
    for (; n_started < n && status == ARKA_OK; n_started += status == ARKA_OK)
        status = arka_thread_start(&checkers[n_started].thread, "checks", check,
                                   &checkers[n_started], err);
    if (status != ARKA_OK)
        end(r);
    for (int i = 0; i < n_started; i++)
        arka_thread_join(&checkers[i].thread);
    end(r);
    if (loads)
        arka_thread_join(&r->load_thread);
    if (flushes)
        arka_thread_join(&r->flush_thread);
    return status;
}

static arka_status first_failure(const run *r, const checker *checkers, int n, arka_error *err)
{
    for (int i = 0; i < n; i++)
        if (checkers[i].status != ARKA_OK)
            return arka_fail(err, checkers[i].status, "%s", checkers[i].error.msg);
    if (r->flush_status != ARKA_OK)
        return arka_fail(err, r->flush_status, "%s", r->flush_error.msg);
    if (r->load_status != ARKA_OK)
        return arka_fail(err, r->load_status, "%s", r->load_error.msg);
    return ARKA_OK;
}

static void add_up(checker *sum, const checker *checkers, int n)
{
    for (int i = 0; i < n; i++) {
        sum->n_checks += checkers[i].n_checks;
        sum->n_missing += checkers[i].n_missing;
        sum->n_busy += checkers[i].n_busy;
        arka_histogram_merge(&sum->writes, &checkers[i].writes);
        arka_histogram_merge(&sum->reads, &checkers[i].reads);
    }
}

static void report(const run *r, const checker *sum, int64_t n_found)
{
    const arka_bench_write_result *l = &r->loaded;
    double load_rows = arka_bench_ratio((double)l->n_rows, l->seconds);
    char a[ARKA_BENCH_NUMBER], b[ARKA_BENCH_NUMBER];
    if (r->bench->options.json) {
        arka_buf line = ARKA_BUF_INIT;
        arka_buf_byte(&line, '{');
        arka_bench_json_text(&line, "bench", "visible");
        arka_bench_json_integer(&line, "checks", sum->n_checks);
        arka_bench_json_integer(&line, "missing", sum->n_missing);
        arka_bench_json_integer(&line, "rows_found", n_found);
        arka_bench_json_integer(&line, "busy", sum->n_busy);
        arka_bench_json_integer(&line, "flushes", r->n_flushes);
        arka_bench_json_latency(&line, "write_ms", &sum->writes);
        arka_bench_json_latency(&line, "query_ms", &sum->reads);
        arka_bench_json_real(&line, "load_rows_per_s", load_rows);
        arka_buf_byte(&line, '}');
        arka_bench_json_print(stdout, &line);
        return;
    }
    printf("visible: %s rows acknowledged and looked for, %s not seen",
           arka_bench_grouped((double)sum->n_checks, a),
           arka_bench_grouped((double)sum->n_missing, b));
    if (sum->n_missing > 0)
        printf(" (number %" PRId64 " for one)", (int64_t)r->first_missing);
    printf("; %s found at the end\n", arka_bench_grouped((double)n_found, a));
    printf("  write       p50 %.3f ms, p99 %.3f ms, max %.3f ms\n",
           arka_bench_quantile_ms(&sum->writes, 0.5), arka_bench_quantile_ms(&sum->writes, 0.99),
           (double)sum->writes.max / 1e6);
    printf("  query       p50 %.3f ms, p99 %.3f ms, max %.3f ms\n",
           arka_bench_quantile_ms(&sum->reads, 0.5), arka_bench_quantile_ms(&sum->reads, 0.99),
           (double)sum->reads.max / 1e6);
    printf("  beside      %s rows/s into another table, %" PRId64 " flushes of this one; %" PRId64
           " answers of 503\n",
           arka_bench_grouped(load_rows, a), r->n_flushes, sum->n_busy);
    fflush(stdout);
}

static arka_status count_rows(const run *r, int64_t *n_found, bool *ok, arka_error *err)
{
    char sql[TEXT_MAX];
    int64_t found[2];
    snprintf(sql, sizeof sql, "SELECT count(*), count(DISTINCT id) FROM %s", r->table);
    ARKA_TRY(arka_bench_server_integers(&r->bench->server, sql, found, 2, err));
    *n_found = found[0];
    *ok &= found[0] == found[1];
    return ARKA_OK;
}

static arka_status verify_load(run *r, bool *ok, arka_error *err)
{
    arka_bench_verdict verdict;
    if (r->loaded.n_requests == 0)
        return ARKA_OK;
    ARKA_TRY(arka_bench_verify(&r->load, &r->loaded, &verdict, err));
    if (!verdict.ok)
        fprintf(stderr, "arc bench: the load beside: %s\n", verdict.text);
    *ok &= verdict.ok;
    return ARKA_OK;
}

static arka_status check_and_report(run *r, checker *checkers, checker *sum, bool *ok,
                                    arka_error *err)
{
    int n = (int)r->bench->options.n_threads;
    for (int i = 0; i < n; i++) {
        checkers[i].run = r;
        arka_bench_client_init(&checkers[i].writer, &r->bench->server);
        arka_bench_client_init(&checkers[i].reader, &r->bench->server);
    }
    arka_status status = run_threads(r, checkers, n, err);
    if (status == ARKA_OK)
        status = first_failure(r, checkers, n, err);
    for (int i = 0; i < n; i++) {
        arka_bench_client_fini(&checkers[i].writer);
        arka_bench_client_fini(&checkers[i].reader);
    }
    if (status != ARKA_OK)
        return status;
    int64_t n_found;
    add_up(sum, checkers, n);
    ARKA_TRY(count_rows(r, &n_found, ok, err));
    *ok &= sum->n_missing == 0 && n_found == sum->n_checks && sum->n_checks > 0;
    report(r, sum, n_found);
    return verify_load(r, ok, err);
}

arka_status arka_bench_visible(arka_bench *b, bool *ok, arka_error *err)
{
    static run r;
    ARKA_TRY(arka_bench_open(b, NULL, err));
    r = (run){.bench = b, .base_us = arka_wall_us(), .first_missing = -1};
    arka_bench_name_table(b, "seen");
    memcpy(r.table, b->table, sizeof r.table);
    r.load = arka_bench_write_as_asked(b);
    r.load.n_threads = 1;
    r.load.seconds = FOREVER_S;
    r.load.flush = false;
    r.load.stop = &r.ended;
    size_t n = (size_t)b->options.n_threads + 1;
    checker *checkers = arka_calloc(n, sizeof *checkers);
    if (checkers == NULL)
        return arka_fail_nomem(err, "checkers", n * sizeof *checkers);
    *ok = true;
    arka_status status = check_and_report(&r, checkers, &checkers[n - 1], ok, err);
    arka_bench_write_result_fini(&r.loaded);
    arka_free(checkers);
    return status;
}
