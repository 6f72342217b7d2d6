#include "cli/bench/bench_rows.h"

#include <endian.h>

#include "base/number.h"

const char *const arka_answer_format_names[ARKA_N_ANSWER_FORMATS] = {"json", "arrow", "msgpack",
                                                                     "csv"};

enum { MAX_DEPTH = 32, UNKNOWN = -1 };

/* What an envelope tells, in JSON or MessagePack. */
typedef struct envelope {
    int64_t n_data, row_count; /* UNKNOWN: not there */
} envelope;

typedef struct reader {
    const unsigned char *start, *at, *end;
    const char *format;
} reader;

static arka_status broken(const reader *r, arka_error *err, const char *what)
{
    return arka_fail(err, ARKA_CORRUPT, "%s answer of %zu bytes: %s at byte %zu", r->format,
                     (size_t)(r->end - r->start), what, (size_t)(r->at - r->start));
}

static arka_status settle(const reader *r, const envelope *e, int64_t *out, arka_error *err)
{
    if (r->at != r->end)
        return broken(r, err, "more bytes behind the envelope");
    if (e->n_data == UNKNOWN || e->row_count == UNKNOWN)
        return broken(r, err, "no \"data\" or no \"row_count\" before the end");
    if (e->n_data != e->row_count)
        return arka_fail(err, ARKA_CORRUPT, "%s answer: row_count says %lld, data has %lld rows",
                         r->format, (long long)e->row_count, (long long)e->n_data);
    *out = e->n_data;
    return ARKA_OK;
}

/* JSON: only its shape is looked at, so numbers and words are runs of harmless characters. */

static void skip_blanks(reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at) != NULL && *r->at != 0)
        r->at++;
}

static bool take(reader *r, char c)
{
    skip_blanks(r);
    bool there = r->at < r->end && *r->at == (unsigned char)c;
    r->at += there;
    return there;
}

static arka_status json_string(reader *r, arka_slice *out, arka_error *err)
{
    if (!take(r, '"'))
        return broken(r, err, "expected a string");
    const unsigned char *from = r->at;
    while (r->at < r->end && *r->at != '"')
        r->at += *r->at == '\\' ? 2 : 1;
    if (r->at >= r->end) {
        r->at = r->end;
        return broken(r, err, "string without an end");
    }
    *out = (arka_slice){(const char *)from, (size_t)(r->at - from)};
    r->at++;
    return ARKA_OK;
}

static arka_status json_word(reader *r, arka_slice *out, arka_error *err)
{
    skip_blanks(r);
    const unsigned char *from = r->at;
    while (r->at < r->end && strchr(",]}\" \t\r\n:[{", *r->at) == NULL)
        r->at++;
    *out = (arka_slice){(const char *)from, (size_t)(r->at - from)};
    return out->len ? ARKA_OK : broken(r, err, "expected a value");
}

/* One value; *n_items: how many an array has, UNKNOWN for anything else. */
static arka_status json_value(reader *r, int depth, int64_t *n_items, arka_slice *text,
                              arka_error *err)
{
    arka_slice ignored;
    *n_items = UNKNOWN;
    *text = (arka_slice){NULL, 0};
    skip_blanks(r);
    if (r->at < r->end && *r->at == '"')
        return json_string(r, &ignored, err);
    bool object = take(r, '{');
    if (!object && !take(r, '['))
        return json_word(r, text, err);
    if (depth == MAX_DEPTH)
        return broken(r, err, "nesting too deep");
    char close = object ? '}' : ']';
    int64_t n = 0, inner;
    for (bool more = !take(r, close); more; n++) {
        if (object) {
            ARKA_TRY(json_string(r, &ignored, err));
            if (!take(r, ':'))
                return broken(r, err, "expected ':'");
        }
        ARKA_TRY(json_value(r, depth + 1, &inner, &ignored, err));
        more = take(r, ',');
        if (!more && !take(r, close))
            return broken(r, err, "expected ',' or a closing bracket");
    }
    if (!object)
        *n_items = n;
    return ARKA_OK;
}

static arka_status count_json(reader *r, int64_t *out, arka_error *err)
{
    envelope e = {UNKNOWN, UNKNOWN};
    if (!take(r, '{'))
        return broken(r, err, "expected '{'");
    bool more = !take(r, '}');
    while (more) {
        arka_slice key, text;
        int64_t n_items;
        ARKA_TRY(json_string(r, &key, err));
        if (!take(r, ':'))
            return broken(r, err, "expected ':'");
        ARKA_TRY(json_value(r, 1, &n_items, &text, err));
        if (arka_slice_eq(key, ARKA_SLICE("data")))
            e.n_data = n_items;
        else if (arka_slice_eq(key, ARKA_SLICE("row_count")) &&
                 !arka_parse_i64(text.data, text.len, &e.row_count))
            return broken(r, err, "row_count is not a number");
        more = take(r, ',');
        if (!more && !take(r, '}'))
            return broken(r, err, "expected ',' or '}'");
    }
    skip_blanks(r);
    return settle(r, &e, out, err);
}

