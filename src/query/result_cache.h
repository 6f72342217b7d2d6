/**
 * Whole answers by what was asked and what they were made from. An answer is never stale: its
 * digest (arka_query_digest) is another one as soon as a table it was made from has changed. The
 * least recently used goes first; none is older than it may be. All functions: any thread.
 */
#ifndef ARKA_QUERY_RESULT_CACHE_H
#define ARKA_QUERY_RESULT_CACHE_H

#include "base/buf.h"
#include "base/mem.h"
#include "base/slice.h"
#include "base/status.h"

typedef struct arka_result_cache arka_result_cache;

/** An answer in memory; immutable, counted. */
typedef struct arka_cached_result {
    arka_ref ref;
    size_t n_bytes;
    size_t end_at; /* where in it that begins which stands behind the last row */
    int64_t n_rows;
    int n_columns;
    uint64_t snapshot_lsn;
    double execution_ms; /* when it was made */
    int64_t made_us;     /* wall clock */
    char bytes[];
} arka_cached_result;
void arka_cached_result_unref(arka_cached_result *result); /* NULL is fine */

typedef struct arka_result_cache_options {
    int64_t max_entries, max_result_bytes, max_bytes;
} arka_result_cache_options;
ARKA_MUST_USE arka_status arka_result_cache_new(const arka_result_cache_options *options,
                                                arka_result_cache **out, arka_error *err);
/** NULL is fine. */
void arka_result_cache_free(arka_result_cache *cache);
/** Other limits from now on; what is beyond them is forgotten, the oldest first. */
void arka_result_cache_limit(arka_result_cache *cache, const arka_result_cache_options *options);
int64_t arka_result_cache_max_result_bytes(const arka_result_cache *cache);

/** All that two requests must have in common to get the same answer, but for the tables' state. */
typedef struct arka_result_key {
    arka_slice text, database;
    arka_slice visibility; /* what the token sees */
    bool scoped;
    int format;
} arka_result_key;

/**
 * The answer to it made from this, one reference, if it is not older than ttl_ms; else NULL. A hit
 * or a miss is counted.
 */
arka_cached_result *arka_result_cache_get(arka_result_cache *cache, const arka_result_key *key,
                                          const uint64_t digest[2], int64_t ttl_ms);
/** A miss that could not even be looked for: nothing was known of the statement. */
void arka_result_cache_missed(arka_result_cache *cache);
/**
 * Remember an answer (`about`: all but ref and n_bytes), which is copied, in place of one to the
 * same key. Not being able to is no failure.
 */
void arka_result_cache_put(arka_result_cache *cache, const arka_result_key *key,
                           const uint64_t digest[2], arka_slice bytes,
                           const arka_cached_result *about);
/**
 * Room for n more bytes of an answer that is being gathered, within what the cache may have in all:
 * older ones go for it. False: there is none. What was taken is given back when it was put or let
 * go.
 */
bool arka_result_cache_take_room(arka_result_cache *cache, int64_t n_bytes);
void arka_result_cache_give_room_back(arka_result_cache *cache, int64_t n_bytes);
/** Forget all; how many. */
int64_t arka_result_cache_clear(arka_result_cache *cache);

typedef struct arka_result_cache_stats {
    int64_t n_entries, max_entries, n_bytes, max_bytes, max_result_bytes;
    int64_t requests, hits, misses, evictions, expirations, outdated;
} arka_result_cache_stats;
void arka_result_cache_get_stats(arka_result_cache *cache, arka_result_cache_stats *out);

typedef struct arka_result_cache_entry {
    uint64_t key_hash;
    int64_t made_us, age_ms, n_rows, n_bytes;
    int n_columns;
} arka_result_cache_entry;
/** The last used ones, at most `max`; how many. */
size_t arka_result_cache_list(arka_result_cache *cache, arka_result_cache_entry *out, size_t max);

#endif
