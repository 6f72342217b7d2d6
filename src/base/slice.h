/** A borrowed run of bytes: never owns, never NUL-terminated by promise. */
#ifndef ARKA_BASE_SLICE_H
#define ARKA_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct arka_slice {
    const char *data;
    size_t len;
} arka_slice;

#define ARKA_SLICE(literal) ((arka_slice){(literal), sizeof(literal) - 1})
/** For printf's "%.*s". */
#define ARKA_FMT(s) (int)(s).len, (s).data

static inline arka_slice arka_slice_of(const char *text)
{
    return (arka_slice){text, text ? strlen(text) : 0};
}
static inline bool arka_slice_eq(arka_slice a, arka_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
/** Without the blanks (ASCII's) round it. */
static inline arka_slice arka_slice_trim(arka_slice s)
{
    while (s.len > 0 && memchr(" \t\r\n\f\v", s.data[0], 6) != NULL)
        s = (arka_slice){s.data + 1, s.len - 1};
    while (s.len > 0 && memchr(" \t\r\n\f\v", s.data[s.len - 1], 6) != NULL)
        s.len--;
    return s;
}

#endif
