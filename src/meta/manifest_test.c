#include "meta/manifest.h"

#include <unistd.h>

#include "kit/faulty_vfs.h"
#include "kit/kit.h"

typedef struct seen {
    int databases, tables, fields, files;
    int32_t last_version;
    int last_type;
    int64_t rows, crcs;
    uint64_t lsn_first, lsn_last; /* of the last file */
    uint64_t flushed_lsn;         /* of the last table */
    char uuids[3][ARKA_UUID_TEXT + 1];
} seen;

static arka_status on_database(void *context, int64_t id, arka_slice name, int64_t created_us,
                               arka_error *err)
{
    seen *s = context;
    s->databases++;
    assert_true(arka_slice_eq(name, ARKA_SLICE("default")));
    assert_int_equal(created_us, 5);
    return ARKA_OK;
}

/* RFC 9562: version 4 and variant 10, lower case. */
static void check_uuid(arka_slice uuid)
{
    assert_int_equal(uuid.len, ARKA_UUID_TEXT);
    for (size_t i = 0; i < uuid.len; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23)
            assert_int_equal(uuid.data[i], '-');
        else
            assert_non_null(strchr("0123456789abcdef", uuid.data[i]));
    assert_int_equal(uuid.data[14], '4');
    assert_non_null(strchr("89ab", uuid.data[19]));
}

static arka_status on_table(void *context, const arka_manifest_table *table, arka_error *err)
{
    seen *s = context;
    check_uuid(table->uuid);
    for (int i = 0; i < s->tables; i++)
        assert_false(arka_slice_eq(table->uuid, arka_slice_of(s->uuids[i % 3])));
    memcpy(s->uuids[s->tables++ % 3], table->uuid.data, ARKA_UUID_TEXT);
    s->flushed_lsn = table->flushed_lsn;
    return ARKA_OK;
}

static arka_status on_field(void *context, int64_t table_id, const arka_manifest_field *f,
                            arka_error *err)
{
    seen *s = context;
    s->fields++;
    assert_int_equal(f->id, s->fields);
    s->last_version = f->since_version;
    s->last_type = f->type;
    return ARKA_OK;
}

static arka_status on_file(void *context, int64_t table_id, const arka_manifest_file *f,
                           arka_error *err)
{
    seen *s = context;
    s->files++;
    s->rows += f->n_rows;
    s->crcs += f->has_crc ? f->crc : 0;
    s->lsn_first = f->lsn_first;
    s->lsn_last = f->lsn_last;
    return ARKA_OK;
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    return path;
}

static seen read_all(arka_manifest *m)
{
    arka_error err = {0};
    seen s = {0};
    arka_manifest_reader reader = {&s, on_database, on_table, on_field, on_file};
    ASSERT_OK(arka_manifest_read(m, &reader, &err));
    return s;
}

static arka_status add_files(arka_manifest *m, int64_t table, uint64_t lsn,
                             const arka_manifest_file *files, size_t n, arka_error *err)
{
    arka_manifest_flush flush = {.table_id = table,
                                 .lsn_first = lsn - lsn / 3,
                                 .flushed_lsn = lsn,
                                 .files = files,
                                 .n_files = n};
    return arka_manifest_commit_flushes(m, &flush, 1, err);
}

TEST(what_was_committed_is_read_after_reopening)
{
    arka_error err = {0};
    arka_manifest *m;
    int64_t db, table;
    char uuid[ARKA_UUID_TEXT + 1];
    ASSERT_OK(arka_manifest_open(path_of("a.db"), &m, &err));
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("default"), 5, &db, &err));
    arka_manifest_field fields[] = {{1, 1, 5, false, ARKA_SLICE("time")},
                                    {2, 1, 2, false, ARKA_SLICE("v")}};
    ASSERT_OK(arka_manifest_add_table(m, db, ARKA_SLICE("cpu"), 6, fields, 2, &table, uuid, &err));
    arka_manifest_field changed = {2, 2, 3, false, ARKA_SLICE("v")};
    ASSERT_OK(arka_manifest_add_fields(m, table, &changed, 1, &err));
    arka_manifest_file files[] = {{ARKA_SLICE("p1"), 10, 100, 1, 2, 7, 1, 0, 0, false, 0},
                                  {ARKA_SLICE("p2"), 20, 200, 3, 4, 7, 2, 0, 0, true, UINT32_MAX}};
    ASSERT_OK(add_files(m, table, 30, files, 2, &err));
    arka_manifest_close(m);

    ASSERT_OK(arka_manifest_open(path_of("a.db"), &m, &err));
    seen s = read_all(m);
    assert_int_equal(s.databases, 1);
    assert_int_equal(s.tables, 1);
    assert_int_equal(s.fields, 2); /* the newest form of each */
    assert_int_equal(s.last_version, 2);
    assert_int_equal(s.last_type, 3);
    assert_int_equal(s.files, 2);
    assert_int_equal(s.rows, 30);
    assert_int_equal(s.flushed_lsn, 30);
    assert_int_equal(s.lsn_first, 20);
    assert_int_equal(s.lsn_last, 30);
    assert_int_equal(s.crcs, UINT32_MAX); /* of the one file that has one */
    assert_string_equal(s.uuids[0], uuid);
    bool there;
    ASSERT_OK(arka_manifest_has_file(m, ARKA_SLICE("p2"), &there, &err));
    assert_true(there);
    ASSERT_OK(arka_manifest_has_file(m, ARKA_SLICE("p3"), &there, &err));
    assert_false(there);
    arka_manifest_close(m);
}

