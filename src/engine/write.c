/* The way of a request: admission on the caller's thread, the answer from wherever it was stored.
 */
#include "base/crc32c.h"
#include "engine/commit.h"
#include "engine/group.h"

/* The status of a batch whose fate is not known yet; none is left with it. */
static const arka_status UNDECIDED = ARKA_UNSURE;

/* ---- memory ---- */

/* Refused: wait for memory, if that is wanted, with everything else done. */
static arka_status wait_for_memory(arka_engine *engine, arka_put_request *r, arka_error *err)
{
    arka_engine__want_flush(engine);
    if (engine->options.block_timeout_ms <= 0) {
        ARKA_COUNT(engine, writes_refused, 1);
        return ARKA_BUSY; /* *err says it */
    }
    r->deadline = arka_mono_after_ms(engine->options.block_timeout_ms);
    *err = (arka_error){0};
    return ARKA_OK;
}

/* Nobody passes those who wait already. */
static arka_status take_memory(arka_engine *engine, arka_put_request *r, arka_error *err)
{
    int64_t n_bytes = 0, delay_ns, timeout_ms = engine->options.block_timeout_ms;
    for (size_t i = 0; i < r->n_batches; i++)
        n_bytes += (int64_t)r->batches[i].batch->memory_bytes;
    r->n_bytes = n_bytes;
    if ((timeout_ms > 0 && arka_engine__has_blocked(engine)) ||
        arka_gate_take(&engine->gate, n_bytes, &delay_ns, err) != ARKA_OK)
        return wait_for_memory(engine, r, err);
    r->holds_memory = true;
    if (delay_ns > 0)
        r->not_before = (arka_mono){arka_mono_now().ns + delay_ns};
    return ARKA_OK;
}

/* What was taken for a batch becomes what it needs: nothing, or the size that a cast gave it. */
static void settle_memory(arka_engine *engine, arka_put_request *r, size_t i)
{
    const arka_pending_batch *p = &r->pending[i];
    int64_t need = p->table ? (int64_t)p->admitted.batch->memory_bytes : 0;
    int64_t grown = need - (int64_t)r->batches[i].batch->memory_bytes;
    r->n_bytes += grown;
    if (grown != 0 && r->holds_memory)
        arka_gate_adjust(&engine->gate, grown);
}

bool arka_engine__refuses(arka_engine *engine, arka_error *err)
{
    return arka_engine__disk_refuses(engine, err) || arka_engine__log_refuses(engine, err);
}

bool arka_engine_refuse_write(arka_engine *engine, arka_error *err)
{
    bool refused = arka_engine__refuses(engine, err);
    if (!refused && engine->options.block_timeout_ms <= 0 &&
        arka_gate_refuses(&engine->gate, err)) {
        arka_engine__want_flush(engine);
        refused = true;
    }
    if (refused)
        ARKA_COUNT(engine, writes_refused, 1);
    return refused;
}

/* ---- keys ---- */

arka_status arka_key_check(arka_slice key, arka_error *err)
{
    if (key.len == 0)
        return arka_fail(err, ARKA_INPUT, "the idempotency key is empty");
    if (key.len > ARKA_MAX_KEY)
        return arka_fail(err, ARKA_INPUT,
                         "the idempotency key has %zu bytes: at most %d are allowed", key.len,
                         ARKA_MAX_KEY);
    for (size_t i = 0; i < key.len; i++)
        if ((unsigned char)key.data[i] < 0x20 || (unsigned char)key.data[i] > 0x7e)
            return arka_fail(
                err, ARKA_INPUT,
                "the idempotency key has a byte %02x at %zu: printable ASCII is allowed",
                (unsigned char)key.data[i], i);
    return ARKA_OK;
}

static arka_status claim_key(arka_engine *engine, arka_put_request *r, arka_error *err)
{
    arka_claim claim;
    ARKA_TRY(arka_key_check(r->key, err));
    ARKA_TRY(arka_requests_claim(engine->requests, r->database, r->key, arka_wall_us(), &claim,
                                 &r->lsn, &r->first_answer, err));
    if (claim == ARKA_CLAIM_PENDING)
        return arka_fail(err, ARKA_BUSY, "a request with the same idempotency key is being stored");
    r->repeated = claim == ARKA_CLAIM_STORED;
    r->holds_key = !r->repeated;
    if (r->repeated)
        ARKA_COUNT(engine, requests_repeated, 1);
    return ARKA_OK;
}

/* ---- fit ---- */

/*
 * Admit, and where the table does not fit make it so. The schema may change again in between
 * (another request's new column), so this is a loop; each turn adds what this batch needs and
 * columns never go, so it ends.
 */
