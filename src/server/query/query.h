/**
 * Queries of requests: prepared on the HTTP thread, run by the pool, sent whole when they are
 * small, else as a stream. Private to server/.
 *
 *     HTTP thread     arka_query_submit: an answer from the cache, or a job for the pool
 *     pool            runs it; the request is given back with its answer, or with a stream
 *     HTTP thread     sends
 */
#ifndef ARKA_SERVER_QUERY_QUERY_H
#define ARKA_SERVER_QUERY_QUERY_H

#include "query/admission.h"
#include "query/registry.h"
#include "query/result_cache.h"
#include "server/http/request.h"
#include "server/http/running.h"
#include "server/http/stream.h"
#include "sql/sql.h"

/** What is asked. Slices and strings live as long as the request. */
typedef struct arka_query_ask {
    enum { ARKA_ASK_ROWS, ARKA_ASK_COUNT } what; /* count: an estimate */
    arka_query_options options; /* text, database, scoped, format, encode; the rest is set here */
    const arka_select *select;  /* instead of options.text: the SQL is made by the pool */
    const char *file_name;      /* what a browser shall call the answer; NULL: nothing */
    bool may_cache;             /* of this endpoint answers are remembered */
} arka_query_ask;

/** Answer, or hand to the pool. On the HTTP thread, or on a worker when the body was large. */
arka_handled arka_query_submit(arka_request *r, const arka_query_ask *ask);

/** What of a request's answer is for every query of it: X-Arc-Query-ID. */
void arka_query_put_id(arka_request *r, const char *id);

/**
 * Wait until the rows are visible that the header x-arc-min-lsn names, if there is one: until
 * `deadline` or for query.min_lsn_timeout. At most half of the pool's threads wait at once.
 * `ticket` is among the running queries. ARKA_INPUT: no number; ARKA_BUSY: not in time, or too many
 * wait; ARKA_CANCELLED: the client left.
 */
ARKA_MUST_USE arka_status arka_query_await_rows(const arka_request *r, const arka_ticket *ticket,
                                                arka_mono deadline, arka_error *err);
/** Are they there already? False too when the header is no number. */
bool arka_query_rows_are_there(const arka_request *r);

/** Who may see which queries: see registry.h. */
arka_query_reader arka_query_reader_of(const arka_request *r);

#endif
