#include "observe/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/json.h"
#include "os/clock.h"
#include "observe/text.h"

static const char *const LEVELS[] = {"debug", "info", "warn", "error"};

arka_log_level arka_log_level_parse(const char *name)
{
    if (strcasecmp(name, "warning") == 0)
        return ARKA_WARN;
    for (unsigned i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++)
        if (strcasecmp(name, LEVELS[i]) == 0)
            return (arka_log_level)i;
    return ARKA_INFO;
}

/* RFC 3339 to the millisecond: enough to tell lines apart, always the same width. */
static void put_time(arka_buf *line)
{
    arka_civil t = arka_civil_from_us(arka_wall_us());
    arka_buf_printf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)t.year, t.month, t.day,
                    t.hour, t.minute, t.second, t.micro / 1000);
}

static void put_json_line(arka_buf *line, arka_log_level level, const char *event,
                          const char *request_id, arka_slice message)
{
    arka_buf_literal(line, "{\"time\":\"");
    put_time(line);
    arka_buf_printf(line, "\",\"level\":\"%s\",\"event\":\"%s\",\"message\":", LEVELS[level],
                    event);
    arka_json_string_repaired(line, message);
    if (request_id != NULL) {
        arka_buf_literal(line, ",\"request_id\":");
        arka_json_string_repaired(line, arka_slice_of(request_id));
    }
    arka_buf_literal(line, "}\n");
}

/* One event stays one line whatever stands in its message. */
static void put_printable(arka_buf *line, arka_slice message)
{
    for (size_t i = 0; i < message.len; i++) {
        unsigned char c = (unsigned char)message.data[i];
        if (c < 0x20 || c == 0x7f)
            arka_buf_printf(line, "\\x%02x", c);
        else
            arka_buf_byte(line, (char)c);
    }
}

static void put_text_line(arka_buf *line, arka_log_level level, const char *event,
                          const char *request_id, arka_slice message)
{
    static const char *const SHOWN[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    put_time(line);
    arka_buf_printf(line, " %s %s  ", SHOWN[level], event);
    put_printable(line, message);
    if (request_id != NULL)
        arka_buf_printf(line, "  (request %s)", request_id);
    arka_buf_byte(line, '\n');
}

static void write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, bytes, n);
        if (wrote <= 0)
            return;
        bytes += wrote;
        n -= (size_t)wrote;
    }
}

void arka_log_write(const arka_log *log, arka_log_level level, const char *event,
                    const char *request_id, const char *format, ...)
{
    if (!arka_log_wants(log, level))
        return;
    char message[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    arka_slice text = {message, n < 0 ? 0 : strnlen(message, sizeof message)};
    arka_buf line = ARKA_BUF_INIT;
    if (log->format == ARKA_LOG_JSON)
        put_json_line(&line, level, event, request_id, text);
    else
        put_text_line(&line, level, event, request_id, text);
    if (!line.failed)
        write_all(log->fd, line.data, line.len);
    arka_buf_fini(&line);
}
