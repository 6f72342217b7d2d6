#include "columnar/parquet_encode.h"
#include "columnar/parquet_pack.h"
#include "columnar/parquet_thrift.h"

/* The sizes that every writer uses and that old readers take for granted. */
enum { BLOCK = 128, MINI = 32, MINIS = BLOCK / MINI, SAMPLES = 32 };

/* Differences wrap round as the format has it: readers add them up modulo 2^64. */
static uint64_t difference(const int64_t *values, int64_t i)
{
    return (uint64_t)values[i] - (uint64_t)values[i - 1];
}

/* `n` differences from values[at] on, less the least of them, which is returned. */
static int64_t deltas_of(uint64_t *deltas, const int64_t *values, int64_t at, int n)
{
    int64_t min = INT64_MAX;
    for (int i = 0; i < n; i++) {
        deltas[i] = difference(values, at + i);
        min = (int64_t)deltas[i] < min ? (int64_t)deltas[i] : min;
    }
    for (int i = 0; i < n; i++)
        deltas[i] -= (uint64_t)min;
    return min;
}

static int width_of(const uint64_t *deltas, int n)
{
    uint64_t any = 0;
    for (int i = 0; i < n; i++)
        any |= deltas[i];
    return arka_bits_for(any);
}

/* One block: the least difference, a width for each miniblock, the miniblocks that hold values. */
static uint8_t *put_block(uint8_t *at, const int64_t *values, int64_t from, int n)
{
    uint64_t deltas[BLOCK];
    int64_t min = deltas_of(deltas, values, from, n);
    at = arka_varint(at, arka_zigzag(min));
    uint8_t *widths = at;
    memset(widths, 0, MINIS);
    at += MINIS;
    memset(deltas + n, 0, (size_t)(BLOCK - n) * sizeof *deltas);
    for (int m = 0; m * MINI < n; m++) {
        const uint64_t *mini = deltas + m * MINI;
        int width = width_of(mini, MINI);
        widths[m] = (uint8_t)width;
        for (int i = 0; width > 0 && i < MINI; i += 8)
            at = arka_pack8(at, mini + i, width);
    }
    return at;
}

void arka_encode__delta(arka_buf *out, const int64_t *values, int64_t n)
{
    size_t blocks = (size_t)n / BLOCK + 1;
    uint8_t *at = (uint8_t *)arka_buf_reserve(
        out, 40 + blocks * (10 + MINIS + BLOCK * sizeof(int64_t)) + ARKA_PACK_SLACK);
    if (at == NULL)
        return;
    at = arka_varint(at, BLOCK);
    at = arka_varint(at, MINIS);
    at = arka_varint(at, (uint64_t)n);
    at = arka_varint(at, arka_zigzag(n > 0 ? values[0] : 0));
    for (int64_t i = 1; i < n; i += BLOCK)
        at = put_block(at, values, i, n - i < BLOCK ? (int)(n - i) : BLOCK);
    out->len = (size_t)((char *)at - out->data);
}

int arka_encode__delta_bits(const int64_t *values, int64_t n)
{
    if (n <= MINI)
        return 64;
    int64_t places = n - MINI, sum = 0, step = places / SAMPLES + 1, n_sampled = 0;
    for (int64_t at = 1; at <= places; at += step, n_sampled++) {
        uint64_t deltas[MINI];
        deltas_of(deltas, values, at, MINI);
        sum += width_of(deltas, MINI);
    }
    return (int)(sum / n_sampled) + 1;
}
