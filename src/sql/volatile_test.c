/* The list of what is unstable, against the library's own word. */
#include "sql/volatile.h"

#include <duckdb.h>
#include <string.h>

#include "kit/kit.h"
#include "sql/functions.h"
#include "sql/inspect.h"

static const char *const NAMES[] = {
#define X(name) #name,
#include "sql/volatile.def"
#undef X
};

static duckdb_database database;
static duckdb_connection connection;
static arka_parser parser;

static void open_library(void)
{
    assert_int_equal(duckdb_open(NULL, &database), DuckDBSuccess);
    assert_int_equal(duckdb_connect(database, &connection), DuckDBSuccess);
    assert_int_equal(arka_parser_init(&parser, connection, NULL), ARKA_OK);
}

static void close_library(void)
{
    arka_parser_fini(&parser);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
}

TEST(the_list_is_in_order)
{
    for (size_t i = 1; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(NAMES[i - 1], NAMES[i]) >= 0)
            fail_msg("\"%s\" does not stand before \"%s\"", NAMES[i - 1], NAMES[i]);
}

TEST(every_function_that_the_library_calls_unstable_is_listed)
{
    duckdb_result result;
    int n = 0, missing = 0;
    open_library();
    assert_int_equal(
        duckdb_query(connection,
                     "SELECT DISTINCT function_name FROM duckdb_functions() WHERE "
                     "stability <> 'CONSISTENT' OR macro_definition ILIKE '%current_%' "
                     "OR macro_definition ILIKE '%now()%'",
                     &result),
        DuckDBSuccess);
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(result)) != NULL;) {
        duckdb_string_t *names = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++, n++) {
            arka_slice name = {duckdb_string_t_data(&names[i]), duckdb_string_t_length(names[i])};
            if (arka_function_allowed(name) && !arka_name_is_volatile(name)) {
                print_message("not in volatile.def: %.*s\n", ARKA_FMT(name));
                missing++;
            }
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    close_library();
    assert_true(n > 15);
    assert_int_equal(missing, 0);
}

static bool is_volatile(const char *text)
{
    arka_error err = {0};
    ARKA_AUTO(arka_inspection) i = NULL;
    if (arka_inspect(&parser, arka_slice_of(text), &i, &err) != ARKA_OK)
        fail_msg("%s: %s", text, err.msg);
    return i->is_volatile;
}

TEST(statements_tell_whether_they_are_stable)
{
    static const char *const STABLE[] = {
        "SELECT 1",
        "SELECT host, avg(usage) FROM cpu WHERE time > '2026-01-01' GROUP BY ALL",
        "SELECT 'now()', \"random column\" FROM cpu",
        "WITH a AS (SELECT * FROM cpu) SELECT count(*) FROM a",
        "SELECT date_trunc('hour', time) FROM cpu ORDER BY 1 LIMIT 3",
    };
    static const char *const UNSTABLE[] = {
        "SELECT now()",
        "SELECT NOW() - INTERVAL '15 minutes'",
        "SELECT current_timestamp",
        "SELECT * FROM cpu WHERE time > CURRENT_DATE",
        "SELECT * FROM cpu WHERE time > (SELECT max(a) FROM (SELECT today() AS a))",
        "SELECT random()",
        "SELECT list_transform([1, 2], x -> x + random())",
        "SELECT * FROM cpu USING SAMPLE 5 ROWS",
        "SELECT * FROM cpu TABLESAMPLE 10%",
        "SELECT age(time) FROM cpu",
        "SELECT \"now\"()",
        "SELECT count(*) FILTER (WHERE time < now()) FROM cpu",
        "SELECT sum(a) OVER (ORDER BY uuid()) FROM cpu",
        "WITH a AS (SELECT gen_random_uuid()) SELECT * FROM a",
        "SELECT 1 UNION ALL SELECT random()",
    };
    open_library();
    for (size_t i = 0; i < sizeof STABLE / sizeof *STABLE; i++)
        if (is_volatile(STABLE[i]))
            fail_msg("called unstable: %s", STABLE[i]);
    for (size_t i = 0; i < sizeof UNSTABLE / sizeof *UNSTABLE; i++)
        if (!is_volatile(UNSTABLE[i]))
            fail_msg("called stable: %s", UNSTABLE[i]);
    close_library();
}