/* MessagePack */

typedef enum value_kind { SCALAR, INTEGER, BYTES, ARRAY, MAP } value_kind;

/* The head of a value: what it is, and its number, byte length or item count. */
typedef struct value_head {
    value_kind kind;
    uint64_t n;
} value_head;

static arka_status take_be(reader *r, int n, uint64_t *out, arka_error *err)
{
    if (r->end - r->at < n)
        return broken(r, err, "cut off");
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | *r->at++;
    *out = v;
    return ARKA_OK;
}

static arka_status take_sized(reader *r, value_kind kind, int n_size_bytes, uint64_t more,
                              value_head *out, arka_error *err)
{
    out->kind = kind;
    ARKA_TRY(take_be(r, n_size_bytes, &out->n, err));
    out->n += more;
    return ARKA_OK;
}

/* The MessagePack specification's table of first bytes */
static arka_status take_head(reader *r, value_head *out, arka_error *err)
{
    uint64_t type;
    ARKA_TRY(take_be(r, 1, &type, err));
    *out = (value_head){INTEGER, type};
    if (type < 0x80)
        return ARKA_OK;
    if (type < 0x90)
        *out = (value_head){MAP, type & 15};
    else if (type < 0xa0)
        *out = (value_head){ARRAY, type & 15};
    else if (type < 0xc0)
        *out = (value_head){BYTES, type & 31};
    else if (type >= 0xe0 || type <= 0xc3)
        *out = (value_head){SCALAR, 0};
    else if (type <= 0xc6) /* bin 8, 16, 32 */
        return take_sized(r, BYTES, 1 << (type - 0xc4), 0, out, err);
    else if (type <= 0xc9) /* ext 8, 16, 32: a type byte before the content */
        return take_sized(r, BYTES, 1 << (type - 0xc7), 1, out, err);
    else if (type <= 0xcb) /* float 32, 64 */
        *out = (value_head){BYTES, type == 0xca ? 4 : 8};
    else if (type <= 0xcf) /* uint 8 to 64 */
        return take_sized(r, INTEGER, 1 << (type - 0xcc), 0, out, err);
    else if (type <= 0xd3) /* int 8 to 64 */
        *out = (value_head){BYTES, 1u << (type - 0xd0)};
    else if (type <= 0xd8) /* fixext 1 to 16 */
        *out = (value_head){BYTES, 1 + (1u << (type - 0xd4))};
    else if (type <= 0xdb) /* str 8, 16, 32 */
        return take_sized(r, BYTES, 1 << (type - 0xd9), 0, out, err);
    else if (type <= 0xdd)
        return take_sized(r, ARRAY, type == 0xdc ? 2 : 4, 0, out, err);
    else
        return take_sized(r, MAP, type == 0xde ? 2 : 4, 0, out, err);
    return ARKA_OK;
}

/* The content behind a head; *n_first: items of the first array within, UNKNOWN without one. */
static arka_status skip_content(reader *r, value_head head, int depth, int64_t *n_first,
                                arka_error *err)
{
    *n_first = UNKNOWN;
    if (head.kind == BYTES) {
        if ((uint64_t)(r->end - r->at) < head.n)
            return broken(r, err, "cut off");
        r->at += head.n;
    }
    if (head.kind != ARRAY && head.kind != MAP)
        return ARKA_OK;
    if (depth == MAX_DEPTH)
        return broken(r, err, "nesting too deep");
    for (uint64_t i = 0; i < head.n; i++) {
        for (int part = head.kind == MAP ? 0 : 1; part < 2; part++) {
            value_head item;
            int64_t ignored;
            ARKA_TRY(take_head(r, &item, err));
            if (item.kind == ARRAY && *n_first == UNKNOWN)
                *n_first = (int64_t)item.n;
            ARKA_TRY(skip_content(r, item, depth + 1, &ignored, err));
        }
    }
    return ARKA_OK;
}

static arka_status count_msgpack(reader *r, int64_t *out, arka_error *err)
{
    envelope e = {UNKNOWN, UNKNOWN};
    value_head map, key, value;
    ARKA_TRY(take_head(r, &map, err));
    if (map.kind != MAP)
        return broken(r, err, "expected a map");
    for (uint64_t i = 0; i < map.n; i++) {
        int64_t n_first;
        ARKA_TRY(take_head(r, &key, err));
        arka_slice name = {(const char *)r->at, key.kind == BYTES ? (size_t)key.n : 0};
        ARKA_TRY(skip_content(r, key, 1, &n_first, err));
        ARKA_TRY(take_head(r, &value, err));
        ARKA_TRY(skip_content(r, value, 1, &n_first, err));
        if (arka_slice_eq(name, ARKA_SLICE("data")))
            e.n_data = n_first;
        else if (arka_slice_eq(name, ARKA_SLICE("row_count")) && value.kind == INTEGER)
            e.row_count = (int64_t)value.n;
    }
    return settle(r, &e, out, err);
}

