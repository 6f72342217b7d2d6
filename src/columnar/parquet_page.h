/** Pages: bodies in, compressed and with their headers out to the sink, accounts kept. */
#ifndef ARKA_COLUMNAR_PARQUET_PAGE_H
#define ARKA_COLUMNAR_PARQUET_PAGE_H

#include "base/buf.h"
#include "columnar/parquet.h"

/* Numbers of parquet.thrift (apache/parquet-format 2.11). */
typedef enum pq_encoding {
    PQ_PLAIN = 0,
    PQ_RLE = 3,
    PQ_DELTA_BINARY_PACKED = 5,
    PQ_RLE_DICTIONARY = 8,
} pq_encoding;

typedef enum pq_page { PQ_DATA_PAGE = 0, PQ_DICTIONARY_PAGE = 2 } pq_page;

/** Bytes before a page's body that its header may be put into. */
enum { ARKA_PAGE_HEADROOM = 64 };

/** What the footer must know of a column chunk; grows while its pages are written. */
typedef struct arka_chunk {
    pq_encoding encoding; /* of the data pages */
    arka_codec codec;
    bool codec_settled; /* see arka_page__settle */
    int64_t n_rows, n_nulls;
    int64_t data_at, dictionary_at; /* offsets in the file; -1: no such page yet */
    int32_t n_data_pages;
    int64_t n_bytes_raw, n_bytes; /* pages with their headers, before and after compression */
} arka_chunk;

typedef struct arka_pager arka_pager;

/** One for a file: holds the compressors' state, writes to the sink, counts. */
ARKA_MUST_USE arka_status arka_pager__new(arka_codec codec, int level, arka_parquet_sink sink,
                                          arka_pager **out, arka_error *err);
void arka_pager_free(arka_pager *pager);
ARKA_CLEANUP(arka_pager, arka_pager_free)

/** Bytes written so far: the offset of what comes next. */
int64_t arka_pager__at(const arka_pager *pager);
/** Bytes that are no page: magic numbers, footer. */
ARKA_MUST_USE arka_status arka_pager__raw(arka_pager *pager, const void *bytes, size_t n,
                                          arka_error *err);

/**
 * Settle the codec of a chunk by a page of it: when compression does not shorten a sample of the
 * page by a worthwhile part, the whole chunk stays as it is. Else the first page written decides.
 */
ARKA_MUST_USE arka_status arka_page__settle(arka_pager *pager, arka_chunk *chunk,
                                            const uint8_t *body, size_t n, arka_error *err);
/**
 * Write one page. `body` has ARKA_PAGE_HEADROOM bytes in front that may be overwritten.
 * n_values   of a data page: its rows, nulls included; of a dictionary page: its entries
 * Errors     ARKA_LIMIT: the page has 2^31 bytes or more
 */
ARKA_MUST_USE arka_status arka_page__write(arka_pager *pager, arka_chunk *chunk, pq_page kind,
                                           int64_t n_values, uint8_t *body, size_t n,
                                           arka_error *err);

#endif
