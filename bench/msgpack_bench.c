/*
 * What does decoding cost a row, batch allocation included? Four bodies of 1,000 rows; a
 * name as argument runs those whose name holds it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kit.h"
#include "kit/pack.h"
#include "os/clock.h"
#include "wire/msgpack.h"

enum { ROWS = 1000, ROUNDS = 15 };

static const int64_t START_US = INT64_C(1767607200000000);

static void column_of_doubles(arka_buf *b, const char *name)
{
    pack_str(b, name);
    pack_array(b, ROWS);
    for (int i = 0; i < ROWS; i++)
        pack_f64(b, bench_random_unit() * 100);
}

static void column_of_times(arka_buf *b)
{
    pack_str(b, "time");
    pack_array(b, ROWS);
    for (int i = 0; i < ROWS; i++)
        pack_u64(b, (uint64_t)(START_US + i * 1000));
}

static void column_of_names(arka_buf *b, const char *name, const char *stem, int n)
{
    pack_str(b, name);
    pack_array(b, ROWS);
    for (int i = 0; i < ROWS; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s%02d", stem, (int)(bench_random() % (unsigned)n));
        pack_str(b, text);
    }
}

static void column_of_ints(arka_buf *b, const char *name, int64_t most)
{
    pack_str(b, name);
    pack_array(b, ROWS);
    for (int i = 0; i < ROWS; i++)
        pack_int(b, (int64_t)(bench_random() % (uint64_t)most));
}

static void open_columns(arka_buf *b, const char *measurement, uint32_t n)
{
    pack_map(b, 2);
    pack_str(b, "m");
    pack_str(b, measurement);
    pack_str(b, "columns");
    pack_map(b, n);
}

static void iot(arka_buf *b)
{
    open_columns(b, "cpu", 5);
    column_of_times(b);
    column_of_names(b, "host", "host", 50);
    column_of_doubles(b, "value");
    column_of_doubles(b, "cpu_idle");
    column_of_doubles(b, "cpu_user");
}

static void financial(arka_buf *b)
{
    open_columns(b, "trades", 10);
    column_of_times(b);
    column_of_names(b, "symbol", "SYM", 90);
    column_of_names(b, "exchange", "X", 12);
    column_of_doubles(b, "price");
    column_of_doubles(b, "bid");
    column_of_doubles(b, "ask");
    column_of_ints(b, "volume", 100000);
    column_of_ints(b, "bid_size", 1000);
    column_of_ints(b, "ask_size", 1000);
    column_of_ints(b, "trade_id", INT64_C(1) << 40);
}

static void rows(arka_buf *b)
{
    pack_array(b, ROWS);
    for (int i = 0; i < ROWS; i++) {
        char host[32];
        snprintf(host, sizeof host, "host%02d", (int)(bench_random() % 50));
        pack_map(b, 4);
        pack_str(b, "m");
        pack_str(b, "cpu");
        pack_str(b, "t");
        pack_u64(b, (uint64_t)(START_US + i * 1000));
        pack_str(b, "tags");
        pack_map(b, 1);
        pack_str(b, "host");
        pack_str(b, host);
        pack_str(b, "fields");
        pack_map(b, 3);
        pack_str(b, "value");
        pack_f64(b, bench_random_unit() * 100);
        pack_str(b, "cpu_idle");
        pack_f64(b, bench_random_unit() * 100);
        pack_str(b, "cpu_user");
        pack_f64(b, bench_random_unit() * 100);
    }
}

/* What a JavaScript client sends: whole numbers as integers, holes, a label that is now a number,
 * now text. */
static void mixed(arka_buf *b)
{
    open_columns(b, "mixed", 5);
    column_of_times(b);
    column_of_names(b, "host", "host", 50);
    pack_str(b, "usage");
    pack_array(b, ROWS);
    for (int i = 0; i < ROWS; i++)
        bench_random() % 4 == 0 ? pack_int(b, (int64_t)(bench_random() % 100))
                                : pack_f64(b, bench_random_unit() * 100);
    pack_str(b, "holes");
    pack_array(b, ROWS);
    for (int i = 0; i < ROWS; i++)
        bench_random() % 2 == 0 ? pack_nil(b) : pack_f64(b, bench_random_unit());
    pack_str(b, "le");
    pack_array(b, ROWS);
    for (int i = 0; i < ROWS; i++)
        bench_random() % 8 == 0 ? pack_str(b, "+Inf")
                                : pack_f64(b, (double)(bench_random() % 1000) / 8);
}

static void decode_once(void *context)
{
    const arka_buf *body = context;
    arka_msgpack_options options = {.now_us = START_US};
    arka_writes writes = {0};
    arka_error err = {0};
    if (arka_msgpack_decode(body->data, body->len, &options, &writes, &err) != ARKA_OK ||
        writes.n_rows != ROWS) {
        fprintf(stderr, "msgpack_bench: %s\n", err.msg);
        exit(1);
    }
    arka_writes_fini(&writes);
}

static void measure(const char *name, void (*make)(arka_buf *))
{
    arka_buf body = ARKA_BUF_INIT;
    make(&body);
    bench_rounds r = bench_measure(arka_cpu_thread_ns, ROUNDS, 1e8, decode_once, &body);
    printf("%-10s %7zu bytes  %6.2f ns/row  %7.0f MB/s  (slowest round %.2f ns/row)\n", name,
           body.len, r.least / ROWS, (double)body.len / r.least * 1e3, r.most / ROWS);
    arka_buf_fini(&body);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*make)(arka_buf *);
    } BODIES[] = {{"iot", iot}, {"financial", financial}, {"rows", rows}, {"mixed", mixed}};
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++)
        if (argc < 2 || strstr(BODIES[i].name, argv[1]) != NULL)
            measure(BODIES[i].name, BODIES[i].make);
    return 0;
}
