#include <inttypes.h>

#include "base/number.h"
#include "wire/msgpack_priv.h"
#include "wire/msgpack_time.h"

/*
 * A row map is read in two steps: all of it is checked and its values noted down, then they are
 * put. So a refused row map leaves no value behind, and a put fails for want of memory only: the
 * columns have no type given, so whatever comes they can become text.
 */
typedef struct row {
    arka_msgpack_decoder *dec;
    size_t group; /* index: groups may move */
    int guess;    /* the column that came next last time */
} row;

static arka_msgpack_group *group_of(const row *w)
{
    return &w->dec->groups.items[w->group];
}

static arka_msgpack_reader reader_at(const arka_msgpack_decoder *dec, const uint8_t *at)
{
    return (arka_msgpack_reader){at, dec->in.end, dec->in.begin};
}

static arka_status add_group(arka_msgpack_decoder *dec, arka_slice measurement, int64_t member,
                             arka_error *err)
{
    ARKA_TRY(arka_name_check_measurement(measurement, err));
    char *name = arka_arena_text(&dec->out->arena, measurement);
    if (name == NULL || !arka_vec_reserve(&dec->groups, 1) ||
        !arka_map_put(&dec->group_by_name, measurement, (void *)(intptr_t)(dec->groups.n + 1)))
        return arka_fail_nomem(err, "a measurement", measurement.len);
    arka_msgpack_group g = {.measurement = {name, measurement.len}, .member = member};
    ARKA_TRY(arka_rows_new(true, &g.rows, err));
    dec->groups.items[dec->groups.n++] = g;
    return ARKA_OK;
}

static arka_status find_group(arka_msgpack_decoder *dec, arka_slice measurement, int64_t member,
                              size_t *out, arka_error *err)
{
    /* Mostly the same as for the row map before. */
    if (dec->groups.n > 0 &&
        arka_slice_eq(dec->groups.items[dec->last_group].measurement, measurement)) {
        *out = dec->last_group;
        return ARKA_OK;
    }
    intptr_t found = (intptr_t)arka_map_get(&dec->group_by_name, measurement);
    if (found == 0) {
        ARKA_TRY(add_group(dec, measurement, member, err));
        found = (intptr_t)dec->groups.n;
    }
    *out = dec->last_group = (size_t)found - 1;
    return ARKA_OK;
}

/* Columns that refused row maps brought count too: they take memory until the group is sealed. */
static arka_status note_new_columns(row *w, arka_error *err)
{
    arka_msgpack_group *g = group_of(w);
    size_t n = (size_t)arka_rows_n_columns(g->rows);
    for (; g->seen.n < n; w->dec->n_group_columns++)
        if (!arka_vec_push(&g->seen, 0))
            return arka_fail_nomem(err, "a column", sizeof *g->seen.items);
    if (n > ARKA_MSGPACK_MAX_COLUMNS)
        return arka_fail(err, ARKA_LIMIT,
                         "row maps of measurement '%.*s' have more than %d columns in one body",
                         ARKA_FMT(g->measurement), ARKA_MSGPACK_MAX_COLUMNS);
    if (w->dec->n_group_columns > ARKA_MSGPACK_MAX_GROUP_COLUMNS)
        return arka_fail(err, ARKA_LIMIT,
                         "row maps of one body have more than %d columns over all measurements",
                         ARKA_MSGPACK_MAX_GROUP_COLUMNS);
    return ARKA_OK;
}

static arka_status claim_column(row *w, arka_slice name, bool tag, int *out, arka_error *err)
{
    arka_msgpack_group *g = group_of(w);
    int column = arka_rows_column(g->rows, name, tag, ARKA_TYPE_NONE, w->guess, err);
    if (column < 0)
        return err->code;
    if ((size_t)column >= g->seen.n)
        ARKA_TRY(note_new_columns(w, err));
    if (g->seen.items[column] == g->attempt)
        return arka_fail(err, ARKA_INPUT, "column '%.*s' is there twice",
                         ARKA_FMT(arka_msgpack__shown(name)));
    g->seen.items[column] = g->attempt;
    w->guess = column + 1;
    *out = column;
    return ARKA_OK;
}

static bool is_claimed(const row *w, arka_slice name)
{
    const arka_msgpack_group *g = group_of(w);
    int column = arka_rows_find(g->rows, name, w->guess);
    return column >= 0 && g->seen.items[column] == g->attempt;
}

