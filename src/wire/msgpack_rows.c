#include <inttypes.h>
#include <math.h>

#include "base/number.h"
#include "wire/msgpack_priv.h"
#include "wire/msgpack_time.h"

/*
 * A row map is read in two steps: all of it is checked and its values noted down, then they are
 * put. So a refused row map leaves no trace, not even a column, and a put fails for want of memory
 * only: the columns have no type given, so whatever comes they can become text.
 */
typedef struct row {
    arka_msgpack_decoder *dec;
    arka_msgpack_group *group;
    int guess; /* the column that came next last time */
    int n_new; /* columns that the group has not */
} row;

static arka_msgpack_reader reader_at(const arka_msgpack_decoder *dec, const uint8_t *at)
{
    return (arka_msgpack_reader){at, dec->in.end, dec->in.begin};
}

/* Where a name stands: among the group's columns, or among those that this row map would add. */
typedef struct standing {
    int column;    /* -1: not in the group */
    intptr_t cell; /* index + 1 of the one that would add it; 0: none */
} standing;

static standing look_up(const row *w, arka_slice name)
{
    char key[ARKA_MSGPACK_MAX_NAME];
    standing s = {arka_rows_find(w->group->rows, name, w->guess), 0};
    if (s.column < 0 && w->n_new > 0 && name.len <= sizeof key) {
        arka_name_fold(name, key);
        s.cell = (intptr_t)arka_map_get(&w->dec->new_names, (arka_slice){key, name.len});
    }
    return s;
}

/* Has this row map a value for it? */
static bool is_taken(const row *w, standing s)
{
    const arka_msgpack_group *g = w->group;
    return s.column >= 0 ? g->seen.items[s.column] == g->attempt : s.cell != 0;
}

/* Is it a tag, of this row map or of an earlier one? */
static bool is_tag(const row *w, standing s)
{
    return s.column >= 0 ? arka_rows_is_tag(w->group->rows, s.column)
                         : s.cell != 0 && w->dec->cells.items[s.cell - 1].tag;
}

static arka_status add_new(row *w, arka_slice name, arka_msgpack_cell *cell, arka_error *err)
{
    char key[ARKA_MSGPACK_MAX_NAME];
    if (arka_name_eq(name, ARKA_SLICE(ARKA_TIME_COLUMN)))
        return arka_fail(err, ARKA_INPUT, "'time' may not be the name of a tag or a field");
    ARKA_TRY(arka_column_name_check(name, err));
    arka_name_fold(name, key);
    arka_buf *made = &w->dec->text;
    cell->column = -1;
    cell->name_at = made->len;
    cell->name_len = name.len;
    arka_buf_slice(made, name);
    if (made->failed || !arka_map_put(&w->dec->new_names, (arka_slice){key, name.len},
                                      (void *)(intptr_t)(w->dec->cells.n + 1)))
        return arka_fail_nomem(err, "a column", name.len);
    w->n_new++;
    return ARKA_OK;
}

/* Begin the cell of column `name`, which the next note_… completes. */
static arka_status claim(row *w, arka_slice name, standing s, bool tag, arka_msgpack_cell *cell,
                         arka_error *err)
{
    cell->column = s.column;
    cell->tag = tag;
    if (is_taken(w, s))
        return arka_fail(err, ARKA_INPUT, "column '%.*s' is there twice",
                         ARKA_FMT(arka_msgpack__shown(name)));
    if (s.column < 0)
        return add_new(w, name, cell, err);
    w->group->seen.items[s.column] = w->group->attempt;
    w->guess = s.column + 1;
    return ARKA_OK;
}

