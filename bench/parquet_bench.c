/*
 * What does a flush cost in CPU time? First putting rows in order of time, for what arrives: one
 * sender, twelve at once, rows in any order. Then writing Parquet: the IOT table (time, host, three
 * random doubles) as a whole, and columns of several kinds one by one, with each codec, less what
 * the time column costs that every file has.
 *
 *     parquet_bench [ROWS]        2,000,000 when not given
 */
#include <stdio.h>
#include <stdlib.h>

#include "columnar/block.h"
#include "columnar/parquet.h"
#include "kit.h"
#include "os/clock.h"

enum { BATCH_ROWS = 1000, SENDERS = 12, MAX_FIELDS = 6 };

typedef enum kind {
    HOSTS,
    TEXTS_5000,
    TEXTS_UNIQUE,
    DOUBLES_RANDOM,
    DOUBLES_PERCENT,
    DOUBLES_WALK,
    DOUBLES_HALF_NULL,
    INTEGERS_RANDOM,
    INTEGERS_COUNTER,
    INTEGERS_SMALL,
    BOOLEANS,
} kind;

static const struct {
    const char *name;
    arka_type type;
} kinds[] = {
    [HOSTS] = {"text, 50 hosts", ARKA_VARCHAR},
    [TEXTS_5000] = {"text, 5,000 paths", ARKA_VARCHAR},
    [TEXTS_UNIQUE] = {"text, all different", ARKA_VARCHAR},
    [DOUBLES_RANDOM] = {"double, random", ARKA_DOUBLE},
    [DOUBLES_PERCENT] = {"double, 0.00 to 99.99", ARKA_DOUBLE},
    [DOUBLES_WALK] = {"double, walking", ARKA_DOUBLE},
    [DOUBLES_HALF_NULL] = {"double, half null", ARKA_DOUBLE},
    [INTEGERS_RANDOM] = {"bigint, random", ARKA_BIGINT},
    [INTEGERS_COUNTER] = {"bigint, 50 counters", ARKA_BIGINT},
    [INTEGERS_SMALL] = {"bigint, 0 to 7", ARKA_BIGINT},
    [BOOLEANS] = {"boolean", ARKA_BOOLEAN},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static size_t text_of(kind k, char out[40])
{
    uint64_t v = bench_random() >> 20;
    if (k == HOSTS)
        return (size_t)snprintf(out, 40, "server-%02d", (int)(v % 50));
    if (k == TEXTS_5000)
        return (size_t)snprintf(out, 40, "/srv/www/pages/%d/index.html", (int)(v % 5000));
    return (size_t)snprintf(out, 40, "%016llx", (unsigned long long)v);
}

static double double_of(kind k, int64_t row)
{
    static double walk[50];
    uint64_t v = bench_random() >> 11;
    if (k == DOUBLES_PERCENT)
        return (double)(v % 10000) / 100;
    if (k == DOUBLES_WALK)
        return walk[row % 50] += (double)(v % 201) / 100 - 1;
    return (double)v / 9007199254740992.0 * 100;
}

static int64_t integer_of(kind k, int64_t row)
{
    static int64_t counters[50];
    uint64_t v = bench_random();
    if (k == INTEGERS_SMALL)
        return (int64_t)(v >> 61);
    if (k == INTEGERS_COUNTER)
        return counters[row % 50] += (int64_t)(v >> 54);
    return (int64_t)v;
}

static void add_column(arka_block *block, const char *name, kind k)
{
    arka_error err = {0};
    char text[40];
    int c;
    arka_type type = kinds[k].type;
    bench_must(arka_block_add(block, arka_slice_of(name), type, k == HOSTS, &c, &err), &err);
    for (int64_t i = 0; i < BATCH_ROWS; i++) {
        if (type == ARKA_VARCHAR) {
            size_t n = text_of(k, text);
            memcpy(arka_block_text_reserve(block, c, n), text, n);
            arka_block_text_advance(block, c, n);
            ((int32_t *)arka_block_values(block, c))[i + 1] =
                (int32_t)arka_block_text_len(block, c);
        } else if (type == ARKA_DOUBLE) {
            ((double *)arka_block_values(block, c))[i] = double_of(k, i);
            if (k == DOUBLES_HALF_NULL && bench_random() >> 63)
                bench_must(arka_block_set_null(block, c, i, &err), &err);
        } else if (type == ARKA_BOOLEAN) {
            ((uint8_t *)arka_block_values(block, c))[i / 8] |=
                (uint8_t)(bench_random() >> 63 << i % 8);
        } else {
            ((int64_t *)arka_block_values(block, c))[i] = integer_of(k, i);
        }
    }
}

typedef enum order { ONE_SENDER, TWELVE_SENDERS, ANY_ORDER } order;

typedef struct input {
    arka_batch **batches;
    size_t n_batches;
    int n_columns; /* beside time */
    char names[MAX_FIELDS][16];
    kind kinds[MAX_FIELDS];
} input;

static void input_make(input *in, int64_t n_rows, order how)
{
    arka_error err = {0};
    int64_t clocks[SENDERS] = {0}, at = 0;
    in->n_batches = (size_t)(n_rows / BATCH_ROWS);
    in->batches = calloc(in->n_batches, sizeof(arka_batch *));
    for (size_t b = 0; b < in->n_batches; b++) {
        arka_block *block;
        int c;
        bench_must(arka_block_new(BATCH_ROWS, 64 * BATCH_ROWS, &block, &err), &err);
        bench_must(arka_block_add(block, ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, false, &c, &err),
                   &err);
        int64_t *times = arka_block_values(block, c), *clock = &clocks[b % SENDERS];
        for (int64_t i = 0; i < BATCH_ROWS; i++)
            times[i] = 1700000000000000 +
                       (how == ONE_SENDER       ? at += 1 + (int64_t)(bench_random() >> 63)
                        : how == TWELVE_SENDERS ? *clock += (int64_t)(bench_random() % 24)
                                                : (int64_t)(bench_random() % (uint64_t)n_rows));
        for (int k = 0; k < in->n_columns; k++)
            add_column(block, in->names[k], in->kinds[k]);
        bench_must(arka_block_seal(block, 0, &in->batches[b], &err), &err);
    }
}

static void input_drop(input *in)
{
    for (size_t b = 0; b < in->n_batches; b++)
        arka_batch_unref(in->batches[b]);
    free(in->batches);
}

static double sort_ns(const input *in, int64_t n_rows, arka_spans *out)
{
    arka_error err = {0};
    bench_rounds cpu = {0};
    for (int round = 0; round < 7; round++) {
        arka_spans_fini(out);
        int64_t start = arka_cpu_process_ns();
        bench_must(arka_sort_by_time(in->batches, in->n_batches, out, &err), &err);
        bench_note(&cpu, (double)(arka_cpu_process_ns() - start));
    }
    return cpu.least / (double)n_rows;
}

static arka_status forget(void *context, const void *bytes, size_t n, arka_error *err)
{
    return ARKA_OK;
}

/* Writes the first `n_columns` of the input's columns; bytes and ns of a row. */
static double write_ns(const input *in, int n_columns, const arka_spans *spans, arka_codec codec,
                       int rounds, double *bytes)
{
    arka_error err = {0};
    arka_parquet_field fields[MAX_FIELDS + 1] = {{ARKA_SLICE("time"), ARKA_TIMESTAMPTZ, 1, false}};
    for (int k = 0; k < n_columns; k++)
        fields[k + 1] = (arka_parquet_field){arka_slice_of(in->names[k]), kinds[in->kinds[k]].type,
                                             k + 2, false};
    int n_fields = n_columns + 1;
    int16_t *columns = malloc(in->n_batches * (size_t)n_fields * sizeof *columns);
    for (size_t i = 0; i < in->n_batches * (size_t)n_fields; i++)
        columns[i] = (int16_t)(i % (size_t)n_fields);
    bench_rounds cpu = {0};
    arka_parquet_stats stats = {0};
    for (int round = 0; round < rounds; round++) {
        int64_t start = arka_cpu_process_ns();
        bench_must(arka_parquet_write(fields, n_fields, in->batches, in->n_batches, columns, spans,
                                      &(arka_parquet_options){.codec = codec},
                                      (arka_parquet_sink){.write = forget}, &stats, &err),
                   &err);
        bench_note(&cpu, (double)(arka_cpu_process_ns() - start));
    }
    free(columns);
    *bytes = (double)stats.n_bytes / (double)stats.n_rows;
    return cpu.least / (double)stats.n_rows;
}

static const arka_codec codecs[] = {ARKA_CODEC_NONE, ARKA_CODEC_SNAPPY, ARKA_CODEC_LZ4,
                                    ARKA_CODEC_ZSTD, ARKA_CODEC_GZIP};
enum { N_CODECS = sizeof codecs / sizeof *codecs };

static int rounds_for(arka_codec codec)
{
    return codec == ARKA_CODEC_GZIP ? 1 : 5;
}

static void bench_iot(int64_t n_rows, order how, const char *name)
{
    input in = {.n_columns = 4,
                .names = {"host", "value", "cpu_idle", "cpu_user"},
                .kinds = {HOSTS, DOUBLES_RANDOM, DOUBLES_RANDOM, DOUBLES_RANDOM}};
    arka_spans spans = {0};
    input_make(&in, n_rows, how);
    printf("%-16s %6.1f", name, sort_ns(&in, n_rows, &spans));
    for (int c = 0; c < N_CODECS; c++) {
        double bytes,
            ns = write_ns(&in, in.n_columns, &spans, codecs[c], rounds_for(codecs[c]), &bytes);
        printf("   %6.1f %5.1f", ns, bytes);
    }
    putchar('\n');
    arka_spans_fini(&spans);
    input_drop(&in);
}

static void bench_kind(int64_t n_rows, kind k)
{
    input in = {.n_columns = 1, .names = {"v"}, .kinds = {k}};
    arka_spans spans = {0};
    input_make(&in, n_rows, ONE_SENDER);
    sort_ns(&in, n_rows, &spans);
    printf("%-23s", kinds[k].name);
    for (int c = 0; c < N_CODECS; c++) {
        double bytes, time_bytes;
        int rounds = rounds_for(codecs[c]);
        double ns = write_ns(&in, 1, &spans, codecs[c], rounds, &bytes);
        double time_ns = write_ns(&in, 0, &spans, codecs[c], rounds, &time_bytes);
        printf("   %6.1f %5.2f", ns - time_ns, bytes - time_bytes);
    }
    putchar('\n');
    arka_spans_fini(&spans);
    input_drop(&in);
}

static void print_head(const char *what, const char *second)
{
    printf("\n%-16s %6s", what, second);
    for (int c = 0; c < N_CODECS; c++)
        printf("   %6s %5s", arka_codec_name(codecs[c]), "bytes");
    putchar('\n');
}

int main(int argc, char **argv)
{
    int64_t n_rows = argc > 1 ? atoll(argv[1]) / BATCH_ROWS * BATCH_ROWS : 2000000;
    if (n_rows < BATCH_ROWS) {
        fprintf(stderr, "parquet_bench [ROWS]: at least %d\n", BATCH_ROWS);
        return 2;
    }
    printf("%lld rows in batches of %d; ns of CPU and bytes, a row\n", (long long)n_rows,
           BATCH_ROWS);
    print_head("IOT, rows from", "sort");
    bench_iot(n_rows, ONE_SENDER, "one sender");
    bench_iot(n_rows, TWELVE_SENDERS, "twelve senders");
    bench_iot(n_rows, ANY_ORDER, "any order");
    print_head("a column alone", "");
    for (int k = 0; k < N_KINDS; k++)
        bench_kind(n_rows, (kind)k);
    return 0;
}
