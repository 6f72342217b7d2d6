#include "msgpack_oracle.h"

#include <math.h>
#include <msgpack.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/civil.h"
#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "columnar/batch.h"
#include "wire/names.h"

enum { LIBRARY_DEPTH = 30 };

/* ---- well-formedness, told twice: by recursion here and by the library ---- */

typedef struct span {
    const uint8_t *at, *end;
    int deepest;
} span;

static bool take(span *s, size_t n)
{
    if ((size_t)(s->end - s->at) < n)
        return false;
    s->at += n;
    return true;
}

static bool number_after(span *s, size_t width, uint64_t *v)
{
    const uint8_t *p = s->at;
    if (!take(s, width))
        return false;
    *v = 0;
    for (size_t i = 0; i < width; i++)
        *v = *v << 8 | p[i];
    return true;
}

static bool value_is_whole(span *s, int depth);

static bool values_are_whole(span *s, uint64_t n, int depth)
{
    if (n > (uint64_t)(s->end - s->at) || depth > 200)
        return depth > 200; /* too deep: not decided, whatever comes */
    for (uint64_t i = 0; i < n; i++)
        if (!value_is_whole(s, depth))
            return false;
    return true;
}

static bool value_is_whole(span *s, int depth)
{
    static const uint8_t FIXED[32] = {1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5,  9, 2,
                                      3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18};
    uint64_t n;
    s->deepest = depth > s->deepest ? depth : s->deepest;
    if (s->at == s->end)
        return false;
    uint8_t op = *s->at;
    if (op < 0x80 || op >= 0xe0)
        return take(s, 1);
    if (op < 0xc0) {
        s->at++;
        return op < 0x90   ? values_are_whole(s, 2 * (uint64_t)(op & 15), depth + 1)
               : op < 0xa0 ? values_are_whole(s, op & 15, depth + 1)
                           : take(s, op & 31);
    }
    if (FIXED[op - 0xc0] != 0)
        return take(s, FIXED[op - 0xc0]);
    s->at++;
    switch (op) {
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return number_after(s, (size_t)1 << (op - 0xc4), &n) && take(s, n);
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return number_after(s, (size_t)1 << (op - 0xc7), &n) && take(s, n + 1);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return number_after(s, (size_t)1 << (op - 0xd9), &n) && take(s, n);
    case 0xdc:
    case 0xdd:
        return number_after(s, (size_t)2 << (op - 0xdc), &n) && values_are_whole(s, n, depth + 1);
    case 0xde:
    case 0xdf:
        return number_after(s, (size_t)2 << (op - 0xde), &n) &&
               values_are_whole(s, 2 * n, depth + 1);
    default:
        return false; /* 0xc1 */
    }
}

/* ---- values ---- */

typedef enum cell_kind { ABSENT, BOOL, INT, FLOAT, TEXT } cell_kind;

typedef struct cell {
    cell_kind kind;
    bool boolean;
    int64_t i64;
    double f64;
    arka_slice text;
} cell;

typedef struct column {
    arka_slice name;
    bool tag;
    cell *cells;
} column;

typedef struct group {
    arka_slice name;
    int64_t member, n_rows;
    int64_t *times;
    column *columns;
    size_t n_columns;
} group;

typedef struct oracle {
    arka_arena arena;
    arka_buf *out;
    group *groups;
    size_t n_groups;
    int64_t n_members, n_bad;
    size_t n_body, most_rows; /* bytes; and what they could hold: a row map takes nine */
    arka_buf refused;
} oracle;

static bool is_text(const msgpack_object *o, arka_slice *text)
{
    if (o->type == MSGPACK_OBJECT_STR)
        *text = (arka_slice){o->via.str.ptr, o->via.str.size};
    else if (o->type == MSGPACK_OBJECT_BIN)
        *text = (arka_slice){o->via.bin.ptr, o->via.bin.size};
    else
        return false;
    return true;
}

static bool is_word(const msgpack_object *o, const char *word)
{
    arka_slice text;
    return is_text(o, &text) && arka_slice_eq(text, arka_slice_of(word));
}

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static bool in_range(__int128 v, int64_t *out)
{
    *out = (int64_t)v;
    return v >= INT64_MIN && v <= INT64_MAX;
}

