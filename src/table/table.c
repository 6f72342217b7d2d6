#include "table/table.h"

#include "os/thread.h"
#include "table/slices.h"

/* Enough for clients that send their columns in random order; a miss only costs a new layout. */
enum { LAYOUT_CACHE = 64 };

struct arka_table {
    int64_t id;
    char *database, *name;
    arka_mutex lock; /* TABLE: everything below */
    arka_schema *schema;
    arka_layout *layouts[LAYOUT_CACHE];
    /*
     * Hot slices in order of arrival; only the last is open. begin_flush closes it, so that a flush
     * covers whole slices: the first n_flushing of them.
     */
    ARKA_VEC(arka_hot_slice *) hot;
    bool open;
    int64_t hot_rows, hot_bytes;
    arka_mono last_flush;
    ARKA_VEC(arka_data_file *) files; /* in order of arrival */
    int64_t file_bytes, file_rows;
};

arka_status arka_table_new(int64_t id, arka_slice database, arka_slice name, arka_schema *schema,
                           arka_table **out, arka_error *err)
{
    arka_table *table = arka_calloc(1, sizeof *table);
    if (table == NULL)
        return arka_fail_nomem(err, "a table", sizeof *table);
    arka_mutex_init(&table->lock, ARKA_LOCK_TABLE);
    table->id = id;
    table->schema = arka_schema_ref(schema);
    table->database = arka_strndup(database.data, database.len);
    table->name = arka_strndup(name.data, name.len);
    if (table->database == NULL || table->name == NULL) {
        arka_table_free(table);
        return arka_fail_nomem(err, "a table's name", name.len);
    }
    *out = table;
    return ARKA_OK;
}

void arka_table_free(arka_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->hot.n; i++)
        arka_hot_slice_unref(table->hot.items[i]);
    arka_vec_fini(&table->hot);
    for (size_t i = 0; i < table->files.n; i++)
        arka_data_file_unref(table->files.items[i]);
    arka_vec_fini(&table->files);
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
    arka_mutex_unlock(&table->lock);
    arka_schema_unref(old);
    for (int i = 0; i < LAYOUT_CACHE; i++)
        arka_layout_unref(stale[i]);
}

