#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "cli/bench/bench_json.h"
#include "cli/bench/bench_verbs.h"
#include "os/file.h"

enum { MIB = 1 << 20, PATH = ARKA_BENCH_CHILD_PATH + 64, MAX_FILL_S = 3600 };

/* Nothing is flushed before the log has its size, as far as memory allows. */
static const char UNFLUSHED[] = "[ingestion]\nbuffer_mb = 65536\nflush_interval_seconds = 86400\n";
static const char UNFLUSHED_ENVIRONMENT[] = "BUFFER_SIZE=1000000000 BUFFER_AGE_SECONDS=86400";

typedef struct filling {
    arka_bench *bench;
    char dir[PATH]; /* of the log */
    int64_t wanted;
    atomic_bool enough;
} filling;

static arka_status add_size(void *context, const char *relative, int64_t n_bytes, arka_error *err)
{
    *(int64_t *)context += n_bytes;
    return ARKA_OK;
}

static int64_t size_of(const char *dir)
{
    int64_t n = 0;
    /* segments come and go while it is looked at: what is there counts */
    ARKA_IGNORE(arka_dir_walk(dir, add_size, &n, NULL));
    return n;
}

static void look_at_size(void *context)
{
    filling *f = context;
    if (arka_bench_is_stopped(f->bench) || size_of(f->dir) >= f->wanted)
        atomic_store_explicit(&f->enough, true, memory_order_relaxed);
}

static arka_status forget_pages(void *context, const char *relative, int64_t n_bytes,
                                arka_error *err)
{
    char path[2 * PATH];
    snprintf(path, sizeof path, "%s/%s", (const char *)context, relative);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ARKA_OK;
    fdatasync(fd); /* only clean pages can go */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return ARKA_OK;
}

static void report(const arka_bench *b, const arka_bench_write_options *w, int64_t log_bytes,
                   double ready_s, int64_t cpu_ns, const arka_bench_verdict *v)
{
    static const char *const FORMATS[] = {"msgpack", "lp"};
    double rate = arka_bench_ratio((double)log_bytes, ready_s);
    int64_t n_rows = v->n_acknowledged;
    char a[ARKA_BENCH_NUMBER], c[ARKA_BENCH_NUMBER];
    if (b->options.json) {
        arka_buf line = ARKA_BUF_INIT;
        arka_buf_byte(&line, '{');
        arka_bench_json_text(&line, "bench", "recovery");
        arka_bench_json_text(&line, "format", FORMATS[w->payload.format]);
        arka_bench_json_integer(&line, "rows_per_request", w->payload.n_rows);
        arka_bench_json_flag(&line, "cold", b->options.cold);
        arka_bench_json_integer(&line, "log_bytes", log_bytes);
        arka_bench_json_integer(&line, "rows", n_rows);
        arka_bench_json_real(&line, "ready_s", ready_s);
        arka_bench_json_real(&line, "server_cpu_s", (double)cpu_ns / 1e9);
        arka_bench_json_real(&line, "bytes_per_s", rate);
        arka_bench_json_real(&line, "rows_per_s", arka_bench_ratio((double)n_rows, ready_s));
        arka_bench_json_integer(&line, "server_peak_bytes",
                                arka_bench_process_peak_bytes(&b->process));
        arka_bench_json_flag(&line, "verified", v->ok);
        arka_bench_json_text(&line, "verdict", v->text);
        arka_buf_byte(&line, '}');
        arka_bench_json_print(stdout, &line);
        return;
    }
    printf("recovery: %.0f MiB of log, %s rows in requests of %d (%s)%s: killed, started, ready "
           "after %.2f s (%.2f s of CPU); %.0f MB/s, %s rows/s; resident %.0f MiB\n",
           (double)log_bytes / MIB, arka_bench_grouped((double)n_rows, a), w->payload.n_rows,
           FORMATS[w->payload.format], b->options.cold ? ", not in the page cache" : "", ready_s,
           (double)cpu_ns / 1e9, rate / 1e6,
           arka_bench_grouped(arka_bench_ratio((double)n_rows, ready_s), c),
           (double)arka_bench_process_peak_bytes(&b->process) / MIB);
    printf("%s: %s\n", v->ok ? "verified" : "NOT verified", v->text);
    fflush(stdout);
}

static arka_status kill_and_recover(arka_bench *b, filling *f, const arka_bench_write_options *w,
                                    const arka_bench_write_result *result, bool *ok,
                                    arka_error *err)
{
    arka_bench_verdict verdict;
    double ready_s;
    arka_bench_child_kill(&b->child);
    int64_t log_bytes = size_of(f->dir);
    if (b->options.cold)
        ARKA_TRY(arka_dir_walk(f->dir, forget_pages, f->dir, err));
    ARKA_TRY(arka_bench_child_start(&b->child, &ready_s, err));
    ARKA_TRY(arka_bench_reconnect(b, err));
    int64_t cpu_ns = arka_bench_process_cpu_ns(&b->process);
    ARKA_TRY(arka_bench_verify(w, result, &verdict, err));
    report(b, w, log_bytes, ready_s, cpu_ns, &verdict);
    *ok = verdict.ok;
    if (log_bytes < f->wanted) {
        fprintf(stderr, "arc bench: the log had %.0f MiB, %.0f were asked for\n",
                (double)log_bytes / MIB, (double)f->wanted / MIB);
        *ok = false;
    }
    return ARKA_OK;
}

arka_status arka_bench_recovery(arka_bench *b, bool *ok, arka_error *err)
{
    static arka_bench_write_result result;
    filling f = {.bench = b, .wanted = b->options.log_mb * MIB};
    arka_bench_child_options child = {.config = UNFLUSHED, .environment = UNFLUSHED_ENVIRONMENT};
    ARKA_TRY(arka_bench_open(b, &child, err));
    arka_bench_figures figures;
    arka_bench_figures_read(&b->server, &figures);
    if (!figures.has_log)
        return arka_fail(err, ARKA_IO, "the server has no log to recover from");
    arka_bench_child_log_dir(&b->child, f.dir, sizeof f.dir);
    arka_bench_write_options w = arka_bench_write_as_asked(b);
    w.seconds = MAX_FILL_S;
    w.flush = false;
    w.stop = &f.enough;
    w.tick = look_at_size;
    w.context = &f;
    ARKA_TRY(arka_bench_write_run(&w, &result, err));
    arka_bench_report_write(stdout, b->options.json, &w, &result, NULL);
    arka_status status = kill_and_recover(b, &f, &w, &result, ok, err);
    arka_bench_write_result_fini(&result);
    return status;
}
