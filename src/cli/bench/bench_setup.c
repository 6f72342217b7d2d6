#include "cli/bench/bench_setup.h"

#include <inttypes.h>

#include "os/clock.h"
#include "os/file.h"

enum { POOL_BYTES = 256 << 20 };

static arka_status start_child(arka_bench *b, const arka_bench_child_options *more, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    arka_bench_child_options child = more ? *more : (arka_bench_child_options){0};
    child.under = o->serve;
    child.no_wal |= o->no_wal;
    child.sync_mode = arka_bench_sync_modes[o->sync_mode];
    ARKA_TRY(arka_bench_child_init(&b->child, &child, err));
    return arka_bench_child_start(&b->child, NULL, err);
}

arka_status arka_bench_reconnect(arka_bench *b, arka_error *err)
{
    const arka_bench_options *o = &b->options;
    bool ours = b->child.pid != 0;
    arka_bench_server_fini(&b->server);
    ARKA_TRY(arka_bench_server_init(&b->server, ours ? b->child.url : o->url, o->token, o->database,
                                    err));
    arka_bench_process_find(&b->process, &b->server.target,
                            ours ? b->child.pid : (int)o->server_pid);
    return ARKA_OK;
}

arka_status arka_bench_open(arka_bench *b, const arka_bench_child_options *child, arka_error *err)
{
    if (b->options.serve != NULL)
        ARKA_TRY(start_child(b, child, err));
    return arka_bench_reconnect(b, err);
}

arka_status arka_bench_close(arka_bench *b, arka_error *err)
{
    arka_status status = arka_bench_child_stop(&b->child, err);
    arka_bench_fini(b);
    return status;
}

void arka_bench_fini(arka_bench *b)
{
    arka_bench_child_fini(&b->child);
    arka_bench_server_fini(&b->server);
    b->server = (arka_bench_server){0};
}

void arka_bench_name_table(arka_bench *b, const char *prefix)
{
    uint32_t id;
    arka_random_bytes(&id, sizeof id);
    snprintf(b->table, sizeof b->table, "%s_%08" PRIx32, prefix, id);
}

/* 64 bodies beside those under way, fewer of big ones; many of those that cannot be stamped. */
static int pool_size(const arka_bench_options *o)
{
    if (o->n_pool > 0)
        return (int)o->n_pool;
    int64_t fit = POOL_BYTES / (o->n_rows * 100);
    int64_t wanted = o->coding == ARKA_PAYLOAD_PLAIN ? 64 : 1024;
    return (int)(wanted < fit ? wanted : fit < 1 ? 1 : fit);
}

arka_bench_write_options arka_bench_write_as_asked(arka_bench *b)
{
    const arka_bench_options *o = &b->options;
    arka_bench_name_table(b, arka_workloads[o->workload].name);
    return (arka_bench_write_options){
        .server = &b->server,
        .payload = {.workload = (arka_workload_kind)o->workload,
                    .format = (arka_payload_format)o->format,
                    .coding = (arka_payload_coding)o->coding,
                    .realistic = o->values == 1,
                    .n_rows = (int)o->n_rows,
                    .table = b->table},
        .n_connections = (int)o->n_connections,
        .n_threads = (int)o->n_threads,
        .seconds = o->seconds,
        .warmup_s = o->warmup_s,
        .n_requests = o->n_requests,
        .rate = o->rate,
        .durability = o->durability ? arka_bench_durabilities[o->durability] : NULL,
        .n_pool = pool_size(o),
        .base_us = arka_wall_us(),
        .step_us = 1,
        .flush = !o->no_flush,
        .process = &b->process,
        .stop = b->stop,
    };
}

static arka_status report_and_verify(arka_bench *b, const arka_bench_write_options *w,
                                     arka_bench_write_result *result, bool *ok, arka_error *err)
{
    arka_bench_verdict verdict = {0};
    bool verify = !b->options.no_verify;
    arka_status status = verify ? arka_bench_verify(w, result, &verdict, err) : ARKA_OK;
    bool known = verify && status == ARKA_OK;
    arka_bench_report_write(stdout, b->options.json, w, result, known ? &verdict : NULL);
    *ok = !result->gave_up && (!verify || (known && verdict.ok)) && result->n_requests > 0;
    if (result->gave_up)
        fprintf(stderr, "arc bench: ended by an answer that repeating would not change: %s\n",
                result->first_error);
    return status;
}

arka_status arka_bench_run_writes(arka_bench *b, const arka_bench_write_options *w,
                                  arka_bench_write_result *result, bool *ok, arka_error *err)
{
    arka_bench_write_result own, *r = result ? result : &own;
    ARKA_TRY(arka_bench_write_run(w, r, err));
    arka_status status = report_and_verify(b, w, r, ok, err);
    if (result == NULL || status != ARKA_OK)
        arka_bench_write_result_fini(r);
    return status;
}

bool arka_bench_is_stopped(const arka_bench *b)
{
    return atomic_load_explicit(b->stop, memory_order_relaxed);
}
