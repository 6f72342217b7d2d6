/* What the first start makes. */
#include "auth/auth_priv.h"

enum { LEAST_BOOTSTRAP = 32 };
static const arka_rights ALL = ARKA_MAY_READ | ARKA_MAY_WRITE | ARKA_MAY_DELETE | ARKA_MAY_ADMIN;

static arka_status check_given(arka_slice value, const char *what, size_t least, arka_error *err)
{
    if (value.len > 0 && value.len < least)
        return arka_fail(err, ARKA_INPUT, "%s has %zu characters: at least %zu are needed", what,
                         value.len, least);
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.data[i] <= 0x20 || (unsigned char)value.data[i] >= 0x7f)
            return arka_fail(err, ARKA_INPUT,
                             "%s has a character at %zu that is no printable ASCII: no header can "
                             "carry it",
                             what, i + 1);
    return ARKA_OK;
}

static arka_status count_row(void *context, const arka_token_row *row, arka_error *err)
{
    ++*(int *)context;
    return ARKA_OK;
}

/* Which of them is needed: its name, its value if one was given. */
typedef struct wanted {
    const char *name; /* NULL: none is */
    const char *text;
    arka_slice value;
} wanted;

static arka_status find_wanted(arka_change *c, const arka_bootstrap *o, wanted *out,
                               arka_error *err)
{
    static const char DEFAULT[] = "default";
    int n_all = 0, n_default = 0;
    ARKA_TRY(arka_tokens_each(c->auth->writer, count_row, &n_all, err));
    ARKA_TRY(
        arka_tokens_by_name(c->auth->writer, ARKA_SLICE("default"), count_row, &n_default, err));
    *out = (wanted){NULL, "made at the first start", o->bootstrap_token};
    if (o->default_token.len > 0 && n_default == 0)
        *out = (wanted){DEFAULT, "auth.default_token", o->default_token};
    else if (n_all == 0)
        out->name = "admin";
    else if (o->force)
        *out = (wanted){"arc-recovery", "auth.force_bootstrap", o->bootstrap_token};
    return ARKA_OK;
}

/* The row of that name as it was, or a new one. */
static arka_status fill_row(arka_change *c, const wanted *w, int64_t now_us, arka_error *err)
{
    arka_slice name = arka_slice_of(w->name);
    ARKA_TRY(arka_tokens_by_name(c->auth->writer, name, arka_change__take_row, c, err));
    if (!c->found)
        c->row = (arka_token_row){.name = name, .created_us = now_us};
    c->row.description = arka_slice_of(w->text);
    c->row.scope = ARKA_SLICE("");
    c->row.max_priority = arka_slice_of(arka_priority_name(ARKA_PRIORITY_CRITICAL));
    c->row.enabled = true;
    c->row.expires_us = 0;
    return arka_change__put_rights(ALL, &c->arena, &c->row.permissions, err);
}

/* Its own value again: a restart with the same settings changes nothing. */
static arka_status has_value(const arka_change *c, arka_slice value, bool *out, arka_error *err)
{
    *out = false;
    return c->found && value.len > 0 ? arka_secret_verify(value, c->row.hash, out, err) : ARKA_OK;
}

static arka_status make_wanted(arka_change *c, const wanted *w, int64_t now_us,
                               char clear[ARKA_TOKEN_TEXT], arka_error *err)
{
    bool same;
    int64_t id;
    ARKA_TRY(fill_row(c, w, now_us, err));
    ARKA_TRY(has_value(c, w->value, &same, err));
    if (!same && w->value.len > 0)
        ARKA_TRY(arka_change__set_secret(&c->row, w->value, true, &c->arena, err));
    else if (!same)
        ARKA_TRY(arka_change__generate(&c->row, &c->arena, clear, err));
    return c->found ? arka_tokens_set(c->auth->writer, &c->row, err)
                    : arka_tokens_add(c->auth->writer, &c->row, &id, err);
}

arka_status arka_auth_bootstrap(arka_auth *auth, const arka_bootstrap *options, int64_t now_us,
                                char clear[ARKA_TOKEN_TEXT], arka_error *err)
{
    arka_change c;
    wanted w;
    clear[0] = 0;
    ARKA_TRY(check_given(options->default_token, "auth.default_token", 1, err));
    ARKA_TRY(check_given(options->bootstrap_token, "auth.bootstrap_token", LEAST_BOOTSTRAP, err));
    ARKA_TRY(arka_change__begin(&c, auth, err));
    arka_status status = find_wanted(&c, options, &w, err);
    if (status == ARKA_OK && w.name != NULL)
        status = make_wanted(&c, &w, now_us, clear, err);
    status = arka_change__finish(&c, status, err);
    if (status != ARKA_OK)
        arka_token_wipe(clear);
    return status;
}
