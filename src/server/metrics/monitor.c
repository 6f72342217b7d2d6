#include "server/metrics/monitor.h"

#include <malloc.h>
#include <math.h>
#include <sys/statvfs.h>

#include "base/json.h"
#include "observe/machine_usage.h"
#include "os/machine.h"
#include "server/http/http.h"
#include "server/metrics/route_stats.h"
#include "server/server_priv.h"

enum { TICK_MS = 1000, MINUTE_US = 60000000 };

/* What rates are reckoned from. */
typedef struct totals {
    int64_t us, busy_ticks, all_ticks, cpu_ns, requests, failed, latency_ns;
} totals;

struct arka_monitor {
    arka_server *server;
    int64_t interval_ms, retention_minutes;
    totals before; /* the thread's own */
    arka_mutex lock;
    arka_cond wake;
    bool stop;            /* lock, as all below */
    size_t cap, first, n; /* of points, a ring */
    int64_t n_looks;
    arka_monitor_seen seen;
    arka_thread thread;
    totals *marks; /* beside points; the thread's own */
    arka_point points[];
};

/* ---- looking ---- */

static void set(arka_point *p, int which, double value)
{
    p->numbers[which] = value;
}

static double known(int64_t n, double unit)
{
    return n < 0 ? NAN : (double)n / unit;
}

static double percent(double part, double whole)
{
    return whole > 0 ? part * 100 / whole : NAN;
}

static void look_at_disk(const char *path, int64_t *free_bytes, int64_t *size)
{
    struct statvfs s;
    *free_bytes = *size = -1;
    if (statvfs(path, &s) != 0)
        return;
    *free_bytes = (int64_t)s.f_bavail * (int64_t)s.f_frsize;
    *size = (int64_t)s.f_blocks * (int64_t)s.f_frsize;
}

static void look_at_machine(arka_monitor *m, arka_point *p, totals *now)
{
    static const double MIB = 1 << 20;
    arka_machine_usage u;
    arka_process_usage own;
    const totals *before = &m->before;
    arka_machine_usage_get(&u);
    arka_process_usage_get(&own);
    now->busy_ticks = u.busy_ticks;
    now->all_ticks = u.all_ticks;
    now->cpu_ns = arka_cpu_process_ns();
    if (before->us > 0 && u.all_ticks > 0) {
        set(p, ARKA_POINT_cpu_percent,
            percent((double)(u.busy_ticks - before->busy_ticks),
                    (double)(u.all_ticks - before->all_ticks)));
        set(p, ARKA_POINT_process_cpu_percent,
            percent((double)(now->cpu_ns - before->cpu_ns), (double)(now->us - before->us) * 1e3));
    }
    if (u.memory_bytes > 0 && u.available_bytes >= 0) {
        double used = (double)(u.memory_bytes - u.available_bytes);
        set(p, ARKA_POINT_memory_percent, percent(used, (double)u.memory_bytes));
        set(p, ARKA_POINT_memory_used_mb, used / MIB);
        set(p, ARKA_POINT_memory_available_mb, (double)u.available_bytes / MIB);
    }
    set(p, ARKA_POINT_network_bytes_sent, known(u.sent_bytes, 1));
    set(p, ARKA_POINT_network_bytes_recv, known(u.received_bytes, 1));
    set(p, ARKA_POINT_process_count, known(u.n_processes, 1));
    for (int i = 0; i < 3; i++)
        set(p, ARKA_POINT_load_average_1m + i, u.load[i] < 0 ? NAN : u.load[i]);
    set(p, ARKA_POINT_storage_reads_total, known(u.reads, 1));
    set(p, ARKA_POINT_memory_rss_mb, known(own.rss, MIB));
    set(p, ARKA_POINT_goroutines, known(own.n_threads, 1));
    set(p, ARKA_POINT_gc_cycles, 0);
    struct mallinfo2 heap = mallinfo2();
    set(p, ARKA_POINT_memory_heap_mb, (double)(heap.uordblks + heap.hblkhd) / MIB);
}

