/* The log's counters and its health. */
#include <sys/statvfs.h>

#include "base/json.h"
#include "server/http/handlers.h"
#include "server/server_priv.h"
#include "server/metrics/wal.h"

enum { MIB = 1 << 20 };

static double mib(int64_t bytes)
{
    return (double)bytes / MIB;
}

/* ---- parts of answers ---- */

void arka_wal_put_lsn(arka_buf *out, const char *name, uint64_t lsn)
{
    bool exact = lsn <= UINT64_C(1) << 53;
    arka_buf_printf(out, exact ? "\"%s\":%llu" : "\"%s\":\"%llu\"", name, (unsigned long long)lsn);
}

void arka_wal_put_lsns(arka_server *server, arka_buf *out)
{
    arka_wal *wal = arka_engine_wal(server->engine);
    arka_engine_stats e;
    arka_engine_get_stats(server->engine, &e);
    arka_buf_byte(out, '{');
    arka_wal_put_lsn(out, "assigned", e.assigned_lsn);
    arka_buf_byte(out, ',');
    arka_wal_put_lsn(out, "visible", e.visible_lsn);
    arka_buf_byte(out, ',');
    if (wal != NULL)
        arka_wal_put_lsn(out, "durable", arka_wal_durable_lsn(wal));
    else
        arka_buf_literal(out, "\"durable\":null");
    arka_buf_byte(out, ',');
    arka_wal_put_lsn(out, "pinned", e.pinned_lsn);
    arka_buf_byte(out, '}');
}

static void put_name(arka_buf *out, const char *name)
{
    if (*name != 0)
        arka_json_string_repaired(out, arka_slice_of(name));
    else
        arka_buf_literal(out, "null");
}

/* What stats and health both show, without braces. */
static void put_totals(const arka_wal_stats *s, arka_buf *out)
{
    arka_buf_printf(out,
                    "\"current_size_mb\":%.6g,\"current_age_seconds\":%lld,\"total_entries\":%lld,"
                    "\"total_rows\":%lld,\"total_bytes\":%lld,\"total_groups\":%lld,"
                    "\"total_syncs\":%lld,\"total_rotations\":%lld,\"segments\":%lld,"
                    "\"size_mb\":%.6g",
                    mib(s->active_bytes), (long long)(s->active_age_ms / 1000),
                    (long long)s->records, (long long)s->rows, (long long)s->bytes,
                    (long long)s->groups, (long long)s->syncs, (long long)s->rotations,
                    (long long)s->n_segments, mib(s->n_bytes));
}

static void put_sync_times(const arka_wal_stats *s, arka_buf *out)
{
    double mean = s->syncs > 0 ? (double)s->sync_ns / (double)s->syncs : 0;
    arka_buf_printf(out, "\"sync_ms\":{\"total\":%.3f,\"mean\":%.3f,\"max\":%.3f,\"last\":%.3f}",
                    (double)s->sync_ns / 1e6, mean / 1e6, (double)s->sync_max_ns / 1e6,
                    (double)s->sync_last_ns / 1e6);
}

/* Numbers may jump between them, by more than there are rows. */
static int64_t unsynced_rows(const arka_wal_stats *s)
{
    uint64_t between = s->appended_lsn > s->durable_lsn ? s->appended_lsn - s->durable_lsn : 0;
    return between < (uint64_t)s->rows ? (int64_t)between : s->rows;
}

void arka_wal_put_stats(arka_server *server, arka_buf *out)
{
    arka_wal_stats s;
    arka_engine_stats e;
    arka_wal_get_stats(arka_engine_wal(server->engine), &s);
    arka_engine_get_stats(server->engine, &e);
    arka_buf_literal(out, "{\"worker_id\":1,\"current_file\":");
    put_name(out, s.active);
    arka_buf_printf(out, ",\"sync_mode\":\"%s\",", server->settings->wal_sync_mode);
    put_totals(&s, out);
    arka_buf_printf(out,
                    ",\"total_removed\":%lld,\"append_failures\":%lld,\"sync_failures\":%lld,"
                    "\"unsynced_rows\":%lld,\"unflushed_rows\":%lld,",
                    (long long)s.removed, (long long)s.append_failures, (long long)s.sync_failures,
                    (long long)unsynced_rows(&s), (long long)e.hot_rows);
    put_sync_times(&s, out);
    arka_buf_byte(out, ',');
    arka_wal_put_lsn(out, "oldest_lsn", s.oldest_lsn);
    arka_buf_literal(out, ",\"lsn\":");
    arka_wal_put_lsns(server, out);
    arka_buf_byte(out, '}');
}

/* ---- status, stats ---- */

static void put_configuration(const arka_settings *s, const char *active, arka_buf *out)
{
    arka_buf_printf(out,
                    "{\"sync_mode\":\"%s\",\"worker_id\":1,\"current_file\":", s->wal_sync_mode);
    put_name(out, active);
    arka_buf_literal(out, ",\"directory\":");
    arka_json_string_repaired(out, arka_slice_of(s->wal_dir));
    arka_buf_printf(out,
                    ",\"max_size_mb\":%lld,\"max_age_seconds\":%lld,\"max_total_mb\":%lld,"
                    "\"compression\":\"%s\",\"on_corruption\":\"%s\"}",
                    (long long)s->wal_segment_mb, (long long)s->wal_segment_age,
                    (long long)s->wal_total_mb, s->wal_compression, s->wal_on_corruption);
}

