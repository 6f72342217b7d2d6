#include "sql/encode_arrow_column.h"

#include <inttypes.h>

#include "base/utf8.h"
#include "columnar/bits.h"
#include "sql/encode_text.h"

/* --- types --- */

/* TEXT that stands for a kind without an Arrow type of ours, and the rest as themselves. */
static arka_arrow_type arrow_type(arka_sql_kind kind)
{
    static const arka_arrow_type types[] = {
        [ARKA_SQL_NONE] = ARKA_ARROW_UTF8,     [ARKA_SQL_NULL] = ARKA_ARROW_UTF8,
        [ARKA_SQL_BOOL] = ARKA_ARROW_BOOL,     [ARKA_SQL_I8] = ARKA_ARROW_INT8,
        [ARKA_SQL_I16] = ARKA_ARROW_INT16,     [ARKA_SQL_I32] = ARKA_ARROW_INT32,
        [ARKA_SQL_I64] = ARKA_ARROW_INT64,     [ARKA_SQL_I128] = ARKA_ARROW_FLOAT64,
        [ARKA_SQL_U8] = ARKA_ARROW_UINT8,      [ARKA_SQL_U16] = ARKA_ARROW_UINT16,
        [ARKA_SQL_U32] = ARKA_ARROW_UINT32,    [ARKA_SQL_U64] = ARKA_ARROW_UINT64,
        [ARKA_SQL_U128] = ARKA_ARROW_FLOAT64,  [ARKA_SQL_F32] = ARKA_ARROW_FLOAT32,
        [ARKA_SQL_F64] = ARKA_ARROW_FLOAT64,   [ARKA_SQL_DECIMAL] = ARKA_ARROW_FLOAT64,
        [ARKA_SQL_TEXT] = ARKA_ARROW_UTF8,     [ARKA_SQL_BLOB] = ARKA_ARROW_BINARY,
        [ARKA_SQL_BIT] = ARKA_ARROW_UTF8,      [ARKA_SQL_UUID] = ARKA_ARROW_UTF8,
        [ARKA_SQL_ENUM] = ARKA_ARROW_UTF8,     [ARKA_SQL_DATE] = ARKA_ARROW_DATE32,
        [ARKA_SQL_TIME] = ARKA_ARROW_UTF8,     [ARKA_SQL_TIME_NS] = ARKA_ARROW_UTF8,
        [ARKA_SQL_TIME_TZ] = ARKA_ARROW_UTF8,  [ARKA_SQL_TIMESTAMP] = ARKA_ARROW_TIMESTAMP,
        [ARKA_SQL_INTERVAL] = ARKA_ARROW_UTF8, [ARKA_SQL_LIST] = ARKA_ARROW_LIST,
        [ARKA_SQL_ARRAY] = ARKA_ARROW_LIST,    [ARKA_SQL_STRUCT] = ARKA_ARROW_STRUCT,
        [ARKA_SQL_MAP] = ARKA_ARROW_MAP,       [ARKA_SQL_UNION] = ARKA_ARROW_UTF8,
    };
    return types[kind];
}

static bool has_children(arka_sql_kind kind)
{
    return kind == ARKA_SQL_LIST || kind == ARKA_SQL_ARRAY || kind == ARKA_SQL_STRUCT ||
           kind == ARKA_SQL_MAP;
}

