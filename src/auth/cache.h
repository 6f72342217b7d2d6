/**
 * Tokens that were proven a short while ago, by the SHA-256 of their text. Two layers: the table,
 * which is one, forgets the least recently used and knows what is told here; and in front of it a
 * few places for each of some threads, with identities of their own, so that threads with the same
 * token do not meet in one line of memory. Private to auth/. Any thread.
 *
 * Digests are compared as they come: who measures the time learns of a digest, from which no token
 * follows.
 */
#ifndef ARKA_AUTH_CACHE_H
#define ARKA_AUTH_CACHE_H

#include "auth/auth.h"
#include "auth/secret.h"
#include "os/clock.h"

typedef struct arka_cache arka_cache;

ARKA_MUST_USE arka_status arka_cache_new(int max_entries, int64_t ttl_ms, arka_cache **out,
                                         arka_error *err);
/** Of what is proven from now on. */
void arka_cache_set_ttl(arka_cache *cache, int64_t ttl_ms);
void arka_cache_free(arka_cache *cache); /* NULL is fine */

/**
 * *out: a reference, when the token is known, trusted, not older than the TTL and not expired at
 * now_us; else NULL. `digest` is the token's in any case. ARKA_INTERNAL: there is none to be had.
 */
ARKA_MUST_USE arka_status arka_cache_find(arka_cache *cache, arka_slice token, arka_mono now,
                                          int64_t now_us, unsigned char digest[ARKA_DIGEST],
                                          arka_identity **out, arka_error *err);
/**
 * What is known of a token that find did not trust: its number, and the stored hash that it was
 * compared with, appended. False: nothing.
 */
bool arka_cache_recall(arka_cache *cache, const unsigned char digest[ARKA_DIGEST], int64_t *out_id,
                       arka_buf *out_hash);

/** Grows with each _distrust. To be read before what is put is read from the store. */
uint64_t arka_cache_generation(arka_cache *cache);
/** A token was proven; a lack of memory leaves it out. */
void arka_cache_put(arka_cache *cache, const unsigned char digest[ARKA_DIGEST], uint64_t generation,
                    const arka_identity *identity, arka_slice hash, arka_mono now, int64_t now_us);
void arka_cache_drop(arka_cache *cache, const unsigned char digest[ARKA_DIGEST]);
/** Nothing that was put before is found any more; it can only be recalled. */
void arka_cache_distrust(arka_cache *cache);
/**
 * Nothing is known any more, except that values which a person chose can still be recalled: who has
 * one must not depend on slow hashes, which others can keep busy. Returns how many were known.
 */
int64_t arka_cache_forget(arka_cache *cache);
/** What is past the TTL goes, with the same exception. */
void arka_cache_sweep(arka_cache *cache, arka_mono now);

typedef struct arka_use {
    int64_t token_id, used_us;
} arka_use;
/** Append an arka_use for each place that found a token since this was called last. */
void arka_cache_take_uses(arka_cache *cache, arka_buf *out);

/** checks, hits, evictions, entries, max_entries and ttl_ms; a check is one token looked for. */
void arka_cache_get_stats(arka_cache *cache, arka_auth_stats *out);

arka_identity *arka_identity_copy(const arka_identity *identity); /* NULL: out of memory */

#endif
