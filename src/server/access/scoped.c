#include "server/access/scoped.h"

#include "server/access/access.h"
#include "server/server_priv.h"

/* Names of tables, one behind the other: database, NUL, table, NUL. */
typedef struct names {
    const arka_request *request;
    arka_buf text;
} names;

static arka_status note_table(void *context, const arka_table_info *info, arka_error *err)
{
    names *n = context;
    if (!arka_access_table(n->request, arka_slice_of(info->database), arka_slice_of(info->name)))
        return ARKA_OK;
    arka_buf_append(&n->text, info->database, strlen(info->database) + 1);
    arka_buf_append(&n->text, info->name, strlen(info->name) + 1);
    return n->text.failed ? arka_fail_nomem(err, "names of tables", n->text.len) : ARKA_OK;
}

static arka_status flush_each(const arka_request *r, const names *n, int64_t *out_n,
                              arka_error *err)
{
    for (size_t at = 0; at < n->text.len;) {
        arka_slice database = arka_slice_of(n->text.data + at);
        arka_slice table = arka_slice_of(n->text.data + at + database.len + 1);
        int64_t flushed = 0;
        ARKA_TRY(arka_engine_flush(r->server->engine, database, table, &flushed, err));
        *out_n += flushed;
        at += database.len + table.len + 2;
    }
    return ARKA_OK;
}

arka_status arka_scoped_flush(const arka_request *r, arka_slice database, arka_slice measurement,
                              int64_t *out_n, arka_error *err)
{
    arka_engine *engine = r->server->engine;
    *out_n = 0;
    if (arka_access_everything(r) || (database.len > 0 && arka_access_all_of(r, database)) ||
        (measurement.len > 0 && arka_access_table(r, database, measurement)))
        return arka_engine_flush(engine, database, measurement, out_n, err);
    if (measurement.len > 0)
        return ARKA_OK;
    names n = {.request = r, .text = ARKA_BUF_INIT};
    arka_status status = arka_engine_each_table(engine, database, note_table, &n, err);
    if (status == ARKA_OK)
        status = flush_each(r, &n, out_n, err);
    arka_buf_fini(&n.text);
    return status;
}
