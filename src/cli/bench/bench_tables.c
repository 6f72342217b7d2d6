#include <inttypes.h>

#include "cli/bench/bench_http.h"
#include "cli/bench/bench_json.h"
#include "cli/bench/bench_verbs.h"
#include "os/clock.h"
#include "os/thread.h"

enum { MIB = 1 << 20, TABLES_A_QUERY = 100, SAMPLE_MS = 500, NAP_MS = 20 };
static const int64_t SECOND_NS = 1000000000;

/* The tables that one request has a row for each of. */
typedef struct chunk {
    int64_t n_stored, n_unsure;
} chunk;

typedef struct run {
    arka_bench *bench;
    chunk *chunks;
    int64_t n_chunks, n_a_chunk;
    int64_t base_us;
    int64_t n_sent; /* requests so far: their number tells tables and time */
    int64_t left;   /* that may still begin */
    int64_t due_ns, every_ns;
    arka_buf *bodies; /* one a connection */
    /* of the requests at their times */
    bool timed;
    int64_t n_missed, n_rows;
    int64_t n_status[ARKA_BENCH_STATUSES];
    arka_histogram latency;
    char first_error[300];
    double made_s; /* how long the first row of each table took */
    /* what another thread looks at meanwhile */
    atomic_bool ended;
    double oldest_s;
    int64_t hot_bytes;
    arka_thread watcher;
} run;

static int64_t n_tables_of(const run *r, int64_t c)
{
    int64_t left = r->bench->options.n_tables - c * r->n_a_chunk;
    return left < r->n_a_chunk ? left : r->n_a_chunk;
}

static void build_request(run *r, arka_buf *out, int64_t number)
{
    int64_t c = number % r->n_chunks, round = number / r->n_chunks;
    arka_buf lines = ARKA_BUF_INIT;
    for (int64_t i = 0; i < n_tables_of(r, c); i++) {
        int64_t t = c * r->n_a_chunk + i;
        arka_buf_printf(
            &lines, "%s_%" PRId64 ",host=h%" PRId64 " value=%" PRId64 ".5 %" PRId64 "000000000\n",
            r->bench->table, t, t % 50, number % 1000, r->base_us / 1000000 + round);
    }
    arka_buf_clear(out);
    arka_buf_literal(out, "POST ");
    arka_bench_server_head(&r->bench->server, "/api/v1/write/line-protocol", out);
    arka_buf_printf(out, "Content-Length: %zu\r\n\r\n", lines.len);
    arka_buf_append(out, lines.data, lines.len);
    out->failed |= lines.failed;
    arka_buf_fini(&lines);
}

static bool next_request(void *context, int connection, arka_bench_request *out)
{
    run *r = context;
    arka_buf *body = &r->bodies[connection];
    if (r->left == 0)
        return false;
    r->left--;
    r->due_ns += r->every_ns;
    int64_t number = r->n_sent++;
    build_request(r, body, number);
    if (body->failed)
        return false;
    *out = (arka_bench_request){.bytes = body->data, .n_bytes = body->len, .tag = number};
    return true;
}

static int64_t when_due(void *context)
{
    run *r = context;
    return r->left > 0 ? r->due_ns : INT64_MAX;
}

/* Its rows are left out: the next request has its number. */
static void missed(void *context)
{
    run *r = context;
    r->left--;
    r->due_ns += r->every_ns;
    r->n_missed++;
}

static int request_done(void *context, int connection, const arka_bench_request *request,
                        const arka_bench_reply *reply)
{
    run *r = context;
    int64_t number = request->tag, c = number % r->n_chunks;
    bool stored = reply->status == 204;
    r->chunks[c].n_stored += stored;
    r->chunks[c].n_unsure += reply->status == 0 || (reply->status >= 500 && reply->status != 503);
    if (!stored && r->first_error[0] == 0)
        snprintf(r->first_error, sizeof r->first_error, "%d: %.*s", reply->status,
                 reply->text.len < 200 ? (int)reply->text.len : 200, reply->text.data);
    if (!r->timed)
        return reply->status == 503 ? NAP_MS : 0;
    r->n_status[reply->status < ARKA_BENCH_STATUSES ? reply->status : 0]++;
    if (stored) {
        r->n_rows += n_tables_of(r, c);
        arka_histogram_record(&r->latency, reply->latency_ns);
    }
    return 0;
}