TEST(flushes_that_are_undone_take_their_files_with_them)
{
    arka_error err = {0};
    arka_manifest *m;
    char uuid[ARKA_UUID_TEXT + 1];
    int64_t db, tables[2];
    arka_manifest_field time = {0, 1, 5, false, ARKA_SLICE("time")};
    ASSERT_OK(arka_manifest_open(path_of("undo.db"), &m, &err));
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("default"), 5, &db, &err));
    for (int t = 0; t < 2; t++) {
        const char *name = t ? "other" : "cpu";
        time.id = t + 1;
        ASSERT_OK(arka_manifest_add_table(m, db, arka_slice_of(name), 6, &time, 1, &tables[t], uuid,
                                          &err));
        for (uint64_t lsn = 30; lsn <= 90; lsn += 30) { /* from 20, 40 and 60 on */
            char path[32];
            snprintf(path, sizeof path, "%s%d", name, (int)lsn);
            arka_manifest_file file = {
                .path = arka_slice_of(path), .n_rows = (int64_t)lsn, .n_bytes = 1};
            ASSERT_OK(add_files(m, tables[t], lsn, &file, 1, &err));
        }
    }
    ASSERT_OK(arka_manifest_undo_flushes(m, tables[1], 40, &err));
    seen s = read_all(m);
    assert_int_equal(s.files, 4);
    assert_int_equal(s.rows, 30 + 60 + 90 + 30); /* the other table's are as they were */
    assert_int_equal(s.flushed_lsn, 39);
    ASSERT_OK(arka_manifest_undo_flushes(m, tables[1], 1000, &err)); /* there are none */
    s = read_all(m);
    assert_int_equal(s.files, 4);
    assert_int_equal(s.flushed_lsn, 39);
    arka_manifest_close(m);
}

TEST(a_commit_is_whole_or_not_at_all)
{
    arka_error err = {0};
    arka_manifest *m;
    char uuid[ARKA_UUID_TEXT + 1];
    int64_t db, table;
    ASSERT_OK(arka_manifest_open(path_of("b.db"), &m, &err));
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("default"), 5, &db, &err));
    ASSERT_FAILS(arka_manifest_add_database(m, ARKA_SLICE("DEFAULT"), 5, &db, &err), ARKA_EXISTS,
                 "adding a database");
    arka_manifest_field field = {1, 1, 5, false, ARKA_SLICE("time")};
    ASSERT_OK(arka_manifest_add_table(m, db, ARKA_SLICE("t"), 6, &field, 1, &table, uuid, &err));
    arka_manifest_file twice[] = {{ARKA_SLICE("same"), 1, 1, 1, 1, 1, 1, 0, 0, false, 0},
                                  {ARKA_SLICE("same"), 1, 1, 1, 1, 1, 1, 0, 0, false, 0}};
    ASSERT_FAILS(add_files(m, table, 5, twice, 2, &err), ARKA_EXISTS, "adding a file");
    bool there;
    ASSERT_OK(arka_manifest_has_file(m, ARKA_SLICE("same"), &there, &err));
    assert_false(there);
    assert_int_equal(read_all(m).flushed_lsn, 0);
    ASSERT_OK(add_files(m, table, 5, twice, 1, &err)); /* and it goes on */
    arka_manifest_close(m);
}

