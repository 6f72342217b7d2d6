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