arka_handled arka_handle_wal_status(arka_request *r)
{
    arka_wal *wal = arka_engine_wal(r->server->engine);
    arka_buf *b = arka_answer_json(r, 200);
    if (wal == NULL) {
        arka_buf_literal(b, "{\"enabled\":false,\"reason\":\"wal.enabled is false\"}");
        return ARKA_ANSWERED;
    }
    arka_wal_stats s;
    arka_wal_get_stats(wal, &s);
    arka_buf_literal(b, "{\"enabled\":true,\"writer_type\":\"parquet\",\"configuration\":");
    put_configuration(r->server->settings, s.active, b);
    arka_buf_literal(b, ",\"stats\":");
    arka_wal_put_stats(r->server, b);
    arka_buf_literal(b, "}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_wal_stats(arka_request *r)
{
    if (arka_engine_wal(r->server->engine) == NULL)
        return arka_answer_error(r, 400, "invalid", "there are no counters: wal.enabled is false");
    arka_wal_put_stats(r->server, arka_answer_json(r, 200));
    return ARKA_ANSWERED;
}

/* ---- health ---- */

/* Two arrays that grow side by side: what is wrong, and what to do. */
typedef struct findings {
    arka_buf issues, advice;
} findings;

static void put_text(arka_buf *array, const char *text)
{
    if (array->len > 0)
        arka_buf_byte(array, ',');
    arka_json_string_repaired(array, arka_slice_of(text));
}

static void find(findings *f, const char *issue, const char *advice)
{
    if (issue != NULL)
        put_text(&f->issues, issue);
    if (advice != NULL)
        put_text(&f->advice, advice);
}

static bool disk_is_short(const char *dir)
{
    struct statvfs fs;
    return statvfs(dir, &fs) == 0 && fs.f_blocks > 0 && fs.f_bavail < fs.f_blocks / 10;
}

/* Rotation and flushing happen by themselves: what is found here is that they do not. */
static void look_at_log(const arka_settings *set, const arka_wal_stats *s,
                        const arka_engine_stats *e, findings *f)
{
    if (s->active_bytes > set->wal_segment_mb * MIB / 4 * 5)
        find(f, "the current segment is far over wal.max_size_mb",
             "look for errors of the log in the server's own log");
    /* an idle log keeps its segment, but then no row of it waits for a flush */
    if (s->active_age_ms > 2 * set->wal_segment_age * 1000 && e->pinned_lsn <= s->appended_lsn)
        find(f, "the current segment is older than twice wal.max_age_seconds",
             "its rows are not flushed: look for flush_failed in the server's own log");
    if (s->n_bytes > set->wal_total_mb * MIB / 10 * 8)
        find(f, "the log is over 80 % of wal.max_total_mb",
             "rows are not flushed fast enough: see total_errors of /api/v1/write/stats, or raise "
             "wal.max_total_mb");
    if (disk_is_short(set->wal_dir))
        find(f, "less than 10 % of the log's disk is free", "free or add space");
}

static void look_at_engine(arka_engine *engine, const arka_engine_stats *e, findings *f)
{
    char why[256];
    if (arka_engine_is_refusing(engine, why, sizeof why))
        find(f, why, "writes get 503 until this has passed; nothing that was acknowledged is lost");
    if (e->flush_failures > 0)
        find(f, "flushes have failed since the start",
             "the rows stay in memory and in the log and are tried again: look for flush_failed in "
             "the server's own log");
}

static arka_status put_health(arka_request *r, findings *f, arka_error *err)
{
    const arka_settings *set = r->server->settings;
    arka_engine *engine = r->server->engine;
    arka_wal_stats s;
    arka_engine_stats e;
    size_t n_aside;
    arka_wal_get_stats(arka_engine_wal(engine), &s);
    arka_engine_get_stats(engine, &e);
    look_at_log(set, &s, &e, f);
    look_at_engine(engine, &e, f);
    ARKA_TRY(arka_wal_count_aside(set, &n_aside, err));
    if (n_aside > 0)
        find(f, NULL,
             "damaged parts of the log are set aside: look at /api/v1/wal/files, then remove them "
             "with /api/v1/wal/cleanup");
    if (f->issues.failed || f->advice.failed)
        return arka_fail_nomem(err, "an answer", f->issues.len);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_printf(b, "{\"healthy\":%s,\"wal_enabled\":true,\"issues\":[",
                    f->issues.len == 0 ? "true" : "false");
    arka_buf_append(b, f->issues.data, f->issues.len);
    arka_buf_literal(b, "],\"recommendations\":[");
    arka_buf_append(b, f->advice.data, f->advice.len);
    arka_buf_literal(b, "],\"stats_summary\":{");
    put_totals(&s, b);
    arka_buf_literal(b, "}}");
    return ARKA_OK;
}

arka_handled arka_handle_wal_health(arka_request *r)
{
    arka_error err = {0};
    findings f = {.issues = ARKA_BUF_INIT, .advice = ARKA_BUF_INIT};
    if (arka_engine_wal(r->server->engine) == NULL) {
        arka_buf_literal(arka_answer_json(r, 200),
                         "{\"healthy\":true,\"wal_enabled\":false,\"issues\":[],"
                         "\"recommendations\":[\"wal.enabled is false: rows in memory are lost "
                         "when the process dies\"],\"stats_summary\":{}}");
        return ARKA_ANSWERED;
    }
    arka_status status = put_health(r, &f, &err);
    arka_buf_fini(&f.issues);
    arka_buf_fini(&f.advice);
    return status == ARKA_OK ? ARKA_ANSWERED : arka_answer_fail(r, &err);
}
