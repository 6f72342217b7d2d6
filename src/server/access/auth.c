/* GET /api/v1/auth/verify, and the management of tokens below /api/v1/auth. */
#include <microhttpd.h>

#include "auth/token_json.h"
#include "base/json.h"
#include "base/number.h"
#include "server/access/access.h"
#include "server/http/handlers.h"
#include "server/server_priv.h"
#include "server/access/token_wish.h"

/* ---- a token as JSON ---- */

typedef struct writing {
    arka_buf *out;
    int64_t n;
} writing;

static arka_status write_members(void *context, const arka_token_info *info, arka_error *err)
{
    arka_token_json_members(((writing *)context)->out, info);
    return ARKA_OK;
}

static arka_status write_object(void *context, const arka_token_info *info, arka_error *err)
{
    writing *w = context;
    arka_buf_text(w->out, w->n++ > 0 ? ",{" : "{");
    arka_token_json_members(w->out, info);
    arka_buf_byte(w->out, '}');
    return ARKA_OK;
}

/* {"success":true, and the token's members; the answer is open for more. NULL: it is a failure. */
static arka_buf *begin_answer(arka_request *r, int status, int64_t id)
{
    arka_error err = {0};
    writing w = {.out = arka_answer_json(r, status)};
    arka_buf_literal(w.out, "{\"success\":true,");
    if (arka_token_get(r->server->auth, id, write_members, &w, &err) == ARKA_OK)
        return w.out;
    arka_answer_fail(r, &err);
    return NULL;
}

static arka_handled end_answer(arka_buf *out, const char *message)
{
    if (out != NULL)
        arka_buf_printf(out, ",\"message\":\"%s\"}", message);
    return ARKA_ANSWERED;
}

/* The secret under `name`; nobody on the way may keep it. */
static void put_secret(arka_request *r, arka_buf *out, const char *name, const char *clear)
{
    arka_buf_printf(out, ",\"%s\":\"%s\"", name, clear);
    if (strcmp(name, "token") == 0)
        arka_answer_header(r, "Cache-Control", "no-store");
}

/* ---- what a request says ---- */

static bool is_empty(const arka_token_change *c)
{
    return c->name == NULL && c->description == NULL && c->scope == NULL && c->rights == NULL &&
           c->max_priority == NULL && c->enabled == NULL && c->expires_us == NULL;
}

/* The number in the path. */
static arka_status read_id(const arka_request *r, int64_t *out, arka_error *err)
{
    arka_slice text = r->args[0];
    if (arka_parse_i64(text.data, text.len, out) && *out > 0)
        return ARKA_OK;
    return arka_fail(err, ARKA_NOTFOUND, "there is no token '%.*s': tokens have numbers",
                     text.len > 40 ? 40 : (int)text.len, text.data);
}

/* What names a token that is there is the client's mistake, not a conflict of two. */
static arka_handled fail(arka_request *r, arka_error *err)
{
    if (err->code == ARKA_EXISTS)
        err->code = ARKA_INPUT;
    return arka_answer_fail(r, err);
}

/* ---- verify ---- */

static arka_handled answer_invalid(arka_request *r, const arka_error *err)
{
    if (err->code != ARKA_NOTFOUND && err->code != ARKA_FORBIDDEN)
        return arka_answer_fail(r, err);
    arka_answer_error(r, 401, "unauthorized", "%s", err->msg);
    arka_answer_header(r, "WWW-Authenticate", "Bearer realm=\"arc\"");
    if (!r->answer.body.failed) {
        r->answer.body.len--; /* the closing brace */
        arka_buf_literal(&r->answer.body, ",\"valid\":false}");
    }
    return ARKA_ANSWERED;
}

static arka_handled answer_valid(arka_request *r, const arka_identity *who)
{
    arka_error err = {0};
    writing w = {.out = arka_answer_json(r, 200)};
    arka_buf_literal(w.out, "{\"success\":true,\"valid\":true,\"permissions\":");
    arka_rights_json(w.out, who->rights);
    arka_buf_literal(w.out, ",\"token_info\":");
    if (arka_token_get(r->server->auth, who->token_id, write_object, &w, &err) != ARKA_OK)
        return answer_invalid(r, &err); /* deleted this very moment */
    arka_buf_byte(w.out, '}');
    return ARKA_ANSWERED;
}

static void verify_slowly(void *context)
{
    ARKA_AUTO(arka_identity) who = NULL;
    arka_request *r = context;
    arka_error err = {0};
    if (arka_access_prove(r, true, &who, &err) == ARKA_OK)
        answer_valid(r, who);
    else
        answer_invalid(r, &err);
    arka_http_give_back(r);
}

