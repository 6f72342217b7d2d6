/* What no single value shows, and what was left open. */
#include <strings.h>

#include "config/memory.h"
#include "config/settings_priv.h"
#include "wire/names.h"

enum { MAX_WORDS = 8 };

static const struct {
    arka_setting which;
    const char *choices;
    const char *words[MAX_WORDS]; /* ends with a NULL */
} WORDS[] = {
#define W(field, choices, ...) {ARKA_SETTING_##field, choices, {__VA_ARGS__}},
#include "config/words.def"
#undef W
};

/* The one of `words` that is meant, or NULL. */
static const char *find_word(const char *word, const char *const *words)
{
    while (*words != NULL && strcasecmp(word, *words) != 0)
        words++;
    return *words;
}

static const char *where_of(const arka_settings *s, arka_setting which)
{
    return s->where[which];
}

static arka_status check_word(arka_settings *s, size_t i, arka_error *err)
{
    const char **value = arka_settings__value(s, WORDS[i].which);
    const char *word = find_word(*value, WORDS[i].words);
    if (word == NULL)
        return arka_fail(err, ARKA_INPUT, "%s: %s = '%.100s' is not %s",
                         where_of(s, WORDS[i].which), arka_setting_infos[WORDS[i].which].key,
                         *value, WORDS[i].choices);
    *value = word;
    return ARKA_OK;
}

static arka_status check_log_sizes(arka_settings *s, arka_error *err)
{
    /* a full segment cannot go before the next is begun, so less than two would refuse for ever */
    if (s->wal_total_mb < 2 * s->wal_segment_mb)
        return arka_fail(err, ARKA_INPUT,
                         "wal.max_total_mb = %lld has no room for two segments of "
                         "wal.max_size_mb = %lld",
                         (long long)s->wal_total_mb, (long long)s->wal_segment_mb);
    return ARKA_OK;
}

static arka_status check_tls(arka_settings *s, arka_error *err)
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

/* Who asks nobody for a token has to say it before others than this machine get in. */
static arka_status fill_host(arka_settings *s, arka_error *err)
{
    if (*s->host == 0)
        s->host = s->auth_enabled ? "0.0.0.0" : "127.0.0.1";
    return ARKA_OK;
}

static arka_status check_database(arka_settings *s, arka_error *err)
{
    if (arka_name_check_database(arka_slice_of(s->database), err) != ARKA_OK) {
        arka_error_prefix(err, "%s: storage.database: ", where_of(s, ARKA_SETTING_database));
        return ARKA_INPUT;
    }
    return ARKA_OK;
}

static arka_status check_data_dir(arka_settings *s, arka_error *err)
{
    if (*s->data_dir == 0)
        return arka_fail(err, ARKA_INPUT, "storage.data_dir is empty: it must name a directory");
    return ARKA_OK;
}

static arka_status settle_memory(arka_settings *s, arka_error *err)
{
    arka_memory_limit machine;
    arka_memory_limit_get(&machine);
    return arka_memory_settle(s, &machine, err);
}

static arka_status fill_path(arka_settings *s, const char **path, const char *name, arka_error *err)
{
    if (**path != 0)
        return ARKA_OK;
    *path = arka_arena_printf(&s->arena, "%s/%s", s->data_dir, name);
    return *path ? ARKA_OK : arka_fail_nomem(err, "a path", strlen(s->data_dir));
}

static arka_status fill_paths(arka_settings *s, arka_error *err)
{
    ARKA_TRY(fill_path(s, &s->base_path, "arc", err));
    ARKA_TRY(fill_path(s, &s->db_path, "arc.db", err));
    ARKA_TRY(fill_path(s, &s->wal_dir, "wal", err));
    return fill_path(s, &s->temp_dir, "duckdb_tmp", err);
}

arka_status arka_settings_finish(arka_settings *s, arka_error *err)
{
    /* checks of several settings at once; each stands alone, so that all faults are found */
    static arka_status (*const CHECKS[])(arka_settings * s, arka_error * err) = {
        check_tls, check_log_sizes, fill_host, check_database, check_data_dir, settle_memory,
    };
    arka_status status = ARKA_OK;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        arka_error fault = {0};
        if (check_word(s, i, &fault) != ARKA_OK) {
            arka_settings__fault(s, &fault, err);
            status = ARKA_INPUT;
        }
    }
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++) {
        arka_error fault = {0};
        if (CHECKS[i](s, &fault) != ARKA_OK) {
            arka_settings__fault(s, &fault, err);
            status = ARKA_INPUT;
        }
    }
    ARKA_TRY(status);
    return fill_paths(s, err);
}
