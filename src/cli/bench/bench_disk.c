#include "cli/bench/bench_disk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <errno.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/bench/bench_workload.h"
#include "os/clock.h"

enum { PIECE = 1 << 20, PATH_MAX_TEXT = 4096 };

const int arka_bench_disk_sizes[ARKA_BENCH_DISK_SIZES] = {4 << 10, 1 << 20};

typedef struct disk {
    const arka_bench_disk_options *options;
    char dir[PATH_MAX_TEXT];
    char *piece; /* bytes that nothing can compress */
} disk;

static bool is_stopped(const disk *d)
{
    return d->options->stop != NULL && atomic_load_explicit(d->options->stop, memory_order_relaxed);
}

static void path_of(const disk *d, int64_t number, char *out)
{
    snprintf(out, PATH_MAX_TEXT + 32, "%s/%" PRId64, d->dir, number);
}

static arka_status create(const disk *d, int64_t number, arka_file **out, arka_error *err)
{
    char path[PATH_MAX_TEXT + 32];
    const arka_os *os = d->options->os ? d->options->os : &arka_os_real;
    path_of(d, number, path);
    return arka_file_create(os, path, out, err);
}

static arka_status write_file(const disk *d, int64_t number, arka_error *err)
{
    ARKA_AUTO(arka_file) file = NULL;
    ARKA_TRY(create(d, number, &file, err));
    for (int64_t left = d->options->file_bytes; left > 0; left -= PIECE)
        ARKA_TRY(arka_file_append(file, d->piece, left < PIECE ? (size_t)left : PIECE, err));
    ARKA_TRY(arka_file_sync(file, err));
    return arka_file_close(arka_take(file), err);
}

static void remove_file(const disk *d, int64_t number)
{
    char path[PATH_MAX_TEXT + 32];
    path_of(d, number, path);
    unlink(path);
}

static bool has_time(const disk *d, arka_mono begun)
{
    double limit_s = d->options->seconds;
    return !is_stopped(d) && (limit_s <= 0 || (double)arka_mono_since_ns(begun) < limit_s * 1e9);
}

/* Only the last few stay until the end, so that a long run does not fill the disk. */
static arka_status write_files(const disk *d, arka_bench_disk_result *out, arka_error *err)
{
    enum { KEPT = 8 };
    arka_status status = ARKA_OK;
    int64_t n = 0;
    arka_mono begun = arka_mono_now();
    for (; n < d->options->n_files && status == ARKA_OK && has_time(d, begun); n++) {
        if (n >= KEPT)
            remove_file(d, n - KEPT);
        status = write_file(d, n, err);
    }
    out->seconds = (double)arka_mono_since_ns(begun) / 1e9;
    out->n_bytes = n * d->options->file_bytes;
    for (int64_t i = n > KEPT ? n - KEPT : 0; i < n; i++)
        remove_file(d, i);
    return status;
}

static arka_status append_and_sync(const disk *d, int n_bytes, arka_histogram *h, arka_error *err)
{
    ARKA_AUTO(arka_file) file = NULL;
    ARKA_TRY(create(d, 0, &file, err));
    for (int64_t i = 0; i < d->options->n_appends && !is_stopped(d); i++) {
        arka_mono begun = arka_mono_now();
        ARKA_TRY(arka_file_append(file, d->piece, (size_t)n_bytes, err));
        ARKA_TRY(arka_file_sync(file, err));
        arka_histogram_record(h, arka_mono_since_ns(begun));
    }
    return ARKA_OK; /* and the file goes */
}

