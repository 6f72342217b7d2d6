/* Counters of the write path, and flushing it. */
#include "base/json.h"
#include "server/access/access.h"
#include "server/http/handlers.h"
#include "server/access/scoped.h"
#include "server/server_priv.h"
#include "observe/text.h"
#include "server/metrics/wal.h"
#include "wire/names.h"

typedef struct buffers {
    const arka_request *request;
    arka_buf *out;
    int64_t oldest_ms;
    bool any;
} buffers;

static arka_status put_table(void *context, const arka_table_info *info, arka_error *err)
{
    buffers *b = context;
    if (info->hot_rows == 0 ||
        !arka_access_table(b->request, arka_slice_of(info->database), arka_slice_of(info->name)))
        return ARKA_OK;
    if (b->any)
        arka_buf_byte(b->out, ',');
    b->any = true;
    arka_buf_printf(b->out, "\"%s.", info->database); /* names hold nothing that JSON escapes */
    arka_buf_printf(b->out, "%s\":%lld", info->name, (long long)info->hot_rows);
    if (info->hot_age_ms > b->oldest_ms)
        b->oldest_ms = info->hot_age_ms;
    return ARKA_OK;
}

static void put_log_stats(arka_server *server, arka_buf *out)
{
    bool enabled = arka_engine_wal(server->engine) != NULL;
    arka_buf_printf(out, ",\"wal_enabled\":%s", enabled ? "true" : "false");
    if (!enabled)
        return;
    arka_buf_literal(out, ",\"wal\":");
    arka_wal_put_stats(server, out);
}

/* The object that the write endpoints' stats have in common. */
static arka_status put_buffer_stats(const arka_request *r, arka_buf *out, arka_error *err)
{
    arka_server *server = r->server;
    arka_engine_stats s;
    buffers b = {.request = r, .out = out};
    arka_engine_get_stats(server->engine, &s);
    arka_buf_printf(out,
                    "{\"total_records_buffered\":%lld,\"total_records_written\":%lld,"
                    "\"total_flushes\":%lld,\"total_errors\":%lld,\"writes_refused\":%lld,"
                    "\"files_written\":%lld,\"bytes_written\":%lld,\"hot_rows\":%lld,"
                    "\"hot_bytes\":%lld,\"hot_limit_bytes\":%lld,\"current_buffer_sizes\":{",
                    (long long)s.rows_written, (long long)s.flush_rows, (long long)s.flushes,
                    (long long)s.flush_failures, (long long)s.writes_refused,
                    (long long)s.flush_files, (long long)s.flush_bytes, (long long)s.hot_rows,
                    (long long)s.hot_bytes, (long long)s.hot_limit_bytes);
    ARKA_TRY(arka_engine_each_table(server->engine, (arka_slice){NULL, 0}, put_table, &b, err));
    arka_buf_printf(out,
                    "},\"retry_counts\":{},\"oldest_buffer_age_seconds\":%lld.%03d,"
                    "\"writer_type\":\"parquet\",\"commits\":%lld,\"commit_requests\":%lld,"
                    "\"requests_repeated\":%lld,\"requests_delayed\":%lld,\"lsn\":",
                    (long long)(b.oldest_ms / 1000), (int)(b.oldest_ms % 1000),
                    (long long)s.commits, (long long)s.commit_requests,
                    (long long)s.requests_repeated, (long long)s.requests_delayed);
    arka_wal_put_lsns(server, out);
    put_log_stats(server, out);
    arka_buf_byte(out, '}');
    return ARKA_OK;
}

arka_handled arka_handle_msgpack_stats(arka_request *r)
{
    arka_counters *c = &r->server->counters;
    arka_error err = {0};
    int64_t n = arka_counted(&c->msgpack_requests), bad = arka_counted(&c->msgpack_errors);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_printf(b, "{\"decoder\":{\"total_decoded\":%lld,\"total_errors\":%lld,\"error_rate\":",
                    (long long)(n - bad), (long long)bad);
    arka_json_f64(b, n > 0 ? (double)bad / (double)n : 0);
    arka_buf_printf(b, ",\"members_rejected\":%lld},\"buffer\":",
                    (long long)arka_counted(&c->members_rejected));
    if (put_buffer_stats(r, b, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_literal(b, "}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_write_stats(arka_request *r)
{
    arka_counters *c = &r->server->counters;
    arka_error err = {0};
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"status\":\"success\",\"buffer_stats\":");
    if (put_buffer_stats(r, b, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_printf(b, ",\"requests\":%lld,\"errors\":%lld,\"lines_rejected\":%lld,\"timestamp\":",
                    (long long)arka_counted(&c->line_requests),
                    (long long)arka_counted(&c->line_errors),
                    (long long)arka_counted(&c->members_rejected));
    arka_text_json_time(b, r->arrived_us);
    arka_buf_literal(b, "}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_write_health(arka_request *r)
{
    arka_error err = {0};
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"status\":\"healthy\",\"service\":\"line_protocol_writer\",\"stats\":");
    if (put_buffer_stats(r, b, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_literal(b, "}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_flush(arka_request *r)
{
    arka_error err = {0};
    arka_slice database, measurement;
    int64_t n = 0;
    if (arka_request_param(r, "database", &database, &err) != ARKA_OK ||
        arka_request_param(r, "measurement", &measurement, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    if (database.len == 0)
        database = arka_request_header(r, "x-arc-database");
    if ((database.len > 0 && arka_name_check_database(database, &err) != ARKA_OK) ||
        (measurement.len > 0 && arka_name_check_measurement(measurement, &err) != ARKA_OK))
        return arka_answer_fail(r, &err);
    if (measurement.len > 0 && database.len == 0)
        database = arka_slice_of(r->server->settings->database);
    if (arka_scoped_flush(r, database, measurement, &n, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_printf(arka_answer_json(r, 200),
                    "{\"status\":\"success\",\"message\":\"flushed %lld buffers\"}", (long long)n);
    return ARKA_ANSWERED;
}

arka_handled arka_handle_msgpack_spec(arka_request *r)
{
    static const char SPEC[] =
        "{\"version\":\"2.0\",\"protocol\":\"MessagePack columnar and row writes\","
        "\"endpoint\":\"/api/v1/write/msgpack\",\"content_type\":\"application/msgpack\","
        "\"compression\":\"none, gzip or zstd, recognised by its first bytes\","
        "\"authentication\":\"Authorization: Bearer, or x-api-key\","
        "\"format\":{"
        "\"columnar\":\"a map: m is the measurement, columns maps names to arrays of equal "
        "length\","
        "\"row\":\"a map: m, t (time), h (host), tags, fields\","
        "\"several\":\"an array of such maps, {\\\"batch\\\": [...]}, or maps one after the "
        "other\","
        "\"time\":\"numbers since 1970; below 1e10 seconds, 1e13 milliseconds, 1e16 microseconds, "
        "else nanoseconds\"},"
        "\"example_columnar\":{\"m\":\"cpu\",\"columns\":{\"time\":[1767607200000,1767607210000],"
        "\"host\":[\"a\",\"b\"],\"usage\":[1.5,null]}},"
        "\"example_row\":{\"m\":\"cpu\",\"t\":1767607200000,\"h\":\"a\",\"tags\":{\"region\":"
        "\"eu\"},"
        "\"fields\":{\"usage\":1.5}}}";
    arka_buf_append(arka_answer_json(r, 200), SPEC, sizeof SPEC - 1);
    return ARKA_ANSWERED;
}
