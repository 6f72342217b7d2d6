/* A DuckDB instance: how it is configured and locked, and its connections. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/machine.h"
#include "os/memfile.h"
#include "sql/handover.h"
#include "sql/system_priv.h"
#include "sql/time_functions.h"

enum { DEFAULT_SESSIONS = 16 };

/* Spill must leave room for the log and the files (data_dir is on the same disk, most of the time).
 */
static int64_t max_temp_bytes(const arka_sql_options *options)
{
    enum { PART = 10, UNKNOWN = 1 << 30 };
    if (options->max_temp_bytes > 0)
        return options->max_temp_bytes;
    int64_t n_free = arka_disk_free(options->data_dir);
    return n_free < 0 ? UNKNOWN : n_free / PART;
}

/*
 * DuckDB's allocator keeps what was freed until a thread has freed so much at once: 128 MB if it is
 * not told, which may be more than its whole limit.
 */
static size_t flush_threshold(size_t limit)
{
    enum { MOST = 128 << 20, PART = 16 };
    return limit / PART < MOST ? limit / PART : MOST;
}

static arka_status open_database(arka_instance *i, const arka_sql_options *options, arka_error *err)
{
    duckdb_config config;
    char *message = NULL, memory[32], threads[16], flush[32];
    size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    size_t limit = options->memory_limit_bytes ? options->memory_limit_bytes : machine / 4;
    snprintf(memory, sizeof memory, "%zuKiB", limit / 1024);
    snprintf(flush, sizeof flush, "%zuKiB", flush_threshold(limit) / 1024);
    snprintf(threads, sizeof threads, "%d",
             options->threads > 0 ? options->threads : arka_n_processors());
    const char *const settings[][2] = {
        {"memory_limit", memory},
        {"threads", threads},
        {"temp_directory", options->temp_dir ? options->temp_dir : ""},
        {"allocator_flush_threshold", flush},
        {"allocator_background_threads", "true"},
        {"autoload_known_extensions", "false"},
        {"autoinstall_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_persistent_secrets", "false"},
    };
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return arka_fail_nomem(err, "DuckDB's configuration", 0);
    arka_status status = ARKA_OK;
    for (size_t k = 0; k < sizeof settings / sizeof *settings && status == ARKA_OK; k++)
        if (duckdb_set_config(config, settings[k][0], settings[k][1]) != DuckDBSuccess)
            status = arka_fail(err, ARKA_INTERNAL, "DuckDB does not take %s = '%s'", settings[k][0],
                               settings[k][1]);
    if (status == ARKA_OK &&
        duckdb_open_ext(":memory:", &i->database, config, &message) != DuckDBSuccess)
        status = arka_fail(err, ARKA_INTERNAL, "DuckDB does not start: %s",
                           message ? message : "no reason given");
    duckdb_free(message);
    duckdb_destroy_config(&config);
    return status;
}

/*
 * A Parquet file without rows: what read_parquet gets when no file of a table is wanted. The first
 * instance makes it.
 */
static arka_status make_empty_file(arka_sql *sql, arka_session *s, arka_error *err)
{
    char copy[160];
    if (sql->empty_fd >= 0)
        return ARKA_OK;
    ARKA_TRY(arka_memfile_new("arc-empty", &sql->empty_fd, sql->empty_path, err));
    snprintf(copy, sizeof copy,
             "COPY (SELECT NULL::TIMESTAMPTZ AS time WHERE false) TO '%s' "
             "(FORMAT parquet, FIELD_IDS {time: 1}, USE_TMP_FILE false)",
             sql->empty_path);
    return arka_session_run(s, copy, err);
}

/*
 * What views need stays open (the data directory), all else is shut and the configuration locked.
 * Sessions still set their schema. preserve_insertion_order off: without ORDER BY there is no
 * order, and keeping one makes every plain scan single-threaded, since arc_hot has no batch
 * numbers.
 */
static arka_status lock_down(arka_session *s, const arka_sql_options *options, arka_error *err)
{
    arka_buf sql = ARKA_BUF_INIT;
    arka_buf_text(&sql, "SET GLOBAL TimeZone = 'UTC'; SET GLOBAL errors_as_json = true;"
                        "SET GLOBAL parquet_metadata_cache = true;"
                        "SET GLOBAL preserve_insertion_order = false;"
                        "SET GLOBAL allowed_directories = [");
    arka_sql_quote(&sql, '\'', arka_slice_of(options->data_dir));
    arka_buf_printf(&sql, "]; SET GLOBAL allowed_paths = ['%s'];", s->sql->empty_path);
    /* DuckDB 1.5.6 shows it when it is set before the start, but does not keep to it then. */
    arka_buf_printf(&sql, "SET GLOBAL max_temp_directory_size = '%lldKiB';",
                    (long long)max_temp_bytes(options) / 1024);
    arka_buf_text(&sql, "SET GLOBAL enable_external_access = false;"
                        "SET GLOBAL allowed_configs = ['schema'];"
                        "SET GLOBAL lock_configuration = true;");
    const char *text = arka_buf_cstr(&sql);
    arka_status status =
        text ? arka_session_run(s, text, err) : arka_fail_nomem(err, "a statement", sql.len);
    arka_buf_fini(&sql);
    return status;
}

