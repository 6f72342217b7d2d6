/**
 * MessagePack tokens, read in place and never past the end (the format: msgpack/spec.md, 2017).
 * A reader is three pointers: copy it to look ahead, copy it back to go on from there.
 */
#ifndef ARKA_WIRE_MSGPACK_READ_H
#define ARKA_WIRE_MSGPACK_READ_H

#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

typedef struct arka_msgpack_reader {
    const uint8_t *at, *end;
    const uint8_t *begin; /* for the offsets in sentences */
} arka_msgpack_reader;

typedef enum arka_msgpack_kind {
    ARKA_MSGPACK_NIL,
    ARKA_MSGPACK_BOOL,
    ARKA_MSGPACK_INT,
    ARKA_MSGPACK_UINT, /* only what INT cannot hold: 2^63 and more */
    ARKA_MSGPACK_FLOAT,
    ARKA_MSGPACK_TEXT, /* str and bin alike, not checked for UTF-8 */
    ARKA_MSGPACK_ARRAY,
    ARKA_MSGPACK_MAP,
    ARKA_MSGPACK_EXT,
} arka_msgpack_kind;

typedef struct arka_msgpack_token {
    arka_msgpack_kind kind;
    int8_t ext_type;
    union {
        bool boolean;
        int64_t i64;
        uint64_t u64;
        double f64;
        arka_slice bytes; /* TEXT, EXT: inside the body */
        uint32_t count;   /* ARRAY: elements, MAP: pairs; they follow */
    };
} arka_msgpack_token;

/** "nil", "a string", … for sentences. */
const char *arka_msgpack_kind_name(arka_msgpack_kind kind);

/** The sentence for a body that cannot be read at `r->at`: an ARKA_INPUT. */
void arka_msgpack_broken(const arka_msgpack_reader *r, arka_error *err);

/**
 * Past one value and all that is in it. Needs no memory however deep it nests: every container only
 * adds to the number of values still to come. ARKA_INPUT when the body ends before.
 */
ARKA_MUST_USE arka_status arka_msgpack_skip(arka_msgpack_reader *r, arka_error *err);

static inline uint16_t arka_be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}
static inline uint32_t arka_be32(const uint8_t *at)
{
    uint32_t v;
    memcpy(&v, at, 4);
    return __builtin_bswap32(v);
}
static inline uint64_t arka_be64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, 8);
    return __builtin_bswap64(v);
}
static inline float arka_be_f32(const uint8_t *at)
{
    uint32_t bits = arka_be32(at);
    float v;
    memcpy(&v, &bits, 4);
    return v;
}
static inline double arka_be_f64(const uint8_t *at)
{
    uint64_t bits = arka_be64(at);
    double v;
    memcpy(&v, &bits, 8);
    return v;
}

/** Bytes of a token without its text or children, by its first byte; 0: never used (0xc1). */
static inline size_t arka_msgpack_head_bytes(uint8_t op)
{
    static const uint8_t BYTES[32] = {1, 0, 1, 1, 2, 3, 5, 2, 3, 5, 5, 9, 2, 3, 5, 9,
                                      2, 3, 5, 9, 1, 1, 1, 1, 1, 2, 3, 5, 3, 5, 3, 5};
    return op >= 0xc0 && op < 0xe0 ? BYTES[op - 0xc0] : 1;
}

/* `n` bytes of text after `head`, preceded by the type when it is an extension. */
static inline bool arka_msgpack_take_bytes(arka_msgpack_reader *r, size_t head, size_t n, bool ext,
                                           arka_msgpack_token *t)
{
    if ((size_t)(r->end - r->at) < head + ext || (size_t)(r->end - r->at) - head - ext < n)
        return false;
    t->kind = ext ? ARKA_MSGPACK_EXT : ARKA_MSGPACK_TEXT;
    if (ext)
        t->ext_type = (int8_t)r->at[head];
    t->bytes = (arka_slice){(const char *)r->at + head + ext, n};
    r->at += head + ext + n;
    return true;
}

/* A container's children take a byte each at least: a count that cannot be true is refused here. */
static inline bool arka_msgpack_take_count(arka_msgpack_reader *r, size_t head, uint32_t n,
                                           bool map, arka_msgpack_token *t)
{
    if ((size_t)(r->end - r->at) - head < (map ? 2 * (size_t)n : n))
        return false;
    t->kind = map ? ARKA_MSGPACK_MAP : ARKA_MSGPACK_ARRAY;
    t->count = n;
    r->at += head;
    return true;
}

