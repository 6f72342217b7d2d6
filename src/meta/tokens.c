#include "meta/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "meta/manifest_priv.h"

#define COLUMNS                                                                                    \
    "id, name, token_hash, token_prefix, description, permissions, scope, max_priority, enabled,"  \
    " created_at, last_used_at, expires_at"

/* X(name, SQL): prepared once */
#define STATEMENTS                                                                                 \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(ALL, "SELECT " COLUMNS " FROM api_tokens ORDER BY id")                                       \
    X(BY_ID, "SELECT " COLUMNS " FROM api_tokens WHERE id = ?1")                                   \
    X(BY_NAME, "SELECT " COLUMNS " FROM api_tokens WHERE name = ?1")                               \
    X(BY_PREFIX, "SELECT " COLUMNS " FROM api_tokens WHERE token_prefix IN (?1, ?2) ORDER BY id")  \
    X(ADD, "INSERT INTO api_tokens(name, token_hash, token_prefix, description, permissions,"      \
           " scope, max_priority, enabled, expires_at, created_at)"                                \
           " VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) RETURNING id")                       \
    X(SET, "UPDATE api_tokens SET name = ?2, token_hash = ?3, token_prefix = ?4,"                  \
           " description = ?5, permissions = ?6, scope = ?7, max_priority = ?8, enabled = ?9,"     \
           " expires_at = ?10 WHERE id = ?1")                                                      \
    X(REMOVE, "DELETE FROM api_tokens WHERE id = ?1")                                              \
    X(NOTE_USE, "UPDATE api_tokens SET last_used_at = ?2"                                          \
                " WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2")                               \
    X(DATA_VERSION, "PRAGMA data_version")                                                         \
    X(VERSION, "SELECT value FROM numbers WHERE name = 'tokens_version'")

enum statement {
#define X(name, sql) T_##name,
    STATEMENTS
#undef X
        N_TOKEN_STATEMENTS
};

static const char *const SQL[] = {
#define X(name, sql) sql,
    STATEMENTS
#undef X
};

struct arka_tokens {
    sqlite3 *db;
    sqlite3_stmt *statements[N_TOKEN_STATEMENTS];
    int bind_rc; /* the first failure to bind since the last step */
    int64_t data_version;
    char *path;
};

static arka_status fail(arka_tokens *t, int rc, const char *what, arka_error *err)
{
    arka_status code = arka_manifest__code(rc);
    return arka_fail(err, code, "tokens in %s: %s: %s", t->path, what, sqlite3_errmsg(t->db));
}

/* ---- opening ---- */

/* What SQLite makes beside it has its mode, but an older version made all of them more open. */
static arka_status close_to_others(const char *path, arka_error *err)
{
    static const char *const ENDINGS[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        ARKA_AUTO_VALUE(arka_buf) name = ARKA_BUF_INIT;
        struct stat st;
        arka_buf_printf(&name, "%s%s", path, ENDINGS[i]);
        if (arka_buf_cstr(&name) == NULL)
            return arka_fail_nomem(err, "a path", strlen(path));
        /* never opened and closed here: that would take the file's locks from SQLite */
        if (stat(name.data, &st) == 0 && (st.st_mode & 077) != 0 && chmod(name.data, 0600) != 0)
            return arka_fail_sys(err, ARKA_IO, errno,
                                 "%s can be read by others, and its mode cannot be changed",
                                 name.data);
    }
    return ARKA_OK;
}

static arka_status make_file(const char *path, arka_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd); /* new: nobody has a lock on it */
    else if (errno != EEXIST)
        return arka_fail_sys(err, ARKA_IO, errno, "making %s", path);
    return close_to_others(path, err);
}

static arka_status bring_up_to_date(const char *path, arka_error *err)
{
    arka_manifest *manifest;
    ARKA_TRY(arka_manifest_open(path, &manifest, err));
    arka_manifest_close(manifest);
    return ARKA_OK;
}

