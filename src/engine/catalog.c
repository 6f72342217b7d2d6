/* Databases, tables and schemas: loading them, and making them when a write needs them. */
#include "base/arena.h"
#include "base/json.h"
#include "base/utf8.h"
#include "engine/engine_priv.h"

/* ---- at start ---- */

/* A table as the manifest gives it, part by part. */
struct pending {
    int64_t id, database_id;
    char *name;
    char uuid[ARKA_UUID_TEXT + 1];
    uint64_t flushed_lsn;
    ARKA_VEC(arka_field) fields; /* names in the arena */
    int32_t version;
    arka_table *table; /* the registry's, once made */
};

typedef struct loading {
    arka_engine *engine;
    ARKA_VEC(arka_database *) databases; /* in the order of the manifest */
    ARKA_VEC(struct pending) tables;
    bool made;
    struct pending *owner; /* of `files`: they come table by table */
    ARKA_VEC(arka_data_file *) files;
    arka_arena arena;
} loading;

static arka_status load_database(void *context, int64_t id, arka_slice name, int64_t created_us,
                                 arka_error *err)
{
    loading *l = context;
    arka_database *database;
    if (!arka_vec_reserve(&l->databases, 1))
        return arka_fail_nomem(err, "a list", sizeof(void *));
    ARKA_TRY(arka_registry_make_database(l->engine->registry, name, &database, err));
    arka_registry_add_database(l->engine->registry, database, id, created_us);
    l->databases.items[l->databases.n++] = database;
    return ARKA_OK;
}

static arka_status load_table(void *context, const arka_manifest_table *found, arka_error *err)
{
    loading *l = context;
    char *copy = arka_arena_text(&l->arena, found->name);
    struct pending table = {.id = found->id,
                            .database_id = found->database_id,
                            .name = copy,
                            .flushed_lsn = found->flushed_lsn};
    if (found->uuid.len != ARKA_UUID_TEXT)
        return arka_fail(err, ARKA_CORRUPT, "table %lld '%.*s' has no UUID", (long long)found->id,
                         ARKA_FMT(found->name));
    memcpy(table.uuid, found->uuid.data, ARKA_UUID_TEXT);
    return copy != NULL && arka_vec_push(&l->tables, table)
               ? ARKA_OK
               : arka_fail_nomem(err, "a list of tables", sizeof table);
}

static struct pending *find_pending(loading *l, int64_t table_id)
{
    size_t low = 0, high = l->tables.n; /* the manifest gives tables by id */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->tables.items[middle].id < table_id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < l->tables.n && l->tables.items[low].id == table_id;
    return found ? &l->tables.items[low] : NULL;
}

static arka_status load_field(void *context, int64_t table_id, const arka_manifest_field *field,
                              arka_error *err)
{
    loading *l = context;
    struct pending *t = find_pending(l, table_id);
    if (t == NULL || field->id != (int32_t)t->fields.n + 1 || field->type < ARKA_BOOLEAN ||
        field->type > ARKA_TIMESTAMPTZ || arka_column_name_check(field->name, NULL) != ARKA_OK)
        return arka_fail(
            err, ARKA_CORRUPT,
            "column %d '%.*s' of table %lld has type %d, or no name, or is out of order", field->id,
            ARKA_FMT(field->name), (long long)table_id, field->type);
    char *name = arka_arena_text(&l->arena, field->name);
    arka_field f = {
        .type = (arka_type)field->type, .tag = field->tag, .name = {name, field->name.len}};
    if (name == NULL || !arka_vec_push(&t->fields, f))
        return arka_fail_nomem(err, "a column", field->name.len);
    if (field->since_version > t->version)
        t->version = field->since_version;
    return ARKA_OK;
}

static bool begins_with_time(const struct pending *t)
{
    return t->fields.n > 0 && t->fields.items[0].type == ARKA_TIMESTAMPTZ &&
           arka_slice_eq(t->fields.items[0].name, ARKA_SLICE(ARKA_TIME_COLUMN));
}

