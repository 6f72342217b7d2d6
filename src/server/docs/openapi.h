/**
 * The API document: OpenAPI 3.1 in JSON, made of the route table and api.def, so that it cannot
 * name a path that is not there nor leave one out. Private to server/. Pure; any thread.
 */
#ifndef ARKA_SERVER_DOCS_OPENAPI_H
#define ARKA_SERVER_DOCS_OPENAPI_H

#include "base/buf.h"
#include "server/http/route.h"

/** Append the document for these routes. `secure`: tokens are asked for. */
void arka_openapi_put(const arka_route *routes, size_t n, bool secure, arka_buf *out);

#endif