arka_handled arka_handle_auth_verify(arka_request *r)
{
    ARKA_AUTO(arka_identity) who = NULL;
    arka_error err = {0};
    if (!r->server->settings->auth_enabled)
        return arka_answer_error(r, 404, "not_found",
                                 "Cannot %s /api/v1/auth/verify: authentication is switched off",
                                 r->method_name);
    arka_status status = arka_access_prove(r, false, &who, &err);
    if (status == ARKA_LIMIT) {
        err = (arka_error){0};
        status = arka_workers_submit(r->server->provers, verify_slowly, r, &err);
        if (status == ARKA_OK)
            return ARKA_DETACHED;
    }
    return status == ARKA_OK ? answer_valid(r, who) : answer_invalid(r, &err);
}

/* ---- tokens ---- */

arka_handled arka_handle_tokens(arka_request *r)
{
    arka_error err = {0};
    writing w = {.out = arka_answer_json(r, 200)};
    arka_buf_literal(w.out, "{\"success\":true,\"tokens\":[");
    if (arka_token_each(r->server->auth, write_object, &w, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_printf(w.out, "],\"count\":%lld}", (long long)w.n);
    return ARKA_ANSWERED;
}

static const struct sockaddr *peer_of(const arka_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

static arka_status create(arka_request *r, const arka_token_wish *w, char clear[ARKA_TOKEN_TEXT],
                          int64_t *id, arka_error *err)
{
    const arka_token_change *c = &w->change;
    arka_token_info info = {
        .name = c->name,
        .description = c->description,
        .rights = c->rights ? w->rights : ARKA_MAY_READ | ARKA_MAY_WRITE,
        .scope = c->scope,
        .max_priority = c->max_priority ? w->priority : ARKA_PRIORITY_NORMAL,
        .enabled = c->enabled ? w->enabled : true,
        .expires_us = w->expires_us,
    };
    if (info.name == NULL)
        return arka_fail(err, ARKA_INPUT, "the field \"name\" is missing");
    return arka_token_create(r->server->auth, &info, r->arrived_us, clear, id, err);
}

arka_handled arka_handle_token_create(arka_request *r)
{
    arka_creations *creations = &r->server->creations;
    char clear[ARKA_TOKEN_TEXT];
    arka_error err = {0};
    int64_t id;
    arka_token_wish w;
    int wait_s = arka_creations_take(creations, peer_of(r), r->arrived);
    if (wait_s > 0) {
        arka_answer_error(r, 429, "too_many_requests",
                          "%d tokens were made from this address in the last minute: wait %d s",
                          ARKA_CREATIONS_A_MINUTE, wait_s);
        arka_answer_header(r, "Retry-After", "%d", wait_s);
        return ARKA_ANSWERED;
    }
    arka_status status = arka_token_wish_read(r->body, r->arrived_us, &w, &err);
    if (status == ARKA_OK)
        status = create(r, &w, clear, &id, &err);
    arka_token_wish_fini(&w);
    if (status != ARKA_OK) {
        arka_creations_undo(creations, peer_of(r), r->arrived);
        return fail(r, &err);
    }
    arka_buf *out = begin_answer(r, 201, id);
    if (out != NULL)
        put_secret(r, out, "token", clear);
    arka_token_wipe(clear);
    return end_answer(out, "token created; it is shown only once");
}

arka_handled arka_handle_token_get(arka_request *r)
{
    arka_error err = {0};
    int64_t id;
    if (read_id(r, &id, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf *out = begin_answer(r, 200, id);
    if (out == NULL)
        return ARKA_ANSWERED;
    /* once flat, and once where another generation of clients looks for it */
    writing w = {.out = out};
    arka_buf_literal(out, ",\"token\":");
    if (arka_token_get(r->server->auth, id, write_object, &w, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_byte(out, '}');
    return ARKA_ANSWERED;
}

static arka_status update(arka_request *r, int64_t *id, arka_error *err)
{
    arka_token_wish w = {.arena = ARKA_ARENA_INIT};
    ARKA_TRY(read_id(r, id, err));
    arka_status status = arka_token_wish_read(r->body, r->arrived_us, &w, err);
    if (status == ARKA_OK && is_empty(&w.change))
        status = arka_fail(err, ARKA_INPUT,
                           "nothing to update: expected name, description, permissions, scope, "
                           "max_priority, enabled, expires_at or expires_in");
    if (status == ARKA_OK)
        status = arka_token_update(r->server->auth, *id, &w.change, r->arrived_us, err);
    arka_token_wish_fini(&w);
    return status;
}

arka_handled arka_handle_token_update(arka_request *r)
{
    arka_error err = {0};
    int64_t id;
    if (update(r, &id, &err) != ARKA_OK)
        return fail(r, &err);
    return end_answer(begin_answer(r, 200, id), "token updated");
}

arka_handled arka_handle_token_delete(arka_request *r)
{
    arka_error err = {0};
    int64_t id;
    if (read_id(r, &id, &err) != ARKA_OK ||
        arka_token_delete(r->server->auth, id, r->arrived_us, &err) != ARKA_OK)
        return fail(r, &err);
    arka_buf_printf(arka_answer_json(r, 200),
                    "{\"success\":true,\"message\":\"token deleted\",\"token_id\":%lld}",
                    (long long)id);
    return ARKA_ANSWERED;
}

arka_handled arka_handle_token_rotate(arka_request *r)
{
    char clear[ARKA_TOKEN_TEXT];
    arka_error err = {0};
    int64_t id;
    if (read_id(r, &id, &err) != ARKA_OK ||
        arka_token_rotate(r->server->auth, id, clear, &err) != ARKA_OK)
        return fail(r, &err);
    arka_buf *out = begin_answer(r, 200, id);
    if (out != NULL) {
        put_secret(r, out, "token", clear);
        put_secret(r, out, "new_token", clear);
    }
    arka_token_wipe(clear);
    return end_answer(out, "token rotated; the old value no longer works, the new one is shown "
                           "only once");
}

arka_handled arka_handle_token_revoke(arka_request *r)
{
    static const bool OFF = false;
    arka_error err = {0};
    arka_token_change change = {.enabled = &OFF};
    int64_t id;
    if (read_id(r, &id, &err) != ARKA_OK ||
        arka_token_update(r->server->auth, id, &change, r->arrived_us, &err) != ARKA_OK)
        return fail(r, &err);
    return end_answer(begin_answer(r, 200, id), "token revoked");
}

/* ---- permissions, by place ---- */

static void put_grant(arka_buf *out, arka_slice database, arka_slice measurement,
                      arka_rights rights)
{
    arka_buf_literal(out, "{\"database\":");
    arka_json_string_repaired(out, database);
    arka_buf_literal(out, ",\"measurement\":");
    arka_json_string_repaired(out, measurement);
    arka_buf_literal(out, ",\"permissions\":");
    arka_rights_json(out, rights);
    arka_buf_literal(out, ",\"source\":\"token\"}");
}

static arka_status write_grants(void *context, const arka_token_info *info, arka_error *err)
{
    arka_buf *out = ((writing *)context)->out;
    arka_slice rest = arka_slice_of(*info->scope ? info->scope : "*"), word;
    const char *comma = "";
    while (arka_word_next(&rest, &word)) {
        const char *dot = memchr(word.data, '.', word.len);
        size_t n = dot ? (size_t)(dot - word.data) : word.len;
        arka_slice table = dot ? (arka_slice){dot + 1, word.len - n - 1} : ARKA_SLICE("*");
        arka_buf_text(out, comma);
        put_grant(out, (arka_slice){word.data, n}, table, info->rights);
        comma = ",";
    }
    return ARKA_OK;
}

arka_handled arka_handle_token_permissions(arka_request *r)
{
    arka_error err = {0};
    int64_t id;
    if (read_id(r, &id, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    writing w = {.out = arka_answer_json(r, 200)};
    arka_buf_printf(w.out, "{\"success\":true,\"token_id\":%lld,\"permissions\":[", (long long)id);
    if (arka_token_get(r->server->auth, id, write_grants, &w, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_literal(w.out, "],\"rbac_enabled\":false}");
    return ARKA_ANSWERED;
}

/* ---- the cache ---- */

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void put_stats(arka_buf *out, const arka_auth_stats *s)
{
    arka_buf_printf(out,
                    "\"cache_size\":%lld,\"max_cache_size\":%lld,\"cache_ttl_seconds\":%lld,"
                    "\"utilization_percent\":%.2f,\"total_requests\":%lld,\"cache_hits\":%lld,"
                    "\"cache_misses\":%lld,\"cache_evictions\":%lld,\"hit_rate_percent\":%.2f,"
                    "\"refused\":%lld,\"cleanup_thread_running\":%s",
                    (long long)s->entries, (long long)s->max_entries, (long long)s->ttl_ms / 1000,
                    percent(s->entries, s->max_entries), (long long)s->checks, (long long)s->hits,
                    (long long)s->misses, (long long)s->evictions, percent(s->hits, s->checks),
                    (long long)s->refusals, s->keeper_runs ? "true" : "false");
}

arka_handled arka_handle_auth_cache_stats(arka_request *r)
{
    arka_auth_stats s;
    arka_auth_get_stats(r->server->auth, &s);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"success\":true,");
    put_stats(b, &s);
    arka_buf_literal(b, ",\"stats\":{");
    put_stats(b, &s);
    arka_buf_literal(b, "}}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_auth_cache_invalidate(arka_request *r)
{
    int64_t n = arka_auth_forget(r->server->auth);
    arka_buf_printf(arka_answer_json(r, 200),
                    "{\"success\":true,\"message\":\"%lld tokens forgotten\",\"entries_removed\":"
                    "%lld,\"cache_ttl_seconds\":%lld}",
                    (long long)n, (long long)n, (long long)r->server->settings->auth_cache_ttl);
    return ARKA_ANSWERED;
}