/* Arrow: Message.fbs and the "IPC streaming format" chapter of the columnar specification */

static uint64_t little(const unsigned char *at, int n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | at[n];
    return v;
}

/* Where field `index` of the table at `table` stands; 0 when it is absent; false: outside. */
static bool find_field(arka_slice m, uint64_t table, unsigned index, uint64_t *out)
{
    const unsigned char *bytes = (const unsigned char *)m.data;
    if (table + 4 > m.len)
        return false;
    uint64_t vtable = table - (uint64_t)(int64_t)(int32_t)little(bytes + table, 4);
    if (vtable > m.len || vtable + 4 > m.len)
        return false;
    uint64_t slot = 4 + 2 * (uint64_t)index, size = little(bytes + vtable, 2);
    *out = 0;
    if (slot + 2 > size)
        return true;
    if (vtable + slot + 2 > m.len)
        return false;
    uint64_t offset = little(bytes + vtable + slot, 2);
    *out = offset ? table + offset : 0;
    return *out + 8 <= m.len || offset == 0;
}

/* Rows of a message (0 when it is no record batch) and the length of its body. */
static bool read_message(arka_slice m, uint64_t *rows, uint64_t *n_body)
{
    enum { HEADER_TYPE = 1, HEADER = 2, BODY_LENGTH = 3, RECORD_BATCH = 3, BATCH_LENGTH = 0 };
    const unsigned char *bytes = (const unsigned char *)m.data;
    uint64_t type, header, length, batch_length;
    if (m.len < 8)
        return false;
    uint64_t root = little(bytes, 4);
    if (!find_field(m, root, HEADER_TYPE, &type) || !find_field(m, root, HEADER, &header) ||
        !find_field(m, root, BODY_LENGTH, &length) || type == 0 || header == 0)
        return false;
    *n_body = length ? little(bytes + length, 8) : 0;
    *rows = 0;
    if (bytes[type] != RECORD_BATCH)
        return true;
    if (!find_field(m, header + little(bytes + header, 4), BATCH_LENGTH, &batch_length))
        return false;
    *rows = batch_length ? little(bytes + batch_length, 8) : 0;
    return true;
}

static arka_status count_arrow(reader *r, int64_t *out, arka_error *err)
{
    int64_t n = 0;
    for (;;) {
        uint64_t rows, n_body;
        if (r->end - r->at < 8)
            return broken(r, err, "ends without the end-of-stream marker");
        if (little(r->at, 4) != 0xffffffff)
            return broken(r, err, "expected a message's marker");
        uint64_t n_meta = little(r->at + 4, 4);
        r->at += 8;
        if (n_meta == 0)
            break;
        arka_slice meta = {(const char *)r->at, (size_t)n_meta};
        if (n_meta > (uint64_t)(r->end - r->at) || !read_message(meta, &rows, &n_body) ||
            n_body > (uint64_t)(r->end - r->at) - n_meta || rows > INT64_MAX)
            return broken(r, err, "message cut off or out of bounds");
        n += (int64_t)rows;
        r->at += n_meta + n_body;
    }
    if (r->at != r->end)
        return broken(r, err, "more bytes behind the end of the stream");
    *out = n;
    return ARKA_OK;
}

/* CSV (RFC 4180): line ends inside quotes belong to a field */

static arka_status count_csv(reader *r, int64_t *out, arka_error *err)
{
    int64_t n = 0;
    bool quoted = false;
    for (; r->at < r->end; r->at++) {
        quoted ^= *r->at == '"';
        n += *r->at == '\n' && !quoted;
    }
    if (n == 0 || quoted || r->at[-1] != '\n')
        return broken(r, err, "last record has no end");
    *out = n - 1;
    return ARKA_OK;
}

arka_status arka_answer_count_rows(arka_answer_format format, arka_slice body, int64_t *out,
                                   arka_error *err)
{
    const unsigned char *at = (const unsigned char *)(body.len ? body.data : "");
    reader r = {at, at, at + body.len, arka_answer_format_names[format]};
    switch (format) {
    case ARKA_ANSWER_JSON:
        return count_json(&r, out, err);
    case ARKA_ANSWER_ARROW:
        return count_arrow(&r, out, err);
    case ARKA_ANSWER_MSGPACK:
        return count_msgpack(&r, out, err);
    case ARKA_ANSWER_CSV:
        return count_csv(&r, out, err);
    case ARKA_N_ANSWER_FORMATS:
        break;
    }
    ARKA_CHECK(false, "no answer format %d", (int)format);
    return ARKA_OK;
}
