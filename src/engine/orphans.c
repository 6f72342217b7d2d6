/* Files that no table has: what a crash between rename and commit leaves, or somebody put there. */
#include "base/buf.h"
#include "base/map.h"
#include "engine/engine_priv.h"

typedef struct sweep {
    arka_engine *engine;
    arka_map known; /* relative path → itself */
} sweep;

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && memcmp(text + n - m, end, m) == 0;
}

static arka_status move_aside(arka_engine *engine, const char *relative, arka_error *err)
{
    arka_buf from = ARKA_BUF_INIT, to = ARKA_BUF_INIT;
    arka_buf_printf(&from, "%s/%s", engine->base_path, relative);
    arka_buf_printf(&to, "%s/.orphans/%s", engine->base_path, relative);
    arka_status status = ARKA_OK;
    if (arka_buf_cstr(&from) == NULL || arka_buf_cstr(&to) == NULL) {
        status = arka_fail_nomem(err, "a path", strlen(relative));
    } else {
        char *slash = strrchr(to.data, '/');
        *slash = 0;
        status = arka_dir_make(engine->options.os, to.data, err);
        *slash = '/';
    }
    if (status == ARKA_OK)
        status = arka_file_publish(engine->options.os, from.data, to.data, err);
    if (status == ARKA_OK) {
        ARKA_COUNT(engine, orphans, 1);
        arka_engine__event(engine, ARKA_EVENT_WARN, "orphan",
                           "file %s is not in the manifest: moved to %s", from.data, to.data);
    }
    arka_buf_fini(&from);
    arka_buf_fini(&to);
    return status;
}

static arka_status look_at(void *context, const char *relative, int64_t n_bytes, arka_error *err)
{
    sweep *s = context;
    /* Only what has our shape: database/measurement/…; other people's files are theirs. */
    if (relative[0] == '.' || strchr(relative, '/') == NULL ||
        !(ends_with(relative, ".parquet") || ends_with(relative, ".parquet.tmp")))
        return ARKA_OK;
    if (arka_map_get(&s->known, arka_slice_of(relative)) != NULL)
        return ARKA_OK;
    return move_aside(s->engine, relative, err);
}

static arka_status list_known(sweep *s, arka_error *err)
{
    arka_table_list tables = {0};
    arka_status status = arka_registry_tables(s->engine->registry, NULL, &tables, err);
    size_t skip = strlen(s->engine->base_path) + 1;
    for (size_t i = 0; status == ARKA_OK && i < tables.n; i++) {
        arka_snapshot *snapshot;
        status = arka_table_snapshot(tables.items[i], &snapshot, err);
        for (int64_t f = 0; status == ARKA_OK && f < snapshot->n_files; f++)
            if (!arka_map_put(&s->known, arka_slice_of(snapshot->files[f]->path + skip), s))
                status = arka_fail_nomem(err, "a list of files", s->known.n);
        if (status == ARKA_OK)
            arka_snapshot_unref(snapshot);
    }
    arka_vec_fini(&tables);
    return status;
}

arka_status arka_engine__set_orphans_aside(arka_engine *engine, arka_error *err)
{
    sweep s = {.engine = engine};
    arka_status status = list_known(&s, err);
    if (status == ARKA_OK)
        status = arka_dir_walk(engine->base_path, look_at, &s, err);
    arka_map_fini(&s.known);
    return status;
}