TEST(foreign_and_newer_files_are_refused)
{
    arka_error err = {0};
    arka_manifest *m;
    FILE *f = fopen(path_of("c.db"), "w");
    for (int i = 0; i < 4096; i++)
        fputs("not a database ", f);
    fclose(f);
    ASSERT_FAILS(arka_manifest_open(path_of("c.db"), &m, &err), ARKA_CORRUPT, "not a database");

    ASSERT_OK(arka_manifest_open(path_of("d.db"), &m, &err));
    arka_manifest_close(m);
    /* user_version: bytes 60 to 63 of the header, big-endian (SQLite file format, section 1.3) */
    f = fopen(path_of("d.db"), "r+");
    fseek(f, 60, SEEK_SET);
    fwrite("\0\0\0\x63", 1, 4, f);
    fclose(f);
    ASSERT_FAILS(arka_manifest_open(path_of("d.db"), &m, &err), ARKA_INPUT, "version 99");
    /* Tables, but no version of ours: somebody else's. */
    sqlite3 *theirs;
    assert_int_equal(sqlite3_open(path_of("f.db"), &theirs), SQLITE_OK);
    assert_int_equal(sqlite3_exec(theirs, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(theirs);
    ASSERT_FAILS(arka_manifest_open(path_of("f.db"), &m, &err), ARKA_INPUT, "another program");
    ASSERT_FAILS(arka_manifest_open(path_of("no/such/dir/e.db"), &m, &err), ARKA_IO, "opening");
}

TEST(damage_is_named_as_such)
{
    arka_error err = {0};
    arka_manifest *m;
    int64_t db;
    ASSERT_OK(arka_manifest_open(path_of("g.db"), &m, &err));
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("default"), 5, &db, &err));
    arka_manifest_close(m);
    FILE *f = fopen(path_of("g.db"), "r+");
    fseek(f, 4096, SEEK_SET); /* the second page; the first has the schema */
    for (int i = 0; i < 4096; i++)
        fputc(0xa5, f);
    fclose(f);
    ASSERT_OK(arka_manifest_open(path_of("g.db"), &m, &err));
    seen s = {0};
    arka_manifest_reader reader = {&s, on_database, on_table, on_field, on_file};
    ASSERT_FAILS(arka_manifest_read(m, &reader, &err), ARKA_CORRUPT,
                 "g.db: reading: database disk");
    arka_manifest_close(m);
}

TEST(an_owner_that_is_not_there_is_our_fault)
{
    arka_error err = {0};
    arka_manifest *m;
    char uuid[ARKA_UUID_TEXT + 1];
    int64_t table;
    ASSERT_OK(arka_manifest_open(path_of("h.db"), &m, &err));
    arka_manifest_field field = {1, 1, 5, false, ARKA_SLICE("time")};
    ASSERT_FAILS(arka_manifest_add_table(m, 77, ARKA_SLICE("t"), 6, &field, 1, &table, uuid, &err),
                 ARKA_INTERNAL, "FOREIGN KEY");
    arka_manifest_close(m);
}

/* A change under a failing disk; true when it took place. */
static bool try_change(arka_manifest *m, int64_t table, const char *path, arka_status *status)
{
    arka_error err = {0};
    arka_manifest_file files[] = {{arka_slice_of(path), 10, 100, 1, 2, 7, 1, 0, 0, false, 0}};
    *status = add_files(m, table, 1, files, 1, &err);
    assert_int_equal(*status, err.code);
    kit_vfs_fail(0, 0, false);
    bool there;
    ASSERT_OK(arka_manifest_has_file(m, files[0].path, &there, &err));
    return there;
}

TEST(a_failing_disk_changes_nothing_and_passes)
{
    arka_error err = {0};
    arka_manifest *m;
    char uuid[ARKA_UUID_TEXT + 1];
    int64_t db, table;
    kit_vfs_install();
    ASSERT_OK(arka_manifest_open(path_of("i.db"), &m, &err));
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("default"), 5, &db, &err));
    arka_manifest_field field = {1, 1, 5, false, ARKA_SLICE("time")};
    ASSERT_OK(arka_manifest_add_table(m, db, ARKA_SLICE("t"), 6, &field, 1, &table, uuid, &err));
    static const int CALLS[] = {KIT_VFS_WRITE, KIT_VFS_SYNC};
    int n_files = 0;
    for (int c = 0; c < 2; c++)
        for (int for_good = 0; for_good < 2; for_good++)
            for (long n = 1;; n++) {
                char path[64];
                snprintf(path, sizeof path, "file-%d-%d-%ld", c, for_good, n);
                arka_status status;
                kit_vfs_fail(n, CALLS[c], for_good);
                bool there = try_change(m, table, path, &status), struck = kit_vfs_failed();
                assert_int_equal(there, status == ARKA_OK);
                assert_true(there || status == ARKA_IO);
                n_files += there;
                if (!there) { /* the same again, on a good disk */
                    assert_true(try_change(m, table, path, &status));
                    n_files++;
                }
                if (!struck)
                    break;
            }
    arka_manifest_close(m);
    ASSERT_OK(arka_manifest_open(path_of("i.db"), &m, &err));
    seen s = read_all(m);
    assert_int_equal(s.files, n_files);
    arka_manifest_close(m);
}
