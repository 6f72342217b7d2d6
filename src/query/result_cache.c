#include "query/result_cache.h"

#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "os/thread.h"

typedef struct entry {
    struct entry *newer, *older;
    char *key;
    size_t key_len;
    uint64_t digest[2];
    arka_cached_result *result;
    arka_mono made;
} entry;

struct arka_result_cache {
    atomic_int_least64_t max_result_bytes; /* alone, so that it is asked for without the lock */
    arka_mutex lock;                       /* LEAF: all below */
    arka_result_cache_options options;     /* its max_result_bytes stands above */
    arka_map by_key;
    entry *newest, *oldest;
    int64_t gathered; /* bytes of answers that are not put yet */
    arka_result_cache_stats stats;
};

void arka_cached_result_unref(arka_cached_result *result)
{
    if (result != NULL && arka_ref_drop(&result->ref))
        arka_free(result);
}

arka_status arka_result_cache_new(const arka_result_cache_options *options, arka_result_cache **out,
                                  arka_error *err)
{
    arka_result_cache *c = arka_calloc(1, sizeof *c);
    if (c == NULL)
        return arka_fail_nomem(err, "the cache of results", sizeof *c);
    arka_mutex_init(&c->lock, ARKA_LOCK_LEAF);
    arka_result_cache_limit(c, options);
    *out = c;
    return ARKA_OK;
}

int64_t arka_result_cache_max_result_bytes(const arka_result_cache *cache)
{
    /* relaxed: it is a number by itself */
    return atomic_load_explicit(&cache->max_result_bytes, memory_order_relaxed);
}

/* ---- keys ---- */

static void put_part(arka_buf *b, arka_slice part)
{
    arka_buf_append(b, &part.len, sizeof part.len);
    arka_buf_append(b, part.data, part.len);
}

/* Every part behind its length, so that no two keys have the same bytes. */
static bool key_bytes(const arka_result_key *key, arka_buf *out)
{
    arka_buf_byte(out, (char)(key->scoped ? '1' : '0'));
    arka_buf_append(out, &key->format, sizeof key->format);
    put_part(out, key->database);
    put_part(out, key->visibility);
    put_part(out, arka_slice_trim(key->text));
    return !out->failed;
}

/* ---- the list ---- */

static int64_t entry_bytes(const entry *e)
{
    return (int64_t)(sizeof *e + sizeof *e->result + 2 * e->key_len + e->result->n_bytes);
}