static arka_status set_up(arka_tokens *t, arka_error *err)
{
    sqlite3_extended_result_codes(t->db, 1);
    sqlite3_busy_timeout(t->db, 5000);
    int rc = sqlite3_exec(t->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    for (int i = 0; i < N_TOKEN_STATEMENTS && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(t->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &t->statements[i],
                                NULL);
    return rc == SQLITE_OK ? ARKA_OK : fail(t, rc, "opening", err);
}

arka_status arka_tokens_open(const char *path, arka_tokens **out, arka_error *err)
{
    ARKA_AUTO(arka_tokens) t = arka_calloc(1, sizeof *t);
    if (t == NULL || (t->path = arka_strdup(path)) == NULL)
        return arka_fail_nomem(err, "the tokens", sizeof *t);
    ARKA_TRY(make_file(path, err));
    ARKA_TRY(bring_up_to_date(path, err));
    int rc = sqlite3_open_v2(path, &t->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return fail(t, rc, "opening", err);
    ARKA_TRY(set_up(t, err));
    ARKA_TRY(close_to_others(path, err));
    *out = arka_take(t);
    return ARKA_OK;
}

void arka_tokens_close(arka_tokens *t)
{
    if (t == NULL)
        return;
    for (int i = 0; i < N_TOKEN_STATEMENTS; i++)
        sqlite3_finalize(t->statements[i]);
    sqlite3_close(t->db);
    arka_free(t->path);
    arka_free(t);
}

/* ---- one statement ---- */

static void note_bind(arka_tokens *t, int rc)
{
    if (t->bind_rc == SQLITE_OK)
        t->bind_rc = rc;
}

static void bind_text(arka_tokens *t, enum statement which, int at, arka_slice text)
{
    note_bind(t, sqlite3_bind_text64(t->statements[which], at, text.len > 0 ? text.data : "",
                                     text.len, SQLITE_STATIC, SQLITE_UTF8));
}

static void bind_i64(arka_tokens *t, enum statement which, int at, int64_t v)
{
    note_bind(t, sqlite3_bind_int64(t->statements[which], at, v));
}

/* 0 stands for a time that there is none of, an empty text for none. */
static void bind_time(arka_tokens *t, enum statement which, int at, int64_t us)
{
    note_bind(t, us != 0 ? sqlite3_bind_int64(t->statements[which], at, us)
                         : sqlite3_bind_null(t->statements[which], at));
}

static int step(arka_tokens *t, enum statement which)
{
    int rc = t->bind_rc;
    t->bind_rc = SQLITE_OK;
    return rc == SQLITE_OK ? sqlite3_step(t->statements[which]) : rc;
}

static void end_step(arka_tokens *t, enum statement which)
{
    sqlite3_reset(t->statements[which]);
    sqlite3_clear_bindings(t->statements[which]);
}

static arka_status do_it(arka_tokens *t, enum statement which, const char *what, arka_error *err)
{
    int rc = step(t, which);
    arka_status status = rc == SQLITE_DONE ? ARKA_OK : fail(t, rc, what, err);
    end_step(t, which);
    return status;
}

/* The statement's only number. */
static arka_status ask(arka_tokens *t, enum statement which, const char *what, int64_t *out,
                       arka_error *err)
{
    int rc = step(t, which);
    arka_status status = ARKA_OK;
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(t->statements[which], 0);
    else
        status = fail(t, rc, what, err);
    end_step(t, which);
    return status;
}

static void read_row(sqlite3_stmt *s, arka_token_row *out)
{
    *out = (arka_token_row){
        .id = sqlite3_column_int64(s, 0),
        .name = arka_manifest__column(s, 1),
        .hash = arka_manifest__column(s, 2),
        .prefix = arka_manifest__column(s, 3),
        .description = arka_manifest__column(s, 4),
        .permissions = arka_manifest__column(s, 5),
        .scope = arka_manifest__column(s, 6),
        .max_priority = arka_manifest__column(s, 7),
        .enabled = sqlite3_column_int(s, 8) != 0,
        .created_us = sqlite3_column_int64(s, 9),
        .last_used_us = sqlite3_column_int64(s, 10),
        .expires_us = sqlite3_column_int64(s, 11),
    };
}

static arka_status tell(arka_tokens *t, enum statement which, arka_each_token_row each,
                        void *context, arka_error *err)
{
    int rc;
    arka_status status = ARKA_OK;
    while (status == ARKA_OK && (rc = step(t, which)) != SQLITE_DONE) {
        arka_token_row row;
        if (rc != SQLITE_ROW) {
            status = fail(t, rc, "reading", err);
            break;
        }
        read_row(t->statements[which], &row);
        status = each(context, &row, err);
    }
    end_step(t, which);
    return status;
}

/* ---- reading ---- */

arka_status arka_tokens_each(arka_tokens *t, arka_each_token_row each, void *context,
                             arka_error *err)
{
    return tell(t, T_ALL, each, context, err);
}

arka_status arka_tokens_by_id(arka_tokens *t, int64_t id, arka_each_token_row each, void *context,
                              arka_error *err)
{
    bind_i64(t, T_BY_ID, 1, id);
    return tell(t, T_BY_ID, each, context, err);
}

arka_status arka_tokens_by_name(arka_tokens *t, arka_slice name, arka_each_token_row each,
                                void *context, arka_error *err)
{
    bind_text(t, T_BY_NAME, 1, name);
    return tell(t, T_BY_NAME, each, context, err);
}

arka_status arka_tokens_by_prefix(arka_tokens *t, arka_slice a, arka_slice b,
                                  arka_each_token_row each, void *context, arka_error *err)
{
    bind_text(t, T_BY_PREFIX, 1, a);
    bind_text(t, T_BY_PREFIX, 2, b);
    return tell(t, T_BY_PREFIX, each, context, err);
}

/* ---- changing ---- */

arka_status arka_tokens_begin(arka_tokens *t, arka_error *err)
{
    /* a change that could not even be rolled back is still open: it goes first */
    if (sqlite3_get_autocommit(t->db) == 0)
        ARKA_TRY(do_it(t, T_ROLLBACK, "rolling back", err));
    return do_it(t, T_BEGIN, "beginning a change", err);
}

arka_status arka_tokens_finish(arka_tokens *t, arka_status status, arka_error *err)
{
    if (status == ARKA_OK)
        status = do_it(t, T_COMMIT, "committing", err);
    if (status != ARKA_OK && sqlite3_get_autocommit(t->db) == 0)
        ARKA_IGNORE(do_it(t, T_ROLLBACK, "rolling back", NULL)); /* reported is why */
    return status;
}

static void bind_row(arka_tokens *t, enum statement which, const arka_token_row *row)
{
    const arka_slice texts[] = {row->name,        row->hash,  row->prefix,      row->description,
                                row->permissions, row->scope, row->max_priority};
    for (int i = 0; i < 7; i++)
        bind_text(t, which, 2 + i, texts[i]);
    bind_i64(t, which, 9, row->enabled);
    bind_time(t, which, 10, row->expires_us);
}

arka_status arka_tokens_add(arka_tokens *t, const arka_token_row *row, int64_t *out_id,
                            arka_error *err)
{
    bind_row(t, T_ADD, row);
    bind_i64(t, T_ADD, 11, row->created_us);
    return ask(t, T_ADD, "adding one", out_id, err);
}

arka_status arka_tokens_set(arka_tokens *t, const arka_token_row *row, arka_error *err)
{
    bind_i64(t, T_SET, 1, row->id);
    bind_row(t, T_SET, row);
    return do_it(t, T_SET, "changing one", err);
}

arka_status arka_tokens_remove(arka_tokens *t, int64_t id, arka_error *err)
{
    bind_i64(t, T_REMOVE, 1, id);
    return do_it(t, T_REMOVE, "removing one", err);
}

arka_status arka_tokens_note_use(arka_tokens *t, int64_t id, int64_t used_us, arka_error *err)
{
    bind_i64(t, T_NOTE_USE, 1, id);
    bind_i64(t, T_NOTE_USE, 2, used_us);
    return do_it(t, T_NOTE_USE, "noting a use", err);
}

arka_status arka_tokens_version(arka_tokens *t, int64_t *out, arka_error *err)
{
    int64_t now;
    ARKA_TRY(ask(t, T_DATA_VERSION, "looking for changes", &now, err));
    if (now == t->data_version)
        return ARKA_OK;
    ARKA_TRY(ask(t, T_VERSION, "reading their version", out, err));
    t->data_version = now;
    return ARKA_OK;
}
