#include "cli/bench/bench_report.h"

#include <inttypes.h>

#include "cli/bench/bench_json.h"

static const char *const FORMATS[] = {"msgpack", "lp"};
static const char *const CODINGS[] = {"none", "gzip", "zstd"};

enum { NUMBER = ARKA_BENCH_NUMBER, MIB = 1 << 20 };

/* Words for people */

static void say_server(FILE *out, const arka_bench_write_options *o,
                       const arka_bench_write_result *r)
{
    const arka_bench_process *p = o->process;
    if (p->pid == 0) {
        fprintf(out, "  server      CPU and memory not available: %s\n", p->why_not);
        return;
    }
    double rows = (double)r->n_rows;
    fprintf(out, "  server      %.0f ns of CPU a row",
            arka_bench_ratio((double)r->server_cpu_ns, rows));
    if (o->flush)
        fprintf(out, ", %.0f with the flush at the end",
                arka_bench_ratio((double)(r->server_cpu_ns + r->server_flush_cpu_ns), rows));
    fprintf(out, " (%.2f cores); resident %.0f MiB at most in this run, %.0f since its start\n",
            arka_bench_ratio((double)r->server_cpu_ns / 1e9, r->seconds),
            (double)p->sampled_peak_bytes / MIB, (double)arka_bench_process_peak_bytes(p) / MIB);
}

/* What the rows cost on the disk, as the server counts. */
static void say_bytes(FILE *out, const arka_bench_write_result *r)
{
    const arka_bench_figures *a = &r->before, *z = &r->after;
    if (!z->known)
        return;
    double log = arka_bench_figures_log_bytes_per_row(a, z);
    double files = arka_bench_figures_file_bytes_per_row(a, z);
    if (z->has_log)
        fprintf(out, "  on disk     %.1f B a row in the log, %.1f in Parquet", log, files);
    else
        fprintf(out, "  on disk     no log, %.1f B a row in Parquet", files);
    fprintf(out, " (%" PRId64 " files); %" PRId64 " syncs of the log\n",
            z->files_written - a->files_written, z->log_syncs - a->log_syncs);
}