/* Our catalog in place of DuckDB's "memory", for every session. */
static arka_status use_catalog(arka_instance *i, arka_error *err)
{
    arka_session *own = &i->sessions[i->n_sessions - 1];
    ARKA_TRY(arka_session_run(own, "ATTACH ':memory:' AS \"" ARKA_SQL_CATALOG "\"", err));
    for (int k = 0; k < i->n_sessions; k++) {
        arka_session *s = &i->sessions[k];
        ARKA_TRY(arka_session_run(s, "USE \"" ARKA_SQL_CATALOG "\"", err));
        ARKA_TRY(arka_parser_init(&s->parser, s->connection, err));
    }
    return arka_session_run(own, "DETACH memory", err);
}

static arka_status open_sessions(arka_instance *i, int n, arka_error *err)
{
    i->sessions = arka_calloc((size_t)n, sizeof *i->sessions);
    i->idle = arka_calloc((size_t)n, sizeof *i->idle);
    if (i->sessions == NULL || i->idle == NULL)
        return arka_fail_nomem(err, "SQL sessions", (size_t)n * sizeof *i->sessions);
    for (; i->n_sessions < n; i->n_sessions++) {
        arka_session *s = &i->sessions[i->n_sessions];
        duckdb_client_context context;
        if (duckdb_connect(i->database, &s->connection) != DuckDBSuccess)
            return arka_fail(err, ARKA_INTERNAL, "DuckDB gives no connection");
        duckdb_connection_get_client_context(s->connection, &context);
        s->id = duckdb_client_context_get_connection_id(context);
        duckdb_destroy_client_context(&context);
        s->sql = i->sql;
        s->instance = i;
        arka_mutex_init(&s->lock, ARKA_LOCK_SESSION);
        if (i->n_sessions < n - 1)
            i->idle[i->n_idle++] = n - 2 - i->n_sessions;
    }
    return use_catalog(i, err);
}

static arka_status open_instance(arka_instance *i, arka_error *err)
{
    const arka_sql_options *options = &i->sql->options;
    ARKA_TRY(open_database(i, options, err));
    int n = options->max_sessions > 0 ? options->max_sessions : DEFAULT_SESSIONS;
    ARKA_TRY(open_sessions(i, n + 1, err));
    arka_session *own = &i->sessions[n];
    ARKA_TRY(arka_time_functions_register(own->connection, err));
    ARKA_TRY(arka_files_register(i, err));
    ARKA_TRY(arka_hot_register(i, err));
    ARKA_TRY(arka_lists_register(i, err));
    ARKA_TRY(arka_system_register(i, err));
    ARKA_TRY(make_empty_file(i->sql, own, err));
    ARKA_TRY(arka_system_make_views(i, err));
    ARKA_TRY(lock_down(own, options, err));
    return arka_views_new(i, &i->views, err);
}

arka_status arka_instance_open(arka_sql *sql, arka_instance **out, arka_error *err)
{
    arka_instance *i = arka_calloc(1, sizeof *i);
    if (i == NULL)
        return arka_fail_nomem(err, "the query service", sizeof *i);
    i->sql = sql;
    arka_status status = open_instance(i, err);
    if (status == ARKA_OK)
        *out = i;
    else
        arka_instance_close(i);
    return status;
}

void arka_instance_close(arka_instance *i)
{
    if (i == NULL)
        return;
    arka_views_free(i->views);
    for (int k = 0; k < i->n_sessions; k++) {
        arka_session *s = &i->sessions[k];
        arka_handover();
        for (int p = 0; p < ARKA_SESSION_PLANS; p++)
            arka_plan_fini(&s->plans[p]);
        arka_parser_fini(&s->parser);
        duckdb_disconnect(&s->connection);
        arka_vec_fini(&s->pins);
        arka_mutex_fini(&s->lock);
    }
    duckdb_close(&i->database);
    arka_free(i->sessions);
    arka_free(i->idle);
    arka_free(i);
}
