/*
 * The layers below the inspection: what a statement could do if it reached DuckDB uninspected. Each
 * is put to a session's own connection, past everything that would refuse it.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "kit/sql.h"
#include "sql/system.h"

static const char CANARY[] = "CANARY-7f3a";
static char outside[200]; /* a directory beside the data directory, with files to be read */

static void write_file(const char *directory, const char *name, const char *content)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
}

static bool sees_nothing(const void *context, arka_slice database)
{
    return false;
}
static bool sees_no_table(const void *context, arka_slice database, arka_slice table)
{
    return false;
}

static void open_layers(void)
{
    char text[100];
    open_service_with("layers", (arka_sql_options){.threads = 2, .max_sessions = 2});
    put("vault", "ledger", "time:t canary:s", "1 CANARY-7f3a");
    put("vault", "filed", "time:t canary:s", "1 CANARY-7f3a");
    flush("vault", "filed");
    check_rows("SELECT canary FROM vault.ledger UNION ALL SELECT canary FROM vault.filed",
               "CANARY-7f3a|CANARY-7f3a"); /* DuckDB has their views */
    /* "layers-outside": its path begins as the data directory's does */
    snprintf(outside, sizeof outside, "%s/layers-outside", kit_tmpdir());
    assert_int_equal(mkdir(outside, 0700), 0);
    snprintf(text, sizeof text, "a\n%s\n", CANARY);
    write_file(outside, "canary.csv", text);
    write_file(outside, "canary.json", "{\"a\": \"CANARY-7f3a\"}");
    assert_int_equal(setenv("ARKA_CANARY", CANARY, 1), 0);
}

static arka_session *session(void)
{
    arka_session *s = &sql->instance->sessions[0];
    s->visibility = (arka_visibility){.database = sees_nothing, .table = sees_no_table};
    return s;
}

/* '@' in the statement is the directory outside. Everything that it answers, or NULL: it failed. */
static char *run_raw(const char *statement, arka_buf *out)
{
    arka_buf text = ARKA_BUF_INIT;
    duckdb_result result;
    for (const char *p = statement; *p; p++)
        arka_buf_printf(&text, *p == '@' ? "%s" : "%.1s", *p == '@' ? outside : p);
    bool ok = duckdb_query(session()->connection, arka_buf_cstr(&text), &result) == DuckDBSuccess;
    arka_buf_clear(out);
    for (idx_t r = 0; ok && r < duckdb_row_count(&result); r++)
        for (idx_t c = 0; c < duckdb_column_count(&result); c++) {
            char *value = duckdb_value_varchar(&result, c, r);
            arka_buf_printf(out, "%s ", value ? value : "-");
            duckdb_free(value);
        }
    if (!ok)
        arka_buf_text(out, duckdb_result_error(&result));
    arka_buf_cstr(out);
    duckdb_destroy_result(&result);
    arka_buf_fini(&text);
    return ok ? out->data : NULL;
}

static const char *const REFUSED[] = {
    /* files */
    "SELECT * FROM read_text('@/canary.csv')",
    "SELECT * FROM read_blob('@/canary.csv')",
    "SELECT * FROM read_csv('@/canary.csv')",
    "SELECT * FROM read_json('@/canary.json')",
    "SELECT * FROM read_parquet('@/canary.csv')",
    "SELECT * FROM parquet_metadata('@/canary.csv')",
    "SELECT * FROM sniff_csv('@/canary.csv')",
    "SELECT * FROM '@/canary.csv'",
    "SELECT * FROM read_text('@/../layers/../layers-outside/canary.csv')",
    "SELECT * FROM read_text('@/../layers.manifest')",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_text('/proc/self/cmdline')",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    "SELECT * FROM read_text('file://@/canary.csv')",
    "SELECT * FROM glob('@/*')",
    "COPY (SELECT 1) TO '@/out.csv'",
    "COPY (SELECT 1) TO '@/out.parquet' (FORMAT parquet)",
    "EXPORT DATABASE '@/out'",
    "IMPORT DATABASE '@/out'",
    "ATTACH '@/out.db'",
    "ATTACH '@/out.db' AS x (READ_ONLY)",
    "CREATE TABLE \"arc:\".main.x AS FROM read_csv('@/canary.csv')",
    /* extensions and secrets */
    "INSTALL httpfs",
    "FORCE INSTALL httpfs FROM '@'",
    "LOAD httpfs",
    "LOAD '@/x.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "CREATE SECRET x (TYPE s3)",
    "CREATE PERSISTENT SECRET x (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "SELECT getenv('ARKA_CANARY')",
    /* settings */
    "SET enable_external_access = true",
    "SET GLOBAL enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET allowed_directories = ['/']",
    "SET allowed_paths = ['/etc/passwd']",
    "SET allowed_configs = ['threads']",
    "SET memory_limit = '1TB'",
    "SET threads = 100",
    "SET temp_directory = '@'",
    "SET max_temp_directory_size = '1TB'",
    "SET extension_directory = '@'",
    "SET secret_directory = '@'",
    "SET home_directory = '@'",
    "SET autoload_known_extensions = true",
    "SET autoinstall_known_extensions = true",
    "SET allow_community_extensions = true",
    "SET allow_unsigned_extensions = true",
    "SET custom_extension_repository = 'http://127.0.0.1:1'",
    "SET TimeZone = 'Europe/Berlin'",
    "SET profiling_output = '@/profile'",
    "PRAGMA profiling_output = '@/profile'",
    "PRAGMA profile_output = '@/profile'",
    "SET log_query_path = '@/log'",
    "PRAGMA enable_profiling = 'json'",
    /* tables that the query did not pin */
    "SELECT * FROM vault.ledger",
    "SELECT * FROM vault.filed",
    "SELECT count(*) FROM \"arc:\".vault.filed",
    "SELECT * FROM arc_hot('vault', 'ledger', '54:time', 1)",
    "SELECT arc_files('vault', 'filed')",
    "SELECT * FROM read_parquet(arc_files('vault', 'filed'))",
    "DESCRIBE vault.filed",
    "SELECT * FROM arc_system('_arc', 'nothing')",
};

