#include "observe/log.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "kit/kit.h"
#include "observe/keeper.h"
#include "observe/scrub.h"
#include "os/clock.h"

/* ---- lines ---- */

static const char *logged_about(arka_log_format format, arka_log_level from, arka_log_about about,
                                const char *message)
{
    static char line[8000];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    arka_log log = {.level = from, .format = format, .fd = ends[1]};
    arka_log_write_about(&log, ARKA_INFO, "flush", about, "%s", message);
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    line[n > 0 ? n : 0] = 0;
    return line;
}

static const char *logged(arka_log_format format, arka_log_level from, const char *message)
{
    return logged_about(format, from, (arka_log_about){.request_id = "r-1"}, message);
}

enum { TIME = sizeof "2026-01-05T10:00:00.123Z" - 1 };

TEST(an_event_is_one_line_whatever_it_says)
{
    const char *json = logged(ARKA_LOG_JSON, ARKA_INFO, "a \"b\"\nc\xff");
    assert_int_equal(strncmp(json, "{\"time\":\"20", 11), 0);
    assert_non_null(
        strstr(json, "\"level\":\"info\",\"event\":\"flush\","
                     "\"message\":\"a \\\"b\\\"\\nc\xef\xbf\xbd\",\"request_id\":\"r-1\"}\n"));
    const char *text = logged(ARKA_LOG_TEXT, ARKA_INFO, "a\nb\x1b[31m\r");
    assert_string_equal(text + TIME, " INFO  flush  a\\x0ab\\x1b[31m\\x0d  (request r-1)\n");
    const char *logfmt = logged(ARKA_LOG_LOGFMT, ARKA_INFO, "a\nlevel=error event=\"x\"");
    assert_string_equal(logfmt + strlen("time=") + TIME,
                        " level=info event=flush message=\"a\\nlevel=error event=\\\"x\\\"\""
                        " request_id=r-1\n");
}

TEST(logfmt_quotes_only_what_needs_it)
{
    assert_string_equal(logged(ARKA_LOG_LOGFMT, ARKA_INFO, "plain") + strlen("time=") + TIME,
                        " level=info event=flush message=plain request_id=r-1\n");
    assert_string_equal(logged(ARKA_LOG_LOGFMT, ARKA_INFO, "") + strlen("time=") + TIME,
                        " level=info event=flush message=\"\" request_id=r-1\n");
}

TEST(lines_name_their_query)
{
    arka_log_about about = {.request_id = "r-1", .query_id = "q-2"};
    assert_string_equal(logged_about(ARKA_LOG_TEXT, ARKA_INFO, about, "x") + TIME,
                        " INFO  flush  x  (request r-1)  (query q-2)\n");
    assert_non_null(strstr(logged_about(ARKA_LOG_JSON, ARKA_INFO, about, "x"),
                           "\"message\":\"x\",\"request_id\":\"r-1\",\"query_id\":\"q-2\"}\n"));
    about.request_id = NULL;
    assert_non_null(
        strstr(logged_about(ARKA_LOG_LOGFMT, ARKA_INFO, about, "x"), " message=x query_id=q-2\n"));
}

TEST(lines_below_the_level_are_dropped_and_it_can_change)
{
    assert_string_equal(logged(ARKA_LOG_TEXT, ARKA_WARN, "x"), "");
    arka_log log = {.level = ARKA_WARN, .fd = -1};
    assert_false(arka_log_wants(&log, ARKA_INFO));
    arka_log_set_level(&log, ARKA_DEBUG);
    assert_true(arka_log_wants(&log, ARKA_DEBUG));
    assert_int_equal(arka_log_get_level(&log), ARKA_DEBUG);
}

