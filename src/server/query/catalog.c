/* Databases and measurements as lists. */
#include "base/json.h"
#include "server/access/access.h"
#include "server/http/handlers.h"
#include "server/server_priv.h"
#include "observe/text.h"
#include "wire/json.h"
#include "wire/names.h"

/* A JSON array under construction. */
typedef struct list {
    const arka_request *request; /* who must not learn of what is outside of its scope */
    arka_buf *out;
    int64_t n;
    bool names_only;
} list;

/* Databases of our own, such as _arc, are asked for by name but not listed. */
static bool is_hidden(const char *database)
{
    return database[0] == '_';
}

static void begin_item(list *l)
{
    if (l->n++ > 0)
        arka_buf_byte(l->out, ',');
}

typedef struct counted {
    const arka_request *request;
    int64_t n;
} counted;

static arka_status count_visible(void *context, const arka_table_info *info, arka_error *err)
{
    counted *c = context;
    c->n += arka_access_table(c->request, arka_slice_of(info->database), arka_slice_of(info->name));
    return ARKA_OK;
}

/* Tables of a database, as the client sees it. */
static arka_status count_tables(const arka_request *r, const arka_database_info *info, int64_t *out,
                                arka_error *err)
{
    counted c = {r, 0};
    arka_slice name = arka_slice_of(info->name);
    *out = info->n_tables;
    if (arka_access_all_of(r, name))
        return ARKA_OK;
    ARKA_TRY(arka_engine_each_table(r->server->engine, name, count_visible, &c, err));
    *out = c.n;
    return ARKA_OK;
}

static arka_status put_database(void *context, const arka_database_info *info, arka_error *err)
{
    list *l = context;
    int64_t n_tables;
    if (is_hidden(info->name) || !arka_access_database(l->request, arka_slice_of(info->name)))
        return ARKA_OK;
    ARKA_TRY(count_tables(l->request, info, &n_tables, err));
    begin_item(l);
    arka_buf_printf(l->out,
                    "{\"name\":\"%s\",\"measurement_count\":%lld,\"created_at\":", info->name,
                    (long long)n_tables);
    arka_text_json_time(l->out, info->created_us);
    arka_buf_byte(l->out, '}');
    return ARKA_OK;
}

