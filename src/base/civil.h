/**
 * Times as calendar text: microseconds since 1970-01-01T00:00:00Z, proleptic Gregorian, UTC only.
 */
#ifndef ARKA_BASE_CIVIL_H
#define ARKA_BASE_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARKA_US_PER_SECOND INT64_C(1000000)
#define ARKA_US_PER_HOUR   INT64_C(3600000000)
#define ARKA_US_PER_DAY    INT64_C(86400000000)
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: the times whose year has four digits. */
#define ARKA_TIME_MIN_US INT64_C(-62135596800000000)
#define ARKA_TIME_MAX_US INT64_C(253402300799999999)

typedef struct arka_civil {
    int64_t year;
    int month, day, hour, minute, second, micro;
} arka_civil;

/** Any int64_t works. */
arka_civil arka_civil_from_us(int64_t us);
/** Days since the epoch of a date; month 1 to 12, day 1 to 31 (not checked against the month). */
int64_t arka_days_from_civil(int64_t year, int month, int day);
/** Floor division, for hours and days before 1970. */
static inline int64_t arka_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

enum { ARKA_TIME_TEXT = 40 };
/** "2026-01-05T10:00:00Z", six fraction digits when not zero. Returns the length, no NUL. */
size_t arka_format_time(char out[ARKA_TIME_TEXT], int64_t us);
/** "2026-01-05" of a day count since the epoch. */
size_t arka_format_date(char out[ARKA_TIME_TEXT], int64_t days);
/**
 * ISO 8601: date, optional time ('T' or blank between), fraction (floored to µs), zone 'Z',
 * ±hh[:mm] or none (UTC). False if it is not that, or out of range.
 */
bool arka_parse_time(const char *text, size_t n, int64_t *us);

#endif
