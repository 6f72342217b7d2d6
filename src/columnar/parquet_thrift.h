/**
 * Writing Thrift's compact protocol, as much of it as Parquet's footer and page headers need.
 * Source: apache/thrift doc/specs/thrift-compact-protocol.md. Fields are written in ascending order
 * of their ids. Running out of memory shows in the buffer's `failed`.
 */
#ifndef ARKA_COLUMNAR_PARQUET_THRIFT_H
#define ARKA_COLUMNAR_PARQUET_THRIFT_H

#include "base/buf.h"

enum { THRIFT_DEPTH = 8 };

typedef enum thrift_type {
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_BYTE = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_STRUCT = 12,
} thrift_type;

typedef struct arka_thrift {
    arka_buf *out;
    int depth;
    int16_t last[THRIFT_DEPTH]; /* field id written last, per open struct */
} arka_thrift;

/** Unsigned LEB128, which Parquet's encodings use too; at most 10 bytes. Returns their end. */
static inline uint8_t *arka_varint(uint8_t *to, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *to++ = (uint8_t)(v | 0x80);
    *to++ = (uint8_t)v;
    return to;
}
static inline uint64_t arka_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

/** A struct that is no field: the whole message, or an element of a list. */
void arka_thrift__begin(arka_thrift *t);
void arka_thrift__end(arka_thrift *t);

void arka_thrift__bool(arka_thrift *t, int16_t id, bool v);
void arka_thrift__byte(arka_thrift *t, int16_t id, int8_t v);
void arka_thrift__i16(arka_thrift *t, int16_t id, int16_t v);
void arka_thrift__i32(arka_thrift *t, int16_t id, int32_t v);
void arka_thrift__i64(arka_thrift *t, int16_t id, int64_t v);
void arka_thrift__binary(arka_thrift *t, int16_t id, const void *bytes, size_t n);
/** A field that is a struct; ends with arka_thrift__end. */
void arka_thrift__struct(arka_thrift *t, int16_t id);
/** A field that is a struct without any field: how unions choose. */
void arka_thrift__empty(arka_thrift *t, int16_t id);
/** A field that is a list; its n elements follow. */
void arka_thrift__list(arka_thrift *t, int16_t id, thrift_type element, size_t n);
void arka_thrift__item_i32(arka_thrift *t, int32_t v);
void arka_thrift__item_binary(arka_thrift *t, const void *bytes, size_t n);

#endif
