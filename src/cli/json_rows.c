#include "cli/json_rows.h"

#include "base/json.h"
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

static arka_status read_string(reader *r, arka_slice *out, arka_error *err)
{
    if (!take(r, '"'))
        return broken(r, err);
    const char *from = r->at;
    r->at = arka_json_string_end(from, r->end);
    arka_slice inside = {from, (size_t)(r->at - from)};
    if (!take(r, '"'))
        return broken(r, err);
    *out = inside;
    if (inside.len == 0 || memchr(from, '\\', inside.len) == NULL)
        return ARKA_OK;
    char *text = arka_arena_alloc(&r->out->arena, inside.len);
    if (text == NULL)
        return arka_fail_nomem(err, "a result", inside.len);
    size_t n, good = arka_json_unescape(inside, text, &n);
    if (good < inside.len) {
        r->at = from + good;
        return broken(r, err);
    }
    *out = (arka_slice){text, n};
    return ARKA_OK;
}

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
            r->at = arka_json_string_end(r->at + 1, r->end);
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
