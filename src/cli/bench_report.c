#include "cli/bench_report.h"

#include <inttypes.h>

#include "base/json.h"

static const char *const FORMATS[] = {"msgpack", "lp"};
static const char *const CODINGS[] = {"none", "gzip", "zstd"};

enum { NUMBER = 32, MIB = 1 << 20 };

/* "1,234,567" */
static const char *grouped(double v, char *out)
{
    char plain[NUMBER];
    int n = snprintf(plain, sizeof plain, "%.0f", v), at = 0;
    for (int i = 0; i < n && at < NUMBER - 2; i++) {
        out[at++] = plain[i];
        if ((n - i) % 3 == 1 && i + 1 < n && plain[i] != '-')
            out[at++] = ',';
    }
    out[at] = 0;
    return out;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double quantile_ms(const arka_histogram *h, double q)
{
    return (double)arka_histogram_quantile(h, q) / 1e6;
}

/* Words for people */

static void say_answers(FILE *out, const arka_bench_write_result *r)
{
    char n[NUMBER];
    fprintf(out, "  answers    ");
    for (int i = 1; i < ARKA_BENCH_STATUSES; i++)
        if (r->n_status[i] > 0)
            fprintf(out, " %d: %s ", i, grouped((double)r->n_status[i], n));
    if (r->n_status[0] > 0)
        fprintf(out, " none: %s", grouped((double)r->n_status[0], n));
    fprintf(out, "\n");
}

static void say_server(FILE *out, const arka_bench_write_options *o,
                       const arka_bench_write_result *r)
{
    const arka_bench_process *p = o->process;
    if (p->pid == 0) {
        fprintf(out, "  server      CPU and memory not available: %s\n", p->why_not);
        return;
    }
    double rows = (double)r->n_rows;
    fprintf(out, "  server      %.0f ns of CPU a row", ratio((double)r->server_cpu_ns, rows));
    if (o->flush)
        fprintf(out, ", %.0f with the flush at the end",
                ratio((double)(r->server_cpu_ns + r->server_flush_cpu_ns), rows));
    fprintf(out, " (%.2f cores); resident %.0f MiB at most in this run, %.0f since its start\n",
            ratio((double)r->server_cpu_ns / 1e9, r->seconds), (double)p->sampled_peak_bytes / MIB,
            (double)arka_bench_process_peak_bytes(p) / MIB);
}

static void say_write(FILE *out, const arka_bench_write_options *o,
                      const arka_bench_write_result *r)
{
    char a[NUMBER], b[NUMBER];
    const arka_payload_options *p = &o->payload;
    double rows = (double)r->n_rows;
    fprintf(out, "write %s %s%s%s: %d connections, %d rows a request, %.1f s\n",
            arka_workloads[p->workload].name, FORMATS[p->format],
            p->coding != ARKA_PAYLOAD_PLAIN ? " " : "",
            p->coding != ARKA_PAYLOAD_PLAIN ? CODINGS[p->coding] : "", o->n_connections, p->n_rows,
            r->seconds);
    fprintf(out, "  rate        %s rows/s, %.1f MB/s", grouped(ratio(rows, r->seconds), a),
            ratio((double)r->wire_bytes / 1e6, r->seconds));
    if (p->coding != ARKA_PAYLOAD_PLAIN)
        fprintf(out, " (%.1f MB/s inflated)", ratio((double)r->raw_bytes / 1e6, r->seconds));
    fprintf(out, ", %s requests/s, %.1f B a row\n",
            grouped(ratio((double)r->n_requests, r->seconds), b),
            ratio((double)r->wire_bytes, rows));
    if (o->flush)
        fprintf(out, "  with flush  %s rows/s (flush at the end: %.2f s)\n",
                grouped(ratio(rows, r->seconds + r->flush_s), a), r->flush_s);
    fprintf(out, "  latency     p50 %.3f ms, p99 %.3f ms, p999 %.3f ms, max %.3f ms\n",
            quantile_ms(&r->latency, 0.5), quantile_ms(&r->latency, 0.99),
            quantile_ms(&r->latency, 0.999), (double)r->latency.max / 1e6);
    say_answers(out, r);
    say_server(out, o, r);
    fprintf(out, "  generator   %.1f ns of CPU a row (%.2f cores), %d %s\n",
            ratio((double)r->generator_cpu_ns, rows),
            ratio((double)r->generator_cpu_ns / 1e9, r->seconds), o->n_threads,
            o->n_threads == 1 ? "thread" : "threads");
    fprintf(out, "  data        %s.%s, doubles %s%s\n", o->server->database, p->table,
            p->realistic ? "of one or two decimals" : "of full precision",
            p->coding == ARKA_PAYLOAD_PLAIN && !p->realistic ? ", new in each request" : "");
    if (r->n_distinct_bodies > 0)
        fprintf(out, "              times and values repeat every %" PRId64 " requests\n",
                r->n_distinct_bodies);
    if (r->first_error[0] != 0)
        fprintf(out, "  first error %s\n", r->first_error);
}

/* JSON */

static void key(arka_buf *b, const char *name)
{
    if (b->len > 0 && b->data[b->len - 1] != '{')
        arka_buf_byte(b, ',');
    arka_json_string(b, arka_slice_of(name));
    arka_buf_byte(b, ':');
}

static void text(arka_buf *b, const char *name, const char *value)
{
    key(b, name);
    arka_json_string(b, arka_slice_of(value));
}

static void integer(arka_buf *b, const char *name, int64_t v)
{
    key(b, name);
    arka_json_i64(b, v);
}

static void real(arka_buf *b, const char *name, double v)
{
    key(b, name);
    arka_json_f64(b, v);
}

static void latency(arka_buf *b, const arka_histogram *h)
{
    key(b, "latency_ms");
    arka_buf_byte(b, '{');
    real(b, "mean", arka_histogram_mean(h) / 1e6);
    real(b, "min", (double)h->min / 1e6);
    real(b, "p50", quantile_ms(h, 0.5));
    real(b, "p90", quantile_ms(h, 0.9));
    real(b, "p99", quantile_ms(h, 0.99));
    real(b, "p999", quantile_ms(h, 0.999));
    real(b, "max", (double)h->max / 1e6);
    arka_buf_byte(b, '}');
}

static void answers(arka_buf *b, const arka_bench_write_result *r)
{
    key(b, "answers");
    arka_buf_byte(b, '{');
    for (int i = 0; i < ARKA_BENCH_STATUSES; i++) {
        char name[8];
        snprintf(name, sizeof name, i ? "%d" : "none", i);
        if (r->n_status[i] > 0)
            integer(b, name, r->n_status[i]);
    }
    arka_buf_byte(b, '}');
}

static void server(arka_buf *b, const arka_bench_write_options *o, const arka_bench_write_result *r)
{
    if (o->process->pid == 0) {
        text(b, "server_not_seen", o->process->why_not);
        return;
    }
    double rows = (double)r->n_rows;
    real(b, "server_ns_per_row", ratio((double)r->server_cpu_ns, rows));
    real(b, "server_ns_per_row_with_flush",
         ratio((double)(r->server_cpu_ns + r->server_flush_cpu_ns), rows));
    integer(b, "server_peak_bytes_in_run", o->process->sampled_peak_bytes);
    integer(b, "server_peak_bytes", arka_bench_process_peak_bytes(o->process));
}

static void verdict_json(arka_buf *b, const arka_bench_verdict *v)
{
    key(b, "verified");
    arka_buf_text(b, v->ok ? "true" : "false");
    text(b, "verdict", v->text);
    integer(b, "rows_acknowledged", v->n_acknowledged);
    integer(b, "rows_found", v->n_found);
    integer(b, "requests_unsure", v->n_unsure);
    integer(b, "requests_unsure_found", v->n_unsure_found);
}

static void write_json(arka_buf *b, const arka_bench_write_options *o,
                       const arka_bench_write_result *r, const arka_bench_verdict *v)
{
    const arka_payload_options *p = &o->payload;
    double rows = (double)r->n_rows;
    arka_buf_byte(b, '{');
    text(b, "bench", "write");
    text(b, "workload", arka_workloads[p->workload].name);
    text(b, "format", FORMATS[p->format]);
    text(b, "compress", CODINGS[p->coding]);
    text(b, "values", p->realistic ? "realistic" : "random");
    text(b, "database", o->server->database);
    text(b, "table", p->table);
    integer(b, "connections", o->n_connections);
    integer(b, "threads", o->n_threads);
    integer(b, "rows_per_request", p->n_rows);
    real(b, "seconds", r->seconds);
    integer(b, "requests", r->n_requests);
    integer(b, "rows", r->n_rows);
    integer(b, "bytes", r->wire_bytes);
    integer(b, "bytes_inflated", r->raw_bytes);
    real(b, "rows_per_s", ratio(rows, r->seconds));
    real(b, "mb_per_s", ratio((double)r->wire_bytes / 1e6, r->seconds));
    real(b, "requests_per_s", ratio((double)r->n_requests, r->seconds));
    if (o->flush) {
        real(b, "flush_s", r->flush_s);
        real(b, "rows_per_s_with_flush", ratio(rows, r->seconds + r->flush_s));
    }
    latency(b, &r->latency);
    answers(b, r);
    real(b, "generator_ns_per_row", ratio((double)r->generator_cpu_ns, rows));
    server(b, o, r);
    if (r->first_error[0] != 0)
        text(b, "first_error", r->first_error);
    if (v != NULL)
        verdict_json(b, v);
    arka_buf_byte(b, '}');
}

static void query_json(arka_buf *b, const arka_bench_query_result *q)
{
    arka_buf_byte(b, '{');
    text(b, "bench", "query");
    text(b, "phase", q->phase);
    if (q->n_files >= 0)
        integer(b, "files", q->n_files);
    text(b, "query", q->name);
    text(b, "format", arka_answer_format_names[q->format]);
    integer(b, "connections", q->n_connections);
    integer(b, "runs", q->n_runs);
    integer(b, "failed", q->n_failed);
    real(b, "seconds", q->seconds);
    integer(b, "rows", q->n_rows);
    integer(b, "bytes", q->n_bytes);
    latency(b, &q->latency);
    real(b, "rows_per_s", ratio((double)(q->n_rows * q->n_runs), q->seconds));
    real(b, "mb_per_s", ratio((double)(q->n_bytes * q->n_runs) / 1e6, q->seconds));
    real(b, "server_cpu_ms_per_run", ratio((double)q->server_cpu_ns / 1e6, (double)q->n_runs));
    if (q->first_error[0] != 0)
        text(b, "first_error", q->first_error);
    arka_buf_byte(b, '}');
}

static void print_line(FILE *out, arka_buf *line)
{
    arka_buf_byte(line, '\n');
    if (!line->failed)
        fwrite(line->data, 1, line->len, out);
    arka_buf_fini(line);
}

void arka_bench_report_write(FILE *out, bool json, const arka_bench_write_options *options,
                             const arka_bench_write_result *result,
                             const arka_bench_verdict *verdict)
{
    if (json) {
        arka_buf line = ARKA_BUF_INIT;
        write_json(&line, options, result, verdict);
        print_line(out, &line);
    } else {
        say_write(out, options, result);
        if (verdict != NULL) {
            fprintf(out, "%s: %s\n", verdict->ok ? "verified" : "NOT verified", verdict->text);
            if (verdict->n_unsure > 0)
                fprintf(out,
                        "  of %" PRId64 " requests without a clear answer %" PRId64
                        " were stored, each whole\n",
                        verdict->n_unsure, verdict->n_unsure_found);
        }
    }
    fflush(out);
}

void arka_bench_report_query_head(FILE *out, bool json, const char *table, int64_t n_rows,
                                  int64_t n_files)
{
    char rows[NUMBER], files[NUMBER];
    if (json)
        return;
    fprintf(out, "\n%s: %s rows, %s Parquet files\n", table, grouped((double)n_rows, rows),
            n_files >= 0 ? grouped((double)n_files, files) : "an unknown number of");
    fprintf(out, "%-8s %-9s %-8s %5s %10s %12s %10s %10s %12s %9s %10s\n", "phase", "query",
            "format", "runs", "rows", "bytes", "p50 ms", "p99 ms", "rows/s", "MB/s", "server ms");
}

void arka_bench_report_query(FILE *out, bool json, const arka_bench_query_result *q)
{
    char rows[NUMBER], bytes[NUMBER], rate[NUMBER];
    if (json) {
        arka_buf line = ARKA_BUF_INIT;
        query_json(&line, q);
        print_line(out, &line);
    } else {
        fprintf(out, "%-8s %-9s %-8s %5" PRId64 " %10s %12s %10.3f %10.3f %12s %9.1f %10.2f\n",
                q->phase, q->name, arka_answer_format_names[q->format], q->n_runs,
                grouped((double)q->n_rows, rows), grouped((double)q->n_bytes, bytes),
                quantile_ms(&q->latency, 0.5), quantile_ms(&q->latency, 0.99),
                grouped(ratio((double)(q->n_rows * q->n_runs), q->seconds), rate),
                ratio((double)(q->n_bytes * q->n_runs) / 1e6, q->seconds),
                ratio((double)q->server_cpu_ns / 1e6, (double)q->n_runs));
        if (q->first_error[0] != 0)
            fprintf(out, "  %" PRId64 " failed: %s\n", q->n_failed, q->first_error);
    }
    fflush(out);
}
