/*
 * DuckDB's catalog, kept in step with the engine's, table by table as queries name them: a schema
 * per database, a view per table. A view is made again when its schema grew, and when its first
 * file came (until then it reads hot batches only, which saves opening a file).
 *
 *     SELECT "time", "host", … FROM (
 *         SELECT NULL::BOOLEAN AS "\n", * FROM read_parquet(arc_files('db', 't'), schema =
 * arc_schema('…')) UNION ALL FROM arc_hot('db', 't', '…', 7))
 *
 * The column called "\n" is never seen: DuckDB's UNION keeps its first column even if nothing is
 * wanted, and a constant costs count(*) nothing where "time" costs 50 ms for ten million rows.
 */
#include "base/buf.h"
#include "base/map.h"
#include "sql/signature.h"
#include "sql/system_priv.h"

typedef struct view {
    arka_schema *schema; /* that it was made for */
    uint64_t incarnation;
    bool with_files;
    uint64_t number;
} view;

struct arka_views {
    arka_engine *engine;
    arka_session *session; /* makes them; nobody else uses it */
    arka_mutex lock;       /* VIEWS: all of this, and the session */
    arka_map made; /* "database/table" in lower case → view; "database" → the schema is there */
    ARKA_VEC(view *) views;
    uint64_t n_made;
};

arka_status arka_views_new(arka_instance *instance, arka_views **out, arka_error *err)
{
    arka_views *v = arka_calloc(1, sizeof *v);
    if (v == NULL)
        return arka_fail_nomem(err, "the list of views", sizeof *v);
    v->engine = instance->sql->engine;
    v->session = &instance->sessions[instance->n_sessions - 1];
    arka_mutex_init(&v->lock, ARKA_LOCK_VIEWS);
    *out = v;
    return ARKA_OK;
}

void arka_views_free(arka_views *v)
{
    if (v == NULL)
        return;
    arka_map_fini(&v->made);
    for (size_t i = 0; i < v->views.n; i++) {
        arka_schema_unref(v->views.items[i]->schema);
        arka_free(v->views.items[i]);
    }
    arka_vec_fini(&v->views);
    arka_mutex_fini(&v->lock);
    arka_free(v);
}

/* ---- statements ---- */

static void put_call(arka_buf *sql, const char *function, const arka_pin *pin)
{
    arka_buf_printf(sql, "%s(", function);
    arka_sql_quote(sql, '\'', pin->database);
    arka_buf_text(sql, ", ");
    arka_sql_quote(sql, '\'', pin->table);
}

/* Its rows: SELECT … FROM this. */
static void put_source(arka_buf *sql, const arka_pin *pin, arka_slice signature, bool with_files)
{
    if (with_files) {
        arka_buf_text(sql, "(SELECT NULL::BOOLEAN AS \"" ARKA_NO_COLUMN "\", * FROM "
                           "read_parquet(");
        put_call(sql, "arc_files", pin);
        arka_buf_text(sql, "), schema = arc_schema(");
        arka_sql_quote(sql, '\'', signature);
        arka_buf_text(sql, ")) UNION ALL FROM ");
    }
    put_call(sql, "arc_hot", pin);
    arka_buf_text(sql, ", ");
    arka_sql_quote(sql, '\'', signature);
    arka_buf_printf(sql, with_files ? ", %llu))" : ", %llu)",
                    (unsigned long long)pin->snapshot->incarnation);
}

/* arc_sees(…) of the row's own database and table; false when the row cannot say. */
static void put_sees(arka_buf *sql, const arka_system_table *guarded, const arka_schema *schema)
{
    arka_slice columns[] = {arka_slice_of(guarded->about_database),
                            arka_slice_of(guarded->about_table)};
    arka_buf_text(sql, "arc_sees(");
    for (int i = 0; i < 2; i++) {
        arka_buf_text(sql, i > 0 ? ", " : "");
        int field = arka_schema_find(schema, columns[i]);
        if (field >= 0 && schema->fields[field].type == ARKA_VARCHAR)
            arka_sql_quote(sql, '"', columns[i]);
        else
            arka_buf_text(sql, "NULL");
    }
    arka_buf_byte(sql, ')');
}