/* A field that is called like a tag is stored as name_value. */
static arka_status claim_field(row *w, arka_slice name, int *out, arka_error *err)
{
    enum { LONGEST = 255 };
    static const char SUFFIX[] = "_value";
    const arka_rows *rows = group_of(w)->rows;
    int column = arka_rows_find(rows, name, w->guess);
    if (column < 0 || !arka_rows_is_tag(rows, column))
        return claim_column(w, name, false, out, err);
    char
        longer[LONGEST + sizeof SUFFIX]; /* there is a column of that name, so it is not too long */
    memcpy(longer, name.data, name.len);
    memcpy(longer + name.len, SUFFIX, sizeof SUFFIX - 1);
    return claim_column(w, (arka_slice){longer, name.len + sizeof SUFFIX - 1}, false, out, err);
}

static arka_status note_cell(row *w, arka_msgpack_cell cell, arka_error *err)
{
    if (!arka_vec_push(&w->dec->cells, cell))
        return arka_fail_nomem(err, "a row", sizeof cell);
    return ARKA_OK;
}

/* Text of whatever token; `r` moves past a nested one. */
static arka_status note_as_text(row *w, arka_msgpack_reader *r, const arka_msgpack_token *t,
                                int column, arka_error *err)
{
    arka_buf *made = &w->dec->text;
    arka_msgpack_cell cell = {.column = column, .kind = ARKA_MSGPACK_TEXT, .made = true};
    bool null;
    cell.made_at = made->len;
    ARKA_TRY(arka_msgpack__text(r, t, w->dec->options.max_depth, made, &null, err));
    cell.text.len = made->len - cell.made_at;
    return null ? ARKA_OK : note_cell(w, cell, err);
}

static arka_status note_string(row *w, arka_slice text, int column, arka_error *err)
{
    if (!arka_utf8_valid(text.data, text.len))
        return arka_fail(err, ARKA_INPUT, "string is not UTF-8");
    return note_cell(
        w, (arka_msgpack_cell){.column = column, .kind = ARKA_MSGPACK_TEXT, .text = text}, err);
}

static arka_status note_value(row *w, arka_msgpack_reader *r, const arka_msgpack_token *t,
                              int column, arka_error *err)
{
    arka_msgpack_cell cell = {.column = column, .kind = t->kind};
    switch (t->kind) {
    case ARKA_MSGPACK_BOOL:
        cell.boolean = t->boolean;
        return note_cell(w, cell, err);
    case ARKA_MSGPACK_INT:
        cell.i64 = t->i64;
        return note_cell(w, cell, err);
    case ARKA_MSGPACK_FLOAT:
        cell.f64 = t->f64;
        return note_cell(w, cell, err);
    case ARKA_MSGPACK_TEXT:
        return note_string(w, t->bytes, column, err);
    case ARKA_MSGPACK_NIL:
    case ARKA_MSGPACK_UINT:
    case ARKA_MSGPACK_ARRAY:
    case ARKA_MSGPACK_MAP:
    case ARKA_MSGPACK_EXT:
        break;
    }
    return note_as_text(w, r, t, column, err);
}

