#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* The sentence did not fit: its last character goes if it was cut in two. */
static void mend_end(char *msg)
{
    size_t n = strlen(msg), at = n;
    while (at > 0 && n - at < 3 && ((unsigned char)msg[at - 1] & 0xc0) == 0x80)
        at--;
    if (at > 0 && !arka_utf8_valid(msg + at - 1, n - at + 1))
        msg[at - 1] = 0;
}

arka_status arka_fail_at(arka_error *err, arka_status code, int sys, const char *file, int line,
                         const char *format, ...)
{
    if (err == NULL || err->code != ARKA_OK)
        return code;
    err->code = code;
    err->sys = sys;
    err->file = file;
    err->line = line;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->msg, sizeof err->msg, format, args);
    va_end(args);
    if (sys != 0 && n >= 0 && (size_t)n < sizeof err->msg) {
        char text[128];
        /* GNU strerror_r: thread-safe, may answer with a static string */
        snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s",
                 strerror_r(sys, text, sizeof text));
    }
    if (n >= 0 && (size_t)n >= sizeof err->msg)
        mend_end(err->msg);
    return code;
}

void arka_error_prefix(arka_error *err, const char *format, ...)
{
    if (err == NULL || err->code == ARKA_OK)
        return;
    char whole[sizeof err->msg];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(whole, sizeof whole, format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n < sizeof whole)
        snprintf(whole + n, sizeof whole - (size_t)n, "%s", err->msg);
    if (strlen(whole) + 1 == sizeof whole)
        mend_end(whole);
    memcpy(err->msg, whole, sizeof whole);
}

const char *arka_status_name(arka_status code)
{
    static const char *const names[] = {
        "OK",
#define X(name, answer, text) #name,
#include "base/error.def"
#undef X
    };
    return (unsigned)code < ARKA_N_STATUS ? names[code] : "UNKNOWN";
}

_Noreturn void arka_panic(const char *file, int line, const char *cond, const char *format, ...)
{
    fprintf(stderr, "arc: broken promise at %s:%d: %s", file, line, cond);
    if (format[1] != 0) { /* ARKA_CHECK puts a blank in front */
        va_list args;
        va_start(args, format);
        fputs(" --", stderr);
        vfprintf(stderr, format, args);
        va_end(args);
    }
    fputc('\n', stderr);
    abort();
}
