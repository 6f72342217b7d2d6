/* A write's way through the engine, and its answer. */
#include <stdlib.h>
#include <strings.h>

#include "server/access/access.h"
#include "server/http/http.h"
#include "server/server_priv.h"
#include "server/write/write.h"

static const char *const DURABILITIES[] = {
    [ARKA_DURABILITY_SYNCED] = "synced",
    [ARKA_DURABILITY_WRITTEN] = "written",
    [ARKA_DURABILITY_MEMORY] = "memory",
};

arka_status arka_store_new(atomic_int_least64_t *rows_of, arka_store **out, arka_error *err)
{
    *out = arka_calloc(1, sizeof **out);
    if (*out == NULL)
        return arka_fail_nomem(err, "a write", sizeof **out);
    (*out)->rows_of = rows_of;
    return ARKA_OK;
}

static void drop_inflated(arka_store *s)
{
    arka_buf_fini(&s->inflated);
    if (s->http != NULL)
        arka_http_charge_body(s->http, -s->charged);
    s->http = NULL;
}

void arka_store_free(arka_store *s)
{
    if (s == NULL)
        return;
    arka_request_fini(&s->put);
    arka_writes_fini(&s->writes);
    drop_inflated(s);
    arka_buf_fini(&s->answer);
    arka_free(s);
}

/* ---- what is asked ---- */

static arka_status read_durability(const arka_request *r, arka_durability *out, arka_error *err)
{
    arka_slice text = arka_request_header(r, "x-arc-durability");
    *out = ARKA_DURABILITY_SYNCED;
    if (text.len == 0)
        return ARKA_OK;
    for (size_t i = 0; i < sizeof DURABILITIES / sizeof *DURABILITIES; i++)
        if (text.len == strlen(DURABILITIES[i]) &&
            strncasecmp(text.data, DURABILITIES[i], text.len) == 0) {
            *out = (arka_durability)i;
            return ARKA_OK;
        }
    return arka_fail(err, ARKA_INPUT, "x-arc-durability '%.*s' is not synced, written or memory",
                     text.len > 20 ? 20 : (int)text.len, text.data);
}

/*
 * Keys belong to a database. A token that reaches only some of its tables has keys of its own, or
 * it would learn by one of another's what that one wrote.
 */
static arka_status own_key(arka_request *r, arka_slice key, arka_slice *out, arka_error *err)
{
    *out = key;
    if (arka_access_everything(r))
        return ARKA_OK;
    const char *own = arka_arena_printf(&r->arena, "token %lld: %.*s",
                                        (long long)r->identity->token_id, ARKA_FMT(key));
    if (own == NULL)
        return arka_fail_nomem(err, "an idempotency key", key.len);
    *out = arka_slice_of(own);
    if (out->len > ARKA_MAX_KEY)
        return arka_fail(err, ARKA_INPUT,
                         "the idempotency key has %zu bytes: of a token with a scope at most %zu "
                         "are allowed",
                         key.len, ARKA_MAX_KEY - (out->len - key.len));
    return ARKA_OK;
}

static arka_status read_key(arka_request *r, arka_slice *out, arka_error *err)
{
    static const char *const HEADERS[] = {"Idempotency-Key", "x-arc-batch-id"};
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) {
        if (!arka_request_has_header(r, HEADERS[i]))
            continue;
        arka_slice key = arka_request_header(r, HEADERS[i]);
        ARKA_TRY(arka_key_check(key, err));
        return own_key(r, key, out, err);
    }
    return ARKA_OK;
}

/* ---- prepare ---- */

/* Batches that the engine refused become rejects. */
static void sort_out(arka_store *s)
{
    arka_writes *writes = &s->writes;
    const arka_put_request *put = &s->put;
    /* lines and row maps of one measurement share a batch, so a batch may stand for many of them */
    bool shared = writes->n_members - writes->n_rejected > (int64_t)put->n_batches;
    for (size_t i = 0; i < put->n_batches; i++) {
        const arka_put_batch *b = &put->batches[i];
        if (b->status == ARKA_OK) {
            s->n_rows += b->batch->n_rows;
            continue;
        }
        if (s->first.code == ARKA_OK)
            s->first = b->error;
        arka_writes_reject(writes, writes->writes.items[i].member, b->measurement, b->error.msg, "",
                           0);
        writes->n_rejected += shared ? b->batch->n_rows - 1 : 0;
    }
}

/*
 * One measurement outside of the token's scope refuses the whole request: who sends it is set up
 * wrongly, and must see it before half of its data is there.
 */
static arka_status check_scope(const arka_request *r, const arka_store *s, arka_slice database,
                               arka_error *err)
{
    for (size_t i = 0; i < s->writes.writes.n; i++)
        ARKA_TRY(arka_access_need_table(r, database, s->writes.writes.items[i].measurement, err));
    return ARKA_OK;
}

