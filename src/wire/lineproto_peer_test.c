/*
 * The parser against a twin that is slow and plain: it copies every line and every token, keeps
 * rows in lists and finds everything by walking them. Random bodies, well-formed and not.
 */
#include "wire/lineproto.h"

#include <errno.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/number.h"
#include "base/utf8.h"
#include "kit/kit.h"
#include "wire/names.h"

enum { MAX = 64 };

static arka_arena arena; /* every text of the twin, until the next body */

typedef struct twin_value {
    arka_type type; /* NONE: null */
    double f64;
    int64_t i64;
    const char *text;
} twin_value;

typedef struct twin_cell {
    const char *name;
    twin_value value;
} twin_cell;

typedef struct twin_row {
    int64_t time;
    int n_tags;
    twin_cell tags[MAX]; /* by name */
    int n_cells;
    twin_cell cells[MAX];
} twin_row;

typedef struct twin_column {
    const char *name;
    arka_type type;
    bool tag;
} twin_column;

typedef struct twin_table {
    const char *name;
    int n_columns, n_rows;
    twin_column columns[MAX];
    twin_row rows[MAX];
} twin_table;

typedef struct twin {
    int n_tables;
    twin_table tables[8];
    int n_lines, n_rejected;
    int rejected[MAX];
} twin;

/* ---- lines and tokens ---- */

static bool escapable(char c)
{
    return c == ',' || c == '=' || c == ' ';
}

/* Where the line that begins at `at` ends: its LF outside of strings, or the text's end. */
static size_t twin_line_end(const char *text, size_t n, size_t at)
{
    bool in_fields = false, in_string = false;
    for (; at < n; at++) {
        char c = text[at], next = at + 1 < n ? text[at + 1] : 0;
        if (in_string) {
            if (c == '\\' && at + 1 < n && (next == '"' || next == '\\'))
                at++;
            else if (c == '"')
                in_string = false;
        } else if (c == '\n') {
            return at;
        } else if (c == '\\' && at + 1 < n && escapable(next)) {
            at++;
        } else if (c == ' ') {
            in_fields = true;
        } else if (in_fields && c == '=' && next == '"') {
            in_string = true;
            at++;
        }
    }
    return n;
}

/* s[0..n) without escapes */
static const char *twin_unescape(const char *s, size_t n)
{
    char *to = arka_arena_zalloc(&arena, n + 1);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\\' && i + 1 < n && escapable(s[i + 1]))
            i++;
        to[len++] = s[i];
    }
    return to;
}

/* The next of the bytes in `stops` that is not escaped, from `at`. */
static size_t twin_find(const char *s, size_t n, size_t at, const char *stops)
{
    while (at < n && strchr(stops, s[at]) == NULL) {
        if (s[at] == '\\' && at + 1 < n && escapable(s[at + 1]))
            at++;
        at++;
    }
    return at < n ? at : n;
}

/* ---- one line ---- */

typedef struct twin_line {
    const char *measurement;
    int n_tags, n_fields;
    twin_cell tags[MAX], fields[MAX];
    bool has_time;
    int64_t time;
} twin_line;

static bool usable(const char *name)
{
    return strcasecmp(name, "time") != 0 && strchr(name, '\r') == NULL;
}

static bool twin_tags(const char *s, size_t n, twin_line *line)
{
    size_t at = twin_find(s, n, 0, ",");
    if (at == 0)
        return false;
    line->measurement = twin_unescape(s, at);
    if (arka_name_check_measurement(arka_slice_of(line->measurement), NULL) != ARKA_OK)
        return false;
    const char *seen[MAX];
    int n_seen = 0;
    while (at < n) {
        at++;
        size_t stop = twin_find(s, n, at, ",=");
        if (stop == at || stop == n || s[stop] != '=')
            return false;
        twin_cell *tag = &line->tags[line->n_tags];
        tag->name = twin_unescape(s + at, stop - at);
        for (int i = 0; i < n_seen; i++)
            if (strcasecmp(seen[i], tag->name) == 0)
                return false;
        seen[n_seen++] = tag->name;
        if (!usable(tag->name))
            return false;
        at = stop + 1;
        stop = twin_find(s, n, at, ",=");
        if (stop < n && s[stop] == '=')
            return false;
        tag->value.text = twin_unescape(s + at, stop - at);
        tag->value.type = ARKA_VARCHAR;
        line->n_tags += tag->value.text[0] != 0;
        at = stop;
    }
    return true;
}