/* A field that is called like a tag is stored as name_value. */
static arka_status claim_field(row *w, arka_slice name, arka_msgpack_cell *cell, arka_error *err)
{
    static const char SUFFIX[] = "_value";
    standing s = look_up(w, name);
    if (!is_tag(w, s))
        return claim(w, name, s, false, cell, err);
    /* There is a column of that name, so it is not too long. */
    char longer[ARKA_MSGPACK_MAX_NAME + sizeof SUFFIX];
    memcpy(longer, name.data, name.len);
    memcpy(longer + name.len, SUFFIX, sizeof SUFFIX - 1);
    name = (arka_slice){longer, name.len + sizeof SUFFIX - 1};
    return claim(w, name, look_up(w, name), false, cell, err);
}

static arka_status note_cell(row *w, const arka_msgpack_cell *cell, arka_error *err)
{
    if (!arka_vec_push(&w->dec->cells, *cell))
        return arka_fail_nomem(err, "a row", sizeof *cell);
    return ARKA_OK;
}

/* Text of whatever token; `r` moves past a nested one. */
static arka_status note_as_text(row *w, arka_msgpack_reader *r, const arka_msgpack_token *t,
                                arka_msgpack_cell *cell, arka_error *err)
{
    arka_buf *made = &w->dec->text;
    bool null;
    cell->kind = ARKA_MSGPACK_TEXT;
    cell->text = (arka_slice){NULL, 0};
    cell->text_at = made->len;
    ARKA_TRY(arka_msgpack__text(r, t, w->dec->options.max_depth, made, &null, err));
    cell->text.len = made->len - cell->text_at;
    return note_cell(w, cell, err);
}

static arka_status note_string(row *w, arka_slice text, arka_msgpack_cell *cell, arka_error *err)
{
    if (!arka_utf8_valid(text.data, text.len))
        return arka_fail(err, ARKA_INPUT, "string is not UTF-8");
    cell->kind = ARKA_MSGPACK_TEXT;
    cell->text = text;
    return note_cell(w, cell, err);
}

static arka_status note_value(row *w, arka_msgpack_reader *r, const arka_msgpack_token *t,
                              arka_msgpack_cell *cell, arka_error *err)
{
    cell->kind = t->kind;
    switch (t->kind) {
    case ARKA_MSGPACK_BOOL:
        cell->boolean = t->boolean;
        return note_cell(w, cell, err);
    case ARKA_MSGPACK_INT:
        cell->i64 = t->i64;
        return note_cell(w, cell, err);
    case ARKA_MSGPACK_FLOAT:
        cell->f64 = t->f64;
        return note_cell(w, cell, err);
    case ARKA_MSGPACK_TEXT:
        return note_string(w, t->bytes, cell, err);
    case ARKA_MSGPACK_NIL:
    case ARKA_MSGPACK_UINT:
    case ARKA_MSGPACK_ARRAY:
    case ARKA_MSGPACK_MAP:
    case ARKA_MSGPACK_EXT:
        break;
    }
    return note_as_text(w, r, t, cell, err);
}

/* One entry of `tags` or `fields`; what is null is as good as no entry. */
static arka_status read_entry(row *w, arka_msgpack_reader *r, arka_slice name, bool tag,
                              arka_error *err)
{
    arka_msgpack_token t;
    arka_msgpack_cell cell;
    ARKA_TRY(arka_msgpack_take(r, &t, err));
    if (t.kind == ARKA_MSGPACK_NIL || (tag && t.kind == ARKA_MSGPACK_FLOAT && !isfinite(t.f64)))
        return ARKA_OK;
    if (tag)
        ARKA_TRY(claim(w, name, look_up(w, name), true, &cell, err));
    else
        ARKA_TRY(claim_field(w, name, &cell, err));
    arka_status status = !tag                          ? note_value(w, r, &t, &cell, err)
                         : t.kind == ARKA_MSGPACK_TEXT ? note_string(w, t.bytes, &cell, err)
                                                       : note_as_text(w, r, &t, &cell, err);
    if (status == ARKA_INPUT)
        arka_error_prefix(err, "%s '%.*s': ", tag ? "tag" : "field",
                          ARKA_FMT(arka_msgpack__shown(name)));
    return status;
}

