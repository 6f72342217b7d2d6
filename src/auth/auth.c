#include "auth/auth.h"

#include "auth/auth_priv.h"
#include "base/hash.h"

enum {
    LOOK_EVERY_MS = 100,
    KEEP_EVERY_MS = 10000, /* at least */
    /* wrong tokens that may cost a slow comparison at once, and in the long run one part in so many
     * of a processor: from one place, and from all */
    PLACE_BURST = 10,
    PLACE_SHARE = 8,
    ALL_BURST = 40,
    ALL_SHARE = 2,
};

/* ---- identities ---- */

arka_status arka_identity__of_row(const arka_token_row *row, arka_identity **out, arka_error *err)
{
    arka_rights rights;
    arka_priority priority;
    ARKA_AUTO(arka_scope) scope = NULL;
    arka_error why = {0};
    if (arka_rights_parse(row->permissions, &rights, &why) != ARKA_OK ||
        arka_scope_parse(row->scope, &scope, &why) != ARKA_OK ||
        arka_priority_parse(row->max_priority, &priority, &why) != ARKA_OK)
        return arka_fail(err, why.code == ARKA_NOMEM ? ARKA_NOMEM : ARKA_CORRUPT,
                         "the stored token %lld cannot be used: %s", (long long)row->id, why.msg);
    arka_identity *identity = arka_malloc(sizeof *identity);
    char *name = arka_strndup(row->name.data, row->name.len);
    if (identity == NULL || name == NULL) {
        arka_free(identity);
        arka_free(name);
        return arka_fail_nomem(err, "an identity", sizeof *identity);
    }
    *identity = (arka_identity){
        .token_id = row->id,
        .name = name,
        .rights = rights,
        .scope = arka_take(scope),
        .max_priority = priority,
        .expires_us = row->expires_us,
    };
    arka_ref_init(&identity->ref);
    *out = identity;
    return ARKA_OK;
}

/* ---- what fits a token ---- */

typedef struct candidate {
    arka_identity *identity;
    char *hash;
    size_t hash_len;
} candidate;

typedef struct candidates {
    arka_buf list; /* of candidate */
    int64_t now_us;
    arka_slice hash; /* only a row with this one; empty: any */
} candidates;

static candidate *candidate_at(const candidates *c, size_t i)
{
    return (candidate *)(void *)(c->list.data + i * sizeof(candidate));
}

static size_t n_candidates(const candidates *c)
{
    return c->list.len / sizeof(candidate);
}

static void candidates_fini(candidates *c)
{
    for (size_t i = 0; i < n_candidates(c); i++) {
        arka_identity_unref(candidate_at(c, i)->identity);
        arka_free(candidate_at(c, i)->hash);
    }
    arka_buf_fini(&c->list);
}

static arka_status add_candidate(void *context, const arka_token_row *row, arka_error *err)
{
    candidates *c = context;
    bool expired = row->expires_us != 0 && c->now_us >= row->expires_us;
    if (!row->enabled || expired || (c->hash.len > 0 && !arka_slice_eq(c->hash, row->hash)))
        return ARKA_OK;
    candidate one = {NULL, NULL, row->hash.len};
    ARKA_TRY(arka_identity__of_row(row, &one.identity, err));
    one.hash = arka_strndup(row->hash.data, row->hash.len);
    if (one.hash == NULL || arka_buf_reserve(&c->list, sizeof one) == NULL) {
        arka_identity_unref(one.identity);
        arka_free(one.hash);
        return arka_fail_nomem(err, "a token", sizeof one);
    }
    arka_buf_append(&c->list, &one, sizeof one);
    return ARKA_OK;
}

/* ---- proof ---- */

/* One token that is to be proven. */
typedef struct proof {
    arka_slice token;
    unsigned char digest[ARKA_DIGEST];
    arka_mono now;
    int64_t now_us;
    arka_auth_asker asker;
    arka_identity *found;
} proof;

static void accept(arka_auth *auth, proof *p, uint64_t generation, candidate *c)
{
    arka_slice hash = {c->hash, c->hash_len};
    arka_cache_put(auth->cache, p->digest, generation, c->identity, hash, p->now, p->now_us);
    p->found = arka_identity_ref(c->identity);
}

