#include "influxql/influxql.h"

#include "kit/kit.h"

static arka_error err;
static arka_arena arena;
static arka_influxql_statements list;

static arka_status parse(const char *text, const arka_influxql_params *params)
{
    arka_arena_fini(&arena);
    err = (arka_error){0};
    return arka_influxql_parse(arka_slice_of(text), params, &arena, &list, &err);
}

/* All statements as they are printed, parted by "; ", after a second round that must not differ. */
static const char *shown(const char *text)
{
    static char out[2][4000];
    const char *from = text;
    for (int round = 0; round < 2; round++) {
        arka_buf b = ARKA_BUF_INIT;
        ASSERT_OK(parse(from, NULL));
        for (size_t i = 0; i < list.n; i++) {
            arka_buf_text(&b, i > 0 ? "; " : "");
            arka_influxql_print(&list.items[i], &b);
        }
        assert_true(b.len < sizeof out[round]);
        snprintf(out[round], sizeof out[round], "%s", b.len ? arka_buf_cstr(&b) : "");
        arka_buf_fini(&b);
        from = out[round];
    }
    assert_string_equal(out[0], out[1]);
    arka_arena_fini(&arena);
    return out[0];
}

static const char *complaint(const char *text)
{
    static char out[600];
    assert_int_equal(parse(text, NULL), ARKA_INPUT);
    assert_memory_equal(err.msg, "error parsing query: ", 21);
    snprintf(out, sizeof out, "%s", err.msg + 21);
    arka_arena_fini(&arena);
    return out;
}

/* Printing gives the text back. */
#define SAME(text)           assert_string_equal(shown(text), text)
#define IS(text, printed)    assert_string_equal(shown(text), printed)
#define WRONG(text, message) assert_string_equal(complaint(text), message)

TEST(every_statement_is_read_and_printed)
{
    SAME("SHOW DATABASES");
    SAME("SHOW CONTINUOUS QUERIES");
    SAME("SHOW DIAGNOSTICS FOR 'build'");
    SAME("SHOW STATS FOR 'it\\'s'");
    SAME(
        "SHOW MEASUREMENTS ON db WITH MEASUREMENT =~ /c.*\\/x/ WHERE host = 'a' ORDER BY time DESC "
        "LIMIT 5 OFFSET 2");
    SAME("SHOW MEASUREMENTS WITH MEASUREMENT = db.rp.cpu");
    SAME(
        "SHOW TAG KEYS ON \"a b\" FROM cpu, /m/, db..x WITH KEY IN (a, \"b c\") WHERE x::tag = 'y' "
        "LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4");
    SAME("SHOW TAG VALUES FROM cpu WITH KEY = \"select\" WHERE time > now() - 1h");
    SAME("SHOW TAG VALUES WITH KEY !~ /x/");
    SAME("SHOW TAG VALUES EXACT CARDINALITY WITH KEY != a GROUP BY b");
    SAME("SHOW TAG VALUES CARDINALITY WITH KEY =~ //");
    SAME("SHOW TAG KEY CARDINALITY");
    SAME("SHOW TAG KEY EXACT CARDINALITY ON db FROM x WHERE a = 'b' LIMIT 1 OFFSET 1");
    SAME("SHOW FIELD KEYS ON db FROM a, b LIMIT 1");
    SAME("SHOW FIELD KEY CARDINALITY");
    SAME("SHOW FIELD KEY EXACT CARDINALITY");
    SAME("SHOW SERIES FROM cpu WHERE a = 'b'");
    SAME("SHOW SERIES CARDINALITY");
    SAME("SHOW SERIES EXACT CARDINALITY ON x");
    SAME("SHOW MEASUREMENT CARDINALITY");
    SAME("SHOW MEASUREMENT EXACT CARDINALITY");
    SAME("SHOW RETENTION POLICIES ON db");
    SAME("SHOW GRANTS FOR me");
    SAME("SHOW QUERIES");
    SAME("SHOW SHARDS");
    SAME("SHOW SHARD GROUPS");
    SAME("SHOW SUBSCRIPTIONS");
    SAME("SHOW USERS");
    SAME("CREATE DATABASE \"a\\\"b\"");
    SAME("CREATE DATABASE x WITH DURATION 3d REPLICATION 1 SHARD DURATION 1h NAME liquid");
    IS("CREATE DATABASE x WITH DURATION INF", "CREATE DATABASE x WITH DURATION 0s");
    SAME("CREATE RETENTION POLICY a ON b DURATION 90m REPLICATION 2 SHARD DURATION 1w DEFAULT");
    IS("ALTER RETENTION POLICY a ON b DURATION 1h30m1s",
       "ALTER RETENTION POLICY a ON b DURATION 5401s");
    SAME("DROP RETENTION POLICY a ON b");
    IS("ALTER RETENTION POLICY default ON b DEFAULT SHARD DURATION 2d",
       "ALTER RETENTION POLICY \"default\" ON b SHARD DURATION 2d DEFAULT");
    IS("CREATE USER u WITH PASSWORD 'secret' WITH ALL PRIVILEGES",
       "CREATE USER u WITH PASSWORD '[REDACTED]' WITH ALL PRIVILEGES");
    IS("SET PASSWORD FOR u = 'secret'", "SET PASSWORD FOR u = '[REDACTED]'");
    SAME("CREATE SUBSCRIPTION s ON d.r DESTINATIONS ALL 'http://a', 'udp://b'");
    SAME("DROP SUBSCRIPTION s ON d.r");
    SAME("CREATE CONTINUOUS QUERY q ON d RESAMPLE EVERY 1h FOR 2h BEGIN SELECT mean(x) INTO y FROM "
         "z "
         "GROUP BY time(1h) END");
    SAME("DROP CONTINUOUS QUERY q ON d");
    SAME("DROP DATABASE x");
    SAME("DROP MEASUREMENT \"a b\"");
    SAME("DROP SERIES FROM a WHERE b = 'c'");
    SAME("DELETE FROM rp.a");
    SAME("DELETE WHERE time < 5");
    SAME("DROP SHARD 7");
    SAME("DROP USER u");
    SAME("GRANT READ ON d TO u");
    SAME("GRANT ALL PRIVILEGES TO u");
    IS("REVOKE ALL ON d FROM u", "REVOKE ALL PRIVILEGES ON d FROM u");
    SAME("KILL QUERY 18446744073709551615 ON host");
    SAME("EXPLAIN ANALYZE SELECT x FROM y");
}