TEST(words_of_levels_and_formats)
{
    arka_log_level level;
    arka_log_format format;
    assert_int_equal(arka_log_level_parse("WARNING"), ARKA_WARN);
    assert_int_equal(arka_log_level_parse("Debug"), ARKA_DEBUG);
    assert_int_equal(arka_log_level_parse("nonsense"), ARKA_INFO);
    assert_true(arka_log_level_find(ARKA_SLICE("Critical"), &level));
    assert_int_equal(level, ARKA_ERROR);
    assert_false(arka_log_level_find(ARKA_SLICE("loud"), &level));
    assert_true(arka_log_format_find(ARKA_SLICE("Structured"), -1, &format));
    assert_int_equal(format, ARKA_LOG_JSON);
    assert_true(arka_log_format_find(ARKA_SLICE("auto"), -1, &format));
    assert_int_equal(format, ARKA_LOG_JSON);
    assert_true(arka_log_format_find(ARKA_SLICE("LOGFMT"), -1, &format));
    assert_int_equal(format, ARKA_LOG_LOGFMT);
    assert_true(arka_log_format_find(ARKA_SLICE("text"), -1, &format));
    assert_int_equal(format, ARKA_LOG_TEXT);
    assert_false(arka_log_format_find(ARKA_SLICE("xml"), -1, &format));
}

TEST(a_line_fits_into_a_pipe_at_once)
{
    char message[ARKA_LOG_MESSAGE];
    memset(message, 1, sizeof message - 1);
    message[sizeof message - 1] = 0;
    const char *line = logged(ARKA_LOG_JSON, ARKA_INFO, message); /* six bytes for each */
    assert_in_range(strlen(line), 1000, PIPE_BUF);
    assert_non_null(strstr(line, "\\u0001\",\"request_id\":\"r-1\"}\n"));
}

/* Fill it up; what it took. */
static void fill(int fd)
{
    static const char BYTES[4096];
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (write(fd, BYTES, sizeof BYTES) > 0)
        ;
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

TEST(a_descriptor_that_nobody_reads_loses_lines_and_holds_nobody_up)
{
    arka_error err = {0};
    arka_log_stats stats;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fill(ends[1]);
    arka_log log = {.fd = ends[1], .format = ARKA_LOG_TEXT};
    ASSERT_OK(arka_log_keep(&log, 1 << 16, &err));
    arka_log_write(&log, ARKA_INFO, "a", NULL, "lost outside, kept inside");
    arka_log_write(&log, ARKA_INFO, "a", NULL, "the same");
    arka_log_get_stats(&log, &stats);
    assert_int_equal(stats.lost, 2);
    assert_int_equal(stats.lines[ARKA_INFO], 2);
    close(ends[0]);
    close(ends[1]);
    arka_log_fini(&log);
}

/* ---- what is kept ---- */

typedef struct seen {
    int n;
    char text[100][64];
} seen;

static void see(void *context, const arka_log_line *line)
{
    seen *s = context;
    snprintf(s->text[s->n++], 64, "%s %s %s|%s|%s", arka_log_level_name(line->level), line->event,
             line->message, line->request_id, line->query_id);
}

TEST(kept_lines_come_newest_first_by_level_age_and_number)
{
    arka_error err = {0};
    arka_log log = {.level = ARKA_DEBUG, .fd = -1};
    ASSERT_OK(arka_log_keep(&log, 1 << 16, &err));
    arka_log_write(&log, ARKA_DEBUG, "a", NULL, "1");
    arka_log_write(&log, ARKA_WARN, "b", "r", "2");
    arka_log_write_about(&log, ARKA_ERROR, "c",
                         (arka_log_about){.request_id = "r", .query_id = "q"}, "3");
    seen s = {0};
    arka_log_each(&log, ARKA_DEBUG, 0, 100, see, &s);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.text[0], "error c 3|r|q");
    assert_string_equal(s.text[1], "warn b 2|r|");
    assert_string_equal(s.text[2], "debug a 1||");
    s.n = 0;
    arka_log_each(&log, ARKA_WARN, 0, 100, see, &s);
    assert_int_equal(s.n, 2);
    s.n = 0;
    arka_log_each(&log, ARKA_DEBUG, 0, 1, see, &s);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.text[0], "error c 3|r|q");
    s.n = 0;
    arka_log_each(&log, ARKA_DEBUG, arka_wall_us() + 1000000, 100, see, &s);
    assert_int_equal(s.n, 0);
    arka_log_fini(&log);
}

