#include "base/vec.h"

bool arka_vec_grow(void **items, size_t *cap, size_t need, size_t item_bytes)
{
    size_t more = *cap ? *cap + *cap / 2 : 8;
    if (more < need)
        more = need;
    if (more > SIZE_MAX / item_bytes)
        return false;
    void *grown = arka_realloc(*items, more * item_bytes);
    if (grown == NULL)
        return false;
    *items = grown;
    *cap = more;
    return true;
}
