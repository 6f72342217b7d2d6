/**
 * Who asks, and what they may: the permission of the route, and the scope of the token. With
 * auth.enabled off everybody may everything. Private to server/.
 */
#ifndef ARKA_SERVER_ACCESS_ACCESS_H
#define ARKA_SERVER_ACCESS_ACCESS_H

#include "auth/auth.h"
#include "server/http/request.h"
#include "sql/sql.h"

/**
 * Once a request, when its route is known and before anything of its body is used: finds the
 * credential (credential.h), proves it, sets r->identity. If the route asks for more than that is
 * worth, the answer is made: 401, 403, or 503 when the store cannot be read. Public routes, and
 * paths of auth.allowlist, do not look at the credential: r->identity stays NULL. It never waits:
 * when only a slow hash can tell, r->unproven is set, and nothing else may be done with the request
 * before arka_access_check_slowly, on a thread of server->provers, has done the rest.
 */
void arka_access_check(arka_request *r);
void arka_access_check_slowly(arka_request *r);
/** Gives r->identity back. */
void arka_access_drop(arka_request *r);
/**
 * The proof alone, for a route that is public. ARKA_NOTFOUND: there is no credential;
 * ARKA_FORBIDDEN: it is not valid; ARKA_BUSY: try again; ARKA_LIMIT: only a slow hash can tell, for
 * which it `may_wait` on a thread of server->provers alone. *out is one reference.
 */
ARKA_MUST_USE arka_status arka_access_prove(arka_request *r, bool may_wait, arka_identity **out,
                                            arka_error *err);

/** Beyond the route: may it do this as well? */
bool arka_access_may(const arka_request *r, arka_rights rights);
/** The answer 403, which names the permission. */
arka_handled arka_access_refuse(arka_request *r, arka_rights needed);

/** By the scope alone; what is outside of it must look as if it did not exist. */
bool arka_access_table(const arka_request *r, arka_slice database, arka_slice table);
bool arka_access_database(const arka_request *r, arka_slice database);
bool arka_access_all_of(const arka_request *r, arka_slice database);
/** The same with a sentence, ARKA_FORBIDDEN, for what is written, where silence would lose it. */
ARKA_MUST_USE arka_status arka_access_need_database(const arka_request *r, arka_slice database,
                                                    arka_error *err);
ARKA_MUST_USE arka_status arka_access_need_table(const arka_request *r, arka_slice database,
                                                 arka_slice table, arka_error *err);
/** Is there no scope? What is about all databases at once is only for those without. */
bool arka_access_everything(const arka_request *r);
/** "" when everything may be seen; equal texts see the same. As long as the request's identity. */
const char *arka_access_scope_text(const arka_request *r);
/** For a query of this request; keeps its own reference to what it needs until _release. */
arka_visibility arka_access_visibility(const arka_request *r);
void arka_access_visibility_release(arka_visibility *visibility);
/** As asked by x-arc-priority, at most what the token may. ARKA_INPUT: no such word. */
ARKA_MUST_USE arka_status arka_access_priority(const arka_request *r, arka_priority *out,
                                               arka_error *err);

/** Is `path` (normalised) one of a comma list of paths? An entry that ends in '*' is a beginning.
 */
bool arka_access_listed(const char *list, arka_slice path);

#endif
