#include "server/influx/influx_run.h"

#include <stdlib.h>

#include "server/access/access.h"
#include "server/query/drop.h"
#include "wire/names.h"

/* ---- what each statement is ---- */

arka_influx_verb arka_influx_verb_of(arka_influxql_kind kind)
{
    static const arka_influx_verb VERBS[ARKA_INFLUXQL_N_KINDS] = {
#define READS(kind, run) [ARKA_INFLUXQL_##kind] = {ARKA_MAY_READ, false, arka_influx_##run}
        READS(SHOW_DATABASES, show_databases),
        READS(SHOW_MEASUREMENTS, show_measurements),
        READS(SHOW_RETENTION_POLICIES, show_policies),
        READS(SHOW_FIELD_KEYS, show_field_keys),
        READS(SHOW_TAG_KEYS, show_tag_keys),
        READS(SHOW_TAG_VALUES, show_tag_values),
        READS(SHOW_SERIES, show_series),
        READS(SHOW_USERS, show_users),
        READS(SHOW_GRANTS, show_grants),
        READS(SHOW_CONTINUOUS_QUERIES, show_continuous_queries),
        READS(SHOW_SUBSCRIPTIONS, show_nothing),
        READS(SHOW_MEASUREMENT_CARDINALITY, count_measurements),
        READS(SHOW_MEASUREMENT_EXACT_CARDINALITY, count_measurements),
        READS(SHOW_FIELD_KEY_CARDINALITY, count_field_keys),
        READS(SHOW_FIELD_KEY_EXACT_CARDINALITY, count_field_keys),
        READS(SHOW_TAG_KEY_CARDINALITY, count_tag_keys),
        READS(SHOW_TAG_KEY_EXACT_CARDINALITY, count_tag_keys),
        READS(SHOW_TAG_VALUES_CARDINALITY, count_tag_values),
        READS(SHOW_TAG_VALUES_EXACT_CARDINALITY, count_tag_values),
        READS(SHOW_SERIES_CARDINALITY, count_series),
        READS(SHOW_SERIES_EXACT_CARDINALITY, count_series),
#undef READS
        [ARKA_INFLUXQL_SELECT] = {ARKA_MAY_READ, false, NULL},
        [ARKA_INFLUXQL_EXPLAIN] = {ARKA_MAY_READ, false, NULL},
        [ARKA_INFLUXQL_DELETE] = {ARKA_MAY_DELETE, true, NULL},
        [ARKA_INFLUXQL_DROP_SERIES] = {ARKA_MAY_DELETE, true, NULL},
        [ARKA_INFLUXQL_CREATE_DATABASE] = {ARKA_MAY_WRITE, true, arka_influx_create_database},
        [ARKA_INFLUXQL_DROP_DATABASE] = {ARKA_MAY_ADMIN, true, arka_influx_drop_database},
        [ARKA_INFLUXQL_DROP_MEASUREMENT] = {ARKA_MAY_DELETE, true, arka_influx_drop_measurement},
        [ARKA_INFLUXQL_CREATE_RETENTION_POLICY] = {ARKA_MAY_ADMIN, true, arka_influx_accept},
        [ARKA_INFLUXQL_ALTER_RETENTION_POLICY] = {ARKA_MAY_ADMIN, true, arka_influx_accept},
        [ARKA_INFLUXQL_DROP_RETENTION_POLICY] = {ARKA_MAY_ADMIN, true, arka_influx_accept},
    };
    arka_influx_verb verb = VERBS[kind];
    if (verb.rights == 0)
        verb.rights = ARKA_MAY_ADMIN;
    return verb;
}

/* A policy is harmless as long as it keeps rows for ever, which is what happens to them. */
static const char *why_not_policy(arka_influx *q, const arka_influxql_statement *s)
{
    const char *words = arka_influxql_kind_words(s->kind);
    if (s->kind == ARKA_INFLUXQL_DROP_RETENTION_POLICY)
        return arka_slice_eq(s->name, ARKA_SLICE("autogen"))
                   ? arka_arena_printf(&q->arena,
                                       "%s autogen is not supported: it would drop all "
                                       "rows; DROP DATABASE does that",
                                       words)
                   : NULL;
    if (s->policy.has_duration && s->policy.duration != 0)
        return arka_arena_printf(
            &q->arena,
            "%s with a finite DURATION is not supported: rows are kept until they are "
            "dropped; only DURATION INF is accepted",
            words);
    return NULL;
}