static bool all_in(const char *s, const char *set)
{
    return *s != 0 && s[strspn(s, set)] == 0;
}

static bool twin_number(const char *s, twin_value *v)
{
    size_t n = strlen(s);
    if (n == 0)
        return false;
    char *stop, *body = arka_arena_strndup(&arena, s, n);
    char last = s[n - 1];
    if (last == 'i' || last == 'u') {
        body[n - 1] = 0;
        const char *digits = body + (body[0] == '-' || body[0] == '+');
        if (!all_in(digits, "0123456789") || (last == 'u' && body[0] == '-'))
            return false;
        errno = 0;
        v->type = ARKA_BIGINT;
        v->i64 = strtoll(body, &stop, 10);
        return errno == 0;
    }
    if (!all_in(s, "0123456789+-.eE"))
        return false;
    v->type = ARKA_DOUBLE;
    v->f64 = strtod(s, &stop);
    return stop != s && *stop == 0 && isfinite(v->f64);
}

static bool twin_plain_value(const char *s, twin_value *v)
{
    static const char *const YES = " t T true True TRUE ", *const NO = " f F false False FALSE ";
    const char *padded = arka_arena_printf(&arena, " %s ", s);
    if (strchr(s, ' ') == NULL && *s != 0 && (strstr(YES, padded) || strstr(NO, padded))) {
        v->type = ARKA_BOOLEAN;
        v->i64 = strstr(YES, padded) != NULL;
        return true;
    }
    return twin_number(s, v);
}

/* The fields from `at`; where they end, or SIZE_MAX. */
static size_t twin_fields(const char *s, size_t n, size_t at, twin_line *line)
{
    for (;; at++) {
        twin_cell cell = {0};
        size_t stop = twin_find(s, n, at, "=, ");
        if (stop == at || stop == n || s[stop] != '=')
            return SIZE_MAX;
        cell.name = twin_unescape(s + at, stop - at);
        if (!usable(cell.name))
            return SIZE_MAX;
        at = stop + 1;
        if (at < n && s[at] == '"') {
            size_t len = 0;
            char *to = arka_arena_zalloc(&arena, n - at);
            for (at++; at < n && s[at] != '"'; at++) {
                if (s[at] == '\\' && at + 1 < n && (s[at + 1] == '"' || s[at + 1] == '\\'))
                    at++;
                to[len++] = s[at];
            }
            if (at == n)
                return SIZE_MAX;
            at++;
            cell.value.type = ARKA_VARCHAR;
            cell.value.text = to;
        } else {
            stop = at;
            while (stop < n && s[stop] != ',' && s[stop] != ' ')
                stop++;
            const char *text = arka_arena_strndup(&arena, s + at, stop - at);
            if (strlen(text) != stop - at || !twin_plain_value(text, &cell.value))
                return SIZE_MAX;
            at = stop;
        }
        line->fields[line->n_fields++] = cell;
        if (at == n || s[at] != ',')
            return at;
    }
}

static size_t twin_blanks(const char *s, size_t n, size_t at)
{
    while (at < n && (s[at] == ' ' || s[at] == '\t'))
        at++;
    return at;
}

static bool twin_time(const char *s, size_t n, size_t at, int64_t *ns)
{
    size_t stop = at;
    while (stop < n && s[stop] != ' ' && s[stop] != '\t')
        stop++;
    char *end;
    const char *text = arka_arena_strndup(&arena, s + at, stop - at);
    errno = 0;
    *ns = strtoll(text, &end, 10);
    return all_in(text + (text[0] == '-'), "0123456789") && errno == 0 &&
           strlen(text) == stop - at && twin_blanks(s, n, stop) == n;
}

