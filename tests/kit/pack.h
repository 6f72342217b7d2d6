/** A MessagePack writer for tests and benches: one function a token, appended to an arka_buf. */
#ifndef TESTS_KIT_PACK_H
#define TESTS_KIT_PACK_H

#include "base/buf.h"

/* A type byte and the low `n` bytes of `v`, big-endian. */
static inline void pack_head(arka_buf *b, int op, uint64_t v, int n)
{
    arka_buf_byte(b, (char)op);
    for (int shift = (n - 1) * 8; shift >= 0; shift -= 8)
        arka_buf_byte(b, (char)(v >> shift));
}
static inline void pack_nil(arka_buf *b)
{
    arka_buf_byte(b, (char)0xc0);
}
static inline void pack_bool(arka_buf *b, bool v)
{
    arka_buf_byte(b, (char)(0xc2 + v));
}
static inline void pack_u64(arka_buf *b, uint64_t v)
{
    pack_head(b, 0xcf, v, 8);
}
static inline void pack_i64(arka_buf *b, int64_t v)
{
    pack_head(b, 0xd3, (uint64_t)v, 8);
}
/** The shortest form, as most writers do. */
static inline void pack_int(arka_buf *b, int64_t v)
{
    if (v >= -32 && v <= 127)
        arka_buf_byte(b, (char)v);
    else if (v >= 0)
        v <= UINT8_MAX    ? pack_head(b, 0xcc, (uint64_t)v, 1)
        : v <= UINT16_MAX ? pack_head(b, 0xcd, (uint64_t)v, 2)
        : v <= UINT32_MAX ? pack_head(b, 0xce, (uint64_t)v, 4)
                          : pack_u64(b, (uint64_t)v);
    else
        v >= INT8_MIN    ? pack_head(b, 0xd0, (uint64_t)v, 1)
        : v >= INT16_MIN ? pack_head(b, 0xd1, (uint64_t)v, 2)
        : v >= INT32_MIN ? pack_head(b, 0xd2, (uint64_t)v, 4)
                         : pack_i64(b, v);
}
static inline void pack_f64(arka_buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    pack_head(b, 0xcb, bits, 8);
}
static inline void pack_f32(arka_buf *b, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    pack_head(b, 0xca, bits, 4);
}
static inline void pack_text(arka_buf *b, const char *text, size_t n)
{
    if (n < 32)
        arka_buf_byte(b, (char)(0xa0 + n));
    else
        pack_head(b,
                  n <= UINT8_MAX    ? 0xd9
                  : n <= UINT16_MAX ? 0xda
                                    : 0xdb,
                  n,
                  n <= UINT8_MAX    ? 1
                  : n <= UINT16_MAX ? 2
                                    : 4);
    arka_buf_append(b, text, n);
}
static inline void pack_str(arka_buf *b, const char *text)
{
    pack_text(b, text, strlen(text));
}
static inline void pack_bin(arka_buf *b, const char *bytes, size_t n)
{
    pack_head(b,
              n <= UINT8_MAX    ? 0xc4
              : n <= UINT16_MAX ? 0xc5
                                : 0xc6,
              n,
              n <= UINT8_MAX    ? 1
              : n <= UINT16_MAX ? 2
                                : 4);
    arka_buf_append(b, bytes, n);
}
static inline void pack_array(arka_buf *b, uint32_t n)
{
    if (n < 16)
        arka_buf_byte(b, (char)(0x90 + n));
    else
        pack_head(b, n <= UINT16_MAX ? 0xdc : 0xdd, n, n <= UINT16_MAX ? 2 : 4);
}
static inline void pack_map(arka_buf *b, uint32_t n)
{
    if (n < 16)
        arka_buf_byte(b, (char)(0x80 + n));
    else
        pack_head(b, n <= UINT16_MAX ? 0xde : 0xdf, n, n <= UINT16_MAX ? 2 : 4);
}
static inline void pack_ext(arka_buf *b, int type, const void *bytes, size_t n)
{
    int fixed = n == 1 ? 0xd4 : n == 2 ? 0xd5 : n == 4 ? 0xd6 : n == 8 ? 0xd7 : n == 16 ? 0xd8 : 0;
    if (fixed != 0)
        arka_buf_byte(b, (char)fixed);
    else
        pack_head(b,
                  n <= UINT8_MAX    ? 0xc7
                  : n <= UINT16_MAX ? 0xc8
                                    : 0xc9,
                  n,
                  n <= UINT8_MAX    ? 1
                  : n <= UINT16_MAX ? 2
                                    : 4);
    arka_buf_byte(b, (char)type);
    arka_buf_append(b, bytes, n);
}

#endif