/* What only a run at a rate has. */
static void say_rate(FILE *out, const arka_bench_write_options *o, const arka_bench_write_result *r)
{
    char a[NUMBER], b[NUMBER];
    if (o->rate > 0)
        fprintf(out,
                "  offered     %s requests/s, sent %.3f ms late at p99, %.3f at most; %s not sent, "
                "every connection waited\n",
                arka_bench_grouped(o->rate, a), arka_bench_quantile_ms(&r->late, 0.99),
                (double)r->late.max / 1e6, arka_bench_grouped((double)r->n_missed, b));
    if (r->refused.n > 0)
        fprintf(out, "  refused     in p50 %.3f ms, p99 %.3f ms, max %.3f ms\n",
                arka_bench_quantile_ms(&r->refused, 0.5), arka_bench_quantile_ms(&r->refused, 0.99),
                (double)r->refused.max / 1e6);
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
    fprintf(out, "  rate        %s rows/s, %.1f MB/s",
            arka_bench_grouped(arka_bench_ratio(rows, r->seconds), a),
            arka_bench_ratio((double)r->wire_bytes / 1e6, r->seconds));
    if (p->coding != ARKA_PAYLOAD_PLAIN)
        fprintf(out, " (%.1f MB/s inflated)",
                arka_bench_ratio((double)r->raw_bytes / 1e6, r->seconds));
    fprintf(out, ", %s requests/s, %.1f B a row\n",
            arka_bench_grouped(arka_bench_ratio((double)r->n_requests, r->seconds), b),
            arka_bench_ratio((double)r->wire_bytes, rows));
    if (o->flush)
        fprintf(out, "  with flush  %s rows/s (flush at the end: %.2f s)\n",
                arka_bench_grouped(arka_bench_ratio(rows, r->seconds + r->flush_s), a), r->flush_s);
    fprintf(out, "  latency     p50 %.3f ms, p99 %.3f ms, p999 %.3f ms, max %.3f ms\n",
            arka_bench_quantile_ms(&r->latency, 0.5), arka_bench_quantile_ms(&r->latency, 0.99),
            arka_bench_quantile_ms(&r->latency, 0.999), (double)r->latency.max / 1e6);
    say_rate(out, o, r);
    fprintf(out, "  answers    ");
    arka_bench_say_answers(out, r->n_status, ARKA_BENCH_STATUSES);
    fprintf(out, "\n");
    say_bytes(out, r);
    say_server(out, o, r);
    fprintf(out, "  generator   %.1f ns of CPU a row (%.2f cores), %d %s\n",
            arka_bench_ratio((double)r->generator_cpu_ns, rows),
            arka_bench_ratio((double)r->generator_cpu_ns / 1e9, r->seconds), o->n_threads,
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

static void server(arka_buf *b, const arka_bench_write_options *o, const arka_bench_write_result *r)
{
    if (o->process->pid == 0) {
        arka_bench_json_text(b, "server_not_seen", o->process->why_not);
        return;
    }
    double rows = (double)r->n_rows;
    arka_bench_json_real(b, "server_ns_per_row", arka_bench_ratio((double)r->server_cpu_ns, rows));
    arka_bench_json_real(
        b, "server_ns_per_row_with_flush",
        arka_bench_ratio((double)(r->server_cpu_ns + r->server_flush_cpu_ns), rows));
    arka_bench_json_integer(b, "server_peak_bytes_in_run", o->process->sampled_peak_bytes);
    arka_bench_json_integer(b, "server_peak_bytes", arka_bench_process_peak_bytes(o->process));
}

static void bytes_json(arka_buf *b, const arka_bench_write_result *r)
{
    const arka_bench_figures *a = &r->before, *z = &r->after;
    if (!z->known)
        return;
    arka_bench_json_flag(b, "log", z->has_log);
    arka_bench_json_real(b, "log_bytes_per_row", arka_bench_figures_log_bytes_per_row(a, z));
    arka_bench_json_real(b, "file_bytes_per_row", arka_bench_figures_file_bytes_per_row(a, z));
    arka_bench_json_integer(b, "log_syncs", z->log_syncs - a->log_syncs);
    arka_bench_json_integer(b, "files", z->files_written - a->files_written);
}

static void rate_json(arka_buf *b, const arka_bench_write_options *o,
                      const arka_bench_write_result *r)
{
    if (o->rate > 0) {
        arka_bench_json_real(b, "offered_per_s", o->rate);
        arka_bench_json_integer(b, "not_sent", r->n_missed);
        arka_bench_json_latency(b, "late_ms", &r->late);
    }
    if (r->refused.n > 0)
        arka_bench_json_latency(b, "refused_ms", &r->refused);
}

static void verdict_json(arka_buf *b, const arka_bench_verdict *v)
{
    arka_bench_json_flag(b, "verified", v->ok);
    arka_bench_json_text(b, "verdict", v->text);
    arka_bench_json_integer(b, "rows_acknowledged", v->n_acknowledged);
    arka_bench_json_integer(b, "rows_found", v->n_found);
    arka_bench_json_integer(b, "requests_unsure", v->n_unsure);
    arka_bench_json_integer(b, "requests_unsure_found", v->n_unsure_found);
}

static void write_json(arka_buf *b, const arka_bench_write_options *o,
                       const arka_bench_write_result *r, const arka_bench_verdict *v)
{
    const arka_payload_options *p = &o->payload;
    double rows = (double)r->n_rows;
    arka_buf_byte(b, '{');
    arka_bench_json_text(b, "bench", "write");
    arka_bench_json_text(b, "workload", arka_workloads[p->workload].name);
    arka_bench_json_text(b, "format", FORMATS[p->format]);
    arka_bench_json_text(b, "compress", CODINGS[p->coding]);
    arka_bench_json_text(b, "values", p->realistic ? "realistic" : "random");
    arka_bench_json_text(b, "database", o->server->database);
    arka_bench_json_text(b, "table", p->table);
    arka_bench_json_integer(b, "connections", o->n_connections);
    arka_bench_json_integer(b, "threads", o->n_threads);
    arka_bench_json_integer(b, "rows_per_request", p->n_rows);
    arka_bench_json_real(b, "seconds", r->seconds);
    arka_bench_json_integer(b, "requests", r->n_requests);
    arka_bench_json_integer(b, "rows", r->n_rows);
    arka_bench_json_integer(b, "bytes", r->wire_bytes);
    arka_bench_json_integer(b, "bytes_inflated", r->raw_bytes);
    arka_bench_json_real(b, "rows_per_s", arka_bench_ratio(rows, r->seconds));
    arka_bench_json_real(b, "mb_per_s", arka_bench_ratio((double)r->wire_bytes / 1e6, r->seconds));
    arka_bench_json_real(b, "requests_per_s", arka_bench_ratio((double)r->n_requests, r->seconds));
    if (o->flush) {
        arka_bench_json_real(b, "flush_s", r->flush_s);
        arka_bench_json_real(b, "rows_per_s_with_flush",
                             arka_bench_ratio(rows, r->seconds + r->flush_s));
    }
    arka_bench_json_latency(b, "latency_ms", &r->latency);
    rate_json(b, o, r);
    arka_bench_json_answers(b, r->n_status, ARKA_BENCH_STATUSES);
    arka_bench_json_text(b, "durability", o->durability ? o->durability : "synced");
    bytes_json(b, r);
    arka_bench_json_real(b, "generator_ns_per_row",
                         arka_bench_ratio((double)r->generator_cpu_ns, rows));
    server(b, o, r);
    if (r->first_error[0] != 0)
        arka_bench_json_text(b, "first_error", r->first_error);
    if (v != NULL)
        verdict_json(b, v);
    arka_buf_byte(b, '}');
}

static void query_json(arka_buf *b, const arka_bench_query_result *q)
{
    arka_buf_byte(b, '{');
    arka_bench_json_text(b, "bench", "query");
    arka_bench_json_text(b, "phase", q->phase);
    if (q->n_files >= 0)
        arka_bench_json_integer(b, "files", q->n_files);
    arka_bench_json_text(b, "query", q->name);
    arka_bench_json_text(b, "format", arka_answer_format_names[q->format]);
    arka_bench_json_integer(b, "connections", q->n_connections);
    arka_bench_json_integer(b, "runs", q->n_runs);
    arka_bench_json_integer(b, "failed", q->n_failed);
    arka_bench_json_real(b, "seconds", q->seconds);
    arka_bench_json_integer(b, "rows", q->n_rows);
    arka_bench_json_integer(b, "bytes", q->n_bytes);
    arka_bench_json_latency(b, "latency_ms", &q->latency);
    arka_bench_json_real(b, "rows_per_s",
                         arka_bench_ratio((double)(q->n_rows * q->n_runs), q->seconds));
    arka_bench_json_real(b, "mb_per_s",
                         arka_bench_ratio((double)(q->n_bytes * q->n_runs) / 1e6, q->seconds));
    arka_bench_json_real(b, "server_cpu_ms_per_run",
                         arka_bench_ratio((double)q->server_cpu_ns / 1e6, (double)q->n_runs));
    if (q->first_error[0] != 0)
        arka_bench_json_text(b, "first_error", q->first_error);
    arka_buf_byte(b, '}');
}

void arka_bench_report_write(FILE *out, bool json, const arka_bench_write_options *options,
                             const arka_bench_write_result *result,
                             const arka_bench_verdict *verdict)
{
    if (json) {
        arka_buf line = ARKA_BUF_INIT;
        write_json(&line, options, result, verdict);
        arka_bench_json_print(out, &line);
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
    fprintf(out, "\n%s: %s rows, %s Parquet files\n", table,
            arka_bench_grouped((double)n_rows, rows),
            n_files >= 0 ? arka_bench_grouped((double)n_files, files) : "an unknown number of");
    fprintf(out, "%-8s %-9s %-8s %5s %10s %12s %10s %10s %12s %9s %10s\n", "phase", "query",
            "format", "runs", "rows", "bytes", "p50 ms", "p99 ms", "rows/s", "MB/s", "server ms");
}

void arka_bench_report_query(FILE *out, bool json, const arka_bench_query_result *q)
{
    char rows[NUMBER], bytes[NUMBER], rate[NUMBER];
    if (json) {
        arka_buf line = ARKA_BUF_INIT;
        query_json(&line, q);
        arka_bench_json_print(out, &line);
    } else {
        fprintf(
            out, "%-8s %-9s %-8s %5" PRId64 " %10s %12s %10.3f %10.3f %12s %9.1f %10.2f\n",
            q->phase, q->name, arka_answer_format_names[q->format], q->n_runs,
            arka_bench_grouped((double)q->n_rows, rows),
            arka_bench_grouped((double)q->n_bytes, bytes), arka_bench_quantile_ms(&q->latency, 0.5),
            arka_bench_quantile_ms(&q->latency, 0.99),
            arka_bench_grouped(arka_bench_ratio((double)(q->n_rows * q->n_runs), q->seconds), rate),
            arka_bench_ratio((double)(q->n_bytes * q->n_runs) / 1e6, q->seconds),
            arka_bench_ratio((double)q->server_cpu_ns / 1e6, (double)q->n_runs));
        if (q->first_error[0] != 0)
            fprintf(out, "  %" PRId64 " failed: %s\n", q->n_failed, q->first_error);
    }
    fflush(out);
}
