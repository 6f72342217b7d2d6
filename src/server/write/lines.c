/* Line protocol writes, on all their paths. */
#include "server/access/access.h"
#include "server/http/handlers.h"
#include "server/server_priv.h"
#include "server/write/write.h"
#include "wire/lineproto.h"

typedef struct columns_of {
    const arka_request *request;
    arka_slice database;
} columns_of;

static arka_type column_type(void *context, arka_slice measurement, arka_slice column, bool *tag)
{
    const columns_of *of = context;
    if (!arka_access_table(of->request, of->database, measurement))
        return ARKA_TYPE_NONE; /* what is read into its lines must not tell of the table */
    return arka_engine_column_type(of->request->server->engine, of->database, measurement, column,
                                   tag);
}

static arka_status choose_database(arka_request *r, bool required, arka_slice *out, arka_error *err)
{
    arka_slice name;
    bool named;
    ARKA_TRY(arka_request_param(r, "db", &name, err));
    if (name.len == 0) {
        ARKA_TRY(arka_request_param(r, "bucket", &name, err));
        const char *slash = name.len ? memchr(name.data, '/', name.len) : NULL;
        if (slash != NULL) /* "database/retention policy" */
            name.len = (size_t)(slash - name.data);
    }
    if (required && name.len == 0 && arka_request_header(r, "x-arc-database").len == 0)
        return arka_fail(err, ARKA_INPUT, "database is required");
    return arka_request_database(r, name, out, &named, err);
}

static arka_status choose_precision(arka_request *r, bool lenient, arka_precision *out,
                                    arka_error *err)
{
    arka_slice text;
    ARKA_TRY(arka_request_param(r, "precision", &text, err));
    if (arka_precision_parse(text, out))
        return ARKA_OK;
    if (!lenient)
        return arka_fail(err, ARKA_INPUT, "precision '%.*s' is not ns, us, ms, s, m or h",
                         text.len > 20 ? 20 : (int)text.len, text.data);
    *out = ARKA_PRECISION_NS; /* as InfluxDB 1 does */
    return ARKA_OK;
}

/* The words that clients of InfluxDB look for: "partial write", "unable to parse". */
static const char *describe_rejects(arka_request *r, const arka_store *s)
{
    const arka_writes *writes = &s->writes;
    const char *partial = s->n_rows > 0 ? "partial write: " : "";
    long long dropped = writes->n_rejected;
    if (writes->rejects.n == 0)
        return arka_arena_printf(&r->arena, "%sunable to parse dropped=%lld", partial, dropped);
    const arka_reject *first = &writes->rejects.items[0];
    if (first->place > 0)
        return arka_arena_printf(&r->arena, "%s%s (line %lld) dropped=%lld", partial, first->reason,
                                 (long long)first->place, dropped);
    return arka_arena_printf(&r->arena, "%sfield type conflict: %s dropped=%lld", partial,
                             first->reason, dropped);
}

static void answer_rejects(arka_request *r, arka_store *s, arka_slice database)
{
    const arka_writes *writes = &s->writes;
    arka_count(&r->server->counters.members_rejected, writes->n_rejected);
    arka_count(&r->server->counters.line_errors, 1);
    arka_rejects_record(r, database, writes->rejects.items, writes->rejects.n);
    s->message = describe_rejects(r, s);
    arka_answer_error(r, 400, "invalid", "%s", s->message ? s->message : "unable to parse");
}

static arka_status store_lines(arka_request *r, bool influx1, arka_store *s, arka_error *err)
{
    arka_slice database, body;
    ARKA_TRY(choose_database(r, influx1, &database, err));
    ARKA_TRY(arka_access_need_database(r, database, err));
    columns_of of = {r, database};
    arka_lineproto_options options = {
        .now_us = r->arrived_us,
        .column_type = column_type,
        .context = &of,
    };
    ARKA_TRY(choose_precision(r, influx1, &options.precision, err));
    ARKA_TRY(arka_write_inflate(r, s, &body, err));
    ARKA_TRY(arka_lineproto_parse(body.data, body.len, &options, &s->writes, err));
    ARKA_TRY(arka_store_prepare(r, s, database, false, err));
    if (s->put.repeated)
        return ARKA_OK;
    if (s->writes.n_rejected > 0)
        answer_rejects(r, s, database);
    else
        arka_answer_empty(r);
    return ARKA_OK;
}

static arka_handled write_lines(arka_request *r, bool influx1)
{
    arka_counters *counters = &r->server->counters;
    arka_error err = {0};
    ARKA_AUTO(arka_store) s = NULL;
    arka_count(&counters->line_requests, 1);
    arka_count(&counters->bytes_received, (int64_t)r->body.len);
    if (arka_write_refused(r) || !arka_write_coding_known(r)) {
        arka_count(&counters->line_errors, 1);
        return ARKA_ANSWERED;
    }
    if (arka_store_new(&counters->line_rows, &s, &err) == ARKA_OK &&
        store_lines(r, influx1, s, &err) == ARKA_OK)
        return arka_store_commit(r, arka_take(s));
    arka_count(&counters->line_errors, 1);
    return arka_answer_fail(r, &err);
}

arka_handled arka_handle_write_lines(arka_request *r)
{
    return write_lines(r, false);
}

arka_handled arka_handle_write_influx1(arka_request *r)
{
    return write_lines(r, true);
}
