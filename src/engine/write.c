/* The way of a batch into the hot tier: limits, fit, and the append that makes it visible. */
#include "engine/engine_priv.h"

typedef struct put {
    arka_table *table;
    arka_admitted admitted;
} put;

static arka_status check_limits(arka_engine *engine, const arka_put_batch *batches,
                                size_t n_batches, arka_error *err)
{
    if (atomic_load(&engine->closing))
        return arka_fail(err, ARKA_BUSY, "the server is stopping");
    int64_t more = 0, hot = ARKA_GAUGE(engine, hot_bytes);
    for (size_t i = 0; i < n_batches; i++)
        more += (int64_t)batches[i].batch->memory_bytes;
    /* A single request larger than all there is must still find a way in: it may when nothing is
     * hot. */
    if (hot + more <= (int64_t)engine->options.hot_limit_bytes || hot == 0)
        return ARKA_OK;
    ARKA_COUNT(engine, writes_refused, 1);
    arka_engine__want_flush(engine);
    return arka_fail(err, ARKA_BUSY,
                     "memory for unflushed rows is full: %lld of %lld MiB; try again",
                     (long long)(hot >> 20), (long long)(engine->options.hot_limit_bytes >> 20));
}

/*
 * Admit, and where the table does not fit make it so. The schema may change again in between
 * (another request's new column), so this is a loop; each turn adds what this batch needs and
 * columns never go, so it ends.
 */
static arka_status prepare(arka_engine *engine, arka_database *database, arka_put_batch *b,
                           put *out, arka_error *err)
{
    ARKA_AUTO(arka_batch) batch = arka_batch_ref(b->batch);
    arka_table *table = arka_registry_table(engine->registry, database, b->measurement);
    for (;;) {
        bool fits = false;
        if (table != NULL)
            ARKA_TRY(arka_table_admit(table, batch, &out->admitted, &fits, err));
        if (fits) {
            out->table = table;
            return ARKA_OK;
        }
        arka_batch *fitting = NULL;
        ARKA_TRY(
            arka_engine__make_fit(engine, database, b->measurement, batch, &table, &fitting, err));
        arka_batch_unref(batch);
        batch = fitting;
    }
}

/* Would it fit? Changes nothing: for requests that are all or nothing. */
static arka_status try_fit(arka_engine *engine, arka_slice database, arka_put_batch *b,
                           arka_error *err)
{
    arka_database *db = arka_registry_database(engine->registry, database);
    arka_table *table = db ? arka_registry_table(engine->registry, db, b->measurement) : NULL;
    ARKA_AUTO(arka_schema) schema = table ? arka_table_schema(table) : NULL;
    arka_type *casts = arka_malloc((size_t)b->batch->n_columns * sizeof *casts);
    if (casts == NULL)
        return arka_fail_nomem(err, "a cast", (size_t)b->batch->n_columns);
    ARKA_AUTO(arka_schema) next = NULL;
    int n_casts;
    arka_status status = arka_schema_fit(schema, b->batch, &next, casts, &n_casts, err);
    arka_free(casts);
    return status;
}

static arka_status append(arka_engine *engine, put *p, arka_error *err)
{
    int64_t rows = p->admitted.batch->n_rows;
    int64_t bytes = (int64_t)p->admitted.batch->memory_bytes;
    /* Counted before it is visible: a flush must never subtract what was not added yet. */
    ARKA_COUNT(engine, hot_rows, rows);
    ARKA_COUNT(engine, hot_bytes, bytes);
    arka_status status = arka_table_append(p->table, &p->admitted, err);
    if (status != ARKA_OK) {
        ARKA_COUNT(engine, hot_rows, -rows);
        ARKA_COUNT(engine, hot_bytes, -bytes);
        return status;
    }
    ARKA_COUNT(engine, rows_written, rows);
    ARKA_COUNT(engine, batches_written, 1);
    ARKA_COUNT(engine, bytes_written, bytes);
    return ARKA_OK;
}

static bool is_misfit(arka_status status)
{
    return status == ARKA_INPUT || status == ARKA_LIMIT;
}

/* A batch's own fault stays with the batch; anything else ends the request. */
static arka_status store(arka_engine *engine, arka_slice database, arka_put_batch *batches,
                         size_t n_batches, put *puts, arka_error *err)
{
    arka_database *db;
    ARKA_TRY(arka_engine__database(engine, database, &db, err));
    for (size_t i = 0; i < n_batches; i++) {
        arka_put_batch *b = &batches[i];
        b->error = (arka_error){0};
        b->status = prepare(engine, db, b, &puts[i], &b->error);
        if (b->status != ARKA_OK && !is_misfit(b->status)) {
            if (err != NULL)
                *err = b->error;
            return b->status;
        }
    }
    for (size_t i = 0; i < n_batches; i++)
        if (batches[i].status == ARKA_OK)
            batches[i].status = append(engine, &puts[i], &batches[i].error);
    for (size_t i = 0; i < n_batches; i++)
        if (batches[i].status != ARKA_OK && !is_misfit(batches[i].status)) {
            if (err != NULL)
                *err = batches[i].error;
            return batches[i].status;
        }
    return ARKA_OK;
}

static arka_status write_all(arka_engine *engine, arka_slice database, arka_put_batch *batches,
                             size_t n_batches, bool atomic, arka_error *err)
{
    enum { ON_STACK = 16 };
    put few[ON_STACK], *puts = few;
    ARKA_TRY(check_limits(engine, batches, n_batches, err));
    for (size_t i = 0; atomic && i < n_batches; i++)
        ARKA_TRY(try_fit(engine, database, &batches[i], err));
    if (n_batches > ON_STACK && (puts = arka_malloc(n_batches * sizeof *puts)) == NULL)
        return arka_fail_nomem(err, "a write", n_batches * sizeof *puts);
    memset(puts, 0, n_batches * sizeof *puts);
    arka_status status = store(engine, database, batches, n_batches, puts, err);
    for (size_t i = 0; i < n_batches; i++)
        arka_admitted_fini(&puts[i].admitted);
    if (puts != few)
        arka_free(puts);
    return status;
}

arka_status arka_engine_write(arka_engine *engine, arka_slice database, arka_put_batch *batches,
                              size_t n_batches, bool atomic, arka_error *err)
{
    if (n_batches == 0)
        return ARKA_OK;
    /* seq_cst on both sides: either close sees this writer, or the writer sees `closing`. */
    atomic_fetch_add(&engine->writers, 1);
    arka_status status = write_all(engine, database, batches, n_batches, atomic, err);
    if (atomic_fetch_sub(&engine->writers, 1) == 1 && atomic_load(&engine->closing))
        arka_engine__last_writer_left(engine);
    return status;
}
