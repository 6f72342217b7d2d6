#include "config/settings.h"

#include "config/layers.h"
#include "config/reference.h"
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
    assert_string_equal(s.host, "0.0.0.0");
    assert_int_equal(s.port, 8000);
    assert_true(s.auth_enabled);
    assert_string_equal(s.base_path, "./data/arc");
    assert_string_equal(s.db_path, "./data/arc.db");
    assert_string_equal(s.temp_dir, "./data/duckdb_tmp");
    assert_string_equal(s.wal_dir, "./data/wal");
    assert_true(s.wal_enabled);
    assert_string_equal(s.wal_sync_mode, "fdatasync");
    assert_int_equal(s.source[ARKA_SETTING_port], ARKA_FROM_DEFAULT);
    arka_settings_fini(&s);
}

TEST(a_server_that_asks_for_no_tokens_is_this_machines_unless_told)
{
    arka_settings s;
    begin(&s);
    ASSERT_OK(arka_settings_set(&s, ARKA_SETTING_auth_enabled, ARKA_SLICE("false"),
                                ARKA_FROM_OPTION, "test", &err));
    ASSERT_OK(arka_settings_finish(&s, &err));
    assert_string_equal(s.host, "127.0.0.1");
    arka_settings_fini(&s);
    begin(&s);
    ASSERT_OK(arka_settings_set(&s, ARKA_SETTING_auth_enabled, ARKA_SLICE("false"),
                                ARKA_FROM_OPTION, "test", &err));
    ASSERT_OK(arka_settings_set(&s, ARKA_SETTING_host, ARKA_SLICE("0.0.0.0"), ARKA_FROM_OPTION,
                                "test", &err));
    ASSERT_OK(arka_settings_finish(&s, &err));
    assert_string_equal(s.host, "0.0.0.0");
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
        {"[server]\nprot = 1\n",
         "arc.toml:2:1: there is no setting 'server.prot', did you mean server.port?"},
        {"[server]\n\nport = \"8000\"\n",
         "arc.toml:3:1: server.port must be an integer, found a string"},
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

/* ---- names ---- */

static arka_status read_text(arka_settings *s, const char *text)
{
    err = (arka_error){0};
    return arka_settings_read_text(s, arka_slice_of(text), "f", &err);
}

TEST(every_setting_has_a_name_in_the_environment)
{
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        char name[ARKA_SETTING_ENV];
        const arka_setting_info *info = &arka_setting_infos[i];
        const char *value = info->kind == ARKA_KIND_BOOL ? "true"
                            : info->kind == ARKA_KIND_TEXT || info->kind == ARKA_KIND_LIST
                                ? "some text"
                                : "100";
        arka_setting_env_name(info->key, name);
        const char *const env[] = {name, value, NULL};
        arka_settings s;
        begin(&s);
        variables = env;
        arka_status status = arka_settings_read_environment(&s, get_variable, &err);
        /* 100 is not within every range, but it has come to this setting */
        if (status == ARKA_OK) {
            assert_int_equal(s.source[i], ARKA_FROM_ENVIRONMENT);
            assert_non_null(strstr(s.where[i], name));
        } else {
            assert_non_null(strstr(err.msg, info->key));
            assert_non_null(strstr(err.msg, "out of range"));
        }
        arka_settings_fini(&s);
    }
}

TEST(the_name_of_our_own_beats_the_older_ones_and_those_the_aliases)
{
    static const char *const ALL[] = {
        "ARC_QUERY_POOL_SIZE", "3", "DUCKDB_POOL_SIZE", "4", "ARC_DUCKDB_POOL_SIZE", "5", NULL};
    arka_settings s;
    for (size_t i = 0; i < 3; i++) {
        begin(&s);
        variables = ALL + 2 * i;
        ASSERT_OK(arka_settings_read_environment(&s, get_variable, &err));
        assert_int_equal(s.query_slots, 3 + (int64_t)i);
        arka_settings_fini(&s);
    }
}

