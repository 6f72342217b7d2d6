#include "config/toml.h"

#include <math.h>

#include "kit/kit.h"
#include "config/toml_priv.h"

static arka_error err;

/* ---- a tree as text ---- */

/* 'text', with \n, \\, \' and \xHH for what else is not printable */
static void put_text(arka_buf *out, arka_slice text)
{
    arka_buf_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '\n')
            arka_buf_text(out, "\\n");
        else if (c == '\'' || c == '\\')
            arka_buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            arka_buf_printf(out, "\\x%02x", c);
        else
            arka_buf_byte(out, (char)c);
    }
    arka_buf_byte(out, '\'');
}

static void put_key(arka_buf *out, arka_slice key)
{
    bool bare = key.len > 0;
    for (size_t i = 0; i < key.len; i++)
        bare &= key.data[i] != 0 && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789_-",
                                           key.data[i]) != NULL;
    if (bare)
        arka_buf_slice(out, key);
    else
        put_text(out, key);
}

static void put_date(arka_buf *out, const arka_toml_time *t)
{
    arka_buf_printf(out, "%04d-%02d-%02d", t->year, t->month, t->day);
}

static void put_time(arka_buf *out, const arka_toml_time *t)
{
    arka_buf_printf(out, "%02d:%02d:%02d", t->hour, t->minute, t->second);
    if (t->nanosecond == 0)
        return;
    arka_buf_printf(out, ".%09d", t->nanosecond);
    while (out->data[out->len - 1] == '0')
        out->len--;
}

static void put_datetime(arka_buf *out, const arka_toml_value *v)
{
    const arka_toml_time *t = &v->time;
    if (v->kind != ARKA_TOML_LOCAL_TIME)
        put_date(out, t);
    if (v->kind == ARKA_TOML_LOCAL_DATETIME || v->kind == ARKA_TOML_DATETIME)
        arka_buf_byte(out, 'T');
    if (v->kind != ARKA_TOML_LOCAL_DATE)
        put_time(out, t);
    int minutes = abs(t->offset_minutes);
    if (v->kind == ARKA_TOML_DATETIME)
        arka_buf_printf(out, "%c%02d:%02d", t->offset_minutes < 0 ? '-' : '+', minutes / 60,
                        minutes % 60);
}

static void put_value(arka_buf *out, const arka_toml_value *v);

static void put_parts(arka_buf *out, const arka_toml_value *v, bool keys)
{
    int64_t n = 0;
    for (const arka_toml_value *e = v->first; e != NULL; e = e->next, n++) {
        if (n > 0)
            arka_buf_byte(out, ',');
        if (keys) {
            put_key(out, e->key);
            arka_buf_byte(out, '=');
        }
        put_value(out, e);
    }
    assert_int_equal(n, v->n);
}

static void put_value(arka_buf *out, const arka_toml_value *v)
{
    switch (v->kind) {
    case ARKA_TOML_STRING:
        put_text(out, v->text);
        break;
    case ARKA_TOML_INT:
        arka_buf_printf(out, "%lld", (long long)v->i64);
        break;
    case ARKA_TOML_FLOAT:
        if (isnan(v->f64))
            arka_buf_text(out, "fnan");
        else
            arka_buf_printf(out, "f%.17g", v->f64);
        break;
    case ARKA_TOML_BOOL:
        arka_buf_text(out, v->boolean ? "true" : "false");
        break;
    case ARKA_TOML_DATETIME:
    case ARKA_TOML_LOCAL_DATETIME:
    case ARKA_TOML_LOCAL_DATE:
    case ARKA_TOML_LOCAL_TIME:
        put_datetime(out, v);
        break;
    case ARKA_TOML_ARRAY:
        arka_buf_byte(out, '[');
        put_parts(out, v, false);
        arka_buf_byte(out, ']');
        break;
    case ARKA_TOML_TABLE:
    default:
        arka_buf_byte(out, '{');
        put_parts(out, v, true);
        arka_buf_byte(out, '}');
    }
}

/* The tree of `text`, or the sentence why there is none; lives until the next call. */
static const char *tree_of(arka_slice text, arka_status *status)
{
    static char printed[8000];
    arka_arena arena = ARKA_ARENA_INIT;
    arka_buf out = ARKA_BUF_INIT;
    arka_toml_value *root = NULL;
    err = (arka_error){0};
    *status = arka_toml_parse(text, "f", &arena, &root, &err);
    if (*status == ARKA_OK)
        put_value(&out, root);
    snprintf(printed, sizeof printed, "%s", *status == ARKA_OK ? arka_buf_cstr(&out) : err.msg);
    arka_buf_fini(&out);
    arka_arena_fini(&arena);
    return printed;
}

