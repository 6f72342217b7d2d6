#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t process_seed; /* written before any other thread is there */

void arka_hash_set_seed(uint64_t seed)
{
    process_seed = seed;
}

uint64_t arka_hash(const void *bytes, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, n, seed ^ process_seed);
}
