#include "observe/text.h"

#include "kit/kit.h"

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
