/* TOML 1.0.0: lines, keys, tables and what may be said of one twice. */
#include "config/toml.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/map.h"
#include "base/utf8.h"
#include "config/toml_priv.h"

typedef struct reader {
    arka_toml_place p;
    arka_map names; /* id of a table and a key in it -> the value */
    arka_buf name;  /* scratch for such a name */
    uint32_t n_tables, n_sections;
    uint32_t section;              /* the header or inline table that is open */
    arka_toml_value *root, *table; /* … and its table */
} reader;

const char *arka_toml_kind_name(arka_toml_kind kind)
{
    static const char *const NAMES[] = {"a string",    "an integer",  "a float", "a boolean",
                                        "a date-time", "a date-time", "a date",  "a time",
                                        "an array",    "a table"};
    return NAMES[kind];
}

/* ---- the place ---- */

void arka_toml__next_line(arka_toml_place *p)
{
    if (p->at == p->end)
        return;
    p->at += *p->at == '\r' ? 2 : 1;
    p->line++;
    p->line_start = p->column_at = p->at;
    p->column = 1;
}

int arka_toml__column(arka_toml_place *p)
{
    if (p->at < p->column_at) {
        p->column_at = p->line_start;
        p->column = 1;
    }
    for (; p->column_at < p->at; p->column_at++)
        p->column += ((unsigned char)*p->column_at & 0xc0) != 0x80;
    return p->column;
}

arka_status arka_toml__refuse(arka_toml_place *p, arka_error *err, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text[arka_utf8_cut(text, strlen(text), sizeof text)] = 0;
    return arka_fail(err, ARKA_INPUT, "%s:%d:%d: %s", p->file, p->line, arka_toml__column(p), text);
}

arka_status arka_toml__unexpected(arka_toml_place *p, arka_error *err, const char *expected)
{
    if (p->at == p->end)
        return arka_toml__refuse(p, err, "found the end of the text, expected %s", expected);
    if (arka_toml__at_line_end(p))
        return arka_toml__refuse(p, err, "found the end of the line, expected %s", expected);
    unsigned char c = (unsigned char)*p->at;
    if (c < 0x20 || c == 0x7f)
        return arka_toml__refuse(p, err, "found the control character U+%04X, expected %s", c,
                                 expected);
    size_t n = 1;
    while (p->at + n < p->end && ((unsigned char)p->at[n] & 0xc0) == 0x80)
        n++;
    return arka_toml__refuse(p, err, "found '%.*s', expected %s", (int)n, p->at, expected);
}

static void skip_blanks(reader *r)
{
    while (arka_toml__peek(&r->p, 0) == ' ' || arka_toml__peek(&r->p, 0) == '\t')
        r->p.at++;
}

/* A comment, if there is one; the line's end stays. */
static arka_status skip_comment(reader *r, arka_error *err)
{
    if (arka_toml__peek(&r->p, 0) != '#')
        return ARKA_OK;
    for (; !arka_toml__at_line_end(&r->p); r->p.at++) {
        unsigned char c = (unsigned char)*r->p.at;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return arka_toml__unexpected(&r->p, err, "a comment without control characters");
    }
    return ARKA_OK;
}

/* Blanks, a comment, and the line's end. */
static arka_status end_line(reader *r, arka_error *err)
{
    skip_blanks(r);
    ARKA_TRY(skip_comment(r, err));
    if (!arka_toml__at_line_end(&r->p))
        return arka_toml__unexpected(&r->p, err, "the end of the line");
    arka_toml__next_line(&r->p);
    return ARKA_OK;
}

/* Blanks, comments and line ends, as between the parts of an array. */
static arka_status skip_lines(reader *r, arka_error *err)
{
    for (;;) {
        skip_blanks(r);
        ARKA_TRY(skip_comment(r, err));
        if (r->p.at == r->p.end || !arka_toml__at_line_end(&r->p))
            return ARKA_OK;
        arka_toml__next_line(&r->p);
    }
}

/* ---- values and what is in them ---- */

static arka_status new_value(reader *r, arka_toml_kind kind, int depth, arka_toml_value **out,
                             arka_error *err)
{
    if (depth > ARKA_TOML_DEPTH)
        return arka_toml__refuse(&r->p, err,
                                 "found a table or array within %d others, expected "
                                 "fewer",
                                 ARKA_TOML_DEPTH);
    arka_toml_value *v = arka_arena_zalloc(r->p.arena, sizeof *v);
    if (v == NULL)
        return arka_fail_nomem(err, "a configuration value", sizeof *v);
    v->kind = kind;
    v->line = r->p.line;
    v->column = arka_toml__column(&r->p);
    v->mark.depth = (uint8_t)depth;
    if (kind == ARKA_TOML_TABLE)
        v->mark.id = ++r->n_tables;
    *out = v;
    return ARKA_OK;
}

