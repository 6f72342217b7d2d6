/** Bit packing as Parquet has it: from the least significant bit of the first byte on. */
#ifndef ARKA_COLUMNAR_PARQUET_PACK_H
#define ARKA_COLUMNAR_PARQUET_PACK_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are stored as they lie in memory");

enum { ARKA_PACK_SLACK = 16 }; /* bytes behind the result that arka_pack8 may touch */

/** Eight integers below 2^width, width 0 to 64, as `width` bytes. Returns their end. */
static inline uint8_t *arka_pack8(uint8_t *to, const uint64_t v[8], int width)
{
    if (width <= 16) {
        uint64_t low = (v[0] | v[1] << width) | (v[2] | v[3] << width) << 2 * width;
        uint64_t high = (v[4] | v[5] << width) | (v[6] | v[7] << width) << 2 * width;
        unsigned __int128 all = low | (unsigned __int128)high << 4 * width;
        memcpy(to, &all, 16);
        return to + width;
    }
    unsigned __int128 open = 0;
    int n_open = 0;
    uint8_t *at = to;
    for (int i = 0; i < 8; i++) {
        open |= (unsigned __int128)v[i] << n_open;
        n_open += width;
        if (n_open >= 64) {
            memcpy(at, &open, 8);
            at += 8;
            open >>= 64;
            n_open -= 64;
        }
    }
    memcpy(at, &open, 8);
    return to + width;
}

#endif
