/** The routes of routes.def, and which of them a request means. Immutable once made; any thread. */
#ifndef ARKA_SERVER_HTTP_ROUTE_H
#define ARKA_SERVER_HTTP_ROUTE_H

#include "base/slice.h"
#include "base/status.h"

typedef struct arka_request arka_request;

/* Bits, so that a path's methods are one number. */
typedef enum arka_method {
    ARKA_METHOD_OTHER = 0,
    ARKA_GET = 1,
    ARKA_HEAD = 2,
    ARKA_POST = 4,
    ARKA_PUT = 8,
    ARKA_PATCH = 16,
    ARKA_DELETE = 32,
    ARKA_OPTIONS = 64,
} arka_method;

/** Method names are case-sensitive. */
arka_method arka_method_parse(const char *name);

typedef enum arka_permission {
    ARKA_PERMISSION_NONE,
    ARKA_PERMISSION_ANY,
    ARKA_PERMISSION_READ,
    ARKA_PERMISSION_WRITE,
    ARKA_PERMISSION_DELETE,
    ARKA_PERMISSION_ADMIN,
} arka_permission;

typedef enum arka_run { ARKA_RUN_HERE, ARKA_RUN_WRITES, ARKA_RUN_WORKER, ARKA_RUN_QUERY } arka_run;

typedef enum arka_shape {
    ARKA_SHAPE_PLAIN,
    ARKA_SHAPE_QUERY,
    ARKA_SHAPE_INFLUX,
    ARKA_SHAPE_INFLUX2,
} arka_shape;

/** What a handler left behind. */
typedef enum arka_handled {
    ARKA_ANSWERED, /* the answer stands in the request */
    ARKA_DETACHED, /* the request was given back before the handler ended: it must not be touched */
} arka_handled;

typedef struct arka_route {
    const char *name; /* of the handler */
    int methods;      /* of arka_method */
    const char *path;
    arka_permission permission;
    arka_run run;
    arka_shape shape;
    arka_handled (*handle)(arka_request *r);
    const char *text;
} arka_route;

extern const arka_route arka_routes[];
extern const size_t arka_n_routes;

enum { ARKA_ROUTE_ARGS = 2 };

typedef struct arka_route_table arka_route_table;
ARKA_MUST_USE arka_status arka_route_table_new(const arka_route *routes, size_t n,
                                               arka_route_table **out, arka_error *err);
/** NULL is fine. */
void arka_route_table_free(arka_route_table *table);

typedef struct arka_route_match {
    const arka_route *route;          /* NULL: none for that method, or none at all */
    int methods;                      /* of all routes of that path; 0: unknown path */
    arka_slice args[ARKA_ROUTE_ARGS]; /* what stood for {name}, inside `path` */
} arka_route_match;

/**
 * The route of a decoded path: a literal one before one with {name}; HEAD means GET. One trailing
 * slash does not matter. An empty segment never stands for {name}.
 */
arka_route_match arka_route_find(const arka_route_table *table, arka_method method,
                                 arka_slice path);

/** "GET, HEAD, POST, OPTIONS" of a set of methods (HEAD with GET, OPTIONS always). */
void arka_methods_text(int methods, char out[64]);

/**
 * Take "." and ".." segments out of a path, in place (RFC 3986, 5.2.4). `path` begins with '/'.
 * Returns the new length.
 */
size_t arka_path_normalise(char *path, size_t len);

#endif
