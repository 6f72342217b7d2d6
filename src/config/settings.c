#include "config/settings.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

#include "base/number.h"
#include "columnar/parquet.h"
#include "os/file.h"
#include "config/memory.h"
#include "config/toml.h"
#include "wire/names.h"

enum { MAX_FILE = 1 << 20 };

const arka_setting_info arka_setting_infos[] = {
#define X(field, kind, key, standard, min, max, traits, env, option, help)                                 \
    {key, standard, env, option, help, ARKA_KIND_##kind, min, max, traits},
#include "config/settings.def"
#undef X
};

/* Where a setting's value lives in a settings struct. */
static const size_t OFFSETS[] = {
#define X(field, kind, key, standard, min, max, traits, env, option, help) offsetof(arka_settings, field),
#include "config/settings.def"
#undef X
};

static void *value_of(arka_settings *settings, arka_setting which)
{
    return (char *)settings + OFFSETS[which];
}

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

/* "8GB", "512 MiB", "1048576": decimal and binary names alike mean powers of 1024, as DuckDB's
 * "GiB". */
static bool parse_size(arka_slice text, int64_t *out)
{
    static const char UNITS[] = "KMGT";
    size_t n = 0;
    while (n < text.len && text.data[n] >= '0' && text.data[n] <= '9')
        n++;
    int64_t bytes;
    if (!arka_parse_i64(text.data, n, &bytes))
        return false;
    while (n < text.len && text.data[n] == ' ')
        n++;
    arka_slice unit = {text.data + n, text.len - n};
    int shift = 0;
    if (unit.len > 0 && strncasecmp(unit.data, "B", unit.len) != 0) {
        const char *found = strchr(UNITS, unit.data[0] & ~0x20);
        bool known = found != NULL && *found != 0 &&
                     (unit.len == 1 || (unit.len == 2 && strncasecmp(unit.data + 1, "B", 1) == 0) ||
                      (unit.len == 3 && strncasecmp(unit.data + 1, "iB", 2) == 0));
        if (!known)
            return false;
        shift = 10 * (int)(found - UNITS + 1);
    }
    if (bytes > INT64_MAX >> shift)
        return false;
    *out = bytes << shift;
    return true;
}

static arka_status bad_value(arka_setting which, arka_slice text, const char *where,
                             const char *expected, arka_error *err)
{
    return arka_fail(err, ARKA_INPUT, "%s: %s = '%.*s' is not %s", where,
                     arka_setting_infos[which].key, text.len > 100 ? 100 : (int)text.len, text.data,
                     expected);
}

static arka_status set_int(arka_settings *settings, arka_setting which, arka_slice text,
                           const char *where, arka_error *err)
{
    const arka_setting_info *info = &arka_setting_infos[which];
    int64_t v;
    if (!arka_parse_i64(text.data, text.len, &v))
        return bad_value(which, text, where, "a whole number", err);
    if (v < info->min || v > info->max)
        return arka_fail(err, ARKA_INPUT,
                         "%s: %s = %lld is out of range: it must be from %lld to %lld", where,
                         info->key, (long long)v, (long long)info->min, (long long)info->max);
    *(int64_t *)value_of(settings, which) = v;
    return ARKA_OK;
}

arka_status arka_settings_set(arka_settings *settings, arka_setting which, arka_slice text,
                              arka_setting_source source, const char *where, arka_error *err)
{
    int64_t size = 0;
    const char *kept;
    switch (arka_setting_infos[which].kind) {
    case ARKA_KIND_INT:
    case ARKA_KIND_MIB:
    case ARKA_KIND_SECONDS:
    case ARKA_KIND_MS:
        ARKA_TRY(set_int(settings, which, text, where, err));
        break;
    case ARKA_KIND_BOOL:
        if (!parse_bool(text, value_of(settings, which)))
            return bad_value(which, text, where, "true or false", err);
        break;
    case ARKA_KIND_SIZE:
        if (text.len > 0 && !parse_size(text, &size))
            return bad_value(which, text, where, "a size such as 512MB or 8GB", err);
        *(int64_t *)value_of(settings, which) = size;
        break;
    case ARKA_KIND_TEXT:
    case ARKA_KIND_LIST:
    default:
        kept = arka_arena_text(&settings->arena, text);
        if (kept == NULL)
            return arka_fail_nomem(err, "a setting", text.len);
        *(const char **)value_of(settings, which) = kept;
        break;
    }
    settings->source[which] = source;
    return ARKA_OK;
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
    arka_arena_fini(&settings->arena);
}

arka_setting arka_setting_of_option(const char *option)
{
    int i = 0;
    while (i < ARKA_N_SETTINGS && strcmp(arka_setting_infos[i].option, option) != 0)
        i++;
    return (arka_setting)i;
}

/* ---- file ---- */

typedef struct file_context {
    arka_settings *settings;
    const char *path;
} file_context;

static bool kind_fits(arka_setting_kind setting, arka_toml_kind value)
{
    switch (setting) {
    case ARKA_KIND_INT:
    case ARKA_KIND_MIB:
    case ARKA_KIND_SECONDS:
    case ARKA_KIND_MS:
        return value == ARKA_TOML_INT;
    case ARKA_KIND_BOOL:
        return value == ARKA_TOML_BOOL;
    case ARKA_KIND_SIZE:
        return value == ARKA_TOML_STRING || value == ARKA_TOML_INT;
    case ARKA_KIND_TEXT:
    case ARKA_KIND_LIST:
    default:
        return value == ARKA_TOML_STRING;
    }
}

static arka_status take_pair(void *context, arka_slice key, const arka_toml_value *value,
                             arka_error *err)
{
    static const char *const EXPECTED[] = {
        [ARKA_KIND_TEXT] = "a string",
        [ARKA_KIND_INT] = "an integer",
        [ARKA_KIND_BOOL] = "a boolean",
        [ARKA_KIND_SIZE] = "a string such as \"8GB\"",
    };
    file_context *c = context;
    char where[400];
    snprintf(where, sizeof where, "%s line %d", c->path, value->line);
    int which = 0;
    while (which < ARKA_N_SETTINGS &&
           !arka_slice_eq(key, arka_slice_of(arka_setting_infos[which].key)))
        which++;
    if (which == ARKA_N_SETTINGS)
        return arka_fail(err, ARKA_INPUT,
                         "%s: there is no setting '%.*s' ('arc help settings' lists them)", where,
                         ARKA_FMT(key));
    const arka_setting_info *info = &arka_setting_infos[which];
    if (!kind_fits(info->kind, value->kind))
        return arka_fail(err, ARKA_INPUT, "%s: %s must be %s, found %s", where, info->key,
                         EXPECTED[info->kind], arka_toml_kind_name(value->kind));
    char number[ARKA_NUMBER_TEXT];
    arka_slice text = value->text;
    if (value->kind == ARKA_TOML_INT)
        text = (arka_slice){number, arka_format_i64(number, value->i64)};
    else if (value->kind == ARKA_TOML_BOOL)
        text = value->boolean ? ARKA_SLICE("true") : ARKA_SLICE("false");
    return arka_settings_set(c->settings, (arka_setting)which, text, ARKA_FROM_FILE, where, err);
}

arka_status arka_settings_read_file(arka_settings *settings, const char *path, arka_error *err)
{
    char *text;
    size_t len;
    ARKA_TRY(arka_file_read(path, MAX_FILE, &text, &len, err));
    file_context context = {settings, path};
    arka_status status =
        arka_toml_read((arka_slice){text, len}, path, &settings->arena, take_pair, &context, err);
    arka_free(text);
    return status;
}

/* ---- environment ---- */

/* The name in the environment that every key has: "query.timeout" is ARC_QUERY_TIMEOUT. */
static void env_name(const char *key, char name[64])
{
    size_t n = (size_t)snprintf(name, 64, "ARC_%s", key);
    for (size_t i = 0; i < n && i < 63; i++)
        name[i] = name[i] == '.' ? '_' : (char)toupper((unsigned char)name[i]);
}

/* The first of the comma-parted `names` that is set and not empty; its name into `name`. */
static const char *first_set(const char *names, char *(*get)(const char *name), char name[64])
{
    while (*names != 0) {
        size_t n = strcspn(names, ",");
        snprintf(name, 64, "%.*s", (int)n, names);
        const char *value = get(name);
        if (value != NULL && *value != 0)
            return value;
        names += n + (names[n] == ',');
    }
    return NULL;
}

arka_status arka_settings_read_environment(arka_settings *settings, char *(*get)(const char *name),
                                           arka_error *err)
{
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        char name[64], where[96];
        env_name(arka_setting_infos[i].key, name);
        const char *value = get(name);
        if (value == NULL || *value == 0)
            value = first_set(arka_setting_infos[i].env, get, name);
        if (value == NULL)
            continue;
        snprintf(where, sizeof where, "environment variable %s", name);
        ARKA_TRY(arka_settings_set(settings, (arka_setting)i, arka_slice_of(value),
                                   ARKA_FROM_ENVIRONMENT, where, err));
    }
    return ARKA_OK;
}