static bool twin_parse(const char *s, size_t n, twin_line *line)
{
    memset(line, 0, sizeof *line);
    if (n > 0 && s[n - 1] == '\r')
        n--;
    if (!arka_utf8_valid(s, n))
        return false;
    size_t at = twin_find(s, n, 0, " ");
    if (at == n || !twin_tags(s, at, line))
        return false;
    at = twin_blanks(s, n, at);
    if (at == n)
        return false;
    at = twin_fields(s, n, at, line);
    if (at == SIZE_MAX || (at < n && s[at] != ' '))
        return false;
    at = twin_blanks(s, n, at);
    line->has_time = at < n;
    return !line->has_time || twin_time(s, n, at, &line->time);
}

/* ---- storing ---- */

static twin_column *twin_column_of(twin_table *t, const char *name)
{
    for (int i = 0; i < t->n_columns; i++)
        if (strcasecmp(t->columns[i].name, name) == 0)
            return &t->columns[i];
    assert_true(t->n_columns < MAX);
    twin_column *c = &t->columns[t->n_columns++];
    memset(c, 0, sizeof *c);
    c->name = name;
    return c;
}

static bool fits(arka_type column, arka_type value)
{
    bool number = value == ARKA_BIGINT || value == ARKA_DOUBLE;
    return column == ARKA_TYPE_NONE || column == ARKA_VARCHAR || column == value ||
           ((column == ARKA_BIGINT || column == ARKA_DOUBLE) && number);
}

static twin_cell *twin_cell_of(twin_row *row, const char *name)
{
    for (int i = 0; i < row->n_cells; i++)
        if (strcasecmp(row->cells[i].name, name) == 0)
            return &row->cells[i];
    twin_cell *cell = &row->cells[row->n_cells++];
    memset(cell, 0, sizeof *cell);
    cell->name = name;
    return cell;
}

static bool same_tags(const twin_row *a, const twin_row *b)
{
    if (a->n_tags != b->n_tags)
        return false;
    for (int i = 0; i < a->n_tags; i++)
        if (strcasecmp(a->tags[i].name, b->tags[i].name) != 0 ||
            strcmp(a->tags[i].value.text, b->tags[i].value.text) != 0)
            return false;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcasecmp(((const twin_cell *)a)->name, ((const twin_cell *)b)->name);
}

/* Into a copy of the table: the caller keeps the old one if this is false. */
static bool twin_store(twin_table *t, const twin_line *line, int64_t now_us)
{
    static twin_row row;
    memset(&row, 0, sizeof row);
    row.time = line->has_time ? (line->time - ((line->time % 1000 + 1000) % 1000)) / 1000 : now_us;
    for (int i = 0; i < line->n_tags; i++) {
        twin_column *c = twin_column_of(t, line->tags[i].name);
        if (!fits(c->type, ARKA_VARCHAR) || (c->type != ARKA_TYPE_NONE && c->type != ARKA_VARCHAR))
            return false;
        c->type = ARKA_VARCHAR;
        c->tag = true;
        row.tags[row.n_tags++] = line->tags[i];
    }
    qsort(row.tags, (size_t)row.n_tags, sizeof row.tags[0], by_name);
    for (int i = 0; i < line->n_fields; i++) {
        const char *name = line->fields[i].name;
        while (twin_column_of(t, name)->tag)
            name = arka_arena_printf(&arena, "%s_value", name);
        /* even a value that is replaced in the same line must fit what the column was before */
        if (!fits(twin_column_of(t, name)->type, line->fields[i].value.type))
            return false;
        twin_cell_of(&row, name)->value = line->fields[i].value;
    }
    for (int i = 0; i < row.n_cells; i++) {
        twin_column *c = twin_column_of(t, row.cells[i].name);
        arka_type type = row.cells[i].value.type;
        if (c->type == ARKA_TYPE_NONE || (c->type == ARKA_BIGINT && type == ARKA_DOUBLE))
            c->type = type;
    }
    for (int r = 0; r < t->n_rows; r++)
        if (t->rows[r].time == row.time && same_tags(&t->rows[r], &row)) {
            for (int i = 0; i < row.n_cells; i++)
                twin_cell_of(&t->rows[r], row.cells[i].name)->value = row.cells[i].value;
            return true;
        }
    assert_true(t->n_rows < MAX);
    t->rows[t->n_rows++] = row;
    return true;
}

