#include <duckdb.h>

#include "base/civil.h"
#include "kit/kit.h"
#include "sql/inspect.h"

#define MINUTE (60 * ARKA_US_PER_SECOND)
#define HOUR   ARKA_US_PER_HOUR
#define DAY    ARKA_US_PER_DAY

static duckdb_database database;
static duckdb_connection connection;
static arka_parser parser;

__attribute__((destructor)) static void disconnect(void)
{
    arka_parser_fini(&parser);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
}

static int64_t at(const char *time)
{
    int64_t us;
    assert_true(arka_parse_time(time, strlen(time), &us));
    return us;
}

static arka_inspection *inspect(const char *text)
{
    arka_error err = {0};
    arka_inspection *i = NULL;
    duckdb_result result;
    if (connection == NULL) {
        assert_int_equal(duckdb_open(NULL, &database), DuckDBSuccess);
        assert_int_equal(duckdb_connect(database, &connection), DuckDBSuccess);
        assert_int_equal(duckdb_query(connection, "SET TimeZone = 'UTC'", &result), DuckDBSuccess);
        duckdb_destroy_result(&result);
        ASSERT_OK(arka_parser_init(&parser, connection, &err));
    }
    if (arka_inspect(&parser, arka_slice_of(text), &i, &err) != ARKA_OK)
        fail_msg("%s: %s", text, err.msg);
    return i;
}

static void check_use(const char *text, int use, int64_t min, int64_t max)
{
    arka_inspection *i = inspect(text);
    const arka_window *r = &i->uses[use].range.wide;
    if (r->min != min || r->max != max || r->now_min != INT64_MIN || r->now_max != INT64_MAX)
        fail_msg("%s: [%lld, %lld], now [%lld, %lld], expected [%lld, %lld]", text,
                 (long long)r->min, (long long)r->max, (long long)r->now_min, (long long)r->now_max,
                 (long long)min, (long long)max);
    arka_inspection_unref(i);
}

static void check(const char *where, int64_t min, int64_t max)
{
    char text[600];
    snprintf(text, sizeof text, "SELECT * FROM cpu WHERE %s", where);
    check_use(text, 0, min, max);
}

static void check_all(const char *where)
{
    check(where, INT64_MIN, INT64_MAX);
}

/* Bounds relative to now, as this many µs. */
static void check_now(const char *where, int64_t min, int64_t max)
{
    char text[600];
    snprintf(text, sizeof text, "SELECT * FROM cpu WHERE %s", where);
    arka_inspection *i = inspect(text);
    const arka_window *r = &i->uses[0].range.wide;
    if (r->now_min != min || r->now_max != max || r->min != INT64_MIN || r->max != INT64_MAX)
        fail_msg("%s: now [%lld, %lld], expected [%lld, %lld]", where, (long long)r->now_min,
                 (long long)r->now_max, (long long)min, (long long)max);
    arka_inspection_unref(i);
}

TEST(comparisons_with_constants)
{
    int64_t a = at("2026-01-05T10:00:00Z"), b = at("2026-01-06T00:00:00Z");
    const int64_t none = INT64_MAX;
    check("time >= '2026-01-05T10:00:00Z'", a, none);
    check("time > '2026-01-05 10:00:00'", a + 1, none);
    check("TIME > '2026-01-05 12:00:00+02:00'", a + 1, none);
    check("time < '2026-01-06'", INT64_MIN, b - 1);
    check("time <= '2026-01-06'", INT64_MIN, b);
    check("time = '2026-01-06'", b, b);
    check("'2026-01-05T10:00:00Z' <= time", a, none);
    check("'2026-01-06' > time", INT64_MIN, b - 1);
    check("time BETWEEN '2026-01-05 10:00:00' AND '2026-01-06'", a, b);
    check("time >= '2026-01-05T10:00:00Z' AND time < '2026-01-06' AND v > 5", a, b - 1);
    check("(time >= '2026-01-05T10:00:00Z' AND (v = 1 OR v = 2)) AND time < '2026-01-06'", a,
          b - 1);
    check("time >= '2020-01-01' AND time >= '2026-01-06'", b, none);
    check("cpu.time >= '2026-01-06'", b, none);
    check("time > TIMESTAMP '2026-01-06 00:00:00'", b + 1, none);
    check("time < TIMESTAMPTZ '2026-01-06 00:00:00.000001'", INT64_MIN, b);
    check("time < '2026-01-06'::TIMESTAMPTZ", INT64_MIN, b - 1);
    /* digits that a cast may lose, and types of other units */
    check("time < '2026-01-06 00:00:00.0000004'", INT64_MIN, b + 1);
    check("time > TIMESTAMP_NS '2026-01-06 00:00:00.000000001'", b - 1, none);
    check("time > DATE '2026-01-06'", b - 1, none);
}