/*
 * Of a table with rows about other tables (system.h) each value goes through arc_sees, beside the
 * WHERE: whatever DuckDB moves below the view, it finds nothing but nulls in rows that must not be
 * seen, so that no condition, cast or error of the query's can tell what stands there.
 */
static void put_guarded(arka_buf *sql, const arka_system_table *guarded, const arka_schema *schema)
{
    for (int i = 0; i < schema->n_fields; i++) {
        arka_buf_text(sql, i > 0 ? ",CASE WHEN " : "CASE WHEN ");
        put_sees(sql, guarded, schema);
        arka_buf_text(sql, " THEN ");
        arka_sql_quote(sql, '"', schema->fields[i].name);
        arka_buf_text(sql, " END AS ");
        arka_sql_quote(sql, '"', schema->fields[i].name);
    }
}

static void put_view(arka_buf *sql, const arka_pin *pin, const arka_schema *schema,
                     arka_slice signature, bool with_files, const arka_system_table *guarded)
{
    arka_buf_text(sql, "CREATE OR REPLACE VIEW \"" ARKA_SQL_CATALOG "\".");
    arka_sql_quote(sql, '"', pin->database);
    arka_buf_byte(sql, '.');
    arka_sql_quote(sql, '"', pin->table);
    arka_buf_text(sql, " AS SELECT ");
    if (guarded != NULL) {
        put_guarded(sql, guarded, schema);
        arka_buf_text(sql, " FROM ");
        put_source(sql, pin, signature, with_files);
        arka_buf_text(sql, " WHERE ");
        put_sees(sql, guarded, schema);
        return;
    }
    for (int i = 0; i < schema->n_fields; i++) {
        if (i > 0)
            arka_buf_byte(sql, ',');
        arka_sql_quote(sql, '"', schema->fields[i].name);
    }
    arka_buf_text(sql, " FROM ");
    put_source(sql, pin, signature, with_files);
}

static arka_status run(arka_views *v, arka_buf *sql, arka_error *err)
{
    const char *text = arka_buf_cstr(sql);
    return text ? arka_session_run(v->session, text, err)
                : arka_fail_nomem(err, "the definition of a view", sql->len);
}

static arka_status make_view(arka_views *v, const arka_pin *pin, const arka_schema *schema,
                             bool with_files, arka_error *err)
{
    arka_buf sql = ARKA_BUF_INIT, signature = ARKA_BUF_INIT;
    arka_pin own = *pin;
    own.snapshot = arka_snapshot_ref(pin->snapshot);
    arka_signature_write(&signature, schema);
    put_view(&sql, pin, schema, (arka_slice){signature.data, signature.len}, with_files,
             arka_system_find(v->session->sql, pin->database, pin->table));
    arka_status status;
    if (signature.failed || !arka_vec_push(&v->session->pins, own)) {
        arka_snapshot_unref(own.snapshot);
        status = arka_fail_nomem(err, "the definition of a view", sql.len);
    } else {
        status = run(v, &sql, err); /* DuckDB binds it, with our functions */
    }
    arka_session_unpin(v->session);
    arka_buf_fini(&signature);
    arka_buf_fini(&sql);
    return status;
}

/* ---- what is made ---- */

/* "database" or "database/table" in lower case, in `key` of the size below; names are far shorter.
 */
enum { KEY_BYTES = 1024 };
static arka_slice make_key(char *key, arka_slice database, arka_slice table)
{
    size_t n = 0;
    for (size_t i = 0; i < database.len && n < KEY_BYTES; i++)
        key[n++] = database.data[i];
    if (table.len > 0 && n < KEY_BYTES)
        key[n++] = '/';
    for (size_t i = 0; i < table.len && n < KEY_BYTES; i++)
        key[n++] = table.data[i];
    arka_name_fold((arka_slice){key, n}, key);
    return (arka_slice){key, n};
}

typedef struct spelling {
    arka_slice wanted;
    arka_buf name;
} spelling;

static arka_status match_database(void *context, const arka_database_info *info, arka_error *err)
{
    spelling *s = context;
    if (arka_name_eq(arka_slice_of(info->name), s->wanted))
        arka_buf_text(&s->name, info->name);
    return ARKA_OK;
}

