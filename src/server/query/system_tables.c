/*
 * _arc.tables, files, slices, settings, metrics, queries: each a list of columns and a function
 * that walks what there is. What a token may not see is passed over here, before a row is made.
 */
#include "server/query/system_tables.h"

#include "observe/metrics.h"
#include "server/metrics/metrics.h"
#include "server/server_priv.h"

/* One listing for one query. */
typedef struct listing {
    arka_server *server;
    const arka_visibility *visibility;
    arka_system_rows *rows;
    const arka_table_info *table; /* whose files or slices are listed */
    int64_t n;
} listing;

static bool sees(const listing *l, const arka_table_info *info)
{
    arka_slice database = arka_slice_of(info->database);
    return arka_sees_database(l->visibility, database) &&
           arka_sees_table(l->visibility, database, arka_slice_of(info->name));
}

static void put_names(arka_system_rows *rows, const arka_table_info *info)
{
    arka_system_put_text(rows, info->database);
    arka_system_put_text(rows, info->name);
}

static void put_lsn(arka_system_rows *rows, uint64_t lsn)
{
    if (lsn > 0)
        arka_system_put_i64(rows, (int64_t)lsn);
    else
        arka_system_put_null(rows);
}

/* The table as it is now; *out NULL: it was dropped since it was listed. */
static arka_status see(const listing *l, const arka_table_info *info, arka_snapshot **out,
                       arka_error *err)
{
    arka_error why = {0};
    arka_status status = arka_engine_snapshot(l->server->engine, arka_slice_of(info->database),
                                              arka_slice_of(info->name), out, &why);
    if (status == ARKA_NOTFOUND)
        *out = NULL;
    else if (status != ARKA_OK)
        return arka_fail(err, status, "%s", why.msg);
    return ARKA_OK;
}

/* ---- tables ---- */

static const arka_system_column TABLES[] = {
    {"database", ARKA_VARCHAR},      {"table_name", ARKA_VARCHAR}, {"files", ARKA_BIGINT},
    {"file_bytes", ARKA_BIGINT},     {"file_rows", ARKA_BIGINT},   {"hot_rows", ARKA_BIGINT},
    {"hot_bytes", ARKA_BIGINT},      {"oldest", ARKA_TIMESTAMPTZ}, {"newest", ARKA_TIMESTAMPTZ},
    {"schema_version", ARKA_BIGINT}, {"columns", ARKA_BIGINT},     {"flushed_lsn", ARKA_BIGINT},
};

static void widen(int64_t *min, int64_t *max, int64_t from, int64_t to)
{
    *min = from < *min ? from : *min;
    *max = to > *max ? to : *max;
}

static void put_range(arka_system_rows *rows, const arka_snapshot *s)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (int64_t i = 0; i < s->n_files; i++)
        widen(&min, &max, s->files[i]->time_min, s->files[i]->time_max);
    for (int64_t i = 0; i < s->n_hot_batches; i++)
        widen(&min, &max, s->hot[i].batch->time_min, s->hot[i].batch->time_max);
    if (min <= max) {
        arka_system_put_time(rows, min);
        arka_system_put_time(rows, max);
    } else {
        arka_system_put_null(rows);
        arka_system_put_null(rows);
    }
}

static arka_status put_table(void *context, const arka_table_info *info, arka_error *err)
{
    listing *l = context;
    ARKA_AUTO(arka_snapshot) s = NULL;
    if (!sees(l, info))
        return ARKA_OK;
    ARKA_TRY(see(l, info, &s, err));
    if (s == NULL)
        return ARKA_OK;
    put_names(l->rows, info);
    arka_system_put_i64(l->rows, info->n_files);
    arka_system_put_i64(l->rows, info->file_bytes);
    arka_system_put_i64(l->rows, info->file_rows);
    arka_system_put_i64(l->rows, info->hot_rows);
    arka_system_put_i64(l->rows, info->hot_bytes);
    put_range(l->rows, s);
    arka_system_put_i64(l->rows, s->schema->version);
    arka_system_put_i64(l->rows, s->schema->n_fields);
    put_lsn(l->rows, info->flushed_lsn);
    return arka_system_end_row(l->rows, err);
}

/* ---- files ---- */