TEST(constants_of_all_kinds)
{
    int64_t b = at("2026-01-06T00:00:00Z");
    enum { N_EXACT = 4 };
    static const char *const SAME[] = {
        "TIMESTAMPTZ '2026-01-06 00:00:00Z'",
        "TIMESTAMP '2026-01-06 00:00:00'",
        "'2026-01-06'::TIMESTAMPTZ",
        "CAST('2026-01-06' AS TIMESTAMP)",
        "DATE '2026-01-06'",
        "to_timestamp(1767657600)",
        "make_timestamptz(1767657600000000)",
        "epoch_ms(1767657600000)",
        "TIMESTAMPTZ '2026-01-07' - INTERVAL '1 day'",
        "'2026-01-05'::TIMESTAMPTZ + INTERVAL 24 HOUR",
        "DATE '2026-01-05' + 1",
        "date_trunc('day', TIMESTAMPTZ '2026-01-06 10:00:00Z')",
        "make_date(2026, 1, 6)",
        "DATE '2026-02-06' - INTERVAL 1 MONTH",
        "'2026-01-06 00:00:00.0000004'",
        "'2026-01-06'::DATE::TIMESTAMPTZ",
        "'2026-01-06 00:00:00 UTC'",
        "to_timestamp(1767657540 + 60)",
    };
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
        char where[200];
        bool exact = i < N_EXACT || strstr(SAME[i], "UTC") != NULL;
        snprintf(where, sizeof where, "time >= %s", SAME[i]);
        check(where, exact ? b : b - 1, INT64_MAX);
    }
}

TEST(what_is_unclear_gives_no_bound)
{
    static const char *const WHERE[] = {
        "time >= '2026-01-06' OR v = 1",
        "NOT (time < '2026-01-06' AND v = 1)",
        "(time >= '2026-01-06') IS TRUE",
        "time >= (SELECT max(time) FROM cpu)",
        "time >= other",
        "time <> '2026-01-06'",
        "time IN ('2026-01-06')",
        "time + INTERVAL 1 DAY >= '2026-01-06'",
        "time NOT BETWEEN '2026-01-05' AND '2026-01-06'",
        "mem.time >= '2026-01-06'",
        "time >= 'no time'",
        "time >= NULL",
        "time >= 'infinity'",
        "time >= '290000-01-01'",
        "time >= random()",
        "time >= strftime(time, '%Y')",
        "v >= '2026-01-06'",
        "CASE WHEN time >= '2026-01-06' THEN true END",
        "time IS DISTINCT FROM '2026-01-06'",
        "time >= '2026-01-06' || ''",
        "time >= '2026-02-30'",
    };
    for (size_t i = 0; i < sizeof WHERE / sizeof *WHERE; i++)
        check_all(WHERE[i]);
}

