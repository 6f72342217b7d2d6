/* Commits of flushes, and what upgrading a manifest of the first layout does. */
#include "meta/manifest.h"

#include "base/buf.h"
#include "kit/faulty_vfs.h"
#include "kit/kit.h"

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    return path;
}

/* What a manifest says, as one text: compared before and after. */
typedef struct told {
    arka_buf text;
    int n_tables;
    char uuids[8][ARKA_UUID_TEXT + 1];
} told;

static arka_status on_database(void *context, int64_t id, arka_slice name, int64_t created_us,
                               arka_error *err)
{
    arka_buf_printf(&((told *)context)->text, "database %lld %.*s %lld\n", (long long)id,
                    ARKA_FMT(name), (long long)created_us);
    return ARKA_OK;
}

static arka_status on_table(void *context, const arka_manifest_table *t, arka_error *err)
{
    told *seen = context;
    assert_int_equal(t->uuid.len, ARKA_UUID_TEXT);
    memcpy(seen->uuids[seen->n_tables++ % 8], t->uuid.data, ARKA_UUID_TEXT);
    arka_buf_printf(&seen->text, "table %lld.%lld %.*s lsn %llu\n", (long long)t->database_id,
                    (long long)t->id, ARKA_FMT(t->name), (unsigned long long)t->flushed_lsn);
    return ARKA_OK;
}

static arka_status on_field(void *context, int64_t table_id, const arka_manifest_field *f,
                            arka_error *err)
{
    arka_buf_printf(&((told *)context)->text, "field %lld.%d %.*s type %d tag %d since %d\n",
                    (long long)table_id, f->id, ARKA_FMT(f->name), f->type, f->tag,
                    f->since_version);
    return ARKA_OK;
}

static arka_status on_file(void *context, int64_t table_id, const arka_manifest_file *f,
                           arka_error *err)
{
    arka_buf_printf(&((told *)context)->text, "file %lld %.*s %lld %lld %lld %lld %lld %d\n",
                    (long long)table_id, ARKA_FMT(f->path), (long long)f->n_rows,
                    (long long)f->n_bytes, (long long)f->time_min, (long long)f->time_max,
                    (long long)f->created_us, f->schema_version);
    return ARKA_OK;
}

static told tell(arka_manifest *m)
{
    arka_error err = {0};
    told seen = {0};
    arka_manifest_reader reader = {&seen, on_database, on_table, on_field, on_file};
    ASSERT_OK(arka_manifest_read(m, &reader, &err));
    assert_non_null(arka_buf_cstr(&seen.text));
    return seen;
}

static void assert_tells(arka_manifest *m, const char *expected)
{
    told seen = tell(m);
    assert_string_equal(seen.text.data, expected);
    arka_buf_fini(&seen.text);
}

/* ---- flushes ---- */

enum { N_TABLES = 200 };

static arka_manifest *with_tables(const char *name, int64_t tables[], int n)
{
    arka_error err = {0};
    arka_manifest *m;
    int64_t db;
    ASSERT_OK(arka_manifest_open(path_of(name), &m, &err));
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("d"), 5, &db, &err));
    arka_manifest_field field = {1, 1, 5, false, ARKA_SLICE("time")};
    for (int i = 0; i < n; i++) {
        char table[32], uuid[ARKA_UUID_TEXT + 1];
        snprintf(table, sizeof table, "t%d", i);
        ASSERT_OK(arka_manifest_add_table(m, db, arka_slice_of(table), 6, &field, 1, &tables[i],
                                          uuid, &err));
    }
    return m;
}

