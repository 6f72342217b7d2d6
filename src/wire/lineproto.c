/* Lines, their fields and timestamps, and what becomes of those that are refused. */
#include "wire/lineproto.h"

#include <stdio.h>

#include "base/civil.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "wire/lineproto_priv.h"

enum {
    SHOWN_BYTES = 100, /* of a refused line, in the reason */
    SHOWN_TEXT = SHOWN_BYTES * 4 + 8,
};

bool arka_precision_parse(arka_slice text, arka_precision *out)
{
    static const struct {
        const char *name;
        arka_precision precision;
    } NAMES[] = {
        {"", ARKA_PRECISION_NS},          {"ns", ARKA_PRECISION_NS},
        {"n", ARKA_PRECISION_NS},         {"us", ARKA_PRECISION_US},
        {"u", ARKA_PRECISION_US},         {"\xc2\xb5", ARKA_PRECISION_US},
        {"\xc2\xb5s", ARKA_PRECISION_US}, {"\xce\xbc", ARKA_PRECISION_US},
        {"\xce\xbcs", ARKA_PRECISION_US}, {"ms", ARKA_PRECISION_MS},
        {"s", ARKA_PRECISION_S},          {"m", ARKA_PRECISION_M},
        {"h", ARKA_PRECISION_H},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (arka_slice_eq(text, arka_slice_of(NAMES[i].name))) {
            *out = NAMES[i].precision;
            return true;
        }
    return false;
}

static arka_status bad(lp_parser *p, const char *why)
{
    return arka_fail(p->why, ARKA_INPUT, "%s", why);
}

/* A field key that was not guessed: at *s, moved behind its '='. */
static arka_status find_field(lp_parser *p, lp_measurement *m, const char **s, lp_field **out)
{
    const char *at = *s, *end = p->end;
    while (!lp_at_eol(at, end) && *at != '=' && *at != ',' && *at != ' ')
        at += 1 + lp_at_escape(at, end);
    arka_slice raw = {*s, (size_t)(at - *s)};
    if (raw.len == 0)
        return bad(p, "missing field key");
    if (at == end || *at != '=')
        return bad(p, "invalid field format");
    lp_field *field = arka_map_get(&m->fields, raw);
    if (field == NULL) {
        int column;
        arka_slice name = arka_lp__unescape(p, raw);
        if (name.data == NULL)
            return arka_fail_nomem(p->err, "a field key", raw.len);
        ARKA_TRY(arka_lp__column(p, m, name, &column));
        field = arka_arena_alloc(&p->arena, sizeof *field);
        if (field == NULL || !arka_map_put(&m->fields, raw, field))
            return arka_fail_nomem(p->err, "a field key", raw.len);
        *field = (lp_field){.raw = raw, .column = column};
    }
    *s = at + 1;
    *out = field;
    return ARKA_OK;
}

/* A value at *s, moved behind it. */
static inline arka_status scan_value(lp_parser *p, const char **s, lp_value *out)
{
    const char *at = *s, *end = p->end;
#if LP_SWAR
    if (ARKA_LIKELY(end - at >= LP_NUMBER_ROOM)) {
        const char *stop = lp_scan_number(at, out);
        if (ARKA_LIKELY(stop != NULL && (*stop == ',' || *stop == ' ' || lp_at_eol(stop, end)))) {
            *s = stop;
            return ARKA_OK;
        }
    }
#endif
    if (at < end && *at == '"') {
        bool escaped;
        const char *stop = lp_string_end(at + 1, end, &escaped);
        if (stop == NULL)
            return bad(p, "unbalanced quotes");
        *out = (lp_value){LP_TEXT, escaped, {.text = {at + 1, (size_t)(stop - at - 1)}}};
        *s = stop + 1;
        return ARKA_OK;
    }
    if (lp_value_end(at, end) == at)
        return bad(p, "missing field value");
    const char *why;
    const char *stop = lp_scan_slow(at, end, out, &why);
    if (stop == NULL)
        return bad(p, why);
    *s = stop;
    return ARKA_OK;
}

static arka_status type_conflict(lp_parser *p, const lp_measurement *m, int column, lp_kind kind)
{
    static const char *const TYPES[] = {
        [LP_F64] = "DOUBLE", [LP_I64] = "BIGINT", [LP_BOOL] = "BOOLEAN", [LP_TEXT] = "VARCHAR"};
    return arka_fail(p->why, ARKA_CONFLICT,
                     "field type conflict: input field \"%.*s\" on measurement \"%.*s\" is type "
                     "%s, already exists as type %s",
                     ARKA_FMT(arka_rows_name(m->rows, column)), ARKA_FMT(m->name), TYPES[kind],
                     arka_type_name(m->columns.items[column].type));
}

static inline arka_status add_cell(lp_parser *p, lp_measurement *m, lp_cell *cell)
{
    lp_column *c = &m->columns.items[cell->column];
    if (ARKA_UNLIKELY(c->tag)) {
        ARKA_TRY(arka_lp__aside(p, m, cell->column, &cell->column));
        c = &m->columns.items[cell->column];
    }
    if (ARKA_UNLIKELY((c->fits >> cell->value.kind & 1) == 0))
        return type_conflict(p, m, cell->column, cell->value.kind);
    if (ARKA_UNLIKELY(c->line == p->line_id) && c->cell < p->cells.n &&
        p->cells.items[c->cell].column == cell->column) {
        p->cells.items[c->cell] = *cell; /* a repeated key: the last value counts */
        return ARKA_OK;
    }
    c->line = p->line_id;
    c->cell = (uint32_t)p->cells.n;
    if (!arka_vec_push(&p->cells, *cell))
        return arka_fail_nomem(p->err, "fields", p->cells.n * sizeof *cell);
    return ARKA_OK;
}

/* The fields from *s into p->cells; *s moves to what ended the last one. */
static inline arka_status scan_fields(lp_parser *p, lp_head *head, const char **s)
{
    lp_measurement *m = head->series->measurement;
    lp_field *guess = head->first, **link = &head->first;
    const char *at = *s, *end = p->end;
    p->cells.n = 0;
    for (;; at++) {
        lp_field *field = guess;
        if (ARKA_LIKELY(field != NULL && (size_t)(end - at) > field->raw.len &&
                        at[field->raw.len] == '=' &&
                        lp_same(at, field->raw.data, field->raw.len))) {
            at += field->raw.len + 1;
        } else {
            ARKA_TRY(find_field(p, m, &at, &field));
            *link = field;
        }
        lp_cell cell = {.column = field->column};
        ARKA_TRY(scan_value(p, &at, &cell.value));
        ARKA_TRY(add_cell(p, m, &cell));
        if (at == end || *at != ',')
            break;
        link = &field->next;
        guess = field->next;
    }
    m->first = head->first;
    *s = at;
    return ARKA_OK;
}

/* Microseconds of a timestamp in the request's unit; false: outside of what can be stored. */
static inline bool to_us(arka_precision precision, int64_t t, int64_t *us)
{
    static const int64_t US[] = {[ARKA_PRECISION_US] = 1,
                                 [ARKA_PRECISION_MS] = 1000,
                                 [ARKA_PRECISION_S] = ARKA_US_PER_SECOND,
                                 [ARKA_PRECISION_M] = 60 * ARKA_US_PER_SECOND,
                                 [ARKA_PRECISION_H] = ARKA_US_PER_HOUR};
    if (ARKA_LIKELY(precision == ARKA_PRECISION_NS)) {
        *us = arka_floor_div(t, 1000);
        return true;
    }
    return !__builtin_mul_overflow(t, US[precision], us) && *us >= ARKA_TIME_MIN_US &&
           *us <= ARKA_TIME_MAX_US;
}

static arka_status scan_time_slow(lp_parser *p, const char **s, int64_t *out)
{
    const char *at = *s, *end = p->end;
    bool negative = *at == '-', fits = true;
    at += negative;
    const char *first = at;
    uint64_t v = 0;
    for (; at < end && lp_is_digit(*at); at++)
        fits = fits && !__builtin_mul_overflow(v, 10, &v) &&
               !__builtin_add_overflow(v, (uint64_t)(*at - '0'), &v);
    if (at == first || (at < end && *at != ' ' && *at != '\t' && !lp_at_eol(at, end)))
        return bad(p, "bad timestamp");
    if (!fits || v > (uint64_t)INT64_MAX + negative)
        return bad(p, "time outside range");
    *out = (int64_t)(negative ? 0 - v : v);
    *s = at;
    return ARKA_OK;
}

/* A timestamp, and whatever blanks follow: *s moves to the end of the line. */
static inline arka_status scan_time(lp_parser *p, const char **s, int64_t *us)
{
    const char *at = *s, *end = p->end;
    int64_t t = 0;
    bool done = false;
#if LP_SWAR
    if (ARKA_LIKELY(end - at >= LP_NUMBER_ROOM)) {
        bool negative = *at == '-';
        const char *stop = at + negative;
        uint64_t m = 0;
        unsigned n = 0;
        done = lp_take_digits(&stop, &m, &n) && n > 0 && m <= INT64_MAX && lp_at_eol(stop, end);
        if (ARKA_LIKELY(done)) {
            t = negative ? -(int64_t)m : (int64_t)m;
            at = stop;
        }
    }
#endif
    if (ARKA_UNLIKELY(!done))
        ARKA_TRY(scan_time_slow(p, &at, &t));
    if (ARKA_UNLIKELY(!to_us(p->options->precision, t, us)))
        return bad(p, "time outside range");
    *s = lp_skip_blanks(at, end);
    return lp_at_eol(*s, end) ? ARKA_OK : bad(p, "point is invalid: text follows the timestamp");
}

/* The line at *s, which is no blank, up to its end. */
static inline arka_status scan_line(lp_parser *p, const char **s)
{
    const char *at = *s, *end = p->end;
    lp_head *head = p->previous ? p->previous->next : NULL;
    if (ARKA_LIKELY(head != NULL && (size_t)(end - at) > head->len && at[head->len] == ' ' &&
                    lp_same(at, head->raw, head->len))) {
        at += head->len;
        p->measurement = head->series->measurement->name;
    } else {
        ARKA_TRY(arka_lp__head(p, &at, &head));
        if (p->previous != NULL)
            p->previous->next = head;
    }
    p->previous = head;
    lp_series *series = head->series;
    if (ARKA_UNLIKELY(!series->stored))
        ARKA_TRY(arka_lp__mark_tags(p, series));
    at = lp_skip_blanks(at, end);
    if (lp_at_eol(at, end))
        return bad(p, "missing fields");
    ARKA_TRY(scan_fields(p, head, &at));
    int64_t us = p->options->now_us;
    if (!lp_at_eol(at, end)) {
        if (*at != ' ')
            return bad(p, "invalid field format");
        at = lp_skip_blanks(at, end);
        if (!lp_at_eol(at, end))
            ARKA_TRY(scan_time(p, &at, &us));
    }
    if (ARKA_UNLIKELY(at > p->valid_to) && !arka_lp__is_utf8(p, at))
        return bad(p, "invalid UTF-8");
    ARKA_TRY(arka_lp__store(p, head, us));
    *s = at;
    return ARKA_OK;
}

/*
 * Where the line ends that could not be read: a newline in a string (which begins with a quote
 * right behind an unescaped '=') is not its end.
 */
static const char *line_end(const char *s, const char *end)
{
    bool fields = false, value = false, escaped;
    for (; s < end && *s != '\n'; s++) {
        if (value && *s == '"') {
            const char *stop = lp_string_end(s + 1, end, &escaped);
            if (stop == NULL)
                return end;
            s = stop;
        }
        value = fields && *s == '=';
        fields |= *s == ' ';
        s += lp_at_escape(s, end);
    }
    return s;
}

/* Bytes of a line as text, shortened; whatever is no printable character as \xNN. */
static void show(char out[SHOWN_TEXT], arka_slice line)
{
    size_t at = 0, i = 0;
    while (i < line.len && i < SHOWN_BYTES) {
        unsigned char c = (unsigned char)line.data[i];
        size_t n = 1, rest = line.len - i < 4 ? line.len - i : 4;
        while (n < rest && (line.data[i + n] & 0xc0) == 0x80)
            n++;
        if (c >= 0x20 && c != 0x7f && arka_utf8_valid(line.data + i, n)) {
            memcpy(out + at, line.data + i, n);
            at += n;
        } else {
            n = 1;
            at += (size_t)snprintf(out + at, SHOWN_TEXT - at, "\\x%02x", c);
        }
        i += n;
    }
    snprintf(out + at, SHOWN_TEXT - at, "%s", i < line.len ? "…" : "");
}

static int64_t line_number(lp_parser *p, const char *line)
{
    while (p->counted_to < line) {
        const char *lf = memchr(p->counted_to, '\n', (size_t)(line - p->counted_to));
        if (lf == NULL)
            break;
        p->lines_counted++;
        p->counted_to = lf + 1;
    }
    return p->lines_counted + 1;
}

/* Record why the line at hand is refused; where it ends. */
static const char *reject(lp_parser *p, arka_status status)
{
    const char *stop = line_end(p->line, p->end);
    arka_slice line = {p->line, (size_t)(stop - p->line)};
    line.len -= line.len > 0 && line.data[line.len - 1] == '\r';
    if (p->why == NULL) {
        arka_writes_reject(p->out, 0, p->measurement, "", NULL, 0);
        return stop;
    }
    char shown[SHOWN_TEXT], reason[SHOWN_TEXT + sizeof p->why->msg + 32];
    show(shown, line);
    if (status == ARKA_CONFLICT)
        snprintf(reason, sizeof reason, "%s", p->why->msg);
    else
        snprintf(reason, sizeof reason, "unable to parse '%s': %s", shown, p->why->msg);
    arka_writes_reject(p->out, line_number(p, p->line), p->measurement, reason, line.data,
                       line.len);
    *p->why = (arka_error){0};
    if (p->out->rejects.n == ARKA_WRITES_MAX_REJECTS)
        p->why = NULL; /* from here on refused lines are only counted */
    return stop;
}

static arka_status scan_all(lp_parser *p)
{
    const char *s = p->text;
    for (;;) {
        while (s < p->end && (*s == '\n' || *s == ' ' || *s == '\t' || lp_at_eol(s, p->end)))
            s++;
        if (s == p->end)
            return ARKA_OK;
        if (*s == '#') {
            s = memchr(s, '\n', (size_t)(p->end - s));
            if (s == NULL)
                return ARKA_OK;
            continue;
        }
        p->line = s;
        p->line_id++;
        if (p->valid_to < s)
            p->valid_to = s;
        arka_status status = scan_line(p, &s);
        if (ARKA_LIKELY(status == ARKA_OK))
            continue;
        if (status != ARKA_INPUT && status != ARKA_CONFLICT)
            return status;
        if (p->marked.n > 0)
            arka_lp__unmark_tags(p, p->previous->series->measurement);
        s = reject(p, status);
    }
}

static arka_status seal_all(lp_parser *p)
{
    for (size_t i = 0; i < p->measurements.n; i++) {
        lp_measurement *m = p->measurements.items[i];
        int64_t n_rows = arka_rows_n(m->rows);
        if (n_rows == 0)
            continue;
        arka_write write = {
            .measurement = {arka_arena_text(&p->out->arena, m->stored), m->stored.len}};
        if (write.measurement.data == NULL || !arka_vec_reserve(&p->out->writes, 1))
            return arka_fail_nomem(p->err, "a write", m->stored.len);
        ARKA_TRY(arka_rows_seal(arka_take(m->rows), &write.batch, p->err));
        p->out->writes.items[p->out->writes.n++] = write;
        p->out->n_rows += n_rows;
    }
    return ARKA_OK;
}

static void lp_parser_fini(lp_parser *p)
{
    for (size_t i = 0; i < p->measurements.n; i++)
        arka_lp__measurement_free(p->measurements.items[i]);
    arka_vec_fini(&p->measurements);
    arka_map_fini(&p->by_name);
    arka_free(p->heads);
    arka_vec_fini(&p->cells);
    arka_vec_fini(&p->marked);
    arka_vec_fini(&p->tags);
    arka_buf_fini(&p->scratch);
    arka_arena_fini(&p->arena);
}

static size_t memory_for(size_t len, const arka_lineproto_options *options)
{
    size_t n;
    if (options->max_memory != 0)
        return options->max_memory;
    if (__builtin_mul_overflow(len, 32, &n) || __builtin_add_overflow(n, (size_t)256 << 20, &n))
        return SIZE_MAX;
    return n;
}

arka_status arka_lineproto_parse(const void *text, size_t len,
                                 const arka_lineproto_options *options, arka_writes *out,
                                 arka_error *err)
{
    if (len == 0)
        return ARKA_OK;
    arka_error why = {0};
    ARKA_AUTO_VALUE(lp_parser) p = {0};
    p.text = p.valid_to = p.counted_to = text;
    p.end = p.text + len;
    p.options = options;
    p.out = out;
    p.err = err;
    p.why = &why;
    p.memory_left = memory_for(len, options);
    /* Where the stack lies is nobody's guess. */
    uintptr_t place = (uintptr_t)&p;
    p.seed = arka_hash(&place, sizeof place, (uint64_t)options->now_us);
    ARKA_TRY(scan_all(&p));
    out->n_members = (int64_t)p.line_id;
    return seal_all(&p);
}
