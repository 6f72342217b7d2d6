/* What the log may forget, and the notes that are left for the next start. */
#include "base/buf.h"
#include "engine/checkpoint.h"
#include "engine/engine_priv.h"
#include "os/failpoint.h"

void arka_engine__log_runs(arka_engine *engine)
{
    engine->log_begins = engine->assigned; /* nobody writes yet */
    /* release: who sees it sees `wal` and what was recovered */
    atomic_store_explicit(&engine->log_runs, true, memory_order_release);
}

static uint64_t lowest_hot_lsn(const arka_table_list *tables, uint64_t lsn)
{
    for (size_t i = 0; i < tables->n; i++) {
        arka_table_gauges g;
        arka_table_get_gauges(tables->items[i], &g);
        if (g.hot_rows > 0 && g.hot_lsn < lsn)
            lsn = g.hot_lsn;
    }
    return lsn;
}

uint64_t arka_engine__pinned_lsn(arka_engine *engine)
{
    /* First: a row that comes into a table while we look at others lies above it. */
    uint64_t visible = arka_engine_visible_lsn(engine), pin = 0;
    uint64_t answered = atomic_load_explicit(&engine->answered, memory_order_acquire);
    if (engine->wal != NULL && answered < visible)
        visible = answered; /* rows whose requests the keeper of keys does not know yet */
    arka_table_list tables = {0};
    if (arka_registry_all_tables(engine->registry, &tables, NULL) == ARKA_OK)
        pin = lowest_hot_lsn(&tables, visible + 1);
    arka_vec_fini(&tables);
    return pin;
}

/* ---- the log's size ---- */

/* In percent of wal_max_bytes: from where on tables are flushed for the log's sake, and down to. */
enum { LOG_HIGH = 80, LOG_LOW = 75 };

static bool has_closed_segment(const arka_wal_stats *stats)
{
    return stats->n_segments > (stats->active[0] != 0);
}

typedef struct excess {
    int64_t n_bytes; /* still to be found */
    uint64_t lsn;
} excess;

static arka_status add_segment(void *context, const arka_wal_segment_info *s, arka_error *err)
{
    excess *x = context;
    if (x->n_bytes > 0 && !s->active) {
        x->n_bytes -= s->n_bytes;
        x->lsn = s->last_lsn;
    }
    return ARKA_OK;
}

uint64_t arka_engine__lsn_to_free(arka_engine *engine)
{
    arka_wal_stats stats;
    int64_t max = engine->options.wal_max_bytes;
    arka_wal_get_stats(engine->wal, &stats);
    excess x = {0};
    if (max > 0 && stats.n_bytes > max / 100 * LOG_HIGH)
        x.n_bytes = stats.n_bytes - max / 100 * LOG_LOW;
    else if (arka_engine__disk_refuses(engine, NULL)) /* log is larger than files: it makes room */
        x.n_bytes = 1;
    else
        return 0;
    /* Out of memory for the list: the next look comes soon. */
    ARKA_IGNORE(arka_wal_each_segment(engine->wal, add_segment, &x, NULL));
    return x.lsn;
}

arka_status arka_engine_trim(arka_engine *engine, int64_t *out_removed, arka_error *err)
{
    arka_wal_stats stats;
    *out_removed = 0;
    if (!atomic_load_explicit(&engine->log_runs, memory_order_acquire))
        return ARKA_OK;
    arka_wal_get_stats(engine->wal, &stats);
    if (!has_closed_segment(&stats))
        return ARKA_OK;
    uint64_t pin = arka_engine__pinned_lsn(engine);
    if (stats.oldest_last_lsn >= pin)
        return ARKA_OK;
    ARKA_FAILPOINT("trim_before");
    ARKA_TRY(arka_requests_keep(engine->requests, engine->manifest, pin, arka_wall_us(), err));
    ARKA_FAILPOINT("checkpoint_written");
    ARKA_TRY(arka_wal_trim(engine->wal, pin, out_removed, err));
    ARKA_FAILPOINT("trim_after");
    return ARKA_OK;
}

/* ---- the checkpoint ---- */

static char *checkpoint_path(const arka_engine *engine)
{
    arka_buf path = ARKA_BUF_INIT;
    arka_buf_printf(&path, "%s/.checkpoint.json", engine->base_path);
    if (arka_buf_cstr(&path) == NULL)
        arka_buf_fini(&path);
    return path.data;
}

/* The last row of the log. `clean`: it is closed. Numbers that were jumped over are none. */
static uint64_t last_logged(arka_engine *e, bool clean)
{
    uint64_t lsn = clean ? e->assigned : arka_wal_durable_lsn(e->wal);
    return lsn > e->log_begins ? lsn : e->replay.last_lsn;
}

static arka_status describe(arka_engine *e, bool clean, arka_checkpoint *out, arka_error *err)
{
    arka_table_list tables = {0};
    out->wal_lsn = last_logged(e, clean);
    out->pinned_lsn = arka_engine__pinned_lsn(e);
    out->epoch = e->epoch;
    out->written_us = arka_wall_us();
    out->clean = clean;
    arka_status status = arka_registry_all_tables(e->registry, &tables, err);
    if (status == ARKA_OK && !arka_vec_reserve(&out->tables, tables.n))
        status = arka_fail_nomem(err, "a checkpoint", tables.n * sizeof *out->tables.items);
    for (size_t i = 0; status == ARKA_OK && i < tables.n; i++) {
        arka_table_gauges g;
        arka_table_get_gauges(tables.items[i], &g);
        if (g.flushed_lsn > 0)
            out->tables.items[out->tables.n++] = (arka_checkpoint_table){
                arka_slice_of(arka_table_uuid(tables.items[i])), g.flushed_lsn};
    }
    arka_vec_fini(&tables);
    return status;
}

void arka_engine__write_checkpoint(arka_engine *engine, bool clean)
{
    arka_error why = {0};
    if (!atomic_load_explicit(&engine->log_runs, memory_order_acquire))
        return;
    ARKA_AUTO_VALUE(arka_checkpoint) checkpoint = {0};
    char *path = checkpoint_path(engine);
    arka_status status = path == NULL ? arka_fail_nomem(&why, "a path", 32)
                                      : describe(engine, clean, &checkpoint, &why);
    if (status == ARKA_OK)
        status = arka_checkpoint_write(engine->options.os, path, &checkpoint, &why);
    if (status != ARKA_OK)
        arka_engine__event(engine, ARKA_EVENT_WARN, "checkpoint_failed",
                           "no checkpoint was written, the next start may take longer: %s",
                           why.msg);
    arka_free(path);
}

void arka_engine__compare_checkpoint(arka_engine *engine, uint64_t last_lsn)
{
    arka_error why = {0};
    char text[300];
    ARKA_AUTO_VALUE(arka_checkpoint) checkpoint = {0};
    char *path = checkpoint_path(engine);
    arka_status status = path == NULL ? arka_fail_nomem(&why, "a path", 32)
                                      : arka_checkpoint_read(path, &checkpoint, &why);
    if (status != ARKA_OK && status != ARKA_NOTFOUND)
        arka_engine__event(engine, ARKA_EVENT_WARN, "checkpoint",
                           "the checkpoint is passed over, log and manifest say all: %s", why.msg);
    else if (status == ARKA_OK &&
             arka_checkpoint_is_ahead(&checkpoint, last_lsn, engine->epoch - 1, text, sizeof text))
        arka_engine__event(engine, ARKA_EVENT_ERROR, "checkpoint",
                           "rows may be missing, or an old copy was put back: %s", text);
    arka_free(path);
}
