/** Running one query and sending what it gives: whole when it is small, else as a stream. */
#ifndef ARKA_SERVER_QUERY_H
#define ARKA_SERVER_QUERY_H

#include "server/request.h"
#include "sql/sql.h"

/**
 * Run `options` and answer; its deadline is set here. `file_name`: what a browser shall call the
 * answer, or NULL. On a query worker.
 */
arka_handled arka_query_answer(arka_request *r, arka_query_options *options, const char *file_name);

#endif
