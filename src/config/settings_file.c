/* The layer of a configuration file. */
#include <stdio.h>

#include "base/nearest.h"
#include "base/number.h"
#include "config/settings_priv.h"
#include "config/toml.h"
#include "os/file.h"

enum { MAX_FILE = 1 << 20, WHERE = 400 };

/* One reading of one file. */
typedef struct reading {
    arka_settings *settings;
    const char *path;
    const char *given[ARKA_N_SETTINGS]; /* the name under which the file gave it; NULL: not yet */
    const char *where[ARKA_N_SETTINGS];
    arka_status status; /* ARKA_INPUT: there was a fault */
} reading;

static bool kind_fits(arka_setting_kind setting, arka_toml_kind value)
{
    switch (setting) {
    case ARKA_KIND_INT:
        return value == ARKA_TOML_INT;
    case ARKA_KIND_BOOL:
        return value == ARKA_TOML_BOOL;
    case ARKA_KIND_SIZE:
    case ARKA_KIND_MIB:
    case ARKA_KIND_SECONDS:
    case ARKA_KIND_MS:
    case ARKA_KIND_MINUTES:
        return value == ARKA_TOML_STRING || value == ARKA_TOML_INT;
    case ARKA_KIND_LIST:
        return value == ARKA_TOML_STRING || value == ARKA_TOML_ARRAY;
    case ARKA_KIND_TEXT:
    case ARKA_N_KINDS:
    default:
        return value == ARKA_TOML_STRING;
    }
}

static const char *expected_of(arka_setting_kind kind)
{
    switch (kind) {
    case ARKA_KIND_INT:
        return "an integer";
    case ARKA_KIND_BOOL:
        return "a boolean";
    case ARKA_KIND_SIZE:
    case ARKA_KIND_MIB:
        return "an integer, or a string such as \"8GB\"";
    case ARKA_KIND_SECONDS:
    case ARKA_KIND_MS:
    case ARKA_KIND_MINUTES:
        return "an integer, or a string such as \"1m30s\"";
    case ARKA_KIND_LIST:
        return "a string, or an array of strings";
    case ARKA_KIND_TEXT:
    case ARKA_N_KINDS:
    default:
        return "a string";
    }
}

static arka_status check_text(arka_slice text, const char *key, const char *where, arka_error *err)
{
    if (memchr(text.data, 0, text.len) != NULL)
        return arka_fail(err, ARKA_INPUT, "%s: %s has a NUL character in its text", where, key);
    return ARKA_OK;
}

/* The value as text for arka_settings__set; `scratch` may be used for it. */
static arka_status text_of(const arka_toml_value *v, const char *key, const char *where,
                           arka_buf *scratch, arka_slice *out, arka_error *err)
{
    char number[ARKA_NUMBER_TEXT];
    if (v->kind == ARKA_TOML_STRING) {
        *out = v->text;
        return check_text(v->text, key, where, err);
    }
    if (v->kind == ARKA_TOML_INT)
        arka_buf_append(scratch, number, arka_format_i64(number, v->i64));
    else if (v->kind == ARKA_TOML_BOOL)
        arka_buf_text(scratch, v->boolean ? "true" : "false");
    for (const arka_toml_value *e = v->kind == ARKA_TOML_ARRAY ? v->first : NULL; e != NULL;
         e = e->next) {
        if (e->kind != ARKA_TOML_STRING)
            return arka_fail(err, ARKA_INPUT, "%s: %s must be an array of strings, found %s in it",
                             where, key, arka_toml_kind_name(e->kind));
        ARKA_TRY(check_text(e->text, key, where, err));
        if (memchr(e->text.data, ',', e->text.len) != NULL)
            return arka_fail(err, ARKA_INPUT, "%s: %s: '%.*s' has a comma, which parts two values",
                             where, key, ARKA_FMT(e->text));
        if (scratch->len > 0)
            arka_buf_byte(scratch, ',');
        arka_buf_slice(scratch, e->text);
    }
    const char *text = arka_buf_cstr(scratch);
    *out = (arka_slice){text, scratch->len};
    return text ? ARKA_OK : arka_fail_nomem(err, "a setting", scratch->len);
}

