#include "server/http/route.h"

#include <stdio.h>

#include "base/map.h"
#include "server/http/handlers.h"

const arka_route arka_routes[] = {
#define X(methods, path, permission, run, shape, handler, text)                                    \
    {#handler,                                                                                     \
     methods,                                                                                      \
     path,                                                                                         \
     ARKA_PERMISSION_##permission,                                                                 \
     ARKA_RUN_##run,                                                                               \
     ARKA_SHAPE_##shape,                                                                           \
     arka_handle_##handler,                                                                        \
     text},
#include "server/http/routes.def"
#undef X
};
const size_t arka_n_routes = sizeof arka_routes / sizeof *arka_routes;

static const struct {
    const char *name;
    arka_method method;
} METHODS[] = {
    {"GET", ARKA_GET},     {"HEAD", ARKA_HEAD},     {"POST", ARKA_POST},       {"PUT", ARKA_PUT},
    {"PATCH", ARKA_PATCH}, {"DELETE", ARKA_DELETE}, {"OPTIONS", ARKA_OPTIONS},
};
enum { N_METHODS = sizeof METHODS / sizeof *METHODS };

arka_method arka_method_parse(const char *name)
{
    for (int i = 0; i < N_METHODS; i++)
        if (strcmp(METHODS[i].name, name) == 0)
            return METHODS[i].method;
    return ARKA_METHOD_OTHER;
}

void arka_methods_text(int methods, char out[64])
{
    size_t n = 0;
    if (methods & ARKA_GET)
        methods |= ARKA_HEAD;
    methods |= ARKA_OPTIONS;
    for (int i = 0; i < N_METHODS; i++)
        if (methods & METHODS[i].method)
            n += (size_t)snprintf(out + n, 64 - n, "%s%s", n ? ", " : "", METHODS[i].name);
}

/* Routes of one path are chained through `next`; literal paths are found by a map. */
typedef struct node {
    const arka_route *route;
    struct node *next;
} node;

struct arka_route_table {
    arka_map literals; /* path -> node */
    node *patterns;    /* in the order of the list */
    node nodes[];
};

arka_status arka_route_table_new(const arka_route *routes, size_t n, arka_route_table **out,
                                 arka_error *err)
{
    arka_route_table *t = arka_calloc(1, sizeof *t + n * sizeof *t->nodes);
    if (t == NULL)
        return arka_fail_nomem(err, "the route table", n * sizeof *t->nodes);
    node **last = &t->patterns;
    for (size_t i = 0; i < n; i++) {
        node *one = &t->nodes[i];
        one->route = &routes[i];
        if (strchr(routes[i].path, '{') != NULL) {
            *last = one;
            last = &one->next;
            continue;
        }
        arka_slice path = arka_slice_of(routes[i].path);
        one->next = arka_map_get(&t->literals, path);
        if (!arka_map_put(&t->literals, path, one)) {
            arka_route_table_free(t);
            return arka_fail_nomem(err, "the route table", n);
        }
    }
    *out = t;
    return ARKA_OK;
}

void arka_route_table_free(arka_route_table *table)
{
    if (table == NULL)
        return;
    arka_map_fini(&table->literals);
    arka_free(table);
}

/* The segment at the front of *rest ("/a/b" gives "a", leaving "/b"). */
static arka_slice take_segment(arka_slice *rest)
{
    const char *from = rest->data + 1;
    const char *end = rest->data + rest->len;
    const char *slash = memchr(from, '/', (size_t)(end - from));
    if (slash == NULL)
        slash = end;
    *rest = (arka_slice){slash, (size_t)(end - slash)};
    return (arka_slice){from, (size_t)(slash - from)};
}

static bool matches(const char *pattern, arka_slice path, arka_slice args[ARKA_ROUTE_ARGS])
{
    arka_slice want = arka_slice_of(pattern);
    int n_args = 0;
    while (want.len > 0 && path.len > 0) {
        arka_slice a = take_segment(&want), b = take_segment(&path);
        if (a.len > 0 && a.data[0] == '{') {
            if (b.len == 0 || n_args == ARKA_ROUTE_ARGS)
                return false;
            args[n_args++] = b;
        } else if (!arka_slice_eq(a, b)) {
            return false;
        }
    }
    return want.len == 0 && path.len == 0;
}

arka_route_match arka_route_find(const arka_route_table *table, arka_method method, arka_slice path)
{
    arka_route_match m = {0};
    int wanted = method == ARKA_HEAD ? ARKA_GET : (int)method;
    if (path.len == 0 || path.data[0] != '/')
        return m;
    if (path.len > 1 && path.data[path.len - 1] == '/')
        path.len--;
    for (const node *at = arka_map_get(&table->literals, path); at != NULL; at = at->next) {
        m.methods |= at->route->methods;
        if (at->route->methods & wanted)
            m.route = at->route;
    }
    for (const node *at = table->patterns; at != NULL && m.route == NULL; at = at->next) {
        arka_slice args[ARKA_ROUTE_ARGS] = {{NULL, 0}};
        if (!matches(at->route->path, path, args))
            continue;
        m.methods |= at->route->methods;
        if (at->route->methods & wanted) {
            m.route = at->route;
            memcpy(m.args, args, sizeof args);
        }
    }
    return m;
}

size_t arka_path_normalise(char *path, size_t len)
{
    size_t to = 0, from = 0;
    while (from < len) {
        size_t next = from + 1; /* path[from] is a slash */
        while (next < len && path[next] != '/')
            next++;
        size_t n = next - from - 1;
        bool dot = n == 1 && path[from + 1] == '.';
        bool dots = n == 2 && path[from + 1] == '.' && path[from + 2] == '.';
        if (dots)
            while (to > 0 && path[--to] != '/')
                ;
        if (!dot && !dots) {
            memmove(path + to, path + from, n + 1);
            to += n + 1;
        } else if (next == len) {
            path[to++] = '/'; /* "/a/." is the directory "/a/" */
        }
        from = next;
    }
    return to;
}
