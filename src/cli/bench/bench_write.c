#include "cli/bench/bench_write.h"

#include <stdio.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

enum { BUSY_PAUSE_MS = 100, MAX_BUSY_PAUSE_MS = 5000 };

/* What all threads of a run share; written before they start. */
typedef struct run {
    const arka_bench_write_options *options;
    arka_mono measure_from, deadline; /* deadline 0: until the requests are sent */
} run;

/* One thread's part: its connections, its bodies, its counts. */
typedef struct worker {
    const run *run;
    int first_connection, n_connections;
    int64_t *n_left; /* requests that a connection may still begin; NULL: until the deadline */
    arka_payload *bodies;
    int *free_bodies; /* a ring, so that a body rests as long as possible before it is used again */
    int n_bodies, first_free, n_free;
    arka_ledger ledger;
    arka_random random;
    arka_mono now; /* of the last answer */
    /* at a rate: when the next request is due, the time between two, how many more there are */
    int64_t due_ns, every_ns, n_due_left;
    int64_t n_missed;
    arka_histogram latency, refused, late;
    int64_t n_requests, n_rows, wire_bytes, raw_bytes;
    int64_t n_status[ARKA_BENCH_STATUSES];
    char first_error[300];
    bool gave_up;
    bool leads;                              /* the first worker looks at the server's process */
    bool measuring;                          /* warm-up is over */
    int64_t generator_cpu_ns, server_cpu_ns; /* when it was */
    arka_thread thread;
    arka_status status;
    arka_error error;
} worker;

static arka_payload_times times_of(const run *r, arka_row_range rows)
{
    const arka_bench_write_options *o = r->options;
    return (arka_payload_times){o->base_us + rows.first * o->step_us, rows.stride * o->step_us};
}

static bool is_stamped(const worker *w)
{
    return w->run->options->payload.coding == ARKA_PAYLOAD_PLAIN;
}

static void begin_measuring(worker *w)
{
    w->measuring = true;
    w->generator_cpu_ns = arka_cpu_process_ns();
    w->server_cpu_ns = arka_bench_process_cpu_ns(w->run->options->process);
}

static bool has_rate(const worker *w)
{
    return w->run->options->rate > 0;
}

static int64_t when_due(void *context)
{
    worker *w = context;
    int64_t deadline_ns = w->run->deadline.ns;
    bool over = w->n_due_left == 0 || (deadline_ns != 0 && w->due_ns >= deadline_ns);
    return over ? INT64_MAX : w->due_ns;
}

static void count_due(worker *w)
{
    w->due_ns += w->every_ns;
    if (w->n_due_left > 0)
        w->n_due_left--;
}

static void missed(void *context)
{
    worker *w = context;
    w->n_missed += w->due_ns >= w->run->measure_from.ns;
    count_due(w);
}

static void note_sending(worker *w)
{
    w->now = arka_mono_now();
    if (w->due_ns >= w->run->measure_from.ns)
        arka_histogram_record(&w->late, w->now.ns - w->due_ns);
    count_due(w);
}

static bool next_request(void *context, int connection, arka_bench_request *out)
{
    worker *w = context;
    if (has_rate(w))
        note_sending(w);
    else if (w->now.ns == 0)
        w->now = arka_mono_now();
    if (w->leads && !w->measuring && w->now.ns >= w->run->measure_from.ns)
        begin_measuring(w);
    if (!has_rate(w) && w->run->deadline.ns != 0 && w->now.ns >= w->run->deadline.ns)
        return false;
    if (w->n_left != NULL && w->n_left[connection]-- <= 0)
        return false;

    int body = w->free_bodies[w->first_free];
    w->first_free = (w->first_free + 1) % w->n_bodies;
    w->n_free--;
    arka_payload *p = &w->bodies[body];
    arka_row_range rows = arka_ledger_begin(&w->ledger, is_stamped(w) ? connection : body);
    if (is_stamped(w))
        arka_payload_stamp(p, times_of(w->run, rows), (uint32_t)arka_random_u64(&w->random));
    *out = (arka_bench_request){.bytes = p->bytes, .n_bytes = p->n_bytes, .tag = body};
    return true;
}

