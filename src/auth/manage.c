/* Making, changing and listing tokens. */
#include <stdio.h>
#include <strings.h>

#include "auth/auth_priv.h"
#include "base/utf8.h"

void arka_auth_set_cache_ttl(arka_auth *auth, int64_t ttl_ms)
{
    arka_cache_set_ttl(auth->cache, ttl_ms);
}

/* ---- priorities ---- */

static const char *const PRIORITIES[ARKA_N_PRIORITIES] = {
    [ARKA_PRIORITY_LOW] = "low",
    [ARKA_PRIORITY_NORMAL] = "normal",
    [ARKA_PRIORITY_HIGH] = "high",
    [ARKA_PRIORITY_CRITICAL] = "critical",
};

const char *arka_priority_name(arka_priority priority)
{
    return PRIORITIES[priority];
}

arka_status arka_priority_parse(arka_slice text, arka_priority *out, arka_error *err)
{
    for (int i = 0; i < ARKA_N_PRIORITIES; i++)
        if (text.len == strlen(PRIORITIES[i]) &&
            strncasecmp(text.data, PRIORITIES[i], text.len) == 0) {
            *out = (arka_priority)i;
            return ARKA_OK;
        }
    return arka_fail(err, ARKA_INPUT, "priority '%.*s' is not low, normal, high or critical",
                     text.len > 40 ? 40 : (int)text.len, text.data);
}

void arka_token_wipe(char clear[ARKA_TOKEN_TEXT])
{
    arka_secret_wipe(clear, ARKA_TOKEN_TEXT);
}

/* ---- what a token may be ---- */

static size_t n_characters(arka_slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return n;
}

static arka_status check_text(const char *what, arka_slice text, size_t longest, arka_error *err)
{
    if (!arka_utf8_valid(text.data, text.len))
        return arka_fail(err, ARKA_INPUT, "the token's %s is not UTF-8", what);
    if (n_characters(text) > longest)
        return arka_fail(err, ARKA_INPUT,
                         "the token's %s has %zu characters: at most %zu are allowed", what,
                         n_characters(text), longest);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return arka_fail(err, ARKA_INPUT, "the token's %s has a control character at byte %zu",
                             what, i + 1);
    return ARKA_OK;
}

static arka_status check_names(arka_slice name, arka_slice description, arka_error *err)
{
    if (name.len == 0)
        return arka_fail(err, ARKA_INPUT, "the token's name is empty");
    ARKA_TRY(check_text("name", name, ARKA_TOKEN_NAME, err));
    return check_text("description", description, ARKA_TOKEN_DESCRIPTION, err);
}

/* *out: the text as it is kept, in the arena. */
static arka_status check_scope(arka_slice text, arka_rights rights, arka_arena *arena,
                               arka_slice *out, arka_error *err)
{
    ARKA_AUTO(arka_scope) scope = NULL;
    ARKA_TRY(arka_scope_parse(text, &scope, err));
    if (scope != NULL && (rights & ARKA_MAY_ADMIN) != 0)
        return arka_fail(
            err, ARKA_INPUT,
            "a token with the permission 'admin' cannot have a scope: an administrator "
            "reaches everything");
    const char *kept = arka_arena_text(arena, arka_slice_of(arka_scope_text(scope)));
    if (kept == NULL)
        return arka_fail_nomem(err, "a scope", text.len);
    *out = arka_slice_of(kept);
    return ARKA_OK;
}

static arka_status check_expiry(int64_t expires_us, int64_t now_us, arka_error *err)
{
    if (expires_us != 0 && expires_us <= now_us)
        return arka_fail(err, ARKA_INPUT, "the token's expiry is past");
    return ARKA_OK;
}

/* ---- the last administrator ---- */

static bool is_admin(const arka_token_row *row, int64_t now_us)
{
    arka_rights rights;
    return row->enabled && (row->expires_us == 0 || row->expires_us > now_us) &&
           arka_rights_parse(row->permissions, &rights, NULL) == ARKA_OK &&
           (rights & ARKA_MAY_ADMIN) != 0;
}

typedef struct admins {
    int64_t but_id, now_us;
    int n;
} admins;

static arka_status count_admin(void *context, const arka_token_row *row, arka_error *err)
{
    admins *a = context;
    a->n += row->id != a->but_id && is_admin(row, a->now_us);
    return ARKA_OK;
}

