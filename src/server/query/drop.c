#include "server/query/drop.h"

#include <strings.h>

#include "server/access/access.h"
#include "server/http/handlers.h"
#include "server/server_priv.h"
#include "wire/names.h"

static arka_status need_enabled(arka_server *server, arka_error *err)
{
    return arka_server_settings(server)->delete_enabled
               ? ARKA_OK
               : arka_fail(err, ARKA_FORBIDDEN,
                           "deleting is switched off on this server: delete.enabled is false");
}

arka_status arka_drop_database(arka_server *server, arka_slice database, const char *request_id,
                               arka_error *err)
{
    ARKA_TRY(need_enabled(server, err));
    ARKA_TRY(arka_engine_drop_database(server->engine, database, err));
    arka_log_write(server->log, ARKA_INFO, "database_dropped", request_id, "%.*s",
                   ARKA_FMT(database));
    return ARKA_OK;
}

arka_status arka_drop_table(arka_server *server, arka_slice database, arka_slice table,
                            const char *request_id, arka_error *err)
{
    ARKA_TRY(need_enabled(server, err));
    ARKA_TRY(arka_engine_drop_table(server->engine, database, table, err));
    arka_log_write(server->log, ARKA_INFO, "measurement_dropped", request_id, "%.*s.%.*s",
                   ARKA_FMT(database), ARKA_FMT(table));
    return ARKA_OK;
}

static bool is_true(arka_slice text)
{
    return text.len == 4 && strncasecmp(text.data, "true", 4) == 0;
}

static arka_status drop_asked(arka_request *r, arka_error *err)
{
    arka_slice name = r->args[0], confirm;
    ARKA_TRY(arka_name_check_database(name, err));
    ARKA_TRY(arka_request_param(r, "confirm", &confirm, err));
    ARKA_TRY(need_enabled(r->server, err));
    if (!arka_engine_has_database(r->server->engine, name) || !arka_access_database(r, name))
        return arka_fail(err, ARKA_NOTFOUND, "there is no database '%.*s'", ARKA_FMT(name));
    if (!is_true(confirm))
        return arka_fail(
            err, ARKA_INPUT,
            "database '%.*s' would be dropped with all that is in it: say confirm=true",
            ARKA_FMT(name));
    return arka_drop_database(r->server, name, r->id, err);
}

arka_handled arka_handle_database_drop(arka_request *r)
{
    arka_error err = {0};
    if (drop_asked(r, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_printf(arka_answer_json(r, 200),
                    "{\"success\":true,\"database\":\"%.*s\",\"message\":\"database '%.*s' was "
                    "dropped\"}",
                    ARKA_FMT(r->args[0]), ARKA_FMT(r->args[0]));
    return ARKA_ANSWERED;
}
