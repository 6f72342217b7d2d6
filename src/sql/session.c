/*
 * The service: its sessions, given out one query at a time; the watcher that stops queries; and
 * another DuckDB instance in place of one that has given up (an internal error of its own makes it
 * refuse all that follows).
 */
#include <errno.h>

#include "base/buf.h"
#include "os/memfile.h"
#include "sql/sql_priv.h"
#include "sql/handover.h"

enum { REPEAT_MS = 10, LOOK_AT_MEMORY_MS = 100 };

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

/* ---- opening and closing ---- */

static void watch(void *context);

static char *copy_text(const char *text, bool *ok)
{
    char *copy = text ? arka_strdup(text) : NULL;
    *ok &= text == NULL || copy != NULL;
    return copy;
}

arka_status arka_sql_open(const arka_sql_options *options, arka_sql **out, arka_error *err)
{
    bool ok = true;
    ARKA_AUTO(arka_sql) sql = arka_calloc(1, sizeof *sql);
    if (sql == NULL)
        return arka_fail_nomem(err, "the query service", sizeof *sql);
    sql->empty_fd = -1;
    arka_mutex_init(&sql->lock, ARKA_LOCK_SESSION_POOL);
    arka_cond_init(&sql->wake);
    sql->engine = options->engine;
    sql->options = *options;
    sql->options.data_dir = sql->data_dir = copy_text(options->data_dir, &ok);
    sql->options.temp_dir = sql->temp_dir = copy_text(options->temp_dir, &ok);
    if (!ok)
        return arka_fail_nomem(err, "the query service", sizeof *sql);
    ARKA_TRY(arka_instance_open(sql, &sql->instance, err));
    ARKA_TRY(arka_inspections_new(&sql->cache, err));
    ARKA_TRY(arka_thread_start(&sql->watcher, "sql-watch", watch, sql, err));
    sql->watcher_runs = true;
    *out = arka_take(sql);
    return ARKA_OK;
}

static bool all_idle(const arka_instance *i)
{
    return i->n_idle == i->n_sessions - 1;
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
        ARKA_CHECK(sql->retired == NULL && all_idle(sql->instance), "queries are alive");
    }
    arka_inspections_free(sql->cache);
    arka_instance_close(sql->instance);
    arka_memfile_close(sql->empty_fd);
    arka_cond_fini(&sql->wake);
    arka_mutex_fini(&sql->lock);
    arka_free(sql->data_dir);
    arka_free(sql->temp_dir);
    arka_free(sql);
}

/* ---- instances that have given up ---- */

void arka_session_doubt(arka_session *s)
{
    duckdb_result result;
    bool broken = duckdb_query(s->connection, "SELECT 1", &result) != DuckDBSuccess;
    duckdb_destroy_result(&result);
    if (!broken)
        return;
    arka_mutex_lock(&s->sql->lock);
    s->instance->broken = true;
    arka_mutex_unlock(&s->sql->lock);
}

/*
 * A new instance in place of the broken one; *unused is the old one if nobody is left in it, else
 * the last query that leaves it closes it.
 */
static arka_status replace_locked(arka_sql *sql, arka_instance **unused, arka_error *err)
    ARKA_REQUIRES(sql->lock);
static arka_status replace_locked(arka_sql *sql, arka_instance **unused, arka_error *err)
{
    arka_instance *old = sql->instance;
    ARKA_TRY(arka_instance_open(sql, &sql->instance, err));
    if (all_idle(old)) {
        *unused = old;
    } else {
        old->next = sql->retired;
        sql->retired = old;
    }
    return ARKA_OK;
}

/* Takes a retired instance off the list when its last query has left. */
static arka_instance *left_locked(arka_sql *sql, arka_instance *i) ARKA_REQUIRES(sql->lock);
static arka_instance *left_locked(arka_sql *sql, arka_instance *i)
{
    for (arka_instance **at = &sql->retired; *at != NULL; at = &(*at)->next)
        if (*at == i && all_idle(i)) {
            *at = i->next;
            return i;
        }
    return NULL;
}

/* ---- the pool ---- */

static void hand_out_locked(arka_sql *sql, arka_mono deadline, arka_session **out)
    ARKA_REQUIRES(sql->lock);