static void note_error(worker *w, const arka_bench_reply *reply)
{
    enum { SHOWN = 200 };
    int n = reply->text.len > SHOWN ? SHOWN : (int)reply->text.len;
    if (w->first_error[0] != 0)
        return;
    if (reply->status == 0)
        snprintf(w->first_error, sizeof w->first_error, "no answer: %.*s", n, reply->text.data);
    else
        snprintf(w->first_error, sizeof w->first_error, "%d: %.*s", reply->status, n,
                 reply->text.data);
}

static bool was_measured(const worker *w, const arka_bench_reply *reply)
{
    return reply->at.ns - reply->latency_ns >= w->run->measure_from.ns;
}

static void count_stored(worker *w, const arka_payload *p, const arka_bench_reply *reply)
{
    if (!was_measured(w, reply))
        return;
    arka_histogram_record(&w->latency, reply->latency_ns);
    w->n_requests++;
    w->n_rows += p->n_rows;
    w->wire_bytes += (int64_t)(p->n_bytes - p->n_head_bytes);
    w->raw_bytes += (int64_t)p->n_raw_bytes;
}

/* 2xx promises; 4xx and 503 promise the opposite; after anything else only a look can tell. */
static arka_outcome outcome_of(int status)
{
    if (status >= 200 && status < 300)
        return ARKA_OUTCOME_STORED;
    return (status >= 400 && status < 500) || status == 503 ? ARKA_OUTCOME_REFUSED
                                                            : ARKA_OUTCOME_UNSURE;
}

static int pause_after(const worker *w, const arka_bench_reply *reply)
{
    if (reply->status == 0 || has_rate(w))
        return 0; /* making the connection anew has its own pace */
    int64_t ms = reply->retry_after_s >= 0 ? reply->retry_after_s * 1000LL : BUSY_PAUSE_MS;
    return ms > MAX_BUSY_PAUSE_MS ? MAX_BUSY_PAUSE_MS : (int)ms;
}

static int request_done(void *context, int connection, const arka_bench_request *request,
                        const arka_bench_reply *reply)
{
    worker *w = context;
    int body = (int)request->tag;
    w->now = reply->at;
    w->free_bodies[(w->first_free + w->n_free++) % w->n_bodies] = body;
    w->n_status[reply->status < ARKA_BENCH_STATUSES ? reply->status : ARKA_BENCH_STATUSES - 1]++;
    arka_outcome outcome = outcome_of(reply->status);
    arka_ledger_end(&w->ledger, is_stamped(w) ? connection : body, outcome);
    if (outcome == ARKA_OUTCOME_STORED) {
        count_stored(w, &w->bodies[body], reply);
        return 0;
    }
    note_error(w, reply);
    if (reply->status == 503 && was_measured(w, reply))
        arka_histogram_record(&w->refused, reply->latency_ns);
    if (reply->status >= 400 && reply->status < 500 && reply->status != 408 &&
        reply->status != 429) {
        w->gave_up = true;
        return -1;
    }
    return pause_after(w, reply);
}

static void look_at_server(void *context)
{
    worker *w = context;
    const arka_bench_write_options *o = w->run->options;
    arka_bench_process_sample(o->process);
    if (o->tick != NULL)
        o->tick(o->context);
}

static void start_clock(worker *w)
{
    const arka_bench_write_options *o = w->run->options;
    if (!has_rate(w))
        return;
    w->due_ns = arka_mono_now().ns;
    w->every_ns = (int64_t)(1e9 / o->rate * o->n_connections / w->n_connections);
    w->n_due_left = o->n_requests ? o->n_requests * w->n_connections / o->n_connections : -1;
}

static void work(void *context)
{
    worker *w = context;
    const arka_bench_write_options *o = w->run->options;
    arka_bench_loop_options loop = {
        .target = &o->server->target, .n_connections = w->n_connections, .stop = o->stop};
    arka_bench_source source = {.context = w,
                                .next = next_request,
                                .done = request_done,
                                .tick = w->leads ? look_at_server : NULL,
                                .due = has_rate(w) ? when_due : NULL,
                                .missed = missed};
    start_clock(w);
    w->status = arka_bench_loop_run(&loop, &source, &w->error);
    if (w->status != ARKA_OK)
        atomic_store_explicit(o->stop, true, memory_order_relaxed);
    arka_ledger_close(&w->ledger);
}

