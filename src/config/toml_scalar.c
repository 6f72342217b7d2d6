/* TOML 1.0.0, sections Integer to Local Time: values that are one word. */
#include <math.h>

#include "base/number.h"
#include "config/toml_priv.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '_' || c == '.' || c == ':';
}

/* ---- dates and times ---- */

/* `n` digits at *at, which moves past them, into *out. */
static bool take_digits(arka_slice word, size_t *at, size_t n, int *out)
{
    if (word.len - *at < n)
        return false;
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        char c = word.data[*at + i];
        if (!is_digit(c))
            return false;
        v = v * 10 + (c - '0');
    }
    *at += n;
    *out = v;
    return true;
}

static bool take_char(arka_slice word, size_t *at, char c)
{
    if (*at == word.len || word.data[*at] != c)
        return false;
    (*at)++;
    return true;
}

static int days_of(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && leap);
}

static bool take_date(arka_slice word, size_t *at, arka_toml_time *t)
{
    return take_digits(word, at, 4, &t->year) && take_char(word, at, '-') &&
           take_digits(word, at, 2, &t->month) && take_char(word, at, '-') &&
           take_digits(word, at, 2, &t->day) && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= days_of(t->year, t->month);
}

static bool take_fraction(arka_slice word, size_t *at, int *nanosecond)
{
    size_t from = *at;
    int unit = 100000000;
    for (; *at < word.len && is_digit(word.data[*at]); (*at)++, unit /= 10)
        *nanosecond += (word.data[*at] - '0') * unit;
    return *at > from;
}

static bool take_time(arka_slice word, size_t *at, arka_toml_time *t)
{
    return take_digits(word, at, 2, &t->hour) && take_char(word, at, ':') &&
           take_digits(word, at, 2, &t->minute) && take_char(word, at, ':') &&
           take_digits(word, at, 2, &t->second) && t->hour <= 23 && t->minute <= 59 &&
           t->second <= 60 &&
           (!take_char(word, at, '.') || take_fraction(word, at, &t->nanosecond));
}