static const arka_system_column FILES[] = {
    {"database", ARKA_VARCHAR},     {"table_name", ARKA_VARCHAR},    {"path", ARKA_VARCHAR},
    {"rows", ARKA_BIGINT},          {"bytes", ARKA_BIGINT},          {"time_min", ARKA_TIMESTAMPTZ},
    {"time_max", ARKA_TIMESTAMPTZ}, {"lsn_first", ARKA_BIGINT},      {"lsn_last", ARKA_BIGINT},
    {"crc32c", ARKA_BIGINT},        {"schema_version", ARKA_BIGINT}, {"created", ARKA_TIMESTAMPTZ},
};

/* Below the data directory: where that lies is not for those who ask. */
static const char *logical_path(const arka_server *server, const char *path)
{
    const char *base = arka_server_settings(server)->base_path;
    size_t n = strlen(base);
    return strncmp(path, base, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

static arka_status put_file(const listing *l, const arka_table_info *info, const arka_data_file *f,
                            arka_error *err)
{
    put_names(l->rows, info);
    arka_system_put_text(l->rows, logical_path(l->server, f->path));
    arka_system_put_i64(l->rows, f->n_rows);
    arka_system_put_i64(l->rows, f->n_bytes);
    arka_system_put_time(l->rows, f->time_min);
    arka_system_put_time(l->rows, f->time_max);
    put_lsn(l->rows, f->lsn_first);
    put_lsn(l->rows, f->lsn_last);
    if (f->has_crc)
        arka_system_put_i64(l->rows, f->crc);
    else
        arka_system_put_null(l->rows);
    arka_system_put_i64(l->rows, f->schema_version);
    if (f->created_us != 0)
        arka_system_put_time(l->rows, f->created_us);
    else
        arka_system_put_null(l->rows);
    return arka_system_end_row(l->rows, err);
}

static arka_status put_files_of(void *context, const arka_table_info *info, arka_error *err)
{
    listing *l = context;
    ARKA_AUTO(arka_snapshot) s = NULL;
    if (!sees(l, info) || info->n_files == 0)
        return ARKA_OK;
    ARKA_TRY(see(l, info, &s, err));
    for (int64_t i = 0; s != NULL && i < s->n_files; i++)
        ARKA_TRY(put_file(l, info, s->files[i], err));
    return ARKA_OK;
}

/* ---- slices ---- */

static const arka_system_column SLICES[] = {
    {"database", ARKA_VARCHAR}, {"table_name", ARKA_VARCHAR}, {"slice", ARKA_BIGINT},
    {"batches", ARKA_BIGINT},   {"rows", ARKA_BIGINT},        {"bytes", ARKA_BIGINT},
    {"lsn_first", ARKA_BIGINT}, {"lsn_last", ARKA_BIGINT},    {"since", ARKA_TIMESTAMPTZ},
    {"open", ARKA_BOOLEAN},     {"coalesced", ARKA_BOOLEAN},  {"flushing", ARKA_BOOLEAN},
};

static arka_status put_slice(void *context, const arka_slice_info *info, arka_error *err)
{
    listing *l = context;
    put_names(l->rows, l->table);
    arka_system_put_i64(l->rows, l->n++);
    arka_system_put_i64(l->rows, info->n_batches);
    arka_system_put_i64(l->rows, info->n_rows);
    arka_system_put_i64(l->rows, info->n_bytes);
    put_lsn(l->rows, info->lsn_first);
    put_lsn(l->rows, info->lsn_last);
    arka_system_put_time(l->rows, arka_wall_us() - arka_mono_since_ns(info->since) / 1000);
    arka_system_put_bool(l->rows, info->open);
    arka_system_put_bool(l->rows, info->coalesced);
    arka_system_put_bool(l->rows, info->claimed);
    return arka_system_end_row(l->rows, err);
}

static arka_status put_slices_of(void *context, const arka_table_info *info, arka_error *err)
{
    listing *l = context;
    arka_error why = {0};
    if (!sees(l, info) || info->hot_rows == 0)
        return ARKA_OK;
    l->table = info;
    l->n = 0;
    arka_status status = arka_engine_each_slice(l->server->engine, arka_slice_of(info->database),
                                                arka_slice_of(info->name), put_slice, l, &why);
    if (status == ARKA_OK || status == ARKA_NOTFOUND) /* dropped since it was listed */
        return ARKA_OK;
    return arka_fail(err, status, "%s", why.msg);
}

static arka_status
each_table(void *context, const arka_visibility *visibility, arka_system_rows *rows,
           arka_status (*each)(void *context, const arka_table_info *info, arka_error *err),
           arka_error *err)
{
    arka_server *server = context;
    listing l = {.server = server, .visibility = visibility, .rows = rows};
    return arka_engine_each_table(server->engine, (arka_slice){"", 0}, each, &l, err);
}

static arka_status put_tables(void *context, const arka_visibility *visibility,
                              arka_system_rows *rows, arka_error *err)
{
    return each_table(context, visibility, rows, put_table, err);
}

static arka_status put_files(void *context, const arka_visibility *visibility,
                             arka_system_rows *rows, arka_error *err)
{
    return each_table(context, visibility, rows, put_files_of, err);
}

static arka_status put_slices(void *context, const arka_visibility *visibility,
                              arka_system_rows *rows, arka_error *err)
{
    return each_table(context, visibility, rows, put_slices_of, err);
}

/* ---- settings ---- */

static const arka_system_column SETTINGS[] = {
    {"key", ARKA_VARCHAR},         {"value", ARKA_VARCHAR},    {"source", ARKA_VARCHAR},
    {"origin", ARKA_VARCHAR},      {"standard", ARKA_VARCHAR}, {"reloadable", ARKA_BOOLEAN},
    {"description", ARKA_VARCHAR},
};

static arka_status put_setting(const arka_settings *s, arka_setting which, arka_system_rows *rows,
                               arka_error *err)
{
    static const char *const SOURCES[] = {
        [ARKA_FROM_DEFAULT] = "default",
        [ARKA_FROM_FILE] = "file",
        [ARKA_FROM_ENVIRONMENT] = "environment",
        [ARKA_FROM_OPTION] = "option",
    };
    const arka_setting_info *info = &arka_setting_infos[which];
    arka_buf value = ARKA_BUF_INIT;
    arka_settings_show(s, which, &value);
    const char *text = arka_buf_cstr(&value);
    arka_system_put_text(rows, info->key);
    arka_system_put_text(rows, text);
    arka_system_put_text(rows, SOURCES[s->source[which]]);
    arka_system_put_text(rows, s->where[which]);
    arka_system_put_text(rows, info->standard);
    arka_system_put_bool(rows, (info->traits & ARKA_LIVE) != 0);
    arka_system_put_text(rows, info->help);
    arka_buf_fini(&value);
    return text ? arka_system_end_row(rows, err) : arka_fail_nomem(err, "a setting", 0);
}

static arka_status put_settings(void *context, const arka_visibility *visibility,
                                arka_system_rows *rows, arka_error *err)
{
    const arka_settings *settings = arka_server_settings(context);
    for (int i = 0; !visibility->no_admin && i < ARKA_N_SETTINGS; i++)
        ARKA_TRY(put_setting(settings, (arka_setting)i, rows, err));
    return ARKA_OK;
}

/* ---- metrics ---- */

static const arka_system_column METRICS[] = {
    {"name", ARKA_VARCHAR}, {"labels", ARKA_VARCHAR}, {"kind", ARKA_VARCHAR},
    {"value", ARKA_DOUBLE}, {"help", ARKA_VARCHAR},
};

static arka_status put_sample(void *context, const arka_sample *sample, arka_error *err)
{
    arka_system_rows *rows = context;
    arka_buf labels = ARKA_BUF_INIT;
    arka_sample_labels_json(sample, &labels);
    const char *text = arka_buf_cstr(&labels);
    arka_system_put_text(rows, sample->name);
    arka_system_put_text(rows, text);
    arka_system_put_text(rows, arka_metric_kind_name(sample->family->kind));
    arka_system_put_f64(rows, sample->value);
    arka_system_put_text(rows, sample->family->help);
    arka_buf_fini(&labels);
    return text ? arka_system_end_row(rows, err) : arka_fail_nomem(err, "a metric", 0);
}

static arka_status put_metrics(void *context, const arka_visibility *visibility,
                               arka_system_rows *rows, arka_error *err)
{
    arka_gathering g;
    if (visibility->no_admin)
        return ARKA_OK;
    arka_gathering_init(&g);
    arka_metrics_gather(context, &g);
    arka_status status = arka_gathering_each(&g, put_sample, rows, err);
    arka_gathering_fini(&g);
    return status;
}

/* ---- queries ---- */

static const arka_system_column QUERIES[] = {
    {"id", ARKA_VARCHAR},          {"state", ARKA_VARCHAR},     {"outcome", ARKA_VARCHAR},
    {"sql", ARKA_VARCHAR},         {"database", ARKA_VARCHAR},  {"token", ARKA_VARCHAR},
    {"priority", ARKA_VARCHAR},    {"cached", ARKA_BOOLEAN},    {"began", ARKA_TIMESTAMPTZ},
    {"started", ARKA_TIMESTAMPTZ}, {"ended", ARKA_TIMESTAMPTZ}, {"wait_ms", ARKA_DOUBLE},
    {"run_ms", ARKA_DOUBLE},       {"rows", ARKA_BIGINT},       {"bytes", ARKA_BIGINT},
    {"snapshot_lsn", ARKA_BIGINT}, {"error", ARKA_VARCHAR},
};

static void put_moment(arka_system_rows *rows, int64_t us)
{
    if (us != 0)
        arka_system_put_time(rows, us);
    else
        arka_system_put_null(rows);
}

static void put_unless_empty(arka_system_rows *rows, const char *text)
{
    arka_system_put_text(rows, text[0] != 0 ? text : NULL);
}

static arka_status put_query(arka_system_rows *rows, const arka_query_info *q, arka_error *err)
{
    arka_system_put_text(rows, q->id);
    arka_system_put_text(rows, arka_query_state_text(q->state));
    if (q->state == ARKA_QUERY_ENDED)
        arka_system_put_text(rows, arka_query_outcome_text(q->outcome));
    else
        arka_system_put_null(rows);
    arka_system_put_text(rows, q->text);
    arka_system_put_text(rows, q->database);
    put_unless_empty(rows, q->token_name);
    arka_system_put_text(rows, arka_priority_name(q->priority));
    arka_system_put_bool(rows, q->cached);
    put_moment(rows, q->began_us);
    put_moment(rows, q->started_us);
    put_moment(rows, q->ended_us);
    arka_system_put_f64(rows, q->wait_ms);
    arka_system_put_f64(rows, q->run_ms);
    arka_system_put_i64(rows, q->n_rows);
    arka_system_put_i64(rows, q->n_bytes);
    put_lsn(rows, q->snapshot_lsn);
    put_unless_empty(rows, q->error);
    return arka_system_end_row(rows, err);
}

static arka_status put_queries(void *context, const arka_visibility *visibility,
                               arka_system_rows *rows, arka_error *err)
{
    static const arka_query_which WHICH[] = {ARKA_QUERIES_ACTIVE, ARKA_QUERIES_HISTORY};
    const arka_server *server = context;
    const arka_query_reader reader = {.all = !visibility->no_admin,
                                      .token_id = visibility->token_id};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_status status = ARKA_OK;
    for (size_t k = 0; k < 2 && status == ARKA_OK; k++) {
        arka_query_info *list;
        size_t n = 0;
        status = arka_query_registry_list(server->query_registry, WHICH[k], &reader, SIZE_MAX,
                                          &arena, &list, &n, err);
        for (size_t i = 0; i < n && status == ARKA_OK; i++)
            status = put_query(rows, &list[i], err);
    }
    arka_arena_fini(&arena);
    return status;
}

/* ---- all ---- */

#define TABLE(text, list, put)                                                                     \
    {                                                                                              \
        .name = (text), .columns = (list), .n_columns = sizeof(list) / sizeof *(list),             \
        .put_rows = (put)                                                                          \
    }

const arka_system_table arka_system_tables[] = {
    TABLE("tables", TABLES, put_tables),
    TABLE("files", FILES, put_files),
    TABLE("slices", SLICES, put_slices),
    TABLE("settings", SETTINGS, put_settings),
    TABLE("metrics", METRICS, put_metrics),
    TABLE("queries", QUERIES, put_queries),
    {.name = "rejected_writes", .about_database = "database", .about_table = "measurement"},
};
const size_t arka_n_system_tables = sizeof arka_system_tables / sizeof *arka_system_tables;
