/* From names to pinned snapshots, views and the session's schema. */
#include <stdio.h>

#include "base/buf.h"
#include "os/clock.h"
#include "sql/run.h"
#include "sql/system_priv.h"

static arka_status out_of_scope(const arka_inspection *i, size_t at, arka_slice name,
                                arka_slice database, arka_error *err)
{
    return arka_complain(err, ARKA_FORBIDDEN, &i->text, at,
                         "'%.*s' is not part of database '%.*s', to which the request is limited",
                         ARKA_FMT(name), ARKA_FMT(database));
}

/* current_date and its like are columns where a table has such a column. */
static bool shadows_now(const arka_schema *schema)
{
    return arka_schema_find(schema, ARKA_SLICE("current_timestamp")) >= 0 ||
           arka_schema_find(schema, ARKA_SLICE("current_date")) >= 0 ||
           arka_schema_find(schema, ARKA_SLICE("localtimestamp")) >= 0;
}

/* Which database the name means. */
static arka_slice database_of(const arka_table_use *use, arka_slice database)
{
    return use->database.len > 0 ? use->database : database;
}

/* A system table: nothing to pin, its rows are made when the query runs. */
static bool is_made(const arka_session *s, const arka_table_use *use, arka_slice database)
{
    return arka_system_is_made(s->sql, database_of(use, database), use->table);
}

/*
 * What it may not see is not there. A table with rows about others is there for all, row by row
 * (views.c).
 */
static bool sees(const arka_session *s, arka_slice database, arka_slice table)
{
    if (arka_system_find(s->sql, database, table) != NULL)
        return true;
    return arka_sees_database(&s->visibility, database) &&
           arka_sees_table(&s->visibility, database, table);
}

/* ---- every table at one instant ---- */

/* Which one is it, in the order of the text? ARKA_OK: all are there by now. */
static arka_status find_missing(arka_session *s, const arka_inspection *i, arka_slice database,
                                arka_error *err)
{
    for (size_t k = 0; k < i->n_uses; k++) {
        const arka_table_use *use = &i->uses[k];
        arka_slice in = database_of(use, database);
        arka_snapshot *snapshot = NULL;
        arka_status status = ARKA_NOTFOUND;
        if (is_made(s, use, database))
            continue;
        if (sees(s, in, use->table))
            status = arka_engine_snapshot(s->sql->engine, in, use->table, &snapshot, NULL);
        arka_snapshot_unref(snapshot);
        if (status == ARKA_NOTFOUND)
            return arka_complain(err, ARKA_NOTFOUND, &i->text, use->at, "unknown table: %.*s.%.*s",
                                 ARKA_FMT(in), ARKA_FMT(use->table));
    }
    return ARKA_OK;
}

/* Those that can be seen; *hidden: it names others as well. */
static arka_status name_tables(arka_session *s, const arka_inspection *i, arka_slice database,
                               bool *hidden, arka_error *err)
{
    *hidden = false;
    for (size_t k = 0; k < i->n_uses; k++) {
        const arka_table_use *use = &i->uses[k];
        arka_pin pin = {.database = database_of(use, database), .table = use->table};
        if (is_made(s, use, database))
            continue;
        *hidden |= !sees(s, pin.database, pin.table);
        if (!*hidden && arka_session_pin(s, pin.database, pin.table) == NULL &&
            !arka_vec_push(&s->pins, pin))
            return arka_fail_nomem(err, "a list of tables", sizeof pin);
    }
    return ARKA_OK;
}

static arka_status take_snapshots(arka_session *s, const arka_table_ref *refs,
                                  arka_snapshot **snapshots, const arka_inspection *i,
                                  arka_slice database, arka_error *err)
{
    arka_error why = {0};
    arka_status status;
    /* again while the one that was missing comes to be */
    while ((status = arka_engine_snapshots(s->sql->engine, refs, s->pins.n, snapshots, &s->lsn,
                                           &why)) == ARKA_NOTFOUND) {
        ARKA_TRY(find_missing(s, i, database, err));
        ARKA_TRY(arka_session_check(s, err));
        why = (arka_error){0};
    }
    if (status != ARKA_OK && err != NULL)
        *err = why;
    return status;
}

static arka_status pin_tables(arka_session *s, const arka_inspection *i, arka_slice database,
                              arka_error *err)
{
    arka_arena arena = ARKA_ARENA_INIT;
    size_t n = s->pins.n;
    arka_table_ref *refs = arka_arena_alloc(&arena, (n + 1) * sizeof *refs);
    arka_snapshot **snapshots = arka_arena_alloc(&arena, (n + 1) * sizeof *snapshots);
    arka_status status = refs != NULL && snapshots != NULL
                             ? ARKA_OK
                             : arka_fail_nomem(err, "snapshots", n * sizeof *snapshots);
    for (size_t k = 0; status == ARKA_OK && k < n; k++)
        refs[k] = (arka_table_ref){s->pins.items[k].database, s->pins.items[k].table};
    if (status == ARKA_OK)
        status = take_snapshots(s, refs, snapshots, i, database, err);
    for (size_t k = 0; status == ARKA_OK && k < n; k++)
        s->pins.items[k].snapshot = snapshots[k];
    arka_arena_fini(&arena);
    return status;
}

/* ---- which of its rows ---- */

