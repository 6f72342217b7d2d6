#include <inttypes.h>
#include <math.h>

#include "base/civil.h"
#include "base/json.h"
#include "base/number.h"
#include "wire/msgpack_priv.h"
#include "wire/msgpack_time.h"

/* An open array or map of the JSON text. */
typedef struct level {
    uint64_t left; /* values to come; in a map keys count too, and are next when it is even */
    bool map;
    bool begun;
} level;

static arka_status fail_utf8(const char *what, arka_error *err)
{
    return arka_fail(err, ARKA_INPUT, "%s is not UTF-8", what);
}

static void put_time(arka_buf *out, int64_t us)
{
    char text[ARKA_TIME_TEXT];
    arka_buf_append(out, text, arka_format_time(text, us));
}

static void put_u64(arka_buf *out, uint64_t v)
{
    char text[ARKA_NUMBER_TEXT];
    arka_buf_append(out, text, arka_format_u64(text, v));
}

arka_status arka_msgpack__too_large(uint64_t v, arka_error *err)
{
    return arka_fail(err, ARKA_INPUT,
                     "integer %" PRIu64 " does not fit BIGINT (at most 9223372036854775807)", v);
}

static arka_status json_scalar(const arka_msgpack_token *t, arka_buf *out, arka_error *err)
{
    int64_t us;
    switch (t->kind) {
    case ARKA_MSGPACK_NIL:
        arka_buf_literal(out, "null");
        return ARKA_OK;
    case ARKA_MSGPACK_BOOL:
        arka_buf_text(out, t->boolean ? "true" : "false");
        return ARKA_OK;
    case ARKA_MSGPACK_INT:
        arka_json_i64(out, t->i64);
        return ARKA_OK;
    case ARKA_MSGPACK_UINT:
        put_u64(out, t->u64);
        return ARKA_OK;
    case ARKA_MSGPACK_FLOAT:
        arka_json_f64(out, t->f64);
        return ARKA_OK;
    case ARKA_MSGPACK_TEXT:
        if (!arka_utf8_valid(t->bytes.data, t->bytes.len))
            return fail_utf8("string in a nested value", err);
        arka_json_string(out, t->bytes);
        return ARKA_OK;
    case ARKA_MSGPACK_EXT:
        ARKA_TRY(arka_msgpack_timestamp(t, &us, err));
        arka_buf_byte(out, '"');
        put_time(out, us);
        arka_buf_byte(out, '"');
        return ARKA_OK;
    case ARKA_MSGPACK_ARRAY:
    case ARKA_MSGPACK_MAP:
        break;
    }
    return arka_fail(err, ARKA_INTERNAL, "%s is no scalar", arka_msgpack_kind_name(t->kind));
}

/* JSON's keys are strings: other scalars stand in quotes. */
static arka_status json_key(const arka_msgpack_token *t, arka_buf *out, arka_error *err)
{
    if (t->kind == ARKA_MSGPACK_ARRAY || t->kind == ARKA_MSGPACK_MAP)
        return arka_fail(err, ARKA_INPUT, "a key of a nested map is %s, expected a string",
                         arka_msgpack_kind_name(t->kind));
    bool quoted = t->kind == ARKA_MSGPACK_TEXT || t->kind == ARKA_MSGPACK_EXT;
    if (!quoted)
        arka_buf_byte(out, '"');
    ARKA_TRY(json_scalar(t, out, err));
    if (!quoted)
        arka_buf_byte(out, '"');
    return ARKA_OK;
}

static void put_separator(const level *in, arka_buf *out)
{
    if (in->map && in->left % 2 != 0)
        arka_buf_byte(out, ':');
    else if (in->begun)
        arka_buf_byte(out, ',');
}

static arka_status json_nested(arka_msgpack_reader *r, arka_msgpack_token t, int max_depth,
                               arka_buf *out, arka_error *err)
{
    level levels[ARKA_MSGPACK_MAX_DEPTH];
    int depth = 0;
    bool key = false;
    for (;;) {
        if (key) {
            ARKA_TRY(json_key(&t, out, err));
        } else if (t.kind == ARKA_MSGPACK_ARRAY || t.kind == ARKA_MSGPACK_MAP) {
            if (depth == max_depth)
                return arka_fail(err, ARKA_INPUT, "value is nested deeper than %d levels",
                                 max_depth);
            bool map = t.kind == ARKA_MSGPACK_MAP;
            levels[depth++] = (level){map ? 2 * (uint64_t)t.count : t.count, map, false};
            arka_buf_byte(out, map ? '{' : '[');
        } else {
            ARKA_TRY(json_scalar(&t, out, err));
        }
        while (depth > 0 && levels[depth - 1].left == 0)
            arka_buf_byte(out, levels[--depth].map ? '}' : ']');
        if (depth == 0)
            return ARKA_OK;
        level *in = &levels[depth - 1];
        put_separator(in, out);
        key = in->map && in->left % 2 == 0;
        in->begun = true;
        in->left--;
        ARKA_TRY(arka_msgpack_take(r, &t, err));
    }
}

static arka_status plain_text(arka_msgpack_reader *r, const arka_msgpack_token *t, int max_depth,
                              arka_buf *out, bool *null, arka_error *err)
{
    int64_t us;
    switch (t->kind) {
    case ARKA_MSGPACK_NIL:
        *null = true;
        return ARKA_OK;
    case ARKA_MSGPACK_UINT:
        return arka_msgpack__too_large(t->u64, err);
    case ARKA_MSGPACK_FLOAT:
        *null = !isfinite(t->f64);
        return *null ? ARKA_OK : json_scalar(t, out, err);
    case ARKA_MSGPACK_TEXT:
        if (!arka_utf8_valid(t->bytes.data, t->bytes.len))
            return fail_utf8("string", err);
        arka_buf_slice(out, t->bytes);
        return ARKA_OK;
    case ARKA_MSGPACK_EXT:
        ARKA_TRY(arka_msgpack_timestamp(t, &us, err));
        put_time(out, us);
        return ARKA_OK;
    case ARKA_MSGPACK_ARRAY:
    case ARKA_MSGPACK_MAP:
        return json_nested(r, *t, max_depth, out, err);
    case ARKA_MSGPACK_BOOL:
    case ARKA_MSGPACK_INT:
        break;
    }
    return json_scalar(t, out, err);
}

arka_status arka_msgpack__text(arka_msgpack_reader *r, const arka_msgpack_token *t, int max_depth,
                               arka_buf *out, bool *null, arka_error *err)
{
    *null = false;
    ARKA_TRY(plain_text(r, t, max_depth, out, null, err));
    return out->failed ? arka_fail_nomem(err, "a text", out->len) : ARKA_OK;
}