static arka_status read_entries(row *w, const uint8_t *at, bool tags, uint32_t *n, arka_error *err)
{
    arka_msgpack_reader r = reader_at(w->dec, at);
    arka_msgpack_token map, name;
    ARKA_TRY(arka_msgpack_take(&r, &map, err));
    if (map.kind == ARKA_MSGPACK_NIL)
        return ARKA_OK;
    if (map.kind != ARKA_MSGPACK_MAP)
        return arka_fail(err, ARKA_INPUT, "'%s' is %s, expected a map", tags ? "tags" : "fields",
                         arka_msgpack_kind_name(map.kind));
    for (uint32_t i = 0; i < map.count; i++) {
        ARKA_TRY(arka_msgpack_take(&r, &name, err));
        if (name.kind != ARKA_MSGPACK_TEXT)
            return arka_fail(err, ARKA_INPUT, "a name in '%s' is %s, expected a string",
                             tags ? "tags" : "fields", arka_msgpack_kind_name(name.kind));
        ARKA_TRY(read_entry(w, &r, name.bytes, tags, err));
    }
    *n += map.count;
    return ARKA_OK;
}

/* `f`: values alone, which become field_0, field_1, … */
static arka_status read_compact(row *w, const uint8_t *at, uint32_t *n, arka_error *err)
{
    arka_msgpack_reader r = reader_at(w->dec, at);
    arka_msgpack_token array;
    ARKA_TRY(arka_msgpack_take(&r, &array, err));
    if (array.kind == ARKA_MSGPACK_NIL)
        return ARKA_OK;
    if (array.kind != ARKA_MSGPACK_ARRAY)
        return arka_fail(err, ARKA_INPUT, "'f' is %s, expected an array",
                         arka_msgpack_kind_name(array.kind));
    char name[6 + ARKA_NUMBER_TEXT] = "field_";
    for (uint32_t i = 0; i < array.count; i++)
        ARKA_TRY(
            read_entry(w, &r, (arka_slice){name, 6 + arka_format_u64(name + 6, i)}, false, err));
    *n += array.count;
    return ARKA_OK;
}

static arka_status note_host_number(row *w, const arka_msgpack_token *t, arka_msgpack_cell *cell,
                                    arka_error *err)
{
    arka_buf *made = &w->dec->text;
    cell->kind = ARKA_MSGPACK_TEXT;
    cell->text = (arka_slice){NULL, 0};
    cell->text_at = made->len;
    if (t->kind == ARKA_MSGPACK_INT)
        arka_buf_printf(made, "host_%" PRId64, t->i64);
    else
        arka_buf_printf(made, "host_%" PRIu64, t->u64);
    cell->text.len = made->len - cell->text_at;
    return made->failed ? arka_fail_nomem(err, "a text", made->len) : note_cell(w, cell, err);
}

/* `h` becomes the tag host, unless `tags` has one. */
static arka_status read_host(row *w, const uint8_t *at, arka_error *err)
{
    arka_msgpack_reader r = reader_at(w->dec, at);
    arka_msgpack_token t;
    arka_msgpack_cell cell;
    arka_slice name = ARKA_SLICE("host");
    ARKA_TRY(arka_msgpack_take(&r, &t, err));
    standing s = look_up(w, name);
    if (t.kind == ARKA_MSGPACK_NIL || is_taken(w, s))
        return ARKA_OK;
    if (t.kind != ARKA_MSGPACK_TEXT && t.kind != ARKA_MSGPACK_INT && t.kind != ARKA_MSGPACK_UINT)
        return arka_fail(err, ARKA_INPUT, "'h' is %s, expected a string or an integer",
                         arka_msgpack_kind_name(t.kind));
    ARKA_TRY(claim(w, name, s, true, &cell, err));
    if (t.kind != ARKA_MSGPACK_TEXT)
        return note_host_number(w, &t, &cell, err);
    arka_status status = note_string(w, t.bytes, &cell, err);
    if (status == ARKA_INPUT)
        arka_error_prefix(err, "'h': ");
    return status;
}

