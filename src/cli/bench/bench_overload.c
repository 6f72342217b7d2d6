#include "cli/bench/bench_json.h"
#include "cli/bench/bench_verbs.h"

enum { MIB = 1 << 20 };

/* Only "stored" and "come again" are answers to too much load; none means a connection broke. */
static bool only_stored_or_refused(const arka_bench_write_result *r)
{
    for (int i = 0; i < ARKA_BENCH_STATUSES; i++)
        if (r->n_status[i] > 0 && i != 204 && i != 503)
            return false;
    return true;
}

static double goodput(const arka_bench_write_result *r)
{
    return arka_bench_ratio((double)r->n_rows, r->seconds);
}

/* The memory that the server says it may have, in bytes; 0: it does not say. */
static int64_t ceiling(arka_bench *b)
{
    if (b->options.ceiling_mb > 0)
        return b->options.ceiling_mb * MIB;
    arka_bench_figures figures;
    arka_bench_figures_read(&b->server, &figures);
    return figures.memory_limit_bytes;
}

static void report(const arka_bench *b, const arka_bench_write_result *peak,
                   const arka_bench_write_result *over, int64_t ceiling_bytes)
{
    double percent = 100 * arka_bench_ratio(goodput(over), goodput(peak));
    double cores = arka_bench_ratio((double)over->generator_cpu_ns / 1e9, over->seconds);
    int64_t most = b->process.sampled_peak_bytes;
    if (b->options.json) {
        arka_buf line = ARKA_BUF_INIT;
        arka_buf_byte(&line, '{');
        arka_bench_json_text(&line, "bench", "overload");
        arka_bench_json_real(&line, "peak_rows_per_s", goodput(peak));
        arka_bench_json_real(&line, "rows_per_s", goodput(over));
        arka_bench_json_real(&line, "goodput_percent", percent);
        arka_bench_json_latency(&line, "stored_ms", &over->latency);
        arka_bench_json_latency(&line, "refused_ms", &over->refused);
        arka_bench_json_answers(&line, over->n_status, ARKA_BENCH_STATUSES);
        arka_bench_json_integer(&line, "not_sent", over->n_missed);
        arka_bench_json_integer(&line, "server_peak_bytes_in_run", most);
        arka_bench_json_integer(&line, "ceiling_bytes", ceiling_bytes);
        arka_bench_json_real(&line, "generator_cores", cores);
        arka_buf_byte(&line, '}');
        arka_bench_json_print(stdout, &line);
        return;
    }
    printf("\noverload: goodput %.1f %% of the peak; stored p50 %.1f ms, p99 %.1f ms; refused p50 "
           "%.3f ms, p99 %.3f ms, max %.3f ms\n",
           percent, arka_bench_quantile_ms(&over->latency, 0.5),
           arka_bench_quantile_ms(&over->latency, 0.99),
           arka_bench_quantile_ms(&over->refused, 0.5),
           arka_bench_quantile_ms(&over->refused, 0.99), (double)over->refused.max / 1e6);
    printf("  resident %.0f MiB at most, ceiling ", (double)most / MIB);
    if (ceiling_bytes > 0)
        printf("%.0f MiB", (double)ceiling_bytes / MIB);
    else
        printf("not known");
    printf("; generator %.2f cores\n", cores);
    fflush(stdout);
}

/* The peak as long as the overload, so that both meet the flusher and the memory limit. */
static arka_status find_peak(arka_bench *b, arka_bench_write_result *peak, bool *ok,
                             arka_error *err)
{
    arka_bench_write_options w = arka_bench_write_as_asked(b);
    w.n_connections = (int)b->options.n_peak_connections;
    ARKA_TRY(arka_bench_run_writes(b, &w, peak, ok, err));
    if (peak->n_requests > 0)
        return ARKA_OK;
    arka_bench_write_result_fini(peak);
    return arka_fail(err, ARKA_IO, "no request was stored while the peak was looked for");
}

static arka_status overload(arka_bench *b, const arka_bench_write_result *peak, bool *ok,
                            arka_error *err)
{
    arka_bench_write_result over;
    arka_bench_write_options w = arka_bench_write_as_asked(b);
    w.rate = arka_bench_ratio((double)peak->n_requests, peak->seconds) *
             (double)b->options.percent / 100;
    int64_t limit = ceiling(b);
    b->process.sampled_peak_bytes = 0;
    ARKA_TRY(arka_bench_run_writes(b, &w, &over, ok, err));
    report(b, peak, &over, limit);
    if (!only_stored_or_refused(&over)) {
        fprintf(stderr, "arc bench: answers other than 204 and 503: %s\n", over.first_error);
        *ok = false;
    }
    if (limit > 0 && b->process.sampled_peak_bytes > limit) {
        fprintf(stderr, "arc bench: the server had %.0f MiB resident, over its %.0f MiB\n",
                (double)b->process.sampled_peak_bytes / MIB, (double)limit / MIB);
        *ok = false;
    }
    arka_bench_write_result_fini(&over);
    return ARKA_OK;
}

arka_status arka_bench_overload(arka_bench *b, bool *ok, arka_error *err)
{
    static arka_bench_write_result peak;
    bool peak_ok = false;
    ARKA_TRY(arka_bench_open(b, NULL, err));
    ARKA_TRY(find_peak(b, &peak, &peak_ok, err));
    arka_status status = overload(b, &peak, ok, err);
    arka_bench_write_result_fini(&peak);
    *ok &= peak_ok;
    return status;
}
