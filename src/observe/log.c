#include "observe/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/json.h"
#include "observe/keeper.h"
#include "observe/scrub.h"
#include "os/clock.h"

enum { PATIENCE_MS = 50 }; /* with a descriptor that took the line before; then none */

static const char *const LEVELS[ARKA_LOG_LEVELS] = {"debug", "info", "warn", "error"};

const char *arka_log_level_name(arka_log_level level)
{
    return LEVELS[level];
}

static bool is(arka_slice word, const char *name)
{
    return word.len == strlen(name) && strncasecmp(word.data, name, word.len) == 0;
}

bool arka_log_level_find(arka_slice name, arka_log_level *out)
{
    static const struct {
        const char *name;
        arka_log_level level;
    } WORDS[] = {{"debug", ARKA_DEBUG},  {"info", ARKA_INFO},   {"warn", ARKA_WARN},
                 {"warning", ARKA_WARN}, {"error", ARKA_ERROR}, {"critical", ARKA_ERROR},
                 {"fatal", ARKA_ERROR}};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (is(name, WORDS[i].name)) {
            *out = WORDS[i].level;
            return true;
        }
    return false;
}

arka_log_level arka_log_level_parse(const char *name)
{
    arka_log_level level = ARKA_INFO;
    ARKA_IGNORE(!arka_log_level_find(arka_slice_of(name), &level)); /* INFO stays */
    return level;
}

bool arka_log_format_find(arka_slice name, int fd, arka_log_format *out)
{
    if (is(name, "text") || (is(name, "auto") && isatty(fd)))
        *out = ARKA_LOG_TEXT;
    else if (is(name, "json") || is(name, "structured") || is(name, "auto"))
        *out = ARKA_LOG_JSON;
    else if (is(name, "logfmt"))
        *out = ARKA_LOG_LOGFMT;
    else
        return false;
    return true;
}

arka_status arka_log_keep(arka_log *log, size_t kept_bytes, arka_error *err)
{
    return arka_log_keeper_new(kept_bytes, &log->kept, err);
}

void arka_log_fini(arka_log *log)
{
    arka_log_keeper_free(log->kept);
    log->kept = NULL;
}

void arka_log_set_level(arka_log *log, arka_log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

/* ---- a line's text ---- */

/* RFC 3339 to the millisecond: enough to tell lines apart, always the same width. */
static void put_time(arka_buf *out, int64_t us)
{
    arka_civil t = arka_civil_from_us(us);
    arka_buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)t.year, t.month, t.day, t.hour,
                    t.minute, t.second, t.micro / 1000);
}

static void put_json_field(arka_buf *out, const char *name, arka_slice text)
{
    arka_buf_printf(out, ",\"%s\":", name);
    arka_json_string_repaired(out, text);
}

static void put_json_line(arka_buf *out, const arka_log_line *line, arka_slice message)
{
    arka_buf_literal(out, "{\"time\":\"");
    put_time(out, line->us);
    arka_buf_printf(out, "\",\"level\":\"%s\"", LEVELS[line->level]);
    put_json_field(out, "event", arka_slice_of(line->event));
    put_json_field(out, "message", message);
    if (*line->request_id != 0)
        put_json_field(out, "request_id", arka_slice_of(line->request_id));
    if (*line->query_id != 0)
        put_json_field(out, "query_id", arka_slice_of(line->query_id));
    arka_buf_literal(out, "}\n");
}

/* One event stays one line whatever stands in its message. */
static void put_printable(arka_buf *out, arka_slice message)
{
    for (size_t i = 0; i < message.len; i++) {
        unsigned char c = (unsigned char)message.data[i];
        if (c < 0x20 || c == 0x7f)
            arka_buf_printf(out, "\\x%02x", c);
        else
            arka_buf_byte(out, (char)c);
    }
}

static void put_text_line(arka_buf *out, const arka_log_line *line, arka_slice message)
{
    static const char *const SHOWN[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    put_time(out, line->us);
    arka_buf_printf(out, " %s %s  ", SHOWN[line->level], line->event);
    put_printable(out, message);
    if (*line->request_id != 0) {
        arka_buf_literal(out, "  (request ");
        put_printable(out, arka_slice_of(line->request_id));
        arka_buf_byte(out, ')');
    }
    if (*line->query_id != 0)
        arka_buf_printf(out, "  (query %s)", line->query_id);
    arka_buf_byte(out, '\n');
}

/* Bare when it is one plain word, else as a JSON string, which is what readers of logfmt expect. */
static void put_logfmt_field(arka_buf *out, const char *name, arka_slice text)
{
    bool bare = text.len > 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bare &= c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
    }
    arka_buf_printf(out, "%s%s=", out->len > 0 ? " " : "", name);
    if (bare)
        arka_buf_slice(out, text);
    else
        arka_json_string_repaired(out, text);
}

static void put_logfmt_line(arka_buf *out, const arka_log_line *line, arka_slice message)
{
    arka_buf_literal(out, "time=");
    put_time(out, line->us);
    put_logfmt_field(out, "level", arka_slice_of(LEVELS[line->level]));
    put_logfmt_field(out, "event", arka_slice_of(line->event));
    put_logfmt_field(out, "message", message);
    if (*line->request_id != 0)
        put_logfmt_field(out, "request_id", arka_slice_of(line->request_id));
    if (*line->query_id != 0)
        put_logfmt_field(out, "query_id", arka_slice_of(line->query_id));
    arka_buf_byte(out, '\n');
}