static void look_at_storage(arka_monitor *m, arka_point *p, arka_monitor_seen *seen)
{
    static const double GIB = 1 << 30;
    arka_server *server = m->server;
    const arka_settings *s = arka_server_settings(server);
    arka_engine_stats e;
    look_at_disk(s->base_path, &seen->data_free, &seen->data_size);
    look_at_disk(s->wal_enabled ? s->wal_dir : s->base_path, &seen->log_free, &seen->log_size);
    if (seen->data_size > 0) {
        double used = (double)(seen->data_size - seen->data_free);
        set(p, ARKA_POINT_disk_percent, percent(used, (double)seen->data_size));
        set(p, ARKA_POINT_disk_used_gb, used / GIB);
        set(p, ARKA_POINT_disk_free_gb, (double)seen->data_free / GIB);
    }
    if (!arka_server_is_open(server))
        return;
    arka_engine_get_stats(server->engine, &e);
    seen->sql_known = arka_sql_get_usage(server->sql, &seen->sql, NULL) == ARKA_OK;
    set(p, ARKA_POINT_active_storage_connections, 1); /* the directory that the engine has taken */
    set(p, ARKA_POINT_rows_buffered, (double)e.hot_rows);
    set(p, ARKA_POINT_storage_writes_total, (double)e.flush_files);
}

/* The oldest look that is not over a minute old, for rates that do not jump. */
static const totals *a_minute_ago(const arka_monitor *m, int64_t now_us)
{
    const totals *found = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const totals *t = &m->marks[(m->first + m->n - 1 - i) % m->cap];
        if (now_us - t->us > MINUTE_US + m->interval_ms * 500)
            break;
        found = t;
    }
    return found;
}

static void look_at_requests(arka_monitor *m, arka_point *p, totals *now)
{
    arka_server *server = m->server;
    arka_route_view all;
    arka_route_stats_total(server->route_stats, &all);
    int64_t good = all.by_class[0] + all.by_class[1] + all.by_class[2];
    now->failed = all.by_class[3] + all.by_class[4];
    now->requests = good + now->failed;
    now->latency_ns = all.latency.sum_ns;
    set(p, ARKA_POINT_total_requests, (double)now->requests);
    set(p, ARKA_POINT_http_requests_total, (double)now->requests);
    set(p, ARKA_POINT_successful_requests, (double)good);
    set(p, ARKA_POINT_failed_requests, (double)now->failed);
    set(p, ARKA_POINT_active_requests, arka_http_in_flight(server->http));
    set(p, ARKA_POINT_active_connections, arka_http_n_connections(server->http));
    set(p, ARKA_POINT_rows_written_total, (double)arka_counted(&server->counters.rows_written));
    /* sources and their jobs: there are none in this server */
    set(p, ARKA_POINT_active_influx_connections, 0);
    set(p, ARKA_POINT_total_export_jobs, 0);
    set(p, ARKA_POINT_active_export_jobs, 0);
    set(p, ARKA_POINT_http_latency_avg_us,
        all.latency.count > 0 ? (double)all.latency.sum_ns / 1e3 / (double)all.latency.count : 0);
    const totals *then = a_minute_ago(m, now->us);
    if (then == NULL || now->us <= then->us)
        return;
    double n = (double)(now->requests - then->requests);
    set(p, ARKA_POINT_requests_per_minute, n * MINUTE_US / (double)(now->us - then->us));
    set(p, ARKA_POINT_avg_response_time_ms,
        n > 0 ? (double)(now->latency_ns - then->latency_ns) / 1e6 / n : 0);
    set(p, ARKA_POINT_error_rate_percent,
        n > 0 ? (double)(now->failed - then->failed) * 100 / n : 0);
}

static void look(arka_monitor *m)
{
    arka_point p;
    totals now = {.us = arka_wall_us()};
    arka_monitor_seen seen = {.data_free = -1, .data_size = -1, .log_free = -1, .log_size = -1};
    p.us = now.us;
    for (int i = 0; i < ARKA_POINT_NUMBERS; i++)
        p.numbers[i] = NAN;
    look_at_machine(m, &p, &now);
    look_at_storage(m, &p, &seen);
    look_at_requests(m, &p, &now);
    m->before = now;
    arka_mutex_lock(&m->lock);
    if (m->n == m->cap) {
        m->first = (m->first + 1) % m->cap;
        m->n--;
    }
    size_t at = (m->first + m->n++) % m->cap;
    m->points[at] = p;
    m->marks[at] = now;
    m->seen = seen;
    m->n_looks++;
    arka_mutex_unlock(&m->lock);
}

static void watch(void *context)
{
    arka_monitor *m = context;
    arka_mono next = arka_mono_now();
    bool stop = false, seen_open = false;
    while (!stop) {
        bool open = arka_server_is_open(m->server);
        arka_log_settle(m->server->log);
        if (arka_mono_since_ns(next) >= 0 || open != seen_open) {
            seen_open = open;
            look(m);
            next = arka_mono_after_ms(m->interval_ms);
        }
        arka_mono tick = arka_mono_after_ms(TICK_MS);
        arka_mutex_lock(&m->lock);
        while (!m->stop && arka_cond_wait(&m->wake, &m->lock, tick.ns < next.ns ? tick : next))
            ;
        stop = m->stop;
        arka_mutex_unlock(&m->lock);
    }
}