static arka_status build_bodies(worker *w, int first_body, arka_error *err)
{
    const arka_bench_write_options *o = w->run->options;
    const char *path = o->payload.format == ARKA_PAYLOAD_MSGPACK ? "/api/v1/write/msgpack"
                                                                 : "/api/v1/write/line-protocol";
    arka_buf head = ARKA_BUF_INIT;
    arka_bench_server_head(o->server, path, &head);
    if (o->durability != NULL)
        arka_buf_printf(&head, "x-arc-durability: %s\r\n", o->durability);
    const char *text = arka_buf_cstr(&head);
    arka_status status = text ? ARKA_OK : arka_fail_nomem(err, "a request's head", head.len);
    for (int i = 0; i < w->n_bodies && status == ARKA_OK; i++) {
        arka_row_range rows = {(int64_t)(first_body + i) * o->payload.n_rows, 1, 0};
        status = arka_payload_init(&w->bodies[i], &o->payload, text, times_of(w->run, rows),
                                   &w->random, err);
        w->free_bodies[i] = i;
    }
    w->n_free = w->n_bodies;
    arka_buf_fini(&head);
    return status;
}

static arka_status share_out_requests(worker *w, arka_error *err)
{
    const arka_bench_write_options *o = w->run->options;
    if (o->n_requests == 0 || has_rate(w))
        return ARKA_OK;
    w->n_left = arka_calloc((size_t)w->n_connections, sizeof *w->n_left);
    if (w->n_left == NULL)
        return arka_fail_nomem(err, "connections", (size_t)w->n_connections * sizeof *w->n_left);
    for (int i = 0; i < w->n_connections; i++)
        w->n_left[i] = o->n_requests / o->n_connections +
                       (w->first_connection + i < o->n_requests % o->n_connections);
    return ARKA_OK;
}

/* Connections and, when compressed, bodies are numbered through all workers. */
static arka_status init_worker(worker *w, const run *r, int index, int first_body, arka_error *err)
{
    const arka_bench_write_options *o = r->options;
    int from = o->n_connections * index / o->n_threads;
    int to = o->n_connections * (index + 1) / o->n_threads;
    *w = (worker){.run = r, .first_connection = from, .n_connections = to - from, .leads = !index};
    w->n_bodies = w->n_connections + o->n_pool;
    w->bodies = arka_calloc((size_t)w->n_bodies, sizeof *w->bodies);
    w->free_bodies = arka_calloc((size_t)w->n_bodies, sizeof *w->free_bodies);
    if (w->bodies == NULL || w->free_bodies == NULL)
        return arka_fail_nomem(err, "bodies", (size_t)w->n_bodies * sizeof *w->bodies);
    arka_random_bytes(&w->random, sizeof w->random);
    ARKA_TRY(share_out_requests(w, err));
    ARKA_TRY(build_bodies(w, first_body, err));
    if (is_stamped(w))
        return arka_ledger_init(&w->ledger, false, o->payload.n_rows, o->n_connections, from,
                                w->n_connections, err);
    return arka_ledger_init(&w->ledger, true, o->payload.n_rows, 0, first_body, w->n_bodies, err);
}

static void fini_worker(worker *w)
{
    for (int i = 0; i < w->n_bodies && w->bodies != NULL; i++)
        arka_payload_fini(&w->bodies[i]);
    arka_free(w->bodies);
    arka_free(w->free_bodies);
    arka_free(w->n_left);
    arka_ledger_fini(&w->ledger);
}

/* The caller's thread is the first worker. */
static arka_status run_workers(worker *workers, int n, arka_error *err)
{
    int n_started = 1;
    arka_status status = ARKA_OK;
    for (; n_started < n && status == ARKA_OK; n_started++)
        status =
            arka_thread_start(&workers[n_started].thread, "bench", work, &workers[n_started], err);
    if (status == ARKA_OK) {
        work(&workers[0]);
    } else {
        n_started--; /* the last one did not start */
        atomic_store_explicit(workers[0].run->options->stop, true, memory_order_relaxed);
    }
    for (int i = 1; i < n_started; i++)
        arka_thread_join(&workers[i].thread);
    for (int i = 0; i < n && status == ARKA_OK; i++) {
        status = workers[i].status;
        if (status != ARKA_OK)
            arka_fail(err, status, "%s", workers[i].error.msg);
    }
    return status;
}

