#include "base/civil.h"

#include <string.h>

#include "base/number.h"

/* days_from_civil and civil_from_days after Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms" */
int64_t arka_days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = arka_floor_div(year, 400);
    int64_t yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t days, arka_civil *c)
{
    days += 719468;
    int64_t era = arka_floor_div(days, 146097);
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c->year = yoe + era * 400 + (c->month <= 2);
}

arka_civil arka_civil_from_us(int64_t us)
{
    arka_civil c;
    int64_t days = arka_floor_div(us, ARKA_US_PER_DAY);
    int64_t rest = us % ARKA_US_PER_DAY; /* not us - days * …, which overflows near INT64_MIN */
    rest += rest < 0 ? ARKA_US_PER_DAY : 0;
    civil_from_days(days, &c);
    c.micro = (int)(rest % 1000000);
    rest /= 1000000;
    c.second = (int)(rest % 60);
    c.minute = (int)(rest / 60 % 60);
    c.hour = (int)(rest / 3600);
    return c;
}

static char *put2(char *at, int v)
{
    at[0] = (char)('0' + v / 10);
    at[1] = (char)('0' + v % 10);
    return at + 2;
}

static char *put_date(char *at, const arka_civil *c)
{
    int64_t year = c->year;
    if (year < 0 || year > 9999) {
        *at++ = year < 0 ? '-' : '+';
        at += arka_format_u64(at, year < 0 ? 0 - (uint64_t)year : (uint64_t)year);
    } else {
        at = put2(at, (int)year / 100);
        at = put2(at, (int)year % 100);
    }
    *at++ = '-';
    at = put2(at, c->month);
    *at++ = '-';
    return put2(at, c->day);
}

size_t arka_format_time(char out[ARKA_TIME_TEXT], int64_t us)
{
    arka_civil c = arka_civil_from_us(us);
    char *at = put_date(out, &c);
    *at++ = 'T';
    at = put2(at, c.hour);
    *at++ = ':';
    at = put2(at, c.minute);
    *at++ = ':';
    at = put2(at, c.second);
    if (c.micro != 0) {
        *at++ = '.';
        at = put2(at, c.micro / 10000);
        at = put2(at, c.micro / 100 % 100);
        at = put2(at, c.micro % 100);
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

size_t arka_format_date(char out[ARKA_TIME_TEXT], int64_t days)
{
    arka_civil c = {0};
    civil_from_days(days, &c);
    return (size_t)(put_date(out, &c) - out);
}

/* Exactly n digits at *at, moved past; -1 if they are not there. */
static int digits(const char **at, const char *end, int n)
{
    int v = 0;
    if (end - *at < n)
        return -1;
    for (int i = 0; i < n; i++) {
        unsigned d = (unsigned char)(*at)[i] - '0';
        if (d > 9)
            return -1;
        v = v * 10 + (int)d;
    }
    *at += n;
    return v;
}

static bool skip(const char **at, const char *end, char c)
{
    if (*at == end || **at != c)
        return false;
    ++*at;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month - 1] + (month == 2 && leap);
}

bool arka_parse_time(const char *text, size_t n, int64_t *us)
{
    const char *at = text, *end = text + n;
    int year = digits(&at, end, 4);
    if (year < 0 || !skip(&at, end, '-'))
        return false;
    int month = digits(&at, end, 2);
    if (month < 1 || month > 12 || !skip(&at, end, '-'))
        return false;
    int day = digits(&at, end, 2);
    if (day < 1 || day > days_in_month(year, month))
        return false;
    int64_t t = arka_days_from_civil(year, month, day) * ARKA_US_PER_DAY;
    if (at == end) {
        *us = t;
        return true;
    }
    if (*at != 'T' && *at != 't' && *at != ' ')
        return false;
    at++;
    int hour = digits(&at, end, 2), minute = -1, second = 0;
    if (skip(&at, end, ':'))
        minute = digits(&at, end, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return false;
    if (skip(&at, end, ':'))
        second = digits(&at, end, 2);
    if (second < 0 || second > 60)
        return false;
    t += ((hour * INT64_C(60) + minute) * 60 + second) * ARKA_US_PER_SECOND;
    if (skip(&at, end, '.')) {
        int64_t unit = 100000;
        const char *first = at;
        for (; at < end && (unsigned char)(*at - '0') <= 9; at++, unit /= 10)
            t += (*at - '0') * unit;
        if (at == first)
            return false;
    }
    if (at == end || skip(&at, end, 'Z') || skip(&at, end, 'z')) {
        *us = t;
        return at == end;
    }
    int sign = *at == '-' ? -1 : *at == '+' ? 1 : 0;
    if (sign == 0)
        return false;
    at++;
    int zone_hour = digits(&at, end, 2), zone_minute = 0;
    if (at < end) {
        skip(&at, end, ':');
        zone_minute = digits(&at, end, 2);
    }
    if (zone_hour < 0 || zone_hour > 23 || zone_minute < 0 || zone_minute > 59 || at != end)
        return false;
    *us = t - sign * (zone_hour * 60 + zone_minute) * 60 * ARKA_US_PER_SECOND;
    return true;
}
