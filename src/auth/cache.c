#include "auth/cache.h"

#include "base/map.h"
#include "os/thread.h"

enum { N_STRIPES = 32, N_SLOTS = 64, LINE = 64 };

/* A place of a thread. */
typedef struct slot {
    unsigned char digest[ARKA_DIGEST];
    arka_identity *identity; /* NULL: free */
    int64_t fresh_until_ns;
    uint64_t generation;
    int64_t used_us; /* not told yet; 0: it is */
} slot;

/* The places of a thread, or of some when there are many: then they wait for each other. */
typedef struct stripe {
    arka_mutex lock;
    arka_digester *digester;
    int64_t checks, hits;
    slot slots[N_SLOTS];
    char apart[LINE]; /* the next thread's lock is in another line of memory */
} stripe;

typedef struct entry {
    unsigned char digest[ARKA_DIGEST];
    arka_identity *identity;
    int64_t fresh_until_ns;
    uint64_t generation;
    int64_t used_us;
    struct entry *newer, *older;
    size_t hash_len;
    char hash[];
} entry;

struct arka_cache {
    stripe stripes[N_STRIPES];
    atomic_uint_least64_t generation;
    atomic_int_least64_t ttl_ns;
    size_t max_entries;
    arka_mutex lock; /* for all below */
    arka_map map;    /* digest -> entry */
    entry *newest, *oldest;
    int64_t found, evictions;
};

/* ---- identities ---- */

