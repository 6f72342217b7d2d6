/**
 * A thread that looks at the server and its machine at regular times and remembers what it saw, for
 * those who cannot keep a history themselves; and that asks DuckDB how much memory it has, so that
 * whoever tells numbers need not wait for it. All functions: any thread. Private to server/.
 */
#ifndef ARKA_SERVER_METRICS_MONITOR_H
#define ARKA_SERVER_METRICS_MONITOR_H

#include "base/buf.h"
#include "base/status.h"
#include "sql/sql.h"

typedef struct arka_server arka_server;
typedef struct arka_monitor arka_monitor;

typedef enum arka_monitor_group {
    ARKA_MONITOR_SYSTEM,
    ARKA_MONITOR_APPLICATION,
    ARKA_MONITOR_API,
    ARKA_MONITOR_GROUPS,
} arka_monitor_group;

enum {
#define X(group, name, decimals) ARKA_POINT_##name,
#include "server/metrics/monitor.def"
#undef X
    ARKA_POINT_NUMBERS
};

/** One look. */
typedef struct arka_point {
    int64_t us;                         /* wall clock */
    double numbers[ARKA_POINT_NUMBERS]; /* NaN: not known */
} arka_point;

/** Its first look is taken at once, by its thread. */
ARKA_MUST_USE arka_status arka_monitor_start(arka_server *server, arka_monitor **out,
                                             arka_error *err);
/** Ends the thread, before what it looks at goes; it can still be asked. NULL is fine. */
void arka_monitor_stop(arka_monitor *monitor);
/** Stopped. NULL is fine. */
void arka_monitor_free(arka_monitor *monitor);

/** The last look; false: there is none yet. */
bool arka_monitor_last(arka_monitor *monitor, arka_point *out);
/** How many looks there were, and for how long they are remembered. */
void arka_monitor_count(arka_monitor *monitor, int64_t *out_n, int64_t *out_minutes);
/** Call `each` for the remembered looks since then, oldest first. It is short. */
void arka_monitor_each(arka_monitor *monitor, int64_t since_us,
                       void (*each)(void *context, const arka_point *point), void *context);

/** What else it saw the last time. */
typedef struct arka_monitor_seen {
    bool sql_known;
    arka_sql_usage sql;
    int64_t data_free, data_size, log_free, log_size; /* bytes of file systems; -1: not known */
} arka_monitor_seen;
void arka_monitor_seen_last(arka_monitor *monitor, arka_monitor_seen *out);

/** "system", "application", "api"; ARKA_MONITOR_GROUPS: none of them. */
arka_monitor_group arka_monitor_group_of(arka_slice name);
/** The fields of a group, `"name":1.5,…`. */
void arka_monitor_put_fields(const arka_point *point, arka_monitor_group group, arka_buf *out);

#endif