TEST(many_tables_go_in_one_commit_or_none)
{
    arka_error err = {0};
    static int64_t tables[N_TABLES];
    static arka_manifest_flush flushes[N_TABLES];
    static arka_manifest_file files[N_TABLES];
    static char paths[N_TABLES][32];
    arka_manifest *m = with_tables("many.db", tables, N_TABLES);
    for (int i = 0; i < N_TABLES; i++) {
        snprintf(paths[i], sizeof paths[i], "d/t%d/x.parquet", i);
        files[i] =
            (arka_manifest_file){arka_slice_of(paths[i]), 10, 100, 1, 2, 7, 1, 0, 0, true, 5};
        flushes[i] = (arka_manifest_flush){tables[i], 1, (uint64_t)i + 1, &files[i], 1};
    }
    told before = tell(m);

    int64_t last = tables[N_TABLES - 1];
    flushes[N_TABLES - 1].table_id = 4711;
    ASSERT_FAILS(arka_manifest_commit_flushes(m, flushes, N_TABLES, &err), ARKA_INTERNAL,
                 "FOREIGN KEY");
    flushes[N_TABLES - 1].n_files = 0;
    ASSERT_FAILS(arka_manifest_commit_flushes(m, flushes, N_TABLES, &err), ARKA_INTERNAL,
                 "a flush of table 4711, which is not there");
    flushes[N_TABLES - 1] =
        (arka_manifest_flush){last, 1, (uint64_t)INT64_MAX + 1, &files[N_TABLES - 1], 1};
    ASSERT_FAILS(arka_manifest_commit_flushes(m, flushes, N_TABLES, &err), ARKA_LIMIT,
                 "LSN 9223372036854775808 is above what the manifest holds");
    assert_tells(m, before.text.data);

    flushes[N_TABLES - 1].flushed_lsn = (uint64_t)INT64_MAX;
    ASSERT_OK(arka_manifest_commit_flushes(m, flushes, N_TABLES, &err));
    told after = tell(m);
    assert_non_null(strstr(after.text.data, "t17 lsn 18\n"));
    assert_non_null(strstr(after.text.data, "t199 lsn 9223372036854775807\n"));
    assert_non_null(strstr(after.text.data, "d/t199/x.parquet"));
    arka_manifest_close(m);
    ASSERT_OK(arka_manifest_open(path_of("many.db"), &m, &err));
    assert_tells(m, after.text.data);
    arka_manifest_close(m);
    arka_buf_fini(&before.text);
    arka_buf_fini(&after.text);
}

/* I2: a watermark never goes back. */
TEST(a_flushed_lsn_never_goes_down)
{
    arka_error err = {0};
    int64_t table;
    arka_manifest *m = with_tables("down.db", &table, 1);
    static const struct {
        uint64_t given;
        const char *expected;
    } STEPS[] = {{0, " lsn 0\n"},  {40, " lsn 40\n"}, {39, " lsn 40\n"},
                 {0, " lsn 40\n"}, {40, " lsn 40\n"}, {41, " lsn 41\n"}};
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        char path[32];
        snprintf(path, sizeof path, "f%zu", i);
        arka_manifest_file file = {arka_slice_of(path), 1, 1, 1, 1, 1, 1, 0, 0, false, 0};
        arka_manifest_flush flush = {table, STEPS[i].given, STEPS[i].given, &file, i % 2};
        ASSERT_OK(arka_manifest_commit_flushes(m, &flush, 1, &err));
        told seen = tell(m);
        assert_non_null(strstr(seen.text.data, STEPS[i].expected));
        arka_buf_fini(&seen.text);
        bool there;
        ASSERT_OK(arka_manifest_has_file(m, file.path, &there, &err));
        assert_int_equal(there, i % 2); /* its files come all the same */
    }
    ASSERT_OK(arka_manifest_commit_flushes(m, NULL, 0, &err));
    arka_manifest_close(m);
}

TEST(a_failing_disk_lets_all_tables_of_a_commit_in_or_none)
{
    arka_error err = {0};
    kit_vfs_install();
    int64_t tables[3];
    arka_manifest *m = with_tables("fail.db", tables, 3);
    static const int CALLS[] = {KIT_VFS_WRITE, KIT_VFS_SYNC};
    uint64_t lsn = 0;
    for (int c = 0; c < 2; c++)
        for (int for_good = 0; for_good < 2; for_good++)
            for (long n = 1;; n++) {
                lsn++;
                char paths[3][64];
                arka_manifest_file files[3];
                arka_manifest_flush flushes[3];
                for (int i = 0; i < 3; i++) {
                    snprintf(paths[i], sizeof paths[i], "p%d-%llu", i, (unsigned long long)lsn);
                    files[i] = (arka_manifest_file){
                        arka_slice_of(paths[i]), 1, 1, 1, 1, 1, 1, 0, 0, false, 0};
                    flushes[i] = (arka_manifest_flush){tables[i], lsn, lsn, &files[i], 1};
                }
                told before = tell(m);
                kit_vfs_fail(n, CALLS[c], for_good);
                arka_status status = arka_manifest_commit_flushes(m, flushes, 3, &err);
                bool struck = kit_vfs_failed();
                kit_vfs_fail(0, 0, false);
                assert_true(status == ARKA_OK || status == ARKA_IO);
                if (status == ARKA_IO) {
                    assert_tells(m, before.text.data);
                    err = (arka_error){0};
                    ASSERT_OK(arka_manifest_commit_flushes(m, flushes, 3, &err));
                }
                told after = tell(m);
                for (int i = 0; i < 3; i++)
                    assert_non_null(strstr(after.text.data, paths[i]));
                arka_buf_fini(&before.text);
                arka_buf_fini(&after.text);
                if (!struck)
                    break;
            }
    assert_true(lsn > 8); /* every call was made to fail */
    arka_manifest_close(m);
}