const arka_arrow_field *arka_arrow_column_field(const arka_sql_type *type, arka_arena *arena,
                                                arka_arrow_field *out)
{
    *out = (arka_arrow_field){.name = type->name, .type = arrow_type(type->kind), .nullable = true};
    if (type->kind == ARKA_SQL_TIMESTAMP) {
        out->unit = ARKA_ARROW_MICRO;
        out->timezone = ARKA_SLICE("UTC");
    }
    if (!has_children(type->kind))
        return out;
    size_t n = (size_t)type->n_children;
    arka_arrow_field *children = arka_arena_zalloc(arena, n * sizeof *children);
    if (children == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (arka_arrow_column_field(&type->children[i], arena, &children[i]) == NULL)
            return NULL;
    out->children = children;
    out->n_children = type->n_children;
    if (type->kind != ARKA_SQL_MAP)
        return out;
    arka_arrow_field *entries = arka_arena_zalloc(arena, sizeof *entries);
    if (entries == NULL)
        return NULL;
    children[0].nullable = false;
    *entries = (arka_arrow_field){.name = ARKA_SLICE("entries"),
                                  .type = ARKA_ARROW_STRUCT,
                                  .children = children,
                                  .n_children = 2};
    out->children = entries;
    out->n_children = 1;
    return out;
}

/* --- life --- */

static bool has_offsets(const arka_arrow_column *c)
{
    arka_arrow_type type = arrow_type(c->type->kind);
    return c->words == NULL && (type == ARKA_ARROW_UTF8 || type == ARKA_ARROW_BINARY ||
                                type == ARKA_ARROW_LIST || type == ARKA_ARROW_MAP);
}

bool arka_arrow_column_init(arka_arrow_column *c, const arka_sql_type *type,
                            arka_arrow_words *words, arka_arena *arena)
{
    c->type = type;
    c->words = words;
    if (!has_children(type->kind))
        return true;
    c->children = arka_arena_zalloc(arena, (size_t)type->n_children * sizeof *c->children);
    if (c->children == NULL)
        return false;
    for (int i = 0; i < type->n_children; i++)
        if (!arka_arrow_column_init(&c->children[i], &type->children[i], NULL, arena))
            return false;
    return true;
}

void arka_arrow_column_fini(arka_arrow_column *c)
{
    for (int i = 0; c->children != NULL && i < c->type->n_children; i++)
        arka_arrow_column_fini(&c->children[i]);
    arka_buf_fini(&c->validity);
    arka_buf_fini(&c->values);
    arka_buf_fini(&c->bytes);
    arka_buf_fini(&c->picked);
}

bool arka_arrow_column_failed(const arka_arrow_column *c)
{
    bool failed = c->validity.failed || c->values.failed || c->bytes.failed || c->picked.failed ||
                  (c->words != NULL && arka_arrow_words_failed(c->words));
    for (int i = 0; c->children != NULL && i < c->type->n_children; i++)
        failed |= arka_arrow_column_failed(&c->children[i]);
    return failed;
}

size_t arka_arrow_column_bytes(const arka_arrow_column *c)
{
    size_t n = c->validity.len + c->values.len;
    n += c->words != NULL ? arka_arrow_words_unsent_bytes(c->words) : c->bytes.len;
    for (int i = 0; c->children != NULL && i < c->type->n_children; i++)
        n += arka_arrow_column_bytes(&c->children[i]);
    return n;
}

/* --- bits --- */

/* Bits at bit `at` of bits->data, m <= 64 of them; those behind become 0. */
static void put_bits(arka_buf *bits, int64_t at, uint64_t word, int m)
{
    enum { SPILL = 16 };
    size_t byte = (size_t)at / 8;
    int shift = (int)(at & 7);
    bits->len = byte;
    char *to = arka_buf_reserve(bits, SPILL);
    if (to == NULL)
        return;
    uint64_t low = word << shift;
    uint8_t kept = shift == 0 ? 0 : (uint8_t)(*(uint8_t *)to & ((1u << shift) - 1));
    low |= kept;
    memcpy(to, &low, sizeof low);
    to[8] = shift == 0 ? 0 : (char)(word >> (64 - shift));
    bits->len = (size_t)(at + m + 7) / 8;
}

static void put_ones(arka_buf *bits, int64_t at, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64) {
        int m = n - i < 64 ? (int)(n - i) : 64;
        put_bits(bits, at + i, ~UINT64_C(0) >> (64 - m), m);
    }
}