arka_identity *arka_identity_copy(const arka_identity *identity)
{
    arka_identity *copy = arka_malloc(sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *identity;
    arka_ref_init(&copy->ref);
    copy->name = arka_strdup(identity->name);
    copy->scope = arka_scope_ref(identity->scope);
    if (copy->name == NULL) {
        arka_identity_unref(copy);
        return NULL;
    }
    return copy;
}

arka_identity *arka_identity_ref(arka_identity *identity)
{
    arka_ref_add(&identity->ref);
    return identity;
}

void arka_identity_unref(arka_identity *identity)
{
    if (identity == NULL || !arka_ref_drop(&identity->ref))
        return;
    arka_scope_unref(identity->scope);
    arka_free(identity->name);
    arka_free(identity);
}

/* ---- making ---- */

void arka_cache_set_ttl(arka_cache *c, int64_t ttl_ms)
{
    /* relaxed: it is a number by itself */
    atomic_store_explicit(&c->ttl_ns, ttl_ms * 1000000, memory_order_relaxed);
}

arka_status arka_cache_new(int max_entries, int64_t ttl_ms, arka_cache **out, arka_error *err)
{
    arka_cache *c = arka_calloc(1, sizeof *c);
    if (c == NULL)
        return arka_fail_nomem(err, "the tokens' cache", sizeof *c);
    atomic_init(&c->generation, 1);
    arka_cache_set_ttl(c, ttl_ms);
    c->max_entries = max_entries < 1 ? 1 : (size_t)max_entries;
    arka_mutex_init(&c->lock, ARKA_LOCK_LEAF);
    arka_status status = ARKA_OK;
    for (int i = 0; i < N_STRIPES; i++) {
        arka_mutex_init(&c->stripes[i].lock, ARKA_LOCK_LEAF);
        if (status == ARKA_OK)
            status = arka_digester_new(&c->stripes[i].digester, err);
    }
    if (status == ARKA_OK)
        *out = c;
    else
        arka_cache_free(c);
    return status;
}

static void free_entry(entry *e)
{
    arka_identity_unref(e->identity);
    arka_free(e);
}

static void unlink_entry(arka_cache *c, entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static arka_slice key_of(const unsigned char digest[ARKA_DIGEST])
{
    return (arka_slice){(const char *)digest, ARKA_DIGEST};
}

static void remove_entry(arka_cache *c, entry *e)
{
    unlink_entry(c, e);
    arka_map_remove(&c->map, key_of(e->digest));
    free_entry(e);
}

static void make_newest(arka_cache *c, entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static bool is_kept(const entry *e)
{
    return arka_secret_is_slow((arka_slice){e->hash, e->hash_len});
}

int64_t arka_cache_forget(arka_cache *c)
{
    arka_cache_distrust(c);
    arka_mutex_lock(&c->lock);
    int64_t n = (int64_t)c->map.n;
    for (entry *e = c->oldest, *next; e != NULL; e = next) {
        next = e->newer;
        if (!is_kept(e))
            remove_entry(c, e);
    }
    arka_mutex_unlock(&c->lock);
    return n;
}

static void remove_all(arka_cache *c)
{
    while (c->oldest != NULL)
        remove_entry(c, c->oldest);
}

void arka_cache_free(arka_cache *c)
{
    if (c == NULL)
        return;
    remove_all(c);
    for (int i = 0; i < N_STRIPES; i++) {
        stripe *s = &c->stripes[i];
        for (int k = 0; k < N_SLOTS; k++)
            arka_identity_unref(s->slots[k].identity);
        arka_digester_free(s->digester);
        arka_mutex_fini(&s->lock);
    }
    arka_map_fini(&c->map);
    arka_mutex_fini(&c->lock);
    arka_free(c);
}

/* ---- finding ---- */

/* Threads get stripes in turn, when they first ask. */
static stripe *stripe_of_thread(arka_cache *c)
{
    static atomic_uint next;
    static _Thread_local unsigned mine; /* from 1 */
    if (mine == 0)
        mine = 1 + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % N_STRIPES;
    return &c->stripes[mine - 1];
}

static bool is_good(uint64_t generation, uint64_t now_generation, int64_t fresh_until_ns,
                    arka_mono now, const arka_identity *identity, int64_t now_us)
{
    return generation == now_generation && now.ns < fresh_until_ns &&
           (identity->expires_us == 0 || now_us < identity->expires_us);
}

static slot *slot_of(stripe *s, const unsigned char digest[ARKA_DIGEST])
{
    return &s->slots[digest[0] % N_SLOTS];
}

/* The table knows it: this thread will, too. */
static arka_identity *find_in_table(arka_cache *c, const unsigned char digest[ARKA_DIGEST],
                                    uint64_t generation, arka_mono now, int64_t now_us, slot *into)
{
    arka_identity *found = NULL;
    arka_mutex_lock(&c->lock);
    entry *e = arka_map_get(&c->map, key_of(digest));
    if (e != NULL &&
        is_good(e->generation, generation, e->fresh_until_ns, now, e->identity, now_us))
        found = arka_identity_copy(e->identity);
    if (found != NULL) {
        unlink_entry(c, e);
        make_newest(c, e);
        e->used_us = now_us;
        c->found++;
        into->fresh_until_ns = e->fresh_until_ns;
    }
    arka_mutex_unlock(&c->lock);
    if (found == NULL)
        return NULL;
    memcpy(into->digest, digest, ARKA_DIGEST);
    into->generation = generation;
    into->identity = found;
    return arka_identity_ref(found);
}

static void fill_slot(stripe *s, const slot *from)
{
    slot *to = slot_of(s, from->digest);
    arka_mutex_lock(&s->lock);
    arka_identity *old = to->identity;
    *to = *from;
    arka_mutex_unlock(&s->lock);
    arka_identity_unref(old);
}

arka_status arka_cache_find(arka_cache *c, arka_slice token, arka_mono now, int64_t now_us,
                            unsigned char digest[ARKA_DIGEST], arka_identity **out, arka_error *err)
{
    stripe *s = stripe_of_thread(c);
    *out = NULL;
    /* whoever changed a token raised it afterwards, and is done only then */
    uint64_t generation = atomic_load_explicit(&c->generation, memory_order_acquire);
    arka_mutex_lock(&s->lock);
    bool hashed = arka_digester_run(s->digester, token, digest);
    slot *at = slot_of(s, digest);
    s->checks++;
    if (hashed && at->identity != NULL && memcmp(at->digest, digest, ARKA_DIGEST) == 0 &&
        is_good(at->generation, generation, at->fresh_until_ns, now, at->identity, now_us)) {
        at->used_us = now_us;
        s->hits++;
        *out = arka_identity_ref(at->identity);
    }
    arka_mutex_unlock(&s->lock);
    if (!hashed)
        return arka_fail(err, ARKA_INTERNAL, "libcrypto cannot hash a token");
    slot filled = {.used_us = 0};
    if (*out == NULL && (*out = find_in_table(c, digest, generation, now, now_us, &filled)) != NULL)
        fill_slot(s, &filled);
    return ARKA_OK;
}

bool arka_cache_recall(arka_cache *c, const unsigned char digest[ARKA_DIGEST], int64_t *out_id,
                       arka_buf *out_hash)
{
    arka_mutex_lock(&c->lock);
    const entry *e = arka_map_get(&c->map, key_of(digest));
    if (e != NULL) {
        *out_id = e->identity->token_id;
        arka_buf_append(out_hash, e->hash, e->hash_len);
    }
    arka_mutex_unlock(&c->lock);
    return e != NULL && !out_hash->failed;
}

/* ---- changing ---- */

uint64_t arka_cache_generation(arka_cache *c)
{
    return atomic_load_explicit(&c->generation, memory_order_acquire);
}

void arka_cache_distrust(arka_cache *c)
{
    atomic_fetch_add_explicit(&c->generation, 1, memory_order_acq_rel);
}

static entry *make_entry(const unsigned char digest[ARKA_DIGEST], const arka_identity *identity,
                         arka_slice hash)
{
    entry *e = arka_calloc(1, sizeof *e + hash.len);
    if (e == NULL || (e->identity = arka_identity_copy(identity)) == NULL) {
        arka_free(e);
        return NULL;
    }
    memcpy(e->digest, digest, ARKA_DIGEST);
    memcpy(e->hash, hash.data, hash.len);
    e->hash_len = hash.len;
    return e;
}

void arka_cache_put(arka_cache *c, const unsigned char digest[ARKA_DIGEST], uint64_t generation,
                    const arka_identity *identity, arka_slice hash, arka_mono now, int64_t now_us)
{
    entry *e = make_entry(digest, identity, hash);
    if (e == NULL)
        return;
    e->generation = generation;
    e->fresh_until_ns = now.ns + atomic_load_explicit(&c->ttl_ns, memory_order_relaxed);
    e->used_us = now_us;
    arka_mutex_lock(&c->lock);
    entry *old = arka_map_get(&c->map, key_of(digest));
    if (old != NULL)
        remove_entry(c, old);
    while (c->oldest != NULL && c->map.n >= c->max_entries) {
        remove_entry(c, c->oldest);
        c->evictions++;
    }
    if (arka_map_put(&c->map, key_of(digest), e))
        make_newest(c, e);
    else
        free_entry(e);
    arka_mutex_unlock(&c->lock);
}

void arka_cache_drop(arka_cache *c, const unsigned char digest[ARKA_DIGEST])
{
    arka_mutex_lock(&c->lock);
    entry *e = arka_map_get(&c->map, key_of(digest));
    if (e != NULL)
        remove_entry(c, e);
    arka_mutex_unlock(&c->lock);
}

void arka_cache_sweep(arka_cache *c, arka_mono now)
{
    arka_mutex_lock(&c->lock);
    for (entry *e = c->oldest, *next; e != NULL; e = next) {
        next = e->newer;
        if (now.ns >= e->fresh_until_ns && !is_kept(e))
            remove_entry(c, e);
    }
    arka_mutex_unlock(&c->lock);
}

static void take_use(const arka_identity *identity, int64_t *used_us, arka_buf *out)
{
    arka_use use = {identity ? identity->token_id : 0, *used_us};
    if (identity != NULL && use.used_us != 0)
        arka_buf_append(out, &use, sizeof use);
    *used_us = 0;
}

void arka_cache_take_uses(arka_cache *c, arka_buf *out)
{
    for (int i = 0; i < N_STRIPES; i++) {
        stripe *s = &c->stripes[i];
        arka_mutex_lock(&s->lock);
        for (int k = 0; k < N_SLOTS; k++)
            take_use(s->slots[k].identity, &s->slots[k].used_us, out);
        arka_mutex_unlock(&s->lock);
    }
    arka_mutex_lock(&c->lock);
    for (entry *e = c->oldest; e != NULL; e = e->newer)
        take_use(e->identity, &e->used_us, out);
    arka_mutex_unlock(&c->lock);
}

void arka_cache_get_stats(arka_cache *c, arka_auth_stats *out)
{
    for (int i = 0; i < N_STRIPES; i++) {
        arka_mutex_lock(&c->stripes[i].lock);
        out->checks += c->stripes[i].checks;
        out->hits += c->stripes[i].hits;
        arka_mutex_unlock(&c->stripes[i].lock);
    }
    arka_mutex_lock(&c->lock);
    out->hits += c->found;
    out->evictions = c->evictions;
    out->entries = (int64_t)c->map.n;
    out->max_entries = (int64_t)c->max_entries;
    out->ttl_ms = atomic_load_explicit(&c->ttl_ns, memory_order_relaxed) / 1000000;
    arka_mutex_unlock(&c->lock);
}
