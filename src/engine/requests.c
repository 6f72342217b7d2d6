#include "engine/requests.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "columnar/batch.h"
#include "engine/request_text.h"
#include "os/thread.h"

enum {
    EXPIRE_AT_ONCE = 64,    /* by a claim: others wait meanwhile */
    KEEP_AT_ONCE = 4096,    /* requests, in one transaction of the manifest */
    DROP_EVERY_S = 60,      /* old ones from the manifest */
    ENTRY_OVERHEAD = 2 * 64 /* of the map and the allocator, for one request */
};

/* The lists that a stored request is in. */
enum list {
    BY_TIME, /* all, ascending by `stored_us`: the first are forgotten first */
    UNKEPT,  /* those that only the log keeps, ascending by LSN */
    N_LISTS
};

typedef struct entry {
    struct entry *before[N_LISTS], *after[N_LISTS];
    uint64_t lsn; /* 0: it is on its way, and in no list */
    int64_t stored_us;
    char *answer; /* NUL-terminated; on the way: room for the longest */
    uint16_t answer_len, id_len, database_len;
    bool unkept;
    char id[]; /* folded database, NUL, key */
} entry;

struct arka_requests {
    arka_mutex lock; /* REQUESTS */
    int64_t window_us;
    int64_t
        clock_us; /* the latest that we were told: going back it would forget too late or never */
    int64_t dropped_us; /* when old ones were dropped from the manifest; INT64_MIN: not yet */
    int64_t n_stored, n_bytes;
    arka_map entries; /* of entry */
    entry *first[N_LISTS], *last[N_LISTS];
};

/* ---- identity ---- */

typedef struct identity {
    char text[ARKA_MAX_REQUEST_DATABASE + 1 + ARKA_MAX_KEY];
    size_t len;
} identity;

/* False: no request can have it. */
static bool identify(identity *id, arka_slice database, arka_slice key)
{
    if (database.len == 0 || database.len > ARKA_MAX_REQUEST_DATABASE || key.len == 0 ||
        key.len > ARKA_MAX_KEY)
        return false;
    arka_name_fold(database, id->text);
    id->text[database.len] = 0;
    memcpy(id->text + database.len + 1, key.data, key.len);
    id->len = database.len + 1 + key.len;
    return true;
}

static entry *find(const arka_requests *r, const identity *id)
{
    return arka_map_get(&r->entries, (arka_slice){id->text, id->len});
}

static arka_slice database_of(const entry *e)
{
    return (arka_slice){e->id, e->database_len};
}

static arka_slice key_of(const entry *e)
{
    return (arka_slice){e->id + e->database_len + 1, e->id_len - e->database_len - 1};
}

/* ---- lists ---- */

static void link_behind(arka_requests *r, enum list list, entry *before, entry *e)
{
    entry *after = before ? before->after[list] : r->first[list];
    e->before[list] = before;
    e->after[list] = after;
    *(before ? &before->after[list] : &r->first[list]) = e;
    *(after ? &after->before[list] : &r->last[list]) = e;
}

static void unlink_from(arka_requests *r, enum list list, entry *e)
{
    entry *before = e->before[list], *after = e->after[list];
    *(before ? &before->after[list] : &r->first[list]) = after;
    *(after ? &after->before[list] : &r->last[list]) = before;
}

static void set_kept(arka_requests *r, entry *e)
{
    if (e->unkept)
        unlink_from(r, UNKEPT, e);
    e->unkept = false;
}

static int64_t cost_of(const entry *e)
{
    return (int64_t)(sizeof *e + ENTRY_OVERHEAD + 2 * e->id_len + e->answer_len);
}

static void forget(arka_requests *r, entry *e)
{
    if (e->lsn != 0) {
        unlink_from(r, BY_TIME, e);
        set_kept(r, e);
        r->n_stored--;
        r->n_bytes -= cost_of(e);
    }
    arka_map_remove(&r->entries, (arka_slice){e->id, e->id_len});
    arka_free(e->answer);
    arka_free(e);
}