/* The token is about to be no administrator any more: is there another? */
static arka_status check_last(arka_change *c, int64_t now_us, const char *what, arka_error *err)
{
    admins a = {.but_id = c->row.id, .now_us = now_us};
    ARKA_TRY(arka_tokens_each(c->auth->writer, count_admin, &a, err));
    if (a.n == 0)
        return arka_fail(err, ARKA_CONFLICT,
                         "token %lld is the last enabled one with the permission 'admin': make "
                         "another before it is %s",
                         (long long)c->row.id, what);
    return ARKA_OK;
}

/* "UNIQUE constraint failed" says nothing to who asked. */
static arka_status say_taken(arka_status status, arka_slice name, arka_error *err)
{
    if (status != ARKA_EXISTS)
        return status;
    if (err != NULL)
        *err = (arka_error){0};
    return arka_fail(err, ARKA_EXISTS, "there is a token named '%.*s' already", ARKA_FMT(name));
}

static arka_status add_row(arka_auth *auth, const arka_token_row *row, int64_t *out_id,
                           arka_error *err)
{
    arka_change c;
    arka_status status = arka_change__begin(&c, auth, err);
    if (status != ARKA_OK)
        return status;
    status = say_taken(arka_tokens_add(auth->writer, row, out_id, err), row->name, err);
    return arka_change__finish(&c, status, err);
}

static arka_status create(arka_auth *auth, const arka_token_info *info, int64_t now_us,
                          arka_arena *arena, char clear[ARKA_TOKEN_TEXT], int64_t *out_id,
                          arka_error *err)
{
    arka_token_row row = {
        .name = arka_slice_of(info->name),
        .description = arka_slice_of(info->description ? info->description : ""),
        .max_priority = arka_slice_of(arka_priority_name(info->max_priority)),
        .enabled = info->enabled,
        .created_us = now_us,
        .expires_us = info->expires_us,
    };
    ARKA_TRY(check_names(row.name, row.description, err));
    ARKA_TRY(check_expiry(info->expires_us, now_us, err));
    arka_slice scope = arka_slice_of(info->scope ? info->scope : "");
    ARKA_TRY(check_scope(scope, info->rights, arena, &row.scope, err));
    ARKA_TRY(arka_change__put_rights(info->rights, arena, &row.permissions, err));
    ARKA_TRY(arka_change__generate(&row, arena, clear, err));
    arka_status status = add_row(auth, &row, out_id, err);
    if (status != ARKA_OK)
        arka_token_wipe(clear);
    return status;
}

arka_status arka_token_create(arka_auth *auth, const arka_token_info *info, int64_t now_us,
                              char clear[ARKA_TOKEN_TEXT], int64_t *out_id, arka_error *err)
{
    arka_arena arena = ARKA_ARENA_INIT;
    clear[0] = 0;
    arka_status status = create(auth, info, now_us, &arena, clear, out_id, err);
    arka_arena_fini(&arena);
    return status;
}

/* ---- update ---- */

static arka_status apply(arka_change *c, const arka_token_change *new, int64_t now_us,
                         arka_error *err)
{
    arka_token_row *row = &c->row;
    arka_rights rights;
    if (new->name != NULL)
        row->name = arka_slice_of(new->name);
    if (new->description != NULL)
        row->description = arka_slice_of(new->description);
    ARKA_TRY(check_names(row->name, row->description, err));
    if (new->expires_us != NULL) {
        ARKA_TRY(check_expiry(*new->expires_us, now_us, err));
        row->expires_us = *new->expires_us;
    }
    if (new->enabled != NULL)
        row->enabled = *new->enabled;
    if (new->max_priority != NULL)
        row->max_priority = arka_slice_of(arka_priority_name(*new->max_priority));
    if (new->rights != NULL)
        ARKA_TRY(arka_change__put_rights(*new->rights, &c->arena, &row->permissions, err));
    if (new->scope == NULL &&new->rights == NULL)
        return ARKA_OK;
    ARKA_TRY(arka_rights_parse(row->permissions, &rights, err));
    arka_slice scope = new->scope != NULL ? arka_slice_of(new->scope) : row->scope;
    return check_scope(scope, rights, &c->arena, &row->scope, err);
}

static arka_status update(arka_change *c, const arka_token_change *new, int64_t now_us,
                          arka_error *err)
{
    bool was = is_admin(&c->row, now_us);
    ARKA_TRY(apply(c, new, now_us, err));
    if (was && !is_admin(&c->row, now_us))
        ARKA_TRY(check_last(c, now_us, c->row.enabled ? "changed" : "revoked", err));
    arka_status status = arka_tokens_set(c->auth->writer, &c->row, err);
    return say_taken(status, c->row.name, err);
}

