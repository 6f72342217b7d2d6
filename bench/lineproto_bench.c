/*
 * What does a line of line protocol cost, from text to sealed batches? Several bodies; a name as
 * argument runs those whose name holds it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "kit.h"
#include "os/clock.h"
#include "wire/lineproto.h"

enum { LINES = 10000, ROUNDS = 12 };

static const int64_t START_S = INT64_C(1767607200);

static unsigned below(unsigned n)
{
    return (unsigned)(bench_random() % n);
}

static double percent(void)
{
    return bench_random_unit() * 100;
}

static void end_line(arka_buf *b, int64_t second)
{
    arka_buf_printf(b, " %lld000000000\n", (long long)(START_S + second));
}

/* 20 series in turns, one decimal: the line that the documents show. */
static void sample(arka_buf *b)
{
    for (int i = 0; i < LINES; i++) {
        arka_buf_printf(
            b, "cpu,host=server%02d,region=eu usage_idle=%.1f,usage_user=%.1f,usage_system=%.1f",
            i % 20, percent(), percent() / 20, percent() / 20);
        end_line(b, i / 20 * 10);
    }
}

/* Telegraf's inputs on one host, all digits of its floats; every series ten times. */
static void telegraf(arka_buf *b)
{
    for (int i = 0, t = 0; i < LINES; t += 10)
        for (int k = 0; k < 1000 && i < LINES; k++, i++) {
            if (k % 4 == 0)
                arka_buf_printf(b,
                                "cpu,cpu=cpu%d,host=web-%d usage_user=%.14g,usage_system=%.14g,"
                                "usage_idle=%.15g,usage_iowait=%.14g,usage_steal=0,usage_guest=0",
                                k / 4 % 16, k / 64, percent() / 9, percent() / 9, percent(),
                                percent() / 50);
            else if (k % 4 == 1)
                arka_buf_printf(b,
                                "mem,host=web-%d active=%ui,available=%ui,available_percent=%.15g,"
                                "buffered=%ui,cached=%ui,total=8345190400i,used_percent=%.15g",
                                k, below(1u << 31), below(1u << 31), percent(), below(1u << 24),
                                below(1u << 30), percent());
            else if (k % 4 == 2)
                arka_buf_printf(
                    b,
                    "disk,device=nvme0n1p%d,fstype=ext4,host=web-%d,mode=rw,path=/data/%d "
                    "free=%ui,inodes_free=%ui,inodes_total=6553600i,total=105089261568i,"
                    "used_percent=%.15g",
                    k % 9, k / 36, k % 9, below(1u << 31), below(1u << 22), percent());
            else
                arka_buf_printf(b,
                                "net,host=web-%d,interface=eth%d bytes_recv=%llui,bytes_sent=%llui,"
                                "drop_in=0i,drop_out=%ui,err_in=0i,err_out=0i,packets_recv=%ui",
                                k / 8, k % 8, (unsigned long long)(bench_random() >> 22),
                                (unsigned long long)(bench_random() >> 22), below(100),
                                below(1u << 30));
            end_line(b, t);
        }
}

/* Every line a series of its own: nothing can be guessed but the keys. */
static void wide(arka_buf *b)
{
    for (int i = 0; i < LINES; i++) {
        arka_buf_printf(
            b, "cpu,host=server%05d,region=eu usage_idle=%.1f,usage_user=%.1f,usage_system=%.1f", i,
            percent(), percent() / 20, percent() / 20);
        end_line(b, i / 20 * 10);
    }
}

/* The ingest bench's row: time in microseconds, one tag of 50, doubles with all their digits. */
static void iot(arka_buf *b)
{
    for (int i = 0; i < LINES; i++)
        arka_buf_printf(b, "cpu,host=host%02u value=%.17g,cpu_idle=%.17g,cpu_user=%.17g %lld\n",
                        below(50), percent(), percent(), percent(),
                        (long long)(START_S * 1000000 + i * 1000) * 1000);
}

/* Events: strings with blanks, escapes and a newline, booleans, tags with escapes. */
static void events(arka_buf *b)
{
    for (int i = 0; i < LINES; i++) {
        arka_buf_printf(
            b,
            "events,app=shop\\ %u,level=info message=\"order %u of \\\"%u\\\" paid\n in %u ms\","
            "ok=%s,code=%ui,user=\"u-%08x\"",
            below(8), below(1000000), below(100), below(1000), below(2) ? "true" : "f",
            200 + below(300), below(1u << 31));
        end_line(b, i);
    }
}

/* Newest first, as some exports are: every point is looked for among the others. */
static void backwards(arka_buf *b)
{
    for (int i = 0; i < LINES; i++) {
        arka_buf_printf(
            b, "cpu,host=server%02d,region=eu usage_idle=%.1f,usage_user=%.1f,usage_system=%.1f",
            i % 20, percent(), percent() / 20, percent() / 20);
        end_line(b, (LINES - i) / 20 * 10);
    }
}

/* One field a line, as some agents write; the lines of a series and time become one row. */
static void one_field(arka_buf *b)
{
    static const char *const KEYS[] = {"usage_idle", "usage_user", "usage_system", "usage_iowait"};
    for (int i = 0; i < LINES; i++) {
        arka_buf_printf(b, "cpu,host=server%02d,region=eu %s=%.1f", i / 4 % 20, KEYS[i % 4],
                        percent());
        end_line(b, i / 80 * 10);
    }
}

static void parse_once(void *context)
{
    const arka_buf *body = context;
    arka_lineproto_options options = {.now_us = START_S * 1000000};
    arka_writes writes = {0};
    arka_error err = {0};
    if (arka_lineproto_parse(body->data, body->len, &options, &writes, &err) != ARKA_OK ||
        writes.n_rejected != 0 || writes.n_members != LINES) {
        fprintf(stderr, "lineproto_bench: %s\n",
                writes.n_rejected ? writes.rejects.items[0].reason : err.msg);
        exit(1);
    }
    arka_writes_fini(&writes);
}

static void measure(const char *name, void (*make)(arka_buf *))
{
    arka_buf body = ARKA_BUF_INIT;
    make(&body);
    /* The processor's time, not the wall's: others may be working on this machine. */
    bench_rounds r = bench_measure(arka_cpu_thread_ns, ROUNDS, 1e8, parse_once, &body);
    printf("%-10s %8zu bytes  %7.1f ns/line  %6.0f MB/s  (slowest round %.1f ns/line)\n", name,
           body.len, r.least / LINES, (double)body.len / r.least * 1e3, r.most / LINES);
    arka_buf_fini(&body);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*make)(arka_buf *);
    } BODIES[] = {
        {"sample", sample}, {"telegraf", telegraf},   {"wide", wide},          {"iot", iot},
        {"events", events}, {"backwards", backwards}, {"one_field", one_field}};
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++)
        if (argc < 2 || strstr(BODIES[i].name, argv[1]) != NULL)
            measure(BODIES[i].name, BODIES[i].make);
    return 0;
}
