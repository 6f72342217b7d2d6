/* What "params" of a request binds: {"name": value, …}. */
#include <stdio.h>

#include "base/number.h"
#include "server/influx/influx_run.h"
#include "wire/json.h"

typedef struct binder {
    arka_arena *arena;
    arka_influx_params *list;
} binder;

/* The text is the arena's from here on. */
static arka_status bind_text(binder *b, arka_slice name, int kind, arka_slice text, arka_error *err)
{
    arka_influxql_param param = {.kind = kind};
    const char *kept_name = arka_arena_text(b->arena, name);
    const char *kept = arka_arena_text(b->arena, text);
    param.name = (arka_slice){kept_name, name.len};
    param.text = (arka_slice){kept, text.len};
    return kept_name != NULL && kept != NULL && arka_vec_push(b->list, param)
               ? ARKA_OK
               : arka_fail_nomem(err, "a parameter", text.len);
}

static arka_status bind_number(binder *b, arka_slice name, const arka_json *value, const char *unit,
                               arka_error *err)
{
    char text[ARKA_NUMBER_TEXT + 4];
    bool whole = arka_json_kind_of(value) == ARKA_JSON_INT;
    size_t n = whole ? arka_format_i64(text, arka_json_int(value))
                     : arka_format_f64(text, arka_json_real(value));
    memcpy(text + n, unit, strlen(unit));
    return bind_text(b, name,
                     *unit   ? ARKA_INFLUXQL_PARAM_DURATION
                     : whole ? ARKA_INFLUXQL_PARAM_INTEGER
                             : ARKA_INFLUXQL_PARAM_NUMBER,
                     (arka_slice){text, n + strlen(unit)}, err);
}

static arka_status bind_bad(binder *b, arka_slice name, const char *type, arka_error *err)
{
    char text[100];
    int n = snprintf(text, sizeof text, "unable to bind parameter with type %s", type);
    return bind_text(b, name, ARKA_INFLUXQL_PARAM_BAD, (arka_slice){text, (size_t)n}, err);
}

/* {"regex": "…"} and the like: a value that says what it is. */
static arka_status bind_object(binder *b, arka_slice name, const arka_json *object, arka_error *err)
{
    static const struct {
        const char *word;
        int kind;
    } WORDS[] = {
        {"regex", ARKA_INFLUXQL_PARAM_REGEX},     {"identifier", ARKA_INFLUXQL_PARAM_IDENTIFIER},
        {"string", ARKA_INFLUXQL_PARAM_STRING},   {"duration", ARKA_INFLUXQL_PARAM_DURATION},
        {"integer", ARKA_INFLUXQL_PARAM_INTEGER}, {"float", ARKA_INFLUXQL_PARAM_NUMBER},
        {"boolean", ARKA_INFLUXQL_PARAM_BOOLEAN},
    };
    void *cursor = NULL;
    arka_slice word;
    const arka_json *value;
    if (arka_json_len(object) != 1 || !arka_json_next(object, &cursor, &word, &value))
        return bind_bad(b, name, "object", err);
    arka_json_kind kind = arka_json_kind_of(value);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (!arka_slice_eq(word, arka_slice_of(WORDS[i].word)))
            continue;
        if (kind == ARKA_JSON_STRING && i < 4)
            return bind_text(b, name, WORDS[i].kind, arka_json_text(value), err);
        if (kind == ARKA_JSON_INT && WORDS[i].kind == ARKA_INFLUXQL_PARAM_DURATION)
            return bind_number(b, name, value, "ns", err);
        if ((kind == ARKA_JSON_INT || kind == ARKA_JSON_REAL) && (i == 4 || i == 5))
            return bind_number(b, name, value, "", err);
    }
    return bind_bad(b, name, "object", err);
}

static arka_status bind_value(binder *b, arka_slice name, const arka_json *value, arka_error *err)
{
    bool yes = false;
    switch (arka_json_kind_of(value)) {
    case ARKA_JSON_STRING:
        return bind_text(b, name, ARKA_INFLUXQL_PARAM_STRING, arka_json_text(value), err);
    case ARKA_JSON_INT:
    case ARKA_JSON_REAL:
        return bind_number(b, name, value, "", err);
    case ARKA_JSON_BOOL:
        yes = arka_json_int(value) != 0;
        return bind_text(b, name, ARKA_INFLUXQL_PARAM_BOOLEAN,
                         yes ? ARKA_SLICE("true") : ARKA_SLICE("false"), err);
    case ARKA_JSON_OBJECT:
        return bind_object(b, name, value, err);
    case ARKA_JSON_ARRAY:
        return bind_bad(b, name, "array", err);
    case ARKA_JSON_NULL:
    default:
        return bind_bad(b, name, "null", err);
    }
}

static arka_status bind_all(binder *b, const arka_json *object, arka_error *err)
{
    void *cursor = NULL;
    arka_slice name;
    const arka_json *value;
    if (arka_json_kind_of(object) != ARKA_JSON_OBJECT)
        return arka_fail(err, ARKA_INPUT,
                         "error parsing query parameters: they are %s, expected an object",
                         arka_json_kind_name(arka_json_kind_of(object)));
    while (arka_json_next(object, &cursor, &name, &value))
        ARKA_TRY(bind_value(b, name, value, err));
    return ARKA_OK;
}

arka_status arka_influx_read_params(arka_slice text, arka_arena *arena, arka_influx_params *out,
                                    arka_error *err)
{
    ARKA_AUTO(arka_json) root = NULL;
    binder b = {arena, out};
    if (text.len == 0)
        return ARKA_OK;
    arka_status status = arka_json_parse(text, 0, &root, err);
    if (status != ARKA_OK) {
        arka_error_prefix(err, "error parsing query parameters: ");
        return status;
    }
    return bind_all(&b, root, err);
}
