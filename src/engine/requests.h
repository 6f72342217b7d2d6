/**
 * Requests that came with an idempotency key: which are on their way, which were stored, and what
 * they were answered, for a window of time. A repeated one is answered as the first was. Keys
 * belong to a database. The log keeps them with the rows (arka_wal_entry.requests); before segments
 * are removed, those still within the window go to the manifest. Private to engine/. Any thread.
 */
#ifndef ARKA_ENGINE_REQUESTS_H
#define ARKA_ENGINE_REQUESTS_H

#include "base/buf.h"
#include "meta/manifest.h"

typedef struct arka_requests arka_requests;

/* The oldest are forgotten above these. */
enum { ARKA_MAX_REQUESTS = 1000000, ARKA_MAX_REQUESTS_BYTES = 384 << 20 };

ARKA_MUST_USE arka_status arka_requests_new(int64_t window_ms, arka_requests **out,
                                            arka_error *err);
/** NULL is fine. */
void arka_requests_free(arka_requests *requests);
ARKA_CLEANUP(arka_requests, arka_requests_free)

typedef enum arka_claim {
    ARKA_CLAIM_NEW,     /* it is the caller's until arka_requests_store or _release */
    ARKA_CLAIM_PENDING, /* another one has it at this moment */
    ARKA_CLAIM_STORED,  /* *lsn and *answer (arka_free it) are the first one's */
} arka_claim;
/**
 * now_us: wall clock. Where it goes back, here as elsewhere, keys are remembered for longer, never
 * for shorter. ARKA_INPUT: the database or the key does not have 1 to 255 bytes; ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_requests_claim(arka_requests *requests, arka_slice database,
                                              arka_slice key, int64_t now_us, arka_claim *out,
                                              uint64_t *lsn, char **answer, arka_error *err);
/** It was stored. Never fails: what it needs was taken by the claim (`answer` up to 1 KiB, longer
 * ones are cut). */
void arka_requests_store(arka_requests *requests, arka_slice database, arka_slice key, uint64_t lsn,
                         arka_slice answer, int64_t now_us);
/** It was not. */
void arka_requests_release(arka_requests *requests, arka_slice database, arka_slice key);

/** Append what the log keeps of a request to the text of a record; see arka_requests_replay. */
void arka_requests_encode(arka_buf *out, arka_slice database, arka_slice key, uint64_t lsn,
                          arka_slice answer);
/** The text of a record that was logged at ts_us, at the start. ARKA_CORRUPT: it is not such a text
 * (the lines before the bad one were taken). */
ARKA_MUST_USE arka_status arka_requests_replay(arka_requests *requests, arka_slice text,
                                               int64_t ts_us, arka_error *err);
/** What the manifest keeps. At the start; before the log is replayed, so that what is over is not
 * taken in. */
ARKA_MUST_USE arka_status arka_requests_load(arka_requests *requests, arka_manifest *manifest,
                                             int64_t now_us, arka_error *err);
/**
 * Those stored with an LSN below `lsn` and still in the window go to the manifest, unless they are
 * there; then the log may forget them. Drops old ones there and here.
 */
ARKA_MUST_USE arka_status arka_requests_keep(arka_requests *requests, arka_manifest *manifest,
                                             uint64_t lsn, int64_t now_us, arka_error *err);
/** Those on their way included. */
int64_t arka_requests_count(arka_requests *requests);

#endif