/* Known from before: when the row's hash is still the one that it was compared with, it fits. */
static arka_status prove_by_memory(arka_auth *auth, proof *p, arka_error *err)
{
    ARKA_AUTO_VALUE(arka_buf) hash = ARKA_BUF_INIT;
    candidates c = {.list = ARKA_BUF_INIT, .now_us = p->now_us};
    uint64_t generation = arka_cache_generation(auth->cache);
    int64_t id;
    if (!arka_cache_recall(auth->cache, p->digest, &id, &hash))
        return ARKA_OK;
    c.hash = (arka_slice){hash.data, hash.len};
    arka_mutex_lock(&auth->reader_lock);
    arka_status status = arka_tokens_by_id(auth->reader, id, add_candidate, &c, err);
    arka_mutex_unlock(&auth->reader_lock);
    if (status == ARKA_OK && n_candidates(&c) > 0)
        accept(auth, p, generation, candidate_at(&c, 0));
    else if (status == ARKA_OK)
        arka_cache_drop(auth->cache, p->digest);
    candidates_fini(&c);
    return status;
}

static void refill(arka_allowance *a, int burst, int share, int64_t slow_ns, arka_mono now)
{
    if (a->refilled.ns == 0)
        a->left = burst;
    else if (slow_ns > 0)
        a->left += (double)(now.ns - a->refilled.ns) / (double)(slow_ns * share);
    if (a->left > burst)
        a->left = burst;
    a->refilled = now;
}

/*
 * The place's, if one more may be compared slowly, else NULL. Places that fall together share one,
 * so that whoever has many does not get a new one with each.
 */
static arka_allowance *find_allowance(arka_auth *auth, uint64_t from, arka_mono now)
{
    arka_allowance *place = &auth->places[from % ARKA_PLACES];
    refill(place, PLACE_BURST, PLACE_SHARE, auth->slow_ns, now);
    refill(&auth->all, ALL_BURST, ALL_SHARE, auth->slow_ns, now);
    return place->left >= 1 && auth->all.left >= 1 ? place : NULL;
}

static bool is_known_wrong(const arka_auth *auth, const arka_refusal *refusal)
{
    for (int i = 0; i < ARKA_REFUSALS; i++)
        if (memcmp(&auth->wrong[i], refusal, sizeof *refusal) == 0)
            return true;
    return false;
}

/* Under the lock. Only wrong ones are counted: who has the token costs this once. */
static arka_status compare_slowly(arka_auth *auth, const proof *p, arka_slice hash, bool *same,
                                  arka_error *err)
{
    arka_refusal refusal = {.hash = arka_hash(hash.data, hash.len, 0)};
    memcpy(refusal.digest, p->digest, ARKA_DIGEST);
    if (is_known_wrong(auth, &refusal))
        return ARKA_OK;
    arka_mono began = arka_mono_now();
    arka_allowance *place = find_allowance(auth, p->asker.from, began);
    if (place == NULL)
        return arka_fail(err, ARKA_BUSY, "too many wrong tokens are being tried: try again soon");
    atomic_fetch_add_explicit(&auth->slow_checks, 1, memory_order_relaxed);
    ARKA_TRY(arka_secret_verify(p->token, hash, same, err));
    if (!*same) {
        auth->wrong[auth->n_wrong++ % ARKA_REFUSALS] = refusal;
        place->left--;
        auth->all.left--;
        auth->slow_ns = arka_mono_since_ns(began);
    }
    return ARKA_OK;
}

static arka_status compare(arka_auth *auth, proof *p, uint64_t generation, candidate *c,
                           arka_error *err)
{
    arka_slice hash = {c->hash, c->hash_len};
    bool same = false, slow = arka_secret_is_slow(hash);
    if (slow && !p->asker.may_wait)
        return arka_fail(err, ARKA_LIMIT, "only a slow hash can tell whether it is a token");
    if (!slow) {
        ARKA_TRY(arka_secret_verify(p->token, hash, &same, err));
        if (same)
            accept(auth, p, generation, c);
        return ARKA_OK;
    }
    arka_mutex_lock(&auth->proof_lock);
    /* many come with a token at once: the first one's comparison was for all of them */
    arka_status status =
        arka_cache_find(auth->cache, p->token, p->now, p->now_us, p->digest, &p->found, err);
    if (status == ARKA_OK && p->found == NULL)
        status = compare_slowly(auth, p, hash, &same, err);
    if (status == ARKA_OK && same)
        accept(auth, p, generation, c);
    arka_mutex_unlock(&auth->proof_lock);
    return status;
}

/* Slowly last: a generated token may begin as the digest of a chosen one does, and must not pay. */
static arka_status compare_each(arka_auth *auth, proof *p, uint64_t generation, const candidates *c,
                                arka_error *err)
{
    for (int slow = 0; slow < 2; slow++)
        for (size_t i = 0; i < n_candidates(c) && p->found == NULL; i++) {
            candidate *one = candidate_at(c, i);
            if (arka_secret_is_slow((arka_slice){one->hash, one->hash_len}) == (slow == 1))
                ARKA_TRY(compare(auth, p, generation, one, err));
        }
    return ARKA_OK;
}

