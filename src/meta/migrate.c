#include "meta/manifest_priv.h"

#include "os/file.h"

/* Each step brings the file from version i to i + 1 (PRAGMA user_version). Never edit one that
 * shipped. new_uuid() is ours, below. */
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

    "ALTER TABLE tables ADD COLUMN uuid TEXT NOT NULL DEFAULT '';"
    "UPDATE tables SET uuid = new_uuid();"
    "ALTER TABLE tables ADD COLUMN flushed_lsn INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE files ADD COLUMN lsn_first INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE files ADD COLUMN lsn_last INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE files ADD COLUMN crc INTEGER;"
    "CREATE TABLE numbers("
    "  name TEXT PRIMARY KEY,"
    "  value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE requests("
    "  id INTEGER PRIMARY KEY,"
    "  database TEXT NOT NULL COLLATE NOCASE,"
    "  key TEXT NOT NULL,"
    "  lsn INTEGER NOT NULL,"
    "  stored_us INTEGER NOT NULL,"
    "  answer BLOB NOT NULL,"
    "  UNIQUE(database, key)) STRICT;"
    "CREATE INDEX requests_by_time ON requests(stored_us);",

    "CREATE TABLE dropped("
    "  uuid TEXT PRIMARY KEY,"
    "  dropped_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE doomed("
    "  path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;",

    /* tokens.h; the triggers see every change, also one that another program makes */
    "CREATE TABLE api_tokens("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL UNIQUE,"
    "  token_hash TEXT NOT NULL UNIQUE,"
    "  token_prefix TEXT NOT NULL,"
    "  description TEXT NOT NULL DEFAULT '',"
    "  permissions TEXT NOT NULL DEFAULT 'read,write',"
    "  scope TEXT NOT NULL DEFAULT '',"
    "  max_priority TEXT NOT NULL DEFAULT 'normal',"
    "  enabled INTEGER NOT NULL DEFAULT 1,"
    "  created_at INTEGER NOT NULL,"
    "  last_used_at INTEGER,"
    "  expires_at INTEGER) STRICT;"
    "CREATE INDEX api_tokens_by_prefix ON api_tokens(token_prefix);"
    "INSERT INTO numbers(name, value) VALUES('tokens_version', 1);"
    "CREATE TRIGGER api_tokens_added AFTER INSERT ON api_tokens BEGIN"
    "  UPDATE numbers SET value = value + 1 WHERE name = 'tokens_version'; END;"
    "CREATE TRIGGER api_tokens_removed AFTER DELETE ON api_tokens BEGIN"
    "  UPDATE numbers SET value = value + 1 WHERE name = 'tokens_version'; END;"
    "CREATE TRIGGER api_tokens_changed AFTER UPDATE OF id, name, token_hash, token_prefix,"
    "  description, permissions, scope, max_priority, enabled, created_at, expires_at"
    "  ON api_tokens BEGIN"
    "  UPDATE numbers SET value = value + 1 WHERE name = 'tokens_version'; END;",
};
enum { N_MIGRATIONS = sizeof MIGRATIONS / sizeof *MIGRATIONS };

void arka_manifest__make_uuid(char out[ARKA_UUID_TEXT + 1])
{
    unsigned char b[16];
    arka_random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version and variant: RFC 9562, section 5.4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    static const char DIGITS[] = "0123456789abcdef";
    char *to = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = DIGITS[b[i] >> 4];
        *to++ = DIGITS[b[i] & 15];
    }
    *to = 0;
}

static void new_uuid(sqlite3_context *context, int n_arguments, sqlite3_value **arguments)
{
    (void)n_arguments, (void)arguments;
    char uuid[ARKA_UUID_TEXT + 1];
    arka_manifest__make_uuid(uuid);
    sqlite3_result_text(context, uuid, ARKA_UUID_TEXT, SQLITE_TRANSIENT);
}

/* The first integer of the first row. */
static arka_status ask(arka_manifest *m, const char *sql, const char *what, int64_t *out,
                       arka_error *err)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(m->db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    arka_status status = rc == SQLITE_ROW ? ARKA_OK : arka_manifest__fail(m, rc, what, err);
    sqlite3_finalize(s);
    return status;
}

/* From `version` to the next, unless another process was faster; *now is where it stands. */
static arka_status take_step(arka_manifest *m, int64_t version, int64_t *now, arka_error *err)
{
    char set_version[64];
    sqlite3_snprintf(sizeof set_version, set_version, "PRAGMA user_version = %d", (int)version + 1);
    static const char WHAT[] = "bringing it up to date";
    ARKA_TRY(arka_manifest__run(m, "BEGIN IMMEDIATE", WHAT, err));
    arka_status status = ask(m, "PRAGMA user_version", "reading its version", now, err);
    if (status == ARKA_OK && *now == version) {
        status = arka_manifest__run(m, MIGRATIONS[version], WHAT, err);
        if (status == ARKA_OK)
            status = arka_manifest__run(m, set_version, WHAT, err);
        *now = version + 1;
    }
    if (status == ARKA_OK)
        status = arka_manifest__run(m, "COMMIT", WHAT, err);
    if (status != ARKA_OK)
        ARKA_IGNORE(
            arka_manifest__run(m, "ROLLBACK", "", NULL)); /* the first failure is reported */
    return status;
}

arka_status arka_manifest__migrate(arka_manifest *m, arka_error *err)
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
    int rc = sqlite3_create_function(m->db, "new_uuid", 0, SQLITE_UTF8, NULL, new_uuid, NULL, NULL);
    if (rc != SQLITE_OK)
        return arka_manifest__fail(m, rc, "bringing it up to date", err);
    while (version < N_MIGRATIONS)
        ARKA_TRY(take_step(m, version, &version, err));
    return ARKA_OK;
}
