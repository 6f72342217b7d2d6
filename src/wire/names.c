#include "wire/names.h"

#include <strings.h>

#include "base/utf8.h"

enum { MAX_DATABASE = 64, MAX_MEASUREMENT = 128 };

static bool is_alnum(unsigned char c)
{
    return (unsigned)(c | 32) - 'a' < 26 || (unsigned)c - '0' < 10;
}

/* Untrusted bytes inside a sentence: shortened, and only where they are text. */
static arka_status refuse(arka_error *err, const char *what, arka_slice name, const char *why)
{
    if (!arka_utf8_valid(name.data, name.len))
        return arka_fail(err, ARKA_INPUT, "%s name is not UTF-8", what);
    size_t shown = arka_utf8_cut(name.data, name.len, 80);
    return arka_fail(err, ARKA_INPUT, "%s name '%.*s'%s %s", what, (int)shown, name.data,
                     shown < name.len ? "…" : "", why);
}

arka_status arka_name_check_database(arka_slice name, arka_error *err)
{
    static const char *const RESERVED[] = {"system",     "internal", "information_schema",
                                           "pg_catalog", "main",     "temp"};
    if (name.len == 0)
        return arka_fail(err, ARKA_INPUT, "database name is empty");
    if (name.len > MAX_DATABASE)
        return refuse(err, "database", name, "is longer than 64 bytes");
    if (!is_alnum((unsigned char)name.data[0]))
        return refuse(err, "database", name, "must begin with a letter or a digit");
    for (size_t i = 0; i < name.len; i++)
        if (!is_alnum((unsigned char)name.data[i]) && name.data[i] != '_' && name.data[i] != '-')
            return refuse(err, "database", name, "may hold only letters, digits, '_' and '-'");
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
        if (name.len == strlen(RESERVED[i]) && strncasecmp(name.data, RESERVED[i], name.len) == 0)
            return refuse(err, "database", name, "is reserved");
    return ARKA_OK;
}

arka_status arka_name_check_measurement(arka_slice name, arka_error *err)
{
    if (name.len == 0)
        return arka_fail(err, ARKA_INPUT, "measurement name is empty");
    if (name.len > MAX_MEASUREMENT)
        return refuse(err, "measurement", name, "is longer than 128 bytes");
    bool only_digits_and_dots = true;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        bool word = is_alnum(c) || c == '_' || c >= 0x80;
        if (!word && (i == 0 || (c != '.' && c != '-')))
            return refuse(err, "measurement", name,
                          i == 0 ? "must begin with a letter, a digit or '_'"
                                 : "may hold only letters, digits, '_', '.' and '-'");
        if (c == '.' && name.data[i - 1] == '.')
            return refuse(err, "measurement", name, "may not hold '..'");
        only_digits_and_dots &= (c >= '0' && c <= '9') || c == '.';
    }
    if (only_digits_and_dots)
        return refuse(err, "measurement", name, "may not be only digits and dots");
    if (!arka_utf8_valid(name.data, name.len))
        return refuse(err, "measurement", name, "");
    return ARKA_OK;
}