static arka_status read_time(row *w, const uint8_t *at, int64_t *us, arka_error *err)
{
    arka_msgpack_reader r = reader_at(w->dec, at);
    arka_msgpack_token t;
    arka_msgpack_unit unit = ARKA_MSGPACK_UNIT_OPEN;
    ARKA_TRY(arka_msgpack_take(&r, &t, err));
    arka_status status = arka_msgpack_time(&t, &unit, us, err);
    if (status == ARKA_INPUT)
        arka_error_prefix(err, "'t': ");
    return status;
}

static arka_status read_values(row *w, const arka_msgpack_record *record, arka_error *err)
{
    uint32_t n_tags = 0, n_fields = 0;
    if (record->tags != NULL)
        ARKA_TRY(read_entries(w, record->tags, true, &n_tags, err));
    if (record->h != NULL)
        ARKA_TRY(read_host(w, record->h, err));
    if (record->fields != NULL)
        ARKA_TRY(read_entries(w, record->fields, false, &n_fields, err));
    if (record->f != NULL)
        ARKA_TRY(read_compact(w, record->f, &n_fields, err));
    if (n_fields == 0)
        return arka_fail(err, ARKA_INPUT, "record has no fields");
    return ARKA_OK;
}

static arka_put put_value(row *w, int column, const arka_msgpack_cell *cell)
{
    arka_rows *rows = w->group->rows;
    if (cell->kind == ARKA_MSGPACK_FLOAT)
        return arka_rows_put_f64(rows, column, cell->f64);
    if (cell->kind == ARKA_MSGPACK_INT)
        return arka_rows_put_i64(rows, column, cell->i64);
    if (cell->kind == ARKA_MSGPACK_BOOL)
        return arka_rows_put_bool(rows, column, cell->boolean);
    arka_slice text = cell->text;
    if (text.data == NULL)
        text.data = w->dec->text.data + cell->text_at;
    return arka_rows_put_text(rows, column, text);
}

static arka_status put_cell(row *w, const arka_msgpack_cell *cell, arka_error *err)
{
    int column = cell->column;
    if (column < 0) {
        arka_slice name = {w->dec->text.data + cell->name_at, cell->name_len};
        column = arka_rows_column(w->group->rows, name, cell->tag, ARKA_TYPE_NONE, -1, err);
        if (column < 0 || !arka_vec_push(&w->group->seen, 0))
            return arka_fail_nomem(err, "a column", name.len);
    }
    if (put_value(w, column, cell) != ARKA_PUT_OK)
        return arka_fail_nomem(err, "a row", sizeof *cell);
    return ARKA_OK;
}

arka_status arka_msgpack__row(arka_msgpack_decoder *dec, const arka_msgpack_record *record,
                              int64_t member, arka_error *err)
{
    row w = {.dec = dec};
    int64_t time_us = dec->options.now_us;
    ARKA_TRY(arka_msgpack__check_rows(dec, 1, err));
    ARKA_TRY(arka_msgpack__find_group(dec, record->measurement, member, &w.group, err));
    w.group->attempt++;
    dec->cells.n = 0;
    arka_buf_clear(&dec->text);
    if (dec->new_names.n > 0)
        arka_map_fini(&dec->new_names);
    if (record->t != NULL)
        ARKA_TRY(read_time(&w, record->t, &time_us, err));
    ARKA_TRY(read_values(&w, record, err));
    ARKA_TRY(arka_msgpack__check_group(dec, w.group, w.n_new, err));
    for (size_t i = 0; i < dec->cells.n; i++)
        ARKA_TRY(put_cell(&w, &dec->cells.items[i], err));
    if (!arka_rows_end(w.group->rows, time_us))
        return arka_fail_nomem(err, "a row", dec->cells.n);
    dec->n_rows++;
    return ARKA_OK;
}
