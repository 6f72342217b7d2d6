/*
 * Data files that the manifest has and the disk has not, or not whole: where the log still has all
 * rows of the flush that they came with, that flush and the table's later ones are taken back
 * before anything is loaded, and the rows become hot again with the rest of the log.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/map.h"
#include "engine/engine_priv.h"

/* A file of a flush that the log may still have. */
typedef struct recent {
    int64_t table_id, n_rows;
    uint64_t lsn_first, lsn_last;
} recent;

/* A table with a file that is lost. */
typedef struct loss {
    int64_t table_id;
    const char *one;   /* of the files */
    uint64_t from, to; /* the rows to be made again */
    int64_t n_rows, n_logged;
} loss;

typedef struct search {
    arka_engine *engine;
    uint64_t oldest_lsn; /* in the log */
    ARKA_VEC(recent) files;
    ARKA_VEC(loss) losses; /* in order of the tables' ids, as the manifest is read */
    arka_map by_uuid;
    arka_arena arena;
} search;

static arka_status pass_database(void *context, int64_t id, arka_slice name, int64_t created_us,
                                 arka_error *err)
{
    return ARKA_OK;
}

static arka_status pass_field(void *context, int64_t table_id, const arka_manifest_field *field,
                              arka_error *err)
{
    return ARKA_OK;
}

static arka_status pass_table(void *context, const arka_manifest_table *table, arka_error *err)
{
    return ARKA_OK;
}

static bool is_whole(const char *path, int64_t n_bytes)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == n_bytes;
}

static arka_status note_loss(search *s, int64_t table_id, const char *path, uint64_t lsn_first,
                             arka_error *err)
{
    loss *last = s->losses.n > 0 ? &arka_vec_last(&s->losses) : NULL;
    if (last != NULL && last->table_id == table_id) {
        last->from = lsn_first < last->from ? lsn_first : last->from;
        return ARKA_OK;
    }
    return arka_vec_push(&s->losses, (loss){.table_id = table_id, .one = path, .from = lsn_first})
               ? ARKA_OK
               : arka_fail_nomem(err, "a list of files", sizeof(loss));
}

static arka_status look_at_file(void *context, int64_t table_id, const arka_manifest_file *file,
                                arka_error *err)
{
    search *s = context;
    if (file->lsn_first == 0 || file->lsn_first < s->oldest_lsn)
        return ARKA_OK;
    char *path =
        arka_arena_printf(&s->arena, "%s/%.*s", s->engine->base_path, ARKA_FMT(file->path));
    recent r = {table_id, file->n_rows, file->lsn_first, file->lsn_last};
    if (path == NULL || !arka_vec_push(&s->files, r))
        return arka_fail_nomem(err, "a list of files", file->path.len);
    return is_whole(path, file->n_bytes) ? ARKA_OK
                                         : note_loss(s, table_id, path, file->lsn_first, err);
}

static int by_table(const void *a, const void *b)
{
    int64_t x = ((const loss *)a)->table_id, y = ((const loss *)b)->table_id;
    return (x > y) - (x < y);
}

static loss *find_loss(search *s, int64_t table_id)
{
    loss key = {.table_id = table_id};
    return bsearch(&key, s->losses.items, s->losses.n, sizeof key, by_table);
}

/* How many rows have to be found. */
static void count_files(search *s)
{
    for (size_t i = 0; i < s->files.n; i++) {
        const recent *f = &s->files.items[i];
        loss *l = find_loss(s, f->table_id);
        if (l == NULL || f->lsn_last < l->from)
            continue;
        l->n_rows += f->n_rows;
        l->to = f->lsn_last > l->to ? f->lsn_last : l->to;
    }
}

static arka_status note_uuid(void *context, const arka_manifest_table *table, arka_error *err)
{
    search *s = context;
    loss *l = find_loss(s, table->id);
    if (l == NULL)
        return ARKA_OK;
    return arka_map_put(&s->by_uuid, table->uuid, l)
               ? ARKA_OK
               : arka_fail_nomem(err, "a table's id", table->uuid.len);
}

static arka_status pass_file(void *context, int64_t table_id, const arka_manifest_file *file,
                             arka_error *err)
{
    return ARKA_OK;
}

static arka_status count_record(void *context, const arka_wal_record *record, arka_error *err)
{
    search *s = context;
    loss *l = record->kind == ARKA_WAL_ROWS ? arka_map_get(&s->by_uuid, record->table_id) : NULL;
    if (l == NULL)
        return ARKA_OK;
    uint64_t from = record->lsn_first > l->from ? record->lsn_first : l->from;
    uint64_t to = record->lsn_last < l->to ? record->lsn_last : l->to;
    l->n_logged += from <= to ? (int64_t)(to - from) + 1 : 0;
    return ARKA_OK;
}

static arka_status undo(search *s, const loss *l, arka_error *err)
{
    if (l->n_logged != l->n_rows)
        return ARKA_OK; /* the look for files tells of it, and queries that need it fail */
    ARKA_TRY(arka_manifest_undo_flushes(s->engine->manifest, l->table_id, l->from, err));
    arka_engine__event(s->engine, ARKA_EVENT_WARN, "remade",
                       "file %s is missing or not whole: the %lld rows of its flush and of those "
                       "after it are taken from the log",
                       l->one, (long long)l->n_rows);
    return ARKA_OK;
}

static arka_status remake(search *s, arka_error *err)
{
    arka_manifest_reader names = {s, pass_database, note_uuid, pass_field, pass_file};
    arka_wal_reader counter = {.context = s, .record = count_record};
    arka_wal_recovered found;
    count_files(s);
    ARKA_TRY(arka_manifest_read(s->engine->manifest, &names, err));
    /* Reading it whole proves that it can be replayed; a damaged one stops the start here. */
    ARKA_TRY(arka_wal_recover(s->engine->wal, &counter, &found, err));
    for (size_t i = 0; i < s->losses.n; i++)
        ARKA_TRY(undo(s, &s->losses.items[i], err));
    return ARKA_OK;
}

arka_status arka_engine__remake_missing(arka_engine *engine, arka_error *err)
{
    arka_wal_stats stats;
    if (engine->wal == NULL)
        return ARKA_OK;
    arka_wal_get_stats(engine->wal, &stats);
    if (stats.n_segments == 0)
        return ARKA_OK;
    search s = {.engine = engine, .oldest_lsn = stats.oldest_lsn};
    arka_manifest_reader files = {&s, pass_database, pass_table, pass_field, look_at_file};
    arka_status status = arka_manifest_read(engine->manifest, &files, err);
    if (status == ARKA_OK && s.losses.n > 0)
        status = remake(&s, err);
    arka_map_fini(&s.by_uuid);
    arka_vec_fini(&s.files);
    arka_vec_fini(&s.losses);
    arka_arena_fini(&s.arena);
    return status;
}
