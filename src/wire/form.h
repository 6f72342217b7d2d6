/**
 * Percent-encoding and application/x-www-form-urlencoded, for query strings and form bodies.
 * After the WHATWG URL Standard, sections 1.3 and 5.1. Pure; any thread.
 */
#ifndef ARKA_WIRE_FORM_H
#define ARKA_WIRE_FORM_H

#include "base/arena.h"
#include "base/status.h"

typedef struct arka_form_field {
    arka_slice name, value; /* decoded; any bytes but NUL */
} arka_form_field;

typedef struct arka_form {
    const arka_form_field *fields; /* in the order of the text, repetitions included */
    size_t n;
} arka_form;

enum { ARKA_FORM_MAX_FIELDS = 1000 };

/**
 * Split at '&', then at the first '='. '+' is a blank; a '%' without two hexadecimal digits behind
 * it stands for itself; a field without '=' has an empty value; empty fields are skipped.
 * `out` lives as long as the arena and, where nothing had to be decoded, `text`.
 * ARKA_INPUT: a NUL, coded or not, or more than ARKA_FORM_MAX_FIELDS. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_form_parse(arka_slice text, arka_arena *arena, arka_form *out,
                                          arka_error *err);

/**
 * The first value of that name (names are case-sensitive), as text. Absent and empty are the same
 * to the clients that we know, so both are ARKA_OK with an empty `*out`. ARKA_INPUT: not UTF-8.
 */
ARKA_MUST_USE arka_status arka_form_get(const arka_form *form, const char *name, arka_slice *out,
                                        arka_error *err);

/**
 * The escapes of a path segment alone: "a%2Fb" is "a/b", '+' stays. Rules, life and errors as
 * above, and ARKA_INPUT when the result is not UTF-8.
 */
ARKA_MUST_USE arka_status arka_percent_decode(arka_slice text, arka_arena *arena, arka_slice *out,
                                              arka_error *err);

#endif
