#include "sql/time_functions_grid.h"

#include <strings.h>

#include "base/civil.h"

/* The first day that DuckDB's timestamps have whole. */
#define TIME_MIN (-106751991 * ARKA_US_PER_DAY)
#define DAYS_MAX INT64_C(106751991)

static bool bucket_set(arka_time_bucket *out, int64_t start, uint64_t span)
{
    if (start < TIME_MIN)
        return false;
    uint64_t to_infinity = (uint64_t)INT64_MAX - (uint64_t)start;
    *out = (arka_time_bucket){start, span < to_infinity ? span : to_infinity};
    return true;
}

/* Microseconds of the first instant of a month counted from the year 0; false if there is no such.
 */
static bool month_start(int64_t month, int64_t *us)
{
    int64_t year = arka_floor_div(month, 12);
    int64_t days = arka_days_from_civil(year, (int)(month - year * 12) + 1, 1);
    return !__builtin_mul_overflow(days, ARKA_US_PER_DAY, us);
}

static bool months_bucket(int64_t first, int64_t n, arka_time_bucket *out)
{
    int64_t start, end;
    if (!month_start(first, &start))
        return false;
    if (!month_start(first + n, &end))
        end = INT64_MAX;
    return bucket_set(out, start, (uint64_t)end - (uint64_t)start);
}

static int64_t month_of(int64_t t)
{
    arka_civil c = arka_civil_from_us(t);
    return c.year * 12 + c.month - 1;
}

const char *arka_time_grid_init(arka_time_grid *grid, duckdb_interval width)
{
    int parts = (width.months != 0) + (width.days != 0) + (width.micros != 0);
    if (parts > 1)
        return width.months != 0 ? "Month intervals cannot have day or time component"
                                 : "Day intervals cannot have time component";
    if (width.months < 0 || width.days < 0 || width.micros < 0 || parts == 0)
        return "Period must be greater than 0";
    grid->by_month = width.months != 0;
    if (grid->by_month)
        grid->width = width.months;
    else if (width.days > DAYS_MAX)
        grid->width = INT64_MAX; /* as good as any width beyond the range: see find_by_width */
    else
        grid->width = width.days != 0 ? width.days * ARKA_US_PER_DAY : width.micros;
    arka_time_grid_move(grid, (grid->by_month ? 10957 : 10959) * ARKA_US_PER_DAY);
    return NULL;
}

void arka_time_grid_move(arka_time_grid *grid, int64_t origin)
{
    grid->origin = origin;
    grid->month = grid->by_month ? month_of(origin) : 0;
}

static bool find_by_width(const arka_time_grid *grid, int64_t t, arka_time_bucket *out)
{
    int64_t since, start;
    if (__builtin_sub_overflow(t, grid->origin, &since))
        return false;
    int64_t n = arka_floor_div(since, grid->width);
    if (n < 0 && grid->width == INT64_MAX)
        return false;
    if (__builtin_mul_overflow(n, grid->width, &start) ||
        __builtin_add_overflow(start, grid->origin, &start))
        return false;
    return bucket_set(out, start, (uint64_t)grid->width);
}

bool arka_time_grid_find(const arka_time_grid *grid, int64_t t, arka_time_bucket *out)
{
    if (!grid->by_month)
        return find_by_width(grid, t, out);
    int64_t n = arka_floor_div(month_of(t) - grid->month, grid->width);
    return months_bucket(grid->month + n * grid->width, grid->width, out);
}

static bool add_months(int64_t months, int64_t *t)
{
    arka_civil c = arka_civil_from_us(*t);
    int64_t month = c.year * 12 + c.month - 1 + months;
    int64_t start, next, day = (c.day - 1) * ARKA_US_PER_DAY;
    if (!month_start(month, &start) || !month_start(month + 1, &next))
        return false;
    if (day >= next - start)
        day = next - start - ARKA_US_PER_DAY; /* the 31st of a shorter month is its last day */
    int64_t of_day = *t - arka_floor_div(*t, ARKA_US_PER_DAY) * ARKA_US_PER_DAY;
    return !__builtin_add_overflow(start, day + of_day, t);
}

/* As DuckDB with ICU adds them: the largest part first, in an interval with a negative part the
 * smallest. */
static bool add_interval(int64_t months, int64_t days, int64_t micros, int64_t *t)
{
    bool upwards = months < 0 || days < 0 || micros < 0;
    int64_t day_micros;
    if (upwards && __builtin_add_overflow(*t, micros, t))
        return false;
    if (months != 0 && !add_months(months, t))
        return false;
    if (__builtin_mul_overflow(days, ARKA_US_PER_DAY, &day_micros) ||
        __builtin_add_overflow(*t, day_micros, t))
        return false;
    if (!upwards && __builtin_add_overflow(*t, micros, t))
        return false;
    return *t >= TIME_MIN;
}