static arka_status take(reading *r, arka_setting which, arka_setting_kind bare, const char *key,
                        const arka_toml_value *v, const char *where, arka_error *err)
{
    arka_setting_kind kind = arka_setting_infos[which].kind;
    if (!kind_fits(kind, v->kind))
        return arka_fail(err, ARKA_INPUT, "%s: %s must be %s, found %s", where, key,
                         expected_of(kind), arka_toml_kind_name(v->kind));
    arka_buf scratch = ARKA_BUF_INIT;
    arka_slice text;
    arka_status status = text_of(v, key, where, &scratch, &text, err);
    if (status == ARKA_OK)
        status = arka_settings__set(r->settings, which, bare, text, ARKA_FROM_FILE, where, err);
    arka_buf_fini(&scratch);
    return status;
}

/* Given under another name already? `over`: the name at hand counts where both are given. */
static arka_status check_twice(const reading *r, arka_setting which, const char *key,
                               const char *where, bool over, bool *skip, arka_error *err)
{
    const char *other = r->given[which];
    *skip = false;
    if (other == NULL || over)
        return ARKA_OK;
    for (int i = 0; i < arka_n_setting_aliases; i++)
        if (arka_setting_aliases[i].over && strcmp(arka_setting_aliases[i].key, other) == 0) {
            *skip = true;
            return ARKA_OK;
        }
    return arka_fail(err, ARKA_INPUT, "%s: %s is %s, which %s has set already: keep one of them",
                     where, key, other, r->where[which]);
}

/* What the nearest known key is: by its letters, or by its last word. NULL: none is near. */
static const char *suggest(const char *key)
{
    enum { SLIPS = 3 };
    const char *best = NULL;
    int least = SLIPS + 1;
    for (int i = 0; i < ARKA_N_SETTINGS + arka_n_setting_aliases; i++) {
        const char *known = i < ARKA_N_SETTINGS ? arka_setting_infos[i].key
                                                : arka_setting_aliases[i - ARKA_N_SETTINGS].key;
        int d = arka_edit_distance(key, known);
        if (d < least) {
            least = d;
            best = known;
        }
    }
    const char *dot = strrchr(key, '.');
    const char *last = dot ? dot + 1 : key;
    for (int i = 0; i < ARKA_N_SETTINGS && best == NULL; i++)
        if (strcmp(strrchr(arka_setting_infos[i].key, '.') + 1, last) == 0)
            best = arka_setting_infos[i].key;
    return best;
}

/* Is it a key, or one below a key, that is accepted for nothing? "a.*" is all that begins with a.
 */
static const arka_setting_ignored *find_ignored(const char *key)
{
    for (int i = 0; i < arka_n_settings_ignored; i++) {
        const char *known = arka_settings_ignored[i].key;
        size_t n = strcspn(known, "*");
        if (known[n] == 0 ? strcmp(known, key) == 0 : strncmp(known, key, n) == 0)
            return &arka_settings_ignored[i];
    }
    return NULL;
}

static arka_status take_known(reading *r, arka_setting which, arka_setting_kind bare, bool over,
                              const char *key, const arka_toml_value *v, const char *where,
                              arka_error *err)
{
    bool skip;
    ARKA_TRY(check_twice(r, which, key, where, over, &skip, err));
    if (skip)
        return ARKA_OK;
    ARKA_TRY(take(r, which, bare, key, v, where, err));
    r->given[which] = arka_arena_text(&r->settings->arena, arka_slice_of(key));
    r->where[which] = r->settings->where[which];
    return r->given[which] ? ARKA_OK : arka_fail_nomem(err, "a setting", strlen(key));
}

