#include "columnar/parquet.h"

#include <strings.h>

#include "columnar/parquet_chunk.h"
#include "columnar/parquet_thrift.h"

/* What DuckDB takes as its unit of work, and writes itself. */
enum { ROW_GROUP_ROWS = 122880 };

/* Numbers of parquet.thrift (apache/parquet-format 2.11). */
enum { PQ_BOOLEAN = 0, PQ_INT64 = 2, PQ_DOUBLE = 5, PQ_BYTE_ARRAY = 6 };
enum { PQ_OPTIONAL = 1 };
enum { PQ_UTF8 = 0, PQ_TIMESTAMP_MICROS = 10 };
enum { PQ_LOGICAL_STRING = 1, PQ_LOGICAL_TIMESTAMP = 8, PQ_UNIT_MICROS = 2 };
enum { PQ_UNCOMPRESSED = 0, PQ_SNAPPY = 1, PQ_GZIP = 2, PQ_ZSTD = 6, PQ_LZ4_RAW = 7 };

static const char *const codec_names[] = {
    [ARKA_CODEC_NONE] = "none", [ARKA_CODEC_SNAPPY] = "snappy", [ARKA_CODEC_GZIP] = "gzip",
    [ARKA_CODEC_LZ4] = "lz4",   [ARKA_CODEC_ZSTD] = "zstd",
};
enum { N_CODECS = sizeof codec_names / sizeof *codec_names };

const char *arka_codec_name(arka_codec codec)
{
    return (unsigned)codec < N_CODECS ? codec_names[codec] : "unknown";
}

bool arka_codec_parse(arka_slice text, arka_codec *out)
{
    for (int i = 0; i < N_CODECS; i++)
        if (text.len == strlen(codec_names[i]) &&
            strncasecmp(text.data, codec_names[i], text.len) == 0) {
            *out = (arka_codec)i;
            return true;
        }
    return false;
}

static int32_t pq_codec(arka_codec codec)
{
    static const int32_t numbers[] = {
        [ARKA_CODEC_NONE] = PQ_UNCOMPRESSED, [ARKA_CODEC_SNAPPY] = PQ_SNAPPY,
        [ARKA_CODEC_GZIP] = PQ_GZIP,         [ARKA_CODEC_LZ4] = PQ_LZ4_RAW,
        [ARKA_CODEC_ZSTD] = PQ_ZSTD,
    };
    return numbers[codec];
}

static int32_t pq_type(arka_type type)
{
    switch (type) {
    case ARKA_BOOLEAN:
        return PQ_BOOLEAN;
    case ARKA_DOUBLE:
        return PQ_DOUBLE;
    case ARKA_VARCHAR:
        return PQ_BYTE_ARRAY;
    case ARKA_BIGINT:
    case ARKA_TIMESTAMPTZ:
    case ARKA_TYPE_NONE:
        break;
    }
    return PQ_INT64;
}

typedef struct file_writer {
    const arka_parquet_field *fields;
    int n_fields;
    int time; /* index of the field "time" */
    const arka_parquet_options *options;
    arka_pager *pager;
    arka_gather gather;
    arka_chunker chunker;
    arka_chunk_column *columns;
    arka_buf groups; /* the row groups' part of the footer */
    size_t n_groups;
    int64_t n_rows;
    int64_t time_min, time_max;
} file_writer;

static void file_writer_fini(file_writer *w)
{
    arka_pager_free(w->pager);
    arka_gather_fini(&w->gather);
    arka_chunker_fini(&w->chunker);
    arka_free(w->columns);
    arka_buf_fini(&w->groups);
}

static void put_bound(arka_thrift *t, int16_t id, arka_type type, const arka_bound *bound)
{
    if (type == ARKA_VARCHAR) {
        arka_thrift__binary(t, id, bound->text.data, bound->text.len);
    } else {
        /* PLAIN, little endian; a boolean is its low byte */
        arka_thrift__binary(t, id, &bound->word, type == ARKA_BOOLEAN ? 1 : sizeof bound->word);
    }
}

