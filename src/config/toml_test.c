#include "config/toml.h"

#include "base/buf.h"
#include "kit/kit.h"

static arka_error err;

static arka_status show(void *context, arka_slice key, const arka_toml_value *v, arka_error *e)
{
    arka_buf *out = context;
    arka_buf_printf(out, "%d %.*s=", v->line, ARKA_FMT(key));
    switch (v->kind) {
    case ARKA_TOML_STRING:
        arka_buf_printf(out, "'%.*s'\n", ARKA_FMT(v->text));
        break;
    case ARKA_TOML_INT:
        arka_buf_printf(out, "%lld\n", (long long)v->i64);
        break;
    case ARKA_TOML_FLOAT:
        arka_buf_printf(out, "float %g\n", v->f64);
        break;
    case ARKA_TOML_BOOL:
    default:
        arka_buf_text(out, v->boolean ? "true\n" : "false\n");
    }
    return ARKA_OK;
}

static arka_status read_text(const char *text, arka_buf *out, arka_error *e)
{
    arka_arena arena = ARKA_ARENA_INIT;
    arka_buf_clear(out);
    arka_status status = arka_toml_read(arka_slice_of(text), "f.toml", &arena, show, out, e);
    arka_buf_cstr(out);
    arka_arena_fini(&arena);
    return status;
}

TEST(tables_keys_and_values_come_with_their_whole_name_and_line)
{
    arka_buf out = ARKA_BUF_INIT;
    err = (arka_error){0};
    ASSERT_OK(read_text("# a comment\n"
                        "top = 1\r\n"
                        "\n"
                        "[server]   # another\n"
                        "host = \"a\\tb\\u00e9\\\"\"\n"
                        "  port=8_000\n"
                        "[storage.local]\n"
                        "path = 'C:\\x'# behind\n"
                        "deep . er = true\n"
                        "[storage]\n"
                        "x = -1.5e3\n"
                        "y = false\n"
                        "z = +7",
                        &out, &err));
    assert_string_equal(out.data, "2 top=1\n"
                                  "5 server.host='a\tb\xc3\xa9\"'\n"
                                  "6 server.port=8000\n"
                                  "8 storage.local.path='C:\\x'\n"
                                  "9 storage.local.deep.er=true\n"
                                  "11 storage.x=float -1500\n"
                                  "12 storage.y=false\n"
                                  "13 storage.z=7\n");
    ASSERT_OK(read_text("", &out, &err));
    assert_int_equal(out.len, 0);
    arka_buf_fini(&out);
}

TEST(whatever_is_not_the_subset_is_refused_with_file_and_line)
{
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"a = 1\nb = [1]\n", "f.toml line 2: arrays are not supported"},
        {"b = {x = 1}", "line 1: inline tables are not supported"},
        {"[[t]]", "line 1: arrays of tables are not supported"},
        {"a = \"\"\"x\"\"\"", "multi-line strings are not supported"},
        {"\"a b\" = 1", "quoted keys are not supported"},
        {"a = 1979-05-27", "'1979-05-27' is not a string in quotes"},
        {"a = 0x10", "'0x10' is not"},
        {"a = 01", "'01' is not"},
        {"a = 1__0", "'1__0' is not"},
        {"a = _1", "'_1' is not"},
        {"a = 1.", "'1.' is not"},
        {"a = inf", "'inf' is not"},
        {"a = yes", "'yes' is not"},
        {"a = 99999999999999999999", "does not fit"},
        {"a =", "a value is missing"},
        {"a", "'=' is missing after the key 'a'"},
        {"= 1", "a key is missing"},
        {"a. = 1", "a key is missing"},
        {"a = \"x", "a string is not closed"},
        {"a = \"x\ny\"", "a string is not closed"},
        {"a = \"\\q\"", "unknown escape '\\q'"},
        {"a = \"\\u12\"", "needs 4 hexadecimal digits"},
        {"a = \"\\ud800\"", "is not a character"},
        {"a = \"\\u0000\"", "is not a character"},
        {"a = 1 2", "found '2' where the line should end"},
        {"[a", "not closed with ']'"},
        {"a = 1\na = 2", "line 2: 'a' comes twice"},
        {"[t]\n[t]", "line 2: 't' comes twice"},
        {"[t]\nx = 1\n[t.x]", "'t.x' comes twice"},
        {"a = 1\n[a.b]", "'a' is a value already"},
        {"[t.u]\n[t]\nu = 1", "'t.u' comes twice"},
        {"\n\na = \xff", "line 3: not UTF-8"},
    };
    arka_buf out = ARKA_BUF_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ASSERT_FAILS(read_text(CASES[i].text, &out, &err), ARKA_INPUT, CASES[i].says);
    arka_buf_fini(&out);
}
