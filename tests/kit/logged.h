/** An engine with a log, crashes of it (a copy of its directory), and a look into the log itself.
 */
#ifndef TESTS_KIT_LOGGED_H
#define TESTS_KIT_LOGGED_H

#include "kit/copy_tree.h"
#include "kit/engine.h"
#include "wal/wal.h"

/** Options for {tmp}/{name} with the log in {tmp}/{name}/wal; strings live for ever. */
static inline arka_engine_options logged_options(const char *name)
{
    static char dirs[16][256];
    static int next;
    int i = next++ % 16;
    arka_engine_options o = kit_engine_options(name);
    snprintf(dirs[i], sizeof dirs[i], "%s/%s/wal", kit_tmpdir(), name);
    o.wal_dir = dirs[i];
    return o;
}

/** What {tmp}/{from} is now, as {tmp}/{to}, with options to open it. */
static inline arka_engine_options logged_crash(const char *from, const char *to)
{
    char old[256], new[256];
    snprintf(old, sizeof old, "%s/%s", kit_tmpdir(), from);
    snprintf(new, sizeof new, "%s/%s", kit_tmpdir(), to);
    kit_copy_tree(old, new);
    return logged_options(to);
}

/** What a log holds, as its own reader tells it. */
typedef struct logged_sum {
    uint64_t first, last;
    int64_t rows, records, controls, gaps;
    char tables[2048]; /* "db.table db.table …" by record */
} logged_sum;

static inline arka_status logged_add(void *context, const arka_wal_record *r, arka_error *err)
{
    logged_sum *s = context;
    (void)err;
    if (s->first == 0)
        s->first = r->lsn_first;
    else if (r->lsn_first != s->last + 1)
        s->gaps++;
    assert_int_equal(r->lsn_last - r->lsn_first + 1, r->n_rows);
    s->last = r->lsn_last;
    s->records++;
    s->controls += r->kind == ARKA_WAL_CONTROL;
    s->rows += r->kind == ARKA_WAL_ROWS ? r->n_rows : 0;
    size_t len = strlen(s->tables);
    if (r->kind == ARKA_WAL_ROWS && len + 300 < sizeof s->tables)
        snprintf(s->tables + len, sizeof s->tables - len, "%.*s.%.*s ", ARKA_FMT(r->database),
                 ARKA_FMT(r->table));
    return ARKA_OK;
}

/** Of a log that nobody has open. */
static inline logged_sum logged_read(const char *dir)
{
    arka_error err = {0};
    logged_sum sum = {0};
    arka_wal_options o;
    arka_wal *wal;
    arka_wal_recovered found;
    arka_wal_reader reader = {&sum, logged_add, NULL};
    arka_wal_options_default(&o);
    o.dir = dir;
    ASSERT_OK(arka_wal_open(&o, &wal, &err));
    ASSERT_OK(arka_wal_recover(wal, &reader, &found, &err));
    ASSERT_OK(arka_wal_close(wal, &err));
    return sum;
}

/** Rows of database "default", table `table`; 0 when there is none. */
static inline int64_t logged_rows(arka_engine *engine, const char *table)
{
    arka_error err = {0};
    arka_snapshot *s;
    if (arka_engine_snapshot(engine, ARKA_SLICE("default"), arka_slice_of(table), &s, &err) !=
        ARKA_OK)
        return 0;
    int64_t n = kit_snapshot_rows(s);
    arka_snapshot_unref(s);
    return n;
}

#endif