static bool timestamp_us(const msgpack_object *o, int64_t *us)
{
    const char *p = o->via.ext.ptr;
    uint64_t ns = 0;
    __int128 seconds;
    if (o->type != MSGPACK_OBJECT_EXT || o->via.ext.type != -1)
        return false;
    if (o->via.ext.size == 4) {
        seconds = (__int128)big_endian(p, 4);
    } else if (o->via.ext.size == 8) {
        ns = big_endian(p, 8) >> 34;
        seconds = (__int128)(big_endian(p, 8) & ((UINT64_C(1) << 34) - 1));
    } else if (o->via.ext.size == 12) {
        ns = big_endian(p, 4);
        seconds = (int64_t)big_endian(p + 4, 8);
    } else {
        return false;
    }
    return ns < 1000000000 && in_range(seconds * 1000000 + (__int128)(ns / 1000), us);
}

static bool is_float(const msgpack_object *o)
{
    return o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64;
}

static __int128 integer_of(const msgpack_object *o)
{
    return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? (__int128)o->via.u64 : o->via.i64;
}

static bool is_integer(const msgpack_object *o)
{
    return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER || o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
}

/* The magnitude that says the unit, as an exponent of ten in microseconds; 0 in nothing. */
static double us_per_unit(double magnitude)
{
    return magnitude < 1e10 ? 1e6 : magnitude < 1e13 ? 1e3 : magnitude < 1e16 ? 1 : 1e-3;
}

static double us_per_integer(__int128 v)
{
    v = v < 0 ? -v : v;
    return v < 10000000000ll                   ? 1e6
           : v < 10000000000000ll              ? 1e3
           : v < (__int128)10000000000000000ll ? 1
                                               : 1e-3;
}

/* *unit is 0 until the first number. */
static bool time_us(const msgpack_object *o, double *unit, int64_t *us)
{
    if (is_integer(o)) {
        __int128 v = integer_of(o);
        *unit = *unit != 0 ? *unit : us_per_integer(v);
        if (*unit < 1)
            return in_range((v - (v % 1000 + 1000) % 1000) / 1000, us);
        return in_range(v * (int64_t)*unit, us);
    }
    if (is_float(o)) {
        double v = o->via.f64;
        if (!isfinite(v))
            return false;
        *unit = *unit != 0 ? *unit : us_per_unit(fabs(v));
        v = floor(*unit < 1 ? v / 1000 : v * *unit);
        if (v < -0x1p63 || v >= 0x1p63)
            return false;
        *us = (int64_t)v;
        return true;
    }
    return timestamp_us(o, us);
}

/* ---- cells ---- */

static bool json(const msgpack_object *o, int depth, arka_buf *out);

static bool json_leaf(const msgpack_object *o, arka_buf *out)
{
    arka_slice text;
    int64_t us;
    char time[ARKA_TIME_TEXT];
    if (is_text(o, &text)) {
        arka_json_string(out, text);
        return arka_utf8_valid(text.data, text.len);
    }
    if (o->type == MSGPACK_OBJECT_NIL)
        arka_buf_text(out, "null");
    else if (o->type == MSGPACK_OBJECT_BOOLEAN)
        arka_buf_text(out, o->via.boolean ? "true" : "false");
    else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        arka_buf_printf(out, "%llu", (unsigned long long)o->via.u64);
    else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        arka_buf_printf(out, "%lld", (long long)o->via.i64);
    else if (is_float(o))
        arka_json_f64(out, o->via.f64);
    else if (timestamp_us(o, &us))
        arka_buf_printf(out, "\"%.*s\"", (int)arka_format_time(time, us), time);
    else
        return false;
    return true;
}

static bool json_key(const msgpack_object *o, arka_buf *out)
{
    arka_slice text;
    if (o->type == MSGPACK_OBJECT_ARRAY || o->type == MSGPACK_OBJECT_MAP)
        return false;
    bool quoted = is_text(o, &text) || o->type == MSGPACK_OBJECT_EXT;
    if (!quoted)
        arka_buf_byte(out, '"');
    bool good = json_leaf(o, out);
    if (!quoted)
        arka_buf_byte(out, '"');
    return good;
}