static arka_status prove_by_rows(arka_auth *auth, proof *p, arka_error *err)
{
    candidates c = {.list = ARKA_BUF_INIT, .now_us = p->now_us};
    char generated[ARKA_PREFIX_TEXT], chosen[ARKA_PREFIX_TEXT];
    uint64_t generation = arka_cache_generation(auth->cache);
    arka_secret_prefix(p->digest, false, generated);
    arka_secret_prefix(p->digest, true, chosen);
    arka_mutex_lock(&auth->reader_lock);
    arka_status status = arka_tokens_by_prefix(auth->reader, arka_slice_of(generated),
                                               arka_slice_of(chosen), add_candidate, &c, err);
    arka_mutex_unlock(&auth->reader_lock);
    if (status == ARKA_OK)
        status = compare_each(auth, p, generation, &c, err);
    candidates_fini(&c);
    return status;
}

/* ---- checks ---- */

/* Has another process changed a token? At most one thread looks, now and then. */
static void look(arka_auth *auth, arka_mono now)
{
    int64_t due = atomic_load_explicit(&auth->next_look_ns, memory_order_relaxed);
    /* on the path of every request: who is not the first leaves it alone */
    if (ARKA_LIKELY(now.ns < due) ||
        !atomic_compare_exchange_strong_explicit(&auth->next_look_ns, &due,
                                                 now.ns + LOOK_EVERY_MS * INT64_C(1000000),
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    arka_mutex_lock(&auth->reader_lock);
    int64_t version = auth->version;
    /* a store that cannot be read shows when a token has to be looked up: until then they hold */
    ARKA_IGNORE(arka_tokens_version(auth->reader, &version, NULL) != ARKA_OK);
    bool changed = version != auth->version;
    auth->version = version;
    arka_mutex_unlock(&auth->reader_lock);
    if (changed)
        arka_cache_distrust(auth->cache);
}

static arka_status check_tokens(arka_auth *auth, proof *proofs, int n, arka_error *err)
{
    int at = 0;
    for (int i = 0; i < n; i++) {
        proof *p = &proofs[i];
        ARKA_TRY(
            arka_cache_find(auth->cache, p->token, p->now, p->now_us, p->digest, &p->found, err));
        if (p->found != NULL)
            return ARKA_OK;
    }
    for (at = 0; at < n && proofs[at].found == NULL; at++) {
        ARKA_TRY(prove_by_memory(auth, &proofs[at], err));
        if (proofs[at].found == NULL)
            ARKA_TRY(prove_by_rows(auth, &proofs[at], err));
        if (proofs[at].found != NULL)
            return ARKA_OK;
    }
    atomic_fetch_add_explicit(&auth->refusals, 1, memory_order_relaxed);
    return arka_fail(err, ARKA_FORBIDDEN, "the token is not valid");
}

arka_status arka_auth_check(arka_auth *auth, arka_slice first, arka_slice second, int64_t now_us,
                            arka_identity **out, arka_error *err)
{
    static const arka_auth_asker ANYBODY = {.may_wait = true};
    return arka_auth_check_from(auth, &ANYBODY, first, second, now_us, out, err);
}

arka_status arka_auth_check_from(arka_auth *auth, const arka_auth_asker *asker, arka_slice first,
                                 arka_slice second, int64_t now_us, arka_identity **out,
                                 arka_error *err)
{
    arka_mono now = arka_mono_now();
    proof proofs[2];
    int n = second.len > 0 ? 2 : 1;
    *out = NULL;
    for (int i = 0; i < n; i++) {
        proofs[i].token = i == 0 ? first : second;
        proofs[i].now = now;
        proofs[i].now_us = now_us;
        proofs[i].asker = *asker;
        proofs[i].found = NULL;
    }
    look(auth, now);
    arka_status status = check_tokens(auth, proofs, n, err);
    for (int i = 0; i < n; i++)
        if (proofs[i].found != NULL)
            *out = proofs[i].found; /* at most one has it */
    return status;
}

void arka_auth_get_stats(arka_auth *auth, arka_auth_stats *out)
{
    *out = (arka_auth_stats){0};
    arka_cache_get_stats(auth->cache, out);
    out->misses = out->checks - out->hits;
    out->refusals = atomic_load_explicit(&auth->refusals, memory_order_relaxed);
    out->slow_checks = atomic_load_explicit(&auth->slow_checks, memory_order_relaxed);
    out->keeper_runs = auth->keeper_runs;
}

int64_t arka_auth_forget(arka_auth *auth)
{
    return arka_cache_forget(auth->cache);
}

/* ---- the keeper ---- */

arka_status arka_auth__note_uses(arka_auth *auth, arka_error *err)
{
    ARKA_AUTO_VALUE(arka_buf) uses = ARKA_BUF_INIT;
    arka_cache_take_uses(auth->cache, &uses);
    size_t n = uses.len / sizeof(arka_use);
    if (n == 0 || uses.failed)
        return ARKA_OK; /* there will be others */
    arka_mutex_lock(&auth->writer_lock);
    arka_status status = arka_tokens_begin(auth->writer, err);
    if (status == ARKA_OK) {
        for (size_t i = 0; i < n && status == ARKA_OK; i++) {
            arka_use use;
            memcpy(&use, uses.data + i * sizeof use, sizeof use);
            status = arka_tokens_note_use(auth->writer, use.token_id, use.used_us, err);
        }
        status = arka_tokens_finish(auth->writer, status, err);
    }
    arka_mutex_unlock(&auth->writer_lock);
    return status;
}

static void keep(void *context)
{
    arka_auth *auth = context;
    bool ends = false;
    while (!ends) {
        arka_mono until = arka_mono_after_ms(auth->keeper_every_ms);
        arka_mutex_lock(&auth->keeper_lock);
        bool waited = true;
        while (!auth->keeper_ends && waited)
            waited = arka_cond_wait(&auth->keeper_wake, &auth->keeper_lock, until);
        ends = auth->keeper_ends;
        arka_mutex_unlock(&auth->keeper_lock);
        arka_cache_sweep(auth->cache, arka_mono_now());
        ARKA_IGNORE(arka_auth__note_uses(auth, NULL)); /* a fact of little weight */
    }
}

static arka_status start_keeper(arka_auth *auth, int64_t ttl_ms, arka_error *err)
{
    auth->keeper_every_ms = ttl_ms > KEEP_EVERY_MS ? ttl_ms : KEEP_EVERY_MS;
    ARKA_TRY(arka_thread_start(&auth->keeper, "tokens", keep, auth, err));
    auth->keeper_runs = true;
    return ARKA_OK;
}

static void stop_keeper(arka_auth *auth)
{
    arka_mutex_lock(&auth->keeper_lock);
    auth->keeper_ends = true;
    arka_cond_signal(&auth->keeper_wake);
    arka_mutex_unlock(&auth->keeper_lock);
    if (auth->keeper_runs)
        arka_thread_join(&auth->keeper);
}

/* ---- opening ---- */

static arka_status open_parts(arka_auth *auth, const arka_auth_options *o, arka_error *err)
{
    ARKA_TRY(arka_tokens_open(o->db_path, &auth->writer, err));
    ARKA_TRY(arka_tokens_open(o->db_path, &auth->reader, err));
    ARKA_TRY(arka_tokens_version(auth->reader, &auth->version, err));
    ARKA_TRY(arka_cache_new(o->cache_size, o->cache_ttl_ms, &auth->cache, err));
    return o->serves ? start_keeper(auth, o->cache_ttl_ms, err) : ARKA_OK;
}

arka_status arka_auth_open(const arka_auth_options *options, arka_auth **out, arka_error *err)
{
    arka_auth *auth = arka_calloc(1, sizeof *auth);
    if (auth == NULL)
        return arka_fail_nomem(err, "the tokens", sizeof *auth);
    arka_mutex_init(&auth->reader_lock, ARKA_LOCK_TOKENS);
    arka_mutex_init(&auth->writer_lock, ARKA_LOCK_TOKENS);
    arka_mutex_init(&auth->proof_lock, ARKA_LOCK_PROOF);
    arka_mutex_init(&auth->keeper_lock, ARKA_LOCK_LEAF);
    arka_cond_init(&auth->keeper_wake);
    arka_status status = open_parts(auth, options, err);
    if (status == ARKA_OK)
        *out = auth;
    else
        arka_auth_close(auth);
    return status;
}

void arka_auth_close(arka_auth *auth)
{
    if (auth == NULL)
        return;
    stop_keeper(auth);
    arka_cache_free(auth->cache);
    arka_tokens_close(auth->reader);
    arka_tokens_close(auth->writer);
    arka_cond_fini(&auth->keeper_wake);
    arka_mutex_fini(&auth->keeper_lock);
    arka_mutex_fini(&auth->proof_lock);
    arka_mutex_fini(&auth->writer_lock);
    arka_mutex_fini(&auth->reader_lock);
    arka_free(auth);
}
