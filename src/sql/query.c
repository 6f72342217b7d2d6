/* A query from its text to encoded bytes. */
#include <limits.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/hash.h"
#include "sql/encode.h"
#include "sql/lexer.h"
#include "sql/run.h"

enum { PIECE_BYTES = 256 << 10 };

struct arka_query {
    arka_session *session;
    arka_inspection *inspection;
    arka_text text; /* what runs: the inspection's, or ours for SHOW */
    arka_buf own;   /* bytes of ours */
    arka_run run;
    duckdb_data_chunk chunk; /* fetched and not yet encoded */
    arka_encoder *encoder;
    int n_columns;
    const char **names;
    duckdb_logical_type *types;
    bool begun, done;
    int64_t n_rows;
    size_t n_bytes, end_at; /* of the answer so far; where its end begins */
    bool has_digest;
    uint64_t digest[2];
    arka_mono started, resolved;
};

void arka_query_free(arka_query *q)
{
    if (q == NULL)
        return;
    arka_encoder_free(q->encoder);
    if (q->chunk != NULL)
        duckdb_destroy_data_chunk(&q->chunk);
    if (q->session != NULL && q->run.has_result && !q->done)
        arka_session_interrupt(q->session, ARKA_STOP_CANCELLED); /* else DuckDB finishes it */
    for (int i = 0; i < q->n_columns; i++)
        duckdb_destroy_logical_type(&q->types[i]);
    arka_free(q->types);
    arka_free(q->names);
    arka_run_fini(&q->run);
    if (q->session != NULL)
        arka_session_give(q->session);
    arka_inspection_unref(q->inspection);
    arka_buf_fini(&q->own);
    arka_free(q);
}

/* ---- what runs ---- */

static arka_status show_text(arka_query *q, arka_slice database, bool scoped, arka_error *err)
{
    const arka_inspection *i = q->inspection;
    if (i->statement == ARKA_STATEMENT_SHOW_DATABASES) {
        arka_buf_text(&q->own, "SELECT database FROM arc_databases() ORDER BY database");
    } else {
        if (scoped && i->show_database.len > 0 && !arka_name_eq(i->show_database, database))
            return arka_complain(err, ARKA_FORBIDDEN, &i->text, i->show_at,
                                 "the request is limited to database '%.*s'", ARKA_FMT(database));
        arka_buf_text(&q->own, "SELECT * FROM arc_tables(");
        arka_sql_quote(&q->own, '\'', i->show_database.len > 0 ? i->show_database : database);
        arka_buf_text(&q->own, ") ORDER BY database, table_name");
    }
    q->text = (arka_text){.user = i->text.user, .prefix = SIZE_MAX};
    return ARKA_OK;
}

/* SELECT count(*) FROM (the user's statement up to its ';' … */
static arka_status count_text(arka_query *q, arka_error *err)
{
    static const char before[] = "SELECT count(*) FROM (";
    const arka_text *text = &q->inspection->text;
    if (q->inspection->statement != ARKA_STATEMENT_SELECT)
        return arka_fail(err, ARKA_INPUT, "only a SELECT can be counted");
    arka_lexer lexer = {text->sql, 0};
    arka_token t = arka_lexer_next(&lexer);
    while (t.kind != ARKA_TOKEN_END && !arka_token_is_sign(t, ';'))
        t = arka_lexer_next(&lexer);
    arka_buf_text(&q->own, before);
    arka_buf_append(&q->own, text->sql.data, t.at);
    arka_buf_text(&q->own, "\n)"); /* behind a comment without its newline too */
    q->text = *text;
    q->text.prefix = sizeof before - 1;
    return ARKA_OK;
}

static arka_status choose_text(arka_query *q, arka_slice database, bool scoped, bool count,
                               arka_error *err)
{
    bool show = q->inspection->statement == ARKA_STATEMENT_SHOW_DATABASES ||
                q->inspection->statement == ARKA_STATEMENT_SHOW_TABLES;
    if (!count && !show) {
        q->text = q->inspection->text;
        return ARKA_OK;
    }
    ARKA_TRY(count ? count_text(q, err) : show_text(q, database, scoped, err));
    q->text.sql.data = arka_buf_cstr(&q->own);
    q->text.sql.len = q->own.len;
    return q->text.sql.data ? ARKA_OK : arka_fail_nomem(err, "a statement", q->own.len);
}

/* ---- what the answer is made from ---- */

static arka_slice database_or_default(arka_slice database)
{
    return database.len > 0 ? database : ARKA_SLICE("default");
}

/* Tables of the system are made from what has no number. */
static bool is_system(arka_slice database)
{
    return database.len > 0 && database.data[0] == '_';
}

static void mix(uint64_t digest[2], const void *bytes, size_t n)
{
    digest[0] = arka_hash(bytes, n, digest[0]);
    digest[1] = arka_hash(bytes, n, digest[1] ^ UINT64_C(0x9e3779b97f4a7c15));
}

