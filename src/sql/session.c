/* The DuckDB instance: how it is configured and locked, its connections, and the watcher that stops
 * queries. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/memfile.h"
#include "sql/sql_priv.h"
#include "sql/time_functions.h"

enum { DEFAULT_SESSIONS = 16, REPEAT_MS = 10 };

void arka_sql_quote(arka_buf *out, char quote, arka_slice text)
{
    arka_buf_byte(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == quote)
            arka_buf_byte(out, quote);
        arka_buf_byte(out, text.data[i]);
    }
    arka_buf_byte(out, quote);
}

arka_status arka_session_run(arka_session *s, const char *statement, arka_error *err)
{
    duckdb_result result;
    arka_status status = ARKA_OK;
    if (duckdb_query(s->connection, statement, &result) != DuckDBSuccess) {
        const char *message = duckdb_result_error(&result);
        status = arka_session_check(s, err);
        if (status == ARKA_OK && message != NULL && strstr(message, ARKA_SQL_NOMEM) != NULL)
            status = arka_fail(err, ARKA_NOMEM, "%s", ARKA_SQL_NOMEM);
        else if (status == ARKA_OK)
            status = arka_fail(err, ARKA_INTERNAL, "DuckDB refused \"%.60s…\": %s", statement,
                               message ? message : "no reason given");
    }
    duckdb_destroy_result(&result);
    return status;
}

/* ---- opening ---- */

static arka_status open_database(arka_sql *sql, const arka_sql_options *options, arka_error *err)
{
    duckdb_config config;
    char *message = NULL, memory[32], threads[16];
    size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    size_t limit = options->memory_limit_bytes ? options->memory_limit_bytes : machine / 4;
    snprintf(memory, sizeof memory, "%zuKiB", limit / 1024);
    snprintf(threads, sizeof threads, "%d",
             options->threads > 0 ? options->threads : arka_n_processors());
    const char *const settings[][2] = {
        {"memory_limit", memory},
        {"threads", threads},
        {"temp_directory", options->temp_dir ? options->temp_dir : ""},
        {"autoload_known_extensions", "false"},
        {"autoinstall_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_persistent_secrets", "false"},
    };
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return arka_fail_nomem(err, "DuckDB's configuration", 0);
    arka_status status = ARKA_OK;
    for (size_t i = 0; i < sizeof settings / sizeof *settings && status == ARKA_OK; i++)
        if (duckdb_set_config(config, settings[i][0], settings[i][1]) != DuckDBSuccess)
            status = arka_fail(err, ARKA_INTERNAL, "DuckDB does not take %s = '%s'", settings[i][0],
                               settings[i][1]);
    if (status == ARKA_OK &&
        duckdb_open_ext(":memory:", &sql->database, config, &message) != DuckDBSuccess)
        status = arka_fail(err, ARKA_INTERNAL, "DuckDB does not start: %s",
                           message ? message : "no reason given");
    duckdb_free(message);
    duckdb_destroy_config(&config);
    return status;
}

