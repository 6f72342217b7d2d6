#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

void arka_buf_fini(arka_buf *buf)
{
    arka_free(buf->data);
    *buf = (arka_buf)ARKA_BUF_INIT;
}

bool arka_buf_grow_to(arka_buf *buf, size_t cap)
{
    if (buf->failed)
        return false;
    if (cap <= buf->cap && buf->data != NULL)
        return true;
    char *data = arka_realloc(buf->data, cap);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

char *arka_buf_reserve_slow(arka_buf *buf, size_t more)
{
    size_t need = buf->len + more;
    if (need < buf->len) {
        buf->failed = true;
        return NULL;
    }
    size_t cap = buf->cap ? buf->cap + buf->cap / 2 : 256;
    if (cap < need)
        cap = need;
    return arka_buf_grow_to(buf, cap) ? buf->data + buf->len : NULL;
}

void arka_buf_printf(arka_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0) {
        char *to = arka_buf_reserve(buf, (size_t)n + 1);
        if (to != NULL) {
            vsnprintf(to, (size_t)n + 1, format, again);
            buf->len += (size_t)n;
        }
    }
    va_end(again);
}

void arka_buf_pad(arka_buf *buf, size_t unit)
{
    size_t n = (unit - (buf->len & (unit - 1))) & (unit - 1);
    char *to = arka_buf_reserve(buf, n);
    if (to != NULL) {
        memset(to, 0, n);
        buf->len += n;
    }
}

const char *arka_buf_cstr(arka_buf *buf)
{
    char *to = arka_buf_reserve(buf, 1);
    if (to == NULL || buf->failed)
        return NULL;
    *to = 0;
    return buf->data;
}
