/**
 * A map from byte strings to pointers: open addressing, keys are copied in.
 * Zero-initialised is empty. Not thread-safe. Values are borrowed: fini frees keys only.
 */
#ifndef ARKA_BASE_MAP_H
#define ARKA_BASE_MAP_H

#include <stdint.h>

#include "base/mem.h"
#include "base/slice.h"

typedef struct arka_map_entry {
    uint64_t hash;
    char *key; /* NULL: empty; NUL-terminated */
    size_t key_len;
    void *value; /* NULL: the place is only reserved */
} arka_map_entry;

typedef struct arka_map {
    arka_map_entry *entries;
    size_t n, cap; /* cap is 0 or a power of two */
} arka_map;

void arka_map_fini(arka_map *map);
/** The value, or NULL. */
void *arka_map_get(const arka_map *map, arka_slice key);
/** Insert or replace; false when out of memory (the map stays as it was). `value` not NULL. */
bool arka_map_put(arka_map *map, arka_slice key, void *value);
/**
 * So that arka_map_put of this key cannot fail, until it is removed.
 * The key counts in `n`, but has no value and is not met by a walk. False when out of memory.
 */
bool arka_map_reserve(arka_map *map, arka_slice key);
/** The removed value, or NULL. */
void *arka_map_remove(arka_map *map, arka_slice key);
/** Walk: start with *at = 0; NULL at the end. The map must not change meanwhile. */
const arka_map_entry *arka_map_next(const arka_map *map, size_t *at);

#endif
