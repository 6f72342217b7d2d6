/* The text of requests in the log: what is written is read, all else is refused. */
#include "engine/request_text.h"

#include "base/utf8.h"
#include "kit/kit.h"

static void assert_round_trip(arka_slice database, arka_slice key, uint64_t lsn, arka_slice answer)
{
    arka_error err = {0};
    arka_buf text = ARKA_BUF_INIT;
    arka_request_line_write(&text, database, key, lsn, answer);
    assert_false(text.failed);
    assert_true(arka_utf8_valid(text.data, text.len));
    assert_null(memchr(text.data, 0, text.len));
    arka_slice rest = {text.data, text.len};
    arka_request_line line;
    ASSERT_OK(arka_request_line_read(&rest, &line, &err));
    assert_int_equal(rest.len, 0);
    assert_true(line.lsn == lsn);
    assert_true(arka_slice_eq(line.database, database));
    assert_true(arka_slice_eq(line.key, key));
    assert_true(arka_slice_eq(line.answer, arka_request_answer_cut(answer)));
    arka_buf_fini(&text);
}

TEST(what_is_written_is_read)
{
    char longest[ARKA_MAX_KEY], answer[ARKA_MAX_ANSWER], all[256];
    memset(longest, '~', sizeof longest);
    memset(answer, 'a', sizeof answer);
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    assert_round_trip(ARKA_SLICE("d"), ARKA_SLICE("k"), 1, ARKA_SLICE(""));
    assert_round_trip(ARKA_SLICE("d"), ARKA_SLICE("\\ \\x41 \"'"), (uint64_t)INT64_MAX,
                      ARKA_SLICE("{\"error\":\"a\tb\\n\"}\r\n\x7f"));
    assert_round_trip((arka_slice){longest, sizeof longest}, (arka_slice){longest, sizeof longest},
                      77, (arka_slice){answer, sizeof answer});
    assert_round_trip(ARKA_SLICE("gr\xc3\xb6\xc3\x9f"), ARKA_SLICE("k"), 10,
                      (arka_slice){all, sizeof all});
    assert_round_trip(ARKA_SLICE("\xff\xc3"), ARKA_SLICE("k"), 10, ARKA_SLICE("\xf0\x9f\x98"));
    for (int round = 0; round < 2000; round++) {
        char bytes[300];
        size_t n = kit_random() % sizeof bytes, n_database = 1 + kit_random() % 40;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = kit_random() % 2 ? (char)kit_random() : "\\x0a\t\n"[kit_random() % 6];
        assert_round_trip((arka_slice){bytes, n_database}, ARKA_SLICE("k"), kit_random() % 1000 + 1,
                          (arka_slice){bytes, n});
    }
}

TEST(an_answer_is_cut_between_characters)
{
    char answer[ARKA_MAX_ANSWER + 10];
    memset(answer, 'a', sizeof answer);
    memcpy(answer + ARKA_MAX_ANSWER - 2, "\xe2\x82\xac", 3);
    assert_int_equal(arka_request_answer_cut((arka_slice){answer, sizeof answer}).len,
                     ARKA_MAX_ANSWER - 2);
    assert_round_trip(ARKA_SLICE("d"), ARKA_SLICE("k"), 1, (arka_slice){answer, sizeof answer});
}

TEST(lines_are_read_one_by_one)
{
    arka_error err = {0};
    arka_buf text = ARKA_BUF_INIT;
    for (uint64_t i = 1; i <= 3; i++)
        arka_request_line_write(&text, ARKA_SLICE("d"), ARKA_SLICE("k"), i * 10, ARKA_SLICE("x"));
    assert_string_equal(arka_buf_cstr(&text), "10\td\tk\tx\n20\td\tk\tx\n30\td\tk\tx\n");
    arka_slice rest = {text.data, text.len};
    arka_request_line line;
    for (uint64_t i = 1; i <= 3; i++) {
        ASSERT_OK(arka_request_line_read(&rest, &line, &err));
        assert_true(line.lsn == i * 10);
    }
    assert_int_equal(rest.len, 0);
    arka_buf_fini(&text);
}

TEST(anything_else_is_refused)
{
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"", "ended by a line feed"},
        {"1\td\tk\tx", "ended by a line feed"},
        {"\n", "four fields"},
        {"1\td\tk\n", "four fields"},
        {"1\td\tk\tx\ty\n", "the answer"},
        {"0\td\tk\tx\n", "the LSN of a request in the log is '0'"},
        {"01\td\tk\tx\n", "the LSN"},
        {"-1\td\tk\tx\n", "the LSN"},
        {"\td\tk\tx\n", "the LSN"},
        {" 1\td\tk\tx\n", "the LSN"},
        {"9223372036854775808\td\tk\tx\n", "the LSN"},
        {"99999999999999999999\td\tk\tx\n", "the LSN"},
        {"1\t\tk\tx\n", "the database"},
        {"1\t\\\tk\tx\n", "the database"},
        {"1\td\t\tx\n", "the key"},
        {"1\td\t\\x0a\tx\n", "the key"},
        {"1\td\tk\xc3\xb6\tx\n", "the key"},
        {"1\td\tk\t\\n\n", "the answer"},
        {"1\td\tk\t\\x4\n", "the answer"},
        {"1\td\tk\t\\x4G\n", "the answer"},
        {"1\td\tk\t\\x4F\n", "the answer"},
        {"1\td\tk\t\\X4f\n", "the answer"},
        {"1\td\tk\tx\r\n", "the answer"},
        {"1\td\tk\t\x7f\n", "the answer"},
        {"1\td\tk\t\xff\n", "the answer"},
    };
    arka_error err = {0};
    arka_request_line line;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *text = strdup(CASES[i].text); /* so that reading past its end is found */
        arka_slice rest = {text, strlen(text)};
        ASSERT_FAILS(arka_request_line_read(&rest, &line, &err), ARKA_CORRUPT, CASES[i].says);
        free(text);
    }
    for (int field = 0; field < 3; field++) {
        static const int MOST[] = {ARKA_MAX_REQUEST_DATABASE, ARKA_MAX_KEY, ARKA_MAX_ANSWER};
        static const char *const SAYS[] = {"the database", "the key", "the answer"};
        arka_buf text = ARKA_BUF_INIT;
        arka_buf_text(&text, "5");
        for (int i = 0; i < 3; i++) {
            arka_buf_byte(&text, '\t');
            for (int n = i == field ? MOST[i] + 1 : 1; n > 0; n--)
                arka_buf_byte(&text, 'x');
        }
        arka_buf_byte(&text, '\n');
        arka_slice rest = {text.data, text.len};
        ASSERT_FAILS(arka_request_line_read(&rest, &line, &err), ARKA_CORRUPT, SAYS[field]);
        arka_buf_fini(&text);
    }
}

/* Whatever is there: an error or a line, and never a byte behind the end. */
TEST(any_bytes_are_read_or_refused)
{
    for (int round = 0; round < 20000; round++) {
        size_t n = kit_random() % 60;
        char *bytes = malloc(n ? n : 1);
        for (size_t i = 0; i < n; i++)
            bytes[i] = kit_random() % 16 ? "12\tdk\\x0af\n"[kit_random() % 10] : (char)kit_random();
        arka_slice rest = {bytes, n};
        arka_request_line line;
        while (rest.len > 0 && arka_request_line_read(&rest, &line, NULL) == ARKA_OK)
            assert_true(line.lsn > 0 && line.database.len > 0 && line.key.len > 0);
        free(bytes);
    }
}
