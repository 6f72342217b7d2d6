/* What the manifest keeps for others: numbers by name, and requests that may be repeated. */
#include "meta/manifest_priv.h"

arka_status arka_manifest_get_number(arka_manifest *m, const char *name, uint64_t *out,
                                     arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_manifest__bind_text(m, S_GET_NUMBER, 1, arka_slice_of(name));
    int rc = arka_manifest__step(m, S_GET_NUMBER);
    arka_status status = ARKA_OK;
    if (rc == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(m->statements[S_GET_NUMBER], 0);
    else if (rc != SQLITE_DONE)
        status = arka_manifest__fail(m, rc, "reading a number", err);
    arka_manifest__end_step(m, S_GET_NUMBER);
    arka_mutex_unlock(&m->lock);
    return status;
}

arka_status arka_manifest_set_number(arka_manifest *m, const char *name, uint64_t value,
                                     arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK) {
        arka_manifest__bind_text(m, S_SET_NUMBER, 1, arka_slice_of(name));
        arka_manifest__bind_i64(m, S_SET_NUMBER, 2, (int64_t)value);
        status = arka_manifest__do(m, S_SET_NUMBER, "keeping a number", err);
        status = arka_manifest__finish(m, status, err);
    }
    arka_mutex_unlock(&m->lock);
    return status;
}

static arka_status add_request(arka_manifest *m, const arka_manifest_request *r, arka_error *err)
{
    arka_manifest__bind_text(m, S_ADD_REQUEST, 1, r->database);
    arka_manifest__bind_text(m, S_ADD_REQUEST, 2, r->key);
    arka_manifest__bind_i64(m, S_ADD_REQUEST, 3, (int64_t)r->lsn);
    arka_manifest__bind_i64(m, S_ADD_REQUEST, 4, r->stored_us);
    arka_manifest__bind_blob(m, S_ADD_REQUEST, 5, r->answer);
    return arka_manifest__do(m, S_ADD_REQUEST, "keeping a request", err);
}

arka_status arka_manifest_add_requests(arka_manifest *m, const arka_manifest_request *requests,
                                       size_t n, arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK) {
        for (size_t i = 0; i < n && status == ARKA_OK; i++)
            status = add_request(m, &requests[i], err);
        status = arka_manifest__finish(m, status, err);
    }
    arka_mutex_unlock(&m->lock);
    return status;
}

arka_status arka_manifest_each_request(arka_manifest *m,
                                       arka_status (*each)(void *context,
                                                           const arka_manifest_request *request,
                                                           arka_error *err),
                                       void *context, arka_error *err)
{
    sqlite3_stmt *s = m->statements[S_REQUESTS];
    arka_status status = ARKA_OK;
    int rc = SQLITE_DONE;
    while (status == ARKA_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        arka_manifest_request request = {.database = arka_manifest__column(s, 0),
                                         .key = arka_manifest__column(s, 1),
                                         .lsn = (uint64_t)sqlite3_column_int64(s, 2),
                                         .stored_us = sqlite3_column_int64(s, 3),
                                         .answer = arka_manifest__column(s, 4)};
        status = each(context, &request, err);
    }
    if (status == ARKA_OK && rc != SQLITE_DONE)
        status = arka_manifest__fail(m, rc, "reading requests", err);
    sqlite3_reset(s);
    return status;
}

arka_status arka_manifest_drop_requests(arka_manifest *m, int64_t before_us, arka_error *err)
{
    arka_mutex_lock(&m->lock);
    arka_status status = arka_manifest__begin(m, err);
    if (status == ARKA_OK) {
        arka_manifest__bind_i64(m, S_DROP_REQUESTS, 1, before_us);
        status = arka_manifest__do(m, S_DROP_REQUESTS, "dropping old requests", err);
        status = arka_manifest__finish(m, status, err);
    }
    arka_mutex_unlock(&m->lock);
    return status;
}
