/* Flushes of one table and of many: how large files are, what goes together, what fails alone. */
#include <unistd.h>

#include "engine/due.h"
#include "engine/engine_priv.h"
#include "kit/copy_tree.h"
#include "kit/faulty_os.h"
#include "kit/faulty_vfs.h"
#include "kit/ledger.h"

#define T0 LEDGER_T0
#ifdef ARKA_SANITIZED
enum { HOURS = 2000, SEEDS = 150 };
#else
enum { HOURS = 10000, SEEDS = 1000 };
#endif

static void flush_all(arka_engine *e)
{
    arka_error err = {0};
    int64_t n;
    ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
}

static arka_engine_stats stats_of(arka_engine *e)
{
    arka_engine_stats stats;
    arka_engine_get_stats(e, &stats);
    return stats;
}

/* ---- many tables ---- */

static atomic_int n_fs_syncs, n_syncs;

static int counted_syncfs(int fd)
{
    (void)fd;
    atomic_fetch_add(&n_fs_syncs, 1);
    return 0;
}

static int counted_sync(int fd)
{
    (void)fd;
    atomic_fetch_add(&n_syncs, 1);
    return 0;
}

TEST(a_thousand_small_tables_are_flushed_with_few_syncs_and_commits)
{
    enum { TABLES = 1000 };
    arka_error err = {0};
    arka_os os = arka_os_real;
    os.syncfs = counted_syncfs;
    os.fsync = os.fdatasync = counted_sync;
    arka_engine_options o = kit_engine_options("thousand");
    o.os = &os;
    arka_engine *e;
    char name[16];
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (int t = 0; t < TABLES; t++) {
        snprintf(name, sizeof name, "t%d", t);
        ASSERT_OK(kit_write(e, "default", name, kit_rows(T0, 1, 1 + t % 3), &err));
    }
    atomic_store(&n_fs_syncs, 0);
    atomic_store(&n_syncs, 0);
    flush_all(e);
    arka_engine_stats s = stats_of(e);
    assert_int_equal(s.flushes, TABLES);
    assert_int_equal(s.files, TABLES);
    assert_int_equal(s.flush_small_files, TABLES);
    assert_in_range(s.flush_groups, 1, 8);
    assert_int_equal(atomic_load(&n_fs_syncs), 2 * s.flush_groups);
    assert_in_range(atomic_load(&n_syncs), 0, 8); /* of the database's directory */
    assert_int_equal(s.hot_rows, 0);
    assert_int_equal(s.hot_bytes, 0);
    for (int t = 0; t < TABLES; t++) {
        snprintf(name, sizeof name, "t%d", t);
        arka_snapshot *snapshot = kit_snapshot(e, "default", name);
        assert_int_equal(kit_snapshot_rows(snapshot), 1 + t % 3);
        arka_snapshot_unref(snapshot);
    }
    ASSERT_OK(arka_engine_close(e, &err));
}

static int rename_outside_of_seven(const char *from, const char *to)
{
    return strstr(to, "/default/t7/") != NULL ? (errno = EIO, -1) : rename(from, to);
}

static int n_told;
static char told_text[1024];

static void count_failures(void *context, const arka_event *event)
{
    (void)context;
    if (strcmp(event->name, "flush_failed") != 0)
        return;
    n_told++;
    snprintf(told_text, sizeof told_text, "%s", event->text);
}

