#include "config/reference.h"

#include "base/json.h"

static bool is_text(arka_setting_kind kind)
{
    return kind == ARKA_KIND_TEXT || kind == ARKA_KIND_LIST;
}

static bool is_number(arka_setting_kind kind)
{
    return !is_text(kind) && kind != ARKA_KIND_BOOL;
}

/* The names, parted by `between`; `code`: each in backticks. */
static void put_names(arka_buf *out, const char *names, const char *between)
{
    while (*names != 0) {
        size_t n = strcspn(names, ",");
        arka_buf_text(out, between);
        arka_buf_append(out, names, n);
        names += n + (names[n] == ',');
    }
}

/* ---- reference ---- */

/* A key of no use that has become a setting is one. */
static bool is_of_use(const arka_setting_ignored *ignored)
{
    return arka_setting_of_key(arka_slice_of(ignored->key)) != ARKA_N_SETTINGS;
}

static void put_env(arka_buf *out, const arka_setting_info *info)
{
    char name[ARKA_SETTING_ENV];
    arka_setting_env_name(info->key, name);
    arka_buf_text(out, name);
    put_names(out, info->env, ", ");
}

static void put_row(arka_buf *out, const arka_setting_info *info)
{
    arka_buf_printf(out, "| `%s` | %s | %s%s%s | ", info->key, arka_setting_kind_name(info->kind),
                    *info->standard ? "`" : "", info->standard, *info->standard ? "`" : "");
    put_env(out, info);
    if (*info->option != 0)
        arka_buf_printf(out, ", `%s`", info->option);
    arka_buf_printf(out, " | %s | %s%s |\n", info->traits & ARKA_LIVE ? "yes" : "",
                    info->traits & ARKA_SECRET ? "secret: " : "", info->help);
}

void arka_settings_put_list(arka_buf *out)
{
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        const arka_setting_info *info = &arka_setting_infos[i];
        arka_buf_printf(out, "%s = %s\n    %s\n    %s%s%s: ", info->key,
                        *info->standard ? info->standard : "(empty)", info->help,
                        arka_setting_kind_name(info->kind),
                        info->traits & ARKA_SECRET ? ", secret" : "",
                        info->traits & ARKA_LIVE ? ", reloaded" : "");
        put_env(out, info);
        if (*info->option != 0)
            arka_buf_printf(out, ", %s", info->option);
        arka_buf_literal(out, "\n\n");
    }
}

void arka_settings_put_reference(arka_buf *out)
{
    arka_buf_literal(out, "| setting | kind | default | environment, option | reload | meaning |\n"
                          "|---|---|---|---|---|---|\n");
    for (int i = 0; i < ARKA_N_SETTINGS; i++)
        put_row(out, &arka_setting_infos[i]);
    arka_buf_literal(out, "\nOther names that are understood:\n\n"
                          "| name | is | a bare number |\n|---|---|---|\n");
    for (int i = 0; i < arka_n_setting_aliases; i++) {
        const arka_setting_alias *a = &arka_setting_aliases[i];
        arka_buf_printf(out, "| `%s` | `%s` | %s |\n", a->key, arka_setting_infos[a->which].key,
                        is_number(a->kind) ? arka_setting_kind_name(a->kind) : "");
    }
    arka_buf_literal(out, "\nKeys that are accepted with a warning, and do nothing:\n\n"
                          "| key | why |\n|---|---|\n");
    for (int i = 0; i < arka_n_settings_ignored; i++)
        if (!is_of_use(&arka_settings_ignored[i]))
            arka_buf_printf(out, "| `%s` | %s |\n", arka_settings_ignored[i].key,
                            arka_settings_ignored[i].why);
}

static void put_member(arka_buf *out, const char *name, const char *text)
{
    arka_buf_printf(out, ",\"%s\":", name);
    arka_json_string(out, arka_slice_of(text));
}

static void put_env_json(arka_buf *out, const char *key, const char *more)
{
    char name[ARKA_SETTING_ENV];
    arka_buf_literal(out, ",\"environment\":[\"");
    arka_setting_env_name(key, name);
    arka_buf_text(out, name);
    put_names(out, more, "\",\"");
    arka_buf_literal(out, "\"]");
}