TEST(aliases_are_understood_in_their_own_units)
{
    static const char *const ENV[] = {"ARC_INGEST_MAX_BUFFER_AGE_MS", "7000", NULL};
    arka_settings s;
    begin(&s);
    ASSERT_OK(read_text(&s, "[duckdb]\npool_size = 7\n[server]\nmax_payload_size = \"1GB\"\n"
                            "shutdown_timeout = \"2m\"\n[ingest]\nmax_buffer_age_ms = 5000\n"
                            "[log]\nlevel = \"debug\"\n"));
    assert_int_equal(s.query_slots, 7);
    assert_int_equal(s.max_request_mb, 1024);
    assert_int_equal(s.graceful_timeout, 120);
    assert_int_equal(s.buffer_age, 5);
    assert_string_equal(s.log_level, "debug");
    variables = ENV;
    ASSERT_OK(arka_settings_read_environment(&s, get_variable, &err));
    assert_int_equal(s.buffer_age, 7);
    assert_int_equal(s.notes.n, 0);
    arka_settings_fini(&s);
    begin(&s);
    ASSERT_FAILS(read_text(&s, "[ingest]\nmax_buffer_age_ms = 1500\n"), ARKA_INPUT,
                 "f:2:1: ingestion.buffer_age_seconds = '1500' is no whole number of seconds");
    arka_settings_fini(&s);
}

TEST(one_setting_under_two_names_is_a_fault_but_where_one_name_rules)
{
    arka_settings s;
    begin(&s);
    ASSERT_FAILS(read_text(&s, "query.pool_size = 1\nduckdb.pool_size = 1\n"), ARKA_INPUT,
                 "f:2:8: duckdb.pool_size is query.pool_size, which f:1:7 has set already");
    arka_settings_fini(&s);
    static const char *const BOTH[] = {
        "storage.database = \"a\"\nstorage.local.database = \"b\"\n",
        "storage.local.database = \"b\"\nstorage.database = \"a\"\n",
    };
    for (size_t i = 0; i < 2; i++) {
        begin(&s);
        ASSERT_OK(read_text(&s, BOTH[i]));
        assert_string_equal(s.database, "b");
        arka_settings_fini(&s);
    }
}

TEST(keys_of_no_use_are_warned_of)
{
    static const char *const ENV[] = {"COMPACTION_ENABLED", "true", NULL};
    arka_settings s;
    begin(&s);
    ASSERT_OK(read_text(&s, "[telemetry]\nenabled = true\n[mqtt.a]\nb = [{}]\n"
                            "[storage]\ns3_bucket = 'x'\n[server]\nmax_requests = 1\n"));
    assert_int_equal(s.notes.n, 4);
    assert_false(s.notes.items[0].fault);
    assert_string_equal(
        s.notes.items[0].text,
        "f:2:1: telemetry.enabled is of no use here: nothing is ever sent anywhere");
    variables = ENV;
    ASSERT_OK(arka_settings_read_environment(&s, get_variable, &err));
    assert_int_equal(s.notes.n, 5);
    assert_non_null(strstr(s.notes.items[4].text, "COMPACTION_ENABLED is of no use here"));
    arka_settings_fini(&s);
}

