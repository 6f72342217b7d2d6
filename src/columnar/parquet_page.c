#include "columnar/parquet_page.h"

#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "columnar/parquet_thrift.h"

/*
 * Compression must take off at least a 1/WORTH part of a sample, or the chunk stays as it is:
 * doubles of measurements often do not give that, and then readers are spared a useless step.
 */
enum { WORTH = 16, SAMPLE_BYTES = 64 * 1024 };
/* Levels: bench/parquet_bench.c over measurements; higher ones cost a lot and gain little. */
enum { ZSTD_LEVEL = 1, GZIP_LEVEL = 1 };

struct arka_pager {
    arka_codec codec;
    int level;
    arka_parquet_sink sink;
    int64_t at;
    arka_buf packed; /* header, compressed body */
    ZSTD_CCtx *zstd;
    z_stream gzip;
    bool gzip_open;
    void *lz4;
};

arka_status arka_pager__new(arka_codec codec, int level, arka_parquet_sink sink, arka_pager **out,
                            arka_error *err)
{
    ARKA_AUTO(arka_pager) pager = arka_calloc(1, sizeof *pager);
    if (pager == NULL)
        return arka_fail_nomem(err, "a Parquet file", sizeof *pager);
    pager->codec = codec;
    pager->sink = sink;
    bool ok = true;
    if (codec == ARKA_CODEC_ZSTD) {
        pager->level = level != 0 ? level : ZSTD_LEVEL;
        pager->zstd = ZSTD_createCCtx();
        ok = pager->zstd != NULL;
    } else if (codec == ARKA_CODEC_GZIP) {
        pager->level = level <= 0                   ? GZIP_LEVEL
                       : level > Z_BEST_COMPRESSION ? Z_BEST_COMPRESSION
                                                    : level;
        /* 16 added to the window's size asks for a gzip member instead of a zlib stream. */
        ok = pager->gzip_open = deflateInit2(&pager->gzip, pager->level, Z_DEFLATED, 15 + 16, 8,
                                             Z_DEFAULT_STRATEGY) == Z_OK;
    } else if (codec == ARKA_CODEC_LZ4) {
        pager->lz4 = arka_malloc((size_t)LZ4_sizeofState());
        ok = pager->lz4 != NULL;
    }
    if (!ok)
        return arka_fail_nomem(err, "a compressor", 0);
    *out = arka_take(pager);
    return ARKA_OK;
}

void arka_pager_free(arka_pager *pager)
{
    if (pager == NULL)
        return;
    ZSTD_freeCCtx(pager->zstd);
    if (pager->gzip_open)
        deflateEnd(&pager->gzip);
    arka_free(pager->lz4);
    arka_buf_fini(&pager->packed);
    arka_free(pager);
}

int64_t arka_pager__at(const arka_pager *pager)
{
    return pager->at;
}

arka_status arka_pager__raw(arka_pager *pager, const void *bytes, size_t n, arka_error *err)
{
    ARKA_TRY(pager->sink.write(pager->sink.context, bytes, n, err));
    pager->at += (int64_t)n;
    return ARKA_OK;
}

static size_t bound(const arka_pager *pager, size_t n)
{
    switch (pager->codec) {
    case ARKA_CODEC_SNAPPY:
        return snappy_max_compressed_length(n);
    case ARKA_CODEC_GZIP:
        return compressBound(n) + 32;
    case ARKA_CODEC_LZ4:
        return (size_t)LZ4_COMPRESSBOUND(n);
    case ARKA_CODEC_ZSTD:
        return ZSTD_compressBound(n);
    case ARKA_CODEC_NONE:
        break;
    }
    return n;
}

/* Compressed bytes at `to`, which has room for bound(); 0 when the compressor failed. */
static size_t compress_to(arka_pager *pager, char *to, size_t room, const void *body, size_t n)
{
    switch (pager->codec) {
    case ARKA_CODEC_SNAPPY:
        return snappy_compress(body, n, to, &room) == SNAPPY_OK ? room : 0;
    case ARKA_CODEC_LZ4:
        return (size_t)LZ4_compress_fast_extState(pager->lz4, body, to, (int)n, (int)room, 1);
    case ARKA_CODEC_ZSTD: {
        size_t len = ZSTD_compressCCtx(pager->zstd, to, room, body, n, pager->level);
        return ZSTD_isError(len) ? 0 : len;
    }
    case ARKA_CODEC_GZIP: {
        z_stream *z = &pager->gzip;
        z->next_in = (unsigned char *)(uintptr_t)body;
        z->avail_in = (unsigned)n;
        z->next_out = (unsigned char *)to;
        z->avail_out = (unsigned)room;
        size_t len = deflate(z, Z_FINISH) == Z_STREAM_END ? room - z->avail_out : 0;
        return deflateReset(z) == Z_OK ? len : 0;
    }
    case ARKA_CODEC_NONE:
        break;
    }
    return 0;
}