/* It is in the map and in no list. Times never go down along the list, whatever the clock did. */
static void become_stored(arka_requests *r, entry *e, uint64_t lsn, int64_t stored_us, bool kept)
{
    entry *last = r->last[BY_TIME];
    e->lsn = lsn;
    e->stored_us = last != NULL && last->stored_us > stored_us ? last->stored_us : stored_us;
    link_behind(r, BY_TIME, last, e);
    e->unkept = !kept;
    if (!kept) { /* requests of one group come in an order of their own */
        entry *below = r->last[UNKEPT];
        while (below != NULL && below->lsn > lsn)
            below = below->before[UNKEPT];
        link_behind(r, UNKEPT, below, e);
    }
    r->n_stored++;
    r->n_bytes += cost_of(e);
    while (r->n_stored > ARKA_MAX_REQUESTS || r->n_bytes > ARKA_MAX_REQUESTS_BYTES)
        forget(r, r->first[BY_TIME]);
}

/* A new one in the map. NULL when out of memory. */
static entry *add(arka_requests *r, const identity *id, size_t database_len, size_t answer_bytes)
{
    entry *e = arka_calloc(1, sizeof *e + id->len);
    if (e == NULL)
        return NULL;
    memcpy(e->id, id->text, id->len);
    e->id_len = (uint16_t)id->len;
    e->database_len = (uint16_t)database_len;
    e->answer = arka_malloc(answer_bytes + 1);
    if (e->answer == NULL || !arka_map_put(&r->entries, (arka_slice){e->id, e->id_len}, e)) {
        arka_free(e->answer);
        arka_free(e);
        return NULL;
    }
    return e;
}

static void set_answer(entry *e, arka_slice answer)
{
    if (answer.len > 0)
        memcpy(e->answer, answer.data, answer.len);
    e->answer[answer.len] = 0;
    e->answer_len = (uint16_t)answer.len;
}

/* ---- time ---- */

static void note_time(arka_requests *r, int64_t now_us)
{
    if (now_us > r->clock_us)
        r->clock_us = now_us;
}

/* Neither is negative, so this cannot overflow. */
static bool is_over(const arka_requests *r, int64_t stored_us)
{
    return r->clock_us - stored_us >= r->window_us;
}

/* Up to `most` of those whose window is over; false: there may be more. */
static bool expire(arka_requests *r, int most)
{
    for (int i = 0; i < most; i++) {
        entry *oldest = r->first[BY_TIME];
        if (oldest == NULL || !is_over(r, oldest->stored_us))
            return true;
        forget(r, oldest);
    }
    return false;
}

/* ---- the face ---- */

arka_status arka_requests_new(int64_t window_ms, arka_requests **out, arka_error *err)
{
    arka_requests *r = arka_calloc(1, sizeof *r);
    if (r == NULL)
        return arka_fail_nomem(err, "idempotency keys", sizeof *r);
    arka_mutex_init(&r->lock, ARKA_LOCK_REQUESTS);
    r->window_us = window_ms > INT64_MAX / 1000 ? INT64_MAX : window_ms * 1000;
    r->dropped_us = INT64_MIN;
    *out = r;
    return ARKA_OK;
}

void arka_requests_free(arka_requests *r)
{
    if (r == NULL)
        return;
    size_t at = 0;
    for (const arka_map_entry *m; (m = arka_map_next(&r->entries, &at)) != NULL;) {
        entry *e = m->value;
        arka_free(e->answer);
        arka_free(e);
    }
    arka_map_fini(&r->entries);
    arka_mutex_fini(&r->lock);
    arka_free(r);
}

static arka_status claim_locked(arka_requests *r, const identity *id, size_t database_len,
                                arka_claim *out, uint64_t *lsn, char **answer, arka_error *err)
{
    entry *e = find(r, id);
    if (e != NULL && e->lsn != 0 && is_over(r, e->stored_us)) {
        forget(r, e);
        e = NULL;
    }
    if (e == NULL) {
        if (add(r, id, database_len, ARKA_MAX_ANSWER) == NULL)
            return arka_fail_nomem(err, "an idempotency key", sizeof *e + id->len);
        *out = ARKA_CLAIM_NEW;
    } else if (e->lsn == 0) {
        *out = ARKA_CLAIM_PENDING;
    } else {
        *answer = arka_strndup(e->answer, e->answer_len);
        if (*answer == NULL)
            return arka_fail_nomem(err, "the answer to a repeated request", e->answer_len);
        *lsn = e->lsn;
        *out = ARKA_CLAIM_STORED;
    }
    return ARKA_OK;
}