arka_status arka_engine__admit(arka_engine *engine, arka_database *database, arka_slice measurement,
                               arka_batch *given, arka_slice uuid, arka_table **out_table,
                               arka_admitted *out, arka_error *err)
{
    ARKA_AUTO(arka_batch) batch = arka_batch_ref(given);
    arka_table *table = arka_registry_table(engine->registry, database, measurement);
    for (;;) {
        bool fits = false;
        if (table != NULL)
            ARKA_TRY(arka_table_admit(table, batch, out, &fits, err));
        if (fits) {
            *out_table = table;
            return ARKA_OK;
        }
        arka_batch *fitting = NULL;
        ARKA_TRY(arka_engine__make_fit(engine, database, measurement, batch, uuid, &table, &fitting,
                                       err));
        arka_batch_unref(batch);
        batch = fitting;
    }
}

static arka_status admit(arka_engine *engine, arka_database *database, const arka_put_batch *b,
                         arka_pending_batch *out, arka_error *err)
{
    ARKA_TRY(arka_engine__admit(engine, database, b->measurement, b->batch, (arka_slice){0},
                                &out->table, &out->admitted, err));
    out->n_rows = out->admitted.batch->n_rows;
    /* A small batch is likely to be put together with others, and is reckoned then. */
    if (engine->wal != NULL && !arka_admitted_is_small(&out->admitted)) {
        out->crc = arka_crc32c(out->admitted.batch->body, out->admitted.batch->body_bytes);
        out->has_crc = true;
    }
    return ARKA_OK;
}

/* Would it fit? Changes nothing: for requests that are all or nothing. */
static arka_status try_fit(arka_engine *engine, arka_slice database, const arka_put_batch *b,
                           arka_error *err)
{
    arka_database *db = arka_registry_database(engine->registry, database);
    arka_table *table = db ? arka_registry_table(engine->registry, db, b->measurement) : NULL;
    ARKA_AUTO(arka_schema) schema = table ? arka_table_schema(table) : NULL;
    arka_type *casts = arka_malloc((size_t)b->batch->n_columns * sizeof *casts);
    if (casts == NULL)
        return arka_fail_nomem(err, "a cast", (size_t)b->batch->n_columns * sizeof *casts);
    ARKA_AUTO(arka_schema) next = NULL;
    int n_casts;
    arka_status status = arka_schema_fit(schema, b->batch, &next, casts, &n_casts, err);
    arka_free(casts);
    return status;
}

static bool is_misfit(arka_status status)
{
    return status == ARKA_INPUT || status == ARKA_LIMIT;
}

/* A batch's own fault stays with the batch, unless all stand or fall together. */
static arka_status admit_all(arka_engine *engine, arka_database *db, arka_put_request *r,
                             arka_error *err)
{
    for (size_t i = 0; i < r->n_batches; i++) {
        arka_put_batch *b = &r->batches[i];
        b->status = admit(engine, db, b, &r->pending[i], &b->error);
        if (b->status == ARKA_OK)
            r->n_fitting++;
        else if (r->atomic || !is_misfit(b->status)) {
            *err = b->error;
            return b->status;
        }
        settle_memory(engine, r, i);
    }
    return ARKA_OK;
}

/* ---- prepare ---- */

static arka_status prepare(arka_engine *engine, arka_put_request *r, arka_error *err)
{
    arka_database *db;
    if (atomic_load(&engine->closing))
        return arka_fail(err, ARKA_BUSY, "the server is stopping");
    if (r->key.len > 0)
        ARKA_TRY(claim_key(engine, r, err));
    if (r->repeated)
        return ARKA_OK;
    if (arka_engine__refuses(engine, err))
        return ARKA_BUSY;
    ARKA_TRY(take_memory(engine, r, err));
    r->pending = arka_calloc(r->n_batches, sizeof *r->pending);
    if (r->pending == NULL)
        return arka_fail_nomem(err, "a write", r->n_batches * sizeof *r->pending);
    for (size_t i = 0; r->atomic && i < r->n_batches; i++)
        ARKA_TRY(try_fit(engine, r->database, &r->batches[i], err));
    ARKA_TRY(arka_engine__database(engine, r->database, &db, err));
    return admit_all(engine, db, r, err);
}

/* Everything that it holds of the engine goes back. The engine may be gone afterwards. */
static void let_go(arka_engine *engine, arka_put_request *r)
{
    if (r->holds_memory)
        arka_gate_adjust(&engine->gate, -r->n_bytes);
    r->holds_memory = false;
    if (r->holds_key)
        arka_requests_release(engine->requests, r->database, r->key);
    r->holds_key = false;
    for (size_t i = 0; r->pending != NULL && i < r->n_batches; i++)
        arka_admitted_fini(&r->pending[i].admitted);
    arka_free(arka_take(r->pending));
    if (r->is_inside)
        arka_engine__writer_leaves(engine);
    r->is_inside = false;
}

