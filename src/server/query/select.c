/* GET /api/v1/query/{measurement}: reading a table without SQL. */
#include "server/http/handlers.h"
#include "server/query/query.h"
#include "server/server_priv.h"
#include "wire/json_request.h"
#include "wire/names.h"

enum { STANDARD_LIMIT = 1000, LARGEST_LIMIT = 1000000, LONGEST_WHERE = 4096, LONGEST_ORDER = 256 };

static arka_status take_text(arka_request *r, const char *name, size_t max, arka_slice *out,
                             arka_error *err)
{
    ARKA_TRY(arka_request_param(r, name, out, err));
    if (out->len > max)
        return arka_fail(err, ARKA_INPUT, "parameter %s has %zu bytes, over the limit of %zu", name,
                         out->len, max);
    return ARKA_OK;
}

static arka_status read_select(arka_request *r, arka_select *s, arka_error *err)
{
    *s = (arka_select){.measurement = r->args[0], .limit = STANDARD_LIMIT};
    ARKA_TRY(arka_name_check_measurement(s->measurement, err));
    ARKA_TRY(take_text(r, "columns", LONGEST_WHERE, &s->columns, err));
    ARKA_TRY(take_text(r, "where", LONGEST_WHERE, &s->where, err));
    ARKA_TRY(take_text(r, "order_by", LONGEST_ORDER, &s->order_by, err));
    ARKA_TRY(take_text(r, "start_time", 64, &s->start_time, err));
    ARKA_TRY(take_text(r, "end_time", 64, &s->end_time, err));
    ARKA_TRY(arka_request_param_int(r, "limit", 1, LARGEST_LIMIT, &s->limit, err));
    ARKA_TRY(arka_request_param_int(r, "offset", 0, INT64_MAX, &s->offset, err));
    if (s->order_by.len == 0)
        s->order_by = ARKA_SLICE("time DESC");
    return ARKA_OK;
}

static arka_status read_ask(arka_request *r, arka_query_ask *ask, arka_select *select,
                            arka_error *err)
{
    arka_slice database;
    ARKA_TRY(arka_request_param(r, "database", &database, err));
    ARKA_TRY(arka_request_database(r, database, &ask->options.database, &ask->options.scoped, err));
    return read_select(r, select, err);
}

static arka_handled answer_select(arka_request *r, arka_format format, const char *file_name)
{
    arka_error err = {0};
    arka_select *select = arka_arena_alloc(&r->arena, sizeof *select);
    arka_query_ask ask = {
        .options.format = format,
        .select = select,
        .file_name = file_name,
    };
    arka_status status =
        select ? read_ask(r, &ask, select, &err) : arka_fail_nomem(&err, "a query", sizeof *select);
    return status == ARKA_OK ? arka_query_submit(r, &ask) : arka_answer_fail(r, &err);
}

arka_handled arka_handle_select(arka_request *r)
{
    return answer_select(r, ARKA_FORMAT_JSON, NULL);
}

arka_handled arka_handle_select_csv(arka_request *r)
{
    arka_slice name = r->args[0];
    const char *file = arka_arena_printf(&r->arena, "%.*s.csv", ARKA_FMT(name));
    return answer_select(r, ARKA_FORMAT_CSV, file);
}
