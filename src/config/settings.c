#include "config/settings.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/number.h"
#include "config/settings_priv.h"
#include "config/units.h"

const arka_setting_info arka_setting_infos[] = {
#define X(field, kind, key, standard, min, max, traits, env, option, help)                         \
    {key, standard, env, option, help, ARKA_KIND_##kind, min, max, traits},
#include "config/settings.def"
#undef X
};

const arka_setting_alias arka_setting_aliases[] = {
#define A(key, field, kind, over) {key, ARKA_SETTING_##field, ARKA_KIND_##kind, over},
#include "config/aliases.def"
#undef A
};
const int arka_n_setting_aliases = sizeof arka_setting_aliases / sizeof *arka_setting_aliases;

const arka_setting_ignored arka_settings_ignored[] = {
#define I(key, env, why) {key, env, why},
#include "config/ignored.def"
#undef I
};
const int arka_n_settings_ignored = sizeof arka_settings_ignored / sizeof *arka_settings_ignored;

/* Where a setting's value lives in a settings struct. */
static const size_t OFFSETS[] = {
#define X(field, kind, key, standard, min, max, traits, env, option, help)                         \
    offsetof(arka_settings, field),
#include "config/settings.def"
#undef X
};

/* What the kinds are: numbers have a dimension and a unit in it, others have not (unit 0). */
static const struct {
    const char *name, *expected;
    arka_dimension dimension;
    int64_t unit;
} KINDS[ARKA_N_KINDS] = {
    [ARKA_KIND_TEXT] = {"text", "a text", ARKA_BYTES, 0},
    [ARKA_KIND_LIST] = {"list", "a list of texts", ARKA_BYTES, 0},
    [ARKA_KIND_INT] = {"whole number", "a whole number", ARKA_BYTES, 0},
    [ARKA_KIND_BOOL] = {"boolean", "true or false", ARKA_BYTES, 0},
    [ARKA_KIND_SIZE] = {"size in bytes", "a size such as 512MB or 8GB", ARKA_BYTES, 1},
    [ARKA_KIND_MIB] = {"size in MiB", "a number of MiB, or a size such as 512MB or 8GB", ARKA_BYTES,
                       1 << 20},
    [ARKA_KIND_SECONDS] = {"duration in seconds",
                           "a number of seconds, or a duration such as 30s or 1h30m",
                           ARKA_MILLISECONDS, 1000},
    [ARKA_KIND_MS] = {"duration in milliseconds",
                      "a number of milliseconds, or a duration such as 500ms or 1m30s",
                      ARKA_MILLISECONDS, 1},
    [ARKA_KIND_MINUTES] = {"duration in minutes",
                           "a number of minutes, or a duration such as 30m or 1h30m",
                           ARKA_MILLISECONDS, 60000},
};

const char *arka_setting_kind_name(arka_setting_kind kind)
{
    return KINDS[kind].name;
}

void *arka_settings__value(arka_settings *settings, arka_setting which)
{
    return (char *)settings + OFFSETS[which];
}

/* ---- one value ---- */

static bool parse_bool(arka_slice text, bool *out)
{
    static const char *const WORDS[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (text.len == strlen(WORDS[i]) && strncasecmp(text.data, WORDS[i], text.len) == 0) {
            *out = i & 1;
            return true;
        }
    return false;
}

static arka_status bad_value(arka_setting which, arka_slice text, const char *where,
                             arka_error *err)
{
    const arka_setting_info *info = &arka_setting_infos[which];
    if (info->traits & ARKA_SECRET)
        text = ARKA_SLICE("***");
    return arka_fail(err, ARKA_INPUT, "%s: %s = '%.*s' is not %s", where, info->key,
                     text.len > 100 ? 100 : (int)text.len, text.data, KINDS[info->kind].expected);
}

/* A number in the setting's unit, without a look at its limits. */
static arka_status parse_number(arka_setting which, arka_setting_kind bare, arka_slice text,
                                const char *where, int64_t *out, arka_error *err)
{
    const arka_setting_info *info = &arka_setting_infos[which];
    int64_t unit = KINDS[info->kind].unit;
    if (unit == 0)
        return arka_parse_i64(text.data, text.len, out) ? ARKA_OK
                                                        : bad_value(which, text, where, err);
    if (text.len == 0 && info->kind == ARKA_KIND_SIZE) { /* left open */
        *out = 0;
        return ARKA_OK;
    }
    switch (arka_units_parse(text, KINDS[info->kind].dimension, KINDS[bare].unit, unit, out)) {
    case ARKA_UNIT_OK:
        return ARKA_OK;
    case ARKA_UNIT_UNEVEN:
        return arka_fail(err, ARKA_INPUT, "%s: %s = '%.*s' is no whole number of %s", where,
                         info->key, ARKA_FMT(text),
                         info->kind == ARKA_KIND_MIB       ? "MiB"
                         : info->kind == ARKA_KIND_MINUTES ? "minutes"
                                                           : "seconds");
    case ARKA_UNIT_TOO_LARGE:
        return arka_fail(err, ARKA_INPUT, "%s: %s = '%.*s' does not fit 64 bits", where, info->key,
                         text.len > 100 ? 100 : (int)text.len, text.data);
    case ARKA_UNIT_NOT_A_NUMBER:
    default:
        return bad_value(which, text, where, err);
    }
}

static arka_status set_number(arka_settings *settings, arka_setting which, arka_setting_kind bare,
                              arka_slice text, const char *where, arka_error *err)
{
    const arka_setting_info *info = &arka_setting_infos[which];
    int64_t v;
    ARKA_TRY(parse_number(which, bare, text, where, &v, err));
    bool limited = info->min != 0 || info->max != 0;
    if ((limited && (v < info->min || v > info->max)) || (info->kind == ARKA_KIND_SIZE && v < 0))
        return arka_fail(err, ARKA_INPUT,
                         "%s: %s = %lld is out of range: it must be from %lld to %lld", where,
                         info->key, (long long)v, (long long)info->min,
                         (long long)(limited ? info->max : INT64_MAX));
    *(int64_t *)arka_settings__value(settings, which) = v;
    return ARKA_OK;
}

static arka_status set_text(arka_settings *settings, arka_setting which, arka_slice text,
                            arka_error *err)
{
    char *kept = arka_arena_text(&settings->arena, text);
    if (kept == NULL)
        return arka_fail_nomem(err, "a setting", text.len);
    if (arka_setting_infos[which].kind == ARKA_KIND_LIST) {
        /* drop blanks round the parts, and empty parts */
        size_t to = 0;
        for (const char *at = kept; *at != 0; at += *at == ',') {
            size_t n = strcspn(at, ","), end = n, from = 0;
            while (from < end && isspace((unsigned char)at[from]))
                from++;
            while (end > from && isspace((unsigned char)at[end - 1]))
                end--;
            if (end > from) {
                if (to > 0)
                    kept[to++] = ',';
                memmove(kept + to, at + from, end - from);
                to += end - from;
            }
            at += n;
        }
        kept[to] = 0;
    }
    *(const char **)arka_settings__value(settings, which) = kept;
    return ARKA_OK;
}

arka_status arka_settings__set(arka_settings *settings, arka_setting which, arka_setting_kind bare,
                               arka_slice text, arka_setting_source source, const char *where,
                               arka_error *err)
{
    const char *kept = source == ARKA_FROM_DEFAULT
                           ? "default"
                           : arka_arena_text(&settings->arena, arka_slice_of(where));
    if (kept == NULL)
        return arka_fail_nomem(err, "a setting", strlen(where));
    switch (arka_setting_infos[which].kind) {
    case ARKA_KIND_INT:
    case ARKA_KIND_SIZE:
    case ARKA_KIND_MIB:
    case ARKA_KIND_SECONDS:
    case ARKA_KIND_MS:
    case ARKA_KIND_MINUTES:
        ARKA_TRY(set_number(settings, which, bare, text, where, err));
        break;
    case ARKA_KIND_BOOL:
        if (!parse_bool(text, arka_settings__value(settings, which)))
            return bad_value(which, text, where, err);
        break;
    case ARKA_KIND_TEXT:
    case ARKA_KIND_LIST:
    case ARKA_N_KINDS:
    default:
        ARKA_TRY(set_text(settings, which, text, err));
        break;
    }
    settings->source[which] = source;
    settings->where[which] = kept;
    return ARKA_OK;
}

arka_status arka_settings_set(arka_settings *settings, arka_setting which, arka_slice text,
                              arka_setting_source source, const char *where, arka_error *err)
{
    return arka_settings__set(settings, which, arka_setting_infos[which].kind, text, source, where,
                              err);
}

arka_status arka_settings_init(arka_settings *settings, arka_error *err)
{
    *settings = (arka_settings){.arena = ARKA_ARENA_INIT};
    for (int i = 0; i < ARKA_N_SETTINGS; i++)
        ARKA_TRY(arka_settings_set(settings, (arka_setting)i,
                                   arka_slice_of(arka_setting_infos[i].standard), ARKA_FROM_DEFAULT,
                                   "default", err));
    return ARKA_OK;
}

void arka_settings_fini(arka_settings *settings)
{
    arka_vec_fini(&settings->notes);
    arka_arena_fini(&settings->arena);
}

/* ---- names ---- */

arka_setting arka_setting_of_option(const char *option)
{
    int i = 0;
    while (i < ARKA_N_SETTINGS && strcmp(arka_setting_infos[i].option, option) != 0)
        i++;
    return (arka_setting)i;
}

arka_setting arka_setting_of_key(arka_slice key)
{
    int i = 0;
    while (i < ARKA_N_SETTINGS && !arka_slice_eq(key, arka_slice_of(arka_setting_infos[i].key)))
        i++;
    return (arka_setting)i;
}

void arka_setting_env_name(const char *key, char out[ARKA_SETTING_ENV])
{
    size_t n = (size_t)snprintf(out, ARKA_SETTING_ENV, "ARC_%s", key);
    for (size_t i = 0; i < n && i < ARKA_SETTING_ENV - 1; i++)
        out[i] = out[i] == '.' ? '_' : (char)toupper((unsigned char)out[i]);
}

/* ---- notes ---- */

static void note(arka_settings *settings, bool fault, const char *text)
{
    /* one that finds no memory is lost: a fault is the error of its layer all the same */
    if (text != NULL)
        ARKA_IGNORE(!arka_vec_push(&settings->notes, (arka_setting_note){fault, text}));
}

void arka_settings__fault(arka_settings *settings, const arka_error *fault, arka_error *err)
{
    note(settings, true, arka_arena_text(&settings->arena, arka_slice_of(fault->msg)));
    if (err != NULL && err->code == ARKA_OK)
        *err = *fault;
}

void arka_settings__warn(arka_settings *settings, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    note(settings, false, arka_arena_text(&settings->arena, arka_slice_of(text)));
}

/* ---- showing ---- */

void arka_settings_show(const arka_settings *settings, arka_setting which, arka_buf *out)
{
    const void *value = (const char *)settings + OFFSETS[which];
    const char *text;
    switch (arka_setting_infos[which].kind) {
    case ARKA_KIND_BOOL:
        arka_buf_text(out, *(const bool *)value ? "true" : "false");
        break;
    case ARKA_KIND_INT:
    case ARKA_KIND_SIZE:
    case ARKA_KIND_MIB:
    case ARKA_KIND_SECONDS:
    case ARKA_KIND_MS:
    case ARKA_KIND_MINUTES:
        arka_buf_printf(out, "%lld", (long long)*(const int64_t *)value);
        break;
    case ARKA_KIND_TEXT:
    case ARKA_KIND_LIST:
    case ARKA_N_KINDS:
    default:
        text = *(const char *const *)value;
        arka_buf_text(out,
                      *text != 0 && arka_setting_infos[which].traits & ARKA_SECRET ? "***" : text);
    }
}
