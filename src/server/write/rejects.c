#include "server/write/rejects.h"

#include "columnar/rows.h"
#include "server/server_priv.h"

enum { BURST = 1000, RATE = 20 };

void arka_rejects_init(arka_rejects *rejects)
{
    arka_mutex_init(&rejects->lock, ARKA_LOCK_LEAF);
    rejects->tokens = BURST;
    rejects->refilled = arka_mono_now();
}

void arka_rejects_fini(arka_rejects *rejects)
{
    arka_mutex_fini(&rejects->lock);
}

/* How many of n rows may be recorded now. */
static size_t take_tokens(arka_rejects *rejects, size_t n)
{
    arka_mutex_lock(&rejects->lock);
    arka_mono now = arka_mono_now();
    rejects->tokens += (double)(now.ns - rejects->refilled.ns) / 1e9 * RATE;
    if (rejects->tokens > BURST)
        rejects->tokens = BURST;
    rejects->refilled = now;
    size_t taken = rejects->tokens < (double)n ? (size_t)rejects->tokens : n;
    rejects->tokens -= (double)taken;
    arka_mutex_unlock(&rejects->lock);
    return taken;
}

/* The columns of the table, in its order. */
enum { DATABASE, MEASUREMENT, PLACE, REASON, SAMPLE, REQUEST_ID, N_COLUMNS };
static const struct {
    const char *name;
    arka_type type;
} COLUMNS[N_COLUMNS] = {
    [DATABASE] = {"database", ARKA_VARCHAR}, [MEASUREMENT] = {"measurement", ARKA_VARCHAR},
    [PLACE] = {"place", ARKA_BIGINT},        [REASON] = {"reason", ARKA_VARCHAR},
    [SAMPLE] = {"sample", ARKA_VARCHAR},     [REQUEST_ID] = {"request_id", ARKA_VARCHAR},
};

static bool put_row(arka_rows *rows, const int *at, const arka_request *r, arka_slice database,
                    const arka_reject *reject)
{
    arka_slice texts[N_COLUMNS] = {
        [DATABASE] = database,
        [MEASUREMENT] = reject->measurement,
        [REASON] = arka_slice_of(reject->reason),
        [SAMPLE] = arka_slice_of(reject->sample),
        [REQUEST_ID] = arka_slice_of(r->id),
    };
    for (int c = 0; c < N_COLUMNS; c++) {
        arka_put put = c == PLACE         ? arka_rows_put_i64(rows, at[c], reject->place)
                       : texts[c].len > 0 ? arka_rows_put_text(rows, at[c], texts[c])
                                          : ARKA_PUT_OK;
        if (put != ARKA_PUT_OK)
            return false;
    }
    return arka_rows_end(rows, r->arrived_us);
}

static arka_status make_batch(const arka_request *r, arka_slice database,
                              const arka_reject *rejects, size_t n, arka_batch **out,
                              arka_error *err)
{
    ARKA_AUTO(arka_rows) rows = NULL;
    int at[N_COLUMNS];
    ARKA_TRY(arka_rows_new(false, &rows, err));
    for (int c = 0; c < N_COLUMNS; c++) {
        at[c] =
            arka_rows_column(rows, arka_slice_of(COLUMNS[c].name), false, COLUMNS[c].type, c, err);
        if (at[c] < 0)
            return err != NULL ? err->code : ARKA_NOMEM;
    }
    for (size_t i = 0; i < n; i++)
        if (!put_row(rows, at, r, database, &rejects[i]))
            return arka_fail_nomem(err, "rejected writes", n);
    return arka_rows_seal(arka_take(rows), out, err);
}

/* A record on its way; nobody waits for it. */
typedef struct recording {
    arka_server *server;
    arka_put_request put;
    arka_put_batch batch;
} recording;

static void recorded(void *context)
{
    recording *rec = context;
    if (rec->put.status == ARKA_OK)
        arka_count(&rec->server->counters.rejects_recorded, rec->batch.batch->n_rows);
    else
        arka_log_write(rec->server->log, ARKA_WARN, "reject_not_recorded", NULL, "%s",
                       rec->put.error.msg);
    arka_batch_unref(rec->batch.batch);
    arka_free(rec);
}

static arka_status record(arka_request *r, arka_slice database, const arka_reject *rejects,
                          size_t n, arka_error *err)
{
    ARKA_AUTO(arka_batch) batch = NULL;
    ARKA_TRY(make_batch(r, database, rejects, n, &batch, err));
    recording *rec = arka_calloc(1, sizeof *rec);
    if (rec == NULL)
        return arka_fail_nomem(err, "rejected writes", sizeof *rec);
    rec->server = r->server;
    rec->batch = (arka_put_batch){.measurement = ARKA_SLICE("rejected_writes"), .batch = batch};
    rec->put = (arka_put_request){.database = ARKA_SLICE("_arc"),
                                  .batches = &rec->batch,
                                  .n_batches = 1,
                                  .atomic = true,
                                  .durability = ARKA_DURABILITY_MEMORY,
                                  .done = recorded,
                                  .context = rec};
    arka_status status = arka_request_prepare(r->server->engine, &rec->put, err);
    if (status != ARKA_OK) {
        arka_free(rec);
        return status;
    }
    batch = NULL; /* the recording's */
    arka_request_commit(r->server->engine, &rec->put);
    return ARKA_OK;
}

void arka_rejects_record(arka_request *r, arka_slice database, const arka_reject *rejects, size_t n)
{
    arka_error err = {0};
    n = take_tokens(&r->server->rejects, n);
    if (n > 0 && record(r, database, rejects, n, &err) != ARKA_OK)
        arka_log_write(r->server->log, ARKA_WARN, "reject_not_recorded", r->id, "%s", err.msg);
}