TEST(one_of_many_tables_that_fails_fails_alone_and_all_that_fail_are_told_once)
{
    enum { TABLES = 20 };
    arka_error err = {0};
    arka_os os = kit_os;
    arka_engine_options o = kit_engine_options("alone");
    o.os = &os;
    o.on_event = count_failures;
    arka_engine *e;
    int64_t n;
    char name[16];
    os.rename = rename_outside_of_seven;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (int t = 0; t < TABLES; t++) {
        snprintf(name, sizeof name, "t%d", t);
        ASSERT_OK(kit_write(e, "default", name, kit_rows(T0, 1, 2), &err));
    }
    ASSERT_FAILS(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err), ARKA_IO,
                 "renaming to");
    assert_int_equal(stats_of(e).flushes, TABLES - 1);
    assert_int_equal(stats_of(e).hot_rows, 2);
    assert_int_equal(n_told, 1);
    assert_non_null(strstr(told_text, "default.t7: 2 rows stay in memory"));
    os.rename = kit_os.rename;
    for (int t = 0; t < TABLES; t++) {
        snprintf(name, sizeof name, "t%d", t);
        ASSERT_OK(kit_write(e, "default", name, kit_rows(T0, 1, 2), &err));
    }
    kit_os_fail((kit_os_fault){.n = 2, .calls = KIT_SYNCFS, .error = EIO});
    ASSERT_FAILS(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err), ARKA_IO,
                 "syncing");
    kit_os_fail((kit_os_fault){0});
    assert_int_equal(n_told, 2);
    assert_non_null(strstr(told_text, "and 19 more tables: 42 rows stay"));
    flush_all(e);
    assert_int_equal(stats_of(e).hot_rows, 0);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- how large files are: DSK-1 ---- */

enum { TARGET = 1 << 20 };

/* As a collector sends them: 1,000 rows, a tag, three measured values. */
static arka_batch *measured(int64_t first)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *batch;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int host = arka_rows_column(rows, ARKA_SLICE("host"), true, ARKA_TYPE_NONE, -1, &err);
    int a = arka_rows_column(rows, ARKA_SLICE("a"), false, ARKA_TYPE_NONE, -1, &err);
    int b = arka_rows_column(rows, ARKA_SLICE("b"), false, ARKA_TYPE_NONE, -1, &err);
    int c = arka_rows_column(rows, ARKA_SLICE("c"), false, ARKA_TYPE_NONE, -1, &err);
    for (int64_t i = first; i < first + 1000; i++) {
        char name[16];
        arka_slice text = {name, (size_t)snprintf(name, sizeof name, "host-%03d", (int)(i % 100))};
        assert_int_equal(arka_rows_put_text(rows, host, text), ARKA_PUT_OK);
        assert_int_equal(arka_rows_put_f64(rows, a, (double)kit_random() / 1e3), ARKA_PUT_OK);
        assert_int_equal(arka_rows_put_i64(rows, b, i), ARKA_PUT_OK);
        assert_int_equal(arka_rows_put_i64(rows, c, 5), ARKA_PUT_OK);
        assert_true(arka_rows_end(rows, T0 + i));
    }
    ASSERT_OK(arka_rows_seal(rows, &batch, &err));
    return batch;
}

