/* Ours against DuckDB's own: two databases with the same rows, one of them with our functions. */
#include "sql/time_functions.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/civil.h"
#include "kit/kit.h"

typedef struct side {
    duckdb_database db;
    duckdb_connection con;
} side;

static void run(duckdb_connection con, const char *sql)
{
    duckdb_result r;
    if (duckdb_query(con, sql, &r) != DuckDBSuccess)
        fail_msg("%s: %s", sql, duckdb_result_error(&r));
    duckdb_destroy_result(&r);
}

static side side_open(bool ours)
{
    arka_error err = {0};
    side s;
    assert_int_equal(duckdb_open(NULL, &s.db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(s.db, &s.con), DuckDBSuccess);
    run(s.con, "SET TimeZone = 'UTC'");
    run(s.con, "SET threads = 1");
    run(s.con, "CREATE TABLE r (t TIMESTAMPTZ, w INTERVAL, f INTERVAL, o TIMESTAMPTZ, u VARCHAR)");
    if (ours)
        ASSERT_OK(arka_time_functions_register(s.con, &err));
    return s;
}

static void side_close(side *s)
{
    duckdb_disconnect(&s->con);
    duckdb_close(&s->db);
}

static int64_t random_between(int64_t low, int64_t high)
{
    return (int64_t)((uint64_t)low + kit_random() % ((uint64_t)high - (uint64_t)low + 1));
}

static bool one_in(int n)
{
    return kit_random() % (uint64_t)n == 0;
}

/* Any time, with those dear to bugs: near boundaries, before 1970, before Christ. */
static int64_t random_time(void)
{
    int64_t recent = random_between(0, 60 * 366 * ARKA_US_PER_DAY);
    switch (kit_random() % 6) {
    case 0:
        return recent;
    case 1:
        return -recent;
    case 2:
        return random_between(-INT64_C(9000000000000000000), INT64_C(9000000000000000000));
    case 3: /* some microseconds round a midnight */
        return arka_floor_div(recent, ARKA_US_PER_DAY) * ARKA_US_PER_DAY + random_between(-2, 2);
    case 4: /* … round a new year, from 300 BC on */
        return arka_days_from_civil(random_between(-300, 3000), 1, 1) * ARKA_US_PER_DAY +
               random_between(-4, 5) * ARKA_US_PER_DAY + random_between(-1, 1);
    default: /* … round the first of a month */
        return arka_days_from_civil(random_between(1600, 2400), (int)random_between(1, 12), 1) *
                   ARKA_US_PER_DAY +
               random_between(-1, 1);
    }
}

static duckdb_interval random_width(void)
{
    static const int64_t common[] = {1,         1000,       1000000,    60000000,
                                     300000000, 3600000000, 86400000000};
    duckdb_interval w = {0};
    switch (kit_random() % 4) {
    case 0:
        w.months = (int32_t)random_between(1, one_in(2) ? 24 : 5000);
        break;
    case 1:
        w.days = (int32_t)random_between(1, one_in(2) ? 30 : 100000);
        break;
    case 2:
        w.micros = common[kit_random() % 7];
        break;
    default:
        w.micros = random_between(1, INT64_C(100000000000));
    }
    return w;
}

static duckdb_interval random_offset(void)
{
    duckdb_interval f = {0};
    if (one_in(3))
        f.months = (int32_t)random_between(-30, 30);
    if (one_in(2))
        f.days = (int32_t)random_between(-100, 100);
    if (one_in(2))
        f.micros = random_between(-ARKA_US_PER_DAY, ARKA_US_PER_DAY);
    return f;
}

static const char *const UNITS[] = {
    "microseconds", "milliseconds", "second",     "minute", "hour",    "day",
    "week",         "month",        "quarter",    "year",   "isoyear", "decade",
    "century",      "millennium",   "yearweek",   "epoch",  "dow",     "isodow",
    "doy",          "julian",       "era",        "Days",   "HR",      "us",
    "mseconds",     "mons",         "weekofyear", "c",      "mil",     "dayofmonth",
};

enum { N_UNITS = sizeof UNITS / sizeof *UNITS };

static void append(duckdb_appender *appenders, int64_t t, duckdb_interval w, duckdb_interval f,
                   int64_t o, const char *u)
{
    bool nulls[5];
    for (int i = 0; i < 5; i++)
        nulls[i] = one_in(50);
    for (int s = 0; s < 2; s++) {
        duckdb_appender a = appenders[s];
        duckdb_appender_begin_row(a);
        nulls[0] ? duckdb_append_null(a) : duckdb_append_timestamp(a, (duckdb_timestamp){t});
        nulls[1] ? duckdb_append_null(a) : duckdb_append_interval(a, w);
        nulls[2] ? duckdb_append_null(a) : duckdb_append_interval(a, f);
        nulls[3] ? duckdb_append_null(a) : duckdb_append_timestamp(a, (duckdb_timestamp){o});
        nulls[4] ? duckdb_append_null(a) : duckdb_append_varchar(a, u);
        assert_int_equal(duckdb_appender_end_row(a), DuckDBSuccess);
    }
}

static void fill(side *sides, int n_rows)
{
    duckdb_appender appenders[2];
    for (int s = 0; s < 2; s++)
        assert_int_equal(duckdb_appender_create(sides[s].con, NULL, "r", &appenders[s]),
                         DuckDBSuccess);
    for (int i = 0; i < n_rows; i++) {
        int64_t t = one_in(100) ? INT64_MAX : one_in(100) ? -INT64_MAX : random_time();
        int64_t o = one_in(100) ? INT64_MAX : random_between(-1, 1) * (random_time() / 1000);
        append(appenders, t, random_width(), random_offset(), o, UNITS[kit_random() % N_UNITS]);
    }
    for (int s = 0; s < 2; s++)
        assert_int_equal(duckdb_appender_destroy(&appenders[s]), DuckDBSuccess);
}

/* Both sides must give the same times for an expression over r. */
static void compare(const side *sides, const char *expression)
{
    duckdb_result results[2];
    arka_buf sql = ARKA_BUF_INIT;
    arka_buf_printf(&sql, "SELECT %s, t::VARCHAR, w::VARCHAR, f::VARCHAR, o::VARCHAR, u FROM r",
                    expression);
    for (int s = 0; s < 2; s++)
        if (duckdb_query(sides[s].con, arka_buf_cstr(&sql), &results[s]) != DuckDBSuccess)
            fail_msg("%s: %s", expression, duckdb_result_error(&results[s]));
    int64_t n = 0;
    for (;;) {
        duckdb_data_chunk chunks[2];
        const int64_t *values[2];
        uint64_t *validity[2];
        for (int s = 0; s < 2; s++) {
            chunks[s] = duckdb_fetch_chunk(results[s]);
            duckdb_vector v = chunks[s] ? duckdb_data_chunk_get_vector(chunks[s], 0) : NULL;
            values[s] = v ? duckdb_vector_get_data(v) : NULL;
            validity[s] = v ? duckdb_vector_get_validity(v) : NULL;
        }
        if (chunks[0] == NULL)
            break;
        idx_t size = duckdb_data_chunk_get_size(chunks[0]);
        assert_int_equal(size, duckdb_data_chunk_get_size(chunks[1]));
        for (idx_t i = 0; i < size; i++) {
            bool valid = duckdb_validity_row_is_valid(validity[0], i);
            if (valid == duckdb_validity_row_is_valid(validity[1], i) &&
                (!valid || values[0][i] == values[1][i]))
                continue;
            arka_buf row = ARKA_BUF_INIT;
            for (idx_t c = 1; c < 6; c++) {
                duckdb_vector v = duckdb_data_chunk_get_vector(chunks[0], c);
                duckdb_string_t *text = (duckdb_string_t *)duckdb_vector_get_data(v) + i;
                if (duckdb_validity_row_is_valid(duckdb_vector_get_validity(v), i))
                    arka_buf_printf(&row, " %.*s,", (int)duckdb_string_t_length(*text),
                                    duckdb_string_t_data(text));
                else
                    arka_buf_printf(&row, " NULL,");
            }
            fail_msg("%s over t, w, f, o, u =%s DuckDB %" PRId64 " (%d), ours %" PRId64 " (%d)",
                     expression, arka_buf_cstr(&row), values[0][i], valid, values[1][i],
                     duckdb_validity_row_is_valid(validity[1], i));
        }
        n += (int64_t)size;
        for (int s = 0; s < 2; s++)
            duckdb_destroy_data_chunk(&chunks[s]);
    }
    assert_true(n > 0);
    for (int s = 0; s < 2; s++)
        duckdb_destroy_result(&results[s]);
    arka_buf_fini(&sql);
}

TEST(every_form_gives_what_duckdb_gives_over_random_rows)
{
    side sides[2] = {side_open(false), side_open(true)};
    fill(sides, 20000);
    compare(sides, "time_bucket(w, t)");
    /* where DuckDB's carry does no harm: see time_functions.h */
    compare(sides, "CASE WHEN year(f) = 0 AND month(f) = 0 OR (epoch_us(t) % 1000 = 0 AND "
                   "epoch_us(w) % 1000 = 0 AND epoch_us(f) % 1000 = 0) "
                   "THEN time_bucket(w, t, f) END");
    compare(sides, "time_bucket(w, t, o)");
    compare(sides, "date_trunc(u, t)");
    compare(sides, "datetrunc(u, t)");
    side_close(&sides[0]);
    side_close(&sides[1]);
}

TEST(constants_give_what_duckdb_gives)
{
    static const char *const expressions[] = {
        "time_bucket('1 hour', t)",
        "time_bucket(INTERVAL '5 minutes', t)",
        "time_bucket(INTERVAL 1 WEEK, t)",
        "time_bucket(INTERVAL '1 month', t)",
        "time_bucket(INTERVAL '1 year', t)",
        "time_bucket(INTERVAL '5 months', t, INTERVAL '10 days')",
        "time_bucket(INTERVAL '1 month', t, INTERVAL '-1 month 3 days')",
        "time_bucket('1 day', t, TIMESTAMPTZ '2020-02-29 12:34:56.789012+00')",
        "time_bucket(INTERVAL '7 months', t, TIMESTAMPTZ '1969-02-28 00:00:00+00')",
        "time_bucket(INTERVAL '1 hour', t, NULL::INTERVAL)",
        "time_bucket(NULL::INTERVAL, t)",
        "time_bucket(INTERVAL '1 hour', t, TIMESTAMPTZ 'infinity')",
        "time_bucket(INTERVAL '1 hour', t, 'UTC')",
        "time_bucket(INTERVAL '1 hour', TIMESTAMPTZ '2026-01-05 10:11:12+00')",
        "date_trunc(NULL, t)",
        "date_trunc('week', TIMESTAMPTZ '2026-01-05 10:11:12+00')",
        "date_trunc('month', CASE WHEN date_trunc('year', t) > TIMESTAMPTZ 'epoch' THEN t END)",
    };
    side sides[2] = {side_open(false), side_open(true)};
    fill(sides, 3000);
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        compare(sides, expressions[i]);
    for (int i = 0; i < N_UNITS; i++) {
        char expression[64];
        snprintf(expression, sizeof expression, "date_trunc('%s', t)", UNITS[i]);
        compare(sides, expression);
    }
    side_close(&sides[0]);
    side_close(&sides[1]);
}

/* Runs one statement; what is wrong with it without the kind of error in front, or "". */
static void problem_of(duckdb_connection con, const char *sql, char *out, size_t n)
{
    duckdb_result r;
    out[0] = '\0';
    if (duckdb_query(con, sql, &r) != DuckDBSuccess) {
        const char *text = duckdb_result_error(&r);
        const char *colon = strstr(text, "Error: ");
        snprintf(out, n, "%s", colon ? colon + 7 : text);
    }
    duckdb_destroy_result(&r);
}

TEST(bad_arguments_fail_in_duckdbs_words)
{
    static const char *const expressions[] = {
        "time_bucket(INTERVAL '-1 hour', t)",
        "time_bucket(INTERVAL '-1 day', t)",
        "time_bucket(INTERVAL '-1 month', t)",
        "time_bucket(INTERVAL '1 day 1 hour', t)",
        "time_bucket(INTERVAL '-1 day 1 hour', t)",
        "time_bucket(INTERVAL '1 month 1 hour', t)",
        "time_bucket(INTERVAL '1 month 1 day', t)",
        "time_bucket(INTERVAL '1 day 1 hour', t, INTERVAL '1 hour')",
        "time_bucket(INTERVAL '-1 hour', t, TIMESTAMPTZ '2020-01-01')",
        "time_bucket(INTERVAL '-1 hour', TIMESTAMPTZ 'infinity')",
        "time_bucket(w - w, t)",
        "date_trunc('fortnight', t)",
        "date_trunc('', t)",
        "date_trunc('hour ', t)",
        "date_trunc('a much longer thing than any unit', t)",
        "time_bucket('1 fortnight', t)",
        "time_bucket(1, t)",
    };
    side sides[2] = {side_open(false), side_open(true)};
    for (int s = 0; s < 2; s++)
        run(sides[s].con,
            "INSERT INTO r SELECT TIMESTAMPTZ '2026-01-05 10:00:00+00', INTERVAL 1 HOUR, "
            "INTERVAL 0 HOUR, TIMESTAMPTZ '2000-01-01', 'day'");
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        char sql[256], theirs[4096], ours[4096];
        snprintf(sql, sizeof sql, "SELECT %s FROM r", expressions[i]);
        problem_of(sides[0].con, sql, theirs, sizeof theirs);
        problem_of(sides[1].con, sql, ours, sizeof ours);
        assert_string_not_equal(theirs, "");
        assert_string_equal(theirs, ours);
    }
    char ours[4096];
    problem_of(sides[1].con, "SELECT time_bucket(INTERVAL '0 days', t) FROM r", ours, sizeof ours);
    assert_string_equal(ours, "Period must be greater than 0");
    problem_of(sides[1].con, "SELECT date_trunc('timezone_hour', t) FROM r", ours, sizeof ours);
    assert_non_null(strstr(ours, "Specifier type not implemented"));
    side_close(&sides[0]);
    side_close(&sides[1]);
}