static void hand_out_locked(arka_sql *sql, arka_mono deadline, arka_session **out)
{
    arka_instance *i = sql->instance;
    arka_session *s = &i->sessions[i->idle[--i->n_idle]];
    arka_mutex_lock(&s->lock);
    s->busy = true;
    s->stop = ARKA_STOP_NONE;
    s->taken = arka_mono_now();
    s->deadline = deadline;
    s->pinned_bytes = 0;
    arka_mutex_unlock(&s->lock);
    s->executed = (arka_mono){0};
    if (deadline.ns != 0 || sql->options.max_age_ms > 0 || sql->options.max_pin_ms > 0)
        arka_cond_signal(&sql->wake);
    *out = s;
}

arka_status arka_session_take(arka_sql *sql, arka_mono deadline, arka_session **out,
                              arka_error *err)
{
    arka_instance *unused = NULL;
    arka_status status = ARKA_OK;
    arka_mutex_lock(&sql->lock);
    if (sql->instance->broken)
        status = replace_locked(sql, &unused, err);
    if (status == ARKA_OK && sql->instance->n_idle > 0)
        hand_out_locked(sql, deadline, out);
    else if (status == ARKA_OK)
        status = arka_fail(err, ARKA_BUSY, "all %d SQL sessions are taken",
                           sql->instance->n_sessions - 1);
    arka_mutex_unlock(&sql->lock);
    arka_instance_close(unused);
    return status;
}

void arka_session_give(arka_session *s)
{
    arka_sql *sql = s->sql;
    arka_instance *i = s->instance;
    arka_session_unpin(s);
    s->visibility = (arka_visibility){0};
    arka_mutex_lock(&sql->lock);
    arka_mutex_lock(&s->lock);
    s->busy = false;
    arka_mutex_unlock(&s->lock);
    i->idle[i->n_idle++] = (int)(s - i->sessions);
    arka_instance *unused = left_locked(sql, i);
    arka_mutex_unlock(&sql->lock);
    arka_instance_close(unused);
}

