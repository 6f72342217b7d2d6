#include "meta/manifest.h"

#include <unistd.h>

#include "kit/kit.h"

typedef struct seen {
    int databases, tables, fields, files;
    int32_t last_version;
    int last_type;
    int64_t rows;
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

static arka_status on_table(void *context, int64_t id, int64_t database_id, arka_slice name,
                            arka_error *err)
{
    ((seen *)context)->tables++;
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
    return ARKA_OK;
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    return path;
}

TEST(what_was_committed_is_read_after_reopening)
{
    arka_error err = {0};
    arka_manifest *m;
    int64_t db, table;
    ASSERT_OK(arka_manifest_open(path_of("a.db"), &m, &err));
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("default"), 5, &db, &err));
    arka_manifest_field fields[] = {{1, 1, 5, false, ARKA_SLICE("time")},
                                    {2, 1, 2, false, ARKA_SLICE("v")}};
    ASSERT_OK(arka_manifest_add_table(m, db, ARKA_SLICE("cpu"), 6, fields, 2, &table, &err));
    arka_manifest_field changed = {2, 2, 3, false, ARKA_SLICE("v")};
    ASSERT_OK(arka_manifest_add_fields(m, table, &changed, 1, &err));
    arka_manifest_file files[] = {{ARKA_SLICE("p1"), 10, 100, 1, 2, 7, 1},
                                  {ARKA_SLICE("p2"), 20, 200, 3, 4, 7, 2}};
    ASSERT_OK(arka_manifest_add_files(m, table, files, 2, &err));
    arka_manifest_close(m);

    ASSERT_OK(arka_manifest_open(path_of("a.db"), &m, &err));
    seen s = {0};
    arka_manifest_reader reader = {&s, on_database, on_table, on_field, on_file};
    ASSERT_OK(arka_manifest_read(m, &reader, &err));
    assert_int_equal(s.databases, 1);
    assert_int_equal(s.tables, 1);
    assert_int_equal(s.fields, 2); /* the newest form of each */
    assert_int_equal(s.last_version, 2);
    assert_int_equal(s.last_type, 3);
    assert_int_equal(s.files, 2);
    assert_int_equal(s.rows, 30);
    bool there;
    ASSERT_OK(arka_manifest_has_file(m, ARKA_SLICE("p2"), &there, &err));
    assert_true(there);
    ASSERT_OK(arka_manifest_has_file(m, ARKA_SLICE("p3"), &there, &err));
    assert_false(there);
    arka_manifest_close(m);
}

TEST(a_commit_is_whole_or_not_at_all)
{
    arka_error err = {0};
    arka_manifest *m;
    int64_t db, table;
    ASSERT_OK(arka_manifest_open(path_of("b.db"), &m, &err));
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("default"), 5, &db, &err));
    ASSERT_FAILS(arka_manifest_add_database(m, ARKA_SLICE("DEFAULT"), 5, &db, &err), ARKA_EXISTS,
                 "adding a database");
    arka_manifest_field field = {1, 1, 5, false, ARKA_SLICE("time")};
    ASSERT_OK(arka_manifest_add_table(m, db, ARKA_SLICE("t"), 6, &field, 1, &table, &err));
    arka_manifest_file twice[] = {{ARKA_SLICE("same"), 1, 1, 1, 1, 1, 1},
                                  {ARKA_SLICE("same"), 1, 1, 1, 1, 1, 1}};
    ASSERT_FAILS(arka_manifest_add_files(m, table, twice, 2, &err), ARKA_EXISTS, "adding a file");
    bool there;
    ASSERT_OK(arka_manifest_has_file(m, ARKA_SLICE("same"), &there, &err));
    assert_false(there);
    ASSERT_OK(arka_manifest_add_files(m, table, twice, 1, &err)); /* and it goes on */
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
    ASSERT_FAILS(arka_manifest_open(path_of("no/such/dir/e.db"), &m, &err), ARKA_IO, "opening");
}