static twin_table *twin_table_of(twin *tw, const char *name)
{
    for (int i = 0; i < tw->n_tables; i++)
        if (strcasecmp(tw->tables[i].name, name) == 0) {
            if (tw->tables[i].n_rows == 0)
                tw->tables[i].name = name;
            return &tw->tables[i];
        }
    assert_true(tw->n_tables < 8);
    twin_table *t = &tw->tables[tw->n_tables++];
    t->n_columns = t->n_rows = 0;
    t->name = name;
    return t;
}

static void twin_copy(twin_table *to, const twin_table *from)
{
    to->name = from->name;
    to->n_columns = from->n_columns;
    to->n_rows = from->n_rows;
    memcpy(to->columns, from->columns, sizeof to->columns);
    memcpy(to->rows, from->rows, (size_t)from->n_rows * sizeof *to->rows);
}

static void twin_run(twin *tw, const char *text, size_t n, int64_t now_us)
{
    static twin_line line;
    static twin_table before;
    tw->n_tables = tw->n_lines = tw->n_rejected = 0;
    int number = 1;
    for (size_t at = 0; at < n;) {
        size_t first = at;
        while (first < n && (text[first] == ' ' || text[first] == '\t'))
            first++;
        size_t end = twin_line_end(text, n, first);
        bool comment = first < n && text[first] == '#';
        if (comment) { /* strings mean nothing in it */
            const char *lf = memchr(text + first, '\n', n - first);
            end = lf ? (size_t)(lf - text) : n;
        }
        bool blank = first == end || (text[first] == '\r' && first + 1 == end);
        if (!comment && !blank) {
            tw->n_lines++;
            bool ok = twin_parse(text + first, end - first, &line);
            if (ok) {
                twin_table *t = twin_table_of(tw, line.measurement);
                twin_copy(&before, t);
                ok = twin_store(t, &line, now_us);
                if (!ok)
                    twin_copy(t, &before);
            }
            if (!ok)
                tw->rejected[tw->n_rejected++] = number;
        }
        for (size_t i = at; i < end; i++)
            number += text[i] == '\n';
        number++;
        at = end + 1;
    }
}

/* ---- comparing ---- */

static void expect_cell(const arka_column *c, int64_t row, const twin_value *v, const char *body)
{
    bool null = v == NULL || v->type == ARKA_TYPE_NONE;
    if (null != arka_column_is_null(c, row))
        fail_msg("row %d of '%s': null %d, expected %d in\n%s", (int)row, c->name.data, !null, null,
                 body);
    if (null)
        return;
    char number[ARKA_NUMBER_TEXT];
    const char *text = v->text;
    if (v->type == ARKA_BOOLEAN)
        text = v->i64 ? "true" : "false";
    else if (v->type == ARKA_BIGINT)
        text = arka_arena_printf(&arena, "%lld", (long long)v->i64);
    else if (v->type == ARKA_DOUBLE)
        text = arka_arena_strndup(&arena, number, arka_format_f64(number, v->f64));
    double f64 = v->type == ARKA_BIGINT ? (double)v->i64 : v->f64;
    bool same = false;
    if (c->type == ARKA_VARCHAR)
        same = arka_slice_eq(arka_column_text(c, row), arka_slice_of(text));
    else if (c->type == ARKA_BOOLEAN)
        same = arka_bit(c->values, row) == (v->i64 != 0);
    else if (c->type == ARKA_BIGINT)
        same = arka_column_i64(c)[row] == v->i64;
    else if (c->type == ARKA_DOUBLE)
        same = memcmp(&arka_column_f64(c)[row], &f64, 8) == 0;
    if (!same)
        fail_msg("row %d of '%s' is not %s in\n%s", (int)row, c->name.data, text, body);
}

