#include "config/settings.h"

#include "kit/kit.h"

static arka_error err;
static const char *const *variables; /* name, value, name, value, … NULL */

static char *get_variable(const char *name)
{
    static char value[200];
    for (const char *const *v = variables; v && *v; v += 2)
        if (strcmp(*v, name) == 0) {
            snprintf(value, sizeof value, "%s", v[1]);
            return value;
        }
    return NULL;
}

static const char *write_file(const char *text)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/arc.toml", kit_tmpdir());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void begin(arka_settings *s)
{
    err = (arka_error){0};
    variables = NULL;
    ASSERT_OK(arka_settings_init(s, &err));
}

TEST(defaults_are_usable_and_paths_follow_the_data_directory)
{
    arka_settings s;
    begin(&s);
    ASSERT_OK(arka_settings_finish(&s, &err));
    assert_string_equal(s.host, "127.0.0.1");
    assert_int_equal(s.port, 8000);
    assert_false(s.auth_enabled);
    assert_string_equal(s.base_path, "./data/arc");
    assert_string_equal(s.db_path, "./data/arc.db");
    assert_string_equal(s.temp_dir, "./data/duckdb_tmp");
    assert_string_equal(s.wal_dir, "./data/wal");
    assert_true(s.wal_enabled);
    assert_string_equal(s.wal_sync_mode, "fdatasync");
    assert_int_equal(s.source[ARKA_SETTING_port], ARKA_FROM_DEFAULT);
    arka_settings_fini(&s);
}

TEST(options_beat_the_environment_which_beats_the_file_which_beats_defaults)
{
    static const char *const ENV[] = {"ARC_PORT",  "9002", "BUFFER_SIZE", "22",
                                      "LOG_LEVEL", "",     NULL};
    arka_settings s;
    begin(&s);
    ASSERT_OK(arka_settings_read_file(&s,
                                      write_file("[server]\nport = 9001\nhost = \"::1\"\n"
                                                 "[ingestion]\nbuffer_size = 11\n"
                                                 "[logging]\nlevel = \"warn\"\n"
                                                 "[storage.local]\nbase_path = \"/x\"\n"),
                                      &err));
    variables = ENV;
    ASSERT_OK(arka_settings_read_environment(&s, get_variable, &err));
    ASSERT_OK(arka_settings_set(&s, arka_setting_of_option("--port"), ARKA_SLICE("9003"),
                                ARKA_FROM_OPTION, "option --port", &err));
    ASSERT_OK(arka_settings_finish(&s, &err));
    assert_int_equal(s.port, 9003);
    assert_int_equal(s.source[ARKA_SETTING_port], ARKA_FROM_OPTION);
    assert_int_equal(s.buffer_rows, 22);
    assert_int_equal(s.source[ARKA_SETTING_buffer_rows], ARKA_FROM_ENVIRONMENT);
    assert_string_equal(s.host, "::1");
    assert_string_equal(s.log_level, "warn"); /* an empty variable is no variable */
    assert_int_equal(s.source[ARKA_SETTING_log_level], ARKA_FROM_FILE);
    assert_string_equal(s.base_path, "/x");
    arka_settings_fini(&s);
}

TEST(the_first_of_several_environment_names_counts)
{
    static const char *const ENV[] = {"WRITE_BUFFER_SIZE", "2", "BUFFER_SIZE", "1", NULL};
    static const char *const ALIAS[] = {"WRITE_BUFFER_SIZE", "2", NULL};
    arka_settings s;
    begin(&s);
    variables = ENV;
    ASSERT_OK(arka_settings_read_environment(&s, get_variable, &err));
    assert_int_equal(s.buffer_rows, 1);
    variables = ALIAS;
    ASSERT_OK(arka_settings_read_environment(&s, get_variable, &err));
    assert_int_equal(s.buffer_rows, 2);
    arka_settings_fini(&s);
}

