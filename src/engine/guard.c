/* The engine's use of the disks' guard: what it watches, whom it refuses, what it tells. */
#include "base/buf.h"
#include "engine/engine_priv.h"

static arka_status watch_dir_of(arka_disk *disk, const char *path, const char *what,
                                arka_error *err)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL ? arka_strdup(".")
                              : arka_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (dir == NULL)
        return arka_fail_nomem(err, "a path", strlen(path));
    arka_status status = arka_disk_watch(disk, dir, what, err);
    arka_free(dir);
    return status;
}

static void tell(arka_engine *e)
{
    char why[400];
    const char *where;
    if (arka_disk_is_low(&e->disk, why, sizeof why, &where))
        arka_engine__event(e, ARKA_EVENT_ERROR, "disk_low", "writes are refused: %s (%s)", why,
                           where);
    else
        arka_engine__event(e, ARKA_EVENT_WARN, "disk_ok",
                           "the disks have room again: writes are accepted");
}

static void check(arka_engine *e)
{
    if (arka_disk_check(&e->disk))
        tell(e);
}

arka_status arka_engine__guard_disks(arka_engine *engine, const char *wal_dir, arka_error *err)
{
    const arka_engine_options *o = &engine->options;
    arka_buf path = ARKA_BUF_INIT;
    arka_buf_printf(&path, "%s/.ballast", engine->base_path);
    arka_status status = arka_buf_cstr(&path) == NULL
                             ? arka_fail_nomem(err, "a path", path.len)
                             : arka_disk_init(&engine->disk, o->os, o->disk_reserve_bytes,
                                              path.data, o->ballast_bytes, err);
    arka_buf_fini(&path);
    ARKA_TRY(status);
    ARKA_TRY(arka_disk_watch(&engine->disk, engine->base_path, "data files", err));
    ARKA_TRY(watch_dir_of(&engine->disk, engine->manifest_path, "manifest", err));
    if (wal_dir != NULL)
        ARKA_TRY(arka_disk_watch(&engine->disk, wal_dir, "log", err));
    check(engine);
    return ARKA_OK;
}

bool arka_engine__disk_refuses(arka_engine *engine, arka_error *err)
{
    char why[400];
    if (!arka_disk_is_low(&engine->disk, why, sizeof why, NULL))
        return false;
    arka_fail(err, ARKA_BUSY, "%s", why);
    return true;
}

void arka_engine__io_failed(arka_engine *engine, const arka_error *why)
{
    if (!arka_disk_is_full(why))
        return;
    if (arka_disk_drop_ballast(&engine->disk))
        arka_engine__event(engine, ARKA_EVENT_WARN, "ballast",
                           "a disk is full: the ballast of %lld MiB is given up",
                           (long long)engine->disk.ballast_bytes >> 20);
    check(engine);
    arka_engine__want_flush(engine);
}

void arka_engine__look_at_disks(arka_engine *engine, bool make_ballast)
{
    arka_error why = {0};
    check(engine);
    if (!make_ballast || arka_disk_make_ballast(&engine->disk, &why) == ARKA_OK)
        return;
    check(engine);
    arka_engine__event(engine, ARKA_EVENT_WARN, "ballast", "no ballast could be made: %s", why.msg);
}
