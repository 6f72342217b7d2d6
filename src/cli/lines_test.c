#include "cli/lines.h"

#include "kit/kit.h"

/* Whole lines of `text` as the scanner sees them, fed in pieces of `step` bytes. */
static void assert_lines(const char *text, int64_t max, size_t end, int64_t n_lines, bool full)
{
    for (size_t step = 1; step <= strlen(text) + 1; step++) {
        arka_line_scan scan = {0};
        size_t got_end = 0;
        int64_t got_lines = 0;
        bool got_full = false;
        for (size_t len = 0; !got_full && len < strlen(text);) {
            len = len + step < strlen(text) ? len + step : strlen(text);
            got_full = arka_line_scan_run(&scan, text, len, max, &got_end, &got_lines);
        }
        assert_int_equal(got_end, end);
        assert_int_equal(got_lines, n_lines);
        assert_int_equal(got_full, full);
    }
}

TEST(lines_end_at_line_feeds_outside_quotes)
{
    assert_lines("a v=1\nb v=2\nc v", 10, 12, 2, false);
    assert_lines("a v=\"x\ny\"\nb v=2\n", 10, 16, 2, false);
    assert_lines("a v=\"x\\\"\ny\"\n", 10, 12, 1, false);
    assert_lines("a v=\"x\\\\\"\nb v=1\n", 10, 16, 2, false);
    assert_lines("a v=\"not closed\nb v=1\n", 10, 0, 0, false);
}

TEST(quotes_count_only_among_the_fields)
{
    assert_lines("a,t=x\"y v=1\nb v=2\n", 10, 18, 2, false);
    assert_lines("a\"b v=1\n", 10, 8, 1, false);
    assert_lines("a,t=x\\ \"y v=1\n", 10, 14, 1, false);
}

TEST(blank_lines_and_comments_are_passed_over)
{
    assert_lines("\n  \n# \"x\na v=1\r\n\r\n", 10, 18, 1, false);
}

TEST(it_stops_when_there_are_enough)
{
    assert_lines("a v=1\nb v=2\nc v=3\n", 2, 12, 2, true);
}

TEST(after_a_cut_it_goes_on_where_it_was)
{
    char text[] = "a v=1\nb v=\"2\n3\"\nc v=3\n";
    arka_line_scan scan = {0};
    size_t end;
    int64_t n;
    assert_true(arka_line_scan_run(&scan, text, strlen(text), 1, &end, &n));
    assert_int_equal(end, 6);
    arka_line_scan_cut(&scan, end);
    assert_true(arka_line_scan_run(&scan, text + 6, strlen(text) - 6, 1, &end, &n));
    assert_int_equal(end, 10);
    arka_line_scan_cut(&scan, end);
    assert_false(arka_line_scan_run(&scan, text + 16, strlen(text) - 16, 5, &end, &n));
    assert_int_equal(end, 6);
    assert_int_equal(n, 1);
}