/* ---- cases ---- */

static const struct {
    const char *text;
    size_t len;
    const char *expected;
    bool good;
} CASES[] = {
#define GOOD(text, tree) {text, sizeof(text) - 1, tree, true},
#define BAD(text, says)  {text, sizeof(text) - 1, says, false},
#include "config/toml_cases.def"
#undef GOOD
#undef BAD
};
enum { N_CASES = sizeof CASES / sizeof *CASES };

TEST(what_is_toml_becomes_its_tree_and_what_is_not_is_refused_at_its_place)
{
    for (size_t i = 0; i < N_CASES; i++) {
        arka_status status;
        const char *is = tree_of((arka_slice){CASES[i].text, CASES[i].len}, &status);
        const char *want = CASES[i].expected;
        bool same = CASES[i].good ? status == ARKA_OK && strcmp(is, want) == 0
                                  : status == ARKA_INPUT && strncmp(is, "f:", 2) == 0 &&
                                        strncmp(is + 2, want, strlen(want)) == 0;
        if (!same)
            fail_msg("case %zu, of the text\n%s\ngives %s\nexpected %s", i, CASES[i].text, is,
                     want);
    }
}

TEST(each_good_case_cut_short_is_read_or_refused_and_leaks_nothing)
{
    for (size_t i = 0; i < N_CASES; i++)
        for (size_t n = 0; n < CASES[i].len; n++) {
            arka_status status;
            /* a copy of that length, so that a read beyond it is seen */
            char *text = test_malloc(n + 1);
            memcpy(text, CASES[i].text, n);
            tree_of((arka_slice){text, n}, &status);
            assert_true(status == ARKA_OK || status == ARKA_INPUT);
            test_free(text);
        }
}

static void expect_failure(const char *text, const char *sentence)
{
    arka_status status;
    assert_string_equal(tree_of(arka_slice_of(text), &status), sentence);
    assert_int_equal(status, ARKA_INPUT);
}

TEST(sentences_say_what_was_found_and_expected)
{
    expect_failure("a = [1,\n  2 3]", "f:2:5: found '3', expected ',' or the array's closing ']'");
    expect_failure("a = {b = 1\n}",
                   "f:1:11: found the end of the line, expected ',' or the inline table's closing "
                   "'}'");
    expect_failure("[a\nb = 1", "f:1:3: found the end of the line, expected ']' after the table's "
                                "name");
    expect_failure("[[a]", "f:1:4: found ']', expected ']]' after the name of an array of tables");
    expect_failure("a 1", "f:1:3: found '1', expected '=' after the key");
    expect_failure("x = 1\n\n[t]\nx = 1\nx = 2",
                   "f:5:1: found 'x' again, expected a key that is new: line 4 has it already");
    expect_failure("a = 'x", "f:1:7: found the end of the text, expected the string's closing '");
    expect_failure("a = yes", "f:1:5: found 'yes', expected a string in quotes, a number, a date, "
                              "true, false, [ or {");
    expect_failure("a = 2000-13-01", "f:1:5: found '2000-13-01', expected a date, a time, or both, "
                                     "such as 1979-05-27T07:32:00Z");
    expect_failure("a = 9223372036854775808",
                   "f:1:5: found 9223372036854775808, expected a number that fits 64 bits");
    expect_failure("token = 0123456789abcdefghijklmnopqrstuvwxyz",
                   "f:1:9: found '01234567…', expected a string in quotes, a number, a date, true, "
                   "false, [ or {");
    expect_failure("a = 1e999", "f:1:5: found 1e999, expected a number that fits 64 bits");
    expect_failure("a.b = 1\n[a]\nb = 1",
                   "f:2:2: found 'a' again, expected a key that is new: line 1 has it already");
}

TEST(columns_count_characters_and_lines_go_on_behind_texts_of_several)
{
    expect_failure("'é日😀' = !", "f:1:9: found '!', expected a value");
    expect_failure("a = \"\"\"\n\n\n\"\"\"\nb = !", "f:5:5: found '!', expected a value");
    expect_failure("a = \"\"\"x\\\n\n y\"\"\" z", "f:3:7: found 'z', expected the end of the line");
    expect_failure("\r\n\r\na = !", "f:3:5: found '!', expected a value");
}

