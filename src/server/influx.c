#include "server/influx.h"

#include <strings.h>

#include "base/json.h"
#include "influxql/influxql.h"
#include "server/server_priv.h"
#include "wire/names.h"

/* ---- parameters ---- */

static bool is_form(const arka_request *r)
{
    static const char FORM[] = "application/x-www-form-urlencoded";
    arka_slice type = arka_request_header(r, "Content-Type");
    return type.len >= sizeof FORM - 1 && strncasecmp(type.data, FORM, sizeof FORM - 1) == 0;
}

/* A parameter of the form in the body; empty when absent or there is no form. */
static arka_status form_param(arka_request *r, const char *name, arka_slice *out, arka_error *err)
{
    arka_form form;
    *out = (arka_slice){"", 0};
    if (!is_form(r) || r->body.len == 0)
        return ARKA_OK;
    ARKA_TRY(arka_form_parse(r->body, &r->arena, &form, err));
    return arka_form_get(&form, name, out, err);
}

/* Of the query string, else of the form. */
static arka_status either_param(arka_request *r, const char *name, arka_slice *out, arka_error *err)
{
    ARKA_TRY(arka_request_param(r, name, out, err));
    return out->len > 0 ? ARKA_OK : form_param(r, name, out, err);
}

bool arka_influxql_asked(arka_request *r)
{
    arka_slice q;
    if (arka_request_param(r, "q", &q, NULL) == ARKA_OK && q.len > 0)
        return true;
    /* curl labels any body as a form: JSON is JSON all the same */
    size_t at = 0;
    while (at < r->body.len && strchr(" \t\r\n", r->body.data[at]) && r->body.data[at] != 0)
        at++;
    if (at < r->body.len && r->body.data[at] == '{')
        return false;
    return form_param(r, "q", &q, NULL) == ARKA_OK && q.len > 0;
}

/* ---- results ---- */

typedef struct results {
    arka_request *request;
    arka_buf *out;
    arka_slice database; /* of the request */
    int64_t skip, left;  /* of a list's rows */
    bool any;
} results;

static void put_row_name(results *q, const char *name)
{
    if (q->any)
        arka_buf_byte(q->out, ',');
    q->any = true;
    arka_buf_byte(q->out, '[');
    arka_json_string_repaired(q->out, arka_slice_of(name));
    arka_buf_byte(q->out, ']');
}

static arka_status put_database(void *context, const arka_database_info *info, arka_error *err)
{
    if (info->name[0] != '_')
        put_row_name(context, info->name);
    return ARKA_OK;
}

static arka_status put_measurement(void *context, const arka_table_info *info, arka_error *err)
{
    results *q = context;
    if (q->skip > 0) {
        q->skip--;
    } else if (q->left != 0) {
        q->left -= q->left > 0;
        put_row_name(q, info->name);
    }
    return ARKA_OK;
}

/* Rows stand in one series; a list without rows has no series at all. */
static void end_series(results *q, size_t head)
{
    if (q->any)
        arka_buf_literal(q->out, "]}]");
    else
        q->out->len = head;
}

static arka_status show_databases(results *q, arka_error *err)
{
    size_t head = q->out->len;
    arka_buf_literal(q->out,
                     ",\"series\":[{\"name\":\"databases\",\"columns\":[\"name\"],\"values\":[");
    q->any = false;
    ARKA_TRY(arka_engine_each_database(q->request->server->engine, put_database, q, err));
    end_series(q, head);
    return ARKA_OK;
}

static arka_status show_measurements(results *q, const arka_influxql_statement *s, arka_error *err)
{
    arka_slice database = s->database.len > 0 ? s->database : q->database;
    size_t head = q->out->len;
    ARKA_TRY(arka_name_check_database(database, err));
    arka_buf_literal(q->out,
                     ",\"series\":[{\"name\":\"measurements\",\"columns\":[\"name\"],\"values\":[");
    q->any = false;
    q->skip = s->query.offset;
    q->left = s->query.limit > 0 ? s->query.limit : -1;
    ARKA_TRY(arka_engine_each_table(q->request->server->engine, database, put_measurement, q, err));
    end_series(q, head);
    return ARKA_OK;
}

