/**
 * Write requests made before the clock starts. A payload is one whole HTTP request, head and body
 * in one block. Uncompressed ones are stamped in place before each sending: new times in every row
 * and, for random doubles, new values, so that no two rows of a run are the same and no request is
 * built while the clock runs. Compressed ones are sent as they were built.
 *
 * In MessagePack a time is 0xcf and 8 bytes big-endian (µs), a double 0xcb and 8 bytes, so a column
 * is a run of 9-byte cells. Stamping XORs the doubles' low 32 bits (of 52 in the fraction) with a
 * salt. In line protocol a time is 19 digits (ns) and a random double has 8 of its decimals
 * replaced by the salt's; where they stand is kept from the building.
 *
 * Not thread-safe: a payload has one user at a time.
 */
#ifndef ARKA_CLI_BENCH_BENCH_PAYLOAD_H
#define ARKA_CLI_BENCH_BENCH_PAYLOAD_H

#include "base/slice.h"
#include "cli/bench/bench_workload.h"

typedef enum arka_payload_format {
    ARKA_PAYLOAD_MSGPACK, /* columnar: {"m": table, "columns": {…}} */
    ARKA_PAYLOAD_LP,
} arka_payload_format;

typedef enum arka_payload_coding {
    ARKA_PAYLOAD_PLAIN,
    ARKA_PAYLOAD_GZIP, /* level 6 */
    ARKA_PAYLOAD_ZSTD, /* level 3 */
} arka_payload_coding;

typedef struct arka_payload_options {
    arka_workload_kind workload;
    arka_payload_format format;
    arka_payload_coding coding;
    bool realistic; /* doubles of one or two decimals, the same at each sending */
    int n_rows;     /* 1 to ARKA_PAYLOAD_MAX_ROWS */
    const char *table;
} arka_payload_options;

enum { ARKA_PAYLOAD_MAX_ROWS = 500000 };

/** Times of a body's rows: first, first + stride, … microseconds since 1970, 16 digits. */
typedef struct arka_payload_times {
    int64_t first_us;
    int64_t stride_us;
} arka_payload_times;

typedef struct arka_payload {
    char *bytes; /* head and body */
    size_t n_bytes;
    size_t n_head_bytes;
    size_t n_raw_bytes; /* of the body before compression */
    int n_rows;

    /* private: offsets into bytes */
    arka_payload_format format;
    bool fixed;         /* compressed: cannot be stamped */
    int n_doubles;      /* columns whose values are stamped */
    size_t time_column; /* MessagePack: the first cell */
    size_t double_columns[ARKA_WORKLOAD_MAX_COLUMNS];
    uint32_t *time_places; /* line protocol: per row */
    uint32_t *salt_places; /* line protocol: per row and double */
} arka_payload;

/**
 * Build one. `path_and_headers` stands between "POST " and the empty line's "Content-Length":
 * "/path HTTP/1.1\r\nHost: …\r\n"; Content-Type, Content-Encoding and Content-Length are added.
 * ARKA_NOMEM; ARKA_LIMIT when the body would not fit 1 GiB.
 */
ARKA_MUST_USE arka_status arka_payload_init(arka_payload *p, const arka_payload_options *options,
                                            const char *path_and_headers, arka_payload_times times,
                                            arka_random *r, arka_error *err);
void arka_payload_fini(arka_payload *p);

/** New times, and for random doubles new values (salt: any number). Not for compressed ones. */
void arka_payload_stamp(arka_payload *p, arka_payload_times times, uint32_t salt);

#endif
