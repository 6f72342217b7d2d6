#include "cli/json_rows.h"

#include "base/number.h"

typedef struct reader {
    const char *begin, *at, *end;
    arka_json_rows *out;
} reader;

enum { MAX_DEPTH = 200 };

static arka_status broken(const reader *r, arka_error *err)
{
    return arka_fail(err, ARKA_CORRUPT, "the answer is not the JSON of a query result (byte %zu)",
                     (size_t)(r->at - r->begin));
}

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

/* Past `c` if it is next. */
static bool take(reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* ---- strings ---- */

static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = (char)(p[i] | 0x20);
        int d = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static size_t put_utf8(char *to, int c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* The code point of an escape \uXXXX at r->at (behind the u), a surrogate pair as one; -1: bad. */
static int take_code_point(reader *r)
{
    int c = r->end - r->at >= 4 ? hex4(r->at) : -1;
    r->at += c >= 0 ? 4 : 0;
    if (c < 0xd800 || c > 0xdfff)
        return c;
    int low = r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u' ? hex4(r->at + 2) : -1;
    if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return 0xfffd; /* half of a pair */
    r->at += 6;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* The rest of a string that has an escape at r->at; `from` is where its text begins. */
static arka_status read_escaped(reader *r, const char *from, arka_slice *out, arka_error *err)
{
    static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
    const char *end = r->at;
    while (end < r->end && *end != '"')
        end += *end == '\\' && end + 1 < r->end ? 2 : 1;
    char *text = arka_arena_alloc(&r->out->arena, (size_t)(end - from));
    if (text == NULL)
        return arka_fail_nomem(err, "a result", (size_t)(end - from));
    size_t n = (size_t)(r->at - from);
    memcpy(text, from, n);
    while (r->at < r->end && *r->at != '"') {
        char c = *r->at++;
        if (c != '\\') {
            text[n++] = c;
            continue;
        }
        char e = r->at < r->end ? *r->at++ : 0;
        const char *found = e ? strchr(FROM, e) : NULL;
        int code = e == 'u' ? take_code_point(r) : found ? TO[found - FROM] : -1;
        if (code < 0)
            return broken(r, err);
        n += put_utf8(text + n, code); /* never longer than its escape */
    }
    *out = (arka_slice){text, n};
    return take(r, '"') ? ARKA_OK : broken(r, err);
}

static arka_status read_string(reader *r, arka_slice *out, arka_error *err)
{
    if (!take(r, '"'))
        return broken(r, err);
    const char *from = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\')
        r->at++;
    if (r->at < r->end && *r->at == '\\')
        return read_escaped(r, from, out, err);
    *out = (arka_slice){from, (size_t)(r->at - from)};
    return take(r, '"') ? ARKA_OK : broken(r, err);
}

/* ---- values ---- */

/* Past one value of any kind; what stands in it is looked at only as far as its end needs. */
static arka_status skip_value(reader *r, arka_error *err)
{
    int depth = 0;
    do {
        skip_space(r);
        if (r->at == r->end)
            return broken(r, err);
        char c = *r->at;
        if (c == '"') {
            for (r->at++; r->at < r->end && *r->at != '"'; r->at++)
                r->at += *r->at == '\\';
            if (!take(r, '"'))
                return broken(r, err);
        } else if (c == '[' || c == '{') {
            r->at++;
            if (++depth > MAX_DEPTH)
                return broken(r, err);
        } else if (c == ']' || c == '}') {
            r->at++;
            depth--;
        } else if (c == ',' || c == ':') {
            r->at++;
        } else {
            while (r->at < r->end && !strchr(",]}: \t\r\n", *r->at))
                r->at++;
        }
        if (depth < 0)
            return broken(r, err);
    } while (depth > 0);
    return ARKA_OK;
}

static arka_status read_cell(reader *r, arka_error *err)
{
    arka_cell cell = {ARKA_CELL_TEXT, {NULL, 0}};
    skip_space(r);
    const char *from = r->at;
    char c = from < r->end ? *from : 0;
    if (c == '"') {
        ARKA_TRY(read_string(r, &cell.text, err));
    } else {
        ARKA_TRY(skip_value(r, err));
        cell.text = (arka_slice){from, (size_t)(r->at - from)};
        cell.kind = c == 'n'                             ? ARKA_CELL_NULL
                    : c == '-' || (c >= '0' && c <= '9') ? ARKA_CELL_NUMBER
                                                         : ARKA_CELL_OTHER;
    }
    return arka_vec_push(&r->out->cells, cell)
               ? ARKA_OK
               : arka_fail_nomem(err, "a result", r->out->cells.n * sizeof cell);
}

/* "[a,b,…]", each element by `each`. */
static arka_status read_array(reader *r, arka_status (*each)(reader *r, arka_error *err),
                              arka_error *err)
{
    if (!take(r, '['))
        return broken(r, err);
    if (take(r, ']'))
        return ARKA_OK;
    do
        ARKA_TRY(each(r, err));
    while (take(r, ','));
    return take(r, ']') ? ARKA_OK : broken(r, err);
}

static arka_status read_column(reader *r, arka_error *err)
{
    arka_slice name;
    ARKA_TRY(read_string(r, &name, err));
    return arka_vec_push(&r->out->columns, name) ? ARKA_OK : arka_fail_nomem(err, "a result", 0);
}

static arka_status read_row(reader *r, arka_error *err)
{
    size_t before = r->out->cells.n;
    ARKA_TRY(read_array(r, read_cell, err));
    r->out->n_rows++;
    return r->out->cells.n - before == r->out->columns.n ? ARKA_OK : broken(r, err);
}

static arka_status read_member(reader *r, arka_error *err)
{
    arka_slice name;
    ARKA_TRY(read_string(r, &name, err));
    if (!take(r, ':'))
        return broken(r, err);
    if (arka_slice_eq(name, ARKA_SLICE("columns")))
        return read_array(r, read_column, err);
    if (arka_slice_eq(name, ARKA_SLICE("data")))
        return read_array(r, read_row, err);
    skip_space(r);
    const char *from = r->at;
    ARKA_TRY(skip_value(r, err));
    if (arka_slice_eq(name, ARKA_SLICE("execution_time_ms")) &&
        !arka_parse_f64(from, (size_t)(r->at - from), &r->out->execution_ms))
        return broken(r, err);
    return ARKA_OK;
}

arka_status arka_json_rows_read(arka_slice json, arka_json_rows *out, arka_error *err)
{
    reader r = {json.data, json.data, json.data + json.len, out};
    out->execution_ms = -1;
    if (!take(&r, '{'))
        return broken(&r, err);
    do
        ARKA_TRY(read_member(&r, err));
    while (take(&r, ','));
    if (!take(&r, '}'))
        return broken(&r, err);
    skip_space(&r);
    return r.at == r.end ? ARKA_OK : broken(&r, err);
}

void arka_json_rows_fini(arka_json_rows *rows)
{
    arka_vec_fini(&rows->columns);
    arka_vec_fini(&rows->cells);
    arka_arena_fini(&rows->arena);
    *rows = (arka_json_rows){0};
}
