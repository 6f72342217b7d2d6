#include "kit/kit.h"
#include "sql/complaint.h"

static arka_text text_of(const char *user)
{
    return (arka_text){.user = arka_slice_of(user), .sql = arka_slice_of(user)};
}

TEST(places_are_those_of_the_users_text)
{
    static const size_t INSERTED[] = {5, 12};
    arka_text text = {
        .user = ARKA_SLICE("FROM default.cpu"), .inserted = INSERTED, .n_inserted = 2};
    /* FROM "default".cpu */
    static const size_t USER_AT[] = {0, 1,  2,  3,  4,  5,  5,  6,  7, 8,
                                     9, 10, 11, 12, 12, 13, 14, 15, 16};
    for (size_t i = 0; i < sizeof USER_AT / sizeof *USER_AT; i++)
        assert_int_equal(arka_text_user_at(&text, i), USER_AT[i]);
    assert_int_equal(arka_text_user_at(&text, 19), ARKA_TEXT_NOWHERE);
    text.prefix = 100;
    assert_int_equal(arka_text_user_at(&text, 99), ARKA_TEXT_NOWHERE);
    assert_int_equal(arka_text_user_at(&text, 100), 0);
    assert_int_equal(arka_text_user_at(&text, 115), 13);
}

TEST(duckdbs_errors_keep_their_kind)
{
    static const struct {
        const char *message;
        arka_status status;
        const char *says;
    } CASES[] = {
        {"{\"exception_type\":\"Binder\",\"exception_message\":\"no x\",\"position\":\"7\"}",
         ARKA_INPUT, "Binder Error: no x\n\nLINE 1: SELECT x\n               ^"},
        {"Parser Error: {\"exception_type\":\"Parser\",\"exception_message\":\"bad\"}", ARKA_INPUT,
         "Parser Error: bad"},
        {"{\"exception_type\":\"Out of Memory\",\"exception_message\":\"full\"}", ARKA_LIMIT,
         "Out of Memory Error: full"},
        {"{\"exception_type\":\"INTERRUPT\",\"exception_message\":\"Interrupted!\"}",
         ARKA_CANCELLED, "Interrupted!"},
        {"{\"exception_type\":\"Permission\",\"exception_message\":\"no\"}", ARKA_FORBIDDEN, "no"},
        {"{\"exception_type\":\"IO\",\"exception_message\":\"gone\"}", ARKA_IO, "gone"},
        {"{\"exception_type\":\"INTERNAL\",\"exception_message\":\"oops\"}", ARKA_INTERNAL, "oops"},
        {"IO Error: cannot open {file}", ARKA_IO, "cannot open {file}"},
        {"Conversion Error: no", ARKA_INPUT, "Conversion Error: no"},
        {"something else", ARKA_INTERNAL, "something else"},
        {NULL, ARKA_INTERNAL, "DuckDB failed"},
    };
    arka_text text = text_of("SELECT x");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_error err = {0};
        ASSERT_FAILS(arka_complain_duckdb(&err, &text, 0, CASES[i].message), CASES[i].status,
                     CASES[i].says);
    }
}

TEST(a_long_message_leaves_room_for_the_place)
{
    arka_error err = {0};
    char json[3000], words[2000];
    arka_text text = text_of("SELECT x FROM t");
    memset(words, 'w', sizeof words);
    words[sizeof words - 1] = 0;
    memcpy(words + 350, "äöü", strlen("äöü"));
    snprintf(json, sizeof json,
             "{\"exception_type\":\"Binder\",\"exception_message\":\"%s\",\"position\":7}", words);
    arka_status status = arka_complain_duckdb(&err, &text, 0, json);
    assert_int_equal(status, ARKA_INPUT);
    assert_non_null(strstr(err.msg, " …\n\nLINE 1: SELECT x FROM t\n               ^"));
    assert_int_equal(strlen(err.msg) > 480, 1);
}

TEST(snippets_of_any_shape)
{
    static const struct {
        const char *text;
        size_t at;
        const char *says;
    } CASES[] = {
        {"", 0, "x\n\nLINE 1: \n        ^"},
        {"abc", 3, "LINE 1: abc\n           ^"},
        {"a\n\nb", 2, "LINE 2: \n        ^"},
        {"a\r\nb c", 5, "LINE 2: b c\n          ^"},
        {"\tä\tx", 4, "LINE 1:  ä x\n           ^"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaa",
         1,
         "LINE 1: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\n    "
         "     ^"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_error err = {0};
        arka_text text = text_of(CASES[i].text);
        ASSERT_FAILS(arka_complain(&err, ARKA_INPUT, &text, CASES[i].at, "x"), ARKA_INPUT,
                     CASES[i].says);
    }
    /* every place of a long line of wide characters gives valid text, within its bounds */
    char wide[600];
    for (size_t i = 0; i + 2 < sizeof wide; i += 2)
        memcpy(wide + i, "ö", 2);
    wide[598] = 0;
    arka_text text = text_of(wide);
    for (size_t at = 0; at <= 598; at += 2) {
        arka_error err = {0};
        arka_status status = arka_complain(&err, ARKA_INPUT, &text, at, "x");
        assert_int_equal(status, ARKA_INPUT);
        assert_int_equal(err.msg[strlen(err.msg) - 1], '^');
    }
}

TEST(without_memory_duckdbs_error_is_ours_not_its_raw_text)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        arka_error err = {0};
        arka_text text = text_of("SELECT x");
        kit_fail_allocation(n, false);
        arka_status status = arka_complain_duckdb(
            &err, &text, 0,
            "{\"exception_type\":\"Binder\",\"exception_message\":\"no x\",\"position\":\"7\"}");
        failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        assert_int_equal(status, failed ? ARKA_NOMEM : ARKA_INPUT);
        assert_int_equal(err.code, status);
        assert_non_null(strstr(err.msg, failed ? "out of memory" : "Binder Error: no x"));
    }
}