static void append(arka_toml_value *to, arka_toml_value *v)
{
    if (to->last == NULL)
        to->first = v;
    else
        to->last->next = v;
    to->last = v;
    to->n++;
}

static arka_slice name_in(reader *r, const arka_toml_value *table, arka_slice key)
{
    arka_buf_clear(&r->name);
    arka_buf_append(&r->name, &table->mark.id, sizeof table->mark.id);
    arka_buf_slice(&r->name, key);
    return (arka_slice){r->name.data, r->name.len};
}

static arka_status find(reader *r, const arka_toml_value *table, arka_slice key,
                        arka_toml_value **out, arka_error *err)
{
    arka_slice name = name_in(r, table, key);
    if (r->name.failed)
        return arka_fail_nomem(err, "configuration keys", key.len);
    *out = arka_map_get(&r->names, name);
    return ARKA_OK;
}

static arka_status insert(reader *r, arka_toml_value *table, arka_slice key, arka_toml_value *v,
                          arka_error *err)
{
    arka_slice name = name_in(r, table, key);
    if (r->name.failed || !arka_map_put(&r->names, name, v))
        return arka_fail_nomem(err, "configuration keys", key.len);
    v->key = key;
    append(table, v);
    return ARKA_OK;
}

/* ---- keys ---- */

/* A key as it was met: where it began counts for sentences. */
typedef struct part {
    arka_slice key;
    arka_toml_place place;
} part;

typedef struct path {
    part parts[ARKA_TOML_DEPTH];
    int n;
} path;

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static arka_status read_part(reader *r, arka_slice *out, arka_error *err)
{
    arka_toml_place *p = &r->p;
    char c = arka_toml__peek(p, 0);
    if (c == '"' || c == '\'')
        return arka_toml__string(p, false, out, err);
    const char *from = p->at;
    while (p->at < p->end && is_bare(*p->at))
        p->at++;
    if (p->at == from)
        return arka_toml__unexpected(p, err,
                                     "a key: letters, digits, '_' and '-', or a string in quotes");
    *out = (arka_slice){arka_arena_strndup(p->arena, from, (size_t)(p->at - from)),
                        (size_t)(p->at - from)};
    return out->data ? ARKA_OK : arka_fail_nomem(err, "a configuration key", out->len);
}

/* A key, or several with dots between; blanks behind it are passed over. */
static arka_status read_path(reader *r, path *out, arka_error *err)
{
    out->n = 0;
    for (;;) {
        skip_blanks(r);
        if (out->n == ARKA_TOML_DEPTH)
            return arka_toml__refuse(
                &r->p, err, "found a key of more than %d parts, expected fewer", ARKA_TOML_DEPTH);
        part *at = &out->parts[out->n++];
        arka_toml__column(&r->p);
        at->place = r->p;
        ARKA_TRY(read_part(r, &at->key, err));
        skip_blanks(r);
        if (arka_toml__peek(&r->p, 0) != '.')
            return ARKA_OK;
        r->p.at++;
    }
}

static arka_status comes_twice(part *at, const arka_toml_value *first, arka_error *err)
{
    return arka_toml__refuse(&at->place, err,
                             "found '%.*s' again, expected a key that is new: line %d has it "
                             "already",
                             at->key.len > 100 ? 100 : (int)at->key.len, at->key.data, first->line);
}

static arka_status not_open(part *at, const arka_toml_value *v, arka_error *err)
{
    return arka_toml__refuse(&at->place, err,
                             "found '%.*s', which is %s of line %d, expected a table that can get "
                             "more",
                             at->key.len > 100 ? 100 : (int)at->key.len, at->key.data,
                             v->kind == ARKA_TOML_TABLE && v->mark.closed ? "an inline table"
                             : v->kind == ARKA_TOML_TABLE                 ? "a table"
                                                          : arka_toml_kind_name(v->kind),
                             v->line);
}

/* The table that a part of a header names on its way; made when it is not there. */
static arka_status step_header(reader *r, arka_toml_value **table, part *at, arka_error *err)
{
    arka_toml_value *v;
    ARKA_TRY(find(r, *table, at->key, &v, err));
    if (v == NULL) {
        ARKA_TRY(new_value(r, ARKA_TOML_TABLE, (*table)->mark.depth + 1, &v, err));
        v->column = arka_toml__column(&at->place);
        ARKA_TRY(insert(r, *table, at->key, v, err));
    }
    if ((v->kind != ARKA_TOML_TABLE && v->kind != ARKA_TOML_ARRAY) || v->mark.closed)
        return not_open(at, v, err);
    *table = v->kind == ARKA_TOML_ARRAY ? v->last : v;
    return ARKA_OK;
}