static arka_status send_requests(run *r, bool timed, int64_t n, arka_error *err)
{
    const arka_bench *b = r->bench;
    arka_bench_loop_options loop = {.target = &b->server.target,
                                    .n_connections = (int)b->options.n_connections,
                                    .stop = b->stop};
    arka_bench_source source = {.context = r,
                                .next = next_request,
                                .done = request_done,
                                .due = timed ? when_due : NULL,
                                .missed = missed};
    r->left = n;
    r->timed = timed;
    r->due_ns = arka_mono_now().ns;
    return arka_bench_loop_run(&loop, &source, err);
}

static void watch(void *context)
{
    run *r = context;
    while (!atomic_load_explicit(&r->ended, memory_order_relaxed)) {
        arka_bench_figures f;
        arka_bench_figures_read(&r->bench->server, &f);
        arka_bench_process_sample(&r->bench->process);
        r->oldest_s = f.oldest_s > r->oldest_s ? f.oldest_s : r->oldest_s;
        r->hot_bytes = f.hot_bytes > r->hot_bytes ? f.hot_bytes : r->hot_bytes;
        for (int ms = 0; ms < SAMPLE_MS && !r->ended; ms += NAP_MS)
            arka_bench_sleep_ms(NAP_MS);
    }
}

/* Every table of a chunk must have as many rows as the chunk has requests that were stored. */
static arka_status verify_chunk(const run *r, int64_t c, int64_t *n_found, bool *ok,
                                arka_error *err)
{
    int64_t first = c * r->n_a_chunk, n = n_tables_of(r, c);
    for (int64_t i = 0; i < n; i += TABLES_A_QUERY) {
        arka_buf sql = ARKA_BUF_INIT;
        arka_buf_literal(&sql, "SELECT CAST(sum(n) AS BIGINT), min(n), max(n) FROM (");
        for (int64_t t = i; t < n && t < i + TABLES_A_QUERY; t++)
            arka_buf_printf(&sql, "%sSELECT count(*) AS n FROM %s_%" PRId64,
                            t > i ? " UNION ALL " : "", r->bench->table, first + t);
        arka_buf_byte(&sql, ')');
        const char *text = arka_buf_cstr(&sql);
        int64_t found[3];
        arka_status status =
            text ? arka_bench_server_integers(&r->bench->server, text, found, 3, err)
                 : arka_fail_nomem(err, "a query", sql.cap);
        arka_buf_fini(&sql);
        if (status != ARKA_OK)
            return status;
        int64_t least = r->chunks[c].n_stored, most = least + r->chunks[c].n_unsure;
        *n_found += found[0];
        if (found[1] >= least && found[2] <= most)
            continue;
        *ok = false;
        fprintf(stderr,
                "arc bench: tables %s_%" PRId64 " and the following have %" PRId64 " to %" PRId64
                " rows, expected %" PRId64 "\n",
                r->bench->table, first + i, found[1], found[2], least);
    }
    return ARKA_OK;
}

