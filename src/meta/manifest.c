#include "meta/manifest_priv.h"

/* ---- reading ---- */

typedef arka_status row_fn(const arka_manifest_reader *reader, sqlite3_stmt *s, arka_error *err);

static arka_status read_database(const arka_manifest_reader *r, sqlite3_stmt *s, arka_error *err)
{
    return r->database(r->context, sqlite3_column_int64(s, 0), arka_manifest__column(s, 1),
                       sqlite3_column_int64(s, 2), err);
}

static arka_status read_table(const arka_manifest_reader *r, sqlite3_stmt *s, arka_error *err)
{
    arka_manifest_table table = {.id = sqlite3_column_int64(s, 0),
                                 .database_id = sqlite3_column_int64(s, 1),
                                 .name = arka_manifest__column(s, 2),
                                 .uuid = arka_manifest__column(s, 3),
                                 .flushed_lsn = (uint64_t)sqlite3_column_int64(s, 4)};
    return r->table(r->context, &table, err);
}

static arka_status read_field(const arka_manifest_reader *r, sqlite3_stmt *s, arka_error *err)
{
    arka_manifest_field field = {.id = sqlite3_column_int(s, 1),
                                 .since_version = sqlite3_column_int(s, 2),
                                 .name = arka_manifest__column(s, 3),
                                 .type = sqlite3_column_int(s, 4),
                                 .tag = sqlite3_column_int(s, 5) != 0};
    return r->field(r->context, sqlite3_column_int64(s, 0), &field, err);
}

static arka_status read_file(const arka_manifest_reader *r, sqlite3_stmt *s, arka_error *err)
{
    arka_manifest_file file = {.path = arka_manifest__column(s, 1),
                               .n_rows = sqlite3_column_int64(s, 2),
                               .n_bytes = sqlite3_column_int64(s, 3),
                               .time_min = sqlite3_column_int64(s, 4),
                               .time_max = sqlite3_column_int64(s, 5),
                               .schema_version = sqlite3_column_int(s, 6),
                               .created_us = sqlite3_column_int64(s, 7),
                               .lsn_first = (uint64_t)sqlite3_column_int64(s, 8),
                               .lsn_last = (uint64_t)sqlite3_column_int64(s, 9),
                               .has_crc = sqlite3_column_type(s, 10) == SQLITE_INTEGER,
                               .crc = (uint32_t)sqlite3_column_int64(s, 10)};
    return r->file(r->context, sqlite3_column_int64(s, 0), &file, err);
}