TEST(a_file_is_refused_with_its_name_and_line)
{
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"[server]\nprot = 1\n", "arc.toml:2:1: there is no setting 'server.prot', did you mean server.port?"},
        {"[server]\n\nport = \"8000\"\n", "arc.toml:3:1: server.port must be an integer, found a string"},
        {"[server]\nport = 70000\n",
         "toml:2:1: server.port = 70000 is out of range: it must be from 0 to 65535"},
        {"[auth]\nenabled = 1\n", "toml:2:1: auth.enabled must be a boolean, found an integer"},
        {"[duckdb]\nmemory_limit = \"lots\"\n",
         "toml:2:1: duckdb.memory_limit = 'lots' is not a size"},
        {"[server\n", "toml:1:8: found the end of the line, expected ']' after the table's name"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_settings s;
        begin(&s);
        ASSERT_FAILS(arka_settings_read_file(&s, write_file(CASES[i].text), &err), ARKA_INPUT,
                     CASES[i].says);
        arka_settings_fini(&s);
    }
    arka_settings s;
    begin(&s);
    ASSERT_FAILS(arka_settings_read_file(&s, "/nowhere/arc.toml", &err), ARKA_NOTFOUND,
                 "/nowhere/arc.toml");
    arka_settings_fini(&s);
}

TEST(an_environment_variable_is_refused_by_name)
{
    static const char *const PORT[] = {"ARC_PORT", "eighty", NULL};
    static const char *const AUTH[] = {"AUTH_ENABLED", "maybe", NULL};
    arka_settings s;
    begin(&s);
    variables = PORT;
    ASSERT_FAILS(arka_settings_read_environment(&s, get_variable, &err), ARKA_INPUT,
                 "environment variable ARC_PORT: server.port = 'eighty' is not a whole number");
    variables = AUTH;
    ASSERT_FAILS(arka_settings_read_environment(&s, get_variable, &err), ARKA_INPUT,
                 "AUTH_ENABLED: auth.enabled = 'maybe' is not true or false");
    arka_settings_fini(&s);
}

TEST(the_log_is_set_by_its_environment)
{
    static const char *const ENV[] = {"WAL_ENABLED",
                                      "false",
                                      "WAL_DIR",
                                      "/log",
                                      "WAL_SYNC_MODE",
                                      "async",
                                      "WAL_MAX_SIZE_MB",
                                      "16",
                                      "WAL_MAX_AGE_SECONDS",
                                      "60",
                                      NULL};
    static const char *const NONE[] = {"WAL_MAX_SIZE_MB", "0", NULL};
    arka_settings s;
    begin(&s);
    variables = ENV;
    ASSERT_OK(arka_settings_read_environment(&s, get_variable, &err));
    ASSERT_OK(arka_settings_finish(&s, &err));
    assert_false(s.wal_enabled);
    assert_string_equal(s.wal_dir, "/log");
    assert_string_equal(s.wal_sync_mode, "async");
    assert_int_equal(s.wal_segment_mb, 16);
    assert_int_equal(s.wal_segment_age, 60);
    variables = NONE;
    ASSERT_FAILS(arka_settings_read_environment(&s, get_variable, &err), ARKA_INPUT,
                 "WAL_MAX_SIZE_MB: wal.max_size_mb = 0 is out of range: it must be from 1 to 4096");
    arka_settings_fini(&s);
}

static int64_t size_of(const char *text)
{
    arka_settings s;
    begin(&s);
    int64_t size = arka_settings_set(&s, ARKA_SETTING_duckdb_memory, arka_slice_of(text),
                                     ARKA_FROM_OPTION, "test", NULL) == ARKA_OK
                       ? s.duckdb_memory
                       : -1;
    arka_settings_fini(&s);
    return size;
}