static idx_t row_at(arka_arrow_rows rows, idx_t i)
{
    return rows.picked != NULL ? rows.picked[i] : rows.from + i;
}

/* The validity of up to 64 rows from rows[i] on. */
static uint64_t validity_word(const arka_sql_vec *v, arka_arrow_rows rows, idx_t i, int m)
{
    if (rows.picked == NULL)
        return arka_bits_load((const uint8_t *)v->validity, (int64_t)(rows.from + i), m);
    uint64_t word = 0;
    for (int k = 0; k < m; k++)
        word |= (uint64_t)!arka_sql_is_null(v, rows.picked[i + (idx_t)k]) << k;
    return word;
}

static void append_validity(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows)
{
    if (v->validity == NULL) {
        if (c->n_nulls > 0)
            put_ones(&c->validity, c->n, (int64_t)rows.n);
        return;
    }
    for (idx_t i = 0; i < rows.n; i += 64) {
        int m = rows.n - i < 64 ? (int)(rows.n - i) : 64;
        uint64_t word = validity_word(v, rows, i, m);
        int n_nulls = m - __builtin_popcountll(word);
        if (n_nulls > 0 && c->n_nulls == 0)
            put_ones(&c->validity, 0, c->n + (int64_t)i);
        c->n_nulls += n_nulls;
        if (c->n_nulls > 0)
            put_bits(&c->validity, c->n + (int64_t)i, word, m);
    }
}

/* A value that Arrow has not becomes null, after append_validity. */
static void set_null(arka_arrow_column *c, int64_t row, int64_t n_rows)
{
    if (c->n_nulls == 0)
        put_ones(&c->validity, 0, n_rows);
    if (c->validity.failed)
        return;
    uint8_t *byte = (uint8_t *)c->validity.data + row / 8;
    c->n_nulls += *byte >> (row & 7) & 1;
    *byte &= (uint8_t) ~(1u << (row & 7));
}

/* --- values of a fixed width --- */

static char *append_fixed(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows,
                          size_t width)
{
    char *to = arka_buf_reserve(&c->values, rows.n * width);
    if (to == NULL)
        return NULL;
    const char *data = v->data;
    if (rows.picked == NULL)
        memcpy(to, data + rows.from * width, rows.n * width);
    else
        for (idx_t i = 0; i < rows.n; i++)
            memcpy(to + i * width, data + rows.picked[i] * width, width);
    c->values.len += rows.n * width;
    return to;
}

/* What stands in a vector under a null is left over from other rows: nobody's business. */
static void blank_nulls(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows,
                        char *values, size_t width)
{
    if (v->validity == NULL || values == NULL)
        return;
    for (idx_t i = 0; i < rows.n; i++)
        if (arka_sql_is_null(v, row_at(rows, i)))
            memset(values + i * width, 0, width);
}

static bool all_finite(const char *times, idx_t n)
{
    bool infinite = false;
    for (idx_t i = 0; i < n; i++) {
        int64_t t;
        memcpy(&t, times + i * sizeof t, sizeof t);
        infinite |= !arka_sql_timestamp_is_finite(t);
    }
    return !infinite;
}

static arka_status append_timestamps(arka_arrow_column *c, const arka_sql_vec *v,
                                     arka_arrow_rows rows, arka_error *err)
{
    char *to = append_fixed(c, v, rows, sizeof(int64_t));
    blank_nulls(c, v, rows, to, sizeof(int64_t));
    if (to == NULL || (v->type->unit_ns == 1000 && all_finite(to, rows.n)))
        return ARKA_OK;
    for (idx_t i = 0; i < rows.n; i++) {
        int64_t t, us = 0;
        memcpy(&t, to + i * sizeof t, sizeof t);
        if (!arka_sql_timestamp_is_finite(t))
            set_null(c, c->n + (int64_t)i, c->n + (int64_t)rows.n);
        else if (!arka_sql_to_us(t, v->type->unit_ns, &us))
            return arka_fail(err, ARKA_INPUT,
                             "column \"%.*s\" holds the time %" PRId64 " in units of %" PRId64
                             " ns, which microseconds cannot",
                             ARKA_FMT(v->type->name), t, v->type->unit_ns);
        memcpy(to + i * sizeof us, &us, sizeof us);
    }
    return ARKA_OK;
}