static bool json(const msgpack_object *o, int depth, arka_buf *out)
{
    if (o->type != MSGPACK_OBJECT_ARRAY && o->type != MSGPACK_OBJECT_MAP)
        return json_leaf(o, out);
    if (depth > ORACLE_DEPTH)
        return false;
    bool map = o->type == MSGPACK_OBJECT_MAP;
    uint32_t n = map ? o->via.map.size : o->via.array.size;
    arka_buf_byte(out, map ? '{' : '[');
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            arka_buf_byte(out, ',');
        if (map && !json_key(&o->via.map.ptr[i].key, out))
            return false;
        if (map)
            arka_buf_byte(out, ':');
        if (!json(map ? &o->via.map.ptr[i].val : &o->via.array.ptr[i], depth + 1, out))
            return false;
    }
    arka_buf_byte(out, map ? '}' : ']');
    return true;
}

static bool keep_text(oracle *w, arka_slice text, cell *out)
{
    *out = (cell){.kind = TEXT};
    out->text = (arka_slice){arka_arena_text(&w->arena, text), text.len};
    return arka_utf8_valid(text.data, text.len);
}

static bool made_text(oracle *w, const msgpack_object *o, cell *out)
{
    arka_buf text = ARKA_BUF_INIT;
    int64_t us;
    char time[ARKA_TIME_TEXT];
    bool good = true;
    if (o->type == MSGPACK_OBJECT_EXT && timestamp_us(o, &us))
        arka_buf_append(&text, time, arka_format_time(time, us));
    else
        good = o->type != MSGPACK_OBJECT_EXT && json(o, 1, &text);
    good = good && keep_text(w, (arka_slice){text.data, text.len}, out);
    arka_buf_fini(&text);
    return good;
}

/* A value as it stands, before a column's type is known. False: it makes its record bad. */
static bool cell_of(oracle *w, const msgpack_object *o, cell *out)
{
    arka_slice text;
    *out = (cell){0};
    if (is_text(o, &text))
        return keep_text(w, text, out);
    if (o->type == MSGPACK_OBJECT_NIL)
        return true;
    if (o->type == MSGPACK_OBJECT_BOOLEAN)
        *out = (cell){.kind = BOOL, .boolean = o->via.boolean};
    else if (is_integer(o) && integer_of(o) > INT64_MAX)
        return false;
    else if (is_integer(o))
        *out = (cell){.kind = INT, .i64 = (int64_t)integer_of(o)};
    else if (is_float(o))
        *out = (cell){.kind = FLOAT, .f64 = o->via.f64};
    else
        return made_text(w, o, out);
    return true;
}

static void put_scalar(const cell *c, arka_buf *out)
{
    char text[ARKA_NUMBER_TEXT];
    if (c->kind == BOOL)
        arka_buf_text(out, c->boolean ? "true" : "false");
    else if (c->kind == INT)
        arka_buf_append(out, text, arka_format_i64(text, c->i64));
    else if (isfinite(c->f64))
        arka_buf_append(out, text, arka_format_f64(text, c->f64));
    else
        arka_buf_text(out, isnan(c->f64) ? "nan" : c->f64 > 0 ? "inf" : "-inf");
}

/* A column's type comes from the set of what is in it, whatever the order. */
static void put_cells(const column *c, int64_t n, arka_buf *out)
{
    int64_t of[TEXT + 1] = {0};
    for (int64_t i = 0; i < n; i++)
        of[c->cells[i].kind]++;
    bool numbers = of[INT] + of[FLOAT] > 0;
    bool text = of[TEXT] > 0 || (of[BOOL] > 0 && numbers);
    arka_buf_text(out, text            ? "VARCHAR"
                       : of[BOOL] > 0  ? "BOOLEAN"
                       : of[FLOAT] > 0 ? "DOUBLE"
                                       : "BIGINT");
    for (int64_t i = 0; i < n; i++) {
        cell v = c->cells[i];
        arka_buf_byte(out, ' ');
        if (v.kind == INT && !text && of[FLOAT] > 0)
            v = (cell){.kind = FLOAT, .f64 = (double)v.i64};
        if (v.kind == ABSENT || (text && v.kind == FLOAT && !isfinite(v.f64)))
            arka_buf_text(out, "null");
        else if (v.kind == TEXT)
            arka_json_string(out, v.text);
        else if (text)
            arka_buf_byte(out, '"'), put_scalar(&v, out), arka_buf_byte(out, '"');
        else
            put_scalar(&v, out);
    }
}

