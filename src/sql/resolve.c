/* From names to pinned snapshots, views and the session's schema. */
#include <stdio.h>

#include "base/buf.h"
#include "os/clock.h"
#include "sql/run.h"

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

static arka_status pin_use(arka_session *s, const arka_inspection *i, const arka_table_use *use,
                           arka_slice database, int64_t now, arka_error *err)
{
    arka_pin *pin = arka_session_pin(s, database, use->table);
    bool first = pin == NULL;
    if (first) {
        arka_pin p = {.database = database, .table = use->table};
        arka_status status =
            arka_engine_snapshot(s->sql->engine, database, use->table, &p.snapshot, NULL);
        if (status == ARKA_NOTFOUND)
            return arka_complain(err, ARKA_NOTFOUND, &i->text, use->at, "unknown table: %.*s.%.*s",
                                 ARKA_FMT(database), ARKA_FMT(use->table));
        if (status != ARKA_OK)
            return arka_fail(err, status, "table %.*s.%.*s cannot be read", ARKA_FMT(database),
                             ARKA_FMT(use->table));
        if (!arka_vec_push(&s->pins, p)) {
            arka_snapshot_unref(p.snapshot);
            return arka_fail_nomem(err, "a list of tables", sizeof p);
        }
        pin = &arka_vec_last(&s->pins);
    }
    arka_range range = use->range;
    if (range.named_now && shadows_now(pin->snapshot->schema))
        range = (arka_range){ARKA_WINDOW_OPEN, ARKA_WINDOW_OPEN, false, false};
    int64_t min, max, sure_min, sure_max;
    arka_window_at(&range.wide, now, &min, &max);
    arka_window_at(&range.sure, now, &sure_min, &sure_max);
    if (range.whole && use->tail.n_rows > 0)
        arka_tail_narrow(&use->tail, pin->snapshot, sure_min, sure_max, &min, &max);
    /* a table named twice: what either place wants */
    pin->time_min = first || min < pin->time_min ? min : pin->time_min;
    pin->time_max = first || max > pin->time_max ? max : pin->time_max;
    pin->newest_first = use->tail.newest_first;
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

arka_status arka_resolve(arka_session *s, const arka_inspection *i, arka_slice database,
                         bool scoped, arka_error *err)
{
    int64_t now = arka_wall_us();
    bool unqualified = false;
    for (size_t k = 0; k < i->n_uses; k++) {
        const arka_table_use *use = &i->uses[k];
        if (scoped && use->database.len > 0 && !arka_name_eq(use->database, database))
            return out_of_scope(i, use->at, use->database, database, err);
        unqualified |= use->database.len == 0;
        ARKA_TRY(pin_use(s, i, use, use->database.len > 0 ? use->database : database, now, err));
    }
    if (scoped && i->information_schema)
        return out_of_scope(i, i->information_at, ARKA_SLICE("information_schema"), database, err);
    if (i->current_schema && !arka_engine_has_database(s->sql->engine, database))
        return arka_complain(err, ARKA_NOTFOUND, &i->text, i->current_schema_at,
                             "unknown database: %.*s", ARKA_FMT(database));
    if (i->information_schema || i->current_schema)
        ARKA_TRY(arka_views_ensure_all(s->instance->views, s, err));
    for (size_t k = 0; k < s->pins.n; k++)
        ARKA_TRY(arka_views_ensure(s->instance->views, &s->pins.items[k], err));
    /* else the schema is what the session's last query left, which is nobody's business */
    return unqualified || i->current_schema ? choose_schema(s, database, err) : ARKA_OK;
}