static void put_statistics(arka_thrift *t, arka_type type, int64_t n_nulls,
                           const arka_bounds *bounds)
{
    arka_thrift__struct(t, 12);
    arka_thrift__i64(t, 3, n_nulls);
    if (bounds->max.known)
        put_bound(t, 5, type, &bounds->max);
    if (bounds->min.known)
        put_bound(t, 6, type, &bounds->min);
    if (bounds->max.known)
        arka_thrift__bool(t, 7, true);
    if (bounds->min.known)
        arka_thrift__bool(t, 8, true);
    arka_thrift__end(t);
}

static void put_page_count(arka_thrift *t, pq_page kind, pq_encoding encoding, int32_t n)
{
    arka_thrift__begin(t);
    arka_thrift__i32(t, 1, (int32_t)kind);
    arka_thrift__i32(t, 2, (int32_t)encoding);
    arka_thrift__i32(t, 3, n);
    arka_thrift__end(t);
}

/* ColumnChunk with its ColumnMetaData. */
static void put_chunk(arka_thrift *t, const arka_parquet_field *field, const arka_chunk *chunk,
                      const arka_bounds *bounds)
{
    bool dictionary = chunk->dictionary_at >= 0;
    bool plain_too = dictionary && chunk->encoding != PQ_PLAIN;
    arka_thrift__begin(t);
    arka_thrift__i64(t, 2, 0); /* file_offset: nothing of the metadata stands outside the footer */
    arka_thrift__struct(t, 3);
    arka_thrift__i32(t, 1, pq_type(field->type));
    arka_thrift__list(t, 2, THRIFT_I32, 2 + (size_t)plain_too);
    arka_thrift__item_i32(t, (int32_t)chunk->encoding);
    if (plain_too)
        arka_thrift__item_i32(t, PQ_PLAIN);
    arka_thrift__item_i32(t, PQ_RLE); /* the levels */
    arka_thrift__list(t, 3, THRIFT_BINARY, 1);
    arka_thrift__item_binary(t, field->name.data, field->name.len);
    arka_thrift__i32(t, 4, pq_codec(chunk->codec));
    arka_thrift__i64(t, 5, chunk->n_rows);
    arka_thrift__i64(t, 6, chunk->n_bytes_raw);
    arka_thrift__i64(t, 7, chunk->n_bytes);
    arka_thrift__i64(t, 9, chunk->data_at);
    if (dictionary)
        arka_thrift__i64(t, 11, chunk->dictionary_at);
    put_statistics(t, field->type, chunk->n_nulls, bounds);
    arka_thrift__list(t, 13, THRIFT_STRUCT, 1 + (size_t)dictionary);
    if (dictionary)
        put_page_count(t, PQ_DICTIONARY_PAGE, PQ_PLAIN, 1);
    put_page_count(t, PQ_DATA_PAGE, chunk->encoding, chunk->n_data_pages);
    arka_thrift__end(t);
    arka_thrift__end(t);
}

static void put_sorting(arka_thrift *t, int16_t id, int32_t column)
{
    arka_thrift__list(t, id, THRIFT_STRUCT, 1);
    arka_thrift__begin(t);
    arka_thrift__i32(t, 1, column);
    arka_thrift__bool(t, 2, false); /* descending */
    arka_thrift__bool(t, 3, false); /* nulls first */
    arka_thrift__end(t);
}

static void note_time(file_writer *w, const arka_bounds *bounds)
{
    int64_t min = (int64_t)bounds->min.word, max = (int64_t)bounds->max.word;
    w->time_min = w->n_groups == 0 || min < w->time_min ? min : w->time_min;
    w->time_max = w->n_groups == 0 || max > w->time_max ? max : w->time_max;
}