static bool digest_of(arka_engine *engine, const arka_inspection *i, arka_slice database,
                      uint64_t out[2])
{
    uint64_t catalog = arka_engine_catalog_version(engine);
    if (i->statement != ARKA_STATEMENT_SELECT || i->is_volatile || i->information_schema ||
        i->current_schema)
        return false;
    out[0] = out[1] = 0;
    mix(out, &catalog, sizeof catalog);
    for (size_t k = 0; k < i->n_uses; k++) {
        arka_table_state state;
        arka_slice in = i->uses[k].database.len > 0 ? i->uses[k].database : database;
        if (is_system(in) ||
            arka_engine_table_state(engine, in, i->uses[k].table, &state, NULL) != ARKA_OK)
            return false;
        mix(out, &state, sizeof state);
    }
    return true;
}

bool arka_sql_answer_digest(arka_sql *sql, const arka_query_options *options, uint64_t out[2])
{
    /* blanks around it make it no other statement */
    arka_inspection *i = arka_inspections_find(sql->cache, options->text);
    if (i == NULL)
        i = arka_inspections_find(sql->cache, arka_slice_trim(options->text));
    bool has = i != NULL && digest_of(sql->engine, i, database_or_default(options->database), out);
    arka_inspection_unref(i);
    return has;
}

bool arka_query_digest(const arka_query *q, uint64_t out[2])
{
    memcpy(out, q->digest, sizeof q->digest);
    return q->has_digest;
}

static void tell_start(const arka_query *q, const arka_query_options *options, arka_query *told)
{
    if (q->session != NULL && options->on_start != NULL)
        options->on_start(options->on_start_context, told);
}

static arka_status run_text(arka_query *q, const arka_query_options *options, bool count,
                            arka_error *err)
{
    arka_session *s = q->session;
    arka_slice database = database_or_default(options->database);
    s->visibility = options->visibility;
    ARKA_TRY(arka_session_check(s, err));
    ARKA_TRY(
        arka_inspections_inspect(s->sql->cache, &s->parser, options->text, &q->inspection, err));
    /* before the tables are pinned: it may be older than the answer, never newer */
    q->has_digest = digest_of(s->sql->engine, q->inspection, database, q->digest);
    ARKA_TRY(choose_text(q, database, options->scoped, count, err));
    ARKA_TRY(arka_resolve(s, q->inspection, database, options->scoped, err));
    q->resolved = arka_mono_now();
    bool plain = !count && q->inspection->statement == ARKA_STATEMENT_SELECT;
    return arka_run_start(&q->run, s, &q->text, plain ? q->inspection : NULL, err);
}

/* A session, inspected and resolved, running. `q` is free'd by the caller whatever happens. */
static arka_status begin(arka_query *q, arka_sql *sql, const arka_query_options *options,
                         bool count, arka_error *err)
{
    q->started = arka_mono_now();
    ARKA_TRY(arka_session_take(sql, options->deadline, &q->session, err));
    tell_start(q, options, q);
    arka_status status = run_text(q, options, count, err);
    if (status == ARKA_INTERNAL)
        arka_session_doubt(q->session);
    return status;
}

/* ---- the answer ---- */

static arka_status make_encoder(arka_query *q, const arka_query_options *options, arka_error *err)
{
    int n = (int)duckdb_column_count(&q->run.result);
    q->names = arka_calloc((size_t)n + 1, sizeof *q->names);
    q->types = arka_calloc((size_t)n + 1, sizeof *q->types);
    if (q->names == NULL || q->types == NULL)
        return arka_fail_nomem(err, "a result's columns", (size_t)n * sizeof *q->names);
    for (; q->n_columns < n; q->n_columns++) {
        q->names[q->n_columns] = duckdb_column_name(&q->run.result, (idx_t)q->n_columns);
        q->types[q->n_columns] = duckdb_column_logical_type(&q->run.result, (idx_t)q->n_columns);
    }
    arka_result_shape shape = {n, q->names, q->types};
    return arka_encoder_new(options->format, &options->encode, &shape, &q->encoder, err);
}

static arka_query *new_query(void)
{
    return arka_calloc(1, sizeof(arka_query));
}

static arka_status start(arka_query *q, arka_sql *sql, const arka_query_options *options,
                         arka_error *err)
{
    ARKA_TRY(begin(q, sql, options, false, err));
    ARKA_TRY(make_encoder(q, options, err));
    return arka_run_fetch(&q->run, &q->chunk, err);
}

/*
 * Where our files lie is not for those who ask, unless they say it themselves. A file that DuckDB
 * cannot read is no fault of the statement, whatever DuckDB calls it.
 */
static arka_status without_paths(arka_sql *sql, arka_slice text, arka_status status,
                                 arka_error *err)
{
    char directory[PATH_MAX + 1];
    size_t n = (size_t)snprintf(directory, sizeof directory, "%s/", sql->options.data_dir);
    char *at = status == ARKA_OK || err == NULL ? NULL : strstr(err->msg, directory);
    if (at == NULL || memmem(text.data, text.len, directory, n) != NULL)
        return status;
    for (; at != NULL; at = strstr(at, directory))
        memmove(at, at + n, strlen(at + n) + 1);
    if (status == ARKA_INPUT || status == ARKA_INTERNAL)
        err->code = status = ARKA_IO;
    return status;
}