/* Under the name that the engine has for it; a query may write it in other cases. */
static arka_status make_schema(arka_views *v, arka_slice database, arka_error *err)
{
    spelling s = {.wanted = database, .name = ARKA_BUF_INIT};
    arka_buf sql = ARKA_BUF_INIT;
    arka_status status = arka_engine_each_database(v->engine, match_database, &s, err);
    if (status == ARKA_OK) {
        arka_buf_text(&sql, "CREATE SCHEMA IF NOT EXISTS \"" ARKA_SQL_CATALOG "\".");
        arka_sql_quote(&sql, '"',
                       s.name.len > 0 ? (arka_slice){s.name.data, s.name.len} : database);
        status = run(v, &sql, err);
    }
    arka_buf_fini(&s.name);
    arka_buf_fini(&sql);
    return status;
}

static arka_status ensure_schema_locked(arka_views *v, arka_slice database, arka_error *err)
    ARKA_REQUIRES(v->lock);
static arka_status ensure_schema_locked(arka_views *v, arka_slice database, arka_error *err)
{
    char bytes[KEY_BYTES];
    arka_slice key = make_key(bytes, database, (arka_slice){"", 0});
    if (arka_map_get(&v->made, key) != NULL)
        return ARKA_OK;
    ARKA_TRY(make_schema(v, database, err));
    return arka_map_put(&v->made, key, v) ? ARKA_OK
                                          : arka_fail_nomem(err, "the list of views", key.len);
}

static arka_status add_view_locked(arka_views *v, arka_slice key, view **out, arka_error *err)
    ARKA_REQUIRES(v->lock);
static arka_status add_view_locked(arka_views *v, arka_slice key, view **out, arka_error *err)
{
    *out = arka_calloc(1, sizeof **out);
    if (*out == NULL || !arka_vec_push(&v->views, *out)) {
        arka_free(*out);
        return arka_fail_nomem(err, "the list of views", sizeof **out);
    }
    return arka_map_put(&v->made, key, *out)
               ? ARKA_OK
               : arka_fail_nomem(err, "the list of views", sizeof **out);
}

static arka_status ensure_locked(arka_views *v, arka_pin *pin, arka_error *err)
    ARKA_REQUIRES(v->lock);
static arka_status ensure_locked(arka_views *v, arka_pin *pin, arka_error *err)
{
    char bytes[KEY_BYTES];
    arka_slice key = make_key(bytes, pin->database, pin->table);
    arka_schema *schema = pin->snapshot->schema;
    uint64_t incarnation = pin->snapshot->incarnation;
    bool with_files = pin->snapshot->n_files > 0;
    view *known = arka_map_get(&v->made, key);
    if (known != NULL && known->schema != NULL && known->incarnation == incarnation) {
        pin->view = known->number;
        if (known->schema->version >= schema->version && (known->with_files || !with_files))
            return ARKA_OK;
        /* snapshots may come in any order: a view only ever grows */
        if (known->schema->version > schema->version)
            schema = known->schema;
        with_files |= known->with_files;
    }
    if (known == NULL)
        ARKA_TRY(add_view_locked(v, key, &known, err));
    ARKA_TRY(ensure_schema_locked(v, pin->database, err));
    ARKA_TRY(make_view(v, pin, schema, with_files, err));
    arka_schema_ref(schema);
    arka_schema_unref(known->schema);
    known->schema = schema;
    known->incarnation = incarnation;
    known->with_files = with_files;
    pin->view = known->number = ++v->n_made;
    return ARKA_OK;
}

arka_status arka_views_ensure(arka_views *v, arka_pin *pin, arka_error *err)
{
    arka_mutex_lock(&v->lock);
    arka_status status = ensure_locked(v, pin, err);
    arka_mutex_unlock(&v->lock);
    return status;
}

arka_status arka_views_ensure_schema(arka_views *v, arka_slice database, arka_error *err)
{
    arka_mutex_lock(&v->lock);
    arka_status status = ensure_schema_locked(v, database, err);
    arka_mutex_unlock(&v->lock);
    return status;
}