TEST(under_steady_load_files_are_as_large_as_they_should_be)
{
    arka_error err = {0};
    arka_engine_options o = kit_engine_options("steady");
    o.flush_bytes = TARGET;
    o.codec = ARKA_CODEC_ZSTD; /* far from the first guess */
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    arka_database *db = arka_registry_database(e->registry, ARKA_SLICE("default"));
    arka_engine__stop_flusher(e); /* what follows does as it does */
    int n_flushes = 0;
    for (int64_t i = 0; n_flushes < 60; i++) {
        arka_table_gauges g;
        ASSERT_OK(kit_write(e, "default", "m", measured(i * 1000), &err));
        arka_table *table = arka_registry_table(e->registry, db, ARKA_SLICE("m"));
        arka_table_get_gauges(table, &g);
        if (arka_due_file_bytes(&g, g.hot_bytes) < TARGET)
            continue;
        arka_flush_item item = {.table = table};
        ASSERT_OK(arka_engine__flush_tables(e, &item, 1, &err));
        assert_true(item.n_rows > 0);
        n_flushes++;
    }
    arka_snapshot *s = kit_snapshot(e, "default", "m");
    assert_int_equal(s->n_files, n_flushes);
    for (int64_t i = n_flushes / 2; i < s->n_files; i++) /* it has learned how they come out */
        assert_in_range(s->files[i]->n_bytes, TARGET * 8 / 10, TARGET * 12 / 10);
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- late data: HOT-5, F11 ---- */

static int64_t hour_of(int i)
{
    static const int64_t EDGES[] = {
        -INT64_C(31536000000000),      /* 1969-01-01 */
        -1,                            /* the last microsecond of 1969 */
        0,                             /* the first of 1970 */
        INT64_C(1709164799999999),     /* 2024-02-28T23:59:59.999999 */
        INT64_C(1709164800000000),     /* the leap day */
        INT64_C(1709251199999999),     /* its end */
        INT64_C(1709251200000000),     /* 2024-03-01 */
        INT64_C(1767607200000000) - 1, /* the edge of an hour */
    };
    enum { N = sizeof EDGES / sizeof *EDGES };
    return i < N ? EDGES[i] : T0 + (int64_t)i * ARKA_US_PER_HOUR + i;
}

TEST(one_row_to_each_of_ten_thousand_hours_is_flushed_within_memory_and_found_in_its_hour)
{
    arka_error err = {0};
    arka_engine_options o = kit_engine_options("hours");
    o.hot_limit_bytes = 16 << 20;
    arka_engine *e;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    for (int i = 0; i < HOURS; i++)
        ASSERT_OK(kit_write(e, "default", "late", kit_rows(hour_of(i), 1, 1), &err));
    flush_all(e);
    arka_engine_stats stats = stats_of(e);
    assert_int_equal(stats.hot_bytes, 0);
    assert_int_equal(stats.flush_small_files, HOURS);
    arka_snapshot *s = kit_snapshot(e, "default", "late");
    assert_int_equal(s->n_files, HOURS);
    assert_int_equal(kit_snapshot_rows(s), HOURS);
    for (int64_t i = 0; i < s->n_files; i++) {
        char dir[64];
        arka_civil c = arka_civil_from_us(s->files[i]->time_min);
        snprintf(dir, sizeof dir, "/late/%04lld/%02d/%02d/%02d/", (long long)c.year, c.month, c.day,
                 c.hour);
        assert_non_null(strstr(s->files[i]->path, dir));
        assert_int_equal(s->files[i]->time_min, s->files[i]->time_max);
    }
    arka_snapshot_unref(s);
    ASSERT_OK(arka_engine_close(e, &err));
}

/* ---- any order, any failure: DSK-3, F22, I3 ---- */

enum { EIGHT = 8 };

typedef struct eight {
    const char *name;
    char wal[300];
    arka_engine_options options;
    arka_engine *engine;
    int64_t n_batches; /* batch k is of table k % EIGHT */
} eight;

static const char *name_of(int64_t table)
{
    static const char *const NAMES[EIGHT] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    return NAMES[table % EIGHT];
}

static void begin_eight(eight *x, const char *name)
{
    arka_error err = {0};
    *x = (eight){.name = name, .options = kit_engine_options(name)};
    snprintf(x->wal, sizeof x->wal, "%s/%s/wal", kit_tmpdir(), name);
    x->options.os = &kit_os;
    x->options.wal_dir = x->wal;
    x->options.wal_segment_bytes = 8192;
    kit_vfs_install();
    ASSERT_OK(arka_engine_open(&x->options, &x->engine, &err));
}

/* Each row that was acknowledged is there once. */
static void check_eight(const eight *x, arka_engine *e)
{
    ledger l;
    ledger_begin(&l, (x->n_batches + 1) * LEDGER_ROWS);
    for (int t = 0; t < EIGHT; t++)
        ledger_read(&l, e, name_of(t));
    for (int64_t id = 0; id < x->n_batches * LEDGER_ROWS; id++)
        if (l.seen[id] != (id % LEDGER_ROWS < 3))
            fail_msg("row %lld is there %d times", (long long)id, l.seen[id]);
    ledger_end(&l);
}

/* Of no table's rows that are not in files the log may forget one. */
static void check_pin(arka_engine *e)
{
    uint64_t pin = arka_engine__pinned_lsn(e);
    arka_database *db = arka_registry_database(e->registry, ARKA_SLICE("default"));
    assert_true(pin <= arka_engine_visible_lsn(e) + 1);
    for (int t = 0; t < EIGHT; t++) {
        arka_table_gauges g;
        arka_table *table = arka_registry_table(e->registry, db, arka_slice_of(name_of(t)));
        if (table == NULL)
            continue;
        arka_table_get_gauges(table, &g);
        assert_true(g.hot_rows == 0 || (g.flushed_lsn < g.hot_lsn && pin <= g.hot_lsn));
    }
}

static void check_crash(const eight *x)
{
    arka_error err = {0};
    char root[300], image[300], base[320], manifest[320], wal[320];
    arka_engine *e;
    snprintf(root, sizeof root, "%s/%s", kit_tmpdir(), x->name);
    snprintf(image, sizeof image, "%s/%s-image", kit_tmpdir(), x->name);
    kit_copy_tree(root, image);
    snprintf(base, sizeof base, "%s/data", image);
    snprintf(manifest, sizeof manifest, "%s/arc.db", image);
    snprintf(wal, sizeof wal, "%s/wal", image);
    arka_engine_options o = x->options;
    o.base_path = base;
    o.manifest_path = manifest;
    o.wal_dir = wal;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_in_range(stats_of(e).hot_bytes, 0, o.hot_limit_bytes);
    check_eight(x, e);
    ASSERT_OK(arka_engine_close(e, &err));
}

static void write_some(eight *x)
{
    arka_error err = {0};
    for (uint64_t n = kit_random() % 4; n > 0; n--) {
        int64_t k = x->n_batches++;
        ASSERT_OK(
            kit_write(x->engine, "default", name_of(k), ledger_batch(k * LEDGER_ROWS, 3), &err));
    }
}

/* One table, some, or all; often something goes wrong on the way. */
static void flush_some(eight *x)
{
    int64_t n;
    arka_error err = {0};
    if (kit_random() % 3 == 0)
        kit_os_fail((kit_os_fault){.n = 1 + (long)(kit_random() % 30),
                                   .error = EIO,
                                   .for_good = kit_random() % 2,
                                   .calls = KIT_MKDIR | KIT_RENAME | KIT_SYNCFS | KIT_FSYNC});
    else if (kit_random() % 3 == 0)
        kit_vfs_fail(1 + (long)(kit_random() % 6), KIT_VFS_WRITE | KIT_VFS_SYNC, kit_random() % 2);
    arka_slice table = kit_random() % 3 ? arka_slice_of(name_of((int64_t)(kit_random() % EIGHT)))
                                        : (arka_slice){0};
    arka_status status = arka_engine_flush(x->engine, ARKA_SLICE("default"), table, &n, &err);
    assert_true(status == ARKA_OK || status == ARKA_IO || status == ARKA_NOTFOUND);
    kit_os_fail((kit_os_fault){0});
    kit_vfs_fail(0, 0, false);
}

TEST(flushes_of_eight_tables_in_any_order_with_failures_lose_and_double_nothing)
{
    eight x;
    arka_error err = {0};
    begin_eight(&x, "eight");
    for (int seed = 0; seed < SEEDS; seed++) {
        int64_t removed;
        write_some(&x);
        flush_some(&x);
        check_pin(x.engine);
        if (kit_random() % 4 == 0)
            ASSERT_OK(arka_engine_trim(x.engine, &removed, &err));
        if (seed % 10 == 0)
            check_crash(&x);
    }
    check_eight(&x, x.engine);
    flush_all(x.engine);
    assert_int_equal(stats_of(x.engine).hot_bytes, 0);
    assert_int_equal(arka_engine__pinned_lsn(x.engine), arka_engine_visible_lsn(x.engine) + 1);
    ASSERT_OK(arka_engine_close(x.engine, &err));
    check_crash(&x);
}

/* REC-7: the flusher makes room while the log is replayed. */
TEST(a_log_larger_than_memory_is_replayed_within_it)
{
    eight x;
    arka_error err = {0};
    begin_eight(&x, "larger");
    while (stats_of(x.engine).hot_bytes < 3000000) {
        int64_t k = x.n_batches++;
        ASSERT_OK(
            kit_write(x.engine, "default", name_of(k), ledger_batch(k * LEDGER_ROWS, 3), &err));
    }
    x.options.hot_limit_bytes = 500000;
    check_crash(&x);
    ASSERT_OK(arka_engine_close(x.engine, &err));
}
