#include "table/table.h"

#include "columnar/concat.h"
#include "os/thread.h"
#include "table/coalesce.h"
#include "table/hot.h"
#include "table/snapshot_priv.h"

enum { SPARE_ROOM = 8 };
/* Enough for clients that send their columns in random order; a miss only costs a new layout. */
enum { LAYOUT_CACHE = 64 };
/* See arka_table_gauges.parquet_ratio; a flush of so many bytes moves it half way to its own. */
static const double FIRST_RATIO = 0.3;
enum { RATIO_HALF_BYTES = 16 << 20 };

static atomic_uint_fast64_t n_made; /* tables, in the life of the process */

struct arka_table {
    int64_t id;
    uint64_t incarnation; /* see arka_snapshot */
    char uuid[ARKA_UUID_TEXT + 1];
    char *database, *name;
    arka_kept *kept; /* NULL: not counted */
    arka_mutex lock; /* TABLE: everything below */
    arka_schema *schema;
    arka_layout *layouts[LAYOUT_CACHE];
    arka_hot hot;
    arka_mono last_flush;
    bool flush_failed;
    bool gone;             /* dropped: nothing of it is flushed any more */
    arka_file_list *files; /* NULL: none */
    uint64_t flushed_lsn;
    double parquet_ratio;
    atomic_uint_fast64_t changes; /* written under `lock`, read without it */
};

/* After the change and before it is acknowledged: whoever reads the new number finds the change. */
static void changed_locked(arka_table *table) ARKA_REQUIRES(table->lock);
static void changed_locked(arka_table *table)
{
    atomic_fetch_add_explicit(&table->changes, 1, memory_order_release);
}

uint64_t arka_table_changes(const arka_table *table)
{
    return atomic_load_explicit(&table->changes, memory_order_acquire);
}

arka_status arka_table_new(arka_slice database, arka_slice name, arka_schema *schema,
                           arka_table **out, arka_error *err)
{
    arka_table *table = arka_calloc(1, sizeof *table);
    if (table == NULL)
        return arka_fail_nomem(err, "a table", sizeof *table);
    arka_mutex_init(&table->lock, ARKA_LOCK_TABLE);
    table->incarnation = atomic_fetch_add_explicit(&n_made, 1, memory_order_relaxed) + 1;
    table->schema = arka_schema_ref(schema);
    table->parquet_ratio = FIRST_RATIO;
    table->database = arka_strndup(database.data, database.len);
    table->name = arka_strndup(name.data, name.len);
    if (table->database == NULL || table->name == NULL) {
        arka_table_free(table);
        return arka_fail_nomem(err, "a table's name", name.len);
    }
    *out = table;
    return ARKA_OK;
}

void arka_table_set_id(arka_table *table, int64_t id, const char uuid[ARKA_UUID_TEXT + 1],
                       uint64_t flushed_lsn)
{
    table->id = id;
    memcpy(table->uuid, uuid, sizeof table->uuid);
    table->flushed_lsn = flushed_lsn;
}

void arka_table_count_kept(arka_table *table, arka_kept *kept)
{
    table->kept = kept;
}

void arka_table_free(arka_table *table)
{
    if (table == NULL)
        return;
    arka_hot_fini(&table->hot);
    arka_file_list_unref(table->files);
    for (int i = 0; i < LAYOUT_CACHE; i++)
        arka_layout_unref(table->layouts[i]);
    arka_schema_unref(table->schema);
    arka_mutex_fini(&table->lock);
    arka_free(table->database);
    arka_free(table->name);
    arka_free(table);
}

int64_t arka_table_id(const arka_table *table)
{
    return table->id;
}

const char *arka_table_uuid(const arka_table *table)
{
    return table->uuid;
}

const char *arka_table_database(const arka_table *table)
{
    return table->database;
}

const char *arka_table_name(const arka_table *table)
{
    return table->name;
}

arka_schema *arka_table_schema(arka_table *table)
{
    arka_mutex_lock(&table->lock);
    arka_schema *schema = arka_schema_ref(table->schema);
    arka_mutex_unlock(&table->lock);
    return schema;
}

