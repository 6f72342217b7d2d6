#include "server/docs/openapi.h"

#include <stdio.h>

#include "base/json.h"

typedef struct param {
    const char *handler, *place, *name, *type;
    bool needed;
    const char *text;
} param;

typedef struct body {
    const char *handler, *media, *schema, *text;
} body;

typedef struct reply {
    const char *handler;
    int status;
    const char *media, *schema, *text;
} reply;

typedef struct header {
    const char *handler, *name, *text;
} header;

typedef struct schema {
    const char *name, *json;
} schema;

static const param PARAMS[] = {
#define PARAM(handler, place, name, type, needed, text)                                            \
    {#handler, #place, name, type, needed, text},
#include "server/docs/api.def"
};
static const body BODIES[] = {
#define BODY(handler, media, schema, text) {#handler, media, schema, text},
#include "server/docs/api.def"
};
static const reply REPLIES[] = {
#define ANSWER(handler, status, media, schema, text) {#handler, status, media, schema, text},
#include "server/docs/api.def"
};
static const header HEADERS[] = {
#define HEADER(handler, name, text) {#handler, name, text},
#include "server/docs/api.def"
};
static const schema SCHEMAS[] = {
#define SCHEMA(name, json) {name, json},
#include "server/docs/api.def"
};

#define N_OF(list) (sizeof(list) / sizeof *(list))

/* The chapters of the document, by how a path begins; the first that fits. */
static const struct {
    const char *prefix, *tag;
} TAGS[] = {
    {"/api/v1/query", "Queries"},
    {"/api/v1/queries", "Queries"},
    {"/api/v1/cache", "Queries"},
    {"/query", "InfluxDB"},
    {"/ping", "InfluxDB"},
    {"/write/", "Writing"},
    {"/write", "InfluxDB"},
    {"/api/v2/msgpack", "Writing"},
    {"/api/v2/", "InfluxDB"},
    {"/api/v1/write", "Writing"},
    {"/api/v1/databases", "Databases"},
    {"/api/v1/measurements", "Databases"},
    {"/api/v1/auth", "Tokens"},
    {"/api/v1/wal", "Log"},
    {"/api/wal", "Log"},
    {"/api/v1/metrics", "Watching"},
    {"/api/v1/logs", "Watching"},
    {"/metrics", "Watching"},
    {"", "System"},
};

static const char *const PERMISSIONS[] = {
    [ARKA_PERMISSION_NONE] = "none",     [ARKA_PERMISSION_ANY] = "any",
    [ARKA_PERMISSION_READ] = "read",     [ARKA_PERMISSION_WRITE] = "write",
    [ARKA_PERMISSION_DELETE] = "delete", [ARKA_PERMISSION_ADMIN] = "admin",
};

/* Methods that have an operation; HEAD and OPTIONS are everywhere and need no words. */
static const struct {
    arka_method method;
    const char *name;
} METHODS[] = {
    {ARKA_GET, "get"},     {ARKA_POST, "post"},     {ARKA_PUT, "put"},
    {ARKA_PATCH, "patch"}, {ARKA_DELETE, "delete"},
};

/* What is being put: a list of all routes, and one of them under one method. */
typedef struct place {
    const arka_route *routes;
    size_t n, at;
    size_t method; /* of METHODS */
    arka_buf *out;
} place;

static const arka_route *route_of(const place *p)
{
    return &p->routes[p->at];
}

static void put_text(arka_buf *out, const char *text)
{
    arka_json_string(out, arka_slice_of(text));
}

static void put_comma(arka_buf *out, bool *first)
{
    if (!*first)
        arka_buf_literal(out, ",");
    *first = false;
}

static void put_schema_ref(arka_buf *out, const char *name)
{
    arka_buf_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}", name);
}

static void put_content(arka_buf *out, const char *media, const char *name)
{
    put_text(out, media);
    arka_buf_literal(out, ":{\"schema\":");
    put_schema_ref(out, name);
    arka_buf_literal(out, "}");
}

