#include "engine/due.h"

#include <stdlib.h>

/* Memory in use, as percent of the hot limit, from which tables are flushed early. */
enum { EARLY_PERCENT = 50 };
/* A table whose flush failed is left alone for so long. */
enum { RETRY_AFTER_MS = 1000 };

bool arka_due_is_memory_short(const arka_engine_options *options, int64_t hot_bytes)
{
    return hot_bytes > (int64_t)(options->hot_limit_bytes / 100 * EARLY_PERCENT);
}

static int64_t ms_since(arka_mono then, arka_mono now)
{
    return (now.ns - then.ns) / 1000000;
}

static bool is_large(const arka_table_gauges *g, const arka_engine_options *o)
{
    return g->hot_bytes >= o->flush_bytes;
}

static bool is_due(const arka_table_gauges *g, const arka_engine_options *o, bool memory_is_short,
                   arka_mono now)
{
    int64_t since_flush_ms = g->last_flush.ns == 0 ? INT64_MAX : ms_since(g->last_flush, now);
    if (g->hot_rows == 0 || (g->flush_failed && since_flush_ms < RETRY_AFTER_MS))
        return false;
    if (memory_is_short || is_large(g, o))
        return true;
    return since_flush_ms >= o->flush_interval_ms &&
           (g->hot_rows >= o->flush_rows || ms_since(g->hot_since, now) >= o->flush_age_ms);
}

typedef struct order {
    const arka_engine_options *options;
    bool memory_is_short;
} order;

static int by_urgency(const void *a, const void *b, void *context)
{
    const arka_table_gauges *x = &((const arka_due *)a)->gauges,
                            *y = &((const arka_due *)b)->gauges;
    const order *o = context;
    bool x_large = is_large(x, o->options), y_large = is_large(y, o->options);
    if (x_large != y_large)
        return x_large ? -1 : 1;
    if (o->memory_is_short && x->hot_bytes != y->hot_bytes)
        return x->hot_bytes > y->hot_bytes ? -1 : 1;
    return (x->hot_since.ns > y->hot_since.ns) - (x->hot_since.ns < y->hot_since.ns);
}

size_t arka_due_pick(arka_due *items, size_t n, const arka_engine_options *options,
                     bool memory_is_short, arka_mono now)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (is_due(&items[i].gauges, options, memory_is_short, now))
            items[kept++] = items[i];
    order o = {options, memory_is_short};
    if (kept > 1)
        qsort_r(items, kept, sizeof *items, by_urgency, &o);
    return kept;
}