void arka_table_set_schema(arka_table *table, arka_schema *schema)
{
    arka_layout *stale[LAYOUT_CACHE];
    arka_mutex_lock(&table->lock);
    ARKA_CHECK(schema->version > table->schema->version);
    arka_schema *old = table->schema;
    table->schema = arka_schema_ref(schema);
    memcpy(stale, table->layouts, sizeof stale);
    memset(table->layouts, 0, sizeof table->layouts);
    changed_locked(table);
    arka_mutex_unlock(&table->lock);
    arka_schema_unref(old);
    for (int i = 0; i < LAYOUT_CACHE; i++)
        arka_layout_unref(stale[i]);
}

void arka_admitted_fini(arka_admitted *admitted)
{
    arka_batch_unref(admitted->batch);
    arka_layout_unref(admitted->layout);
    arka_hot_slice_unref(admitted->spare);
    *admitted = (arka_admitted){0};
}

const int16_t *arka_admitted_columns(const arka_admitted *admitted, int *n_fields)
{
    *n_fields = admitted->layout->n_fields;
    return admitted->layout->column_of_field;
}

arka_admitted arka_admitted_hold(const arka_admitted *admitted)
{
    return (arka_admitted){.batch = arka_batch_ref(admitted->batch),
                           .layout = arka_layout_ref(admitted->layout)};
}

arka_admitted arka_admitted_take(arka_admitted *admitted)
{
    arka_admitted out = *admitted;
    *admitted = (arka_admitted){0};
    return out;
}

int32_t arka_admitted_version(const arka_admitted *admitted)
{
    return admitted->layout->version;
}

bool arka_admitted_is_small(const arka_admitted *admitted)
{
    return arka_batch_is_small(admitted->batch);
}

bool arka_admitted_alike(const arka_admitted *a, const arka_admitted *b)
{
    return a->layout == b->layout ||
           (a->layout->hash == b->layout->hash && a->layout->n_fields == b->layout->n_fields &&
            arka_layout_matches(a->layout, b->batch));
}

arka_status arka_admitted_merge(arka_admitted *const *admitted, size_t n, arka_admitted *out,
                                int64_t *grown, arka_error *err)
{
    enum { ON_STACK = 64 };
    arka_batch *few[ON_STACK], **batches = few;
    few[0] = NULL; /* gcc does not see that n > 0 */
    if (n > ON_STACK)
        batches = arka_malloc(n * sizeof *batches);
    if (batches == NULL)
        return arka_fail_nomem(err, "batches to put together", n * sizeof *batches);
    arka_batch *merged;
    int64_t before = 0;
    for (size_t i = 0; i < n; i++) {
        batches[i] = admitted[i]->batch;
        before += (int64_t)batches[i]->memory_bytes;
    }
    arka_status status = arka_batch_concat(batches, n, &merged, err);
    if (batches != few)
        arka_free(batches);
    if (status != ARKA_OK)
        return status;
    *grown = (int64_t)merged->memory_bytes - before;
    *out = (arka_admitted){.batch = merged,
                           .layout = arka_take(admitted[0]->layout),
                           .spare = arka_take(admitted[0]->spare)};
    for (size_t i = 0; i < n; i++)
        arka_admitted_fini(admitted[i]);
    return ARKA_OK;
}

static bool fits(const arka_schema *schema, const arka_batch *batch)
{
    for (int i = 0; i < batch->n_columns; i++) {
        const arka_column *c = &batch->columns[i];
        int f = arka_schema_find(schema, c->name);
        if (f < 0 || schema->fields[f].type != c->type || (c->tag && !schema->fields[f].tag))
            return false;
    }
    return true;
}

/* The layout that fits the schema, made and remembered; NULL in *out when the batch does not fit.
 */
static arka_status make_layout(arka_table *table, arka_batch *batch, arka_layout **out,
                               arka_error *err)
{
    arka_layout **cached = &table->layouts[batch->layout % LAYOUT_CACHE], *evicted = NULL;
    ARKA_AUTO(arka_schema) schema = arka_table_schema(table);
    *out = NULL;
    if (!fits(schema, batch))
        return ARKA_OK;
    ARKA_TRY(arka_layout_new(schema, batch, out, err));
    arka_mutex_lock(&table->lock);
    if (table->schema == schema) { /* else it is stale as a cache entry, not as an admission */
        evicted = *cached;
        *cached = arka_layout_ref(*out);
    }
    arka_mutex_unlock(&table->lock);
    arka_layout_unref(evicted);
    return ARKA_OK;
}

