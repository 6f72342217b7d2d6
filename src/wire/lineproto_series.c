/* The first part of a line: measurement and tags, and the columns that they and the fields need. */
#include "wire/lineproto_priv.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "wire/names.h"

enum { UTF8_STRIDE = 64 << 10 };

bool arka_lp__is_utf8(lp_parser *p, const char *to)
{
    while (p->valid_to < to) {
        const char *stop = p->end - p->valid_to > UTF8_STRIDE ? p->valid_to + UTF8_STRIDE : p->end;
        stop = stop < to ? to : stop;
        size_t n = (size_t)(stop - p->valid_to);
        size_t valid = arka_utf8_check(p->valid_to, n);
        p->valid_to += valid;
        if (valid < n)
            return p->valid_to >= to;
    }
    return true;
}

arka_status arka_lp__spend(lp_parser *p, size_t n)
{
    if (ARKA_UNLIKELY(n > p->memory_left))
        return arka_fail(p->err, ARKA_LIMIT,
                         "the request takes too much memory: it has too many columns and "
                         "measurements for its rows; send it in smaller parts");
    p->memory_left -= n;
    return ARKA_OK;
}

static arka_status no_memory(lp_parser *p, const char *what, size_t n)
{
    return arka_fail_nomem(p->err, what, n);
}

arka_slice arka_lp__unescape(lp_parser *p, arka_slice raw)
{
    if (memchr(raw.data, '\\', raw.len) == NULL)
        return raw;
    char *to = arka_arena_alloc(&p->arena, raw.len);
    if (to == NULL)
        return (arka_slice){NULL, 0};
    size_t n = 0;
    const char *end = raw.data + raw.len;
    for (const char *s = raw.data; s < end; s++) {
        s += lp_at_escape(s, end);
        to[n++] = *s;
    }
    return (arka_slice){to, n};
}

unsigned char arka_lp__fits(arka_type type)
{
    switch (type) {
    case ARKA_TYPE_NONE:
    case ARKA_VARCHAR:
        return 1 << LP_F64 | 1 << LP_I64 | 1 << LP_BOOL | 1 << LP_TEXT;
    case ARKA_BIGINT:
    case ARKA_DOUBLE:
        return 1 << LP_F64 | 1 << LP_I64;
    case ARKA_BOOLEAN:
        return 1 << LP_BOOL;
    case ARKA_TIMESTAMPTZ:
        break;
    }
    return 0;
}

arka_status arka_lp__column(lp_parser *p, lp_measurement *m, arka_slice name, int *out)
{
    int found = arka_rows_find(m->rows, name, -1);
    if (found < 0) {
        if (m->columns.n == LP_MAX_COLUMNS)
            return arka_fail(p->why, ARKA_INPUT,
                             "measurement \"%.*s\" has more than %d columns in this request",
                             ARKA_FMT(m->name), LP_MAX_COLUMNS);
        ARKA_TRY(arka_column_name_check(name, p->why));
        if (arka_name_eq(name, ARKA_SLICE(ARKA_TIME_COLUMN)))
            return arka_fail(p->why, ARKA_INPUT,
                             "\"%.*s\" is no name for a tag or a field: it is the column of the "
                             "timestamp",
                             ARKA_FMT(name));
        arka_type type = ARKA_TYPE_NONE;
        bool tag = false;
        if (p->options->column_type != NULL)
            type = p->options->column_type(p->options->context, m->name, name, &tag);
        if (!arka_vec_reserve(&m->columns, 1))
            return no_memory(p, "columns", m->columns.n * sizeof *m->columns.items);
        ARKA_TRY(arka_lp__spend(p, LP_COLUMN_BYTES + (size_t)arka_rows_n(m->rows) * LP_CELL_BYTES));
        found = arka_rows_column(m->rows, name, false, type, -1, p->err);
        if (found < 0)
            return ARKA_NOMEM; /* the name was fine */
        ARKA_CHECK((size_t)found == m->columns.n);
        m->columns.items[m->columns.n++] =
            (lp_column){.type = type, .fits = arka_lp__fits(type), .tag = tag, .aside = -1};
    }
    *out = found;
    return ARKA_OK;
}

arka_status arka_lp__aside(lp_parser *p, lp_measurement *m, int column, int *out)
{
    while (m->columns.items[column].tag) {
        int aside = m->columns.items[column].aside;
        if (aside < 0) {
            arka_slice name = arka_rows_name(m->rows, column);
            p->scratch.len = 0;
            arka_buf_slice(&p->scratch, name);
            arka_buf_literal(&p->scratch, "_value");
            if (p->scratch.failed)
                return no_memory(p, "a column name", name.len);
            ARKA_TRY(arka_lp__column(p, m, (arka_slice){p->scratch.data, p->scratch.len}, &aside));
            m->columns.items[column].aside = aside;
        }
        column = aside;
    }
    *out = column;
    return ARKA_OK;
}