static bool take_offset(arka_slice word, size_t *at, arka_toml_time *t)
{
    if (take_char(word, at, 'Z') || take_char(word, at, 'z'))
        return true;
    int sign = take_char(word, at, '-') ? -1 : 1, hours = 0, minutes = 0;
    if (sign > 0 && !take_char(word, at, '+'))
        return false;
    if (!take_digits(word, at, 2, &hours) || !take_char(word, at, ':') ||
        !take_digits(word, at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    t->offset_minutes = sign * (hours * 60 + minutes);
    return true;
}

/* Does it begin as a date or a time does, whatever follows? */
static bool looks_like_time(arka_slice word)
{
    size_t n = 0;
    while (n < word.len && is_digit(word.data[n]))
        n++;
    return n > 0 && n < word.len && (word.data[n] == '-' || word.data[n] == ':');
}

static bool parse_time(arka_slice word, arka_toml_value *v)
{
    size_t at = 0;
    bool local_time = word.len > 2 && word.data[2] == ':';
    if (local_time) {
        v->kind = ARKA_TOML_LOCAL_TIME;
        return take_time(word, &at, &v->time) && at == word.len;
    }
    v->kind = ARKA_TOML_LOCAL_DATE;
    if (!take_date(word, &at, &v->time))
        return false;
    if (at == word.len)
        return true;
    if (!take_char(word, &at, 'T') && !take_char(word, &at, 't') && !take_char(word, &at, ' '))
        return false;
    v->kind = ARKA_TOML_LOCAL_DATETIME;
    if (!take_time(word, &at, &v->time))
        return false;
    if (at == word.len)
        return true;
    v->kind = ARKA_TOML_DATETIME;
    return take_offset(word, &at, &v->time) && at == word.len;
}

/* ---- numbers ---- */

enum { MAX_DIGITS = 400 }; /* more tell nothing to a double, and are no 64-bit integer */

typedef bool (*is_digit_of)(char c);

static bool is_hex(char c)
{
    return arka_hex_digit(c) >= 0;
}
static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}
static bool is_binary(char c)
{
    return c == '0' || c == '1';
}

/*
 * Digits with single underscores between them, from *at, without the underscores into `out`, of
 * which *n are used. False: there are none, or an underscore stands at an end, or too many.
 */
static bool take_number(arka_slice word, size_t *at, is_digit_of good, char out[MAX_DIGITS + 8],
                        size_t *n)
{
    size_t from = *at;
    for (; *at < word.len; (*at)++) {
        char c = word.data[*at];
        bool between = *at > from && word.data[*at - 1] != '_' && *at + 1 < word.len &&
                       good(word.data[*at + 1]);
        if (c == '_' && between)
            continue;
        if (!good(c))
            break;
        if (*n >= MAX_DIGITS)
            return false;
        out[(*n)++] = c;
    }
    return *at > from && word.data[*at - 1] != '_';
}

/* 0x…, 0o…, 0b…; *fits is false when it is beyond 64 bits. */
static bool parse_based(arka_slice word, arka_toml_value *v, bool *fits)
{
    static const struct {
        char letter;
        int shift;
        is_digit_of good;
    } BASES[] = {{'x', 4, is_hex}, {'o', 3, is_octal}, {'b', 1, is_binary}};
    char digits[MAX_DIGITS + 8];
    for (size_t i = 0; i < 3; i++) {
        size_t at = 2, n = 0;
        if (word.len < 3 || word.data[0] != '0' || word.data[1] != BASES[i].letter)
            continue;
        if (!take_number(word, &at, BASES[i].good, digits, &n) || at < word.len)
            return false;
        v->kind = ARKA_TOML_INT;
        for (size_t k = 0; k < n; k++) {
            *fits &= v->i64 <= INT64_MAX >> BASES[i].shift;
            v->i64 = (int64_t)((uint64_t)v->i64 << BASES[i].shift) | arka_hex_digit(digits[k]);
        }
        return true;
    }
    return false;
}

static bool has_leading_zero(const char *digits, size_t n)
{
    return n > 1 && digits[0] == '0';
}

/* A decimal integer or a float. */
static bool parse_decimal(arka_slice word, arka_toml_value *v, bool *fits)
{
    char text[MAX_DIGITS + 8];
    size_t at = 0, n = 0;
    if (word.len > 0 && (word.data[0] == '-' || word.data[0] == '+')) {
        at = 1;
        if (word.data[0] == '-')
            text[n++] = '-';
    }
    size_t sign = n;
    if (!take_number(word, &at, is_digit, text, &n) || has_leading_zero(text + sign, n - sign))
        return false;
    if (at == word.len) {
        v->kind = ARKA_TOML_INT;
        *fits = arka_parse_i64(text, n, &v->i64);
        return true;
    }
    if (take_char(word, &at, '.')) {
        text[n++] = '.';
        if (!take_number(word, &at, is_digit, text, &n))
            return false;
    }
    if (take_char(word, &at, 'e') || take_char(word, &at, 'E')) {
        text[n++] = 'e';
        if (at < word.len && (word.data[at] == '-' || word.data[at] == '+')) {
            if (word.data[at++] == '-')
                text[n++] = '-';
        }
        if (!take_number(word, &at, is_digit, text, &n))
            return false;
    }
    v->kind = ARKA_TOML_FLOAT;
    if (at == word.len)
        *fits = arka_parse_f64(text, n, &v->f64);
    return at == word.len;
}

static bool parse_special(arka_slice word, arka_toml_value *v)
{
    bool yes = arka_slice_eq(word, ARKA_SLICE("true"));
    if (yes || arka_slice_eq(word, ARKA_SLICE("false"))) {
        v->kind = ARKA_TOML_BOOL;
        v->boolean = yes;
        return true;
    }
    bool sign = word.len == 4 && (word.data[0] == '-' || word.data[0] == '+');
    double minus = sign && word.data[0] == '-' ? -1 : 1;
    arka_slice rest = {word.data + sign, word.len - sign};
    v->kind = ARKA_TOML_FLOAT;
    if (arka_slice_eq(rest, ARKA_SLICE("inf")))
        v->f64 = minus * (double)INFINITY;
    else if (arka_slice_eq(rest, ARKA_SLICE("nan")))
        v->f64 = copysign((double)NAN, minus);
    else
        return false;
    return true;
}

/* ---- the word ---- */

enum { LONGEST_SHOWN = 30, SHOWN_OF_LONGER = 8 };

/* A blank between a date and a time belongs to it. */
static bool is_blank_in_time(arka_slice word, const char *end)
{
    arka_toml_time t = {0};
    size_t at = 0;
    return word.len == 10 && take_date(word, &at, &t) && end - (word.data + word.len) >= 3 &&
           word.data[10] == ' ' && is_digit(word.data[11]) && is_digit(word.data[12]);
}

arka_status arka_toml__scalar(arka_toml_place *p, arka_toml_value *v, arka_error *err)
{
    arka_slice word = {p->at, 0};
    while (p->at + word.len < p->end && is_word_char(word.data[word.len]))
        word.len++;
    if (word.len == 0)
        return arka_toml__unexpected(p, err, "a value");
    if (is_blank_in_time(word, p->end))
        do
            word.len++;
        while (p->at + word.len < p->end && is_word_char(word.data[word.len]));
    /* a long one may be a secret whose quotes were forgotten: its beginning has to do */
    int shown = word.len > LONGEST_SHOWN ? SHOWN_OF_LONGER : (int)word.len;
    const char *more = word.len > LONGEST_SHOWN ? "…" : "";
    bool fits = true;
    if (looks_like_time(word)) {
        if (!parse_time(word, v))
            return arka_toml__refuse(p, err,
                                     "found '%.*s%s', expected a date, a time, or both, such as "
                                     "1979-05-27T07:32:00Z",
                                     shown, word.data, more);
    } else if (!parse_special(word, v) && !parse_based(word, v, &fits) &&
               !parse_decimal(word, v, &fits)) {
        return arka_toml__refuse(p, err,
                                 "found '%.*s%s', expected a string in quotes, a number, a date, "
                                 "true, false, [ or {",
                                 shown, word.data, more);
    }
    if (!fits)
        return arka_toml__refuse(p, err, "found %.*s%s, expected a number that fits 64 bits", shown,
                                 word.data, more);
    p->at += word.len;
    return ARKA_OK;
}
