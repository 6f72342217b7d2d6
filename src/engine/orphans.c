/*
 * The disk compared with the manifest, at start. A file of our shape that no table has, as a crash
 * between writing and commit leaves it, is set aside. One that a table has and the disk has not, or
 * not so, is told, and stays in the table: a query that needs it must fail, not answer without it.
 */
#include "base/buf.h"
#include "base/map.h"
#include "engine/engine_priv.h"

typedef struct sweep {
    arka_engine *engine;
    arka_buf path;    /* {base}/{database}/{measurement}/…, of the file at hand */
    size_t table_len; /* of the part before … */
    arka_map unseen;  /* path → arka_data_file: the table's, until they are met */
} sweep;

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && memcmp(text + n - m, end, m) == 0;
}

/* year/month/day/hour/….parquet, written or being written; other people's files are theirs. */
static bool has_our_shape(const char *relative)
{
    const char *at = relative;
    for (int part = 0; part < 4; part++) {
        at += part == 0 && *at == '-'; /* years before 0 */
        size_t n = strspn(at, "0123456789");
        if (n < 2 || at[n] != '/')
            return false;
        at += n + 1;
    }
    return strchr(at, '/') == NULL && (ends_with(at, ".parquet") || ends_with(at, ".parquet.tmp"));
}

static arka_status move_aside(sweep *s, arka_error *err)
{
    const arka_os *os = s->engine->options.os;
    size_t base_len = strlen(s->engine->base_path);
    const char *from = s->path.data;
    arka_buf to = ARKA_BUF_INIT;
    arka_buf_printf(&to, "%s/.orphans%s", s->engine->base_path, from + base_len);
    arka_status status;
    if (arka_buf_cstr(&to) == NULL) {
        status = arka_fail_nomem(err, "a path", s->path.len);
    } else {
        char *slash = strrchr(to.data, '/');
        *slash = 0;
        status = arka_dir_make(os, to.data, err);
        *slash = '/';
    }
    if (status == ARKA_OK)
        status = arka_file_publish(os, from, to.data, err);
    if (status == ARKA_OK) {
        ARKA_COUNT(s->engine, orphans, 1);
        arka_engine__event(s->engine, ARKA_EVENT_WARN, "orphan",
                           "file %s is not in the manifest: moved to %s", from, to.data);
    }
    arka_buf_fini(&to);
    return status;
}

static arka_status look_at(void *context, const char *relative, int64_t n_bytes, arka_error *err)
{
    sweep *s = context;
    s->path.len = s->table_len;
    arka_buf_printf(&s->path, "/%s", relative);
    if (arka_buf_cstr(&s->path) == NULL)
        return arka_fail_nomem(err, "a path", strlen(relative));
    arka_data_file *file = arka_map_remove(&s->unseen, (arka_slice){s->path.data, s->path.len});
    if (file == NULL)
        return has_our_shape(relative) ? move_aside(s, err) : ARKA_OK;
    if (file->n_bytes != n_bytes)
        arka_engine__event(s->engine, ARKA_EVENT_ERROR, "damaged_file",
                           "file %s has %lld bytes, the manifest says %lld", file->path,
                           (long long)n_bytes, (long long)file->n_bytes);
    return ARKA_OK;
}

static void tell_missing(sweep *s)
{
    size_t at = 0;
    int64_t n = 0;
    const char *one = "";
    for (const arka_map_entry *e; (e = arka_map_next(&s->unseen, &at)) != NULL; n++)
        one = ((const arka_data_file *)e->value)->path;
    if (n > 0)
        arka_engine__event(
            s->engine, ARKA_EVENT_ERROR, "missing_file",
            "%lld files that the manifest has are not there, %s is one: queries that "
            "need them fail",
            (long long)n, one);
}

static arka_status sweep_files(sweep *s, const arka_snapshot *snapshot, arka_error *err)
{
    for (int64_t i = 0; i < snapshot->n_files; i++)
        if (!arka_map_put(&s->unseen, arka_slice_of(snapshot->files[i]->path), snapshot->files[i]))
            return arka_fail_nomem(err, "a list of files", s->unseen.n);
    ARKA_TRY(arka_dir_walk(s->path.data, look_at, s, err));
    tell_missing(s);
    return ARKA_OK;
}

static arka_status sweep_table(arka_engine *engine, arka_table *table, arka_error *err)
{
    sweep s = {.engine = engine};
    arka_buf_printf(&s.path, "%s/%s/%s", engine->base_path, arka_table_database(table),
                    arka_table_name(table));
    s.table_len = s.path.len;
    ARKA_AUTO(arka_snapshot) snapshot = NULL;
    arka_status status = arka_buf_cstr(&s.path) == NULL
                             ? arka_fail_nomem(err, "a path", s.path.len)
                             : arka_table_snapshot(table, &snapshot, err);
    if (status == ARKA_OK)
        status = sweep_files(&s, snapshot, err);
    arka_map_fini(&s.unseen);
    arka_buf_fini(&s.path);
    return status;
}

arka_status arka_engine__set_orphans_aside(arka_engine *engine, arka_error *err)
{
    arka_table_list tables = {0};
    arka_status status = arka_registry_all_tables(engine->registry, &tables, err);
    for (size_t i = 0; status == ARKA_OK && i < tables.n; i++)
        status = sweep_table(engine, tables.items[i], err);
    arka_vec_fini(&tables);
    return status;
}