arka_status arka_table_admit(arka_table *table, arka_batch *batch, arka_admitted *out,
                             bool *out_fits, arka_error *err)
{
    arka_mutex_lock(&table->lock);
    arka_layout *layout = table->layouts[batch->layout % LAYOUT_CACHE];
    if (layout != NULL)
        arka_layout_ref(layout);
    arka_mutex_unlock(&table->lock);
    if (layout == NULL || !arka_layout_matches(layout, batch)) {
        arka_layout_unref(layout);
        ARKA_TRY(make_layout(table, batch, &layout, err));
    }
    *out_fits = layout != NULL;
    if (layout == NULL)
        return ARKA_OK;
    *out = (arka_admitted){.batch = arka_batch_ref(batch), .layout = layout};
    arka_status status = arka_hot_slice_new(SPARE_ROOM, &out->spare, err);
    if (status != ARKA_OK)
        arka_admitted_fini(out);
    return status;
}

/* ---- the hot batches ---- */

static size_t pick(arka_table *table, arka_hot_slice *picked[ARKA_COALESCE_SLICES])
{
    arka_mutex_lock(&table->lock);
    size_t n = table->hot.coalescing ? 0 : arka_hot_pick(&table->hot, picked);
    table->hot.coalescing |= n > 0;
    arka_mutex_unlock(&table->lock);
    return n;
}

/* False when there was nothing to gain. */
static bool put_together(arka_table *table, arka_hot_slice *const *picked, size_t n,
                         int64_t *all_freed)
{
    arka_hot_slice *made = arka_slices_coalesce(picked, n);
    int64_t freed = 0;
    arka_mutex_lock(&table->lock);
    bool used = made != NULL && arka_hot_replace(&table->hot, picked, n, made, &freed);
    if (made == NULL)
        picked[n - 1]->coalesced = true; /* by itself it is as good as it gets */
    table->hot.coalescing = false;
    arka_mutex_unlock(&table->lock);
    *all_freed += freed;
    for (size_t i = 0; i < n; i++)
        if (used) /* the large batches are in `made` too */
            arka_hot_slice_let_go(picked[i], table->kept, picked[i]->small_bytes);
        else
            arka_hot_slice_unref(picked[i]);
    bool gained = made != NULL;
    if (!used)
        arka_hot_slice_unref(made);
    return gained;
}

/* Until nothing is worth it. */
int64_t arka_table_coalesce(arka_table *table)
{
    arka_hot_slice *picked[ARKA_COALESCE_SLICES];
    int64_t freed = 0;
    size_t n;
    while ((n = pick(table, picked)) > 0 && put_together(table, picked, n, &freed)) {
    }
    return freed;
}

bool arka_table_append(arka_table *table, arka_admitted *take_admitted, uint64_t lsn_first)
{
    arka_hot_slice *spare = arka_take(take_admitted->spare), *room = NULL;
    arka_mutex_lock(&table->lock);
    while (!arka_hot_has_room(&table->hot)) {
        if (room == NULL && spare != NULL) {
            int cap = arka_hot_next_cap(&table->hot);
            arka_mutex_unlock(&table->lock);
            if (arka_hot_slice_new(cap, &room, NULL) != ARKA_OK)
                room = arka_take(spare);
            arka_mutex_lock(&table->lock);
        } else {
            arka_hot_open(&table->hot, arka_take(room));
        }
    }
    bool full = arka_hot_add(&table->hot, take_admitted->batch, take_admitted->layout, lsn_first);
    changed_locked(table);
    arka_mutex_unlock(&table->lock);
    *take_admitted = (arka_admitted){0};
    arka_hot_slice_unref(room);
    arka_hot_slice_unref(spare);
    return full;
}

void arka_table_get_gauges(arka_table *table, arka_table_gauges *out)
{
    *out = (arka_table_gauges){0};
    arka_mutex_lock(&table->lock);
    out->hot_rows = table->hot.n_rows;
    out->hot_bytes = table->hot.n_bytes;
    if (table->hot.first != NULL) {
        out->hot_since = table->hot.first->since;
        out->hot_lsn = table->hot.first->lsn_first;
    }
    out->flushed_lsn = table->flushed_lsn;
    out->parquet_ratio = table->parquet_ratio;
    out->last_flush = table->last_flush;
    out->flush_failed = table->flush_failed;
    if (table->files != NULL) {
        out->n_files = table->files->n;
        out->file_bytes = table->files->n_bytes;
        out->file_rows = table->files->n_rows;
    }
    arka_mutex_unlock(&table->lock);
}

