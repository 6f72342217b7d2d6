/** 64-bit hashing of bytes (XXH3), for tables in memory. Not for anything stored or secret. */
#ifndef ARKA_BASE_HASH_H
#define ARKA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/**
 * The hash under `seed` and the process's own seed, so that nobody outside can choose keys that
 * collide: it differs from process to process and stays the same within one. Any thread.
 */
uint64_t arka_hash(const void *bytes, size_t n, uint64_t seed);

/**
 * Set the process's seed (0 until then: repeatable, for tests). Once, before anything is hashed.
 */
void arka_hash_set_seed(uint64_t seed);

#endif