static arka_status make_table(loading *l, struct pending *t, arka_error *err)
{
    arka_registry *registry = l->engine->registry;
    arka_database *database = NULL;
    for (size_t i = 0; i < l->databases.n && database == NULL; i++)
        if (arka_database_id(l->databases.items[i]) == t->database_id)
            database = l->databases.items[i];
    if (database == NULL || !begins_with_time(t) || t->fields.n > ARKA_MAX_FIELDS)
        return arka_fail(err, ARKA_CORRUPT, "table %lld '%s' has no %s", (long long)t->id, t->name,
                         database ? "column 'time' in front, or too many columns" : "database");
    ARKA_AUTO(arka_schema) schema = NULL;
    ARKA_AUTO(arka_table) table = NULL;
    ARKA_TRY(arka_schema_new(t->version, t->fields.items, (int)t->fields.n, &schema, err));
    ARKA_TRY(arka_table_new(arka_slice_of(arka_database_name(database)), arka_slice_of(t->name),
                            schema, &table, err));
    ARKA_TRY(arka_registry_reserve_table(registry, database, arka_slice_of(t->name), err));
    arka_table_set_id(table, t->id, t->uuid, t->flushed_lsn);
    t->table = table;
    arka_registry_add_table(registry, database, arka_take(table));
    return ARKA_OK;
}

static arka_status make_tables(loading *l, arka_error *err)
{
    for (size_t i = 0; !l->made && i < l->tables.n; i++)
        ARKA_TRY(make_table(l, &l->tables.items[i], err));
    l->made = true;
    return ARKA_OK;
}

/* The files that were read so far to the table they belong to. */
static arka_status hand_over_files(loading *l, arka_error *err)
{
    arka_file_list *list;
    if (l->files.n == 0)
        return ARKA_OK;
    ARKA_TRY(arka_file_list_new(NULL, l->files.items, l->files.n, &list, err));
    arka_table_load_files(l->owner->table, list);
    while (l->files.n > 0)
        arka_data_file_unref(l->files.items[--l->files.n]);
    return ARKA_OK;
}

static arka_status load_file(void *context, int64_t table_id, const arka_manifest_file *file,
                             arka_error *err)
{
    loading *l = context;
    ARKA_TRY(make_tables(l, err)); /* files come last: all fields are known */
    if (l->owner == NULL || l->owner->id != table_id) {
        ARKA_TRY(hand_over_files(l, err));
        l->owner = find_pending(l, table_id);
    }
    if (l->owner == NULL || file->n_rows < 1 || file->n_bytes < 1 ||
        file->time_min > file->time_max || file->schema_version < 1)
        return arka_fail(
            err, ARKA_CORRUPT,
            "file %.*s belongs to no table, or has %lld rows, %lld bytes, schema version %d, times "
            "%lld to %lld",
            ARKA_FMT(file->path), (long long)file->n_rows, (long long)file->n_bytes,
            file->schema_version, (long long)file->time_min, (long long)file->time_max);
    char *path =
        arka_arena_printf(&l->arena, "%s/%.*s", l->engine->base_path, ARKA_FMT(file->path));
    if (path == NULL || !arka_vec_reserve(&l->files, 1))
        return arka_fail_nomem(err, "a path", file->path.len);
    arka_data_file like = {.n_rows = file->n_rows,
                           .n_bytes = file->n_bytes,
                           .time_min = file->time_min,
                           .time_max = file->time_max,
                           .created_us = file->created_us,
                           .lsn_first = file->lsn_first,
                           .lsn_last = file->lsn_last,
                           .schema_version = file->schema_version,
                           .path = path,
                           .has_crc = file->has_crc,
                           .crc = file->crc};
    ARKA_TRY(arka_data_file_new(&like, &l->files.items[l->files.n], err));
    l->files.n++;
    return ARKA_OK;
}

static void loading_fini(loading *l)
{
    for (size_t i = 0; i < l->tables.n; i++)
        arka_vec_fini(&l->tables.items[i].fields);
    for (size_t i = 0; i < l->files.n; i++)
        arka_data_file_unref(l->files.items[i]);
    arka_vec_fini(&l->tables);
    arka_vec_fini(&l->databases);
    arka_vec_fini(&l->files);
    arka_arena_fini(&l->arena);
}

arka_status arka_engine__load(arka_engine *engine, arka_error *err)
{
    loading l = {.engine = engine};
    arka_manifest_reader reader = {&l, load_database, load_table, load_field, load_file};
    arka_status status = arka_manifest_read(engine->manifest, &reader, err);
    if (status == ARKA_OK)
        status = make_tables(&l, err);
    if (status == ARKA_OK)
        status = hand_over_files(&l, err);
    if (status == ARKA_CORRUPT)
        arka_error_prefix(err, "manifest %s: ", engine->manifest_path);
    loading_fini(&l);
    return status;
}

/* ---- databases ---- */

enum { MAX_NAME = 128 }; /* bytes of a name that becomes a directory's and part of a file's */

static bool is_word(unsigned char c)
{
    return (unsigned)(c | 32) - 'a' < 26 || (unsigned)c - '0' < 10 || c == '_' || c == '-';
}