/* ---- snapshots ---- */

static bool lock_with_room(arka_table *table, arka_slice_list *list) ARKA_ACQUIRES(table->lock);

/* With room in `list` for all slices that there are; false: there is no memory for it. */
static bool lock_with_room(arka_table *table, arka_slice_list *list)
{
    bool ok = true;
    arka_mutex_lock(&table->lock);
    while (ok && !arka_slice_list_has_room(list, table->hot.n_slices)) {
        size_t n = table->hot.n_slices + table->hot.n_slices / 8 + 1;
        arka_mutex_unlock(&table->lock);
        ok = arka_slice_list_reserve(list, n);
        arka_mutex_lock(&table->lock);
    }
    return ok;
}

static void see_all_locked(arka_table *table, arka_snapshot *s) ARKA_REQUIRES(table->lock);

static void see_all_locked(arka_table *table, arka_snapshot *s)
{
    for (arka_hot_slice *slice = table->hot.first; slice != NULL; slice = slice->next)
        arka_slice_list_add(s->slices, slice);
    s->schema = arka_schema_ref(table->schema);
    s->incarnation = table->incarnation;
    if (table->files == NULL)
        return;
    s->file_list = arka_file_list_ref(table->files);
    s->files = s->file_list->items;
    s->n_files = s->file_list->n;
}

arka_status arka_table_see(arka_table *table, arka_snapshot **out, arka_error *err)
{
    ARKA_AUTO(arka_snapshot) s = NULL;
    ARKA_TRY(arka_snapshot__new(&s, err));
    bool room = lock_with_room(table, s->slices);
    if (room)
        see_all_locked(table, s);
    arka_mutex_unlock(&table->lock);
    if (!room)
        return arka_fail_nomem(err, "a snapshot", sizeof *s);
    *out = arka_take(s);
    return ARKA_OK;
}

arka_status arka_table_snapshot(arka_table *table, arka_snapshot **out, arka_error *err)
{
    ARKA_AUTO(arka_snapshot) s = NULL;
    ARKA_TRY(arka_table_see(table, &s, err));
    ARKA_TRY(arka_snapshot_flatten(s, err));
    *out = arka_take(s);
    return ARKA_OK;
}

static void list_slices_locked(const arka_table *table, arka_slice_infos *out)
    ARKA_REQUIRES(table->lock);
static void list_slices_locked(const arka_table *table, arka_slice_infos *out)
{
    for (const arka_hot_slice *s = table->hot.first; s != NULL; s = s->next)
        out->items[out->n++] = (arka_slice_info){.n_batches = s->n,
                                                 .n_rows = s->n_rows,
                                                 .n_bytes = s->n_bytes,
                                                 .lsn_first = s->lsn_first,
                                                 .lsn_last = s->lsn_last,
                                                 .since = s->since,
                                                 .open = table->hot.open && s->next == NULL,
                                                 .coalesced = s->coalesced,
                                                 .claimed = s->claimed};
}

arka_status arka_table_list_slices(arka_table *table, arka_slice_infos *out, arka_error *err)
{
    bool ok = true;
    out->n = 0;
    arka_mutex_lock(&table->lock);
    while (ok && out->cap < table->hot.n_slices) {
        size_t n = table->hot.n_slices + table->hot.n_slices / 8 + 1;
        arka_mutex_unlock(&table->lock);
        ok = arka_vec_reserve(out, n);
        arka_mutex_lock(&table->lock);
    }
    if (ok)
        list_slices_locked(table, out);
    arka_mutex_unlock(&table->lock);
    return ok ? ARKA_OK : arka_fail_nomem(err, "a list of slices", sizeof *out->items);
}

/* ---- flush ---- */