/*
 * Row maps are stored as they come: integers that met a float are floats by the time that something
 * else makes the column text. (A columnar column is decoded again, from the integers.)
 */
static void store_in_turn(column *c, int64_t n)
{
    bool whole = true, boolean = false, number = false;
    for (int64_t i = 0; i < n; i++) {
        cell_kind kind = c->cells[i].kind;
        bool text =
            kind == TEXT || (kind == BOOL && number) || ((kind == INT || kind == FLOAT) && boolean);
        for (int64_t k = 0; text && !whole && k < i; k++)
            if (c->cells[k].kind == INT)
                c->cells[k] = (cell){.kind = FLOAT, .f64 = (double)c->cells[k].i64};
        if (text)
            return;
        whole &= kind != FLOAT;
        boolean |= kind == BOOL;
        number |= kind == INT || kind == FLOAT;
    }
}

static bool is_empty(const column *c, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (c->cells[i].kind != ABSENT)
            return false;
    return true;
}

static void put_times(const int64_t *us, int64_t n, arka_buf *out)
{
    arka_buf_text(out, "time TIMESTAMPTZ");
    for (int64_t i = 0; i < n; i++)
        arka_buf_printf(out, " %lld", (long long)us[i]);
}

static void open_write(arka_buf *out, arka_slice name, int64_t member)
{
    arka_buf_printf(out, "%s%.*s@%lld{", out->len ? "\n" : "", ARKA_FMT(name), (long long)member);
}

/* ---- columnar maps ---- */

static bool put_time_column(oracle *w, const msgpack_object_array *a, arka_buf *out)
{
    int64_t *us = arka_arena_alloc(&w->arena, a->size * sizeof *us);
    double unit = 0;
    for (uint32_t i = 0; i < a->size; i++)
        if (!time_us(&a->ptr[i], &unit, &us[i]))
            return false;
    put_times(us, a->size, out);
    return true;
}

static bool put_column(oracle *w, arka_slice name, const msgpack_object_array *a, bool *empty,
                       arka_buf *out)
{
    column c = {.name = name, .cells = arka_arena_zalloc(&w->arena, a->size * sizeof(cell))};
    for (uint32_t i = 0; i < a->size; i++)
        if (!cell_of(w, &a->ptr[i], &c.cells[i]))
            return false;
    *empty = is_empty(&c, a->size);
    if (*empty)
        return true;
    arka_buf_printf(out, "%.*s ", ARKA_FMT(name));
    put_cells(&c, a->size, out);
    return true;
}

static bool columnar(oracle *w, const msgpack_object *columns, arka_buf *out)
{
    const msgpack_object_map *map = &columns->via.map;
    if (columns->type != MSGPACK_OBJECT_MAP || map->size == 0)
        return false;
    arka_slice *names = arka_arena_alloc(&w->arena, map->size * sizeof *names);
    size_t n_names = 0, n_rows = 0;
    bool time = false;
    for (uint32_t i = 0; i < map->size; i++) {
        arka_slice name;
        const msgpack_object *v = &map->ptr[i].val;
        if (!is_text(&map->ptr[i].key, &name) || arka_column_name_check(name, NULL) != ARKA_OK ||
            v->type != MSGPACK_OBJECT_ARRAY || v->via.array.size == 0)
            return false;
        n_rows = i == 0 ? v->via.array.size : n_rows;
        if (v->via.array.size != n_rows)
            return false;
        size_t before = out->len;
        bool empty = false, is_time = arka_name_eq(name, ARKA_SLICE("time"));
        if (i > 0 && n_names > 0)
            arka_buf_text(out, "; ");
        if (is_time ? !put_time_column(w, &v->via.array, out)
                    : !put_column(w, name, &v->via.array, &empty, out))
            return false;
        if (empty) {
            out->len = before;
            continue;
        }
        for (size_t k = 0; k < n_names; k++)
            if (arka_name_eq(names[k], name))
                return false;
        names[n_names++] = name;
        time |= is_time;
    }
    if (time)
        return true;
    int64_t *now = arka_arena_alloc(&w->arena, n_rows * sizeof *now);
    for (size_t i = 0; i < n_rows; i++)
        now[i] = ORACLE_NOW_US;
    arka_buf_text(out, n_names > 0 ? "; " : "");
    put_times(now, (int64_t)n_rows, out);
    return true;
}

