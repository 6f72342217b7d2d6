#include "server/http/target.h"

#include <strings.h>

#include "server/access/access.h"
#include "server/server_priv.h"

/* "http://host/path" means the same as "/path" (RFC 9112, 3.2.2). */
static arka_slice without_host(arka_slice target)
{
    bool plain = target.len > 7 && strncasecmp(target.data, "http://", 7) == 0;
    bool secure = target.len > 8 && strncasecmp(target.data, "https://", 8) == 0;
    size_t n = plain ? 7 : 8;
    if (!plain && !secure)
        return target;
    const char *end = target.data + target.len, *at = target.data + n;
    while (at < end && *at != '/' && *at != '?')
        at++;
    if (at == end)
        return ARKA_SLICE("/");
    return (arka_slice){at, (size_t)(end - at)};
}

static arka_status read_path(arka_request *r, arka_slice target, arka_error *err)
{
    r->path = target;
    if (target.len == 0 || target.data[0] != '/')
        return arka_fail(err, ARKA_INPUT, "the request target is not a path");
    if (memchr(target.data, '%', target.len) == NULL &&
        memmem(target.data, target.len, "/.", 2) == NULL)
        return ARKA_OK;
    ARKA_TRY(arka_percent_decode(target, &r->arena, &target, err));
    char *path = arka_arena_strndup(&r->arena, target.data, target.len);
    if (path == NULL)
        return arka_fail_nomem(err, "a path", target.len);
    r->path = (arka_slice){path, arka_path_normalise(path, target.len)};
    return ARKA_OK;
}

static arka_status read_target(arka_request *r, arka_slice target, arka_error *err)
{
    target = without_host(target);
    const char *mark = target.len ? memchr(target.data, '?', target.len) : NULL;
    if (mark != NULL) {
        r->query = (arka_slice){mark + 1, (size_t)(target.data + target.len - mark - 1)};
        target.len = (size_t)(mark - target.data);
    }
    return read_path(r, target, err);
}

/* No route: is it the path, or only the method? */
static void answer_without_route(arka_request *r, int methods)
{
    char names[64];
    int shown = r->path.len > 200 ? 200 : (int)r->path.len;
    arka_methods_text(methods, names);
    if (methods == 0) {
        arka_answer_error(r, 404, "not_found", "Cannot %s %.*s", r->method_name, shown,
                          r->path.data);
        return;
    }
    if (r->method == ARKA_OPTIONS)
        arka_answer_empty(r);
    else
        arka_answer_error(r, 405, "method_not_allowed", "%s is not allowed on %.*s, only %s",
                          r->method_name, shown, r->path.data, names);
    arka_answer_header(r, "Allow", "%s", names);
}

static void answer_starting(arka_request *r)
{
    char text[ARKA_OPENING_TEXT];
    double progress;
    arka_opening_text(r->server, text, &progress);
    arka_answer_error(r, 503, r->route->shape == ARKA_SHAPE_INFLUX2 ? "unavailable" : "starting",
                      "the server is starting: %s", text);
}

void arka_target_route(arka_request *r, arka_slice target)
{
    arka_error err = {0};
    if (read_target(r, target, &err) != ARKA_OK) {
        arka_answer_fail(r, &err);
        return;
    }
    arka_route_match match = arka_route_find(r->server->routes, r->method, r->path);
    r->route = match.route;
    memcpy(r->args, match.args, sizeof r->args);
    if (match.route == NULL) {
        answer_without_route(r, match.methods);
        return;
    }
    arka_access_check(r);
    if (!r->unproven)
        arka_target_admit(r);
}

void arka_target_admit(arka_request *r)
{
    if (r->answer.status == 0 && r->route->run != ARKA_RUN_HERE && !arka_server_is_open(r->server))
        answer_starting(r);
}
