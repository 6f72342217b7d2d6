#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void *arka_malloc(size_t n_bytes)
{
    return malloc(n_bytes ? n_bytes : 1);
}

void *arka_calloc(size_t n, size_t n_bytes)
{
    return calloc(n ? n : 1, n_bytes ? n_bytes : 1);
}

void *arka_realloc(void *old, size_t n_bytes)
{
    return realloc(old, n_bytes ? n_bytes : 1);
}

void arka_free(void *memory)
{
    free(memory);
}

char *arka_strndup(const char *text, size_t n)
{
    char *copy = arka_malloc(n + 1);
    if (copy != NULL) {
        memcpy(copy, text, n);
        copy[n] = 0;
    }
    return copy;
}

char *arka_strdup(const char *text)
{
    return arka_strndup(text, strlen(text));
}