arka_status arka_store_prepare(arka_request *r, arka_store *s, arka_slice database, bool atomic,
                               arka_error *err)
{
    size_t n = s->writes.writes.n;
    arka_put_request *put = &s->put;
    *put = (arka_put_request){
        .database = database, .batches = s->few, .n_batches = n, .atomic = atomic};
    if (!arka_access_everything(r))
        ARKA_TRY(check_scope(r, s, database, err));
    ARKA_TRY(read_durability(r, &put->durability, err));
    ARKA_TRY(read_key(r, &put->key, err));
    if (n > ARKA_STORE_BATCHES)
        put->batches = arka_arena_alloc(&s->writes.arena, n * sizeof *put->batches);
    if (put->batches == NULL)
        return arka_fail_nomem(err, "a write", n * sizeof *put->batches);
    for (size_t i = 0; i < n; i++) {
        put->batches[i].measurement = s->writes.writes.items[i].measurement;
        put->batches[i].batch = s->writes.writes.items[i].batch;
    }
    ARKA_TRY(arka_request_prepare(r->server->engine, put, err));
    if (!put->repeated)
        sort_out(s);
    return ARKA_OK;
}

/* ---- the answer that is kept with a key: "STATUS REJECTED MESSAGE" ---- */

static void keep_answer(arka_request *r, arka_store *s)
{
    arka_buf_printf(&s->answer, "%d %lld %s", r->answer.status, (long long)s->writes.n_rejected,
                    s->message ? s->message : "");
    if (!s->answer.failed)
        s->put.answer = (arka_slice){s->answer.data, s->answer.len};
}

/* What the rows have got, which the server's settings may keep below what was asked for. */
static arka_durability attained(const arka_request *r, arka_durability asked)
{
    if (arka_engine_wal(r->server->engine) == NULL)
        return ARKA_DURABILITY_MEMORY;
    bool async = strcmp(r->server->settings->wal_sync_mode, "async") == 0;
    return async && asked == ARKA_DURABILITY_SYNCED ? ARKA_DURABILITY_WRITTEN : asked;
}

static void put_lsn(arka_request *r, const arka_put_request *put)
{
    arka_answer_header(r, "X-Arc-LSN", "%llu", (unsigned long long)put->lsn);
    arka_answer_header(r, "X-Arc-Durability", "%s", DURABILITIES[attained(r, put->durability)]);
}

static void answer_again(arka_request *r, const arka_store *s)
{
    const char *text = s->put.first_answer ? s->put.first_answer : "";
    char *end;
    long status = strtol(text, &end, 10);
    long long rejected = strtoll(end, &end, 10);
    if (status >= 400)
        arka_answer_error(r, (int)status, "invalid", "%s", *end == ' ' ? end + 1 : end);
    else
        arka_answer_empty(r);
    if (rejected > 0 && status < 400)
        arka_answer_header(r, "X-Arc-Rejected", "%lld", rejected);
    arka_answer_header(r, "X-Arc-Repeated", "true");
    put_lsn(r, &s->put);
}

/* ---- commit ---- */

static void give_back(void *context)
{
    arka_http_give_back(context);
}

static void nothing(void *context)
{
    (void)context;
}

/* On the HTTP thread, or where the handler runs: the write has ended. */
static void finish(arka_request *r)
{
    ARKA_AUTO(arka_store) s = r->resume_context;
    r->resume = NULL;
    r->resume_context = NULL;
    if (s->put.status != ARKA_OK) {
        arka_answer_fail(r, &s->put.error);
        return;
    }
    arka_count(&r->server->counters.rows_written, s->n_rows);
    arka_count(s->rows_of, s->n_rows);
    put_lsn(r, &s->put);
}

arka_handled arka_store_commit(arka_request *r, arka_store *take_store)
{
    arka_store *s = take_store;
    arka_engine *engine = r->server->engine;
    if (s->put.repeated)
        answer_again(r, s);
    if (s->put.n_fitting == 0) {
        arka_store_free(s);
        return ARKA_ANSWERED;
    }
    if (s->put.key.len > 0)
        keep_answer(r, s);
    r->resume = finish;
    r->resume_context = s;
    if (arka_request_is_immediate(engine, &s->put)) {
        s->put.done = nothing;
        arka_request_commit(engine, &s->put);
        finish(r);
        return ARKA_ANSWERED;
    }
    s->put.done = give_back;
    s->put.context = r;
    drop_inflated(s); /* the rows are in their batches, and the log may take its time */
    arka_http_detach(r);
    arka_request_commit(engine, &s->put);
    return ARKA_DETACHED;
}