/* What is answered, and has nothing in it. */
static const char *const HARMLESS[] = {
    "SELECT * FROM arc_databases()",
    "SELECT * FROM arc_tables('')",
    "SELECT * FROM arc_tables('vault')",
    "SELECT * FROM arc_system('information_schema:', 'columns')",
    "SELECT * FROM \"information_schema:\".tables",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_variables()",
    "SELECT * FROM duckdb_logs()",
};

static void check_nothing_written(void)
{
    char path[300];
    static const char *const FILES[] = {"out.csv",
                                        "out.parquet",
                                        "out",
                                        "out.db",
                                        "profile",
                                        "log",
                                        "duckdb_log_entries.csv",
                                        "duckdb_log_contexts.csv"};
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", outside, FILES[i]);
        if (access(path, F_OK) == 0)
            fail_msg("%s was written", path);
    }
}

TEST(below_the_inspection_nothing_outside_is_reached)
{
    arka_buf out = ARKA_BUF_INIT;
    open_layers();
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        if (run_raw(REFUSED[i], &out) != NULL)
            fail_msg("%s: answered %s", REFUSED[i], out.data);
        if (strstr(out.data, CANARY) != NULL)
            fail_msg("%s: %s", REFUSED[i], out.data);
    }
    for (size_t i = 0; i < sizeof HARMLESS / sizeof *HARMLESS; i++) {
        if (run_raw(HARMLESS[i], &out) == NULL)
            fail_msg("%s: refused: %s", HARMLESS[i], out.data);
        if (strstr(out.data, "vault") != NULL || strstr(out.data, CANARY) != NULL)
            fail_msg("%s: %s", HARMLESS[i], out.data);
    }
    check_nothing_written();
    arka_buf_fini(&out);
    session()->visibility = (arka_visibility){0};
    check_rows("SELECT canary FROM vault.ledger", CANARY); /* the session is as it was */
    close_service();
}

TEST(the_configuration_is_what_it_should_be)
{
    static const char *const EXPECTED[][2] = {
        {"enable_external_access", "false"},     {"lock_configuration", "true"},
        {"autoload_known_extensions", "false"},  {"autoinstall_known_extensions", "false"},
        {"allow_community_extensions", "false"}, {"allow_unsigned_extensions", "false"},
        {"allow_persistent_secrets", "false"},   {"TimeZone", "UTC"},
        {"max_temp_directory_size", "3.0 MiB"},  {"allowed_configs", "[schema]"},
    };
    arka_buf out = ARKA_BUF_INIT;
    open_service_with("configuration", (arka_sql_options){.threads = 1, .max_temp_bytes = 3 << 20});
    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++) {
        char text[200];
        snprintf(text, sizeof text, "SELECT value FROM duckdb_settings() WHERE name = '%s'",
                 EXPECTED[i][0]);
        assert_non_null(run_raw(text, &out));
        if (strncmp(out.data, EXPECTED[i][1], strlen(EXPECTED[i][1])) != 0)
            fail_msg("%s is %s", EXPECTED[i][0], out.data);
    }
    /* the only places: the data directory, and the file without rows */
    assert_non_null(
        run_raw("SELECT value FROM duckdb_settings() WHERE name = 'allowed_directories'", &out));
    assert_non_null(strstr(out.data, "/configuration/]"));
    assert_null(strchr(out.data, ','));
    assert_non_null(
        run_raw("SELECT value FROM duckdb_settings() WHERE name = 'allowed_paths'", &out));
    assert_null(strchr(out.data, ','));
    arka_buf_fini(&out);
    close_service();
}

TEST(spilling_ends_at_its_limit)
{
    char spill[200];
    snprintf(spill, sizeof spill, "%s/spill", kit_tmpdir());
    open_service_with("spilling", (arka_sql_options){.threads = 1,
                                                     .memory_limit_bytes = 64 << 20,
                                                     .max_temp_bytes = 8 << 20,
                                                     .temp_dir = spill});
    check_fails("SELECT count(*) FROM (SELECT DISTINCT range, repeat('x', 100) || range FROM "
                "range(3000000))",
                ARKA_LIMIT, "Out of Memory");
    check_rows("SELECT 1", "1");
    close_service();
}