/* What must hold for a directory name; the clients' rules are the server's business. */
static arka_status check_path_part(const char *what, arka_slice name, arka_error *err)
{
    if (!arka_utf8_valid(name.data, name.len))
        return arka_fail(err, ARKA_INPUT, "a %s name is not UTF-8", what);
    bool ok = name.len > 0 && name.len <= MAX_NAME && name.data[0] != '.' && name.data[0] != '-';
    for (size_t i = 0; ok && i < name.len; i++)
        ok = is_word((unsigned char)name.data[i]) || (unsigned char)name.data[i] >= 0x80 ||
             (name.data[i] == '.' && name.data[i - 1] != '.');
    return ok ? ARKA_OK
              : arka_fail(err, ARKA_INPUT,
                          "%s name '%.*s' is not usable as a directory: 1 to %d bytes of letters, "
                          "digits, '_', '-' and single '.', the first no '-' and no '.'",
                          what, (int)arka_utf8_cut(name.data, name.len, MAX_NAME), name.data,
                          MAX_NAME);
}

static arka_status add_database_locked(arka_engine *engine, arka_slice name, arka_database **out,
                                       arka_error *err)
{
    ARKA_AUTO(arka_database) database = NULL;
    int64_t id, now = arka_wall_us();
    ARKA_TRY(check_path_part("database", name, err));
    ARKA_TRY(arka_registry_make_database(engine->registry, name, &database, err));
    ARKA_TRY(arka_manifest_add_database(engine->manifest, name, now, &id, err));
    *out = database;
    arka_registry_add_database(engine->registry, arka_take(database), id, now);
    arka_engine__catalog_changed(engine);
    arka_engine__event(engine, ARKA_EVENT_INFO, "database_created", "%.*s", ARKA_FMT(name));
    return ARKA_OK;
}

arka_status arka_engine__database(arka_engine *engine, arka_slice name, arka_database **out,
                                  arka_error *err)
{
    *out = arka_registry_database(engine->registry, name);
    if (*out != NULL)
        return ARKA_OK;
    arka_mutex_lock(&engine->ddl);
    arka_status status = ARKA_OK;
    *out = arka_registry_database(engine->registry, name);
    if (*out == NULL)
        status = add_database_locked(engine, name, out, err);
    arka_mutex_unlock(&engine->ddl);
    return status;
}

arka_status arka_engine_create_database(arka_engine *engine, arka_slice name, arka_error *err)
{
    arka_mutex_lock(&engine->ddl);
    arka_database *database = arka_registry_database(engine->registry, name);
    arka_status status =
        database ? arka_fail(err, ARKA_EXISTS, "database '%.*s' exists already", ARKA_FMT(name))
                 : add_database_locked(engine, name, &database, err);
    arka_mutex_unlock(&engine->ddl);
    return status;
}

/* ---- tables and schemas ---- */

/* The fields of `next` that `old` (NULL: none) has not, or not so. Names are borrowed. */
static arka_status list_changes(const arka_schema *old, const arka_schema *next,
                                arka_manifest_field **out, int *n_out, arka_error *err)
{
    arka_manifest_field *list = arka_malloc((size_t)next->n_fields * sizeof *list);
    if (list == NULL)
        return arka_fail_nomem(err, "a schema change", (size_t)next->n_fields * sizeof *list);
    int n = 0;
    for (int i = 0; i < next->n_fields; i++) {
        const arka_field *f = &next->fields[i];
        if (old != NULL && i < old->n_fields && old->fields[i].type == f->type &&
            old->fields[i].tag == f->tag)
            continue;
        list[n++] = (arka_manifest_field){.id = f->id,
                                          .since_version = next->version,
                                          .type = (int)f->type,
                                          .tag = f->tag,
                                          .name = f->name};
    }
    *out = list;
    *n_out = n;
    return ARKA_OK;
}

/* All that can fail comes before the manifest is changed: what it has, the registry has too. */
static arka_status add_table(arka_engine *engine, arka_database *database, arka_slice name,
                             arka_schema *schema, const arka_manifest_field *fields, int n_fields,
                             arka_slice uuid, arka_table **out, arka_error *err)
{
    ARKA_AUTO(arka_table) table = NULL;
    int64_t id;
    char own[ARKA_UUID_TEXT + 1] = "";
    ARKA_TRY(check_path_part("measurement", name, err));
    ARKA_TRY(
        arka_table_new(arka_slice_of(arka_database_name(database)), name, schema, &table, err));
    ARKA_TRY(arka_registry_reserve_table(engine->registry, database, name, err));
    ARKA_TRY(arka_manifest_add_known_table(engine->manifest, arka_database_id(database), name,
                                           arka_wall_us(), fields, n_fields, uuid, &id, own, err));
    arka_table_set_id(table, id, own, 0);
    *out = table;
    arka_registry_add_table(engine->registry, database, arka_take(table));
    return ARKA_OK;
}