TEST(variables_that_look_like_ours_and_are_none_are_warned_of)
{
    char *environ[] = {(char[]){"ARC_QUERY_TIMOUT=5"},
                       (char[]){"ARC_QUERY_TIMEOUT=5"},
                       (char[]){"ARC_PORT=1"},
                       (char[]){"ARC_CONFIG_FILE=x"},
                       (char[]){"ARC_TOKEN=x"},
                       (char[]){"PATH=/bin"},
                       (char[]){"ARC_LOG_LEVEL=info"},
                       (char[]){"ARC_MQTT_BROKER=x"},
                       (char[]){"ARC_MQTTX=1"},
                       (char[]){"ARC_SERVER_READ_TIMEOUT=3"},
                       (char[]){"ARC_DELETE_ENABLED=true"},
                       NULL};
    arka_settings s;
    begin(&s);
    arka_settings_check_environment(&s, environ);
    assert_int_equal(s.notes.n, 3);
    assert_string_equal(
        s.notes.items[1].text,
        "environment variable ARC_MQTT_BROKER is of no use here: this version has no MQTT");
    assert_string_equal(s.notes.items[2].text,
                        "environment variable ARC_SERVER_READ_TIMEOUT is of no use here: "
                        "server.header_timeout and server.body_timeout bound how long a request "
                        "may take to come");
    assert_string_equal(s.notes.items[0].text,
                        "environment variable ARC_QUERY_TIMOUT sets nothing: did you mean "
                        "ARC_QUERY_TIMEOUT?");
    arka_settings_fini(&s);
}

TEST(an_unknown_key_brings_the_nearest_to_mind)
{
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"server.prot = 1", "f:1:8: there is no setting 'server.prot', did you mean server.port?"},
        {"[storage]\nport = 1", "f:2:1: there is no setting 'storage.port', did you mean "},
        {"colour = 1", "f:1:1: there is no setting 'colour' ('arc help settings' lists them)"},
        {"'server.port' = 1", "f:1:1: there is no setting 'server.port'"},
        {"[server]\nport.x = 1", "f:2:6: there is no setting 'server.port.x'"},
        {"[[server]]\nport = 1", "f:1:3: there is no setting 'server'"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_settings s;
        begin(&s);
        ASSERT_FAILS(read_text(&s, CASES[i].text), ARKA_INPUT, CASES[i].says);
        arka_settings_fini(&s);
    }
}

TEST(every_fault_is_noted_and_good_settings_are_taken)
{
    static const char *const ENV[] = {"ARC_WORKERS", "many", "WAL_ENABLED", "maybe", NULL};
    arka_settings s;
    begin(&s);
    ASSERT_FAILS(read_text(&s, "[server]\nprot = 1\nport = '1'\nidle_timeout = 0\nworkers = 3\n"),
                 ARKA_INPUT, "server.prot");
    assert_int_equal(s.notes.n, 3);
    assert_int_equal(s.workers, 3);
    variables = ENV;
    assert_int_equal(arka_settings_read_environment(&s, get_variable, &err), ARKA_INPUT);
    assert_non_null(strstr(err.msg, "ARC_WORKERS"));
    assert_int_equal(s.notes.n, 5);
    arka_settings_fini(&s);
}

TEST(lists_are_texts_with_commas_or_arrays)
{
    static const struct {
        const char *text, *list;
    } CASES[] = {
        {"cors.origins = ''", ""},
        {"cors.origins = []", ""},
        {"cors.origins = ' http://a ,, http://b '", "http://a,http://b"},
        {"cors.origins = ['http://a', \"http://b\"]", "http://a,http://b"},
    };
    arka_settings s;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        begin(&s);
        ASSERT_OK(read_text(&s, CASES[i].text));
        assert_string_equal(s.cors_origins, CASES[i].list);
        arka_settings_fini(&s);
    }
    begin(&s);
    ASSERT_FAILS(read_text(&s, "cors.origins = [1]"), ARKA_INPUT,
                 "f:1:6: cors.origins must be an array of strings, found an integer in it");
    arka_settings_fini(&s);
    begin(&s);
    ASSERT_FAILS(read_text(&s, "cors.origins = ['a,b']"), ARKA_INPUT, "'a,b' has a comma");
    arka_settings_fini(&s);
    begin(&s);
    ASSERT_FAILS(read_text(&s, "storage.data_dir = \"a\\u0000b\""), ARKA_INPUT,
                 "storage.data_dir has a NUL");
    arka_settings_fini(&s);
}

