/**
 * Rows that tell what they must be: every cell follows from the row's id and the column's name, and
 * so does which columns a row has. What an engine holds, in memory and in files, is checked against
 * it cell by cell, and each id is counted.
 */
#ifndef TESTS_KIT_LEDGER_H
#define TESTS_KIT_LEDGER_H

#include "base/civil.h"
#include "kit/engine.h"
#include "kit/parquet_reader.h"

enum { LEDGER_ROWS = 16 /* of one batch, at most; ids of a batch begin at a multiple */ };

static const int64_t LEDGER_T0 = INT64_C(1767607200000000); /* 2026-01-05T10:00:00Z */

/* What the batch with that first id looks like. */
static inline uint32_t ledger_flavour(int64_t id)
{
    uint64_t x = (uint64_t)(id / LEDGER_ROWS + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(x >> 40);
}

/* Over six hours, in no order. */
static inline int64_t ledger_time(int64_t id)
{
    return LEDGER_T0 + id * INT64_C(7919000000) % (6 * ARKA_US_PER_HOUR);
}

/* Does a row have the column, whose name is a letter and a number? */
static inline bool ledger_has(int64_t id, const char *name)
{
    uint32_t flavour = ledger_flavour(id);
    unsigned k = (unsigned)atoi(name + 1);
    switch (name[0]) {
    case 'i': /* id */
    case 'w':
        return true;
    case 't': /* t0 to t5, two of them in a row */
        return flavour % 6 == k || (flavour >> 3) % 6 == k;
    case 'd':
        return (flavour >> 6) % 4 == k;
    case 'b':
        return (flavour >> 8) % 3 == k;
    default:
        return false;
    }
}

static inline void ledger_put(arka_rows *rows, const char *name, int64_t id, bool wide)
{
    arka_error err = {0};
    int c = arka_rows_column(rows, arka_slice_of(name), false, ARKA_TYPE_NONE, -1, &err);
    char text[40];
    arka_put put = ARKA_PUT_OK;
    if (name[0] == 'i')
        put = arka_rows_put_i64(rows, c, id);
    else if (name[0] == 'w')
        put =
            wide ? arka_rows_put_f64(rows, c, (double)id * 2) : arka_rows_put_i64(rows, c, id * 2);
    else if (name[0] == 't')
        put = arka_rows_put_text(rows, c,
                                 (arka_slice){text, (size_t)snprintf(text, sizeof text, "%s:%lld",
                                                                     name, (long long)id)});
    else if (name[0] == 'd')
        put = arka_rows_put_f64(rows, c, (double)id + 0.125 * atoi(name + 1));
    else
        put = arka_rows_put_bool(rows, c, (id >> atoi(name + 1)) & 1);
    assert_int_equal(put, ARKA_PUT_OK);
}

/** Rows first_id to first_id + n, n <= LEDGER_ROWS; first_id is a multiple of it. */
static inline arka_batch *ledger_batch(int64_t first_id, int64_t n)
{
    static const char *const NAMES[] = {"id", "w",  "t0", "t1", "t2", "t3", "t4", "t5",
                                        "d0", "d1", "d2", "d3", "b0", "b1", "b2"};
    enum { N_NAMES = sizeof NAMES / sizeof *NAMES };
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *batch;
    uint32_t flavour = ledger_flavour(first_id);
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    for (int64_t id = first_id; id < first_id + n; id++) {
        for (unsigned i = 0; i < N_NAMES; i++) {
            const char *name = NAMES[(i + flavour) % N_NAMES]; /* columns come in any order */
            if (ledger_has(id, name))
                ledger_put(rows, name, id, (flavour >> 12) % 3 == 0);
        }
        assert_true(arka_rows_end(rows, ledger_time(id)));
    }
    ASSERT_OK(arka_rows_seal(rows, &batch, &err));
    return batch;
}

/** Which ids there are, and how often. */
typedef struct ledger {
    uint8_t *seen;
    int64_t cap, n_rows;
} ledger;

static inline void ledger_begin(ledger *l, int64_t cap)
{
    *l = (ledger){calloc((size_t)cap, 1), cap, 0};
}

static inline void ledger_end(ledger *l)
{
    free(l->seen);
}

static inline void ledger_count(ledger *l, int64_t id, int64_t time)
{
    assert_in_range(id, 0, l->cap - 1);
    assert_int_equal(time, ledger_time(id));
    l->seen[id]++;
    l->n_rows++;
}

static inline void ledger_check_number(const char *name, int64_t id, double v)
{
    double want = name[0] == 'w' ? (double)id * 2 : (double)id + 0.125 * atoi(name + 1);
    if (v != want)
        fail_msg("row %lld: column %s has %g, not %g", (long long)id, name, v, want);
}

static inline void ledger_check_text(const char *name, int64_t id, arka_slice v)
{
    char want[96];
    snprintf(want, sizeof want, "%s:%lld", name, (long long)id);
    if (!arka_slice_eq(v, arka_slice_of(want)))
        fail_msg("row %lld: column %s has '%.*s', not '%s'", (long long)id, name, ARKA_FMT(v),
                 want);
}

static inline void ledger_check_presence(const char *name, int64_t id, bool present)
{
    if (present != ledger_has(id, name))
        fail_msg("row %lld: column %s is %s", (long long)id, name, present ? "there" : "null");
}

static inline void ledger_check_cell(const char *name, int64_t id, const arka_column *c,
                                     int64_t row)
{
    bool present = c != NULL && !arka_column_is_null(c, row);
    ledger_check_presence(name, id, present);
    if (!present)
        return;
    if (c->type == ARKA_VARCHAR)
        ledger_check_text(name, id, arka_column_text(c, row));
    else if (c->type == ARKA_BOOLEAN)
        assert_int_equal(arka_bit(c->values, row), (id >> atoi(name + 1)) & 1);
    else if (c->type == ARKA_DOUBLE)
        ledger_check_number(name, id, arka_column_f64(c)[row]);
    else if (name[0] == 'w')
        assert_int_equal(arka_column_i64(c)[row], id * 2);
}

static inline void ledger_check_hot(ledger *l, const arka_schema *schema, const arka_hot_batch *hot)
{
    const arka_batch *b = hot->batch;
    int id_field = arka_schema_find(schema, ARKA_SLICE("id"));
    const int64_t *ids = arka_column_i64(&b->columns[hot->column_of_field[id_field]]);
    for (int64_t row = 0; row < b->n_rows; row++) {
        ledger_count(l, ids[row], arka_column_i64(&b->columns[b->time])[row]);
        for (int f = 1; f < schema->n_fields; f++) {
            int c = f < hot->n_fields ? hot->column_of_field[f] : -1;
            const arka_column *column = c >= 0 ? &b->columns[c] : NULL;
            ledger_check_cell(schema->fields[f].name.data, ids[row], column, row);
        }
    }
}

static inline void ledger_check_file(ledger *l, const arka_data_file *file)
{
    arka_error err = {0};
    char *bytes;
    size_t n;
    ASSERT_OK(arka_file_read(file->path, 1 << 30, &bytes, &n, &err));
    assert_int_equal(n, file->n_bytes);
    pqr_file *f = pqr_open(bytes, n);
    pqr_column time = pqr_read(f, "time"), id = pqr_read(f, "id");
    assert_int_equal(time.n_rows, file->n_rows);
    for (int64_t row = 0; row < id.n_rows; row++) {
        int64_t t = (int64_t)time.words[row];
        assert_true(t >= file->time_min && t <= file->time_max);
        ledger_count(l, (int64_t)id.words[row], t);
    }
    int64_t n_columns = pqr_get(f->footer, 2)->n - 1;
    for (int64_t i = 0; i < n_columns; i++) {
        pqr_node *field = pqr_field(f, (int)i);
        char name[64];
        arka_slice found = pqr_get(field, 4)->bytes;
        snprintf(name, sizeof name, "%.*s", ARKA_FMT(found));
        if (strcmp(name, "time") == 0 || strcmp(name, "id") == 0)
            continue;
        int64_t type = pqr_get(field, 1)->i;
        pqr_column c = pqr_read(f, name);
        for (int64_t row = 0; row < c.n_rows; row++) {
            int64_t row_id = (int64_t)id.words[row];
            ledger_check_presence(name, row_id, c.present[row]);
            double number;
            memcpy(&number, &c.words[row], 8);
            if (!c.present[row])
                continue;
            if (type == 6) /* BYTE_ARRAY */
                ledger_check_text(name, row_id, c.texts[row]);
            else if (type == 5) /* DOUBLE */
                ledger_check_number(name, row_id, number);
            else if (type == 0) /* BOOLEAN */
                assert_int_equal(c.words[row], (row_id >> atoi(name + 1)) & 1);
            else
                assert_int_equal(c.words[row], row_id * 2);
        }
    }
    pqr_close(f);
    arka_free(bytes);
}

/** All that the table of database "default" holds; false when there is no such table. */
static inline bool ledger_read(ledger *l, arka_engine *engine, const char *table)
{
    arka_error err = {0};
    arka_snapshot *s;
    arka_status status =
        arka_engine_snapshot(engine, ARKA_SLICE("default"), arka_slice_of(table), &s, &err);
    if (status == ARKA_NOTFOUND)
        return false;
    assert_int_equal(status, ARKA_OK);
    for (int64_t i = 0; i < s->n_hot_batches; i++)
        ledger_check_hot(l, s->schema, &s->hot[i]);
    for (int64_t i = 0; i < s->n_files; i++)
        ledger_check_file(l, s->files[i]);
    arka_snapshot_unref(s);
    return true;
}

#endif