void arka_admitted_fini(arka_admitted *admitted)
{
    arka_batch_unref(admitted->batch);
    arka_layout_unref(admitted->layout);
    *admitted = (arka_admitted){0};
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

arka_status arka_table_admit(arka_table *table, arka_batch *batch, arka_admitted *out,
                             bool *out_fits, arka_error *err)
{
    arka_layout **cached = &table->layouts[batch->layout % LAYOUT_CACHE];
    arka_mutex_lock(&table->lock);
    arka_layout *layout = *cached;
    if (ARKA_LIKELY(layout != NULL && arka_layout_matches(layout, batch))) {
        arka_layout_ref(layout);
        arka_mutex_unlock(&table->lock);
        *out = (arka_admitted){arka_batch_ref(batch), layout};
        *out_fits = true;
        return ARKA_OK;
    }
    arka_schema *schema = arka_schema_ref(table->schema);
    arka_mutex_unlock(&table->lock);

    *out_fits = fits(schema, batch);
    arka_status status = ARKA_OK;
    if (*out_fits && (status = arka_layout_new(schema, batch, &layout, err)) == ARKA_OK) {
        arka_layout *evicted = NULL;
        arka_mutex_lock(&table->lock);
        if (table->schema == schema) { /* else it is stale as a cache entry, not as an admission */
            evicted = *cached;
            *cached = arka_layout_ref(layout);
        }
        arka_mutex_unlock(&table->lock);
        arka_layout_unref(evicted);
        *out = (arka_admitted){arka_batch_ref(batch), layout};
    }
    arka_schema_unref(schema);
    return status;
}

static arka_status append_locked(arka_table *table, arka_admitted *a, arka_error *err)
{
    if (!table->open || arka_vec_last(&table->hot)->n == ARKA_SLICE_BATCHES) {
        arka_hot_slice *slice;
        ARKA_TRY(arka_hot_slice_new(&slice, err));
        if (!arka_vec_push(&table->hot, slice)) {
            arka_hot_slice_unref(slice);
            return arka_fail_nomem(err, "a slice", sizeof slice);
        }
        table->open = true;
    }
    arka_hot_slice *slice = arka_vec_last(&table->hot);
    slice->items[slice->n] = (arka_hot_batch){.batch = a->batch,
                                              .layout = a->layout,
                                              .column_of_field = a->layout->column_of_field,
                                              .n_fields = a->layout->n_fields};
    slice->n++;
    slice->n_rows += a->batch->n_rows;
    slice->n_bytes += (int64_t)a->batch->memory_bytes;
    table->hot_rows += a->batch->n_rows;
    table->hot_bytes += (int64_t)a->batch->memory_bytes;
    return ARKA_OK;
}

arka_status arka_table_append(arka_table *table, arka_admitted *take_admitted, arka_error *err)
{
    arka_mutex_lock(&table->lock);
    arka_status status = append_locked(table, take_admitted, err);
    arka_mutex_unlock(&table->lock);
    if (status == ARKA_OK)
        *take_admitted = (arka_admitted){0};
    else
        arka_admitted_fini(take_admitted);
    return status;
}

void arka_table_get_gauges(arka_table *table, arka_table_gauges *out)
{
    arka_mutex_lock(&table->lock);
    *out = (arka_table_gauges){.hot_rows = table->hot_rows,
                               .hot_bytes = table->hot_bytes,
                               .hot_since = table->hot.n ? table->hot.items[0]->since
                                                         : (arka_mono){0},
                               .last_flush = table->last_flush,
                               .n_files = (int64_t)table->files.n,
                               .file_bytes = table->file_bytes,
                               .file_rows = table->file_rows};
    arka_mutex_unlock(&table->lock);
}

/* ---- snapshots ---- */

/* Under the lock: references only; the flat array is made outside. */
static bool collect_hot_locked(const arka_table *table, int64_t max_bytes, arka_slice_list *slices)
{
    for (size_t i = 0; i < table->hot.n && slices->n_bytes < max_bytes; i++)
        if (!arka_slice_list_add(slices, table->hot.items[i]))
            return false;
    return true;
}

static bool collect_files_locked(const arka_table *table, arka_data_file ***files, int64_t *n_files)
{
    if (table->files.n == 0)
        return true;
    *files = arka_malloc(table->files.n * sizeof **files);
    if (*files == NULL)
        return false;
    for (size_t i = 0; i < table->files.n; i++) {
        arka_ref_add(&table->files.items[i]->ref);
        (*files)[i] = table->files.items[i];
    }
    *n_files = (int64_t)table->files.n;
    return true;
}

static bool flatten(arka_snapshot *s)
{
    arka_hot_batch *hot = arka_malloc((size_t)s->slices->n_batches * sizeof *hot);
    if (hot == NULL)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < s->slices->slices.n; i++) {
        size_t n = (size_t)s->slices->counts.items[i];
        memcpy(hot + at, s->slices->slices.items[i]->items, n * sizeof *hot);
        at += n;
    }
    s->hot = hot;
    s->n_hot_batches = s->slices->n_batches;
    s->n_hot_rows = s->slices->n_rows;
    s->n_hot_bytes = s->slices->n_bytes;
    return true;
}

/* With max_bytes of hot batches and no files for a flush, with all of both for a query. */
static arka_status take_snapshot(arka_table *table, bool for_flush, int64_t max_bytes,
                                 arka_snapshot **out, arka_error *err)
{
    ARKA_AUTO(arka_snapshot) s = arka_calloc(1, sizeof *s);
    if (s == NULL || (s->slices = arka_calloc(1, sizeof *s->slices)) == NULL)
        return arka_fail_nomem(err, "a snapshot", sizeof *s);
    arka_ref_init(&s->ref);
    arka_data_file **files = NULL;
    arka_mutex_lock(&table->lock);
    bool ok = collect_hot_locked(table, max_bytes, s->slices) &&
              (for_flush || collect_files_locked(table, &files, &s->n_files));
    s->schema = arka_schema_ref(table->schema);
    if (ok && for_flush) {
        table->open &= s->slices->slices.n < table->hot.n; /* the last slice is not among them */
        table->last_flush = arka_mono_now();
    }
    arka_mutex_unlock(&table->lock);
    s->files = files;
    if (!ok || !flatten(s))
        return arka_fail_nomem(err, "a snapshot", (size_t)s->slices->n_batches * 8);
    *out = arka_take(s);
    return ARKA_OK;
}