TEST(a_secret_is_neither_shown_nor_told)
{
    arka_settings s;
    arka_buf out = ARKA_BUF_INIT;
    begin(&s);
    ASSERT_OK(arka_settings_set(&s, ARKA_SETTING_auth_default_token, ARKA_SLICE("hidden-value"),
                                ARKA_FROM_OPTION, "test", &err));
    arka_settings_put_values(&s, &out);
    arka_settings_put_values_json(&s, &out);
    arka_buf_byte(&out, 0);
    assert_null(strstr(out.data, "hidden-value"));
    assert_non_null(strstr(out.data, "# auth.default_token = \"***\""));
    assert_string_equal(s.auth_default_token, "hidden-value");
    arka_buf_fini(&out);
    arka_settings_fini(&s);
}

TEST(what_is_shown_is_a_file_that_gives_the_same)
{
    arka_settings s, again;
    arka_buf out = ARKA_BUF_INIT, second = ARKA_BUF_INIT;
    begin(&s);
    ASSERT_OK(read_text(&s, "server.host = \"\\\"\\\\\\n é\"\nquery.timeout = '1h'\n"
                            "cors.origins = ['a', 'b']\nwal.enabled = false\n"));
    arka_settings_put_values(&s, &out);
    begin(&again);
    ASSERT_OK(arka_settings_read_text(&again, (arka_slice){out.data, out.len}, "f", &err));
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        arka_buf a = ARKA_BUF_INIT, b = ARKA_BUF_INIT;
        arka_settings_show(&s, (arka_setting)i, &a);
        arka_settings_show(&again, (arka_setting)i, &b);
        assert_string_equal(arka_buf_cstr(&a), arka_buf_cstr(&b));
        arka_buf_fini(&a);
        arka_buf_fini(&b);
    }
    arka_buf_fini(&out);
    arka_buf_fini(&second);
    arka_settings_fini(&s);
    arka_settings_fini(&again);
}

/* ---- layers and reload ---- */

static arka_setting_layers layers_of(const char *file)
{
    return (arka_setting_layers){.file = file, .get = get_variable};
}

TEST(all_layers_are_tried_and_the_first_that_failed_is_named)
{
    static const char *const ENV[] = {"ARC_PORT", "x", NULL};
    static const arka_setting_option OPTION = {ARKA_SETTING_port, "--port", "y"};
    arka_settings s;
    arka_setting_source failed;
    err = (arka_error){0};
    variables = ENV;
    arka_setting_layers layers = layers_of(write_file("[wal]\nsync_mode = 'never'\n"));
    layers.options = &OPTION;
    layers.n_options = 1;
    ASSERT_FAILS(arka_settings_load(&layers, &s, &failed, &err), ARKA_INPUT, "ARC_PORT");
    assert_int_equal(failed, ARKA_FROM_ENVIRONMENT);
    assert_int_equal(s.notes.n, 3); /* and the word */
    arka_settings_fini(&s);
    layers.file = "/nowhere/arc.conf";
    err = (arka_error){0};
    ASSERT_FAILS(arka_settings_load(&layers, &s, &failed, &err), ARKA_NOTFOUND,
                 "/nowhere/arc.conf");
    assert_int_equal(failed, ARKA_FROM_FILE);
    assert_int_equal(s.notes.n, 3);
    arka_settings_fini(&s);
}

static void load_text(const char *text, arka_settings *out)
{
    err = (arka_error){0};
    variables = NULL;
    arka_setting_layers layers = layers_of(write_file(text));
    ASSERT_OK(arka_settings_load(&layers, out, NULL, &err));
}

