#include "table/schema.h"

#include "columnar/rows.h"
#include "kit/kit.h"
#include "os/clock.h"

typedef enum kind { INT, FLT, TXT, BLN } kind;

static arka_batch *batch_of(const char *name, kind k, bool tag)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    int c = arka_rows_column(rows, arka_slice_of(name), tag, ARKA_TYPE_NONE, -1, &err);
    assert_true(arka_rows_end(rows, 1)); /* a null first: the sentence must name row 1 */
    if (k == INT)
        assert_int_equal(arka_rows_put_i64(rows, c, 7), ARKA_PUT_OK);
    else if (k == FLT)
        assert_int_equal(arka_rows_put_f64(rows, c, 1.5), ARKA_PUT_OK);
    else if (k == TXT)
        assert_int_equal(arka_rows_put_text(rows, c, ARKA_SLICE("warm")), ARKA_PUT_OK);
    else
        assert_int_equal(arka_rows_put_bool(rows, c, true), ARKA_PUT_OK);
    assert_true(arka_rows_end(rows, 2));
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    return b;
}

static arka_schema *schema_with(arka_type type)
{
    arka_error err = {0};
    arka_schema *s;
    arka_field fields[] = {{.type = ARKA_TIMESTAMPTZ, .name = ARKA_SLICE("time")},
                           {.type = type, .name = ARKA_SLICE("v")}};
    ASSERT_OK(arka_schema_new(4, fields, 2, &s, &err));
    return s;
}

TEST(a_new_table_takes_the_batch_with_time_first)
{
    arka_error err = {0};
    arka_batch *b = batch_of("Temp", FLT, true);
    arka_schema *s;
    arka_type casts[2];
    int n;
    ASSERT_OK(arka_schema_fit(NULL, b, &s, casts, &n, &err));
    assert_int_equal(s->version, 1);
    assert_int_equal(s->n_fields, 2);
    assert_true(arka_slice_eq(s->fields[0].name, ARKA_SLICE("time")));
    assert_int_equal(s->fields[1].id, 2);
    assert_true(s->fields[1].tag);
    assert_int_equal(arka_schema_find(s, ARKA_SLICE("TEMP")), 1);
    assert_int_equal(n, 0);
    arka_schema_unref(s);
    arka_batch_unref(b);
}