const char *arka_influx_unsupported(arka_influx *q, const arka_influxql_statement *s)
{
    if (s->kind == ARKA_INFLUXQL_CREATE_RETENTION_POLICY ||
        s->kind == ARKA_INFLUXQL_ALTER_RETENTION_POLICY ||
        s->kind == ARKA_INFLUXQL_DROP_RETENTION_POLICY)
        return why_not_policy(q, s);
    if (s->query.n_dimensions > 0 && arka_influx_verb_of(s->kind).run != NULL)
        return arka_arena_printf(&q->arena, "%s with GROUP BY is not supported",
                                 arka_influxql_kind_words(s->kind));
    return NULL;
}

/* ---- regular expressions, all of them before anything runs ---- */

static arka_status check_expr(arka_influx *q, const arka_influxql_expr *e, arka_error *err)
{
    if (e == NULL)
        return ARKA_OK;
    if (e->kind == ARKA_INFLUXQL_REGEX)
        return arka_influx_check_regex(q, e, err);
    ARKA_TRY(check_expr(q, e->left, err));
    return check_expr(q, e->right, err);
}

arka_status arka_influx_check(arka_influx *q, arka_error *err)
{
    for (size_t i = 0; i < q->statements.n; i++) {
        const arka_influxql_statement *s = &q->statements.items[i];
        ARKA_TRY(check_expr(q, s->key_regex, err));
        ARKA_TRY(check_expr(q, s->query.condition, err));
        if (s->with != NULL)
            ARKA_TRY(check_expr(q, s->with->regex, err));
        for (size_t j = 0; j < s->query.n_sources; j++)
            ARKA_TRY(check_expr(q, s->query.sources[j].regex, err));
    }
    return ARKA_OK;
}

/* ---- running ---- */

static const char *warning_of(arka_influx *q, const arka_influxql_statement *s)
{
    if (s->kind == ARKA_INFLUXQL_CREATE_DATABASE && s->policy.has_duration &&
        s->policy.duration != 0)
        return "DURATION is not enforced: rows are kept until they are dropped";
    if (!q->reads_only || !arka_influx_verb_of(s->kind).changes)
        return NULL;
    arka_buf text = ARKA_BUF_INIT;
    arka_influxql_print(s, &text);
    const char *warning = arka_arena_printf(
        &q->arena,
        "deprecated use of '%.*s' in a read only context, please use a POST request instead",
        text.failed ? 0 : (int)text.len, text.data);
    arka_buf_fini(&text);
    return warning;
}

/* What ends the whole request rather than one statement; after that the rest does not run. */
static bool ends_all(arka_status code)
{
    return code != ARKA_OK && code != ARKA_INPUT && code != ARKA_NOTFOUND && code != ARKA_EXISTS &&
           code != ARKA_FORBIDDEN && code != ARKA_LIMIT;
}

arka_status arka_influx_run(arka_influx *q, arka_error *err)
{
    bool failed = false;
    arka_influx_begin(&q->out);
    for (size_t i = 0; i < q->statements.n; i++) {
        const arka_influxql_statement *s = &q->statements.items[i];
        arka_error own = {0};
        arka_influx_result(&q->out, i);
        arka_status status = failed ? arka_fail(&own, ARKA_INPUT, "not executed")
                                    : arka_influx_verb_of(s->kind).run(q, s, &own);
        failed |= status != ARKA_OK;
        if (ends_all(status)) {
            arka_fail(err, status, "%s", own.msg);
            err->sys = own.sys;
            return status;
        }
        if (!arka_influx_result_end(&q->out, status == ARKA_OK ? NULL : own.msg,
                                    status == ARKA_OK ? warning_of(q, s) : NULL))
            return arka_fail(err, status, "%s", own.msg);
    }
    return ARKA_OK;
}

/* ---- databases and tables ---- */

