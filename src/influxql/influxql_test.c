#include "influxql/influxql.h"

#include "kit/kit.h"

static arka_error err;
static arka_arena arena;

/* "KIND name limit offset" of each statement, parted by '|'. */
static const char *parse(const char *text)
{
    static const char *const KINDS[] = {"create", "databases", "measurements", "policies", "other"};
    static char shown[500];
    arka_influxql_statements list = {0};
    size_t n = 0;
    err = (arka_error){0};
    arka_arena_fini(&arena);
    shown[0] = 0;
    ASSERT_OK(arka_influxql_parse(arka_slice_of(text), &arena, &list, &err));
    for (size_t i = 0; i < list.n; i++) {
        const arka_influxql_statement *s = &list.items[i];
        n += (size_t)snprintf(shown + n, sizeof shown - n, "%s%s", i ? "|" : "", KINDS[s->kind]);
        if (s->name.len > 0)
            n += (size_t)snprintf(shown + n, sizeof shown - n, " %.*s", ARKA_FMT(s->name));
        if (s->limit >= 0 || s->offset > 0)
            n += (size_t)snprintf(shown + n, sizeof shown - n, " %lld %lld", (long long)s->limit,
                                  (long long)s->offset);
    }
    arka_vec_fini(&list);
    return shown;
}

static arka_status fails(const char *text)
{
    arka_influxql_statements list = {0};
    arka_arena_fini(&arena);
    arka_status status = arka_influxql_parse(arka_slice_of(text), &arena, &list, &err);
    arka_vec_fini(&list);
    return status;
}

TEST(databases_are_created_by_quoted_and_bare_names)
{
    assert_string_equal(parse("CREATE DATABASE \"telegraf\""), "create telegraf");
    assert_string_equal(parse("create  database mydb;"), "create mydb");
    assert_string_equal(parse("CREATE DATABASE \"a\\\"b\""), "create a\"b");
    assert_string_equal(parse("CREATE DATABASE x WITH DURATION 3d REPLICATION 1 NAME \"liquid\""),
                        "create x");
    assert_string_equal(parse("CREATE DATABASE"), "other");
    assert_string_equal(parse("CREATE DATABASE 'x'"), "other");
    assert_string_equal(parse("CREATE DATABASE x y"), "other");
    assert_string_equal(parse("CREATE RETENTION POLICY a ON b DURATION 1d REPLICATION 1"), "other");
}

TEST(lists_are_recognised_in_any_case)
{
    assert_string_equal(parse("SHOW DATABASES"), "databases");
    assert_string_equal(parse("show databases"), "databases");
    assert_string_equal(parse("SHOW measurements"), "measurements");
    assert_string_equal(parse("SHOW MEASUREMENTS ON \"db 1\" LIMIT 100 OFFSET 5"),
                        "measurements db 1 100 5");
    assert_string_equal(parse("SHOW MEASUREMENTS LIMIT 3"), "measurements 3 0");
    assert_string_equal(parse("SHOW RETENTION POLICIES ON \"d\""), "policies d");
    assert_string_equal(parse("SHOW RETENTION POLICIES"), "policies");
    assert_string_equal(parse("SHOW MEASUREMENTS WITH MEASUREMENT =~ /cpu.*\\/x/"), "other");
    assert_string_equal(parse("SHOW TAG KEYS FROM \"m\""), "other");
    assert_string_equal(parse("SHOW DATABASES x"), "other");
}

TEST(statements_are_parted_by_semicolons_outside_quotes_and_comments)
{
    assert_string_equal(parse("SHOW DATABASES; CREATE DATABASE \"a;b\" ;; SHOW DATABASES;"),
                        "databases|create a;b|databases");
    assert_string_equal(parse("-- a comment; here\nSHOW /* and; here */ DATABASES"), "databases");
    assert_string_equal(parse("SELECT mean(\"v\") FROM \"m\" WHERE t = 'x;y' GROUP BY time(10s) "
                              "fill(null); SHOW DATABASES"),
                        "other|databases");
}

TEST(what_has_no_tokens_is_refused)
{
    ASSERT_FAILS(fails(""), ARKA_INPUT, "there is no statement");
    ASSERT_FAILS(fails(" ;; -- nothing"), ARKA_INPUT, "there is no statement");
    ASSERT_FAILS(fails("CREATE DATABASE \"x"), ARKA_INPUT, "the \" at char 17 is not closed");
    ASSERT_FAILS(fails("SELECT 'x"), ARKA_INPUT, "the ' at char 8 is not closed");
    ASSERT_FAILS(fails("SHOW # DATABASES"), ARKA_INPUT, "unexpected character at char 6");
    arka_arena_fini(&arena);
}