arka_status arka_token_update(arka_auth *auth, int64_t id, const arka_token_change *new,
                              int64_t now_us, arka_error *err)
{
    arka_change c;
    arka_status status = arka_change__begin_with(&c, auth, id, err);
    if (status != ARKA_OK && c.auth == NULL)
        return status;
    if (status == ARKA_OK)
        status = update(&c, new, now_us, err);
    return arka_change__finish(&c, status, err);
}

arka_status arka_token_delete(arka_auth *auth, int64_t id, int64_t now_us, arka_error *err)
{
    arka_change c;
    arka_status status = arka_change__begin_with(&c, auth, id, err);
    if (status != ARKA_OK && c.auth == NULL)
        return status;
    if (status == ARKA_OK && is_admin(&c.row, now_us))
        status = check_last(&c, now_us, "deleted", err);
    if (status == ARKA_OK)
        status = arka_tokens_remove(auth->writer, id, err);
    return arka_change__finish(&c, status, err);
}

arka_status arka_token_rotate(arka_auth *auth, int64_t id, char clear[ARKA_TOKEN_TEXT],
                              arka_error *err)
{
    arka_change c;
    clear[0] = 0;
    arka_status status = arka_change__begin_with(&c, auth, id, err);
    if (status != ARKA_OK && c.auth == NULL)
        return status;
    if (status == ARKA_OK)
        status = arka_change__generate(&c.row, &c.arena, clear, err);
    if (status == ARKA_OK)
        status = arka_tokens_set(auth->writer, &c.row, err);
    status = arka_change__finish(&c, status, err);
    if (status != ARKA_OK)
        arka_token_wipe(clear);
    return status;
}

/* ---- lists ---- */

typedef struct telling {
    arka_each_token each;
    void *context;
    bool found;
} telling;

static arka_status tell_row(void *context, const arka_token_row *row, arka_error *err)
{
    telling *t = context;
    ARKA_AUTO(arka_identity) identity = NULL;
    arka_arena arena = ARKA_ARENA_INIT;
    ARKA_TRY(arka_identity__of_row(row, &identity, err));
    arka_token_info info = {
        .id = row->id,
        .name = identity->name,
        .description = arka_arena_text(&arena, row->description),
        .rights = identity->rights,
        .scope = arka_scope_text(identity->scope),
        .max_priority = identity->max_priority,
        .enabled = row->enabled,
        .created_us = row->created_us,
        .last_used_us = row->last_used_us,
        .expires_us = row->expires_us,
    };
    t->found = true;
    arka_status status = info.description == NULL ? arka_fail_nomem(err, "a token", 1)
                                                  : t->each(t->context, &info, err);
    arka_arena_fini(&arena);
    return status;
}

arka_status arka_token_each(arka_auth *auth, arka_each_token each, void *context, arka_error *err)
{
    telling t = {each, context, false};
    ARKA_IGNORE(arka_auth__note_uses(auth, NULL)); /* then they are not told */
    arka_mutex_lock(&auth->writer_lock);
    arka_status status = arka_tokens_each(auth->writer, tell_row, &t, err);
    arka_mutex_unlock(&auth->writer_lock);
    return status;
}

arka_status arka_token_get(arka_auth *auth, int64_t id, arka_each_token each, void *context,
                           arka_error *err)
{
    telling t = {each, context, false};
    ARKA_IGNORE(arka_auth__note_uses(auth, NULL));
    arka_mutex_lock(&auth->writer_lock);
    arka_status status = arka_tokens_by_id(auth->writer, id, tell_row, &t, err);
    arka_mutex_unlock(&auth->writer_lock);
    if (status == ARKA_OK && !t.found)
        return arka_fail(err, ARKA_NOTFOUND, "there is no token %lld", (long long)id);
    return status;
}

static arka_status take_id(void *context, const arka_token_row *row, arka_error *err)
{
    *(int64_t *)context = row->id;
    return ARKA_OK;
}

arka_status arka_token_find(arka_auth *auth, arka_slice name, int64_t *out_id, arka_error *err)
{
    *out_id = 0;
    arka_mutex_lock(&auth->writer_lock);
    arka_status status = arka_tokens_by_name(auth->writer, name, take_id, out_id, err);
    arka_mutex_unlock(&auth->writer_lock);
    if (status == ARKA_OK && *out_id == 0)
        return arka_fail(err, ARKA_NOTFOUND, "there is no token named '%.*s'", ARKA_FMT(name));
    return status;
}