/* A Parquet file without rows: what read_parquet gets when no file of a table is wanted. */
static arka_status make_empty_file(arka_sql *sql, arka_session *s, arka_error *err)
{
    char copy[160];
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
static arka_status use_catalog(arka_sql *sql, arka_error *err)
{
    arka_session *own = &sql->sessions[sql->n_sessions - 1];
    ARKA_TRY(arka_session_run(own, "ATTACH ':memory:' AS \"" ARKA_SQL_CATALOG "\"", err));
    for (int i = 0; i < sql->n_sessions; i++) {
        arka_session *s = &sql->sessions[i];
        ARKA_TRY(arka_session_run(s, "USE \"" ARKA_SQL_CATALOG "\"", err));
        ARKA_TRY(arka_parser_init(&s->parser, s->connection, err));
    }
    return arka_session_run(own, "DETACH memory", err);
}

static arka_status open_sessions(arka_sql *sql, int n, arka_error *err)
{
    sql->sessions = arka_calloc((size_t)n, sizeof *sql->sessions);
    sql->idle = arka_calloc((size_t)n, sizeof *sql->idle);
    if (sql->sessions == NULL || sql->idle == NULL)
        return arka_fail_nomem(err, "SQL sessions", (size_t)n * sizeof *sql->sessions);
    for (; sql->n_sessions < n; sql->n_sessions++) {
        arka_session *s = &sql->sessions[sql->n_sessions];
        duckdb_client_context context;
        if (duckdb_connect(sql->database, &s->connection) != DuckDBSuccess)
            return arka_fail(err, ARKA_INTERNAL, "DuckDB gives no connection");
        duckdb_connection_get_client_context(s->connection, &context);
        s->id = duckdb_client_context_get_connection_id(context);
        duckdb_destroy_client_context(&context);
        s->sql = sql;
        arka_mutex_init(&s->lock, ARKA_LOCK_SESSION);
        if (sql->n_sessions < n - 1)
            sql->idle[sql->n_idle++] = n - 2 - sql->n_sessions;
    }
    return use_catalog(sql, err);
}

static void watch(void *context);

arka_status arka_sql_open(const arka_sql_options *options, arka_sql **out, arka_error *err)
{
    ARKA_AUTO(arka_sql) sql = arka_calloc(1, sizeof *sql);
    if (sql == NULL)
        return arka_fail_nomem(err, "the query service", sizeof *sql);
    sql->engine = options->engine;
    sql->empty_fd = -1;
    arka_mutex_init(&sql->lock, ARKA_LOCK_SESSION_POOL);
    arka_cond_init(&sql->wake);
    ARKA_TRY(open_database(sql, options, err));
    int n = options->max_sessions > 0 ? options->max_sessions : DEFAULT_SESSIONS;
    ARKA_TRY(open_sessions(sql, n + 1, err));

    arka_session *own = &sql->sessions[n];
    ARKA_TRY(arka_time_functions_register(own->connection, err));
    ARKA_TRY(arka_files_register(sql, own->connection, err));
    ARKA_TRY(arka_hot_register(sql, own->connection, err));
    ARKA_TRY(arka_lists_register(sql, own->connection, err));
    ARKA_TRY(make_empty_file(sql, own, err));
    ARKA_TRY(lock_down(own, options, err));
    ARKA_TRY(arka_views_new(sql, &sql->views, err));
    ARKA_TRY(arka_cache_new(&sql->cache, err));
    ARKA_TRY(arka_thread_start(&sql->watcher, "sql-watch", watch, sql, err));
    sql->watcher_runs = true;
    *out = arka_take(sql);
    return ARKA_OK;
}

void arka_sql_close(arka_sql *sql)
{
    if (sql == NULL)
        return;
    if (sql->watcher_runs) {
        arka_mutex_lock(&sql->lock);
        sql->stop = true;
        arka_cond_signal(&sql->wake);
        arka_mutex_unlock(&sql->lock);
        arka_thread_join(&sql->watcher);
    }
    ARKA_CHECK(sql->n_sessions == 0 || sql->views == NULL || sql->n_idle == sql->n_sessions - 1,
               "%d queries alive", sql->n_sessions - 1 - sql->n_idle);
    arka_cache_free(sql->cache);
    arka_views_free(sql->views);
    for (int i = 0; i < sql->n_sessions; i++) {
        for (int k = 0; k < ARKA_SESSION_PLANS; k++)
            arka_plan_fini(&sql->sessions[i].plans[k]);
        arka_parser_fini(&sql->sessions[i].parser);
        duckdb_disconnect(&sql->sessions[i].connection);
        arka_vec_fini(&sql->sessions[i].pins);
        arka_mutex_fini(&sql->sessions[i].lock);
    }
    duckdb_close(&sql->database);
    arka_memfile_close(sql->empty_fd);
    arka_cond_fini(&sql->wake);
    arka_mutex_fini(&sql->lock);
    arka_free(sql->sessions);
    arka_free(sql->idle);
    arka_free(sql);
}

/* ---- the pool ---- */

arka_status arka_session_take(arka_sql *sql, arka_mono deadline, arka_session **out,
                              arka_error *err)
{
    arka_session *s = NULL;
    arka_mutex_lock(&sql->lock);
    if (sql->n_idle > 0) {
        s = &sql->sessions[sql->idle[--sql->n_idle]];
        arka_mutex_lock(&s->lock);
        s->busy = true;
        s->cancelled = s->late = false;
        s->deadline = deadline;
        arka_mutex_unlock(&s->lock);
        if (deadline.ns != 0)
            arka_cond_signal(&sql->wake);
    }
    arka_mutex_unlock(&sql->lock);
    if (s == NULL)
        return arka_fail(err, ARKA_BUSY, "all %d SQL sessions are taken", sql->n_sessions - 1);
    *out = s;
    return ARKA_OK;
}

void arka_session_give(arka_session *s)
{
    arka_sql *sql = s->sql;
    arka_session_unpin(s);
    arka_mutex_lock(&sql->lock);
    arka_mutex_lock(&s->lock);
    s->busy = false;
    arka_mutex_unlock(&s->lock);
    sql->idle[sql->n_idle++] = (int)(s - sql->sessions);
    arka_mutex_unlock(&sql->lock);
}

arka_session *arka_session_find(arka_sql *sql, duckdb_client_context context)
{
    idx_t id = duckdb_client_context_get_connection_id(context);
    for (int i = 0; i < sql->n_sessions; i++)
        if (sql->sessions[i].id == id)
            return &sql->sessions[i];
    return NULL;
}

arka_pin *arka_session_pin(arka_session *s, arka_slice database, arka_slice table)
{
    for (size_t i = 0; i < s->pins.n; i++)
        if (arka_name_eq(s->pins.items[i].database, database) &&
            arka_name_eq(s->pins.items[i].table, table))
            return &s->pins.items[i];
    return NULL;
}

void arka_session_unpin(arka_session *s)
{
    for (size_t i = 0; i < s->pins.n; i++)
        arka_snapshot_unref(s->pins.items[i].snapshot);
    s->pins.n = 0;
}

/* ---- stopping ---- */

arka_status arka_session_check(arka_session *s, arka_error *err)
{
    arka_mutex_lock(&s->lock);
    if (s->deadline.ns != 0 && arka_mono_now().ns >= s->deadline.ns)
        s->late = true;
    bool late = s->late, cancelled = s->cancelled;
    arka_mutex_unlock(&s->lock);
    if (cancelled)
        return arka_fail(err, ARKA_CANCELLED, "the query was cancelled");
    if (!late)
        return ARKA_OK;
    arka_status status =
        arka_fail(err, ARKA_CANCELLED, "the query took longer than it may and was stopped");
    if (err != NULL && err->code == ARKA_CANCELLED)
        err->sys = ETIMEDOUT;
    return status;
}

void arka_session_interrupt(arka_session *s, bool late)
{
    arka_sql *sql = s->sql;
    arka_mutex_lock(&sql->lock);
    arka_mutex_lock(&s->lock);
    if (s->busy) {
        s->late |= late;
        s->cancelled |= !late;
        duckdb_interrupt(s->connection);
        arka_cond_signal(&sql->wake);
    }
    arka_mutex_unlock(&s->lock);
    arka_mutex_unlock(&sql->lock);
}

/* When to look at the session again. */
static int64_t look_at(arka_session *s, int64_t now)
{
    int64_t next = INT64_MAX;
    arka_mutex_lock(&s->lock);
    if (s->busy) {
        s->late |= s->deadline.ns != 0 && now >= s->deadline.ns;
        if (s->late || s->cancelled) {
            /* again and again: DuckDB forgets an interrupt whenever a statement begins */
            duckdb_interrupt(s->connection);
            next = now + REPEAT_MS * 1000000;
        } else if (s->deadline.ns != 0) {
            next = s->deadline.ns;
        }
    }
    arka_mutex_unlock(&s->lock);
    return next;
}

static void watch(void *context)
{
    arka_sql *sql = context;
    arka_mutex_lock(&sql->lock);
    while (!sql->stop) {
        int64_t now = arka_mono_now().ns, next = now + INT64_C(3600000000000);
        for (int i = 0; i < sql->n_sessions; i++) {
            int64_t at = look_at(&sql->sessions[i], now);
            next = at < next ? at : next;
        }
        arka_cond_wait(&sql->wake, &sql->lock, (arka_mono){next});
    }
    arka_mutex_unlock(&sql->lock);
}
