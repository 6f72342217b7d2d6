#include "meta/manifest.h"

#include <sqlite3.h>

#include "base/mem.h"
#include "os/thread.h"

/* Each step brings the file from version i to i + 1 (PRAGMA user_version). Never edit one that
 * shipped. */
static const char *const MIGRATIONS[] = {
    "CREATE TABLE databases("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    "  created_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE tables("
    "  id INTEGER PRIMARY KEY,"
    "  database_id INTEGER NOT NULL REFERENCES databases(id),"
    "  name TEXT NOT NULL COLLATE NOCASE,"
    "  created_us INTEGER NOT NULL,"
    "  UNIQUE(database_id, name)) STRICT;"
    "CREATE TABLE fields("
    "  table_id INTEGER NOT NULL REFERENCES tables(id),"
    "  field_id INTEGER NOT NULL,"
    "  since_version INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  type INTEGER NOT NULL,"
    "  tag INTEGER NOT NULL,"
    "  PRIMARY KEY(table_id, field_id, since_version)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE files("
    "  id INTEGER PRIMARY KEY,"
    "  table_id INTEGER NOT NULL REFERENCES tables(id),"
    "  path TEXT NOT NULL UNIQUE,"
    "  n_rows INTEGER NOT NULL,"
    "  n_bytes INTEGER NOT NULL,"
    "  time_min INTEGER NOT NULL,"
    "  time_max INTEGER NOT NULL,"
    "  schema_version INTEGER NOT NULL,"
    "  created_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX files_by_time ON files(table_id, time_min);",
};
enum { N_MIGRATIONS = sizeof MIGRATIONS / sizeof *MIGRATIONS };