static void put_setting_json(arka_buf *out, const arka_setting_info *info)
{
    arka_buf_printf(out, "{\"key\":\"%s\"", info->key);
    put_member(out, "kind", arka_setting_kind_name(info->kind));
    put_member(out, "default", info->standard);
    if (is_number(info->kind) && (info->min != 0 || info->max != 0))
        arka_buf_printf(out, ",\"min\":%lld,\"max\":%lld", (long long)info->min,
                        (long long)info->max);
    put_env_json(out, info->key, info->env);
    put_member(out, "option", info->option);
    arka_buf_printf(out, ",\"live\":%s,\"secret\":%s", info->traits & ARKA_LIVE ? "true" : "false",
                    info->traits & ARKA_SECRET ? "true" : "false");
    put_member(out, "help", info->help);
    arka_buf_byte(out, '}');
}

void arka_settings_put_reference_json(arka_buf *out)
{
    arka_buf_literal(out, "{\"settings\":[");
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        arka_buf_text(out, i ? ",\n" : "\n");
        put_setting_json(out, &arka_setting_infos[i]);
    }
    arka_buf_literal(out, "],\n\"aliases\":[");
    for (int i = 0; i < arka_n_setting_aliases; i++) {
        const arka_setting_alias *a = &arka_setting_aliases[i];
        arka_buf_printf(out, "%s\n{\"key\":\"%s\"", i ? "," : "", a->key);
        put_member(out, "setting", arka_setting_infos[a->which].key);
        put_member(out, "kind", arka_setting_kind_name(a->kind));
        put_env_json(out, a->key, "");
        arka_buf_byte(out, '}');
    }
    arka_buf_literal(out, "],\n\"ignored\":[");
    bool any = false;
    for (int i = 0; i < arka_n_settings_ignored; i++) {
        if (is_of_use(&arka_settings_ignored[i]))
            continue;
        arka_buf_printf(out, "%s\n{\"key\":\"%s\"", any ? "," : "", arka_settings_ignored[i].key);
        put_member(out, "why", arka_settings_ignored[i].why);
        arka_buf_byte(out, '}');
        any = true;
    }
    arka_buf_literal(out, "]}\n");
}

/* ---- values ---- */

/* As TOML writes it: a JSON string is a basic string of TOML, but for DEL. */
static void put_value(const arka_settings *s, arka_setting which, arka_buf *out)
{
    if (!is_text(arka_setting_infos[which].kind)) {
        arka_settings_show(s, which, out);
        return;
    }
    arka_buf text = ARKA_BUF_INIT;
    arka_settings_show(s, which, &text);
    if (text.failed)
        out->failed = true;
    else
        arka_json_string_repaired(out, (arka_slice){text.data, text.len});
    arka_buf_fini(&text);
}

static void put_where(const arka_settings *s, arka_setting which, arka_buf *out)
{
    /* a file's name is the only part of it that may have any characters */
    for (const char *c = s->where[which]; *c != 0; c++)
        arka_buf_byte(out, (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
}

void arka_settings_put_values(const arka_settings *settings, arka_buf *out)
{
    enum { COLUMN = 44 };
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        size_t from = out->len;
        bool masked = arka_setting_infos[i].traits & ARKA_SECRET;
        arka_buf_printf(out, "%s%s = ", masked ? "# " : "", arka_setting_infos[i].key);
        put_value(settings, (arka_setting)i, out);
        do
            arka_buf_byte(out, ' ');
        while (!out->failed && out->len < from + COLUMN);
        arka_buf_literal(out, "# ");
        put_where(settings, (arka_setting)i, out);
        arka_buf_byte(out, '\n');
    }
}

void arka_settings_put_values_json(const arka_settings *settings, arka_buf *out)
{
    static const char *const SOURCES[] = {"default", "file", "environment", "option"};
    arka_buf_literal(out, "{\"file\":");
    if (settings->file == NULL)
        arka_buf_literal(out, "null");
    else
        arka_json_string_repaired(out, arka_slice_of(settings->file));
    arka_buf_literal(out, ",\n\"settings\":[");
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        arka_buf_printf(out, "%s\n{\"key\":\"%s\",\"value\":", i ? "," : "",
                        arka_setting_infos[i].key);
        put_value(settings, (arka_setting)i, out);
        arka_buf_printf(out, ",\"source\":\"%s\",\"where\":", SOURCES[settings->source[i]]);
        arka_json_string_repaired(out, arka_slice_of(settings->where[i]));
        arka_buf_byte(out, '}');
    }
    arka_buf_literal(out, "],\n\"warnings\":[");
    bool any = false;
    for (size_t i = 0; i < settings->notes.n; i++) {
        if (settings->notes.items[i].fault)
            continue;
        arka_buf_text(out, any ? ",\n" : "\n");
        arka_json_string_repaired(out, arka_slice_of(settings->notes.items[i].text));
        any = true;
    }
    arka_buf_literal(out, "]}\n");
}