/* Writes the rows that `gather` holds; their part of the footer goes to w->groups. */
static arka_status write_row_group(file_writer *w, arka_error *err)
{
    arka_thrift t = {.out = &w->groups};
    int64_t start = arka_pager__at(w->pager), raw = 0;
    arka_thrift__begin(&t);
    arka_thrift__list(&t, 1, THRIFT_STRUCT, (size_t)w->n_fields);
    for (int f = 0; f < w->n_fields; f++) {
        arka_gathered values;
        arka_chunk chunk;
        arka_bounds bounds;
        ARKA_TRY(arka_gather__column(&w->gather, f, w->fields[f].type, &values, err));
        ARKA_TRY(arka_chunk__write(&w->chunker, &w->columns[f], &values, &chunk, &bounds, err));
        put_chunk(&t, &w->fields[f], &chunk, &bounds);
        raw += chunk.n_bytes_raw;
        if (f == w->time)
            note_time(w, &bounds);
    }
    arka_thrift__i64(&t, 2, raw);
    arka_thrift__i64(&t, 3, w->gather.n_rows);
    put_sorting(&t, 4, w->time);
    arka_thrift__i64(&t, 5, start);
    arka_thrift__i64(&t, 6, arka_pager__at(w->pager) - start);
    if (w->n_groups <= INT16_MAX)
        arka_thrift__i16(&t, 7, (int16_t)w->n_groups);
    arka_thrift__end(&t);
    w->n_groups++;
    w->n_rows += w->gather.n_rows;
    return ARKA_OK;
}

static void put_schema_field(arka_thrift *t, const arka_parquet_field *field)
{
    arka_thrift__begin(t);
    arka_thrift__i32(t, 1, pq_type(field->type));
    arka_thrift__i32(t, 3, PQ_OPTIONAL);
    arka_thrift__binary(t, 4, field->name.data, field->name.len);
    if (field->type == ARKA_VARCHAR)
        arka_thrift__i32(t, 6, PQ_UTF8);
    if (field->type == ARKA_TIMESTAMPTZ)
        arka_thrift__i32(t, 6, PQ_TIMESTAMP_MICROS);
    arka_thrift__i32(t, 9, field->field_id);
    if (field->type == ARKA_VARCHAR) {
        arka_thrift__struct(t, 10);
        arka_thrift__empty(t, PQ_LOGICAL_STRING);
        arka_thrift__end(t);
    } else if (field->type == ARKA_TIMESTAMPTZ) {
        arka_thrift__struct(t, 10);
        arka_thrift__struct(t, PQ_LOGICAL_TIMESTAMP);
        arka_thrift__bool(t, 1, true); /* isAdjustedToUTC */
        arka_thrift__struct(t, 2);
        arka_thrift__empty(t, PQ_UNIT_MICROS);
        arka_thrift__end(t);
        arka_thrift__end(t);
        arka_thrift__end(t);
    }
    arka_thrift__end(t);
}

static void put_schema(arka_thrift *t, const file_writer *w)
{
    arka_thrift__list(t, 2, THRIFT_STRUCT, (size_t)w->n_fields + 1);
    arka_thrift__begin(t);
    arka_thrift__binary(t, 4, "schema", 6);
    arka_thrift__i32(t, 5, w->n_fields);
    arka_thrift__end(t);
    for (int f = 0; f < w->n_fields; f++)
        put_schema_field(t, &w->fields[f]);
}

/* Tag names with commas between them; a comma or backslash in a name has a backslash before it. */
static void put_tags(arka_thrift *t, const file_writer *w, arka_buf *scratch)
{
    bool any = false;
    for (int f = 0; f < w->n_fields; f++) {
        const arka_parquet_field *field = &w->fields[f];
        if (!field->tag)
            continue;
        if (any)
            arka_buf_byte(scratch, ',');
        any = true;
        for (size_t i = 0; i < field->name.len; i++) {
            if (field->name.data[i] == ',' || field->name.data[i] == '\\')
                arka_buf_byte(scratch, '\\');
            arka_buf_byte(scratch, field->name.data[i]);
        }
    }
    if (!any)
        return;
    arka_thrift__list(t, 5, THRIFT_STRUCT, 1);
    arka_thrift__begin(t);
    arka_thrift__binary(t, 1, "arc:tags", 8);
    arka_thrift__binary(t, 2, scratch->data, scratch->len);
    arka_thrift__end(t);
}