arka_status arka_requests_claim(arka_requests *r, arka_slice database, arka_slice key,
                                int64_t now_us, arka_claim *out, uint64_t *lsn, char **answer,
                                arka_error *err)
{
    identity id;
    if (!identify(&id, database, key))
        return arka_fail(err, ARKA_INPUT,
                         "a database name of %zu bytes and an idempotency key of %zu: each must "
                         "have 1 to 255",
                         database.len, key.len);
    arka_mutex_lock(&r->lock);
    note_time(r, now_us);
    expire(r, EXPIRE_AT_ONCE);
    arka_status status = claim_locked(r, &id, database.len, out, lsn, answer, err);
    arka_mutex_unlock(&r->lock);
    return status;
}

/* The caller's own, by a claim. */
static entry *find_claimed(const arka_requests *r, arka_slice database, arka_slice key)
{
    identity id;
    entry *e = identify(&id, database, key) ? find(r, &id) : NULL;
    ARKA_CHECK(e != NULL && e->lsn == 0, "a key that nobody claimed");
    return e;
}

void arka_requests_store(arka_requests *r, arka_slice database, arka_slice key, uint64_t lsn,
                         arka_slice answer, int64_t now_us)
{
    ARKA_CHECK(lsn > 0);
    arka_mutex_lock(&r->lock);
    note_time(r, now_us);
    entry *e = find_claimed(r, database, key);
    set_answer(e, arka_request_answer_cut(answer));
    char *shorter = arka_realloc(e->answer, e->answer_len + 1);
    if (shorter != NULL)
        e->answer = shorter;
    become_stored(r, e, lsn, r->clock_us, false);
    arka_mutex_unlock(&r->lock);
}

void arka_requests_release(arka_requests *r, arka_slice database, arka_slice key)
{
    arka_mutex_lock(&r->lock);
    forget(r, find_claimed(r, database, key));
    arka_mutex_unlock(&r->lock);
}

int64_t arka_requests_count(arka_requests *r)
{
    arka_mutex_lock(&r->lock);
    int64_t n = (int64_t)r->entries.n;
    arka_mutex_unlock(&r->lock);
    return n;
}

/* ---- the log's and the manifest's ---- */

void arka_requests_encode(arka_buf *out, arka_slice database, arka_slice key, uint64_t lsn,
                          arka_slice answer)
{
    arka_request_line_write(out, database, key, lsn, answer);
}

/* Of two notes of a key the one with the higher LSN counts: the other one's window had passed. */
static arka_status remember_locked(arka_requests *r, const arka_manifest_request *q, bool kept,
                                   arka_error *err)
{
    identity id;
    int64_t stored_us = q->stored_us < 0 ? 0 : q->stored_us;
    if (r->clock_us > 0 && stored_us > r->clock_us) /* the clock went back since */
        stored_us = r->clock_us;
    if (!identify(&id, q->database, q->key) || is_over(r, stored_us))
        return ARKA_OK;
    entry *e = find(r, &id);
    if (e != NULL && e->lsn == q->lsn && kept)
        set_kept(r, e);
    if (e != NULL && (e->lsn == 0 || e->lsn >= q->lsn))
        return ARKA_OK;
    if (e != NULL)
        forget(r, e);
    arka_slice answer = arka_request_answer_cut(q->answer);
    e = add(r, &id, q->database.len, answer.len);
    if (e == NULL)
        return arka_fail_nomem(err, "an idempotency key", sizeof *e + id.len);
    set_answer(e, answer);
    become_stored(r, e, q->lsn, stored_us, kept);
    return ARKA_OK;
}

arka_status arka_requests_replay(arka_requests *r, arka_slice text, int64_t ts_us, arka_error *err)
{
    arka_request_line line;
    while (text.len > 0) {
        ARKA_TRY(arka_request_line_read(&text, &line, err));
        arka_manifest_request request = {line.database, line.key, line.lsn, ts_us, line.answer};
        arka_mutex_lock(&r->lock);
        arka_status status = remember_locked(r, &request, false, err);
        arka_mutex_unlock(&r->lock);
        ARKA_TRY(status);
    }
    return ARKA_OK;
}

static arka_status load_one(void *context, const arka_manifest_request *request, arka_error *err)
{
    arka_requests *r = context;
    if (request->lsn == 0 || request->lsn > INT64_MAX)
        return arka_fail(err, ARKA_CORRUPT, "a kept request has LSN %llu",
                         (unsigned long long)request->lsn);
    arka_mutex_lock(&r->lock);
    arka_status status = remember_locked(r, request, true, err);
    arka_mutex_unlock(&r->lock);
    return status;
}

