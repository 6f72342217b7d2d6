#include "columnar/parquet_encode.h"

#include "columnar/bits.h"
#include "columnar/parquet_pack.h"
#include "columnar/parquet_thrift.h"

static uint8_t *reserve(arka_buf *out, size_t n)
{
    return (uint8_t *)arka_buf_reserve(out, n);
}

static void advance(arka_buf *out, const uint8_t *end)
{
    out->len = (size_t)((const char *)end - out->data);
}

static uint8_t *put_levels_run(uint8_t *at, int64_t n, int level)
{
    at = arka_varint(at, (uint64_t)n << 1);
    *at++ = (uint8_t)level;
    return at;
}

static uint8_t *put_levels_mixed(uint8_t *at, const uint8_t *validity, int64_t from, int64_t n)
{
    at = arka_varint(at, (uint64_t)(n + 7) / 8 << 1 | 1);
    arka_bits_copy(at, validity, from, n);
    return at + (n + 7) / 8;
}

typedef enum word_kind { WORD_NULLS, WORD_VALUES, WORD_MIXED } word_kind;

/* Of the up to 64 rows from `at` on. */
static word_kind kind_of(const uint8_t *validity, int64_t at, int64_t left)
{
    int n = left < 64 ? (int)left : 64;
    uint64_t word = arka_bits_load(validity, at, n);
    if (word == 0)
        return WORD_NULLS;
    return word == UINT64_MAX >> (64 - n) ? WORD_VALUES : WORD_MIXED;
}

/* Runs are counted in words of 64 rows: shorter ones are not worth a header of their own. */
static uint8_t *put_levels(uint8_t *at, const uint8_t *validity, int64_t from, int64_t n)
{
    for (int64_t i = 0, end; i < n; i = end) {
        word_kind kind = kind_of(validity, from + i, n - i);
        for (end = i + 64; end < n && kind_of(validity, from + end, n - end) == kind;)
            end += 64;
        end = end < n ? end : n;
        at = kind == WORD_MIXED ? put_levels_mixed(at, validity, from + i, end - i)
                                : put_levels_run(at, end - i, kind == WORD_VALUES);
    }
    return at;
}

void arka_encode__levels(arka_buf *out, const uint8_t *validity, int64_t from, int64_t n)
{
    uint8_t *start = reserve(out, arka_encode__levels_bound(n));
    if (start == NULL)
        return;
    uint8_t *at = start + 4;
    at = validity == NULL ? put_levels_run(at, n, 1) : put_levels(at, validity, from, n);
    uint32_t len = (uint32_t)(at - start - 4);
    memcpy(start, &len, 4);
    advance(out, at);
}

void arka_encode__text(arka_buf *out, const arka_slice *values, int64_t n)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < n; i++)
        bytes += 4 + values[i].len;
    uint8_t *at = reserve(out, bytes);
    if (at == NULL)
        return;
    for (int64_t i = 0; i < n; i++) {
        uint32_t len = (uint32_t)values[i].len;
        memcpy(at, &len, 4);
        if (len > 0)
            memcpy(at + 4, values[i].data, len);
        at += 4 + len;
    }
    advance(out, at);
}

static uint8_t *put_packed(uint8_t *at, const uint32_t *indexes, int64_t n, int width)
{
    if (n == 0)
        return at;
    at = arka_varint(at, (uint64_t)(n + 7) / 8 << 1 | 1);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const uint32_t *v = indexes + i;
        at = arka_pack8(at, (const uint64_t[8]){v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]},
                        width);
    }
    if (i < n) {
        uint64_t last[8] = {0};
        for (int64_t j = i; j < n; j++)
            last[j - i] = indexes[j];
        at = arka_pack8(at, last, width);
    }
    return at;
}

static bool eight_equal(const uint32_t *v)
{
    uint32_t differ = 0;
    for (int i = 1; i < 8; i++)
        differ |= v[i] ^ v[0];
    return differ == 0;
}

void arka_encode__indexes(arka_buf *out, const uint32_t *indexes, int64_t n, int width)
{
    /* Packed, plus a header each time a run ends; a run takes less room than what it replaces. */
    uint8_t *at = reserve(out, (size_t)(n + 8) * (size_t)width / 8 + (size_t)n / 8 + 64);
    if (at == NULL)
        return;
    *at++ = (uint8_t)width;
    int64_t open = 0; /* values from here on wait to be packed, a multiple of 8 of them */
    for (int64_t i = 0; i + 8 <= n;) {
        int64_t end = i + 8;
        if (eight_equal(indexes + i))
            while (end < n && indexes[end] == indexes[i])
                end++;
        /* Repeated at least 16 times and saving at least 8 bytes: else packing on is as short. */
        if (end - i < 16 || (end - i) * width < 128) {
            i += 8;
            continue;
        }
        at = put_packed(at, indexes + open, i - open, width);
        at = arka_varint(at, (uint64_t)(end - i) << 1);
        memcpy(at, &indexes[i], 4);
        at += (width + 7) / 8;
        i = open = end;
    }
    at = put_packed(at, indexes + open, n - open, width);
    advance(out, at);
}
