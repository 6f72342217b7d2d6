/* The way of a batch into the hot tier: memory, fit, and the append that makes it visible. */
#include "engine/engine_priv.h"

typedef struct put {
    arka_table *table;
    arka_admitted admitted;
} put;

/* The status of a batch whose fate is not known yet; none is left with it. */
static const arka_status UNDECIDED = ARKA_UNSURE;

/* ---- memory: taken for the whole request before anything else, so that the limit holds ---- */

static arka_status take_memory(arka_engine *engine, int64_t n_bytes, arka_error *err)
{
    int64_t limit = (int64_t)engine->options.hot_limit_bytes;
    int_fast64_t hot = ARKA_GAUGE(engine, hot_bytes);
    do {
        /* A request larger than all there is must still find a way in: when nothing is hot. */
        if (hot > 0 && (n_bytes > limit || hot > limit - n_bytes)) {
            ARKA_COUNT(engine, writes_refused, 1);
            arka_engine__want_flush(engine);
            return arka_fail(err, ARKA_BUSY,
                             "memory for unflushed rows is full: %lld of %lld MiB; try again",
                             (long long)hot >> 20, (long long)limit >> 20);
        }
        /* relaxed: a count, nothing is read by its leave */
    } while (!atomic_compare_exchange_weak_explicit(&engine->stats.hot_bytes, &hot, hot + n_bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return ARKA_OK;
}

/* ---- fit ---- */

/*
 * Admit, and where the table does not fit make it so. The schema may change again in between
 * (another request's new column), so this is a loop; each turn adds what this batch needs and
 * columns never go, so it ends.
 */
static arka_status prepare(arka_engine *engine, arka_database *database, const arka_put_batch *b,
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
static arka_status try_fit(arka_engine *engine, arka_slice database, const arka_put_batch *b,
                           arka_error *err)
{
    arka_database *db = arka_registry_database(engine->registry, database);
    arka_table *table = db ? arka_registry_table(engine->registry, db, b->measurement) : NULL;
    ARKA_AUTO(arka_schema) schema = table ? arka_table_schema(table) : NULL;
    arka_type *casts = arka_malloc((size_t)b->batch->n_columns * sizeof *casts);
    if (casts == NULL)
        return arka_fail_nomem(err, "a cast", (size_t)b->batch->n_columns * sizeof *casts);
    ARKA_AUTO(arka_schema) next = NULL;
    int n_casts;
    arka_status status = arka_schema_fit(schema, b->batch, &next, casts, &n_casts, err);
    arka_free(casts);
    return status;
}

/* ---- storing ---- */

/* Its memory was taken; where a cast changed its size, that is made good. */
static arka_status append(arka_engine *engine, const arka_put_batch *b, put *p, arka_error *err)
{
    int64_t rows = p->admitted.batch->n_rows;
    int64_t bytes = (int64_t)p->admitted.batch->memory_bytes;
    int64_t grown = bytes - (int64_t)b->batch->memory_bytes, freed;
    /* Counted before it is visible: a flush must never subtract what was not added yet. */
    ARKA_COUNT(engine, hot_rows, rows);
    ARKA_COUNT(engine, hot_bytes, grown);
    arka_status status = arka_table_append(p->table, &p->admitted, &freed, err);
    if (status != ARKA_OK) {
        ARKA_COUNT(engine, hot_rows, -rows);
        ARKA_COUNT(engine, hot_bytes, -grown);
        return status;
    }
    ARKA_COUNT(engine, hot_bytes, -freed);
    ARKA_COUNT(engine, rows_written, rows);
    ARKA_COUNT(engine, batches_written, 1);
    ARKA_COUNT(engine, bytes_written, bytes);
    return ARKA_OK;
}

static bool is_misfit(arka_status status)
{
    return status == ARKA_INPUT || status == ARKA_LIMIT;
}

/* The first failure of a request is what the request returns. */
static arka_status fail_with(arka_put_batch *b, arka_status status, arka_error *err)
{
    b->status = status;
    if (err->code == ARKA_OK)
        *err = b->error;
    return status;
}

/* A batch's own fault stays with the batch, unless all stand or fall together. */
static arka_status prepare_all(arka_engine *engine, arka_database *db, arka_put_batch *batches,
                               size_t n_batches, bool atomic, put *puts, arka_error *err)
{
    for (size_t i = 0; i < n_batches; i++) {
        arka_put_batch *b = &batches[i];
        arka_status status = prepare(engine, db, b, &puts[i], &b->error);
        if (status == ARKA_OK && atomic)
            status = arka_admitted_reserve(&puts[i].admitted, &b->error);
        if (status != ARKA_OK && (atomic || !is_misfit(status)))
            return fail_with(b, status, err);
        if (status != ARKA_OK)
            b->status = status;
    }
    return ARKA_OK;
}

static arka_status append_all(arka_engine *engine, arka_put_batch *batches, size_t n_batches,
                              put *puts, arka_error *err)
{
    arka_status first = ARKA_OK;
    for (size_t i = 0; i < n_batches; i++) {
        arka_put_batch *b = &batches[i];
        if (b->status != UNDECIDED)
            continue;
        b->status = append(engine, b, &puts[i], &b->error);
        if (b->status != ARKA_OK)
            first = fail_with(b, b->status, err);
    }
    return first;
}

static arka_status store(arka_engine *engine, arka_slice database, arka_put_batch *batches,
                         size_t n_batches, bool atomic, put *puts, arka_error *err)
{
    arka_database *db;
    for (size_t i = 0; atomic && i < n_batches; i++)
        ARKA_TRY(try_fit(engine, database, &batches[i], err));
    ARKA_TRY(arka_engine__database(engine, database, &db, err));
    ARKA_TRY(prepare_all(engine, db, batches, n_batches, atomic, puts, err));
    return append_all(engine, batches, n_batches, puts, err);
}

static arka_status write_all(arka_engine *engine, arka_slice database, arka_put_batch *batches,
                             size_t n_batches, bool atomic, arka_error *err)
{
    enum { ON_STACK = 16 };
    put few[ON_STACK], *puts = few;
    int64_t n_bytes = 0;
    for (size_t i = 0; i < n_batches; i++)
        n_bytes += (int64_t)batches[i].batch->memory_bytes;
    if (atomic_load(&engine->closing))
        return arka_fail(err, ARKA_BUSY, "the server is stopping");
    ARKA_TRY(take_memory(engine, n_bytes, err));
    if (n_batches > ON_STACK)
        puts = arka_malloc(n_batches * sizeof *puts);
    arka_status status = ARKA_NOMEM;
    if (puts != NULL) {
        memset(puts, 0, n_batches * sizeof *puts);
        status = store(engine, database, batches, n_batches, atomic, puts, err);
    } else {
        arka_fail_nomem(err, "a write", n_batches * sizeof *puts);
    }
    for (size_t i = 0; i < n_batches; i++)
        if (batches[i].status != ARKA_OK) {
            ARKA_COUNT(engine, hot_bytes, -(int64_t)batches[i].batch->memory_bytes);
            if (puts != NULL)
                arka_admitted_fini(&puts[i].admitted);
        }
    if (puts != few)
        arka_free(puts);
    return status;
}

arka_status arka_engine_write(arka_engine *engine, arka_slice database, arka_put_batch *batches,
                              size_t n_batches, bool atomic, arka_error *err)
{
    arka_error own = {0};
    for (size_t i = 0; i < n_batches; i++) {
        batches[i].status = UNDECIDED;
        batches[i].error.code = ARKA_OK;
    }
    if (n_batches == 0)
        return ARKA_OK;
    arka_engine__writer_enters(engine);
    arka_status status = write_all(engine, database, batches, n_batches, atomic, &own);
    arka_engine__writer_leaves(engine);
    for (size_t i = 0; i < n_batches; i++)
        if (batches[i].status == UNDECIDED) {
            batches[i].status = status;
            batches[i].error = own;
        }
    if (status != ARKA_OK && err != NULL && err->code == ARKA_OK)
        *err = own;
    return status;
}
