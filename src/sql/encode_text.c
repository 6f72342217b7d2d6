#include "sql/encode_text.h"

#include <math.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"

static char *put2(char *at, uint32_t v)
{
    at[0] = (char)('0' + v / 10);
    at[1] = (char)('0' + v % 10);
    return at + 2;
}

static char *put_digits(char *at, uint32_t v, int n)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        at[i] = (char)('0' + v % 10);
    return at + n;
}

static void clock_set(arka_sql_clock *clock, int64_t hour, int64_t units_per_hour)
{
    int64_t day = arka_floor_div(hour, 24);
    size_t n = arka_format_date(clock->text, day);
    char *at = clock->text + n;
    *at++ = 'T';
    at = put2(at, (uint32_t)(hour - day * 24));
    *at++ = ':';
    clock->n = (size_t)(at - clock->text);
    clock->hour = hour;
    clock->start = (uint64_t)hour * (uint64_t)units_per_hour;
}

size_t arka_sql_format_timestamp(char *out, int64_t t, int64_t unit_ns, arka_sql_clock *clock)
{
    if (ARKA_UNLIKELY(!arka_sql_timestamp_is_finite(t))) {
        size_t n = t < 0 ? 9 : 8;
        memcpy(out, t < 0 ? "-infinity" : "infinity", n);
        return n;
    }
    int64_t per_second = INT64_C(1000000000) / unit_ns;
    int64_t per_hour = 3600 * per_second;
    if (clock->n == 0 || (uint64_t)t - clock->start >= (uint64_t)per_hour)
        clock_set(clock, arka_floor_div(t, per_hour), per_hour);

    uint64_t of_hour = (uint64_t)t - clock->start;
    uint32_t second = (uint32_t)(of_hour / (uint64_t)per_second);
    uint32_t fraction = (uint32_t)(of_hour - second * (uint64_t)per_second);
    memcpy(out, clock->text, 24); /* more than any: 12 digits of a year, the sign, "-01-05T10:" */
    char *at = out + clock->n;
    at = put2(at, second / 60);
    *at++ = ':';
    at = put2(at, second % 60);
    if (fraction != 0) {
        *at++ = '.';
        if (unit_ns == 1)
            at = put_digits(at, fraction, 9);
        else
            at = put_digits(at, (uint32_t)(fraction * (uint64_t)(unit_ns / 1000)), 6);
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

size_t arka_sql_format_u128(char *out, unsigned __int128 v)
{
    const uint64_t group = UINT64_C(10000000000000000000); /* 19 digits */
    if (v < group)
        return arka_format_u64(out, (uint64_t)v);
    size_t n = arka_sql_format_u128(out, v / group);
    char digits[ARKA_NUMBER_TEXT];
    size_t m = arka_format_u64(digits, (uint64_t)(v % group));
    memset(out + n, '0', 19 - m);
    memcpy(out + n + 19 - m, digits, m);
    return n + 19;
}

size_t arka_sql_format_i128(char *out, __int128 v)
{
    if (v >= 0)
        return arka_sql_format_u128(out, (unsigned __int128)v);
    out[0] = '-';
    return 1 + arka_sql_format_u128(out + 1, 0 - (unsigned __int128)v);
}

size_t arka_sql_format_decimal(char *out, __int128 v, int scale)
{
    if (scale == 0)
        return arka_sql_format_i128(out, v);
    char digits[ARKA_SQL_TEXT_MAX];
    size_t n =
        arka_sql_format_u128(digits, v < 0 ? 0 - (unsigned __int128)v : (unsigned __int128)v);
    size_t places = (size_t)scale, at = 0;
    if (v < 0)
        out[at++] = '-';
    if (n <= places) {
        out[at++] = '0';
        out[at++] = '.';
        memset(out + at, '0', places - n);
        memcpy(out + at + places - n, digits, n);
        return at + places;
    }
    memcpy(out + at, digits, n - places);
    at += n - places;
    out[at++] = '.';
    memcpy(out + at, digits + n - places, places);
    return at + places;
}

double arka_sql_decimal_f64(__int128 v, int scale)
{
    static const double POWERS[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int64_t exact = INT64_C(1) << 53;
    /* two exact doubles: their quotient is rounded once, so correctly */
    if (v >= -exact && v <= exact && scale < (int)(sizeof POWERS / sizeof *POWERS))
        return (double)v / POWERS[scale];
    char text[ARKA_SQL_TEXT_MAX];
    double value = 0;
    arka_parse_f64(text, arka_sql_format_decimal(text, v, scale), &value);
    return value;
}

/* hh:mm:ss and a fraction without the zeros at its end. */
static char *put_time(char *at, uint64_t t, uint32_t per_second, int places)
{
    uint64_t seconds = t / per_second;
    uint64_t hours = seconds / 3600;
    uint32_t of_hour = (uint32_t)(seconds % 3600), fraction = (uint32_t)(t % per_second);
    if (hours < 10)
        *at++ = '0';
    at += arka_format_u64(at, hours);
    *at++ = ':';
    at = put2(at, of_hour / 60);
    *at++ = ':';
    at = put2(at, of_hour % 60);
    if (fraction == 0)
        return at;
    *at++ = '.';
    at = put_digits(at, fraction, places);
    while (at[-1] == '0')
        at--;
    return at;
}

/* The low 24 bits are the zone's seconds east of UTC, counted downwards from +15:59:59. */
static char *put_time_tz(char *at, uint64_t bits)
{
    int32_t zone = 16 * 3600 - 1 - (int32_t)(bits & 0xffffff);
    at = put_time(at, bits >> 24, 1000000, 6);
    *at++ = zone < 0 ? '-' : '+';
    uint32_t z = (uint32_t)(zone < 0 ? -zone : zone);
    at = put2(at, z / 3600);
    if (z % 3600 != 0) {
        *at++ = ':';
        at = put2(at, z / 60 % 60);
    }
    if (z % 60 != 0) {
        *at++ = ':';
        at = put2(at, z % 60);
    }
    return at;
}

static char *put_count(char *at, const char *first, int32_t n, const char *unit)
{
    if (n == 0)
        return at;
    if (at > first)
        *at++ = ' ';
    at += arka_format_i64(at, n);
    *at++ = ' ';
    size_t len = strlen(unit);
    memcpy(at, unit, len);
    at += len;
    if (n != 1 && n != -1)
        *at++ = 's';
    return at;
}

/* As DuckDB: "1 year 2 months 3 days 04:05:06.5". */
static char *put_interval(char *at, duckdb_interval v)
{
    char *first = at;
    at = put_count(at, first, v.months / 12, "year");
    at = put_count(at, first, v.months % 12, "month");
    at = put_count(at, first, v.days, "day");
    if (v.micros == 0 && at > first)
        return at;
    if (at > first)
        *at++ = ' ';
    if (v.micros < 0)
        *at++ = '-';
    return put_time(at, v.micros < 0 ? 0 - (uint64_t)v.micros : (uint64_t)v.micros, 1000000, 6);
}

/* DuckDB keeps the first bit turned round, so that the integers sort as the texts do. */
static char *put_uuid(char *at, duckdb_hugeint v)
{
    static const char HEX[] = "0123456789abcdef";
    uint64_t words[2] = {(uint64_t)v.upper ^ UINT64_C(1) << 63, v.lower};
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *at++ = '-';
        *at++ = HEX[words[i / 16] >> (60 - 4 * (i % 16)) & 15];
    }
    return at;
}

static char *put_f64(char *at, double v, bool narrow)
{
    if (ARKA_LIKELY(isfinite(v)))
        return at + (narrow ? arka_format_f32(at, (float)v) : arka_format_f64(at, v));
    const char *text = isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
    size_t n = strlen(text);
    memcpy(at, text, n);
    return at + n;
}

static char *put_date(char *at, int32_t days)
{
    if (arka_sql_date_is_finite(days))
        return at + arka_format_date(at, days);
    size_t n = days < 0 ? 9 : 8;
    memcpy(at, days < 0 ? "-infinity" : "infinity", n);
    return at + n;
}

/* A value whose text has a length to expect. */
static char *put_short(char *at, const arka_sql_vec *v, idx_t row)
{
    const arka_sql_type *type = v->type;
    switch (type->kind) {
    case ARKA_SQL_BOOL: {
        bool yes = ((const bool *)v->data)[row];
        memcpy(at, yes ? "true" : "false", 5);
        return at + (yes ? 4 : 5);
    }
    case ARKA_SQL_I8:
    case ARKA_SQL_I16:
    case ARKA_SQL_I32:
    case ARKA_SQL_I64:
    case ARKA_SQL_U8:
    case ARKA_SQL_U16:
    case ARKA_SQL_U32:
        return at + arka_format_i64(at, arka_sql_i64(v, row));
    case ARKA_SQL_U64:
        return at + arka_format_u64(at, ((const uint64_t *)v->data)[row]);
    case ARKA_SQL_I128:
        return at + arka_sql_format_i128(at, arka_sql_i128(v, row));
    case ARKA_SQL_U128:
        return at + arka_sql_format_u128(at, arka_sql_u128(v, row));
    case ARKA_SQL_DECIMAL:
        return at + arka_sql_format_decimal(at, arka_sql_i128(v, row), type->scale);
    case ARKA_SQL_F32:
        return put_f64(at, ((const float *)v->data)[row], true);
    case ARKA_SQL_F64:
        return put_f64(at, ((const double *)v->data)[row], false);
    case ARKA_SQL_DATE:
        return put_date(at, ((const int32_t *)v->data)[row]);
    case ARKA_SQL_TIME:
        return put_time(at, ((const uint64_t *)v->data)[row], 1000000, 6);
    case ARKA_SQL_TIME_NS:
        return put_time(at, ((const uint64_t *)v->data)[row], 1000000000, 9);
    case ARKA_SQL_TIME_TZ:
        return put_time_tz(at, ((const uint64_t *)v->data)[row]);
    case ARKA_SQL_TIMESTAMP: {
        arka_sql_clock clock = {0};
        return at + arka_sql_format_timestamp(at, ((const int64_t *)v->data)[row], type->unit_ns,
                                              &clock);
    }
    case ARKA_SQL_INTERVAL:
        return put_interval(at, ((const duckdb_interval *)v->data)[row]);
    case ARKA_SQL_UUID:
        return put_uuid(at, ((const duckdb_hugeint *)v->data)[row]);
    case ARKA_SQL_NONE:
    case ARKA_SQL_NULL:
    case ARKA_SQL_TEXT:
    case ARKA_SQL_BLOB:
    case ARKA_SQL_BIT:
    case ARKA_SQL_ENUM:
    case ARKA_SQL_LIST:
    case ARKA_SQL_ARRAY:
    case ARKA_SQL_STRUCT:
    case ARKA_SQL_MAP:
    case ARKA_SQL_UNION:
        break;
    }
    return at;
}

/* The first byte says how many bits of the second are padding. */
static void append_bits(arka_buf *out, arka_slice bytes)
{
    if (bytes.len < 2)
        return;
    size_t padding = (unsigned char)bytes.data[0] & 7, n = (bytes.len - 1) * 8;
    char *to = arka_buf_reserve(out, n - padding);
    if (to == NULL)
        return;
    for (size_t i = padding; i < n; i++)
        *to++ = (unsigned char)bytes.data[1 + i / 8] >> (7 - i % 8) & 1 ? '1' : '0';
    out->len += n - padding;
}

static arka_slice label(const arka_sql_vec *v, idx_t row)
{
    uint64_t i = (uint64_t)arka_sql_i64(v, row);
    return i < v->type->n_labels ? v->type->labels[i] : ARKA_SLICE("");
}

void arka_sql_append_text(arka_buf *out, const arka_sql_vec *v, idx_t row)
{
    if (v->type->kind == ARKA_SQL_TEXT) {
        arka_utf8_repair(out, arka_sql_bytes(v, row));
    } else if (v->type->kind == ARKA_SQL_ENUM) {
        arka_utf8_repair(out, label(v, row));
    } else if (v->type->kind == ARKA_SQL_BLOB) {
        arka_base64_encode(out, arka_sql_bytes(v, row));
    } else if (v->type->kind == ARKA_SQL_BIT) {
        append_bits(out, arka_sql_bytes(v, row));
    } else {
        char *to = arka_buf_reserve(out, ARKA_SQL_TEXT_MAX);
        if (to != NULL)
            out->len += (size_t)(put_short(to, v, row) - to);
    }
}

/* Eight bytes at once: does none of them need a second look in JSON (control, quote, backslash, not
 * ASCII)? */
static bool is_plain_word(uint64_t w)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t quote = w ^ ones * '"', backslash = w ^ ones * '\\';
    return ((w | (w - ones * 0x20) | (quote - ones) | (backslash - ones)) & high) == 0;
}

static bool is_plain(const char *text, size_t n)
{
    uint64_t w;
    size_t at = 0;
    for (; at + 8 <= n; at += 8) {
        memcpy(&w, text + at, 8);
        if (!is_plain_word(w))
            return false;
    }
    w = UINT64_C(0x2020202020202020);
    memcpy(&w, text + at, n - at);
    return is_plain_word(w);
}

void arka_sql_append_json_string(arka_buf *out, arka_slice text)
{
    if (text.len == 0) {
        arka_buf_literal(out, "\"\"");
    } else if (is_plain(text.data, text.len)) {
        char *to = arka_buf_reserve(out, text.len + 2);
        if (to == NULL)
            return;
        to[0] = '"';
        memcpy(to + 1, text.data, text.len);
        to[text.len + 1] = '"';
        out->len += text.len + 2;
    } else {
        arka_json_string_repaired(out, text);
    }
}

static void append_json_list(arka_buf *out, const arka_sql_vec *v, idx_t row)
{
    arka_sql_range range = arka_sql_list_range(v, row);
    arka_buf_byte(out, '[');
    for (idx_t i = 0; i < range.n; i++) {
        if (i > 0)
            arka_buf_byte(out, ',');
        arka_sql_append_json(out, &v->children[0], range.from + i);
    }
    arka_buf_byte(out, ']');
}

/* A key must be a string: one that is none is the string of its text, a list that of its JSON. */
static void append_json_key(arka_buf *out, const arka_sql_vec *v, idx_t row)
{
    if (v->type->kind == ARKA_SQL_TEXT || v->type->kind == ARKA_SQL_ENUM) {
        arka_sql_append_json(out, v, row);
    } else if (v->type->kind < ARKA_SQL_LIST) {
        arka_buf_byte(out, '"');
        arka_sql_append_text(out, v, row);
        arka_buf_byte(out, '"');
    } else {
        ARKA_AUTO_VALUE(arka_buf) text = ARKA_BUF_INIT;
        arka_sql_append_json(&text, v, row);
        out->failed |= text.failed;
        arka_sql_append_json_string(out, (arka_slice){text.data, text.len});
    }
}

static void append_json_map(arka_buf *out, const arka_sql_vec *v, idx_t row)
{
    arka_sql_range range = arka_sql_list_range(v, row);
    arka_buf_byte(out, '{');
    for (idx_t i = 0; i < range.n; i++) {
        if (i > 0)
            arka_buf_byte(out, ',');
        append_json_key(out, &v->children[0], range.from + i);
        arka_buf_byte(out, ':');
        arka_sql_append_json(out, &v->children[1], range.from + i);
    }
    arka_buf_byte(out, '}');
}

static void append_json_member(arka_buf *out, const arka_sql_vec *v, int member, idx_t row)
{
    arka_sql_append_json_string(out, v->type->children[member].name);
    arka_buf_byte(out, ':');
    arka_sql_append_json(out, &v->children[member], row);
}

static void append_json_struct(arka_buf *out, const arka_sql_vec *v, idx_t row)
{
    arka_buf_byte(out, '{');
    for (int i = 0; i < v->type->n_children; i++) {
        if (i > 0)
            arka_buf_byte(out, ',');
        append_json_member(out, v, i, row);
    }
    arka_buf_byte(out, '}');
}

static void append_json_union(arka_buf *out, const arka_sql_vec *v, idx_t row)
{
    int member = ((const uint8_t *)v->data)[row];
    arka_buf_byte(out, '{');
    if (member < v->type->n_children)
        append_json_member(out, v, member, row);
    arka_buf_byte(out, '}');
}

static bool is_number(const arka_sql_vec *v, idx_t row)
{
    if (v->type->kind == ARKA_SQL_F32)
        return isfinite(((const float *)v->data)[row]);
    return v->type->kind != ARKA_SQL_F64 || isfinite(((const double *)v->data)[row]);
}

void arka_sql_append_json(arka_buf *out, const arka_sql_vec *v, idx_t row)
{
    if (arka_sql_is_null(v, row) || v->type->kind == ARKA_SQL_NULL || !is_number(v, row)) {
        arka_buf_literal(out, "null");
        return;
    }
    switch (v->type->kind) {
    case ARKA_SQL_BOOL:
    case ARKA_SQL_I8:
    case ARKA_SQL_I16:
    case ARKA_SQL_I32:
    case ARKA_SQL_I64:
    case ARKA_SQL_I128:
    case ARKA_SQL_U8:
    case ARKA_SQL_U16:
    case ARKA_SQL_U32:
    case ARKA_SQL_U64:
    case ARKA_SQL_U128:
    case ARKA_SQL_F32:
    case ARKA_SQL_F64:
    case ARKA_SQL_DECIMAL:
        arka_sql_append_text(out, v, row);
        return;
    case ARKA_SQL_TEXT:
        arka_sql_append_json_string(out, arka_sql_bytes(v, row));
        return;
    case ARKA_SQL_ENUM:
        arka_sql_append_json_string(out, label(v, row));
        return;
    case ARKA_SQL_BLOB:
    case ARKA_SQL_BIT:
    case ARKA_SQL_UUID:
    case ARKA_SQL_DATE:
    case ARKA_SQL_TIME:
    case ARKA_SQL_TIME_NS:
    case ARKA_SQL_TIME_TZ:
    case ARKA_SQL_TIMESTAMP:
    case ARKA_SQL_INTERVAL: /* their texts need no escapes */
        arka_buf_byte(out, '"');
        arka_sql_append_text(out, v, row);
        arka_buf_byte(out, '"');
        return;
    case ARKA_SQL_LIST:
    case ARKA_SQL_ARRAY:
        append_json_list(out, v, row);
        return;
    case ARKA_SQL_STRUCT:
        append_json_struct(out, v, row);
        return;
    case ARKA_SQL_MAP:
        append_json_map(out, v, row);
        return;
    case ARKA_SQL_UNION:
        append_json_union(out, v, row);
        return;
    case ARKA_SQL_NONE:
    case ARKA_SQL_NULL:
        break;
    }
}
