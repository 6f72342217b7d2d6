/** What the encoders' tests share: a statement's answer in some format. */
#ifndef ARKA_TESTS_KIT_ENCODE_H
#define ARKA_TESTS_KIT_ENCODE_H

#include "sql/encode.h"

#include "kit/kit.h"

enum { TEST_NOW_S = 1767607200 }; /* 2026-01-05T10:00:00Z */

typedef struct fixture {
    duckdb_database db;
    duckdb_connection con;
} fixture;

static inline fixture fixture_open(void)
{
    fixture f;
    duckdb_result r;
    assert_int_equal(duckdb_open(NULL, &f.db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(f.db, &f.con), DuckDBSuccess);
    assert_int_equal(duckdb_query(f.con, "SET TimeZone = 'UTC'", &r), DuckDBSuccess);
    duckdb_destroy_result(&r);
    return f;
}

static inline void fixture_close(fixture *f)
{
    duckdb_disconnect(&f->con);
    duckdb_close(&f->db);
}

static inline duckdb_result fixture_query(const fixture *f, const char *sql)
{
    duckdb_result r;
    if (duckdb_query(f->con, sql, &r) != DuckDBSuccess)
        fail_msg("%s: %s", sql, duckdb_result_error(&r));
    return r;
}

/** All of a result's chunks, which are kept: encode as often as you like. */
typedef struct answer {
    enum { ANSWER_COLUMNS = 8, ANSWER_CHUNKS = 2000 } limits;
    duckdb_result result;
    arka_result_shape shape;
    const char *names[ANSWER_COLUMNS];
    duckdb_logical_type types[ANSWER_COLUMNS];
    duckdb_data_chunk chunks[ANSWER_CHUNKS];
    int n_chunks;
} answer;

static inline void answer_init(answer *a, const fixture *f, const char *sql)
{
    duckdb_data_chunk chunk;
    *a = (answer){.result = fixture_query(f, sql)};
    int n = (int)duckdb_column_count(&a->result);
    assert_true(n <= ANSWER_COLUMNS);
    for (int i = 0; i < n; i++) {
        a->names[i] = duckdb_column_name(&a->result, (idx_t)i);
        a->types[i] = duckdb_column_logical_type(&a->result, (idx_t)i);
    }
    a->shape = (arka_result_shape){n, a->names, a->types};
    while ((chunk = duckdb_fetch_chunk(a->result)) != NULL) {
        assert_true(a->n_chunks < ANSWER_CHUNKS);
        a->chunks[a->n_chunks++] = chunk;
    }
}

static inline void answer_fini(answer *a)
{
    for (int i = 0; i < a->n_chunks; i++)
        duckdb_destroy_data_chunk(&a->chunks[i]);
    for (int i = 0; i < a->shape.n_columns; i++)
        duckdb_destroy_logical_type(&a->types[i]);
    duckdb_destroy_result(&a->result);
}

static inline arka_status answer_encode(const answer *a, arka_format format,
                                        const arka_encode_options *options, arka_buf *out,
                                        arka_error *err)
{
    ARKA_AUTO(arka_encoder) e = NULL;
    arka_result_end end = {0, 1.5, TEST_NOW_S * INT64_C(1000000)};
    ARKA_TRY(arka_encoder_new(format, options, &a->shape, &e, err));
    ARKA_TRY(arka_encoder_begin(e, out, err));
    for (int i = 0; i < a->n_chunks; i++) {
        ARKA_TRY(arka_encoder_chunk(e, a->chunks[i], out, err));
        end.n_rows += (int64_t)duckdb_data_chunk_get_size(a->chunks[i]);
    }
    return arka_encoder_end(e, &end, out, err);
}

/** The whole answer, or the test fails. */
static inline arka_buf encoded(const fixture *f, arka_format format,
                               const arka_encode_options *options, const char *sql)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    answer *a = malloc(sizeof *a);
    answer_init(a, f, sql);
    ASSERT_OK(answer_encode(a, format, options, &out, &err));
    answer_fini(a);
    free(a);
    return out;
}

/**
 * Fails each allocation of an encoding in turn, once and for good; then it must succeed. What is
 * left in between is for the leak checker.
 */
static inline void sweep_allocations(const fixture *f, arka_format format,
                                     const arka_encode_options *options, const char *sql)
{
    answer *a = malloc(sizeof *a);
    answer_init(a, f, sql);
    for (int for_good = 0; for_good < 2; for_good++) {
        arka_status status = ARKA_NOMEM;
        long n = 0;
        while (status != ARKA_OK) {
            arka_error err = {0};
            arka_buf out = ARKA_BUF_INIT;
            kit_fail_allocation(++n, for_good);
            status = answer_encode(a, format, options, &out, &err);
            kit_fail_allocation(0, false);
            if (status != ARKA_OK) {
                assert_int_equal(status, ARKA_NOMEM);
                assert_string_not_equal(err.msg, "");
            }
            arka_buf_fini(&out);
        }
        assert_true(n > 3);
    }
    answer_fini(a);
    free(a);
}

/** A chunk of one VARCHAR column of short texts, which DuckDB itself would not let be broken. */
static inline duckdb_data_chunk broken_texts(const char *const *texts, int n)
{
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_data_chunk chunk = duckdb_create_data_chunk(&type, 1);
    duckdb_string_t *to = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    for (int i = 0; i < n; i++) {
        to[i] = (duckdb_string_t){0};
        to[i].value.inlined.length = (uint32_t)strlen(texts[i]);
        memcpy(to[i].value.inlined.inlined, texts[i], strlen(texts[i]));
    }
    duckdb_data_chunk_set_size(chunk, (idx_t)n);
    duckdb_destroy_logical_type(&type);
    return chunk;
}

/** One chunk of one column "v", encoded. */
static inline arka_status encode_chunk(duckdb_data_chunk chunk, arka_format format, arka_buf *out,
                                       arka_error *err)
{
    const char *name = "v";
    answer *a = calloc(1, sizeof *a);
    a->types[0] = duckdb_vector_get_column_type(duckdb_data_chunk_get_vector(chunk, 0));
    a->shape = (arka_result_shape){1, &name, a->types};
    a->chunks[a->n_chunks++] = chunk;
    arka_status status = answer_encode(a, format, &(arka_encode_options){0}, out, err);
    duckdb_destroy_logical_type(&a->types[0]);
    free(a);
    return status;
}

#endif
