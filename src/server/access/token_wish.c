#include "server/access/token_wish.h"

#include <string.h>

#include "auth/expiry.h"
#include "wire/json.h"

/* A comma list, or an array of texts, as a comma list. NULL: there is none. */
static arka_status read_list(const arka_json *body, const char *name, arka_arena *arena,
                             const char **out, arka_error *err)
{
    const arka_json *value = arka_json_get(body, name);
    arka_json_kind kind = value ? arka_json_kind_of(value) : ARKA_JSON_NULL;
    ARKA_AUTO_VALUE(arka_buf) text = ARKA_BUF_INIT;
    arka_slice whole;
    *out = NULL;
    if (kind == ARKA_JSON_NULL)
        return ARKA_OK;
    if (kind == ARKA_JSON_ARRAY) {
        for (size_t i = 0; i < arka_json_len(value); i++) {
            const arka_json *item = arka_json_at(value, i);
            arka_slice word = arka_json_text(item);
            if (arka_json_kind_of(item) != ARKA_JSON_STRING || word.len == 0 ||
                memchr(word.data, ',', word.len) != NULL)
                return arka_fail(err, ARKA_INPUT,
                                 "\"%s\": item %zu is not one word: expected a list of texts", name,
                                 i);
            arka_buf_text(&text, i > 0 ? "," : "");
            arka_buf_slice(&text, word);
        }
        whole = (arka_slice){text.data ? text.data : "", text.len};
    } else {
        ARKA_TRY(arka_json_need_string(body, name, &whole, err));
    }
    *out = text.failed ? NULL : arka_arena_text(arena, whole);
    return *out ? ARKA_OK : arka_fail_nomem(err, name, whole.len);
}

static arka_status read_text(const arka_json *body, const char *name, arka_arena *arena,
                             const char **out, arka_error *err)
{
    arka_slice text = {NULL, 0};
    *out = NULL;
    ARKA_TRY(arka_json_get_string(body, name, &text, err));
    if (text.data == NULL)
        return ARKA_OK;
    *out = arka_arena_text(arena, text);
    return *out ? ARKA_OK : arka_fail_nomem(err, name, text.len);
}

/* An empty text is everything; an empty list, as of a script that found nothing, is no wish. */
static arka_status read_scope(const arka_json *body, arka_token_wish *w, arka_error *err)
{
    const arka_json *value = arka_json_get(body, "scope");
    if (value != NULL && arka_json_kind_of(value) == ARKA_JSON_ARRAY && arka_json_len(value) == 0)
        return arka_fail(err, ARKA_INPUT,
                         "\"scope\" is an empty list: name what the token reaches, or \"\" for "
                         "everything");
    return read_list(body, "scope", &w->arena, &w->change.scope, err);
}

static arka_status read_rights(const arka_json *body, arka_token_wish *w, arka_error *err)
{
    const char *text;
    ARKA_TRY(read_list(body, "permissions", &w->arena, &text, err));
    if (text == NULL)
        return ARKA_OK;
    w->change.rights = &w->rights;
    return arka_rights_parse(arka_slice_of(text), &w->rights, err);
}

static arka_status read_expiry(const arka_json *body, int64_t now_us, arka_token_wish *w,
                               arka_error *err)
{
    arka_slice at = {"", 0}, in = {"", 0};
    ARKA_TRY(arka_json_get_string(body, "expires_at", &at, err));
    ARKA_TRY(arka_json_get_string(body, "expires_in", &in, err));
    if (at.len > 0 || in.len > 0)
        w->change.expires_us = &w->expires_us;
    return arka_expiry_parse(at, in, now_us, &w->expires_us, err);
}

static arka_status read_priority(const arka_json *body, arka_token_wish *w, arka_error *err)
{
    arka_slice text = {"", 0};
    ARKA_TRY(arka_json_get_string(body, "max_priority", &text, err));
    if (text.len == 0)
        return ARKA_OK;
    w->change.max_priority = &w->priority;
    return arka_priority_parse(text, &w->priority, err);
}

static arka_status read_enabled(const arka_json *body, arka_token_wish *w, arka_error *err)
{
    if (arka_json_get(body, "enabled") != NULL)
        w->change.enabled = &w->enabled;
    return arka_json_get_bool(body, "enabled", &w->enabled, err);
}

arka_status arka_token_wish_read(arka_slice text, int64_t now_us, arka_token_wish *w,
                                 arka_error *err)
{
    ARKA_AUTO(arka_json) body = NULL;
    *w = (arka_token_wish){.arena = ARKA_ARENA_INIT};
    ARKA_TRY(arka_json_parse(text, 0, &body, err));
    if (arka_json_kind_of(body) != ARKA_JSON_OBJECT)
        return arka_fail(err, ARKA_INPUT, "the request body is %s: expected an object",
                         arka_json_kind_name(arka_json_kind_of(body)));
    ARKA_TRY(read_text(body, "name", &w->arena, &w->change.name, err));
    ARKA_TRY(read_text(body, "description", &w->arena, &w->change.description, err));
    ARKA_TRY(read_scope(body, w, err));
    ARKA_TRY(read_rights(body, w, err));
    ARKA_TRY(read_priority(body, w, err));
    ARKA_TRY(read_enabled(body, w, err));
    return read_expiry(body, now_us, w, err);
}

void arka_token_wish_fini(arka_token_wish *wish)
{
    arka_arena_fini(&wish->arena);
}