arka_session *arka_session_find(arka_instance *instance, duckdb_client_context context)
{
    idx_t id = duckdb_client_context_get_connection_id(context);
    for (int i = 0; i < instance->n_sessions; i++)
        if (instance->sessions[i].id == id)
            return &instance->sessions[i];
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

#ifdef ARKA_SANITIZED
atomic_uint arka_handovers;
#endif

void arka_session_unpin(arka_session *s)
{
    arka_handover();
    for (size_t i = 0; i < s->pins.n; i++)
        arka_snapshot_unref(s->pins.items[i].snapshot);
    s->pins.n = 0;
}

void arka_session_note_pins(arka_session *s)
{
    int64_t n_bytes = 0;
    for (size_t i = 0; i < s->pins.n; i++)
        n_bytes += s->pins.items[i].snapshot->n_hot_bytes;
    arka_mutex_lock(&s->lock);
    s->pinned_bytes = n_bytes;
    arka_mutex_unlock(&s->lock);
}

/* ---- stopping ---- */

/* With the errno that tells it from others, but not its words. */
static arka_status marked(arka_status status, int sys, arka_error *err)
{
    if (err != NULL && err->code == status)
        err->sys = sys;
    return status;
}

arka_status arka_session_check(arka_session *s, arka_error *err)
{
    const arka_sql_options *o = &s->sql->options;
    arka_mutex_lock(&s->lock);
    if (s->stop == ARKA_STOP_NONE && s->deadline.ns != 0 && arka_mono_now().ns >= s->deadline.ns)
        s->stop = ARKA_STOP_LATE;
    arka_stop why = s->stop;
    int64_t pinned_bytes = s->pinned_bytes;
    arka_mutex_unlock(&s->lock);
    switch (why) {
    case ARKA_STOP_CANCELLED:
        return arka_fail(err, ARKA_CANCELLED, "the query was cancelled");
    case ARKA_STOP_LATE:
        return marked(
            arka_fail(err, ARKA_CANCELLED, "the query took longer than it may and was stopped"),
            ETIMEDOUT, err);
    case ARKA_STOP_OLD:
        return marked(arka_fail(err, ARKA_CANCELLED,
                                "the query kept the state of its tables for longer than %.3g s "
                                "and was stopped",
                                (double)o->max_age_ms / 1000),
                      ETIME, err);
    case ARKA_STOP_MEMORY:
        return arka_fail(err, ARKA_BUSY,
                         "memory for new rows is short, and the query had kept %.3g MiB of rows "
                         "for longer than %.3g s: it was stopped; try again",
                         (double)pinned_bytes / (1 << 20), (double)o->max_pin_ms / 1000);
    case ARKA_STOP_OVER:
        return arka_fail(err, ARKA_LIMIT,
                         "the query needs more than the %.3g MiB of memory that one query may have",
                         (double)o->one_memory_bytes / (1 << 20));
    case ARKA_STOP_NONE:
        break;
    }
    return ARKA_OK;
}

void arka_session_interrupt(arka_session *s, arka_stop why)
{
    arka_sql *sql = s->sql;
    arka_mutex_lock(&sql->lock);
    arka_mutex_lock(&s->lock);
    if (s->busy) {
        if (s->stop == ARKA_STOP_NONE)
            s->stop = why;
        duckdb_interrupt(s->connection);
        arka_cond_signal(&sql->wake);
    }
    arka_mutex_unlock(&s->lock);
    arka_mutex_unlock(&sql->lock);
}

/* ---- the watcher ---- */

/* One look at all sessions. */
typedef struct look {
    const arka_sql_options *options;
    int64_t now, next;     /* when to look again, ns */
    bool leaving;          /* one that was stopped for its memory is still there */
    arka_session *longest; /* has had hot rows for the longest time, longer than it may in red */
} look;

static void look_again_at(look *l, int64_t ns)
{
    l->next = ns < l->next ? ns : l->next;
}

static bool is_past(const look *l, const arka_session *s, int64_t ms)
{
    return ms > 0 && l->now >= s->taken.ns + ms * 1000000;
}

static void look_at_memory_locked(look *l, arka_session *s) ARKA_REQUIRES(s->lock);
static void look_at_memory_locked(look *l, arka_session *s)
{
    if (!is_past(l, s, l->options->max_pin_ms))
        look_again_at(l, s->taken.ns + l->options->max_pin_ms * 1000000);
    else if (s->pinned_bytes > 0 && (l->longest == NULL || s->taken.ns < l->longest->taken.ns))
        l->longest = s;
}

static void look_at(look *l, arka_session *s)
{
    arka_mutex_lock(&s->lock);
    if (s->busy && s->stop == ARKA_STOP_NONE) {
        if (s->deadline.ns != 0 && l->now >= s->deadline.ns)
            s->stop = ARKA_STOP_LATE;
        else if (is_past(l, s, l->options->max_age_ms))
            s->stop = ARKA_STOP_OLD;
    }
    if (s->busy && s->stop != ARKA_STOP_NONE) {
        /* again and again: DuckDB forgets an interrupt whenever a statement begins */
        duckdb_interrupt(s->connection);
        look_again_at(l, l->now + REPEAT_MS * 1000000);
        l->leaving |= s->stop == ARKA_STOP_MEMORY;
    } else if (s->busy) {
        if (s->deadline.ns != 0)
            look_again_at(l, s->deadline.ns);
        if (l->options->max_age_ms > 0)
            look_again_at(l, s->taken.ns + l->options->max_age_ms * 1000000);
        if (l->options->max_pin_ms > 0)
            look_at_memory_locked(l, s);
    }
    arka_mutex_unlock(&s->lock);
}

static void look_at_all(look *l, arka_instance *i)
{
    for (int k = 0; k < i->n_sessions; k++)
        look_at(l, &i->sessions[k]);
}

/* While memory is short: one at a time, the oldest first, until it is not. */
static void free_memory(look *l, arka_engine *engine)
{
    arka_session *s = l->longest;
    if (s == NULL)
        return;
    look_again_at(l, l->now + INT64_C(1000000) * LOOK_AT_MEMORY_MS);
    if (l->leaving || arka_engine_zone(engine) != ARKA_ZONE_RED)
        return;
    arka_mutex_lock(&s->lock);
    if (s->busy && s->stop == ARKA_STOP_NONE) {
        s->stop = ARKA_STOP_MEMORY;
        duckdb_interrupt(s->connection);
        look_again_at(l, l->now + REPEAT_MS * 1000000);
    }
    arka_mutex_unlock(&s->lock);
}

static void watch(void *context)
{
    arka_sql *sql = context;
    arka_mutex_lock(&sql->lock);
    while (!sql->stop) {
        int64_t now = arka_mono_now().ns;
        look l = {.options = &sql->options, .now = now, .next = now + INT64_C(3600000000000)};
        look_at_all(&l, sql->instance);
        for (arka_instance *i = sql->retired; i != NULL; i = i->next)
            look_at_all(&l, i);
        free_memory(&l, sql->engine);
        arka_cond_wait(&sql->wake, &sql->lock, (arka_mono){l.next});
    }
    arka_mutex_unlock(&sql->lock);
}