/* ---- the whole ---- */

/* The one of `words` that is meant, or NULL. */
static const char *find_word(const char *word, const char *const *words)
{
    while (*words != NULL && strcasecmp(word, *words) != 0)
        words++;
    return *words;
}

enum { MAX_WORDS = 6 };

/* Settings that are a word of a list, whose spelling they get, and how a sentence says the list. */
static const struct {
    arka_setting which;
    const char *words[MAX_WORDS]; /* ends with a NULL */
    const char *choices;
} WORDS[] = {
    {ARKA_SETTING_log_level,
     {"debug", "info", "warn", "warning", "error"},
     "debug, info, warn or error"},
    {ARKA_SETTING_log_format, {"auto", "text", "structured", "json"}, "auto, text or structured"},
    {ARKA_SETTING_wal_sync_mode, {"fsync", "fdatasync", "async"}, "fsync, fdatasync or async"},
    {ARKA_SETTING_wal_compression, {"none", "lz4", "zstd"}, "none, lz4 or zstd"},
    {ARKA_SETTING_wal_on_corruption, {"refuse", "quarantine"}, "refuse or quarantine"},
    {ARKA_SETTING_compression_of_answers, {"off", "auto", "all"}, "off, auto or all"},
    {ARKA_SETTING_tls_client_auth,
     {"none", "optional", "required"},
     "none, optional or required"},
};

