/** The handlers of routes.def, one for each distinct name; see route.h for what they return. */
#ifndef ARKA_SERVER_HTTP_HANDLERS_H
#define ARKA_SERVER_HTTP_HANDLERS_H

#include "server/http/route.h"

#define X(methods, path, permission, run, shape, handler, text)                                    \
    arka_handled arka_handle_##handler(arka_request *r);
#include "server/http/routes.def"
#undef X

#endif
