/**
 * What both write formats share: the body as it was before compression, and a write's way through
 * the engine: prepared, then committed while the connection waits without a thread.
 *
 *     arka_store *s; arka_store_new(&counter, &s, err);
 *     decode into s->writes …
 *     arka_store_prepare(r, s, database, atomic, err)
 *     the answer, as it will be when all goes well, into r; s->message with it
 *     return arka_store_commit(r, s);
 */
#ifndef ARKA_SERVER_WRITE_WRITE_H
#define ARKA_SERVER_WRITE_WRITE_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "server/http/http.h"
#include "server/http/request.h"
#include "wire/writes.h"

/** Answers 415 and returns false when Content-Encoding names a coding that nobody here knows. */
bool arka_write_coding_known(arka_request *r);

/**
 * Answers 503 and returns true when no write can be stored at this moment: so that an overload is
 * not spent on reading and decoding what will be refused.
 */
bool arka_write_refused(arka_request *r);

enum { ARKA_STORE_BATCHES = 2 }; /* each has room for a sentence; most requests have one */

typedef struct arka_store {
    arka_writes writes;
    arka_buf inflated;
    arka_http *http; /* whose bodies `charged` is part of; NULL: nothing is */
    int64_t charged;
    const char *message; /* of an answer that is no 204; in the request's arena; NULL: none */
    /* by prepare */
    int64_t n_rows;                /* that will be stored */
    atomic_int_least64_t *rows_of; /* the counter of the way that they came */
    arka_error first; /* of the batches that did not fit their tables; code OK when all did */
    arka_put_request put;
    arka_put_batch few[ARKA_STORE_BATCHES];
    arka_buf answer; /* put.answer */
} arka_store;

/** `rows_of` counts the rows when they are stored; borrowed, alive as long as the server. */
ARKA_MUST_USE arka_status arka_store_new(atomic_int_least64_t *rows_of, arka_store **out,
                                         arka_error *err);
/** After a failure of prepare, or before it. NULL is fine. */
void arka_store_free(arka_store *store);
ARKA_CLEANUP(arka_store, arka_store_free)

/**
 * The body inflated, by its magic bytes, else as it came; store->inflated when it was compressed,
 * until commit. ARKA_INPUT: damaged; ARKA_LIMIT: too large or a bomb; ARKA_BUSY: too large for what
 * all bodies together have left.
 */
ARKA_MUST_USE arka_status arka_write_inflate(const arka_request *r, arka_store *store,
                                             arka_slice *out, arka_error *err);

/**
 * Ready the batches of s->writes, by the headers x-arc-durability and Idempotency-Key (or
 * x-arc-batch-id). One that does not fit its table becomes a reject, or with `atomic` fails the
 * whole. ARKA_FORBIDDEN: a measurement is
 * outside of the token's scope; ARKA_INPUT: a header is not usable; others as arka_request_prepare.
 * When put.repeated is set after it the answer is commit's business.
 */
ARKA_MUST_USE arka_status arka_store_prepare(arka_request *r, arka_store *store,
                                             arka_slice database, bool atomic, arka_error *err);
/** Store what fits and let the answer go, or the one that a repeated request got first. */
arka_handled arka_store_commit(arka_request *r, arka_store *take_store);

#endif