static arka_status read_rows(arka_manifest *m, enum arka_manifest_statement which, row_fn *each,
                             const arka_manifest_reader *reader, arka_error *err)
{
    sqlite3_stmt *s = m->statements[which];
    arka_status status = ARKA_OK;
    int rc = SQLITE_DONE;
    while (status == ARKA_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        status = each(reader, s, err);
    if (status == ARKA_OK && rc != SQLITE_DONE)
        status = arka_manifest__fail(m, rc, "reading", err);
    sqlite3_reset(s);
    return status;
}

arka_status arka_manifest_read(arka_manifest *m, const arka_manifest_reader *reader,
                               arka_error *err)
{
    static const struct {
        enum arka_manifest_statement which;
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
    arka_manifest__bind_text(m, S_HAS_FILE, 1, path);
    int rc = arka_manifest__step(m, S_HAS_FILE);
    arka_status status = ARKA_OK;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        *out = rc == SQLITE_ROW;
    else
        status = arka_manifest__fail(m, rc, "looking for a file", err);
    arka_manifest__end_step(m, S_HAS_FILE);
    arka_mutex_unlock(&m->lock);
    return status;
}

/* ---- changing ---- */

arka_status arka_manifest_add_database(arka_manifest *m, arka_slice name, int64_t now_us,
                                       int64_t *out_id, arka_error *err)
{
    arka_mutex_lock(&m->lock);
    int64_t id = 0;
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK) {
        arka_manifest__bind_text(m, S_ADD_DATABASE, 1, name);
        arka_manifest__bind_i64(m, S_ADD_DATABASE, 2, now_us);
        status = arka_manifest__do(m, S_ADD_DATABASE, "adding a database", err);
        id = sqlite3_last_insert_rowid(m->db);
        status = arka_manifest__finish(m, status, err);
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
        arka_manifest__bind_i64(m, S_ADD_FIELD, 1, table_id);
        arka_manifest__bind_i64(m, S_ADD_FIELD, 2, fields[i].id);
        arka_manifest__bind_i64(m, S_ADD_FIELD, 3, fields[i].since_version);
        arka_manifest__bind_text(m, S_ADD_FIELD, 4, fields[i].name);
        arka_manifest__bind_i64(m, S_ADD_FIELD, 5, fields[i].type);
        arka_manifest__bind_i64(m, S_ADD_FIELD, 6, fields[i].tag);
        ARKA_TRY(arka_manifest__do(m, S_ADD_FIELD, "adding a column", err));
    }
    return ARKA_OK;
}

static arka_status add_table(arka_manifest *m, int64_t database_id, arka_slice name, int64_t now_us,
                             arka_slice uuid, int64_t *out_id, arka_error *err)
{
    arka_manifest__bind_i64(m, S_ADD_TABLE, 1, database_id);
    arka_manifest__bind_text(m, S_ADD_TABLE, 2, name);
    arka_manifest__bind_i64(m, S_ADD_TABLE, 3, now_us);
    arka_manifest__bind_text(m, S_ADD_TABLE, 4, uuid);
    ARKA_TRY(arka_manifest__do(m, S_ADD_TABLE, "adding a table", err));
    *out_id = sqlite3_last_insert_rowid(m->db);
    return ARKA_OK;
}

arka_status arka_manifest_add_table(arka_manifest *m, int64_t database_id, arka_slice name,
                                    int64_t now_us, const arka_manifest_field *fields, int n_fields,
                                    int64_t *out_id, char out_uuid[ARKA_UUID_TEXT + 1],
                                    arka_error *err)
{
    return arka_manifest_add_known_table(m, database_id, name, now_us, fields, n_fields,
                                         (arka_slice){0}, out_id, out_uuid, err);
}

arka_status arka_manifest_add_known_table(arka_manifest *m, int64_t database_id, arka_slice name,
                                          int64_t now_us, const arka_manifest_field *fields,
                                          int n_fields, arka_slice known, int64_t *out_id,
                                          char out_uuid[ARKA_UUID_TEXT + 1], arka_error *err)
{
    int64_t id = 0;
    char uuid[ARKA_UUID_TEXT + 1] = "";
    if (known.len == ARKA_UUID_TEXT)
        memcpy(uuid, known.data, ARKA_UUID_TEXT);
    else
        arka_manifest__make_uuid(uuid);
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK) {
        status = add_table(m, database_id, name, now_us, arka_slice_of(uuid), &id, err);
        if (status == ARKA_OK)
            status = add_fields(m, id, fields, n_fields, err);
        status = arka_manifest__finish(m, status, err);
    }
    arka_mutex_unlock(&m->lock);
    if (status == ARKA_OK) {
        *out_id = id;
        memcpy(out_uuid, uuid, sizeof uuid);
    }
    return status;
}

arka_status arka_manifest_add_fields(arka_manifest *m, int64_t table_id,
                                     const arka_manifest_field *fields, int n_fields,
                                     arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK)
        status = arka_manifest__finish(m, add_fields(m, table_id, fields, n_fields, err), err);
    arka_mutex_unlock(&m->lock);
    return status;
}