static void append_dates(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows)
{
    char *to = append_fixed(c, v, rows, sizeof(int32_t));
    blank_nulls(c, v, rows, to, sizeof(int32_t));
    for (idx_t i = 0; to != NULL && i < rows.n; i++) {
        int32_t days;
        memcpy(&days, to + i * sizeof days, sizeof days);
        if (ARKA_UNLIKELY(!arka_sql_date_is_finite(days))) {
            set_null(c, c->n + (int64_t)i, c->n + (int64_t)rows.n);
            memset(to + i * sizeof days, 0, sizeof days);
        }
    }
}

static void append_bools(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows)
{
    const uint8_t *data = v->data;
    for (idx_t i = 0; i < rows.n; i += 64) {
        int m = rows.n - i < 64 ? (int)(rows.n - i) : 64;
        uint64_t word = 0;
        for (int k = 0; k < m; k++)
            word |= (uint64_t)(data[row_at(rows, i + (idx_t)k)] & 1) << k;
        if (v->validity != NULL)
            word &= validity_word(v, rows, i, m);
        put_bits(&c->values, c->n + (int64_t)i, word, m);
    }
}

/* Numbers of up to 128 bits, and decimals, as the nearest double. */
static void append_wide(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows)
{
    char *to = arka_buf_reserve(&c->values, rows.n * sizeof(double));
    if (to == NULL)
        return;
    for (idx_t i = 0; i < rows.n; i++) {
        idx_t row = row_at(rows, i);
        double value = 0;
        if (!arka_sql_is_null(v, row))
            value = v->type->kind == ARKA_SQL_U128
                        ? (double)arka_sql_u128(v, row)
                        : arka_sql_decimal_f64(arka_sql_i128(v, row), v->type->scale);
        memcpy(to + i * sizeof value, &value, sizeof value);
    }
    c->values.len += rows.n * sizeof(double);
}

/* --- texts --- */

static int32_t *offsets_of(arka_arrow_column *c)
{
    return (int32_t *)(void *)c->values.data;
}

/* Room for n more offsets, behind those there are; the first of all is 0. */
static int32_t *reserve_offsets(arka_arrow_column *c, idx_t n)
{
    char *to = arka_buf_reserve(&c->values, (n + 1) * sizeof(int32_t));
    if (to == NULL)
        return NULL;
    if (c->values.len == 0) {
        memset(to, 0, sizeof(int32_t));
        c->values.len = sizeof(int32_t);
    }
    return offsets_of(c) + c->n + 1;
}