arka_status arka_table_snapshot(arka_table *table, arka_snapshot **out, arka_error *err)
{
    return take_snapshot(table, false, INT64_MAX, out, err);
}

void arka_snapshot_unref(arka_snapshot *s)
{
    if (s == NULL || !arka_ref_drop(&s->ref))
        return;
    for (int64_t i = 0; i < s->n_files; i++)
        arka_data_file_unref(s->files[i]);
    arka_free((void *)(uintptr_t)s->files);
    arka_free((void *)(uintptr_t)s->hot);
    if (s->slices != NULL)
        arka_slice_list_fini(s->slices);
    arka_free(s->slices);
    arka_schema_unref(s->schema);
    arka_free(s);
}

/* ---- flush ---- */

arka_status arka_table_begin_flush(arka_table *table, int64_t max_bytes, arka_snapshot **out,
                                   arka_error *err)
{
    arka_table_gauges gauges;
    arka_table_get_gauges(table, &gauges);
    *out = NULL;
    return gauges.hot_rows == 0 ? ARKA_OK : take_snapshot(table, true, max_bytes, out, err);
}

arka_status arka_table_reserve_files(arka_table *table, size_t n_files, arka_error *err)
{
    arka_mutex_lock(&table->lock);
    bool ok = arka_vec_reserve(&table->files, n_files);
    arka_mutex_unlock(&table->lock);
    return ok ? ARKA_OK : arka_fail_nomem(err, "a table's files", n_files * sizeof(void *));
}

static void add_file_locked(arka_table *table, arka_data_file *file)
{
    table->files.items[table->files.n++] = file;
    table->file_bytes += file->n_bytes;
    table->file_rows += file->n_rows;
}

void arka_table_end_flush(arka_table *table, const arka_snapshot *flushed,
                          arka_data_file *const *take_files, size_t n_files, bool *out_first)
{
    size_t n_slices = flushed->slices->slices.n;
    arka_mutex_lock(&table->lock);
    *out_first = table->files.n == 0;
    for (size_t i = 0; i < n_files; i++)
        add_file_locked(table, take_files[i]);
    for (size_t i = 0; i < n_slices; i++)
        ARKA_CHECK(table->hot.items[i] == flushed->slices->slices.items[i],
                   "slice %zu of table %s is not the flushed one", i, table->name);
    memmove(table->hot.items, table->hot.items + n_slices,
            (table->hot.n - n_slices) * sizeof *table->hot.items);
    table->hot.n -= n_slices;
    table->hot_rows -= flushed->slices->n_rows;
    table->hot_bytes -= flushed->slices->n_bytes;
    arka_mutex_unlock(&table->lock);
    /* The table's own references; the snapshot has others, so nothing is freed under the lock. */
    for (size_t i = 0; i < n_slices; i++)
        arka_hot_slice_unref(flushed->slices->slices.items[i]);
}

arka_status arka_table_load_file(arka_table *table, arka_data_file *take_file, arka_error *err)
{
    arka_mutex_lock(&table->lock);
    bool ok = arka_vec_reserve(&table->files, 1);
    if (ok)
        add_file_locked(table, take_file);
    arka_mutex_unlock(&table->lock);
    if (ok)
        return ARKA_OK;
    arka_data_file_unref(take_file);
    return arka_fail_nomem(err, "a table's files", sizeof(void *));
}

arka_status arka_data_file_new(const char *path, int64_t n_rows, int64_t n_bytes, int64_t time_min,
                               int64_t time_max, int32_t schema_version, arka_data_file **out,
                               arka_error *err)
{
    size_t n = strlen(path) + 1;
    arka_data_file *file = arka_malloc(sizeof *file + n);
    if (file == NULL)
        return arka_fail_nomem(err, "a file entry", sizeof *file + n);
    char *copy = (char *)(file + 1);
    memcpy(copy, path, n);
    *file = (arka_data_file){.n_rows = n_rows,
                             .n_bytes = n_bytes,
                             .time_min = time_min,
                             .time_max = time_max,
                             .schema_version = schema_version,
                             .path = copy};
    arka_ref_init(&file->ref);
    *out = file;
    return ARKA_OK;
}

void arka_data_file_unref(arka_data_file *file)
{
    if (file != NULL && arka_ref_drop(&file->ref))
        arka_free(file);
}