/* ---- life ---- */

static void drop(arka_monitor *m)
{
    arka_cond_fini(&m->wake);
    arka_mutex_fini(&m->lock);
    arka_free(m->marks);
    arka_free(m);
}

arka_status arka_monitor_start(arka_server *server, arka_monitor **out, arka_error *err)
{
    const arka_settings *s = arka_server_settings(server);
    size_t cap = (size_t)(s->metrics_retention * 60 / s->metrics_interval) + 1;
    size_t n_bytes = sizeof(arka_monitor) + cap * sizeof(arka_point);
    arka_monitor *m = arka_calloc(1, n_bytes);
    totals *marks = arka_calloc(cap, sizeof *marks);
    if (m == NULL || marks == NULL) {
        arka_free(m);
        arka_free(marks);
        return arka_fail_nomem(err, "the history of metrics", n_bytes);
    }
    m->server = server;
    m->interval_ms = s->metrics_interval * 1000;
    m->retention_minutes = s->metrics_retention;
    m->cap = cap;
    m->marks = marks;
    arka_mutex_init(&m->lock, ARKA_LOCK_LEAF);
    arka_cond_init(&m->wake);
    arka_status status = arka_thread_start(&m->thread, "monitor", watch, m, err);
    if (status != ARKA_OK)
        drop(m);
    else
        *out = m;
    return status;
}

void arka_monitor_stop(arka_monitor *monitor)
{
    if (monitor == NULL)
        return;
    arka_mutex_lock(&monitor->lock);
    monitor->stop = true;
    arka_cond_signal(&monitor->wake);
    arka_mutex_unlock(&monitor->lock);
    arka_thread_join(&monitor->thread);
}

void arka_monitor_free(arka_monitor *monitor)
{
    if (monitor != NULL)
        drop(monitor);
}

/* ---- telling ---- */

bool arka_monitor_last(arka_monitor *monitor, arka_point *out)
{
    arka_mutex_lock(&monitor->lock);
    bool any = monitor->n > 0;
    if (any)
        *out = monitor->points[(monitor->first + monitor->n - 1) % monitor->cap];
    arka_mutex_unlock(&monitor->lock);
    return any;
}

void arka_monitor_count(arka_monitor *monitor, int64_t *out_n, int64_t *out_minutes)
{
    arka_mutex_lock(&monitor->lock);
    *out_n = monitor->n_looks;
    arka_mutex_unlock(&monitor->lock);
    *out_minutes = monitor->retention_minutes;
}

void arka_monitor_each(arka_monitor *monitor, int64_t since_us,
                       void (*each)(void *context, const arka_point *point), void *context)
{
    arka_mutex_lock(&monitor->lock);
    for (size_t i = 0; i < monitor->n; i++) {
        const arka_point *p = &monitor->points[(monitor->first + i) % monitor->cap];
        if (p->us >= since_us)
            each(context, p);
    }
    arka_mutex_unlock(&monitor->lock);
}

void arka_monitor_seen_last(arka_monitor *monitor, arka_monitor_seen *out)
{
    arka_mutex_lock(&monitor->lock);
    *out = monitor->seen;
    if (monitor->n == 0)
        out->data_free = out->data_size = out->log_free = out->log_size = -1;
    arka_mutex_unlock(&monitor->lock);
}

arka_monitor_group arka_monitor_group_of(arka_slice name)
{
    static const char *const NAMES[] = {"system", "application", "api"};
    int i = 0;
    while (i < ARKA_MONITOR_GROUPS && !arka_slice_eq(name, arka_slice_of(NAMES[i])))
        i++;
    return (arka_monitor_group)i;
}

void arka_monitor_put_fields(const arka_point *point, arka_monitor_group group, arka_buf *out)
{
    static const struct {
        arka_monitor_group group;
        const char *name;
        int decimals;
    } FIELDS[] = {
#define X(group, name, decimals) {ARKA_MONITOR_##group, #name, decimals},
#include "server/metrics/monitor.def"
#undef X
    };
    bool any = false;
    for (int i = 0; i < ARKA_POINT_NUMBERS; i++) {
        if (FIELDS[i].group != group)
            continue;
        double unit = pow(10, FIELDS[i].decimals), n = point->numbers[i];
        arka_buf_printf(out, "%s\"%s\":", any ? "," : "", FIELDS[i].name);
        arka_json_f64(out, isnan(n) ? n : round(n * unit) / unit);
        any = true;
    }
}