arka_status arka_query_start(arka_sql *sql, const arka_query_options *options, arka_query **out,
                             arka_error *err)
{
    ARKA_AUTO(arka_query) q = new_query();
    if (q == NULL)
        return arka_fail_nomem(err, "a query", sizeof *q);
    arka_status status = without_paths(sql, options->text, start(q, sql, options, err), err);
    if (status == ARKA_OK)
        *out = arka_take(q);
    else
        tell_start(q, options, NULL);
    return status;
}

static arka_status next_piece(arka_query *q, arka_buf *out, bool *done, arka_error *err)
{
    size_t from = out->len;
    *done = false;
    if (q->done) {
        *done = true;
        return ARKA_OK;
    }
    ARKA_TRY(arka_session_check(q->session, err));
    if (!q->begun)
        ARKA_TRY(arka_encoder_begin(q->encoder, out, err));
    q->begun = true;
    while (q->chunk != NULL && out->len - from < PIECE_BYTES) {
        q->n_rows += (int64_t)duckdb_data_chunk_get_size(q->chunk);
        ARKA_TRY(arka_encoder_chunk(q->encoder, q->chunk, out, err));
        duckdb_destroy_data_chunk(&q->chunk);
        q->chunk = NULL;
        ARKA_TRY(arka_run_fetch(&q->run, &q->chunk, err));
    }
    if (q->chunk == NULL) {
        q->end_at = q->n_bytes + (out->len - from);
        arka_result_end end = {q->n_rows, arka_query_ms(q), arka_wall_us()};
        ARKA_TRY(arka_encoder_end(q->encoder, &end, out, err));
        q->done = *done = true;
    }
    q->n_bytes += out->len - from;
    return out->failed ? arka_fail_nomem(err, "an answer", out->len) : ARKA_OK;
}

arka_status arka_query_next(arka_query *q, arka_buf *out, bool *done, arka_error *err)
{
    return without_paths(q->session->sql, q->inspection->text.user, next_piece(q, out, done, err),
                         err);
}

void arka_query_cancel(arka_query *q)
{
    arka_session_interrupt(q->session, ARKA_STOP_CANCELLED);
}

void arka_query_over(arka_query *q)
{
    arka_session_interrupt(q->session, ARKA_STOP_OVER);
}

arka_status arka_query_check(arka_query *q, arka_error *err)
{
    return arka_session_check(q->session, err);
}

uint64_t arka_query_snapshot_lsn(const arka_query *q)
{
    return q->session->lsn;
}

int arka_query_n_columns(const arka_query *q)
{
    return q->n_columns;
}

size_t arka_query_end_at(const arka_query *q)
{
    return q->end_at;
}

static double ms_between(arka_mono from, arka_mono to)
{
    return from.ns != 0 && to.ns > from.ns ? (double)(to.ns - from.ns) / 1e6 : 0;
}

void arka_query_get_profile(const arka_query *q, arka_query_profile *out)
{
    const arka_session *s = q->session;
    *out = (arka_query_profile){
        .inspect_ms = ms_between(q->started, q->resolved),
        .plan_ms = ms_between(q->resolved, s->executed),
        .execute_ms = ms_between(s->executed, arka_mono_now()),
        .n_tables = (int64_t)s->pins.n,
    };
    for (size_t k = 0; k < s->pins.n; k++) {
        const arka_pin *pin = &s->pins.items[k];
        if (pin->snapshot == NULL)
            continue;
        out->n_files += pin->snapshot->n_files;
        out->n_hot_rows += pin->snapshot->n_hot_rows;
        for (int64_t f = 0; f < pin->snapshot->n_files; f++)
            out->n_files_read += pin->snapshot->files[f]->time_max >= pin->time_min &&
                                 pin->snapshot->files[f]->time_min <= pin->time_max;
    }
}

int64_t arka_query_n_rows(const arka_query *q)
{
    return q->n_rows;
}

double arka_query_ms(const arka_query *q)
{
    return arka_mono_since_ms(q->started);
}

static arka_status count_rows(arka_query *q, arka_sql *sql, const arka_query_options *options,
                              int64_t *out_rows, arka_error *err)
{
    ARKA_TRY(begin(q, sql, options, true, err));
    ARKA_TRY(arka_run_fetch(&q->run, &q->chunk, err));
    if (q->chunk == NULL || duckdb_data_chunk_get_size(q->chunk) != 1)
        return arka_fail(err, ARKA_INTERNAL, "a count without a row");
    *out_rows = *(int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(q->chunk, 0));
    q->done = true;
    return ARKA_OK;
}

arka_status arka_query_estimate(arka_sql *sql, const arka_query_options *options, int64_t *out_rows,
                                arka_error *err)
{
    ARKA_AUTO(arka_query) q = new_query();
    if (q == NULL)
        return arka_fail_nomem(err, "a query", sizeof *q);
    arka_status status =
        without_paths(sql, options->text, count_rows(q, sql, options, out_rows, err), err);
    tell_start(q, options, NULL);
    return status;
}
