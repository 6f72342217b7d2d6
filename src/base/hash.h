/** 64-bit hashing of bytes (XXH3), for tables in memory. Not for anything stored or secret. */
#ifndef ARKA_BASE_HASH_H
#define ARKA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t arka_hash(const void *bytes, size_t n, uint64_t seed);

#endif
