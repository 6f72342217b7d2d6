#include "server/write.h"

#include <strings.h>

#include "server/handlers.h"
#include "server/server_priv.h"
#include "wire/inflate.h"
#include "wire/msgpack.h"

enum {
    MAX_RATIO = 1000, /* of a body's size to its compressed size: gzip cannot do much better */
    FEW_BATCHES = 16,
};

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

arka_status arka_write_inflate(const arka_request *r, arka_buf *buf, arka_slice *out,
                               arka_error *err)
{
    arka_coding coding = arka_coding_detect(r->body.data, r->body.len);
    *out = r->body;
    if (coding == ARKA_CODING_NONE)
        return ARKA_OK;
    arka_inflate_limits limits = {
        .max_bytes = (size_t)r->server->settings->max_inflated_mb << 20,
        .max_ratio = MAX_RATIO,
    };
    ARKA_TRY(arka_inflate(r->body.data, r->body.len, coding, &limits, buf, err));
    *out = (arka_slice){buf->data, buf->len};
    return ARKA_OK;
}

/* Batches that the engine refused become rejects; what it took is counted. */
static void sort_out(arka_writes *writes, const arka_put_batch *puts, size_t n, arka_stored *out)
{
    /* lines and row maps of one measurement share a batch, so a batch may stand for many of them */
    bool shared = writes->n_members - writes->n_rejected > (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        if (puts[i].status == ARKA_OK) {
            out->n_batches++;
            out->n_rows += puts[i].batch->n_rows;
            continue;
        }
        if (out->first.code == ARKA_OK)
            out->first = puts[i].error;
        arka_writes_reject(writes, writes->writes.items[i].member, puts[i].measurement,
                           puts[i].error.msg, "", 0);
        writes->n_rejected += shared ? puts[i].batch->n_rows - 1 : 0;
    }
}

arka_status arka_write_store(arka_request *r, arka_slice database, arka_writes *writes, bool atomic,
                             arka_stored *out, arka_error *err)
{
    size_t n = writes->writes.n;
    arka_put_batch few[FEW_BATCHES];
    arka_put_batch *puts = few;
    *out = (arka_stored){0};
    if (n == 0)
        return ARKA_OK;
    if (n > FEW_BATCHES)
        puts = arka_arena_alloc(&writes->arena, n * sizeof *puts);
    if (puts == NULL)
        return arka_fail_nomem(err, "a write", n * sizeof *puts);
    for (size_t i = 0; i < n; i++) {
        puts[i].measurement = writes->writes.items[i].measurement;
        puts[i].batch = writes->writes.items[i].batch;
        puts[i].status = ARKA_OK;
        puts[i].error.code = ARKA_OK;
    }
    ARKA_TRY(arka_engine_write(r->server->engine, database, puts, n, atomic, err));
    sort_out(writes, puts, n, out);
    arka_count(&r->server->counters.rows_written, out->n_rows);
    return ARKA_OK;
}

/* ---- MessagePack ---- */

static bool asks_atomic(const arka_request *r)
{
    arka_slice v = arka_request_header(r, "x-arc-atomic");
    return (v.len == 4 && strncasecmp(v.data, "true", 4) == 0) || (v.len == 1 && v.data[0] == '1');
}

static arka_status store_msgpack(arka_request *r, arka_buf *inflated, arka_writes *writes,
                                 arka_error *err)
{
    bool named, atomic = asks_atomic(r);
    arka_slice database, body;
    arka_stored stored;
    ARKA_TRY(arka_request_database(r, (arka_slice){NULL, 0}, &database, &named, err));
    if (r->body.len == 0)
        return arka_fail(err, ARKA_INPUT, "the request body is empty: expected MessagePack");
    ARKA_TRY(arka_write_inflate(r, inflated, &body, err));
    arka_msgpack_options options = {.now_us = r->arrived_us, .atomic = atomic};
    ARKA_TRY(arka_msgpack_decode(body.data, body.len, &options, writes, err));
    ARKA_TRY(arka_write_store(r, database, writes, atomic, &stored, err));
    if (writes->n_rejected == 0)
        return ARKA_OK;
    arka_count(&r->server->counters.members_rejected, writes->n_rejected);
    if (stored.n_batches == 0 && stored.first.code != ARKA_OK) {
        if (err != NULL)
            *err = stored.first;
        return stored.first.code;
    }
    arka_rejects_record(r, database, writes->rejects.items, writes->rejects.n);
    arka_answer_header(r, "X-Arc-Rejected", "%lld", (long long)writes->n_rejected);
    return ARKA_OK;
}

arka_handled arka_handle_write_msgpack(arka_request *r)
{
    arka_counters *counters = &r->server->counters;
    arka_error err = {0};
    arka_writes writes = {0};
    arka_buf inflated = ARKA_BUF_INIT;
    arka_count(&counters->msgpack_requests, 1);
    arka_count(&counters->bytes_received, (int64_t)r->body.len);
    if (!arka_write_coding_known(r)) {
        arka_count(&counters->msgpack_errors, 1);
        return ARKA_ANSWERED;
    }
    arka_status status = store_msgpack(r, &inflated, &writes, &err);
    arka_writes_fini(&writes);
    arka_buf_fini(&inflated);
    if (status == ARKA_OK)
        return arka_answer_empty(r);
    arka_count(&counters->msgpack_errors, 1);
    return arka_answer_fail(r, &err);
}
