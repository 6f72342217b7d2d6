/** Running one query and sending what it gives: whole when it is small, else as a stream. */
#ifndef ARKA_SERVER_QUERY_H
#define ARKA_SERVER_QUERY_H

#include "server/request.h"
#include "server/running.h"
#include "sql/sql.h"

/**
 * Wait until the rows are visible that the header x-arc-min-lsn names, if there is one: until
 * `deadline` or for query.min_lsn_timeout. At most half of the query workers wait at once. `ticket`
 * is among the running queries. ARKA_INPUT: no number; ARKA_BUSY: not in time, or too many wait;
 * ARKA_CANCELLED: the client left.
 */
ARKA_MUST_USE arka_status arka_query_await_rows(const arka_request *r, const arka_ticket *ticket,
                                                arka_mono deadline, arka_error *err);

/**
 * Run `options` and answer; its deadline is set here. `file_name`: what a browser shall call the
 * answer, or NULL. On a query worker.
 */
arka_handled arka_query_answer(arka_request *r, arka_query_options *options, const char *file_name);

#endif
