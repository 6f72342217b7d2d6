/* GET /, /health, /ready, /ping. */
#include <stdio.h>

#include "base/json.h"
#include "server/http/handlers.h"
#include "server/metrics/health.h"
#include "server/server_priv.h"
#include "observe/text.h"

arka_handled arka_handle_root(arka_request *r)
{
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"service\":\"arc\",\"version\":\"" ARC_VERSION
                        "\",\"status\":\"running\",\"docs\":\"/docs\","
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

/* Whether the server can take work, and what keeps it from that. */
typedef struct readiness {
    bool open, stopping, log, disk;
    double progress; /* of the start */
    char text[256];  /* why not; "ready" when nothing does */
} readiness;

/* Broken, or full; what else keeps rows from being stored is a disk without room. */
static bool log_is_in_trouble(arka_server *server)
{
    arka_wal *wal = arka_engine_wal(server->engine);
    arka_wal_stats s;
    if (wal == NULL)
        return false;
    arka_wal_get_stats(wal, &s);
    return arka_wal_is_broken(wal) || s.n_bytes >= server->settings->wal_total_mb << 20;
}

static bool look_for_trouble(arka_server *server, readiness *out)
{
    *out = (readiness){.log = true, .disk = true, .text = "ready"};
    out->open = arka_server_is_open(server);
    out->stopping = arka_server_stopping(server);
    if (out->stopping) {
        snprintf(out->text, sizeof out->text, "the server is stopping");
    } else if (!out->open) {
        char text[ARKA_OPENING_TEXT];
        arka_opening_text(server, text, &out->progress);
        snprintf(out->text, sizeof out->text, "%s", text);
    } else if (arka_engine_is_refusing(server->engine, out->text, sizeof out->text)) {
        out->log = !log_is_in_trouble(server);
        out->disk = !out->log;
    } else {
        return true;
    }
    return false;
}

bool arka_server_is_ready(arka_server *server, char *why, size_t cap)
{
    readiness now;
    bool ready = look_for_trouble(server, &now);
    snprintf(why, cap, "%s", now.text);
    return ready;
}

arka_handled arka_handle_ready(arka_request *r)
{
    static const char *const WORDS[] = {"false", "true"};
    readiness now;
    bool ready = look_for_trouble(r->server, &now);
    arka_buf *b = arka_answer_json(r, ready ? 200 : 503);
    arka_buf_printf(b,
                    "{\"status\":\"%s\",\"checks\":{\"database\":%s,\"api_server\":%s,"
                    "\"scheduler\":%s,\"recovery\":%s,\"log\":%s,\"disk\":%s},",
                    ready ? "ready" : "not_ready", WORDS[now.open], WORDS[!now.stopping],
                    WORDS[now.open && !now.stopping], WORDS[now.open], WORDS[now.log],
                    WORDS[now.disk]);
    /* the storage is the one directory that the engine has taken; sources to pull from: none */
    arka_buf_printf(b,
                    "\"details\":{\"active_storage_connection\":%s,"
                    "\"query_engine_initialized\":%s,\"total_storage_connections\":1,"
                    "\"active_influx_connection\":false,\"total_influx_connections\":0},"
                    "\"message\":",
                    WORDS[now.open], WORDS[now.open]);
    arka_json_string_repaired(b, arka_slice_of(now.text));
    if (!now.open)
        arka_buf_printf(b, ",\"progress\":%.3f", now.progress);
    arka_buf_literal(b, ",\"timestamp\":");
    arka_text_json_time(b, r->arrived_us);
    arka_buf_literal(b, "}");
    if (!ready)
        arka_answer_header(r, "Retry-After", "1");
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
