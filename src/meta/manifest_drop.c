/* Tables that are dropped, and the files that are left of them. */
#include "meta/manifest_priv.h"

static arka_status run_for(arka_manifest *m, enum arka_manifest_statement which, int64_t id,
                           const char *what, arka_error *err)
{
    arka_manifest__bind_i64(m, which, 1, id);
    return arka_manifest__do(m, which, what, err);
}

static arka_status run_for_text(arka_manifest *m, enum arka_manifest_statement which,
                                arka_slice text, const char *what, arka_error *err)
{
    arka_manifest__bind_text(m, which, 1, text);
    return arka_manifest__do(m, which, what, err);
}

static arka_status drop_table(arka_manifest *m, int64_t id, int64_t now_us, arka_error *err)
{
    static const char WHAT[] = "dropping a table";
    arka_manifest__bind_i64(m, S_NOTE_DROPPED, 1, id);
    arka_manifest__bind_i64(m, S_NOTE_DROPPED, 2, now_us);
    ARKA_TRY(arka_manifest__do(m, S_NOTE_DROPPED, WHAT, err));
    ARKA_TRY(run_for(m, S_DOOM_FILES, id, WHAT, err));
    ARKA_TRY(run_for(m, S_DROP_FILES, id, WHAT, err));
    ARKA_TRY(run_for(m, S_DROP_FIELDS, id, WHAT, err));
    return run_for(m, S_DROP_TABLE, id, WHAT, err);
}

static arka_status drop_all(arka_manifest *m, const arka_manifest_drop *drop, arka_error *err)
{
    for (size_t i = 0; i < drop->n_tables; i++)
        ARKA_TRY(drop_table(m, drop->table_ids[i], drop->now_us, err));
    for (size_t i = 0; i < drop->n_paths; i++)
        ARKA_TRY(run_for_text(m, S_DOOM_FILE, drop->paths[i], "dropping a table", err));
    if (drop->database_id != 0)
        ARKA_TRY(run_for(m, S_DROP_DATABASE, drop->database_id, "dropping a database", err));
    return ARKA_OK;
}

arka_status arka_manifest_drop_tables(arka_manifest *m, const arka_manifest_drop *drop,
                                      arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK)
        status = arka_manifest__finish(m, drop_all(m, drop, err), err);
    arka_mutex_unlock(&m->lock);
    return status;
}

static arka_status each_text(arka_manifest *m, enum arka_manifest_statement which,
                             arka_manifest_each_text each, void *context, arka_error *err)
{
    arka_status status = ARKA_OK;
    int rc = SQLITE_DONE;
    arka_mutex_lock(&m->lock);
    while (status == ARKA_OK && (rc = arka_manifest__step(m, which)) == SQLITE_ROW)
        status = each(context, arka_manifest__column(m->statements[which], 0), err);
    if (status == ARKA_OK && rc != SQLITE_DONE)
        status = arka_manifest__fail(m, rc, "reading what was dropped", err);
    arka_manifest__end_step(m, which);
    arka_mutex_unlock(&m->lock);
    return status;
}

arka_status arka_manifest_each_dropped(arka_manifest *m, arka_manifest_each_text each,
                                       void *context, arka_error *err)
{
    return each_text(m, S_DROPPED, each, context, err);
}

arka_status arka_manifest_each_doomed(arka_manifest *m, arka_manifest_each_text each, void *context,
                                      arka_error *err)
{
    return each_text(m, S_DOOMED, each, context, err);
}

static arka_status forget(arka_manifest *m, enum arka_manifest_statement which,
                          const arka_slice *texts, size_t n, arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK) {
        for (size_t i = 0; i < n && status == ARKA_OK; i++)
            status = run_for_text(m, which, texts[i], "forgetting what was dropped", err);
        status = arka_manifest__finish(m, status, err);
    }
    arka_mutex_unlock(&m->lock);
    return status;
}

arka_status arka_manifest_forget_dropped(arka_manifest *m, const arka_slice *uuids, size_t n,
                                         arka_error *err)
{
    return forget(m, S_FORGET_DROPPED, uuids, n, err);
}

arka_status arka_manifest_forget_doomed(arka_manifest *m, const arka_slice *paths, size_t n,
                                        arka_error *err)
{
    return forget(m, S_FORGET_DOOMED, paths, n, err);
}
