#include "cli/bench/bench_figures.h"

#include <stdio.h>

#include "base/number.h"

/* The number behind the first `"name":` of the text; 0 when there is none. */
static double number_of(arka_slice json, const char *name)
{
    char key[64];
    int n = snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = json.len > 0 ? memmem(json.data, json.len, key, (size_t)n) : NULL;
    if (at == NULL)
        return 0;
    at += n;
    const char *end = json.data + json.len, *to = at;
    while (to < end && strchr("+-.0123456789eE", *to) != NULL && *to != 0)
        to++;
    double v = 0;
    return arka_parse_f64(at, (size_t)(to - at), &v) ? v : 0;
}

static int64_t count_of(arka_slice json, const char *name)
{
    return (int64_t)number_of(json, name);
}

/* The text from behind `"name":{` on; empty when there is none. */
static arka_slice object_of(arka_slice json, const char *name)
{
    char key[64];
    int n = snprintf(key, sizeof key, "\"%s\":{", name);
    const char *at = json.len > 0 ? memmem(json.data, json.len, key, (size_t)n) : NULL;
    return at == NULL ? (arka_slice){NULL, 0}
                      : (arka_slice){at + n, (size_t)(json.data + json.len - at - n)};
}

void arka_bench_figures_parse(arka_slice json, arka_bench_figures *out)
{
    arka_slice buffer = object_of(json, "buffer_stats"), log = object_of(json, "wal");
    *out = (arka_bench_figures){
        .known = buffer.data != NULL,
        .has_log = log.data != NULL,
        .rows_in = count_of(buffer, "total_records_buffered"),
        .rows_flushed = count_of(buffer, "total_records_written"),
        .files_written = count_of(buffer, "files_written"),
        .file_bytes = count_of(buffer, "bytes_written"),
        .hot_bytes = count_of(buffer, "hot_bytes"),
        .hot_limit_bytes = count_of(buffer, "hot_limit_bytes"),
        .n_refused = count_of(buffer, "writes_refused"),
        .log_bytes = count_of(log, "total_bytes"),
        .log_syncs = count_of(log, "total_syncs"),
        .oldest_s = number_of(buffer, "oldest_buffer_age_seconds"),
    };
}

void arka_bench_figures_read(const arka_bench_server *server, arka_bench_figures *out)
{
    arka_buf answer = ARKA_BUF_INIT;
    *out = (arka_bench_figures){0};
    if (arka_bench_server_get(server, "/api/v1/write/stats", &answer, NULL) == ARKA_OK)
        arka_bench_figures_parse((arka_slice){answer.data, answer.len}, out);
    arka_buf_clear(&answer);
    if (arka_bench_server_get(server, "/api/v1/metrics/memory", &answer, NULL) == ARKA_OK)
        out->memory_limit_bytes =
            count_of(object_of((arka_slice){answer.data, answer.len}, "limit"), "bytes");
    arka_buf_fini(&answer);
}

static double per(int64_t bytes, int64_t rows)
{
    return rows > 0 ? (double)bytes / (double)rows : 0;
}

double arka_bench_figures_log_bytes_per_row(const arka_bench_figures *before,
                                            const arka_bench_figures *after)
{
    return per(after->log_bytes - before->log_bytes, after->rows_in - before->rows_in);
}

double arka_bench_figures_file_bytes_per_row(const arka_bench_figures *before,
                                             const arka_bench_figures *after)
{
    return per(after->file_bytes - before->file_bytes, after->rows_flushed - before->rows_flushed);
}
