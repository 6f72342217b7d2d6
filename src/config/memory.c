#include "config/memory.h"

#include <inttypes.h>
#include <stdio.h>

#include "os/thread.h"

#define MIB (INT64_C(1) << 20)

/* Of `memory.limit`, unless it is set: the rest is for the page cache and what else runs there. */
enum { DEFAULT_PERCENT = 75 };
/* Shares of what is left when the reserve and the parts that were set are taken off. */
enum { HOT = 40, QUERIES = 40, BODIES = 10, WORK = 10 };
enum {
    MIN_TOTAL_MIB = 128,
    RESERVE_PERCENT = 10,
    MIN_RESERVE_MIB = 64, /* what DuckDB does not count is not less where little is allowed */
    MIN_HOT_MIB = 16,
    MIN_QUERIES_MIB = 16,
    MIN_BODIES_MIB = 4,
    MIN_WORK_MIB = 4,
    /* More hot memory makes recovery longer, and nothing faster. */
    MAX_HOT_MIB = 4096,
    MAX_BODIES_MIB = 1024,
    /* With less, DuckDB spends it on what each of them needs, and queries fail that would wait. */
    A_THREAD_MIB = 32,
    A_QUERY_MIB = 16,
    MIN_SLOTS = 2,
};

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool was_set(const arka_settings *s, arka_setting which, int64_t value)
{
    return s->source[which] != ARKA_FROM_DEFAULT && value > 0;
}

static arka_status find_total(const arka_settings *s, const arka_memory_limit *machine,
                              int64_t *total, arka_error *err)
{
    const int64_t least = MIN_TOTAL_MIB * MIB;
    if (!was_set(s, ARKA_SETTING_memory_limit, s->memory_limit)) {
        if (machine->bytes < least)
            return arka_fail(err, ARKA_INPUT,
                             "there are %" PRId64 " MiB of memory (%.200s), arc needs at least %d",
                             machine->bytes / MIB, machine->where, MIN_TOTAL_MIB);
        *total = max64(machine->bytes / 100 * DEFAULT_PERCENT, least);
        return ARKA_OK;
    }
    if (s->memory_limit < least)
        return arka_fail(err, ARKA_INPUT,
                         "memory.limit = %" PRId64 " MiB is too little: arc needs at least %d MiB",
                         s->memory_limit / MIB, MIN_TOTAL_MIB);
    if (s->memory_limit > machine->bytes)
        return arka_fail(err, ARKA_INPUT,
                         "memory.limit = %" PRId64 " MiB is more than the %" PRId64
                         " MiB that there are (%.200s)",
                         s->memory_limit / MIB, machine->bytes / MIB, machine->where);
    *total = s->memory_limit;
    return ARKA_OK;
}

typedef struct part {
    const char *name;
    int64_t set; /* 0: open */
    int64_t least, most;
    int share;
    int64_t *out;
} part;

enum { N_PARTS = 4 };

static void list_parts(const arka_settings *s, arka_memory_plan *plan, part parts[N_PARTS])
{
    const part all[N_PARTS] = {
        {"ingestion.hot_limit_mb",
         was_set(s, ARKA_SETTING_hot_limit_mb, s->hot_limit_mb) ? s->hot_limit_mb * MIB : 0,
         MIN_HOT_MIB * MIB, MAX_HOT_MIB * MIB, HOT, &plan->hot},
        {"duckdb.memory_limit",
         was_set(s, ARKA_SETTING_duckdb_memory, s->duckdb_memory) ? s->duckdb_memory : 0,
         MIN_QUERIES_MIB * MIB, INT64_MAX, QUERIES, &plan->queries},
        {"server.max_body_memory_mb",
         was_set(s, ARKA_SETTING_max_body_memory_mb, s->max_body_memory_mb)
             ? s->max_body_memory_mb * MIB
             : 0,
         MIN_BODIES_MIB * MIB, MAX_BODIES_MIB * MIB, BODIES, &plan->bodies},
        {"", 0, MIN_WORK_MIB * MIB, INT64_MAX, WORK, &plan->work},
    };
    memcpy(parts, all, sizeof all);
}

