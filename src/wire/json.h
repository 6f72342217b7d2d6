/**
 * JSON request bodies: an immutable tree with typed getters. RFC 8259; a byte order mark in front
 * is skipped, of duplicate keys the last wins. A tree may be read by any number of threads.
 *
 *     ARKA_AUTO(arka_json) body = NULL;
 *     ARKA_TRY(arka_json_parse(bytes, 0, &body, err));
 *     ARKA_TRY(arka_json_need_string(body, "name", &name, err));
 */
#ifndef ARKA_WIRE_JSON_H
#define ARKA_WIRE_JSON_H

#include "base/slice.h"
#include "base/status.h"

/** A value; members and elements belong to the root, which alone is freed. */
typedef struct arka_json arka_json;

typedef enum arka_json_kind {
    ARKA_JSON_NULL,
    ARKA_JSON_BOOL,
    ARKA_JSON_INT,  /* written without fraction and exponent, fits int64_t */
    ARKA_JSON_REAL, /* any other number; finite */
    ARKA_JSON_STRING,
    ARKA_JSON_ARRAY,
    ARKA_JSON_OBJECT,
} arka_json_kind;

enum { ARKA_JSON_DEPTH = 32 };

/**
 * `max_depth`: objects and arrays inside each other, 0 = ARKA_JSON_DEPTH.
 * ARKA_INPUT with line and column of what is wrong (also for numbers that fit neither int64_t nor
 * double, and for a NUL in a key), or that it nests deeper; ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_json_parse(arka_slice text, int max_depth, arka_json **out,
                                          arka_error *err);
/** NULL is fine. */
void arka_json_free(arka_json *root);
ARKA_CLEANUP(arka_json, arka_json_free)

arka_json_kind arka_json_kind_of(const arka_json *value);
/** "null", "a boolean", "an integer", "a number with a fraction", "a string", "an array", "an
 * object". */
const char *arka_json_kind_name(arka_json_kind kind);

/** The text of a string, which may hold NUL bytes; ends with a NUL that is not counted. Else empty.
 */
arka_slice arka_json_text(const arka_json *value);

/** The number of an integer; 1 of true; 0 for anything else. */
int64_t arka_json_int(const arka_json *value);
/** The number of an integer or another number; 0 for anything else. */
double arka_json_real(const arka_json *value);

/** A member of an object; NULL if it is absent or null, or `object` is no object. */
const arka_json *arka_json_get(const arka_json *object, const char *name);

/**
 * Typed members of `object`. Absent or null: ARKA_OK and `*out` stays as it was, so put the default
 * there first; `need` makes that ARKA_INPUT. Another type, a string with a NUL in it, or `object`
 * being no object: ARKA_INPUT naming the field, what was expected and what was found.
 */
ARKA_MUST_USE arka_status arka_json_get_string(const arka_json *object, const char *name,
                                               arka_slice *out, arka_error *err);
ARKA_MUST_USE arka_status arka_json_need_string(const arka_json *object, const char *name,
                                                arka_slice *out, arka_error *err);
ARKA_MUST_USE arka_status arka_json_get_int(const arka_json *object, const char *name, int64_t *out,
                                            arka_error *err);
ARKA_MUST_USE arka_status arka_json_get_bool(const arka_json *object, const char *name, bool *out,
                                             arka_error *err);
ARKA_MUST_USE arka_status arka_json_get_array(const arka_json *object, const char *name,
                                              const arka_json **out, arka_error *err);
ARKA_MUST_USE arka_status arka_json_get_object(const arka_json *object, const char *name,
                                               const arka_json **out, arka_error *err);

/** Elements of an array or members of an object; 0 for anything else. */
size_t arka_json_len(const arka_json *value);
/** Element `i` of an array, i < len. */
const arka_json *arka_json_at(const arka_json *array, size_t i);
/**
 * Members of an object in the order of the text: start with *cursor = NULL; false at the end.
 * `name` is NUL-terminated.
 */
bool arka_json_next(const arka_json *object, void **cursor, arka_slice *name,
                    const arka_json **value);

#endif
