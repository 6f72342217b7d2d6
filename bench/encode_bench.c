/*
 * What does an answer cost per row? SELECT * over a table of measurements in DuckDB's memory (time,
 * host, three random doubles), encoded in each format as the server does it: DuckDB scans on its
 * own threads, one thread of ours encodes.
 *
 *     encode_bench [rows]
 *
 * rows/s is of the whole, "encode" the encoding thread's processor time for a row.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kit.h"
#include "os/clock.h"
#include "sql/encode.h"

enum { ROUNDS = 5, FLUSH_BYTES = 1 << 20 };

typedef struct cost {
    double wall_ns, encode_ns; /* per row */
    double bytes;
} cost;

static void must_run(duckdb_connection con, const char *sql)
{
    duckdb_result r;
    if (duckdb_query(con, sql, &r) != DuckDBSuccess) {
        fprintf(stderr, "%s: %s\n", sql, duckdb_result_error(&r));
        exit(1);
    }
    duckdb_destroy_result(&r);
}

/* Encodes what is left of a result; the buffer is emptied as a server would, by sending it. */
static cost encode(duckdb_result *result, arka_format format, const arka_encode_options *options)
{
    enum { MAX_COLUMNS = 16 };
    const char *names[MAX_COLUMNS];
    duckdb_logical_type types[MAX_COLUMNS];
    arka_error err = {0};
    arka_result_shape shape = {(int)duckdb_column_count(result), names, types};
    for (int i = 0; i < shape.n_columns && i < MAX_COLUMNS; i++) {
        names[i] = duckdb_column_name(result, (idx_t)i);
        types[i] = duckdb_column_logical_type(result, (idx_t)i);
    }
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    ARKA_AUTO(arka_encoder) e = NULL;
    arka_result_end end = {0};
    cost c = {0};
    bench_must(arka_encoder_new(format, options, &shape, &e, &err), &err);
    arka_mono start = arka_mono_now();
    bench_must(arka_encoder_begin(e, &out, &err), &err);
    for (;;) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
        if (chunk == NULL)
            break;
        int64_t before = arka_cpu_thread_ns();
        bench_must(arka_encoder_chunk(e, chunk, &out, &err), &err);
        c.encode_ns += (double)(arka_cpu_thread_ns() - before);
        end.n_rows += (int64_t)duckdb_data_chunk_get_size(chunk);
        duckdb_destroy_data_chunk(&chunk);
        if (out.len >= FLUSH_BYTES) {
            c.bytes += (double)out.len;
            arka_buf_clear(&out);
        }
    }
    int64_t before = arka_cpu_thread_ns();
    bench_must(arka_encoder_end(e, &end, &out, &err), &err);
    c.encode_ns += (double)(arka_cpu_thread_ns() - before);
    c.wall_ns = (double)arka_mono_since_ns(start);
    c.bytes += (double)out.len;
    for (int i = 0; i < shape.n_columns; i++)
        duckdb_destroy_logical_type(&types[i]);
    double n = (double)end.n_rows;
    return (cost){c.wall_ns / n, c.encode_ns / n, c.bytes / n};
}

static cost run(duckdb_connection con, const char *sql, arka_format format,
                const arka_encode_options *options)
{
    duckdb_prepared_statement statement;
    duckdb_pending_result pending;
    duckdb_result result;
    if (duckdb_prepare(con, sql, &statement) != DuckDBSuccess ||
        duckdb_pending_prepared_streaming(statement, &pending) != DuckDBSuccess ||
        duckdb_execute_pending(pending, &result) != DuckDBSuccess) {
        fprintf(stderr, "%s did not start\n", sql);
        exit(1);
    }
    cost c = encode(&result, format, options);
    duckdb_destroy_result(&result);
    duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&statement);
    return c;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        arka_format format;
        arka_encode_options options;
        const char *table;
    } cases[] = {
        {"Arrow", ARKA_FORMAT_ARROW, {0}, "random"},
        {"Arrow, dictionary", ARKA_FORMAT_ARROW, {.arrow_dictionary = true}, "random"},
        {"Arrow, lz4", ARKA_FORMAT_ARROW, {.arrow_compression = ARKA_ARROW_LZ4}, "random"},
        {"Arrow, zstd", ARKA_FORMAT_ARROW, {.arrow_compression = ARKA_ARROW_ZSTD}, "random"},
        {"JSON", ARKA_FORMAT_JSON, {0}, "random"},
        {"CSV", ARKA_FORMAT_CSV, {0}, "random"},
        {"MessagePack", ARKA_FORMAT_MSGPACK, {0}, "random"},
        {"Arrow, short decimals", ARKA_FORMAT_ARROW, {0}, "short"},
        {"JSON, short decimals", ARKA_FORMAT_JSON, {0}, "short"},
        {"CSV, short decimals", ARKA_FORMAT_CSV, {0}, "short"},
    };
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 4000000;
    duckdb_database db;
    duckdb_connection con;
    if (n < 1 || duckdb_open(NULL, &db) != DuckDBSuccess ||
        duckdb_connect(db, &con) != DuckDBSuccess)
        return 1;
    must_run(con, "SET TimeZone = 'UTC'");
    must_run(con, "SET preserve_insertion_order = false");
    char sql[512];
    snprintf(sql, sizeof sql,
             "CREATE TABLE random AS SELECT TIMESTAMPTZ '2026-01-05' + INTERVAL (i * 10000) "
             "MICROSECOND AS time, 'host_' || (hash(i) %% 1000)::VARCHAR AS host, random() AS a, "
             "random() * 100 AS b, random() * 1000 AS c FROM range(%ld) r(i)",
             n);
    must_run(con, sql);
    must_run(con, "CREATE TABLE short AS SELECT time, host, round(a, 3) AS a, round(b, 2) AS b, "
                  "round(c, 1) AS c FROM random");
    printf("%ld rows, best of %d rounds\n%-24s %12s %14s %12s\n", n, ROUNDS, "", "Mrows/s",
           "encode ns/row", "bytes/row");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_rounds wall = {0}, encode_cpu = {0};
        cost c = {0};
        snprintf(sql, sizeof sql, "SELECT * FROM %s", cases[i].table);
        for (int r = 0; r < ROUNDS; r++) {
            c = run(con, sql, cases[i].format, &cases[i].options);
            bench_note(&wall, c.wall_ns);
            bench_note(&encode_cpu, c.encode_ns);
        }
        printf("%-24s %12.2f %14.1f %12.1f\n", cases[i].name, 1e3 / wall.least, encode_cpu.least,
               c.bytes);
    }
    duckdb_disconnect(&con);
    duckdb_close(&db);
    return 0;
}
