/**
 * The Parquet writer of the flush: batches and spans in, one file's bytes out to a sink.
 * What it writes and why: docs/formats/parquet.md. Pure; a call is one file; any thread.
 */
#ifndef ARKA_COLUMNAR_PARQUET_H
#define ARKA_COLUMNAR_PARQUET_H

#include "columnar/sort.h"

typedef enum arka_codec {
    ARKA_CODEC_NONE,
    ARKA_CODEC_SNAPPY,
    ARKA_CODEC_GZIP,
    ARKA_CODEC_LZ4, /* LZ4_RAW */
    ARKA_CODEC_ZSTD,
} arka_codec;

/** "none" "snappy" "gzip" "lz4" "zstd", any case. false: unknown. */
bool arka_codec_parse(arka_slice text, arka_codec *out);
const char *arka_codec_name(arka_codec codec);

typedef struct arka_parquet_field {
    arka_slice name;
    arka_type type;
    int32_t field_id; /* Parquet's field_id, Iceberg's column id */
    bool tag;         /* listed in the footer key "arc:tags" */
} arka_parquet_field;

typedef struct arka_parquet_options {
    arka_codec codec;
    int level;              /* zstd or gzip; 0 = the codec's default for us */
    int64_t row_group_rows; /* 0 = 122,880 */
    const char *created_by;
} arka_parquet_options;

typedef struct arka_parquet_sink {
    arka_status (*write)(void *context, const void *bytes, size_t n, arka_error *err);
    void *context;
} arka_parquet_sink;

typedef struct arka_parquet_stats {
    int64_t n_rows;
    int64_t n_bytes; /* of the file */
    int64_t time_min, time_max;
} arka_parquet_stats;

/**
 * Write one file with the rows of `spans`.
 *
 * fields    the file's columns, in order; one is "time", TIMESTAMPTZ.
 * columns   n_batches rows of n_fields entries: columns[b * n_fields + f] is the column of batch b
 *           that holds field f, or -1: all null there. A BIGINT column may stand for a DOUBLE field
 *           (cast on the way), else types are equal.
 * sink      called with a few bytes to some megabytes, in the order of the file.
 * Errors    whatever the sink says; ARKA_NOMEM; ARKA_LIMIT: a text of 1 GiB or more. After one the
 *           file is unusable.
 */
ARKA_MUST_USE arka_status arka_parquet_write(const arka_parquet_field *fields, int n_fields,
                                             arka_batch *const *batches, size_t n_batches,
                                             const int16_t *columns, const arka_spans *spans,
                                             const arka_parquet_options *options,
                                             arka_parquet_sink sink, arka_parquet_stats *out,
                                             arka_error *err);

#endif