static arka_status take_leaf(reading *r, const char *key, bool quoted, const arka_toml_value *v,
                             arka_error *err)
{
    char where[WHERE];
    snprintf(where, sizeof where, "%s:%d:%d", r->path, v->line, v->column);
    int which = quoted ? ARKA_N_SETTINGS : (int)arka_setting_of_key(arka_slice_of(key));
    if (which < ARKA_N_SETTINGS)
        return take_known(r, (arka_setting)which, arka_setting_infos[which].kind, false, key, v,
                          where, err);
    for (int i = 0; i < arka_n_setting_aliases && !quoted; i++) {
        const arka_setting_alias *a = &arka_setting_aliases[i];
        if (strcmp(a->key, key) == 0)
            return take_known(r, a->which, a->kind, a->over, key, v, where, err);
    }
    const arka_setting_ignored *ignored = quoted ? NULL : find_ignored(key);
    if (ignored != NULL) {
        arka_settings__warn(r->settings, "%s: %s is of no use here: %s", where, key, ignored->why);
        return ARKA_OK;
    }
    const char *near = suggest(key);
    return arka_fail(err, ARKA_INPUT,
                     "%s: there is no setting '%.100s'%s%s%s ('arc help settings' lists them)",
                     where, key, near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
}

static arka_status walk(reading *r, const arka_toml_value *table, const char *prefix, bool quoted,
                        arka_error *err);

static arka_status take_entry(reading *r, const arka_toml_value *v, const char *prefix, bool quoted,
                              arka_error *err)
{
    arka_buf name = ARKA_BUF_INIT;
    arka_error fault = {0};
    if (*prefix != 0)
        arka_buf_printf(&name, "%s.", prefix);
    arka_buf_slice(&name, v->key);
    quoted |= memchr(v->key.data, '.', v->key.len) != NULL; /* "a.b" = 1 is not a.b = 1 */
    const char *key = arka_buf_cstr(&name);
    arka_status status = key == NULL                  ? arka_fail_nomem(&fault, "a key", v->key.len)
                         : v->kind == ARKA_TOML_TABLE ? walk(r, v, key, quoted, err)
                                                      : take_leaf(r, key, quoted, v, &fault);
    arka_buf_fini(&name);
    if (fault.code == ARKA_INPUT) {
        arka_settings__fault(r->settings, &fault, err);
        r->status = ARKA_INPUT;
        return ARKA_OK;
    }
    if (fault.code != ARKA_OK && err != NULL)
        *err = fault;
    return status;
}

static arka_status walk(reading *r, const arka_toml_value *table, const char *prefix, bool quoted,
                        arka_error *err)
{
    for (const arka_toml_value *v = table->first; v != NULL; v = v->next)
        ARKA_TRY(take_entry(r, v, prefix, quoted, err));
    return ARKA_OK;
}

arka_status arka_settings_read_text(arka_settings *settings, arka_slice text, const char *path,
                                    arka_error *err)
{
    reading r = {.settings = settings, .path = path};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_error fault = {0};
    arka_toml_value *root;
    arka_status status = arka_toml_parse(text, path, &arena, &root, &fault);
    if (status == ARKA_OK)
        status = walk(&r, root, "", false, err);
    else if (status == ARKA_INPUT)
        arka_settings__fault(settings, &fault, err);
    else if (err != NULL)
        *err = fault;
    arka_arena_fini(&arena);
    return status != ARKA_OK ? status : r.status;
}

arka_status arka_settings_read_file(arka_settings *settings, const char *path, arka_error *err)
{
    char *text;
    size_t len;
    settings->file = arka_arena_text(&settings->arena, arka_slice_of(path));
    if (settings->file == NULL)
        return arka_fail_nomem(err, "a path", strlen(path));
    ARKA_TRY(arka_file_read(path, MAX_FILE, &text, &len, err));
    arka_status status =
        arka_settings_read_text(settings, (arka_slice){text, len}, settings->file, err);
    arka_free(text);
    return status;
}
