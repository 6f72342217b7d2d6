/**
 * The arithmetic behind time_bucket and date_trunc, in UTC: which bucket a time falls into.
 * Times are microseconds since 1970; all functions are pure.
 */
#ifndef ARKA_SQL_TIME_FUNCTIONS_GRID_H
#define ARKA_SQL_TIME_FUNCTIONS_GRID_H

#include <duckdb.h>

#include "base/slice.h"
#include "base/status.h"

/** The times start <= t < start + span, none of them infinite. Zero-initialised holds nothing. */
typedef struct arka_time_bucket {
    int64_t start;
    uint64_t span;
} arka_time_bucket;

static inline bool arka_time_bucket_holds(arka_time_bucket b, int64_t t)
{
    return (uint64_t)t - (uint64_t)b.start < b.span;
}
/** DuckDB's 'infinity' and '-infinity' are the two values at the ends. */
static inline bool arka_time_is_finite(int64_t t)
{
    return t != INT64_MAX && t != -INT64_MAX;
}

/** Buckets of one width, of which one starts at the origin. */
typedef struct arka_time_grid {
    bool by_month;
    int64_t width;  /* microseconds, or months */
    int64_t origin; /* by month only its year and month count */
    int64_t month;  /* by month: the origin's, counted from the year 0 */
} arka_time_grid;

/**
 * A grid with DuckDB's default origin: 2000-01-03 (a Monday), by month 2000-01-01. NULL, or what is
 * wrong with the width.
 */
const char *arka_time_grid_init(arka_time_grid *grid, duckdb_interval width);
/** Put the origin elsewhere; finite. */
void arka_time_grid_move(arka_time_grid *grid, int64_t origin);
/** The bucket of t (finite). False: it starts before what a timestamp can be. */
bool arka_time_grid_find(const arka_time_grid *grid, int64_t t, arka_time_bucket *out);
/** The same on the grid shifted by `offset`: t less the offset is looked up, the offset added
 * again. */
bool arka_time_grid_find_offset(const arka_time_grid *grid, int64_t t, duckdb_interval offset,
                                arka_time_bucket *out);

typedef enum arka_time_unit {
    ARKA_TIME_UNIT_UNKNOWN,
    ARKA_TIME_UNIT_ZONE, /* a part of a time that nothing can be cut down to */
    ARKA_TIME_UNIT_MICROSECOND,
    ARKA_TIME_UNIT_MILLISECOND,
    ARKA_TIME_UNIT_SECOND,
    ARKA_TIME_UNIT_MINUTE,
    ARKA_TIME_UNIT_HOUR,
    ARKA_TIME_UNIT_DAY,
    ARKA_TIME_UNIT_WEEK, /* Monday to Sunday */
    ARKA_TIME_UNIT_MONTH,
    ARKA_TIME_UNIT_QUARTER,
    ARKA_TIME_UNIT_YEAR,
    ARKA_TIME_UNIT_ISOYEAR, /* from the Monday of the week with January 4th */
    ARKA_TIME_UNIT_DECADE,
    ARKA_TIME_UNIT_CENTURY,    /* 2000 to 2099 */
    ARKA_TIME_UNIT_MILLENNIUM, /* 2000 to 2999 */
    ARKA_TIME_UNIT_ERA,
} arka_time_unit;

/** By any of DuckDB's names for it, in any case. */
arka_time_unit arka_time_unit_of(arka_slice name);
/** The unit that t (finite) falls into; not UNKNOWN or ZONE. False as above. */
bool arka_time_unit_find(arka_time_unit unit, int64_t t, arka_time_bucket *out);

#endif
