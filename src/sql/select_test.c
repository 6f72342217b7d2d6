#include "kit/sql.h"

static arka_select select_of(const char *where, const char *order_by)
{
    return (arka_select){.measurement = ARKA_SLICE("cpu"),
                         .where = arka_slice_of(where),
                         .order_by = arka_slice_of(order_by),
                         .limit = -1};
}

static void check_sql(arka_select select, const char *expected)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    ASSERT_OK(arka_select_to_sql(sql, &select, &out, &err));
    assert_string_equal(arka_buf_cstr(&out), expected);
    arka_buf_fini(&out);
}

static void check_refused(arka_select select, const char *says)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    ASSERT_FAILS(arka_select_to_sql(sql, &select, &out, &err), ARKA_INPUT, says);
    arka_buf_fini(&out);
}

TEST(parameters_become_a_select)
{
    open_service("select");
    check_sql(select_of("", ""), "SELECT * FROM \"cpu\"");
    check_sql((arka_select){.measurement = ARKA_SLICE("a\"b.c"),
                            .columns = ARKA_SLICE("time, host.name ,x\"y,\"a b\""),
                            .where = ARKA_SLICE("v > 1 OR host = 'a;b'"),
                            .order_by = ARKA_SLICE("time DESC, \"host\" NULLS LAST"),
                            .start_time = ARKA_SLICE("2026-01-05T12:00:00+02:00"),
                            .end_time = ARKA_SLICE("2026-01-06"),
                            .limit = 10,
                            .offset = 20},
              "SELECT \"time\", \"host.name\", \"x\"\"y\", \"a b\" FROM \"a\"\"b.c\" WHERE "
              "\"time\" >= TIMESTAMPTZ '2026-01-05T10:00:00Z' AND \"time\" < TIMESTAMPTZ "
              "'2026-01-06T00:00:00Z' AND (v > 1 OR host = 'a;b'\n) ORDER BY time DESC, \"host\" "
              "NULLS LAST\n LIMIT 10 OFFSET 20");
    check_sql((arka_select){.measurement = ARKA_SLICE("cpu"),
                            .columns = ARKA_SLICE(" * "),
                            .end_time = ARKA_SLICE("2026-01-06"),
                            .limit = 0},
              "SELECT * FROM \"cpu\" WHERE \"time\" < TIMESTAMPTZ '2026-01-06T00:00:00Z' LIMIT 0");
    check_sql((arka_select){.measurement = ARKA_SLICE("cpu"),
                            .columns = ARKA_SLICE("\"a\" FROM b.c --\", \"d\"\"e\", \""),
                            .limit = -1},
              "SELECT \"\"\"a\"\" FROM b.c --\"\"\", \"d\"\"e\", \"\"\"\" FROM \"cpu\"");
    check_sql(select_of("v > 1 -- more", ""), "SELECT * FROM \"cpu\" WHERE (v > 1 -- more\n)");
    close_service();
}

TEST(where_is_one_expression)
{
    open_service("where");
    static const char *const BAD[] = {
        "1=1) OR (1=1",
        "1=1 LIMIT 1",
        "1=1; DROP TABLE cpu",
        "1=1;",
        "v, w",
        "v AS x",
        "v x",
        "*",
        "v FROM cpu",
        "1 UNION SELECT 2",
        "1 ORDER BY 1",
        "1 WHERE true",
        "1 GROUP BY 1",
        "DISTINCT v",
        "1 HAVING true",
        "1 QUALIFY true",
        "1 USING SAMPLE 10%",
        "/* v",
        "'v",
        "v >",
        ")",
        "1=1 --\n) OR (true",
        "$$a",
        "1 EXCEPT SELECT 2",
        "1 OFFSET 1",
        "v = ?",
        "cpu.*",
        "1 INTO x",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        check_refused(select_of(BAD[i], ""), "where");
    arka_select nul = select_of("", "");
    nul.where = (arka_slice){"v\0", 2};
    check_refused(nul, "where must be one SQL expression");
    check_refused(select_of("v > > 1", ""), "LINE 1: v > > 1\n            ^");
    close_service();
}

TEST(order_by_is_a_list_of_columns)
{
    open_service("order");
    static const char *const BAD[] = {
        "time LIMIT 1",  "1",     "time; DROP TABLE cpu",
        "lower(host)",   "ALL",   "time UNION SELECT 1",
        "(SELECT 1)",    "time,", "time DESC DESC",
        "time OFFSET 2", "*",     "random()",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        check_refused(select_of("", BAD[i]), "order_by");
    close_service();
}

TEST(other_parameters_are_checked)
{
    open_service("others");
    check_refused((arka_select){.limit = -1}, "measurement is missing");
    check_refused((arka_select){.measurement = ARKA_SLICE("cpu"), .columns = ARKA_SLICE("a,,b")},
                  "a name is missing in 'a,,b'");
    check_refused((arka_select){.measurement = ARKA_SLICE("cpu"), .columns = ARKA_SLICE("a,")},
                  "a name is missing");
    check_refused(
        (arka_select){.measurement = ARKA_SLICE("cpu"), .start_time = ARKA_SLICE("yesterday")},
        "start_time is no time in ISO 8601: 'yesterday'");
    check_refused(
        (arka_select){.measurement = ARKA_SLICE("cpu"), .end_time = ARKA_SLICE("' OR true --")},
        "end_time is no time");
    close_service();
}

TEST(the_select_runs)
{
    open_service("runs");
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    put("default", "cpu", "time:t v:i select:s", "1000000 1 a", "2000000 2 b", "3000000 3 c");
    arka_select select = {.measurement = ARKA_SLICE("cpu"),
                          .columns = ARKA_SLICE("select"),
                          .where = ARKA_SLICE("v > 1 OR v = 1"),
                          .order_by = ARKA_SLICE("time DESC"),
                          .start_time = ARKA_SLICE("1970-01-01T00:00:01Z"),
                          .end_time = ARKA_SLICE("1970-01-01T00:00:03Z"),
                          .limit = 5};
    ASSERT_OK(arka_select_to_sql(sql, &select, &out, &err));
    check_rows(out.data, "b|a");
    arka_buf_fini(&out);
    close_service();
}