static void unlink_locked(arka_result_cache *c, entry *e) ARKA_REQUIRES(c->lock);
static void unlink_locked(arka_result_cache *c, entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest_locked(arka_result_cache *c, entry *e) ARKA_REQUIRES(c->lock);
static void link_newest_locked(arka_result_cache *c, entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void free_entry(entry *e)
{
    if (e == NULL)
        return;
    arka_cached_result_unref(e->result);
    arka_free(e->key);
    arka_free(e);
}

static void drop_locked(arka_result_cache *c, entry *e) ARKA_REQUIRES(c->lock);
static void drop_locked(arka_result_cache *c, entry *e)
{
    unlink_locked(c, e);
    arka_map_remove(&c->by_key, (arka_slice){e->key, e->key_len});
    c->stats.n_entries--;
    c->stats.n_bytes -= entry_bytes(e);
    free_entry(e);
}

void arka_result_cache_free(arka_result_cache *c)
{
    if (c == NULL)
        return;
    arka_result_cache_clear(c);
    arka_map_fini(&c->by_key);
    arka_mutex_fini(&c->lock);
    arka_free(c);
}

int64_t arka_result_cache_clear(arka_result_cache *c)
{
    arka_mutex_lock(&c->lock);
    int64_t n = c->stats.n_entries;
    while (c->oldest != NULL)
        drop_locked(c, c->oldest);
    arka_mutex_unlock(&c->lock);
    return n;
}

/* ---- looking and keeping ---- */

static arka_cached_result *find_locked(arka_result_cache *c, arka_slice key,
                                       const uint64_t digest[2], int64_t ttl_ms)
    ARKA_REQUIRES(c->lock);
static arka_cached_result *find_locked(arka_result_cache *c, arka_slice key,
                                       const uint64_t digest[2], int64_t ttl_ms)
{
    entry *e = arka_map_get(&c->by_key, key);
    if (e == NULL)
        return NULL;
    if (arka_mono_since_ms(e->made) >= (double)ttl_ms) {
        c->stats.expirations++;
        drop_locked(c, e);
        return NULL;
    }
    if (memcmp(e->digest, digest, sizeof e->digest) != 0) {
        c->stats.outdated++;
        drop_locked(c, e);
        return NULL;
    }
    unlink_locked(c, e);
    link_newest_locked(c, e);
    arka_ref_add(&e->result->ref);
    return e->result;
}

arka_cached_result *arka_result_cache_get(arka_result_cache *c, const arka_result_key *key,
                                          const uint64_t digest[2], int64_t ttl_ms)
{
    arka_buf bytes = ARKA_BUF_INIT;
    arka_cached_result *found = NULL;
    bool ok = key_bytes(key, &bytes);
    arka_mutex_lock(&c->lock);
    if (ok)
        found = find_locked(c, (arka_slice){bytes.data, bytes.len}, digest, ttl_ms);
    c->stats.requests++;
    ++*(found ? &c->stats.hits : &c->stats.misses);
    arka_mutex_unlock(&c->lock);
    arka_buf_fini(&bytes);
    return found;
}

void arka_result_cache_missed(arka_result_cache *c)
{
    arka_mutex_lock(&c->lock);
    c->stats.requests++;
    c->stats.misses++;
    arka_mutex_unlock(&c->lock);
}

static entry *make_entry(const arka_result_key *key, const uint64_t digest[2], arka_slice bytes,
                         const arka_cached_result *about)
{
    arka_buf text = ARKA_BUF_INIT;
    entry *e = arka_calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->made = arka_mono_now();
    memcpy(e->digest, digest, sizeof e->digest);
    e->result = arka_malloc(sizeof *e->result + bytes.len);
    bool ok = key_bytes(key, &text);
    e->key = text.data;
    e->key_len = text.len;
    if (e->result != NULL) { /* it can be let go from here on */
        *e->result = *about;
        arka_ref_init(&e->result->ref);
    }
    if (!ok || e->result == NULL) {
        free_entry(e);
        return NULL;
    }
    e->result->n_bytes = bytes.len;
    memcpy(e->result->bytes, bytes.data, bytes.len);
    return e;
}

/* Drop the oldest until the rest is within the limits, but for `spared` (NULL: none). */
static void shrink_locked(arka_result_cache *c, const entry *spared) ARKA_REQUIRES(c->lock)
{
    while (c->oldest != NULL && c->oldest != spared &&
           (c->stats.n_entries > c->options.max_entries ||
            c->stats.n_bytes + c->gathered > c->options.max_bytes)) {
        drop_locked(c, c->oldest);
        c->stats.evictions++;
    }
}

void arka_result_cache_limit(arka_result_cache *c, const arka_result_cache_options *options)
{
    int64_t half = options->max_bytes / 2; /* one shall not drive out all */
    arka_mutex_lock(&c->lock);
    c->options = *options;
    atomic_store_explicit(&c->max_result_bytes,
                          options->max_result_bytes < half ? options->max_result_bytes : half,
                          memory_order_relaxed);
    shrink_locked(c, NULL);
    arka_mutex_unlock(&c->lock);
}

bool arka_result_cache_take_room(arka_result_cache *c, int64_t n_bytes)
{
    arka_mutex_lock(&c->lock);
    bool room = c->gathered + n_bytes <= c->options.max_bytes;
    if (room) {
        c->gathered += n_bytes;
        shrink_locked(c, NULL);
    }
    arka_mutex_unlock(&c->lock);
    return room;
}

void arka_result_cache_give_room_back(arka_result_cache *c, int64_t n_bytes)
{
    arka_mutex_lock(&c->lock);
    c->gathered -= n_bytes;
    arka_mutex_unlock(&c->lock);
}

void arka_result_cache_put(arka_result_cache *c, const arka_result_key *key,
                           const uint64_t digest[2], arka_slice bytes,
                           const arka_cached_result *about)
{
    if ((int64_t)bytes.len > arka_result_cache_max_result_bytes(c))
        return;
    entry *e = make_entry(key, digest, bytes, about);
    if (e == NULL)
        return;
    arka_slice name = {e->key, e->key_len};
    arka_mutex_lock(&c->lock);
    entry *before = arka_map_get(&c->by_key, name);
    if (before != NULL)
        drop_locked(c, before);
    bool kept = entry_bytes(e) <= c->options.max_bytes && arka_map_put(&c->by_key, name, e);
    if (kept) {
        link_newest_locked(c, e);
        c->stats.n_entries++;
        c->stats.n_bytes += entry_bytes(e);
        shrink_locked(c, e);
    }
    arka_mutex_unlock(&c->lock);
    if (!kept)
        free_entry(e);
}

void arka_result_cache_get_stats(arka_result_cache *c, arka_result_cache_stats *out)
{
    arka_mutex_lock(&c->lock);
    *out = c->stats;
    out->max_entries = c->options.max_entries;
    out->max_bytes = c->options.max_bytes;
    arka_mutex_unlock(&c->lock);
    out->max_result_bytes = arka_result_cache_max_result_bytes(c);
}

size_t arka_result_cache_list(arka_result_cache *c, arka_result_cache_entry *out, size_t max)
{
    size_t n = 0;
    arka_mutex_lock(&c->lock);
    for (const entry *e = c->newest; e != NULL && n < max; e = e->older)
        out[n++] = (arka_result_cache_entry){
            .key_hash = arka_hash(e->key, e->key_len, 0),
            .made_us = e->result->made_us,
            .age_ms = (int64_t)arka_mono_since_ms(e->made),
            .n_rows = e->result->n_rows,
            .n_bytes = (int64_t)e->result->n_bytes,
            .n_columns = e->result->n_columns,
        };
    arka_mutex_unlock(&c->lock);
    return n;
}