/* What the log is told of it, for those who read the log alone. */
static void log_change(arka_engine *engine, const char *event, const arka_table *table,
                       int32_t version, const arka_manifest_field *fields, int n_fields)
{
    arka_buf text = ARKA_BUF_INIT;
    arka_buf_literal(&text, "{\"database\":");
    arka_json_string_repaired(&text, arka_slice_of(arka_table_database(table)));
    arka_buf_literal(&text, ",\"table\":");
    arka_json_string_repaired(&text, arka_slice_of(arka_table_name(table)));
    arka_buf_printf(&text, ",\"table_id\":\"%s\",\"schema_id\":%d,\"columns\":[",
                    arka_table_uuid(table), version);
    for (int i = 0; i < n_fields; i++) {
        arka_buf_printf(&text, "%s{\"id\":%d,\"name\":", i ? "," : "", fields[i].id);
        arka_json_string_repaired(&text, fields[i].name);
        arka_buf_printf(&text, ",\"type\":\"%s\",\"tag\":%s}",
                        arka_type_name((arka_type)fields[i].type),
                        fields[i].tag ? "true" : "false");
    }
    arka_buf_literal(&text, "]}");
    arka_engine__log_control(engine, event, &text);
}

/* The manifest first, then what others see. */
static arka_status change_schema(arka_engine *engine, arka_database *database, arka_slice name,
                                 arka_slice uuid, arka_table **table, const arka_schema *old,
                                 arka_schema *next, arka_error *err)
{
    arka_manifest_field *changes;
    int n_changes;
    const char *event = *table == NULL ? "create_table" : "alter_table";
    ARKA_TRY(list_changes(old, next, &changes, &n_changes, err));
    arka_status status;
    if (*table == NULL) {
        status = add_table(engine, database, name, next, changes, n_changes, uuid, table, err);
    } else {
        status = arka_manifest_add_fields(engine->manifest, arka_table_id(*table), changes,
                                          n_changes, err);
        if (status == ARKA_OK)
            arka_table_set_schema(*table, next);
    }
    if (status == ARKA_OK) {
        log_change(engine, event, *table, next->version, changes, n_changes);
        arka_engine__catalog_changed(engine);
    }
    arka_free(changes);
    return status;
}

/* The database may have been dropped since it was found: then it is made again. */
static arka_status still_there_locked(arka_engine *engine, arka_database **database,
                                      arka_error *err)
{
    arka_slice name = arka_slice_of(arka_database_name(*database));
    arka_database *now = arka_registry_database(engine->registry, name);
    if (now == NULL)
        ARKA_TRY(add_database_locked(engine, name, &now, err));
    *database = now;
    return ARKA_OK;
}

static arka_status make_fit_locked(arka_engine *engine, arka_database *database, arka_slice name,
                                   arka_batch *batch, arka_slice uuid, arka_table **out_table,
                                   arka_type *casts, int *n_casts, arka_error *err)
{
    ARKA_TRY(still_there_locked(engine, &database, err));
    arka_table *table = arka_registry_table(engine->registry, database, name);
    ARKA_AUTO(arka_schema) old = table ? arka_table_schema(table) : NULL;
    ARKA_AUTO(arka_schema) next = NULL;
    ARKA_TRY(arka_schema_fit(old, batch, &next, casts, n_casts, err));
    if (next != NULL)
        ARKA_TRY(change_schema(engine, database, name, uuid, &table, old, next, err));
    *out_table = table;
    return ARKA_OK;
}

arka_status arka_engine__make_fit(arka_engine *engine, arka_database *database, arka_slice name,
                                  arka_batch *batch, arka_slice uuid, arka_table **out_table,
                                  arka_batch **out_batch, arka_error *err)
{
    arka_type *casts = arka_malloc((size_t)batch->n_columns * sizeof *casts);
    if (casts == NULL)
        return arka_fail_nomem(err, "a cast", (size_t)batch->n_columns * sizeof *casts);
    int n_casts = 0;
    arka_mutex_lock(&engine->ddl);
    arka_status status =
        make_fit_locked(engine, database, name, batch, uuid, out_table, casts, &n_casts, err);
    arka_mutex_unlock(&engine->ddl);
    if (status == ARKA_OK && n_casts > 0)
        status = arka_batch_cast(batch, casts, out_batch, err);
    else if (status == ARKA_OK)
        *out_batch = arka_batch_ref(batch);
    arka_free(casts);
    return status;
}