TEST(values_know_where_they_stand)
{
    arka_arena arena = ARKA_ARENA_INIT;
    arka_toml_value *root;
    ASSERT_OK(arka_toml_parse(ARKA_SLICE("[t]\n  a.b = 1\nc = [\n 2]"), "f", &arena, &root, &err));
    const arka_toml_value *t = root->first, *a = t->first, *b = a->first, *c = a->next;
    assert_int_equal(t->line, 1);
    assert_int_equal(t->column, 2);
    assert_int_equal(a->line, 2);
    assert_int_equal(a->column, 3);
    assert_int_equal(b->line, 2);
    assert_int_equal(b->column, 5);
    assert_int_equal(c->line, 3);
    assert_int_equal(c->first->line, 4);
    assert_int_equal(c->first->column, 2);
    arka_arena_fini(&arena);
}

TEST(a_leap_second_is_a_time_and_digits_beyond_nanoseconds_are_cut)
{
    arka_status status;
    assert_string_equal(
        tree_of(ARKA_SLICE("a = 2016-12-31T23:59:60Z\nb = 00:00:00.1234567899"), &status),
        "{a=2016-12-31T23:59:60+00:00,b=00:00:00.123456789}");
}

static arka_status nested(int depth, const char *open, const char *close)
{
    arka_status status;
    arka_buf text = ARKA_BUF_INIT;
    arka_buf_text(&text, "a = ");
    for (int i = 0; i < depth; i++)
        arka_buf_text(&text, open);
    arka_buf_text(&text, "1");
    for (int i = 0; i < depth; i++)
        arka_buf_text(&text, close);
    tree_of((arka_slice){text.data, text.len}, &status);
    arka_buf_fini(&text);
    return status;
}

static arka_status dotted(int n, const char *before, const char *behind)
{
    arka_status status;
    arka_buf text = ARKA_BUF_INIT;
    arka_buf_text(&text, before);
    for (int i = 0; i < n; i++)
        arka_buf_text(&text, i ? ".a" : "a");
    arka_buf_text(&text, behind);
    tree_of((arka_slice){text.data, text.len}, &status);
    arka_buf_fini(&text);
    return status;
}

TEST(depth_is_bounded)
{
    assert_int_equal(nested(ARKA_TOML_DEPTH - 1, "[", "]"), ARKA_OK);
    assert_int_equal(nested(ARKA_TOML_DEPTH, "[", "]"), ARKA_INPUT);
    assert_int_equal(nested(100000, "[", "]"), ARKA_INPUT);
    assert_int_equal(nested(ARKA_TOML_DEPTH - 1, "{b=", "}"), ARKA_OK);
    assert_int_equal(nested(100000, "{b=", "}"), ARKA_INPUT);
    assert_int_equal(dotted(ARKA_TOML_DEPTH, "", " = 1"), ARKA_OK);
    assert_int_equal(dotted(ARKA_TOML_DEPTH + 1, "", " = 1"), ARKA_INPUT);
    assert_int_equal(dotted(ARKA_TOML_DEPTH, "[", "]"), ARKA_OK);
    assert_int_equal(dotted(ARKA_TOML_DEPTH, "[", "]\nb = 1"), ARKA_INPUT);
    assert_int_equal(dotted(100000, "[", "]"), ARKA_INPUT);
}

TEST(a_long_line_and_many_keys_take_time_that_grows_with_them)
{
    /* half a million of each: were it quadratic, this would not end within the test's time */
    enum { N = 500000 };
    arka_status status;
    arka_buf text = ARKA_BUF_INIT;
    arka_arena arena = ARKA_ARENA_INIT;
    arka_toml_value *root;
    arka_buf_text(&text, "a = [");
    for (int i = 0; i < N; i++)
        arka_buf_text(&text, "1,");
    arka_buf_text(&text, "]\n");
    for (int i = 0; i < N / 10; i++)
        arka_buf_printf(&text, "k%d = 1\n", i);
    err = (arka_error){0};
    status = arka_toml_parse((arka_slice){text.data, text.len}, "f", &arena, &root, &err);
    assert_int_equal(status, ARKA_OK);
    assert_int_equal(root->n, N / 10 + 1);
    assert_int_equal(root->first->n, N);
    arka_arena_fini(&arena);
    arka_buf_fini(&text);
}

TEST(out_of_memory_is_said_and_nothing_leaks)
{
    static const char TEXT[] = "a = [1, 'x', {b.c = \"\\u00e9\"}]\n[t.u]\n[[t.v]]\n\"q q\" = "
                               "1979-05-27\n";
    bool failed = true;
    for (long n = 1; failed; n++) {
        arka_arena arena = ARKA_ARENA_INIT;
        arka_toml_value *root;
        err = (arka_error){0};
        kit_fail_allocation(n, true);
        arka_status status = arka_toml_parse(ARKA_SLICE(TEXT), "f", &arena, &root, &err);
        failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        assert_int_equal(status, failed ? ARKA_NOMEM : ARKA_OK);
        arka_arena_fini(&arena);
    }
}