static void add_worker(arka_bench_write_result *result, worker *w, int64_t *last_ns)
{
    result->n_requests += w->n_requests;
    result->n_rows += w->n_rows;
    result->wire_bytes += w->wire_bytes;
    result->raw_bytes += w->raw_bytes;
    result->n_missed += w->n_missed;
    arka_histogram_merge(&result->latency, &w->latency);
    arka_histogram_merge(&result->refused, &w->refused);
    arka_histogram_merge(&result->late, &w->late);
    for (int i = 0; i < ARKA_BENCH_STATUSES; i++)
        result->n_status[i] += w->n_status[i];
    if (result->first_error[0] == 0)
        memcpy(result->first_error, w->first_error, sizeof result->first_error);
    result->gave_up |= w->gave_up;
    if (!is_stamped(w))
        result->n_distinct_bodies += w->n_bodies;
    if (w->now.ns > *last_ns)
        *last_ns = w->now.ns;
    result->ledgers[result->n_ledgers++] = w->ledger;
    w->ledger = (arka_ledger){0};
}

static arka_status flush(const arka_bench_write_options *o, arka_bench_write_result *result,
                         arka_error *err)
{
    arka_mono begun = arka_mono_now();
    int64_t cpu_ns = arka_bench_process_cpu_ns(o->process);
    ARKA_TRY(arka_bench_server_flush(o->server, o->payload.table, err));
    result->flush_s = (double)arka_mono_since_ns(begun) / 1e9;
    result->server_flush_cpu_ns = arka_bench_process_cpu_ns(o->process) - cpu_ns;
    arka_bench_process_sample(o->process);
    return ARKA_OK;
}

static arka_status run_and_collect(worker *workers, run *r, arka_bench_write_result *result,
                                   arka_error *err)
{
    const arka_bench_write_options *o = r->options;
    arka_bench_figures_read(o->server, &result->before);
    int64_t now_ns = arka_mono_now().ns, last_ns = 0;
    r->measure_from.ns = now_ns + (int64_t)(o->warmup_s * 1e9);
    r->deadline.ns = o->n_requests ? 0 : r->measure_from.ns + (int64_t)(o->seconds * 1e9);
    if (o->warmup_s <= 0)
        begin_measuring(&workers[0]);
    ARKA_TRY(run_workers(workers, o->n_threads, err));
    if (workers[0].measuring) {
        result->generator_cpu_ns = arka_cpu_process_ns() - workers[0].generator_cpu_ns;
        result->server_cpu_ns = arka_bench_process_cpu_ns(o->process) - workers[0].server_cpu_ns;
    }
    for (int i = 0; i < o->n_threads; i++)
        add_worker(result, &workers[i], &last_ns);
    if (last_ns > r->measure_from.ns)
        result->seconds = (double)(last_ns - r->measure_from.ns) / 1e9;
    if (o->flush && result->n_rows > 0)
        ARKA_TRY(flush(o, result, err));
    arka_bench_figures_read(o->server, &result->after);
    return ARKA_OK;
}

arka_status arka_bench_write_run(const arka_bench_write_options *options,
                                 arka_bench_write_result *result, arka_error *err)
{
    *result = (arka_bench_write_result){0};
    size_t n = (size_t)options->n_threads;
    run r = {.options = options};
    worker *workers = arka_calloc(n, sizeof *workers);
    result->ledgers = arka_calloc(n, sizeof *result->ledgers);
    arka_status status = ARKA_OK;
    if (workers == NULL || result->ledgers == NULL)
        status = arka_fail_nomem(err, "threads", n * sizeof *workers);
    for (int i = 0, body = 0; i < options->n_threads && status == ARKA_OK; i++) {
        status = init_worker(&workers[i], &r, i, body, err);
        body += workers[i].n_bodies;
    }
    if (status == ARKA_OK)
        status = run_and_collect(workers, &r, result, err);
    for (int i = 0; workers != NULL && i < options->n_threads; i++)
        fini_worker(&workers[i]);
    arka_free(workers);
    if (status != ARKA_OK)
        arka_bench_write_result_fini(result);
    return status;
}

void arka_bench_write_result_fini(arka_bench_write_result *result)
{
    for (int i = 0; i < result->n_ledgers; i++)
        arka_ledger_fini(&result->ledgers[i]);
    arka_free(result->ledgers);
    result->ledgers = NULL;
    result->n_ledgers = 0;
}