/* The body compressed, in pager->packed behind room for a header. */
static arka_status compress_body(arka_pager *pager, const void *body, size_t n, size_t *out,
                                 arka_error *err)
{
    size_t room = bound(pager, n);
    arka_buf_clear(&pager->packed);
    char *to = arka_buf_reserve(&pager->packed, ARKA_PAGE_HEADROOM + room);
    if (to == NULL)
        return arka_fail_nomem(err, "a compressed page", room);
    *out = compress_to(pager, to + ARKA_PAGE_HEADROOM, room, body, n);
    if (*out == 0)
        return arka_fail(err, ARKA_INTERNAL, "%s could not compress a page of %zu bytes",
                         arka_codec_name(pager->codec), n);
    return ARKA_OK;
}

arka_status arka_page__settle(arka_pager *pager, arka_chunk *chunk, const uint8_t *body, size_t n,
                              arka_error *err)
{
    chunk->codec_settled = true;
    chunk->codec = ARKA_CODEC_NONE;
    if (pager->codec == ARKA_CODEC_NONE || n == 0)
        return ARKA_OK;
    size_t sample = n < SAMPLE_BYTES ? n : SAMPLE_BYTES, len;
    ARKA_TRY(compress_body(pager, body + (n - sample) / 2, sample, &len, err));
    if (len < sample - sample / WORTH)
        chunk->codec = pager->codec;
    return ARKA_OK;
}

static void write_header(arka_buf *out, pq_page kind, pq_encoding encoding, int64_t n_values,
                         size_t n_raw, size_t n)
{
    arka_thrift t = {.out = out};
    arka_thrift__begin(&t);
    arka_thrift__i32(&t, 1, (int32_t)kind);
    arka_thrift__i32(&t, 2, (int32_t)n_raw);
    arka_thrift__i32(&t, 3, (int32_t)n);
    if (kind == PQ_DICTIONARY_PAGE) {
        arka_thrift__struct(&t, 7);
        arka_thrift__i32(&t, 1, (int32_t)n_values);
        arka_thrift__i32(&t, 2, PQ_PLAIN);
    } else {
        arka_thrift__struct(&t, 5);
        arka_thrift__i32(&t, 1, (int32_t)n_values);
        arka_thrift__i32(&t, 2, (int32_t)encoding);
        arka_thrift__i32(&t, 3, PQ_RLE);
        arka_thrift__i32(&t, 4, PQ_RLE);
    }
    arka_thrift__end(&t);
    arka_thrift__end(&t);
}

static void count_page(arka_chunk *chunk, pq_page kind, int64_t at)
{
    if (kind == PQ_DICTIONARY_PAGE) {
        chunk->dictionary_at = at;
    } else {
        if (chunk->n_data_pages == 0)
            chunk->data_at = at;
        chunk->n_data_pages++;
    }
}

arka_status arka_page__write(arka_pager *pager, arka_chunk *chunk, pq_page kind, int64_t n_values,
                             uint8_t *body, size_t n, arka_error *err)
{
    /* Half of what the header could say: no codec's bound may pass the other half. */
    if (n > INT32_MAX / 2)
        return arka_fail(err, ARKA_LIMIT, "a Parquet page of %zu bytes: at most %d are possible", n,
                         INT32_MAX / 2);
    if (!chunk->codec_settled)
        ARKA_TRY(arka_page__settle(pager, chunk, body, n, err));
    uint8_t *packed = body;
    size_t len = n;
    if (chunk->codec != ARKA_CODEC_NONE) {
        ARKA_TRY(compress_body(pager, body, n, &len, err));
        packed = (uint8_t *)pager->packed.data + ARKA_PAGE_HEADROOM;
    }
    char bytes[ARKA_PAGE_HEADROOM];
    arka_buf header = {.data = bytes, .cap = sizeof bytes};
    write_header(&header, kind, chunk->encoding, n_values, n, len);
    ARKA_CHECK(!header.failed && header.data == bytes);
    count_page(chunk, kind, pager->at);
    chunk->n_bytes_raw += (int64_t)(header.len + n);
    chunk->n_bytes += (int64_t)(header.len + len);
    memcpy(packed - header.len, bytes, header.len);
    return arka_pager__raw(pager, packed - header.len, header.len + len, err);
}