/* The same for a part of a dotted key: only tables that this section's keys have made get more. */
static arka_status step_dots(reader *r, arka_toml_value **table, part *at, arka_error *err)
{
    arka_toml_value *v;
    ARKA_TRY(find(r, *table, at->key, &v, err));
    if (v == NULL) {
        ARKA_TRY(new_value(r, ARKA_TOML_TABLE, (*table)->mark.depth + 1, &v, err));
        v->column = arka_toml__column(&at->place);
        ARKA_TRY(insert(r, *table, at->key, v, err));
    } else if (v->kind != ARKA_TOML_TABLE || v->mark.closed || v->mark.by_header ||
               (v->mark.by_dots && v->mark.section != r->section)) {
        return not_open(at, v, err);
    }
    v->mark.by_dots = true;
    v->mark.section = r->section;
    *table = v;
    return ARKA_OK;
}

/* ---- values ---- */

static arka_status read_value(reader *r, int depth, arka_toml_value **out, arka_error *err);

static arka_status read_array(reader *r, arka_toml_value *array, arka_error *err)
{
    r->p.at++;
    array->mark.closed = true;
    for (;;) {
        ARKA_TRY(skip_lines(r, err));
        if (arka_toml__peek(&r->p, 0) == ']')
            break;
        arka_toml_value *v;
        ARKA_TRY(read_value(r, array->mark.depth + 1, &v, err));
        append(array, v);
        ARKA_TRY(skip_lines(r, err));
        char c = arka_toml__peek(&r->p, 0);
        if (c != ',' && c != ']')
            return arka_toml__unexpected(&r->p, err, "',' or the array's closing ']'");
        if (c == ']')
            break;
        r->p.at++;
    }
    r->p.at++;
    return ARKA_OK;
}

static arka_status read_pair(reader *r, arka_toml_value *table, arka_error *err);

static arka_status read_inline_pairs(reader *r, arka_toml_value *table, arka_error *err)
{
    skip_blanks(r);
    if (arka_toml__peek(&r->p, 0) == '}')
        return ARKA_OK;
    for (;;) {
        ARKA_TRY(read_pair(r, table, err));
        skip_blanks(r);
        char c = arka_toml__peek(&r->p, 0);
        if (c != ',' && c != '}')
            return arka_toml__unexpected(&r->p, err, "',' or the inline table's closing '}'");
        if (c == '}')
            return ARKA_OK;
        r->p.at++;
    }
}

static arka_status read_inline(reader *r, arka_toml_value *table, arka_error *err)
{
    uint32_t outer = r->section;
    r->section = ++r->n_sections;
    r->p.at++;
    arka_status status = read_inline_pairs(r, table, err);
    r->section = outer;
    ARKA_TRY(status);
    r->p.at++;
    table->mark.closed = true;
    return ARKA_OK;
}

static arka_status read_value(reader *r, int depth, arka_toml_value **out, arka_error *err)
{
    char c = arka_toml__peek(&r->p, 0);
    arka_toml_kind kind = c == '['   ? ARKA_TOML_ARRAY
                          : c == '{' ? ARKA_TOML_TABLE
                                     : ARKA_TOML_STRING;
    arka_toml_value *v;
    ARKA_TRY(new_value(r, kind, depth, &v, err));
    *out = v;
    if (c == '[')
        return read_array(r, v, err);
    if (c == '{')
        return read_inline(r, v, err);
    if (c == '"' || c == '\'')
        return arka_toml__string(&r->p, true, &v->text, err);
    return arka_toml__scalar(&r->p, v, err);
}

/* key = value, into `table` */
static arka_status read_pair(reader *r, arka_toml_value *table, arka_error *err)
{
    path keys;
    arka_toml_value *v;
    ARKA_TRY(read_path(r, &keys, err));
    if (arka_toml__peek(&r->p, 0) != '=')
        return arka_toml__unexpected(&r->p, err, "'=' after the key");
    r->p.at++;
    skip_blanks(r);
    for (int i = 0; i + 1 < keys.n; i++)
        ARKA_TRY(step_dots(r, &table, &keys.parts[i], err));
    part *last = &keys.parts[keys.n - 1];
    ARKA_TRY(find(r, table, last->key, &v, err));
    if (v != NULL)
        return comes_twice(last, v, err);
    ARKA_TRY(read_value(r, table->mark.depth + 1, &v, err));
    v->line = last->place.line;
    v->column = arka_toml__column(&last->place);
    return insert(r, table, last->key, v, err);
}

/* ---- headers ---- */