static const twin_value *twin_value_at(const twin_row *row, const char *column)
{
    for (int i = 0; i < row->n_tags; i++)
        if (strcasecmp(row->tags[i].name, column) == 0)
            return &row->tags[i].value;
    for (int i = 0; i < row->n_cells; i++)
        if (strcasecmp(row->cells[i].name, column) == 0)
            return &row->cells[i].value;
    return NULL;
}

static void expect_table(const twin_table *t, const arka_batch *b, const char *body)
{
    int n_columns = 1;
    if (b->n_rows != t->n_rows)
        fail_msg("%d rows of '%s', expected %d in\n%s", (int)b->n_rows, t->name, t->n_rows, body);
    for (int i = 0; i < t->n_columns; i++) {
        const twin_column *c = &t->columns[i];
        bool used = false;
        for (int r = 0; r < t->n_rows; r++)
            used |= twin_value_at(&t->rows[r], c->name) != NULL;
        int found = arka_batch_find(b, arka_slice_of(c->name));
        if (used != (found >= 0))
            fail_msg("column '%s' of '%s' is there: %d in\n%s", c->name, t->name, !used, body);
        if (!used)
            continue;
        n_columns++;
        const arka_column *got = &b->columns[found];
        if (got->type != c->type || got->tag != c->tag)
            fail_msg("column '%s' has type %s, tag %d in\n%s", c->name, arka_type_name(got->type),
                     got->tag, body);
        for (int r = 0; r < t->n_rows; r++)
            expect_cell(got, r, twin_value_at(&t->rows[r], c->name), body);
    }
    if (b->n_columns != n_columns)
        fail_msg("%d columns, expected %d in\n%s", b->n_columns, n_columns, body);
    for (int r = 0; r < t->n_rows; r++)
        assert_int_equal(arka_column_i64(&b->columns[b->time])[r], t->rows[r].time);
}

static void compare(const char *body, size_t n)
{
    static twin tw;
    enum { NOW = 1767607200123456 };
    arka_error err = {0};
    arka_writes writes = {0};
    arka_lineproto_options options = {.now_us = NOW};
    char *alone = malloc(n ? n : 1);
    memcpy(alone, body, n);
    ASSERT_OK(arka_lineproto_parse(alone, n, &options, &writes, &err));
    free(alone);
    twin_run(&tw, body, n, NOW);
    for (int i = 0; i < tw.n_rejected || i < writes.n_rejected; i++) {
        const arka_reject *r = i < writes.n_rejected ? &writes.rejects.items[i] : NULL;
        if (r == NULL || i >= tw.n_rejected || r->place != tw.rejected[i])
            fail_msg("refused is line %d (%s), expected %d in\n%s", r ? (int)r->place : 0,
                     r ? r->reason : "", i < tw.n_rejected ? tw.rejected[i] : 0, body);
    }
    assert_int_equal(writes.n_members, tw.n_lines);
    size_t n_writes = 0;
    for (int i = 0; i < tw.n_tables; i++) {
        if (tw.tables[i].n_rows == 0)
            continue;
        const arka_batch *b = NULL;
        for (size_t k = 0; k < writes.writes.n; k++)
            if (arka_slice_eq(writes.writes.items[k].measurement, arka_slice_of(tw.tables[i].name)))
                b = writes.writes.items[k].batch;
        if (b == NULL)
            fail_msg("measurement '%s' is missing in\n%s", tw.tables[i].name, body);
        expect_table(&tw.tables[i], b, body);
        n_writes++;
    }
    assert_int_equal(writes.writes.n, n_writes);
    arka_writes_fini(&writes);
    arka_arena_fini(&arena);
}

/* ---- random bodies ---- */

static unsigned below(unsigned n)
{
    return (unsigned)(kit_random() % n);
}

#define PICK(list) (list)[below(sizeof(list) / sizeof *(list))]

