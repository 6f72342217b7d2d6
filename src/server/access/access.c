#include "server/access/access.h"

#include <microhttpd.h>
#include <netinet/in.h>

#include "base/hash.h"
#include "server/access/credential.h"
#include "server/server_priv.h"

static arka_scope *scope_of(const arka_request *r)
{
    return r->identity != NULL ? r->identity->scope : NULL;
}

/* ---- what a route asks for ---- */

/* 0: any token will do. */
static arka_rights rights_of(const arka_route *route)
{
    static const arka_rights RIGHTS[] = {
        [ARKA_PERMISSION_NONE] = 0,
        [ARKA_PERMISSION_ANY] = 0,
        [ARKA_PERMISSION_READ] = ARKA_MAY_READ,
        [ARKA_PERMISSION_WRITE] = ARKA_MAY_WRITE,
        [ARKA_PERMISSION_DELETE] = ARKA_MAY_DELETE,
        [ARKA_PERMISSION_ADMIN] = ARKA_MAY_ADMIN,
    };
    return RIGHTS[route->permission];
}

bool arka_access_listed(const char *list, arka_slice path)
{
    arka_slice rest = arka_slice_of(list), word;
    if (path.len > 1 && path.data[path.len - 1] == '/')
        path.len--; /* the same route */
    while (arka_word_next(&rest, &word)) {
        bool prefix = word.len > 0 && word.data[word.len - 1] == '*';
        size_t n = word.len - prefix;
        if (word.len > 0 && (prefix ? path.len >= n : path.len == n) &&
            memcmp(path.data, word.data, n) == 0)
            return true;
    }
    return false;
}

static bool is_open(const arka_request *r)
{
    const arka_settings *s = r->server->settings;
    return !s->auth_enabled || r->route->permission == ARKA_PERMISSION_NONE ||
           arka_access_listed(s->auth_allowlist, r->path);
}

/* ---- who asks ---- */

/* Of an IPv6 address what stands for a network: its owner has 2^64 of them. */
static uint64_t place_of(const arka_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (from != NULL && from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof v4);
        return arka_hash(&v4.sin_addr, 4, 0);
    }
    if (from == NULL || from->sa_family != AF_INET6)
        return 0;
    memcpy(&v6, from, sizeof v6);
    const unsigned char *bytes = v6.sin6_addr.s6_addr;
    return IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) ? arka_hash(bytes + 12, 4, 0)
                                               : arka_hash(bytes, 8, 0);
}

arka_status arka_access_prove(arka_request *r, bool may_wait, arka_identity **out, arka_error *err)
{
    arka_credential credential;
    arka_auth_asker asker = {place_of(r), may_wait};
    *out = NULL;
    arka_status status = arka_credential_find(r, &credential, err);
    if (status == ARKA_OK)
        status = credential.first.len == 0
                     ? arka_fail(err, ARKA_NOTFOUND,
                                 "this needs a token: send it as 'Authorization: Bearer TOKEN'")
                     : arka_auth_check_from(r->server->auth, &asker, credential.first,
                                            credential.second, r->arrived_us, out, err);
    arka_credential_wipe(&credential);
    return status;
}

static void answer_unproven(arka_request *r, const arka_error *err)
{
    if (err->code == ARKA_NOTFOUND || err->code == ARKA_FORBIDDEN) {
        arka_answer_error(r, 401, "unauthorized", "%s", err->msg);
        arka_answer_header(r, "WWW-Authenticate", "Bearer realm=\"arc\"");
        return;
    }
    if (err->code != ARKA_BUSY && err->code != ARKA_NOMEM)
        arka_log_write(r->server->log, ARKA_ERROR, "token_not_checked", r->id, "%s", err->msg);
    arka_answer_error(r, 503, "unavailable", "%s",
                      err->code == ARKA_BUSY ? err->msg : "tokens cannot be checked at the moment");
}

arka_handled arka_access_refuse(arka_request *r, arka_rights needed)
{
    return arka_answer_error(r, 403, "forbidden",
                             "this needs the permission '%s', which the token '%s' does not have",
                             arka_right_name(needed), r->identity ? r->identity->name : "");
}

