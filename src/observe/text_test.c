#include "observe/text.h"

#include <unistd.h>

#include "kit/kit.h"
#include "observe/log.h"

TEST(uuids_are_version_4_and_differ)
{
    char a[ARKA_UUID_SIZE], b[ARKA_UUID_SIZE];
    arka_text_uuid(a);
    arka_text_uuid(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 36);
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        assert_true(dash ? a[i] == '-' : strchr("0123456789abcdef", a[i]) != NULL);
    }
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
}

TEST(durations_are_short)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } CASES[] = {{0, "0s"}, {59, "59s"}, {60, "1m0s"}, {3723, "1h2m3s"}, {360000, "100h0m0s"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_buf out = ARKA_BUF_INIT;
        arka_text_duration(&out, CASES[i].seconds);
        assert_string_equal(arka_buf_cstr(&out), CASES[i].text);
        arka_buf_fini(&out);
    }
}

static const char *logged(arka_log_format format, arka_log_level from, const char *message)
{
    static char line[500];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    arka_log log = {.level = from, .format = format, .fd = ends[1]};
    arka_log_write(&log, ARKA_INFO, "flush", "r-1", "%s", message);
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    line[n > 0 ? n : 0] = 0;
    return line;
}

TEST(an_event_is_one_line_whatever_it_says)
{
    const char *json = logged(ARKA_LOG_JSON, ARKA_INFO, "a \"b\"\nc\xff");
    assert_int_equal(strncmp(json, "{\"time\":\"20", 11), 0);
    assert_non_null(
        strstr(json, "\"level\":\"info\",\"event\":\"flush\","
                     "\"message\":\"a \\\"b\\\"\\nc\xef\xbf\xbd\",\"request_id\":\"r-1\"}\n"));
    const char *text = logged(ARKA_LOG_TEXT, ARKA_INFO, "a\nb");
    assert_string_equal(text + strlen("2026-01-05T10:00:00.123Z"),
                        " INFO  flush  a\\x0ab  (request r-1)\n");
}

TEST(lines_below_the_level_are_dropped)
{
    assert_string_equal(logged(ARKA_LOG_TEXT, ARKA_WARN, "x"), "");
    assert_int_equal(arka_log_level_parse("WARNING"), ARKA_WARN);
    assert_int_equal(arka_log_level_parse("Debug"), ARKA_DEBUG);
    assert_int_equal(arka_log_level_parse("nonsense"), ARKA_INFO);
}
