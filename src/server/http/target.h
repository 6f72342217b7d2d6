/** What a request line asks for: its path, its query string, and the route that serves it. */
#ifndef ARKA_SERVER_HTTP_TARGET_H
#define ARKA_SERVER_HTTP_TARGET_H

#include "server/http/request.h"

/**
 * Read `target`, as it was sent: fills path (decoded, dot segments taken out), query, route and
 * args. `target` outlives the request. Without a route the request has its answer: 400 for what is
 * no path, 404, 405, or what OPTIONS gets.
 */
void arka_target_route(arka_request *r, arka_slice target);
/** What is left of that once it is known who asks: done already, unless r->unproven is set. */
void arka_target_admit(arka_request *r);

#endif