TEST(select_is_read_whole)
{
    SAME("SELECT *, *::field, *::tag, /x\\/y/, count(DISTINCT a), distinct(b), top(v, 3) AS best, "
         "-a, "
         "-(b), -c(d) FROM cpu");
    SAME("SELECT mean(\"usage idle\") AS m INTO db.rp.out FROM db.rp.cpu, rp.mem, db..disk, /c.*/, "
         "db.rp./x/, (SELECT x FROM (SELECT y AS x FROM z LIMIT 1)) WHERE host::tag = 'a' AND "
         "(v::field > 1.5 OR w::integer <= -3) AND r !~ /q/ GROUP BY time(10s, -1m), host, /r/, * "
         "fill(previous) ORDER BY time DESC LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4 "
         "tz('Europe/Berlin')");
    SAME("SELECT a INTO rp.:MEASUREMENT FROM b");
    SAME("SELECT a INTO db.rp.:MEASUREMENT FROM b");
    SAME("SELECT a FROM b fill(-1.5)");
    SAME("SELECT a FROM b fill(none)");
    IS("select A from B where time>='2020-01-01' and time<now()-1w2d",
       "SELECT A FROM B WHERE time >= '2020-01-01' AND time < now() - 9d");
    IS("SELECT a FROM b -- to the end\n/* and */ LIMIT /* here */ 3", "SELECT a FROM b LIMIT 3");
    IS("SELECT a.b.c FROM d", "SELECT \"a.b.c\" FROM d");
    IS("SELECT Mean(a) FROM d", "SELECT mean(a) FROM d");
}