arka_status arka_table_begin_flush(arka_table *table, int64_t max_bytes, arka_snapshot **out,
                                   arka_error *err)
{
    ARKA_AUTO(arka_snapshot) s = NULL;
    ARKA_TRY(arka_snapshot__new(&s, err));
    bool room = lock_with_room(table, s->slices);
    if (room && !table->gone) {
        arka_hot_claim(&table->hot, max_bytes, s->slices);
        s->schema = arka_schema_ref(table->schema);
        s->lsn = s->slices->slices.n ? arka_vec_last(&s->slices->slices)->lsn_last : 0;
        if (table->hot.n_claimed > 0)
            table->last_flush = arka_mono_now();
    }
    arka_mutex_unlock(&table->lock);
    if (!room)
        return arka_fail_nomem(err, "a flush", sizeof *s);
    *out = NULL;
    if (s->slices->n_batches == 0)
        return ARKA_OK;
    arka_status status = arka_snapshot_flatten(s, err);
    if (status == ARKA_OK)
        *out = arka_take(s);
    else
        arka_table_fail_flush(table, false);
    return status;
}

void arka_table_fail_flush(arka_table *table, bool keep)
{
    arka_mono now = arka_mono_now();
    arka_mutex_lock(&table->lock);
    if (!keep)
        arka_hot_release(&table->hot);
    table->flush_failed = true;
    table->last_flush = now;
    arka_mutex_unlock(&table->lock);
}

arka_status arka_table_plan_files(arka_table *table, arka_data_file *const *files, size_t n,
                                  arka_file_list **out, arka_error *err)
{
    arka_mutex_lock(&table->lock);
    ARKA_AUTO(arka_file_list) now = table->files ? arka_file_list_ref(table->files) : NULL;
    arka_mutex_unlock(&table->lock);
    return arka_file_list_new(now, files, n, out, err);
}

/* A small file is mostly footer and says little of what a large one will be. */
static void learn_ratio_locked(arka_table *table, int64_t hot_bytes, int64_t file_bytes)
    ARKA_REQUIRES(table->lock);

static void learn_ratio_locked(arka_table *table, int64_t hot_bytes, int64_t file_bytes)
{
    if (hot_bytes <= 0)
        return;
    double weight = (double)hot_bytes / (double)(hot_bytes + RATIO_HALF_BYTES);
    double seen = (double)file_bytes / (double)hot_bytes;
    double ratio = table->parquet_ratio + weight * (seen - table->parquet_ratio);
    table->parquet_ratio = ratio < 0.001 ? 0.001 : ratio > 10 ? 10 : ratio;
}

void arka_table_end_flush(arka_table *table, arka_file_list *take_files, bool *out_first)
{
    arka_mutex_lock(&table->lock);
    arka_file_list *before = table->files;
    ARKA_CHECK(take_files->n > (before ? before->n : 0), "files of table %s were lost",
               table->name);
    int64_t hot_before = table->hot.n_bytes;
    arka_hot_slice *flushed = arka_hot_drop(&table->hot), *last = flushed;
    learn_ratio_locked(table, hot_before - table->hot.n_bytes,
                       take_files->n_bytes - (before ? before->n_bytes : 0));
    while (last != NULL && last->next != NULL)
        last = last->next;
    if (last != NULL)
        table->flushed_lsn = last->lsn_last;
    table->files = take_files;
    table->flush_failed = false;
    arka_mutex_unlock(&table->lock);
    *out_first = before == NULL;
    arka_file_list_unref(before);
    while (flushed != NULL) {
        arka_hot_slice *next = flushed->next;
        arka_hot_slice_let_go(flushed, table->kept, flushed->n_bytes);
        flushed = next;
    }
}

void arka_table_clear(arka_table *table, arka_table_remains *out)
{
    arka_mutex_lock(&table->lock);
    *out = (arka_table_remains){table->hot.n_rows, table->hot.n_bytes, arka_take(table->files)};
    arka_hot_slice *slices = arka_hot_drop_all(&table->hot);
    table->gone = true;
    changed_locked(table);
    arka_mutex_unlock(&table->lock);
    while (slices != NULL) {
        arka_hot_slice *next = slices->next;
        arka_hot_slice_let_go(slices, table->kept, slices->n_bytes);
        slices = next;
    }
}

void arka_table_load_files(arka_table *table, arka_file_list *take_files)
{
    arka_mutex_lock(&table->lock);
    ARKA_CHECK(table->files == NULL);
    table->files = take_files;
    changed_locked(table);
    arka_mutex_unlock(&table->lock);
}
