/** One column chunk: gathered values in, the encoding chosen, pages written. */
#ifndef ARKA_COLUMNAR_PARQUET_CHUNK_H
#define ARKA_COLUMNAR_PARQUET_CHUNK_H

#include "columnar/parquet_bounds.h"
#include "columnar/parquet_dict.h"
#include "columnar/parquet_gather.h"
#include "columnar/parquet_page.h"

/** What chunks of one file share: memory, and what was learnt. Zero-initialised is ready. */
typedef struct arka_chunker {
    arka_pager *pager;
    arka_dict dict;
    arka_buf body, dict_body;
} arka_chunker;

/** Of one column of the file. */
typedef struct arka_chunk_column {
    arka_type type;
    bool is_time; /* ascending, without nulls */
    bool give_up; /* a dictionary was tried in an earlier row group and was too large */
} arka_chunk_column;

void arka_chunker_fini(arka_chunker *chunker);

/** Writes the chunk; `values` are used up. */
ARKA_MUST_USE arka_status arka_chunk__write(arka_chunker *chunker, arka_chunk_column *column,
                                            const arka_gathered *values, arka_chunk *out,
                                            arka_bounds *out_bounds, arka_error *err);

#endif