static bool value_of(duckdb_connection con, const char *sql, int64_t *out)
{
    duckdb_result r;
    bool ok = duckdb_query(con, sql, &r) == DuckDBSuccess;
    if (ok) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(r);
        *out = *(int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&r);
    return ok;
}

/* There ICU is no oracle: the bucket must hold the time and begin on the grid. */
TEST(buckets_are_exact_at_the_ends_of_the_range)
{
    static const struct {
        const char *call;
        int64_t step, origin; /* 0: a calendar unit, at most 400 days long */
    } forms[] = {
        {"time_bucket(INTERVAL '1 microsecond', %s)", 1, 0},
        {"time_bucket(INTERVAL '7 hours', %s)", 7 * ARKA_US_PER_HOUR, 10959 * ARKA_US_PER_DAY},
        {"time_bucket(INTERVAL '1 day', %s)", ARKA_US_PER_DAY, 0},
        {"time_bucket(INTERVAL '7 days', %s)", 7 * ARKA_US_PER_DAY, 10959 * ARKA_US_PER_DAY},
        {"time_bucket(INTERVAL '12 months', %s)", 0, 0},
        {"date_trunc('milliseconds', %s)", 1000, 0},
        {"date_trunc('minute', %s)", 60 * ARKA_US_PER_SECOND, 0},
        {"date_trunc('week', %s)", 7 * ARKA_US_PER_DAY, 4 * ARKA_US_PER_DAY},
        {"date_trunc('month', %s)", 0, 0},
        {"date_trunc('isoyear', %s)", 0, 0},
    };
    enum { N_FORMS = sizeof forms / sizeof *forms };
    side s = side_open(true);
    int n_found = 0;
    for (int i = 0; i < 500; i++) {
        int64_t from_end = random_between(0, 400 * 366 * ARKA_US_PER_DAY);
        int64_t t = one_in(2) ? INT64_MAX - 1 - from_end : -106751991 * ARKA_US_PER_DAY + from_end;
        char argument[64], call[128], sql[256];
        int form = (int)(kit_random() % N_FORMS);
        snprintf(argument, sizeof argument, "make_timestamptz(%" PRId64 ")", t);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(call, sizeof call, forms[form].call, argument);
#pragma GCC diagnostic pop
        snprintf(sql, sizeof sql, "SELECT %s", call);
        int64_t start;
        if (!value_of(s.con, sql, &start)) {
            /* only where the bucket, or the way to it from the origin, leaves the range */
            assert_true(t < -106751991 * ARKA_US_PER_DAY + 10959 * ARKA_US_PER_DAY +
                                400 * ARKA_US_PER_DAY);
            continue;
        }
        n_found++;
        int64_t step = forms[form].step ? forms[form].step : 400 * ARKA_US_PER_DAY;
        assert_true(start <= t && (uint64_t)t - (uint64_t)start < (uint64_t)step);
        int64_t rest = start % step - forms[form].origin % step;
        if (forms[form].step != 0 && rest % step != 0)
            fail_msg("%s: %" PRId64 " is not on the grid", sql, start);
        assert_true(start % (forms[form].step ? 1 : ARKA_US_PER_DAY) == 0);
    }
    assert_true(n_found > 400);
    int64_t start;
    assert_true(value_of(s.con,
                         "SELECT time_bucket(INTERVAL '2147483647 days', TIMESTAMPTZ "
                         "'2026-01-05 00:00:00+00')",
                         &start));
    assert_int_equal(start, 10959 * ARKA_US_PER_DAY);
    assert_false(value_of(s.con,
                          "SELECT time_bucket(INTERVAL '2147483647 days', TIMESTAMPTZ "
                          "'1999-01-05 00:00:00+00')",
                          &start));
    assert_false(value_of(s.con,
                          "SELECT time_bucket(INTERVAL '2147483647 months', TIMESTAMPTZ "
                          "'1999-01-05 00:00:00+00')",
                          &start));
    side_close(&s);
}

