#include "engine/reaper.h"

#include <errno.h>

#include "base/arena.h"
#include "base/buf.h"
#include "os/failpoint.h"

enum { AT_ONCE = 256, AGAIN_AFTER_MS = 10000 };

struct arka_reaper {
    arka_engine *engine;
    arka_mutex lock; /* LEAF: `files` */
    ARKA_VEC(arka_data_file *) files;
    arka_mono again_at; /* something could not be removed */
    bool told;
    arka_table_list tables; /* the flusher's */
};

arka_status arka_reaper_new(arka_engine *engine, arka_reaper **out, arka_error *err)
{
    arka_reaper *r = arka_calloc(1, sizeof *r);
    if (r == NULL)
        return arka_fail_nomem(err, "the reaper", sizeof *r);
    r->engine = engine;
    arka_mutex_init(&r->lock, ARKA_LOCK_LEAF);
    *out = r;
    return ARKA_OK;
}

void arka_reaper_free(arka_reaper *reaper)
{
    if (reaper == NULL)
        return;
    for (size_t i = 0; i < reaper->files.n; i++)
        arka_data_file_unref(reaper->files.items[i]);
    arka_vec_fini(&reaper->files);
    arka_vec_fini(&reaper->tables);
    arka_mutex_fini(&reaper->lock);
    arka_free(reaper);
}

arka_status arka_reaper_reserve(arka_reaper *reaper, size_t n, arka_error *err)
{
    arka_mutex_lock(&reaper->lock);
    bool ok = arka_vec_reserve(&reaper->files, n);
    arka_mutex_unlock(&reaper->lock);
    return ok ? ARKA_OK : arka_fail_nomem(err, "files to remove", n * sizeof(void *));
}

void arka_reaper_add(arka_reaper *reaper, arka_data_file *file)
{
    arka_ref_add(&file->ref);
    arka_mutex_lock(&reaper->lock);
    reaper->files.items[reaper->files.n++] = file;
    arka_mutex_unlock(&reaper->lock);
}

/* ---- removing ---- */

/* Is there a table of that name again? Then a flush may be about to use its directories. */
static bool has_home(arka_engine *e, const char *relative)
{
    size_t database = strcspn(relative, "/");
    const char *name = relative + database + 1;
    arka_table *table;
    return relative[database] == '/' &&
           arka_engine__find_table(e, (arka_slice){relative, database},
                                   (arka_slice){name, strcspn(name, "/")}, &table, NULL) == ARKA_OK;
}

/* The directories above, up to the engine's own, as far as they are empty. */
static void remove_empty_parents(arka_engine *e, char *path)
{
    size_t base = strlen(e->base_path);
    if (has_home(e, path + base + 1))
        return;
    for (char *slash; (slash = strrchr(path, '/')) != NULL && slash > path + base;) {
        *slash = 0;
        if (e->options.os->rmdir(path) != 0)
            return;
    }
}

static arka_status remove_file(arka_engine *e, const char *path, arka_error *err)
{
    char *directory = arka_strdup(path);
    if (directory == NULL)
        return arka_fail_nomem(err, "a path", strlen(path));
    arka_error why = {0};
    arka_status status = arka_file_remove(e->options.os, path, &why);
    if (status == ARKA_OK || status == ARKA_NOTFOUND)
        remove_empty_parents(e, directory);
    else
        *err = why;
    arka_free(directory);
    return status == ARKA_NOTFOUND ? ARKA_OK : status;
}

/* Up to AT_ONCE that nobody else holds, out of the list. */
static size_t take_some(arka_reaper *r, arka_data_file **out)
{
    size_t n = 0, kept = 0;
    arka_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->files.n; i++) {
        arka_data_file *file = r->files.items[i];
        if (n < AT_ONCE && arka_ref_is_last(&file->ref))
            out[n++] = file;
        else
            r->files.items[kept++] = file;
    }
    r->files.n = kept;
    arka_mutex_unlock(&r->lock);
    return n;
}

static void tell(arka_reaper *r, const arka_error *why)
{
    r->again_at = arka_mono_after_ms(AGAIN_AFTER_MS);
    if (!r->told)
        arka_engine__event(r->engine, ARKA_EVENT_WARN, "files_stay",
                           "files of dropped tables could not be removed, to be tried again: %s",
                           why->msg);
    r->told = true;
}