/* Every pair of types: what the column is afterwards, what the values become, or the refusal. */
TEST(types_unify_as_promised)
{
    static const struct {
        arka_type has;
        kind comes;
        bool fits;
        arka_type field, cast;
    } CASES[] = {
        {ARKA_BIGINT, INT, true, ARKA_BIGINT, 0},
        {ARKA_BIGINT, FLT, true, ARKA_DOUBLE, 0},
        {ARKA_BIGINT, TXT, false, 0, 0},
        {ARKA_BIGINT, BLN, false, 0, 0},
        {ARKA_DOUBLE, INT, true, ARKA_DOUBLE, ARKA_DOUBLE},
        {ARKA_DOUBLE, FLT, true, ARKA_DOUBLE, 0},
        {ARKA_DOUBLE, TXT, false, 0, 0},
        {ARKA_DOUBLE, BLN, false, 0, 0},
        {ARKA_VARCHAR, INT, true, ARKA_VARCHAR, ARKA_VARCHAR},
        {ARKA_VARCHAR, FLT, true, ARKA_VARCHAR, ARKA_VARCHAR},
        {ARKA_VARCHAR, TXT, true, ARKA_VARCHAR, 0},
        {ARKA_VARCHAR, BLN, true, ARKA_VARCHAR, ARKA_VARCHAR},
        {ARKA_BOOLEAN, INT, false, 0, 0},
        {ARKA_BOOLEAN, FLT, false, 0, 0},
        {ARKA_BOOLEAN, TXT, false, 0, 0},
        {ARKA_BOOLEAN, BLN, true, ARKA_BOOLEAN, 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_error err = {0};
        arka_schema *s = schema_with(CASES[i].has), *next = NULL;
        arka_batch *b = batch_of("v", CASES[i].comes, false);
        arka_type casts[2] = {0};
        int n = 0;
        arka_status status = arka_schema_fit(s, b, &next, casts, &n, &err);
        if (!CASES[i].fits) {
            assert_int_equal(status, ARKA_INPUT);
            assert_non_null(strstr(err.msg, "column 'v' is "));
            assert_non_null(strstr(err.msg, "first in row 1"));
        } else {
            assert_int_equal(status, ARKA_OK);
            assert_int_equal(next ? next->fields[1].type : s->fields[1].type, CASES[i].field);
            assert_int_equal(next != NULL, CASES[i].field != CASES[i].has);
            assert_int_equal(casts[1], CASES[i].cast);
            assert_int_equal(n, CASES[i].cast != 0);
            if (next != NULL)
                assert_int_equal(next->version, 5);
        }
        arka_schema_unref(next);
        arka_schema_unref(s);
        arka_batch_unref(b);
    }
}

TEST(a_refusal_shows_the_first_value)
{
    arka_error err = {0};
    arka_schema *s = schema_with(ARKA_DOUBLE), *next;
    arka_batch *b = batch_of("v", TXT, false);
    arka_type casts[2];
    int n;
    ASSERT_FAILS(arka_schema_fit(s, b, &next, casts, &n, &err), ARKA_INPUT,
                 "column 'v' is DOUBLE, the new values are VARCHAR ('warm'), first in row 1");
    arka_schema_unref(s);
    arka_batch_unref(b);
}

/* n columns "<first letter><i>", all BIGINT. */
static arka_batch *wide_batch(char letter, int n)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *b;
    ASSERT_OK(arka_rows_new(false, &rows, &err));
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "%c%04d", letter, i);
        int c = arka_rows_column(rows, arka_slice_of(name), false, ARKA_TYPE_NONE, -1, &err);
        assert_int_equal(arka_rows_put_i64(rows, c, i), ARKA_PUT_OK);
    }
    assert_true(arka_rows_end(rows, 1));
    ASSERT_OK(arka_rows_seal(rows, &b, &err));
    return b;
}

TEST(wide_tables_take_wide_batches_up_to_the_limit)
{
    enum { WIDE = 4500 };
    static arka_type casts[ARKA_MAX_FIELDS + 2];
    arka_error err = {0};
    arka_batch *a = wide_batch('a', WIDE), *upper = wide_batch('A', WIDE),
               *b = wide_batch('b', WIDE), *c = wide_batch('c', ARKA_MAX_FIELDS - 1 - 2 * WIDE),
               *d = wide_batch('d', 1);
    arka_schema *one, *two, *three, *none;
    int n;
    int64_t start = arka_cpu_thread_ns();
    ASSERT_OK(arka_schema_fit(NULL, a, &one, casts, &n, &err));
    ASSERT_OK(arka_schema_fit(one, b, &two, casts, &n, &err));
    ASSERT_OK(arka_schema_fit(two, c, &three, casts, &n, &err));
    ASSERT_OK(arka_schema_fit(three, upper, &none, casts, &n, &err)); /* the same to SQL */
    /* Some ten thousand look-ups, not some ten thousand times ten thousand comparisons. */
    assert_in_range(arka_cpu_thread_ns() - start, 0, 250000000);
    assert_null(none);
    assert_int_equal(n, 0);
    assert_int_equal(three->n_fields, ARKA_MAX_FIELDS);
    for (int i = 0; i < three->n_fields; i++)
        assert_int_equal(arka_schema_find(three, three->fields[i].name), i);
    assert_int_equal(arka_schema_find(three, ARKA_SLICE("a9999")), -1);
    ASSERT_FAILS(arka_schema_fit(three, d, &none, casts, &n, &err), ARKA_LIMIT,
                 "would have 10001 columns, at most 10000");
    arka_schema_unref(one);
    arka_schema_unref(two);
    arka_schema_unref(three);
    arka_batch_unref(a);
    arka_batch_unref(upper);
    arka_batch_unref(b);
    arka_batch_unref(c);
    arka_batch_unref(d);
}
