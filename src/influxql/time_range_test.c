#include "influxql/influxql.h"

#include "kit/kit.h"

static arka_error err;
static arka_arena arena;

#define NOW INT64_C(1700000000000000000)

/* "min max rest", '-' where there is none. */
static const char *parts(const char *condition)
{
    static char out[300];
    char text[300];
    arka_influxql_statements list;
    arka_influxql_time_range range;
    const arka_influxql_expr *rest;
    arka_buf b = ARKA_BUF_INIT;
    snprintf(text, sizeof text, "SELECT a FROM b WHERE %s", condition);
    err = (arka_error){0};
    arka_arena_fini(&arena);
    ASSERT_OK(arka_influxql_parse(arka_slice_of(text), NULL, &arena, &list, &err));
    if (arka_influxql_split_time(list.items[0].query.condition, NOW, &arena, &range, &rest, &err) !=
        ARKA_OK) {
        snprintf(out, sizeof out, "%.200s", err.msg);
        arka_arena_fini(&arena);
        return out;
    }
    if (range.min == INT64_MIN)
        arka_buf_literal(&b, "- ");
    else
        arka_buf_printf(&b, "%lld ", (long long)range.min);
    if (range.max == INT64_MAX)
        arka_buf_literal(&b, "- ");
    else
        arka_buf_printf(&b, "%lld ", (long long)range.max);
    if (rest != NULL)
        arka_influxql_print_expr(rest, &b);
    else
        arka_buf_byte(&b, '-');
    snprintf(out, sizeof out, "%s", arka_buf_cstr(&b));
    arka_buf_fini(&b);
    arka_arena_fini(&arena);
    return out;
}

TEST(bounds_are_closed)
{
    assert_string_equal(parts("time > 5"), "6 - -");
    assert_string_equal(parts("time >= 5 AND time < 9"), "5 8 -");
    assert_string_equal(parts("time = 5"), "5 5 -");
    assert_string_equal(parts("5 < TIME and 9s >= time"), "6 9000000000 -");
    assert_string_equal(parts("time > now() - 1h"), "1699996400000000001 - -");
    assert_string_equal(parts("time > now() - 2 * 1h"), "1699992800000000001 - -");
    assert_string_equal(parts("time <= '2020-01-01'"), "- 1577836800000000000 -");
    assert_string_equal(parts("time <= '2020-01-01T00:00:00Z' + 1d"), "- 1577923200000000000 -");
    assert_string_equal(parts("time <= '2020-01-01 00:00:00.000001'"), "- 1577836800000001000 -");
    assert_string_equal(parts("time > 9223372036854775807"), "9223372036854775807 - -");
}

TEST(the_rest_keeps_its_shape)
{
    assert_string_equal(parts("a = 'b'"), "- - a = 'b'");
    assert_string_equal(parts("a = 'b' AND time > 5"), "6 - a = 'b'");
    assert_string_equal(parts("(time > 5 AND a = 'b') AND (c = 'd' OR e = 'f')"),
                        "6 - (a = 'b') AND (c = 'd' OR e = 'f')");
    assert_string_equal(parts("(time > 5) AND a = 'b'"), "6 - a = 'b'");
    assert_string_equal(parts("time > 5 OR a = 'b'"), "6 - a = 'b'");
    assert_string_equal(parts("a = 'b' AND true"), "- - a = 'b' AND true");
}

TEST(what_is_no_time_is_said)
{
    assert_string_equal(parts("time != 5"), "invalid time comparison operator: !=");
    assert_string_equal(parts("time > 'x'"),
                        "invalid operation: time and *influxql.StringLiteral are not compatible");
    assert_string_equal(parts("time > now"),
                        "invalid operation: time and *influxql.VarRef are not compatible");
    assert_string_equal(parts("host"), "invalid condition expression: host");
    assert_string_equal(parts("a = 'b' AND 'c'"), "invalid condition expression: 'c'");
}