static void begin_request(arka_put_request *r)
{
    r->n_fitting = 0;
    r->repeated = r->holds_memory = r->holds_key = false;
    r->first_answer = NULL;
    r->status = ARKA_OK;
    r->error = (arka_error){0};
    r->lsn = 0;
    r->pending = NULL;
    r->not_before = r->deadline = (arka_mono){0};
    r->n_bytes = 0;
    for (size_t i = 0; i < r->n_batches; i++) {
        r->batches[i].status = UNDECIDED;
        r->batches[i].error.code = ARKA_OK;
    }
}

/* Those that were thought stored, or were not looked at, share the request's fate. */
static void fail_batches(arka_put_request *r, const arka_error *why)
{
    for (size_t i = 0; i < r->n_batches; i++)
        if (r->batches[i].status == UNDECIDED || r->batches[i].status == ARKA_OK) {
            r->batches[i].status = why->code;
            r->batches[i].error = *why;
        }
}

/* The manifest met a full disk: that passes, so it is the same as a log that takes nothing. */
static arka_status full_is_busy(arka_engine *engine, arka_put_request *r, arka_status status,
                                arka_error *why)
{
    if (status != ARKA_IO || !arka_disk_is_full(why))
        return status;
    arka_engine__io_failed(engine, why);
    why->code = ARKA_BUSY;
    for (size_t i = 0; i < r->n_batches; i++)
        if (r->batches[i].status == ARKA_IO)
            r->batches[i].status = r->batches[i].error.code = ARKA_BUSY;
    return ARKA_BUSY;
}

arka_status arka_request_prepare(arka_engine *engine, arka_put_request *request, arka_error *err)
{
    arka_error own = {0};
    begin_request(request);
    if (request->n_batches == 0)
        return ARKA_OK;
    arka_engine__writer_enters(engine);
    request->is_inside = true;
    arka_status status = full_is_busy(engine, request, prepare(engine, request, &own), &own);
    if (status != ARKA_OK) {
        fail_batches(request, &own);
        if (err != NULL && err->code == ARKA_OK)
            *err = own;
    }
    if (status != ARKA_OK || request->n_fitting == 0)
        let_go(engine, request);
    return status;
}

void arka_request_abandon(arka_engine *engine, arka_put_request *request)
{
    let_go(engine, request);
}

void arka_request_fini(arka_put_request *request)
{
    arka_free(arka_take(request->first_answer));
}

/* ---- commit ---- */

bool arka_request_is_immediate(arka_engine *engine, const arka_put_request *request)
{
    return engine->wal == NULL && request->not_before.ns == 0 && request->deadline.ns == 0;
}

void arka_engine__answer(arka_engine *engine, arka_put_request *r, const arka_error *why)
{
    void (*done)(void *context) = r->done;
    void *context = r->context;
    if (why != NULL) {
        r->status = why->code;
        r->error = *why;
        r->lsn = 0;
        fail_batches(r, why);
    } else if (r->holds_key) {
        arka_requests_store(engine->requests, r->database, r->key, r->lsn, r->answer,
                            arka_wall_us());
        r->holds_key = false;
    }
    ARKA_COUNT(engine, commit_requests, 1);
    let_go(engine, r);
    done(context); /* the request may be gone */
}

void arka_request_commit(arka_engine *engine, arka_put_request *request)
{
    ARKA_DCHECK(request->n_fitting > 0 && request->is_inside);
    if (arka_request_is_immediate(engine, request)) {
        arka_engine__publish_now(engine, request);
        arka_engine__answer(engine, request, NULL);
    } else {
        arka_engine__queue(engine, request);
    }
}

/* ---- and wait ---- */

typedef struct waiting {
    arka_mutex lock; /* LEAF */
    arka_cond done;
    bool is_done;
} waiting;

static void note_done(void *context)
{
    waiting *w = context;
    arka_mutex_lock(&w->lock);
    w->is_done = true;
    arka_cond_signal(&w->done);
    arka_mutex_unlock(&w->lock);
}

static void commit_and_wait(arka_engine *engine, arka_put_request *r)
{
    waiting w = {.is_done = false};
    arka_mutex_init(&w.lock, ARKA_LOCK_LEAF);
    arka_cond_init(&w.done);
    r->done = note_done;
    r->context = &w;
    arka_request_commit(engine, r);
    arka_mutex_lock(&w.lock);
    while (!w.is_done)
        arka_cond_wait(&w.done, &w.lock, arka_mono_after_ms(1000));
    arka_mutex_unlock(&w.lock);
    arka_cond_fini(&w.done);
    arka_mutex_fini(&w.lock);
}

arka_status arka_engine_write(arka_engine *engine, arka_slice database, arka_put_batch *batches,
                              size_t n_batches, bool atomic, arka_error *err)
{
    arka_put_request r = {
        .database = database, .batches = batches, .n_batches = n_batches, .atomic = atomic};
    ARKA_TRY(arka_request_prepare(engine, &r, err));
    if (r.n_fitting == 0)
        return ARKA_OK;
    commit_and_wait(engine, &r);
    if (r.status != ARKA_OK && err != NULL && err->code == ARKA_OK)
        *err = r.error;
    return r.status;
}