bool arka_influx_sees_database(const arka_influx *q, arka_slice database)
{
    return arka_engine_has_database(q->server->engine, database) &&
           (q->visibility.database == NULL ||
            q->visibility.database(q->visibility.context, database));
}

typedef ARKA_VEC(arka_slice) name_list;

typedef struct finder {
    arka_influx *q;
    arka_slice database;
    name_list names;
} finder;

static arka_status note_table(void *context, const arka_table_info *info, arka_error *err)
{
    finder *f = context;
    const arka_visibility *v = &f->q->visibility;
    arka_slice name = arka_slice_of(info->name);
    if (v->table != NULL && !v->table(v->context, f->database, name))
        return ARKA_OK;
    const char *kept = arka_arena_text(&f->q->arena, name);
    if (kept == NULL || !arka_vec_push(&f->names, (arka_slice){kept, name.len}))
        return arka_fail_nomem(err, "a name", name.len);
    return ARKA_OK;
}

static arka_status check_policy(const arka_influxql_source *source, arka_error *err)
{
    if (source->policy.len == 0 || arka_slice_eq(source->policy, ARKA_SLICE("autogen")))
        return ARKA_OK;
    return arka_fail(err, ARKA_NOTFOUND, "retention policy not found: %.*s",
                     ARKA_FMT(source->policy));
}

/* ON, else the first FROM that names one, else the request's. */
static arka_slice database_of(const arka_influx *q, const arka_influxql_statement *s)
{
    if (s->database.len > 0)
        return s->database;
    for (size_t i = 0; i < s->query.n_sources; i++)
        if (s->query.sources[i].database.len > 0)
            return s->query.sources[i].database;
    if (s->with != NULL && s->with->database.len > 0)
        return s->with->database;
    return q->database;
}

/* Keeps those that one of the sources means. */
static arka_status filter(arka_influx *q, const arka_influxql_source *sources, size_t n,
                          name_list *names, arka_error *err)
{
    bool *keep = arka_arena_zalloc(&q->arena, names->n + 1);
    bool *one = arka_arena_zalloc(&q->arena, names->n + 1);
    size_t kept = 0;
    if (keep == NULL || one == NULL)
        return arka_fail_nomem(err, "a list of names", names->n);
    for (size_t i = 0; i < n; i++) {
        ARKA_TRY(check_policy(&sources[i], err));
        if (sources[i].regex != NULL)
            ARKA_TRY(
                arka_influx_match(q, names->items, names->n, sources[i].regex->text, one, err));
        for (size_t j = 0; j < names->n; j++)
            keep[j] |=
                sources[i].regex != NULL ? one[j] : arka_name_eq(sources[i].name, names->items[j]);
    }
    for (size_t j = 0; j < names->n; j++)
        if (keep[j])
            names->items[kept++] = names->items[j];
    names->n = kept;
    return ARKA_OK;
}

static arka_status find(finder *f, const arka_influxql_statement *s, arka_error *err)
{
    arka_influx *q = f->q;
    if (arka_influx_sees_database(q, f->database))
        ARKA_TRY(arka_engine_each_table(q->server->engine, f->database, note_table, f, err));
    if (s->query.n_sources > 0)
        ARKA_TRY(filter(q, s->query.sources, s->query.n_sources, &f->names, err));
    return s->with != NULL ? filter(q, s->with, 1, &f->names, err) : ARKA_OK;
}

arka_status arka_influx_find_tables(arka_influx *q, const arka_influxql_statement *s,
                                    bool must_exist, arka_influx_tables *out, arka_error *err)
{
    finder f = {.q = q, .database = database_of(q, s)};
    *out = (arka_influx_tables){.database = f.database};
    if (must_exist && !arka_influx_sees_database(q, f.database))
        return arka_fail(err, ARKA_NOTFOUND, "database not found: %.*s",
                         f.database.len > 200 ? 200 : (int)f.database.len, f.database.data);
    arka_status status = find(&f, s, err);
    if (status == ARKA_OK && f.names.n > 0) {
        arka_slice *names = arka_arena_alloc(&q->arena, f.names.n * sizeof *names);
        if (names == NULL)
            status = arka_fail_nomem(err, "a list of names", f.names.n);
        else
            memcpy(names, f.names.items, f.names.n * sizeof *names);
        out->names = names;
        out->n = f.names.n;
    }
    arka_vec_fini(&f.names);
    return status;
}