TEST(numbers_and_operators)
{
    IS("SELECT a + b * c - d | e & f ^ g % h / i FROM m",
       "SELECT a + b * c - d | e & f ^ g % h / i FROM m");
    IS("SELECT 1., .5, 0.1, 123456789012345678.0 FROM m",
       "SELECT 1.0, 0.5, 0.1, 123456789012345680.0 FROM m");
    SAME("SELECT 9223372036854775807, -9223372036854775808, 18446744073709551615 FROM m");
    IS("SELECT 1u, 2\xc2\xb5, 3ms, 4ns, 60s, 90s FROM m",
       "SELECT 1u, 2u, 3ms, 4ns, 1m, 90s FROM m");
    ASSERT_OK(parse("SELECT a FROM m WHERE a = 1 OR b = 2 AND c = 3 + 4 * 5", NULL));
    const arka_influxql_expr *e = list.items[0].query.condition;
    assert_int_equal(e->op, ARKA_INFLUXQL_OR);
    assert_int_equal(e->right->op, ARKA_INFLUXQL_AND);
    assert_int_equal(e->right->right->right->op, ARKA_INFLUXQL_ADD);
    assert_int_equal(e->right->right->right->right->op, ARKA_INFLUXQL_MUL);
    WRONG("SELECT 18446744073709551616 FROM m", "unable to parse integer at line 1, char 8");
    WRONG("SELECT -18446744073709551615 FROM m", "constant -18446744073709551615 underflows int64");
}

TEST(statements_are_parted_by_semicolons)
{
    IS("SHOW DATABASES; DROP DATABASE \"a;b\" ;; SHOW DATABASES;",
       "SHOW DATABASES; DROP DATABASE \"a;b\"; SHOW DATABASES");
    IS("", "");
    IS(" ;; -- nothing", "");
    ASSERT_OK(parse(" SHOW  USERS  ; SHOW DATABASES", NULL));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.items[0].text.len, 11);
    assert_memory_equal(list.items[0].text.data, "SHOW  USERS", 11);
    WRONG("SHOW DATABASES SHOW DATABASES", "found SHOW, expected ; at line 1, char 16");
}

TEST(complaints_are_those_of_influxdb)
{
    static const char STATEMENTS[] =
        "SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL";
    char whole[200];
    snprintf(whole, sizeof whole, "found x, expected %s at line 1, char 1", STATEMENTS);
    WRONG("x", whole);
    WRONG("'x", whole);
    WRONG("SHOW", "found EOF, expected CONTINUOUS, DATABASES, DIAGNOSTICS, FIELD, GRANTS, "
                  "MEASUREMENT, MEASUREMENTS, QUERIES, RETENTION, SERIES, SHARD, SHARDS, STATS, "
                  "SUBSCRIPTIONS, TAG, USERS at line 1, char 6");
    WRONG("SHOW TAG", "found EOF, expected KEY, KEYS, VALUES at line 1, char 10");
    WRONG("SHOW MEASUREMENT", "found EOF, expected EXACT, CARDINALITY at line 1, char 18");
    WRONG("CREATE", "found EOF, expected CONTINUOUS, DATABASE, USER, RETENTION, SUBSCRIPTION at "
                    "line 1, char 8");
    WRONG("SHOW TAG VALUES", "found EOF, expected WITH at line 1, char 17");
    WRONG("SHOW TAG VALUES WITH KEY < a", "found <, expected IN, =, =~ at line 1, char 26");
    WRONG("SELECT *", "found EOF, expected FROM at line 1, char 9");
    WRONG("SELECT *\n  FROM\r\n  ;", "found ;, expected identifier at line 3, char 3");
    WRONG("SELECT * FROM cpu WHERE host =~ 'a'", "found a, expected regex at line 1, char 32");
    WRONG("SELECT * FROM cpu WHERE host =", "found EOF, expected identifier, string, number, bool "
                                            "at line 1, char 31");
    WRONG("SELECT \"a\\q\" FROM cpu",
          "found \\q, expected identifier, string, number, bool at line 1, char 11");
    WRONG("SELECT * FROM cpu LIMIT -1", "found -, expected integer at line 1, char 25");
    WRONG("SELECT * FROM cpu ORDER BY host", "only ORDER BY time supported at this time");
    WRONG("SELECT a = b FROM cpu",
          "invalid operator = in SELECT clause at line 1, char 8; operator "
          "is intended for WHERE clause");
    WRONG("SELECT a FROM a.b.c.d", "too many segments in \"a\".\"b\".\"c\".d at line 1, char 1");
    WRONG("SELECT $x FROM cpu", "missing parameter: x");
    WRONG("SELECT * FROM cpu fill()",
          "fill requires an argument, e.g.: 0, null, none, previous, linear");
    WRONG("CREATE DATABASE 'x'", "found x, expected identifier at line 1, char 16");
    WRONG("CREATE DATABASE x WITH DURATION 1x", "invalid duration at line 1, char 33");
    WRONG("CREATE DATABASE x WITH DURATION 1h REPLICATION 0",
          "invalid value 0: must be 1 <= n <= 2147483647 at line 1, char 48");
    WRONG("DROP SERIES", "found EOF, expected FROM, WHERE at line 1, char 13");
    WRONG(
        "SHOW # DATABASES",
        "found #, expected CONTINUOUS, DATABASES, DIAGNOSTICS, FIELD, GRANTS, MEASUREMENT, "
        "MEASUREMENTS, QUERIES, RETENTION, SERIES, SHARD, SHARDS, STATS, SUBSCRIPTIONS, TAG, USERS "
        "at line 1, char 6");
}