static bool is_ascii(const char *text, size_t n)
{
    uint64_t all = 0, word;
    size_t at = 0;
    for (; at + 8 <= n; at += 8) {
        memcpy(&word, text + at, 8);
        all |= word;
    }
    for (; at < n; at++)
        all |= (unsigned char)text[at];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

/* The texts of the rows from c->n on, from byte `start` on: made valid UTF-8 where they are not. */
static arka_status repair_texts(arka_arrow_column *c, idx_t n, size_t start)
{
    int32_t *ends = offsets_of(c) + c->n + 1;
    bool good = true;
    for (idx_t i = 0, from = start; i < n && good; from = (idx_t)ends[i++])
        good = arka_utf8_valid(c->bytes.data + from, (size_t)ends[i] - from);
    if (good)
        return ARKA_OK;
    ARKA_AUTO_VALUE(arka_buf) repaired = ARKA_BUF_INIT;
    for (idx_t i = 0, from = start; i < n; i++) {
        arka_slice text = {c->bytes.data + from, (size_t)ends[i] - from};
        from = (idx_t)ends[i];
        arka_utf8_repair(&repaired, text);
        if (repaired.len > INT32_MAX - start)
            return ARKA_LIMIT;
        ends[i] = (int32_t)(start + repaired.len);
    }
    c->bytes.len = start;
    c->bytes.failed |= repaired.failed;
    arka_buf_append(&c->bytes, repaired.data, repaired.len);
    return ARKA_OK;
}

static arka_status append_texts(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows)
{
    enum { INLINE = 12 }; /* bytes of a text that DuckDB keeps in its handle */
    const duckdb_string_t *handles = v->data;
    size_t start = c->bytes.len, total = 0;
    for (idx_t i = 0; i < rows.n; i++) {
        idx_t row = row_at(rows, i);
        total += arka_sql_is_null(v, row) ? 0 : handles[row].value.inlined.length;
    }
    if (total > INT32_MAX - start)
        return ARKA_LIMIT;
    int32_t *ends = reserve_offsets(c, rows.n);
    char *to = arka_buf_reserve(&c->bytes, total + INLINE);
    if (ends == NULL || to == NULL)
        return ARKA_OK;
    int32_t at = (int32_t)start;
    for (idx_t i = 0; i < rows.n; i++) {
        idx_t row = row_at(rows, i);
        if (ARKA_LIKELY(!arka_sql_is_null(v, row))) {
            const duckdb_string_t *h = &handles[row];
            uint32_t len = h->value.inlined.length;
            if (len <= INLINE)
                memcpy(to, h->value.inlined.inlined, INLINE); /* all of it: cheaper than to look */
            else
                memcpy(to, h->value.pointer.ptr, len);
            to += len;
            at += (int32_t)len;
        }
        ends[i] = at;
    }
    c->values.len += rows.n * sizeof(int32_t);
    c->bytes.len += total;
    if (v->type->kind == ARKA_SQL_TEXT && !is_ascii(c->bytes.data + start, total))
        return repair_texts(c, rows.n, start);
    return ARKA_OK;
}

/* Kinds without an Arrow type of ours. */
static arka_status append_as_text(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows)
{
    int32_t *ends = reserve_offsets(c, rows.n);
    for (idx_t i = 0; ends != NULL && i < rows.n; i++) {
        idx_t row = row_at(rows, i);
        if (arka_sql_is_null(v, row) || v->type->kind == ARKA_SQL_NULL)
            ;
        else if (v->type->kind < ARKA_SQL_LIST)
            arka_sql_append_text(&c->bytes, v, row);
        else
            arka_sql_append_json(&c->bytes, v, row);
        if (c->bytes.len > INT32_MAX)
            return ARKA_LIMIT;
        ends[i] = (int32_t)c->bytes.len;
    }
    c->values.len += rows.n * sizeof(int32_t);
    return ARKA_OK;
}

static arka_status append_words(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows)
{
    char *to = arka_buf_reserve(&c->values, rows.n * sizeof(int32_t));
    for (idx_t i = 0; to != NULL && i < rows.n; i++, to += sizeof(int32_t)) {
        idx_t row = row_at(rows, i);
        int32_t number = 0;
        if (!arka_sql_is_null(v, row)) {
            arka_buf_clear(&c->bytes);
            arka_slice text =
                v->type->kind == ARKA_SQL_TEXT ? arka_sql_bytes(v, row) : (arka_slice){NULL, 0};
            if (text.data == NULL || !is_ascii(text.data, text.len)) {
                arka_sql_append_text(&c->bytes, v, row);
                text = (arka_slice){c->bytes.data, c->bytes.len};
            }
            number = arka_arrow_words_add(c->words, text);
            if (number < 0)
                return ARKA_LIMIT;
        }
        memcpy(to, &number, sizeof number);
    }
    c->values.len += rows.n * sizeof(int32_t);
    return ARKA_OK;
}

/* --- lists and structs --- */

static arka_sql_range items_of(const arka_sql_vec *v, idx_t row)
{
    return arka_sql_is_null(v, row) ? (arka_sql_range){0} : arka_sql_list_range(v, row);
}

/* The child's rows of all lists: one run if they lie so, else picked one by one. */
static arka_arrow_rows child_rows(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows,
                                  size_t total)
{
    idx_t next = 0;
    bool run = true;
    arka_arrow_rows out = {NULL, 0, total};
    for (idx_t i = 0, seen = 0; i < rows.n && run; i++) {
        arka_sql_range items = items_of(v, row_at(rows, i));
        if (items.n == 0)
            continue;
        if (seen == 0)
            out.from = next = items.from;
        run = items.from == next;
        next += items.n;
        seen += items.n;
    }
    if (run)
        return out;
    arka_buf_clear(&c->picked);
    uint32_t *to = (uint32_t *)(void *)arka_buf_reserve(&c->picked, total * sizeof *to);
    if (to == NULL)
        return (arka_arrow_rows){0};
    out.picked = to;
    for (idx_t i = 0; i < rows.n; i++) {
        arka_sql_range items = items_of(v, row_at(rows, i));
        for (idx_t k = 0; k < items.n; k++)
            *to++ = (uint32_t)(items.from + k);
    }
    return out;
}

static arka_status append_lists(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows,
                                arka_error *err)
{
    size_t total = 0, start = (size_t)c->children[0].n;
    for (idx_t i = 0; i < rows.n; i++)
        total += items_of(v, row_at(rows, i)).n;
    if (total > INT32_MAX - start)
        return ARKA_LIMIT;
    int32_t *ends = reserve_offsets(c, rows.n);
    if (ends == NULL)
        return ARKA_OK;
    int32_t at = (int32_t)start;
    for (idx_t i = 0; i < rows.n; i++)
        ends[i] = at += (int32_t)items_of(v, row_at(rows, i)).n;
    c->values.len += rows.n * sizeof(int32_t);
    arka_arrow_rows items = child_rows(c, v, rows, total);
    for (int k = 0; k < c->type->n_children; k++)
        ARKA_TRY(arka_arrow_column_append(&c->children[k], &v->children[k], items, err));
    return ARKA_OK;
}

static arka_status append_values(arka_arrow_column *c, const arka_sql_vec *v, arka_arrow_rows rows,
                                 arka_error *err)
{
    if (c->words != NULL)
        return append_words(c, v, rows);
    switch (v->type->kind) {
    case ARKA_SQL_BOOL:
        append_bools(c, v, rows);
        return ARKA_OK;
    case ARKA_SQL_I8:
    case ARKA_SQL_I16:
    case ARKA_SQL_I32:
    case ARKA_SQL_I64:
    case ARKA_SQL_U8:
    case ARKA_SQL_U16:
    case ARKA_SQL_U32:
    case ARKA_SQL_U64:
    case ARKA_SQL_F32:
    case ARKA_SQL_F64: {
        size_t width = (size_t)v->type->bytes;
        blank_nulls(c, v, rows, append_fixed(c, v, rows, width), width);
        return ARKA_OK;
    }
    case ARKA_SQL_I128:
    case ARKA_SQL_U128:
    case ARKA_SQL_DECIMAL:
        append_wide(c, v, rows);
        return ARKA_OK;
    case ARKA_SQL_DATE:
        append_dates(c, v, rows);
        return ARKA_OK;
    case ARKA_SQL_TIMESTAMP:
        return append_timestamps(c, v, rows, err);
    case ARKA_SQL_TEXT:
    case ARKA_SQL_BLOB:
        return append_texts(c, v, rows);
    case ARKA_SQL_NONE:
    case ARKA_SQL_NULL:
    case ARKA_SQL_BIT:
    case ARKA_SQL_UUID:
    case ARKA_SQL_ENUM:
    case ARKA_SQL_TIME:
    case ARKA_SQL_TIME_NS:
    case ARKA_SQL_TIME_TZ:
    case ARKA_SQL_INTERVAL:
    case ARKA_SQL_UNION:
        return append_as_text(c, v, rows);
    case ARKA_SQL_LIST:
    case ARKA_SQL_ARRAY:
    case ARKA_SQL_MAP:
        return append_lists(c, v, rows, err);
    case ARKA_SQL_STRUCT:
        for (int k = 0; k < c->type->n_children; k++)
            ARKA_TRY(arka_arrow_column_append(&c->children[k], &v->children[k], rows, err));
        return ARKA_OK;
    }
    return ARKA_OK;
}

arka_status arka_arrow_column_append(arka_arrow_column *c, const arka_sql_vec *v,
                                     arka_arrow_rows rows, arka_error *err)
{
    append_validity(c, v, rows);
    ARKA_TRY(append_values(c, v, rows, err));
    c->n += (int64_t)rows.n;
    return ARKA_OK;
}

/* --- the whole column --- */

void arka_arrow_column_truncate(arka_arrow_column *c, int64_t n)
{
    if (c->n_nulls > 0 && !c->validity.failed) {
        put_bits(&c->validity, n, 0, 0);
        c->n_nulls = n - arka_bits_count((const uint8_t *)c->validity.data, 0, n);
    }
    if (c->n_nulls == 0)
        c->validity.len = 0;
    c->n = n;
    size_t width = (size_t)c->type->bytes, n_items = 0;
    if (has_offsets(c)) {
        n_items = c->values.len == 0 ? 0 : (size_t)offsets_of(c)[n];
        c->values.len = c->values.len == 0 ? 0 : ((size_t)n + 1) * sizeof(int32_t);
        c->bytes.len = c->children == NULL ? n_items : 0;
    } else if (c->type->kind == ARKA_SQL_BOOL) {
        if (c->values.len > 0)
            put_bits(&c->values, n, 0, 0);
    } else if (c->words != NULL) {
        c->values.len = (size_t)n * sizeof(int32_t);
    } else if (arrow_type(c->type->kind) == ARKA_ARROW_FLOAT64) {
        c->values.len = (size_t)n * sizeof(double);
    } else {
        c->values.len = (size_t)n * width;
    }
    for (int i = 0; c->children != NULL && i < c->type->n_children; i++)
        arka_arrow_column_truncate(&c->children[i],
                                   c->type->kind == ARKA_SQL_STRUCT ? n : (int64_t)n_items);
}

void arka_arrow_column_layout(const arka_arrow_column *c, arka_ipc_columns *out,
                              arka_ipc_node *nodes, arka_ipc_buffer *buffers)
{
    static const int32_t zero = 0;
    nodes[out->n_nodes++] = (arka_ipc_node){c->n, c->n_nulls};
    buffers[out->n_buffers++] =
        (arka_ipc_buffer){c->validity.data, c->n_nulls == 0 ? 0 : (int64_t)c->validity.len};
    if (has_offsets(c) && c->values.len == 0)
        buffers[out->n_buffers++] = (arka_ipc_buffer){&zero, sizeof zero};
    else if (c->type->kind != ARKA_SQL_STRUCT)
        buffers[out->n_buffers++] = (arka_ipc_buffer){c->values.data, (int64_t)c->values.len};
    if (has_offsets(c) && c->children == NULL)
        buffers[out->n_buffers++] = (arka_ipc_buffer){c->bytes.data, (int64_t)c->bytes.len};
    if (c->type->kind == ARKA_SQL_MAP) {
        nodes[out->n_nodes++] = (arka_ipc_node){c->children[0].n, 0};
        buffers[out->n_buffers++] = (arka_ipc_buffer){NULL, 0};
    }
    for (int i = 0; c->children != NULL && i < c->type->n_children; i++)
        arka_arrow_column_layout(&c->children[i], out, nodes, buffers);
}