TEST(sizes_have_units)
{
    assert_int_equal(size_of("1024"), 1024);
    assert_int_equal(size_of("512B"), 512);
    assert_int_equal(size_of("8GB"), INT64_C(8) << 30);
    assert_int_equal(size_of("8gib"), INT64_C(8) << 30);
    assert_int_equal(size_of("3 MiB"), 3 << 20);
    assert_int_equal(size_of("2k"), 2048);
    assert_int_equal(size_of("1T"), INT64_C(1) << 40);
    assert_int_equal(size_of(""), 0);
    assert_int_equal(size_of("GB"), -1);
    assert_int_equal(size_of("8XB"), -1);
    assert_int_equal(size_of("8GBs"), -1);
    assert_int_equal(size_of("-1"), -1);
    assert_int_equal(size_of("9223372036854775807K"), -1);
}

static arka_status finish_with(arka_setting which, const char *text)
{
    arka_settings s;
    begin(&s);
    ASSERT_OK(arka_settings_set(&s, which, arka_slice_of(text), ARKA_FROM_OPTION, "test", &err));
    arka_status status = arka_settings_finish(&s, &err);
    arka_settings_fini(&s);
    return status;
}

TEST(the_whole_is_checked)
{
    ASSERT_FAILS(finish_with(ARKA_SETTING_log_level, "loud"), ARKA_INPUT, "logging.level = 'loud'");
    ASSERT_FAILS(finish_with(ARKA_SETTING_log_format, "xml"), ARKA_INPUT, "logging.format = 'xml'");
    ASSERT_FAILS(finish_with(ARKA_SETTING_compression, "rar"), ARKA_INPUT, "compression = 'rar'");
    ASSERT_FAILS(finish_with(ARKA_SETTING_wal_sync_mode, "sometimes"), ARKA_INPUT,
                 "wal.sync_mode = 'sometimes' is not fsync, fdatasync or async");
    ASSERT_FAILS(finish_with(ARKA_SETTING_wal_compression, "gzip"), ARKA_INPUT,
                 "wal.compression = 'gzip' is not none, lz4 or zstd");
    ASSERT_FAILS(finish_with(ARKA_SETTING_wal_on_corruption, "ignore"), ARKA_INPUT,
                 "wal.on_corruption = 'ignore' is not refuse or quarantine");
    ASSERT_FAILS(finish_with(ARKA_SETTING_wal_total_mb, "200"), ARKA_INPUT,
                 "wal.max_total_mb = 200 has no room for two segments of wal.max_size_mb = 128");
    assert_int_equal(finish_with(ARKA_SETTING_wal_sync_mode, "fsync"), ARKA_OK);
    assert_int_equal(finish_with(ARKA_SETTING_wal_sync_mode, "async"), ARKA_OK);
    ASSERT_FAILS(finish_with(ARKA_SETTING_database, "../x"), ARKA_INPUT, "storage.database: ");
    ASSERT_FAILS(finish_with(ARKA_SETTING_data_dir, ""), ARKA_INPUT, "storage.data_dir is empty");
}

TEST(a_word_gets_the_spelling_of_its_list)
{
    arka_settings s;
    begin(&s);
    ASSERT_OK(arka_settings_set(&s, ARKA_SETTING_wal_sync_mode, ARKA_SLICE("FDataSync"),
                                ARKA_FROM_OPTION, "test", &err));
    ASSERT_OK(arka_settings_finish(&s, &err));
    assert_string_equal(s.wal_sync_mode, "fdatasync");
    arka_settings_fini(&s);
}

TEST(every_default_is_shown_as_it_is_written)
{
    arka_settings s;
    begin(&s);
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        arka_buf out = ARKA_BUF_INIT;
        arka_settings_show(&s, (arka_setting)i, &out);
        const char *expected = arka_setting_infos[i].standard;
        if (arka_setting_infos[i].kind == ARKA_KIND_SIZE && *expected == 0)
            expected = "0";
        assert_string_equal(arka_buf_cstr(&out), expected);
        arka_buf_fini(&out);
    }
    arka_settings_fini(&s);
}