static arka_status too_much(const part *parts, int64_t all_else, const arka_memory_plan *plan,
                            arka_error *err)
{
    char list[200] = "";
    size_t n = 0;
    int64_t sum = all_else;
    for (int i = 0; i < N_PARTS; i++)
        if (parts[i].set > 0) {
            n += (size_t)snprintf(list + n, sizeof list - n, "%s (%" PRId64 " MiB) + ",
                                  parts[i].name, parts[i].set / MIB);
            sum += parts[i].set;
        }
    return arka_fail(err, ARKA_INPUT,
                     "%s%" PRId64 " MiB for all else are %" PRId64
                     " MiB, more than memory.limit (%" PRId64 " MiB): lower them, or raise it",
                     list, all_else / MIB, sum / MIB, plan->total / MIB);
}

arka_status arka_memory_divide(const arka_settings *settings, const arka_memory_limit *machine,
                               arka_memory_plan *out, arka_error *err)
{
    part parts[N_PARTS];
    int64_t least = 0, shares = 0, set = 0;
    *out = (arka_memory_plan){0};
    ARKA_TRY(find_total(settings, machine, &out->total, err));
    out->reserve = max64(out->total / 100 * RESERVE_PERCENT, MIN_RESERVE_MIB * MIB);
    list_parts(settings, out, parts);
    for (int i = 0; i < N_PARTS; i++) {
        set += parts[i].set;
        least += parts[i].set ? 0 : parts[i].least;
        shares += parts[i].set ? 0 : parts[i].share;
    }
    int64_t left = out->total - out->reserve - least - set;
    if (left < 0)
        return too_much(parts, out->reserve + least, out, err);
    for (int i = 0; i < N_PARTS; i++) {
        int64_t share = parts[i].least + left / shares * parts[i].share;
        *parts[i].out = parts[i].set ? parts[i].set : min64(share, parts[i].most) / MIB * MIB;
    }
    out->reserve = out->total - out->hot - out->queries - out->bodies - out->work;
    return ARKA_OK;
}

/* A size nobody asked for gives way; one that was set is the user's to know. */
static void lower(arka_settings *s, arka_setting which, int64_t *value, int64_t most)
{
    if (s->source[which] == ARKA_FROM_DEFAULT)
        *value = min64(*value, most);
}

/* Fewer threads and queries at once where they would not have enough each. */
static void thin_out(arka_settings *s, int64_t queries)
{
    int64_t threads = max64(queries / (A_THREAD_MIB * MIB), 1);
    lower(s, ARKA_SETTING_query_slots, &s->query_slots,
          max64(queries / (A_QUERY_MIB * MIB), MIN_SLOTS));
    if (s->source[ARKA_SETTING_duckdb_threads] == ARKA_FROM_DEFAULT)
        s->duckdb_threads = min64(threads, arka_n_processors());
}

arka_status arka_memory_settle(arka_settings *settings, const arka_memory_limit *machine,
                               arka_error *err)
{
    arka_memory_plan plan;
    if (settings->hot_limit_mb > 0 && settings->hot_limit_mb < MIN_HOT_MIB)
        return arka_fail(err, ARKA_INPUT,
                         "ingestion.hot_limit_mb = %" PRId64
                         " is too little: at least %d, or 0 for "
                         "a share of memory.limit",
                         settings->hot_limit_mb, MIN_HOT_MIB);
    ARKA_TRY(arka_memory_divide(settings, machine, &plan, err));
    settings->memory_limit = plan.total;
    settings->hot_limit_mb = plan.hot / MIB;
    settings->duckdb_memory = plan.queries;
    settings->max_body_memory_mb = plan.bodies / MIB;
    thin_out(settings, plan.queries);
    lower(settings, ARKA_SETTING_max_request_mb, &settings->max_request_mb, plan.bodies / MIB);
    lower(settings, ARKA_SETTING_max_inflated_mb, &settings->max_inflated_mb, plan.bodies / MIB);
    return ARKA_OK;
}
