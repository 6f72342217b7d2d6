#include "wire/json.h"

#include <jansson.h>

#include "base/utf8.h"

static json_t *inner(const arka_json *value)
{
    return (json_t *)(uintptr_t)value; /* jansson's getters take no const */
}

static const arka_json *outer(const json_t *value)
{
    return (const arka_json *)value;
}

/*
 * How deep the text nests, counted before the parser recurses over it. Up to the first error both
 * agree on what is a string, and behind it the parser does not go.
 */
static int depth_of(arka_slice text, int enough)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len && deepest < enough; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else
                in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return deepest;
}

/* The parser quotes the text up to the byte that it stopped at, which may be within a character. */
static arka_status refuse(const json_error_t *why, size_t len, arka_error *err)
{
    if (json_error_code(why) == json_error_out_of_memory)
        return arka_fail_nomem(err, "a JSON body", len);
    arka_buf text = ARKA_BUF_INIT;
    arka_utf8_repair(&text, arka_slice_of(why->text));
    const char *readable = arka_buf_cstr(&text);
    arka_status status =
        arka_fail(err, ARKA_INPUT, "the body is not valid JSON at line %d, column %d: %s",
                  why->line, why->column, readable ? readable : "");
    arka_buf_fini(&text);
    return status;
}

arka_status arka_json_parse(arka_slice text, int max_depth, arka_json **out, arka_error *err)
{
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        text = (arka_slice){text.data + 3, text.len - 3};
    if (text.len == 0)
        return arka_fail(err, ARKA_INPUT, "the body is empty, expected JSON");
    if (max_depth == 0)
        max_depth = ARKA_JSON_DEPTH;
    if (depth_of(text, max_depth + 1) > max_depth)
        return arka_fail(err, ARKA_INPUT, "the JSON body nests deeper than %d levels", max_depth);
    json_error_t why;
    json_t *root = json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (root == NULL)
        return refuse(&why, text.len, err);
    *out = (arka_json *)root;
    return ARKA_OK;
}

void arka_json_free(arka_json *root)
{
    json_decref((json_t *)root);
}

arka_json_kind arka_json_kind_of(const arka_json *value)
{
    switch (json_typeof(inner(value))) {
    case JSON_OBJECT:
        return ARKA_JSON_OBJECT;
    case JSON_ARRAY:
        return ARKA_JSON_ARRAY;
    case JSON_STRING:
        return ARKA_JSON_STRING;
    case JSON_INTEGER:
        return ARKA_JSON_INT;
    case JSON_REAL:
        return ARKA_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return ARKA_JSON_BOOL;
    case JSON_NULL:
        break;
    }
    return ARKA_JSON_NULL;
}

const char *arka_json_kind_name(arka_json_kind kind)
{
    switch (kind) {
    case ARKA_JSON_BOOL:
        return "a boolean";
    case ARKA_JSON_INT:
        return "an integer";
    case ARKA_JSON_REAL:
        return "a number with a fraction";
    case ARKA_JSON_STRING:
        return "a string";
    case ARKA_JSON_ARRAY:
        return "an array";
    case ARKA_JSON_OBJECT:
        return "an object";
    case ARKA_JSON_NULL:
        break;
    }
    return "null";
}

arka_slice arka_json_text(const arka_json *value)
{
    const char *text = json_string_value(inner(value));
    return text ? (arka_slice){text, json_string_length(inner(value))} : (arka_slice){"", 0};
}

int64_t arka_json_int(const arka_json *value)
{
    return json_is_true(inner(value)) ? 1 : json_integer_value(inner(value));
}

double arka_json_real(const arka_json *value)
{
    return json_number_value(inner(value));
}

const arka_json *arka_json_get(const arka_json *object, const char *name)
{
    const json_t *value = json_object_get(inner(object), name);
    return json_is_null(value) ? NULL : outer(value);
}

/* The member if it is of that kind; NULL in *out: there is none. */
static arka_status typed(const arka_json *object, const char *name, arka_json_kind kind,
                         const arka_json **out, arka_error *err)
{
    arka_json_kind found = arka_json_kind_of(object);
    if (found != ARKA_JSON_OBJECT)
        return arka_fail(err, ARKA_INPUT, "expected a JSON object with field \"%s\", found %s",
                         name, arka_json_kind_name(found));
    *out = arka_json_get(object, name);
    found = *out ? arka_json_kind_of(*out) : kind;
    if (found != kind)
        return arka_fail(err, ARKA_INPUT, "field \"%s\": expected %s, found %s", name,
                         arka_json_kind_name(kind), arka_json_kind_name(found));
    return ARKA_OK;
}

arka_status arka_json_get_string(const arka_json *object, const char *name, arka_slice *out,
                                 arka_error *err)
{
    const arka_json *value;
    ARKA_TRY(typed(object, name, ARKA_JSON_STRING, &value, err));
    if (value == NULL)
        return ARKA_OK;
    arka_slice text = arka_json_text(value);
    if (memchr(text.data, 0, text.len) != NULL)
        return arka_fail(err, ARKA_INPUT, "field \"%s\" holds a NUL character", name);
    *out = text;
    return ARKA_OK;
}

arka_status arka_json_need_string(const arka_json *object, const char *name, arka_slice *out,
                                  arka_error *err)
{
    arka_slice text = {NULL, 0};
    ARKA_TRY(arka_json_get_string(object, name, &text, err));
    if (text.data == NULL)
        return arka_fail(err, ARKA_INPUT, "field \"%s\" is missing, expected a string", name);
    *out = text;
    return ARKA_OK;
}

arka_status arka_json_get_int(const arka_json *object, const char *name, int64_t *out,
                              arka_error *err)
{
    const arka_json *value;
    ARKA_TRY(typed(object, name, ARKA_JSON_INT, &value, err));
    if (value != NULL)
        *out = json_integer_value(inner(value));
    return ARKA_OK;
}

arka_status arka_json_get_bool(const arka_json *object, const char *name, bool *out,
                               arka_error *err)
{
    const arka_json *value;
    ARKA_TRY(typed(object, name, ARKA_JSON_BOOL, &value, err));
    if (value != NULL)
        *out = json_is_true(inner(value));
    return ARKA_OK;
}

static arka_status get_node(const arka_json *object, const char *name, arka_json_kind kind,
                            const arka_json **out, arka_error *err)
{
    const arka_json *value;
    ARKA_TRY(typed(object, name, kind, &value, err));
    if (value != NULL)
        *out = value;
    return ARKA_OK;
}

arka_status arka_json_get_array(const arka_json *object, const char *name, const arka_json **out,
                                arka_error *err)
{
    return get_node(object, name, ARKA_JSON_ARRAY, out, err);
}

arka_status arka_json_get_object(const arka_json *object, const char *name, const arka_json **out,
                                 arka_error *err)
{
    return get_node(object, name, ARKA_JSON_OBJECT, out, err);
}

size_t arka_json_len(const arka_json *value)
{
    return json_is_array(inner(value)) ? json_array_size(inner(value))
                                       : json_object_size(inner(value));
}

const arka_json *arka_json_at(const arka_json *array, size_t i)
{
    return outer(json_array_get(inner(array), i));
}

bool arka_json_next(const arka_json *object, void **cursor, arka_slice *name,
                    const arka_json **value)
{
    *cursor = *cursor == NULL ? json_object_iter(inner(object))
                              : json_object_iter_next(inner(object), *cursor);
    if (*cursor == NULL)
        return false;
    *name = (arka_slice){json_object_iter_key(*cursor), json_object_iter_key_len(*cursor)};
    *value = outer(json_object_iter_value(*cursor));
    return true;
}
