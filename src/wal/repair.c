#include "wal/wal_priv.h"

bool arka_wal__is_unfinished(const char *name)
{
    static const char suffix[] = ".repair";
    size_t n = strlen(name), s = strlen(suffix);
    return n > s && strcmp(name + n - s, suffix) == 0;
}
