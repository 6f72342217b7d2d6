#include "base/base64.h"

#include "kit/kit.h"

TEST(the_specifications_own_examples)
{
    static const char *const examples[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe\xfd\xfb\xef\xbe", "//79++++"},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        arka_buf out = ARKA_BUF_INIT;
        arka_buf_text(&out, ">");
        arka_base64_encode(&out, arka_slice_of(examples[i][0]));
        assert_string_equal(arka_buf_cstr(&out) + 1, examples[i][1]);
        arka_buf_fini(&out);
    }
}

TEST(for_urls_without_padding)
{
    arka_buf out = ARKA_BUF_INIT;
    arka_base64_encode_url(&out, ARKA_SLICE("\xff\xfe\xfd\xfb\xef\xbe"));
    assert_string_equal(arka_buf_cstr(&out), "__79--"
                                             "--");
    arka_buf_clear(&out);
    arka_base64_encode_url(&out, ARKA_SLICE("f"));
    assert_string_equal(arka_buf_cstr(&out), "Zg");
    arka_buf_clear(&out);
    arka_base64_encode_url(&out, ARKA_SLICE("fo"));
    assert_string_equal(arka_buf_cstr(&out), "Zm8");
    arka_buf_fini(&out);
}

TEST(decoding)
{
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } CASES[] = {
        {"", ""},         {"Zg==", "f"},          {"Zg", "f"},    {"Zm8=", "fo"}, {"Zm8", "fo"},
        {"Zm9v", "foo"},  {"Zm9vYmFy", "foobar"}, {"OnQ=", ":t"}, {"Z", NULL},    {"Zg=", NULL},
        {"Zg===", NULL},  {"Z===", NULL},         {"Zh==", NULL}, {"Zm9", NULL},  {"Zm 9v", NULL},
        {"Zm9v\n", NULL}, {"Zg==Zg==", NULL},     {"__79", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_buf out = ARKA_BUF_INIT;
        arka_buf_text(&out, ">");
        bool ok = arka_base64_decode(&out, arka_slice_of(CASES[i].text));
        assert_int_equal(ok, CASES[i].expected != NULL);
        assert_string_equal(arka_buf_cstr(&out) + 1, ok ? CASES[i].expected : "");
        arka_buf_fini(&out);
    }
}

TEST(what_is_encoded_is_decoded_at_any_length)
{
    for (size_t n = 0; n < 70; n++) {
        char bytes[70];
        arka_buf text = ARKA_BUF_INIT, back = ARKA_BUF_INIT;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(i * 37 + n);
        arka_base64_encode(&text, (arka_slice){bytes, n});
        assert_true(arka_base64_decode(&back, (arka_slice){text.data, text.len}));
        assert_int_equal(back.len, n);
        assert_memory_equal(back.data, bytes, n);
        arka_buf_fini(&text);
        arka_buf_fini(&back);
    }
}
