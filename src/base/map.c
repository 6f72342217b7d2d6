#include "base/map.h"

#include "base/hash.h"

void arka_map_fini(arka_map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        arka_free(map->entries[i].key);
    arka_free(map->entries);
    *map = (arka_map){0};
}

/* The entry that holds `key`, or the empty one where it belongs. Needs a free entry. */
static arka_map_entry *find(const arka_map *map, uint64_t hash, arka_slice key)
{
    size_t mask = map->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        arka_map_entry *e = &map->entries[i];
        if (e->key == NULL)
            return e;
        if (e->hash == hash && arka_slice_eq((arka_slice){e->key, e->key_len}, key))
            return e;
    }
}

static bool grow(arka_map *map)
{
    size_t cap = map->cap ? map->cap * 2 : 16;
    arka_map bigger = {arka_calloc(cap, sizeof(arka_map_entry)), map->n, cap};
    if (bigger.entries == NULL)
        return false;
    for (size_t i = 0; i < map->cap; i++) {
        arka_map_entry *e = &map->entries[i];
        if (e->key != NULL)
            *find(&bigger, e->hash, (arka_slice){e->key, e->key_len}) = *e;
    }
    arka_free(map->entries);
    *map = bigger;
    return true;
}

void *arka_map_get(const arka_map *map, arka_slice key)
{
    return map->n == 0 ? NULL : find(map, arka_hash(key.data, key.len, 0), key)->value;
}

/* The entry of `key`, made without a value if need be; NULL when out of memory. */
static arka_map_entry *find_or_add(arka_map *map, arka_slice key)
{
    uint64_t hash = arka_hash(key.data, key.len, 0);
    if (map->n > 0) {
        arka_map_entry *e = find(map, hash, key);
        if (e->key != NULL)
            return e;
    }
    if ((map->n + 1) * 4 > map->cap * 3 && !grow(map))
        return NULL;
    char *copy = arka_strndup(key.len ? key.data : "", key.len);
    if (copy == NULL)
        return NULL;
    arka_map_entry *e = find(map, hash, key);
    *e = (arka_map_entry){hash, copy, key.len, NULL};
    map->n++;
    return e;
}

bool arka_map_put(arka_map *map, arka_slice key, void *value)
{
    arka_map_entry *e = find_or_add(map, key);
    if (e != NULL)
        e->value = value;
    return e != NULL;
}

bool arka_map_reserve(arka_map *map, arka_slice key)
{
    return find_or_add(map, key) != NULL;
}

void *arka_map_remove(arka_map *map, arka_slice key)
{
    if (map->n == 0)
        return NULL;
    arka_map_entry *e = find(map, arka_hash(key.data, key.len, 0), key);
    if (e->key == NULL)
        return NULL;
    void *value = e->value;
    arka_free(e->key);
    *e = (arka_map_entry){0};
    map->n--;
    /* Close the gap: whatever follows in this run may have been pushed past it. */
    size_t mask = map->cap - 1;
    for (size_t i = ((size_t)(e - map->entries) + 1) & mask; map->entries[i].key != NULL;
         i = (i + 1) & mask) {
        arka_map_entry moved = map->entries[i];
        map->entries[i] = (arka_map_entry){0};
        *find(map, moved.hash, (arka_slice){moved.key, moved.key_len}) = moved;
    }
    return value;
}

const arka_map_entry *arka_map_next(const arka_map *map, size_t *at)
{
    while (*at < map->cap) {
        const arka_map_entry *e = &map->entries[(*at)++];
        if (e->key != NULL && e->value != NULL)
            return e;
    }
    return NULL;
}