static arka_status open_table(reader *r, arka_toml_value *in, part *at, arka_error *err)
{
    arka_toml_value *v;
    ARKA_TRY(find(r, in, at->key, &v, err));
    if (v == NULL) {
        ARKA_TRY(new_value(r, ARKA_TOML_TABLE, in->mark.depth + 1, &v, err));
        ARKA_TRY(insert(r, in, at->key, v, err));
    } else if (v->kind != ARKA_TOML_TABLE || v->mark.closed || v->mark.by_header ||
               v->mark.by_dots) {
        return comes_twice(at, v, err);
    }
    v->line = at->place.line;
    v->column = arka_toml__column(&at->place);
    v->mark.by_header = true;
    r->table = v;
    return ARKA_OK;
}

static arka_status open_element(reader *r, arka_toml_value *in, part *at, arka_error *err)
{
    arka_toml_value *array, *v;
    ARKA_TRY(find(r, in, at->key, &array, err));
    if (array == NULL) {
        ARKA_TRY(new_value(r, ARKA_TOML_ARRAY, in->mark.depth + 1, &array, err));
        array->line = at->place.line;
        array->column = arka_toml__column(&at->place);
        ARKA_TRY(insert(r, in, at->key, array, err));
    } else if (array->kind != ARKA_TOML_ARRAY || array->mark.closed) {
        return comes_twice(at, array, err);
    }
    array->mark.by_header = true;
    ARKA_TRY(new_value(r, ARKA_TOML_TABLE, in->mark.depth + 2, &v, err));
    v->line = at->place.line;
    v->column = arka_toml__column(&at->place);
    v->mark.by_header = true;
    append(array, v);
    r->table = v;
    return ARKA_OK;
}

/* [a.b] or [[a.b]] */
static arka_status read_header(reader *r, arka_error *err)
{
    path keys;
    bool element = arka_toml__peek(&r->p, 1) == '[';
    arka_toml_value *in = r->root;
    r->p.at += element ? 2 : 1;
    ARKA_TRY(read_path(r, &keys, err));
    if (arka_toml__peek(&r->p, 0) != ']' || (element && arka_toml__peek(&r->p, 1) != ']'))
        return arka_toml__unexpected(&r->p, err,
                                     element ? "']]' after the name of an array of tables"
                                             : "']' after the table's name");
    for (int i = 0; i + 1 < keys.n; i++)
        ARKA_TRY(step_header(r, &in, &keys.parts[i], err));
    part *last = &keys.parts[keys.n - 1];
    ARKA_TRY(element ? open_element(r, in, last, err) : open_table(r, in, last, err));
    r->p.at += element ? 2 : 1;
    r->section = ++r->n_sections;
    return ARKA_OK;
}

static arka_status read_lines(reader *r, arka_error *err)
{
    while (r->p.at < r->p.end) {
        skip_blanks(r);
        char c = arka_toml__peek(&r->p, 0);
        if (c == '[')
            ARKA_TRY(read_header(r, err));
        else if (c != '#' && !arka_toml__at_line_end(&r->p))
            ARKA_TRY(read_pair(r, r->table, err));
        ARKA_TRY(end_line(r, err));
    }
    return ARKA_OK;
}

/* ---- the whole ---- */

static arka_status check_bytes(reader *r, arka_error *err)
{
    size_t len = (size_t)(r->p.end - r->p.at);
    size_t good = arka_utf8_check(r->p.at, len);
    const char *nul = memchr(r->p.at, 0, good);
    if (nul == NULL && good == len)
        return ARKA_OK;
    const char *bad = nul ? nul : r->p.at + good;
    while (r->p.at < bad)
        if (*r->p.at == '\n')
            arka_toml__next_line(&r->p);
        else
            r->p.at++;
    return arka_toml__refuse(&r->p, err, "found the byte 0x%02x, expected text in UTF-8",
                             (unsigned)(unsigned char)*bad);
}

static arka_status parse(reader *r, arka_toml_value **out, arka_error *err)
{
    static const char BOM[] = "\xef\xbb\xbf";
    ARKA_TRY(check_bytes(r, err));
    if (r->p.end - r->p.at >= 3 && memcmp(r->p.at, BOM, 3) == 0)
        r->p.line_start = r->p.column_at = r->p.at += 3;
    ARKA_TRY(new_value(r, ARKA_TOML_TABLE, 0, &r->root, err));
    r->root->mark.by_header = true;
    r->table = r->root;
    ARKA_TRY(read_lines(r, err));
    *out = r->root;
    return ARKA_OK;
}

arka_status arka_toml_parse(arka_slice text, const char *file, arka_arena *arena,
                            arka_toml_value **out, arka_error *err)
{
    static const char EMPTY[] = "";
    const char *from = text.len > 0 ? text.data : EMPTY;
    reader r = {.p = {.at = from,
                      .end = from + text.len,
                      .file = file,
                      .arena = arena,
                      .line = 1,
                      .line_start = from,
                      .column_at = from,
                      .column = 1}};
    arka_status status = parse(&r, out, err);
    arka_map_fini(&r.names);
    arka_buf_fini(&r.name);
    return status;
}