/* DuckDB's optimizer knows date_trunc by name and rewrites comparisons of it. */
TEST(filters_over_them_select_the_same_rows)
{
    static const char *const filters[] = {
        "date_trunc('day', t) = TIMESTAMPTZ '2026-01-05'",
        "date_trunc('day', t) = TIMESTAMPTZ '2026-01-05 01:00'",
        "date_trunc('week', t) >= TIMESTAMPTZ '2026-01-07'",
        "date_trunc('month', t) < TIMESTAMPTZ '2026-02-07'",
        "date_trunc('hour', t) <> TIMESTAMPTZ '2026-01-07 10:00'",
        "TIMESTAMPTZ '2026-01-20' <= date_trunc('hour', t)",
        "date_trunc('day', t) IS NOT DISTINCT FROM TIMESTAMPTZ '2026-01-05'",
        "date_trunc('day', t) IS DISTINCT FROM NULL",
        "date_trunc('day', t) IN (TIMESTAMPTZ '2026-01-05', '2026-01-06')",
        "time_bucket('1 day', t) BETWEEN '2026-01-05' AND '2026-01-06'",
    };
    side sides[2] = {side_open(false), side_open(true)};
    for (int s = 0; s < 2; s++)
        run(sides[s].con, "INSERT INTO r(t) SELECT CASE WHEN i % 9 > 0 THEN TIMESTAMPTZ "
                          "'2026-01-01' + to_seconds(i * 361) END FROM range(9000) r(i)");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        char sql[256];
        int64_t n[2];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM r WHERE %s", filters[i]);
        for (int s = 0; s < 2; s++)
            assert_true(value_of(sides[s].con, sql, &n[s]));
        if (n[0] != n[1])
            fail_msg("%s: DuckDB %" PRId64 " rows, ours %" PRId64, filters[i], n[0], n[1]);
    }
    side_close(&sides[0]);
    side_close(&sides[1]);
}