/* ---- columns ---- */

arka_status arka_influx_schema(arka_influx *q, arka_slice database, arka_slice table,
                               arka_schema **out, arka_error *err)
{
    arka_error own = {0};
    ARKA_AUTO(arka_snapshot) snapshot = NULL;
    *out = NULL;
    arka_status status = arka_engine_snapshot(q->server->engine, database, table, &snapshot, &own);
    if (status == ARKA_NOTFOUND)
        return ARKA_OK;
    if (status != ARKA_OK)
        return arka_fail(err, own.code, "%s", own.msg);
    *out = arka_schema_ref(snapshot->schema);
    return ARKA_OK;
}

static int compare_fields(const void *a, const void *b)
{
    const arka_field *const *x = a, *const *y = b;
    return strcmp((*x)->name.data, (*y)->name.data);
}

arka_status arka_influx_columns_of(arka_influx *q, const arka_schema *schema, bool tags,
                                   arka_influx_columns *out, arka_error *err)
{
    size_t bytes = (size_t)schema->n_fields * sizeof *out->items;
    out->n = 0;
    out->items = arka_arena_alloc(&q->arena, bytes);
    if (out->items == NULL)
        return arka_fail_nomem(err, "a list of columns", bytes);
    for (int i = 1; i < schema->n_fields; i++)
        if (schema->fields[i].tag == tags)
            out->items[out->n++] = &schema->fields[i];
    qsort(out->items, out->n, sizeof *out->items, compare_fields);
    return ARKA_OK;
}

/* ---- statements that change something ---- */

arka_status arka_influx_create_database(arka_influx *q, const arka_influxql_statement *s,
                                        arka_error *err)
{
    ARKA_TRY(arka_name_check_database(s->name, err));
    arka_error own = {0};
    arka_status status = arka_engine_create_database(q->server->engine, s->name, &own);
    if (status == ARKA_OK || status == ARKA_EXISTS) /* to have it is what was asked for */
        return ARKA_OK;
    return arka_fail(err, own.code, "%s", own.msg);
}

arka_status arka_influx_drop_database(arka_influx *q, const arka_influxql_statement *s,
                                      arka_error *err)
{
    if (!arka_influx_sees_database(q, s->name))
        return ARKA_OK; /* not to have it is what was asked for */
    arka_error own = {0};
    arka_status status =
        arka_drop_database(q->server, s->name, q->request ? q->request->id : NULL, &own);
    return status == ARKA_OK || status == ARKA_NOTFOUND ? ARKA_OK
                                                        : arka_fail(err, own.code, "%s", own.msg);
}

arka_status arka_influx_drop_measurement(arka_influx *q, const arka_influxql_statement *s,
                                         arka_error *err)
{
    if (!arka_influx_sees_database(q, q->database))
        return arka_fail(err, ARKA_NOTFOUND, "database not found: %.*s",
                         q->database.len > 200 ? 200 : (int)q->database.len, q->database.data);
    if (q->visibility.table != NULL &&
        !q->visibility.table(q->visibility.context, q->database, s->name))
        return ARKA_OK; /* as one that is not there */
    arka_error own = {0};
    arka_status status =
        arka_drop_table(q->server, q->database, s->name, q->request ? q->request->id : NULL, &own);
    return status == ARKA_OK || status == ARKA_NOTFOUND ? ARKA_OK
                                                        : arka_fail(err, own.code, "%s", own.msg);
}

arka_status arka_influx_accept(arka_influx *q, const arka_influxql_statement *s, arka_error *err)
{
    if (s->kind != ARKA_INFLUXQL_DROP_RETENTION_POLICY &&
        !arka_influx_sees_database(q, s->database))
        return arka_fail(err, ARKA_NOTFOUND, "database not found: %.*s",
                         s->database.len > 200 ? 200 : (int)s->database.len, s->database.data);
    return ARKA_OK;
}
