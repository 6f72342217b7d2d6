#include <string.h>

#include "cli/bench/bench_disk.h"
#include "cli/bench/bench_json.h"
#include "cli/bench/bench_verbs.h"

/* As long as a run, so that a disk that is fast at first only is seen as it is then. */
enum { DISK_FILES = 256, DISK_FILE_BYTES = 128 << 20, DISK_MAX_S = 30, DISK_APPENDS = 200 };

/* One side of the comparison, all its runs together. */
typedef struct side {
    const char *name;
    int64_t n_rows, n_requests;
    double seconds, flush_s;
    arka_histogram latency;
    int64_t n_status[ARKA_BENCH_STATUSES];
    int64_t server_cpu_ns, flush_cpu_ns, peak_bytes;
    double log_bytes_per_row, file_bytes_per_row; /* of the last run */
} side;

static void add_run(side *s, const arka_bench *b, const arka_bench_write_result *r)
{
    s->n_rows += r->n_rows;
    s->n_requests += r->n_requests;
    s->seconds += r->seconds;
    s->flush_s += r->flush_s;
    arka_histogram_merge(&s->latency, &r->latency);
    for (int i = 0; i < ARKA_BENCH_STATUSES; i++)
        s->n_status[i] += r->n_status[i];
    s->server_cpu_ns += r->server_cpu_ns;
    s->flush_cpu_ns += r->server_flush_cpu_ns;
    if (b->process.sampled_peak_bytes > s->peak_bytes)
        s->peak_bytes = b->process.sampled_peak_bytes;
    s->log_bytes_per_row = arka_bench_figures_log_bytes_per_row(&r->before, &r->after);
    s->file_bytes_per_row = arka_bench_figures_file_bytes_per_row(&r->before, &r->after);
}

static arka_status run_once(arka_bench *b, side *s, bool no_wal, bool *ok, arka_error *err)
{
    arka_bench_child_options child = {.no_wal = no_wal};
    arka_bench_write_result result;
    bool run_ok = false;
    ARKA_TRY(arka_bench_open(b, &child, err));
    arka_bench_write_options w = arka_bench_write_as_asked(b);
    if (!b->options.json)
        printf("-- %s\n", s->name);
    ARKA_TRY(arka_bench_run_writes(b, &w, &result, &run_ok, err));
    add_run(s, b, &result);
    if (result.after.known && result.after.has_log == no_wal) {
        fprintf(stderr, "arc bench: the server's log is %s, it was to be %s\n",
                no_wal ? "on" : "off", no_wal ? "off" : "on");
        run_ok = false;
    }
    *ok &= run_ok;
    arka_bench_write_result_fini(&result);
    return arka_bench_close(b, err);
}

static double rows_per_s(const side *s)
{
    return arka_bench_ratio((double)s->n_rows, s->seconds);
}

static double rows_per_s_with_flush(const side *s)
{
    return arka_bench_ratio((double)s->n_rows, s->seconds + s->flush_s);
}

/* Rows a second that the disk would take, written to the log and to Parquet. */
static double disk_rows_per_s(const side *s, double bandwidth)
{
    return arka_bench_ratio(bandwidth, s->log_bytes_per_row + s->file_bytes_per_row);
}

static void say_side(const side *s)
{
    char a[ARKA_BENCH_NUMBER], b[ARKA_BENCH_NUMBER], c[ARKA_BENCH_NUMBER];
    printf("  %-8s %14s rows/s %14s with the flush %10s requests/s  p50 %.3f p99 %.3f max %.3f ms  "
           "%.0f ns of CPU a row  %.0f MiB ",
           s->name, arka_bench_grouped(rows_per_s(s), a),
           arka_bench_grouped(rows_per_s_with_flush(s), b),
           arka_bench_grouped(arka_bench_ratio((double)s->n_requests, s->seconds), c),
           arka_bench_quantile_ms(&s->latency, 0.5), arka_bench_quantile_ms(&s->latency, 0.99),
           (double)s->latency.max / 1e6,
           arka_bench_ratio((double)(s->server_cpu_ns + s->flush_cpu_ns), (double)s->n_rows),
           (double)s->peak_bytes / (1 << 20));
    arka_bench_say_answers(stdout, s->n_status, ARKA_BENCH_STATUSES);
    printf("\n");
}

