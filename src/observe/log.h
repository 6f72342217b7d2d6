/**
 * The program's own log: one line an event on a descriptor, written whole, and the last lines kept
 * in memory. Any thread; a line waits for nobody for long: when the other side of the descriptor
 * does not read, lines are lost there (and counted), not in memory.
 *
 * TEXT     2026-01-05T10:00:00.123Z INFO  flush  default.cpu: 50000 rows
 * JSON     {"time":"…","level":"info","event":"flush","message":"…","request_id":"…"}
 * LOGFMT   time=2026-01-05T10:00:00.123Z level=info event=flush message="default.cpu: 50000 rows"
 *
 * Whatever a message holds stays on its line: control characters are escaped. Credentials are taken
 * out of it (scrub.h). Of an event that comes more than ARKA_LOG_BURST times within a second the
 * rest is left out, and how many those were is told when the second is over.
 */
#ifndef ARKA_OBSERVE_LOG_H
#define ARKA_OBSERVE_LOG_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/status.h"

typedef enum arka_log_level { ARKA_DEBUG, ARKA_INFO, ARKA_WARN, ARKA_ERROR } arka_log_level;
enum { ARKA_LOG_LEVELS = 4 };
typedef enum arka_log_format { ARKA_LOG_TEXT, ARKA_LOG_JSON, ARKA_LOG_LOGFMT } arka_log_format;

enum {
    ARKA_LOG_MESSAGE = 2000,       /* bytes of a message; the rest of a longer one is left out */
    ARKA_LOG_BURST = 200,          /* lines of one event within a second; debug has no such limit */
    ARKA_LOG_KEPT_BYTES = 4 << 20, /* of the last lines, as a program should have it */
};

typedef struct arka_log {
    atomic_int level; /* lines below it are dropped; arka_log_set_level */
    arka_log_format format;
    int fd;                       /* -1: only kept */
    struct arka_log_keeper *kept; /* NULL: nothing is kept, limited or counted */
} arka_log;

/**
 * Let it keep its last lines in `kept_bytes` of memory. Before other threads have it; without it
 * (and after fini) a log is a plain struct that writes. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_log_keep(arka_log *log, size_t kept_bytes, arka_error *err);
/** No other thread may have it. */
void arka_log_fini(arka_log *log);

/** "debug", "info", "warn" or "warning", "error", any case; INFO for anything else. */
arka_log_level arka_log_level_parse(const char *name);
/** The same without a guess; "critical" and "fatal" are ERROR. False: no such word. */
bool arka_log_level_find(arka_slice name, arka_log_level *out);
/** "text"; "json" or "structured"; "logfmt"; "auto": TEXT when `fd` is a terminal, else JSON. Any
 * case; false for anything else. */
bool arka_log_format_find(arka_slice name, int fd, arka_log_format *out);

static inline bool arka_log_wants(const arka_log *log, arka_log_level level)
{
    /* relaxed: a change is seen soon enough */
    return (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}
static inline arka_log_level arka_log_get_level(const arka_log *log)
{
    return (arka_log_level)atomic_load_explicit(&log->level, memory_order_relaxed);
}
/** Lines from now on. Any thread. */
void arka_log_set_level(arka_log *log, arka_log_level level);

/** Of what a line tells; both texts may be NULL. */
typedef struct arka_log_about {
    const char *request_id, *query_id;
    bool every; /* a line of a flood as well */
} arka_log_about;

/** `event`: a short fixed name. `request_id` may be NULL. A line that cannot be written is lost. */
void arka_log_write(const arka_log *log, arka_log_level level, const char *event,
                    const char *request_id, const char *format, ...) ARKA_PRINTF(5, 6);
void arka_log_write_about(const arka_log *log, arka_log_level level, const char *event,
                          arka_log_about about, const char *format, ...) ARKA_PRINTF(5, 6);
/** Tell of what was left out up to now. To be called now and then, every second or so. */
void arka_log_settle(const arka_log *log);

/** One kept line; texts live for the call it is given to. */
typedef struct arka_log_line {
    int64_t us; /* wall clock */
    arka_log_level level;
    const char *event, *message;
    const char *request_id, *query_id; /* "" is none */
} arka_log_line;
/**
 * Call `each` for the newest `max` kept lines of `least` and above that are not older than
 * `since_us`, the newest first. New lines wait meanwhile: `each` is short and writes no line.
 */
void arka_log_each(const arka_log *log, arka_log_level least, int64_t since_us, size_t max,
                   void (*each)(void *context, const arka_log_line *line), void *context);

typedef struct arka_log_stats {
    int64_t lines[ARKA_LOG_LEVELS]; /* by level, lost ones included, left out ones not */
    int64_t suppressed, lost;
} arka_log_stats;
void arka_log_get_stats(const arka_log *log, arka_log_stats *out);

const char *arka_log_level_name(arka_log_level level); /* "debug" … */

#endif
