/* The layer of the environment. */
#include <stdio.h>
#include <strings.h>

#include "base/nearest.h"
#include "config/settings_priv.h"

typedef char *(*get_variable)(const char *name);

/* The first of the comma-parted `names` that is set and not empty; its name into `name`. */
static const char *first_set(const char *names, get_variable get, char name[ARKA_SETTING_ENV])
{
    while (*names != 0) {
        size_t n = strcspn(names, ",");
        snprintf(name, ARKA_SETTING_ENV, "%.*s", (int)n, names);
        const char *value = get(name);
        if (value != NULL && *value != 0)
            return value;
        names += n + (names[n] == ',');
    }
    return NULL;
}

static const char *find_generic(const char *key, get_variable get, char name[ARKA_SETTING_ENV])
{
    arka_setting_env_name(key, name);
    const char *value = get(name);
    return value != NULL && *value != 0 ? value : NULL;
}

/* The setting's value and the unit of a bare number in it; NULL: not set. */
static const char *find(arka_setting which, get_variable get, char name[ARKA_SETTING_ENV],
                        arka_setting_kind *bare)
{
    const arka_setting_info *info = &arka_setting_infos[which];
    const char *value = find_generic(info->key, get, name);
    *bare = info->kind;
    if (value == NULL)
        value = first_set(info->env, get, name);
    for (int i = 0; i < arka_n_setting_aliases && value == NULL; i++)
        if (arka_setting_aliases[i].which == which) {
            *bare = arka_setting_aliases[i].kind;
            value = find_generic(arka_setting_aliases[i].key, get, name);
        }
    return value;
}

static bool is_listed(const char *name, const char *names)
{
    size_t n = strlen(name);
    for (; *names != 0; names += strcspn(names, ","), names += *names == ',')
        if (strcspn(names, ",") == n && strncmp(names, name, n) == 0)
            return true;
    return false;
}

/* Has a setting taken the name over? */
static bool is_of_a_setting(const char *name)
{
    for (int i = 0; i < ARKA_N_SETTINGS; i++)
        if (is_listed(name, arka_setting_infos[i].env))
            return true;
    return false;
}

static void warn_of_ignored(arka_settings *settings, get_variable get)
{
    for (int i = 0; i < arka_n_settings_ignored; i++) {
        const arka_setting_ignored *g = &arka_settings_ignored[i];
        const char *names = g->env;
        while (*names != 0) {
            char name[ARKA_SETTING_ENV];
            size_t n = strcspn(names, ",");
            snprintf(name, sizeof name, "%.*s", (int)n, names);
            const char *value = get(name);
            if (value != NULL && *value != 0 && !is_of_a_setting(name))
                arka_settings__warn(settings, "environment variable %s is of no use here: %s", name,
                                    g->why);
            names += n + (names[n] == ',');
        }
    }
}

arka_status arka_settings_read_environment(arka_settings *settings, get_variable get,
                                           arka_error *err)
{
    arka_status all = ARKA_OK;
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        char name[ARKA_SETTING_ENV], where[ARKA_SETTING_ENV + 32];
        arka_setting_kind bare;
        const char *value = find((arka_setting)i, get, name, &bare);
        if (value == NULL)
            continue;
        snprintf(where, sizeof where, "environment variable %s", name);
        arka_error fault = {0};
        arka_status status =
            arka_settings__set(settings, (arka_setting)i, bare, arka_slice_of(value),
                               ARKA_FROM_ENVIRONMENT, where, &fault);
        if (status == ARKA_OK)
            continue;
        arka_settings__fault(settings, &fault, err);
        all = status;
        if (status != ARKA_INPUT)
            return status;
    }
    warn_of_ignored(settings, get);
    return all;
}

/* ---- variables that look like ours ---- */

/* Does the name begin as that of some setting does ("ARC_QUERY_")? */
static bool looks_like_ours(const char *name)
{
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        const char *key = arka_setting_infos[i].key;
        size_t n = strcspn(key, ".");
        if (strncasecmp(name + strlen("ARC_"), key, n) == 0 && name[strlen("ARC_") + n] == '_')
            return true;
    }
    return false;
}

/* Is it the variable of a setting? Else the nearest that is one goes into `near`, or "". */
static bool is_known(const char *name, char near[ARKA_SETTING_ENV])
{
    enum { SLIPS = 3 };
    int least = SLIPS + 1;
    *near = 0;
    for (int i = 0; i < ARKA_N_SETTINGS + arka_n_setting_aliases; i++) {
        char known[ARKA_SETTING_ENV];
        bool alias = i >= ARKA_N_SETTINGS;
        arka_setting_env_name(alias ? arka_setting_aliases[i - ARKA_N_SETTINGS].key
                                    : arka_setting_infos[i].key,
                              known);
        if (strcmp(known, name) == 0 || (!alias && is_listed(name, arka_setting_infos[i].env)))
            return true;
        int d = arka_edit_distance(name, known);
        if (d < least) {
            least = d;
            memcpy(near, known, ARKA_SETTING_ENV);
        }
    }
    return false;
}

/* A key that is accepted with a warning, by the name that its variable would have. */
static const char *why_ignored(const char *name)
{
    for (int i = 0; i < arka_n_settings_ignored; i++) {
        const arka_setting_ignored *g = &arka_settings_ignored[i];
        char known[ARKA_SETTING_ENV];
        arka_setting_env_name(g->key, known);
        size_t n = strcspn(known, "*");
        if (known[n] == 0 ? strcmp(known, name) == 0 : strncmp(known, name, n) == 0)
            return g->why;
    }
    return NULL;
}

void arka_settings_check_environment(arka_settings *settings, char *const *environ)
{
    for (; *environ != NULL; environ++) {
        char name[ARKA_SETTING_ENV], near[ARKA_SETTING_ENV];
        size_t n = strcspn(*environ, "=");
        if (strncmp(*environ, "ARC_", 4) != 0 || n >= sizeof name)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)n, *environ);
        if (is_known(name, near))
            continue;
        const char *why = why_ignored(name);
        if (why != NULL)
            arka_settings__warn(settings, "environment variable %s is of no use here: %s", name,
                                why);
        else if (looks_like_ours(name))
            arka_settings__warn(settings, "environment variable %s sets nothing%s%s%s", name,
                                *near ? ": did you mean " : "", near, *near ? "?" : "");
    }
}