TEST(parameters_are_values_never_text)
{
    static const arka_influxql_param ITEMS[] = {
        {{"s", 1}, ARKA_INFLUXQL_PARAM_STRING, {"a' OR 'b", 8}},
        {{"i", 1}, ARKA_INFLUXQL_PARAM_IDENTIFIER, {"x y", 3}},
        {{"r", 1}, ARKA_INFLUXQL_PARAM_REGEX, {"a/b", 3}},
        {{"n", 1}, ARKA_INFLUXQL_PARAM_INTEGER, {"7", 1}},
        {{"d", 1}, ARKA_INFLUXQL_PARAM_DURATION, {"90m", 3}},
        {{"t", 1}, ARKA_INFLUXQL_PARAM_BOOLEAN, {"true", 4}},
        {{"b", 1}, ARKA_INFLUXQL_PARAM_BAD, {"no such thing", 13}},
    };
    arka_influxql_params params = {ITEMS, 7};
    arka_buf b = ARKA_BUF_INIT;
    ASSERT_OK(parse("SELECT $i FROM $i WHERE a = $s AND b =~ $r AND c = $t AND time > now() - $d "
                    "LIMIT $n",
                    &params));
    arka_influxql_print(&list.items[0], &b);
    assert_string_equal(
        arka_buf_cstr(&b),
        "SELECT \"x y\" FROM \"x y\" WHERE a = 'a\\' OR \\'b' AND b =~ /a\\/b/ AND c "
        "= true AND time > now() - 90m LIMIT 7");
    arka_buf_fini(&b);
    ASSERT_FAILS(parse("SELECT $b FROM x", &params), ARKA_INPUT, "no such thing");
    ASSERT_FAILS(parse("SELECT a FROM $s", &params), ARKA_INPUT,
                 "found a' OR 'b, expected identifier");
    arka_arena_fini(&arena);
}

TEST(depth_is_bounded)
{
    static char text[40000];
    size_t n = (size_t)snprintf(text, sizeof text, "SELECT ");
    memset(text + n, '(', 101);
    ASSERT_FAILS(parse(text, NULL), ARKA_INPUT, "more than 100 parentheses");
    n = (size_t)snprintf(text, sizeof text, "SELECT a");
    for (int i = 1; i < 2000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "+a");
    snprintf(text + n, sizeof text - n, " FROM m");
    ASSERT_OK(parse(text, NULL));
    snprintf(text + n, sizeof text - n, "+a FROM m");
    ASSERT_FAILS(parse(text, NULL), ARKA_INPUT, "more than 2000 operators");
    arka_arena_fini(&arena);
}

TEST(memory_that_runs_out_is_said)
{
    for (long n = 1;; n++) {
        arka_arena_fini(&arena);
        err = (arka_error){0};
        kit_fail_allocation(n, false);
        arka_status status = arka_influxql_parse(
            ARKA_SLICE(
                "SELECT mean(\"a\\\"b\") FROM x.y.z, /q\\/r/ WHERE a = 'b\\n' GROUP BY c; SHOW "
                "TAG VALUES WITH KEY IN (a, b)"),
            NULL, &arena, &list, &err);
        bool failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        if (!failed)
            break;
        assert_int_equal(status, ARKA_NOMEM);
    }
    assert_int_equal(list.n, 2);
    arka_arena_fini(&arena);
}