/* The first route of the same handler and method: the others are its other names. */
static const arka_route *original(const place *p)
{
    size_t i = 0;
    while (strcmp(p->routes[i].name, route_of(p)->name) != 0 ||
           !(p->routes[i].methods & (int)METHODS[p->method].method))
        i++;
    return &p->routes[i];
}

/* ---- what goes in ---- */

static void put_path_params(const place *p, bool *first)
{
    for (const char *at = strchr(route_of(p)->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        put_comma(p->out, first);
        arka_buf_printf(p->out,
                        "{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,"
                        "\"schema\":{\"type\":\"string\"}}",
                        (int)strcspn(at + 1, "}"), at + 1);
    }
}

static void put_params(const place *p)
{
    bool first = true;
    arka_buf_literal(p->out, ",\"parameters\":[");
    put_path_params(p, &first);
    for (size_t i = 0; i < N_OF(PARAMS); i++) {
        const param *one = &PARAMS[i];
        if (strcmp(one->handler, route_of(p)->name) != 0)
            continue;
        put_comma(p->out, &first);
        arka_buf_printf(p->out, "{\"name\":\"%s\",\"in\":\"%s\",\"required\":%s,\"description\":",
                        one->name, one->place, one->needed ? "true" : "false");
        put_text(p->out, one->text);
        arka_buf_printf(p->out, ",\"schema\":{\"type\":\"%s\"}}", one->type);
    }
    arka_buf_literal(p->out, "]");
}

static bool has_body(const place *p)
{
    if (METHODS[p->method].method == ARKA_GET)
        return false;
    for (size_t i = 0; i < N_OF(BODIES); i++)
        if (strcmp(BODIES[i].handler, route_of(p)->name) == 0)
            return true;
    return false;
}

static void put_body(const place *p)
{
    bool first = true;
    if (!has_body(p))
        return;
    arka_buf_literal(p->out, ",\"requestBody\":{\"required\":true,\"content\":{");
    const char *text = "";
    for (size_t i = 0; i < N_OF(BODIES); i++) {
        if (strcmp(BODIES[i].handler, route_of(p)->name) != 0)
            continue;
        put_comma(p->out, &first);
        put_content(p->out, BODIES[i].media, BODIES[i].schema);
        text = BODIES[i].text;
    }
    arka_buf_literal(p->out, "},\"description\":");
    put_text(p->out, text);
    arka_buf_literal(p->out, "}");
}

/* ---- what comes out ---- */

static void put_answer_headers(const place *p, int status)
{
    arka_buf_literal(p->out, ",\"headers\":{\"X-Request-ID\":{\"$ref\":\"#/components/headers/"
                             "RequestId\"}");
    for (size_t i = 0; status < 300 && i < N_OF(HEADERS); i++) {
        if (strcmp(HEADERS[i].handler, route_of(p)->name) != 0)
            continue;
        arka_buf_literal(p->out, ",");
        put_text(p->out, HEADERS[i].name);
        arka_buf_literal(p->out, ":{\"schema\":{\"type\":\"string\"},\"description\":");
        put_text(p->out, HEADERS[i].text);
        arka_buf_literal(p->out, "}");
    }
    arka_buf_literal(p->out, "}");
}

/* All rows of one status, from the first of them on, are one answer with several media types. */
static void put_answer(const place *p, size_t from)
{
    const reply *head = &REPLIES[from];
    bool first = true;
    arka_buf_printf(p->out, "\"%d\":{\"description\":", head->status);
    put_text(p->out, head->text);
    put_answer_headers(p, head->status);
    if (*head->media != 0) {
        arka_buf_literal(p->out, ",\"content\":{");
        for (size_t i = from; i < N_OF(REPLIES); i++) {
            const reply *one = &REPLIES[i];
            if (strcmp(one->handler, head->handler) != 0 || one->status != head->status)
                continue;
            put_comma(p->out, &first);
            put_content(p->out, one->media, one->schema);
        }
        arka_buf_literal(p->out, "}");
    }
    arka_buf_literal(p->out, "}");
}

static bool is_first_of_status(size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(REPLIES[i].handler, REPLIES[at].handler) == 0 &&
            REPLIES[i].status == REPLIES[at].status)
            return false;
    return true;
}

