/**
 * A growable run of bytes (caller's memory: init/fini).
 *
 * It remembers that it ran out of memory (`failed`): code may append a whole answer and ask once
 * at the end. After a failure appends do nothing and the content is unspecified. Not thread-safe.
 */
#ifndef ARKA_BASE_BUF_H
#define ARKA_BASE_BUF_H

#include <stdint.h>

#include "base/mem.h"
#include "base/slice.h"

typedef struct arka_buf {
    char *data; /* NULL while nothing was reserved */
    size_t len;
    size_t cap;
    bool failed; /* sticky: memory ran out */
} arka_buf;

#define ARKA_BUF_INIT                                                                              \
    {                                                                                              \
        NULL, 0, 0, false                                                                          \
    }

void arka_buf_fini(arka_buf *buf);
/** Room for `more` bytes behind `len`; NULL (and `failed`) when there is none. */
char *arka_buf_reserve_slow(arka_buf *buf, size_t more);
static inline char *arka_buf_reserve(arka_buf *buf, size_t more)
{
    if (ARKA_LIKELY(buf->cap - buf->len >= more && buf->data != NULL))
        return buf->data + buf->len;
    return arka_buf_reserve_slow(buf, more);
}
/** Capacity of at least `cap` and, if it has to grow, of exactly that; false (and `failed`) when
 * out of memory. */
bool arka_buf_grow_to(arka_buf *buf, size_t cap);
static inline void arka_buf_clear(arka_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}
static inline void arka_buf_append(arka_buf *buf, const void *bytes, size_t n)
{
    char *to = arka_buf_reserve(buf, n);
    if (ARKA_LIKELY(to != NULL && n > 0)) {
        memcpy(to, bytes, n);
        buf->len += n;
    }
}
static inline void arka_buf_byte(arka_buf *buf, char c)
{
    char *to = arka_buf_reserve(buf, 1);
    if (ARKA_LIKELY(to != NULL)) {
        *to = c;
        buf->len++;
    }
}
static inline void arka_buf_text(arka_buf *buf, const char *text)
{
    arka_buf_append(buf, text, strlen(text));
}
static inline void arka_buf_slice(arka_buf *buf, arka_slice s)
{
    arka_buf_append(buf, s.data, s.len);
}
/* "" refuses a pointer, whose size is not its text's */
#define arka_buf_literal(buf, s) arka_buf_append((buf), "" s, sizeof(s) - 1)
void arka_buf_printf(arka_buf *buf, const char *format, ...) ARKA_PRINTF(2, 3);
/** Zero bytes up to the next multiple of `unit` (a power of two). */
void arka_buf_pad(arka_buf *buf, size_t unit);
/** NUL behind the content (not counted in len); the content as C text, or NULL when out of memory.
 */
const char *arka_buf_cstr(arka_buf *buf);

#endif