static void check(arka_request *r, bool may_wait)
{
    arka_error err = {0};
    r->identity = NULL;
    arka_status status = arka_access_prove(r, may_wait, &r->identity, &err);
    r->unproven = status == ARKA_LIMIT;
    if (r->unproven)
        return;
    if (status != ARKA_OK) {
        answer_unproven(r, &err);
        return;
    }
    arka_rights needed = rights_of(r->route);
    if (!arka_rights_has(r->identity->rights, needed))
        arka_access_refuse(r, needed);
}

void arka_access_check(arka_request *r)
{
    r->identity = NULL;
    if (!is_open(r))
        check(r, false);
}

void arka_access_check_slowly(arka_request *r)
{
    check(r, true);
}

void arka_access_drop(arka_request *r)
{
    arka_identity_unref(r->identity);
    r->identity = NULL;
}

/* ---- what they may ---- */

bool arka_access_may(const arka_request *r, arka_rights rights)
{
    if (!r->server->settings->auth_enabled)
        return true;
    /* nobody was asked: the route's own permission is given to all, and no more */
    return arka_rights_has(r->identity ? r->identity->rights : rights_of(r->route), rights);
}

bool arka_access_table(const arka_request *r, arka_slice database, arka_slice table)
{
    return arka_scope_has_table(scope_of(r), database, table);
}

bool arka_access_database(const arka_request *r, arka_slice database)
{
    return arka_scope_has_database(scope_of(r), database);
}

bool arka_access_all_of(const arka_request *r, arka_slice database)
{
    return arka_scope_has_all_of(scope_of(r), database);
}

arka_status arka_access_need_database(const arka_request *r, arka_slice database, arka_error *err)
{
    return arka_access_database(r, database)
               ? ARKA_OK
               : arka_fail(err, ARKA_FORBIDDEN, "database '%.*s' is outside of the token's scope",
                           ARKA_FMT(database));
}

arka_status arka_access_need_table(const arka_request *r, arka_slice database, arka_slice table,
                                   arka_error *err)
{
    return arka_access_table(r, database, table)
               ? ARKA_OK
               : arka_fail(err, ARKA_FORBIDDEN,
                           "measurement '%.*s.%.*s' is outside of the token's scope",
                           ARKA_FMT(database), ARKA_FMT(table));
}

bool arka_access_everything(const arka_request *r)
{
    return scope_of(r) == NULL;
}

const char *arka_access_scope_text(const arka_request *r)
{
    return arka_scope_text(scope_of(r));
}

static bool sees_database(const void *context, arka_slice database)
{
    return arka_scope_has_database(context, database);
}

static bool sees_table(const void *context, arka_slice database, arka_slice table)
{
    return arka_scope_has_table(context, database, table);
}

arka_visibility arka_access_visibility(const arka_request *r)
{
    arka_visibility v = {
        .key = "",
        .no_admin = !arka_access_may(r, ARKA_MAY_ADMIN),
        .token_id = r->identity ? r->identity->token_id : 0,
    };
    if (scope_of(r) == NULL)
        return v;
    v.context = arka_scope_ref(scope_of(r));
    v.key = arka_scope_text(v.context);
    v.database = sees_database;
    v.table = sees_table;
    return v;
}

void arka_access_visibility_release(arka_visibility *visibility)
{
    arka_scope_unref((arka_scope *)(uintptr_t)visibility->context);
    *visibility = (arka_visibility){0};
}

arka_status arka_access_priority(const arka_request *r, arka_priority *out, arka_error *err)
{
    arka_slice asked = arka_request_header(r, "x-arc-priority");
    *out = ARKA_PRIORITY_NORMAL;
    if (asked.len > 0)
        ARKA_TRY(arka_priority_parse(asked, out, err));
    if (r->identity != NULL && *out > r->identity->max_priority)
        *out = r->identity->max_priority;
    return ARKA_OK;
}
