#include "server/access/tokens.h"

#include <stdio.h>
#include <unistd.h>

#include "os/file.h"
#include "server/server_priv.h"

/*
 * Past the log, whatever its format and level: it is for a person, or a script that looks for one
 * of the two lines, and must not be kept where lines of the log are.
 */
static void show(const char *clear)
{
    static const char RULE[] =
        "======================================================================";
    dprintf(STDERR_FILENO,
            "\n%s\n"
            "  Initial admin API token: %s\n"
            "  Admin API token: %s\n"
            "\n"
            "  It may do everything. It is shown this once: only a hash of it is kept.\n"
            "\n"
            "    export ARC_TOKEN=%s\n"
            "\n"
            "  'arc token create NAME' makes further ones, with less.\n"
            "%s\n\n",
            RULE, clear, clear, clear, RULE);
}

static arka_status make_first(arka_server *server, arka_error *err)
{
    const arka_settings *s = server->settings;
    arka_bootstrap options = {
        .default_token = arka_slice_of(s->auth_default_token),
        .bootstrap_token = arka_slice_of(s->auth_bootstrap_token),
        .force = s->auth_force_bootstrap,
    };
    char clear[ARKA_TOKEN_TEXT];
    ARKA_TRY(arka_auth_bootstrap(server->auth, &options, arka_wall_us(), clear, err));
    if (clear[0] != 0)
        show(clear);
    arka_token_wipe(clear);
    if (options.force)
        arka_log_write(server->log, ARKA_WARN, "auth_force_bootstrap", NULL,
                       "auth.force_bootstrap is on: switch it off once there is an administrator");
    return ARKA_OK;
}

/* Known before anybody asks: who tries wrong ones cannot hold up who has these. */
static void prove_settings(void *context)
{
    const arka_server *server = context;
    const char *const values[] = {server->settings->auth_default_token,
                                  server->settings->auth_bootstrap_token};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        ARKA_AUTO(arka_identity) who = NULL;
        /* it may be another by now, or switched off */
        if (*values[i] != 0)
            ARKA_IGNORE(arka_auth_check(server->auth, arka_slice_of(values[i]), (arka_slice){"", 0},
                                        arka_wall_us(), &who, NULL));
    }
}

arka_status arka_server_open_tokens(arka_server *server, arka_error *err)
{
    const arka_settings *s = server->settings;
    arka_auth_options options = {
        .db_path = s->db_path,
        .cache_ttl_ms = s->auth_cache_ttl * 1000,
        .cache_size = (int)s->auth_cache_size,
        .serves = true,
    };
    ARKA_TRY(arka_dir_make_parent(&arka_os_real, s->db_path, err));
    ARKA_TRY(arka_auth_open(&options, &server->auth, err));
    if (!s->auth_enabled)
        return ARKA_OK;
    ARKA_TRY(make_first(server, err));
    return arka_workers_submit(server->provers, prove_settings, server, err);
}