void arka_lp__measurement_free(lp_measurement *m)
{
    if (m == NULL)
        return;
    arka_rows_free(m->rows);
    arka_vec_fini(&m->columns);
    arka_map_fini(&m->fields);
    arka_vec_fini(&m->tag_keys);
    arka_free(m->points);
    arka_free(m);
}

/* Names of tables, too, differ by more than the case of ASCII letters. */
static arka_slice fold(arka_slice name, char *out)
{
    arka_name_fold(name, out);
    return (arka_slice){out, name.len};
}

static arka_status make_measurement(lp_parser *p, arka_slice name, lp_measurement **out)
{
    ARKA_TRY(arka_name_check_measurement(name, p->why));
    ARKA_TRY(arka_lp__spend(p, LP_MEASUREMENT_BYTES));
    lp_measurement *m = arka_calloc(1, sizeof *m);
    if (m == NULL || !arka_vec_push(&p->measurements, m)) {
        arka_free(m);
        return no_memory(p, "a measurement", sizeof *m);
    }
    m->name = name;
    m->tag_keys_normal = true;
    ARKA_TRY(arka_rows_new(false, &m->rows, p->err));
    char key[LP_MAX_NAME];
    ARKA_CHECK(name.len <= sizeof key);
    if (!arka_map_put(&p->by_name, fold(name, key), m))
        return no_memory(p, "a measurement", name.len);
    *out = m;
    return ARKA_OK;
}

static arka_status find_measurement(lp_parser *p, const char **s, const char *end,
                                    lp_measurement **out)
{
    const char *stop = lp_token_end(*s, end, ',', ',');
    arka_slice name = arka_lp__unescape(p, (arka_slice){*s, (size_t)(stop - *s)});
    if (name.data == NULL)
        return no_memory(p, "a measurement name", (size_t)(stop - *s));
    if (name.len == 0)
        return arka_fail(p->why, ARKA_INPUT, "missing measurement");
    *s = stop;
    p->measurement = name;
    lp_measurement *recent = p->previous ? p->previous->series->measurement : NULL;
    if (recent == NULL || !arka_slice_eq(recent->name, name)) {
        char key[LP_MAX_NAME];
        recent = name.len > sizeof key ? NULL : arka_map_get(&p->by_name, fold(name, key));
    }
    if (recent == NULL)
        ARKA_TRY(make_measurement(p, name, &recent));
    *out = recent;
    return ARKA_OK;
}

/* The i-th tag's key at *s, moved behind its '='. */
static arka_status tag_key(lp_parser *p, lp_measurement *m, size_t i, const char **s,
                           const char *end, int *column)
{
    if (i < m->tag_keys.n) {
        arka_slice guess = m->tag_keys.items[i].raw;
        if ((size_t)(end - *s) > guess.len && (*s)[guess.len] == '=' &&
            lp_same(*s, guess.data, guess.len)) {
            *s += guess.len + 1;
            *column = m->tag_keys.items[i].column;
            return ARKA_OK;
        }
    }
    const char *stop = lp_token_end(*s, end, '=', ',');
    arka_slice raw = {*s, (size_t)(stop - *s)};
    if (raw.len == 0)
        return arka_fail(p->why, ARKA_INPUT, "missing tag key");
    if (stop == end || *stop != '=')
        return arka_fail(p->why, ARKA_INPUT, "missing tag value");
    arka_slice name = arka_lp__unescape(p, raw);
    if (name.data == NULL)
        return no_memory(p, "a tag key", raw.len);
    ARKA_TRY(arka_lp__column(p, m, name, column));
    m->tag_keys.n = i < m->tag_keys.n ? i : m->tag_keys.n;
    m->tag_keys_changed = true;
    if (!arka_vec_push(&m->tag_keys, (lp_tag_key){raw, *column}))
        return no_memory(p, "tag keys", m->tag_keys.n * sizeof *m->tag_keys.items);
    *s = stop + 1;
    return ARKA_OK;
}