/* Back, where there was room for them before; *n_gone: those at the front that are removed. */
static void remove_some(arka_reaper *r, arka_data_file **files, size_t n, size_t *n_gone)
{
    arka_error why = {0};
    size_t i = 0;
    while (i < n && remove_file(r->engine, files[i]->path, &why) == ARKA_OK)
        i++;
    *n_gone = i;
    if (i < n)
        tell(r, &why);
    arka_mutex_lock(&r->lock);
    for (; i < n; i++)
        r->files.items[r->files.n++] = files[i];
    arka_mutex_unlock(&r->lock);
}

static void forget(arka_reaper *r, arka_data_file **files, size_t n)
{
    arka_slice paths[AT_ONCE];
    arka_error why = {0};
    size_t base = strlen(r->engine->base_path) + 1;
    for (size_t i = 0; i < n; i++)
        paths[i] = arka_slice_of(files[i]->path + base);
    ARKA_FAILPOINT("reap_removed");
    if (n > 0 && arka_manifest_forget_doomed(r->engine->manifest, paths, n, &why) != ARKA_OK)
        tell(r, &why); /* the next start finds them removed already */
    for (size_t i = 0; i < n; i++)
        arka_data_file_unref(files[i]);
}

/* Of writes that were admitted before their table was dropped. */
static void clear_late_rows(arka_reaper *r)
{
    arka_engine *e = r->engine;
    bool any = false;
    if (arka_registry_removed_tables(e->registry, &r->tables, NULL) != ARKA_OK)
        return;
    for (size_t i = 0; i < r->tables.n; i++) {
        arka_table_gauges g;
        arka_table_get_gauges(r->tables.items[i], &g);
        if (g.hot_rows == 0)
            continue;
        arka_table_remains late;
        arka_table_clear(r->tables.items[i], &late);
        ARKA_COUNT(e, hot_rows, -late.hot_rows);
        arka_gate_adjust(&e->gate, -late.hot_bytes);
        any = true;
    }
    if (any)
        arka_engine__memory_freed(e);
}

void arka_reaper_run(arka_reaper *reaper)
{
    arka_data_file *files[AT_ONCE];
    clear_late_rows(reaper);
    if (arka_mono_now().ns < reaper->again_at.ns)
        return;
    for (size_t n, n_gone; (n = take_some(reaper, files)) > 0;) {
        remove_some(reaper, files, n, &n_gone);
        forget(reaper, files, n_gone);
        if (n_gone < n)
            return;
    }
    reaper->told = false;
}

/* ---- at the start ---- */

typedef struct doomed {
    arka_arena arena;
    ARKA_VEC(arka_slice) paths;
} doomed;

static arka_status add_path(void *context, arka_slice path, arka_error *err)
{
    doomed *d = context;
    const char *copy = arka_arena_text(&d->arena, path);
    return copy != NULL && arka_vec_push(&d->paths, arka_slice_of(copy))
               ? ARKA_OK
               : arka_fail_nomem(err, "a path", path.len);
}

static arka_status remove_doomed(arka_engine *e, doomed *d, arka_error *err)
{
    ARKA_TRY(arka_manifest_each_doomed(e->manifest, add_path, d, err));
    for (size_t i = 0; i < d->paths.n; i++) {
        const char *path =
            arka_arena_printf(&d->arena, "%s/%s", e->base_path, d->paths.items[i].data);
        if (path == NULL)
            return arka_fail_nomem(err, "a path", d->paths.items[i].len);
        ARKA_TRY(remove_file(e, path, err));
    }
    return d->paths.n == 0
               ? ARKA_OK
               : arka_manifest_forget_doomed(e->manifest, d->paths.items, d->paths.n, err);
}

void arka_reaper_catch_up(arka_engine *engine)
{
    doomed d = {.arena = ARKA_ARENA_INIT};
    arka_error why = {0};
    if (remove_doomed(engine, &d, &why) != ARKA_OK)
        arka_engine__event(engine, ARKA_EVENT_WARN, "files_stay",
                           "files of dropped tables could not be removed, the next start will try "
                           "again: %s",
                           why.msg);
    arka_vec_fini(&d.paths);
    arka_arena_fini(&d.arena);
}