/* ---- row maps ---- */

typedef struct entry {
    arka_slice name;
    bool tag;
    cell value;
} entry;

typedef struct entries {
    entry *items;
    size_t n;
} entries;

static const column *find_column(const group *g, arka_slice name)
{
    for (size_t i = 0; i < g->n_columns; i++)
        if (arka_name_eq(g->columns[i].name, name))
            return &g->columns[i];
    return NULL;
}

static const entry *find_entry(const entries *e, arka_slice name)
{
    for (size_t i = 0; i < e->n; i++)
        if (arka_name_eq(e->items[i].name, name))
            return &e->items[i];
    return NULL;
}

static bool add_entry(const group *g, entries *e, arka_slice name, bool tag, cell value)
{
    if (find_entry(e, name) != NULL)
        return false;
    if (find_column(g, name) == NULL &&
        (arka_name_eq(name, ARKA_SLICE("time")) || arka_column_name_check(name, NULL) != ARKA_OK))
        return false;
    e->items[e->n++] = (entry){name, tag, value};
    return true;
}

static bool add_tag(oracle *w, const group *g, entries *e, arka_slice name, const msgpack_object *o)
{
    cell value;
    if (o->type == MSGPACK_OBJECT_NIL || (is_float(o) && !isfinite(o->via.f64)))
        return true;
    if (!cell_of(w, o, &value))
        return false;
    if (value.kind != TEXT) {
        arka_buf text = ARKA_BUF_INIT;
        put_scalar(&value, &text);
        keep_text(w, (arka_slice){text.data, text.len}, &value);
        arka_buf_fini(&text);
    }
    return add_entry(g, e, name, true, value);
}

static bool add_field(oracle *w, const group *g, entries *e, arka_slice name,
                      const msgpack_object *o)
{
    cell value;
    if (o->type == MSGPACK_OBJECT_NIL)
        return true;
    if (!cell_of(w, o, &value))
        return false;
    const column *known = find_column(g, name);
    const entry *here = find_entry(e, name);
    if (known != NULL ? known->tag : here != NULL && here->tag) {
        char *longer = arka_arena_printf(&w->arena, "%.*s_value", ARKA_FMT(name));
        name = (arka_slice){longer, name.len + 6};
    }
    return add_entry(g, e, name, false, value);
}

static bool add_map(oracle *w, const group *g, entries *e, const msgpack_object *o, bool tags)
{
    if (o == NULL || o->type == MSGPACK_OBJECT_NIL)
        return true;
    if (o->type != MSGPACK_OBJECT_MAP)
        return false;
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        arka_slice name;
        if (!is_text(&o->via.map.ptr[i].key, &name))
            return false;
        const msgpack_object *v = &o->via.map.ptr[i].val;
        if (tags ? !add_tag(w, g, e, name, v) : !add_field(w, g, e, name, v))
            return false;
    }
    return true;
}

static bool add_compact(oracle *w, const group *g, entries *e, const msgpack_object *o)
{
    if (o == NULL || o->type == MSGPACK_OBJECT_NIL)
        return true;
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return false;
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        const char *name = arka_arena_printf(&w->arena, "field_%u", i);
        if (!add_field(w, g, e, arka_slice_of(name), &o->via.array.ptr[i]))
            return false;
    }
    return true;
}