/* X(name, SQL): prepared once, used under the lock */
#define STATEMENTS                                                                                 \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(ADD_DATABASE, "INSERT INTO databases(name, created_us) VALUES(?1, ?2)")                      \
    X(ADD_TABLE, "INSERT INTO tables(database_id, name, created_us) VALUES(?1, ?2, ?3)")           \
    X(ADD_FIELD, "INSERT INTO fields(table_id, field_id, since_version, name, type, tag)"          \
                 " VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                                \
    X(ADD_FILE, "INSERT INTO files(table_id, path, n_rows, n_bytes, time_min, time_max,"           \
                " schema_version, created_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")             \
    X(HAS_FILE, "SELECT 1 FROM files WHERE path = ?1")                                             \
    X(DATABASES, "SELECT id, name, created_us FROM databases ORDER BY id")                         \
    X(TABLES, "SELECT id, database_id, name FROM tables ORDER BY id")                              \
    X(FIELDS, "SELECT table_id, field_id, since_version, name, type, tag FROM fields AS f"         \
              " WHERE since_version = (SELECT max(since_version) FROM fields AS g"                 \
              "   WHERE g.table_id = f.table_id AND g.field_id = f.field_id)"                      \
              " ORDER BY table_id, field_id")                                                      \
    X(FILES, "SELECT table_id, path, n_rows, n_bytes, time_min, time_max, schema_version,"         \
             " created_us FROM files ORDER BY table_id, time_min, id")

enum statement {
#define X(name, sql) S_##name,
    STATEMENTS
#undef X
        N_STATEMENTS
};

static const char *const STATEMENT_SQL[] = {
#define X(name, sql) sql,
    STATEMENTS
#undef X
};

struct arka_manifest {
    arka_mutex lock;
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    int bind_rc; /* the first failure to bind since the last step */
    char *path;
};

/* The caller can do what it means to him; the sentence has SQLite's own words. */
static arka_status code_of(int rc)
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

static arka_status fail_sqlite(arka_manifest *m, int rc, const char *what, arka_error *err)
{
    return arka_fail(err, code_of(rc), "manifest %s: %s: %s", m->path, what, sqlite3_errmsg(m->db));
}

static arka_status run(arka_manifest *m, const char *sql, const char *what, arka_error *err)
{
    int rc = sqlite3_exec(m->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ARKA_OK : fail_sqlite(m, rc, what, err);
}

/* The first integer of the first row. */
static arka_status ask(arka_manifest *m, const char *sql, const char *what, int64_t *out,
                       arka_error *err)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(m->db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    arka_status status = rc == SQLITE_ROW ? ARKA_OK : fail_sqlite(m, rc, what, err);
    sqlite3_finalize(s);
    return status;
}

static arka_status migrate(arka_manifest *m, arka_error *err)
{
    int64_t version, n_tables;
    ARKA_TRY(ask(m, "PRAGMA user_version", "reading its version", &version, err));
    ARKA_TRY(ask(m, "SELECT count(*) FROM sqlite_schema", "reading it", &n_tables, err));
    if (version < 0 || (version == 0 && n_tables > 0))
        return arka_fail(err, ARKA_INPUT, "%s is a database of another program, not a manifest",
                         m->path);
    if (version > N_MIGRATIONS)
        return arka_fail(err, ARKA_INPUT,
                         "manifest %s has version %lld, this program knows versions up to %d: it "
                         "was written by a newer one",
                         m->path, (long long)version, (int)N_MIGRATIONS);
    for (; version < N_MIGRATIONS; version++) {
        char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %lld; COMMIT;",
                                    MIGRATIONS[version], (long long)version + 1);
        if (sql == NULL)
            return arka_fail_nomem(err, "a migration", strlen(MIGRATIONS[version]));
        arka_status status = run(m, sql, "bringing it up to date", err);
        sqlite3_free(sql);
        if (status != ARKA_OK) {
            ARKA_IGNORE(run(m, "ROLLBACK", "", NULL)); /* the first failure is reported */
            return status;
        }
    }
    return ARKA_OK;
}

static arka_status set_up(arka_manifest *m, arka_error *err)
{
    sqlite3_extended_result_codes(m->db, 1);
    sqlite3_busy_timeout(m->db, 5000);
    ARKA_TRY(run(m,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
                 "opening", err));
    ARKA_TRY(migrate(m, err));
    for (int i = 0; i < N_STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(m->db, STATEMENT_SQL[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &m->statements[i], NULL);
        if (rc != SQLITE_OK)
            return fail_sqlite(m, rc, STATEMENT_SQL[i], err);
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
    arka_status status = rc == SQLITE_OK ? set_up(m, err) : fail_sqlite(m, rc, "opening", err);
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

static void bind_text(arka_manifest *m, enum statement which, int at, arka_slice text)
{
    note_bind(m, sqlite3_bind_text64(m->statements[which], at, text.data, text.len, SQLITE_STATIC,
                                     SQLITE_UTF8));
}

static void bind_i64(arka_manifest *m, enum statement which, int at, int64_t v)
{
    note_bind(m, sqlite3_bind_int64(m->statements[which], at, v));
}

/* SQLITE_ROW, SQLITE_DONE, or why there is none, which may be a value that could not be bound. */
static int step(arka_manifest *m, enum statement which)
{
    int rc = m->bind_rc;
    m->bind_rc = SQLITE_OK;
    return rc == SQLITE_OK ? sqlite3_step(m->statements[which]) : rc;
}

static void end_step(arka_manifest *m, enum statement which)
{
    sqlite3_reset(m->statements[which]);
    sqlite3_clear_bindings(m->statements[which]);
}

static arka_status step_done(arka_manifest *m, enum statement which, const char *what,
                             arka_error *err)
{
    int rc = step(m, which);
    arka_status status = rc == SQLITE_DONE ? ARKA_OK : fail_sqlite(m, rc, what, err);
    end_step(m, which);
    return status;
}

/* The bytes as they stand: SQLite's "text" would be a copy, for which memory may lack. */
static arka_slice column_text(sqlite3_stmt *s, int at)
{
    const char *text = sqlite3_column_blob(s, at);
    return (arka_slice){text ? text : "", (size_t)sqlite3_column_bytes(s, at)};
}

/* ---- reading ---- */

typedef arka_status row_fn(const arka_manifest_reader *reader, sqlite3_stmt *s, arka_error *err);

static arka_status read_database(const arka_manifest_reader *r, sqlite3_stmt *s, arka_error *err)
{
    return r->database(r->context, sqlite3_column_int64(s, 0), column_text(s, 1),
                       sqlite3_column_int64(s, 2), err);
}

static arka_status read_table(const arka_manifest_reader *r, sqlite3_stmt *s, arka_error *err)
{
    return r->table(r->context, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                    column_text(s, 2), err);
}

static arka_status read_field(const arka_manifest_reader *r, sqlite3_stmt *s, arka_error *err)
{
    arka_manifest_field field = {.id = sqlite3_column_int(s, 1),
                                 .since_version = sqlite3_column_int(s, 2),
                                 .name = column_text(s, 3),
                                 .type = sqlite3_column_int(s, 4),
                                 .tag = sqlite3_column_int(s, 5) != 0};
    return r->field(r->context, sqlite3_column_int64(s, 0), &field, err);
}

static arka_status read_file(const arka_manifest_reader *r, sqlite3_stmt *s, arka_error *err)
{
    arka_manifest_file file = {.path = column_text(s, 1),
                               .n_rows = sqlite3_column_int64(s, 2),
                               .n_bytes = sqlite3_column_int64(s, 3),
                               .time_min = sqlite3_column_int64(s, 4),
                               .time_max = sqlite3_column_int64(s, 5),
                               .schema_version = sqlite3_column_int(s, 6),
                               .created_us = sqlite3_column_int64(s, 7)};
    return r->file(r->context, sqlite3_column_int64(s, 0), &file, err);
}

static arka_status read_rows(arka_manifest *m, enum statement which, row_fn *each,
                             const arka_manifest_reader *reader, arka_error *err)
{
    sqlite3_stmt *s = m->statements[which];
    arka_status status = ARKA_OK;
    int rc = SQLITE_DONE;
    while (status == ARKA_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        status = each(reader, s, err);
    if (status == ARKA_OK && rc != SQLITE_DONE)
        status = fail_sqlite(m, rc, "reading", err);
    sqlite3_reset(s);
    return status;
}

arka_status arka_manifest_read(arka_manifest *m, const arka_manifest_reader *reader,
                               arka_error *err)
{
    static const struct {
        enum statement which;
        row_fn *each;
    } PARTS[] = {{S_DATABASES, read_database},
                 {S_TABLES, read_table},
                 {S_FIELDS, read_field},
                 {S_FILES, read_file}};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        ARKA_TRY(read_rows(m, PARTS[i].which, PARTS[i].each, reader, err));
    return ARKA_OK;
}

arka_status arka_manifest_has_file(arka_manifest *m, arka_slice path, bool *out, arka_error *err)
{
    arka_mutex_lock(&m->lock);
    bind_text(m, S_HAS_FILE, 1, path);
    int rc = step(m, S_HAS_FILE);
    arka_status status = ARKA_OK;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        *out = rc == SQLITE_ROW;
    else
        status = fail_sqlite(m, rc, "looking for a file", err);
    end_step(m, S_HAS_FILE);
    arka_mutex_unlock(&m->lock);
    return status;
}

/* ---- changing ---- */

/* A change that could not even be rolled back is still open: it goes first. */
static arka_status begin(arka_manifest *m, arka_error *err)
{
    if (sqlite3_get_autocommit(m->db) == 0)
        ARKA_TRY(step_done(m, S_ROLLBACK, "rolling back", err));
    return step_done(m, S_BEGIN, "beginning a change", err);
}

/* Commit when all went well, else roll back; the first failure is what is returned. */
static arka_status finish(arka_manifest *m, arka_status status, arka_error *err)
{
    if (status == ARKA_OK)
        status = step_done(m, S_COMMIT, "committing", err);
    if (status != ARKA_OK && sqlite3_get_autocommit(m->db) == 0)
        ARKA_IGNORE(step_done(m, S_ROLLBACK, "rolling back", NULL)); /* reported is why */
    return status;
}

arka_status arka_manifest_add_database(arka_manifest *m, arka_slice name, int64_t now_us,
                                       int64_t *out_id, arka_error *err)
{
    arka_mutex_lock(&m->lock);
    int64_t id = 0;
    arka_status status = begin(m, err);
    if (status == ARKA_OK) {
        bind_text(m, S_ADD_DATABASE, 1, name);
        bind_i64(m, S_ADD_DATABASE, 2, now_us);
        status = step_done(m, S_ADD_DATABASE, "adding a database", err);
        id = sqlite3_last_insert_rowid(m->db);
        status = finish(m, status, err);
    }
    arka_mutex_unlock(&m->lock);
    if (status == ARKA_OK)
        *out_id = id;
    return status;
}

static arka_status add_fields(arka_manifest *m, int64_t table_id, const arka_manifest_field *fields,
                              int n_fields, arka_error *err)
{
    for (int i = 0; i < n_fields; i++) {
        bind_i64(m, S_ADD_FIELD, 1, table_id);
        bind_i64(m, S_ADD_FIELD, 2, fields[i].id);
        bind_i64(m, S_ADD_FIELD, 3, fields[i].since_version);
        bind_text(m, S_ADD_FIELD, 4, fields[i].name);
        bind_i64(m, S_ADD_FIELD, 5, fields[i].type);
        bind_i64(m, S_ADD_FIELD, 6, fields[i].tag);
        ARKA_TRY(step_done(m, S_ADD_FIELD, "adding a column", err));
    }
    return ARKA_OK;
}

static arka_status add_table(arka_manifest *m, int64_t database_id, arka_slice name, int64_t now_us,
                             const arka_manifest_field *fields, int n_fields, int64_t *out_id,
                             arka_error *err)
{
    bind_i64(m, S_ADD_TABLE, 1, database_id);
    bind_text(m, S_ADD_TABLE, 2, name);
    bind_i64(m, S_ADD_TABLE, 3, now_us);
    ARKA_TRY(step_done(m, S_ADD_TABLE, "adding a table", err));
    *out_id = sqlite3_last_insert_rowid(m->db);
    return add_fields(m, *out_id, fields, n_fields, err);
}

arka_status arka_manifest_add_table(arka_manifest *m, int64_t database_id, arka_slice name,
                                    int64_t now_us, const arka_manifest_field *fields, int n_fields,
                                    int64_t *out_id, arka_error *err)
{
    int64_t id = 0;
    arka_mutex_lock(&m->lock);
    arka_status status = begin(m, err);
    if (status == ARKA_OK)
        status =
            finish(m, add_table(m, database_id, name, now_us, fields, n_fields, &id, err), err);
    arka_mutex_unlock(&m->lock);
    if (status == ARKA_OK)
        *out_id = id;
    return status;
}

arka_status arka_manifest_add_fields(arka_manifest *m, int64_t table_id,
                                     const arka_manifest_field *fields, int n_fields,
                                     arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = begin(m, err);
    if (status == ARKA_OK)
        status = finish(m, add_fields(m, table_id, fields, n_fields, err), err);
    arka_mutex_unlock(&m->lock);
    return status;
}

static arka_status add_files(arka_manifest *m, int64_t table_id, const arka_manifest_file *files,
                             size_t n_files, arka_error *err)
{
    for (size_t i = 0; i < n_files; i++) {
        const arka_manifest_file *f = &files[i];
        bind_i64(m, S_ADD_FILE, 1, table_id);
        bind_text(m, S_ADD_FILE, 2, f->path);
        bind_i64(m, S_ADD_FILE, 3, f->n_rows);
        bind_i64(m, S_ADD_FILE, 4, f->n_bytes);
        bind_i64(m, S_ADD_FILE, 5, f->time_min);
        bind_i64(m, S_ADD_FILE, 6, f->time_max);
        bind_i64(m, S_ADD_FILE, 7, f->schema_version);
        bind_i64(m, S_ADD_FILE, 8, f->created_us);
        ARKA_TRY(step_done(m, S_ADD_FILE, "adding a file", err));
    }
    return ARKA_OK;
}

arka_status arka_manifest_add_files(arka_manifest *m, int64_t table_id,
                                    const arka_manifest_file *files, size_t n_files,
                                    arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = begin(m, err);
    if (status == ARKA_OK)
        status = finish(m, add_files(m, table_id, files, n_files, err), err);
    arka_mutex_unlock(&m->lock);
    return status;
}