static arka_status measure(disk *d, arka_bench_disk_result *out, arka_error *err)
{
    arka_random random;
    arka_random_bytes(&random, sizeof random);
    d->piece = arka_malloc(PIECE);
    if (d->piece == NULL)
        return arka_fail_nomem(err, "a piece to write", PIECE);
    for (size_t i = 0; i < PIECE; i += sizeof(uint64_t)) {
        uint64_t v = arka_random_u64(&random);
        memcpy(d->piece + i, &v, sizeof v);
    }
    ARKA_TRY(write_files(d, out, err));
    for (int i = 0; i < ARKA_BENCH_DISK_SIZES; i++)
        ARKA_TRY(append_and_sync(d, arka_bench_disk_sizes[i], &out->appends[i], err));
    return ARKA_OK;
}

arka_status arka_bench_disk_run(const arka_bench_disk_options *options, arka_bench_disk_result *out,
                                arka_error *err)
{
    disk d = {.options = options};
    *out = (arka_bench_disk_result){0};
    int n = snprintf(d.dir, sizeof d.dir, "%s/arc-disk.XXXXXX", options->dir);
    if (n < 0 || (size_t)n >= sizeof d.dir)
        return arka_fail(err, ARKA_INPUT, "the path '%.100s…' is too long", options->dir);
    if (mkdtemp(d.dir) == NULL)
        return arka_fail_sys(err, ARKA_IO, errno, "a new directory below %s", options->dir);
    arka_status status = measure(&d, out, err);
    arka_free(d.piece);
    rmdir(d.dir);
    return status;
}

double arka_bench_disk_bandwidth(const arka_bench_disk_result *result)
{
    return result->seconds > 0 ? (double)result->n_bytes / result->seconds : 0;
}

static double ms(const arka_histogram *h, double q)
{
    return (double)arka_histogram_quantile(h, q) / 1e6;
}

static void say(FILE *out, const arka_bench_disk_options *o, const arka_bench_disk_result *r)
{
    fprintf(out, "disk below %s\n", o->dir);
    if (r->seconds > 0)
        fprintf(out,
                "  files       %" PRId64 " MiB in files of %" PRId64
                " MiB, each synced: %.1f MB/s\n",
                r->n_bytes >> 20, o->file_bytes >> 20, arka_bench_disk_bandwidth(r) / 1e6);
    for (int i = 0; i < ARKA_BENCH_DISK_SIZES; i++) {
        const arka_histogram *h = &r->appends[i];
        if (h->n == 0)
            continue;
        int n_bytes = arka_bench_disk_sizes[i];
        fprintf(out,
                "  append of %4d KiB and fdatasync: p50 %.3f ms, p99 %.3f ms, max %.3f ms; "
                "%.0f a second, %.1f MB/s\n",
                n_bytes >> 10, ms(h, 0.5), ms(h, 0.99), (double)h->max / 1e6,
                1e9 / arka_histogram_mean(h), n_bytes * 1e3 / arka_histogram_mean(h));
    }
}

static void put_json(FILE *out, const arka_bench_disk_options *o, const arka_bench_disk_result *r)
{
    arka_buf b = ARKA_BUF_INIT;
    arka_buf_literal(&b, "{\"bench\":\"disk\",\"dir\":");
    arka_json_string(&b, arka_slice_of(o->dir));
    arka_buf_printf(&b, ",\"bytes\":%" PRId64 ",\"bytes_per_s\":%.0f", r->n_bytes,
                    arka_bench_disk_bandwidth(r));
    for (int i = 0; i < ARKA_BENCH_DISK_SIZES; i++) {
        const arka_histogram *h = &r->appends[i];
        arka_buf_printf(
            &b,
            ",\"append_%d\":{\"n\":%" PRId64 ",\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f}",
            arka_bench_disk_sizes[i], h->n, ms(h, 0.5), ms(h, 0.99), (double)h->max / 1e6);
    }
    arka_buf_literal(&b, "}\n");
    if (!b.failed)
        fwrite(b.data, 1, b.len, out);
    arka_buf_fini(&b);
}

void arka_bench_disk_report(FILE *out, bool json, const arka_bench_disk_options *options,
                            const arka_bench_disk_result *result)
{
    if (json)
        put_json(out, options, result);
    else
        say(out, options, result);
    fflush(out);
}