/* Its own answers; is 503 one of them? */
static void put_own_answers(const place *p, bool *has_503)
{
    bool first = true;
    for (size_t i = 0; i < N_OF(REPLIES); i++) {
        if (strcmp(REPLIES[i].handler, route_of(p)->name) != 0 || !is_first_of_status(i))
            continue;
        put_comma(p->out, &first);
        put_answer(p, i);
        *has_503 |= REPLIES[i].status == 503;
    }
    if (first) {
        arka_buf_literal(p->out, "\"200\":{\"description\":\"Done\"");
        put_answer_headers(p, 200);
        arka_buf_literal(p->out, ",\"content\":{");
        put_content(p->out, "application/json", "Any");
        arka_buf_literal(p->out, "}}");
    }
}

static void put_failure(const place *p, const char *status, const char *name)
{
    bool query = route_of(p)->shape == ARKA_SHAPE_QUERY;
    arka_buf_printf(p->out, ",\"%s\":{\"$ref\":\"#/components/responses/%s%s\"}", status,
                    query ? "Query" : "", name);
}

static void put_answers(const place *p)
{
    const arka_route *r = route_of(p);
    bool has_503 = false;
    arka_buf_literal(p->out, ",\"responses\":{");
    put_own_answers(p, &has_503);
    put_failure(p, "400", "Invalid");
    if (r->permission != ARKA_PERMISSION_NONE) {
        put_failure(p, "401", "Unknown");
        put_failure(p, "403", "Forbidden");
    }
    if (strchr(r->path, '{') != NULL || r->run == ARKA_RUN_QUERY)
        put_failure(p, "404", "NotFound");
    if (has_body(p)) {
        if (r->run != ARKA_RUN_WRITES) /* there it is 503 */
            put_failure(p, "408", "TooSlow");
        put_failure(p, "413", "TooLarge");
    }
    if (r->run != ARKA_RUN_HERE)
        put_failure(p, "500", "Internal");
    if (!has_503 && r->run != ARKA_RUN_HERE)
        put_failure(p, "503", "Unavailable");
    if (r->run == ARKA_RUN_QUERY)
        put_failure(p, "504", "Timeout");
    arka_buf_literal(p->out, "}");
}

/* ---- operations ---- */

static const char *tag_of(const char *path)
{
    size_t i = 0;
    while (strncmp(path, TAGS[i].prefix, strlen(TAGS[i].prefix)) != 0)
        i++;
    return TAGS[i].tag;
}

/* The handler's name, with what makes it unique: the method of the second, the place of an alias.
 */
static void put_id(const place *p)
{
    const arka_route *r = route_of(p);
    bool several = (r->methods & (r->methods - 1)) != 0;
    arka_buf_printf(p->out, "\"operationId\":\"%s%s%s", r->name, several ? "_" : "",
                    several ? METHODS[p->method].name : "");
    if (original(p) != r)
        arka_buf_printf(p->out, "_%zu", p->at);
    arka_buf_literal(p->out, "\"");
}

static void put_operation(const place *p)
{
    const arka_route *r = route_of(p), *first = original(p);
    arka_buf_printf(p->out, "\"%s\":{", METHODS[p->method].name);
    put_id(p);
    arka_buf_printf(p->out, ",\"tags\":[\"%s\"],\"summary\":", tag_of(r->path));
    put_text(p->out, first->text);
    if (first != r)
        arka_buf_printf(p->out, ",\"description\":\"Another path of `%s`.\"", first->path);
    arka_buf_printf(p->out, ",\"x-permission\":\"%s\"", PERMISSIONS[r->permission]);
    if (r->permission == ARKA_PERMISSION_NONE)
        arka_buf_literal(p->out, ",\"security\":[]");
    put_params(p);
    put_body(p);
    put_answers(p);
    arka_buf_literal(p->out, "}");
}

static bool is_first_of_path(const place *p)
{
    for (size_t i = 0; i < p->at; i++)
        if (strcmp(p->routes[i].path, route_of(p)->path) == 0)
            return false;
    return true;
}

