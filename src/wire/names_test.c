#include "wire/names.h"

#include "kit/kit.h"

typedef struct said {
    const char *name, *complaint; /* NULL: none */
} said;

static void check(arka_status (*rule)(arka_slice name, arka_error *err), const said *cases,
                  size_t n)
{
    for (size_t i = 0; i < n; i++) {
        arka_error err = {0};
        arka_slice name = arka_slice_of(cases[i].name);
        if (cases[i].complaint == NULL)
            ASSERT_OK(rule(name, &err));
        else
            ASSERT_FAILS(rule(name, &err), ARKA_INPUT, cases[i].complaint);
    }
}

#define TEN   "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

TEST(databases)
{
    static const said CASES[] = {
        {"a", NULL},
        {"9-lives_B", NULL},
        {SIXTY "abcd", NULL},
        {SIXTY "abcde", "longer than 64 bytes"},
        {"", "empty"},
        {"_a", "must begin with a letter or a digit"},
        {"-a", "must begin with a letter or a digit"},
        {"a.b", "may hold only"},
        {"a/b", "may hold only"},
        {"caf\xc3\xa9", "may hold only"},
        {"a\xff", "not UTF-8"},
        {"main", "database name 'main' is reserved"},
        {"PG_Catalog", "is reserved"},
        {"maine", NULL},
    };
    check(arka_name_check_database, CASES, sizeof CASES / sizeof *CASES);
}

TEST(measurements)
{
    static const said CASES[] = {
        {"_a", NULL},
        {"disk.io-1", NULL},
        {"caf\xc3\xa9", NULL},
        {"1a", NULL},
        {SIXTY SIXTY "abcdefgh", NULL},
        {SIXTY SIXTY "abcdefghi", "longer than 128 bytes"},
        {"", "empty"},
        {".a", "must begin with"},
        {"a b", "may hold only"},
        {"a..b", "may not hold '..'"},
        {"1.2", "only digits and dots"},
        {"12", "only digits and dots"},
        {"a\xc3", "not UTF-8"},
    };
    check(arka_name_check_measurement, CASES, sizeof CASES / sizeof *CASES);
}

TEST(a_long_name_is_shown_without_half_a_character)
{
    arka_error err = {0};
    ASSERT_FAILS(
        arka_name_check_measurement(ARKA_SLICE(SIXTY TEN "012345678\xe2\x82\xac" SIXTY), &err),
        ARKA_INPUT, "'" SIXTY TEN "012345678'… is longer");
}