bool arka_time_grid_find_offset(const arka_time_grid *grid, int64_t t, duckdb_interval offset,
                                arka_time_bucket *out)
{
    arka_time_bucket b;
    if (offset.micros == INT64_MIN ||
        !add_interval(-(int64_t)offset.months, -(int64_t)offset.days, -offset.micros, &t) ||
        !arka_time_grid_find(grid, t, &b) ||
        !add_interval(offset.months, offset.days, offset.micros, &b.start))
        return false;
    /* months differ in length: there the bucket's end does not shift as its start does */
    return bucket_set(out, b.start, offset.months == 0 ? b.span : 0);
}

arka_time_unit arka_time_unit_of(arka_slice name)
{
    static const struct {
        const char *name;
        arka_time_unit unit;
    } names[] = {
        {"year", ARKA_TIME_UNIT_YEAR},
        {"yr", ARKA_TIME_UNIT_YEAR},
        {"y", ARKA_TIME_UNIT_YEAR},
        {"years", ARKA_TIME_UNIT_YEAR},
        {"yrs", ARKA_TIME_UNIT_YEAR},
        {"month", ARKA_TIME_UNIT_MONTH},
        {"mon", ARKA_TIME_UNIT_MONTH},
        {"months", ARKA_TIME_UNIT_MONTH},
        {"mons", ARKA_TIME_UNIT_MONTH},
        {"day", ARKA_TIME_UNIT_DAY},
        {"days", ARKA_TIME_UNIT_DAY},
        {"d", ARKA_TIME_UNIT_DAY},
        {"dayofmonth", ARKA_TIME_UNIT_DAY},
        {"dow", ARKA_TIME_UNIT_DAY},
        {"dayofweek", ARKA_TIME_UNIT_DAY},
        {"weekday", ARKA_TIME_UNIT_DAY},
        {"isodow", ARKA_TIME_UNIT_DAY},
        {"doy", ARKA_TIME_UNIT_DAY},
        {"dayofyear", ARKA_TIME_UNIT_DAY},
        {"julian", ARKA_TIME_UNIT_DAY},
        {"jd", ARKA_TIME_UNIT_DAY},
        {"decade", ARKA_TIME_UNIT_DECADE},
        {"dec", ARKA_TIME_UNIT_DECADE},
        {"decades", ARKA_TIME_UNIT_DECADE},
        {"decs", ARKA_TIME_UNIT_DECADE},
        {"century", ARKA_TIME_UNIT_CENTURY},
        {"cent", ARKA_TIME_UNIT_CENTURY},
        {"centuries", ARKA_TIME_UNIT_CENTURY},
        {"c", ARKA_TIME_UNIT_CENTURY},
        {"millennium", ARKA_TIME_UNIT_MILLENNIUM},
        {"mil", ARKA_TIME_UNIT_MILLENNIUM},
        {"millenniums", ARKA_TIME_UNIT_MILLENNIUM},
        {"millennia", ARKA_TIME_UNIT_MILLENNIUM},
        {"mils", ARKA_TIME_UNIT_MILLENNIUM},
        {"millenium", ARKA_TIME_UNIT_MILLENNIUM},
        {"microseconds", ARKA_TIME_UNIT_MICROSECOND},
        {"microsecond", ARKA_TIME_UNIT_MICROSECOND},
        {"us", ARKA_TIME_UNIT_MICROSECOND},
        {"usec", ARKA_TIME_UNIT_MICROSECOND},
        {"usecs", ARKA_TIME_UNIT_MICROSECOND},
        {"usecond", ARKA_TIME_UNIT_MICROSECOND},
        {"useconds", ARKA_TIME_UNIT_MICROSECOND},
        {"milliseconds", ARKA_TIME_UNIT_MILLISECOND},
        {"millisecond", ARKA_TIME_UNIT_MILLISECOND},
        {"ms", ARKA_TIME_UNIT_MILLISECOND},
        {"msec", ARKA_TIME_UNIT_MILLISECOND},
        {"msecs", ARKA_TIME_UNIT_MILLISECOND},
        {"msecond", ARKA_TIME_UNIT_MILLISECOND},
        {"mseconds", ARKA_TIME_UNIT_MILLISECOND},
        {"second", ARKA_TIME_UNIT_SECOND},
        {"sec", ARKA_TIME_UNIT_SECOND},
        {"seconds", ARKA_TIME_UNIT_SECOND},
        {"secs", ARKA_TIME_UNIT_SECOND},
        {"s", ARKA_TIME_UNIT_SECOND},
        {"epoch", ARKA_TIME_UNIT_SECOND},
        {"minute", ARKA_TIME_UNIT_MINUTE},
        {"min", ARKA_TIME_UNIT_MINUTE},
        {"minutes", ARKA_TIME_UNIT_MINUTE},
        {"mins", ARKA_TIME_UNIT_MINUTE},
        {"m", ARKA_TIME_UNIT_MINUTE},
        {"hour", ARKA_TIME_UNIT_HOUR},
        {"hr", ARKA_TIME_UNIT_HOUR},
        {"hours", ARKA_TIME_UNIT_HOUR},
        {"hrs", ARKA_TIME_UNIT_HOUR},
        {"h", ARKA_TIME_UNIT_HOUR},
        {"week", ARKA_TIME_UNIT_WEEK},
        {"weeks", ARKA_TIME_UNIT_WEEK},
        {"w", ARKA_TIME_UNIT_WEEK},
        {"weekofyear", ARKA_TIME_UNIT_WEEK},
        {"yearweek", ARKA_TIME_UNIT_WEEK},
        {"quarter", ARKA_TIME_UNIT_QUARTER},
        {"quarters", ARKA_TIME_UNIT_QUARTER},
        {"isoyear", ARKA_TIME_UNIT_ISOYEAR},
        {"era", ARKA_TIME_UNIT_ERA},
        {"timezone", ARKA_TIME_UNIT_ZONE},
        {"timezone_hour", ARKA_TIME_UNIT_ZONE},
        {"timezone_minute", ARKA_TIME_UNIT_ZONE},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == name.len &&
            strncasecmp(names[i].name, name.data, name.len) == 0)
            return names[i].unit;
    return ARKA_TIME_UNIT_UNKNOWN;
}