static void report(const run *r, double seconds, int64_t cpu_ns, int64_t generator_ns,
                   int64_t n_files, int64_t n_found)
{
    const arka_bench *b = r->bench;
    double rate = arka_bench_ratio((double)r->n_rows, seconds);
    double files = arka_bench_ratio((double)n_files * 60, seconds);
    char n[ARKA_BENCH_NUMBER], x[ARKA_BENCH_NUMBER];
    if (b->options.json) {
        arka_buf line = ARKA_BUF_INIT;
        arka_buf_byte(&line, '{');
        arka_bench_json_text(&line, "bench", "tables");
        arka_bench_json_integer(&line, "tables", b->options.n_tables);
        arka_bench_json_real(&line, "made_s", r->made_s);
        arka_bench_json_real(&line, "seconds", seconds);
        arka_bench_json_real(&line, "rows_per_s", rate);
        arka_bench_json_answers(&line, r->n_status, ARKA_BENCH_STATUSES);
        arka_bench_json_integer(&line, "not_sent", r->n_missed);
        arka_bench_json_latency(&line, "latency_ms", &r->latency);
        arka_bench_json_real(&line, "files_per_minute", files);
        arka_bench_json_real(&line, "oldest_row_s", r->oldest_s);
        arka_bench_json_integer(&line, "hot_bytes", r->hot_bytes);
        arka_bench_json_real(&line, "server_cores",
                             arka_bench_ratio((double)cpu_ns / 1e9, seconds));
        arka_bench_json_integer(&line, "server_peak_bytes_in_run", b->process.sampled_peak_bytes);
        arka_bench_json_integer(&line, "rows_found", n_found);
        arka_buf_byte(&line, '}');
        arka_bench_json_print(stdout, &line);
        return;
    }
    printf("tables: %s measurements (made in %.1f s), a row a second each, %.1f s, requests of "
           "%" PRId64 " rows\n",
           arka_bench_grouped((double)b->options.n_tables, n), r->made_s, seconds, r->n_a_chunk);
    printf("  accepted    %s rows/s; p50 %.3f ms, p99 %.3f ms, max %.3f ms; not sent in time: "
           "%" PRId64 "\n  answers    ",
           arka_bench_grouped(rate, n), arka_bench_quantile_ms(&r->latency, 0.5),
           arka_bench_quantile_ms(&r->latency, 0.99), (double)r->latency.max / 1e6, r->n_missed);
    arka_bench_say_answers(stdout, r->n_status, ARKA_BENCH_STATUSES);
    printf("\n  flushes     %s files a minute; the oldest row in memory was %.1f s old at most, "
           "%.1f MiB in memory\n",
           arka_bench_grouped(files, x), r->oldest_s, (double)r->hot_bytes / MIB);
    printf("  server      %.2f cores, resident %.0f MiB at most; generator %.2f cores\n",
           arka_bench_ratio((double)cpu_ns / 1e9, seconds),
           (double)b->process.sampled_peak_bytes / MIB,
           arka_bench_ratio((double)generator_ns / 1e9, seconds));
    if (r->first_error[0] != 0)
        printf("  first error %s\n", r->first_error);
    printf("  rows found  %s\n", arka_bench_grouped((double)n_found, n));
    fflush(stdout);
}

static arka_status measure(run *r, bool *ok, arka_error *err)
{
    arka_bench *b = r->bench;
    arka_bench_figures before, after;
    arka_mono begun = arka_mono_now();
    ARKA_TRY(send_requests(r, false, r->n_chunks, err));
    r->made_s = (double)arka_mono_since_ns(begun) / 1e9;

    arka_bench_figures_read(&b->server, &before);
    ARKA_TRY(arka_thread_start(&r->watcher, "watcher", watch, r, err));
    int64_t cpu_ns = arka_bench_process_cpu_ns(&b->process), own_ns = arka_cpu_process_ns();
    begun = arka_mono_now();
    r->every_ns = SECOND_NS / r->n_chunks;
    arka_status status =
        send_requests(r, true, (int64_t)(b->options.seconds * (double)r->n_chunks), err);
    double seconds = (double)arka_mono_since_ns(begun) / 1e9;
    cpu_ns = arka_bench_process_cpu_ns(&b->process) - cpu_ns;
    own_ns = arka_cpu_process_ns() - own_ns;
    atomic_store_explicit(&r->ended, true, memory_order_relaxed);
    arka_thread_join(&r->watcher);
    if (status != ARKA_OK)
        return status;
    arka_bench_figures_read(&b->server, &after);

    int64_t n_found = 0;
    *ok = r->n_rows > 0;
    for (int64_t c = 0; c < r->n_chunks; c++)
        ARKA_TRY(verify_chunk(r, c, &n_found, ok, err));
    report(r, seconds, cpu_ns, own_ns, after.files_written - before.files_written, n_found);
    return ARKA_OK;
}

arka_status arka_bench_tables(arka_bench *b, bool *ok, arka_error *err)
{
    static run r;
    const arka_bench_options *o = &b->options;
    ARKA_TRY(arka_bench_open(b, NULL, err));
    arka_bench_name_table(b, "many");
    r = (run){.bench = b,
              .base_us = arka_wall_us(),
              .n_a_chunk = o->n_rows < o->n_tables ? o->n_rows : o->n_tables};
    r.n_chunks = (o->n_tables + r.n_a_chunk - 1) / r.n_a_chunk;
    size_t n = (size_t)o->n_connections;
    r.chunks = arka_calloc((size_t)r.n_chunks, sizeof *r.chunks);
    r.bodies = arka_calloc(n, sizeof *r.bodies);
    arka_status status = r.chunks == NULL || r.bodies == NULL
                             ? arka_fail_nomem(err, "tables", n * sizeof *r.bodies)
                             : measure(&r, ok, err);
    for (size_t i = 0; r.bodies != NULL && i < n; i++)
        arka_buf_fini(&r.bodies[i]);
    arka_free(r.bodies);
    arka_free(r.chunks);
    return status;
}
