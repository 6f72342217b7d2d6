/* Answers that are remembered: found on the HTTP thread, kept by the pool. */
#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "observe/text.h"
#include "server/access/access.h"
#include "server/http/http.h"
#include "server/query/query_job.h"

enum {
    AT_ONCE = 256 << 10, /* more is not copied on the HTTP thread, which has others to serve */
};

static arka_result_key key_of(const arka_query_options *options)
{
    const char *visibility = options->visibility.key;
    return (arka_result_key){
        .text = options->text,
        .database = options->database,
        .visibility = arka_slice_of(visibility ? visibility : ""),
        .scoped = options->scoped,
        .format = (int)options->format,
    };
}

void arka_query_add_members(arka_buf *envelope, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (envelope->failed || envelope->len == 0 || n < 0 || (size_t)n >= sizeof text)
        return;
    ARKA_CHECK(envelope->data[envelope->len - 1] == '}', "an envelope without its end");
    envelope->data[envelope->len - 1] = ',';
    arka_buf_append(envelope, text, (size_t)n);
    arka_buf_byte(envelope, '}');
}

/* ---- found ---- */

/*
 * The envelope as it was, but for when it was made and how long that took. What stands behind the
 * rows is ours, so that the words are found in it and not in the data.
 */
static void put_envelope(arka_buf *b, const arka_cached_result *c, double ms)
{
    static const char TIME[] = ",\"execution_time_ms\":", ERROR[] = ",\"error\":null";
    const char *end = c->bytes + c->n_bytes, *from = c->bytes + c->end_at;
    const char *time = memmem(from, (size_t)(end - from), TIME, sizeof TIME - 1);
    const char *error = time ? memmem(time, (size_t)(end - time), ERROR, sizeof ERROR - 1) : NULL;
    ARKA_CHECK(error != NULL, "an envelope without its end");
    arka_buf_append(b, c->bytes, (size_t)(time - c->bytes) + sizeof TIME - 1);
    arka_json_f64(b, ms);
    arka_buf_literal(b, ",\"timestamp\":");
    arka_text_json_time(b, arka_wall_us());
    arka_buf_append(b, error, (size_t)(end - error));
    arka_query_add_members(b, "\"cached\":true");
}

/* `began`: with the search for it; what came before, such as the proof of a token, is no query. */
static void put_answer(arka_request *r, const arka_query_ask *ask, const arka_cached_result *c,
                       uint64_t lsn, arka_mono began)
{
    double ms = arka_mono_since_ms(began);
    r->answer.status = 200;
    r->answer.content_type = arka_format_content_type(ask->options.format);
    arka_answer_header(r, "X-Arc-Cached", "true");
    arka_answer_header(r, "X-Wait-Time-Ms", "0.000");
    arka_answer_header(r, "X-Arc-Snapshot-LSN", "%llu", (unsigned long long)lsn);
    arka_answer_header(r, "X-Row-Count", "%lld", (long long)c->n_rows);
    arka_answer_header(r, "X-Execution-Time-Ms", "%.3f", ms);
    if (ask->file_name != NULL)
        arka_answer_header(r, "Content-Disposition", "attachment; filename=%s", ask->file_name);
    if (ask->options.format == ARKA_FORMAT_JSON)
        put_envelope(&r->answer.body, c, ms);
    else
        arka_buf_append(&r->answer.body, c->bytes, c->n_bytes);
}

static arka_cached_result *find(arka_request *r, const arka_query_options *options, uint64_t *lsn)
{
    arka_server *server = r->server;
    uint64_t digest[2];
    arka_result_key key = key_of(options);
    *lsn = arka_engine_visible_lsn(server->engine); /* before the tables are looked at */
    if (!arka_sql_answer_digest(server->sql, options, digest)) {
        arka_result_cache_missed(server->result_cache);
        return NULL;
    }
    return arka_result_cache_get(server->result_cache, &key, digest,
                                 arka_server_settings(server)->cache_ttl * 1000);
}

/* The account has it as any other query. Without memory for that it is run, and fails or not. */
static bool tell(arka_request *r, const arka_query_ask *ask, arka_priority priority,
                 const arka_cached_result *c, uint64_t lsn)
{
    arka_query_registry *registry = r->server->query_registry;
    arka_query_begin begin = arka_query_begin_of(r, ask, priority);
    arka_query_entry *entry;
    if (arka_query_registry_begin(registry, &begin, &entry, NULL) != ARKA_OK)
        return false;
    arka_query_put_id(r, arka_query_entry_id(entry));
    arka_query_end end = {ARKA_QUERY_COMPLETED, true, c->n_rows, (int64_t)c->n_bytes, lsn, ""};
    arka_query_registry_end(registry, entry, &end);
    return true;
}

