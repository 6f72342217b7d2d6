/**
 * The program's own log: one line an event on a descriptor, written whole. Any thread.
 *
 * TEXT   2026-01-05T10:00:00.123Z INFO  flush  default.cpu: 50000 rows
 * JSON   {"time":"…","level":"info","event":"flush","message":"…","request_id":"…"}
 */
#ifndef ARKA_OBSERVE_LOG_H
#define ARKA_OBSERVE_LOG_H

#include "base/status.h"

typedef enum arka_log_level { ARKA_DEBUG, ARKA_INFO, ARKA_WARN, ARKA_ERROR } arka_log_level;
typedef enum arka_log_format { ARKA_LOG_TEXT, ARKA_LOG_JSON } arka_log_format;

typedef struct arka_log {
    arka_log_level level; /* lines below it are dropped */
    arka_log_format format;
    int fd;
} arka_log;

/** "debug", "info", "warn" or "warning", "error", any case; INFO for anything else. */
arka_log_level arka_log_level_parse(const char *name);
static inline bool arka_log_wants(const arka_log *log, arka_log_level level)
{
    return level >= log->level;
}
/** `event`: a short fixed name. `request_id` may be NULL. A line that cannot be written is lost. */
void arka_log_write(const arka_log *log, arka_log_level level, const char *event,
                    const char *request_id, const char *format, ...) ARKA_PRINTF(5, 6);

#endif