static arka_status add_files(arka_manifest *m, const arka_manifest_flush *flush, arka_error *err)
{
    for (size_t i = 0; i < flush->n_files; i++) {
        const arka_manifest_file *f = &flush->files[i];
        arka_manifest__bind_i64(m, S_ADD_FILE, 1, flush->table_id);
        arka_manifest__bind_text(m, S_ADD_FILE, 2, f->path);
        arka_manifest__bind_i64(m, S_ADD_FILE, 3, f->n_rows);
        arka_manifest__bind_i64(m, S_ADD_FILE, 4, f->n_bytes);
        arka_manifest__bind_i64(m, S_ADD_FILE, 5, f->time_min);
        arka_manifest__bind_i64(m, S_ADD_FILE, 6, f->time_max);
        arka_manifest__bind_i64(m, S_ADD_FILE, 7, f->schema_version);
        arka_manifest__bind_i64(m, S_ADD_FILE, 8, f->created_us);
        arka_manifest__bind_i64(m, S_ADD_FILE, 9, (int64_t)flush->lsn_first);
        arka_manifest__bind_i64(m, S_ADD_FILE, 10, (int64_t)flush->flushed_lsn);
        if (f->has_crc) /* else it stays null */
            arka_manifest__bind_i64(m, S_ADD_FILE, 11, f->crc);
        ARKA_TRY(arka_manifest__do(m, S_ADD_FILE, "adding a file", err));
    }
    return ARKA_OK;
}

/* The column is signed, and so is what max() makes of it. */
static arka_status check_lsn(const arka_manifest_flush *flush, arka_error *err)
{
    if (flush->flushed_lsn <= INT64_MAX)
        return ARKA_OK;
    return arka_fail(err, ARKA_LIMIT, "table %lld: LSN %llu is above what the manifest holds, %lld",
                     (long long)flush->table_id, (unsigned long long)flush->flushed_lsn,
                     (long long)INT64_MAX);
}

static arka_status add_flush(arka_manifest *m, const arka_manifest_flush *flush, arka_error *err)
{
    ARKA_TRY(check_lsn(flush, err));
    ARKA_TRY(add_files(m, flush, err));
    arka_manifest__bind_i64(m, S_SET_FLUSHED, 1, flush->table_id);
    arka_manifest__bind_i64(m, S_SET_FLUSHED, 2, (int64_t)flush->flushed_lsn);
    ARKA_TRY(arka_manifest__do(m, S_SET_FLUSHED, "noting how far a table is flushed", err));
    if (sqlite3_changes(m->db) == 0)
        return arka_fail(err, ARKA_INTERNAL,
                         "manifest %s: a flush of table %lld, which is not there", m->path,
                         (long long)flush->table_id);
    return ARKA_OK;
}

static arka_status undo_flushes(arka_manifest *m, int64_t table_id, uint64_t lsn_first,
                                arka_error *err)
{
    arka_manifest__bind_i64(m, S_DROP_FLUSHES, 1, table_id);
    arka_manifest__bind_i64(m, S_DROP_FLUSHES, 2, (int64_t)lsn_first);
    ARKA_TRY(arka_manifest__do(m, S_DROP_FLUSHES, "forgetting files", err));
    arka_manifest__bind_i64(m, S_LOWER_FLUSHED, 1, table_id);
    arka_manifest__bind_i64(m, S_LOWER_FLUSHED, 2, (int64_t)lsn_first - 1);
    return arka_manifest__do(m, S_LOWER_FLUSHED, "noting how far a table is flushed", err);
}

arka_status arka_manifest_undo_flushes(arka_manifest *m, int64_t table_id, uint64_t lsn_first,
                                       arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK)
        status = arka_manifest__finish(m, undo_flushes(m, table_id, lsn_first, err), err);
    arka_mutex_unlock(&m->lock);
    return status;
}

arka_status arka_manifest_commit_flushes(arka_manifest *m, const arka_manifest_flush *flushes,
                                         size_t n, arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK) {
        for (size_t i = 0; i < n && status == ARKA_OK; i++)
            status = add_flush(m, &flushes[i], err);
        status = arka_manifest__finish(m, status, err);
    }
    arka_mutex_unlock(&m->lock);
    return status;
}