/* A large answer, for a worker; in the request's arena. */
typedef struct large {
    arka_request *request;
    arka_query_ask ask;
    arka_cached_result *result;
    uint64_t lsn;
    arka_mono began;
} large;

static void put_large(void *context)
{
    large *l = context;
    arka_request *r = l->request;
    put_answer(r, &l->ask, l->result, l->lsn, l->began);
    arka_cached_result_unref(l->result);
    arka_http_give_back(r);
}

static bool hand_over(arka_request *r, const arka_query_ask *ask, arka_cached_result *c,
                      uint64_t lsn, arka_mono began)
{
    large *l = arka_arena_alloc(&r->arena, sizeof *l);
    if (l == NULL)
        return false;
    *l = (large){r, *ask, c, lsn, began};
    arka_http_detach(r);
    if (arka_workers_submit(r->server->workers, put_large, l, NULL) != ARKA_OK)
        put_large(l); /* they are busy: here, then */
    return true;
}

bool arka_query_answer_cached(arka_request *r, const arka_query_ask *ask, arka_priority priority,
                              arka_handled *how)
{
    arka_query_options options = ask->options;
    arka_mono began = arka_mono_now();
    uint64_t lsn;
    if (!arka_query_rows_are_there(r))
        return false;
    options.visibility = arka_access_visibility(r);
    arka_cached_result *c = find(r, &options, &lsn);
    arka_access_visibility_release(&options.visibility);
    bool answered = c != NULL && tell(r, ask, priority, c, lsn);
    *how = ARKA_ANSWERED;
    if (answered && c->n_bytes > AT_ONCE && hand_over(r, ask, c, lsn, began)) {
        *how = ARKA_DETACHED;
        return true;
    }
    if (answered)
        put_answer(r, ask, c, lsn, began);
    arka_cached_result_unref(c);
    return answered;
}

/* ---- kept ---- */

static void put(arka_query_job *q, arka_slice whole, size_t end_at, int n_columns)
{
    arka_result_key key = key_of(&q->ask.options);
    arka_cached_result about = {
        .end_at = end_at,
        .n_rows = q->n_rows,
        .n_columns = n_columns,
        .snapshot_lsn = q->lsn,
        .execution_ms = arka_query_ms(q->query),
        .made_us = arka_wall_us(),
    };
    arka_result_cache_put(q->server->result_cache, &key, q->digest, whole, &about);
}

void arka_query_remember(arka_query_job *q, arka_slice whole, size_t end_at, int n_columns)
{
    if (q->remember && q->has_digest)
        put(q, whole, end_at, n_columns);
}

void arka_query_let_go_kept(arka_query_job *q)
{
    arka_buf_fini(&q->kept);
    if (q->kept_room > 0)
        arka_result_cache_give_room_back(q->server->result_cache, q->kept_room);
    q->kept_room = 0;
}

/* All that is being kept together stays within what the cache may have. */
static bool grow_kept(arka_query_job *q, size_t n)
{
    enum { FIRST = 512 << 10 };
    size_t need = q->kept.len + n, cap = q->kept.cap * 2;
    if ((int64_t)need > arka_result_cache_max_result_bytes(q->server->result_cache))
        return false;
    if (need <= q->kept.cap)
        return true;
    cap = cap < FIRST ? FIRST : cap;
    cap = cap < need ? need : cap;
    int64_t more = (int64_t)(cap - q->kept.cap);
    if (!arka_result_cache_take_room(q->server->result_cache, more))
        return false;
    q->kept_room += more;
    return arka_buf_grow_to(&q->kept, cap);
}

void arka_query_note_piece(arka_query_job *q, arka_slice piece, bool done)
{
    if (!q->remember || !q->has_digest)
        return;
    if (!grow_kept(q, piece.len)) {
        q->remember = false;
        arka_query_let_go_kept(q);
        return;
    }
    arka_buf_append(&q->kept, piece.data, piece.len);
    if (done)
        put(q, (arka_slice){q->kept.data, q->kept.len}, arka_query_end_at(q->query),
            arka_query_n_columns(q->query));
}