TEST(ours_take_the_place_of_duckdbs_and_the_others_stay)
{
    side s = side_open(true);
    duckdb_result r;
    run(s.con, "INSERT INTO r(t) VALUES ('2026-01-05 10:11:12+00')");
    assert_int_equal(
        duckdb_query(s.con,
                     "SELECT count(*) FILTER (function_name = 'time_bucket'), "
                     "count(*) FILTER (function_name = 'date_trunc'), "
                     "count(*) FILTER (function_name = 'datetrunc') FROM duckdb_functions()",
                     &r),
        DuckDBSuccess);
    assert_int_equal(duckdb_value_int64(&r, 0, 0), 10);
    assert_int_equal(duckdb_value_int64(&r, 1, 0), 4);
    assert_int_equal(duckdb_value_int64(&r, 2, 0), 4);
    duckdb_destroy_result(&r);
    /* it is ours that runs: DuckDB has another sentence for this */
    char problem[4096];
    problem_of(s.con, "SELECT time_bucket(INTERVAL '0 days', t) FROM r", problem, sizeof problem);
    assert_string_equal(problem, "Period must be greater than 0");
    run(s.con, "SELECT time_bucket(INTERVAL '1 hour', t::TIMESTAMP), "
               "time_bucket(INTERVAL '1 day', t::DATE), "
               "time_bucket('1 hour', t, 'Europe/Berlin'), date_trunc('day', t::DATE), "
               "date_trunc('hour', INTERVAL '90 minutes') FROM r");
    side_close(&s);
}
