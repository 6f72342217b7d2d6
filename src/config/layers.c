#include "config/layers.h"

#include <stdio.h>
#include <unistd.h>

#include "config/settings_priv.h"

const char *arka_setting_file(const char *named, char *(*get)(const char *name))
{
    static const char HERE[] = "arc.conf";
    if (named != NULL && *named != 0)
        return named;
    const char *given = get("ARC_CONFIG_FILE");
    if (given != NULL && *given != 0)
        return given;
    return access(HERE, F_OK) == 0 ? HERE : NULL;
}

static arka_status read_options(arka_settings *s, const arka_setting_layers *layers,
                                arka_error *err)
{
    arka_status all = ARKA_OK;
    for (size_t i = 0; i < layers->n_options; i++) {
        const arka_setting_option *o = &layers->options[i];
        char where[64];
        arka_error fault = {0};
        snprintf(where, sizeof where, "option %s", o->name);
        arka_status status =
            arka_settings_set(s, o->which, arka_slice_of(o->text), ARKA_FROM_OPTION, where, &fault);
        if (status == ARKA_OK)
            continue;
        arka_settings__fault(s, &fault, err);
        all = status;
    }
    return all;
}

arka_status arka_settings_load(const arka_setting_layers *layers, arka_settings *out,
                               arka_setting_source *failed, arka_error *err)
{
    arka_setting_source first = ARKA_FROM_DEFAULT;
    arka_error own = {0}, *e = err ? err : &own; /* whether one was found is asked of it */
    const char *file = arka_setting_file(layers->file, layers->get);
    if (failed != NULL)
        *failed = ARKA_FROM_DEFAULT;
    ARKA_TRY(arka_settings_init(out, e)); /* nothing can be put over defaults that are not there */
    arka_status status = ARKA_OK;
    if (file != NULL) {
        status = arka_settings_read_file(out, file, e);
        if (status != ARKA_OK)
            first = ARKA_FROM_FILE;
        if (status != ARKA_OK && out->notes.n == 0) /* not readable at all */
            arka_settings__fault(out, e, NULL);
    }
    if (status != ARKA_NOMEM) {
        arka_status next = arka_settings_read_environment(out, layers->get, e);
        if (status == ARKA_OK && next != ARKA_OK)
            first = ARKA_FROM_ENVIRONMENT;
        status = status == ARKA_OK ? next : status;
    }
    if (layers->environ != NULL)
        arka_settings_check_environment(out, layers->environ);
    arka_status next = read_options(out, layers, e);
    if (status == ARKA_OK && next != ARKA_OK)
        first = ARKA_FROM_OPTION;
    status = status == ARKA_OK ? next : status;
    next = arka_settings_finish(out, e); /* its faults too, if there were others */
    if (failed != NULL)
        *failed = first;
    return status == ARKA_OK ? next : status;
}

/* ---- again ---- */

static bool is_equal(const arka_settings *a, const arka_settings *b, arka_setting which)
{
    arka_settings *x = (arka_settings *)(uintptr_t)a, *y = (arka_settings *)(uintptr_t)b;
    const void *p = arka_settings__value(x, which), *q = arka_settings__value(y, which);
    switch (arka_setting_infos[which].kind) {
    case ARKA_KIND_BOOL:
        return *(const bool *)p == *(const bool *)q;
    case ARKA_KIND_INT:
    case ARKA_KIND_SIZE:
    case ARKA_KIND_MIB:
    case ARKA_KIND_SECONDS:
    case ARKA_KIND_MS:
    case ARKA_KIND_MINUTES:
        return *(const int64_t *)p == *(const int64_t *)q;
    case ARKA_KIND_TEXT:
    case ARKA_KIND_LIST:
    case ARKA_N_KINDS:
    default:
        return strcmp(*(const char *const *)p, *(const char *const *)q) == 0;
    }
}

static arka_status copy(const arka_settings *from, arka_settings *to, arka_setting which,
                        arka_error *err)
{
    arka_settings *source = (arka_settings *)(uintptr_t)from;
    const void *p = arka_settings__value(source, which);
    void *q = arka_settings__value(to, which);
    arka_setting_kind kind = arka_setting_infos[which].kind;
    if (kind == ARKA_KIND_BOOL) {
        *(bool *)q = *(const bool *)p;
    } else if (kind == ARKA_KIND_TEXT || kind == ARKA_KIND_LIST) {
        const char *text = arka_arena_text(&to->arena, arka_slice_of(*(const char *const *)p));
        if (text == NULL)
            return arka_fail_nomem(err, "a setting", 0);
        *(const char **)q = text;
    } else {
        *(int64_t *)q = *(const int64_t *)p;
    }
    const char *where = arka_arena_text(&to->arena, arka_slice_of(from->where[which]));
    if (where == NULL)
        return arka_fail_nomem(err, "a setting", 0);
    to->source[which] = from->source[which];
    to->where[which] = where;
    return ARKA_OK;
}

arka_status arka_settings_reload(const arka_setting_layers *layers, const arka_settings *old,
                                 arka_settings *out, arka_setting_changes *changes, arka_error *err)
{
    ARKA_TRY(arka_settings_load(layers, out, NULL, err));
    *changes = (arka_setting_changes){0};
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        arka_setting which = (arka_setting)i;
        bool unset = old->source[i] == ARKA_FROM_DEFAULT && out->source[i] == ARKA_FROM_DEFAULT;
        bool live = arka_setting_infos[i].traits & ARKA_LIVE;
        if (!unset && !is_equal(old, out, which)) {
            *(live ? &changes->now[i] : &changes->later[i]) = true;
            *(live ? &changes->n_now : &changes->n_later) += 1;
        }
        if (unset || !live)
            ARKA_TRY(copy(old, out, which, err));
    }
    return ARKA_OK;
}
