#include "cli/bench/bench_json.h"

#include "base/json.h"

void arka_bench_json_key(arka_buf *b, const char *name)
{
    if (b->len > 0 && b->data[b->len - 1] != '{')
        arka_buf_byte(b, ',');
    arka_json_string(b, arka_slice_of(name));
    arka_buf_byte(b, ':');
}

void arka_bench_json_text(arka_buf *b, const char *name, const char *value)
{
    arka_bench_json_key(b, name);
    arka_json_string(b, arka_slice_of(value));
}

void arka_bench_json_integer(arka_buf *b, const char *name, int64_t value)
{
    arka_bench_json_key(b, name);
    arka_json_i64(b, value);
}

void arka_bench_json_real(arka_buf *b, const char *name, double value)
{
    arka_bench_json_key(b, name);
    arka_json_f64(b, value);
}

void arka_bench_json_flag(arka_buf *b, const char *name, bool value)
{
    arka_bench_json_key(b, name);
    arka_buf_text(b, value ? "true" : "false");
}

void arka_bench_json_latency(arka_buf *b, const char *name, const arka_histogram *h)
{
    arka_bench_json_key(b, name);
    arka_buf_byte(b, '{');
    arka_bench_json_real(b, "mean", arka_histogram_mean(h) / 1e6);
    arka_bench_json_real(b, "min", (double)h->min / 1e6);
    arka_bench_json_real(b, "p50", arka_bench_quantile_ms(h, 0.5));
    arka_bench_json_real(b, "p90", arka_bench_quantile_ms(h, 0.9));
    arka_bench_json_real(b, "p99", arka_bench_quantile_ms(h, 0.99));
    arka_bench_json_real(b, "p999", arka_bench_quantile_ms(h, 0.999));
    arka_bench_json_real(b, "max", (double)h->max / 1e6);
    arka_buf_byte(b, '}');
}

void arka_bench_json_answers(arka_buf *b, const int64_t *n_status, int n)
{
    arka_bench_json_key(b, "answers");
    arka_buf_byte(b, '{');
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, i ? "%d" : "none", i);
        if (n_status[i] > 0)
            arka_bench_json_integer(b, name, n_status[i]);
    }
    arka_buf_byte(b, '}');
}

void arka_bench_json_print(FILE *out, arka_buf *line)
{
    arka_buf_byte(line, '\n');
    if (!line->failed)
        fwrite(line->data, 1, line->len, out);
    arka_buf_fini(line);
    fflush(out);
}

const char *arka_bench_grouped(double v, char *out)
{
    char plain[ARKA_BENCH_NUMBER];
    int n = snprintf(plain, sizeof plain, "%.0f", v), at = 0;
    for (int i = 0; i < n && at < ARKA_BENCH_NUMBER - 2; i++) {
        out[at++] = plain[i];
        if ((n - i) % 3 == 1 && i + 1 < n && plain[i] != '-')
            out[at++] = ',';
    }
    out[at] = 0;
    return out;
}

double arka_bench_ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

double arka_bench_quantile_ms(const arka_histogram *h, double q)
{
    return (double)arka_histogram_quantile(h, q) / 1e6;
}

void arka_bench_say_answers(FILE *out, const int64_t *n_status, int n)
{
    char number[ARKA_BENCH_NUMBER];
    for (int i = 1; i < n; i++)
        if (n_status[i] > 0)
            fprintf(out, " %d: %s ", i, arka_bench_grouped((double)n_status[i], number));
    if (n_status[0] > 0)
        fprintf(out, " none: %s", arka_bench_grouped((double)n_status[0], number));
}