/* Every route of one path, method by method. */
static void put_path(const place *from)
{
    place p = *from;
    bool first = true;
    put_text(p.out, route_of(from)->path);
    arka_buf_literal(p.out, ":{");
    for (p.at = from->at; p.at < p.n; p.at++)
        for (p.method = 0; p.method < N_OF(METHODS); p.method++) {
            if (strcmp(route_of(&p)->path, route_of(from)->path) != 0 ||
                !(route_of(&p)->methods & (int)METHODS[p.method].method))
                continue;
            put_comma(p.out, &first);
            put_operation(&p);
        }
    arka_buf_literal(p.out, "}");
}

/* ---- components ---- */

static void put_failures(arka_buf *out, const char *prefix, const char *name)
{
    static const struct {
        const char *name, *text;
        bool retry;
    } FAILURES[] = {
        {"Invalid", "The body, a parameter or a name cannot be used", false},
        {"Unknown", "No credential, or one that is not valid", false},
        {"Forbidden", "The credential is not worth that", false},
        {"NotFound", "There is no such thing", false},
        {"TooSlow", "The body came too slowly", false},
        {"TooLarge", "The body, or what it becomes, is over a limit", false},
        {"Internal", "A fault of the server", false},
        {"Unavailable", "Not now: too busy, starting, or unable to store", true},
        {"Timeout", "It took longer than it may", false},
    };
    for (size_t i = 0; i < N_OF(FAILURES); i++) {
        arka_buf_printf(out,
                        "%s\"%s%s\":{\"description\":\"%s\",\"headers\":{\"X-Request-ID\":"
                        "{\"$ref\":\"#/components/headers/RequestId\"}",
                        i > 0 || *prefix != 0 ? "," : "", prefix, FAILURES[i].name,
                        FAILURES[i].text);
        if (FAILURES[i].retry)
            arka_buf_literal(out, ",\"Retry-After\":{\"description\":\"seconds\",\"schema\":{"
                                  "\"type\":\"integer\"}}");
        arka_buf_literal(out, "},\"content\":{");
        put_content(out, "application/json", name);
        arka_buf_literal(out, "}}");
    }
}

/* A ' of the text is a ". */
static void put_quoted(arka_buf *out, const char *json)
{
    for (; *json != 0; json++)
        arka_buf_byte(out, *json == '\'' ? '"' : *json);
}

static void put_components(arka_buf *out)
{
    arka_buf_literal(out, ",\"components\":{\"securitySchemes\":{"
                          "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
                          "\"key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"x-api-key\"}},"
                          "\"headers\":{\"RequestId\":{\"description\":\"the id that the request "
                          "had, else a new one\",\"schema\":{\"type\":\"string\"}}},"
                          "\"responses\":{");
    put_failures(out, "", "Error");
    put_failures(out, "Query", "QueryError");
    arka_buf_literal(out, "},\"schemas\":{");
    for (size_t i = 0; i < N_OF(SCHEMAS); i++) {
        arka_buf_printf(out, "%s\"%s\":", i > 0 ? "," : "", SCHEMAS[i].name);
        put_quoted(out, SCHEMAS[i].json);
    }
    arka_buf_literal(out, "}}");
}

void arka_openapi_put(const arka_route *routes, size_t n, bool secure, arka_buf *out)
{
    place p = {.routes = routes, .n = n, .out = out};
    bool first = true;
    arka_buf_literal(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Arc\",\"version\":"
                          "\"" ARC_VERSION "\",\"summary\":\"Time series: write, query, watch\","
                          "\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"},"
                          "\"description\":\"HEAD works wherever GET does, OPTIONS answers a "
                          "browser's preflight, and a trailing slash does not matter.\"},"
                          "\"servers\":[{\"url\":\"/\"}],\"paths\":{");
    for (p.at = 0; p.at < n; p.at++) {
        if (!is_first_of_path(&p))
            continue;
        put_comma(out, &first);
        put_path(&p);
    }
    arka_buf_literal(out, "}");
    put_components(out);
    arka_buf_text(out, secure ? ",\"security\":[{\"bearer\":[]},{\"key\":[]}]}"
                              : ",\"security\":[{},{\"bearer\":[]},{\"key\":[]}]}");
}
