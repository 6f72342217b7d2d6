/*
 * The log's segments, what was set aside of it, and its recoveries. Directories are shown as they
 * were configured, never resolved.
 */
#include <stdlib.h>

#include "base/json.h"
#include "server/http/handlers.h"
#include "server/metrics/recoveries.h"
#include "server/server_priv.h"
#include "observe/text.h"
#include "server/metrics/wal.h"

enum { HOUR_S = 3600 };

static double mib(int64_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* ---- what was set aside ---- */

typedef struct aside {
    char *name; /* relative to the directory of such files */
    int64_t n_bytes, since_us;
} aside;

typedef struct asides {
    char *dir;
    ARKA_VEC(aside) files; /* the newest first */
} asides;

static void asides_fini(asides *list)
{
    for (size_t i = 0; i < list->files.n; i++)
        arka_free(list->files.items[i].name);
    arka_vec_fini(&list->files);
    arka_free(list->dir);
}

static char *join(const char *dir, const char *name)
{
    arka_buf path = ARKA_BUF_INIT;
    arka_buf_printf(&path, "%s/%s", dir, name);
    if (arka_buf_cstr(&path) == NULL)
        arka_buf_fini(&path);
    return path.data;
}

static arka_status add_aside(void *context, const char *relative, int64_t n_bytes, arka_error *err)
{
    asides *list = context;
    struct stat st;
    char *path = join(list->dir, relative);
    bool there = path != NULL && lstat(path, &st) == 0;
    arka_free(path);
    if (path != NULL && !there)
        return ARKA_OK; /* removed meanwhile */
    char *name = arka_strdup(relative);
    /* a rename moves the time of change, not that of the content */
    aside one = {name, n_bytes,
                 there ? st.st_ctim.tv_sec * INT64_C(1000000) + st.st_ctim.tv_nsec / 1000 : 0};
    if (path != NULL && name != NULL && arka_vec_push(&list->files, one))
        return ARKA_OK;
    arka_free(name);
    return arka_fail_nomem(err, "a list of files", sizeof one);
}

static int newest_first(const void *left, const void *right)
{
    const aside *a = left, *b = right;
    if (a->since_us != b->since_us)
        return a->since_us < b->since_us ? 1 : -1;
    return strcmp(b->name, a->name);
}

/* To be ended with asides_fini in any case. */
static arka_status list_asides(const arka_settings *s, asides *out, arka_error *err)
{
    *out = (asides){.dir = join(s->wal_dir, "quarantine")};
    if (out->dir == NULL)
        return arka_fail_nomem(err, "a path", strlen(s->wal_dir));
    ARKA_TRY(arka_dir_walk(out->dir, add_aside, out, err));
    if (out->files.n > 1)
        qsort(out->files.items, out->files.n, sizeof *out->files.items, newest_first);
    return ARKA_OK;
}

arka_status arka_wal_count_aside(const arka_settings *settings, size_t *out, arka_error *err)
{
    asides list;
    arka_status status = list_asides(settings, &list, err);
    *out = list.files.n;
    asides_fini(&list);
    return status;
}

/* ---- files ---- */

typedef struct file_list {
    arka_buf *out;
    const char *dir;
    int64_t n, n_bytes;
} file_list;

static void put_file(file_list *l, const char *name, int64_t n_bytes, int64_t modified_us)
{
    arka_buf_text(l->out, l->n++ > 0 ? ",{\"name\":" : "{\"name\":");
    arka_json_string_repaired(l->out, arka_slice_of(name));
    arka_buf_printf(l->out, ",\"size_mb\":%.6g,\"modified\":", mib(n_bytes));
    arka_text_json_time(l->out, modified_us);
    arka_buf_literal(l->out, ",\"path\":");
    char *path = join(l->dir, name);
    arka_json_string_repaired(l->out, arka_slice_of(path));
    arka_free(path);
    l->n_bytes += n_bytes;
}

static arka_status put_segment(void *context, const arka_wal_segment_info *s, arka_error *err)
{
    file_list *l = context;
    put_file(l, s->name, s->n_bytes, s->modified_us);
    arka_buf_byte(l->out, ',');
    arka_wal_put_lsn(l->out, "first_lsn", s->base_lsn);
    arka_buf_byte(l->out, ',');
    arka_wal_put_lsn(l->out, "last_lsn", s->last_lsn);
    arka_buf_printf(l->out, ",\"current\":%s}", s->active ? "true" : "false");
    return ARKA_OK;
}

static arka_status put_files(arka_server *server, const asides *aside_files, arka_buf *b,
                             arka_error *err)
{
    arka_wal *wal = arka_engine_wal(server->engine);
    file_list segments = {.out = b, .dir = server->settings->wal_dir};
    file_list others = {.out = b, .dir = aside_files->dir};
    arka_buf_literal(b, "{\"active\":[");
    if (wal != NULL)
        ARKA_TRY(arka_wal_each_segment(wal, put_segment, &segments, err));
    arka_buf_literal(b, "],\"recovered\":[");
    for (size_t i = 0; i < aside_files->files.n; i++) {
        const aside *one = &aside_files->files.items[i];
        put_file(&others, one->name, one->n_bytes, one->since_us);
        arka_buf_byte(b, '}');
    }
    arka_buf_printf(
        b, "],\"total_size_mb\":%.6g,\"wal_directory\":", mib(segments.n_bytes + others.n_bytes));
    arka_json_string_repaired(b, arka_slice_of(server->settings->wal_dir));
    arka_buf_byte(b, '}');
    return ARKA_OK;
}

arka_handled arka_handle_wal_files(arka_request *r)
{
    arka_error err = {0};
    asides list;
    arka_status status = list_asides(r->server->settings, &list, &err);
    if (status == ARKA_OK)
        status = put_files(r->server, &list, arka_answer_json(r, 200), &err);
    asides_fini(&list);
    return status == ARKA_OK ? ARKA_ANSWERED : arka_answer_fail(r, &err);
}

arka_handled arka_handle_wal_cleanup(arka_request *r)
{
    enum { STANDARD_HOURS = 24, MAX_HOURS = 1000000 };
    arka_error err = {0};
    asides list;
    int64_t hours = STANDARD_HOURS, n_gone = 0, bytes_gone = 0;
    if (arka_request_param_int(r, "max_age_hours", 0, MAX_HOURS, &hours, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_status status = list_asides(r->server->settings, &list, &err);
    for (size_t i = 0; status == ARKA_OK && i < list.files.n; i++) {
        const aside *one = &list.files.items[i];
        if (r->arrived_us - one->since_us < hours * HOUR_S * 1000000)
            continue;
        char *path = join(list.dir, one->name);
        status = path == NULL ? arka_fail_nomem(&err, "a path", strlen(one->name))
                              : arka_file_remove(&arka_os_real, path, &err);
        arka_free(path);
        n_gone += status == ARKA_OK;
        bytes_gone += status == ARKA_OK ? one->n_bytes : 0;
    }
    asides_fini(&list);
    if (status != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_printf(arka_answer_json(r, 200),
                    "{\"deleted_count\":%lld,\"freed_mb\":%.6g,\"max_age_hours\":%lld,"
                    "\"message\":\"removed %lld files that were set aside\"}",
                    (long long)n_gone, mib(bytes_gone), (long long)hours, (long long)n_gone);
    return ARKA_ANSWERED;
}

/* ---- recoveries ---- */

static void put_recovery(arka_buf *b, const arka_replay_info *i)
{
    arka_buf_literal(b, "{\"finished_at\":");
    arka_text_json_time(b, i->finished_us);
    arka_buf_printf(b,
                    ",\"duration_ms\":%lld,\"segments\":%lld,\"size_mb\":%.6g,\"entries\":%lld,"
                    "\"rows\":%lld,\"replayed_rows\":%lld,\"torn_bytes\":%lld,\"set_aside\":%lld,",
                    (long long)i->ms, (long long)i->n_segments, mib(i->n_bytes),
                    (long long)i->n_records, (long long)i->n_rows, (long long)i->replayed_rows,
                    (long long)i->torn_bytes, (long long)i->n_quarantined);
    arka_wal_put_lsn(b, "last_lsn", i->last_lsn);
    arka_buf_byte(b, '}');
}

static void put_history(const arka_request *r, const asides *list, const arka_recoveries *past,
                        arka_buf *b)
{
    arka_buf_literal(b, "{\"recovered_files\":[");
    for (size_t i = 0; i < list->files.n && i < ARKA_KEPT_RECOVERIES; i++) {
        const aside *one = &list->files.items[i];
        arka_buf_text(b, i > 0 ? ",{\"name\":" : "{\"name\":");
        arka_json_string_repaired(b, arka_slice_of(one->name));
        arka_buf_printf(b, ",\"size_mb\":%.6g,\"recovered_at\":", mib(one->n_bytes));
        arka_text_json_time(b, one->since_us);
        arka_buf_printf(b, ",\"age_hours\":%.3f}",
                        (double)(r->arrived_us - one->since_us) / 1e6 / HOUR_S);
    }
    arka_buf_literal(b, "],\"last_recovery\":");
    if (past->n > 0)
        arka_text_json_time(b, past->items[past->n - 1].finished_us);
    else
        arka_buf_literal(b, "null");
    arka_buf_printf(b, ",\"total_recovered\":%zu,\"total_recoveries\":%lld,\"recoveries\":[",
                    list->files.n, (long long)past->total);
    for (int i = past->n; i-- > 0;) {
        put_recovery(b, &past->items[i]);
        if (i > 0)
            arka_buf_byte(b, ',');
    }
    arka_buf_literal(b, "]}");
}

arka_handled arka_handle_wal_history(arka_request *r)
{
    arka_error err = {0};
    arka_recoveries past;
    asides list;
    arka_status status = list_asides(r->server->settings, &list, &err);
    if (status == ARKA_OK)
        status = arka_recoveries_read(r->server->settings->db_path, &past, &err);
    if (status == ARKA_OK)
        put_history(r, &list, &past, arka_answer_json(r, 200));
    asides_fini(&list);
    return status == ARKA_OK ? ARKA_ANSWERED : arka_answer_fail(r, &err);
}
