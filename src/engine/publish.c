/* Numbers for rows, and the instant at which they can be seen. */
#include "engine/commit.h"
#include "engine/group.h"

uint64_t arka_engine__assign(arka_engine *engine, int64_t n_rows)
{
    uint64_t first = engine->assigned + 1;
    engine->assigned += (uint64_t)n_rows;
    return first;
}

void arka_engine__set_visible(arka_engine *engine, uint64_t lsn)
{
    ARKA_DCHECK(lsn >= engine->visible);
    /* release: who reads it finds the rows in the tables (acquire in arka_engine_visible_lsn) */
    atomic_store_explicit(&engine->visible, lsn, memory_order_release);
}

uint64_t arka_engine_visible_lsn(const arka_engine *engine)
{
    return atomic_load_explicit(&engine->visible, memory_order_acquire);
}

static void publish_batches(arka_engine *e, arka_put_request *r)
{
    arka_mutex_lock(&e->publish);
    for (size_t i = 0; i < r->n_batches; i++) {
        arka_pending_batch *p = &r->pending[i];
        if (p->table == NULL)
            continue;
        uint64_t first = arka_engine__assign(e, p->n_rows);
        r->lsn = first + (uint64_t)p->n_rows - 1;
        p->coalesce = arka_table_append(p->table, &p->admitted, first);
    }
    arka_engine__set_visible(e, r->lsn);
    arka_mutex_unlock(&e->publish);
}

void arka_engine__publish_now(arka_engine *engine, arka_put_request *r)
{
    int64_t n_rows = 0, n = 0;
    for (size_t i = 0; i < r->n_batches; i++)
        if (r->pending[i].table != NULL) {
            n_rows += r->pending[i].n_rows;
            n++;
        }
    ARKA_COUNT(engine, hot_rows, n_rows);
    ARKA_COUNT(engine, rows_written, n_rows);
    ARKA_COUNT(engine, batches_written, n);
    ARKA_COUNT(engine, bytes_written, r->n_bytes);
    publish_batches(engine, r);
    r->holds_memory = false; /* it is the tables' now */
    for (size_t i = 0; i < r->n_batches; i++)
        if (r->pending[i].table != NULL && r->pending[i].coalesce)
            arka_gate_adjust(&engine->gate, -arka_table_coalesce(r->pending[i].table));
}

/* ---- snapshots ---- */

static arka_status find_all(arka_engine *engine, const arka_table_ref *refs, size_t n,
                            arka_table **out, arka_error *err)
{
    for (size_t i = 0; i < n; i++)
        ARKA_TRY(arka_engine__find_table(engine, refs[i].database, refs[i].table, &out[i], err));
    return ARKA_OK;
}

static arka_status take_all(arka_engine *engine, arka_table *const *tables, size_t n,
                            arka_snapshot **out, uint64_t *out_lsn, arka_error *err)
{
    arka_status status = ARKA_OK;
    size_t i = 0;
    arka_mutex_lock(&engine->publish);
    *out_lsn = arka_engine_visible_lsn(engine);
    for (; status == ARKA_OK && i < n; i++) {
        status = arka_table_see(tables[i], &out[i], err);
        if (status == ARKA_OK)
            out[i]->lsn = *out_lsn;
    }
    arka_mutex_unlock(&engine->publish);
    size_t n_seen = status == ARKA_OK ? i : i - 1;
    for (i = 0; status == ARKA_OK && i < n; i++)
        status = arka_snapshot_flatten(out[i], err);
    for (i = 0; status != ARKA_OK && i < n_seen; i++)
        arka_snapshot_unref(arka_take(out[i]));
    return status;
}

arka_status arka_engine_snapshots(arka_engine *engine, const arka_table_ref *tables, size_t n,
                                  arka_snapshot **out, uint64_t *out_lsn, arka_error *err)
{
    enum { ON_STACK = 16 };
    arka_table *few[ON_STACK], **found = few;
    if (n > ON_STACK)
        found = arka_malloc(n * sizeof *found);
    if (found == NULL)
        return arka_fail_nomem(err, "snapshots", n * sizeof *found);
    arka_status status = find_all(engine, tables, n, found, err);
    if (status == ARKA_OK)
        status = take_all(engine, found, n, out, out_lsn, err);
    if (found != few)
        arka_free(found);
    return status;
}

arka_status arka_engine_snapshot(arka_engine *engine, arka_slice database, arka_slice table,
                                 arka_snapshot **out, arka_error *err)
{
    arka_table_ref ref = {database, table};
    uint64_t lsn;
    return arka_engine_snapshots(engine, &ref, 1, out, &lsn, err);
}
