#include "config/units.h"

#include <strings.h>

#include "base/number.h"

/* What a unit's name multiplies with; 0: there is no such unit. */
static int64_t size_unit(arka_slice name)
{
    static const char LETTERS[] = "kmgt";
    if (name.len == 1 && strncasecmp(name.data, "b", 1) == 0)
        return 1;
    const char *found = name.len > 0 ? strchr(LETTERS, name.data[0] | 0x20) : NULL;
    if (found == NULL || *found == 0)
        return 0;
    bool whole = name.len == 1 || (name.len == 2 && strncasecmp(name.data + 1, "b", 1) == 0) ||
                 (name.len == 3 && strncasecmp(name.data + 1, "ib", 2) == 0);
    return whole ? INT64_C(1) << 10 * (found - LETTERS + 1) : 0;
}

static int64_t time_unit(arka_slice name)
{
    static const struct {
        const char *name;
        int64_t ms;
    } UNITS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (arka_slice_eq(name, arka_slice_of(UNITS[i].name)))
            return UNITS[i].ms;
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The next number with a unit of text[*at...), added to *sum. */
static arka_unit_fault add_part(arka_slice text, arka_dimension dimension, size_t *at, int64_t *sum)
{
    size_t from = *at, n = from;
    while (n < text.len && is_digit(text.data[n]))
        n++;
    if (n == from)
        return ARKA_UNIT_NOT_A_NUMBER;
    int64_t v;
    bool fits = arka_parse_i64(text.data + from, n - from, &v);
    while (n < text.len && text.data[n] == ' ')
        n++;
    from = n;
    while (n < text.len && !is_digit(text.data[n]) && text.data[n] != ' ')
        n++;
    arka_slice name = {text.data + from, n - from};
    int64_t unit = dimension == ARKA_BYTES ? size_unit(name) : time_unit(name);
    if (unit == 0)
        return ARKA_UNIT_NOT_A_NUMBER;
    while (n < text.len && text.data[n] == ' ' && dimension == ARKA_MILLISECONDS)
        n++;
    *at = n;
    if (!fits || __builtin_mul_overflow(v, unit, &v) || __builtin_add_overflow(*sum, v, sum))
        return ARKA_UNIT_TOO_LARGE;
    return ARKA_UNIT_OK;
}

/* Is it digits with perhaps a sign, however many? */
static bool is_bare(arka_slice text)
{
    size_t from = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+');
    for (size_t i = from; i < text.len; i++)
        if (!is_digit(text.data[i]))
            return false;
    return text.len > from;
}

arka_unit_fault arka_units_parse(arka_slice text, arka_dimension dimension, int64_t bare,
                                 int64_t unit, int64_t *out)
{
    int64_t sum = 0;
    if (is_bare(text)) {
        size_t plus = text.data[0] == '+';
        if (!arka_parse_i64(text.data + plus, text.len - plus, &sum) ||
            __builtin_mul_overflow(sum, bare, &sum))
            return ARKA_UNIT_TOO_LARGE;
        if (sum < 0 && sum > -unit) /* -1 says something of its own: no unit makes it less */
            return ARKA_UNIT_UNEVEN;
    } else {
        size_t at = 0;
        do {
            arka_unit_fault fault = add_part(text, dimension, &at, &sum);
            if (fault != ARKA_UNIT_OK)
                return fault;
        } while (at < text.len && dimension == ARKA_MILLISECONDS);
        if (at < text.len)
            return ARKA_UNIT_NOT_A_NUMBER;
    }
    if (sum % unit != 0)
        return ARKA_UNIT_UNEVEN;
    *out = sum / unit;
    return ARKA_UNIT_OK;
}