enum { LINES = 3000, LONGEST = 300 };

typedef struct expected {
    int next; /* the line that must come */
    int n;
    const int *lengths;
} expected;

static void expect_line(void *context, const arka_log_line *line)
{
    expected *e = context;
    assert_int_equal(line->us, e->next);
    assert_int_equal(strlen(line->message), e->lengths[e->next]);
    assert_string_equal(line->event, "e");
    e->next--;
    e->n++;
}

TEST(the_ring_keeps_the_newest_lines_whatever_their_lengths)
{
    enum { CAP = 4096, HEAD = 64 }; /* a line's own bytes, at most */
    static int lengths[LINES];
    arka_error err = {0};
    arka_log_keeper *k;
    ASSERT_OK(arka_log_keeper_new(CAP, &k, &err));
    for (int i = 0; i < LINES; i++) {
        char message[LONGEST + 1];
        lengths[i] = (int)(kit_random() % LONGEST);
        memset(message, 'm', sizeof message);
        message[lengths[i]] = 0;
        arka_log_line line = {i, ARKA_INFO, "e", message, "", ""};
        arka_log_keeper_put(k, &line);
        expected e = {.next = i, .lengths = lengths};
        arka_log_keeper_each(k, ARKA_DEBUG, 0, SIZE_MAX, expect_line, &e);
        /* what is missing would not have fitted beside the others, but for the gap at the end */
        int64_t bytes = 0;
        for (int j = i - e.n; j >= 0 && j <= i; j++)
            bytes += lengths[j] + HEAD + 16;
        assert_true(e.n == i + 1 || bytes > CAP - LONGEST - HEAD - 16);
    }
    arka_log_keeper_free(k);
}

TEST(a_line_larger_than_the_ring_is_not_kept)
{
    arka_error err = {0};
    arka_log log = {.fd = -1};
    seen s = {0};
    ASSERT_OK(arka_log_keep(&log, 128, &err));
    arka_log_write(&log, ARKA_INFO, "a", NULL, "%0200d", 1);
    arka_log_each(&log, ARKA_DEBUG, 0, 100, see, &s);
    assert_int_equal(s.n, 0);
    arka_log_write(&log, ARKA_INFO, "a", NULL, "x");
    arka_log_each(&log, ARKA_DEBUG, 0, 100, see, &s);
    assert_int_equal(s.n, 1);
    arka_log_fini(&log);
}

/* ---- floods ---- */

TEST(of_a_flood_the_rest_is_counted_and_told_of)
{
    enum { SECOND = 1000000000 };
    arka_error err = {0};
    arka_log_keeper *k;
    arka_log_stats stats;
    char event[64];
    int64_t n;
    ASSERT_OK(arka_log_keeper_new(4096, &k, &err));
    for (int i = 0; i < ARKA_LOG_BURST + 7; i++)
        assert_int_equal(arka_log_keeper_admit(k, "flood", ARKA_WARN, (arka_mono){5}, &n),
                         i < ARKA_LOG_BURST);
    assert_true(arka_log_keeper_admit(k, "other", ARKA_WARN, (arka_mono){6}, &n));
    assert_int_equal(n, 0);
    assert_false(arka_log_keeper_settle(k, (arka_mono){6}, event, &n));
    /* the next line of the event tells, or settling does */
    assert_true(arka_log_keeper_admit(k, "flood", ARKA_WARN, (arka_mono){5 + SECOND}, &n));
    assert_int_equal(n, 7);
    for (int i = 0; i < ARKA_LOG_BURST; i++)
        arka_log_keeper_admit(k, "flood", ARKA_WARN, (arka_mono){5 + SECOND}, &n);
    assert_true(arka_log_keeper_settle(k, (arka_mono){5 + 2 * SECOND}, event, &n));
    assert_string_equal(event, "flood");
    assert_int_equal(n, 1);
    assert_false(arka_log_keeper_settle(k, (arka_mono){5 + 2 * SECOND}, event, &n));
    arka_log_keeper_stats(k, &stats);
    assert_int_equal(stats.suppressed, 8);
    assert_int_equal(stats.lines[ARKA_WARN], 2 * ARKA_LOG_BURST + 1);
    arka_log_keeper_free(k);
}

