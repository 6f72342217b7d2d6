/**
 * Parquet's encodings (apache/parquet-format Encodings.md): values in, bytes appended to a buffer.
 * Running out of memory shows in the buffer's `failed`. Pure; any thread.
 */
#ifndef ARKA_COLUMNAR_PARQUET_ENCODE_H
#define ARKA_COLUMNAR_PARQUET_ENCODE_H

#include "base/buf.h"

/**
 * Definition levels of a flat OPTIONAL column for a version 1 page: four bytes of length, then the
 * RLE / bit-packed hybrid at width 1. Rows [from, from + n) of `validity`; NULL: none is null.
 */
void arka_encode__levels(arka_buf *out, const uint8_t *validity, int64_t from, int64_t n);
/** Bytes that arka_encode__levels may write for n rows. */
static inline size_t arka_encode__levels_bound(int64_t n)
{
    return (size_t)n / 8 + (size_t)n / 32 + 32;
}

/** PLAIN for BYTE_ARRAY: four bytes of length and the bytes, for each value. */
void arka_encode__text(arka_buf *out, const arka_slice *values, int64_t n);

/**
 * Body of a dictionary-encoded page: the width, then the RLE / bit-packed hybrid.
 * width   1 to 32, enough for every index
 */
void arka_encode__indexes(arka_buf *out, const uint32_t *indexes, int64_t n, int width);

/** DELTA_BINARY_PACKED, blocks of 128 in 4 miniblocks. */
void arka_encode__delta(arka_buf *out, const int64_t *values, int64_t n);
/** About how many bits a value arka_encode__delta would take, from a sample of the miniblocks. */
int arka_encode__delta_bits(const int64_t *values, int64_t n);

/** Bits that hold the integers 0 .. max. */
static inline int arka_bits_for(uint64_t max)
{
    return max == 0 ? 0 : 64 - __builtin_clzll(max);
}

#endif