arka_status arka_requests_load(arka_requests *r, arka_manifest *manifest, int64_t now_us,
                               arka_error *err)
{
    arka_mutex_lock(&r->lock);
    note_time(r, now_us);
    for (entry *e = r->first[BY_TIME]; e != NULL; e = e->after[BY_TIME])
        if (e->stored_us > r->clock_us) /* replayed before we knew what time it is */
            e->stored_us = r->clock_us;
    arka_mutex_unlock(&r->lock);
    return arka_manifest_each_request(manifest, load_one, r, err);
}

/* ---- keeping ---- */

typedef struct chunk {
    arka_arena arena;
    ARKA_VEC(arka_manifest_request) requests;
} chunk;

static void chunk_fini(chunk *c)
{
    arka_vec_fini(&c->requests);
    arka_arena_fini(&c->arena);
}

static arka_slice copy(chunk *c, arka_slice s)
{
    return (arka_slice){arka_arena_text(&c->arena, s), s.len};
}

/* Copies: the manifest is not written under our lock. */
static arka_status collect_locked(arka_requests *r, uint64_t lsn, chunk *c, arka_error *err)
{
    for (entry *e = r->first[UNKEPT]; e != NULL && e->lsn < lsn; e = e->after[UNKEPT]) {
        if (c->requests.n == KEEP_AT_ONCE)
            break;
        arka_manifest_request request = {copy(c, database_of(e)), copy(c, key_of(e)), e->lsn,
                                         e->stored_us,
                                         copy(c, (arka_slice){e->answer, e->answer_len})};
        if (c->arena.failed || !arka_vec_push(&c->requests, request))
            return arka_fail_nomem(err, "requests to keep", c->arena.total_bytes);
    }
    return ARKA_OK;
}

/* They may be gone, or stored anew, by now. */
static void note_kept_locked(arka_requests *r, const chunk *c)
{
    for (size_t i = 0; i < c->requests.n; i++) {
        const arka_manifest_request *q = &c->requests.items[i];
        identity id;
        entry *e = identify(&id, q->database, q->key) ? find(r, &id) : NULL;
        if (e != NULL && e->lsn == q->lsn)
            set_kept(r, e);
    }
}

static arka_status keep_some(arka_requests *r, arka_manifest *manifest, uint64_t lsn, size_t *out_n,
                             arka_error *err)
{
    chunk c = {ARKA_ARENA_INIT, {0}};
    arka_mutex_lock(&r->lock);
    arka_status status = collect_locked(r, lsn, &c, err);
    arka_mutex_unlock(&r->lock);
    if (status == ARKA_OK && c.requests.n > 0)
        status = arka_manifest_add_requests(manifest, c.requests.items, c.requests.n, err);
    if (status == ARKA_OK) {
        arka_mutex_lock(&r->lock);
        note_kept_locked(r, &c);
        arka_mutex_unlock(&r->lock);
    }
    *out_n = c.requests.n;
    chunk_fini(&c);
    return status;
}

static void expire_all(arka_requests *r, int64_t now_us)
{
    for (bool all = false; !all;) {
        arka_mutex_lock(&r->lock);
        note_time(r, now_us);
        all = expire(r, KEEP_AT_ONCE);
        arka_mutex_unlock(&r->lock);
    }
}

static arka_status drop_old(arka_requests *r, arka_manifest *manifest, arka_error *err)
{
    arka_mutex_lock(&r->lock);
    int64_t now = r->clock_us;
    bool due = r->dropped_us == INT64_MIN || now - r->dropped_us >= DROP_EVERY_S * INT64_C(1000000);
    arka_mutex_unlock(&r->lock);
    if (!due)
        return ARKA_OK;
    ARKA_TRY(arka_manifest_drop_requests(manifest, now - r->window_us, err));
    arka_mutex_lock(&r->lock);
    r->dropped_us = now;
    arka_mutex_unlock(&r->lock);
    return ARKA_OK;
}

arka_status arka_requests_keep(arka_requests *r, arka_manifest *manifest, uint64_t lsn,
                               int64_t now_us, arka_error *err)
{
    size_t n = 0;
    expire_all(r, now_us);
    do
        ARKA_TRY(keep_some(r, manifest, lsn, &n, err));
    while (n == KEEP_AT_ONCE);
    return drop_old(r, manifest, err);
}