TEST(debug_lines_and_events_without_a_place_are_never_left_out)
{
    arka_error err = {0};
    arka_log_keeper *k;
    int64_t n;
    ASSERT_OK(arka_log_keeper_new(4096, &k, &err));
    for (int i = 0; i < 2 * ARKA_LOG_BURST; i++)
        assert_true(arka_log_keeper_admit(k, "request", ARKA_DEBUG, (arka_mono){5}, &n));
    for (int i = 0; i < 200; i++) {
        char event[16];
        snprintf(event, sizeof event, "e%d", i);
        assert_true(arka_log_keeper_admit(k, event, ARKA_INFO, (arka_mono){5}, &n));
    }
    arka_log_keeper_free(k);
}

/* ---- credentials ---- */

TEST(credentials_are_taken_out)
{
    static const struct {
        const char *said, *left;
    } CASES[] = {
        {"GET /query?u=a&p=secret&db=x", "GET /query?u=a&p=***&db=x"},
        {"p=s", "p=***"},
        {"GET /x?P=s3", "GET /x?P=***"},
        {"step=3 temp=4 http=x", "step=3 temp=4 http=x"},
        {"Authorization: Bearer abc def\nnext", "Authorization: ***\nnext"},
        {"got Bearer abc.def-1 here", "got Bearer *** here"},
        {"token abcdefghijklmnopqrstuvwxyz123456", "token ***"},
        {"token is not valid", "token is not valid"},
        {"basic dXNlcjpwYXNz", "basic ***"},
        {"x-api-key: k\", more", "x-api-key: ***\", more"},
        {"token=abc;password=d,secret=e f", "token=***;password=***,secret=*** f"},
        {"/x/AbcdefghijklmnopqrstuvwxyzABCDEFGHIJ_-01234/y", "/x/***/y"},
        {"/x/Abcdefghijklmnopqrstuvwxyz", "/x/Abcdefghijklmnopqrstuvwxyz"},
        {"p=", "p="},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[200];
        snprintf(text, sizeof text, "%s", CASES[i].said);
        size_t n = arka_scrub(text, strlen(text), sizeof text);
        assert_string_equal(text, CASES[i].left);
        assert_int_equal(n, strlen(text));
    }
}

TEST(scrubbing_stays_inside_its_memory)
{
    for (size_t cap = 4; cap < 12; cap++) {
        char *text = malloc(cap); /* whose end the sanitizer watches */
        snprintf(text, cap, "p=s&p=t");
        arka_scrub(text, strlen(text), cap);
        assert_true(strlen(text) < cap);
        assert_null(strchr(text, 's'));
        assert_null(strchr(text, 't'));
        free(text);
    }
}

TEST(a_line_holds_no_credential)
{
    arka_log_about about = {
        .request_id = "AbcdefghijklmnopqrstuvwxyzABCDEFGHIJ_-01234"}; /* a client's own choice */
    const char *line = logged_about(ARKA_LOG_TEXT, ARKA_INFO, about, "/write?db=a&p=hidden");
    assert_string_equal(line + TIME, " INFO  flush  /write?db=a&p=***  (request ***)\n");
}