/* ---- upgrading ---- */

/* The first layout, as programs wrote it that are out there: never to be edited. */
static const char FIRST_LAYOUT[] =
    "PRAGMA journal_mode = WAL;"
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
    "CREATE INDEX files_by_time ON files(table_id, time_min);"
    "PRAGMA user_version = 1;"
    "INSERT INTO databases VALUES(1, 'old', 5);"
    "INSERT INTO tables VALUES(1, 1, 'cpu', 6), (2, 1, 'mem', 7), (5, 1, 'disk', 8);"
    "INSERT INTO fields VALUES(1, 1, 1, 'time', 5, 0), (1, 2, 1, 'v', 2, 0), (1, 2, 2, 'v', 3, 0),"
    "  (2, 1, 1, 'time', 5, 0), (5, 1, 1, 'time', 5, 0);"
    "INSERT INTO files VALUES(1, 1, 'old/cpu/a.parquet', 10, 100, 1, 2, 2, 9);";

static const char FIRST_TOLD[] = "database 1 old 5\n"
                                 "table 1.1 cpu lsn 0\n"
                                 "table 1.2 mem lsn 0\n"
                                 "table 1.5 disk lsn 0\n"
                                 "field 1.1 time type 5 tag 0 since 1\n"
                                 "field 1.2 v type 3 tag 0 since 2\n"
                                 "field 2.1 time type 5 tag 0 since 1\n"
                                 "field 5.1 time type 5 tag 0 since 1\n"
                                 "file 1 old/cpu/a.parquet 10 100 1 2 9 2\n";

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static int64_t ask(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

TEST(a_file_of_the_first_layout_is_brought_up_to_date)
{
    arka_error err = {0};
    arka_manifest *m;
    run_sql(path_of("old.db"), FIRST_LAYOUT);
    ASSERT_OK(arka_manifest_open(path_of("old.db"), &m, &err));
    told first = tell(m);
    assert_string_equal(first.text.data, FIRST_TOLD);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(first.uuids[i], first.uuids[k]);

    arka_manifest_flush flush = {.table_id = 5, .flushed_lsn = 12};
    ASSERT_OK(arka_manifest_commit_flushes(m, &flush, 1, &err));
    ASSERT_OK(arka_manifest_set_number(m, "epoch", 3, &err));
    arka_manifest_close(m);

    ASSERT_OK(arka_manifest_open(path_of("old.db"), &m, &err));
    told again = tell(m);
    assert_non_null(strstr(again.text.data, "disk lsn 12\n"));
    assert_memory_equal(again.uuids, first.uuids, sizeof first.uuids); /* given once */
    arka_manifest_close(m);
    arka_buf_fini(&first.text);
    arka_buf_fini(&again.text);
}

TEST(an_upgrade_that_fails_leaves_the_old_file)
{
    arka_error err = {0};
    kit_vfs_install();
    static const int CALLS[] = {KIT_VFS_WRITE, KIT_VFS_SYNC};
    int n_failed = 0;
    for (int c = 0; c < 2; c++)
        for (long n = 1;; n++) {
            char name[64];
            snprintf(name, sizeof name, "upgrade-%d-%ld.db", c, n);
            run_sql(path_of(name), FIRST_LAYOUT);
            arka_manifest *m;
            kit_vfs_fail(n, CALLS[c], true);
            arka_status status = arka_manifest_open(path_of(name), &m, &err);
            bool struck = kit_vfs_failed();
            kit_vfs_fail(0, 0, false);
            int64_t version = ask(path_of(name), "PRAGMA user_version");
            int64_t columns =
                ask(path_of(name), "SELECT count(*) FROM pragma_table_info('tables')");
            if (status == ARKA_OK) {
                assert_tells(m, FIRST_TOLD);
                arka_manifest_close(m);
                assert_int_equal(version, 4);
            } else {
                n_failed++;
                assert_int_equal(status, ARKA_IO);
                assert_int_equal(columns, version == 1 ? 4 : 6);
                err = (arka_error){0};
                ASSERT_OK(arka_manifest_open(path_of(name), &m, &err));
                assert_tells(m, FIRST_TOLD);
                arka_manifest_close(m);
            }
            if (!struck)
                break;
        }
    assert_true(n_failed > 1);
}