TEST(terms_of_now)
{
    check_now("time > now() - INTERVAL '1 hour'", -HOUR - MINUTE - 1, INT64_MAX);
    check_now("time > now() - INTERVAL 15 MINUTE", -16 * MINUTE - 1, INT64_MAX);
    check_now("time > NOW() - to_hours(2) AND time <= now()", -2 * HOUR - MINUTE - 1, MINUTE + 1);
    check_now("time > current_timestamp - INTERVAL '1 day'", -DAY - MINUTE - 1, INT64_MAX);
    check_now("time < now() + INTERVAL 1 DAY", INT64_MIN, DAY + MINUTE + 1);
    check_now("time < INTERVAL 1 DAY + now()", INT64_MIN, DAY + MINUTE + 1);
    check_now("time > now() - INTERVAL 1 DAY - INTERVAL 1 HOUR", -25 * HOUR - MINUTE - 1,
              INT64_MAX);
    check_now("time > now() - INTERVAL 1 MONTH", -31 * DAY - MINUTE - 1, INT64_MAX);
    check_now("time < now() - INTERVAL 1 MONTH", INT64_MIN, -28 * DAY + MINUTE + 1);
    check_now("time > now() + INTERVAL '-1 month'", -31 * DAY - MINUTE - 1, INT64_MAX);
    check_now("time >= current_date", -DAY - MINUTE - 1, INT64_MAX);
    check_now("time >= today() - 7", -8 * DAY - MINUTE - 1, INT64_MAX);
    check_now("time >= current_date - INTERVAL 7 DAY", -8 * DAY - MINUTE - 1, INT64_MAX);
    check_now("time >= date_trunc('day', now())", -DAY - MINUTE - 1, INT64_MAX);
    check_now("time < date_trunc('month', now() - INTERVAL 1 DAY)", INT64_MIN, -DAY + MINUTE + 1);
    check_now("time >= now()::DATE", -DAY - MINUTE - 1, INT64_MAX);
    check_now("time BETWEEN now() - INTERVAL 1 HOUR AND now()", -HOUR - MINUTE - 1, MINUTE + 1);
    check_now("time > now() - INTERVAL (v) HOUR", INT64_MIN, INT64_MAX);
    check_now("time > date_trunc('century', now())", INT64_MIN, INT64_MAX);
    check_now("time > now() - now()", INT64_MIN, INT64_MAX);
    check_now("time > now() - INTERVAL '99999999 days'", INT64_MIN, INT64_MAX);
}

TEST(windows_are_at_an_instant)
{
    arka_window w = {-5, 1000, INT64_MIN, INT64_MAX};
    int64_t min, max;
    arka_window_at(&w, 500, &min, &max);
    assert_int_equal(min, -5);
    assert_int_equal(max, 1000);
    w.now_min = -100;
    w.now_max = 7;
    arka_window_at(&w, 500, &min, &max);
    assert_int_equal(min, 400);
    assert_int_equal(max, 507);
    arka_window_at(&w, 5000, &min, &max);
    assert_int_equal(min, 4900);
    assert_int_equal(max, 1000);
}

/* sure: only when the clause is about time alone, and then inside of what was said. */
static void check_sure(const char *where, bool whole, int64_t min, int64_t max)
{
    char text[600];
    snprintf(text, sizeof text, "SELECT * FROM cpu WHERE %s", where);
    arka_inspection *i = inspect(text);
    const arka_range *r = &i->uses[0].range;
    if (r->whole != whole || (whole && (r->sure.min != min || r->sure.max != max)))
        fail_msg("%s: %d [%lld, %lld], expected %d [%lld, %lld]", where, r->whole,
                 (long long)r->sure.min, (long long)r->sure.max, whole, (long long)min,
                 (long long)max);
    arka_inspection_unref(i);
}

