#include <duckdb.h>

#include "base/buf.h"
#include "kit/kit.h"
#include "sql/growth.h"
#include "sql/inspect.h"

static duckdb_database database;
static duckdb_connection connection;
static arka_parser parser;

static void connect_once(void)
{
    arka_error err = {0};
    if (connection != NULL)
        return;
    assert_int_equal(duckdb_open(NULL, &database), DuckDBSuccess);
    assert_int_equal(duckdb_connect(database, &connection), DuckDBSuccess);
    ASSERT_OK(arka_parser_init(&parser, connection, &err));
}

__attribute__((destructor)) static void disconnect(void)
{
    arka_parser_fini(&parser);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
}

static arka_status parse(const char *text, arka_error *err)
{
    const arka_tree *node;
    arka_arena arena = ARKA_ARENA_INIT;
    arka_text t = {.user = arka_slice_of(text), .sql = arka_slice_of(text)};
    connect_once();
    arka_status status = arka_parse_sql(&parser, &t, 0, &arena, &node, err);
    arka_arena_fini(&arena);
    return status;
}

static void check_allowed(const char *text)
{
    arka_error err = {0};
    if (parse(text, &err) != ARKA_OK)
        fail_msg("%s: refused: %s", text, err.msg);
}

static void check_refused(const char *text, const char *says)
{
    arka_error err = {0};
    if (parse(text, &err) != ARKA_INPUT)
        fail_msg("%s: allowed", text);
    if (strstr(err.msg, says) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err.msg, says);
}

/* `open` n times, then middle, then `close` n times; between `before` and `after`. */
static const char *nest(const char *before, const char *open, int n, const char *middle,
                        const char *close, const char *after)
{
    static char text[40000];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", before);
    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", open);
    at += (size_t)snprintf(text + at, sizeof text - at, "%s", middle);
    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", close);
    at += (size_t)snprintf(text + at, sizeof text - at, "%s", after);
    assert_true(at < sizeof text);
    return text;
}

