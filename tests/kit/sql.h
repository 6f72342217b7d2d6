/**
 * For the tests of sql/: an engine in the test's directory with the query service above it, batches
 * from text, and results as text.
 *
 *     open_service();
 *     put("default", "cpu", "time:t host:s v:f", "1 a 1.5", "2 b -");
 *     check_rows("SELECT host, v FROM cpu ORDER BY time", "a 1.5|b -");
 *     close_service();
 */
#ifndef TESTS_KIT_SQL_H
#define TESTS_KIT_SQL_H

#include "base/buf.h"
#include "base/civil.h"
#include "base/number.h"
#include "columnar/block.h"
#include "kit/kit.h"
#include "sql/run.h"
#include "sql/sql.h"

static arka_engine *engine;
static arka_sql *sql;
static arka_visibility visible;  /* what the queries to come may see; {0}: everything */
static const arka_os *engine_os; /* of the engines to open; NULL: the real one */

/* hot_limit 0: the standard one. */
static inline void open_engine_limited(const char *name, size_t hot_limit)
{
    arka_error err = {0};
    static char base[128], manifest[128];
    arka_engine_options options;
    arka_engine_options_default(&options);
    snprintf(base, sizeof base, "%s/%s", kit_tmpdir(), name);
    snprintf(manifest, sizeof manifest, "%s/%s.manifest", kit_tmpdir(), name);
    options.base_path = base;
    options.manifest_path = manifest;
    options.default_database = "default";
    options.flush_rows = options.flush_age_ms = options.flush_bytes = INT64_MAX / 2;
    options.os = engine_os;
    if (hot_limit > 0)
        options.hot_limit_bytes = hot_limit;
    ASSERT_OK(arka_engine_open(&options, &engine, &err));
}

static inline void open_engine(const char *name)
{
    open_engine_limited(name, 0);
}

static inline void open_service_limited(const char *name, size_t hot_limit,
                                        arka_sql_options options)
{
    arka_error err = {0};
    char base[128];
    open_engine_limited(name, hot_limit);
    snprintf(base, sizeof base, "%s/%s", kit_tmpdir(), name);
    options.engine = engine;
    options.data_dir = base;
    ASSERT_OK(arka_sql_open(&options, &sql, &err));
}

static inline void open_service_with(const char *name, arka_sql_options options)
{
    open_service_limited(name, 0, options);
}

static inline void open_service(const char *name)
{
    open_service_with(name, (arka_sql_options){.threads = 2});
}

static inline void close_service(void)
{
    arka_error err = {0};
    arka_sql_close(sql);
    ASSERT_OK(arka_engine_close(engine, &err));
    sql = NULL;
    engine = NULL;
}

static inline void flush(const char *database, const char *table)
{
    arka_error err = {0};
    int64_t n;
    ASSERT_OK(arka_engine_flush(engine, arka_slice_of(database), arka_slice_of(table), &n, &err));
}

/* The k-th word of a line, '_' standing for a blank; empty behind the last. */
static inline arka_slice word(const char *line, int k)
{
    for (; k > 0 && *line; k--) {
        line += strcspn(line, " ");
        line += *line == ' ';
    }
    return (arka_slice){line, strcspn(line, " ")};
}

static inline arka_type type_of(char letter)
{
    switch (letter) {
    case 't':
        return ARKA_TIMESTAMPTZ;
    case 's':
        return ARKA_VARCHAR;
    case 'f':
        return ARKA_DOUBLE;
    case 'i':
        return ARKA_BIGINT;
    case 'b':
        return ARKA_BOOLEAN;
    default:
        fail_msg("no type '%c'", letter);
        return ARKA_TYPE_NONE;
    }
}

static inline void set_cell(arka_block *block, int column, arka_type type, int64_t row,
                            arka_slice cell)
{
    arka_error err = {0};
    bool null = cell.len == 1 && cell.data[0] == '-';
    if (type == ARKA_VARCHAR && !null) {
        char *to = arka_block_text_reserve(block, column, cell.len);
        memcpy(to, cell.data, cell.len);
        arka_block_text_advance(block, column, cell.len);
    }
    if (null)
        ASSERT_OK(arka_block_set_null(block, column, row, &err));
    void *values = arka_block_values(block, column);
    if (type == ARKA_VARCHAR)
        ((int32_t *)values)[row + 1] = (int32_t)arka_block_text_len(block, column);
    else if (type == ARKA_DOUBLE)
        ((double *)values)[row] = null ? 0 : strtod(cell.data, NULL);
    else if (type == ARKA_BOOLEAN)
        ((uint8_t *)values)[row / 8] |= (uint8_t)((!null && cell.data[0] == 't') << row % 8);
    else
        ((int64_t *)values)[row] = null ? 0 : strtoll(cell.data, NULL, 10);
}

/* columns "time:t host:s v:f"; each row one word per column, "-" for null, times in µs. */
static inline arka_batch *make_batch(const char *columns, const char *const *rows, int n)
{
    arka_error err = {0};
    arka_block *block;
    arka_batch *batch;
    ASSERT_OK(arka_block_new(n, 0, &block, &err));
    for (int c = 0; word(columns, c).len > 0; c++) {
        arka_slice name = word(columns, c);
        arka_type type = type_of(name.data[name.len - 1]);
        int column;
        name.len -= 2;
        ASSERT_OK(arka_block_add(block, name, type, false, &column, &err));
        for (int r = 0; r < n; r++)
            set_cell(block, column, type, r, word(rows[r], c));
    }
    ASSERT_OK(arka_block_seal(block, 0, &batch, &err));
    return batch;
}