static int compare(arka_slice a, arka_slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool keys_are_normal(const lp_measurement *m)
{
    for (size_t i = 0; i < m->tag_keys.n; i++) {
        const lp_tag_key *key = &m->tag_keys.items[i];
        if (!arka_slice_eq(key->raw, arka_rows_name(m->rows, key->column)) ||
            (i > 0 && compare(m->tag_keys.items[i - 1].raw, key->raw) >= 0))
            return false;
    }
    return true;
}

/* The tags from the first ',' to `end` into p->tags; *any_empty: some had no value. */
static arka_status parse_tags(lp_parser *p, lp_measurement *m, const char *s, const char *end,
                              bool escapes, bool *any_empty)
{
    p->tags.n = 0;
    *any_empty = false;
    for (size_t i = 0; s < end; i++) {
        int column;
        s++;
        ARKA_TRY(tag_key(p, m, i, &s, end, &column));
        if (m->columns.items[column].line == p->line_id)
            return arka_fail(p->why, ARKA_INPUT, "duplicate tag key \"%.*s\"",
                             ARKA_FMT(arka_rows_name(m->rows, column)));
        m->columns.items[column].line = p->line_id;
        const char *stop = lp_token_end(s, end, ',', '=');
        if (stop < end && *stop == '=')
            return arka_fail(p->why, ARKA_INPUT, "invalid tag format");
        arka_slice value = {s, (size_t)(stop - s)};
        if (escapes)
            value = arka_lp__unescape(p, value);
        *any_empty |= value.len == 0;
        if (value.data == NULL ||
            (value.len > 0 && !arka_vec_push(&p->tags, (lp_tag){column, value})))
            return no_memory(p, "tags", (size_t)(stop - s));
        s = stop;
    }
    if (m->tag_keys_changed) {
        m->tag_keys_normal = keys_are_normal(m);
        m->tag_keys_changed = false;
    }
    return ARKA_OK;
}

static int by_name(const void *left, const void *right, void *measurement)
{
    const lp_measurement *m = measurement;
    const lp_tag *a = left, *b = right;
    return compare(arka_rows_name(m->rows, a->column), arka_rows_name(m->rows, b->column));
}

static void add_escaped(arka_buf *to, arka_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == ',' || c == '=' || c == ' ' || c == '\\')
            arka_buf_byte(to, '\\');
        arka_buf_byte(to, c);
    }
}

/* p->tags, put into their order, as a canonical head in p->scratch. */
static arka_slice write_canonical(lp_parser *p, lp_measurement *m)
{
    if (p->tags.n > 1)
        qsort_r(p->tags.items, p->tags.n, sizeof *p->tags.items, by_name, m);
    arka_buf *to = &p->scratch;
    to->len = 0;
    arka_buf_slice(to, m->name);
    for (size_t i = 0; i < p->tags.n; i++) {
        arka_buf_byte(to, ',');
        add_escaped(to, arka_rows_name(m->rows, p->tags.items[i].column));
        arka_buf_byte(to, '=');
        add_escaped(to, p->tags.items[i].text);
    }
    return (arka_slice){to->failed ? NULL : to->data, to->len};
}

static lp_head *find_head(const lp_parser *p, uint32_t hash, arka_slice raw, bool canonical)
{
    if (p->heads_cap == 0)
        return NULL;
    lp_head *head;
    for (size_t i = hash; (head = p->heads[i & (p->heads_cap - 1)]) != NULL; i++)
        if (head->hash == hash && head->len == raw.len &&
            (canonical ? head->canonical : head->as_written) &&
            memcmp(head->raw, raw.data, raw.len) == 0)
            return head;
    return NULL;
}

static void place(lp_head **slots, size_t cap, lp_head *head)
{
    size_t i = head->hash;
    while (slots[i & (cap - 1)] != NULL)
        i++;
    slots[i & (cap - 1)] = head;
}

static arka_status add_head(lp_parser *p, lp_head head, lp_head **out)
{
    if (p->n_heads >= p->heads_cap / 2) {
        size_t cap = p->heads_cap ? p->heads_cap * 2 : 64;
        lp_head **slots = arka_calloc(cap, sizeof *slots);
        if (slots == NULL)
            return no_memory(p, "series", cap * sizeof *slots);
        for (size_t i = 0; i < p->heads_cap; i++)
            if (p->heads[i] != NULL)
                place(slots, cap, p->heads[i]);
        arka_free(p->heads);
        p->heads = slots;
        p->heads_cap = cap;
    }
    lp_head *made = arka_arena_alloc(&p->arena, sizeof *made);
    if (made == NULL)
        return no_memory(p, "a series", sizeof *made);
    *made = head;
    place(p->heads, p->heads_cap, made);
    p->n_heads++;
    *out = made;
    return ARKA_OK;
}

static int by_column(const void *left, const void *right)
{
    return ((const lp_tag *)left)->column - ((const lp_tag *)right)->column;
}

