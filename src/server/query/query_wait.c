/* Queries that must see what their client knows to be stored. */
#include "base/number.h"
#include "server/query/query.h"
#include "server/server_priv.h"

enum { LOOK_EVERY_MS = 100 }; /* at whether the client is still there */

static arka_status read_lsn(const arka_request *r, uint64_t *out, arka_error *err)
{
    arka_slice text = arka_request_header(r, "x-arc-min-lsn");
    *out = 0;
    if (!arka_request_has_header(r, "x-arc-min-lsn"))
        return ARKA_OK;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            text.len = 0;
    if (text.len == 0 || !arka_parse_u64(text.data, text.len, out))
        return arka_fail(err, ARKA_INPUT,
                         "x-arc-min-lsn is not a whole number from 0 to 18446744073709551615");
    return ARKA_OK;
}

static arka_status wait_for(arka_server *server, const arka_ticket *ticket, uint64_t lsn,
                            arka_mono deadline, arka_error *err)
{
    for (;;) {
        arka_mono look = arka_mono_after_ms(LOOK_EVERY_MS);
        if (look.ns > deadline.ns)
            look = deadline;
        if (arka_engine_wait_visible(server->engine, lsn, look))
            return ARKA_OK;
        if (arka_running_is_cancelled(server->running, ticket))
            return arka_fail(err, ARKA_CANCELLED, "the query was cancelled");
        if (arka_mono_now().ns >= deadline.ns)
            return arka_fail(err, ARKA_BUSY,
                             "rows up to LSN %llu are not visible yet, only those up to %llu; try "
                             "again",
                             (unsigned long long)lsn,
                             (unsigned long long)arka_engine_visible_lsn(server->engine));
    }
}

bool arka_query_rows_are_there(const arka_request *r)
{
    uint64_t lsn;
    return read_lsn(r, &lsn, NULL) == ARKA_OK && lsn <= arka_engine_visible_lsn(r->server->engine);
}

arka_status arka_query_await_rows(const arka_request *r, const arka_ticket *ticket,
                                  arka_mono deadline, arka_error *err)
{
    arka_server *server = r->server;
    uint64_t lsn;
    ARKA_TRY(read_lsn(r, &lsn, err));
    if (lsn <= arka_engine_visible_lsn(server->engine))
        return ARKA_OK;
    arka_mono limit = arka_mono_after_ms(server->settings->min_lsn_timeout);
    /* relaxed: only a count */
    int before = atomic_fetch_add_explicit(&server->awaiting_rows, 1, memory_order_relaxed);
    int most = (int)(server->settings->query_slots + 1) / 2;
    arka_status status =
        before >= most
            ? arka_fail(err, ARKA_BUSY, "%d queries wait for rows that are not visible yet", before)
            : wait_for(server, ticket, lsn, limit.ns < deadline.ns ? limit : deadline, err);
    atomic_fetch_sub_explicit(&server->awaiting_rows, 1, memory_order_relaxed);
    return status;
}