static inline void put_batch(const char *database, const char *table, arka_batch *take)
{
    arka_error err = {0};
    arka_put_batch put = {.measurement = arka_slice_of(table), .batch = take};
    ASSERT_OK(arka_engine_write(engine, arka_slice_of(database), &put, 1, true, &err));
    arka_batch_unref(take);
}

#define put(database, table, columns, ...)                                                         \
    do {                                                                                           \
        const char *const put_rows_[] = {__VA_ARGS__};                                             \
        put_batch(database, table,                                                                 \
                  make_batch(columns, put_rows_, (int)(sizeof put_rows_ / sizeof *put_rows_)));    \
    } while (0)

static inline void put_cell(arka_buf *out, duckdb_vector vector, duckdb_type type, idx_t row)
{
    void *data = duckdb_vector_get_data(vector);
    uint64_t *validity = duckdb_vector_get_validity(vector);
    char text[ARKA_TIME_TEXT + ARKA_NUMBER_TEXT];
    if (validity != NULL && !duckdb_validity_row_is_valid(validity, row)) {
        arka_buf_byte(out, '-');
        return;
    }
    switch ((int)type) {
    case DUCKDB_TYPE_BOOLEAN:
        arka_buf_byte(out, ((bool *)data)[row] ? 't' : 'f');
        break;
    case DUCKDB_TYPE_INTEGER:
        arka_buf_append(out, text, arka_format_i64(text, ((int32_t *)data)[row]));
        break;
    case DUCKDB_TYPE_BIGINT:
        arka_buf_append(out, text, arka_format_i64(text, ((int64_t *)data)[row]));
        break;
    case DUCKDB_TYPE_HUGEINT:
        arka_buf_append(out, text,
                        arka_format_i64(text, (int64_t)((duckdb_hugeint *)data)[row].lower));
        break;
    case DUCKDB_TYPE_DOUBLE:
        arka_buf_append(out, text, arka_format_f64(text, ((double *)data)[row]));
        break;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        arka_buf_append(out, text, arka_format_time(text, ((int64_t *)data)[row]));
        break;
    case DUCKDB_TYPE_VARCHAR: {
        duckdb_string_t *s = (duckdb_string_t *)data + row;
        arka_buf_append(out, duckdb_string_t_data(s), duckdb_string_t_length(*s));
        break;
    }
    default:
        arka_buf_printf(out, "(type %d)", (int)type);
    }
}

/* All rows as "a b|c d", or the status and sentence of the failure. */
static inline arka_status query_rows(const char *database, bool scoped, const char *text,
                                     arka_buf *out, arka_error *err)
{
    arka_session *session;
    arka_inspection *inspection = NULL;
    arka_run run = {0};
    duckdb_data_chunk chunk;
    arka_buf_clear(out);
    arka_buf_cstr(out);
    ARKA_TRY(arka_session_take(sql, (arka_mono){0}, &session, err));
    session->visibility = visible;
    arka_status status = arka_inspections_inspect(sql->cache, &session->parser, arka_slice_of(text),
                                                  &inspection, err);
    if (status == ARKA_OK)
        status = arka_resolve(session, inspection, arka_slice_of(database), scoped, err);
    if (status == ARKA_OK)
        status = arka_run_start(&run, session, &inspection->text, inspection, err);
    while (status == ARKA_OK && (status = arka_run_fetch(&run, &chunk, err)) == ARKA_OK &&
           chunk != NULL) {
        for (idx_t r = 0; r < duckdb_data_chunk_get_size(chunk); r++)
            for (idx_t c = 0; c < duckdb_data_chunk_get_column_count(chunk); c++) {
                if (r + c > 0 || out->len > 0)
                    arka_buf_byte(out, c > 0 ? ' ' : '|');
                put_cell(out, duckdb_data_chunk_get_vector(chunk, c),
                         duckdb_column_type(&run.result, c), r);
            }
        duckdb_destroy_data_chunk(&chunk);
    }
    arka_run_fini(&run);
    arka_inspection_unref(inspection);
    arka_session_give(session);
    arka_buf_cstr(out);
    return status;
}

static inline void check_rows_in(const char *database, const char *text, const char *expected)
{
    arka_error err = {0};
    arka_buf got = ARKA_BUF_INIT;
    if (query_rows(database, false, text, &got, &err) != ARKA_OK)
        fail_msg("%s: %s", text, err.msg);
    if (strcmp(got.data, expected) != 0)
        fail_msg("%s:\n  got      %s\n  expected %s", text, got.data, expected);
    arka_buf_fini(&got);
}

static inline void check_rows(const char *text, const char *expected)
{
    check_rows_in("default", text, expected);
}

static inline void check_fails_in(const char *database, bool scoped, const char *text,
                                  arka_status expected, const char *says)
{
    arka_error err = {0};
    arka_buf got = ARKA_BUF_INIT;
    arka_status status = query_rows(database, scoped, text, &got, &err);
    if (status != expected || strstr(err.msg, says) == NULL)
        fail_msg("%s: status %d, \"%s\"; expected %d, \"%s\"", text, status, err.msg, expected,
                 says);
    arka_buf_fini(&got);
}

static inline void check_fails(const char *text, arka_status expected, const char *says)
{
    check_fails_in("default", false, text, expected, says);
}

#endif
