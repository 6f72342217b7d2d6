#include <duckdb.h>

#include "kit/kit.h"
#include "sql/functions.h"

static const char *const ALLOWED[] = {
#define ALLOW(name) name,
#include "sql/functions.def"
#undef ALLOW
};
static const char *const DENIED[] = {
#define DENY(name) name,
#include "sql/functions.def"
#undef DENY
};

static void check_order(const char *const *names, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (strcmp(names[i - 1], names[i]) >= 0)
            fail_msg("\"%s\" does not stand before \"%s\"", names[i - 1], names[i]);
}

TEST(the_lists_are_in_order_and_apart)
{
    check_order(ALLOWED, sizeof ALLOWED / sizeof *ALLOWED);
    check_order(DENIED, sizeof DENIED / sizeof *DENIED);
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++) {
        assert_true(arka_function_allowed(arka_slice_of(ALLOWED[i])));
        if (arka_function_denied(arka_slice_of(ALLOWED[i])))
            fail_msg("\"%s\" is in both lists", ALLOWED[i]);
    }
}

TEST(every_function_of_the_library_is_in_a_list)
{
    duckdb_database database;
    duckdb_connection connection;
    duckdb_result result;
    assert_int_equal(duckdb_open(NULL, &database), DuckDBSuccess);
    assert_int_equal(duckdb_connect(database, &connection), DuckDBSuccess);
    assert_int_equal(duckdb_query(connection,
                                  "SELECT DISTINCT function_name FROM duckdb_functions() WHERE "
                                  "function_type IN ('scalar', 'aggregate', 'macro', 'window')",
                                  &result),
                     DuckDBSuccess);
    int n = 0, unknown = 0;
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(result)) != NULL;) {
        duckdb_string_t *names = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++, n++) {
            arka_slice name = {duckdb_string_t_data(&names[i]), duckdb_string_t_length(names[i])};
            if (!arka_function_allowed(name) && !arka_function_denied(name)) {
                print_message("in neither list of functions.def: %.*s\n", ARKA_FMT(name));
                unknown++;
            }
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    assert_true(n > 700);
    assert_int_equal(unknown, 0);
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
}

TEST(names_compare_without_case_and_whole)
{
    assert_true(arka_function_allowed(ARKA_SLICE("Date_Trunc")));
    assert_true(arka_function_allowed(ARKA_SLICE("+")));
    assert_false(arka_function_allowed(ARKA_SLICE("date_trun")));
    assert_false(arka_function_allowed(ARKA_SLICE("")));
    assert_false(arka_function_allowed(ARKA_SLICE("abs\0x")));
    assert_false(arka_function_allowed(ARKA_SLICE("getenv")));
    assert_true(arka_function_denied(ARKA_SLICE("GETENV")));
    assert_true(arka_table_function_allowed(ARKA_SLICE("RANGE")));
    assert_false(arka_table_function_allowed(ARKA_SLICE("read_parquet")));
}
