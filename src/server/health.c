/* GET /, /health, /ready, /ping. */
#include "server/handlers.h"
#include "server/server_priv.h"
#include "server/text.h"

arka_handled arka_handle_root(arka_request *r)
{
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b,
                     "{\"service\":\"arc\",\"version\":\"" ARC_VERSION "\",\"status\":\"running\","
                     "\"health\":\"/health\",\"ready\":\"/ready\"}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_health(arka_request *r)
{
    int64_t up_ms = (int64_t)arka_mono_since_ms(r->server->started);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b,
                     "{\"status\":\"healthy\",\"name\":\"influxdb-compatible\",\"service\":\"arc\","
                     "\"version\":\"" ARC_VERSION "\",\"timestamp\":");
    arka_text_json_time(b, r->arrived_us);
    arka_buf_literal(b, ",\"time\":");
    arka_text_json_time(b, r->arrived_us);
    arka_buf_literal(b, ",\"uptime\":\"");
    arka_text_duration(b, up_ms / 1000);
    arka_buf_printf(b, "\",\"uptime_sec\":%lld.%03d}", (long long)(up_ms / 1000),
                    (int)(up_ms % 1000));
    return ARKA_ANSWERED;
}

arka_handled arka_handle_ready(arka_request *r)
{
    bool ready = !arka_server_stopping(r->server);
    const char *word = ready ? "ready" : "not_ready";
    arka_buf *b = arka_answer_json(r, ready ? 200 : 503);
    arka_buf_printf(b,
                    "{\"status\":\"%s\",\"checks\":{\"database\":true,\"api_server\":%s},"
                    "\"message\":\"%s\",\"timestamp\":",
                    word, ready ? "true" : "false", ready ? "ready" : "the server is stopping");
    arka_text_json_time(b, r->arrived_us);
    arka_buf_literal(b, "}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_ping(arka_request *r)
{
    arka_error err = {0};
    arka_slice verbose;
    if (arka_request_param(r, "verbose", &verbose, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    if (verbose.len == 0 || arka_slice_eq(verbose, ARKA_SLICE("0")) ||
        arka_slice_eq(verbose, ARKA_SLICE("false")))
        return arka_answer_empty(r);
    arka_buf_literal(arka_answer_json(r, 200), "{\"version\":\"1.8.10\"}");
    return ARKA_ANSWERED;
}
