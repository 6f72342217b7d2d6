#include "server/reload.h"

#include "server/query/query_service.h"
#include "server/server_priv.h"

/* More would be a loop that reloads; each takes some kilobytes that stay. */
enum { MAX_VERSIONS = 10000 };

void arka_settings_versions_free(arka_settings_version *newest)
{
    while (newest != NULL) {
        arka_settings_version *older = newest->older;
        arka_settings_fini(&newest->settings);
        arka_free(newest);
        newest = older;
    }
}

const arka_settings *arka_server_settings(const arka_server *server)
{
    /* pairs with the release in publish: a version is whole when it is seen */
    return atomic_load_explicit(&server->settings, memory_order_acquire);
}

static void log_notes(const arka_server *server, const arka_settings *s)
{
    for (size_t i = 0; i < s->notes.n; i++)
        arka_log_write(server->log, s->notes.items[i].fault ? ARKA_ERROR : ARKA_WARN,
                       s->notes.items[i].fault ? "reload_failed" : "settings", NULL, "%s",
                       s->notes.items[i].text);
}

static void log_changes(const arka_server *server, const arka_settings *old,
                        const arka_settings *now, const arka_setting_changes *changes)
{
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        arka_buf was = ARKA_BUF_INIT, is = ARKA_BUF_INIT;
        arka_settings_show(old, (arka_setting)i, &was);
        arka_settings_show(now, (arka_setting)i, &is);
        const char *from = arka_buf_cstr(&was), *to = arka_buf_cstr(&is);
        const char *key = arka_setting_infos[i].key;
        if (changes->now[i])
            arka_log_write(server->log, ARKA_INFO, "reload", NULL, "%s is %s now, it was %s (%s)",
                           key, to && *to ? to : "empty", from && *from ? from : "empty",
                           now->where[i]);
        else if (changes->later[i])
            arka_log_write(server->log, ARKA_WARN, "reload", NULL,
                           "%s has changed, which needs a restart: it stays %s", key,
                           from && *from ? from : "empty");
        arka_buf_fini(&was);
        arka_buf_fini(&is);
    }
}

/* From here on readers see it. */
static void publish(arka_server *server, arka_settings_version *version)
{
    version->older = server->versions;
    server->versions = version;
    server->n_versions++;
    atomic_store_explicit(&server->settings, &version->settings, memory_order_release);
}

/* To the parts that keep numbers of their own. */
static void hand_on(arka_server *server)
{
    arka_query_service_reload(server);
    /* made by the opening thread: it is there once that has said so */
    if (arka_server_is_open(server) && server->auth != NULL)
        arka_auth_set_cache_ttl(server->auth, arka_server_settings(server)->auth_cache_ttl * 1000);
}

static arka_status reload(arka_server *server, const arka_setting_layers *layers,
                          arka_settings_version *version, arka_setting_changes *changes,
                          arka_error *err)
{
    const arka_settings *old = arka_server_settings(server);
    arka_status status = arka_settings_reload(layers, old, &version->settings, changes, err);
    log_notes(server, &version->settings);
    ARKA_TRY(status);
    if (changes->n_now > 0 && server->n_versions >= MAX_VERSIONS)
        return arka_fail(err, ARKA_LIMIT, "settings were reloaded %d times: more need a restart",
                         MAX_VERSIONS);
    log_changes(server, old, &version->settings, changes);
    return ARKA_OK;
}

arka_status arka_server_reload(arka_server *server, const arka_setting_layers *layers,
                               arka_error *err)
{
    arka_error own = {0};
    arka_setting_changes changes = {0};
    err = err ? err : &own;
    arka_settings_version *version = arka_calloc(1, sizeof *version);
    if (version == NULL)
        return arka_fail_nomem(err, "settings", sizeof *version);
    arka_status status = reload(server, layers, version, &changes, err);
    bool kept = status == ARKA_OK && changes.n_now > 0;
    if (kept) {
        publish(server, version);
        hand_on(server);
    }
    if (status == ARKA_OK)
        arka_log_write(server->log, ARKA_INFO, "reload", NULL,
                       "settings read again: %d changed, %d need a restart", changes.n_now,
                       changes.n_later);
    else
        arka_log_write(server->log, ARKA_ERROR, "reload_failed", NULL,
                       "all settings stay as they were: %s", err->msg);
    if (!kept) {
        arka_settings_fini(&version->settings);
        arka_free(version);
    }
    /* whatever became of the settings: a new certificate has the name of the old one */
    if (server->tls != NULL)
        ARKA_IGNORE(arka_tls_reload(server->tls, arka_server_settings(server), NULL) !=
                    ARKA_OK); /* it has said so in the log */
    return status;
}