static void say(const side *off, const side *on, double bandwidth)
{
    char a[ARKA_BENCH_NUMBER];
    double disk = disk_rows_per_s(on, bandwidth);
    printf("\nwithout and with the log\n");
    say_side(off);
    say_side(on);
    printf("  with the log %.1f %% of the rate without it (%.1f %% with the flush at the end)\n",
           100 * arka_bench_ratio(rows_per_s(on), rows_per_s(off)),
           100 * arka_bench_ratio(rows_per_s_with_flush(on), rows_per_s_with_flush(off)));
    printf("  the disk writes %.1f MB/s; %.1f B a row in the log and %.1f in Parquet: %s rows/s at "
           "most, of which it is %.1f %% (%.1f %% with the flush)\n",
           bandwidth / 1e6, on->log_bytes_per_row, on->file_bytes_per_row,
           arka_bench_grouped(disk, a), 100 * arka_bench_ratio(rows_per_s(on), disk),
           100 * arka_bench_ratio(rows_per_s_with_flush(on), disk));
    fflush(stdout);
}

static void side_json(arka_buf *b, const char *name, const side *s)
{
    arka_bench_json_key(b, name);
    arka_buf_byte(b, '{');
    arka_bench_json_real(b, "rows_per_s", rows_per_s(s));
    arka_bench_json_real(b, "rows_per_s_with_flush", rows_per_s_with_flush(s));
    arka_bench_json_latency(b, "latency_ms", &s->latency);
    arka_bench_json_answers(b, s->n_status, ARKA_BENCH_STATUSES);
    arka_bench_json_real(
        b, "server_ns_per_row",
        arka_bench_ratio((double)(s->server_cpu_ns + s->flush_cpu_ns), (double)s->n_rows));
    arka_bench_json_integer(b, "server_peak_bytes_in_run", s->peak_bytes);
    arka_bench_json_real(b, "log_bytes_per_row", s->log_bytes_per_row);
    arka_bench_json_real(b, "file_bytes_per_row", s->file_bytes_per_row);
    arka_buf_byte(b, '}');
}

static void put_json(const side *off, const side *on, double bandwidth)
{
    arka_buf b = ARKA_BUF_INIT;
    arka_buf_byte(&b, '{');
    arka_bench_json_text(&b, "bench", "compare");
    side_json(&b, "without_log", off);
    side_json(&b, "with_log", on);
    arka_bench_json_real(&b, "ratio", arka_bench_ratio(rows_per_s(on), rows_per_s(off)));
    arka_bench_json_real(&b, "disk_bytes_per_s", bandwidth);
    arka_bench_json_real(&b, "disk_rows_per_s", disk_rows_per_s(on, bandwidth));
    arka_buf_byte(&b, '}');
    arka_bench_json_print(stdout, &b);
}

static arka_status measure_disk(const arka_bench *b, arka_bench_disk_result *sum, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    arka_bench_disk_options disk = {.dir = o->serve,
                                    .file_bytes = DISK_FILE_BYTES,
                                    .n_files = DISK_FILES,
                                    .seconds = o->seconds < DISK_MAX_S ? o->seconds : DISK_MAX_S,
                                    .n_appends = DISK_APPENDS,
                                    .stop = b->stop};
    arka_bench_disk_result now;
    ARKA_TRY(arka_bench_disk_run(&disk, &now, err));
    arka_bench_disk_report(stdout, o->json, &disk, &now);
    sum->n_bytes += now.n_bytes;
    sum->seconds += now.seconds;
    return ARKA_OK;
}

/* The disk is measured before the runs and after them; what it can take is the mean. */
arka_status arka_bench_compare(arka_bench *b, bool *ok, arka_error *err)
{
    static side off = {.name = "log off"}, on = {.name = "log on"};
    static arka_bench_disk_result disk;
    ARKA_TRY(measure_disk(b, &disk, err));
    *ok = true;
    /* off, on, on, off, …: what drifts in one direction weighs on both alike */
    for (int64_t i = 0; i < 2 * b->options.n_pairs && !arka_bench_is_stopped(b); i++) {
        bool no_wal = (i % 4 == 0) || (i % 4 == 3);
        ARKA_TRY(run_once(b, no_wal ? &off : &on, no_wal, ok, err));
    }
    ARKA_TRY(measure_disk(b, &disk, err));
    if (b->options.json)
        put_json(&off, &on, arka_bench_disk_bandwidth(&disk));
    else
        say(&off, &on, arka_bench_disk_bandwidth(&disk));
    return ARKA_OK;
}