/* FileMetaData, its length, the magic number. */
static arka_status write_footer(file_writer *w, arka_error *err)
{
    ARKA_AUTO_VALUE(arka_buf) footer = ARKA_BUF_INIT, scratch = ARKA_BUF_INIT;
    arka_thrift t = {.out = &footer};
    const char *by = w->options->created_by;
    arka_thrift__begin(&t);
    arka_thrift__i32(&t, 1, 2);
    put_schema(&t, w);
    arka_thrift__i64(&t, 3, w->n_rows);
    arka_thrift__list(&t, 4, THRIFT_STRUCT, w->n_groups);
    arka_buf_append(&footer, w->groups.data, w->groups.len);
    put_tags(&t, w, &scratch);
    by = by != NULL ? by : "arc version " ARC_VERSION;
    arka_thrift__binary(&t, 6, by, strlen(by));
    arka_thrift__list(&t, 7, THRIFT_STRUCT, (size_t)w->n_fields);
    for (int f = 0; f < w->n_fields; f++) {
        arka_thrift__begin(&t);
        arka_thrift__empty(&t, 1); /* TYPE_ORDER */
        arka_thrift__end(&t);
    }
    arka_thrift__end(&t);
    uint32_t len = (uint32_t)footer.len;
    arka_buf_append(&footer, &len, sizeof len);
    arka_buf_literal(&footer, "PAR1");
    if (footer.failed || scratch.failed || w->groups.failed)
        return arka_fail_nomem(err, "a Parquet footer", footer.cap);
    if (footer.len > INT32_MAX)
        return arka_fail(err, ARKA_LIMIT, "a Parquet footer of %zu bytes: at most %d are possible",
                         footer.len, INT32_MAX);
    return arka_pager__raw(w->pager, footer.data, footer.len, err);
}

static arka_status prepare_columns(file_writer *w, arka_error *err)
{
    w->columns = arka_calloc((size_t)w->n_fields, sizeof *w->columns);
    if (w->columns == NULL)
        return arka_fail_nomem(err, "columns of a file", (size_t)w->n_fields * sizeof *w->columns);
    w->time = -1;
    for (int f = 0; f < w->n_fields; f++) {
        bool is_time = arka_slice_eq(w->fields[f].name, ARKA_SLICE(ARKA_TIME_COLUMN));
        w->columns[f] = (arka_chunk_column){.type = w->fields[f].type, .is_time = is_time};
        w->time = is_time ? f : w->time;
    }
    ARKA_CHECK(w->time >= 0 && w->fields[w->time].type == ARKA_TIMESTAMPTZ);
    return ARKA_OK;
}

arka_status arka_parquet_write(const arka_parquet_field *fields, int n_fields,
                               arka_batch *const *batches, size_t n_batches, const int16_t *columns,
                               const arka_spans *spans, const arka_parquet_options *options,
                               arka_parquet_sink sink, arka_parquet_stats *out, arka_error *err)
{
    ARKA_AUTO_VALUE(file_writer)
    w = {.fields = fields, .n_fields = n_fields, .options = options};
    int64_t limit = options->row_group_rows > 0 ? options->row_group_rows : ROW_GROUP_ROWS;
    arka_gather_cursor cursor = {0};
    ARKA_TRY(prepare_columns(&w, err));
    ARKA_TRY(arka_gather__init(&w.gather, batches, n_batches, columns, n_fields, err));
    ARKA_TRY(arka_pager__new(options->codec, options->level, sink, &w.pager, err));
    w.chunker.pager = w.pager;
    ARKA_TRY(arka_pager__raw(w.pager, "PAR1", 4, err));
    while (cursor.span < spans->list.n) {
        ARKA_TRY(arka_gather__rows(&w.gather, spans, &cursor, limit, err));
        ARKA_TRY(write_row_group(&w, err));
    }
    ARKA_TRY(write_footer(&w, err));
    *out = (arka_parquet_stats){.n_rows = w.n_rows,
                                .n_bytes = arka_pager__at(w.pager),
                                .time_min = w.time_min,
                                .time_max = w.time_max};
    return ARKA_OK;
}