static inline bool arka_msgpack_take_int(arka_msgpack_reader *r, size_t head, int64_t v,
                                         arka_msgpack_token *t)
{
    t->kind = ARKA_MSGPACK_INT;
    t->i64 = v;
    r->at += head;
    return true;
}

/**
 * The next token: a scalar whole, a container its header. False, with the reader where it was, when
 * the body ends inside it, a container claims more children than bytes follow, or the byte is 0xc1;
 * arka_msgpack_broken says which.
 */
static inline bool arka_msgpack_next(arka_msgpack_reader *r, arka_msgpack_token *t)
{
    if (ARKA_UNLIKELY(r->at == r->end))
        return false;
    const uint8_t *p = r->at;
    uint8_t op = *p;
    size_t head = arka_msgpack_head_bytes(op);
    if (ARKA_UNLIKELY((size_t)(r->end - p) < head || head == 0))
        return false;
    if (op < 0x80 || op >= 0xe0)
        return arka_msgpack_take_int(r, 1, (int8_t)op, t);
    if (op < 0xa0)
        return arka_msgpack_take_count(r, 1, op & 15, op < 0x90, t);
    if (op < 0xc0)
        return arka_msgpack_take_bytes(r, 1, op & 31, false, t);
    switch (op) {
    case 0xc0:
        t->kind = ARKA_MSGPACK_NIL;
        r->at++;
        return true;
    case 0xc2:
    case 0xc3:
        t->kind = ARKA_MSGPACK_BOOL;
        t->boolean = op & 1;
        r->at++;
        return true;
    case 0xc4:
    case 0xd9:
        return arka_msgpack_take_bytes(r, head, p[1], false, t);
    case 0xc5:
    case 0xda:
        return arka_msgpack_take_bytes(r, head, arka_be16(p + 1), false, t);
    case 0xc6:
    case 0xdb:
        return arka_msgpack_take_bytes(r, head, arka_be32(p + 1), false, t);
    case 0xc7:
        return arka_msgpack_take_bytes(r, head, p[1], true, t);
    case 0xc8:
        return arka_msgpack_take_bytes(r, head, arka_be16(p + 1), true, t);
    case 0xc9:
        return arka_msgpack_take_bytes(r, head, arka_be32(p + 1), true, t);
    case 0xca:
    case 0xcb:
        t->kind = ARKA_MSGPACK_FLOAT;
        t->f64 = op == 0xcb ? arka_be_f64(p + 1) : (double)arka_be_f32(p + 1);
        r->at += head;
        return true;
    case 0xcc:
        return arka_msgpack_take_int(r, head, p[1], t);
    case 0xcd:
        return arka_msgpack_take_int(r, head, arka_be16(p + 1), t);
    case 0xce:
        return arka_msgpack_take_int(r, head, arka_be32(p + 1), t);
    case 0xcf:
        arka_msgpack_take_int(r, head, (int64_t)arka_be64(p + 1), t);
        if (t->i64 < 0)
            t->kind = ARKA_MSGPACK_UINT; /* u64 is the same 8 bytes */
        return true;
    case 0xd0:
        return arka_msgpack_take_int(r, head, (int8_t)p[1], t);
    case 0xd1:
        return arka_msgpack_take_int(r, head, (int16_t)arka_be16(p + 1), t);
    case 0xd2:
        return arka_msgpack_take_int(r, head, (int32_t)arka_be32(p + 1), t);
    case 0xd3:
        return arka_msgpack_take_int(r, head, (int64_t)arka_be64(p + 1), t);
    case 0xdc:
        return arka_msgpack_take_count(r, head, arka_be16(p + 1), false, t);
    case 0xdd:
        return arka_msgpack_take_count(r, head, arka_be32(p + 1), false, t);
    case 0xde:
        return arka_msgpack_take_count(r, head, arka_be16(p + 1), true, t);
    case 0xdf:
        return arka_msgpack_take_count(r, head, arka_be32(p + 1), true, t);
    default: /* fixext 1, 2, 4, 8, 16 */
        return arka_msgpack_take_bytes(r, head, (size_t)1 << (op - 0xd4), true, t);
    }
}

/** The same with the sentence. */
static inline arka_status arka_msgpack_take(arka_msgpack_reader *r, arka_msgpack_token *t,
                                            arka_error *err)
{
    if (ARKA_LIKELY(arka_msgpack_next(r, t)))
        return ARKA_OK;
    arka_msgpack_broken(r, err);
    return ARKA_INPUT;
}

#endif