static arka_status show_policies(results *q, const arka_influxql_statement *s, arka_error *err)
{
    arka_slice database = s->database.len > 0 ? s->database : q->database;
    ARKA_TRY(arka_name_check_database(database, err));
    if (!arka_engine_has_database(q->request->server->engine, database))
        return arka_fail(err, ARKA_NOTFOUND, "database not found: %.*s", ARKA_FMT(database));
    arka_buf_literal(q->out,
                     ",\"series\":[{\"columns\":[\"name\",\"duration\",\"shardGroupDuration\","
                     "\"replicaN\",\"default\"],\"values\":[[\"autogen\",\"0s\","
                     "\"168h0m0s\",1,true]]}]");
    return ARKA_OK;
}

static arka_status run_statement(results *q, const arka_influxql_statement *s, arka_error *err)
{
    arka_status status;
    switch ((int)s->kind) {
    case ARKA_INFLUXQL_CREATE_DATABASE:
        ARKA_TRY(arka_name_check_database(s->name, err));
        status = arka_engine_create_database(q->request->server->engine, s->name, err);
        if (status != ARKA_EXISTS) /* to have it is what was asked for */
            return status;
        *err = (arka_error){0};
        return ARKA_OK;
    case ARKA_INFLUXQL_SHOW_DATABASES:
        return show_databases(q, err);
    case ARKA_INFLUXQL_SHOW_MEASUREMENTS:
        return show_measurements(q, s, err);
    case ARKA_INFLUXQL_SHOW_RETENTION_POLICIES:
        return show_policies(q, s, err);
    default:
        return arka_fail(err, ARKA_INTERNAL, "no such statement");
    }
}

static void put_result(results *q, size_t id, const arka_influxql_statement *s)
{
    arka_error err = {0};
    size_t head = q->out->len;
    arka_buf_printf(q->out, "%s{\"statement_id\":%zu", id ? "," : "", id);
    size_t body = q->out->len;
    if (run_statement(q, s, &err) != ARKA_OK) {
        q->out->len = q->out->failed ? head : body;
        arka_buf_literal(q->out, ",\"error\":");
        arka_json_string_repaired(q->out, arka_slice_of(err.msg));
    }
    arka_buf_byte(q->out, '}');
}

static bool is_supported(const arka_influxql_statement *s)
{
    return s->kind == ARKA_INFLUXQL_CREATE_DATABASE || s->kind == ARKA_INFLUXQL_SHOW_DATABASES ||
           (s->kind == ARKA_INFLUXQL_SHOW_MEASUREMENTS && s->with == NULL &&
            s->query.condition == NULL) ||
           s->kind == ARKA_INFLUXQL_SHOW_RETENTION_POLICIES;
}

static arka_handled run_statements(arka_request *r, arka_slice database,
                                   const arka_influxql_statements *list)
{
    for (size_t i = 0; i < list->n; i++) {
        arka_slice text = list->items[i].text;
        if (!is_supported(&list->items[i]))
            return arka_answer_error(r, 501, "not_implemented",
                                     "this InfluxQL statement is not supported, only CREATE "
                                     "DATABASE and SHOW DATABASES, MEASUREMENTS, RETENTION "
                                     "POLICIES: %.*s",
                                     text.len > 200 ? 200 : (int)text.len, text.data);
    }
    results q = {.request = r, .out = arka_answer_json(r, 200), .database = database};
    arka_buf_literal(q.out, "{\"results\":[");
    for (size_t i = 0; i < list->n; i++)
        put_result(&q, i, &list->items[i]);
    arka_buf_literal(q.out, "]}\n");
    return ARKA_ANSWERED;
}

static arka_status read_statements(arka_request *r, arka_slice *database,
                                   arka_influxql_statements *list, arka_error *err)
{
    arka_slice text;
    ARKA_TRY(either_param(r, "db", database, err));
    ARKA_TRY(either_param(r, "q", &text, err));
    if (database->len == 0)
        *database = arka_request_header(r, "x-arc-database");
    if (database->len == 0)
        *database = arka_slice_of(r->server->settings->database);
    if (text.len == 0)
        return arka_fail(err, ARKA_INPUT, "missing required parameter \"q\"");
    return arka_influxql_parse(text, NULL, &r->arena, list, err);
}

arka_handled arka_handle_influxql(arka_request *r)
{
    arka_error err = {0};
    arka_slice database;
    arka_influxql_statements list = {0};
    arka_handled how;
    if (read_statements(r, &database, &list, &err) == ARKA_OK)
        how = run_statements(r, database, &list);
    else
        how = arka_answer_fail(r, &err);
    return how;
}
