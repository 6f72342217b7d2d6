/* GET /api/v1/logs: the last lines of the server's own log. */
#include "base/json.h"
#include "observe/text.h"
#include "server/http/handlers.h"
#include "server/server_priv.h"

typedef struct lines {
    arka_buf *out;
    int64_t n;
} lines;

static void put_field(arka_buf *b, const char *name, const char *text)
{
    arka_buf_printf(b, ",\"%s\":", name);
    arka_json_string_repaired(b, arka_slice_of(text));
}

static void put_line(void *context, const arka_log_line *line)
{
    static const char *const LEVELS[ARKA_LOG_LEVELS] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    lines *all = context;
    arka_buf *b = all->out;
    arka_buf_text(b, all->n++ > 0 ? "," : "");
    arka_buf_literal(b, "{\"timestamp\":");
    arka_text_json_time(b, line->us);
    put_field(b, "level", LEVELS[line->level]);
    put_field(b, "logger", line->event);
    put_field(b, "component", line->event);
    put_field(b, "message", line->message);
    put_field(b, "service", "arc");
    if (*line->request_id != 0)
        put_field(b, "request_id", line->request_id);
    if (*line->query_id != 0)
        put_field(b, "query_id", line->query_id);
    arka_buf_byte(b, '}');
}

static arka_status read_level(arka_request *r, arka_slice *word, arka_log_level *least,
                              arka_error *err)
{
    ARKA_TRY(arka_request_param(r, "level", word, err));
    if (word->len > 0 && !arka_log_level_find(*word, least))
        return arka_fail(err, ARKA_INPUT,
                         "parameter level = '%.*s' is not debug, info, warning, error or critical",
                         word->len > 40 ? 40 : (int)word->len, word->data);
    return ARKA_OK;
}

arka_handled arka_handle_logs(arka_request *r)
{
    static const int64_t MINUTE_US = 60000000;
    arka_error err = {0};
    arka_log_level least = ARKA_DEBUG;
    arka_slice level;
    int64_t limit = 100, minutes = 60;
    if (read_level(r, &level, &least, &err) != ARKA_OK ||
        arka_request_param_int(r, "limit", 1, 1000, &limit, &err) != ARKA_OK ||
        arka_request_param_int(r, "since_minutes", 1, 1440, &minutes, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf *b = arka_answer_json(r, 200);
    lines all = {.out = b};
    arka_buf word = ARKA_BUF_INIT;
    if (level.len > 0)
        arka_json_string_repaired(&word, level);
    else
        arka_buf_literal(&word, "null");
    arka_buf_literal(b, "{\"timestamp\":");
    arka_text_json_time(b, r->arrived_us);
    arka_buf_literal(b, ",\"logs\":[");
    arka_log_each(r->server->log, least, r->arrived_us - minutes * MINUTE_US, (size_t)limit,
                  put_line, &all);
    const char *said = arka_buf_cstr(&word);
    arka_buf_printf(b,
                    "],\"count\":%lld,\"limit\":%lld,\"level_filter\":%s,\"since_minutes\":%lld,"
                    "\"filters\":{\"limit\":%lld,\"level\":%s,\"since_minutes\":%lld}}",
                    (long long)all.n, (long long)limit, said ? said : "null", (long long)minutes,
                    (long long)limit, said ? said : "null", (long long)minutes);
    arka_buf_fini(&word);
    return ARKA_ANSWERED;
}