static bool find_step(int64_t t, int64_t step, int64_t phase, arka_time_bucket *out)
{
    return bucket_set(out, arka_floor_div(t - phase, step) * step + phase, (uint64_t)step);
}

/* The Monday on or before a day, days since 1970-01-01 (a Thursday). */
static int64_t monday(int64_t day)
{
    return arka_floor_div(day + 3, 7) * 7 - 3;
}

static bool find_isoyear(int64_t t, arka_time_bucket *out)
{
    int64_t day = arka_floor_div(t, ARKA_US_PER_DAY);
    int64_t year = arka_civil_from_us(t).year + 1;
    int64_t start = monday(arka_days_from_civil(year, 1, 4)), end = 0;
    while (start > day) {
        end = start;
        start = monday(arka_days_from_civil(--year, 1, 4));
    }
    if (end == 0)
        end = monday(arka_days_from_civil(year + 1, 1, 4));
    if (start < -DAYS_MAX)
        return false;
    return bucket_set(out, start * ARKA_US_PER_DAY, (uint64_t)(end - start) * ARKA_US_PER_DAY);
}

/*
 * ICU cuts the number of the year within its era: 5 BC to the year 0 of that era, which is 1 AD,
 * and 5 AD to the year 0 of its own, which is 1 BC. So what is cut to such a year is no bucket.
 */
static bool find_years(int64_t t, int64_t n, arka_time_bucket *out)
{
    int64_t year = arka_civil_from_us(t).year;
    if (year >= n)
        return months_bucket(year / n * n * 12, n * 12, out);
    int64_t cut = year > 0 ? 0 : 1 - (1 - year) / n * n;
    if (!months_bucket(cut * 12, 12, out))
        return false;
    out->span = 0;
    return true;
}

bool arka_time_unit_find(arka_time_unit unit, int64_t t, arka_time_bucket *out)
{
    switch (unit) {
    case ARKA_TIME_UNIT_UNKNOWN:
    case ARKA_TIME_UNIT_ZONE:
    case ARKA_TIME_UNIT_MICROSECOND:
        return bucket_set(out, t, 1);
    case ARKA_TIME_UNIT_MILLISECOND:
        return find_step(t, 1000, 0, out);
    case ARKA_TIME_UNIT_SECOND:
        return find_step(t, ARKA_US_PER_SECOND, 0, out);
    case ARKA_TIME_UNIT_MINUTE:
        return find_step(t, 60 * ARKA_US_PER_SECOND, 0, out);
    case ARKA_TIME_UNIT_HOUR:
        return find_step(t, ARKA_US_PER_HOUR, 0, out);
    case ARKA_TIME_UNIT_DAY:
        return find_step(t, ARKA_US_PER_DAY, 0, out);
    case ARKA_TIME_UNIT_WEEK:
        return find_step(t, 7 * ARKA_US_PER_DAY, -3 * ARKA_US_PER_DAY, out);
    case ARKA_TIME_UNIT_MONTH:
        return months_bucket(month_of(t), 1, out);
    case ARKA_TIME_UNIT_QUARTER:
        return months_bucket(arka_floor_div(month_of(t), 3) * 3, 3, out);
    case ARKA_TIME_UNIT_YEAR:
        return months_bucket(arka_floor_div(month_of(t), 12) * 12, 12, out);
    case ARKA_TIME_UNIT_ISOYEAR:
        return find_isoyear(t, out);
    case ARKA_TIME_UNIT_DECADE:
        return find_years(t, 10, out);
    case ARKA_TIME_UNIT_CENTURY:
        return find_years(t, 100, out);
    case ARKA_TIME_UNIT_MILLENNIUM:
        return find_years(t, 1000, out);
    case ARKA_TIME_UNIT_ERA:
        return find_years(t, INT64_C(1000000), out); /* more than there are: always the year 0 */
    }
    return false;
}