/* One entry of `tags` or `fields`; a nil is as good as no entry. */
static arka_status read_entry(row *w, arka_msgpack_reader *r, arka_slice name, bool tag,
                              arka_error *err)
{
    arka_msgpack_token t;
    int column;
    ARKA_TRY(arka_msgpack_take(r, &t, err));
    if (t.kind == ARKA_MSGPACK_NIL)
        return ARKA_OK;
    if (tag)
        ARKA_TRY(claim_column(w, name, true, &column, err));
    else
        ARKA_TRY(claim_field(w, name, &column, err));
    arka_status status = !tag                          ? note_value(w, r, &t, column, err)
                         : t.kind == ARKA_MSGPACK_TEXT ? note_string(w, t.bytes, column, err)
                                                       : note_as_text(w, r, &t, column, err);
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

/* `h` becomes the tag host, unless `tags` has one. */
static arka_status read_host(row *w, const uint8_t *at, arka_error *err)
{
    arka_msgpack_reader r = reader_at(w->dec, at);
    arka_msgpack_token t;
    arka_slice name = ARKA_SLICE("host");
    int column;
    ARKA_TRY(arka_msgpack_take(&r, &t, err));
    if (t.kind == ARKA_MSGPACK_NIL || is_claimed(w, name))
        return ARKA_OK;
    if (t.kind != ARKA_MSGPACK_TEXT && t.kind != ARKA_MSGPACK_INT && t.kind != ARKA_MSGPACK_UINT)
        return arka_fail(err, ARKA_INPUT, "'h' is %s, expected a string or an integer",
                         arka_msgpack_kind_name(t.kind));
    ARKA_TRY(claim_column(w, name, true, &column, err));
    if (t.kind == ARKA_MSGPACK_TEXT)
        return note_string(w, t.bytes, column, err);
    arka_buf *made = &w->dec->text;
    arka_msgpack_cell cell = {.column = column, .kind = ARKA_MSGPACK_TEXT, .made = true};
    cell.made_at = made->len;
    if (t.kind == ARKA_MSGPACK_INT)
        arka_buf_printf(made, "host_%" PRId64, t.i64);
    else
        arka_buf_printf(made, "host_%" PRIu64, t.u64);
    cell.text.len = made->len - cell.made_at;
    return made->failed ? arka_fail_nomem(err, "a text", made->len) : note_cell(w, cell, err);
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

/*
 * Absent cells are stored too, so many columns of few values each could make much out of a small
 * body. A dense body never has more cells than bytes; sparse ones get room up to a point.
 */
static arka_status check_cells(row *w, arka_error *err)
{
    const int64_t FREE = 4 << 20, SPARSE_MOST = 64 << 20;
    arka_msgpack_group *g = group_of(w);
    int64_t n_cells = g->attempt * arka_rows_n_columns(g->rows);
    int64_t body = w->dec->in.end - w->dec->in.begin;
    int64_t limit = 4 * body < SPARSE_MOST ? 4 * body : SPARSE_MOST;
    limit = limit > body ? limit : body;
    limit = limit > FREE ? limit : FREE;
    w->dec->n_cells += n_cells - g->n_cells;
    g->n_cells = n_cells;
    if (w->dec->n_cells > limit)
        return arka_fail(err, ARKA_LIMIT,
                         "row maps of this body make more than %" PRId64
                         " cells (rows x columns, most of them empty): send it in parts",
                         limit);
    return ARKA_OK;
}

static arka_put put_cell(row *w, const arka_msgpack_cell *cell)
{
    arka_rows *rows = group_of(w)->rows;
    if (cell->kind == ARKA_MSGPACK_FLOAT)
        return arka_rows_put_f64(rows, cell->column, cell->f64);
    if (cell->kind == ARKA_MSGPACK_INT)
        return arka_rows_put_i64(rows, cell->column, cell->i64);
    if (cell->kind == ARKA_MSGPACK_BOOL)
        return arka_rows_put_bool(rows, cell->column, cell->boolean);
    arka_slice text = cell->text;
    if (cell->made)
        text.data = w->dec->text.data + cell->made_at;
    return arka_rows_put_text(rows, cell->column, text);
}

arka_status arka_msgpack__row(arka_msgpack_decoder *dec, const arka_msgpack_record *record,
                              int64_t member, arka_error *err)
{
    row w = {.dec = dec};
    uint32_t n_fields = 0;
    int64_t time_us = dec->options.now_us;
    ARKA_TRY(arka_msgpack__check_rows(dec, 1, err));
    ARKA_TRY(find_group(dec, record->measurement, member, &w.group, err));
    group_of(&w)->attempt++;
    dec->cells.n = 0;
    arka_buf_clear(&dec->text);
    if (record->t != NULL)
        ARKA_TRY(read_time(&w, record->t, &time_us, err));
    if (record->tags != NULL)
        ARKA_TRY(read_entries(&w, record->tags, true, &(uint32_t){0}, err));
    if (record->h != NULL)
        ARKA_TRY(read_host(&w, record->h, err));
    if (record->fields != NULL)
        ARKA_TRY(read_entries(&w, record->fields, false, &n_fields, err));
    if (record->f != NULL)
        ARKA_TRY(read_compact(&w, record->f, &n_fields, err));
    if (n_fields == 0)
        return arka_fail(err, ARKA_INPUT, "record has no fields");
    ARKA_TRY(check_cells(&w, err));
    for (size_t i = 0; i < dec->cells.n; i++)
        if (put_cell(&w, &dec->cells.items[i]) != ARKA_PUT_OK)
            return arka_fail_nomem(err, "a row", dec->cells.n);
    if (!arka_rows_end(group_of(&w)->rows, time_us))
        return arka_fail_nomem(err, "a row", dec->cells.n);
    dec->n_rows++;
    return ARKA_OK;
}

arka_status arka_msgpack__seal_groups(arka_msgpack_decoder *dec, arka_error *err)
{
    for (size_t i = 0; i < dec->groups.n; i++) {
        arka_msgpack_group *g = &dec->groups.items[i];
        if (arka_rows_n(g->rows) == 0)
            continue;
        arka_batch *batch;
        ARKA_TRY(arka_rows_seal(arka_take(g->rows), &batch, err));
        ARKA_TRY(arka_msgpack__add_write(dec, g->measurement, batch, g->member, err));
    }
    return ARKA_OK;
}

void arka_msgpack__free_groups(arka_msgpack_decoder *dec)
{
    for (size_t i = 0; i < dec->groups.n; i++) {
        arka_rows_free(dec->groups.items[i].rows);
        arka_vec_fini(&dec->groups.items[i].seen);
    }
    arka_vec_fini(&dec->groups);
    arka_vec_fini(&dec->cells);
    arka_map_fini(&dec->group_by_name);
}