static void narrow(arka_session *s, const arka_table_use *use, arka_slice database, int64_t now)
{
    arka_pin *pin = arka_session_pin(s, database_of(use, database), use->table);
    arka_range range = use->range;
    if (range.named_now && shadows_now(pin->snapshot->schema))
        range = (arka_range){ARKA_WINDOW_OPEN, ARKA_WINDOW_OPEN, false, false};
    int64_t min, max, sure_min, sure_max;
    arka_window_at(&range.wide, now, &min, &max);
    arka_window_at(&range.sure, now, &sure_min, &sure_max);
    if (range.whole && use->tail.n_rows > 0)
        arka_tail_narrow(&use->tail, pin->snapshot, sure_min, sure_max, &min, &max);
    /* a table named twice: what either place wants */
    pin->time_min = !pin->narrowed || min < pin->time_min ? min : pin->time_min;
    pin->time_max = !pin->narrowed || max > pin->time_max ? max : pin->time_max;
    pin->newest_first = use->tail.newest_first;
    pin->narrowed = true;
}

/* The files that will be read: that their bytes are those that were written. */
static arka_status check_files(arka_session *s, const arka_pin *pin, arka_error *err)
{
    for (int64_t k = 0; k < pin->snapshot->n_files; k++) {
        arka_data_file *f = pin->snapshot->files[k];
        if (f->time_max < pin->time_min || f->time_min > pin->time_max)
            continue;
        ARKA_TRY(arka_data_file_check(f, err));
        ARKA_TRY(arka_session_check(s, err)); /* the first query of much data reads for long */
    }
    return ARKA_OK;
}

static arka_status choose_schema(arka_session *s, arka_slice database, arka_error *err)
{
    if (arka_slice_eq(arka_slice_of(s->schema), database))
        return ARKA_OK;
    arka_buf sql = ARKA_BUF_INIT;
    arka_buf_text(&sql, "SET schema = '\"" ARKA_SQL_CATALOG "\".");
    arka_sql_quote(&sql, '"', database);
    arka_buf_byte(&sql, '\'');
    const char *text = arka_buf_cstr(&sql);
    arka_status status =
        text ? arka_session_run(s, text, err) : arka_fail_nomem(err, "a statement", sql.len);
    arka_buf_fini(&sql);
    if (status == ARKA_OK)
        snprintf(s->schema, sizeof s->schema, "%.*s", ARKA_FMT(database));
    return status;
}

static arka_status check_scope(const arka_inspection *i, arka_slice database, arka_error *err)
{
    for (size_t k = 0; k < i->n_uses; k++) {
        const arka_table_use *use = &i->uses[k];
        if (use->database.len > 0 && !arka_name_eq(use->database, database))
            return out_of_scope(i, use->at, use->database, database, err);
    }
    if (i->information_schema)
        return out_of_scope(i, i->information_at, ARKA_SLICE("information_schema"), database, err);
    return ARKA_OK;
}

/* A plan tells how many rows there are, seen or not. */
static arka_status check_explain(const arka_session *s, const arka_inspection *i,
                                 arka_slice database, arka_error *err)
{
    if (i->statement != ARKA_STATEMENT_EXPLAIN || s->visibility.table == NULL)
        return ARKA_OK;
    for (size_t k = 0; k < i->n_uses; k++) {
        const arka_table_use *use = &i->uses[k];
        arka_slice in = database_of(use, database);
        const arka_system_table *t = arka_system_find(s->sql, in, use->table);
        if (t != NULL && t->put_rows == NULL)
            return arka_complain(
                err, ARKA_FORBIDDEN, &i->text, use->at,
                "EXPLAIN of %s.%s is not allowed to those who see only a part of it",
                ARKA_SYSTEM_DATABASE, t->name);
    }
    return ARKA_OK;
}

static bool has_database(const arka_session *s, arka_slice database)
{
    if (arka_name_eq(database, ARKA_SLICE(ARKA_SYSTEM_DATABASE)))
        return true;
    return arka_sees_database(&s->visibility, database) &&
           arka_engine_has_database(s->sql->engine, database);
}

arka_status arka_resolve(arka_session *s, const arka_inspection *i, arka_slice database,
                         bool scoped, arka_error *err)
{
    int64_t now = arka_wall_us();
    bool unqualified = false, hidden;
    if (scoped)
        ARKA_TRY(check_scope(i, database, err));
    ARKA_TRY(check_explain(s, i, database, err));
    ARKA_TRY(name_tables(s, i, database, &hidden, err));
    if (hidden)
        return find_missing(s, i, database, err);
    ARKA_TRY(pin_tables(s, i, database, err));
    arka_session_note_pins(s);
    for (size_t k = 0; k < i->n_uses; k++) {
        unqualified |= i->uses[k].database.len == 0;
        if (!is_made(s, &i->uses[k], database))
            narrow(s, &i->uses[k], database, now);
    }
    if (i->current_schema) {
        if (!has_database(s, database))
            return arka_complain(err, ARKA_NOTFOUND, &i->text, i->current_schema_at,
                                 "unknown database: %.*s", ARKA_FMT(database));
        ARKA_TRY(arka_views_ensure_schema(s->instance->views, database, err));
    }
    for (size_t k = 0; k < s->pins.n; k++) {
        ARKA_TRY(arka_views_ensure(s->instance->views, &s->pins.items[k], err));
        ARKA_TRY(check_files(s, &s->pins.items[k], err));
    }
    /* else the schema is what the session's last query left, which is nobody's business */
    return unqualified || i->current_schema ? choose_schema(s, database, err) : ARKA_OK;
}
