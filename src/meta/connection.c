#include "meta/manifest_priv.h"

#include <errno.h>

#include "base/mem.h"

static const char *const STATEMENT_SQL[] = {
#define X(name, sql) sql,
    ARKA_MANIFEST_STATEMENTS
#undef X
};

arka_status arka_manifest__code(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return ARKA_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ARKA_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ARKA_CORRUPT;
    case SQLITE_CONSTRAINT:
        return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ? ARKA_EXISTS
                                                                                    : ARKA_INTERNAL;
    default:
        return ARKA_IO;
    }
}

arka_status arka_manifest__fail(arka_manifest *m, int rc, const char *what, arka_error *err)
{
    bool first = err != NULL && err->code == ARKA_OK;
    arka_fail(err, arka_manifest__code(rc), "manifest %s: %s: %s", m->path, what,
              sqlite3_errmsg(m->db));
    if (first && (rc & 0xff) == SQLITE_FULL)
        err->sys = ENOSPC; /* who can make room must know it */
    return arka_manifest__code(rc);
}

arka_status arka_manifest__run(arka_manifest *m, const char *sql, const char *what, arka_error *err)
{
    int rc = sqlite3_exec(m->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ARKA_OK : arka_manifest__fail(m, rc, what, err);
}

/* ---- opening ---- */

static arka_status set_up(arka_manifest *m, arka_error *err)
{
    sqlite3_extended_result_codes(m->db, 1);
    sqlite3_busy_timeout(m->db, 5000);
    ARKA_TRY(arka_manifest__run(
        m, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        "opening", err));
    ARKA_TRY(arka_manifest__migrate(m, err));
    for (int i = 0; i < N_STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(m->db, STATEMENT_SQL[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &m->statements[i], NULL);
        if (rc != SQLITE_OK)
            return arka_manifest__fail(m, rc, STATEMENT_SQL[i], err);
    }
    return ARKA_OK;
}

arka_status arka_manifest_open(const char *path, arka_manifest **out, arka_error *err)
{
    arka_manifest *m = arka_calloc(1, sizeof *m);
    if (m == NULL || (m->path = arka_strdup(path)) == NULL) {
        arka_free(m);
        return arka_fail_nomem(err, "the manifest", sizeof *m);
    }
    arka_mutex_init(&m->lock, ARKA_LOCK_META);
    int rc = sqlite3_open_v2(
        path, &m->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    arka_status status =
        rc == SQLITE_OK ? set_up(m, err) : arka_manifest__fail(m, rc, "opening", err);
    if (status != ARKA_OK) {
        arka_manifest_close(m);
        return status;
    }
    *out = m;
    return ARKA_OK;
}

void arka_manifest_close(arka_manifest *m)
{
    if (m == NULL)
        return;
    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(m->statements[i]);
    sqlite3_close(m->db);
    arka_mutex_fini(&m->lock);
    arka_free(m->path);
    arka_free(m);
}

/* ---- one statement ---- */

static void note_bind(arka_manifest *m, int rc)
{
    if (m->bind_rc == SQLITE_OK)
        m->bind_rc = rc;
}

/* Not NULL, which SQLite would take for a value that is missing. */
static const char *bytes_of(arka_slice s)
{
    return s.len > 0 ? s.data : "";
}

void arka_manifest__bind_text(arka_manifest *m, enum arka_manifest_statement which, int at,
                              arka_slice text)
{
    note_bind(m, sqlite3_bind_text64(m->statements[which], at, bytes_of(text), text.len,
                                     SQLITE_STATIC, SQLITE_UTF8));
}

void arka_manifest__bind_blob(arka_manifest *m, enum arka_manifest_statement which, int at,
                              arka_slice bytes)
{
    note_bind(m, sqlite3_bind_blob64(m->statements[which], at, bytes_of(bytes), bytes.len,
                                     SQLITE_STATIC));
}

void arka_manifest__bind_i64(arka_manifest *m, enum arka_manifest_statement which, int at,
                             int64_t v)
{
    note_bind(m, sqlite3_bind_int64(m->statements[which], at, v));
}

int arka_manifest__step(arka_manifest *m, enum arka_manifest_statement which)
{
    int rc = m->bind_rc;
    m->bind_rc = SQLITE_OK;
    return rc == SQLITE_OK ? sqlite3_step(m->statements[which]) : rc;
}

void arka_manifest__end_step(arka_manifest *m, enum arka_manifest_statement which)
{
    sqlite3_reset(m->statements[which]);
    sqlite3_clear_bindings(m->statements[which]);
}

arka_status arka_manifest__do(arka_manifest *m, enum arka_manifest_statement which,
                              const char *what, arka_error *err)
{
    int rc = arka_manifest__step(m, which);
    arka_status status = rc == SQLITE_DONE ? ARKA_OK : arka_manifest__fail(m, rc, what, err);
    arka_manifest__end_step(m, which);
    return status;
}

/* SQLite's "text" would be a copy, for which memory may lack. */
arka_slice arka_manifest__column(sqlite3_stmt *s, int at)
{
    const char *text = sqlite3_column_blob(s, at);
    return (arka_slice){text ? text : "", (size_t)sqlite3_column_bytes(s, at)};
}

/* ---- a change ---- */

/* A change that could not even be rolled back is still open: it goes first. */
arka_status arka_manifest__begin(arka_manifest *m, arka_error *err)
{
    if (sqlite3_get_autocommit(m->db) == 0)
        ARKA_TRY(arka_manifest__do(m, S_ROLLBACK, "rolling back", err));
    return arka_manifest__do(m, S_BEGIN, "beginning a change", err);
}

arka_status arka_manifest__finish(arka_manifest *m, arka_status status, arka_error *err)
{
    if (status == ARKA_OK)
        status = arka_manifest__do(m, S_COMMIT, "committing", err);
    if (status != ARKA_OK && sqlite3_get_autocommit(m->db) == 0)
        ARKA_IGNORE(arka_manifest__do(m, S_ROLLBACK, "rolling back", NULL)); /* reported is why */
    return status;
}