TEST(rows_that_surely_pass)
{
    int64_t b = at("2026-01-06T00:00:00Z");
    check_sure("time >= '2026-01-06'", true, b, INT64_MAX);
    check_sure("'2026-01-06' > time", true, INT64_MIN, b - 1);
    check_sure("time BETWEEN '2026-01-06' AND '2026-01-07'", true, b, b + DAY);
    check_sure("time >= '2026-01-06' AND time < '2026-01-07'", true, b, b + DAY - 1);
    check_sure("time >= DATE '2026-01-06' AND time < DATE '2026-01-07'", true, b + 2, b + DAY - 2);
    check_sure("time >= '2026-01-06' AND v > 1", false, 0, 0);
    check_sure("time >= '2026-01-06' AND time <> '2026-01-07'", false, 0, 0);
    check_sure("time = '2026-01-06'", false, 0, 0);
    check_sure("time > other", false, 0, 0);
    check_sure("time BETWEEN '2026-01-06' AND other", false, 0, 0);
    check_sure("time >= NULL", false, 0, 0);
    check_sure("v > 1", false, 0, 0);
    arka_inspection *i = inspect("SELECT * FROM cpu WHERE time > now() - INTERVAL 1 MONTH");
    assert_true(i->uses[0].range.whole);
    assert_int_equal(i->uses[0].range.sure.now_min, -28 * DAY + MINUTE + 2);
    arka_inspection_unref(i);
}

TEST(each_reference_has_its_own_range)
{
    int64_t b = at("2026-01-06T00:00:00Z");
    const int64_t low = INT64_MIN, high = INT64_MAX;
    const char *join = "SELECT * FROM cpu a JOIN mem AS b ON a.x = b.x WHERE a.time > '2026-01-06'";
    check_use(join, 0, b + 1, high);
    check_use(join, 1, low, high);
    join = "SELECT * FROM cpu a LEFT JOIN mem b USING (x) WHERE b.time < '2026-01-06'";
    check_use(join, 0, low, high);
    check_use(join, 1, low, b - 1);
    join = "SELECT * FROM cpu a, mem b WHERE time > '2026-01-06'"; /* whose? */
    check_use(join, 0, low, high);
    check_use(join, 1, low, high);
    /* the partner of an ASOF join depends on the rows that WHERE leaves out */
    join = "SELECT * FROM cpu a ASOF JOIN mem b ON a.time >= b.time WHERE b.time < '2026-01-06'";
    check_use(join, 0, low, high);
    check_use(join, 1, low, high);
    join = "SELECT * FROM cpu a POSITIONAL JOIN mem b WHERE b.time < '2026-01-06'";
    check_use(join, 1, low, high);
    join = "SELECT * FROM cpu WHERE time > '2026-01-06' UNION ALL SELECT * FROM cpu";
    check_use(join, 0, b + 1, high);
    check_use(join, 1, low, high);
    check_use("SELECT * FROM (SELECT * FROM cpu) WHERE time > '2026-01-06'", 0, low, high);
    check_use("SELECT * FROM (SELECT * FROM cpu WHERE time > '2026-01-06')", 0, b + 1, high);
    check_use("SELECT * FROM cpu TABLESAMPLE 5 ROWS WHERE time > '2026-01-06'", 0, low, high);
    check_use("SELECT * FROM cpu WHERE time > '2026-01-06' USING SAMPLE 5 ROWS", 0, low, high);
    check_use("SELECT * FROM cpu AS c(a, time) WHERE time > '2026-01-06'", 0, low, high);
    check_use("SELECT * FROM default.cpu c WHERE c.time > '2026-01-06'", 0, b + 1, high);
    check_use("SELECT * FROM cpu c WHERE cpu.time > '2026-01-06'", 0, low, high);
}

TEST(names_that_a_column_can_shadow_are_marked)
{
    arka_inspection *i = inspect("SELECT * FROM cpu WHERE time > current_date");
    assert_true(i->uses[0].range.named_now);
    arka_inspection_unref(i);
    i = inspect("SELECT * FROM cpu WHERE time > now()");
    assert_false(i->uses[0].range.named_now);
    arka_inspection_unref(i);
}
