/** Values as text: what JSON, CSV and the text columns of Arrow and MessagePack share. */
#ifndef ARKA_SQL_ENCODE_TEXT_H
#define ARKA_SQL_ENCODE_TEXT_H

#include "base/buf.h"
#include "base/civil.h"
#include "sql/encode_type.h"

/** The hour that a column's times were in last: its text is not made again. Zero-initialised. */
typedef struct arka_sql_clock {
    int64_t hour;   /* since 1970 */
    uint64_t start; /* of the hour in the type's unit, modulo 2^64 */
    size_t n;
    char text[ARKA_TIME_TEXT]; /* "2026-01-05T10:" */
} arka_sql_clock;

enum { ARKA_SQL_TEXT_MAX = 96 }; /* bytes of any text below */

/**
 * A TIMESTAMP: RFC 3339 in UTC, "2026-01-05T10:00:00Z", with six digits of fraction when they are
 * not all zero; nanoseconds with nine. "infinity", "-infinity".
 */
size_t arka_sql_format_timestamp(char *out, int64_t t, int64_t unit_ns, arka_sql_clock *clock);
size_t arka_sql_format_i128(char *out, __int128 v);
size_t arka_sql_format_u128(char *out, unsigned __int128 v);
/** v / 10^scale, all its digits, one at least before the point (which JSON wants, not DuckDB). */
size_t arka_sql_format_decimal(char *out, __int128 v, int scale);
/** The double nearest to v / 10^scale. */
double arka_sql_decimal_f64(__int128 v, int scale);

/**
 * A value that is no list or the like, and not null, as text without quotes: numbers, times and
 * intervals as DuckDB casts them to VARCHAR except dates and timestamps (as above); a BLOB as
 * Base64. Text is repaired to valid UTF-8. NaN and the infinities of floats are written "NaN",
 * "Infinity",
 * "-Infinity".
 */
void arka_sql_append_text(arka_buf *out, const arka_sql_vec *v, idx_t row);
/** Any value, null too, as JSON. Floats that are no numbers are null. */
void arka_sql_append_json(arka_buf *out, const arka_sql_vec *v, idx_t row);
/** Text of any kind as a JSON string; what is not UTF-8 is repaired. */
void arka_sql_append_json_string(arka_buf *out, arka_slice text);

#endif
