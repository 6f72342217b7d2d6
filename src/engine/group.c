#include "engine/group.h"

#include <stdlib.h>

#include "base/crc32c.h"
#include "engine/commit.h"
#include "engine/request_text.h"

void arka_group_fini(arka_group *group)
{
    arka_vec_fini(&group->controls);
    arka_vec_fini(&group->pieces);
    arka_vec_fini(&group->units);
    arka_vec_fini(&group->entries);
    arka_vec_fini(&group->alike);
    arka_buf_fini(&group->texts);
}

/* ---- order ---- */

/* What waits least has the lowest numbers: it becomes visible first, and visible rows never have
 * gaps below them that are filled later. */
static int rank(arka_durability durability)
{
    return durability == ARKA_DURABILITY_MEMORY ? 0 : durability == ARKA_DURABILITY_WRITTEN ? 1 : 2;
}

static int by_order(const void *a, const void *b)
{
    const arka_piece *x = a, *y = b;
    int rx = rank(x->request->durability), ry = rank(y->request->durability);
    uintptr_t tx = (uintptr_t)x->pending->table, ty = (uintptr_t)y->pending->table;
    if (rx != ry)
        return rx - ry;
    if (tx != ty)
        return tx < ty ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static bool list_pieces(arka_group *g)
{
    bool ordered = true;
    g->pieces.n = 0;
    g->any_synced = false;
    for (arka_put_request *r = g->requests; r != NULL; r = r->next) {
        g->any_synced |= r->durability == ARKA_DURABILITY_SYNCED;
        for (size_t i = 0; i < r->n_batches; i++) {
            arka_piece piece = {r, &r->pending[i], g->pieces.n};
            if (piece.pending->table == NULL)
                continue;
            if (!arka_vec_push(&g->pieces, piece))
                return false;
            ordered = ordered && by_order(&g->pieces.items[0], &piece) <= 0 &&
                      g->pieces.items[0].pending->table == piece.pending->table &&
                      g->pieces.items[0].request->durability == r->durability;
        }
    }
    if (!ordered)
        qsort(g->pieces.items, g->pieces.n, sizeof *g->pieces.items, by_order);
    return true;
}

/* ---- units ---- */

/* How many pieces from i on become one unit. */
static size_t count_alike(const arka_group *g, size_t i)
{
    const arka_piece *first = &g->pieces.items[i];
    size_t n = 1;
    if (!arka_admitted_is_small(&first->pending->admitted))
        return 1;
    while (i + n < g->pieces.n) {
        const arka_piece *p = &g->pieces.items[i + n];
        if (p->pending->table != first->pending->table ||
            p->request->durability != first->request->durability ||
            !arka_admitted_is_small(&p->pending->admitted) ||
            !arka_admitted_alike(&first->pending->admitted, &p->pending->admitted))
            break;
        n++;
    }
    return n;
}

static void note_key(arka_group *g, arka_unit *unit, arka_put_request *r, const void *pending)
{
    /* with its first batch; the group is whole after a crash or not there at all */
    for (size_t i = 0; i < r->n_batches; i++)
        if (r->pending[i].table != NULL) {
            if (r->key.len > 0 && &r->pending[i] == pending)
                break;
            return;
        }
    if (unit->text_len == 0)
        unit->text_at = g->texts.len;
    arka_requests_encode(&g->texts, r->database, r->key, r->lsn, r->answer);
    unit->text_len = g->texts.len - unit->text_at;
}

/* The n pieces from i on as one unit; when there is no memory to put them together, the first. */
static size_t make_unit(arka_group *g, size_t i, size_t n)
{
    arka_unit *unit = &g->units.items[g->units.n++];
    const arka_piece *first = &g->pieces.items[i];
    *unit = (arka_unit){.table = first->pending->table, .durability = first->request->durability};
    g->alike.n = 0;
    for (size_t k = 0; k < n; k++)
        g->alike.items[g->alike.n++] = &g->pieces.items[i + k].pending->admitted;
    int64_t grown;
    if (n > 1 && arka_admitted_merge(g->alike.items, n, &unit->admitted, &grown, NULL) == ARKA_OK) {
        arka_gate_adjust(&g->engine->gate, grown);
    } else {
        n = 1;
        unit->admitted = arka_admitted_take(&first->pending->admitted);
    }
    unit->held = arka_admitted_hold(&unit->admitted);
    unit->n_rows = unit->admitted.batch->n_rows;
    return n;
}

static void number_pieces(arka_group *g, size_t i, size_t n, uint64_t *lsn)
{
    for (size_t k = i; k < i + n; k++) {
        *lsn += (uint64_t)g->pieces.items[k].pending->n_rows;
        g->pieces.items[k].request->lsn = *lsn - 1;
    }
}

/* Numbers are looked up by where a request's rows end: the last piece of it in the group's order.
 */
static void make_units(arka_group *g, uint64_t lsn)
{
    for (size_t i = 0, n; i < g->pieces.n; i += n) {
        arka_unit *unit = &g->units.items[g->units.n];
        uint64_t first = lsn;
        n = make_unit(g, i, count_alike(g, i));
        unit->lsn_first = first;
        number_pieces(g, i, n, &lsn);
    }
}

static void note_keys(arka_group *g)
{
    size_t u = 0;
    uint64_t rows = 0;
    for (size_t i = 0; i < g->pieces.n; i++) {
        arka_piece *p = &g->pieces.items[i];
        note_key(g, &g->units.items[u], p->request, p->pending);
        rows += (uint64_t)p->pending->n_rows;
        if (rows == (uint64_t)g->units.items[u].n_rows) {
            u++;
            rows = 0;
        }
    }
}

/* ---- records ---- */

static uint32_t crc_of(const arka_group *g, const arka_unit *unit, size_t piece)
{
    const arka_pending_batch *p = g->pieces.items[piece].pending;
    const arka_batch *batch = unit->held.batch;
    if (p->n_rows == unit->n_rows && p->has_crc)
        return p->crc;
    return arka_crc32c(batch->body, batch->body_bytes);
}

static arka_wal_entry entry_of(const arka_group *g, const arka_unit *unit, size_t piece)
{
    arka_wal_entry e = {
        .kind = ARKA_WAL_ROWS,
        .lsn_first = unit->lsn_first,
        .lsn_last = unit->lsn_first + (uint64_t)unit->n_rows - 1,
        .ts_us = g->ts_us,
        .table = {.database = arka_slice_of(arka_table_database(unit->table)),
                  .table = arka_slice_of(arka_table_name(unit->table)),
                  .table_id = arka_slice_of(arka_table_uuid(unit->table)),
                  .schema_id = arka_admitted_version(&unit->held)},
        .batch = unit->held.batch,
        .body_crc = crc_of(g, unit, piece),
        .requests = {g->texts.data + unit->text_at, unit->text_len},
        .keep = unit->durability != ARKA_DURABILITY_SYNCED || g->engine->options.wal_async,
    };
    e.column_of_field = arka_admitted_columns(&unit->held, &e.n_fields);
    return e;
}

static void make_entries(arka_group *g, uint64_t lsn)
{
    g->entries.n = 0;
    for (size_t i = 0; i < g->controls.n; i++, lsn++)
        g->entries.items[g->entries.n++] = (arka_wal_entry){
            .kind = ARKA_WAL_CONTROL,
            .lsn_first = lsn,
            .lsn_last = lsn,
            .ts_us = g->ts_us,
            .event = arka_slice_of(g->controls.items[i].event),
            .payload = {g->controls.items[i].payload.data, g->controls.items[i].payload.len},
            .keep = true,
        };
    size_t piece = 0;
    for (size_t i = 0; i < g->units.n; i++) {
        const arka_unit *unit = &g->units.items[i];
        g->entries.items[g->entries.n++] = entry_of(g, unit, piece);
        for (int64_t rows = 0; rows < unit->n_rows; piece++)
            rows += g->pieces.items[piece].pending->n_rows;
    }
}

/* Rows must not be stored without their keys: a retry after a restart would be stored again. */
static bool reserve_texts(arka_group *g)
{
    size_t n_bytes = 0;
    for (const arka_put_request *r = g->requests; r != NULL; r = r->next)
        if (r->key.len > 0)
            n_bytes += arka_request_line_room(r->database, r->key, r->answer);
    arka_buf_clear(&g->texts);
    return n_bytes == 0 || arka_buf_reserve(&g->texts, n_bytes) != NULL;
}

arka_status arka_group_build(arka_group *g, arka_error *err)
{
    arka_engine *e = g->engine;
    int64_t n_rows = (int64_t)g->controls.n;
    g->units.n = g->entries.n = 0;
    if (!reserve_texts(g) || !list_pieces(g) || !arka_vec_reserve(&g->units, g->pieces.n) ||
        !arka_vec_reserve(&g->alike, g->pieces.n) ||
        !arka_vec_reserve(&g->entries, g->pieces.n + g->controls.n))
        return arka_fail_nomem(err, "a group of writes", g->pieces.n * sizeof(arka_wal_entry));
    for (size_t i = 0; i < g->pieces.n; i++)
        n_rows += g->pieces.items[i].pending->n_rows;
    arka_mutex_lock(&e->publish);
    uint64_t lsn = arka_engine__assign(e, n_rows);
    arka_mutex_unlock(&e->publish);
    g->ts_us = arka_wall_us();
    g->last_lsn = lsn + (uint64_t)n_rows - 1;
    make_units(g, lsn + g->controls.n);
    note_keys(g);
    make_entries(g, lsn);
    for (arka_put_request *r = g->requests; r != NULL; r = r->next)
        r->holds_memory = false; /* the units' now */
    return ARKA_OK;
}

/* ---- becoming visible ---- */

void arka_group_publish(arka_group *g, arka_durability durability)
{
    arka_engine *e = g->engine;
    int64_t n_rows = 0, n_bytes = 0, n = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < g->units.n; i++)
        if (g->units.items[i].durability == durability) {
            n_rows += g->units.items[i].n_rows;
            n_bytes += (int64_t)g->units.items[i].held.batch->memory_bytes;
            n++;
        }
    if (n == 0)
        return;
    /* Counted before it is visible: a flush must never subtract what was not added yet. */
    ARKA_COUNT(e, hot_rows, n_rows);
    ARKA_COUNT(e, rows_written, n_rows);
    ARKA_COUNT(e, batches_written, n);
    ARKA_COUNT(e, bytes_written, n_bytes);
    arka_mutex_lock(&e->publish);
    for (size_t i = 0; i < g->units.n; i++) {
        arka_unit *unit = &g->units.items[i];
        if (unit->durability != durability)
            continue;
        unit->coalesce = arka_table_append(unit->table, &unit->admitted, unit->lsn_first);
        last = unit->lsn_first + (uint64_t)unit->n_rows - 1;
    }
    arka_engine__set_visible(e, last);
    arka_mutex_unlock(&e->publish);
}

void arka_group_all_visible(arka_group *g)
{
    arka_mutex_lock(&g->engine->publish);
    arka_engine__set_visible(g->engine, g->last_lsn);
    arka_mutex_unlock(&g->engine->publish);
}

void arka_group_end(arka_group *g)
{
    for (size_t i = 0; i < g->units.n; i++) {
        arka_unit *unit = &g->units.items[i];
        if (unit->admitted.batch != NULL) /* it never became visible */
            arka_gate_adjust(&g->engine->gate, -(int64_t)unit->admitted.batch->memory_bytes);
        arka_admitted_fini(&unit->admitted);
        arka_admitted_fini(&unit->held);
        if (unit->coalesce)
            arka_gate_adjust(&g->engine->gate, -arka_table_coalesce(unit->table));
    }
    for (size_t i = 0; i < g->controls.n; i++)
        arka_buf_fini(&g->controls.items[i].payload);
    g->units.n = g->controls.n = g->entries.n = g->pieces.n = 0;
    g->requests = NULL;
}