TEST(a_reload_takes_over_what_is_live_and_keeps_the_rest)
{
    arka_settings old, now;
    arka_setting_changes changes;
    load_text("query.timeout = 5\nserver.port = 1\nlogging.level = 'warn'\nstorage.data_dir = "
              "'/a'\n",
              &old);
    arka_setting_layers layers =
        layers_of(write_file("query.timeout = 6\nserver.port = 2\nlogging.level = 'warn'\n"
                             "storage.data_dir = '/b'\n"));
    ASSERT_OK(arka_settings_reload(&layers, &old, &now, &changes, &err));
    assert_int_equal(changes.n_now, 1);
    assert_true(changes.now[ARKA_SETTING_query_timeout]);
    assert_true(changes.later[ARKA_SETTING_port]);
    assert_true(changes.later[ARKA_SETTING_data_dir]);
    assert_false(changes.later[ARKA_SETTING_memory_limit]); /* found for want of one, both times */
    arka_settings_fini(&old);                               /* the new one needs nothing of it */
    assert_int_equal(now.query_timeout, 6);
    assert_int_equal(now.port, 1);
    assert_string_equal(now.data_dir, "/a");
    assert_string_equal(now.base_path, "/a/arc");
    assert_string_equal(now.log_level, "warn");
    arka_settings_fini(&now);
}

TEST(a_live_setting_that_is_gone_from_the_file_goes_back_to_its_default)
{
    arka_settings old, now;
    arka_setting_changes changes;
    load_text("query.timeout = 5\n", &old);
    arka_setting_layers layers = layers_of(write_file("# nothing\n"));
    ASSERT_OK(arka_settings_reload(&layers, &old, &now, &changes, &err));
    assert_int_equal(changes.n_now, 1);
    assert_int_equal(now.query_timeout, 300);
    arka_settings_fini(&old);
    arka_settings_fini(&now);
}

TEST(a_reload_that_fails_says_why)
{
    arka_settings old, now;
    arka_setting_changes changes;
    load_text("query.timeout = 5\n", &old);
    arka_setting_layers layers = layers_of(write_file("query.timeout = 0\n"));
    ASSERT_FAILS(arka_settings_reload(&layers, &old, &now, &changes, &err), ARKA_INPUT,
                 "query.timeout = 0 is out of range");
    assert_int_equal(now.notes.n, 1);
    arka_settings_fini(&now);
    assert_int_equal(old.query_timeout, 5);
    arka_settings_fini(&old);
}

/* Every layer, every fault and every path: what is lost for want of memory is said. */
TEST(without_memory_settings_are_refused_not_half_read)
{
    static const char *const ENV[] = {"ARC_SERVER_PORT", "8001", NULL};
    static const arka_setting_option OPTION = {ARKA_SETTING_log_level, "--log-level", "warn"};
    arka_setting_layers layers =
        layers_of(write_file("[server]\nhost = '::1'\nworker_timeout = 1\n"
                             "[cors]\norigins = ['https://a', 'https://b']\n"
                             "[query]\ntimeout = 7\n"));
    layers.options = &OPTION;
    layers.n_options = 1;
    for (int for_good = 0; for_good < 2; for_good++) {
        bool failed = true;
        for (int n = 1; failed; n++) {
            arka_settings s, again;
            arka_setting_changes changes;
            arka_setting_source where;
            err = (arka_error){0};
            variables = ENV;
            kit_fail_allocation(n, for_good);
            arka_status status = arka_settings_load(&layers, &s, &where, &err);
            bool loaded = status == ARKA_OK;
            if (loaded) {
                status = arka_settings_reload(&layers, &s, &again, &changes, &err);
                arka_settings_fini(&again);
            }
            failed = kit_allocation_failed();
            kit_fail_allocation(0, false);
            if (status != ARKA_OK) {
                assert_true(failed);
                if (status != ARKA_NOMEM || err.code != ARKA_NOMEM)
                    fail_msg("allocation %d: %s, %s", n, arka_status_name(status), err.msg);
            }
            if (loaded) {
                assert_string_equal(s.host, "::1");
                assert_int_equal(s.port, 8001);
                assert_int_equal(s.query_timeout, 7);
                assert_string_equal(s.log_level, "warn");
                assert_string_equal(s.cors_origins, "https://a,https://b");
                assert_string_equal(s.base_path, "./data/arc");
            }
            arka_settings_fini(&s);
        }
    }
}