TEST(what_doubles_is_bounded)
{
    static const struct {
        const char *open, *middle, *close;
        int fine, much;
        const char *says;
    } CASES[] = {
        {"SELECT *,* FROM (", "SELECT 1", ")", 8, 14, "columns"},
        {"SELECT a.*, b.* FROM (", "SELECT 1 x", ") a, (SELECT 1 y) b", 100, 0, ""},
        {"SELECT COLUMNS(*), COLUMNS(*) FROM (", "SELECT 1", ")", 8, 14, "columns"},
        {"SELECT {'a': a, 'b': a} AS a FROM (", "SELECT 1 AS a", ")", 8, 14, "struct members"},
        {"SELECT row(a, a) AS a FROM (", "SELECT 1 AS a", ")", 8, 14, "struct members"},
        {"SELECT MAP {a: a} AS a FROM (", "SELECT 1 AS a", ")", 8, 14, "struct members"},
        {"SELECT a + a AS a FROM (", "SELECT 1 AS a", ")", 100, 0, ""},
        {"SELECT [a, a] AS a FROM (", "SELECT 1 AS a", ")", 100, 0, ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        check_allowed(nest("", CASES[i].open, CASES[i].fine, CASES[i].middle, CASES[i].close, ""));
        if (CASES[i].much > 0)
            check_refused(
                nest("", CASES[i].open, CASES[i].much, CASES[i].middle, CASES[i].close, ""),
                CASES[i].says);
    }
}

static void check_expression(const char *open, const char *middle, const char *close, int fine,
                             int much, const char *says)
{
    check_allowed(nest("SELECT ", open, fine, middle, close, " FROM t"));
    check_refused(nest("SELECT ", open, much, middle, close, " FROM t"), says);
}

TEST(macros_lambdas_and_operands_of_case_are_bounded)
{
    check_expression("nullif(", "x", ", 2)", 8, 12, "1000000 expressions");
    check_expression("FMOD(", "x", ", 2)", 8, 12, "1000000 expressions");
    check_expression("list_transform([1], x -> ", "x", ")", 12, 22, "1000000 expressions");
    check_expression("[[", "1", " FOR x IN [1]] FOR x IN [1]]", 5, 12, "1000000 expressions");
    check_expression("coalesce(", "x", ", 2)", 300, 999, "depth");
    check_expression("CASE ", "x", " WHEN 1 THEN 1 WHEN 2 THEN 2 END", 1, 2,
                     "CASE with an operand");
    check_expression("CASE x WHEN 1 THEN ", "x", " ELSE 2 END", 100, 999, "depth");
    check_expression("CASE WHEN x = ", "1", " THEN 1 END", 100, 999, "depth");
    check_refused("SELECT CASE (SELECT (1 + CASE/**/x WHEN 1 THEN 2 END)) WHEN 1 THEN 2 END FROM t",
                  "\n\nLINE 1: SELECT CASE (SELECT (1 + CASE/**/x WHEN");
    check_allowed("SELECT CASE CASE WHEN x THEN 1 END WHEN 1 THEN 2 END, CASE x WHEN 1 THEN CASE y "
                  "WHEN 1 THEN 2 END ELSE CASE z WHEN 2 THEN 3 END END FROM t");
    check_allowed("SELECT 1 AS case, t.case, 2 AS end, 'CASE x', \"CASE\" "
                  "FROM t -- CASE x CASE x CASE x");
}

TEST(aliases_and_ctes_are_bounded)
{
    arka_buf aliases = ARKA_BUF_INIT, ctes = ARKA_BUF_INIT, stars = ARKA_BUF_INIT;
    arka_buf_text(&aliases, "SELECT 1 AS a0");
    arka_buf_text(&ctes, "WITH a0 AS (SELECT 1 x)");
    arka_buf_text(&stars, "WITH a0 AS (SELECT 1 x)");
    for (int i = 0; i < 22; i++) {
        arka_buf_printf(&aliases, ", a%d + A%d AS a%d", i, i, i + 1);
        arka_buf_printf(&ctes, ", a%d AS NOT MATERIALIZED (SELECT a.x FROM a%d a, A%d b)", i + 1, i,
                        i);
        arka_buf_printf(&stars, ", a%d AS (SELECT *, * FROM a%d)", i + 1, i);
        if (i == 8) {
            char text[4000];
            check_allowed(arka_buf_cstr(&aliases));
            snprintf(text, sizeof text, "%s SELECT * FROM a9", arka_buf_cstr(&ctes));
            check_allowed(text);
            snprintf(text, sizeof text, "%s SELECT * FROM a9", arka_buf_cstr(&stars));
            check_allowed(text);
        }
    }
    check_refused(arka_buf_cstr(&aliases), "1000000 expressions");
    arka_buf_text(&ctes, " SELECT * FROM a22");
    arka_buf_text(&stars, " SELECT 1 FROM a22");
    check_refused(arka_buf_cstr(&ctes), "queries");
    check_refused(arka_buf_cstr(&stars), "columns");
    arka_buf_fini(&aliases);
    arka_buf_fini(&ctes);
    arka_buf_fini(&stars);
}

TEST(grouping_sets_are_counted)
{
    check_allowed("SELECT 1 FROM t GROUP BY CUBE(a, b, c, d, e, f, g, h)");
    check_refused("SELECT 1 FROM t GROUP BY CUBE(a, b, c, d, e), CUBE(f, g, h, i, j)",
                  "1023 grouping sets are too many");
    check_refused(
        "SELECT 1 FROM (SELECT (SELECT 1 FROM t GROUP BY CUBE(a, b, c, d, e, f, g, h, i, j)))",
        "grouping sets are too many");
}

/* A macro of a newer library that repeats an argument has to be known here. */
TEST(macros_that_repeat_an_argument_are_known)
{
    duckdb_result result;
    connect_once();
    static const char query[] =
        "SELECT DISTINCT function_name || '(' || array_to_string(list_transform(parameters, p -> "
        "'x'), ', ') || ')' FROM (SELECT function_name, parameters, unnest(parameters) AS p, "
        "macro_definition AS body FROM duckdb_functions() WHERE function_type = 'macro') "
        "WHERE len(regexp_extract_all(body, '\\b' || p || '\\b')) > 1 "
        "AND function_name NOT SIMILAR TO 'pg_.*|format_.*|map_to_pg_oid|col_.*|obj_.*|shobj_.*'";
    assert_int_equal(duckdb_query(connection, query, &result), DuckDBSuccess);
    int n = 0;
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(result)) != NULL;) {
        duckdb_string_t *calls = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++, n++) {
            arka_slice call = {duckdb_string_t_data(&calls[i]), duckdb_string_t_length(calls[i])};
            size_t name = (size_t)((char *)memchr(call.data, '(', call.len) - call.data);
            char open[100], close[200];
            snprintf(open, sizeof open, "%.*s(", (int)name, call.data);
            const char *rest = memchr(call.data, ',', call.len);
            snprintf(close, sizeof close, "%.*s", rest ? (int)(call.data + call.len - rest) : 1,
                     rest ? rest : ")");
            check_expression(open, "x", close, 5, 12, "1000000 expressions");
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    assert_true(n >= 10);
    duckdb_destroy_result(&result);
}

TEST(statements_as_people_write_them_are_small)
{
    check_allowed("SELECT coalesce(nullif(split_part(a, ',', 1), ''), nullif(nullif(b, ''), 'x')), "
                  "round(nullif(v, 0) / nullif(w, 0), 2) FROM t");
    check_allowed("WITH a AS (SELECT * FROM t), b AS (SELECT a.*, u.* FROM a JOIN u USING (k)), "
                  "c AS (SELECT b.*, b2.* FROM b JOIN b AS b2 USING (k)), d AS (SELECT * FROM c "
                  "UNION ALL SELECT * FROM c) SELECT * FROM d d1 JOIN d d2 ON d1.k = d2.k");
    check_allowed("SELECT x1 - x0 AS x1, x2 - x1 AS x2, x3 - x2 AS x3, x4 - x3 AS x4, x5 - x4 AS "
                  "x5, x6 - x5 AS x6, x7 - x6 AS x7, x8 - x7 AS x8, x9 - x8 AS x9 FROM t");
    check_allowed("SELECT {'a': {'b': {'c': {'d': x}, 'e': y}, 'f': z}, 'g': [{'h': x}]} FROM t");
    check_allowed("SELECT time_bucket(INTERVAL '1 minute', time) AS t, host, avg(v) AS v, "
                  "v / nullif(sum(v) OVER (PARTITION BY t), 0) AS share FROM cpu GROUP BY ALL "
                  "ORDER BY t, share DESC LIMIT 10");
}
