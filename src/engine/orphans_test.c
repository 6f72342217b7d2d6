#include <sys/stat.h>
#include <unistd.h>

#include "kit/ledger.h"
#include "kit/faulty_vfs.h"

#define T0 LEDGER_T0

typedef struct told {
    int orphans, missing, damaged;
    char last[1024];
} told;

static void on_event(void *context, const arka_event *event)
{
    told *t = context;
    t->orphans += strcmp(event->name, "orphan") == 0;
    t->missing += strcmp(event->name, "missing_file") == 0;
    t->damaged += strcmp(event->name, "damaged_file") == 0;
    if (event->level >= ARKA_EVENT_WARN)
        snprintf(t->last, sizeof t->last, "%s", event->text);
}

static bool exists(const char *base, const char *relative)
{
    struct stat st;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", base, relative);
    return stat(path, &st) == 0;
}

static void put_file(const char *base, const char *relative)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", base, relative);
    arka_error err = {0};
    char *slash = strrchr(path, '/');
    *slash = 0;
    ASSERT_OK(arka_dir_make(&arka_os_real, path, &err));
    *slash = '/';
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("PAR1", f);
    fclose(f);
}

/* An engine with rows in table m of five hours round T0, closed again. */
static arka_engine_options with_files(const char *name, told *t)
{
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = kit_engine_options(name);
    *t = (told){0};
    o.on_event = on_event;
    o.context = t;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(kit_write(e, "default", "m", kit_rows(T0, ARKA_US_PER_HOUR, 5), &err));
    ASSERT_OK(arka_engine_close(e, &err));
    *t = (told){0};
    return o;
}

TEST(only_files_of_our_shape_in_our_tables_are_set_aside)
{
    static const char *const OURS[] = {
        "default/m/2026/01/05/10/x.parquet",
        "default/m/2026/01/05/10/x.parquet.tmp",
        "default/m/-292277/12/31/00/x.parquet",
        "default/m/294247/01/10/04/x.parquet",
    };
    static const char *const THEIRS[] = {
        "x.parquet",
        "mine/x.parquet",
        "default/x.parquet",
        "default/n/2026/01/05/10/x.parquet", /* no table of ours */
        "default/m/x.parquet",
        "default/m/2026/01/05/10/x.csv",
        "default/m/2026/01/05/x.parquet",
        "default/m/2026/01/05/10/deeper/x.parquet",
        "default/m/year=2026/01/05/10/x.parquet",
        "other/m/2026/01/05/10/x.parquet",
    };
    told t;
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = with_files("shape", &t);
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS; i++)
        put_file(o.base_path, OURS[i]);
    for (size_t i = 0; i < sizeof THEIRS / sizeof *THEIRS; i++)
        put_file(o.base_path, THEIRS[i]);
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS; i++) {
        char moved[200];
        snprintf(moved, sizeof moved, ".orphans/%s", OURS[i]);
        assert_false(exists(o.base_path, OURS[i]));
        assert_true(exists(o.base_path, moved));
    }
    for (size_t i = 0; i < sizeof THEIRS / sizeof *THEIRS; i++)
        assert_true(exists(o.base_path, THEIRS[i]));
    assert_int_equal(t.orphans, sizeof OURS / sizeof *OURS);
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    assert_int_equal(stats.orphans, sizeof OURS / sizeof *OURS);
    assert_int_equal(stats.files, 5);
    assert_int_equal(t.missing + t.damaged, 0);
    ASSERT_OK(arka_engine_close(e, &err));
}

TEST(a_directory_that_we_may_not_read_and_is_not_ours_keeps_nobody_from_starting)
{
    told t;
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = with_files("lost", &t);
    char path[600];
    snprintf(path, sizeof path, "%s/lost+found", o.base_path);
    assert_int_equal(mkdir(path, 0), 0);
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    ASSERT_OK(arka_engine_close(e, &err));
    assert_int_equal(chmod(path, 0700), 0);
}

TEST(files_that_are_missing_or_of_another_size_are_told_and_stay)
{
    told t;
    arka_error err = {0};
    arka_engine *e;
    arka_engine_options o = with_files("missing", &t);
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(unlink(s->files[1]->path), 0);
    assert_int_equal(unlink(s->files[3]->path), 0);
    assert_int_equal(truncate(s->files[2]->path, s->files[2]->n_bytes - 1), 0);
    char damaged[600];
    snprintf(damaged, sizeof damaged, "%s", s->files[2]->path);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
    t = (told){0};
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_int_equal(t.damaged, 1);
    assert_int_equal(t.missing, 1);
    assert_non_null(strstr(t.last, "2 files that the manifest has are not there"));
    assert_int_equal(t.orphans, 0);
    s = kit_snapshot(e, "default", "m"); /* a query must see that rows are missing, and fail */
    assert_int_equal(s->n_files, 5);
    assert_string_equal(s->files[2]->path, damaged);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- the manifest says what cannot be ---- */

static void run_sql(const char *manifest, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(manifest, &db), SQLITE_OK);
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

TEST(a_manifest_that_contradicts_itself_is_refused_with_its_name)
{
    static const struct {
        const char *sql, *says;
    } CASES[] = {
        {"UPDATE fields SET type = 9 WHERE field_id = 2", "has type 9"},
        {"UPDATE fields SET type = 2 WHERE field_id = 1", "no column 'time' in front"},
        {"UPDATE fields SET name = 'when' WHERE field_id = 1", "no column 'time' in front"},
        {"UPDATE fields SET name = '' WHERE field_id = 2", "or no name"},
        {"DELETE FROM fields WHERE field_id = 2", "out of order"},
        {"DELETE FROM fields", "no column 'time' in front"},
        {"DELETE FROM databases", "has no database"},
        {"UPDATE files SET table_id = 77 WHERE id = 2", "belongs to no table"},
        {"UPDATE files SET n_rows = 0 WHERE id = 2", "has 0 rows"},
        {"UPDATE files SET n_bytes = -1 WHERE id = 2", "-1 bytes"},
        {"UPDATE files SET time_min = time_max + 1 WHERE id = 2", "times"},
        {"UPDATE files SET schema_version = 0 WHERE id = 2", "schema version 0"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        told t;
        arka_error err = {0};
        arka_engine *e = NULL;
        char name[32];
        snprintf(name, sizeof name, "contradiction%zu", i);
        arka_engine_options o = with_files(name, &t);
        run_sql(o.manifest_path, CASES[i].sql);
        ASSERT_FAILS(arka_engine_open(&o, &e, &err), ARKA_CORRUPT, CASES[i].says);
        assert_int_equal(arka_engine_open(&o, &e, &err),
                         ARKA_CORRUPT); /* and lets go of the lock */
        assert_non_null(strstr(err.msg, o.manifest_path));
    }
}
