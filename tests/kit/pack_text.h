/**
 * MessagePack from a readable notation, for tests:
 *
 *     {m:'cpu',columns:{time:[1,<cf 2>],v:[1.5,nil,true]}}
 *
 * Maps and arrays as in JSON; strings in single quotes, or bare words as keys and for nil, true,
 * false, nan, inf, -inf; integers in their shortest form, numbers with a point or exponent as
 * 64-bit floats. In angle brackets: <cf 5> an integer after that type byte, <ca 1.5> a 32-bit
 * float, <bin 00ff> hexadecimal bytes as bin, <ext -1 5f00> an extension, <raw dc01> bytes as they
 * are, <str 300> a string of that many x. Several values in a row make one body. Aborts on bad
 * notation.
 */
#ifndef TESTS_KIT_PACK_TEXT_H
#define TESTS_KIT_PACK_TEXT_H

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kit/pack.h"

static inline void pack_text_bad(const char *at)
{
    fprintf(stderr, "bad notation at: %s\n", at);
    abort();
}

static inline const char *pack_text_blanks(const char *at)
{
    while (*at == ' ' || *at == ',' || *at == ':')
        at++;
    return at;
}

static inline const char *pack_hex(arka_buf *b, const char *at)
{
    for (at = pack_text_blanks(at); isxdigit((unsigned char)*at); at = pack_text_blanks(at + 2)) {
        unsigned byte;
        if (sscanf(at, "%2x", &byte) != 1)
            pack_text_bad(at);
        arka_buf_byte(b, (char)byte);
    }
    return at;
}

/* An integer behind a given type byte, in as many bytes as that has. */
static inline const char *pack_forced(arka_buf *b, const char *at)
{
    static const int BYTES[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8}; /* ca to d3 */
    char *end;
    int op = (int)strtol(at, &end, 16);
    if (op == 0xca)
        pack_f32(b, strtof(end, &end));
    else if (op == 0xcb)
        pack_f64(b, strtod(end, &end));
    else if (op > 0xcb && op <= 0xd3)
        pack_head(b, op, op < 0xd0 ? strtoull(end, &end, 10) : (uint64_t)strtoll(end, &end, 10),
                  BYTES[op - 0xca]);
    else
        pack_text_bad(at);
    return end;
}

static inline const char *pack_special(arka_buf *b, const char *at)
{
    arka_buf bytes = ARKA_BUF_INIT;
    char *end;
    if (strncmp(at, "bin ", 4) == 0) {
        at = pack_hex(&bytes, at + 4);
        pack_bin(b, bytes.data, bytes.len);
    } else if (strncmp(at, "ext ", 4) == 0) {
        int type = (int)strtol(at + 4, &end, 10);
        at = pack_hex(&bytes, end);
        pack_ext(b, type, bytes.data, bytes.len);
    } else if (strncmp(at, "raw ", 4) == 0) {
        at = pack_hex(b, at + 4);
    } else if (strncmp(at, "str ", 4) == 0) {
        for (long n = strtol(at + 4, &end, 10); n > 0; n--)
            arka_buf_byte(&bytes, 'x');
        at = end;
        pack_text(b, bytes.data, bytes.len);
    } else {
        at = pack_forced(b, at);
    }
    arka_buf_fini(&bytes);
    if (*at != '>')
        pack_text_bad(at);
    return at + 1;
}

static inline const char *pack_number(arka_buf *b, const char *at)
{
    char *end;
    size_t n = strspn(at, "-+0123456789.eE");
    bool is_float = memchr(at, '.', n) != NULL || memchr(at, 'e', n) != NULL;
    if (is_float)
        pack_f64(b, strtod(at, &end));
    else if (*at == '-')
        pack_int(b, strtoll(at, &end, 10));
    else if (strtoull(at, &end, 10) > INT64_MAX)
        pack_u64(b, strtoull(at, &end, 10));
    else
        pack_int(b, strtoll(at, &end, 10));
    if (end != at + n)
        pack_text_bad(at);
    return end;
}

static inline const char *pack_word(arka_buf *b, const char *at)
{
    size_t n = strcspn(at, " ,:[]{}<>'");
    if (n == 0)
        pack_text_bad(at);
    if (strncmp(at, "nil", n) == 0 && n == 3)
        pack_nil(b);
    else if (strncmp(at, "true", n) == 0 && n == 4)
        pack_bool(b, true);
    else if (strncmp(at, "false", n) == 0 && n == 5)
        pack_bool(b, false);
    else if (strncmp(at, "nan", n) == 0 && n == 3)
        pack_f64(b, (double)NAN);
    else if (strncmp(at, "inf", n) == 0 && n == 3)
        pack_f64(b, (double)INFINITY);
    else if (strncmp(at, "-inf", n) == 0 && n == 4)
        pack_f64(b, -(double)INFINITY);
    else
        pack_text(b, at, n);
    return at + n;
}

static inline const char *pack_value(arka_buf *b, const char *at);

static inline const char *pack_container(arka_buf *b, const char *at)
{
    char close = *at == '{' ? '}' : ']';
    arka_buf inside = ARKA_BUF_INIT;
    uint32_t n = 0;
    for (at = pack_text_blanks(at + 1); *at != close; at = pack_text_blanks(at), n++) {
        if (*at == 0)
            pack_text_bad("unclosed container");
        at = pack_value(&inside, at);
    }
    if (close == '}' ? n % 2 != 0 : false)
        pack_text_bad("a map with a key alone");
    close == '}' ? pack_map(b, n / 2) : pack_array(b, n);
    arka_buf_append(b, inside.data, inside.len);
    arka_buf_fini(&inside);
    return at + 1;
}

static inline const char *pack_value(arka_buf *b, const char *at)
{
    if (*at == '{' || *at == '[')
        return pack_container(b, at);
    if (*at == '<')
        return pack_special(b, at + 1);
    if (*at == '\'') {
        size_t n = strcspn(at + 1, "'");
        pack_text(b, at + 1, n);
        return at + n + 2;
    }
    if (isdigit((unsigned char)*at) || (*at == '-' && isdigit((unsigned char)at[1])))
        return pack_number(b, at);
    return pack_word(b, at);
}

static inline void pack_notation(arka_buf *b, const char *text)
{
    for (text = pack_text_blanks(text); *text != 0; text = pack_text_blanks(text))
        text = pack_value(b, text);
}

#endif