static arka_status make_series(lp_parser *p, lp_measurement *m, lp_series **out)
{
    size_t n_bytes = p->tags.n * sizeof(lp_tag);
    for (size_t i = 1; i < p->tags.n; i++)
        if (p->tags.items[i - 1].column > p->tags.items[i].column) {
            qsort(p->tags.items, p->tags.n, sizeof *p->tags.items, by_column);
            break;
        }
    lp_series *series = arka_arena_alloc(&p->arena, sizeof *series + n_bytes);
    if (series == NULL)
        return no_memory(p, "a series", n_bytes);
    *series = (lp_series){.measurement = m, .last_time = INT64_MIN, .tags = {.n = p->tags.n}};
    if (n_bytes > 0)
        memcpy(series->tags.cells, p->tags.items, n_bytes);
    *out = series;
    return ARKA_OK;
}

/* The series of p->tags when the line at hand does not write it in its canonical way. */
static arka_status find_series(lp_parser *p, lp_measurement *m, lp_series **out)
{
    arka_slice raw = write_canonical(p, m);
    if (raw.data == NULL)
        return no_memory(p, "a series", raw.len);
    uint32_t hash = (uint32_t)arka_hash(raw.data, raw.len, p->seed);
    lp_head *head = find_head(p, hash, raw, true);
    if (head == NULL) {
        raw.data = arka_arena_text(&p->arena, raw);
        if (raw.data == NULL)
            return no_memory(p, "a series", raw.len);
        lp_head canonical = {.raw = raw.data,
                             .len = (uint32_t)raw.len,
                             .hash = hash,
                             .canonical = true,
                             .as_written = memchr(raw.data, '\\', raw.len) == NULL};
        ARKA_TRY(make_series(p, m, &canonical.series));
        ARKA_TRY(add_head(p, canonical, &head));
    }
    *out = head->series;
    return ARKA_OK;
}

static arka_status parse_head(lp_parser *p, arka_slice raw, uint32_t hash, lp_head **out)
{
    const char *s = raw.data, *end = raw.data + raw.len;
    lp_measurement *m;
    bool any_empty, escapes = memchr(raw.data, '\\', raw.len) != NULL;
    if (!arka_lp__is_utf8(p, end))
        return arka_fail(p->why, ARKA_INPUT, "invalid UTF-8");
    ARKA_TRY(find_measurement(p, &s, end, &m));
    ARKA_TRY(parse_tags(p, m, s, end, escapes, &any_empty));
    lp_head head = {.raw = raw.data, .len = (uint32_t)raw.len, .hash = hash, .as_written = true};
    head.canonical =
        !any_empty && !escapes && m->tag_keys_normal && arka_slice_eq(p->measurement, m->name);
    if (head.canonical)
        ARKA_TRY(make_series(p, m, &head.series));
    else
        ARKA_TRY(find_series(p, m, &head.series));
    head.first = m->first;
    return add_head(p, head, out);
}

arka_status arka_lp__head(lp_parser *p, const char **s, lp_head **out)
{
    p->measurement = (arka_slice){"", 0};
    const char *end = lp_token_end(*s, p->end, ' ', '\n');
    arka_slice raw = {*s, (size_t)(end - *s)};
    if (end == p->end || *end == '\n')
        return arka_fail(p->why, ARKA_INPUT, "missing fields");
    if (raw.len > LP_MAX_HEAD)
        return arka_fail(p->why, ARKA_INPUT, "max key length exceeded: %zu > %d", raw.len,
                         LP_MAX_HEAD);
    uint32_t hash = (uint32_t)arka_hash(raw.data, raw.len, p->seed);
    lp_head *head = find_head(p, hash, raw, false);
    if (head == NULL)
        ARKA_TRY(parse_head(p, raw, hash, &head));
    p->measurement = head->series->measurement->name;
    *s = end;
    *out = head;
    return ARKA_OK;
}

arka_status arka_lp__mark_tags(lp_parser *p, const lp_series *series)
{
    lp_measurement *m = series->measurement;
    for (size_t i = 0; i < series->tags.n; i++) {
        int column = series->tags.cells[i].column;
        lp_column *c = &m->columns.items[column];
        if ((c->fits & 1 << LP_TEXT) == 0)
            return arka_fail(p->why, ARKA_CONFLICT,
                             "field type conflict: tag \"%.*s\" on measurement \"%.*s\" is type "
                             "VARCHAR, already exists as type %s",
                             ARKA_FMT(arka_rows_name(m->rows, column)), ARKA_FMT(m->name),
                             arka_type_name(c->type));
        if (c->tag)
            continue;
        if (!arka_vec_push(&p->marked, column))
            return no_memory(p, "tags", series->tags.n);
        c->tag = true;
    }
    return ARKA_OK;
}

void arka_lp__unmark_tags(lp_parser *p, lp_measurement *m)
{
    for (size_t i = 0; i < p->marked.n; i++)
        m->columns.items[p->marked.items[i]].tag = false;
    p->marked.n = 0;
}