arka_handled arka_handle_databases(arka_request *r)
{
    arka_error err = {0};
    list l = {.request = r, .out = arka_answer_json(r, 200)};
    arka_buf_literal(l.out, "{\"success\":true,\"databases\":[");
    if (arka_engine_each_database(r->server->engine, put_database, &l, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_printf(l.out, "],\"count\":%lld}", (long long)l.n);
    return ARKA_ANSWERED;
}

static arka_status read_name(arka_slice body, arka_json **root, arka_slice *name, arka_error *err)
{
    ARKA_TRY(arka_json_parse(body, 0, root, err));
    ARKA_TRY(arka_json_need_string(*root, "name", name, err));
    return arka_name_check_database(*name, err);
}

/* A database is made by who reaches whatever will be in it. */
static arka_status need_all_of(const arka_request *r, arka_slice database, arka_error *err)
{
    return arka_access_all_of(r, database)
               ? ARKA_OK
               : arka_fail(err, ARKA_FORBIDDEN,
                           "database '%.*s' as a whole is outside of the token's scope",
                           ARKA_FMT(database));
}

arka_handled arka_handle_database_create(arka_request *r)
{
    ARKA_AUTO(arka_json) root = NULL;
    arka_error err = {0};
    arka_slice name;
    if (read_name(r->body, &root, &name, &err) != ARKA_OK ||
        need_all_of(r, name, &err) != ARKA_OK ||
        arka_engine_create_database(r->server->engine, name, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf *b = arka_answer_json(r, 201);
    arka_buf_printf(b,
                    "{\"success\":true,\"name\":\"%.*s\",\"measurement_count\":0,\"created_at\":",
                    ARKA_FMT(name));
    arka_text_json_time(b, r->arrived_us);
    arka_buf_literal(b, "}");
    return ARKA_ANSWERED;
}

typedef struct wanted {
    arka_slice name;
    list list;
} wanted;

static arka_status put_wanted(void *context, const arka_database_info *info, arka_error *err)
{
    wanted *w = context;
    /* names compare without case, as SQL does */
    return arka_name_eq(w->name, arka_slice_of(info->name)) ? put_database(&w->list, info, err)
                                                            : ARKA_OK;
}

arka_handled arka_handle_database_get(arka_request *r)
{
    arka_error err = {0};
    wanted w = {.name = r->args[0], .list = {.request = r, .out = arka_answer_json(r, 200)}};
    if (arka_name_check_database(w.name, &err) != ARKA_OK ||
        arka_engine_each_database(r->server->engine, put_wanted, &w, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    if (w.list.n == 0)
        return arka_answer_error(r, 404, "not_found", "there is no database '%.*s'",
                                 ARKA_FMT(w.name));
    return ARKA_ANSWERED;
}

static arka_status put_measurement(void *context, const arka_table_info *info, arka_error *err)
{
    list *l = context;
    if (is_hidden(info->database) ||
        !arka_access_table(l->request, arka_slice_of(info->database), arka_slice_of(info->name)))
        return ARKA_OK;
    begin_item(l);
    arka_buf_literal(l->out, "{");
    if (!l->names_only) {
        arka_buf_printf(l->out, "\"database\":\"%s\",\"measurement\":", info->database);
        arka_json_string_repaired(l->out, arka_slice_of(info->name));
        arka_buf_byte(l->out, ',');
    }
    arka_buf_literal(l->out, "\"name\":");
    arka_json_string_repaired(l->out, arka_slice_of(info->name));
    arka_buf_printf(l->out, ",\"file_count\":%lld,\"total_size_mb\":%.6g,\"row_count\":%lld,",
                    (long long)info->n_files, (double)info->file_bytes / (1 << 20),
                    (long long)(info->file_rows + info->hot_rows));
    arka_buf_printf(l->out, "\"storage_path\":\"%s/%s\"}", info->database, info->name);
    return ARKA_OK;
}

arka_handled arka_handle_database_measurements(arka_request *r)
{
    arka_error err = {0};
    arka_slice name = r->args[0];
    arka_engine *engine = r->server->engine;
    if (arka_name_check_database(name, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    if (!arka_access_database(r, name) || !arka_engine_has_database(engine, name))
        return arka_answer_error(r, 404, "not_found", "there is no database '%.*s'",
                                 ARKA_FMT(name));
    list l = {.request = r, .out = arka_answer_json(r, 200), .names_only = true};
    arka_buf_printf(l.out, "{\"success\":true,\"database\":\"%.*s\",\"measurements\":[",
                    ARKA_FMT(name));
    if (arka_engine_each_table(engine, name, put_measurement, &l, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_printf(l.out, "],\"count\":%lld}", (long long)l.n);
    return ARKA_ANSWERED;
}

arka_handled arka_handle_measurements(arka_request *r)
{
    arka_error err = {0};
    arka_slice name;
    arka_mono began = arka_mono_now();
    if (arka_request_param(r, "database", &name, &err) != ARKA_OK ||
        (name.len > 0 && arka_name_check_database(name, &err) != ARKA_OK))
        return arka_answer_fail(r, &err);
    list l = {.request = r, .out = arka_answer_json(r, 200)};
    arka_buf_literal(l.out, "{\"success\":true,\"measurements\":[");
    if (arka_engine_each_table(r->server->engine, name, put_measurement, &l, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_printf(l.out, "],\"count\":%lld,\"execution_time_ms\":%.3f}", (long long)l.n,
                    arka_mono_since_ms(began));
    return ARKA_ANSWERED;
}
