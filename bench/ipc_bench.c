/*
 * What does Arrow IPC cost beside the bytes themselves? Writing and reading a batch of ours, and
 * writing one from a list of buffers as the query encoder does, against memcpy of the same body.
 */
#include <stdio.h>

#include "columnar/block.h"
#include "columnar/ipc.h"
#include "kit.h"

enum { N_COLUMNS = 8, ROUNDS = 15, ROUND_NS = 10000000, N_READ = 10 };

/* time, six DOUBLE, and host: VARCHAR of 8 bytes. Every third value of the last DOUBLE is null. */
static arka_batch *sample(int64_t n)
{
    arka_error err = {0};
    arka_block *block;
    arka_batch *batch;
    int c;
    bench_must(arka_block_new(n, 0, &block, &err), &err);
    for (int k = 0; k < N_COLUMNS; k++) {
        char name[8];
        int len = snprintf(name, sizeof name, k == 0 ? "time" : "c%d", k);
        arka_type type = k == 0               ? ARKA_TIMESTAMPTZ
                         : k == N_COLUMNS - 1 ? ARKA_VARCHAR
                                              : ARKA_DOUBLE;
        bench_must(arka_block_add(block, (arka_slice){name, (size_t)len}, type, false, &c, &err),
                   &err);
        for (int64_t i = 0; i < n; i++) {
            if (type == ARKA_VARCHAR) {
                char text[16];
                snprintf(text, sizeof text, "host%04d", (int)(i % 50));
                memcpy(arka_block_text_reserve(block, c, 8), text, 8);
                arka_block_text_advance(block, c, 8);
                ((int32_t *)arka_block_values(block, c))[i + 1] = (int32_t)(i + 1) * 8;
            } else if (type == ARKA_DOUBLE) {
                ((double *)arka_block_values(block, c))[i] = (double)(i * 7919 % 10007) / 100;
                if (k == N_COLUMNS - 2 && i % 3 == 0)
                    bench_must(arka_block_set_null(block, c, i, &err), &err);
            } else {
                ((int64_t *)arka_block_values(block, c))[i] = 1700000000000000 + i * 1000;
            }
        }
    }
    bench_must(arka_block_seal(block, 0, &batch, &err), &err);
    return batch;
}

typedef struct work {
    arka_batch *batch;
    arka_buf out;    /* kept between runs: its memory is there */
    arka_buf stream; /* for reading: schema, N_READ batches, end mark */
    arka_ipc_node nodes[N_COLUMNS];
    arka_ipc_buffer buffers[3 * N_COLUMNS];
    size_t n_buffers;
    arka_ipc_codec codec;
} work;

static void copy(void *context)
{
    work *w = context;
    arka_buf_clear(&w->out);
    arka_buf_append(&w->out, w->batch->body, w->batch->body_bytes);
}

static void header(void *context)
{
    work *w = context;
    arka_buf_clear(&w->out);
    arka_ipc_arka_batch_header(w->batch, (arka_arrow_pairs){NULL, 0}, &w->out);
}

static void write_batch(void *context)
{
    work *w = context;
    arka_buf_clear(&w->out);
    const arka_ipc_options options = {.codec = w->codec};
    arka_ipc_write_arka_batch(w->batch, &options, &w->out);
}

static void write_buffers(void *context)
{
    work *w = context;
    arka_buf_clear(&w->out);
    const arka_ipc_columns columns = {w->batch->n_rows, w->nodes, N_COLUMNS, w->buffers,
                                      w->n_buffers};
    arka_ipc_write_batch(&columns, NULL, &w->out);
}

static void read_stream(void *context)
{
    work *w = context;
    arka_error err = {0};
    arka_ipc_reader *reader;
    arka_batch *batch;
    bench_must(
        arka_ipc_reader_new((arka_slice){w->stream.data, w->stream.len}, 0, NULL, &reader, &err),
        &err);
    for (int i = 0; i < N_READ; i++) {
        bench_must(arka_ipc_reader_next(reader, 0, &batch, &err), &err);
        arka_batch_unref(batch);
    }
    arka_ipc_reader_free(reader);
}

static double measure(work *w, void (*run)(void *context))
{
    return bench_measure(bench_wall_ns, ROUNDS, ROUND_NS, run, w).least;
}

static void list_buffers(work *w)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        const arka_column *c = &w->batch->columns[i];
        int64_t n = w->batch->n_rows;
        w->nodes[i] = (arka_ipc_node){n, c->n_nulls};
        w->buffers[w->n_buffers++] =
            (arka_ipc_buffer){c->validity, c->validity == NULL ? 0 : (n + 7) / 8};
        w->buffers[w->n_buffers++] =
            (arka_ipc_buffer){c->values, c->type == ARKA_VARCHAR ? (n + 1) * 4 : n * 8};
        if (c->type == ARKA_VARCHAR)
            w->buffers[w->n_buffers++] = (arka_ipc_buffer){c->bytes, n * 8};
    }
}

static void bench(int64_t n)
{
    static const char *const codecs[] = {"plain", "lz4", "zstd"};
    const arka_arrow_pairs none = {NULL, 0};
    work w = {.batch = sample(n)};
    list_buffers(&w);
    double base = measure(&w, copy);
    printf("%lld rows, %zu bytes of body: memcpy %.0f ns\n", (long long)n, w.batch->body_bytes,
           base);
    double ns = measure(&w, header);
    printf("    header                 %10.0f ns  %6.3f x memcpy\n", ns, ns / base);
    ns = measure(&w, write_buffers);
    printf("    write, list of buffers %10.0f ns  %6.3f x memcpy\n", ns, ns / base);
    for (int codec = 0; codec < 3; codec++) {
        w.codec = (arka_ipc_codec)codec;
        ns = measure(&w, write_batch);
        printf("    write, %-5s           %10.0f ns  %6.3f x memcpy  %6.0f MB/s  %zu bytes\n",
               codecs[codec], ns, ns / base, (double)w.batch->body_bytes * 1e3 / ns, w.out.len);
        arka_buf_clear(&w.stream);
        arka_ipc_write_arka_schema(w.batch, none, none, &w.stream);
        for (int i = 0; i < N_READ; i++)
            arka_buf_append(&w.stream, w.out.data, w.out.len);
        arka_ipc_write_eos(&w.stream);
        ns = measure(&w, read_stream) / N_READ;
        printf("    read,  %-5s           %10.0f ns  %6.3f x memcpy  %6.0f MB/s\n", codecs[codec],
               ns, ns / base, (double)w.batch->body_bytes * 1e3 / ns);
    }
    arka_buf_fini(&w.out);
    arka_buf_fini(&w.stream);
    arka_batch_unref(w.batch);
}

int main(void)
{
    bench(1);
    bench(2048);
    bench(100000);
    return 0;
}
