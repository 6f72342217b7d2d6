#include "engine/due.h"

#include <stdlib.h>

enum {
    /* A table whose flush failed is left alone for so long. */
    RETRY_AFTER_MS = 1000,
    /* What would make a smaller file is not worth one yet. */
    SMALL_FILE_BYTES = 1 << 20,
};

void arka_engine_options_flush(arka_engine_options *options)
{
    bool logged = options->wal_dir != NULL;
    options->flush_rows = logged ? INT64_MAX : 50000;
    options->flush_age_ms = logged ? 300000 : 5000;
    options->flush_interval_ms = logged ? 10000 : 1000;
    options->flush_lag_records = logged ? 100000 : INT64_MAX;
}

static int64_t ms_since(arka_mono then, arka_mono now)
{
    return (now.ns - then.ns) / 1000000;
}

static int64_t times(int64_t n, double factor)
{
    double product = (double)n * factor;
    return product < 9e18 ? (int64_t)product : INT64_MAX;
}

int64_t arka_due_file_bytes(const arka_table_gauges *gauges, int64_t hot_bytes)
{
    return times(hot_bytes, gauges->parquet_ratio);
}

int64_t arka_due_hot_bytes(const arka_table_gauges *gauges, int64_t file_bytes)
{
    return times(file_bytes, 1 / gauges->parquet_ratio);
}

/* ---- which ---- */

static bool may_flush(const arka_table_gauges *g, arka_mono now)
{
    return g->hot_rows > 0 && !(g->flush_failed && ms_since(g->last_flush, now) < RETRY_AFTER_MS);
}

static arka_due_class class_of(const arka_table_gauges *g, const arka_engine_options *o,
                               const arka_due_state *s)
{
    if (arka_due_file_bytes(g, g->hot_bytes) >= o->flush_bytes)
        return ARKA_DUE_LARGE;
    return g->hot_lsn <= s->force_lsn ? ARKA_DUE_FORCED : ARKA_DUE_OTHER;
}

static bool is_worth_it(const arka_table_gauges *g)
{
    return arka_due_file_bytes(g, g->hot_bytes) >= SMALL_FILE_BYTES;
}

static bool is_due(const arka_due *item, const arka_engine_options *o, const arka_due_state *s)
{
    const arka_table_gauges *g = &item->gauges;
    bool just_flushed =
        g->last_flush.ns != 0 && ms_since(g->last_flush, s->now) < o->flush_interval_ms;
    if (s->zone == ARKA_ZONE_RED || item->class != ARKA_DUE_OTHER)
        return true;
    /* What fills memory may be requests on their way: that makes no crumbs of the small tables. */
    if (s->zone == ARKA_ZONE_YELLOW)
        return !just_flushed || is_worth_it(g);
    if (just_flushed)
        return false;
    return g->hot_rows >= o->flush_rows || ms_since(g->hot_since, s->now) >= o->flush_age_ms ||
           (g->hot_lsn <= s->lag_lsn && is_worth_it(g));
}

static int by_urgency(const void *a, const void *b, void *context)
{
    const arka_due *x = a, *y = b;
    const arka_due_state *s = context;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (s->zone != ARKA_ZONE_GREEN && x->gauges.hot_bytes != y->gauges.hot_bytes)
        return x->gauges.hot_bytes > y->gauges.hot_bytes ? -1 : 1;
    int64_t i = x->gauges.hot_since.ns, j = y->gauges.hot_since.ns;
    return (i > j) - (i < j);
}

size_t arka_due_pick(arka_due *items, size_t n, const arka_engine_options *options,
                     const arka_due_state *state)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!may_flush(&items[i].gauges, state->now))
            continue;
        items[i].class = class_of(&items[i].gauges, options, state);
        if (is_due(&items[i], options, state))
            items[kept++] = items[i];
    }
    if (kept > 1)
        qsort_r(items, kept, sizeof *items, by_urgency, (void *)(uintptr_t)state);
    return kept;
}

size_t arka_due_together(const arka_due *items, size_t n, const arka_engine_options *options)
{
    int64_t bytes = 0;
    size_t i = 0;
    for (; i < n && i < ARKA_TOGETHER_TABLES && items[i].class == items[0].class; i++) {
        int64_t most = arka_due_hot_bytes(&items[i].gauges, options->flush_bytes);
        bytes += items[i].gauges.hot_bytes < most ? items[i].gauges.hot_bytes : most;
        if (i > 0 && bytes > ARKA_TOGETHER_BYTES)
            break;
    }
    return i;
}

size_t arka_due_next(const arka_due *items, size_t n, size_t at, bool late)
{
    if (!late)
        return at;
    if (at > 0 && items[at - 1].class == ARKA_DUE_OTHER)
        return n;
    while (at < n && items[at].class != ARKA_DUE_OTHER)
        at++;
    return at;
}

/* ---- lag ---- */

void arka_lag_note(arka_lag *lag, int64_t records, uint64_t lsn, int64_t span)
{
    int64_t grain = span / (ARKA_LAG_MARKS / 2);
    if (lag->n > 0 && records - lag->marks[lag->n - 1].records <= grain)
        return;
    /* Two marks that are old enough: the older one says less. */
    int drop = 0;
    while (drop + 1 < lag->n && records - lag->marks[drop + 1].records >= span)
        drop++;
    if (drop == 0 && lag->n == ARKA_LAG_MARKS)
        drop = 1;
    lag->n -= drop;
    memmove(lag->marks, lag->marks + drop, (size_t)lag->n * sizeof *lag->marks);
    lag->marks[lag->n].records = records;
    lag->marks[lag->n++].lsn = lsn;
}

uint64_t arka_lag_lsn(const arka_lag *lag, int64_t records, int64_t span)
{
    uint64_t lsn = 0;
    for (int i = 0; i < lag->n && records - lag->marks[i].records >= span; i++)
        lsn = lag->marks[i].lsn;
    return lsn;
}