static bool add_host(oracle *w, const group *g, entries *e, const msgpack_object *h)
{
    arka_slice text;
    cell value;
    if (h == NULL || h->type == MSGPACK_OBJECT_NIL || find_entry(e, ARKA_SLICE("host")) != NULL)
        return true;
    if (h->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        text = arka_slice_of(
            arka_arena_printf(&w->arena, "host_%llu", (unsigned long long)h->via.u64));
    else if (h->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        text = arka_slice_of(arka_arena_printf(&w->arena, "host_%lld", (long long)h->via.i64));
    else if (!is_text(h, &text))
        return false;
    return keep_text(w, text, &value) && add_entry(g, e, ARKA_SLICE("host"), true, value);
}

static void commit_row(oracle *w, group *g, int64_t us, const entries *e)
{
    for (size_t i = 0; i < e->n; i++) {
        column *c = (column *)(uintptr_t)find_column(g, e->items[i].name);
        if (c == NULL) {
            c = &g->columns[g->n_columns++];
            *c = (column){.name = e->items[i].name, .tag = e->items[i].tag};
            c->cells = arka_arena_zalloc(&w->arena, w->most_rows * sizeof(cell));
        }
        c->cells[g->n_rows] = e->items[i].value;
    }
    g->times[g->n_rows++] = us;
}

static size_t size_of(const msgpack_object *o)
{
    return o == NULL                         ? 0
           : o->type == MSGPACK_OBJECT_MAP   ? o->via.map.size
           : o->type == MSGPACK_OBJECT_ARRAY ? o->via.array.size
                                             : 0;
}

typedef struct keys {
    const msgpack_object *m, *t, *h, *tags, *fields, *f, *columns;
} keys;

static group *group_of(oracle *w, arka_slice name, int64_t member)
{
    for (size_t i = 0; i < w->n_groups; i++)
        if (arka_slice_eq(w->groups[i].name, name))
            return &w->groups[i];
    group *g = &w->groups[w->n_groups++];
    *g = (group){.name = name, .member = member};
    g->times = arka_arena_alloc(&w->arena, w->most_rows * sizeof *g->times);
    g->columns = arka_arena_zalloc(&w->arena, w->n_body * sizeof *g->columns);
    return g;
}

static bool row(oracle *w, arka_slice name, int64_t member, const keys *k)
{
    if (arka_name_check_measurement(name, NULL) != ARKA_OK)
        return false;
    group *g = group_of(w, name, member);
    entries e = {arka_arena_alloc(&w->arena, w->n_body * sizeof(entry)), 0};
    int64_t us = ORACLE_NOW_US;
    double unit = 0;
    if (k->t != NULL && !time_us(k->t, &unit, &us))
        return false;
    if (!add_map(w, g, &e, k->tags, true) || !add_host(w, g, &e, k->h) ||
        !add_map(w, g, &e, k->fields, false) || !add_compact(w, g, &e, k->f))
        return false;
    if (size_of(k->fields) + size_of(k->f) == 0)
        return false;
    commit_row(w, g, us, &e);
    return true;
}

/* ---- the body ---- */

static bool read_keys(const msgpack_object_map *map, keys *k)
{
    struct {
        const char *word;
        const msgpack_object **place;
    } known[] = {{"m", &k->m},       {"t", &k->t},           {"h", &k->h},
                 {"tags", &k->tags}, {"fields", &k->fields}, {"columns", &k->columns},
                 {"f", &k->f}};
    for (uint32_t i = 0; i < map->size; i++)
        for (size_t j = 0; j < sizeof known / sizeof *known; j++)
            if (is_word(&map->ptr[i].key, known[j].word)) {
                if (*known[j].place != NULL)
                    return false;
                *known[j].place = &map->ptr[i].val;
            }
    return true;
}

static bool record(oracle *w, const msgpack_object *o, int64_t member)
{
    keys k = {0};
    arka_slice name;
    if (o->type != MSGPACK_OBJECT_MAP || !read_keys(&o->via.map, &k) || k.m == NULL)
        return false;
    if (is_integer(k.m))
        name = arka_slice_of(
            k.m->type == MSGPACK_OBJECT_POSITIVE_INTEGER
                ? arka_arena_printf(&w->arena, "measurement_%llu", (unsigned long long)k.m->via.u64)
                : arka_arena_printf(&w->arena, "measurement_%lld", (long long)k.m->via.i64));
    else if (!is_text(k.m, &name))
        return false;
    if (k.columns == NULL)
        return row(w, name, member, &k);
    arka_buf text = ARKA_BUF_INIT;
    bool good = columnar(w, k.columns, &text) && arka_name_check_measurement(name, NULL) == ARKA_OK;
    if (good) {
        open_write(w->out, name, member);
        arka_buf_append(w->out, text.data, text.len);
        arka_buf_byte(w->out, '}');
    }
    arka_buf_fini(&text);
    return good;
}

static void member(oracle *w, const msgpack_object *o)
{
    int64_t index = w->n_members++;
    if (record(w, o, index))
        return;
    w->n_bad++;
    if (w->n_bad <= 100)
        arka_buf_printf(&w->refused, "\n!%lld", (long long)index);
}

static void members(oracle *w, const msgpack_object_array *a)
{
    for (uint32_t i = 0; i < a->size; i++)
        member(w, &a->ptr[i]);
}

static bool is_batch(const msgpack_object *o)
{
    static const char *const RECORD_KEYS[] = {"m", "columns", "t", "h", "f", "tags", "fields"};
    for (uint32_t i = 0; o->type == MSGPACK_OBJECT_MAP && i < o->via.map.size; i++) {
        const msgpack_object *key = &o->via.map.ptr[i].key;
        if (is_word(key, "batch"))
            return true;
        for (size_t k = 0; k < sizeof RECORD_KEYS / sizeof *RECORD_KEYS; k++)
            if (is_word(key, RECORD_KEYS[k]))
                return false;
    }
    return false;
}

/* False: the body as a whole is refused. */
static bool object(oracle *w, const msgpack_object *o)
{
    if (is_batch(o)) {
        const msgpack_object *batch = NULL;
        for (uint32_t i = 0; i < o->via.map.size; i++)
            if (is_word(&o->via.map.ptr[i].key, "batch")) {
                if (batch != NULL)
                    return false;
                batch = &o->via.map.ptr[i].val;
            }
        if (batch->type != MSGPACK_OBJECT_ARRAY)
            return false;
        members(w, &batch->via.array);
        return true;
    }
    if (o->type == MSGPACK_OBJECT_ARRAY)
        members(w, &o->via.array);
    else if (o->type == MSGPACK_OBJECT_MAP)
        member(w, o);
    else
        return false;
    return true;
}

static void put_groups(oracle *w)
{
    for (size_t i = 0; i < w->n_groups; i++) {
        const group *g = &w->groups[i];
        if (g->n_rows == 0)
            continue;
        open_write(w->out, g->name, g->member);
        put_times(g->times, g->n_rows, w->out);
        for (size_t k = 0; k < g->n_columns; k++) {
            column *c = &g->columns[k];
            store_in_turn(c, g->n_rows);
            arka_buf_printf(w->out, "; %.*s%s ", ARKA_FMT(c->name), c->tag ? "*" : "");
            put_cells(c, g->n_rows, w->out);
        }
        arka_buf_byte(w->out, '}');
    }
}

static void require(bool ok)
{
    if (!ok)
        abort();
}

static bool objects(oracle *w, const uint8_t *body, size_t n)
{
    msgpack_unpacked u;
    bool good = true;
    msgpack_unpacked_init(&u);
    ARKA_VEC(msgpack_zone *) zones = {0};
    for (size_t at = 0; at < n && good;) {
        /* The library must agree that the body is whole. */
        require(msgpack_unpack_next(&u, (const char *)body, n, &at) == MSGPACK_UNPACK_SUCCESS);
        good = object(w, &u.data);
        /* Names and texts of rows live as long as the objects that they came from. */
        msgpack_zone *zone = msgpack_unpacked_release_zone(&u);
        if (zone != NULL)
            require(arka_vec_push(&zones, zone));
    }
    if (good)
        put_groups(w);
    while (zones.n > 0)
        msgpack_zone_free(zones.items[--zones.n]);
    arka_vec_fini(&zones);
    msgpack_unpacked_destroy(&u);
    return good;
}

bool oracle_outcome(const uint8_t *body, size_t n, arka_buf *out)
{
    span s = {body, body + n, 0};
    bool whole = n > 0;
    while (whole && s.at < s.end)
        whole = value_is_whole(&s, 0);
    if (s.deepest > LIBRARY_DEPTH)
        return false;
    oracle w = {.arena = ARKA_ARENA_INIT, .out = out, .n_body = n + 1, .most_rows = n / 8 + 1};
    w.groups = calloc(n + 1, sizeof *w.groups);
    if (!whole || !objects(&w, body, n) || w.n_bad == w.n_members) {
        arka_buf_clear(out);
        arka_buf_text(out, "INPUT");
    } else if (w.refused.len > 0) {
        arka_buf_append(out, w.refused.data, w.refused.len);
    }
    free(w.groups);
    arka_buf_fini(&w.refused);
    arka_arena_fini(&w.arena);
    return true;
}
