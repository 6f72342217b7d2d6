/** Shared by meta/'s files only: the manifest's connection and its prepared statements. */
#ifndef ARKA_META_MANIFEST_PRIV_H
#define ARKA_META_MANIFEST_PRIV_H

#include <sqlite3.h>

#include "meta/manifest.h"
#include "os/thread.h"

/* X(name, SQL): prepared once, used under the lock */
#define ARKA_MANIFEST_STATEMENTS                                                                   \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(ADD_DATABASE, "INSERT INTO databases(name, created_us) VALUES(?1, ?2)")                      \
    X(ADD_TABLE, "INSERT INTO tables(database_id, name, created_us, uuid) VALUES(?1, ?2, ?3, ?4)") \
    X(ADD_FIELD, "INSERT INTO fields(table_id, field_id, since_version, name, type, tag)"          \
                 " VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                                \
    X(ADD_FILE, "INSERT INTO files(table_id, path, n_rows, n_bytes, time_min, time_max,"           \
                " schema_version, created_us, lsn_first, lsn_last, crc)"                           \
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                           \
    X(SET_FLUSHED, "UPDATE tables SET flushed_lsn = max(flushed_lsn, ?2) WHERE id = ?1")           \
    X(HAS_FILE, "SELECT 1 FROM files WHERE path = ?1")                                             \
    X(DATABASES, "SELECT id, name, created_us FROM databases ORDER BY id")                         \
    X(TABLES, "SELECT id, database_id, name, uuid, flushed_lsn FROM tables ORDER BY id")           \
    X(FIELDS, "SELECT table_id, field_id, since_version, name, type, tag FROM fields AS f"         \
              " WHERE since_version = (SELECT max(since_version) FROM fields AS g"                 \
              "   WHERE g.table_id = f.table_id AND g.field_id = f.field_id)"                      \
              " ORDER BY table_id, field_id")                                                      \
    X(FILES, "SELECT table_id, path, n_rows, n_bytes, time_min, time_max, schema_version,"         \
             " created_us, lsn_first, lsn_last, crc FROM files ORDER BY table_id, time_min, id")   \
    X(DROP_FLUSHES, "DELETE FROM files WHERE table_id = ?1 AND lsn_last >= ?2")                    \
    X(LOWER_FLUSHED, "UPDATE tables SET flushed_lsn = min(flushed_lsn, ?2) WHERE id = ?1")         \
    X(GET_NUMBER, "SELECT value FROM numbers WHERE name = ?1")                                     \
    X(SET_NUMBER, "INSERT INTO numbers(name, value) VALUES(?1, ?2)"                                \
                  " ON CONFLICT(name) DO UPDATE SET value = ?2")                                   \
    X(ADD_REQUEST, "INSERT INTO requests(database, key, lsn, stored_us, answer)"                   \
                   " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(database, key) DO UPDATE"              \
                   " SET lsn = ?3, stored_us = ?4, answer = ?5 WHERE lsn < ?3")                    \
    X(REQUESTS, "SELECT database, key, lsn, stored_us, answer FROM requests"                       \
                " ORDER BY stored_us, lsn")                                                        \
    X(DROP_REQUESTS, "DELETE FROM requests WHERE stored_us < ?1")                                  \
    X(NOTE_DROPPED, "INSERT INTO dropped(uuid, dropped_us) SELECT uuid, ?2 FROM tables"            \
                    " WHERE id = ?1")                                                              \
    X(DOOM_FILES, "INSERT OR IGNORE INTO doomed(path) SELECT path FROM files WHERE table_id = ?1") \
    X(DOOM_FILE, "INSERT OR IGNORE INTO doomed(path) VALUES(?1)")                                  \
    X(DROP_FILES, "DELETE FROM files WHERE table_id = ?1")                                         \
    X(DROP_FIELDS, "DELETE FROM fields WHERE table_id = ?1")                                       \
    X(DROP_TABLE, "DELETE FROM tables WHERE id = ?1")                                              \
    X(DROP_DATABASE, "DELETE FROM databases WHERE id = ?1")                                        \
    X(DROPPED, "SELECT uuid FROM dropped")                                                         \
    X(FORGET_DROPPED, "DELETE FROM dropped WHERE uuid = ?1")                                       \
    X(DOOMED, "SELECT path FROM doomed ORDER BY path")                                             \
    X(FORGET_DOOMED, "DELETE FROM doomed WHERE path = ?1")

enum arka_manifest_statement {
#define X(name, sql) S_##name,
    ARKA_MANIFEST_STATEMENTS
#undef X
        N_STATEMENTS
};

struct arka_manifest {
    arka_mutex lock;
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    int bind_rc; /* the first failure to bind since the last step */
    char *path;
};

/* ---- connection.c: all under the lock ---- */

/** What the caller can do about SQLite's `rc`. Any thread. */
arka_status arka_manifest__code(int rc);

/** What the caller can do about `rc`; the sentence has SQLite's own words. */
arka_status arka_manifest__fail(arka_manifest *m, int rc, const char *what, arka_error *err);
ARKA_MUST_USE arka_status arka_manifest__run(arka_manifest *m, const char *sql, const char *what,
                                             arka_error *err);

void arka_manifest__bind_text(arka_manifest *m, enum arka_manifest_statement which, int at,
                              arka_slice text);
void arka_manifest__bind_blob(arka_manifest *m, enum arka_manifest_statement which, int at,
                              arka_slice bytes);
void arka_manifest__bind_i64(arka_manifest *m, enum arka_manifest_statement which, int at,
                             int64_t v);
/** The bytes as they stand; they live until the next step. */
arka_slice arka_manifest__column(sqlite3_stmt *s, int at);
/** SQLITE_ROW, SQLITE_DONE, or why there is none, which may be a value that could not be bound. */
int arka_manifest__step(arka_manifest *m, enum arka_manifest_statement which);
void arka_manifest__end_step(arka_manifest *m, enum arka_manifest_statement which);
/** A statement without rows. */
ARKA_MUST_USE arka_status arka_manifest__do(arka_manifest *m, enum arka_manifest_statement which,
                                            const char *what, arka_error *err);

ARKA_MUST_USE arka_status arka_manifest__begin(arka_manifest *m, arka_error *err);
/** Commit when all went well, else roll back; the first failure is what is returned. */
ARKA_MUST_USE arka_status arka_manifest__finish(arka_manifest *m, arka_status status,
                                                arka_error *err);

/* ---- migrate.c ---- */

/** Bring the file to the present layout; of another program or a newer version: ARKA_INPUT. */
ARKA_MUST_USE arka_status arka_manifest__migrate(arka_manifest *m, arka_error *err);
/** A new random one (RFC 9562, version 4), NUL-terminated. */
void arka_manifest__make_uuid(char out[ARKA_UUID_TEXT + 1]);

#endif