static void put_line(arka_buf *out, arka_log_format format, const arka_log_line *line,
                     arka_slice message)
{
    arka_buf_clear(out);
    if (format == ARKA_LOG_JSON)
        put_json_line(out, line, message);
    else if (format == ARKA_LOG_LOGFMT)
        put_logfmt_line(out, line, message);
    else
        put_text_line(out, line, message);
}

/* ---- writing it ---- */

/* A pipe that nobody reads must not hold anybody up; one with room for a line takes it whole. */
static bool takes_a_line(int fd)
{
    static atomic_bool stalled; /* of standard error, which there is one of */
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    int wait = atomic_load_explicit(&stalled, memory_order_relaxed) ? 0 : PATIENCE_MS;
    bool ready = poll(&one, 1, wait) > 0 && (one.revents & POLLOUT);
    atomic_store_explicit(&stalled, !ready, memory_order_relaxed);
    return ready;
}

static bool write_line(int fd, const arka_buf *line)
{
    size_t at = 0;
    if (line->failed || !takes_a_line(fd))
        return false;
    while (at < line->len) {
        ssize_t wrote = write(fd, line->data + at, line->len - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += (size_t)wrote;
    }
    return true;
}

static void write_out(const arka_log *log, const arka_log_line *line)
{
    arka_buf out = ARKA_BUF_INIT;
    arka_slice message = arka_slice_of(line->message);
    if (log->kept != NULL)
        arka_log_keeper_put(log->kept, line);
    if (log->fd < 0)
        return;
    put_line(&out, log->format, line, message);
    /* longer ones a pipe may mix with those of other threads, or not take at once */
    while (out.len > PIPE_BUF && message.len > 16) {
        message.len /= 2;
        put_line(&out, log->format, line, message);
    }
    if (!write_line(log->fd, &out) && log->kept != NULL)
        arka_log_keeper_note_lost(log->kept);
    arka_buf_fini(&out);
}

static void tell_suppressed(const arka_log *log, const char *event, int64_t n)
{
    char message[128];
    snprintf(message, sizeof message, "%lld more lines of \"%.63s\" were left out", (long long)n,
             event);
    arka_log_line line = {.us = arka_wall_us(),
                          .level = ARKA_WARN,
                          .event = "log_flood",
                          .message = message,
                          .request_id = "",
                          .query_id = ""};
    write_out(log, &line);
}

static void write_message(const arka_log *log, arka_log_level level, const char *event,
                          arka_log_about about, const char *format, va_list args) ARKA_PRINTF(5, 0);
static void write_message(const arka_log *log, arka_log_level level, const char *event,
                          arka_log_about about, const char *format, va_list args)
{
    char message[ARKA_LOG_MESSAGE], request_id[160];
    int64_t suppressed = 0;
    if (log->kept != NULL && !arka_log_keeper_admit(log->kept, about.every ? NULL : event, level,
                                                    arka_mono_now(), &suppressed))
        return;
    if (suppressed > 0)
        tell_suppressed(log, event, suppressed);
    if (vsnprintf(message, sizeof message, format, args) < 0)
        message[0] = 0;
    arka_scrub(message, strlen(message), sizeof message);
    snprintf(request_id, sizeof request_id, "%s", about.request_id ? about.request_id : "");
    arka_scrub(request_id, strlen(request_id), sizeof request_id);
    arka_log_line line = {.us = arka_wall_us(),
                          .level = level,
                          .event = event,
                          .message = message,
                          .request_id = request_id,
                          .query_id = about.query_id ? about.query_id : ""};
    write_out(log, &line);
}

void arka_log_write(const arka_log *log, arka_log_level level, const char *event,
                    const char *request_id, const char *format, ...)
{
    va_list args;
    if (!arka_log_wants(log, level))
        return;
    va_start(args, format);
    write_message(log, level, event, (arka_log_about){.request_id = request_id}, format, args);
    va_end(args);
}

void arka_log_write_about(const arka_log *log, arka_log_level level, const char *event,
                          arka_log_about about, const char *format, ...)
{
    va_list args;
    if (!arka_log_wants(log, level))
        return;
    va_start(args, format);
    write_message(log, level, event, about, format, args);
    va_end(args);
}

void arka_log_settle(const arka_log *log)
{
    char event[64];
    int64_t n;
    while (log->kept != NULL && arka_log_keeper_settle(log->kept, arka_mono_now(), event, &n))
        tell_suppressed(log, event, n);
}

/* ---- reading it back ---- */

void arka_log_each(const arka_log *log, arka_log_level least, int64_t since_us, size_t max,
                   void (*each)(void *context, const arka_log_line *line), void *context)
{
    if (log->kept != NULL)
        arka_log_keeper_each(log->kept, least, since_us, max, each, context);
}

void arka_log_get_stats(const arka_log *log, arka_log_stats *out)
{
    *out = (arka_log_stats){0};
    if (log->kept != NULL)
        arka_log_keeper_stats(log->kept, out);
}