static arka_status check_words(arka_settings *s, arka_error *err)
{
    arka_codec codec;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        const char **value = value_of(s, WORDS[i].which);
        const char *word = find_word(*value, WORDS[i].words);
        if (word == NULL)
            return arka_fail(err, ARKA_INPUT, "%s = '%.100s' is not %s",
                             arka_setting_infos[WORDS[i].which].key, *value, WORDS[i].choices);
        *value = word;
    }
    if (!arka_codec_parse(arka_slice_of(s->compression), &codec))
        return arka_fail(err, ARKA_INPUT,
                         "ingestion.compression = '%.100s' is not none, snappy, gzip, lz4 or zstd",
                         s->compression);
    return ARKA_OK;
}

static arka_status check_log_sizes(const arka_settings *s, arka_error *err)
{
    /* a full segment cannot go before the next is begun, so less than two would refuse for ever */
    if (s->wal_total_mb < 2 * s->wal_segment_mb)
        return arka_fail(err, ARKA_INPUT,
                         "wal.max_total_mb = %lld has no room for two segments of "
                         "wal.max_size_mb = %lld",
                         (long long)s->wal_total_mb, (long long)s->wal_segment_mb);
    return ARKA_OK;
}

static arka_status fill_path(arka_settings *s, const char **path, const char *name, arka_error *err)
{
    if (**path != 0)
        return ARKA_OK;
    *path = arka_arena_printf(&s->arena, "%s/%s", s->data_dir, name);
    return *path ? ARKA_OK : arka_fail_nomem(err, "a path", strlen(s->data_dir));
}

static arka_status check_tls(const arka_settings *s, arka_error *err)
{
    if (!s->tls_enabled)
        return ARKA_OK;
    if (*s->tls_cert_file == 0 || *s->tls_key_file == 0)
        return arka_fail(err, ARKA_INPUT,
                         "server.tls_enabled = true needs server.tls_cert_file and "
                         "server.tls_key_file, and %s is empty",
                         *s->tls_cert_file == 0 ? "server.tls_cert_file" : "server.tls_key_file");
    if (strcmp(s->tls_client_auth, "none") != 0 && *s->tls_client_ca_file == 0)
        return arka_fail(err, ARKA_INPUT,
                         "server.tls_client_auth = %s needs server.tls_client_ca_file, which is "
                         "empty",
                         s->tls_client_auth);
    return ARKA_OK;
}

arka_status arka_settings_finish(arka_settings *s, arka_error *err)
{
    ARKA_TRY(check_words(s, err));
    ARKA_TRY(check_tls(s, err));
    ARKA_TRY(check_log_sizes(s, err));
    if (s->auth_enabled)
        return arka_fail(err, ARKA_INPUT,
                         "auth.enabled = true, but this version cannot check tokens: set it to "
                         "false and let only trusted hosts reach the server");
    if (arka_name_check_database(arka_slice_of(s->database), err) != ARKA_OK) {
        arka_error_prefix(err, "storage.database: ");
        return ARKA_INPUT;
    }
    if (*s->data_dir == 0)
        return arka_fail(err, ARKA_INPUT, "storage.data_dir is empty: it must name a directory");
    ARKA_TRY(fill_path(s, &s->base_path, "arc", err));
    ARKA_TRY(fill_path(s, &s->db_path, "arc.db", err));
    ARKA_TRY(fill_path(s, &s->wal_dir, "wal", err));
    ARKA_TRY(fill_path(s, &s->temp_dir, "duckdb_tmp", err));
    arka_memory_limit machine;
    arka_memory_limit_get(&machine);
    return arka_memory_settle(s, &machine, err);
}

void arka_settings_show(const arka_settings *settings, arka_setting which, arka_buf *out)
{
    const void *value = (const char *)settings + OFFSETS[which];
    switch (arka_setting_infos[which].kind) {
    case ARKA_KIND_BOOL:
        arka_buf_text(out, *(const bool *)value ? "true" : "false");
        break;
    case ARKA_KIND_INT:
    case ARKA_KIND_MIB:
    case ARKA_KIND_SECONDS:
    case ARKA_KIND_MS:
    case ARKA_KIND_SIZE:
        arka_buf_printf(out, "%lld", (long long)*(const int64_t *)value);
        break;
    case ARKA_KIND_TEXT:
    case ARKA_KIND_LIST:
    default:
        arka_buf_text(out, *(const char *const *)value);
    }
}
