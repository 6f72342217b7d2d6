#include "server/write/write.h"

#include <strings.h>

#include "server/access/access.h"
#include "server/http/handlers.h"
#include "server/server_priv.h"
#include "wire/inflate.h"
#include "wire/msgpack.h"

enum {
    MAX_RATIO = 1000, /* of a body's size to its compressed size: gzip cannot do better */
    KEPT = 1 << 20,
};

bool arka_write_refused(arka_request *r)
{
    arka_error err = {0};
    if (!arka_engine_refuse_write(r->server->engine, &err))
        return false;
    arka_answer_fail(r, &err);
    return true;
}

bool arka_write_coding_known(arka_request *r)
{
    static const char *const KNOWN[] = {"gzip", "x-gzip", "zstd", "identity"};
    arka_slice named = arka_request_header(r, "Content-Encoding");
    if (named.len == 0 || r->body.len == 0 ||
        arka_coding_detect(r->body.data, r->body.len) != ARKA_CODING_NONE)
        return true;
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (named.len == strlen(KNOWN[i]) && strncasecmp(named.data, KNOWN[i], named.len) == 0)
            return true;
    arka_answer_error(r, 415, "invalid", "Content-Encoding '%.*s' is not gzip, zstd or identity",
                      named.len > 40 ? 40 : (int)named.len, named.data);
    return false;
}

/*
 * The room for all bodies ended it, not the limit of one, and others have part of that room: there
 * may be enough later. (Connections keep small buffers between requests: that is not a part.)
 */
static bool lacks_room(const arka_request *r, size_t room, size_t most)
{
    size_t all = (size_t)r->server->settings->max_body_memory_mb << 20;
    return room < most && r->body.len > room / MAX_RATIO && room + r->body.len + KEPT < all;
}

static arka_status no_room(const arka_request *r, arka_error *err)
{
    if (err != NULL)
        *err = (arka_error){0};
    return arka_fail(
        err, ARKA_BUSY,
        "the inflated body does not fit the %lld MiB that all bodies may have together",
        (long long)r->server->settings->max_body_memory_mb);
}

arka_status arka_write_inflate(const arka_request *r, arka_store *s, arka_slice *out,
                               arka_error *err)
{
    arka_coding coding = arka_coding_detect(r->body.data, r->body.len);
    *out = r->body;
    if (coding == ARKA_CODING_NONE)
        return ARKA_OK;
    size_t most = (size_t)r->server->settings->max_inflated_mb << 20;
    size_t room = (size_t)arka_http_body_room(r->server->http);
    arka_inflate_limits limits = {
        .max_bytes = room < most ? room : most,
        .max_ratio = MAX_RATIO,
    };
    arka_status status =
        arka_inflate(r->body.data, r->body.len, coding, &limits, &s->inflated, err);
    if (status == ARKA_LIMIT && lacks_room(r, room, most))
        return no_room(r, err);
    ARKA_TRY(status);
    s->http = r->server->http;
    s->charged = (int64_t)s->inflated.cap;
    arka_http_charge_body(s->http, s->charged);
    *out = (arka_slice){s->inflated.data, s->inflated.len};
    return ARKA_OK;
}

/* ---- MessagePack ---- */

static bool asks_atomic(const arka_request *r)
{
    arka_slice v = arka_request_header(r, "x-arc-atomic");
    return (v.len == 4 && strncasecmp(v.data, "true", 4) == 0) || (v.len == 1 && v.data[0] == '1');
}

static void answer_msgpack(arka_request *r, const arka_store *s, arka_slice database)
{
    arka_answer_empty(r);
    if (s->writes.n_rejected == 0)
        return;
    arka_rejects_record(r, database, s->writes.rejects.items, s->writes.rejects.n);
    arka_answer_header(r, "X-Arc-Rejected", "%lld", (long long)s->writes.n_rejected);
}

static arka_status store_msgpack(arka_request *r, arka_store *s, arka_error *err)
{
    bool named, atomic = asks_atomic(r);
    arka_slice database, body;
    ARKA_TRY(arka_request_database(r, (arka_slice){NULL, 0}, &database, &named, err));
    ARKA_TRY(arka_access_need_database(r, database, err));
    if (r->body.len == 0)
        return arka_fail(err, ARKA_INPUT, "the request body is empty: expected MessagePack");
    ARKA_TRY(arka_write_inflate(r, s, &body, err));
    arka_msgpack_options options = {.now_us = r->arrived_us, .atomic = atomic};
    ARKA_TRY(arka_msgpack_decode(body.data, body.len, &options, &s->writes, err));
    ARKA_TRY(arka_store_prepare(r, s, database, atomic, err));
    if (s->put.repeated)
        return ARKA_OK;
    arka_count(&r->server->counters.members_rejected, s->writes.n_rejected);
    if (s->put.n_fitting == 0 && s->first.code != ARKA_OK) {
        if (err != NULL)
            *err = s->first;
        return s->first.code;
    }
    answer_msgpack(r, s, database);
    return ARKA_OK;
}

arka_handled arka_handle_write_msgpack(arka_request *r)
{
    arka_counters *counters = &r->server->counters;
    arka_error err = {0};
    ARKA_AUTO(arka_store) s = NULL;
    arka_count(&counters->msgpack_requests, 1);
    arka_count(&counters->bytes_received, (int64_t)r->body.len);
    if (arka_write_refused(r) || !arka_write_coding_known(r)) {
        arka_count(&counters->msgpack_errors, 1);
        return ARKA_ANSWERED;
    }
    if (arka_store_new(&counters->msgpack_rows, &s, &err) == ARKA_OK &&
        store_msgpack(r, s, &err) == ARKA_OK)
        return arka_store_commit(r, arka_take(s));
    arka_count(&counters->msgpack_errors, 1);
    return arka_answer_fail(r, &err);
}