static void add_word(arka_buf *b)
{
    static const char *const WORDS[] = {"a",
                                        "b",
                                        "a",
                                        "b",
                                        "A",
                                        "c\\ d",
                                        "e\\,f",
                                        "g\\=h",
                                        "k",
                                        "a_value",
                                        "\xc3\xa9",
                                        "x\\y",
                                        "long_key_of_a_field"};
    arka_buf_text(b, PICK(WORDS));
}

static void add_value(arka_buf *b)
{
    static const char *const VALUES[] = {
        "1",
        "2.5",
        "-3",
        "0.1",
        "1e3",
        "1i",
        "-2i",
        "3u",
        "t",
        "F",
        "true",
        "False",
        "\"text\"",
        "\"\"",
        "\"a b,c=d\"",
        "\"q\\\"q\"",
        "\"x\\\\\"",
        "\"l\n2\"",
        "123456.789012345",
        "98.25728155339806",
        "9007199254740993i",
        "\"\xc3\xa9\"",
    };
    static const char *const BAD[] = {
        "abc",    "1x",    "NaN", "",     "tr", "\"open", "9223372036854775808i",
        "\"a\"b", "1.2.3", "-",   "\xff", "1i2"};
    arka_buf_text(b, below(40) == 0 ? PICK(BAD) : PICK(VALUES));
}

static void add_line(arka_buf *b)
{
    static const char *const MEASUREMENTS[] = {"m", "m", "m", "m", "n", "M", "m.1"};
    static const char *const TAG_VALUES[] = {"v", "w",  "x\\ y", "z\\,", "q\"",
                                             "v", "\\", "C:\\d", ""};
    static const char *const TIMES[] = {" 1000", " 2000", " 3000",  " 1000", " 2500",
                                        " -1",   "",      " 9000 ", "  4000"};
    static const char *const BAD_TIMES[] = {" x", " 1.5", " 1 2", " 99999999999999999999", " -"};
    static const char *const ENDS[] = {"\n", "\n", "\n", "\r\n", "\n\n", "\n# c \"\n", "\n \t"};
    if (below(20) == 0)
        arka_buf_text(b, " ");
    arka_buf_text(b, PICK(MEASUREMENTS));
    for (unsigned i = below(4); i > 0; i--) {
        arka_buf_literal(b, ",");
        add_word(b);
        arka_buf_literal(b, "=");
        arka_buf_text(b, PICK(TAG_VALUES));
    }
    arka_buf_text(b, below(30) == 0 ? "  " : " ");
    for (unsigned i = 1 + below(3), first = 1; i > 0; i--, first = 0) {
        if (!first)
            arka_buf_literal(b, ",");
        add_word(b);
        arka_buf_literal(b, "=");
        add_value(b);
    }
    arka_buf_text(b, below(40) == 0 ? PICK(BAD_TIMES) : PICK(TIMES));
    arka_buf_text(b, PICK(ENDS));
}

/* Some bytes changed, dropped or doubled: most such lines are bad, and some in ways nobody thought
 * of. */
static void garble(arka_buf *b)
{
    static const char BYTES[] = ",= \\\"\n\r\t#i.-1a\xc3";
    for (unsigned i = 1 + below(3); i > 0 && b->len > 1; i--) {
        size_t at = below((unsigned)b->len);
        if (below(3) == 0) {
            memmove(b->data + at, b->data + at + 1, b->len - at - 1);
            b->len--;
        } else {
            b->data[at] = BYTES[below(sizeof BYTES - 1)];
        }
    }
}

static void run(int n_bodies, bool garbled)
{
    for (int i = 0; i < n_bodies; i++) {
        arka_buf body = ARKA_BUF_INIT;
        for (unsigned n = 1 + below(12); n > 0; n--)
            add_line(&body);
        if (garbled)
            garble(&body);
        else if (below(4) == 0)
            body.len -= 1; /* the last newline */
        assert_non_null(arka_buf_cstr(&body));
        compare(body.data, body.len);
        arka_buf_fini(&body);
    }
}

TEST(well_formed_bodies_agree)
{
    run(20000, false);
}

TEST(garbled_bodies_agree)
{
    run(20000, true);
}
